//! Evaluates a plan at one instant, with the semantics of Prometheus 2.42.

use super::aggregate::aggregate;
use super::binary::{scalar_and_vector, scalars, sets, vectors};
use super::functions::{self, Function};
use super::labels::Labels;
use super::over_time::{Window, quantile};
use super::plan::{At, Binary, Node, Select, Shift, Subquery};
use super::value::{Row, Sample, Value};
use std::collections::{BTreeMap, HashSet};

/// The query an expression is evaluated for; all times in milliseconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// First instant of the query.
    pub start_ms: i64,
    /// Last instant of the query; the same as the first for an instant query.
    pub end_ms: i64,
    /// How long a sample stands for its series.
    pub lookback_ms: i64,
}

impl Query {
    /// Evaluates the expression at one instant.
    ///
    /// # Errors
    /// Says why the series at hand do not allow the operation; the text of an `execution` answer.
    pub fn eval(&self, node: &Node<'_>, now_ms: i64) -> Result<Value, String> {
        match node {
            Node::Number(number) => Ok(Value::Scalar(*number)),
            Node::Text(text) => Ok(Value::Text(text.clone())),
            Node::Select(select) => Ok(Value::Vector(self.instant(select, now_ms, |_| now_ms))),
            Node::Range(select, range_ms) => {
                let to_ms = self.moved(select.shift, now_ms);
                Ok(Value::Matrix(rows(select, to_ms - range_ms, to_ms)))
            }
            Node::Subquery(subquery) => self.subquery(subquery, now_ms).map(Value::Matrix),
            Node::Negate(inner) => match self.eval(inner, now_ms)? {
                Value::Scalar(number) => Ok(Value::Scalar(-number)),
                other => unique(functions::each(other.into_vector(), |s| -s.value)),
            },
            Node::Binary(binary) => self.binary(binary, now_ms),
            Node::Aggregate(spec) => {
                let inner = self.eval(&spec.inner, now_ms)?.into_vector();
                let param = spec.param.as_ref().map(|param| self.eval(param, now_ms)).transpose()?;
                aggregate(spec, inner, param, now_ms).map(Value::Vector)
            }
            Node::Call(function, args) => self.call(*function, args, now_ms),
        }
    }

    fn instant(&self, select: &Select<'_>, now_ms: i64, stamp: impl Fn(i64) -> i64) -> Vec<Sample> {
        let at_ms = self.moved(select.shift, now_ms);
        let newest = |series: &&super::store::Samples| {
            let (at, value) = series.at(at_ms, self.lookback_ms)?;
            Some(Sample { labels: series.labels.clone(), value, at_ms: stamp(at) })
        };
        select.series.iter().filter_map(newest).collect()
    }

    fn moved(&self, shift: Shift, now_ms: i64) -> i64 {
        let base = match shift.at {
            None => now_ms,
            Some(At::Instant(ms)) => ms,
            Some(At::Start) => self.start_ms,
            Some(At::End) => self.end_ms,
        };
        base - shift.offset_ms
    }

    fn subquery(&self, subquery: &Subquery<'_>, now_ms: i64) -> Result<Vec<Row>, String> {
        let to_ms = self.moved(subquery.shift, now_ms);
        let from_ms = to_ms - subquery.range_ms;
        // The grid is absolute, as in Prometheus: multiples of the step.
        let mut at_ms = from_ms.div_euclid(subquery.step_ms) * subquery.step_ms;
        if at_ms < from_ms {
            at_ms += subquery.step_ms;
        }
        let mut collected: BTreeMap<Labels, Vec<(i64, f64)>> = BTreeMap::new();
        while at_ms <= to_ms {
            for sample in self.eval(&subquery.inner, at_ms)?.into_vector() {
                collected.entry(sample.labels).or_default().push((at_ms, sample.value));
            }
            at_ms += subquery.step_ms;
        }
        Ok(collected.into_iter().map(|(labels, points)| Row { labels, points }).collect())
    }

    fn binary(&self, binary: &Binary<'_>, now_ms: i64) -> Result<Value, String> {
        let (left, right) = (self.eval(&binary.left, now_ms)?, self.eval(&binary.right, now_ms)?);
        match (left, right) {
            (Value::Scalar(a), Value::Scalar(b)) => Ok(Value::Scalar(scalars(binary.op, a, b))),
            (Value::Scalar(a), b) => unique(scalar_and_vector(binary, a, b.into_vector(), true)),
            (a, Value::Scalar(b)) => unique(scalar_and_vector(binary, b, a.into_vector(), false)),
            (a, b) if binary.op.is_set() => Ok(Value::Vector(sets(binary, a.into_vector(), b.into_vector()))),
            (a, b) => unique(vectors(binary, a.into_vector(), b.into_vector())?),
        }
    }

