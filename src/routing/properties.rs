//! What holds for every base route and every set of waves, not for the examples only.

use super::backend::{destination, rules_of, slot_rules};
use super::fixture::{HEADER, PLACEHOLDER, UID, component, route, waves};
use super::matching::{Match, Probe, ProbePath, matches_of};
use super::shape::{MAX_ROUTE_MATCHES, MAX_RULE_MATCHES, MAX_RULES, shape};
use super::*;
use crate::api::Cells;
use crate::model::{CustomerId, ResourceKind, Side, Slot, Wave};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

const PATHS: [&str; 6] = ["/", "/a", "/a/b", "/a/b/c", "/api", "/b"];
const REQUEST_PATHS: [&str; 7] = ["/", "/a", "/a/b", "/a/b/c/d", "/api/x", "/b/", "/zzz"];
const HEADERS: [&[(&str, &str)]; 4] = [&[], &[("x-beta", "1")], &[("x-beta", "2")], &[("X-Beta", "1"), ("y", "1")]];

fn any_match() -> impl Strategy<Value = Value> {
    let path = (0..PATHS.len(), prop::bool::weighted(0.3));
    let method = prop_oneof![4 => Just(None), 1 => Just(Some("GET")), 1 => Just(Some("POST"))];
    let headers = prop_oneof![
        5 => Just(json!(null)),
        1 => Just(json!([{"type": "Exact", "name": "x-beta", "value": "1"}])),
        1 => Just(json!([{"name": "X-Beta", "value": "1"}, {"name": "y", "value": "1"}])),
        1 => Just(json!([{"name": "x-beta", "value": "2"}])),
    ];
    let query = prop_oneof![5 => Just(json!(null)), 1 => Just(json!([{"name": "q", "value": "1"}]))];
    (path, method, headers, query).prop_map(|((path, exact), method, headers, query)| {
        let mut matching = json!({"path": {"type": if exact { "Exact" } else { "PathPrefix" }, "value": PATHS[path]}});
        if let Some(method) = method {
            matching["method"] = json!(method);
        }
        for (key, value) in [("headers", headers), ("queryParams", query)] {
            if !value.is_null() {
                matching[key] = value;
            }
        }
        matching
    })
}

/// Rules with one to four matches; the first is always a slot rule, others may go elsewhere.
fn any_base() -> impl Strategy<Value = Value> {
    let body = (prop::bool::weighted(0.6), any::<bool>(), any::<bool>());
    let rule = (prop::collection::vec(any_match(), 1..=4), body);
    prop::collection::vec(rule, 1..=4).prop_map(|rules| {
        let mut seen: Vec<Match> = Vec::new();
        let mut built: Vec<Value> = Vec::new();
        for (number, (matches, (slots, filters, timeouts))) in rules.into_iter().enumerate() {
            let fresh: Vec<Value> = matches
                .into_iter()
                .filter(|value| {
                    let read = Match::read(value);
                    let is_new = seen.iter().all(|known| !known.same(&read));
                    seen.push(read);
                    is_new
                })
                .collect();
            if fresh.is_empty() {
                continue;
            }
            let refs = if slots || built.is_empty() {
                json!([{"name": "trackx-b", "port": 80, "weight": 0}, {"name": "trackx", "port": 80, "weight": 100}])
            } else {
                json!([{"name": format!("other{number}"), "port": 80}])
            };
            let mut rule = json!({"name": format!("r{number}"), "matches": fresh, "backendRefs": refs});
            if filters {
                rule["filters"] = json!([{"type": "URLRewrite", "urlRewrite": {"hostname": format!("h{number}")}}]);
            }
            if timeouts {
                rule["timeouts"] = json!({"request": "0s"});
            }
            built.push(rule);
        }
        route("trackx", "2026-01-01T00:00:00Z", &built)
    })
}

/// A base, its waves and the managed routes as the server would store them, at three moments.
#[derive(Debug)]
struct Case {
    base: Value,
    waves: Vec<Wave>,
    layout: Layout,
    created: Vec<Value>,
    armed: Vec<Value>,
}

fn any_case() -> impl Strategy<Value = Case> {
    (any_base(), prop::collection::vec(prop_oneof![4 => 1..4_usize, 1 => 4..40_usize], 1..=4)).prop_map(
        |(base, sizes)| {
            let waves = waves(&sizes);
            let layout = compile_case(&base, &waves);
            let created: Vec<Value> = layout.routes.iter().map(|r| stored(&r.object)).collect();
            let armed = created.iter().zip(&layout.routes).map(|(live, r)| write(live, &[Edit::Matches(&r.armed)]));
            Case { armed: armed.collect(), base, waves, layout, created }
        },
    )
}

