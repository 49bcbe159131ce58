//! The planner: what comes next under what a person has confirmed. Pure; it writes nothing.

mod back;

use super::freeze::StartRequest;
use super::proof::{Verified, moved_by, routes_accepted, seconds_between, verified};
use super::record::{HoldTest, fence_key};
use super::scope::Scope;
use super::state::{Goal, Mandate};
use super::task::{Forced, Order, live_undo};
use super::{State, guard};
use crate::api::{Act, BlockedKind};
use crate::model::{Direction, Phase, Refusal, Side, Span, Timestamp};
use crate::routing::{Acceptance, Undo};

/// What comes next.
#[derive(Clone, Debug)]
pub enum Next {
    /// Write something.
    Do(Step),
    /// Wait; for what, one sentence each.
    Wait(Vec<String>),
    /// It may not go on; why.
    Stop(Vec<Refusal>),
    /// What was confirmed is reached.
    Reached,
}

/// Something to write.
#[derive(Clone, Debug)]
pub enum Step {
    /// Take driving over.
    Take,
    /// Find out what became of an open intent.
    Settle(String),
    /// An intent and its writes.
    Intent(Box<Order>),
    /// Enter another phase; what was seen.
    Enter(Phase, String),
    /// Record that something needs a person.
    Block(BlockedKind, String),
    /// Take the objects as they are and lift the hold.
    Resume,
    /// Approve a ring.
    Approve(String),
    /// Start a release.
    Begin(Box<StartRequest>),
    /// Go on with a start that was locked but not frozen.
    Freeze(String),
    /// Clear the plan's lock.
    Unlock(String),
    /// Move old records of the journal out of the Release.
    Overflow,
    /// Delete what ended releases have left behind.
    Cleanup,
}

/// How long a rollback waits for all pods of the old version, in seconds; after that one ready pod is enough.
const START_PATIENCE: i64 = 60;

/// Says what comes next; without a mandate only what is always allowed: settling, and a rollback that was begun.
pub fn next(state: &State, now: Timestamp) -> Next {
    let long = state.scope().is_some_and(|scope| scope.status().journal.len() > super::task::JOURNAL);
    if long && state.drives() {
        return Next::Do(Step::Overflow);
    }
    match &state.mandate {
        Some(mandate) => under(state, now, mandate),
        None => by_itself(state, now),
    }
}

fn under(state: &State, now: Timestamp, mandate: &Mandate) -> Next {
    if let (Some(request), false) = (&mandate.start, mandate.begun) {
        return Next::Do(Step::Begin(Box::new(request.clone())));
    }
    if mandate.goal == Goal::Cleanup {
        return cleanup(state);
    }
    let Some(active) = state.active_name() else { return without_lock(state, mandate) };
    let Some(scope) = state.scope() else {
        return if mandate.goal == Goal::Start { Next::Do(Step::Freeze(active)) } else { no_release(state) };
    };
    if let Goal::Approve(ring) = &mandate.goal {
        let hash = &scope.frozen.hash;
        let given = scope.release.spec.approvals.iter().any(|a| &a.ring == ring && &a.plan_hash == hash);
        return if given { Next::Reached } else { Next::Do(Step::Approve(ring.clone())) };
    }
    if !state.drives() {
        let forward = !matches!(mandate.goal, Goal::Rollback | Goal::Take);
        if let Some(refusal) = guard::driver(state, now).filter(|_| forward) {
            return Next::Stop(vec![refusal]);
        }
        let driver = scope.status().driver.as_ref();
        if forward && driver.map(|driver| driver.epoch) != mandate.epoch {
            let who = driver.map_or("somebody", |driver| driver.who.as_str());
            return Next::Stop(vec![Refusal::new("guard.driver", format!("{who} drives this release now"))]);
        }
        return Next::Do(Step::Take);
    }
    if scope.status().intent.is_some() {
        return Next::Do(Step::Settle("it was left open".into()));
    }
    match mandate.goal {
        Goal::Take | Goal::Approve(_) | Goal::Cleanup => Next::Reached,
        Goal::Rollback => Planner { state, scope, now, mandate }.backward(),
        Goal::Resume => resume(&scope, mandate),
        Goal::Start | Goal::Wave(_) | Goal::Promote | Goal::Finish => Planner { state, scope, now, mandate }.forward(),
    }
}

