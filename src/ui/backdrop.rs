//! Whether the terminal's background is light: what the theme `auto` follows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const DARK: u8 = 1;
const LIGHT: u8 = 2;

/// What the terminal has said of its background; shared with whoever hears it. Many terminals never say.
#[derive(Clone, Debug, Default)]
pub struct Backdrop(Arc<AtomicU8>);

impl Backdrop {
    /// Takes note of the answer.
    pub fn learn(&self, is_light: bool) {
        self.0.store(if is_light { LIGHT } else { DARK }, Ordering::Relaxed);
    }

    /// Tells whether it is light; `None` while the terminal has not said.
    pub fn is_light(&self) -> Option<bool> {
        match self.0.load(Ordering::Relaxed) {
            DARK => Some(false),
            LIGHT => Some(true),
            _ => None,
        }
    }
}
