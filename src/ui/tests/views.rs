//! Realistic views of the six states a release spends its life in.

use crate::core::{
    Action, Advice, CustomerRow, DrainGraph, DrainRow, EventRow, Exposure, FreshRow, GateRow, Graph, Header, Mode,
    Moved, NoticeRow, ReleaseRow, RingRow, RunningRow, RunningState, Tone, Verdict, View,
};
use crate::model::{Refusal, Side, StreamKind, Timestamp};

/// The states, each with the name of its picture.
pub fn states() -> Vec<(&'static str, View)> {
    vec![
        ("idle", idle()),
        ("shifting", shifting()),
        ("baking", baking()),
        ("held", held()),
        ("draining", draining()),
        ("rolling-back", rolling_back()),
    ]
}

/// Returns a time of the day of the views.
pub fn at(text: &str) -> Timestamp {
    format!("2026-11-23T{text}Z").parse().unwrap()
}

/// No release is under way; one is proposed.
pub fn idle() -> View {
    let mut view = base();
    view.header = Header {
        mode: Mode::Standby,
        state: "IDLE".to_owned(),
        phase: String::new(),
        release: String::new(),
        new_version: String::new(),
        lease: None,
        in_phase: None,
        total: None,
        wave: (0, 0),
        ring: String::new(),
        ..view.header
    };
    view.exposed = Exposure { customers: Some(0), of: Some(60), rps: Some(0.0), share: Some(0.0) };
    for ring in &mut view.rings {
        *ring = RingRow {
            want: 0,
            now: Some(0),
            state: "-".to_owned(),
            is_current: false,
            is_next: false,
            seen: None,
            verdict: Verdict::Waiting,
            errors_new: None,
            rps_new: Some(0.0),
            share: Some(0.0),
            needs_approval: false,
            waves: (0, ring.waves.1),
            ..ring.clone()
        };
    }
    view.drain = DrainRow { inflight: Some(139), oldest: Some(52.0), ..DrainRow::default() };
    view.drain_graph.values = (0..60).map(|i| Some(137.0 + f64::from((i * 7) % 5))).collect();
    view.errors.new = vec![None; 60];
    view.errors.last.0 = None;
    view.latency.new = vec![None; 60];
    view.latency.last.0 = None;
    for gate in &mut view.gates {
        *gate = GateRow { value: String::new(), verdict: Verdict::Waiting, since: None, ..gate.clone() };
    }
    view.advice = advice(Some(Action::Start), "start 4.12.0, proposed by ci 3m ago", None);
    view.way_out = String::new();
    view.events = vec![event(12, "02:10:44", "kim@jump02", "release 4.11.8 done", "", "60 customers in 41m")];
    view.blocked = vec![
        (Action::Next, vec![Refusal::new("guard.phase", "no release is under way: start one first")]),
        (Action::Resume, vec![Refusal::new("guard.hold", "nothing is held")]),
    ];
    customers(&mut view, 0);
    view
}

/// A wave's routes are being written.
pub fn shifting() -> View {
    let mut view = base();
    set(&mut view, "SHIFTING", 4);
    view.rings[2] = RingRow {
        want: 11,
        now: Some(6),
        state: "moving".to_owned(),
        verdict: Verdict::Waiting,
        seen: None,
        rps_new: Some(21.4),
        share: Some(0.217),
        ..view.rings[2].clone()
    };
    view.exposed = Exposure { customers: Some(18), of: Some(60), rps: Some(48.2), share: Some(0.24) };
    view.drain.inflight = Some(311);
    view.running = Some(RunningRow {
        number: 3,
        action: Action::Next,
        since: at("03:07:08"),
        outcome: RunningState::Running,
        text: "2 of 3 routes of early are written".to_owned(),
    });
    view.advice = advice(None, "moving wave 2 of early: 2 of 3 routes written, since 03:07:08", None);
    customers(&mut view, 18);
    view
}

/// A wave is live and its gates are watched.
pub fn baking() -> View {
    let mut view = base();
    set(&mut view, "BAKING", 252);
    view.advice = advice(
        Some(Action::Next),
        "move wave 3 of early (11 more customers); baked 4m12s of 4m, all gates pass",
        Some(Tone::Good),
    );
    customers(&mut view, 23);
    view
}

