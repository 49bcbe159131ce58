//! The embedded API server: objects in memory behind the HTTP interface of Kubernetes.

mod access;
mod admit;
mod discovery;
mod failure;
mod faults;
mod forms;
mod owners;
mod page;
mod patch;
mod protobuf;
mod request;
pub mod resources;
mod scale;
mod schema;
mod schemas;
mod select;
mod server;
mod store;
mod table;
mod watch;
mod write;

pub use access::{Account, Grant, Rights};
pub use failure::Failure;
pub use faults::{Disturbance, Faults, Recorded};
pub use select::Selection;
pub use server::{Server, router};
pub use store::Store;
pub use write::{DeleteOptions, Target, control, create, delete, is_gated};
