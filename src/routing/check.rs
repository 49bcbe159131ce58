//! What preflight finds in the routes: everything that refuses a release, and what people should know.

use super::backend::{
    SlotRefs, active_slot, backend_name, backend_refs, backends, indexes_of, list, rules_of, slot_refs,
};
use super::marks::base_of;
use super::matching::{Match, matches_of};
use super::rivals::{captures, is_same, left_over, not_governed, regex_matches, some_of, undecided};
use super::shape::shape;
use crate::api::is_keeper;
use crate::model::{Component, Finding, MAX_LABEL, Slot, name_of};
use serde_json::Value;

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

/// Lists the rules of a route, counted from 1, that set no limit to a request.
pub fn untimed_rules(base: &Value) -> Vec<usize> {
    let untimed = |rule: &Value| !backend_refs(rule).is_empty() && rule["timeouts"]["request"].is_null();
    numbered(base).filter(|(_, rule)| untimed(rule)).map(|(number, _)| number).collect()
}

/// Lists the slot rules of a route, counted from 1, with those of their backends that have filters of their own.
pub fn filtered_backends(base: &Value, component: &Component) -> Vec<(usize, Vec<String>)> {
    let filtered = |rule: &Value| -> Vec<String> {
        backend_refs(rule).iter().filter(|b| !list(&b["filters"]).is_empty()).map(backend_name).collect()
    };
    let is_slot_rule = |rule: &Value| matches!(slot_refs(base, rule, component), SlotRefs::Both { .. });
    let rules = numbered(base).filter(|(_, rule)| is_slot_rule(rule));
    rules.map(|(number, rule)| (number, filtered(rule))).filter(|(_, named)| !named.is_empty()).collect()
}

/// Names rules in a sentence: `rule 2`, `rules 1, 3`.
pub fn rules_named(numbers: &[usize]) -> String {
    let list: Vec<String> = numbers.iter().map(usize::to_string).collect();
    format!("{} {}", if list.len() == 1 { "rule" } else { "rules" }, list.join(", "))
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
    findings
}

