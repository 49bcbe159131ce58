//! What the person knows of the last order.

use crate::core::{RunningState, View};

/// How long a finished order stays.
const DONE_MS: u64 = 10_000;

/// The last order, as far as it has been seen.
#[derive(Default)]
pub(super) struct Order {
    number: u64,
    done_ms: Option<u64>,
    dismissed: bool,
}

impl Order {
    /// Puts away what is said of it.
    pub fn dismiss(&mut self) {
        self.dismissed = true;
    }

    /// Tells whether it is still worth its rows: a refusal stays until the person has put it away or ordered something
    /// else; what went well goes by itself.
    pub fn is_worth_showing(&mut self, now_ms: u64, view: &View) -> bool {
        let Some(running) = &view.running else { return false };
        if running.number != self.number {
            *self = Self { number: running.number, ..Self::default() };
        }
        match running.outcome {
            RunningState::Running => {
                self.done_ms = None;
                true
            }
            RunningState::Done => {
                let since = *self.done_ms.get_or_insert(now_ms);
                !self.dismissed && now_ms < since + DONE_MS
            }
            RunningState::Refused { .. } | RunningState::Stopped { .. } => !self.dismissed,
        }
    }
}
