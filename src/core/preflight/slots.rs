//! What the two slots themselves say against a start: Services, Deployments, their pods and how those end.

use super::{Looked, seconds};
use crate::core::world::PodView;
use crate::model::{DeployedBy, Finding, ResourceKind, Slot, counted, name_of, service_selects};
use crate::routing::{SLOT_LABEL, rule_ports, some_of};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What Kubernetes gives a pod to end when its template does not say (`terminationGracePeriodSeconds`).
const DEFAULT_GRACE: u64 = 30;

/// Checks everything about the slots that can be seen without metrics, and the time their pods get to end.
pub fn findings(looked: &Looked<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for kind in [ResourceKind::Service, ResourceKind::Deployment] {
        let Some(why) = looked.unread(kind) else { continue };
        findings.push(Finding::refuse(
            "slot.unread",
            format!(
                "{}s cannot be read ({why}), so it is not known whether the slots are what the plan says: the role pilothouse-viewer allows it (pilothouse manifests prints it)",
                kind.name()
            ),
        ));
    }
    for slot in Slot::ALL {
        existence(looked, slot, &mut findings);
        findings.extend(selector(looked, slot));
        findings.extend(third_parties(looked, slot));
        findings.extend(volumes_and_probes(looked, slot));
        findings.extend(waiting(looked, slot));
    }
    findings.extend(ports(looked));
    findings.extend(serving(looked));
    findings.extend(idle(looked));
    findings.extend(shared_claims(looked));
    findings.extend(grace(looked));
    findings.extend(pre_stop(looked));
    findings
}

fn existence(looked: &Looked<'_>, slot: Slot, findings: &mut Vec<Finding>) {
    let pair = looked.plan.component.pair(slot);
    if looked.service(slot).is_none() && looked.unread(ResourceKind::Service).is_none() {
        findings.push(Finding::refuse(
            "slot.no-service",
            format!("Service {} of slot {slot} does not exist: create it (pilothouse init prints it)", pair.service),
        ));
    }
    if looked.deployment(slot).is_none() && looked.unread(ResourceKind::Deployment).is_none() {
        findings.push(Finding::refuse(
            "slot.no-deployment",
            format!(
                "Deployment {} of slot {slot} does not exist: create it (pilothouse init prints it)",
                pair.deployment
            ),
        ));
    }
}

/// Checks that a Service selects the pods of its own slot, and none of the other's.
fn selector(looked: &Looked<'_>, slot: Slot) -> Option<Finding> {
    let (pair, other) = (looked.plan.component.pair(slot), looked.plan.component.pair(slot.other()));
    let selector = &looked.service(slot)?["spec"]["selector"];
    if selector.as_object().is_none_or(serde_json::Map::is_empty) {
        return Some(Finding::warn(
            "slot.no-selector",
            format!(
                "Service {} of slot {slot} has no selector: somebody else keeps its endpoints, and whether they are pods of this slot alone cannot be checked here",
                pair.service
            ),
        ));
    }
    let own = labels(looked.deployment(slot)?);
    let said = terms(selector);
    if looked.deployment(slot.other()).is_some_and(|object| service_selects(selector, labels(object))) {
        let mend = if own[SLOT_LABEL].as_str() == Some(slot.as_str()) {
            format!(
                "kubectl patch service {} --type=merge -p '{{\"spec\":{{\"selector\":{{\"{SLOT_LABEL}\":\"{slot}\"}}}}}}'",
                pair.service
            )
        } else {
            format!("give the pods of {} another value of one of these labels (pilothouse init prints it so)", {
                // The serving pods must not restart, so the other Deployment's template is the one to change.
                if looked.active == Some(slot.other()) { &pair.deployment } else { &other.deployment }
            })
        };
        return Some(Finding::refuse(
            "slot.shared-selector",
            format!(
                "Service {} of slot {slot} also selects the pods of Deployment {} ({said}): its customers would be on both versions; {mend}",
                pair.service, other.deployment
            ),
        ));
    }
    if service_selects(selector, own) {
        return None;
    }
    Some(Finding::refuse(
        "slot.selector-mismatch",
        format!(
            "Service {} of slot {slot} selects {said}, and the pods of Deployment {} do not carry that: nobody of this slot would answer there; correct the selector of the Service or the labels of the pod template",
            pair.service, pair.deployment
        ),
    ))
}

