//! Requests as the metrics show them: how many there are a second, and how many of them on the new version.

use crate::core::State;
use crate::core::evidence::Who;
use crate::core::scope::Scope;
use crate::model::{Side, Slot};

/// What is seen of somebody's requests; `None` = unknown.
pub struct Observed {
    /// Requests per second on both versions.
    pub rps: Option<f64>,
    /// Those of them on the new version.
    pub rps_new: Option<f64>,
    /// Their share as a fraction; also `None` where there are no requests.
    pub share: Option<f64>,
}

/// Looks at the requests of these customers.
pub fn observed(state: &State, scope: Option<&Scope<'_>>, who: Who<'_>) -> Observed {
    let rates = Slot::ALL.map(|slot| state.evidence.rate(slot, who));
    let rps = rates.into_iter().flatten().reduce(|a, b| a + b);
    // Without a release nobody is on a new version: that is known, not missing.
    let Some(scope) = scope else { return Observed { rps, rps_new: Some(0.0), share: Some(0.0) } };
    let side =
        |side| Slot::ALL.into_iter().zip(rates).find_map(|(slot, rate)| rate.filter(|_| slot == scope.slot(side)));
    // No pod of the new slot has been sampled: nothing can go there while no rule names it with a weight.
    let rps_new = side(Side::New).or_else(|| scope.never_routed_new().then_some(0.0));
    let share = rps_new.zip(side(Side::Old)).filter(|(new, old)| new + old > 0.0).map(|(new, old)| new / (new + old));
    Observed { rps, rps_new, share }
}
