//! What somebody changes beside a release under way: said once, and without effect on it.

use super::scope::Scope;
use super::{State, Tone};
use crate::model::{Customer, CustomerId, ResourceKind, Timestamp};
use std::collections::BTreeSet;

/// How many customers a notice names.
const NAMED: usize = 5;

/// Says when the live plan is not the frozen one any more, and which customers are new since the freeze.
pub fn note(state: &mut State, now: Timestamp) {
    // A list that has not come yet is not one that is gone.
    let customers = state.world.source(ResourceKind::ConfigMap);
    if state.watched.is_some() && !customers.listed && customers.failed.is_none() {
        return;
    }
    let seen = (state.world.revision(ResourceKind::RolloutPlan), state.world.revision(ResourceKind::ConfigMap));
    if state.noted == Some(seen) || !state.world.source(ResourceKind::RolloutPlan).listed {
        return;
    }
    let Some(texts) =
        texts(state, state.noted.is_none_or(|last| last.0 != seen.0), state.noted.is_none_or(|last| last.1 != seen.1))
    else {
        return;
    };
    state.noted = Some(seen);
    for text in texts {
        state.notice(now, Tone::Warn, text);
    }
}

fn texts(state: &State, plan: bool, customers: bool) -> Option<Vec<String>> {
    let scope = state.scope()?;
    let mut texts = Vec::new();
    if plan {
        let (name, release) = (&scope.release.spec.plan, &scope.release.name);
        match state.world.get(ResourceKind::RolloutPlan, name) {
            None => texts.push(format!("RolloutPlan {name} is gone: release {release} goes on with its frozen plan")),
            Some(live) if live["spec"] != scope.frozen.plan => texts.push(format!(
                "RolloutPlan {name} was changed: release {release} goes on with the plan as it was at its start"
            )),
            Some(_) => {}
        }
    }
    if customers {
        match state.world.customers(scope.plan) {
            Ok(live) => texts.extend(added(&scope, live)),
            Err(findings) => texts.extend(findings.first().map(|finding| {
                format!("{}; release {} goes on with the customers of its start", finding.text, scope.release.name)
            })),
        }
    }
    Some(texts)
}

/// Names the customers that are new since the freeze.
fn added(scope: &Scope<'_>, live: &[Customer]) -> Option<String> {
    let frozen: BTreeSet<CustomerId> = scope.listed();
    let new: Vec<String> = live.iter().filter(|c| !frozen.contains(&c.id)).map(|c| c.id.to_string()).collect();
    if new.is_empty() {
        return None;
    }
    let more = if new.len() > NAMED { format!(" and {} more", new.len() - NAMED) } else { String::new() };
    let named = new.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    Some(format!("customers added since the start are unlisted until the next release: {named}{more}"))
}
