//! `doctor`: walks from the terminal to the metrics and says what is well, what is not, and what to do first.
//!
//! It reads, and asks what one may do; it never changes anything.

mod access;
mod adoption;
mod crds;
mod print;
mod run;
mod surroundings;
mod walk;

pub(super) use run::{run, without_files};
pub use surroundings::Around;
pub use walk::{NoCluster, Patient, examine};

use crate::model::{Finding, Level};
use serde::Serialize;

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is well.
    Ok,
    /// Worth knowing.
    Note,
    /// May hurt.
    Warn,
    /// It could not be learned.
    Unknown,
    /// No release could start.
    Refused,
}

/// Where on the way a thing is, in the order of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// The terminal.
    Terminal,
    /// Files of this machine.
    Files,
    /// The API server.
    Cluster,
    /// The product's own kinds.
    Crds,
    /// The plan, its customers and rings.
    Plan,
    /// What one may do.
    Rights,
    /// Services, Deployments, pods and what scales them.
    Slots,
    /// HTTPRoutes.
    Routes,
    /// Gateways and policies.
    Gateway,
    /// The metrics source.
    Metrics,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Where it is.
    pub area: Area,
    /// The stable name of the check.
    pub check: String,
    /// How it stands.
    pub state: State,
    /// What was found and what to do, a sentence; foreign text.
    pub text: String,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In the order of the walk, the gravest of an area first.
    pub lines: Vec<Line>,
    /// The first step that is missing on the way to a release, a sentence that begins with what to type.
    pub next: String,
}

impl Line {
    /// Makes a line.
    pub fn new(area: Area, check: &str, state: State, text: impl Into<String>) -> Self {
        Self { area, check: check.to_owned(), state, text: text.into() }
    }

    /// Makes a line of a finding of the preflight.
    fn of(finding: &Finding) -> Self {
        let check = finding.check.as_str();
        // What has not come yet is no verdict.
        let is_waiting = matches!(check, "metrics.waiting" | "survey.stale" | "customers.waiting");
        let state = match finding.level {
            _ if is_waiting => State::Unknown,
            Level::Note => State::Note,
            Level::Warn => State::Warn,
            Level::Refuse => State::Refused,
        };
        Self::new(area_of(check), check, state, finding.text.clone())
    }
}

impl Report {
    /// Counts the lines of a state.
    pub fn count(&self, state: State) -> usize {
        self.lines.iter().filter(|line| line.state == state).count()
    }

    /// Returns the exit code: what is refused weighs more than what is not known.
    pub fn code(&self) -> super::Code {
        if self.count(State::Refused) > 0 {
            super::Code::Refused
        } else if self.count(State::Unknown) > 0 {
            super::Code::Unknown
        } else {
            super::Code::Ok
        }
    }
}

/// Tells where a check of the preflight belongs.
fn area_of(check: &str) -> Area {
    match check.split('.').next().unwrap_or_default() {
        "rights" => Area::Rights,
        "slot" | "hpa" | "keda" | "pdb" => Area::Slots,
        "route" | "gitops" => Area::Routes,
        "gateway" | "policy" | "survey" => Area::Gateway,
        "metrics" => Area::Metrics,
        _ => Area::Plan,
    }
}
