//! The process in a pod: its open work, its metrics, and how they are scraped.

use super::super::promql::{Labels, NAME, SeriesId, Store};
use super::super::wire::LivePod;
use crate::model::{Slot, StreamKind};
use std::collections::{BTreeMap, HashMap};

/// Upper bounds of the duration buckets in seconds; the one without bound follows.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Names one piece of open work in a pod: when it began, and a number.
pub type WorkId = (i64, u64);

/// A pod with the process in it.
#[derive(Debug)]
pub struct Pod {
    /// What the cluster says of it.
    pub live: LivePod,
    /// Names the process; a restarted container is another one.
    pub process: u64,
    /// Until when the process is not there, after a crash.
    pub down_until_ms: i64,
    open: BTreeMap<WorkId, Work>,
    metrics: Metrics,
    target: Target,
}

/// One piece of open work.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Whose it is.
    pub customer: usize,
    /// Its kind.
    pub kind: StreamKind,
    /// The code it will end with.
    pub code: u16,
}

/// What the application counts; customers are numbers until they are exported.
#[derive(Debug, Default)]
struct Metrics {
    started: BTreeMap<usize, u64>,
    finished: BTreeMap<(usize, u16), u64>,
    buckets: [u64; BOUNDS.len()],
    observed: u64,
    seconds: f64,
}

/// A scrape target and the series it has had at its last scrape.
#[derive(Debug)]
pub struct Target {
    labels: Vec<(String, String)>,
    series: HashMap<Key, (SeriesId, u64)>,
    round: u64,
    /// Targets are spread over the interval, as Prometheus spreads them.
    phase: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Up,
    Started(usize),
    Finished(usize, u16),
    Bucket(usize),
    Observed,
    Seconds,
    InFlight(StreamKind),
    InFlightBy(usize),
    Oldest,
}

impl Pod {
    /// Begins a process in a pod.
    pub fn new(live: LivePod, process: u64) -> Self {
        let target = Target::new(&live);
        let (open, metrics) = (BTreeMap::new(), Metrics::default());
        Self { live, process, down_until_ms: i64::MIN, open, metrics, target }
    }

    /// Tells whether new requests may come to this pod.
    pub fn serves(&self, slot: Slot, now_ms: i64) -> bool {
        self.live.slot == Some(slot) && self.live.ready && !self.live.terminating && self.runs(now_ms)
    }

    /// Tells whether the process is there.
    pub fn runs(&self, now_ms: i64) -> bool {
        now_ms >= self.down_until_ms
    }

    /// Begins work that ends later.
    pub fn begin(&mut self, id: WorkId, work: Work) {
        self.count_start(work.customer);
        self.open.insert(id, work);
    }

    /// Ends open work; `None` when it was not open.
    pub fn end(&mut self, id: WorkId, now_ms: i64) -> Option<Work> {
        let work = self.open.remove(&id)?;
        self.count_end(work, (now_ms - id.0) as f64 / 1000.0);
        Some(work)
    }

    /// Counts work that began and ended between two looks.
    pub fn pass(&mut self, work: Work, seconds: f64) {
        self.count_start(work.customer);
        self.count_end(work, seconds);
    }

    /// Returns how much is open.
    pub fn open_work(&self) -> u64 {
        self.open.len() as u64
    }

    /// Ends the process: returns what was cut, and forgets what was counted.
    pub fn crash(&mut self, process: u64, down_until_ms: i64) -> Vec<Work> {
        self.process = process;
        self.down_until_ms = down_until_ms;
        self.metrics = Metrics::default();
        std::mem::take(&mut self.open).into_values().collect()
    }

    /// Returns the scrape target, which outlives the pod until its series are ended.
    pub fn into_target(self) -> Target {
        self.target
    }

    /// Tells whether the pod is scraped in this step of the interval.
    pub fn is_due(&self, step: u64, steps_per_scrape: u64) -> bool {
        self.target.is_due(step, steps_per_scrape)
    }

    /// Scrapes the pod: a process that is not there gives `up` 0 and nothing else.
    pub fn scrape(&mut self, store: &mut Store, customers: &[String], now_ms: i64) {
        let mut round = Round { target: &mut self.target, store, customers, now_ms };
        round.target.round += 1;
        let runs = now_ms >= self.down_until_ms;
        round.put(Key::Up, f64::from(u8::from(runs)));
        if runs {
            self.metrics.export(&mut round);
            export_open(&self.open, &mut round);
        }
        round.target.end_missing(round.store, now_ms);
    }

    fn count_start(&mut self, customer: usize) {
        *self.metrics.started.entry(customer).or_default() += 1;
    }

