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
    write::edit(store, target, |found| scaled(found, body)).map(|object| of(&object))
}

/// Patches the Scale; returns the new one.
///
/// # Errors
/// As of any patch: 400, 404, 409, 413 or 422.
pub fn patch(store: &Store, target: Target<'_>, kind: PatchKind, change: &Value) -> Result<Value, Failure> {
    let wanted = |found: &Value| scaled(found, &patch::apply(kind, &of(found), change, true)?);
    write::edit(store, target, wanted).map(|object| of(&object))
}

/// The workload with the replicas of a Scale; a version in it is a precondition.
fn scaled(found: &Value, scale: &Value) -> Result<Value, Failure> {
    let replicas = match &scale["spec"]["replicas"] {
        Value::Null => 0,
        number => number.as_i64().ok_or_else(|| Failure::bad_request("spec.replicas of a Scale must be a number"))?,
    };
    let version = scale["metadata"]["resourceVersion"].as_str().filter(|v| !v.is_empty());
    let mut object = found.clone();
    object["spec"]["replicas"] = json!(replicas);
    object["metadata"]["resourceVersion"] = version.map_or_else(|| json!(""), |v| json!(v));
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::api::resources::{DEPLOYMENTS, NAMESPACES};
    use crate::sim::clock::Clock;
    use std::sync::Arc;

    /// How often each of two clients writes.
    const WRITES: u64 = 2_000;

    fn target(name: &'static str) -> Target<'static> {
        Target { manager: Some("test"), ..Target::own(&DEPLOYMENTS, "default", name) }
    }

    /// One client scales without naming a version while another counts in an annotation.
    #[test]
    fn a_scale_without_a_version_neither_conflicts_with_another_writer_nor_undoes_it() {
        let store = Store::new(Arc::new(Clock::new("2026-11-23T10:00:00Z".parse().unwrap())), 7);
        write::create(&store, Target::own(&NAMESPACES, "", ""), json!({ "metadata": { "name": "default" } })).unwrap();
        let labels = json!({ "app": "a" });
        let pod =
            json!({ "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "a", "image": "a" }] } });
        let spec = json!({ "replicas": 0, "selector": { "matchLabels": labels }, "template": pod });
        write::create(&store, target(""), json!({ "metadata": { "name": "a" }, "spec": spec })).unwrap();
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for n in 0..WRITES {
                    let note = json!({ "metadata": { "annotations": { "n": n.to_string() } } });
                    let old = write::patch(&store, target("a"), PatchKind::Merge, &note).unwrap();
                    assert_eq!(old["metadata"]["annotations"]["n"], n.to_string());
                }
            });
            for n in 0..WRITES {
                let wanted = json!({ "metadata": { "name": "a" }, "spec": { "replicas": n } });
                let done = if n % 2 == 0 {
                    patch(&store, target("a"), PatchKind::Merge, &wanted)
                } else {
                    replace(&store, target("a"), &wanted)
                };
                done.unwrap();
            }
        });
        let end = store.get(&DEPLOYMENTS, "default", "a").unwrap();
        let noted = &end["metadata"]["annotations"]["n"];
        assert_eq!((noted, &end["spec"]["replicas"]), (&json!((WRITES - 1).to_string()), &json!(WRITES - 1)));
    }
}
