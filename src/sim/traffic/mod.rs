//! The traffic model: customers, requests, transactions, WebSockets and faults, on the routes and pods of the moment.
//!
//! It is arithmetic over a clock: whoever asks first moves it forward to now, so that hours pass in seconds on paused
//! time, and a task does so when nobody asks.

mod data_plane;
mod faults;
mod pod;
mod random;
#[cfg(test)]
mod tests;
mod totals;
mod world;

pub use totals::Totals;

use super::customers::ids;
use super::promql::{Store, answer, unavailable};
use super::scenario::Scenario;
use super::wire::{LivePod, Traffic};
use crate::model::Timestamp;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;
use world::World;

/// How often the model is moved forward when nobody asks.
const HEARTBEAT: Duration = Duration::from_millis(250);

/// The traffic of the embedded cluster.
#[derive(Debug)]
pub struct SimTraffic {
    apps: Arc<Mutex<Apps>>,
    clock: Clock,
}

/// The applications, the first one first, and what is scraped of all of them.
#[derive(Debug)]
struct Apps {
    worlds: Vec<World>,
    store: Store,
}

/// Wall time in milliseconds since the epoch, derived from tokio's clock.
#[derive(Clone, Copy, Debug)]
struct Clock {
    origin: Instant,
    origin_ms: i64,
}

impl SimTraffic {
    /// Starts the traffic of these listed customers, and of a neighbour with his own; `clock` is the wall time of this
    /// moment.
    ///
    /// Must be called on a tokio runtime; the task it starts ends when the value is dropped.
    pub fn new(scenario: &Scenario, customers: Vec<String>, clock: Timestamp) -> Self {
        let clock = Clock { origin: Instant::now(), origin_ms: clock.as_millisecond() };
        let mut apart = scenario.apart().into_iter();
        let is_alone = scenario.neighbour.is_none();
        let first = apart.next().map(|first| World::new(&first, customers, is_alone, clock.origin_ms));
        let others = apart.map(|other| World::new(&other, ids(&other), false, clock.origin_ms));
        let worlds = first.into_iter().chain(others).collect();
        let apps = Arc::new(Mutex::new(Apps { worlds, store: Store::default() }));
        tokio::spawn(keep_moving(Arc::downgrade(&apps), clock));
        Self { apps, clock }
    }

    /// Returns what happened so far to the first application's customers.
    pub fn totals(&self) -> Totals {
        self.totals_of(0).unwrap_or_default()
    }

    /// Returns what happened so far to the customers of an application, counted from 0; `None` when it is not there.
    pub fn totals_of(&self, app: usize) -> Option<Totals> {
        let apps = self.now();
        let (ledger, names) = apps.worlds.get(app)?.ledger();
        Some(ledger.totals(names))
    }

    fn now(&self) -> MutexGuard<'_, Apps> {
        moved(&self.apps, self.clock)
    }
}

impl Traffic for SimTraffic {
    fn routes(&self, routes: Vec<Value>) {
        self.now().worlds.iter_mut().for_each(|world| world.routes(&routes));
    }

    fn pods(&self, pods: Vec<LivePod>) {
        self.now().worlds.iter_mut().for_each(|world| world.pods(&pods));
    }

    fn open_work(&self, pod: &str) -> u64 {
        self.now().worlds.iter().map(|world| world.open_work(pod)).sum()
    }

    fn kill(&self, pod: &str) -> u64 {
        self.now().worlds.iter_mut().map(|world| world.kill(pod)).sum()
    }

    fn crashed(&self) -> Vec<String> {
        self.now().worlds.iter_mut().flat_map(World::crashed).collect()
    }

    fn gateway_lag(&self) -> Duration {
        let apps = self.now();
        let lags = apps.worlds.iter().map(|world| world.faults().gateway_lag(self.clock.now_ms()));
        lags.max().unwrap_or_default()
    }

    fn prometheus(&self, path: &str, query: &str) -> (u16, Value) {
        let apps = self.now();
        let now_ms = self.clock.now_ms();
        if apps.worlds.iter().any(|world| world.faults().metrics_away(now_ms)) {
            return unavailable();
        }
        answer(&apps.store, path, query, now_ms)
    }
}

impl Apps {
    fn advance(&mut self, now_ms: i64) {
        self.worlds.iter_mut().for_each(|world| world.advance(&mut self.store, now_ms));
    }
}

impl Clock {
    fn now_ms(self) -> i64 {
        self.origin_ms + i64::try_from(self.origin.elapsed().as_millis()).unwrap_or(i64::MAX / 2)
    }
}

fn moved(apps: &Mutex<Apps>, clock: Clock) -> MutexGuard<'_, Apps> {
    // A panic elsewhere must not silence the cluster for everybody: the numbers are still numbers.
    let mut apps = apps.lock().unwrap_or_else(PoisonError::into_inner);
    apps.advance(clock.now_ms());
    apps
}

async fn keep_moving(apps: Weak<Mutex<Apps>>, clock: Clock) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let Some(apps) = apps.upgrade() else { return };
        drop(moved(&apps, clock));
    }
}
