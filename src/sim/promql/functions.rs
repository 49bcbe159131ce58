//! The functions of PromQL that the evaluator knows.

use super::labels::{Labels, NAME};
use super::over_time::OverTime;
use super::value::{Kind, Sample};
use std::collections::BTreeMap;

/// A function of PromQL.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    /// One of the functions over a range.
    OverTime(OverTime),
    /// `quantile_over_time`.
    QuantileOverTime,
    /// `absent_over_time`.
    AbsentOverTime,
    /// A function of one number, applied to each element.
    Math(fn(f64) -> f64),
    /// `round`.
    Round,
    /// `clamp`.
    Clamp,
    /// `clamp_min`.
    ClampMin,
    /// `clamp_max`.
    ClampMax,
    /// `time`.
    Time,
    /// `timestamp`.
    Timestamp,
    /// `vector`.
    Vector,
    /// `scalar`.
    Scalar,
    /// `absent`.
    Absent,
    /// `sort`.
    Sort,
    /// `sort_desc`.
    SortDescending,
    /// `histogram_quantile` over classic buckets.
    HistogramQuantile,
}

impl Function {
    /// Returns the function of this name; `None` when it is not supported.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "quantile_over_time" => Self::QuantileOverTime,
            "absent_over_time" => Self::AbsentOverTime,
            "abs" => Self::Math(f64::abs),
            "ceil" => Self::Math(f64::ceil),
            "floor" => Self::Math(f64::floor),
            "sqrt" => Self::Math(f64::sqrt),
            "exp" => Self::Math(f64::exp),
            "ln" => Self::Math(f64::ln),
            "log2" => Self::Math(f64::log2),
            "log10" => Self::Math(f64::log10),
            "sgn" => Self::Math(sign),
            "round" => Self::Round,
            "clamp" => Self::Clamp,
            "clamp_min" => Self::ClampMin,
            "clamp_max" => Self::ClampMax,
            "time" => Self::Time,
            "timestamp" => Self::Timestamp,
            "vector" => Self::Vector,
            "scalar" => Self::Scalar,
            "absent" => Self::Absent,
            "sort" => Self::Sort,
            "sort_desc" => Self::SortDescending,
            "histogram_quantile" => Self::HistogramQuantile,
            other => Self::OverTime(OverTime::named(other)?),
        })
    }

    /// Tells whether the function takes arguments of these kinds.
    pub fn accepts(self, kinds: &[Kind]) -> bool {
        use Kind::{Matrix, Scalar, Vector};
        match self {
            Self::OverTime(_) | Self::AbsentOverTime => kinds == [Matrix],
            Self::QuantileOverTime => kinds == [Scalar, Matrix],
            Self::Round => kinds == [Vector] || kinds == [Vector, Scalar],
            Self::Clamp => kinds == [Vector, Scalar, Scalar],
            Self::ClampMin | Self::ClampMax => kinds == [Vector, Scalar],
            Self::Time => kinds.is_empty(),
            Self::Vector => kinds == [Scalar],
            Self::HistogramQuantile => kinds == [Scalar, Vector],
            Self::Math(_) | Self::Timestamp | Self::Scalar | Self::Absent | Self::Sort | Self::SortDescending => {
                kinds == [Vector]
            }
        }
    }

    /// Tells what kind of value the function returns.
    pub fn returns(self) -> Kind {
        match self {
            Self::Time | Self::Scalar => Kind::Scalar,
            _ => Kind::Vector,
        }
    }
}

/// Applies a function to each element; the metric name goes, because the result is no longer that metric.
pub fn each(samples: Vec<Sample>, function: impl Fn(&Sample) -> f64) -> Vec<Sample> {
    let mapped = |s: Sample| Sample { value: function(&s), labels: s.labels.without_name(), at_ms: s.at_ms };
    samples.into_iter().map(mapped).collect()
}

/// Returns the lesser number; NaN when either is NaN.
pub fn least(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}

