//! The planner: what comes next under what a person has confirmed. Pure; it writes nothing.

use super::freeze::StartRequest;
use super::proof::{Moved, Proof, Verified, drain_proof, routes_accepted, seconds_between, verified};
use super::record::HoldTest;
use super::scope::Scope;
use super::state::{Goal, Mandate};
use super::task::Order;
use super::{State, guard};
use crate::api::{Act, BlockedKind, WaveProgress};
use crate::model::{Direction, Phase, Refusal, Side, Timestamp};
use crate::routing::Acceptance;

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
}

/// The gap between two patches that build on each other, in milliseconds after acceptance (CONTRACTS 3).
const GAP: i64 = 600;

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
    let Some(active) = state.active_name() else { return without_lock(state, mandate) };
    let Some(scope) = state.scope() else {
        return if mandate.goal == Goal::Start { Next::Do(Step::Freeze(active)) } else { no_release() };
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
        return Next::Do(Step::Take);
    }
    if scope.status().intent.is_some() {
        return Next::Do(Step::Settle("it was left open".into()));
    }
    match mandate.goal {
        Goal::Take | Goal::Approve(_) => Next::Reached,
        Goal::Rollback => Planner { state, scope, now, mandate }.backward(),
        Goal::Resume => resume(&scope, mandate),
        Goal::Start | Goal::Wave(_) | Goal::Promote | Goal::Finish => Planner { state, scope, now, mandate }.forward(),
    }
}

/// After the lock is cleared: reached when the release is over.
fn without_lock(state: &State, mandate: &Mandate) -> Next {
    let over = mandate
        .release
        .as_ref()
        .and_then(|name| state.world.release(name))
        .is_some_and(|release| release.phase().is_final());
    if over { Next::Reached } else { no_release() }
}

fn no_release() -> Next {
    Next::Stop(vec![Refusal::new("guard.no-release", "no release is under way: start one")])
}

