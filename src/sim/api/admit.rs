//! What happens to an object on its way in: defaults first, then every check.

use super::failure::{Cause, Failure};
use super::resources::Resource;
use super::{schema, schemas};
use crate::model::{is_label, is_object_name, name_of};
use crate::sim::clock::Entropy;
use k8s_openapi::ByteString;
use k8s_openapi::api::{apps, autoscaling, coordination, core, discovery, policy};
use serde_json::{Map, Value, json};

/// The most bytes all annotations of one object may have.
const MAX_ANNOTATIONS: usize = 262_144;

/// Fills in what the server fills in, for the fields this server knows.
pub fn default(resource: &Resource, object: &mut Value, entropy: &mut Entropy) {
    object["apiVersion"] = json!(resource.api_version());
    object["kind"] = json!(resource.kind);
    drop_empty(&mut object["metadata"]);
    match resource.plural {
        "deployments" => default_deployment(object),
        "replicasets" => {
            fill(&mut object["spec"], &json!({ "replicas": 1 }));
            default_pod_spec(&mut object["spec"]["template"]["spec"]);
        }
        "pods" => default_pod_spec(&mut object["spec"]),
        "services" => default_service(object, entropy),
        "secrets" => default_secret(object),
        "namespaces" => fill(&mut object["spec"], &json!({ "finalizers": ["kubernetes"] })),
        _ => {}
    }
    if let Some(schema) = schemas::schema(resource) {
        with_body(object, |body| schema::complete(schema, body));
    }
}

/// Checks an object that is created or changed.
///
/// # Errors
/// 422 with one cause per finding.
pub fn check(resource: &Resource, old: Option<&Value>, object: &mut Value) -> Result<(), Failure> {
    let mut causes = Vec::new();
    check_metadata(object, &mut causes);
    if let Err(why) = decode(resource, object) {
        causes.push(Cause::invalid("patch", &json!("object"), &why));
    }
    if let Some(schema) = schemas::schema(resource) {
        with_body(object, |body| schema::check(schema, body, "", &mut causes));
        if let Some(old) = old {
            schema::check_transition(schema, old, object, &mut causes);
        }
    }
    match resource.plural {
        "httproutes" if causes.is_empty() => schemas::check_route(object, &mut causes),
        "deployments" | "replicasets" if causes.is_empty() => check_workload(old, object, &mut causes),
        _ => {}
    }
    if causes.is_empty() { Ok(()) } else { Err(Failure::invalid(resource, name_of(object), &causes)) }
}

const LABEL: &str = "must be no more than 63 bytes, alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

fn check_metadata(object: &Value, causes: &mut Vec<Cause>) {
    let name = &object["metadata"]["name"];
    if !is_object_name(name.as_str().unwrap_or_default()) {
        causes.push(Cause::invalid(
            "metadata.name",
            name,
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        ));
    }
    for field in ["labels", "annotations"] {
        for (key, value) in object["metadata"][field].as_object().into_iter().flatten() {
            let Some(text) = value.as_str() else {
                causes.push(Cause::invalid(format!("metadata.{field}.{key}"), value, "must be a string"));
                continue;
            };
            let name = key.split_once('/').map_or(key.as_str(), |(_, name)| name);
            let mut refuse = |why| causes.push(Cause::invalid(format!("metadata.{field}"), &json!(key), why));
            if name.is_empty() {
                // The real server names both reasons.
                refuse("name part must be non-empty");
            }
            if name.is_empty() || !is_label(name) {
                refuse(LABEL);
            }
            if field == "labels" && !is_label(text) {
                causes.push(Cause::invalid("metadata.labels", value, LABEL));
            }
        }
    }
    let annotations = object["metadata"]["annotations"].as_object();
    let bytes: usize = annotations.into_iter().flatten().map(|(k, v)| k.len() + v.as_str().map_or(0, str::len)).sum();
    if bytes > MAX_ANNOTATIONS {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            field: "metadata.annotations".into(),
            message: format!("Too long: may not be more than {MAX_ANNOTATIONS} bytes"),
        });
    }
}

/// Reads a built-in object as its type, as the real server does before it looks at anything.
fn decode(resource: &Resource, object: &Value) -> Result<(), String> {
    fn typed<T: serde::de::DeserializeOwned>(object: &Value) -> Result<(), String> {
        serde_json::from_value::<T>(object.clone()).map(drop).map_err(|e| e.to_string())
    }
    match resource.plural {
        "deployments" => typed::<apps::v1::Deployment>(object),
        "replicasets" => typed::<apps::v1::ReplicaSet>(object),
        "pods" => typed::<core::v1::Pod>(object),
        "services" => typed::<core::v1::Service>(object),
        "configmaps" => typed::<core::v1::ConfigMap>(object),
        "events" => typed::<core::v1::Event>(object),
        "namespaces" => typed::<core::v1::Namespace>(object),
        "nodes" => typed::<core::v1::Node>(object),
        "endpointslices" => typed::<discovery::v1::EndpointSlice>(object),
        "horizontalpodautoscalers" => typed::<autoscaling::v2::HorizontalPodAutoscaler>(object),
        "leases" => typed::<coordination::v1::Lease>(object),
        "secrets" => typed::<core::v1::Secret>(object),
        "poddisruptionbudgets" => typed::<policy::v1::PodDisruptionBudget>(object),
        _ => Ok(()),
    }
}

