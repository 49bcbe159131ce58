//! The embedded Prometheus: samples, the operator's own PromQL, and the HTTP form of both.
//!
//! What it does not support is an error, never a wrong value. The arithmetic is that of Prometheus 2.42.

mod aggregate;
mod binary;
mod eval;
mod functions;
mod http;
mod labels;
mod over_time;
mod plan;
mod store;
#[cfg(test)]
mod tests;
mod value;

pub use http::{answer, unavailable};
pub use labels::{Labels, NAME};
pub use store::{SeriesId, Store};
