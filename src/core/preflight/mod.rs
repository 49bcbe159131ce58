//! Preflight: everything that speaks against starting a release, all at once.
//!
//! What does not depend on the version that is asked for is kept while nothing has changed ([`Standing`]): the screen
//! shows it all the time, and the shape of the routes of ten thousand customers is not computed per picture.

mod metrics;
mod plans;
mod routes;
mod scaling;
mod shown;
mod size;
mod slots;

#[cfg(test)]
mod tests;

pub use shown::{beside, shown};

use super::evidence::Evidence;
use super::freeze::{StartRequest, membership, version_findings};
use super::survey::{self, Survey};
use super::{State, World};
use crate::api::provider;
use crate::model::{CustomerId, Finding, Membership, Phase, Plan, ResourceKind, Slot, Span, Timestamp};
use crate::routing::active_slot;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// How long findings hold while nothing that they come from has changed; only ages move.
const KEPT: i64 = 3_000;
/// How often they are looked for again at most, however much changes.
const PAUSE: i64 = 1_000;
/// A sample older than this is too old where the scrape interval is not known: twice the usual 30 s and 2 s.
const OLD_SAMPLE: i64 = 62_000;

/// Checks a start; without a refusal among the findings it may begin. The gravest come first.
///
/// Without a request it says what speaks against a start of any version.
pub fn preflight(state: &State, now: Timestamp, request: Option<&StartRequest>) -> Vec<Finding> {
    let plan = match plan_of(state) {
        Ok(plan) => plan,
        Err(findings) => return findings,
    };
    let mut findings = if state.standing.holds(state, now) {
        state.standing.findings.clone()
    } else {
        standing(state, now, &plan, &mut state.standing.shape.clone())
    };
    lock(&state.world, &plan, request, &mut findings);
    findings.extend(version_findings(&state.world, &plan, request));
    sorted(findings)
}

/// Says that no plan is known, and what to do.
pub fn no_plan(state: &State) -> Finding {
    let names = state.world.plan_names();
    let text = match (&state.setup.plan, names.as_slice()) {
        (Some(plan), known) => format!(
            "there is no RolloutPlan {plan} in namespace {}{}",
            state.setup.namespace,
            if known.is_empty() {
                String::new()
            } else {
                format!(": name another one with --plan ({})", known.join(", "))
            }
        ),
        (None, []) => format!(
            "there is no RolloutPlan in namespace {}: create one (pilothouse manifests prints its CRD), or try pilothouse demo",
            state.setup.namespace
        ),
        (None, several) => format!("there are several RolloutPlans: name one with --plan ({})", several.join(", ")),
    };
    Finding::refuse("plan.none", text)
}

/// What would speak against a start of any version, and what it was computed from.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// When it was looked for; `None` while a release is under way, and before the first look.
    pub at: Option<Timestamp>,
    /// What was found, the gravest first.
    pub findings: Vec<Finding>,
    from: Vec<u64>,
    shape: Shape,
}

/// What depends on routes, customers and the plan alone: it costs most and changes least.
#[derive(Clone, Debug, Default)]
struct Shape {
    from: Vec<u64>,
    findings: Vec<Finding>,
    listed: BTreeSet<CustomerId>,
}

impl Standing {
    fn holds(&self, state: &State, now: Timestamp) -> bool {
        self.at.is_some_and(|at| now.as_millisecond() - at.as_millisecond() < KEPT) && self.from == sources(state)
    }
}

/// Tells whether every kind that findings come from has been listed, or cannot be: what was not heard of yet would look
/// as if it did not exist.
fn is_heard(state: &State) -> bool {
    let is_followed = |kind: &ResourceKind| match kind {
        ResourceKind::Lease => false,
        ResourceKind::ConfigMap => state.watched.is_some(),
        _ => true,
    };
    let is_known = |kind: ResourceKind| {
        let source = state.world.source(kind);
        source.listed || source.failed.is_some()
    };
    ResourceKind::ALL.into_iter().filter(is_followed).all(is_known)
}

