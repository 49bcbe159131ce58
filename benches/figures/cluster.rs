//! A cluster to look at, with as many plain pods beside the application as wanted: the embedded one as a process of its
//! own, or one that stands.

use futures::{StreamExt, TryStreamExt};
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// How many pods are created at once.
const AT_ONCE: usize = 16;

/// The version that serves.
pub const OLD: &str = "4.11.8";

/// What the plain pods are selected by.
const PLAIN: &str = "plain-pods-of-the-figures";

/// The application that the embedded cluster runs.
#[derive(Clone, Copy)]
pub struct Application {
    /// How many customers it has.
    pub customers: usize,
    /// Requests per second.
    pub rps: f64,
    /// Seconds between two scrapes.
    pub scrape: u32,
}

/// A cluster; a served one ends when this is dropped, one that stands loses its plain pods.
pub struct Cluster {
    server: Option<Child>,
    kubeconfig: PathBuf,
    runtime: Runtime,
    client: Client,
    pods: usize,
    _folder: tempfile::TempDir,
}

impl Cluster {
    /// Serves the application and this many plain pods.
    pub fn start(program: &Path, application: Application, pods: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let scenario = folder.path().join("scenario.toml");
        std::fs::write(&scenario, scenario_text(application)).expect("a file");
        let mut command = Command::new(program);
        command.env_clear().env("HOME", folder.path()).env("TMPDIR", folder.path()).env("USER", "bench");
        command.args(["demo", "--serve", "--scenario"]).arg(&scenario).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut server = command.spawn().expect("the program starts");
        let mut first = String::new();
        let mut lines = BufReader::new(server.stdout.take().expect("its output"));
        lines.read_line(&mut first).expect("the path of a kubeconfig");
        // The pipe is read to its end, so that a later line finds somebody.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let kubeconfig = PathBuf::from(first.trim());
        let this = Self::reached(Some(server), kubeconfig, pods, folder);
        this.create_pods();
        this
    }

    /// Joins a cluster that stands, and adds plain pods in the namespace of the kubeconfig.
    pub fn given(kubeconfig: &Path, pods: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let this = Self::reached(None, kubeconfig.to_owned(), pods, folder);
        this.delete_pods().expect("what an earlier run has left is deleted");
        this.create_pods();
        this
    }

