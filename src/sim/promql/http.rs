//! The Prometheus HTTP API over a store.

use super::eval::{Query, eval_range};
use super::labels::Labels;
use super::plan::{Node, plan};
use super::store::Store;
use super::value::{Kind, Row, Sample, Value};
use crate::model::Timestamp;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// How long a sample stands for its series, unless a query says otherwise.
const LOOKBACK_MS: i64 = 300_000;

/// More points than this per series are refused, as Prometheus does.
const MAX_POINTS: i64 = 11_000;

/// Answers `/api/v1/query` and `/api/v1/query_range`: the status code and the body.
///
/// Parameters that would change the answer and that are not supported are refused; a `timeout` is checked and never
/// reached, because evaluation takes no simulated time.
pub fn answer(store: &Store, path: &str, query: &str, now_ms: i64) -> (u16, Json) {
    let answered = parameters(query).and_then(|parameters| match path {
        "/api/v1/query" => instant(store, &parameters, now_ms),
        "/api/v1/query_range" => range(store, &parameters),
        _ => Err(Refused { code: 404, kind: "not_found", text: format!("no such endpoint: {path}") }),
    });
    match answered {
        Ok(data) => (200, json!({"status": "success", "data": data})),
        Err(refused) => refused.answer(),
    }
}

/// Answers that the server cannot be reached.
pub fn unavailable() -> (u16, Json) {
    let text = "the metrics source does not answer".to_owned();
    Refused { code: 503, kind: "unavailable", text }.answer()
}

/// Writes a number as Prometheus does: the shortest decimal form without an exponent.
pub fn number_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    value.to_string()
}

struct Refused {
    code: u16,
    kind: &'static str,
    text: String,
}

impl Refused {
    fn bad_data(parameter: &str, why: impl std::fmt::Display) -> Self {
        Self { code: 400, kind: "bad_data", text: format!("invalid parameter \"{parameter}\": {why}") }
    }

    fn execution(text: String) -> Self {
        Self { code: 422, kind: "execution", text }
    }

    fn answer(self) -> (u16, Json) {
        (self.code, json!({"status": "error", "errorType": self.kind, "error": self.text}))
    }
}

type Parameters = BTreeMap<String, String>;

fn instant(store: &Store, parameters: &Parameters, now_ms: i64) -> Result<Json, Refused> {
    supported(parameters, &["query", "time", "timeout", "lookback_delta", "stats"])?;
    let at_ms = optional(parameters, "time", instant_ms)?.unwrap_or(now_ms);
    let (node, lookback_ms) = prepared(store, parameters)?;
    let query = Query { start_ms: at_ms, end_ms: at_ms, lookback_ms };
    let value = query.eval(&node, at_ms).map_err(Refused::execution)?;
    Ok(match value {
        Value::Scalar(number) => json!({"resultType": "scalar", "result": point(at_ms, number)}),
        Value::Text(text) => json!({"resultType": "string", "result": [seconds(at_ms), text]}),
        Value::Vector(samples) => {
            let element = |s: Sample| json!({"metric": metric(&s.labels), "value": point(at_ms, s.value)});
            json!({"resultType": "vector", "result": samples.into_iter().map(element).collect::<Vec<_>>()})
        }
        Value::Matrix(rows) => matrix(rows),
    })
}

fn range(store: &Store, parameters: &Parameters) -> Result<Json, Refused> {
    supported(parameters, &["query", "start", "end", "step", "timeout", "lookback_delta", "stats"])?;
    let start_ms = required(parameters, "start", instant_ms)?;
    let end_ms = required(parameters, "end", instant_ms)?;
    if end_ms < start_ms {
        return Err(Refused::bad_data("end", "end timestamp must not be before start time"));
    }
    let step_ms = required(parameters, "step", length_ms)?;
    if step_ms <= 0 {
        let why = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(Refused::bad_data("step", why));
    }
    if (end_ms - start_ms) / step_ms > MAX_POINTS {
        let text = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)";
        return Err(Refused { code: 400, kind: "bad_data", text: text.into() });
    }
    let (node, lookback_ms) = prepared(store, parameters)?;
    if !matches!(node.kind(), Kind::Scalar | Kind::Vector) {
        let kind = if node.kind() == Kind::Matrix { "range vector" } else { "string" };
        let why = format!("invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector");
        return Err(Refused::bad_data("query", why));
    }
    let query = Query { start_ms, end_ms, lookback_ms };
    eval_range(&query, &node, step_ms).map(matrix).map_err(Refused::execution)
}

