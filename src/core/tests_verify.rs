//! What a step waits for, and what stops it: each test fails when its rule is taken away.

use super::testbed::{Bed, Fate};
use super::tests::{baking, baking_on, managed_routes, next, promoted, rollback, start};
use super::tests_protocol::{fate, heal, is_forward, is_route, managed};
use super::{Command, State};
use crate::model::{Direction, ResourceKind, Slot};
use serde_json::json;

fn settling(seconds: u32) -> Bed {
    let mut bed = Bed::new();
    let settle = format!("{seconds}s");
    bed.meddle(
        ResourceKind::RolloutPlan,
        "shop",
        json!([{ "op": "replace", "path": "/spec/settle", "value": settle }]),
    );
    bed
}

fn ready(mut bed: Bed) -> (Bed, usize) {
    let desk = bed.open_desk("dana");
    bed.order(desk, start());
    bed.until(desk, "Ready");
    bed.pass(3);
    (bed, desk)
}

fn refused(bed: &Bed, desk: usize) -> Vec<String> {
    let state: &State = &bed.desks[desk].state;
    super::preview(state, bed.now, &next()).refusals.into_iter().map(|r| r.rule).collect()
}

fn says(bed: &Bed, desk: usize, text: &str) {
    let said = bed.view(desk).running.map(|r| r.text).unwrap_or_default();
    assert!(said.contains(text), "{said}");
}

#[test]
fn a_gateway_that_drops_rules_stops_the_wave_and_not_the_way_back() {
    let (mut bed, desk) = ready(Bed::new());
    bed.ill.dropped = true;
    bed.order(desk, next());
    bed.pass(8);
    assert_eq!(
        (bed.phase().as_str(), bed.release()["status"]["blocked"]["kind"].as_str()),
        ("Verifying", Some("badStatus"))
    );
    bed.order(desk, rollback());
    bed.pass(5);
    assert_eq!(bed.slot_of("acme"), Some(Slot::A));
}

#[test]
fn a_shift_that_the_gateway_has_not_accepted_is_not_verified() {
    let (mut bed, desk) = ready(Bed::new());
    bed.ill.pending = true;
    bed.order(desk, next());
    bed.pass(15);
    assert_eq!(bed.phase(), "Verifying");
    says(&bed, desk, "the gateway has not accepted yet");
    bed.ill.pending = false;
    bed.until(desk, "Baking");
}

#[test]
fn both_the_installation_and_a_shift_settle_for_as_long_as_the_plan_says() {
    let mut bed = settling(20);
    let desk = bed.open_desk("dana");
    bed.order(desk, start());
    bed.pass(15);
    assert_eq!(bed.phase(), "Preparing");
    says(&bed, desk, "settling for");
    bed.until(desk, "Ready");
    bed.order(desk, next());
    bed.pass(15);
    assert_eq!(bed.phase(), "Verifying");
    says(&bed, desk, "settling for");
    bed.until(desk, "Baking");
}

#[test]
fn a_shift_is_verified_by_scrapes_after_it_has_settled() {
    let (mut bed, desk) = ready(Bed::new());
    bed.order(desk, next());
    bed.metrics = false;
    bed.pass(3);
    assert_eq!(bed.phase(), "Verifying", "fresh samples from before the shift say nothing of it");
    bed.metrics = true;
    bed.until(desk, "Baking");
}

#[test]
fn no_wave_moves_on_samples_that_are_missing_old_or_partial() {
    let (mut bed, desk) = baking();
    bed.pass(4);
    assert_eq!(refused(&bed, desk), [] as [String; 0]);
    bed.ill.partial = true;
    bed.pass(1);
    assert_eq!(refused(&bed, desk), ["guard.stale-metrics"]);
    bed.ill.partial = false;
    bed.metrics = false;
    bed.pass(6);
    assert_eq!(refused(&bed, desk), ["guard.stale-metrics"]);
    bed.metrics = true;
    bed.ill.unscraped = Some("shop-a-2");
    bed.meddle(ResourceKind::Deployment, "shop-a", json!([{ "op": "replace", "path": "/spec/replicas", "value": 3 }]));
    bed.pass(2);
    assert_eq!(refused(&bed, desk), ["guard.stale-metrics"]);
}

#[test]
fn samples_from_before_an_outage_prove_no_drain() {
    let (mut bed, desk) = promoted();
    bed.pass(5);
    bed.metrics = false;
    bed.pass(6);
    bed.order(desk, Command::Finish);
    bed.pass(10);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-a")), ("DrainingOld", 2));
    bed.metrics = true;
    bed.until(desk, "Done");
}

#[test]
fn a_source_that_does_not_say_which_scrapes_worked_proves_no_drain() {
    let (mut bed, gone) = promoted();
    bed.desks[gone].alive = false;
    bed.pass(20);
    bed.ill.no_up = true;
    let desk = bed.open_desk("kim");
    bed.pass(2);
    bed.order(desk, Command::Finish);
    bed.pass(12);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-a")), ("DrainingOld", 2));
    bed.ill.no_up = false;
    bed.until(desk, "Done");
}

#[test]
fn a_half_written_wave_is_not_written_to_pods_that_are_not_ready() {
    let (mut bed, desk) = baking_on(Bed::new());
    bed.pass(3);
    fate(&mut bed, desk, Fate::Lost, |w| is_route(w) && is_forward(w));
    bed.order(desk, next());
    bed.ill.unready = Some(Slot::B);
    bed.pass(8);
    heal(&mut bed, desk);
    bed.pass(10);
    assert_eq!((bed.phase().as_str(), bed.slot_of("globex")), ("Shifting", Some(Slot::A)), "S1");
}

