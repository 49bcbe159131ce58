//! The managed routes of a release: which rules they hold, which customers each rule takes, what moves together.

use super::backend::{SlotRefs, list, namespace_of, rules_of, slot_refs};
use super::check::{base_findings, neighbour_findings};
use super::marks::{FENCE, RELEASE, UNDO, Undo, managed_labels};
use super::matching::{Match, matches_of};
use super::rivals::{equal_matches, placeholder_start};
use super::shape::{MAX_ROUTE_MATCHES, MAX_RULES, Replica, Shape, shape};
use crate::api::Cells;
use crate::model::{Component, CustomerId, Finding, Level, Slot, Wave, Weight, name_of};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What the managed routes of a release are made from.
#[derive(Clone, Debug)]
pub struct Install<'a> {
    /// The base route.
    pub base: &'a Value,
    /// All other HTTPRoutes that can be seen, without the release's own. Empty when the layout of a release under way
    /// is computed again: neighbours decide whether it may start, never what it is.
    pub others: Vec<&'a Value>,
    /// The component whose slots the rules hold.
    pub component: &'a Component,
    /// The customer header.
    pub header: &'a str,
    /// The slot that serves when the release starts.
    pub old: Slot,
    /// The waves in order; the unlisted one gets no rules.
    pub waves: &'a [Wave],
    /// The release's name.
    pub release: &'a str,
    /// The release's uid.
    pub uid: &'a str,
    /// The 16 hexadecimal digits in the release's placeholder values.
    pub placeholder: &'a str,
}

/// The managed routes of a release.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// The routes in the order they are created.
    pub routes: Vec<ManagedRoute>,
    /// What people should know; nothing in it refuses.
    pub warnings: Vec<Finding>,
}

/// A managed route as it is created, and what it becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedRoute {
    /// Its name.
    pub name: String,
    /// The body of the POST: every rule at old = 100 and matching a placeholder that no request carries. It carries the
    /// fence 0, so that the first patch tests a fence and not a resourceVersion that each status update changes.
    pub object: Value,
    /// Each rule's matches once armed, by rule; pinned rules keep their placeholder.
    pub armed: Vec<Value>,
    /// Which rules move with which wave; rules without both slots never move and are not in it.
    pub cells: Vec<Cells>,
}

impl ManagedRoute {
    /// Returns each rule's placeholder matches, by rule: what the route is created with and cleaned to.
    pub fn placeholders(&self) -> Vec<Value> {
        rules_of(&self.object).iter().map(|rule| rule["matches"].clone()).collect()
    }
}

/// Says everything about the managed routes of a release without making them: those of ten thousand customers are large.
pub fn examine(install: &Install) -> Vec<Finding> {
    examined(install).map_or_else(|findings| findings, |(_, _, warnings)| warnings)
}

/// Compiles the managed routes of a release; the same input gives the same bytes, so that any console can do it again.
///
/// The base's weights are not looked at, because they change during the release.
///
/// # Errors
/// Returns every finding at once when one of them refuses, with the warnings among them.
pub fn compile(install: &Install) -> Result<Layout, Vec<Finding>> {
    let (shape, undo, warnings) = examined(install)?;
    let undo = undo.text();
    let routes = pack(install.waves, &shape)
        .into_iter()
        .enumerate()
        .map(|(index, cells)| managed_route(install, &shape, &undo, index + 1, &cells))
        .collect();
    Ok(Layout { routes, warnings })
}

/// Returns what the routes are made from, and what people should know; or every finding when one of them refuses.
fn examined<'a>(install: &Install<'a>) -> Result<(Shape<'a>, Undo, Vec<Finding>), Vec<Finding>> {
    let Install { base, component, header, .. } = *install;
    let mut findings = base_findings(base, component, header);
    findings.extend(neighbour_findings(base, &install.others, component, header));
    findings.extend(customer_findings(install));
    let undo = Undo::live(base, component, install.old, install.release, install.uid);
    let (undo, shape) = match (undo, shape(base, component)) {
        (Ok(undo), Ok(shape)) => (undo, shape),
        (undo, shape) => {
            // A base without undo is one the checks above refuse, in better words.
            findings.extend(undo.err().filter(|_| !refuses(&findings)));
            findings.extend(shape.err().unwrap_or_default());
            return Err(findings);
        }
    };
    let ours: Vec<Match> = shape.rules.iter().flat_map(|replica| matches_of(replica.rule)).collect();
    let customers: BTreeSet<&CustomerId> = install.waves.iter().flat_map(|wave| &wave.customers).collect();
    findings.extend(equal_matches(base, &ours, &install.others, header, &customers, install.placeholder));
    if refuses(&findings) {
        return Err(findings);
    }
    Ok((shape, undo, findings))
}

