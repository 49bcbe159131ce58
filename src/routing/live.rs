//! The live picture: where each customer's requests go, by the routes as they stand.

use super::backend::{destination, list, rules_of, slot_rules};
use super::marks::base_of;
use super::matching::{Match, Path, Probe, ProbePath, matches_of};
use super::rivals::placeholder_start;
use super::table::{Table, hostnames};
use crate::model::{Component, CustomerId, Slot, name_of};
use serde_json::Value;
use std::collections::BTreeMap;

/// Tells for each customer which slot gets its requests for every path of the base route's slot rules.
///
/// `routes` are all routes of the listener: the base, the managed ones, other people's. A customer whose requests are
/// mixed, go elsewhere, or of whom that is not known has `None`. Paths that a longer match of another route takes are
/// not looked at, see [`super::not_governed`]; nor is what a regular expression of another rule may take.
pub fn placements(
    routes: &[&Value],
    base_name: &str,
    component: &Component,
    header: &str,
    customers: &[CustomerId],
) -> BTreeMap<CustomerId, Option<Slot>> {
    let picture = Picture::new(routes, base_name, component);
    customers.iter().map(|id| (id.clone(), picture.slot(Some((header, id.as_str()))))).collect()
}

/// Tells which slot gets the requests of everybody who is in no list, for every path of the base route's slot rules.
///
/// `None` when they are mixed, go elsewhere, or when that is not known.
pub fn unlisted_placement(routes: &[&Value], base_name: &str, component: &Component) -> Option<Slot> {
    Picture::new(routes, base_name, component).slot(None)
}

/// Tells whether every match of a managed route is a placeholder of this release, so that it takes no request.
///
/// Only such a route may be deleted.
pub fn is_all_placeholder(route: &Value, header: &str, placeholder: &str) -> bool {
    let start = placeholder_start(placeholder);
    let is_placeholder = |m: &Match| m.header(header).is_some_and(|c| !c.regex && c.value.starts_with(&start));
    let rules = rules_of(route);
    !rules.is_empty() && rules.iter().all(|rule| matches_of(rule).iter().all(is_placeholder))
}

/// Counts the matches of a route; a rollback writes the most populated routes first.
pub fn match_count(route: &Value) -> usize {
    rules_of(route).iter().map(|rule| list(&rule["matches"]).len().max(1)).sum()
}

/// What [`placements`] asks again for each customer.
struct Picture {
    table: Table,
    /// Where each rule of each route sends everything; `None` when that is no single slot.
    destinations: Vec<Vec<Option<Slot>>>,
    hosts: Vec<String>,
    paths: Vec<Match>,
}

impl Picture {
    fn new(routes: &[&Value], base_name: &str, component: &Component) -> Self {
        let base = routes.iter().find(|route| name_of(route) == base_name && base_of(route).is_none());
        let mut paths: Vec<Match> = base
            .iter()
            .flat_map(|base| slot_rules(base, component).into_iter().filter_map(|index| rules_of(base).get(index)))
            .flat_map(matches_of)
            .collect();
        paths.sort();
        paths.dedup();
        let destinations = routes
            .iter()
            .map(|route| rules_of(route).iter().map(|rule| destination(route, rule, component)).collect())
            .collect();
        let hosts = base.map(|base| hostnames(base)).unwrap_or_default();
        Self { table: Table::build(routes), destinations, hosts, paths }
    }

    /// Returns the slot that gets all requests with this header line, if it is one.
    fn slot(&self, line: Option<(&str, &str)>) -> Option<Slot> {
        let mut slots = self.hosts.iter().flat_map(|host| self.paths.iter().map(move |path| (host, path)));
        let (host, path) = slots.next()?;
        let first = self.ask(host, path, line)?;
        slots.all(|(host, path)| self.ask(host, path, line) == Some(first)).then_some(first)
    }

    fn ask(&self, host: &str, path: &Match, line: Option<(&str, &str)>) -> Option<Slot> {
        let exact = path.headers.iter().filter(|c| !c.regex).map(|c| (c.name.as_str(), c.value.as_str()));
        let headers: Vec<(&str, &str)> = exact.chain(line).collect();
        let query: Vec<(&str, &str)> =
            path.query.iter().filter(|c| !c.regex).map(|c| (c.name.as_str(), c.value.as_str())).collect();
        let probe = Probe {
            path: match &path.path {
                Path::Exact(path) => ProbePath::At(path),
                Path::Prefix(path) => ProbePath::Below(path),
                Path::Regex(path) => ProbePath::Regex(path),
            },
            method: path.method.as_deref(),
            headers: &headers,
            query: &query,
            within: Some(path),
        };
        // A wildcard stands for any host below it; the table finds its routes by such a host.
        let host = host.strip_prefix('*').map_or_else(|| host.to_owned(), |suffix| format!("any{suffix}"));
        let hit = self.table.find(&host, &probe)?;
        *self.destinations.get(hit.route)?.get(hit.rule)?
    }
}