/// Checks what other routes of the same host and listener mean for a release.
pub(super) fn neighbour_findings(base: &Value, others: &[&Value], component: &Component, header: &str) -> Vec<Finding> {
    let mut findings = left_over(base, others);
    findings.extend(captures(base, others, header));
    for other in others.iter().filter(|other| base_of(other).is_none() && !is_same(base, other)) {
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
        if !uses.is_empty() && !is_keeper(other) {
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

/// Checks that every rule which names a slot names both, and alone.
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
    let unported: Vec<String> = backend_refs(rule)
        .iter()
        .filter(|backend| backend["port"].is_null())
        .map(backend_name)
        .filter(|to| ours.contains(&to))
        .collect();
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
    let mut by_customer: Vec<usize> =
        all.iter().filter(|(_, m)| m.header(header).is_some()).map(|(number, _)| *number).collect();
    by_customer.dedup();
    if !by_customer.is_empty() {
        findings.push(Finding::refuse(
            "route.customer-header",
            format!(
                "HTTPRoute {name} already matches on {header} in {}, and that header identifies customers: remove the condition, or identify customers by another header",
                rules_named(&by_customer)
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

#[cfg(test)]
mod tests {
    use super::super::fixture::{HEADER, base, component, foreign, route, rule, weighted};
    use super::super::marks::{BASE_LABEL, MANAGED_BY_LABEL};
    use super::*;
    use serde_json::json;

    fn checks(base: &Value, others: &[&Value]) -> Vec<String> {
        check(Some(base), others, &component(), HEADER).into_iter().map(|f| f.check).collect()
    }

    /// The only finding of a base whose one rule was changed like this.
    fn changed(change: impl Fn(&mut Value)) -> Vec<String> {
        let mut route = base(&[rule(&["/"])]);
        change(&mut route["spec"]["rules"][0]);
        checks(&route, &[])
    }

    #[test]
    fn a_good_base_has_no_finding() {
        let good = base(&[rule(&["/", "/api"]), rule(&["/b"])]);
        assert_eq!(checks(&good, &[]), [""; 0]);
        assert_eq!(checks(&good, &[&good]), [""; 0], "the base is no rival of itself");
    }

    #[test]
    fn a_missing_base_is_named() {
        let findings = check(None, &[], &component(), HEADER);
        assert_eq!(findings[0].check, "route.missing");
        assert!(findings[0].text.contains("HTTPRoute trackx"));
    }

    #[test]
    fn every_fault_of_a_rule_has_its_own_check() {
        assert_eq!(changed(|r| r["backendRefs"] = json!([r["backendRefs"][0]])), ["route.half-slot"]);
        assert_eq!(changed(|r| r["backendRefs"][1]["name"] = json!("trackx")), ["route.slot-twice"]);
        assert_eq!(changed(|r| r["backendRefs"][1]["weight"] = json!(1)), ["route.ambiguous-slot"]);
        assert_eq!(changed(|r| r["backendRefs"][1]["port"] = Value::Null), ["route.no-port"]);
        assert_eq!(
            changed(|r| r["matches"][0]["headers"] = json!([{"name": "X-Customer-ID", "value": "acme"}])),
            ["route.customer-header"]
        );
        assert_eq!(changed(|r| r["matches"][0]["path"]["type"] = json!("RegularExpression")), ["route.regex"]);
        assert_eq!(
            changed(|r| r["backendRefs"].as_array_mut().unwrap().push(json!({"name": "canary", "port": 1}))),
            ["route.other-backend"]
        );
        let weightless = json!({"name": "canary", "port": 1, "weight": 0});
        assert_eq!(changed(|r| r["backendRefs"].as_array_mut().unwrap().push(weightless.clone())), [""; 0]);
    }

    #[test]
    fn what_depends_on_the_gateway_is_listed_and_not_judged() {
        let other = foreign(json!({"path": {"type": "PathPrefix", "value": "/x"}}), "other");
        let mut route = base(&[rule(&["/"]), rule(&["/a"]), other]);
        route["spec"]["rules"][1]["timeouts"] = Value::Null;
        for number in [1, 2] {
            route["spec"]["rules"][number]["backendRefs"][0]["filters"] = json!([{"type": "RequestHeaderModifier"}]);
        }
        assert_eq!(rules_named(&untimed_rules(&route)), "rule 2");
        assert_eq!(rules_named(&[1, 3]), "rules 1, 3");
        assert_eq!(filtered_backends(&route, &component()), [(2, vec!["trackx".to_owned()])]);
        assert_eq!(checks(&route, &[]), [""; 0]);
    }

    #[test]
    fn a_keeper_is_no_user_of_a_slot() {
        let our = base(&[rule(&["/"])]);
        let keeper = crate::api::keeper_route(&our, ["trackx", "trackx-b"]);
        assert_eq!(checks(&our, &[&keeper]), [""; 0]);
        let mut user = keeper;
        user["spec"]["hostnames"] = json!(["jobs.example.com"]);
        user["metadata"]["labels"] = Value::Null;
        assert_eq!(checks(&our, &[&user]), ["route.other-user"]);
    }

    #[test]
    fn a_base_without_slots_or_with_differing_weights_is_refused() {
        assert_eq!(checks(&base(&[foreign(json!({}), "other")]), &[]), ["route.no-slot-rule"]);
        let differing = base(&[weighted(&["/"], 100, 0), weighted(&["/a"], 0, 100)]);
        assert_eq!(checks(&differing, &[]), ["route.ambiguous-slot"]);
    }

    #[test]
    fn equal_matches_within_the_base_are_refused() {
        let found = check(Some(&base(&[rule(&["/a"]), rule(&["/a/"])])), &[], &component(), HEADER);
        assert_eq!(found[0].check, "route.equal-in-base");
        assert!(found[0].text.contains("/a/* in rules 1 and 2"), "{}", found[0].text);
    }

    #[test]
    fn managed_routes_of_another_release_refuse() {
        let mut old = route("trackx-ph-00000000-01", "2026-02-01T00:00:00Z", &[rule(&["/"])]);
        old["metadata"]["labels"] = json!({MANAGED_BY_LABEL: "pilothouse", BASE_LABEL: "trackx"});
        assert_eq!(checks(&base(&[rule(&["/"])]), &[&old]), ["route.left-over"]);
        old["metadata"]["labels"][BASE_LABEL] = json!("another");
        assert_eq!(checks(&base(&[rule(&["/"])]), &[&old]), [""; 0], "their own base route stands for them");
    }

    fn neighbour(created: &str, matching: Value) -> Value {
        route("beta", created, &[foreign(matching, "beta")])
    }

    const OLDER: &str = "2025-01-01T00:00:00Z";
    const YOUNGER: &str = "2026-02-01T00:00:00Z";

    #[test]
    fn what_another_route_keeps_is_a_note() {
        let our = base(&[rule(&["/"])]);
        for matching in [
            json!({"path": {"type": "PathPrefix", "value": "/beta"}}),
            json!({"path": {"type": "Exact", "value": "/x"}}),
            json!({"method": "GET"}),
            json!({"headers": [{"name": "x-beta", "value": "1"}]}),
        ] {
            assert_eq!(checks(&our, &[&neighbour(YOUNGER, matching.clone())]), ["route.not-governed"], "{matching}");
        }
        let mut wider = neighbour(YOUNGER, json!({"path": {"type": "PathPrefix", "value": "/beta"}}));
        wider["spec"]["hostnames"] = json!(["*.example.com"]);
        assert_eq!(checks(&our, &[&wider]), [""; 0], "a less specific hostname takes nothing");
        wider["spec"]["hostnames"] = Value::Null;
        wider["spec"]["parentRefs"] = json!([{"name": "internal"}]);
        assert_eq!(checks(&our, &[&wider]), [""; 0], "another gateway");
        let mut wild = our;
        wild["spec"]["hostnames"] = json!(["*.example.com"]);
        let narrow = neighbour(YOUNGER, json!({}));
        assert_eq!(checks(&wild, &[&narrow]), ["route.not-governed"], "a more specific hostname takes all");
    }

    #[test]
    fn what_a_release_would_take_from_another_route_is_refused() {
        let our = base(&[rule(&["/"])]);
        let by_query = json!({"queryParams": [{"name": "q", "value": "1"}]});
        assert_eq!(checks(&our, &[&neighbour(YOUNGER, by_query)]), ["route.captures"]);
        assert_eq!(checks(&our, &[&neighbour(OLDER, json!({}))]), ["route.captures"]);
        assert_eq!(checks(&our, &[&neighbour(YOUNGER, json!({}))]), [""; 0], "the base has won these before");
    }

    #[test]
    fn other_users_of_a_slot_and_regular_expressions_nearby_are_warned_of() {
        let our = base(&[rule(&["/"])]);
        let mut user = route("jobs", YOUNGER, &[foreign(json!({}), "trackx")]);
        user["spec"]["hostnames"] = json!(["jobs.example.com"]);
        assert_eq!(checks(&our, &[&user]), ["route.other-user"]);
        let regex = neighbour(YOUNGER, json!({"path": {"type": "RegularExpression", "value": "/v."}}));
        assert_eq!(checks(&our, &[&regex]), ["route.regex", "route.not-governed"]);
    }
}
