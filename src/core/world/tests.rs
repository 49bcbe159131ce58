//! Whose pod it is, and which version a Deployment runs.

use super::*;
use crate::model::SlotPair;
use serde_json::json;

fn learned(objects: &[(ResourceKind, Value)]) -> World {
    let mut world = World::default();
    for (kind, object) in objects {
        world.learn(*kind, object);
    }
    world
}

fn deployment(name: &str, app: &str) -> (ResourceKind, Value) {
    let spec = json!({ "selector": { "matchLabels": { "app": app } }, "template": {} });
    (ResourceKind::Deployment, json!({ "metadata": { "name": name }, "spec": spec }))
}

fn service(name: &str, selector: Value) -> (ResourceKind, Value) {
    (ResourceKind::Service, json!({ "metadata": { "name": name }, "spec": { "selector": selector } }))
}

/// A pod that nothing controls.
fn pod(name: &str, labels: Value) -> (ResourceKind, Value) {
    (ResourceKind::Pod, json!({ "metadata": { "name": name, "uid": name, "labels": labels } }))
}

/// A pod that something controls, named as the Deployment controller names it.
fn owned(name: &str, kind: &str, owner: &str, mut labels: Value) -> (ResourceKind, Value) {
    labels["pod-template-hash"] = json!("7d9f");
    let (of, mut object) = pod(name, labels);
    object["metadata"]["ownerReferences"] = json!([{ "kind": kind, "name": owner, "controller": true }]);
    (of, object)
}

fn shop() -> Component {
    let pair = |name: &str| SlotPair { deployment: name.into(), service: name.into() };
    Component { name: "web".into(), route: "shop".into(), a: pair("shop"), b: pair("shop-b") }
}

/// The shop and its neighbour, which is released in the same namespace by a plan of its own.
fn neighbours() -> Vec<(ResourceKind, Value)> {
    vec![
        deployment("shop", "shop"),
        deployment("shop-b", "shop-b"),
        service("shop", json!({ "app": "shop" })),
        service("shop-b", json!({ "app": "shop-b" })),
        deployment("bill", "bill"),
        deployment("bill-b", "bill-b"),
    ]
}

fn names(world: &World, slot: Slot) -> Vec<String> {
    world.pods(&shop(), slot).map(|pod| pod.name.clone()).collect()
}

const SLOT: &str = "pilothouse.dev/slot";

#[test]
fn pods_without_a_slot_label_belong_to_the_deployment_that_controls_or_selects_them() {
    let mut objects = vec![
        deployment("shop", "shop"),
        deployment("shop-b", "shop-b"),
        pod("old", json!({ "app": "shop" })),
        pod("new", json!({ "app": "shop-b", SLOT: "b" })),
        // The label decides where it names a slot, also against a selector.
        pod("swapped", json!({ "app": "shop", SLOT: "b" })),
        pod("odd", json!({ "app": "shop", SLOT: "c" })),
        pod("stranger", json!({ "app": "other" })),
    ];
    let world = learned(&objects);
    assert_eq!(names(&world, Slot::A), ["odd", "old"]);
    assert_eq!(names(&world, Slot::B), ["new", "swapped"]);

    // A second Deployment with the same selector takes no pod out of coverage; what it controls is its own.
    objects.push(deployment("worker", "shop"));
    objects.push(owned("shop-7d9f-aaaaa", "ReplicaSet", "shop-7d9f", json!({ "app": "shop" })));
    objects.push(owned("worker-7d9f-aaaaa", "ReplicaSet", "worker-7d9f", json!({ "app": "shop" })));
    objects.push(owned("import-x", "Job", "import", json!({ "app": "shop" })));
    assert_eq!(names(&learned(&objects), Slot::A), ["odd", "old", "shop-7d9f-aaaaa"]);
}

#[test]
fn pods_of_another_plan_in_the_namespace_are_not_ours_although_they_carry_the_same_slot() {
    let mut objects = neighbours();
    objects.extend([
        owned("shop-7d9f-aaaaa", "ReplicaSet", "shop-7d9f", json!({ "app": "shop", SLOT: "a" })),
        owned("bill-7d9f-aaaaa", "ReplicaSet", "bill-7d9f", json!({ "app": "bill", SLOT: "a" })),
        owned("bill-b-7d9f-aaaaa", "ReplicaSet", "bill-b-7d9f", json!({ "app": "bill-b", SLOT: "b" })),
        // Not yet taken over by its ReplicaSet, and one of a plan whose Deployments are not known here.
        pod("bill-orphan", json!({ "app": "bill", SLOT: "a" })),
        owned("mail-7d9f-aaaaa", "ReplicaSet", "mail-7d9f", json!({ "app": "mail", SLOT: "a" })),
        owned("bill-db-0", "StatefulSet", "bill-db", json!({ "app": "bill", SLOT: "a" })),
    ]);
    let world = learned(&objects);
    assert_eq!(names(&world, Slot::A), ["shop-7d9f-aaaaa"]);
    assert_eq!(names(&world, Slot::B), [] as [&str; 0]);
}

