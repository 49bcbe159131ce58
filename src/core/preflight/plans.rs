//! Other plans in the namespace: what they must not share with this one.

use super::Looked;
use crate::model::{Finding, GateKind, ResourceKind, Slot, name_of};
use crate::routing::some_of;
use serde_json::Value;

/// Checks that no other plan names what this one writes, and that own queries of gates tell the plans' pods apart.
pub fn findings(looked: &Looked<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = looked
        .world
        .all(ResourceKind::RolloutPlan)
        .filter(|other| name_of(other) != looked.plan.name)
        .filter_map(|other| shared(looked, other))
        .collect();
    findings.extend(queries(looked));
    findings
}

/// Refuses a plan that shares a route, a Deployment or a Service: two releases would write it, each against the other.
fn shared(looked: &Looked<'_>, other: &Value) -> Option<Finding> {
    let component = &looked.plan.component;
    let mut ours = vec![("HTTPRoute", &component.route)];
    for slot in Slot::ALL {
        ours.push(("Deployment", &component.pair(slot).deployment));
        ours.push(("Service", &component.pair(slot).service));
    }
    let theirs = |kind: &str| -> Vec<&str> {
        let components = other["spec"]["components"].as_array().into_iter().flatten();
        let names = components.flat_map(|one| match kind {
            "HTTPRoute" => vec![&one["route"]],
            "Deployment" => vec![&one["a"]["deployment"], &one["b"]["deployment"]],
            _ => vec![&one["a"]["service"], &one["b"]["service"]],
        });
        names.filter_map(Value::as_str).collect()
    };
    let both: Vec<String> = ours
        .into_iter()
        .filter(|(kind, name)| theirs(kind).contains(&name.as_str()))
        .map(|(kind, name)| format!("{kind} {name}"))
        .collect();
    (!both.is_empty()).then(|| {
        Finding::refuse(
            "plan.shared",
            format!(
                "RolloutPlan {} names {} as well: two releases would change the same object; give each plan a route and slots of its own, or delete one of the plans",
                name_of(other),
                some_of(&both)
            ),
        )
    })
}

/// Warns of a gate's own query that asks by slot alone where other plans' pods carry the same slots.
fn queries(looked: &Looked<'_>) -> Option<Finding> {
    let strangers: Vec<String> =
        looked.world.strangers(&looked.plan.component).into_iter().map(str::to_owned).collect();
    let asks_by_slot = |query: &str| query.contains("$new") || query.contains("$old");
    let tells_apart = |query: &str| query.contains("$newPods") || query.contains("$oldPods");
    let gates: Vec<String> = looked
        .plan
        .gates
        .iter()
        .filter(|gate| matches!(&gate.kind, GateKind::Promql { query } if asks_by_slot(query) && !tells_apart(query)))
        .map(|gate| gate.name.clone())
        .collect();
    (!strangers.is_empty() && !gates.is_empty()).then(|| {
        Finding::warn(
            "plan.shared-query",
            format!(
                "the query of gate {} asks by slot, and the pods of Deployment {} carry the same slot label: it may count both; name ours, too: {}=~\"$newPods\"",
                some_of(&gates),
                some_of(&strangers),
                looked.plan.metrics.names.label_pod
            ),
        )
    })
}
