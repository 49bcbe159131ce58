//! Policies that customers would lose on a managed route.

use super::Place;
use crate::api::known_policies;
use crate::core::survey::{Answer, PolicySurvey, Survey};
use crate::model::{Finding, name_of, selects};
use crate::routing::{gateways_of, managed_labels};
use serde_json::Value;
use std::collections::BTreeMap;

const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// Finds policies that hold for the base route and not for the managed ones: a way around authentication without a sign.
pub(super) fn findings(place: &Place<'_>, survey: &Survey) -> Vec<Finding> {
    let mut findings: Vec<Finding> = survey.policies.iter().flat_map(|kind| of_kind(place, survey, kind)).collect();
    let mut unread: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for kind in &survey.policies {
        match &kind.objects {
            Answer::Forbidden(_) => unread.entry(&kind.namespace).or_default().push(&kind.kind),
            Answer::Failed(why) => findings.push(Finding::refuse(
                "policy.unread",
                format!(
                    "policies of kind {} in namespace {} cannot be listed now ({why}): try again",
                    kind.kind, kind.namespace
                ),
            )),
            _ => {}
        }
    }
    for (namespace, kinds) in unread {
        let what = format!(
            "policies of kind {} in namespace {namespace} are not checked: your role may not list them; customers lose on managed routes what protects HTTPRoute {} by name",
            kinds.join(", "),
            place.plan.component.route
        );
        findings.push(Finding::note("policy.not-checked", what));
    }
    match &survey.definitions {
        Answer::Forbidden(_) => findings.push(Finding::note(
            "policy.not-checked",
            "other kinds of policies are not checked: your role may not list CustomResourceDefinitions",
        )),
        Answer::Failed(why) => findings.push(Finding::refuse(
            "policy.unread",
            format!("CustomResourceDefinitions cannot be searched for policies now ({why}): try again"),
        )),
        _ => {}
    }
    findings
}

fn of_kind(place: &Place<'_>, survey: &Survey, kind: &PolicySurvey) -> Vec<Finding> {
    let Some(policies) = kind.objects.value() else { return Vec::new() };
    let read: Vec<Reach> = policies.iter().map(|policy| Reach::of(place, kind, policy)).collect();
    // Another policy of the kind may cover the managed routes instead.
    let same = survey.policies.iter().filter(|other| other.kind == kind.kind && other.group == kind.group);
    let other = same
        .flat_map(|other| other.objects.value().into_iter().flatten().map(move |policy| (other, policy)))
        .find(|(other, policy)| Reach::of(place, other, policy).managed)
        .map(|(_, policy)| name_of(policy));
    let selects_labels = known_policies()
        .find(|known| known.of.kind == kind.kind && known.of.group == kind.group)
        .is_none_or(|known| known.selects);
    let route = &place.plan.component.route;
    let lost = policies.iter().zip(read).filter(|(_, reach)| reach.base.is_some() && !reach.managed);
    lost.map(|(policy, reach)| {
        let section =
            reach.base.filter(|section| !section.is_empty()).map_or(String::new(), |s| format!("rule {s} of "));
        let protects = format!("{} {} protects {section}route {route} only", kind.kind, name_of(policy));
        if let Some(other) = other {
            let what =
                format!("{protects}; managed routes are protected by {other} instead: see that both say the same");
            return Finding::warn("policy.by-name", what);
        }
        let way = if selects_labels {
            format!("Target it by label pilothouse.dev/base: {route}, or attach it to the Gateway.")
        } else {
            "Attach it to the Gateway.".to_owned()
        };
        Finding::refuse("policy.by-name", format!("{protects}; managed routes would be unprotected. {way}"))
    })
    .collect()
}

/// What a policy holds for.
struct Reach {
    /// The base route; the rule where it is only one, else empty.
    base: Option<String>,
    /// The managed routes, by their labels or through their Gateway.
    managed: bool,
}

impl Reach {
    fn of(place: &Place<'_>, kind: &PolicySurvey, policy: &Value) -> Self {
        let spec = &policy["spec"];
        let route = place.plan.component.route.as_str();
        let many = spec["targetRefs"].as_array().into_iter().flatten();
        let targets: Vec<&Value> = many.chain(spec.get("targetRef")).collect();
        let mut reach = Self { base: None, managed: false };
        for target in targets {
            let namespace = target["namespace"].as_str().unwrap_or(&kind.namespace);
            let is =
                |kind: &str| target["kind"] == kind && target["group"].as_str().unwrap_or(GATEWAY_API) == GATEWAY_API;
            if is("HTTPRoute") && namespace == place.namespace && target["name"] == route {
                reach.base = Some(sections(target).join(", "));
            }
            reach.managed |= is("Gateway") && covers(place, namespace, target);
        }
        let managed = managed_labels(route);
        for selector in spec["targetSelectors"].as_array().into_iter().flatten() {
            let elsewhere = kind.namespace != place.namespace
                && selector["namespaces"]["from"].as_str().unwrap_or("Same") == "Same";
            let is_route =
                selector["kind"] == "HTTPRoute" && selector["group"].as_str().unwrap_or(GATEWAY_API) == GATEWAY_API;
            if elsewhere || !is_route {
                continue;
            }
            if selects(selector, &place.base["metadata"]["labels"]) {
                reach.base.get_or_insert_default();
            }
            reach.managed |= selects(selector, &managed);
        }
        reach
    }
}

/// Tells whether a target is a whole Gateway of the base route, or the listener that it is attached to.
fn covers(place: &Place<'_>, namespace: &str, target: &Value) -> bool {
    let name = target["name"].as_str().unwrap_or_default();
    let is_ours = gateways_of(place.base)
        .iter()
        .all(|(of, gateway)| gateway == name && (if of.is_empty() { place.namespace } else { of }) == namespace);
    let listeners = sections(target);
    let parents = place.base["spec"]["parentRefs"].as_array().into_iter().flatten();
    let attached = |parent: &Value| parent["sectionName"].as_str().is_some_and(|section| listeners.contains(&section));
    is_ours && (listeners.is_empty() || parents.into_iter().all(attached))
}

fn sections(target: &Value) -> Vec<&str> {
    let many = target["sectionNames"].as_array().into_iter().flatten();
    many.chain(target.get("sectionName")).filter_map(Value::as_str).collect()
}
