//! Scenario files: which application runs in the embedded cluster, and what goes wrong when.

use serde::Deserialize;

/// A scenario, as in `assets/scenarios/*.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Format version; 1.
    pub version: u32,
    /// One line for people.
    pub title: String,
    /// Everything random is derived from it.
    #[serde(default)]
    pub seed: u64,
    /// The application.
    #[serde(default)]
    pub app: App,
    /// The durations of the plan and of the machinery.
    #[serde(default)]
    pub timing: Timing,
    /// What goes wrong.
    #[serde(default)]
    pub fault: Vec<Fault>,
}

/// The application and its traffic.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct App {
    /// How many listed customers there are.
    pub customers: usize,
    /// Requests per second in all.
    pub rps: f64,
    /// The share of them that no listed customer sends, as a fraction.
    pub unlisted: f64,
    /// Replicas of the active slot.
    pub replicas: u32,
    /// The version that serves at the start.
    pub old: String,
    /// The version of the proposed release; empty = none is proposed.
    pub new: String,
    /// Transactions last between 10 ms and this many seconds, log-uniform.
    pub longest: f64,
    /// How many WebSockets are kept open.
    pub websockets: usize,
    /// The rings of the plan, from the first to the last: name and waves as cumulative percentages. The last one takes
    /// the rest, each earlier one an equal share of the customers before it.
    pub rings: Vec<RingShape>,
    /// `prod`, `stage` or `dev`.
    pub environment: String,
}

/// A ring of the scenario's plan.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RingShape {
    /// Its name.
    pub name: String,
    /// How many customers it takes; absent = the rest.
    #[serde(default)]
    pub customers: Option<usize>,
    /// Its waves, as `50%`; empty = one.
    #[serde(default)]
    pub waves: Vec<String>,
}

/// The durations of the plan and of the machinery, in seconds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// Bake of every wave.
    pub bake: f64,
    /// `drain.quiet`.
    pub quiet: f64,
    /// `drain.patience`.
    pub patience: f64,
    /// `settle`.
    pub settle: f64,
    /// `for` of every gate.
    pub gate: f64,
    /// Scrape interval.
    pub scrape: f64,
    /// How long a pod takes to become ready.
    pub pod_start: f64,
    /// How long the gateway takes to make a change live.
    pub gateway_lag: f64,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When: `wave 2 + 20s` (after the data plane first routes a customer of that wave to the new slot) or `t 90s`.
    pub at: String,
    /// What.
    pub kind: FaultKind,
    /// `new` or `old`; empty where it does not matter.
    #[serde(default)]
    pub slot: String,
    /// A customer id, or `*`.
    #[serde(default = "everybody")]
    pub customer: String,
    /// How much: a ratio of errors, seconds of latency, or seconds of lag.
    #[serde(default)]
    pub value: f64,
    /// How long: `forever` or a duration such as `30s`.
    #[serde(rename = "for", default = "forever")]
    pub lasts: String,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A share of the requests fails.
    Errors,
    /// Requests take longer.
    Latency,
    /// The pods of the slot crash and restart.
    Crash,
    /// One transaction of the slot never ends.
    Hung,
    /// The metrics source answers nothing.
    MetricsOutage,
    /// The gateway takes longer to make changes live.
    GatewayLag,
}

impl Default for App {
    fn default() -> Self {
        Self {
            customers: 60,
            rps: 200.0,
            unlisted: 0.1,
            replicas: 4,
            old: "4.11.8".into(),
            new: "4.12.0".into(),
            longest: 60.0,
            websockets: 8,
            rings: Vec::new(),
            environment: "prod".into(),
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            bake: 20.0,
            quiet: 5.0,
            patience: 120.0,
            settle: 1.0,
            gate: 10.0,
            scrape: 1.0,
            pod_start: 2.0,
            gateway_lag: 0.2,
        }
    }
}

fn everybody() -> String {
    "*".into()
}

fn forever() -> String {
    "forever".into()
}
