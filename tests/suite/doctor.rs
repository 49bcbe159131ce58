//! `doctor` on the embedded cluster, on one with nothing installed, and on none.

use crate::stage::shipped;
use http::{Request, Response};
use kube::client::Body;
use pilothouse::cli::{Answers, Area, Around, Code, Demo, NoCluster, Patient, Report, State, carry_out, examine, json};
use pilothouse::cluster::{Clock, ReadClient, ReviewClient};
use pilothouse::core::{Command, Setup};
use pilothouse::model::Finding;
use pilothouse::runtime::{Engine, Wired};
use pilothouse::sim::NAMESPACE;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

type Log = Arc<Mutex<Vec<String>>>;

/// A client that notes what it sends.
fn noting(client: kube::Client, log: &Log) -> kube::Client {
    let log = log.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        log.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
        let client = client.clone();
        async move { client.send(request).await }
    });
    kube::Client::new(service, NAMESPACE)
}

fn patient(client: kube::Client, clock: Clock) -> Patient {
    let read = ReadClient::from_client(client.clone(), NAMESPACE);
    let setup = Setup {
        namespace: NAMESPACE.into(),
        cluster: "demo".into(),
        person: "doctor@test".into(),
        session: "00000000000000dd".into(),
        watch: true,
        ..Setup::default()
    };
    Patient {
        server: "https://cluster.example/".into(),
        setup,
        links: Arc::new(Wired::new(read.clone(), None, None, clock.clone())),
        read,
        reviews: ReviewClient::from_client(client, NAMESPACE),
        login: None,
        clock,
    }
}

fn around() -> Around {
    Around { term: Some("xterm".into()), size: Some((80, 24)), is_utf8: true, ..Around::default() }
}

fn demo() -> Demo {
    Demo::start(&shipped("good"), "2026-05-04T03:00:00Z".parse().unwrap()).unwrap()
}

async fn report(client: kube::Client, clock: Clock) -> Report {
    examine(&around(), Ok(patient(client, clock)), &CancellationToken::new()).await
}

