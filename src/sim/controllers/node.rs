//! The node: starts pods, keeps them ready, and ends them as a kubelet does.

use super::endpoints::Members;
use super::owner::{deployment_of, is_true, namespace_of, set_condition};
use crate::model::{Slot, label_of, name_of, uid_of};
use crate::sim::api::resources::PODS;
use crate::sim::api::{DeleteOptions, Store, Target, control, delete, is_gated};
use crate::sim::wire::{LivePod, Traffic};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The one node's name.
pub const NODE: &str = "embedded-0";
/// Its address.
pub const ADDRESS: &str = "10.240.0.4";
/// How often the node looks whether a terminating pod has finished its work.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The exit code of a process that ended by SIGKILL.
const KILLED: i64 = 137;

/// The node.
pub struct Node {
    store: Arc<Store>,
    traffic: Arc<dyn Traffic>,
    start: Duration,
    /// The slots by their Services.
    slots: BTreeMap<String, Slot>,
    runs: BTreeMap<String, Run>,
    addresses: u32,
    reported: Vec<LivePod>,
}

/// A pod on the node.
struct Run {
    name: String,
    phase: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    /// The image is pulled until the first instant, the pod is ready at the second.
    Starting(Instant, Instant),
    /// Its image does not exist.
    Stuck,
    /// The process runs since before, the pod is ready at this instant.
    Running(Instant),
    /// Its process runs and the pod is ready.
    Ready,
    /// Told to end: SIGTERM at the first instant (after preStop), SIGKILL at the second.
    Ending(Instant, Instant),
}

impl Node {
    /// Makes an empty node; `start` is how long a pod takes to become ready.
    pub fn new(store: Arc<Store>, traffic: Arc<dyn Traffic>, start: Duration, slots: BTreeMap<String, Slot>) -> Self {
        Self { store, traffic, start, slots, runs: BTreeMap::new(), addresses: 0, reported: Vec::new() }
    }

    /// Changes how long pods take to become ready; returns how long they took before.
    pub fn replace_start(&mut self, start: Duration) -> Duration {
        std::mem::replace(&mut self.start, start)
    }

