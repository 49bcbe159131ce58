//! The embedded cluster as the real client sees it.

mod clients;
mod objects;
mod patches;
mod served;
mod status;
mod watches;
mod workloads;

use super::{LivePod, Scenario, Sim, SimOptions, Traffic};
use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// A traffic model that only remembers what it is told.
#[derive(Default)]
struct FakeTraffic {
    routes: Mutex<Vec<(Instant, Vec<Value>)>>,
    pods: Mutex<Vec<LivePod>>,
    open: Mutex<BTreeMap<String, u64>>,
    killed: Mutex<Vec<String>>,
    crashed: Mutex<Vec<String>>,
    lag: Mutex<Duration>,
}

impl Traffic for FakeTraffic {
    fn routes(&self, routes: Vec<Value>) {
        self.routes.lock().unwrap().push((Instant::now(), routes));
    }

    fn pods(&self, pods: Vec<LivePod>) {
        *self.pods.lock().unwrap() = pods;
    }

    fn open_work(&self, pod: &str) -> u64 {
        self.open.lock().unwrap().get(pod).copied().unwrap_or(0)
    }

    fn kill(&self, pod: &str) -> u64 {
        self.killed.lock().unwrap().push(pod.to_owned());
        self.open.lock().unwrap().remove(pod).unwrap_or(0)
    }

    fn crashed(&self) -> Vec<String> {
        std::mem::take(&mut *self.crashed.lock().unwrap())
    }

    fn gateway_lag(&self) -> Duration {
        *self.lag.lock().unwrap()
    }

    fn prometheus(&self, path: &str, query: &str) -> (u16, Value) {
        (200, json!({ "status": "success", "data": { "path": path, "query": query } }))
    }
}

/// A cluster with its traffic and a client.
struct Rig {
    sim: Sim,
    traffic: Arc<FakeTraffic>,
    client: kube::Client,
}

fn scenario() -> Scenario {
    toml::from_str("version = 1\ntitle = \"test\"\nseed = 7\n[timing]\ngateway_lag = 2.0\npod_start = 4.0").unwrap()
}

fn rig() -> Rig {
    let traffic = Arc::new(FakeTraffic::default());
    let start = "2026-11-23T10:00:00Z".parse().unwrap();
    let options = SimOptions { token_seed: Some([7; 32]), ..SimOptions::at(start) };
    let sim = Sim::start(&scenario(), traffic.clone(), options).expect("the scenario is accepted");
    let client = sim.client("trackx");
    Rig { sim, traffic, client }
}

impl Rig {
    fn api(&self, kind: &str) -> Api<DynamicObject> {
        api_of(&self.client, kind)
    }

    async fn get(&self, kind: &str, name: &str) -> Value {
        serde_json::to_value(self.api(kind).get(name).await.expect("exists")).unwrap()
    }

    async fn pods(&self, slot: &str) -> Vec<Value> {
        let params = kube::api::ListParams::default().labels(&format!("pilothouse.dev/slot={slot}"));
        let list = self.api("Pod").list(&params).await.unwrap();
        list.items.into_iter().map(|p| serde_json::to_value(p).unwrap()).collect()
    }
}

fn api_of(client: &kube::Client, kind: &str) -> Api<DynamicObject> {
    let (group, version, plural) = match kind {
        "HTTPRoute" => ("gateway.networking.k8s.io", "v1", "httproutes"),
        "Gateway" => ("gateway.networking.k8s.io", "v1", "gateways"),
        "Release" => ("pilothouse.dev", "v1alpha1", "releases"),
        "RolloutPlan" => ("pilothouse.dev", "v1alpha1", "rolloutplans"),
        "Deployment" => ("apps", "v1", "deployments"),
        "ReplicaSet" => ("apps", "v1", "replicasets"),
        "EndpointSlice" => ("discovery.k8s.io", "v1", "endpointslices"),
        "Lease" => ("coordination.k8s.io", "v1", "leases"),
        "Pod" => ("", "v1", "pods"),
        "Service" => ("", "v1", "services"),
        "ConfigMap" => ("", "v1", "configmaps"),
        other => panic!("no kind {other} in the tests"),
    };
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    Api::default_namespaced_with(client.clone(), &resource)
}

/// The Status of a request that must have been refused.
fn refusal<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> kube::core::Status {
    match result.expect_err("refused") {
        kube::Error::Api(status) => *status,
        other => panic!("no Status: {other}"),
    }
}

fn causes(status: &kube::core::Status) -> usize {
    status.details.as_ref().map_or(0, |d| d.causes.len())
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
