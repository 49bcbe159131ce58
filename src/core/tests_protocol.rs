//! The cases of the checked model of the protocol, and what the review found: each fails when its rule is taken away.

use super::testbed::{Bed, EVERYBODY, Fate};
use super::tests::{baking, managed_routes, next, promote, promoted, rollback, start};
use super::{Command, RunningState, Verb, Write};
use crate::model::{Direction, ResourceKind, Slot};
use crate::routing::{self, Edit, Fence, Rules};
use serde_json::{Value, json};

pub fn hold() -> Command {
    Command::Hold { reason: "look".into() }
}

pub fn started(version: &str) -> Command {
    Command::Start { release: None, version: Some(version.into()), image: None, commit: None }
}

/// Lets only the writes that match have this fate.
pub fn fate(bed: &mut Bed, desk: usize, fate: Fate, which: impl Fn(&Write) -> bool + 'static) {
    bed.desks[desk].fate = Box::new(move |w| if !w.dry_run && which(w) { fate } else { Fate::Normal });
}

/// Lets only the first write that matches have this fate.
pub fn first_fate(bed: &mut Bed, desk: usize, given: Fate, which: impl Fn(&Write) -> bool + 'static) {
    let first = std::cell::Cell::new(true);
    fate(bed, desk, given, move |w| which(w) && first.replace(false));
}

pub fn heal(bed: &mut Bed, desk: usize) {
    bed.desks[desk].fate = Box::new(|_| Fate::Normal);
}

pub fn is_route(write: &Write) -> bool {
    write.target.kind == ResourceKind::HTTPRoute
}

pub fn is_forward(write: &Write) -> bool {
    write.direction == Direction::Forward && !write.dry_run && write.target.kind != ResourceKind::Release
}

pub fn says(write: &Write, text: &str) -> bool {
    matches!(&write.verb, Verb::Patch(ops) if ops.iter().any(|o| o["op"] != "test" && o.to_string().contains(text)))
}

pub fn scales(write: &Write, replicas: u32) -> bool {
    matches!(&write.verb, Verb::Patch(ops) if ops.iter().any(|o| o["op"] == "replace" && o["path"] == "/spec/replicas" && o["value"] == replicas))
}

pub fn managed(bed: &Bed) -> Vec<String> {
    let names = bed.objects.keys().filter(|r| r.kind == ResourceKind::HTTPRoute && r.name.contains("-ph-"));
    names.map(|r| r.name.clone()).collect()
}

pub fn retired(bed: &Bed, route: &str) -> bool {
    bed.get(ResourceKind::HTTPRoute, route)["metadata"]["annotations"]["pilothouse.dev/undo"]
        .as_str()
        .is_some_and(|undo| undo.contains("retired"))
}

/// The patch with which a break-glass rollback sends a route to the old slot, made of the route as it is now.
pub fn break_glass(bed: &Bed, route: &str) -> Vec<Value> {
    let live = bed.get(ResourceKind::HTTPRoute, route);
    let edits = [Edit::Weights { rules: Rules::All, old: "shop-a", new: "shop-b", to: crate::model::Side::Old }];
    routing::patch(live, Fence::At(routing::fence_of(live).unwrap()), &edits).unwrap()
}

pub fn lands(bed: &mut Bed, route: &str, ops: &[Value]) -> bool {
    let live = bed.get(ResourceKind::HTTPRoute, route).clone();
    let Ok(_) = routing::apply(&live, ops) else { return false };
    bed.meddle(ResourceKind::HTTPRoute, route, Value::Array(ops.to_vec()));
    true
}

#[test]
fn t1_a_break_glass_patch_from_before_cannot_land_once_its_route_is_marked_retired() {
    let (mut bed, desk) = promoted();
    let route = managed(&bed)[0].clone();
    let late = break_glass(&bed, &route);
    bed.order(desk, Command::Finish);
    bed.until(desk, "Done");
    assert_eq!(bed.replicas("shop-a"), 0);
    assert!(!bed.objects.keys().any(|r| r.name == route) || !lands(&mut bed, &route, &late));
}

