//! The protocol, on the small cluster: whole releases, and what must hold when writes are lost, late or doubled.

use super::testbed::{Bed, Fate};
use super::{Command, RunningState, Verb};
use crate::model::{Direction, ResourceKind, Slot};
use serde_json::json;

pub fn start() -> Command {
    Command::Start { release: None, version: Some("2".into()), image: None, commit: None }
}

pub fn next() -> Command {
    Command::Next { accept_no_traffic: None }
}

pub fn promote() -> Command {
    Command::Promote { accept_no_traffic: None }
}

pub fn rollback() -> Command {
    Command::Rollback { reason: "test".into() }
}

/// Brings a release to the point where the first ring bakes.
pub fn baking() -> (Bed, usize) {
    baking_on(Bed::new())
}

pub fn baking_on(mut bed: Bed) -> (Bed, usize) {
    let desk = bed.open_desk("dana");
    bed.order(desk, start());
    bed.until(desk, "Ready");
    bed.pass(3);
    bed.order(desk, next());
    bed.until(desk, "Baking");
    (bed, desk)
}

/// Brings a release to Promoted.
pub fn promoted() -> (Bed, usize) {
    promoted_on(Bed::new())
}

pub fn promoted_on(bed: Bed) -> (Bed, usize) {
    let (mut bed, desk) = baking_on(bed);
    go_on_to_promoted(&mut bed, desk);
    (bed, desk)
}

/// Brings a release whose first ring bakes to Promoted.
pub fn go_on_to_promoted(bed: &mut Bed, desk: usize) {
    bed.pass(3);
    bed.order(desk, next());
    bed.until(desk, "Baking");
    bed.pass(3);
    bed.order(desk, promote());
    bed.until(desk, "Promoted");
}

fn is_disarm(write: &super::Write) -> bool {
    matches!(&write.verb, Verb::Patch(ops) if ops.iter().any(|o| o["op"] == "replace" && o.to_string().contains("\"ph-")))
}

pub fn managed_routes(bed: &Bed) -> usize {
    bed.objects.keys().filter(|r| r.kind == ResourceKind::HTTPRoute && r.name.contains("-ph-")).count()
}

#[test]
fn a_release_moves_ring_by_ring_to_done_and_leaves_nothing_behind() {
    let (mut bed, desk) = baking();
    assert_eq!(bed.slot_of("acme"), Some(Slot::B));
    assert_eq!(bed.slot_of("globex"), Some(Slot::A));
    assert_eq!(bed.slot_of("nobody"), Some(Slot::A));
    bed.pass(3);
    bed.order(desk, next());
    bed.until(desk, "Baking");
    assert_eq!(bed.slot_of("globex"), Some(Slot::B));
    bed.pass(3);
    bed.order(desk, promote());
    bed.until(desk, "Promoted");
    assert_eq!(bed.slot_of("nobody"), Some(Slot::B));
    bed.order(desk, Command::Finish);
    bed.until(desk, "Done");
    bed.pass(2);
    assert_eq!(managed_routes(&bed), 0);
    assert_eq!((bed.replicas("shop-a"), bed.replicas("shop-b")), (0, 2));
    assert!(bed.get(ResourceKind::RolloutPlan, "shop")["status"]["activeRelease"].is_null());
    assert_eq!(bed.view(desk).header.state, "DONE");
    let journal: Vec<crate::api::JournalRecord> =
        serde_json::from_value(bed.release()["status"]["journal"].clone()).unwrap();
    assert!(super::is_chained(&journal));
}

#[test]
fn a_rollback_brings_everybody_back_and_retires_the_new_version() {
    let (mut bed, desk) = baking();
    bed.order(desk, rollback());
    bed.until(desk, "RolledBack");
    bed.pass(2);
    for customer in ["acme", "globex", "nobody"] {
        assert_eq!(bed.slot_of(customer), Some(Slot::A), "{customer}");
    }
    assert_eq!(managed_routes(&bed), 0);
    assert_eq!((bed.replicas("shop-a"), bed.replicas("shop-b")), (2, 0));
    assert_eq!(bed.view(desk).header.state, "ROLLED BACK");
}

#[test]
fn a_rollback_after_the_old_version_was_retired_starts_it_again_first() {
    let (mut bed, desk) = promoted();
    // The removal of the managed routes does not get through.
    bed.desks[desk].fate =
        Box::new(|w| if w.target.name.contains("-ph-") && is_disarm(w) { Fate::Lost } else { Fate::Normal });
    bed.order(desk, Command::Finish);
    bed.pass(10);
    assert_eq!((bed.replicas("shop-a"), bed.phase().as_str()), (0, "Cleaning"));
    bed.desks[desk].fate = Box::new(|_| Fate::Normal);
    bed.order(desk, rollback());
    bed.until(desk, "RolledBack");
    assert_eq!((bed.replicas("shop-a"), bed.replicas("shop-b")), (2, 0));
    assert_eq!(bed.slot_of("acme"), Some(Slot::A));
}

