//! The live picture: where each customer's requests go, by the routes as they stand.

use super::backend::{destination, list, rules_of, slot_rules};
use super::marks::base_of;
use super::matching::{Match, Path, Probe, ProbePath, matches_of};
use super::rivals::{placeholder_start, share_listener};
use super::table::{Table, hostnames};
use crate::model::{Component, CustomerId, Slot, name_of};
use serde_json::Value;
use std::collections::BTreeMap;

/// Tells for each customer which slot gets its requests for every path of the base route's slot rules.
///
/// `routes` are all routes that can be seen: the base, the managed ones, other people's; those of other listeners do
/// not count. A customer whose requests are
/// mixed, go elsewhere, or of whom that is not known has `None`. Paths that a longer match of another route takes are
/// not looked at, see [`super::not_governed`]; nor is what a regular expression of another rule may take.
pub fn placements<'a>(
    routes: &[&Value],
    base_name: &str,
    component: &Component,
    header: &str,
    customers: impl IntoIterator<Item = &'a CustomerId>,
) -> BTreeMap<CustomerId, Option<Slot>> {
    let picture = Picture::new(routes, base_name, component);
    customers.into_iter().map(|id| (id.clone(), picture.slot(Some((header, id.as_str()))))).collect()
}

/// Tells which slot gets the requests of everybody who is in no list, for every path of the base route's slot rules.
///
/// `None` when they are mixed, go elsewhere, or when that is not known.
pub fn unlisted_placement(routes: &[&Value], base_name: &str, component: &Component) -> Option<Slot> {
    Picture::new(routes, base_name, component).slot(None)
}

/// Tells whether every match of a managed route is a placeholder of this release, so that it takes no request.
///
/// Only such a route may be deleted.
pub fn is_all_placeholder(route: &Value, header: &str, placeholder: &str) -> bool {
    let start = placeholder_start(placeholder);
    let is_placeholder = |m: &Match| m.header(header).is_some_and(|c| !c.regex && c.value.starts_with(&start));
    let rules = rules_of(route);
    !rules.is_empty() && rules.iter().all(|rule| matches_of(rule).iter().all(is_placeholder))
}

/// Tells whether every match of a managed route is a placeholder of some release, by its form: `ph-`, 16 hexadecimal
/// digits, the route's and the rule's number.
///
/// For a route whose release is gone, and with it the record of its own placeholder.
pub fn serves_nobody(route: &Value, header: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_placeholder = |m: &Match| {
        let Some(condition) = m.header(header).filter(|c| !c.regex) else { return false };
        let parts: Vec<&str> = condition.value.split('-').collect();
        matches!(parts.as_slice(), ["ph", hex, route, rule]
            if hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_hexdigit()) && is_number(route) && is_number(rule))
    };
    let rules = rules_of(route);
    !rules.is_empty() && rules.iter().all(|rule| matches_of(rule).iter().all(is_placeholder))
}

/// Counts the matches of a route; a rollback writes the most populated routes first.
pub fn match_count(route: &Value) -> usize {
    rules_of(route).iter().map(|rule| list(&rule["matches"]).len().max(1)).sum()
}

/// What [`placements`] asks again for each customer.
struct Picture {
    table: Table,
    /// Where each rule of each route sends everything; `None` when that is no single slot.
    destinations: Vec<Vec<Option<Slot>>>,
    hosts: Vec<String>,
    paths: Vec<Match>,
}

impl Picture {
    fn new(routes: &[&Value], base_name: &str, component: &Component) -> Self {
        let base = routes.iter().find(|route| name_of(route) == base_name && base_of(route).is_none());
        let routes: Vec<&Value> =
            routes.iter().copied().filter(|route| base.is_some_and(|base| share_listener(base, route))).collect();
        let mut paths: Vec<Match> = base
            .iter()
            .flat_map(|base| slot_rules(base, component).into_iter().filter_map(|index| rules_of(base).get(index)))
            .flat_map(matches_of)
            .collect();
        paths.sort();
        paths.dedup();
        let destinations = routes
            .iter()
            .map(|route| rules_of(route).iter().map(|rule| destination(route, rule, component)).collect())
            .collect();
        let hosts = base.map(|base| hostnames(base)).unwrap_or_default();
        Self { table: Table::build(&routes), destinations, hosts, paths }
    }

    /// Returns the slot that gets all requests with this header line, if it is one.
    fn slot(&self, line: Option<(&str, &str)>) -> Option<Slot> {
        let mut slots = self.hosts.iter().flat_map(|host| self.paths.iter().map(move |path| (host, path)));
        let (host, path) = slots.next()?;
        let first = self.ask(host, path, line)?;
        slots.all(|(host, path)| self.ask(host, path, line) == Some(first)).then_some(first)
    }

