//! An intent: announced in the Release before anything is written, closed when every write has a definitive answer.

use super::cas::{refused, release_status};
use super::close::{announce, close};
use super::compose::{Compose, Fresh, Planned, Trouble, compose};
use super::settle::{Known, SettleTask};
use super::{CasTask, Flow, Task, ask, send};
use crate::api::{Act, Hold, Intent, Unresolved};
use crate::core::record::{Entry, HoldTest, fence_key, in_words, write_down};
use crate::core::scope::Scope;
use crate::core::{Effect, Found, OpId, Read, ReadFailure, State};
use crate::model::{CustomerId, Direction, Outcome, ResourceKind, ResourceRef, Side, Timestamp};
use crate::routing::fence_of;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How long after it was recorded a forward intent may still be sent, in server time.
const EXPIRY: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// The pause after the server has refused a write of a rollback.
const FORBIDDEN_PAUSE: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

/// What is to be done, as the planner orders it.
#[derive(Clone, Debug)]
pub struct Order {
    /// The act.
    pub act: Act,
    /// The wave, counted from 1; 0 for none.
    pub wave: u32,
    /// Whether a hold stops it.
    pub direction: Direction,
    /// Which hold it goes under.
    pub hold: HoldTest,
    /// The hold a rollback found.
    pub hold_found: Option<Hold>,
    /// Who confirmed it.
    pub by: String,
    /// Why, where a reason was given.
    pub reason: String,
    /// What was known when it was decided.
    pub evidence: String,
    /// Whom a retire without a drain proof cuts; `None` = it has its proof.
    pub forced: Option<Forced>,
}

/// Whom a retire without a drain proof cuts.
#[derive(Clone, Debug, PartialEq)]
pub struct Forced {
    /// The customers that are known to have open work.
    pub on: Vec<CustomerId>,
    /// Whether all that is open is known to be theirs.
    pub is_all: bool,
}

/// An intent under way.
#[derive(Clone, Debug)]
pub struct IntentTask {
    order: Order,
    release: String,
    fresh: Fresh,
    plan: Compose,
    intent: Option<Intent>,
    /// What was unresolved before: a refusal of our write says nothing of those before it.
    left: Vec<Unresolved>,
    group: usize,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Quorum reads; the base comes last (CONTRACTS 4).
    Reading {
        waiting: BTreeMap<OpId, ResourceRef>,
        then: Vec<ResourceRef>,
    },
    /// The server validates the writes and stores nothing.
    Trying(BTreeSet<OpId>),
    Recording(OpId),
    Writing {
        waiting: BTreeMap<OpId, ResourceRef>,
        trouble: Option<String>,
        /// What the server has refused to let this console write.
        refused: Vec<ResourceRef>,
    },
}

impl IntentTask {
    /// Begins with the quorum reads.
    pub fn begin(state: &mut State, order: Order, effects: &mut Vec<Effect>) -> Option<Self> {
        let scope = state.scope()?;
        let release = scope.release.name.clone();
        let (first, then) = objects(&scope, order.act);
        let mut task = Self {
            order,
            release,
            fresh: Fresh::new(),
            plan: Compose::default(),
            intent: None,
            left: Vec::new(),
            group: 0,
            stage: Stage::Reading { waiting: BTreeMap::new(), then: Vec::new() },
        };
        if first.is_empty() {
            task.read(state, then, Vec::new(), effects);
        } else {
            task.read(state, first, then, effects);
        }
        Some(task)
    }

