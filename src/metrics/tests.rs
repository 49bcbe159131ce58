//! The source and the poller against servers: in the process on a paused clock, and on loopback in real time.

use super::poll::{Poller, period, spawn};
use super::source::{Prometheus, Question, Range};
use crate::core::{Event, GateQuery, MetricsRequest};
use crate::model::{
    Authentication, Batch, Family, LabelledPoints, MetricsEndpoint, MetricsSource, Reading, Slot, Span, Timestamp,
};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// The `app` profile behind an endpoint.
pub(super) fn source(endpoint: MetricsEndpoint) -> MetricsSource {
    MetricsSource {
        endpoint,
        auth: Authentication::None,
        names: crate::api::profile_names("app").unwrap(),
        slot_values: ["a".into(), "b".into()],
        interval: None,
    }
}

type Log = Arc<Mutex<Vec<String>>>;
type Answer = Arc<dyn Fn(&str) -> Option<(u16, String)> + Send + Sync>;

/// A client of an API server whose proxy answers by a function of the path; `None` never answers.
fn proxied(answer: impl Fn(&str) -> Option<(u16, String)> + Send + Sync + 'static) -> (kube::Client, Log) {
    let (answer, log): (Answer, Log) = (Arc::new(answer), Log::default());
    let seen = log.clone();
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let path = request.uri().to_string();
        seen.lock().unwrap().push(path.clone());
        let reply = answer(&path);
        async move {
            let Some((status, body)) = reply else { return std::future::pending().await };
            let mut response = http::Response::new(kube::client::Body::from(body.into_bytes()));
            *response.status_mut() = status.try_into().unwrap();
            Ok::<_, kube::Error>(response)
        }
    });
    (kube::Client::new(service, "ns"), log)
}

fn proxy() -> MetricsSource {
    source(MetricsEndpoint::ServiceProxy { service: "prometheus:9090".into(), namespace: "monitoring".into() })
}

fn request(source: MetricsSource, gates: Vec<GateQuery>) -> MetricsRequest {
    MetricsRequest { source, namespace: "shop".into(), strangers: vec![], gates }
}

