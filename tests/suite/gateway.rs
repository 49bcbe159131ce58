//! What a start says about Gateways and policies, on the embedded cluster.

use kube::api::{Api, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use pilothouse::cli::Demo;
use pilothouse::cluster::{DriveClient, ReadClient};
use pilothouse::core::{Command, Preview, Setup};
use pilothouse::model::Span;
use pilothouse::runtime::{Engine, Wired};
use pilothouse::sim::{Account, Grant, NAMESPACE, Rights, Scenario};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

fn demo() -> Demo {
    let scenario = Scenario::parse(include_str!("../pty/short.toml")).unwrap();
    Demo::start(&scenario, "2026-05-04T03:00:00Z".parse().unwrap()).unwrap()
}

fn api(demo: &Demo, group: &str, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    Api::default_namespaced_with(demo.sim().client(NAMESPACE), &kind)
}

async fn protect(demo: &Demo, spec: Value) {
    let policies = api(demo, "gateway.envoyproxy.io", "v1alpha1", "SecurityPolicy", "securitypolicies");
    let policy = json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "SecurityPolicy",
        "metadata": { "name": "trackx-jwt" }, "spec": spec,
    });
    policies.create(&PostParams::default(), &serde_json::from_value(policy).unwrap()).await.unwrap();
}

/// Says what a start would do, as somebody who may do this, once the survey has come.
async fn looked(demo: &Demo, rights: Rights) -> Preview {
    let client =
        |rights: &Rights| demo.sim().client_as(Account { user: "dana".into(), rights: rights.clone() }, NAMESPACE);
    let drive = DriveClient::from_client(client(&Rights::All), NAMESPACE);
    let read = ReadClient::from_client(client(&rights), NAMESPACE);
    let setup =
        Setup { namespace: NAMESPACE.into(), person: "dana@test".into(), session: "1".repeat(16), ..Setup::default() };
    let links = Arc::new(Wired::new(read, Some(drive), None, demo.clock()));
    let mut engine = Engine::open(setup, demo.clock(), links);
    let start = Command::Start { release: None, version: Some("4.12.0".into()), image: None, commit: None };
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        engine.survey(Span::seconds(30));
        let preview = engine.preview(&start);
        let waits = |rule: &str| ["guard.", "survey.", "metrics."].iter().any(|early| rule.starts_with(early));
        if engine.has_heard_all() && !preview.refusals.iter().any(|refusal| waits(&refusal.rule)) {
            return preview;
        }
        assert!(timeout_at(end, engine.step()).await.is_ok(), "no complete picture: {:?}", preview.refusals);
    }
}

fn route() -> Value {
    json!({ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "trackx" })
}

fn texts(preview: &Preview) -> Vec<&str> {
    preview.refusals.iter().map(|refusal| refusal.text.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_policy_on_the_base_route_by_name_refuses_the_start() {
    let demo = demo();
    protect(&demo, json!({ "targetRefs": [route()] })).await;
    assert_eq!(
        texts(&looked(&demo, Rights::All).await),
        [
            "SecurityPolicy trackx-jwt protects route trackx only; managed routes would be unprotected. Target it by label pilothouse.dev/base: trackx, or attach it to the Gateway."
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_selects_the_managed_routes_as_well_lets_it_go() {
    let demo = demo();
    let selector = json!({ "kind": "HTTPRoute", "matchLabels": { "pilothouse.dev/base": "trackx" } });
    protect(&demo, json!({ "targetRefs": [route()], "targetSelectors": [selector] })).await;
    let preview = looked(&demo, Rights::All).await;
    assert_eq!(texts(&preview), [""; 0]);
    let said: Vec<&str> = preview
        .facts
        .iter()
        .filter(|f| ["note", "warning"].contains(&f.label.as_str()))
        .map(|f| f.text.as_str())
        .collect();
    assert!(!said.iter().any(|text| text.contains("Gateway") || text.contains("polic")), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_role_may_not_list_is_said_to_be_not_checked_and_does_not_stop_it() {
    let demo = demo();
    let seen = [
        "rolloutplans",
        "releases",
        "httproutes",
        "gateways",
        "services",
        "pods",
        "deployments",
        "endpointslices",
        "horizontalpodautoscalers",
        "leases",
        "configmaps",
        "services/proxy",
    ];
    let verbs = ["get", "list", "watch"].map(str::to_owned).to_vec();
    let grant = Grant { verbs, resources: seen.map(str::to_owned).to_vec() };
    let preview = looked(&demo, Rights::Only(vec![grant])).await;
    assert_eq!(texts(&preview), [""; 0]);
    let notes: Vec<&str> = preview.facts.iter().filter(|f| f.label == "note").map(|f| f.text.as_str()).collect();
    for part in [
        "GatewayClass embedded is not checked",
        "policies of kind BackendTrafficPolicy, SecurityPolicy in namespace trackx are not checked",
        "your role may not list CustomResourceDefinitions",
    ] {
        assert!(notes.iter().any(|note| note.contains(part)), "{part}: {notes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_is_gone_refuses_the_start() {
    let demo = demo();
    let gateways = api(&demo, "gateway.networking.k8s.io", "v1", "Gateway", "gateways");
    gateways.delete("web", &kube::api::DeleteParams::default()).await.unwrap();
    let preview = looked(&demo, Rights::All).await;
    assert!(
        texts(&preview).contains(&"Gateway web, which HTTPRoute trackx names as its parent, does not exist: create it, or remove it from spec.parentRefs"),
        "{preview:?}"
    );
}