fn check_workload(old: Option<&Value>, object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    if spec["replicas"].as_i64().is_some_and(|n| n < 0) {
        causes.push(Cause::invalid("spec.replicas", &spec["replicas"], "must be greater than or equal to 0"));
    }
    let labels = &spec["template"]["metadata"]["labels"];
    let selector = &spec["selector"]["matchLabels"];
    let selected = selector.as_object().into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    if selector.as_object().is_none_or(Map::is_empty) {
        causes.push(Cause::required("spec.selector", ""));
    } else if !selected {
        causes.push(Cause::invalid(
            "spec.template.metadata.labels",
            labels,
            "`selector` does not match template `labels`",
        ));
    }
    if old.is_some_and(|old| old["spec"]["selector"] != spec["selector"]) {
        causes.push(Cause::invalid("spec.selector", &spec["selector"], "field is immutable"));
    }
    let containers = spec["template"]["spec"]["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if containers.is_empty() {
        causes.push(Cause::required("spec.template.spec.containers", ""));
    }
    for (i, container) in containers.iter().enumerate() {
        if container["image"].as_str().is_none_or(str::is_empty) {
            causes.push(Cause::required(format!("spec.template.spec.containers[{i}].image"), ""));
        }
    }
}

fn default_deployment(object: &mut Value) {
    fill(
        &mut object["spec"],
        &json!({
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "strategy": { "type": "RollingUpdate" },
        }),
    );
    let strategy = &mut object["spec"]["strategy"];
    if strategy["type"] == "RollingUpdate" {
        fill(strategy, &json!({ "rollingUpdate": {} }));
        fill(&mut strategy["rollingUpdate"], &json!({ "maxSurge": "25%", "maxUnavailable": "25%" }));
    }
    default_pod_spec(&mut object["spec"]["template"]["spec"]);
}

fn default_pod_spec(spec: &mut Value) {
    fill(
        spec,
        &json!({
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        }),
    );
    for container in items(spec, "containers") {
        fill(
            container,
            &json!({
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent",
            }),
        );
        for port in items(container, "ports") {
            fill(port, &json!({ "protocol": "TCP" }));
        }
    }
}

fn default_service(object: &mut Value, entropy: &mut Entropy) {
    let spec = &mut object["spec"];
    fill(
        spec,
        &json!({
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
        }),
    );
    if spec["clusterIP"].is_null() {
        let number = entropy.next();
        spec["clusterIP"] = json!(format!("10.96.{}.{}", (number >> 8) & 0xff, 1 + number % 254));
    }
    let address = spec["clusterIP"].clone();
    fill(spec, &json!({ "clusterIPs": [address] }));
    for port in items(spec, "ports") {
        let number = port["port"].clone();
        fill(port, &json!({ "protocol": "TCP", "targetPort": number }));
    }
}

/// `stringData` is a way to write `data`, which never comes back.
fn default_secret(object: &mut Value) {
    fill(object, &json!({ "type": "Opaque" }));
    let Some(Value::Object(plain)) = object.as_object_mut().and_then(|fields| fields.remove("stringData")) else {
        return;
    };
    for (key, value) in plain {
        let bytes = ByteString(value.as_str().unwrap_or_default().as_bytes().to_vec());
        object["data"][key] = json!(bytes);
    }
}

/// Empty maps and lists of the metadata are not stored.
fn drop_empty(metadata: &mut Value) {
    let Some(fields) = metadata.as_object_mut() else { return };
    for name in ["labels", "annotations", "finalizers", "ownerReferences"] {
        let is_empty = match fields.get(name) {
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::Array(list)) => list.is_empty(),
            Some(Value::Null) => true,
            _ => false,
        };
        if is_empty {
            fields.remove(name);
        }
    }
}

/// The items of a list, if there is one; indexing would leave a null behind where there is none.
fn items<'a>(object: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten()
}

/// Sets the members that are missing; makes an object of null.
fn fill(target: &mut Value, defaults: &Value) {
    if target.is_null() {
        *target = json!({});
    }
    let (Some(fields), Some(defaults)) = (target.as_object_mut(), defaults.as_object()) else { return };
    for (key, value) in defaults {
        let field = fields.entry(key.clone()).or_insert(Value::Null);
        if field.is_null() {
            field.clone_from(value);
        }
    }
}