    fn call(&self, function: Function, args: &[Node<'_>], now_ms: i64) -> Result<Value, String> {
        let scalar = |i: usize| match args.get(i) {
            Some(arg) => self.eval(arg, now_ms).map(Value::into_scalar),
            None => Ok(f64::NAN),
        };
        let vector = |i: usize| match args.get(i) {
            Some(arg) => self.eval(arg, now_ms).map(Value::into_vector),
            None => Ok(Vec::new()),
        };
        match function {
            Function::OverTime(over) => {
                let keeps_name = over == super::over_time::OverTime::Last;
                self.over_time(args.first(), now_ms, keeps_name, |window| over.apply(window))
            }
            Function::QuantileOverTime => {
                let q = scalar(0)?;
                let values = |window: Window<'_>| window.points.iter().map(|(_, value)| *value).collect();
                self.over_time(args.get(1), now_ms, false, |window| Some(quantile(q, values(window))))
            }
            Function::AbsentOverTime => {
                let present = self.over_time(args.first(), now_ms, false, |_| Some(1.0));
                // Two series that differ by name alone are present all the same.
                let some = present.map_or(true, |found| !found.into_vector().is_empty());
                Ok(absent(args.first(), some, now_ms))
            }
            Function::Math(f) => unique(functions::each(vector(0)?, |s| f(s.value))),
            Function::Round => {
                let to_nearest = if args.len() > 1 { scalar(1)? } else { 1.0 };
                unique(functions::each(vector(0)?, |s| functions::round(s.value, to_nearest)))
            }
            Function::Clamp => {
                let (low, high) = (scalar(1)?, scalar(2)?);
                if high < low {
                    return Ok(Value::Vector(Vec::new()));
                }
                let clamped = |s: &Sample| functions::greatest(low, functions::least(high, s.value));
                unique(functions::each(vector(0)?, clamped))
            }
            Function::ClampMin => {
                let low = scalar(1)?;
                unique(functions::each(vector(0)?, |s| functions::greatest(low, s.value)))
            }
            Function::ClampMax => {
                let high = scalar(1)?;
                unique(functions::each(vector(0)?, |s| functions::least(high, s.value)))
            }
            Function::Time => Ok(Value::Scalar(now_ms as f64 / 1000.0)),
            Function::Timestamp => {
                let samples = match args.first() {
                    // Only a bare selector knows when its samples were scraped.
                    Some(Node::Select(select)) => self.instant(select, now_ms, |scraped| scraped),
                    _ => vector(0)?,
                };
                let stamped = |s: &Sample| s.at_ms as f64 / 1000.0;
                let at_now = |s: Sample| Sample { at_ms: now_ms, ..s };
                unique(functions::each(samples, stamped).into_iter().map(at_now).collect())
            }
            Function::Vector => {
                Ok(Value::Vector(vec![Sample { labels: Labels::default(), value: scalar(0)?, at_ms: now_ms }]))
            }
            Function::Scalar => match vector(0)?.as_slice() {
                [only] => Ok(Value::Scalar(only.value)),
                _ => Ok(Value::Scalar(f64::NAN)),
            },
            Function::Absent => Ok(absent(args.first(), !vector(0)?.is_empty(), now_ms)),
            Function::Sort | Function::SortDescending => {
                let mut samples = vector(0)?;
                functions::sort(&mut samples, matches!(function, Function::SortDescending));
                Ok(Value::Vector(samples))
            }
            Function::HistogramQuantile => Ok(Value::Vector(functions::histogram_quantile(scalar(0)?, vector(1)?))),
        }
    }

    fn over_time(
        &self,
        arg: Option<&Node<'_>>,
        now_ms: i64,
        keeps_name: bool,
        function: impl Fn(Window<'_>) -> Option<f64>,
    ) -> Result<Value, String> {
        let (range_ms, shift) = match arg {
            Some(Node::Range(select, range_ms)) => (*range_ms, select.shift),
            Some(Node::Subquery(subquery)) => (subquery.range_ms, subquery.shift),
            _ => return Ok(Value::Vector(Vec::new())),
        };
        let to_ms = self.moved(shift, now_ms);
        let from_ms = to_ms - range_ms;
        let rows = match arg {
            Some(Node::Subquery(subquery)) => self.subquery(subquery, now_ms)?,
            Some(Node::Range(select, _)) => rows(select, from_ms, to_ms),
            _ => Vec::new(),
        };
        let computed = |row: Row| {
            let value = function(Window { points: &row.points, from_ms, to_ms })?;
            let labels = if keeps_name { row.labels } else { row.labels.without_name() };
            Some(Sample { labels, value, at_ms: now_ms })
        };
        unique(rows.into_iter().filter_map(computed).collect())
    }
}

/// Evaluates an expression on a grid and collects each series.
///
/// # Errors
/// As [`Query::eval`].
pub fn eval_range(query: &Query, node: &Node<'_>, step_ms: i64) -> Result<Vec<Row>, String> {
    let mut collected: BTreeMap<Labels, Vec<(i64, f64)>> = BTreeMap::new();
    let mut at_ms = query.start_ms;
    while at_ms <= query.end_ms {
        match query.eval(node, at_ms)? {
            Value::Scalar(number) => collected.entry(Labels::default()).or_default().push((at_ms, number)),
            other => {
                for sample in other.into_vector() {
                    collected.entry(sample.labels).or_default().push((at_ms, sample.value));
                }
            }
        }
        at_ms += step_ms;
    }
    Ok(collected.into_iter().map(|(labels, points)| Row { labels, points }).collect())
}

fn rows(select: &Select<'_>, from_ms: i64, to_ms: i64) -> Vec<Row> {
    let all = select.series.iter().map(|s| Row { labels: s.labels.clone(), points: s.between(from_ms, to_ms) });
    all.filter(|row| !row.points.is_empty()).collect()
}

fn absent(arg: Option<&Node<'_>>, present: bool, now_ms: i64) -> Value {
    if present {
        return Value::Vector(Vec::new());
    }
    let labels = match arg {
        Some(Node::Select(select) | Node::Range(select, _)) => select.demanded.clone(),
        _ => Labels::default(),
    };
    Value::Vector(vec![Sample { labels, value: 1.0, at_ms: now_ms }])
}

fn unique(samples: Vec<Sample>) -> Result<Value, String> {
    let mut seen = HashSet::with_capacity(samples.len());
    if samples.iter().all(|sample| seen.insert(&sample.labels)) {
        return Ok(Value::Vector(samples));
    }
    Err("vector cannot contain metrics with the same labelset".into())
}