    /// Says how far it is.
    pub fn progress(&self) -> String {
        let what = self.intent.as_ref().map_or_else(|| format!("{:?}", self.order.act).to_lowercase(), in_words);
        match &self.stage {
            Stage::Reading { .. } => format!("{what}: reading the routes"),
            Stage::Trying(_) => format!("{what}: asking the API server for a dry run"),
            Stage::Recording(_) => format!("{what}: recording the intent"),
            Stage::Writing { waiting, .. } => {
                let names: Vec<&str> = waiting.values().map(|t| t.name.as_str()).collect();
                format!("{what}: writing {}", names.join(", "))
            }
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
        let Stage::Reading { waiting, then } = &mut self.stage else { return Flow::Wait(Task::Intent(self)) };
        let Some(target) = waiting.remove(&id) else { return Flow::Wait(Task::Intent(self)) };
        match result {
            Ok(Found::One(object)) => {
                state.world.learn(target.kind, &object);
                self.fresh.insert(target, Some(object));
            }
            Ok(_) => {
                state.world.forget(&target);
                self.fresh.insert(target, None);
            }
            Err(failure) => return Flow::Failed(format!("{target} cannot be read: {}", failure.why)),
        }
        if !waiting.is_empty() {
            return Flow::Wait(Task::Intent(self));
        }
        let next = std::mem::take(then);
        if !next.is_empty() {
            self.read(state, next, Vec::new(), effects);
            return Flow::Wait(Task::Intent(self));
        }
        self.plan_it(state, now, effects)
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
        match &mut self.stage {
            Stage::Trying(waiting) if waiting.contains(&id) => {
                waiting.remove(&id);
                if let Outcome::NotApplied(rejection) = &outcome {
                    let why = format!("the API server would refuse it: {rejection}");
                    return if rejection.is_precondition() { Flow::Failed(why) } else { Flow::Stopped(why) };
                }
                if let Outcome::Unknown(why) = outcome {
                    return Flow::Failed(format!("the dry run has no answer: {why}"));
                }
                if waiting.is_empty() {
                    return self.record(state, now, effects);
                }
                Flow::Wait(Task::Intent(self))
            }
            Stage::Recording(op) if *op == id => self.recorded(state, now, outcome, effects),
            Stage::Writing { waiting, .. } if waiting.contains_key(&id) => self.wrote(state, now, id, outcome, effects),
            _ => Flow::Wait(Task::Intent(self)),
        }
    }

    fn read(
        &mut self,
        state: &mut State,
        targets: Vec<ResourceRef>,
        then: Vec<ResourceRef>,
        effects: &mut Vec<Effect>,
    ) {
        let waiting =
            targets.into_iter().map(|target| (ask(state, effects, Read::Get(target.clone())), target)).collect();
        self.stage = Stage::Reading { waiting, then };
    }

    fn plan_it(mut self: Box<Self>, state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) -> Flow {
        let Some(scope) = state.scope() else { return Flow::Over };
        match compose(&scope, &self.fresh, self.order.act, self.order.wave) {
            Ok(plan) => self.plan = plan,
            Err(Trouble::Drifted(what)) => return crate::core::order::block(state, now, &what, effects),
            Err(Trouble::Impossible(why)) => return Flow::Stopped(why),
        }
        // What was installed or removed meanwhile leaves nothing to write; the record still has to say so.
        if self.plan.groups.is_empty() && !matches!(self.order.act, Act::Install | Act::Disarm | Act::Clean) {
            return Flow::Failed("there is nothing left to write".into());
        }
        if self.stopped(state).is_some() {
            return Flow::Over;
        }
        if !matches!(self.order.act, Act::Arm | Act::Shift | Act::Promote) {
            return self.record(state, now, effects);
        }
        let direction = self.order.direction;
        let tries: Vec<Planned> = self.plan.groups.first().cloned().unwrap_or_default();
        let waiting = tries.into_iter().map(|p| send(state, effects, direction, &p.target, p.verb, true)).collect();
        self.stage = Stage::Trying(waiting);
        Flow::Wait(Task::Intent(self))
    }

    fn record(mut self: Box<Self>, state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) -> Flow {
        if self.stopped(state).is_some() {
            return Flow::Over;
        }
        let at = state.server_now(now);
        let id = state.ids.ulid(at);
        let Some(scope) = state.scope() else { return Flow::Over };
        let Some(driver) = &scope.status().driver else { return Flow::Over };
        // The hold that the beginning of a rollback finds is older than it; a later one stops its retire and clean.
        if self.order.act == Act::Rollback && !scope.status().phase.is_backward() {
            self.order.hold_found.clone_from(&scope.release.spec.hold);
        }
        let planned = || self.plan.groups.iter().flatten();
        let intent = Intent {
            id,
            epoch: driver.epoch,
            direction: self.order.direction,
            act: self.order.act,
            wave: self.order.wave,
            targets: planned().map(|p| p.record.clone()).collect(),
            not_after: (self.order.direction == Direction::Forward).then_some(at + EXPIRY),
            by: self.order.by.clone(),
            reason: self.order.reason.clone(),
            hold_found: self.order.hold_found.clone(),
        };
        let mut status = scope.status().clone();
        // What could not be touched before stays unresolved beside it.
        self.left.clone_from(&status.unresolved);
        status.unresolved.retain(|left| !planned().any(|p| p.target.kind == left.kind && p.target.name == left.name));
        status.unresolved.extend(planned().map(|p| Unresolved {
            kind: p.record.kind,
            name: p.target.name.clone(),
            uid: p.record.uid.clone(),
        }));
        announce(&scope, &mut status, &intent, &self.plan.routes, at);
        if let Some(forced) = &self.order.forced {
            let outcome = status.outcome.get_or_insert_default();
            outcome.forced_on.clone_from(&forced.on);
            outcome.forced_unknown = !forced.is_all;
        }
        write_down(
            &mut status,
            at,
            Entry {
                by: intent.by.clone(),
                intent: intent.id.clone(),
                act: format!("{:?}", intent.act).to_lowercase(),
                what: in_words(&intent),
                why: intent.reason.clone(),
                evidence: self.order.evidence.clone(),
                result: "begun".into(),
            },
        );
        status.intent = Some(intent.clone());
        let (target, verb) = release_status(&scope, &status, &self.order.hold);
        let op = send(state, effects, self.order.direction, &target, verb, false);
        self.intent = Some(intent);
        self.stage = Stage::Recording(op);
        Flow::Wait(Task::Intent(self))
    }

    fn recorded(
        mut self: Box<Self>,
        state: &mut State,
        now: Timestamp,
        outcome: Outcome,
        effects: &mut Vec<Effect>,
    ) -> Flow {
        let target = ResourceRef::new(ResourceKind::Release, &self.release);
        match outcome {
            Outcome::Applied(object) => {
                state.world.learn(target.kind, &object);
                let recorded = object["status"]["intent"]["id"].as_str() == self.intent.as_ref().map(|i| i.id.as_str());
                if !recorded {
                    return Flow::Failed("the API server did not store the intent".into());
                }
                if self.order.act == Act::Rollback {
                    crate::core::order::rollback_found(state, self.order.hold_found.clone());
                }
                self.group = 0;
                self.write(state, now, effects)
            }
            Outcome::NotApplied(rejection) if !rejection.is_precondition() => {
                Flow::Stopped(refused(&target, &rejection))
            }
            // Held, taken over or changed meanwhile; or unknown: then the record itself tells, and is settled if it is there.
            Outcome::NotApplied(_) | Outcome::Unknown(_) => {
                Flow::Wait(Task::Cas(CasTask::look(state, effects, target, "the Release was changed meanwhile")))
            }
        }
    }

    /// Says why this console sends no forward write now: it leaves, a person holds here, or a hold has come.
    fn stopped(&self, state: &State) -> Option<&'static str> {
        if self.order.direction == Direction::Backward {
            return None;
        }
        if state.leaving {
            return Some("the console was left");
        }
        if state.holding.is_some() || state.hold.as_ref().is_some_and(|hold| !hold.is_written()) {
            return Some("it is being held");
        }
        let live = &state.scope()?.release.spec.hold;
        matches!(&self.order.hold, HoldTest::Exactly(wanted) if wanted != live).then_some("it was held")
    }

