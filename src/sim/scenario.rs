//! Scenario files: which application runs in the embedded cluster, and what goes wrong when.

mod parse;

use crate::model::{Side, Slot, Span};
use serde::Deserialize;
use std::time::Duration;

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
    /// A second application in the same namespace, with a plan of its own.
    #[serde(default)]
    pub neighbour: Option<App>,
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
    /// Its name, and that of its plan, its base route and the Deployment and Service of slot a; those of slot b have
    /// `-b` behind it.
    pub name: String,
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
    /// When it begins.
    pub at: When,
    /// What.
    pub kind: FaultKind,
    /// The application it strikes; absent = the first.
    #[serde(default)]
    pub app: Option<String>,
    /// The pods it strikes: those that run the scenario's new or old version; absent = both.
    #[serde(default)]
    pub slot: Option<Side>,
    /// A customer id, or `*`.
    #[serde(default = "everybody")]
    pub customer: String,
    /// How much: a ratio of errors, seconds of latency, or seconds of lag.
    #[serde(default)]
    pub value: f64,
    /// How long.
    #[serde(rename = "for", default)]
    pub lasts: Lasts,
}

/// When a fault begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum When {
    /// `t 90s`: so long after the start.
    Start(Duration),
    /// `wave 2 + 20s`: so long after the data plane first routed customers of that wave to the other slot. Waves are
    /// counted from 1, by the moments at which customers newly go there; moments less than a second apart are one.
    Wave(usize, Duration),
}

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Lasts {
    /// `forever`.
    #[default]
    Forever,
    /// `30s`: so long.
    For(Duration),
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A share of the requests fails.
    Errors,
    /// Requests take longer.
    Latency,
    /// The pods crash and restart, at once and then every 15 s while the fault lasts.
    Crash,
    /// One transaction never ends, until its pod is killed or the fault is over.
    Hung,
    /// The metrics source answers nothing.
    MetricsOutage,
    /// The gateway takes longer to make changes live.
    GatewayLag,
}

impl Scenario {
    /// Returns a scenario of each application alone, with what goes wrong there.
    pub fn apart(&self) -> Vec<Self> {
        let alone = |app: &App, seed: u64| Self {
            app: app.clone(),
            neighbour: None,
            seed,
            fault: self
                .fault
                .iter()
                .filter(|fault| fault.app.as_ref().unwrap_or(&self.app.name) == &app.name)
                .cloned()
                .collect(),
            ..self.clone()
        };
        // The first one's chance does not depend on whether there is a second.
        let second = self.neighbour.iter().map(|app| alone(app, self.seed ^ 0x6e65_6967_6862));
        std::iter::once(alone(&self.app, self.seed)).chain(second).collect()
    }
}

impl App {
    /// Returns the name of a slot's Deployment and Service.
    pub fn of_slot(&self, slot: Slot) -> String {
        match slot {
            Slot::A => self.name.clone(),
            Slot::B => format!("{}-b", self.name),
        }
    }

    /// Returns the slot that a Deployment or Service of this name is.
    pub fn slot_of(&self, name: &str) -> Option<Slot> {
        Slot::ALL.into_iter().find(|slot| self.of_slot(*slot) == name)
    }

    /// Returns the host that its clients ask for.
    pub fn host(&self) -> String {
        format!("{}.example", self.name)
    }
}

impl Default for App {
    fn default() -> Self {
        Self {
            name: "trackx".into(),
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

impl TryFrom<String> for When {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no moment; write `t 90s` or `wave 2 + 20s`");
        let after = |text: &str| Span::parse(text.trim()).map(|span| span.0).map_err(|_| wrong());
        let (word, rest) = text.trim().split_once(' ').ok_or_else(wrong)?;
        match word {
            "t" => after(rest).map(Self::Start),
            "wave" => {
                let (number, delay) = rest.split_once('+').unwrap_or((rest, "0s"));
                let number = number.trim().parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
                after(delay).map(|delay| Self::Wave(number, delay))
            }
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Lasts {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.trim() == "forever" {
            return Ok(Self::Forever);
        }
        let span = Span::parse(&text).map_err(|_| format!("{text:?} is no length; write `forever` or `30s`"))?;
        Ok(Self::For(span.0))
    }
}

fn everybody() -> String {
    "*".into()
}
