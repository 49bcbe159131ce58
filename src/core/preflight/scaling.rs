//! What else changes the number of pods while a release runs: autoscalers and evictions.

use super::Looked;
use crate::model::{Finding, ResourceKind, Slot, name_of};
use serde_json::Value;

/// Checks HorizontalPodAutoscalers of either slot.
pub fn autoscalers(looked: &Looked<'_>) -> Vec<Finding> {
    if let Some(why) = looked.world.source(ResourceKind::HorizontalPodAutoscaler).failed {
        return vec![Finding::note(
            "hpa.unchecked",
            format!("HorizontalPodAutoscalers are not checked ({why}): one that shrinks a slot during a release would end pods with open work"),
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

fn scaled_slot(looked: &Looked<'_>, target: &Value) -> Option<Slot> {
    if target["kind"].as_str().unwrap_or("Deployment") != "Deployment" {
        return None;
    }
    looked.plan.component.slot_of_deployment(target["name"].as_str()?)
}

fn replicas_of(deployment: &Value) -> Option<u64> {
    Some(deployment["spec"]["replicas"].as_u64().unwrap_or(1)).filter(|replicas| *replicas > 0)
}
