//! The Releases as the API server has them, and where things are found there.

use super::judge::Seen;
use super::order::Change;
use crate::behaviours::rest::Rest;
use crate::cluster::{Cluster, lock};
use crate::load::Load;
use crate::objects::{APP, APP_B, NAMESPACE};
use color_eyre::eyre::{Result, bail};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;

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

/// Every change of every Release, route and Deployment while it is watched; Releases are timed by a load.
pub struct History {
    seen: Arc<Mutex<Vec<Seen>>>,
    changes: Arc<Mutex<Vec<Change>>>,
    tasks: JoinSet<()>,
}

impl History {
    /// Begins to watch.
    pub fn watch(rest: &Rest, load: &Load) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let changes: Arc<Mutex<Vec<Change>>> = Arc::default();
        let mut tasks = JoinSet::new();
        let (kept, clock) = (seen.clone(), load.clock());
        tasks.spawn(follow(rest.clone(), format!("{PILOTHOUSE}/releases"), move |event| {
            lock(&kept).push(Seen { at: clock.elapsed(), release: event["object"].clone() });
        }));
        for path in [routes(), deployments()] {
            let kept = changes.clone();
            tasks.spawn(follow(rest.clone(), path, move |event| {
                let deleted = event["type"] == "DELETED";
                lock(&kept).push(Change { deleted, object: event["object"].clone() });
            }));
        }
        Self { seen, changes, tasks }
    }

    /// What was seen of a version's Release so far.
    pub fn of(&self, version: &str) -> Vec<Seen> {
        lock(&self.seen).iter().filter(|seen| seen.version() == version).cloned().collect()
    }

    /// Ends watching and returns what was seen of routes and Deployments.
    pub fn end(mut self) -> Vec<Change> {
        self.tasks.abort_all();
        std::mem::take(&mut *lock(&self.changes))
    }
}

/// Watches a collection for ever; a list from the start is part of each watch.
async fn follow(rest: Rest, path: String, keep: impl Fn(&Value)) {
    loop {
        let path = format!("{path}?watch=true");
        let _ = rest
            .watch(&path, Duration::from_secs(3600), |event| {
                keep(event);
                false
            })
            .await;
        // A watch that ended comes back; one that cannot must not spin.
        tokio::time::sleep(Duration::from_millis(50)).await;
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
    format!("{}/{name}", deployments())
}

fn deployments() -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments")
}
