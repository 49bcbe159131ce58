//! The clocks of this program: none of them goes back.

use crate::model::Timestamp;
use crate::runtime::Clock;
use jiff::SignedDuration;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// A time that runs on from an instant.
#[derive(Clone, Copy, Debug)]
struct Running {
    start: Timestamp,
    since: Instant,
}

impl Running {
    fn from(start: Timestamp) -> Self {
        Self { start, since: Instant::now() }
    }

    fn now(self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.since.elapsed()).unwrap_or(SignedDuration::MAX);
        self.start.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}

/// Returns a clock that shows `start` now and runs on by itself.
pub(super) fn running(start: Timestamp) -> Clock {
    let time = Running::from(start);
    Arc::new(move || time.now())
}

/// Returns a clock that follows `wall` ahead and runs on by itself while that has been set back.
///
/// Whatever waits for a time would wait for it twice, and what is old would look fresh. Ahead it is followed: a machine
/// that has slept has not counted that time itself (`CLOCK_MONOTONIC`, clock_gettime(2)). While ours is ahead of a wall
/// that was set back, the `Date` of the API server's answers says so as for any clock that is wrong.
pub(super) fn steady(wall: impl Fn() -> Timestamp + Send + Sync + 'static) -> Clock {
    let time = Mutex::new(Running::from(wall()));
    Arc::new(move || {
        let mut time = time.lock().unwrap_or_else(PoisonError::into_inner);
        let wall = wall();
        if wall > time.now() {
            *time = Running::from(wall);
            return wall;
        }
        time.now()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_clock_follows_the_wall_ahead_and_never_back() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let wall = Arc::new(Mutex::new(at(1000)));
        let set = |second: i64| *wall.lock().unwrap() = at(second);
        let clock = steady({
            let wall = wall.clone();
            move || *wall.lock().unwrap()
        });
        assert_eq!(clock(), at(1000));
        set(400);
        tokio::time::advance(Duration::from_secs(7)).await;
        assert_eq!(clock(), at(1007), "it runs on while the wall is behind");
        set(5000);
        assert_eq!(clock(), at(5000), "the machine has slept");
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(clock(), at(5003));
    }
}
