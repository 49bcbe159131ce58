//! The list of customers: what narrows it, what sorts it, and which row is selected.

use super::chord::Chord;
use super::dialog::edit;
use super::filter::Filter;
use super::pick::Pick;
use crate::core::{Action, CustomerRow, View};
use crossterm::event::KeyCode;
use std::collections::HashMap;
use tui_input::Input;

/// How long an order of rows stays, so that they do not dance.
const STEADY_MS: u64 = 5000;

/// By what the customers are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// By ring and wave, as the plan moves them.
    #[default]
    Ring,
    /// Most errors first.
    Errors,
    /// Most open work on the version that is being left first.
    Open,
    /// Most requests first.
    Requests,
    /// By id.
    Name,
}

impl Sort {
    const ORDER: [Self; 5] = [Self::Ring, Self::Errors, Self::Open, Self::Requests, Self::Name];

    /// Writes what it sorts by, and which way.
    pub fn label(self, ascii: bool) -> String {
        let (word, falls) = match self {
            Self::Ring => ("ring", false),
            Self::Errors => ("err", true),
            Self::Open => ("open", true),
            Self::Requests => ("req/s", true),
            Self::Name => ("name", false),
        };
        let sign = match (falls, ascii) {
            (true, false) => " ↓",
            (true, true) => " v",
            (false, _) => "",
        };
        format!("{word}{sign}")
    }

    fn next(self) -> Self {
        let at = Self::ORDER.iter().position(|sort| *sort == self).unwrap_or(0);
        Self::ORDER[(at + 1) % Self::ORDER.len()]
    }
}

/// The list with everything that is remembered of it.
#[derive(Debug, Default)]
pub(super) struct CustomerList {
    /// The selected customer, by id.
    pub pick: Pick,
    input: Input,
    filter: Filter,
    is_typing: bool,
    /// Whether a ring has set the filter, and no person.
    by_ring: bool,
    sort: Sort,
    is_wide: bool,
    order: Vec<String>,
    sorted_ms: Option<u64>,
}

impl CustomerList {
    /// Returns the filter as it is typed.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Returns the filter, read.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Tells whether the filter is being typed.
    pub fn is_typing(&self) -> bool {
        self.is_typing
    }

    /// Returns by what the list is sorted.
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// Tells whether every column is shown.
    pub fn is_wide(&self) -> bool {
        self.is_wide
    }

    /// Tells whether a person has set the filter.
    pub fn has_typed_filter(&self) -> bool {
        !self.by_ring && !self.text().is_empty()
    }

    /// Begins to type another filter.
    pub fn begin_typing(&mut self) {
        self.narrow(String::new());
        self.is_typing = true;
    }

    /// Keeps what has been typed, as Enter does.
    pub fn end_typing(&mut self) {
        self.is_typing = false;
    }

    /// Sets the filter as if it had been typed.
    pub fn narrow(&mut self, text: String) {
        self.input = Input::new(text);
        self.by_ring = false;
        self.read();
        self.pick.clear();
    }

    /// Narrows the list to a ring, for as long as it is shown.
    pub fn narrow_to_ring(&mut self, name: &str) {
        self.narrow(format!("ring:{name}"));
        self.by_ring = true;
    }

    /// Shows everybody again if it was a ring that narrowed the list.
    pub fn forget_ring(&mut self) {
        if self.by_ring {
            self.narrow(String::new());
        }
    }

    /// Sorts by the next thing, at once.
    pub fn sort_next(&mut self) {
        self.sort = self.sort.next();
        self.sorted_ms = None;
    }

    /// Shows more columns, or fewer again.
    pub fn widen(&mut self) {
        self.is_wide = !self.is_wide;
    }

    /// Takes in a key while the filter is typed.
    pub fn press(&mut self, chord: Chord, action: Option<Action>) {
        match (chord.code, action) {
            (KeyCode::Enter, _) => self.is_typing = false,
            (_, Some(Action::Back)) => {
                self.narrow(String::new());
                self.is_typing = false;
            }
            _ => {
                if edit(&mut self.input, chord) {
                    self.read();
                }
            }
        }
    }

