//! Whose pod it is: several plans may share a namespace, and the slot label alone does not tell their pods apart.
//!
//! A pod that is lost from coverage would be a false drain, one too many only a late one: what is not known to be
//! somebody else's counts.

use super::World;
use crate::model::{
    Component, ResourceKind, Slot, SlotPair, Timestamp, label_of, name_of, selects, service_selects, uid_of,
};
use crate::routing::{SLOT_LABEL, VERSION_LABEL};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The label by which the Deployment controller tells its ReplicaSets and their pods apart.
const HASH_LABEL: &str = "pod-template-hash";
/// How many pods that have gone are remembered: their series outlive them.
const REMEMBERED: usize = 1000;
/// The longest name that a pod can have; one as long as this may have lost a part of its Deployment's name.
const LONGEST_NAME: usize = 63;
/// How many characters the API server appends to a generated name.
const SUFFIX: usize = 5;

/// Whose a pod is, as one component sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kin {
    /// It belongs to one of the component's slots.
    Ours,
    /// Nothing says whose it is.
    Unknown,
    /// It belongs to somebody else.
    Foreign,
}

/// What keeps a pod alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Controller {
    /// Nothing, or something that does not say which Deployment it works for.
    Unknown,
    /// A ReplicaSet of this Deployment.
    Deployment(String),
    /// Something that is no ReplicaSet, such as a StatefulSet or a Job.
    Other,
}

/// A pod, reduced to what decisions need.
#[derive(Clone, Debug, PartialEq)]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// Its slot, from the label; `None` when that is missing or names no slot.
    pub slot: Option<Slot>,
    /// All of its labels; pods of one ReplicaSet share them.
    pub labels: Arc<Value>,
    /// What keeps it alive.
    pub controller: Controller,
    /// Its version, from the label.
    pub version: String,
    /// Whether it is Ready.
    pub ready: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether a container runs now; one that has not started, or waits to be restarted, holds nothing.
    pub running: bool,
    /// Whether all of its containers have terminated: nothing can be open in it.
    pub terminated: bool,
    /// Whether a container ended by SIGKILL.
    pub killed: bool,
    /// Container restarts.
    pub restarts: u64,
    /// What a waiting container says, such as `ImagePullBackOff`.
    pub waiting: Option<String>,
    /// When the youngest of its running containers started; its counters began at zero then, or later.
    pub started: Option<Timestamp>,
}

/// A pod as a source has seen it.
#[derive(Clone, Debug, PartialEq)]
pub struct PodSeen {
    uid: String,
    /// The name of what controls it; empty = nothing.
    owner: String,
    view: PodView,
}

/// Every pod that was observed.
#[derive(Clone, Debug, Default)]
pub(super) struct Pods {
    listed: BTreeMap<String, PodView>,
    /// Those of them that may be of any slot: with a slot label, or with nothing that says which Deployment they are of.
    candidates: BTreeSet<String>,
    /// All others that a Deployment controls, by that: of ten thousand pods only these few are looked at for a slot.
    by_deployment: BTreeMap<String, BTreeSet<String>>,
    /// The last look of pods that have gone, and their order.
    gone: BTreeMap<String, PodView>,
    order: VecDeque<String>,
    /// By uid: pods that ended by SIGKILL while they were being deleted.
    killed: BTreeMap<String, PodView>,
    /// Labels by what controls the pods that have them.
    shared: BTreeMap<String, Arc<Value>>,
}

impl PodSeen {
    /// Reads a pod from JSON; the object is not needed any more.
    pub fn read(object: &Value) -> Self {
        Self {
            uid: uid_of(object).to_owned(),
            owner: controller_of(object).and_then(|owner| owner["name"].as_str()).unwrap_or_default().to_owned(),
            view: pod_view(object),
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.view.name
    }
}

impl Pods {
    /// Counts those that are listed.
    pub fn len(&self) -> usize {
        self.listed.len()
    }

