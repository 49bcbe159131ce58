//! The screens, one file each.

pub(super) mod audit;
pub(super) mod card;
mod choose;
pub(super) mod customer;
pub(super) mod customers;
pub(super) mod drain;
pub(super) mod frame;
pub(super) mod graphs;
pub(super) mod help;
pub(super) mod main;
pub(super) mod plan;
pub(super) mod preflight;
pub(super) mod releases;
pub(super) mod ring;

use crate::core::Action;

/// Which screen is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Screen {
    /// Rings, drain, errors, events.
    #[default]
    Main,
    /// Every customer.
    Customers,
    /// One customer, by id.
    Customer(String),
    /// One ring, by name.
    Ring(String),
    /// The drain, pod by pod.
    Drain,
    /// Every graph, or one of them alone.
    Graphs(Zoom),
    /// The plan and its gates.
    Plan,
    /// The journal.
    Audit,
    /// What speaks against a start.
    Preflight,
    /// Every release.
    Releases,
    /// Keys and why some are grey.
    Help,
}

/// Which graphs are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Zoom {
    /// All of them.
    #[default]
    All,
    /// Open work.
    Drain,
    /// Error ratios.
    Errors,
    /// 99th percentiles.
    Latency,
    /// Requests per second.
    Requests,
}

impl Zoom {
    const ORDER: [Self; 5] = [Self::All, Self::Drain, Self::Errors, Self::Latency, Self::Requests];

    /// Returns the one after this, or before it.
    pub fn turn(self, forward: bool) -> Self {
        let at = Self::ORDER.iter().position(|zoom| *zoom == self).unwrap_or(0);
        let step = if forward { 1 } else { Self::ORDER.len() - 1 };
        Self::ORDER[(at + step) % Self::ORDER.len()]
    }
}

/// The panels of the main screen, in the order of their digits, each by the action that opens it.
pub(super) const PANELS: [Action; 7] =
    [Action::Ring, Action::Drain, Action::Errors, Action::Latency, Action::Customers, Action::Plan, Action::Events];
