//! The drain, pod by pod: what each still holds, and how old what is known of it is.

use crate::core::evidence::Shown;
use crate::core::world::PodView;
use crate::core::{DrainCloseup, DrainGraph, PodRow, State};
use crate::model::{Side, Slot, StreamKind, StreamPolicy, Timestamp};

/// Looks at both slots; the one that is being left comes first.
pub(super) fn look(state: &State, now: Timestamp) -> DrainCloseup {
    let at = state.server_now(now);
    let (Some((old, new)), Some(plan)) = (super::slots(state), &state.plan) else { return DrainCloseup::default() };
    let left = state.scope().and_then(|scope| super::super::panels::left_side(&scope)).unwrap_or(Side::Old);
    let (first, second) = if left == Side::Old { (old, new) } else { (new, old) };
    let side_of = |slot: Slot| if slot == old { Side::Old } else { Side::New };
    let mut pods = Vec::new();
    for slot in [first, second] {
        let mut of_slot: Vec<&PodView> = state.world.pods(&plan.component, slot).collect();
        of_slot.sort_by(|a, b| a.name.cmp(&b.name));
        pods.extend(of_slot.into_iter().map(|pod| row(state, at, slot, side_of(slot), pod)));
    }
    let drain = &plan.drain;
    let (step, values) = state.evidence.graph(second, Shown::InFlight, at, super::CELLS);
    DrainCloseup {
        pods,
        policies: StreamKind::ALL
            .into_iter()
            .map(|kind| {
                let word = match drain.policy(kind) {
                    StreamPolicy::Reconnect => "asked to reconnect",
                    StreamPolicy::Wait => "waited for",
                };
                (kind, word.to_owned())
            })
            .collect(),
        quiet: drain.quiet.0.as_secs(),
        other: DrainGraph { step: step as f64 / 1000.0, values },
    }
}

fn row(state: &State, at: Timestamp, slot: Slot, side: Side, pod: &PodView) -> PodRow {
    let evidence = &state.evidence;
    let sampled = evidence.scraped_at(slot, &pod.name);
    let age = sampled.map(|sampled| u64::try_from((at.as_millisecond() - sampled).max(0) / 1000).unwrap_or(0));
    let limit = evidence.stale_after().map_or(0, |limit| limit.0.as_secs());
    PodRow {
        name: pod.name.clone(),
        side: Some(side),
        state: state_of(pod),
        sample_age: age,
        is_stale: age.is_none_or(|age| age > limit),
        by_kind: StreamKind::ALL
            .into_iter()
            .map(|kind| (kind, evidence.inflight_on(slot, &pod.name, kind).filter(|_| !pod.terminated)))
            .collect(),
        oldest: evidence.oldest_on(slot, &pod.name).filter(|_| !pod.terminated),
    }
}

fn state_of(pod: &PodView) -> String {
    match (pod.killed, pod.terminated, pod.deleting, &pod.waiting) {
        (true, _, true, _) => "KILLED".to_owned(),
        (_, true, _, _) => "ended".to_owned(),
        (_, _, true, _) => "ending".to_owned(),
        (_, _, _, Some(why)) => why.clone(),
        _ if pod.ready => "ready".to_owned(),
        _ => "not ready".to_owned(),
    }
}
