//! Drain, graphs, events and the lists beside the board.

use crate::core::evidence::Shown;
use crate::core::proof::{Proof, drain_proof};
use crate::core::scope::Scope;
use crate::core::{DrainGraph, DrainRow, EventRow, Graph, PlanRow, ReleaseRow, State};
use crate::model::{DrainPolicy, GateKind, Phase, Side, Slot, Span, StreamKind, StreamPolicy, Timestamp, counted};
use std::collections::BTreeMap;

/// How many cells the graphs carry; the screens take the newest that fit.
const CELLS: usize = 300;
/// How many events are shown at most.
const EVENTS: usize = 200;
/// How many customers with open work are named.
const SURVIVORS: usize = 50;

/// Returns the side whose work is being left behind; `None` while nobody leaves anything.
pub fn left_side(scope: &Scope<'_>) -> Option<Side> {
    let status = scope.status();
    if super::goes_back(status) {
        return Some(Side::New);
    }
    (status.wave > 0).then_some(Side::Old)
}

/// Computes the drain of the slot that is being left.
pub fn drain(state: &State, now: Timestamp) -> DrainRow {
    let at = state.server_now(now);
    let Some(scope) = state.scope() else {
        return if state.world.is_read() { standing(state, serving(state)) } else { DrainRow::default() };
    };
    let Some(side) = left_side(&scope) else { return standing(state, Some(scope.slot(Side::Old))) };
    let slot = scope.slot(side);
    let status = scope.status();
    let draining = matches!(status.phase, Phase::DrainingOld | Phase::DrainingNew);
    let off = matches!(
        status.phase,
        Phase::DrainingOld
            | Phase::DrainingNew
            | Phase::RetiringOld
            | Phase::RetiringNew
            | Phase::Cleaning
            | Phase::Promoted
    );
    let proof = drain_proof(&scope, &state.evidence, at, side);
    let inflight = state.evidence.inflight(slot);
    let missing = match &proof {
        Proof::NotProven(missing) => missing.clone(),
        Proof::Proven | Proof::NeverRouted => Vec::new(),
    };
    let deployment = scope.deployment(side);
    let version = if side == Side::Old { &scope.frozen.old.version } else { &scope.frozen.new.version };
    let pods = deployment.as_ref().map(|d| (d.ready, d.replicas));
    let ended = deployment.as_ref().is_some_and(|d| d.replicas == 0)
        && scope.world.pods(scope.component(), slot).all(|p| p.terminated);
    let survivors = state.evidence.survivors(slot).unwrap_or_default();
    let mut by_count: Vec<(String, u64)> = survivors.into_iter().map(|(c, n)| (c.to_string(), n)).collect();
    by_count.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    by_count.truncate(SURVIVORS);
    let by_kind = kinds(state, slot);
    let oldest = state.evidence.oldest(slot);
    let users = users(state, slot).filter(|_| !off && !ended && !proof.holds());
    let used = status.since.map_or(0, |since| u64::try_from(at.as_second() - since.as_second()).unwrap_or(0));
    DrainRow {
        side: Some(side),
        version: version.to_string(),
        proven: proof.holds(),
        in_use: users.is_some(),
        headline: users.unwrap_or_else(|| headline(&proof, ended, &scope.plan.drain, &by_kind, oldest)),
        missing,
        inflight: if ended { Some(0) } else { inflight },
        by_kind,
        oldest: if ended { None } else { oldest },
        eta: if draining { eta(state, at, side, &scope) } else { None },
        patience: draining.then_some((scope.plan.drain.patience.0.as_secs(), used)),
        pods,
        survivors: by_count,
    }
}

/// Returns what is open on the slot that serves, while no version is being left.
fn standing(state: &State, slot: Option<Slot>) -> DrainRow {
    let Some(slot) = slot else { return DrainRow::default() };
    DrainRow {
        inflight: state.evidence.inflight(slot),
        by_kind: kinds(state, slot),
        oldest: state.evidence.oldest(slot),
        ..DrainRow::default()
    }
}

fn kinds(state: &State, slot: Slot) -> Vec<(StreamKind, Option<u64>)> {
    StreamKind::ALL.into_iter().map(|kind| (kind, state.evidence.inflight_of(slot, kind))).collect()
}

