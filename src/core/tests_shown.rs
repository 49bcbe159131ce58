//! What is shown is known: nothing that was not read looks like a zero, a word or a name.

use super::testbed::Bed;
use super::tests::{baking, next, promoted, rollback, start};
use super::{Change, Closeup, Command, Event, Exposure, Header, KubeEvent, Moved, Setup, State, Subject, View};
use crate::model::{Family, ResourceKind, Slot};
use serde_json::json;

/// A console that has opened and has heard nothing yet.
fn opened() -> State {
    State::new(Setup { namespace: "shop".into(), cluster: "test".into(), ..Setup::default() })
}

/// Tells a console all objects of these kinds.
fn list(bed: &Bed, state: &mut State, kinds: &[ResourceKind]) {
    for kind in kinds {
        let objects = bed.objects.iter().filter(|(target, _)| target.kind == *kind).map(|(_, o)| o.clone()).collect();
        super::update(state, bed.now, Event::Kube(KubeEvent { kind: *kind, change: Change::Reset(objects) }));
    }
}

fn fail(bed: &Bed, state: &mut State, kind: ResourceKind, why: &str, answered: bool) {
    let change = Change::Failed { why: why.into(), answered };
    super::update(state, bed.now, Event::Kube(KubeEvent { kind, change }));
}

fn says_nothing(view: &View, state: &str) {
    assert_eq!(view.header.state, state);
    assert!(!view.header.is_read());
    assert_eq!((&view.exposed, view.rings.len(), view.customers.len()), (&Exposure::default(), 0, 0));
    assert_eq!((view.exposed.customers, view.exposed.rps, view.drain.inflight), (None, None, None));
}

#[test]
fn before_plans_and_releases_are_read_nobody_is_on_any_version() {
    let (bed, _) = baking();
    let mut state = opened();
    let view = |state: &State| super::view(state, bed.now);
    says_nothing(&view(&state), Header::CONNECTING);
    let rest: Vec<ResourceKind> = ResourceKind::ALL.into_iter().filter(|kind| *kind != ResourceKind::Release).collect();
    list(&bed, &mut state, &rest);
    says_nothing(&view(&state), Header::CONNECTING);
    fail(&bed, &mut state, ResourceKind::Release, "may not read releases", true);
    says_nothing(&view(&state), Header::CONNECTING);
    assert_eq!(view(&state).header.why, "may not read releases");
    list(&bed, &mut state, &[ResourceKind::Release]);
    let read = view(&state);
    assert_eq!((read.header.state.as_str(), read.header.is_read()), ("BAKING", true));
    assert_eq!((read.exposed.customers, read.exposed.of, read.rings.len()), (Some(1), Some(3), 3));
}

#[test]
fn an_api_server_that_never_answered_is_no_cluster_and_one_that_refuses_is_there() {
    let bed = Bed::new();
    let mut state = opened();
    fail(&bed, &mut state, ResourceKind::RolloutPlan, "connection refused", false);
    let view = super::view(&state, bed.now);
    says_nothing(&view, Header::NO_CLUSTER);
    assert_eq!(view.header.why, "connection refused");
    fail(&bed, &mut state, ResourceKind::Pod, "may not read pods", true);
    says_nothing(&super::view(&state, bed.now), Header::CONNECTING);
}

#[test]
fn a_customer_whose_routes_are_not_read_is_not_counted_as_old() {
    let (bed, _) = baking();
    let mut state = opened();
    list(&bed, &mut state, &[ResourceKind::RolloutPlan, ResourceKind::Release]);
    let view = super::view(&state, bed.now);
    assert_eq!((view.exposed.customers, view.exposed.of), (None, Some(3)));
    assert!(view.rings.iter().all(|ring| ring.now.is_none()), "{:?}", view.rings);
}

#[test]
fn a_driver_whose_lease_was_not_read_is_not_called_gone() {
    let (bed, _) = baking();
    let mut state = opened();
    list(&bed, &mut state, &[ResourceKind::RolloutPlan, ResourceKind::Release]);
    let driver = |state: &State| super::view(state, bed.now).header.driver.map(|(name, _)| name).unwrap();
    assert!(driver(&state).ends_with(" (Lease not read)"), "{}", driver(&state));
    list(&bed, &mut state, &[ResourceKind::Lease]);
    assert!(!driver(&state).contains('('), "{}", driver(&state));
}

