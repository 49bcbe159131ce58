//! What this console wants to be told: which metrics, which customers, what it may do.

use super::{Effect, MetricsRequest, State};
use crate::model::{CustomerSource, MetricsEndpoint, Timestamp};

/// Asks for what changed since the last time.
pub fn wants(state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) {
    let Some(plan) = &state.plan else { return };
    // Who only watches has no client to ask with, and who leaves needs no answer.
    if !state.setup.watch
        && !state.leaving
        && let Some(rights) = state.rights.due(super::rights::needed(plan), now)
    {
        effects.push(Effect::Rights(rights));
    }
    if let CustomerSource::ConfigMap(name) = &plan.customers
        && state.watched.as_ref() != Some(name)
    {
        state.watched = Some(name.clone());
        effects.push(Effect::WatchCustomers(name.clone()));
    }
    if plan.metrics.endpoint == MetricsEndpoint::None {
        return;
    }
    let gates = state.scope().map_or_else(Vec::new, |scope| super::judge::queries(state, &scope));
    let request = MetricsRequest {
        source: plan.metrics.clone(),
        namespace: state.setup.namespace.clone(),
        strangers: super::judge::strangers(&state.world, &plan.component),
        gates,
    };
    if state.polled.as_ref() != Some(&request) {
        state.polled = Some(request.clone());
        effects.push(Effect::Poll(Box::new(request)));
    }
}