    /// Sends the next group of writes.
    fn write(mut self: Box<Self>, state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) -> Flow {
        let expired = self.intent.as_ref().and_then(|i| i.not_after).is_some_and(|end| state.server_now(now) >= end);
        if expired {
            return settle(state, now, "it expired before it was sent", &Known::default(), effects);
        }
        if let Some(why) = self.stopped(state) {
            return settle(state, now, why, &Known::default(), effects);
        }
        let Some(group) = self.plan.groups.get(self.group).cloned() else {
            return self.close(state, now, effects);
        };
        let direction = self.order.direction;
        let waiting =
            group.into_iter().map(|p| (send(state, effects, direction, &p.target, p.verb, false), p.target)).collect();
        self.stage = Stage::Writing { waiting, trouble: None, refused: Vec::new() };
        Flow::Wait(Task::Intent(self))
    }

    fn wrote(
        mut self: Box<Self>,
        state: &mut State,
        now: Timestamp,
        id: OpId,
        outcome: Outcome,
        effects: &mut Vec<Effect>,
    ) -> Flow {
        let Stage::Writing { waiting, trouble, refused: forbidden } = &mut self.stage else {
            return Flow::Wait(Task::Intent(self));
        };
        let Some(target) = waiting.remove(&id) else { return Flow::Wait(Task::Intent(self)) };
        match outcome {
            Outcome::Applied(_) if self.order.act == Act::Clean => state.world.forget(&target),
            Outcome::Applied(object) => {
                state.world.learn(target.kind, &object);
                self.fresh.insert(target, Some(object));
            }
            Outcome::NotApplied(rejection)
                if matches!(self.order.act, Act::Clean | Act::Rollback) && rejection.code == 404 =>
            {
                state.world.forget(&target);
            }
            Outcome::NotApplied(rejection) => {
                *trouble = Some(refused(&target, &rejection));
                if !rejection.is_precondition() {
                    forbidden.push(target);
                }
            }
            Outcome::Unknown(why) => *trouble = Some(format!("the outcome of writing {target} is unknown: {why}")),
        }
        if !waiting.is_empty() {
            return Flow::Wait(Task::Intent(self));
        }
        let (trouble, forbidden) = (trouble.take(), std::mem::take(forbidden));
        if let Some(why) = trouble {
            // A rollback is never given up.
            if !forbidden.is_empty() && self.order.direction == Direction::Forward {
                state.notice(now, crate::core::Tone::Bad, why.clone());
                crate::core::order::give_up(state, &why);
            }
            if !forbidden.is_empty() {
                // It is tried again, but a right that is missing does not come in half a second.
                state.pause = Some(now + FORBIDDEN_PAUSE);
            }
            let known = Known { refused: forbidden, left: std::mem::take(&mut self.left) };
            return settle(state, now, &why, &known, effects);
        }
        self.group += 1;
        self.write(state, now, effects)
    }

