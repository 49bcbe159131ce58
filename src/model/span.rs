//! Durations and shares as people write them in a plan.

use std::fmt;
use std::time::Duration;

/// A duration written as `15s`, `10m`, `1h30m` or `250ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

impl Span {
    /// Makes a span of whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Makes a span of whole milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// Reads the written form.
    ///
    /// # Errors
    /// Says what is wrong with the text and which forms are allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a duration; write it like 15s, 10m, 1h30m or 250ms");
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(wrong());
        }
        let mut total = Duration::ZERO;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let amount: u64 = rest.get(..digits).and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
            rest = rest.get(digits..).unwrap_or_default();
            let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (unit, tail) = rest.split_at(unit_end);
            let step = match unit {
                "ms" => Duration::from_millis(amount),
                "s" => Duration::from_secs(amount),
                "m" => Duration::from_secs(amount.checked_mul(60).ok_or_else(wrong)?),
                "h" => Duration::from_secs(amount.checked_mul(3600).ok_or_else(wrong)?),
                "d" => Duration::from_secs(amount.checked_mul(86400).ok_or_else(wrong)?),
                _ => return Err(wrong()),
            };
            total = total.checked_add(step).ok_or_else(wrong)?;
            rest = tail;
        }
        Ok(Self(total))
    }

    /// Returns the length in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0.as_secs_f64()
    }
}

impl fmt::Display for Span {
    /// Writes at most the two largest units, as a person would say it: `1h30m`, `4m12s`, `15s`, `250ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_secs();
        let (days, hours, minutes, seconds) = (total / 86400, total / 3600 % 24, total / 60 % 60, total % 60);
        match (days, hours, minutes, seconds) {
            (0, 0, 0, 0) => write!(f, "{}ms", self.0.subsec_millis()),
            (0, 0, 0, s) => write!(f, "{s}s"),
            (0, 0, m, 0) => write!(f, "{m}m"),
            (0, 0, m, s) => write!(f, "{m}m{s:02}s"),
            (0, h, 0, _) => write!(f, "{h}h"),
            (0, h, m, _) => write!(f, "{h}h{m:02}m"),
            (d, 0, _, _) => write!(f, "{d}d"),
            (d, h, _, _) => write!(f, "{d}d{h}h"),
        }
    }
}

/// A share of a whole, kept exactly in parts per million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share {
    ppm: u32,
}

impl Share {
    /// The whole.
    pub const ALL: Self = Self { ppm: 1_000_000 };

    /// Reads `25%` or `0.5%`.
    ///
    /// # Errors
    /// Says what is wrong when the text is no percentage between 0 and 100.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a percentage from 0% to 100%");
        let number: f64 = text.trim().strip_suffix('%').and_then(|n| n.trim().parse().ok()).ok_or_else(wrong)?;
        if !(0.0..=100.0).contains(&number) {
            return Err(wrong());
        }
        // The range check above bounds the product to 0..=1_000_000.
        Ok(Self { ppm: (number * 10_000.0).round() as u32 })
    }

    /// Returns this share of `count`, rounded up.
    pub fn of(self, count: usize) -> usize {
        (count as u128 * u128::from(self.ppm)).div_ceil(1_000_000) as usize
    }

    /// Returns the share as a fraction of one.
    pub fn as_fraction(self) -> f64 {
        f64::from(self.ppm) / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        assert_eq!(Span::parse("1h30m").map(|s| s.0.as_secs()), Ok(5400));
        assert_eq!(Span::parse("250ms").map(|s| s.0.as_millis()), Ok(250));
        assert_eq!(Span::parse("15s").map(|s| s.to_string()), Ok("15s".to_owned()));
        for bad in ["", "15", "s", "1x", "-3s", "1.5s", "99999999999999999999s", "9999999999999999h"] {
            assert!(Span::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn spans_print_two_units() {
        let shown: Vec<String> =
            [0, 59, 60, 252, 3600, 5400, 90000].into_iter().map(|s| Span::seconds(s).to_string()).collect();
        assert_eq!(shown, ["0ms", "59s", "1m", "4m12s", "1h", "1h30m", "1d1h"]);
    }

    #[test]
    fn shares_round_up() {
        assert_eq!(Share::parse("25%").map(|s| s.of(44)), Ok(11));
        assert_eq!(Share::parse("10%").map(|s| s.of(41)), Ok(5));
        assert_eq!(Share::parse("0.1%").map(|s| s.of(3)), Ok(1));
        assert_eq!(Share::parse("0%").map(|s| s.of(3)), Ok(0));
        assert_eq!(Share::ALL.of(7), 7);
        for bad in ["", "10", "101%", "-1%", "NaN%", "x%"] {
            assert!(Share::parse(bad).is_err(), "{bad}");
        }
    }
}
