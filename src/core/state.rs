//! The state of one console and the door into it.

use super::evidence::Evidence;
use super::freeze::StartRequest;
use super::ids::Ids;
use super::judge::Gates;
use super::lease::LeaseKeeper;
use super::scope::Scope;
use super::setup::Setup;
use super::task::{HoldTask, Task};
use super::world::ReleaseRead;
use super::{Command, Effect, Event, Identity, MetricsRequest, Mode, NoticeRow, OpId, RunningRow, Skew, Tone, World};
use crate::api::Hold;
use crate::model::{Finding, Membership, Plan, ResourceKind, Slot, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// How many notices are kept.
const NOTICES: usize = 50;

/// Everything one console knows.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(super) setup: Setup,
    pub(super) world: World,
    pub(super) evidence: Evidence,
    pub(super) gates: Gates,
    pub(super) ids: Ids,
    pub(super) identity: Identity,
    pub(super) skew: Option<Skew>,
    last_op: u64,
    /// What this console is writing; one thing at a time.
    pub(super) task: Option<Task>,
    /// A hold is never queued behind anything.
    pub(super) hold: Option<HoldTask>,
    /// A hold that is to begin: by whom, and why.
    pub(super) holding: Option<(String, String)>,
    /// No new try before this.
    pub(super) pause: Option<Timestamp>,
    /// Since when nothing has succeeded.
    pub(super) failing: Option<Timestamp>,
    pub(super) last_failure: String,
    /// What the order under way waits for.
    pub(super) waiting: Vec<String>,
    /// Whether this console drove at the last look.
    pub(super) drove: bool,
    pub(super) lease: LeaseKeeper,
    /// What a person has confirmed at this console and is not yet reached.
    pub(super) mandate: Option<Mandate>,
    pub(super) running: Option<RunningRow>,
    /// Since when every route of the release has been accepted.
    pub(super) accepted: Option<Timestamp>,
    /// The plan in force: the frozen one of the release under way, else the live one.
    pub(super) plan: Option<Plan>,
    frozen_hash: String,
    plan_revision: u64,
    pub(super) plan_findings: Vec<Finding>,
    /// What the last start from here has found, and the release it was about.
    pub(super) found: Option<(String, Vec<Finding>)>,
    pub(super) notices: VecDeque<NoticeRow>,
    pub(super) polled: Option<MetricsRequest>,
    pub(super) watched: Option<String>,
    /// Who would be in which wave if a release started now; computed again when the plan or the customers change, for it
    /// is asked for several times a picture.
    resolved: Resolved,
    pub(super) roster: super::roster::Roster,
    pub(super) placed: Placed,
    pub(super) surveys: super::survey::Surveys,
    pub(super) rights: super::rights::Rights,
    pub(super) standing: super::preflight::Standing,
    pub(super) leaving: bool,
    /// What the last notices about plan and customers were made of.
    pub(super) noted: Option<(u64, u64)>,
}

/// The waves of the live plan, and what they were computed from.
#[derive(Clone, Debug, Default)]
struct Resolved {
    waves: Option<Result<Membership, Vec<Finding>>>,
    from: Option<(u64, u64, String)>,
}

/// Where the live routes send everybody; computed again when a route changes.
#[derive(Clone, Debug, Default)]
pub struct Placed {
    /// By customer; `None` = unknown or mixed.
    pub customers: BTreeMap<crate::model::CustomerId, Option<Slot>>,
    /// Everybody else.
    pub unlisted: Option<Slot>,
    /// What it was computed from.
    pub from: u64,
}

/// What a person has confirmed: the console goes on by itself until the resting phase.
#[derive(Clone, Debug, Default)]
pub struct Mandate {
    /// How far it goes.
    pub goal: Goal,
    /// Who gave it.
    pub by: String,
    /// Why, where a reason was given.
    pub reason: String,
    /// The hold that a rollback found, or that a resume lifts; every other order needs none.
    pub hold: Option<Hold>,
    /// The release it is about, once there is one.
    pub release: Option<String>,
    /// The epoch of the driver it was confirmed against; a forward order takes driving from nobody else.
    pub epoch: Option<u64>,
    /// A reason to pass gates that are unknown only for lack of traffic.
    pub no_traffic: Option<String>,
    /// A reason to retire a slot without its drain proof.
    pub force: Option<String>,
    /// What is to be started.
    pub start: Option<StartRequest>,
    /// Whether its first step was taken.
    pub begun: bool,
}

