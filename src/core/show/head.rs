//! The header: where, who, what, how fresh.

use crate::core::scope::Scope;
use crate::core::world::ReleaseRead;
use crate::core::{FreshRow, Header, Mode, State, Tone, Verdict, guard};
use crate::model::{Phase, ResourceKind, Slot, Timestamp};

/// Computes the header.
pub fn header(state: &State, now: Timestamp) -> Header {
    let mut header = Header {
        cluster: state.setup.cluster.clone(),
        namespace: state.setup.namespace.clone(),
        plan: state.plan_name().unwrap_or_default(),
        mode: state.mode(),
        fresh: fresh(state, now),
        ..Header::default()
    };
    if let Some(plan) = &state.plan {
        header.environment = plan.environment.word().to_owned();
    }
    header.stale = stale(state, now);
    header.logged_out = guard::KUBE_SOURCES
        .into_iter()
        .filter_map(|kind| {
            let source = state.world.source(kind);
            source.failed.filter(|why| why.ends_with(crate::core::LOG_IN)).and(source.failed_since)
        })
        .min()
        .map(|at| state.server_now(at));
    match state.scope() {
        Some(scope) => under_way(state, now, &scope, &mut header),
        None if !state.world.is_read() => unread(state, &mut header),
        None if state.plan.is_none() => without_plan(state, &mut header),
        None => idle(state, &mut header),
    }
    header
}

fn unread(state: &State, header: &mut Header) {
    let failed = state.world.unread().find_map(|kind| state.world.source(kind).failed);
    let word = match &failed {
        Some(_) if !state.world.has_answered() => Header::NO_CLUSTER,
        _ => Header::CONNECTING,
    };
    word.clone_into(&mut header.state);
    header.why = failed.unwrap_or_default();
}

fn without_plan(state: &State, header: &mut Header) {
    header.state = "NO PLAN".into();
    let finding = match state.plan_findings.first() {
        Some(finding) if state.plan_name().is_some() => finding.clone(),
        _ => crate::core::preflight::no_plan(state),
    };
    header.why = finding.text;
}

fn under_way(state: &State, now: Timestamp, scope: &Scope<'_>, header: &mut Header) {
    let at = state.server_now(now);
    let status = scope.status();
    header.release.clone_from(&scope.release.name);
    header.old_version = scope.frozen.old.version.to_string();
    header.new_version = scope.frozen.new.version.to_string();
    header.phase = status.phase.word().to_owned();
    header.in_phase = status.since.map(|since| seconds(since, at));
    let began = status.started.or_else(|| status.journal.first().map(|first| first.at));
    header.total = began.map(|began| seconds(began, at));
    header.wave = (status.wave, scope.last_wave());
    header.ring = scope.wave(status.wave).map(|_| guard::place(scope, status.wave)).unwrap_or_default();
    header.lease = if header.mode == Mode::Driving { state.lease.own_left(state, now) } else { None };
    header.driver = match (header.mode, &status.driver) {
        (Mode::Driving, _) | (_, None) => None,
        (_, Some(driver)) => {
            let live = state.lease.foreign_holder(state, now);
            let word = if state.world.source(ResourceKind::Lease).listed { "gone" } else { "Lease not read" };
            live.or_else(|| Some((format!("{} ({word})", driver.who), header.in_phase.unwrap_or(0))))
        }
    };
    status.phase.word().clone_into(&mut header.state);
    if let Some(blocked) = &status.blocked {
        header.state = "BLOCKED".into();
        header.why.clone_from(&blocked.what);
        header.in_phase = Some(seconds(blocked.since, at));
        header.alarm = Some(Tone::Bad);
    } else if let Some(hold) = scope.release.spec.hold.as_ref().filter(|_| !super::goes_back(status)) {
        header.state = "HOLD".into();
        header.why = format!("by {}: {}", hold.by, hold.reason);
        header.in_phase = Some(seconds(hold.at, at));
        header.alarm = Some(if hold.by.starts_with("gate ") { Tone::Bad } else { Tone::Warn });
    } else if status.phase == Phase::Baking {
        let rows = state.gates.rows(state, scope, now);
        if rows.iter().any(|r| r.verdict == Verdict::Fail) {
            header.alarm = Some(Tone::Bad);
        } else if rows.iter().any(|r| matches!(r.verdict, Verdict::Unknown(_) | Verdict::NoTraffic(_))) {
            header.alarm = Some(Tone::Warn);
        }
    } else if super::goes_back(status) {
        header.alarm = Some(Tone::Warn);
    }
}

fn idle(state: &State, header: &mut Header) {
    header.state = "IDLE".into();
    let Some(plan) = &state.plan else { return };
    let active = state
        .world
        .get(ResourceKind::HTTPRoute, &plan.component.route)
        .and_then(|base| crate::routing::active_slot(base, &plan.component).ok());
    let version =
        |slot: Slot| state.world.deployment(&plan.component, slot).and_then(|d| d.running().map(str::to_owned));
    header.old_version = active.and_then(version).unwrap_or_else(|| "?".into());
    if let Some(last) = last_ended(state) {
        header.state = last.phase().word().to_owned();
        header.release.clone_from(&last.name);
        header.why = match last.phase() {
            Phase::Done => format!("{} serves everybody", header.old_version),
            _ => format!("{} serves everybody again", header.old_version),
        };
    }
}

/// Returns the release that ended last, unless a newer one waits to be started.
pub fn last_ended(state: &State) -> Option<&ReleaseRead> {
    let releases = state.world.releases(&state.plan_name()?);
    releases
        .into_iter()
        .filter(|r| r.phase().is_final())
        .max_by_key(|r| (r.ended(), r.created))
        .filter(|last| !super::panels::proposed(state).iter().any(|row| row.at > last.ended()))
}

fn fresh(state: &State, now: Timestamp) -> Vec<FreshRow> {
    let age = |at: i64| u64::try_from((now.as_millisecond() - at).max(0) / 1000).unwrap_or(0);
    let (_, kube) = guard::oldest_kube(state, now);
    let kube_age = kube.and_then(|ms| u64::try_from(ms.max(0) / 1000).ok());
    let mut rows =
        vec![FreshRow { source: "kube".into(), age: kube_age, stale: guard::kube_fresh(state, now).is_some() }];
    let newest = Slot::ALL.into_iter().filter_map(|slot| state.evidence.newest(slot)).max();
    let ahead = state.server_now(now).as_millisecond() - now.as_millisecond();
    let metrics_age = newest.map(|at| age(at - ahead));
    let limit = state.evidence.stale_after().map_or(0, |s| s.0.as_secs());
    let stale = metrics_age.is_none_or(|age| age > limit) || state.evidence.trouble().is_some();
    rows.push(FreshRow { source: "metrics".into(), age: metrics_age, stale });
    rows
}

fn stale(state: &State, now: Timestamp) -> Vec<String> {
    let mut why: Vec<String> = guard::kube_fresh(state, now).into_iter().map(|r| r.text).collect();
    if let Some(scope) = state.scope() {
        why.extend(guard::metrics_fresh(state, &scope, now).into_iter().map(|r| r.text));
    }
    why
}

fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_second() - from.as_second()).unwrap_or(0)
}
