//! The walk itself: from the API server to the metrics, by what a console that only looks sees.

use super::adoption::{Facts, next};
use super::surroundings::{Around, lines as surroundings};
use super::{Area, Line, Report, State, access, crds};
use crate::cluster::{self, Login, Probe, ReadClient, ReviewClient, probe};
use crate::core::{Answer, Event, Found, LOG_IN, Read, Setup, Tone, View, lease_name, needed};
use crate::model::{Level, ResourceKind, ResourceRef, Span, counted};
use crate::runtime::{Clock, Engine, Links};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// How long each of the two looks may take: at the API server, and by the console.
const PATIENCE: Duration = Duration::from_secs(12);
/// How old the survey may be.
const SURVEY: Span = Span::seconds(30);
/// A clock that is off by more than this is worth a look, in seconds; the server's answer is rounded to one.
const CLOCK: i64 = 3;

/// A cluster to be looked at, by clients that cannot change it.
pub struct Patient {
    /// The API server's address.
    pub server: String,
    /// What a console that only looks is opened with.
    pub setup: Setup,
    /// Its links.
    pub links: Arc<dyn Links>,
    /// The client that only reads.
    pub read: ReadClient,
    /// The client that only asks what one may do.
    pub reviews: ReviewClient,
    /// How the kubeconfig logs in; `None` where there is none to look at.
    pub login: Option<Login>,
    /// The console's clock.
    pub clock: Clock,
}

/// Why there is no cluster to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoCluster {
    /// What was named, such as a context, is not there or cannot be used.
    Wrong(String),
    /// It could not be learned which one.
    Unknown(String),
}

/// Looks at everything; without a cluster, `Err` says why there is none.
pub async fn examine(around: &Around, patient: Result<Patient, NoCluster>, stop: &CancellationToken) -> Report {
    let mut lines = surroundings(around);
    let without = |mut lines: Vec<Line>, line: Line| {
        lines.push(line);
        let lines = sorted(lines);
        let step = next(&Facts { lines: &lines, ..Facts::default() });
        Report { lines, next: step }
    };
    let patient = match patient {
        Ok(patient) => patient,
        Err(NoCluster::Wrong(why)) => {
            return without(lines, Line::new(Area::Cluster, "cluster.wrong", State::Refused, why));
        }
        Err(NoCluster::Unknown(why)) => {
            return without(lines, Line::new(Area::Cluster, "cluster.none", State::Unknown, why));
        }
    };
    let found = probe(&patient.read, PATIENCE).await;
    lines.extend(server(&patient, &found));
    if let Some(line) = silent(&patient, &found) {
        return without(lines, line);
    }
    lines.extend(kinds(&found));
    let read = |kind: ResourceKind| {
        let client = patient.read.clone();
        async move {
            let read = Read::List { kind, selector: String::new() };
            match cluster::read(&client, &read, Span(PATIENCE)).await {
                Ok(Found::Many(objects)) => objects,
                _ => Vec::new(),
            }
        }
    };
    let (deployments, routes, plans) =
        tokio::join!(read(ResourceKind::Deployment), read(ResourceKind::HTTPRoute), read(ResourceKind::RolloutPlan));
    // Without its kinds a console would only wait for them.
    let view = match found.ours.value() {
        Some(_) => Some(look(&patient, stop, &mut lines).await),
        None => None,
    };
    let lines = sorted(lines);
    let facts = Facts {
        ours: Some(&found.ours),
        view: view.as_ref(),
        plans: &plans,
        deployments: &deployments,
        routes: &routes,
        lines: &lines,
    };
    let step = next(&facts);
    Report { lines, next: step }
}

/// Sorts the lines into the order of the walk, the gravest of an area first.
pub(super) fn sorted(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort_by(|a, b| a.area.cmp(&b.area).then_with(|| b.state.cmp(&a.state)));
    lines
}

