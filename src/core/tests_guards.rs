//! Each safety rule by itself: what it refuses, and that it lets through what it should.

use super::testbed::Bed;
use super::tests::{baking, baking_on, next, promoted, rollback, start};
use super::{Action, Command, Event, GateAnswer, Identity, State, Tone};
use crate::model::{Batch, Family, Reading, ResourceKind, Slot};
use serde_json::{Value, json};

/// A cluster whose plan was changed before the release starts.
fn planned(change: impl FnOnce(&mut Value)) -> Bed {
    let mut bed = Bed::new();
    let mut plan = bed.get(ResourceKind::RolloutPlan, "shop").clone();
    change(&mut plan["spec"]);
    bed.put(ResourceKind::RolloutPlan, plan);
    bed
}

fn refused(bed: &Bed, state: &State, command: &Command) -> Vec<String> {
    super::preview(state, bed.now, command).refusals.into_iter().map(|r| r.rule).collect()
}

#[test]
fn a_console_is_at_rest_only_while_no_release_is_under_way() {
    let mut bed = Bed::new();
    let desk = bed.open_desk("dana");
    bed.pass(3);
    assert!(super::is_at_rest(&bed.desks[desk].state));
    let (mut bed, desk) = baking();
    let other = bed.open_desk("kim");
    bed.pass(3);
    assert!([desk, other].iter().all(|desk| !super::is_at_rest(&bed.desks[*desk].state)));
}

#[test]
fn a_start_is_judged_by_the_live_plan_also_while_another_one_is_in_force() {
    let (mut bed, desk) = baking();
    let rings = json!([{ "op": "replace", "path": "/spec/rings", "value": [] }]);
    bed.meddle(ResourceKind::RolloutPlan, "shop", rings);
    bed.pass(3);
    let found = super::findings(&bed.desks[desk].state, bed.now, &start());
    assert!(found.iter().any(|finding| finding.text.contains("rings")), "{found:?}");
}

#[test]
fn who_looks_for_somebody_else_names_the_next_step_and_what_speaks_against_one() {
    let mut bed = Bed::new();
    let (desk, looks, advises) = (bed.open_desk("dana"), bed.open_desk("watcher"), bed.open_desk("adviser"));
    bed.pass(3);
    let advice = |bed: &Bed, desk| bed.view(desk).advice.action;
    assert_eq!((advice(&bed, looks), advice(&bed, advises)), (None, Some(Action::Start)));
    bed.order(desk, start());
    bed.until(desk, "Ready");
    bed.pass(3);
    assert_eq!(advice(&bed, advises), None, "another console drives");
    // That console dies in the middle of a wave.
    bed.order(desk, next());
    bed.until_phase("Verifying");
    bed.desks[desk].alive = false;
    bed.pass(60);
    assert_eq!((advice(&bed, looks), advice(&bed, advises)), (None, Some(Action::Resume)));
    assert!(refused(&bed, &bed.desks[advises].state, &Command::Resume).is_empty());
    assert!(refused(&bed, &bed.desks[advises].state, &Command::Finish).iter().all(|rule| rule != "guard.mode"));
}

#[test]
fn while_rights_are_not_known_a_hold_and_a_rollback_are_tried_and_nothing_else() {
    let (mut bed, desk) = baking();
    bed.tell(desk, Event::Identity(Identity { user: "dana".into(), may_write: None }));
    let refuses =
        |bed: &Bed, command| refused(bed, &bed.desks[desk].state, &command).contains(&"guard.mode".to_owned());
    let (hold, back) = (Command::Hold { reason: "look".into() }, Command::Rollback { reason: "back".into() });
    assert!(refuses(&bed, next()) && !refuses(&bed, hold.clone()) && !refuses(&bed, back.clone()));
    bed.order(desk, hold.clone());
    assert!(!bed.release()["spec"]["hold"].is_null());
    bed.tell(desk, Event::Identity(Identity { user: "dana".into(), may_write: Some(false) }));
    assert!(refuses(&bed, hold) && refuses(&bed, back));
}

