//! What an ended release has left behind: found, offered, and deleted only when it serves nobody.

use super::testbed::{Bed, Fate};
use super::tests::{baking, managed_routes, rollback, start};
use super::tests_protocol::{fate, first_fate, heal, is_route, managed, started};
use super::{Action, Command, Confirm, RunningState, Verb, Write};
use crate::model::{ResourceKind, ResourceRef};
use serde_json::json;

fn deletes(write: &Write) -> bool {
    matches!(write.verb, Verb::Delete { .. })
}

/// A release that is rolled back, and a POST of its that lands afterwards.
fn late_post() -> (Bed, usize) {
    let mut bed = Bed::new();
    let desk = bed.open_desk("dana");
    first_fate(&mut bed, desk, Fate::Late, |w| is_route(w) && matches!(w.verb, Verb::Create(_)));
    bed.order(desk, start());
    bed.pass(3);
    bed.order(desk, rollback());
    bed.until(desk, "RolledBack");
    bed.pass(3);
    assert!(bed.arrive(0));
    bed.pass(1);
    assert_eq!(managed_routes(&bed), 1);
    (bed, desk)
}

/// A release that is deleted while its first ring is on the new version.
fn orphaned() -> (Bed, usize) {
    let (mut bed, desk) = baking();
    bed.objects.retain(|target, _| target.kind != ResourceKind::Release);
    bed.meddle(ResourceKind::RolloutPlan, "shop", json!([{ "op": "replace", "path": "/status", "value": {} }]));
    bed.pass(1);
    (bed, desk)
}

fn refusals(bed: &Bed, desk: usize) -> Vec<String> {
    super::preview(&bed.desks[desk].state, bed.now, &Command::Cleanup).refusals.into_iter().map(|r| r.text).collect()
}

#[test]
fn a_route_that_landed_after_its_release_is_offered_deleted_and_journaled() {
    let (mut bed, desk) = late_post();
    let name = managed(&bed)[0].clone();
    assert_eq!(bed.view(desk).advice.action, Some(Action::Cleanup));
    let preview = super::preview(&bed.desks[desk].state, bed.now, &Command::Cleanup);
    assert_eq!((preview.refusals.len(), &preview.confirm), (0, &Confirm::Type("shop".into())));
    assert!(preview.facts.iter().any(|f| f.text.contains(&name)), "{:?}", preview.facts);
    bed.order(desk, Command::Cleanup);
    bed.pass(1);
    assert_eq!(bed.view(desk).running.map(|r| r.outcome), Some(RunningState::Done));
    assert_eq!(managed_routes(&bed), 0);
    assert!(bed.release()["status"]["journal"].to_string().contains(&format!("delete HTTPRoute {name}")));
    bed.order(desk, started("3"));
    bed.until(desk, "Ready");
}

#[test]
fn a_console_that_dies_in_the_middle_leaves_the_rest_to_the_next() {
    for given in [Fate::Lost, Fate::Late, Fate::Mute] {
        let (mut bed, desk) = late_post();
        fate(&mut bed, desk, given, deletes);
        bed.order(desk, Command::Cleanup);
        bed.desks[desk].alive = false;
        let other = bed.open_desk("kim");
        bed.pass(1);
        if given == Fate::Mute {
            assert_eq!(refusals(&bed, other), ["no ended release has left a route behind"]);
            continue;
        }
        bed.order(other, Command::Cleanup);
        bed.pass(1);
        assert_eq!(managed_routes(&bed), 0, "{given:?}");
        while !bed.late.is_empty() {
            assert!(!bed.arrive(0));
        }
    }
}

#[test]
fn a_deletion_without_an_answer_is_looked_at_and_tried_again() {
    for given in [Fate::Lost, Fate::Mute] {
        let (mut bed, desk) = late_post();
        first_fate(&mut bed, desk, given, deletes);
        bed.order(desk, Command::Cleanup);
        bed.pass(10);
        assert_eq!(bed.view(desk).running.map(|r| r.outcome), Some(RunningState::Done), "{given:?}");
        assert_eq!(managed_routes(&bed), 0);
    }
}

#[test]
fn a_route_that_gets_matches_between_the_look_and_the_deletion_stays() {
    let (mut bed, desk) = late_post();
    let name = managed(&bed)[0].clone();
    fate(&mut bed, desk, Fate::Late, deletes);
    bed.order(desk, Command::Cleanup);
    bed.meddle(
        ResourceKind::HTTPRoute,
        &name,
        json!([{ "op": "replace", "path": "/spec/rules/0/matches/0/headers/0/value", "value": "acme" }]),
    );
    heal(&mut bed, desk);
    assert!(!bed.arrive(0));
    bed.pass(10);
    assert_eq!(managed_routes(&bed), 1);
    assert!(
        refusals(&bed, desk)[0].contains("still has matches that may serve customers"),
        "{:?}",
        refusals(&bed, desk)
    );
}

#[test]
fn a_route_with_customers_of_a_release_that_is_gone_is_explained_and_kept() {
    let (mut bed, desk) = orphaned();
    let name = managed(&bed)[0].clone();
    let said = refusals(&bed, desk);
    assert_eq!(
        said,
        [format!(
            "HTTPRoute {name} of a release that is gone still has matches that may serve customers: it is not deleted; look where it sends them, and when they may go where shop sends everybody: kubectl -n shop delete httproute {name}"
        )]
    );
    let sent = bed.sent.len();
    bed.order(desk, Command::Cleanup);
    bed.pass(3);
    assert!(!bed.sent[sent..].iter().any(|(_, w)| is_route(w)));
    assert!(bed.objects.contains_key(&ResourceRef::new(ResourceKind::HTTPRoute, &name)));
}

#[test]
fn nothing_is_cleaned_up_beside_a_release_that_is_under_way() {
    let (mut bed, desk) = late_post();
    let left = managed(&bed)[0].clone();
    let route = bed.objects.remove(&ResourceRef::new(ResourceKind::HTTPRoute, &left)).unwrap();
    bed.pass(1);
    bed.order(desk, started("3"));
    bed.until(desk, "Ready");
    bed.put(ResourceKind::HTTPRoute, route);
    bed.pass(1);
    assert!(refusals(&bed, desk)[0].starts_with("release shop-3 is under way"), "{:?}", refusals(&bed, desk));
    bed.order(desk, Command::Cleanup);
    bed.pass(2);
    assert_eq!(managed_routes(&bed), 2);
}

#[test]
fn a_console_that_has_not_read_the_releases_takes_no_route_for_left_over() {
    let (mut bed, _) = baking();
    let desk = bed.open_desk("kim");
    bed.desks[desk].state.world = super::World::default();
    assert_eq!(super::leftover::left_over(&bed.desks[desk].state), []);
    bed.order(desk, Command::Cleanup);
    bed.pass(1);
    assert_eq!(managed_routes(&bed), 1);
}
