//! Operations between numbers and vectors.

use super::labels::{Labels, NAME};
use super::plan::{Binary, Card, Operator};
use super::value::Sample;
use std::collections::{HashMap, HashSet};

/// Computes an operation between two numbers; a comparison gives 0 or 1.
pub fn scalars(op: Operator, a: f64, b: f64) -> f64 {
    match compute(op, a, b) {
        Computed::Number(number) => number,
        Computed::Holds(holds) => f64::from(u8::from(holds)),
    }
}

/// Computes an operation between a number and each element; a comparison keeps the elements for which it holds.
pub fn scalar_and_vector(binary: &Binary<'_>, scalar: f64, samples: Vec<Sample>, scalar_is_left: bool) -> Vec<Sample> {
    let computed = |s: Sample| {
        let (a, b) = if scalar_is_left { (scalar, s.value) } else { (s.value, scalar) };
        let value = kept(binary, compute(binary.op, a, b), s.value)?;
        let labels = if drops_name(binary) { s.labels.without_name() } else { s.labels };
        Some(Sample { labels, value, at_ms: s.at_ms })
    };
    samples.into_iter().filter_map(computed).collect()
}

/// Computes `and`, `or` and `unless`.
pub fn sets(binary: &Binary<'_>, left: Vec<Sample>, right: Vec<Sample>) -> Vec<Sample> {
    let signatures = |side: &[Sample]| side.iter().map(|s| signature(binary, &s.labels)).collect::<HashSet<_>>();
    if binary.op == Operator::Or {
        let known = signatures(&left);
        let added = right.into_iter().filter(|s| !known.contains(&signature(binary, &s.labels)));
        return left.into_iter().chain(added).collect();
    }
    let others = signatures(&right);
    let wanted = binary.op == Operator::And;
    left.into_iter().filter(|s| others.contains(&signature(binary, &s.labels)) == wanted).collect()
}

/// Computes an operation between the matching elements of two vectors.
///
/// # Errors
/// Says which matching is ambiguous.
pub fn vectors(binary: &Binary<'_>, left: Vec<Sample>, right: Vec<Sample>) -> Result<Vec<Sample>, String> {
    let swapped = binary.card == Card::OneToMany;
    let (many, one) = if swapped { (right, left) } else { (left, right) };
    // With an empty side nothing can match, and Prometheus does not look for duplicates then.
    if many.is_empty() || one.is_empty() {
        return Ok(Vec::new());
    }
    let mut ones: HashMap<Labels, Sample> = HashMap::new();
    for sample in one {
        let signature = signature(binary, &sample.labels);
        if ones.insert(signature.clone(), sample).is_some() {
            let side = if swapped { "left" } else { "right" };
            return Err(format!(
                "found duplicate series for the match group {} on the {side} hand-side of the operation; many-to-many matching not allowed: matching labels must be unique on one side",
                shown(&signature)
            ));
        }
    }
    let mut matched: HashSet<Labels> = HashSet::new();
    let mut result = Vec::new();
    for sample in many {
        let signature = signature(binary, &sample.labels);
        let Some(other) = ones.get(&signature) else { continue };
        let (a, b) = if swapped { (other.value, sample.value) } else { (sample.value, other.value) };
        let Some(value) = kept(binary, compute(binary.op, a, b), a) else { continue };
        let labels = result_labels(binary, &sample.labels, &other.labels);
        if binary.card == Card::OneToOne {
            if !matched.insert(signature) {
                return Err(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                        .into(),
                );
            }
        } else if !matched.insert(labels.clone()) {
            return Err("multiple matches for labels: grouping labels must ensure unique matches".into());
        }
        result.push(Sample { labels, value, at_ms: sample.at_ms });
    }
    Ok(result)
}

enum Computed {
    Number(f64),
    Holds(bool),
}

fn compute(op: Operator, a: f64, b: f64) -> Computed {
    match op {
        Operator::Add => Computed::Number(a + b),
        Operator::Sub => Computed::Number(a - b),
        Operator::Mul => Computed::Number(a * b),
        Operator::Div => Computed::Number(a / b),
        Operator::Mod => Computed::Number(a % b),
        Operator::Pow => Computed::Number(a.powf(b)),
        Operator::Equal => Computed::Holds(a == b),
        Operator::NotEqual => Computed::Holds(a != b),
        Operator::Less => Computed::Holds(a < b),
        Operator::LessOrEqual => Computed::Holds(a <= b),
        Operator::Greater => Computed::Holds(a > b),
        Operator::GreaterOrEqual => Computed::Holds(a >= b),
        // Set operators never get here: they do not look at values.
        Operator::And | Operator::Or | Operator::Unless => Computed::Number(f64::NAN),
    }
}

fn kept(binary: &Binary<'_>, computed: Computed, original: f64) -> Option<f64> {
    match computed {
        Computed::Number(number) => Some(number),
        Computed::Holds(holds) if binary.returns_bool => Some(f64::from(u8::from(holds))),
        Computed::Holds(holds) => holds.then_some(original),
    }
}

fn drops_name(binary: &Binary<'_>) -> bool {
    binary.returns_bool || !binary.op.is_comparison()
}

fn signature(binary: &Binary<'_>, labels: &Labels) -> Labels {
    let listed = |name: &str| binary.labels.iter().any(|label| label == name);
    labels.filtered(|name| if binary.on { listed(name) } else { name != NAME && !listed(name) })
}

fn result_labels(binary: &Binary<'_>, many: &Labels, one: &Labels) -> Labels {
    let listed = |name: &str| binary.labels.iter().any(|label| label == name);
    let mut labels = if drops_name(binary) { many.without_name() } else { many.clone() };
    if binary.card == Card::OneToOne {
        labels = labels.filtered(|name| listed(name) == binary.on);
    }
    for label in &binary.include {
        labels = labels.with(label, one.get(label));
    }
    labels
}

fn shown(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}
