//! What metrics have to show.

use super::{cluster, metrics, said, series, set};
use crate::core::preflight::preflight;
use crate::core::testbed::Bed;
use crate::model::{Batch, Family, RawSeries, Reading, ResourceKind, Slot, StreamKind};
use serde_json::{Value, json};

#[test]
fn the_source_of_metrics_has_to_be_there_and_to_answer() {
    assert_eq!(
        cluster("metrics.none", |bed| set(bed, ResourceKind::RolloutPlan, "shop", "/spec/metrics", json!({}))),
        [
            "refused: the plan names no metrics source: without one no shift can be verified and no drain proven; set spec.metrics.source [metrics.none]"
        ]
    );
    let mut bed = Bed::new();
    bed.metrics = false;
    let desk = bed.open_desk("dana");
    bed.run();
    let found = preflight(&bed.desks[desk].state, bed.now, None);
    assert_eq!(
        found.iter().find(|f| f.check.starts_with("metrics.")).unwrap().to_string(),
        "refused: the metrics source has not answered yet: wait a moment; if this stays, look at spec.metrics.source of RolloutPlan shop [metrics.waiting]"
    );
    assert_eq!(
        metrics("metrics.unavailable", |batch| {
            let error = || Reading::Error("HTTP 401: no".into());
            batch.families.values_mut().for_each(|reading| *reading = error());
        }),
        [
            "refused: the metrics source does not answer every query (HTTP 401: no): no shift could be verified and no drain proven; look at spec.metrics of RolloutPlan shop [metrics.unavailable]"
        ]
    );
    assert_eq!(
        metrics("metrics.partial", |batch| {
            batch.families.insert(Family::Started, Reading::Partial("store a did not answer".into()));
        }),
        [
            "refused: the metrics source says that its answer is incomplete (store a did not answer) for app_requests_started_total: what is missing would look like silence; mend the source before a release [metrics.partial]"
        ]
    );
}

#[test]
fn every_pod_has_to_be_sampled_lately_under_its_own_slot() {
    assert_eq!(
        metrics("metrics.pod", |batch| series(batch, Family::InFlight).retain(|one| one.pod != "shop-a-1")),
        [
            "refused: pod shop-a-1 of slot a has no sample of app_inflight: nothing is known of its open work, and no drain could be proven; let the metrics source scrape every pod of the slot and keep the labels namespace and pod [metrics.pod]"
        ]
    );
    assert_eq!(
        metrics("metrics.slot-label", |batch| series(batch, Family::InFlight).iter_mut().for_each(|s| s.slot = None)),
        [
            "refused: samples of 2 of 2 pods of slot a (first shop-a-0) name no slot: label slot of app_inflight is missing or is neither \"a\" nor \"b\"; map the pod label pilothouse.dev/slot to it in the scrape configuration, or set metrics.labels.slot of the plan [metrics.slot-label]"
        ]
    );
    assert_eq!(
        metrics("metrics.slot-ambiguous", |batch| {
            let of = series(batch, Family::InFlight).iter_mut().filter(|one| one.pod == "shop-a-0");
            of.for_each(|one| one.slot = Some(Slot::B));
        }),
        [
            "refused: pod shop-a-0 of slot a is counted for slot b by label slot of app_inflight: evidence would be of the wrong version; correct that label in the scrape configuration [metrics.slot-ambiguous]"
        ]
    );
    assert_eq!(
        metrics("metrics.old", |batch| {
            let old = |one: &mut RawSeries| one.points.iter_mut().for_each(|(at, _)| *at -= 95_000);
            series(batch, Family::InFlight).iter_mut().filter(|one| one.pod == "shop-a-1").for_each(old);
        }),
        [
            "refused: the newest sample of app_inflight of pod shop-a-1 of slot a is 95 s old, and more than 4s is too old to act on: look at the targets of the metrics source [metrics.old]"
        ]
    );
    assert_eq!(
        metrics("metrics.up", |batch| series(batch, Family::Up).retain(|one| one.pod != "shop-a-1")),
        [
            "refused: the metrics source has no up of pod shop-a-1 of slot a: whether its scrapes work is not known, and no drain could be proven; keep the labels pod and slot on up [metrics.up]"
        ]
    );
}

