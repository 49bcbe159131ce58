//! When the scenario's faults are in force.

use super::super::scenario::{Fault, FaultKind, Lasts, When};
use crate::model::{Side, Slot};
use std::time::Duration;

/// Moments at which customers move that are closer than this are one wave: its routes are patched one after another.
const SAME_WAVE_MS: i64 = 1000;

/// How often the pods crash while a crash fault lasts.
const CRASH_EVERY_MS: i64 = 15_000;

/// The faults of a scenario against the clock of the traffic.
#[derive(Debug)]
pub struct Faults {
    faults: Vec<Scheduled>,
    waves: Waves,
}

/// What strikes at one moment, to be done once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strike {
    /// The pods of this side crash; `None` = of both.
    Crash(Option<Side>),
    /// A transaction of this customer (`*` = any) on a pod of this side begins that does not end until `until_ms`.
    Hang {
        /// Which fault it is, to report that it was done.
        fault: usize,
        /// The side of the pod.
        side: Option<Side>,
        /// Whose transaction it is.
        customer: String,
        /// When the fault is over; `None` = never.
        until_ms: Option<i64>,
    },
}

/// What the faults do to one request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Harm {
    /// The probability that it fails.
    pub errors: f64,
    /// Seconds added to its duration.
    pub latency: f64,
}

#[derive(Debug)]
struct Scheduled {
    fault: Fault,
    begins_ms: Option<i64>,
    /// When it last crashed pods, or when its transaction hung.
    struck_ms: Option<i64>,
}

/// Counts waves by what the data plane does: it knows no plan.
#[derive(Debug, Default)]
struct Waves {
    /// The slot from which the customers come.
    first: Option<Slot>,
    homes: Vec<Option<Slot>>,
    began_ms: Vec<i64>,
    last_move_ms: i64,
    /// Whether everybody has moved: the next move begins another release.
    finished: bool,
}

impl Faults {
    /// Schedules the faults of a scenario that starts at `start_ms`.
    pub fn new(faults: &[Fault], start_ms: i64) -> Self {
        let scheduled = |fault: &Fault| {
            let begins_ms = match fault.at {
                When::Start(delay) => Some(start_ms + millis(delay)),
                When::Wave(..) => None,
            };
            Scheduled { fault: fault.clone(), begins_ms, struck_ms: None }
        };
        Self { faults: faults.iter().map(scheduled).collect(), waves: Waves::default() }
    }

    /// Notes where the listed customers' requests go from now on.
    pub fn routed(&mut self, now_ms: i64, homes: Vec<Option<Slot>>) {
        self.waves.moved(now_ms, homes);
        for scheduled in &mut self.faults {
            let When::Wave(number, delay) = scheduled.fault.at else { continue };
            let begins =
                number.checked_sub(1).and_then(|i| self.waves.began_ms.get(i)).map(|began| began + millis(delay));
            // Once a wave was reached its fault stays scheduled, also when everybody goes back.
            scheduled.begins_ms = scheduled.begins_ms.or(begins);
        }
    }

    /// Returns what strikes now; a hang is returned until [`Faults::hung`] reports it done.
    pub fn strikes(&mut self, now_ms: i64) -> Vec<Strike> {
        let mut strikes = Vec::new();
        for (index, scheduled) in self.faults.iter_mut().enumerate().filter(|(_, s)| s.active(now_ms)) {
            let side = scheduled.fault.slot;
            match scheduled.fault.kind {
                FaultKind::Crash if scheduled.struck_ms.is_none_or(|last| now_ms - last >= CRASH_EVERY_MS) => {
                    scheduled.struck_ms = Some(now_ms);
                    strikes.push(Strike::Crash(side));
                }
                FaultKind::Hung if scheduled.struck_ms.is_none() => {
                    let customer = scheduled.fault.customer.clone();
                    strikes.push(Strike::Hang { fault: index, side, customer, until_ms: scheduled.ends_ms() });
                }
                _ => {}
            }
        }
        strikes
    }

    /// Notes that a transaction hangs; it could not while the side had no pod.
    pub fn hung(&mut self, fault: usize, now_ms: i64) {
        if let Some(scheduled) = self.faults.get_mut(fault) {
            scheduled.struck_ms = Some(now_ms);
        }
    }

    /// Returns what happens to a request of this customer on a pod of this side.
    pub fn harm(&self, now_ms: i64, side: Option<Side>, customer: &str) -> Harm {
        let mut harm = Harm::default();
        for scheduled in self.faults.iter().filter(|s| s.active(now_ms)) {
            let fault = &scheduled.fault;
            let strikes_side = fault.slot.is_none() || fault.slot == side;
            if !strikes_side || (fault.customer != "*" && fault.customer != customer) {
                continue;
            }
            match fault.kind {
                FaultKind::Errors => harm.errors = harm.errors.max(fault.value),
                FaultKind::Latency => harm.latency += fault.value,
                _ => {}
            }
        }
        harm
    }

    /// Tells whether the metrics source is away.
    pub fn metrics_away(&self, now_ms: i64) -> bool {
        self.faults.iter().any(|s| s.fault.kind == FaultKind::MetricsOutage && s.active(now_ms))
    }

