//! A checked plan: what is released, who goes when, what must hold.

use super::{Customer, Ring, Side, Slot, Span};
use std::collections::BTreeMap;
use std::fmt;

/// A plan in which every value has been read and checked; made from a RolloutPlan by `api`.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The plan's name; also the seed of ring shares.
    pub name: String,
    /// How much a person must type.
    pub environment: Environment,
    /// What is released.
    pub component: Component,
    /// Who puts the new version into the idle slot.
    pub deploy: DeployedBy,
    /// The request header that names the customer.
    pub header: String,
    /// Where the list of customers comes from.
    pub customers: CustomerSource,
    /// The rings, in order.
    pub rings: Vec<Ring>,
    /// How long the promoted unlisted traffic bakes.
    pub promote_bake: Span,
    /// How long after acceptance a shift settles; `None` = the provider's default.
    pub settle: Option<Span>,
    /// The gates.
    pub gates: Vec<Gate>,
    /// When a slot counts as drained.
    pub drain: DrainPolicy,
    /// Where metrics come from and how they are named.
    pub metrics: MetricsSource,
}

/// How dangerous the environment is.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Real customers.
    #[default]
    Prod,
    /// Like production, without real customers.
    Stage,
    /// For developers.
    Dev,
}

impl Environment {
    /// Returns the word the header shows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prod => "PROD",
            Self::Stage => "STAGE",
            Self::Dev => "DEV",
        }
    }
}

/// A Deployment and its Service.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct SlotPair {
    /// The Deployment's name.
    pub deployment: String,
    /// The Service's name.
    pub service: String,
}

/// The deployable unit with its two slots and its base route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// The component's name.
    pub name: String,
    /// The team's own HTTPRoute.
    pub route: String,
    /// Slot `a`.
    pub a: SlotPair,
    /// Slot `b`.
    pub b: SlotPair,
}

impl Component {
    /// Returns the pair of a slot.
    pub fn pair(&self, slot: Slot) -> &SlotPair {
        match slot {
            Slot::A => &self.a,
            Slot::B => &self.b,
        }
    }

    /// Finds the slot whose Service has this name.
    pub fn slot_of_service(&self, service: &str) -> Option<Slot> {
        Slot::ALL.into_iter().find(|slot| self.pair(*slot).service == service)
    }

    /// Finds the slot whose Deployment has this name.
    pub fn slot_of_deployment(&self, deployment: &str) -> Option<Slot> {
        Slot::ALL.into_iter().find(|slot| self.pair(*slot).deployment == deployment)
    }
}

/// Who puts the new version into the idle slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeployedBy {
    /// Pilothouse sets the image of the named container.
    Pilothouse {
        /// The container whose image is the version.
        container: String,
    },
    /// A pipeline does; pilothouse checks, scales and waits.
    Pipeline,
}

/// Where the list of customers comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomerSource {
    /// Key `customers.yaml` of this ConfigMap.
    ConfigMap(String),
    /// Listed in the plan.
    Inline(Vec<Customer>),
}

/// Whether a ring needs somebody's approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Approval {
    /// Nobody has to approve.
    #[default]
    None,
    /// An approval bound to the frozen plan is needed.
    Required,
}

/// A threshold gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// The gate's name, unique in the plan.
    pub name: String,
    /// What is measured.
    pub kind: GateKind,
    /// The largest value that passes (ratio, seconds, count, or the query's own unit).
    pub max: f64,
    /// The window that is looked at.
    pub window: Span,
    /// Fewer finished requests than this in the window is unknown, never a pass.
    pub min_requests: u64,
}

/// What a threshold gate measures.
#[derive(Clone, Debug, PartialEq)]
pub enum GateKind {
    /// Failed requests (5xx and cut) over all finished requests.
    ErrorRatio,
    /// A quantile of the request duration, in seconds.
    Latency {
        /// The quantile, between 0 and 1.
        quantile: f64,
    },
    /// Container restarts.
    Restarts,
    /// A PromQL expression; `$new` and `$old` stand for the slots.
    Promql {
        /// The expression.
        query: String,
    },
}

impl Gate {
    /// Writes the limit in the gate's own unit.
    pub fn limit(&self) -> String {
        self.amount(self.max)
    }

    /// Writes a value in the gate's own unit.
    pub fn amount(&self, value: f64) -> String {
        match self.kind {
            GateKind::ErrorRatio => format!("{:.2}%", value * 100.0),
            GateKind::Latency { .. } if value >= 10.0 => format!("{value:.0}s"),
            GateKind::Latency { .. } => format!("{:.0}ms", value * 1000.0),
            GateKind::Restarts => format!("{value:.0}"),
            GateKind::Promql { .. } => format!("{value:.3}"),
        }
    }
}

