//! Server-side apply, and the record of who owns which field.

use super::rest::{Answer, Patch};
use super::stage::{Stage, said, version};
use color_eyre::eyre::Result;
use serde_json::{Value, json};

pub async fn a_create_records_every_field_that_is_set(stage: &Stage) -> Result<Value> {
    let mut out = Vec::new();
    for (resource, object) in each_kind(stage) {
        let path = format!("{}?fieldManager=ci", stage.all(resource));
        out.push(record(&stage.rest.post(&path, &object).await?.ok()?));
    }
    Ok(json!(out))
}

pub async fn an_apply_creates_and_records_what_it_has(stage: &Stage) -> Result<Value> {
    let mut out = Vec::new();
    for (resource, object) in each_kind(stage) {
        let made = apply(stage, resource, "ci", &object).await?;
        out.push(json!([made.code, record(&made.body)]));
    }
    Ok(json!(out))
}

pub async fn an_apply_of_the_same_again_changes_no_version(stage: &Stage) -> Result<Value> {
    let mut out = Vec::new();
    for (resource, object) in [("httproutes", stage.route()), ("configmaps", stage.config(stage.name(), "one"))] {
        let first = apply(stage, resource, "ci", &object).await?.ok()?;
        let again = apply(stage, resource, "ci", &object).await?;
        out.push(json!([again.code, version(&first) == version(&again.body)]));
    }
    Ok(json!(out))
}

pub async fn an_apply_shares_a_value_and_conflicts_over_another(stage: &Stage) -> Result<Value> {
    apply(stage, "configmaps", "one", &data(stage, json!({ "a": "1", "b": "1" }))).await?.ok()?;
    let shared = apply(stage, "configmaps", "two", &data(stage, json!({ "a": "1" }))).await?.ok()?;
    let other = apply(stage, "configmaps", "three", &data(stage, json!({ "a": "2" }))).await?;
    let more = apply(stage, "configmaps", "two", &data(stage, json!({ "a": "1", "b": "2" }))).await?;
    Ok(json!([record(&shared), refused(&other), refused(&more), stage.read("configmaps").await?["data"]]))
}

