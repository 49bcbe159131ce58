//! Safety rules: each says why an act may not happen now, or nothing. All refusals are shown, not the first.

use super::scope::Scope;
use super::{State, Verdict};
use crate::api::{ReleaseStatus, WaveProgress};
use crate::model::{Approval, Phase, Refusal, ResourceKind, Side, Timestamp, Wave, counted};
use crate::routing::{active_slot, weights_of};

/// A kube source older than this is too old to act forward on, in milliseconds (CONTRACTS 5).
const KUBE_LIMIT: i64 = 10_000;
/// The kinds whose age counts.
pub const KUBE_SOURCES: [ResourceKind; 7] = [
    ResourceKind::Release,
    ResourceKind::RolloutPlan,
    ResourceKind::HTTPRoute,
    ResourceKind::Deployment,
    ResourceKind::Pod,
    ResourceKind::EndpointSlice,
    ResourceKind::Lease,
];

/// Refuses while the release is held; a rollback goes on under exactly the hold it found.
pub fn hold(scope: &Scope<'_>, now: Timestamp, found: Option<&crate::api::Hold>) -> Option<Refusal> {
    let hold = scope.release.spec.hold.as_ref()?;
    if found == Some(hold) {
        return None;
    }
    let because = if hold.reason.is_empty() { String::new() } else { format!(": {}", hold.reason) };
    Some(Refusal::new("guard.hold", format!("held by {} for {}{because}", hold.by, ago(hold.at, now))))
}

/// Refuses while the record says that something needs a person.
pub fn blocked(scope: &Scope<'_>, now: Timestamp) -> Option<Refusal> {
    let blocked = scope.status().blocked.as_ref()?;
    Some(Refusal::new("guard.blocked", format!("blocked for {}: {}", ago(blocked.since, now), blocked.what)))
}

/// Refuses while another console with a live Lease drives.
pub fn driver(state: &State, now: Timestamp) -> Option<Refusal> {
    if state.drives() {
        return None;
    }
    let (holder, age) = state.lease.foreign_holder(state, now)?;
    Some(Refusal::new("guard.driver", format!("driven by {holder}, seen {age} s ago: take over first")))
}

/// Refuses to act on what was never read, because the API server does not let it be or has never answered; what is not
/// read is not absent.
pub fn unread(state: &State) -> Option<Refusal> {
    let kind = state.world.unread().next()?;
    let rule = if state.world.has_answered() { "guard.unread" } else { "guard.unreached" };
    Some(Refusal::new(rule, format!("{} has not been read yet{}", kind.name(), why_failed(state, kind))))
}

/// Refuses forward acts on an old picture of the cluster.
pub fn kube_fresh(state: &State, now: Timestamp) -> Option<Refusal> {
    let (kind, age) = oldest_kube(state, now);
    if let Some(name) = &state.watched
        && !state.world.source(ResourceKind::ConfigMap).listed
    {
        let why = why_failed(state, ResourceKind::ConfigMap);
        return Some(Refusal::new("guard.stale-kube", format!("ConfigMap {name} has not been read yet{why}")));
    }
    match age {
        Some(age) if age <= KUBE_LIMIT => None,
        Some(age) => Some(Refusal::new(
            "guard.stale-kube",
            format!("{} has not been heard of for {} s{}", kind.name(), age / 1000, why_failed(state, kind)),
        )),
        None => Some(Refusal::new(
            "guard.stale-kube",
            format!("{} has not been read yet{}", kind.name(), why_failed(state, kind)),
        )),
    }
}

/// Refuses a start on an old picture of Gateways and policies; that there is none yet is a finding of the preflight.
pub fn surveyed(state: &State, now: Timestamp) -> Option<Refusal> {
    let age = state.surveys.age(&super::survey::request(state)?, now)?;
    (age > super::survey::FRESH).then(|| {
        let text = format!(
            "Gateways and policies were last looked at {age} ago: they are looked at again, which takes a moment"
        );
        Refusal::new(super::survey::STALE, text)
    })
}

/// Returns the kind heard of least recently and its age in milliseconds; `None` = never.
pub fn oldest_kube(state: &State, now: Timestamp) -> (ResourceKind, Option<i64>) {
    KUBE_SOURCES
        .into_iter()
        .map(|kind| {
            let age = state.world.source(kind).alive.map(|at| now.as_millisecond() - at.as_millisecond());
            (kind, age)
        })
        .max_by_key(|(_, age)| age.unwrap_or(i64::MAX))
        .unwrap_or((ResourceKind::Release, None))
}

fn why_failed(state: &State, kind: ResourceKind) -> String {
    state.world.source(kind).failed.map(|why| format!(" ({why})")).unwrap_or_default()
}

/// Refuses forward acts while metrics are old, partial or absent for a pod of either slot.
pub fn metrics_fresh(state: &State, scope: &Scope<'_>, now: Timestamp) -> Option<Refusal> {
    let at = state.server_now(now);
    let missing: Vec<String> = [Side::Old, Side::New]
        .into_iter()
        .flat_map(|side| super::proof::freshness(scope, &state.evidence, at, scope.slot(side)))
        .collect();
    let first = missing.first()?;
    // While the source itself is in trouble, that each pod is silent follows from it.
    let others = if state.evidence.trouble().is_some() { 0 } else { missing.len() - 1 };
    let more = if others > 0 { format!(" (and {others} more)") } else { String::new() };
    Some(Refusal::new("guard.stale-metrics", format!("metrics are not fresh: {first}{more}")))
}

