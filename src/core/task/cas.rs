//! One compare-and-swap; whatever comes of it, the planner looks again afterwards.

use super::{Flow, Task, ask, send};
use crate::api::ReleaseStatus;
use crate::core::record::{HoldTest, status_patch};
use crate::core::scope::Scope;
use crate::core::{Effect, Found, OpId, Read, ReadFailure, State, Verb};
use crate::model::{Direction, Outcome, Rejection, ResourceKind, ResourceRef};
use serde_json::Value;

/// A compare-and-swap under way.
#[derive(Clone, Debug)]
pub struct CasTask {
    target: ResourceRef,
    op: OpId,
    /// Why the object is read again, when it is.
    rereading: Option<String>,
}

impl CasTask {
    /// Sends the write.
    pub fn begin(
        state: &mut State,
        effects: &mut Vec<Effect>,
        direction: Direction,
        target: ResourceRef,
        verb: Verb,
    ) -> Self {
        let op = send(state, effects, direction, &target, verb, false);
        Self { target, op, rereading: None }
    }

    /// Only reads the object again, because a write to it was refused or has no answer.
    pub fn look(state: &mut State, effects: &mut Vec<Effect>, target: ResourceRef, why: &str) -> Self {
        let op = ask(state, effects, Read::Get(target.clone()));
        Self { target, op, rereading: Some(why.to_owned()) }
    }

    /// Takes in the outcome of the write.
    pub fn on_wrote(self, state: &mut State, id: OpId, outcome: Outcome, effects: &mut Vec<Effect>) -> Flow {
        if id != self.op {
            return Flow::Wait(Task::Cas(self));
        }
        match outcome {
            Outcome::Applied(object) => {
                state.world.learn(self.target.kind, &object);
                Flow::Over
            }
            Outcome::NotApplied(rejection) if rejection.is_precondition() => {
                let why = format!("{} was changed meanwhile", self.target);
                self.reread(state, effects, &why)
            }
            Outcome::NotApplied(rejection) => Flow::Stopped(refused(&self.target, &rejection)),
            Outcome::Unknown(why) => {
                let why = format!("the outcome of writing {} is unknown: {why}", self.target);
                self.reread(state, effects, &why)
            }
        }
    }

    /// Takes in the object as it is now.
    pub fn on_read(self, state: &mut State, id: OpId, result: Result<Found, ReadFailure>) -> Flow {
        if id != self.op {
            return Flow::Wait(Task::Cas(self));
        }
        let why = self.rereading.unwrap_or_default();
        match result {
            Ok(Found::One(object)) => {
                state.world.learn(self.target.kind, &object);
                Flow::Failed(why)
            }
            Ok(_) => {
                state.world.forget(&self.target);
                Flow::Stopped(format!("{} is gone", self.target))
            }
            Err(failure) => Flow::Failed(format!("{} cannot be read: {}", self.target, failure.why)),
        }
    }

    fn reread(self, state: &mut State, effects: &mut Vec<Effect>, why: &str) -> Flow {
        Flow::Wait(Task::Cas(Self::look(state, effects, self.target, why)))
    }
}

/// Writes a refusal of the server as a sentence with what to do.
pub fn refused(target: &ResourceRef, rejection: &Rejection) -> String {
    let hint = match rejection.code {
        401 => "; log in again",
        403 => "; ask for the pilothouse-operator role (pilothouse manifests prints it)",
        404 => "; it does not exist",
        _ => "",
    };
    format!("the API server refused to write {target}: {rejection}{hint}")
}

/// Makes the write that replaces the status of the release in scope.
pub fn release_status(scope: &Scope<'_>, status: &ReleaseStatus, hold: &HoldTest) -> (ResourceRef, Verb) {
    release_with(scope.world, scope.release, status, hold)
}

/// Makes the write that replaces the status of a release as it was read.
pub fn release_with(
    world: &crate::core::World,
    release: &crate::core::world::ReleaseRead,
    status: &ReleaseStatus,
    hold: &HoldTest,
) -> (ResourceRef, Verb) {
    let live = world.get(ResourceKind::Release, &release.name).unwrap_or(&Value::Null);
    let target = ResourceRef::new(ResourceKind::Release, &release.name);
    (target, Verb::PatchStatus(status_patch(release, live, status, hold)))
}
