//! Settling: find out what became of an intent whose writes have no definitive answer, ours or a dead console's.
//!
//! Every target is touched first, so that nothing of the intent can land afterwards; what the object was before the touch
//! says whether the write had landed. A touch never adopts: a fence that is neither the recorded one nor the next is drift.
//!
//! An object that cannot be touched, because it may not be written or does not answer, is waited for only so long. A way
//! back never stands behind it: it goes on, and the object stays unresolved. Anything else stops, and says what is in the
//! way.

use super::cas::release_status;
use super::close::{Landed, close};
use super::touch::{Authority, TouchEdit, Toucher, reference};
use super::{CasTask, Flow, Task};
use crate::api::{Act, Blocked, BlockedKind, Intent, Target, Unresolved};
use crate::core::record::{Entry, HoldTest, fence_key, in_words, write_down};
use crate::core::{Effect, Found, OpId, ReadFailure, State, Tone};
use crate::model::{Direction, Outcome, Phase, ResourceKind, ResourceRef, Side, Timestamp, annotation};
use crate::routing::{fence_of, owned_hash};
use serde_json::Value;
use std::collections::BTreeMap;

/// How long a way back waits for an object that cannot be touched.
const BACK_PATIENCE: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);
/// How long anything else does, before it says so and stops.
const PATIENCE: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);
/// How long after its expiry a write may still be on its way, as far as a way back waits for it.
const IN_FLIGHT: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);

/// What a console knows without a touch.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Objects whose write the server has refused: nothing of this intent is on its way to them.
    pub refused: Vec<ResourceRef>,
    /// What could not be touched before this intent.
    pub left: Vec<Unresolved>,
}

/// Settles one intent.
#[derive(Clone, Debug)]
pub struct SettleTask {
    intent: Intent,
    why: String,
    toucher: Toucher,
    /// Routes whose undo goes back to live in a second round, after the scale-down is fenced off.
    then: Vec<Unresolved>,
    seen: BTreeMap<String, (Landed, Option<u64>)>,
    begun: Timestamp,
    /// What could not be touched, and why.
    left: Vec<(Unresolved, String)>,
}

impl SettleTask {
    /// Begins to settle the intent that the release records; `why` says why it is open.
    pub fn begin(
        state: &mut State,
        now: Timestamp,
        why: String,
        known: &Known,
        effects: &mut Vec<Effect>,
    ) -> Option<Self> {
        let scope = state.scope()?;
        let intent = scope.status().intent.clone()?;
        let is_refused = |target: &Unresolved| known.refused.contains(&reference(target));
        let (refused, targets): (Vec<_>, Vec<_>) = scope.status().unresolved.iter().cloned().partition(is_refused);
        let seen = refused.iter().map(|t| (fence_key(t.kind, &t.name), (Landed::No, None))).collect();
        let left = refused.into_iter().filter(|target| known.left.contains(target));
        let left = left.map(|target| (target, "(it may not be written)".to_owned())).collect();
        // A retire is undone only when its scale-down can no longer land: the Deployment is touched first.
        let (first, then): (Vec<Unresolved>, Vec<Unresolved>) = if intent.act == Act::Retire {
            targets.into_iter().partition(|t| t.kind == ResourceKind::Deployment)
        } else {
            (targets, Vec::new())
        };
        let mut task = Self { intent, why, toucher: Toucher::new(first), then, seen, begun: now, left };
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
            let waits_until = self.waits_until(state);
            if now < waits_until {
                return Flow::Wait(Task::Settle(Box::new(self)));
            }
            if !self.is_back(state) {
                return Flow::Stopped(format!(
                    "what became of \"{}\" is not known: {} cannot be touched; nothing goes forward before that, hold and roll back work",
                    in_words(&self.intent),
                    self.toucher.waiting()
                ));
            }
            self.left.extend(self.toucher.give_up());
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

    /// Tells whether a way back waits for this: it stands behind nothing.
    fn is_back(&self, state: &State) -> bool {
        self.intent.direction == Direction::Backward || crate::core::order::is_rollback(state)
    }

    /// Returns until when objects that cannot be touched are waited for, on the console's clock.
    fn waits_until(&self, state: &State) -> Timestamp {
        if !self.is_back(state) {
            return self.begun + PATIENCE;
        }
        let patience = self.begun + BACK_PATIENCE;
        let leaves_old = state.scope().is_some_and(|scope| scope.status().phase == Phase::RetiringOld);
        let shrinks = leaves_old && self.toucher.items().iter().any(|i| i.target.kind == ResourceKind::Deployment);
        // Nobody is sent to the old version while the write that scales it down may still land.
        let skew = state.server_now(self.begun).duration_since(self.begun);
        let landed = self.intent.not_after.map(|end| end + IN_FLIGHT - skew);
        landed.filter(|_| shrinks).map_or(patience, |landed| landed.max(patience))
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
        if scaled_down
            || !self.left.is_empty()
            || !leaves_old
            || scope.deployment(Side::Old).is_none_or(|d| d.replicas == 0)
        {
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
        let all = self.left.is_empty() && self.seen.values().all(|(landed, _)| *landed == Landed::Yes);
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
        status.unresolved = self.left.iter().map(|(target, _)| target.clone()).collect();
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
        if let Some(left) = self.untouched() {
            state.notice(now, Tone::Bad, format!("the way back goes on without having touched {left}"));
        }
        Flow::Wait(Task::Cas(CasTask::begin(state, effects, Direction::Backward, target, verb)))
    }

    /// Names what could not be touched.
    fn untouched(&self) -> Option<String> {
        let named = self.left.iter().map(|(t, why)| format!("{} {why}", reference(t)).trim_end().to_owned());
        let named: Vec<String> = named.collect();
        (!named.is_empty()).then(|| named.join(", "))
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
        if let Some(left) = self.untouched() {
            text.push_str(&format!("; not known of {left}"));
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