fn refuses(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.level == Level::Refuse)
}

/// Customers of one wave that one set of rules takes.
#[derive(Clone, Copy, Debug)]
struct Cell<'a> {
    /// The wave, counted from 1.
    wave: u32,
    customers: &'a [CustomerId],
}

/// Packs cells into routes in wave order; a cell is never split, so that all paths of a customer move in one patch.
fn pack<'a>(waves: &'a [Wave], shape: &Shape) -> Vec<Vec<Cell<'a>>> {
    let pinned = shape.rules.len();
    let cells = waves.iter().zip(1..).filter(|(wave, _)| !wave.is_unlisted()).flat_map(|(wave, number)| {
        wave.customers.chunks(shape.chunk.max(1)).map(move |customers| Cell { wave: number, customers })
    });
    let mut routes: Vec<Vec<Cell>> = Vec::new();
    let (mut rules, mut matches) = (MAX_RULES, MAX_ROUTE_MATCHES);
    for cell in cells {
        let needed = shape.matches_per_customer() * cell.customers.len();
        if rules + pinned > MAX_RULES || matches + needed > MAX_ROUTE_MATCHES {
            routes.push(Vec::new());
            (rules, matches) = (pinned, pinned);
        }
        rules += pinned;
        matches += needed;
        if let Some(route) = routes.last_mut() {
            route.push(cell);
        }
    }
    routes
}

/// Makes one managed route: pinned rules first, then the rules of its cells.
fn managed_route(install: &Install, shape: &Shape, undo: &str, number: usize, cells: &[Cell]) -> ManagedRoute {
    let name = route_name(install, number);
    let mut rules: Vec<Value> = Vec::new();
    let mut armed: Vec<Value> = Vec::new();
    let mut moving: Vec<Cells> = Vec::new();
    for cell in std::iter::once(None).chain(cells.iter().map(Some)) {
        for replica in &shape.rules {
            let index = rules.len();
            let value = format!("{}{number}-{index}", placeholder_start(install.placeholder));
            let first = replica.matches.get(..1).unwrap_or_default();
            let placeholder = with_header(first, install.header, [value.as_str()]);
            let matches = match cell {
                None => placeholder.clone(),
                Some(cell) => {
                    let ids = cell.customers.iter().map(CustomerId::as_str);
                    with_header(&replica.matches, install.header, ids)
                }
            };
            rules.push(rule_body(install, replica, placeholder));
            armed.push(matches);
            if let Some(cell) = cell.filter(|_| replica.moves) {
                add_rule(&mut moving, cell.wave, index);
            }
        }
    }
    ManagedRoute { object: body(install, &name, undo, rules), name, armed, cells: moving }
}

/// Appends the customer header to each match, once per value.
fn with_header<'a>(
    matches: &[Value],
    header: &str,
    values: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
) -> Value {
    let values = values.into_iter();
    let one = |matching: &Value, value: &str| {
        let mut headers = list(&matching["headers"]).to_vec();
        headers.push(json!({"type": "Exact", "name": header, "value": value}));
        let mut fields = matching.as_object().cloned().unwrap_or_default();
        fields.insert("headers".to_owned(), Value::Array(headers));
        Value::Object(fields)
    };
    matches.iter().flat_map(|matching| values.clone().map(move |value| one(matching, value))).collect()
}

/// Copies a base rule: its matches replaced, its name dropped (names are unique in a route), its slots at old = 100.
fn rule_body(install: &Install, replica: &Replica, matches: Value) -> Value {
    let mut rule = replica.rule.clone();
    if let Some(fields) = rule.as_object_mut() {
        fields.remove("name");
        fields.insert("matches".to_owned(), matches);
    }
    if let SlotRefs::Both { a, b } = slot_refs(install.base, replica.rule, install.component) {
        let (old, new) = if install.old == Slot::A { (a, b) } else { (b, a) };
        for (index, weight) in [(old, Weight::FULL), (new, Weight::NONE)] {
            rule["backendRefs"][index]["weight"] = Value::from(weight.0);
        }
    }
    rule
}

