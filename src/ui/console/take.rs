//! What a person takes away from a screen: a copy in the clipboard, a list as files.

use super::said::Spoken;
use super::{Ask, Ui};
use crate::core::View;
use crate::ui::Safe;

/// The most bytes of a copy: encoded they are the 74 994 that terminals are known to take.
const MOST: usize = 74_994 / 4 * 3;
/// How long it is said where an export is.
const SAVED_MS: u64 = 15_000;

impl Ui {
    /// Says where an export is, or why there is none.
    pub fn exported(&mut self, now_ms: u64, result: Result<String, String>) {
        let until = now_ms + SAVED_MS;
        self.said = Some(match result {
            Ok(place) => Spoken::done(format!("saved {place}"), until),
            Err(why) => Spoken::warning(format!("nothing was saved: {why}"), until),
        });
    }

    /// Says that nothing was copied, because this terminal would print it.
    pub fn not_copied(&mut self, now_ms: u64) {
        self.say(now_ms, "nothing was copied: this terminal has no clipboard for programs (by its TERM)");
    }

    pub(super) fn copy(&mut self, now_ms: u64, view: &View) -> Vec<Ask> {
        let Some((what, text)) = self.places.copyable(view).filter(|(_, text)| !text.is_empty()) else {
            self.say(now_ms, "there is nothing to copy here");
            return Vec::new();
        };
        let lines: Vec<String> = text.lines().map(|line| Safe::new(line).to_string()).collect();
        let mut text = lines.join("\n");
        let all = text.chars().count();
        if text.len() > MOST {
            text.truncate(text.floor_char_boundary(MOST));
        }
        let sent = text.chars().count();
        let size =
            if sent < all { format!("the first {sent} of {all} characters") } else { format!("{sent} characters") };
        self.say_done(now_ms, &format!("{what} was sent to the terminal's clipboard ({size})"));
        vec![Ask::Copy(text)]
    }

    pub(super) fn export(&mut self, now_ms: u64, view: &View) -> Vec<Ask> {
        match self.places.export(view) {
            Ok(export) => {
                self.say(now_ms, &format!("saving {}", export.what));
                vec![Ask::Export(export)]
            }
            Err(why) => {
                self.say(now_ms, why);
                Vec::new()
            }
        }
    }
}
