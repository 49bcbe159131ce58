//! Drains that do not end: how they are said, what reconnects, and how they are forced.

use super::testbed::{Bed, Fate};
use super::tests::{baking_on, promoted, promoted_on, rollback};
use super::tests_protocol::{fate, hold, retired, says};
use super::{Command, RunningState};
use crate::model::{Direction, ResourceKind, Slot, StreamKind};
use serde_json::json;

fn with_sockets(count: f64, policy: &str) -> (Bed, usize) {
    let mut bed = Bed::new();
    let kinds = json!({ "ws": policy });
    bed.meddle(
        ResourceKind::RolloutPlan,
        "shop",
        json!([{ "op": "add", "path": "/spec/drain/kinds", "value": kinds }]),
    );
    let (mut bed, desk) = promoted_on(bed);
    bed.open_kind = StreamKind::Ws;
    bed.open.insert(Slot::A, count);
    bed.open_of = Some("acme");
    bed.ill.lingers = Some(Slot::A);
    bed.pass(2);
    bed.order(desk, Command::Finish);
    (bed, desk)
}

fn force(reason: &str) -> Command {
    Command::Force { reason: reason.into() }
}

#[test]
fn a_drain_that_is_not_proven_counts_in_words_what_is_open() {
    let (mut bed, desk) = with_sockets(5.0, "wait");
    bed.oldest = Some(252.0);
    bed.pass(5);
    assert_eq!(bed.view(desk).drain.headline, "not proven: 5 sockets, oldest 4m12s");
    let advice = bed.view(desk).advice.text;
    assert!(advice.starts_with("finish: not proven: 5 sockets, oldest 4m12s ("), "{advice}");
    bed.ill.down = Some(Slot::A);
    bed.pass(2);
    let said = bed.view(desk).drain.headline;
    let expected = "not proven: 5 sockets, oldest 4m12s; pod shop-a-0: a scrape failed in the quiet time; and 1 more";
    assert_eq!(said, expected);
    assert_eq!(bed.replicas("shop-a"), 2);
}

#[test]
fn what_reconnects_keeps_no_slot_and_is_said() {
    let (mut bed, desk) = with_sockets(3.0, "reconnect");
    bed.pass(8);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-a")), ("RetiringOld", 0));
    let drain = bed.view(desk).drain;
    assert!(drain.proven);
    assert_eq!(drain.headline, "proven: 3 sockets asked to reconnect, nothing else is open");
    let facts = super::preview(&bed.desks[desk].state, bed.now, &Command::Finish).facts;
    assert!(facts.iter().any(|f| f.text == "not waited for, but asked to reconnect when their pods end: sockets"));
    // One of the two pods ends as it should, the other has to be killed: only that one is cut.
    for (pod, code) in [("shop-a-0", 137), ("shop-a-1", 0)] {
        let ops = json!([
            { "op": "add", "path": "/metadata/deletionTimestamp", "value": bed.now.to_string() },
            { "op": "replace", "path": "/status/containerStatuses/0/state", "value": { "terminated": { "exitCode": code } } },
        ]);
        bed.meddle(ResourceKind::Pod, pod, ops);
    }
    bed.pass(1);
    bed.ill.lingers = None;
    bed.until(desk, "Done");
    assert_eq!(bed.release()["status"]["outcome"]["cut"], 1);
}

#[test]
fn after_its_patience_a_drain_is_said_with_whose_it_is_and_nothing_is_cut() {
    let (mut bed, desk) = with_sockets(5.0, "wait");
    bed.pass(30);
    let advice = bed.view(desk).advice;
    assert_eq!(
        advice.text,
        "the old version does not drain since 30s: 5 sockets (acme 5); wait, or force the drain, which cuts them"
    );
    assert_eq!(advice.action, None, "whoever follows the advice line alone cuts nobody");
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-a")), ("DrainingOld", 2));
}

#[test]
fn a_drain_of_the_new_version_is_forced_with_its_phrase_and_names_whom_it_cuts() {
    let (mut bed, desk) = baking_on(Bed::new());
    bed.open.insert(Slot::B, 2.0);
    bed.open_of = Some("acme");
    bed.pass(2);
    bed.order(desk, rollback());
    bed.pass(20);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-b")), ("DrainingNew", 2));
    let preview = super::preview(&bed.desks[desk].state, bed.now, &force("stuck"));
    assert_eq!(preview.confirm, super::Confirm::TypeWithReason("cut 2 on new".into()));
    assert_eq!(preview.refusals, []);
    assert!(preview.facts.iter().any(|f| f.text == "acme (2)"), "{:?}", preview.facts);
    bed.order(desk, force("stuck"));
    bed.until(desk, "RolledBack");
    assert_eq!(bed.replicas("shop-b"), 0);
    assert_eq!(bed.release()["status"]["outcome"]["forcedOn"], json!(["acme"]));
    let journal = bed.release()["status"]["journal"].to_string();
    assert!(journal.contains("forced without a drain proof: stuck; open: acme 2"), "{journal}");
}

