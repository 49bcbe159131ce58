//! Backends of rules: which rules hold both slots, and which slot they send to.

use crate::model::{Component, Finding, Slot, Weight, name_of};
use serde_json::Value;

/// How a rule refers to the two slots of a component; the numbers are indexes into `backendRefs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotRefs {
    /// Both, each once: a slot rule.
    Both {
        /// The backend of slot `a`.
        a: usize,
        /// The backend of slot `b`.
        b: usize,
    },
    /// Only this slot.
    Half(Slot),
    /// One slot more than once.
    Twice(Slot),
    /// Neither.
    Neither,
}

/// Lists a rule's backends as (Service, weight).
///
/// A backend in another namespace is named `namespace/name` and one that is no Service `Kind/name`, so that neither is
/// taken for a Service of the route's own namespace. The weight is 1 where the rule says none, as in the API.
pub fn backends(rule: &Value) -> Vec<(String, u32)> {
    backend_refs(rule).iter().map(|backend| (backend_name(backend), weight(backend))).collect()
}

/// Lists the indexes of the slot rules: rules that hold both backends of the component, each once.
pub fn slot_rules(route: &Value, component: &Component) -> Vec<usize> {
    let is_slot_rule = |rule: &Value| matches!(slot_refs(route, rule, component), SlotRefs::Both { .. });
    rules_of(route).iter().enumerate().filter(|(_, rule)| is_slot_rule(rule)).map(|(index, _)| index).collect()
}

/// Finds the slot that has weight 100, the other 0, in every slot rule of the base route.
///
/// # Errors
/// Refuses a base without slot rules, and one whose rules do not all say the same.
pub fn active_slot(base: &Value, component: &Component) -> Result<Slot, Finding> {
    let rules: Vec<u32> = slot_rules(base, component).into_iter().filter_map(|i| u32::try_from(i).ok()).collect();
    let (name, a, b) = (name_of(base), &component.a.service, &component.b.service);
    if rules.is_empty() {
        return Err(Finding::refuse(
            "route.no-slot-rule",
            format!(
                "no rule of HTTPRoute {name} holds both {a} and {b} as backends: add the missing backendRef with weight 0"
            ),
        ));
    }
    weights_of(base, &rules, component).ok_or_else(|| {
        let said: Vec<String> = rules
            .iter()
            .map(|rule| {
                let weights = rules_of(base)
                    .get(*rule as usize)
                    .and_then(|r| slot_weights(base, r, component))
                    .map_or_else(String::new, |w| format!("{a} {} and {b} {}", w[0], w[1]));
                format!("rule {} says {weights}", rule + 1)
            })
            .collect();
        Finding::refuse(
            "route.ambiguous-slot",
            format!(
                "it is not clear which slot of HTTPRoute {name} serves: {}; one Service must have weight 100 and the other 0 in all of them",
                said.join(", ")
            ),
        )
    })
}

/// Returns the slot that has weight 100, the other 0, in all of these rules; `None` when they differ, are mixed or are
/// no slot rules, and when no rule is named.
pub fn weights_of(route: &Value, rules: &[u32], component: &Component) -> Option<Slot> {
    let of_rule = |index: &u32| {
        let rule = rules_of(route).get(*index as usize)?;
        match slot_weights(route, rule, component)?.map(Weight) {
            [Weight::FULL, Weight::NONE] => Some(Slot::A),
            [Weight::NONE, Weight::FULL] => Some(Slot::B),
            _ => None,
        }
    };
    let first = of_rule(rules.first()?)?;
    rules.iter().all(|rule| of_rule(rule) == Some(first)).then_some(first)
}

/// Returns the slot that gets every request of the rule; `None` when more than one backend gets some, or none of ours.
pub(super) fn destination(route: &Value, rule: &Value, component: &Component) -> Option<Slot> {
    let namespace = namespace_of(route);
    let mut taking = backend_refs(rule).iter().filter(|backend| weight(backend) > 0);
    let first = component.slot_of_service(service_of(taking.next()?, namespace)?)?;
    taking.all(|b| service_of(b, namespace).and_then(|s| component.slot_of_service(s)) == Some(first)).then_some(first)
}

/// Tells how a rule refers to the component's slots.
pub(super) fn slot_refs(route: &Value, rule: &Value, component: &Component) -> SlotRefs {
    let find = |slot: Slot| indexes_of(route, rule, &component.pair(slot).service);
    match (find(Slot::A).as_slice(), find(Slot::B).as_slice()) {
        ([a], [b]) => SlotRefs::Both { a: *a, b: *b },
        ([], []) => SlotRefs::Neither,
        ([_, _, ..], _) => SlotRefs::Twice(Slot::A),
        (_, [_, _, ..]) => SlotRefs::Twice(Slot::B),
        ([_], []) => SlotRefs::Half(Slot::A),
        ([], [_]) => SlotRefs::Half(Slot::B),
    }
}

/// Lists the places of a Service of the route's own namespace among a rule's backends.
pub(super) fn indexes_of(route: &Value, rule: &Value, service: &str) -> Vec<usize> {
    let namespace = namespace_of(route);
    let is_it = |backend: &Value| service_of(backend, namespace) == Some(service);
    backend_refs(rule).iter().enumerate().filter(|(_, b)| is_it(b)).map(|(index, _)| index).collect()
}

