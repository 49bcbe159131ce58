//! EndpointSlices: which pods a Service has, and whether they take requests.

use super::owner::{is_true, namespace_of, owner_of, reference};
use crate::model::{name_of, uid_of};
use crate::sim::api::resources::{ENDPOINT_SLICES, PODS, SERVICES};
use crate::sim::api::{DeleteOptions, Selection, Store, Target, control, create, delete};
use serde_json::{Value, json};
use std::sync::Arc;

/// Keeps one EndpointSlice per Service that has a selector.
pub fn sync(store: &Store) {
    let (_, services) = store.list(&SERVICES);
    let (_, slices) = store.list(&ENDPOINT_SLICES);
    let (_, pods) = store.list(&PODS);
    for slice in &slices {
        let orphan = owner_of(slice).is_some_and(|uid| !services.iter().any(|s| uid_of(s) == uid));
        if orphan {
            let target = target(slice, name_of(slice));
            // A slice that is already gone needs nothing more.
            let _ = delete(store, target, &DeleteOptions::default());
        }
    }
    for service in services.iter().filter(|s| selects(s)) {
        let chosen = Selection::labelled(namespace_of(service), &service["spec"]["selector"]);
        let members: Vec<&Arc<Value>> = pods.iter().filter(|p| chosen.takes(p)).collect();
        let endpoints: Value =
            members.iter().filter(|p| p["status"]["podIP"].is_string()).map(|p| endpoint(p)).collect();
        let ports = ports(service, members.first().map(|p| p.as_ref()));
        let known = slices.iter().find(|s| owner_of(s) == Some(uid_of(service)));
        match known {
            Some(slice) => {
                control(store, &ENDPOINT_SLICES, namespace_of(slice), name_of(slice), |object| {
                    object["endpoints"] = endpoints;
                    object["ports"] = ports;
                });
            }
            None => add(store, service, &endpoints, &ports),
        }
    }
}

/// Which pods each Service sends requests to, read once for many pods.
pub struct Members(Vec<(String, Selection)>);

impl Members {
    /// Reads the Services.
    pub fn of(store: &Store) -> Self {
        let (_, services) = store.list(&SERVICES);
        let chosen = |s: &Arc<Value>| Selection::labelled(namespace_of(s), &s["spec"]["selector"]);
        Self(services.iter().filter(|s| selects(s)).map(|s| (name_of(s).to_owned(), chosen(s))).collect())
    }

    /// Names the Services that send requests to the pod.
    pub fn services_of(&self, pod: &Value) -> Vec<&str> {
        self.0.iter().filter(|(_, chosen)| chosen.takes(pod)).map(|(name, _)| name.as_str()).collect()
    }
}

fn selects(service: &Value) -> bool {
    service["spec"]["selector"].as_object().is_some_and(|s| !s.is_empty())
}

fn endpoint(pod: &Value) -> Value {
    let terminating = pod["metadata"]["deletionTimestamp"].is_string();
    let serving = is_true(pod, "Ready");
    json!({
        "addresses": [pod["status"]["podIP"]],
        "conditions": { "ready": serving && !terminating, "serving": serving, "terminating": terminating },
        "nodeName": pod["spec"]["nodeName"],
        "targetRef": { "kind": "Pod", "name": name_of(pod), "namespace": namespace_of(pod), "uid": uid_of(pod) },
    })
}

fn ports(service: &Value, pod: Option<&Value>) -> Value {
    let resolve = |target: &Value| match target {
        Value::String(name) => {
            let containers = pod.and_then(|p| p["spec"]["containers"].as_array());
            let mut open = containers.into_iter().flatten().flat_map(|c| c["ports"].as_array()).flatten();
            open.find(|p| p["name"] == name.as_str()).map_or(Value::Null, |p| p["containerPort"].clone())
        }
        number => number.clone(),
    };
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    // A named port is known from the pods only; without pods there is none.
    ports
        .filter_map(|p| {
            let port = resolve(&p["targetPort"]);
            let name = p["name"].as_str().unwrap_or_default();
            (!port.is_null()).then(|| json!({ "name": name, "port": port, "protocol": p["protocol"] }))
        })
        .collect()
}

fn add(store: &Store, service: &Value, endpoints: &Value, ports: &Value) {
    let slice = json!({
        "metadata": {
            "generateName": format!("{}-", name_of(service)),
            "labels": {
                "kubernetes.io/service-name": name_of(service),
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
            "ownerReferences": [reference("v1", "Service", service)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    });
    if let Err(refused) = create(store, target(service, ""), slice) {
        tracing::warn!(
            service = name_of(service),
            code = refused.code,
            "the embedded cluster cannot create an EndpointSlice"
        );
    }
}

fn target<'a>(object: &'a Value, name: &'a str) -> Target<'a> {
    Target::own(&ENDPOINT_SLICES, namespace_of(object), name)
}
