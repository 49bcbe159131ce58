//! The kinds of patches that say what to change, applied as the real API server applies them; [`super::owners`] does the
//! fourth, server-side apply.

use super::failure::Failure;
use json_patch::PatchOperation;
use serde_json::{Map, Value};

/// The most operations one JSON Patch may have.
const MAX_OPERATIONS: usize = 10_000;

/// A kind of patch, by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// `application/json-patch+json` (RFC 6902).
    Json,
    /// `application/merge-patch+json` (RFC 7396).
    Merge,
    /// `application/strategic-merge-patch+json`; built-in resources only.
    Strategic,
    /// `application/apply-patch+yaml`: server-side apply.
    Apply,
}

impl PatchKind {
    /// Reads a content type.
    pub fn parse(content_type: &str) -> Option<Self> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => Some(Self::Json),
            "application/merge-patch+json" => Some(Self::Merge),
            "application/strategic-merge-patch+json" => Some(Self::Strategic),
            "application/apply-patch+yaml" => Some(Self::Apply),
            _ => None,
        }
    }
}

/// Reads a patch body; only server-side apply may be YAML.
///
/// # Errors
/// 400 when it is not what its content type says.
pub fn read_body(kind: PatchKind, body: &[u8]) -> Result<Value, Failure> {
    let text = std::str::from_utf8(body).map_err(|e| Failure::bad_request(format!("the body is not UTF-8: {e}")))?;
    if kind == PatchKind::Apply && !text.trim_start().starts_with('{') {
        return serde_saphyr::from_str(text).map_err(|e| Failure::bad_request(format!("error decoding YAML: {e}")));
    }
    serde_json::from_str(text).map_err(|e| Failure::bad_request(format!("error decoding patch: {e}")))
}

/// Returns the document with the patch applied; `merges` says whether lists are merged by key where Kubernetes does so.
///
/// # Errors
/// 422 without causes when a JSON Patch does not apply, 413 when it has too many operations, 400 when the body has the
/// wrong shape.
pub fn apply(kind: PatchKind, document: &Value, patch: &Value, merges: bool) -> Result<Value, Failure> {
    let mut out = document.clone();
    match kind {
        PatchKind::Json => {
            let operations =
                patch.as_array().ok_or_else(|| Failure::bad_request("error decoding patch: it is not a list"))?;
            json_patch(&mut out, operations)?;
        }
        _ if !patch.is_object() => return Err(Failure::bad_request("error decoding patch: it is not an object")),
        PatchKind::Strategic | PatchKind::Apply if merges => strategic(&mut out, patch),
        PatchKind::Merge | PatchKind::Strategic | PatchKind::Apply => json_patch::merge(&mut out, patch),
    }
    Ok(out)
}

fn json_patch(document: &mut Value, operations: &[Value]) -> Result<(), Failure> {
    if operations.len() > MAX_OPERATIONS {
        return Err(Failure::new(
            413,
            "RequestEntityTooLarge",
            format!("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}", operations.len()),
        ));
    }
    for operation in operations {
        if operation["op"] == "test" {
            let path = operation["path"].as_str().ok_or_else(Failure::patch_rejected)?;
            if !test_holds(document, path, &operation["value"]) {
                return Err(Failure::patch_rejected());
            }
            continue;
        }
        let parsed: PatchOperation =
            serde_json::from_value(operation.clone()).map_err(|_| Failure::patch_rejected())?;
        json_patch::patch_unsafe(document, &[parsed]).map_err(|_| Failure::patch_rejected())?;
    }
    Ok(())
}

/// A `test` for null also holds for a missing member of an object that exists: the server's library answers so, and
/// "there is no hold" depends on it. RFC 6902 and the `json-patch` crate say otherwise.
fn test_holds(document: &Value, path: &str, expected: &Value) -> bool {
    if let Some(found) = document.pointer(path) {
        return found == expected;
    }
    let parent = path.rsplit_once('/').and_then(|(parent, _)| document.pointer(parent));
    expected.is_null() && parent.is_some_and(Value::is_object)
}

/// Merges as `application/strategic-merge-patch+json`: lists of known fields by key, the rest as a merge patch.
fn strategic(target: &mut Value, patch: &Value) {
    let Some(changes) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if changes.get("$patch").is_some_and(|p| p == "replace") {
        *target = Value::Object(
            changes.iter().filter(|(k, _)| *k != "$patch").map(|(k, v)| (k.clone(), v.clone())).collect(),
        );
        return;
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(fields) = target.as_object_mut() else { return };
    if let Some(keep) = changes.get("$retainKeys").and_then(Value::as_array) {
        fields.retain(|key, _| keep.iter().any(|k| k == key));
    }
    for (field, change) in changes {
        if let Some(list) = field.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = change.as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(items) = fields.get_mut(list).and_then(Value::as_array_mut) {
                items.retain(|item| !gone.contains(item));
            }
        } else if field.starts_with('$') {
            // Orders and retained keys say nothing that a merge by key does not do already.
        } else if change.is_null() {
            fields.remove(field);
        } else if let Value::Array(changes) = change {
            let items = fields.entry(field.clone()).or_insert_with(|| Value::Array(Vec::new()));
            merge_list(field, items, changes);
        } else {
            strategic(fields.entry(field.clone()).or_insert(Value::Null), change);
        }
    }
}

