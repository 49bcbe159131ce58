//! Other HTTPRoutes of the same host and listener: what they keep from a release, and what a release would take from them.

use super::backend::{list, namespace_of, rules_of};
use super::marks::base_of;
use super::matching::{Match, Path, matches_of};
use super::table::{hostnames, is_senior};
use crate::model::{CustomerId, Finding, name_of};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// How many matches a sentence names before it counts the rest.
const NAMED: usize = 3;

/// Lists requests that other routes take before any managed route could: they stay where those routes send them.
///
/// `others` are all other HTTPRoutes that can be seen; `header` is the customer header. One note per route.
pub fn not_governed(base: &Value, others: &[&Value], header: &str) -> Vec<Finding> {
    let ours = all_matches(base);
    let note = |other: &&Value| {
        let relation = relation(base, other)?;
        let kept: Vec<String> = all_matches(other)
            .iter()
            .filter(|theirs| ours.iter().any(|mine| keeps(relation, mine, theirs)))
            .map(|theirs| theirs.describe(header))
            .collect();
        (!kept.is_empty()).then(|| {
            Finding::note(
                "route.not-governed",
                format!(
                    "HTTPRoute {} takes {} before the managed routes of {}: these requests are not governed by a release",
                    name_of(other),
                    some_of(&kept),
                    name_of(base)
                ),
            )
        })
    };
    others.iter().filter(|other| base_of(other).is_none()).filter_map(note).collect()
}

/// Refuses when managed routes would take requests that another route serves today.
pub(super) fn captures(base: &Value, others: &[&Value], header: &str) -> Vec<Finding> {
    let ours = all_matches(base);
    let refusal = |other: &&Value| {
        if relation(base, other)? != Relation::SameHost {
            return None;
        }
        let senior = is_senior(other, base);
        let lost: Vec<String> = all_matches(other)
            .iter()
            .filter(|theirs| ours.iter().any(|mine| loses(mine, theirs, senior)))
            .map(|theirs| theirs.describe(header))
            .collect();
        (!lost.is_empty()).then(|| {
            Finding::refuse(
                "route.captures",
                format!(
                    "HTTPRoute {} serves {} today, and the managed routes of {base_name} would take these requests of listed customers from it: make them rules of {base_name}, or give them a longer path or a method",
                    name_of(other),
                    some_of(&lost),
                    base_name = name_of(base)
                ),
            )
        })
    };
    others.iter().filter(|other| base_of(other).is_none()).filter_map(refusal).collect()
}

/// Refuses managed routes of another release of this base: an older one wins equal matches without any sign in status.
pub(super) fn left_over(base: &Value, others: &[&Value]) -> Vec<Finding> {
    let names: Vec<String> = others
        .iter()
        .filter(|other| base_of(other) == Some(name_of(base)))
        .map(|other| name_of(other).to_owned())
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    vec![Finding::refuse(
        "route.left-over",
        format!(
            "managed routes of another release of {} are still there: {}; `pilothouse cleanup` removes those that serve nobody and says what to do about the others",
            name_of(base),
            some_of(&names)
        ),
    )]
}

/// Refuses other routes with a match equal to one of ours: some gateways then drop the whole newer rule, other
/// customers' matches with it, and say nothing.
pub(super) fn equal_matches(
    base: &Value,
    ours: &[Match],
    others: &[&Value],
    header: &str,
    customers: &BTreeSet<&CustomerId>,
    placeholder: &str,
) -> Vec<Finding> {
    let is_ours = |theirs: &Match| {
        let Some(condition) = theirs.header(header).filter(|c| !c.regex) else { return false };
        let is_value = customers.contains(&CustomerId::new(condition.value.as_str()))
            || condition.value.starts_with(&placeholder_start(placeholder));
        let rest = theirs.without_header(header);
        is_value && ours.iter().any(|mine| mine.same(&rest))
    };
    let refusal = |other: &&Value| {
        relation(base, other).filter(|r| *r == Relation::SameHost)?;
        let equal: Vec<String> = all_matches(other).iter().filter(|m| is_ours(m)).map(|m| m.describe(header)).collect();
        (!equal.is_empty()).then(|| {
            Finding::refuse(
                "route.equal-match",
                format!(
                    "HTTPRoute {} already matches {}, exactly as a managed route would; gateways then drop one of the two rules without a sign: remove these matches first",
                    name_of(other),
                    some_of(&equal)
                ),
            )
        })
    };
    others.iter().filter_map(refusal).collect()
}

/// Returns how the placeholder values of a release start.
pub(super) fn placeholder_start(placeholder: &str) -> String {
    format!("ph-{placeholder}-")
}

