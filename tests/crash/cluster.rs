//! The embedded cluster on loopback, and what must be true of it afterwards.

use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};
use pilothouse::api::{Release, RolloutPlan};
use pilothouse::model::Phase;
use pilothouse::sim::{Disturbance, NAMESPACE, Scenario, Sim, SimOptions, SimTraffic, customer_ids};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const SCENARIO: &str = r#"
version = 1
title = "two rings, one wave each"
seed = 11
[app]
customers = 8
rps = 60.0
replicas = 2
longest = 1.0
websockets = 0
rings = [{ name = "first", customers = 4 }, { name = "rest" }]
[timing]
bake = 1.0
quiet = 1.0
patience = 60.0
settle = 0.5
gate = 3.0
scrape = 0.25
pod_start = 0.3
gateway_lag = 0.05
"#;

/// A running cluster.
pub struct Cluster {
    sim: Sim,
    traffic: Arc<SimTraffic>,
    folder: tempfile::TempDir,
    /// Requests that found no route while the cluster came up.
    early: u64,
}

impl Cluster {
    /// Starts the cluster and lets traffic settle.
    pub async fn start() -> Self {
        let scenario = Scenario::parse(SCENARIO).unwrap();
        let now = jiff::Timestamp::now();
        let traffic = Arc::new(SimTraffic::new(&scenario, customer_ids(&scenario), now));
        let options = SimOptions { token_seed: Some([7; 32]), ..SimOptions::at(now) };
        let sim = Sim::start(&scenario, traffic.clone(), options).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let served = sim.serve(listener).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kubeconfig"), &served.kubeconfig_yaml).unwrap();
        sleep(Duration::from_secs(2)).await;
        let early = traffic.totals().unrouted;
        Self { sim, traffic, folder, early }
    }

    /// Returns the kubeconfig and a folder for everything a console writes.
    pub fn paths(&self) -> (PathBuf, PathBuf) {
        (self.folder.path().join("kubeconfig"), self.folder.path().to_owned())
    }

    /// Makes every write of a route take this long; zero ends it.
    pub fn slow_routes(&self, by: Duration) {
        self.sim.faults().clear();
        if !by.is_zero() {
            self.sim.faults().disturb("PATCH", "httproutes", Disturbance::Slow(by), u32::MAX);
        }
    }

    /// Returns the phase, the wave, and whether the plan is still locked.
    pub async fn stands(&self) -> (Phase, u32, bool) {
        let status = self.release().await.status.unwrap_or_default();
        let plan = self.plans().get("trackx").await.unwrap();
        (status.phase, status.wave, plan.status.is_some_and(|s| s.active_release.is_some()))
    }

    /// Waits until the release is in this phase.
    pub async fn reaches(&self, phase: Phase) {
        let end = Instant::now() + Duration::from_secs(60);
        while self.stands().await.0 != phase {
            assert!(Instant::now() < end, "not {phase} but {:?}", self.stands().await);
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the bake and the gates let the next order through.
    pub async fn ready_for(&self, verb: &str) {
        if matches!(verb, "next" | "promote") && self.stands().await.0 == Phase::Baking {
            sleep(Duration::from_millis(4500)).await;
        }
    }

    /// Requires that the new version serves everybody and nothing is left over.
    pub async fn is_done(&self) {
        self.has_ended(Phase::Done, 0, 2).await;
    }

    /// Requires that the old version serves everybody and nothing is left over.
    pub async fn is_rolled_back(&self) {
        self.has_ended(Phase::RolledBack, 2, 0).await;
    }

    /// Requires that no customer could tell that anything happened.
    pub fn nobody_noticed(&self) {
        let totals = self.traffic.totals();
        assert!(totals.started > 0, "there was no traffic to judge");
        assert_eq!(totals.cut, 0, "transactions were cut: {:?}", totals.cut_by_customer);
        assert_eq!(totals.on_two_versions, 0, "a customer was on two versions at once");
        assert!(totals.unserved.is_empty() && totals.unrouted == self.early, "requests found no pod: {totals:?}");
    }

    async fn has_ended(&self, phase: Phase, a: i64, b: i64) {
        let (found, _, is_locked) = self.stands().await;
        assert_eq!(found, phase);
        assert!(!is_locked, "the plan is still locked");
        let status = self.release().await.status.unwrap_or_default();
        assert!(status.intent.is_none() && status.unresolved.is_empty(), "something is left open");
        assert!(pilothouse::core::is_chained(&status.journal), "the journal's chain is broken");
        let routes = self.objects("gateway.networking.k8s.io", "v1", "HTTPRoute").await;
        let names: Vec<&str> = routes.iter().filter_map(|r| r.metadata.name.as_deref()).collect();
        assert_eq!(names, ["trackx"], "only the team's own route is left");
        let replicas = |name: &str, found: &[DynamicObject]| {
            found
                .iter()
                .find(|d| d.metadata.name.as_deref() == Some(name))
                .and_then(|d| d.data["spec"]["replicas"].as_i64())
        };
        let deployments = self.objects("apps", "v1", "Deployment").await;
        assert_eq!((replicas("trackx", &deployments), replicas("trackx-b", &deployments)), (Some(a), Some(b)));
    }

    async fn release(&self) -> Release {
        let releases: Api<Release> = Api::default_namespaced(self.sim.client(NAMESPACE));
        releases.list(&ListParams::default()).await.unwrap().items.remove(0)
    }

    fn plans(&self) -> Api<RolloutPlan> {
        Api::default_namespaced(self.sim.client(NAMESPACE))
    }

    async fn objects(&self, group: &str, version: &str, kind: &str) -> Vec<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::default_namespaced_with(self.sim.client(NAMESPACE), &resource);
        api.list(&ListParams::default()).await.unwrap().items
    }
}
