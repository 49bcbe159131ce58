use super::super::resources::{DEPLOYMENTS, RELEASES, ROUTES, SERVICES};
use super::*;

fn writer(resource: &'static Resource, manager: &'static str) -> Writer<'static> {
    let now = "2026-11-23T10:00:00Z".parse().unwrap();
    Writer { resource, part: Part::Main, manager, sub: "", now }
}

fn tracked(object: &Value, owners: &Owners) -> Value {
    let mut object = object.clone();
    owners.write(&mut object);
    object
}

/// The fields of one entry.
fn fields_of(owners: &Owners, manager: &str) -> Value {
    owners.0.iter().find(|entry| entry.manager == manager).map_or(Value::Null, |entry| entry.fields.write())
}

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "labels": {"a": "1"}}, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"a": "1"}}, "template": {"metadata": {"labels": {"a": "1"}},
        "spec": {"containers": [{"name": "app", "image": "i:1", "ports": [{"containerPort": 80}]}]}}}})
}

fn app(fields: &Value) -> &Value {
    &fields["f:spec"]["f:template"]["f:spec"]["f:containers"][r#"k:{"name":"app"}"#]
}

#[test]
fn who_creates_owns_all_that_is_set_and_lists_by_their_keys() {
    let owners = Owners::create(writer(&DEPLOYMENTS, "ci"), &deployment(), &deployment());
    let fields = fields_of(&owners, "ci");
    assert_eq!(fields["f:metadata"], json!({"f:labels": {".": {}, "f:a": {}}}));
    assert_eq!(fields["f:spec"]["f:selector"], json!({}));
    let ports = json!({".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}});
    assert_eq!(app(&fields), &json!({".": {}, "f:name": {}, "f:image": {}, "f:ports": ports}));
    let entry = tracked(&deployment(), &owners)["metadata"]["managedFields"][0].clone();
    assert_eq!((&entry["operation"], &entry["time"]), (&json!("Update"), &json!("2026-11-23T10:00:00Z")));
    assert_eq!((&entry["apiVersion"], &entry["fieldsType"]), (&json!("apps/v1"), &json!("FieldsV1")));
}

#[test]
fn what_the_server_allocates_is_owned_only_by_who_asked_for_it() {
    let sent = json!({"metadata": {"name": "s"}, "spec": {"type": "ClusterIP"}});
    let stored = json!({"metadata": {"name": "s"}, "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.9"}});
    let fields = |sent: &Value| fields_of(&Owners::create(writer(&SERVICES, "ci"), &stored, sent), "ci");
    assert_eq!(fields(&sent), json!({"f:spec": {"f:type": {}}}));
    assert_eq!(fields(&stored), json!({"f:spec": {"f:type": {}, "f:clusterIP": {}}}));
}

#[test]
fn an_update_takes_what_it_changes_and_nothing_else() {
    let old = deployment();
    let owners = Owners::create(writer(&DEPLOYMENTS, "ci"), &old, &old);
    let mut new = old.clone();
    new["spec"]["replicas"] = json!(3);
    new["metadata"]["labels"].as_object_mut().unwrap().remove("a");
    let owners = owners.update(writer(&DEPLOYMENTS, "hand"), &old, &new);
    assert_eq!(fields_of(&owners, "hand"), json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(fields_of(&owners, "ci")["f:spec"]["f:replicas"], Value::Null);
    assert_eq!(fields_of(&owners, "ci")["f:metadata"], json!({"f:labels": {}}));
    assert_eq!(owners.clone().update(writer(&DEPLOYMENTS, "other"), &new, &new), owners);
    assert!(Owners::default().update(writer(&DEPLOYMENTS, "hand"), &old, &new).is_empty());
}

#[test]
fn a_changed_value_of_somebody_else_is_a_conflict_worded_as_by_the_real_server() {
    let old = tracked(&deployment(), &Owners::create(writer(&DEPLOYMENTS, "ci"), &deployment(), &deployment()));
    let mut config =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 5}});
    let by = writer(&DEPLOYMENTS, "hand");
    let refused = Owners::apply(by, Some(&old), &config, false).unwrap_err();
    let text = "Apply failed with 1 conflict: conflict with \"ci\" using apps/v1: .spec.replicas";
    assert_eq!((refused.code, refused.reason, refused.message.as_str()), (409, "Conflict", text));
    let cause = json!({"reason": "FieldManagerConflict", "message": "conflict with \"ci\" using apps/v1", "field": ".spec.replicas"});
    assert_eq!(refused.details, json!({"causes": [cause]}));
    config["metadata"]["labels"] = json!({"a": "2"});
    let refused = Owners::apply(by, Some(&old), &config, false).unwrap_err();
    let text =
        "Apply failed with 2 conflicts: conflicts with \"ci\" using apps/v1:\n- .metadata.labels.a\n- .spec.replicas";
    assert_eq!(refused.message, text);
    let (object, owners) = Owners::apply(by, Some(&old), &config, true).unwrap();
    assert_eq!((&object["spec"]["replicas"], &object["spec"]["selector"]), (&json!(5), &old["spec"]["selector"]));
    assert_eq!(
        fields_of(&owners, "hand"),
        json!({"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:replicas": {}}})
    );
    assert_eq!(fields_of(&owners, "ci")["f:spec"]["f:replicas"], Value::Null);
}