#[test]
fn a_forced_drain_goes_on_under_the_hold_that_its_rollback_found_and_under_no_newer_one() {
    let (mut bed, desk) = baking_on(Bed::new());
    bed.open.insert(Slot::B, 1.0);
    bed.order(desk, hold());
    bed.pass(2);
    bed.order(desk, rollback());
    bed.pass(15);
    let other = bed.open_desk("kim");
    assert_eq!(super::preview(&bed.desks[desk].state, bed.now, &force("x")).refusals, []);
    bed.order(other, hold());
    bed.pass(2);
    bed.order(desk, force("x"));
    bed.pass(5);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-b")), ("DrainingNew", 2));
    bed.order(desk, Command::Resume);
    bed.pass(2);
    bed.order(desk, force("x"));
    bed.until(desk, "RolledBack");
}

#[test]
fn whose_work_is_cut_is_never_left_blank() {
    let (mut bed, desk) = promoted();
    bed.open.insert(Slot::A, 4.0);
    bed.pass(2);
    bed.order(desk, Command::Finish);
    bed.pass(3);
    bed.order(desk, force("agreed"));
    bed.until(desk, "Done");
    let journal = bed.release()["status"]["journal"].to_string();
    assert!(journal.contains("agreed; open: 4, whose is not known"), "{journal}");
}

#[test]
fn an_intent_that_expires_between_its_groups_is_given_up_and_its_marks_go() {
    let (mut bed, desk) = promoted();
    fate(&mut bed, desk, Fate::Slow, |w| w.target.name == "shop" && says(w, "retired"));
    bed.order(desk, Command::Finish);
    while !retired(&bed, "shop") {
        bed.pass(1);
    }
    // The machine sleeps for a minute; the answer of the first group is waiting when it wakes.
    bed.desks[desk].paused = true;
    bed.pass(70);
    let sent = bed.sent.len();
    bed.desks[desk].paused = false;
    bed.desks[desk].fate = Box::new(|_| Fate::Normal);
    bed.pass(1);
    let forward: Vec<_> = bed.sent[sent..].iter().map(|(_, w)| w).collect();
    let first = forward.iter().find(|w| w.target.kind == ResourceKind::Deployment).unwrap();
    assert_eq!(first.direction, Direction::Backward, "the Deployment is touched, not scaled: {first:?}");
    let journal = bed.release()["status"]["journal"].to_string();
    assert!(journal.contains("it expired before it was sent"), "{journal}");
    bed.until(desk, "Done");
}

#[test]
fn a_console_whose_picture_grows_old_goes_no_step_further_by_itself() {
    let (mut bed, desk) = promoted();
    bed.open.insert(Slot::A, 1.0);
    bed.pass(2);
    bed.order(desk, Command::Finish);
    bed.pass(5);
    bed.desks[desk].blind = true;
    bed.pass(12);
    bed.open.clear();
    bed.pass(15);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-a")), ("DrainingOld", 2));
    let said = bed.view(desk).running.map(|r| r.text).unwrap_or_default();
    assert!(said.contains("has not been heard of for"), "{said}");
    bed.desks[desk].blind = false;
    bed.until(desk, "Done");
}

#[test]
fn three_scrapes_prove_a_drain_and_two_do_not() {
    let (mut bed, gone) = promoted();
    bed.desks[gone].alive = false;
    bed.pass(20);
    let desk = bed.open_desk("kim");
    bed.order(desk, Command::Finish);
    bed.pass(1);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-a")), ("DrainingOld", 2), "it has seen two");
    bed.until(desk, "Done");
}

#[test]
fn a_slot_is_not_shown_as_drained_before_the_way_back_is_verified() {
    let (mut bed, desk) = baking_on(Bed::new());
    bed.pass(5);
    bed.metrics = false;
    bed.order(desk, rollback());
    bed.pass(1);
    let drain = bed.view(desk).drain;
    assert_eq!((bed.phase().as_str(), drain.proven), ("VerifyingBack", false));
    assert!(drain.missing.contains(&"routes are not verified off the new version".to_owned()), "{:?}", drain.missing);
}

#[test]
fn a_rollback_waits_for_no_picture() {
    let (mut bed, desk) = promoted();
    bed.desks[desk].blind = true;
    bed.pass(12);
    bed.metrics = false;
    bed.order(desk, rollback());
    bed.pass(3);
    assert_eq!(bed.slot_of("acme"), Some(Slot::A));
    assert!(matches!(bed.view(desk).running.map(|r| r.outcome), Some(RunningState::Running)));
}

#[test]
fn a_half_written_wave_goes_on_only_with_fresh_metrics() {
    let (mut bed, desk) = baking_on(Bed::new());
    bed.pass(3);
    fate(&mut bed, desk, Fate::Lost, |w| w.direction == Direction::Forward && w.target.kind == ResourceKind::HTTPRoute);
    bed.order(desk, super::tests::next());
    bed.metrics = false;
    bed.pass(15);
    bed.desks[desk].fate = Box::new(|_| Fate::Normal);
    bed.pass(20);
    assert_eq!((bed.phase().as_str(), bed.slot_of("globex")), ("Shifting", Some(Slot::A)), "S10");
    bed.metrics = true;
    bed.until(desk, "Baking");
    assert_eq!(bed.slot_of("globex"), Some(Slot::B));
}