/// Says who is routed to a slot; `None` = nobody, as far as the routes say.
fn users(state: &State, slot: Slot) -> Option<String> {
    let customers = state.placed.customers.values().filter(|placed| **placed == Some(slot)).count();
    Some(match (customers, state.placed.unlisted == Some(slot)) {
        (0, false) => return None,
        (0, true) => "serves the unlisted".into(),
        (n, false) => format!("serves {}", counted(n, "customer")),
        (n, true) => format!("serves {} and the unlisted", counted(n, "customer")),
    })
}

/// Says in one line whether the proof holds, and what is in its way: open work first, counted in words.
fn headline(
    proof: &Proof,
    ended: bool,
    drain: &DrainPolicy,
    by_kind: &[(StreamKind, Option<u64>)],
    oldest: Option<f64>,
) -> String {
    if ended {
        return "all pods have ended".into();
    }
    let open = |policy: StreamPolicy| -> Vec<String> {
        let of_policy = by_kind.iter().filter(|(kind, _)| drain.policy(*kind) == policy);
        StreamKind::count(of_policy.filter_map(|(kind, n)| Some((*kind, (*n)?))))
    };
    let leaving = open(StreamPolicy::Reconnect).join(", ");
    match proof {
        Proof::Proven if !leaving.is_empty() => format!("proven: {leaving} asked to reconnect, nothing else is open"),
        Proof::Proven => "proven: nothing is open".into(),
        Proof::NeverRouted => "proven: nobody was ever sent there".into(),
        Proof::NotProven(missing) => {
            let waited = open(StreamPolicy::Wait);
            // Each pod's open work is a reason of its own; the count stands for them.
            let mut rest: Vec<&str> = missing.iter().map(String::as_str).collect();
            let mut text = String::new();
            if !waited.is_empty() {
                rest.retain(|reason| !reason.ends_with(" open in the quiet time"));
                let oldest = oldest.filter(|age| *age >= 1.0).map(|age| Span::seconds(age as u64).to_string());
                text = waited.join(", ") + &oldest.map(|age| format!(", oldest {age}")).unwrap_or_default();
            } else if !rest.is_empty() {
                rest.remove(0).clone_into(&mut text);
            }
            match rest.as_slice() {
                [] => format!("not proven: {text}"),
                [one] => format!("not proven: {text}; {one}"),
                [one, more @ ..] => format!("not proven: {text}; {one}; and {} more", more.len()),
            }
        }
    }
}

/// Estimates when nothing is open any more: the fall of the last half minute, carried on.
fn eta(state: &State, at: Timestamp, side: Side, scope: &Scope<'_>) -> Option<u64> {
    let (step, cells) = state.evidence.graph(scope.slot(side), Shown::InFlight, at, CELLS);
    let known: Vec<(f64, f64)> = cells
        .iter()
        .enumerate()
        .rev()
        .filter_map(|(i, v)| v.map(|v| (i as f64 * step as f64 / 1000.0, v)))
        .take(30)
        .collect();
    let (last, first) = (known.first()?, known.last()?);
    let fall = (first.1 - last.1) / (last.0 - first.0);
    if last.1 <= 0.0 {
        return Some(0);
    }
    (fall.is_finite() && fall > 0.0).then(|| (last.1 / fall).ceil() as u64)
}

/// Returns open work on the slot that is being left, or on the one that serves, over time.
pub fn drain_graph(state: &State, at: Timestamp) -> DrainGraph {
    let slot = match state.scope() {
        Some(scope) => Some(scope.slot(left_side(&scope).unwrap_or(Side::Old))),
        None => serving(state),
    };
    let Some(slot) = slot else { return DrainGraph::default() };
    let (step, values) = state.evidence.graph(slot, Shown::InFlight, at, CELLS);
    DrainGraph { step: step as f64 / 1000.0, values }
}

/// Returns the error ratio of both sides over time.
pub fn errors(state: &State, at: Timestamp) -> Graph {
    graph(state, at, Shown::Errors, |kind| matches!(kind, GateKind::ErrorRatio))
}

