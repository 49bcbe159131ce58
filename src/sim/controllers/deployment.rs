//! Deployments: one ReplicaSet per template, moved from the old one to the new one within the strategy's limits.

use super::owner::{is_true, namespace_of, owner_of, reference, set_condition};
use crate::model::{name_of, uid_of};
use crate::sim::api::resources::{DEPLOYMENTS, PODS, REPLICA_SETS};
use crate::sim::api::{DeleteOptions, Store, Target, control, create, delete};
use crate::sim::clock::letter;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The label that ties pods to their template.
pub const HASH_LABEL: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

/// A ReplicaSet of one Deployment with its counts.
struct Set {
    object: Arc<Value>,
    replicas: i64,
    available: i64,
}

/// Brings every Deployment a step closer to its spec.
pub fn sync(store: &Store) {
    let (_, deployments) = store.list(&DEPLOYMENTS);
    let (_, all) = store.list(&REPLICA_SETS);
    for set in &all {
        let orphan = owner_of(set).is_some_and(|uid| !deployments.iter().any(|d| uid_of(d) == uid));
        if orphan {
            remove(store, set);
        }
    }
    for deployment in &deployments {
        let sets = all.iter().filter(|s| owner_of(s) == Some(uid_of(deployment)));
        let sets: Vec<Set> = sets.map(|object| Set::read(object.clone())).collect();
        roll(store, deployment, &sets);
        report(store, deployment, &sets);
    }
}

impl Set {
    fn read(object: Arc<Value>) -> Self {
        let replicas = object["spec"]["replicas"].as_i64().unwrap_or(0);
        let available = object["status"]["availableReplicas"].as_i64().unwrap_or(0);
        Self { object, replicas, available }
    }

    fn is_of(&self, hash: &str) -> bool {
        self.object["metadata"]["labels"][HASH_LABEL] == hash
    }
}

fn roll(store: &Store, deployment: &Value, sets: &[Set]) {
    let hash = template_hash(&deployment["spec"]["template"]);
    let wanted = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
    let Some(new) = sets.iter().find(|s| s.is_of(&hash)) else {
        if deployment["spec"]["paused"] != true {
            add_set(store, deployment, sets, &hash);
        }
        return;
    };
    let old: Vec<&Set> = sets.iter().filter(|s| !s.is_of(&hash)).collect();
    let old_total: i64 = old.iter().map(|s| s.replicas).sum();
    if old_total == 0 {
        scale(store, new, wanted);
        forget_old(store, deployment, &old);
        return;
    }
    if deployment["spec"]["paused"] == true {
        return;
    }
    if deployment["spec"]["strategy"]["type"] == "Recreate" {
        old.iter().for_each(|set| scale(store, set, 0));
        return;
    }
    let (surge, unavailable) = limits(deployment, wanted);
    let total = old_total + new.replicas;
    let room = (wanted + surge - total).max(0);
    let grown = if new.replicas > wanted { wanted } else { new.replicas + room.min(wanted - new.replicas) };
    if grown != new.replicas {
        scale(store, new, grown);
        return;
    }
    // What is not available anyway goes first; then as much as stays above the limit.
    let available: i64 = sets.iter().map(|s| s.available.min(s.replicas)).sum();
    let mut spare = (available - (wanted - unavailable)).max(0);
    for set in old {
        let broken = (set.replicas - set.available).max(0);
        let healthy = (set.replicas - broken).min(spare);
        spare -= healthy;
        scale(store, set, set.replicas - broken - healthy);
    }
}

