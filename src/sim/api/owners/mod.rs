//! Who owns which field: `metadata.managedFields`, and server-side apply, which decides by it.
//!
//! The rules are those of <https://kubernetes.io/docs/reference/using-api/server-side-apply/> and of the library behind
//! it (`sigs.k8s.io/structured-merge-diff`, `k8s.io/apimachinery/pkg/util/managedfields`):
//!
//! - An entry is a manager with its operation, and with its subresource if it wrote through one. Updates of two API
//!   versions are two entries, applies are one.
//! - Who creates or updates an object owns every field that has another value afterwards, and takes it from all others. A
//!   field that is gone is owned by nobody.
//! - Who applies a configuration owns exactly the fields in it, and shares those whose values stay as they are.
//! - A value that another manager owns and the configuration changes is a conflict, which `force` decides for the applier.
//! - What a manager applied last time and does not apply any more is removed unless somebody else owns it.
//! - Fields of the other part (status or everything else) and those every object has are never owned.
//! - An object that nobody has tracked stays so under updates; its first apply finds one owner of all, `before-first-apply`.
//!   So the pods and ReplicaSets that controllers make here carry no record, which keeps lists small.
//! - A `managedFields` that comes with an update counts, a list of one empty entry forgets all owners.
//! - `kubectl` may force what its own last client-side apply has set: that is how it migrates.
//!
//! Left out: conversion between API versions (each kind has one here), the limit of ten entries for updates, and lists with
//! the same key twice, of which the first item counts.

mod merge;
mod set;
mod shape;

use super::failure::{Cause, Failure};
use super::resources::Resource;
use super::write::Part;
use crate::model::Timestamp;
use crate::sim::clock::seconds;
use merge::{compare, fields, merge, remove, twice};
use serde_json::{Value, json};
use set::Set;
use shape::{Shape, blank};

/// The annotation in which a client-side `kubectl apply` keeps its configuration.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The manager of server-side applies by kubectl, the only one that may migrate.
const KUBECTL: &str = "kubectl";
/// What no manager owns although it is sent.
const STRIPPED: [&str; 8] = [
    "f:name",
    "f:namespace",
    "f:creationTimestamp",
    "f:selfLink",
    "f:uid",
    "f:generation",
    "f:managedFields",
    "f:resourceVersion",
];
/// What the server itself sets in the spec of a Service or a Namespace: owned only by who has sent it.
const ALLOCATED: [&str; 5] = ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "finalizers"];

/// Who writes, and where.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The resource.
    pub resource: &'static Resource,
    /// The part of the object that can be changed.
    pub part: Part,
    /// `fieldManager`, or the first word of the client's `User-Agent`.
    pub manager: &'a str,
    /// The subresource; empty for the object itself.
    pub sub: &'a str,
    /// The time of the request.
    pub now: Timestamp,
}

/// The record of an object: one entry for each manager and operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Owners(Vec<Entry>);

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    manager: String,
    applied: bool,
    version: String,
    sub: String,
    time: Option<String>,
    fields: Set,
}

impl Owners {
    /// Reads the record of an object; what cannot be read is an object without one.
    pub fn of(object: &Value) -> Self {
        let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        Self(entries.map(Entry::read).collect::<Option<Vec<Entry>>>().unwrap_or_default())
    }

    /// Reads the record with which an update begins: the one in the request if it has one, else the stored one.
    pub fn given(old: &Value, wanted: &Value) -> Self {
        if wanted["metadata"]["managedFields"] == json!([{}]) {
            return Self::default();
        }
        Some(Self::of(wanted)).filter(|given| !given.is_empty()).unwrap_or_else(|| Self::of(old))
    }

