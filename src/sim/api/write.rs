//! Creating, changing and deleting objects, with the rules of the real API server.

use super::admit;
use super::failure::{Cause, Failure};
use super::owners::{Owners, Writer};
use super::patch::{self, PatchKind};
use super::resources::Resource;
use super::store::{Context, Step, Store};
use crate::model::{Timestamp, name_of};
use crate::sim::clock::seconds;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

/// The part of an object a request may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything but the status.
    Main,
    /// The status alone.
    Status,
}

/// What a request addresses, and whether it only asks.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The resource.
    pub resource: &'static Resource,
    /// The namespace; empty for cluster-wide resources.
    pub namespace: &'a str,
    /// The name; empty for a POST.
    pub name: &'a str,
    /// The part.
    pub part: Part,
    /// The subresource that is written through; empty for the object itself.
    pub sub: &'a str,
    /// The manager of the fields that are set; `None` for a controller of the cluster, whose objects are not tracked.
    pub manager: Option<&'a str>,
    /// Validate only, store nothing.
    pub dry_run: bool,
}

impl<'a> Target<'a> {
    /// An object that a controller of the cluster creates or deletes; the name is empty for one to be created.
    pub fn own(resource: &'static Resource, namespace: &'a str, name: &'a str) -> Self {
        Self { resource, namespace, name, part: Part::Main, sub: "", manager: None, dry_run: false }
    }

    /// Who writes, for the record of owners.
    fn writer(self, now: Timestamp) -> Option<Writer<'a>> {
        let Self { resource, part, sub, .. } = self;
        self.manager.map(|manager| Writer { resource, part, manager, sub, now })
    }
}

/// What a DELETE asks for beside the name.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// `preconditions.uid`.
    pub uid: Option<String>,
    /// `preconditions.resourceVersion`.
    pub resource_version: Option<String>,
    /// `gracePeriodSeconds`; pods only.
    pub grace: Option<i64>,
}

/// Creates an object.
///
/// # Errors
/// 400, 404 (no such namespace), 409 (name taken) or 422 (bad object).
pub fn create(store: &Store, target: Target<'_>, body: Value) -> Result<Arc<Value>, Failure> {
    make(store, target, body, None)
}

/// Creates an object; `owners` is its record if that is known already.
fn make(store: &Store, target: Target<'_>, body: Value, owners: Option<Owners>) -> Result<Arc<Value>, Failure> {
    let Target { resource, namespace, .. } = target;
    let mut object = same_kind(resource, body)?;
    let sent = object.clone();
    require_namespace(store, target)?;
    if object["metadata"]["namespace"].as_str().is_some_and(|ns| ns != namespace) {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if object["metadata"]["resourceVersion"].as_str().is_some_and(|v| !v.is_empty()) {
        return Err(Failure::new(500, "InternalError", "resourceVersion should not be set on objects to be created"));
    }
    if name_of(&object).is_empty() {
        let Some(prefix) = object["metadata"]["generateName"].as_str().filter(|p| !p.is_empty()) else {
            let cause = Cause::required("metadata.name", "name or generateName is required");
            return Err(Failure::invalid(resource, "", &[cause]));
        };
        let suffix = store.suffix();
        object["metadata"]["name"] = json!(format!("{prefix}{suffix}"));
    }
    let name = name_of(&object).to_owned();
    store.transact(resource, namespace, &name, |old, context| {
        born(resource, namespace, &mut object, context);
        admit::check(resource, None, &mut object)?;
        if old.is_some() {
            return Err(Failure::already_exists(resource, &name));
        }
        if let Some(writer) = target.writer(context.now) {
            owners.unwrap_or_else(|| Owners::create(writer, &object, &sent)).write(&mut object);
        }
        Ok(if target.dry_run { Step::Keep(object) } else { Step::Put(object) })
    })
}

/// Replaces an object or its status (PUT).
///
/// # Errors
/// 400, 404, 409 (stale resourceVersion or uid) or 422.
pub fn replace(store: &Store, target: Target<'_>, body: Value) -> Result<Arc<Value>, Failure> {
    let Target { resource, name, .. } = target;
    let body = same_kind(resource, body)?;
    if name_of(&body) != name {
        return Err(Failure::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({name})",
            name_of(&body)
        )));
    }
    let conditional = body["metadata"]["resourceVersion"].as_str().is_some_and(|v| !v.is_empty());
    if !conditional && (resource.custom || resource.plural == "leases") {
        let cause = Cause::invalid("metadata.resourceVersion", &json!(0), "must be specified for an update");
        return Err(Failure::invalid(resource, name, &[cause]));
    }
    store.transact(resource, target.namespace, name, |old, context| {
        let old = old.ok_or_else(|| Failure::not_found(resource, name))?;
        update(target, old, body, None, context)
    })
}

