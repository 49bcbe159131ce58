//! How long the terminal takes to answer: what a person at the far end of a slow line cannot have seen yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The slowest line that people work over: twice this is how long a dialog may keep its keys from them.
const LONGEST_MS: u64 = 1000;

/// The last measured time from a picture to the terminal's answer; shared with whoever measures it.
///
/// Zero stands for "not measured": many terminals do not answer, and then the fixed guard holds alone.
#[derive(Clone, Debug, Default)]
pub struct RoundTrip(Arc<AtomicU64>);

impl RoundTrip {
    /// Takes note of a measurement, in milliseconds.
    ///
    /// A line that froze in the middle of one says nothing of the next key: what is over the longest counts as that.
    pub fn learn(&self, ms: u64) {
        self.0.store(ms.clamp(1, LONGEST_MS), Ordering::Relaxed);
    }

    /// Returns the last measurement in milliseconds.
    pub fn ms(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|ms| *ms > 0)
    }
}