/// Joins texts for a sentence: the first few, then a count.
pub fn some_of(texts: &[String]) -> String {
    let shown = texts.iter().take(NAMED).map(String::as_str).collect::<Vec<&str>>().join(", ");
    match texts.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// How another route's hostnames stand to the base's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    /// They share a hostname, so that matches decide.
    SameHost,
    /// It has a more specific one, so that it wins whatever its matches say.
    MoreSpecific,
}

/// Relates another route to the base; `None` when it can take nothing from it: another listener, no common host, a
/// less specific one, or the base itself.
fn relation(base: &Value, other: &Value) -> Option<Relation> {
    if is_same(base, other) || !share_listener(base, other) {
        return None;
    }
    let theirs = hostnames(other);
    let mut found = None;
    for mine in hostnames(base) {
        for their in theirs.iter().filter(|their| hosts_meet(&mine, their)) {
            match specificity(their).cmp(&specificity(&mine)) {
                Ordering::Greater => return Some(Relation::MoreSpecific),
                Ordering::Equal => found = Some(Relation::SameHost),
                Ordering::Less => {}
            }
        }
    }
    found
}

fn keeps(relation: Relation, mine: &Match, theirs: &Match) -> bool {
    // Managed routes are created last, so that the other route wins a tie.
    let wins =
        relation == Relation::MoreSpecific || mine.compare(1, theirs).is_none_or(|order| order != Ordering::Greater);
    wins && mine.overlaps(theirs)
}

fn loses(mine: &Match, theirs: &Match, senior: bool) -> bool {
    let wins_today = match theirs.compare(0, mine) {
        Some(Ordering::Greater) => true,
        Some(Ordering::Equal) => senior,
        Some(Ordering::Less) | None => false,
    };
    wins_today && mine.compare(1, theirs) == Some(Ordering::Greater) && mine.overlaps(theirs)
}

/// Tells whether two values are the same route.
pub(super) fn is_same(route: &Value, other: &Value) -> bool {
    (namespace_of(route), name_of(route)) == (namespace_of(other), name_of(other))
}

/// Tells whether two routes may be attached to the same listener.
pub(super) fn share_listener(base: &Value, other: &Value) -> bool {
    let meet = |a: &Value, b: &Value| {
        let text = |v: &Value, key: &str, default: &str| v[key].as_str().unwrap_or(default).to_owned();
        let same = |key: &str, default: &str| text(a, key, default) == text(b, key, default);
        let sections = a["sectionName"].is_null() || b["sectionName"].is_null() || a["sectionName"] == b["sectionName"];
        let ports = a["port"].is_null() || b["port"].is_null() || a["port"] == b["port"];
        let namespaces = text(a, "namespace", namespace_of(base)) == text(b, "namespace", namespace_of(other));
        same("name", "")
            && same("kind", "Gateway")
            && same("group", "gateway.networking.k8s.io")
            && namespaces
            && sections
            && ports
    };
    let theirs = list(&other["spec"]["parentRefs"]);
    list(&base["spec"]["parentRefs"]).iter().any(|mine| theirs.iter().any(|their| meet(mine, their)))
}

fn hosts_meet(a: &str, b: &str) -> bool {
    let covers = |wide: &str, narrow: &str| match wide.strip_prefix('*') {
        Some(suffix) => narrow.trim_start_matches('*').ends_with(suffix),
        None => wide.is_empty(),
    };
    a == b || covers(a, b) || covers(b, a)
}

/// Returns how specific a hostname is: characters of a plain one first, then characters at all.
fn specificity(host: &str) -> (usize, usize) {
    let plain = if host.starts_with('*') { 0 } else { host.len() };
    (plain, host.len())
}

fn all_matches(route: &Value) -> Vec<Match> {
    rules_of(route).iter().flat_map(matches_of).collect()
}

/// Lists the regular expressions in a route's matches that the check `route.regex` names.
pub(super) fn regex_matches(route: &Value, header: &str) -> Vec<String> {
    all_matches(route).iter().filter(|m| m.has_regex()).map(|m| m.describe(header)).collect()
}

/// Tells whether a route has a regular expression for a path beside the base's own paths.
pub(super) fn undecided(base: &Value, other: &Value) -> bool {
    let ours = all_matches(base);
    relation(base, other) == Some(Relation::SameHost)
        && all_matches(other)
            .iter()
            .any(|theirs| matches!(theirs.path, Path::Regex(_)) && ours.iter().any(|mine| mine.overlaps(theirs)))
}
