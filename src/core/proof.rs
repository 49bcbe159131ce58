//! Drain as a proof, and a shift as an observation: what must have been seen before the next step.

use super::evidence::{Counted, Evidence, Who};
use super::scope::Scope;
use super::world::PodView;
use crate::api::{NO_ENDPOINTS, WaveProgress};
use crate::model::{CustomerId, Phase, Side, Slot, StreamKind, StreamPolicy, Timestamp, counted};
use crate::routing::{Acceptance, acceptance};
use std::collections::BTreeSet;

/// Whether nothing is open on a slot any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Everything the proof needs was seen.
    Proven,
    /// No rule of this release ever sent anybody there: nothing can be open.
    NeverRouted,
    /// What is missing, one sentence each; never shown or treated as zero.
    NotProven(Vec<String>),
}

impl Proof {
    /// Tells whether the slot may be scaled down.
    pub fn holds(&self) -> bool {
        !matches!(self, Self::NotProven(_))
    }
}

/// Whether a shift is live for the customers it moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It is: how many customers were seen on the target, and how many sent nothing.
    Yes {
        /// Seen on the target.
        seen: usize,
        /// Sent no request since the shift.
        silent: usize,
    },
    /// What the gateway is still waited for, one sentence each.
    Waiting(Vec<String>),
    /// It is accepted and settled, but the metrics do not show it yet; what is missing, one sentence each.
    Unseen(Vec<String>),
    /// Requests still start on the source after the settle time; who.
    NotLive(String),
    /// The gateway reports a bad condition.
    BadStatus(String),
}

/// Says whether the routes of the release are accepted at their newest generation.
pub fn routes_accepted(scope: &Scope<'_>) -> Acceptance {
    let mut pending = None;
    let mut bad = Vec::new();
    // Placeholder rules, which no request matches, go on naming the slot that was retired on purpose.
    let expected = (scope.status().phase == Phase::Cleaning).then_some(NO_ENDPOINTS);
    for route in scope.base().into_iter().chain(scope.managed()) {
        match acceptance(route, expected, scope.controllers) {
            Acceptance::Accepted => {}
            Acceptance::Pending(why) => pending = pending.or(Some(why)),
            Acceptance::Bad(why) => bad.extend(why),
        }
    }
    if !bad.is_empty() {
        return Acceptance::Bad(bad);
    }
    pending.map_or(Acceptance::Accepted, Acceptance::Pending)
}

/// Verifies a shift of `moved` to the side `to`; `accepted` = since when every route has been accepted.
pub fn verified(
    scope: &Scope<'_>,
    evidence: &Evidence,
    now: Timestamp,
    accepted: Option<Timestamp>,
    to: Side,
    moved: &Moved,
) -> Verified {
    match routes_accepted(scope) {
        Acceptance::Bad(why) => return Verified::BadStatus(why.join("; ")),
        Acceptance::Pending(why) => return Verified::Waiting(vec![format!("the gateway has not accepted yet: {why}")]),
        Acceptance::Accepted => {}
    }
    let since = scope.status().since.unwrap_or(now);
    let settled = accepted.map_or(now, |at| at.max(since)) + jiff_span(scope.settle());
    if now < settled {
        return Verified::Waiting(vec![format!("settling for {} s more", seconds_between(now, settled))]);
    }
    if moved.is_nobody() {
        return Verified::Yes { seen: 0, silent: 0 };
    }
    let (source, target) = (scope.slot(to.other()), scope.slot(to));
    let settled_ms = settled.as_millisecond();
    if let Some(missing) = missing_scrapes(scope, evidence, now, source, settled_ms) {
        return Verified::Unseen(missing);
    }
    let mut uncounted: Vec<String> =
        covered(scope, source).filter_map(|pod| uncounted(scope, evidence, to.other(), pod)).collect();
    // Where requests were served and not counted, nobody is silent: nobody would have been seen.
    uncounted.extend(covered(scope, target).filter_map(|pod| without_series(scope, evidence, target, pod)));
    if !uncounted.is_empty() {
        return Verified::Unseen(uncounted);
    }
    let late = moved.starting(scope, evidence, source, settled_ms);
    if !late.is_empty() {
        return Verified::NotLive(format!("requests of {} still start on the {} version", late.join(", "), to.other()));
    }
    let (seen, silent) = moved.seen(evidence, target, moved.since.unwrap_or(since).as_millisecond());
    Verified::Yes { seen, silent }
}

