//! The loop that carries events into the core and effects out of it; terminal, keys, clock and links are arguments.
//!
//! Nothing here decides anything. The same loop runs on a person's terminal in real time and inside a test on paused
//! time with the embedded cluster in the same process.

mod app;
mod beside;
mod clipboard;
mod engine;
mod exports;
mod fault;
mod headless;
mod input;
mod inquiry;
mod keys;
mod links;
mod manners;
mod painter;
mod signals;
mod terminal;
mod words;

pub use app::{Exit, Keys, Screen, Why, run};
pub use engine::Engine;
pub use exports::{in_words as export_in_words, save as save_export};
pub use headless::{VerbEnd, await_picture, drive};
pub use input::keys;
pub use inquiry::{Inquiry, inquire};
pub use links::{Clock, Guard, Links, Wired};
pub use manners::{Between, Manners};
pub use signals::stop_on_signals;
pub use terminal::{LastLine, TerminalGuard, enter, farewell, restore};
pub use words::{last_state, state_in_words};
