//! The cluster without the console: a rollout, a weight flip under load, metrics, and a killed pod.

use crate::behaviours::rest::Patch;
use crate::cluster::{Cluster, PROMETHEUS, get, wait};
use crate::load::{Load, Profile};
use crate::objects::{APP, APP_B, NAMESPACE, OLD, REPLICAS};
use crate::record::Record;
use color_eyre::eyre::{Result, ensure, eyre};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// The version this part brings into slot b.
const NEW: &str = "4.11.9";

/// How long a route that was written may still be followed as it was before.
const SETTLES: Duration = Duration::from_secs(3);

/// Rolls slot b out, flips the base route there and back under load, and leaves the cluster as it was.
pub async fn run(cluster: &Cluster) -> Result<()> {
    let load = Load::start(Profile::steady());
    roll_out(cluster).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    flip(cluster, 0, 100).await?;
    // A request that was begun on the old version ends there; only starts count.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let on_new = load.now();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let off_new = load.now();
    metrics(cluster).await?;
    clear(cluster).await?;
    let records = load.end().await?;
    let cut: Vec<&Record> = records.iter().filter(|record| record.is_cut()).collect();
    ensure!(cut.is_empty(), "{} of {} transactions were cut, the first: {:?}", cut.len(), records.len(), cut.first());
    let seen = |from: Duration, to: Duration| -> BTreeSet<&str> {
        records
            .iter()
            .filter(|record| record.on_slots() && record.start >= from && record.start < to)
            .map(|record| record.version.as_str())
            .collect()
    };
    ensure!(seen(on_new, off_new) == BTreeSet::from([NEW]), "after the flip: {:?}", seen(on_new, off_new));
    ensure!(seen(Duration::ZERO, Duration::from_secs(1)) == BTreeSet::from([OLD]), "before the flip");
    ensure!(cluster.kubelet.exits().iter().all(|exit| exit.open == 0), "a pod ended with work in flight");
    Ok(())
}

/// Brings a version into slot b and waits until it is ready.
pub(super) async fn roll_out(cluster: &Cluster) -> Result<()> {
    let patch = json!({
        "metadata": { "labels": { "app.kubernetes.io/version": NEW } },
        "spec": {
            "replicas": REPLICAS,
            "template": {
                "metadata": { "labels": { "app.kubernetes.io/version": NEW } },
                "spec": { "containers": [{ "name": "app", "image": format!("registry.example/app:{NEW}") }] },
            },
        },
    });
    cluster.rest.patch(&deployment(APP_B), Patch::Strategic, &patch).await?.ok()?;
    cluster.kubectl(&["-n", NAMESPACE, "rollout", "status", &format!("deployment/{APP_B}"), "--timeout=30s"]).await?;
    Ok(())
}

/// Gives slot a all traffic, and slot b no pods as soon as nothing begins or is open there.
pub(super) async fn clear(cluster: &Cluster) -> Result<()> {
    flip(cluster, 100, 0).await?;
    tokio::time::sleep(SETTLES).await;
    wait("slot b without open transactions", || async {
        let open = cluster.kubelet.open(NEW);
        ensure!(open == 0, "{open} are open");
        Ok(())
    })
    .await?;
    scale(cluster, APP_B, 0).await?;
    wait("slot b without pods", || async {
        let pods =
            cluster.rest.get(&format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app%3D{APP_B}")).await?;
        ensure!(pods.ok()?["items"].as_array().is_some_and(Vec::is_empty), "pods are left");
        Ok(())
    })
    .await
}

/// Sets the replicas of a Deployment.
async fn scale(cluster: &Cluster, name: &str, replicas: u32) -> Result<()> {
    let patch = json!([{ "op": "replace", "path": "/spec/replicas", "value": replicas }]);
    cluster.rest.patch(&deployment(name), Patch::Json, &patch).await?.ok()?;
    Ok(())
}

/// Sets the weights of both slots in the rules of the base route.
pub(super) async fn flip(cluster: &Cluster, a: u32, b: u32) -> Result<()> {
    let path = format!("/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes/{APP}");
    let patch: Vec<Value> = [0, 1]
        .iter()
        .flat_map(|rule| [(rule, 0, a), (rule, 1, b)])
        .map(|(rule, backend, weight)| {
            json!({ "op": "replace", "path": format!("/spec/rules/{rule}/backendRefs/{backend}/weight"), "value": weight })
        })
        .collect();
    cluster.rest.patch(&path, Patch::Json, &json!(patch)).await?.ok()?;
    Ok(())
}

/// Prometheus has every metric of the profile, with the labels the console asks for.
///
/// All traffic goes to slot b by now: only there is work open for certain, and a customer without any has no series.
async fn metrics(cluster: &Cluster) -> Result<()> {
    for query in [
        "app_requests_started_total{slot=\"b\",customer=\"acme\"}",
        "app_requests_total{slot=\"b\",code=\"200\"}",
        "app_request_duration_seconds_bucket{slot=\"b\",le=\"+Inf\"}",
        "app_inflight{slot=\"b\",kind=\"job\"}",
        "app_inflight{namespace=\"trackx\",kind=\"ws\"}",
        "app_oldest_transaction_age_seconds{slot=\"a\"}",
        "app_inflight_by_customer{slot=\"b\"}",
    ] {
        wait(query, || async {
            let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let answer: Value =
                serde_json::from_str(&get(PROMETHEUS, &format!("/api/v1/query?query={encoded}")).await?)?;
            let found = answer["data"]["result"].as_array().is_some_and(|series| !series.is_empty());
            found.then_some(()).ok_or_else(|| eyre!("no series"))
        })
        .await?;
    }
    cluster.supervisor.note("every metric of the profile was seen");
    Ok(())
}

fn deployment(name: &str) -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}")
}