#[test]
fn nothing_is_scaled_down_while_a_transaction_is_open() {
    let (mut bed, desk) = promoted();
    bed.open.insert(Slot::A, 1.0);
    bed.pass(2);
    bed.order(desk, Command::Finish);
    bed.pass(30);
    assert_eq!(bed.phase(), "DrainingOld");
    assert_eq!(bed.replicas("shop-a"), 2);
    assert!(!bed.view(desk).drain.proven);
    bed.open.clear();
    bed.metrics = false;
    bed.pass(10);
    assert_eq!(bed.replicas("shop-a"), 2, "no metrics is no proof");
    bed.metrics = true;
    bed.until(desk, "Done");
    assert_eq!(bed.replicas("shop-a"), 0);
}

#[test]
fn a_quiet_time_shorter_than_three_scrapes_is_still_proven_by_three() {
    let mut bed = Bed::new();
    let mut plan = bed.get(ResourceKind::RolloutPlan, "shop").clone();
    plan["spec"]["drain"]["quiet"] = json!("1s");
    bed.put(ResourceKind::RolloutPlan, plan);
    let (mut bed, desk) = promoted_on(bed);
    bed.order(desk, Command::Finish);
    bed.until(desk, "Done");
    assert_eq!(bed.replicas("shop-a"), 0);
}

#[test]
fn after_a_hold_no_forward_write_lands() {
    let mut bed = Bed::new();
    let (driver, other) = (bed.open_desk("dana"), bed.open_desk("kim"));
    bed.order(driver, start());
    bed.until(driver, "Ready");
    bed.pass(3);
    // The shift is on its way when somebody else holds.
    bed.desks[driver].fate = Box::new(|w| {
        let shifts = w.direction == Direction::Forward && w.target.kind == ResourceKind::HTTPRoute && !w.dry_run;
        if shifts { Fate::Late } else { Fate::Normal }
    });
    bed.order(driver, next());
    bed.order(other, Command::Hold { reason: "look first".into() });
    bed.pass(2);
    assert_eq!(bed.view(other).running.map(|r| r.outcome), Some(RunningState::Done));
    assert!(!bed.late.is_empty());
    while !bed.late.is_empty() {
        assert!(!bed.arrive(0), "a forward write landed after the hold");
    }
    assert_eq!(bed.slot_of("acme"), Some(Slot::A));
    bed.desks[driver].fate = Box::new(|_| Fate::Normal);
    bed.pass(10);
    assert_eq!(bed.slot_of("acme"), Some(Slot::A), "nothing moves while it is held");
    bed.order(driver, Command::Resume);
    bed.until(driver, "Baking");
    assert_eq!(bed.slot_of("acme"), Some(Slot::B));
}

#[test]
fn a_write_without_an_answer_is_settled_and_not_repeated_blindly() {
    for fate in [Fate::Mute, Fate::Lost] {
        let mut bed = Bed::new();
        let desk = bed.open_desk("dana");
        bed.order(desk, start());
        bed.until(desk, "Ready");
        bed.pass(3);
        let first = std::cell::Cell::new(true);
        bed.desks[desk].fate = Box::new(move |w| {
            let shifts = w.direction == Direction::Forward && w.target.kind == ResourceKind::HTTPRoute && !w.dry_run;
            if shifts && first.replace(false) { fate } else { Fate::Normal }
        });
        bed.order(desk, next());
        bed.until(desk, "Baking");
        assert_eq!(bed.slot_of("acme"), Some(Slot::B), "{fate:?}");
        assert!(bed.release()["status"]["blocked"].is_null());
    }
}

#[test]
fn a_forward_intent_of_a_dead_console_waits_for_a_person() {
    let mut bed = Bed::new();
    let dead = bed.open_desk("dana");
    bed.order(dead, start());
    bed.until(dead, "Ready");
    bed.pass(3);
    bed.desks[dead].fate = Box::new(|w| {
        let shifts = w.direction == Direction::Forward && w.target.kind == ResourceKind::HTTPRoute && !w.dry_run;
        if shifts { Fate::Late } else { Fate::Normal }
    });
    bed.order(dead, next());
    bed.desks[dead].alive = false;
    let other = bed.open_desk("kim");
    bed.pass(20);
    assert_eq!(bed.slot_of("acme"), Some(Slot::A));
    bed.order(other, Command::Take { reason: "dana is gone".into() });
    bed.pass(5);
    assert!(!bed.arrive(0), "the dead console's write is fenced off");
    bed.pass(5);
    assert_eq!(bed.phase(), "Shifting");
    assert_eq!(bed.slot_of("acme"), Some(Slot::A), "taking over alone moves nobody");
    bed.order(other, Command::Resume);
    bed.until(other, "Baking");
    assert_eq!(bed.slot_of("acme"), Some(Slot::B));
}

