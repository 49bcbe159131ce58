//! The way back, and the end of both ways: drain, retire, clean.

use super::{Next, Planner, START_PATIENCE, Step};
use crate::api::Act;
use crate::core::guard;
use crate::core::proof::{Proof, Verified, drain_proof, moved_back, seconds_between, verified};
use crate::core::task::{Forced, everything_is_old};
use crate::model::{Phase, Refusal, Side, counted};
use crate::routing::Undo;

/// How long a rollback that has settled waits for metrics to show it, in seconds; the drain proof then waits on.
const UNSEEN_PATIENCE: i64 = 60;

impl Planner<'_> {
    pub(super) fn backward(&self) -> Next {
        let status = self.scope.status();
        let result = status.outcome.as_ref().and_then(|o| o.result);
        match status.phase {
            Phase::RolledBack => Next::Do(Step::Unlock(self.scope.release.name.clone())),
            Phase::VerifyingBack => self.verify_back(),
            // Somebody has sent customers to the new version again.
            Phase::DrainingNew | Phase::RetiringNew if !everything_is_old(&self.scope, status) => self.roll_back(),
            Phase::DrainingNew | Phase::RetiringNew => self.leave(),
            Phase::Cleaning if result == Some(Phase::RolledBack) => self.leave(),
            Phase::RollingBack => self.roll_back(),
            Phase::Done | Phase::Proposed => Next::Stop(vec![Refusal::new(
                "guard.phase",
                format!("the release is in phase {}: there is nothing to roll back", status.phase),
            )]),
            _ => self.roll_back(),
        }
    }

    fn roll_back(&self) -> Next {
        let status = self.scope.status();
        let is_old = everything_is_old(&self.scope, status);
        if let Some(wait) = self.old_is_starting().filter(|_| !is_old) {
            return Next::Wait(vec![wait]);
        }
        if is_old && status.phase == Phase::RollingBack && self.undo_is_live() {
            return Next::Do(Step::Enter(Phase::VerifyingBack, String::new()));
        }
        self.order(Act::Rollback, 0, self.evidence())
    }

    /// Says what a rollback waits for before it routes: one ready pod at least, all of them for a while.
    fn old_is_starting(&self) -> Option<String> {
        let wanted = self.scope.wanted_replicas();
        if self.scope.deployment(Side::Old).is_none_or(|old| old.replicas < wanted)
            || !self.scope.world.source(crate::model::ResourceKind::EndpointSlice).listed
        {
            return None;
        }
        let ready = self.scope.world.ready_endpoints(self.scope.service(Side::Old));
        let status = self.scope.status();
        let at = self.state.server_now(self.now);
        let since = status.since.filter(|_| status.phase == Phase::RollingBack);
        let patient = since.is_some_and(|since| seconds_between(since, at) <= START_PATIENCE);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let wait = ready == 0 || (patient && ready < wanted);
        wait.then(|| format!("{ready} of {} of the old version are ready", counted(wanted, "pod")))
    }

    /// Tells whether no route says that the old version is retired.
    fn undo_is_live(&self) -> bool {
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
            Verified::Unseen(why) if self.is_patient() => Next::Wait(why),
            // The drain proof asks for the same again and for more; there a person may also decide without metrics.
            Verified::Unseen(why) => Next::Do(Step::Enter(Phase::DrainingNew, format!("not seen: {}", why.join("; ")))),
            // Backward acts are never blocked; they are said and waited for.
            Verified::NotLive(what) | Verified::BadStatus(what) => Next::Wait(vec![what]),
        }
    }

    /// Tells whether the way back still waits for metrics to show it.
    fn is_patient(&self) -> bool {
        let settle = i64::try_from(self.scope.settle().0.as_secs()).unwrap_or(i64::MAX);
        let at = self.state.server_now(self.now);
        let used = self.scope.status().since.map_or(0, |since| seconds_between(since, at));
        used <= settle.saturating_add(UNSEEN_PATIENCE)
    }

    /// Drain, retire, clean; the same on the way forward and back, with the sides exchanged.
    pub(super) fn leave(&self) -> Next {
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
                let left = self.scope.world.pods(self.scope.component(), self.scope.slot(side));
                let left = left.filter(|pod| !pod.terminated).count();
                if left > 0 {
                    return Next::Wait(vec![format!(
                        "waiting for {} of the {side} version to end",
                        counted(left, "pod")
                    )]);
                }
                Next::Do(Step::Enter(Phase::Cleaning, format!("all pods of the {side} version have ended")))
            }
            _ => self.clean(),
        }
    }

    fn retire(&self, side: Side) -> Next {
        if let Some(reason) = &self.mandate.force {
            let (open, forced) = self.forced(side);
            return self.order_forced(format!("forced without a drain proof: {reason}; open: {open}"), forced);
        }
        let at = self.state.server_now(self.now);
        match drain_proof(&self.scope, &self.state.evidence, at, side) {
            Proof::NotProven(missing) => Next::Wait(missing),
            Proof::Proven => self.order(Act::Retire, 0, "drain proven".into()),
            Proof::NeverRouted => self.order(Act::Retire, 0, "never routed".into()),
        }
    }

    /// Says what a retire without a drain proof cuts, and whose it is; what nobody names is not nobody's.
    fn forced(&self, side: Side) -> (String, Forced) {
        let slot = self.scope.slot(side);
        let total = self.state.evidence.inflight(slot);
        let survivors = self.state.evidence.survivors(slot).unwrap_or_default();
        let names: Vec<String> = survivors.iter().map(|(customer, open)| format!("{customer} {open}")).collect();
        let names = names.join(", ");
        let unnamed = total.map(|total| total.saturating_sub(survivors.values().sum()));
        let open = match (unnamed, names.is_empty()) {
            (Some(0), true) => "nothing".to_owned(),
            (Some(0), false) => names,
            (Some(rest), true) => format!("{rest}, whose is not known"),
            (Some(rest), false) => format!("{names}, and {rest}, whose is not known"),
            (None, true) => "not known".to_owned(),
            (None, false) => format!("{names}, and what else is not known"),
        };
        (open, Forced { is_all: unnamed == Some(0), on: survivors.into_keys().collect() })
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
            if let Some(wait) = self.unsettled(self.scope.gap()) {
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
}
