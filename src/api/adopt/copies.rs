//! Slot b's own objects: the Deployment without replicas, and a twin of everything that selects or names slot a.

use super::clean::{annotations, copy, labels, twin};
use super::kinds::{Role, called};
use super::metrics::reaches;
use super::relabel::{Labels, Relabelling, Selector, of_service};
use super::{Ground, peers};
use crate::model::{name_of, shown};
use serde_json::{Value, json};

/// What only one Service may have, or what makes a Service reachable from outside once more.
const OF_ONE_SERVICE: &[&str] = &[
    "allocateLoadBalancerNodePorts",
    "clusterIPs",
    "externalIPs",
    "externalName",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
];

/// Slot b's objects.
#[derive(Clone, Debug, Default)]
pub(super) struct Copies {
    /// The objects, in the order in which they are created.
    pub objects: Vec<Value>,
    /// What each differs from, for a person: `Service shop-b selects app=shop-b (shop: app=shop)`.
    pub told: Vec<String>,
}

/// Makes slot b's objects.
pub(super) fn copies(ground: &Ground<'_>) -> Copies {
    let mut copies = Copies::default();
    let add = |copies: &mut Copies, object: Value, what: String| {
        copies.told.push(format!("{}: {what}", called(&object, &ground.ask.namespace)));
        copies.objects.push(object);
    };
    add(&mut copies, deployment(ground), format!("a copy of {} with no replicas", name_of(ground.deployment)));
    for service in ground.services() {
        let twin = service_twin(ground, service);
        let what = selecting(&of_service(&twin["spec"]["selector"]), name_of(service));
        add(&mut copies, twin, what);
    }
    for listed in ground.found.listed() {
        for object in &listed.objects {
            let plain = || labels(object, |_| false);
            match listed.kind.role {
                Role::SelectsPods(_) if listed.kind.kind == "NetworkPolicy" => {
                    if let Some(twin) = peers::policy(object, &ground.pods) {
                        let what = selecting(&twin["spec"]["podSelector"], name_of(object));
                        add(&mut copies, twin, what);
                    }
                }
                Role::SelectsPods(at) if reaches(object, &ground.ask.namespace) => {
                    let Some(selector) = object.pointer(at).filter(|s| ground.pods.needs_copy(s)) else { continue };
                    let mut twin = copy(object, plain());
                    let own = ground.pods.copy(selector);
                    let what = selecting(&own, name_of(object));
                    if let Some(place) = twin.pointer_mut(at) {
                        *place = own;
                    }
                    add(&mut copies, twin, what);
                }
                Role::SelectsServices if reaches(object, &ground.ask.namespace) => {
                    let selector = &object["spec"]["selector"];
                    let of = |service: &Value| service_labels(ground, service).1;
                    let Some(own) = ground.services().map(of).find(|own| own.needs_copy(selector)) else { continue };
                    let mut twin = copy(object, plain());
                    twin["spec"]["selector"] = own.copy(selector);
                    let what = selecting(&twin["spec"]["selector"], name_of(object));
                    add(&mut copies, twin, what);
                }
                Role::Scales if scales(object, &ground.ask.deployment) => {
                    let mut twin_of = copy(object, plain());
                    let target = twin(&ground.ask.deployment);
                    let what = format!("scales {target}; it does nothing while that has no replicas");
                    twin_of["spec"]["scaleTargetRef"]["name"] = json!(target);
                    add(&mut copies, twin_of, what);
                }
                Role::TargetsService => {
                    if let Some(twin) = retargeted(ground, object) {
                        add(&mut copies, twin, format!("as {} for slot a's Service", name_of(object)));
                    }
                }
                Role::NamesHost => {
                    if let Some(host) = twin_host(ground, &object["spec"]["host"]) {
                        let mut twin = copy(object, plain());
                        twin["spec"]["host"] = json!(host);
                        add(&mut copies, twin, format!("as {} for host {host}", name_of(object)));
                    }
                }
                _ => {}
            }
        }
    }
    copies
}

