//! The embedded cluster: an API server, small controllers, a traffic model and a metrics source, all in the process.
//!
//! It speaks HTTP only: the real adapters are what tests run against it. All time is tokio's.

mod promql;
mod scenario;
mod traffic;
mod wire;

pub use scenario::{App, Fault, FaultKind, Lasts, RingShape, Scenario, Timing, When};
pub use traffic::{SimTraffic, Totals};
pub use wire::{LivePod, Traffic};
