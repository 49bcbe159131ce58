//! NetworkPolicies: those that protect slot a, and those that let it in or out elsewhere.

use super::clean::{copy, labels};
use super::relabel::Relabelling;
use serde_json::{Value, json};

/// Returns slot b's form of a NetworkPolicy; `None` when slot b needs none.
///
/// A policy that selects slot a is copied with its selector and its peers. One that selects somebody else, such as the
/// database, and admits slot a by label is joined by a second one that admits slot b: policies add up, so nothing of the
/// first has to change.
pub(super) fn policy(object: &Value, pods: &Relabelling) -> Option<Value> {
    let spec = &object["spec"];
    let is_of_slot = pods.needs_copy(&spec["podSelector"]);
    let mut rules = 0;
    let mut copied = spec.clone();
    let mut types = Vec::new();
    for (direction, kind, side) in [("ingress", "Ingress", "from"), ("egress", "Egress", "to")] {
        let Some(list) = copied.get_mut(direction).and_then(Value::as_array_mut) else { continue };
        if is_of_slot {
            for rule in list.iter_mut() {
                relabel(rule.get_mut(side), pods);
            }
            continue;
        }
        list.retain_mut(|rule| {
            if let Some(peers) = rule.get_mut(side).and_then(Value::as_array_mut) {
                peers.retain(|peer| pods.needs_copy(&peer["podSelector"]));
            }
            relabel(rule.get_mut(side), pods);
            rule.get(side).and_then(Value::as_array).is_some_and(|peers| !peers.is_empty())
        });
        rules += list.len();
        if list.is_empty() {
            if let Some(fields) = copied.as_object_mut() {
                fields.remove(direction);
            }
        } else {
            types.push(kind);
        }
    }
    if is_of_slot {
        copied["podSelector"] = pods.copy(&spec["podSelector"]);
    } else if rules == 0 {
        return None;
    } else {
        copied["policyTypes"] = json!(types);
    }
    let mut object = copy(object, labels(object, |_| false));
    object["spec"] = copied;
    Some(object)
}

fn relabel(peers: Option<&mut Value>, pods: &Relabelling) {
    for peer in peers.and_then(Value::as_array_mut).into_iter().flatten() {
        if pods.needs_copy(&peer["podSelector"]) {
            peer["podSelector"] = pods.copy(&peer["podSelector"]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::adopt::relabel::{Labels, Selector};

    fn pods() -> Relabelling {
        let old: Labels = serde_json::from_value(json!({ "app": "shop", "tier": "web" })).unwrap();
        let by_app = Selector { by: "Service shop".into(), selector: json!({ "matchLabels": { "app": "shop" } }) };
        Relabelling::new(&old, &[by_app], &[])
    }

    fn of(spec: Value) -> Option<Value> {
        let object = json!({ "kind": "NetworkPolicy", "metadata": { "name": "n" }, "spec": spec });
        policy(&object, &pods()).map(|copy| copy["spec"].clone())
    }

    fn select(app: &str) -> Value {
        json!({ "matchLabels": { "app": app } })
    }

    #[test]
    fn a_policy_of_slot_a_is_copied_with_every_rule_and_its_own_pods_relabelled() {
        let spec = json!({
            "podSelector": select("shop"), "policyTypes": ["Ingress", "Egress"],
            "ingress": [{ "from": [{ "podSelector": select("shop") }, { "podSelector": select("gateway") }] }, {}],
            "egress": [{ "to": [{ "podSelector": select("db") }], "ports": [{ "port": 5432 }] }],
        });
        let expected = json!({
            "podSelector": select("shop-b"), "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                { "from": [{ "podSelector": select("shop-b") }, { "podSelector": select("gateway") }] },
                {},
            ],
            "egress": [{ "to": [{ "podSelector": select("db") }], "ports": [{ "port": 5432 }] }],
        });
        assert_eq!(of(spec), Some(expected));
    }

    #[test]
    fn a_policy_that_lets_slot_a_in_elsewhere_is_joined_by_one_that_lets_slot_b_in() {
        let spec = json!({
            "podSelector": select("db"), "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                { "from": [{ "podSelector": select("shop") }, { "podSelector": select("batch") }], "ports": [{ "port": 5432 }] },
                { "from": [{ "podSelector": select("batch") }] },
                {},
            ],
            "egress": [{ "to": [{ "podSelector": select("dns") }] }],
        });
        let expected = json!({
            "podSelector": select("db"), "policyTypes": ["Ingress"],
            "ingress": [{ "from": [{ "podSelector": select("shop-b") }], "ports": [{ "port": 5432 }] }],
        });
        assert_eq!(of(spec), Some(expected));
    }

    #[test]
    fn a_policy_that_takes_both_slots_or_neither_is_left_alone() {
        assert_eq!(of(json!({ "podSelector": {}, "policyTypes": ["Ingress"] })), None);
        assert_eq!(of(json!({ "podSelector": select("db"), "ingress": [{ "from": [{ "podSelector": {} }] }] })), None);
        let by_tier = json!({ "matchLabels": { "tier": "web" } });
        assert_eq!(
            of(json!({ "podSelector": select("db"), "ingress": [{ "from": [{ "podSelector": by_tier }] }] })),
            None
        );
    }
}
