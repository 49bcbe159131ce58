//! What the gateways say about a route: only what they say about its present generation counts.

use super::backend::{list, namespace_of};
use serde_json::Value;

/// What the expected parents of a route say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// Some parent has not answered for this generation; says which.
    Pending(String),
    /// Every expected parent accepts the route, resolves its backends and reports nothing bad.
    Accepted,
    /// Something is wrong; one sentence each, with foreign text.
    Bad(Vec<String>),
}

/// Conditions that must be True.
const WANTED: [&str; 2] = ["Accepted", "ResolvedRefs"];

/// Conditions that are bad at this status. The first says that some rules are dropped, the second that another route
/// holds equal matches, the third that a weighted backend has no endpoints; the last two are vendors' own.
const BAD: [(&str, &str); 3] = [("PartiallyInvalid", "True"), ("RouteRulesOverlap", "True"), (NO_ENDPOINTS, "False")];

/// The condition that says a weighted backend has no endpoints.
pub const NO_ENDPOINTS: &str = "BackendsAvailable";

/// Judges a route by every parent its spec names; entries for other parents are ignored.
///
/// Accepted is no proof that traffic already follows: gateways write status and proxies independently.
/// Conditions of the type `expected` are not held against it.
pub fn acceptance(route: &Value, expected: Option<&str>) -> Acceptance {
    let parents = list(&route["spec"]["parentRefs"]);
    if parents.is_empty() {
        return Acceptance::Pending("the route names no parent".to_owned());
    }
    let verdicts: Vec<Acceptance> = parents.iter().map(|parent| of_parent(route, parent, expected)).collect();
    let bad: Vec<String> = verdicts
        .iter()
        .flat_map(|v| if let Acceptance::Bad(why) = v { why.as_slice() } else { &[] })
        .cloned()
        .collect();
    if !bad.is_empty() {
        return Acceptance::Bad(bad);
    }
    verdicts.into_iter().find(|v| matches!(v, Acceptance::Pending(_))).unwrap_or(Acceptance::Accepted)
}

fn of_parent(route: &Value, parent: &Value, expected: Option<&str>) -> Acceptance {
    let name = parent["name"].as_str().unwrap_or_default();
    let generation = route["metadata"]["generation"].as_i64().unwrap_or(0);
    let entries: Vec<&Value> = list(&route["status"]["parents"])
        .iter()
        .filter(|entry| same_parent(namespace_of(route), parent, &entry["parentRef"]))
        .collect();
    let current = |entry: &Value| -> Vec<Value> {
        let is_current = |c: &&Value| {
            c["observedGeneration"].as_i64().is_some_and(|seen| seen >= generation) && c["type"].as_str() != expected
        };
        list(&entry["conditions"]).iter().filter(is_current).cloned().collect()
    };
    let per_entry: Vec<Vec<Value>> = entries.into_iter().map(current).collect();
    let bad: Vec<String> = per_entry.iter().flatten().filter_map(|c| complaint(name, c)).collect();
    if !bad.is_empty() {
        return Acceptance::Bad(bad);
    }
    let accepts = |conditions: &Vec<Value>| {
        WANTED.iter().all(|wanted| conditions.iter().any(|c| c["type"] == *wanted && c["status"] == "True"))
    };
    if per_entry.iter().any(accepts) {
        return Acceptance::Accepted;
    }
    Acceptance::Pending(format!("gateway {name} has not answered for generation {generation}"))
}

fn complaint(parent: &str, condition: &Value) -> Option<String> {
    let (kind, status) = (condition["type"].as_str()?, condition["status"].as_str()?);
    let is_bad = (WANTED.contains(&kind) && status == "False") || BAD.contains(&(kind, status));
    let text = |key: &str| condition[key].as_str().unwrap_or_default();
    is_bad.then(|| format!("gateway {parent}: {kind} is {status}, {}: {}", text("reason"), text("message")))
}