#[test]
fn somebody_elses_write_blocks_forward_acts_and_never_a_rollback() {
    let (mut bed, desk) = baking();
    let fence = crate::routing::fence_of(bed.get(ResourceKind::HTTPRoute, "shop")).unwrap();
    bed.meddle(
        ResourceKind::HTTPRoute,
        "shop",
        json!([{ "op": "replace", "path": "/metadata/annotations/pilothouse.dev~1fence", "value": (fence + 1).to_string() }]),
    );
    bed.pass(3);
    bed.order(desk, next());
    bed.pass(5);
    assert_eq!(bed.release()["status"]["blocked"]["kind"], "drifted");
    assert_eq!(bed.slot_of("globex"), Some(Slot::A));
    bed.order(desk, rollback());
    bed.until(desk, "RolledBack");
    assert_eq!(bed.slot_of("acme"), Some(Slot::A));
}

#[test]
fn a_rollback_from_standby_takes_over_and_fences_the_driver_off() {
    let (mut bed, driver) = baking();
    let other = bed.open_desk("kim");
    bed.pass(2);
    bed.order(other, rollback());
    bed.until(other, "RolledBack");
    assert_eq!(bed.slot_of("acme"), Some(Slot::A));
    assert_eq!(bed.release()["status"]["driver"]["epoch"], 2);
    assert!(bed.view(driver).notices.iter().any(|n| n.text.contains("took driving over")));
}

#[test]
fn a_retire_that_is_given_up_leaves_no_retired_mark_while_old_is_up() {
    let (mut bed, desk) = promoted();
    let first = std::cell::Cell::new(true);
    bed.desks[desk].fate = Box::new(move |w| {
        let marks = w.target.name == "shop"
            && matches!(&w.verb, Verb::Patch(ops) if ops.iter().any(|o| o.to_string().contains("retired")));
        if marks && first.replace(false) { Fate::Mute } else { Fate::Normal }
    });
    bed.order(desk, Command::Finish);
    for _ in 0..30 {
        bed.pass(1);
        let retired = bed.get(ResourceKind::HTTPRoute, "shop").to_string().contains("retired");
        let scaled_down = bed.replicas("shop-a") == 0;
        let settling = !bed.release()["status"]["intent"].is_null();
        assert!(!retired || scaled_down || settling, "at rest a retired mark means that old is scaled down");
    }
    bed.until(desk, "Done");
}

#[test]
fn everything_that_speaks_against_a_start_is_said_at_once() {
    let mut bed = Bed::new();
    bed.meddle(ResourceKind::Deployment, "shop-b", json!([{ "op": "replace", "path": "/spec/replicas", "value": 1 }]));
    bed.objects.remove(&crate::model::ResourceRef::new(ResourceKind::Service, "shop-b"));
    let desk = bed.open_desk("dana");
    bed.order(desk, start());
    let Some(RunningState::Refused { why }) = bed.view(desk).running.map(|r| r.outcome) else { panic!("not refused") };
    let rules: Vec<&str> = why.iter().map(|r| r.rule.as_str()).collect();
    assert!(rules.contains(&"slot.idle-runs") && rules.contains(&"slot.no-service"), "{rules:?}");
    assert!(bed.release().is_null());
}

#[test]
fn a_start_asks_for_the_version_and_promote_for_the_unlisted() {
    use super::Confirm;
    let mut fresh = Bed::new();
    let idle = fresh.open_desk("dana");
    let asked = super::preview(&fresh.desks[idle].state, fresh.now, &start()).confirm;
    assert_eq!(asked, Confirm::Type("2".into()));
    let (bed, desk) = baking();
    let confirm = |command: &Command| super::preview(&bed.desks[desk].state, bed.now, command).confirm;
    assert_eq!(confirm(&next()), Confirm::Type("rest".into()));
    assert_eq!(confirm(&promote()), Confirm::Type("unlisted".into()));
    assert_eq!(confirm(&rollback()), Confirm::Yes);
    assert_eq!(confirm(&Command::Hold { reason: String::new() }), Confirm::AtOnce);
}

#[test]
fn the_next_wave_waits_for_the_bake_and_for_the_phase() {
    let (bed, desk) = baking();
    let refusals = super::preview(&bed.desks[desk].state, bed.now, &next()).refusals;
    assert!(refusals.iter().any(|r| r.rule == "guard.bake"), "{refusals:?}");
}

