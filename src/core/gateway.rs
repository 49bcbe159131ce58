//! What preflight finds in the survey: Gateways, how they build clusters, and policies.

use super::State;
use super::survey::{self, STALE};
use crate::model::{Finding, Plan};

/// Judges what the newest survey says about a start under this plan.
pub fn findings(state: &State, plan: &Plan) -> Vec<Finding> {
    // Without the base route there is nothing to look at; that it is missing is a finding of the routes.
    let Some(request) = survey::request(state) else { return Vec::new() };
    let Some(_survey) = state.surveys.of(&request) else {
        let what = format!(
            "the Gateways of HTTPRoute {} and the policies on it have not been looked at yet: it takes a moment, then try again",
            plan.component.route
        );
        return vec![Finding::refuse(STALE, what)];
    };
    Vec::new()
}