/// Makes the body of the POST. Other people's labels and annotations are not copied, because tools track objects by
/// them; there is no owner, because deleting a release must not move traffic.
fn body(install: &Install, name: &str, undo: &str, rules: Vec<Value>) -> Value {
    let base = install.base;
    let mut spec = base["spec"].clone();
    spec["rules"] = Value::Array(rules);
    let mut metadata = json!({
        "name": name,
        "labels": managed_labels(name_of(base)),
        "annotations": {FENCE: "0", RELEASE: install.uid, UNDO: undo},
    });
    if !namespace_of(base).is_empty() {
        metadata["namespace"] = Value::from(namespace_of(base));
    }
    let version = base["apiVersion"].as_str().unwrap_or("gateway.networking.k8s.io/v1");
    json!({"apiVersion": version, "kind": "HTTPRoute", "metadata": metadata, "spec": spec})
}

fn add_rule(cells: &mut Vec<Cells>, wave: u32, index: usize) {
    // A route holds at most MAX_RULES rules.
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    match cells.last_mut().filter(|cells| cells.wave == wave) {
        Some(cells) => cells.rules.push(index),
        None => cells.push(Cells { wave, rules: vec![index] }),
    }
}

fn route_name(install: &Install, number: usize) -> String {
    let digits: String = install.uid.chars().filter(char::is_ascii_hexdigit).take(8).collect();
    format!("{}-ph-{}-{number:02}", name_of(install.base), digits.to_ascii_lowercase())
}