/// Runs `act` on the object without the members that every object has and no schema describes.
fn with_body(object: &mut Value, act: impl FnOnce(&mut Value)) {
    const COMMON: [&str; 3] = ["apiVersion", "kind", "metadata"];
    let Some(fields) = object.as_object_mut() else { return };
    let kept: Vec<(&str, Option<Value>)> = COMMON.into_iter().map(|name| (name, fields.remove(name))).collect();
    act(object);
    for (name, value) in kept {
        if let Some(value) = value {
            object[name] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::resources::{DEPLOYMENTS, PLANS, RELEASES, ROUTES, SECRETS, SERVICES};
    use super::*;

    fn causes(resource: &Resource, object: Value) -> Vec<String> {
        let mut object = object;
        default(resource, &mut object, &mut Entropy::new(1));
        match check(resource, None, &mut object) {
            Ok(()) => Vec::new(),
            Err(failure) => {
                let causes = failure.details["causes"].as_array().unwrap();
                causes.iter().map(|c| c["field"].as_str().unwrap().to_owned()).collect()
            }
        }
    }

    fn deployment() -> Value {
        json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template":
            {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "app", "image": "i:1", "ports": [{"containerPort": 1}]}]}}}})
    }

    #[test]
    fn a_deployment_gets_its_defaults_and_is_checked() {
        let mut object = deployment();
        default(&DEPLOYMENTS, &mut object, &mut Entropy::new(1));
        assert_eq!(object["spec"]["replicas"], 1);
        assert_eq!(object["spec"]["template"]["spec"]["terminationGracePeriodSeconds"], 30);
        assert_eq!(object["spec"]["strategy"]["rollingUpdate"]["maxSurge"], "25%");
        object["spec"]["template"]["spec"]["containers"] = json!([{"name": "app", "image": "i:1"}]);
        default(&DEPLOYMENTS, &mut object, &mut Entropy::new(1));
        assert_eq!(object["spec"]["template"]["spec"]["containers"][0].get("ports"), None);
        assert!(check(&DEPLOYMENTS, None, &mut object).is_ok());
        let mut bad = deployment();
        bad["spec"]["template"]["metadata"]["labels"] = json!({"a": "c"});
        bad["spec"]["replicas"] = json!(-1);
        assert_eq!(causes(&DEPLOYMENTS, bad), ["spec.replicas", "spec.template.metadata.labels"]);
        let mut wrong_type = deployment();
        wrong_type["spec"]["replicas"] = json!("many");
        assert_eq!(causes(&DEPLOYMENTS, wrong_type), ["patch"]);
    }

    #[test]
    fn a_service_gets_an_address_and_ports() {
        let mut object = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
        default(&SERVICES, &mut object, &mut Entropy::new(1));
        assert!(object["spec"]["clusterIP"].as_str().unwrap().starts_with("10.96."));
        assert_eq!(object["spec"]["ports"][0]["targetPort"], 80);
    }

    #[test]
    fn a_secret_is_kept_encoded() {
        let mut object = json!({"metadata": {"name": "s"}, "data": {"a": "YQ=="}, "stringData": {"b": "b"}});
        default(&SECRETS, &mut object, &mut Entropy::new(1));
        assert_eq!((&object["data"], &object["type"]), (&json!({"a": "YQ==", "b": "Yg=="}), &json!("Opaque")));
        assert!(object.get("stringData").is_none());
        assert_eq!(causes(&SECRETS, json!({"metadata": {"name": "s"}, "data": {"a": "not base64!"}})), ["patch"]);
    }

    #[test]
    fn too_many_bytes_of_annotations_are_refused_with_a_cause() {
        let route =
            |bytes: usize| json!({"metadata": {"name": "r", "annotations": {"a": "x".repeat(bytes)}}, "spec": {}});
        assert_eq!(causes(&ROUTES, route(MAX_ANNOTATIONS - 1)), [""; 0]);
        assert_eq!(causes(&ROUTES, route(MAX_ANNOTATIONS)), ["metadata.annotations"]);
    }

    #[test]
    fn custom_resources_are_pruned_and_checked_by_their_schema() {
        let mut release = json!({"metadata": {"name": "r", "labels": {"x": "y"}}, "odd": 1, "spec": {"plan": "p", "version": "1", "odd": 2}});
        default(&RELEASES, &mut release, &mut Entropy::new(1));
        assert!(release.get("odd").is_none() && release["spec"].get("odd").is_none());
        assert_eq!(release["metadata"]["labels"]["x"], "y");
        assert!(check(&RELEASES, None, &mut release).is_ok());
        assert_eq!(causes(&RELEASES, json!({"metadata": {"name": "r"}, "spec": {"plan": "p"}})), ["spec.version"]);
        assert!(causes(&PLANS, json!({"metadata": {"name": "Bad"}, "spec": {}})).contains(&"metadata.name".to_owned()));
    }
}