/// Who was moved by a shift.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    /// Listed customers.
    pub customers: Vec<CustomerId>,
    /// Everybody outside this list, when the unlisted were moved.
    pub unlisted: Option<BTreeSet<CustomerId>>,
    /// When the first of them was moved.
    pub since: Option<Timestamp>,
}

impl Moved {
    /// Tells whether nobody was moved.
    pub fn is_nobody(&self) -> bool {
        self.customers.is_empty() && self.unlisted.is_none()
    }

    /// Names those whose requests started on the source between its first sample after `from` and its last.
    fn starting(&self, scope: &Scope<'_>, evidence: &Evidence, source: Slot, from: i64) -> Vec<String> {
        let mut found = BTreeSet::new();
        for pod in covered(scope, source) {
            // Requests counted at the first sample after the settle time may have started before it.
            let Some(first) = evidence.scrapes_after(source, &pod.name, from).first().copied() else { continue };
            // On a pod that is younger than that, all of them started after it.
            let base = if pod.started.is_some_and(|at| at.as_millisecond() > from) { from } else { first };
            for customer in &self.customers {
                if evidence.started_on(source, &pod.name, Who::Customer(customer), base) > 0.0 {
                    found.insert(customer.to_string());
                }
            }
            if let Some(listed) = &self.unlisted
                && evidence.started_on(source, &pod.name, Who::Unlisted(listed), base) > 0.0
            {
                found.insert("the unlisted".to_owned());
            }
        }
        found.into_iter().collect()
    }

    fn seen(&self, evidence: &Evidence, target: Slot, from: i64) -> (usize, usize) {
        let seen = self.customers.iter().filter(|c| evidence.started(target, Who::Customer(c), from) > 0.0).count();
        (seen, self.customers.len() - seen)
    }
}

/// Names who was moved by a wave.
pub fn moved_by(scope: &Scope<'_>, number: u32) -> Moved {
    let Some(wave) = scope.wave(number) else { return Moved::default() };
    let index = usize::try_from(number).unwrap_or(1).saturating_sub(1);
    let since = scope.status().waves.get(index).and_then(|w| w.at);
    if wave.is_unlisted() {
        return Moved { customers: Vec::new(), unlisted: Some(scope.listed()), since };
    }
    Moved { customers: wave.customers.clone(), unlisted: None, since }
}

/// Names who was moved back by a rollback.
pub fn moved_back(scope: &Scope<'_>) -> Moved {
    let mut moved = Moved::default();
    for (wave, record) in scope.frozen.waves.iter().zip(&scope.status().waves) {
        if record.state != WaveProgress::Back {
            continue;
        }
        moved.since = moved.since.or(record.at);
        if wave.is_unlisted() {
            moved.unlisted = Some(scope.listed());
        } else {
            moved.customers.extend(wave.customers.iter().cloned());
        }
    }
    moved
}

/// Says which pods of a slot have not been sampled three times since `from`; `None` when all have.
///
/// The first sample is the base line, the two after it are the proof (CONTRACTS 4).
fn missing_scrapes(
    scope: &Scope<'_>,
    evidence: &Evidence,
    now: Timestamp,
    slot: Slot,
    from: i64,
) -> Option<Vec<String>> {
    let mut missing = freshness(scope, evidence, now, slot);
    if !missing.is_empty() {
        return Some(missing);
    }
    let pods: Vec<&PodView> = covered(scope, slot).collect();
    let behind = pods.iter().filter(|pod| evidence.scrapes_after(slot, &pod.name, from).len() < 3).count();
    if behind > 0 {
        missing
            .push(format!("waiting for two more scrapes of {behind} of {} of slot {slot}", counted(pods.len(), "pod")));
    }
    (!missing.is_empty()).then_some(missing)
}