/// Refuses a customer who would be taken by two rules.
fn customer_findings(install: &Install) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let twice = install.waves.iter().flat_map(|wave| &wave.customers).filter(|id| !seen.insert(*id));
    twice
        .map(|id| {
            Finding::refuse("route.customer-twice", format!("customer {id} is in two waves: list the customer once"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{HEADER, PLACEHOLDER, UID, base, component, foreign, route, rule, waves};
    use super::super::{backends, is_all_placeholder};
    use super::*;

    fn checks(findings: &[Finding]) -> Vec<&str> {
        findings.iter().filter(|f| f.level == Level::Refuse).map(|f| f.check.as_str()).collect()
    }

    fn compiled(base: &Value, others: &[&Value], waves: &[Wave]) -> Result<Layout, Vec<Finding>> {
        let component = component();
        let install = Install {
            base,
            others: others.to_vec(),
            component: &component,
            header: HEADER,
            old: Slot::A,
            waves,
            release: "trackx-4-12-0",
            uid: UID,
            placeholder: PLACEHOLDER,
        };
        let compiled = compile(&install);
        let said = compiled.as_ref().map_or_else(|findings| findings, |layout| &layout.warnings);
        assert_eq!(&examine(&install), said, "an examination says what a compilation says");
        compiled
    }

    #[test]
    fn a_route_is_created_unmatched_and_marked() {
        let mut from = base(&[rule(&["/", "/api"])]);
        from["spec"]["rules"][0]["name"] = json!("all");
        from["spec"]["rules"][0]["sessionPersistence"] = json!({"sessionName": "s"});
        let layout = compiled(&from, &[], &waves(&[2])).unwrap();
        let [managed] = layout.routes.as_slice() else { panic!("{layout:?}") };
        assert_eq!(managed.name, "trackx-ph-5f0c9a12-01");
        let metadata = &managed.object["metadata"];
        assert_eq!(
            metadata["labels"],
            json!({"app.kubernetes.io/managed-by": "pilothouse", "pilothouse.dev/base": "trackx"})
        );
        assert_eq!(metadata["annotations"][RELEASE], UID);
        assert_eq!(metadata["annotations"][FENCE], "0");
        assert!(metadata["ownerReferences"].is_null() && metadata["uid"].is_null());
        assert_eq!(managed.object["spec"]["hostnames"], from["spec"]["hostnames"]);
        assert_eq!(managed.object["spec"]["parentRefs"], from["spec"]["parentRefs"]);
        assert!(is_all_placeholder(&managed.object, HEADER, PLACEHOLDER));
        let rules = managed.object["spec"]["rules"].as_array().unwrap();
        assert_eq!(rules.len(), 2);
        for rule in rules {
            assert!(rule["name"].is_null());
            assert_eq!(rule["sessionPersistence"], json!({"sessionName": "s"}));
            assert_eq!(backends(rule), [("trackx".to_owned(), 100), ("trackx-b".to_owned(), 0)]);
        }
        assert_eq!(rules[1]["matches"][0]["headers"][0]["value"], "ph-0123456789abcdef-1-1");
        assert_eq!(managed.cells, [Cells { wave: 1, rules: vec![1] }]);
        assert_eq!(managed.armed[0], rules[0]["matches"]);
        assert_eq!(managed.armed[1].as_array().map(Vec::len), Some(4));
    }

    #[test]
    fn the_serving_slot_gets_all_weight_whatever_the_base_says_now() {
        let from = base(&[rule(&["/"])]);
        let (component, waves) = (component(), waves(&[1]));
        let install = Install {
            base: &from,
            others: Vec::new(),
            component: &component,
            header: HEADER,
            old: Slot::B,
            waves: &waves,
            release: "r",
            uid: UID,
            placeholder: PLACEHOLDER,
        };
        let layout = compile(&install).unwrap();
        let rule = &layout.routes[0].object["spec"]["rules"][1];
        assert_eq!(backends(rule), [("trackx".to_owned(), 0), ("trackx-b".to_owned(), 100)]);
    }

    #[test]
    fn cells_are_packed_in_wave_order_and_never_split() {
        let layout = compiled(&base(&[rule(&["/"])]), &[], &waves(&[10, 70, 60])).unwrap();
        let shape: Vec<Vec<(u32, Vec<u32>)>> =
            layout.routes.iter().map(|r| r.cells.iter().map(|c| (c.wave, c.rules.clone())).collect()).collect();
        assert_eq!(shape, [vec![(1, vec![1]), (2, vec![2, 3])], vec![(3, vec![1])],]);
        let wide = compiled(&base(&[rule(&["/"]), rule(&["/a"]), rule(&["/b"])]), &[], &waves(&[1; 5])).unwrap();
        let rules: Vec<usize> = wide.routes.iter().map(|r| r.armed.len()).collect();
        assert_eq!(rules, [15, 6], "three pinned rules and four waves of three fill a route");
    }

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        let from = base(&[rule(&["/"]), rule(&["/api"])]);
        let bytes = || {
            let layout = compiled(&from, &[], &waves(&[5, 90])).unwrap();
            layout.routes.iter().map(|r| r.object.to_string()).collect::<Vec<String>>()
        };
        assert_eq!(bytes(), bytes());
    }

    #[test]
    fn a_match_that_another_route_already_holds_is_refused() {
        let from = base(&[rule(&["/", "/api/"])]);
        let own = |value: &str| {
            foreign(
                json!({"path": {"type": "PathPrefix", "value": "/api"}, "headers": [{"name": "X-Customer-Id", "value": value}]}),
                "canary",
            )
        };
        let other = |value: &str| route("canary", "2026-02-01T00:00:00Z", &[own(value)]);
        let (listed, stranger) = (other("c0001"), other("somebody"));
        assert_eq!(checks(&compiled(&from, &[&listed], &waves(&[3])).unwrap_err()), ["route.equal-match"]);
        let layout = compiled(&from, &[&stranger], &waves(&[3])).unwrap();
        assert!(layout.warnings.iter().any(|w| w.check == "route.not-governed" && w.text.contains("somebody")));
        let mut elsewhere = listed;
        elsewhere["spec"]["hostnames"] = json!(["other.example.com"]);
        assert!(compiled(&from, &[&elsewhere], &waves(&[3])).is_ok());
    }

    #[test]
    fn every_refusal_comes_at_once() {
        let mut from = base(&[rule(&["/"]), rule(&["/"])]);
        from["spec"]["rules"][0]["matches"][0]["headers"] = json!([{"name": "X-CUSTOMER-ID", "value": "x"}]);
        from["spec"]["rules"][1]["backendRefs"].as_array_mut().unwrap().truncate(1);
        let mut list = waves(&[2]);
        list.insert(0, list[0].clone());
        let found = compiled(&from, &[], &list).unwrap_err();
        let expected = ["route.half-slot", "route.customer-header", "route.customer-twice", "route.customer-twice"];
        assert_eq!(checks(&found), expected);
    }

    #[test]
    fn nobody_listed_needs_no_route() {
        assert_eq!(compiled(&base(&[rule(&["/"])]), &[], &waves(&[])).unwrap().routes, []);
    }
}
