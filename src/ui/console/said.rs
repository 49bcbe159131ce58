//! What the console says to the person, in the place of the keys and for a while.

use super::Ui;
use crate::ui::screen::frame::Message;
use crate::ui::theme::Role;

/// How long a short message stays.
const SAID_MS: u64 = 4000;

/// Something that is said.
pub(super) struct Spoken {
    text: String,
    role: Role,
    until: u64,
}

impl Spoken {
    /// Says for so long that something was done.
    pub fn done(text: String, until: u64) -> Self {
        Self { text, role: Role::Ok, until }
    }

    /// Says for so long what was not done, or why.
    pub fn warning(text: String, until: u64) -> Self {
        Self { text, role: Role::Warn, until }
    }

    /// Returns it while it is said.
    pub fn at(&self, now_ms: u64) -> Option<Message<'_>> {
        (now_ms < self.until).then_some((self.text.as_str(), self.role))
    }

    /// Returns when it goes.
    pub fn until(&self) -> u64 {
        self.until
    }
}

/// A text that asks for a look.
pub(super) fn warned(text: &str) -> Message<'_> {
    (text, Role::Warn)
}

impl Ui {
    pub(super) fn say(&mut self, now_ms: u64, text: &str) {
        self.said = Some(Spoken::warning(text.to_owned(), now_ms + SAID_MS));
    }

    pub(super) fn say_done(&mut self, now_ms: u64, text: &str) {
        self.said = Some(Spoken::done(text.to_owned(), now_ms + SAID_MS));
    }
}