/// Proves that nothing is open on the slot of a side.
pub fn drain_proof(scope: &Scope<'_>, evidence: &Evidence, now: Timestamp, side: Side) -> Proof {
    if side == Side::New && scope.never_routed_new() {
        return Proof::NeverRouted;
    }
    let slot = scope.slot(side);
    let mut missing = freshness(scope, evidence, now, slot);
    if off_since(scope, side).is_none() {
        missing.push(format!("routes are not verified off the {side} version"));
    }
    let quiet_ms: i64 = scope.plan.drain.quiet.0.as_millis().try_into().unwrap_or(i64::MAX);
    let from = now.as_millisecond() - quiet_ms;
    for pod in covered(scope, slot) {
        missing.extend(pod_open(scope, evidence, slot, pod, from));
        missing.extend(uncounted(scope, evidence, side, pod));
    }
    if missing.is_empty() { Proof::Proven } else { Proof::NotProven(missing) }
}

/// Says what speaks against one pod being quiet since `from`.
fn pod_open(scope: &Scope<'_>, evidence: &Evidence, slot: Slot, pod: &PodView, from: i64) -> Vec<String> {
    let name = &pod.name;
    let mut missing = Vec::new();
    // A quiet time shorter than three scrapes reaches back to the third: how the two fall together is chance.
    let scrapes = evidence.scrapes_after(slot, name, i64::MIN);
    let third = scrapes.len().checked_sub(3).map(|at| scrapes[at]);
    if third.is_none() {
        missing.push(format!("pod {name}: {} of 3 scrapes", scrapes.len()));
    }
    let from = from.min(third.map_or(from, |at| at - 1));
    match evidence.was_up(slot, name, from) {
        Some(true) => {}
        Some(false) => missing.push(format!("pod {name}: a scrape failed in the quiet time")),
        None => missing.push(format!("pod {name}: the metrics source does not say whether it is up")),
    }
    if evidence.kinds(slot, name).is_empty() {
        missing.push(format!("pod {name}: no in-flight series"));
    }
    for kind in StreamKind::ALL {
        if scope.plan.drain.policy(kind) == StreamPolicy::Reconnect {
            continue;
        }
        match evidence.peak(slot, name, kind, from) {
            Some(peak) if peak > 0.0 => {
                let open = StreamKind::count([(kind, peak.ceil() as u64)]).concat();
                missing.push(format!("pod {name}: {open} open in the quiet time"));
            }
            Some(_) => {}
            None => missing.push(format!("pod {name}: no in-flight series of kind {kind}")),
        }
    }
    if evidence.started_on(slot, name, Who::Everybody, from) > 0.0 {
        missing.push(format!("pod {name}: requests still start"));
    }
    missing
}

/// Returns since when, at the latest, all routes have been verified off a side that is being left; `None` = they are not.
fn off_since(scope: &Scope<'_>, side: Side) -> Option<Timestamp> {
    let status = scope.status();
    let is_off = match side {
        Side::Old => {
            matches!(status.phase, Phase::Promoted | Phase::DrainingOld | Phase::RetiringOld | Phase::Cleaning)
        }
        Side::New => matches!(status.phase, Phase::DrainingNew | Phase::RetiringNew | Phase::Cleaning),
    };
    // The old slot was left when the wave of the unlisted was verified, which may be long ago.
    let promoted = status.waves.last().filter(|wave| side == Side::Old && wave.state == WaveProgress::New);
    promoted.and_then(|wave| wave.at).or(status.since).filter(|_| is_off)
}

