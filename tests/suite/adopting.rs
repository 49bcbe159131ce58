//! Adoption from end to end on the embedded cluster: one Deployment under traffic, the files of `init` applied in their
//! order, then a release by keys that starts from a slot a whose pods know nothing of slots.

use crate::robot::Robot;
use crate::stage::Stage;
use http::Request;
use pilothouse::api::{Adopt, Adoption};
use pilothouse::cli::{Code, init};
use pilothouse::cluster::ReadClient;
use pilothouse::model::parse_customers;
use pilothouse::sim::{NAMESPACE, Scenario, customer_ids};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

/// What somebody else sees of the cluster: its API.
struct Bench {
    client: kube::Client,
}

impl Bench {
    async fn send(&self, method: &str, path: &str, kind: &str, body: &Value) -> Value {
        let request = Request::builder().method(method).uri(path).header("content-type", kind);
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let what = format!("{method} {path}");
        self.client.request(request.body(body).unwrap()).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    async fn delete(&self, path: &str) {
        self.send("DELETE", path, "application/json", &Value::Null).await;
    }

    async fn create(&self, path: &str, object: &Value) {
        self.send("POST", path, "application/json", object).await;
    }

    async fn patch(&self, path: &str, ops: &Value) {
        self.send("PATCH", path, "application/json-patch+json", ops).await;
    }

    /// Applies a file as kubectl does: each document is created, or is there already as it is.
    async fn apply(&self, text: &str) {
        for document in text.split("---\n") {
            let object: Value = serde_saphyr::from_str(document).unwrap();
            let Some(path) = collection(&object) else { continue };
            self.create(&path, &object).await;
        }
    }
}

/// Where an object is created; `None` for rights, which the embedded cluster does not keep, and for definitions it has.
fn collection(object: &Value) -> Option<String> {
    let (group, plural) = match object["kind"].as_str()? {
        "Deployment" => ("apis/apps/v1", "deployments"),
        "Service" => ("api/v1", "services"),
        "ConfigMap" => ("api/v1", "configmaps"),
        "PodDisruptionBudget" => ("apis/policy/v1", "poddisruptionbudgets"),
        "RolloutPlan" => ("apis/pilothouse.dev/v1alpha1", "rolloutplans"),
        "Role" | "ClusterRole" | "CustomResourceDefinition" => return None,
        other => panic!("no path is known for {other}"),
    };
    Some(format!("/{group}/namespaces/{NAMESPACE}/{plural}"))
}

const ROUTE: &str = "/apis/gateway.networking.k8s.io/v1/namespaces/trackx/httproutes/trackx";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/trackx/deployments";
const SERVICES: &str = "/api/v1/namespaces/trackx/services";

/// Makes the demo's cluster one that has never heard of pilothouse: one Deployment, one Service, one backend per rule.
async fn plain(stage: &Stage) -> Bench {
    let bench = Bench { client: stage.demo.sim().client(NAMESPACE) };
    for path in [
        "/apis/pilothouse.dev/v1alpha1/namespaces/trackx/releases/trackx-4-12-0",
        "/apis/pilothouse.dev/v1alpha1/namespaces/trackx/rolloutplans/trackx",
        "/api/v1/namespaces/trackx/configmaps/trackx-customers",
        &format!("{DEPLOYMENTS}/trackx-b"),
        &format!("{SERVICES}/trackx-b"),
    ] {
        bench.delete(path).await;
    }
    let alone = [0, 1].map(|rule| json!({ "op": "remove", "path": format!("/spec/rules/{rule}/backendRefs/1") }));
    bench.patch(ROUTE, &json!(alone)).await;
    let live = bench.send("GET", &format!("{DEPLOYMENTS}/trackx"), "application/json", &Value::Null).await;
    let labels = json!({ "app": "trackx" });
    let mut template = live["spec"]["template"].clone();
    template["metadata"]["labels"] = labels.clone();
    let spec = json!({ "replicas": 2, "selector": { "matchLabels": labels }, "template": template });
    bench.delete(&format!("{DEPLOYMENTS}/trackx")).await;
    bench.create(DEPLOYMENTS, &json!({ "metadata": { "name": "trackx" }, "spec": spec })).await;
    bench
        .patch(&format!("{SERVICES}/trackx"), &json!([{ "op": "replace", "path": "/spec/selector", "value": labels }]))
        .await;
    let budget = json!({ "metadata": { "name": "trackx" }, "spec": { "maxUnavailable": 1, "selector": { "matchLabels": labels } } });
    bench.create("/apis/policy/v1/namespaces/trackx/poddisruptionbudgets", &budget).await;
    sleep(Duration::from_secs(60)).await;
    bench
}

fn short() -> Scenario {
    Scenario::parse(include_str!("../pty/short.toml")).unwrap()
}

fn ask() -> Adopt {
    let tier = |number: usize| if number < 2 { "internal" } else { "gold" };
    let ids = customer_ids(&short());
    let list: Vec<Value> = ids.iter().enumerate().map(|(n, id)| json!({ "id": id, "tier": tier(n) })).collect();
    Adopt {
        namespace: NAMESPACE.into(),
        plan: "trackx".into(),
        deployment: "trackx".into(),
        service: "trackx".into(),
        route: "trackx".into(),
        header: "x-customer-id".into(),
        customers: Some(parse_customers("list", &serde_json::to_string(&list).unwrap()).unwrap()),
        metrics_url: None,
        metrics_service: None,
    }
}

async fn adoption(stage: &Stage, ask: &Adopt) -> Result<Adoption, pilothouse::cli::Failure> {
    let client = ReadClient::from_client(stage.demo.sim().client(NAMESPACE), NAMESPACE);
    init(&client, ask).await
}

/// A plan's figures for a release of a minute, as a person would set them for a stage.
fn hurried(plan: &str) -> String {
    let mut text = plan.to_owned();
    for (from, to) in [
        ("bake: 10m", "bake: 2s"),
        ("bake: 15m", "bake: 2s"),
        ("bake: 30m", "bake: 2s"),
        ("for: 5m, minRequests: 100", "for: 3s, minRequests: 5"),
        ("max: 500ms, for: 5m", "max: 500ms, for: 3s"),
        ("quiet: 30s", "quiet: 4s"),
        ("promote:", "settle: 1s\n  promote:"),
        ("profile: app", "interval: 1s\n    profile: app"),
    ] {
        assert!(text.contains(from), "{from:?} is not in the plan:\n{text}");
        text = text.replace(from, to);
    }
    text
}

#[tokio::test(start_paused = true)]
async fn what_init_prints_makes_todays_cluster_ready_for_a_release_and_cuts_nothing() {
    let stage = Stage::open(&short(), (100, 30), false);
    let bench = plain(&stage).await;
    let before = stage.demo.traffic().totals();
    let pods = |list: &Value| -> Vec<String> {
        list["items"].as_array().unwrap().iter().map(|pod| pod["metadata"]["uid"].to_string()).collect()
    };
    let all = "/api/v1/namespaces/trackx/pods?labelSelector=app%3Dtrackx";
    let running = pods(&bench.send("GET", all, "application/json", &Value::Null).await);
    let writes = stage.demo.sim().faults().writes().len();

    let adoption = adoption(&stage, &ask()).await.unwrap();
    assert_eq!(stage.demo.sim().faults().writes().len(), writes, "init only reads");
    for file in &adoption.files {
        match file.name {
            "30-route.patch.json" => bench.patch(ROUTE, &serde_json::from_str(&file.text).unwrap()).await,
            "50-plan.yaml" => bench.apply(&hurried(&file.text)).await,
            name if name.ends_with(".yaml") => bench.apply(&file.text).await,
            _ => {}
        }
        sleep(Duration::from_secs(5)).await;
    }
    let version = adoption.open.iter().find(|one| one.check == "adopt.no-version").expect("it has no version label");
    assert!(version.text.contains("app.kubernetes.io/version=4.11.8"), "{}", version.text);
    let label =
        json!([{ "op": "add", "path": "/metadata/labels", "value": { "app.kubernetes.io/version": "4.11.8" } }]);
    bench.patch(&format!("{DEPLOYMENTS}/trackx"), &label).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(pods(&bench.send("GET", all, "application/json", &Value::Null).await), running, "no pod was restarted");

    let mut robot = Robot::new("4.12.0", None);
    stage.play(&mut robot, Duration::from_secs(1200)).await;
    assert!(robot.refusals.is_empty(), "{:?}\n{}", robot.refusals, stage.screen());
    assert!(robot.waves >= 3, "{}", robot.waves);
    let mut robot = Robot::new("4.13.0", None);
    stage.play(&mut robot, Duration::from_secs(1200)).await;
    assert!(robot.refusals.is_empty(), "{:?}\n{}", robot.refusals, stage.screen());

    let after = stage.demo.traffic().totals();
    assert!(after.started > before.started + 1000, "there was traffic");
    assert_eq!((after.cut, after.on_two_versions), (before.cut, before.on_two_versions));
    assert_eq!((&after.unserved, after.unrouted), (&before.unserved, before.unrouted));
    let template = bench.send("GET", &format!("{DEPLOYMENTS}/trackx"), "application/json", &Value::Null).await;
    let labels = &template["spec"]["template"]["metadata"]["labels"];
    assert_eq!(labels["pilothouse.dev/slot"], "a", "with its next version slot a says what it is");
    assert_eq!(labels["app.kubernetes.io/version"], "4.13.0");
}

#[tokio::test(start_paused = true)]
async fn names_that_do_not_fit_are_refused_at_once_and_nothing_is_written() {
    let stage = Stage::open(&short(), (80, 24), true);
    let writes = stage.demo.sim().faults().writes().len();
    let ask = Adopt { deployment: "trackx-assets".into(), ..ask() };
    let refused = adoption(&stage, &ask).await.unwrap_err();
    assert_eq!(refused.code, Code::Refused);
    assert!(refused.text.contains("Service trackx does not select the pods of Deployment trackx-assets"), "{refused}");
    assert_eq!(stage.demo.sim().faults().writes().len(), writes);
}