/// Returns the 99th percentile latency of both sides over time.
pub fn latency(state: &State, at: Timestamp) -> Graph {
    graph(state, at, Shown::Latency, |kind| matches!(kind, GateKind::Latency { .. }))
}

/// Returns the requests per second that start on both sides, over time.
pub fn requests(state: &State, at: Timestamp) -> Graph {
    graph(state, at, Shown::Requests, |_| false)
}

fn graph(state: &State, at: Timestamp, shown: Shown, limits: impl Fn(&GateKind) -> bool) -> Graph {
    let Some(plan) = &state.plan else { return Graph::default() };
    let limit = plan.gates.iter().find(|gate| limits(&gate.kind)).map(|gate| gate.max);
    let old = state.scope().map_or_else(|| serving(state), |scope| Some(scope.slot(Side::Old)));
    let Some(old) = old else { return Graph { limit, ..Graph::default() } };
    let (step, old_cells) = state.evidence.graph(old, shown, at, CELLS);
    let (_, new_cells) = state.evidence.graph(old.other(), shown, at, CELLS);
    let newest = |cells: &[Option<f64>]| cells.iter().rev().take(5).find_map(|v| *v);
    let last = (newest(&new_cells), newest(&old_cells));
    Graph { step: step as f64 / 1000.0, new: new_cells, old: old_cells, limit, last }
}

/// Returns the slot that serves by the base route.
pub fn serving(state: &State) -> Option<Slot> {
    let plan = state.plan.as_ref()?;
    let base = state.world.get(crate::model::ResourceKind::HTTPRoute, &plan.component.route)?;
    crate::routing::active_slot(base, &plan.component).ok()
}

/// Returns the journal of the release under way, or of the last one, newest first: one row per act, its latest state.
pub fn events(state: &State) -> Vec<EventRow> {
    let release =
        state.active_name().and_then(|name| state.world.release(&name)).or_else(|| super::head::last_ended(state));
    let Some(release) = release else { return Vec::new() };
    let mut rows: Vec<EventRow> = Vec::new();
    let mut acts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for record in release.status.journal.iter().rev() {
        let why = if record.why.is_empty() { &record.evidence } else { &record.why };
        let act = (record.intent.as_str(), record.what.as_str());
        // What was known when an act began says why it was done; how it ended says the rest.
        if let Some(row) = acts.get(&act).and_then(|index| rows.get_mut(*index)) {
            if row.why.is_empty() {
                row.why.clone_from(why);
            }
            continue;
        }
        if rows.len() == EVENTS {
            break;
        }
        if !record.intent.is_empty() {
            acts.insert(act, rows.len());
        }
        rows.push(EventRow {
            seq: record.seq,
            at: Some(record.at),
            by: record.by.clone(),
            what: record.what.clone(),
            why: why.clone(),
            result: record.result.clone(),
        });
    }
    rows
}

/// Returns the releases that could be started, newest first.
pub fn proposed(state: &State) -> Vec<ReleaseRow> {
    let Some(plan) = state.plan_name() else { return Vec::new() };
    state
        .world
        .proposed(&plan)
        .into_iter()
        .map(|r| ReleaseRow {
            name: r.name.clone(),
            version: r.spec.version.to_string(),
            phase: r.phase().word().to_owned(),
            by: r.spec.requested_by.clone(),
            at: r.created,
        })
        .collect()
}

/// Returns the plans to choose from; empty while there is none, and once one is taken.
pub fn plans(state: &State) -> Vec<PlanRow> {
    if state.plan_name().is_some() {
        return Vec::new();
    }
    let row = |name: &str| {
        let plan = state.world.plan(&state.setup.namespace, name).ok();
        let active = state.world.active_release(name).and_then(|active| state.world.release(&active));
        PlanRow {
            name: name.to_owned(),
            environment: plan.as_ref().map_or_else(String::new, |plan| plan.environment.word().to_owned()),
            route: plan.map_or_else(String::new, |plan| plan.component.route),
            release: active.map_or_else(String::new, |r| format!("{} {}", r.spec.version, r.phase().word())),
        }
    };
    state.world.plan_names().into_iter().map(row).collect()
}
