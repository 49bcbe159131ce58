//! Preflight: everything that speaks against starting a release, all at once.

use super::freeze::{StartRequest, freeze};
use super::{State, World};
use crate::model::{DeployedBy, Finding, MetricsEndpoint, Phase, Plan, ResourceKind, Slot, name_of};
use crate::routing::{Install, active_slot, check, compile};
use serde_json::Value;

/// Checks a start; an empty list of refusals means it may begin.
pub fn preflight(state: &State, request: &StartRequest) -> Vec<Finding> {
    let world = &state.world;
    let Some(name) = state.plan_name() else {
        return vec![no_plan(state)];
    };
    let plan = match world.plan(&state.setup.namespace, &name) {
        Ok(plan) => plan,
        Err(findings) => return findings,
    };
    let mut findings = Vec::new();
    lock(world, &plan, request, &mut findings);
    objects(world, &plan, &mut findings);
    routes(world, &plan, &mut findings);
    autoscalers(world, &plan, &mut findings);
    findings.extend(super::gateway::findings(state, &plan));
    if plan.metrics.endpoint == MetricsEndpoint::None {
        findings.push(Finding::refuse(
            "metrics.none",
            "the plan names no metrics source: without one no shift can be verified and no drain proven; set spec.metrics.source",
        ));
    }
    // A stand-in for the digits that are drawn at the start: the shape of the routes does not depend on them.
    match freeze(world, &plan, request, "0000000000000000".into()) {
        Ok(frozen) => layout(world, &plan, &frozen, &mut findings),
        Err(found) => findings.extend(found),
    }
    findings.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.check.cmp(&b.check)));
    findings.dedup();
    findings
}

/// Says that no plan is known, and what to do.
pub fn no_plan(state: &State) -> Finding {
    let names = state.world.plan_names();
    let text = match (&state.setup.plan, names.as_slice()) {
        (Some(plan), _) => format!("there is no RolloutPlan {plan} in namespace {}", state.setup.namespace),
        (None, []) => format!(
            "there is no RolloutPlan in namespace {}: create one (pilothouse manifests prints its CRD), or try pilothouse demo",
            state.setup.namespace
        ),
        (None, several) => format!("there are several RolloutPlans: name one with --plan ({})", several.join(", ")),
    };
    Finding::refuse("plan.none", text)
}

fn lock(world: &World, plan: &Plan, request: &StartRequest, findings: &mut Vec<Finding>) {
    let Some(active) = world.active_release(&plan.name) else { return };
    if request.release.as_deref() == Some(active.as_str()) {
        return;
    }
    match world.release(&active) {
        Some(release) if release.phase().is_final() => findings.push(Finding::note(
            "plan.stale-lock",
            format!("release {active} is over; its lock on the plan is cleared by this start"),
        )),
        Some(release) if release.phase() == Phase::Proposed => findings.push(Finding::refuse(
            "plan.active",
            format!(
                "release {active} has locked the plan and was not begun: start that one from the proposed releases"
            ),
        )),
        Some(release) => findings.push(Finding::refuse(
            "plan.active",
            format!("release {active} is under way in phase {}: finish it or roll it back first", release.phase()),
        )),
        None => findings.push(Finding::note(
            "plan.stale-lock",
            format!(
                "the plan names release {active}, which does not exist any more: its lock is cleared by this start"
            ),
        )),
    }
}

fn objects(world: &World, plan: &Plan, findings: &mut Vec<Finding>) {
    for slot in Slot::ALL {
        let pair = plan.component.pair(slot);
        if world.get(ResourceKind::Service, &pair.service).is_none() {
            findings.push(Finding::refuse(
                "slot.no-service",
                format!("Service {} of slot {slot} does not exist: create it", pair.service),
            ));
        }
        if world.get(ResourceKind::Deployment, &pair.deployment).is_none() {
            findings.push(Finding::refuse(
                "slot.no-deployment",
                format!("Deployment {} of slot {slot} does not exist: create it", pair.deployment),
            ));
        }
    }
    let Some(active) = active(world, plan) else { return };
    idle_slot(world, plan, active.other(), findings);
    if world.ready_endpoints(&plan.component.pair(active).service) == 0 {
        findings.push(Finding::refuse(
            "slot.not-ready",
            format!(
                "Service {} of the serving slot {active} has no ready endpoint: bring the service up first",
                plan.component.pair(active).service
            ),
        ));
    }
    if world.pods(active).next().is_none() {
        findings.push(Finding::refuse(
            "slot.no-label",
            format!(
                "no pod carries the label pilothouse.dev/slot={active}: add it to the pod template of Deployment {}, so that its drain can be proven",
                plan.component.pair(active).deployment
            ),
        ));
    }
}

fn idle_slot(world: &World, plan: &Plan, idle: Slot, findings: &mut Vec<Finding>) {
    let Some(deployment) = world.deployment(&plan.component, idle) else { return };
    if deployment.replicas > 0 && matches!(plan.deploy, DeployedBy::Pilothouse { .. }) {
        findings.push(Finding::refuse(
            "slot.idle-runs",
            format!(
                "the idle slot {idle} still has {0} replicas: kubectl scale deployment {1} --replicas=0 when nothing is open there",
                deployment.replicas, deployment.name
            ),
        ));
    }
}

fn routes(world: &World, plan: &Plan, findings: &mut Vec<Finding>) {
    let base = world.get(ResourceKind::HTTPRoute, &plan.component.route);
    findings.extend(check(base, &others(world, plan), &plan.component, &plan.header));
}

fn layout(world: &World, plan: &Plan, frozen: &crate::api::Frozen, findings: &mut Vec<Finding>) {
    let Some(base) = world.get(ResourceKind::HTTPRoute, &plan.component.route) else { return };
    let compiled = compile(&Install {
        base,
        others: others(world, plan),
        component: &plan.component,
        header: &plan.header,
        old: frozen.old.slot,
        waves: &frozen.waves,
        release: &plan.name,
        uid: "00000000",
        placeholder: &frozen.placeholder,
    });
    match compiled {
        Ok(layout) => findings.extend(layout.warnings),
        Err(found) => findings.extend(found),
    }
}

fn autoscalers(world: &World, plan: &Plan, findings: &mut Vec<Finding>) {
    for hpa in world.all(ResourceKind::HorizontalPodAutoscaler) {
        let target = hpa["spec"]["scaleTargetRef"]["name"].as_str().unwrap_or_default();
        let Some(slot) = plan.component.slot_of_deployment(target) else { continue };
        let Some(deployment) = active(world, plan).and_then(|active| world.deployment(&plan.component, active)) else {
            continue;
        };
        let min = hpa["spec"]["minReplicas"].as_u64().unwrap_or(1);
        if min < u64::from(deployment.replicas) {
            findings.push(Finding::refuse(
                "hpa.shrinks",
                format!(
                    "HorizontalPodAutoscaler {0} may shrink slot {slot} to {min} of {1} replicas during the release: kubectl patch hpa {0} --type=merge -p '{{\"spec\":{{\"minReplicas\":{1}}}}}'",
                    name_of(hpa),
                    deployment.replicas
                ),
            ));
        }
    }
}

fn others<'a>(world: &'a World, plan: &Plan) -> Vec<&'a Value> {
    world.all(ResourceKind::HTTPRoute).filter(|route| name_of(route) != plan.component.route).collect()
}

fn active(world: &World, plan: &Plan) -> Option<Slot> {
    active_slot(world.get(ResourceKind::HTTPRoute, &plan.component.route)?, &plan.component).ok()
}
