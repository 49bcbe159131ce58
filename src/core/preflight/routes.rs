//! What routes say against a start: the base and its neighbours, the shape of the managed ones, and time limits.

use super::{Looked, seconds};
use crate::model::{Finding, Membership, ResourceKind, name_of};
use crate::routing::{Install, check, examine, rule_limits, some_of};
use serde_json::Value;

/// Stands for the digits that are drawn at the start: the shape of the routes does not depend on them.
const PLACEHOLDER: &str = "0000000000000000";

/// Checks the base route and its neighbours.
pub fn findings(looked: &Looked<'_>) -> Vec<Finding> {
    check(looked.base, &others(looked), &looked.plan.component, &looked.plan.header)
}

/// Checks the managed routes that a start would make.
pub fn layout(looked: &Looked<'_>, membership: &Membership) -> Vec<Finding> {
    let (Some(base), Some(old)) = (looked.base, looked.active) else { return Vec::new() };
    examine(&Install {
        base,
        others: others(looked),
        component: &looked.plan.component,
        header: &looked.plan.header,
        old,
        waves: &membership.waves,
        release: &looked.plan.name,
        uid: "00000000",
        placeholder: PLACEHOLDER,
    })
}

/// Compares the time limits of the slot rules with the longest open transaction that metrics have shown.
///
/// `unsaid` is when the gateways cut a request of a rule that says nothing; `None` = never, or not known.
pub fn limits(looked: &Looked<'_>, unsaid: Option<crate::model::Span>) -> Vec<Finding> {
    let (Some(base), Some(longest)) = (looked.base, looked.longest()) else { return Vec::new() };
    let cuts = |limit: crate::model::Span| !limit.0.is_zero() && limit.as_secs_f64() < longest;
    let name = name_of(base);
    rule_limits(base, &looked.plan.component)
        .into_iter()
        .filter_map(|rule| {
            let said = match (rule.limit, unsaid) {
                (Some(limit), _) if cuts(limit) => format!("cuts requests after {limit} (timeouts)"),
                (None, Some(limit)) if cuts(limit) => {
                    format!("sets no timeouts.request, and the gateway cuts such requests after {limit}")
                }
                _ => return None,
            };
            Some(Finding::warn(
                "route.timeout-short",
                format!(
                    "rule {} of HTTPRoute {name} {said}, and a transaction has been open for {}: if that is no WebSocket, its kind is cut there today and stays so; raise timeouts.request, 0s for no limit",
                    rule.number,
                    seconds(longest)
                ),
            ))
        })
        .collect()
}

/// Warns of tools that keep the product's objects as they are in a repository: they would undo what a release writes.
pub fn keepers(looked: &Looked<'_>) -> Vec<Finding> {
    let mut kept: Vec<(String, &str)> = Vec::new();
    let deployments = crate::model::Slot::ALL.into_iter().filter_map(|slot| looked.deployment(slot));
    let named = looked.base.map(|base| (ResourceKind::HTTPRoute, base)).into_iter();
    for (kind, object) in named.chain(deployments.map(|object| (ResourceKind::Deployment, object))) {
        if let Some(keeper) = keeper(object) {
            kept.push((format!("{} {}", kind.name(), name_of(object)), keeper));
        }
    }
    let Some((_, keeper)) = kept.first() else { return Vec::new() };
    let names: Vec<String> = kept.iter().map(|(name, _)| name.clone()).collect();
    vec![Finding::warn(
        "gitops.keeper",
        format!(
            "{keeper} keeps {} as in its repository: unless it ignores weights, replicas, images and the annotations of pilothouse.dev there, it takes a shift back; pilothouse init prints what to ignore (70-gitops.md)",
            some_of(&names)
        ),
    )]
}

/// Names the tool that tracks an object, by the marks these tools document.
fn keeper(object: &Value) -> Option<&'static str> {
    let marked = |place: &str, key: &str| object["metadata"][place].get(key).is_some();
    if marked("annotations", "argocd.argoproj.io/tracking-id") || marked("labels", "argocd.argoproj.io/instance") {
        return Some("Argo CD");
    }
    let flux = ["kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"];
    flux.iter().any(|key| marked("labels", key)).then_some("Flux")
}

fn others<'a>(looked: &Looked<'a>) -> Vec<&'a Value> {
    let route = &looked.plan.component.route;
    looked.world.all(ResourceKind::HTTPRoute).filter(|object| name_of(object) != route).collect()
}
