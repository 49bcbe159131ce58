//! How metrics tell the slots apart before slot a's pods carry a label for it.

use super::Ground;
use super::clean::twin;
use super::kinds::Role;
use crate::model::name_of;
use serde_json::Value;

/// By which target label the metrics of the slots differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slots {
    /// By the label `slot`, which a relabelling has to write.
    Relabelled,
    /// By this label and its values for slot a and slot b, which exist without any change.
    Mapped {
        /// The label.
        label: &'static str,
        /// Its value for each slot, in the order a, b.
        values: [String; 2],
        /// What writes the label.
        by: String,
    },
}

/// Finds a target label that tells the slots apart.
///
/// The Prometheus operator gives each target of a ServiceMonitor the label `service`, and each one of a PodMonitor a
/// `job` that names the PodMonitor, unless `jobLabel` says otherwise.
pub(super) fn slots(ground: &Ground<'_>) -> Slots {
    let namespace = &ground.ask.namespace;
    let monitors = |role: fn(Role) -> bool| {
        let listed = ground.found.listed().iter().filter(move |listed| role(listed.kind.role));
        listed.flat_map(|listed| &listed.objects).filter(move |object| reaches(object, namespace))
    };
    for monitor in monitors(|role| role == Role::SelectsServices) {
        let takes =
            |service: &&Value| crate::model::selects(&monitor["spec"]["selector"], &service["metadata"]["labels"]);
        if let Some(service) = ground.services().find(takes) {
            let name = name_of(service);
            let by = format!("ServiceMonitor {}", name_of(monitor));
            return Slots::Mapped { label: "service", values: [name.to_owned(), twin(name)], by };
        }
    }
    let is_pod_monitor = |monitor: &&Value| monitor["kind"] == "PodMonitor";
    for monitor in monitors(|role| matches!(role, Role::SelectsPods(_))).filter(is_pod_monitor) {
        if ground.pods.needs_copy(&monitor["spec"]["selector"])
            && let Some(values) = jobs(ground, monitor)
        {
            return Slots::Mapped { label: "job", values, by: format!("PodMonitor {}", name_of(monitor)) };
        }
    }
    Slots::Relabelled
}

/// Tells whether a monitor looks at a namespace; what has no choice of namespaces looks at its own.
pub(super) fn reaches(object: &Value, namespace: &str) -> bool {
    let choice = &object["spec"]["namespaceSelector"];
    if choice["any"] == true {
        return true;
    }
    match choice["matchNames"].as_array() {
        Some(names) if !names.is_empty() => names.iter().any(|name| name == namespace),
        _ => object["metadata"]["namespace"].as_str().is_none_or(|own| own == namespace),
    }
}

/// Finds Services that look like a Prometheus, each as `name:port` and its namespace.
///
/// The Prometheus operator puts a headless Service beside the chart's own; it only counts where it is the only one.
pub fn metrics_services(services: &[Value]) -> Vec<(String, String)> {
    let others = ["alertmanager", "operator", "adapter", "pushgateway", "node-exporter", "kube-state"];
    let port = |service: &Value| {
        let ports = service["spec"]["ports"].as_array().into_iter().flatten();
        ports.filter_map(|port| port["port"].as_u64()).find(|port| *port == 9090)
    };
    let looks_like_one = |service: &&Value| {
        let name = name_of(service);
        name.contains("prometheus") && !others.iter().any(|other| name.contains(other))
    };
    let of = |headless: bool| -> Vec<(String, String)> {
        let all = services.iter().filter(looks_like_one);
        all.filter(|service| (service["spec"]["clusterIP"] == "None") == headless)
            .filter_map(|service| {
                let namespace = service["metadata"]["namespace"].as_str()?;
                Some((format!("{}:{}", name_of(service), port(service)?), namespace.to_owned()))
            })
            .collect()
    };
    let whole = of(false);
    if whole.is_empty() { of(true) } else { whole }
}

fn jobs(ground: &Ground<'_>, monitor: &Value) -> Option<[String; 2]> {
    if let Some(key) = monitor["spec"]["jobLabel"].as_str()
        && let Some(new) = ground.pods.labels()[key].as_str()
    {
        let old = ground.template()["metadata"]["labels"][key].as_str().unwrap_or_default();
        return (old != new).then(|| [old.to_owned(), new.to_owned()]);
    }
    let namespace = monitor["metadata"]["namespace"].as_str().unwrap_or(&ground.ask.namespace);
    let name = name_of(monitor);
    Some([format!("{namespace}/{name}"), format!("{namespace}/{}", twin(name))])
}