pub async fn a_conflict_with_an_update_names_its_version(stage: &Stage) -> Result<Value> {
    let path = format!("{}?fieldManager=ci", stage.all("deployments"));
    stage.rest.post(&path, &stage.deployment()).await?.ok()?;
    let mut config = head(stage, "apps/v1", "Deployment");
    config["spec"] =
        json!({ "template": { "spec": { "containers": [{ "name": "app", "image": "registry.example/app:2" }] } } });
    let one = apply(stage, "deployments", "hand", &config).await?;
    config["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{ "name": "A", "value": "2" }]);
    let two = apply(stage, "deployments", "hand", &config).await?;
    Ok(json!([refused(&one), refused(&two)]))
}

pub async fn a_forced_apply_takes_the_field(stage: &Stage) -> Result<Value> {
    apply(stage, "configmaps", "one", &data(stage, json!({ "a": "1", "b": "1" }))).await?.ok()?;
    let path = format!("{}?fieldManager=two&force=true", stage.one("configmaps"));
    let config = data(stage, json!({ "a": "2" }));
    let forced = stage.rest.send("PATCH", &path, APPLY, Some(&config)).await?.ok()?;
    let back = apply(stage, "configmaps", "one", &data(stage, json!({ "a": "1", "b": "1" }))).await?;
    Ok(json!([forced["data"], record(&forced), refused(&back)]))
}

pub async fn what_is_no_longer_applied_is_removed(stage: &Stage) -> Result<Value> {
    let mut config = data(stage, json!({ "a": "1", "b": "1" }));
    config["metadata"]["labels"] = json!({ "x": "1", "y": "1" });
    apply(stage, "configmaps", "one", &config).await?.ok()?;
    let mut other = data(stage, json!({ "c": "1" }));
    other["metadata"]["labels"] = json!({ "y": "1" });
    apply(stage, "configmaps", "two", &other).await?.ok()?;
    let now = apply(stage, "configmaps", "one", &data(stage, json!({ "b": "1" }))).await?.ok()?;
    let nothing = apply(stage, "configmaps", "two", &head(stage, "v1", "ConfigMap")).await?.ok()?;
    Ok(json!([now["data"], now["metadata"]["labels"], nothing["data"], labels(&nothing), record(&nothing)]))
}

pub async fn items_of_lists_are_merged_and_removed_by_their_keys(stage: &Stage) -> Result<Value> {
    let path = format!("{}?fieldManager=ci", stage.all("deployments"));
    stage.rest.post(&path, &stage.deployment()).await?.ok()?;
    let config = |containers: Value| {
        let mut config = head(stage, "apps/v1", "Deployment");
        config["spec"] = json!({ "template": { "spec": { "containers": containers } } });
        config
    };
    let ports = json!([{ "containerPort": 53, "protocol": "UDP" }, { "containerPort": 53 }]);
    let env = json!([{ "name": "B", "value": "1" }, { "name": "A", "value": "1" }, { "name": "C", "value": "1" }]);
    let all = json!([
        { "name": "new", "image": "registry.example/new:1" },
        { "name": "app", "env": env, "ports": ports, "args": ["x"] },
    ]);
    let made = apply(stage, "deployments", "one", &config(all)).await?.ok()?;
    let less = json!([{ "name": "app", "env": [{ "name": "C", "value": "1" }] }]);
    let now = apply(stage, "deployments", "one", &config(less)).await?.ok()?;
    Ok(json!([containers(&made), record(&made), containers(&now), record(&now)]))
}

pub async fn the_rules_of_a_route_are_owned_as_one(stage: &Stage) -> Result<Value> {
    apply(stage, "httproutes", "one", &stage.route()).await?.ok()?;
    let mut other = stage.route();
    other["spec"]["rules"][0]["backendRefs"][0]["weight"] = json!(50);
    Ok(refused(&apply(stage, "httproutes", "two", &other).await?))
}

pub async fn an_update_takes_the_fields_it_changes(stage: &Stage) -> Result<Value> {
    apply(stage, "configmaps", "one", &data(stage, json!({ "a": "1", "b": "1" }))).await?.ok()?;
    let path = format!("{}?fieldManager=hand", stage.one("configmaps"));
    let change = json!({ "data": { "a": "2", "c": "1" }, "metadata": { "annotations": { "note": "1" } } });
    let merged = stage.rest.patch(&path, Patch::Merge, &change).await?.ok()?;
    let gone = json!([{ "op": "remove", "path": "/data/c" }, { "op": "replace", "path": "/data/b", "value": "1" }]);
    let removed = stage.rest.patch(&path, Patch::Json, &gone).await?.ok()?;
    let mut whole = removed.clone();
    whole["data"] = json!({ "d": "1" });
    let put = stage.rest.put(&format!("{}?fieldManager=put", stage.one("configmaps")), &whole).await?.ok()?;
    Ok(json!([record(&merged), record(&removed), record(&put)]))
}

pub async fn each_subresource_has_its_own_entry(stage: &Stage) -> Result<Value> {
    let path = format!("{}?fieldManager=ci", stage.all("releases"));
    stage.rest.post(&path, &stage.release()).await?.ok()?;
    let status = format!("{}/status?fieldManager=ci", stage.one("releases"));
    let release = stage.rest.patch(&status, Patch::Merge, &json!({ "status": { "phase": "Ready" } })).await?.ok()?;
    let mut other = stage.release();
    other["status"] = json!({ "phase": "Baking" });
    let path = format!("{}/status?fieldManager=other", stage.one("releases"));
    let conflict = stage.rest.send("PATCH", &path, APPLY, Some(&other)).await?;
    stage.create("deployments", &stage.deployment()).await?;
    let paused = json!({ "spec": { "paused": true } });
    stage.rest.patch(&stage.one("deployments"), Patch::Merge, &paused).await?.ok()?;
    let scale = format!("{}/scale?fieldManager=ci", stage.one("deployments"));
    stage.rest.patch(&scale, Patch::Merge, &json!({ "spec": { "replicas": 1 } })).await?.ok()?;
    let deployment = stage.read("deployments").await?;
    stage.rest.patch(&scale, Patch::Merge, &json!({ "spec": { "replicas": 0 } })).await?.ok()?;
    Ok(json!([record(&release), refused(&conflict), record(&deployment)]))
}

pub async fn an_apply_must_be_well_formed(stage: &Stage) -> Result<Value> {
    let config = data(stage, json!({ "a": "1" }));
    let nobody = stage.rest.send("PATCH", &stage.one("configmaps"), APPLY, Some(&config)).await?;
    let mut recorded = config.clone();
    recorded["metadata"]["managedFields"] = json!([]);
    let recorded = apply(stage, "configmaps", "one", &recorded).await?;
    let mut stale = config.clone();
    apply(stage, "configmaps", "one", &config).await?.ok()?;
    stale["metadata"]["resourceVersion"] = json!("1");
    stale["data"]["a"] = json!("2");
    let stale = apply(stage, "configmaps", "one", &stale).await?;
    let path = format!("{}?force=true", stage.one("configmaps"));
    let forced = stage.rest.patch(&path, Patch::Merge, &json!({ "data": { "a": "3" } })).await?;
    let missing = format!("{}/status?fieldManager=one", stage.one("releases"));
    let missing = stage.rest.send("PATCH", &missing, APPLY, Some(&stage.release())).await?;
    let mut twice = head(stage, "apps/v1", "Deployment");
    twice["spec"] = json!({ "template": { "spec": { "containers": [{ "name": "a" }, { "name": "a" }] } } });
    let twice = apply(stage, "deployments", "one", &twice).await?;
    Ok(json!([refused(&nobody), refused(&recorded), said(&stale), refused(&forced), said(&missing), refused(&twice)]))
}

pub async fn a_record_can_be_sent_and_forgotten(stage: &Stage) -> Result<Value> {
    let path = format!("{}?fieldManager=ci", stage.all("configmaps"));
    stage.rest.post(&path, &stage.config(stage.name(), "one")).await?.ok()?;
    let path = format!("{}?fieldManager=hand", stage.one("configmaps"));
    let renamed = json!([{ "op": "replace", "path": "/metadata/managedFields/0/manager", "value": "renamed" }]);
    let renamed = stage.rest.patch(&path, Patch::Json, &renamed).await?.ok()?;
    let none = stage.rest.patch(&path, Patch::Merge, &json!({ "metadata": { "managedFields": [{}] } })).await?.ok()?;
    let updated = stage.rest.patch(&path, Patch::Merge, &json!({ "data": { "key": "2" } })).await?.ok()?;
    let first = apply(stage, "configmaps", "one", &data(stage, json!({ "key": "3" }))).await?;
    let same = apply(stage, "configmaps", "one", &data(stage, json!({ "key": "2" }))).await?.ok()?;
    Ok(json!([record(&renamed), record(&none), record(&updated), refused(&first), record(&same)]))
}

pub async fn kubectl_takes_over_what_it_applied_from_the_client_side(stage: &Stage) -> Result<Value> {
    let first = data(stage, json!({ "a": "1", "b": "1" }));
    let mut made = first.clone();
    made["metadata"]["annotations"] = json!({ LAST: first.to_string() });
    made["data"]["hand"] = json!("1");
    let path = format!("{}?fieldManager=kubectl-client-side-apply", stage.all("configmaps"));
    stage.rest.post(&path, &made).await?.ok()?;
    let over = apply(stage, "configmaps", "kubectl", &data(stage, json!({ "a": "2", "hand": "2" }))).await?;
    let next = data(stage, json!({ "a": "2" }));
    let other = apply(stage, "configmaps", "somebody", &next).await?;
    let migrated = apply(stage, "configmaps", "kubectl", &next).await?.ok()?;
    let kept: Value = serde_json::from_str(migrated["metadata"]["annotations"][LAST].as_str().unwrap_or_default())?;
    Ok(json!([refused(&over), refused(&other), migrated["data"], kept["data"], record(&migrated)]))
}

const APPLY: &str = "application/apply-patch+yaml";
const LAST: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Applies to this behaviour's first object of a collection.
async fn apply(stage: &Stage, resource: &str, manager: &str, config: &Value) -> Result<Answer> {
    let path = format!("{}?fieldManager={manager}", stage.one(resource));
    stage.rest.send("PATCH", &path, APPLY, Some(config)).await
}

fn head(stage: &Stage, version: &str, kind: &str) -> Value {
    json!({
        "apiVersion": version, "kind": kind,
        "metadata": { "name": stage.name(), "namespace": stage.namespace() },
    })
}

fn data(stage: &Stage, data: Value) -> Value {
    let mut config = head(stage, "v1", "ConfigMap");
    config["data"] = data;
    config
}

/// One object of each kind whose fields are owned in a way of their own.
fn each_kind(stage: &Stage) -> [(&'static str, Value); 5] {
    [
        ("httproutes", stage.route()),
        ("releases", stage.release()),
        ("deployments", stage.deployment()),
        ("configmaps", stage.config(stage.name(), "one")),
        ("services", service(stage)),
    ]
}

fn service(stage: &Stage) -> Value {
    let mut service = head(stage, "v1", "Service");
    service["spec"] = json!({ "selector": { "app": "none" }, "ports": [{ "name": "http", "port": 80 }] });
    service
}

fn labels(object: &Value) -> Value {
    object["metadata"].get("labels").cloned().unwrap_or_default()
}

/// The record without its times, and without the controllers of the cluster, which come when they come.
fn record(object: &Value) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mut own: Vec<Value> = entries
        .filter(|entry| entry["manager"] != "kube-controller-manager")
        .map(|entry| {
            let timed = entry["time"].is_string();
            json!([
                entry["manager"],
                entry["operation"],
                entry["apiVersion"],
                entry["subresource"],
                timed,
                entry["fieldsV1"]
            ])
        })
        .collect();
    own.sort_by_key(Value::to_string);
    json!(own)
}

/// A refusal with its words; the causes are sorted, as the real server goes through its managers in any order.
fn refused(answer: &Answer) -> Value {
    let causes = answer.body["details"]["causes"].as_array().cloned().unwrap_or_default();
    let mut causes: Vec<Value> = causes.iter().map(|c| json!([c["reason"], c["message"], c["field"]])).collect();
    causes.sort_by_key(Value::to_string);
    json!([answer.code, answer.body["reason"], answer.body["message"], causes])
}

/// Name, environment, ports and arguments of the containers.
fn containers(deployment: &Value) -> Value {
    let containers = deployment["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten();
    containers.map(|c| json!([c["name"], c["env"], c["ports"], c["args"]])).collect()
}
