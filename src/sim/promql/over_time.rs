//! Functions over the samples of a range, with Prometheus' own arithmetic (version 2.42).

/// A range and the samples in it, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Window<'p> {
    /// The samples; never empty.
    pub points: &'p [(i64, f64)],
    /// Where the range starts, in milliseconds since the epoch.
    pub from_ms: i64,
    /// Where the range ends.
    pub to_ms: i64,
}

/// A function that makes one number of the samples of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverTime {
    /// Growth of a counter per second, extrapolated to the range.
    Rate,
    /// Growth of a counter, extrapolated to the range.
    Increase,
    /// Difference of a gauge, extrapolated to the range.
    Delta,
    /// Growth per second between the last two samples.
    InstantRate,
    /// Difference between the last two samples.
    InstantDelta,
    /// How often the value changed.
    Changes,
    /// How often a counter was reset.
    Resets,
    /// Arithmetic mean.
    Average,
    /// Least value.
    Min,
    /// Greatest value.
    Max,
    /// Sum.
    Sum,
    /// Number of samples.
    Count,
    /// Newest value.
    Last,
    /// 1 when there is any sample.
    Present,
    /// Population standard deviation.
    Deviation,
    /// Population variance.
    Variance,
}

impl OverTime {
    /// Returns the function of this PromQL name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "rate" => Self::Rate,
            "increase" => Self::Increase,
            "delta" => Self::Delta,
            "irate" => Self::InstantRate,
            "idelta" => Self::InstantDelta,
            "changes" => Self::Changes,
            "resets" => Self::Resets,
            "avg_over_time" => Self::Average,
            "min_over_time" => Self::Min,
            "max_over_time" => Self::Max,
            "sum_over_time" => Self::Sum,
            "count_over_time" => Self::Count,
            "last_over_time" => Self::Last,
            "present_over_time" => Self::Present,
            "stddev_over_time" => Self::Deviation,
            "stdvar_over_time" => Self::Variance,
            _ => return None,
        })
    }

    /// Computes the function; `None` where Prometheus returns no sample.
    pub fn apply(self, window: Window<'_>) -> Option<f64> {
        let points = window.points;
        let values = || points.iter().map(|(_, value)| *value);
        match self {
            Self::Rate => extrapolated(window, true).map(|v| v / ((window.to_ms - window.from_ms) as f64 / 1000.0)),
            Self::Increase => extrapolated(window, true),
            Self::Delta => extrapolated(window, false),
            Self::InstantRate => last_two(points, true),
            Self::InstantDelta => last_two(points, false),
            Self::Changes => Some(pairs(points).filter(|(a, b)| a != b && !(a.is_nan() && b.is_nan())).count() as f64),
            Self::Resets => Some(pairs(points).filter(|(a, b)| b < a).count() as f64),
            Self::Average => Some(mean(values())),
            Self::Min => values().reduce(|least, v| if v < least || least.is_nan() { v } else { least }),
            Self::Max => values().reduce(|most, v| if v > most || most.is_nan() { v } else { most }),
            Self::Sum => Some(values().sum()),
            Self::Count => Some(points.len() as f64),
            Self::Last => points.last().map(|(_, value)| *value),
            Self::Present => Some(1.0),
            Self::Deviation => Some(variance(values()).sqrt()),
            Self::Variance => Some(variance(values())),
        }
    }
}

/// Returns the mean, also where the sum would overflow.
pub fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let mut mean = 0.0_f64;
    for (i, value) in values.enumerate() {
        let count = (i + 1) as f64;
        if i == 0 {
            mean = value;
            continue;
        }
        if mean.is_infinite() {
            // The same infinity, or any finite number, leaves it; the opposite one makes it NaN below.
            let stays = !value.is_nan() && (value.is_finite() || (value > 0.0) == (mean > 0.0));
            if stays {
                continue;
            }
        }
        mean += value / count - mean / count;
    }
    mean
}

/// Returns the population variance (Welford's way, as Prometheus).
pub fn variance(values: impl Iterator<Item = f64>) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        let delta = value - mean;
        mean += delta / count;
        squares += delta * (value - mean);
    }
    squares / count
}

/// Returns the quantile by linear interpolation between ranks; NaN counts as the least value.
pub fn quantile(q: f64, mut values: Vec<f64>) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal)));
    let rank = q * (values.len() - 1) as f64;
    let lower = rank.floor() as usize;
    let upper = (lower + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
    at(lower) * (1.0 - weight) + at(upper) * weight
}

fn pairs(points: &[(i64, f64)]) -> impl Iterator<Item = (f64, f64)> {
    points.iter().zip(points.iter().skip(1)).map(|((_, a), (_, b))| (*a, *b))
}

