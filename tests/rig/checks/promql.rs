//! The embedded evaluator of PromQL against the real Prometheus, on the same samples.
//!
//! The samples of a load are read back raw, put into the embedded store, and both are asked the same questions at the
//! same times.

use super::figure;
use super::smoke::{clear, flip, roll_out};
use crate::cluster::{Cluster, PROMETHEUS, ask, get};
use crate::load::{Load, Profile};
use color_eyre::eyre::{Result, ensure};
use pilothouse::sim::promql::{Labels, Store, answer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The questions, one a line.
const QUERIES: &str = include_str!("promql.txt");

/// How long the load runs; the longest window of a question is 30 s.
const LOAD: Duration = Duration::from_secs(40);

/// Samples of the last moments may not have been stored yet.
const SETTLED: Duration = Duration::from_secs(3);

type Named = BTreeMap<String, String>;

/// Time in milliseconds, and value.
type Points = Vec<(i64, f64)>;

/// Gives both slots traffic, and compares what both evaluators say of it.
pub async fn run(cluster: &Cluster) -> Result<()> {
    roll_out(cluster).await?;
    flip(cluster, 50, 50).await?;
    let load = Load::start(Profile::steady());
    tokio::time::sleep(LOAD + SETTLED).await;
    let settled = i64::try_from(SETTLED.as_millis())?;
    let compared = compare(jiff::Timestamp::now().as_millisecond() - settled).await;
    load.end().await?;
    clear(cluster).await?;
    let (equal, different) = compared?;
    let all = equal + different.len();
    figure("promql.queries_equal", equal, &format!("of_{all}"));
    ensure!(different.is_empty(), "the embedded evaluator answers otherwise:\n{}", different.join("\n"));
    Ok(())
}

/// Asks both everything; returns how many questions got the same answers, and what differs in the others.
async fn compare(end_ms: i64) -> Result<(usize, Vec<String>)> {
    // A question may look ahead of its time; these samples have settled, too.
    let store = copied(end_ms + 2_000).await?;
    let mut equal = 0;
    let mut different = Vec::new();
    for query in QUERIES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut wrong = None;
        for request in requests(query, end_ms) {
            let (path, parameters) = request.split_once('?').unwrap_or((&request, ""));
            let (code, theirs) = ask(PROMETHEUS, &request).await?;
            let theirs: Value = serde_json::from_str(&theirs)?;
            let (our_code, ours) = answer(&store, path, parameters, end_ms);
            if wrong.is_none() && (code != our_code || !same(&theirs, &ours)) {
                wrong = Some(format!("{query}\n  real:     {code} {theirs:.600}\n  embedded: {our_code} {ours:.600}"));
            }
        }
        match wrong {
            Some(wrong) => different.push(wrong),
            None => equal += 1,
        }
    }
    Ok((equal, different))
}

/// Three instants and a range.
fn requests(query: &str, end_ms: i64) -> [String; 4] {
    let query: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let at = |back_ms: i64| (end_ms - back_ms) as f64 / 1000.0;
    let instant = |back_ms| format!("/api/v1/query?query={query}&time={}", at(back_ms));
    let range = format!("/api/v1/query_range?query={query}&start={}&end={}&step=3.7", at(8_500), at(500));
    [instant(0), instant(3_217), instant(7_500), range]
}

/// Copies every sample of the application until `end_ms`.
///
/// A series that was not in a scrape of its target ended there; the API does not show the marks of that.
async fn copied(end_ms: i64) -> Result<Store> {
    let selector: String = "{__name__=~\"app_.*|up\"}[10m]".bytes().map(|byte| format!("%{byte:02X}")).collect();
    let path = format!("/api/v1/query?query={selector}&time={}", end_ms as f64 / 1000.0);
    let read: Value = serde_json::from_str(&get(PROMETHEUS, &path).await?)?;
    let series: Vec<(Named, Points)> = read["data"]["result"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| Ok((serde_json::from_value(one["metric"].clone())?, points(&one["values"]))))
        .collect::<Result<_>>()?;
    let target = |labels: &Named| [labels.get("job").cloned(), labels.get("instance").cloned()];
    let scrapes: BTreeMap<_, BTreeSet<i64>> = series
        .iter()
        .filter(|(labels, _)| labels.get("__name__").is_some_and(|name| name == "up"))
        .map(|(labels, points)| (target(labels), points.iter().map(|(at, _)| *at).collect()))
        .collect();
    let mut store = Store::default();
    for (labels, points) in series {
        let of_target = scrapes.get(&target(&labels));
        let id = store.register(Labels::new(labels));
        let mut points = points.into_iter().peekable();
        while let Some((at, value)) = points.next() {
            store.append(id, at, value);
            let next = of_target.and_then(|scrapes| scrapes.range(at + 1..).next()).copied();
            // A target that is gone is not scraped any more; its series end a scrape after the last.
            let next = next.or((at < end_ms - 2_000).then_some(at + 1_000));
            if let Some(next) = next.filter(|next| points.peek().is_none_or(|(at, _)| at > next)) {
                store.end(id, next);
            }
        }
    }
    Ok(store)
}

/// Whether two answers say the same: values to 1e-9, the order only where it is a result, errors by their kind.
fn same(a: &Value, b: &Value) -> bool {
    if a["status"] != "success" || b["status"] != "success" {
        return a["status"] == b["status"] && a["errorType"] == b["errorType"];
    }
    let (a, b) = (&a["data"], &b["data"]);
    if a["resultType"] != b["resultType"] {
        return false;
    }
    match a["resultType"].as_str() {
        Some("vector" | "matrix") => {
            let (a, b) = (by_labels(a), by_labels(b));
            a.len() == b.len() && a.iter().zip(&b).all(|((x, xs), (y, ys))| x == y && same_points(xs, ys))
        }
        Some("scalar") => same_points(&[point(&a["result"])], &[point(&b["result"])]),
        _ => a["result"] == b["result"],
    }
}

fn by_labels(data: &Value) -> BTreeMap<String, Vec<(f64, f64)>> {
    let rows = data["result"].as_array().into_iter().flatten();
    rows.map(|row| {
        let single = [row["value"].clone()];
        let points = row["values"].as_array().map_or(single.as_slice(), Vec::as_slice);
        (row["metric"].to_string(), points.iter().map(point).collect())
    })
    .collect()
}

fn same_points(a: &[(f64, f64)], b: &[(f64, f64)]) -> bool {
    let near =
        |x: f64, y: f64| x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= 1e-9 * x.abs().max(y.abs()).max(1.0);
    a.len() == b.len() && a.iter().zip(b).all(|(p, q)| (p.0 - q.0).abs() < 1e-6 && near(p.1, q.1))
}

fn point(pair: &Value) -> (f64, f64) {
    let number = |text: &str| text.parse().unwrap_or(f64::NAN);
    (pair[0].as_f64().unwrap_or(f64::NAN), pair[1].as_str().map_or(f64::NAN, number))
}

fn points(values: &Value) -> Vec<(i64, f64)> {
    let pairs = values.as_array().into_iter().flatten().map(point);
    pairs.map(|(at, value)| ((at * 1000.0).round() as i64, value)).collect()
}
