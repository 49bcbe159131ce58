//! The gateway's control plane: accepts routes in their status, and hands them to the data plane, each after a lag.
//!
//! As on real gateways the two are independent: the status may say "accepted" before or after requests follow the new
//! weights, and changes inside one lag become one change.

use super::api::resources::{ENDPOINT_SLICES, GATEWAY_CLASSES, GATEWAYS, ROUTES, SERVICES};
use super::api::{Store, control};
use super::clock::Entropy;
use super::controllers::{namespace_of, set_condition};
use super::wire::Traffic;
use crate::api::NO_ENDPOINTS;
use crate::model::name_of;

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// The name this gateway goes by in `controllerName`.
pub const CONTROLLER: &str = "pilothouse.dev/embedded-gateway";

/// The control plane of the embedded gateway.
pub struct Gateway {
    store: Arc<Store>,
    traffic: Arc<dyn Traffic>,
    lag: Duration,
    entropy: Entropy,
    seen: u64,
    status_due: Option<Instant>,
    data_due: Option<Instant>,
    live: Vec<Value>,
}

impl Gateway {
    /// Makes the control plane; `lag` is how long a change takes to become live.
    pub fn new(store: Arc<Store>, traffic: Arc<dyn Traffic>, lag: Duration, seed: u64) -> Self {
        Self {
            store,
            traffic,
            lag,
            entropy: Entropy::new(seed),
            seen: 0,
            status_due: None,
            data_due: None,
            live: Vec::new(),
        }
    }

    /// Makes everything that exists live at once: the state at the start.
    pub fn settle(&mut self) {
        self.write_status();
        self.translate();
        self.seen = self.store.version();
    }

