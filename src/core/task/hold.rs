//! Hold: stops every forward write of every console. Works from STANDBY and DRIVING, needs no takeover, is never refused.

use super::touch::Toucher;
use super::{ask, send};
use crate::api::Hold;
use crate::core::world::read_release;
use crate::core::{Effect, Found, OpId, Read, ReadFailure, State, Tone, Verb};
use crate::model::{Direction, Outcome, ResourceKind, ResourceRef, Timestamp};
use serde_json::{Value, json};

/// How long to wait before the Release is tried again when it cannot be reached.
const PAUSE: jiff::SignedDuration = jiff::SignedDuration::from_millis(500);

/// How long objects that cannot be touched are waited for; then the hold says that something may still land there.
const PATIENCE: jiff::SignedDuration = jiff::SignedDuration::from_secs(15);

/// A hold under way: the compare-and-swap of `spec.hold`, then touches of everything that may be on its way.
#[derive(Clone, Debug)]
pub struct HoldTask {
    release: String,
    hold: Hold,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    Writing(OpId),
    Reading(OpId),
    Pausing(Timestamp),
    Touching(Toucher, Timestamp),
}

impl HoldTask {
    /// Sends the hold; a Release that this console has not read yet is read first.
    pub fn begin(
        state: &mut State,
        now: Timestamp,
        by: String,
        reason: String,
        effects: &mut Vec<Effect>,
    ) -> Option<Self> {
        let release = state.active_name()?;
        let hold = Hold { by, reason, at: state.server_now(now) };
        let version = state.world.release(&release).map(|read| read.version.clone());
        let stage = match version {
            Some(version) => Stage::Writing(write(state, effects, &release, &version, &hold)),
            None => Stage::Reading(ask(state, effects, Read::Get(ResourceRef::new(ResourceKind::Release, &release)))),
        };
        Some(Self { release, hold, stage })
    }

    /// Tells whether a request belongs to this hold.
    pub fn waits_for(&self, id: OpId) -> bool {
        match &self.stage {
            Stage::Writing(op) | Stage::Reading(op) => *op == id,
            Stage::Pausing(_) => false,
            Stage::Touching(toucher, _) => toucher.waits_for(id),
        }
    }

    /// Tells whether the hold stands in the Release; then only touches are left.
    pub fn is_written(&self) -> bool {
        matches!(self.stage, Stage::Touching(..))
    }

    /// Says how far the hold is.
    pub fn progress(&self) -> String {
        match &self.stage {
            Stage::Touching(toucher, _) => {
                format!("held; fencing off writes that may be on their way: {}", toucher.waiting())
            }
            _ => format!("writing the hold to Release {}", self.release),
        }
    }

    /// Takes in an outcome.
    pub fn on_wrote(
        mut self,
        state: &mut State,
        now: Timestamp,
        id: OpId,
        outcome: Outcome,
        effects: &mut Vec<Effect>,
    ) -> Option<Self> {
        if let Stage::Touching(toucher, _) = &mut self.stage {
            toucher.on_wrote(state, now, id, outcome, effects);
            return self.or_done(state, now);
        }
        match outcome {
            Outcome::Applied(object) => {
                state.world.learn(ResourceKind::Release, &object);
                self.touch(state, now, &object, effects)
            }
            Outcome::NotApplied(rejection) if rejection.code == 403 || rejection.code == 404 => {
                let target = ResourceRef::new(ResourceKind::Release, &self.release);
                let why = super::cas::refused(&target, &rejection);
                crate::core::order::hold_ended(state, now, Err(why));
                None
            }
            // Somebody wrote the Release meanwhile, or we do not know: look, then try again without limit.
            Outcome::NotApplied(_) | Outcome::Unknown(_) => {
                self.stage = Stage::Reading(ask(state, effects, Read::Get(self.target())));
                Some(self)
            }
        }
    }

    /// Takes in a read.
    pub fn on_read(
        mut self,
        state: &mut State,
        now: Timestamp,
        id: OpId,
        result: Result<Found, ReadFailure>,
        effects: &mut Vec<Effect>,
    ) -> Option<Self> {
        if let Stage::Touching(toucher, _) = &mut self.stage {
            toucher.on_read(state, now, id, result, effects);
            return self.or_done(state, now);
        }
        match result {
            Ok(Found::One(object)) => {
                state.world.learn(ResourceKind::Release, &object);
                let release = read_release(&object);
                if release.spec.hold.as_ref() == Some(&self.hold) {
                    return self.touch(state, now, &object, effects);
                }
                self.stage = Stage::Writing(write(state, effects, &self.release, &release.version, &self.hold));
                Some(self)
            }
            Ok(_) => {
                crate::core::order::hold_ended(state, now, Err(format!("Release {} is gone", self.release)));
                None
            }
            Err(_) => {
                self.stage = Stage::Pausing(now + PAUSE);
                Some(self)
            }
        }
    }

    /// Tries again what has waited long enough.
    pub fn on_time(mut self, state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) -> Option<Self> {
        match &mut self.stage {
            Stage::Pausing(until) if now >= *until => {
                self.stage = Stage::Reading(ask(state, effects, Read::Get(self.target())));
            }
            Stage::Touching(toucher, _) => toucher.go(state, now, effects),
            _ => {}
        }
        self.or_done(state, now)
    }

    fn touch(mut self, state: &mut State, now: Timestamp, object: &Value, effects: &mut Vec<Effect>) -> Option<Self> {
        let mut toucher = Toucher::new(read_release(object).status.unresolved);
        toucher.go(state, now, effects);
        self.stage = Stage::Touching(toucher, now + PATIENCE);
        self.or_done(state, now)
    }

    fn or_done(self, state: &mut State, now: Timestamp) -> Option<Self> {
        let Stage::Touching(toucher, until) = &self.stage else { return Some(self) };
        if toucher.is_done() {
            state.notice(now, Tone::Warn, format!("held by {}: {}", self.hold.by, self.hold.reason));
            crate::core::order::hold_ended(state, now, Ok(()));
            return None;
        }
        if now < *until {
            return Some(self);
        }
        let left = toucher.waiting();
        let why = format!("it is held, but {left} cannot be touched: a write that was on its way may still land there");
        crate::core::order::hold_ended(state, now, Err(why));
        None
    }

    fn target(&self) -> ResourceRef {
        ResourceRef::new(ResourceKind::Release, &self.release)
    }
}

fn write(state: &mut State, effects: &mut Vec<Effect>, release: &str, version: &str, hold: &Hold) -> OpId {
    let ops = vec![
        json!({ "op": "test", "path": "/metadata/resourceVersion", "value": version }),
        json!({ "op": "add", "path": "/spec/hold", "value": hold }),
    ];
    let target = ResourceRef::new(ResourceKind::Release, release);
    send(state, effects, Direction::Backward, &target, Verb::Patch(ops), false)
}
