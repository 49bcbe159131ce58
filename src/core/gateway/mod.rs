//! What preflight finds in the survey: Gateways, how they build clusters, and policies.

mod policies;
mod shape;

use super::State;
use super::survey::{self, Answer, GatewaySurvey, STALE, Survey};
use crate::api::{Provider, UNKNOWN, provider};
use crate::model::{Finding, Plan, ResourceKind, Span};
use crate::routing::{Acceptance, acceptance, controllers_of, rules_named, untimed_rules};
use serde_json::Value;

/// Judges what the newest survey says about a start under this plan.
pub fn findings(state: &State, plan: &Plan) -> Vec<Finding> {
    let namespace = state.setup.namespace.as_str();
    // Without the base route there is nothing to look at; that it is missing is a finding of the routes.
    let Some(base) = state.world.get(ResourceKind::HTTPRoute, &plan.component.route) else { return Vec::new() };
    let Some(survey) = state.surveys.of(&survey::request_of(base, namespace)) else {
        let what = format!(
            "the Gateways of HTTPRoute {} and the policies on it have not been looked at yet: it takes a moment, then try again",
            plan.component.route
        );
        return vec![Finding::refuse(STALE, what)];
    };
    let place = Place { state, plan, base, namespace };
    let mut findings = place.base();
    for gateway in &survey.gateways {
        findings.extend(place.gateway(gateway));
        findings.extend(shape::findings(&place, gateway));
    }
    findings.extend(place.limits(survey));
    findings.extend(policies::findings(&place, survey));
    findings
}

/// What the findings are about.
struct Place<'a> {
    state: &'a State,
    plan: &'a Plan,
    base: &'a Value,
    namespace: &'a str,
}

impl<'a> Place<'a> {
    /// Judges what the gateways say about the base route, and parents that are none.
    fn base(&self) -> Vec<Finding> {
        let name = &self.plan.component.route;
        let mut findings = Vec::new();
        for parent in self.base["spec"]["parentRefs"].as_array().into_iter().flatten() {
            let kind = parent["kind"].as_str().unwrap_or("Gateway");
            if kind != "Gateway" {
                let of = parent["name"].as_str().unwrap_or_default();
                findings.push(Finding::warn(
                    "route.other-parent",
                    format!(
                        "HTTPRoute {name} is attached to {kind} {of} as well: how requests that come in there follow a shift cannot be checked"
                    ),
                ));
            }
        }
        match acceptance(self.base, None, self.state.surveys.controllers()) {
            Acceptance::Accepted => {}
            Acceptance::Pending(why) => findings.push(Finding::refuse(
                "route.not-accepted",
                format!(
                    "HTTPRoute {name} is not in force: {why}; start when it is, or look at the gateway's controller"
                ),
            )),
            Acceptance::Bad(why) => findings.extend(why.iter().map(|why| {
                let what = format!("HTTPRoute {name} is not in force as it stands: {why}; mend it first");
                Finding::refuse("route.not-accepted", what)
            })),
        }
        findings
    }

    /// Judges a Gateway and its class.
    fn gateway(&self, survey: &GatewaySurvey) -> Vec<Finding> {
        let (name, route) = (self.named(survey), &self.plan.component.route);
        let gateway = match &survey.gateway {
            Answer::Value(gateway) => gateway,
            Answer::Missing | Answer::NotServed => {
                let what = format!(
                    "Gateway {name}, which HTTPRoute {route} names as its parent, does not exist: create it, or remove it from spec.parentRefs"
                );
                return vec![Finding::refuse("gateway.missing", what)];
            }
            Answer::Forbidden(_) => {
                let what = format!(
                    "Gateway {name} is not checked: your role may not read it; the optional ClusterRole of pilothouse manifests allows it"
                );
                return vec![Finding::note("gateway.not-checked", what)];
            }
            Answer::Failed(why) => {
                let what = format!("Gateway {name} cannot be read now ({why}): try again");
                return vec![Finding::refuse("gateway.unread", what)];
            }
            Answer::NotAsked => return Vec::new(),
        };
        let mut findings = Vec::new();
        let said = |condition: &Condition| format!("{} ({})", condition.status, condition.because);
        if let Some(accepted) = condition(gateway, "Accepted").filter(|c| c.status == "False") {
            let what = format!("Gateway {name} is not accepted by its controller: {}; mend it first", said(&accepted));
            findings.push(Finding::refuse("gateway.not-accepted", what));
        }
        match condition(gateway, "Programmed") {
            Some(programmed) if programmed.status == "True" => {}
            // Without an address of its own a Gateway may well serve, behind an address that somebody else gives it.
            Some(programmed) if programmed.status == "False" && !programmed.because.starts_with("Address") => {
                let what = format!(
                    "Gateway {name} is not programmed: {}; what a release writes would not reach its proxies: mend it first",
                    said(&programmed)
                );
                findings.push(Finding::refuse("gateway.not-programmed", what));
            }
            found => {
                let why = found.map_or_else(|| "its controller has not said".to_owned(), |c| said(&c));
                let what = format!(
                    "whether Gateway {name} is programmed is not known: {why}; a shift is verified by requests"
                );
                findings.push(Finding::warn("gateway.not-programmed", what));
            }
        }
        findings.extend(self.class(&name, gateway, &survey.class));
        findings
    }