/// Looks again where something has changed; called after every event.
pub fn refresh(state: &mut State, now: Timestamp) {
    let is_under_way = state.scope().is_some_and(|scope| !scope.status().phase.is_final());
    if is_under_way || !is_heard(state) {
        state.standing.at = None;
        state.standing.findings.clear();
        return;
    }
    let age = state.standing.at.map(|at| now.as_millisecond() - at.as_millisecond());
    if age.is_some_and(|age| (0..PAUSE).contains(&age)) || state.standing.holds(state, now) {
        return;
    }
    let mut shape = std::mem::take(&mut state.standing.shape);
    let findings = match plan_of(state) {
        Ok(plan) => {
            let mut findings = standing(state, now, &plan, &mut shape);
            lock(&state.world, &plan, None, &mut findings);
            findings.extend(version_findings(&state.world, &plan, None));
            sorted(findings)
        }
        Err(findings) => sorted(findings),
    };
    state.standing = Standing { at: Some(now), findings, from: sources(state), shape };
}

/// What a start is judged by.
pub(super) struct Looked<'a> {
    pub(super) world: &'a World,
    pub(super) evidence: &'a Evidence,
    pub(super) plan: &'a Plan,
    /// The base route.
    pub(super) base: Option<&'a Value>,
    /// The slot that serves; `None` when the base route does not say one.
    pub(super) active: Option<Slot>,
    /// What no watch brings; `None` while it was not looked at.
    pub(super) survey: Option<&'a Survey>,
    /// Server time.
    pub(super) at: Timestamp,
}

impl<'a> Looked<'a> {
    fn service(&self, slot: Slot) -> Option<&'a Value> {
        self.world.get(ResourceKind::Service, &self.plan.component.pair(slot).service)
    }

    /// Says why a kind cannot be read at all; then nothing is known to be missing.
    fn unread(&self, kind: ResourceKind) -> Option<String> {
        self.world.source(kind).failed.filter(|_| self.world.all(kind).next().is_none())
    }

    fn deployment(&self, slot: Slot) -> Option<&'a Value> {
        self.world.get(ResourceKind::Deployment, &self.plan.component.pair(slot).deployment)
    }

    /// Returns the age of the oldest transaction seen on the slot that serves, in seconds; `None` = none, or not known.
    fn longest(&self) -> Option<f64> {
        self.evidence.coverage().longest(self.active?).filter(|longest| *longest > 0.0)
    }

    /// Returns the age beyond which a sample is too old, in milliseconds.
    fn stale_after(&self) -> i64 {
        self.evidence.stale_after().map_or(OLD_SAMPLE, |span| i64::try_from(span.0.as_millis()).unwrap_or(i64::MAX))
    }

    /// Returns when the gateways of the base route cut a request of a rule that sets no limit.
    fn unsaid_limit(&self) -> Option<Span> {
        let parents = self.base?["status"]["parents"].as_array()?;
        parents.iter().filter_map(|parent| provider(parent["controllerName"].as_str()?).request_limit).min()
    }
}

/// Writes seconds for a sentence.
fn seconds(seconds: f64) -> String {
    Span::seconds(seconds as u64).to_string()
}

/// Returns the live plan; outside a release that is the one in force, which is read already.
fn plan_of(state: &State) -> Result<Cow<'_, Plan>, Vec<Finding>> {
    if let Some(plan) = state.live_plan() {
        return Ok(Cow::Borrowed(plan));
    }
    let name = state.plan_name().ok_or_else(|| vec![no_plan(state)])?;
    state.world.plan(&state.setup.namespace, &name).map(Cow::Owned)
}

