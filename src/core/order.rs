//! Orders: what a person's command starts, how the console goes on under it, and how it ends.

mod step;

use super::freeze::StartRequest;
use super::planner::{Next, Step, next};
use super::record::{Entry, HoldTest, write_down};
use super::state::{Goal, Mandate};
use super::task::{
    self, CasTask, CleanupTask, Flow, HoldTask, IntentTask, Known, OverflowTask, ResumeTask, SettleTask, StartTask,
    Task, release_status,
};
use super::{Action, Command, Effect, RunningRow, RunningState, State, Tone};
use crate::api::{Blocked, BlockedKind, Hold};
use crate::model::{Direction, Phase, Refusal, Timestamp};

/// How long an order goes on trying without any effect before it gives up, in seconds; a rollback never does.
const PATIENCE: i64 = 60;
/// The pause between two tries.
const PAUSE: jiff::SignedDuration = jiff::SignedDuration::from_millis(500);

/// Takes in a person's order.
pub fn on_command(state: &mut State, now: Timestamp, command: &Command, mark: Option<&str>) {
    let number = state.running.as_ref().map_or(1, |r| r.number + 1);
    let preview = super::preview::preview(state, now, command);
    let mut refusals = preview.refusals;
    if refusals.is_empty() && mark.is_some_and(|mark| mark != preview.mark) {
        refusals.push(Refusal::new(
            "guard.changed",
            "what was shown has changed since: look at it again, then confirm again",
        ));
    }
    let row = |outcome: RunningState, text: &str| RunningRow {
        number,
        action: command.action(),
        since: now,
        outcome,
        text: text.to_owned(),
    };
    if !refusals.is_empty() {
        state.running = Some(row(RunningState::Refused { why: refusals }, "refused"));
        return;
    }
    state.running = Some(row(RunningState::Running, "begun"));
    if let Command::Hold { reason } = command {
        state.holding = Some((state.who(), reason.clone()));
        return;
    }
    let Some((goal, reason)) = goal_of(state, command) else { return };
    if goal == Goal::Rollback {
        // Whatever this console was writing is settled by touches, as after a takeover.
        state.task = None;
    }
    let hold = match &goal {
        // It goes on under the hold that the rollback found, and under no newer one.
        Goal::Rollback if matches!(command, Command::Force { .. }) => {
            state.mandate.as_ref().and_then(|mandate| mandate.hold.clone())
        }
        Goal::Rollback | Goal::Resume => state.scope().and_then(|scope| scope.release.spec.hold.clone()),
        _ => None,
    };
    let epoch = state.scope().filter(|_| goal != Goal::Start).and_then(|s| s.status().driver.as_ref().map(|d| d.epoch));
    state.mandate = Some(Mandate {
        goal,
        by: state.who(),
        reason,
        hold,
        release: state.active_name(),
        epoch,
        no_traffic: no_traffic(command),
        force: if let Command::Force { reason } = command { Some(reason.clone()) } else { None },
        start: StartRequest::of(state, command),
        ..Mandate::default()
    });
    state.pause = None;
}

fn no_traffic(command: &Command) -> Option<String> {
    match command {
        Command::Next { accept_no_traffic } | Command::Promote { accept_no_traffic } => accept_no_traffic.clone(),
        _ => None,
    }
}

fn goal_of(state: &State, command: &Command) -> Option<(Goal, String)> {
    let wave = state.scope().map_or(0, |scope| scope.status().wave);
    let phase = state.scope().map(|scope| scope.status().phase);
    let backward = phase.is_some_and(Phase::is_backward);
    Some(match command {
        Command::Start { .. } => (Goal::Start, String::new()),
        Command::Next { accept_no_traffic } => (Goal::Wave(wave + 1), accept_no_traffic.clone().unwrap_or_default()),
        Command::Promote { accept_no_traffic } => (Goal::Promote, accept_no_traffic.clone().unwrap_or_default()),
        Command::Finish => (Goal::Finish, String::new()),
        Command::Force { reason } if backward => (Goal::Rollback, reason.clone()),
        Command::Force { reason } => (Goal::Finish, reason.clone()),
        Command::Resume => (Goal::Resume, String::new()),
        Command::Approve { ring } => (Goal::Approve(ring.clone()), String::new()),
        Command::Rollback { reason } => (Goal::Rollback, reason.clone()),
        Command::Take { reason } => (Goal::Take, reason.clone()),
        Command::Cleanup => (Goal::Cleanup, String::new()),
        Command::Hold { .. } => return None,
    })
}