fn prepared<'s>(store: &'s Store, parameters: &Parameters) -> Result<(Node<'s>, i64), Refused> {
    optional(parameters, "timeout", length_ms)?;
    let lookback_ms = optional(parameters, "lookback_delta", length_ms)?.unwrap_or(LOOKBACK_MS);
    let text = parameters.get("query").map(String::as_str).unwrap_or_default();
    let node = plan(text, store).map_err(|why| Refused::bad_data("query", why))?;
    Ok((node, lookback_ms))
}

fn supported(parameters: &Parameters, known: &[&str]) -> Result<(), Refused> {
    match parameters.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Refused::bad_data(name, "not supported")),
        None => Ok(()),
    }
}

fn optional(parameters: &Parameters, name: &str, read: fn(&str) -> Option<i64>) -> Result<Option<i64>, Refused> {
    let Some(text) = parameters.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    match read(text) {
        Some(ms) => Ok(Some(ms)),
        None => Err(Refused::bad_data(name, format!("cannot parse {text:?}"))),
    }
}

fn required(parameters: &Parameters, name: &str, read: fn(&str) -> Option<i64>) -> Result<i64, Refused> {
    optional(parameters, name, read)?.ok_or_else(|| Refused::bad_data(name, "cannot parse \"\""))
}

fn instant_ms(text: &str) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(seconds) => whole_ms(seconds),
        Err(_) => text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond),
    }
}

fn length_ms(text: &str) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(seconds) => whole_ms(seconds),
        Err(_) => promql_parser::util::parse_duration(text).ok().and_then(|d| i64::try_from(d.as_millis()).ok()),
    }
}

fn whole_ms(seconds: f64) -> Option<i64> {
    // Within this bound (the year 33658) sums of milliseconds cannot overflow and stay exact in a float.
    let ms = (seconds * 1000.0).round();
    (ms.abs() < 1e15).then_some(ms as i64)
}

fn matrix(rows: Vec<Row>) -> Json {
    let series = |row: Row| {
        let values: Vec<Json> = row.points.into_iter().map(|(at, value)| point(at, value)).collect();
        json!({"metric": metric(&row.labels), "values": values})
    };
    json!({"resultType": "matrix", "result": rows.into_iter().map(series).collect::<Vec<_>>()})
}

fn metric(labels: &Labels) -> Json {
    let pairs: Map<String, Json> = labels.iter().map(|(name, value)| (name.to_owned(), Json::from(value))).collect();
    Json::Object(pairs)
}

fn point(at_ms: i64, value: f64) -> Json {
    Json::Array(vec![seconds(at_ms), Json::from(number_text(value))])
}

fn seconds(at_ms: i64) -> Json {
    if at_ms % 1000 == 0 { Json::from(at_ms / 1000) } else { Json::from(at_ms as f64 / 1000.0) }
}

fn parameters(query: &str) -> Result<Parameters, Refused> {
    let mut read = Parameters::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = decode(name).zip(decode(value));
        let Some((name, value)) = decoded else {
            return Err(Refused::bad_data(name, "not URL-encoded UTF-8"));
        };
        // Of a repeated parameter the first one counts, as in Go.
        read.entry(name).or_insert(value);
    }
    Ok(read)
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (high, low) = (hex(rest.next()?)?, hex(rest.next()?)?);
                bytes.push(high * 16 + low);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}
