//! A release console: move a live service from one version to the next, customer by customer.
//!
//! Layers, lowest first; imports only go down (`tests/tidy.rs` enforces it).

#![forbid(unsafe_code)]

pub mod model;

pub mod api;
pub mod gate;
pub mod routing;

pub mod core;

pub mod cluster;
pub mod metrics;
pub mod sim;
pub mod ui;

pub mod config;
pub mod runtime;
pub mod telemetry;

pub mod cli;
