//! The phases of a release.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a release stands; `CONTRACTS` names the resting ones, in which a person must act.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum Phase {
    /// Recorded, not started by anybody.
    #[default]
    Proposed,
    /// The new version is put into the idle slot and the managed routes are installed.
    Preparing,
    /// Everything is in place and nobody has moved yet.
    Ready,
    /// The routes of a wave are being written.
    Shifting,
    /// The shift is written; its effect on live traffic is being checked.
    Verifying,
    /// The wave is live and its gates are watched.
    Baking,
    /// The base route is being moved to the new version.
    Promoting,
    /// Everybody, also the unlisted, is on the new version.
    Promoted,
    /// The old version finishes what is open on it.
    DrainingOld,
    /// The old version is being scaled down.
    RetiringOld,
    /// Routes that say nothing any more are being removed.
    Cleaning,
    /// The release is over; the new version serves.
    Done,
    /// All routes are being written back to the old version.
    RollingBack,
    /// The way back is written; its effect is being checked.
    VerifyingBack,
    /// The new version finishes what is open on it.
    DrainingNew,
    /// The new version is being scaled down.
    RetiringNew,
    /// The release is over; the old version serves.
    RolledBack,
}

impl Phase {
    /// Tells whether nothing moves in this phase until a person acts.
    pub fn is_resting(self) -> bool {
        matches!(self, Self::Proposed | Self::Ready | Self::Baking | Self::Promoted | Self::Done | Self::RolledBack)
    }

    /// Tells whether the release is over.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::RolledBack)
    }

    /// Tells whether the release is on its way back to the old version.
    pub fn is_backward(self) -> bool {
        matches!(
            self,
            Self::RollingBack | Self::VerifyingBack | Self::DrainingNew | Self::RetiringNew | Self::RolledBack
        )
    }

    /// Tells whether the release has left Proposed and is not over.
    pub fn is_active(self) -> bool {
        self != Self::Proposed && !self.is_final()
    }

    /// Returns the state word a person reads.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proposed => "PROPOSED",
            Self::Preparing => "PREPARING",
            Self::Ready => "READY",
            Self::Shifting => "SHIFTING",
            Self::Verifying => "VERIFYING",
            Self::Baking => "BAKING",
            Self::Promoting => "PROMOTING",
            Self::Promoted => "PROMOTED",
            Self::DrainingOld => "DRAINING OLD",
            Self::RetiringOld => "RETIRING OLD",
            Self::Cleaning => "CLEANING",
            Self::Done => "DONE",
            Self::RollingBack => "ROLLING BACK",
            Self::VerifyingBack => "VERIFYING BACK",
            Self::DrainingNew => "DRAINING NEW",
            Self::RetiringNew => "RETIRING NEW",
            Self::RolledBack => "ROLLED BACK",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// The class of a write: what a hold stops, and what it must never stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// May expose more customers or shrink a slot; stopped by a hold, expires, never finished by another console alone.
    Forward,
    /// Routes to old or adds capacity; always allowed, always finished.
    Backward,
}
