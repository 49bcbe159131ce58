//! Open work of each customer over time: what each round shows of it, kept as its changes.

use super::curves::Grid;
use super::{Evidence, HORIZON};
use crate::core::track::Track;
use crate::model::{CustomerId, Family, Slot};
use std::collections::BTreeMap;

/// Who had open work in the last minutes.
#[derive(Clone, Debug, Default)]
pub struct Work {
    tracks: BTreeMap<(Slot, CustomerId), Track>,
    /// From when on it is known of a slot: of one whose application names no customer it never is.
    since: BTreeMap<Slot, i64>,
    /// Whether a series has named a customer; the gauge exists only while above zero, so that none says nothing before.
    is_named: bool,
}

impl Evidence {
    /// Takes down who has open work now; who has none any more has zero.
    pub(super) fn note_work(&mut self) {
        let family = self.coverage.family(Family::InFlightByCustomer);
        self.work.is_named |= family.is_some_and(|family| family.named > 0);
        if !self.work.is_named {
            return;
        }
        for slot in Slot::ALL {
            let Some(at) = self.newest(slot) else { continue };
            let Some(open) = self.survivors(slot) else {
                // What is not known now leaves no line from before it to after it.
                self.work.since.remove(&slot);
                continue;
            };
            let tracks = self.work.tracks.iter_mut().filter(|((of, _), _)| *of == slot);
            tracks.filter(|((_, customer), _)| !open.contains_key(customer)).for_each(|(_, track)| track.push(at, 0.0));
            for (customer, count) in open {
                self.work.tracks.entry((slot, customer)).or_default().push(at, count as f64);
            }
            self.work.since.entry(slot).or_insert(at);
            self.work.tracks.iter_mut().filter(|((of, _), _)| *of == slot).for_each(|(_, t)| t.forget(at - HORIZON));
        }
        self.work.tracks.retain(|_, track| !track.has_rested_at(0.0));
    }

    /// Returns a customer's open work on a slot, cell by cell; empty while nothing is known of it.
    pub fn work(&self, slot: Slot, customer: &CustomerId, grid: Grid) -> Vec<Option<f64>> {
        let (Some(newest), Some(since)) = (self.newest(slot), self.work.since.get(&slot)) else { return Vec::new() };
        let track = self.work.tracks.get(&(slot, customer.clone()));
        let from = (*since).max(newest - HORIZON);
        let open = |at: i64| track.and_then(|track| track.peak(at - grid.step(), at)).unwrap_or(0.0);
        let is_known = |at: i64| at >= from && at <= newest + grid.step();
        grid.times().map(|at| is_known(at).then(|| open(at))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Batch, RawSeries, Reading, Span, StreamKind, Timestamp};

    /// One round of a slot at a second: its open work by customer.
    fn round(evidence: &mut Evidence, second: i64, open: &[(&str, f64)]) {
        let series = |customer: Option<&str>, kind, value| RawSeries {
            slot: Some(Slot::A),
            pod: "p".to_owned(),
            customer: customer.map(CustomerId::new),
            code: None,
            kind,
            points: vec![(second * 1000, value)],
        };
        let named = open.iter().map(|(customer, value)| series(Some(customer), None, *value)).collect();
        let families = BTreeMap::from([
            (Family::InFlight, Reading::Value(vec![series(None, Some(StreamKind::Http), 9.0)])),
            (Family::InFlightByCustomer, Reading::Value(named)),
        ]);
        let at = Timestamp::from_second(second).unwrap();
        evidence.take(&Batch { at, families }, Some(Span::seconds(1)));
    }

    fn curve(evidence: &Evidence, customer: &str, until: i64, cells: usize) -> Vec<Option<f64>> {
        let grid = evidence.grid(Timestamp::from_second(until).unwrap(), cells);
        evidence.work(Slot::A, &CustomerId::new(customer), grid)
    }

    #[test]
    fn a_customer_without_a_series_has_no_open_work_once_somebody_was_named() {
        let mut evidence = Evidence::default();
        round(&mut evidence, 10, &[]);
        assert_eq!(curve(&evidence, "acme", 10, 3), [], "nobody says whose the open work is");
        round(&mut evidence, 11, &[("acme", 3.0)]);
        round(&mut evidence, 12, &[("acme", 5.0), ("globex", 1.0)]);
        round(&mut evidence, 13, &[]);
        round(&mut evidence, 14, &[]);
        assert_eq!(curve(&evidence, "acme", 14, 5), [None, Some(3.0), Some(5.0), Some(5.0), Some(0.0)]);
        assert_eq!(curve(&evidence, "globex", 14, 3), [Some(1.0), Some(1.0), Some(0.0)]);
        assert_eq!(curve(&evidence, "initech", 14, 2), [Some(0.0), Some(0.0)]);
        assert_eq!(evidence.work(Slot::B, &CustomerId::new("acme"), evidence.grid(Timestamp::UNIX_EPOCH, 3)), []);
    }

    #[test]
    fn what_is_over_is_forgotten_and_what_was_before_is_not_known() {
        let mut evidence = Evidence::default();
        round(&mut evidence, 10, &[("acme", 3.0)]);
        for second in (11..=320).step_by(10) {
            round(&mut evidence, second, &[]);
        }
        assert!(evidence.work.tracks.is_empty(), "{:?}", evidence.work.tracks);
        let curve = curve(&evidence, "acme", 311, 310);
        assert_eq!((curve[0], curve[20], curve[309]), (None, Some(0.0), Some(0.0)));
    }
}
