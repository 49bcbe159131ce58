//! A copy of an object without what belongs to that one object: identity, status, and the marks of tools that own it.

use super::relabel::Labels;
use crate::model::{SLOT_LABEL, name_of};
use serde_json::{Map, Value, json};

/// The longest name of an object that is also a label or a host.
const MAX_NAME: usize = 63;

/// Labels by which tools find what is theirs: with them a copy would be pruned, adopted or reverted.
const FOREIGN_LABELS: &[&str] =
    &["argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "helm.sh/", "pilothouse.dev/"];

/// The label Argo CD tracks by where it is not told otherwise.
const INSTANCE: &str = "app.kubernetes.io/instance";

/// Annotations that say something about that one object only.
const FOREIGN_ANNOTATIONS: &[&str] = &[
    "argocd.argoproj.io/",
    "autoscaling.alpha.kubernetes.io/",
    "deployment.kubernetes.io/",
    "endpoints.kubernetes.io/",
    "external-dns.alpha.kubernetes.io/",
    "helm.toolkit.fluxcd.io/",
    "kubectl.kubernetes.io/",
    "kustomize.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "pilothouse.dev/",
    "service.beta.kubernetes.io/",
];

/// Returns slot b's name for something of slot a: `-b` appended.
pub(super) fn twin(name: &str) -> String {
    let cut: String = name.chars().take(MAX_NAME - 2).collect();
    format!("{}-b", cut.trim_end_matches(['-', '.']))
}

/// Copies an object under slot b's name, with these labels; the rest of its metadata is cleaned.
pub(super) fn copy(object: &Value, labels: Labels) -> Value {
    let mut copy = Map::new();
    for (key, value) in object.as_object().into_iter().flatten().filter(|(key, _)| *key != "status") {
        copy.insert(key.clone(), value.clone());
    }
    let mut metadata = json!({ "name": twin(name_of(object)), "labels": labels });
    metadata["labels"][SLOT_LABEL] = json!("b");
    if let Some(namespace) = object["metadata"]["namespace"].as_str() {
        metadata["namespace"] = json!(namespace);
    }
    let annotations = annotations(&object["metadata"]["annotations"]);
    if !annotations.is_empty() {
        metadata["annotations"] = Value::Object(annotations);
    }
    copy.insert("metadata".into(), metadata);
    Value::Object(copy)
}

/// Returns an object's labels without those by which tools find what is theirs; `keep` are needed all the same.
pub(super) fn labels(object: &Value, keep: impl Fn(&str) -> bool) -> Labels {
    let labels = object["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    let is_foreign = |key: &str, value: &Value| {
        is_any(key, FOREIGN_LABELS)
            || key == INSTANCE
            || (key == "app.kubernetes.io/managed-by" && *value == json!("Helm"))
    };
    labels.into_iter().filter(|(key, value)| keep(key) || !is_foreign(key, value)).collect()
}

/// Returns annotations without those that say something about the one object.
pub(super) fn annotations(annotations: &Value) -> Labels {
    let all = annotations.as_object().cloned().unwrap_or_default();
    all.into_iter().filter(|(key, _)| !is_any(key, FOREIGN_ANNOTATIONS)).collect()
}

fn is_any(key: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| key.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_what_describes_and_drops_what_identifies() {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "status": { "replicas": 3 }, "spec": { "new": { "field": 1 } },
            "metadata": {
                "name": "shop", "namespace": "ns", "uid": "u", "resourceVersion": "7", "generation": 4,
                "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{}], "ownerReferences": [{}],
                "finalizers": ["x"],
                "labels": { "app": "shop", "helm.sh/chart": "c-1", "app.kubernetes.io/managed-by": "Helm",
                            "argocd.argoproj.io/instance": "shop", "app.kubernetes.io/instance": "shop" },
                "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "{}",
                                 "deployment.kubernetes.io/revision": "9", "team": "web" },
            },
        });
        let copied = copy(&object, labels(&object, |key| key == "app.kubernetes.io/instance"));
        assert_eq!(
            copied,
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "spec": { "new": { "field": 1 } },
                "metadata": {
                    "name": "shop-b", "namespace": "ns", "annotations": { "team": "web" },
                    "labels": { "app": "shop", "app.kubernetes.io/instance": "shop", "pilothouse.dev/slot": "b" },
                },
            })
        );
    }

    #[test]
    fn a_name_stays_one() {
        assert_eq!(twin("shop"), "shop-b");
        let long = twin(&"x".repeat(80));
        assert!(long.len() == 63 && long.ends_with("-b"));
    }
}
