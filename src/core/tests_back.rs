//! The way back after promote, from every point of the end of a release, with and without a console that dies there.

use super::testbed::{Bed, Fate};
use super::tests::{managed_routes, promoted, rollback};
use super::tests_protocol::{fate, heal, is_forward, no_rule_without_pods, retired};
use super::{Command, Write};
use crate::model::{ResourceKind, Slot};
use std::cell::Cell;
use std::rc::Rc;

/// Lets the `nth` forward write after this have a fate; the cell says when it was sent.
fn nth_forward(bed: &mut Bed, desk: usize, nth: u32, given: Fate) -> Rc<Cell<bool>> {
    let sent = Rc::new(Cell::new(false));
    let (hit, count) = (sent.clone(), Cell::new(0));
    let is_nth = move |write: &Write| {
        let matches = is_forward(write) && write.target.kind != ResourceKind::RolloutPlan;
        count.set(count.get() + u32::from(matches));
        hit.set(hit.get() || (matches && count.get() == nth));
        matches && count.get() == nth
    };
    fate(bed, desk, given, is_nth);
    sent
}

/// Finishes a promoted release until its `nth` forward write is sent; `None` when it is over before.
fn finishing(nth: u32, given: Fate) -> Option<(Bed, usize)> {
    let (mut bed, desk) = promoted();
    bed.rule = Some(no_rule_without_pods);
    let sent = nth_forward(&mut bed, desk, nth, given);
    bed.order(desk, Command::Finish);
    for _ in 0..40 {
        if bed.phase() == "Done" {
            return None;
        }
        if sent.get() {
            return Some((bed, desk));
        }
        bed.pass(1);
    }
    panic!("write {nth} was never sent: {}", bed.phase());
}

fn is_rolled_back(bed: &Bed, label: &str) {
    assert_eq!(bed.broken, Vec::<String>::new(), "{label}");
    assert_eq!((bed.replicas("shop-a"), bed.replicas("shop-b")), (2, 0), "{label}");
    assert_eq!(managed_routes(bed), 0, "{label}");
    assert!(!retired(bed, "shop"), "{label}");
    for customer in super::testbed::EVERYBODY {
        assert_eq!(bed.slot_of(customer), Some(Slot::A), "{label} {customer}");
    }
}

#[test]
fn from_every_write_of_a_finish_a_person_gets_everybody_back() {
    let mut writes = 0;
    for given in [Fate::Normal, Fate::Late, Fate::Mute] {
        for nth in 1.. {
            let Some((mut bed, desk)) = finishing(nth, given) else { break };
            writes += 1;
            let label = format!("{given:?} {nth} in {}", bed.phase());
            heal(&mut bed, desk);
            bed.order(desk, rollback());
            bed.until(desk, "RolledBack");
            while !bed.late.is_empty() {
                assert!(!bed.arrive(0), "{label}: a write from before landed");
            }
            is_rolled_back(&bed, &label);
        }
    }
    assert!(writes >= 12, "marks, scale-down, matches, deletions: {writes}");
}

#[test]
fn from_every_write_of_a_finish_another_console_gets_everybody_back_when_the_first_dies() {
    for given in [Fate::Late, Fate::Mute, Fate::Lost] {
        for nth in 1.. {
            let Some((mut bed, desk)) = finishing(nth, given) else { break };
            let label = format!("{given:?} {nth} in {}", bed.phase());
            bed.desks[desk].alive = false;
            let other = bed.open_desk("kim");
            bed.order(other, rollback());
            bed.until(other, "RolledBack");
            while !bed.late.is_empty() {
                assert!(!bed.arrive(0), "{label}: a write of the dead console landed");
            }
            is_rolled_back(&bed, &label);
        }
    }
}

#[test]
fn from_every_phase_after_promote_the_way_back_is_open_and_said() {
    for phase in ["Promoted", "DrainingOld", "RetiringOld", "Cleaning"] {
        let (mut bed, desk) = promoted();
        bed.rule = Some(no_rule_without_pods);
        match phase {
            "DrainingOld" => drop(bed.open.insert(Slot::A, 1.0)),
            "RetiringOld" => bed.ill.lingers = Some(Slot::A),
            "Cleaning" => fate(&mut bed, desk, Fate::Lost, |w| {
                is_forward(w) && w.target.name.contains("-ph-") && !super::tests_protocol::says(w, "retired")
            }),
            _ => {}
        }
        bed.pass(2);
        if phase != "Promoted" {
            bed.order(desk, Command::Finish);
        }
        bed.pass(12);
        assert_eq!(bed.phase(), phase);
        let way_out = bed.view(desk).way_out;
        assert!(way_out.starts_with("rollback now: "), "{way_out}");
        assert_eq!(way_out.contains("started again"), bed.replicas("shop-a") == 0, "{phase}: {way_out}");
        heal(&mut bed, desk);
        bed.order(desk, rollback());
        bed.pass(1);
        bed.open.clear();
        bed.ill.lingers = None;
        bed.until(desk, "RolledBack");
        is_rolled_back(&bed, phase);
    }
}

#[test]
fn nobody_goes_back_to_pods_that_are_not_ready() {
    let (mut bed, desk) = finishing(4, Fate::Lost).unwrap();
    assert_eq!((bed.phase().as_str(), bed.replicas("shop-a")), ("Cleaning", 0));
    heal(&mut bed, desk);
    bed.ill.unready = Some(Slot::A);
    bed.order(desk, rollback());
    bed.pass(90);
    assert_eq!((bed.replicas("shop-a"), bed.slot_of("acme")), (2, Some(Slot::B)), "S1");
    let said = bed.view(desk).running.map(|r| r.text).unwrap_or_default();
    assert_eq!(said, "0 of 2 pods of the old version are ready");
    bed.ill.unready = None;
    bed.until(desk, "RolledBack");
    is_rolled_back(&bed, "late pods");
}
