//! The embedded cluster: an API server, small controllers, a traffic model and a metrics source, all in the process.
//!
//! It speaks HTTP only: the real adapters are what tests run against it. All time is tokio's.

mod api;
mod clock;
mod cluster;
mod controllers;
mod customers;
mod gateway;
pub mod promql;
mod scenario;
mod seed;
mod traffic;
mod wire;

pub use api::{Account, Disturbance, Faults, Grant, Recorded, Rights};
pub use cluster::{Served, Sim, SimOptions};
pub use customers::ids as customer_ids;
pub use gateway::CONTROLLER as GATEWAY_CONTROLLER;
pub use scenario::{App, Fault, FaultKind, Lasts, RingShape, Scenario, Timing, When};
pub use seed::NAMESPACE;
pub use traffic::{SimTraffic, Totals};
pub use wire::{LivePod, Traffic};

#[cfg(test)]
mod tests;
