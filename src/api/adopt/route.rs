//! The patch of the base route: slot b as a second backend with weight 0, guarded by what was read.

use super::Ground;
use super::clean::twin;
use crate::model::{Finding, uid_of};
use serde_json::{Value, json};

/// Makes the patch; it only applies to the route as it was read.
///
/// Each rule that sends to slot a's Service is tested whole, its weight is written out, and slot b follows with the same
/// port, weight 0 and no filters. A route that names both already yields tests alone.
pub(super) fn patch(ground: &Ground<'_>) -> (Vec<Value>, Vec<Finding>) {
    let (route, name) = (ground.route, &ground.ask.route);
    let rules = route["spec"]["rules"].as_array().map_or(&[][..], Vec::as_slice);
    let mut ops = vec![json!({ "op": "test", "path": "/metadata/uid", "value": uid_of(route) })];
    let mut findings = Vec::new();
    let mut named = 0;
    for (index, rule) in rules.iter().enumerate() {
        let backends = Backends::of(ground, rule);
        if backends.a.is_empty() {
            continue;
        }
        named += 1;
        match backends.ops(index, &twin(&ground.ask.service)) {
            Ok(more) => {
                ops.push(json!({ "op": "test", "path": format!("/spec/rules/{index}"), "value": rule }));
                ops.extend(more);
            }
            Err(why) => findings
                .push(Finding::refuse("adopt.route-rule", format!("rule {} of HTTPRoute {name} {why}", index + 1))),
        }
        findings.extend(header_finding(ground, index, rule));
    }
    if named == 0 {
        findings.push(Finding::refuse(
            "adopt.route-service",
            format!(
                "no rule of HTTPRoute {name} sends to Service {}; they send to {}: name the Service or the route that fits",
                ground.ask.service,
                destinations(rules)
            ),
        ));
    }
    (ops, findings)
}

/// Writes the patch, one operation per line.
pub(super) fn text(patch: &[Value]) -> String {
    let lines: Vec<String> = patch.iter().map(|op| format!("  {op}")).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

/// A rule's backends, as indexes, and the rest.
struct Backends<'a> {
    list: &'a [Value],
    a: Vec<usize>,
    b: Vec<usize>,
    others: Vec<usize>,
}

impl<'a> Backends<'a> {
    fn of(ground: &Ground<'_>, rule: &'a Value) -> Self {
        let list = rule["backendRefs"].as_array().map_or(&[][..], Vec::as_slice);
        let is = |backend: &Value, service: &str| {
            let own = |value: &Value, default: &str| value.as_str().is_none_or(|text| text == default);
            own(&backend["group"], "")
                && own(&backend["kind"], "Service")
                && own(&backend["namespace"], &ground.ask.namespace)
                && backend["name"] == service
        };
        let b = twin(&ground.ask.service);
        let mut found = Self { list, a: Vec::new(), b: Vec::new(), others: Vec::new() };
        for (index, backend) in list.iter().enumerate() {
            match backend {
                _ if is(backend, &ground.ask.service) => found.a.push(index),
                _ if is(backend, &b) => found.b.push(index),
                _ => found.others.push(index),
            }
        }
        found
    }

    fn ops(&self, rule: usize, b: &str) -> Result<Vec<Value>, String> {
        let [a] = self.a.as_slice() else {
            return Err("names the Service more than once, so its weight is not clear: keep one".to_owned());
        };
        let backend = &self.list[*a];
        let others: Vec<&str> =
            self.others.iter().filter(|i| weight(&self.list[**i]) > 0).map(|i| name(&self.list[*i])).collect();
        if !others.is_empty() {
            return Err(format!(
                "also sends a share to {}; a customer would be on several versions: give that a weight of 0 or a rule of its own",
                others.join(", ")
            ));
        }
        if weight(backend) == 0 {
            return Err("sends nothing to the Service (weight 0): give it weight 100 first".to_owned());
        }
        if backend["filters"].as_array().is_some_and(|filters| !filters.is_empty()) {
            return Err("has filters on its backend; some gateways answer 500 at each shift of weights then: move them to the rule's own filters".to_owned());
        }
        if backend["port"].is_null() {
            return Err("names no port for its backend: set it".to_owned());
        }
        let path = format!("/spec/rules/{rule}/backendRefs");
        let full = if backend["weight"].is_null() { "add" } else { "replace" };
        let set_full = json!({ "op": full, "path": format!("{path}/{a}/weight"), "value": 100 });
        let is_full = weight(backend) == 100 && !backend["weight"].is_null();
        match self.b.as_slice() {
            [] => {
                let idle = json!({ "group": "", "kind": "Service", "name": b, "port": backend["port"], "weight": 0 });
                let add = json!({ "op": "add", "path": format!("{path}/-"), "value": idle });
                Ok(if is_full { vec![add] } else { vec![set_full, add] })
            }
            [known] if weight(&self.list[*known]) == 0 => Ok(if is_full { Vec::new() } else { vec![set_full] }),
            _ => Err(format!(
                "sends to {b} already: only a rule in which it is named once, with weight 0, can be adopted"
            )),
        }
    }
}

fn header_finding(ground: &Ground<'_>, index: usize, rule: &Value) -> Option<Finding> {
    let header = &ground.ask.header;
    let matches = rule["matches"].as_array().into_iter().flatten();
    let mut headers = matches.flat_map(|one| one["headers"].as_array()).flatten();
    headers.any(|one| one["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(header))).then(|| {
        Finding::refuse(
            "adopt.header-matched",
            format!("rule {} of HTTPRoute {} matches on header {header} already: customers are told apart by it, so no rule of the base may ask for it", index + 1, ground.ask.route),
        )
    })
}

fn destinations(rules: &[Value]) -> String {
    let backends = rules.iter().flat_map(|rule| rule["backendRefs"].as_array()).flatten();
    let mut names: Vec<&str> = backends.map(name).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

fn name(backend: &Value) -> &str {
    backend["name"].as_str().unwrap_or_default()
}

/// The weight of a backend; 1 where none is said, as in the API.
fn weight(backend: &Value) -> u64 {
    backend["weight"].as_u64().unwrap_or(1)
}
