//! The traffic itself: a state that is moved forward in steps of a tenth of a second.

use super::super::promql::Store;
use super::super::scenario::{App, Scenario};
use super::super::wire::LivePod;
use super::data_plane::{DataPlane, Destination, PATHS};
use super::faults::{Faults, Strike};
use super::pod::{Pod, Target, Work, WorkId};
use super::random::Random;
use super::totals::Ledger;
use crate::model::{Side, Slot, StreamKind};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Length of a step in milliseconds.
const STEP_MS: i64 = 100;

/// How long samples are kept.
const RETENTION_MS: i64 = 15 * 60_000;

/// The share of requests that are transactions: streams and jobs that may take up to `app.longest`.
const TRANSACTIONS: f64 = 0.02;

/// Shortest and longest duration of all other requests, in seconds.
const SHORT: (f64, f64) = (0.01, 0.08);

/// Shortest and longest life of a WebSocket, in seconds.
const SOCKET_LIFE: (f64, f64) = (20.0, 60.0);

/// How long a client waits before it opens a socket again that was cut or refused.
const RECONNECT_MS: i64 = 1000;

/// What requests outside the customer list carry in the customer header; the empty one is no header.
const STRANGERS: [&str; 4] = ["", "walk-in-1", "walk-in-2", "walk-in-3"];

/// Everything the traffic model knows; all times in milliseconds since the epoch.
#[derive(Debug)]
pub struct World {
    now_ms: i64,
    steps: u64,
    settings: Settings,
    /// The listed customers, then [`STRANGERS`].
    customers: Vec<String>,
    listed: usize,
    /// Running sums of the listed customers' shares.
    shares: Vec<f64>,
    random: Random,
    plane: DataPlane,
    pods: Vec<Pod>,
    gone: Vec<Target>,
    processes: u64,
    works: u64,
    ends: BinaryHeap<Reverse<End>>,
    /// When clients will open their next socket.
    sockets: BinaryHeap<Reverse<i64>>,
    faults: Faults,
    crashed: Vec<String>,
    ledger: Ledger,
}

#[derive(Debug)]
struct Settings {
    app: App,
    /// Whether pods of a slot that belong to no application are its own; those of no slot export nothing.
    takes_strays: bool,
    rps: f64,
    unlisted: f64,
    longest: f64,
    restart_ms: i64,
    steps_per_scrape: u64,
}

/// The end of open work, ordered by time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    at_ms: i64,
    process: u64,
    work: WorkId,
}

impl World {
    /// Makes the world of one application at `now_ms`, without routes and pods.
    pub fn new(scenario: &Scenario, customers: Vec<String>, takes_strays: bool, now_ms: i64) -> Self {
        let mut random = Random::new(scenario.seed);
        let listed = customers.len();
        let shares = skewed_shares(listed, &mut random);
        let app = &scenario.app;
        let settings = Settings {
            rps: app.rps.clamp(0.0, 1e5),
            unlisted: if listed == 0 { 1.0 } else { app.unlisted },
            longest: app.longest.max(SHORT.0),
            app: app.clone(),
            takes_strays,
            restart_ms: (scenario.timing.pod_start * 1000.0) as i64,
            steps_per_scrape: ((scenario.timing.scrape * 1000.0 / STEP_MS as f64).round() as u64).max(1),
        };
        let customers: Vec<String> = customers.into_iter().chain(STRANGERS.map(str::to_owned)).collect();
        Self {
            now_ms,
            steps: 0,
            settings,
            ledger: Ledger::new(customers.len()),
            customers,
            listed,
            shares,
            random,
            plane: DataPlane::default(),
            pods: Vec::new(),
            gone: Vec::new(),
            processes: 0,
            works: 0,
            ends: BinaryHeap::new(),
            sockets: (0..app.websockets).map(|_| Reverse(now_ms)).collect(),
            faults: Faults::new(&scenario.fault, now_ms),
            crashed: Vec::new(),
        }
    }

    /// Moves the world forward, in whole steps, as far as `now_ms` allows; what is scraped goes into the store.
    pub fn advance(&mut self, store: &mut Store, now_ms: i64) {
        while self.now_ms + STEP_MS <= now_ms {
            self.step(store);
        }
    }

    /// Puts routes into force.
    pub fn routes(&mut self, routes: &[Value]) {
        self.plane = DataPlane::new(&self.settings.app, routes, &self.customers);
        let homes = (0..self.listed).map(|customer| self.plane.home(customer)).collect();
        self.faults.routed(self.now_ms, homes);
    }

    /// Takes over which pods run; work that is open in one that ended is cut.
    pub fn pods(&mut self, live: &[LivePod]) {
        let live: Vec<LivePod> = live.iter().filter(|pod| self.settings.is_own(pod)).cloned().collect();
        let (kept, ended): (Vec<Pod>, Vec<Pod>) =
            std::mem::take(&mut self.pods).into_iter().partition(|pod| live.iter().any(|l| l.uid == pod.live.uid));
        self.pods = kept;
        for mut pod in ended {
            self.cut(&mut pod, i64::MAX);
            self.gone.push(pod.into_target());
        }
        for live in live {
            match self.pods.iter_mut().find(|pod| pod.live.uid == live.uid) {
                Some(pod) => pod.live = live,
                None => {
                    self.processes += 1;
                    self.pods.push(Pod::new(live, self.processes));
                }
            }
        }
    }

