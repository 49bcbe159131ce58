//! Settling: find out what became of an intent whose writes have no definitive answer, ours or a dead console's.
//!
//! Every target is touched first, so that nothing of the intent can land afterwards; what the object was before the touch
//! says whether the write had landed. A touch never adopts: a fence that is neither the recorded one nor the next is drift.

use super::cas::release_status;
use super::close::{Landed, close};
use super::touch::{Authority, TouchEdit, Toucher};
use super::{CasTask, Flow, Task};
use crate::api::{Act, Blocked, BlockedKind, Intent, Target, Unresolved};
use crate::core::record::{Entry, HoldTest, fence_key, in_words, write_down};
use crate::core::{Effect, Found, OpId, ReadFailure, State};
use crate::model::{Direction, Outcome, Phase, ResourceKind, Side, Timestamp, annotation};
use crate::routing::{fence_of, owned_hash};
use serde_json::Value;
use std::collections::BTreeMap;

/// Settles one intent.
#[derive(Clone, Debug)]
pub struct SettleTask {
    intent: Intent,
    why: String,
    toucher: Toucher,
    /// Routes whose undo goes back to live in a second round, after the scale-down is fenced off.
    then: Vec<Unresolved>,
    seen: BTreeMap<String, (Landed, Option<u64>)>,
}

impl SettleTask {
    /// Begins to settle the intent that the release records; `why` says why it is open.
    pub fn begin(state: &mut State, now: Timestamp, why: String, effects: &mut Vec<Effect>) -> Option<Self> {
        let scope = state.scope()?;
        let intent = scope.status().intent.clone()?;
        let targets = scope.status().unresolved.clone();
        // A retire is undone only when its scale-down can no longer land: the Deployment is touched first.
        let (first, then): (Vec<Unresolved>, Vec<Unresolved>) = if intent.act == Act::Retire {
            targets.into_iter().partition(|t| t.kind == ResourceKind::Deployment)
        } else {
            (targets, Vec::new())
        };
        let mut task = Self { intent, why, toucher: Toucher::new(first), then, seen: BTreeMap::new() };
        task.toucher.go(state, now, effects);
        Some(task)
    }

    /// Says what is settled.
    pub fn progress(&self) -> String {
        format!("finding out what became of \"{}\": {}", in_words(&self.intent), self.toucher.waiting())
    }

    /// Takes in an outcome.
    pub fn on_wrote(
        mut self,
        state: &mut State,
        now: Timestamp,
        id: OpId,
        outcome: Outcome,
        effects: &mut Vec<Effect>,
    ) -> Flow {
        self.toucher.on_wrote(state, now, id, outcome, effects);
        self.go_on(state, now, effects)
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
        self.toucher.on_read(state, now, id, result, effects);
        self.go_on(state, now, effects)
    }

    /// Tries again what has waited long enough, and begins what needs no answer.
    pub fn on_time(mut self, state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) -> Flow {
        self.toucher.go(state, now, effects);
        self.go_on(state, now, effects)
    }

    fn go_on(mut self, state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) -> Flow {
        if !self.toucher.is_done() {
            return Flow::Wait(Task::Settle(Box::new(self)));
        }
        self.judge();
        if !self.then.is_empty() {
            let then = std::mem::take(&mut self.then);
            self.toucher = self.marks(state, then);
            self.toucher.go(state, now, effects);
            return Flow::Wait(Task::Settle(Box::new(self)));
        }
        self.finish(state, now, effects)
    }

    /// Makes the second round of a retire: when its scale-down has not landed, the undo marks go back to live.
    fn marks(&self, state: &State, then: Vec<Unresolved>) -> Toucher {
        let names: Vec<String> = then.iter().map(|t| t.name.clone()).collect();
        let toucher = Toucher::new(then);
        let scaled_down = self.intent.targets.iter().any(|target| {
            target.kind == ResourceKind::Deployment
                && self.seen.get(&fence_key(target.kind, &target.name)).is_some_and(|(l, _)| *l == Landed::Yes)
        });
        let Some(scope) = state.scope() else { return toucher };
        let Some(undo) = super::compose::live_undo(&scope) else { return toucher };
        let leaves_old = scope.status().phase == Phase::RetiringOld;
        if scaled_down || !leaves_old || scope.deployment(Side::Old).is_none_or(|d| d.replicas == 0) {
            return toucher;
        }
        let epoch = scope.status().driver.as_ref().map_or(0, |driver| driver.epoch);
        let authority = Authority { release: scope.release.name.clone(), epoch };
        let edit = TouchEdit::Undo(undo);
        names.iter().fold(toucher, |toucher, name| toucher.with_edit(name, &edit, &authority))
    }

