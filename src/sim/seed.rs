//! The objects that exist when the embedded cluster starts.

use super::api::resources::{
    CONFIG_MAPS, DEFINITIONS, DEPLOYMENTS, ENDPOINT_SLICES, GATEWAY_CLASSES, GATEWAYS, NAMESPACES, NODES, PLANS,
    RELEASES, ROUTES, Resource, SERVICES,
};
use super::api::{Failure, Store, Target, control, create};
use super::clock::seconds;
use super::controllers::{ADDRESS, NODE, set_condition};
use super::customers;
use super::gateway::CONTROLLER;
use super::scenario::{App, Scenario};
use crate::model::{Slot, dns_label};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::time::Duration;

/// Who has made the objects, in their record of owners.
const MANAGER: &str = "setup";
/// The namespace of the embedded application.
pub const NAMESPACE: &str = "trackx";
/// How old the application is when the cluster starts.
const AGE: Duration = Duration::from_secs(9 * 86_400 + 4 * 3600);
/// How long ago the new version was proposed.
const PROPOSED: Duration = Duration::from_secs(20 * 60);
/// The namespace of the metrics source.
const MONITORING: &str = "monitoring";
/// The port of the application.
const PORT: u16 = 8080;

/// Creates everything a scenario starts with.
///
/// # Errors
/// Returns the API server's refusal of an object, which a scenario with senseless values can cause.
pub fn seed(store: &Store, scenario: &Scenario) -> Result<(), Failure> {
    let apps = scenario.apart();
    store.clock().backdate(AGE);
    let result = foundations(store, &apps);
    store.clock().backdate(Duration::ZERO);
    result?;
    store.clock().backdate(PROPOSED);
    let mut proposed = apps.iter().filter(|scenario| !scenario.app.new.is_empty());
    let result = proposed.try_for_each(|app| add(store, &RELEASES, NAMESPACE, release(store, app)));
    store.clock().backdate(Duration::ZERO);
    result
}

/// Makes what runs from now on look as old as the application; ended by [`young`].
pub fn old(store: &Store) {
    store.clock().backdate(AGE);
}

/// Ends [`old`].
pub fn young(store: &Store) {
    store.clock().backdate(Duration::ZERO);
}

fn foundations(store: &Store, apps: &[Scenario]) -> Result<(), Failure> {
    for name in ["default", "kube-system", MONITORING, NAMESPACE] {
        add(store, &NAMESPACES, "", json!({ "metadata": { "name": name } }))?;
    }
    add(store, &NODES, "", json!({ "metadata": { "name": NODE, "labels": { "kubernetes.io/hostname": NODE } } }))?;
    let now = seconds(store.clock().now());
    control(store, &NODES, "", NODE, |node| {
        let ready = json!({ "type": "Ready", "status": "True", "reason": "KubeletReady" });
        set_condition(&mut node["status"]["conditions"], &now, ready);
        node["status"]["addresses"] = json!([{ "type": "InternalIP", "address": ADDRESS }]);
        node["status"]["nodeInfo"] = json!({
            "architecture": "amd64", "bootID": "embedded", "containerRuntimeVersion": "embedded://1", "kernelVersion": "embedded",
            "kubeProxyVersion": "", "kubeletVersion": "v1.37.2+embedded", "machineID": "embedded", "operatingSystem": "linux",
            "osImage": "simulated", "systemUUID": "embedded",
        });
        let room = json!({ "cpu": "64", "memory": "256Gi", "pods": "20000" });
        node["status"]["capacity"] = room.clone();
        node["status"]["allocatable"] = room;
    });
    for definition in crate::api::crds() {
        add(store, &DEFINITIONS, "", definition)?;
    }
    apps.iter().try_for_each(|scenario| workloads(store, &scenario.app))?;
    let class = json!({ "metadata": { "name": "embedded" }, "spec": { "controllerName": CONTROLLER } });
    add(store, &GATEWAY_CLASSES, "", class)?;
    let gateway = json!({
        "metadata": { "name": "web" },
        "spec": {
            "gatewayClassName": "embedded",
            "listeners": [{ "name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": { "namespaces": { "from": "Same" } } }],
        },
    });
    add(store, &GATEWAYS, NAMESPACE, gateway)?;
    apps.iter().try_for_each(|scenario| entrance(store, scenario))?;
    prometheus(store)?;
    apps.iter().try_for_each(|scenario| add(store, &PLANS, NAMESPACE, plan(scenario)))
}

