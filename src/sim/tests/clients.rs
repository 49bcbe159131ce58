//! The requests that other clients send, word by word: k9s, helm, the Python client and kubectl.

use super::{Rig, pass, rig};
use axum::body::{Body, to_bytes};
use http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// What k9s and kubectl accept for a table.
const TABLE: &str =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
const JSON: &str = "application/json";

async fn send(rig: &Rig, method: &str, path: &str, accept: &str, body: Value) -> (u16, Value) {
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let request = Request::builder().method(method).uri(path).header(header::ACCEPT, accept);
    let request = request.header(header::CONTENT_TYPE, JSON).header(header::USER_AGENT, "tool/v1.0.0 (linux/amd64)");
    let response = rig.sim.router().oneshot(request.body(body).unwrap()).await.unwrap();
    let code = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn get(rig: &Rig, path: &str, accept: &str) -> Value {
    let (code, value) = send(rig, "GET", path, accept, Value::Null).await;
    assert_eq!(code, 200, "{path}: {value}");
    value
}

/// What the pulses of k9s list, one after the other: the first that is missing ends them.
#[tokio::test(start_paused = true)]
async fn every_kind_that_a_dashboard_counts_is_served_and_discovered() {
    let rig = rig();
    let discovered = get(&rig, "/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList").await;
    let core = get(&rig, "/api", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList").await;
    for (group, version, plural) in [
        ("", "v1", "nodes"),
        ("", "v1", "namespaces"),
        ("", "v1", "services"),
        ("events.k8s.io", "v1", "events"),
        ("", "v1", "pods"),
        ("apps", "v1", "deployments"),
        ("apps", "v1", "statefulsets"),
        ("apps", "v1", "daemonsets"),
        ("batch", "v1", "jobs"),
        ("batch", "v1", "cronjobs"),
        ("", "v1", "persistentvolumes"),
        ("", "v1", "persistentvolumeclaims"),
        ("autoscaling", "v1", "horizontalpodautoscalers"),
        ("networking.k8s.io", "v1", "ingresses"),
        ("networking.k8s.io", "v1", "networkpolicies"),
        ("", "v1", "serviceaccounts"),
        ("rbac.authorization.k8s.io", "v1", "clusterroles"),
    ] {
        let prefix = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let list = get(&rig, &format!("{prefix}/{plural}?limit=500&resourceVersion=0"), JSON).await;
        assert!(list["items"].is_array(), "{plural}");
        let groups = if group.is_empty() { &core } else { &discovered };
        let found = groups["items"].as_array().unwrap().iter().filter(|item| item["metadata"]["name"] == group);
        let mut versions =
            found.flat_map(|item| item["versions"].as_array().unwrap()).filter(|v| v["version"] == version);
        let resources = versions.next().unwrap()["resources"].as_array().unwrap();
        assert!(resources.iter().any(|r| r["resource"] == plural), "{plural} is not discovered");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_nothing_here_would_run_can_be_read_only() {
    let rig = rig();
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {}});
    let (code, status) = send(&rig, "POST", "/apis/batch/v1/namespaces/trackx/jobs", JSON, job).await;
    assert_eq!((code, &status["reason"]), (405, &json!("MethodNotAllowed")));
    let resources = get(&rig, "/apis/batch/v1", JSON).await;
    assert_eq!(resources["resources"][0]["verbs"], json!(["get", "list", "watch"]));
}

/// k9s draws its generic tables from rows with whole objects.
#[tokio::test(start_paused = true)]
async fn a_table_brings_the_objects_that_were_asked_for() {
    let rig = rig();
    let routes = "/apis/gateway.networking.k8s.io/v1/namespaces/trackx/httproutes?includeObject=";
    let table = get(&rig, &format!("{routes}Object"), TABLE).await;
    assert_eq!(
        (&table["kind"], &table["rows"][0]["object"]["spec"]["hostnames"]),
        (&json!("Table"), &json!(["trackx.example"]))
    );
    let table = get(&rig, &format!("{routes}Metadata"), TABLE).await;
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    assert!(get(&rig, &format!("{routes}None"), TABLE).await["rows"][0]["object"].is_null());
    let version = table["metadata"]["resourceVersion"].as_str().unwrap();
    assert!(version.parse::<u64>().is_ok(), "the version of the list: {version}");
}

/// Metadata clients ask for nothing else.
#[tokio::test(start_paused = true)]
async fn metadata_alone_can_be_listed_and_read() {
    let rig = rig();
    let list = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
    let found = get(&rig, "/apis/apps/v1/namespaces/trackx/deployments", list).await;
    assert_eq!((&found["kind"], &found["apiVersion"]), (&json!("PartialObjectMetadataList"), &json!("meta.k8s.io/v1")));
    assert!(found["items"][0].get("spec").is_none() && found["items"][0]["metadata"]["name"].is_string());
    let one = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
    let found = get(&rig, "/apis/apps/v1/namespaces/trackx/deployments/trackx", one).await;
    assert_eq!((&found["kind"], found.get("spec")), (&json!("PartialObjectMetadata"), None));
}

/// helm keeps each release in a Secret of its own type, finds it by labels, and deletes it by name.
#[tokio::test(start_paused = true)]
async fn a_release_of_helm_is_a_secret_that_is_found_by_its_labels() {
    let rig = rig();
    let secrets = "/api/v1/namespaces/trackx/secrets";
    let none = get(&rig, &format!("{secrets}?labelSelector=owner%3Dhelm"), JSON).await;
    assert_eq!(none["items"], json!([]));
    let labels = json!({"owner": "helm", "name": "web", "status": "deployed", "version": "1"});
    let secret = json!({"metadata": {"name": "sh.helm.release.v1.web.v1", "labels": labels, "creationTimestamp": null},
        "type": "helm.sh/release.v1", "data": {"release": "SDRzSUFBQUE="}});
    let (code, made) = send(&rig, "POST", secrets, JSON, secret).await;
    assert_eq!(
        (code, &made["type"], &made["data"]["release"]),
        (201, &json!("helm.sh/release.v1"), &json!("SDRzSUFBQUE="))
    );
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "tool");
    let query = "labelSelector=name%3Dweb%2Cowner%3Dhelm%2Cstatus%3Ddeployed";
    let found = get(&rig, &format!("{secrets}?{query}"), JSON).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let gone = send(&rig, "DELETE", &format!("{secrets}/sh.helm.release.v1.web.v1"), JSON, Value::Null).await;
    assert_eq!((gone.0, &gone.1["status"]), (200, &json!("Success")));
}

#[tokio::test(start_paused = true)]
async fn a_collection_is_deleted_as_far_as_its_selector_reaches() {
    let rig = rig();
    let maps = "/api/v1/namespaces/trackx/configmaps";
    for (name, part) in [("one", "a"), ("two", "a"), ("three", "b")] {
        let map = json!({"metadata": {"name": name, "labels": {"part": part}}});
        assert_eq!(send(&rig, "POST", maps, JSON, map).await.0, 201);
    }
    let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]});
    let part = format!("{maps}?labelSelector=part%3Da");
    let left = async || get(&rig, &format!("{maps}?labelSelector=part"), JSON).await["items"].as_array().unwrap().len();
    let (code, list) = send(&rig, "DELETE", &part, JSON, options).await;
    assert_eq!((code, list["items"].as_array().unwrap().len(), left().await), (200, 2, 3));
    assert_eq!(send(&rig, "DELETE", &part, JSON, Value::Null).await.0, 200);
    assert_eq!(left().await, 1);
    assert_eq!(send(&rig, "DELETE", "/api/v1/configmaps", JSON, Value::Null).await.0, 405);
}

