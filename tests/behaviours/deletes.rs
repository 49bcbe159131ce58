//! DELETE.

use super::rest::Patch;
use super::stage::{NOBODY, Stage, said, uid, version};
use color_eyre::eyre::Result;
use serde_json::{Value, json};

pub async fn delete_removes(stage: &Stage) -> Result<Value> {
    stage.create("httproutes", &stage.route()).await?;
    deleted(stage, &Value::Null).await
}

pub async fn delete_of_a_missing_object_says_not_found(stage: &Stage) -> Result<Value> {
    deleted(stage, &Value::Null).await
}

pub async fn delete_with_another_uid_conflicts(stage: &Stage) -> Result<Value> {
    stage.create("httproutes", &stage.route()).await?;
    deleted(stage, &json!({ "preconditions": { "uid": NOBODY } })).await
}

pub async fn delete_with_a_stale_version_conflicts(stage: &Stage) -> Result<Value> {
    stage.create("httproutes", &stage.route()).await?;
    deleted(stage, &json!({ "preconditions": { "resourceVersion": "1" } })).await
}

pub async fn delete_with_the_right_preconditions_removes(stage: &Stage) -> Result<Value> {
    let made = stage.create("httproutes", &stage.route()).await?;
    deleted(stage, &json!({ "preconditions": { "uid": uid(&made), "resourceVersion": version(&made) } })).await
}

pub async fn delete_dry_run_leaves_the_object(stage: &Stage) -> Result<Value> {
    stage.create("httproutes", &stage.route()).await?;
    deleted(stage, &json!({ "dryRun": ["All"] })).await
}

pub async fn delete_waits_for_finalizers(stage: &Stage) -> Result<Value> {
    let mut route = stage.route();
    route["metadata"]["finalizers"] = json!(["pilothouse.dev/behaviours"]);
    stage.create("httproutes", &route).await?;
    let first = deleted(stage, &Value::Null).await?;
    let marked = stage.read("httproutes").await?["metadata"]["deletionTimestamp"].is_string();
    let patch = json!([{ "op": "remove", "path": "/metadata/finalizers" }]);
    let released = said(&stage.rest.patch(&stage.one("httproutes"), Patch::Json, &patch).await?);
    let after = said(&stage.rest.get(&stage.one("httproutes")).await?);
    Ok(json!({ "first": first, "marked": marked, "released": released, "after": after }))
}

/// Deletes the route and says what the server answered and whether the route is still there.
async fn deleted(stage: &Stage, options: &Value) -> Result<Value> {
    let answer = stage.rest.delete(&stage.one("httproutes"), options).await?;
    let after = stage.rest.get(&stage.one("httproutes")).await?;
    Ok(json!({ "said": said(&answer), "after": after.code }))
}
