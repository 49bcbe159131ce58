//! From an HTTP answer to a reading. Nothing that is not a complete answer becomes a value.

use crate::model::{LabelledPoints, Reading};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// How much of a foreign text is quoted.
const QUOTED: usize = 160;

/// Reads the answer to a query.
///
/// * `warnings` make it partial: that is how Thanos and others say that a store did not answer. `infos` do not: they
///   are advice about the query.
/// * NaN is no number. An answer of nothing else is [`Reading::NoTraffic`] (0/0), an empty one [`Reading::NoData`].
/// * Native histograms are not read; an answer that holds one is partial.
/// * Errors of Prometheus, of Azure, of the API server's proxy and pages of a login proxy all become
///   [`Reading::Error`] with the status code and what they say.
pub(super) fn decode(status: u16, body: &[u8]) -> Reading<Vec<LabelledPoints>> {
    // Almost every answer is a list of series; the others are few and small enough to be read twice.
    match serde_json::from_slice::<Answer<Vec<Series>>>(body) {
        Ok(answer) if answer.status == "success" && (200..300).contains(&status) => match answer.data {
            Some(data) => series(data.result, &answer.warnings),
            None => Reading::Error("the answer says success and holds no data".into()),
        },
        Ok(_) | Err(_) => other(status, body),
    }
}

#[derive(Deserialize)]
struct Answer<R> {
    status: String,
    data: Option<Data<R>>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Data<R> {
    result: R,
}

#[derive(Default, Deserialize)]
struct Series {
    #[serde(deserialize_with = "labels")]
    metric: Vec<(String, String)>,
    value: Option<Sample>,
    values: Option<Points>,
    histogram: Option<IgnoredAny>,
    histograms: Option<IgnoredAny>,
}

/// Seconds and a number, which is written as text.
#[derive(Deserialize)]
struct Sample(f64, Number);

enum Number {
    Read(f64),
    Unreadable(String),
}

/// Samples as points. Answers for thousands of customers hold a hundred thousand of them, so each is read where it stands.
#[derive(Default)]
struct Points {
    read: Vec<(i64, f64)>,
    unreadable: Option<String>,
}

impl Points {
    fn add(&mut self, Sample(at, number): Sample) {
        match number {
            Number::Read(number) if number.is_nan() => {}
            Number::Read(number) => self.read.push(((at * 1000.0).round() as i64, number)),
            Number::Unreadable(text) => drop(self.unreadable.get_or_insert(text)),
        }
    }
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Samples;
        impl<'de> Visitor<'de> for Samples {
            type Value = Points;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("samples")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut samples: A) -> Result<Points, A::Error> {
                let mut points = Points::default();
                while let Some(sample) = samples.next_element()? {
                    points.add(sample);
                }
                Ok(points)
            }
        }
        reader.deserialize_seq(Samples)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number as text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                Ok(text.parse().map_or_else(|_| Number::Unreadable(text.to_owned()), Number::Read))
            }
        }
        reader.deserialize_str(Text)
    }
}

/// Reads labels, in order of their names.
fn labels<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<(String, String)>, D::Error> {
    struct Labels;
    impl<'de> Visitor<'de> for Labels {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("labels")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut read = Vec::new();
            while let Some(label) = map.next_entry()? {
                read.push(label);
            }
            read.sort_unstable();
            Ok(read)
        }
    }
    reader.deserialize_map(Labels)
}

fn series(result: Vec<Series>, warnings: &[String]) -> Reading<Vec<LabelledPoints>> {
    if !warnings.is_empty() {
        return Reading::Partial(quote(&warnings.join("; ")));
    }
    if result.is_empty() {
        return Reading::NoData;
    }
    let mut read = Vec::with_capacity(result.len());
    for one in result {
        if one.histogram.is_some() || one.histograms.is_some() {
            let name = one.metric.iter().find(|(label, _)| label == "__name__").map_or("a series", |(_, name)| name);
            return Reading::Partial(quote(&format!("{name} is a native histogram, which is not read")));
        }
        let mut points = one.values.unwrap_or_default();
        one.value.into_iter().for_each(|sample| points.add(sample));
        if let Some(text) = points.unreadable {
            return Reading::Error(quote(&format!("the answer holds {text:?}, which is no number")));
        }
        if !points.read.is_empty() {
            read.push((one.metric, points.read));
        }
    }
    if read.is_empty() { Reading::NoTraffic } else { Reading::Value(read) }
}

fn other(status: u16, body: &[u8]) -> Reading<Vec<LabelledPoints>> {
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        return Reading::Error(format!("HTTP {status}: {}", page(body)));
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if json["status"] == "success" && (200..300).contains(&status) {
        return match serde_json::from_slice::<Answer<Sample>>(body) {
            // A scalar is a series without labels.
            Ok(Answer { data: Some(data), warnings, .. }) if json["data"]["resultType"] == "scalar" => {
                series(vec![Series { value: Some(data.result), ..Series::default() }], &warnings)
            }
            _ => Reading::Error(quote(&format!("the answer is a {}, not a number", text(&json["data"]["resultType"])))),
        };
    }
    // Prometheus: errorType and error. Azure: error.code and error.message. The API server: a Status object.
    let (kind, message) = match &json {
        _ if json["errorType"].is_string() => (text(&json["errorType"]), text(&json["error"])),
        _ if json["error"].is_object() => (text(&json["error"]["code"]), text(&json["error"]["message"])),
        _ if json["kind"] == "Status" => (text(&json["reason"]), text(&json["message"])),
        _ => (String::new(), String::from_utf8_lossy(body).into_owned()),
    };
    let kind = if kind.is_empty() { kind } else { format!(" {kind}") };
    Reading::Error(quote(&format!("HTTP {status}{kind}: {message}")))
}

