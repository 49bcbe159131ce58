//! The advice line: the next safe act, or what is waited for and since when.

use crate::core::scope::Scope;
use crate::core::{Action, Advice, RunningState, State, Tone, guard};
use crate::model::{Phase, Refusal, Side, Timestamp, counted};

/// Says what to do next, or what is waited for.
pub fn advice(state: &State, now: Timestamp) -> Advice {
    let at = state.server_now(now);
    if let Some(hold) = &state.hold {
        return say(format!("holding: {}", hold.progress()), Tone::Warn);
    }
    let Some(scope) = state.scope() else { return idle(state, now) };
    let status = scope.status();
    let driver = guard::driver(state, now);
    if state.only_looks() || (state.setup.watch && driver.is_some()) {
        return say(watching(&scope, at), Tone::Plain);
    }
    if let Some(refusal) = driver {
        return step(format!("{}; hold and roll back work from here", refusal.text), Action::Take, Tone::Warn);
    }
    let rolling = state.mandate.as_ref().is_some_and(|m| m.goal == crate::core::state::Goal::Rollback);
    if let Some(blocked) = guard::blocked(&scope, at).filter(|_| !super::goes_back(status)) {
        return step(format!("look, then resume, or roll back: {}", blocked.text), Action::Resume, Tone::Bad);
    }
    if let Some(hold) = guard::hold(&scope, at, None).filter(|_| !rolling) {
        return held(state, &scope, &hold, now);
    }
    if let Some(running) = state.running.as_ref().filter(|r| r.outcome == RunningState::Running) {
        let since = guard::ago(running.since, now);
        let drain = matches!(status.phase, Phase::DrainingOld | Phase::DrainingNew)
            .then(|| super::panels::drain(state, now).headline)
            .filter(|headline| headline.starts_with("not proven"));
        let text = match drain {
            // How much is open, and for how long, says more than the first of many reasons.
            Some(headline) => headline,
            None if running.text.is_empty() => status.phase.word().to_lowercase(),
            None => running.text.clone(),
        };
        let tone = if super::goes_back(status) { Tone::Warn } else { Tone::Plain };
        return patience(state, &scope, now)
            .unwrap_or_else(|| say(format!("{}: {text} ({since})", running.action.spec().title), tone));
    }
    if status.intent.is_some() || !status.phase.is_resting() {
        let by = status.driver.as_ref().map_or("nobody", |d| d.who.as_str());
        let left = match status.phase {
            phase if super::goes_back(status) => format!("{by} left the rollback in {}", phase.word()),
            phase => format!("{by} left the release in {}", phase.word()),
        };
        return step(format!("{left}: resume it, or roll back"), Action::Resume, Tone::Warn);
    }
    resting(state, &scope, now)
}

/// Says what a rollback would do now; empty when there is nothing to roll back.
pub fn way_out(state: &State) -> String {
    let Some(scope) = state.scope() else { return String::new() };
    let status = scope.status();
    let old = &scope.frozen.old.version;
    if super::goes_back(status) {
        return format!("rolling back: every new request goes to {old}");
    }
    let moved = super::on_new(&scope, state);
    let settle = scope.settle();
    let everybody = if state.placed.unlisted == Some(scope.slot(Side::New)) { " and the unlisted" } else { "" };
    match status.phase {
        Phase::RetiringOld | Phase::Cleaning => {
            format!("rollback now: {old} is started again first, then everybody goes back")
        }
        _ if moved == 0 && everybody.is_empty() => {
            format!("rollback now: nobody has moved; {} is taken away again", scope.frozen.new.version)
        }
        _ => format!("rollback now: {}{everybody} to {old}, ~{settle}, nothing is cut", counted(moved, "customer")),
    }
}

/// Returns the ring that waits for an approval before the next wave.
pub fn waiting_ring(state: &State) -> Option<String> {
    let scope = state.scope()?;
    let next = scope.wave(scope.status().wave + 1)?;
    guard::approved(&scope, next).map(|_| next.ring.to_string())
}

fn idle(state: &State, now: Timestamp) -> Advice {
    if state.plan.is_none() {
        let source = state.world.source(crate::model::ResourceKind::RolloutPlan);
        if let Some(why) = source.failed {
            return say(format!("the cluster cannot be read: {why}"), Tone::Bad);
        }
        if !source.listed {
            return say("reading the cluster".into(), Tone::Plain);
        }
        let names = state.world.plan_names();
        if state.plan_name().is_none() && names.len() > 1 {
            return step(format!("choose the plan to open: {}", names.join(", ")), Action::Open, Tone::Plain);
        }
        let finding = state.plan_findings.first().filter(|_| state.plan_name().is_some()).cloned();
        return say(finding.unwrap_or_else(|| crate::core::preflight::no_plan(state)).text, Tone::Bad);
    }
    if let Some(running) = state.running.as_ref().filter(|r| r.outcome == RunningState::Running) {
        let since = guard::ago(running.since, now);
        return say(format!("{}: {} ({since})", running.action.spec().title, running.text), Tone::Plain);
    }
    if let Some(stale) = guard::kube_fresh(state, now) {
        return say(stale.text, Tone::Warn);
    }
    if state.only_looks() {
        return say("no release is under way".into(), Tone::Plain);
    }
    let left = crate::core::leftover::left_over(state).len();
    if left > 0 {
        let routes = if left == 1 { "1 route is".to_owned() } else { format!("{left} routes are") };
        return step(
            format!("{routes} left over of an ended release: clean up, then start"),
            Action::Cleanup,
            Tone::Warn,
        );
    }
    let proposed = super::panels::proposed(state);
    let ended = super::head::last_ended(state);
    match (proposed.first(), ended) {
        (Some(row), _) => step(format!("release {} is proposed: start it", row.version), Action::Start, Tone::Good),
        (None, Some(last)) => {
            let what = if last.phase() == Phase::Done { "done" } else { "rolled back" };
            step(
                format!("release {} is {what}; start the next one when you like", last.spec.version),
                Action::Start,
                Tone::Good,
            )
        }
        (None, None) => step("no release is under way: start one".into(), Action::Start, Tone::Plain),
    }
}

