//! How a gateway builds clusters, and what a shift of weights would cost there.

use super::Place;
use crate::api::{Clusters, Provider, Setting, is_keeper, keeper_route, keeps};
use crate::core::survey::{Answer, GatewaySurvey};
use crate::model::{Finding, ResourceKind, Slot, name_of, selects};
use crate::routing::{Acceptance, acceptance, filtered_backends, gateways_of};
use serde_json::Value;

/// Judges the shape of one Gateway for the slot rules of the base route.
pub(super) fn findings(place: &Place<'_>, survey: &GatewaySurvey) -> Vec<Finding> {
    if matches!(survey.gateway, Answer::Missing | Answer::NotServed) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for line in place.lines(survey) {
        match line.clusters {
            Clusters::PerService => {}
            Clusters::PerRule { merged_by } => {
                findings.extend(filters(place, line));
                findings.extend(merged(place, survey, line, merged_by));
            }
            Clusters::Unknown => {
                findings.extend(filters(place, line));
                findings.push(unknown(place, survey, line));
            }
        }
    }
    findings
}

/// Filters on backends make such a gateway build a cluster for each backend, which each shift removes or creates.
fn filters(place: &Place<'_>, line: &Provider) -> Vec<Finding> {
    let route = &place.plan.component.route;
    let what = if line.is_unknown() {
        "some gateways then answer 500 at each shift of weights, and this one's controller is not known".to_owned()
    } else {
        format!("{} then answers 500 for a moment at each shift of weights", line.name)
    };
    let refusal = |(number, backends): (usize, Vec<String>)| {
        let text = format!(
            "rule {number} of HTTPRoute {route} has filters on its backends {}: {what}; move them to the rule's own filters",
            backends.join(", ")
        );
        Finding::refuse("route.backend-filters", text)
    };
    filtered_backends(place.base, &place.plan.component).into_iter().map(refusal).collect()
}

/// Merged backends have a cluster only while some route gives the Service weight; a keeper route always does.
fn merged(place: &Place<'_>, survey: &GatewaySurvey, line: &Provider, setting: Setting) -> Option<Finding> {
    let name = place.named(survey);
    if survey
        .parameters
        .iter()
        .any(|parameters| parameters.object.value().is_some_and(|object| merges(place, object, setting)))
    {
        return unkept(place, survey, &name, line, setting);
    }
    let read = |kind: &str, name: &str, answer: &Answer<Value>| match answer {
        Answer::Value(_) => None,
        Answer::Missing | Answer::NotServed => Some(format!("{kind} {name} does not exist")),
        Answer::Forbidden(_) => Some(format!("your role may not read {kind} {name}")),
        other => Some(format!("{kind} {name} cannot be read now ({})", other.unknown().unwrap_or_default())),
    };
    let class = match &survey.gateway {
        Answer::Value(gateway) => gateway["spec"]["gatewayClassName"].as_str().unwrap_or_default(),
        _ => "",
    };
    let unread = if survey.gateway.value().is_none() {
        read("Gateway", &name, &survey.gateway)
    } else {
        let of_class = read("GatewayClass", class, &survey.class);
        let parameters = || survey.parameters.iter().find_map(|p| read(&p.kind, &p.name.name, &p.object));
        of_class.or_else(parameters)
    }?;
    let what = format!(
        "whether Gateway {name} merges backends is not known: {unread}; if it does, each shift fails some requests unless a keeper route exists"
    );
    Some(Finding::warn("gateway.shape", what))
}

/// Refuses merged backends unless a keeper route in force keeps both clusters alive.
fn unkept(
    place: &Place<'_>,
    survey: &GatewaySurvey,
    gateway: &str,
    line: &Provider,
    setting: Setting,
) -> Option<Finding> {
    let services = services(place);
    let is_attached = |route: &Value| {
        gateways_of(route).iter().any(|(namespace, name)| {
            let namespace = if namespace.is_empty() { place.namespace } else { namespace };
            namespace == survey.name.namespace && *name == survey.name.name
        })
    };
    let mut why = "no keeper route keeps both alive".to_owned();
    for route in place.state.world.all(ResourceKind::HTTPRoute).filter(|route| is_keeper(route) && is_attached(route)) {
        if !keeps(route, place.base, services) {
            why = format!("its keeper route {} does not give both Services weight at every port", name_of(route));
            continue;
        }
        match acceptance(route, None, place.state.surveys.controllers()) {
            Acceptance::Accepted => return None,
            Acceptance::Pending(pending) => {
                why = format!("its keeper route {} is not in force: {pending}", name_of(route))
            }
            Acceptance::Bad(bad) => {
                why = format!("its keeper route {} is not in force: {}", name_of(route), bad.join("; "));
            }
        }
    }
    let recipe = keeper_route(place.base, services);
    let what = format!(
        "Gateway {gateway} merges backends ({} of {}): a cluster then exists only while its Service has weight, each shift fails some requests, and {why}; create one: kubectl apply -f - <<< '{recipe}'",
        setting.field.trim_start_matches('/').replace('/', "."),
        line.name,
    );
    Some(Finding::refuse("gateway.merged", what))
}

/// Tells whether a parameters object merges a Service of ours.
fn merges(place: &Place<'_>, object: &Value, setting: Setting) -> bool {
    if object.pointer(setting.field).is_none_or(Value::is_null) {
        return false;
    }
    let Some(selector) = object.pointer(setting.selector).filter(|selector| selector.is_object()) else { return true };
    services(place).iter().any(|service| {
        let service = place.state.world.get(ResourceKind::Service, service);
        service.is_none_or(|service| selects(selector, &service["metadata"]["labels"]))
    })
}

fn services<'a>(place: &Place<'a>) -> [&'a str; 2] {
    Slot::ALL.map(|slot| place.plan.component.pair(slot).service.as_str())
}

fn unknown(place: &Place<'_>, survey: &GatewaySurvey, line: &Provider) -> Finding {
    let name = place.named(survey);
    if !line.is_unknown() {
        let what = format!(
            "what a shift costs on {} has not been measured: look at the errors of its first seconds; it settles for {}",
            line.name, line.settle
        );
        return Finding::note("gateway.shape", what);
    }
    let class = survey.class.value().and_then(|class| class["spec"]["controllerName"].as_str());
    let controller = class.unwrap_or("not to be found out");
    let what = format!(
        "the controller of Gateway {name} ({controller}) is not known here, nor what a shift costs there: look at the errors of its first seconds; without spec.settle it settles for {}",
        line.settle
    );
    Finding::warn("gateway.unknown", what)
}
