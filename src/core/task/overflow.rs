//! The journal in the Release holds the last records; older ones move to a ConfigMap before they leave it.

use super::cas::{refused, release_status};
use super::{CasTask, Flow, Task, send};
use crate::core::record::HoldTest;
use crate::core::{Effect, OpId, State, Verb};
use crate::model::{Direction, Outcome, ResourceKind, ResourceRef};
use serde_json::json;

/// How many records the Release holds at most (CONTRACTS 1).
pub const JOURNAL: usize = 200;
/// How many move at once.
const CHUNK: usize = 100;

/// Moves the oldest records of the journal into a ConfigMap of their own.
#[derive(Clone, Debug)]
pub struct OverflowTask {
    op: OpId,
    target: ResourceRef,
    first: u64,
}

impl OverflowTask {
    /// Writes the ConfigMap; its name says the number of its first record, so that every console writes the same.
    pub fn begin(state: &mut State, effects: &mut Vec<Effect>) -> Option<Self> {
        let scope = state.scope()?;
        let oldest = scope.status().journal.get(..CHUNK)?;
        let first = oldest.first()?.seq;
        let target = ResourceRef::new(ResourceKind::ConfigMap, format!("{}-journal-{first}", scope.release.name));
        let records = serde_json::to_string(oldest).ok()?;
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": target.name,
                "namespace": state.setup.namespace,
                "labels": { crate::routing::MANAGED_BY_LABEL: crate::routing::MANAGED_BY },
            },
            "data": { "journal.json": records },
        });
        let op = send(state, effects, Direction::Backward, &target, Verb::Create(object), false);
        Some(Self { op, target, first })
    }

    /// Takes in the outcome; the records leave the Release only when the ConfigMap is there.
    pub fn on_wrote(self, state: &mut State, id: OpId, outcome: Outcome, effects: &mut Vec<Effect>) -> Flow {
        if id != self.op {
            return Flow::Wait(Task::Overflow(self));
        }
        match outcome {
            Outcome::Applied(_) => {}
            // Records never change: what stands under this name is what we would have written.
            Outcome::NotApplied(rejection) if rejection.reason == "AlreadyExists" => {}
            Outcome::NotApplied(rejection) => return Flow::Failed(refused(&self.target, &rejection)),
            Outcome::Unknown(why) => {
                return Flow::Failed(format!("the outcome of writing {} is unknown: {why}", self.target));
            }
        }
        let Some(scope) = state.scope() else { return Flow::Over };
        let mut status = scope.status().clone();
        let end = self.first + CHUNK as u64;
        status.journal.retain(|record| record.seq >= end);
        let (target, verb) = release_status(&scope, &status, &HoldTest::Any);
        Flow::Wait(Task::Cas(CasTask::begin(state, effects, Direction::Backward, target, verb)))
    }
}
