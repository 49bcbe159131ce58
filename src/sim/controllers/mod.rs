//! What makes Deployments run: ReplicaSets, pods with a life of their own, EndpointSlices.
//!
//! Every pass looks at the whole state and does what is due, as the real controllers do; it needs no memory except what
//! runs on the node.

mod deployment;
mod endpoints;
mod node;
mod owner;
mod replicas;

use super::api::Store;
use super::api::resources::{DEPLOYMENTS, ENDPOINT_SLICES, PODS, REPLICA_SETS, SERVICES};
use super::wire::Traffic;
use crate::model::Slot;
use node::Node;

pub use node::{ADDRESS, NODE};
pub use owner::{namespace_of, set_condition};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// How often the node asks whether a process has crashed.
const CRASHES_EVERY: Duration = Duration::from_millis(500);
/// How many times as long as a pass took the next one waits.
const RESTS: u32 = 3;

/// The controllers of workloads.
pub struct Workloads {
    store: Arc<Store>,
    node: Node,
    seen: u64,
}

impl Workloads {
    /// Makes the controllers; `start` is how long a pod takes to become ready, `slots` are the slots by their Services.
    pub fn new(store: Arc<Store>, traffic: Arc<dyn Traffic>, start: Duration, slots: BTreeMap<String, Slot>) -> Self {
        Self { node: Node::new(store.clone(), traffic, start, slots), store, seen: 0 }
    }

    /// Brings everything that exists to its resting state at once, without any delay: the state at the start.
    pub fn settle(&mut self) {
        let start = self.node.replace_start(Duration::ZERO);
        loop {
            let before = self.store.version();
            self.pass();
            if self.store.version() == before {
                break;
            }
        }
        self.node.replace_start(start);
    }

    /// Works until the cluster ends.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.store.changes();
        let mut next: Option<Instant> = None;
        loop {
            changes.mark_unchanged();
            let crashed = self.node.restart_crashed();
            let due = next.is_some_and(|at| at <= Instant::now());
            if self.concerned() || crashed || due {
                let began = Instant::now();
                next = self.pass();
                // A pass looks at everything: among thousands of pods one pass has to serve many changes.
                let rest = began.elapsed() * RESTS;
                if !rest.is_zero() {
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        () = sleep(rest) => {}
                    }
                }
            }
            let look = Instant::now() + CRASHES_EVERY;
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
                () = sleep_until(next.map_or(look, |at| at.min(look))) => {}
            }
        }
    }

    /// Does everything that is due; returns when to look again even if nothing changes.
    fn pass(&mut self) -> Option<Instant> {
        deployment::sync(&self.store);
        replicas::sync(&self.store);
        let next = self.node.sync();
        endpoints::sync(&self.store);
        next
    }

    /// Tells whether anything has changed that these controllers look at.
    fn concerned(&mut self) -> bool {
        const OURS: [&str; 5] =
            [DEPLOYMENTS.plural, REPLICA_SETS.plural, PODS.plural, SERVICES.plural, ENDPOINT_SLICES.plural];
        match self.store.since(self.seen) {
            Ok((version, changes)) => {
                self.seen = version;
                changes.iter().any(|c| OURS.contains(&c.plural))
            }
            Err(_) => {
                self.seen = self.store.version();
                true
            }
        }
    }
}
