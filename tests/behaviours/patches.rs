//! PATCH and PUT.

use super::rest::Patch;
use super::stage::{NOBODY, Stage, said, uid, version};
use color_eyre::eyre::Result;
use serde_json::{Value, json};

pub async fn test_of_a_wrong_value_is_invalid_without_causes(stage: &Stage) -> Result<Value> {
    tried(stage, json!([{ "op": "test", "path": "/spec/rules/0/backendRefs/0/weight", "value": 7 }])).await
}

pub async fn test_of_a_wrong_uid_is_invalid_without_causes(stage: &Stage) -> Result<Value> {
    tried(stage, json!([{ "op": "test", "path": "/metadata/uid", "value": NOBODY }])).await
}

pub async fn test_of_a_wrong_version_is_invalid_without_causes(stage: &Stage) -> Result<Value> {
    tried(stage, json!([{ "op": "test", "path": "/metadata/resourceVersion", "value": "1" }])).await
}

pub async fn test_of_a_missing_annotation_is_invalid(stage: &Stage) -> Result<Value> {
    let mut route = stage.route();
    route["metadata"]["annotations"] = json!({ "other": "1" });
    stage.create("httproutes", &route).await?;
    let patch = json!([{ "op": "test", "path": "/metadata/annotations/fence", "value": "1" }]);
    Ok(said(&stage.rest.patch(&stage.one("httproutes"), Patch::Json, &patch).await?))
}

pub async fn test_below_a_missing_map_is_invalid(stage: &Stage) -> Result<Value> {
    let patch = json!([{ "op": "test", "path": "/metadata/annotations/fence", "value": "1" }]);
    let route = tried(stage, patch.clone()).await?;
    stage.create("deployments", &stage.deployment()).await?;
    let deployment = stage.rest.patch(&stage.one("deployments"), Patch::Json, &patch).await?;
    Ok(json!([route, said(&deployment)]))
}

pub async fn test_that_a_missing_map_is_null_passes(stage: &Stage) -> Result<Value> {
    let patch = json!([
        { "op": "test", "path": "/metadata/annotations", "value": null },
        { "op": "add", "path": "/metadata/annotations", "value": { "fence": "1" } },
    ]);
    let said = tried(stage, patch).await?;
    Ok(json!([said, stage.read("httproutes").await?["metadata"]["annotations"]]))
}

pub async fn replace_of_a_missing_path_is_invalid(stage: &Stage) -> Result<Value> {
    tried(stage, json!([{ "op": "replace", "path": "/metadata/annotations/fence", "value": "1" }])).await
}

pub async fn remove_of_a_missing_path_is_invalid(stage: &Stage) -> Result<Value> {
    tried(stage, json!([{ "op": "remove", "path": "/metadata/annotations/fence" }])).await
}

pub async fn an_unknown_operation_is_invalid(stage: &Stage) -> Result<Value> {
    tried(stage, json!([{ "op": "increment", "path": "/spec/rules/0/backendRefs/0/weight", "value": 1 }])).await
}