/// The program is leaving: forward work stops where it is, the Lease is let go.
pub fn on_leaving(state: &mut State) {
    state.leaving = true;
    let backward = state.scope().is_some_and(|scope| scope.status().phase == Phase::RollingBack);
    if !backward {
        stop(state, "the console was left");
    }
}

/// Goes on with everything that can go on.
pub fn advance(state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) {
    task::on_time(state, now, effects);
    super::lease::keep(state, now, effects);
    note_gates(state, now);
    begin_hold(state, now, effects);
    lost_driving(state, now);
    // Every pass either waits or begins a task; a task that needs an answer ends the loop.
    while state.task.is_none() && !waits_for_hold(state) && state.pause.is_none_or(|until| now >= until) {
        state.pause = None;
        let next = next(state, now);
        if !follow(state, now, next, effects) {
            break;
        }
    }
    describe(state);
}

/// Tells whether a hold of this console comes first; a rollback waits for no touch of a hold.
fn waits_for_hold(state: &State) -> bool {
    let rollback = is_rollback(state);
    state.hold.as_ref().is_some_and(|hold| !(rollback && hold.is_written()))
}

/// Tells whether a person has ordered a rollback here.
pub fn is_rollback(state: &State) -> bool {
    state.mandate.as_ref().is_some_and(|mandate| mandate.goal == Goal::Rollback)
}

/// Takes in which hold the intent of a rollback found; that one does not stop its retire and clean.
pub fn rollback_found(state: &mut State, hold: Option<Hold>) {
    if let Some(mandate) = state.mandate.as_mut().filter(|mandate| mandate.goal == Goal::Rollback) {
        mandate.hold = hold;
    }
}

/// Carries out what the planner says; tells whether to ask it again at once.
fn follow(state: &mut State, now: Timestamp, next: Next, effects: &mut Vec<Effect>) -> bool {
    match next {
        Next::Do(step) => {
            state.waiting.clear();
            state.task = begin(state, now, step, effects);
            false
        }
        Next::Wait(why) => {
            state.waiting = why;
            false
        }
        Next::Stop(why) => {
            let texts: Vec<String> = why.into_iter().map(|r| r.text).collect();
            stop(state, &texts.join("; "));
            false
        }
        Next::Reached => reached(state),
    }
}

fn begin(state: &mut State, now: Timestamp, step: Step, effects: &mut Vec<Effect>) -> Option<Task> {
    match step {
        Step::Take => step::take(state, now, effects),
        Step::Settle(why) => {
            SettleTask::begin(state, now, why, &Known::default(), effects).map(|t| Task::Settle(Box::new(t)))
        }
        Step::Intent(order) => IntentTask::begin(state, *order, effects).map(|t| Task::Intent(Box::new(t))),
        Step::Enter(phase, evidence) => step::enter_phase(state, now, phase, evidence, effects),
        Step::Block(kind, what) => block_as(state, now, kind, &what, effects),
        Step::Resume => {
            let by = state.who();
            mark_begun(state);
            ResumeTask::begin(state, by, effects).map(|t| Task::Resume(Box::new(t)))
        }
        Step::Approve(ring) => step::approve(state, now, &ring, effects),
        Step::Freeze(release) => {
            let request = state.mandate.as_ref().and_then(|m| m.start.clone())?;
            let by = state.who();
            let request = StartRequest { release: Some(release), ..request };
            StartTask::begin(state, request, by, effects).map(|t| Task::Start(Box::new(t)))
        }
        Step::Begin(request) => {
            mark_begun(state);
            let by = state.who();
            StartTask::begin(state, *request, by, effects).map(|t| Task::Start(Box::new(t)))
        }
        Step::Unlock(release) => step::unlock(state, &release, effects),
        Step::Cleanup => {
            let by = state.who();
            CleanupTask::begin(state, by, effects).map(|t| Task::Cleanup(Box::new(t)))
        }
        Step::Overflow => OverflowTask::begin(state, effects).map(Task::Overflow),
    }
}

