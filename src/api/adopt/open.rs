//! What objects do not say: everything that a person has to look at before the first release.

use super::Ground;
use super::copies::{Copies, scales};
use super::kinds::called;
use super::metrics::Slots;
use crate::model::{Finding, SLOT_LABEL, VERSION_LABEL, label_of, name_of, selects};
use serde_json::Value;
use std::collections::BTreeSet;

/// Words in the name of a variable that speak of a queue.
const QUEUES: &[&str] =
    &["QUEUE", "KAFKA", "AMQP", "RABBIT", "SERVICEBUS", "EVENTHUB", "PUBSUB", "NATS", "SQS", "CONSUMER"];
/// Words in the name of a variable whose value nobody else should read.
const SECRETS: &[&str] = &["PASSWORD", "SECRET", "TOKEN", "APIKEY", "API_KEY", "CONNECTION_STRING"];

/// Lists what could not be decided.
pub(super) fn open(ground: &Ground<'_>, copies: &Copies, slots: &Slots, patch: &[Value]) -> Vec<Finding> {
    let mut found = Vec::new();
    versions(ground, &mut found);
    containers(ground, &mut found);
    volumes(ground, &mut found);
    shared(ground, &mut found);
    background(ground, &mut found);
    ways_in(ground, &mut found);
    others(ground, &mut found);
    scaling(ground, &mut found);
    selections(ground, &mut found);
    customers(ground, slots, patch, &mut found);
    if let Some(secret) = secret_value(copies) {
        found.push(Finding::warn(
            "adopt.secret-value",
            format!("variable {secret} has its value in the Deployment, so 20-slot-b.yaml holds it, too: move it into a Secret before the file goes anywhere"),
        ));
    }
    for (kind, why) in &ground.found.unread {
        found.push(Finding::warn(
            "adopt.not-checked",
            format!(
                "{} could not be read ({why}), so slot b got no copy of any: look whether one selects or names slot a",
                kind.qualified()
            ),
        ));
    }
    found.sort_by_key(|one| std::cmp::Reverse(one.level));
    found
}

fn versions(ground: &Ground<'_>, found: &mut Vec<Finding>) {
    let deployment = &ground.ask.deployment;
    let is_named = label_of(ground.template(), VERSION_LABEL).or(label_of(ground.deployment, VERSION_LABEL)).is_some();
    if is_named {
        return;
    }
    let images: Vec<&str> = ground.containers().iter().filter_map(|one| one["image"].as_str()).collect();
    let tag = images.first().and_then(|image| tag_of(image)).unwrap_or("VERSION");
    found.push(Finding::warn(
        "adopt.no-version",
        format!("Deployment {deployment} has no label {VERSION_LABEL}, so the version that serves has no name: kubectl label deployment {deployment} -n {} {VERSION_LABEL}={tag} (this restarts nothing)", ground.ask.namespace),
    ));
}

fn tag_of(image: &str) -> Option<&str> {
    let plain = image.split('@').next()?;
    let name = plain.rsplit('/').next()?;
    name.split_once(':').map(|(_, tag)| tag)
}

