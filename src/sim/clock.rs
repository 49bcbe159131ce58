//! The embedded cluster's time and chance: a wall clock on tokio's time, and a small deterministic generator.

use crate::model::Timestamp;
use jiff::SignedDuration;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// A wall clock that runs on tokio's time, so that paused tests move it.
#[derive(Debug)]
pub struct Clock {
    start: Timestamp,
    origin: Instant,
    /// Seconds that objects look older than they are, while the cluster is seeded.
    age: AtomicU64,
}

/// A small deterministic generator (SplitMix64); good enough for names, never for secrets.
#[derive(Clone, Debug)]
pub struct Entropy(u64);

impl Clock {
    /// Starts the clock: `start` is the wall time of this very instant.
    pub fn new(start: Timestamp) -> Self {
        Self { start, origin: Instant::now(), age: AtomicU64::new(0) }
    }

    /// Returns the wall time.
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.origin.elapsed()).unwrap_or(SignedDuration::MAX);
        let age = Duration::from_secs(self.age.load(Ordering::Relaxed));
        let now = self.start.saturating_add(elapsed).unwrap_or(Timestamp::MAX);
        now.saturating_sub(age).unwrap_or(Timestamp::MIN)
    }

    /// Makes everything that is created from now on look this old; zero ends it.
    pub fn backdate(&self, age: Duration) {
        self.age.store(age.as_secs(), Ordering::Relaxed);
    }

    /// Returns the wall time as objects carry it, in whole seconds.
    pub fn stamp(&self) -> String {
        seconds(self.now())
    }

    /// Returns the wall time as the `Date` header carries it.
    pub fn http_date(&self) -> String {
        self.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }
}

/// Writes a time as objects carry it, in whole seconds.
pub fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Entropy {
    /// Starts the generator.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a fraction from 0 (included) to 1 (excluded).
    pub fn fraction(&mut self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns a uid in the form of a version 4 UUID.
    pub fn uid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }

    /// Returns five characters as Kubernetes appends them to generated names.
    pub fn suffix(&mut self) -> String {
        let bits = self.next();
        (0..5).map(|i| letter((bits >> (i * 8)) as usize)).collect()
    }
}

/// Returns the character Kubernetes uses for this number in generated names: no vowels, so no words appear.
pub fn letter(number: usize) -> char {
    const LETTERS: [char; 27] = [
        'b', 'c', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'q', 'r', 's', 't', 'v', 'w', 'x', 'z', '2', '4',
        '5', '6', '7', '8', '9',
    ];
    LETTERS[number % LETTERS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_clock_follows_tokio_time_and_can_make_objects_look_old() {
        let clock = Clock::new("2026-11-23T10:00:00Z".parse().unwrap());
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.stamp(), "2026-11-23T10:01:30Z");
        assert_eq!(clock.http_date(), "Mon, 23 Nov 2026 10:01:30 GMT");
        clock.backdate(Duration::from_secs(86_400));
        assert_eq!(clock.stamp(), "2026-11-22T10:01:30Z");
    }

    #[test]
    fn the_same_seed_gives_the_same_uids() {
        let (mut one, mut two) = (Entropy::new(7), Entropy::new(7));
        let uid = one.uid();
        assert_eq!(uid, two.uid());
        assert_ne!(uid, one.uid());
        assert_eq!((uid.len(), uid.as_bytes()[14]), (36, b'4'));
    }
}
