//! Ending the pauses after failures early, because a person does not want to wait.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// The shortest pause; a key that is held down must not become a storm of requests.
const LEAST: Duration = Duration::from_millis(500);

/// Ends the pauses of everybody who has it and waits before asking a source again.
#[derive(Clone, Debug, Default)]
pub struct Hurry(Arc<Notify>);

impl Hurry {
    /// Ends all pauses.
    pub fn up(&self) {
        self.0.notify_waiters();
    }

    /// Waits until `end`, or shorter if somebody hurries.
    pub async fn wait_until(&self, end: Instant) {
        // Also what is said during the shortest pause counts.
        let mut hurried = std::pin::pin!(self.0.notified());
        hurried.as_mut().enable();
        let least = LEAST.min(end.saturating_duration_since(Instant::now()));
        sleep(least).await;
        tokio::select! {
            () = sleep_until(end) => {}
            () = hurried => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_early_but_never_at_once() {
        for (said_at, ends_at) in [(None, 5000), (Some(3000), 3000), (Some(100), 500)] {
            let (hurry, began) = (Hurry::default(), Instant::now());
            let says = async {
                if let Some(ms) = said_at {
                    sleep(Duration::from_millis(ms)).await;
                    hurry.up();
                }
            };
            let ((), ended) = tokio::join!(says, async {
                hurry.wait_until(began + Duration::from_secs(5)).await;
                began.elapsed()
            });
            assert_eq!(ended, Duration::from_millis(ends_at), "{said_at:?}");
        }
    }
}