#[test]
fn open_work_is_nobodys_zero_while_it_is_not_known_whose_it_is() {
    let (mut bed, desk) = baking();
    bed.open.insert(Slot::A, 137.0);
    bed.open_of = Some("acme");
    bed.pass(2);
    let open = |bed: &Bed| -> Vec<Option<u64>> {
        let view = bed.view(desk);
        let subject = Subject::Customer("acme".into());
        let closeup = super::closeup(&bed.desks[desk].state, bed.now, &subject);
        let Some(Closeup::Customer(closeup)) = closeup else { panic!("{closeup:?}") };
        let rings = view.rings.iter().map(|ring| ring.inflight_left);
        rings.chain(view.customers.iter().map(|row| row.inflight_left)).chain([closeup.open.0]).collect()
    };
    assert_eq!(open(&bed), [137, 0, 0, 137, 0, 0, 137].map(Some));
    bed.ill.unanswered.insert(Family::InFlightByCustomer);
    bed.pass(2);
    assert_eq!(bed.view(desk).drain.inflight, Some(137));
    assert_eq!(open(&bed), [None; 7]);
}

#[test]
fn a_forced_drain_that_does_not_know_whom_it_cuts_says_so_in_the_record() {
    let (mut bed, desk) = promoted();
    bed.open.insert(Slot::A, 137.0);
    bed.open_of = Some("acme");
    bed.ill.unanswered.insert(Family::InFlightByCustomer);
    bed.pass(2);
    bed.order(desk, Command::Finish);
    bed.pass(3);
    bed.order(desk, Command::Force { reason: "agreed".into() });
    bed.until(desk, "Done");
    let status = &bed.release()["status"];
    assert!(status["journal"].to_string().contains("agreed; open: 137, whose is not known"), "{status}");
    assert_eq!((&status["outcome"]["forcedOn"], &status["outcome"]["forcedUnknown"]), (&json!(null), &json!(true)));
    let Some(Closeup::Releases(past)) = super::closeup(&bed.desks[desk].state, bed.now, &Subject::Releases) else {
        panic!("no releases")
    };
    assert_eq!(past.rows[0].forced_on, None);
}

/// Returns what is said of the customer of the first ring: whether it moved and was seen, and its ring's counts.
fn said(bed: &Bed, desk: usize) -> (Moved, Option<bool>, Option<(usize, usize, usize)>) {
    let view = bed.view(desk);
    let acme = view.customers.iter().find(|row| row.id == "acme").unwrap();
    (acme.moved, acme.seen, view.rings[0].seen)
}

#[test]
fn a_customer_is_silent_only_for_a_console_that_has_looked_since_its_shift() {
    let mut bed = Bed::new();
    let desk = bed.open_desk("dana");
    bed.order(desk, start());
    bed.until(desk, "Ready");
    assert_eq!(said(&bed, desk), (Moved::No, None, None));
    bed.ill.silent = true;
    bed.order(desk, next());
    bed.until(desk, "Baking");
    bed.pass(400);
    assert_eq!(said(&bed, desk), (Moved::Yes, Some(false), Some((0, 1, 0))));
    let late = bed.open_desk("kim");
    bed.pass(5);
    assert_eq!(said(&bed, late), (Moved::Yes, None, Some((0, 0, 1))), "it has not looked since the shift");
    bed.ill.unscraped = Some("shop-b-1");
    bed.pass(10);
    assert_eq!(said(&bed, desk), (Moved::Yes, None, Some((0, 0, 1))), "requests of one pod would not be seen");
    bed.ill.silent = false;
    bed.pass(2);
    for desk in [desk, late] {
        assert_eq!(said(&bed, desk), (Moved::Yes, Some(true), Some((1, 0, 0))));
    }
}

#[test]
fn who_was_moved_back_is_not_called_one_who_has_not_moved() {
    let (mut bed, desk) = baking();
    assert_eq!(said(&bed, desk).0, Moved::Yes);
    bed.open.insert(Slot::B, 1.0);
    bed.order(desk, rollback());
    bed.until_phase("DrainingNew");
    assert_eq!(said(&bed, desk), (Moved::Back, None, None));
}

#[test]
fn what_a_start_has_found_is_known_only_where_it_was_started() {
    let (mut bed, desk) = baking();
    let other = bed.open_desk("kim");
    let found = |bed: &Bed, desk: usize| bed.view(desk).findings;
    assert!(found(&bed, desk).is_some_and(|findings| !findings.is_empty()));
    assert_eq!(found(&bed, other), None);
    bed.order(desk, rollback());
    bed.until(desk, "RolledBack");
    bed.pass(2);
    bed.order(other, start());
    bed.until(other, "Ready");
    assert!(found(&bed, other).is_some());
    assert_eq!(found(&bed, desk), None, "that was another release");
}