fn mark_begun(state: &mut State) {
    if let Some(mandate) = &mut state.mandate {
        mandate.begun = true;
    }
}

/// Takes in how a task ended.
pub fn after(state: &mut State, now: Timestamp, flow: Flow) {
    match flow {
        Flow::Wait(task) => state.task = Some(task),
        Flow::Over => progressed(state),
        Flow::Failed(why) => {
            let rollback = is_rollback(state);
            // The first failure is usually a lost race: look again at once.
            state.pause = state.failing.map(|_| now + PAUSE);
            let since = *state.failing.get_or_insert(now);
            state.last_failure.clone_from(&why);
            if !rollback && now.as_second() - since.as_second() > PATIENCE {
                stop(state, &format!("gave up after {PATIENCE} s: {why}"));
            }
        }
        Flow::Stopped(why) => {
            state.notice(now, Tone::Bad, why.clone());
            // A rollback that was begun goes on by itself, but not in a hot loop.
            state.pause = Some(now + PAUSE);
            stop(state, &why);
        }
    }
}

/// Notes that something moved: tries are counted anew.
pub fn progressed(state: &mut State) {
    state.failing = None;
    state.last_failure.clear();
}

/// Ends the order under way without its effect; what was begun is still settled.
pub fn give_up(state: &mut State, why: &str) {
    stop(state, why);
}

/// Ends a start that its checks refuse.
pub fn refuse(state: &mut State, why: Vec<Refusal>) {
    state.mandate = None;
    if let Some(running) = &mut state.running {
        running.outcome = RunningState::Refused { why };
    }
}

/// Takes in how a hold ended.
pub fn hold_ended(state: &mut State, now: Timestamp, result: Result<(), String>) {
    if let Err(why) = &result {
        state.notice(now, Tone::Bad, format!("hold: {why}"));
    }
    let Some(running) = state.running.as_mut().filter(|r| r.action == Action::Hold) else { return };
    if running.outcome == RunningState::Running {
        running.outcome = match result {
            Ok(()) => RunningState::Done,
            Err(why) => RunningState::Stopped { why },
        };
    }
}

/// Records that something needs a person, and ends the order under way.
pub fn block(state: &mut State, now: Timestamp, what: &str, effects: &mut Vec<Effect>) -> Flow {
    match block_as(state, now, BlockedKind::Drifted, what, effects) {
        Some(task) => Flow::Wait(task),
        None => Flow::Stopped(what.to_owned()),
    }
}

fn block_as(
    state: &mut State,
    now: Timestamp,
    kind: BlockedKind,
    what: &str,
    effects: &mut Vec<Effect>,
) -> Option<Task> {
    let (at, by) = (state.server_now(now), state.who());
    state.notice(now, Tone::Bad, what);
    let scope = state.scope()?;
    let mut status = scope.status().clone();
    status.blocked = Some(Blocked { kind, what: what.to_owned(), by: by.clone(), since: at });
    let entry = Entry { by, act: "block".into(), what: what.to_owned(), ..Entry::default() };
    write_down(&mut status, at, entry);
    let (target, verb) = release_status(&scope, &status, &HoldTest::Any);
    stop(state, what);
    Some(Task::Cas(CasTask::begin(state, effects, Direction::Backward, target, verb)))
}

fn stop(state: &mut State, why: &str) {
    state.mandate = None;
    state.waiting.clear();
    state.failing = None;
    if let Some(running) = &mut state.running
        && running.outcome == RunningState::Running
        && running.action != Action::Hold
    {
        running.outcome = RunningState::Stopped { why: why.to_owned() };
        why.clone_into(&mut running.text);
    }
}

