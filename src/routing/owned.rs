//! The owned part of an object: what a release writes, hashed to tell whether it stands as written.

use super::backend::{list, rules_of};
use super::marks::{UNDO, VERSION_LABEL};
use super::matching::raw_matches;
use crate::model::{ResourceKind, annotation, label_of};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Returns the sha256, in hexadecimal digits, of the owned part of an object.
///
/// HTTPRoute: each rule's matches and backendRefs, and the undo. Deployment: replicas, images, version labels. HPA:
/// minReplicas, behavior. Of any other kind the whole spec. Defaults that the server adds are added here first, so that
/// the body we send and the object it stores have the same hash.
pub fn owned_hash(kind: ResourceKind, object: &Value) -> String {
    let owned = match kind {
        ResourceKind::HTTPRoute => route(object),
        ResourceKind::Deployment => deployment(object),
        ResourceKind::HorizontalPodAutoscaler => json!({
            "minReplicas": object["spec"]["minReplicas"].as_u64().unwrap_or(1),
            "behavior": object["spec"]["behavior"],
        }),
        _ => object["spec"].clone(),
    };
    let mut text = String::new();
    write_canonical(&owned, &mut text);
    let mut hash = String::with_capacity(64);
    for byte in Sha256::digest(text) {
        // Writing to a String cannot fail.
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}

fn route(object: &Value) -> Value {
    let rule = |rule: &Value| {
        json!({
            "matches": raw_matches(rule).into_iter().map(defaulted_match).collect::<Vec<Value>>(),
            "backendRefs": list(&rule["backendRefs"]).iter().map(defaulted_backend).collect::<Vec<Value>>(),
        })
    };
    json!({"rules": rules_of(object).iter().map(rule).collect::<Vec<Value>>(), "undo": annotation(object, UNDO)})
}

fn deployment(object: &Value) -> Value {
    let template = &object["spec"]["template"];
    let images: Map<String, Value> = list(&template["spec"]["containers"])
        .iter()
        .filter_map(|c| Some((c["name"].as_str()?.to_owned(), c["image"].clone())))
        .collect();
    json!({
        "replicas": object["spec"]["replicas"].as_u64().unwrap_or(1),
        "images": images,
        "version": label_of(object, VERSION_LABEL),
        "templateVersion": label_of(template, VERSION_LABEL),
    })
}

fn defaulted_match(mut matching: Value) -> Value {
    let Some(fields) = matching.as_object_mut() else { return matching };
    let path = fields.entry("path").or_insert_with(|| json!({}));
    set_default(path, "type", "PathPrefix");
    set_default(path, "value", "/");
    for key in ["headers", "queryParams"] {
        for condition in fields.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            set_default(condition, "type", "Exact");
        }
    }
    matching
}

fn defaulted_backend(backend: &Value) -> Value {
    let mut backend = backend.clone();
    set_default(&mut backend, "group", "");
    set_default(&mut backend, "kind", "Service");
    set_default(&mut backend, "weight", 1);
    backend
}

fn set_default(value: &mut Value, key: &str, default: impl Into<Value>) {
    if let Some(fields) = value.as_object_mut() {
        fields.entry(key).or_insert_with(|| default.into());
    }
}

/// Writes JSON with the keys of every object in order, whatever order the map type keeps.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            out.push('{');
            for key in keys {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(&fields[key], out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{base, rule};
    use super::*;

    fn hash(object: &Value) -> String {
        owned_hash(ResourceKind::HTTPRoute, object)
    }

    #[test]
    fn a_body_and_the_object_the_server_makes_of_it_have_the_same_hash() {
        let sent = base(&[json!({
            "backendRefs": [{"name": "trackx", "port": 80}, {"name": "trackx-b", "port": 80, "weight": 0}],
            "matches": [{"headers": [{"name": "h", "value": "v"}]}, {"path": {"value": "/x"}}]
        })]);
        let stored = base(&[json!({
            "matches": [
                {"path": {"type": "PathPrefix", "value": "/"}, "headers": [{"type": "Exact", "name": "h", "value": "v"}]},
                {"path": {"type": "PathPrefix", "value": "/x"}}
            ],
            "backendRefs": [
                {"group": "", "kind": "Service", "name": "trackx", "port": 80, "weight": 1},
                {"group": "", "kind": "Service", "name": "trackx-b", "port": 80, "weight": 0}
            ]
        })]);
        assert_eq!(hash(&sent), hash(&stored));
        assert_eq!(hash(&sent).len(), 64);
    }

    #[test]
    fn what_a_release_writes_changes_the_hash_and_nothing_else_does() {
        let route = base(&[rule(&["/"])]);
        let with = |pointer: &str, value: Value| {
            let mut changed = route.clone();
            *changed.pointer_mut(pointer).unwrap() = value;
            hash(&changed)
        };
        let before = hash(&route);
        assert_ne!(with("/spec/rules/0/backendRefs/0/weight", json!(0)), before);
        assert_ne!(with("/spec/rules/0/matches/0/path/value", json!("/x")), before);
        assert_eq!(with("/spec/rules/0/timeouts/request", json!("9s")), before);
        assert_eq!(with("/metadata/labels", json!({"team": "x"})), before);
        let mut marked = route.clone();
        marked["metadata"]["annotations"] = json!({UNDO: "u", "pilothouse.dev/fence": "4"});
        let with_undo = hash(&marked);
        assert_ne!(with_undo, before);
        marked["metadata"]["annotations"]["pilothouse.dev/fence"] = json!("5");
        assert_eq!(hash(&marked), with_undo);
    }

    #[test]
    fn a_deployment_is_its_replicas_images_and_version_labels() {
        let object = json!({
            "metadata": {"labels": {VERSION_LABEL: "1"}},
            "spec": {"replicas": 2, "template": {
                "metadata": {"labels": {VERSION_LABEL: "1"}},
                "spec": {"containers": [{"name": "app", "image": "app:1"}]}
            }}
        });
        let hash = |o: &Value| owned_hash(ResourceKind::Deployment, o);
        let before = hash(&object);
        for (pointer, value) in [
            ("/spec/replicas", json!(3)),
            ("/spec/template/spec/containers/0/image", json!("app:2")),
            ("/spec/template/metadata/labels", json!({VERSION_LABEL: "2"})),
            ("/metadata/labels", json!({VERSION_LABEL: "2"})),
        ] {
            let mut changed = object.clone();
            *changed.pointer_mut(pointer).unwrap() = value;
            assert_ne!(hash(&changed), before, "{pointer}");
        }
        let mut noise = object;
        noise["status"] = json!({"replicas": 2});
        noise["metadata"]["generation"] = json!(4);
        assert_eq!(hash(&noise), before);
    }

    #[test]
    fn an_autoscaler_is_its_floor_and_behavior() {
        let hash = |o: Value| owned_hash(ResourceKind::HorizontalPodAutoscaler, &o);
        assert_eq!(
            hash(json!({"spec": {"maxReplicas": 4}})),
            hash(json!({"spec": {"minReplicas": 1, "maxReplicas": 9}}))
        );
        assert_ne!(hash(json!({"spec": {"minReplicas": 2}})), hash(json!({"spec": {"minReplicas": 1}})));
    }
}
