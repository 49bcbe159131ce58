//! The heart: one door in (`Event`), one list of things to ask of the world (`Effect`), and the rules between them.
//!
//! Pure: no I/O, no clock, no randomness. `now` is an argument.

mod action;
mod command;
mod effect;
mod event;
mod state;
mod view;
mod world;

pub use crate::model::LabelledPoints;
pub use action::{ACTIONS, Action, ActionSpec, Danger, Role};
pub use command::{Command, Confirm, Fact, Preview, Tone};
pub use effect::{Effect, GateQuery, MetricsRequest, OpId, Read, Verb, Write};
pub use event::{Change, Event, Found, GateAnswer, Identity, KubeEvent, ReadFailure, Skew};
pub use state::{Setup, State, preview, update, view};
pub use view::{
    Advice, CustomerRow, DrainGraph, DrainRow, EventRow, Exposure, FreshRow, GateRow, Graph, Header, Mode, NoticeRow,
    ReleaseRow, RingRow, RunningRow, RunningState, Verdict, View,
};
pub use world::World;
