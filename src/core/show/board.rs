//! The board: rings and customers, wanted beside observed.

use super::observed::observed;
use crate::api::WaveProgress;
use crate::core::evidence::Who;
use crate::core::roster::RosterRing;
use crate::core::scope::Scope;
use crate::core::{CustomerRow, Moved, RingRow, State, Verdict, guard};
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
    let is_counted = scope.as_ref().is_some_and(|scope| is_counted(state, scope, now));
    let mut rows: Vec<RingRow> = state
        .roster
        .rings
        .iter()
        .map(|ring| RingRow {
            seen: scope.as_ref().and_then(|scope| seen_in(state, scope, ring, is_counted)),
            ..ring_row(state, scope.as_ref(), ring, &verdict, survivors.as_ref())
        })
        .collect();
    rows.push(unlisted_row(state, scope.as_ref(), &verdict, survivors.as_ref()));
    rows
}

/// Counts those that live routes send to a slot; `None` while that is not known of everybody.
pub fn count_on(slot: Slot, mut placed: impl Iterator<Item = Option<Slot>>) -> Option<usize> {
    placed.try_fold(0, |sum, at| Some(sum + usize::from(at? == slot)))
}

/// Returns a row per listed customer, in ring order; none while it is not known who is in which ring.
pub fn customers(state: &State, now: Timestamp) -> Vec<CustomerRow> {
    if !is_known(state) {
        return Vec::new();
    }
    let scope = state.scope();
    let is_counted = scope.as_ref().is_some_and(|scope| is_counted(state, scope, now));
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
                moved: scope.as_ref().map(|scope| moved(scope, wave)).unwrap_or_default(),
                seen: scope.as_ref().and_then(|scope| seen(state, scope, wave, id, is_counted)),
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
    state.plan.is_some() && state.world.is_read()
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
    let traffic = observed(state, scope, who);
    let mut row = RingRow {
        name: ring.name.clone(),
        of: members.len(),
        rps: traffic.rps,
        rps_new: traffic.rps_new,
        share: traffic.share,
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
    let traffic = observed(state, scope, who);
    let mut row = RingRow {
        name: UNLISTED.to_owned(),
        unlisted: true,
        rps: traffic.rps,
        rps_new: traffic.rps_new,
        share: traffic.share,
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

/// Tells whether requests that start on the new version would be seen now.
fn is_counted(state: &State, scope: &Scope<'_>, now: Timestamp) -> bool {
    let at = state.server_now(now);
    crate::core::proof::is_counted(scope, &state.evidence, at, scope.slot(Side::New))
}

/// Tells whether a customer sent requests since its shift; `None` = it was not shifted, or it is not known.
fn seen(state: &State, scope: &Scope<'_>, wave: u32, customer: &CustomerId, is_counted: bool) -> Option<bool> {
    let record = scope.status().waves.get(usize::try_from(wave).ok()?.checked_sub(1)?)?;
    let shifted = record.at.filter(|_| record.state == WaveProgress::New)?;
    // Before its shift nobody's requests go to the new version: what started there in this release started after it.
    let began = scope.status().started.unwrap_or(shifted).as_millisecond();
    let seen = state.evidence.seen_since(scope.slot(Side::New), customer, began, shifted.as_millisecond());
    seen.filter(|seen| *seen || is_counted)
}

/// Counts the customers of a ring that were seen since their shift, the silent ones, and those of whom it is not known.
fn seen_in(state: &State, scope: &Scope<'_>, ring: &RosterRing, is_counted: bool) -> Option<(usize, usize, usize)> {
    let waves = ring.waves.iter().filter(|(wave, _)| progress(scope, *wave) == WaveProgress::New);
    let members = waves.flat_map(|(wave, customers)| customers.iter().map(move |customer| (*wave, customer)));
    members.map(|(wave, customer)| seen(state, scope, wave, customer, is_counted)).fold(None, |counts, seen| {
        let (yes, silent, unknown) = counts.unwrap_or_default();
        Some(match seen {
            Some(true) => (yes + 1, silent, unknown),
            Some(false) => (yes, silent + 1, unknown),
            None => (yes, silent, unknown + 1),
        })
    })
}

fn moved(scope: &Scope<'_>, wave: u32) -> Moved {
    match progress(scope, wave) {
        WaveProgress::Old => Moved::No,
        WaveProgress::Moving => Moved::Moving,
        WaveProgress::New => Moved::Yes,
        WaveProgress::Back => Moved::Back,
    }
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
