//! Cleanup: routes that an ended release has left behind are deleted, if they serve nobody.
//!
//! A POST that lands after its release is over leaves such a route, without anybody's fault. Each DELETE carries uid and
//! resourceVersion, so a route that somebody gives matches meanwhile stays; a console that dies in between leaves the
//! rest to the next one, which finds it by the same reads.

use super::cas::{refused, release_with};
use super::{Flow, Task, ask, learn, send};
use crate::core::leftover::{LeftOver, left_over};
use crate::core::record::{Entry, HoldTest, write_down};
use crate::core::{Effect, Found, OpId, Read, ReadFailure, State, Tone, Verb};
use crate::model::{Direction, Outcome, ResourceKind, ResourceRef, Timestamp, resource_version, uid_of};
use std::collections::BTreeMap;

/// A cleanup under way.
#[derive(Clone, Debug)]
pub struct CleanupTask {
    by: String,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Quorum reads of what decides: the plan's lock, every Release, every route.
    Reading(BTreeMap<OpId, Read>),
    /// The journal of the route's own release says what is about to be deleted, while there is one.
    Recording(OpId, LeftOver),
    Deleting(OpId, LeftOver),
}

impl CleanupTask {
    /// Begins with the quorum reads.
    pub fn begin(state: &mut State, by: String, effects: &mut Vec<Effect>) -> Option<Self> {
        let plan = ResourceRef::new(ResourceKind::RolloutPlan, state.plan_name()?);
        let list = |kind| Read::List { kind, selector: String::new() };
        let reads = [Read::Get(plan), list(ResourceKind::Release), list(ResourceKind::HTTPRoute)];
        let waiting = reads.into_iter().map(|read| (ask(state, effects, read.clone()), read)).collect();
        Some(Self { by, stage: Stage::Reading(waiting) })
    }

    /// Says how far it is.
    pub fn progress(&self) -> String {
        match &self.stage {
            Stage::Reading(_) => "looking for routes that are left over".into(),
            Stage::Recording(_, route) | Stage::Deleting(_, route) => format!("deleting HTTPRoute {}", route.name),
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
        let Stage::Reading(waiting) = &mut self.stage else { return Flow::Wait(Task::Cleanup(self)) };
        let Some(read) = waiting.remove(&id) else { return Flow::Wait(Task::Cleanup(self)) };
        match result {
            Ok(found) => learn(state, &read, found),
            Err(failure) => return Flow::Failed(format!("the cluster cannot be read: {}", failure.why)),
        }
        if !waiting.is_empty() {
            return Flow::Wait(Task::Cleanup(self));
        }
        self.next(state, now, effects)
    }

    /// Takes in an outcome.
    pub fn on_wrote(
        self: Box<Self>,
        state: &mut State,
        now: Timestamp,
        id: OpId,
        outcome: Outcome,
        effects: &mut Vec<Effect>,
    ) -> Flow {
        match (&self.stage, outcome) {
            (Stage::Recording(op, route), Outcome::Applied(object)) if *op == id => {
                state.world.learn(ResourceKind::Release, &object);
                let route = route.clone();
                self.delete(state, route, effects)
            }
            (Stage::Recording(op, route), Outcome::NotApplied(rejection)) if *op == id => {
                let release = ResourceRef::new(ResourceKind::Release, route.release.clone().unwrap_or_default());
                let why = refused(&release, &rejection);
                if rejection.is_precondition() { Flow::Failed(why) } else { Flow::Stopped(why) }
            }
            (Stage::Deleting(op, route), Outcome::Applied(_)) if *op == id => {
                state.world.forget(&target(route));
                state.notice(now, Tone::Good, format!("HTTPRoute {} was left over and is deleted", route.name));
                self.next(state, now, effects)
            }
            (Stage::Deleting(op, route), Outcome::NotApplied(rejection)) if *op == id => {
                let why = refused(&target(route), &rejection);
                // Gone, or changed meanwhile: everything is read again.
                let again = rejection.is_precondition() || rejection.code == 404;
                if again { Flow::Failed(why) } else { Flow::Stopped(why) }
            }
            (Stage::Recording(op, _) | Stage::Deleting(op, _), Outcome::Unknown(why)) if *op == id => {
                Flow::Failed(format!("{} has no answer: {why}", self.progress()))
            }
            _ => Flow::Wait(Task::Cleanup(self)),
        }
    }

    /// Goes on with the first route that is left, or ends.
    fn next(mut self: Box<Self>, state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) -> Flow {
        if state.leaving {
            return Flow::Over;
        }
        let Some(route) = left_over(state).into_iter().find(|route| route.serves_nobody) else { return Flow::Over };
        let release = route.release.as_ref().and_then(|name| state.world.release(name)).cloned();
        let Some(release) = release else { return self.delete(state, route, effects) };
        let mut status = release.status.clone();
        let entry = Entry {
            by: self.by.clone(),
            act: "cleanup".into(),
            what: format!("delete HTTPRoute {}, which was left over", route.name),
            evidence: "all its matches are placeholders".into(),
            ..Entry::default()
        };
        write_down(&mut status, state.server_now(now), entry);
        let (target, verb) = release_with(&state.world, &release, &status, &HoldTest::Any);
        let op = send(state, effects, Direction::Forward, &target, verb, false);
        self.stage = Stage::Recording(op, route);
        Flow::Wait(Task::Cleanup(self))
    }

    fn delete(mut self: Box<Self>, state: &mut State, route: LeftOver, effects: &mut Vec<Effect>) -> Flow {
        let target = target(&route);
        let Some(live) = state.world.get(target.kind, &target.name) else { return Flow::Failed("it is gone".into()) };
        let verb = Verb::Delete { uid: uid_of(live).to_owned(), resource_version: resource_version(live).to_owned() };
        let op = send(state, effects, Direction::Forward, &target, verb, false);
        self.stage = Stage::Deleting(op, route);
        Flow::Wait(Task::Cleanup(self))
    }
}

fn target(route: &LeftOver) -> ResourceRef {
    ResourceRef::new(ResourceKind::HTTPRoute, &route.name)
}
