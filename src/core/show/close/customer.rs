//! One customer: how it is routed, how it fares on both versions, what was done to it.

use crate::core::evidence::Who;
use crate::core::scope::Scope;
use crate::core::{CustomerCloseup, EventRow, RouteRow, State};
use crate::model::{CustomerId, Side, Timestamp, name_of, resource_version};
use crate::routing::{Acceptance, acceptance, weights_of};
use serde_json::Value;

/// Looks at a customer of the release under way, or of the live list.
pub(super) fn look(state: &State, now: Timestamp, id: &str) -> Option<CustomerCloseup> {
    let at = state.server_now(now);
    let id = CustomerId::new(id);
    let wave = state.roster.wave_of(&id)?;
    let listed = state.plan.as_ref().and_then(|plan| state.world.customers(plan).ok());
    let listed = listed.and_then(|list| list.iter().find(|customer| customer.id == id));
    let header = state.plan.as_ref().map(|plan| plan.header.clone()).unwrap_or_default();
    let (errors, rates) = super::graphs(state, at, Who::Customer(&id));
    let scope = state.scope();
    let open = |side: Side| {
        let slot = super::slots(state).map(|(old, new)| if side == Side::Old { old } else { new })?;
        Some(state.evidence.survivors(slot)?.get(&id).copied().unwrap_or(0))
    };
    Some(CustomerCloseup {
        tier: listed.as_ref().map(|customer| customer.tier.clone()).unwrap_or_default(),
        region: listed.as_ref().map(|customer| customer.region.clone()).unwrap_or_default(),
        matched_by: format!("{header}: {id}"),
        since: scope.as_ref().and_then(|scope| super::super::board::reached(scope, wave)),
        routes: scope.as_ref().map_or_else(Vec::new, |scope| routes(scope, &header, &id)),
        errors,
        rates,
        open: (open(Side::Old), open(Side::New)),
        work: super::work(state, at, &id),
        events: of_wave(state, wave),
        id: id.to_string(),
    })
}

fn routes(scope: &Scope<'_>, header: &str, id: &CustomerId) -> Vec<RouteRow> {
    let row = |route: &Value| {
        let rules = rules_naming(route, header, id.as_str());
        let numbers: Vec<u32> = rules.iter().filter_map(|index| u32::try_from(*index).ok()).collect();
        let to = weights_of(route, &numbers, scope.component());
        let verdict = acceptance(route, None, scope.controllers);
        (!rules.is_empty()).then(|| RouteRow {
            name: name_of(route).to_owned(),
            rules,
            to: to.map(|slot| if slot == scope.slot(Side::New) { Side::New } else { Side::Old }),
            version: resource_version(route).to_owned(),
            is_accepted: verdict == Acceptance::Accepted,
            accepted: match verdict {
                Acceptance::Accepted => "accepted".to_owned(),
                Acceptance::Pending(why) => why,
                Acceptance::Bad(why) => why.join("; "),
            },
        })
    };
    scope.managed().filter_map(row).collect()
}

/// Returns the rules with a match whose customer header is exactly this.
fn rules_naming(route: &Value, header: &str, id: &str) -> Vec<usize> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let names = |matching: &Value| {
        list(&matching["headers"]).iter().any(|line| {
            line["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(header)) && line["value"] == id
        })
    };
    let rules = list(&route["spec"]["rules"]);
    rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| list(&rule["matches"]).iter().any(names))
        .map(|(index, _)| index)
        .collect()
}

/// Returns what the journal says of a wave, and of everybody.
fn of_wave(state: &State, wave: u32) -> Vec<EventRow> {
    let name = format!("wave {wave} ");
    let concerns = |row: &EventRow| row.what.contains(&name) || row.what.contains("everybody");
    super::super::panels::events(state).into_iter().filter(concerns).collect()
}
