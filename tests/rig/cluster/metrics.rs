//! What a pod counts, in the names of the `app` metrics profile.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Upper bounds of the duration histogram, in seconds.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0];

/// Every kind of work; all are exported, also at 0.
const KINDS: [Kind; 4] = [Kind::Http, Kind::Stream, Kind::Socket, Kind::Job];

/// The kind of a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A request answered at once.
    Http,
    /// A response sent in pieces.
    Stream,
    /// A WebSocket.
    Socket,
    /// Work without a request; this application has none.
    Job,
}

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Stream => "stream",
            Self::Socket => "ws",
            Self::Job => "job",
        }
    }
}

/// What is wrong with a pod's metrics, while its work goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// They are answered by this status.
    Status(u16),
    /// Series whose text begins so are not exported.
    Without(&'static str),
}

/// The counters of one pod.
#[derive(Default)]
pub struct Metrics {
    counts: Mutex<Counts>,
    fault: Mutex<Fault>,
}

#[derive(Default)]
struct Counts {
    started: BTreeMap<String, u64>,
    finished: BTreeMap<(String, String), u64>,
    buckets: [u64; BOUNDS.len()],
    durations: u64,
    seconds: f64,
    open: BTreeMap<u64, Open>,
    next: u64,
}

struct Open {
    customer: String,
    kind: Kind,
    since: Instant,
}

impl Metrics {
    /// Counts the start of a piece of work; what is returned counts its end.
    pub fn begin(self: &Arc<Self>, customer: &str, kind: Kind) -> Work {
        let mut counts = self.counts();
        *counts.started.entry(customer.into()).or_default() += 1;
        counts.next += 1;
        let number = counts.next;
        counts.open.insert(number, Open { customer: customer.into(), kind, since: Instant::now() });
        Work { metrics: self.clone(), number, code: "cut".into() }
    }

    /// Pieces of work that are open.
    pub fn open(&self) -> usize {
        self.counts().open.len()
    }

    /// Breaks the export, or mends it.
    pub fn set_fault(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// Returns what a scrape gets: a status, and everything that is exported in the text format of Prometheus.
    pub fn scrape(&self) -> (u16, String) {
        let fault = *self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match fault {
            Fault::None => (200, self.text()),
            Fault::Status(status) => (status, String::new()),
            Fault::Without(series) => {
                let text = self.text();
                let exported = text.split_inclusive('\n').filter(|line| !line.starts_with(series));
                (200, exported.collect())
            }
        }
    }

    fn text(&self) -> String {
        let counts = self.counts();
        let mut out = String::new();
        out.push_str("# TYPE app_requests_started_total counter\n");
        for (customer, n) in &counts.started {
            line(&mut out, "app_requests_started_total", &[("customer", customer)], *n as f64);
        }
        out.push_str("# TYPE app_requests_total counter\n");
        for ((customer, code), n) in &counts.finished {
            line(&mut out, "app_requests_total", &[("customer", customer), ("code", code)], *n as f64);
        }
        out.push_str("# TYPE app_request_duration_seconds histogram\n");
        for (bound, n) in BOUNDS.iter().zip(counts.buckets) {
            line(&mut out, "app_request_duration_seconds_bucket", &[("le", &bound.to_string())], n as f64);
        }
        line(&mut out, "app_request_duration_seconds_bucket", &[("le", "+Inf")], counts.durations as f64);
        line(&mut out, "app_request_duration_seconds_sum", &[], counts.seconds);
        line(&mut out, "app_request_duration_seconds_count", &[], counts.durations as f64);
        out.push_str("# TYPE app_inflight gauge\n");
        for kind in KINDS {
            let n = counts.open.values().filter(|open| open.kind == kind).count();
            line(&mut out, "app_inflight", &[("kind", kind.label())], n as f64);
        }
        out.push_str("# TYPE app_inflight_by_customer gauge\n");
        let mut by_customer: BTreeMap<&str, u64> = BTreeMap::new();
        for open in counts.open.values() {
            *by_customer.entry(&open.customer).or_default() += 1;
        }
        for (customer, n) in by_customer {
            line(&mut out, "app_inflight_by_customer", &[("customer", customer)], n as f64);
        }
        out.push_str("# TYPE app_oldest_transaction_age_seconds gauge\n");
        let oldest = counts.open.values().map(|open| open.since.elapsed()).max().unwrap_or_default();
        line(&mut out, "app_oldest_transaction_age_seconds", &[], oldest.as_secs_f64());
        out
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open piece of work; dropped without a code it counts as cut.
pub struct Work {
    metrics: Arc<Metrics>,
    number: u64,
    code: String,
}

impl Work {
    /// Ends the work with a status code.
    pub fn end(mut self, code: u16) {
        self.code = code.to_string();
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut counts = self.metrics.counts();
        let Some(open) = counts.open.remove(&self.number) else { return };
        let seconds = open.since.elapsed().as_secs_f64();
        *counts.finished.entry((open.customer, self.code.clone())).or_default() += 1;
        // How long somebody keeps a socket open is no latency.
        if open.kind != Kind::Http {
            return;
        }
        for (at, bound) in BOUNDS.iter().enumerate() {
            if seconds <= *bound {
                counts.buckets[at] += 1;
            }
        }
        counts.durations += 1;
        counts.seconds += seconds;
    }
}

fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escape(value))).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{name}{labels} {value}");
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
