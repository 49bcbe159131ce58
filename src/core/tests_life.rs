//! The whole life of a release when something beside it goes away, and the long way back after promote.

use super::testbed::Bed;
use super::tests::{baking, promoted, rollback, start};
use super::{Change, Closeup, Command, Event, Identity, KubeEvent, RunningState, State, Subject};
use crate::model::{ResourceKind, ResourceRef, Slot};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn hold() -> Command {
    Command::Hold { reason: "look".into() }
}

fn without_plan(bed: &mut Bed) {
    bed.objects.remove(&ResourceRef::new(ResourceKind::RolloutPlan, "shop"));
    bed.pass(1);
}

fn plan_again(bed: &mut Bed, name: &str, plan: &Value) {
    let mut plan = plan.clone();
    plan["metadata"] = json!({ "name": name, "namespace": "shop" });
    plan["status"] = Value::Null;
    bed.put(ResourceKind::RolloutPlan, plan);
    bed.pass(1);
}

#[test]
fn a_release_whose_plan_is_deleted_can_be_held_resumed_and_rolled_back_by_any_console() {
    for fresh in [false, true] {
        let (mut bed, mut desk) = baking();
        without_plan(&mut bed);
        if fresh {
            bed.desks[desk].alive = false;
            desk = bed.open_desk("kim");
            bed.pass(20);
        }
        assert_eq!(bed.view(desk).header.state, "BAKING");
        bed.order(desk, hold());
        bed.pass(1);
        assert!(bed.release()["spec"]["hold"].is_object());
        assert_eq!(bed.view(desk).header.state, "HOLD");
        bed.order(desk, Command::Resume);
        bed.pass(2);
        assert!(bed.release()["spec"]["hold"].is_null());
        bed.order(desk, rollback());
        bed.until(desk, "RolledBack");
        bed.pass(1);
        assert_eq!(bed.slot_of("acme"), Some(Slot::A));
        assert_eq!(bed.view(desk).running.map(|r| r.outcome), Some(RunningState::Done), "there is no lock to clear");
        assert_eq!(bed.view(desk).header.state, "NO PLAN");
    }
}

#[test]
fn a_console_that_has_read_nothing_but_the_plan_holds_the_release_that_it_names() {
    for is_there in [true, false] {
        let (mut bed, desk) = baking();
        let mut setup = bed.desks[desk].state.setup.clone();
        setup.session = "0000000000000009".into();
        bed.desks[desk].state = State::new(setup);
        bed.tell(desk, Event::Identity(Identity { user: "dana".into(), may_write: Some(true) }));
        let plan = bed.get(ResourceKind::RolloutPlan, "shop").clone();
        let name = plan["status"]["activeRelease"].as_str().unwrap().to_owned();
        bed.tell(desk, Event::Kube(KubeEvent { kind: ResourceKind::RolloutPlan, change: Change::Reset(vec![plan]) }));
        if !is_there {
            bed.objects.remove(&ResourceRef::new(ResourceKind::Release, &name));
        }
        bed.order(desk, hold());
        let outcome = bed.view(desk).running.unwrap().outcome;
        match is_there {
            true => assert_eq!((bed.release()["spec"]["hold"].is_object(), outcome), (true, RunningState::Done)),
            false => assert_eq!(outcome, RunningState::Stopped { why: format!("Release {name} is gone") }),
        }
    }
}

#[test]
fn a_release_whose_plan_is_deleted_or_made_anew_is_finished() {
    for name in [None, Some("shop"), Some("other")] {
        let (mut bed, gone) = promoted();
        bed.desks[gone].alive = false;
        let plan = bed.get(ResourceKind::RolloutPlan, "shop").clone();
        without_plan(&mut bed);
        if let Some(name) = name {
            plan_again(&mut bed, name, &plan);
        }
        let desk = bed.open_desk("kim");
        bed.pass(20);
        bed.order(desk, Command::Finish);
        bed.until(desk, "Done");
        bed.pass(1);
        assert_eq!(bed.view(desk).running.map(|r| r.outcome), Some(RunningState::Done), "{name:?}");
        assert_eq!(bed.replicas("shop-a"), 0, "{name:?}");
    }
}