    /// Returns how much longer than usual the gateway takes.
    pub fn gateway_lag(&self, now_ms: i64) -> Duration {
        let active = self.faults.iter().filter(|s| s.fault.kind == FaultKind::GatewayLag && s.active(now_ms));
        Duration::from_secs_f64(active.map(|s| s.fault.value.clamp(0.0, 3600.0)).sum())
    }
}

impl Scheduled {
    fn active(&self, now_ms: i64) -> bool {
        self.begins_ms.is_some_and(|begins| now_ms >= begins) && self.ends_ms().is_none_or(|ends| now_ms < ends)
    }

    fn ends_ms(&self) -> Option<i64> {
        match self.fault.lasts {
            Lasts::Forever => None,
            Lasts::For(length) => self.begins_ms.map(|begins| begins + millis(length)),
        }
    }
}

impl Waves {
    fn moved(&mut self, now_ms: i64, homes: Vec<Option<Slot>>) {
        let Some(first) = self.first.or_else(|| homes.iter().flatten().next().copied()) else { return };
        let other = Some(first.other());
        // Once everybody has moved, the next release moves them the other way.
        let all_moved = homes.iter().all(|home| *home == other);
        self.first = if all_moved { other } else { Some(first) };
        let arrived = homes.iter().enumerate().any(|(i, home)| *home == other && self.homes.get(i) != Some(&other));
        let everybody_back = !homes.contains(&other);
        self.homes = homes;
        if everybody_back || (arrived && self.finished) {
            self.began_ms.clear();
        }
        self.finished = all_moved;
        if !arrived {
            return;
        }
        if self.began_ms.is_empty() || now_ms - self.last_move_ms > SAME_WAVE_MS {
            self.began_ms.push(now_ms);
        }
        self.last_move_ms = now_ms;
    }
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: FaultKind, at: &str, lasts: &str) -> Fault {
        Fault {
            app: None,
            at: When::try_from(at.to_owned()).unwrap(),
            kind,
            slot: Some(Side::New),
            customer: "*".into(),
            value: 0.5,
            lasts: Lasts::try_from(lasts.to_owned()).unwrap(),
        }
    }

    fn homes(text: &str) -> Vec<Option<Slot>> {
        text.chars().map(|c| Slot::parse(&c.to_string())).collect()
    }

    #[test]
    fn a_wave_is_a_moment_at_which_customers_newly_arrive() {
        let mut faults = Faults::new(&[fault(FaultKind::Errors, "wave 2 + 5s", "10s")], 0);
        faults.routed(0, homes("aaaa"));
        faults.routed(1_000, homes("baaa"));
        // The second object of the same wave.
        faults.routed(1_900, homes("bbaa"));
        faults.routed(20_000, homes("bbba"));
        let errors = |faults: &Faults, at| faults.harm(at, Some(Side::New), "x").errors;
        assert_eq!((errors(&faults, 24_999), errors(&faults, 25_000), errors(&faults, 35_000)), (0.0, 0.5, 0.0));
        assert_eq!(faults.harm(26_000, Some(Side::Old), "x"), Harm::default());
    }

    #[test]
    fn after_everybody_went_back_waves_count_from_one() {
        let mut faults = Faults::new(&[fault(FaultKind::MetricsOutage, "wave 2", "forever")], 0);
        for (at, text) in [(0, "aaa"), (10_000, "baa"), (20_000, "aaa"), (30_000, "baa")] {
            faults.routed(at, homes(text));
        }
        assert!(!faults.metrics_away(99_000));
        faults.routed(40_000, homes("bba"));
        assert!(faults.metrics_away(40_000));
    }

    #[test]
    fn the_next_release_counts_the_way_back() {
        let mut faults = Faults::new(&[fault(FaultKind::MetricsOutage, "wave 3", "forever")], 0);
        for (at, text) in [(0, "aaa"), (10_000, "baa"), (20_000, "bbb"), (30_000, "abb"), (40_000, "aab")] {
            faults.routed(at, homes(text));
        }
        assert!(!faults.metrics_away(99_000));
        faults.routed(50_000, homes("aaa"));
        assert!(faults.metrics_away(50_000));
    }

    #[test]
    fn crashes_repeat_and_a_hang_waits_until_it_is_done() {
        let mut faults =
            Faults::new(&[fault(FaultKind::Crash, "t 1s", "20s"), fault(FaultKind::Hung, "t 1s", "forever")], 0);
        assert!(faults.strikes(999).is_empty());
        assert_eq!(faults.strikes(1000).len(), 2);
        assert!(matches!(faults.strikes(1100).as_slice(), [Strike::Hang { fault: 1, .. }]));
        faults.hung(1, 1100);
        assert!(faults.strikes(15_999).is_empty());
        assert_eq!(faults.strikes(16_000), [Strike::Crash(Some(Side::New))]);
        assert!(faults.strikes(40_000).is_empty());
    }

    #[test]
    fn lag_is_added_while_its_fault_lasts() {
        let faults = Faults::new(&[fault(FaultKind::GatewayLag, "t 1s", "2s")], 0);
        assert_eq!(faults.gateway_lag(2_000), Duration::from_millis(500));
        assert_eq!(faults.gateway_lag(3_000), Duration::ZERO);
    }
}
