//! The pure layers: routes of many customers, placements, gates.

use crate::report::{Report, quantile};
use pilothouse::gate::{Starts, judge};
use pilothouse::model::{Component, CustomerId, Gate, GateKind, Reading, Slot, SlotPair, Span, Timestamp, Wave};
use pilothouse::routing::{Install, compile, placements};
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::Instant;

/// How often each is run; the median counts.
const RUNS: usize = 9;
/// Pods of the slot that a gate looks at.
const PODS: usize = 100;
/// Points of one stream in a gate's window.
const POINTS: i64 = 21;

/// Measures all of them.
pub fn measure(report: &mut Report) {
    routes(report);
    gate(report);
}

fn routes(report: &mut Report) {
    let base = base();
    let component = component();
    let waves = waves(10_000);
    let install = || Install {
        base: &base,
        others: Vec::new(),
        component: &component,
        header: "x-customer-id",
        old: Slot::A,
        waves: &waves,
        release: "trackx-2",
        uid: "0f0e0d0c-0000-0000-0000-000000000000",
        placeholder: "0123456789abcdef",
    };
    let layout = compile(&install()).expect("the layout compiles");
    let ms = median_ms(|| {
        black_box(compile(&install()).is_ok());
    });
    report.figure("perf.route_compile_10k_customers", ms, "ms");
    let routes: Vec<Value> = layout.routes.into_iter().map(|route| route.object).collect();
    let live: Vec<&Value> = std::iter::once(&base).chain(&routes).collect();
    let customers: Vec<CustomerId> = waves.iter().flat_map(|wave| wave.customers.clone()).collect();
    let ms = median_ms(|| {
        black_box(placements(&live, "trackx", &component, "x-customer-id", &customers).len());
    });
    report.figure("perf.placements_10k_customers", ms, "ms");
    println!("figure perf.managed_routes_10k_customers {} routes", routes.len());
}

/// One gate over one window: the counters of three codes on every pod, and the proof that each pod is seen.
fn gate(report: &mut Report) {
    let now = Timestamp::from_second(1_800_000_000).expect("a time");
    let points = |slope: f64| {
        let times = (0..POINTS).map(|i| now.as_millisecond() - (POINTS - 1 - i) * 3_000);
        times.enumerate().map(|(i, at)| (at, slope * i as f64)).collect::<Vec<(i64, f64)>>()
    };
    let pod = |i: usize| ("pod".to_owned(), format!("trackx-b-{i:03}"));
    let finished = (0..PODS)
        .flat_map(|i| {
            ["200", "404", "503"].map(|code| (vec![pod(i), ("code".to_owned(), code.to_owned())], points(3.0)))
        })
        .collect::<Vec<_>>();
    let seen = (0..PODS).map(|i| (vec![pod(i)], points(0.0))).collect::<Vec<_>>();
    let streams = finished.len() + seen.len();
    let answers = [Reading::Value(finished), Reading::Value(seen)];
    let gate = Gate {
        name: "errors".to_owned(),
        kind: GateKind::ErrorRatio,
        max: 0.01,
        window: Span::seconds(60),
        min_requests: 20,
    };
    let judged = judge(&gate, &answers, &Starts::new(), Timestamp::UNIX_EPOCH, now);
    assert!(judged.requests.is_some_and(|requests| requests > 0.0), "the gate has counted: {judged:?}");
    let ms = median_ms(|| {
        black_box(judge(&gate, &answers, &Starts::new(), Timestamp::UNIX_EPOCH, now));
    });
    report.figure("perf.gate_per_stream", ms * 1_000.0 / streams as f64, "us");
}

fn median_ms(mut run: impl FnMut()) -> f64 {
    run();
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let began = Instant::now();
            run();
            began.elapsed().as_secs_f64() * 1_000.0
        })
        .collect();
    quantile(&mut times, 0.5)
}

fn component() -> Component {
    let pair = |name: &str| SlotPair { deployment: name.into(), service: name.into() };
    Component { name: "web".into(), route: "trackx".into(), a: pair("trackx"), b: pair("trackx-b") }
}

fn waves(customers: usize) -> Vec<Wave> {
    let ids: Vec<CustomerId> = (0..customers).map(|i| CustomerId::new(format!("customer-{i:05}"))).collect();
    let mut waves: Vec<Wave> =
        ids.chunks(customers.div_ceil(6)).map(|part| Wave { ring: "main".into(), customers: part.to_vec() }).collect();
    waves.push(Wave { ring: "unlisted".into(), customers: Vec::new() });
    waves
}

fn base() -> Value {
    let backends = json!([
        { "name": "trackx", "port": 8080, "weight": 100 },
        { "name": "trackx-b", "port": 8080, "weight": 0 },
    ]);
    let rule = |path: &str| json!({ "matches": [{ "path": { "type": "PathPrefix", "value": path } }], "backendRefs": backends, "timeouts": { "request": "0s" } });
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": { "name": "trackx", "namespace": "trackx", "uid": "b", "creationTimestamp": "2026-01-01T00:00:00Z" },
        "spec": { "parentRefs": [{ "name": "web" }], "rules": [rule("/"), rule("/api")] },
    })
}
