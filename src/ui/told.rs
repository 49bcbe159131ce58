//! What the terminal has told of itself: how long it takes to answer, its background, and what it knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// The slowest line that people work over: twice this is how long a dialog may keep its keys from them.
const LONGEST_MS: u64 = 1000;

const NO: u8 = 1;
const YES: u8 = 2;

/// What the terminal has told so far; shared with whoever hears it. Many terminals never say some of it.
#[derive(Clone, Debug, Default)]
pub struct Told(Arc<Facts>);

#[derive(Debug, Default)]
struct Facts {
    round_trip: AtomicU64,
    light: AtomicU8,
    synchronized: AtomicU8,
}

impl Told {
    /// Takes note of a measured time from a picture to the terminal's answer, in milliseconds.
    ///
    /// A line that froze in the middle of one says nothing of the next key: what is over the longest counts as that.
    pub fn round_trip(&self, ms: u64) {
        self.0.round_trip.store(ms.clamp(1, LONGEST_MS), Ordering::Relaxed);
    }

    /// Takes note of whether its background is light.
    pub fn background(&self, is_light: bool) {
        note(&self.0.light, is_light);
    }

    /// Takes note of whether it knows synchronized updates (mode 2026).
    pub fn synchronized(&self, is_known: bool) {
        note(&self.0.synchronized, is_known);
    }

    /// Returns the last round trip in milliseconds; `None` = not measured.
    pub fn round_trip_ms(&self) -> Option<u64> {
        Some(self.0.round_trip.load(Ordering::Relaxed)).filter(|ms| *ms > 0)
    }

    /// Tells whether its background is light; `None` = it has not said.
    pub fn is_light(&self) -> Option<bool> {
        read(&self.0.light)
    }

    /// Tells whether it knows synchronized updates; `None` = it has not said.
    pub fn is_synchronized(&self) -> Option<bool> {
        read(&self.0.synchronized)
    }
}

fn note(fact: &AtomicU8, is_so: bool) {
    fact.store(if is_so { YES } else { NO }, Ordering::Relaxed);
}

fn read(fact: &AtomicU8) -> Option<bool> {
    match fact.load(Ordering::Relaxed) {
        NO => Some(false),
        YES => Some(true),
        _ => None,
    }
}
