//! What a command would do now: shown before it is confirmed, and compared again when it runs.

mod facts;
mod mark;

use super::freeze::{NO_VERSION, StartRequest, free_name};
use super::preflight::{beside, no_plan, preflight};
use super::scope::Scope;
use super::{Command, Confirm, Fact, Mode, Preview, State, Tone, guard};
use crate::model::{
    Approval, Environment, Finding, Level, Phase, Refusal, Side, Slot, StreamKind, StreamPolicy, Timestamp, counted,
};

/// How many customers whose work is cut are named in a dialog; the journal names all.
const NAMED: usize = 8;

/// Says what a command would do, how it is confirmed, and everything that speaks against it.
pub fn preview(state: &State, now: Timestamp, command: &Command) -> Preview {
    let mut p = Draft::new(state, now);
    let (title, confirm) = p.draft(command);
    if confirm != Confirm::AtOnce {
        p.seen();
    }
    let mark = p.mark(command);
    let Draft { facts, movers, refusals, .. } = p;
    Preview { action: command.action(), title, facts, movers, confirm, refusals, mark }
}

/// Returns everything that speaks against a command, without what a dialog shows beside it.
pub fn refusals(state: &State, now: Timestamp, command: &Command) -> Vec<Refusal> {
    let mut p = Draft::new(state, now);
    p.draft(command);
    p.refusals
}

struct Draft<'a> {
    state: &'a State,
    now: Timestamp,
    facts: Vec<Fact>,
    movers: Vec<String>,
    refusals: Vec<Refusal>,
}

impl<'a> Draft<'a> {
    fn new(state: &'a State, now: Timestamp) -> Self {
        Self { state, now, facts: Vec::new(), movers: Vec::new(), refusals: Vec::new() }
    }

    fn draft(&mut self, command: &Command) -> (String, Confirm) {
        match self.state.mode() {
            Mode::Watch if self.state.setup.advises => {}
            Mode::Watch if self.state.setup.watch => {
                self.refuse("guard.mode", "this console was opened to watch: it cannot change anything");
            }
            Mode::Watch => self.refuse(
                "guard.mode",
                "your role may not write here: ask for the pilothouse-operator role (pilothouse manifests prints it)",
            ),
            // To hold and to go back are tried: where the rights are missing, the API server says so.
            Mode::Unknown if !matches!(command, Command::Hold { .. } | Command::Rollback { .. }) => {
                self.refuse("guard.mode", "it is not known yet whether you may write: wait for the API server's answer")
            }
            Mode::Unknown | Mode::Standby | Mode::Driving => {}
        }
        self.refusals.extend(command.too_long());
        match command {
            Command::Start { .. } => self.start(command),
            Command::Hold { reason } => self.hold(reason),
            Command::Next { accept_no_traffic } => self.next(accept_no_traffic.is_some()),
            Command::Promote { accept_no_traffic } => self.promote(accept_no_traffic.is_some()),
            Command::Finish => self.finish(),
            Command::Force { .. } => self.force(),
            Command::Cleanup => self.cleanup(),
            Command::Resume => self.resume(),
            Command::Approve { ring } => self.approve(ring),
            Command::Rollback { .. } => self.rollback(),
            Command::Take { .. } => self.take(),
        }
    }