fn compile_case(base: &Value, waves: &[Wave]) -> Layout {
    compile(&Install {
        base,
        others: Vec::new(),
        component: &component(),
        header: HEADER,
        old: Slot::A,
        waves,
        release: "trackx-4-12-0",
        uid: UID,
        placeholder: PLACEHOLDER,
    })
    .expect("a base of this kind is never refused")
}

/// What the server adds to a body.
fn stored(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["uid"] = json!("uid");
    object["metadata"]["resourceVersion"] = json!("1");
    object["metadata"]["creationTimestamp"] = json!("2026-03-01T00:00:00Z");
    object
}

/// Carries edits out as a console does: patch, then apply.
fn write(live: &Value, edits: &[Edit]) -> Value {
    let fence = fence_of(live).map_or(Fence::First, Fence::At);
    apply(live, &patch(live, fence, edits).expect("a patch")).expect("the patch applies")
}

fn shift(live: &Value, rules: Rules, to: Side) -> Value {
    write(live, &[Edit::Weights { rules, old: "trackx", new: "trackx-b", to }])
}

impl Case {
    /// The routes with these waves on the new version.
    fn moved(&self, moved: &BTreeSet<u32>) -> Vec<Value> {
        let rules_of = |cells: &[Cells]| -> Vec<u32> {
            cells.iter().filter(|c| moved.contains(&c.wave)).flat_map(|c| c.rules.clone()).collect()
        };
        let route = |(live, managed): (&Value, &ManagedRoute)| {
            let rules = rules_of(&managed.cells);
            if rules.is_empty() { live.clone() } else { shift(live, Rules::These(&rules), Side::New) }
        };
        self.armed.iter().zip(&self.layout.routes).map(route).collect()
    }

    /// The wave of each listed customer, counted from 1.
    fn wave_of(&self) -> BTreeMap<&CustomerId, u32> {
        self.waves.iter().zip(1..).flat_map(|(w, n)| w.customers.iter().map(move |id| (id, n))).collect()
    }

    /// The first and the last customer of each wave.
    fn sample(&self) -> Vec<&CustomerId> {
        self.waves.iter().flat_map(|w| w.customers.first().into_iter().chain(w.customers.last())).collect()
    }

    fn world<'a>(&'a self, managed: &'a [Value]) -> Vec<&'a Value> {
        std::iter::once(&self.base).chain(managed).collect()
    }
}

/// Calls `judge` with every kind of request of a customer; `None` sends no customer header.
fn each_request(customer: Option<&str>, mut judge: impl FnMut(&Request)) {
    for headers in HEADERS {
        let lines: Vec<(&str, &str)> =
            customer.map(|id| ("X-Customer-ID", id)).into_iter().chain(headers.to_vec()).collect();
        for path in REQUEST_PATHS {
            for method in ["GET", "POST", "PUT"] {
                for query in [&[][..], &[("q", "1")]] {
                    judge(&Request { host: "app.example.com", path, method, headers: &lines, query });
                }
            }
        }
    }
}

/// Every match of the routes; managed routes are younger than the base and stand in order of their names.
fn all_matches(routes: &[&Value]) -> Vec<(Match, Hit)> {
    let of_rule = |route: usize, rule: usize, body: &Value| {
        let hit = move |(matched, m): (usize, Match)| (m, Hit { route, rule, matched });
        matches_of(body).into_iter().enumerate().map(hit).collect::<Vec<_>>()
    };
    let of_route = |(route, object): (usize, &&Value)| {
        rules_of(object).iter().enumerate().flat_map(|(rule, body)| of_rule(route, rule, body)).collect::<Vec<_>>()
    };
    routes.iter().enumerate().flat_map(of_route).collect()
}

/// The rule that takes a request, found the slow way.
fn search(matches: &[(Match, Hit)], request: &Request) -> Option<Hit> {
    let (path, method) = (ProbePath::At(request.path), Some(request.method));
    let probe = Probe { path, method, headers: request.headers, query: request.query, within: None };
    let taking = matches.iter().filter(|(matching, _)| matching.takes(&probe));
    taking.map(|(matching, hit)| (matching.rank(), Reverse(*hit))).max().map(|(_, Reverse(hit))| hit)
}