fn resume(scope: &Scope<'_>, mandate: &Mandate) -> Next {
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
        let written = status.fences.contains_key(&format!("HTTPRoute/{}", component.route))
            && status.fences.contains_key(&format!("Deployment/{idle}"));
        if !written {
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
        if let Some(wait) = self.unsettled(GAP) {
            return wait;
        }
        if status.routes.iter().any(|r| !r.armed) {
            return self.order(Act::Arm, 0, String::new());
        }
        let settle = i64::try_from(self.scope.settle().0.as_millis()).unwrap_or(i64::MAX);
        if let Some(wait) = self.unsettled(settle.max(GAP)) {
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
            let act = if wave == last { Act::Promote } else { Act::Shift };
            return self.order(act, wave, self.evidence());
        }
        let moved = moved_by(&self.scope, wave);
        let at = self.state.server_now(self.now);
        match verified(&self.scope, &self.state.evidence, at, self.state.accepted, Side::New, &moved) {
            Verified::Yes { seen, silent } => {
                Next::Do(Step::Enter(Phase::Baking, format!("{seen} seen, {silent} silent")))
            }
            Verified::Waiting(why) => Next::Wait(why),
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

    fn backward(&self) -> Next {
        let status = self.scope.status();
        let result = status.outcome.as_ref().and_then(|o| o.result);
        match status.phase {
            Phase::RolledBack => Next::Do(Step::Unlock(self.scope.release.name.clone())),
            Phase::VerifyingBack => self.verify_back(),
            Phase::DrainingNew | Phase::RetiringNew => self.leave(),
            Phase::Cleaning if result == Some(Phase::RolledBack) => self.leave(),
            Phase::RollingBack => self.roll_back(),
            Phase::Done | Phase::Proposed => Next::Stop(vec![Refusal::new(
                "guard.phase",
                format!("the release is in phase {}: there is nothing to roll back", status.phase),
            )]),
            _ => self.order(Act::Rollback, 0, self.evidence()),
        }
    }

    fn roll_back(&self) -> Next {
        let status = self.scope.status();
        let wanted = self.scope.wanted_replicas();
        let old = self.scope.deployment(Side::Old);
        if old.as_ref().is_some_and(|d| d.replicas >= wanted) {
            let ready = self.scope.world.ready_endpoints(self.scope.service(Side::Old));
            let anywhere_new = !super::task::everything_is_old(&self.scope, status);
            if anywhere_new && ready < usize::try_from(wanted).unwrap_or(usize::MAX) {
                return Next::Wait(vec![format!("{ready} of {wanted} pods of the old version are ready")]);
            }
        }
        if super::task::everything_is_old(&self.scope, status) && status.intent.is_none() && self.undo_is_live() {
            return Next::Do(Step::Enter(Phase::VerifyingBack, String::new()));
        }
        self.order(Act::Rollback, 0, String::new())
    }

    /// Tells whether no route says that the old version is retired.
    fn undo_is_live(&self) -> bool {
        use crate::routing::Undo;
        let retired = |route: &serde_json::Value| matches!(Undo::parse(route), Some(Ok(Undo::Retired { .. })));
        !self.scope.base().into_iter().chain(self.scope.managed()).any(retired)
    }

    fn verify_back(&self) -> Next {
        let at = self.state.server_now(self.now);
        let moved = moved_back(&self.scope);
        match verified(&self.scope, &self.state.evidence, at, self.state.accepted, Side::Old, &moved) {
            Verified::Yes { seen, silent } => {
                Next::Do(Step::Enter(Phase::DrainingNew, format!("{seen} seen on old, {silent} silent")))
            }
            Verified::Waiting(why) => Next::Wait(why),
            // Backward acts are never blocked; they are said and waited for.
            Verified::NotLive(what) | Verified::BadStatus(what) => Next::Wait(vec![what]),
        }
    }

    /// Drain, retire, clean; the same on the way forward and back, with the sides exchanged.
    fn leave(&self) -> Next {
        let status = self.scope.status();
        let at = self.state.server_now(self.now);
        if let Some(refusal) = guard::hold(&self.scope, at, self.mandate.hold.as_ref()) {
            return Next::Stop(vec![refusal]);
        }
        if let Some(stale) = guard::kube_fresh(self.state, self.now) {
            return Next::Wait(vec![stale.text]);
        }
        let side = if status.phase.is_backward() { Side::New } else { Side::Old };
        match status.phase {
            Phase::DrainingOld | Phase::DrainingNew => self.retire(side),
            Phase::RetiringOld | Phase::RetiringNew => {
                let Some(deployment) = self.scope.deployment(side) else {
                    return Next::Do(Step::Enter(Phase::Cleaning, "the Deployment is gone".into()));
                };
                if deployment.replicas > 0 {
                    return self.retire(side);
                }
                let left = self.scope.world.pods(self.scope.slot(side)).filter(|pod| !pod.terminated).count();
                if left > 0 {
                    return Next::Wait(vec![format!("{left} pods of the {side} version are terminating")]);
                }
                Next::Do(Step::Enter(Phase::Cleaning, format!("all pods of the {side} version have ended")))
            }
            _ => self.clean(),
        }
    }

    fn retire(&self, side: Side) -> Next {
        if let Some(reason) = &self.mandate.force {
            return self.order(Act::Retire, 0, format!("forced without a drain proof: {reason}"));
        }
        let at = self.state.server_now(self.now);
        match drain_proof(&self.scope, &self.state.evidence, at, side, Some(at)) {
            Proof::NotProven(missing) => Next::Wait(missing),
            Proof::Proven => self.order(Act::Retire, 0, "drain proven".into()),
            Proof::NeverRouted => self.order(Act::Retire, 0, "never routed".into()),
        }
    }

    fn clean(&self) -> Next {
        let status = self.scope.status();
        if status.routes.iter().any(|r| r.armed) {
            if let Some(different) = self.speaks_differently() {
                return Next::Stop(vec![Refusal::new("guard.clean", different)]);
            }
            return self.order(Act::Disarm, 0, String::new());
        }
        if !status.routes.is_empty() {
            if let Some(wait) = self.unsettled(GAP) {
                return wait;
            }
            return self.order(Act::Clean, 0, String::new());
        }
        let result = status.outcome.as_ref().and_then(|o| o.result).unwrap_or(Phase::Done);
        Next::Do(Step::Enter(result, String::new()))
    }

    /// A rule is cleaned only if its live weights equal the base's: otherwise its customers would move.
    fn speaks_differently(&self) -> Option<String> {
        let base = crate::routing::active_slot(self.scope.base()?, self.scope.component()).ok();
        self.scope.status().routes.iter().find_map(|record| {
            let rules: Vec<u32> = record.cells.iter().flat_map(|c| c.rules.iter().copied()).collect();
            let route = self.scope.route(record)?;
            let live = crate::routing::weights_of(route, &rules, self.scope.component());
            (live.is_none() || live != base).then(|| {
                format!(
                    "HTTPRoute {} does not send its customers where the base route does; it is not removed",
                    record.name
                )
            })
        })
    }

    /// Waits until every route has been accepted for `gap` milliseconds.
    fn unsettled(&self, gap: i64) -> Option<Next> {
        match routes_accepted(&self.scope) {
            Acceptance::Bad(why) => return Some(Next::Do(Step::Block(BlockedKind::BadStatus, why.join("; ")))),
            Acceptance::Pending(why) => {
                return Some(Next::Wait(vec![format!("the gateway has not accepted yet: {why}")]));
            }
            Acceptance::Accepted => {}
        }
        let at = self.state.server_now(self.now);
        let ready = self.state.accepted.unwrap_or(at) + jiff::SignedDuration::from_millis(gap);
        (at < ready).then(|| Next::Wait(vec![format!("settling for {} s more", seconds_between(at, ready))]))
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

/// Names who was moved by a wave.
pub fn moved_by(scope: &Scope<'_>, number: u32) -> Moved {
    let Some(wave) = scope.wave(number) else { return Moved::default() };
    let index = usize::try_from(number).unwrap_or(1).saturating_sub(1);
    let since = scope.status().waves.get(index).and_then(|w| w.at);
    if wave.is_unlisted() {
        return Moved { customers: Vec::new(), unlisted: Some(scope.listed()), since };
    }
    Moved { customers: wave.customers.clone(), unlisted: None, since }
}

/// Names who was moved back by a rollback.
pub fn moved_back(scope: &Scope<'_>) -> Moved {
    let mut moved = Moved::default();
    for (wave, record) in scope.frozen.waves.iter().zip(&scope.status().waves) {
        if record.state != WaveProgress::Back {
            continue;
        }
        moved.since = moved.since.or(record.at);
        if wave.is_unlisted() {
            moved.unlisted = Some(scope.listed());
        } else {
            moved.customers.extend(wave.customers.iter().cloned());
        }
    }
    moved
}