    /// Works until the cluster ends.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.store.changes();
        loop {
            changes.mark_unchanged();
            self.notice();
            self.act();
            let next = [self.status_due, self.data_due].into_iter().flatten().min();
            let timer = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
                () = timer => {}
            }
        }
    }

    /// Sees that something has changed; what is already on its way takes the change along.
    fn notice(&mut self) {
        const OURS: [&str; 5] =
            [ROUTES.plural, GATEWAYS.plural, GATEWAY_CLASSES.plural, SERVICES.plural, ENDPOINT_SLICES.plural];
        let concerned = match self.store.since(self.seen) {
            Ok((version, changes)) => {
                self.seen = version;
                // A change of the status alone is mostly our own and means nothing.
                changes.iter().any(|c| {
                    let part = if c.plural == ENDPOINT_SLICES.plural { "endpoints" } else { "spec" };
                    OURS.contains(&c.plural) && c.old.as_ref().is_none_or(|old| c.deleted || old[part] != c.new[part])
                })
            }
            Err(_) => {
                self.seen = self.store.version();
                true
            }
        };
        if !concerned {
            return;
        }
        let now = Instant::now();
        let lag = self.lag + self.traffic.gateway_lag();
        self.data_due.get_or_insert(now + lag);
        // From half the lag to one and a half: earlier or later than the data plane.
        let factor = 0.5 + self.entropy.fraction();
        self.status_due.get_or_insert(now + lag.mul_f64(factor));
    }

    fn act(&mut self) {
        let now = Instant::now();
        if self.status_due.take_if(|at| *at <= now).is_some() {
            self.write_status();
        }
        if self.data_due.take_if(|at| *at <= now).is_some() {
            self.translate();
        }
    }

    /// Hands the routes of this gateway to the data plane.
    fn translate(&mut self) {
        let (_, routes) = self.store.list(&ROUTES);
        let ours: Vec<Value> = routes
            .iter()
            .filter(|route| parents(route).iter().any(|parent| self.is_ours(route, parent)))
            .map(|route| {
                let mut route = Value::clone(route);
                // What the data plane does follows from metadata and spec alone.
                route["status"] = Value::Null;
                route
            })
            .collect();
        let essence = |routes: &[Value]| -> Vec<(Value, Value)> {
            routes.iter().map(|r| (r["metadata"]["uid"].clone(), r["spec"].clone())).collect()
        };
        if essence(&ours) != essence(&self.live) {
            self.live.clone_from(&ours);
            self.traffic.routes(ours);
        }
    }

    fn write_status(&self) {
        self.accept_classes();
        self.accept_gateways();
        let (_, routes) = self.store.list(&ROUTES);
        for route in &routes {
            let mine: Vec<Value> = parents(route).into_iter().filter(|parent| self.is_ours(route, parent)).collect();
            let now = self.store.clock().stamp();
            let (resolved, reason, message) = self.resolve(route);
            let empty = self.without_endpoints(route);
            control(&self.store, &ROUTES, namespace_of(route), name_of(route), |object| {
                let known = object["status"]["parents"].as_array().cloned().unwrap_or_default();
                let (own, foreign): (Vec<Value>, Vec<Value>) =
                    known.into_iter().partition(|p| p["controllerName"] == CONTROLLER);
                let mut all = foreign;
                for parent in &mine {
                    let before = own.iter().find(|p| p["parentRef"] == *parent);
                    let mut conditions = before.map_or(Value::Null, |p| p["conditions"].clone());
                    let generation = &object["metadata"]["generation"];
                    for (kind, status, reason, message) in [
                        ("Accepted", "True", "Accepted", "Route is accepted"),
                        ("ResolvedRefs", resolved, reason, message.as_str()),
                    ] {
                        set_condition(
                            &mut conditions,
                            &now,
                            json!({ "type": kind, "status": status, "reason": reason, "message": message,
                                "observedGeneration": generation }),
                        );
                    }
                    match &empty {
                        Some(message) => set_condition(
                            &mut conditions,
                            &now,
                            json!({ "type": NO_ENDPOINTS, "status": "False", "reason": "EndpointsNotFound",
                                "message": message, "observedGeneration": generation }),
                        ),
                        None => {
                            if let Some(list) = conditions.as_array_mut() {
                                list.retain(|condition| condition["type"] != NO_ENDPOINTS);
                            }
                        }
                    }
                    all.push(json!({
                        "parentRef": parent, "controllerName": CONTROLLER, "conditions": conditions,
                    }));
                }
                if !all.is_empty() || object.get("status").is_some() {
                    object["status"] = json!({ "parents": all });
                }
            });
        }
    }

    /// Checks that every backend exists, also those with weight 0.
    fn resolve(&self, route: &Value) -> (&'static str, &'static str, String) {
        let rules = route["spec"]["rules"].as_array().into_iter().flatten();
        for backend in rules.flat_map(|r| r["backendRefs"].as_array().into_iter().flatten()) {
            if backend["kind"] != "Service" {
                return ("False", "InvalidKind", format!("kind {} is not supported as a backend", backend["kind"]));
            }
            let namespace = backend["namespace"].as_str().unwrap_or(namespace_of(route));
            let name = backend["name"].as_str().unwrap_or_default();
            if self.store.get(&SERVICES, namespace, name).is_none() {
                return ("False", "BackendNotFound", format!("service {namespace}/{name} not found"));
            }
        }
        ("True", "ResolvedRefs", "Resolved all the Object references for the Route".into())
    }

    /// Finds a backend that gets requests and has no ready endpoint; as Envoy Gateway, it is said only while so.
    fn without_endpoints(&self, route: &Value) -> Option<String> {
        let (_, slices) = self.store.list(&ENDPOINT_SLICES);
        let namespace = namespace_of(route);
        let is_served = |service: &str| {
            slices
                .iter()
                .filter(|slice| {
                    namespace_of(slice) == namespace
                        && slice["metadata"]["labels"]["kubernetes.io/service-name"] == service
                })
                .flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten())
                .any(|endpoint| endpoint["conditions"]["ready"] == true)
        };
        let rules = route["spec"]["rules"].as_array().into_iter().flatten();
        rules
            .flat_map(|rule| rule["backendRefs"].as_array().into_iter().flatten())
            .filter(|backend| backend["weight"].as_u64() != Some(0))
            .filter_map(|backend| backend["name"].as_str())
            .find(|service| !is_served(service))
            .map(|service| format!("service {namespace}/{service} has no ready endpoint"))
    }

    fn accept_classes(&self) {
        let now = self.store.clock().stamp();
        let (_, classes) = self.store.list(&GATEWAY_CLASSES);
        for class in classes.iter().filter(|c| c["spec"]["controllerName"] == CONTROLLER) {
            control(&self.store, &GATEWAY_CLASSES, "", name_of(class), |object| {
                let generation = object["metadata"]["generation"].clone();
                let condition = json!({ "type": "Accepted", "status": "True", "reason": "Accepted",
                    "message": "Valid GatewayClass", "observedGeneration": generation });
                set_condition(&mut object["status"]["conditions"], &now, condition);
            });
        }
    }

    fn accept_gateways(&self) {
        let now = self.store.clock().stamp();
        let (_, gateways) = self.store.list(&GATEWAYS);
        let (_, routes) = self.store.list(&ROUTES);
        for gateway in gateways.iter().filter(|g| self.has_our_class(g)) {
            let (namespace, name) = (namespace_of(gateway), name_of(gateway));
            let attached = routes
                .iter()
                .filter(|r| parents(r).iter().any(|p| p["name"] == name && parent_namespace(r, p) == namespace))
                .count();
            control(&self.store, &GATEWAYS, namespace, name, |object| {
                let generation = object["metadata"]["generation"].clone();
                for (kind, message) in
                    [("Accepted", "The Gateway has been accepted"), ("Programmed", "The Gateway has been programmed")]
                {
                    let condition = json!({ "type": kind, "status": "True", "reason": kind, "message": message,
                        "observedGeneration": generation });
                    set_condition(&mut object["status"]["conditions"], &now, condition);
                }
                object["status"]["addresses"] = json!([{ "type": "IPAddress", "value": "203.0.113.10" }]);
                let listeners = object["spec"]["listeners"].as_array().cloned().unwrap_or_default();
                let known = object["status"]["listeners"].as_array().cloned().unwrap_or_default();
                object["status"]["listeners"] = listeners
                    .iter()
                    .map(|listener| {
                        let before = known.iter().find(|l| l["name"] == listener["name"]);
                        let mut conditions = before.map_or(Value::Null, |l| l["conditions"].clone());
                        for kind in ["Accepted", "Programmed", "ResolvedRefs"] {
                            let condition = json!({ "type": kind, "status": "True", "reason": kind, "message": "",
                                "observedGeneration": generation });
                            set_condition(&mut conditions, &now, condition);
                        }
                        json!({
                            "name": listener["name"], "attachedRoutes": attached, "conditions": conditions,
                            "supportedKinds": [{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute" }],
                        })
                    })
                    .collect();
            });
        }
    }

    fn is_ours(&self, route: &Value, parent: &Value) -> bool {
        let namespace = parent_namespace(route, parent);
        let name = parent["name"].as_str().unwrap_or_default();
        let gateway = self.store.get(&GATEWAYS, &namespace, name);
        parent["kind"] == "Gateway" && gateway.is_some_and(|g| self.has_our_class(&g))
    }

    fn has_our_class(&self, gateway: &Value) -> bool {
        let class = gateway["spec"]["gatewayClassName"].as_str().unwrap_or_default();
        self.store.get(&GATEWAY_CLASSES, "", class).is_some_and(|c| c["spec"]["controllerName"] == CONTROLLER)
    }
}

fn parents(route: &Value) -> Vec<Value> {
    route["spec"]["parentRefs"].as_array().cloned().unwrap_or_default()
}

fn parent_namespace(route: &Value, parent: &Value) -> String {
    parent["namespace"].as_str().unwrap_or(namespace_of(route)).to_owned()
}