    /// Sorts again when it is time: at most every five seconds, and never while a row is selected.
    pub fn refresh(&mut self, now_ms: u64, view: &View) {
        let is_due = match self.sorted_ms {
            None => true,
            Some(at) => self.pick.key().is_none() && now_ms >= at + STEADY_MS,
        };
        if !is_due {
            return;
        }
        self.sorted_ms = Some(now_ms);
        if self.sort == Sort::Ring {
            self.order.clear();
            return;
        }
        let mut rows: Vec<&CustomerRow> = view.customers.iter().collect();
        // Stable: what is equal keeps the order of the plan.
        rows.sort_by(|a, b| match self.sort {
            Sort::Ring => std::cmp::Ordering::Equal,
            Sort::Errors => b.errors.unwrap_or(-1.0).total_cmp(&a.errors.unwrap_or(-1.0)),
            Sort::Open => b.inflight_left.cmp(&a.inflight_left),
            Sort::Requests => b.rps.unwrap_or(-1.0).total_cmp(&a.rps.unwrap_or(-1.0)),
            Sort::Name => a.id.cmp(&b.id),
        });
        self.order = rows.into_iter().map(|row| row.id.clone()).collect();
    }

    /// Returns the rows that pass the filter, in order; customers that came after the last sorting stand at the end.
    pub fn rows<'a>(&self, view: &'a View) -> Vec<&'a CustomerRow> {
        let mut rows: Vec<&CustomerRow> = view.customers.iter().filter(|row| self.filter.matches(view, row)).collect();
        if !self.order.is_empty() {
            let place: HashMap<&str, usize> =
                self.order.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
            rows.sort_by_key(|row| place.get(row.id.as_str()).copied().unwrap_or(usize::MAX));
        }
        rows
    }

    /// Moves the selection.
    pub fn step(&mut self, action: Action, page: usize, view: &View) {
        let ids: Vec<String> = self.rows(view).iter().map(|row| row.id.clone()).collect();
        self.pick.step_from_shown(&ids, action, page);
    }

    /// Selects the next customer that passes the filter, or the one before, over the end; says which of how many it is.
    pub fn seek(&mut self, forward: bool, view: &View) -> String {
        if self.text().trim().is_empty() {
            return "there is no filter: / begins one".to_owned();
        }
        let ids: Vec<String> = self.rows(view).iter().map(|row| row.id.clone()).collect();
        let Some(last) = ids.len().checked_sub(1) else { return "no customer matches the filter".to_owned() };
        let at = self.pick.index(&ids);
        let to = match forward {
            true => {
                if at == last {
                    0
                } else {
                    at + 1
                }
            }
            false => at.checked_sub(1).unwrap_or(last),
        };
        self.pick.select(&ids, to);
        format!("match {} of {} for \"{}\"", to + 1, ids.len(), self.text())
    }

    /// Returns the customer the marker stands on.
    pub fn selected<'a>(&self, view: &'a View) -> Option<&'a CustomerRow> {
        let rows = self.rows(view);
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        rows.get(self.pick.index(&ids)).copied()
    }

    fn read(&mut self) {
        self.filter = Filter::parse(self.input.value());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(errors: &[(&str, f64)]) -> View {
        let row = |(id, errors): &(&str, f64)| CustomerRow {
            id: (*id).to_owned(),
            errors: Some(*errors),
            ..CustomerRow::default()
        };
        View { customers: errors.iter().map(row).collect(), ..View::default() }
    }

    fn ids(list: &CustomerList, view: &View) -> Vec<String> {
        list.rows(view).iter().map(|row| row.id.clone()).collect()
    }

    #[test]
    fn rows_are_sorted_at_most_every_five_seconds_and_never_under_a_selection() {
        let mut list = CustomerList::default();
        list.sort_next();
        list.refresh(0, &view(&[("a", 0.1), ("b", 0.2)]));
        let changed = view(&[("a", 0.9), ("b", 0.2), ("new", 0.5)]);
        list.refresh(4999, &changed);
        assert_eq!(ids(&list, &changed), ["b", "a", "new"]);
        list.refresh(5000, &changed);
        assert_eq!(ids(&list, &changed), ["a", "new", "b"]);
        list.step(Action::Down, 5, &changed);
        let again = view(&[("a", 0.0), ("b", 0.9), ("new", 0.5)]);
        list.refresh(50_000, &again);
        assert_eq!(ids(&list, &again), ["a", "new", "b"]);
        assert_eq!(list.selected(&again).map(|row| row.id.as_str()), Some("new"));
        list.pick.clear();
        list.refresh(50_001, &again);
        assert_eq!(ids(&list, &again), ["b", "new", "a"]);
    }

    #[test]
    fn the_selection_stays_on_its_customer_when_the_order_changes() {
        let mut list = CustomerList::default();
        let view = view(&[("a", 0.1), ("b", 0.2), ("c", 0.3)]);
        list.step(Action::Down, 5, &view);
        assert_eq!(list.selected(&view).map(|row| row.id.as_str()), Some("b"));
        list.sort_next();
        list.refresh(0, &view);
        assert_eq!(ids(&list, &view), ["c", "b", "a"]);
        assert_eq!(list.selected(&view).map(|row| row.id.as_str()), Some("b"));
    }
}
