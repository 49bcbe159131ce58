//! Everything the core may ask of the world.

use super::SurveyRequest;
use crate::model::{Direction, MetricsSource, ResourceKind, ResourceRef, Span, Timestamp};
use serde_json::Value;

/// Identifies one request of this console to the world; answers carry it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// Something to be done outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Change one object.
    Write(Write),
    /// Read objects with quorum, never from a cache.
    Read {
        /// Comes back with the answer.
        id: OpId,
        /// What is read.
        read: Read,
        /// After this the read counts as failed.
        deadline: Span,
    },
    /// Ask every source again at once that waits before it is asked again.
    Hurry,
    /// Poll these metrics from now on, instead of what was polled before.
    Poll(Box<MetricsRequest>),
    /// Watch this ConfigMap for the customers, and no other.
    WatchCustomers(String),
    /// Ask whether we may do these things; the answer is [`super::Event::Rights`].
    Rights(Vec<super::Right>),
    /// Look at what no watch brings; the answer is [`super::Event::Survey`].
    Survey(Box<SurveyRequest>),
}

/// One change of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Comes back with the outcome.
    pub id: OpId,
    /// Whether a hold stops it.
    pub direction: Direction,
    /// The object.
    pub target: ResourceRef,
    /// What is done to it.
    pub verb: Verb,
    /// Validate only, store nothing.
    pub dry_run: bool,
    /// After this the outcome is unknown.
    pub deadline: Span,
}

/// What is done to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// POST of this object.
    Create(Value),
    /// JSON Patch of the object.
    Patch(Vec<Value>),
    /// JSON Patch of its status subresource.
    PatchStatus(Vec<Value>),
    /// DELETE with these preconditions.
    Delete {
        /// `preconditions.uid`.
        uid: String,
        /// `preconditions.resourceVersion`.
        resource_version: String,
    },
}

/// A quorum read.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// GET of one object.
    Get(ResourceRef),
    /// LIST of a kind, by label selector (empty = all).
    List {
        /// The kind.
        kind: ResourceKind,
        /// The label selector.
        selector: String,
    },
}

/// What is polled from the metrics source.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsRequest {
    /// The source and its names.
    pub source: MetricsSource,
    /// The namespace of the pods.
    pub namespace: String,
    /// Deployments of other plans in the namespace, whose pods are not asked for.
    pub strangers: Vec<String>,
    /// Gates to evaluate; empty while no wave is live.
    pub gates: Vec<GateQuery>,
}

/// The range queries of one gate.
#[derive(Clone, Debug, PartialEq)]
pub struct GateQuery {
    /// The gate's name.
    pub gate: String,
    /// The PromQL expressions; the verdict function knows what each one means.
    pub queries: Vec<String>,
    /// The window's length.
    pub window: Span,
    /// The window never starts before this instant.
    pub not_before: Timestamp,
}
