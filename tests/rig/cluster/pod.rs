//! The life of one pod on the rig's node.

use super::app::{App, Manners, PORT};
use super::envoy;
use super::kubelet::{Exit, Inner, lock, path_of};
use crate::behaviours::rest::Patch;
use color_eyre::eyre::Result;
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The container that holds the application.
const APP: &str = "app";

/// What runs in a pod.
#[derive(Clone)]
pub enum Running {
    /// The rig's application.
    App(Arc<App>),
    /// A real program, by the name the supervisor knows.
    Program(String),
    /// Nothing but a status.
    Nothing,
}

impl Running {
    /// SIGKILL; returns how much work that cut.
    pub fn kill(&self, inner: &Inner) -> usize {
        match self {
            Self::App(app) => app.kill(),
            Self::Program(name) => {
                if let Err(why) = inner.supervisor.kill(name) {
                    inner.supervisor.note(&format!("kubelet: {name}: {why}"));
                }
                0
            }
            Self::Nothing => 0,
        }
    }

    /// The application, where it is one.
    pub fn app(&self) -> Option<Arc<App>> {
        match self {
            Self::App(app) => Some(app.clone()),
            Self::Program(_) | Self::Nothing => None,
        }
    }

    async fn terminate(&self, inner: &Inner, grace: Duration) -> usize {
        match self {
            Self::App(app) => app.terminate(grace).await,
            Self::Program(_) | Self::Nothing => self.kill(inner),
        }
    }
}

/// Starts a pod, keeps its status, and ends it as a kubelet does when `stop` holds a grace.
pub async fn live(
    inner: Arc<Inner>,
    pod: Pod,
    ip: IpAddr,
    slot: Arc<Mutex<Option<Running>>>,
    mut stop: watch::Receiver<Option<Duration>>,
) {
    let image = container(&pod, APP).and_then(|app| app.image.clone()).unwrap_or_default();
    if image.contains("missing") {
        report(&inner, &pod, &waiting(&pod, ip, &image)).await;
        let _ = stop.wait_for(Option::is_some).await;
        remove(&inner, &pod).await;
        return;
    }
    tokio::time::sleep(milliseconds(&pod, "rig/start-ms")).await;
    let running = match start(&inner, &pod, ip).await {
        Ok(running) => running,
        Err(why) => {
            inner.supervisor.note(&format!("pod {} cannot start: {why:#}", pod.name_any()));
            Running::Nothing
        }
    };
    *lock(&slot) = Some(running.clone());
    let ready = pod.annotations().get("rig/ready").is_none_or(|ready| ready != "never");
    if matches!(running, Running::App(_)) {
        inner.add_target(&pod, &format!("{ip}:{PORT}"));
    }
    report(&inner, &pod, &alive(&pod, ip, ready)).await;
    let Ok(grace) = stop.wait_for(Option::is_some).await.map(|grace| grace.unwrap_or_default()) else { return };

    let deadline = Instant::now() + grace;
    // The hook and the signal share one grace period.
    tokio::time::sleep(pre_stop(&pod).min(grace)).await;
    let open = running.terminate(&inner, deadline.saturating_duration_since(Instant::now())).await;
    running.kill(&inner);
    let killed = open > 0;
    lock(&slot).take();
    inner.drop_target(&pod.name_any());
    inner.book(Exit { pod: pod.name_any(), version: version(&pod), open, killed });
    report(&inner, &pod, &ended(&pod, ip, killed)).await;
    remove(&inner, &pod).await;
}

/// Removes the object; only this last deletion does.
pub async fn remove(inner: &Inner, pod: &Pod) {
    let options = json!({ "gracePeriodSeconds": 0, "preconditions": { "uid": pod.uid() } });
    if let Err(why) = inner.rest.delete(&path_of(pod), &options).await {
        inner.supervisor.note(&format!("kubelet: {}: {why:#}", pod.name_any()));
    }
}

/// The version a pod runs.
pub fn version(pod: &Pod) -> String {
    pod.labels().get("app.kubernetes.io/version").cloned().unwrap_or_default()
}

async fn start(inner: &Arc<Inner>, pod: &Pod, ip: IpAddr) -> Result<Running> {
    if envoy::is_proxy(pod) {
        return Ok(Running::Program(envoy::start(inner, pod).await?));
    }
    if container(pod, APP).is_none() {
        return Ok(Running::Nothing);
    }
    let annotation = |name: &str, value: &str| pod.annotations().get(name).is_some_and(|is| is == value);
    let manners =
        Manners { graceful: !annotation("rig/sigterm", "abrupt"), reconnect: annotation("rig/sockets", "reconnect") };
    Ok(Running::App(Arc::new(App::start(ip, &version(pod), manners).await?)))
}

