//! What a person can ask for.

mod table;

use serde::{Deserialize, Serialize};
pub use table::ACTIONS;

/// Everything a person can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Starts a release.
    Start,
    /// Moves the next wave.
    Next,
    /// Moves the unlisted.
    Promote,
    /// Drains and retires the old version.
    Finish,
    /// Scales a slot down whose drain is not proven.
    Force,
    /// Stops every forward act.
    Hold,
    /// Lets forward acts go on.
    Resume,
    /// Approves a ring.
    Approve,
    /// Routes everybody back to the old version.
    Rollback,
    /// Takes driving over.
    Take,
    /// Deletes routes that an ended release has left behind.
    Cleanup,
    /// Opens the action menu.
    Menu,
    /// Opens the help.
    Help,
    /// Opens the command palette.
    Palette,
    /// Shows the main screen.
    Main,
    /// Shows the customers.
    Customers,
    /// Shows the events.
    Events,
    /// Shows one ring.
    Ring,
    /// Shows the drain, pod by pod.
    Drain,
    /// Shows every graph.
    Graphs,
    /// Shows the errors in one large graph.
    Errors,
    /// Shows the latency in one large graph.
    Latency,
    /// Shows the plan with its waves and gates.
    Plan,
    /// Shows what speaks against a start.
    Preflight,
    /// Shows every release and the figures of delivery.
    Releases,
    /// Narrows the customers, or begins to search a list.
    Filter,
    /// Goes to the next row that matches.
    NextMatch,
    /// Goes to the row before that matches.
    PreviousMatch,
    /// Follows the newest entry of the journal, or stays where one is.
    Follow,
    /// Sorts the customers another way.
    Sort,
    /// Shows more columns of the customers.
    Wide,
    /// Points at the next panel, or shows the next graph.
    NextPanel,
    /// Points at the panel before, or shows the graph before.
    PreviousPanel,
    /// Freezes the picture.
    Freeze,
    /// Changes the colours.
    Theme,
    /// Copies what is selected.
    Copy,
    /// Writes what is shown to files.
    Export,
    /// Moves the selection up.
    Up,
    /// Moves the selection down.
    Down,
    /// Moves the selection to the first row.
    First,
    /// Moves the selection to the last row.
    Last,
    /// Moves the selection a page up.
    PageUp,
    /// Moves the selection a page down.
    PageDown,
    /// Opens what is selected.
    Open,
    /// Goes back.
    Back,
    /// Asks every source again at once.
    Retry,
    /// Draws the whole screen again.
    Redraw,
    /// Switches between UTC and local time.
    TimeZone,
    /// Leaves the console.
    Quit,
}

/// Who sees an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Everybody, also in watch mode.
    Look,
    /// Only who may write.
    Operate,
}

/// How dangerous an action is; it decides how it is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Danger {
    /// L0: changes nothing; one key.
    Look,
    /// L1: safe direction; one key, at once, no dialog.
    Safe,
    /// L2: towards the old version; preview, then `y`.
    Back,
    /// L3: exposes customers; menu, preview, typed word.
    Forward,
    /// L4: may cut work or take another's authority; typed phrase and a reason.
    Risk,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct ActionSpec {
    /// The action.
    pub action: Action,
    /// Its stable id, as keymaps name it.
    pub id: &'static str,
    /// A few words for menus.
    pub title: &'static str,
    /// What it does, one sentence.
    pub doc: &'static str,
    /// Who sees it.
    pub role: Role,
    /// How dangerous it is.
    pub danger: Danger,
    /// The command-line verb that does the same.
    pub verb: Option<&'static str>,
}

impl Action {
    /// Returns the action's row.
    pub fn spec(self) -> &'static ActionSpec {
        ACTIONS.iter().find(|row| row.action == self).unwrap_or(&ACTIONS[0])
    }

    /// Finds an action by its stable id.
    pub fn by_id(id: &str) -> Option<Self> {
        ACTIONS.iter().find(|row| row.id == id).map(|row| row.action)
    }
}
