//! What the gateways say about a route: only what they say about its present generation counts.

use super::backend::{list, namespace_of};
use crate::api::{Provider, provider};
use serde_json::Value;
use std::collections::BTreeMap;

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

/// The condition that says that some rules were dropped; what else is bad is the controller's own, see [`Provider::bad`].
const DROPPED: &str = "PartiallyInvalid";

/// Which controller is responsible for which Gateway, by namespace and name; as far as that is known.
pub type Controllers = BTreeMap<(String, String), String>;

/// Judges a route by every parent its spec names; entries for other parents are ignored.
///
/// Where the responsible controller of a Gateway is known, only what that one says counts. Accepted is no proof that
/// traffic already follows: gateways write status and proxies independently. Conditions of the type `expected` are not
/// held against it.
pub fn acceptance(route: &Value, expected: Option<&str>, controllers: &Controllers) -> Acceptance {
    let parents = list(&route["spec"]["parentRefs"]);
    if parents.is_empty() {
        return Acceptance::Pending("the route names no parent".to_owned());
    }
    let verdicts: Vec<Acceptance> =
        parents.iter().map(|parent| of_parent(route, parent, expected, controllers)).collect();
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

/// Returns the controllers that answer for a route's parents: the responsible ones, else those that its status names.
///
/// A parent that nobody has answered for, and of which the responsible one is not known, is an empty text.
pub fn controllers_of(route: &Value, controllers: &Controllers) -> Vec<String> {
    let mut found: Vec<String> = list(&route["spec"]["parentRefs"])
        .iter()
        .flat_map(|parent| {
            let named: Vec<String> = match controllers.get(&key(route, parent)) {
                Some(controller) => vec![controller.clone()],
                None => entries(route, parent).map(|entry| controller_of(entry).to_owned()).collect(),
            };
            if named.is_empty() { vec![String::new()] } else { named }
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

fn of_parent(route: &Value, parent: &Value, expected: Option<&str>, controllers: &Controllers) -> Acceptance {
    let name = parent["name"].as_str().unwrap_or_default();
    let generation = route["metadata"]["generation"].as_i64().unwrap_or(0);
    let responsible = controllers.get(&key(route, parent));
    let current = |entry: &Value| -> Vec<Value> {
        let is_current = |c: &&Value| {
            c["observedGeneration"].as_i64().is_some_and(|seen| seen >= generation) && c["type"].as_str() != expected
        };
        list(&entry["conditions"]).iter().filter(is_current).cloned().collect()
    };
    let per_entry: Vec<(&str, Vec<Value>)> = entries(route, parent)
        .filter(|entry| responsible.is_none_or(|responsible| controller_of(entry) == responsible))
        .map(|entry| (controller_of(entry), current(entry)))
        .collect();
    let bad: Vec<String> = per_entry
        .iter()
        .flat_map(|(controller, conditions)| conditions.iter().filter_map(|c| complaint(name, provider(controller), c)))
        .collect();
    if !bad.is_empty() {
        return Acceptance::Bad(bad);
    }
    let accepts = |conditions: &[Value]| {
        WANTED.iter().all(|wanted| conditions.iter().any(|c| c["type"] == *wanted && c["status"] == "True"))
    };
    if per_entry.iter().any(|(_, conditions)| accepts(conditions)) {
        return Acceptance::Accepted;
    }
    Acceptance::Pending(format!("gateway {name} has not answered for generation {generation}"))
}

fn complaint(parent: &str, provider: &Provider, condition: &Value) -> Option<String> {
    let (kind, status) = (condition["type"].as_str()?, condition["status"].as_str()?);
    let is_bad = (WANTED.contains(&kind) && status == "False")
        || (kind == DROPPED && status == "True")
        || provider.is_bad(kind, status);
    let text = |key: &str| condition[key].as_str().unwrap_or_default();
    is_bad.then(|| format!("gateway {parent}: {kind} is {status}, {}: {}", text("reason"), text("message")))
}

fn key(route: &Value, parent: &Value) -> (String, String) {
    let text = |value: &Value, default: &str| value.as_str().unwrap_or(default).to_owned();
    (text(&parent["namespace"], namespace_of(route)), text(&parent["name"], ""))
}

fn entries<'a>(route: &'a Value, parent: &'a Value) -> impl Iterator<Item = &'a Value> {
    let namespace = namespace_of(route);
    list(&route["status"]["parents"]).iter().filter(move |entry| same_parent(namespace, parent, &entry["parentRef"]))
}

fn controller_of(entry: &Value) -> &str {
    entry["controllerName"].as_str().unwrap_or_default()
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
    use crate::api::NO_ENDPOINTS;
    use serde_json::json;

    fn judged(route: &Value) -> Acceptance {
        acceptance(route, None, &Controllers::new())
    }

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
        assert_eq!(judged(&route(3, json!([parent("web", good(3))]))), Acceptance::Accepted);
        assert!(matches!(judged(&route(4, json!([parent("web", good(3))]))), Acceptance::Pending(_)));
        let mut half = good(4);
        half[1]["observedGeneration"] = json!(3);
        assert!(matches!(judged(&route(4, json!([parent("web", half)]))), Acceptance::Pending(_)));
        assert!(matches!(judged(&route(4, json!([]))), Acceptance::Pending(_)));
        let old_complaint = [good(4), vec![condition("RouteRulesOverlap", "True", 3)]].concat();
        assert_eq!(judged(&route(4, json!([parent("web", old_complaint)]))), Acceptance::Accepted);
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
        let Acceptance::Bad(why) = judged(&route(1, json!([parent("web", conditions)]))) else { panic!() };
        assert_eq!(why.len(), 3);
        assert_eq!(why[0], "gateway web: PartiallyInvalid is True, R: m");
        let without = [good(1), vec![condition(NO_ENDPOINTS, "False", 1)]].concat();
        let without = route(1, json!([parent("web", without)]));
        assert!(matches!(judged(&without), Acceptance::Bad(_)));
        assert_eq!(acceptance(&without, Some(NO_ENDPOINTS), &Controllers::new()), Acceptance::Accepted);
        let refused = vec![condition("Accepted", "False", 1), condition("ResolvedRefs", "True", 1)];
        assert!(matches!(judged(&route(1, json!([parent("web", refused)]))), Acceptance::Bad(_)));
    }

    #[test]
    fn every_parent_of_the_spec_must_answer_and_no_other_matters() {
        let mut two =
            route(1, json!([parent("web", good(1)), parent("stranger", vec![condition("Accepted", "False", 1)])]));
        assert_eq!(judged(&two), Acceptance::Accepted);
        two["spec"]["parentRefs"] = json!([{"name": "web"}, {"name": "web", "sectionName": "https"}]);
        assert!(matches!(judged(&two), Acceptance::Pending(_)));
        two["spec"]["parentRefs"] = json!([]);
        assert!(matches!(judged(&two), Acceptance::Pending(_)));
    }

    #[test]
    fn only_the_responsible_controller_counts_where_it_is_known() {
        let mut other = parent("web", vec![condition("Accepted", "False", 1)]);
        other["controllerName"] = json!("other.example/c");
        let mixed = route(1, json!([parent("web", good(1)), other]));
        assert!(matches!(judged(&mixed), Acceptance::Bad(_)), "anybody may complain while it is not known");
        let of = |controller: &str| {
            Controllers::from([((namespace_of(&mixed).to_owned(), "web".to_owned()), controller.to_owned())])
        };
        assert_eq!(acceptance(&mixed, None, &of("example.com/c")), Acceptance::Accepted);
        assert!(matches!(acceptance(&mixed, None, &of("other.example/c")), Acceptance::Bad(_)));
        assert!(matches!(acceptance(&mixed, None, &of("third.example/c")), Acceptance::Pending(_)));
        assert_eq!(controllers_of(&mixed, &Controllers::new()), ["example.com/c", "other.example/c"]);
        assert_eq!(controllers_of(&mixed, &of("third.example/c")), ["third.example/c"]);
        assert_eq!(controllers_of(&route(1, json!([])), &Controllers::new()), [""]);
    }

    #[test]
    fn what_is_bad_beyond_the_standard_is_the_controllers_own() {
        let of = |controller: &str, kind: &str, status: &str| {
            let mut entry = parent("web", [good(1), vec![condition(kind, status, 1)]].concat());
            entry["controllerName"] = json!(controller);
            judged(&route(1, json!([entry])))
        };
        for line in &crate::api::PROVIDERS {
            for (kind, status) in line.bad {
                let crate::api::Pattern::Is(name) = line.controllers[0] else { continue };
                assert!(matches!(of(name, kind, status), Acceptance::Bad(_)), "{name} {kind}");
            }
            if let crate::api::Pattern::Is(name) = line.controllers[0] {
                assert!(matches!(of(name, "PartiallyInvalid", "True"), Acceptance::Bad(_)));
                assert_eq!(of(name, "Whatever", "False"), Acceptance::Accepted);
            }
        }
    }
}