/// A gate has failed and stopped the release.
pub fn held() -> View {
    let mut view = base();
    set(&mut view, "HOLD", 312);
    view.header.phase = "BAKING".to_owned();
    view.header.why = "gate errors: 1.3% over 1%".to_owned();
    view.header.alarm = Some(Tone::Bad);
    view.errors = errors(0.0131);
    view.gates[0] =
        GateRow { value: "1.3%".to_owned(), verdict: Verdict::Fail, since: Some(40), ..view.gates[0].clone() };
    view.rings[2] = RingRow { verdict: Verdict::Fail, errors_new: Some(0.0131), ..view.rings[2].clone() };
    view.events.insert(0, event(22, "03:06:32", "gate errors", "hold", "errors 1.31% over 1% for 30s", "applied"));
    view.notices = vec![NoticeRow {
        at: Some(at("03:06:31")),
        tone: Some(Tone::Bad),
        text: "globex has 4.1% errors on 4.12.0, 0.2% before".to_owned(),
    }];
    view.blocked = vec![(
        Action::Next,
        vec![
            Refusal::new("guard.hold", "held by gate errors since 03:06:32: resume first"),
            Refusal::new("guard.gate", "gate errors fails: 1.3% over 1% since 03:06:31"),
        ],
    )];
    view.running = Some(RunningRow {
        number: 4,
        action: Action::Next,
        since: at("03:06:50"),
        outcome: RunningState::Refused { why: view.blocked[0].1.clone() },
        text: String::new(),
    });
    view.advice = advice(
        Some(Action::Rollback),
        "roll back: gate errors fails since 03:06:31, 1.3% over 1% on early",
        Some(Tone::Bad),
    );
    customers(&mut view, 23);
    view.customers[12].errors = Some(0.041);
    view.customers[12].name = "Globex".to_owned();
    view
}

/// Everybody is on the new version; the old one finishes what is open.
pub fn draining() -> View {
    let mut view = base();
    set(&mut view, "DRAINING OLD", 101);
    view.header.wave = (7, 7);
    view.header.ring = "unlisted".to_owned();
    for ring in &mut view.rings {
        let on_new = if ring.unlisted { 1 } else { ring.of };
        *ring = RingRow {
            want: on_new,
            now: Some(on_new),
            state: "new".to_owned(),
            is_current: ring.unlisted,
            verdict: Verdict::Waiting,
            is_next: false,
            waves: (ring.waves.1, ring.waves.1),
            needs_approval: false,
            errors_new: Some(0.002),
            errors_old: None,
            rps_new: ring.rps,
            share: Some(1.0),
            inflight_left: Some(3),
            seen: None,
            ..ring.clone()
        };
    }
    view.exposed = Exposure { customers: Some(60), of: Some(60), rps: Some(201.4), share: Some(1.0) };
    view.errors.old = view.errors.old.iter().enumerate().map(|(i, v)| if i > 40 { None } else { *v }).collect();
    view.errors.last.1 = None;
    view.drain = DrainRow {
        inflight: Some(15),
        by_kind: vec![
            (StreamKind::Http, Some(0)),
            (StreamKind::Stream, Some(2)),
            (StreamKind::Ws, Some(13)),
            (StreamKind::Job, None),
        ],
        oldest: Some(171.0),
        eta: Some(70),
        patience: Some((600, 101)),
        in_use: false,
        headline: "not proven: 2 streams, 13 sockets".to_owned(),
        missing: vec![
            "13 sockets are open".to_owned(),
            "2 streams are open".to_owned(),
            "job: no sample from trackx-7c9f since 40s".to_owned(),
        ],
        survivors: vec![("globex".to_owned(), 6), ("acme".to_owned(), 4), ("initech".to_owned(), 2)],
        ..view.drain
    };
    view.drain_graph.values = (0..60).map(|i| (i > 8).then(|| 420.0 * (-f64::from(i - 8) / 16.0).exp())).collect();
    view.running = Some(RunningRow {
        number: 9,
        action: Action::Finish,
        since: at("03:05:31"),
        outcome: RunningState::Running,
        text: "waiting for the drain proof of 4.11.8".to_owned(),
    });
    view.advice = advice(
        None,
        "waiting for 15 open pieces of work on 4.11.8, oldest 2m51s, since 03:05:31; about 1m10s left",
        None,
    );
    view.way_out = "all 60 customers and the unlisted back to 4.11.8, about 20 s; 201 req/s move, open work on 4.12.0 finishes there".to_owned();
    customers(&mut view, 60);
    view
}