/// Returns the greater number; NaN when either is NaN.
pub fn greatest(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// Rounds to the nearest multiple, halves up.
pub fn round(value: f64, to_nearest: f64) -> f64 {
    let inverse = 1.0 / to_nearest;
    (value * inverse + 0.5).floor() / inverse
}

/// Sorts by value; NaN comes last in both directions.
pub fn sort(samples: &mut [Sample], descending: bool) {
    samples.sort_by(|a, b| {
        let by_value = a.value.partial_cmp(&b.value).unwrap_or(std::cmp::Ordering::Equal);
        a.value.is_nan().cmp(&b.value.is_nan()).then(if descending { by_value.reverse() } else { by_value })
    });
}

/// Computes a quantile of every histogram in the vector from its cumulative buckets.
pub fn histogram_quantile(q: f64, samples: Vec<Sample>) -> Vec<Sample> {
    let mut at_ms = 0;
    let mut histograms: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in samples {
        // A series whose `le` is no number is no bucket; Prometheus passes over it too.
        let Some(bound) = number(sample.labels.get("le")) else { continue };
        let group = sample.labels.filtered(|name| name != "le" && name != NAME);
        histograms.entry(group).or_default().push((bound, sample.value));
        at_ms = sample.at_ms;
    }
    histograms
        .into_iter()
        .map(|(labels, buckets)| Sample { labels, value: bucket_quantile(q, buckets), at_ms })
        .collect()
}

fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        other => other.parse().ok(),
    }
}

fn bucket_quantile(q: f64, mut buckets: Vec<(f64, f64)>) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    buckets.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    // Cumulative counts that were scraped at different moments may fall; they are lifted to what went before.
    let mut floor = buckets.first().map_or(f64::NAN, |(_, count)| *count);
    for (_, count) in &mut buckets {
        if *count > floor {
            floor = *count;
        } else if *count < floor {
            *count = floor;
        }
    }
    let [finite @ .., (last_bound, observations)] = buckets.as_slice() else { return f64::NAN };
    let Some((highest, _)) = finite.last() else { return f64::NAN };
    if *last_bound != f64::INFINITY || *observations == 0.0 {
        return f64::NAN;
    }
    let rank = q * observations;
    let index = finite.partition_point(|(_, count)| *count < rank);
    let Some((end, count)) = finite.get(index) else { return *highest };
    let Some((start, below)) = index.checked_sub(1).and_then(|before| finite.get(before)) else {
        return if *end <= 0.0 { *end } else { end * (rank / count) };
    };
    start + (end - start) * ((rank - below) / (count - below))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKETS: [(f64, f64); 4] = [(0.1, 50.0), (0.5, 90.0), (1.0, 100.0), (f64::INFINITY, 100.0)];

    #[test]
    fn a_quantile_is_interpolated_inside_its_bucket() {
        assert_eq!(bucket_quantile(0.5, BUCKETS.to_vec()), 0.1);
        assert_eq!(bucket_quantile(0.25, BUCKETS.to_vec()), 0.05);
        assert_eq!(bucket_quantile(0.7, BUCKETS.to_vec()), 0.1 + 0.4 * 0.5);
        assert_eq!(bucket_quantile(0.95, BUCKETS.to_vec()), 0.75);
        assert_eq!(bucket_quantile(2.0, BUCKETS.to_vec()), f64::INFINITY);
    }

    #[test]
    fn what_lies_beyond_the_last_bound_is_reported_as_that_bound() {
        assert_eq!(bucket_quantile(0.99, vec![(1.0, 10.0), (f64::INFINITY, 100.0)]), 1.0);
    }

    #[test]
    fn no_traffic_and_no_upper_bucket_have_no_quantile() {
        assert!(bucket_quantile(0.5, vec![(1.0, 0.0), (f64::INFINITY, 0.0)]).is_nan());
        assert!(bucket_quantile(0.5, vec![(1.0, 1.0), (2.0, 1.0)]).is_nan());
        assert!(bucket_quantile(0.5, vec![(f64::INFINITY, 1.0)]).is_nan());
    }

    #[test]
    fn rounding_takes_halves_up() {
        assert_eq!((round(-2.5, 1.0), round(2.5, 1.0), round(7.3, 5.0)), (-2.0, 3.0, 5.0));
        assert!(least(f64::NAN, 1.0).is_nan() && greatest(1.0, f64::NAN).is_nan());
    }
}