    fn start(&mut self, command: &Command) -> (String, Confirm) {
        if let Some(scope) = self.state.scope().filter(|scope| !scope.status().phase.is_final()) {
            let (name, phase) = (scope.release.name.clone(), scope.status().phase);
            self.refuse(
                "plan.active",
                &format!("release {name} is under way in phase {phase}: finish it or roll it back first"),
            );
            return ("Start a release?".into(), Confirm::Yes);
        }
        if let Some(unread) = guard::unread(self.state) {
            self.refusals.push(unread);
            return ("Start a release?".into(), Confirm::Yes);
        }
        self.refusals.extend(guard::kube_fresh(self.state, self.now));
        self.refusals.extend(guard::surveyed(self.state, self.now));
        self.busy();
        let request = StartRequest::of(self.state, command);
        let (refused, others): (Vec<Finding>, Vec<Finding>) = preflight(self.state, self.now, request.as_ref())
            .into_iter()
            .partition(|finding| finding.level == Level::Refuse);
        self.refusals.extend(refused.into_iter().map(|finding| Refusal::new(&finding.check, finding.text)));
        let Some(request) = request else {
            self.refuse(NO_VERSION, "name a version, or choose a proposed release");
            return ("Start a release?".into(), Confirm::Yes);
        };
        let version = request.version.to_string();
        if let Some(plan) = &self.state.plan {
            let free = || free_name(&self.state.world, &plan.name, &request.version);
            self.fact("release", request.release.clone().unwrap_or_else(free), Tone::Plain);
            if let Some(Ok(waves)) = self.state.waves() {
                let customers = counted(waves.waves.iter().map(|w| w.customers.len()).sum(), "customer");
                let waves = counted(waves.waves.len().saturating_sub(1), "wave");
                self.fact("plan", format!("{customers} in {waves}, then the unlisted"), Tone::Plain);
            }
        }
        self.fact(
            "what moves",
            "nobody yet: the new version starts in the idle slot, routes are installed".into(),
            Tone::Good,
        );
        self.fact("way back", "R rolls back; no customer has to move".into(), Tone::Plain);
        // Where something refuses, that alone matters.
        if self.refusals.is_empty() {
            self.facts.extend(beside(others));
        }
        let confirm = self.typed(&version);
        (format!("Start release {version}?"), confirm)
    }

    fn hold(&mut self, reason: &str) -> (String, Confirm) {
        if self.state.active_name().is_none() {
            self.no_release();
        }
        self.fact("stops", "every forward act of every console; a rollback is always possible".into(), Tone::Good);
        if !reason.is_empty() {
            self.fact("reason", reason.to_owned(), Tone::Plain);
        }
        ("Hold the release".into(), Confirm::AtOnce)
    }

    fn next(&mut self, accept: bool) -> (String, Confirm) {
        let Some(scope) = self.forward(accept) else { return ("Move the next wave?".into(), Confirm::Yes) };
        let status = scope.status();
        let number = status.wave + 1;
        if !matches!(status.phase, Phase::Ready | Phase::Baking) {
            self.phase(&scope, "the next wave moves from Ready or Baking");
        }
        let Some(wave) = scope.wave(number).filter(|w| !w.is_unlisted()) else {
            self.refuse("guard.waves", "every ring has moved: promote moves the unlisted");
            return ("Move the next wave?".into(), Confirm::Yes);
        };
        self.refusals.extend(guard::approved(&scope, wave));
        let names: Vec<&str> = wave.customers.iter().take(6).map(|c| c.as_str()).collect();
        let more = wave.customers.len().saturating_sub(names.len());
        if more > 0 {
            self.movers = wave.customers.iter().map(ToString::to_string).collect();
        }
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let who = counted(wave.customers.len(), "customer");
        self.fact("moves", format!("{who}: {}{more}", names.join(", ")), Tone::Plain);
        let exposed: usize = scope.frozen.waves.iter().take(number as usize).map(|w| w.customers.len()).sum();
        self.fact(
            "then",
            format!("{exposed} of {} on {}", counted(scope.listed().len(), "customer"), scope.frozen.new.version),
            Tone::Plain,
        );
        self.gate_facts(&scope);
        self.way_back(&scope);
        let ring = wave.ring.to_string();
        let place = guard::place(&scope, number);
        let confirm = self.typed(&ring);
        (format!("Move {place} to {}?", scope.frozen.new.version), confirm)
    }

    fn promote(&mut self, accept: bool) -> (String, Confirm) {
        let Some(scope) = self.forward(accept) else { return ("Promote?".into(), Confirm::Yes) };
        let status = scope.status();
        let last = scope.last_wave();
        let continues = status.phase == Phase::Baking && status.wave == last;
        if !matches!(status.phase, Phase::Ready | Phase::Baking) {
            self.phase(&scope, "promote comes after the last ring has baked");
        }
        if status.wave + 1 < last {
            self.refuse("guard.waves", &format!("{} of {} waves have not moved yet", last - 1 - status.wave, last - 1));
        }
        if continues {
            self.refusals.retain(|r| r.rule != "guard.bake" && r.rule != "guard.gate");
        }
        self.fact("moves", "the unlisted: everybody who is in no customer list".into(), Tone::Warn);
        self.fact("then", format!("all requests go to {}", scope.frozen.new.version), Tone::Plain);
        self.gate_facts(&scope);
        self.way_back(&scope);
        let confirm = self.typed(crate::model::UNLISTED);
        (format!("Promote {} for everybody?", scope.frozen.new.version), confirm)
    }