#[test]
fn a_plan_that_was_made_anew_starts_no_second_release_beside_the_first() {
    let (mut bed, desk) = baking();
    let mut plan = bed.get(ResourceKind::RolloutPlan, "shop").clone();
    without_plan(&mut bed);
    plan["spec"]["settle"] = json!("7s");
    plan_again(&mut bed, "shop", &plan);
    let notices: Vec<String> = bed.view(desk).notices.into_iter().map(|n| n.text).collect();
    assert!(notices.iter().any(|n| n.starts_with("RolloutPlan shop was changed")), "{notices:?}");
    assert!(notices.iter().any(|n| n.starts_with("RolloutPlan shop is gone")), "{notices:?}");
    let start = Command::Start { release: None, version: Some("3".into()), image: None, commit: None };
    bed.order(desk, start);
    let Some(RunningState::Refused { why }) = bed.view(desk).running.map(|r| r.outcome) else { panic!("not refused") };
    assert!(why.iter().any(|r| r.rule == "plan.active"), "{why:?}");
}

#[test]
fn a_plan_that_cannot_be_read_any_more_stops_no_release() {
    let (mut bed, desk) = baking();
    bed.meddle(
        ResourceKind::RolloutPlan,
        "shop",
        json!([
            { "op": "replace", "path": "/spec", "value": { "rings": "none" } },
            { "op": "replace", "path": "/status", "value": "?" },
        ]),
    );
    bed.pass(1);
    let other = bed.open_desk("kim");
    bed.pass(1);
    for desk in [desk, other] {
        assert_eq!(bed.view(desk).header.state, "BAKING");
    }
    bed.order(other, rollback());
    bed.until(other, "RolledBack");
}

#[test]
fn a_release_that_is_deleted_in_the_middle_of_an_act_is_not_acted_on_and_the_way_back_is_said() {
    let (mut bed, desk) = promoted();
    bed.open.insert(Slot::A, 1.0);
    bed.pass(2);
    bed.order(desk, Command::Finish);
    bed.pass(3);
    bed.objects.retain(|target, _| target.kind != ResourceKind::Release);
    let sent = bed.sent.len();
    bed.open.clear();
    bed.pass(20);
    assert_eq!(bed.sent[sent..].iter().filter(|(_, w)| w.target.kind != ResourceKind::Lease).count(), 0);
    let Some(RunningState::Stopped { why }) = bed.view(desk).running.map(|r| r.outcome) else {
        panic!("not stopped: {:?}", bed.view(desk).running)
    };
    assert!(why.contains("rollback --break-glass"), "{why}");
    let refusals = super::preview(&bed.desks[desk].state, bed.now, &rollback()).refusals;
    assert!(refusals.iter().any(|r| r.text.contains("Release shop-2 does not exist any more")), "{refusals:?}");
}

#[test]
fn a_release_that_is_deleted_between_an_intent_and_its_writes_ends_the_act() {
    let mut bed = Bed::new();
    let desk = bed.open_desk("dana");
    bed.order(desk, start());
    bed.until(desk, "Ready");
    bed.pass(3);
    bed.remove_after(ResourceKind::Release, |write| write.target.kind == ResourceKind::Release);
    bed.order(desk, super::tests::next());
    bed.pass(10);
    let Some(RunningState::Stopped { .. }) = bed.view(desk).running.map(|r| r.outcome) else { panic!("not stopped") };
    let applied = bed.applied.len();
    bed.pass(20);
    let later = bed.applied[applied..].iter().filter(|w| w.target.kind != ResourceKind::Lease).count();
    assert_eq!(later, 0, "nothing is written for a release that is gone");
}