    fn reached(server: Option<Child>, kubeconfig: PathBuf, pods: usize, folder: tempfile::TempDir) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let client = runtime.block_on(async {
            let file = Kubeconfig::read_from(&kubeconfig).expect("a kubeconfig");
            let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
            Client::try_from(config.expect("a cluster")).expect("a client")
        });
        Self { server, kubeconfig, runtime, client, pods, _folder: folder }
    }

    fn create_pods(&self) {
        let made = futures::stream::iter(0..self.pods).map(|i| create_pod(&self.client, i)).buffer_unordered(AT_ONCE);
        self.runtime.block_on(made.try_for_each(|_| async { Ok(()) })).expect("the pods are created");
    }

    fn delete_pods(&self) -> Result<Value, kube::Error> {
        let path = format!("pods?labelSelector=app.kubernetes.io/name%3D{PLAIN}");
        let deleted = send(&self.client, "DELETE", "api/v1", &path, "application/json", json!({}));
        self.runtime.block_on(deleted)
    }

    /// Returns the file that says where the cluster is.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Proposes a release of a version; returns when that was acknowledged.
    pub fn propose(&self, version: &str) -> Instant {
        let release = json!({
            "apiVersion": "pilothouse.dev/v1alpha1",
            "kind": "Release",
            "metadata": { "name": format!("trackx-{}", version.replace('.', "-")) },
            "spec": { "plan": "trackx", "version": version, "image": format!("registry.example/app:{version}") },
        });
        let json = "application/json";
        let answer = send(&self.client, "POST", "apis/pilothouse.dev/v1alpha1", "releases", json, release);
        self.runtime.block_on(answer).expect("the release is proposed");
        Instant::now()
    }

    /// Changes a plain pod this many times per second, until [`Changes::stop`].
    pub fn change_pods(&self, per_second: u32) -> Changes {
        let (client, pods) = (self.client.clone(), self.pods);
        let made = Arc::new(AtomicUsize::new(0));
        let count = made.clone();
        let task = self.runtime.spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_secs(1) / per_second);
            loop {
                beat.tick().await;
                let n = count.load(Ordering::Relaxed);
                let patch = json!({ "metadata": { "annotations": { "restarted": n.to_string() } } });
                let path = format!("pods/{}", pod_name(n * 7 % pods));
                if send(&client, "PATCH", "api/v1", &path, MERGE, patch).await.is_err() {
                    return;
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Changes { task, made }
    }

    /// Stops the server as a whole: connections stay open, and nothing is answered any more.
    pub fn stall(&self) {
        self.signal(Signal::STOP);
    }

    fn signal(&self, signal: Signal) {
        let server = self.server.as_ref().expect("a server of our own");
        let pid = i32::try_from(server.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("the server runs");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Some(server) = &mut self.server else {
            // A measurement that has failed must not fail again here.
            if let Err(why) = self.delete_pods() {
                eprintln!("the pods with app.kubernetes.io/name={PLAIN} are left: {why}");
            }
            return;
        };
        // It ends with its measurement; one that has just ended by itself is as good.
        let _ = server.kill();
        let _ = server.wait();
    }
}

/// Changes that go on.
pub struct Changes {
    task: JoinHandle<()>,
    made: Arc<AtomicUsize>,
}

impl Changes {
    /// Ends them and returns how many there were.
    pub fn stop(self) -> usize {
        self.task.abort();
        self.made.load(Ordering::Relaxed)
    }
}

const MERGE: &str = "application/merge-patch+json";

async fn send(
    client: &Client,
    method: &str,
    group: &str,
    path: &str,
    content: &str,
    body: Value,
) -> Result<Value, kube::Error> {
    let request = http::Request::builder()
        .method(method)
        .uri(format!("/{group}/namespaces/{}/{path}", client.default_namespace()))
        .header(http::header::CONTENT_TYPE, content)
        .body(body.to_string().into_bytes())
        .expect("a request");
    client.request(request).await
}

/// Creates a pod that no node gets, and lets it look as if one ran it: what is measured is a cluster at rest.
async fn create_pod(client: &Client, i: usize) -> Result<Value, kube::Error> {
    send(client, "POST", "api/v1", "pods", "application/json", pod(i)).await?;
    send(client, "PATCH", "api/v1", &format!("pods/{}/status", pod_name(i)), MERGE, running(i)).await
}

fn scenario_text(Application { customers, rps, scrape }: Application) -> String {
    let websockets = if rps == 0.0 { 0 } else { 8 };
    format!(
        "version = 1\ntitle = \"figures\"\nseed = 1\n\n[app]\ncustomers = {customers}\nrps = {rps:.1}\n\
         websockets = {websockets}\nold = \"{OLD}\"\nnew = \"4.12.0\"\n\n[timing]\nscrape = {scrape}\n"
    )
}

fn pod_name(i: usize) -> String {
    format!("plain-{i:05}")
}

/// A pod of two containers with probes and variables, about 6 KB as JSON: the peers' pods were of that kind.
fn pod(i: usize) -> Value {
    let variables: Vec<Value> = (0..20)
        .map(|n| json!({ "name": format!("SETTING_{n:02}"), "value": "a value as long as they are in life" }))
        .collect();
    let probe = json!({ "httpGet": { "path": "/ready", "port": "http" }, "periodSeconds": 10, "failureThreshold": 3 });
    let container = |name: &str, port: u16| {
        json!({
            "name": name,
            "image": format!("registry.example/{name}:1.2.3"),
            "ports": [{ "name": "http", "containerPort": port }],
            "env": variables,
            "readinessProbe": probe,
            "livenessProbe": probe,
            "resources": { "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "memory": "256Mi" } },
        })
    };
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": pod_name(i), "labels": { "app.kubernetes.io/name": PLAIN } },
        "spec": {
            "schedulingGates": [{ "name": "pilothouse.dev/figures" }],
            "containers": [container("app", 8080), container("proxy", 9090)],
        },
    })
}

/// The status that a kubelet gives such a pod.
fn running(i: usize) -> Value {
    let at = "2026-11-24T08:00:00Z";
    let conditions: Vec<Value> =
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
            .map(|kind| json!({ "type": kind, "status": "True", "lastTransitionTime": at }))
            .into();
    let container = |name: &str| {
        json!({
            "name": name, "image": format!("registry.example/{name}:1.2.3"), "imageID": format!("registry.example/{name}@1"),
            "containerID": format!("containerd://{name}-{i}"), "ready": true, "started": true, "restartCount": 0,
            "state": { "running": { "startedAt": at } }, "lastState": {},
        })
    };
    let ip = format!("10.200.{}.{}", i / 250, 2 + i % 250);
    json!({ "status": {
        "phase": "Running", "conditions": conditions, "hostIP": "10.240.0.9", "podIP": ip, "podIPs": [{ "ip": ip }],
        "startTime": at, "containerStatuses": [container("app"), container("proxy")],
    } })
}
