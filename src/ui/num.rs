//! Numbers as people read them: right-aligned, few digits, and `?` for what is unknown, never 0.

use crate::model::Span;

/// What is shown of an unknown number.
pub(super) const UNKNOWN: &str = "?";
/// What is shown where there is nothing to count.
pub(super) const NOTHING: &str = "-";

/// Writes a count: `137`, `12.3k`.
pub(super) fn count(value: Option<u64>) -> String {
    match value {
        None => UNKNOWN.to_owned(),
        Some(n) if n < 10_000 => n.to_string(),
        Some(n) => short(n as f64),
    }
}

/// Writes how many there are of a set: `23`.
pub(super) fn number(value: Option<usize>) -> String {
    value.map_or(UNKNOWN.to_owned(), |n| n.to_string())
}

/// Writes a rate: `0.4`, `41`, `1.2k`; a rate that is not 0 is never written as 0.
pub(super) fn rate(value: Option<f64>) -> String {
    match value.filter(|v| v.is_finite()) {
        None => UNKNOWN.to_owned(),
        Some(v) if v <= 0.0 => "0".to_owned(),
        Some(v) if v < 0.05 => "<0.1".to_owned(),
        Some(v) if v < 9.95 => format!("{v:.1}"),
        Some(v) if v < 999.5 => format!("{v:.0}"),
        Some(v) => short(v),
    }
}

/// Writes a fraction in percent: `0.3%`, `25%`; a share that is not 0 is never written as 0, nor one below 100 as 100.
pub(super) fn percent(value: Option<f64>, missing: &str) -> String {
    match value.filter(|v| v.is_finite()) {
        None => missing.to_owned(),
        Some(v) if v <= 0.0 => "0%".to_owned(),
        Some(v) if v < 0.0005 => "<0.1%".to_owned(),
        Some(v) if v < 0.0995 => format!("{:.1}%", v * 100.0),
        Some(v) if v < 1.0 => format!("{:.0}%", (v * 100.0).min(99.0)),
        Some(v) => format!("{:.0}%", v * 100.0),
    }
}

/// Writes a part of a whole in percent; nothing of nothing is `-`.
pub(super) fn part(value: Option<usize>, of: usize) -> String {
    match value {
        None => UNKNOWN.to_owned(),
        Some(_) if of == 0 => NOTHING.to_owned(),
        Some(n) => percent(Some(n as f64 / of as f64), UNKNOWN),
    }
}

/// Writes a latency given in seconds: `88ms`, `1.2s`.
pub(super) fn latency(value: Option<f64>) -> String {
    match value.filter(|v| v.is_finite() && *v >= 0.0) {
        None => NOTHING.to_owned(),
        Some(v) if v < 0.001 => "<1ms".to_owned(),
        Some(v) if v < 0.9995 => format!("{:.0}ms", v * 1000.0),
        Some(v) if v < 9.95 => format!("{v:.1}s"),
        Some(v) => format!("{v:.0}s"),
    }
}

/// Writes an age in its two largest units: `38s`, `4m12s`, `1h05m`, `3d`.
pub(super) fn age(seconds: u64) -> String {
    let (d, h, m, s) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    match (d, h, m) {
        (0, 0, 0) => format!("{s}s"),
        (0, 0, _) => format!("{m}m{s:02}s"),
        (0, _, _) => format!("{h}h{m:02}m"),
        _ => format!("{d}d{h:02}h"),
    }
}

/// Writes a length of time that does not run: `4m`, `10m`, `1m30s`.
pub(super) fn span(seconds: u64) -> String {
    Span::seconds(seconds).to_string()
}

/// Writes a running time whose digits change in place: `04:12`, `1:02:03`.
pub(super) fn timer(seconds: Option<u64>) -> String {
    match seconds {
        None => UNKNOWN.to_owned(),
        Some(s) if s < 3600 => format!("{:02}:{:02}", s / 60, s % 60),
        Some(s) => format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60),
    }
}

/// Writes the age of the oldest transaction, given in seconds.
pub(super) fn oldest(value: Option<f64>) -> String {
    match value.filter(|v| v.is_finite() && *v >= 0.0) {
        None => UNKNOWN.to_owned(),
        Some(v) => age(v as u64),
    }
}

fn short(v: f64) -> String {
    match v {
        v if v < 99_950.0 => format!("{:.1}k", v / 1e3),
        v if v < 999_500.0 => format!("{:.0}k", v / 1e3),
        v if v < 99_950_000.0 => format!("{:.1}M", v / 1e6),
        v => format!("{:.0}M", v / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_never_zero_and_small_is_never_nothing() {
        assert_eq!([count(None), rate(None), percent(None, "?"), oldest(None), timer(None), part(None, 3)], ["?"; 6]);
        assert_eq!(rate(Some(f64::NAN)), "?");
        assert_eq!(percent(Some(f64::INFINITY), "-"), "-");
        assert_eq!([rate(Some(0.001)), percent(Some(0.0001), "?"), latency(Some(0.0001))], ["<0.1", "<0.1%", "<1ms"]);
        assert_eq!(percent(Some(0.9999), "?"), "99%");
        assert_eq!(part(Some(0), 0), "-");
    }

    #[test]
    fn numbers_keep_few_digits() {
        assert_eq!(
            [0.0, 0.44, 9.96, 41.4, 999.6, 9840.0, 123_456.0].map(|v| rate(Some(v))),
            ["0", "0.4", "10", "41", "1.0k", "9.8k", "123k"]
        );
        assert_eq!([0, 137, 9999, 12_345, 2_500_000].map(|v| count(Some(v))), ["0", "137", "9999", "12.3k", "2.5M"]);
        assert_eq!(
            [0.0, 0.003, 0.0131, 0.0996, 0.25, 1.0].map(|v| percent(Some(v), "?")),
            ["0%", "0.3%", "1.3%", "10%", "25%", "100%"]
        );
        assert_eq!([0.088, 0.9996, 1.25, 12.0].map(|v| latency(Some(v))), ["88ms", "1.0s", "1.2s", "12s"]);
        assert_eq!([38, 252, 3900, 270_000].map(age), ["38s", "4m12s", "1h05m", "3d03h"]);
        assert_eq!([12, 252, 3723].map(|s| timer(Some(s))), ["00:12", "04:12", "1:02:03"]);
    }
}