/// What was confirmed is reached; a resume goes on with what the phase was about.
fn reached(state: &mut State) -> bool {
    let Some(mandate) = state.mandate.take() else { return false };
    state.waiting.clear();
    state.failing = None;
    if mandate.goal == Goal::Resume
        && let Some(goal) = natural_goal(state)
    {
        state.mandate = Some(Mandate { goal, hold: None, ..mandate });
        return true;
    }
    let phase = mandate
        .release
        .or_else(|| state.active_name())
        .and_then(|name| state.world.release(&name))
        .map(|release| release.phase().word().to_lowercase());
    if let Some(running) = &mut state.running
        && running.outcome == RunningState::Running
        && running.action != Action::Hold
    {
        running.outcome = RunningState::Done;
        running.text = phase.map_or_else(|| "done".to_owned(), |phase| format!("reached {phase}"));
    }
    false
}

/// Returns what a resumed release goes on to; a resting phase waits for a person.
fn natural_goal(state: &State) -> Option<Goal> {
    let scope = state.scope()?;
    let status = scope.status();
    let last = scope.last_wave();
    match status.phase {
        Phase::Preparing => Some(Goal::Start),
        Phase::Shifting | Phase::Verifying if status.wave < last => Some(Goal::Wave(status.wave)),
        Phase::Shifting | Phase::Verifying | Phase::Promoting => Some(Goal::Promote),
        Phase::Baking if status.wave == last => Some(Goal::Promote),
        Phase::Cleaning if status.outcome.as_ref().and_then(|o| o.result) == Some(Phase::RolledBack) => {
            Some(Goal::Rollback)
        }
        Phase::DrainingOld | Phase::RetiringOld | Phase::Cleaning | Phase::Done => Some(Goal::Finish),
        phase if phase.is_backward() => Some(Goal::Rollback),
        _ => None,
    }
}

/// Begins a hold that was ordered; it waits only for another hold.
fn begin_hold(state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) {
    if state.hold.is_some() {
        return;
    }
    let Some((by, reason)) = state.holding.take() else { return };
    state.hold = HoldTask::begin(state, now, by, reason, effects);
    if state.hold.is_none() {
        hold_ended(state, now, Err("no release is under way".into()));
    }
}

/// Remembers gate verdicts; the driving console holds by itself when a gate fails.
fn note_gates(state: &mut State, now: Timestamp) {
    let Some(scope) = state.scope() else { return };
    let rows = state.gates.rows(state, &scope, now);
    let held = scope.release.spec.hold.is_some();
    let failed = rows.iter().find(|row| row.verdict == super::Verdict::Fail).map(|row| {
        (format!("gate {}", row.name), format!("{} over the limit {} for {}", row.value, row.limit, row.window))
    });
    state.gates.settle(&rows, now);
    // A rollback is the stronger answer to a failing gate; a hold after it would only stop its end.
    if held || !state.drives() || is_rollback(state) || state.hold.is_some() || state.holding.is_some() || state.leaving
    {
        return;
    }
    state.holding = failed;
}

/// A console that was taken over stops at once.
fn lost_driving(state: &mut State, now: Timestamp) {
    let drives = state.drives();
    if state.drove && !drives {
        let by = state
            .scope()
            .and_then(|scope| scope.status().driver.clone())
            .map(|d| d.session)
            .filter(|session| *session != state.session_name());
        if let Some(by) = by {
            state.task = None;
            stop(state, &format!("{by} took driving over"));
            state.notice(now, Tone::Warn, format!("{by} took driving over"));
        }
    }
    state.drove = drives;
}

/// Says in one sentence what the order under way does or waits for.
fn describe(state: &mut State) {
    let text = match (&state.task, &state.hold) {
        (_, Some(hold)) => hold.progress(),
        (Some(Task::Start(task)), _) => task.progress(),
        (Some(Task::Intent(task)), _) => task.progress(),
        (Some(Task::Settle(task)), _) => task.progress(),
        (Some(Task::Cleanup(task)), _) => task.progress(),
        (Some(Task::Cas(_) | Task::Overflow(_)), _) => "writing the record".to_owned(),
        (Some(Task::Resume(_)), _) => "reading everything again before going on".to_owned(),
        (None, _) if !state.last_failure.is_empty() => format!("trying again: {}", state.last_failure),
        (None, _) => state.waiting.first().cloned().unwrap_or_default(),
    };
    if let Some(running) = state.running.as_mut().filter(|r| r.outcome == RunningState::Running)
        && !text.is_empty()
    {
        running.text = text;
    }
}
