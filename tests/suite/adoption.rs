//! Adoption: from a namespace as one finds it to files, and from those files to a release.

use pilothouse::api::{ADOPT_KINDS, Adopt, Adoption, Found, adopt};
use pilothouse::model::{Finding, Level, name_of, parse_customers, selects, service_selects};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/adoption")
}

/// Reads a stream of YAML documents.
fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n").map(|one| serde_saphyr::from_str(one).unwrap()).filter(|one: &Value| !one.is_null()).collect()
}

/// Takes objects in as if they had been read from a cluster.
fn found(objects: &[Value]) -> Found {
    let mut found = Found::default();
    for kind in ADOPT_KINDS {
        // A ServiceMonitor is one of the Prometheus operator's here, not of Azure's own group.
        if kind.group != "azmonitoring.coreos.com" {
            let version = if kind.kind == "HorizontalPodAutoscaler" { "v2" } else { "v1" };
            found.add(kind, version, objects.iter().filter(|object| object["kind"] == kind.kind).cloned().collect());
        }
    }
    found
}

fn ask() -> Adopt {
    Adopt {
        namespace: "shop".into(),
        plan: "shop".into(),
        deployment: "shop".into(),
        service: "shop".into(),
        route: "shop".into(),
        header: "x-customer-id".into(),
        customers: Some(
            parse_customers("customers.yaml", "[{id: house, tier: internal}, {id: acme}, {id: globex}]").unwrap(),
        ),
        metrics_url: None,
        metrics_service: None,
    }
}

fn cluster() -> Vec<Value> {
    documents(&fs::read_to_string(folder().join("cluster.yaml")).unwrap())
}

fn adopted(change: impl FnOnce(&mut Adopt, &mut Vec<Value>)) -> Result<Adoption, Vec<Finding>> {
    let (mut ask, mut objects) = (ask(), cluster());
    change(&mut ask, &mut objects);
    adopt(&ask, &found(&objects))
}

fn object<'a>(objects: &'a mut [Value], kind: &str, name: &str) -> &'a mut Value {
    objects.iter_mut().find(|one| one["kind"] == kind && name_of(one) == name).unwrap()
}

fn text<'a>(adoption: &'a Adoption, file: &str) -> &'a str {
    &adoption.files.iter().find(|one| one.name == file).unwrap().text
}

