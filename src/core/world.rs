//! What has been observed of the cluster, and when.

mod pods;

pub use pods::{Kin, PodSeen, PodView};

use super::{Change, KubeEvent};
use crate::api::{ReleaseSpec, ReleaseStatus, RolloutPlanSpec, check_plan};
use crate::model::{
    Component, Customer, CustomerSource, Finding, Phase, Plan, ResourceKind, ResourceRef, SERVICE_LABEL, Slot,
    Timestamp, label_of, name_of, parse_customers, ready_in, resource_version, uid_of,
};
use crate::routing::VERSION_LABEL;
use pods::Pods;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The key of a ConfigMap that holds the list of customers.
const CUSTOMERS: &str = "customers.yaml";

/// Everything observed, by kind and name.
#[derive(Clone, Debug, Default)]
pub struct World {
    objects: BTreeMap<ResourceKind, BTreeMap<String, Value>>,
    pods: Pods,
    sources: BTreeMap<ResourceKind, SourceState>,
    /// Whether the API server has ever answered, if only with a refusal.
    has_answered: bool,
    /// The lists of customers, by ConfigMap.
    customers: BTreeMap<String, Result<Vec<Customer>, Vec<Finding>>>,
    releases: BTreeMap<String, ReleaseRead>,
    revisions: BTreeMap<ResourceKind, u64>,
}

/// When a source was last heard.
#[derive(Clone, Debug, Default)]
pub struct SourceState {
    /// Its last sign of life.
    pub alive: Option<Timestamp>,
    /// Whether a complete list has come.
    pub listed: bool,
    /// Why it cannot be read now.
    pub failed: Option<String>,
    /// Since when it cannot be read.
    pub failed_since: Option<Timestamp>,
}

/// A Release, read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReleaseRead {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion.
    pub version: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// What is asked for.
    pub spec: ReleaseSpec,
    /// Progress.
    pub status: ReleaseStatus,
    /// Whether the object has a status at all.
    pub has_status: bool,
    /// Whether its journal is one chain; computed here once per object, not per frame.
    pub is_chained: bool,
}

/// A Deployment, reduced to what decisions need.
#[derive(Clone, Debug, PartialEq)]
pub struct DeploymentView {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Wanted replicas.
    pub replicas: u32,
    /// Ready replicas.
    pub ready: u32,
    /// Whether the controller has seen the newest spec and every replica runs it and is available.
    pub settled: bool,
    /// The version label of the pod template; `None` when it is missing.
    pub version: Option<String>,
    /// The version label of the Deployment itself, which can be set without restarting its pods.
    pub label: Option<String>,
    /// Image of each container by name.
    pub images: BTreeMap<String, String>,
}

impl World {
    /// Takes in what a source saw.
    pub fn observe(&mut self, now: Timestamp, event: &KubeEvent) {
        let kind = event.kind;
        let source = self.sources.entry(kind).or_default();
        match &event.change {
            Change::Failed { why, answered } => {
                self.has_answered |= *answered;
                source.failed = Some(why.clone());
                source.failed_since.get_or_insert(now);
                return;
            }
            Change::Reset(_) | Change::ResetPods(_) => source.listed = true,
            Change::Alive | Change::Upsert(_) | Change::Deleted(_) => {}
        }
        self.has_answered = true;
        source.alive = Some(now);
        (source.failed, source.failed_since) = (None, None);
        match &event.change {
            Change::Reset(objects) => self.reset(kind, objects),
            Change::ResetPods(pods) => self.reset_pods(pods.clone()),
            Change::Upsert(object) => self.upsert(kind, object),
            Change::Deleted(object) => self.remove(kind, name_of(object)),
            Change::Alive | Change::Failed { .. } => {}
        }
    }

    /// Takes in an object that a write or a quorum read of ours returned.
    pub fn learn(&mut self, kind: ResourceKind, object: &Value) {
        self.upsert(kind, object);
    }

    /// Learns all objects of a kind from a quorum read of ours; what is not among them is forgotten.
    pub fn learn_all(&mut self, kind: ResourceKind, objects: &[Value]) {
        self.reset(kind, objects);
    }

