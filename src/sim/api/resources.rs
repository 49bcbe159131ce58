//! Which resources the API server serves.

/// A resource type.
#[derive(Debug)]
pub struct Resource {
    /// Its group; empty for the core group.
    pub group: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its name in paths; unique over all groups here but for views.
    pub plural: &'static str,
    /// Its name for one.
    pub singular: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// What kubectl accepts beside the names.
    pub short: &'static [&'static str],
    /// Whether it lives in namespaces.
    pub namespaced: bool,
    /// Whether status is a subresource.
    pub status: bool,
    /// Whether `metadata.generation` counts changes of the spec.
    pub generation: bool,
    /// Whether objects of it cannot be made here, so that there are none: clients that look for them find a list.
    pub bare: bool,
    /// Whether it shows the objects of the resource with the same plural under another group or version, to be read only.
    pub view: bool,
    /// Whether it is defined by a CRD: its status holds nothing else, its lists carry kinds, PATCH knows no strategic merge.
    pub custom: bool,
}

impl Resource {
    const fn new(group: &'static str, version: &'static str, names: [&'static str; 3]) -> Self {
        let [plural, singular, kind] = names;
        Self {
            group,
            version,
            plural,
            singular,
            kind,
            short: &[],
            namespaced: true,
            status: true,
            generation: true,
            bare: false,
            view: false,
            custom: false,
        }
    }

    const fn short(mut self, names: &'static [&'static str]) -> Self {
        self.short = names;
        self
    }

    const fn global(mut self) -> Self {
        self.namespaced = false;
        self
    }

    const fn custom(mut self) -> Self {
        self.custom = true;
        self
    }

    /// No status subresource and no generation.
    const fn plain(mut self) -> Self {
        self.status = false;
        self.generation = false;
        self
    }

    /// Served, with nothing in it.
    const fn bare(mut self) -> Self {
        self.bare = true;
        self.plain()
    }

    /// Another name for the objects of a resource.
    const fn view(mut self) -> Self {
        self.view = true;
        self.plain()
    }

    /// Status, but no generation.
    const fn ungenerated(mut self) -> Self {
        self.generation = false;
        self
    }

    /// Returns the group and version as in an object's `apiVersion`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Returns the name with its group, as in messages: `httproutes.gateway.networking.k8s.io`.
    pub fn qualified(&self) -> String {
        qualify(self.plural, self.group)
    }

    /// Returns the kind with its group, as in messages: `HTTPRoute.gateway.networking.k8s.io`.
    pub fn qualified_kind(&self) -> String {
        qualify(self.kind, self.group)
    }

    /// Tells whether `/scale` reads and writes its replicas.
    pub fn scales(&self) -> bool {
        matches!(self.plural, "deployments" | "replicasets")
    }

    /// Returns what can be done with its objects.
    pub fn verbs(&self) -> &'static [&'static str] {
        const ALL: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
        const READ: [&str; 3] = ["get", "list", "watch"];
        if self.bare || self.view { &READ } else { &ALL }
    }

    /// Tells whether it has this subresource.
    pub fn has(&self, sub: &str) -> bool {
        match sub {
            "status" => self.status,
            "scale" => self.scales(),
            "log" => self.plural == "pods",
            _ => false,
        }
    }

    /// Tells whether `kubectl get all` shows it.
    pub fn is_in_all(&self) -> bool {
        let workloads = matches!(self.plural, "statefulsets" | "daemonsets" | "jobs" | "cronjobs");
        workloads
            || matches!(self.plural, "pods" | "services" | "deployments" | "replicasets" | "horizontalpodautoscalers")
    }

    /// Returns the path prefix of its group and version: `/api/v1` or `/apis/GROUP/VERSION`.
    pub fn prefix(&self) -> String {
        if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        }
    }
}

impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        self.plural == other.plural
    }
}

const GATEWAY: &str = "gateway.networking.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";
const VENDOR: &str = "gateway.envoyproxy.io";

/// RolloutPlans.
pub static PLANS: Resource =
    Resource::new("pilothouse.dev", "v1alpha1", ["rolloutplans", "rolloutplan", "RolloutPlan"])
        .short(&["rplan"])
        .custom();
/// Releases.
pub static RELEASES: Resource =
    Resource::new("pilothouse.dev", "v1alpha1", ["releases", "release", "Release"]).short(&["rel"]).custom();
/// HTTPRoutes.
pub static ROUTES: Resource = Resource::new(GATEWAY, "v1", ["httproutes", "httproute", "HTTPRoute"]).custom();
/// Gateways.
pub static GATEWAYS: Resource =
    Resource::new(GATEWAY, "v1", ["gateways", "gateway", "Gateway"]).short(&["gtw"]).custom();