/// Says why nothing more can be asked: the server does not answer, or lets us in nowhere.
fn silent(patient: &Patient, found: &Probe) -> Option<Line> {
    let server = &patient.server;
    let line = |check: &str, text: String| Some(Line::new(Area::Cluster, check, State::Unknown, text));
    match (&found.version, &found.ours) {
        // Everybody who is logged in may ask which kinds are served, so this is more than one right that is missing.
        (Answer::Forbidden(why), Answer::Forbidden(_)) => {
            let check = if why.ends_with(LOG_IN) { "cluster.logged-out" } else { "cluster.forbidden" };
            line(check, format!("the API server {server} answers, and does not let us in ({why})"))
        }
        (Answer::Forbidden(_), _) => None,
        (version, _) => {
            let why = version.unknown()?;
            line("cluster.silent", format!("the API server {server} does not answer ({why})"))
        }
    }
}

fn server(patient: &Patient, found: &Probe) -> Vec<Line> {
    let setup = &patient.setup;
    let mut lines = vec![Line::new(
        Area::Cluster,
        "cluster.context",
        State::Ok,
        format!("context {}, namespace {}", setup.cluster, setup.namespace),
    )];
    if let Some(version) = found.version.value() {
        let text = format!(
            "{} answers in {} ms (median of three; {} ms with connection and login), Kubernetes {version}",
            patient.server,
            found.took.as_millis(),
            found.first.as_millis()
        );
        lines.push(Line::new(Area::Cluster, "cluster.server", State::Ok, text));
    } else if let Answer::Forbidden(why) = &found.version {
        let text = format!("{} answers; its version may not be asked ({why})", patient.server);
        lines.push(Line::new(Area::Cluster, "cluster.server", State::Note, text));
    }
    lines.extend(patient.login.as_ref().map(|login| access::login(login, (patient.clock)())));
    lines
}

/// Looks at the definitions of our kinds, and at the Gateway API's.
fn kinds(found: &Probe) -> Vec<Line> {
    let line = |check: &str, state, text: String| Line::new(Area::Crds, check, state, text);
    let mut lines = Vec::new();
    let is_served =
        |kinds: &Answer<Vec<String>>, kind: &str| kinds.value().is_some_and(|all| all.iter().any(|one| one == kind));
    let absent: Vec<&str> =
        ["rolloutplans", "releases"].into_iter().filter(|kind| !is_served(&found.ours, kind)).collect();
    match (found.ours.unknown(), absent.as_slice()) {
        (Some(why), _) => lines.push(line(
            "crds.unknown",
            State::Unknown,
            format!("whether the custom resources are installed is not known ({why})"),
        )),
        (None, []) => lines.extend(outdated(found)),
        (None, absent) => lines.push(line(
            "crds.missing",
            State::Refused,
            format!(
                "the API server does not know {} of pilothouse.dev/v1alpha1: kubectl apply -f 10-crds-rbac.yaml",
                absent.join(" and ")
            ),
        )),
    }
    if is_served(&found.gateway, "httproutes") {
        let bundle = match &found.bundle {
            Answer::Value(version) => format!("Gateway API {version}"),
            _ => "Gateway API, its release is not readable".to_owned(),
        };
        lines.push(line("crds.gateway-api", State::Ok, bundle));
    } else {
        let (state, why) = match found.gateway.unknown() {
            Some(why) => (State::Unknown, format!("not known ({why})")),
            None => (State::Refused, "missing: install it with the gateway controller".to_owned()),
        };
        lines.push(line("crds.gateway-api", state, format!("HTTPRoute gateway.networking.k8s.io/v1 is {why}")));
    }
    lines
}