/// Returns a route's rules; a route without any has none here, although the API then adds one.
pub(super) fn rules_of(route: &Value) -> &[Value] {
    list(&route["spec"]["rules"])
}

/// Returns a rule's backends.
pub(super) fn backend_refs(rule: &Value) -> &[Value] {
    list(&rule["backendRefs"])
}

/// Returns a backend's weight; 1 where none is given, as in the API.
pub(super) fn weight(backend: &Value) -> u32 {
    backend["weight"].as_u64().map_or(1, |w| u32::try_from(w).unwrap_or(u32::MAX))
}

/// Names a backend as [`backends`] does.
pub(super) fn backend_name(backend: &Value) -> String {
    let name = backend["name"].as_str().unwrap_or_default();
    if !is_service(backend) {
        return format!("{}/{name}", backend["kind"].as_str().unwrap_or_default());
    }
    match backend["namespace"].as_str() {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

/// Returns namespace (empty = the route's own) and name of each Gateway that a route names as its parent.
pub fn gateways_of(route: &Value) -> Vec<(String, String)> {
    let text = |parent: &Value, key: &str| parent[key].as_str().unwrap_or_default().to_owned();
    let is_gateway = |parent: &&Value| parent["kind"].as_str().unwrap_or("Gateway") == "Gateway";
    let parents = list(&route["spec"]["parentRefs"]).iter().filter(is_gateway);
    parents.map(|parent| (text(parent, "namespace"), text(parent, "name"))).collect()
}

/// Reads `metadata.namespace`; empty when the object has none.
pub(super) fn namespace_of(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or_default()
}

/// Reads a JSON array; what is no array is empty.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns a slot rule's weights, slot `a` first; `None` when it is no slot rule.
fn slot_weights(route: &Value, rule: &Value, component: &Component) -> Option<[u32; 2]> {
    let SlotRefs::Both { a, b } = slot_refs(route, rule, component) else { return None };
    let refs = backend_refs(rule);
    Some([weight(refs.get(a)?), weight(refs.get(b)?)])
}

/// Returns the Service of the route's own namespace that a backend names.
fn service_of<'a>(backend: &'a Value, namespace: &str) -> Option<&'a str> {
    let at_home = backend["namespace"].as_str().is_none_or(|ns| ns == namespace);
    if at_home && is_service(backend) { backend["name"].as_str() } else { None }
}

fn is_service(backend: &Value) -> bool {
    let group = backend["group"].as_str().unwrap_or_default();
    group.is_empty() && backend["kind"].as_str().is_none_or(|kind| kind == "Service")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{base, component, rule, weighted};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_backend_elsewhere_is_never_taken_for_a_slot() {
        let rule = json!({"backendRefs": [
            {"name": "trackx"}, {"name": "trackx", "namespace": "other", "weight": 3},
            {"name": "trackx", "kind": "ServiceImport", "group": "multicluster.x-k8s.io"}
        ]});
        let expected = [("trackx", 1), ("other/trackx", 3), ("ServiceImport/trackx", 1)];
        assert_eq!(backends(&rule), expected.map(|(n, w)| (n.to_owned(), w)));
        assert_eq!(slot_refs(&base(&[]), &rule, &component()), SlotRefs::Half(Slot::A));
    }

    #[test]
    fn the_active_slot_has_all_the_weight_in_every_slot_rule() {
        let both = |a, b| base(&[weighted(&["/"], 100, 0), weighted(&["/api"], a, b)]);
        assert_eq!(active_slot(&both(100, 0), &component()), Ok(Slot::A));
        for (a, b) in [(0, 100), (50, 50), (1, 0), (100, 1), (0, 0)] {
            let finding = active_slot(&both(a, b), &component()).unwrap_err();
            assert_eq!(finding.check, "route.ambiguous-slot");
            assert!(finding.text.contains(&format!("rule 2 says trackx {a} and trackx-b {b}")), "{finding}");
        }
        assert_eq!(active_slot(&base(&[]), &component()).unwrap_err().check, "route.no-slot-rule");
    }

    #[test]
    fn rules_that_differ_or_do_not_exist_have_no_common_slot() {
        let route = base(&[weighted(&["/"], 0, 100), weighted(&["/api"], 100, 0), rule(&["/x"])]);
        assert_eq!(weights_of(&route, &[0], &component()), Some(Slot::B));
        assert_eq!(weights_of(&route, &[1, 2], &component()), Some(Slot::A));
        assert_eq!(weights_of(&route, &[0, 1], &component()), None);
        assert_eq!(weights_of(&route, &[9], &component()), None);
        assert_eq!(weights_of(&route, &[], &component()), None);
    }

    #[test]
    fn a_destination_takes_every_request_of_its_rule() {
        let route = base(&[]);
        let to = |refs: Value| destination(&route, &json!({"backendRefs": refs}), &component());
        assert_eq!(to(json!([{"name": "trackx", "weight": 1}, {"name": "trackx-b", "weight": 0}])), Some(Slot::A));
        assert_eq!(to(json!([{"name": "trackx", "weight": 1}, {"name": "trackx-b"}])), None);
        assert_eq!(
            to(json!([{"name": "trackx-b", "namespace": "shop"}, {"name": "canary", "weight": 0}])),
            Some(Slot::B)
        );
        assert_eq!(to(json!([{"name": "trackx"}, {"name": "canary"}])), None);
        assert_eq!(to(json!([])), None);
    }
}