    /// Forgets an object that a quorum read did not find.
    pub fn forget(&mut self, target: &ResourceRef) {
        self.remove(target.kind, &target.name);
    }

    fn reset(&mut self, kind: ResourceKind, objects: &[Value]) {
        if kind == ResourceKind::Pod {
            return self.reset_pods(objects.iter().map(PodSeen::read).collect());
        }
        let keep: BTreeSet<&str> = objects.iter().map(name_of).collect();
        if let Some(known) = self.objects.get_mut(&kind) {
            let before = known.len();
            known.retain(|name, _| keep.contains(name.as_str()));
            if known.len() != before {
                *self.revisions.entry(kind).or_default() += 1;
            }
        }
        if kind == ResourceKind::Release {
            self.releases.retain(|name, _| keep.contains(name.as_str()));
        }
        if kind == ResourceKind::ConfigMap {
            self.customers.retain(|name, _| keep.contains(name.as_str()));
        }
        for object in objects {
            self.upsert(kind, object);
        }
    }

    fn reset_pods(&mut self, pods: Vec<PodSeen>) {
        let keep: BTreeSet<&str> = pods.iter().map(PodSeen::name).collect();
        let before = self.pods.len();
        self.pods.retain(|name| keep.contains(name));
        let mut is_changed = self.pods.len() != before;
        for pod in pods {
            is_changed |= self.pods.upsert(pod);
        }
        if is_changed {
            *self.revisions.entry(ResourceKind::Pod).or_default() += 1;
        }
    }

    fn upsert(&mut self, kind: ResourceKind, object: &Value) {
        let name = name_of(object).to_owned();
        if kind == ResourceKind::Pod {
            if self.pods.upsert(PodSeen::read(object)) {
                *self.revisions.entry(kind).or_default() += 1;
            }
            return;
        }
        let known = self.objects.entry(kind).or_default();
        if known.get(&name).is_some_and(|old| is_older(object, old) || old == object) {
            return;
        }
        match kind {
            ResourceKind::Release => {
                self.releases.insert(name.clone(), read_release(object));
            }
            ResourceKind::ConfigMap => match object["data"][CUSTOMERS].as_str() {
                Some(text) => {
                    let from = format!("{CUSTOMERS} of ConfigMap {name}");
                    self.customers.insert(name.clone(), parse_customers(&from, text));
                }
                None => drop(self.customers.remove(&name)),
            },
            _ => {}
        }
        known.insert(name, object.clone());
        *self.revisions.entry(kind).or_default() += 1;
    }

    fn remove(&mut self, kind: ResourceKind, name: &str) {
        *self.revisions.entry(kind).or_default() += 1;
        match kind {
            ResourceKind::Pod => {
                self.pods.remove(name);
                return;
            }
            ResourceKind::Release => {
                self.releases.remove(name);
            }
            ResourceKind::ConfigMap => drop(self.customers.remove(name)),
            _ => {}
        }
        if let Some(known) = self.objects.get_mut(&kind) {
            known.remove(name);
        }
    }

    /// Returns an object by kind and name.
    pub fn get(&self, kind: ResourceKind, name: &str) -> Option<&Value> {
        self.objects.get(&kind)?.get(name)
    }

    /// Returns every object of a kind, by name.
    pub fn all(&self, kind: ResourceKind) -> impl Iterator<Item = &Value> {
        self.objects.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    /// Returns a number that changes whenever an object of this kind does.
    pub fn revision(&self, kind: ResourceKind) -> u64 {
        self.revisions.get(&kind).copied().unwrap_or(0)
    }

    /// Returns the state of a source.
    pub fn source(&self, kind: ResourceKind) -> SourceState {
        self.sources.get(&kind).cloned().unwrap_or_default()
    }

    /// Names what is still to be read of plans and releases.
    pub fn unread(&self) -> impl Iterator<Item = ResourceKind> + '_ {
        let needed = [ResourceKind::RolloutPlan, ResourceKind::Release];
        needed.into_iter().filter(|kind| !self.source(*kind).listed)
    }

    /// Tells whether plans and releases have been read: before, nobody knows whether a release is under way.
    pub fn is_read(&self) -> bool {
        self.unread().next().is_none()
    }