/// GatewayClasses.
pub static GATEWAY_CLASSES: Resource =
    Resource::new(GATEWAY, "v1", ["gatewayclasses", "gatewayclass", "GatewayClass"]).short(&["gc"]).global().custom();
/// Deployments.
pub static DEPLOYMENTS: Resource =
    Resource::new("apps", "v1", ["deployments", "deployment", "Deployment"]).short(&["deploy"]);
/// ReplicaSets.
pub static REPLICA_SETS: Resource =
    Resource::new("apps", "v1", ["replicasets", "replicaset", "ReplicaSet"]).short(&["rs"]);
/// Pods.
pub static PODS: Resource = Resource::new("", "v1", ["pods", "pod", "Pod"]).short(&["po"]);
/// Services.
pub static SERVICES: Resource =
    Resource::new("", "v1", ["services", "service", "Service"]).short(&["svc"]).ungenerated();
/// ConfigMaps.
pub static CONFIG_MAPS: Resource =
    Resource::new("", "v1", ["configmaps", "configmap", "ConfigMap"]).short(&["cm"]).plain();
/// Namespaces.
pub static NAMESPACES: Resource =
    Resource::new("", "v1", ["namespaces", "namespace", "Namespace"]).short(&["ns"]).global().ungenerated();
/// Nodes.
pub static NODES: Resource = Resource::new("", "v1", ["nodes", "node", "Node"]).short(&["no"]).global().ungenerated();
/// Events.
pub static EVENTS: Resource = Resource::new("", "v1", ["events", "event", "Event"]).short(&["ev"]).plain();
/// EndpointSlices.
pub static ENDPOINT_SLICES: Resource = Resource {
    status: false,
    ..Resource::new("discovery.k8s.io", "v1", ["endpointslices", "endpointslice", "EndpointSlice"])
};
/// HorizontalPodAutoscalers.
pub static AUTOSCALERS: Resource = Resource::new(
    "autoscaling",
    "v2",
    ["horizontalpodautoscalers", "horizontalpodautoscaler", "HorizontalPodAutoscaler"],
)
.short(&["hpa"])
.ungenerated();
/// PodDisruptionBudgets.
pub static BUDGETS: Resource =
    Resource::new("policy", "v1", ["poddisruptionbudgets", "poddisruptionbudget", "PodDisruptionBudget"])
        .short(&["pdb"]);
/// Leases.
pub static LEASES: Resource = Resource::new("coordination.k8s.io", "v1", ["leases", "lease", "Lease"]).plain();
/// CustomResourceDefinitions.
pub static DEFINITIONS: Resource = Resource::new(
    "apiextensions.k8s.io",
    "v1",
    ["customresourcedefinitions", "customresourcedefinition", "CustomResourceDefinition"],
)
.short(&["crd"])
.global();

/// SecurityPolicies, one vendor's policies on routes. The embedded gateway does not act on them; a console looks for them.
pub static SECURITY_POLICIES: Resource =
    Resource::new(VENDOR, "v1alpha1", ["securitypolicies", "securitypolicy", "SecurityPolicy"]).short(&["sp"]).custom();
/// BackendTrafficPolicies.
pub static TRAFFIC_POLICIES: Resource =
    Resource::new(VENDOR, "v1alpha1", ["backendtrafficpolicies", "backendtrafficpolicy", "BackendTrafficPolicy"])
        .short(&["btp"])
        .custom();
/// EnvoyProxies, the parameters of that vendor's GatewayClasses and Gateways.
pub static PROXIES: Resource =
    Resource::new(VENDOR, "v1alpha1", ["envoyproxies", "envoyproxy", "EnvoyProxy"]).short(&["eproxy"]).custom();
/// ScaledObjects of KEDA. Nothing scales by them here.
pub static SCALED_OBJECTS: Resource =
    Resource::new("keda.sh", "v1alpha1", ["scaledobjects", "scaledobject", "ScaledObject"]).short(&["so"]).custom();

/// Secrets.
pub static SECRETS: Resource = Resource::new("", "v1", ["secrets", "secret", "Secret"]).plain();
/// ServiceAccounts. Nobody acts as one here.
pub static SERVICE_ACCOUNTS: Resource =
    Resource::new("", "v1", ["serviceaccounts", "serviceaccount", "ServiceAccount"]).short(&["sa"]).plain();
/// Roles. They are kept; what an account may do is decided elsewhere.
pub static ROLES: Resource = Resource::new(RBAC, "v1", ["roles", "role", "Role"]).plain();
/// RoleBindings, kept as Roles are.
pub static ROLE_BINDINGS: Resource = Resource::new(RBAC, "v1", ["rolebindings", "rolebinding", "RoleBinding"]).plain();
/// ClusterRoles, kept as Roles are.
pub static CLUSTER_ROLES: Resource =
    Resource::new(RBAC, "v1", ["clusterroles", "clusterrole", "ClusterRole"]).global().plain();
