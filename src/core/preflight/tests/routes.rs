//! Routes, rights, sizes and who keeps the objects.

use super::{cluster, deployment, said, series, set, told};
use crate::core::testbed::Bed;
use crate::core::{Event, Right};
use crate::model::{Batch, Family, ResourceKind};
use serde_json::{Value, json};

#[test]
fn time_limits_of_rules_are_compared_with_the_longest_open_transaction() {
    let long = |batch: &mut Batch| series(batch, Family::OldestAge)[0].points[2].1 = 95.0;
    let text = |number: u32| {
        format!(
            "warning: rule {number} of HTTPRoute shop cuts requests after 1m (timeouts), and a transaction has been open for 1m35s: if that is no WebSocket, its kind is cut there today and stays so; raise timeouts.request, 0s for no limit [route.timeout-short]"
        )
    };
    assert_eq!(said("route.timeout-short", |_| {}, long), [text(1), text(2)]);
    let unlimited = |bed: &mut Bed| {
        for rule in [0, 1] {
            let path = format!("/spec/rules/{rule}/timeouts/request");
            set(bed, ResourceKind::HTTPRoute, "shop", &path, json!("0s"));
        }
    };
    assert_eq!(said("route.timeout-short", unlimited, long), [""; 0]);
}

#[test]
fn left_over_managed_routes_are_named_with_what_removes_them() {
    let managed = |name: &str, value: &str| {
        json!({
            "metadata": { "name": name, "labels": { "app.kubernetes.io/managed-by": "pilothouse", "pilothouse.dev/base": "shop" } },
            "spec": { "parentRefs": [{ "name": "web" }], "rules": [{
                "matches": [{ "headers": [{ "name": "x-customer", "value": value }] }],
                "backendRefs": [{ "name": "shop-a", "port": 80, "weight": 100 }, { "name": "shop-b", "port": 80, "weight": 0 }],
                "timeouts": { "request": "0s" } }] },
        })
    };
    let with = |routes: &[(&str, &str)]| {
        cluster("route.left-over", |bed| {
            routes.iter().for_each(|(name, value)| bed.put(ResourceKind::HTTPRoute, managed(name, value)));
        })
    };
    assert_eq!(
        with(&[("old-01", "ph-0123456789abcdef-01-1"), ("old-02", "acme")]),
        [
            "refused: managed routes of another release of shop are still there: old-01, old-02; `pilothouse cleanup` removes those that serve nobody and says what to do about the others [route.left-over]"
        ]
    );
}

#[test]
fn routes_that_win_over_managed_ones_are_named_as_not_governed() {
    let rival = json!({
        "metadata": { "name": "beta", "creationTimestamp": "2025-01-01T00:00:00Z" },
        "spec": { "parentRefs": [{ "name": "web" }], "rules": [{
            "matches": [{ "path": { "type": "PathPrefix", "value": "/beta" } }], "backendRefs": [{ "name": "beta", "port": 80 }] }] },
    });
    assert_eq!(
        cluster("route.not-governed", |bed| bed.put(ResourceKind::HTTPRoute, rival.clone())),
        [
            "note: HTTPRoute beta takes /beta/* before the managed routes of shop: these requests are not governed by a release [route.not-governed]"
        ]
    );
}

#[test]
fn rights_that_a_release_needs_are_named_with_verb_and_resource() {
    let deny = |bed: &mut Bed| {
        bed.denied = vec!["patch deployments.apps/shop-b".into(), "patch releases.pilothouse.dev/status".into()];
    };
    assert_eq!(
        cluster("rights.missing", deny),
        [
            "refused: you may not patch releases.pilothouse.dev/status, patch deployments.apps/shop-b, and a release needs it: ask for the role pilothouse-operator (pilothouse manifests --plan FILE prints it); kubectl auth can-i patch releases.pilothouse.dev/status -n shop checks it [rights.missing]"
        ]
    );
}

#[test]
fn rights_that_the_server_does_not_tell_are_said_to_be_unknown() {
    let right = |kind, subresource| Right { verb: "patch", kind, subresource, name: String::new() };
    let rights = vec![(right(ResourceKind::HTTPRoute, ""), Some(true)), (right(ResourceKind::Release, "status"), None)];
    assert_eq!(
        told("rights.unknown", Event::Rights(rights)),
        [
            "note: whether you may patch releases.pilothouse.dev/status is not known: the API server did not say [rights.unknown]"
        ]
    );
}

#[test]
fn a_tool_that_keeps_objects_as_in_its_repository_is_named() {
    assert_eq!(
        cluster("gitops.keeper", |bed| {
            let labels = json!({ "argocd.argoproj.io/instance": "shop" });
            set(bed, ResourceKind::HTTPRoute, "shop", "/metadata/labels", labels.clone());
            deployment(bed, "shop-b", "/metadata/labels", labels);
        }),
        [
            "warning: Argo CD keeps HTTPRoute shop, Deployment shop-b as in its repository: unless it ignores weights, replicas, images and the annotations of pilothouse.dev there, it takes a shift back; pilothouse init prints what to ignore (70-gitops.md) [gitops.keeper]"
        ]
    );
}

#[test]
fn a_plan_too_large_to_be_frozen_is_refused_with_figures() {
    let found = cluster("size.frozen", |bed| {
        let customer = |i: u32| json!({ "id": format!("customer-{i:06}"), "name": "n".repeat(100) });
        let many: Vec<Value> = std::iter::once(json!({ "id": "acme" })).chain((0..10_000).map(customer)).collect();
        set(bed, ResourceKind::RolloutPlan, "shop", "/spec/customers/from/inline", json!(many));
    });
    assert_eq!(
        found,
        [
            "refused: the record of a release of RolloutPlan shop with its 10001 customers has 1495 KiB, and the cluster stores at most 1536 KiB in one object, of which 256 KiB are kept for the journal: list customers in a ConfigMap instead of the plan, or shorten their ids [size.frozen]"
        ]
    );
}