/// Writes the file: first which labels differ and why, then the objects.
pub(super) fn text(ground: &Ground<'_>, copies: &Copies) -> Result<String, String> {
    let mut out = format!(
        "# Slot b: a copy of Deployment {0} with no replicas, and its own Service. Nothing of slot a is changed.\n\
         #\n\
         # New label values: something selects slot a by the old ones, and would select slot b as well.\n",
        ground.ask.deployment
    );
    for (key, old, new, by) in ground.pods.changes() {
        out.push_str(&comment(&format!("  {key}: {old} -> {new}   ({})", by.join(", "))));
    }
    out.push_str("#\n# What slot b gets:\n");
    for told in &copies.told {
        out.push_str(&comment(&format!("  {told}")));
    }
    if !ground.pods.shared.is_empty() {
        out.push_str("#\n# These take the pods of both slots, because they name no label value:\n");
        out.push_str(&comment(&format!("  {}", ground.pods.shared.join(", "))));
    }
    for object in &copies.objects {
        out.push_str("---\n");
        out.push_str(&yaml(object)?);
    }
    Ok(out)
}

/// Writes one YAML document.
pub(super) fn yaml(object: &Value) -> Result<String, String> {
    let mut text = serde_saphyr::to_string(object).map_err(|error| error.to_string())?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// Writes a comment line, which nothing in the text can end.
pub(super) fn comment(text: &str) -> String {
    format!("# {}\n", text.chars().filter_map(shown).collect::<String>())
}

/// Tells whether an autoscaler scales a Deployment.
pub(super) fn scales(autoscaler: &Value, deployment: &str) -> bool {
    let target = &autoscaler["spec"]["scaleTargetRef"];
    target["name"] == deployment && target["kind"].as_str().is_none_or(|kind| kind == "Deployment")
}

fn selecting(selector: &Value, original: &str) -> String {
    let named = selector["matchLabels"].as_object().into_iter().flatten();
    let mut parts: Vec<String> =
        named.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    parts.extend(selector["matchExpressions"].as_array().into_iter().flatten().map(Value::to_string));
    format!(
        "selects {}; made from {original}",
        if parts.is_empty() { "as before".to_owned() } else { parts.join(", ") }
    )
}

fn deployment(ground: &Ground<'_>) -> Value {
    let own = labels(ground.deployment, |_| false);
    let mut twin = copy(ground.deployment, ground.pods.relabelled(&own));
    let spec = &mut twin["spec"];
    spec["replicas"] = json!(0);
    spec["selector"] = ground.pods.copy(&ground.deployment["spec"]["selector"]);
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("paused");
    }
    let template = &mut spec["template"];
    template["metadata"]["labels"] = ground.pods.labels().clone();
    if let Some(metadata) = template["metadata"].as_object_mut() {
        metadata.remove("creationTimestamp");
        if let Some(given) = metadata.get_mut("annotations") {
            *given = Value::Object(annotations(given));
        }
    }
    for place in ["affinity", "topologySpreadConstraints"] {
        if let Some(rules) = template["spec"].get_mut(place) {
            relabel_within(rules, &ground.pods);
        }
    }
    twin
}

/// Gives every label selector within a pod's own placement rules slot b's form: slot b spreads over nodes by itself.
fn relabel_within(rules: &mut Value, pods: &Relabelling) {
    match rules {
        Value::Array(items) => items.iter_mut().for_each(|item| relabel_within(item, pods)),
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                if key == "labelSelector" && pods.needs_copy(value) {
                    *value = pods.copy(value);
                } else {
                    relabel_within(value, pods);
                }
            }
        }
        _ => {}
    }
}