#[test]
fn every_file_of_a_rich_namespace_is_as_it_was_read_and_agreed() {
    let adoption = adopted(|_, _| {}).unwrap();
    let mut wrong = Vec::new();
    let open: String =
        adoption.open.iter().map(|one| format!("{:?} {}: {}\n", one.level, one.check, one.text)).collect();
    let files = adoption.files.iter().map(|file| (file.name, file.text.as_str()));
    for (name, text) in files.skip(1).chain([("open.txt", open.as_str())]) {
        let golden = folder().join(name);
        if std::env::var_os("PILOTHOUSE_BLESS").is_some() {
            fs::write(&golden, text).unwrap();
        }
        if fs::read_to_string(&golden).unwrap_or_default() != text {
            wrong.push(format!("{name} has changed: read it, then bless it with PILOTHOUSE_BLESS=1\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn nothing_that_takes_slot_a_takes_slot_b_and_each_twin_takes_slot_b_alone() {
    let adoption = adopted(|_, _| {}).unwrap();
    let originals = cluster();
    let twins = documents(text(&adoption, "20-slot-b.yaml"));
    let labels = |objects: &[Value]| {
        objects.iter().find(|one| one["kind"] == "Deployment").unwrap()["spec"]["template"]["metadata"]["labels"]
            .clone()
    };
    let (a, b) = (labels(&originals), labels(&twins));
    let batch = json!({ "app.kubernetes.io/name": "batch", "tier": "web-b" });
    let takes = |object: &Value, labels: &Value| match object["kind"].as_str().unwrap() {
        "Service" => service_selects(&object["spec"]["selector"], labels),
        "NetworkPolicy" => selects(&object["spec"]["podSelector"], labels),
        "Deployment" | "PodDisruptionBudget" | "AuthorizationPolicy" => selects(&object["spec"]["selector"], labels),
        _ => false,
    };
    for object in originals.iter().filter(|one| name_of(one) != "default-deny") {
        assert!(!takes(object, &b), "{} {} takes slot b", object["kind"], name_of(object));
    }
    let taken: Vec<&Value> = originals.iter().filter(|one| takes(one, &a)).collect();
    let own: Vec<&Value> = twins.iter().filter(|one| takes(one, &b)).collect();
    assert_eq!(own.len() + 1, taken.len(), "all but the policy that takes everything");
    for twin in &twins {
        assert!(!takes(twin, &a) && !takes(twin, &batch), "{twin} takes somebody else");
    }
}

#[test]
fn the_patch_applies_to_the_route_as_it_was_read_and_to_no_other() {
    let adoption = adopted(|_, _| {}).unwrap();
    let patch: json_patch::Patch = serde_json::from_str(text(&adoption, "30-route.patch.json")).unwrap();
    let mut objects = cluster();
    let route = object(&mut objects, "HTTPRoute", "shop");
    let before = route.clone();
    json_patch::patch(route, &patch).unwrap();
    let backends = |rule: usize| -> Vec<(String, u64)> {
        let list = route["spec"]["rules"][rule]["backendRefs"].as_array().unwrap();
        list.iter().map(|one| (one["name"].as_str().unwrap().to_owned(), one["weight"].as_u64().unwrap())).collect()
    };
    assert_eq!(backends(0), [("shop".into(), 100), ("shop-b".into(), 0)]);
    assert_eq!(backends(1), [("shop".into(), 100), ("old".into(), 0), ("shop-b".into(), 0)]);
    assert_eq!(backends(2), [("shop-admin".into(), 1)]);
    for (place, value) in [("/metadata/uid", json!("other")), ("/spec/rules/0/backendRefs/0/port", json!(81))] {
        let mut other = before.clone();
        *other.pointer_mut(place).unwrap() = value;
        assert!(json_patch::patch(&mut other, &patch).is_err(), "{place} was changed by somebody");
    }
}

#[test]
fn what_a_run_before_has_made_changes_nothing_of_the_next() {
    let first = adopted(|_, _| {}).unwrap();
    let second = adopted(|_, objects| objects.extend(documents(text(&first, "20-slot-b.yaml")))).unwrap();
    assert_eq!(first.files, second.files);
    let third = adopted(|_, objects| {
        let patch: json_patch::Patch = serde_json::from_str(text(&first, "30-route.patch.json")).unwrap();
        json_patch::patch(object(objects, "HTTPRoute", "shop"), &patch).unwrap();
    });
    assert!(third.unwrap().open.iter().any(|one| one.check == "adopt.patched"));
}

#[test]
fn without_customers_and_monitors_the_plan_says_what_is_missing_and_is_still_one() {
    let adoption = adopted(|ask, objects| {
        ask.customers = None;
        objects.retain(|one| one["kind"] != "ServiceMonitor");
        let service = object(objects, "Service", "shop");
        service["spec"]["ports"] = json!([{ "port": 80, "targetPort": 8080 }]);
    })
    .unwrap();
    let plan = text(&adoption, "50-plan.yaml");
    assert!(plan.contains("container: \"app\"") && plan.contains("source is missing"), "{plan}");
    assert!(text(&adoption, "60-metrics.md").contains("{target_label: slot, replacement: a}"));
    assert!(
        parse_customers(
            "customers.yaml",
            documents(text(&adoption, "40-customers.yaml"))[0]["data"]["customers.yaml"].as_str().unwrap()
        )
        .unwrap()
        .is_empty()
    );
    for check in ["adopt.no-customers", "adopt.no-monitor", "adopt.no-metrics-source"] {
        assert!(adoption.open.iter().any(|one| one.check == check && one.level == Level::Warn), "{check}");
    }
}

#[test]
fn a_pod_monitor_tells_the_slots_apart_by_its_job() {
    let adoption = adopted(|ask, objects| {
        ask.metrics_url = Some("http://prometheus:9090".into());
        objects.retain(|one| one["kind"] != "ServiceMonitor");
        objects.push(json!({ "kind": "PodMonitor", "metadata": { "name": "shop", "namespace": "shop" },
            "spec": { "selector": { "matchLabels": { "tier": "web" } }, "podMetricsEndpoints": [{ "port": "metrics" }] } }));
    })
    .unwrap();
    let plan = text(&adoption, "50-plan.yaml");
    assert!(plan.contains(r#"labels: {slot: job, slot.a: "shop/shop", slot.b: "shop/shop-b"}"#), "{plan}");
    assert!(plan.contains(r#"source: {url: "http://prometheus:9090"}"#), "{plan}");
}

#[test]
fn every_mistake_is_found_at_once() {
    let refused = adopted(|_, objects| {
        let route = object(objects, "HTTPRoute", "shop");
        route["spec"]["rules"][0]["matches"][0]["headers"] = json!([{ "name": "X-Customer-ID", "value": "acme" }]);
        route["spec"]["rules"][0]["backendRefs"][0]["filters"] = json!([{ "type": "RequestHeaderModifier" }]);
        route["spec"]["rules"][1]["backendRefs"][1]["weight"] = json!(10);
        object(objects, "Service", "shop")["spec"]["selector"] = json!({ "app.kubernetes.io/version": "7.1.0" });
        objects.push(json!({ "kind": "Deployment", "metadata": { "name": "shop-b" }, "spec": {} }));
        let stray = json!({ "metadata": { "labels": { "app.kubernetes.io/version": "7.1.0" } } });
        objects.push(json!({ "kind": "Deployment", "metadata": { "name": "stray" },
            "spec": { "selector": { "matchLabels": { "app": "stray" } }, "template": stray } }));
    });
    let mut checks: Vec<String> = refused.unwrap_err().into_iter().map(|one| one.check).collect();
    checks.sort();
    assert_eq!(
        checks,
        [
            "adopt.header-matched",
            "adopt.name-taken",
            "adopt.route-rule",
            "adopt.route-rule",
            "adopt.service-mixes",
            "adopt.version-selected",
        ]
    );
}

#[test]
fn what_is_not_there_is_named_with_what_there_is() {
    let refused = adopted(|ask, _| {
        ask.deployment = "shopp".into();
        ask.service = "web".into();
    });
    let text: Vec<String> = refused.unwrap_err().into_iter().map(|one| one.text).collect();
    assert_eq!(
        text,
        [
            "there is no Deployment shopp in namespace shop (there is: shop, batch): name another one",
            "there is no Service web in namespace shop (there is: shop, shop-admin): name another one",
        ]
    );
    let refused = adopted(|ask, _| ask.service = "shop-admin".into());
    assert!(refused.is_ok(), "another Service of the same pods that a rule names can be adopted, too");
}

#[test]
fn an_ingress_alone_is_not_adopted_and_the_way_to_a_gateway_is_shown() {
    let refused = adopted(|_, objects| {
        objects.retain(|one| one["kind"] != "HTTPRoute");
        objects.push(json!({ "kind": "Ingress", "metadata": { "name": "shop" }, "spec": { "rules": [
            { "http": { "paths": [{ "backend": { "service": { "name": "shop" } } }] } }] } }));
    });
    let [finding] = refused.unwrap_err().try_into().unwrap();
    assert_eq!(finding.check, "adopt.ingress");
    assert!(finding.text.contains("Ingress shop") && finding.text.contains("ingress2gateway"), "{}", finding.text);
}

#[test]
fn names_that_nothing_could_carry_are_refused_by_their_flags_together_with_what_is_missing() {
    let refused = adopted(|ask, _| {
        ask.header = "bad header".into();
        ask.plan = "Bad Plan/x".into();
        ask.service = "nope".into();
    });
    let text: Vec<String> = refused.unwrap_err().into_iter().map(|one| one.text).collect();
    let [header, plan, service] = text.as_slice() else { panic!("{text:?}") };
    assert!(header.starts_with("--header \"bad header\" is no name of an HTTP header"), "{header}");
    assert!(
        plan.starts_with("--plan \"Bad Plan/x\" can name no RolloutPlan") && plan.ends_with("such as bad-plan-x"),
        "{plan}"
    );
    assert!(service.starts_with("there is no Service nope"), "{service}");
}

#[test]
fn managed_routes_and_keepers_are_no_candidates() {
    let refused = adopted(|ask, objects| {
        ask.route = "nope".into();
        for (name, label) in [("shop-ph-1a2b3c4d-01", "pilothouse.dev/base"), ("shop-keeper", "pilothouse.dev/keeper")]
        {
            let metadata = json!({ "name": name, "labels": { label: "shop" } });
            let spec = json!({ "hostnames": ["shop.example"] });
            objects.push(json!({ "kind": "HTTPRoute", "metadata": metadata, "spec": spec }));
        }
    });
    let [finding] = refused.unwrap_err().try_into().unwrap();
    assert!(finding.text.contains("(there is: shop"), "{}", finding.text);
    assert!(!finding.text.contains("-ph-") && !finding.text.contains("keeper"), "{}", finding.text);
}
