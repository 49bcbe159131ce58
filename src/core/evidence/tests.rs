//! What is kept, for how long, and by whose clock.

use super::{Evidence, HORIZON, Who};
use crate::model::{Batch, CustomerId, Family, RawSeries, Reading, Slot, Span, StreamKind, Timestamp};
use std::collections::BTreeMap;

/// How far the console's clock is ahead of the source's, in milliseconds.
const AHEAD: i64 = 10 * 60_000;

fn acme() -> CustomerId {
    CustomerId::new("acme")
}

/// A round at `at` (the source's time) in which these pods were sampled, each with what it has counted for acme.
fn round(at: i64, pods: &[(&str, Option<f64>)]) -> Batch {
    let of = |pod: &str| RawSeries { slot: Some(Slot::B), pod: pod.to_owned(), ..RawSeries::default() };
    let inflight =
        pods.iter().map(|(pod, _)| RawSeries { kind: Some(StreamKind::Http), points: vec![(at, 1.0)], ..of(pod) });
    let started = pods.iter().filter_map(|(pod, count)| {
        Some(RawSeries { customer: Some(acme()), points: vec![(at, (*count)?)], ..of(pod) })
    });
    let families = BTreeMap::from([
        (Family::InFlight, Reading::Value(inflight.collect())),
        (Family::Started, Reading::Value(started.collect())),
    ]);
    Batch { at: Timestamp::from_millisecond(at + AHEAD).unwrap(), families }
}

/// Takes in a round per second of `[from, to)`.
fn watch(evidence: &mut Evidence, from: i64, to: i64, pods: impl Fn(i64) -> Vec<(&'static str, Option<f64>)>) {
    for second in from..to {
        evidence.take(&round(second * 1000, &pods(second)), Some(Span::seconds(1)));
    }
}

#[test]
fn a_console_whose_clock_is_minutes_ahead_keeps_its_samples() {
    let mut evidence = Evidence::default();
    watch(&mut evidence, 0, 30, |second| vec![("p", Some(second as f64 * 2.0))]);
    assert_eq!(evidence.newest(Slot::B), Some(29_000));
    assert_eq!(evidence.rate(Slot::B, Who::Everybody), Some(2.0));
}

#[test]
fn a_pod_that_has_gone_is_forgotten_and_so_is_everything_when_the_source_says_nothing_new() {
    let mut evidence = Evidence::default();
    watch(&mut evidence, 0, 10, |_| vec![("gone", None), ("p", None)]);
    watch(&mut evidence, 10, 310, |_| vec![("p", None)]);
    assert_eq!((evidence.scraped_at(Slot::B, "gone"), evidence.newest(Slot::B)), (None, Some(309_000)));
    let mut silent = round(309_000, &[("p", None)]);
    for (after, expected) in [(HORIZON - 1000, Some(309_000)), (HORIZON + 1000, None)] {
        silent.at = Timestamp::from_millisecond(309_000 + AHEAD + after).unwrap();
        evidence.take(&silent, Some(Span::seconds(1)));
        assert_eq!(evidence.newest(Slot::B), expected, "{after} ms later");
    }
}

#[test]
fn silence_is_known_only_to_who_looked_from_the_shift_on() {
    let seen = |evidence: &Evidence, shifted: i64| evidence.seen_since(Slot::B, &acme(), 0, shifted);
    let mut evidence = Evidence::default();
    watch(&mut evidence, 100, 130, |_| vec![("p", None)]);
    assert_eq!(seen(&evidence, 110_000), Some(false));
    assert_eq!(seen(&evidence, 90_000), None, "nobody looked then");

    let mut counted = Evidence::default();
    watch(&mut counted, 100, 130, |_| vec![("p", Some(7.0))]);
    assert_eq!(seen(&counted, 110_000), None, "it had been counted before anybody looked");
    watch(&mut counted, 130, 131, |_| vec![("p", Some(8.0))]);
    assert_eq!(seen(&counted, 110_000), Some(true));
}

#[test]
fn who_was_seen_once_stays_seen_and_who_was_not_stays_silent_while_no_pod_goes() {
    let seen = |evidence: &Evidence| evidence.seen_since(Slot::B, &acme(), 0, 10_000);
    let (mut once, mut never) = (Evidence::default(), Evidence::default());
    watch(&mut once, 0, 900, |second| vec![("p", (second > 20).then_some(if second > 40 { 2.0 } else { 1.0 }))]);
    watch(&mut never, 0, 900, |second| if second < 500 { vec![("p", None), ("q", None)] } else { vec![("p", None)] });
    assert_eq!(seen(&once), Some(true));
    assert_eq!(seen(&never), None, "what the pod that has gone had counted is forgotten");
    let mut whole = Evidence::default();
    watch(&mut whole, 0, 900, |_| vec![("p", None)]);
    assert_eq!(seen(&whole), Some(false));
}
