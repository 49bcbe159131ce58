//! The gates of the release under way: what is asked, and what the answers mean.

use super::scope::Scope;
use super::world::Kin;
use super::{GateAnswer, GateQuery, GateRow, State, Verdict, World};
use crate::gate;
use crate::model::{Component, Gate, GateKind, LabelledPoints, Phase, Reading, ResourceKind, Side, Span, Timestamp};
use std::collections::BTreeMap;

/// The answers to a gate's questions.
type Answers = Vec<Reading<Vec<LabelledPoints>>>;

/// The newest answers and since when each verdict has held.
#[derive(Clone, Debug, Default)]
pub struct Gates {
    asked: Option<Timestamp>,
    answers: BTreeMap<String, GateAnswer>,
    since: BTreeMap<String, (&'static str, Timestamp)>,
}

impl Gates {
    /// Takes in answers.
    pub fn take(&mut self, at: Timestamp, answers: Vec<GateAnswer>) {
        self.asked = Some(at);
        self.answers = answers.into_iter().map(|answer| (answer.gate.clone(), answer)).collect();
    }

    /// Returns a row per gate of the frozen plan; verdicts exist only while a wave bakes.
    pub fn rows(&self, state: &State, scope: &Scope<'_>, now: Timestamp) -> Vec<GateRow> {
        scope.plan.gates.iter().map(|one| self.row(state, scope, one, now)).collect()
    }

    /// Remembers since when each verdict has held.
    pub fn settle(&mut self, rows: &[GateRow], now: Timestamp) {
        self.since.retain(|name, _| rows.iter().any(|row| &row.name == name));
        for row in rows {
            let word = row.verdict.word();
            match self.since.get(&row.name) {
                Some((held, _)) if *held == word => {}
                _ => {
                    self.since.insert(row.name.clone(), (word, now));
                }
            }
        }
    }

    fn row(&self, state: &State, scope: &Scope<'_>, one: &Gate, now: Timestamp) -> GateRow {
        let judged = self.judge(state, scope, one, now);
        let since = self.since.get(&one.name).map(|(_, at)| now.as_second() - at.as_second());
        let (verdict, value) = match judged {
            None => (Verdict::Waiting, None),
            Some(judged) => (in_view(judged.verdict), judged.value),
        };
        GateRow {
            name: one.name.clone(),
            value: value.map_or_else(String::new, |value| one.amount(value)),
            limit: one.limit(),
            window: one.window.to_string(),
            verdict,
            since: since.and_then(|s| u64::try_from(s).ok()),
        }
    }

    fn judge(&self, state: &State, scope: &Scope<'_>, one: &Gate, now: Timestamp) -> Option<gate::Judged> {
        let not_before = asked_since(scope)?;
        if matches!(one.kind, GateKind::Restarts) {
            return Some(gate::judge_restarts(one, restarts(state, scope, now)));
        }
        let answer = self.answers.get(&one.name)?;
        let asked = self.asked?;
        if state.server_now(asked) < not_before {
            return None;
        }
        let limit = state.evidence.stale_after().unwrap_or(Span::seconds(10)).0 + std::time::Duration::from_secs(5);
        if now.as_millisecond() - asked.as_millisecond() > i64::try_from(limit.as_millis()).unwrap_or(i64::MAX) {
            return Some(gate::Judged {
                verdict: gate::Verdict::Unknown(format!("last answer is {} old", super::guard::ago(asked, now))),
                value: None,
                requests: None,
            });
        }
        let pods = scope.world.pods(scope.component(), scope.slot(Side::New));
        let starts: gate::Starts = pods.filter_map(|pod| Some((pod.name.clone(), pod.started?))).collect();
        let judge = |answers: &Answers| gate::judge(one, answers, &starts, not_before, state.server_now(now));
        if matches!(one.kind, GateKind::Promql { .. }) {
            return Some(judge(&answer.answers));
        }
        let of_pods = |is: &dyn Fn(Kin) -> bool| -> Answers {
            let label = &scope.plan.metrics.names.label_pod;
            let is_meant = |pod: &str| is(scope.world.kin(scope.component(), pod));
            answer.answers.iter().map(|reading| gate::of_pods(reading, label, &is_meant)).collect()
        };
        let wide = judge(&of_pods(&|kin| kin != Kin::Foreign));
        Some(gate::doubted(judge(&of_pods(&|kin| kin == Kin::Ours)), wide))
    }
}

/// Returns the range queries to ask now; none while no wave bakes.
pub fn queries(state: &State, scope: &Scope<'_>) -> Vec<GateQuery> {
    let Some(not_before) = asked_since(scope) else { return Vec::new() };
    let (new, strangers) = (scope.slot(Side::New), strangers(&state.world, scope.component()));
    scope
        .plan
        .gates
        .iter()
        .filter(|one| !matches!(one.kind, GateKind::Restarts))
        .map(|one| GateQuery {
            gate: one.name.clone(),
            queries: gate::queries(
                one,
                &scope.plan.metrics,
                &state.setup.namespace,
                scope.component(),
                &strangers,
                new,
            ),
            window: one.window,
            not_before,
        })
        .collect()
}

/// Names the Deployments of other plans in the namespace; their pods carry the same slot labels as ours.
pub fn strangers(world: &World, component: &Component) -> Vec<String> {
    world.strangers(component).into_iter().map(str::to_owned).collect()
}

/// Returns since when the gates look: the moment the wave was verified.
fn asked_since(scope: &Scope<'_>) -> Option<Timestamp> {
    let status = scope.status();
    if status.phase != Phase::Baking {
        return None;
    }
    status.since
}

/// Counts the container restarts of the new slot; `None` while pods cannot be read.
fn restarts(state: &State, scope: &Scope<'_>, now: Timestamp) -> Option<u64> {
    let age = now.as_millisecond() - state.world.source(ResourceKind::Pod).alive?.as_millisecond();
    (age <= 10_000).then(|| scope.world.pods(scope.component(), scope.slot(Side::New)).map(|pod| pod.restarts).sum())
}

fn in_view(verdict: gate::Verdict) -> Verdict {
    match verdict {
        gate::Verdict::Pass => Verdict::Pass,
        gate::Verdict::Fail => Verdict::Fail,
        gate::Verdict::Unknown(why) => Verdict::Unknown(why),
        gate::Verdict::NoTraffic(why) => Verdict::NoTraffic(why),
    }
}