/// The key and the acts come first: where the row is too short, the reasons are cut, and those stand elsewhere, too.
fn held(state: &State, scope: &Scope<'_>, hold: &Refusal, now: Timestamp) -> Advice {
    let failing: Vec<String> = guard::gates(state, scope, now, false)
        .into_iter()
        .filter(|r| r.text.contains("FAIL"))
        .map(|r| r.text)
        .collect();
    if failing.is_empty() {
        return step(format!("resume it, or roll back: {}", hold.text), Action::Resume, Tone::Warn);
    }
    let since = scope.release.spec.hold.as_ref().map_or(String::new(), |hold| {
        format!("; held by {} for {}", hold.by, guard::ago(hold.at, state.server_now(now)))
    });
    step(format!("roll back, or resume when it is over: {}{since}", failing.join(", ")), Action::Rollback, Tone::Bad)
}

/// The advice of a phase in which a person must act.
fn resting(state: &State, scope: &Scope<'_>, now: Timestamp) -> Advice {
    let at = state.server_now(now);
    let status = scope.status();
    if status.phase == Phase::Promoted {
        return step(
            format!(
                "everybody is on {}: finish drains and retires {}",
                scope.frozen.new.version, scope.frozen.old.version
            ),
            Action::Finish,
            Tone::Good,
        );
    }
    if let Some(bake) = guard::baked(scope, at) {
        return say(bake.text, Tone::Plain);
    }
    let gates = guard::gates(state, scope, now, false);
    if let Some(first) = gates.first() {
        let tone = if first.text.contains("FAIL") { Tone::Bad } else { Tone::Warn };
        return say(format!("waiting: {}", join(&gates)), tone);
    }
    let mut waits: Vec<Refusal> = guard::metrics_fresh(state, scope, now).into_iter().collect();
    waits.extend(guard::target_ready(scope));
    waits.extend(guard::kube_fresh(state, now));
    waits.extend(guard::mismatch(scope));
    if !waits.is_empty() {
        return say(format!("waiting: {}", join(&waits)), Tone::Warn);
    }
    let next = status.wave + 1;
    match scope.wave(next) {
        Some(wave) if !wave.is_unlisted() => match guard::approved(scope, wave) {
            Some(_) => step(format!("ring {} waits for an approval", wave.ring), Action::Approve, Tone::Warn),
            None => step(
                format!("next wave {}: {}", guard::place(scope, next), counted(wave.customers.len(), "customer")),
                Action::Next,
                Tone::Good,
            ),
        },
        Some(_) => step("every ring has moved: promote the unlisted".into(), Action::Promote, Tone::Good),
        None => {
            step("the unlisted are on the new version: promote goes on to Promoted".into(), Action::Promote, Tone::Good)
        }
    }
}

/// A drain that outlasts its patience is said; nothing is ever cut by itself.
fn patience(state: &State, scope: &Scope<'_>, now: Timestamp) -> Option<Advice> {
    let status = scope.status();
    let side = match status.phase {
        Phase::DrainingOld => Side::Old,
        Phase::DrainingNew => Side::New,
        _ => return None,
    };
    let used = state.server_now(now).as_second() - status.since?.as_second();
    if used <= i64::try_from(scope.plan.drain.patience.0.as_secs()).unwrap_or(i64::MAX) {
        return None;
    }
    let drain = super::panels::drain(state, now);
    let what = drain.headline.trim_start_matches("not proven: ");
    let whose: Vec<String> = drain.survivors.iter().take(3).map(|(customer, n)| format!("{customer} {n}")).collect();
    let whose = if whose.is_empty() { String::new() } else { format!(" ({})", whose.join(", ")) };
    let used = crate::model::Span::seconds(used.unsigned_abs());
    Some(say(
        format!(
            "the {side} version does not drain since {used}: {what}{whose}; wait, or force the drain, which cuts them"
        ),
        Tone::Warn,
    ))
}

fn watching(scope: &Scope<'_>, at: Timestamp) -> String {
    let status = scope.status();
    if let Some(hold) = guard::hold(scope, at, None) {
        return hold.text;
    }
    let since = status.since.map(|since| guard::ago(since, at)).unwrap_or_default();
    format!("{} for {since}", status.phase.word().to_lowercase())
}

fn join(refusals: &[Refusal]) -> String {
    refusals.iter().map(|r| r.text.as_str()).collect::<Vec<_>>().join("; ")
}

fn say(text: String, tone: Tone) -> Advice {
    Advice { text, action: None, tone: Some(tone) }
}

fn step(text: String, action: Action, tone: Tone) -> Advice {
    Advice { text, action: Some(action), tone: Some(tone) }
}