    /// Returns how much work is open in a pod; nothing in one that is not known.
    pub fn open_work(&self, name: &str) -> u64 {
        self.pods.iter().find(|pod| pod.live.name == name).map_or(0, Pod::open_work)
    }

    /// Ends a pod by force and returns how much was cut.
    pub fn kill(&mut self, name: &str) -> u64 {
        let Some(index) = self.pods.iter().position(|pod| pod.live.name == name) else { return 0 };
        let mut pod = self.pods.swap_remove(index);
        let cut = self.cut(&mut pod, i64::MAX);
        self.gone.push(pod.into_target());
        cut
    }

    /// Returns the pods whose containers crashed since the last call.
    pub fn crashed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.crashed)
    }

    /// Returns the faults.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Returns what happened so far, with the customers' names.
    pub fn ledger(&self) -> (&Ledger, &[String]) {
        (&self.ledger, &self.customers)
    }

    fn step(&mut self, store: &mut Store) {
        let from_ms = self.now_ms;
        self.now_ms += STEP_MS;
        self.steps += 1;
        self.end_due();
        for strike in self.faults.strikes(self.now_ms) {
            self.strike(strike);
        }
        self.begin_requests(from_ms);
        self.open_sockets();
        self.ledger.close_step();
        self.scrape(store);
    }

    fn end_due(&mut self) {
        while let Some(Reverse(end)) = self.ends.peek()
            && end.at_ms <= self.now_ms
        {
            let Some(Reverse(end)) = self.ends.pop() else { return };
            let Some(pod) = self.pods.iter_mut().find(|pod| pod.process == end.process) else { continue };
            let Some(work) = pod.end(end.work, end.at_ms) else { continue };
            self.ledger.finished(work.code);
            if work.kind == StreamKind::Ws {
                self.sockets.push(Reverse(self.now_ms));
            }
        }
    }

    fn strike(&mut self, strike: Strike) {
        match strike {
            Strike::Crash(side) => {
                let mut pods = std::mem::take(&mut self.pods);
                for pod in &mut pods {
                    if pod.runs(self.now_ms) && self.settings.strikes(side, pod) {
                        self.cut(pod, self.now_ms + self.settings.restart_ms);
                        self.crashed.push(pod.live.name.clone());
                    }
                }
                self.pods = pods;
            }
            Strike::Hang { fault, side, customer, until_ms } => {
                let candidate =
                    |pod: &&mut Pod| self.settings.strikes(side, pod) && pod.runs(self.now_ms) && pod.live.ready;
                let named = self.customers.iter().position(|name| *name == customer).unwrap_or(0);
                let Some(pod) = self.pods.iter_mut().find(candidate) else { return };
                self.works += 1;
                let id = (self.now_ms, self.works);
                pod.begin(id, Work { customer: named, kind: StreamKind::Http, code: 200 });
                // It is no request of the gateway: where the customer is routed now says nothing about it.
                self.ledger.started(named, None, self.now_ms);
                if let Some(at_ms) = until_ms {
                    self.ends.push(Reverse(End { at_ms, process: pod.process, work: id }));
                }
                self.faults.hung(fault, self.now_ms);
            }
        }
    }

    fn begin_requests(&mut self, from_ms: i64) {
        let ready = self.ready();
        let count = self.random.poisson(self.settings.rps * STEP_MS as f64 / 1000.0);
        for _ in 0..count {
            let customer = self.choose_customer();
            let path = self.choose_path();
            let Some(pod) = self.route(customer, path, &ready) else { continue };
            let (kind, mut seconds) = if self.random.chance(TRANSACTIONS) {
                let kind = if self.random.chance(0.5) { StreamKind::Stream } else { StreamKind::Job };
                (kind, self.random.log_uniform(SHORT.0, self.settings.longest))
            } else {
                (StreamKind::Http, self.random.log_uniform(SHORT.0, SHORT.1))
            };
            let began_ms = from_ms + self.random.below(STEP_MS as usize) as i64;
            let Some(side) = self.pods.get(pod).map(|pod| self.settings.side(&pod.live.version)) else { continue };
            let name = self.customers.get(customer).map_or("", String::as_str);
            let harm = self.faults.harm(self.now_ms, side, name);
            if kind == StreamKind::Http {
                seconds += harm.latency;
            }
            let code = if harm.errors > 0.0 && self.random.chance(harm.errors) { 500 } else { 200 };
            self.begin(pod, began_ms, seconds, Work { customer, kind, code });
        }
    }

    fn open_sockets(&mut self) {
        let ready = self.ready();
        while let Some(Reverse(at_ms)) = self.sockets.peek()
            && *at_ms <= self.now_ms
        {
            self.sockets.pop();
            // Who keeps a page open does not depend on how much he sends.
            let customer = self.random.below(self.listed.max(1));
            let Some(pod) = self.route(customer, 1, &ready) else {
                self.sockets.push(Reverse(self.now_ms + RECONNECT_MS));
                continue;
            };
            let seconds = SOCKET_LIFE.0 + self.random.unit() * (SOCKET_LIFE.1 - SOCKET_LIFE.0);
            self.begin(pod, self.now_ms, seconds, Work { customer, kind: StreamKind::Ws, code: 101 });
        }
    }

    /// Returns the index of the pod that takes a request; `None` when it does not get to a pod of a slot.
    fn route(&mut self, customer: usize, path: usize, ready: &[Vec<usize>; 2]) -> Option<usize> {
        match self.plane.decide(customer, path, &mut self.random) {
            Destination::Elsewhere => None,
            Destination::Nobody => {
                self.ledger.unrouted();
                None
            }
            Destination::Slot(slot) => {
                let pods = ready.get(slot as usize).map_or(&[][..], Vec::as_slice);
                if pods.is_empty() {
                    self.ledger.unserved(customer);
                    return None;
                }
                pods.get(self.random.below(pods.len())).copied()
            }
        }
    }

    fn begin(&mut self, pod: usize, began_ms: i64, seconds: f64, work: Work) {
        let Some(pod) = self.pods.get_mut(pod) else { return };
        self.ledger.started(work.customer, pod.live.slot, began_ms);
        let ends_ms = began_ms + (seconds * 1000.0) as i64;
        if ends_ms <= self.now_ms {
            pod.pass(work, seconds);
            self.ledger.finished(work.code);
            return;
        }
        self.works += 1;
        let id = (began_ms, self.works);
        pod.begin(id, work);
        self.ends.push(Reverse(End { at_ms: ends_ms, process: pod.process, work: id }));
    }

    fn ready(&self) -> [Vec<usize>; 2] {
        let of = |slot| {
            let serving = self.pods.iter().enumerate().filter(|(_, pod)| pod.serves(slot, self.now_ms));
            serving.map(|(index, _)| index).collect()
        };
        Slot::ALL.map(of)
    }

    fn choose_customer(&mut self) -> usize {
        if self.random.chance(self.settings.unlisted) {
            // Half of them carry no customer header at all.
            let stranger = if self.random.chance(0.5) { 0 } else { self.random.below(STRANGERS.len()) };
            return self.listed + stranger;
        }
        let point = self.random.unit();
        self.shares.partition_point(|sum| *sum <= point).min(self.listed.saturating_sub(1))
    }

    fn choose_path(&mut self) -> usize {
        let mut left = self.random.unit();
        for (index, (_, share)) in PATHS.iter().enumerate() {
            if left < *share {
                return index;
            }
            left -= share;
        }
        0
    }

    fn cut(&mut self, pod: &mut Pod, down_until_ms: i64) -> u64 {
        self.processes += 1;
        let cut = pod.crash(self.processes, down_until_ms);
        for work in &cut {
            self.ledger.cut(work.customer);
            if work.kind == StreamKind::Ws {
                self.sockets.push(Reverse(self.now_ms + RECONNECT_MS));
            }
        }
        cut.len() as u64
    }

    fn scrape(&mut self, store: &mut Store) {
        if self.faults.metrics_away(self.now_ms) {
            return;
        }
        let (step, per_scrape) = (self.steps, self.settings.steps_per_scrape);
        for pod in self.pods.iter_mut().filter(|pod| pod.is_due(step, per_scrape)) {
            pod.scrape(store, &self.customers, self.now_ms);
        }
        self.gone.retain_mut(|target| {
            let due = target.is_due(step, per_scrape);
            if due {
                target.end(store, self.now_ms);
            }
            !due
        });
        // Forgetting looks at every series; once in ten seconds is often enough.
        if step.is_multiple_of(100) {
            store.forget_before(self.now_ms - RETENTION_MS);
        }
    }
}

impl Settings {
    fn is_own(&self, pod: &LivePod) -> bool {
        (self.takes_strays && pod.slot.is_some()) || self.app.slot_of(&pod.deployment).is_some()
    }

    fn side(&self, version: &str) -> Option<Side> {
        if version == self.app.old {
            Some(Side::Old)
        } else if version == self.app.new {
            Some(Side::New)
        } else {
            None
        }
    }

    fn strikes(&self, side: Option<Side>, pod: &Pod) -> bool {
        side.is_none() || self.side(&pod.live.version) == side
    }
}

/// Returns running sums of shares that fall as 1, 1/2, 1/3 ..., given to the customers in random order.
fn skewed_shares(count: usize, random: &mut Random) -> Vec<f64> {
    let mut ranks: Vec<usize> = (1..=count).collect();
    for i in (1..count).rev() {
        ranks.swap(i, random.below(i + 1));
    }
    let total: f64 = ranks.iter().map(|rank| 1.0 / *rank as f64).sum();
    let mut sum = 0.0;
    let running = |rank: usize| {
        sum += 1.0 / rank as f64 / total;
        sum
    };
    ranks.into_iter().map(running).collect()
}