fn said(report: &Report, state: State) -> Vec<&str> {
    report.lines.iter().filter(|line| line.state == state).map(|line| line.text.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_ready_for_a_release_is_well_and_only_looked_at() {
    let demo = demo();
    let log = Log::default();
    let report = report(noting(demo.sim().client(NAMESPACE), &log), demo.clock()).await;
    let text = report.text();
    assert_eq!(said(&report, State::Refused), [""; 0], "{text}");
    assert_eq!(said(&report, State::Unknown), [""; 0], "{text}");
    assert_eq!(report.code(), Code::Ok);
    assert_eq!(report.next, "pilothouse start 4.12.0 starts the proposed release");
    for area in
        [Area::Terminal, Area::Cluster, Area::Crds, Area::Plan, Area::Rights, Area::Slots, Area::Routes, Area::Metrics]
    {
        assert!(report.lines.iter().any(|line| line.area == area && line.state == State::Ok), "{area:?} in {text}");
    }
    assert!(text.contains("app_inflight: ") && text.contains("you may do 12 of the 12 writes of a release"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80 || !line.trim().contains(' ')), "{text}");
    let sent = log.lock().unwrap();
    assert!(sent.len() > 20, "{sent:?}");
    let is_harmless = |line: &&String| line.starts_with("GET ") || line.contains("/selfsubject");
    assert_eq!(sent.iter().filter(|line| !is_harmless(line)).collect::<Vec<_>>(), [""; 0]);
    let value: Value = serde_json::from_str(&json(&report).unwrap()).unwrap();
    assert_eq!((&value["lines"][0]["area"], &value["lines"][0]["state"]), (&json!("terminal"), &json!("ok")));
}

#[tokio::test(start_paused = true)]
async fn what_a_start_would_refuse_is_refused_here_with_the_same_sentence() {
    let demo = demo();
    let deployments: kube::Api<kube::core::DynamicObject> = kube::Api::namespaced_with(
        demo.sim().client(NAMESPACE),
        NAMESPACE,
        &kube::core::ApiResource {
            group: "apps".into(),
            version: "v1".into(),
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            plural: "deployments".into(),
        },
    );
    let paused = kube::api::Patch::Merge(json!({ "spec": { "paused": true } }));
    deployments.patch("trackx-b", &kube::api::PatchParams::default(), &paused).await.unwrap();
    let report = report(demo.sim().client(NAMESPACE), demo.clock()).await;
    let expected = "Deployment trackx-b of slot b is paused, so the new version would never come up there: kubectl rollout resume deployment trackx-b";
    assert_eq!(said(&report, State::Refused), [expected], "{}", report.text());
    assert_eq!(report.code(), Code::Refused);
    assert_eq!(report.next, "mend what is refused above under slots, then run pilothouse doctor again");

    let (setup, links) = demo.console("shell@test".into(), "0000000000000001".into(), false);
    let mut engine = Engine::open(setup, demo.clock(), links);
    let start = Command::Start { release: None, version: Some("4.12.0".into()), image: None, commit: None };
    let mut out = Vec::new();
    let end = carry_out(&mut engine, start, &Answers::default(), &CancellationToken::new(), &mut out).await;
    assert_eq!(end.unwrap_err().text, format!("refused: {expected}"));
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("note: no PodDisruptionBudget covers slot a"), "what does not refuse is said, too: {out}");
}

#[tokio::test(start_paused = true)]
async fn while_a_release_is_under_way_another_start_is_not_judged() {
    let demo = demo();
    let (setup, links) = demo.console("shell@test".into(), "0000000000000001".into(), false);
    let mut engine = Engine::open(setup, demo.clock(), links);
    let start = Command::Start { release: None, version: Some("4.12.0".into()), image: None, commit: None };
    let answers = Answers { yes: Some("4.12.0".into()), take: None };
    carry_out(&mut engine, start, &answers, &CancellationToken::new(), &mut Vec::new()).await.unwrap();
    engine.leave().await;
    let report = report(demo.sim().client(NAMESPACE), demo.clock()).await;
    let text = report.text();
    let expected =
        "release trackx-4-12-0 is under way in phase READY: what speaks against another start is not judged now";
    assert!(said(&report, State::Note).contains(&expected), "{text}");
    assert_eq!(
        (report.code(), report.next.as_str()),
        (Code::Ok, "pilothouse status says where the release under way stands")
    );

    let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::default_namespaced(demo.sim().client(NAMESPACE));
    maps.delete("trackx-customers", &kube::api::DeleteParams::default()).await.unwrap();
    let report = self::report(demo.sim().client(NAMESPACE), demo.clock()).await;
    let gone = "ConfigMap trackx-customers, where the customers are to be listed, does not exist: create it; release trackx-4-12-0 goes on with the customers of its start";
    assert!(said(&report, State::Warn).contains(&gone), "{}", report.text());
}

#[tokio::test(start_paused = true)]
async fn a_cluster_with_nothing_installed_is_told_the_first_step() {
    let service = tower::service_fn(|request: Request<Body>| async move {
        let (status, body) = match request.uri().path() {
            "/version" => (200, json!({ "gitVersion": "v1.37.2" })),
            path if path.ends_with("/deployments") || path.ends_with("/httproutes") => (200, json!({ "items": [] })),
            _ => (
                404,
                json!({ "kind": "Status", "code": 404, "reason": "NotFound", "message": "the server could not find the requested resource" }),
            ),
        };
        let response = Response::builder().status(status).body(Body::from(body.to_string().into_bytes()));
        Ok::<_, std::convert::Infallible>(response.unwrap())
    });
    let demo = demo();
    let report = report(kube::Client::new(service, NAMESPACE), demo.clock()).await;
    assert_eq!(
        said(&report, State::Refused),
        [
            "the API server does not know rolloutplans and releases of pilothouse.dev/v1alpha1: kubectl apply -f 10-crds-rbac.yaml",
            "HTTPRoute gateway.networking.k8s.io/v1 is missing: install it with the gateway controller"
        ]
    );
    assert!(report.next.starts_with("kubectl apply -f 10-crds-rbac.yaml (pilothouse init "), "{}", report.next);
    assert_eq!(report.code(), Code::Refused);
}

#[tokio::test(start_paused = true)]
async fn without_a_cluster_it_says_why_and_that_this_is_not_known() {
    let why = "failed to find a cluster: there is no kubeconfig (looked at nowhere)";
    let report = examine(&around(), Err(NoCluster::Unknown(why.into())), &CancellationToken::new()).await;
    assert_eq!(said(&report, State::Unknown), [why]);
    assert_eq!(report.code(), Code::Unknown);
    assert_eq!(
        report.next,
        "log in to the cluster, then run pilothouse doctor again; pilothouse demo needs no cluster"
    );
    let around = Around { mistakes: vec![Finding::refuse("config.unknown", "x")], ..around() };
    let report = examine(&around, Err(NoCluster::Unknown(why.into())), &CancellationToken::new()).await;
    assert_eq!((report.code(), said(&report, State::Refused)), (Code::Refused, vec!["x"]));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_named_wrongly_is_refused_and_no_login_is_advised() {
    let why = "failed to find a cluster: the kubeconfig has no context \"qa\": name one of [prod] with --context";
    let report = examine(&around(), Err(NoCluster::Wrong(why.into())), &CancellationToken::new()).await;
    assert_eq!((report.code(), said(&report, State::Refused)), (Code::Refused, vec![why]));
    assert!(
        report.next.starts_with("name a context and a kubeconfig that are there") && !report.next.contains("log in"),
        "{}",
        report.next
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_lets_nobody_in_has_answered() {
    for (status, expected, next) in [
        (
            401,
            "answers, and does not let us in (it does not accept our credentials: log in again)",
            "log in to the cluster",
        ),
        (403, "answers, and does not let us in (dana may not)", "ask for the role pilothouse-viewer"),
    ] {
        let service = tower::service_fn(move |_: Request<Body>| async move {
            let body = json!({ "kind": "Status", "code": status, "reason": "x", "message": "dana may not" });
            let response = Response::builder().status(status).body(Body::from(body.to_string().into_bytes()));
            Ok::<_, std::convert::Infallible>(response.unwrap())
        });
        let report = report(kube::Client::new(service, NAMESPACE), demo().clock()).await;
        let unknown = said(&report, State::Unknown);
        assert!(unknown.len() == 1 && unknown[0].ends_with(expected), "{unknown:?}");
        assert_eq!(report.code(), Code::Unknown);
        assert!(report.next.starts_with(next), "{}", report.next);
    }
}
