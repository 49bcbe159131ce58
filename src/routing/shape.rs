//! The shape a base route gives its managed routes: which rules are replicated and how many customers fit in a cell.

use super::backend::{SlotRefs, list, rules_of, slot_refs};
use super::matching::{Match, matches_of, raw_matches};
use crate::model::{Component, Finding, name_of};
use serde_json::Value;
use std::cmp::Ordering;

/// The most rules the API server allows in a route.
pub(super) const MAX_RULES: usize = 16;
/// The most matches the API server allows in a rule.
pub(super) const MAX_RULE_MATCHES: usize = 64;
/// The most matches the API server allows in all rules of a route together.
pub(super) const MAX_ROUTE_MATCHES: usize = 128;
/// The most header conditions the API server allows in a match.
const MAX_HEADERS: usize = 16;

/// What every managed route of a base route repeats.
#[derive(Clone, Debug)]
pub(super) struct Shape<'a> {
    /// The replicated rules in base order.
    pub rules: Vec<Replica<'a>>,
    /// The most customers of a cell.
    pub chunk: usize,
}

/// A base rule that every cell repeats.
#[derive(Clone, Debug)]
pub(super) struct Replica<'a> {
    /// The base rule.
    pub rule: &'a Value,
    /// Its matches; the default one where the rule has none.
    pub matches: Vec<Value>,
    /// Whether it holds both slots, so that it moves with its wave.
    pub moves: bool,
}

impl Shape<'_> {
    /// Returns the number of matches one customer needs.
    pub(super) fn matches_per_customer(&self) -> usize {
        self.rules.iter().map(|replica| replica.matches.len()).sum()
    }
}

/// Works out the shape of a base route.
///
/// # Errors
/// Refuses bases whose rules do not fit into managed routes, with the figures.
pub(super) fn shape<'a>(base: &'a Value, component: &Component) -> Result<Shape<'a>, Vec<Finding>> {
    let rules: Vec<Replica> = replicated(base, component)
        .into_iter()
        .map(|(rule, moves)| Replica { rule, matches: raw_matches(rule), moves })
        .collect();
    let name = name_of(base);
    let count = rules.len();
    let most = rules.iter().map(|r| r.matches.len()).max().unwrap_or(0);
    let sum: usize = rules.iter().map(|r| r.matches.len()).sum();
    let mut findings = Vec::new();
    if 2 * count > MAX_RULES {
        findings.push(Finding::refuse(
            "route.too-many-rules",
            format!(
                "HTTPRoute {name} has {count} rules that managed routes must repeat twice, and a route may hold {MAX_RULES}: join rules with equal backends, or split the route"
            ),
        ));
    }
    let chunk = match (most, sum) {
        (0, _) | (_, 0) => 0,
        (most, sum) => (MAX_RULE_MATCHES / most).min(MAX_ROUTE_MATCHES.saturating_sub(count) / sum),
    };
    if chunk == 0 && count > 0 {
        findings.push(Finding::refuse(
            "route.too-many-matches",
            format!(
                "HTTPRoute {name} needs {sum} matches per customer, at most {most} in one rule, and a managed route has room for {} in all and {MAX_RULE_MATCHES} in a rule: use fewer, shorter prefixes",
                MAX_ROUTE_MATCHES.saturating_sub(count)
            ),
        ));
    }
    let is_full = |matching: &Value| list(&matching["headers"]).len() >= MAX_HEADERS;
    if rules.iter().any(|replica| replica.matches.iter().any(is_full)) {
        findings.push(Finding::refuse(
            "route.too-many-headers",
            format!(
                "HTTPRoute {name} has a match with {MAX_HEADERS} header conditions, so none can be added for the customer: remove one"
            ),
        ));
    }
    if findings.is_empty() { Ok(Shape { rules, chunk }) } else { Err(findings) }
}

/// Lists the replicated rules in base order, each with whether it holds both slots.
///
/// Beside the slot rules these are the rules that win some request today and would lose it, because a managed rule has
/// one header condition more. Among replicated rules the order stays as it is: each has one condition more.
fn replicated<'a>(base: &'a Value, component: &Component) -> Vec<(&'a Value, bool)> {
    let rules: Vec<(&Value, Vec<Match>, bool)> = rules_of(base)
        .iter()
        .map(|rule| (rule, matches_of(rule), matches!(slot_refs(base, rule, component), SlotRefs::Both { .. })))
        .collect();
    let mut taken: Vec<bool> = rules.iter().map(|(_, _, moves)| *moves).collect();
    // A rule that is added may in turn beat others.
    loop {
        let before = taken.clone();
        for (index, (_, matches, _)) in rules.iter().enumerate() {
            let loses = |(other, (_, theirs, _)): (usize, &(&Value, Vec<Match>, bool))| {
                before.get(other) == Some(&true) && would_lose(matches, theirs, index < other)
            };
            if before.get(index) == Some(&false) && rules.iter().enumerate().any(loses) {
                taken[index] = true;
            }
        }
        if taken == before {
            break;
        }
    }
    rules.into_iter().zip(taken).filter(|(_, taken)| *taken).map(|((rule, _, moves), _)| (rule, moves)).collect()
}

