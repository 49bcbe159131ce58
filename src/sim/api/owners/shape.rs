//! Which lists and maps of an object are owned as one, and how the items of the others are told apart.
//!
//! The API server knows this from the schemas: `x-kubernetes-list-type`, `x-kubernetes-list-map-keys` and
//! `x-kubernetes-map-type`. Here it is a table of the fields that differ from the rule "a map is owned member by member, a
//! list as one". A custom resource follows the rule where its definition says nothing else, as all of ours do.

use super::super::resources::Resource;
use serde_json::{Map, Value, json};

/// A place in the objects of a resource.
#[derive(Clone, Debug)]
pub struct Shape {
    resource: &'static Resource,
    /// The names of the members on the way, joined by dots; items of lists add nothing.
    path: String,
}

/// How the value at a place is owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As one.
    One,
    /// A map, member by member.
    Map,
    /// A list, item by item; these members tell the items apart.
    Keyed(&'static [&'static str]),
    /// A list of plain values, each by itself.
    Set,
}

/// Lists of built-in resources that are owned item by item: their last member's name, the one before it (empty for
/// any), and the keys.
const KEYED: &[(&str, &str, &[&str])] = &[
    ("containers", "spec", &["name"]),
    ("initContainers", "spec", &["name"]),
    ("ephemeralContainers", "spec", &["name"]),
    ("env", "", &["name"]),
    ("ports", "containers", &["containerPort", "protocol"]),
    ("ports", "initContainers", &["containerPort", "protocol"]),
    ("ports", "spec", &["port", "protocol"]),
    ("volumeMounts", "", &["mountPath"]),
    ("volumeDevices", "", &["devicePath"]),
    ("volumes", "spec", &["name"]),
    ("imagePullSecrets", "spec", &["name"]),
    ("hostAliases", "spec", &["ip"]),
    ("topologySpreadConstraints", "spec", &["topologyKey", "whenUnsatisfiable"]),
    ("schedulingGates", "spec", &["name"]),
    ("podIPs", "status", &["ip"]),
    ("addresses", "status", &["type"]),
];

/// Maps of built-in resources that are owned as one.
const WHOLE: &[&str] = &[
    "configMapKeyRef",
    "fieldRef",
    "imagePullSecrets",
    "involvedObject",
    "labelSelector",
    "nodeSelector",
    "resourceFieldRef",
    "scaleTargetRef",
    "secretKeyRef",
    "selector",
];

impl Shape {
    /// The object itself.
    pub fn of(resource: &'static Resource) -> Self {
        Self { resource, path: String::new() }
    }

    /// A member of a map.
    pub fn member(&self, name: &str) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Self { resource: self.resource, path }
    }

    /// Tells whether a member is no field of the object: the record of owners itself.
    pub fn hides(&self, name: &str) -> bool {
        self.path == "metadata" && name == "managedFields"
    }

    /// Returns how a value here is owned, before and after a change; the first that is not null decides.
    pub fn form(&self, old: Option<&Value>, new: Option<&Value>) -> Form {
        let mut values = [old, new].into_iter().flatten().filter(|value| !value.is_null());
        match (values.next(), values.next()) {
            (Some(Value::Object(_)), None | Some(Value::Object(_))) if !self.is_whole() => Form::Map,
            (Some(Value::Array(_)), None | Some(Value::Array(_))) => self.list(),
            _ => Form::One,
        }
    }

    fn is_whole(&self) -> bool {
        if self.path == "metadata.ownerReferences" {
            return true;
        }
        let last = self.path.rsplit('.').next().unwrap_or_default();
        !self.resource.custom && WHOLE.contains(&last)
    }

    fn list(&self) -> Form {
        match self.path.as_str() {
            "metadata.finalizers" => return Form::Set,
            "metadata.ownerReferences" => return Form::Keyed(&["uid"]),
            "status.conditions" if !self.resource.custom || self.resource.plural.starts_with("gateway") => {
                return Form::Keyed(&["type"]);
            }
            "spec.listeners" | "status.listeners" if self.resource.plural == "gateways" => {
                return Form::Keyed(&["name"]);
            }
            "status.supportedFeatures" if self.resource.plural == "gatewayclasses" => return Form::Keyed(&["name"]),
            "spec.podCIDRs" if !self.resource.custom => return Form::Set,
            _ => {}
        }
        let mut names = self.path.rsplit('.');
        let (last, before) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
        let found = KEYED.iter().find(|(name, parent, _)| *name == last && (parent.is_empty() || *parent == before));
        match found {
            Some((_, _, keys)) if !self.resource.custom => Form::Keyed(keys),
            _ => Form::One,
        }
    }
}