fn outdated(found: &Probe) -> Vec<Line> {
    let line = |check: &str, state, text: String| Line::new(Area::Crds, check, state, text);
    let ours = crate::api::crds();
    let mut lines = Vec::new();
    for (plural, installed) in &found.definitions {
        let definition = ours.iter().find(|crd| crd["spec"]["names"]["plural"].as_str() == Some(plural));
        let (Some(definition), Some(installed)) = (definition, installed.value()) else {
            lines.push(line(
                "crds.unread",
                State::Note,
                format!("{plural} are served; whether their definition knows every field is not checked (it may not be read)"),
            ));
            continue;
        };
        let missing = crds::unknown_fields(definition, installed);
        lines.push(if missing.is_empty() {
            line("crds.version", State::Ok, format!("{plural}.pilothouse.dev v1alpha1 knows every field of this program"))
        } else {
            line(
                "crds.outdated",
                State::Refused,
                format!(
                    "the definition of {plural}.pilothouse.dev does not know {}: the API server would drop that without a word; kubectl apply -f 10-crds-rbac.yaml",
                    crds::in_words(&missing)
                ),
            )
        });
    }
    lines
}

/// Opens a console that only looks, waits for its picture, and reads everything from it.
async fn look(patient: &Patient, stop: &CancellationToken, lines: &mut Vec<Line>) -> View {
    let setup = Setup { watch: true, ..patient.setup.clone() };
    let mut engine = Engine::open(setup, patient.clock.clone(), patient.links.clone());
    let end = Instant::now() + PATIENCE;
    engine.survey(SURVEY);
    let mut asked_rights = false;
    let view = loop {
        let view = engine.view();
        if !asked_rights && let Some(plan) = engine.plan() {
            asked_rights = true;
            let rights = patient.reviews.rights(needed(plan)).await;
            engine.give(Event::Rights(rights));
            continue;
        }
        if engine.has_heard_all() && is_complete(&view) {
            break view;
        }
        tokio::select! {
            () = stop.cancelled() => break view,
            step = timeout_at(end, engine.step()) => if step.is_err() { break engine.view() },
        }
    };
    lines.extend(clock(&view, (patient.clock)()));
    if !view.header.plan.is_empty() {
        let read = Read::Get(ResourceRef::new(ResourceKind::Lease, lease_name(&view.header.plan)));
        let found = cluster::read(&patient.read, &read, Span(PATIENCE)).await;
        lines.push(access::driver(&found, view.now.unwrap_or_else(|| (patient.clock)())));
    }
    lines.extend(sources(&view, engine.has_heard_all()));
    lines.extend(notices(&view));
    lines.extend(view.preflight.findings.iter().map(Line::of));
    lines.extend(well(&view, lines));
    lines.extend(queries(&view));
    let user = patient.reviews.user().await;
    lines.extend(rights(&view, user));
    view
}

/// Tells whether there is nothing more to wait for.
fn is_complete(view: &View) -> bool {
    // More samples may mend what the first answers of the metrics source lack.
    let is_pending = |check: &str| check == "survey.stale" || check.starts_with("metrics.");
    let found = &view.preflight.findings;
    // The kinds are read one after the other, and what is found before the last one came may be wrong.
    view.header.stale.is_empty()
        && view.preflight.age == Some(0)
        && !found.iter().any(|finding| finding.level > Level::Note && is_pending(&finding.check))
        || view.preflight.age.is_none() && !view.header.release.is_empty()
        || view.preflight.age.is_some()
            && found.iter().any(|finding| finding.check.starts_with("plan.") && finding.level == Level::Refuse)
}

fn clock(view: &View, now: crate::model::Timestamp) -> Option<Line> {
    let ahead = view.now?.as_second() - now.as_second();
    let text = match ahead {
        0 => {
            return Some(Line::new(
                Area::Cluster,
                "cluster.clock",
                State::Ok,
                "this machine's clock is the API server's",
            ));
        }
        ahead if ahead > 0 => format!("this machine's clock is {ahead} s behind the API server's"),
        ahead => format!("this machine's clock is {} s ahead of the API server's", -ahead),
    };
    let state = if ahead.abs() > CLOCK { State::Warn } else { State::Ok };
    let hint =
        if state == State::Warn { ": ages are corrected by it, logs are not; look at its time service" } else { "" };
    Some(Line::new(Area::Cluster, "cluster.clock", state, format!("{text}{hint}")))
}

