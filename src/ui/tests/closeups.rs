//! Close looks that go with the realistic views.

use super::views::{at, event};
use crate::core::{
    Audit, AuditRow, Closeup, CustomerCloseup, Delivery, DrainCloseup, DrainGraph, Graph, PastRow, PodRow, Releases,
    RingCloseup, RouteRow, Subject, View, WaveRow,
};
use crate::model::{Side, StreamKind};

/// Looks closely at a subject of a view.
pub fn closeup(view: &View, subject: &Subject) -> Option<Closeup> {
    Some(match subject {
        Subject::Customer(id) => Closeup::Customer(customer(view, id)),
        Subject::Ring(name) => Closeup::Ring(ring(view, name)),
        Subject::Drain => Closeup::Drain(drain()),
        Subject::Audit => Closeup::Audit(audit()),
        Subject::Releases => Closeup::Releases(releases()),
    })
}

fn customer(view: &View, id: &str) -> CustomerCloseup {
    CustomerCloseup {
        id: id.to_owned(),
        tier: "gold".to_owned(),
        region: "weu".to_owned(),
        matched_by: format!("x-customer-id: {id}"),
        since: Some(at("03:03:04")),
        routes: vec![RouteRow {
            name: "trackx-ph-1b3c7f20-01".to_owned(),
            rules: vec![4, 5],
            to: Some(Side::New),
            version: "884213".to_owned(),
            accepted: "accepted".to_owned(),
            is_accepted: true,
        }],
        errors: view.errors.clone(),
        rates: rates(3.0),
        open: (Some(31), Some(4)),
        work: work(),
        events: vec![
            event(21, "03:02:58", "kim@jump01", "move wave 3 to the new version", "", "applied 1 of 1"),
            event(12, "02:40:11", "kim@jump01", "route everybody to the new version", "", ""),
        ],
    }
}

/// Open work that is left on the old version after a shift, and begins on the new one.
fn work() -> Graph {
    Graph {
        step: 5.0,
        new: (0..60).map(|i| Some(if i < 12 { 0.0 } else { 4.0 })).collect(),
        old: (0..60).map(|i| Some(if i < 12 { 80.0 } else { 80.0 - f64::from(i - 11) })).collect(),
        limit: None,
        last: (Some(4.0), Some(31.0)),
    }
}

fn rates(most: f64) -> Graph {
    Graph {
        step: 5.0,
        new: (0..60).map(|i| Some(if i < 12 { 0.0 } else { most })).collect(),
        old: (0..60).map(|i| Some(if i < 12 { most } else { 0.0 })).collect(),
        limit: None,
        last: (Some(most), Some(0.0)),
    }
}

fn ring(view: &View, name: &str) -> RingCloseup {
    let members: Vec<String> = view.customers.iter().filter(|row| row.ring == name).map(|row| row.id.clone()).collect();
    let (first, second) = members.split_at(members.len() / 2);
    RingCloseup {
        name: name.to_owned(),
        waves: vec![
            WaveRow {
                number: 3,
                customers: first.to_vec(),
                state: "new".to_owned(),
                at: Some(at("03:03:04")),
                silent: Some(2),
            },
            WaveRow { number: 4, customers: second.to_vec(), state: "old".to_owned(), at: None, silent: None },
        ],
        bake: 900,
        needs_approval: true,
        approved: Some(("dana@jump02".to_owned(), at("03:01:00"))),
        errors: view.errors.clone(),
        rates: rates(98.0),
    }
}

