//! Resume: a person has looked. The objects are taken as they are, what blocked is cleared, the hold is lifted.

use super::cas::release_status;
use super::{CasTask, Flow, Task, ask};
use crate::core::record::{Entry, HoldTest, fence_key, write_down};
use crate::core::{Effect, Found, OpId, Read, ReadFailure, State, Verb};
use crate::model::{Direction, Outcome, ResourceKind, ResourceRef, Side, Timestamp};
use crate::routing::fence_of;
use serde_json::json;
use std::collections::BTreeMap;

/// A resume under way: quorum reads, then the status, then the hold.
#[derive(Clone, Debug)]
pub struct ResumeTask {
    by: String,
    waiting: BTreeMap<OpId, ResourceRef>,
    fences: BTreeMap<String, u64>,
    missing: Vec<String>,
    writing: Option<OpId>,
}

impl ResumeTask {
    /// Begins with quorum reads of everything the release writes.
    pub fn begin(state: &mut State, by: String, effects: &mut Vec<Effect>) -> Option<Self> {
        let scope = state.scope()?;
        let component = scope.component();
        let mut targets: Vec<ResourceRef> = scope
            .status()
            .routes
            .iter()
            .filter(|record| !record.uid.is_empty())
            .map(|record| ResourceRef::new(ResourceKind::HTTPRoute, &record.name))
            .collect();
        targets.extend(
            [Side::Old, Side::New]
                .map(|side| ResourceRef::new(ResourceKind::Deployment, &component.pair(scope.slot(side)).deployment)),
        );
        targets.push(ResourceRef::new(ResourceKind::HTTPRoute, &component.route));
        let waiting = targets.into_iter().map(|t| (ask(state, effects, Read::Get(t.clone())), t)).collect();
        Some(Self { by, waiting, fences: BTreeMap::new(), missing: Vec::new(), writing: None })
    }

    /// Takes in a read.
    pub fn on_read(
        mut self,
        state: &mut State,
        now: Timestamp,
        id: OpId,
        result: Result<Found, ReadFailure>,
        effects: &mut Vec<Effect>,
    ) -> Flow {
        let Some(target) = self.waiting.remove(&id) else { return Flow::Wait(Task::Resume(Box::new(self))) };
        match result {
            Ok(Found::One(object)) => {
                state.world.learn(target.kind, &object);
                if let Some(fence) = fence_of(&object) {
                    self.fences.insert(fence_key(target.kind, &target.name), fence);
                }
            }
            Ok(_) => {
                state.world.forget(&target);
                self.missing.push(fence_key(target.kind, &target.name));
            }
            Err(failure) => return Flow::Failed(format!("{target} cannot be read: {}", failure.why)),
        }
        if !self.waiting.is_empty() {
            return Flow::Wait(Task::Resume(Box::new(self)));
        }
        self.clear(state, now, effects)
    }

    /// Takes in the outcome of the status write; then the hold is lifted.
    pub fn on_wrote(
        self,
        state: &mut State,
        _now: Timestamp,
        id: OpId,
        outcome: Outcome,
        effects: &mut Vec<Effect>,
    ) -> Flow {
        if self.writing != Some(id) {
            return Flow::Wait(Task::Resume(Box::new(self)));
        }
        let Some(name) = state.active_name() else { return Flow::Over };
        let target = ResourceRef::new(ResourceKind::Release, &name);
        match outcome {
            Outcome::Applied(object) => {
                state.world.learn(target.kind, &object);
                if object["spec"]["hold"].is_null() {
                    return Flow::Over;
                }
                let ops = vec![
                    json!({ "op": "test", "path": "/metadata/resourceVersion",
                        "value": crate::model::resource_version(&object) }),
                    json!({ "op": "remove", "path": "/spec/hold" }),
                ];
                Flow::Wait(Task::Cas(CasTask::begin(state, effects, Direction::Forward, target, Verb::Patch(ops))))
            }
            Outcome::NotApplied(rejection) if !rejection.is_precondition() => {
                Flow::Stopped(super::cas::refused(&target, &rejection))
            }
            Outcome::NotApplied(_) | Outcome::Unknown(_) => {
                Flow::Wait(Task::Cas(CasTask::look(state, effects, target, "the Release was changed meanwhile")))
            }
        }
    }

    fn clear(mut self, state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) -> Flow {
        let at = state.server_now(now);
        let Some(scope) = state.scope() else { return Flow::Over };
        if let Some(mismatch) = crate::core::guard::mismatch(&scope) {
            return Flow::Stopped(mismatch.text);
        }
        let mut status = scope.status().clone();
        let cleared = status.blocked.take().map(|b| b.what).unwrap_or_default();
        let hold = scope.release.spec.hold.as_ref();
        let what = match hold {
            Some(hold) => format!("resume; it was held by {}: {}", hold.by, hold.reason),
            None => "resume".to_owned(),
        };
        // An object that this release has not written yet gets no fence here: only a write of ours makes one.
        for (key, fence) in &mut status.fences {
            if let Some(found) = self.fences.get(key) {
                *fence = *found;
            }
        }
        status.fences.retain(|key, _| !self.missing.contains(key));
        write_down(
            &mut status,
            at,
            Entry { by: self.by.clone(), act: "resume".into(), what, evidence: cleared, ..Entry::default() },
        );
        let (target, verb) = release_status(&scope, &status, &HoldTest::Any);
        self.writing = Some(super::send(state, effects, Direction::Forward, &target, verb, false));
        Flow::Wait(Task::Resume(Box::new(self)))
    }
}
