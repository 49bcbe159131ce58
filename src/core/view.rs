//! What the screens show: one plain value, computed from the state, which the renderer and `status` read.
//!
//! All texts in it are foreign until they pass the sanitiser at the edge.

use super::Action;
use crate::model::{Finding, Refusal, Side, StreamKind, Timestamp};
use serde::Serialize;

/// What this console may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    /// No client that can write exists.
    #[default]
    Watch,
    /// The API server has not said yet whether this person may write.
    Unknown,
    /// May write, does not drive.
    Standby,
    /// Drives the release.
    Driving,
}

impl Mode {
    /// Returns the word the header shows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Watch => "WATCH",
            Self::Unknown => "RIGHTS ?",
            Self::Standby => "STANDBY",
            Self::Driving => "DRIVING",
        }
    }
}

/// Everything the screens show.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Server time, as well as it is known.
    pub now: Option<Timestamp>,
    /// Where, who, what, how fresh.
    pub header: Header,
    /// How much is on the new version.
    pub exposed: Exposure,
    /// The rings in order; the last row is the unlisted.
    pub rings: Vec<RingRow>,
    /// The drain of the slot that is being left (old, or new on the way back).
    pub drain: DrainRow,
    /// Open work on the slot that is being left, over time.
    pub drain_graph: DrainGraph,
    /// Error ratio of new and old over time, as fractions.
    pub errors: Graph,
    /// 99th percentile latency of new and old over time, in seconds.
    pub latency: Graph,
    /// Requests per second that start on new and old, over time.
    pub requests: Graph,
    /// The gates.
    pub gates: Vec<GateRow>,
    /// The last events, newest first.
    pub events: Vec<EventRow>,
    /// Every listed customer, in ring order.
    pub customers: Vec<CustomerRow>,
    /// What to do next, or what is waited for.
    pub advice: Advice,
    /// What a rollback would do now, a sentence; empty when there is nothing to roll back.
    pub way_out: String,
    /// The plans to choose from; empty once one is taken.
    pub plans: Vec<PlanRow>,
    /// Releases that could be started, newest first.
    pub proposed: Vec<ReleaseRow>,
    /// What the preflight of the last start has found; `None` = not known here, because nothing was started from here or
    /// somebody else has started the release under way.
    pub findings: Option<Vec<Finding>>,
    /// What speaks against a start now.
    pub preflight: Preflight,
    /// Things worth a line, newest first.
    pub notices: Vec<NoticeRow>,
    /// The last order given at this console, and how it goes; `None` before the first.
    pub running: Option<RunningRow>,
    /// For each operating action: why it cannot be done now; empty = it can.
    pub blocked: Vec<(Action, Vec<Refusal>)>,
}

/// What speaks against a start now, of whatever version; looked for all the time while no release is under way.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preflight {
    /// Seconds since it was looked for; `None` = it is not, because a release is under way, or nothing is known yet.
    pub age: Option<u64>,
    /// Everything that was found, the gravest first.
    pub findings: Vec<Finding>,
    /// Seconds since Gateways, policies and budgets were looked at; `None` = not yet.
    pub survey_age: Option<u64>,
    /// Seconds since the metrics source was asked; `None` = not yet.
    pub metrics_age: Option<u64>,
    /// What each query of the metrics source brought; empty before the first round.
    pub queries: Vec<QueryRow>,
    /// What a release has to write, as `kubectl auth can-i` takes it, and whether we may; empty while it was not asked,
    /// `None` = the API server did not say.
    pub rights: Vec<(String, Option<bool>)>,
}

/// One query of the metrics source.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryRow {
    /// The metric, as the plan names it.
    pub metric: String,
    /// Series in the answer.
    pub series: usize,
    /// Why the answer is no value; `None` for a complete one.
    pub missing: Option<String>,
    /// Seconds since the newest sample; `None` without one, and for a computed value.
    pub age: Option<u64>,
}

/// How an order goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum RunningState {
    /// Work is under way.
    Running,
    /// It has reached its resting phase, or its one write is acknowledged.
    Done,
    /// Rules did not allow it; nothing was written.
    Refused {
        /// All of them.
        why: Vec<Refusal>,
    },
    /// It was begun and stopped before its resting phase.
    Stopped {
        /// What happened, and what to do.
        why: String,
    },
}

/// An order given at this console.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningRow {
    /// Counts the orders of this console from 1.
    pub number: u64,
    /// What was ordered.
    pub action: Action,
    /// When.
    pub since: Timestamp,
    /// How it goes.
    pub outcome: RunningState,
    /// What is being done or waited for, a sentence.
    pub text: String,
}

