//! What a PromQL expression evaluates to.

use super::labels::Labels;

/// The four kinds of expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One number.
    Scalar,
    /// A text.
    Text,
    /// One value per series.
    Vector,
    /// A range of samples per series.
    Matrix,
}

/// The result of an expression at one instant.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One number.
    Scalar(f64),
    /// A text.
    Text(String),
    /// One value per series.
    Vector(Vec<Sample>),
    /// A range of samples per series.
    Matrix(Vec<Row>),
}

/// One element of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What it belongs to.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
    /// When it was scraped or computed, in milliseconds since the epoch.
    pub at_ms: i64,
}

/// One series of a range vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it belongs to.
    pub labels: Labels,
    /// Its samples as (milliseconds since the epoch, value), oldest first.
    pub points: Vec<(i64, f64)>,
}

impl Value {
    /// Returns the elements of a vector; nothing for every other kind, which the checks before evaluation exclude.
    pub fn into_vector(self) -> Vec<Sample> {
        if let Self::Vector(samples) = self { samples } else { Vec::new() }
    }

    /// Returns the number; NaN for every other kind, which the checks before evaluation exclude.
    pub fn into_scalar(self) -> f64 {
        if let Self::Scalar(number) = self { number } else { f64::NAN }
    }
}
