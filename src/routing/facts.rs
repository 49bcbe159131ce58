//! What the base route's slot rules say beside their matches: ports and time limits.

use super::backend::{SlotRefs, backend_refs, rules_of, slot_refs};
use crate::model::{Component, Span};
use serde_json::Value;

/// When a slot rule cuts a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleLimit {
    /// The rule's number, counted from 1.
    pub number: usize,
    /// Its shorter one of `timeouts.request` and `timeouts.backendRequest`; zero is no limit, `None` = it says none.
    pub limit: Option<Span>,
}

/// Lists the ports that slot rules name: of slot `a`'s Service, and of slot `b`'s.
pub fn rule_ports(base: &Value, component: &Component) -> Vec<(u64, u64)> {
    let ports = |rule: &Value| {
        let SlotRefs::Both { a, b } = slot_refs(base, rule, component) else { return None };
        let port = |index: usize| backend_refs(rule).get(index)?["port"].as_u64();
        Some((port(a)?, port(b)?))
    };
    rules_of(base).iter().filter_map(ports).collect()
}

/// Lists when slot rules cut requests; what a rule says in a form that cannot be read counts as not said.
pub fn rule_limits(base: &Value, component: &Component) -> Vec<RuleLimit> {
    let is_slot_rule = |rule: &Value| matches!(slot_refs(base, rule, component), SlotRefs::Both { .. });
    let limit = |rule: &Value| {
        let read = |key: &str| rule["timeouts"][key].as_str().and_then(|text| Span::parse(text).ok());
        match (read("request"), read("backendRequest")) {
            // Zero is no limit, so the other one decides.
            (Some(one), Some(other)) if one.0.is_zero() => Some(other),
            (Some(one), Some(other)) if other.0.is_zero() => Some(one),
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    };
    let numbered = rules_of(base).iter().zip(1..).filter(|(rule, _)| is_slot_rule(rule));
    numbered.map(|(rule, number)| RuleLimit { number, limit: limit(rule) }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{base, component, foreign, rule};
    use super::*;
    use serde_json::json;

    #[test]
    fn the_shorter_limit_of_a_rule_counts_and_zero_is_none() {
        let timed = |timeouts: Value| {
            let mut rule = rule(&["/"]);
            rule["timeouts"] = timeouts;
            rule_limits(&base(&[foreign(json!({}), "other"), rule]), &component())
        };
        let of = |timeouts: Value| timed(timeouts)[0].limit;
        assert_eq!(timed(json!({"request": "60s"}))[0], RuleLimit { number: 2, limit: Some(Span::seconds(60)) });
        assert_eq!(of(json!({"request": "60s", "backendRequest": "5s"})), Some(Span::seconds(5)));
        assert_eq!(of(json!({"request": "0s", "backendRequest": "5s"})), Some(Span::seconds(5)));
        assert_eq!(of(json!({"request": "60s", "backendRequest": "0s"})), Some(Span::seconds(60)));
        assert_eq!(of(json!({"request": "0s"})), Some(Span::seconds(0)));
        assert_eq!(of(Value::Null), None);
    }

    #[test]
    fn ports_come_from_slot_rules_alone() {
        let mut odd = rule(&["/"]);
        odd["backendRefs"][1]["port"] = json!(9090);
        let route = base(&[foreign(json!({}), "other"), odd]);
        let of_a = route["spec"]["rules"][1]["backendRefs"][0]["port"].as_u64().unwrap();
        assert_eq!(rule_ports(&route, &component()), [(of_a, 9090)]);
    }
}