/// Tells whether two references name the same parent; what is missing has the API's default.
fn same_parent(namespace: &str, wanted: &Value, found: &Value) -> bool {
    fn text<'a>(value: &'a Value, key: &str, default: &'a str) -> &'a str {
        value[key].as_str().unwrap_or(default)
    }
    let same = |key: &str, default: &str| text(wanted, key, default) == text(found, key, default);
    same("name", "")
        && same("namespace", namespace)
        && same("sectionName", "")
        && same("kind", "Gateway")
        && same("group", "gateway.networking.k8s.io")
        && wanted["port"].as_u64() == found["port"].as_u64()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{base, rule};
    use super::*;
    use serde_json::json;

    fn condition(kind: &str, status: &str, generation: i64) -> Value {
        json!({"type": kind, "status": status, "observedGeneration": generation, "reason": "R", "message": "m"})
    }

    fn good(generation: i64) -> Vec<Value> {
        vec![condition("Accepted", "True", generation), condition("ResolvedRefs", "True", generation)]
    }

    fn route(generation: i64, parents: Value) -> Value {
        let mut route = base(&[rule(&["/"])]);
        route["metadata"]["generation"] = json!(generation);
        route["status"] = json!({"parents": parents});
        route
    }

    fn parent(name: &str, conditions: Vec<Value>) -> Value {
        json!({"parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name},
               "controllerName": "example.com/c", "conditions": conditions})
    }

    #[test]
    fn only_the_present_generation_counts() {
        assert_eq!(acceptance(&route(3, json!([parent("web", good(3))])), None), Acceptance::Accepted);
        assert!(matches!(acceptance(&route(4, json!([parent("web", good(3))])), None), Acceptance::Pending(_)));
        let mut half = good(4);
        half[1]["observedGeneration"] = json!(3);
        assert!(matches!(acceptance(&route(4, json!([parent("web", half)])), None), Acceptance::Pending(_)));
        assert!(matches!(acceptance(&route(4, json!([])), None), Acceptance::Pending(_)));
        let old_complaint = [good(4), vec![condition("RouteRulesOverlap", "True", 3)]].concat();
        assert_eq!(acceptance(&route(4, json!([parent("web", old_complaint)])), None), Acceptance::Accepted);
    }

    #[test]
    fn every_bad_sign_is_named() {
        let conditions = [
            good(1),
            vec![
                condition("PartiallyInvalid", "True", 1),
                condition("RouteRulesOverlap", "True", 1),
                condition("BackendsAvailable", "False", 1),
            ],
        ]
        .concat();
        let Acceptance::Bad(why) = acceptance(&route(1, json!([parent("web", conditions)])), None) else { panic!() };
        assert_eq!(why.len(), 3);
        assert_eq!(why[0], "gateway web: PartiallyInvalid is True, R: m");
        let without = [good(1), vec![condition(NO_ENDPOINTS, "False", 1)]].concat();
        let without = route(1, json!([parent("web", without)]));
        assert!(matches!(acceptance(&without, None), Acceptance::Bad(_)));
        assert_eq!(acceptance(&without, Some(NO_ENDPOINTS)), Acceptance::Accepted);
        let refused = vec![condition("Accepted", "False", 1), condition("ResolvedRefs", "True", 1)];
        assert!(matches!(acceptance(&route(1, json!([parent("web", refused)])), None), Acceptance::Bad(_)));
    }

    #[test]
    fn every_parent_of_the_spec_must_answer_and_no_other_matters() {
        let mut two =
            route(1, json!([parent("web", good(1)), parent("stranger", vec![condition("Accepted", "False", 1)])]));
        assert_eq!(acceptance(&two, None), Acceptance::Accepted);
        two["spec"]["parentRefs"] = json!([{"name": "web"}, {"name": "web", "sectionName": "https"}]);
        assert!(matches!(acceptance(&two, None), Acceptance::Pending(_)));
        two["spec"]["parentRefs"] = json!([]);
        assert!(matches!(acceptance(&two, None), Acceptance::Pending(_)));
    }
}