#[test]
fn a_slot_on_which_requests_still_start_is_not_drained() {
    let (mut bed, desk) = promoted();
    bed.ill.stray = Some(Slot::A);
    bed.pass(2);
    bed.order(desk, Command::Finish);
    bed.pass(20);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-a")), ("DrainingOld", 2));
    bed.ill.stray = None;
    bed.until(desk, "Done");
}

#[test]
fn a_failed_scrape_in_the_quiet_time_is_no_proof() {
    let (mut bed, desk) = promoted();
    bed.ill.down = Some(Slot::A);
    bed.pass(2);
    bed.order(desk, Command::Finish);
    bed.pass(20);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-a")), ("DrainingOld", 2));
    bed.ill.down = None;
    bed.until(desk, "Done");
}

#[test]
fn nobody_is_sent_to_a_slot_that_is_not_fully_ready() {
    let (mut bed, desk) = baking();
    bed.pass(3);
    assert_eq!(refused(&bed, &bed.desks[desk].state, &next()), [] as [String; 0]);
    bed.ill.unready = Some(Slot::B);
    bed.pass(1);
    assert_eq!(refused(&bed, &bed.desks[desk].state, &next()), ["guard.ready"]);
    bed.order(desk, next());
    assert_eq!(bed.slot_of("globex"), Some(Slot::A));
}

#[test]
fn a_ring_waits_for_the_approval_of_somebody_else_than_who_asked() {
    let bed = planned(|spec| spec["rings"][1]["approval"] = json!("required"));
    let (mut bed, desk) = baking_on(bed);
    bed.pass(3);
    assert_eq!(refused(&bed, &bed.desks[desk].state, &next()), ["guard.approval"]);
    let approve = Command::Approve { ring: "rest".into() };
    assert_eq!(refused(&bed, &bed.desks[desk].state, &approve), ["approve.self"]);
    let other = bed.open_desk("kim");
    bed.order(other, approve);
    bed.pass(1);
    assert_eq!(refused(&bed, &bed.desks[desk].state, &next()), [] as [String; 0]);
}

#[test]
fn a_gate_without_a_verdict_refuses_a_passing_one_does_not_and_a_failing_one_holds() {
    let gate = json!([{ "name": "own", "kind": "promql", "query": "x", "max": 0.2, "for": "5s" }]);
    let (mut bed, desk) = baking_on(planned(|spec| spec["gates"] = gate));
    bed.pass(3);
    assert_eq!(refused(&bed, &bed.desks[desk].state, &next()), ["guard.gate"]);
    let say = |bed: &mut Bed, value: f64| {
        let points = vec![(Vec::new(), vec![(bed.now.as_millisecond(), value)])];
        let answer = GateAnswer { gate: "own".into(), answers: vec![Reading::Value(points)] };
        let at = bed.now;
        bed.tell(desk, Event::Gates { at, answers: vec![answer] });
        bed.run();
    };
    say(&mut bed, 0.1);
    assert_eq!(refused(&bed, &bed.desks[desk].state, &next()), [] as [String; 0]);
    assert!(bed.release()["spec"]["hold"].is_null());
    say(&mut bed, 0.9);
    assert_eq!(bed.release()["spec"]["hold"]["by"], "gate own");
    bed.pass(1);
    assert!(refused(&bed, &bed.desks[desk].state, &next()).contains(&"guard.hold".to_owned()));
}

#[test]
fn a_preview_names_everybody_who_moves_where_its_facts_do_not() {
    let customers: Vec<Value> = (0..9).map(|i| json!({ "id": format!("c{i}") })).collect();
    let mut bed = planned(|spec| {
        spec["customers"]["from"]["inline"] = json!(customers);
        spec["rings"] = json!([
            { "name": "first", "names": ["c8"], "bake": "2s" },
            { "name": "rest", "rest": true, "bake": "2s" },
        ]);
    });
    let desk = bed.open_desk("dana");
    bed.order(desk, start());
    bed.until(desk, "Ready");
    bed.pass(3);
    let movers = |bed: &Bed, command| super::preview(&bed.desks[desk].state, bed.now, &command).movers;
    assert_eq!(
        (movers(&bed, next()).len(), movers(&bed, rollback()).len()),
        (0, 0),
        "one customer is named by the fact"
    );
    bed.order(desk, next());
    bed.until(desk, "Baking");
    bed.pass(5);
    assert_eq!(movers(&bed, next()), (0..8).map(|i| format!("c{i}")).collect::<Vec<_>>());
    assert_eq!(movers(&bed, rollback()), ["c8"]);
}

