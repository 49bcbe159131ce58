//! The kubelet replacement, the rig's only stand-in: it makes pods of this node real HTTP servers on their own
//! addresses, with the status, readiness and termination a kubelet gives them.

use super::app::App;
use super::metrics::Fault;
use super::pod::{self, Running};
use super::supervisor::Supervisor;
use crate::behaviours::rest::{Patch, Rest};
use crate::objects::APP;
use color_eyre::eyre::Result;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::watcher::{self, Event};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The node's name.
pub const NODE: &str = "rig";

/// A kubelet renews its Lease each 10 s; after 50 s without, the node counts as lost.
const RENEW: Duration = Duration::from_secs(10);

/// How a pod ended.
#[derive(Clone, Debug)]
pub struct Exit {
    /// Its name.
    pub pod: String,
    /// Its version.
    pub version: String,
    /// Work that was open when it ended.
    pub open: usize,
    /// Whether the grace was over.
    pub killed: bool,
}

/// Runs the pods of one node.
#[derive(Clone)]
pub struct Kubelet {
    inner: Arc<Inner>,
}

/// What the pods' tasks share.
pub struct Inner {
    /// The API server, as an administrator.
    pub rest: Rest,
    /// Starts Envoy.
    pub supervisor: Supervisor,
    /// The run folder.
    pub run: PathBuf,
    /// The folder of the programs.
    pub bin: PathBuf,
    pods: Mutex<BTreeMap<String, Entry>>,
    targets: Mutex<BTreeMap<String, Value>>,
    /// Versions whose pods are no targets at the moment.
    hidden: Mutex<BTreeSet<String>>,
    exits: Mutex<Vec<Exit>>,
    next: AtomicU16,
}

struct Entry {
    name: String,
    version: String,
    running: Arc<Mutex<Option<Running>>>,
    stop: watch::Sender<Option<Duration>>,
}

impl Kubelet {
    /// Registers the node and serves its pods until the program ends.
    pub async fn start(rest: Rest, supervisor: Supervisor, run: &Path, bin: &Path) -> Result<Self> {
        let inner = Inner {
            rest,
            supervisor,
            run: run.to_owned(),
            bin: bin.to_owned(),
            pods: Mutex::default(),
            targets: Mutex::default(),
            hidden: Mutex::default(),
            exits: Mutex::default(),
            next: AtomicU16::new(0),
        };
        inner.write_targets()?;
        register(&inner.rest).await?;
        let kubelet = Self { inner: Arc::new(inner) };
        tokio::spawn(renew(kubelet.inner.rest.clone()));
        tokio::spawn(kubelet.clone().serve());
        Ok(kubelet)
    }

    /// Every pod that has ended, with the work it had open.
    pub fn exits(&self) -> Vec<Exit> {
        lock(&self.inner.exits).clone()
    }

    /// How much work is open on the pods of a version.
    pub fn open(&self, version: &str) -> usize {
        self.apps(version).iter().map(|app| app.open()).sum()
    }

    /// Breaks the metrics of those pods of a version that have work open, the faults in turn; returns how many pods.
    pub fn break_metrics(&self, version: &str, faults: &[Fault]) -> usize {
        let apps = self.apps(version);
        let busy: Vec<&Arc<App>> = apps.iter().filter(|app| app.open() > 0).collect();
        busy.iter().zip(faults.iter().cycle()).for_each(|(app, fault)| app.set_fault(*fault));
        busy.len()
    }

    /// Mends the metrics of all pods of a version.
    pub fn mend_metrics(&self, version: &str) {
        self.apps(version).iter().for_each(|app| app.set_fault(Fault::None));
    }

    /// Takes the pods of a version out of what Prometheus scrapes, or back in.
    pub fn hide(&self, version: &str, hidden: bool) {
        let mut versions = lock(&self.inner.hidden);
        if hidden {
            versions.insert(version.to_owned())
        } else {
            versions.remove(version)
        };
        drop(versions);
        self.inner.write_targets_or_note();
    }

    /// Lets the pods of a version close their sockets with 1012 at SIGTERM, as the plan may say of them.
    pub fn reconnect(&self, version: &str) {
        self.apps(version).iter().for_each(|app| app.set_reconnect(true));
    }

