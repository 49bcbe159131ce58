//! What the screens about one thing show, computed from the state when such a screen asks.

mod audit;
mod customer;
mod drain;
mod past;
mod ring;

use crate::core::evidence::{Grid, Who};
use crate::core::{Closeup, Graph, State, Subject};
use crate::model::{CustomerId, GateKind, Side, Slot, Timestamp};

/// How many cells the graphs of a close look carry.
const CELLS: usize = 150;

/// Looks closely at one thing; `None` when it is not there.
pub fn closeup(state: &State, now: Timestamp, subject: &Subject) -> Option<Closeup> {
    Some(match subject {
        Subject::Customer(id) => Closeup::Customer(customer::look(state, now, id)?),
        Subject::Ring(name) => Closeup::Ring(ring::look(state, now, name)?),
        Subject::Drain => Closeup::Drain(drain::look(state, now)),
        Subject::Audit => Closeup::Audit(audit::look(state)),
        Subject::Releases => Closeup::Releases(past::look(state, now)),
    })
}

/// Draws the error ratio of some customers on both versions, and the requests they start there.
fn graphs(state: &State, at: Timestamp, who: Who<'_>) -> (Graph, Graph) {
    let Some((old, new)) = slots(state) else { return (Graph::default(), Graph::default()) };
    let evidence = &state.evidence;
    let limit = state
        .plan
        .as_ref()
        .and_then(|plan| plan.gates.iter().find(|gate| matches!(gate.kind, GateKind::ErrorRatio)).map(|gate| gate.max));
    let grid = evidence.grid(at, CELLS);
    let (old, new) = (evidence.curves(old, who, grid), evidence.curves(new, who, grid));
    (graph(grid, new.errors, old.errors, limit), graph(grid, new.rates, old.rates, None))
}

/// Draws the open work of a customer on both versions.
fn work(state: &State, at: Timestamp, customer: &CustomerId) -> Graph {
    let Some((old, new)) = slots(state) else { return Graph::default() };
    let grid = state.evidence.grid(at, CELLS);
    graph(grid, state.evidence.work(new, customer, grid), state.evidence.work(old, customer, grid), None)
}

fn graph(grid: Grid, new: Vec<Option<f64>>, old: Vec<Option<f64>>, limit: Option<f64>) -> Graph {
    let newest = |cells: &[Option<f64>]| cells.iter().rev().take(3).find_map(|v| *v);
    Graph { step: grid.seconds(), last: (newest(&new), newest(&old)), new, old, limit }
}

/// Returns the slots that play old and new: of the release under way, else the one that serves and the other.
fn slots(state: &State) -> Option<(Slot, Slot)> {
    let old = match state.scope() {
        Some(scope) => scope.slot(Side::Old),
        None => super::panels::serving(state)?,
    };
    Some((old, old.other()))
}