fn merge_list(field: &str, target: &mut Value, changes: &[Value]) {
    let Some(items) = target.as_array_mut() else {
        *target = Value::Array(changes.to_vec());
        return;
    };
    if field == "finalizers" {
        let new: Vec<Value> = changes.iter().filter(|c| !items.contains(c)).cloned().collect();
        items.extend(new);
        return;
    }
    let Some(key) = merge_key(field, changes.first().or(items.first())) else {
        *items = changes.to_vec();
        return;
    };
    if changes.iter().any(|c| c["$patch"] == "replace") {
        *items = changes.iter().filter(|c| c["$patch"] != "replace").cloned().collect();
        return;
    }
    for change in changes {
        let place = items.iter().position(|item| item[key] == change[key]);
        match (place, change["$patch"] == "delete") {
            (Some(i), true) => drop(items.remove(i)),
            (None, true) => {}
            (Some(i), false) => strategic(&mut items[i], change),
            (None, false) => items.push(change.clone()),
        }
    }
}

/// The `patchMergeKey` of a list, from the Go types of the built-in resources.
fn merge_key(field: &str, example: Option<&Value>) -> Option<&'static str> {
    match field {
        "containers" | "initContainers" | "ephemeralContainers" | "env" | "volumes" | "imagePullSecrets" => {
            Some("name")
        }
        "conditions" => Some("type"),
        "ownerReferences" => Some("uid"),
        "volumeMounts" => Some("mountPath"),
        "hostAliases" => Some("ip"),
        "topologySpreadConstraints" => Some("topologyKey"),
        "ports" if example.is_some_and(|p| p.get("containerPort").is_some()) => Some("containerPort"),
        "ports" => Some("port"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn json(document: &Value, patch: Value) -> Result<Value, u16> {
        apply(PatchKind::Json, document, &patch, false).map_err(|f| f.code)
    }

    #[test]
    fn a_test_for_null_holds_for_a_missing_member_but_not_below_a_missing_parent() {
        let release = json!({"spec": {"version": "1"}});
        assert!(json(&release, json!([{"op": "test", "path": "/spec/hold", "value": null}])).is_ok());
        assert!(json(&release, json!([{"op": "test", "path": "/status", "value": null}])).is_ok());
        assert_eq!(json(&release, json!([{"op": "test", "path": "/status/phase", "value": null}])), Err(422));
        assert_eq!(json(&release, json!([{"op": "test", "path": "/spec/version", "value": "2"}])), Err(422));
    }

    #[test]
    fn what_does_not_apply_is_rejected_without_causes() {
        let object = json!({"a": [1]});
        for patch in [
            json!([{"op": "replace", "path": "/b", "value": 1}]),
            json!([{"op": "remove", "path": "/b"}]),
            json!([{"op": "add", "path": "/b/c", "value": 1}]),
            json!([{"op": "add", "path": "/a/7", "value": 1}]),
            json!([{"op": "frobnicate", "path": "/a"}]),
        ] {
            let refused = apply(PatchKind::Json, &object, &patch, false).unwrap_err();
            assert_eq!((refused.code, refused.details["causes"].is_null()), (422, true), "{patch}");
        }
        let many = Value::Array(vec![json!({"op": "test", "path": "/b", "value": null}); MAX_OPERATIONS + 1]);
        assert_eq!(json(&object, many), Err(413));
        assert_eq!(json(&object, json!({"op": "add"})), Err(400));
    }

    #[test]
    fn strategic_patches_merge_lists_by_key() {
        let pod = json!({"spec": {"containers": [
            {"name": "app", "image": "a:1", "ports": [{"containerPort": 1}], "env": [{"name": "X", "value": "1"}]},
            {"name": "side", "image": "s:1"}]}, "status": {"conditions": [{"type": "Ready", "status": "False"}]}});
        let patch = json!({"spec": {"$setElementOrder/containers": [{"name": "app"}], "containers": [
            {"name": "app", "image": "a:2", "env": [{"name": "Y", "value": "2"}], "ports": [{"containerPort": 2}]},
            {"name": "side", "$patch": "delete"}]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "New", "status": "True"}]}});
        let out = apply(PatchKind::Strategic, &pod, &patch, true).unwrap();
        assert_eq!(
            out,
            json!({"spec": {"containers": [{"name": "app", "image": "a:2", "ports": [{"containerPort": 1}, {"containerPort": 2}],
                "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}]},
                "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "New", "status": "True"}]}})
        );
    }

    #[test]
    fn strategic_directives_delete_keep_and_replace() {
        let object = json!({"metadata": {"finalizers": ["a", "b"], "labels": {"x": "1"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {}}, "args": ["1"]});
        let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"], "labels": {"x": null}},
            "strategy": {"$retainKeys": ["type"], "type": "Recreate"}, "args": ["2"]});
        let out = apply(PatchKind::Strategic, &object, &patch, true).unwrap();
        assert_eq!(
            out,
            json!({"metadata": {"finalizers": ["b", "c"], "labels": {}}, "strategy": {"type": "Recreate"}, "args": ["2"]})
        );
    }

    #[test]
    fn only_apply_may_be_yaml() {
        assert_eq!(read_body(PatchKind::Apply, b"kind: X\nspec: {a: 1}").unwrap()["spec"]["a"], 1);
        assert_eq!(read_body(PatchKind::Merge, b"kind: X").unwrap_err().code, 400);
    }
}
