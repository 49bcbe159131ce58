//! Fenced changes of a slot's Deployment, as JSON Patches.

use crate::model::{Slot, Version, label_of, resource_version, uid_of};
use crate::routing::{FENCE, SLOT_LABEL, VERSION_LABEL};
use serde_json::{Value, json};

/// What is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentEdit {
    /// The container and its image.
    pub image: Option<(String, String)>,
    /// The version label of the Deployment and of its pod template.
    pub version: Option<Version>,
    /// The slot, for a pod template that does not say it yet; a selector is never touched.
    pub slot: Option<Slot>,
    /// The number of replicas.
    pub replicas: Option<u32>,
}

/// Makes the patch; it tests uid, the fence the caller expects, and every value it replaces as it stands in `live`.
///
/// `fence` is the one the object must have; `None` = it must never have had one, which is tested by resourceVersion.
///
/// # Errors
/// Says which container is missing.
pub fn deployment_patch(live: &Value, fence: Option<u64>, edit: &DeploymentEdit) -> Result<Vec<Value>, String> {
    let mut ops = vec![test("/metadata/uid", &json!(uid_of(live)))];
    match fence {
        Some(fence) => {
            let path = format!("/metadata/annotations/{}", escape(FENCE));
            ops.push(test(&path, &json!(fence.to_string())));
            ops.push(json!({ "op": "replace", "path": path, "value": (fence + 1).to_string() }));
        }
        None => {
            ops.push(test("/metadata/resourceVersion", &json!(resource_version(live))));
            set_entry(&mut ops, live, "/metadata/annotations", FENCE, "1");
        }
    }
    if let Some((container, image)) = &edit.image {
        let index = container_index(live, container)?;
        let path = format!("/spec/template/spec/containers/{index}/image");
        ops.push(test(&path, live.pointer(&path).unwrap_or(&Value::Null)));
        ops.push(json!({ "op": "replace", "path": path, "value": image }));
    }
    if let Some(version) = &edit.version {
        set_entry(&mut ops, live, "/metadata/labels", VERSION_LABEL, version.as_str());
        set_entry(&mut ops, live, "/spec/template/metadata/labels", VERSION_LABEL, version.as_str());
    }
    if let Some(slot) = edit.slot
        && label_of(&live["spec"]["template"], SLOT_LABEL).is_none()
    {
        set_entry(&mut ops, live, "/spec/template/metadata/labels", SLOT_LABEL, slot.as_str());
    }
    if let Some(replicas) = edit.replicas {
        ops.push(test("/spec/replicas", &live["spec"]["replicas"]));
        ops.push(json!({ "op": "replace", "path": "/spec/replicas", "value": replicas }));
    }
    Ok(ops)
}

/// Sets a key of a map that may be missing.
fn set_entry(ops: &mut Vec<Value>, live: &Value, map: &str, key: &str, value: &str) {
    if live.pointer(map).is_some_and(Value::is_object) {
        ops.push(json!({ "op": "add", "path": format!("{map}/{}", escape(key)), "value": value }));
    } else {
        ops.push(json!({ "op": "add", "path": map, "value": { key: value } }));
    }
}

fn container_index(live: &Value, name: &str) -> Result<usize, String> {
    let containers = live["spec"]["template"]["spec"]["containers"].as_array().map_or(&[][..], Vec::as_slice);
    if name.is_empty() && containers.len() == 1 {
        return Ok(0);
    }
    containers.iter().position(|c| c["name"] == name).ok_or_else(|| {
        let known: Vec<&str> = containers.iter().filter_map(|c| c["name"].as_str()).collect();
        format!(
            "Deployment {} has no container {name:?}; it has {}: set spec.deploy.container of the plan",
            crate::model::name_of(live),
            known.join(", ")
        )
    })
}

fn test(path: &str, value: &Value) -> Value {
    json!({ "op": "test", "path": path, "value": value })
}

/// Escapes a key for a JSON Pointer (RFC 6901).
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::fence_of;

    fn live() -> Value {
        json!({
            "metadata": { "name": "shop-b", "uid": "u1", "resourceVersion": "9", "labels": { "app": "shop" } },
            "spec": { "replicas": 0, "template": { "metadata": { "labels": { "app": "shop" } },
                "spec": { "containers": [{ "name": "app", "image": "r/app:1" }] } } },
        })
    }

    #[test]
    fn a_first_write_tests_the_resource_version_and_a_later_one_the_fence() {
        let edit = DeploymentEdit {
            image: Some(("app".into(), "r/app:2".into())),
            version: Some("2".into()),
            replicas: Some(3),
            ..DeploymentEdit::default()
        };
        let ops = deployment_patch(&live(), None, &edit).unwrap();
        let patch: json_patch::Patch = serde_json::from_value(Value::Array(ops)).unwrap();
        let mut after = live();
        json_patch::patch(&mut after, &patch).unwrap();
        assert_eq!(after["spec"]["template"]["spec"]["containers"][0]["image"], "r/app:2");
        assert_eq!(after["spec"]["template"]["metadata"]["labels"][VERSION_LABEL], "2");
        assert_eq!(after["spec"]["replicas"], 3);
        assert_eq!(fence_of(&after), Some(1));

        let again = deployment_patch(&after, Some(1), &DeploymentEdit::default()).unwrap();
        let patch: json_patch::Patch = serde_json::from_value(Value::Array(again)).unwrap();
        json_patch::patch(&mut after, &patch).unwrap();
        assert_eq!(fence_of(&after), Some(2));
        assert!(json_patch::patch(&mut after, &patch).is_err(), "the same touch must not pass twice");
    }

    #[test]
    fn a_template_that_names_no_slot_gets_the_label_with_its_next_version_and_keeps_its_selector() {
        let edit = DeploymentEdit { version: Some("2".into()), slot: Some(Slot::A), ..DeploymentEdit::default() };
        let after = |live: &Value| {
            let ops = deployment_patch(live, None, &edit).unwrap();
            let mut after = live.clone();
            let patch: json_patch::Patch = serde_json::from_value(Value::Array(ops)).unwrap();
            json_patch::patch(&mut after, &patch).unwrap();
            after["spec"]["template"]["metadata"]["labels"].clone()
        };
        assert_eq!(after(&live()), json!({ "app": "shop", VERSION_LABEL: "2", SLOT_LABEL: "a" }));
        let mut named = live();
        named["spec"]["template"]["metadata"]["labels"][SLOT_LABEL] = json!("b");
        assert_eq!(after(&named)[SLOT_LABEL], "b");
    }

    #[test]
    fn a_missing_container_is_named_with_the_ones_there_are() {
        let edit = DeploymentEdit { image: Some(("web".into(), "x".into())), ..DeploymentEdit::default() };
        assert!(deployment_patch(&live(), None, &edit).unwrap_err().contains("it has app"));
    }
}
