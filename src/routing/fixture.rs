//! Objects the tests of this module share.

use crate::model::{Component, CustomerId, RingName, SlotPair, Wave};
use serde_json::{Value, json};

/// The header every test identifies customers by.
pub(super) const HEADER: &str = "x-customer-id";
/// The placeholder digits of every test.
pub(super) const PLACEHOLDER: &str = "0123456789abcdef";
/// The uid of the release of every test.
pub(super) const UID: &str = "5f0c9a12-7a3e-4a53-9a3e-0a8cbb1d0001";

/// The component of every test.
pub(super) fn component() -> Component {
    let pair = |name: &str| SlotPair { deployment: name.to_owned(), service: name.to_owned() };
    Component { name: "web".into(), route: "trackx".into(), a: pair("trackx"), b: pair("trackx-b") }
}

/// A base route with these rules.
pub(super) fn base(rules: &[Value]) -> Value {
    route("trackx", "2026-01-01T00:00:00Z", rules)
}

/// A route on the same listener and hostname as the base.
pub(super) fn route(name: &str, created: &str, rules: &[Value]) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("uid-{name}"), "resourceVersion": "7", "generation": 1,
            "creationTimestamp": created, "labels": {"argocd.argoproj.io/instance": "shop"}
        },
        "spec": {"parentRefs": [{"name": "web"}], "hostnames": ["app.example.com"], "rules": rules}
    })
}

/// A slot rule for these path prefixes, slot `a` at 100.
pub(super) fn rule(prefixes: &[&str]) -> Value {
    weighted(prefixes, 100, 0)
}

/// A slot rule for these path prefixes with these weights.
pub(super) fn weighted(prefixes: &[&str], a: u32, b: u32) -> Value {
    let matches: Vec<Value> = prefixes.iter().map(|p| json!({"path": {"type": "PathPrefix", "value": p}})).collect();
    json!({
        "matches": matches,
        "timeouts": {"request": "0s"},
        "backendRefs": [
            {"group": "", "kind": "Service", "name": "trackx", "port": 8080, "weight": a},
            {"group": "", "kind": "Service", "name": "trackx-b", "port": 8080, "weight": b}
        ]
    })
}

/// A rule with one match and one backend that is no slot.
pub(super) fn foreign(matching: Value, service: &str) -> Value {
    json!({
        "matches": [matching],
        "timeouts": {"request": "0s"},
        "backendRefs": [{"group": "", "kind": "Service", "name": service, "port": 80, "weight": 1}]
    })
}

/// Waves of these sizes with customers `c0000`, `c0001`, and so on, the unlisted wave last.
pub(super) fn waves(sizes: &[usize]) -> Vec<Wave> {
    let mut next = 0;
    let mut waves: Vec<Wave> = sizes
        .iter()
        .enumerate()
        .map(|(i, size)| {
            let customers = (next..next + size).map(|n| CustomerId::new(format!("c{n:04}"))).collect();
            next += size;
            Wave { ring: RingName::new(format!("ring{i}")), customers }
        })
        .collect();
    waves.push(Wave { ring: RingName::new(crate::model::UNLISTED), customers: Vec::new() });
    waves
}