#[test]
fn t1_every_route_is_marked_before_the_old_version_is_scaled_down() {
    let (mut bed, desk) = promoted();
    let routes = managed(&bed);
    let late: Vec<_> = routes.iter().map(|route| (route.clone(), break_glass(&bed, route))).collect();
    fate(&mut bed, desk, Fate::Late, |w| scales(w, 0));
    bed.order(desk, Command::Finish);
    bed.pass(4);
    assert!(bed.late.iter().any(|w| scales(w, 0)), "the scale-down is on its way");
    assert!(retired(&bed, "shop"));
    for (route, ops) in late {
        assert!(retired(&bed, &route));
        assert!(!lands(&mut bed, &route, &ops), "{route}");
    }
}

#[test]
fn t3_a_takeover_rollback_in_the_middle_of_a_retire_makes_undo_live_again() {
    for stage in ["shop", "-ph-", "shop-a"] {
        for given in [Fate::Late, Fate::Mute, Fate::Lost] {
            let (mut bed, driver) = promoted();
            fate(&mut bed, driver, given, move |w| {
                w.direction == Direction::Forward
                    && (says(w, "retired") || scales(w, 0))
                    && (w.target.name == stage || (stage == "-ph-" && w.target.name.contains(stage)))
            });
            bed.order(driver, Command::Finish);
            bed.pass(4);
            bed.desks[driver].alive = false;
            let other = bed.open_desk("kim");
            bed.order(other, rollback());
            bed.until(other, "RolledBack");
            while !bed.late.is_empty() {
                assert!(!bed.arrive(0), "m1, m10: {stage} {given:?} landed after the takeover");
            }
            assert!(!retired(&bed, "shop"), "{stage} {given:?}");
            assert_eq!((bed.replicas("shop-a"), bed.replicas("shop-b")), (2, 0), "{stage} {given:?}");
            assert_eq!(bed.slot_of("acme"), Some(Slot::A));
        }
    }
}

#[test]
fn t4_a_break_glass_rollback_of_any_route_stops_the_next_forward_act() {
    for index in 0..2 {
        let (mut bed, desk) = baking();
        let route = [vec!["shop".to_owned()], managed(&bed)].concat()[index].clone();
        let ops = break_glass(&bed, &route);
        assert!(lands(&mut bed, &route, &ops));
        bed.pass(3);
        let applied = bed.applied.len();
        bed.order(desk, next());
        bed.pass(5);
        assert!(!bed.applied[applied..].iter().any(is_forward), "{route}");
        assert_eq!(bed.slot_of("globex"), Some(Slot::A));
    }
}

#[test]
fn t9_a_touch_after_an_unknown_promote_does_not_take_a_strangers_write_for_its_own() {
    let (mut bed, desk) = baking();
    bed.pass(3);
    bed.order(desk, next());
    bed.until(desk, "Baking");
    bed.pass(3);
    fate(&mut bed, desk, Fate::Late, |w| w.target.name == "shop" && is_route(w) && is_forward(w));
    bed.order(desk, promote());
    let ops = break_glass(&bed, "shop");
    assert!(lands(&mut bed, "shop", &ops));
    heal(&mut bed, desk);
    bed.pass(10);
    assert_eq!(bed.release()["status"]["blocked"]["kind"], "drifted");
    assert!(!bed.arrive(0));
    assert_eq!(bed.slot_of("nobody"), Some(Slot::A));
}

#[test]
fn m5_a_post_that_lands_after_the_end_serves_nobody_and_the_next_start_names_it() {
    let mut bed = Bed::new();
    let desk = bed.open_desk("dana");
    first_fate(&mut bed, desk, Fate::Late, |w| is_route(w) && matches!(w.verb, Verb::Create(_)));
    bed.order(desk, start());
    bed.pass(3);
    bed.order(desk, rollback());
    bed.until(desk, "RolledBack");
    bed.pass(3);
    assert!(bed.arrive(0));
    assert_eq!(managed_routes(&bed), 1);
    assert_eq!(bed.slot_of("acme"), Some(Slot::A));
    bed.pass(1);
    bed.order(desk, started("3"));
    let Some(RunningState::Refused { why }) = bed.view(desk).running.map(|r| r.outcome) else { panic!("not refused") };
    assert!(why.iter().any(|r| r.text.contains("-ph-")), "{why:?}");
}

