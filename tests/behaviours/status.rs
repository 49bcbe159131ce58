//! The status subresource of a custom resource: where every compare-and-swap of a release happens.

use super::rest::Patch;
use super::stage::{NOBODY, Stage, said, uid, version};
use color_eyre::eyre::Result;
use serde_json::{Value, json};

pub async fn test_below_an_absent_status_is_invalid(stage: &Stage) -> Result<Value> {
    stage.create("releases", &stage.release()).await?;
    through_status(stage, json!([{ "op": "test", "path": "/status/phase", "value": null }])).await
}

pub async fn an_absent_status_is_null_and_can_be_added(stage: &Stage) -> Result<Value> {
    stage.create("releases", &stage.release()).await?;
    let patch = json!([
        { "op": "test", "path": "/status", "value": null },
        { "op": "add", "path": "/status", "value": { "phase": "Preparing", "wave": 0 } },
    ]);
    let first = through_status(stage, patch.clone()).await?;
    let second = through_status(stage, patch).await?;
    Ok(json!([first, second, stage.read("releases").await?["status"]["phase"]]))
}

pub async fn test_of_the_version_holds_through_status(stage: &Stage) -> Result<Value> {
    let made = with_status(stage).await?;
    let patch = move |version: &str| {
        json!([
            { "op": "test", "path": "/metadata/resourceVersion", "value": version },
            { "op": "replace", "path": "/status/wave", "value": 1 },
        ])
    };
    let right = through_status(stage, patch(version(&made))).await?;
    let stale = through_status(stage, patch(version(&made))).await?;
    Ok(json!([right, stale]))
}

pub async fn test_of_the_uid_holds_through_status(stage: &Stage) -> Result<Value> {
    let made = with_status(stage).await?;
    let patch = |uid: &str| {
        json!([
            { "op": "test", "path": "/metadata/uid", "value": uid },
            { "op": "replace", "path": "/status/wave", "value": 1 },
        ])
    };
    Ok(json!([through_status(stage, patch(uid(&made))).await?, through_status(stage, patch(NOBODY)).await?]))
}

pub async fn test_of_a_status_field_holds_through_status(stage: &Stage) -> Result<Value> {
    with_status(stage).await?;
    let patch = json!([
        { "op": "test", "path": "/status/phase", "value": "Preparing" },
        { "op": "replace", "path": "/status/phase", "value": "Ready" },
    ]);
    Ok(json!([through_status(stage, patch.clone()).await?, through_status(stage, patch).await?]))
}

pub async fn test_of_a_spec_field_holds_through_status(stage: &Stage) -> Result<Value> {
    with_status(stage).await?;
    hold(stage).await?;
    let patch = |by: &str| {
        json!([
            { "op": "test", "path": "/spec/hold/by", "value": by },
            { "op": "replace", "path": "/status/wave", "value": 1 },
        ])
    };
    Ok(json!([through_status(stage, patch("dana")).await?, through_status(stage, patch("kim")).await?]))
}

pub async fn test_that_there_is_no_hold_holds_through_status(stage: &Stage) -> Result<Value> {
    with_status(stage).await?;
    let patch = json!([
        { "op": "test", "path": "/spec/hold", "value": null },
        { "op": "replace", "path": "/status/wave", "value": 1 },
    ]);
    let free = through_status(stage, patch.clone()).await?;
    hold(stage).await?;
    Ok(json!([free, through_status(stage, patch).await?]))
}

pub async fn spec_changes_through_status_are_ignored(stage: &Stage) -> Result<Value> {
    let made = with_status(stage).await?;
    let patch = json!([{ "op": "replace", "path": "/spec/requestedBy", "value": "somebody else" }]);
    ignored(stage, &made, patch).await
}

pub async fn annotations_through_status_are_ignored(stage: &Stage) -> Result<Value> {
    let made = with_status(stage).await?;
    let patch = json!([{ "op": "add", "path": "/metadata/annotations", "value": { "fence": "1" } }]);
    ignored(stage, &made, patch).await
}

