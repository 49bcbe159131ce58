//! Figures of some customers over time, for the screens that look closely: one walk over their series, whatever the
//! number of cells.

use super::super::track::Track;
use super::{Evidence, PodEvidence, Who};
use crate::model::{Slot, StreamKind, Timestamp};

/// The time over which a cell looks, in milliseconds.
const WINDOW: i64 = 15_000;

/// Where the cells of a curve lie.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// The end of the last cell, in milliseconds.
    last: i64,
    /// From one cell to the next, in milliseconds.
    step: i64,
    cells: usize,
}

/// What one slot did for some customers, cell by cell; a gap is a gap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// Requests per second that started there.
    pub rates: Vec<Option<f64>>,
    /// Failed over all finished requests, a fraction.
    pub errors: Vec<Option<f64>>,
}

impl Grid {
    /// Returns seconds from one cell to the next.
    pub fn seconds(self) -> f64 {
        self.step as f64 / 1000.0
    }

    /// Returns milliseconds from one cell to the next.
    pub(super) fn step(self) -> i64 {
        self.step
    }

    /// Returns the end of each cell in milliseconds, oldest first.
    pub(super) fn times(self) -> impl Iterator<Item = i64> {
        (0..self.cells).rev().map(move |back| self.last - back as i64 * self.step)
    }

    /// Adds what happened at a time to its cell.
    fn add(self, cells: &mut [f64], at: i64, amount: f64) {
        let back = (self.last - at).div_euclid(self.step);
        if let Some(cell) =
            usize::try_from(back).ok().and_then(|back| cells.len().checked_sub(back + 1)).and_then(|i| cells.get_mut(i))
        {
            *cell += amount;
        }
    }
}

impl Evidence {
    /// Returns the cells that end with the step before `until`, as wide as the samples are apart and at least 1 s.
    pub fn grid(&self, until: Timestamp, cells: usize) -> Grid {
        let step = self.interval.map_or(1000, |i| i.0.as_millis().try_into().unwrap_or(1000)).max(1000);
        // On a fixed grid, so that a cell keeps its value while the picture stands.
        Grid { last: until.as_millisecond().div_euclid(step) * step, step, cells }
    }

    /// Computes what a slot did for some customers; empty while nothing is known of it.
    pub fn curves(&self, slot: Slot, who: Who<'_>, grid: Grid) -> Curves {
        let (Some(newest), Some(oldest)) = (self.newest(slot), self.oldest_kept(slot)) else {
            return Curves::default();
        };
        let width = usize::try_from((WINDOW / grid.step).max(1)).unwrap_or(1);
        let (mut started, mut all, mut failed) =
            (vec![0.0; grid.cells + width], vec![0.0; grid.cells + width], vec![0.0; grid.cells + width]);
        for (_, pod) in self.of(slot) {
            for (customer, track) in &pod.started {
                if who.holds(customer.as_ref()) {
                    self.spread(pod, track, |at, grown| grid.add(&mut started, at, grown));
                }
            }
            for ((_, is_failed), track) in pod.finished_by(who) {
                self.spread(pod, track, |at, grown| {
                    grid.add(&mut all, at, grown);
                    grid.add(&mut failed, at, if *is_failed { grown } else { 0.0 });
                });
            }
        }
        let mut curves = Curves::default();
        for (cell, at) in grid.times().enumerate() {
            let sum = |values: &[f64]| values[cell + 1..=cell + width].iter().sum::<f64>();
            let is_known = at > oldest && at <= newest + grid.step;
            let seconds = ((at - oldest).min(width as i64 * grid.step) as f64 / 1000.0).max(0.001);
            curves.rates.push(is_known.then(|| sum(&started) / seconds));
            curves.errors.push((is_known && sum(&all) > 0.0).then(|| sum(&failed) / sum(&all)));
        }
        curves
    }

    /// Returns the open work of a kind on one pod, as of its last sample; `None` = not exported or not in it.
    pub fn inflight_on(&self, slot: Slot, pod: &str, kind: StreamKind) -> Option<u64> {
        let pod = self.pod(slot, pod)?;
        let track = pod.inflight.get(&kind)?;
        if pod.scrapes.back().is_some_and(|last| track.last() < *last) {
            return None;
        }
        track.value().map(super::to_count)
    }

    /// Returns the age of a pod's oldest open transaction in seconds, as of its last sample.
    pub fn oldest_on(&self, slot: Slot, pod: &str) -> Option<f64> {
        self.pod(slot, pod)?.oldest.map(|(_, age)| age)
    }

    /// Returns the time of the oldest sample from which changes are still kept; the very first one's time outlives it.
    fn oldest_kept(&self, slot: Slot) -> Option<i64> {
        let kept =
            |pod: &PodEvidence| if pod.scrapes.len() > 2 { pod.scrapes.get(1) } else { pod.scrapes.front() }.copied();
        self.of(slot).filter_map(|(_, pod)| kept(pod)).min()
    }

    fn spread(&self, pod: &PodEvidence, track: &Track, add: impl FnMut(i64, f64)) {
        track.each_increase(self.is_born(pod, track), add);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Batch, CustomerId, Family, RawSeries, Reading, Span};
    use std::collections::BTreeMap;

    fn series(customer: &str, code: Option<&str>, points: &[(i64, f64)]) -> RawSeries {
        RawSeries {
            slot: Some(Slot::A),
            pod: "p".to_owned(),
            customer: Some(CustomerId::new(customer)),
            code: code.map(str::to_owned),
            kind: None,
            points: points.to_vec(),
        }
    }

    #[test]
    fn a_customers_curve_has_its_own_requests_and_no_value_before_the_first_sample() {
        let counter = |per_second: f64| (10..=40).map(|s| (s * 1000, per_second * s as f64)).collect::<Vec<_>>();
        let inflight = RawSeries {
            kind: Some(StreamKind::Http),
            customer: None,
            ..series("", None, &(10..=40).map(|s| (s * 1000, 7.0)).collect::<Vec<_>>())
        };
        let families = BTreeMap::from([
            (Family::InFlight, Reading::Value(vec![inflight])),
            (
                Family::Started,
                Reading::Value(vec![series("acme", None, &counter(3.0)), series("other", None, &counter(90.0))]),
            ),
            (
                Family::Finished,
                Reading::Value(vec![
                    series("acme", Some("200"), &counter(2.0)),
                    series("acme", Some("503"), &counter(1.0)),
                    series("other", Some("200"), &counter(90.0)),
                ]),
            ),
        ]);
        let mut evidence = Evidence::default();
        let at = Timestamp::from_second(40).unwrap();
        evidence.take(&Batch { at, families }, Some(Span::seconds(1)));
        let acme = CustomerId::new("acme");
        let curves = evidence.curves(Slot::A, Who::Customer(&acme), evidence.grid(at, 60));
        assert_eq!(curves.rates.len(), 60);
        assert!(curves.rates[..25].iter().all(Option::is_none));
        let (rate, errors) = (curves.rates[59].unwrap(), curves.errors[59].unwrap());
        assert!((rate - 3.0).abs() < 0.3 && (errors - 1.0 / 3.0).abs() < 1e-9, "{rate} {errors}");
        assert_eq!(evidence.curves(Slot::B, Who::Everybody, evidence.grid(at, 60)), Curves::default());
        assert_eq!(evidence.inflight_on(Slot::A, "p", StreamKind::Http), Some(7));
        assert_eq!(evidence.inflight_on(Slot::A, "p", StreamKind::Ws), None);
    }
}
