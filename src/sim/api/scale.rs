//! `/scale` of workloads: their replicas as a Scale object.

use super::failure::Failure;
use super::patch::{self, PatchKind};
use super::store::Store;
use super::write::{self, Target};
use serde_json::{Value, json};

/// Returns the Scale of a workload.
pub fn of(object: &Value) -> Value {
    let labels = object["spec"]["selector"]["matchLabels"].as_object();
    let selector: Vec<String> =
        labels.into_iter().flatten().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect();
    let from = &object["metadata"];
    // The real server leaves out what is 0 here, and only here.
    let replicas = object["spec"]["replicas"].as_i64().filter(|replicas| *replicas != 0);
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": from["name"], "namespace": from["namespace"], "uid": from["uid"],
            "resourceVersion": from["resourceVersion"], "creationTimestamp": from["creationTimestamp"],
        },
        "spec": replicas.map_or_else(|| json!({}), |replicas| json!({ "replicas": replicas })),
        "status": { "replicas": object["status"]["replicas"].as_i64().unwrap_or(0), "selector": selector.join(",") },
    })
}

/// Replaces the Scale (PUT); returns the new one.
///
/// # Errors
/// 400, 404, 409 (stale resourceVersion) or 422.
pub fn replace(store: &Store, target: Target<'_>, body: &Value) -> Result<Value, Failure> {
    let found = current(store, target)?;
    set(store, target, &found, body)
}

/// Patches the Scale; returns the new one.
///
/// # Errors
/// As of any patch: 400, 404, 409, 413 or 422.
pub fn patch(store: &Store, target: Target<'_>, kind: PatchKind, change: &Value) -> Result<Value, Failure> {
    let found = current(store, target)?;
    let wanted = patch::apply(kind, &of(&found), change, true)?;
    set(store, target, &found, &wanted)
}

fn current(store: &Store, target: Target<'_>) -> Result<Value, Failure> {
    let Target { resource, namespace, name, .. } = target;
    let found = store.get(resource, namespace, name).ok_or_else(|| Failure::not_found(resource, name))?;
    Ok((*found).clone())
}

/// Writes the replicas of a Scale back; a version in it is a precondition.
fn set(store: &Store, target: Target<'_>, found: &Value, wanted: &Value) -> Result<Value, Failure> {
    let replicas = match &wanted["spec"]["replicas"] {
        Value::Null => 0,
        number => number.as_i64().ok_or_else(|| Failure::bad_request("spec.replicas of a Scale must be a number"))?,
    };
    let version = wanted["metadata"]["resourceVersion"].as_str().filter(|v| !v.is_empty());
    let mut object = found.clone();
    object["spec"]["replicas"] = json!(replicas);
    object["metadata"]["resourceVersion"] = version.map_or_else(|| json!(""), |v| json!(v));
    write::replace(store, target, object).map(|object| of(&object))
}
