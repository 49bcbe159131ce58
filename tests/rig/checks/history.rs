//! The Releases as the API server has them, and where things are found there.

use super::judge::Seen;
use crate::behaviours::rest::Rest;
use crate::cluster::{Cluster, lock};
use crate::load::Load;
use crate::objects::{APP, APP_B, NAMESPACE};
use color_eyre::eyre::{Result, bail};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// The product's own objects.
pub const PILOTHOUSE: &str = "/apis/pilothouse.dev/v1alpha1/namespaces/trackx";

/// The slot that serves and the one that does not: Deployment and Service name, and the version that serves.
pub struct Slots {
    /// Serves.
    pub active: &'static str,
    /// Does not.
    pub idle: &'static str,
    /// What the active slot runs.
    pub old: String,
}

/// Every change of every Release while it is watched, timed by a load.
pub struct History {
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl History {
    /// Begins to watch.
    pub fn watch(rest: &Rest, load: &Load) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (rest, kept, clock) = (rest.clone(), seen.clone(), load.clock());
        let task = tokio::spawn(async move {
            loop {
                let path = format!("{PILOTHOUSE}/releases?watch=true");
                let _ = rest
                    .watch(&path, Duration::from_secs(3600), |event| {
                        let seen = Seen { at: clock.elapsed(), release: event["object"].clone() };
                        lock(&kept).push(seen);
                        false
                    })
                    .await;
            }
        });
        Self { seen, task }
    }

    /// What was seen of a version's Release so far.
    pub fn of(&self, version: &str) -> Vec<Seen> {
        lock(&self.seen).iter().filter(|seen| seen.version() == version).cloned().collect()
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads which slot serves.
pub async fn slots(cluster: &Cluster) -> Result<Slots> {
    let base = cluster.rest.get(&route(APP)).await?.ok()?;
    let weight = |name: &str| {
        let backends = base["spec"]["rules"][0]["backendRefs"].as_array().cloned().unwrap_or_default();
        backends.iter().find(|backend| backend["name"] == name).and_then(|backend| backend["weight"].as_u64())
    };
    let (active, idle) = match (weight(APP), weight(APP_B)) {
        (Some(100), Some(0)) => (APP, APP_B),
        (Some(0), Some(100)) => (APP_B, APP),
        weights => bail!("no slot serves alone: {weights:?}"),
    };
    let deployment = cluster.rest.get(&deployment(active)).await?.ok()?;
    let old = deployment["metadata"]["labels"]["app.kubernetes.io/version"].as_str().unwrap_or_default().to_owned();
    Ok(Slots { active, idle, old })
}

/// Reads a version's Release.
pub async fn find(cluster: &Cluster, version: &str) -> Result<Option<Value>> {
    let list = cluster.rest.get(&format!("{PILOTHOUSE}/releases")).await?.ok()?;
    let mut found = list["items"].as_array().into_iter().flatten();
    Ok(found.find(|release| release["spec"]["version"] == version).cloned())
}

/// Where the routes are.
pub fn routes() -> String {
    format!("/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes")
}

/// Where a route is.
pub fn route(name: &str) -> String {
    format!("{}/{name}", routes())
}

/// Where a Deployment is.
pub fn deployment(name: &str) -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}")
}
