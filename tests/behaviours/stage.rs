//! Fresh objects and paths for one behaviour, and the normal form of an answer.

use super::rest::{Answer, Rest};
use color_eyre::eyre::Result;
use serde_json::{Value, json};

/// Where one behaviour is asked; its objects bear its name, so no two of them meet.
pub struct Stage {
    /// The server.
    pub rest: Rest,
    namespace: String,
    name: String,
}

impl Stage {
    /// Makes the stage of a behaviour.
    pub fn new(rest: Rest, namespace: &str, behaviour: &str) -> Self {
        Self { rest, namespace: namespace.into(), name: behaviour.replace('_', "-") }
    }

    /// The name this behaviour gives its first object.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The path of a collection, such as `configmaps`.
    pub fn all(&self, resource: &str) -> String {
        let group = match resource {
            "httproutes" => "apis/gateway.networking.k8s.io/v1",
            "releases" | "rolloutplans" => "apis/pilothouse.dev/v1alpha1",
            "deployments" => "apis/apps/v1",
            "leases" => "apis/coordination.k8s.io/v1",
            _ => "api/v1",
        };
        format!("/{group}/namespaces/{}/{resource}", self.namespace)
    }

    /// The path of this behaviour's first object of a collection.
    pub fn one(&self, resource: &str) -> String {
        format!("{}/{}", self.all(resource), self.name)
    }

    /// A route of one rule with two weighted backends.
    pub fn route(&self) -> Value {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": { "name": self.name, "namespace": self.namespace },
            "spec": {
                "parentRefs": [{ "name": "nobody" }],
                "hostnames": ["behaviours.example"],
                "rules": [{ "backendRefs": [
                    { "name": "one", "port": 80, "weight": 100 }, { "name": "two", "port": 80, "weight": 0 },
                ] }],
            },
        })
    }

    /// A Release without status.
    pub fn release(&self) -> Value {
        json!({
            "apiVersion": "pilothouse.dev/v1alpha1", "kind": "Release",
            "metadata": { "name": self.name, "namespace": self.namespace },
            "spec": { "plan": "nothing", "version": "1.0.0", "requestedBy": "behaviours" },
        })
    }

    /// A ConfigMap; `label` is the value of its label `part`.
    pub fn config(&self, name: &str, label: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": name, "namespace": self.namespace, "labels": { "of": self.name, "part": label } },
            "data": { "key": "value" },
        })
    }

    /// A Deployment that wants no pods.
    pub fn deployment(&self) -> Value {
        let labels = json!({ "app": self.name });
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": self.name, "namespace": self.namespace },
            "spec": {
                "replicas": 0, "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels }, "spec": { "containers": [
                    { "name": "app", "image": "registry.example/app:1", "env": [{ "name": "A", "value": "1" }] },
                    { "name": "side", "image": "registry.example/side:1" },
                ] } },
            },
        })
    }

    /// Creates an object and returns it as stored.
    pub async fn create(&self, resource: &str, object: &Value) -> Result<Value> {
        self.rest.post(&self.all(resource), object).await?.ok()
    }

    /// Reads this behaviour's first object of a collection.
    pub async fn read(&self, resource: &str) -> Result<Value> {
        self.rest.get(&self.one(resource)).await?.ok()
    }
}

/// The normal form: the code, and for a refusal its reason and whether causes are named.
pub fn said(answer: &Answer) -> Value {
    if (200..300).contains(&answer.code) {
        return json!({ "code": answer.code });
    }
    let causes = answer.body["details"]["causes"].as_array().is_some_and(|causes| !causes.is_empty());
    json!({ "code": answer.code, "kind": answer.body["kind"], "reason": answer.body["reason"], "causes": causes })
}

/// The resource version of an object.
pub fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
}

/// The uid of an object.
pub fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

/// A uid and a resource version nothing has.
pub const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