/// Patches an object or its status.
///
/// # Errors
/// 400, 404, 409, 413 or 422; see [`patch::apply`].
pub fn patch(store: &Store, target: Target<'_>, kind: PatchKind, change: &Value) -> Result<Arc<Value>, Failure> {
    let custom = target.resource.custom;
    edit(store, target, |old| patch::apply(kind, old, change, !custom))
}

/// Changes an object or its status by what it is: nothing comes between the reading and the writing.
///
/// # Errors
/// 404, what `wanted` refuses, 409 when the wanted form has a stale version, or 422.
pub fn edit(
    store: &Store,
    target: Target<'_>,
    wanted: impl FnOnce(&Value) -> Result<Value, Failure>,
) -> Result<Arc<Value>, Failure> {
    let Target { resource, namespace, name, .. } = target;
    store.transact(resource, namespace, name, |old, context| {
        let old = old.ok_or_else(|| Failure::not_found(resource, name))?;
        update(target, old, wanted(old)?, None, context)
    })
}

/// Applies a configuration (server-side apply), which creates an object that is missing. Returns whether it did.
///
/// # Errors
/// 400, 404 (no such namespace, or no object to have a status), 409 (fields of other managers, unless `force`) or 422.
pub fn apply(store: &Store, target: Target<'_>, config: Value, force: bool) -> Result<(Arc<Value>, bool), Failure> {
    let Target { resource, namespace, name, part, .. } = target;
    let mut config = same_kind(resource, config)?;
    let named = name_of(&config);
    if !named.is_empty() && named != name {
        return Err(Failure::bad_request(format!(
            "the name of the object ({named}) does not match the name on the URL ({name})"
        )));
    }
    config["metadata"]["name"] = json!(name);
    let writer = target.writer(store.clock().now()).ok_or_else(Failure::no_manager)?;
    if part == Part::Main && store.get(resource, namespace, name).is_none() {
        let (object, owners) = Owners::apply(writer, None, &config, force)?;
        return make(store, target, object, Some(owners)).map(|object| (object, true));
    }
    let object = store.transact(resource, namespace, name, |old, context| {
        let old = old.ok_or_else(|| Failure::not_found(resource, name))?;
        let (wanted, owners) = Owners::apply(writer, Some(old), &config, force)?;
        update(target, old, wanted, Some(owners), context)
    })?;
    Ok((object, false))
}

/// Deletes an object. Pods get their grace period, objects with finalizers stay until these are gone. Returns the
/// object's form after it, and whether it is gone.
///
/// # Errors
/// 404, or 409 when a precondition does not hold.
pub fn delete(store: &Store, target: Target<'_>, options: &DeleteOptions) -> Result<(Arc<Value>, bool), Failure> {
    let Target { resource, namespace, name, .. } = target;
    let mut gone = false;
    let object = store.transact(resource, namespace, name, |old, context| {
        let old = old.ok_or_else(|| Failure::not_found(resource, name))?;
        preconditions(resource, name, old, options)?;
        if target.dry_run {
            return Ok(Step::Keep(old.clone()));
        }
        let grace = grace_of(resource, old, options);
        let finalizers = old["metadata"]["finalizers"].as_array().is_some_and(|f| !f.is_empty());
        if grace == 0 && !finalizers {
            gone = true;
            return Ok(Step::Remove(old.clone()));
        }
        let running_out = old["metadata"]["deletionGracePeriodSeconds"].as_i64();
        if running_out.is_some_and(|left| left <= grace) {
            return Ok(Step::Keep(old.clone()));
        }
        Ok(Step::Put(doomed(old, context.now, grace)))
    })?;
    Ok((object, gone))
}

/// Changes an object on behalf of a controller: its status too, without admission, with the same bookkeeping.
///
/// Returns what is stored afterwards; `None` when the object does not exist.
pub fn control(
    store: &Store,
    resource: &'static Resource,
    namespace: &str,
    name: &str,
    act: impl FnOnce(&mut Value),
) -> Option<Arc<Value>> {
    let changed = store.transact(resource, namespace, name, |old, context| {
        let old = old.ok_or_else(|| Failure::not_found(resource, name))?;
        let mut new = old.clone();
        act(&mut new);
        if new == *old {
            return Ok(Step::Keep(new));
        }
        grow_generation(resource, old, &mut new);
        let (manager, mut owners) = (controller_of(resource), Owners::of(&new));
        for (part, sub) in [(Part::Main, ""), (Part::Status, "status")] {
            if differs(part, old, &new) {
                owners = owners.update(Writer { resource, part, manager, sub, now: context.now }, old, &new);
            }
        }
        owners.write(&mut new);
        Ok(Step::Put(new))
    });
    changed.ok()
}

