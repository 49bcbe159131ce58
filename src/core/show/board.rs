//! The board: rings and customers, wanted beside observed.

use crate::api::WaveProgress;
use crate::core::evidence::Who;
use crate::core::roster::RosterRing;
use crate::core::scope::Scope;
use crate::core::{CustomerRow, RingRow, State, Verdict, guard};
use crate::model::{Approval, CustomerId, Phase, Side, Slot, Timestamp, UNLISTED};
use std::collections::BTreeMap;

/// Returns a row per ring, the unlisted last; none while it is not known who is in which ring.
pub fn rings(state: &State, now: Timestamp) -> Vec<RingRow> {
    if !is_known(state) {
        return Vec::new();
    }
    let scope = state.scope();
    let verdict = worst(state, now);
    let survivors = scope.as_ref().and_then(|scope| left_work(state, scope));
    let mut rows: Vec<RingRow> = state
        .roster
        .rings
        .iter()
        .map(|ring| ring_row(state, scope.as_ref(), ring, &verdict, survivors.as_ref()))
        .collect();
    rows.push(unlisted_row(state, scope.as_ref(), &verdict, survivors.as_ref()));
    rows
}

/// Counts those that live routes send to a slot; `None` while that is not known of everybody.
pub fn count_on(slot: Slot, mut placed: impl Iterator<Item = Option<Slot>>) -> Option<usize> {
    placed.try_fold(0, |sum, at| Some(sum + usize::from(at? == slot)))
}

/// Returns a row per listed customer, in ring order; none while it is not known who is in which ring.
pub fn customers(state: &State) -> Vec<CustomerRow> {
    if !is_known(state) {
        return Vec::new();
    }
    let scope = state.scope();
    let survivors = scope.as_ref().and_then(|scope| left_work(state, scope));
    let waves = state.roster.rings.iter().flat_map(|ring| ring.waves.iter().map(move |wave| (&ring.name, wave)));
    waves
        .flat_map(|(ring, (wave, members))| members.iter().map(move |id| (ring, *wave, id)))
        .map(|(ring, wave, id)| {
            let placed = state.placed.customers.get(id).copied().flatten();
            let now = placed.map(|slot| side_of(scope.as_ref(), slot));
            let who = Who::Customer(id);
            CustomerRow {
                name: state.roster.names.get(id).cloned().unwrap_or_default(),
                want: scope.as_ref().map(|scope| wanted(scope, wave)),
                now,
                rps: placed.and_then(|slot| state.evidence.rate(slot, who)),
                errors: placed.and_then(|slot| state.evidence.error_ratio(slot, who)),
                inflight_left: survivors.as_ref().map(|s| s.get(id).copied().unwrap_or(0)),
                seen: scope.as_ref().and_then(|scope| seen(state, scope, wave, id)),
                since: scope.as_ref().and_then(|scope| reached(scope, wave)),
                ring: ring.clone(),
                wave,
                id: id.to_string(),
            }
        })
        .collect()
}

/// Tells whether it is known who is in which ring: a release under way has frozen that, a plan alone says who would be.
fn is_known(state: &State) -> bool {
    state.plan.is_some() && super::head::is_read(state)
}

fn ring_row(
    state: &State,
    scope: Option<&Scope<'_>>,
    ring: &RosterRing,
    verdict: &Verdict,
    survivors: Option<&BTreeMap<CustomerId, u64>>,
) -> RingRow {
    let members = &ring.members;
    let who = Who::Among(members);
    let rps = Slot::ALL.into_iter().filter_map(|slot| state.evidence.rate(slot, who)).reduce(|a, b| a + b);
    let mut row = RingRow {
        name: ring.name.clone(),
        of: members.len(),
        rps,
        inflight_left: survivors.map(|s| members.iter().filter_map(|c| s.get(c)).sum()),
        state: "-".into(),
        waves: (0, ring.waves.len()),
        ..RingRow::default()
    };
    let Some(scope) = scope else {
        row.now = Some(0);
        row.errors_old = super::panels::serving(state).and_then(|slot| state.evidence.error_ratio(slot, who));
        return row;
    };
    let new = scope.slot(Side::New);
    row.now = count_on(new, members.iter().map(|c| state.placed.customers.get(c).copied().flatten()));
    row.errors_new = state.evidence.error_ratio(new, who);
    row.errors_old = state.evidence.error_ratio(new.other(), who);
    let status = scope.status();
    for (number, customers) in &ring.waves {
        let progress = progress(scope, *number);
        if matches!(progress, WaveProgress::New | WaveProgress::Moving) && !super::goes_back(status) {
            row.want += customers.len();
        }
        row.waves.0 += usize::from(progress == WaveProgress::New);
        row.is_current |= *number == status.wave;
        row.is_next |= *number == status.wave + 1 && !super::goes_back(status);
        if progress == WaveProgress::New {
            let seen = customers.iter().filter(|c| seen(state, scope, *number, c) == Some(true)).count();
            let (before, silent) = row.seen.unwrap_or((0, 0));
            row.seen = Some((before + seen, silent + customers.len() - seen));
        }
    }
    row.state = state_word(scope, &row);
    if row.is_current && status.phase == Phase::Baking {
        row.verdict = verdict.clone();
    }
    row.needs_approval = scope.plan.ring(&ring.name).is_some_and(|ring| ring.approval == Approval::Required)
        && row.waves.0 < row.waves.1
        && ring.waves.iter().any(|(n, _)| scope.wave(*n).is_some_and(|w| guard::approved(scope, w).is_some()));
    row
}

