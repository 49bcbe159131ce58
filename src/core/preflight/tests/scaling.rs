//! Autoscalers and budgets.

use super::{cluster, told};
use crate::core::{Answer, Change, Event, GatewaySurvey, KubeEvent, ObjectName, Survey};
use crate::model::ResourceKind;
use serde_json::{Value, json};

#[test]
fn an_autoscaler_of_either_slot_must_neither_shrink_nor_cap_it() {
    let hpa = |min: u32, max: u32, deployment: &str| {
        json!({ "metadata": { "name": "shop" }, "spec": { "minReplicas": min, "maxReplicas": max,
            "scaleTargetRef": { "kind": "Deployment", "name": deployment } } })
    };
    let with = |check: &str, object: Value| {
        cluster(check, |bed| bed.put(ResourceKind::HorizontalPodAutoscaler, object.clone()))
    };
    assert_eq!(
        with("hpa.shrinks", hpa(1, 9, "shop-b")),
        [
            "refused: HorizontalPodAutoscaler shop may shrink slot b to 1 of 2 replicas during the release: kubectl patch hpa shop --type=merge -p '{\"spec\":{\"minReplicas\":2}}' [hpa.shrinks]"
        ]
    );
    assert_eq!(
        with("hpa.caps", hpa(1, 1, "shop-b")),
        [
            "refused: HorizontalPodAutoscaler shop lets slot b have 1 replicas, and 2 serve now: kubectl patch hpa shop --type=merge -p '{\"spec\":{\"maxReplicas\":2}}' [hpa.caps]"
        ]
    );
    assert_eq!(with("hpa.shrinks", hpa(2, 9, "shop-a")), [""; 0]);
    assert_eq!(with("hpa.shrinks", hpa(1, 9, "other")), [""; 0]);
}

#[test]
fn a_scaled_object_is_refused_until_it_is_paused() {
    let object = |annotations: Value| {
        json!({ "metadata": { "name": "shop", "annotations": annotations },
            "spec": { "scaleTargetRef": { "name": "shop-a" } } })
    };
    let with = |check: &str, annotations: Value| cluster(check, |bed| bed.scalers.1 = vec![object(annotations)]);
    let refused = "refused: ScaledObject shop (KEDA) scales slot a and would undo what the release sets: pause it first: kubectl annotate scaledobject shop autoscaling.keda.sh/paused=true [keda.scales]";
    assert_eq!(with("keda.scales", json!({})), [refused]);
    let to_zero = json!({ "autoscaling.keda.sh/paused": "true", "autoscaling.keda.sh/paused-replicas": "0" });
    assert_eq!(with("keda.scales", to_zero), [refused]);
    let paused = json!({ "autoscaling.keda.sh/paused": "true" });
    assert_eq!(with("keda.scales", paused.clone()), [""; 0]);
    assert_eq!(
        with("keda.paused", paused),
        [
            "note: ScaledObject shop of slot a is paused: it does not interfere; after the release: kubectl annotate scaledobject shop autoscaling.keda.sh/paused- [keda.paused]"
        ]
    );
}

#[test]
fn a_budget_is_judged_by_what_evictions_do_to_two_slots() {
    let budget = |spec: Value| json!({ "metadata": { "name": "shop" }, "spec": spec });
    let with = |check: &str, spec: Value| cluster(check, |bed| bed.scalers.0 = vec![budget(spec)]);
    let both = json!({ "selector": { "matchLabels": { "app.kubernetes.io/version": "1" } }, "minAvailable": 1 });
    assert_eq!(
        with("pdb.both-slots", both),
        [
            "warning: PodDisruptionBudget shop counts the pods of both slots together: during a release a node drain may take every pod of one version and still keep it; give each slot a budget of its own, by the label pilothouse.dev/slot [pdb.both-slots]"
        ]
    );
    let of_a = |key: &str, value: Value| {
        let mut spec = json!({ "selector": { "matchLabels": { "pilothouse.dev/slot": "a" } } });
        spec[key] = value;
        spec
    };
    assert_eq!(
        with("pdb.none", of_a("minAvailable", json!(1))),
        [
            "note: no PodDisruptionBudget covers slot b: a node drain may end all pods of Deployment shop-b at once; add one (pilothouse init copies an existing one) [pdb.none]"
        ]
    );
    for (key, value, said) in [
        ("minAvailable", json!(2), "minAvailable 2"),
        ("minAvailable", json!("51%"), "minAvailable 51%"),
        ("maxUnavailable", json!(0), "maxUnavailable 0"),
    ] {
        assert_eq!(
            with("pdb.blocks", of_a(key, value)),
            [format!(
                "note: PodDisruptionBudget shop lets no pod of slot a be evicted ({said} of 2 replicas): node drains wait for it; a release is not stopped, because scaling does not ask budgets [pdb.blocks]"
            )]
        );
    }
    assert_eq!(with("pdb.blocks", of_a("minAvailable", json!("50%"))), [""; 0]);
}

#[test]
fn what_may_not_be_read_is_said_to_be_unchecked() {
    let kind = ResourceKind::HorizontalPodAutoscaler;
    let failed =
        Event::Kube(KubeEvent { kind, change: Change::Failed { why: "no right to list".into(), answered: true } });
    assert_eq!(
        told("hpa.unchecked", failed),
        [
            "note: HorizontalPodAutoscalers are not checked (no right to list): one that shrinks a slot during a release would end pods with open work [hpa.unchecked]"
        ]
    );
    let denied = || "cannot list".to_owned();
    let web = ObjectName { namespace: "shop".into(), name: "web".into() };
    let gateways = vec![GatewaySurvey { name: web, ..GatewaySurvey::default() }];
    let survey = |survey: Survey| Event::Survey(Box::new(Survey { gateways: gateways.clone(), ..survey }));
    let scaled = survey(Survey { scaled_objects: Answer::Forbidden(denied()), ..Survey::default() });
    assert_eq!(
        told("keda.unchecked", scaled),
        [
            "note: ScaledObjects of KEDA are not checked (cannot list): one that scales a slot would undo what a release sets [keda.unchecked]"
        ]
    );
    let budgets = survey(Survey { budgets: Answer::Failed(denied()), ..Survey::default() });
    assert_eq!(
        told("pdb.unchecked", budgets),
        [
            "note: PodDisruptionBudgets are not checked (cannot list): whether a node drain may take a whole slot is not known [pdb.unchecked]"
        ]
    );
}
