//! How writes by patch are answered: the table that was measured on the real API server.

use super::{Rig, causes, refusal, rig};
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

async fn json_patch(rig: &Rig, kind: &str, name: &str, operations: Value) -> Result<Value, kube::Error> {
    let patch: json_patch::Patch = serde_json::from_value(operations).unwrap();
    let done = rig.api(kind).patch(name, &PatchParams::default(), &Patch::Json::<()>(patch)).await?;
    Ok(serde_json::to_value(done).unwrap())
}

async fn route_patch(rig: &Rig, operations: Value) -> Result<Value, kube::Error> {
    json_patch(rig, "HTTPRoute", "trackx", operations).await
}

const WEIGHT: &str = "/spec/rules/0/backendRefs/0/weight";

#[tokio::test(start_paused = true)]
async fn a_fenced_weight_flip_is_applied_and_counts_as_a_new_generation() {
    let rig = rig();
    let before = rig.get("HTTPRoute", "trackx").await;
    let after = route_patch(
        &rig,
        json!([
            {"op": "test", "path": "/metadata/uid", "value": before["metadata"]["uid"]},
            {"op": "test", "path": "/metadata/resourceVersion", "value": before["metadata"]["resourceVersion"]},
            {"op": "test", "path": "/metadata/annotations", "value": null},
            {"op": "add", "path": "/metadata/annotations", "value": {"pilothouse.dev/fence": "1"}},
            {"op": "test", "path": WEIGHT, "value": 100},
            {"op": "replace", "path": WEIGHT, "value": 0},
            {"op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": 100},
        ]),
    )
    .await
    .unwrap();
    assert_eq!(after["spec"]["rules"][0]["backendRefs"][1]["weight"], 100);
    assert_eq!(after["metadata"]["generation"], 2);
    assert_ne!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    let touched = route_patch(
        &rig,
        json!([{"op": "replace", "path": "/metadata/annotations/pilothouse.dev~1fence", "value": "2"}]),
    )
    .await
    .unwrap();
    assert_eq!(touched["metadata"]["generation"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_patch_that_does_not_apply_is_422_without_causes() {
    let rig = rig();
    for operation in [
        json!({"op": "test", "path": WEIGHT, "value": 1}),
        json!({"op": "test", "path": "/metadata/uid", "value": "other"}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": "1"}),
        json!({"op": "test", "path": "/metadata/annotations/pilothouse.dev~1fence", "value": "1"}),
        json!({"op": "replace", "path": "/spec/nothing", "value": 1}),
    ] {
        let status = refusal(route_patch(&rig, json!([operation])).await);
        assert_eq!((status.code, status.reason.as_str(), causes(&status)), (422, "Invalid", 0));
        assert_eq!(status.message, "the server rejected our request due to an error in our request");
    }
}

#[tokio::test(start_paused = true)]
async fn a_patch_whose_result_breaks_the_schema_is_422_with_causes() {
    let rig = rig();
    for (operation, field) in [
        (json!({"op": "replace", "path": WEIGHT, "value": -1}), "spec.rules[0].backendRefs[0].weight"),
        (json!({"op": "replace", "path": WEIGHT, "value": "x"}), "spec.rules[0].backendRefs[0].weight"),
        (json!({"op": "replace", "path": "/spec/rules", "value": []}), "spec.rules"),
        (
            json!({"op": "add", "path": "/metadata/annotations", "value": {"a": "x".repeat(262_145)}}),
            "metadata.annotations",
        ),
    ] {
        let status = refusal(route_patch(&rig, json!([operation])).await);
        assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
        let details = status.details.unwrap();
        assert_eq!(details.causes[0].field, field);
        assert!(status.message.contains(field), "{}", status.message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_patch_that_changes_nothing_keeps_the_version() {
    let rig = rig();
    let before = rig.get("HTTPRoute", "trackx").await;
    let after = route_patch(&rig, json!([{"op": "test", "path": WEIGHT, "value": 100}])).await.unwrap();
    assert_eq!(after["metadata"], before["metadata"]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_shows_the_result_and_stores_nothing() {
    let rig = rig();
    let before = rig.get("HTTPRoute", "trackx").await;
    let patch: json_patch::Patch =
        serde_json::from_value(json!([{"op": "replace", "path": WEIGHT, "value": 7}])).unwrap();
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    let shown = rig.api("HTTPRoute").patch("trackx", &params, &Patch::Json::<()>(patch)).await.unwrap();
    let shown = serde_json::to_value(shown).unwrap();
    assert_eq!(shown["spec"]["rules"][0]["backendRefs"][0]["weight"], 7);
    assert_eq!(shown["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    assert_eq!(shown["metadata"]["generation"], 2, "of what would be stored");
    assert_eq!(rig.get("HTTPRoute", "trackx").await, before);
}

#[tokio::test(start_paused = true)]
async fn a_merge_patch_with_an_old_version_is_a_conflict() {
    let rig = rig();
    let merge =
        async |value: Value| rig.api("HTTPRoute").patch("trackx", &PatchParams::default(), &Patch::Merge(&value)).await;
    let status = refusal(merge(json!({"metadata": {"resourceVersion": "1", "labels": {"a": "b"}}})).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    let status = refusal(merge(json!({"metadata": {"uid": "other"}})).await);
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"), "a uid is immutable");
    assert_eq!(merge(json!({"metadata": {"labels": {"a": "b"}}})).await.unwrap().metadata.labels.unwrap()["a"], "b");
}

#[tokio::test(start_paused = true)]
async fn a_strategic_patch_merges_by_key_for_built_ins_and_is_refused_for_custom_resources() {
    let rig = rig();
    let patch =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "registry.example/app:9"}]}}}});
    let params = PatchParams::default();
    let done = rig.api("Deployment").patch("trackx-b", &params, &Patch::Strategic(&patch)).await.unwrap();
    let container = &serde_json::to_value(done).unwrap()["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        (&container["image"], &container["ports"][0]["containerPort"]),
        (&json!("registry.example/app:9"), &json!(8080))
    );
    let status = refusal(rig.api("HTTPRoute").patch("trackx", &params, &Patch::Strategic(&json!({}))).await);
    assert_eq!((status.code, status.reason.as_str()), (415, "UnsupportedMediaType"));
}

#[tokio::test(start_paused = true)]
async fn server_side_apply_creates_merges_and_removes_what_its_manager_no_longer_applies() {
    let rig = rig();
    let apply = async |manager: &str, data: Value| {
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": data});
        rig.api("ConfigMap").patch("applied", &PatchParams::apply(manager), &Patch::Apply(&config)).await
    };
    apply("one", json!({"a": "1", "b": "1"})).await.unwrap();
    assert_eq!(apply("two", json!({"c": "1"})).await.unwrap().data["data"], json!({"a": "1", "b": "1", "c": "1"}));
    let status = refusal(apply("two", json!({"a": "2"})).await);
    assert_eq!(
        (status.code, status.message.as_str()),
        (409, "Apply failed with 1 conflict: conflict with \"one\": .data.a")
    );
    assert_eq!(apply("one", json!({"b": "1"})).await.unwrap().data["data"], json!({"b": "1", "c": "1"}));
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_write_names_its_manager_and_pods_stay_without_a_record() {
    let rig = rig();
    let managers = |object: &Value| -> Vec<String> {
        let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        entries.map(|e| format!("{} {} {}", e["manager"], e["operation"], e["subresource"]).replace('"', "")).collect()
    };
    rig.api("Deployment")
        .patch_scale(
            "trackx",
            &PatchParams { field_manager: Some("scaler".into()), ..Default::default() },
            &Patch::Merge(json!({"spec": {"replicas": 5}})),
        )
        .await
        .unwrap();
    let labels = json!({"metadata": {"labels": {"tier": "front"}}});
    rig.api("Deployment")
        .patch(
            "trackx",
            &PatchParams { field_manager: Some("hand".into()), ..Default::default() },
            &Patch::Merge(labels),
        )
        .await
        .unwrap();
    super::pass(10).await;
    let found = managers(&rig.get("Deployment", "trackx").await);
    for entry in
        ["setup Update null", "scaler Update scale", "hand Update null", "kube-controller-manager Update status"]
    {
        assert!(found.iter().any(|have| have == entry), "{entry} in {found:?}");
    }
    assert!(rig.pods("a").await.iter().all(|pod| managers(pod).is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_deployment_patch_is_checked_like_the_real_one() {
    let rig = rig();
    let missing = json!([{"op": "test", "path": "/metadata/annotations/pilothouse.dev~1fence", "value": "1"}]);
    let status = refusal(json_patch(&rig, "Deployment", "trackx-b", missing).await);
    assert_eq!((status.code, causes(&status)), (422, 0));
    let wrong = json!([{"op": "replace", "path": "/spec/replicas", "value": "many"}]);
    let status = refusal(json_patch(&rig, "Deployment", "trackx-b", wrong).await);
    assert_eq!((status.code, causes(&status)), (422, 1));
    let selector = json!([{"op": "replace", "path": "/spec/selector/matchLabels/pilothouse.dev~1slot", "value": "c"}]);
    let status = refusal(json_patch(&rig, "Deployment", "trackx-b", selector).await);
    assert_eq!((status.code, causes(&status)), (422, 2));
}

#[tokio::test(start_paused = true)]
async fn what_a_release_is_for_cannot_change() {
    let rig = rig();
    let change = json!([{"op": "replace", "path": "/spec/version", "value": "5.0.0"}]);
    let status = refusal(json_patch(&rig, "Release", "trackx-4-12-0", change).await);
    assert_eq!((status.code, causes(&status)), (422, 1));
    assert!(status.message.contains("spec.version cannot change"), "{}", status.message);
    let unknown = json!([{"op": "add", "path": "/spec/odd", "value": 1}]);
    let pruned = json_patch(&rig, "Release", "trackx-4-12-0", unknown).await.unwrap();
    assert_eq!(pruned["spec"].get("odd"), None);
}

#[tokio::test(start_paused = true)]
async fn a_put_needs_a_version_where_the_real_server_wants_one() {
    let rig = rig();
    let routes = rig.api("HTTPRoute");
    let mut route: DynamicObject = routes.get("trackx").await.unwrap();
    route.metadata.resource_version = None;
    let status = refusal(routes.replace("trackx", &kube::api::PostParams::default(), &route).await);
    assert_eq!((status.code, causes(&status)), (422, 1));
}
