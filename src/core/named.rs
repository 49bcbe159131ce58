//! Whom a text of this console may name: for whoever must not show it.

use super::State;
use crate::model::{ResourceKind, Slot, customers_in};
use serde_json::Value;
use std::collections::BTreeMap;

/// Says every name that a text can hold, and the id of the customer it belongs to; some of them twice.
///
/// A sentence names not only whom the release lists: also customers that were added since, also in a list that has a
/// mistake; whom a ring names although no list does; whom the release before has moved or cut; whom only metrics know.
pub fn names(state: &State, mut say: impl FnMut(&str, &str)) {
    for listed in state.roster.rings.iter().flat_map(|ring| &ring.members) {
        say(listed.as_str(), listed.as_str());
    }
    for (id, name) in &state.roster.names {
        say(id.as_str(), id.as_str());
        say(name, id.as_str());
    }
    if state.world.has_unusable_customers() {
        let texts = state.world.all(ResourceKind::ConfigMap).filter_map(|map| map["data"]["customers.yaml"].as_str());
        for customer in texts.flat_map(customers_in) {
            say(customer.id.as_str(), customer.id.as_str());
            say(&customer.name, customer.id.as_str());
        }
    }
    state.world.all(ResourceKind::RolloutPlan).for_each(|plan| of_spec(&plan["spec"], &mut say));
    // Whose journals the screens show.
    let (active, releases) = (state.active_name(), state.plan_name().map(|plan| state.world.releases(&plan)));
    let releases = releases.unwrap_or_default();
    let under_way = releases.iter().find(|release| Some(&release.name) == active.as_ref());
    let ended = releases.iter().find(|release| release.phase().is_final());
    for status in under_way.into_iter().chain(ended).map(|release| &release.status) {
        let moved = status.frozen.iter().flat_map(|frozen| &frozen.waves).flat_map(|wave| &wave.customers);
        let cut = status.outcome.iter().flat_map(|outcome| &outcome.forced_on);
        moved.chain(cut).for_each(|id| say(id.as_str(), id.as_str()));
    }
    for slot in Slot::ALL {
        state.evidence.customers(slot).for_each(|id| say(id.as_str(), id.as_str()));
        state.evidence.survivors(slot).iter().flat_map(BTreeMap::keys).for_each(|id| say(id.as_str(), id.as_str()));
    }
}

/// Says whom a plan names itself, whether or not it can be taken as it is.
fn of_spec(spec: &Value, say: &mut impl FnMut(&str, &str)) {
    let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    for customer in list(&spec["customers"]["from"]["inline"]) {
        let id = customer["id"].as_str().unwrap_or_default();
        say(id, id);
        say(customer["name"].as_str().unwrap_or_default(), id);
    }
    for ring in list(&spec["rings"]) {
        list(&ring["names"]).iter().filter_map(Value::as_str).for_each(|id| say(id, id));
    }
}