/// What is left over is deleted only while no release is under way.
fn cleanup(state: &State) -> Next {
    if let Some(active) = state.active_name() {
        return Next::Stop(vec![Refusal::new("guard.active", format!("release {active} is under way now"))]);
    }
    let left = super::leftover::left_over(state).iter().any(|route| route.serves_nobody);
    if left { Next::Do(Step::Cleanup) } else { Next::Reached }
}

/// After the lock is cleared: reached when the release is over.
fn without_lock(state: &State, mandate: &Mandate) -> Next {
    let over = mandate
        .release
        .as_ref()
        .and_then(|name| state.world.release(name))
        .is_some_and(|release| release.phase().is_final());
    if over { Next::Reached } else { no_release(state) }
}

fn no_release(state: &State) -> Next {
    Next::Stop(vec![Refusal::new("guard.no-release", state.without_release())])
}

fn resume(scope: &Scope<'_>, mandate: &Mandate) -> Next {
    let hold = &scope.release.spec.hold;
    if hold.is_some() && *hold != mandate.hold {
        let by = hold.as_ref().map_or("", |hold| hold.by.as_str());
        return Next::Stop(vec![Refusal::new("guard.hold", format!("{by} holds it again: look, then resume again"))]);
    }
    let pending = scope.release.spec.hold.is_some() || scope.status().blocked.is_some();
    if pending || !mandate.begun { Next::Do(Step::Resume) } else { Next::Reached }
}

/// What a driving console does without a confirmed order: settle what is open, finish the routes of a rollback.
fn by_itself(state: &State, now: Timestamp) -> Next {
    let Some(scope) = state.scope().filter(|_| state.drives() && !state.leaving) else { return Next::Wait(Vec::new()) };
    if scope.status().intent.is_some() {
        return Next::Do(Step::Settle("it was left open".into()));
    }
    if scope.status().phase != Phase::RollingBack {
        return Next::Wait(Vec::new());
    }
    let mandate = Mandate {
        goal: Goal::Rollback,
        by: state.who(),
        reason: "a rollback that was begun is always completed".into(),
        hold: scope.release.spec.hold.clone(),
        ..Mandate::default()
    };
    Planner { state, scope, now, mandate: &mandate }.backward()
}

struct Planner<'a> {
    state: &'a State,
    scope: Scope<'a>,
    now: Timestamp,
    mandate: &'a Mandate,
}

