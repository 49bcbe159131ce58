//! What else changes the number of pods while a release runs: autoscalers and evictions.

use super::Looked;
use crate::model::{Finding, ResourceKind, Slot, annotation, name_of, selects};
use serde_json::Value;

/// Checks HorizontalPodAutoscalers of either slot.
pub fn autoscalers(looked: &Looked<'_>) -> Vec<Finding> {
    if let Some(why) = looked.world.source(ResourceKind::HorizontalPodAutoscaler).failed {
        return vec![Finding::note(
            "hpa.unchecked",
            format!(
                "HorizontalPodAutoscalers are not checked ({why}): one that shrinks a slot during a release would end pods with open work"
            ),
        )];
    }
    let Some(wanted) = looked.active.and_then(|active| replicas_of(looked.deployment(active)?)) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for hpa in looked.world.all(ResourceKind::HorizontalPodAutoscaler) {
        let Some(slot) = scaled_slot(looked, &hpa["spec"]["scaleTargetRef"]) else { continue };
        let name = name_of(hpa);
        let min = hpa["spec"]["minReplicas"].as_u64().unwrap_or(1);
        if min < wanted {
            findings.push(Finding::refuse(
                "hpa.shrinks",
                format!(
                    "HorizontalPodAutoscaler {name} may shrink slot {slot} to {min} of {wanted} replicas during the release: kubectl patch hpa {name} --type=merge -p '{{\"spec\":{{\"minReplicas\":{wanted}}}}}'"
                ),
            ));
        }
        if let Some(max) = hpa["spec"]["maxReplicas"].as_u64().filter(|max| *max < wanted) {
            findings.push(Finding::refuse(
                "hpa.caps",
                format!(
                    "HorizontalPodAutoscaler {name} lets slot {slot} have {max} replicas, and {wanted} serve now: kubectl patch hpa {name} --type=merge -p '{{\"spec\":{{\"maxReplicas\":{wanted}}}}}'"
                ),
            ));
        }
    }
    findings
}

/// Checks KEDA's ScaledObjects of either slot: they own the HorizontalPodAutoscaler that they make.
pub fn scaled_objects(looked: &Looked<'_>) -> Vec<Finding> {
    let Some(answer) = looked.survey.map(|survey| &survey.scaled_objects) else { return Vec::new() };
    if let Some(why) = answer.unknown() {
        return vec![Finding::note(
            "keda.unchecked",
            format!(
                "ScaledObjects of KEDA are not checked ({why}): one that scales a slot would undo what a release sets"
            ),
        )];
    }
    let finding = |object: &Value| {
        let slot = scaled_slot(looked, &object["spec"]["scaleTargetRef"])?;
        let name = name_of(object);
        // `paused-replicas` sets a number of its own; only `paused` leaves the present one.
        let is_paused = annotation(object, "autoscaling.keda.sh/paused") == Some("true")
            && annotation(object, "autoscaling.keda.sh/paused-replicas").is_none();
        if is_paused {
            return Some(Finding::note(
                "keda.paused",
                format!(
                    "ScaledObject {name} of slot {slot} is paused: it does not interfere; after the release: kubectl annotate scaledobject {name} autoscaling.keda.sh/paused-"
                ),
            ));
        }
        Some(Finding::refuse(
            "keda.scales",
            format!(
                "ScaledObject {name} (KEDA) scales slot {slot} and would undo what the release sets: pause it first: kubectl annotate scaledobject {name} autoscaling.keda.sh/paused=true"
            ),
        ))
    };
    answer.value().into_iter().flatten().filter_map(finding).collect()
}

/// Checks what PodDisruptionBudgets mean for two slots side by side; scaling does not ask them, evictions do.
pub fn budgets(looked: &Looked<'_>) -> Vec<Finding> {
    let Some(answer) = looked.survey.map(|survey| &survey.budgets) else { return Vec::new() };
    if let Some(why) = answer.unknown() {
        return vec![Finding::note(
            "pdb.unchecked",
            format!(
                "PodDisruptionBudgets are not checked ({why}): whether a node drain may take a whole slot is not known"
            ),
        )];
    }
    let budgets = answer.value().map_or(&[][..], Vec::as_slice);
    let template = |slot: Slot| looked.deployment(slot).map(|object| &object["spec"]["template"]["metadata"]["labels"]);
    let covers =
        |budget: &Value, slot: Slot| template(slot).is_some_and(|labels| selects(&budget["spec"]["selector"], labels));
    let mut findings = Vec::new();
    for budget in budgets {
        if Slot::ALL.into_iter().all(|slot| covers(budget, slot)) {
            findings.push(Finding::warn(
                "pdb.both-slots",
                format!(
                    "PodDisruptionBudget {0} counts the pods of both slots together: during a release a node drain may take every pod of one version and still keep it; give each slot a budget of its own, by the label pilothouse.dev/slot",
                    name_of(budget)
                ),
            ));
        }
    }
    for slot in Slot::ALL {
        let Some(object) = looked.deployment(slot) else { continue };
        let own: Vec<&Value> = budgets.iter().filter(|budget| covers(budget, slot)).collect();
        if own.is_empty() {
            findings.push(Finding::note(
                "pdb.none",
                format!(
                    "no PodDisruptionBudget covers slot {slot}: a node drain may end all pods of Deployment {} at once; add one (pilothouse init copies an existing one)",
                    name_of(object)
                ),
            ));
        }
        let Some(replicas) = replicas_of(object) else { continue };
        for budget in own.into_iter().filter(|budget| blocks(budget, replicas)) {
            findings.push(Finding::note(
                "pdb.blocks",
                format!(
                    "PodDisruptionBudget {} lets no pod of slot {slot} be evicted ({} of {replicas} replicas): node drains wait for it; a release is not stopped, because scaling does not ask budgets",
                    name_of(budget),
                    said(budget)
                ),
            ));
        }
    }
    findings
}

/// Tells whether a budget never lets a pod go while all of `replicas` are healthy.
fn blocks(budget: &Value, replicas: u64) -> bool {
    let count = |value: &Value| -> Option<u64> {
        let share = value.as_str().and_then(|text| text.strip_suffix('%')?.parse::<u64>().ok());
        // Kubernetes rounds both up.
        value.as_u64().or_else(|| share.map(|share| (share * replicas).div_ceil(100)))
    };
    let spec = &budget["spec"];
    count(&spec["maxUnavailable"]).is_some_and(|max| max == 0)
        || count(&spec["minAvailable"]).is_some_and(|min| min >= replicas)
}

fn said(budget: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let spec = &budget["spec"];
    if spec["maxUnavailable"].is_null() {
        format!("minAvailable {}", text(&spec["minAvailable"]))
    } else {
        format!("maxUnavailable {}", text(&spec["maxUnavailable"]))
    }
}

fn scaled_slot(looked: &Looked<'_>, target: &Value) -> Option<Slot> {
    if target["kind"].as_str().unwrap_or("Deployment") != "Deployment" {
        return None;
    }
    looked.plan.component.slot_of_deployment(target["name"].as_str()?)
}

fn replicas_of(deployment: &Value) -> Option<u64> {
    Some(deployment["spec"]["replicas"].as_u64().unwrap_or(1)).filter(|replicas| *replicas > 0)
}
