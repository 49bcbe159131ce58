//! The Kubernetes adapters: connecting, watching, reading with quorum, and one attempt per write. They decide nothing.
//!
//! Every call has a deadline of its own on tokio's clock, so that a paused clock in a test moves them, too.

mod browse;
mod client;
mod connect;
mod follow;
mod hurry;
mod identity;
mod kubeconfig;
mod login;
mod probe;
mod prune;
mod read;
mod read_only;
mod rights;
mod stream;
mod survey;
mod watch;
mod wire;
mod write;

pub use browse::{Browsed, Wanted, browse};
pub use client::{DriveClient, ReadClient};
pub use connect::{ConnectError, Connected, Target, connect};
pub use hurry::Hurry;
pub use identity::identity;
pub use login::{Login, Until};
pub use probe::{Probe, probe};
pub use read::read;
pub use read_only::{ReadOnly, Refused};
pub use rights::{NoReview, ReviewClient, rights};
pub use survey::survey;
pub use watch::{WatchSpec, Watches, watch};
pub use wire::innermost;
pub use write::write;

/// Tells the time on the console's clock.
pub type Clock = std::sync::Arc<dyn Fn() -> crate::model::Timestamp + Send + Sync>;

#[cfg(test)]
mod tests;