/// Tells whether a part of an object has changed.
fn differs(part: Part, old: &Value, new: &Value) -> bool {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else { return true };
    let names = old.keys().chain(new.keys());
    names.filter(|name| (*name == "status") == (part == Part::Status)).any(|name| old.get(name) != new.get(name))
}

/// The manager under which a controller of the cluster changes objects that somebody else has made.
fn controller_of(resource: &Resource) -> &'static str {
    match resource.plural {
        "pods" | "nodes" => "kubelet",
        "httproutes" | "gateways" | "gatewayclasses" => "embedded-gateway",
        _ => "kube-controller-manager",
    }
}

/// What every new object gets, and what it cannot bring along.
fn born(resource: &Resource, namespace: &str, object: &mut Value, context: &mut Context<'_>) {
    admit::default(resource, object, context.entropy);
    let metadata = &mut object["metadata"];
    for foreign in ["resourceVersion", "selfLink", "managedFields", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        remove(metadata, foreign);
    }
    if resource.namespaced {
        metadata["namespace"] = json!(namespace);
    }
    metadata["uid"] = json!(context.entropy.uid());
    metadata["creationTimestamp"] = json!(seconds(context.now));
    if resource.generation {
        metadata["generation"] = json!(1);
    }
    if resource.status {
        remove(object, "status");
        match resource.plural {
            "pods" => object["status"] = first_status(object, context.now),
            "namespaces" => object["status"] = json!({ "phase": "Active" }),
            "services" => object["status"] = json!({ "loadBalancer": {} }),
            _ if !resource.custom => object["status"] = json!({}),
            _ => {}
        }
    }
}

/// The status of a pod that nobody has looked at yet.
fn first_status(pod: &Value, now: Timestamp) -> Value {
    let mut status = json!({ "phase": "Pending", "qosClass": "BestEffort" });
    if is_gated(pod) {
        let message = "Scheduling is blocked due to non-empty scheduling gates";
        status["conditions"] = json!([{
            "type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": message,
            "lastProbeTime": null, "lastTransitionTime": seconds(now),
        }]);
    }
    status
}

/// Whether somebody still has to allow that the pod is given to a node.
pub fn is_gated(pod: &Value) -> bool {
    pod["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty())
}

/// Turns the wanted form of an object into what is stored: the other part and the server's fields stay as they are.
///
/// `owners` is the record of it if that is known already.
fn update(
    target: Target<'_>,
    old: &Value,
    wanted: Value,
    owners: Option<Owners>,
    context: &mut Context<'_>,
) -> Result<Step, Failure> {
    let Target { resource, name, part, dry_run, .. } = target;
    let mut new = same_kind(resource, wanted)?;
    // A record that is sent through a subresource does not count.
    let given = if target.sub.is_empty() { Owners::given(old, &new) } else { Owners::of(old) };
    let stale = new["metadata"]["resourceVersion"].as_str().filter(|v| !v.is_empty());
    if stale.is_some_and(|v| old["metadata"]["resourceVersion"] != v) {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        return Err(Failure::conflict(resource, name, why));
    }
    let other = new["metadata"]["uid"].as_str().filter(|uid| old["metadata"]["uid"] != *uid);
    if let (Some(_), Part::Main) = (other, part) {
        let cause = Cause::invalid("metadata.uid", &new["metadata"]["uid"], "field is immutable");
        return Err(Failure::invalid(resource, name, &[cause]));
    }
    if let Some(uid) = other {
        let have = &old["metadata"]["uid"].as_str().unwrap_or_default();
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {have}");
        return Err(Failure::conflict(resource, name, &why));
    }
    if name_of(&new) != name {
        let cause = Cause::invalid("metadata.name", &new["metadata"]["name"], "field is immutable");
        return Err(Failure::invalid(resource, name, &[cause]));
    }
    if part == Part::Status {
        let status = new["status"].take();
        new = old.clone();
        set(&mut new, "status", &status);
    } else {
        for fixed in [
            "resourceVersion",
            "uid",
            "namespace",
            "creationTimestamp",
            "generation",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ] {
            set(&mut new["metadata"], fixed, &old["metadata"][fixed]);
        }
        if resource.status {
            set(&mut new, "status", &old["status"]);
        }
    }
    admit::default(resource, &mut new, context.entropy);
    admit::check(resource, Some(old), &mut new)?;
    let writer = target.writer(context.now);
    let owners = owners.or_else(|| Some(given.update(writer?, old, &new)));
    owners.unwrap_or_else(|| Owners::of(old)).write(&mut new);
    if is_same(old, &new) {
        return Ok(Step::Keep(old.clone()));
    }
    grow_generation(resource, old, &mut new);
    if dry_run {
        // Measured on the real server: the answer carries the new generation, but the old resourceVersion.
        return Ok(Step::Keep(new));
    }
    let doomed = new["metadata"]["deletionTimestamp"].is_string();
    let held = new["metadata"]["finalizers"].as_array().is_some_and(|f| !f.is_empty());
    let waits = new["metadata"]["deletionGracePeriodSeconds"].as_i64().is_some_and(|s| s > 0);
    Ok(if doomed && !held && !waits { Step::Remove(new) } else { Step::Put(new) })
}

/// A change of anything but metadata and status is a new generation.
fn grow_generation(resource: &Resource, old: &Value, new: &mut Value) {
    if !resource.generation {
        return;
    }
    fn core(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
        let fields = object.as_object().into_iter().flatten();
        fields.filter(|(name, _)| !matches!(name.as_str(), "metadata" | "status"))
    }
    if !core(old).eq(core(new)) {
        let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
        new["metadata"]["generation"] = json!(generation);
    }
}

/// Tells whether a change changes nothing but times in the record of owners, which is not worth a version.
fn is_same(old: &Value, new: &Value) -> bool {
    let timeless = |object: &Value| {
        let mut object = object.clone();
        for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
            remove(entry, "time");
        }
        object
    };
    old == new || timeless(old) == timeless(new)
}