    fn ask(&self, host: &str, path: &Match, line: Option<(&str, &str)>) -> Option<Slot> {
        let exact = path.headers.iter().filter(|c| !c.regex).map(|c| (c.name.as_str(), c.value.as_str()));
        let headers: Vec<(&str, &str)> = exact.chain(line).collect();
        let query: Vec<(&str, &str)> =
            path.query.iter().filter(|c| !c.regex).map(|c| (c.name.as_str(), c.value.as_str())).collect();
        let probe = Probe {
            path: match &path.path {
                Path::Exact(path) => ProbePath::At(path),
                Path::Prefix(path) => ProbePath::Below(path),
                Path::Regex(path) => ProbePath::Regex(path),
            },
            method: path.method.as_deref(),
            headers: &headers,
            query: &query,
            within: Some(path),
        };
        // A wildcard stands for any host below it; the table finds its routes by such a host.
        let host = host.strip_prefix('*').map_or_else(|| host.to_owned(), |suffix| format!("any{suffix}"));
        let hit = self.table.find(&host, &probe)?;
        *self.destinations.get(hit.route)?.get(hit.rule)?
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{HEADER, PLACEHOLDER, base, component, foreign, route, rule, weighted};
    use super::*;
    use serde_json::json;

    fn managed(paths: &[&str], customer: &str, a: u32, b: u32) -> Value {
        let mut rule = weighted(paths, a, b);
        for matching in rule["matches"].as_array_mut().unwrap() {
            matching["headers"] = json!([{"type": "Exact", "name": HEADER, "value": customer}]);
        }
        let mut route = route("trackx-ph-00000000-01", "2026-02-01T00:00:00Z", &[rule]);
        route["metadata"]["labels"] =
            json!({"app.kubernetes.io/managed-by": "pilothouse", "pilothouse.dev/base": "trackx"});
        route
    }

    fn of(routes: &[&Value], customer: &str) -> Option<Slot> {
        placements(routes, "trackx", &component(), HEADER, &[customer.into()])[&customer.into()]
    }

    fn unlisted(routes: &[&Value]) -> Option<Slot> {
        unlisted_placement(routes, "trackx", &component())
    }

    #[test]
    fn a_customer_is_where_all_paths_are_and_mixed_is_unknown() {
        let our = base(&[rule(&["/", "/api"])]);
        let (whole, part) = (managed(&["/", "/api"], "acme", 0, 100), managed(&["/"], "acme", 0, 100));
        assert_eq!(of(&[&our, &whole], "acme"), Some(Slot::B));
        assert_eq!(of(&[&our, &whole], "globex"), Some(Slot::A));
        assert_eq!(of(&[&our, &part], "acme"), None);
        assert_eq!(of(&[&our, &managed(&["/", "/api"], "acme", 50, 50)], "acme"), None);
        assert_eq!(of(&[&whole], "acme"), None, "without the base nothing is known");
        assert_eq!(unlisted(&[&our, &whole]), Some(Slot::A));
        assert_eq!(unlisted(&[&base(&[weighted(&["/"], 0, 100)])]), Some(Slot::B));
        assert_eq!(unlisted(&[&base(&[weighted(&["/"], 0, 100), rule(&["/x"])])]), None);
    }

    #[test]
    fn an_older_route_with_an_equal_match_is_seen() {
        let our = base(&[rule(&["/"])]);
        let mut rival = managed(&["/"], "acme", 100, 0);
        rival["metadata"]["name"] = json!("rival");
        rival["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
        assert_eq!(of(&[&our, &managed(&["/"], "acme", 0, 100), &rival], "acme"), Some(Slot::A));
        rival["spec"]["parentRefs"] = json!([{"name": "internal"}]);
        assert_eq!(of(&[&our, &managed(&["/"], "acme", 0, 100), &rival], "acme"), Some(Slot::B), "another gateway");
    }

    #[test]
    fn rules_that_narrow_by_method_header_or_expression_are_asked_by_their_own_matches() {
        let narrow = json!([
            {"path": {"type": "Exact", "value": "/x"}, "method": "POST"},
            {"path": {"type": "RegularExpression", "value": "/v[0-9]+"}},
            {"headers": [{"type": "RegularExpression", "name": "cookie", "value": "a"}, {"name": "x", "value": "1"}]}
        ]);
        let mut our = base(&[rule(&["/"]), foreign(json!({"method": "GET"}), "other")]);
        our["spec"]["rules"][0]["matches"] = narrow.clone();
        let mut moved = managed(&["/"], "acme", 0, 100);
        let with_header = |m: &Value| {
            let mut m = m.clone();
            let mut headers = m["headers"].as_array().cloned().unwrap_or_default();
            headers.push(json!({"type": "Exact", "name": HEADER, "value": "acme"}));
            m["headers"] = json!(headers);
            m
        };
        moved["spec"]["rules"][0]["matches"] = narrow.as_array().unwrap().iter().map(with_header).collect();
        assert_eq!(of(&[&our, &moved], "acme"), Some(Slot::B));
        assert_eq!(of(&[&our, &moved], "globex"), Some(Slot::A));
        moved["spec"]["rules"][0]["matches"].as_array_mut().unwrap().remove(1);
        assert_eq!(of(&[&our, &moved], "acme"), None);
    }

    #[test]
    fn a_wildcard_host_and_no_host_are_followed() {
        for hosts in [json!(["*.example.com"]), Value::Null] {
            let (mut our, mut moved) = (base(&[rule(&["/"])]), managed(&["/"], "acme", 0, 100));
            our["spec"]["hostnames"] = hosts.clone();
            moved["spec"]["hostnames"] = hosts;
            assert_eq!((of(&[&our, &moved], "acme"), unlisted(&[&our, &moved])), (Some(Slot::B), Some(Slot::A)));
        }
    }

    #[test]
    fn only_a_route_of_placeholders_of_this_release_may_be_deleted() {
        let placeholder = |route: &Value| is_all_placeholder(route, HEADER, PLACEHOLDER);
        assert!(placeholder(&managed(&["/", "/a"], "ph-0123456789abcdef-1-0", 100, 0)));
        assert!(!placeholder(&managed(&["/"], "ph-ffffffffffffffff-1-0", 100, 0)));
        assert!(!placeholder(&managed(&["/"], "acme", 100, 0)));
        assert!(!placeholder(&base(&[])), "the API gives a route without rules one that takes everything");
        assert!(!placeholder(&base(&[json!({})])));
        assert_eq!(match_count(&base(&[rule(&["/", "/a"]), json!({})])), 3);
    }
}