/// How far a mandate goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Goal {
    /// Until this console drives.
    #[default]
    Take,
    /// Until Ready.
    Start,
    /// Until the wave with this number bakes.
    Wave(u32),
    /// Until Promoted.
    Promote,
    /// Until Done.
    Finish,
    /// Until RolledBack.
    Rollback,
    /// Until the hold is lifted; then until the resting phase that the release was on its way to.
    Resume,
    /// Until the ring is approved.
    Approve(String),
    /// Until nothing is left over of ended releases that serves nobody.
    Cleanup,
}

impl State {
    /// Opens a console that knows nothing yet.
    pub fn new(setup: Setup) -> Self {
        let ids = Ids::new(&setup.session);
        Self { setup, ids, ..Self::default() }
    }

    /// Returns this console's name in driver, Lease and journal: person and session.
    pub(super) fn session_name(&self) -> String {
        format!("{}/{}", self.setup.person, self.setup.session)
    }

    /// Returns who acts, for the record: the API server's name for the user, with user@host where they differ.
    pub(super) fn who(&self) -> String {
        let (user, person) = (&self.identity.user, &self.setup.person);
        if user.is_empty() || user == person { person.clone() } else { format!("{user} ({person})") }
    }

    /// Numbers the next request to the world.
    pub(super) fn next_op(&mut self) -> OpId {
        self.last_op += 1;
        OpId(self.last_op)
    }

    /// Returns the server's time, as well as it is known.
    pub(super) fn server_now(&self, now: Timestamp) -> Timestamp {
        now + self.skew.map_or(jiff::SignedDuration::ZERO, ahead)
    }

    /// Returns the name of the plan this console works on.
    ///
    /// A release that is under way outlives its plan: it is found by what it says itself.
    pub(super) fn plan_name(&self) -> Option<String> {
        if let Some(name) = &self.setup.plan {
            return Some(name.clone());
        }
        let names = self.world.plan_names();
        let is_orphan = |r: &&ReleaseRead| self.plans_are_listed() && !names.contains(&r.spec.plan.as_str());
        let mut orphans: Vec<&str> = self.world.running().filter(is_orphan).map(|r| r.spec.plan.as_str()).collect();
        orphans.dedup();
        match (orphans.as_slice(), names.as_slice()) {
            ([one], _) | ([], [one]) => Some((*one).to_owned()),
            _ => None,
        }
    }

    /// Returns the name of the release under way.
    ///
    /// The lock in the plan says it. It is gone when somebody has deleted the plan, or made it anew; the Release is not.
    pub(super) fn active_name(&self) -> Option<String> {
        let plan = self.plan_name()?;
        if let Some(name) = self.world.active_release(&plan) {
            return Some(name);
        }
        let mut running = self.world.running().filter(|r| self.plans_are_listed() && r.spec.plan == plan);
        match (running.next(), running.next()) {
            (Some(one), None) => Some(one.name.clone()),
            _ => None,
        }
    }

    fn plans_are_listed(&self) -> bool {
        self.world.source(ResourceKind::RolloutPlan).listed
    }

    /// Says why there is no release to act on, and what to do.
    pub(super) fn without_release(&self) -> String {
        let glass = "`pilothouse rollback --break-glass` sends everybody back by what the routes say";
        let Some(active) = self.active_name() else {
            return match self.plan_name() {
                Some(name) if self.world.plan_names().contains(&name.as_str()) => "no release is under way".to_owned(),
                _ => super::preflight::no_plan(self).text,
            };
        };
        match self.world.release(&active) {
            None if self.world.source(ResourceKind::Release).listed => {
                format!("Release {active} does not exist any more: {glass}; the next start clears its lock")
            }
            Some(release) if release.status.frozen.is_some() && self.plan.is_none() => {
                let why = self.plan_findings.first().map_or("", |finding| finding.text.as_str());
                format!("the frozen plan of Release {active} cannot be read ({why}): {glass}")
            }
            _ => "no release is under way".to_owned(),
        }
    }

