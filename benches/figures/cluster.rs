//! An embedded cluster on loopback, with as many plain pods beside the application as wanted.

use futures::{StreamExt, TryStreamExt};
use kube::Client;
use pilothouse::cli::Demo;
use pilothouse::model::Timestamp;
use pilothouse::sim::{Disturbance, NAMESPACE, Scenario};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// How many pods are created at once.
const AT_ONCE: usize = 16;

/// A served cluster; it ends when this is dropped.
pub struct Cluster {
    runtime: Runtime,
    demo: Demo,
    client: Client,
    pods: usize,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Starts the application with this many customers and requests per second, and this many plain pods.
    pub fn start(customers: usize, rps: f64, pods: usize) -> Self {
        let scenario = scenario(customers, rps);
        let runtime = Runtime::new().expect("a runtime");
        let (demo, kubeconfig) = runtime.block_on(async {
            let now = Timestamp::try_from(SystemTime::now()).expect("a clock");
            let demo = Demo::for_others(&scenario, now, [7; 32]).expect("the cluster starts");
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
            let served = demo.sim().serve(listener).expect("the cluster is served");
            (demo, served.kubeconfig_yaml)
        });
        let client = runtime.block_on(async { demo.sim().client(NAMESPACE) });
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("kubeconfig.yaml"), kubeconfig).expect("a file");
        let cluster = Self { runtime, demo, client, pods, folder };
        cluster.runtime.block_on(async {
            let made = futures::stream::iter(0..pods)
                .map(|i| send(&cluster.client, "POST", "api/v1", "pods", "application/json", pod(i)))
                .buffer_unordered(AT_ONCE);
            made.try_for_each(|_| async { Ok(()) }).await.expect("the pods are created");
        });
        cluster
    }

    /// Returns the file that says where the cluster is.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig.yaml")
    }

    /// Changes what the plan says its environment is; returns when that was acknowledged.
    pub fn set_environment(&self, word: &str) -> Instant {
        let patch = json!({ "spec": { "environment": word } });
        let path = "rolloutplans/trackx";
        let answer = send(&self.client, "PATCH", "apis/pilothouse.dev/v1alpha1", path, MERGE, patch);
        self.runtime.block_on(answer).expect("the plan is patched");
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

    /// Lets no request get an answer any more, and ends every watch.
    pub fn stall(&self) {
        let faults = self.demo.sim().faults();
        faults.disturb("", "/", Disturbance::RequestLost, u32::MAX);
        faults.break_watches();
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

fn scenario(customers: usize, rps: f64) -> Scenario {
    let mut scenario = pilothouse::cli::scenario("good").expect("a scenario that comes with the program");
    scenario.app.customers = customers;
    scenario.app.rps = rps;
    scenario.app.rings.clear();
    scenario.fault.clear();
    if rps == 0.0 {
        scenario.app.websockets = 0;
    }
    scenario
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
