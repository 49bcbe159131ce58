//! Every release of the plan and the four figures of delivery, from the record alone.

use crate::core::world::ReleaseRead;
use crate::core::{Delivery, PastRow, Releases, State};
use crate::model::{Phase, Timestamp};

/// The days the figures look back.
const DAYS: u32 = 30;
const DAY: i64 = 86_400;

/// Looks at all releases.
pub(super) fn look(state: &State, now: Timestamp) -> Releases {
    let Some(plan) = state.plan_name() else { return Releases::default() };
    let active = state.world.active_release(&plan);
    let releases = state.world.releases(&plan);
    let rows = releases.iter().map(|release| row(release, active.as_deref() == Some(&release.name))).collect();
    Releases { rows, delivery: delivery(&releases, state.server_now(now)) }
}

fn row(release: &ReleaseRead, is_active: bool) -> PastRow {
    let status = &release.status;
    let outcome = status.outcome.clone().unwrap_or_default();
    let listed = |frozen: &crate::api::Frozen| frozen.waves.iter().map(|wave| wave.customers.len()).sum();
    PastRow {
        name: release.name.clone(),
        version: release.spec.version.to_string(),
        state: if is_active && release.spec.hold.is_some() { "HOLD" } else { release.phase().word() }.to_owned(),
        is_active,
        by: release.spec.requested_by.clone(),
        // The first record is that of the start, unless it has gone into an overflow.
        started: status.journal.first().filter(|first| first.seq == 1).map(|first| first.at),
        ended: outcome.finished_at,
        moved: outcome.customers_moved,
        of: status.frozen.as_ref().map(listed),
        cut: outcome.cut,
        forced_on: (!outcome.forced_unknown).then_some(outcome.forced_on.len()),
        commit: release.spec.commit.as_ref().map(|commit| commit.sha.clone()).unwrap_or_default(),
    }
}

/// Computes the figures of the last days; releases that have not ended say nothing yet.
fn delivery(releases: &[&ReleaseRead], now: Timestamp) -> Delivery {
    let span = i64::from(DAYS) * DAY;
    let ended = |release: &ReleaseRead| Some(now.as_second() - release.ended()?.as_second());
    let within = |from: i64, to: i64| {
        let mut found: Vec<&ReleaseRead> =
            releases.iter().copied().filter(|r| ended(r).is_some_and(|age| age >= from && age < to)).collect();
        found.sort_by_key(|release| std::cmp::Reverse(ended(release)));
        found
    };
    let (these, before) = (within(0, span), within(span, 2 * span));
    let since = releases.iter().filter_map(|release| release.created).min();
    let reaches = since.is_some_and(|since| now.as_second() - since.as_second() >= 2 * span);
    let failed = |found: &[&ReleaseRead]| found.iter().filter(|r| r.phase() == Phase::RolledBack).count();
    let done: Vec<&ReleaseRead> = these.iter().copied().filter(|r| r.phase() == Phase::Done).collect();
    let mut daily = vec![0; DAYS as usize];
    for age in done.iter().filter_map(|release| ended(release)) {
        let day = usize::try_from(age / DAY).unwrap_or(0).min(daily.len() - 1);
        let last = daily.len() - 1;
        daily[last - day] += 1;
    }
    let leads: Vec<u64> = done.iter().filter_map(|release| lead(release)).collect();
    let restores: Vec<u64> = these.iter().filter_map(|release| restored(release)).collect();
    Delivery {
        days: DAYS,
        ended: these.len(),
        ended_before: reaches.then_some(before.len()),
        rolled_back: failed(&these),
        rolled_back_before: reaches.then(|| failed(&before)),
        daily,
        outcomes: these.iter().map(|release| release.phase() == Phase::Done).collect(),
        without_commit: done.len() - leads.len(),
        lead_of: leads.len(),
        lead: percentiles(leads),
        restore_of: restores.len(),
        restore: percentiles(restores),
        since,
    }
}

