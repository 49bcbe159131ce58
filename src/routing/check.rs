//! What preflight finds in the routes: everything that refuses a release, and what people should know.

use super::backend::{
    SlotRefs, active_slot, backend_name, backend_refs, backends, indexes_of, list, rules_of, slot_refs, weight,
};
use super::marks::base_of;
use super::matching::{Match, matches_of};
use super::rivals::{captures, left_over, not_governed, regex_matches, some_of, undecided};
use super::shape::shape;
use crate::model::{Component, Finding, Slot, name_of};
use serde_json::Value;

/// The longest label value; managed routes carry the base's name as one.
const MAX_LABEL: usize = 63;

/// Checks the base route and its neighbours before a release; all findings at once.
///
/// `others` are all other HTTPRoutes that can be seen, without those of a release that is under way.
pub fn check(base: Option<&Value>, others: &[&Value], component: &Component, header: &str) -> Vec<Finding> {
    let Some(base) = base else {
        return vec![Finding::refuse(
            "route.missing",
            format!(
                "there is no HTTPRoute {}: create it, or name another one in the plan's component {}",
                component.route, component.name
            ),
        )];
    };
    let mut findings = base_findings(base, component, header);
    findings.extend(shape(base, component).err().unwrap_or_default());
    // Without slot rules base_findings has said more about the reason.
    findings.extend(active_slot(base, component).err().filter(|f| f.check != "route.no-slot-rule"));
    findings.extend(neighbour_findings(base, others, component, header));
    findings
}

/// Checks the base route alone; its weights are not looked at.
pub(super) fn base_findings(base: &Value, component: &Component, header: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = name_of(base);
    if name.len() > MAX_LABEL {
        findings.push(Finding::refuse(
            "route.name-too-long",
            format!("the name of HTTPRoute {name} has {} characters; managed routes carry it as a label, which may have {MAX_LABEL}: rename it", name.len()),
        ));
    }
    if list(&base["spec"]["parentRefs"]).is_empty() {
        findings.push(Finding::refuse(
            "route.no-parent",
            format!("HTTPRoute {name} names no Gateway, so nothing serves it: set spec.parentRefs"),
        ));
    }
    findings.extend(slot_findings(base, component));
    findings.extend(match_findings(base, header));
    let untimed: Vec<String> = numbered(base)
        .filter(|(_, rule)| !backend_refs(rule).is_empty() && rule["timeouts"]["request"].is_null())
        .map(|(number, _)| number.to_string())
        .collect();
    if !untimed.is_empty() {
        findings.push(Finding::warn(
            "route.no-timeouts",
            format!(
                "rules {} of HTTPRoute {name} set no timeouts.request: Envoy-based gateways cut such requests after 15 s, some also silent requests and idle sockets after 300 s; set it, 0s for no limit",
                untimed.join(", ")
            ),
        ));
    }
    findings
}

/// Checks what other routes of the same host and listener mean for a release.
pub(super) fn neighbour_findings(base: &Value, others: &[&Value], component: &Component, header: &str) -> Vec<Finding> {
    let mut findings = left_over(base, others);
    findings.extend(captures(base, others, header));
    for other in others.iter().filter(|other| base_of(other).is_none()) {
        if undecided(base, other) {
            findings.push(Finding::warn(
                "route.regex",
                format!(
                    "HTTPRoute {} on the same host matches by regular expression ({}); whether it or {} takes a request depends on the gateway: try it before the release",
                    name_of(other),
                    some_of(&regex_matches(other, header)),
                    name_of(base)
                ),
            ));
        }
        let uses: Vec<&str> = Slot::ALL
            .into_iter()
            .map(|slot| component.pair(slot).service.as_str())
            .filter(|service| rules_of(other).iter().any(|rule| !indexes_of(other, rule, service).is_empty()))
            .collect();
        if !uses.is_empty() {
            findings.push(Finding::warn(
                "route.other-user",
                format!(
                    "HTTPRoute {} also sends to {}; a release does not move these requests, and they fail when that slot is scaled down: make them rules of {}",
                    name_of(other),
                    uses.join(" and "),
                    name_of(base)
                ),
            ));
        }
    }
    findings.extend(not_governed(base, others, header));
    findings
}