/// Returns a Service's cleaned labels and how its twin's differ: a ServiceMonitor selects Services.
fn service_labels(ground: &Ground<'_>, service: &Value) -> (Labels, Relabelling) {
    let all = service["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    let monitors = ground.found.listed().iter().filter(|listed| listed.kind.role == Role::SelectsServices);
    let monitors: Vec<Selector> = monitors
        .flat_map(|listed| &listed.objects)
        .filter(|object| reaches(object, &ground.ask.namespace))
        .map(|object| Selector {
            by: called(object, &ground.ask.namespace),
            selector: object["spec"]["selector"].clone(),
        })
        .collect();
    let others = ground.found.of("Service").filter(|other| name_of(other) != name_of(service));
    let others: Vec<&Labels> = others.filter_map(|other| other["metadata"]["labels"].as_object()).collect();
    let own = Relabelling::new(&all, &monitors, &others);
    (labels(service, |key| own.reasons.contains_key(key)), own)
}

fn service_twin(ground: &Ground<'_>, service: &Value) -> Value {
    let (kept, own) = service_labels(ground, service);
    // What no monitor asks for follows the pods, so that one selector finds everything of a slot.
    let followed: Labels = ground.pods.relabelled(&kept);
    let labels = followed.into_iter().map(|(key, value)| {
        let value = if own.reasons.contains_key(&key) { own.labels()[&key].clone() } else { value };
        (key, value)
    });
    let mut twin = copy(service, labels.collect());
    let selector = ground.pods.copy(&of_service(&service["spec"]["selector"]));
    let is_headless = service["spec"]["clusterIP"] == "None";
    let Some(spec) = twin["spec"].as_object_mut() else { return twin };
    spec.insert("selector".into(), selector["matchLabels"].clone());
    for key in OF_ONE_SERVICE {
        spec.remove(*key);
    }
    if !is_headless {
        spec.remove("clusterIP");
    }
    // Slot b is reached through the gateway; a second load balancer would be a second way in.
    spec.insert("type".into(), json!("ClusterIP"));
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            port.remove("nodePort");
        }
    }
    twin
}

/// Copies a policy that targets a Service of slot a by name, for the twin of that Service.
fn retargeted(ground: &Ground<'_>, object: &Value) -> Option<Value> {
    let names: Vec<&str> = ground.services().map(name_of).collect();
    let is_ours = |target: &Value| {
        target["kind"] == "Service" && target["name"].as_str().is_some_and(|name| names.contains(&name))
    };
    let mut made = copy(object, labels(object, |_| false));
    let rename = |target: &mut Value| target["name"] = json!(twin(target["name"].as_str().unwrap_or_default()));
    let spec = &mut made["spec"];
    if is_ours(&spec["targetRef"]) {
        rename(&mut spec["targetRef"]);
        return Some(made);
    }
    let targets = spec.get_mut("targetRefs").and_then(Value::as_array_mut)?;
    targets.retain(is_ours);
    targets.iter_mut().for_each(rename);
    let any = !targets.is_empty();
    any.then_some(made)
}

/// Returns the twin of a host that names a Service of slot a, in any of the forms a host has.
fn twin_host(ground: &Ground<'_>, host: &Value) -> Option<String> {
    let host = host.as_str()?;
    let (name, domain) = host.split_once('.').map_or((host, ""), |(name, rest)| (name, rest));
    let is_here = domain.is_empty() || domain.split('.').next() == Some(ground.ask.namespace.as_str());
    let is_ours = is_here && ground.services().any(|service| name_of(service) == name);
    is_ours.then(|| if domain.is_empty() { twin(name) } else { format!("{}.{domain}", twin(name)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_one_line_whatever_it_quotes() {
        assert_eq!(comment("a\n---\u{2028}kind: Se\u{202e}cret\u{1b}[2J"), "# a --- kind: Secret?[2J\n");
    }

    #[test]
    fn placement_rules_of_slot_b_look_at_slot_b() {
        let old: Labels = serde_json::from_value(json!({ "app": "shop", "pilothouse.dev/slot": "a" })).unwrap();
        let by = Selector { by: "Service shop".into(), selector: json!({ "matchLabels": { "app": "shop" } }) };
        let pods = Relabelling::new(&old, &[by], &[]);
        let rule = |app: &str| {
            json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [
                { "labelSelector": { "matchLabels": { "app": app } }, "topologyKey": "kubernetes.io/hostname" },
            ] } })
        };
        let (mut own, mut other) = (rule("shop"), rule("db"));
        relabel_within(&mut own, &pods);
        relabel_within(&mut other, &pods);
        assert_eq!((own, other), (rule("shop-b"), rule("db")));
    }
}
