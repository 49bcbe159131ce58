//! One metric series over the last minutes, kept as its changes.

use std::collections::VecDeque;

/// A series of samples of which only the changes are kept; times are milliseconds since the epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    first: i64,
    last: i64,
    changes: VecDeque<(i64, f64)>,
}

impl Track {
    /// Takes in a sample; one that is not newer than the last is known already.
    pub fn push(&mut self, at: i64, value: f64) {
        if self.changes.is_empty() {
            self.first = at;
        } else if at <= self.last {
            return;
        }
        self.last = at;
        if self.changes.back().is_none_or(|(_, last)| *last != value) {
            self.changes.push_back((at, value));
        }
    }

    /// Forgets changes before `horizon`, but never the value that held then.
    pub fn forget(&mut self, horizon: i64) {
        while self.changes.get(1).is_some_and(|(at, _)| *at <= horizon) {
            self.changes.pop_front();
        }
    }

    /// Returns when the series was first seen.
    pub fn first(&self) -> i64 {
        self.first
    }

    /// Returns when the series was last seen.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Returns the newest value.
    pub fn value(&self) -> Option<f64> {
        self.changes.back().map(|(_, value)| *value)
    }

    /// Tells whether nothing but this value is kept.
    pub fn has_rested_at(&self, value: f64) -> bool {
        self.changes.iter().all(|(_, kept)| *kept == value)
    }

    /// Returns the largest value that held at any time in `[from, to]`.
    pub fn peak(&self, from: i64, to: i64) -> Option<f64> {
        let held = self.changes.iter().rev().find(|(at, _)| *at <= from).map(|(_, value)| *value);
        self.changes
            .iter()
            .filter(|(at, _)| *at > from && *at <= to)
            .map(|(_, value)| *value)
            .chain(held)
            .fold(None, |max: Option<f64>, value| Some(max.map_or(value, |max| max.max(value))))
    }

    /// Returns the largest value that was sampled after `from`, without what held before.
    pub fn peak_since(&self, from: i64) -> Option<f64> {
        let newest = self.value().filter(|_| self.last > from);
        let changed = self.changes.iter().filter(|(at, _)| *at > from).map(|(_, value)| *value);
        changed.chain(newest).reduce(f64::max)
    }

    /// Tells whether the value changed after `from`; also for a `from` whose own changes are forgotten, for the last stays.
    pub fn has_changed(&self, from: i64) -> bool {
        self.changes.back().is_some_and(|(at, _)| *at > from && *at != self.first)
    }

    /// Returns how much a counter grew in `(from, to]`; a fall is a reset, after which it has counted from zero.
    ///
    /// With `born`, a series that was first seen inside the window has grown from zero to its first value; without it
    /// nothing is known about what it counted before it was first seen.
    pub fn increase(&self, from: i64, to: i64, born: bool) -> f64 {
        let mut before = self.changes.iter().rev().find(|(at, _)| *at <= from).map(|(_, value)| *value);
        if before.is_none() && born {
            before = Some(0.0);
        }
        let mut sum = 0.0;
        for (_, value) in self.changes.iter().filter(|(at, _)| *at > from && *at <= to) {
            if let Some(before) = before {
                sum += if *value >= before { value - before } else { *value };
            }
            before = Some(*value);
        }
        sum
    }
}

impl Track {
    /// Tells each growth of a counter with its time, oldest first; resets and `born` are read as [`Track::increase`] does.
    pub fn each_increase(&self, born: bool, mut tell: impl FnMut(i64, f64)) {
        let mut before = born.then_some(0.0);
        for (at, value) in &self.changes {
            if let Some(before) = before {
                tell(*at, if *value >= before { value - before } else { *value });
            }
            before = Some(*value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(points: &[(i64, f64)]) -> Track {
        let mut t = Track::default();
        for (at, value) in points {
            t.push(*at, *value);
        }
        t
    }

    #[test]
    fn a_reset_counts_from_zero_and_a_birth_counts_only_when_it_was_seen() {
        let t = track(&[(1, 5.0), (2, 9.0), (3, 2.0), (4, 2.0)]);
        assert_eq!(t.increase(1, 4, false), 6.0);
        assert_eq!(t.increase(0, 4, false), 6.0);
        assert_eq!(t.increase(0, 4, true), 11.0);
        assert_eq!(t.increase(3, 4, true), 0.0);
    }

    #[test]
    fn a_peak_knows_the_value_that_held_when_the_window_began() {
        let t = track(&[(1, 3.0), (5, 0.0), (9, 0.0)]);
        assert_eq!(t.peak(4, 9), Some(3.0));
        assert_eq!(t.peak(5, 9), Some(0.0));
        let mut forgetful = t;
        forgetful.forget(6);
        assert_eq!(forgetful.peak(6, 9), Some(0.0));
    }
}
