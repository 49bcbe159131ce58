//! Aggregations over the elements of a vector.

use super::functions::sort;
use super::labels::{Labels, NAME};
use super::over_time::{mean, quantile, variance};
use super::plan::{Aggregate, AggregateOp};
use super::value::{Sample, Value};
use std::collections::HashMap;

/// Computes an aggregation.
///
/// # Errors
/// Says which parameter makes no sense.
pub fn aggregate(
    spec: &Aggregate<'_>,
    samples: Vec<Sample>,
    param: Option<Value>,
    now_ms: i64,
) -> Result<Vec<Sample>, String> {
    match (spec.op, param) {
        (AggregateOp::Topk | AggregateOp::Bottomk, Some(Value::Scalar(k))) => top(spec, samples, k),
        (AggregateOp::CountValues, Some(Value::Text(label))) => count_values(spec, samples, &label, now_ms),
        (_, param) => {
            let q = param.map_or(f64::NAN, Value::into_scalar);
            let summed = |(labels, group): (Labels, Vec<Sample>)| {
                let values = group.iter().map(|s| s.value).collect();
                Sample { labels, value: summary(spec.op, q, values), at_ms: now_ms }
            };
            Ok(grouped(samples, |s| group_of(spec, &s.labels)).into_iter().map(summed).collect())
        }
    }
}

fn summary(op: AggregateOp, q: f64, values: Vec<f64>) -> f64 {
    let all = values.iter().copied();
    match op {
        AggregateOp::Sum => all.sum(),
        AggregateOp::Avg => mean(all),
        AggregateOp::Min => {
            all.reduce(|least, v| if v < least || least.is_nan() { v } else { least }).unwrap_or(f64::NAN)
        }
        AggregateOp::Max => all.reduce(|most, v| if v > most || most.is_nan() { v } else { most }).unwrap_or(f64::NAN),
        AggregateOp::Count => values.len() as f64,
        AggregateOp::Group => 1.0,
        AggregateOp::Stddev => variance(all).sqrt(),
        AggregateOp::Stdvar => variance(all),
        AggregateOp::Quantile => quantile(q, values),
        // These choose or count elements and have functions of their own.
        AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::CountValues => f64::NAN,
    }
}

fn top(spec: &Aggregate<'_>, samples: Vec<Sample>, k: f64) -> Result<Vec<Sample>, String> {
    if !(k >= i64::MIN as f64 && k < i64::MAX as f64) {
        return Err(format!("Scalar value {k} overflows int64"));
    }
    let count = if k < 1.0 { 0 } else { k as usize };
    let descending = spec.op == AggregateOp::Topk;
    let chosen = |(_, group): (Labels, Vec<Sample>)| {
        let mut kept = outermost(group, count, descending);
        sort(&mut kept, descending);
        kept
    };
    Ok(grouped(samples, |s| group_of(spec, &s.labels)).into_iter().flat_map(chosen).collect())
}

/// Keeps the greatest (else the least) elements in a heap, exactly as Prometheus 2.42 does: among equal values its heap
/// decides which ones stay.
fn outermost(group: Vec<Sample>, count: usize, greatest: bool) -> Vec<Sample> {
    let beyond = |a: &Sample, b: &Sample| if greatest { a.value < b.value } else { a.value > b.value };
    let before = |a: &Sample, b: &Sample| a.value.is_nan() || beyond(a, b);
    let mut heap: Vec<Sample> = Vec::new();
    for sample in group {
        if heap.len() == count {
            match heap.first() {
                Some(root) if beyond(root, &sample) || root.value.is_nan() => {}
                _ => continue,
            }
            let last = heap.len() - 1;
            heap.swap(0, last);
            heap.truncate(last);
            sink(&mut heap, before);
        }
        heap.push(sample);
        rise(&mut heap, before);
    }
    heap
}

fn rise(heap: &mut [Sample], before: impl Fn(&Sample, &Sample) -> bool) {
    let mut child = heap.len().saturating_sub(1);
    while child > 0 {
        let parent = (child - 1) / 2;
        if !heap.get(child).zip(heap.get(parent)).is_some_and(|(a, b)| before(a, b)) {
            return;
        }
        heap.swap(child, parent);
        child = parent;
    }
}

fn sink(heap: &mut [Sample], before: impl Fn(&Sample, &Sample) -> bool) {
    let is_before =
        |heap: &[Sample], a: usize, b: usize| heap.get(a).zip(heap.get(b)).is_some_and(|(a, b)| before(a, b));
    let mut parent = 0;
    loop {
        let left = 2 * parent + 1;
        let child = if is_before(heap, left + 1, left) { left + 1 } else { left };
        if !is_before(heap, child, parent) {
            return;
        }
        heap.swap(child, parent);
        parent = child;
    }
}

fn count_values(spec: &Aggregate<'_>, samples: Vec<Sample>, label: &str, now_ms: i64) -> Result<Vec<Sample>, String> {
    let starts_well = label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(format!("invalid label name {label:?}"));
    }
    let group = |s: &Sample| group_of(spec, &s.labels).with(label, &super::http::number_text(s.value));
    let counted = |(labels, group): (Labels, Vec<Sample>)| Sample { labels, value: group.len() as f64, at_ms: now_ms };
    Ok(grouped(samples, group).into_iter().map(counted).collect())
}

/// Groups in the order in which each group is first seen.
fn grouped(samples: Vec<Sample>, key: impl Fn(&Sample) -> Labels) -> Vec<(Labels, Vec<Sample>)> {
    let mut index: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<(Labels, Vec<Sample>)> = Vec::new();
    for sample in samples {
        let labels = key(&sample);
        let at = *index.entry(labels.clone()).or_insert(groups.len());
        match groups.get_mut(at) {
            Some((_, group)) => group.push(sample),
            None => groups.push((labels, vec![sample])),
        }
    }
    groups
}

fn group_of(spec: &Aggregate<'_>, labels: &Labels) -> Labels {
    let listed = |name: &str| spec.labels.iter().any(|label| label == name);
    if spec.without {
        return labels.filtered(|name| name != NAME && !listed(name));
    }
    if spec.labels.is_empty() { Labels::default() } else { labels.filtered(listed) }
}
