//! Each finding with its exact sentence, on the small cluster.

mod metrics;
mod plans;
mod routes;
mod scaling;
mod slots;

use super::preflight;
use crate::core::testbed::Bed;
use crate::core::{Command, Event};
use crate::model::{Batch, Family, Level, RawSeries, Reading, ResourceKind, Slot, StreamKind, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Returns a round of metrics in which nothing is missing, for the two pods that serve.
fn healthy(now: Timestamp) -> Batch {
    let at = now.as_millisecond();
    let points = |value: f64| (0..3).rev().map(|i| (at - i * 1000, value)).collect::<Vec<_>>();
    let mut families: BTreeMap<Family, Vec<RawSeries>> = BTreeMap::new();
    for pod in ["shop-a-0", "shop-a-1"] {
        let base = |value: f64| RawSeries {
            slot: Some(Slot::A),
            pod: pod.into(),
            points: points(value),
            ..RawSeries::default()
        };
        let named = |value: f64| RawSeries { customer: Some("acme".into()), ..base(value) };
        families.entry(Family::Started).or_default().push(named(40.0));
        let code = Some("200".into());
        families.entry(Family::Finished).or_default().push(RawSeries { code, ..named(39.0) });
        for kind in StreamKind::ALL {
            families.entry(Family::InFlight).or_default().push(RawSeries { kind: Some(kind), ..base(1.0) });
        }
        families.entry(Family::InFlightByCustomer).or_default().push(named(1.0));
        families.entry(Family::OldestAge).or_default().push(base(2.0));
        families.entry(Family::Up).or_default().push(base(1.0));
    }
    let p99 = RawSeries { slot: Some(Slot::A), points: vec![(at, 0.1)], ..RawSeries::default() };
    families.insert(Family::LatencyP99, vec![p99]);
    Batch { at: now, families: families.into_iter().map(|(family, series)| (family, Reading::Value(series))).collect() }
}

/// Looks for what speaks against a start of any version, after these changes of the cluster and of the metrics.
fn findings(change: impl FnOnce(&mut Bed), measure: impl FnOnce(&mut Batch)) -> Vec<String> {
    let mut bed = Bed::new();
    bed.metrics = false;
    change(&mut bed);
    let desk = bed.open_desk("dana");
    bed.run();
    // Only says something where there are several.
    bed.tell(desk, Event::Plan("shop".into()));
    let mut batch = healthy(bed.now);
    measure(&mut batch);
    bed.tell(desk, Event::Metrics(batch));
    let found = preflight(&bed.desks[desk].state, bed.now, None);
    found.into_iter().map(|finding| finding.to_string()).collect()
}

/// The sentences of one check after something more was told.
fn told(check: &str, event: Event) -> Vec<String> {
    let mut bed = Bed::new();
    bed.metrics = false;
    let desk = bed.open_desk("dana");
    bed.run();
    bed.tell(desk, event);
    let mark = format!("[{check}]");
    let found = preflight(&bed.desks[desk].state, bed.now, None);
    found.into_iter().map(|finding| finding.to_string()).filter(|text| text.ends_with(&mark)).collect()
}

/// The sentences of one check.
fn said(check: &str, change: impl FnOnce(&mut Bed), measure: impl FnOnce(&mut Batch)) -> Vec<String> {
    let mark = format!("[{check}]");
    findings(change, measure).into_iter().filter(|text| text.ends_with(&mark)).collect()
}

fn cluster(check: &str, change: impl FnOnce(&mut Bed)) -> Vec<String> {
    said(check, change, |_| {})
}

fn metrics(check: &str, measure: impl FnOnce(&mut Batch)) -> Vec<String> {
    said(check, |_| {}, measure)
}

/// Changes one object.
fn set(bed: &mut Bed, kind: ResourceKind, name: &str, pointer: &str, value: Value) {
    let mut object = bed.get(kind, name).clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key] = value;
    bed.put(kind, object);
}

fn deployment(bed: &mut Bed, name: &str, pointer: &str, value: Value) {
    set(bed, ResourceKind::Deployment, name, pointer, value);
}

fn series(batch: &mut Batch, family: Family) -> &mut Vec<RawSeries> {
    match batch.families.get_mut(&family) {
        Some(Reading::Value(series)) => series,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_healthy_cluster_is_refused_nothing_and_warned_of_nothing_here() {
    let ours = ["plan.", "slot.", "hpa.", "keda.", "metrics.", "rights.", "size.", "gitops."];
    let found = findings(|_| {}, |_| {});
    let bad: Vec<&String> =
        found.iter().filter(|text| ours.iter().any(|area| text.contains(&format!("[{area}")))).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn the_screen_follows_a_change_within_two_seconds_and_shows_nothing_while_a_release_is_under_way() {
    let mut bed = Bed::new();
    let desk = bed.open_desk("dana");
    bed.pass(3);
    let refused = |bed: &Bed| -> Vec<String> {
        let shown = bed.view(desk).preflight;
        assert!(shown.age.is_some_and(|age| age <= 3), "{:?}", shown.age);
        shown.findings.into_iter().filter(|f| f.level == Level::Refuse).map(|f| f.check).collect()
    };
    assert_eq!(refused(&bed), [""; 0]);
    set(&mut bed, ResourceKind::Deployment, "shop-b", "/spec/paused", json!(true));
    bed.pass(2);
    assert_eq!(refused(&bed), ["slot.paused"]);
    set(&mut bed, ResourceKind::Deployment, "shop-b", "/spec/paused", json!(false));
    bed.pass(2);
    bed.order(desk, Command::Start { release: None, version: Some("2".into()), image: None, commit: None });
    bed.until(desk, "Ready");
    let shown = bed.view(desk).preflight;
    assert_eq!((shown.age, shown.findings), (None, Vec::new()));
    assert!(shown.survey_age.is_some() && shown.metrics_age.is_some());
    let queries: Vec<&str> = shown.queries.iter().map(|row| row.metric.as_str()).collect();
    assert!(queries.contains(&"app_inflight") && queries.contains(&"up"), "{queries:?}");
    assert!(
        shown.rights.iter().any(|(right, allowed)| right == "patch deployments.apps/shop-b" && *allowed == Some(true))
    );
}
