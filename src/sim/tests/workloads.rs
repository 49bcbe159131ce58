//! Deployments, pods and the gateway on paused time.

use super::{Rig, pass, refusal, rig};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

async fn merge(rig: &Rig, kind: &str, name: &str, patch: Value) {
    rig.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
}

async fn scale(rig: &Rig, name: &str, replicas: u32) {
    merge(rig, "Deployment", name, json!({"spec": {"replicas": replicas}})).await;
}

async fn image(rig: &Rig, name: &str, tag: &str, replicas: u32) {
    let patch = json!({"spec": {"replicas": replicas, "template": {
        "metadata": {"labels": {"app.kubernetes.io/version": tag}},
        "spec": {"containers": [{"name": "app", "image": format!("registry.example/app:{tag}")}]}}}});
    rig.api("Deployment").patch(name, &PatchParams::default(), &Patch::Strategic(&patch)).await.unwrap();
}

async fn status(rig: &Rig, name: &str) -> Value {
    rig.get("Deployment", name).await["status"].clone()
}

async fn endpoints(rig: &Rig, service: &str) -> Vec<Value> {
    let params = kube::api::ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
    let slices = rig.api("EndpointSlice").list(&params).await.unwrap();
    assert_eq!(slices.items.len(), 1);
    slices.items[0].data["endpoints"].as_array().cloned().unwrap_or_default()
}

/// Opens work in one pod of slot a; returns its name.
fn busy(rig: &Rig, work: u64) -> String {
    let pods = rig.traffic.pods.lock().unwrap();
    let name = pods.iter().find(|p| p.slot == Some(crate::model::Slot::A)).unwrap().name.clone();
    rig.traffic.open.lock().unwrap().insert(name.clone(), work);
    name
}

fn live(rig: &Rig, version: &str) -> usize {
    rig.traffic.pods.lock().unwrap().iter().filter(|p| p.version == version && p.ready).count()
}