/// Tells whether a rule would lose requests it wins today when another gets one header condition more; in doubt it would.
fn would_lose(matches: &[Match], others: &[Match], is_first: bool) -> bool {
    let loses = |mine: &Match, other: &Match| {
        let wins_today = match mine.compare(0, other) {
            None | Some(Ordering::Greater) => true,
            Some(Ordering::Equal) => is_first,
            Some(Ordering::Less) => false,
        };
        let beaten_then = other.compare(1, mine).is_none_or(|order| order != Ordering::Less);
        wins_today && beaten_then && mine.overlaps(other)
    };
    matches.iter().any(|mine| others.iter().any(|other| loses(mine, other)))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{base, component, foreign, rule};
    use super::*;
    use serde_json::json;

    fn moves(rules: &[Value]) -> Vec<bool> {
        replicated(&base(rules), &component()).into_iter().map(|(_, moves)| moves).collect()
    }

    #[test]
    fn a_rule_that_a_managed_rule_would_beat_is_repeated() {
        let by_header = foreign(json!({"headers": [{"name": "x-beta", "value": "1"}]}), "beta");
        assert_eq!(moves(&[rule(&["/"]), by_header]), [true, false]);
        let by_query = foreign(json!({"queryParams": [{"name": "q", "value": "1"}]}), "beta");
        assert_eq!(moves(&[by_query, rule(&["/"])]), [false, true]);
        let two = foreign(json!({"headers": [{"name": "x-beta", "value": "1"}, {"name": "y", "value": "1"}]}), "beta");
        assert_eq!(moves(&[rule(&["/"]), two]), [true], "two conditions still beat the customer header");
    }

    #[test]
    fn a_rule_that_wins_anyway_or_loses_anyway_is_not_repeated() {
        let longer = foreign(json!({"path": {"type": "PathPrefix", "value": "/static"}}), "static");
        assert_eq!(moves(&[rule(&["/"]), longer]), [true]);
        let shorter = foreign(json!({"path": {"type": "PathPrefix", "value": "/"}}), "site");
        assert_eq!(moves(&[rule(&["/app"]), shorter]), [true]);
        let exact = foreign(json!({"path": {"type": "Exact", "value": "/health"}}), "probe");
        assert_eq!(moves(&[rule(&["/"]), exact]), [true]);
    }

    #[test]
    fn what_a_repeated_rule_would_beat_is_repeated_too() {
        let one = foreign(json!({"headers": [{"name": "x", "value": "1"}]}), "one");
        let two = foreign(json!({"headers": [{"name": "x", "value": "1"}, {"name": "y", "value": "1"}]}), "two");
        assert_eq!(moves(&[rule(&["/"]), one, two]), [true, false, false]);
    }

    #[test]
    fn a_regex_path_beside_a_prefix_is_repeated_because_its_place_is_not_known() {
        let regex = foreign(json!({"path": {"type": "RegularExpression", "value": "/v[0-9]/.*"}}), "legacy");
        assert_eq!(moves(&[rule(&["/"]), regex]), [true, false]);
    }

    #[test]
    fn the_chunk_fills_a_rule_or_a_route() {
        let chunk = |rules: &[Value]| shape(&base(rules), &component()).map(|s| s.chunk).ok();
        assert_eq!(chunk(&[rule(&["/"])]), Some(64));
        assert_eq!(chunk(&[rule(&["/", "/a", "/b"])]), Some(21));
        assert_eq!(chunk(&[rule(&["/"]), rule(&["/a"])]), Some(63));
        let many: Vec<String> = (0..65).map(|i| format!("/p{i}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(chunk(&[rule(&many[..64])]), Some(1));
        assert_eq!(chunk(&[rule(&many)]), None);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_figures() {
        let rules: Vec<Value> = (0..9).map(|i| rule(&[format!("/p{i}").as_str()])).collect();
        let findings = shape(&base(&rules), &component()).unwrap_err();
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].check, "route.too-many-rules");
        let headers: Vec<Value> = (0..16).map(|i| json!({"name": format!("h{i}"), "value": "1"})).collect();
        let mut full = rule(&["/"]);
        full["matches"][0]["headers"] = json!(headers);
        assert_eq!(shape(&base(&[full]), &component()).unwrap_err()[0].check, "route.too-many-headers");
    }
}
