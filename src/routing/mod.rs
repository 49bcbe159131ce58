//! Which rule takes a request, and which routes a release needs: pure functions over HTTPRoutes as JSON.
//!
//! HTTPRoutes are read leniently and never turned into closed structs: a typed round trip would drop fields it does
//! not know. In reading order: what the rules say ([`winner`], [`Table`], [`backends`]), what refuses a release
//! ([`check`]), the managed routes of a release ([`compile`]), the marks on them ([`Undo`]), how they are written
//! ([`patch`]), and what is live ([`placements`], [`acceptance`]).

mod backend;
mod check;
mod facts;
mod layout;
mod live;
mod marks;
mod matching;
mod owned;
mod patch;
mod rivals;
mod shape;
mod status;
mod table;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod properties;

pub use backend::{active_slot, backends, gateways_of, slot_rules, weights_of};
pub use check::{check, filtered_backends, rules_named, untimed_rules};
pub use facts::{RuleLimit, rule_limits, rule_ports};
pub use layout::{Install, Layout, ManagedRoute, compile, examine};
pub use live::{is_all_placeholder, match_count, placements, serves_nobody, unlisted_placement};
pub use marks::{
    BASE_LABEL, Backend, FENCE, MANAGED_BY, MANAGED_BY_LABEL, RELEASE, SLOT_LABEL, UNDO, Undo, VERSION_LABEL, base_of,
    fence_of, managed_labels, managed_selector,
};
pub use owned::owned_hash;
pub use patch::{Edit, Fence, PatchError, Rules, apply, patch};
pub use rivals::{not_governed, some_of};
pub use status::{Acceptance, Controllers, acceptance, controllers_of};
pub use table::{Hit, Request, Table, winner};
