//! Increases of counters over a window, aware of resets and births.

use crate::model::LabelledPoints;
use std::collections::BTreeMap;

/// Returns how much the counters grew, by the label that they have beside their pod's; empty for one that has none.
///
/// `seen` has one series per pod, whose only label names the pod: it tells when the pod was seen within the window.
/// `is_young` tells of a pod whether its containers started within the window: it has counted from zero.
pub(super) fn increases<'a>(
    counters: &'a [LabelledPoints],
    seen: &'a [LabelledPoints],
    is_young: &dyn Fn(&str) -> bool,
) -> BTreeMap<&'a str, f64> {
    let pod_label =
        seen.iter().flat_map(|(labels, _)| labels).map(|(name, _)| name.as_str()).next().unwrap_or_default();
    let pod = |labels: &'a [(String, String)]| labels.iter().find(|l| l.0 == pod_label).map_or("", |l| l.1.as_str());
    let other = |labels: &'a [(String, String)]| labels.iter().find(|l| l.0 != pod_label).map_or("", |l| l.1.as_str());

    let mut since: BTreeMap<&str, i64> = BTreeMap::new();
    for (labels, points) in seen.iter().chain(counters) {
        let Some((first, _)) = points.first() else { continue };
        let known = since.entry(pod(labels)).or_insert(*first);
        *known = (*known).min(*first);
    }

    let mut grown: BTreeMap<&str, f64> = BTreeMap::new();
    for (labels, points) in counters {
        let Some((first_at, first)) = points.first() else { continue };
        // A counter that appears in a pod that was seen before without it was born with its first increment. A pod
        // that appears together with its counters may be older, when the source was started anew: then its first value
        // is no increase, unless the API server says that the pod itself is new.
        let born = is_young(pod(labels)) || since.get(pod(labels)).is_some_and(|seen| seen < first_at);
        let mut sum = if born { *first } else { 0.0 };
        let mut last = *first;
        for (_, value) in points.iter().skip(1) {
            // A counter that fell was reset: what it shows was counted since.
            sum += if *value >= last { value - last } else { *value };
            last = *value;
        }
        *grown.entry(other(labels)).or_default() += sum;
    }
    grown
}

/// Returns a quantile of a histogram given as requests per bucket, cumulative, by upper bound.
///
/// `None` without requests. A quantile in the bucket without upper bound is known to be above the last bound only:
/// that is returned as `Err`. Otherwise linear within its bucket, as `histogram_quantile` does.
pub(super) fn quantile(quantile: f64, buckets: &BTreeMap<&str, f64>) -> Option<Result<f64, f64>> {
    let mut bounds: Vec<(f64, f64)> =
        buckets.iter().filter_map(|(bound, count)| Some((bound.parse().ok()?, *count))).collect();
    bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (end, total) = *bounds.last()?;
    if total <= 0.0 || end.is_finite() {
        return None;
    }
    let rank = quantile * total;
    let (mut low, mut below) = (0.0, 0.0);
    for (bound, count) in bounds {
        // Pods scraped at different times can make a bucket smaller than the one before it.
        let count = f64::max(count, below);
        if count >= rank && count > below {
            return Some(if bound.is_finite() {
                Ok(low + (bound - low) * (rank - below) / (count - below))
            } else {
                Err(low)
            });
        }
        (low, below) = (if bound.is_finite() { bound } else { low }, count);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(pod: &str, code: &str, points: &[(i64, f64)]) -> LabelledPoints {
        (vec![("pod".into(), pod.into()), ("code".into(), code.into())], points.to_vec())
    }

    fn seen(pod: &str, points: &[(i64, f64)]) -> LabelledPoints {
        (vec![("pod".into(), pod.into())], points.to_vec())
    }

    #[test]
    fn the_first_increment_of_a_counter_counts_when_its_pod_was_seen_before() {
        let seen = [seen("p", &[(0, 4.0), (3, 4.0)])];
        let all = [series("p", "200", &[(0, 5.0), (3, 9.0)]), series("p", "500", &[(3, 1.0)])];
        assert_eq!(increases(&all, &seen, &|_| false), BTreeMap::from([("200", 4.0), ("500", 1.0)]));
        let alone = [series("p", "200", &[(3, 7.0)])];
        assert_eq!(increases(&alone, &seen, &|_| false), BTreeMap::from([("200", 7.0)]));
    }

    #[test]
    fn a_pod_that_appears_with_its_counters_brings_no_increase_of_its_past() {
        let seen = [seen("p", &[(0, 4.0)]), seen("q", &[(3, 4.0)])];
        let all = [series("p", "200", &[(0, 5.0)]), series("q", "500", &[(3, 700.0), (6, 702.0)])];
        assert_eq!(increases(&all, &seen, &|_| false)["500"], 2.0);
    }

    #[test]
    fn a_pod_that_started_within_the_window_brings_all_that_it_counted_before_its_first_scrape() {
        let seen = [seen("p", &[(0, 4.0)]), seen("q", &[(3, 4.0)])];
        let all = [series("p", "200", &[(0, 5.0)]), series("q", "500", &[(3, 7.0), (6, 9.0)])];
        let grown = increases(&all, &seen, &|pod| pod == "q");
        assert_eq!((grown["500"], grown["200"]), (9.0, 0.0));
    }

    #[test]
    fn a_reset_counts_what_came_after_it() {
        let all = [series("p", "200", &[(0, 100.0), (3, 110.0), (6, 4.0), (9, 6.0)])];
        assert_eq!(increases(&all, &[seen("p", &[(0, 1.0)])], &|_| false)["200"], 16.0);
    }

    #[test]
    fn quantiles_are_linear_within_a_bucket_and_open_above_the_last_bound() {
        let buckets = BTreeMap::from([("0.1", 50.0), ("0.5", 90.0), ("1", 100.0), ("+Inf", 100.0)]);
        let at = |q| quantile(q, &buckets).and_then(Result::ok).map(|v| (v * 1e6).round() / 1e6);
        assert_eq!([at(0.25), at(0.5), at(0.7), at(0.95)], [Some(0.05), Some(0.1), Some(0.3), Some(0.75)]);
        let slow = BTreeMap::from([("0.1", 50.0), ("+Inf", 100.0)]);
        assert_eq!(quantile(0.99, &slow), Some(Err(0.1)));
        assert_eq!(quantile(0.99, &BTreeMap::from([("0.1", 0.0), ("+Inf", 0.0)])), None);
        assert_eq!(quantile(0.99, &BTreeMap::from([("0.1", 7.0)])), None, "a histogram without its total says nothing");
    }
}