/// Warns of other Deployments' pods behind a slot's Service: a release does not move them.
fn third_parties(looked: &Looked<'_>, slot: Slot) -> Option<Finding> {
    let selector = &looked.service(slot)?["spec"]["selector"];
    let names: Vec<String> = looked
        .world
        .all(ResourceKind::Deployment)
        .filter(|object| looked.plan.component.slot_of_deployment(name_of(object)).is_none())
        .filter(|object| service_selects(selector, labels(object)))
        .map(|object| name_of(object).to_owned())
        .collect();
    (!names.is_empty()).then(|| {
        Finding::warn(
            "slot.third-party",
            format!(
                "Service {} of slot {slot} also selects the pods of Deployment {}, which no release changes: customers of this slot would meet a version that nobody released",
                looked.plan.component.pair(slot).service,
                some_of(&names)
            ),
        )
    })
}

/// Checks that the base route's rules name ports which both Services have, and that these lead to the same container port.
fn ports(looked: &Looked<'_>) -> Vec<Finding> {
    let Some(base) = looked.base else { return Vec::new() };
    let component = &looked.plan.component;
    let (mut findings, mut seen) = (Vec::new(), BTreeSet::new());
    for (a, b) in rule_ports(base, component) {
        if !seen.insert((a, b)) {
            continue;
        }
        let found = [(Slot::A, a), (Slot::B, b)].map(|(slot, port)| Some((slot, looked.service(slot)?, port)));
        let mut targets = Vec::new();
        for (slot, service, port) in found.into_iter().flatten() {
            match port_of(service, port) {
                Some(entry) => targets.push((slot, entry)),
                None => findings.push(Finding::refuse(
                    "slot.no-such-port",
                    format!(
                        "HTTPRoute {} sends to port {port} of Service {}, which has no such port ({}): nobody would answer there; correct one of the two",
                        component.route,
                        name_of(service),
                        ports_in_words(service)
                    ),
                )),
            }
        }
        if let [(_, of_a), (_, of_b)] = targets.as_slice() {
            findings.extend(differing(looked, of_a, of_b));
        }
        for (slot, entry) in targets {
            findings.extend(dangling(looked, slot, entry));
        }
    }
    findings
}

fn differing(looked: &Looked<'_>, a: &Value, b: &Value) -> Option<Finding> {
    let component = &looked.plan.component;
    let target = |slot: Slot, entry: &Value| looked.deployment(slot).and_then(|d| container_port(d, entry));
    let (to_a, to_b) = (target(Slot::A, a)?, target(Slot::B, b)?);
    if to_a != to_b {
        return Some(Finding::warn(
            "slot.target-port",
            format!(
                "Service {} leads to container port {to_a} and Service {} to {to_b}: unless the new version listens elsewhere, requests to one of them fail; correct targetPort",
                component.a.service, component.b.service
            ),
        ));
    }
    let protocol = |entry: &Value| entry["appProtocol"].as_str().unwrap_or("none").to_owned();
    (protocol(a) != protocol(b)).then(|| {
        Finding::warn(
            "slot.app-protocol",
            format!(
                "Service {} has appProtocol {} and Service {} has {}: gateways would speak differently to the two versions; set the same one",
                component.a.service,
                protocol(a),
                component.b.service,
                protocol(b)
            ),
        )
    })
}

/// Refuses a named target port that no container of the slot has: the Service would have no endpoint for it.
fn dangling(looked: &Looked<'_>, slot: Slot, entry: &Value) -> Option<Finding> {
    let name = entry["targetPort"].as_str()?;
    let deployment = looked.deployment(slot)?;
    if container_port(deployment, entry).is_some() {
        return None;
    }
    Some(Finding::refuse(
        "slot.target-port-name",
        format!(
            "Service {} of slot {slot} leads to the container port named {name}, and no container of Deployment {} has a port of that name: it would have no endpoint; name the port in the pod template, or use its number as targetPort",
            looked.plan.component.pair(slot).service,
            name_of(deployment)
        ),
    ))
}

