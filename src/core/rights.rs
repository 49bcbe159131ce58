//! What a release needs to be allowed to write, right by right.

use crate::model::{Plan, ResourceKind, Slot, Timestamp};
use std::fmt;

/// After this an answer that was not yes is asked for again, in seconds.
const AGAIN: i64 = 30;

/// One thing the API server may allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// The verb, such as `patch`.
    pub verb: &'static str,
    /// The kind of object.
    pub kind: ResourceKind,
    /// The subresource; empty for the object itself.
    pub subresource: &'static str,
    /// The object; empty for any of the kind.
    pub name: String,
}

impl fmt::Display for Right {
    /// Writes it as `kubectl auth can-i` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (group, _, plural) = self.kind.path();
        write!(f, "{} {plural}", self.verb)?;
        if !group.is_empty() {
            write!(f, ".{group}")?;
        }
        if !self.subresource.is_empty() {
            write!(f, "/{}", self.subresource)?;
        }
        if !self.name.is_empty() {
            write!(f, "/{}", self.name)?;
        }
        Ok(())
    }
}

/// An answer of the API server; `None` = it gave none.
pub type Allowed = (Right, Option<bool>);

/// The answers of this console, and when they were asked for.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    asked: Option<(Timestamp, Vec<Right>)>,
    answers: Vec<Allowed>,
    rounds: u64,
}

impl Rights {
    /// Takes in answers.
    pub fn take(&mut self, answers: Vec<Allowed>) {
        self.answers = answers;
        self.rounds += 1;
    }

    /// Counts the rounds of answers that came.
    pub fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Returns the answers; empty while none has come.
    pub fn answers(&self) -> &[Allowed] {
        &self.answers
    }

    /// Says what is to be asked now; what is allowed is not asked twice.
    pub fn due(&mut self, needed: Vec<Right>, now: Timestamp) -> Option<Vec<Right>> {
        if let Some((at, asked)) = &self.asked
            && *asked == needed
        {
            let all_well = self.answers.len() == needed.len() && self.answers.iter().all(|(_, yes)| *yes == Some(true));
            if all_well || now.as_second() - at.as_second() < AGAIN {
                return None;
            }
        }
        self.asked = Some((now, needed.clone()));
        Some(needed)
    }
}

/// Lists every write of a whole release, as the operator's role allows it.
pub fn needed(plan: &Plan) -> Vec<Right> {
    let right = |verb: &'static str, kind: ResourceKind, subresource: &'static str, name: &str| Right {
        verb,
        kind,
        subresource,
        name: name.to_owned(),
    };
    let mut rights = vec![
        right("patch", ResourceKind::HTTPRoute, "", ""),
        right("create", ResourceKind::HTTPRoute, "", ""),
        right("delete", ResourceKind::HTTPRoute, "", ""),
        right("patch", ResourceKind::RolloutPlan, "status", ""),
        right("create", ResourceKind::Release, "", ""),
        right("patch", ResourceKind::Release, "", ""),
        right("patch", ResourceKind::Release, "status", ""),
        right("create", ResourceKind::Lease, "", ""),
        right("patch", ResourceKind::Lease, "", ""),
        right("create", ResourceKind::ConfigMap, "", ""),
    ];
    for slot in Slot::ALL {
        rights.push(right("patch", ResourceKind::Deployment, "", &plan.component.pair(slot).deployment));
    }
    rights
}
