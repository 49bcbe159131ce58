//! Install and removal of customers' routes: at once, as one would write it down, and in two moves, as the console does.
//!
//! One load of short requests judges both. The errors of the first way are printed and not asserted, because they fall
//! into the milliseconds in which the gateway has a route and not yet its backend.

use super::baseline::Before;
use super::figure;
use super::history::{Slots, find, route, routes, slots};
use super::left::MANAGED;
use crate::cluster::Cluster;
use crate::load::{Load, Profile};
use crate::objects::{APP, CUSTOMERS, HOST, NAMESPACE};
use crate::record::Record;
use color_eyre::eyre::{Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;

/// How often routes are made and deleted at once.
const NAIVE: usize = 8;

/// How often the console installs and removes its own.
const OURS: usize = 2;

/// How many routes hold the customers of a cycle; one holds 128 matches at most, and a rule 64.
const ROUTES: usize = 4;

/// The pause between creation and removal, and between cycles.
const PAUSE: Duration = Duration::from_secs(1);

/// Makes and deletes routes in both ways under one load.
pub async fn run(cluster: &Cluster) -> Result<()> {
    let before = Before::read(cluster).await?;
    let done = both(cluster).await;
    before.restore(cluster).await?;
    done
}

async fn both(cluster: &Cluster) -> Result<()> {
    let slots = slots(cluster).await?;
    let load = Load::start(Profile {
        rate: 250,
        durations: (Duration::from_millis(2), Duration::from_millis(20)),
        streams: 0,
        sockets: 0,
        seed: 31,
        ..Profile::steady()
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    let naive = naive(cluster, &slots).await;
    tokio::time::sleep(PAUSE).await;
    let turn = load.now();
    let ours = match &naive {
        Ok(()) => ours(cluster).await,
        Err(_) => Ok(()),
    };
    tokio::time::sleep(PAUSE).await;
    let records = load.end().await?;
    naive?;
    ours?;

    let (before, after): (Vec<&Record>, Vec<&Record>) = records.iter().partition(|record| record.start < turn);
    let cut = |records: &[&Record]| records.iter().filter(|record| record.is_cut()).count();
    figure("rig.baseline_naive_install_errors", cut(&before), format!("transactions_in_{NAIVE}_installs").as_str());
    figure("rig.baseline_naive_install_transactions", before.len(), "transactions");
    figure("rig.install_errors", cut(&after), format!("transactions_in_{OURS}_installs").as_str());
    figure("rig.install_transactions", after.len(), "transactions");
    if let Some(first) = before.iter().find(|record| record.is_cut()) {
        println!("rig: a route made at once cost for example {first:?}");
    }
    let first = after.iter().find(|record| record.is_cut());
    ensure!(first.is_none(), "{} transactions were cut by an install in two moves, the first: {first:?}", cut(&after));
    Ok(())
}

/// Creates the routes with their customers, and deletes them with their customers.
async fn naive(cluster: &Cluster, slots: &Slots) -> Result<()> {
    let base = cluster.rest.get(&route(APP)).await?.ok()?;
    for _ in 0..NAIVE {
        let all: Vec<Value> = (0..ROUTES).map(|at| managed(&base, slots, at)).collect();
        let place = routes();
        let posts = all.iter().map(|one| cluster.rest.post(&place, one));
        for answer in futures::future::try_join_all(posts).await? {
            answer.ok()?;
        }
        tokio::time::sleep(PAUSE).await;
        let places: Vec<String> = (0..ROUTES).map(|at| route(&name(at))).collect();
        let deletes = places.iter().map(|place| cluster.rest.delete(place, &Value::Null));
        for answer in futures::future::try_join_all(deletes).await? {
            answer.ok()?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Starts releases that move nobody, and rolls them back.
async fn ours(cluster: &Cluster) -> Result<()> {
    for cycle in 0..OURS {
        let version = format!("4.30.{cycle}");
        let start = ["start", &version, "--yes", &version].map(str::to_owned);
        pilothouse(cluster, &start).await?;
        let armed = cluster.rest.get(&format!("{}?labelSelector={MANAGED}", routes())).await?.ok()?;
        let installed = armed["items"].as_array().map_or(0, Vec::len);
        ensure!(installed > 0, "the console installed no route");
        pilothouse(cluster, &["rollback".into(), "the install was all that was wanted".into()]).await?;
        let release = find(cluster, &version).await?;
        let phase = release.as_ref().and_then(|release| release["status"]["phase"].as_str());
        ensure!(phase == Some("RolledBack"), "the release of {version} is {phase:?} after its rollback");
    }
    Ok(())
}

async fn pilothouse(cluster: &Cluster, args: &[String]) -> Result<()> {
    let home = cluster.run.join("home");
    std::fs::create_dir_all(&home)?;
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_pilothouse"))
        .args(args)
        .env_clear()
        .env("KUBECONFIG", cluster.kubeconfig("operator"))
        .env("HOME", &home)
        .env("USER", "rig")
        .stdin(std::process::Stdio::null())
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "pilothouse {}: {}: {said}", args.join(" "), output.status);
    Ok(())
}

fn name(at: usize) -> String {
    format!("{APP}-naive-{at}")
}

/// A route for every fourth customer: the slot rules of the base route with the customers in their matches.
fn managed(base: &Value, slots: &Slots, at: usize) -> Value {
    let customers = || CUSTOMERS.iter().skip(at).step_by(ROUTES);
    let rules = base["spec"]["rules"].as_array().cloned().unwrap_or_default();
    let of_slots = rules.into_iter().filter(|rule| {
        let backends = rule["backendRefs"].as_array();
        backends.into_iter().flatten().any(|backend| backend["name"] == slots.active)
    });
    let rules: Vec<Value> = of_slots
        .map(|mut rule| {
            let path = rule["matches"][0]["path"].clone();
            let matches: Vec<Value> = customers()
                .map(|customer| {
                    let header = json!({ "type": "Exact", "name": "x-customer-id", "value": customer });
                    json!({ "path": path, "headers": [header] })
                })
                .collect();
            rule["matches"] = json!(matches);
            rule
        })
        .collect();
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "name": name(at), "namespace": NAMESPACE },
        "spec": { "parentRefs": base["spec"]["parentRefs"], "hostnames": [HOST], "rules": rules },
    })
}
