//! Kubernetes objects as the pure layers see them: which kinds there are, and lenient reads of their JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The label of a pod, a pod template and a Deployment with their slot.
pub const SLOT_LABEL: &str = "pilothouse.dev/slot";
/// The label of a Deployment and its pod template with their version.
pub const VERSION_LABEL: &str = "app.kubernetes.io/version";

/// The label of a managed route with the name of its base route.
pub const BASE_LABEL: &str = "pilothouse.dev/base";

/// The label of an EndpointSlice with its Service.
pub const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// Every kind of object the product reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum ResourceKind {
    /// `pilothouse.dev` RolloutPlan.
    RolloutPlan,
    /// `pilothouse.dev` Release.
    Release,
    /// `gateway.networking.k8s.io` HTTPRoute.
    HTTPRoute,
    /// `gateway.networking.k8s.io` Gateway.
    Gateway,
    /// `apps` Deployment.
    Deployment,
    /// Service.
    Service,
    /// `discovery.k8s.io` EndpointSlice.
    EndpointSlice,
    /// Pod.
    Pod,
    /// ConfigMap.
    ConfigMap,
    /// `autoscaling` HorizontalPodAutoscaler.
    HorizontalPodAutoscaler,
    /// `coordination.k8s.io` Lease.
    Lease,
}

impl ResourceKind {
    /// Every kind, in a fixed order.
    pub const ALL: [Self; 11] = [
        Self::RolloutPlan,
        Self::Release,
        Self::HTTPRoute,
        Self::Gateway,
        Self::Deployment,
        Self::Service,
        Self::EndpointSlice,
        Self::Pod,
        Self::ConfigMap,
        Self::HorizontalPodAutoscaler,
        Self::Lease,
    ];

    /// Returns `(group, version, plural)` as in a request path; the core group is empty.
    pub fn path(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::RolloutPlan => ("pilothouse.dev", "v1alpha1", "rolloutplans"),
            Self::Release => ("pilothouse.dev", "v1alpha1", "releases"),
            Self::HTTPRoute => ("gateway.networking.k8s.io", "v1", "httproutes"),
            Self::Gateway => ("gateway.networking.k8s.io", "v1", "gateways"),
            Self::Deployment => ("apps", "v1", "deployments"),
            Self::Service => ("", "v1", "services"),
            Self::EndpointSlice => ("discovery.k8s.io", "v1", "endpointslices"),
            Self::Pod => ("", "v1", "pods"),
            Self::ConfigMap => ("", "v1", "configmaps"),
            Self::HorizontalPodAutoscaler => ("autoscaling", "v2", "horizontalpodautoscalers"),
            Self::Lease => ("coordination.k8s.io", "v1", "leases"),
        }
    }

    /// Returns the kind's name as in an object's `kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::RolloutPlan => "RolloutPlan",
            Self::Release => "Release",
            Self::HTTPRoute => "HTTPRoute",
            Self::Gateway => "Gateway",
            Self::Deployment => "Deployment",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Pod => "Pod",
            Self::ConfigMap => "ConfigMap",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::Lease => "Lease",
        }
    }

    /// Returns the group and version as in an object's `apiVersion`.
    pub fn api_version(self) -> String {
        let (group, version, _) = self.path();
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
    }
}

/// Names one object of the namespace the console works in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ResourceRef {
    /// The object's kind.
    pub kind: ResourceKind,
    /// The object's name.
    pub name: String,
}

impl ResourceRef {
    /// Names the object.
    pub fn new(kind: ResourceKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.name)
    }
}

/// A definitive refusal by the API server: the request was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The HTTP status code.
    pub code: u16,
    /// `reason` of the Status object, such as `Invalid` or `Conflict`.
    pub reason: String,
    /// `message` of the Status object; foreign text.
    pub message: String,
    /// `details.causes` of the Status object, each as `field: message`; foreign text.
    pub causes: Vec<String>,
}

impl Rejection {
    /// Tells whether a precondition of the request did not hold (a failed JSON Patch `test`, a conflict, or an existing name).
    ///
    /// A failed `test` and a patch that breaks the schema are both 422; only the second has causes.
    pub fn is_precondition(&self) -> bool {
        self.code == 409 || (self.code == 422 && self.causes.is_empty())
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code, self.reason, self.message)?;
        if !self.causes.is_empty() {
            write!(f, " ({})", self.causes.join("; "))?;
        }
        Ok(())
    }
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The server answered with the object as it is now.
    Applied(Value),
    /// The server answered that nothing was changed.
    NotApplied(Rejection),
    /// No definitive answer: the write may have landed, may land later, or never.
    Unknown(String),
}

/// Reads `metadata.name`; empty when the object has none.
pub fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// Reads `metadata.uid`; empty when the object has none.
pub fn uid_of(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

/// Reads `metadata.resourceVersion`; empty when the object has none.
pub fn resource_version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
}

/// Reads one annotation.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["annotations"].get(key)?.as_str()
}

/// Reads one label.
pub fn label_of<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["labels"].get(key)?.as_str()
}

/// Counts the ready endpoints of an EndpointSlice.
pub fn ready_in(slice: &Value) -> usize {
    let endpoints = slice["endpoints"].as_array().into_iter().flatten();
    endpoints.filter(|endpoint| endpoint["conditions"]["ready"].as_bool() == Some(true)).count()
}
