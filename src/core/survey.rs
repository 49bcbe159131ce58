//! What a start depends on and no watch brings: Gateways and how they are set up, policies, budgets, autoscalers of
//! others. Read on demand, GET only; each part has an outcome of its own.

use super::{Effect, State};
use crate::api::{KnownKind, known_parameters, known_policies};
use crate::model::{ResourceKind, Span, Timestamp};
use crate::routing::Controllers;
use serde_json::Value;

/// How old a survey may be when a release starts.
pub const FRESH: Span = Span::seconds(60);
/// The check that refuses a start without a fresh survey.
pub const STALE: &str = "survey.stale";
/// How long one survey may take; what has not answered by then has failed.
const DEADLINE: Span = Span::seconds(8);
/// After this an answer is not waited for any more.
const GIVEN_UP: i64 = 12;

/// What is to be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SurveyRequest {
    /// The Gateways that the base route names as parents.
    pub gateways: Vec<ObjectName>,
    /// The kinds of parameters objects that can be understood; no other is read, it might be a Secret.
    pub parameters: Vec<KnownKind>,
    /// The kinds of policies to look for, beside those whose definitions carry the Gateway API's label.
    pub policies: Vec<KnownKind>,
    /// How long it may take.
    pub deadline: Span,
}

/// Names an object of any namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// Its namespace; empty for one that is not in any.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// Each Gateway that was asked for.
    pub gateways: Vec<GatewaySurvey>,
    /// Whether the definitions could be searched for kinds of policies.
    pub definitions: Answer<()>,
    /// Each kind of policy that is served, in each namespace that was looked at.
    pub policies: Vec<PolicySurvey>,
    /// The PodDisruptionBudgets of the namespace.
    pub budgets: Answer<Vec<Value>>,
    /// The ScaledObjects (`keda.sh`) of the namespace.
    pub scaled_objects: Answer<Vec<Value>>,
}

/// One Gateway and how it is set up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GatewaySurvey {
    /// Which one.
    pub name: ObjectName,
    /// The Gateway.
    pub gateway: Answer<Value>,
    /// Its GatewayClass.
    pub class: Answer<Value>,
    /// The parameters objects of the Gateway and of its class, as far as their kinds are known.
    pub parameters: Vec<ParametersSurvey>,
}

/// A parameters object.
#[derive(Clone, Debug, PartialEq)]
pub struct ParametersSurvey {
    /// Its kind.
    pub kind: String,
    /// Which one.
    pub name: ObjectName,
    /// The object.
    pub object: Answer<Value>,
}

/// The policies of one kind in one namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicySurvey {
    /// The API group.
    pub group: String,
    /// The name in objects.
    pub kind: String,
    /// The name in paths.
    pub plural: String,
    /// The namespace that was looked at.
    pub namespace: String,
    /// The objects.
    pub objects: Answer<Vec<Value>>,
}

/// What came of one question; only a value can satisfy anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Answer<T> {
    /// The answer.
    Value(T),
    /// There is no such object.
    Missing,
    /// The API server does not know the kind.
    NotServed,
    /// We may not ask; what the server says.
    Forbidden(String),
    /// There was no usable answer; why.
    Failed(String),
    /// It was not asked.
    #[default]
    NotAsked,
}

impl<T> Answer<T> {
    /// Returns the value.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }

    /// Changes the value and keeps every other answer.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Value(value) => Answer::Value(change(value)),
            Self::Missing => Answer::Missing,
            Self::NotServed => Answer::NotServed,
            Self::Forbidden(why) => Answer::Forbidden(why),
            Self::Failed(why) => Answer::Failed(why),
            Self::NotAsked => Answer::NotAsked,
        }
    }

    /// Says why it is not known; `None` for a value, and for what certainly is not there.
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Self::Forbidden(why) | Self::Failed(why) => Some(why),
            Self::NotAsked => Some("it was not asked for"),
            Self::Value(_) | Self::Missing | Self::NotServed => None,
        }
    }
}

/// The newest survey of a console, and what it wants to know next.
#[derive(Clone, Debug, Default)]
pub struct Surveys {
    last: Option<(Timestamp, Survey)>,
    asked: Option<(Timestamp, SurveyRequest)>,
    /// A survey no older than this is wanted.
    wanted: Option<Span>,
    controllers: Controllers,
}

impl Survey {
    /// Tells whether this looked at what is asked for.
    pub fn answers(&self, request: &SurveyRequest) -> bool {
        self.gateways.iter().map(|gateway| &gateway.name).eq(&request.gateways)
    }

    /// Returns which controller is responsible for which Gateway, by its class.
    fn controllers(&self) -> Controllers {
        let known = |gateway: &GatewaySurvey| {
            let controller = gateway.class.value()?["spec"]["controllerName"].as_str()?.to_owned();
            Some(((gateway.name.namespace.clone(), gateway.name.name.clone()), controller))
        };
        self.gateways.iter().filter_map(known).collect()
    }
}

impl Surveys {
    /// Takes in that somebody looks at what speaks against a start and wants nothing older than `within`.
    pub fn want(&mut self, within: Span) {
        self.wanted = Some(self.wanted.map_or(within, |wanted| wanted.min(within)));
    }

    /// Takes in a survey.
    pub fn take(&mut self, now: Timestamp, survey: Survey) {
        self.asked.take_if(|(_, asked)| survey.answers(asked));
        self.controllers = survey.controllers();
        self.last = Some((now, survey));
    }

    /// Returns which controller is responsible for which Gateway.
    pub fn controllers(&self) -> &Controllers {
        &self.controllers
    }

