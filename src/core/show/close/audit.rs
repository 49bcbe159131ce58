//! The whole journal of the release under way, or of the last one.

use crate::core::{Audit, AuditRow, State};

/// Looks at every record.
pub(super) fn look(state: &State) -> Audit {
    let active = state.active_name().and_then(|name| state.world.release(&name));
    let Some(release) = active.or_else(|| super::super::head::last_ended(state)) else { return Audit::default() };
    let journal = &release.status.journal;
    Audit {
        release: release.name.clone(),
        version: release.spec.version.to_string(),
        is_chained: release.is_chained,
        older: journal.first().map_or(0, |first| first.seq.saturating_sub(1)),
        records: journal
            .iter()
            .rev()
            .map(|record| AuditRow {
                seq: record.seq,
                at: Some(record.at),
                by: record.by.clone(),
                act: record.act.clone(),
                what: record.what.clone(),
                why: record.why.clone(),
                evidence: record.evidence.clone(),
                result: record.result.clone(),
                intent: record.intent.clone(),
                prev: record.prev.clone(),
            })
            .collect(),
    }
}