/// What a rule does to a request, weights of the two slots aside.
fn effect(rule: &Value) -> Value {
    let mut rest = rule.clone();
    for key in ["name", "matches"] {
        rest.as_object_mut().expect("a rule").remove(key);
    }
    for backend in rest["backendRefs"].as_array_mut().into_iter().flatten() {
        if backend["name"].as_str().is_some_and(|name| name.starts_with("trackx")) {
            backend["weight"] = Value::Null;
        }
    }
    rest
}

/// The rule a hit names.
fn rule_at<'a>(routes: &[&'a Value], hit: Hit) -> &'a Value {
    &rules_of(routes[hit.route])[hit.rule]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_listed_customer_is_taken_by_the_one_intended_rule_and_everybody_else_by_the_base(case in any_case()) {
        let shape = shape(&case.base, &component()).expect("a shape");
        let replicated: Vec<usize> = rules_of(&case.base).iter().enumerate()
            .filter(|(_, rule)| shape.rules.iter().any(|r| r.rule == *rule)).map(|(i, _)| i).collect();
        let alone = Table::build(&[&case.base]);
        let routes = case.world(&case.armed);
        let table = Table::build(&routes);
        let waves = case.wave_of();
        for id in case.sample() {
            let wave = waves[id];
            each_request(Some(id.as_str()), |request| {
                let (before, after) = (alone.winner(request), table.winner(request));
                let (Some(before), Some(after)) = (before, after) else {
                    assert_eq!(before, after, "{request:?}");
                    return;
                };
                let Some(place) = replicated.iter().position(|i| *i == before.rule) else {
                    assert_eq!(before, after, "a rule that is not repeated keeps its requests: {request:?}");
                    return;
                };
                assert_ne!(after.route, 0, "{request:?}");
                assert_eq!(after.rule % replicated.len(), place, "{request:?}");
                assert!(after.rule >= replicated.len(), "a pinned rule takes nobody");
                assert_eq!(effect(rule_at(&routes, after)), effect(&rules_of(&case.base)[before.rule]));
                let moves = case.layout.routes[after.route - 1].cells.iter()
                    .find(|c| c.rules.contains(&u32::try_from(after.rule).unwrap())).map(|c| c.wave);
                assert_eq!(moves, shape.rules[place].moves.then_some(wave), "{request:?}");
            });
        }
        for customer in [None, Some("nobody"), Some(PLACEHOLDER)] {
            each_request(customer, |request| assert_eq!(table.winner(request), alone.winner(request)));
        }
    }

    #[test]
    fn the_prepared_table_answers_as_a_search_through_all_matches_does(case in any_case()) {
        let routes = case.world(&case.armed);
        let (table, matches) = (Table::build(&routes), all_matches(&routes));
        for customer in case.sample().into_iter().take(2).map(CustomerId::as_str).map(Some).chain([None]) {
            each_request(customer, |request| assert_eq!(table.winner(request), search(&matches, request), "{request:?}"));
        }
    }

    #[test]
    fn before_arming_and_after_cleaning_the_base_takes_everything(case in any_case()) {
        let alone = Table::build(&[&case.base]);
        let everybody: BTreeSet<u32> = (1..=5).collect();
        let back = |live: &Value| shift(live, Rules::All, Side::Old);
        let clean = |(live, managed): (&Value, &ManagedRoute)| {
            write(&back(live), &[Edit::Matches(&managed.placeholders())])
        };
        let cleaned: Vec<Value> = case.moved(&everybody).iter().zip(&case.layout.routes).map(clean).collect();
        for managed in [&case.created, &cleaned] {
            prop_assert!(managed.iter().all(|route| is_all_placeholder(route, HEADER, PLACEHOLDER)));
            let table = Table::build(&case.world(managed));
            for id in case.sample() {
                each_request(Some(id.as_str()), |request| assert_eq!(table.winner(request), alone.winner(request)));
            }
        }
        let hash = |route: &Value| owned_hash(ResourceKind::HTTPRoute, route);
        prop_assert_eq!(cleaned.iter().map(hash).collect::<Vec<_>>(), case.created.iter().map(hash).collect::<Vec<_>>());
        prop_assert!(case.armed.iter().all(|route| !is_all_placeholder(route, HEADER, PLACEHOLDER)));
    }

    #[test]
    fn limits_are_kept_and_all_paths_of_a_customer_are_in_one_route(case in any_case()) {
        let mut homes: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (number, (created, armed)) in case.created.iter().zip(&case.armed).enumerate() {
            for route in [created, armed] {
                let counts: Vec<usize> = rules_of(route).iter().map(|rule| matches_of(rule).len()).collect();
                prop_assert!(counts.len() <= MAX_RULES);
                prop_assert!(counts.iter().all(|count| (1..=MAX_RULE_MATCHES).contains(count)));
                prop_assert!(counts.iter().sum::<usize>() <= MAX_ROUTE_MATCHES);
            }
            for matching in rules_of(armed).iter().flat_map(matches_of) {
                let value = matching.header(HEADER).map(|c| c.value.clone()).unwrap_or_default();
                homes.entry(value).or_default().insert(number);
            }
        }
        prop_assert!(homes.values().all(|routes| routes.len() == 1));
        let listed: BTreeSet<&str> = case.waves.iter().flat_map(|w| &w.customers).map(CustomerId::as_str).collect();
        let named: BTreeSet<&str> = homes.keys().map(String::as_str).filter(|v| !v.starts_with("ph-")).collect();
        prop_assert_eq!(named, listed);
    }

    #[test]
    fn no_two_rules_ever_hold_an_equal_match(case in any_case(), cut in 0_usize..4) {
        // Arming and cleaning go route by route: some are armed while others are not.
        let mixed: Vec<Value> = case.armed.iter().zip(&case.created).enumerate()
            .map(|(i, (armed, created))| if i < cut { armed.clone() } else { created.clone() }).collect();
        for managed in [&case.created, &case.armed, &mixed] {
            let all: Vec<Match> = case.world(managed).into_iter().flat_map(rules_of).flat_map(matches_of).collect();
            let distinct: BTreeSet<&Match> = all.iter().collect();
            prop_assert_eq!(distinct.len(), all.len());
        }
    }

    #[test]
    fn a_shift_moves_exactly_its_wave_on_every_path(case in any_case(), moved in prop::collection::btree_set(1..=4_u32, 0..4)) {
        let managed = case.moved(&moved);
        let routes = case.world(&managed);
        let table = Table::build(&routes);
        let slots = slot_rules(&case.base, &component());
        let alone = Table::build(&[&case.base]);
        let waves = case.wave_of();
        let expected = |id| if moved.contains(&waves[id]) { Slot::B } else { Slot::A };
        for id in case.sample() {
            each_request(Some(id.as_str()), |request| {
                let (Some(before), Some(hit)) = (alone.winner(request), table.winner(request)) else { return };
                let goes = destination(routes[hit.route], rule_at(&routes, hit), &component());
                assert_eq!(goes, slots.contains(&before.rule).then_some(expected(id)), "{request:?}");
            });
        }
        let listed: Vec<CustomerId> = waves.keys().map(|id| (*id).clone()).collect();
        let live = placements(&routes, "trackx", &component(), HEADER, &listed);
        prop_assert!(live.iter().all(|(id, slot)| *slot == Some(expected(id))), "{live:?}");
        prop_assert_eq!(unlisted_placement(&routes, "trackx", &component()), Some(Slot::A));
        for (route, managed) in managed.iter().zip(&case.layout.routes) {
            for cells in &managed.cells {
                let slot = if moved.contains(&cells.wave) { Slot::B } else { Slot::A };
                prop_assert_eq!(weights_of(route, &cells.rules, &component()), Some(slot));
            }
        }
    }

    #[test]
    fn undo_brings_everybody_back_from_any_state(case in any_case(), moved in prop::collection::btree_set(1..=4_u32, 0..4), promoted: bool) {
        let undo = Undo::live(&case.base, &component(), Slot::A, "trackx-4-12-0", UID).expect("an undo");
        let marked = write(&case.base, &[Edit::Undo(&undo)]);
        let base = if promoted { shift(&marked, Rules::All, Side::New) } else { marked };
        let roll_back = |live: &Value| {
            let Some(Ok(Undo::Live { old, new, .. })) = Undo::parse(live) else { panic!("every route carries the undo") };
            write(live, &[Edit::Weights { rules: Rules::All, old: &old.name, new: &new.name, to: Side::Old }])
        };
        let routes: Vec<Value> = std::iter::once(&base).chain(&case.moved(&moved)).map(roll_back).collect();
        let routes: Vec<&Value> = routes.iter().collect();
        let listed: Vec<CustomerId> = case.wave_of().into_keys().cloned().collect();
        let live = placements(&routes, "trackx", &component(), HEADER, &listed);
        prop_assert!(live.values().all(|slot| *slot == Some(Slot::A)));
        prop_assert_eq!(unlisted_placement(&routes, "trackx", &component()), Some(Slot::A));
        prop_assert_eq!(active_slot(routes[0], &component()), Ok(Slot::A));
    }
}
