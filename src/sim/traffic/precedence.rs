//! The rule that takes a request of the traffic: exact and prefix paths, methods and exact headers.

use serde_json::Value;
use std::cmp::Reverse;

/// Returns the backends, with weights, of the rule that takes a GET of this customer; nothing when none does.
///
/// The order is the Gateway API's: exact path, longest prefix, method, number of headers, age, name, place in the route.
pub fn backends(routes: &[Value], host: &str, path: &str, customer: &str) -> Vec<(String, u32)> {
    let mut best: Option<(Rank<'_>, &Value)> = None;
    for route in routes.iter().filter(|route| serves(route, host)) {
        for (place, rule) in list(&route["spec"]["rules"]).iter().enumerate() {
            let all = Value::Array(vec![serde_json::json!({})]);
            let matches = if list(&rule["matches"]).is_empty() { &all } else { &rule["matches"] };
            for one in list(matches) {
                let Some(fit) = fit(one, path, customer) else { continue };
                let metadata = &route["metadata"];
                let rank = (Reverse(fit), text(&metadata["creationTimestamp"]), text(&metadata["name"]), place);
                if best.as_ref().is_none_or(|(other, _)| rank < *other) {
                    best = Some((rank, rule));
                }
            }
        }
    }
    let refs = best.map_or(&[][..], |(_, rule)| list(&rule["backendRefs"]));
    refs.iter().map(|backend| (text(&backend["name"]).to_owned(), weight(backend))).collect()
}

type Fit = (bool, usize, bool, usize);
type Rank<'r> = (Reverse<Fit>, &'r str, &'r str, usize);

fn serves(route: &Value, host: &str) -> bool {
    let names = list(&route["spec"]["hostnames"]);
    let fits =
        |name: &str| name == host || name.strip_prefix("*.").is_some_and(|rest| host.ends_with(&format!(".{rest}")));
    names.is_empty() || names.iter().any(|name| fits(text(name)))
}

fn fit(one: &Value, path: &str, customer: &str) -> Option<Fit> {
    let wanted = one["path"]["value"].as_str().unwrap_or("/");
    let exact = match one["path"]["type"].as_str().unwrap_or("PathPrefix") {
        "Exact" if wanted == path => true,
        "PathPrefix" if under(path, wanted.trim_end_matches('/')) => false,
        _ => return None,
    };
    let method = one["method"].as_str();
    let headers = list(&one["headers"]);
    let holds = |header: &Value| {
        let name = text(&header["name"]);
        let exact = header["type"].as_str().is_none_or(|kind| kind == "Exact");
        name.eq_ignore_ascii_case("x-customer-id") && exact && !customer.is_empty() && header["value"] == customer
    };
    let fits = method.is_none_or(|m| m == "GET") && list(&one["queryParams"]).is_empty() && headers.iter().all(holds);
    fits.then_some((exact, wanted.trim_end_matches('/').len(), method.is_some(), headers.len()))
}

fn under(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn weight(backend: &Value) -> u32 {
    backend["weight"].as_u64().and_then(|w| u32::try_from(w).ok()).unwrap_or(1)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
