//! The order of writes, on made-up changes.

use crate::order::{Change, Writes, order};
use serde_json::{Value, json};

const WRITES: Writes<'_> = Writes { old: "a", new: "b", is_forward: true, after: 10, upto: 99 };

const RETIRED: &str = r#"{"v":1,"retired":"4.11.8"}"#;

fn object(revision: u64, kind: &str, name: &str, spec: &Value) -> Value {
    json!({ "kind": kind, "metadata": { "name": name, "resourceVersion": revision.to_string() }, "spec": spec })
}

fn is(object: Value) -> Change {
    Change { deleted: false, object }
}

fn rule(customer: Option<&str>, weights: (u64, u64)) -> Value {
    let backends = json!([{ "name": "a", "weight": weights.0 }, { "name": "b", "weight": weights.1 }]);
    let headers: Vec<Value> = customer.iter().map(|id| json!({ "name": "x-customer-id", "value": id })).collect();
    json!({ "matches": [{ "headers": headers }], "backendRefs": backends })
}

fn base(revision: u64, weights: (u64, u64), undo: &str) -> Change {
    let spec = json!({ "rules": [rule(None, weights), { "backendRefs": [{ "name": "assets", "port": 8080 }] }] });
    let mut route = object(revision, "HTTPRoute", "web", &spec);
    route["metadata"]["annotations"] = json!({ "pilothouse.dev/undo": undo });
    is(route)
}

fn managed(revision: u64, customer: &str, weights: (u64, u64), undo: &str) -> Change {
    // The pinned rule stays on the old slot; nobody matches it.
    let rules = [rule(Some("ph-pinned"), (100, 0)), rule(Some(customer), weights), rule(Some(customer), weights)];
    let mut route = object(revision, "HTTPRoute", "web-ph-1", &json!({ "rules": rules }));
    route["metadata"]["labels"] = json!({ "app.kubernetes.io/managed-by": "pilothouse" });
    route["metadata"]["annotations"] = json!({ "pilothouse.dev/undo": undo });
    is(route)
}

fn slot(revision: u64, name: &str, replicas: u64) -> Change {
    is(object(revision, "Deployment", name, &json!({ "replicas": replicas })))
}

fn gone(change: Change) -> Change {
    Change { deleted: true, ..change }
}

/// A whole release as it has to be.
fn release() -> Vec<Change> {
    vec![
        base(1, (100, 0), ""),
        slot(2, "a", 2),
        slot(11, "b", 2),
        managed(12, "ph-0", (100, 0), ""),
        managed(13, "acme", (100, 0), ""),
        managed(14, "acme", (0, 100), ""),
        base(15, (0, 100), ""),
        base(16, (0, 100), RETIRED),
        managed(17, "acme", (0, 100), RETIRED),
        slot(18, "a", 0),
        managed(19, "ph-0", (0, 100), RETIRED),
        gone(managed(20, "ph-0", (0, 100), RETIRED)),
    ]
}

/// The release with the changes of some revisions replaced.
fn but(other: impl IntoIterator<Item = Change>) -> Vec<String> {
    let other: Vec<Change> = other.into_iter().collect();
    let mut changes = release();
    changes.retain(|change| other.iter().all(|other| other.revision() != change.revision()));
    changes.extend(other);
    order(&changes, &WRITES).1
}

#[test]
fn a_whole_release_has_no_finding() {
    assert_eq!(order(&release(), &WRITES), (1, Vec::new()));
}

#[test]
fn a_route_made_with_a_customers_match_or_with_weight_on_the_new_slot_is_found() {
    let found = but([managed(12, "acme", (100, 0), "")]);
    assert_eq!(found, ["HTTPRoute web-ph-1 at revision 12: was created with a match of acme"; 2]);
    let found = but([managed(12, "ph-0", (0, 100), "")]);
    assert_eq!(found, ["HTTPRoute web-ph-1 at revision 12: was created with weight on b"]);
}

#[test]
fn a_route_deleted_with_a_customers_match_is_found() {
    let found = but([managed(19, "acme", (0, 100), RETIRED)]);
    assert_eq!(found, ["HTTPRoute web-ph-1 at revision 20: was deleted with a match of acme"; 2]);
}

#[test]
fn a_weight_that_splits_customers_is_found() {
    let found = but([base(15, (50, 50), "")]);
    assert_eq!(found, ["HTTPRoute web at revision 15: has a rule with the weights Some(50) and Some(50)"]);
}

#[test]
fn a_customer_whose_paths_do_not_flip_together_is_found() {
    let mut half = managed(14, "acme", (0, 100), "");
    half.object["spec"]["rules"][2] = rule(Some("acme"), (100, 0));
    let found = but([half, base(15, (100, 0), "")]);
    assert!(found[0].contains("at revision 14: acme is at (\"web-ph-1\", Some(100)) and at"), "{found:?}");
}

#[test]
fn a_slot_scaled_down_while_a_route_sends_requests_there_is_found() {
    let found = but([managed(17, "acme", (100, 0), RETIRED)]);
    assert_eq!(found, ["Deployment a at revision 18: was scaled to 0 while route web-ph-1 sent requests there"]);
}

#[test]
fn a_slot_scaled_down_before_every_route_says_retired_is_found() {
    for (change, name) in [(base(16, (0, 100), "live"), "web"), (managed(17, "acme", (0, 100), "live"), "web-ph-1")] {
        let says = format!("Deployment a at revision 18: was scaled to 0 before route {name} said that it is retired");
        assert_eq!(but([change]), [says]);
    }
}

#[test]
fn what_happened_before_or_after_the_run_is_not_judged() {
    assert!(but([base(9, (50, 50), ""), base(100, (50, 50), "")]).is_empty());
}
