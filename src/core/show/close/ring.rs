//! One ring: its waves, its approval, and how its customers fare on both versions.

use crate::core::evidence::Who;
use crate::core::{RingCloseup, State, WaveRow};
use crate::model::{Approval, CustomerId, Timestamp, UNLISTED};
use std::collections::BTreeSet;

/// Looks at a ring of the release under way, or of the plan; the unlisted are one, too.
pub(super) fn look(state: &State, now: Timestamp, name: &str) -> Option<RingCloseup> {
    let at = state.server_now(now);
    let plan = state.plan.as_ref()?;
    if name == UNLISTED {
        let (errors, rates) = super::graphs(state, at, Who::Unlisted(&state.roster.listed));
        let last = state.scope().map(|scope| scope.last_wave());
        let waves = last.into_iter().map(|number| wave(state, number, &[])).collect();
        let bake = plan.promote_bake.0.as_secs();
        return Some(RingCloseup { name: name.to_owned(), waves, bake, errors, rates, ..RingCloseup::default() });
    }
    let ring = plan.ring(name)?;
    let (members, waves) = match state.roster.ring(name) {
        Some(ring) => (&ring.members, ring.waves.as_slice()),
        None => (&BTreeSet::new(), &[][..]),
    };
    let (errors, rates) = super::graphs(state, at, Who::Among(members));
    let approved = state.scope().and_then(|scope| {
        let mut approvals = scope.release.spec.approvals.iter();
        approvals.find(|record| record.ring == name && record.plan_hash == scope.frozen.hash).cloned()
    });
    Some(RingCloseup {
        name: name.to_owned(),
        waves: waves.iter().map(|(number, members)| wave(state, *number, members)).collect(),
        bake: ring.bake.0.as_secs(),
        needs_approval: ring.approval == Approval::Required,
        approved: approved.map(|record| (record.by, record.at)),
        errors,
        rates,
    })
}

fn wave(state: &State, number: u32, members: &[CustomerId]) -> WaveRow {
    let index = usize::try_from(number).unwrap_or(1).saturating_sub(1);
    let record = state.scope().and_then(|scope| scope.status().waves.get(index).cloned()).unwrap_or_default();
    WaveRow {
        number,
        customers: members.iter().map(ToString::to_string).collect(),
        state: match record.state {
            crate::api::WaveProgress::Old => "old",
            crate::api::WaveProgress::Moving => "moving",
            crate::api::WaveProgress::New => "new",
            crate::api::WaveProgress::Back => "back",
        }
        .to_owned(),
        at: record.at,
        silent: record.silent,
    }
}