#[test]
fn a_pod_that_nobody_else_has_is_never_lost_from_its_slot() {
    let mut objects = neighbours();
    objects.extend([
        // Taken out of the Service to be looked at: its ReplicaSet has let go of it, and its streams are still open.
        pod("shop-quarantined", json!({ SLOT: "a" })),
        // Relabelled just now: its ReplicaSet has not let go of it yet.
        owned("shop-7d9f-bbbbb", "ReplicaSet", "shop-7d9f", json!({ "app": "bill", SLOT: "a" })),
        // Controlled by another Deployment, and our Service sends to it.
        owned("canary-7d9f-aaaaa", "ReplicaSet", "canary-7d9f", json!({ "app": "shop", SLOT: "a" })),
    ]);
    assert_eq!(names(&learned(&objects), Slot::A), ["canary-7d9f-aaaaa", "shop-7d9f-bbbbb", "shop-quarantined"]);
}

#[test]
fn before_our_own_selectors_are_known_every_pod_with_the_label_counts() {
    let foreign = owned("bill-7d9f-aaaaa", "ReplicaSet", "bill-7d9f", json!({ "app": "bill", SLOT: "a" }));
    for missing in ["shop", "shop-b"] {
        for kind in [ResourceKind::Deployment, ResourceKind::Service] {
            let mut objects = neighbours();
            objects.push(foreign.clone());
            objects.retain(|(of, object)| *of != kind || name_of(object) != missing);
            let mut world = learned(&objects);
            let expected: &[&str] = if missing == "shop" { &["bill-7d9f-aaaaa"] } else { &[] };
            assert_eq!(names(&world, Slot::A), expected, "{kind:?} {missing}");
            // What a complete list does not hold does not exist, and takes no pod.
            let all: Vec<Value> = world.all(kind).cloned().collect();
            world.observe(Timestamp::UNIX_EPOCH, &KubeEvent { kind, change: Change::Reset(all) });
            assert_eq!(names(&world, Slot::A), [] as [&str; 0], "{kind:?} {missing}");
        }
    }
}

#[test]
fn a_series_is_judged_by_its_pod_then_by_its_name_and_else_nothing_is_known_of_it() {
    let mut objects = neighbours();
    objects.push(owned("bill-7d9f-aaaaa", "ReplicaSet", "bill-7d9f", json!({ "app": "bill", SLOT: "a" })));
    objects.push(owned("oddly-named", "ReplicaSet", "bill-7d9f", json!({ "app": "bill", SLOT: "a" })));
    objects.push(pod("shop-quarantined", json!({ SLOT: "a" })));
    let mut world = learned(&objects);
    let long = format!("bill-{}-aaaaa", "f".repeat(58));
    for (name, expected) in [
        ("bill-7d9f-aaaaa", Kin::Foreign),
        ("shop-quarantined", Kin::Unknown),
        ("oddly-named", Kin::Foreign),
        // Gone before anybody looked.
        ("shop-b-7d9f-zzzzz", Kin::Ours),
        ("bill-b-7d9f-zzzzz", Kin::Foreign),
        ("mail-7d9f-zzzzz", Kin::Unknown),
        ("bill-7d9f-zz", Kin::Unknown),
        ("x", Kin::Unknown),
        ("", Kin::Unknown),
        // A name as long as that may have been cut.
        (long.as_str(), Kin::Unknown),
    ] {
        assert_eq!(world.kin(&shop(), name), expected, "{name}");
    }
    // What was seen once is known also when it has gone.
    world.forget(&ResourceRef::new(ResourceKind::Pod, "oddly-named"));
    world.learn_all(ResourceKind::Pod, &[]);
    assert_eq!(world.kin(&shop(), "oddly-named"), Kin::Foreign);
    assert_eq!(world.kin(&shop(), "shop-quarantined"), Kin::Unknown);
}

#[test]
fn a_pod_of_another_plan_that_was_killed_is_not_booked_as_cut() {
    let mut objects = neighbours();
    for (name, owner, app) in [("shop-7d9f-aaaaa", "shop-7d9f", "shop"), ("bill-7d9f-aaaaa", "bill-7d9f", "bill")] {
        let (kind, mut object) = owned(name, "ReplicaSet", owner, json!({ "app": app, SLOT: "a" }));
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        object["status"] = json!({ "containerStatuses": [{ "state": { "terminated": { "exitCode": 137 } } }] });
        objects.push((kind, object));
    }
    assert_eq!(learned(&objects).cut(&shop()), 1);
}

