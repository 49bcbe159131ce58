//! What is not measured proves nothing: counters that are missing, restarts, sources that fall silent.

use super::testbed::Bed;
use super::tests::{baking, next, promoted, rollback, start};
use super::{Closeup, Command, RunningState};
use crate::model::{ResourceKind, Slot};

const STARTED: &str = "app_requests_started_total";

/// Brings a release to Ready, with some seconds of traffic behind it.
fn ready(bed: Bed) -> (Bed, usize) {
    let mut bed = bed;
    let desk = bed.open_desk("dana");
    bed.order(desk, start());
    bed.until(desk, "Ready");
    bed.pass(3);
    (bed, desk)
}

fn waits_for(bed: &Bed, desk: usize, text: &str) {
    let said = bed.view(desk).running.map(|r| r.text).unwrap_or_default();
    assert!(said.contains(text), "{said}");
}

#[test]
fn a_counter_of_starts_that_disappears_verifies_no_shift() {
    for slot in [Slot::A, Slot::B] {
        let (mut bed, desk) = ready(Bed::new());
        bed.ill.uncounted.insert(slot);
        bed.order(desk, next());
        bed.pass(20);
        assert_eq!(bed.phase(), "Verifying", "{slot}");
        waits_for(&bed, desk, &format!("pod shop-{slot}-0: no series of {STARTED}, although"));
        bed.ill.uncounted.clear();
        bed.until(desk, "Baking");
    }
}

#[test]
fn an_old_slot_that_never_showed_its_counter_verifies_no_shift_although_nothing_speaks_against_it() {
    let mut bed = Bed::new();
    bed.ill.uncounted.insert(Slot::A);
    bed.ill.unfinished.insert(Slot::A);
    let (mut bed, desk) = ready(bed);
    bed.order(desk, next());
    bed.pass(20);
    assert_eq!(bed.phase(), "Verifying");
    waits_for(&bed, desk, &format!("no series of {STARTED}, so a request that starts there would not be seen"));
}

#[test]
fn a_slot_that_does_not_count_its_starts_is_not_drained() {
    let (mut bed, desk) = promoted();
    bed.ill.uncounted.insert(Slot::A);
    bed.pass(2);
    bed.order(desk, Command::Finish);
    bed.pass(20);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-a")), ("DrainingOld", 2));
    let missing = bed.view(desk).drain.missing;
    assert!(missing.iter().any(|m| m.contains("shop-a-0") && m.contains(STARTED)), "{missing:?}");
    bed.ill.uncounted.clear();
    bed.until(desk, "Done");
}

#[test]
fn a_new_slot_whose_customers_were_silent_has_no_counter_and_is_drained() {
    let (mut bed, desk) = ready(Bed::new());
    bed.ill.silent = true;
    bed.order(desk, next());
    bed.until(desk, "Baking");
    assert_eq!(bed.release()["status"]["waves"][0]["silent"], 1);
    bed.order(desk, rollback());
    bed.until(desk, "RolledBack");
    assert_eq!(bed.replicas("shop-b"), 0);
}

#[test]
fn a_new_slot_that_served_and_shows_no_counter_any_more_is_not_drained() {
    let (mut bed, desk) = baking();
    bed.ill.uncounted.insert(Slot::B);
    bed.ill.unfinished.insert(Slot::B);
    // A console that has seen nothing of before.
    bed.desks[desk].alive = false;
    bed.pass(20);
    let other = bed.open_desk("kim");
    bed.pass(2);
    bed.order(other, rollback());
    bed.pass(80);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-b")), ("DrainingNew", 2), "metrics keep no rollback back");
    let missing = bed.view(other).drain.missing;
    assert!(missing.iter().any(|m| m.contains(STARTED)), "{missing:?}");
    bed.order(other, Command::Force { reason: "it served one customer".into() });
    bed.until(other, "RolledBack");
}

#[test]
fn pods_that_started_after_the_routes_were_off_them_need_no_counter() {
    let (mut bed, desk) = promoted();
    bed.pass(3);
    for pod in ["shop-a-0", "shop-a-1"] {
        bed.restart(pod);
    }
    bed.pass(3);
    bed.order(desk, Command::Finish);
    bed.until(desk, "Done");
    assert_eq!(bed.replicas("shop-a"), 0);
}

#[test]
fn pods_that_started_while_they_served_need_their_counter() {
    let (mut bed, desk) = ready(Bed::new());
    bed.ill.uncounted.insert(Slot::A);
    bed.ill.unfinished.insert(Slot::A);
    for pod in ["shop-a-0", "shop-a-1"] {
        bed.restart(pod);
    }
    bed.pass(8);
    bed.order(desk, next());
    bed.pass(20);
    assert_eq!(bed.phase(), "Verifying");
}