    fn close(self: Box<Self>, state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) -> Flow {
        let at = state.server_now(now);
        let Some(scope) = state.scope() else { return Flow::Over };
        let Some(intent) = &self.intent else { return Flow::Over };
        let mut status = scope.status().clone();
        for planned in self.plan.groups.iter().flatten() {
            let object: Option<&Value> = self.fresh.get(&planned.target).and_then(Option::as_ref);
            let key = fence_key(planned.target.kind, &planned.target.name);
            match object.and_then(fence_of) {
                Some(_) if self.order.act == Act::Clean => {
                    status.fences.remove(&key);
                }
                Some(fence) => {
                    status.fences.insert(key, fence);
                }
                None => {}
            }
        }
        close(&scope, &mut status, intent, true, at);
        write_down(
            &mut status,
            at,
            Entry {
                by: intent.by.clone(),
                intent: intent.id.clone(),
                act: format!("{:?}", intent.act).to_lowercase(),
                what: in_words(intent),
                result: format!("applied {0} of {0}", intent.targets.len()),
                ..Entry::default()
            },
        );
        let (target, verb) = release_status(&scope, &status, &HoldTest::Any);
        crate::core::order::progressed(state);
        Flow::Wait(Task::Cas(CasTask::begin(state, effects, Direction::Backward, target, verb)))
    }
}

fn settle(state: &mut State, now: Timestamp, why: &str, known: &Known, effects: &mut Vec<Effect>) -> Flow {
    match SettleTask::begin(state, now, why.to_owned(), known, effects) {
        Some(task) => Flow::Wait(Task::Settle(Box::new(task))),
        None => Flow::Failed(why.to_owned()),
    }
}

/// Names the objects an act may write: managed routes and Deployments first, the base in a second round.
fn objects(scope: &Scope<'_>, act: Act) -> (Vec<ResourceRef>, Vec<ResourceRef>) {
    let component = scope.component();
    let route = |name: &str| ResourceRef::new(ResourceKind::HTTPRoute, name);
    let deployment =
        |side: Side| ResourceRef::new(ResourceKind::Deployment, &component.pair(scope.slot(side)).deployment);
    let managed = scope.status().routes.iter().map(|record| route(&record.name));
    let mut first: Vec<ResourceRef> = managed.collect();
    if matches!(act, Act::Prepare | Act::Retire | Act::Rollback) {
        first.extend([deployment(Side::Old), deployment(Side::New)]);
    }
    (first, vec![route(&component.route)])
}
