//! WATCH.

use super::rest::{Patch, Watched};
use super::stage::{Stage, version};
use color_eyre::eyre::Result;
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than any event takes; a watch that ends by itself ends sooner.
const LIMIT: Duration = Duration::from_secs(10);

pub async fn watch_tells_of_each_change_in_order(stage: &Stage) -> Result<Value> {
    let from = list_version(stage).await?;
    stage.create("configmaps", &stage.config(stage.name(), "one")).await?;
    change(stage, "two").await?;
    stage.rest.delete(&stage.one("configmaps"), &Value::Null).await?.ok()?;
    let watched = watch(stage, &format!("&resourceVersion={from}"), 3).await?;
    Ok(told(&watched))
}

pub async fn watch_without_a_version_begins_with_what_exists(stage: &Stage) -> Result<Value> {
    stage.create("configmaps", &stage.config(stage.name(), "one")).await?;
    Ok(told(&watch(stage, "", 1).await?))
}

pub async fn watch_resumes_after_a_version(stage: &Stage) -> Result<Value> {
    let made = stage.create("configmaps", &stage.config(stage.name(), "one")).await?;
    change(stage, "two").await?;
    change(stage, "three").await?;
    let watched = watch(stage, &format!("&resourceVersion={}", version(&made)), 2).await?;
    Ok(told(&watched))
}

pub async fn watch_of_a_forgotten_version_is_expired(stage: &Stage) -> Result<Value> {
    // Releases are younger than version 1, so no server remembers it.
    let path = format!("{}?watch=true&resourceVersion=1&timeoutSeconds=5", stage.all("releases"));
    let watched = stage.rest.watch(&path, LIMIT, |_| true).await?;
    let status = &watched.events.first().cloned().unwrap_or_default();
    // Both forms are in use: an answer 410, or an ERROR event in an answer 200.
    let status = if status["type"] == "ERROR" { &status["object"] } else { status };
    Ok(json!({ "code": status["code"], "reason": status["reason"], "http": watched.code }))
}

pub async fn watch_ends_after_its_time(stage: &Stage) -> Result<Value> {
    let from = list_version(stage).await?;
    let watched = watch(stage, &format!("&resourceVersion={from}&timeoutSeconds=1"), 1).await?;
    Ok(json!({ "code": watched.code, "events": watched.events.len(), "ended": watched.ended }))
}

pub async fn watch_by_label_tells_when_an_object_leaves(stage: &Stage) -> Result<Value> {
    let made = stage.create("configmaps", &stage.config(stage.name(), "one")).await?;
    change(stage, "two").await?;
    change(stage, "one").await?;
    let query = format!("%2Cpart%3Done&resourceVersion={}", version(&made));
    Ok(told(&watch(stage, &query, 2).await?))
}

pub async fn watch_marks_the_end_of_what_existed(stage: &Stage) -> Result<Value> {
    stage.create("configmaps", &stage.config(stage.name(), "one")).await?;
    let query = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let watched = watch(stage, query, 2).await?;
    let mark = watched.events.last().cloned().unwrap_or_default();
    Ok(json!({
        "types": types(&watched),
        "annotation": mark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "version": !version(&mark["object"]).is_empty(),
        "kind": mark["object"]["kind"],
    }))
}

pub async fn watch_by_name_hears_of_one_object_only(stage: &Stage) -> Result<Value> {
    let from = list_version(stage).await?;
    let other = format!("{}-other", stage.name());
    stage.create("configmaps", &stage.config(&other, "one")).await?;
    stage.create("configmaps", &stage.config(stage.name(), "one")).await?;
    let query = format!("&resourceVersion={from}&fieldSelector=metadata.name%3D{}", stage.name());
    let watched = watch(stage, &query, 1).await?;
    Ok(watched.events.iter().map(|event| event["object"]["metadata"]["name"].clone()).collect())
}

async fn watch(stage: &Stage, query: &str, events: usize) -> Result<Watched> {
    let path = format!("{}?watch=true&labelSelector=of%3D{}{query}", stage.all("configmaps"), stage.name());
    let mut seen = 0;
    stage
        .rest
        .watch(&path, LIMIT, |_| {
            seen += 1;
            seen == events
        })
        .await
}

async fn list_version(stage: &Stage) -> Result<String> {
    Ok(version(&stage.rest.get(&stage.all("configmaps")).await?.ok()?).to_owned())
}

async fn change(stage: &Stage, label: &str) -> Result<()> {
    let body = json!({ "metadata": { "labels": { "part": label } } });
    stage.rest.patch(&stage.one("configmaps"), Patch::Merge, &body).await?.ok()?;
    Ok(())
}

fn types(watched: &Watched) -> Value {
    watched.events.iter().map(|event| event["type"].clone()).collect()
}

/// Each event's type, the label the object had, and whether versions only grow.
fn told(watched: &Watched) -> Value {
    let events: Vec<Value> = watched
        .events
        .iter()
        .map(|event| json!([event["type"], event["object"]["metadata"]["labels"]["part"]]))
        .collect();
    let versions: Vec<u64> = watched.events.iter().filter_map(|event| version(&event["object"]).parse().ok()).collect();
    json!({ "code": watched.code, "events": events, "growing": versions.is_sorted() })
}
