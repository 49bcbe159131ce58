//! Controls: what the usual ways to release cut under the load that judges. If the judge saw nothing here it were blind.
//!
//! No console takes part. Transactions last up to 60 s, pods have a grace of 10 s and an application that ends its work
//! at SIGTERM: a rolling update by `kubectl set image`, and a shift of all weights with a fixed wait of 15 s.

use super::figure;
use super::history::{Slots, deployment, route, slots};
use crate::behaviours::rest::Patch;
use crate::cluster::{Cluster, wait};
use crate::load::{Load, Profile};
use crate::objects::{APP, NAMESPACE, REPLICAS};
use crate::record::Record;
use color_eyre::eyre::{Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;

/// The longest transaction.
const LONGEST: Duration = Duration::from_secs(60);

/// Load before the first change: transactions of all ages are open then.
const BEFORE: Duration = Duration::from_secs(20);

/// The fixed wait.
const TIMER: Duration = Duration::from_secs(15);

/// What the last pods cut is written down a moment after their end.
const AFTER: Duration = Duration::from_secs(1);

/// The version of the image; the labels stay, as `set image` leaves them.
const VERSION: &str = "4.11.9";

/// The objects that the controls change, as they were.
pub struct Before {
    slots: Slots,
    base: Value,
    deployments: Vec<Value>,
}

/// Runs both controls under one load and puts everything back.
pub async fn run(cluster: &Cluster) -> Result<()> {
    let before = Before::read(cluster).await?;
    let done = controls(cluster, &before.slots).await;
    before.restore(cluster).await?;
    done
}

async fn controls(cluster: &Cluster, slots: &Slots) -> Result<()> {
    let (active, idle) = (slots.active, slots.idle);
    set_image(cluster, idle).await?;
    scale(cluster, idle, REPLICAS).await?;
    rolled_out(cluster, idle, REPLICAS).await?;
    let load = Load::start(Profile::lasting(LONGEST));
    tokio::time::sleep(BEFORE).await;

    let exits = cluster.kubelet.exits().len();
    let replicas = REPLICAS as usize;
    set_image(cluster, active).await?;
    ended(cluster, exits + replicas).await?;
    rolled_out(cluster, active, REPLICAS).await?;
    tokio::time::sleep(AFTER).await;

    set_weights(cluster, idle, active).await?;
    tokio::time::sleep(TIMER).await;
    let scaled = load.now();
    let open = cluster.kubelet.exits().len();
    scale(cluster, active, 0).await?;
    ended(cluster, open + replicas).await?;
    tokio::time::sleep(AFTER).await;
    load.hang_up();
    let records = load.end().await?;

    let exits = &cluster.kubelet.exits()[exits..];
    let killed = |exits: &[crate::cluster::Exit]| exits.iter().map(|exit| exit.open).sum::<usize>();
    let (by_rolling, by_timer): (Vec<&Record>, Vec<&Record>) =
        records.iter().filter(|record| record.is_cut()).partition(|record| record.end < scaled);
    figure("rig.baseline_transactions", records.len(), "transactions");
    figure("rig.baseline_rolling_update_cut", by_rolling.len(), "transactions");
    figure("rig.baseline_timer_cut", by_timer.len(), "transactions");
    figure("rig.baseline_rolling_update_open_at_kill", killed(&exits[..replicas]), "transactions");
    figure("rig.baseline_timer_open_at_kill", killed(&exits[replicas..]), "transactions");
    for (what, cut) in [("a rolling update", by_rolling), ("a shift with a fixed wait", by_timer)] {
        ensure!(!cut.is_empty(), "the judge saw nothing cut by {what}: it is blind, and its zeros say nothing");
        println!("rig: {what} cut for example {:?}", cut[0]);
    }
    Ok(())
}

impl Before {
    /// Reads it.
    pub async fn read(cluster: &Cluster) -> Result<Self> {
        let slots = slots(cluster).await?;
        let base = cluster.rest.get(&route(APP)).await?.ok()?;
        let mut deployments = Vec::new();
        for name in [slots.active, slots.idle] {
            deployments.push(cluster.rest.get(&deployment(name)).await?.ok()?);
        }
        Ok(Self { slots, base, deployments })
    }

    /// Puts it back: first the pods that are to serve, then the weights, then the other pods.
    pub async fn restore(self, cluster: &Cluster) -> Result<()> {
        let replicas = |deployment: &Value| deployment["spec"]["replicas"].as_u64().unwrap_or(0) as u32;
        let [active, idle] = &self.deployments[..] else { return Ok(()) };
        put_back(cluster, self.slots.active, active).await?;
        rolled_out(cluster, self.slots.active, replicas(active)).await?;
        let rules = json!([{ "op": "replace", "path": "/spec/rules", "value": self.base["spec"]["rules"] }]);
        cluster.rest.patch(&route(APP), Patch::Json, &rules).await?.ok()?;
        tokio::time::sleep(AFTER).await;
        put_back(cluster, self.slots.idle, idle).await?;
        rolled_out(cluster, self.slots.idle, replicas(idle)).await
    }
}

async fn put_back(cluster: &Cluster, name: &str, before: &Value) -> Result<()> {
    let patch = json!([
        { "op": "replace", "path": "/spec/replicas", "value": before["spec"]["replicas"] },
        { "op": "replace", "path": "/spec/template", "value": before["spec"]["template"] },
    ]);
    cluster.rest.patch(&deployment(name), Patch::Json, &patch).await?.ok().map(drop)
}

async fn set_image(cluster: &Cluster, name: &str) -> Result<()> {
    let image = format!("app=registry.example/{name}:{VERSION}");
    cluster.kubectl(&["-n", NAMESPACE, "set", "image", &format!("deployment/{name}"), &image]).await.map(drop)
}

async fn scale(cluster: &Cluster, name: &str, replicas: u32) -> Result<()> {
    let patch = json!({ "spec": { "replicas": replicas } });
    cluster.rest.patch(&deployment(name), Patch::Merge, &patch).await?.ok().map(drop)
}

/// Gives all weight of the base route's slot rules to one backend.
async fn set_weights(cluster: &Cluster, to: &str, from: &str) -> Result<()> {
    let mut rules = cluster.rest.get(&route(APP)).await?.ok()?["spec"]["rules"].clone();
    for rule in rules.as_array_mut().into_iter().flatten() {
        for backend in rule["backendRefs"].as_array_mut().into_iter().flatten() {
            match backend["name"].as_str() {
                Some(name) if name == to => backend["weight"] = json!(100),
                Some(name) if name == from => backend["weight"] = json!(0),
                _ => {}
            }
        }
    }
    let patch = json!([{ "op": "replace", "path": "/spec/rules", "value": rules }]);
    cluster.rest.patch(&route(APP), Patch::Json, &patch).await?.ok().map(drop)
}

/// Waits until a Deployment runs its newest template, and nothing else.
async fn rolled_out(cluster: &Cluster, name: &str, replicas: u32) -> Result<()> {
    wait(&format!("Deployment {name}"), || async {
        let deployment = cluster.rest.get(&deployment(name)).await?.ok()?;
        let (meta, status) = (&deployment["metadata"], &deployment["status"]);
        let count = |what: &str| status[what].as_u64().unwrap_or(0);
        let seen = meta["generation"] == status["observedGeneration"];
        let counts = ["replicas", "updatedReplicas", "readyReplicas"].map(count);
        ensure!(seen && counts == [u64::from(replicas); 3], "it has {counts:?}, not {replicas}");
        Ok(())
    })
    .await
}

/// Waits until so many pods have ended.
async fn ended(cluster: &Cluster, pods: usize) -> Result<()> {
    wait("pods that end", || async {
        let ended = cluster.kubelet.exits().len();
        ensure!(ended >= pods, "{ended} of {pods} have ended");
        Ok(())
    })
    .await
}