#[test]
fn m9_prepare_is_written_again_when_its_first_writes_were_lost() {
    for lost in ["shop", "shop-b"] {
        let mut bed = Bed::new();
        let desk = bed.open_desk("dana");
        first_fate(&mut bed, desk, Fate::Lost, move |w| {
            w.target.name == lost && is_forward(w) && matches!(w.verb, Verb::Patch(_))
        });
        bed.order(desk, start());
        bed.until(desk, "Ready");
        assert_eq!(bed.replicas("shop-b"), 2, "{lost}");
        assert!(bed.get(ResourceKind::HTTPRoute, "shop").to_string().contains("undo"));
    }
}

#[test]
fn m9_a_resume_does_not_take_the_marks_of_the_release_before_for_its_own() {
    let (mut bed, desk) = baking();
    bed.order(desk, rollback());
    bed.until(desk, "RolledBack");
    bed.pass(3);
    fate(&mut bed, desk, Fate::Lost, |w| w.target.name == "shop" && is_forward(w) && is_route(w));
    bed.order(desk, started("3"));
    bed.order(desk, hold());
    bed.pass(8);
    heal(&mut bed, desk);
    bed.order(desk, Command::Resume);
    bed.until(desk, "Ready");
    let undo = bed.get(ResourceKind::HTTPRoute, "shop")["metadata"]["annotations"]["pilothouse.dev/undo"].to_string();
    assert!(undo.contains("shop-3"), "{undo}");
    assert_eq!(bed.replicas("shop-b"), 2);
}

#[test]
fn a_hold_stops_the_next_group_of_writes_at_this_console_at_once() {
    let (mut bed, desk) = promoted();
    fate(&mut bed, desk, Fate::Slow, |w| w.target.name == "shop" && says(w, "retired"));
    bed.order(desk, Command::Finish);
    while !retired(&bed, "shop") {
        bed.pass(1);
    }
    let sent = bed.sent.len();
    bed.order(desk, hold());
    bed.pass(5);
    assert!(!bed.sent[sent..].iter().any(|(_, w)| is_forward(w)), "S5: no forward write leaves after the key");
    assert_eq!(bed.replicas("shop-a"), 2);
}

#[test]
fn a_console_that_leaves_sends_no_further_forward_write() {
    let (mut bed, desk) = promoted();
    fate(&mut bed, desk, Fate::Slow, |w| w.target.name == "shop" && says(w, "retired"));
    bed.order(desk, Command::Finish);
    while !retired(&bed, "shop") {
        bed.pass(1);
    }
    let sent = bed.sent.len();
    bed.leave(desk);
    bed.pass(5);
    assert!(!bed.sent[sent..].iter().any(|(_, w)| is_forward(w)));
}

#[test]
fn f6_a_hold_older_than_a_rollback_does_not_stop_its_end_and_a_newer_one_does() {
    let (mut bed, desk) = baking();
    let other = bed.open_desk("kim");
    bed.order(other, hold());
    bed.pass(2);
    bed.open.insert(Slot::B, 1.0);
    bed.order(desk, rollback());
    bed.pass(10);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-b")), ("DrainingNew", 2));
    bed.order(other, hold());
    bed.open.clear();
    bed.pass(15);
    assert_eq!(bed.replicas("shop-b"), 2, "the newer hold stops the retire");
    bed.order(desk, Command::Resume);
    bed.until(desk, "RolledBack");

    let (mut bed, desk) = baking();
    bed.order(desk, hold());
    bed.pass(2);
    bed.order(desk, rollback());
    bed.until(desk, "RolledBack");
}

#[test]
fn a_gate_that_fails_while_a_rollback_is_begun_does_not_hold_it() {
    let (mut bed, desk) = baking_with_restart_gate();
    fate(&mut bed, desk, Fate::Lost, |w| w.target.kind == ResourceKind::Release);
    bed.order(desk, rollback());
    bed.meddle(
        ResourceKind::Pod,
        "shop-b-0",
        json!([{ "op": "replace", "path": "/status/containerStatuses/0/restartCount", "value": 3 }]),
    );
    bed.pass(2);
    heal(&mut bed, desk);
    bed.until(desk, "RolledBack");
}

