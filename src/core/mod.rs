//! The heart: one door in (`Event`), one list of things to ask of the world (`Effect`), and the rules between them.
//!
//! Pure: no I/O, no clock, no randomness. `now` is an argument.

mod action;
mod closeup;
mod command;
mod deploy;
mod effect;
mod event;
mod evidence;
mod freeze;
mod gateway;
pub mod glass;
mod guard;
mod ids;
mod judge;
mod lease;
mod leftover;
mod named;
mod notes;
mod order;
mod planner;
mod poll;
mod preflight;
mod preview;
mod proof;
mod record;
mod rights;
mod roster;
mod scope;
mod setup;
mod show;
mod state;
mod survey;
mod task;
#[cfg(test)]
mod testbed;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_back;
#[cfg(test)]
mod tests_cleanup;
#[cfg(test)]
mod tests_drain;
#[cfg(test)]
mod tests_glass;
#[cfg(test)]
mod tests_guards;
#[cfg(test)]
mod tests_life;
#[cfg(test)]
mod tests_metrics;
#[cfg(test)]
mod tests_plans;
#[cfg(test)]
mod tests_protocol;
#[cfg(test)]
mod tests_settle;
#[cfg(test)]
mod tests_shown;
#[cfg(test)]
mod tests_verify;
#[cfg(test)]
mod tests_walk;
mod track;
mod view;
mod world;

pub use action::{ACTIONS, Action, ActionSpec, Danger, Role};
pub use closeup::{
    Audit, AuditRow, Closeup, CustomerCloseup, Delivery, DrainCloseup, PastRow, PodRow, Releases, RingCloseup,
    RouteRow, Subject, WaveRow,
};
pub use command::{Command, Confirm, Fact, Preview, Tone};
pub use effect::{Effect, GateQuery, MetricsRequest, OpId, Read, Verb, Write};
pub use event::{Change, Event, Found, GateAnswer, Identity, KubeEvent, LEAVE, LOG_IN, ReadFailure, Skew};
pub use lease::lease_name;
pub use named::names;
pub use record::is_chained;
pub use rights::{Allowed, Right, needed};
pub use setup::Setup;
pub use state::{State, closeup, findings, is_at_rest, plan, preview, update, view};
pub use survey::{
    Answer, GatewaySurvey, ObjectName, ParametersSurvey, PolicySurvey, Survey, SurveyRequest, request_of,
};
pub use view::{
    Advice, CustomerRow, DrainGraph, DrainRow, EventRow, Exposure, FreshRow, GateRow, Graph, Header, Mode, Moved,
    NoticeRow, PlanRow, Preflight, QueryRow, ReleaseRow, RingRow, RunningRow, RunningState, Verdict, View,
};
pub use world::{PodSeen, World};