/// Checks that every rule which names a slot names both, alone, and without filters of their own.
fn slot_findings(base: &Value, component: &Component) -> Vec<Finding> {
    let (name, a, b) = (name_of(base), &component.a.service, &component.b.service);
    let mut findings = Vec::new();
    let mut slot_rules = 0;
    let mut named = 0;
    for (number, rule) in numbered(base) {
        match slot_refs(base, rule, component) {
            SlotRefs::Neither => continue,
            SlotRefs::Half(slot) => findings.push(Finding::refuse(
                "route.half-slot",
                format!(
                    "rule {number} of HTTPRoute {name} sends to {} and not to {}; it would never move, and fail when {} is scaled down: add the missing backendRef with weight 0",
                    component.pair(slot).service,
                    component.pair(slot.other()).service,
                    component.pair(slot).service
                ),
            )),
            SlotRefs::Twice(slot) => findings.push(Finding::refuse(
                "route.slot-twice",
                format!(
                    "rule {number} of HTTPRoute {name} names {} more than once, so its weight is not clear: keep one",
                    component.pair(slot).service
                ),
            )),
            SlotRefs::Both { .. } => {
                slot_rules += 1;
                findings.extend(backend_findings(name, number, rule, component));
            }
        }
        named += 1;
    }
    if slot_rules == 0 && named == 0 {
        findings.push(Finding::refuse(
            "route.no-slot-rule",
            format!("no rule of HTTPRoute {name} holds {a} and {b} as backends: add both, {b} with weight 0 at first"),
        ));
    }
    findings
}

/// Checks the backends of a slot rule.
fn backend_findings(name: &str, number: usize, rule: &Value, component: &Component) -> Vec<Finding> {
    let mut findings = Vec::new();
    let ours = [&component.a.service, &component.b.service];
    let others: Vec<String> = backends(rule)
        .into_iter()
        .filter(|(to, weight)| !ours.contains(&to) && *weight > 0)
        .map(|(to, _)| to)
        .collect();
    if !others.is_empty() {
        findings.push(Finding::refuse(
            "route.other-backend",
            format!(
                "rule {number} of HTTPRoute {name} also sends a share to {}; a customer would be on two versions: set its weight to 0 or remove it",
                others.join(", ")
            ),
        ));
    }
    let filtered: Vec<String> =
        backend_refs(rule).iter().filter(|b| !list(&b["filters"]).is_empty()).map(backend_name).collect();
    if !filtered.is_empty() {
        findings.push(Finding::refuse(
            "route.backend-filters",
            format!(
                "rule {number} of HTTPRoute {name} has filters on its backends {}; some gateways then answer 500 at each shift of weights: move them to the rule's own filters",
                filtered.join(", ")
            ),
        ));
    }
    let unported: Vec<String> =
        backend_refs(rule).iter().filter(|b| b["port"].is_null() && weight(b) <= 100).map(backend_name).collect();
    if !unported.is_empty() {
        findings.push(Finding::refuse(
            "route.no-port",
            format!("rule {number} of HTTPRoute {name} names no port for {}: set it", unported.join(", ")),
        ));
    }
    findings
}

/// Checks the base's matches: nobody else's use of the customer header, no two equal ones, no regular expressions.
fn match_findings(base: &Value, header: &str) -> Vec<Finding> {
    let name = name_of(base);
    let mut findings = Vec::new();
    let all: Vec<(usize, Match)> =
        numbered(base).flat_map(|(number, rule)| matches_of(rule).into_iter().map(move |m| (number, m))).collect();
    let by_customer: Vec<String> =
        all.iter().filter(|(_, m)| m.header(header).is_some()).map(|(number, _)| number.to_string()).collect();
    if !by_customer.is_empty() {
        findings.push(Finding::refuse(
            "route.customer-header",
            format!(
                "rule {} of HTTPRoute {name} already matches on {header}, the header that identifies customers: remove the condition, or identify customers by another header",
                by_customer.join(", ")
            ),
        ));
    }
    let equal: Vec<String> = all
        .iter()
        .enumerate()
        .filter_map(|(i, (number, m))| {
            let (first, _) = all.iter().take(i).find(|(_, earlier)| earlier.same(m))?;
            Some(format!("{} in rules {first} and {number}", m.describe(header)))
        })
        .collect();
    if !equal.is_empty() {
        findings.push(Finding::refuse(
            "route.equal-in-base",
            format!(
                "HTTPRoute {name} holds equal matches ({}); some gateways then drop a whole rule without a sign: keep one of each",
                some_of(&equal)
            ),
        ));
    }
    let regex = regex_matches(base, header);
    if !regex.is_empty() {
        findings.push(Finding::warn(
            "route.regex",
            format!(
                "HTTPRoute {name} matches by regular expression ({}); which rule takes such a request depends on the gateway and cannot be checked here: try it before the release",
                some_of(&regex)
            ),
        ));
    }
    findings
}

/// Lists a route's rules with their numbers, counted from 1.
fn numbered(route: &Value) -> impl Iterator<Item = (usize, &Value)> {
    rules_of(route).iter().enumerate().map(|(index, rule)| (index + 1, rule))
}