fn extrapolated(window: Window<'_>, counter: bool) -> Option<f64> {
    let (first, last) = (window.points.first()?, window.points.last()?);
    if window.points.len() < 2 {
        return None;
    }
    let mut grown = last.1 - first.1;
    if counter {
        grown += pairs(window.points).filter(|(a, b)| b < a).map(|(a, _)| a).sum::<f64>();
    }
    let mut to_start = (first.0 - window.from_ms) as f64 / 1000.0;
    let to_end = (window.to_ms - last.0) as f64 / 1000.0;
    let sampled = (last.0 - first.0) as f64 / 1000.0;
    let spacing = sampled / (window.points.len() - 1) as f64;
    if counter && grown > 0.0 && first.1 >= 0.0 {
        // A counter cannot have been below zero: never extrapolate beyond where it was born.
        to_start = to_start.min(sampled * (first.1 / grown));
    }
    // Near the edge the series is assumed to reach it; further away, to end half a scrape beyond its sample.
    let reach = |gap: f64| if gap < spacing * 1.1 { gap } else { spacing / 2.0 };
    Some(grown * ((sampled + reach(to_start) + reach(to_end)) / sampled))
}

fn last_two(points: &[(i64, f64)], rate: bool) -> Option<f64> {
    let [.., before, last] = points else { return None };
    let seconds = (last.0 - before.0) as f64 / 1000.0;
    let reset = rate && last.1 < before.1;
    let grown = if reset { last.1 } else { last.1 - before.1 };
    Some(if rate { grown / seconds } else { grown })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(f: OverTime, from_ms: i64, to_ms: i64, points: &[(i64, f64)]) -> Option<f64> {
        f.apply(Window { points, from_ms, to_ms })
    }

    #[test]
    fn a_steady_counter_grows_by_its_rate() {
        let points: Vec<(i64, f64)> = (0..=6).map(|i| (i * 10_000, 100.0 + i as f64 * 20.0)).collect();
        assert_eq!(over(OverTime::Rate, 0, 60_000, &points), Some(2.0));
        assert_eq!(over(OverTime::Increase, 0, 60_000, &points), Some(120.0));
    }

    #[test]
    fn a_reset_counts_from_zero() {
        // 10 -> 30, restart, 5 -> 25: grown 15 + 30 over 30 s, extrapolated by 5 s on both sides.
        let points = [(5_000, 10.0), (15_000, 30.0), (25_000, 5.0), (35_000, 25.0)];
        assert_eq!(over(OverTime::Increase, 0, 40_000, &points), Some(45.0 * (40.0 / 30.0)));
        assert_eq!(over(OverTime::Resets, 0, 40_000, &points), Some(1.0));
        assert_eq!(over(OverTime::InstantRate, 0, 30_000, &points[..3]), Some(0.5));
        assert_eq!(over(OverTime::Delta, 0, 40_000, &points), Some(15.0 * (40.0 / 30.0)));
    }

    #[test]
    fn a_birth_is_not_extrapolated_below_zero() {
        // 1 -> 11 in 10 s: zero lies 1 s before the first sample, so the range is reached from there and 2 s at the end.
        let points = [(8_000, 1.0), (18_000, 11.0)];
        assert_eq!(over(OverTime::Increase, 0, 20_000, &points), Some(10.0 * (13.0 / 10.0)));
    }

    #[test]
    fn a_gap_at_an_edge_is_crossed_by_half_a_scrape_only() {
        let points = [(30_000, 100.0), (40_000, 110.0), (50_000, 120.0)];
        assert_eq!(over(OverTime::Increase, 0, 60_000, &points), Some(20.0 * (35.0 / 20.0)));
        assert_eq!(over(OverTime::Rate, 0, 60_000, &points[..1]), None);
    }

    #[test]
    fn nan_is_passed_over_by_min_and_max_only() {
        let points = [(1, f64::NAN), (2, 3.0), (3, 1.0)];
        assert_eq!(over(OverTime::Min, 0, 9, &points), Some(1.0));
        assert_eq!(over(OverTime::Max, 0, 9, &points), Some(3.0));
        assert!(over(OverTime::Sum, 0, 9, &points).is_some_and(f64::is_nan));
        assert_eq!(over(OverTime::Changes, 0, 9, &points), Some(2.0));
    }

    #[test]
    fn quantiles_interpolate_between_ranks() {
        assert_eq!(quantile(0.5, vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(quantile(1.0, vec![4.0, 1.0]), 4.0);
        assert_eq!(quantile(1.1, vec![4.0]), f64::INFINITY);
        assert!(quantile(0.0, vec![4.0, f64::NAN]).is_nan());
        assert_eq!(variance([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter()), 4.0);
        assert_eq!(mean([f64::MAX, f64::MAX].into_iter()), f64::MAX);
        assert_eq!(mean([f64::INFINITY, 1.0].into_iter()), f64::INFINITY);
    }
}