pub async fn a_failed_test_leaves_all_operations_undone(stage: &Stage) -> Result<Value> {
    let patch = json!([
        { "op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 0 },
        { "op": "test", "path": "/spec/rules/0/backendRefs/1/weight", "value": 100 },
    ]);
    let said = tried(stage, patch).await?;
    Ok(json!([said, stage.read("httproutes").await?["spec"]["rules"][0]["backendRefs"][0]["weight"]]))
}

pub async fn a_negative_weight_names_the_cause(stage: &Stage) -> Result<Value> {
    tried(stage, json!([{ "op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": -1 }])).await
}

pub async fn a_wrong_type_names_the_cause(stage: &Stage) -> Result<Value> {
    tried(stage, json!([{ "op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": "many" }])).await
}

pub async fn too_many_annotations_name_the_cause(stage: &Stage) -> Result<Value> {
    let long = "x".repeat(262_145);
    tried(stage, json!([{ "op": "add", "path": "/metadata/annotations", "value": { "long": long } }])).await
}

pub async fn too_many_rules_and_matches_name_the_cause(stage: &Stage) -> Result<Value> {
    let header = |n: usize| json!({ "headers": [{ "name": "x-customer-id", "value": format!("c{n}") }] });
    let rule = |matches: usize| json!({ "matches": (0..matches).map(header).collect::<Vec<_>>() });
    let rules = |count: usize, matches: usize| (0..count).map(|_| rule(matches)).collect::<Vec<_>>();
    stage.create("httproutes", &stage.route()).await?;
    let mut out = Vec::new();
    for (count, matches) in [(16, 8), (17, 1), (1, 64), (1, 65), (2, 64), (3, 43)] {
        let patch = json!([{ "op": "replace", "path": "/spec/rules", "value": rules(count, matches) }]);
        let path = format!("{}?dryRun=All", stage.one("httproutes"));
        out.push(json!([count, matches, said(&stage.rest.patch(&path, Patch::Json, &patch).await?)]));
    }
    Ok(json!(out))
}

pub async fn a_patch_of_tests_only_changes_no_version(stage: &Stage) -> Result<Value> {
    let made = stage.create("httproutes", &stage.route()).await?;
    let patch = json!([{ "op": "test", "path": "/metadata/uid", "value": uid(&made) }]);
    let answer = stage.rest.patch(&stage.one("httproutes"), Patch::Json, &patch).await?;
    Ok(json!([said(&answer), version(&answer.body) == version(&made)]))
}

pub async fn generation_rises_with_the_spec_only(stage: &Stage) -> Result<Value> {
    let made = stage.create("httproutes", &stage.route()).await?;
    let mut out = vec![made["metadata"]["generation"].clone()];
    let mut last = version(&made).to_owned();
    for patch in [
        json!([{ "op": "add", "path": "/metadata/annotations", "value": { "fence": "1" } }]),
        json!([{ "op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 50 }]),
        json!([{ "op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 50 }]),
    ] {
        let now = stage.rest.patch(&stage.one("httproutes"), Patch::Json, &patch).await?.ok()?;
        out.push(json!([now["metadata"]["generation"], version(&now) == last]));
        version(&now).clone_into(&mut last);
    }
    Ok(json!(out))
}

pub async fn patch_dry_run_shows_the_old_version_and_stores_nothing(stage: &Stage) -> Result<Value> {
    let made = stage.create("httproutes", &stage.route()).await?;
    let patch = json!([{ "op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 50 }]);
    let path = format!("{}?dryRun=All", stage.one("httproutes"));
    let answer = stage.rest.patch(&path, Patch::Json, &patch).await?;
    let after = stage.read("httproutes").await?;
    let weight = |route: &Value| route["spec"]["rules"][0]["backendRefs"][0]["weight"].clone();
    Ok(json!({
        "said": said(&answer), "shown": weight(&answer.body), "stored": weight(&after),
        "oldVersion": version(&answer.body) == version(&made),
        "generation": answer.body["metadata"]["generation"], "same": version(&after) == version(&made),
    }))
}

pub async fn patch_of_a_missing_object_says_not_found(stage: &Stage) -> Result<Value> {
    let patch = json!([{ "op": "test", "path": "/metadata/name", "value": "x" }]);
    let mut out = Vec::new();
    for resource in ["httproutes", "releases", "deployments"] {
        out.push(said(&stage.rest.patch(&stage.one(resource), Patch::Json, &patch).await?));
    }
    Ok(json!(out))
}

pub async fn patch_cannot_change_the_uid(stage: &Stage) -> Result<Value> {
    let patch = json!([{ "op": "replace", "path": "/metadata/uid", "value": NOBODY }]);
    both(stage, Patch::Json, &patch).await
}

pub async fn patch_with_a_stale_version_conflicts(stage: &Stage) -> Result<Value> {
    tried(stage, json!([{ "op": "replace", "path": "/metadata/resourceVersion", "value": "1" }])).await
}

pub async fn merge_patch_with_a_stale_version_conflicts(stage: &Stage) -> Result<Value> {
    let made = stage.create("httproutes", &stage.route()).await?;
    let body = |version: &str, fence: &str| json!({ "metadata": { "resourceVersion": version, "annotations": { "fence": fence } } });
    let fresh = stage.rest.patch(&stage.one("httproutes"), Patch::Merge, &body(version(&made), "1")).await?;
    let stale = stage.rest.patch(&stage.one("httproutes"), Patch::Merge, &body(version(&made), "2")).await?;
    Ok(json!([said(&fresh), said(&stale)]))
}

pub async fn merge_patch_with_another_uid_is_refused(stage: &Stage) -> Result<Value> {
    let body = json!({ "metadata": { "uid": NOBODY, "annotations": { "fence": "1" } } });
    both(stage, Patch::Merge, &body).await
}

pub async fn merge_patch_removes_by_null(stage: &Stage) -> Result<Value> {
    stage.create("configmaps", &stage.config(stage.name(), "one")).await?;
    let body = json!({ "data": { "key": null, "other": "1" }, "metadata": { "labels": { "part": null } } });
    let now = stage.rest.patch(&stage.one("configmaps"), Patch::Merge, &body).await?.ok()?;
    Ok(json!([now["data"], now["metadata"]["labels"].get("part")]))
}

pub async fn strategic_patch_merges_lists_by_key(stage: &Stage) -> Result<Value> {
    stage.create("deployments", &stage.deployment()).await?;
    let body = json!({ "spec": { "template": { "spec": { "containers": [
        { "name": "app", "image": "registry.example/app:2", "env": [{ "name": "B", "value": "2" }] },
    ] } } } });
    let now = stage.rest.patch(&stage.one("deployments"), Patch::Strategic, &body).await?.ok()?;
    let mut containers: Vec<Value> = now["spec"]["template"]["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| json!([container["name"], container["image"], sorted(&container["env"])]))
        .collect();
    containers.sort_by_key(Value::to_string);
    Ok(json!({ "containers": containers, "generation": now["metadata"]["generation"] }))
}

pub async fn the_last_annotation_takes_the_map_with_it(stage: &Stage) -> Result<Value> {
    let patch = json!([
        { "op": "add", "path": "/metadata/annotations", "value": { "fence": "1" } },
        { "op": "remove", "path": "/metadata/annotations/fence" },
    ]);
    let said = tried(stage, patch).await?;
    let null = json!([{ "op": "test", "path": "/metadata/annotations", "value": null }]);
    let tested = stage.rest.patch(&stage.one("httproutes"), Patch::Json, &null).await?;
    Ok(json!([said, stage.read("httproutes").await?["metadata"].get("annotations").is_some(), tested.code]))
}

pub async fn strategic_patch_of_a_custom_resource_is_unsupported(stage: &Stage) -> Result<Value> {
    stage.create("releases", &stage.release()).await?;
    let body = json!({ "metadata": { "annotations": { "fence": "1" } } });
    Ok(said(&stage.rest.patch(&stage.one("releases"), Patch::Strategic, &body).await?))
}

pub async fn a_patch_of_an_unknown_kind_is_unsupported(stage: &Stage) -> Result<Value> {
    stage.create("configmaps", &stage.config(stage.name(), "one")).await?;
    let body = json!({ "data": { "key": "other" } });
    Ok(said(&stage.rest.send("PATCH", &stage.one("configmaps"), "application/json", Some(&body)).await?))
}

pub async fn put_with_a_stale_version_conflicts(stage: &Stage) -> Result<Value> {
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "name": stage.name(), "namespace": stage.namespace() },
        "spec": { "holderIdentity": "one", "leaseDurationSeconds": 15 },
    });
    let mut made = stage.create("leases", &lease).await?;
    made["spec"]["holderIdentity"] = json!("two");
    let fresh = stage.rest.put(&stage.one("leases"), &made).await?;
    made["spec"]["holderIdentity"] = json!("three");
    let stale = stage.rest.put(&stage.one("leases"), &made).await?;
    Ok(json!([said(&fresh), said(&stale), stage.read("leases").await?["spec"]["holderIdentity"]]))
}

/// Sends a patch to a fresh custom resource and to a fresh built-in one, which are not refused alike.
async fn both(stage: &Stage, how: Patch, patch: &Value) -> Result<Value> {
    stage.create("httproutes", &stage.route()).await?;
    stage.create("configmaps", &stage.config(stage.name(), "one")).await?;
    let mut out = Vec::new();
    for resource in ["httproutes", "configmaps"] {
        out.push(said(&stage.rest.patch(&stage.one(resource), how, patch).await?));
    }
    Ok(json!(out))
}

/// Sends a JSON Patch to a fresh route and returns what the server said.
async fn tried(stage: &Stage, patch: Value) -> Result<Value> {
    stage.create("httproutes", &stage.route()).await?;
    Ok(said(&stage.rest.patch(&stage.one("httproutes"), Patch::Json, &patch).await?))
}

fn sorted(list: &Value) -> Value {
    let mut items: Vec<Value> = list.as_array().cloned().unwrap_or_default();
    items.sort_by_key(Value::to_string);
    json!(items)
}