fn baking_with_restart_gate() -> (Bed, usize) {
    let mut bed = Bed::new();
    let gates = json!([{ "name": "restarts", "kind": "restarts", "max": 0 }]);
    bed.meddle(ResourceKind::RolloutPlan, "shop", json!([{ "op": "add", "path": "/spec/gates", "value": gates }]));
    let desk = bed.open_desk("dana");
    bed.order(desk, start());
    bed.until(desk, "Ready");
    bed.pass(3);
    bed.order(desk, next());
    bed.until(desk, "Baking");
    (bed, desk)
}

#[test]
fn a_resume_lifts_only_the_hold_that_was_shown() {
    let (mut bed, desk) = baking();
    let other = bed.open_desk("kim");
    bed.order(desk, hold());
    bed.pass(2);
    fate(&mut bed, desk, Fate::Slow, |w| w.target.kind == ResourceKind::Release && says_status(w, "resume"));
    bed.order(desk, Command::Resume);
    bed.order(other, hold());
    bed.pass(8);
    assert!(bed.release()["spec"]["hold"]["by"].as_str().is_some_and(|by| by.contains("kim")));
}

fn says_status(write: &Write, text: &str) -> bool {
    matches!(&write.verb, Verb::PatchStatus(ops) if ops.iter().any(|o| o.to_string().contains(text)))
}

#[test]
fn touches_of_a_hold_that_do_not_get_through_keep_no_rollback_waiting() {
    let (mut bed, driver) = baking();
    bed.pass(3);
    fate(&mut bed, driver, Fate::Late, |w| is_route(w) && is_forward(w));
    bed.order(driver, next());
    let other = bed.open_desk("kim");
    let left = std::cell::Cell::new(1);
    fate(&mut bed, other, Fate::Lost, move |w| is_route(w) && left.replace(left.get() - 1) > 0);
    bed.order(other, hold());
    bed.order(other, rollback());
    bed.pass(3);
    assert_eq!(bed.slot_of("acme"), Some(Slot::A));
}

#[test]
fn a_rollback_survives_posts_that_never_landed_and_routes_that_somebody_deleted() {
    let mut bed = Bed::new();
    let desk = bed.open_desk("dana");
    fate(&mut bed, desk, Fate::Lost, |w| matches!(w.verb, Verb::Create(_)) && is_route(w));
    bed.order(desk, start());
    bed.pass(8);
    bed.order(desk, rollback());
    bed.until(desk, "RolledBack");

    let (mut bed, desk) = baking();
    bed.objects.retain(|r, _| !r.name.contains("-ph-"));
    bed.pass(1);
    bed.order(desk, rollback());
    bed.until(desk, "RolledBack");
    assert_eq!(bed.replicas("shop-b"), 0);
}

#[test]
fn a_post_that_lands_after_it_was_given_up_is_adopted_under_a_fence() {
    let mut bed = Bed::new();
    let desk = bed.open_desk("dana");
    fate(&mut bed, desk, Fate::Late, |w| matches!(w.verb, Verb::Create(_)) && is_route(w));
    bed.order(desk, start());
    bed.pass(7);
    bed.order(desk, hold());
    bed.pass(8);
    while !bed.late.is_empty() {
        bed.arrive(0);
    }
    heal(&mut bed, desk);
    bed.pass(1);
    bed.order(desk, Command::Resume);
    bed.until(desk, "Ready");
    let fences = &bed.release()["status"]["fences"];
    assert!(managed(&bed).iter().all(|name| fences[format!("HTTPRoute/{name}")].is_u64()), "{fences}");
}

#[test]
fn of_two_starts_at_once_one_drives_and_the_other_takes_nothing_over() {
    let mut bed = Bed::new();
    let second = bed.open_desk("kim");
    fate(&mut bed, second, Fate::Slow, |w| w.target.kind == ResourceKind::Release);
    bed.order(second, start());
    let first = bed.open_desk("dana");
    let release = bed.objects.keys().find(|r| r.kind == ResourceKind::Release).unwrap().name.clone();
    bed.order(first, Command::Start { release: Some(release), version: None, image: None, commit: None });
    bed.pass(20);
    assert_eq!(bed.release()["status"]["driver"]["epoch"], 1);
    assert!(bed.release()["status"]["driver"]["who"].as_str().is_some_and(|who| who.contains("dana")));
    assert_eq!(bed.phase(), "Ready");
}