#[tokio::test(start_paused = true)]
async fn the_idle_slot_gets_a_new_version_and_is_ready_after_the_start_time() {
    let rig = rig();
    image(&rig, "trackx-b", "4.12.0", 4).await;
    pass(1).await;
    let pending = rig.pods("b").await;
    assert_eq!((pending.len(), &pending[0]["status"]["phase"]), (4, &json!("Pending")));
    pass(2).await;
    assert_eq!(rig.pods("b").await[0]["status"]["phase"], "Running");
    assert_eq!(live(&rig, "4.12.0"), 0);
    assert!(endpoints(&rig, "trackx-b").await.iter().all(|e| e["conditions"]["ready"] == false));
    pass(2).await;
    assert_eq!(live(&rig, "4.12.0"), 4);
    let deployment = rig.get("Deployment", "trackx-b").await;
    let status = &deployment["status"];
    for field in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"] {
        assert_eq!(status[field], 4, "{field}");
    }
    assert_eq!(status["observedGeneration"], deployment["metadata"]["generation"]);
    let endpoints = endpoints(&rig, "trackx-b").await;
    assert_eq!(endpoints.iter().filter(|e| e["conditions"]["ready"] == true).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_rolling_update_never_goes_below_what_must_be_available() {
    let rig = rig();
    image(&rig, "trackx", "4.13.0", 4).await;
    let mut least = usize::MAX;
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        least = least.min(live(&rig, "4.11.8") + live(&rig, "4.13.0"));
    }
    assert!(least >= 3, "{least}");
    assert_eq!((live(&rig, "4.13.0"), live(&rig, "4.11.8")), (4, 0));
    let sets = rig.api("ReplicaSet").list(&kube::api::ListParams::default()).await.unwrap();
    let ours: Vec<_> = sets.items.iter().filter(|s| s.metadata.name.as_ref().unwrap().starts_with("trackx-")).collect();
    assert!(ours.iter().any(|s| s.data["spec"]["replicas"] == 0));
    assert_eq!(
        rig.get("Deployment", "trackx").await["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "2"
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_that_does_not_exist_never_becomes_ready_and_can_be_taken_back() {
    let rig = rig();
    image(&rig, "trackx-b", "5.0.0-missing", 2).await;
    pass(60).await;
    let pods = rig.pods("b").await;
    assert_eq!(pods[0]["status"]["containerStatuses"][0]["state"]["waiting"]["reason"], "ImagePullBackOff");
    assert_eq!(status(&rig, "trackx-b").await.get("readyReplicas"), None);
    scale(&rig, "trackx-b", 0).await;
    pass(1).await;
    assert!(rig.pods("b").await.is_empty());
    assert!(rig.traffic.killed.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pod_waits_for_its_work_and_ends_cleanly() {
    let rig = rig();
    let name = busy(&rig, 3);
    scale(&rig, "trackx", 0).await;
    pass(5).await;
    let left = rig.pods("a").await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["metadata"]["name"], name.as_str());
    assert!(rig.traffic.pods.lock().unwrap().iter().any(|p| p.terminating && !p.ready && p.name == name));
    let endpoints = endpoints(&rig, "trackx").await;
    assert_eq!(endpoints[0]["conditions"], json!({"ready": false, "serving": true, "terminating": true}));
    let status = status(&rig, "trackx").await;
    assert_eq!((&status["terminatingReplicas"], status.get("replicas")), (&json!(1), None));
    rig.traffic.open.lock().unwrap().clear();
    pass(1).await;
    assert!(rig.pods("a").await.is_empty());
    assert!(rig.traffic.killed.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_killed_at_the_end_of_its_grace_period_and_shows_137() {
    let rig = rig();
    let name = busy(&rig, 2);
    let from = rig.api("Pod").list(&kube::api::ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let begin = Instant::now();
    scale(&rig, "trackx", 0).await;
    let mut ended = None;
    let params = kube::api::WatchParams::default().fields(&format!("metadata.name={name}")).timeout(60);
    let mut events = std::pin::pin!(rig.api("Pod").watch(&params, &from).await.unwrap());
    while let Some(event) = futures::TryStreamExt::try_next(&mut events).await.unwrap() {
        match event {
            kube::api::WatchEvent::Modified(pod) if pod.data["status"]["phase"] == "Failed" => ended = Some(pod),
            kube::api::WatchEvent::Deleted(_) => break,
            _ => {}
        }
    }
    assert_eq!(begin.elapsed().as_secs(), 30);
    let state = &ended.expect("its end was seen").data["status"]["containerStatuses"][0]["state"];
    assert_eq!(state["terminated"]["exitCode"], 137);
    assert_eq!(*rig.traffic.killed.lock().unwrap(), [name]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_is_replaced_and_a_forced_delete_kills() {
    let rig = rig();
    let name = busy(&rig, 1);
    let force = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    rig.api("Pod").delete(&name, &force).await.unwrap();
    pass(6).await;
    assert_eq!(rig.pods("a").await.len(), 4);
    assert_eq!(live(&rig, "4.11.8"), 4);
    assert_eq!(*rig.traffic.killed.lock().unwrap(), [name]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_given_to_a_node_when_its_gates_are_gone() {
    let rig = rig();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "later" },
        "spec": { "schedulingGates": [{ "name": "example.com/later" }], "containers": [{ "name": "c", "image": "i" }] },
    });
    rig.api("Pod").create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    pass(10).await;
    let pod = rig.get("Pod", "later").await;
    assert_eq!((&pod["status"]["phase"], pod["spec"].get("nodeName")), (&json!("Pending"), None));
    let open = Patch::Merge(json!({ "spec": { "schedulingGates": null } }));
    rig.api("Pod").patch("later", &PatchParams::default(), &open).await.unwrap();
    pass(10).await;
    assert_eq!(rig.get("Pod", "later").await["status"]["phase"], "Running");
}

#[tokio::test(start_paused = true)]
async fn a_crashed_container_restarts_is_counted_and_gets_ready_again() {
    let rig = rig();
    let name = busy(&rig, 0);
    rig.traffic.crashed.lock().unwrap().push(name.clone());
    pass(1).await;
    let container = |pod: &Value| pod["status"]["containerStatuses"][0].clone();
    let pod = container(&rig.get("Pod", &name).await);
    assert_eq!((&pod["restartCount"], &pod["ready"]), (&json!(1), &json!(false)));
    assert_eq!(live(&rig, "4.11.8"), 3);
    pass(4).await;
    let pod = container(&rig.get("Pod", &name).await);
    assert_eq!((&pod["restartCount"], &pod["ready"]), (&json!(1), &json!(true)));
    assert_eq!(pod["lastState"]["terminated"]["exitCode"], 1);
    assert_eq!(live(&rig, "4.11.8"), 4);
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_a_deleted_deployment_goes_with_it() {
    let rig = rig();
    rig.api("Deployment").delete("trackx", &DeleteParams::default()).await.unwrap();
    pass(2).await;
    assert!(rig.pods("a").await.is_empty());
    let sets =
        rig.api("ReplicaSet").list(&kube::api::ListParams::default().labels("pilothouse.dev/slot=a")).await.unwrap();
    assert!(sets.items.is_empty());
}

#[tokio::test(start_paused = true)]
async fn weights_become_live_after_the_lag_and_the_status_follows_on_its_own() {
    let rig = rig();
    *rig.traffic.lag.lock().unwrap() = Duration::from_secs(3);
    let begin = Instant::now();
    let patch = json!([{"op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": 100}]);
    let patch: Patch<()> = Patch::Json(serde_json::from_value(patch).unwrap());
    let changed = rig.api("HTTPRoute").patch("trackx", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(rig.traffic.routes.lock().unwrap().len(), 1);
    pass(9).await;
    let (at, routes) = rig.traffic.routes.lock().unwrap().last().cloned().unwrap();
    assert_eq!((at - begin).as_secs_f64().round(), 5.0);
    assert_eq!(routes[0]["spec"]["rules"][0]["backendRefs"][1]["weight"], 100);
    let route = rig.get("HTTPRoute", "trackx").await;
    for condition in route["status"]["parents"][0]["conditions"].as_array().unwrap() {
        assert_eq!(condition["observedGeneration"], changed.metadata.generation.unwrap());
        // The idle slot has no pods: what it gets is lost, and the status says so.
        let expected = if condition["type"] == "BackendsAvailable" { "False" } else { "True" };
        assert_eq!(condition["status"], expected);
    }
    assert_eq!(rig.traffic.routes.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_status_names_a_backend_without_endpoints_only_while_it_has_weight_and_none() {
    let rig = rig();
    let kinds = |route: &Value| -> Vec<String> {
        let conditions = route["status"]["parents"][0]["conditions"].as_array().unwrap();
        conditions.iter().map(|c| c["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&rig.get("HTTPRoute", "trackx").await), ["Accepted", "ResolvedRefs"]);
    let patch = json!([{"op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": 1}]);
    let patch: Patch<()> = Patch::Json(serde_json::from_value(patch).unwrap());
    rig.api("HTTPRoute").patch("trackx", &PatchParams::default(), &patch).await.unwrap();
    pass(9).await;
    assert_eq!(kinds(&rig.get("HTTPRoute", "trackx").await), ["Accepted", "ResolvedRefs", "BackendsAvailable"]);
    merge(&rig, "Deployment", "trackx-b", json!({"spec": {"replicas": 1}})).await;
    pass(20).await;
    assert_eq!(kinds(&rig.get("HTTPRoute", "trackx").await), ["Accepted", "ResolvedRefs"]);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_does_not_exist_is_named_even_at_weight_zero() {
    let rig = rig();
    let route = serde_json::from_value(json!({"metadata": {"name": "r"}, "spec": {"parentRefs": [{"name": "web"}],
        "rules": [{"backendRefs": [{"name": "nobody", "port": 80, "weight": 0}]}]}}))
    .unwrap();
    rig.api("HTTPRoute").create(&PostParams::default(), &route).await.unwrap();
    pass(4).await;
    let conditions = rig.get("HTTPRoute", "r").await["status"]["parents"][0]["conditions"].clone();
    assert_eq!((&conditions[0]["status"], &conditions[1]["reason"]), (&json!("True"), &json!("BackendNotFound")));
    merge(&rig, "Service", "trackx", json!({"metadata": {"labels": {"x": "y"}}})).await;
    let service =
        serde_json::from_value(json!({"metadata": {"name": "nobody"}, "spec": {"ports": [{"port": 80}]}})).unwrap();
    rig.api("Service").create(&PostParams::default(), &service).await.unwrap();
    pass(4).await;
    let conditions = rig.get("HTTPRoute", "r").await["status"]["parents"][0]["conditions"].clone();
    assert_eq!(conditions[1]["status"], "True");
}

#[tokio::test(start_paused = true)]
async fn a_route_of_another_gateway_is_left_alone() {
    let rig = rig();
    let route = serde_json::from_value(json!({"metadata": {"name": "r"}, "spec": {"parentRefs": [{"name": "other"}]}}));
    rig.api("HTTPRoute").create(&PostParams::default(), &route.unwrap()).await.unwrap();
    pass(4).await;
    assert_eq!(rig.get("HTTPRoute", "r").await.get("status"), None);
    rig.api("HTTPRoute").delete("r", &DeleteParams::default()).await.unwrap();
    assert_eq!(refusal(rig.api("HTTPRoute").get("r").await).code, 404);
}
