//! The state of one console and the door into it.

use super::{Command, Confirm, Effect, Event, Preview, View, World};
use crate::model::Timestamp;

/// What a console is told when it opens.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The namespace it works in.
    pub namespace: String,
    /// The cluster's name, as the kubeconfig context says it.
    pub cluster: String,
    /// The plan to open; `None` takes the only one there is.
    pub plan: Option<String>,
    /// `user@host` of the person at the keyboard.
    pub person: String,
    /// Sixteen hexadecimal digits that no other console has; ids are derived from it.
    pub session: String,
    /// Whether no client that can write exists.
    pub watch: bool,
}

/// Everything one console knows.
#[derive(Clone, Debug, Default)]
pub struct State {
    setup: Setup,
    world: World,
}

impl State {
    /// Opens a console that knows nothing yet.
    pub fn new(setup: Setup) -> Self {
        Self { setup, ..Self::default() }
    }
}

/// Takes in one event and says what is to be done.
pub fn update(state: &mut State, now: Timestamp, event: Event) -> Vec<Effect> {
    if let Event::Kube(kube) = &event {
        state.world.observe(now, kube);
    }
    Vec::new()
}

/// Computes what the screens show.
pub fn view(state: &State, now: Timestamp) -> View {
    View {
        now: Some(now),
        header: super::Header { namespace: state.setup.namespace.clone(), ..Default::default() },
        ..View::default()
    }
}

/// Says what a command would do now, how it is confirmed, and everything that speaks against it.
pub fn preview(_state: &State, _now: Timestamp, command: &Command) -> Preview {
    Preview {
        action: command.action(),
        title: String::new(),
        facts: Vec::new(),
        confirm: Confirm::Yes,
        refusals: Vec::new(),
        mark: String::new(),
    }
}
