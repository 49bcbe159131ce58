//! What a mistake touches, and which verbs it stops: the way back needs no theme.

use super::Wanted;
use crate::model::{Finding, Level};

/// What is needed of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Everything: it is shown on a screen.
    Everything,
    /// Which cluster, namespace and plan, and where evidence comes from.
    Evidence,
    /// Which cluster, namespace and plan: nothing else may stop a hold or a rollback.
    Aim,
    /// Which cluster and namespace: the way back without a plan.
    AimWithoutPlan,
}

/// The keys of `[cluster]`: they decide what is acted on.
const AIM: &[&str] = &["kubeconfig", "context", "namespace", "plan"];

/// Which part of the configuration a mistake leaves unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of the file.
    File,
    /// A key of `[cluster]`; `None` is any of them.
    Cluster(Option<&'static str>),
    /// Where evidence comes from, or something that nobody can tell.
    Metrics,
    /// Only how it looks.
    Look,
}

/// Something wrong, and the part that it leaves unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// What is wrong.
    pub finding: Finding,
    /// What is not known for it.
    pub part: Part,
}

impl Part {
    /// Returns the part that a key of a section is.
    pub fn of(section: &str, key: Option<&'static str>) -> Self {
        match section {
            "cluster" => Self::Cluster(key),
            "ui" => Self::Look,
            _ => Self::Metrics,
        }
    }
}

impl Need {
    /// Divides mistakes: as an error all of them when one stops, else as warnings.
    pub(super) fn judge(self, mistakes: Vec<Mistake>, wanted: &Wanted) -> Result<Vec<Finding>, Vec<Finding>> {
        let may_be = |key: &str| mistakes.iter().any(|mistake| mistake.part.may_be(key));
        let is_missing = |key: &str| self.asks(key) && !wanted.names(key) && may_be(key);
        let missing: Vec<String> = AIM.iter().filter(|key| is_missing(key)).map(|key| format!("--{key}")).collect();
        let is_stopped = mistakes.iter().any(|mistake| self.is_stopped_by(mistake.part));
        let findings = mistakes.into_iter().map(|mistake| mistake.finding);
        if !is_stopped && missing.is_empty() {
            return Ok(findings.map(|finding| Finding { level: Level::Warn, ..finding }).collect());
        }
        let mut findings: Vec<Finding> = findings.collect();
        if !is_stopped {
            let text = format!("what is meant is not known for certain: mend that, or give {}", missing.join(", "));
            findings.push(Finding::refuse("config.aim", text));
        }
        Err(findings)
    }

    /// Tells whether a mistake stops it, whatever flags say.
    fn is_stopped_by(self, part: Part) -> bool {
        match self {
            Self::Everything => true,
            Self::Evidence => matches!(part, Part::File | Part::Metrics),
            Self::Aim | Self::AimWithoutPlan => false,
        }
    }

    fn asks(self, key: &str) -> bool {
        self != Self::AimWithoutPlan || key != "plan"
    }
}

impl Part {
    /// Tells whether this key of `[cluster]` may be what is not known.
    fn may_be(self, key: &str) -> bool {
        match self {
            Self::File | Self::Cluster(None) => true,
            Self::Cluster(Some(wrong)) => wrong == key,
            Self::Metrics | Self::Look => false,
        }
    }
}

impl Wanted {
    /// Tells whether a flag or variable says this key of `[cluster]`.
    fn names(&self, key: &str) -> bool {
        match key {
            "kubeconfig" => self.kubeconfig.is_some(),
            "context" => self.context.is_some(),
            "namespace" => self.namespace.is_some(),
            "plan" => self.plan.is_some(),
            _ => false,
        }
    }
}
