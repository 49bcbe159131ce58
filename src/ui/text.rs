//! Every fixed text a program may look for on the screen, in one place.
//!
//! A robot that plays a release reads two things.
//!
//! **The advice** stands in the last two rows (below 24 rows of terminal, in the last one). Its first cell is blank, its
//! second a sign for its tone, its third blank; a second row of it begins with three blanks. Then comes either the next step, as [`advised`] writes it,
//!
//! ```text
//!  ▶ Space n: move wave 2 of early
//! ```
//!
//! (press Space, then n; the keys come from the keymap, and two keys are separated by one blank), or what is waited for,
//! without a key and a colon:
//!
//! ```text
//!  · waiting for the bake of early: 12 s of 20 s, since 03:02:58
//! ```
//!
//! **A dialog** takes keys only while one of these rows is on the screen. Keys typed before are dropped.
//!
//! ```text
//!  Type early to go: ▏                    type the word; Enter runs it once it matches, then the next row says
//!  Enter runs it.
//!  Reason: ▏                              after a matching word, where a reason is asked: Enter goes there, Enter runs it
//!  y  roll back                           press y
//!  Enter shows what it would do.          the start dialog: Enter leads to the dialog that asks for the word
//!  Esc  cancel                            always works, as does hold
//! ```
//!
//! A dialog with [`REFUSED`] can only be closed; its reasons stand below that row.

use crate::core::Action;

/// What stands before the word to type.
pub const TYPE: &str = "Type ";
/// What stands between the word to type and what has been typed.
pub const TO_GO: &str = " to go: ";
/// What stands before the reason.
pub const REASON: &str = "Reason: ";
/// Says that Enter runs the command now.
pub const ENTER_RUNS: &str = "Enter runs it.";
/// Says that Enter moves to the reason.
pub const ENTER_TO_REASON: &str = "Enter goes to the reason.";
/// Says that Enter leads to the preview.
pub const ENTER_SHOWS: &str = "Enter shows what it would do.";
/// Says that Enter does nothing yet.
pub const ENTER_WAITS: &str = "Enter does nothing until it matches.";
/// Says that keys are not taken yet.
pub const NOT_ARMED: &str = "Keys are dropped for a moment: this has just appeared or changed.";
/// Says that the preview is being made.
pub const LOOKING: &str = "Looking at the cluster...";
/// Stands above the reasons why a command may not run.
pub const REFUSED: &str = "NOT NOW:";
/// Stands before a version that is typed in the start dialog.
pub const VERSION: &str = "Version: ";
/// What the record says when hold or rollback was given by its key, which asks for no reason.
pub const BY_KEY: &str = "by key, no reason given";
/// Where a person without a cluster is sent.
pub const DEMO: &str = "pilothouse demo";
/// What a watch screen answers to an operating key.
pub const WATCH_ONLY: &str = "watch mode: this screen cannot change anything";
/// What is said when somebody pastes.
pub const NO_PASTE: &str = "paste is ignored: commands are typed";

/// What is to be done before anything else while there are several plans.
pub const CHOOSE: &str = "choose a plan first";

/// Writes the advice of an action that has a key.
pub fn advised(key: &str, text: &str) -> String {
    format!("{key}: {text}")
}

/// Writes the row that asks for a word.
pub fn type_word(word: &str) -> String {
    format!("{TYPE}{word}{TO_GO}")
}

/// Writes the row that asks for `y`.
pub fn yes(action: Action) -> String {
    format!("y  {}", action.spec().title)
}

/// Writes the row of the way out.
pub fn escape(key: &str, verb: &str) -> String {
    format!("{key}  {verb}")
}
