//! One order without a screen: what a command-line verb is.

use super::Engine;
use crate::core::{Command, Event, RunningState, Verdict};
use crate::model::{Phase, Refusal};
use crate::ui::Safe;
use std::io::Write;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// How long figures may count before they are said again.
const REPEAT: Duration = Duration::from_secs(10);

/// How an order ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerbEnd {
    /// Its resting phase is reached, or its one write is acknowledged; a sentence.
    Done(String),
    /// Rules did not allow it; nothing was written.
    Refused(Vec<Refusal>),
    /// It was begun and stopped before its resting phase; why, and what to do.
    Stopped(String),
    /// A signal ended the console; what was begun is left as a dead console would leave it.
    Interrupted,
    /// A signal came before the order was given.
    NotGiven,
}

/// Waits until every source was heard and the picture is fresh; tells whether it is.
///
/// Waits at most `patience`. A namespace without a plan is a complete picture, too.
pub async fn await_picture(engine: &mut Engine, patience: Duration, stop: &CancellationToken) -> bool {
    let end = Instant::now() + patience;
    loop {
        if is_complete(engine) {
            return true;
        }
        tokio::select! {
            () = stop.cancelled() => return false,
            step = timeout_at(end, engine.step()) => if step.is_err() { return is_complete(engine) },
        }
    }
}

/// Gives an order and waits until it has reached its resting phase, was refused, or stopped.
///
/// Says what is waited for whenever that changes, with the seconds since the order; what only counts is said again
/// now and then. The caller lets the engine leave, however it ended.
pub async fn drive(
    engine: &mut Engine,
    command: Command,
    mark: Option<String>,
    stop: &CancellationToken,
    progress: &mut (dyn Write + Send),
) -> VerbEnd {
    if stop.is_cancelled() {
        return VerbEnd::NotGiven;
    }
    let before = engine.view().running.map_or(0, |row| row.number);
    let began = Instant::now();
    engine.give(Event::Command { command, mark });
    let (mut said, mut said_at) = (String::new(), began);
    loop {
        if let Some(row) = engine.view().running.filter(|row| row.number > before) {
            match row.outcome {
                RunningState::Running if is_news(&said, &row.text, said_at) => {
                    let seconds = began.elapsed().as_secs();
                    // A reader that went away does not stop the order.
                    let _ = writeln!(progress, "{seconds:>4}s  {}", Safe::new(&row.text));
                    (said, said_at) = (row.text, Instant::now());
                }
                RunningState::Running => {}
                RunningState::Done => return VerbEnd::Done(row.text),
                RunningState::Refused { why } => return VerbEnd::Refused(why),
                RunningState::Stopped { why } => return VerbEnd::Stopped(why),
            }
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return VerbEnd::Interrupted,
            _ = engine.step() => {}
        }
    }
}

/// Tells whether a text says something else than the last one, or the same with other figures after a while.
fn is_news(said: &str, text: &str, said_at: Instant) -> bool {
    let words = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    said != text && (words(said) != words(text) || said_at.elapsed() >= REPEAT)
}

fn is_complete(engine: &Engine) -> bool {
    let view = engine.view();
    // Gates are judged anew by every console: one that has just opened has no verdict yet.
    let is_judged =
        view.header.phase != Phase::Baking.word() || view.gates.iter().all(|gate| gate.verdict != Verdict::Waiting);
    engine.has_heard_all() && is_judged && view.header.stale.is_empty()
}