    /// Tells whether the API server has ever answered, if only with a refusal.
    pub fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Returns the names of all plans.
    pub fn plan_names(&self) -> Vec<&str> {
        self.all(ResourceKind::RolloutPlan).map(name_of).collect()
    }

    /// Reads and checks the live plan of this name.
    ///
    /// # Errors
    /// Returns every finding; a plan that is not there is one, too.
    pub fn plan(&self, namespace: &str, name: &str) -> Result<Plan, Vec<Finding>> {
        let object = self.get(ResourceKind::RolloutPlan, name).ok_or_else(|| {
            let known = self.plan_names();
            let another = if known.is_empty() { String::new() } else { format!(" with --plan ({})", known.join(", ")) };
            vec![Finding::refuse(
                "plan.missing",
                format!(
                    "there is no RolloutPlan {name} in namespace {namespace}: create it, or name another one{another}"
                ),
            )]
        })?;
        plan_of(namespace, name, &object["spec"])
    }

    /// Returns the name of the release that is under way, from the plan's status.
    ///
    /// Asked many times an event, so the status is not read as a whole; and a lock counts whatever else is wrong there.
    pub fn active_release(&self, plan: &str) -> Option<String> {
        let name = self.get(ResourceKind::RolloutPlan, plan)?["status"]["activeRelease"].as_str()?;
        (!name.is_empty()).then(|| name.to_owned())
    }

    /// Returns a release by name.
    pub fn release(&self, name: &str) -> Option<&ReleaseRead> {
        self.releases.get(name)
    }

    /// Returns the releases of a plan, newest first.
    pub fn releases(&self, plan: &str) -> Vec<&ReleaseRead> {
        let mut found: Vec<&ReleaseRead> = self.releases.values().filter(|r| r.spec.plan == plan).collect();
        found.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.name.cmp(&a.name)));
        found
    }

    /// Returns the releases that are under way by their own record, whatever their plan says.
    pub fn running(&self) -> impl Iterator<Item = &ReleaseRead> {
        self.releases.values().filter(|r| r.phase().is_active() && r.status.frozen.is_some())
    }

    /// Returns the releases of a plan that may be started, newest first.
    pub fn proposed(&self, plan: &str) -> Vec<&ReleaseRead> {
        let active = self.active_release(plan);
        let mut found = self.releases(plan);
        found.retain(|read| read.phase() == Phase::Proposed && active.as_ref() != Some(&read.name));
        found
    }

    /// Returns the customers the plan lists now.
    ///
    /// # Errors
    /// Says what is wrong with the list, or why there is none.
    pub fn customers<'a>(&'a self, plan: &'a Plan) -> Result<&'a [Customer], Vec<Finding>> {
        match &plan.customers {
            CustomerSource::Inline(list) => Ok(list),
            CustomerSource::ConfigMap(name) => match self.customers.get(name) {
                Some(Ok(list)) => Ok(list),
                Some(Err(findings)) => Err(findings.clone()),
                None => Err(vec![self.no_customers(name)]),
            },
        }
    }

    /// Tells whether there is a list of customers that cannot be taken as it is.
    pub fn has_unusable_customers(&self) -> bool {
        self.customers.values().any(Result::is_err)
    }

    /// Says why a ConfigMap brings no list of customers, and what to do.
    fn no_customers(&self, name: &str) -> Finding {
        let source = self.source(ResourceKind::ConfigMap);
        let (check, text) = match (self.get(ResourceKind::ConfigMap, name), source.failed) {
            (Some(object), _) => {
                let keys: Vec<&String> = object["data"].as_object().into_iter().flat_map(|data| data.keys()).collect();
                let text = format!("has no key {CUSTOMERS}, only {keys:?}: put the list there");
                ("customers.missing", text)
            }
            (None, Some(why)) => ("customers.unread", format!("cannot be read ({why})")),
            (None, None) if source.listed => ("customers.missing", "does not exist: create it".to_owned()),
            (None, None) => ("customers.waiting", "has not been read yet: wait a moment".to_owned()),
        };
        Finding::refuse(check, format!("ConfigMap {name}, where the customers are to be listed, {text}"))
    }

    /// Reads the Deployment of a slot.
    pub fn deployment(&self, component: &Component, slot: Slot) -> Option<DeploymentView> {
        self.get(ResourceKind::Deployment, &component.pair(slot).deployment).map(deployment_view)
    }

    /// Counts the ready endpoints of a Service over all of its slices.
    pub fn ready_endpoints(&self, service: &str) -> usize {
        self.all(ResourceKind::EndpointSlice)
            .filter(|slice| label_of(slice, SERVICE_LABEL) == Some(service))
            .map(ready_in)
            .sum()
    }
}

