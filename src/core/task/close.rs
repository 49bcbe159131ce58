//! What the record says when an intent is announced, and when it is closed: then it is read off the live objects, not
//! assumed.

use crate::api::{Act, Intent, OutcomeRecord, ReleaseStatus, RouteRecord, WaveProgress};
use crate::core::record::enter;
use crate::core::scope::Scope;
use crate::model::{Phase, ResourceKind, Side, Slot, Timestamp, uid_of};
use crate::routing::{backends, is_all_placeholder, weights_of};

/// What became of one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landed {
    /// It landed.
    Yes,
    /// It did not, and cannot any more.
    No,
    /// Somebody else wrote the object.
    Drift,
}

/// Takes the intent off the record and brings routes, waves and phase in line with what is live.
///
/// `all` = every write of the intent has landed.
pub fn close(scope: &Scope<'_>, status: &mut ReleaseStatus, intent: &Intent, all: bool, at: Timestamp) {
    status.intent = None;
    let is_target = |kind, name: &str| intent.targets.iter().any(|t| t.kind == kind && t.name == name);
    status.unresolved.retain(|left| !is_target(left.kind, &left.name));
    read_routes(scope, status, intent);
    if !all {
        return;
    }
    match intent.act {
        Act::Prepare | Act::Install | Act::Arm | Act::Retire | Act::Disarm | Act::Clean => {}
        Act::Shift if wave_is_at(scope, status, intent.wave, scope.slot(Side::New)) => {
            enter(status, at, Phase::Verifying);
        }
        Act::Shift => {}
        Act::Promote => enter(status, at, Phase::Verifying),
        Act::Rollback if everything_is_old(scope, status) => {
            for wave in status.waves.iter_mut().filter(|w| w.state != WaveProgress::Old) {
                wave.state = WaveProgress::Back;
                wave.at = Some(at);
            }
            enter(status, at, Phase::VerifyingBack);
        }
        Act::Rollback => {}
    }
}

/// Brings the record in line with what is about to be written.
pub fn announce(scope: &Scope<'_>, status: &mut ReleaseStatus, intent: &Intent, routes: &[RouteRecord], at: Timestamp) {
    match intent.act {
        Act::Prepare | Act::Arm => {}
        Act::Install if status.routes.is_empty() => status.routes = routes.to_vec(),
        Act::Install => {}
        Act::Shift => {
            enter(status, at, Phase::Shifting);
            begin_wave(scope, status, intent.wave, at);
        }
        Act::Promote => {
            enter(status, at, Phase::Promoting);
            begin_wave(scope, status, intent.wave, at);
        }
        Act::Retire if status.phase.is_backward() => enter(status, at, Phase::RetiringNew),
        Act::Retire => enter(status, at, Phase::RetiringOld),
        Act::Disarm | Act::Clean => enter(status, at, Phase::Cleaning),
        Act::Rollback => {
            note_strangers(scope, status, at);
            enter(status, at, Phase::RollingBack);
            let outcome = status.outcome.get_or_insert_default();
            outcome.result = Some(Phase::RolledBack);
            outcome.rolled_back_at.get_or_insert(at);
        }
    }
}

/// Notes waves that somebody else has sent to the new version: that slot has served, whatever this record says.
fn note_strangers(scope: &Scope<'_>, status: &mut ReleaseStatus, at: Timestamp) {
    let new = scope.service(Side::New);
    let numbers = (1..=scope.last_wave()).zip(&scope.frozen.waves);
    let routed: Vec<bool> = numbers
        .map(|(number, wave)| match wave.is_unlisted() {
            true => scope.base().is_some_and(|base| gives_weight(base, None, new)),
            false => status.routes.iter().any(|record| {
                let cells = record.cells.iter().filter(|cell| cell.wave == number);
                let rules: Vec<u32> = cells.flat_map(|cell| cell.rules.iter().copied()).collect();
                scope.route(record).is_some_and(|route| gives_weight(route, Some(&rules), new))
            }),
        })
        .collect();
    let waves = status.waves.iter_mut().zip(routed);
    for (record, _) in waves.filter(|(record, routed)| *routed && record.state == WaveProgress::Old) {
        record.state = WaveProgress::Moving;
        record.at = Some(at);
    }
}