    fn apps(&self, version: &str) -> Vec<Arc<App>> {
        let pods = lock(&self.inner.pods);
        let of_version = pods.values().filter(|entry| entry.version == version);
        of_version.filter_map(|entry| lock(&entry.running).as_ref().and_then(Running::app)).collect()
    }

    async fn serve(self) {
        let pods: kube::Api<Pod> = kube::Api::all(self.inner.rest.client.clone());
        let mut listed = BTreeSet::new();
        let mut events = std::pin::pin!(watcher::watcher(pods, watcher::Config::default()));
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(pod)) => {
                    listed.extend(pod.uid());
                    self.see(pod).await;
                }
                Ok(Event::InitDone) => self.forget(|uid| !listed.contains(uid)),
                Ok(Event::Apply(pod)) => self.see(pod).await,
                Ok(Event::Delete(pod)) => self.forget(|uid| pod.uid().as_deref() == Some(uid)),
                // The watcher lists again by itself.
                Err(why) => {
                    self.inner.supervisor.note(&format!("kubelet: watch: {why}"));
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    async fn see(&self, pod: Pod) {
        let Some(uid) = pod.uid() else { return };
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        let gated = pod.spec.as_ref().is_some_and(|spec| spec.scheduling_gates.as_ref().is_some_and(|g| !g.is_empty()));
        let leaving = pod.metadata.deletion_timestamp.is_some();
        match node {
            None if !gated && !leaving => self.bind(&pod).await,
            Some(NODE) if leaving => self.stop(&uid, &pod),
            Some(NODE) => self.run(uid, pod),
            _ => {}
        }
    }

    async fn bind(&self, pod: &Pod) {
        let path = format!("{}/binding", path_of(pod));
        let body = json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": { "name": pod.name_any(), "uid": pod.uid() },
            "target": { "apiVersion": "v1", "kind": "Node", "name": NODE },
        });
        // Gone or bound already: another event tells.
        let _ = self.inner.rest.post(&path, &body).await;
    }

    fn run(&self, uid: String, pod: Pod) {
        let mut pods = lock(&self.inner.pods);
        if pods.contains_key(&uid) {
            return;
        }
        let (stop, stopped) = watch::channel(None);
        let running: Arc<Mutex<Option<Running>>> = Arc::default();
        pods.insert(uid, Entry { name: pod.name_any(), version: pod::version(&pod), running: running.clone(), stop });
        let n = self.inner.next.fetch_add(1, Ordering::Relaxed) + 1;
        let [high, low] = n.to_be_bytes();
        let ip = IpAddr::V4(Ipv4Addr::new(10, 244, high, low));
        tokio::spawn(pod::live(self.inner.clone(), pod, ip, running, stopped));
    }

    fn stop(&self, uid: &str, pod: &Pod) {
        let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(30);
        let grace = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
        match lock(&self.inner.pods).get(uid) {
            Some(entry) => entry.stop.send_if_modified(|stop| {
                let first = stop.is_none();
                stop.get_or_insert(grace);
                first
            }),
            None => {
                // It never ran here: nothing has to end before it goes.
                let (inner, pod) = (self.inner.clone(), pod.clone());
                tokio::spawn(async move { pod::remove(&inner, &pod).await });
                true
            }
        };
    }

    fn forget(&self, gone: impl Fn(&str) -> bool) {
        let mut pods = lock(&self.inner.pods);
        let uids: Vec<String> = pods.keys().filter(|uid| gone(uid)).cloned().collect();
        for uid in uids {
            let Some(entry) = pods.remove(&uid) else { continue };
            // A forced deletion leaves nobody to say goodbye to.
            if let Some(running) = lock(&entry.running).take() {
                self.inner.drop_target(&entry.name);
                let open = running.kill(&self.inner);
                self.inner.book(Exit { pod: entry.name, version: entry.version, open, killed: true });
            }
        }
    }
}