    /// Decides for every touched object whether the intent's write had landed.
    fn judge(&mut self) {
        for item in self.toucher.items() {
            let key = fence_key(item.target.kind, &item.target.name);
            let Some(target) =
                self.intent.targets.iter().find(|t| t.kind == item.target.kind && t.name == item.target.name)
            else {
                continue;
            };
            let landed = match &item.before {
                None if self.intent.act == Act::Clean => Landed::Yes,
                None => Landed::No,
                Some(before) => judge(self.intent.act, target, before),
            };
            self.seen.insert(key, (landed, item.after.as_ref().and_then(fence_of)));
        }
    }

    fn finish(self, state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) -> Flow {
        let at = state.server_now(now);
        let by = state.who();
        let Some(scope) = state.scope() else { return Flow::Over };
        if scope.status().intent.as_ref().is_none_or(|intent| intent.id != self.intent.id) {
            return Flow::Over;
        }
        let held = scope.release.spec.hold.is_some();
        let mut status = scope.status().clone();
        let all = self.seen.values().all(|(landed, _)| *landed == Landed::Yes);
        let drifted: Vec<&str> =
            self.seen.iter().filter(|(_, (landed, _))| *landed == Landed::Drift).map(|(key, _)| key.as_str()).collect();
        for (key, (landed, fence)) in &self.seen {
            if *landed != Landed::Drift
                && let Some(fence) = fence
            {
                status.fences.insert(key.clone(), *fence);
            }
        }
        // A hold touches what is on its way; its own bump is no stranger's. A resume takes the objects as they are.
        if !drifted.is_empty() && !held && self.intent.direction == Direction::Forward {
            status.blocked = Some(Blocked {
                kind: BlockedKind::Drifted,
                what: format!("somebody wrote {} while it was being changed", drifted.join(", ")),
                by: by.clone(),
                since: at,
            });
        }
        let result = self.describe(all, &drifted);
        close(&scope, &mut status, &self.intent, all, at);
        write_down(
            &mut status,
            at,
            Entry {
                by,
                intent: self.intent.id.clone(),
                act: "settle".into(),
                what: in_words(&self.intent),
                why: self.why.clone(),
                result,
                ..Entry::default()
            },
        );
        let (target, verb) = release_status(&scope, &status, &HoldTest::Any);
        Flow::Wait(Task::Cas(CasTask::begin(state, effects, Direction::Backward, target, verb)))
    }

    fn describe(&self, all: bool, drifted: &[&str]) -> String {
        if all {
            return "it had been applied".into();
        }
        let landed = self.seen.values().filter(|(landed, _)| *landed == Landed::Yes).count();
        let mut text = format!("{landed} of {} writes had been applied", self.seen.len());
        if !drifted.is_empty() {
            text.push_str(&format!("; written by somebody else: {}", drifted.join(", ")));
        }
        text
    }
}

/// Says whether the write of `target` had landed when the object was as given.
fn judge(act: Act, target: &Target, before: &Value) -> Landed {
    let same = owned_hash(target.kind, before) == target.after;
    if act == Act::Install {
        // POST needs no fence: the object is ours if it says so and holds what we sent.
        return if same && annotation(before, crate::routing::RELEASE).is_some() { Landed::Yes } else { Landed::Drift };
    }
    match (target.fence, fence_of(before)) {
        (recorded, found) if recorded == found => Landed::No,
        (recorded, Some(found)) if found == recorded.unwrap_or(0) + 1 && same => Landed::Yes,
        _ => Landed::Drift,
    }
}
