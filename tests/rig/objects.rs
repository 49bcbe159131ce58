//! The objects of the rig: the gateway's own, the application with both slots, its customers and its plan.

use crate::cluster::CONTOURS_ENVOY;
use crate::outside::Gateway;
use color_eyre::eyre::{Result, eyre};
use pilothouse::api::{RbacNames, manifests as printed};
use serde_json::{Value, json};
use std::path::Path;

/// The namespace of the application and of the console.
pub const NAMESPACE: &str = "trackx";

/// The plan, the base route, and slot a's Deployment and Service.
pub const APP: &str = "trackx";

/// Slot b's Deployment and Service.
pub const APP_B: &str = "trackx-b";

/// The Deployment and Service of the rule that is not on the slots.
pub const ASSETS: &str = "assets";

/// The version of the assets.
pub const ASSETS_VERSION: &str = "assets-1";

/// The hostname of the base route.
pub const HOST: &str = "trackx.example";

/// The version that serves at the start.
pub const OLD: &str = "4.11.8";

/// Envoy Gateway's own namespace.
pub const GATEWAY_NAMESPACE: &str = "envoy-gateway-system";

/// Replicas of the slot that serves.
pub const REPLICAS: u32 = 2;

/// The customers. The first two are our own (tier `internal`), the next six are the pilots the plan names.
#[rustfmt::skip]
pub const CUSTOMERS: [&str; 60] = [
    "house", "lab",
    "acme", "globex", "initech", "umbrella", "hooli", "stark",
    "wayne", "tyrell", "cyberdyne", "soylent", "vandelay", "dunder", "sterling", "pied", "aperture", "weyland",
    "nakatomi", "oscorp", "gringotts", "wonka", "monarch", "duff", "krusty", "bluth", "sirius", "vehement",
    "zorg", "omni", "abstergo", "vault", "tessier", "ashpool", "rekall", "buynlarge", "lexcorp", "daily",
    "planet", "momcorp", "slurm", "spacely", "cogswell", "kwik", "paper", "prestige", "massive", "hanso",
    "dharma", "oceanic", "widmore", "roxxon", "hammer", "pym", "trask", "essex", "alchemax", "fisk", "rand", "frost",
];

/// The last one sends nothing; a release shows that and goes on.
pub const SILENT: &str = CUSTOMERS[CUSTOMERS.len() - 1];

/// How many customers are our own.
pub const INTERNAL: usize = 2;

/// How many pilots the plan names.
pub const PILOTS: usize = 6;

/// The waves of the plan as they have to come out: ring and number of customers, the unlisted last.
pub const WAVES: [(&str, usize); 7] =
    [("internal", 2), ("pilot", 6), ("early", 6), ("early", 6), ("main", 10), ("main", 30), ("unlisted", 0)];

/// So many waves move half of the customers.
pub const HALF: usize = 5;

/// Envoy Gateway's configuration: its admin and metrics ports are Envoy's otherwise.
pub fn envoy_gateway() -> Value {
    json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyGateway",
        "gateway": { "controllerName": "gateway.envoyproxy.io/gatewayclass-controller" },
        "provider": { "type": "Kubernetes", "kubernetes": {
            "leaderElection": { "disable": true }, "proxyTopologyInjector": { "disabled": true },
        }},
        "admin": { "address": { "host": "127.0.0.1", "port": 19010 } },
        "telemetry": { "metrics": { "prometheus": { "disable": true } } },
        "logging": { "level": { "default": "info" } },
    })
}

/// What has to exist before Envoy Gateway can make its certificates.
pub fn gateway_namespace() -> Vec<Value> {
    vec![
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": GATEWAY_NAMESPACE } }),
        json!({ "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": { "name": "envoy-gateway", "namespace": GATEWAY_NAMESPACE } }),
    ]
}

/// The path at which an object is created.
pub fn collection(object: &Value) -> Result<String> {
    let namespace = object["metadata"]["namespace"].as_str();
    match (object["kind"].as_str(), namespace) {
        (Some("Namespace"), None) => Ok("/api/v1/namespaces".into()),
        (Some("ServiceAccount"), Some(namespace)) => Ok(format!("/api/v1/namespaces/{namespace}/serviceaccounts")),
        (kind, _) => Err(eyre!("no path is known for {kind:?}")),
    }
}

