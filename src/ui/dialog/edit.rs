//! One line of text.

use crate::ui::chord::Chord;
use crossterm::event::KeyCode;
use tui_input::{Input, InputRequest};

/// The longest line that can be typed.
const MAX: usize = 200;

/// Edits a line by a key; returns whether the key meant something.
pub(in crate::ui) fn edit(input: &mut Input, chord: Chord) -> bool {
    let request = match (chord.code, chord.ctrl, chord.alt) {
        (KeyCode::Char(c), false, false) if input.value().chars().count() < MAX => InputRequest::InsertChar(c),
        (KeyCode::Backspace, false, _) => InputRequest::DeletePrevChar,
        (KeyCode::Delete, _, _) => InputRequest::DeleteNextChar,
        (KeyCode::Left, false, _) => InputRequest::GoToPrevChar,
        (KeyCode::Right, false, _) => InputRequest::GoToNextChar,
        (KeyCode::Home, _, _) => InputRequest::GoToStart,
        (KeyCode::End, _, _) => InputRequest::GoToEnd,
        (KeyCode::Char('w'), true, _) => InputRequest::DeletePrevWord,
        (KeyCode::Char('u'), true, _) => InputRequest::DeleteLine,
        _ => return false,
    };
    input.handle(request);
    true
}
