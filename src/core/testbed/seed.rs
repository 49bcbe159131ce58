//! What the small cluster begins with.

use crate::core::{Answer, GatewaySurvey, PolicySurvey, Survey, SurveyRequest};
use crate::model::{Component, Family, ResourceKind, Slot, SlotPair, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A pod that runs and is ready.
pub fn pod(name: &str, slot: &str, now: Timestamp) -> Value {
    json!({
        "metadata": { "name": name, "labels": { "app": "shop", "pilothouse.dev/slot": slot } },
        "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }],
            "containerStatuses": [{ "name": "app", "restartCount": 0, "state": { "running": { "startedAt": now.to_string() } } }] },
    })
}

fn deployment(name: &str, slot: &str, replicas: u32) -> Value {
    json!({
        "metadata": { "name": name, "labels": {} },
        "spec": { "replicas": replicas, "template": {
            "metadata": { "labels": { "app.kubernetes.io/version": "1", "pilothouse.dev/slot": slot } },
            "spec": { "containers": [{ "name": "app", "image": "r/app:1", "readinessProbe": {}, "lifecycle": { "preStop": {} } }] } } },
    })
}

/// The component of its plan.
pub fn component() -> Component {
    let pair = |name: &str| SlotPair { deployment: name.into(), service: name.into() };
    Component { name: "web".into(), route: "shop".into(), a: pair("shop-a"), b: pair("shop-b") }
}

/// The objects of the small cluster.
pub fn objects() -> Vec<(ResourceKind, Value)> {
    let backends = json!([
        { "group": "", "kind": "Service", "name": "shop-a", "port": 80, "weight": 100 },
        { "group": "", "kind": "Service", "name": "shop-b", "port": 80, "weight": 0 },
    ]);
    let rule = |path: &str| json!({ "matches": [{ "path": { "type": "PathPrefix", "value": path } }], "backendRefs": backends, "timeouts": { "request": "60s" } });
    let service = |name: &str, slot: &str| {
        let ports = json!([{ "port": 80, "targetPort": 8080 }]);
        (
            ResourceKind::Service,
            json!({ "metadata": { "name": name }, "spec": { "selector": { "pilothouse.dev/slot": slot }, "ports": ports } }),
        )
    };
    vec![
        service("shop-a", "a"),
        service("shop-b", "b"),
        (ResourceKind::Deployment, deployment("shop-a", "a", 2)),
        (ResourceKind::Deployment, deployment("shop-b", "b", 0)),
        (
            ResourceKind::HTTPRoute,
            json!({ "metadata": { "name": "shop" }, "spec": { "parentRefs": [{ "name": "web" }], "rules": [rule("/"), rule("/api")] } }),
        ),
        (ResourceKind::Lease, json!({ "metadata": { "name": "other" }, "spec": {} })),
        (
            ResourceKind::RolloutPlan,
            json!({ "metadata": { "name": "shop", "namespace": "shop" }, "spec": {
            "environment": "prod",
            "components": [{ "name": "web", "route": "shop", "a": { "deployment": "shop-a", "service": "shop-a" }, "b": { "deployment": "shop-b", "service": "shop-b" } }],
            "deploy": { "by": "pilothouse", "container": "app" },
            "customers": { "identifiedBy": { "header": "x-customer" }, "from": { "inline": [{ "id": "acme" }, { "id": "globex" }, { "id": "initech" }] } },
            "rings": [{ "name": "first", "names": ["acme"], "bake": "2s" }, { "name": "rest", "rest": true, "bake": "2s" }],
            "promote": { "bake": "2s" },
            "settle": "1s",
            "drain": { "quiet": "3s", "patience": "10s" },
            "metrics": { "source": { "url": "http://metrics" }, "interval": "1s" },
        } }),
        ),
    ]
}

/// What a survey of the small cluster finds: its one Gateway, of a class that some stranger serves, and these policies.
pub fn survey(request: &SurveyRequest, policies: &[Value], others: &(Vec<Value>, Vec<Value>)) -> Survey {
    let is_true = |kind: &str| json!({ "type": kind, "status": "True", "observedGeneration": 1 });
    let gateway = json!({
        "metadata": { "name": "web", "namespace": "shop", "generation": 1 },
        "spec": { "gatewayClassName": "test" },
        "status": { "conditions": [is_true("Accepted"), is_true("Programmed")] },
    });
    let class = json!({
        "metadata": { "name": "test", "generation": 1 }, "spec": { "controllerName": "test" },
        "status": { "conditions": [is_true("Accepted")] },
    });
    let of = |name: &crate::core::ObjectName| GatewaySurvey {
        name: name.clone(),
        gateway: Answer::Value(gateway.clone()),
        class: Answer::Value(class.clone()),
        parameters: Vec::new(),
    };
    Survey {
        gateways: request.gateways.iter().map(of).collect(),
        definitions: Answer::Value(()),
        policies: vec![PolicySurvey {
            group: "policies.example".into(),
            kind: "SecurityPolicy".into(),
            plural: "securitypolicies".into(),
            namespace: "shop".into(),
            objects: Answer::Value(policies.to_vec()),
        }],
        budgets: Answer::Value(others.0.clone()),
        scaled_objects: Answer::Value(others.1.clone()),
    }
}

/// What is wrong.
#[derive(Clone, Debug, Default)]
pub struct Ill {
    /// The scrapes of this slot fail.
    pub down: Option<Slot>,
    /// Requests go on starting on this slot, whatever the routes say.
    pub stray: Option<Slot>,
    /// The pods of this slot are not ready.
    pub unready: Option<Slot>,
    /// These slots do not count requests at their start.
    pub uncounted: BTreeSet<Slot>,
    /// These slots do not count requests at their end.
    pub unfinished: BTreeSet<Slot>,
    /// The gateway does not answer for what is written now.
    pub pending: bool,
    /// The gateway says that some rules of each managed route are dropped.
    pub dropped: bool,
    /// The source does not say which scrapes have worked.
    pub no_up: bool,
    /// This pod is no target of the metrics source.
    pub unscraped: Option<&'static str>,
    /// The metrics source does not answer these questions.
    pub unanswered: BTreeSet<Family>,
    /// The metrics source answers in part.
    pub partial: bool,
    /// Nobody sends anything.
    pub silent: bool,
    /// The pods of this slot do not end when they are taken away.
    pub lingers: Option<Slot>,
}

/// Makes the status of a route that the gateway has accepted.
pub fn accepted(generation: &Value, lacks_endpoints: bool, dropped: bool) -> Value {
    let condition =
        |kind: &str, status: &str| json!({ "type": kind, "status": status, "observedGeneration": generation });
    let mut conditions = vec![condition("Accepted", "True"), condition("ResolvedRefs", "True")];
    if dropped {
        conditions.push(condition("PartiallyInvalid", "True"));
    }
    if lacks_endpoints {
        conditions.push(condition(crate::api::NO_ENDPOINTS, "False"));
    }
    json!({ "parents": [{ "parentRef": { "name": "web" }, "controllerName": "test", "conditions": conditions }] })
}
