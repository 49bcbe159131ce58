//! The preflight as the screens show it.

use super::metrics::metric_of;
use crate::core::{Preflight, QueryRow, State};
use crate::model::{Family, Timestamp};

/// Shows what speaks against a start, and how old that is.
pub fn shown(state: &State, now: Timestamp) -> Preflight {
    let age = |at: Timestamp| u64::try_from((now.as_millisecond() - at.as_millisecond()).max(0) / 1000).unwrap_or(0);
    let coverage = state.evidence.coverage();
    let server_now = state.server_now(now).as_millisecond();
    let queries = state.plan.as_ref().map_or_else(Vec::new, |plan| {
        let row = |(family, seen): (Family, &crate::core::evidence::FamilySeen)| QueryRow {
            metric: metric_of(family, &plan.metrics.names),
            series: seen.series,
            missing: seen.reading.missing(),
            age: seen
                .newest
                .filter(|_| family != Family::LatencyP99)
                .map(|at| u64::try_from((server_now - at).max(0) / 1000).unwrap_or(0)),
        };
        coverage.families().map(row).collect()
    });
    Preflight {
        age: state.standing.at.map(age),
        findings: state.standing.findings.clone(),
        survey_age: state.surveys.last().map(|(at, _)| age(at)),
        metrics_age: coverage.at().map(age),
        queries,
        rights: state.rights.answers().iter().map(|(right, allowed)| (right.to_string(), *allowed)).collect(),
    }
}
