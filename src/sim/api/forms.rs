//! The forms in which a client can ask for objects: whole, their metadata alone, or as the table that `kubectl get` prints.

use super::resources::{EVENTS, Resource};
use super::table;
use crate::model::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How objects are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Whole,
    /// `as=PartialObjectMetadata`: their metadata.
    Partial,
    /// `as=Table`; what comes with each row.
    Table(Include),
}

/// `includeObject`: what comes with the row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Include {
    /// The metadata of its object.
    Metadata,
    /// The object.
    Object,
    /// Nothing.
    None,
}

impl Form {
    /// Reads the `Accept` header and the `includeObject` of a request.
    pub fn parse(accept: &str, include: Option<&str>) -> Self {
        if accept.contains("as=Table") {
            return Self::Table(match include {
                Some("None") => Include::None,
                Some("Object") => Include::Object,
                _ => Include::Metadata,
            });
        }
        if accept.contains("as=PartialObjectMetadata") { Self::Partial } else { Self::Whole }
    }

    /// Returns one object in this form.
    pub fn one<'a>(self, resource: &Resource, object: &'a Value, now: Timestamp) -> Cow<'a, Value> {
        match self {
            Self::Whole => seen(resource, object),
            Self::Partial => Cow::Owned(partial(object)),
            Self::Table(include) => {
                let version = &object["metadata"]["resourceVersion"];
                let metadata = json!({ "resourceVersion": version });
                Cow::Owned(table::table(resource, &[object], &metadata, include, now))
            }
        }
    }

    /// Returns a list of objects in this form, as JSON.
    ///
    /// It is written straight from the objects: a page of pods is megabytes, and as a value many times that.
    pub fn list(self, resource: &Resource, objects: &[&Value], metadata: &Value, now: Timestamp) -> String {
        match self {
            Self::Whole => {
                let seen: Vec<Cow<'_, Value>> = objects.iter().map(|object| seen(resource, object)).collect();
                let items = seen.iter().map(|object| listed(resource, object)).collect();
                List { kind: format!("{}List", resource.kind), api_version: resource.api_version(), metadata, items }
                    .written()
            }
            Self::Partial => {
                let items = objects.iter().map(|object| partial(object)).collect();
                let (kind, api_version) = ("PartialObjectMetadataList".into(), "meta.k8s.io/v1".into());
                List { kind, api_version, metadata, items }.written()
            }
            Self::Table(include) => table::table(resource, objects, metadata, include, now).to_string(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a, T> {
    kind: String,
    api_version: String,
    metadata: &'a Value,
    items: Vec<T>,
}

impl<T: Serialize> List<'_, T> {
    fn written(&self) -> String {
        // Values and maps of them with text as keys can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The metadata of an object, as an object of its own.
pub fn partial(object: &Value) -> Value {
    json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"] })
}

/// Lists of built-in resources carry no kinds on the real server; code that relies on them must fail here too.
fn listed<'a>(resource: &Resource, object: &'a Value) -> BTreeMap<&'a str, &'a Value> {
    let fields = object.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value));
    fields.filter(|(name, _)| resource.custom || !["kind", "apiVersion"].contains(name)).collect()
}

/// An object as its resource shows it: under an older or newer group it has other names for the same.
fn seen<'a>(resource: &Resource, object: &'a Value) -> Cow<'a, Value> {
    if !resource.view {
        return Cow::Borrowed(object);
    }
    let mut out = object.clone();
    out["apiVersion"] = json!(resource.api_version());
    if let Some(fields) = out.as_object_mut() {
        rename(resource, fields);
    }
    Cow::Owned(out)
}

fn rename(resource: &Resource, fields: &mut Map<String, Value>) {
    if resource.plural == EVENTS.plural {
        for (old, new) in EVENT_FIELDS {
            if let Some(value) = fields.remove(old) {
                fields.insert(new.into(), value);
            }
        }
        // The types of this group have no way to say that there is none.
        fields.entry("eventTime").or_insert(Value::Null);
    } else {
        drop_members(fields.get_mut("spec"), &["metrics", "behavior"]);
        drop_members(fields.get_mut("status"), &["currentMetrics", "conditions"]);
    }
}

/// The fields of an Event of the core group, and their names in `events.k8s.io`.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

fn drop_members(value: Option<&mut Value>, names: &[&str]) {
    let fields: Option<&mut Map<String, Value>> = value.and_then(Value::as_object_mut);
    if let Some(fields) = fields {
        fields.retain(|name, _| !names.contains(&name.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::resources::{PODS, find};
    use super::*;

    #[test]
    fn the_form_is_what_accept_asks_for_first() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(Form::parse(table, None), Form::Table(Include::Metadata));
        assert_eq!(Form::parse(table, Some("Object")), Form::Table(Include::Object));
        assert_eq!(
            Form::parse("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", None),
            Form::Partial
        );
        assert_eq!(Form::parse("application/json", Some("Object")), Form::Whole);
    }

    #[test]
    fn the_row_of_a_table_brings_as_much_of_its_object_as_was_asked_for() {
        let pod = json!({"metadata": {"name": "p", "resourceVersion": "7"}, "spec": {"nodeName": "n"}});
        let row = |include| Form::Table(include).one(&PODS, &pod, Timestamp::UNIX_EPOCH)["rows"][0]["object"].clone();
        assert_eq!(row(Include::Object)["spec"]["nodeName"], "n");
        assert_eq!(
            row(Include::Metadata),
            json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": pod["metadata"]})
        );
        assert!(row(Include::None).is_null());
    }

    #[test]
    fn a_view_has_the_names_of_its_own_group() {
        let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "message": "m", "involvedObject": {"name": "p"}});
        let view = find("events.k8s.io", "v1", "events").unwrap();
        let shown = Form::Whole.one(view, &event, Timestamp::UNIX_EPOCH);
        assert_eq!(
            (&shown["apiVersion"], &shown["note"], &shown["regarding"]["name"]),
            (&json!("events.k8s.io/v1"), &json!("m"), &json!("p"))
        );
        let scaler = json!({"metadata": {"name": "h"}, "spec": {"maxReplicas": 3, "metrics": []}});
        let view = find("autoscaling", "v1", "horizontalpodautoscalers").unwrap();
        assert_eq!(Form::Whole.one(view, &scaler, Timestamp::UNIX_EPOCH)["spec"], json!({"maxReplicas": 3}));
    }
}
