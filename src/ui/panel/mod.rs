//! The parts screens are made of; each draws one area from the view.

pub(super) mod customers;
pub(super) mod drain;
pub(super) mod errors;
pub(super) mod events;
pub(super) mod footer;
pub(super) mod header;
pub(super) mod order;
pub(super) mod plan;
pub(super) mod rings;