#[test]
fn a_deployments_own_label_names_the_version_where_its_template_does_not() {
    let read = |own: Value, template: Value| {
        deployment_view(&json!({
            "metadata": { "name": "shop", "labels": own },
            "spec": { "template": { "metadata": { "labels": template } } },
        }))
    };
    let (one, two) = (json!({ VERSION_LABEL: "1" }), json!({ VERSION_LABEL: "2" }));
    assert_eq!(read(one.clone(), json!({})).running(), Some("1"));
    assert_eq!(read(one, two).running(), Some("2"));
    assert_eq!(read(json!({}), json!({})).running(), None);
}

#[test]
fn a_pod_whose_labels_or_controller_change_is_found_where_it_is_now() {
    let mut world = learned(&neighbours());
    let shop = |labels: Value| owned("shop-7d9f-aaaaa", "ReplicaSet", "shop-7d9f", labels);
    let let_go = pod("shop-7d9f-aaaaa", json!({ "app": "shop" }));
    let others = owned("shop-7d9f-aaaaa", "ReplicaSet", "bill-7d9f", json!({ "app": "bill" }));
    for ((kind, object), a, b) in [
        (shop(json!({ "app": "shop" })), 1, 0),
        (shop(json!({ "app": "shop", SLOT: "b" })), 0, 1),
        (let_go, 1, 0),
        (others, 0, 0),
        (shop(json!({ "app": "shop", SLOT: "a" })), 1, 0),
        (shop(json!({ "app": "shop" })), 1, 0),
    ] {
        world.learn(kind, &object);
        assert_eq!((names(&world, Slot::A).len(), names(&world, Slot::B).len()), (a, b), "{object}");
    }
    world.learn_all(ResourceKind::Pod, &[]);
    assert_eq!(names(&world, Slot::A), [] as [&str; 0]);
}

#[test]
fn the_list_of_customers_is_the_one_of_the_plans_own_configmap_and_why_there_is_none_is_said() {
    let plan = |from: &str| {
        let component = json!({ "name": "web", "route": "shop", "a": { "deployment": "a", "service": "a" }, "b": { "deployment": "b", "service": "b" } });
        let customers = json!({ "identifiedBy": { "header": "x" }, "from": { "configMap": from } });
        let rings = json!([{ "name": "all", "rest": true }]);
        plan_of("shop", "shop", &json!({ "components": [component], "customers": customers, "rings": rings })).unwrap()
    };
    let mut world = World::default();
    let said = |world: &World, from: &str| -> Vec<String> {
        let plan = plan(from);
        let found = world.customers(&plan).map(|list| list.iter().map(|customer| customer.id.to_string()).collect());
        found.unwrap_or_else(|why| {
            why.into_iter().map(|finding| format!("{} [{}]", finding.text, finding.check)).collect()
        })
    };
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let see = |world: &mut World, change: Change| {
        world.observe(now, &KubeEvent { kind: ResourceKind::ConfigMap, change });
    };
    let map = |name: &str, data: Value| json!({ "metadata": { "name": name }, "data": data });
    let who = "ConfigMap list, where the customers are to be listed,";
    assert_eq!(said(&world, "list"), [format!("{who} has not been read yet: wait a moment [customers.waiting]")]);
    see(&mut world, Change::Failed { why: "403".into(), answered: true });
    assert_eq!(said(&world, "list"), [format!("{who} cannot be read (403) [customers.unread]")]);
    see(&mut world, Change::Reset(vec![map("list", json!({ "customers.yaml": "- {id: acme}" }))]));
    assert_eq!(said(&world, "list"), ["acme"]);
    see(&mut world, Change::Upsert(map("other", json!({ "customers.yaml": "- {id: globex}" }))));
    assert_eq!((said(&world, "list"), said(&world, "other")), (vec!["acme".to_owned()], vec!["globex".to_owned()]));
    see(&mut world, Change::Upsert(map("list", json!({ "customers.yml": "" }))));
    assert_eq!(
        said(&world, "list"),
        [format!("{who} has no key customers.yaml, only [\"customers.yml\"]: put the list there [customers.missing]")]
    );
    see(&mut world, Change::Upsert(map("list", json!({ "customers.yaml": "- {name: x}" }))));
    assert_eq!(said(&world, "list"), ["customers.yaml of ConfigMap list: customer 1 has no id [customers.shape]"]);
    see(&mut world, Change::Reset(Vec::new()));
    assert_eq!(said(&world, "list"), [format!("{who} does not exist: create it [customers.missing]")]);
}
