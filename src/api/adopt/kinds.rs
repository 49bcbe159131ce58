//! What adoption reads of a cluster: which kinds there are to copy, and what was found of each.

use crate::api::is_keeper;
use crate::model::{BASE_LABEL, annotation, label_of, name_of};
use serde_json::Value;

/// A kind that adoption looks at.
#[derive(Debug, PartialEq, Eq)]
pub struct AdoptKind {
    /// Its API group; empty for the core group.
    pub group: &'static str,
    /// Its name in paths.
    pub plural: &'static str,
    /// Its name in objects.
    pub kind: &'static str,
    /// Whether objects of other namespaces matter, too.
    pub everywhere: bool,
    /// What an object of it means for a slot.
    pub(super) role: Role,
}

/// What an object means for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Adoption cannot work without reading these.
    Core,
    /// Selects pods by the label selector at this place, and slot b gets its own.
    SelectsPods(&'static str),
    /// Selects Services by labels, and slot b gets its own.
    SelectsServices,
    /// Targets a Deployment, and slot b gets its own.
    Scales,
    /// Targets a Service by name at `spec.targetRef` or `spec.targetRefs`, and slot b gets its own.
    TargetsService,
    /// Names a Service's host at `spec.host`, and slot b gets its own.
    NamesHost,
    /// Is only looked at.
    Seen,
}

const fn kind(group: &'static str, plural: &'static str, kind: &'static str, role: Role) -> AdoptKind {
    AdoptKind { group, plural, kind, everywhere: false, role }
}

const fn everywhere(group: &'static str, plural: &'static str, kind: &'static str, role: Role) -> AdoptKind {
    AdoptKind { group, plural, kind, everywhere: true, role }
}

/// Every kind that adoption looks at, in the order in which their copies are written.
///
/// Pods of slot b carry new label values, so everything that finds pods by labels or names the Service has to be known:
/// what is missed here protects, limits or measures slot a alone.
pub static ADOPT_KINDS: &[AdoptKind] = &[
    kind("apps", "deployments", "Deployment", Role::Core),
    kind("", "services", "Service", Role::Core),
    kind("gateway.networking.k8s.io", "httproutes", "HTTPRoute", Role::Core),
    kind("autoscaling", "horizontalpodautoscalers", "HorizontalPodAutoscaler", Role::Scales),
    kind("policy", "poddisruptionbudgets", "PodDisruptionBudget", Role::SelectsPods("/spec/selector")),
    kind("networking.k8s.io", "networkpolicies", "NetworkPolicy", Role::SelectsPods("/spec/podSelector")),
    kind("security.istio.io", "authorizationpolicies", "AuthorizationPolicy", Role::SelectsPods("/spec/selector")),
    kind("security.istio.io", "requestauthentications", "RequestAuthentication", Role::SelectsPods("/spec/selector")),
    kind("security.istio.io", "peerauthentications", "PeerAuthentication", Role::SelectsPods("/spec/selector")),
    kind("networking.istio.io", "destinationrules", "DestinationRule", Role::NamesHost),
    kind("gateway.networking.k8s.io", "backendtlspolicies", "BackendTLSPolicy", Role::TargetsService),
    kind("alb.networking.azure.io", "healthcheckpolicies", "HealthCheckPolicy", Role::TargetsService),
    kind("alb.networking.azure.io", "backendloadbalancingpolicies", "BackendLoadBalancingPolicy", Role::TargetsService),
    everywhere("monitoring.coreos.com", "podmonitors", "PodMonitor", Role::SelectsPods("/spec/selector")),
    everywhere("azmonitoring.coreos.com", "podmonitors", "PodMonitor", Role::SelectsPods("/spec/selector")),
    everywhere("monitoring.coreos.com", "servicemonitors", "ServiceMonitor", Role::SelectsServices),
    everywhere("azmonitoring.coreos.com", "servicemonitors", "ServiceMonitor", Role::SelectsServices),
    kind("networking.k8s.io", "ingresses", "Ingress", Role::Seen),
    kind("", "persistentvolumeclaims", "PersistentVolumeClaim", Role::Seen),
    kind("keda.sh", "scaledobjects", "ScaledObject", Role::Seen),
    kind("autoscaling.k8s.io", "verticalpodautoscalers", "VerticalPodAutoscaler", Role::Seen),
    kind("cilium.io", "ciliumnetworkpolicies", "CiliumNetworkPolicy", Role::Seen),
    kind("networking.istio.io", "virtualservices", "VirtualService", Role::Seen),
    kind("argoproj.io", "rollouts", "Rollout", Role::Seen),
    kind("flagger.app", "canaries", "Canary", Role::Seen),
];