/// Says why a pod without a series of the counter of started requests may still start some; `None` = it counts, or it
/// can have served nobody.
///
/// No series and no trace of a request is believed where nobody was ever sent to the pod (its slot never had a weight, or
/// its containers started after the routes were off the slot), where another pod of its slot shows the counter, or where
/// no customer of this release was ever seen on the new version and none of its pods shows a trace. The old slot has
/// served; there the counter has to be seen.
fn uncounted(scope: &Scope<'_>, evidence: &Evidence, side: Side, pod: &PodView) -> Option<String> {
    let slot = scope.slot(side);
    if evidence.counted(slot, &pod.name) != Counted::Untouched {
        return without_series(scope, evidence, slot, pod);
    }
    let began_later = off_since(scope, side).is_some_and(|off| pod.started.is_some_and(|started| started > off));
    let never_routed = side == Side::New && (scope.never_routed_new() || !has_served_new(scope));
    if began_later || evidence.counts(slot) || (never_routed && evidence.is_untouched(slot)) {
        return None;
    }
    let metric = &scope.plan.metrics.names.started;
    Some(format!(
        "pod {}: no series of {metric}, so a request that starts there would not be seen; export it, or name it in spec.metrics.names.started",
        pod.name
    ))
}

/// Says that a pod serves requests without counting them at their start.
fn without_series(scope: &Scope<'_>, evidence: &Evidence, slot: Slot, pod: &PodView) -> Option<String> {
    let Counted::Missing(trace) = evidence.counted(slot, &pod.name) else { return None };
    let metric = &scope.plan.metrics.names.started;
    Some(format!("pod {}: no series of {metric}, although {trace}", pod.name))
}

/// Tells whether requests that start on a slot would be seen: every pod is sampled, and none serves without counting.
pub fn is_counted(scope: &Scope<'_>, evidence: &Evidence, now: Timestamp, slot: Slot) -> bool {
    freshness(scope, evidence, now, slot).is_empty()
        && covered(scope, slot).all(|pod| without_series(scope, evidence, slot, pod).is_none())
}

/// Tells whether the record says that a customer was seen on the new version.
fn has_served_new(scope: &Scope<'_>) -> bool {
    let waves = scope.frozen.waves.iter().zip(&scope.status().waves);
    waves.filter(|(_, record)| record.state != WaveProgress::Old).any(|(wave, record)| {
        let silent = record.silent.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        wave.is_unlisted() || silent.is_some_and(|silent| silent < wave.customers.len())
    })
}

/// Says which pods of a slot have no fresh sample.
pub fn freshness(scope: &Scope<'_>, evidence: &Evidence, now: Timestamp, slot: Slot) -> Vec<String> {
    let mut missing: Vec<String> = evidence.trouble().map(str::to_owned).into_iter().collect();
    let Some(limit) = evidence.stale_after() else {
        missing.push("no metrics yet: the scrape interval is unknown".to_owned());
        return missing;
    };
    for pod in covered(scope, slot) {
        match evidence.scraped_at(slot, &pod.name) {
            None => missing.push(format!("pod {}: no sample", pod.name)),
            Some(at) => {
                let age = now.as_millisecond() - at;
                if age > i64::try_from(limit.0.as_millis()).unwrap_or(i64::MAX) {
                    missing.push(format!("pod {}: last sample is {} s old", pod.name, age / 1000));
                }
            }
        }
    }
    missing
}

/// Returns the pods of a slot in which something may be open: a container that has not started, or has terminated, holds nothing.
pub fn covered<'a>(scope: &Scope<'a>, slot: Slot) -> impl Iterator<Item = &'a PodView> {
    scope.world.pods(scope.component(), slot).filter(|pod| pod.running && !pod.terminated)
}

/// Returns whole seconds from `from` to `to`, rounded up, at least 0.
pub fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    ((to.as_millisecond() - from.as_millisecond()).max(0) + 999) / 1000
}

/// Turns a span into what timestamps add.
pub fn jiff_span(span: crate::model::Span) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(span.0).unwrap_or(jiff::SignedDuration::MAX)
}