/// Returns `(maxSurge, maxUnavailable)` in pods: surge rounded up, unavailable rounded down, never both zero.
fn limits(deployment: &Value, wanted: i64) -> (i64, i64) {
    let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
    let read = |value: &Value, round: fn(f64) -> f64| match value {
        Value::Number(n) => n.as_i64().unwrap_or(0),
        Value::String(text) => {
            let percent: f64 = text.trim_end_matches('%').parse().unwrap_or(25.0);
            round(percent * wanted as f64 / 100.0) as i64
        }
        _ => round(0.25 * wanted as f64) as i64,
    };
    let surge = read(&rolling["maxSurge"], f64::ceil);
    let unavailable = read(&rolling["maxUnavailable"], f64::floor);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

fn add_set(store: &Store, deployment: &Value, sets: &[Set], hash: &str) {
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"][HASH_LABEL] = json!(hash);
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"][HASH_LABEL] = json!(hash);
    let revision = 1 + sets
        .iter()
        .filter_map(|s| s.object["metadata"]["annotations"][REVISION].as_str()?.parse::<i64>().ok())
        .max()
        .unwrap_or(0);
    let namespace = namespace_of(deployment);
    let name = format!("{}-{hash}", name_of(deployment));
    let set = json!({
        "metadata": {
            "name": name,
            "labels": template["metadata"]["labels"],
            "annotations": { REVISION: revision.to_string() },
            "ownerReferences": [reference("apps/v1", "Deployment", deployment)],
        },
        "spec": { "replicas": 0, "selector": selector, "template": template },
    });
    let target = Target::own(&REPLICA_SETS, namespace, "");
    if let Err(refused) = create(store, target, set) {
        tracing::warn!(name, code = refused.code, "the embedded cluster cannot create a ReplicaSet");
        return;
    }
    control(store, &DEPLOYMENTS, namespace, name_of(deployment), |d| {
        d["metadata"]["annotations"][REVISION] = json!(revision.to_string());
    });
}

fn scale(store: &Store, set: &Set, replicas: i64) {
    if set.replicas != replicas {
        control(store, &REPLICA_SETS, namespace_of(&set.object), name_of(&set.object), |object| {
            object["spec"]["replicas"] = json!(replicas);
        });
    }
}

/// Keeps as many old ReplicaSets as the history limit says, the newest ones.
fn forget_old(store: &Store, deployment: &Value, old: &[&Set]) {
    let limit = deployment["spec"]["revisionHistoryLimit"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(10);
    let mut empty: Vec<&&Set> =
        old.iter().filter(|s| s.object["status"]["replicas"].as_i64().unwrap_or(0) == 0).collect();
    empty.sort_by_key(|s| s.object["metadata"]["annotations"][REVISION].as_str().and_then(|r| r.parse::<i64>().ok()));
    let surplus = empty.len().saturating_sub(limit);
    empty.iter().take(surplus).for_each(|set| remove(store, &set.object));
}

fn remove(store: &Store, set: &Value) {
    let target = Target::own(&REPLICA_SETS, namespace_of(set), name_of(set));
    // A set that is already gone needs nothing more.
    let _ = delete(store, target, &DeleteOptions::default());
}

fn report(store: &Store, deployment: &Value, sets: &[Set]) {
    let hash = template_hash(&deployment["spec"]["template"]);
    let count = |field: &str| -> i64 { sets.iter().filter_map(|s| s.object["status"][field].as_i64()).sum() };
    let updated = sets.iter().find(|s| s.is_of(&hash)).and_then(|s| s.object["status"]["replicas"].as_i64());
    let wanted = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
    let (replicas, available, updated) = (count("replicas"), count("availableReplicas"), updated.unwrap_or(0));
    let (_, pods) = store.list(&PODS);
    let terminating = pods
        .iter()
        .filter(|p| p["metadata"]["deletionTimestamp"].is_string())
        .filter(|p| sets.iter().any(|s| owner_of(p) == Some(uid_of(&s.object))))
        .count();
    let (_, unavailable) = limits(deployment, wanted);
    let enough = available >= wanted - unavailable;
    let complete = updated == wanted && replicas == wanted && available >= wanted;
    let now = store.clock().stamp();
    control(store, &DEPLOYMENTS, namespace_of(deployment), name_of(deployment), |object| {
        // The generation this pass has worked on; a newer one is reported by the next pass.
        let observed = deployment["metadata"]["generation"].clone();
        let mut conditions = object["status"]["conditions"].take();
        let (status, reason) =
            if enough { ("True", "MinimumReplicasAvailable") } else { ("False", "MinimumReplicasUnavailable") };
        let message = if enough {
            "Deployment has minimum availability."
        } else {
            "Deployment does not have minimum availability."
        };
        set_condition(
            &mut conditions,
            &now,
            json!({ "type": "Available", "status": status, "reason": reason, "message": message }),
        );
        let reason = if complete { "NewReplicaSetAvailable" } else { "ReplicaSetUpdated" };
        set_condition(
            &mut conditions,
            &now,
            json!({ "type": "Progressing", "status": "True", "reason": reason, "message": "" }),
        );
        let mut fresh = Map::new();
        for (field, value) in [
            ("replicas", replicas),
            ("updatedReplicas", updated),
            ("readyReplicas", count("readyReplicas")),
            ("availableReplicas", available),
            ("unavailableReplicas", (wanted - available).max(0)),
        ] {
            // Counts of zero are left out, as the real controller does.
            if value > 0 {
                fresh.insert(field.to_owned(), json!(value));
            }
        }
        fresh.insert("terminatingReplicas".into(), json!(terminating));
        fresh.insert("observedGeneration".into(), observed);
        fresh.insert("conditions".into(), conditions);
        object["status"] = Value::Object(fresh);
    });
}

/// Tells whether every pod of a ReplicaSet's count is Ready; used for its status.
pub fn ready(pods: &[&Arc<Value>]) -> usize {
    pods.iter().filter(|p| is_true(p, "Ready")).count()
}

/// Ten characters that follow from the template alone.
fn template_hash(template: &Value) -> String {
    let digest = Sha256::digest(template.to_string().as_bytes());
    digest.iter().take(10).map(|byte| letter(usize::from(*byte))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surge_is_rounded_up_and_unavailable_down_and_never_both_zero() {
        let with = |surge: Value, unavailable: Value| json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}});
        assert_eq!(limits(&with(json!("25%"), json!("25%")), 5), (2, 1));
        assert_eq!(limits(&with(json!(0), json!("10%")), 4), (0, 1));
        assert_eq!(limits(&with(json!(3), json!(0)), 4), (3, 0));
    }
}
