//! Figures of the pure layers, printed as `figure <name> <value> <unit>`; nothing is asserted, machines are noisy.
//!
//! `cargo bench` runs them; each figure is the median of its runs.

use pilothouse::model::{Component, CustomerId, SlotPair, Wave};
use pilothouse::routing::{Install, compile, placements};
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let base = base();
    let component = component();
    let waves = waves(10_000);
    let install = || Install {
        base: &base,
        others: Vec::new(),
        component: &component,
        header: "x-customer-id",
        old: pilothouse::model::Slot::A,
        waves: &waves,
        release: "trackx-2",
        uid: "0f0e0d0c-0000-0000-0000-000000000000",
        placeholder: "0123456789abcdef",
    };
    let layout = compile(&install()).expect("the layout compiles");
    figure("perf.route_compile_10k_customers", "ms", || {
        black_box(compile(&install()).is_ok());
    });
    let routes: Vec<Value> = layout.routes.into_iter().map(|route| route.object).collect();
    let live: Vec<&Value> = std::iter::once(&base).chain(&routes).collect();
    let customers: Vec<CustomerId> = waves.iter().flat_map(|wave| wave.customers.clone()).collect();
    figure("perf.placements_10k_customers", "ms", || {
        black_box(placements(&live, "trackx", &component, "x-customer-id", &customers).len());
    });
    println!("figure perf.managed_routes_10k_customers {} routes", routes.len());
}

fn figure(name: &str, unit: &str, mut run: impl FnMut()) {
    run();
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let began = Instant::now();
            run();
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("figure {name} {:.2} {unit}", times[times.len() / 2]);
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
