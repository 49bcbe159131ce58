//! The embedded cluster as a process of its own, with as many plain pods beside the application as wanted.

use futures::{StreamExt, TryStreamExt};
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use pilothouse::sim::NAMESPACE;
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

/// A served cluster; it ends when this is dropped.
pub struct Cluster {
    server: Child,
    kubeconfig: PathBuf,
    runtime: Runtime,
    client: Client,
    pods: usize,
    _folder: tempfile::TempDir,
}

impl Cluster {
    /// Serves the application with this many customers and requests per second, and this many plain pods.
    pub fn start(program: &Path, customers: usize, rps: f64, pods: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let scenario = folder.path().join("scenario.toml");
        std::fs::write(&scenario, scenario_text(customers, rps)).expect("a file");
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
        let runtime = Runtime::new().expect("a runtime");
        let client = runtime.block_on(async {
            let file = Kubeconfig::read_from(&kubeconfig).expect("a kubeconfig");
            let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
            Client::try_from(config.expect("a cluster")).expect("a client")
        });
        runtime.block_on(async {
            let made = futures::stream::iter(0..pods)
                .map(|i| send(&client, "POST", "api/v1", "pods", "application/json", pod(i)))
                .buffer_unordered(AT_ONCE);
            made.try_for_each(|_| async { Ok(()) }).await.expect("the pods are created");
            await_running(&client).await;
        });
        Self { server, kubeconfig, runtime, client, pods, _folder: folder }
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
        let pid = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("the server runs");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It ends with its measurement; one that has just ended by itself is as good.
        let _ = self.server.kill();
        let _ = self.server.wait();
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
        .uri(format!("/{group}/namespaces/{NAMESPACE}/{path}"))
        .header(http::header::CONTENT_TYPE, content)
        .body(body.to_string().into_bytes())
        .expect("a request");
    client.request(request).await
}

/// Waits until every pod runs: what is measured is a cluster at rest, not its start.
async fn await_running(client: &Client) {
    let path = "pods?fieldSelector=status.phase!%3DRunning&limit=1";
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let list = send(client, "GET", "api/v1", path, "application/json", Value::Null).await.expect("a list");
        if list["items"].as_array().is_some_and(Vec::is_empty) {
            // A pod is ready a moment after it runs.
            return tokio::time::sleep(Duration::from_secs(5)).await;
        }
        assert!(Instant::now() < end, "some pods do not run: {}", list["items"][0]["status"]);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn scenario_text(customers: usize, rps: f64) -> String {
    let websockets = if rps == 0.0 { 0 } else { 8 };
    format!(
        "version = 1\ntitle = \"figures\"\nseed = 1\n\n[app]\ncustomers = {customers}\nrps = {rps:.1}\n\
         websockets = {websockets}\nold = \"{OLD}\"\nnew = \"4.12.0\"\n"
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
        "metadata": { "name": pod_name(i), "labels": { "app.kubernetes.io/name": "plain" } },
        "spec": { "containers": [container("app", 8080), container("proxy", 9090)] },
    })
}