fn unlisted_row(
    state: &State,
    scope: Option<&Scope<'_>>,
    verdict: &Verdict,
    survivors: Option<&BTreeMap<CustomerId, u64>>,
) -> RingRow {
    let listed = &state.roster.listed;
    let who = Who::Unlisted(listed);
    let rps = Slot::ALL.into_iter().filter_map(|slot| state.evidence.rate(slot, who)).reduce(|a, b| a + b);
    let mut row = RingRow {
        name: UNLISTED.to_owned(),
        unlisted: true,
        rps,
        state: "-".into(),
        waves: (0, 1),
        ..RingRow::default()
    };
    let Some(scope) = scope else {
        row.now = Some(0);
        row.errors_old = super::panels::serving(state).and_then(|slot| state.evidence.error_ratio(slot, who));
        return row;
    };
    let new = scope.slot(Side::New);
    // What is open beside the listed customers' work, which is counted by name.
    row.inflight_left = super::panels::left_side(scope).zip(survivors).and_then(|(side, by_customer)| {
        let of_listed: u64 = listed.iter().filter_map(|customer| by_customer.get(customer)).sum();
        Some(state.evidence.inflight(scope.slot(side))?.saturating_sub(of_listed))
    });
    let last = scope.last_wave();
    let progress = progress(scope, last);
    row.want =
        usize::from(matches!(progress, WaveProgress::New | WaveProgress::Moving) && !super::goes_back(scope.status()));
    row.now = state.placed.unlisted.map(|slot| usize::from(slot == new));
    row.errors_new = state.evidence.error_ratio(new, who);
    row.errors_old = state.evidence.error_ratio(new.other(), who);
    row.waves = (usize::from(progress == WaveProgress::New), 1);
    row.is_current = scope.status().wave == last;
    row.is_next = scope.status().wave + 1 == last;
    row.state = state_word(scope, &row);
    if row.is_current && scope.status().phase == Phase::Baking {
        row.verdict = verdict.clone();
    }
    row
}

/// Returns the word of a ring's state.
fn state_word(scope: &Scope<'_>, row: &RingRow) -> String {
    let phase = scope.status().phase;
    let word = match phase {
        _ if super::goes_back(scope.status()) && row.now == Some(0) => "back",
        Phase::RollingBack => "moving",
        Phase::Shifting | Phase::Promoting if row.is_current => "moving",
        Phase::Verifying if row.is_current => "verify",
        Phase::Baking if row.is_current => "baking",
        _ if row.waves.0 == row.waves.1 && row.waves.1 > 0 => "new",
        Phase::Ready | Phase::Baking if row.is_next => "next",
        _ => "-",
    };
    word.to_owned()
}

/// Combines the gates' verdicts: fail before unknown before no traffic before waiting before pass.
fn worst(state: &State, now: Timestamp) -> Verdict {
    let Some(scope) = state.scope() else { return Verdict::Waiting };
    let rank = |v: &Verdict| match v {
        Verdict::Pass => 0,
        Verdict::Waiting => 1,
        Verdict::NoTraffic(_) => 2,
        Verdict::Unknown(_) => 3,
        Verdict::Fail => 4,
    };
    let verdicts = state.gates.rows(state, &scope, now).into_iter().map(|row| row.verdict);
    verdicts.max_by_key(rank).unwrap_or(Verdict::Pass)
}

/// Returns open work by customer on the slot that is being left; `None` = not known whose it is, or nothing is left.
fn left_work(state: &State, scope: &Scope<'_>) -> Option<BTreeMap<CustomerId, u64>> {
    let side = super::panels::left_side(scope)?;
    state.evidence.survivors(scope.slot(side))
}

fn seen(state: &State, scope: &Scope<'_>, wave: u32, customer: &CustomerId) -> Option<bool> {
    let record = scope.status().waves.get(usize::try_from(wave).ok()?.checked_sub(1)?)?;
    if record.state != WaveProgress::New {
        return None;
    }
    let from = record.at?.as_millisecond() - 15_000;
    Some(state.evidence.started(scope.slot(Side::New), Who::Customer(customer), from) > 0.0)
}

/// Returns when a wave reached the version it is on; `None` before it moved.
pub fn reached(scope: &Scope<'_>, wave: u32) -> Option<Timestamp> {
    let record = scope.status().waves.get(usize::try_from(wave).ok()?.checked_sub(1)?)?;
    matches!(record.state, WaveProgress::New | WaveProgress::Back).then_some(record.at).flatten()
}

fn progress(scope: &Scope<'_>, wave: u32) -> WaveProgress {
    let index = usize::try_from(wave).unwrap_or(1).saturating_sub(1);
    scope.status().waves.get(index).map(|w| w.state).unwrap_or_default()
}

fn wanted(scope: &Scope<'_>, wave: u32) -> Side {
    let on_new = matches!(progress(scope, wave), WaveProgress::New | WaveProgress::Moving);
    if on_new && !super::goes_back(scope.status()) { Side::New } else { Side::Old }
}

fn side_of(scope: Option<&Scope<'_>>, slot: Slot) -> Side {
    match scope {
        Some(scope) if slot == scope.slot(Side::New) => Side::New,
        _ => Side::Old,
    }
}