    /// Takes in a pod; returns whether anything about it has changed.
    pub fn upsert(&mut self, PodSeen { uid, owner, mut view }: PodSeen) -> bool {
        view.labels = self.labels(&owner, view.labels);
        if view.killed && view.deleting {
            self.killed.insert(uid, view.clone());
        }
        if self.listed.get(&view.name) == Some(&view) {
            return false;
        }
        self.unfile(&view.name);
        match &view.controller {
            Controller::Deployment(deployment) if view.slot.is_none() => {
                self.by_deployment.entry(deployment.clone()).or_default().insert(view.name.clone());
            }
            Controller::Other if view.slot.is_none() => {}
            _ => {
                self.candidates.insert(view.name.clone());
            }
        }
        self.listed.insert(view.name.clone(), view);
        true
    }

    /// Takes a pod out of where it is found by its slot.
    fn unfile(&mut self, name: &str) {
        self.candidates.remove(name);
        if let Some(PodView { controller: Controller::Deployment(deployment), .. }) = self.listed.get(name)
            && let Some(of_deployment) = self.by_deployment.get_mut(deployment)
        {
            of_deployment.remove(name);
            if of_deployment.is_empty() {
                let deployment = deployment.clone();
                self.by_deployment.remove(&deployment);
            }
        }
    }

    /// Returns the pods that may be of a Deployment's slot, by name.
    fn near(&self, deployment: &str) -> Vec<&PodView> {
        let plain = self.by_deployment.get(deployment).into_iter().flatten();
        let mut found: Vec<&PodView> =
            self.candidates.iter().chain(plain).filter_map(|name| self.listed.get(name)).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// Takes in that a pod has gone.
    pub fn remove(&mut self, name: &str) {
        self.unfile(name);
        let Some(view) = self.listed.remove(name) else { return };
        if self.gone.insert(name.to_owned(), view).is_none() {
            self.order.push_back(name.to_owned());
        }
        while self.order.len() > REMEMBERED {
            let Some(oldest) = self.order.pop_front() else { return };
            self.gone.remove(&oldest);
        }
    }

    /// Takes in that all pods but those that pass have gone.
    pub fn retain(&mut self, is_kept: impl Fn(&str) -> bool) {
        let gone: Vec<String> = self.listed.keys().filter(|name| !is_kept(name)).cloned().collect();
        gone.iter().for_each(|name| self.remove(name));
    }

    fn labels(&mut self, owner: &str, fresh: Arc<Value>) -> Arc<Value> {
        if let Some(known) = self.shared.get(owner).filter(|known| **known == fresh) {
            return known.clone();
        }
        if !owner.is_empty() {
            // What no pod has any more goes: a screen that watches for months sees many ReplicaSets.
            self.shared.retain(|_, labels| Arc::strong_count(labels) > 1);
            self.shared.insert(owner.to_owned(), fresh.clone());
        }
        fresh
    }
}

impl World {
    /// Returns the pods of a slot.
    ///
    /// Its slot label says which slot of a component a pod would belong to, and whether it does is said by what controls
    /// it and by the selectors of the slot's Deployment and Service. Left out is only what is known to be somebody
    /// else's: neither of the two selects it, and something else controls or selects it.
    ///
    /// A pod without such a label belongs to the slot whose Deployment controls it, else to each one that selects it: the
    /// slot that served before the product came gets the label with its next version, because any earlier change of the
    /// template would restart its pods.
    pub fn pods<'a>(&'a self, component: &'a Component, slot: Slot) -> impl Iterator<Item = &'a PodView> {
        let near = self.pods.near(&component.pair(slot).deployment);
        near.into_iter().filter(move |pod| self.kin_in(component, slot, pod) != Kin::Foreign)
    }

    /// Returns a pod by name.
    pub fn pod(&self, name: &str) -> Option<&PodView> {
        self.pods.listed.get(name)
    }

    /// Says whose a pod is that the metrics name; it may have gone.
    ///
    /// One that was never seen is judged by its name, which the controllers make from its Deployment's.
    pub fn kin(&self, component: &Component, name: &str) -> Kin {
        if let Some(pod) = self.pods.listed.get(name).or_else(|| self.pods.gone.get(name)) {
            let kin = Slot::ALL.map(|slot| self.kin_in(component, slot, pod));
            return kin.into_iter().find(|kin| *kin == Kin::Ours).unwrap_or(
                // Known to be none of the two slots' is known to be somebody else's.
                if kin.contains(&Kin::Unknown) { Kin::Unknown } else { Kin::Foreign },
            );
        }
        match deployment_in(name) {
            Some(deployment) if component.slot_of_deployment(deployment).is_some() => Kin::Ours,
            Some(deployment) => match self.get(ResourceKind::Deployment, deployment) {
                Some(object) if self.is_stranger(component, object) => Kin::Foreign,
                _ => Kin::Unknown,
            },
            None => Kin::Unknown,
        }
    }