    fn finish(&mut self) -> (String, Confirm) {
        let Some(scope) = self.under_way() else { return ("Finish?".into(), Confirm::Yes) };
        self.stops(&scope);
        if scope.status().phase != Phase::Promoted {
            self.phase(&scope, "finish comes after promote");
        }
        let old = &scope.frozen.old.version;
        let kinds =
            StreamKind::ALL.into_iter().filter(|kind| scope.plan.drain.policy(*kind) == StreamPolicy::Reconnect);
        let kinds: Vec<String> = kinds.map(StreamKind::many).collect();
        if !kinds.is_empty() {
            let text = format!("not waited for, but asked to reconnect when their pods end: {}", kinds.join(", "));
            self.fact("reconnect", text, Tone::Plain);
        }
        self.fact("waits for", format!("the drain proof of {old}: nothing open on it any more"), Tone::Good);
        self.fact("then", format!("{old} is scaled to 0 and the managed routes are removed"), Tone::Plain);
        self.fact(
            "way back",
            format!("until {old} is scaled down: R; afterwards R starts its pods again first"),
            Tone::Plain,
        );
        let plan = scope.plan.name.clone();
        let confirm = self.typed(&plan);
        (format!("Retire {old}?"), confirm)
    }

    fn force(&mut self) -> (String, Confirm) {
        let Some(scope) = self.under_way() else { return ("Force?".into(), Confirm::Yes) };
        self.stops(&scope);
        // It replaces the finish or the rollback that waits for the proof, and goes on under the hold that one found.
        let found = self.state.mandate.as_ref().and_then(|mandate| mandate.hold.clone());
        let is_held = guard::hold(&scope, self.now, found.as_ref()).is_some();
        self.refusals.retain(|refusal| refusal.rule != "guard.busy" && (is_held || refusal.rule != "guard.hold"));
        let phase = scope.status().phase;
        let side = if phase.is_backward() { Side::New } else { Side::Old };
        if !matches!(phase, Phase::DrainingOld | Phase::DrainingNew) {
            self.phase(&scope, "only a drain can be forced");
        }
        let slot = scope.slot(side);
        let open = self.state.evidence.inflight(slot);
        let count = open.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
        self.fact("cuts", format!("{count} open transactions on the {side} version"), Tone::Bad);
        let survivors = self.state.evidence.survivors(slot).unwrap_or_default();
        let names: Vec<String> = survivors.iter().take(NAMED).map(|(c, n)| format!("{c} ({n})")).collect();
        let more = survivors.len().saturating_sub(names.len());
        let more = if more > 0 { format!(" and {more} more customers") } else { String::new() };
        match names.is_empty() {
            false => self.fact("of", format!("{}{more}", names.join(", ")), Tone::Bad),
            true => self.fact("of", "nobody says whose they are".into(), Tone::Bad),
        }
        if let super::proof::Proof::NotProven(missing) =
            super::proof::drain_proof(&scope, &self.state.evidence, self.state.server_now(self.now), side)
        {
            let rest = missing.len().saturating_sub(3);
            let rest = if rest > 0 { format!("; and {rest} more") } else { String::new() };
            let first: Vec<&str> = missing.iter().take(3).map(String::as_str).collect();
            self.fact("missing", format!("{}{rest}", first.join("; ")), Tone::Warn);
        }
        (
            format!("Scale the {side} version down without a drain proof?"),
            Confirm::TypeWithReason(format!("cut {count} on {side}")),
        )
    }

    fn cleanup(&mut self) -> (String, Confirm) {
        let title = "Delete what is left over?".to_owned();
        if let Some(active) = self.state.active_name() {
            self.refuse("guard.active", &format!("release {active} is under way: finish it or roll it back first"));
            return (title, Confirm::Yes);
        }
        self.refusals.extend(guard::kube_fresh(self.state, self.now));
        self.busy();
        let Some(plan) = &self.state.plan else {
            match guard::unread(self.state) {
                Some(unread) => self.refusals.push(unread),
                None => self.refuse("guard.no-plan", &no_plan(self.state).text),
            }
            return (title, Confirm::Yes);
        };
        let left = super::leftover::left_over(self.state);
        let (free, held): (Vec<_>, Vec<_>) = left.into_iter().partition(|route| route.serves_nobody);
        for route in &free {
            let whose = route.release.as_deref().unwrap_or("a release that is gone");
            self.fact("deletes", format!("HTTPRoute {} of {whose}; it serves nobody", route.name), Tone::Plain);
        }
        let obstacles = held.iter().filter_map(|r| r.obstacle(&self.state.setup.namespace, &plan.component.route));
        for obstacle in obstacles {
            match free.is_empty() {
                true => self.refuse("cleanup.serves", &obstacle),
                false => self.fact("keeps", obstacle, Tone::Warn),
            }
        }
        if free.is_empty() && held.is_empty() {
            self.refuse("cleanup.nothing", "no ended release has left a route behind");
        }
        let confirm = self.typed(&plan.name);
        (title, confirm)
    }

