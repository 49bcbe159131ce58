//! Where the release stands, in one sentence: for whoever reads the last line after the screen is gone.

use crate::core::View;
use crate::ui::Safe;
use std::sync::{Mutex, PoisonError};

/// What a panic's report says about the release; a panic has no other way to it.
static LAST: Mutex<String> = Mutex::new(String::new());

/// Returns the last known state of the release in words; does not wait for anything.
pub fn last_state() -> String {
    match LAST.try_lock() {
        Ok(text) if !text.is_empty() => text.clone(),
        _ => "The state of the release is not known here: `pilothouse status` says it.".to_owned(),
    }
}

/// Says where a release stands, and that nothing moves by itself.
pub fn state_in_words(view: &View) -> String {
    let header = &view.header;
    if header.release.is_empty() {
        return "No release is under way.".to_owned();
    }
    let why = if header.why.is_empty() { String::new() } else { format!(" ({})", header.why) };
    let wave = match header.wave {
        (_, 0) => String::new(),
        (wave, waves) => format!(", wave {wave} of {waves}"),
    };
    let text = format!("Release {} is {}{why}{wave}; nothing moves without a console.", header.release, header.state);
    Safe::new(&text).to_string()
}

/// Keeps the state for [`last_state`].
pub(super) fn note(view: &View) {
    let text = state_in_words(view);
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = text;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Header;

    #[test]
    fn the_last_line_names_release_state_and_wave() {
        let header = Header {
            release: "trackx-4-12-0".into(),
            state: "HOLD".into(),
            why: "gate errors FAIL".into(),
            wave: (3, 7),
            ..Header::default()
        };
        let text = state_in_words(&View { header, ..View::default() });
        assert_eq!(
            text,
            "Release trackx-4-12-0 is HOLD (gate errors FAIL), wave 3 of 7; nothing moves without a console."
        );
        assert_eq!(state_in_words(&View::default()), "No release is under way.");
    }
}
