//! A selection that stays on its row, whatever arrives above it.

use crate::core::Action;

/// A selected row of a list, remembered by its key, and the first row in sight.
#[derive(Clone, Debug, Default)]
pub(super) struct Pick {
    key: Option<String>,
    index: usize,
    top: usize,
}

impl Pick {
    /// Returns the key of the selected row; `None` before the first move.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Returns the row that was marked in the last picture.
    pub fn shown(&self) -> usize {
        self.index
    }

    /// Forgets the selection.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the selected row; where its key is gone, the row that stands in its place.
    pub fn index<K: AsRef<str>>(&self, keys: &[K]) -> usize {
        let found = self.key.as_ref().and_then(|key| keys.iter().position(|k| k.as_ref() == key));
        found.unwrap_or(self.index).min(keys.len().saturating_sub(1))
    }

    /// Selects a row.
    pub fn select<K: AsRef<str>>(&mut self, keys: &[K], index: usize) {
        self.index = index.min(keys.len().saturating_sub(1));
        self.key = keys.get(self.index).map(|key| key.as_ref().to_owned());
    }

    /// Moves the selection of a list that marks its row from the start, so that the first move already leaves it.
    pub fn step_from_shown<K: AsRef<str>>(&mut self, keys: &[K], action: Action, page: usize) -> bool {
        if self.key.is_none() {
            self.key = keys.get(self.index(keys)).map(|key| key.as_ref().to_owned());
        }
        self.step(keys, action, page)
    }

    /// Moves the selection of a list that grows at its top: on the first row it stays on the first row, whatever arrives.
    pub fn step_following<K: AsRef<str>>(&mut self, keys: &[K], action: Action, page: usize) {
        if self.step_from_shown(keys, action, page) && self.index == 0 {
            self.clear();
        }
    }

    /// Moves the selection; returns whether the action is a move. The first move selects the first row.
    pub fn step<K: AsRef<str>>(&mut self, keys: &[K], action: Action, page: usize) -> bool {
        let last = keys.len().saturating_sub(1);
        let at = self.index(keys);
        let fresh = self.key.is_none();
        let to = match action {
            Action::Up | Action::Down if fresh => 0,
            Action::Up => at.saturating_sub(1),
            Action::Down => at + 1,
            Action::First => 0,
            Action::Last => last,
            Action::PageUp => at.saturating_sub(page.max(1)),
            Action::PageDown => at + page.max(1),
            _ => return false,
        };
        self.select(keys, to);
        true
    }

    /// Returns the first row in sight so that the selected one is among `rows` rows.
    pub fn window(&mut self, at: usize, count: usize, rows: usize) -> usize {
        let highest = count.saturating_sub(rows);
        if at < self.top {
            self.top = at;
        } else if rows > 0 && at >= self.top + rows {
            self.top = at + 1 - rows;
        }
        self.top = self.top.min(highest);
        self.index = at;
        self.top
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_stays_on_its_row_when_rows_arrive_above_it() {
        let mut pick = Pick::default();
        for _ in 0..3 {
            assert!(pick.step(&["a", "b", "c"], Action::Down, 5));
        }
        assert_eq!(pick.key(), Some("c"));
        assert_eq!(pick.index(&["x", "y", "a", "b", "c"]), 4);
        assert_eq!(pick.index(&["x"]), 0);
        assert!(!pick.step(&["a"], Action::Help, 5));
    }

    #[test]
    fn on_its_first_row_a_list_that_grows_at_its_top_is_followed() {
        let mut pick = Pick::default();
        pick.step_following(&["b", "a"], Action::Down, 5);
        assert_eq!((pick.key(), pick.index(&["c", "b", "a"])), (Some("a"), 2));
        pick.step_following(&["c", "b", "a"], Action::First, 5);
        assert_eq!((pick.key(), pick.index(&["d", "c", "b", "a"])), (None, 0));
    }

    #[test]
    fn the_selected_row_is_always_in_sight() {
        let mut pick = Pick::default();
        assert_eq!(pick.window(7, 20, 5), 3);
        assert_eq!(pick.window(4, 20, 5), 3);
        assert_eq!(pick.window(0, 20, 5), 0);
        assert_eq!(pick.window(19, 20, 0), 0);
        assert_eq!(pick.window(2, 3, 10), 0);
    }
}