/// Finds everything that does not depend on the version.
fn standing(state: &State, now: Timestamp, plan: &Plan, shape: &mut Shape) -> Vec<Finding> {
    let world = &state.world;
    let base = world.get(ResourceKind::HTTPRoute, &plan.component.route);
    let looked = Looked {
        world,
        evidence: &state.evidence,
        plan,
        base,
        active: base.and_then(|base| active_slot(base, &plan.component).ok()),
        survey: survey::request(state).and_then(|request| state.surveys.of(&request)),
        at: state.server_now(now),
    };
    shape_of(state, &looked, shape);
    let mut findings = shape.findings.clone();
    findings.extend(plans::findings(&looked));
    findings.extend(slots::findings(&looked));
    findings.extend(routes::limits(&looked, looked.unsaid_limit()));
    findings.extend(routes::keepers(&looked));
    findings.extend(scaling::autoscalers(&looked));
    findings.extend(scaling::scaled_objects(&looked));
    findings.extend(scaling::budgets(&looked));
    findings.extend(super::gateway::findings(state, plan));
    findings.extend(metrics::findings(&looked, &shape.listed));
    findings.extend(rights(state));
    findings
}

/// Computes the shape again where it has changed.
fn shape_of(state: &State, looked: &Looked<'_>, shape: &mut Shape) {
    let kinds = [ResourceKind::RolloutPlan, ResourceKind::HTTPRoute, ResourceKind::ConfigMap];
    let from: Vec<u64> = kinds.into_iter().map(|kind| state.world.revision(kind)).collect();
    // Before the first object of these kinds has come, everything is still missing.
    if shape.from == from && from.iter().any(|revision| *revision > 0) {
        return;
    }
    let mut findings = routes::findings(looked);
    let members = membership(looked.world, looked.plan).unwrap_or_else(|found| {
        findings.extend(found);
        Membership { waves: Vec::new() }
    });
    if !members.waves.is_empty() {
        findings.extend(routes::layout(looked, &members));
        let spec = looked.world.get(ResourceKind::RolloutPlan, &looked.plan.name).map(|object| &object["spec"]);
        findings.extend(spec.and_then(|spec| size::findings(looked.plan, spec, &members)));
    }
    let listed = members.waves.into_iter().flat_map(|wave| wave.customers).collect();
    *shape = Shape { from, findings, listed };
}

/// Names what a release has to write and the API server does not allow us.
fn rights(state: &State) -> Vec<Finding> {
    let said = |allowed: Option<bool>| -> Vec<String> {
        state.rights.answers().iter().filter(|(_, yes)| *yes == allowed).map(|(right, _)| right.to_string()).collect()
    };
    let mut findings = Vec::new();
    let denied = said(Some(false));
    if let Some(first) = denied.first() {
        findings.push(Finding::refuse(
            "rights.missing",
            format!(
                "you may not {}, and a release needs it: ask for the role pilothouse-operator (pilothouse manifests --plan FILE prints it); kubectl auth can-i {first} -n {} checks it",
                denied.join(", "),
                state.setup.namespace
            ),
        ));
    }
    let unknown = said(None);
    if !unknown.is_empty() {
        findings.push(Finding::note(
            "rights.unknown",
            format!("whether you may {} is not known: the API server did not say", unknown.join(", ")),
        ));
    }
    findings
}

/// Numbers that change whenever something changes that findings come from.
fn sources(state: &State) -> Vec<u64> {
    let number = |at: Timestamp| u64::try_from(at.as_millisecond()).unwrap_or(0);
    let mut numbers: Vec<u64> = ResourceKind::ALL
        .into_iter()
        .filter(|kind| *kind != ResourceKind::Lease)
        .map(|kind| state.world.revision(kind))
        .collect();
    numbers.push(state.evidence.coverage().rounds());
    numbers.push(state.surveys.last().map_or(0, |(at, _)| number(at)));
    numbers.push(state.rights.rounds());
    numbers.push(u64::from(state.world.source(ResourceKind::HorizontalPodAutoscaler).failed.is_some()));
    numbers
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings
        .sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.check.cmp(&b.check)).then_with(|| a.text.cmp(&b.text)));
    findings.dedup();
    findings
}

fn lock(world: &World, plan: &Plan, request: Option<&StartRequest>, findings: &mut Vec<Finding>) {
    let Some(active) = world.active_release(&plan.name) else { return };
    if request.and_then(|request| request.release.as_ref()) == Some(&active) {
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