    fn class(&self, gateway: &str, object: &Value, class: &Answer<Value>) -> Option<Finding> {
        let name = object["spec"]["gatewayClassName"].as_str().unwrap_or_default();
        let note = |what: String| Some(Finding::note("gateway.class", what));
        match class {
            Answer::Value(class) => {
                let accepted = condition(class, "Accepted");
                if accepted.as_ref().is_some_and(|c| c.status == "True") {
                    return None;
                }
                let why = accepted
                    .map_or_else(|| "it has no such condition".to_owned(), |c| format!("{} ({})", c.status, c.because));
                note(format!(
                    "GatewayClass {name} is not Accepted: {why}; some controllers never say so, the Gateway's own conditions count"
                ))
            }
            Answer::Missing | Answer::NotServed => Some(Finding::warn(
                "gateway.class",
                format!(
                    "GatewayClass {name}, which Gateway {gateway} names, does not exist: nobody may be responsible for it; look at its controller"
                ),
            )),
            Answer::Forbidden(_) => note(format!(
                "GatewayClass {name} is not checked: your role may not read it; the optional ClusterRole of pilothouse manifests allows it"
            )),
            Answer::Failed(why) => note(format!("GatewayClass {name} is not checked: it cannot be read now ({why})")),
            Answer::NotAsked => None,
        }
    }

    /// Says which limits the gateways put on requests that the base route leaves without one.
    fn limits(&self, survey: &Survey) -> Vec<Finding> {
        let route = &self.plan.component.route;
        let mut lines: Vec<&Provider> = Vec::new();
        for line in survey.gateways.iter().flat_map(|gateway| self.lines(gateway)) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let mut findings = Vec::new();
        let untimed = untimed_rules(self.base);
        let cut = |line: &&Provider| -> Option<String> {
            let limit = |limit: Span| format!("{} cuts such requests after {limit}", line.name);
            if line.is_unknown() {
                return Some("the gateway's own limit then holds, often 15s".to_owned());
            }
            line.request_limit.map(limit)
        };
        let cuts: Vec<String> = lines.iter().filter_map(cut).collect();
        if !untimed.is_empty() && !cuts.is_empty() {
            let rules = rules_named(&untimed);
            let what = format!(
                "HTTPRoute {route} sets no timeouts.request in {rules}: {}; set it, 0s for no limit",
                cuts.join(", ")
            );
            findings.push(Finding::warn("route.no-timeouts", what));
        }
        for line in lines {
            let Some(limit) = line.idle_limit else { continue };
            let what = format!(
                "{} ends requests and sockets on which nothing moves for {limit}, whatever timeouts say: such a cut is the gateway's, not the release's",
                line.name
            );
            findings.push(Finding::note("gateway.idle-limit", what));
        }
        findings
    }

    /// Returns what is known about the controllers of a Gateway: by its class, else by who answers for the base route.
    fn lines(&self, survey: &GatewaySurvey) -> Vec<&'static Provider> {
        if let Some(controller) = survey.class.value().and_then(|class| class["spec"]["controllerName"].as_str()) {
            return vec![provider(controller)];
        }
        let mut alone = self.base.clone();
        let is_this = |parent: &Value| {
            parent["name"] == survey.name.name.as_str()
                && parent["namespace"].as_str().unwrap_or(self.namespace) == survey.name.namespace
        };
        if let Some(parents) = alone["spec"]["parentRefs"].as_array_mut() {
            parents.retain(is_this);
        }
        let found = controllers_of(&alone, self.state.surveys.controllers());
        if found.is_empty() { vec![&UNKNOWN] } else { found.iter().map(|name| provider(name)).collect() }
    }

    /// Names a Gateway; with its namespace where that is not ours.
    fn named(&self, survey: &GatewaySurvey) -> String {
        let name = &survey.name;
        if name.namespace == self.namespace { name.name.clone() } else { format!("{}/{}", name.namespace, name.name) }
    }
}

/// A condition of an object about its present generation.
struct Condition {
    status: String,
    /// Reason and message.
    because: String,
}

fn condition(object: &Value, kind: &str) -> Option<Condition> {
    let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
    let found = object["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == kind)?;
    if found["observedGeneration"].as_i64().is_some_and(|seen| seen < generation) {
        return None;
    }
    let text = |key: &str| found[key].as_str().filter(|text| !text.is_empty());
    let because: Vec<&str> = [text("reason"), text("message")].into_iter().flatten().collect();
    Some(Condition { status: text("status").unwrap_or("Unknown").to_owned(), because: because.join(": ") })
}

#[cfg(test)]
mod tests;
