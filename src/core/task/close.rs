//! Closing an intent: what the record says afterwards is read off the live objects, not assumed.

use crate::api::{Act, Intent, ReleaseStatus, WaveProgress};
use crate::core::record::enter;
use crate::core::scope::Scope;
use crate::model::{Phase, ResourceKind, Side, Slot, Timestamp, uid_of};
use crate::routing::{is_all_placeholder, weights_of};

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
    status.unresolved.clear();
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