fn container<'a>(pod: &'a Pod, name: &str) -> Option<&'a Container> {
    pod.spec.as_ref()?.containers.iter().find(|container| container.name == name)
}

fn milliseconds(pod: &Pod, annotation: &str) -> Duration {
    Duration::from_millis(pod.annotations().get(annotation).and_then(|ms| ms.parse().ok()).unwrap_or(0))
}

fn pre_stop(pod: &Pod) -> Duration {
    let seconds = pod.spec.iter().flat_map(|spec| &spec.containers).filter_map(|container| {
        container.lifecycle.as_ref()?.pre_stop.as_ref()?.sleep.as_ref().map(|sleep| sleep.seconds)
    });
    Duration::from_secs(u64::try_from(seconds.max().unwrap_or(0)).unwrap_or(0))
}

/// A strategic patch merges conditions by type, so those of other writers stay; a stale uid is refused.
async fn report(inner: &Inner, pod: &Pod, status: &Value) {
    let body = json!({ "metadata": { "uid": pod.uid() }, "status": status });
    let path = format!("{}/status", path_of(pod));
    if let Err(why) = inner.rest.patch(&path, Patch::Strategic, &body).await.and_then(|answer| answer.ok()) {
        inner.supervisor.note(&format!("kubelet: status of {}: {why:#}", pod.name_any()));
    }
}

fn alive(pod: &Pod, ip: IpAddr, ready: bool) -> Value {
    let now = jiff::Timestamp::now();
    let ready_word = if ready { "True" } else { "False" };
    json!({
        "observedGeneration": pod.metadata.generation,
        "phase": "Running", "startTime": now,
        "hostIP": "10.96.0.1", "hostIPs": [{ "ip": "10.96.0.1" }], "podIP": ip, "podIPs": [{ "ip": ip }],
        "conditions": [
            condition(pod, "PodReadyToStartContainers", "True"), condition(pod, "Initialized", "True"),
            condition(pod, "ContainersReady", ready_word), condition(pod, "Ready", ready_word),
        ],
        "containerStatuses": statuses(pod, ready, &json!({ "running": { "startedAt": now } })),
    })
}

fn waiting(pod: &Pod, ip: IpAddr, image: &str) -> Value {
    let state =
        json!({ "waiting": { "reason": "ImagePullBackOff", "message": format!("Back-off pulling image {image:?}") } });
    json!({
        "observedGeneration": pod.metadata.generation,
        "phase": "Pending", "startTime": jiff::Timestamp::now(),
        "hostIP": "10.96.0.1", "hostIPs": [{ "ip": "10.96.0.1" }], "podIP": ip, "podIPs": [{ "ip": ip }],
        "conditions": [
            condition(pod, "PodReadyToStartContainers", "True"), condition(pod, "Initialized", "True"),
            condition(pod, "ContainersReady", "False"), condition(pod, "Ready", "False"),
        ],
        "containerStatuses": statuses(pod, false, &state),
    })
}

fn ended(pod: &Pod, ip: IpAddr, killed: bool) -> Value {
    let now = jiff::Timestamp::now();
    let (code, reason) = if killed { (137, "Error") } else { (0, "Completed") };
    let state = json!({ "terminated": { "exitCode": code, "reason": reason, "startedAt": now, "finishedAt": now } });
    json!({
        "observedGeneration": pod.metadata.generation,
        "phase": if killed { "Failed" } else { "Succeeded" }, "podIP": ip, "podIPs": [{ "ip": ip }],
        "conditions": [condition(pod, "ContainersReady", "False"), condition(pod, "Ready", "False")],
        "containerStatuses": statuses(pod, false, &state),
    })
}

fn condition(pod: &Pod, kind: &str, status: &str) -> Value {
    json!({ "type": kind, "status": status, "lastTransitionTime": jiff::Timestamp::now(),
            "observedGeneration": pod.metadata.generation })
}

fn statuses(pod: &Pod, ready: bool, state: &Value) -> Vec<Value> {
    pod.spec
        .iter()
        .flat_map(|spec| &spec.containers)
        .map(|container| {
            json!({
                "name": container.name, "image": container.image, "imageID": "",
                "containerID": format!("rig://{}/{}", pod.uid().unwrap_or_default(), container.name),
                "ready": ready, "started": state["running"].is_object(), "restartCount": 0, "lastState": {},
                "state": state,
            })
        })
        .collect()
}