    /// Tells whether the object is not tracked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the record into an object.
    pub fn write(&self, object: &mut Value) {
        let mut entries: Vec<&Entry> = self.0.iter().collect();
        entries.sort_by_key(|e| (!e.applied, &e.time, &e.manager, &e.version, &e.sub));
        let Some(metadata) = object["metadata"].as_object_mut() else { return };
        if entries.is_empty() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".into(), entries.into_iter().map(Entry::write).collect());
        }
    }

    /// Records the creation of an object with these fields; `sent` is what the request had.
    pub fn create(writer: Writer<'_>, object: &Value, sent: &Value) -> Self {
        let mut own = object.clone();
        if matches!(writer.resource.plural, "services" | "namespaces")
            && let Some(spec) = own["spec"].as_object_mut()
        {
            spec.retain(|name, _| !ALLOCATED.contains(&name.as_str()) || sent["spec"].get(name).is_some());
        }
        let mut owners = Self::default();
        owners.record(writer, &blank(writer.resource), &own);
        owners
    }

    /// Records an update: the writer owns what has another value now. Objects without a record get none.
    pub fn update(mut self, writer: Writer<'_>, old: &Value, new: &Value) -> Self {
        if !self.is_empty() {
            self.record(writer, old, new);
        }
        self
    }

    fn record(&mut self, writer: Writer<'_>, old: &Value, new: &Value) {
        let diff = compare(&Shape::of(writer.resource), Some(old), Some(new));
        let (taken, removed) = (writer.own(&diff.taken()), writer.own(&diff.removed));
        for entry in &mut self.0 {
            entry.fields = entry.fields.without(&taken).without(&removed);
        }
        self.0.retain(|entry| !entry.fields.is_empty());
        let taken = stripped(&taken);
        if taken.is_empty() {
            return;
        }
        // The real server puts no time on what comes through a Scale.
        let time = (writer.sub != "scale").then(|| seconds(writer.now));
        match self.0.iter_mut().find(|entry| entry.is_of(writer, false)) {
            Some(entry) => {
                entry.fields = entry.fields.union(&taken);
                entry.time = time;
            }
            None => self.0.push(Entry::new(writer, false, taken, time)),
        }
    }

    /// Applies a configuration: returns the object it makes, and the record of that. `old` is `None` for a new object.
    ///
    /// # Errors
    /// 400 for a configuration with a record of its own, 409 with one cause for each conflict, 500 for a list that has
    /// the same key twice.
    pub fn apply(
        writer: Writer<'_>,
        old: Option<&Value>,
        config: &Value,
        force: bool,
    ) -> Result<(Value, Self), Failure> {
        if !config["metadata"]["managedFields"].is_null() {
            return Err(Failure::bad_request("metadata.managedFields must be nil"));
        }
        if let Some(found) = twice(&Shape::of(writer.resource), config) {
            let text = |field: &str| config["metadata"][field].as_str().unwrap_or_default();
            let object = format!("{}/{}; {}", text("namespace"), text("name"), writer.resource.api_version());
            let kind = writer.resource.kind;
            let message = format!("failed to create typed patch object ({object}, Kind={kind}): {found}");
            return Err(Failure::new(500, "", message));
        }
        let empty = blank(writer.resource);
        let live = old.unwrap_or(&empty);
        let mut owners = old.map(Self::of).unwrap_or_default();
        if old.is_some() && owners.is_empty() {
            owners.record(Writer { manager: "before-first-apply", ..writer }, &empty, live);
        }
        let (mut object, owners) = match owners.merge(writer, live, config, force) {
            Ok(done) => done,
            Err(conflicts) => {
                let own = if writer.manager == KUBECTL { last_applied(writer.resource, live) } else { Set::default() };
                let others = conflicts.minus(&own);
                if !others.is_empty() {
                    return Err(others.refusal());
                }
                owners.merge(writer, live, config, true).map_err(|conflicts| conflicts.refusal())?
            }
        };
        let kept = object["metadata"]["annotations"][LAST_APPLIED].as_str().is_some_and(|text| !text.is_empty());
        if writer.manager == KUBECTL && kept {
            let mut shown = config.clone();
            if let Some(Value::Object(annotations)) = shown.pointer_mut("/metadata/annotations") {
                annotations.remove(LAST_APPLIED);
            }
            object["metadata"]["annotations"][LAST_APPLIED] = json!(format!("{shown}\n"));
        }
        // A new object is what was sent; the blank one was there only to be compared with.
        Ok((if old.is_some() { object } else { config.clone() }, owners))
    }

    /// The core of an apply: merge, prune what is not applied any more, and see who is in the way.
    fn merge(&self, writer: Writer<'_>, live: &Value, config: &Value, force: bool) -> Result<(Value, Self), Conflicts> {
        let shape = Shape::of(writer.resource);
        let mine = writer.own(&fields(&shape, config));
        let last = self.0.iter().find(|entry| entry.is_of(writer, true));
        let others = || self.0.iter().filter(|entry| !entry.is_of(writer, true));
        let owned = others().fold(mine.named(), |all, entry| all.union(&entry.fields.named()));
        let mut object = merge(&shape, Some(live), Some(config)).unwrap_or_else(|| json!({}));
        if let Some(last) = last {
            object = prune(&shape, &object, &last.fields.named(), &owned);
        }
        let diff = compare(&shape, Some(live), Some(&object));
        let (taken, removed) = (writer.own(&diff.taken()), writer.own(&diff.removed));
        let conflicts: Vec<(Entry, Set)> = others()
            .map(|entry| (entry.clone(), entry.fields.shared(&taken)))
            .filter(|(_, fields)| !fields.is_empty())
            .collect();
        if !force && !conflicts.is_empty() {
            return Err(Conflicts(conflicts));
        }
        let mut entries: Vec<Entry> = others().cloned().collect();
        for entry in &mut entries {
            entry.fields = entry.fields.without(&taken).without(&removed);
        }
        let same = taken.is_empty() && removed.is_empty();
        let time = if same { last.and_then(|last| last.time.clone()) } else { Some(seconds(writer.now)) };
        entries.push(Entry::new(writer, true, stripped(&mine), time));
        entries.retain(|entry| !entry.fields.is_empty());
        Ok((object, Self(entries)))
    }
}

/// Removes what was applied last time and nobody owns now. What the removal of a whole map or item takes along is put
/// back if somebody owns it, and so is what was never applied by this manager.
fn prune(shape: &Shape, merged: &Value, last: &Set, owned: &Set) -> Value {
    let all = fields(shape, merged).named();
    let without = |gone: &Set| remove(shape, merged, gone).unwrap_or_else(|| json!({}));
    let bare = fields(shape, &without(last)).named();
    let pruned = without(&all.without(&bare.union(owned)));
    let left = fields(shape, &pruned).named();
    without(&all.without(&left).shared(last))
}

