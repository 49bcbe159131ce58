//! The samples of the embedded Prometheus.

use super::labels::{Labels, NAME};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Marks the end of a series; Prometheus' own NaN pattern for it.
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Names a series of a [`Store`]; stays valid while the series has samples within the retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesId(u64);

/// One series: its labels and its samples as (milliseconds since the epoch, value), oldest first.
#[derive(Debug)]
pub struct Samples {
    /// The labels, with the metric name.
    pub labels: Labels,
    points: VecDeque<(i64, f64)>,
}

/// All series, by metric name.
#[derive(Debug, Default)]
pub struct Store {
    next: u64,
    series: BTreeMap<SeriesId, Samples>,
    by_labels: HashMap<Labels, SeriesId>,
    by_name: HashMap<String, Vec<SeriesId>>,
}

impl Store {
    /// Returns the series with these labels, made if there is none.
    pub fn register(&mut self, labels: Labels) -> SeriesId {
        if let Some(id) = self.by_labels.get(&labels) {
            return *id;
        }
        let id = SeriesId(self.next);
        self.next += 1;
        self.by_name.entry(labels.get(NAME).to_owned()).or_default().push(id);
        self.by_labels.insert(labels.clone(), id);
        self.series.insert(id, Samples { labels, points: VecDeque::new() });
        id
    }

    /// Appends a sample; one that is not newer than the last is dropped, as Prometheus drops it.
    pub fn append(&mut self, id: SeriesId, at_ms: i64, value: f64) {
        let Some(samples) = self.series.get_mut(&id) else { return };
        if samples.points.back().is_none_or(|(last, _)| *last < at_ms) {
            samples.points.push_back((at_ms, value));
        }
    }

    /// Ends a series with a staleness marker: instant queries no longer see it.
    pub fn end(&mut self, id: SeriesId, at_ms: i64) {
        self.append(id, at_ms, f64::from_bits(STALE_BITS));
    }

    /// Forgets samples older than `oldest_ms`, and series without samples.
    pub fn forget_before(&mut self, oldest_ms: i64) {
        let mut empty = Vec::new();
        for (id, samples) in &mut self.series {
            while samples.points.front().is_some_and(|(at, _)| *at < oldest_ms) {
                samples.points.pop_front();
            }
            if samples.points.is_empty() {
                empty.push(*id);
            }
        }
        for id in empty {
            if let Some(samples) = self.series.remove(&id) {
                self.by_labels.remove(&samples.labels);
                if let Some(ids) = self.by_name.get_mut(samples.labels.get(NAME)) {
                    ids.retain(|other| *other != id);
                }
            }
        }
    }

    /// Returns the series that pass, ordered by their labels; `name` limits the search to one metric.
    pub fn select(&self, name: Option<&str>, passes: impl Fn(&Labels) -> bool) -> Vec<&Samples> {
        let mut found: Vec<&Samples> = match name {
            Some(name) => self.by_name.get(name).into_iter().flatten().filter_map(|id| self.series.get(id)).collect(),
            None => self.series.values().collect(),
        };
        found.retain(|samples| passes(&samples.labels));
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        found
    }
}

impl Samples {
    /// Returns the sample an instant query sees at `at_ms`: the newest one within the lookback, unless it ends the series.
    ///
    /// Both ends of the lookback belong to it, as in Prometheus 2; version 3 excludes the older one.
    pub fn at(&self, at_ms: i64, lookback_ms: i64) -> Option<(i64, f64)> {
        let after = self.points.partition_point(|(at, _)| *at <= at_ms);
        let (at, value) = *self.points.get(after.checked_sub(1)?)?;
        (at >= at_ms - lookback_ms && value.to_bits() != STALE_BITS).then_some((at, value))
    }

    /// Returns the samples of `[from_ms, to_ms]` without staleness markers.
    ///
    /// Both ends belong to the range, as in Prometheus 2; version 3 excludes the older one.
    pub fn between(&self, from_ms: i64, to_ms: i64) -> Vec<(i64, f64)> {
        let first = self.points.partition_point(|(at, _)| *at < from_ms);
        let after = self.points.partition_point(|(at, _)| *at <= to_ms);
        if first >= after {
            return Vec::new();
        }
        self.points.range(first..after).filter(|(_, value)| value.to_bits() != STALE_BITS).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(points: &[(i64, f64)]) -> (Store, SeriesId) {
        let mut store = Store::default();
        let id = store.register(Labels::of(&[(NAME, "x"), ("pod", "p")]));
        for (at, value) in points {
            store.append(id, *at, *value);
        }
        (store, id)
    }

    #[test]
    fn an_ended_series_is_gone_at_once_and_its_marker_is_no_sample() {
        let (mut store, id) = filled(&[(1000, 1.0), (2000, 2.0)]);
        store.end(id, 3000);
        let x = store.select(Some("x"), |_| true)[0];
        assert_eq!(x.at(2999, 300_000), Some((2000, 2.0)));
        assert_eq!(x.at(3000, 300_000), None);
        assert_eq!(x.between(0, 9000), [(1000, 1.0), (2000, 2.0)]);
    }

    #[test]
    fn a_silent_series_is_seen_for_the_lookback_and_no_longer() {
        let (store, _) = filled(&[(1000, 1.0)]);
        let x = store.select(None, |_| true)[0];
        assert_eq!(x.at(301_000, 300_000), Some((1000, 1.0)));
        assert_eq!(x.at(301_001, 300_000), None);
        assert_eq!(x.at(999, 300_000), None);
    }

    #[test]
    fn old_samples_are_forgotten_with_their_series() {
        let (mut store, id) = filled(&[(1000, 1.0), (2000, 2.0)]);
        store.forget_before(1500);
        assert_eq!(store.select(Some("x"), |_| true)[0].between(0, 9000), [(2000, 2.0)]);
        store.forget_before(2001);
        assert!(store.select(Some("x"), |_| true).is_empty());
        assert_ne!(store.register(Labels::of(&[(NAME, "x"), ("pod", "p")])), id);
    }

    #[test]
    fn a_sample_out_of_order_is_dropped() {
        let (store, _) = filled(&[(2000, 1.0), (2000, 5.0), (1000, 6.0)]);
        assert_eq!(store.select(Some("x"), |_| true)[0].between(0, 9000), [(2000, 1.0)]);
    }
}
