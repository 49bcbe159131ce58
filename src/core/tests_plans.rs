//! Several plans in one namespace: what the console of one sees of the other.

use super::testbed::Bed;
use super::tests::{baking_on, promoted_on, start};
use super::{Command, Event, GateAnswer, Verdict};
use crate::model::{LabelledPoints, Reading, ResourceKind, Slot};
use serde_json::{Value, json};

/// The neighbour's plan, with its own route and slots.
fn neighbour() -> Value {
    let pair = |name: &str| json!({ "deployment": name, "service": name });
    json!({ "metadata": { "name": "bill", "namespace": "shop" }, "spec": {
        "environment": "stage",
        "components": [{ "name": "web", "route": "bill", "a": pair("bill-a"), "b": pair("bill-b") }],
        "deploy": { "by": "pilothouse", "container": "app" },
        "customers": { "identifiedBy": { "header": "x-customer" }, "from": { "inline": [{ "id": "acme" }] } },
        "rings": [{ "name": "all", "rest": true, "bake": "2s" }],
        "metrics": { "source": { "url": "http://metrics" }, "interval": "1s" },
    } })
}

/// A cluster in which the shop's own selectors say which pods are its own, with the neighbour's beside them.
fn shared() -> Bed {
    let mut bed = Bed::new();
    for (name, slot) in [("shop-a", "a"), ("shop-b", "b")] {
        let labels = json!({ "app": "shop", "app.kubernetes.io/version": "1", "pilothouse.dev/slot": slot });
        let selector = json!({ "app": "shop", "pilothouse.dev/slot": slot });
        let template = json!([
            { "op": "add", "path": "/spec/selector", "value": { "matchLabels": selector } },
            { "op": "replace", "path": "/spec/template/metadata/labels", "value": labels },
        ]);
        bed.meddle(ResourceKind::Deployment, name, template);
        let selector = json!([{ "op": "replace", "path": "/spec/selector", "value": selector }]);
        bed.meddle(ResourceKind::Service, name, selector);
    }
    for slot in ["a", "b"] {
        let labels = json!({ "app": "bill", "pilothouse.dev/slot": slot });
        let name = format!("bill-{slot}");
        let spec = json!({ "replicas": 1, "selector": { "matchLabels": labels }, "template": { "metadata": { "labels": labels } } });
        bed.put(ResourceKind::Deployment, json!({ "metadata": { "name": name }, "spec": spec }));
        let pod = json!({
            "metadata": { "name": format!("{name}-7d9f-aaaaa"), "labels": labels },
            "status": { "phase": "Running", "containerStatuses": [{ "name": "app", "restartCount": 3,
                "state": { "running": { "startedAt": "2026-01-01T00:00:00Z" } } }] },
        });
        bed.put(ResourceKind::Pod, pod);
    }
    // The controllers see what was changed.
    bed.pass(1);
    bed
}

#[test]
fn of_several_plans_one_is_chosen_and_what_is_open_is_not_taken_away() {
    let mut bed = Bed::new();
    bed.put(ResourceKind::RolloutPlan, neighbour());
    let desk = bed.open_desk("dana");
    bed.run();
    let view = bed.view(desk);
    let names: Vec<(&str, &str, &str)> =
        view.plans.iter().map(|p| (p.name.as_str(), p.environment.as_str(), p.route.as_str())).collect();
    assert_eq!(names, [("bill", "STAGE", "bill"), ("shop", "PROD", "shop")]);
    assert_eq!((view.header.plan.as_str(), view.header.state.as_str()), ("", "NO PLAN"));
    let advice = (view.advice.text.as_str(), view.advice.action);
    assert_eq!(advice, ("choose the plan to open: bill, shop", Some(super::Action::Open)));
    bed.order(desk, start());
    assert_eq!(bed.get(ResourceKind::RolloutPlan, "shop")["status"], Value::Null, "nothing is started blindly");

    bed.tell(desk, Event::Plan("shop".into()));
    bed.pass(2);
    let view = bed.view(desk);
    assert_eq!((view.header.plan.as_str(), view.plans.len()), ("shop", 0));
    bed.tell(desk, Event::Plan("bill".into()));
    assert_eq!(bed.view(desk).header.plan, "shop");
    bed.order(desk, start());
    bed.until(desk, "Ready");
}

#[test]
fn pods_of_another_plan_hold_up_no_drain_although_nothing_is_known_of_them() {
    let (mut bed, desk) = promoted_on(shared());
    bed.pass(2);
    bed.order(desk, Command::Finish);
    bed.until(desk, "Done");
    assert_eq!(bed.replicas("shop-a"), 0);
}

#[test]
fn open_work_of_another_plan_holds_up_no_drain_and_is_not_shown_as_ours() {
    let (mut bed, desk) = promoted_on(shared());
    bed.strangers = vec![("bill-a-7d9f-aaaaa", Slot::A, 5.0)];
    bed.pass(3);
    assert_eq!(bed.view(desk).drain.inflight, Some(0), "{:?}", bed.view(desk).drain);
    bed.order(desk, Command::Finish);
    bed.until(desk, "Done");
}

