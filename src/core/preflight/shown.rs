//! The preflight as the screens show it.

use super::metrics::metric_of;
use crate::core::{Fact, Preflight, QueryRow, State, Tone};
use crate::model::{Family, Finding, Level, Timestamp};

/// Advice about the cluster that holds whatever is released: in a dialog it would push the rest out of a small screen.
const STANDING: [&str; 3] = ["pdb.none", "slot.no-pre-stop", "gateway.idle-limit"];

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

/// Shows what does not refuse a start beside what it would do; standing advice is counted.
pub fn beside(findings: Vec<Finding>) -> Vec<Fact> {
    let (standing, pressing): (Vec<Finding>, Vec<Finding>) =
        findings.into_iter().partition(|finding| STANDING.contains(&finding.check.as_str()));
    let fact = |label: &str, text: String, tone: Tone| Fact { label: label.into(), text, tone };
    let mut facts: Vec<Fact> = pressing
        .into_iter()
        .map(|finding| match finding.level {
            Level::Note => fact("note", finding.text, Tone::Plain),
            Level::Warn | Level::Refuse => fact("warning", finding.text, Tone::Warn),
        })
        .collect();
    if !standing.is_empty() {
        facts.push(fact("to know", format!("{} more in the preflight", standing.len()), Tone::Plain));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_checked_is_said_in_a_dialog_and_standing_advice_is_counted() {
        let facts = beside(vec![
            Finding::warn("slot.grace", "short"),
            Finding::note("policy.not-checked", "unread"),
            Finding::note("pdb.none", "one"),
            Finding::note("slot.no-pre-stop", "two"),
        ]);
        let said: Vec<(&str, &str)> = facts.iter().map(|fact| (fact.label.as_str(), fact.text.as_str())).collect();
        assert_eq!(said, [("warning", "short"), ("note", "unread"), ("to know", "2 more in the preflight")]);
    }
}