impl Inner {
    /// Lets Prometheus scrape a pod.
    pub fn add_target(&self, pod: &Pod, address: &str) {
        let mut labels = json!({ "namespace": pod.namespace(), "pod": pod.name_any() });
        // As the relabelling that `init` prints: a pod of the application that says no slot yet is slot a's.
        let plain = || pod.labels().get("app").filter(|app| *app == APP).map(|_| "a".to_owned());
        if let Some(slot) = pod.labels().get("pilothouse.dev/slot").cloned().or_else(plain) {
            labels["slot"] = json!(slot);
        }
        let target = json!({ "targets": [address], "labels": labels, "version": pod::version(pod) });
        lock(&self.targets).insert(pod.name_any(), target);
        self.write_targets_or_note();
    }

    /// Ends the scraping of a pod.
    pub fn drop_target(&self, name: &str) {
        if lock(&self.targets).remove(name).is_some() {
            self.write_targets_or_note();
        }
    }

    /// Books a pod's end.
    pub fn book(&self, exit: Exit) {
        self.supervisor.note(&format!(
            "pod {} ({}) ended with {} open{}",
            exit.pod,
            exit.version,
            exit.open,
            if exit.killed { ", killed" } else { "" }
        ));
        lock(&self.exits).push(exit);
    }

    fn write_targets_or_note(&self) {
        if let Err(why) = self.write_targets() {
            self.supervisor.note(&format!("kubelet: scrape targets: {why}"));
        }
    }

    /// Prometheus must never read half a file.
    fn write_targets(&self) -> Result<()> {
        let targets = lock(&self.targets);
        let hidden = lock(&self.hidden);
        let is_shown = |target: &&Value| target["version"].as_str().is_none_or(|version| !hidden.contains(version));
        let all: Vec<Value> = targets
            .values()
            .filter(is_shown)
            .map(|target| json!({ "targets": target["targets"], "labels": target["labels"] }))
            .collect();
        let fresh = self.run.join("targets.json.new");
        std::fs::write(&fresh, serde_json::to_vec(&all)?)?;
        std::fs::rename(fresh, self.run.join("targets.json"))?;
        Ok(())
    }
}

/// The API path of a pod.
pub fn path_of(pod: &Pod) -> String {
    format!("/api/v1/namespaces/{}/pods/{}", pod.namespace().unwrap_or_default(), pod.name_any())
}

/// Locks; a test thread that died while holding the lock has left the value whole.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn register(rest: &Rest) -> Result<()> {
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": NODE, "labels": { "kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux" } },
    });
    rest.post("/api/v1/nodes", &node).await?.ok()?;
    let now = jiff::Timestamp::now();
    let condition = |kind: &str, status: &str| {
        json!({ "type": kind, "status": status, "reason": "Rig", "message": "the rig's kubelet replacement",
                "lastHeartbeatTime": now, "lastTransitionTime": now })
    };
    let room = json!({ "cpu": "64", "memory": "64Gi", "pods": "500" });
    let status = json!({ "status": {
        "capacity": room, "allocatable": room,
        "conditions": [
            condition("Ready", "True"), condition("MemoryPressure", "False"),
            condition("DiskPressure", "False"), condition("PIDPressure", "False"),
        ],
        "addresses": [{ "type": "InternalIP", "address": "10.96.0.1" }],
        "nodeInfo": {
            "kubeletVersion": "v1.37.2", "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "rig://1",
            "kernelVersion": "", "kubeProxyVersion": "", "machineID": "", "operatingSystem": "linux", "osImage": "",
            "systemUUID": "",
        },
    }});
    rest.patch(&format!("/api/v1/nodes/{NODE}/status"), Patch::Strategic, &status).await?.ok()?;
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": NODE },
        "spec": { "holderIdentity": NODE, "leaseDurationSeconds": 40, "renewTime": micro_time() },
    });
    rest.post("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", &lease).await?.ok()?;
    Ok(())
}

async fn renew(rest: Rest) {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{NODE}");
    loop {
        tokio::time::sleep(RENEW).await;
        // One lost renewal is harmless; the next one follows.
        let _ = rest.patch(&path, Patch::Merge, &json!({ "spec": { "renewTime": micro_time() } })).await;
    }
}

fn micro_time() -> String {
    format!("{:.6}", jiff::Timestamp::now())
}