    /// Does what is due for every pod; returns when something is due next.
    pub fn sync(&mut self) -> Option<Instant> {
        let (_, pods) = self.store.list(&PODS);
        // What was removed from the API without its grace period is killed.
        let stored: BTreeSet<&str> = pods.iter().map(|pod| uid_of(pod)).collect();
        let gone: Vec<String> = self.runs.keys().filter(|uid| !stored.contains(uid.as_str())).cloned().collect();
        for uid in gone {
            if let Some(run) = self.runs.remove(&uid) {
                self.end_work(&run.name);
            }
        }
        let mut next: Option<Instant> = None;
        for pod in &pods {
            let due = self.step(pod);
            next = match (next, due) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        // What has just ended must not be reported as running, nor wait for the next pass.
        self.report();
        next
    }

    /// Starts the containers again that have crashed; returns whether there were any.
    pub fn restart_crashed(&mut self) -> bool {
        let names = self.traffic.crashed();
        if names.is_empty() {
            return false;
        }
        let (_, pods) = self.store.list(&PODS);
        for pod in pods.iter().filter(|p| names.iter().any(|name| name == name_of(p))) {
            let Some(run) = self.runs.get_mut(uid_of(pod)) else { continue };
            if matches!(run.phase, Stage::Running(_) | Stage::Ready) {
                run.phase = Stage::Running(Instant::now() + self.start);
                self.restart(pod);
            }
        }
        true
    }

    /// Tells the traffic model which processes run, if that has changed.
    fn report(&mut self) {
        let (_, pods) = self.store.list(&PODS);
        let members = Members::of(&self.store);
        let live: Vec<LivePod> = pods
            .iter()
            .filter(|p| p["status"]["phase"] == "Running")
            .map(|pod| {
                let terminating = pod["metadata"]["deletionTimestamp"].is_string();
                let services = members.services_of(pod);
                // Before a pod says its slot, metrics tell the slots apart by their Services.
                let behind = || services.iter().find_map(|service| self.slots.get(*service).copied());
                LivePod {
                    name: name_of(pod).to_owned(),
                    uid: uid_of(pod).to_owned(),
                    deployment: deployment_of(pod),
                    slot: label_of(pod, "pilothouse.dev/slot").map_or_else(behind, Slot::parse),
                    version: label_of(pod, "app.kubernetes.io/version").unwrap_or_default().to_owned(),
                    ready: is_true(pod, "Ready") && !terminating && !services.is_empty(),
                    terminating,
                }
            })
            .collect();
        if live != self.reported {
            self.reported.clone_from(&live);
            self.traffic.pods(live);
        }
    }

    /// Moves one pod to its next stage if it is time; returns when it is time for the one after.
    fn step(&mut self, pod: &Value) -> Option<Instant> {
        let now = Instant::now();
        let uid = uid_of(pod).to_owned();
        let stage = self.runs.get(&uid).map(|run| run.phase);
        if pod["metadata"]["deletionTimestamp"].is_string() {
            return self.end(pod, &uid, stage, now);
        }
        let (stage, due) = match stage {
            None if is_gated(pod) => return None,
            None => {
                self.bind(pod);
                let (pulled, ready) = (now + self.start / 2, now + self.start);
                (Stage::Starting(pulled, ready), Some(pulled))
            }
            Some(Stage::Starting(pulled, ready)) if pulled <= now => {
                if is_missing(pod) {
                    self.stuck(pod);
                    (Stage::Stuck, None)
                } else {
                    self.run(pod);
                    (Stage::Running(ready), Some(ready))
                }
            }
            Some(Stage::Running(ready)) if ready <= now => {
                self.ready(pod);
                (Stage::Ready, None)
            }
            Some(Stage::Starting(at, ready)) => (Stage::Starting(at, ready), Some(at)),
            Some(Stage::Running(at)) => (Stage::Running(at), Some(at)),
            Some(other) => (other, None),
        };
        self.runs.insert(uid, Run { name: name_of(pod).to_owned(), phase: stage });
        due
    }

    /// SIGTERM, wait for the work to end, SIGKILL at the end of the grace period, and off the list.
    fn end(&mut self, pod: &Value, uid: &str, stage: Option<Stage>, now: Instant) -> Option<Instant> {
        let (term, kill) = match stage {
            Some(Stage::Ending(term, kill)) => (term, kill),
            Some(Stage::Running(_) | Stage::Ready) => {
                let seconds = |value: &Value| Duration::from_secs(value.as_u64().unwrap_or(0));
                let grace = seconds(&pod["metadata"]["deletionGracePeriodSeconds"]);
                let wait = pre_stop(pod).min(grace);
                (now + wait.max(LOOK_EVERY), now + grace)
            }
            _ => {
                // Nothing of it runs: the pod is simply removed.
                self.runs.remove(uid);
                self.remove(pod);
                return None;
            }
        };
        self.runs.insert(uid.to_owned(), Run { name: name_of(pod).to_owned(), phase: Stage::Ending(term, kill) });
        if now < term.min(kill) {
            return Some(term.min(kill));
        }
        let open = self.traffic.open_work(name_of(pod)) > 0;
        if open && now < kill {
            return Some((now + LOOK_EVERY).min(kill));
        }
        let code = if self.end_work(name_of(pod)) { KILLED } else { 0 };
        self.runs.remove(uid);
        self.terminated(pod, code);
        self.remove(pod);
        None
    }

    /// Cuts what is still open in a pod; returns whether there was anything.
    fn end_work(&self, name: &str) -> bool {
        let open = self.traffic.open_work(name) > 0;
        if open {
            let cut = self.traffic.kill(name);
            tracing::info!(pod = name, cut, "a pod of the embedded cluster ended by SIGKILL");
        }
        open
    }

    fn bind(&mut self, pod: &Value) {
        self.addresses += 1;
        let address = format!("10.244.{}.{}", self.addresses / 250, 2 + self.addresses % 250);
        let now = self.store.clock().stamp();
        self.change(pod, |object| {
            object["spec"]["nodeName"] = json!(NODE);
            let status = &mut object["status"];
            status["phase"] = json!("Pending");
            status["hostIP"] = json!(ADDRESS);
            status["hostIPs"] = json!([{ "ip": ADDRESS }]);
            status["podIP"] = json!(address);
            status["podIPs"] = json!([{ "ip": address }]);
            status["startTime"] = json!(now);
            for (kind, value) in
                [("PodScheduled", "True"), ("Initialized", "True"), ("Ready", "False"), ("ContainersReady", "False")]
            {
                set_condition(&mut status["conditions"], &now, json!({ "type": kind, "status": value }));
            }
            containers(object, false, &json!({ "waiting": { "reason": "ContainerCreating" } }));
        });
    }

    fn stuck(&self, pod: &Value) {
        let message = "Back-off pulling image: the image does not exist";
        let state = json!({ "waiting": { "reason": "ImagePullBackOff", "message": message } });
        self.change(pod, |object| containers(object, false, &state));
    }

    fn run(&self, pod: &Value) {
        let now = self.store.clock().stamp();
        self.change(pod, |object| {
            object["status"]["phase"] = json!("Running");
            containers(object, false, &json!({ "running": { "startedAt": now } }));
        });
    }

    fn ready(&self, pod: &Value) {
        let now = self.store.clock().stamp();
        let since = pod["status"]["containerStatuses"][0]["state"].clone();
        self.change(pod, |object| {
            containers(object, true, &since);
            for kind in ["PodReadyToStartContainers", "ContainersReady", "Ready"] {
                set_condition(&mut object["status"]["conditions"], &now, json!({ "type": kind, "status": "True" }));
            }
        });
    }

    fn restart(&self, pod: &Value) {
        let now = self.store.clock().stamp();
        self.change(pod, |object| {
            containers(object, false, &json!({ "running": { "startedAt": now } }));
            for container in object["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
                let restarts = container["restartCount"].as_u64().unwrap_or(0) + 1;
                container["restartCount"] = json!(restarts);
                let ended = json!({ "exitCode": 1, "reason": "Error", "finishedAt": now });
                container["lastState"] = json!({ "terminated": ended });
            }
            for kind in ["ContainersReady", "Ready"] {
                set_condition(&mut object["status"]["conditions"], &now, json!({ "type": kind, "status": "False" }));
            }
        });
    }

    fn terminated(&self, pod: &Value, code: i64) {
        let now = self.store.clock().stamp();
        let reason = if code == 0 { "Completed" } else { "Error" };
        let state = json!({ "terminated": {
            "exitCode": code, "reason": reason, "finishedAt": now,
            "startedAt": pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"],
        } });
        self.change(pod, |object| {
            containers(object, false, &state);
            object["status"]["phase"] = json!(if code == 0 { "Succeeded" } else { "Failed" });
            for kind in ["ContainersReady", "Ready"] {
                set_condition(&mut object["status"]["conditions"], &now, json!({ "type": kind, "status": "False" }));
            }
        });
    }

    fn change(&self, pod: &Value, act: impl FnOnce(&mut Value)) {
        control(&self.store, &PODS, namespace_of(pod), name_of(pod), |object| {
            // A name may have been used again.
            if uid_of(object) == uid_of(pod) {
                act(object);
            }
        });
    }

    fn remove(&self, pod: &Value) {
        let target = Target::own(&PODS, namespace_of(pod), name_of(pod));
        let options = DeleteOptions { uid: Some(uid_of(pod).to_owned()), grace: Some(0), ..DeleteOptions::default() };
        // A pod that somebody else has removed meanwhile needs nothing more.
        let _ = delete(&self.store, target, &options);
    }
}

/// Writes the status of every container.
fn containers(pod: &mut Value, ready: bool, state: &Value) {
    let running = state.get("running").is_some();
    let specs = pod["spec"]["containers"].as_array().into_iter().flatten();
    let statuses: Value = specs
        .map(|c| {
            let mut known = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
            let known = known.find(|s| s["name"] == c["name"]).cloned().unwrap_or_default();
            json!({
                "name": c["name"], "image": c["image"], "imageID": "", "ready": ready, "started": running,
                "restartCount": known["restartCount"].as_u64().unwrap_or(0), "state": state,
                "lastState": known.get("lastState").cloned().unwrap_or_else(|| json!({})),
            })
        })
        .collect();
    pod["status"]["containerStatuses"] = statuses;
}

/// The time a preStop hook sleeps, the only kind of hook there is here.
fn pre_stop(pod: &Value) -> Duration {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let longest = containers.filter_map(|c| c["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64()).max();
    Duration::from_secs(longest.unwrap_or(0))
}

/// An image whose tag contains `missing` does not exist in any registry.
fn is_missing(pod: &Value) -> bool {
    let mut images = pod["spec"]["containers"].as_array().into_iter().flatten().filter_map(|c| c["image"].as_str());
    images.any(|image| image.rsplit_once(':').is_some_and(|(_, tag)| tag.contains("missing")))
}