/// Tells whether a rule of a route, of all or of these, gives weight to a Service.
fn gives_weight(route: &serde_json::Value, rules: Option<&[u32]>, service: &str) -> bool {
    let all = route["spec"]["rules"].as_array().map_or(&[][..], Vec::as_slice);
    let wanted = (0u32..).zip(all).filter(|(index, _)| rules.is_none_or(|rules| rules.contains(index)));
    wanted.flat_map(|(_, rule)| backends(rule)).any(|(name, weight)| name == service && weight > 0)
}

/// Tells whether every rule of a wave sends its customers to `slot`; the unlisted wave is the base route.
pub fn wave_is_at(scope: &Scope<'_>, status: &ReleaseStatus, wave: u32, slot: Slot) -> bool {
    if wave == scope.last_wave() {
        return scope.base().is_some_and(|base| base_slot(scope, base) == Some(slot));
    }
    let mut rules = 0;
    for record in &status.routes {
        let cells: Vec<u32> =
            record.cells.iter().filter(|c| c.wave == wave).flat_map(|c| c.rules.iter().copied()).collect();
        if cells.is_empty() {
            continue;
        }
        rules += cells.len();
        let Some(route) = scope.route(record) else { return false };
        if weights_of(route, &cells, scope.component()) != Some(slot) {
            return false;
        }
    }
    rules > 0
}

/// Tells whether base and managed routes all send everybody to the old slot; a missing base is no obstacle.
pub fn everything_is_old(scope: &Scope<'_>, status: &ReleaseStatus) -> bool {
    let old = scope.slot(Side::Old);
    let base = scope.base().is_none_or(|base| base_slot(scope, base) == Some(old));
    base && status.routes.iter().all(|record| {
        let rules: Vec<u32> = record.cells.iter().flat_map(|c| c.rules.iter().copied()).collect();
        scope.route(record).is_none_or(|route| weights_of(route, &rules, scope.component()) == Some(old))
    })
}

fn base_slot(scope: &Scope<'_>, base: &serde_json::Value) -> Option<Slot> {
    crate::routing::active_slot(base, scope.component()).ok()
}

/// Reads uid and matches of each recorded route off the live object; a deleted one leaves the record.
fn read_routes(scope: &Scope<'_>, status: &mut ReleaseStatus, intent: &Intent) {
    let placeholder = &scope.frozen.placeholder;
    let header = &scope.plan.header;
    let world = scope.world;
    if matches!(intent.act, Act::Disarm | Act::Clean) {
        status.routes.retain(|record| world.get(ResourceKind::HTTPRoute, &record.name).is_some());
    }
    for record in &mut status.routes {
        let Some(route) = world.get(ResourceKind::HTTPRoute, &record.name) else { continue };
        uid_of(route).clone_into(&mut record.uid);
        record.armed = !is_all_placeholder(route, header, placeholder);
    }
}

fn begin_wave(scope: &Scope<'_>, status: &mut ReleaseStatus, wave: u32, at: Timestamp) {
    status.wave = wave;
    let index = usize::try_from(wave).unwrap_or(0).saturating_sub(1);
    if let Some(record) = status.waves.get_mut(index)
        && record.state != WaveProgress::Moving
    {
        record.state = WaveProgress::Moving;
        record.at = Some(at);
    }
    let moved: usize = scope
        .frozen
        .waves
        .iter()
        .zip(&status.waves)
        .filter(|(_, record)| matches!(record.state, WaveProgress::Moving | WaveProgress::New))
        .map(|(wave, _)| wave.customers.len())
        .sum();
    let outcome: &mut OutcomeRecord = status.outcome.get_or_insert_default();
    outcome.customers_moved = outcome.customers_moved.max(u32::try_from(moved).unwrap_or(u32::MAX));
}