/// The typed Python client reads every field of a node's system information as text.
#[tokio::test(start_paused = true)]
async fn a_node_tells_all_that_typed_clients_require() {
    let rig = rig();
    let node = get(&rig, "/api/v1/nodes/embedded-0", JSON).await;
    let typed: k8s_openapi::api::core::v1::Node = serde_json::from_value(node.clone()).unwrap();
    assert!(typed.status.unwrap().capacity.unwrap().contains_key("cpu"));
    for field in [
        "architecture",
        "bootID",
        "containerRuntimeVersion",
        "kernelVersion",
        "kubeProxyVersion",
        "kubeletVersion",
        "machineID",
        "operatingSystem",
        "osImage",
        "systemUUID",
    ] {
        assert!(node["status"]["nodeInfo"][field].is_string(), "{field}");
    }
}

/// Newer clients read events under their own group.
#[tokio::test(start_paused = true)]
async fn an_event_is_shown_under_both_groups() {
    let rig = rig();
    let event = json!({"metadata": {"name": "e"}, "reason": "Looked", "message": "all is well", "type": "Normal",
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "trackx"}, "count": 1, "lastTimestamp": "2026-11-23T10:00:00Z"});
    assert_eq!(send(&rig, "POST", "/api/v1/namespaces/trackx/events", JSON, event).await.0, 201);
    pass(5).await;
    let path = "/apis/events.k8s.io/v1/namespaces/trackx/events";
    let found = get(&rig, path, JSON).await;
    assert_eq!(
        (&found["items"][0]["note"], &found["items"][0]["regarding"]["name"]),
        (&json!("all is well"), &json!("p"))
    );
    let table = get(&rig, path, TABLE).await;
    assert_eq!(table["rows"][0]["cells"], json!(["e", "5s", "Normal", "Looked", "pod/p", "all is well", "5s"]));
}