/// Refuses to send anybody to a slot that is not fully ready.
pub fn target_ready(scope: &Scope<'_>) -> Option<Refusal> {
    let wanted = usize::try_from(scope.wanted_replicas()).unwrap_or(usize::MAX);
    let service = scope.service(Side::New);
    let ready = scope.world.ready_endpoints(service);
    (ready < wanted).then(|| {
        let waiting = scope
            .world
            .pods(scope.component(), scope.slot(Side::New))
            .find_map(|pod| pod.waiting.as_ref().map(|why| format!(", pod {}: {why}", pod.name)))
            .unwrap_or_default();
        Refusal::new(
            "guard.ready",
            format!("{ready} of {} of Service {service} are ready{waiting}", counted(wanted, "pod")),
        )
    })
}

/// Refuses until the wave has baked, in server time.
pub fn baked(scope: &Scope<'_>, server_now: Timestamp) -> Option<Refusal> {
    let status = scope.status();
    if status.phase != Phase::Baking {
        return None;
    }
    let bake = scope.bake_of(scope.wave(status.wave)?);
    let end = status.since? + super::proof::jiff_span(bake);
    let left = super::proof::seconds_between(server_now, end);
    (left > 0).then(|| Refusal::new("guard.bake", format!("{} bakes for {left} s more", place(scope, status.wave))))
}

/// Refuses while a gate does not pass; `accepted` = a person passes gates that only lack traffic.
pub fn gates(state: &State, scope: &Scope<'_>, now: Timestamp, accepted: bool) -> Vec<Refusal> {
    if scope.status().phase != Phase::Baking {
        return Vec::new();
    }
    let rows = state.gates.rows(state, scope, now);
    rows.into_iter()
        .filter_map(|row| {
            let why = match &row.verdict {
                Verdict::Pass => return None,
                Verdict::NoTraffic(_) if accepted => return None,
                Verdict::Fail => format!("gate {} FAIL: {} over the limit {}", row.name, row.value, row.limit),
                Verdict::Waiting => format!("gate {} has no verdict yet", row.name),
                Verdict::Unknown(why) => format!("gate {} is unknown: {why}", row.name),
                Verdict::NoTraffic(why) => format!("gate {} saw too little traffic: {why}", row.name),
            };
            Some(Refusal::new("guard.gate", why))
        })
        .collect()
}

/// Refuses a ring that nobody has approved.
pub fn approved(scope: &Scope<'_>, wave: &Wave) -> Option<Refusal> {
    if scope.ring_of(wave)?.approval == Approval::None {
        return None;
    }
    let hash = &scope.frozen.hash;
    let given = scope.release.spec.approvals.iter().any(|a| a.ring == wave.ring.as_str() && &a.plan_hash == hash);
    (!given).then(|| Refusal::new("guard.approval", format!("ring {} waits for an approval", wave.ring)))
}

/// Refuses when live routes do not say what the record says; only a person may decide what is right.
pub fn mismatch(scope: &Scope<'_>) -> Option<Refusal> {
    let status = scope.status();
    if status.intent.is_some() || status.phase.is_backward() {
        return None;
    }
    let wrong = waves_off_record(scope, status);
    wrong.map(|what| {
        Refusal::new("guard.drift", format!("{what}: somebody else wrote it; put it back as it was, or roll back"))
    })
}

fn waves_off_record(scope: &Scope<'_>, status: &ReleaseStatus) -> Option<String> {
    if matches!(status.phase, Phase::Cleaning | Phase::Done) {
        return None;
    }
    for record in &status.routes {
        if record.uid.is_empty() {
            continue;
        }
        let Some(route) = scope.route(record) else { return Some(format!("HTTPRoute {} is gone", record.name)) };
        for cell in &record.cells {
            let Some(expected) = expected_side(status, cell.wave) else { continue };
            if weights_of(route, &cell.rules, scope.component()) != Some(scope.slot(expected)) {
                return Some(format!(
                    "HTTPRoute {} does not send wave {} to the {expected} version",
                    record.name, cell.wave
                ));
            }
        }
    }
    let Some(base) = scope.base() else { return Some(format!("HTTPRoute {} is gone", scope.component().route)) };
    let expected = expected_side(status, scope.last_wave())?;
    let live = active_slot(base, scope.component()).ok();
    (live != Some(scope.slot(expected)))
        .then(|| format!("HTTPRoute {} does not send the unlisted to the {expected} version", scope.component().route))
}

/// Returns where the record says a wave is; `None` while it moves.
fn expected_side(status: &ReleaseStatus, wave: u32) -> Option<Side> {
    let index = usize::try_from(wave).ok()?.checked_sub(1)?;
    match status.waves.get(index)?.state {
        WaveProgress::Old | WaveProgress::Back => Some(Side::Old),
        WaveProgress::New => Some(Side::New),
        WaveProgress::Moving => None,
    }
}

/// Names a wave for people: the ring, with its number where the ring has several.
pub fn place(scope: &Scope<'_>, wave: u32) -> String {
    let Some(found) = scope.wave(wave) else { return format!("wave {wave}") };
    let same = |w: &&Wave| w.ring == found.ring;
    let of = scope.frozen.waves.iter().filter(same).count();
    if of < 2 {
        return found.ring.to_string();
    }
    let upto = usize::try_from(wave).unwrap_or(0);
    let nth = scope.frozen.waves.iter().take(upto).filter(same).count();
    format!("{} {nth}/{of}", found.ring)
}

/// Writes how long ago something was.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = (now.as_second() - at.as_second()).max(0);
    crate::model::Span::seconds(seconds.unsigned_abs()).to_string()
}