/// The namespace of the application.
pub fn namespace() -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } })
}

/// The CRDs and RBAC rules as `pilothouse manifests` prints them.
pub fn manifests() -> Result<String> {
    let names = RbacNames {
        namespace: NAMESPACE.into(),
        customers: Some("trackx-customers".into()),
        deployments: vec![APP.into(), APP_B.into()],
        metrics: None,
    };
    printed(&names).map_err(|why| eyre!("the manifests cannot be printed: {why}"))
}

/// Everything else, in an order in which it can be created.
pub fn all() -> Result<Vec<Value>> {
    let mut objects = vec![
        binding("operator", "pilothouse-operator"),
        binding("viewer", "pilothouse-viewer"),
        cluster_binding(&["operator", "viewer"]),
    ];
    objects.extend(gateway());
    for (name, slot, version, replicas) in
        [(APP, Some("a"), OLD, REPLICAS), (APP_B, Some("b"), OLD, 0), (ASSETS, None, ASSETS_VERSION, 1)]
    {
        objects.push(deployment(name, slot, version, replicas));
        objects.push(service(name));
    }
    objects.push(customers()?);
    objects.push(plan());
    objects.push(route());
    Ok(objects)
}

/// Contour's configuration: it serves this one Gateway.
pub fn contour() -> Value {
    json!({ "gateway": { "gatewayRef": { "namespace": NAMESPACE, "name": "web" } } })
}

/// The GatewayClass and the Gateway, which is reached at the same port whichever serves it.
fn gateway() -> Vec<Value> {
    let class = |name: &str, spec: Value| {
        json!({ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
                "metadata": { "name": name }, "spec": spec })
    };
    let gateway = |class: &str, port: u16| {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": { "name": "web", "namespace": NAMESPACE },
            "spec": { "gatewayClassName": class,
                      "listeners": [{ "name": "http", "protocol": "HTTP", "port": port }] },
        })
    };
    match Gateway::of_run() {
        Gateway::EnvoyGateway => vec![
            json!({
                "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyProxy",
                "metadata": { "name": "rig", "namespace": GATEWAY_NAMESPACE },
                // A LoadBalancer would wait for an address for ever.
                "spec": { "provider": { "type": "Kubernetes",
                                        "kubernetes": { "envoyService": { "type": "ClusterIP" } } } },
            }),
            class(
                "eg",
                json!({
                    "controllerName": "gateway.envoyproxy.io/gatewayclass-controller",
                    "parametersRef": { "group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "rig",
                                       "namespace": GATEWAY_NAMESPACE },
                }),
            ),
            gateway("eg", 8000),
        ],
        // Contour's Envoy listens on the port + 8000, and begins again after 65535.
        Gateway::Contour => vec![
            class("contour", json!({ "controllerName": "projectcontour.io/gateway-controller" })),
            gateway("contour", 65535),
        ],
    }
}

/// The configuration of Prometheus; Debian's build has no Kubernetes discovery, the kubelet replacement writes the
/// targets.
pub fn prometheus(targets: &Path) -> Value {
    json!({
        "global": { "scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "5s" },
        "scrape_configs": [
            { "job_name": "app", "file_sd_configs": [{ "files": [targets], "refresh_interval": "1s" }] },
            { "job_name": "envoy", "metrics_path": "/stats/prometheus",
              "static_configs": [{ "targets": [match Gateway::of_run() {
                  Gateway::EnvoyGateway => "127.0.0.1:19001",
                  Gateway::Contour => CONTOURS_ENVOY,
              }] }] },
        ],
    })
}

fn binding(user: &str, role: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": user, "namespace": NAMESPACE },
        "subjects": [{ "kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io" }],
        "roleRef": { "kind": "Role", "name": role, "apiGroup": "rbac.authorization.k8s.io" },
    })
}

fn cluster_binding(users: &[&str]) -> Value {
    let subjects: Vec<Value> = users
        .iter()
        .map(|user| json!({ "kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io" }))
        .collect();
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": { "name": "pilothouse-cluster-viewer" }, "subjects": subjects,
        "roleRef": { "kind": "ClusterRole", "name": "pilothouse-cluster-viewer",
                     "apiGroup": "rbac.authorization.k8s.io" },
    })
}

