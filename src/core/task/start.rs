//! Starting a release: check on fresh reads, record it, lock the plan, freeze.

use super::{CasTask, Flow, Task, ask, learn, release_with, send};
use crate::api::{Driver, GROUP, ReleaseStatus, WaveRecord};
use crate::core::freeze::{StartRequest, free_name, freeze};
use crate::core::preflight::preflight;
use crate::core::record::{Entry, HoldTest, enter, write_down};
use crate::core::{Effect, Found, OpId, Read, ReadFailure, State, Verb};
use crate::model::{
    CustomerSource, Direction, Level, Outcome, Phase, Refusal, ResourceKind, ResourceRef, Slot, Timestamp, counted,
    resource_version,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A start under way.
#[derive(Clone, Debug)]
pub struct StartTask {
    request: StartRequest,
    name: String,
    by: String,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    Reading(BTreeMap<OpId, Read>),
    Creating(OpId),
    Locking(OpId),
}

impl StartTask {
    /// Begins with quorum reads of everything the preflight looks at.
    pub fn begin(state: &mut State, request: StartRequest, by: String, effects: &mut Vec<Effect>) -> Option<Self> {
        let plan_name = state.plan_name()?;
        let plan = state.world.plan(&state.setup.namespace, &plan_name).ok()?;
        let name = request.release.clone().unwrap_or_else(|| free_name(&state.world, &plan_name, &request.version));
        let get = |kind: ResourceKind, name: &str| Read::Get(ResourceRef::new(kind, name));
        let list = |kind: ResourceKind| Read::List { kind, selector: String::new() };
        let mut reads = vec![
            get(ResourceKind::RolloutPlan, &plan_name),
            list(ResourceKind::HTTPRoute),
            list(ResourceKind::HorizontalPodAutoscaler),
        ];
        for slot in Slot::ALL {
            reads.push(get(ResourceKind::Deployment, &plan.component.pair(slot).deployment));
            reads.push(get(ResourceKind::Service, &plan.component.pair(slot).service));
        }
        if let CustomerSource::ConfigMap(name) = &plan.customers {
            reads.push(get(ResourceKind::ConfigMap, name));
        }
        if request.release.is_some() {
            reads.push(get(ResourceKind::Release, &name));
        }
        let waiting = reads.into_iter().map(|read| (ask(state, effects, read.clone()), read)).collect();
        Some(Self { request, name, by, stage: Stage::Reading(waiting) })
    }

    /// Says how far it is.
    pub fn progress(&self) -> String {
        match &self.stage {
            Stage::Reading(_) => "checking the cluster before the start".into(),
            Stage::Creating(_) => format!("recording Release {}", self.name),
            Stage::Locking(_) => "locking the plan".into(),
        }
    }

    /// Takes in a read.
    pub fn on_read(
        mut self: Box<Self>,
        state: &mut State,
        now: Timestamp,
        id: OpId,
        result: Result<Found, ReadFailure>,
        effects: &mut Vec<Effect>,
    ) -> Flow {
        let Stage::Reading(waiting) = &mut self.stage else { return Flow::Wait(Task::Start(self)) };
        let Some(read) = waiting.remove(&id) else { return Flow::Wait(Task::Start(self)) };
        match result {
            Ok(found) => learn(state, &read, found),
            Err(failure) => {
                let what = match &read {
                    Read::Get(target) => target.to_string(),
                    Read::List { kind, .. } => format!("{}s", kind.name()),
                };
                // What may not be listed is checked from what the watches know; what must be read stops the start.
                if !matches!(read, Read::List { .. }) || !failure.forbidden {
                    return Flow::Stopped(format!("{what} cannot be read: {}", failure.why));
                }
            }
        }
        if !waiting.is_empty() {
            return Flow::Wait(Task::Start(self));
        }
        self.check(state, now, effects)
    }

    /// Takes in an outcome.
    pub fn on_wrote(
        mut self: Box<Self>,
        state: &mut State,
        now: Timestamp,
        id: OpId,
        outcome: Outcome,
        effects: &mut Vec<Effect>,
    ) -> Flow {
        let (kind, name) = match &self.stage {
            Stage::Creating(op) if *op == id => (ResourceKind::Release, self.name.clone()),
            Stage::Locking(op) if *op == id => (ResourceKind::RolloutPlan, state.plan_name().unwrap_or_default()),
            _ => return Flow::Wait(Task::Start(self)),
        };
        let target = ResourceRef::new(kind, name);
        match outcome {
            Outcome::Applied(object) => {
                state.world.learn(kind, &object);
                if matches!(self.stage, Stage::Creating(_)) {
                    return self.lock(state, effects);
                }
                if object["status"]["activeRelease"].as_str() != Some(self.name.as_str()) {
                    return Flow::Stopped(format!("{target} did not store the lock"));
                }
                self.freeze(state, now, effects)
            }
            Outcome::NotApplied(rejection) => {
                if kind == ResourceKind::RolloutPlan && rejection.is_precondition() {
                    return Flow::Stopped(format!(
                        "somebody changed the plan or started another release meanwhile: Release {} stays Proposed; look again, then start it",
                        self.name
                    ));
                }
                if kind == ResourceKind::Release && rejection.reason == "AlreadyExists" {
                    self.request.release = Some(self.name.clone());
                    return self.lock(state, effects);
                }
                Flow::Stopped(super::cas::refused(&target, &rejection))
            }
            Outcome::Unknown(why) => Flow::Stopped(format!(
                "the outcome of writing {target} is unknown ({why}): look at the release list, then start again"
            )),
        }
    }

    fn check(mut self: Box<Self>, state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) -> Flow {
        let findings = preflight(state, now, Some(&self.request));
        let refused: Vec<Refusal> = findings
            .iter()
            .filter(|f| f.level == Level::Refuse)
            .map(|f| Refusal::new(&f.check, f.text.clone()))
            .collect();
        state.found = Some((self.name.clone(), findings));
        if !refused.is_empty() {
            crate::core::order::refuse(state, refused);
            return Flow::Over;
        }
        if self.request.release.is_some() {
            return self.lock(state, effects);
        }
        let target = ResourceRef::new(ResourceKind::Release, &self.name);
        let object = release_object(state, &self);
        let op = send(state, effects, Direction::Forward, &target, Verb::Create(object), false);
        self.stage = Stage::Creating(op);
        Flow::Wait(Task::Start(self))
    }

    fn lock(mut self: Box<Self>, state: &mut State, effects: &mut Vec<Effect>) -> Flow {
        let Some(plan_name) = state.plan_name() else { return Flow::Over };
        let Some(plan) = state.world.get(ResourceKind::RolloutPlan, &plan_name) else { return Flow::Over };
        if state.leaving {
            return Flow::Stopped("the console was left".into());
        }
        // Names of releases are made of plan and version, so two plans can come to the same one.
        if let Some(release) = state.world.release(&self.name).filter(|release| release.spec.plan != plan_name) {
            let plan = &release.spec.plan;
            return Flow::Stopped(format!(
                "Release {} belongs to RolloutPlan {plan}: name a release of {plan_name}",
                self.name
            ));
        }
        if let Some(other) = state.world.active_release(&plan_name).filter(|active| *active != self.name)
            && state.world.release(&other).is_some_and(|release| !release.phase().is_final())
        {
            return Flow::Stopped(format!(
                "release {other} was started meanwhile: Release {} stays Proposed",
                self.name
            ));
        }
        let mut status = plan["status"].as_object().cloned().unwrap_or_default();
        status.insert("activeRelease".into(), json!(self.name));
        let ops = vec![
            json!({ "op": "test", "path": "/metadata/resourceVersion", "value": resource_version(plan) }),
            json!({ "op": "add", "path": "/status", "value": status }),
        ];
        let target = ResourceRef::new(ResourceKind::RolloutPlan, &plan_name);
        let op = send(state, effects, Direction::Forward, &target, Verb::PatchStatus(ops), false);
        self.stage = Stage::Locking(op);
        Flow::Wait(Task::Start(self))
    }

    fn freeze(self, state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) -> Flow {
        let at = state.server_now(now);
        let placeholder = state.ids.hex16();
        let driver = Driver { who: state.who(), session: state.session_name(), epoch: 1 };
        let Some(release) = state.world.release(&self.name).cloned() else {
            return Flow::Stopped(format!("Release {} is gone", self.name));
        };
        if release.status.frozen.is_some() || release.phase() != Phase::Proposed {
            let who = release.status.driver.as_ref().map_or("somebody", |driver| driver.who.as_str());
            return Flow::Stopped(format!("Release {} was started by {who} meanwhile", self.name));
        }
        let plan = match state.world.plan(&state.setup.namespace, &release.spec.plan) {
            Ok(plan) => plan,
            Err(findings) => {
                crate::core::order::refuse(
                    state,
                    findings.into_iter().map(|f| Refusal::new(&f.check, f.text)).collect(),
                );
                return Flow::Over;
            }
        };
        let frozen = match freeze(&state.world, &plan, &self.request, placeholder) {
            Ok(frozen) => frozen,
            Err(findings) => {
                crate::core::order::refuse(
                    state,
                    findings.into_iter().map(|f| Refusal::new(&f.check, f.text)).collect(),
                );
                return Flow::Over;
            }
        };
        let mut status = ReleaseStatus {
            waves: frozen.waves.iter().map(|_| WaveRecord::default()).collect(),
            driver: Some(driver),
            started: Some(at),
            ..release.status.clone()
        };
        enter(&mut status, at, Phase::Preparing);
        write_down(
            &mut status,
            at,
            Entry {
                by: self.by.clone(),
                act: "start".into(),
                what: format!("start release {} of version {}", self.name, frozen.new.version),
                evidence: format!(
                    "old {} in slot {}, {}, plan {}",
                    frozen.old.version,
                    frozen.old.slot,
                    counted(frozen.waves.len(), "wave"),
                    frozen.hash.get(..12).unwrap_or(&frozen.hash)
                ),
                ..Entry::default()
            },
        );
        status.frozen = Some(frozen);
        let (target, verb) = release_with(&state.world, &release, &status, &HoldTest::Exactly(None));
        Flow::Wait(Task::Cas(CasTask::begin(state, effects, Direction::Forward, target, verb)))
    }
}

fn release_object(state: &State, task: &StartTask) -> Value {
    let request = &task.request;
    let mut spec = json!({
        "plan": state.plan_name(),
        "version": request.version,
        "requestedBy": state.who(),
    });
    if let Some(image) = &request.image {
        spec["image"] = json!(image);
    }
    if let Some(commit) = &request.commit {
        spec["commit"] = json!(commit);
    }
    json!({
        "apiVersion": format!("{GROUP}/v1alpha1"),
        "kind": "Release",
        "metadata": { "name": task.name, "namespace": state.setup.namespace },
        "spec": spec,
    })
}