/// Returns the seconds from the commit to the end of a release that was done.
fn lead(release: &ReleaseRead) -> Option<u64> {
    let made = release.spec.commit.as_ref()?.time?;
    let ended = release.status.outcome.as_ref()?.finished_at?;
    u64::try_from(ended.as_second() - made.as_second()).ok()
}

/// Returns the seconds from the order to roll back until every customer was verified back.
///
/// Leaving `VerifyingBack` is what the journal calls verified; what follows, the drain of the new version, keeps nobody
/// waiting.
fn restored(release: &ReleaseRead) -> Option<u64> {
    let ordered = release.status.outcome.as_ref()?.rolled_back_at?;
    let verified = release.status.journal.iter().rev().find(|record| {
        record.act == "phase" && record.what == format!("enter {}", Phase::DrainingNew) && record.at >= ordered
    })?;
    u64::try_from(verified.at.as_second() - ordered.as_second()).ok()
}

fn percentiles(mut seconds: Vec<u64>) -> Option<(u64, u64)> {
    seconds.sort_unstable();
    let last = seconds.len().checked_sub(1)?;
    let at = |share: f64| seconds[(last as f64 * share).round() as usize];
    Some((at(0.5), at(0.9)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::world::read_release;
    use serde_json::{Value, json};

    fn release(name: &str, status: Value, commit: Value) -> ReleaseRead {
        read_release(&json!({
            "metadata": { "name": name, "uid": name, "creationTimestamp": "2026-05-01T00:00:00Z" },
            "spec": { "plan": "p", "version": name, "commit": commit },
            "status": status,
        }))
    }

    fn done(name: &str, ended: &str, made: &str) -> ReleaseRead {
        let outcome = json!({ "result": "Done", "finishedAt": ended, "customersMoved": 3, "cut": 0 });
        release(name, json!({ "phase": "Done", "outcome": outcome }), json!({ "sha": "abc", "time": made }))
    }

    #[test]
    fn delivery_counts_only_what_has_ended_and_what_the_record_holds() {
        let back = release(
            "back",
            json!({ "phase": "RolledBack",
                "outcome": { "result": "RolledBack", "finishedAt": "2026-05-20T10:00:00Z", "rolledBackAt": "2026-05-20T09:00:00Z" },
                "journal": [{ "seq": 9, "at": "2026-05-20T09:00:40Z", "by": "k", "act": "phase", "what": "enter DrainingNew" }] }),
            Value::Null,
        );
        let under_way = release("now", json!({ "phase": "Baking" }), Value::Null);
        let mut early = done("early", "2026-05-21T12:00:00Z", "2026-05-21T10:00:00Z");
        early.spec.commit = None;
        let all = [&done("one", "2026-05-21T12:00:00Z", "2026-05-21T10:00:00Z"), &back, &under_way, &early];
        let found = delivery(&all, "2026-05-22T00:00:00Z".parse().unwrap());
        assert_eq!((found.ended, found.rolled_back, found.ended_before), (3, 1, None));
        assert_eq!((found.lead, found.lead_of, found.without_commit), (Some((7200, 7200)), 1, 1));
        assert_eq!((found.restore, found.restore_of), (Some((40, 40)), 1));
        assert_eq!(found.outcomes, [false, true, true]);
        assert_eq!(found.daily.iter().sum::<u32>(), 2);
        assert_eq!(found.daily.last(), Some(&2));
    }

    #[test]
    fn an_empty_record_has_no_figures() {
        let found = delivery(&[], "2026-05-22T00:00:00Z".parse().unwrap());
        assert_eq!((found.lead, found.restore, found.since), (None, None, None));
    }

    #[test]
    fn half_and_nine_of_ten_are_of_the_sorted_times() {
        assert_eq!(percentiles(vec![9, 1, 5]), Some((5, 9)));
        assert_eq!(percentiles((1..=11).collect()), Some((6, 10)));
        assert_eq!(percentiles(Vec::new()), None);
    }
}