fn deployment(name: &str, slot: Option<&str>, version: &str, replicas: u32) -> Value {
    let mut labels = json!({ "app": name, "app.kubernetes.io/version": version });
    if let Some(slot) = slot {
        labels["pilothouse.dev/slot"] = json!(slot);
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "namespace": NAMESPACE, "labels": labels },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "terminationGracePeriodSeconds": 10,
                    "automountServiceAccountToken": false,
                    "containers": [{
                        "name": "app", "image": format!("registry.example/{name}:{version}"),
                        "ports": [{ "name": "http", "containerPort": 3000 }],
                        // Endpoints leave the gateway a moment after the signal would come.
                        "lifecycle": { "preStop": { "sleep": { "seconds": 1 } } },
                    }],
                },
            },
        },
    })
}

fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": { "selector": { "app": name },
                  "ports": [{ "name": "http", "port": 8080, "targetPort": "http" }] },
    })
}

fn route() -> Value {
    let slots = json!([
        { "name": APP, "port": 8080, "weight": 100 },
        { "name": APP_B, "port": 8080, "weight": 0 },
    ]);
    let prefix = |path: &str| json!([{ "path": { "type": "PathPrefix", "value": path } }]);
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "name": APP, "namespace": NAMESPACE },
        "spec": {
            "parentRefs": [{ "name": "web" }],
            "hostnames": [HOST],
            "rules": [
                { "matches": prefix("/"), "backendRefs": slots, "timeouts": { "request": "120s" } },
                { "matches": prefix("/api"), "backendRefs": slots, "timeouts": { "request": "90s" } },
                { "matches": prefix("/static"), "backendRefs": [{ "name": ASSETS, "port": 8080 }],
                  "timeouts": { "request": "100s" } },
            ],
        },
    })
}

fn customers() -> Result<Value> {
    let tiers = |at: usize| if at < INTERNAL { "internal" } else { "silver" };
    let list: Vec<Value> =
        (0..).zip(CUSTOMERS).map(|(at, id)| json!({ "id": id, "name": id, "tier": tiers(at) })).collect();
    Ok(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "trackx-customers", "namespace": NAMESPACE },
        // JSON is YAML.
        "data": { "customers.yaml": serde_json::to_string_pretty(&list)? },
    }))
}

fn plan() -> Value {
    json!({
        "apiVersion": "pilothouse.dev/v1alpha1", "kind": "RolloutPlan",
        "metadata": { "name": APP, "namespace": NAMESPACE },
        "spec": {
            "environment": "prod",
            "components": [{
                "name": "web", "route": APP,
                "a": { "deployment": APP, "service": APP }, "b": { "deployment": APP_B, "service": APP_B },
            }],
            "deploy": { "by": "pilothouse", "container": "app" },
            "customers": {
                "identifiedBy": { "header": "x-customer-id" }, "from": { "configMap": "trackx-customers" },
            },
            "rings": [
                { "name": "internal", "select": { "tier": "internal" }, "bake": "2s" },
                { "name": "pilot", "names": CUSTOMERS[INTERNAL..INTERNAL + PILOTS], "bake": "2s" },
                { "name": "early", "share": "20%", "waves": ["50%", "100%"], "bake": "2s" },
                { "name": "main", "rest": true, "waves": ["25%", "100%"], "bake": "2s" },
            ],
            "promote": { "bake": "2s" },
            "settle": "1s",
            "gates": [
                { "name": "errors", "kind": "errorRatio", "max": "1%", "for": "5s", "minRequests": 5 },
                { "name": "p99", "kind": "latency", "quantile": 0.99, "max": "50s", "for": "5s" },
                { "name": "restarts", "kind": "restarts", "max": 0, "for": "5s" },
            ],
            "drain": {
                "quiet": "2s", "patience": "2m",
                "kinds": { "http": "wait", "stream": "wait", "job": "wait", "ws": "wait" },
            },
            "metrics": { "source": { "url": "http://127.0.0.1:9090" }, "profile": "app", "interval": "1s" },
        },
    })
}
