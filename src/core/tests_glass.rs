//! A break-glass rollback beside a console that drives: the cases T4b, T5, T6 and O of the checked model.

use super::glass::{self, Stop};
use super::testbed::{Bed, Fate};
use super::tests::{next, promoted, start};
use super::tests_protocol::{fate, is_forward, is_route, managed, scales};
use super::{Command, Verb};
use crate::model::{ResourceKind, Slot};
use serde_json::Value;

/// Brings one route back as `rollback --break-glass` does.
fn bring_back(bed: &mut Bed, route: &str) {
    let ops = glass::way_back(bed.get(ResourceKind::HTTPRoute, route)).unwrap();
    bed.meddle(ResourceKind::HTTPRoute, route, Value::Array(ops));
}

fn ready() -> (Bed, usize) {
    let mut bed = Bed::new();
    let desk = bed.open_desk("dana");
    bed.order(desk, start());
    bed.until(desk, "Ready");
    bed.pass(3);
    (bed, desk)
}

#[test]
fn t6_a_route_that_is_at_old_already_is_written_all_the_same_so_that_no_shift_lands_afterwards() {
    let (mut bed, desk) = ready();
    fate(&mut bed, desk, Fate::Late, |w| is_route(w) && is_forward(w));
    bed.order(desk, next());
    assert_eq!(bed.late.len(), 1, "the shift is on its way");
    bring_back(&mut bed, "shop");
    for route in managed(&bed) {
        bring_back(&mut bed, &route);
    }
    assert!(!bed.arrive(0), "it landed after everybody was back");
    bed.pass(10);
    assert_eq!(bed.release()["status"]["blocked"]["kind"], "drifted");
    assert_eq!(bed.slot_of("acme"), Some(Slot::A));
}

#[test]
fn t5_after_the_base_was_brought_back_no_console_installs_or_moves_anything() {
    let mut bed = Bed::new();
    let desk = bed.open_desk("dana");
    // The pods of the new version are late, so that the base is marked and nothing is installed yet.
    bed.ill.unready = Some(Slot::B);
    bed.order(desk, start());
    bed.pass(3);
    assert_eq!((bed.phase().as_str(), managed(&bed).len()), ("Preparing", 0));
    bring_back(&mut bed, "shop");
    bed.ill.unready = None;
    bed.pass(10);
    assert_eq!(managed(&bed), [] as [String; 0]);
    assert_eq!(bed.release()["status"]["blocked"]["kind"], "drifted");
}

#[test]
fn t4b_a_rollback_between_two_reads_of_a_console_is_seen_before_it_writes() {
    // A managed route is read before the base: whatever is brought back after the first read shows in the second.
    for victim in ["-ph-", "shop"] {
        let (mut bed, desk) = ready();
        let routes = managed(&bed);
        bed.before_read(victim, move |bed| {
            bring_back(bed, "shop");
            routes.iter().for_each(|route| bring_back(bed, route));
        });
        let applied = bed.applied.len();
        bed.order(desk, next());
        bed.pass(5);
        assert!(!bed.applied[applied..].iter().any(is_forward), "{victim}");
        assert_eq!(bed.slot_of("acme"), Some(Slot::A), "{victim}");
        assert_eq!(bed.release()["status"]["blocked"]["kind"], "drifted", "{victim}");
    }
}

#[test]
fn o_while_the_old_version_may_be_scaled_down_no_route_is_brought_back_to_it() {
    let (mut bed, desk) = promoted();
    fate(&mut bed, desk, Fate::Late, |w| scales(w, 0));
    bed.order(desk, Command::Finish);
    bed.pass(4);
    let routes = [vec!["shop".to_owned()], managed(&bed)].concat();
    for route in routes {
        let stop = glass::way_back(bed.get(ResourceKind::HTTPRoute, &route)).unwrap_err();
        let way = glass::Way { old: "shop-a".into(), new: "shop-b".into() };
        assert_eq!(stop, Stop::Retired { version: "1".into(), way: Some(way) }, "{route}");
    }
    assert!(bed.late.iter().any(|w| matches!(w.verb, Verb::Patch(_)) && scales(w, 0)));
}

#[test]
fn who_overrides_a_retired_version_stops_the_console_that_retires_it() {
    let (mut bed, desk) = promoted();
    // The scale-down is on its way, and nobody knows whether it lands.
    fate(&mut bed, desk, Fate::Late, |w| scales(w, 0));
    bed.order(desk, Command::Finish);
    bed.pass(4);
    let routes = [vec!["shop".to_owned()], managed(&bed)].concat();
    for route in &routes {
        let live = bed.get(ResourceKind::HTTPRoute, route);
        let Err(Stop::Retired { way: Some(way), .. }) = glass::way_back(live) else { panic!("{route}") };
        let ops = glass::way_back_all_the_same(live, &way).unwrap();
        bed.meddle(ResourceKind::HTTPRoute, route, Value::Array(ops));
    }
    assert_eq!(bed.slot_of("acme"), Some(Slot::A));
    let applied = bed.applied.len();
    bed.pass(30);
    let forward: Vec<_> = bed.applied[applied..].iter().filter(|w| is_forward(w) && is_route(w)).collect();
    assert!(forward.is_empty(), "{forward:?}");
    assert_eq!(bed.slot_of("acme"), Some(Slot::A));
    assert_eq!(bed.release()["status"]["blocked"]["kind"], "drifted");
}