impl AdoptKind {
    /// Tells whether nothing can be said without reading this kind.
    pub fn is_needed(&self) -> bool {
        self.role == Role::Core
    }

    /// Returns the kind with its group, as people ask for it: `podmonitors.monitoring.coreos.com`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }
}

/// What was read of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Found {
    listed: Vec<Listed>,
    /// Kinds that could not be read, and why; kinds that are not served are not among them.
    pub unread: Vec<(&'static AdoptKind, String)>,
}

/// The objects of one kind.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub kind: &'static AdoptKind,
    pub objects: Vec<Value>,
}

impl Found {
    /// Takes in the objects of a kind, read in a version of its group.
    ///
    /// Lists of built-in kinds leave kind and version out of their items; here every object says them. What a run before
    /// made for slot b is left out, so that a second run prints the same.
    pub fn add(&mut self, kind: &'static AdoptKind, version: &str, objects: Vec<Value>) {
        let api_version = if kind.group.is_empty() { version.to_owned() } else { format!("{}/{version}", kind.group) };
        let named = objects.into_iter().filter(|object| !is_slot_b(object)).map(|mut object| {
            if let Some(fields) = object.as_object_mut() {
                fields.insert("apiVersion".into(), api_version.as_str().into());
                fields.insert("kind".into(), kind.kind.into());
            }
            object
        });
        self.listed.push(Listed { kind, objects: named.collect() });
    }

    pub(super) fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// Returns the objects of every kind with this name, of whatever group.
    pub(super) fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.listed.iter().filter(move |listed| listed.kind.kind == kind).flat_map(|listed| &listed.objects)
    }

    pub(super) fn one(&self, kind: &str, name: &str) -> Option<&Value> {
        self.of(kind).find(|object| name_of(object) == name)
    }

    /// Returns the names of a kind's objects that can be adopted, for a sentence: what this product has made cannot.
    pub(super) fn names(&self, kind: &str) -> String {
        let is_ours = |object: &&Value| label_of(object, BASE_LABEL).is_some() || is_keeper(object);
        let names: Vec<&str> = self.of(kind).filter(|object| !is_ours(object)).map(name_of).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

/// Names an object for a sentence: its kind and name, and its namespace where that is not the application's.
pub(super) fn called(object: &Value, namespace: &str) -> String {
    let kind = object["kind"].as_str().unwrap_or_default();
    match object["metadata"]["namespace"].as_str() {
        Some(own) if own != namespace => format!("{kind} {own}/{}", name_of(object)),
        _ => format!("{kind} {}", name_of(object)),
    }
}

/// Names the tool that keeps an object as it stands elsewhere; `None` = none is known.
pub(super) fn kept_by(object: &Value) -> Option<&'static str> {
    let labelled = |key: &str| label_of(object, key).is_some();
    let annotated = |key: &str| annotation(object, key).is_some();
    if annotated("argocd.argoproj.io/tracking-id") || labelled("argocd.argoproj.io/instance") {
        return Some("Argo CD");
    }
    if labelled("kustomize.toolkit.fluxcd.io/name") || labelled("helm.toolkit.fluxcd.io/name") {
        return Some("Flux");
    }
    (annotated("meta.helm.sh/release-name") || label_of(object, "app.kubernetes.io/managed-by") == Some("Helm"))
        .then_some("Helm")
}

fn is_slot_b(object: &Value) -> bool {
    label_of(object, crate::model::SLOT_LABEL) == Some("b")
}
