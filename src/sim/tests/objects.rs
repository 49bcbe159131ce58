//! Reading, creating and deleting.

use super::super::{Account, Disturbance, Rights};
use super::{api_of, causes, pass, refusal, rig};
use crate::api::{RolloutPlan, check_plan};
use crate::model::parse_customers;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, PostParams, Preconditions};
use serde_json::{Value, json};
use std::time::Duration;

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

#[tokio::test(start_paused = true)]
async fn everything_runs_from_the_first_moment() {
    let rig = rig();
    let pods = rig.pods("a").await;
    assert_eq!(pods.len(), 4);
    for pod in &pods {
        assert_eq!(pod["status"]["containerStatuses"][0]["ready"], true, "{pod}");
        assert_eq!(pod["metadata"]["labels"]["app.kubernetes.io/version"], "4.11.8");
    }
    assert!(rig.pods("b").await.is_empty());
    let deployment = rig.get("Deployment", "trackx").await;
    assert_eq!(deployment["status"]["availableReplicas"], 4);
    assert_eq!(deployment["status"]["observedGeneration"], deployment["metadata"]["generation"]);
    assert_eq!(deployment["metadata"]["creationTimestamp"], "2026-11-14T06:00:00Z");
    let route = rig.get("HTTPRoute", "trackx").await;
    let parent = &route["status"]["parents"][0];
    assert_eq!(parent["controllerName"], "pilothouse.dev/embedded-gateway");
    assert_eq!(parent["conditions"][0]["observedGeneration"], route["metadata"]["generation"]);
    let live = rig.traffic.pods.lock().unwrap().clone();
    assert_eq!(live.iter().filter(|p| p.ready && p.slot.is_some()).count(), 4);
    assert_eq!(rig.traffic.routes.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_seeded_plan_and_customers_are_what_the_product_reads() {
    let rig = rig();
    let plans: Api<RolloutPlan> = Api::default_namespaced(rig.client.clone());
    let plan = plans.get("trackx").await.unwrap();
    let checked = check_plan("trackx", "trackx", &plan.spec).expect("no findings");
    assert_eq!(checked.rings.len(), 4);
    let map = rig.get("ConfigMap", "trackx-customers").await;
    let customers = parse_customers("list", map["data"]["customers.yaml"].as_str().unwrap()).expect("readable");
    assert_eq!(customers.len(), 60);
    let release = rig.get("Release", "trackx-4-12-0").await;
    assert_eq!((release.get("status"), &release["spec"]["image"]), (None, &json!("registry.example/app:4.12.0")));
}

#[tokio::test(start_paused = true)]
async fn a_list_comes_in_pages_of_one_version_and_loses_nobody() {
    let rig = rig();
    let whole: Vec<String> = rig.api("Pod").list(&ListParams::default()).await.unwrap().iter().map(name).collect();
    let first = rig.api("Pod").list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!((first.items.len(), first.metadata.remaining_item_count), (2, Some(3)));
    // What goes on meanwhile is in none of its pages.
    rig.api("Pod").delete(&name(&first.items[0]), &DeleteParams::default().grace_period(0)).await.unwrap();
    let mut seen: Vec<String> = first.iter().map(name).collect();
    let mut token = first.metadata.continue_.clone();
    while let Some(next) = token {
        let page = rig.api("Pod").list(&ListParams::default().limit(2).continue_token(&next)).await.unwrap();
        assert_eq!(page.metadata.resource_version, first.metadata.resource_version);
        seen.extend(page.iter().map(name));
        token = page.metadata.continue_.clone();
    }
    assert_eq!(seen, whole);
    let later = first.metadata.continue_.clone().unwrap_or_default();
    rig.sim.compact();
    let expired = rig.api("Pod").list(&ListParams::default().limit(2).continue_token(&later)).await;
    assert_eq!(refusal(expired).code, 410);
    let bad = rig.api("Pod").list(&ListParams::default().limit(2).continue_token("x")).await;
    assert_eq!(refusal(bad).code, 400);
}

fn name(object: &DynamicObject) -> String {
    object.metadata.name.clone().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn lists_are_selected_by_label_and_by_name() {
    let rig = rig();
    let one = rig.api("ConfigMap").list(&ListParams::default().fields("metadata.name=trackx-customers")).await.unwrap();
    assert_eq!(one.items.len(), 1);
    let none = rig.api("Deployment").list(&ListParams::default().labels("pilothouse.dev/slot=c")).await.unwrap();
    assert!(none.items.is_empty());
    assert!(none.metadata.continue_.unwrap_or_default().is_empty());
    let status = refusal(rig.api("HTTPRoute").list(&ListParams::default().fields("spec.x=1")).await);
    assert_eq!((status.code, status.reason.as_str()), (400, "BadRequest"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_and_what_is_there_already_is_said() {
    let rig = rig();
    let status = refusal(rig.api("HTTPRoute").get("nobody").await);
    assert_eq!(
        (status.code, status.reason.as_str(), status.message.as_str()),
        (404, "NotFound", "httproutes.gateway.networking.k8s.io \"nobody\" not found")
    );
    let map = object(json!({"metadata": {"name": "trackx-customers"}, "data": {}}));
    let status = refusal(rig.api("ConfigMap").create(&PostParams::default(), &map).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "AlreadyExists"));
    let elsewhere = object(json!({"metadata": {"name": "x", "namespace": "other"}}));
    assert_eq!(refusal(rig.api("ConfigMap").create(&PostParams::default(), &elsewhere).await).code, 400);
}

#[tokio::test(start_paused = true)]
async fn a_created_route_gets_defaults_and_the_servers_own_fields() {
    let rig = rig();
    let route = object(json!({
        "metadata": {"name": "managed", "uid": "mine", "labels": {"a": "b"}},
        "spec": {"parentRefs": [{"name": "web"}], "rules": [{"backendRefs": [{"name": "trackx", "port": 8080}]}]},
        "status": {"parents": []},
    }));
    let created = rig.api("HTTPRoute").create(&PostParams::default(), &route).await.unwrap();
    let created = serde_json::to_value(created).unwrap();
    assert_eq!(created["spec"]["rules"][0]["backendRefs"][0]["weight"], 1);
    assert_eq!(created["spec"]["rules"][0]["matches"][0]["path"]["type"], "PathPrefix");
    assert_eq!((created.get("status"), &created["metadata"]["generation"]), (None, &json!(1)));
    assert_ne!(created["metadata"]["uid"], "mine");
    let bad = object(json!({"metadata": {"name": "bad"}, "spec": {"rules": vec![json!({}); 17]}}));
    let status = refusal(rig.api("HTTPRoute").create(&PostParams::default(), &bad).await);
    assert_eq!((status.code, causes(&status)), (422, 1));
}

#[tokio::test(start_paused = true)]
async fn a_delete_keeps_to_its_preconditions() {
    let rig = rig();
    let routes = rig.api("HTTPRoute");
    let route = rig.get("HTTPRoute", "trackx").await;
    let with = |uid: Option<&str>, version: Option<&str>| DeleteParams {
        preconditions: Some(Preconditions {
            uid: uid.map(str::to_owned),
            resource_version: version.map(str::to_owned),
        }),
        ..DeleteParams::default()
    };
    let status = refusal(routes.delete("trackx", &with(Some("other"), None)).await);
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    assert!(status.message.contains("UID in the precondition"), "{}", status.message);
    let status = refusal(routes.delete("trackx", &with(None, Some("1"))).await);
    assert!(status.message.contains("ResourceVersion in the precondition"), "{}", status.message);
    let uid = route["metadata"]["uid"].as_str();
    let version = route["metadata"]["resourceVersion"].as_str();
    let done = routes.delete("trackx", &with(uid, version)).await.unwrap();
    assert!(done.is_right());
    assert_eq!(refusal(routes.get("trackx").await).code, 404);
}

#[tokio::test(start_paused = true)]
async fn an_object_with_finalizers_stays_until_they_are_gone() {
    let rig = rig();
    let maps = rig.api("ConfigMap");
    let map = object(json!({"metadata": {"name": "kept", "finalizers": ["example/keep"]}}));
    maps.create(&PostParams::default(), &map).await.unwrap();
    let dying = maps.delete("kept", &DeleteParams::default()).await.unwrap().left().expect("the object");
    assert!(dying.metadata.deletion_timestamp.is_some());
    let patch = json!({"metadata": {"finalizers": null}});
    maps.patch("kept", &kube::api::PatchParams::default(), &kube::api::Patch::Merge(&patch)).await.unwrap();
    assert_eq!(refusal(maps.get("kept").await).code, 404);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_an_object_with_microseconds() {
    let rig = rig();
    let leases: Api<Lease> = Api::default_namespaced(rig.client.clone());
    let lease: Lease = serde_json::from_value(json!({"metadata": {"name": "pilothouse-trackx"},
        "spec": {"holderIdentity": "dana/1", "renewTime": "2026-11-23T10:00:00.123456Z", "leaseDurationSeconds": 15}}))
    .unwrap();
    let mut created = leases.create(&PostParams::default(), &lease).await.unwrap();
    let spec = created.spec.as_mut().unwrap();
    spec.holder_identity = Some("eve/2".into());
    leases.replace("pilothouse-trackx", &PostParams::default(), &created).await.unwrap();
    let stale = refusal(leases.replace("pilothouse-trackx", &PostParams::default(), &created).await);
    assert_eq!((stale.code, stale.reason.as_str()), (409, "Conflict"));
    created.metadata.resource_version = None;
    let status = refusal(leases.replace("pilothouse-trackx", &PostParams::default(), &created).await);
    assert_eq!((status.code, causes(&status)), (422, 1));
}

#[tokio::test(start_paused = true)]
async fn rights_are_kept_and_can_be_asked_for() {
    let rig = rig();
    let viewer = rig.sim.client_as(Account { user: "eve".into(), rights: Rights::Read }, "trackx");
    let routes = api_of(&viewer, "HTTPRoute");
    assert!(routes.get("trackx").await.is_ok());
    let status = refusal(routes.delete("trackx", &DeleteParams::default()).await);
    assert_eq!((status.code, status.reason.as_str()), (403, "Forbidden"));
    let reviews: Api<SelfSubjectAccessReview> = Api::all(viewer);
    let ask = |verb: &str| SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: Some(verb.into()),
                resource: Some("httproutes".into()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = |review: SelfSubjectAccessReview| review.status.unwrap().allowed;
    assert!(answer(reviews.create(&PostParams::default(), &ask("get")).await.unwrap()));
    assert!(!answer(reviews.create(&PostParams::default(), &ask("patch")).await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn unknown_outcomes_can_be_made_in_every_way() {
    let rig = rig();
    let maps = rig.api("ConfigMap");
    let named = |name: &str| object(json!({"metadata": {"name": name}}));
    let timeout = Duration::from_secs(3);
    let params = PostParams::default();
    let faults = rig.sim.faults();
    faults.disturb("POST", "/configmaps", Disturbance::AnswerLost, 1);
    assert!(tokio::time::timeout(timeout, maps.create(&params, &named("lost-answer"))).await.is_err());
    assert!(maps.get("lost-answer").await.is_ok());
    faults.disturb("POST", "/configmaps", Disturbance::RequestLost, 1);
    assert!(tokio::time::timeout(timeout, maps.create(&params, &named("lost-request"))).await.is_err());
    assert_eq!(refusal(maps.get("lost-request").await).code, 404);
    faults.disturb("POST", "/configmaps", Disturbance::LandsLate(Duration::from_secs(10)), 1);
    assert!(tokio::time::timeout(timeout, maps.create(&params, &named("late"))).await.is_err());
    assert_eq!(refusal(maps.get("late").await).code, 404);
    pass(10).await;
    assert!(maps.get("late").await.is_ok());
    faults.disturb("POST", "/configmaps", Disturbance::AnswerSpoiled(504), 1);
    assert_eq!(refusal(maps.create(&params, &named("spoiled")).await).code, 504);
    assert!(maps.get("spoiled").await.is_ok());
    faults.disturb("POST", "/configmaps", Disturbance::Refused(503), 1);
    assert_eq!(refusal(maps.create(&params, &named("refused")).await).code, 503);
    assert_eq!(refusal(maps.get("refused").await).code, 404);
    assert_eq!(faults.writes().len(), 5);
    assert!(faults.writes().iter().all(|w| w.method == "POST" && w.path.contains("/configmaps")));
}

#[tokio::test(start_paused = true)]
async fn the_metrics_source_is_reached_through_the_service_proxy_and_nothing_else_is() {
    let rig = rig();
    let ask = async |path: &str| {
        let request = http::Request::get(path).body(Vec::new()).unwrap();
        rig.client.request::<Value>(request).await
    };
    let base = "/api/v1/namespaces/monitoring/services";
    let answer = ask(&format!("{base}/http:prometheus:9090/proxy/api/v1/query?query=up")).await.unwrap();
    assert_eq!(answer["data"], json!({"path": "/api/v1/query", "query": "query=up"}));
    assert_eq!(refusal(ask(&format!("{base}/nobody:9090/proxy/api/v1/query?query=up")).await).code, 404);
    assert_eq!(refusal(ask(&format!("{base}/prometheus:9090/proxy/api/v1/admin")).await).code, 404);
    let other = "/api/v1/namespaces/trackx/services/trackx:8080/proxy/api/v1/query?query=up";
    assert_eq!(refusal(ask(other).await).code, 503);
}