#[test]
fn every_family_of_the_contract_has_to_be_exported() {
    let without = |kinds: &'static [StreamKind]| {
        move |batch: &mut Batch| {
            series(batch, Family::InFlight).retain(|one| one.kind.is_none_or(|kind| !kinds.contains(&kind)));
        }
    };
    assert_eq!(
        metrics("metrics.kinds", without(&[StreamKind::Ws, StreamKind::Job])),
        [
            "refused: 2 of 2 pods of slot a (first shop-a-0) export no app_inflight of kind ws, job: such work would stay unknown and no drain could be proven; export every kind, 0 explicitly [metrics.kinds]"
        ]
    );
    let reconnecting = |bed: &mut Bed| {
        set(
            bed,
            ResourceKind::RolloutPlan,
            "shop",
            "/spec/drain/kinds",
            json!({ "ws": "reconnect", "job": "reconnect" }),
        );
    };
    assert_eq!(said("metrics.kinds", reconnecting, without(&[StreamKind::Ws, StreamKind::Job])), [""; 0]);
    assert_eq!(
        metrics("metrics.started", |batch| series(batch, Family::Started).retain(|one| one.pod != "shop-a-1")),
        [
            "refused: pod shop-a-1 of slot a exports no app_requests_started_total, although requests have finished on it: no shift could be verified; count each request at its start, or set metrics.names.started of the plan [metrics.started]"
        ]
    );
    assert_eq!(
        metrics("metrics.oldest", |batch| series(batch, Family::OldestAge).retain(|one| one.pod != "shop-a-1")),
        [
            "warning: pod shop-a-1 of slot a exports no app_oldest_transaction_age_seconds: how long the oldest open transaction lasts cannot be shown; export it, 0 when nothing is open [metrics.oldest]"
        ]
    );
    assert_eq!(
        metrics("metrics.finished", |batch| {
            batch.families.insert(Family::Finished, Reading::NoData);
        }),
        [
            "warning: app_requests_total has no series: errors cannot be counted; count each request at its end with the labels customer and code [metrics.finished]"
        ]
    );
    let gated = |bed: &mut Bed| {
        let gates = json!([{ "name": "p99", "kind": "latency", "quantile": 0.99, "max": "250ms", "for": "1m" }]);
        set(bed, ResourceKind::RolloutPlan, "shop", "/spec/gates", gates);
    };
    assert_eq!(
        said("metrics.duration", gated, |batch| {
            batch.families.insert(Family::LatencyP99, Reading::NoData);
        }),
        [
            "warning: app_request_duration_seconds_bucket has no series: latency stays unknown and gate p99 has no verdict; export the histogram with the label slot [metrics.duration]"
        ]
    );
}

#[test]
fn customers_have_to_be_named_as_in_the_plan() {
    assert_eq!(
        metrics("metrics.customer-label", |batch| series(batch, Family::Started)
            .iter_mut()
            .for_each(|s| s.customer = None)),
        [
            "refused: no series of app_requests_started_total names a customer (label customer): nobody would be seen on the new version, and every customer would count as silent; add the label, or set metrics.labels.customer of the plan [metrics.customer-label]"
        ]
    );
    assert_eq!(
        metrics("metrics.unknown-customers", |batch| {
            series(batch, Family::Started).iter_mut().for_each(|one| one.customer = Some("ACME".into()));
        }),
        [
            "warning: app_requests_started_total names customers, and none of them is in the plan's list (ACME): all of them would count as unlisted; ids must be the same in the header, the list and label customer [metrics.unknown-customers]"
        ]
    );
}

#[test]
fn what_cannot_be_seen_yet_is_said() {
    assert_eq!(
        metrics("metrics.no-request-yet", |batch| {
            for family in [Family::Started, Family::Finished, Family::InFlightByCustomer] {
                batch.families.insert(family, Reading::NoData);
            }
            series(batch, Family::InFlight).iter_mut().for_each(|one| one.points.iter_mut().for_each(|p| p.1 = 0.0));
        }),
        [
            "warning: no pod of slot a has served a request yet: whether app_requests_started_total is exported and names the customer cannot be seen before the first one [metrics.no-request-yet]"
        ]
    );
    let unsaid = |bed: &mut Bed| set(bed, ResourceKind::RolloutPlan, "shop", "/spec/metrics/interval", Value::Null);
    let once = |batch: &mut Batch| {
        for reading in batch.families.values_mut() {
            let Reading::Value(series) = reading else { continue };
            series.iter_mut().for_each(|one| one.points = one.points.split_off(one.points.len() - 1));
        }
    };
    assert_eq!(
        said("metrics.interval", unsaid, once),
        [
            "warning: the scrape interval is not known (fewer than 2 samples of any pod, and RolloutPlan shop names none): forward acts wait until it is; set spec.metrics.interval [metrics.interval]"
        ]
    );
}