/// Returns the items of a list with the step to each of them.
pub fn items(form: Form, list: Option<&Value>) -> Vec<(String, &Value)> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.map(|item| (step(form, item), item)).collect()
}

fn step(form: Form, item: &Value) -> String {
    let Form::Keyed(keys) = form else { return format!("v:{item}") };
    let mut found = Map::new();
    for key in keys {
        match item.get(*key) {
            Some(value) => drop(found.insert((*key).to_owned(), value.clone())),
            None if *key == "protocol" => drop(found.insert((*key).to_owned(), json!("TCP"))),
            None => {}
        }
    }
    format!("k:{}", Value::Object(found))
}

/// Returns the object that a POST begins with: the members which are there, empty, before anybody has set anything.
///
/// They are the structs of the Go types that no pointer leads to; a custom resource has none. Whoever creates an object
/// owns its other maps and lists, and not these.
pub fn blank(resource: &Resource) -> Value {
    let template = json!({ "metadata": {}, "spec": { "containers": null } });
    let mut blank = match resource.plural {
        _ if resource.custom => return json!({}),
        "deployments" => json!({ "spec": { "selector": null, "strategy": {}, "template": template } }),
        "replicasets" => json!({ "spec": { "selector": null, "template": template } }),
        "pods" => template,
        "services" => json!({ "spec": {}, "status": { "loadBalancer": {} } }),
        "horizontalpodautoscalers" => json!({ "spec": { "scaleTargetRef": {} } }),
        "customresourcedefinitions" => json!({ "spec": { "names": {}, "versions": null } }),
        "events" => json!({ "involvedObject": {}, "source": {} }),
        "endpointslices" => json!({ "endpoints": null, "ports": null }),
        "configmaps" => json!({}),
        _ => json!({ "spec": {} }),
    };
    blank["metadata"] = json!({});
    if resource.status && blank["status"].is_null() {
        blank["status"] = json!({});
    }
    blank
}

#[cfg(test)]
mod tests {
    use super::super::super::resources::{DEPLOYMENTS, ROUTES, SERVICES};
    use super::*;

    fn form(resource: &'static Resource, path: &str, value: Value) -> Form {
        let shape = path.split('.').fold(Shape::of(resource), |shape, name| shape.member(name));
        shape.form(None, Some(&value))
    }

    #[test]
    fn lists_have_the_keys_of_the_real_schemas() {
        let pod = "spec.template.spec.containers";
        assert_eq!(form(&DEPLOYMENTS, pod, json!([])), Form::Keyed(&["name"]));
        assert_eq!(form(&DEPLOYMENTS, &format!("{pod}.env"), json!([])), Form::Keyed(&["name"]));
        assert_eq!(form(&DEPLOYMENTS, &format!("{pod}.ports"), json!([])), Form::Keyed(&["containerPort", "protocol"]));
        assert_eq!(form(&DEPLOYMENTS, &format!("{pod}.args"), json!([])), Form::One);
        assert_eq!(form(&DEPLOYMENTS, "status.conditions", json!([])), Form::Keyed(&["type"]));
        assert_eq!(form(&SERVICES, "spec.ports", json!([])), Form::Keyed(&["port", "protocol"]));
        assert_eq!(form(&ROUTES, "spec.rules", json!([])), Form::One);
        assert_eq!(form(&ROUTES, "metadata.finalizers", json!([])), Form::Set);
        assert_eq!(form(&SERVICES, "spec.selector", json!({})), Form::One);
        assert_eq!(form(&DEPLOYMENTS, "spec.template.metadata.labels", json!({})), Form::Map);
    }

    #[test]
    fn an_item_without_a_protocol_is_of_tcp() {
        let list = json!([{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}]);
        let found = items(Form::Keyed(&["containerPort", "protocol"]), Some(&list));
        let steps: Vec<&str> = found.iter().map(|(step, _)| step.as_str()).collect();
        assert_eq!(steps, [r#"k:{"containerPort":80,"protocol":"TCP"}"#, r#"k:{"containerPort":80,"protocol":"UDP"}"#]);
    }
}