/// Says what a body that is no JSON is.
fn page(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let lower = text.to_ascii_lowercase();
    if !lower.contains("<html") && !lower.contains("<!doctype") {
        return if text.trim().is_empty() { "an empty answer".into() } else { quote(&text) };
    }
    // ASCII lower case keeps every byte's place.
    let title = lower.find("<title>").and_then(|begin| {
        let begin = begin + "<title>".len();
        let end = begin + lower.get(begin..)?.find("</title>")?;
        text.get(begin..end)
    });
    format!(
        "a web page ({}) instead of Prometheus: a login or a proxy stands before it",
        quote(title.unwrap_or("untitled"))
    )
}

/// Quotes the beginning of a foreign text on one line.
fn quote(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Reading<Vec<LabelledPoints>> {
        decode(200, body.as_bytes())
    }

    fn vector(value: &str) -> String {
        format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{"pod":"p"}},"value":[1.5,{value:?}]}}]}}}}"#
        )
    }

    fn error(status: u16, body: &str) -> String {
        match decode(status, body.as_bytes()) {
            Reading::Error(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn vectors_matrices_and_scalars_are_series_with_their_own_times() {
        let labels = vec![("pod".to_owned(), "p".to_owned())];
        assert_eq!(read(&vector("3")), Reading::Value(vec![(labels.clone(), vec![(1500, 3.0)])]));
        let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"pod":"p"},"values":[[1790000000.123,"1"],[1790000001.123,"NaN"],[1790000002.123,"2e3"]]}]}}"#;
        let points = vec![(1_790_000_000_123, 1.0), (1_790_000_002_123, 2000.0)];
        assert_eq!(read(matrix), Reading::Value(vec![(labels, points)]));
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[2,"7"]}}"#;
        assert_eq!(read(scalar), Reading::Value(vec![(vec![], vec![(2000, 7.0)])]));
    }

    #[test]
    fn nothing_divided_by_nothing_is_no_traffic_and_an_empty_answer_is_no_data() {
        assert_eq!(read(&vector("NaN")), Reading::NoTraffic);
        let empty = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        assert_eq!(read(empty), Reading::NoData);
        let infinite = read(&vector("+Inf"));
        assert!(matches!(infinite, Reading::Value(series) if series[0].1[0].1.is_infinite()));
    }

    #[test]
    fn an_answer_with_warnings_is_partial_even_when_it_is_empty_and_advice_is_not() {
        let with = |key: &str, result: &str| {
            read(&format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}},"{key}":["store a did not answer"]}}"#
            ))
        };
        let one = r#"{"metric":{},"value":[1,"1"]}"#;
        assert_eq!(with("warnings", one), Reading::Partial("store a did not answer".into()));
        assert_eq!(with("warnings", ""), Reading::Partial("store a did not answer".into()));
        assert!(matches!(with("infos", one), Reading::Value(_)));
    }

    #[test]
    fn a_native_histogram_makes_the_answer_partial() {
        let body = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"d"},"histogram":[1,{"count":"3","sum":"1","buckets":[[0,"1","2","3"]]}]}]}}"#;
        assert_eq!(read(body), Reading::Partial("d is a native histogram, which is not read".into()));
    }

    #[test]
    fn prometheus_errors_keep_their_type_known_or_not() {
        let body = |kind: &str| format!(r#"{{"status":"error","errorType":"{kind}","error":"parse error: x"}}"#);
        assert_eq!(error(400, &body("bad_data")), "HTTP 400 bad_data: parse error: x");
        assert_eq!(error(503, &body("execution")), "HTTP 503 execution: parse error: x");
        assert_eq!(error(422, &body("throttled")), "HTTP 422 throttled: parse error: x");
        assert_eq!(error(200, &body("internal")), "HTTP 200 internal: parse error: x");
    }

    #[test]
    fn errors_of_azure_and_of_the_api_server_keep_status_and_reason() {
        let azure = r#"{"error":{"code":"Forbidden","message":"no role on the workspace"}}"#;
        assert_eq!(error(403, azure), "HTTP 403 Forbidden: no role on the workspace");
        assert_eq!(error(429, r#"{"code":"x"}"#), r#"HTTP 429: {"code":"x"}"#);
        let status = r#"{"kind":"Status","reason":"ServiceUnavailable","message":"no endpoints","code":503}"#;
        assert_eq!(error(503, status), "HTTP 503 ServiceUnavailable: no endpoints");
    }

    #[test]
    fn a_page_is_named_as_one_with_its_status() {
        let why = error(401, "<!DOCTYPE html><html><head><title>Sign in\n to X</title></head>…");
        assert!(why.starts_with("HTTP 401: a web page (Sign in to X)"), "{why}");
        assert_eq!(error(502, "Bad Gateway\n"), "HTTP 502: Bad Gateway");
        assert_eq!(error(204, ""), "HTTP 204: an empty answer");
        assert!(error(500, &"x".repeat(5000)).chars().count() < 200);
    }

    #[test]
    fn an_answer_that_is_no_number_is_an_error() {
        assert!(
            error(200, r#"{"status":"success","data":{"resultType":"string","result":[1,"x"]}}"#).contains("string")
        );
        assert!(error(200, &vector("x")).contains("no number"));
        assert!(error(200, r#"{"status":"success"}"#).contains("no data"));
        assert!(error(200, r#"{"answer":42}"#).starts_with("HTTP 200"));
        assert!(error(500, &vector("1")).starts_with("HTTP 500"));
    }
}
