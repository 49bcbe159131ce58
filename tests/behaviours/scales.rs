//! What kubectl needs beside the objects themselves: the scale of a workload, and tables.

use super::rest::Patch;
use super::stage::{Stage, said, version};
use color_eyre::eyre::Result;
use serde_json::{Value, json};

/// The path of the scale of this behaviour's Deployment.
fn scale(stage: &Stage) -> String {
    format!("{}/scale", stage.one("deployments"))
}

pub async fn scale_shows_the_replicas_and_the_selector(stage: &Stage) -> Result<Value> {
    let made = stage.create("deployments", &stage.deployment()).await?;
    let scale = stage.rest.get(&scale(stage)).await?.ok()?;
    let same = |field: &str| made["metadata"][field] == scale["metadata"][field];
    Ok(json!([
        scale["kind"],
        scale["apiVersion"],
        scale["spec"],
        scale["status"]["selector"],
        same("uid"),
        same("name")
    ]))
}

pub async fn scale_changes_the_replicas_alone(stage: &Stage) -> Result<Value> {
    let made = stage.create("deployments", &stage.deployment()).await?;
    // Nothing may start in the test: the Deployment is paused.
    let paused = json!({ "spec": { "paused": true } });
    stage.rest.patch(&stage.one("deployments"), Patch::Merge, &paused).await?.ok()?;
    let by_patch = stage.rest.patch(&scale(stage), Patch::Merge, &json!({ "spec": { "replicas": 1 } })).await?.ok()?;
    let mut wanted = stage.rest.get(&scale(stage)).await?.ok()?;
    // A version would race with the controller's own writes.
    wanted["metadata"]["resourceVersion"] = json!("");
    wanted["spec"]["replicas"] = json!(0);
    let by_put = stage.rest.put(&scale(stage), &wanted).await?;
    let now = stage.read("deployments").await?;
    let kept = made["spec"]["template"] == now["spec"]["template"];
    Ok(json!([by_patch["kind"], by_patch["spec"], said(&by_put), now["spec"]["replicas"], kept]))
}

pub async fn scale_with_a_stale_version_conflicts(stage: &Stage) -> Result<Value> {
    let made = stage.create("deployments", &stage.deployment()).await?;
    let stale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": { "name": stage.name(), "namespace": stage.namespace(), "resourceVersion": version(&made) },
        "spec": { "replicas": 0 },
    });
    let note = json!({ "metadata": { "annotations": { "note": "1" } } });
    stage.rest.patch(&stage.one("deployments"), Patch::Merge, &note).await?.ok()?;
    Ok(said(&stage.rest.put(&scale(stage), &stale).await?))
}

pub async fn scale_without_replicas_or_of_nothing_is_refused(stage: &Stage) -> Result<Value> {
    let missing = stage.rest.get(&scale(stage)).await?;
    let of_config = stage.rest.get(&format!("{}/x/scale", stage.all("configmaps"))).await?;
    stage.create("deployments", &stage.deployment()).await?;
    let negative = stage.rest.patch(&scale(stage), Patch::Merge, &json!({ "spec": { "replicas": -1 } })).await?;
    Ok(json!([said(&missing), said(&of_config), said(&negative)]))
}

pub async fn tables_have_these_columns(stage: &Stage) -> Result<Value> {
    let mut columns = json!({});
    for resource in
        ["deployments", "pods", "services", "configmaps", "httproutes", "releases", "rolloutplans", "leases"]
    {
        let table = stage.rest.table(&stage.all(resource)).await?.ok()?;
        let names = table["columnDefinitions"].as_array().into_iter().flatten();
        columns[resource] = names.map(|c| json!([c["name"], c["priority"]])).collect();
    }
    Ok(columns)
}