/// Checks the slot that serves now.
fn serving(looked: &Looked<'_>) -> Vec<Finding> {
    let Some(active) = looked.active else { return Vec::new() };
    let pair = looked.plan.component.pair(active);
    let mut findings = Vec::new();
    let ready = looked.world.ready_endpoints(&pair.service);
    if ready == 0 {
        findings.push(Finding::refuse(
            "slot.not-ready",
            format!(
                "Service {} of the serving slot {active} has no ready endpoint: bring the service up first (kubectl get endpointslices -l kubernetes.io/service-name={0})",
                pair.service
            ),
        ));
    }
    if looked.world.pods(&looked.plan.component, active).next().is_none() {
        findings.push(Finding::refuse(
            "slot.no-label",
            format!(
                "no pod belongs to slot {active}: none carries the label pilothouse.dev/slot={active}, and Deployment {} controls none without it",
                pair.deployment
            ),
        ));
    }
    let Some(object) = looked.deployment(active) else { return findings };
    let status = |field: &str| object["status"][field].as_u64().unwrap_or(0);
    let wanted = object["spec"]["replicas"].as_u64().unwrap_or(1);
    let is_seen = object["status"]["observedGeneration"].as_i64() >= object["metadata"]["generation"].as_i64();
    if !is_seen || status("updatedReplicas") < wanted || status("replicas") > status("updatedReplicas") {
        findings.push(Finding::refuse(
            "slot.rolling",
            format!(
                "Deployment {0} of the serving slot {active} is being changed ({1} of {wanted} pods are of its newest template): its customers are on two versions now; wait for it: kubectl rollout status deployment {0}",
                pair.deployment,
                if is_seen { status("updatedReplicas") } else { 0 }
            ),
        ));
    } else if status("readyReplicas") < wanted && ready > 0 {
        findings.push(Finding::warn(
            "slot.unready",
            format!(
                "{} of {wanted} pods of the serving slot {active} are ready: the way back leads to fewer pods than are wanted; look at kubectl get pods -l {}",
                status("readyReplicas"),
                terms(&object["spec"]["selector"]["matchLabels"])
            ),
        ));
    }
    findings
}

/// Checks the slot that gets the new version.
fn idle(looked: &Looked<'_>) -> Vec<Finding> {
    let Some(idle) = looked.active.map(Slot::other) else { return Vec::new() };
    let Some(object) = looked.deployment(idle) else { return Vec::new() };
    let name = name_of(object);
    let replicas = object["spec"]["replicas"].as_u64().unwrap_or(1);
    let mut findings = Vec::new();
    if object["spec"]["paused"].as_bool() == Some(true) {
        findings.push(Finding::refuse(
            "slot.paused",
            format!(
                "Deployment {name} of slot {idle} is paused, so the new version would never come up there: kubectl rollout resume deployment {name}"
            ),
        ));
    }
    if replicas == 0 {
        return findings;
    }
    if matches!(looked.plan.deploy, DeployedBy::Pilothouse { .. }) {
        findings.push(Finding::refuse(
            "slot.idle-runs",
            format!(
                "the idle slot {idle} still has {replicas} replicas: kubectl scale deployment {name} --replicas=0 when nothing is open there"
            ),
        ));
    } else if looked.world.ready_endpoints(&looked.plan.component.pair(idle).service) == 0 {
        findings.push(Finding::warn(
            "slot.target-not-ready",
            format!(
                "Service {} of the idle slot {idle} has no ready endpoint although {name} has {replicas} replicas: the start will wait for them; look at kubectl describe deployment {name}",
                looked.plan.component.pair(idle).service
            ),
        ));
    }
    findings
}

/// Says which pods of a slot wait for something, such as their image.
fn waiting(looked: &Looked<'_>, slot: Slot) -> Vec<Finding> {
    let mut reasons: BTreeMap<&str, Vec<&PodView>> = BTreeMap::new();
    for pod in looked.world.pods(&looked.plan.component, slot).filter(|pod| !pod.deleting) {
        let Some(why) = &pod.waiting else { continue };
        if !matches!(why.as_str(), "ContainerCreating" | "PodInitializing") {
            reasons.entry(why).or_default().push(pod);
        }
    }
    let finding = |(why, pods): (&str, Vec<&PodView>)| {
        let (count, first) = (pods.len(), pods.first()?);
        let who = counted(count, "pod");
        Some(Finding::warn(
            "slot.pod-waits",
            format!(
                "{who} of slot {slot} cannot run ({why}): the slot has fewer pods than it should; look at kubectl describe pod {}",
                first.name
            ),
        ))
    };
    reasons.into_iter().filter_map(finding).collect()
}

/// Warns of pods that count as ready before they answer.
fn volumes_and_probes(looked: &Looked<'_>, slot: Slot) -> Option<Finding> {
    let deployment = looked.deployment(slot)?;
    let containers: Vec<&Value> = containers(deployment).collect();
    let has_probe = containers.iter().any(|container| container["readinessProbe"].is_object());
    (!containers.is_empty() && !has_probe).then(|| {
        Finding::warn(
            "slot.no-probe",
            format!(
                "no container of Deployment {} has a readinessProbe: its pods count as ready as soon as they run, and the first requests of a wave may come too early; add one",
                name_of(deployment)
            ),
        )
    })
}