#[test]
fn customers_that_are_added_later_are_named_and_stay_unlisted() {
    let mut bed = Bed::new();
    let list = |extra: &str| json!({ "customers.yaml": format!("- {{id: acme}}\n- {{id: globex}}\n- {{id: initech}}\n{extra}") });
    let from = json!({ "identifiedBy": { "header": "x-customer" }, "from": { "configMap": "customers" } });
    bed.meddle(
        ResourceKind::RolloutPlan,
        "shop",
        json!([{ "op": "replace", "path": "/spec/customers", "value": from }]),
    );
    bed.put(ResourceKind::ConfigMap, json!({ "metadata": { "name": "customers" }, "data": list("") }));
    let (mut bed, desk) = super::tests::baking_on(bed);
    let added = list("- {id: hooli}\n");
    bed.meddle(ResourceKind::ConfigMap, "customers", json!([{ "op": "replace", "path": "/data", "value": added }]));
    bed.pass(1);
    let notices: Vec<String> = bed.view(desk).notices.into_iter().map(|n| n.text).collect();
    assert!(notices.iter().any(|n| n.ends_with("unlisted until the next release: hooli")), "{notices:?}");
    assert_eq!(bed.slot_of("hooli"), Some(Slot::A));
    let named = |bed: &Bed| {
        let mut named = BTreeSet::new();
        super::names(&bed.desks[desk].state, |name, id| {
            named.insert((name.to_owned(), id.to_owned()));
        });
        named
    };
    for id in ["acme", "hooli"] {
        assert!(named(&bed).contains(&(id.to_owned(), id.to_owned())), "{id}");
    }
    let twice = list("- {id: pied, name: Pied Piper}\n- {id: pied}\n");
    bed.meddle(ResourceKind::ConfigMap, "customers", json!([{ "op": "replace", "path": "/data", "value": twice }]));
    bed.pass(1);
    assert!(named(&bed).contains(&("Pied Piper".to_owned(), "pied".to_owned())), "also of a list with a mistake");

    bed.objects.remove(&ResourceRef::new(ResourceKind::ConfigMap, "customers"));
    let later = bed.open_desk("kim");
    bed.pass(1);
    for desk in [desk, later] {
        let notices: Vec<String> = bed.view(desk).notices.into_iter().map(|n| n.text).collect();
        let gone = "ConfigMap customers, where the customers are to be listed, does not exist: create it; release shop-2 goes on with the customers of its start";
        assert!(notices.iter().any(|n| n == gone), "{notices:?}");
    }
}

#[test]
fn the_total_time_counts_from_the_start_also_when_the_first_records_have_moved_out() {
    let (mut bed, desk) = baking();
    let before = bed.view(desk).header.total.unwrap();
    let mut release = bed.release().clone();
    let journal = release["status"]["journal"].as_array_mut().unwrap();
    journal.drain(..journal.len() - 1);
    bed.put(ResourceKind::Release, release);
    bed.pass(3);
    assert_eq!(bed.view(desk).header.total, Some(before + 3));
}

#[test]
fn a_version_that_is_proposed_is_started_as_that_release_and_not_beside_it() {
    let mut bed = Bed::new();
    let proposed = json!({
        "apiVersion": "pilothouse.dev/v1alpha1", "kind": "Release",
        "metadata": { "name": "from-ci", "namespace": "shop", "uid": "ci", "creationTimestamp": bed.now.to_string() },
        "spec": { "plan": "shop", "version": "2", "image": "registry.example/app:2-signed", "requestedBy": "ci" },
    });
    bed.put(ResourceKind::Release, proposed);
    let desk = bed.open_desk("dana");
    let typed = Command::Start { release: None, version: Some("2".into()), image: None, commit: None };
    let preview = super::preview(&bed.desks[desk].state, bed.now, &typed);
    assert!(preview.facts.iter().any(|fact| fact.label == "release" && fact.text == "from-ci"), "{:?}", preview.facts);
    // An image of one's own is not what was proposed.
    let own = Command::Start { release: None, version: Some("2".into()), image: Some("other:2".into()), commit: None };
    let preview = super::preview(&bed.desks[desk].state, bed.now, &own);
    assert!(preview.facts.iter().any(|fact| fact.label == "release" && fact.text == "shop-2"), "{:?}", preview.facts);
    bed.order(desk, typed);
    bed.until(desk, "Ready");
    let releases: Vec<&str> =
        bed.objects.keys().filter(|r| r.kind == ResourceKind::Release).map(|r| r.name.as_str()).collect();
    assert_eq!(releases, ["from-ci"]);
    assert_eq!(bed.release()["status"]["frozen"]["new"]["image"], "registry.example/app:2-signed");
}