#[test]
fn the_same_value_is_shared_and_conflicts_with_another_applier_have_no_version() {
    let config =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 1}});
    let (object, owners) = Owners::apply(writer(&DEPLOYMENTS, "one"), None, &config, false).unwrap();
    let old = tracked(&object, &owners);
    let (object, owners) = Owners::apply(writer(&DEPLOYMENTS, "two"), Some(&old), &config, false).unwrap();
    assert_eq!(fields_of(&owners, "one"), fields_of(&owners, "two"));
    let other =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 2}});
    let refused =
        Owners::apply(writer(&DEPLOYMENTS, "three"), Some(&tracked(&object, &owners)), &other, false).unwrap_err();
    let text = "Apply failed with 2 conflicts: conflicts with \"one\":\n- .spec.replicas\nconflicts with \"two\":\n- .spec.replicas";
    assert_eq!(refused.message, text);
}

#[test]
fn what_is_not_applied_any_more_is_removed_unless_somebody_else_owns_it() {
    let config = |env: Value, labels: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "labels": labels}, "spec": {"template":
            {"spec": {"containers": [{"name": "app", "image": "i:1", "env": env}]}}}})
    };
    let by = writer(&DEPLOYMENTS, "one");
    let first = config(json!([{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]), json!({"x": "1", "y": "1"}));
    let (object, owners) = Owners::apply(by, None, &first, false).unwrap();
    let other = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "labels": {"y": "1"}}});
    let (object, owners) =
        Owners::apply(writer(&DEPLOYMENTS, "two"), Some(&tracked(&object, &owners)), &other, false).unwrap();
    let less = config(json!([{"name": "B", "value": "1"}]), json!({}));
    let (object, owners) = Owners::apply(by, Some(&tracked(&object, &owners)), &less, false).unwrap();
    assert_eq!(object["metadata"]["labels"], json!({"y": "1"}));
    let container = &object["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["env"], json!([{"name": "B", "value": "1"}]));
    let mut bare = less;
    bare["spec"]["template"]["spec"] = json!({});
    let (object, owners) = Owners::apply(by, Some(&tracked(&object, &owners)), &bare, false).unwrap();
    assert_eq!(object["spec"]["template"]["spec"].get("containers"), None);
    assert!(!owners.is_empty());
}