#[test]
fn a_preview_says_which_state_it_was_read_from_and_how_old_that_is() {
    let seen = |bed: &Bed, desk: usize, command: &Command| {
        let facts = super::preview(&bed.desks[desk].state, bed.now, command).facts;
        facts.into_iter().find(|fact| fact.label == "seen").map(|fact| (fact.text, fact.tone))
    };
    let mut idle = Bed::new();
    let desk = idle.open_desk("dana");
    let version = idle.get(ResourceKind::RolloutPlan, "shop")["metadata"]["resourceVersion"].as_str().unwrap();
    let expected = format!("RolloutPlan shop, revision {version}, 0 s old");
    assert_eq!(seen(&idle, desk, &start()), Some((expected, Tone::Plain)));
    let (mut bed, desk) = baking();
    bed.desks[desk].blind = true;
    bed.pass(12);
    let meta = &bed.release()["metadata"];
    let known = bed.desks[desk].state.scope().unwrap().release.version.clone();
    let expected = format!("Release {}, revision {known}, 12 s old", meta["name"].as_str().unwrap());
    assert_eq!(seen(&bed, desk, &rollback()), Some((expected, Tone::Warn)));
    assert_eq!(seen(&bed, desk, &Command::Hold { reason: String::new() }), None, "it runs at once");
}

#[test]
fn a_metrics_source_that_is_in_trouble_is_said_in_one_sentence() {
    let (mut bed, desk) = baking();
    let mut batch = |answered: &[Family]| {
        let reading = |family: &Family| match answered.contains(family) {
            true => Reading::Value(Vec::new()),
            false => Reading::Error("it cannot be reached: connection refused".into()),
        };
        let families = Family::ALL.into_iter().map(|family| (family, reading(&family))).collect();
        bed.now += jiff::SignedDuration::from_secs(300);
        bed.tell(desk, Event::Metrics(Batch { at: bed.now, families }));
        bed.view(desk).header.stale.into_iter().filter(|why| why.contains("metrics")).collect::<Vec<String>>()
    };
    let said = "metrics are not fresh: the metrics source does not answer";
    assert_eq!(batch(&[]), [format!("{said} (it cannot be reached: connection refused)")]);
    let others: Vec<Family> = Family::ALL.into_iter().filter(|family| *family != Family::InFlight).collect();
    assert_eq!(batch(&others), [format!("{said} for open work (it cannot be reached: connection refused)")]);
}

#[test]
fn a_reason_that_is_too_long_to_be_kept_is_refused_before_it_is_written() {
    let (bed, desk) = baking();
    let state = &bed.desks[desk].state;
    let of = |length: usize| {
        let reason = "x".repeat(length);
        [
            Command::Hold { reason: reason.clone() },
            Command::Rollback { reason: reason.clone() },
            Command::Force { reason: reason.clone() },
            Command::Take { reason: reason.clone() },
            Command::Next { accept_no_traffic: Some(reason.clone()) },
            Command::Promote { accept_no_traffic: Some(reason) },
        ]
    };
    let is_refused = |command: &Command| refused(&bed, state, command).contains(&"guard.reason".to_owned());
    assert!(of(1025).iter().all(is_refused));
    assert!(!of(1024).iter().any(is_refused));
}

#[test]
fn without_a_pod_that_was_sampled_nobody_sends_and_that_is_no_less_than_nothing() {
    let mut bed = Bed::new();
    let desk = bed.open_desk("dana");
    bed.order(desk, start());
    bed.until(desk, "Ready");
    for _ in 0..5 {
        let exposed = bed.view(desk).exposed;
        for number in [exposed.rps, exposed.share].into_iter().flatten() {
            assert!(number.is_sign_positive(), "{exposed:?}");
        }
        bed.pass(1);
    }
    assert_eq!(bed.view(desk).exposed.rps, Some(0.0));
}