fn drain() -> DrainCloseup {
    let pod = |name: &str, side: Side, state: &str, counts: [Option<u64>; 4], age: Option<u64>| PodRow {
        name: name.to_owned(),
        side: Some(side),
        state: state.to_owned(),
        sample_age: age,
        is_stale: age.is_none_or(|age| age > 10),
        by_kind: StreamKind::ALL.into_iter().zip(counts).collect(),
        oldest: counts[0].map(|_| 38.0),
    };
    DrainCloseup {
        pods: vec![
            pod("trackx-7c9f6d-x2x9k", Side::Old, "ready", [Some(60), Some(2), Some(9), Some(0)], Some(2)),
            pod("trackx-7c9f6d-pl0qd", Side::Old, "ending", [Some(0), Some(0), Some(6), None], Some(40)),
            pod("trackx-7c9f6d-zz9qa", Side::Old, "ended", [None; 4], None),
            pod("trackx-b-5d8b7f-aa1bb", Side::New, "ready", [Some(21), Some(1), Some(0), Some(0)], Some(1)),
            pod("trackx-b-5d8b7f-cc2dd", Side::New, "ImagePullBackOff", [None; 4], None),
        ],
        policies: StreamKind::ALL
            .into_iter()
            .map(|kind| {
                let word = if kind == StreamKind::Ws { "asked to reconnect" } else { "waited for" };
                (kind, word.to_owned())
            })
            .collect(),
        quiet: 30,
        other: DrainGraph { step: 5.0, values: vec![Some(3.0); 60] },
    }
}

fn audit() -> Audit {
    let record = |seq: u64, time: &str, by: &str, act: &str, what: &str, result: &str| AuditRow {
        seq,
        at: Some(at(time)),
        by: by.to_owned(),
        act: act.to_owned(),
        what: what.to_owned(),
        why: if act == "take" { "she is off duty".to_owned() } else { String::new() },
        evidence: if act == "shift" {
            "errors pass 0.3%, p99 pass 96ms, restarts pass 0".to_owned()
        } else {
            String::new()
        },
        result: result.to_owned(),
        intent: if act == "shift" { "01J9ZK3T9Q".to_owned() } else { String::new() },
        prev: format!("9c1e{seq:04}77aa"),
    };
    Audit {
        release: "trackx-4-12-0".to_owned(),
        version: "4.12.0".to_owned(),
        records: vec![
            record(41, "03:03:04", "kim@jump01", "phase", "enter Baking", ""),
            record(40, "03:02:58", "kim@jump01", "shift", "move wave 3 to the new version", "applied 1 of 1"),
            record(39, "03:02:40", "kim@jump01", "take", "take driving over from anna@jump02", ""),
            record(38, "02:50:12", "anna@jump02", "shift", "move wave 2 to the new version", "unknown: timed out"),
            record(37, "02:26:12", "anna@jump02", "start", "start release 4.12.0", ""),
        ],
        is_chained: true,
        older: 36,
    }
}

fn releases() -> Releases {
    let row = |name: &str, version: &str, state: &str, from: Option<&str>, to: Option<&str>| PastRow {
        name: name.to_owned(),
        version: version.to_owned(),
        state: state.to_owned(),
        is_active: to.is_none() && from.is_some(),
        by: "ci".to_owned(),
        started: from.map(at),
        ended: to.map(at),
        moved: if from.is_some() { 23 } else { 0 },
        of: from.map(|_| 60),
        cut: u32::from(state == "ROLLED BACK"),
        forced_on: Some(0),
        commit: "1b3c7f2".to_owned(),
    };
    Releases {
        rows: vec![
            row("trackx-4-12-1", "4.12.1", "PROPOSED", None, None),
            row("trackx-4-12-0", "4.12.0", "BAKING", Some("02:26:12"), None),
            row("trackx-4-11-8", "4.11.8", "DONE", Some("00:18:00"), Some("02:10:00")),
            row("trackx-4-11-7", "4.11.7", "ROLLED BACK", Some("00:00:10"), Some("00:18:00")),
        ],
        delivery: Delivery {
            days: 30,
            ended: 61,
            ended_before: Some(42),
            rolled_back: 4,
            rolled_back_before: Some(5),
            daily: (0..30).map(|i| (i * 7) % 5).collect(),
            outcomes: (0..61).map(|i| i % 16 != 3).collect(),
            lead: Some((18_600, 93_600)),
            lead_of: 54,
            without_commit: 3,
            restore: Some((100, 360)),
            restore_of: 4,
            since: Some(at("00:00:00")),
        },
    }
}
