//! The one table of actions; keymap, help, menu, palette, command line and documentation read it.

use serde::{Deserialize, Serialize};

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
    /// Narrows the customers.
    Filter,
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

const fn row(
    action: Action,
    id: &'static str,
    title: &'static str,
    doc: &'static str,
    role: Role,
    danger: Danger,
    verb: Option<&'static str>,
) -> ActionSpec {
    ActionSpec { action, id, title, doc, role, danger, verb }
}

/// Every action.
pub const ACTIONS: &[ActionSpec] = &[
    row(
        Action::Start,
        "release.start",
        "start a release",
        "Start a release: put the new version into the idle slot and install its routes; nobody moves yet.",
        Role::Operate,
        Danger::Forward,
        Some("start"),
    ),
    row(
        Action::Next,
        "wave.next",
        "next wave",
        "Move the next wave of customers to the new version.",
        Role::Operate,
        Danger::Forward,
        Some("next"),
    ),
    row(
        Action::Promote,
        "release.promote",
        "promote",
        "Move everybody who is in no customer list to the new version.",
        Role::Operate,
        Danger::Forward,
        Some("promote"),
    ),
    row(
        Action::Finish,
        "release.finish",
        "finish",
        "Wait for the old version's drain proof, then retire it and remove the managed routes.",
        Role::Operate,
        Danger::Forward,
        Some("finish"),
    ),
    row(
        Action::Force,
        "drain.force",
        "force the drain",
        "Scale a slot down although its drain is not proven: what is open there is cut.",
        Role::Operate,
        Danger::Risk,
        Some("finish"),
    ),
    row(
        Action::Hold,
        "release.hold",
        "hold",
        "Stop every forward act until a person resumes.",
        Role::Operate,
        Danger::Safe,
        Some("hold"),
    ),
    row(
        Action::Resume,
        "release.resume",
        "resume",
        "Let forward acts go on after a hold.",
        Role::Operate,
        Danger::Forward,
        Some("resume"),
    ),
    row(
        Action::Approve,
        "release.approve",
        "approve",
        "Approve the ring that waits for an approval.",
        Role::Operate,
        Danger::Forward,
        Some("approve"),
    ),
    row(
        Action::Rollback,
        "release.rollback",
        "roll back",
        "Route all customers back to the old version.",
        Role::Operate,
        Danger::Back,
        Some("rollback"),
    ),
    row(
        Action::Take,
        "driver.take",
        "take over",
        "Take driving over from another console.",
        Role::Operate,
        Danger::Risk,
        Some("take"),
    ),
    row(
        Action::Cleanup,
        "route.cleanup",
        "clean up",
        "Delete the routes that an ended release has left behind and that serve nobody.",
        Role::Operate,
        Danger::Forward,
        Some("cleanup"),
    ),
    row(
        Action::Menu,
        "view.menu",
        "actions",
        "Show what can be done now, and why the rest cannot.",
        Role::Operate,
        Danger::Look,
        None,
    ),
    row(Action::Help, "view.help", "help", "Show every key and why some are grey.", Role::Look, Danger::Look, None),
    row(Action::Palette, "view.palette", "command", "Find an action by name.", Role::Look, Danger::Look, None),
    row(Action::Main, "view.main", "main screen", "Show rings, drain and errors.", Role::Look, Danger::Look, None),
    row(
        Action::Customers,
        "view.customers",
        "customers",
        "Show every customer with wanted and observed version.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::Events,
        "view.events",
        "all events",
        "Show the journal of this release, record by record.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::Ring,
        "view.ring",
        "ring",
        "Show one ring: its waves, its customers, how they fare on both versions.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::Drain,
        "view.drain",
        "drain",
        "Show the drain: what each pod still holds, and what is missing for the proof.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::Graphs,
        "view.graphs",
        "graphs",
        "Show drain, errors, latency and requests over time.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::Errors,
        "view.errors",
        "errors",
        "Show the errors of both versions in one large graph.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::Latency,
        "view.latency",
        "latency",
        "Show the latency of both versions in one large graph.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::Plan,
        "view.plan",
        "plan and gates",
        "Show every wave of the plan and what every gate says.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::Preflight,
        "view.preflight",
        "preflight",
        "Show everything that speaks against a start, or may hurt.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::Releases,
        "view.releases",
        "releases",
        "Show every release of this plan, and how often, how fast and how well it delivers.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::Filter,
        "view.filter",
        "filter",
        "Narrow the customers, such as ring:early ver:4.12 err>1, or any text.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::Sort,
        "view.sort",
        "sort",
        "Sort the customers another way: by ring, errors, open work, requests, name.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::Wide,
        "view.wide",
        "wide columns",
        "Show more columns of the customers, or fewer again.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::NextPanel,
        "view.next-panel",
        "next panel",
        "Point at the next panel, or show the next graph.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::PreviousPanel,
        "view.previous-panel",
        "panel before",
        "Point at the panel before, or show the graph before.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::Freeze,
        "view.freeze",
        "freeze view",
        "Freeze the picture, not the release; forward acts are refused until it moves again.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(Action::Theme, "view.theme", "theme", "Change the colours to the next theme.", Role::Look, Danger::Look, None),
    row(
        Action::Copy,
        "view.copy",
        "copy",
        "Copy what is selected to the clipboard of the terminal (OSC 52).",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(Action::Up, "view.up", "up", "Move the selection up.", Role::Look, Danger::Look, None),
    row(Action::Down, "view.down", "down", "Move the selection down.", Role::Look, Danger::Look, None),
    row(Action::First, "view.first", "first", "Select the first row.", Role::Look, Danger::Look, None),
    row(Action::Last, "view.last", "last", "Select the last row.", Role::Look, Danger::Look, None),
    row(Action::PageUp, "view.page-up", "page up", "Move the selection a page up.", Role::Look, Danger::Look, None),
    row(
        Action::PageDown,
        "view.page-down",
        "page down",
        "Move the selection a page down.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(Action::Open, "view.open", "open", "Open what is selected.", Role::Look, Danger::Look, None),
    row(
        Action::Back,
        "view.back",
        "back",
        "Close the dialog or go back to the main screen.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(Action::Redraw, "view.redraw", "redraw", "Draw the whole screen again.", Role::Look, Danger::Look, None),
    row(
        Action::TimeZone,
        "view.time",
        "UTC or local",
        "Switch between UTC and local time.",
        Role::Look,
        Danger::Look,
        None,
    ),
    row(
        Action::Quit,
        "view.quit",
        "quit",
        "Leave the console; nothing moves without one.",
        Role::Look,
        Danger::Look,
        None,
    ),
];

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