#[test]
fn a_rollback_that_was_begun_is_completed_by_whoever_drives() {
    let (mut bed, gone) = promoted();
    fate(&mut bed, gone, Fate::Lost, is_route);
    bed.order(gone, rollback());
    bed.pass(2);
    assert_eq!(bed.phase(), "RollingBack");
    bed.desks[gone].alive = false;
    let desk = bed.open_desk("kim");
    bed.order(desk, Command::Take { reason: "dana is gone".into() });
    bed.until_phase("VerifyingBack");
    assert_eq!(bed.slot_of("nobody"), Some(Slot::A));
    bed.pass(20);
    assert_eq!(bed.phase(), "VerifyingBack", "the rest waits for a person");
}

#[test]
fn a_rollback_waits_for_no_answer_to_what_its_console_was_writing() {
    let (mut bed, desk) = baking();
    bed.pass(3);
    fate(&mut bed, desk, Fate::Late, |w| is_route(w) && is_forward(w));
    bed.order(desk, next());
    bed.order(desk, rollback());
    assert_eq!(bed.slot_of("acme"), Some(Slot::A), "L1: at once, not after the time-out of the shift");
    assert!(!bed.arrive(0));
}

#[test]
fn a_rollback_writes_the_base_before_every_managed_route() {
    let (mut bed, desk) = promoted();
    let applied = bed.applied.len();
    bed.order(desk, rollback());
    bed.until(desk, "RolledBack");
    let back = bed.applied[applied..].iter().filter(|w| is_route(w) && w.direction == Direction::Backward);
    let order: Vec<&str> = back.map(|w| w.target.name.as_str()).collect();
    assert_eq!(order.first(), Some(&"shop"), "{order:?}");
    assert!(order.len() > 1);
}

#[test]
fn matches_go_back_to_placeholders_some_time_before_their_route_is_deleted() {
    let (mut bed, desk) = promoted();
    bed.order(desk, Command::Finish);
    let mut seen = false;
    for _ in 0..20 {
        bed.pass(1);
        let routes: Vec<_> = managed(&bed);
        seen |= routes
            .iter()
            .any(|name| crate::routing::serves_nobody(bed.get(ResourceKind::HTTPRoute, name), "x-customer"));
    }
    assert!(seen && managed_routes(&bed) == 0, "a gateway merges patches that follow each other at once");
}

#[test]
fn a_route_of_somebody_else_under_our_name_is_not_taken_for_ours() {
    let name = managed(&ready(Bed::new()).0)[0].clone();
    let mut bed = Bed::new();
    let desk = bed.open_desk("dana");
    bed.ill.unready = Some(Slot::B);
    bed.order(desk, start());
    bed.pass(3);
    let mut route = bed.get(ResourceKind::HTTPRoute, "shop").clone();
    route["metadata"] = json!({ "name": name });
    bed.put(ResourceKind::HTTPRoute, route);
    bed.ill.unready = None;
    bed.pass(10);
    assert_eq!(bed.release()["status"]["blocked"]["kind"], "drifted");
    assert_eq!(bed.phase(), "Preparing");
}

#[test]
fn a_forward_order_takes_driving_from_nobody_who_was_not_shown() {
    let (mut bed, gone) = baking();
    bed.desks[gone].alive = false;
    bed.pass(20);
    let (kim, sam) = (bed.open_desk("kim"), bed.open_desk("sam"));
    fate(&mut bed, kim, Fate::Lost, |w| w.target.kind == ResourceKind::Release);
    bed.order(kim, next());
    // Sam's console takes over meanwhile, and no Lease says so.
    fate(&mut bed, sam, Fate::Lost, |w| w.target.kind == ResourceKind::Lease);
    bed.order(sam, Command::Take { reason: "dana is gone".into() });
    heal(&mut bed, kim);
    bed.pass(10);
    let Some(super::RunningState::Stopped { why }) = bed.view(kim).running.map(|r| r.outcome) else {
        panic!("not stopped")
    };
    assert!(why.contains("sam") && why.contains("drives this release now"), "{why}");
    assert_eq!((bed.slot_of("globex"), bed.release()["status"]["driver"]["epoch"].as_u64()), (Some(Slot::A), Some(2)));
}

#[test]
fn a_new_version_to_which_a_stranger_has_sent_somebody_is_not_retired_as_never_routed() {
    let (mut bed, desk) = ready(Bed::new());
    let route = managed(&bed)[0].clone();
    let mut weights = Vec::new();
    for (rule, value) in
        bed.get(ResourceKind::HTTPRoute, &route)["spec"]["rules"].as_array().unwrap().iter().enumerate()
    {
        for (i, backend) in value["backendRefs"].as_array().unwrap().iter().enumerate() {
            let weight = if backend["name"] == "shop-b" { 100 } else { 0 };
            weights.push(json!({ "op": "replace", "path": format!("/spec/rules/{rule}/backendRefs/{i}/weight"), "value": weight }));
        }
    }
    bed.meddle(ResourceKind::HTTPRoute, &route, json!(weights));
    bed.open.insert(Slot::B, 1.0);
    bed.pass(3);
    bed.order(desk, rollback());
    bed.pass(20);
    assert_eq!(bed.slot_of("acme"), Some(Slot::A));
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-b")), ("DrainingNew", 2), "what runs there is not cut");
    bed.open.clear();
    bed.until(desk, "RolledBack");
}