/// Warns of a volume that both slots mount; how it may be shared is in the claim, which is not read.
fn shared_claims(looked: &Looked<'_>) -> Option<Finding> {
    let (a, b) = (looked.deployment(Slot::A)?, looked.deployment(Slot::B)?);
    let of_b = claims(b);
    let both: Vec<String> = claims(a).into_iter().filter(|claim| of_b.contains(claim)).collect();
    (!both.is_empty()).then(|| {
        Finding::warn(
            "slot.shared-volume",
            format!(
                "Deployments {} and {} mount the same PersistentVolumeClaim {}: both versions would write there at once, and a ReadWriteOnce one keeps new pods on other nodes from starting; check accessModes (kubectl get pvc {})",
                name_of(a),
                name_of(b),
                some_of(&both),
                both.first().map_or("", String::as_str)
            ),
        )
    })
}

/// Compares the time that pods get to end with the longest open transaction that metrics have shown.
fn grace(looked: &Looked<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let of = |slot: Slot| looked.deployment(slot).map(|object| (name_of(object), grace_of(object)));
    let longest = looked.longest();
    let Some(active) = looked.active else { return findings };
    let (serving, resting) = (of(active), of(active.other()));
    if let Some(longest) = longest {
        let is_short = |(_, grace): &(&str, u64)| longest > *grace as f64;
        let short: Vec<_> = [serving, resting].into_iter().flatten().filter(is_short).collect();
        let who: Vec<String> = short.iter().map(|(name, grace)| format!("Deployment {name} get {grace}s")).collect();
        if !who.is_empty() {
            findings.push(Finding::warn(
                "slot.grace",
                format!(
                    "pods of {} to end (terminationGracePeriodSeconds), and a transaction has been open for {}: a node drain would cut such work, and so would force; raise it together with the next version, a change of the template restarts pods",
                    who.join(", those of "),
                    seconds(longest)
                ),
            ));
        }
    }
    if let (Some((name, old)), Some((idle, new))) = (serving, resting)
        && new < old
    {
        findings.push(Finding::warn(
            "slot.grace-differs",
            format!(
                "pods of Deployment {idle} get {new}s to end and those of {name} {old}s: the new version would lose work in a node drain that the old one finishes; kubectl patch deployment {idle} --type=merge -p '{{\"spec\":{{\"template\":{{\"spec\":{{\"terminationGracePeriodSeconds\":{old}}}}}}}}}'"
            ),
        ));
    }
    findings
}

/// Says what cannot be seen of how pods end.
fn pre_stop(looked: &Looked<'_>) -> Option<Finding> {
    let without: Vec<&str> = Slot::ALL
        .into_iter()
        .filter_map(|slot| looked.deployment(slot))
        .filter(|object| containers(object).all(|container| container["lifecycle"]["preStop"].is_null()))
        .map(name_of)
        .collect();
    (!without.is_empty()).then(|| {
        Finding::note(
            "slot.no-pre-stop",
            format!(
                "no container of Deployment {} has a preStop hook: in a node drain the gateway may still send for some seconds after SIGTERM, and whether the application serves on until then cannot be seen here; lifecycle.preStop.sleep of 15 s is the usual answer",
                without.join(" and ")
            ),
        )
    })
}

fn containers(deployment: &Value) -> impl Iterator<Item = &Value> {
    deployment["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten()
}

fn labels(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["metadata"]["labels"]
}

fn grace_of(deployment: &Value) -> u64 {
    deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(DEFAULT_GRACE)
}

fn claims(deployment: &Value) -> Vec<String> {
    let volumes = deployment["spec"]["template"]["spec"]["volumes"].as_array().into_iter().flatten();
    volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str()).map(str::to_owned).collect()
}

fn port_of(service: &Value, port: u64) -> Option<&Value> {
    service["spec"]["ports"].as_array()?.iter().find(|entry| entry["port"].as_u64() == Some(port))
}

fn ports_in_words(service: &Value) -> String {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let numbers: Vec<String> = ports.filter_map(|entry| entry["port"].as_u64()).map(|port| port.to_string()).collect();
    if numbers.is_empty() { "it has none".to_owned() } else { format!("it has {}", some_of(&numbers)) }
}

/// Resolves where a Service's port leads to in a pod; `None` for a name that no container has.
fn container_port(deployment: &Value, entry: &Value) -> Option<u64> {
    let target = &entry["targetPort"];
    let Some(name) = target.as_str() else { return target.as_u64().or_else(|| entry["port"].as_u64()) };
    containers(deployment)
        .flat_map(|container| container["ports"].as_array().into_iter().flatten())
        .find(|port| port["name"].as_str() == Some(name))
        .and_then(|port| port["containerPort"].as_u64())
}

/// Writes a map of labels as kubectl takes it.
fn terms(selector: &Value) -> String {
    let map = selector.as_object().into_iter().flatten();
    let terms: Vec<String> = map.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    terms.join(",")
}
