//! What the screens show, computed from the state.

mod advice;
mod board;
mod close;
mod head;
mod observed;
mod panels;

pub use close::closeup;

use super::scope::Scope;
use super::{Action, Command, Exposure, State, View};
use crate::api::ReleaseStatus;
use crate::core::evidence::Who;
use crate::model::{Finding, Phase, Side, Timestamp};

/// Computes everything the screens show.
pub fn view(state: &State, now: Timestamp) -> View {
    let at = state.server_now(now);
    View {
        now: Some(at),
        header: head::header(state, now),
        exposed: exposure(state),
        rings: board::rings(state, now),
        drain: panels::drain(state, now),
        drain_graph: panels::drain_graph(state, at),
        errors: panels::errors(state, at),
        latency: panels::latency(state, at),
        requests: panels::requests(state, at),
        gates: state.scope().map_or_else(Vec::new, |scope| state.gates.rows(state, &scope, now)),
        events: panels::events(state),
        customers: board::customers(state, now),
        advice: advice::advice(state, now),
        way_out: advice::way_out(state),
        plans: panels::plans(state),
        proposed: panels::proposed(state),
        findings: found(state),
        preflight: super::preflight::shown(state, now),
        notices: state.notices.iter().cloned().collect(),
        running: state.running.clone(),
        blocked: blocked(state, now),
    }
}

/// Counts the listed customers whose live routes send them to the new version.
pub fn on_new(scope: &Scope<'_>, state: &State) -> usize {
    let new = Some(scope.slot(Side::New));
    state.placed.customers.values().filter(|slot| **slot == new).count()
}

/// Tells whether the release is on its way back, or cleans up after it.
pub fn goes_back(status: &ReleaseStatus) -> bool {
    let cleans = status.phase == Phase::Cleaning;
    let result = status.outcome.as_ref().and_then(|outcome| outcome.result);
    status.phase.is_backward() || (cleans && result == Some(Phase::RolledBack))
}

fn exposure(state: &State) -> Exposure {
    let of = Some(state.placed.customers.len());
    let scope = state.scope();
    if scope.is_none() && (state.plan.is_none() || !state.world.is_read()) {
        return Exposure::default();
    }
    let seen = observed::observed(state, scope.as_ref(), Who::Everybody);
    let on_new = |scope: &Scope<'_>| board::count_on(scope.slot(Side::New), state.placed.customers.values().copied());
    Exposure {
        // Without a release nobody is on a new version: that is known, not missing.
        customers: scope.as_ref().map_or(Some(0), on_new),
        of,
        rps: seen.rps_new,
        share: seen.share,
    }
}

/// Returns what the last start from here has found, unless the release under way was started by somebody else.
fn found(state: &State) -> Option<Vec<Finding>> {
    let (release, findings) = state.found.as_ref()?;
    let is_about = state.scope().is_none_or(|scope| scope.release.name == *release);
    is_about.then(|| findings.clone())
}

/// For each operating action: why it cannot be done now.
fn blocked(state: &State, now: Timestamp) -> Vec<(Action, Vec<crate::model::Refusal>)> {
    let ring = advice::waiting_ring(state).unwrap_or_default();
    let start = panels::proposed(state).first().map_or(
        Command::Start { release: None, version: None, image: None, commit: None },
        |row| Command::Start { release: Some(row.name.clone()), version: None, image: None, commit: None },
    );
    [
        start,
        Command::Next { accept_no_traffic: None },
        Command::Promote { accept_no_traffic: None },
        Command::Finish,
        Command::Force { reason: String::new() },
        Command::Hold { reason: String::new() },
        Command::Resume,
        Command::Approve { ring },
        Command::Rollback { reason: String::new() },
        Command::Take { reason: String::new() },
        Command::Cleanup,
    ]
    .into_iter()
    .map(|command| {
        let mut refusals = super::preview::refusals(state, now, &command);
        // Looking at the start is what brings the survey, so the want of one must not keep anybody from looking.
        // In the same way, a version is named after the menu.
        refusals.retain(|refusal| ![super::survey::STALE, super::freeze::NO_VERSION].contains(&refusal.rule.as_str()));
        (command.action(), refusals)
    })
    .collect()
}
