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

use super::promql::{answer, unavailable};
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
    world: Arc<Mutex<World>>,
    clock: Clock,
}

/// Wall time in milliseconds since the epoch, derived from tokio's clock.
#[derive(Clone, Copy, Debug)]
struct Clock {
    origin: Instant,
    origin_ms: i64,
}

impl SimTraffic {
    /// Starts the traffic of these listed customers; `clock` is the wall time of this moment.
    ///
    /// Must be called on a tokio runtime; the task it starts ends when the value is dropped.
    pub fn new(scenario: &Scenario, customers: Vec<String>, clock: Timestamp) -> Self {
        let clock = Clock { origin: Instant::now(), origin_ms: clock.as_millisecond() };
        let world = Arc::new(Mutex::new(World::new(scenario, customers, clock.origin_ms)));
        tokio::spawn(keep_moving(Arc::downgrade(&world), clock));
        Self { world, clock }
    }

    /// Returns what happened so far.
    pub fn totals(&self) -> Totals {
        let world = self.now();
        let (ledger, names) = world.ledger();
        ledger.totals(names)
    }

    fn now(&self) -> MutexGuard<'_, World> {
        moved(&self.world, self.clock)
    }
}

impl Traffic for SimTraffic {
    fn routes(&self, routes: Vec<Value>) {
        self.now().routes(&routes);
    }

    fn pods(&self, pods: Vec<LivePod>) {
        self.now().pods(pods);
    }

    fn open_work(&self, pod: &str) -> u64 {
        self.now().open_work(pod)
    }

    fn kill(&self, pod: &str) -> u64 {
        self.now().kill(pod)
    }

    fn crashed(&self) -> Vec<String> {
        self.now().crashed()
    }

    fn gateway_lag(&self) -> Duration {
        let world = self.now();
        world.faults().gateway_lag(self.clock.now_ms())
    }

    fn prometheus(&self, path: &str, query: &str) -> (u16, Value) {
        let world = self.now();
        let now_ms = self.clock.now_ms();
        if world.faults().metrics_away(now_ms) {
            return unavailable();
        }
        answer(world.store(), path, query, now_ms)
    }
}

impl Clock {
    fn now_ms(self) -> i64 {
        self.origin_ms + i64::try_from(self.origin.elapsed().as_millis()).unwrap_or(i64::MAX / 2)
    }
}

fn moved(world: &Mutex<World>, clock: Clock) -> MutexGuard<'_, World> {
    // A panic elsewhere must not silence the cluster for everybody: the numbers are still numbers.
    let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
    world.advance(clock.now_ms());
    world
}

async fn keep_moving(world: Weak<Mutex<World>>, clock: Clock) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let Some(world) = world.upgrade() else { return };
        drop(moved(&world, clock));
    }
}
