//! Other plans in the namespace.

use super::{cluster, set};
use crate::core::testbed::Bed;
use crate::model::ResourceKind;
use serde_json::{Value, json};

fn other(bed: &mut Bed, route: &str, b: &str) {
    let pair = |name: &str| json!({ "deployment": name, "service": name });
    let component = json!({ "name": "web", "route": route, "a": pair("bill-a"), "b": pair(b) });
    bed.put(
        ResourceKind::RolloutPlan,
        json!({ "metadata": { "name": "bill", "namespace": "shop" }, "spec": { "components": [component] } }),
    );
}

#[test]
fn a_plan_that_shares_a_route_or_a_slot_with_another_is_refused() {
    assert_eq!(cluster("plan.shared", |bed| other(bed, "bill", "bill-b")), [] as [&str; 0]);
    assert_eq!(
        cluster("plan.shared", |bed| other(bed, "shop", "shop-b")),
        [
            "refused: RolloutPlan bill names HTTPRoute shop, Deployment shop-b, Service shop-b as well: two releases would change the same object; give each plan a route and slots of its own, or delete one of the plans [plan.shared]"
        ]
    );
}

#[test]
fn a_query_by_slot_alone_is_warned_of_where_others_carry_the_same_slots() {
    let with = |query: &str, app: &str| {
        let gate = json!({ "name": "own", "kind": "promql", "query": query, "max": 1, "for": "1m" });
        let app = app.to_owned();
        cluster("plan.shared-query", move |bed| {
            set(bed, ResourceKind::RolloutPlan, "shop", "/spec/gates", json!([gate]));
            for name in ["shop-a", "shop-b"] {
                set(bed, ResourceKind::Service, name, "/spec/selector", json!({ "app": name }));
            }
            let labels: Value = json!({ "app": app, "pilothouse.dev/slot": "b" });
            let spec = json!({ "replicas": 0, "selector": { "matchLabels": labels }, "template": { "metadata": { "labels": labels } } });
            bed.put(ResourceKind::Deployment, json!({ "metadata": { "name": "bill-b" }, "spec": spec }));
        })
    };
    assert_eq!(
        with(r#"sum(x{slot="$new"})"#, "bill"),
        [
            "warning: the query of gate own asks by slot, and the pods of Deployment bill-b carry the same slot label: it may count both; name ours, too: pod=~\"$newPods\" [plan.shared-query]"
        ]
    );
    for (query, app) in [
        (r#"sum(x{slot="$new",pod=~"$newPods"})"#, "bill"),
        ("sum(x)", "bill"),
        // What our own Service sends to is ours, whatever its Deployment.
        (r#"sum(x{slot="$new"})"#, "shop-b"),
    ] {
        assert_eq!(with(query, app), [] as [&str; 0], "{query} {app}");
    }
}
