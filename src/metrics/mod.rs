//! The metrics source: the Prometheus HTTP API, from a URL or through the API server's proxy, read as evidence.
//!
//! Whatever is not a complete answer keeps its own name: [`crate::model::Reading`]. Nothing here decides.

mod auth;
mod decode;
mod poll;
mod profile;
mod source;

pub use poll::{Poller, Polling, period, spawn};

#[cfg(test)]
mod tests;
