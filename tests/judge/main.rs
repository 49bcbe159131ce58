//! The judge of the real cluster sees what it is there to see: made-up records, each with one fault.

#[path = "../rig/checks/judge.rs"]
mod judge;
#[path = "../rig/checks/order.rs"]
mod order;
#[path = "../rig/record.rs"]
mod record;
mod writes;

use judge::{Claim, Leg, SWITCH, Seen};
use record::{ASSET, Record, Verdict};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

const OLD: &str = "4.11.8";
const NEW: &str = "4.12.0";
const ASSETS: &str = "assets-1";

/// A rollback's history: acme's wave moves at 10 s and is verified at 13 s; back from 30 s, verified at 33 s.
fn history(end: &[(u64, &str)]) -> Vec<Seen> {
    let begin = [(0, "Preparing", 0), (8, "Ready", 0), (10, "Shifting", 1), (11, "Verifying", 1), (13, "Baking", 1)];
    let end = end.iter().map(|(at, phase)| (*at, *phase, 1));
    begin.into_iter().chain(end).map(|(at, phase, wave)| seen(at, phase, wave)).collect()
}

fn rollback() -> Vec<Seen> {
    history(&[(30, "RollingBack"), (31, "VerifyingBack"), (33, "DrainingNew"), (60, "RetiringNew"), (62, "RolledBack")])
}

fn seen(at: u64, phase: &str, wave: u64) -> Seen {
    let frozen = json!({
        "old": { "version": OLD }, "new": { "version": NEW },
        "waves": [{ "ring": "pilot", "customers": ["acme"] }, { "ring": "unlisted", "customers": [] }],
    });
    let release = json!({
        "spec": { "version": NEW }, "status": { "phase": phase, "wave": wave, "frozen": frozen },
    });
    Seen { at: Duration::from_secs(at), release }
}

fn at(who: Option<&'static str>, start: f64, version: &str) -> Record {
    lasting(who, start, 0.1, version)
}

fn lasting(customer: Option<&'static str>, start: f64, seconds: f64, version: &str) -> Record {
    let (start, length) = (Duration::from_secs_f64(start), Duration::from_secs_f64(seconds));
    let path = if version == ASSETS { ASSET } else { "/" };
    Record { customer, path, start, end: start + length, version: version.into(), verdict: Verdict::Whole }
}

fn cut(mut record: Record, verdict: Verdict) -> Record {
    record.verdict = verdict;
    record
}

/// acme there and back, the unlisted and the assets untouched; nothing is wrong with it.
fn good() -> Vec<Record> {
    vec![
        at(Some("acme"), 1.0, OLD),
        at(None, 1.5, OLD),
        at(Some("acme"), 9.9, OLD),
        at(Some("acme"), 10.5, NEW),
        at(Some("acme"), 10.6, OLD),
        at(Some("acme"), 10.7, NEW),
        at(None, 15.0, OLD),
        at(None, 15.0, ASSETS),
        lasting(Some("acme"), 20.0, 30.0, NEW),
        at(Some("acme"), 29.9, NEW),
        at(Some("acme"), 30.2, OLD),
        at(Some("acme"), 40.0, OLD),
        at(None, 61.0, OLD),
    ]
}

fn with(record: Record) -> Vec<Record> {
    let mut records = good();
    records.push(record);
    records
}

fn two_versions(records: &[Record]) -> Vec<String> {
    let history = rollback();
    let legs = judge::legs(&history, Duration::ZERO, Duration::from_secs(70), OLD, NEW);
    judge::on_two_versions(records, &legs, &judge::moved(&history), &history).into_values().collect()
}

fn wrong_versions(records: &[Record]) -> Vec<String> {
    judge::versions(records, &rollback(), OLD, NEW, ASSETS).1
}

#[test]
fn a_good_run_has_no_finding() {
    let (history, records) = (rollback(), good());
    assert!(judge::cuts(&records, &history).is_empty());
    assert_eq!(judge::server_errors(&records), 0);
    assert_eq!(two_versions(&records), [""; 0]);
    let (judged, wrong) = judge::versions(&records, &history, OLD, NEW, ASSETS);
    assert_eq!((judged, wrong), (7, Vec::new()), "what happens between shift and verified is not judged by the phase");
    assert_eq!(judge::false_drains(&records, &judge::claims(&history)), [""; 0]);
}

#[test]
fn a_cut_names_customer_times_and_phases() {
    let error = cut(lasting(Some("acme"), 12.0, 2.5, ""), Verdict::ServerError(503, "no healthy upstream".into()));
    let broken = cut(lasting(None, 29.0, 1.5, OLD), Verdict::Broken("2 of 5 pieces came".into()));
    let records = [good(), vec![error, broken]].concat();
    assert_eq!(judge::server_errors(&records), 1);
    assert_eq!(
        judge::cuts(&records, &rollback()),
        [
            "acme / from 12.000 s (Verifying of 4.12.0, wave 1) to 14.500 s (Baking of 4.12.0, wave 1) on no version: \
             ServerError(503, \"no healthy upstream\")",
            "unlisted / from 29.000 s (Baking of 4.12.0, wave 1) to 30.500 s (RollingBack of 4.12.0, wave 1) on 4.11.8: \
             Broken(\"2 of 5 pieces came\")",
        ]
    );
}

#[test]
fn the_switch_window_is_from_the_first_new_to_the_last_old_start() {
    let leg = Leg { from: Duration::ZERO, to: Duration::from_secs(29), source: OLD, target: NEW };
    let switches = judge::switches(&good(), &leg);
    assert_eq!(switches.len(), 1, "who stays has no switch");
    assert_eq!((switches[0].who, switches[0].window()), ("acme", Duration::from_millis(100)));
    assert_eq!(switches[0].gap(), Duration::ZERO);
    let clean = [at(None, 1.0, OLD), at(None, 1.4, NEW)];
    let clean = judge::switches(&clean, &leg);
    assert_eq!((clean[0].window(), clean[0].gap()), (Duration::ZERO, Duration::from_millis(400)));
}