    /// Returns the release under way with all that decisions need; `None` when none has been started.
    pub(super) fn scope(&self) -> Option<Scope<'_>> {
        let release = self.world.release(&self.active_name()?)?;
        let frozen = release.status.frozen.as_ref()?;
        Some(Scope {
            world: &self.world,
            release,
            frozen,
            plan: self.plan.as_ref()?,
            controllers: self.surveys.controllers(),
        })
    }

    /// Returns what this console may do.
    pub(super) fn mode(&self) -> Mode {
        match self.identity.may_write {
            _ if self.setup.watch => Mode::Watch,
            Some(false) => Mode::Watch,
            None => Mode::Unknown,
            Some(true) if self.drives() => Mode::Driving,
            Some(true) => Mode::Standby,
        }
    }

    /// Tells whether the release under way names this console as its driver.
    pub(super) fn drives(&self) -> bool {
        let session = self.session_name();
        self.active_name()
            .and_then(|name| self.world.release(&name))
            .and_then(|release| release.status.driver.as_ref())
            .is_some_and(|driver| driver.session == session)
    }

    /// Tells whether it is only looked at here, so that no next step is named.
    pub(super) fn only_looks(&self) -> bool {
        self.mode() == Mode::Watch && !self.setup.advises
    }

    /// Puts a line on the notices.
    pub(super) fn notice(&mut self, now: Timestamp, tone: Tone, text: impl Into<String>) {
        let at = Some(self.server_now(now));
        let text = text.into();
        if self.notices.front().is_some_and(|last| last.text == text) {
            return;
        }
        self.notices.push_front(NoticeRow { at, tone: Some(tone), text });
        self.notices.truncate(NOTICES);
    }

    /// Keeps what is derived from observations: the plan in force, acceptance, placements.
    fn refresh(&mut self, now: Timestamp) {
        // A second plan that somebody creates later must not take the release out of our hands.
        if self.setup.plan.is_none() && self.active_name().is_some() {
            self.setup.plan = self.plan_name();
        }
        self.refresh_plan();
        self.refresh_waves();
        if let Some(roster) = self.roster.refreshed(self) {
            self.roster = roster;
        }
        super::notes::note(self, now);
        let accepted = self
            .scope()
            .is_some_and(|scope| super::proof::routes_accepted(&scope) == crate::routing::Acceptance::Accepted);
        if self.scope().is_some() && !accepted {
            // Who is responsible for a Gateway may have changed since the last survey.
            self.surveys.want(super::survey::FRESH);
        }
        self.accepted = if accepted { self.accepted.or_else(|| Some(self.server_now(now))) } else { None };
        self.refresh_placements();
        super::preflight::refresh(self, now);
    }

    /// Returns the waves as a release that started now would freeze them; `None` without a plan.
    pub(super) fn waves(&self) -> Option<&Result<Membership, Vec<Finding>>> {
        self.resolved.waves.as_ref()
    }

    /// Returns the plan in force if it is the live one, as it is outside a release.
    pub(super) fn live_plan(&self) -> Option<&Plan> {
        self.plan.as_ref().filter(|_| self.frozen_hash.is_empty())
    }

    fn is_at_rest(&self) -> bool {
        let has_work = self.task.is_some() || self.hold.is_some() || self.holding.is_some() || self.mandate.is_some();
        !has_work && !self.leaving && self.active_name().is_none()
    }

    fn refresh_plan(&mut self) {
        let Some(name) = self.plan_name() else {
            self.plan = None;
            return;
        };
        let frozen = self
            .active_name()
            .and_then(|active| self.world.release(&active))
            .and_then(|release| release.status.frozen.as_ref());
        if let Some(frozen) = frozen {
            if self.frozen_hash != frozen.hash || self.plan.is_none() {
                let hash = frozen.hash.clone();
                match super::world::plan_of(&self.setup.namespace, &name, &frozen.plan) {
                    Ok(plan) => self.plan = Some(plan),
                    Err(findings) => self.plan_findings = findings,
                }
                self.frozen_hash = hash;
            }
            return;
        }
        let revision = self.world.revision(ResourceKind::RolloutPlan);
        if self.frozen_hash.is_empty() && self.plan_revision == revision && self.plan.is_some() {
            return;
        }
        self.frozen_hash.clear();
        self.plan_revision = revision;
        match self.world.plan(&self.setup.namespace, &name) {
            Ok(plan) => {
                self.plan = Some(plan);
                self.plan_findings.clear();
            }
            Err(findings) => {
                self.plan = None;
                self.plan_findings = findings;
            }
        }
    }

    fn refresh_waves(&mut self) {
        let Some(plan) = &self.plan else {
            self.resolved = Resolved::default();
            return;
        };
        let of = |kind| self.world.revision(kind);
        let from = (of(ResourceKind::RolloutPlan), of(ResourceKind::ConfigMap), self.frozen_hash.clone());
        if self.resolved.from.as_ref() != Some(&from) {
            let waves = Some(super::freeze::membership(&self.world, plan));
            self.resolved = Resolved { waves, from: Some(from) };
        }
    }

    fn refresh_placements(&mut self) {
        let from = self.world.revision(ResourceKind::HTTPRoute)
            ^ (self.world.revision(ResourceKind::ConfigMap) << 20)
            ^ (u64::from(self.scope().is_some()) << 62);
        if self.placed.from == from {
            return;
        }
        let Some(plan) = &self.plan else { return };
        let routes: Vec<&serde_json::Value> = self.world.all(ResourceKind::HTTPRoute).collect();
        let component = &plan.component;
        self.placed = Placed {
            customers: crate::routing::placements(
                &routes,
                &component.route,
                component,
                &plan.header,
                &self.roster.listed,
            ),
            unlisted: crate::routing::unlisted_placement(&routes, &component.route, component),
            from,
        };
    }
}

