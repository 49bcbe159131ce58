//! The seam between the embedded API server and the traffic model.

use crate::model::Slot;
use serde_json::Value;
use std::time::Duration;

/// A pod whose process runs (also while it terminates), as the traffic model sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct LivePod {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The Deployment whose ReplicaSet controls it; empty without one.
    pub deployment: String,
    /// Its slot, from the label `pilothouse.dev/slot`, else from the Service that sends to it.
    pub slot: Option<Slot>,
    /// Its version, from the label `app.kubernetes.io/version`.
    pub version: String,
    /// Whether it is Ready and an endpoint of its Service.
    pub ready: bool,
    /// Whether it was told to terminate.
    pub terminating: bool,
}

/// What the controllers of the embedded cluster ask of the traffic model; called from their tasks, never blocks.
pub trait Traffic: Send + Sync {
    /// The data plane now uses exactly these HTTPRoutes (after the gateway's lag).
    fn routes(&self, routes: Vec<Value>);
    /// These pods run now; a pod that is missing has ended.
    fn pods(&self, pods: Vec<LivePod>);
    /// Returns how much work is open in a pod, by name.
    fn open_work(&self, pod: &str) -> u64;
    /// A pod ends by SIGKILL: what is open in it is cut. Returns how much that was.
    fn kill(&self, pod: &str) -> u64;
    /// Returns the pods, by name, whose container crashed since the last call: it restarts, and its `restartCount` rises.
    fn crashed(&self) -> Vec<String> {
        Vec::new()
    }
    /// Returns how much longer than usual the gateway takes now to make a change live.
    fn gateway_lag(&self) -> Duration {
        Duration::ZERO
    }
    /// Answers a query of the Prometheus HTTP API: `path` is `/api/v1/query` or `/api/v1/query_range`, `query` the
    /// URL-encoded parameters. Returns the status code and the JSON body.
    fn prometheus(&self, path: &str, query: &str) -> (u16, Value);
}
