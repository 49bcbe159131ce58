//! A text that is looked for in the rows of a screen, and the way from one row that has it to the next.

use super::chord::Chord;
use super::dialog::edit;
use crate::core::Action;
use crossterm::event::KeyCode;
use tui_input::Input;

/// What is looked for on the screen in sight.
#[derive(Debug, Default)]
pub(super) struct Search {
    input: Input,
    is_typing: bool,
    /// The text has changed since the rows were looked at.
    is_new: bool,
    /// The rows that have the text, as of the last picture.
    found: Vec<usize>,
    /// The row that was gone to.
    at: Option<usize>,
    /// Where the typing began, to which a text that is nowhere leads back.
    origin: Option<usize>,
}

/// Where a step through the rows has led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// The row.
    pub row: usize,
    /// Its place among the rows that have the text, counted from 1.
    pub number: usize,
    /// Whether the step went over the end of the list.
    pub wrapped: bool,
}

/// What rows are compared with while they are drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Needle {
    text: String,
    /// The row that was gone to, on screens that have no selection of their own.
    pub at: Option<usize>,
}

impl Needle {
    /// Tells whether a row has the text, in whatever case.
    pub fn is_in(&self, row: &str) -> bool {
        !self.text.is_empty() && row.to_lowercase().contains(&self.text)
    }
}

impl Search {
    /// Returns the text as it is typed.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Tells whether it is being typed.
    pub fn is_typing(&self) -> bool {
        self.is_typing
    }

    /// Tells whether the text has changed since the rows were looked at.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Begins to type it anew.
    pub fn begin(&mut self) {
        *self = Self { is_typing: true, ..Self::default() };
    }

    /// Keeps what has been typed, as Enter does.
    pub fn end_typing(&mut self) {
        self.is_typing = false;
    }

    /// Takes in a key while it is typed.
    pub fn press(&mut self, chord: Chord, action: Option<Action>) {
        match (chord.code, action) {
            (KeyCode::Enter, _) => self.is_typing = false,
            (_, Some(Action::Back)) => *self = Self::default(),
            _ => self.is_new |= edit(&mut self.input, chord),
        }
    }

    /// Returns what rows are compared with.
    pub fn needle(&self) -> Needle {
        Needle { text: self.text().trim().to_lowercase(), at: self.at }
    }

    /// Takes in which rows have the text; returns the one to go to, where it is new: the first from where the typing began,
    /// which is `from` at its first letter.
    pub fn take(&mut self, found: Vec<usize>, from: usize) -> Option<usize> {
        self.found = found;
        if !std::mem::take(&mut self.is_new) {
            return None;
        }
        let origin = *self.origin.get_or_insert(from);
        self.at = self.found.iter().copied().find(|row| *row >= origin).or(self.found.first().copied());
        self.at.or(Some(origin))
    }

    /// Returns how many rows have the text.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// Goes to the next row that has the text, or the one before; `from` is the selected row, where the screen has one.
    pub fn go(&mut self, forward: bool, from: Option<usize>) -> Option<Hit> {
        let from = from.or(self.at);
        let next = match (from, forward) {
            (None, true) => Some(0),
            (None, false) => None,
            (Some(from), true) => self.found.iter().position(|row| *row > from),
            (Some(from), false) => self.found.iter().rposition(|row| *row < from),
        };
        let over = if forward { 0 } else { self.found.len().checked_sub(1)? };
        let place = next.unwrap_or(over);
        let row = *self.found.get(place)?;
        self.at = Some(row);
        Some(Hit { row, number: place + 1, wrapped: next.is_none() && from.is_some() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Search {
        let mut search = Search::default();
        search.begin();
        for c in text.chars() {
            search.press(Chord::parse(&c.to_string()).unwrap(), None);
        }
        search
    }

    #[test]
    fn a_new_text_leads_to_the_first_row_from_here_on() {
        let mut search = typed("er");
        assert_eq!(search.take(vec![2, 5, 9], 4), Some(5));
        assert_eq!(search.take(vec![2, 5, 9], 0), None, "only a new text moves");
        let mut search = typed("er");
        assert_eq!(search.take(vec![2, 3], 4), Some(2));
        let mut search = typed("er");
        assert_eq!(search.take(vec![6], 4), Some(6));
        search.press(Chord::parse("r").unwrap(), None);
        assert_eq!(search.take(Vec::new(), 6), Some(4), "back to where it began");
    }

    #[test]
    fn steps_go_round_and_say_so() {
        let mut search = typed("er");
        search.take(vec![2, 5, 9], 0);
        let go = |search: &mut Search, forward| search.go(forward, None).map(|hit| (hit.row, hit.number, hit.wrapped));
        assert_eq!(go(&mut search, true), Some((5, 2, false)));
        assert_eq!(go(&mut search, true), Some((9, 3, false)));
        assert_eq!(go(&mut search, true), Some((2, 1, true)));
        assert_eq!(go(&mut search, false), Some((9, 3, true)));
        assert_eq!(search.go(true, Some(3)), Some(Hit { row: 5, number: 2, wrapped: false }));
        search.take(Vec::new(), 0);
        assert_eq!((go(&mut search, true), go(&mut search, false)), (None, None));
    }

    #[test]
    fn case_does_not_matter_and_no_text_is_nowhere() {
        assert!(typed("HOLD").needle().is_in("auto-hold by gate"));
        assert!(!typed("").needle().is_in("anything"));
    }

    #[test]
    fn enter_keeps_a_text_and_back_forgets_it() {
        let mut search = typed("x");
        search.press(Chord::parse("enter").unwrap(), Some(Action::Open));
        assert_eq!((search.text(), search.is_typing()), ("x", false));
        search.begin();
        assert_eq!(search.text(), "");
        let mut search = typed("x");
        search.press(Chord::parse("esc").unwrap(), Some(Action::Back));
        assert_eq!((search.text(), search.is_typing()), ("", false));
    }
}