#[test]
fn open_work_of_a_pod_that_nobody_knows_is_shown_and_an_orphan_of_ours_holds_up_the_drain() {
    let (mut bed, desk) = promoted_on(shared());
    // Not in the list of pods, and no name that a Deployment would give.
    bed.strangers = vec![("somebody", Slot::A, 5.0)];
    bed.pass(3);
    assert_eq!(bed.view(desk).drain.inflight, Some(5));
    // Taken out of its ReplicaSet to be looked at: only the slot label is left.
    bed.strangers = vec![("shop-quarantined", Slot::A, 2.0)];
    let orphan = json!({
        "metadata": { "name": "shop-quarantined", "labels": { "pilothouse.dev/slot": "a" } },
        "status": { "phase": "Running", "containerStatuses": [{ "name": "app", "restartCount": 0,
            "state": { "running": { "startedAt": "2026-01-01T00:00:00Z" } } }] },
    });
    bed.put(ResourceKind::Pod, orphan);
    bed.pass(2);
    bed.order(desk, Command::Finish);
    bed.pass(20);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-a")), ("DrainingOld", 2));
    let missing = bed.view(desk).drain.missing.join("; ");
    assert!(missing.contains("shop-quarantined"), "{missing}");
}

#[test]
fn a_release_of_another_plan_is_not_started_under_this_one() {
    let mut bed = Bed::new();
    let theirs = json!({
        "metadata": { "name": "bill-2", "uid": "u-bill" },
        "spec": { "plan": "bill", "version": "2", "image": "r/bill:2", "requestedBy": "ci" },
    });
    bed.put(ResourceKind::Release, theirs);
    let desk = bed.open_desk("dana");
    bed.run();
    bed.order(desk, Command::Start { release: Some("bill-2".into()), version: None, image: None, commit: None });
    bed.pass(5);
    assert_eq!(bed.get(ResourceKind::Release, "bill-2")["status"], Value::Null);
    assert_eq!(bed.get(ResourceKind::RolloutPlan, "shop")["status"], Value::Null);
    let said = format!("{:?}", bed.view(desk).running);
    assert!(said.contains("belongs to RolloutPlan bill"), "{said}");
}

#[test]
fn errors_of_a_neighbour_break_no_gate_those_of_an_unknown_pod_let_none_pass_and_our_own_hold() {
    let mut bed = shared();
    let mut plan = bed.get(ResourceKind::RolloutPlan, "shop").clone();
    plan["spec"]["gates"] =
        json!([{ "name": "errors", "kind": "errorRatio", "max": "1%", "for": "5s", "minRequests": 10 }]);
    bed.put(ResourceKind::RolloutPlan, plan);
    let (mut bed, desk) = baking_on(bed);
    bed.pass(8);
    // Of each pod: requests in the window, and how many of them failed.
    let judged = |bed: &mut Bed, pods: &[(&str, f64, f64)]| {
        let now = bed.now.as_millisecond();
        let series = |pod: &str, code: Option<&str>, grown: f64| -> LabelledPoints {
            let labels = [Some(("pod", pod)), code.map(|code| ("code", code))];
            let labels = labels.into_iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned()));
            (labels.collect(), vec![(now - 4000, 100.0), (now - 2000, 100.0), (now, 100.0 + grown)])
        };
        let finished = pods
            .iter()
            .flat_map(|(pod, all, failed)| [series(pod, Some("200"), all - failed), series(pod, Some("503"), *failed)]);
        let seen = pods.iter().map(|(pod, _, _)| series(pod, None, 0.0));
        let answers = vec![Reading::Value(finished.collect()), Reading::Value(seen.collect())];
        bed.tell(desk, Event::Gates { at: bed.now, answers: vec![GateAnswer { gate: "errors".into(), answers }] });
        bed.run();
        bed.view(desk).gates[0].verdict.clone()
    };
    let good = ("shop-b-0", 100.0, 0.0);
    assert_eq!(judged(&mut bed, &[good]), Verdict::Pass);
    assert_eq!(judged(&mut bed, &[good, ("bill-b-7d9f-aaaaa", 100.0, 50.0)]), Verdict::Pass);
    let doubt = judged(&mut bed, &[good, ("somebody", 100.0, 50.0)]);
    assert!(matches!(&doubt, Verdict::Unknown(why) if why.contains("whose they are")), "{doubt:?}");
    assert!(bed.release()["spec"]["hold"].is_null());
    // Good requests of somebody else hide no errors of ours.
    assert_eq!(judged(&mut bed, &[("shop-b-0", 100.0, 5.0), ("somebody", 9900.0, 0.0)]), Verdict::Fail);
    assert_eq!(bed.release()["spec"]["hold"]["by"], "gate errors");
}
