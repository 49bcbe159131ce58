//! Who owns whom, and conditions that remember when they changed.

use crate::model::{name_of, uid_of};
use serde_json::{Value, json};

/// Makes the reference an owned object carries.
pub fn reference(api_version: &str, kind: &str, owner: &Value) -> Value {
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Returns the uid of the controller that owns an object.
pub fn owner_of(object: &Value) -> Option<&str> {
    let references = object["metadata"]["ownerReferences"].as_array()?;
    references.iter().find(|r| r["controller"] == true)?["uid"].as_str()
}

/// Returns the Deployment of a pod, from its ReplicaSet's name; empty without one.
pub fn deployment_of(pod: &Value) -> String {
    let references = pod["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let set = references.into_iter().find_map(|r| r["name"].as_str().filter(|_| r["kind"] == "ReplicaSet"));
    set.and_then(|name| Some(name.rsplit_once('-')?.0)).unwrap_or_default().to_owned()
}

/// Returns the namespace of an object.
pub fn namespace_of(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or_default()
}

/// Tells whether a condition of the object is True.
pub fn is_true(object: &Value, kind: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|c| c["type"] == kind && c["status"] == "True")
}

/// Sets a condition in a list; its `lastTransitionTime` changes only with its status.
pub fn set_condition(conditions: &mut Value, now: &str, mut condition: Value) {
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(list) = conditions.as_array_mut() else { return };
    condition["lastTransitionTime"] = json!(now);
    match list.iter_mut().find(|c| c["type"] == condition["type"]) {
        Some(known) => {
            if known["status"] == condition["status"] {
                condition["lastTransitionTime"] = known["lastTransitionTime"].clone();
            }
            *known = condition;
        }
        None => list.push(condition),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let mut list = Value::Null;
        set_condition(&mut list, "t1", json!({"type": "Ready", "status": "True", "reason": "A"}));
        set_condition(&mut list, "t2", json!({"type": "Ready", "status": "True", "reason": "B"}));
        assert_eq!(list, json!([{"type": "Ready", "status": "True", "reason": "B", "lastTransitionTime": "t1"}]));
        set_condition(&mut list, "t3", json!({"type": "Ready", "status": "False", "reason": "B"}));
        assert_eq!(list[0]["lastTransitionTime"], "t3");
    }
}