fn matrix(labels: serde_json::Value, points: &[(i64, f64)]) -> String {
    let values: Vec<_> = points.iter().map(|(at, v)| json!([at, v.to_string()])).collect();
    json!({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": labels, "values": values}]}})
        .to_string()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn batch(events: &[Event]) -> &Batch {
    let Some(Event::Metrics(batch)) = events.first() else { panic!("{events:?}") };
    batch
}

fn plain(query: &str) -> Question {
    Question { query: query.into(), range: None }
}

#[tokio::test(start_paused = true)]
async fn a_round_asks_every_family_through_exactly_the_proxy_path_the_rights_are_for() {
    let labels = json!({"slot": "b", "pod": "p", "kind": "http"});
    let (client, log) = proxied(move |path| {
        let answer = if path.contains("app_inflight%7B") {
            matrix(labels.clone(), &[(100, 3.0), (115, 4.0)])
        } else {
            matrix(json!({}), &[])
        };
        Some((200, answer))
    });
    let read_only = crate::cluster::ReadClient::from_client(client, "shop").client();
    let mut poller = Poller::new(request(proxy(), vec![]), Some(read_only));
    let events = poller.poll(at(120)).await;
    assert_eq!(events.len(), 1, "no gates, no answers of gates");
    let batch = batch(&events);
    assert_eq!((batch.at, batch.families.len()), (at(120), Family::ALL.len()));
    let Reading::Value(series) = &batch.families[&Family::InFlight] else { panic!("{batch:?}") };
    assert_eq!((series[0].slot, series[0].points.clone()), (Some(Slot::B), vec![(100_000, 3.0), (115_000, 4.0)]));
    let asked = log.lock().unwrap().clone();
    assert_eq!(asked.len(), Family::ALL.len());
    let root = "/api/v1/namespaces/monitoring/services/http:prometheus:9090/proxy/api/v1/query?query=";
    assert!(asked.iter().all(|path| path.starts_with(root)), "{asked:?}");
    assert!(asked.iter().any(|path| path.ends_with("query=up%7Bnamespace%3D%22shop%22%7D%5B60s%5D")), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn the_window_and_the_period_follow_the_spacing_of_the_samples() {
    let spacing = Arc::new(Mutex::new(vec![(0, 1.0)]));
    let points = spacing.clone();
    let (client, log) =
        proxied(move |_| Some((200, matrix(json!({"slot": "a", "pod": "p"}), &points.lock().unwrap().clone()))));
    let mut poller = Poller::new(request(proxy(), vec![]), Some(client));
    let mut windows = Vec::new();
    for points in [vec![(0, 1.0)], vec![(0, 1.0), (20, 1.0), (40, 1.0)], vec![(0, 1.0), (1, 1.0)], vec![]] {
        *spacing.lock().unwrap() = points;
        log.lock().unwrap().clear();
        poller.poll(at(100)).await;
        let asked = log.lock().unwrap().iter().find(|path| path.contains("query=up%7B")).cloned().unwrap();
        windows.push(asked.rsplit_once("%5B").unwrap().1.to_owned());
    }
    assert_eq!(windows, ["60s%5D", "300s%5D", "100s%5D", "15s%5D"]);
    assert_eq!(poller.period(), Duration::from_millis(500));
    assert_eq!(period(None), Duration::from_secs(5));
    assert_eq!(period(Some(Span::seconds(3))), Duration::from_millis(1500));
    assert_eq!(period(Some(Span::seconds(60))), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn gates_are_range_queries_that_end_at_the_sources_now_and_never_begin_before_verified() {
    let gate = |name: &str, queries: &[&str], not_before| GateQuery {
        gate: name.into(),
        queries: queries.iter().map(|q| (*q).to_owned()).collect(),
        window: Span::seconds(60),
        not_before: at(not_before),
    };
    let (client, log) = proxied(|path| {
        if path.contains("query=time%28%29") {
            let scalar = json!({"resultType": "scalar", "result": [1000.5, "1000.5"]});
            return Some((200, json!({"status": "success", "data": scalar}).to_string()));
        }
        let name = if path.contains("query=two") { "two" } else { "other" };
        Some((200, matrix(json!({"name": name}), &[(1, 1.0)])))
    });
    let gates = vec![gate("g", &["one", "two"], 0), gate("young", &["three"], 991), gate("early", &["four"], 2000)];
    let mut poller = Poller::new(request(proxy(), gates), Some(client));
    let now = at(5000);
    let events = poller.poll(now).await;
    let [Event::Metrics(batch), Event::Gates { at, answers }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((*at, batch.at, batch.families.len()), (now, now, Family::ALL.len()));
    let shape: Vec<(&str, usize)> = answers.iter().map(|a| (a.gate.as_str(), a.answers.len())).collect();
    assert_eq!(shape, [("g", 2), ("young", 1), ("early", 1)]);
    let Reading::Value(second) = &answers[0].answers[1] else { panic!("{answers:?}") };
    assert_eq!(second[0].0[0].1, "two");
    let asked: Vec<String> =
        log.lock().unwrap().iter().filter_map(|p| Some(p.split_once("query_range?query=")?.1.to_owned())).collect();
    let expected = [
        "one&start=943&end=1000&step=3",
        "two&start=943&end=1000&step=3",
        "three&start=991&end=1000&step=3",
        "four&start=1000&end=1000&step=3",
    ];
    assert_eq!(asked, expected);
}

#[tokio::test(start_paused = true)]
async fn a_hung_source_is_an_error_after_four_seconds_and_spoils_no_other_answer() {
    let (client, _) = proxied(|path| (!path.contains("query=up%7B")).then(|| (200, matrix(json!({}), &[(1, 1.0)]))));
    let mut poller = Poller::new(request(proxy(), vec![]), Some(client));
    let begun = tokio::time::Instant::now();
    let events = poller.poll(at(100)).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(4));
    let families = &batch(&events).families;
    assert_eq!(families[&Family::Up], Reading::Error("no answer within 4s".into()));
    assert!(matches!(families[&Family::Started], Reading::Value(_)));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_be_used_answers_with_the_reason() {
    for (source, said) in [
        (source(MetricsEndpoint::None), "spec.metrics.source"),
        (proxy(), "no client"),
        (source(MetricsEndpoint::Url("https://".into())), "cannot be used"),
    ] {
        let events = Poller::new(request(source, vec![]), None).poll(at(0)).await;
        let families = &batch(&events).families;
        assert_eq!(families.len(), Family::ALL.len());
        assert!(families.values().all(|r| matches!(r, Reading::Error(why) if why.contains(said))), "{families:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn polling_goes_on_at_its_period_until_the_handle_is_dropped() {
    let (client, log) = proxied(|_| Some((200, matrix(json!({}), &[]))));
    let mut plan = proxy();
    plan.interval = Some(Span::seconds(2));
    let poller = Poller::new(request(plan, vec![]), Some(client));
    let (tx, mut rx) = mpsc::channel(64);
    let (every, hurry) = (poller.period(), crate::cluster::Hurry::default());
    let polling = spawn(poller, every, Arc::new(|| at(7)), hurry.clone(), tx);
    let begun = tokio::time::Instant::now();
    for _ in 0..3 {
        assert!(matches!(rx.recv().await, Some(Event::Metrics(batch)) if batch.at == at(7)));
    }
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
    // Who hurries does not wait for the period's end.
    hurry.up();
    assert!(rx.recv().await.is_some());
    assert_eq!(begun.elapsed(), Duration::from_millis(2500));
    assert_eq!(log.lock().unwrap().len(), 4 * Family::ALL.len());
    drop(polling);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(log.lock().unwrap().len(), 4 * Family::ALL.len());
}

/// A Prometheus on loopback that accepts one token and notes who asked what.
#[derive(Clone)]
struct Server {
    accepted: Arc<Mutex<String>>,
    log: Log,
    reply: Arc<dyn Fn() -> Response + Send + Sync>,
}

async fn serve(accepted: &str, reply: impl Fn() -> Response + Send + Sync + 'static) -> (Server, String) {
    let server =
        Server { accepted: Arc::new(Mutex::new(accepted.to_owned())), log: Log::default(), reply: Arc::new(reply) };
    let handler = |State(server): State<Server>, headers: HeaderMap, RawQuery(query): RawQuery| async move {
        let token = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).unwrap_or("none").to_owned();
        server.log.lock().unwrap().push(format!("{token} {}", query.unwrap_or_default()));
        let accepted = server.accepted.lock().unwrap().clone();
        if token == accepted {
            (server.reply)()
        } else {
            (StatusCode::UNAUTHORIZED, "<html>who?</html>").into_response()
        }
    };
    let app = Router::new()
        .route("/prom/api/v1/query", get(handler))
        .route("/prom/api/v1/query_range", get(handler))
        .with_state(server.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/prom", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (server, url)
}

fn at_url(url: &str, auth: Authentication) -> Prometheus {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Prometheus::new(&MetricsSource { auth, ..source(MetricsEndpoint::Url(url.to_owned())) }, None)
}

/// Keeps an answer as it is.
fn whole(_: usize, series: Vec<LabelledPoints>) -> Vec<LabelledPoints> {
    series
}

fn one() -> Response {
    matrix(json!({}), &[(1, 1.0)]).into_response()
}

#[tokio::test]
async fn a_url_with_a_path_is_asked_with_the_queries_parameters() {
    let (server, url) = serve("none", one).await;
    let mut prometheus = at_url(&url, Authentication::None);
    let range = Question { query: "x + 1".into(), range: Some(Range { start: 10, end: 20, step: 5 }) };
    let answers = prometheus.ask(at(0), &[plain("up"), range], &whole).await;
    assert!(answers.iter().all(|answer| matches!(answer, Reading::Value(_))), "{answers:?}");
    let mut asked = server.log.lock().unwrap().clone();
    asked.sort();
    assert_eq!(asked, ["none query=up", "none query=x+%2B+1&start=10&end=20&step=5"]);
}

#[tokio::test]
async fn a_token_is_fetched_once_per_round_kept_and_renewed_when_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("cd '{}' && echo x >> runs && echo t$(($(wc -l < runs)))", folder.path().display());
    let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
    let (server, url) = serve("Bearer t1", one).await;
    let mut prometheus = at_url(&url, Authentication::Exec { command });
    let questions = [plain("a"), plain("b"), plain("c")];
    for _ in 0..2 {
        let answers = prometheus.ask(at(0), &questions, &whole).await;
        assert!(answers.iter().all(|answer| matches!(answer, Reading::Value(_))), "{answers:?}");
    }
    let runs = || std::fs::read_to_string(folder.path().join("runs")).unwrap().lines().count();
    assert_eq!(runs(), 1);

    "Bearer t2".clone_into(&mut server.accepted.lock().unwrap());
    server.log.lock().unwrap().clear();
    let answers = prometheus.ask(at(0), &questions, &whole).await;
    assert!(answers.iter().all(|answer| matches!(answer, Reading::Value(_))), "{answers:?}");
    assert_eq!(runs(), 2);
    assert_eq!(server.log.lock().unwrap().len(), 6);

    "Bearer never".clone_into(&mut server.accepted.lock().unwrap());
    let answers = prometheus.ask(at(0), &questions, &whole).await;
    assert!(answers.iter().all(|a| matches!(a, Reading::Error(why) if why.starts_with("HTTP 401"))), "{answers:?}");
    assert_eq!(runs(), 3, "one renewal per round");
}

#[tokio::test]
async fn without_a_token_nothing_is_asked_and_the_reason_is_the_answer() {
    let (server, url) = serve("none", one).await;
    let mut prometheus = at_url(&url, Authentication::BearerFile { path: "no/such/file".into() });
    let answers = prometheus.ask(at(0), &[plain("up")], &whole).await;
    assert!(matches!(&answers[0], Reading::Error(why) if why.contains("no/such/file")), "{answers:?}");
    assert!(server.log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_redirect_is_reported_and_the_token_does_not_follow_it() {
    let (server, url) =
        serve("Bearer t", || (StatusCode::FOUND, [(header::LOCATION, "/login?back=secret")]).into_response()).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "t").unwrap();
    let auth = Authentication::BearerFile { path: path.to_str().unwrap().to_owned() };
    let answers = at_url(&url, auth).ask(at(0), &[plain("up")], &whole).await;
    let Reading::Error(why) = &answers[0] else { panic!("{answers:?}") };
    assert!(why.starts_with("HTTP 302: redirected to /login:") && !why.contains("secret"), "{why}");
    assert_eq!(server.log.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_source_that_is_not_there_is_an_error_without_its_url() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://user:secret@{}", listener.local_addr().unwrap());
    drop(listener);
    let answers = at_url(&url, Authentication::None).ask(at(0), &[plain("up")], &whole).await;
    let Reading::Error(why) = &answers[0] else { panic!("{answers:?}") };
    assert_eq!(why, "it cannot be reached: connection refused");
    let answers =
        at_url(&url.replace("http:", "https:"), Authentication::None).ask(at(0), &[plain("up")], &whole).await;
    assert!(matches!(&answers[0], Reading::Error(why) if why.contains("cannot be reached")), "{answers:?}");
}
