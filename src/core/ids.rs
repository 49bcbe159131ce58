//! Identifiers that no other console makes: derived from the session, so that the core needs no randomness.

use crate::model::Timestamp;

/// Crockford's base 32 alphabet, as ULIDs use it.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A deterministic source of identifiers, seeded with the session.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    state: u64,
}

impl Ids {
    /// Seeds the source with the session's digits.
    pub fn new(session: &str) -> Self {
        // FNV-1a: every digit of the session counts.
        let state = session
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self { state }
    }

    /// Returns the next 64 bits (splitmix64).
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns sixteen hexadecimal digits, as placeholder values need them.
    pub fn hex16(&mut self) -> String {
        format!("{:016x}", self.bits())
    }

    /// Returns a ULID: 48 bits of milliseconds, then 80 bits of this source.
    pub fn ulid(&mut self, now: Timestamp) -> String {
        let millis = u128::try_from(now.as_millisecond()).unwrap_or(0) & ((1 << 48) - 1);
        let low = (u128::from(self.bits()) << 16) | u128::from(self.bits() & 0xffff);
        let value = (millis << 80) | low;
        (0..26).rev().map(|i| char::from(ALPHABET[usize::try_from((value >> (i * 5)) & 31).unwrap_or(0)])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulids_sort_by_time_and_differ_between_sessions() {
        let early: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let late: Timestamp = "2026-01-01T00:00:01Z".parse().unwrap();
        let (mut a, mut b) = (Ids::new("0000000000000001"), Ids::new("0000000000000002"));
        let (first, second) = (a.ulid(early), a.ulid(late));
        assert_eq!(first.len(), 26);
        assert!(first < second);
        assert_ne!(first, b.ulid(early));
        assert_eq!(b.hex16().len(), 16);
    }
}
