//! The words of the product as types: pure values that every layer shares.

mod count;
mod customer;
mod evidence;
mod foreign;
mod ids;
mod image;
mod object;
mod phase;
mod plan;
mod ring;
mod sample;
mod selector;
mod series;
mod span;

pub use count::counted;
pub use customer::{Customer, check_customers, customers_in, parse_customers};
pub use evidence::{Finding, Level, Reading, Refusal};
pub use foreign::shown;
pub use ids::{
    CustomerId, MAX_LABEL, RingName, Side, Slot, Version, Weight, dns_label, is_label, is_object_name, nearest_label,
};
pub use image::image_faults;
pub use object::{
    BASE_LABEL, Outcome, Rejection, ResourceKind, ResourceRef, SERVICE_LABEL, SLOT_LABEL, VERSION_LABEL, annotation,
    label_of, name_of, ready_in, resource_version, uid_of,
};
pub use phase::{Direction, Phase};
pub use plan::{
    Approval, Authentication, Component, CustomerSource, DeployedBy, DrainPolicy, Environment, Gate, GateKind,
    MetricNames, MetricsEndpoint, MetricsSource, Plan, SlotPair, StreamKind, StreamPolicy,
};
pub use ring::{Membership, Ring, RingSelect, UNLISTED, Wave, resolve};
pub use sample::{Batch, Family, LabelledPoints, RawSeries};
pub use selector::{selects, service_selects};
pub use series::Series;
pub use span::{Share, Span};

/// An instant in UTC; the product never asks the clock for one, it is always an argument.
pub type Timestamp = jiff::Timestamp;