#[test]
fn old_records_of_the_journal_move_to_a_config_map_and_none_is_lost() {
    let (mut bed, desk) = baking();
    for _ in 0..250 {
        let before = bed.release()["status"]["journal"].as_array().unwrap().len();
        bed.order(desk, Command::Hold { reason: "again".into() });
        bed.pass(1);
        bed.order(desk, Command::Resume);
        bed.pass(1);
        if bed.release()["status"]["journal"].as_array().unwrap().len() < before {
            break;
        }
    }
    let kept: Vec<crate::api::JournalRecord> =
        serde_json::from_value(bed.release()["status"]["journal"].clone()).unwrap();
    let name = format!("{}-journal-1", crate::model::name_of(bed.release()));
    let moved = bed.get(ResourceKind::ConfigMap, &name)["data"]["journal.json"].as_str().unwrap();
    let mut all: Vec<crate::api::JournalRecord> = serde_json::from_str(moved).unwrap();
    assert_eq!(all.len(), 100);
    all.extend(kept);
    assert!(super::is_chained(&all), "the chain goes on from the ConfigMap into the Release");
}

#[test]
fn a_forced_drain_needs_its_phrase_and_names_whom_it_cuts() {
    let (mut bed, desk) = promoted();
    bed.open.insert(Slot::A, 1.0);
    bed.open_of = Some("acme");
    bed.pass(2);
    bed.order(desk, Command::Finish);
    bed.pass(20);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-a")), ("DrainingOld", 2));
    let force = Command::Force { reason: "the export hangs".into() };
    let preview = super::preview(&bed.desks[desk].state, bed.now, &force);
    assert_eq!(preview.confirm, super::Confirm::TypeWithReason("cut 1 on old".into()));
    assert_eq!(preview.refusals, []);
    bed.order(desk, force);
    bed.until(desk, "Done");
    assert_eq!(bed.replicas("shop-a"), 0);
    let journal = bed.release()["status"]["journal"].to_string();
    assert!(journal.contains("forced without a drain proof: the export hangs; open: acme 1"), "{journal}");
    assert_eq!(bed.release()["status"]["outcome"]["forcedOn"], json!(["acme"]));
}

#[test]
fn an_act_is_one_event_with_its_latest_state_and_the_reason_it_began_with() {
    let (mut bed, desk) = baking();
    bed.order(desk, rollback());
    bed.until(desk, "RolledBack");
    let events = bed.view(desk).events;
    let backs: Vec<_> = events.iter().filter(|e| e.what.starts_with("route everybody back")).collect();
    assert_eq!(backs.len(), 1, "{events:?}");
    assert_eq!((backs[0].why.as_str(), backs[0].result.as_str()), ("test", "applied 2 of 2"));
    assert!(events.iter().all(|e| e.result != "begun"), "{events:?}");
}

#[test]
fn a_version_in_use_says_whom_it_serves_and_open_work_of_nobody_listed_is_the_unlisteds() {
    let (mut bed, desk) = baking();
    bed.open.insert(Slot::A, 1.0);
    bed.pass(2);
    let view = bed.view(desk);
    assert!(view.drain.in_use && !view.drain.proven);
    assert_eq!(view.drain.headline, "serves 2 customers and the unlisted");
    let last = view.rings.last().unwrap();
    assert!(last.unlisted);
    assert_eq!(last.inflight_left, view.drain.inflight, "no customer of a list has open work");
    assert!(last.inflight_left > Some(0));
}

#[test]
fn while_held_the_time_in_the_header_is_the_holds() {
    let (mut bed, desk) = baking();
    bed.pass(5);
    bed.order(desk, Command::Hold { reason: "look".into() });
    bed.pass(2);
    let header = bed.view(desk).header;
    assert_eq!((header.state.as_str(), header.phase.as_str(), header.in_phase), ("HOLD", "BAKING", Some(2)));
}

#[test]
fn a_rollback_that_cleans_up_still_reads_as_one_and_not_as_a_held_release() {
    let (mut bed, desk) = baking();
    bed.order(desk, Command::Hold { reason: "look".into() });
    bed.desks[desk].fate =
        Box::new(|w| if w.target.name.contains("-ph-") && is_disarm(w) { Fate::Lost } else { Fate::Normal });
    bed.order(desk, rollback());
    bed.pass(20);
    let view = bed.view(desk);
    assert_eq!((bed.phase().as_str(), view.header.state.as_str()), ("Cleaning", "CLEANING"));
    assert_eq!(view.drain.side, Some(crate::model::Side::New));
    assert!(view.way_out.starts_with("rolling back"), "{}", view.way_out);
}
