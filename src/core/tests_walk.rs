//! Random walks: consoles that order, lose, repeat, sleep, go blind and die in any order; what must hold after every write
//! that lands, and that from wherever it leads a person gets out. Seeded, so that every run is the same.

use super::testbed::{Bed, Fate};
use super::tests_protocol::no_rule_without_pods;
use super::{Command, Mode, Verb, Write};
use crate::model::{Direction, ResourceKind};

/// How many walks there are, and how long each is.
const WALKS: u64 = 12;
const STEPS: usize = 45;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }
}

#[test]
fn random_walks_break_no_invariant_and_a_person_gets_out_of_each() {
    for seed in 1..=WALKS {
        walk(seed);
    }
}

fn walk(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut bed = Bed::new();
    bed.rule = Some(rule);
    let watcher = bed.open_desk("watcher");
    for person in ["dana", "kim"] {
        bed.open_desk(person);
    }
    bed.order(1, command(&bed, 0));
    if seed.is_multiple_of(3) {
        // Every third walk begins where the way back is longest.
        bed.until(1, "Ready");
        bed.pass(3);
        bed.order(1, super::tests::next());
        bed.until(1, "Baking");
        super::tests::go_on_to_promoted(&mut bed, 1);
        bed.order(1, Command::Finish);
    }
    let mut trace = Vec::new();
    for _ in 0..STEPS {
        let said = step(&mut bed, &mut dice);
        trace.push(said);
        note_hold(&mut bed);
        let acted = bed.sent.iter().any(|(desk, _)| *desk == watcher);
        assert!(!acted, "S7, walk {seed}: a console that watches has written; {trace:?}");
        assert!(bed.broken.is_empty(), "walk {seed}: {:?} after {trace:?}", bed.broken);
    }
    get_out(&mut bed, seed, &trace);
}

/// I1, I5: everybody is on one slot that has pods. I3, S5: nothing moves forward under a hold that was reported.
fn rule(bed: &Bed) -> Option<String> {
    no_rule_without_pods(bed).or_else(|| {
        let last = bed.applied.last()?;
        let backward = bed.release()["status"]["outcome"]["result"] == "RolledBack";
        let held = !bed.held.is_null() && bed.release()["spec"]["hold"] == bed.held && !backward;
        (held && is_forward(last)).then(|| format!("under a hold {} was written: {:?}", last.target, last.verb))
    })
}

fn is_forward(write: &Write) -> bool {
    write.direction == Direction::Forward
        && !matches!(write.verb, Verb::Create(_))
        && !matches!(write.target.kind, ResourceKind::Release | ResourceKind::RolloutPlan)
}

/// Remembers the hold that a console has just reported as done.
fn note_hold(bed: &mut Bed) {
    let done = |i: &usize| {
        let running = bed.desks[*i].state.running.as_ref();
        running.is_some_and(|r| r.action == super::Action::Hold && r.outcome == super::RunningState::Done)
    };
    if let Some(desk) = (1..bed.desks.len()).find(done) {
        let hold = bed.release()["spec"]["hold"].clone();
        let mine = hold["by"].as_str().is_some_and(|by| by == bed.desks[desk].state.who());
        if mine {
            bed.held = hold;
        }
        bed.desks[desk].state.running = None;
    }
}

fn command(bed: &Bed, which: u64) -> Command {
    let started = bed.objects.keys().filter(|r| r.kind == ResourceKind::Release).count();
    match which {
        0 => Command::Start {
            release: None,
            version: Some(format!("{}", started + 2).as_str().into()),
            image: None,
            commit: None,
        },
        1..=3 => Command::Next { accept_no_traffic: None },
        4 | 5 => Command::Promote { accept_no_traffic: None },
        6 | 7 => Command::Finish,
        8 => Command::Hold { reason: "walk".into() },
        9 | 10 => Command::Resume,
        11 => Command::Rollback { reason: "walk".into() },
        _ => Command::Take { reason: "walk".into() },
    }
}

fn step(bed: &mut Bed, dice: &mut Dice) -> String {
    let desk = 1 + usize::try_from(dice.roll(bed.desks.len() as u64 - 1)).unwrap();
    match dice.roll(20) {
        0..=7 => {
            let order = command(bed, dice.roll(13));
            let said = format!("{desk} {order:?}");
            bed.order(desk, order);
            said
        }
        8..=10 => {
            let given = [Fate::Lost, Fate::Mute, Fate::Late, Fate::Slow][usize::try_from(dice.roll(4)).unwrap()];
            let (seed, odds) = (std::cell::Cell::new(dice.roll(u64::from(u32::MAX)) + 1), dice.roll(4) + 1);
            bed.desks[desk].fate = Box::new(move |w| {
                let mut dice = Dice(seed.get());
                let hit = !w.dry_run && dice.roll(odds) == 0;
                seed.set(dice.0);
                if hit { given } else { Fate::Normal }
            });
            format!("{desk} {given:?} 1/{odds}")
        }
        11 => {
            bed.desks[desk].paused = !bed.desks[desk].paused;
            format!("{desk} paused {}", bed.desks[desk].paused)
        }
        12 => {
            bed.desks[desk].blind = !bed.desks[desk].blind;
            format!("{desk} blind {}", bed.desks[desk].blind)
        }
        13 if bed.desks.len() < 5 => {
            bed.desks[desk].alive = false;
            let new = bed.open_desk("sam");
            format!("{desk} dies, {new} opens")
        }
        14 | 15 if !bed.late.is_empty() => {
            let index = usize::try_from(dice.roll(bed.late.len() as u64)).unwrap();
            let said = format!("late {} {:?}", bed.late[index].target, bed.late[index].direction);
            format!("{said} lands: {}", bed.arrive(index))
        }
        16 => {
            bed.desks[desk].fate = Box::new(|_| Fate::Normal);
            format!("{desk} heals")
        }
        _ => {
            let seconds = 1 + dice.roll(6);
            bed.pass(seconds);
            format!("{seconds} s")
        }
    }
}

/// I6, L6: faults stop; a fresh console reaches an end with a rollback, or the release was over already.
fn get_out(bed: &mut Bed, seed: u64, trace: &[String]) {
    for desk in &mut bed.desks {
        desk.fate = Box::new(|_| Fate::Normal);
        desk.alive &= !desk.paused;
        desk.paused = false;
        desk.blind = false;
    }
    bed.pass(20);
    let fresh = bed.open_desk("eve");
    bed.pass(2);
    if bed.desks[fresh].state.active_name().is_none() {
        return;
    }
    assert_eq!(bed.view(fresh).header.mode, Mode::Standby);
    for _ in 0..4 {
        if matches!(bed.phase().as_str(), "Done" | "RolledBack" | "Proposed") {
            break;
        }
        bed.order(fresh, Command::Rollback { reason: "out".into() });
        bed.pass(25);
        if !bed.release()["status"]["blocked"].is_null() {
            // A stranger's write wants a look, also when what is left to do is to tidy up.
            bed.order(fresh, Command::Resume);
            bed.pass(25);
        }
    }
    let view = bed.view(fresh);
    assert!(
        matches!(bed.phase().as_str(), "Done" | "RolledBack" | "Proposed"),
        "walk {seed} is stuck in {}: {:?} {:?} {:?} after {trace:?}",
        bed.phase(),
        view.running,
        view.advice,
        view.notices
    );
    while !bed.late.is_empty() {
        bed.arrive(0);
    }
    assert!(bed.broken.is_empty(), "walk {seed}: {:?} at the end, after {trace:?}", bed.broken);
}