/// The fields that the last client-side apply of kubectl has set and nobody has changed since.
fn last_applied(resource: &'static Resource, live: &Value) -> Set {
    let text = live["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap_or_default();
    let Ok(config) = serde_json::from_str::<Value>(text) else { return Set::default() };
    if config["apiVersion"] != resource.api_version() {
        return Set::default();
    }
    let shape = Shape::of(resource);
    let diff = compare(&shape, Some(&config), Some(live));
    fields(&shape, &config).without(&diff.taken()).without(&diff.removed)
}

impl Writer<'_> {
    /// Drops the fields of the part that this writer cannot change.
    fn own(&self, fields: &Set) -> Set {
        let mut own = fields.clone();
        let status = fields.below("f:status").cloned().unwrap_or_default();
        match self.part {
            Part::Main if self.resource.status => own.put("f:status", Set::default()),
            Part::Main => {}
            Part::Status => {
                own = Set::default();
                own.put("f:status", status);
            }
        }
        own
    }
}

fn stripped(fields: &Set) -> Set {
    let mut own = fields.clone();
    own.put("f:apiVersion", Set::default());
    own.put("f:kind", Set::default());
    let Some(metadata) = own.below("f:metadata") else { return own };
    let mut metadata = metadata.clone();
    metadata.remove_here();
    for step in STRIPPED {
        metadata.put(step, Set::default());
    }
    own.put("f:metadata", metadata);
    own
}

impl Entry {
    fn new(writer: Writer<'_>, applied: bool, fields: Set, time: Option<String>) -> Self {
        let version = writer.resource.api_version();
        Self { manager: writer.manager.to_owned(), applied, version, sub: writer.sub.to_owned(), time, fields }
    }

    fn is_of(&self, writer: Writer<'_>, applied: bool) -> bool {
        let version = applied || self.version == writer.resource.api_version();
        self.applied == applied && version && self.manager == writer.manager && self.sub == writer.sub
    }

    fn read(entry: &Value) -> Option<Self> {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let applied = match entry["operation"].as_str()? {
            "Apply" => true,
            "Update" => false,
            _ => return None,
        };
        let version = Some(text("apiVersion")).filter(|version| !version.is_empty())?;
        let time = entry["time"].as_str().map(str::to_owned);
        let fields = Some(&entry["fieldsV1"]).filter(|_| entry["fieldsType"] == "FieldsV1").map(Set::read)?;
        Some(Self { manager: text("manager"), applied, version, sub: text("subresource"), time, fields })
    }

    fn write(&self) -> Value {
        let mut entry = json!({
            "apiVersion": self.version, "fieldsType": "FieldsV1", "fieldsV1": self.fields.write(),
            "operation": if self.applied { "Apply" } else { "Update" },
        });
        let optional = [("manager", &self.manager), ("subresource", &self.sub)];
        for (name, text) in optional.into_iter().filter(|(_, text)| !text.is_empty()) {
            entry[name] = json!(text);
        }
        if let Some(time) = &self.time {
            entry["time"] = json!(time);
        }
        entry
    }

    /// The manager as a refusal names it.
    fn spoken(&self) -> String {
        let sub = if self.sub.is_empty() { String::new() } else { format!(" with subresource {:?}", self.sub) };
        let version = if self.applied { String::new() } else { format!(" using {}", self.version) };
        format!("{:?}{sub}{version}", self.manager)
    }
}

/// Who owns what an apply would change.
struct Conflicts(Vec<(Entry, Set)>);

impl Conflicts {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn minus(self, allowed: &Set) -> Self {
        let left = self.0.into_iter().map(|(entry, fields)| (entry, fields.without(allowed)));
        Self(left.filter(|(_, fields)| !fields.is_empty()).collect())
    }

    fn refusal(&self) -> Failure {
        let mut found: Vec<(String, Vec<String>)> =
            self.0.iter().map(|(entry, fields)| (entry.spoken(), fields.paths())).collect();
        found.sort();
        let count: usize = found.iter().map(|(_, paths)| paths.len()).sum();
        let text = match found.as_slice() {
            [(manager, paths)] if count == 1 => format!("1 conflict: conflict with {manager}: {}", paths.concat()),
            _ => {
                let each = found.iter().map(|(manager, paths)| {
                    let lines: Vec<String> = paths.iter().map(|path| format!("\n- {path}")).collect();
                    format!("conflicts with {manager}:{}", lines.concat())
                });
                format!("{count} conflicts: {}", each.collect::<Vec<_>>().join("\n"))
            }
        };
        let causes = found.iter().flat_map(|(manager, paths)| {
            paths.iter().map(move |path| Cause {
                reason: "FieldManagerConflict",
                field: path.clone(),
                message: format!("conflict with {manager}"),
            })
        });
        Failure::apply_conflict(format!("Apply failed with {text}"), &causes.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests;