    fn resume(&mut self) -> (String, Confirm) {
        let Some(scope) = self.under_way() else { return ("Resume?".into(), Confirm::Yes) };
        self.refusals.extend(guard::kube_fresh(self.state, self.now));
        self.refusals.extend(guard::driver(self.state, self.now));
        self.refusals.extend(guard::mismatch(&scope));
        let at = self.state.server_now(self.now);
        let status = scope.status();
        if let Some(hold) = guard::hold(&scope, at, None) {
            self.fact("hold", hold.text, Tone::Warn);
        }
        if let Some(blocked) = guard::blocked(&scope, at) {
            self.fact("blocked", blocked.text, Tone::Bad);
        }
        if let Some(intent) = &status.intent {
            self.fact(
                "left open",
                format!("\"{}\" by {}: it is settled first", super::record::in_words(intent), intent.by),
                Tone::Warn,
            );
        }
        let idle = scope.release.spec.hold.is_none() && status.blocked.is_none() && status.phase.is_resting();
        if idle {
            self.refuse("resume.nothing", "nothing is held, blocked or left half done: there is nothing to resume");
        }
        let then = if status.phase.is_resting() {
            format!("it rests in {}; the next step is yours", status.phase)
        } else {
            format!("it goes on from {}", status.phase)
        };
        self.fact("then", then, Tone::Plain);
        let plan = scope.plan.name.clone();
        let confirm = self.typed(&plan);
        ("Resume the release?".into(), confirm)
    }

    fn approve(&mut self, ring: &str) -> (String, Confirm) {
        let Some(scope) = self.under_way() else { return ("Approve?".into(), Confirm::Yes) };
        match scope.plan.ring(ring) {
            None => {
                let names: Vec<String> = scope.plan.rings.iter().map(|r| r.name.to_string()).collect();
                self.refuse(
                    "approve.ring",
                    &format!("there is no ring {ring:?}; it must be one of {}", names.join(", ")),
                );
            }
            Some(found) if found.approval == Approval::None => {
                self.refuse("approve.ring", &format!("ring {ring} needs no approval"));
            }
            Some(_) => {}
        }
        self.busy();
        let by = self.state.who();
        let requested = &scope.release.spec.requested_by;
        if scope.plan.environment == Environment::Prod && !requested.is_empty() && *requested == by {
            self.refuse("approve.self", &format!("{by} asked for this release: somebody else has to approve it"));
        }
        let hash = scope.frozen.hash.get(..12).unwrap_or_default().to_owned();
        self.fact("bound to", format!("the frozen plan {hash}: a new start needs a new approval"), Tone::Plain);
        (format!("Approve ring {ring} for {}?", scope.frozen.new.version), Confirm::Yes)
    }

