//! A bounded time series in which a gap stays a gap.

use std::collections::VecDeque;

/// Values on a fixed grid of `step_ms`, newest last; a missing value is `None`, never zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    step_ms: i64,
    capacity: usize,
    newest: Option<i64>,
    values: VecDeque<Option<f64>>,
}

impl Series {
    /// Makes an empty series that keeps `capacity` cells of `step_ms` milliseconds each.
    pub fn new(step_ms: i64, capacity: usize) -> Self {
        Self { step_ms: step_ms.max(1), capacity: capacity.max(1), newest: None, values: VecDeque::new() }
    }

    /// Puts a value into the cell of `at_ms`; cells that were skipped stay gaps, what is older than the series is dropped.
    pub fn put(&mut self, at_ms: i64, value: Option<f64>) {
        let cell = at_ms.div_euclid(self.step_ms);
        let Some(newest) = self.newest else {
            self.newest = Some(cell);
            self.values.push_back(value);
            return;
        };
        if cell <= newest {
            let back = usize::try_from(newest - cell).unwrap_or(usize::MAX);
            if let Some(index) = self.values.len().checked_sub(back.saturating_add(1))
                && let Some(slot) = self.values.get_mut(index)
            {
                *slot = value;
            }
            return;
        }
        let gap = usize::try_from(cell - newest - 1).unwrap_or(usize::MAX).min(self.capacity);
        for _ in 0..gap {
            self.values.push_back(None);
        }
        self.values.push_back(value);
        self.newest = Some(cell);
        while self.values.len() > self.capacity {
            self.values.pop_front();
        }
    }

    /// Returns the value of each cell in the window `(until - width, until]`, oldest first; cells without a value are gaps.
    pub fn window(&self, until_ms: i64, cells: usize) -> Vec<Option<f64>> {
        let last = until_ms.div_euclid(self.step_ms);
        (0..cells)
            .map(|i| {
                let cell = last - i64::try_from(cells - 1 - i).unwrap_or(0);
                self.at_cell(cell)
            })
            .collect()
    }

    /// Returns the newest value that is not a gap.
    pub fn last(&self) -> Option<f64> {
        self.values.iter().rev().find_map(|v| *v)
    }

    /// Returns the width of a cell in milliseconds.
    pub fn step_ms(&self) -> i64 {
        self.step_ms
    }

    fn at_cell(&self, cell: i64) -> Option<f64> {
        let back = usize::try_from(self.newest? - cell).ok()?;
        let index = self.values.len().checked_sub(back.checked_add(1)?)?;
        self.values.get(index).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_cell_is_a_gap_and_not_a_zero() {
        let mut s = Series::new(1000, 10);
        s.put(1_000, Some(1.0));
        s.put(4_000, Some(4.0));
        assert_eq!(s.window(5_000, 5), [Some(1.0), None, None, Some(4.0), None]);
        assert_eq!(s.last(), Some(4.0));
    }

    #[test]
    fn late_values_fill_their_own_cell_and_the_oldest_are_dropped() {
        let mut s = Series::new(1000, 3);
        for t in 1..=5 {
            s.put(t * 1000, Some(t as f64));
        }
        s.put(4_500, Some(9.0));
        s.put(1_000, Some(7.0));
        assert_eq!(s.window(5_000, 5), [None, None, Some(3.0), Some(9.0), Some(5.0)]);
    }
}
