//! The status subresource, line by line as it was measured on the real API server.

use super::{Rig, causes, refusal, rig};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

const RELEASE: &str = "trackx-4-12-0";

async fn patch(rig: &Rig, status: bool, operations: Value) -> Result<Value, kube::Error> {
    let patch: Patch<()> = Patch::Json(serde_json::from_value(operations).unwrap());
    let (api, params) = (rig.api("Release"), PatchParams::default());
    let done: DynamicObject = if status {
        api.patch_status(RELEASE, &params, &patch).await?
    } else {
        api.patch(RELEASE, &params, &patch).await?
    };
    Ok(serde_json::to_value(done).unwrap())
}

fn add(path: &str, value: Value) -> Value {
    json!({"op": "add", "path": path, "value": value})
}

fn test(path: &str, value: Value) -> Value {
    json!({"op": "test", "path": path, "value": value})
}

#[tokio::test(start_paused = true)]
async fn a_status_is_dropped_from_a_post() {
    let rig = rig();
    let release: DynamicObject = serde_json::from_value(json!({"metadata": {"name": "r"},
        "spec": {"plan": "trackx", "version": "5"}, "status": {"phase": "Done"}}))
    .unwrap();
    let created = rig.api("Release").create(&PostParams::default(), &release).await.unwrap();
    assert!(created.data.get("status").is_none());
}

#[tokio::test(start_paused = true)]
async fn an_absent_status_is_tested_as_a_whole_and_not_by_its_fields() {
    let rig = rig();
    let status = refusal(patch(&rig, true, json!([test("/status/phase", Value::Null)])).await);
    assert_eq!((status.code, causes(&status)), (422, 0));
    let first = json!([test("/status", Value::Null), add("/status", json!({"phase": "Preparing"}))]);
    let done = patch(&rig, true, first).await.unwrap();
    assert_eq!((&done["status"]["phase"], &done["status"]["wave"]), (&json!("Preparing"), &json!(0)));
    assert_eq!(done["metadata"]["generation"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_status_write_may_test_metadata_status_and_spec() {
    let rig = rig();
    let begun = patch(&rig, true, json!([add("/status", json!({"phase": "Preparing"}))])).await.unwrap();
    let good = json!([
        test("/metadata/resourceVersion", begun["metadata"]["resourceVersion"].clone()),
        test("/metadata/uid", begun["metadata"]["uid"].clone()),
        test("/status/phase", json!("Preparing")),
        test("/spec/hold", Value::Null),
        add("/status/phase", json!("Ready")),
    ]);
    assert_eq!(patch(&rig, true, good.clone()).await.unwrap()["status"]["phase"], "Ready");
    let stale = refusal(patch(&rig, true, good).await);
    assert_eq!((stale.code, causes(&stale)), (422, 0));
    let hold = json!({"by": "dana", "reason": "x", "at": "2026-11-23T10:00:00Z"});
    patch(&rig, false, json!([add("/spec/hold", hold.clone())])).await.unwrap();
    let stopped =
        refusal(patch(&rig, true, json!([test("/spec/hold", Value::Null), add("/status/wave", json!(1))])).await);
    assert_eq!(stopped.code, 422);
    let held = json!([test("/spec/hold/by", json!("dana")), add("/status/wave", json!(1))]);
    assert_eq!(patch(&rig, true, held).await.unwrap()["status"]["wave"], 1);
}

#[tokio::test(start_paused = true)]
async fn spec_and_annotations_through_status_are_silently_ignored() {
    let rig = rig();
    let before = patch(&rig, true, json!([add("/status", json!({"phase": "Preparing"}))])).await.unwrap();
    let change = json!([
        add("/spec/hold", json!({"by": "x", "at": "2026-11-23T10:00:00Z"})),
        add("/metadata/annotations", json!({"a": "b"})),
    ]);
    let after = patch(&rig, true, change).await.unwrap();
    assert_eq!(after, before);
}

#[tokio::test(start_paused = true)]
async fn status_through_the_main_resource_is_silently_ignored_but_may_be_tested() {
    let rig = rig();
    patch(&rig, true, json!([add("/status", json!({"phase": "Preparing"}))])).await.unwrap();
    let change = json!([
        test("/status/phase", json!("Preparing")),
        add("/status/phase", json!("Done")),
        add("/spec/requestedBy", json!("dana")),
    ]);
    let after = patch(&rig, false, change).await.unwrap();
    assert_eq!((&after["status"]["phase"], &after["spec"]["requestedBy"]), (&json!("Preparing"), &json!("dana")));
    assert_eq!(after["metadata"]["generation"], 2);
    let wrong = json!([test("/status/phase", json!("Done")), add("/spec/requestedBy", json!("eve"))]);
    assert_eq!(refusal(patch(&rig, false, wrong).await).code, 422);
}

#[tokio::test(start_paused = true)]
async fn built_ins_keep_the_two_parts_apart_as_well() {
    let rig = rig();
    let before = rig.get("Deployment", "trackx").await;
    let change = json!({"spec": {"replicas": 9}, "status": {"collisionCount": 3}});
    let through = rig.api("Deployment").patch_status("trackx", &PatchParams::default(), &Patch::Merge(&change)).await;
    let through = serde_json::to_value(through.unwrap()).unwrap();
    assert_eq!((&through["spec"]["replicas"], &through["status"]["collisionCount"]), (&json!(4), &json!(3)));
    assert_eq!(through["metadata"]["generation"], before["metadata"]["generation"]);
}