    fn rollback(&mut self) -> (String, Confirm) {
        let Some(scope) = self.under_way() else { return ("Roll back?".into(), Confirm::Yes) };
        let status = scope.status();
        if status.phase.is_final() {
            self.phase(&scope, "it is over");
        }
        let driving = self.state.mandate.as_ref().is_some_and(|m| m.goal == super::state::Goal::Rollback);
        if status.phase.is_backward() && driving {
            self.refuse("rollback.running", "the rollback is under way already");
        }
        let (old, new) = (&scope.frozen.old.version, &scope.frozen.new.version);
        let on_new = |slot: &Option<Slot>| *slot == Some(scope.slot(Side::New));
        let moved = self.state.placed.customers.iter().filter(|(_, slot)| on_new(slot));
        self.movers = moved.map(|(customer, _)| customer.to_string()).collect();
        let moved = self.movers.len();
        let unlisted = self.state.placed.unlisted != Some(scope.slot(Side::Old));
        let everybody = if unlisted { " and the unlisted" } else { "" };
        let who = match moved {
            0 if !unlisted => format!("nobody: all are on {old}, and stay there"),
            _ => format!("{}{everybody}: new requests go to {old}", counted(moved, "customer")),
        };
        self.fact("moves back", who, Tone::Plain);
        let open = self.state.evidence.inflight(scope.slot(Side::New));
        let open = open.map_or_else(|| "what is".to_owned(), |n| n.to_string());
        self.fact("in flight", format!("{open} open on {new} finishes there; nothing is cut"), Tone::Good);
        let (ready, wanted) = (scope.world.ready_endpoints(scope.service(Side::Old)), scope.wanted_replicas());
        let tone = if ready >= wanted as usize { Tone::Good } else { Tone::Warn };
        self.fact(
            "old pods",
            format!(
                "{ready} of {wanted} ready{}",
                if ready >= wanted as usize { "" } else { "; they are started first" }
            ),
            tone,
        );
        if !self.state.drives() && status.driver.is_some() {
            self.fact("driving", "is taken over in the same act".into(), Tone::Warn);
        }
        (format!("Roll ALL customers back to {old}?"), Confirm::Yes)
    }

    fn take(&mut self) -> (String, Confirm) {
        let Some(scope) = self.under_way() else { return ("Take over?".into(), Confirm::Yes) };
        if self.state.drives() {
            self.refuse("take.mine", "this console drives already");
        }
        let holder = scope.status().driver.clone();
        let name = holder.as_ref().map_or_else(|| "nobody".to_owned(), |d| d.who.clone());
        match guard::driver(self.state, self.now) {
            Some(live) => self.fact("driver", live.text, Tone::Warn),
            None => self.fact("driver", format!("{name}, whose console has gone"), Tone::Plain),
        }
        if let Some(intent) = &scope.status().intent {
            self.fact(
                "left open",
                format!("\"{}\": what became of it is found out first", super::record::in_words(intent)),
                Tone::Warn,
            );
        }
        self.fact("then", "nothing moves until you say so".into(), Tone::Good);
        (format!("Take driving over from {name}?"), Confirm::TypeWithReason(name))
    }

    /// What every forward act of a wave needs; returns the scope when there is one.
    fn forward(&mut self, accept: bool) -> Option<Scope<'a>> {
        let scope = self.under_way()?;
        self.stops(&scope);
        self.refusals.extend(guard::baked(&scope, self.state.server_now(self.now)));
        self.refusals.extend(guard::gates(self.state, &scope, self.now, accept));
        if scope.status().phase != Phase::Preparing {
            self.refusals.extend(guard::metrics_fresh(self.state, &scope, self.now));
            self.refusals.extend(guard::target_ready(&scope));
        }
        Some(scope)
    }

    fn stops(&mut self, scope: &Scope<'_>) {
        let at = self.state.server_now(self.now);
        self.refusals.extend(guard::driver(self.state, self.now));
        self.refusals.extend(guard::hold(scope, at, None));
        self.refusals.extend(guard::blocked(scope, at));
        self.refusals.extend(guard::mismatch(scope));
        self.refusals.extend(guard::kube_fresh(self.state, self.now));
        self.busy();
    }

    fn busy(&mut self) {
        if self.state.mandate.is_some() {
            let what = self.state.running.as_ref().map_or("", |r| r.action.spec().title);
            self.refuse("guard.busy", &format!("\"{what}\" is under way: wait for it, hold it or roll back"));
        }
    }

    fn under_way(&mut self) -> Option<Scope<'a>> {
        let scope = self.state.scope();
        if scope.is_none() {
            self.no_release();
        }
        scope
    }

    fn no_release(&mut self) {
        match guard::unread(self.state) {
            Some(unread) => self.refusals.push(unread),
            None => self.refuse("guard.no-release", &self.state.without_release()),
        }
    }

    fn phase(&mut self, scope: &Scope<'_>, why: &str) {
        self.refuse("guard.phase", &format!("the release is in phase {}: {why}", scope.status().phase));
    }

    fn typed(&self, word: &str) -> Confirm {
        let environment = self.state.plan.as_ref().map_or(Environment::Prod, |plan| plan.environment);
        if environment == Environment::Prod { Confirm::Type(word.to_owned()) } else { Confirm::Yes }
    }

    fn refuse(&mut self, rule: &str, text: &str) {
        self.refusals.push(Refusal::new(rule, text));
    }
}