impl DeploymentView {
    /// Returns the version that the Deployment runs: its template's label, else its own.
    ///
    /// A Deployment that is adopted while it serves can be given its own label at any time; a label of its template
    /// would restart its pods.
    pub fn running(&self) -> Option<&str> {
        self.version.as_deref().or(self.label.as_deref())
    }
}

/// Reads a plan's spec from JSON and checks it.
///
/// # Errors
/// Returns every finding.
pub fn plan_of(namespace: &str, name: &str, spec: &Value) -> Result<Plan, Vec<Finding>> {
    let spec: RolloutPlanSpec = serde_json::from_value(spec.clone())
        .map_err(|e| vec![Finding::refuse("plan.unreadable", format!("RolloutPlan {name} cannot be read: {e}"))])?;
    check_plan(name, namespace, &spec)
}

/// Reads a Release from JSON; what cannot be read is as if it were not there, and its phase stays Proposed.
pub fn read_release(object: &Value) -> ReleaseRead {
    let status = &object["status"];
    let read: ReleaseStatus = serde_json::from_value(status.clone()).unwrap_or_default();
    ReleaseRead {
        name: name_of(object).to_owned(),
        uid: uid_of(object).to_owned(),
        version: resource_version(object).to_owned(),
        created: object["metadata"]["creationTimestamp"].as_str().and_then(|t| t.parse().ok()),
        spec: serde_json::from_value(object["spec"].clone()).unwrap_or_else(|_| empty_spec()),
        is_chained: super::is_chained(&read.journal),
        status: read,
        has_status: status.is_object(),
    }
}

impl ReleaseRead {
    /// Returns the phase.
    pub fn phase(&self) -> Phase {
        self.status.phase
    }

    /// Returns when it ended; `None` while it has not, or where its record does not say.
    ///
    /// Not when it was created: a pipeline may propose a release long before another one begins and ends.
    pub fn ended(&self) -> Option<Timestamp> {
        self.status.outcome.as_ref().filter(|_| self.phase().is_final())?.finished_at
    }
}

fn empty_spec() -> ReleaseSpec {
    ReleaseSpec {
        plan: String::new(),
        version: "".into(),
        image: None,
        commit: None,
        requested_by: String::new(),
        hold: None,
        approvals: Vec::new(),
    }
}

/// Tells whether `object` is an earlier form of `known`; versions of different servers' making are not compared.
fn is_older(object: &Value, known: &Value) -> bool {
    if uid_of(object) != uid_of(known) {
        return false;
    }
    match (resource_version(object).parse::<u64>(), resource_version(known).parse::<u64>()) {
        (Ok(new), Ok(old)) => new < old,
        _ => false,
    }
}

fn deployment_view(object: &Value) -> DeploymentView {
    let (spec, status) = (&object["spec"], &object["status"]);
    let count = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let replicas = spec["replicas"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
    let seen = status["observedGeneration"].as_i64() >= object["metadata"]["generation"].as_i64();
    let complete = [&status["updatedReplicas"], &status["readyReplicas"], &status["availableReplicas"]]
        .into_iter()
        .all(|n| count(n) >= replicas);
    let containers = spec["template"]["spec"]["containers"].as_array();
    DeploymentView {
        name: name_of(object).to_owned(),
        uid: uid_of(object).to_owned(),
        replicas,
        ready: count(&status["readyReplicas"]),
        settled: seen && complete && count(&status["replicas"]) == replicas,
        version: spec["template"]["metadata"]["labels"][VERSION_LABEL].as_str().map(str::to_owned),
        label: label_of(object, VERSION_LABEL).map(str::to_owned),
        images: containers
            .into_iter()
            .flatten()
            .filter_map(|c| Some((c["name"].as_str()?.to_owned(), c["image"].as_str()?.to_owned())))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
