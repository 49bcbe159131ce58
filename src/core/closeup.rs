//! What a screen about one thing shows, beside the view: computed only for the screen that asks for it.
//!
//! All texts in it are foreign until they pass the sanitiser at the edge.

use super::{DrainGraph, EventRow, Graph};
use crate::model::{Side, StreamKind, Timestamp};
use serde::Serialize;

/// What a screen looks at closely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One customer, by id.
    Customer(String),
    /// One ring, by name.
    Ring(String),
    /// The drain of the slot that is being left, pod by pod.
    Drain,
    /// The whole journal of the release under way, or of the last one.
    Audit,
    /// Every release of the plan, and what they say about the team's delivery.
    Releases,
}

/// What is known of a subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Closeup {
    /// Of a customer.
    Customer(CustomerCloseup),
    /// Of a ring.
    Ring(RingCloseup),
    /// Of the drain.
    Drain(DrainCloseup),
    /// Of the journal.
    Audit(Audit),
    /// Of the releases.
    Releases(Releases),
}

/// One customer, closely.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerCloseup {
    /// The id.
    pub id: String,
    /// The tier in the team's list; empty when it says none.
    pub tier: String,
    /// The region in the team's list; empty when it says none.
    pub region: String,
    /// How a request names the customer, such as `x-customer-id: acme`.
    pub matched_by: String,
    /// When its wave reached the version it is on now; `None` before it moved.
    pub since: Option<Timestamp>,
    /// The managed routes that name it; empty before they are installed.
    pub routes: Vec<RouteRow>,
    /// Error ratio on both versions over time, as fractions.
    pub errors: Graph,
    /// Requests per second that start on both versions, over time.
    pub rates: Graph,
    /// Open work on the old and on the new version; `None` = unknown.
    pub open: (Option<u64>, Option<u64>),
    /// The same over time.
    pub work: Graph,
    /// What the journal says of its wave, newest first.
    pub events: Vec<EventRow>,
}

/// A managed route that names a customer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteRow {
    /// The HTTPRoute's name.
    pub name: String,
    /// The rules that name the customer, counted from 0.
    pub rules: Vec<usize>,
    /// The version these rules send to; `None` = unknown or mixed.
    pub to: Option<Side>,
    /// The resourceVersion.
    pub version: String,
    /// What the gateway says: `accepted`, or why not.
    pub accepted: String,
    /// Whether it accepts the route as it stands.
    pub is_accepted: bool,
}

/// One ring, closely.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RingCloseup {
    /// The name.
    pub name: String,
    /// Its waves in order.
    pub waves: Vec<WaveRow>,
    /// Seconds each wave bakes.
    pub bake: u64,
    /// Whether somebody must approve before it moves.
    pub needs_approval: bool,
    /// Who approved and when, where somebody did.
    pub approved: Option<(String, Timestamp)>,
    /// Error ratio of its customers on both versions over time, as fractions.
    pub errors: Graph,
    /// Requests per second of its customers that start on both versions, over time.
    pub rates: Graph,
}

/// One wave of a ring.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaveRow {
    /// Its number in the release, counted from 1.
    pub number: u32,
    /// Who moves.
    pub customers: Vec<String>,
    /// Where they are: `old`, `moving`, `new`, `back`.
    pub state: String,
    /// When they got there; `None` before.
    pub at: Option<Timestamp>,
    /// How many were silent when the shift was verified; `None` before.
    pub silent: Option<u32>,
}

/// The drain, pod by pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrainCloseup {
    /// The pods of both slots, those that are left first.
    pub pods: Vec<PodRow>,
    /// What the plan does about each kind of open work: waits for it, or asks it to reconnect.
    pub policies: Vec<(StreamKind, String)>,
    /// How many seconds nothing may be open or started.
    pub quiet: u64,
    /// Open work on the other slot over time.
    pub other: DrainGraph,
}

/// One pod of a slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodRow {
    /// Its name.
    pub name: String,
    /// The side its slot plays.
    pub side: Option<Side>,
    /// `ready`, `not ready`, `ending`, `ended`, `KILLED`, or what a waiting container says.
    pub state: String,
    /// Seconds since its last sample; `None` = never sampled.
    pub sample_age: Option<u64>,
    /// Whether that is too old to prove anything.
    pub is_stale: bool,
    /// Open work by kind; `None` = not exported.
    pub by_kind: Vec<(StreamKind, Option<u64>)>,
    /// The age of its oldest transaction in seconds; `None` = unknown.
    pub oldest: Option<f64>,
}

/// The whole journal of one release.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// The release; empty when there is none.
    pub release: String,
    /// Its version.
    pub version: String,
    /// Every record, newest first.
    pub records: Vec<AuditRow>,
    /// Whether numbers have no gap and each record carries the hash of the one before.
    pub is_chained: bool,
    /// How many older records lie in overflow ConfigMaps.
    pub older: u64,
}

/// One record of the journal, with everything it holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AuditRow {
    /// Its number.
    pub seq: u64,
    /// When.
    pub at: Option<Timestamp>,
    /// Who.
    pub by: String,
    /// The act or event.
    pub act: String,
    /// What was done.
    pub what: String,
    /// Why, where a reason was given.
    pub why: String,
    /// What was known when it was decided.
    pub evidence: String,
    /// How it went.
    pub result: String,
    /// The intent it belongs to; empty for none.
    pub intent: String,
    /// The hash of the record before.
    pub prev: String,
}

/// Every release of the plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Releases {
    /// Newest first.
    pub rows: Vec<PastRow>,
    /// What they say about delivery.
    pub delivery: Delivery,
}

/// One release in the list.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PastRow {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `DONE`, `ROLLED BACK`, or its phase.
    pub state: String,
    /// Whether it is under way.
    pub is_active: bool,
    /// Who asked for it.
    pub by: String,
    /// When it was started; `None` before, or when the record of it has been cut off.
    pub started: Option<Timestamp>,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// Listed customers that were on it at most.
    pub moved: u32,
    /// Listed customers in all; `None` before it was started.
    pub of: Option<usize>,
    /// Pods that ended with work in flight.
    pub cut: u32,
    /// The customers a forced drain cut; `None` = at least one whose work was open is not known.
    pub forced_on: Option<usize>,
    /// The commit, where one was given.
    pub commit: String,
}

/// The four figures of delivery, from the record alone; what it does not hold is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The days looked at.
    pub days: u32,
    /// Releases that ended in these days.
    pub ended: usize,
    /// Releases that ended in as many days before; `None` when the record does not reach that far.
    pub ended_before: Option<usize>,
    /// Those that were rolled back.
    pub rolled_back: usize,
    /// Those that were rolled back in the days before.
    pub rolled_back_before: Option<usize>,
    /// Releases done on each day, oldest first.
    pub daily: Vec<u32>,
    /// Whether each release that ended was done, oldest first.
    pub outcomes: Vec<bool>,
    /// Seconds from the commit to the end: half took less, nine of ten took less.
    pub lead: Option<(u64, u64)>,
    /// How many releases that is from.
    pub lead_of: usize,
    /// Done releases without a commit time, which are left out.
    pub without_commit: usize,
    /// Seconds from the order to roll back until every customer was verified back: half, nine of ten.
    pub restore: Option<(u64, u64)>,
    /// How many rollbacks that is from.
    pub restore_of: usize,
    /// When the oldest release in the record was created.
    pub since: Option<Timestamp>,
}