/// k9s scales by a PUT of a typed client, which is protobuf: `kind: Scale` of `trackx-b` with two replicas.
#[tokio::test(start_paused = true)]
async fn a_scale_that_comes_as_protobuf_is_carried_out() {
    let rig = rig();
    let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let kind = [field(1, b"autoscaling/v1"), field(2, b"Scale")].concat();
    let raw = [field(1, &[field(1, b"trackx-b"), field(3, b"trackx")].concat()), field(2, &[8, 2])].concat();
    let body = [b"k8s\0".to_vec(), field(1, &kind), field(2, &raw)].concat();
    let put = |path: &str, body: Vec<u8>| {
        Request::put(path)
            .header(header::ACCEPT, "application/vnd.kubernetes.protobuf,application/json")
            .header(header::CONTENT_TYPE, "application/vnd.kubernetes.protobuf")
            .body(Body::from(body))
            .unwrap()
    };
    let deployments = "/apis/apps/v1/namespaces/trackx/deployments/trackx-b";
    let done = rig.sim.router().oneshot(put(&format!("{deployments}/scale"), body)).await.unwrap();
    assert_eq!(done.status(), 200);
    assert_eq!(get(&rig, deployments, JSON).await["spec"]["replicas"], 2);
    // A kind with many fields is not read, and that is said instead of stored half.
    let other = [b"k8s\0".to_vec(), field(1, &[field(1, b"apps/v1"), field(2, b"Deployment")].concat())].concat();
    assert_eq!(rig.sim.router().oneshot(put(deployments, other)).await.unwrap().status(), 415);
}

/// The workloads of k9s are rows of tables whose counts it reads as numbers.
#[tokio::test(start_paused = true)]
async fn the_counts_of_a_table_are_numbers() {
    let rig = rig();
    let table = get(&rig, "/apis/apps/v1/namespaces/trackx/deployments/trackx", TABLE).await;
    assert_eq!(table["rows"][0]["cells"].as_array().unwrap()[..4], [json!("trackx"), json!("4/4"), json!(4), json!(4)]);
    assert_eq!(
        (&table["columnDefinitions"][2]["name"], &table["columnDefinitions"][2]["type"]),
        (&json!("Up-to-date"), &json!("integer"))
    );
}

/// k9s asks for timestamps and takes the first word of each line for one.
#[tokio::test(start_paused = true)]
async fn a_log_has_its_time_in_front_when_that_is_asked_for() {
    let rig = rig();
    let pod = rig.pods("a").await[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let path =
        format!("/api/v1/namespaces/trackx/pods/{pod}/log?container=app&follow=true&tailLines=100&timestamps=true");
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = rig.sim.router().oneshot(request).await.unwrap();
    let text = String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap();
    let (time, line) = text.split_once(' ').unwrap();
    assert!(time.parse::<crate::model::Timestamp>().is_ok(), "{text}");
    assert!(line.starts_with("pods of the embedded cluster"), "{text}");
}