/// Routes are being written back to the old version.
pub fn rolling_back() -> View {
    let mut view = base();
    set(&mut view, "ROLLING BACK", 6);
    view.header.alarm = Some(Tone::Warn);
    view.header.why = "by kim@jump01".to_owned();
    for ring in &mut view.rings {
        *ring = RingRow {
            want: 0,
            state: if ring.now == Some(0) { "-" } else { "back" }.to_owned(),
            is_next: false,
            verdict: Verdict::Waiting,
            ..ring.clone()
        };
    }
    view.rings[3].needs_approval = false;
    view.rings[0] = RingRow { now: Some(0), rps_new: Some(0.0), share: Some(0.0), ..view.rings[0].clone() };
    view.rings[1] = RingRow { now: None, rps_new: None, share: None, ..view.rings[1].clone() };
    view.exposed = Exposure { customers: Some(20), of: Some(60), rps: Some(31.0), share: None };
    view.drain.side = Some(Side::New);
    view.drain.version = "4.12.0".to_owned();
    view.drain.inflight = None;
    view.drain.headline = "serves 20 customers".to_owned();
    view.header.stale = vec!["metrics silent 47s".to_owned()];
    view.header.fresh[1] = FreshRow { source: "metrics".to_owned(), age: Some(47), stale: true };
    view.running = Some(RunningRow {
        number: 5,
        action: Action::Rollback,
        since: at("03:07:06"),
        outcome: RunningState::Running,
        text: "base route is back, 1 of 3 managed routes written".to_owned(),
    });
    view.advice = advice(None, "rolling back: 1 of 3 routes written, since 03:07:06", Some(Tone::Warn));
    view.way_out = "under way: 20 customers go back to 4.11.8".to_owned();
    customers(&mut view, 20);
    view
}

fn set(view: &mut View, state: &str, seconds: u64) {
    view.header.state = state.to_owned();
    view.header.phase = state.to_owned();
    view.header.in_phase = Some(seconds);
}

fn advice(action: Option<Action>, text: &str, tone: Option<Tone>) -> Advice {
    Advice { text: text.to_owned(), action, tone }
}

/// Writes an event.
pub fn event(seq: u64, time: &str, by: &str, what: &str, why: &str, result: &str) -> EventRow {
    EventRow {
        seq,
        at: Some(at(time)),
        by: by.to_owned(),
        what: what.to_owned(),
        why: why.to_owned(),
        result: result.to_owned(),
    }
}

fn errors(last: f64) -> Graph {
    let wobble = |i: i32, base: f64| base + 0.0006 * f64::from((i * 7) % 5);
    Graph {
        step: 5.0,
        new: (0..60)
            .map(|i| match i {
                0..=14 | 30..=32 => None,
                50.. => Some(0.002 + (last - 0.002) * f64::from(i - 49) / 10.0),
                _ => Some(wobble(i, 0.001)),
            })
            .collect(),
        old: (0..60).map(|i| (!(30..=32).contains(&i)).then(|| wobble(i + 3, 0.002))).collect(),
        limit: Some(0.01),
        last: (Some(last), Some(0.003)),
    }
}

fn base() -> View {
    let fresh = |source: &str, age: u64| FreshRow { source: source.to_owned(), age: Some(age), stale: false };
    let gate = |name: &str, value: &str, limit: &str, window: &str| GateRow {
        name: name.to_owned(),
        value: value.to_owned(),
        limit: limit.to_owned(),
        window: window.to_owned(),
        verdict: Verdict::Pass,
        since: Some(190),
    };
    View {
        now: Some(at("03:07:12")),
        header: Header {
            environment: "PROD".to_owned(),
            cluster: "aks-weu-prod".to_owned(),
            namespace: "trackx".to_owned(),
            plan: "trackx".to_owned(),
            release: "trackx-4-12-0".to_owned(),
            old_version: "4.11.8".to_owned(),
            new_version: "4.12.0".to_owned(),
            mode: Mode::Driving,
            lease: Some(12),
            total: Some(2480),
            wave: (3, 7),
            ring: "early".to_owned(),
            fresh: vec![fresh("kube", 1), fresh("metrics", 4), fresh("lease", 2)],
            ..Header::default()
        },
        exposed: Exposure { customers: Some(23), of: Some(60), rps: Some(65.3), share: Some(0.32) },
        rings: rings(),
        drain: DrainRow {
            side: Some(Side::Old),
            version: "4.11.8".to_owned(),
            in_use: true,
            headline: "serves 37 customers and the unlisted".to_owned(),
            missing: vec!["the routes still send customers to 4.11.8".to_owned()],
            inflight: Some(137),
            by_kind: vec![
                (StreamKind::Http, Some(120)),
                (StreamKind::Stream, Some(2)),
                (StreamKind::Ws, Some(15)),
                (StreamKind::Job, Some(0)),
            ],
            oldest: Some(38.0),
            eta: Some(110),
            pods: Some((8, 8)),
            survivors: vec![("globex".to_owned(), 31), ("initech".to_owned(), 12)],
            ..DrainRow::default()
        },
        drain_graph: DrainGraph {
            step: 5.0,
            values: (0..60)
                .map(|i| Some(if i < 20 { 3.0 } else { 420.0 * (-f64::from(i - 20) / 30.0).exp() }))
                .collect(),
        },
        errors: errors(0.003),
        latency: Graph {
            step: 5.0,
            new: (0..60).map(|i| (i > 14).then_some(0.096)).collect(),
            old: (0..60).map(|i| Some(0.09 + 0.002 * f64::from(i % 4))).collect(),
            limit: Some(0.25),
            last: (Some(0.096), Some(0.092)),
        },
        requests: Graph {
            step: 5.0,
            new: (0..60).map(|i| Some(if i < 20 { 20.0 } else { 65.3 })).collect(),
            old: (0..60).map(|i| Some(if i < 20 { 181.0 } else { 136.1 })).collect(),
            limit: None,
            last: (Some(65.3), Some(136.1)),
        },
        gates: vec![
            gate("errors", "0.3%", "1%", "1m"),
            gate("p99", "96ms", "250ms", "1m"),
            gate("restarts", "0", "0", ""),
        ],
        events: vec![
            event(21, "03:02:58", "kim@jump01", "shift wave 1 of early", "", "verified, 9 seen, 2 silent"),
            event(20, "03:02:40", "kim@jump01", "took driving from anna@jump02", "she is off duty", "applied"),
            event(19, "02:48:10", "kim@jump01", "shift wave 1 of pilot", "", "verified, 9 seen"),
        ],
        way_out: "23 customers back to 4.11.8, about 20 s; open work on 4.12.0 finishes there".to_owned(),
        proposed: vec![
            ReleaseRow {
                name: "trackx-4-12-0".to_owned(),
                version: "4.12.0".to_owned(),
                phase: "Proposed".to_owned(),
                by: "ci".to_owned(),
                at: Some(at("03:04:01")),
            },
            ReleaseRow {
                name: "trackx-4-11-9".to_owned(),
                version: "4.11.9".to_owned(),
                phase: "Proposed".to_owned(),
                by: "ci".to_owned(),
                at: Some(at("01:00:00")),
            },
        ],
        ..View::default()
    }
}

