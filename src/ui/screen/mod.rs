//! The screens, one file each.

pub(super) mod card;
pub(super) mod customers;
pub(super) mod events;
pub(super) mod help;
pub(super) mod main;

/// Which screen is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Screen {
    /// Rings, drain, errors, events.
    #[default]
    Main,
    /// Every customer.
    Customers,
    /// The journal.
    Events,
    /// Keys and why some are grey.
    Help,
}