#[test]
fn names_that_kubernetes_would_refuse_half_way_are_refused_together_before_anything_is_written() {
    let rules = |version: &str, image: Option<&str>| -> Vec<String> {
        let mut bed = Bed::new();
        let desk = bed.open_desk("dana");
        let image = image.map(str::to_owned);
        bed.order(desk, Command::Start { release: None, version: Some(version.into()), image, commit: None });
        bed.pass(2);
        let Some(RunningState::Refused { why }) = bed.view(desk).running.map(|r| r.outcome) else {
            panic!("not refused: {version:?}")
        };
        assert!(
            bed.sent.iter().all(|(_, write)| write.target.kind == ResourceKind::Lease),
            "{version:?}: {:?}",
            bed.sent
        );
        why.into_iter().map(|refusal| format!("{}: {}", refusal.rule, refusal.text)).collect()
    };
    assert_eq!(
        rules("4.12.1+7", Some("bad image")),
        [
            "start.image: image \"bad image\" cannot be pulled: it holds a blank or a control character; name it as repository[:tag][@digest]",
            "start.version: version \"4.12.1+7\" cannot be the label app.kubernetes.io/version: name it with 1 to 63 letters, digits, '-', '_' and '.', a letter or a digit at both ends, such as 4.12.1_7",
        ]
    );
    for version in ["", "?", "a b", "../x", "x\u{1b}[31m", "-", &"1".repeat(300)] {
        let refused = rules(version, None);
        assert!(refused.len() == 1 && refused[0].starts_with("start.version: "), "{refused:?}");
        assert!(refused[0].len() < 300 && !refused[0].contains('\u{1b}'), "{refused:?}");
    }
    for image in ["", "app\u{1b}[31m:2"] {
        assert!(rules("2", Some(image))[0].starts_with("start.image: "));
    }
}

#[test]
fn a_start_that_names_nothing_says_what_else_refuses_it() {
    let mut bed = Bed::new();
    bed.meddle(ResourceKind::Deployment, "shop-b", json!([{ "op": "add", "path": "/spec/paused", "value": true }]));
    let desk = bed.open_desk("dana");
    let nothing = Command::Start { release: None, version: None, image: None, commit: None };
    let refused = super::preview(&bed.desks[desk].state, bed.now, &nothing).refusals;
    let rules: Vec<&str> = refused.iter().map(|refusal| refusal.rule.as_str()).collect();
    assert!(rules.contains(&"slot.paused") && rules.contains(&"start.what"), "{rules:?}");
}

#[test]
fn the_release_that_ended_last_is_shown_however_long_ago_it_was_proposed() {
    let mut bed = Bed::new();
    let at = |bed: &Bed, second: i64| (bed.now + jiff::SignedDuration::from_secs(second)).to_string();
    let put = |bed: &mut Bed, version: &str, created: i64, end: Option<(&str, i64)>| {
        let mut release = json!({
            "metadata": { "name": format!("shop-{version}"), "uid": version, "creationTimestamp": at(bed, created) },
            "spec": { "plan": "shop", "version": version },
        });
        if let Some((phase, ended)) = end {
            let outcome = json!({ "result": phase, "finishedAt": at(bed, ended) });
            let journal = json!([{ "seq": 1, "at": at(bed, ended), "by": "dana", "act": "phase", "what": version }]);
            release["status"] = json!({ "phase": phase, "outcome": outcome, "journal": journal });
        }
        bed.put(ResourceKind::Release, release);
    };
    put(&mut bed, "3", -900, Some(("Done", -60)));
    put(&mut bed, "9", -600, Some(("RolledBack", -300)));
    // Proposed before the last one ended: it waits, and is no news.
    put(&mut bed, "4", -100, None);
    let desk = bed.open_desk("dana");
    let view = bed.view(desk);
    assert_eq!((view.header.release.as_str(), view.header.state.as_str()), ("shop-3", "DONE"));
    assert_eq!(view.events.first().map(|event| event.what.as_str()), Some("3"));
    let Some(Closeup::Audit(audit)) = super::closeup(&bed.desks[desk].state, bed.now, &Subject::Audit) else {
        panic!()
    };
    assert_eq!(audit.release, "shop-3");
    put(&mut bed, "5", -10, None);
    bed.pass(1);
    assert_eq!(bed.view(desk).header.state, "IDLE");
}
