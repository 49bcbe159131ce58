//! Objects that cannot be written or do not answer: what goes on beside them, and what stops and says so.

use super::testbed::{Bed, Fate};
use super::tests::{baking, next, promoted, rollback, start};
use super::tests_protocol::{fate, first_fate, heal, hold, is_forward, is_route, managed, retired, scales};
use super::{Command, RunningState, Write};
use crate::model::{ResourceKind, Slot};

fn is_deployment(write: &Write) -> bool {
    write.target.kind == ResourceKind::Deployment
}

fn stopped(bed: &Bed, desk: usize) -> String {
    match bed.view(desk).running.map(|r| r.outcome) {
        Some(RunningState::Stopped { why }) => why,
        other => panic!("not stopped: {other:?}"),
    }
}

#[test]
fn a_write_that_the_server_refuses_is_closed_at_once_and_resumed_when_the_right_is_there() {
    let mut bed = Bed::new();
    let desk = bed.open_desk("dana");
    fate(&mut bed, desk, Fate::Forbidden, is_deployment);
    bed.order(desk, start());
    bed.pass(2);
    let why = stopped(&bed, desk);
    assert!(why.contains("Deployment/shop-b") && why.contains("pilothouse-operator"), "{why}");
    assert!(bed.release()["status"]["intent"].is_null(), "nothing is on its way: nothing is left open");
    heal(&mut bed, desk);
    bed.order(desk, Command::Resume);
    bed.until(desk, "Ready");
}

#[test]
fn a_forward_act_that_cannot_be_settled_stops_and_says_what_is_in_the_way() {
    let (mut bed, desk) = baking();
    bed.pass(3);
    first_fate(&mut bed, desk, Fate::Late, |w| is_route(w) && is_forward(w));
    bed.order(desk, next());
    fate(&mut bed, desk, Fate::Forbidden, is_route);
    bed.pass(75);
    let why = stopped(&bed, desk);
    assert!(why.contains("\"move wave 2 to the new version\" is not known") && why.contains("403"), "{why}");
    assert!(!bed.release()["status"]["intent"].is_null(), "it stays open: nobody may forget it");
    heal(&mut bed, desk);
    bed.pass(70);
    assert!(bed.release()["status"]["intent"].is_null());
    assert!(!bed.arrive(0));
}

#[test]
fn a_rollback_does_not_stand_behind_a_deployment_that_may_not_be_written() {
    let mut bed = Bed::new();
    let driver = bed.open_desk("dana");
    fate(&mut bed, driver, Fate::Late, is_deployment);
    bed.order(driver, start());
    bed.pass(1);
    bed.desks[driver].alive = false;
    let other = bed.open_desk("kim");
    fate(&mut bed, other, Fate::Forbidden, is_deployment);
    bed.order(other, rollback());
    bed.pass(12);
    let status = &bed.release()["status"];
    assert_eq!(bed.phase(), "RetiringNew", "everybody is back; only the new version cannot be taken away");
    assert_eq!(status["unresolved"][0]["name"], "shop-b", "what may still land is not forgotten");
    assert!(bed.view(other).notices.iter().any(|n| n.text.contains("Deployment/shop-b")));
}

#[test]
fn nobody_is_sent_to_the_old_version_while_the_write_that_scales_it_down_may_land() {
    let (mut bed, driver) = promoted();
    fate(&mut bed, driver, Fate::Late, |w| scales(w, 0));
    bed.order(driver, Command::Finish);
    bed.pass(4);
    assert!(retired(&bed, "shop"));
    bed.desks[driver].alive = false;
    let other = bed.open_desk("kim");
    fate(&mut bed, other, Fate::Forbidden, is_deployment);
    bed.order(other, rollback());
    bed.pass(50);
    assert_eq!(bed.slot_of("acme"), Some(Slot::B), "it may still land");
    bed.pass(25);
    assert_eq!(bed.slot_of("acme"), Some(Slot::A), "a way back never waits for ever");
    assert!(!retired(&bed, "shop"));
}

#[test]
fn a_route_that_may_not_be_written_keeps_no_other_from_going_back() {
    let (mut bed, driver) = promoted();
    let route = managed(&bed)[0].clone();
    bed.desks[driver].alive = false;
    let other = bed.open_desk("kim");
    fate(&mut bed, other, Fate::Forbidden, move |w| w.target.name == route);
    bed.order(other, rollback());
    bed.pass(15);
    assert_eq!(bed.slot_of("nobody"), Some(Slot::A), "the base went back");
    assert_eq!(bed.slot_of("acme"), Some(Slot::B));
    heal(&mut bed, other);
    bed.until(other, "RolledBack");
}

#[test]
fn a_hold_that_cannot_fence_everything_off_ends_and_does_not_claim_it() {
    let (mut bed, driver) = baking();
    bed.pass(3);
    fate(&mut bed, driver, Fate::Late, |w| is_route(w) && is_forward(w));
    bed.order(driver, next());
    let other = bed.open_desk("kim");
    fate(&mut bed, other, Fate::Forbidden, is_route);
    bed.order(other, hold());
    bed.pass(18);
    assert!(bed.release()["spec"]["hold"].is_object());
    let why = stopped(&bed, other);
    assert!(why.starts_with("it is held, but shop-ph-") && why.contains("may still land"), "{why}");
}