    /// Returns when the newest survey came, and what it found.
    pub fn last(&self) -> Option<(Timestamp, &Survey)> {
        self.last.as_ref().map(|(at, survey)| (*at, survey))
    }

    /// Returns the newest survey if it looked at what is asked for.
    pub fn of(&self, request: &SurveyRequest) -> Option<&Survey> {
        self.last.as_ref().map(|(_, survey)| survey).filter(|survey| survey.answers(request))
    }

    /// Returns how old the newest survey of what is asked for is; `None` when there is none.
    pub fn age(&self, request: &SurveyRequest, now: Timestamp) -> Option<Span> {
        let (at, survey) = self.last()?;
        let millis = u64::try_from(now.as_millisecond() - at.as_millisecond()).unwrap_or(0);
        survey.answers(request).then_some(Span::millis(millis))
    }

    /// Says whether to ask now.
    fn is_due(&mut self, request: &SurveyRequest, now: Timestamp) -> bool {
        let wanted = self.wanted.take();
        let pending =
            |(at, asked): &(Timestamp, SurveyRequest)| now.as_second() - at.as_second() < GIVEN_UP && asked == request;
        if self.asked.as_ref().is_some_and(pending) {
            return false;
        }
        let is_first = self.last.is_none() && self.asked.is_none();
        is_first || wanted.is_some_and(|within| self.age(request, now).is_none_or(|age| age >= within))
    }
}

/// Says what has to be looked at for the plan in force; `None` while the base route is not known.
pub fn request(state: &State) -> Option<SurveyRequest> {
    let plan = state.plan.as_ref()?;
    let base = state.world.get(ResourceKind::HTTPRoute, &plan.component.route)?;
    Some(request_of(base, &state.setup.namespace))
}

/// Says what has to be looked at for a base route of this namespace.
pub fn request_of(base: &Value, namespace: &str) -> SurveyRequest {
    let mut gateways: Vec<ObjectName> = crate::routing::gateways_of(base)
        .into_iter()
        .map(|(in_namespace, name)| ObjectName {
            namespace: if in_namespace.is_empty() { namespace.to_owned() } else { in_namespace },
            name,
        })
        .collect();
    gateways.sort();
    gateways.dedup();
    SurveyRequest {
        gateways,
        parameters: known_parameters().collect(),
        policies: known_policies().map(|policy| policy.of).collect(),
        deadline: DEADLINE,
    }
}

/// Asks for a survey when one is wanted, and once when the console opens.
pub fn wants(state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) {
    let Some(request) = request(state).filter(|_| !state.leaving) else { return };
    if state.surveys.is_due(&request, now) {
        state.surveys.asked = Some((now, request.clone()));
        effects.push(Effect::Survey(Box::new(request)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testbed::Bed;
    use super::super::{Command, Event, RunningState};
    use super::*;
    use serde_json::json;

    fn asked(bed: &mut Bed, desk: usize) -> usize {
        bed.tell(desk, Event::Tick);
        bed.surveys(desk)
    }

    fn start() -> Command {
        Command::Start { release: None, version: Some("2".into()), image: None, commit: None }
    }

    #[test]
    fn a_console_asks_once_when_it_opens_and_then_only_when_somebody_looks() {
        let mut bed = Bed::new();
        let desk = bed.open_desk("dana");
        bed.pass(300);
        assert_eq!(asked(&mut bed, desk), 1);
        for _ in 0..3 {
            bed.tell(desk, Event::SurveyWanted(Span::seconds(60)));
        }
        bed.run();
        assert_eq!(asked(&mut bed, desk), 2, "what is on its way is not asked for again");
        bed.pass(59);
        bed.tell(desk, Event::SurveyWanted(Span::seconds(60)));
        assert_eq!(asked(&mut bed, desk), 2, "at most once a minute");
        bed.pass(1);
        bed.tell(desk, Event::SurveyWanted(Span::seconds(60)));
        assert_eq!(asked(&mut bed, desk), 3);
    }

    #[test]
    fn a_start_needs_a_survey_of_the_last_minute_and_a_rollback_does_not() {
        let mut bed = Bed::new();
        let desk = bed.open_desk("dana");
        bed.run();
        bed.pass(61);
        bed.tell(desk, Event::Command { command: start(), mark: None });
        let said = bed.view(desk).running.map(|row| row.outcome);
        let Some(RunningState::Refused { why }) = said else { panic!("{said:?}") };
        assert_eq!(why.iter().map(|r| r.rule.as_str()).collect::<Vec<_>>(), [STALE]);
        assert_eq!(
            why[0].text,
            "Gateways and policies were last looked at 1m01s ago: they are looked at again, which takes a moment"
        );
        bed.order(desk, start());
        bed.until(desk, "Ready");
        bed.pass(120);
        bed.order(desk, Command::Rollback { reason: "r".into() });
        bed.until(desk, "RolledBack");
    }

    #[test]
    fn a_survey_of_other_gateways_is_none() {
        let route = |name: &str| json!({ "spec": { "parentRefs": [{ "name": name }, { "name": name, "port": 80 }] } });
        let (web, other) = (request_of(&route("web"), "shop"), request_of(&route("other"), "shop"));
        assert_eq!(web.gateways, [ObjectName { namespace: "shop".into(), name: "web".into() }]);
        let of = |request: &SurveyRequest| Survey {
            gateways: vec![GatewaySurvey { name: request.gateways[0].clone(), ..GatewaySurvey::default() }],
            ..Survey::default()
        };
        let mut surveys = Surveys::default();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        surveys.take(now, of(&web));
        assert!(surveys.of(&web).is_some() && surveys.of(&other).is_none());
        assert_eq!((surveys.age(&web, now), surveys.age(&other, now)), (Some(Span::seconds(0)), None));
    }
}