    /// Returns how many pods of a component were seen to end by SIGKILL while they were being deleted: each had work in
    /// flight.
    pub fn cut(&self, component: &Component) -> u32 {
        let is_ours =
            |pod: &&PodView| Slot::ALL.into_iter().any(|slot| self.kin_in(component, slot, pod) != Kin::Foreign);
        u32::try_from(self.pods.killed.values().filter(is_ours).count()).unwrap_or(u32::MAX)
    }

    /// Returns the Deployments of other plans: their pods carry a slot label, and are none of the component's.
    pub fn strangers(&self, component: &Component) -> Vec<&str> {
        self.all(ResourceKind::Deployment)
            .filter(|object| template_labels(object)[SLOT_LABEL].is_string() && self.is_stranger(component, object))
            .map(name_of)
            .collect()
    }

    /// Tells whether the pods of a Deployment belong to no slot of a component.
    fn is_stranger(&self, component: &Component, deployment: &Value) -> bool {
        component.slot_of_deployment(name_of(deployment)).is_none()
            && Slot::ALL.into_iter().all(|slot| {
                let pair = component.pair(slot);
                self.is_known(pair) && !self.is_selected_by(pair, template_labels(deployment))
            })
    }

    /// Says whose a pod is, as one slot sees it.
    fn kin_in(&self, component: &Component, slot: Slot, pod: &PodView) -> Kin {
        let pair = component.pair(slot);
        match pod.slot {
            Some(label) if label != slot => Kin::Foreign,
            Some(_) if pod.is_of(&pair.deployment) || self.is_selected_by(pair, &pod.labels) => Kin::Ours,
            Some(_) if self.is_known(pair) && self.is_claimed(component, pod) => Kin::Foreign,
            Some(_) => Kin::Unknown,
            None => match &pod.controller {
                Controller::Deployment(name) if *name == pair.deployment => Kin::Ours,
                Controller::Deployment(_) | Controller::Other => Kin::Foreign,
                Controller::Unknown if self.deployment_selects(&pair.deployment, &pod.labels) => Kin::Ours,
                Controller::Unknown => Kin::Foreign,
            },
        }
    }

    /// Tells whether the slot's Deployment would take a pod with these labels for its own, or its Service sends to it.
    fn is_selected_by(&self, pair: &SlotPair, labels: &Value) -> bool {
        let service = self.get(ResourceKind::Service, &pair.service);
        service.is_some_and(|service| service_selects(&service["spec"]["selector"], labels))
            || self.deployment_selects(&pair.deployment, labels)
    }

    fn deployment_selects(&self, name: &str, labels: &Value) -> bool {
        let deployment = self.get(ResourceKind::Deployment, name);
        deployment.is_some_and(|deployment| selects(&deployment["spec"]["selector"], labels))
    }

    /// Tells whether what selects a slot's pods is known; before that nothing can be said not to be among them.
    fn is_known(&self, pair: &SlotPair) -> bool {
        [(ResourceKind::Deployment, &pair.deployment), (ResourceKind::Service, &pair.service)]
            .into_iter()
            .all(|(kind, name)| self.get(kind, name).is_some() || self.source(kind).listed)
    }

