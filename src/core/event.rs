//! Everything that can arrive.

use super::{Command, OpId, PodSeen, Survey};
use crate::model::{Batch, LabelledPoints, Outcome, Reading, ResourceKind, Span, Timestamp};
use serde_json::Value;

/// How every message ends that says that our credentials are not accepted; screens tell an expired login by it.
pub const LOG_IN: &str = "log in again";

/// How long requests that are under way may still take when the console leaves.
///
/// With the terminal's patience and the last line, a console whose terminal is gone is gone within two seconds.
pub const LEAVE: Span = Span::millis(1400);

/// Something that arrived; the only way into the core.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A watch or a small read saw objects.
    Kube(KubeEvent),
    /// The outcome of a write of ours.
    Wrote {
        /// The write.
        id: OpId,
        /// What became of it.
        outcome: Outcome,
    },
    /// The answer to a quorum read of ours.
    ReadDone {
        /// The read.
        id: OpId,
        /// What was found.
        result: Result<Found, ReadFailure>,
    },
    /// A round of metrics.
    Metrics(Batch),
    /// Answers to the gates' range queries.
    Gates {
        /// When they were asked, on the console's clock.
        at: Timestamp,
        /// One per gate.
        answers: Vec<GateAnswer>,
    },
    /// Who we are and what we may do.
    Identity(Identity),
    /// The API server's clock, from the `Date` of an answer.
    ServerTime(Skew),
    /// A person's order.
    Command {
        /// The order.
        command: Command,
        /// The mark of the preview it was confirmed on; `None` skips the comparison (hold).
        mark: Option<String>,
    },
    /// A person has chosen this one of several plans.
    Plan(String),
    /// The answers to a question for rights of ours.
    Rights(Vec<super::Allowed>),
    /// The answer to a survey of ours.
    Survey(Box<Survey>),
    /// Somebody looks at what speaks against a start and wants a survey no older than this.
    SurveyWanted(Span),
    /// Somebody does not want to wait until silent sources are asked again.
    RetryWanted,
    /// This console has done something for its person that is worth a line, such as an export.
    Noted(String),
    /// Time has passed.
    Tick,
    /// The terminal is gone or the program is leaving: forward work stops, the lease is released.
    Leaving,
}

/// What a source saw.
#[derive(Clone, Debug, PartialEq)]
pub struct KubeEvent {
    /// The kind.
    pub kind: ResourceKind,
    /// What changed.
    pub change: Change,
}

/// A change of the objects of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A complete list replaces what was known.
    Reset(Vec<Value>),
    /// The same for pods, of which there may be thousands: what decisions need of each is all that is kept of it.
    ResetPods(Vec<PodSeen>),
    /// An object is as given.
    Upsert(Value),
    /// An object is gone; its last known form.
    Deleted(Value),
    /// Nothing changed, but the source is alive.
    Alive,
    /// The source cannot be read.
    Failed {
        /// Why.
        why: String,
        /// Whether the API server said so itself; `false` = no answer came.
        answered: bool,
    },
}

/// What a quorum read found.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// The object.
    One(Value),
    /// The objects.
    Many(Vec<Value>),
    /// No such object.
    Missing,
}

/// Why a quorum read has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFailure {
    /// What went wrong; foreign text.
    pub why: String,
    /// Whether the server refused us (401 or 403).
    pub forbidden: bool,
}

/// The answers to one gate's queries, in their order: per query, series of (milliseconds, value).
#[derive(Clone, Debug, PartialEq)]
pub struct GateAnswer {
    /// The gate's name.
    pub gate: String,
    /// One answer per query; each series with its labels.
    pub answers: Vec<Reading<Vec<LabelledPoints>>>,
}

/// Who we are and what we may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user name, as the API server knows it; empty when it was not asked.
    pub user: String,
    /// Whether we may write; `None` = not asked.
    pub may_write: Option<bool>,
}

/// The server's clock beside ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    /// The server's time.
    pub server: Timestamp,
    /// Our time when the answer came.
    pub local: Timestamp,
}
