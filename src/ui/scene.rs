//! What every panel needs to draw itself.

use super::clock::Clock;
use super::console::Look;
use super::keymap::Keymap;
use super::paint::{Ink, Piece};
use super::search::Needle;
use super::text;
use super::theme::Role;
use super::told::Told;
use crate::core::{Action, Mode, Verdict, View};
use crate::model::Side;

/// One frame: what is known, and how it looks.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub ink: Ink<'a>,
    /// What panels and lists show.
    pub view: &'a View,
    /// What header, way out and advice show: never a frozen picture.
    pub live: &'a View,
    /// How many seconds the picture has been frozen; `None` while it moves.
    pub frozen: Option<u64>,
    /// The panel the keyboard points at; `None` where there is no choice.
    pub focus: Option<Action>,
    pub keymap: &'a Keymap,
    pub look: &'a Look,
    /// What the terminal has told of itself.
    pub told: &'a Told,
    pub clock: &'a Clock,
    /// What is looked for in the rows of the screen; `None` where nothing can be.
    pub needle: Option<&'a Needle>,
    pub now_ms: u64,
}

impl Scene<'_> {
    /// Tells whether this console may write; if not, operating actions are not drawn.
    pub fn operates(&self) -> bool {
        self.live.header.mode != Mode::Watch
    }

    /// Returns the keys of an action; empty for one that has none, or that this console may not do.
    pub fn key(&self, action: Action) -> String {
        if !self.operates() && action.spec().role == crate::core::Role::Operate {
            return String::new();
        }
        self.keymap.label(action).unwrap_or_default()
    }

    /// Returns what stands behind a title: the key of an action and what it shows; empty where no key does.
    pub fn hint(&self, action: Action, shows: &str) -> String {
        let key = self.key(action);
        if key.is_empty() { String::new() } else { format!(" ({key}: {shows})") }
    }

    /// Tells whether a row has what is looked for.
    pub fn finds(&self, row: &str) -> bool {
        self.needle.is_some_and(|needle| needle.is_in(row))
    }

    /// Returns the reasons why an action cannot be done now.
    pub fn blocked(&self, action: Action) -> Vec<&str> {
        if !self.live.plans.is_empty() && action.spec().role == crate::core::Role::Operate && action != Action::Menu {
            // The core speaks to the command line, too, where a plan is named and not chosen.
            return vec![text::CHOOSE];
        }
        let found = self.live.blocked.iter().filter(|(a, _)| *a == action);
        found.flat_map(|(_, why)| why.iter().map(|refusal| refusal.text.as_str())).collect()
    }

    /// Tells whether there is an old and a new version: while no release is under way there is one that serves.
    pub fn has_two_versions(&self) -> bool {
        !self.view.header.new_version.is_empty()
    }

    /// Returns the version of a side.
    pub fn version(&self, side: Side) -> &str {
        match side {
            Side::Old => &self.view.header.old_version,
            Side::New => &self.view.header.new_version,
        }
    }

    /// Returns what stands before a panel's title: the digit that opens it, marked where the keyboard points at it.
    pub fn mark(&self, action: Action) -> Piece {
        let digit = self.keymap.digit(action).map(|digit| format!("{digit} ")).unwrap_or_default();
        if self.focus == Some(action) {
            return self.ink.role(Role::Focus, &format!("{}{digit}", self.ink.glyph(Role::Focus)));
        }
        self.ink.role(Role::Dim, &digit)
    }
}

/// Returns the role that shows a verdict; `None` while there is none.
pub(super) fn verdict_role(verdict: &Verdict) -> Option<Role> {
    match verdict {
        Verdict::Waiting => None,
        Verdict::Pass => Some(Role::Ok),
        Verdict::Fail => Some(Role::Bad),
        Verdict::Unknown(_) | Verdict::NoTraffic(_) => Some(Role::Warn),
    }
}

/// Returns the role of a side.
pub(super) fn side_role(side: Side) -> Role {
    match side {
        Side::Old => Role::Old,
        Side::New => Role::New,
    }
}
