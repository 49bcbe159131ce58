//! What a console writes, one thing at a time: each task is a small state machine fed with outcomes.

mod cas;
mod cleanup;
mod close;
mod compose;
mod hold;
mod intent;
mod overflow;
mod resume;
mod settle;
mod start;
mod touch;

pub use cas::{CasTask, release_status, release_with};
pub use cleanup::CleanupTask;
pub use close::{everything_is_old, wave_is_at};
pub use compose::live_undo;
pub use hold::HoldTask;
pub use intent::{Forced, IntentTask, Order};
pub use overflow::{JOURNAL, OverflowTask};
pub use resume::ResumeTask;
pub use settle::{Known, SettleTask};
pub use start::StartTask;

use super::{Effect, Found, OpId, Read, ReadFailure, State, Verb, Write};
use crate::model::{Direction, Outcome, ResourceRef, Span, Timestamp};

/// How long a write may take before its outcome is unknown.
const WRITE_DEADLINE: Span = Span::seconds(5);
/// How long a quorum read may take.
const READ_DEADLINE: Span = Span::seconds(4);

/// Something this console is writing.
#[derive(Clone, Debug)]
pub enum Task {
    /// Begin a release: check, record, lock the plan, freeze.
    Start(Box<StartTask>),
    /// One compare-and-swap.
    Cas(CasTask),
    /// An intent and the writes it announces.
    Intent(Box<IntentTask>),
    /// Find out what became of an intent whose outcome is unknown.
    Settle(Box<SettleTask>),
    /// Take the objects as they are, clear what blocks, lift the hold.
    Resume(Box<ResumeTask>),
    /// Move old records of the journal out of the Release.
    Overflow(OverflowTask),
    /// Delete what ended releases have left behind.
    Cleanup(Box<CleanupTask>),
}

/// Whether a task goes on.
#[derive(Clone, Debug)]
pub enum Flow {
    /// It waits for something.
    Wait(Task),
    /// It is over; the planner looks again.
    Over,
    /// It is over without effect and may be tried again; why.
    Failed(String),
    /// It is over and must not be tried again; why, and what to do.
    Stopped(String),
}

/// Asks for a quorum read.
pub fn ask(state: &mut State, effects: &mut Vec<Effect>, read: Read) -> OpId {
    let id = state.next_op();
    effects.push(Effect::Read { id, read, deadline: READ_DEADLINE });
    id
}

/// Takes in what a quorum read found.
fn learn(state: &mut State, read: &Read, found: Found) {
    match (read, found) {
        (Read::Get(target), Found::One(object)) => state.world.learn(target.kind, &object),
        (Read::Get(target), _) => state.world.forget(target),
        (Read::List { kind, selector }, Found::Many(objects)) if selector.is_empty() => {
            state.world.learn_all(*kind, &objects);
        }
        (Read::List { kind, .. }, Found::Many(objects)) => {
            objects.iter().for_each(|object| state.world.learn(*kind, object));
        }
        (Read::List { .. }, _) => {}
    }
}

/// Asks for a write.
pub fn send(
    state: &mut State,
    effects: &mut Vec<Effect>,
    direction: Direction,
    target: &ResourceRef,
    verb: Verb,
    dry_run: bool,
) -> OpId {
    let id = state.next_op();
    effects.push(Effect::Write(Write {
        id,
        direction,
        target: target.clone(),
        verb,
        dry_run,
        deadline: WRITE_DEADLINE,
    }));
    id
}

/// Takes in the outcome of a write and lets the task it belongs to go on.
pub fn on_wrote(state: &mut State, now: Timestamp, id: OpId, outcome: Outcome, effects: &mut Vec<Effect>) {
    if super::lease::on_wrote(state, now, id, &outcome) {
        return;
    }
    if let Some(hold) = state.hold.take_if(|hold| hold.waits_for(id)) {
        state.hold = hold.on_wrote(state, now, id, outcome, effects);
        return;
    }
    let Some(task) = state.task.take() else { return };
    let flow = match task {
        Task::Start(task) => task.on_wrote(state, now, id, outcome, effects),
        Task::Cas(task) => task.on_wrote(state, id, outcome, effects),
        Task::Intent(task) => task.on_wrote(state, now, id, outcome, effects),
        Task::Settle(task) => task.on_wrote(state, now, id, outcome, effects),
        Task::Resume(task) => task.on_wrote(state, now, id, outcome, effects),
        Task::Overflow(task) => task.on_wrote(state, id, outcome, effects),
        Task::Cleanup(task) => task.on_wrote(state, now, id, outcome, effects),
    };
    super::order::after(state, now, flow);
}

/// Takes in the answer to a quorum read and lets the task it belongs to go on.
pub fn on_read(
    state: &mut State,
    now: Timestamp,
    id: OpId,
    result: Result<Found, ReadFailure>,
    effects: &mut Vec<Effect>,
) {
    if let Some(hold) = state.hold.take_if(|hold| hold.waits_for(id)) {
        state.hold = hold.on_read(state, now, id, result, effects);
        return;
    }
    let Some(task) = state.task.take() else { return };
    let flow = match task {
        Task::Start(task) => task.on_read(state, now, id, result, effects),
        Task::Cas(task) => task.on_read(state, id, result),
        Task::Intent(task) => task.on_read(state, now, id, result, effects),
        Task::Settle(task) => task.on_read(state, now, id, result, effects),
        Task::Resume(task) => task.on_read(state, now, id, result, effects),
        Task::Cleanup(task) => task.on_read(state, now, id, result, effects),
        // It reads nothing.
        Task::Overflow(task) => Flow::Wait(Task::Overflow(task)),
    };
    super::order::after(state, now, flow);
}

/// Lets what waits for time go on.
pub fn on_time(state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) {
    if let Some(hold) = state.hold.take() {
        state.hold = hold.on_time(state, now, effects);
    }
    if let Some(Task::Settle(task)) = state.task.take_if(|task| matches!(task, Task::Settle(_))) {
        let flow = task.on_time(state, now, effects);
        super::order::after(state, now, flow);
    }
}