fn same_kind(resource: &Resource, mut body: Value) -> Result<Value, Failure> {
    if !body.is_object() {
        return Err(Failure::bad_request("the object provided is unrecognized: it must be a JSON object"));
    }
    let kind = body["kind"].as_str().unwrap_or(resource.kind);
    let version = body["apiVersion"].as_str().unwrap_or_default();
    if kind != resource.kind || !(version.is_empty() || version == resource.api_version()) {
        return Err(Failure::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {}: no match",
            resource.kind
        )));
    }
    if !body["metadata"].is_object() {
        body["metadata"] = json!({});
    }
    Ok(body)
}

fn require_namespace(store: &Store, target: Target<'_>) -> Result<(), Failure> {
    let namespaces = &super::resources::NAMESPACES;
    if target.resource.namespaced && store.get(namespaces, "", target.namespace).is_none() {
        return Err(Failure::not_found(namespaces, target.namespace));
    }
    Ok(())
}

fn preconditions(resource: &Resource, name: &str, old: &Value, options: &DeleteOptions) -> Result<(), Failure> {
    let have = |field: &str| old["metadata"][field].as_str().unwrap_or_default().to_owned();
    let checks = [
        ("UID", "uid", &options.uid, "The object might have been deleted and then recreated"),
        ("ResourceVersion", "resourceVersion", &options.resource_version, "The object might have been modified"),
    ];
    for (word, field, wanted, hint) in checks {
        let Some(wanted) = wanted else { continue };
        if *wanted != have(field) {
            let why = format!(
                "the {word} in the precondition ({wanted}) does not match the {word} in record ({}). {hint}",
                have(field)
            );
            return Err(Failure::conflict(resource, name, &why));
        }
    }
    Ok(())
}

/// How long an object may take to end; only pods that run on a node take any time.
fn grace_of(resource: &Resource, old: &Value, options: &DeleteOptions) -> i64 {
    let runs = resource.plural == "pods"
        && old["spec"]["nodeName"].is_string()
        && !matches!(old["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if !runs {
        return 0;
    }
    options.grace.or(old["spec"]["terminationGracePeriodSeconds"].as_i64()).unwrap_or(30).max(0)
}

fn doomed(old: &Value, now: Timestamp, grace: i64) -> Value {
    let mut new = old.clone();
    let deadline = now.saturating_add(SignedDuration::from_secs(grace)).unwrap_or(now);
    new["metadata"]["deletionTimestamp"] = json!(seconds(deadline));
    new["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
    new
}

fn set(object: &mut Value, field: &str, value: &Value) {
    if value.is_null() {
        remove(object, field);
    } else {
        object[field] = value.clone();
    }
}

fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}
