//! The model on paused time.

use super::super::scenario::{Fault, FaultKind, Lasts, Scenario, When};
use super::super::wire::{LivePod, Traffic};
use super::SimTraffic;
use crate::model::{Side, Slot, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

fn customers() -> Vec<String> {
    ["acme", "globex", "initech", "umbrella", "hooli"].map(str::to_owned).to_vec()
}

fn scenario(faults: Vec<Fault>) -> Scenario {
    let text = "version = 1\ntitle = 't'\nseed = 5\n[app]\ncustomers = 5\nlongest = 60\nwebsockets = 6\n";
    Scenario { fault: faults, ..Scenario::parse(text).unwrap() }
}

fn fault(kind: FaultKind, at: &str, slot: Option<Side>, value: f64, lasts: &str) -> Fault {
    let (at, lasts) = (When::try_from(at.to_owned()).unwrap(), Lasts::try_from(lasts.to_owned()).unwrap());
    Fault { at, kind, app: None, slot, customer: "*".into(), value, lasts }
}

fn pod(name: &str, slot: Slot) -> LivePod {
    let version = if slot == Slot::A { "4.11.8" } else { "4.12.0" };
    LivePod {
        name: name.into(),
        uid: format!("uid-{name}"),
        deployment: String::new(),
        slot: Some(slot),
        version: version.into(),
        ready: true,
        terminating: false,
    }
}

fn all_pods() -> Vec<LivePod> {
    vec![pod("a1", Slot::A), pod("a2", Slot::A), pod("b1", Slot::B), pod("b2", Slot::B)]
}

fn route(name: &str, customers: &[&str], to: Slot) -> Value {
    let weight = |slot| if slot == to { 100 } else { 0 };
    let backends = json!([
        {"name": "trackx", "port": 8080, "weight": weight(Slot::A)},
        {"name": "trackx-b", "port": 8080, "weight": weight(Slot::B)},
    ]);
    let path = json!({"type": "PathPrefix", "value": "/"});
    let of = |id: &&str| json!({"path": path, "headers": [{"type": "Exact", "name": "x-customer-id", "value": id}]});
    let matches: Vec<Value> =
        if customers.is_empty() { vec![json!({"path": path})] } else { customers.iter().map(of).collect() };
    let mut rules = vec![json!({"matches": matches, "backendRefs": backends})];
    if customers.is_empty() {
        let assets = json!({"path": {"type": "PathPrefix", "value": "/static"}});
        rules.push(json!({"matches": [assets], "backendRefs": [{"name": "assets", "port": 80}]}));
    }
    json!({
        "metadata": {"name": name, "namespace": "trackx", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"hostnames": ["trackx.example"], "rules": rules},
    })
}

/// Traffic that has all pods and sends everybody to slot a.
fn running(faults: Vec<Fault>) -> SimTraffic {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let traffic = SimTraffic::new(&scenario(faults), customers(), start);
    traffic.pods(all_pods());
    traffic.routes(vec![route("trackx", &[], Slot::A)]);
    traffic
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// The values of a query's vector, by the given label.
fn ask(traffic: &SimTraffic, query: &str, label: &str) -> Vec<(String, f64)> {
    let encoded: String = query.bytes().map(|b| format!("%{b:02X}")).collect();
    let (code, body) = traffic.prometheus("/api/v1/query", &format!("query={encoded}"));
    assert_eq!(code, 200, "{query}: {body}");
    let row = |row: &Value| {
        let value = row["value"][1].as_str().unwrap().parse().unwrap();
        (row["metric"][label].as_str().unwrap_or_default().to_owned(), value)
    };
    body["data"]["result"].as_array().unwrap().iter().map(row).collect()
}

fn number(traffic: &SimTraffic, query: &str) -> f64 {
    ask(traffic, query, "").first().map_or(f64::NAN, |(_, value)| *value)
}

#[tokio::test(start_paused = true)]
async fn rates_come_out_as_the_scenario_says() {
    let traffic = running(vec![]);
    pass(120).await;
    // 200 per second less the tenth that goes to the assets, more the sockets.
    let rate = number(&traffic, "sum(rate(app_requests_started_total[1m]))");
    assert!((170.0..192.0).contains(&rate), "{rate}");
    let unlisted = number(
        &traffic,
        r#"sum(rate(app_requests_started_total{customer!~"acme|globex|initech|umbrella|hooli"}[1m]))"#,
    );
    assert!((0.06..0.14).contains(&(unlisted / rate)), "{unlisted} of {rate}");
    let by_slot = ask(&traffic, "sum by (slot) (app_requests_started_total)", "slot");
    assert_eq!(by_slot.len(), 1, "{by_slot:?}: a counter is born with its first increment");
    let codes = ask(&traffic, "sum by (code) (app_requests_total)", "code");
    assert_eq!(codes.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), ["101", "200"]);
    let p99 = number(&traffic, "histogram_quantile(0.99, sum by (le) (rate(app_request_duration_seconds_bucket[1m])))");
    assert!((0.05..0.12).contains(&p99), "{p99}");
    assert_eq!(ask(&traffic, "app_inflight{slot=\"b\",pod=\"b1\"}", "kind").len(), 4);
    assert_eq!(number(&traffic, "sum(app_inflight{kind=\"ws\"})"), 6.0);
    assert_eq!(ask(&traffic, "up == 1", "pod").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_slot_runs_empty_after_its_customers_have_moved() {
    let traffic = running(vec![]);
    pass(90).await;
    traffic.routes(vec![route("trackx", &[], Slot::A), route("wave", &["acme", "globex"], Slot::B)]);
    pass(30).await;
    let moved = number(&traffic, r#"sum(increase(app_requests_started_total{slot="b",customer!~"acme|globex"}[20s]))"#);
    assert!(moved.is_nan(), "only the two moved: {moved}");
    assert!(number(&traffic, r#"sum(increase(app_requests_started_total{slot="b"}[20s]))"#) > 0.0);
    assert_eq!(
        number(&traffic, r#"sum(increase(app_requests_started_total{slot="a",customer=~"acme|globex"}[20s]))"#),
        0.0
    );

    traffic.routes(vec![route("trackx", &[], Slot::B)]);
    assert!(traffic.open_work("a1") > 0);
    pass(62).await;
    assert_eq!((traffic.open_work("a1"), traffic.open_work("a2")), (0, 0));
    assert_eq!(number(&traffic, r#"sum(app_inflight{slot="a"})"#), 0.0);
    assert_eq!(number(&traffic, r#"max(app_oldest_transaction_age_seconds{slot="a"})"#), 0.0);
    assert!(ask(&traffic, r#"app_inflight_by_customer{slot="a"}"#, "customer").is_empty());
    traffic.pods(vec![pod("b1", Slot::B), pod("b2", Slot::B)]);
    pass(30).await;
    assert!(ask(&traffic, r#"up{slot="a"}"#, "pod").is_empty(), "the series of an absent pod end");

    let totals = traffic.totals();
    assert_eq!((totals.cut, totals.on_two_versions, totals.failed, totals.unrouted), (0, 0, 0, 0));
    assert!(totals.unserved.is_empty());
    let acme = &totals.last_start["acme"];
    assert!(acme[&Slot::A] < acme[&Slot::B]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_no_slot_and_no_application_exports_nothing() {
    let traffic = running(vec![]);
    let stray = LivePod { slot: None, ..pod("stray", Slot::A) };
    traffic.pods(all_pods().into_iter().chain([stray]).collect());
    pass(5).await;
    assert!(ask(&traffic, r#"{pod="stray"}"#, "pod").is_empty());
    assert_eq!(ask(&traffic, r#"up{pod="a1"}"#, "pod").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_kill_cuts_what_is_open_and_says_how_much() {
    let traffic = running(vec![]);
    pass(60).await;
    let open = traffic.open_work("a1");
    assert!(open > 0);
    assert_eq!(traffic.kill("a1"), open);
    assert_eq!((traffic.kill("a1"), traffic.open_work("a1"), traffic.totals().cut), (0, 0, open));
    assert_eq!(traffic.totals().cut_by_customer.values().sum::<u64>(), open);
    pass(2).await;
    assert_eq!(number(&traffic, "sum(app_inflight{kind=\"ws\"})"), 6.0, "clients open their sockets again");
}

#[tokio::test(start_paused = true)]
async fn a_slot_without_ready_pods_answers_nobody() {
    let traffic = running(vec![]);
    pass(10).await;
    assert!(traffic.totals().unserved.is_empty());
    let unready = |pod: LivePod| LivePod { ready: pod.slot != Some(Slot::A), ..pod };
    traffic.pods(all_pods().into_iter().map(unready).collect());
    let before = traffic.totals();
    pass(10).await;
    let after = traffic.totals();
    assert_eq!(after.started, before.started);
    assert!(after.unserved.values().sum::<u64>() > 1000);
}

#[tokio::test(start_paused = true)]
async fn a_split_customer_is_noticed() {
    let traffic = running(vec![]);
    let mut split = route("trackx", &[], Slot::A);
    split["spec"]["rules"][0]["backendRefs"][1]["weight"] = json!(50);
    traffic.routes(vec![split]);
    pass(10).await;
    assert!(traffic.totals().on_two_versions > 10);
}

#[tokio::test(start_paused = true)]
async fn errors_and_latency_strike_their_side_only() {
    let faults = vec![
        fault(FaultKind::Errors, "wave 1 + 30s", Some(Side::New), 0.02, "forever"),
        fault(FaultKind::Latency, "wave 1 + 30s", Some(Side::New), 0.4, "forever"),
    ];
    let traffic = running(faults);
    traffic.routes(vec![route("trackx", &[], Slot::A), route("wave", &["acme", "globex", "hooli"], Slot::B)]);
    pass(29).await;
    assert!(ask(&traffic, r#"app_requests_total{code="500"}"#, "slot").is_empty());
    pass(180).await;
    let errors = number(
        &traffic,
        r#"sum(rate(app_requests_total{slot="b",code="500"}[2m])) / sum(rate(app_requests_total{slot="b"}[2m]))"#,
    );
    assert!((0.014..0.027).contains(&errors), "{errors}");
    assert!(ask(&traffic, r#"app_requests_total{slot="a",code="500"}"#, "slot").is_empty());
    let p50 = "histogram_quantile(0.5, sum by (slot, le) (rate(app_request_duration_seconds_bucket[1m])))";
    let slow: Vec<(String, f64)> = ask(&traffic, p50, "slot");
    assert!(slow.iter().all(|(slot, p50)| (*p50 > 0.25) == (slot == "b")), "{slow:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hung_transaction_never_ends() {
    let traffic = running(vec![fault(FaultKind::Hung, "t 5s", Some(Side::Old), 0.0, "forever")]);
    pass(10).await;
    traffic.routes(vec![route("trackx", &[], Slot::B)]);
    pass(600).await;
    assert_eq!(traffic.open_work("a1") + traffic.open_work("a2"), 1);
    assert_eq!(ask(&traffic, r#"app_inflight_by_customer{slot="a"}"#, "customer"), [("acme".to_owned(), 1.0)]);
    assert!(number(&traffic, r#"max(app_oldest_transaction_age_seconds{slot="a"})"#) > 600.0);
    assert_eq!(traffic.kill("a1") + traffic.kill("a2"), 1);
}

#[tokio::test(start_paused = true)]
async fn crashed_pods_are_reported_count_from_zero_and_are_down_meanwhile() {
    let traffic = running(vec![fault(FaultKind::Crash, "t 60s", Some(Side::Old), 0.0, "10s")]);
    pass(59).await;
    assert!(traffic.crashed().is_empty());
    pass(2).await;
    assert_eq!((traffic.crashed(), traffic.crashed()), (vec!["a1".to_owned(), "a2".to_owned()], vec![]));
    assert_eq!(ask(&traffic, "up == 0", "pod").len(), 2);
    assert!(ask(&traffic, r#"app_inflight{slot="a"}"#, "kind").is_empty(), "down is not zero");
    assert!(traffic.totals().cut > 0);
    pass(10).await;
    assert!(number(&traffic, r#"min(resets(app_requests_started_total{pod="a1",customer="acme"}[20s]))"#) == 1.0);
    assert!(traffic.crashed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_outage_answers_503_and_leaves_a_gap() {
    let traffic = running(vec![fault(FaultKind::MetricsOutage, "t 30s", None, 0.0, "20s")]);
    pass(31).await;
    let (code, body) = traffic.prometheus("/api/v1/query", "query=up");
    assert_eq!((code, body["status"].as_str()), (503, Some("error")));
    pass(21).await;
    assert_eq!(ask(&traffic, "up", "pod").len(), 4);
    let seen = number(&traffic, r#"count_over_time(up{pod="a1"}[40s])"#);
    assert!((19.0..=23.0).contains(&seen), "{seen}");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_plays_the_same_traffic_however_often_one_looks() {
    let (often, seldom) = (running(vec![]), running(vec![]));
    for _ in 0..300 {
        tokio::time::sleep(Duration::from_millis(70)).await;
        often.totals();
    }
    assert_eq!(often.totals(), seldom.totals());
}

#[tokio::test(start_paused = true)]
async fn hours_pass_and_memory_stays_bounded() {
    let traffic = running(vec![]);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let samples = number(&traffic, r#"count_over_time(up{pod="a1"}[1h])"#);
    assert!((890.0..=911.0).contains(&samples), "15 minutes are kept, not {samples} s");
    let open = number(&traffic, "sum(app_inflight)");
    assert!((10.0..80.0).contains(&open), "{open}");
}