/// The two top lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// `PROD`, `STAGE`, `DEV`; empty while no plan is known.
    pub environment: String,
    /// The cluster, as the kubeconfig context names it.
    pub cluster: String,
    /// Namespace.
    pub namespace: String,
    /// The plan's name.
    pub plan: String,
    /// The release's name; empty when none is under way.
    pub release: String,
    /// The version that served at start (or serves now, when nothing is under way).
    pub old_version: String,
    /// The version being released; empty when none is.
    pub new_version: String,
    /// What this console may do.
    pub mode: Mode,
    /// Who drives, when somebody does: name and seconds since its last sign of life.
    pub driver: Option<(String, u64)>,
    /// Seconds of our own lease, while driving.
    pub lease: Option<u64>,
    /// The state word: a phase's, `HOLD`, `BLOCKED`, `IDLE`, `NO PLAN`, [`Header::CONNECTING`], [`Header::NO_CLUSTER`].
    pub state: String,
    /// Why it is so, a few words; empty when the word says it all.
    pub why: String,
    /// The phase's word, also while held or blocked.
    pub phase: String,
    /// Seconds in the phase; while held or blocked, seconds since then.
    pub in_phase: Option<u64>,
    /// Seconds since the release was started.
    pub total: Option<u64>,
    /// The wave that moved last, or moves, and how many there are (the unlisted wave included).
    pub wave: (u32, u32),
    /// The ring of that wave.
    pub ring: String,
    /// The age of each source.
    pub fresh: Vec<FreshRow>,
    /// Why the picture is old: forward acts are refused; empty when it is fresh.
    pub stale: Vec<String>,
    /// Since when the API server has not accepted our credentials; `None` while it does.
    pub logged_out: Option<Timestamp>,
    /// Whether the last verdict asks for attention: bad (red), warn (yellow), or neither.
    pub alarm: Option<super::Tone>,
}

impl Header {
    /// The state word until plans and releases have been read.
    pub const CONNECTING: &'static str = "CONNECTING";
    /// The state word while an API server that never answered is waited for.
    pub const NO_CLUSTER: &'static str = "NO CLUSTER";

    /// Tells whether plans and releases have been read: before, nobody knows whether a release is under way.
    pub fn is_read(&self) -> bool {
        !matches!(self.state.as_str(), "" | Self::CONNECTING | Self::NO_CLUSTER)
    }
}

/// The age of one source.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FreshRow {
    /// `kube`, `metrics`, `lease`.
    pub source: String,
    /// Seconds since its last sign of life; `None` = never seen.
    pub age: Option<u64>,
    /// Whether it is too old to act on.
    pub stale: bool,
}

/// How much is on the new version.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Exposure {
    /// Listed customers routed to the new version; `None` = unknown.
    pub customers: Option<usize>,
    /// Listed customers; `None` = unknown.
    pub of: Option<usize>,
    /// Requests per second on the new version; `None` = unknown.
    pub rps: Option<f64>,
    /// Their share of all requests, as a fraction; `None` = unknown.
    pub share: Option<f64>,
}

/// A gate's answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "verdict", content = "why")]
pub enum Verdict {
    /// Not asked yet.
    #[default]
    Waiting,
    /// The limit is kept.
    Pass,
    /// The limit is broken.
    Fail,
    /// No answer that could satisfy anything.
    Unknown(String),
    /// Unknown only because there was no traffic, or too little.
    NoTraffic(String),
}

impl Verdict {
    /// Returns the word the board shows.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "wait",
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::Unknown(_) => "unknown",
            Self::NoTraffic(_) => "few req",
        }
    }
}

/// One row of the rings.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RingRow {
    /// The ring's name; `unlisted` for the last row.
    pub name: String,
    /// Customers the plan wants on the new version by now.
    pub want: usize,
    /// Customers whose live routes send them to the new version; `None` = unknown.
    pub now: Option<usize>,
    /// Customers in the ring; 0 for the unlisted.
    pub of: usize,
    /// Whether this row is the unlisted.
    pub unlisted: bool,
    /// Requests per second; `None` = unknown.
    pub rps: Option<f64>,
    /// Those of them on the new version; `None` = unknown.
    pub rps_new: Option<f64>,
    /// Their share as a fraction; `None` = unknown, or no requests.
    pub share: Option<f64>,
    /// Open work of the ring's customers on the slot that is being left; `None` = unknown.
    pub inflight_left: Option<u64>,
    /// Error ratio on the new version; `None` = no requests or unknown.
    pub errors_new: Option<f64>,
    /// Error ratio on the old version; `None` = no requests or unknown.
    pub errors_old: Option<f64>,
    /// Customers seen with requests since their shift, silent ones, and those of whom it is not known; `None` before any.
    pub seen: Option<(usize, usize, usize)>,
    /// The state: `-`, `moving`, `verify`, `baking`, `new`, `back`, `next`.
    pub state: String,
    /// The verdict of the gates while this ring bakes.
    pub verdict: Verdict,
    /// Whether the next wave is of this ring.
    pub is_next: bool,
    /// Whether the current wave is of this ring.
    pub is_current: bool,
    /// Waves of the ring done, and in all.
    pub waves: (usize, usize),
    /// Whether the ring waits for an approval.
    pub needs_approval: bool,
}