    fn count_end(&mut self, work: Work, seconds: f64) {
        *self.metrics.finished.entry((work.customer, work.code)).or_default() += 1;
        // How long a stream, a job or a socket takes is the customer's choice and says nothing about the version.
        if work.kind != StreamKind::Http {
            return;
        }
        self.metrics.observed += 1;
        self.metrics.seconds += seconds;
        for (bucket, _) in self.metrics.buckets.iter_mut().zip(BOUNDS).filter(|(_, bound)| seconds <= *bound) {
            *bucket += 1;
        }
    }
}

impl Target {
    fn new(live: &LivePod) -> Self {
        let slot = live.slot.map_or("", Slot::as_str);
        let instance = format!("{}:8080", live.name);
        let pairs =
            [("namespace", "trackx"), ("pod", &live.name), ("slot", slot), ("job", "app"), ("instance", &instance)];
        let labels = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        // FNV-1a over the uid: any even spread will do.
        let hash = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let phase = live.uid.bytes().chain(live.name.bytes()).fold(0xcbf2_9ce4_8422_2325, hash);
        Self { labels, series: HashMap::new(), round: 0, phase }
    }

    /// Tells whether the target is scraped in this step of the interval.
    pub fn is_due(&self, step: u64, steps_per_scrape: u64) -> bool {
        step % steps_per_scrape == self.phase % steps_per_scrape
    }

    /// Ends every series: the target has vanished.
    pub fn end(&mut self, store: &mut Store, now_ms: i64) {
        self.round += 1;
        self.end_missing(store, now_ms);
    }

    fn end_missing(&mut self, store: &mut Store, now_ms: i64) {
        let round = self.round;
        self.series.retain(|_, (id, seen)| {
            let still_there = *seen == round;
            if !still_there {
                store.end(*id, now_ms);
            }
            still_there
        });
    }
}

impl Metrics {
    fn export(&self, round: &mut Round<'_>) {
        for (customer, count) in &self.started {
            round.put(Key::Started(*customer), *count as f64);
        }
        for ((customer, code), count) in &self.finished {
            round.put(Key::Finished(*customer, *code), *count as f64);
        }
        for (i, count) in self.buckets.iter().enumerate() {
            round.put(Key::Bucket(i), *count as f64);
        }
        round.put(Key::Bucket(BOUNDS.len()), self.observed as f64);
        round.put(Key::Observed, self.observed as f64);
        round.put(Key::Seconds, self.seconds);
    }
}

fn export_open(open: &BTreeMap<WorkId, Work>, round: &mut Round<'_>) {
    let mut by_customer: BTreeMap<usize, u64> = BTreeMap::new();
    for work in open.values() {
        *by_customer.entry(work.customer).or_default() += 1;
    }
    for kind in StreamKind::ALL {
        round.put(Key::InFlight(kind), open.values().filter(|work| work.kind == kind).count() as f64);
    }
    for (customer, count) in by_customer {
        round.put(Key::InFlightBy(customer), count as f64);
    }
    // A socket is no transaction: it may stay for hours and nothing waits for its end.
    let oldest = open.iter().find(|(_, work)| work.kind != StreamKind::Ws);
    round.put(Key::Oldest, oldest.map_or(0.0, |((began, _), _)| (round.now_ms - began) as f64 / 1000.0));
}

/// One scrape of one target.
struct Round<'r> {
    target: &'r mut Target,
    store: &'r mut Store,
    customers: &'r [String],
    now_ms: i64,
}

impl Round<'_> {
    fn put(&mut self, key: Key, value: f64) {
        let id = match self.target.series.get_mut(&key) {
            Some((id, seen)) => {
                *seen = self.target.round;
                *id
            }
            None => {
                let id = self.store.register(self.labels(key));
                self.target.series.insert(key, (id, self.target.round));
                id
            }
        };
        self.store.append(id, self.now_ms, value);
    }

    fn labels(&self, key: Key) -> Labels {
        let customer = |i: usize| ("customer", self.customers.get(i).cloned().unwrap_or_default());
        let (name, own) = match key {
            Key::Up => ("up", vec![]),
            Key::Started(i) => ("app_requests_started_total", vec![customer(i)]),
            Key::Finished(i, code) => ("app_requests_total", vec![customer(i), ("code", code.to_string())]),
            Key::Bucket(i) => {
                let bound = BOUNDS.get(i).map_or("+Inf".to_owned(), f64::to_string);
                ("app_request_duration_seconds_bucket", vec![("le", bound)])
            }
            Key::Observed => ("app_request_duration_seconds_count", vec![]),
            Key::Seconds => ("app_request_duration_seconds_sum", vec![]),
            Key::InFlight(kind) => ("app_inflight", vec![("kind", kind.as_str().to_owned())]),
            Key::InFlightBy(i) => ("app_inflight_by_customer", vec![customer(i)]),
            Key::Oldest => ("app_oldest_transaction_age_seconds", vec![]),
        };
        let own = own.into_iter().chain([(NAME, name.to_owned())]).map(|(name, value)| (name.to_owned(), value));
        Labels::new(self.target.labels.iter().cloned().chain(own))
    }
}