    /// Tells whether a pod with a slot label is somebody else's.
    fn is_claimed(&self, component: &Component, pod: &PodView) -> bool {
        match &pod.controller {
            Controller::Deployment(name) => component.slot_of_deployment(name).is_none(),
            Controller::Other => true,
            Controller::Unknown => self
                .all(ResourceKind::Deployment)
                .filter(|object| component.slot_of_deployment(name_of(object)).is_none())
                .any(|object| selects(&object["spec"]["selector"], &pod.labels)),
        }
    }
}

impl PodView {
    fn is_of(&self, deployment: &str) -> bool {
        matches!(&self.controller, Controller::Deployment(name) if name == deployment)
    }
}

/// Reads the Deployment from the name of one of its pods; `None` when it cannot be told for certain.
///
/// A name is the ReplicaSet's, cut to what leaves room for the suffix, and the suffix: one that was cut tells nothing.
fn deployment_in(pod: &str) -> Option<&str> {
    let mut parts = pod.rsplitn(3, '-');
    let (suffix, hash, deployment) = (parts.next()?, parts.next()?, parts.next()?);
    (pod.len() < LONGEST_NAME && suffix.len() == SUFFIX && !hash.is_empty()).then_some(deployment)
}

fn template_labels(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["metadata"]["labels"]
}

fn controller_of(object: &Value) -> Option<&Value> {
    let references = object["metadata"]["ownerReferences"].as_array()?;
    references.iter().find(|reference| reference["controller"].as_bool() == Some(true))
}

/// Says what controls a pod; a ReplicaSet of a Deployment is named by that and the hash that its pods are labelled with.
fn controller(object: &Value) -> Controller {
    let Some(owner) = controller_of(object) else { return Controller::Unknown };
    if owner["kind"].as_str() != Some("ReplicaSet") {
        return Controller::Other;
    }
    let hash = label_of(object, HASH_LABEL).unwrap_or_default();
    let name = owner["name"].as_str().unwrap_or_default();
    match name.strip_suffix(hash).and_then(|rest| rest.strip_suffix('-')) {
        Some(deployment) if !hash.is_empty() => Controller::Deployment(deployment.to_owned()),
        _ => Controller::Unknown,
    }
}

fn pod_view(pod: &Value) -> PodView {
    let statuses: Vec<&Value> = pod["status"]["containerStatuses"].as_array().into_iter().flatten().collect();
    let condition = |kind: &str| {
        pod["status"]["conditions"].as_array().into_iter().flatten().any(|c| c["type"] == kind && c["status"] == "True")
    };
    let phase = pod["status"]["phase"].as_str().unwrap_or_default();
    PodView {
        name: name_of(pod).to_owned(),
        slot: label_of(pod, SLOT_LABEL).and_then(Slot::parse),
        labels: Arc::new(pod["metadata"]["labels"].clone()),
        controller: controller(pod),
        version: label_of(pod, VERSION_LABEL).unwrap_or_default().to_owned(),
        ready: condition("Ready"),
        deleting: pod["metadata"]["deletionTimestamp"].is_string(),
        running: statuses.iter().any(|s| s["state"]["running"].is_object()),
        terminated: matches!(phase, "Succeeded" | "Failed")
            || (!statuses.is_empty() && statuses.iter().all(|s| s["state"]["terminated"].is_object())),
        killed: statuses.iter().any(|s| s["state"]["terminated"]["exitCode"].as_i64() == Some(137)),
        restarts: statuses.iter().filter_map(|s| s["restartCount"].as_u64()).sum(),
        waiting: statuses.iter().find_map(|s| s["state"]["waiting"]["reason"].as_str()).map(str::to_owned),
        started: statuses.iter().filter_map(|s| s["state"]["running"]["startedAt"].as_str()?.parse().ok()).max(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, replica_set: &str) -> Value {
        json!({ "metadata": {
            "name": name,
            "labels": { HASH_LABEL: replica_set },
            "ownerReferences": [{ "kind": "ReplicaSet", "name": replica_set, "controller": true }],
        } })
    }

    #[test]
    fn labels_are_kept_once_for_a_replica_set_and_no_longer_than_its_pods() {
        let mut pods = Pods::default();
        for name in ["a", "b"] {
            pods.upsert(PodSeen::read(&pod(name, "shop-1")));
        }
        assert!(Arc::ptr_eq(&pods.listed["a"].labels, &pods.listed["b"].labels));
        for n in 2..50 {
            for name in ["a", "b"] {
                pods.upsert(PodSeen::read(&pod(name, &format!("shop-{n}"))));
            }
        }
        // The one before goes with the next.
        assert!(pods.shared.len() <= 2, "{:?}", pods.shared.keys());
    }
}