pub async fn status_changes_through_the_object_are_ignored(stage: &Stage) -> Result<Value> {
    with_status(stage).await?;
    let patch = json!([
        { "op": "replace", "path": "/spec/requestedBy", "value": "somebody else" },
        { "op": "replace", "path": "/status/phase", "value": "Ready" },
    ]);
    let answer = stage.rest.patch(&stage.one("releases"), Patch::Json, &patch).await?;
    let now = stage.read("releases").await?;
    Ok(json!({
        "said": said(&answer), "requestedBy": now["spec"]["requestedBy"], "phase": now["status"]["phase"],
        "generation": now["metadata"]["generation"], "shown": answer.body["status"]["phase"],
    }))
}

pub async fn test_of_a_status_field_guards_the_spec(stage: &Stage) -> Result<Value> {
    with_status(stage).await?;
    let mut out = Vec::new();
    for phase in ["Preparing", "Ready"] {
        let patch = json!([
            { "op": "test", "path": "/status/phase", "value": phase },
            { "op": "replace", "path": "/spec/requestedBy", "value": phase },
        ]);
        out.push(said(&stage.rest.patch(&stage.one("releases"), Patch::Json, &patch).await?));
    }
    Ok(json!([out, stage.read("releases").await?["spec"]["requestedBy"]]))
}

pub async fn status_raises_the_version_but_not_the_generation(stage: &Stage) -> Result<Value> {
    let made = with_status(stage).await?;
    let patch = json!([{ "op": "replace", "path": "/status/wave", "value": 1 }]);
    through_status(stage, patch).await?;
    let now = stage.read("releases").await?;
    Ok(json!([now["metadata"]["generation"], version(&now) == version(&made)]))
}

pub async fn status_dry_run_stores_nothing(stage: &Stage) -> Result<Value> {
    let made = with_status(stage).await?;
    let patch = json!([{ "op": "replace", "path": "/status/wave", "value": 7 }]);
    let path = format!("{}/status?dryRun=All", stage.one("releases"));
    let answer = stage.rest.patch(&path, Patch::Json, &patch).await?;
    let now = stage.read("releases").await?;
    Ok(json!({
        "said": said(&answer), "shown": answer.body["status"]["wave"], "stored": now["status"]["wave"],
        "same": version(&now) == version(&made),
    }))
}

pub async fn a_version_cannot_be_changed(stage: &Stage) -> Result<Value> {
    stage.create("releases", &stage.release()).await?;
    let patch = json!([{ "op": "replace", "path": "/spec/version", "value": "2.0.0" }]);
    Ok(said(&stage.rest.patch(&stage.one("releases"), Patch::Json, &patch).await?))
}

async fn with_status(stage: &Stage) -> Result<Value> {
    stage.create("releases", &stage.release()).await?;
    through_status(stage, json!([{ "op": "add", "path": "/status", "value": { "phase": "Preparing", "wave": 0 } }]))
        .await?;
    stage.read("releases").await
}

async fn hold(stage: &Stage) -> Result<()> {
    let hold = json!({ "by": "dana", "reason": "lunch", "at": "2026-01-01T12:00:00Z" });
    let patch = json!([{ "op": "add", "path": "/spec/hold", "value": hold }]);
    stage.rest.patch(&stage.one("releases"), Patch::Json, &patch).await?.ok()?;
    Ok(())
}

async fn through_status(stage: &Stage, patch: Value) -> Result<Value> {
    let path = format!("{}/status", stage.one("releases"));
    Ok(said(&stage.rest.patch(&path, Patch::Json, &patch).await?))
}

async fn ignored(stage: &Stage, made: &Value, patch: Value) -> Result<Value> {
    let said = through_status(stage, patch).await?;
    let now = stage.read("releases").await?;
    Ok(json!({
        "said": said, "same": version(&now) == version(made), "generation": now["metadata"]["generation"],
        "requestedBy": now["spec"]["requestedBy"], "annotations": now["metadata"].get("annotations"),
    }))
}