#[test]
fn a_plan_whose_lock_outlived_its_release_can_be_started_again() {
    let (mut bed, desk) = baking();
    fate(&mut bed, desk, Fate::Lost, |w| w.target.kind == ResourceKind::RolloutPlan);
    bed.order(desk, rollback());
    bed.until(desk, "VerifyingBack");
    for _ in 0..30 {
        if bed.phase() != "RolledBack" {
            bed.pass(1);
        }
    }
    bed.desks[desk].alive = false;
    let other = bed.open_desk("kim");
    bed.pass(20);
    bed.order(other, started("3"));
    bed.until(other, "Ready");
    assert_eq!(bed.release()["spec"]["version"], "3");
}

#[test]
fn the_new_version_is_not_retired_while_a_route_sends_somebody_there_again() {
    let (mut bed, desk) = baking();
    bed.open.insert(Slot::B, 1.0);
    bed.order(desk, rollback());
    bed.until_phase("DrainingNew");
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
    bed.meddle(ResourceKind::HTTPRoute, &route, Value::Array(weights));
    bed.open.clear();
    bed.rule = Some(no_rule_without_pods);
    bed.until(desk, "RolledBack");
    assert_eq!(bed.broken, Vec::<String>::new());
    assert_eq!(bed.slot_of("acme"), Some(Slot::A));
}

/// I1: no live rule gives weight to a slot that is scaled to 0.
pub fn no_rule_without_pods(bed: &Bed) -> Option<String> {
    for (customer, slot) in EVERYBODY.iter().zip(bed.slots(&EVERYBODY)) {
        let deployment = match slot {
            Some(Slot::A) => "shop-a",
            Some(Slot::B) => "shop-b",
            None => return Some(format!("{customer} is on no single slot")),
        };
        if bed.replicas(deployment) == 0 {
            return Some(format!("{customer} goes to {deployment}, which is scaled to 0"));
        }
    }
    None
}

#[test]
fn a_base_route_without_the_new_backend_keeps_no_customer_from_going_back() {
    let (mut bed, desk) = baking();
    bed.meddle(
        ResourceKind::HTTPRoute,
        "shop",
        json!([
            { "op": "remove", "path": "/spec/rules/0/backendRefs/1" },
            { "op": "remove", "path": "/spec/rules/1/backendRefs/1" },
        ]),
    );
    bed.pass(1);
    bed.order(desk, rollback());
    bed.pass(5);
    let route = managed(&bed)[0].clone();
    for rule in bed.get(ResourceKind::HTTPRoute, &route)["spec"]["rules"].as_array().unwrap() {
        assert!(rule["backendRefs"].as_array().unwrap().iter().all(|b| (b["name"] == "shop-a") == (b["weight"] != 0)));
    }
}

#[test]
fn a_gauge_that_disappears_is_no_zero() {
    let (mut bed, desk) = promoted();
    bed.pass(5);
    bed.gauge = false;
    bed.pass(1);
    bed.order(desk, Command::Finish);
    bed.pass(20);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-a")), ("DrainingOld", 2));
    bed.gauge = true;
    bed.until(desk, "Done");
}

#[test]
fn a_second_plan_that_somebody_creates_takes_no_release_out_of_our_hands() {
    let (mut bed, desk) = baking();
    let mut plan = bed.get(ResourceKind::RolloutPlan, "shop").clone();
    plan["metadata"] = json!({ "name": "other", "namespace": "shop", "uid": "u-other", "resourceVersion": "1" });
    plan["status"] = json!({});
    bed.objects.insert(crate::model::ResourceRef::new(ResourceKind::RolloutPlan, "other"), plan);
    bed.pass(2);
    bed.order(desk, hold());
    bed.pass(1);
    assert!(bed.release()["spec"]["hold"].is_object());
    bed.order(desk, rollback());
    bed.until(desk, "RolledBack");
}

#[test]
fn a_drain_that_is_under_way_can_be_forced() {
    let (mut bed, desk) = promoted();
    bed.open.insert(Slot::A, 1.0);
    bed.pass(2);
    bed.order(desk, Command::Finish);
    bed.pass(5);
    assert_eq!(bed.phase(), "DrainingOld");
    bed.order(desk, Command::Force { reason: "agreed with acme".into() });
    bed.until(desk, "Done");
    assert_eq!(bed.replicas("shop-a"), 0);
}