fn workloads(store: &Store, app: &App) -> Result<(), Failure> {
    for (slot, replicas) in [(Slot::A, app.replicas), (Slot::B, 0)] {
        add(store, &DEPLOYMENTS, NAMESPACE, deployment(app, slot, replicas))?;
        let selector = json!({ "app.kubernetes.io/name": app.name, "pilothouse.dev/slot": slot.as_str() });
        add(store, &SERVICES, NAMESPACE, service(&app.of_slot(slot), &selector))?;
    }
    let assets = assets_of(app);
    add(store, &DEPLOYMENTS, NAMESPACE, static_files(&assets))?;
    add(store, &SERVICES, NAMESPACE, service(&assets, &json!({ "app.kubernetes.io/name": assets })))
}

/// How requests come to an application, and whose they are.
fn entrance(store: &Store, scenario: &Scenario) -> Result<(), Failure> {
    let app = &scenario.app;
    add(store, &ROUTES, NAMESPACE, route(app))?;
    let customers = json!({
        "metadata": { "name": format!("{}-customers", app.name) },
        "data": { "customers.yaml": customers::list(scenario) },
    });
    add(store, &CONFIG_MAPS, NAMESPACE, customers)
}

fn add(store: &Store, resource: &'static Resource, namespace: &str, object: Value) -> Result<(), Failure> {
    let target = Target { manager: Some(MANAGER), ..Target::own(resource, namespace, "") };
    create(store, target, object).map(drop)
}

/// Returns the name of what the third rule of an application's base route points to.
fn assets_of(app: &App) -> String {
    format!("{}-assets", app.name)
}

fn deployment(app: &App, slot: Slot, replicas: u32) -> Value {
    let version = &app.old;
    let selector = json!({ "app.kubernetes.io/name": app.name, "pilothouse.dev/slot": slot.as_str() });
    let mut labels = selector.clone();
    labels["app.kubernetes.io/version"] = json!(version);
    json!({
        "metadata": { "name": app.of_slot(slot), "labels": labels },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": selector },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "terminationGracePeriodSeconds": 30,
                    "containers": [{
                        "name": "app",
                        "image": format!("registry.example/app:{version}"),
                        "ports": [{ "name": "http", "containerPort": PORT }],
                        "readinessProbe": { "httpGet": { "path": "/ready", "port": "http" } },
                    }],
                },
            },
        },
    })
}

/// What the third rule of the base route points to: it is not released with the slots.
fn static_files(name: &str) -> Value {
    let labels = json!({ "app.kubernetes.io/name": name });
    json!({
        "metadata": { "name": name, "labels": labels },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{
                    "name": "web",
                    "image": "registry.example/assets:7",
                    "ports": [{ "name": "http", "containerPort": PORT }],
                }] },
            },
        },
    })
}

fn service(name: &str, selector: &Value) -> Value {
    json!({
        "metadata": { "name": name, "labels": selector },
        "spec": { "selector": selector, "ports": [{ "name": "http", "port": PORT, "targetPort": "http" }] },
    })
}

/// The team's own route: two rules on the slots, one that is not.
fn route(app: &App) -> Value {
    let path = |value: &str| json!([{ "path": { "type": "PathPrefix", "value": value } }]);
    let slots = json!([
        { "name": app.of_slot(Slot::A), "port": PORT, "weight": 100 },
        { "name": app.of_slot(Slot::B), "port": PORT, "weight": 0 },
    ]);
    json!({
        "metadata": { "name": app.name },
        "spec": {
            "parentRefs": [{ "name": "web" }],
            "hostnames": [app.host()],
            "rules": [
                { "matches": path("/"), "backendRefs": slots, "timeouts": { "request": "120s" } },
                { "matches": path("/api"), "backendRefs": slots, "timeouts": { "request": "0s" } },
                { "matches": path("/static"), "backendRefs": [{ "name": assets_of(app), "port": PORT }],
                  "timeouts": { "request": "15s" } },
            ],
        },
    })
}

