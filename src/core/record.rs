//! How the Release is written: compare-and-swap of its status, and the journal in it.

use super::world::ReleaseRead;
use crate::api::{Hold, Intent, JournalRecord, ReleaseStatus};
use crate::model::{Phase, Timestamp, counted};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Which hold a write of the status requires (CONTRACTS 4).
#[derive(Clone, Debug, PartialEq)]
pub enum HoldTest {
    /// Bookkeeping and backward acts: any.
    Any,
    /// The hold must be exactly this; `None` = the release must not be held.
    Exactly(Option<Hold>),
}

/// Makes the JSON Patch on `releases/status` that replaces what was read by `status`.
///
/// It tests the resourceVersion, so a hold or approval written meanwhile refuses it, and `/spec/hold` itself. Keys of the
/// live status that this version does not know are kept.
pub fn status_patch(read: &ReleaseRead, live: &Value, status: &ReleaseStatus, hold: &HoldTest) -> Vec<Value> {
    let mut ops = vec![json!({ "op": "test", "path": "/metadata/resourceVersion", "value": read.version })];
    match hold {
        HoldTest::Any => {}
        HoldTest::Exactly(None) => ops.push(json!({ "op": "test", "path": "/spec/hold", "value": null })),
        // As it is stored, where it is the one: the server may have written the same hold in another form.
        HoldTest::Exactly(Some(wanted)) if read.spec.hold.as_ref() == Some(wanted) => {
            ops.push(json!({ "op": "test", "path": "/spec/hold", "value": live["spec"]["hold"] }));
        }
        HoldTest::Exactly(Some(wanted)) => ops.push(json!({ "op": "test", "path": "/spec/hold", "value": wanted })),
    }
    ops.push(json!({ "op": "add", "path": "/status", "value": overlay(&live["status"], status) }));
    ops
}

/// Lays the known keys over the live status; unknown ones stay.
fn overlay(live: &Value, status: &ReleaseStatus) -> Value {
    const KNOWN: [&str; 14] = [
        "phase",
        "blocked",
        "started",
        "since",
        "wave",
        "frozen",
        "routes",
        "waves",
        "driver",
        "intent",
        "fences",
        "unresolved",
        "journal",
        "outcome",
    ];
    let mut merged = live.as_object().cloned().unwrap_or_default();
    merged.retain(|key, _| !KNOWN.contains(&key.as_str()));
    if let Ok(Value::Object(known)) = serde_json::to_value(status) {
        merged.extend(known);
    }
    Value::Object(merged)
}

/// What goes into the journal beside number, time and chain.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Who.
    pub by: String,
    /// The intent it belongs to.
    pub intent: String,
    /// The act or event.
    pub act: String,
    /// What was done.
    pub what: String,
    /// Why, where a reason was given.
    pub why: String,
    /// What was known when it was decided.
    pub evidence: String,
    /// How it went.
    pub result: String,
}

/// Appends a record to the journal and chains it to the one before.
pub fn write_down(status: &mut ReleaseStatus, at: Timestamp, entry: Entry) {
    let (seq, prev) = match status.journal.last() {
        Some(last) => (last.seq + 1, chain_hash(last)),
        None => (1, String::new()),
    };
    let Entry { by, intent, act, what, why, evidence, result } = entry;
    status.journal.push(JournalRecord { seq, at, by, intent, act, what, why, evidence, result, prev });
}

/// Returns the hash the next record carries as `prev`: sha256 over the record's JSON.
pub fn chain_hash(record: &JournalRecord) -> String {
    let text = serde_json::to_string(record).unwrap_or_default();
    hex(&Sha256::digest(text))
}

/// Tells whether numbers have no gap and every record carries the hash of the one before.
pub fn is_chained(journal: &[JournalRecord]) -> bool {
    journal.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1 && pair[1].prev == chain_hash(&pair[0]))
}

/// Moves the release to another phase.
pub fn enter(status: &mut ReleaseStatus, at: Timestamp, phase: Phase) {
    if status.phase != phase || status.since.is_none() {
        status.phase = phase;
        status.since = Some(at);
    }
}

/// Names an object as the fence map of the status does.
pub fn fence_key(kind: crate::model::ResourceKind, name: &str) -> String {
    format!("{}/{name}", kind.name())
}

/// Says in words what an intent does.
pub fn in_words(intent: &Intent) -> String {
    use crate::api::Act;
    let routes = counted(intent.targets.len(), "managed route");
    match intent.act {
        Act::Prepare => "put the new version into the idle slot".to_owned(),
        Act::Install => format!("create {routes}"),
        Act::Arm => format!("set the customers' matches on {routes}"),
        Act::Shift => format!("move wave {} to the new version", intent.wave),
        Act::Promote => "move the unlisted to the new version".to_owned(),
        Act::Retire => "scale the drained slot down".to_owned(),
        Act::Disarm => format!("set the matches of {routes} back"),
        Act::Clean => format!("delete {routes}"),
        Act::Rollback => "route everybody back to the old version".to_owned(),
    }
}

/// Writes bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::world::read_release;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_changed_record_breaks_the_chain() {
        let mut status = ReleaseStatus::default();
        for what in ["one", "two", "three"] {
            write_down(&mut status, at("2026-01-01T00:00:00Z"), Entry { what: what.into(), ..Entry::default() });
        }
        assert!(is_chained(&status.journal));
        status.journal[1].what = "another".into();
        assert!(!is_chained(&status.journal));
    }

    #[test]
    fn a_status_write_keeps_what_it_does_not_know_and_tests_the_hold() {
        let live = json!({
            "metadata": { "name": "r", "uid": "u", "resourceVersion": "7" },
            "spec": { "plan": "p", "version": "2", "hold": { "by": "dana", "reason": "", "at": "2026-01-01T00:00:00Z" } },
            "status": { "phase": "Ready", "later": { "x": 1 }, "blocked": { "kind": "drifted", "what": "w", "since": "2026-01-01T00:00:00Z" } },
        });
        let read = read_release(&live);
        let mut status = read.status.clone();
        status.blocked = None;
        let ops = status_patch(&read, &live, &status, &HoldTest::Exactly(read.spec.hold.clone()));
        assert_eq!(ops[0]["value"], "7");
        assert_eq!(ops[1]["value"]["by"], "dana");
        assert_eq!(ops[2]["value"]["later"]["x"], 1);
        assert!(ops[2]["value"]["blocked"].is_null());
        assert_eq!(status_patch(&read, &live, &status, &HoldTest::Exactly(None))[1]["value"], Value::Null);
        let older = Hold { by: "kim".into(), reason: String::new(), at: at("2025-12-31T00:00:00Z") };
        let under_older = status_patch(&read, &live, &status, &HoldTest::Exactly(Some(older)));
        assert!(crate::routing::apply(&live, &under_older).is_err(), "a newer hold stops what went under an older one");
    }
}
