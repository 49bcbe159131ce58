//! The order of the writes that traffic depends on, read from the objects as they changed: not from what the console says.

use serde_json::Value;
use std::collections::BTreeMap;

/// The header that names a customer.
const HEADER: &str = "x-customer-id";

/// What no customer's name begins with.
const PLACEHOLDER: &str = "ph-";

/// One change of a route or a Deployment.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whether the object is gone.
    pub deleted: bool,
    /// The object after the change.
    pub object: Value,
}

/// What a run moves, by the names that Deployment and Service share, and the part of the changes it made.
#[derive(Clone, Copy, Debug)]
pub struct Writes<'a> {
    /// The slot that served before.
    pub old: &'a str,
    /// The other slot.
    pub new: &'a str,
    /// Whether the run retires the old slot.
    pub is_forward: bool,
    /// The last revision before the run.
    pub after: u64,
    /// The last revision of the run.
    pub upto: u64,
}

impl Change {
    /// The revision of the store; one order over all kinds.
    pub fn revision(&self) -> u64 {
        revision(&self.object)
    }

    fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }
}

/// Reads an object's revision.
pub fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// Lists the writes that could have cost a transaction, or put a customer on two versions, whatever the load saw.
///
/// A managed route is made with placeholders, all weight on the old slot, and deleted with placeholders. A rule's weight
/// is whole. All rules of a customer agree, in one route only. A slot is scaled to 0 when no rule that a request can match sends anybody there, and
/// the old slot only when every route says that it is retired. Also counts the routes that were made.
pub fn order(changes: &[Change], writes: &Writes<'_>) -> (usize, Vec<String>) {
    let mut changes: Vec<&Change> = changes.iter().collect();
    changes.sort_by_key(|change| change.revision());
    let mut now: BTreeMap<(&str, &str), &Value> = BTreeMap::new();
    let (mut made, mut wrong) = (0, Vec::new());
    for change in changes.into_iter().filter(|change| change.revision() <= writes.upto) {
        let key = (change.kind(), change.name());
        let before = if change.deleted { now.remove(&key) } else { now.insert(key, &change.object) };
        if change.revision() <= writes.after {
            continue;
        }
        let mut found = Vec::new();
        match (change.kind(), before) {
            ("HTTPRoute", Some(before)) if change.deleted => found.extend(deleted(before)),
            ("HTTPRoute", before) if !change.deleted => {
                found.extend(whole(&change.object, writes));
                if is_managed(&change.object) && before.is_none() {
                    made += 1;
                    found.extend(created(&change.object, writes));
                }
                found.extend(together(&now, writes));
            }
            ("Deployment", Some(before)) if replicas(before) > 0 && replicas(&change.object) == 0 => {
                found.extend(scaled_down(change.name(), &now, writes));
            }
            _ => {}
        }
        let (kind, name, revision) = (change.kind(), change.name(), change.revision());
        wrong.extend(found.into_iter().map(|finding| format!("{kind} {name} at revision {revision}: {finding}")));
    }
    (made, wrong)
}

fn created(route: &Value, writes: &Writes<'_>) -> Vec<String> {
    let mut wrong: Vec<String> =
        customers(route).into_iter().map(|customer| format!("was created with a match of {customer}")).collect();
    if rules(route).any(|rule| weight(rule, writes.new) != Some(0)) {
        wrong.push(format!("was created with weight on {}", writes.new));
    }
    wrong
}

fn deleted(before: &Value) -> Vec<String> {
    customers(before).into_iter().map(|customer| format!("was deleted with a match of {customer}")).collect()
}

fn whole(route: &Value, writes: &Writes<'_>) -> Vec<String> {
    let weights = rules(route).map(|rule| (weight(rule, writes.old), weight(rule, writes.new)));
    let split = weights.filter(|pair| !matches!(pair, (None, None) | (Some(100), Some(0)) | (Some(0), Some(100))));
    split.map(|(old, new)| format!("has a rule with the weights {old:?} and {new:?}")).collect()
}

fn together(now: &BTreeMap<(&str, &str), &Value>, writes: &Writes<'_>) -> Vec<String> {
    let mut places: BTreeMap<&str, (&str, Option<u64>)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for ((_, name), route) in now.iter().filter(|(_, route)| is_managed(route)) {
        for rule in rules(route) {
            let here = (*name, weight(rule, writes.new));
            for customer in headers(rule).filter(|header| !header.starts_with(PLACEHOLDER)) {
                let there = places.entry(customer).or_insert(here);
                if *there != here {
                    wrong.push(format!("{customer} is at {there:?} and at {here:?}"));
                }
            }
        }
    }
    wrong
}

fn scaled_down(slot: &str, now: &BTreeMap<(&str, &str), &Value>, writes: &Writes<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((_, name), route) in now.iter().filter(|((kind, _), _)| *kind == "HTTPRoute") {
        if rules(route).any(|rule| is_reached(rule) && weight(rule, slot).is_some_and(|weight| weight > 0)) {
            wrong.push(format!("was scaled to 0 while route {name} sent requests there"));
        }
        let undo = route["metadata"]["annotations"]["pilothouse.dev/undo"].as_str().unwrap_or_default();
        if writes.is_forward && slot == writes.old && !undo.contains("\"retired\"") {
            wrong.push(format!("was scaled to 0 before route {name} said that it is retired"));
        }
    }
    wrong
}

fn replicas(deployment: &Value) -> u64 {
    deployment["spec"]["replicas"].as_u64().unwrap_or(0)
}

fn is_managed(route: &Value) -> bool {
    route["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "pilothouse"
}

fn rules(route: &Value) -> impl Iterator<Item = &Value> {
    route["spec"]["rules"].as_array().into_iter().flatten()
}

fn weight(rule: &Value, slot: &str) -> Option<u64> {
    let mut backends = rule["backendRefs"].as_array().into_iter().flatten();
    backends.find(|backend| backend["name"] == slot).and_then(|backend| backend["weight"].as_u64())
}

/// Whether a request can match the rule: a placeholder is nobody's.
fn is_reached(rule: &Value) -> bool {
    let placeholders = headers(rule).filter(|header| header.starts_with(PLACEHOLDER)).count();
    rule["matches"].as_array().is_none_or(|matches| placeholders < matches.len())
}

fn customers(route: &Value) -> Vec<&str> {
    rules(route).flat_map(headers).filter(|header| !header.starts_with(PLACEHOLDER)).collect()
}

fn headers(rule: &Value) -> impl Iterator<Item = &str> {
    let matches = rule["matches"].as_array().into_iter().flatten();
    let headers = matches.flat_map(|of| of["headers"].as_array().into_iter().flatten());
    headers.filter(|header| header["name"] == HEADER).filter_map(|header| header["value"].as_str())
}