/// ClusterRoleBindings, kept as Roles are.
pub static CLUSTER_ROLE_BINDINGS: Resource =
    Resource::new(RBAC, "v1", ["clusterrolebindings", "clusterrolebinding", "ClusterRoleBinding"]).global().plain();

/// Workloads nothing here would run.
static STATEFUL_SETS: Resource =
    Resource::new("apps", "v1", ["statefulsets", "statefulset", "StatefulSet"]).short(&["sts"]).bare();
static DAEMON_SETS: Resource =
    Resource::new("apps", "v1", ["daemonsets", "daemonset", "DaemonSet"]).short(&["ds"]).bare();
static JOBS: Resource = Resource::new("batch", "v1", ["jobs", "job", "Job"]).bare();
static CRON_JOBS: Resource = Resource::new("batch", "v1", ["cronjobs", "cronjob", "CronJob"]).short(&["cj"]).bare();
/// Storage and network nothing here would provide.
static CLAIMS: Resource =
    Resource::new("", "v1", ["persistentvolumeclaims", "persistentvolumeclaim", "PersistentVolumeClaim"])
        .short(&["pvc"])
        .bare();
static VOLUMES: Resource = Resource::new("", "v1", ["persistentvolumes", "persistentvolume", "PersistentVolume"])
    .short(&["pv"])
    .global()
    .bare();
static STORAGE_CLASSES: Resource =
    Resource::new("storage.k8s.io", "v1", ["storageclasses", "storageclass", "StorageClass"])
        .short(&["sc"])
        .global()
        .bare();
static INGRESSES: Resource =
    Resource::new("networking.k8s.io", "v1", ["ingresses", "ingress", "Ingress"]).short(&["ing"]).bare();
static NETWORK_POLICIES: Resource =
    Resource::new("networking.k8s.io", "v1", ["networkpolicies", "networkpolicy", "NetworkPolicy"])
        .short(&["netpol"])
        .bare();

/// Events under their newer group.
static NEW_EVENTS: Resource = Resource::new("events.k8s.io", "v1", ["events", "event", "Event"]).short(&["ev"]).view();
/// HorizontalPodAutoscalers under their older version.
static OLD_AUTOSCALERS: Resource = Resource::new(
    "autoscaling",
    "v1",
    ["horizontalpodautoscalers", "horizontalpodautoscaler", "HorizontalPodAutoscaler"],
)
.short(&["hpa"])
.view();

/// Every resource, the core group first.
pub static ALL: [&Resource; 39] = [
    &CONFIG_MAPS,
    &EVENTS,
    &NAMESPACES,
    &NODES,
    &PODS,
    &SERVICES,
    &DEFINITIONS,
    &DEPLOYMENTS,
    &REPLICA_SETS,
    &AUTOSCALERS,
    &LEASES,
    &ENDPOINT_SLICES,
    &GATEWAY_CLASSES,
    &GATEWAYS,
    &ROUTES,
    &PLANS,
    &RELEASES,
    &BUDGETS,
    &SECURITY_POLICIES,
    &TRAFFIC_POLICIES,
    &PROXIES,
    &SCALED_OBJECTS,
    &SECRETS,
    &SERVICE_ACCOUNTS,
    &ROLES,
    &ROLE_BINDINGS,
    &CLUSTER_ROLES,
    &CLUSTER_ROLE_BINDINGS,
    &STATEFUL_SETS,
    &DAEMON_SETS,
    &JOBS,
    &CRON_JOBS,
    &CLAIMS,
    &VOLUMES,
    &STORAGE_CLASSES,
    &INGRESSES,
    &NETWORK_POLICIES,
    &NEW_EVENTS,
    &OLD_AUTOSCALERS,
];

/// Finds a resource by its path.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
    ALL.into_iter().find(|r| r.group == group && r.version == version && r.plural == plural)
}

fn qualify(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResourceKind;

    #[test]
    fn every_kind_of_the_model_is_served_under_its_path() {
        for kind in ResourceKind::ALL {
            let (group, version, plural) = kind.path();
            let found = find(group, version, plural).expect("served");
            assert_eq!((found.kind, found.api_version()), (kind.name(), kind.api_version()));
        }
    }

    #[test]
    fn no_two_resources_share_a_plural() {
        let own = || ALL.iter().filter(|r| !r.view).map(|r| r.plural);
        let mut names: Vec<&str> = own().collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), own().count());
        let shown = |r: &&&Resource| ALL.iter().any(|other| !other.view && other.plural == r.plural);
        assert!(ALL.iter().filter(|r| r.view).all(|r| shown(&r)));
    }
}
