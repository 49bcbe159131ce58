//! What a person orders, and what they are shown before they confirm it.

use super::Action;
use crate::api::Commit;
use crate::model::{Refusal, Version};
use serde::{Deserialize, Serialize};

/// An order from a person, through a key or a command-line verb.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Start a release: a proposed one by name, or a new one of this version.
    Start {
        /// The name of a Release in phase Proposed.
        release: Option<String>,
        /// The version of a new Release.
        version: Option<Version>,
        /// The image; the active slot's repository with the version as tag when absent.
        image: Option<String>,
        /// The commit the version was built from.
        commit: Option<Commit>,
    },
    /// Move the next wave.
    Next {
        /// A reason to pass gates that are unknown only for lack of traffic.
        accept_no_traffic: Option<String>,
    },
    /// Move the unlisted.
    Promote {
        /// A reason to pass gates that are unknown only for lack of traffic.
        accept_no_traffic: Option<String>,
    },
    /// Drain and retire the old version.
    Finish,
    /// Retire a slot although its drain is not proven; cuts what is open there.
    Force {
        /// Why.
        reason: String,
    },
    /// Stop every forward act.
    Hold {
        /// Why.
        reason: String,
    },
    /// Let forward acts go on.
    Resume,
    /// Approve a ring.
    Approve {
        /// The ring.
        ring: String,
    },
    /// Route everybody back to the old version.
    Rollback {
        /// Why.
        reason: String,
    },
    /// Delete routes that an ended release has left behind and that serve nobody.
    Cleanup,
    /// Take driving over.
    Take {
        /// Why.
        reason: String,
    },
}

/// The longest reason that is kept, in bytes: it goes into the Release and its journal, which every console reads.
const MAX_REASON: usize = 1024;

impl Command {
    /// Refuses a reason that is too long to be kept.
    pub fn too_long(&self) -> Option<Refusal> {
        let reason = match self {
            Self::Next { accept_no_traffic } | Self::Promote { accept_no_traffic } => accept_no_traffic.as_ref()?,
            Self::Force { reason } | Self::Hold { reason } | Self::Rollback { reason } | Self::Take { reason } => {
                reason
            }
            Self::Start { .. } | Self::Finish | Self::Resume | Self::Approve { .. } | Self::Cleanup => return None,
        };
        (reason.len() > MAX_REASON).then(|| {
            Refusal::new(
                "guard.reason",
                format!("the reason has {} bytes, and {MAX_REASON} are kept: say it in fewer words", reason.len()),
            )
        })
    }

    /// Returns the action this command carries out.
    pub fn action(&self) -> Action {
        match self {
            Self::Start { .. } => Action::Start,
            Self::Next { .. } => Action::Next,
            Self::Promote { .. } => Action::Promote,
            Self::Finish => Action::Finish,
            Self::Force { .. } => Action::Force,
            Self::Cleanup => Action::Cleanup,
            Self::Hold { .. } => Action::Hold,
            Self::Resume => Action::Resume,
            Self::Approve { .. } => Action::Approve,
            Self::Rollback { .. } => Action::Rollback,
            Self::Take { .. } => Action::Take,
        }
    }
}

/// How a fact in a preview is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tone {
    /// Plain.
    Plain,
    /// Reassuring.
    Good,
    /// To be looked at.
    Warn,
    /// Bad.
    Bad,
}

/// One line of a preview.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// A short name, such as `customers`.
    pub label: String,
    /// What is, or will be.
    pub text: String,
    /// How to read it.
    pub tone: Tone,
}

/// What a person must do to confirm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Confirm {
    /// Nothing: the command runs at once.
    AtOnce,
    /// Press `y`.
    Yes,
    /// Type this word, then Enter.
    Type(String),
    /// Type this phrase and a reason.
    TypeWithReason(String),
}

/// What a command would do, as of now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// The action.
    pub action: Action,
    /// The dialog's headline, a sentence.
    pub title: String,
    /// What is, what will be, and the way back.
    pub facts: Vec<Fact>,
    /// Everybody who moves, where the facts do not name all of them.
    #[serde(default)]
    pub movers: Vec<String>,
    /// How it is confirmed.
    pub confirm: Confirm,
    /// Why it may not happen; empty when it may.
    pub refusals: Vec<Refusal>,
    /// Identifies what was shown; the command is refused when the world no longer matches it.
    pub mark: String,
}