#[test]
fn the_gap_of_the_way_back_begins_with_the_last_answer_of_the_way_there() {
    let history = rollback();
    let legs = judge::legs(&history, Duration::ZERO, Duration::from_secs(70), OLD, NEW);
    let mut records = good();
    records.retain(|record| record.start != Duration::from_secs_f64(29.9));
    let back = judge::switches(&records, &legs[1]);
    assert_eq!((back.len(), back[0].gap()), (1, Duration::from_secs_f64(10.2)));
}

#[test]
fn a_late_answer_by_the_source_is_a_customer_on_two_versions() {
    let found = two_versions(&with(at(Some("acme"), 13.0, OLD)));
    assert_eq!(
        found,
        ["acme was on two versions for 2.5s: first on 4.12.0 at 10.500 s (Shifting of 4.12.0, wave 1), \
          last on 4.11.8 at 13.000 s (Baking of 4.12.0, wave 1)"]
    );
}

#[test]
fn a_late_answer_after_the_rollback_is_a_customer_on_two_versions() {
    assert_eq!(two_versions(&with(at(Some("acme"), 33.0, NEW))).len(), 1);
}

#[test]
fn a_short_visit_to_the_other_version_is_two_switches_too_many() {
    let found = two_versions(&with(at(None, 16.0, NEW)));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("unlisted changed 2 times, not 0: to 4.12.0 at 16.000 s"), "{}", found[0]);
}

#[test]
fn the_unlisted_count_as_one_customer_over_all_paths() {
    let records = [at(None, 1.0, OLD), at(None, 10.0, NEW), at(None, 10.1 + SWITCH.as_secs_f64(), OLD)];
    let leg = Leg { from: Duration::ZERO, to: Duration::from_secs(20), source: OLD, target: NEW };
    let found = judge::on_two_versions(&records, &[leg], &BTreeSet::from(["unlisted".into()]), &[]);
    assert_eq!(found.into_keys().collect::<Vec<_>>(), ["unlisted"]);
}

#[test]
fn answers_that_the_history_rules_out_are_found() {
    for (record, why) in [
        (at(Some("acme"), 5.0, NEW), "before its wave"),
        (at(Some("acme"), 20.0, OLD), "after it was verified"),
        (at(Some("acme"), 50.0, NEW), "after the rollback was verified"),
        (at(None, 20.0, NEW), "unlisted in a run that never promoted"),
        (at(Some("stranger"), 20.0, NEW), "in no wave"),
    ] {
        assert_eq!(wrong_versions(&with(record)).len(), 1, "{why}");
    }
    let mut assets = at(None, 20.0, ASSETS);
    assets.version = NEW.into();
    assert_eq!(wrong_versions(&with(assets)).len(), 1, "assets answered by a slot");
}

#[test]
fn a_drain_claimed_over_an_open_transaction_is_false() {
    let history = rollback();
    let claims = judge::claims(&history);
    assert_eq!(claims.len(), 1);
    assert_eq!((claims[0].at, claims[0].version.as_str()), (Duration::from_secs(60), NEW));
    let found = judge::false_drains(&with(lasting(Some("acme"), 20.0, 45.0, NEW)), &claims);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("4.12.0 was claimed drained at 60.000 s by the Release"), "{}", found[0]);
}

#[test]
fn a_cut_transaction_of_unknown_version_makes_a_claim_false() {
    let lost = cut(lasting(None, 55.0, 10.0, ""), Verdict::Broken("reset".into()));
    assert_eq!(judge::false_drains(&with(lost), &judge::claims(&rollback())).len(), 1);
}

#[test]
fn what_is_open_on_the_other_version_or_on_the_assets_makes_no_claim_false() {
    let records = [good(), vec![lasting(None, 55.0, 10.0, OLD), lasting(None, 55.0, 10.0, ASSETS)]].concat();
    assert_eq!(judge::false_drains(&records, &judge::claims(&rollback())), [""; 0]);
}

#[test]
fn going_back_from_a_drain_claims_nothing() {
    let history = history(&[(20, "Promoted"), (21, "DrainingOld"), (30, "RollingBack"), (33, "DrainingNew")]);
    assert_eq!(judge::claims(&history), []);
    let done = self::history(&[(20, "Promoted"), (21, "DrainingOld"), (30, "RetiringOld"), (33, "Cleaning")]);
    let by = "the Release, which went from DrainingOld to RetiringOld".to_owned();
    assert_eq!(judge::claims(&done), [Claim { at: Duration::from_secs(30), version: OLD.into(), by }]);
}

#[test]
fn the_screen_claims_a_drain_only_when_it_says_proven() {
    let screen =
        |title: &str| format!(" step 7/7 CLEANING\n┌ drain {title} ─── -1m07s..now ─┐┌ errors new ─┐\n│ 0 open │");
    assert_eq!(judge::proven_on(&screen("old 4.11.8 proven")), Some("4.11.8"));
    assert_eq!(judge::proven_on(&screen("old 4.11.8 not proven")), None);
    assert_eq!(judge::proven_on(&screen("new 4.12.0 in use")), None);
}

#[test]
fn the_percentile_is_a_value_that_was_measured() {
    let values: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
    assert_eq!(judge::percentile(&values, 50), Duration::from_millis(100));
    assert_eq!(judge::percentile(&values, 99), Duration::from_millis(198));
    assert_eq!(judge::percentile(&values, 100), Duration::from_millis(200));
    assert_eq!(judge::percentile(&[], 50), Duration::ZERO);
}