/// The drain of the slot that is being left.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrainRow {
    /// Which side is being left; `None` when no version is being left: then the numbers are those of the one that serves.
    pub side: Option<Side>,
    /// Whether somebody is still routed to that side: there is nothing to prove yet.
    pub in_use: bool,
    /// Its version.
    pub version: String,
    /// Whether the proof holds.
    pub proven: bool,
    /// One line: `proven 12s ago`, or what is missing.
    pub headline: String,
    /// Everything that is missing for the proof, one sentence each.
    pub missing: Vec<String>,
    /// Open work; `None` = unknown.
    pub inflight: Option<u64>,
    /// Open work by kind; `None` = unknown.
    pub by_kind: Vec<(StreamKind, Option<u64>)>,
    /// Age of the oldest open transaction in seconds; `None` = unknown.
    pub oldest: Option<f64>,
    /// Estimated seconds until nothing is open; `None` = no estimate.
    pub eta: Option<u64>,
    /// Seconds of patience in all, and already used (while draining).
    pub patience: Option<(u64, u64)>,
    /// Ready and wanted pods of the slot.
    pub pods: Option<(u32, u32)>,
    /// Customers with the most open work there: id and count; none also while it is not known whose it is.
    pub survivors: Vec<(String, u64)>,
}

/// Two lines over one time axis; a gap is a gap.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Graph {
    /// Seconds per cell.
    pub step: f64,
    /// The new version, oldest first.
    pub new: Vec<Option<f64>>,
    /// The old version, oldest first.
    pub old: Vec<Option<f64>>,
    /// The gate's limit, where one exists.
    pub limit: Option<f64>,
    /// The newest values: new, old.
    pub last: (Option<f64>, Option<f64>),
}

/// Open work over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DrainGraph {
    /// Seconds per cell.
    pub step: f64,
    /// Open work, oldest first.
    pub values: Vec<Option<f64>>,
}

/// One gate.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GateRow {
    /// Its name.
    pub name: String,
    /// The measured value in its own unit; empty when unknown.
    pub value: String,
    /// The limit in its own unit.
    pub limit: String,
    /// The window, such as `1m`.
    pub window: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Seconds since the verdict changed.
    pub since: Option<u64>,
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EventRow {
    /// Its number in the journal.
    pub seq: u64,
    /// When.
    pub at: Option<Timestamp>,
    /// Who.
    pub by: String,
    /// What.
    pub what: String,
    /// Why, where a reason was given.
    pub why: String,
    /// How it went.
    pub result: String,
}

/// What became of a customer's wave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Moved {
    /// It has not moved.
    #[default]
    No,
    /// It is on its way.
    Moving,
    /// It has moved, which is verified.
    Yes,
    /// It was moved back.
    Back,
}

/// One customer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerRow {
    /// The id.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// The ring.
    pub ring: String,
    /// The wave, counted from 1.
    pub wave: u32,
    /// Where the plan wants it now.
    pub want: Option<Side>,
    /// Where the live routes send it; `None` = unknown or mixed.
    pub now: Option<Side>,
    /// Requests per second; `None` = unknown.
    pub rps: Option<f64>,
    /// Error ratio where it is now; `None` = no requests or unknown.
    pub errors: Option<f64>,
    /// Open work on the slot that is being left; `None` = unknown.
    pub inflight_left: Option<u64>,
    /// What became of its wave.
    pub moved: Moved,
    /// Whether it sent requests since its shift; `None` before, and while it is not known.
    pub seen: Option<bool>,
    /// When its wave reached the version it is on; `None` before it moved.
    pub since: Option<Timestamp>,
}

/// What to do next, or what is waited for and since when.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Advice {
    /// The sentence, without the key.
    pub text: String,
    /// The action that is the next step; `None` when waiting is.
    pub action: Option<Action>,
    /// Whether it is good, worth a look, or bad.
    pub tone: Option<super::Tone>,
}

/// A Release in a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReleaseRow {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its phase.
    pub phase: String,
    /// Who asked for it.
    pub by: String,
    /// When it was created.
    pub at: Option<Timestamp>,
}

/// A line worth reading.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NoticeRow {
    /// When.
    pub at: Option<Timestamp>,
    /// How to read it.
    pub tone: Option<super::Tone>,
    /// The text.
    pub text: String,
}

/// A plan that can be opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlanRow {
    /// Its name.
    pub name: String,
    /// Its environment, as the header shows it; empty when its spec cannot be read.
    pub environment: String,
    /// The base route that it releases by.
    pub route: String,
    /// The release that is under way, and its phase; empty without one.
    pub release: String,
}