#[test]
fn a_counter_that_falls_back_hides_no_request_that_starts_on_the_old_slot() {
    let (mut bed, desk) = ready(Bed::new());
    bed.ill.stray = Some(Slot::A);
    bed.order(desk, next());
    for _ in 0..12 {
        bed.restart("shop-a-0");
        bed.pass(1);
    }
    assert_eq!(bed.release()["status"]["blocked"]["kind"], "notLive");
    assert!(matches!(bed.view(desk).running.map(|r| r.outcome), Some(RunningState::Stopped { .. })));
}

#[test]
fn a_pod_that_came_after_the_shift_hides_no_request_that_started_before_its_first_scrape() {
    let (mut bed, desk) = ready(Bed::new());
    bed.order(desk, next());
    bed.until_phase("Verifying");
    bed.pass(2);
    // It takes one request of a moved customer and no more.
    bed.restart("shop-a-0");
    bed.ill.stray = Some(Slot::A);
    bed.pass(1);
    bed.ill.stray = None;
    bed.pass(8);
    assert_eq!(bed.release()["status"]["blocked"]["kind"], "notLive");
}

#[test]
fn without_metrics_a_rollback_brings_everybody_back_and_waits_for_its_drain_proof() {
    let (mut bed, desk) = baking();
    bed.metrics = false;
    bed.pass(10);
    bed.order(desk, rollback());
    bed.pass(30);
    assert_eq!((bed.phase().as_str(), bed.slot_of("acme")), ("VerifyingBack", Some(Slot::A)));
    bed.pass(60);
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-b")), ("DrainingNew", 2));
    assert!(!bed.view(desk).drain.proven);
    bed.metrics = true;
    bed.until(desk, "RolledBack");
    assert!(bed.get(ResourceKind::RolloutPlan, "shop")["status"]["activeRelease"].is_null());
}

#[test]
fn a_ring_shows_how_much_of_its_traffic_is_seen_on_the_new_version_beside_what_the_routes_say() {
    let rows = |bed: &Bed, desk| -> Vec<(Option<usize>, Option<f64>, bool)> {
        let rings = bed.view(desk).rings.into_iter();
        rings.map(|row| (row.now, row.share, row.rps.is_some() && row.rps_new == row.rps)).collect()
    };
    let (mut bed, desk) = ready(Bed::new());
    assert!(rows(&bed, desk).iter().all(|row| *row == (Some(0), Some(0.0), false)), "{:?}", rows(&bed, desk));
    bed.order(desk, next());
    bed.until(desk, "Baking");
    // What is seen follows the routes when the requests before the shift have left the window.
    bed.pass(16);
    let [first, others @ ..] = &rows(&bed, desk)[..] else { panic!("no rings") };
    assert_eq!(*first, (Some(1), Some(1.0), true));
    assert!(others.iter().all(|row| *row == (Some(0), Some(0.0), false)), "{others:?}");
    bed.metrics = false;
    let blind = bed.open_desk("kim");
    bed.pass(1);
    assert!(bed.view(blind).rings.iter().all(|row| row.now.is_some() && row.share.is_none() && row.rps_new.is_none()));
}

#[test]
fn a_customers_open_work_is_a_curve_that_begins_before_its_shift_and_ends_after_it() {
    let (mut bed, desk) = ready(Bed::new());
    (bed.open_of, bed.open) = (Some("acme"), [(Slot::A, 4.0)].into());
    bed.pass(3);
    bed.order(desk, next());
    bed.until(desk, "Baking");
    bed.open.insert(Slot::A, 0.0);
    bed.pass(3);
    let subject = super::Subject::Customer("acme".to_owned());
    let Some(Closeup::Customer(acme)) = super::closeup(&bed.desks[desk].state, bed.now, &subject) else {
        panic!("no customer");
    };
    let shift = acme.since.unwrap();
    let cells_since = usize::try_from(bed.now.as_second() - shift.as_second()).unwrap();
    let (before, after) = acme.work.old.split_at(acme.work.old.len() - cells_since);
    assert_eq!((before.last(), after.last()), (Some(&Some(4.0)), Some(&Some(0.0))));
    assert_eq!((acme.work.last, acme.open), ((Some(0.0), Some(0.0)), (Some(0), Some(0))));
    assert!(acme.work.old.first().unwrap().is_none(), "before anything was known");
}