impl Planner<'_> {
    fn forward(&self) -> Next {
        let at = self.state.server_now(self.now);
        let stops: Vec<Refusal> =
            [guard::hold(&self.scope, at, None), guard::blocked(&self.scope, at), guard::mismatch(&self.scope)]
                .into_iter()
                .flatten()
                .collect();
        if !stops.is_empty() {
            return Next::Stop(stops);
        }
        if let Some(stale) = guard::kube_fresh(self.state, self.now) {
            return Next::Wait(vec![stale.text]);
        }
        let status = self.scope.status();
        match (status.phase, &self.mandate.goal) {
            (Phase::Preparing, Goal::Start) => self.prepare(),
            (Phase::Ready, Goal::Start) => Next::Reached,
            (Phase::Ready | Phase::Baking, Goal::Wave(wave)) if status.wave < *wave => self.shift(*wave),
            (Phase::Shifting | Phase::Verifying, Goal::Wave(_) | Goal::Promote) => self.in_flight(),
            (Phase::Baking, Goal::Wave(_)) => Next::Reached,
            (Phase::Baking, Goal::Promote) if status.wave < self.scope.last_wave() => self.promote(),
            (Phase::Baking, Goal::Promote) => self.bake_out(),
            (Phase::Ready, Goal::Promote) => self.promote(),
            (Phase::Promoting, Goal::Promote) => self.in_flight(),
            (Phase::Promoted, Goal::Promote) => Next::Reached,
            (Phase::Promoted, Goal::Finish) => Next::Do(Step::Enter(Phase::DrainingOld, String::new())),
            (Phase::DrainingOld | Phase::RetiringOld | Phase::Cleaning, Goal::Finish) => self.leave(),
            (Phase::Done, Goal::Finish) => Next::Do(Step::Unlock(self.scope.release.name.clone())),
            (phase, _) => Next::Stop(vec![Refusal::new(
                "guard.phase",
                format!("the release is in phase {phase}: somebody else moved it"),
            )]),
        }
    }

    /// Preparing is four intents; what exists already is not written again.
    fn prepare(&self) -> Next {
        let status = self.scope.status();
        let component = self.scope.component();
        let idle = &component.pair(self.scope.slot(Side::New)).deployment;
        if !self.is_prepared() {
            return self.order(Act::Prepare, 0, String::new());
        }
        let settled = self.scope.deployment(Side::New).is_some_and(|d| d.settled);
        if let Some(refusal) = guard::target_ready(&self.scope) {
            return Next::Wait(vec![refusal.text]);
        }
        if !settled {
            return Next::Wait(vec![format!("Deployment {idle} is rolling out")]);
        }
        if status.routes.is_empty() || status.routes.iter().any(|r| r.uid.is_empty()) {
            return self.order(Act::Install, 0, String::new());
        }
        if let Some(wait) = self.unsettled(self.scope.gap()) {
            return wait;
        }
        if status.routes.iter().any(|r| !r.armed) {
            return self.order(Act::Arm, 0, String::new());
        }
        if let Some(wait) = self.unsettled(self.scope.settle().max(self.scope.gap())) {
            return wait;
        }
        let old = Some(self.scope.slot(Side::Old));
        let moved: Vec<&str> = self
            .state
            .placed
            .customers
            .iter()
            .filter(|(_, slot)| **slot != old)
            .map(|(customer, _)| customer.as_str())
            .collect();
        if let Some(first) = moved.first() {
            let what = format!("{} of the customers, {first} first, would not go to the old version", moved.len());
            return Next::Do(Step::Block(BlockedKind::Drifted, what));
        }
        Next::Do(Step::Enter(Phase::Ready, "every customer goes to the old version through its own rule".into()))
    }

    /// Tells whether both writes of Prepare have landed: fences alone say no more than that something was touched.
    fn is_prepared(&self) -> bool {
        use crate::model::ResourceKind::{Deployment, HTTPRoute};
        let component = self.scope.component();
        let idle = &component.pair(self.scope.slot(Side::New)).deployment;
        let fenced = |kind, name: &str| self.scope.status().fences.contains_key(&fence_key(kind, name));
        let marked = self.scope.base().is_some_and(|base| match (Undo::parse(base), live_undo(&self.scope)) {
            (Some(Ok(found)), Some(wanted)) => found == wanted,
            _ => false,
        });
        let up = self.scope.deployment(Side::New).is_some_and(|d| d.replicas >= self.scope.wanted_replicas());
        fenced(HTTPRoute, &component.route) && fenced(Deployment, idle) && marked && up
    }

    fn shift(&self, wave: u32) -> Next {
        let mut stops = guard::gates(self.state, &self.scope, self.now, self.mandate.no_traffic.is_some());
        stops.extend(guard::baked(&self.scope, self.state.server_now(self.now)));
        stops.extend(self.scope.wave(wave).and_then(|w| guard::approved(&self.scope, w)));
        stops.extend(guard::metrics_fresh(self.state, &self.scope, self.now));
        stops.extend(guard::target_ready(&self.scope));
        if !stops.is_empty() {
            return Next::Stop(stops);
        }
        self.order(Act::Shift, wave, self.evidence())
    }

    fn promote(&self) -> Next {
        let status = self.scope.status();
        let before = self.scope.last_wave().saturating_sub(1);
        if status.wave < before {
            return Next::Stop(vec![Refusal::new("guard.waves", "some rings have not moved yet")]);
        }
        self.shift_base()
    }

    fn shift_base(&self) -> Next {
        let mut stops = guard::gates(self.state, &self.scope, self.now, self.mandate.no_traffic.is_some());
        stops.extend(guard::baked(&self.scope, self.state.server_now(self.now)));
        stops.extend(guard::metrics_fresh(self.state, &self.scope, self.now));
        stops.extend(guard::target_ready(&self.scope));
        if !stops.is_empty() {
            return Next::Stop(stops);
        }
        self.order(Act::Promote, self.scope.last_wave(), self.evidence())
    }

    /// A shift that is written in part, or written and not verified.
    fn in_flight(&self) -> Next {
        let status = self.scope.status();
        let wave = status.wave;
        let (new, last) = (self.scope.slot(Side::New), self.scope.last_wave());
        if status.phase != Phase::Verifying {
            if super::task::wave_is_at(&self.scope, status, wave, new) {
                return Next::Do(Step::Enter(Phase::Verifying, String::new()));
            }
            if let Some(refusal) = guard::target_ready(&self.scope) {
                return Next::Stop(vec![refusal]);
            }
            // It was decided on fresh metrics; what is left of it is not written blindly.
            if let Some(stale) = guard::metrics_fresh(self.state, &self.scope, self.now) {
                return Next::Wait(vec![stale.text]);
            }
            let act = if wave == last { Act::Promote } else { Act::Shift };
            return self.order(act, wave, self.evidence());
        }
        let moved = moved_by(&self.scope, wave);
        let at = self.state.server_now(self.now);
        match verified(&self.scope, &self.state.evidence, at, self.state.accepted, Side::New, &moved) {
            Verified::Yes { seen, silent } => {
                Next::Do(Step::Enter(Phase::Baking, format!("{seen} seen, {silent} silent")))
            }
            Verified::Waiting(why) | Verified::Unseen(why) => Next::Wait(why),
            Verified::NotLive(what) => Next::Do(Step::Block(BlockedKind::NotLive, what)),
            Verified::BadStatus(what) => Next::Do(Step::Block(BlockedKind::BadStatus, what)),
        }
    }

    fn bake_out(&self) -> Next {
        let at = self.state.server_now(self.now);
        let mut waits: Vec<String> = guard::baked(&self.scope, at).into_iter().map(|r| r.text).collect();
        let accepted = self.mandate.no_traffic.is_some();
        waits.extend(guard::gates(self.state, &self.scope, self.now, accepted).into_iter().map(|r| r.text));
        if waits.is_empty() { Next::Do(Step::Enter(Phase::Promoted, self.evidence())) } else { Next::Wait(waits) }
    }

    /// Waits until every route has been accepted for this long.
    fn unsettled(&self, gap: Span) -> Option<Next> {
        match routes_accepted(&self.scope) {
            Acceptance::Bad(why) => return Some(Next::Do(Step::Block(BlockedKind::BadStatus, why.join("; ")))),
            Acceptance::Pending(why) => {
                return Some(Next::Wait(vec![format!("the gateway has not accepted yet: {why}")]));
            }
            Acceptance::Accepted => {}
        }
        let at = self.state.server_now(self.now);
        let ready = self.state.accepted.unwrap_or(at) + super::proof::jiff_span(gap);
        (at < ready).then(|| Next::Wait(vec![format!("settling for {} s more", seconds_between(at, ready))]))
    }

    fn order_forced(&self, evidence: String, forced: Forced) -> Next {
        match self.order(Act::Retire, 0, evidence) {
            Next::Do(Step::Intent(order)) => Next::Do(Step::Intent(Box::new(Order { forced: Some(forced), ..*order }))),
            other => other,
        }
    }

    fn order(&self, act: Act, wave: u32, evidence: String) -> Next {
        let direction = if act == Act::Rollback { Direction::Backward } else { Direction::Forward };
        let hold = match (direction, &self.mandate.hold) {
            (Direction::Backward, _) => HoldTest::Any,
            (Direction::Forward, hold) => HoldTest::Exactly(hold.clone()),
        };
        Next::Do(Step::Intent(Box::new(Order {
            act,
            wave,
            direction,
            hold,
            hold_found: self.mandate.hold.clone(),
            by: self.mandate.by.clone(),
            reason: self.mandate.reason.clone(),
            evidence,
            forced: None,
        })))
    }

    /// Writes down what the gates said when it was decided.
    fn evidence(&self) -> String {
        let rows = self.state.gates.rows(self.state, &self.scope, self.now);
        let said: Vec<String> =
            rows.iter().map(|r| format!("{} {} {}", r.name, r.verdict.word(), r.value).trim_end().to_owned()).collect();
        said.join(", ")
    }
}
