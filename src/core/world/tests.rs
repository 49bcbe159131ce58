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

fn pod(name: &str, labels: Value) -> (ResourceKind, Value) {
    (ResourceKind::Pod, json!({ "metadata": { "name": name, "labels": labels } }))
}

#[test]
fn pods_without_a_slot_label_belong_to_the_deployment_that_alone_selects_them() {
    let pair = |name: &str| SlotPair { deployment: name.into(), service: name.into() };
    let component = Component { name: "web".into(), route: "shop".into(), a: pair("shop"), b: pair("shop-b") };
    let mut objects = vec![
        deployment("shop", "shop"),
        deployment("shop-b", "shop-b"),
        pod("old", json!({ "app": "shop" })),
        pod("new", json!({ "app": "shop-b", "pilothouse.dev/slot": "b" })),
        // The label decides where there is one, also against a selector, and also when it names no slot.
        pod("swapped", json!({ "app": "shop", "pilothouse.dev/slot": "b" })),
        pod("odd", json!({ "app": "shop", "pilothouse.dev/slot": "c" })),
        pod("stranger", json!({ "app": "other" })),
    ];
    let world = learned(&objects);
    let names =
        |world: &World, slot| -> Vec<String> { world.pods(&component, slot).map(|pod| pod.name.clone()).collect() };
    assert_eq!(names(&world, Slot::A), ["old"]);
    assert_eq!(names(&world, Slot::B), ["new", "swapped"]);

    objects.push(deployment("rival", "shop"));
    assert!(names(&learned(&objects), Slot::A).is_empty(), "whose pod it is is not clear");
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
