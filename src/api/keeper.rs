//! The keeper route: it keeps the clusters of both slots alive where a gateway merges backends.
//!
//! Such a gateway has one cluster for each Service, and only while some route gives it weight. A shift would then remove
//! one and create the other at the moment at which requests need it; measured, that costs three requests at each shift,
//! and none with a route that always gives both Services weight.

use crate::model::{label_of, name_of};
use serde_json::{Value, json};

/// The label by which a person says that a route is a keeper: no client uses its hostname.
pub const KEEPER_LABEL: &str = "pilothouse.dev/keeper";
/// A top-level domain that nobody can use (RFC 2606, section 2).
const NOBODYS: &str = ".invalid";

/// Makes the keeper route of a base route for the Services of both slots.
///
/// Its hostname cannot be resolved. A listener that only takes hostnames of its own needs another one below its domain,
/// which the label then declares to be unused.
pub fn keeper_route(base: &Value, services: [&str; 2]) -> Value {
    let rule = |ports: [u64; 2]| {
        let [a, b] = services;
        json!({ "backendRefs": [
            { "name": a, "port": ports[0], "weight": 1 },
            { "name": b, "port": ports[1], "weight": 1 },
        ] })
    };
    let mut pairs: Vec<[u64; 2]> = rules(base)
        .filter_map(|rule| {
            let port = |service: &str| refs(rule).find(|to| to["name"] == service)?["port"].as_u64();
            let a = port(services[0])?;
            Some([a, port(services[1]).unwrap_or(a)])
        })
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    let name = name_of(base);
    let mut metadata = json!({ "name": format!("{name}-keeper"), "labels": { KEEPER_LABEL: name } });
    if let Some(namespace) = base["metadata"]["namespace"].as_str() {
        metadata["namespace"] = json!(namespace);
    }
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": metadata,
        "spec": {
            "parentRefs": base["spec"]["parentRefs"],
            "hostnames": [format!("keeper.{name}{NOBODYS}")],
            "rules": pairs.into_iter().map(rule).collect::<Vec<Value>>(),
        },
    })
}

/// Tells whether a route serves no client: its hostnames cannot be used, or a person says so by the label.
pub fn is_keeper(route: &Value) -> bool {
    let hosts: Vec<&str> =
        route["spec"]["hostnames"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let unusable = !hosts.is_empty() && hosts.iter().all(|host| host.ends_with(NOBODYS));
    unusable || (!hosts.is_empty() && label_of(route, KEEPER_LABEL).is_some())
}

/// Tells whether a keeper gives both Services weight at every port at which the base route sends to them.
pub fn keeps(keeper: &Value, base: &Value, services: [&str; 2]) -> bool {
    let kept = |service: &str, port: &Value| {
        rules(keeper)
            .flat_map(refs)
            .any(|to| to["name"] == service && to["port"] == *port && to["weight"].as_u64().unwrap_or(1) > 0)
    };
    let ours = |to: &&Value| services.iter().any(|service| to["name"] == *service);
    rules(base).flat_map(refs).filter(ours).all(|to| kept(to["name"].as_str().unwrap_or_default(), &to["port"]))
}

fn rules(route: &Value) -> impl Iterator<Item = &Value> {
    route["spec"]["rules"].as_array().into_iter().flatten()
}

fn refs(rule: &Value) -> impl Iterator<Item = &Value> {
    rule["backendRefs"].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICES: [&str; 2] = ["trackx", "trackx-b"];

    fn base() -> Value {
        let rule = |port: u64| {
            json!({"backendRefs": [
            {"name": "trackx", "port": port, "weight": 100}, {"name": "trackx-b", "port": port, "weight": 0}]})
        };
        json!({
            "metadata": {"name": "trackx", "namespace": "shop"},
            "spec": {"parentRefs": [{"name": "web"}], "hostnames": ["trackx.example"],
                "rules": [rule(8080), rule(8080), rule(9090), {"backendRefs": [{"name": "assets", "port": 80}]}]},
        })
    }

    #[test]
    fn a_keeper_gives_both_services_weight_at_every_port_of_the_base() {
        let keeper = keeper_route(&base(), SERVICES);
        assert!(is_keeper(&keeper) && keeps(&keeper, &base(), SERVICES));
        assert_eq!(keeper["spec"]["rules"].as_array().map(Vec::len), Some(2));
        assert_eq!(
            (&keeper["spec"]["parentRefs"], &keeper["metadata"]["namespace"]),
            (&json!([{"name": "web"}]), &json!("shop"))
        );
        let mut idle = keeper.clone();
        idle["spec"]["rules"][1]["backendRefs"][1]["weight"] = json!(0);
        assert!(!keeps(&idle, &base(), SERVICES));
        let mut port = keeper;
        port["spec"]["rules"].as_array_mut().unwrap().pop();
        assert!(!keeps(&port, &base(), SERVICES));
    }

    #[test]
    fn a_route_that_somebody_may_use_is_no_keeper() {
        let mut route = base();
        assert!(!is_keeper(&route));
        route["metadata"]["labels"] = json!({KEEPER_LABEL: "trackx"});
        assert!(is_keeper(&route), "a person says so");
        route["spec"]["hostnames"] = Value::Null;
        assert!(!is_keeper(&route), "without hostnames it takes every host");
        route["metadata"]["labels"] = Value::Null;
        route["spec"]["hostnames"] = json!(["a.invalid", "b.example"]);
        assert!(!is_keeper(&route));
    }

    #[test]
    fn before_slot_b_is_in_the_base_the_keeper_takes_the_ports_of_slot_a() {
        let mut base = base();
        for rule in base["spec"]["rules"].as_array_mut().unwrap() {
            rule["backendRefs"].as_array_mut().unwrap().truncate(1);
        }
        assert_eq!(keeper_route(&base, SERVICES)["spec"]["rules"][0]["backendRefs"][1]["port"], json!(8080));
    }
}