#[test]
fn the_rules_of_a_route_are_owned_as_one() {
    let route = |weight: u64| {
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r"},
            "spec": {"rules": [{"backendRefs": [{"name": "s", "port": 80, "weight": weight}]}]}})
    };
    let (object, owners) = Owners::apply(writer(&ROUTES, "one"), None, &route(1), false).unwrap();
    assert_eq!(fields_of(&owners, "one"), json!({"f:spec": {"f:rules": {}}}));
    let refused =
        Owners::apply(writer(&ROUTES, "two"), Some(&tracked(&object, &owners)), &route(2), false).unwrap_err();
    assert!(refused.message.ends_with("conflict with \"one\": .spec.rules"), "{}", refused.message);
}

#[test]
fn the_first_apply_of_an_object_without_a_record_finds_one_owner_of_all() {
    let config =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 2}});
    let refused = Owners::apply(writer(&DEPLOYMENTS, "hand"), Some(&deployment()), &config, false).unwrap_err();
    assert!(refused.message.contains("\"before-first-apply\" using apps/v1: .spec.replicas"), "{}", refused.message);
}

#[test]
fn kubectl_migrates_what_its_own_last_apply_has_set() {
    let mut old = deployment();
    let config =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 1}});
    old["metadata"]["annotations"] = json!({LAST_APPLIED: config.to_string()});
    let old = tracked(&old, &Owners::create(writer(&DEPLOYMENTS, "kubectl-client-side-apply"), &old, &old));
    let mut next = config;
    next["spec"]["replicas"] = json!(2);
    assert_eq!(Owners::apply(writer(&DEPLOYMENTS, "other"), Some(&old), &next, false).unwrap_err().code, 409);
    let (object, _) = Owners::apply(writer(&DEPLOYMENTS, KUBECTL), Some(&old), &next, false).unwrap();
    let kept = object["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(kept).unwrap(), next);
    let mut more = next.clone();
    more["metadata"]["labels"] = json!({"a": "2"});
    let refused = Owners::apply(writer(&DEPLOYMENTS, KUBECTL), Some(&old), &more, false).unwrap_err();
    assert!(
        refused.message.contains("1 conflict") && refused.message.ends_with(".metadata.labels.a"),
        "{}",
        refused.message
    );
}

#[test]
fn a_record_that_is_sent_counts_and_an_empty_entry_forgets_all() {
    let old = tracked(&deployment(), &Owners::create(writer(&DEPLOYMENTS, "ci"), &deployment(), &deployment()));
    let mut wanted = old.clone();
    wanted["metadata"]["managedFields"][0]["manager"] = json!("renamed");
    assert_eq!(Owners::given(&old, &wanted).0[0].manager, "renamed");
    wanted["metadata"]["managedFields"] = json!([{}]);
    assert!(Owners::given(&old, &wanted).is_empty());
    wanted["metadata"]["managedFields"] = json!([{"manager": "x", "operation": "Odd"}]);
    assert_eq!(Owners::given(&old, &wanted), Owners::of(&old));
}

#[test]
fn status_and_the_rest_have_owners_of_their_own() {
    let old = json!({"metadata": {"name": "r"}, "spec": {"version": "1"}});
    let old = tracked(&old, &Owners::create(writer(&RELEASES, "dana"), &old, &old));
    let mut new = old.clone();
    new["status"] = json!({"phase": "Ready"});
    let by = Writer { part: Part::Status, sub: "status", ..writer(&RELEASES, "pilothouse") };
    let owners = Owners::of(&old).update(by, &old, &new);
    assert_eq!(fields_of(&owners, "pilothouse"), json!({"f:status": {".": {}, "f:phase": {}}}));
    assert_eq!(tracked(&new, &owners)["metadata"]["managedFields"][1]["subresource"], "status");
    assert_eq!(Owners::of(&old).update(writer(&RELEASES, "x"), &old, &new), Owners::of(&old));
}

#[test]
fn a_configuration_with_a_record_is_refused() {
    let config = json!({"metadata": {"name": "d", "managedFields": []}});
    let refused = Owners::apply(writer(&DEPLOYMENTS, "x"), None, &config, false).unwrap_err();
    assert_eq!((refused.code, refused.message.as_str()), (400, "metadata.managedFields must be nil"));
}
