//! Single writes of the record: who drives, which phase, what is approved, what is locked.

use crate::api::{Driver, ReleaseStatus, WaveProgress};
use crate::core::record::{Entry, HoldTest, enter, write_down};
use crate::core::task::{CasTask, Task, release_status};
use crate::core::{Effect, State, Verb};
use crate::model::{Direction, Phase, ResourceKind, ResourceRef, Timestamp, resource_version};
use serde_json::json;

pub(super) fn take(state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) -> Option<Task> {
    let (at, who, session) = (state.server_now(now), state.who(), state.session_name());
    let reason = state.mandate.as_ref().map(|m| m.reason.clone()).unwrap_or_default();
    let scope = state.scope()?;
    let mut status = scope.status().clone();
    let before = status.driver.take();
    let epoch = before.as_ref().map_or(0, |d| d.epoch) + 1;
    let from = before.map_or_else(|| "nobody".to_owned(), |d| d.session);
    write_down(
        &mut status,
        at,
        Entry {
            by: who.clone(),
            act: "take".into(),
            what: format!("take driving over from {from}"),
            why: reason,
            ..Entry::default()
        },
    );
    status.driver = Some(Driver { who, session, epoch });
    let (target, verb) = release_status(&scope, &status, &HoldTest::Any);
    Some(Task::Cas(CasTask::begin(state, effects, Direction::Backward, target, verb)))
}

pub(super) fn enter_phase(
    state: &mut State,
    now: Timestamp,
    phase: Phase,
    evidence: String,
    effects: &mut Vec<Effect>,
) -> Option<Task> {
    let (at, by) = (state.server_now(now), state.who());
    let hold = state.mandate.as_ref().map_or(HoldTest::Any, |m| HoldTest::Exactly(m.hold.clone()));
    let scope = state.scope()?;
    let cut = scope.world.cut(scope.component());
    let mut status = scope.status().clone();
    // A phase of the way back, or the end of one, is bookkeeping; entering a forward one must not slip past a hold.
    let hold = if phase.is_backward() || phase.is_final() { HoldTest::Any } else { hold };
    update_record(&mut status, phase, at, &evidence, cut);
    enter(&mut status, at, phase);
    let what = format!("enter {phase}");
    write_down(&mut status, at, Entry { by, act: "phase".into(), what, evidence, ..Entry::default() });
    let (target, verb) = release_status(&scope, &status, &hold);
    Some(Task::Cas(CasTask::begin(state, effects, Direction::Backward, target, verb)))
}

/// Brings waves and outcome in line with the phase that is entered.
fn update_record(status: &mut ReleaseStatus, phase: Phase, at: Timestamp, evidence: &str, cut: u32) {
    let index = usize::try_from(status.wave).unwrap_or(0).wrapping_sub(1);
    match phase {
        Phase::Baking => {
            if let Some(record) = status.waves.get_mut(index) {
                record.state = WaveProgress::New;
                record.at = Some(at);
                record.silent =
                    evidence.rsplit(", ").next().and_then(|t| t.split(' ').next()).and_then(|n| n.parse().ok());
            }
        }
        Phase::VerifyingBack => {
            for record in status.waves.iter_mut().filter(|w| w.state != WaveProgress::Old) {
                record.state = WaveProgress::Back;
                record.at = Some(at);
            }
        }
        Phase::DrainingOld => status.outcome.get_or_insert_default().result = Some(Phase::Done),
        Phase::Cleaning => status.outcome.get_or_insert_default().cut = cut,
        Phase::Done | Phase::RolledBack => status.outcome.get_or_insert_default().finished_at = Some(at),
        _ => {}
    }
}

pub(super) fn approve(state: &mut State, now: Timestamp, ring: &str, effects: &mut Vec<Effect>) -> Option<Task> {
    let (at, by) = (state.server_now(now), state.who());
    let scope = state.scope()?;
    let record = json!({ "ring": ring, "by": by, "at": at, "planHash": scope.frozen.hash });
    let add = if scope.release.spec.approvals.is_empty() {
        json!({ "op": "add", "path": "/spec/approvals", "value": [record] })
    } else {
        json!({ "op": "add", "path": "/spec/approvals/-", "value": record })
    };
    let ops = vec![json!({ "op": "test", "path": "/metadata/resourceVersion", "value": scope.release.version }), add];
    let target = ResourceRef::new(ResourceKind::Release, &scope.release.name);
    Some(Task::Cas(CasTask::begin(state, effects, Direction::Forward, target, Verb::Patch(ops))))
}

pub(super) fn unlock(state: &mut State, release: &str, effects: &mut Vec<Effect>) -> Option<Task> {
    let plan = state.plan_name()?;
    let object = state.world.get(ResourceKind::RolloutPlan, &plan)?;
    let ops = vec![
        json!({ "op": "test", "path": "/metadata/resourceVersion", "value": resource_version(object) }),
        json!({ "op": "test", "path": "/status/activeRelease", "value": release }),
        json!({ "op": "remove", "path": "/status/activeRelease" }),
    ];
    let target = ResourceRef::new(ResourceKind::RolloutPlan, plan);
    Some(Task::Cas(CasTask::begin(state, effects, Direction::Backward, target, Verb::PatchStatus(ops))))
}