fn rings() -> Vec<RingRow> {
    let ring = |name: &str, want: usize, now: usize, of: usize, rps: f64| RingRow {
        name: name.to_owned(),
        want,
        now: Some(now),
        of,
        rps: Some(rps),
        rps_new: Some(rps * now as f64 / of.max(1) as f64),
        share: Some(now as f64 / of.max(1) as f64),
        inflight_left: Some(0),
        errors_old: Some(0.003),
        state: "-".to_owned(),
        waves: (0, 2),
        ..RingRow::default()
    };
    vec![
        RingRow {
            errors_new: Some(0.001),
            state: "new".to_owned(),
            verdict: Verdict::Pass,
            waves: (1, 1),
            errors_old: None,
            ..ring("internal", 3, 3, 3, 4.1)
        },
        RingRow {
            errors_new: Some(0.002),
            state: "new".to_owned(),
            verdict: Verdict::Pass,
            waves: (1, 1),
            errors_old: None,
            ..ring("pilot", 9, 9, 9, 31.0)
        },
        RingRow {
            inflight_left: Some(137),
            errors_new: Some(0.003),
            state: "baking".to_owned(),
            verdict: Verdict::Pass,
            is_current: true,
            is_next: true,
            waves: (1, 3),
            seen: Some((9, 2, 0)),
            rps_new: Some(52.1),
            share: Some(0.529),
            ..ring("early", 11, 11, 22, 98.4)
        },
        RingRow { needs_approval: true, waves: (0, 1), ..ring("main", 0, 0, 26, 60.2) },
        RingRow {
            unlisted: true,
            rps: Some(7.7),
            waves: (0, 1),
            inflight_left: None,
            ..ring("unlisted", 0, 0, 0, 7.7)
        },
    ]
}

fn customers(view: &mut View, moved: usize) {
    let ring_of = |i: usize| match i {
        0..=2 => "internal",
        3..=11 => "pilot",
        12..=33 => "early",
        _ => "main",
    };
    view.customers = (0..60)
        .map(|i| {
            let side = Some(if i < moved { Side::New } else { Side::Old });
            CustomerRow {
                id: if i == 12 { "globex".to_owned() } else { format!("cust-{i:03}") },
                name: String::new(),
                ring: ring_of(i).to_owned(),
                wave: 1,
                want: side,
                now: side,
                rps: Some(0.3 * (i % 11) as f64),
                errors: (i % 11 != 0).then_some(0.001 * (i % 4) as f64),
                inflight_left: Some((i % 7) as u64),
                moved: if i < moved { Moved::Yes } else { Moved::No },
                seen: (i < moved).then_some(i % 11 != 0),
                since: (i < moved).then(|| at("03:03:04")),
            }
        })
        .collect();
}