/// Says what the console could not read.
fn sources(view: &View, has_heard_all: bool) -> Vec<Line> {
    let mut lines: Vec<Line> = view
        .header
        .stale
        .iter()
        .map(|why| Line::new(Area::Cluster, "cluster.unread", State::Unknown, why.clone()))
        .collect();
    if !has_heard_all && lines.is_empty() {
        let text = format!("not every source has answered within {}", Span(PATIENCE));
        lines.push(Line::new(Area::Cluster, "cluster.slow", State::Unknown, text));
    }
    if view.preflight.age.is_none() && !view.header.release.is_empty() {
        lines.push(Line::new(
            Area::Plan,
            "plan.under-way",
            State::Note,
            format!(
                "release {} is under way in phase {}: what speaks against another start is not judged now",
                view.header.release, view.header.phase
            ),
        ));
    }
    lines
}

/// Says what somebody has changed beside the release under way.
fn notices(view: &View) -> Vec<Line> {
    let notices = view.notices.iter().filter(|notice| notice.tone == Some(Tone::Warn));
    notices.map(|notice| Line::new(Area::Plan, "plan.notice", State::Warn, notice.text.clone())).collect()
}

/// Says of each area without anything graver than a note that it is well.
fn well(view: &View, lines: &[Line]) -> Vec<Line> {
    if view.preflight.age.is_none() {
        return Vec::new();
    }
    let header = &view.header;
    let has_plan = !header.plan.is_empty()
        && !lines.iter().any(|line| line.check.starts_with("plan.") && line.state == State::Refused);
    let mut said = Vec::new();
    let mut say = |area: Area, check: &str, text: String| {
        if has_plan && !lines.iter().any(|line| line.area == area && line.state > State::Note) {
            said.push(Line::new(area, check, State::Ok, text));
        }
    };
    let listed: usize = view.rings.iter().filter(|ring| !ring.unlisted).map(|ring| ring.of).sum();
    let rings = view.rings.iter().filter(|ring| !ring.unlisted).count();
    say(
        Area::Plan,
        "plan.read",
        format!(
            "RolloutPlan {} ({}): {} in {}",
            header.plan,
            header.environment,
            counted(listed, "customer"),
            counted(rings, "ring")
        ),
    );
    say(Area::Slots, "slot.well", format!("version {} serves, the other slot is free", header.old_version));
    say(Area::Routes, "route.well", "the base route and its neighbours leave room for the managed routes".into());
    if view.preflight.survey_age.is_some() {
        say(
            Area::Gateway,
            "gateway.well",
            "Gateways and policies were looked at and nothing speaks against a start".into(),
        );
    }
    said
}

/// Says what each query of the metrics source brought.
fn queries(view: &View) -> Vec<Line> {
    let line = |row: &crate::core::QueryRow| {
        let (state, said) = match (&row.missing, row.age) {
            (Some(why), _) => (State::Note, why.clone()),
            (None, Some(age)) => (State::Ok, format!("{} series, the newest sample is {age} s old", row.series)),
            (None, None) => (State::Ok, format!("{} series", row.series)),
        };
        Line::new(Area::Metrics, "metrics.query", state, format!("{}: {said}", row.metric))
    };
    view.preflight.queries.iter().map(line).collect()
}

fn rights(view: &View, user: Option<String>) -> Vec<Line> {
    let asked = &view.preflight.rights;
    let user = user.map_or_else(String::new, |user| format!(" as {user}"));
    if asked.is_empty() {
        let text = format!("what you may do{user} was not asked: there is no plan that says what a release writes");
        return vec![Line::new(Area::Rights, "rights.unasked", State::Note, text)];
    }
    let allowed = asked.iter().filter(|(_, allowed)| *allowed == Some(true)).count();
    let state = if allowed == asked.len() { State::Ok } else { State::Note };
    let text = format!("you may do {allowed} of the {} writes of a release{user}", asked.len());
    vec![Line::new(Area::Rights, "rights.asked", state, text)]
}