/// A kind of open work that the application counts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum StreamKind {
    /// Requests.
    Http,
    /// Streamed responses.
    Stream,
    /// WebSockets.
    Ws,
    /// Background jobs.
    Job,
}

impl StreamKind {
    /// Every kind, in a fixed order.
    pub const ALL: [Self; 4] = [Self::Http, Self::Stream, Self::Ws, Self::Job];

    /// Returns the label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Stream => "stream",
            Self::Ws => "ws",
            Self::Job => "job",
        }
    }

    /// Returns the word a person reads for one of them.
    pub fn one(self) -> &'static str {
        match self {
            Self::Http => "request",
            Self::Stream => "stream",
            Self::Ws => "socket",
            Self::Job => "job",
        }
    }

    /// Returns the word a person reads for several of them.
    pub fn many(self) -> String {
        format!("{}s", self.one())
    }

    /// Counts open work in words, such as `2 requests` and `5 sockets`; kinds without any are left out.
    pub fn count(open: impl IntoIterator<Item = (Self, u64)>) -> Vec<String> {
        let words = |(kind, n): (Self, u64)| match n {
            1 => format!("1 {}", kind.one()),
            n => format!("{n} {}", kind.many()),
        };
        open.into_iter().filter(|(_, n)| *n > 0).map(words).collect()
    }

    /// Reads a label value.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for StreamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the drain proof does about open work of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StreamPolicy {
    /// It blocks the proof until it has ended by itself.
    #[default]
    Wait,
    /// The application closes it cleanly on SIGTERM and clients come back; it does not block the proof.
    Reconnect,
}

/// When a slot counts as drained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrainPolicy {
    /// How long everything must be quiet.
    pub quiet: Span,
    /// After this the screen says what is left and offers force; it never cuts by itself.
    pub patience: Span,
    /// What is done per kind; a kind that is not named waits.
    pub kinds: BTreeMap<StreamKind, StreamPolicy>,
}

impl DrainPolicy {
    /// Returns what is done about open work of this kind.
    pub fn policy(&self, kind: StreamKind) -> StreamPolicy {
        self.kinds.get(&kind).copied().unwrap_or_default()
    }
}

/// How the metrics source is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricsEndpoint {
    /// A URL of the Prometheus HTTP API.
    Url(String),
    /// A Service, through the API server's proxy.
    ServiceProxy {
        /// `name:port` or `scheme:name:port`.
        service: String,
        /// The Service's namespace.
        namespace: String,
    },
    /// The plan names none: nothing can be proven.
    None,
}

/// How requests to the metrics source are authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// Not at all.
    None,
    /// A bearer token that is read from a file before each request.
    BearerFile {
        /// The file.
        path: String,
    },
    /// A command whose output is a token or an ExecCredential.
    Exec {
        /// The command and its arguments.
        command: Vec<String>,
    },
}

/// Metric and label names of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricNames {
    /// Counter of requests at their start.
    pub started: String,
    /// Counter of requests at their end.
    pub finished: String,
    /// Histogram of request durations, without `_bucket`.
    pub duration: String,
    /// Gauge of open work by kind.
    pub inflight: String,
    /// Gauge of open work by customer.
    pub inflight_by_customer: String,
    /// Gauge of the oldest open transaction's age.
    pub oldest: String,
    /// Label of the namespace.
    pub label_namespace: String,
    /// Label of the pod.
    pub label_pod: String,
    /// Label of the slot.
    pub label_slot: String,
    /// Label of the customer.
    pub label_customer: String,
    /// Label of the status code.
    pub label_code: String,
    /// Label of the kind of open work.
    pub label_kind: String,
}

/// Where metrics come from and how they are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsSource {
    /// How the source is reached.
    pub endpoint: MetricsEndpoint,
    /// How requests are authenticated.
    pub auth: Authentication,
    /// Metric and label names.
    pub names: MetricNames,
    /// The label value of each slot, in the order a, b.
    pub slot_values: [String; 2],
    /// The scrape interval, when the plan says it.
    pub interval: Option<Span>,
}

impl Plan {
    /// Finds a ring by name.
    pub fn ring(&self, name: &str) -> Option<&Ring> {
        self.rings.iter().find(|ring| ring.name.as_str() == name)
    }

    /// Returns the service of the slot that plays `side` when `old` is the active slot.
    pub fn service(&self, old: Slot, side: Side) -> &str {
        let slot = if side == Side::Old { old } else { old.other() };
        &self.component.pair(slot).service
    }
}