/// The metrics source: a Service without a selector, as one that lives outside of the cluster has.
fn prometheus(store: &Store) -> Result<(), Failure> {
    let labels = json!({ "app.kubernetes.io/name": "prometheus" });
    let service = json!({
        "metadata": { "name": "prometheus", "labels": labels },
        "spec": { "ports": [{ "name": "http", "port": 9090 }] },
    });
    add(store, &SERVICES, MONITORING, service)?;
    let slice = json!({
        "metadata": { "name": "prometheus-0", "labels": { "kubernetes.io/service-name": "prometheus" } },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": ["10.244.255.9"], "conditions": { "ready": true, "serving": true, "terminating": false } }],
        "ports": [{ "name": "http", "port": 9090, "protocol": "TCP" }],
    });
    add(store, &ENDPOINT_SLICES, MONITORING, slice)
}

fn plan(scenario: &Scenario) -> Value {
    let (app, timing) = (&scenario.app, &scenario.timing);
    let pair = |slot| json!({ "deployment": app.of_slot(slot), "service": app.of_slot(slot) });
    let window = span(timing.gate);
    json!({
        "metadata": { "name": app.name },
        "spec": {
            "environment": app.environment,
            "components": [{
                "name": "web",
                "route": app.name,
                "a": pair(Slot::A),
                "b": pair(Slot::B),
            }],
            "deploy": { "by": "pilothouse", "container": "app" },
            "customers": {
                "identifiedBy": { "header": "x-customer-id" },
                "from": { "configMap": format!("{}-customers", app.name) },
            },
            "rings": customers::rings(scenario, &span(timing.bake)),
            "promote": { "bake": span(timing.bake) },
            "settle": span(timing.settle),
            "gates": [
                { "name": "errors", "kind": "errorRatio", "max": "1%", "for": window, "minRequests": 20 },
                { "name": "p99", "kind": "latency", "quantile": 0.99, "max": "250ms", "for": window },
                { "name": "restarts", "kind": "restarts", "max": 0 },
            ],
            "drain": {
                "quiet": span(timing.quiet),
                "patience": span(timing.patience),
                "kinds": { "http": "wait", "stream": "wait", "job": "wait", "ws": "wait" },
            },
            "metrics": {
                "source": { "service": "prometheus:9090", "namespace": MONITORING },
                "profile": "app",
                "interval": span(timing.scrape),
            },
        },
    })
}

/// The release that waits for somebody to start it.
fn release(store: &Store, scenario: &Scenario) -> Value {
    let (name, version) = (&scenario.app.name, &scenario.app.new);
    let committed = store.clock().now().saturating_sub(SignedDuration::from_mins(35)).unwrap_or_default();
    json!({
        "metadata": { "name": format!("{name}-{}", dns_label(version, 40)) },
        "spec": {
            "plan": name,
            "version": version,
            "image": format!("registry.example/app:{version}"),
            "commit": { "sha": "8f3c2d9e51b7a604c1d0e7f2a9b84d6353c0f11a", "time": super::clock::seconds(committed) },
            "requestedBy": format!("ci@{}", scenario.app.host()),
        },
    })
}

/// Writes seconds as a duration of a plan, in milliseconds where they are not whole.
fn span(seconds: f64) -> String {
    let millis = (seconds.max(0.0) * 1000.0).round() as u64;
    if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::check_plan;

    #[test]
    fn the_plan_of_any_scenario_passes_its_checks() {
        let mut scenario: Scenario = toml::from_str("version = 1\ntitle = \"t\"").unwrap();
        for customers in [1, 4, 60] {
            scenario.app.customers = customers;
            scenario.timing.settle = 0.5;
            let spec = serde_json::from_value(plan(&scenario)["spec"].clone()).expect("a RolloutPlan");
            let checked = check_plan("trackx", NAMESPACE, &spec).expect("no findings");
            let listed = crate::model::parse_customers("seed", &customers::list(&scenario)).expect("customers");
            assert!(crate::model::resolve("trackx", &checked.rings, &listed).is_ok());
            assert_eq!(span(0.5), "500ms");
        }
    }
}