fn containers(ground: &Ground<'_>, found: &mut Vec<Finding>) {
    let of = |missing: &dyn Fn(&Value) -> bool| -> String {
        let names = ground.containers().iter().filter(|one| missing(one)).filter_map(|one| one["name"].as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    let deployment = &ground.ask.deployment;
    let abrupt = of(&|container| container["lifecycle"]["preStop"].is_null());
    if !abrupt.is_empty() {
        found.push(Finding::warn(
            "adopt.no-prestop",
            format!("container {abrupt} of Deployment {deployment} has no preStop: requests that reach a pod after its SIGTERM fail. Add lifecycle: {{preStop: {{sleep: {{seconds: 15}}}}}} with the next version of each slot"),
        ));
    }
    let unready = of(&|container| container["readinessProbe"].is_null());
    if !unready.is_empty() {
        found.push(Finding::warn(
            "adopt.no-readiness",
            format!("container {unready} of Deployment {deployment} has no readinessProbe: a pod counts as ready before it can serve, and a wave that moves then meets errors"),
        ));
    }
    let grace = ground.template()["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
    found.push(Finding::note(
        "adopt.grace",
        format!("pods of Deployment {deployment} get {grace} s to end (terminationGracePeriodSeconds): a release stops pods only when nothing is open on them, but a node that is drained does not wait; it should be longer than preStop and the longest transaction together"),
    ));
    let ports = ground.containers().iter().flat_map(|one| one["ports"].as_array()).flatten();
    let hosts: Vec<String> = ports.filter_map(|port| port["hostPort"].as_u64()).map(|port| port.to_string()).collect();
    if !hosts.is_empty() {
        found.push(Finding::warn(
            "adopt.host-port",
            format!("Deployment {deployment} takes port {} of its nodes: slot b's pods only fit on nodes without one of slot a's", hosts.join(", ")),
        ));
    }
}

fn volumes(ground: &Ground<'_>, found: &mut Vec<Finding>) {
    for volume in ground.template()["spec"]["volumes"].as_array().into_iter().flatten() {
        let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() else { continue };
        let modes = ground.found.one("PersistentVolumeClaim", claim).map(|object| &object["spec"]["accessModes"]);
        let modes: Option<Vec<&str>> =
            modes.and_then(Value::as_array).map(|list| list.iter().filter_map(Value::as_str).collect());
        let text = match modes {
            Some(modes) if modes.iter().any(|mode| mode.ends_with("Many")) => {
                found.push(Finding::note(
                    "adopt.shared-volume",
                    format!("both slots mount PersistentVolumeClaim {claim} ({}): both versions must read and write its files", modes.join(", ")),
                ));
                continue;
            }
            Some(modes) => format!(
                "PersistentVolumeClaim {claim} is {}: slot b's pods cannot start while slot a's hold it, or both write to it. Take it out of 20-slot-b.yaml, or keep the data elsewhere",
                modes.join(", ")
            ),
            None => format!(
                "PersistentVolumeClaim {claim} could not be read: if it is ReadWriteOnce, slot b's pods cannot start while slot a's hold it"
            ),
        };
        found.push(Finding::warn("adopt.volume", text));
    }
}

/// What both versions read and what one of them may change for the other.
fn shared(ground: &Ground<'_>, found: &mut Vec<Finding>) {
    let mut names = BTreeSet::new();
    configured(&ground.template()["spec"], &mut names);
    if !names.is_empty() {
        found.push(Finding::note(
            "adopt.shared-config",
            format!(
                "both slots read {}: a change there reaches both versions; what differs between versions needs a name of its own per version",
                names.into_iter().collect::<Vec<_>>().join(", ")
            ),
        ));
    }
    let words = ["migrate", "migration", "flyway", "liquibase", "alembic"];
    let first = ground.template()["spec"]["initContainers"].as_array().into_iter().flatten();
    let migrates =
        |container: &&Value| words.iter().any(|word| container.to_string().to_ascii_lowercase().contains(word));
    for container in first.filter(migrates) {
        found.push(Finding::warn(
            "adopt.migration",
            format!(
                "init container {} seems to change the database's schema: it runs when slot b's first pod starts, while the old version serves; each change has to work for both versions",
                container["name"].as_str().unwrap_or_default()
            ),
        ));
    }
}

/// Collects the ConfigMaps and Secrets that a pod names, wherever it does.
fn configured(value: &Value, names: &mut BTreeSet<String>) {
    let fields = match value {
        Value::Array(items) => return items.iter().for_each(|item| configured(item, names)),
        Value::Object(fields) => fields,
        _ => return,
    };
    for (key, value) in fields {
        let kind = match key.as_str() {
            "configMap" | "configMapRef" | "configMapKeyRef" => "ConfigMap",
            "secret" | "secretRef" | "secretKeyRef" => "Secret",
            _ => {
                configured(value, names);
                continue;
            }
        };
        if let Some(name) = value["name"].as_str().or(value["secretName"].as_str()) {
            names.insert(format!("{kind} {name}"));
        }
    }
}

fn background(ground: &Ground<'_>, found: &mut Vec<Finding>) {
    let deployment = &ground.ask.deployment;
    let words = |container: &Value| -> Vec<String> {
        let lines = ["command", "args"].into_iter().flat_map(|key| container[key].as_array()).flatten();
        let names = container["env"].as_array().into_iter().flatten().map(|variable| &variable["name"]);
        lines.chain(names).filter_map(Value::as_str).map(str::to_ascii_uppercase).collect()
    };
    let all: Vec<String> = ground.containers().iter().flat_map(words).collect();
    let said = |wanted: &[&str]| -> String {
        let hits: Vec<&str> =
            all.iter().filter(|word| wanted.iter().any(|w| word.contains(w))).map(String::as_str).collect();
        if hits.is_empty() { String::new() } else { format!(" (it has {})", hits.join(", ")) }
    };
    found.push(Finding::warn(
        "adopt.leader-election",
        format!("leader election{}: if the pods of Deployment {deployment} choose a leader by a Lease of a fixed name, one slot's pods lead and the other's do not; both versions must be able to, or the name must differ per slot", said(&["LEADER"])),
    ));
    found.push(Finding::warn(
        "adopt.queues",
        format!("queue consumers and timed work{}: what slot b's pods take from queues or do by the clock is not moved customer by customer; it begins when its first pod is ready. Switch it off in one slot, or let both versions do it", said(QUEUES)),
    ));
}

fn ways_in(ground: &Ground<'_>, found: &mut Vec<Finding>) {
    let service = &ground.ask.service;
    found.push(Finding::note(
        "adopt.inside",
        format!("whoever calls Service {service} directly, inside the cluster, stays on slot a and gets no answer once slot a is retired: let such callers use the gateway, too"),
    ));
    let rules = ground.route["spec"]["rules"].as_array().into_iter().flatten();
    let targets: Vec<&str> = rules
        .flat_map(|rule| rule["backendRefs"].as_array())
        .flatten()
        .filter_map(|backend| backend["name"].as_str())
        .collect();
    for other in ground.services().filter(|other| name_of(other) != service) {
        let name = name_of(other);
        let kind = other["spec"]["type"].as_str().unwrap_or("ClusterIP");
        let text = if targets.contains(&name) {
            format!(
                "a rule of HTTPRoute {} sends to Service {name}, which selects slot a's pods as well: a release does not move it, and it fails when slot a is retired. Let the rule send to {service}",
                ground.ask.route
            )
        } else if kind == "ClusterIP" {
            format!(
                "Service {name} also selects slot a's pods; slot b got its twin {}, but who calls {name} stays on slot a",
                super::twin(name)
            )
        } else {
            format!(
                "Service {name} ({kind}) also lets requests in to slot a's pods, past the gateway: a release does not move them, and they fail when slot a is retired"
            )
        };
        found.push(Finding::warn("adopt.other-service", text));
    }
    if ground.service["spec"]["sessionAffinity"] == "ClientIP" {
        found.push(Finding::warn(
            "adopt.affinity",
            format!("Service {service} has sessionAffinity ClientIP: behind a gateway the client is the gateway, so it only makes the load uneven; a session must not need one pod"),
        ));
    }
    let ingresses = ground.found.of("Ingress").filter(|ingress| super::sends_to(ingress, service));
    for ingress in ingresses {
        found.push(Finding::warn(
            "adopt.ingress",
            format!("{} also sends to Service {service}: a release does not move what comes in there. Take it away once the gateway has all traffic", called(ingress, &ground.ask.namespace)),
        ));
    }
}

/// Controllers that act on slot a and were not copied.
fn others(ground: &Ground<'_>, found: &mut Vec<Finding>) {
    let ask = ground.ask;
    let text_holds = |object: &Value, name: &str| object["spec"].to_string().contains(&format!("\"{name}\""));
    for (kind, check, what) in [
        (
            "VerticalPodAutoscaler",
            "adopt.vpa",
            "resizes slot a by restarting its pods; a release needs it off, or one per slot",
        ),
        (
            "Rollout",
            "adopt.other-controller",
            "releases the same pods: only one tool may shift weights; remove it first",
        ),
        (
            "Canary",
            "adopt.other-controller",
            "releases the same pods: only one tool may shift weights; remove it first",
        ),
    ] {
        for object in ground.found.of(kind).filter(|object| text_holds(object, &ask.deployment)) {
            found.push(Finding::warn(check, format!("{} {what}", called(object, &ask.namespace))));
        }
    }
    for object in ground.found.of("VirtualService").filter(|object| text_holds(object, &ask.service)) {
        found.push(Finding::warn(
            "adopt.virtual-service",
            format!(
                "{} names Service {} and may route past the HTTPRoute: a release does not move what it routes",
                called(object, &ask.namespace),
                ask.service
            ),
        ));
    }
    let cilium: Vec<&str> = ground.found.of("CiliumNetworkPolicy").map(name_of).collect();
    if !cilium.is_empty() {
        found.push(Finding::warn(
            "adopt.cilium",
            format!("CiliumNetworkPolicy {} was not copied: where one selects slot a by a label that is new in slot b, give slot b its own", cilium.join(", ")),
        ));
    }
}

fn scaling(ground: &Ground<'_>, found: &mut Vec<Finding>) {
    let ask = ground.ask;
    for scaler in ground.found.of("HorizontalPodAutoscaler").filter(|scaler| scales(scaler, &ask.deployment)) {
        let (name, min) = (name_of(scaler), scaler["spec"]["minReplicas"].as_u64().unwrap_or(1));
        let now = ground.deployment["spec"]["replicas"].as_u64().unwrap_or(1);
        found.push(Finding::note(
            "adopt.autoscaler",
            format!("HorizontalPodAutoscaler {name} may shrink slot a to {min} replicas (now {now}): a release starts only while minReplicas of both slots' autoscalers is at least what runs, so that nothing shrinks under open work"),
        ));
    }
    for scaled in ground.found.of("ScaledObject").filter(|scaled| scales(scaled, &ask.deployment)) {
        found.push(Finding::warn(
            "adopt.keda",
            format!("{} scales slot a: a release refuses to start while a ScaledObject may take pods away; replace it by a HorizontalPodAutoscaler, or pause it", called(scaled, &ask.namespace)),
        ));
    }
}

fn selections(ground: &Ground<'_>, found: &mut Vec<Finding>) {
    for stranger in &ground.pods.strangers {
        found.push(Finding::warn(
            "adopt.excludes-slot-a",
            format!("{stranger} leaves slot a out by value and takes slot b: decide whether it should, and exclude slot b's label as well"),
        ));
    }
    for budget in ground.pods.shared.iter().filter(|by| by.starts_with("PodDisruptionBudget")) {
        found.push(Finding::warn(
            "adopt.shared-budget",
            format!("{budget} counts the pods of both slots together: the slot that serves can lose more pods than you think; give each slot its own"),
        ));
    }
    // The controller of another Deployment would take slot a's pods for its own.
    let labels = &ground.template()["metadata"]["labels"];
    let own = |other: &&Value| name_of(other) != ground.ask.deployment;
    for other in ground.found.of("Deployment").filter(own).filter(|other| selects(&other["spec"]["selector"], labels)) {
        found.push(Finding::warn(
            "adopt.overlap",
            format!("the selector of Deployment {} also selects slot a's pods: whose pods they are is not clear, and the console counts only those that carry {SLOT_LABEL}", name_of(other)),
        ));
    }
}

fn customers(ground: &Ground<'_>, slots: &Slots, patch: &[Value], found: &mut Vec<Finding>) {
    let ask = ground.ask;
    if ask.customers.as_ref().is_none_or(Vec::is_empty) {
        found.push(Finding::warn(
            "adopt.no-customers",
            "40-customers.yaml lists nobody yet: fill it in, and let the rings of 50-plan.yaml fit (a ring that takes nobody refuses the start)",
        ));
    }
    found.push(Finding::note(
        "adopt.header",
        format!("every request of a customer has to carry {} with the customer's id, WebSockets as well; let the gateway or what is before it set it, because a client that sets it itself chooses its version", ask.header),
    ));
    if let (None, Some((service, namespace))) = (&ask.metrics_url, &ask.metrics_service) {
        found.push(Finding::note(
            "adopt.metrics-source",
            format!("50-plan.yaml names Service {service} in namespace {namespace} as metrics source, the only one that looks like a Prometheus: see whether it scrapes these pods"),
        ));
    } else if ask.metrics_url.is_none() {
        found.push(Finding::warn(
            "adopt.no-metrics-source",
            "50-plan.yaml names no metrics source: set spec.metrics.source, or give --metrics-url",
        ));
    }
    if *slots == Slots::Relabelled {
        found.push(Finding::warn(
            "adopt.no-monitor",
            "no ServiceMonitor or PodMonitor was found that tells the slots apart: write the target label slot as 60-metrics.md says",
        ));
    }
    let sticky = ground.route["spec"]["rules"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|rule| !rule["sessionPersistence"].is_null());
    if sticky {
        found.push(Finding::warn(
            "adopt.sticky",
            format!("HTTPRoute {} has sessionPersistence: a session stays on its version after the weights have moved, so a release cannot bring it over", ask.route),
        ));
    }
    if patch.iter().all(|op| op["op"] == "test") {
        found.push(Finding::note(
            "adopt.patched",
            format!("HTTPRoute {} names both slots already: 30-route.patch.json changes nothing", ask.route),
        ));
    }
}

/// Finds a variable whose name says that its value is a secret.
fn secret_value(copies: &Copies) -> Option<String> {
    let templates = copies.objects.iter().map(|object| &object["spec"]["template"]["spec"]);
    let lists = templates.flat_map(|spec| [&spec["containers"], &spec["initContainers"]]).filter_map(Value::as_array);
    let variables = lists.flatten().filter_map(|container| container["env"].as_array()).flatten();
    let is_secret = |name: &str| SECRETS.iter().any(|word| name.to_ascii_uppercase().contains(word));
    variables
        .filter(|variable| variable["value"].as_str().is_some_and(|value| !value.is_empty()))
        .filter_map(|variable| variable["name"].as_str())
        .find(|name| is_secret(name))
        .map(str::to_owned)
}
