//! ReplicaSets: as many pods as asked for, and their counts in the status.

use super::deployment::ready;
use super::owner::{is_true, namespace_of, owner_of, reference};
use crate::model::{name_of, uid_of};
use crate::sim::api::resources::{PODS, REPLICA_SETS};
use crate::sim::api::{DeleteOptions, Store, Target, control, create, delete};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Creates and deletes pods until every ReplicaSet has as many as it wants.
pub fn sync(store: &Store) {
    let (_, sets) = store.list(&REPLICA_SETS);
    let (_, pods) = store.list(&PODS);
    for pod in &pods {
        let orphan = owner_of(pod).is_some_and(|uid| !sets.iter().any(|s| uid_of(s) == uid));
        if orphan && !is_ending(pod) {
            remove(store, pod);
        }
    }
    for set in &sets {
        let owned: Vec<&Arc<Value>> = pods.iter().filter(|p| owner_of(p) == Some(uid_of(set))).collect();
        let mut active: Vec<&Arc<Value>> = owned.iter().filter(|p| !is_ending(p)).copied().collect();
        let wanted = set["spec"]["replicas"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
        for _ in active.len()..wanted {
            add(store, set);
        }
        if active.len() > wanted {
            // Not ready before ready, younger before older: the order of the real controller, as far as it matters here.
            active.sort_by_key(|p| (is_true(p, "Ready"), std::cmp::Reverse(created(p)), name_of(p).to_owned()));
            active.iter().take(active.len() - wanted).for_each(|pod| remove(store, pod));
        }
        report(store, set, &owned);
    }
}

fn is_ending(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_string()
        || matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn created(pod: &Value) -> String {
    pod["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned()
}

fn add(store: &Store, set: &Value) {
    let template = &set["spec"]["template"];
    let mut metadata = template["metadata"].clone();
    metadata["generateName"] = json!(format!("{}-", name_of(set)));
    metadata["ownerReferences"] = json!([reference("apps/v1", "ReplicaSet", set)]);
    let pod = json!({ "metadata": metadata, "spec": template["spec"] });
    let target = Target::own(&PODS, namespace_of(set), "");
    if let Err(refused) = create(store, target, pod) {
        tracing::warn!(set = name_of(set), code = refused.code, "the embedded cluster cannot create a pod");
    }
}

fn remove(store: &Store, pod: &Value) {
    let target = Target::own(&PODS, namespace_of(pod), name_of(pod));
    // A pod that is already gone needs nothing more.
    let _ = delete(store, target, &DeleteOptions::default());
}

fn report(store: &Store, set: &Value, owned: &[&Arc<Value>]) {
    let active: Vec<&Arc<Value>> = owned.iter().filter(|p| !is_ending(p)).copied().collect();
    let ready = ready(&active);
    let observed = set["metadata"]["generation"].clone();
    let mut status = Map::new();
    status.insert("replicas".into(), json!(active.len()));
    for (field, value) in
        [("fullyLabeledReplicas", active.len()), ("readyReplicas", ready), ("availableReplicas", ready)]
    {
        if value > 0 {
            status.insert(field.into(), json!(value));
        }
    }
    status.insert("terminatingReplicas".into(), json!(owned.len() - active.len()));
    status.insert("observedGeneration".into(), observed);
    control(store, &REPLICA_SETS, namespace_of(set), name_of(set), |object| {
        object["status"] = Value::Object(status);
    });
}