/// Returns how far the server's clock is ahead of ours, the smallest value that the answer allows.
///
/// A `Date` has whole seconds (RFC 9110, 5.6.7): the server's time was anywhere in the second that it names. Taking its
/// beginning would put a shift up to a second before the samples that show its effect.
fn ahead(skew: Skew) -> jiff::SignedDuration {
    let least = skew.server.duration_since(skew.local);
    let most = least + jiff::SignedDuration::from_secs(1);
    if least > jiff::SignedDuration::ZERO {
        least
    } else if most < jiff::SignedDuration::ZERO {
        most
    } else {
        jiff::SignedDuration::ZERO
    }
}

/// Takes in one event and says what is to be done.
pub fn update(state: &mut State, now: Timestamp, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    match event {
        Event::Kube(kube) => state.world.observe(now, &kube),
        Event::Wrote { id, outcome } => super::task::on_wrote(state, now, id, outcome, &mut effects),
        Event::ReadDone { id, result } => super::task::on_read(state, now, id, result, &mut effects),
        Event::Metrics(batch) => super::evidence::on_metrics(state, batch),
        Event::Gates { at, answers } => state.gates.take(at, answers),
        Event::Identity(identity) => state.identity = identity,
        Event::ServerTime(skew) => state.skew = Some(skew),
        Event::Command { command, mark } => super::order::on_command(state, now, &command, mark.as_deref()),
        // One that is open stays: what was asked and shown is of it.
        Event::Plan(name) if state.plan_name().is_none() => state.setup.plan = Some(name),
        Event::Plan(_) => {}
        Event::Rights(answers) => state.rights.take(answers),
        Event::Survey(survey) => state.surveys.take(now, *survey),
        Event::SurveyWanted(within) => state.surveys.want(within),
        Event::RetryWanted => effects.push(Effect::Hurry),
        Event::Noted(text) => state.notice(now, Tone::Plain, text),
        Event::Tick => {}
        Event::Leaving => super::order::on_leaving(state),
    }
    state.refresh(now);
    super::order::advance(state, now, &mut effects);
    super::poll::wants(state, now, &mut effects);
    super::survey::wants(state, now, &mut effects);
    effects
}

/// Says what a command would do now, how it is confirmed, and everything that speaks against it.
pub fn preview(state: &State, now: Timestamp, command: &Command) -> super::Preview {
    super::preview::preview(state, now, command)
}

/// Says everything that the preflight finds about a start, the gravest first; nothing for any other order.
pub fn findings(state: &State, now: Timestamp, command: &Command) -> Vec<Finding> {
    let request = StartRequest::of(state, command);
    request.map_or_else(Vec::new, |request| super::preflight::preflight(state, now, Some(&request)))
}

/// Returns the plan in force: the frozen one of the release under way, else the live one.
pub fn plan(state: &State) -> Option<&Plan> {
    state.plan.as_ref()
}

/// Tells whether nothing is under way: no release, no order, no request. Only time passes then.
pub fn is_at_rest(state: &State) -> bool {
    state.is_at_rest()
}

/// Computes what the screens show.
pub fn view(state: &State, now: Timestamp) -> super::View {
    super::show::view(state, now)
}

/// Looks closely at one thing for the screen that shows it; `None` when it is not there.
pub fn closeup(state: &State, now: Timestamp, subject: &super::Subject) -> Option<super::Closeup> {
    super::show::closeup(state, now, subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_whole_seconds_moves_no_clock_that_may_be_right() {
        let ahead_by = |server: &str, local: &str| {
            ahead(Skew { server: server.parse().unwrap(), local: local.parse().unwrap() }).as_millis()
        };
        assert_eq!(ahead_by("2026-01-01T00:00:05Z", "2026-01-01T00:00:05.900Z"), 0);
        assert_eq!(ahead_by("2026-01-01T00:00:07Z", "2026-01-01T00:00:05.900Z"), 1100);
        assert_eq!(ahead_by("2026-01-01T00:00:03Z", "2026-01-01T00:00:05.900Z"), -1900);
    }
}
