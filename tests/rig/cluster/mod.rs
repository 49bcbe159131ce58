//! The cluster: its programs, in the order in which they need each other, and how to reach it.

mod app;
mod contour;
mod envoy;
mod kubelet;
mod metrics;
mod pod;
mod supervisor;

pub use contour::ENVOY as CONTOURS_ENVOY;
pub use kubelet::{Exit, Kubelet, lock};
pub use metrics::Fault;
pub use supervisor::Supervisor;

use crate::behaviours::rest::Rest;
use crate::objects;
use crate::outside::Gateway;
use color_eyre::eyre::{Result, WrapErr, bail, ensure, eyre};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// Everything `tests/rig/build` has to have built.
pub const PROGRAMS: [&str; 8] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "envoy-gateway", "contour", "envoy", "prometheus"];

/// Where the API server listens.
const API: &str = "https://127.0.0.1:6443";

/// Where the metrics source listens.
pub const PROMETHEUS: &str = "127.0.0.1:9090";

/// Where the gateway listens.
pub const GATEWAY: &str = "127.0.0.1:8000";

/// The longest any single step of the start may take; a busy machine needs several times the usual seconds.
const STEP: Duration = Duration::from_secs(60);

/// Marks the files that hold a CRD.
const CRD: &str = "kind: CustomResourceDefinition";

/// The users of the API server: name, token, groups.
const USERS: [(&str, &str, &str); 4] = [
    ("admin", "admin-token", "system:masters"),
    ("operator", "operator-token", ""),
    ("viewer", "viewer-token", ""),
    ("kcm", "kcm-token", ""),
];

/// A running cluster.
pub struct Cluster {
    /// The API server, as an administrator.
    pub rest: Rest,
    /// The node's pods.
    pub kubelet: Kubelet,
    /// The programs.
    pub supervisor: Supervisor,
    /// The run folder.
    pub run: PathBuf,
    /// The folder of the programs.
    pub bin: PathBuf,
    /// How long the start took, until the gateway answered the first request.
    pub started: Duration,
}

impl Cluster {
    /// Starts everything and waits until a request through the gateway is answered by the application.
    pub async fn start(run: &Path) -> Result<Self> {
        let begun = Instant::now();
        let cache = crate::outside::cache();
        let bin = fs::canonicalize(cache.join("bin"))?;
        let crds = fs::canonicalize(cache.join("crds"))?;
        let supervisor = Supervisor::start(run, begun)?;
        credentials(run)?;
        supervisor.spawn("etcd", etcd(run, &bin))?;
        supervisor.spawn("kube-apiserver", api_server(run, &bin))?;
        let rest = wait("kube-apiserver", || async {
            let rest = connect(&run.join("admin.conf")).await?;
            rest.get("/readyz").await?.ok()?;
            Ok(rest)
        })
        .await?;
        supervisor.note("kube-apiserver ready");
        supervisor.spawn("kube-controller-manager", controller_manager(run, &bin))?;

        let mut this = Self {
            kubelet: Kubelet::start(rest.clone(), supervisor.clone(), run, &bin).await?,
            rest,
            supervisor,
            run: run.to_owned(),
            bin,
            started: Duration::ZERO,
        };
        match Gateway::of_run() {
            Gateway::EnvoyGateway => {
                let (applied, certified) = tokio::join!(this.create_crds(&crds), this.certify());
                applied?;
                certified?;
                this.supervisor.note("CRDs created, certificates made");
                let mut gateway = with_mounts(&run.join("eg"), &this.bin.join("envoy-gateway"));
                gateway.args(["server", "--config-path"]).arg(this.write("eg.yaml", &objects::envoy_gateway())?);
                gateway.env("KUBECONFIG", run.join("admin.conf"));
                this.supervisor.spawn("envoy-gateway", gateway)?;
            }
            Gateway::Contour => {
                this.create_crds(&crds).await?;
                this.supervisor.note("CRDs created");
                this.start_contour().await?;
            }
        }
        this.supervisor.spawn("prometheus", this.prometheus()?)?;
        this.apply_objects().await?;
        this.supervisor.note("objects applied");
        match Gateway::of_run() {
            Gateway::EnvoyGateway => drop(wait("envoy-gateway", || get("127.0.0.1:8081", "/readyz")).await?),
            Gateway::Contour => this.start_contours_envoy().await?,
        }
        wait("prometheus", || get(PROMETHEUS, "/-/ready")).await?;
        this.supervisor.note("the gateway and prometheus are ready");
        wait("the application behind the gateway", || this.answered()).await?;
        this.started = begun.elapsed();
        this.supervisor.note("first request answered");
        Ok(this)
    }

    /// Runs kubectl as an administrator and returns what it printed.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        let output = tokio::process::Command::new(self.bin.join("kubectl"))
            .arg("--kubeconfig")
            .arg(self.run.join("admin.conf"))
            .args(args)
            .output()
            .await?;
        if !output.status.success() {
            bail!("kubectl {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Ends the metrics source; it keeps what it has stored.
    pub fn stop_metrics(&self) -> Result<()> {
        ensure!(self.supervisor.kill("prometheus")?, "prometheus did not run");
        Ok(())
    }

    /// Starts the metrics source again and waits until it answers.
    pub async fn start_metrics(&self) -> Result<()> {
        self.supervisor.spawn("prometheus", self.prometheus()?)?;
        wait("prometheus", || get(PROMETHEUS, "/-/ready")).await.map(drop)
    }

    /// How many pods have ended while work was open on them, by the end of their grace or by a kill.
    pub fn killed_with_work(&self) -> usize {
        self.kubelet.exits().iter().filter(|exit| exit.open > 0).count()
    }

    /// The kubeconfig of a user.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.run.join(format!("{user}.conf"))
    }

    /// Creates all CRDs at once, without kubectl: the CRD of EnvoyProxy is too big for the annotation of an apply, and
    /// reading 4 MB of YAML is the server's work either way.
    async fn create_crds(&self, crds: &Path) -> Result<()> {
        let mut definitions: Vec<(&str, Vec<u8>)> = Vec::new();
        let folders = match Gateway::of_run() {
            Gateway::EnvoyGateway => ["gateway-api", "envoy-gateway"],
            Gateway::Contour => ["gateway-api", "contour"],
        };
        for folder in folders {
            for entry in fs::read_dir(crds.join(folder))? {
                // One file of the Gateway API holds an admission policy about upgrades, which there are none of here.
                let text = fs::read_to_string(entry?.path())?;
                let parts = text.split("\n---").filter(|part| part.contains(CRD));
                definitions.extend(parts.map(|part| ("application/yaml", part.as_bytes().to_vec())));
            }
        }
        for own in pilothouse::api::crds() {
            definitions.push(("application/json", serde_json::to_vec(&own)?));
        }
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let posts = definitions.into_iter().map(|(kind, text)| self.rest.send_bytes("POST", path, kind, text));
        for answer in futures::future::try_join_all(posts).await? {
            answer.ok()?;
        }
        wait("the custom resources", || async {
            let list = self.rest.get(path).await?.ok()?;
            let established = |crd: &Value| {
                let conditions = crd["status"]["conditions"].as_array();
                conditions.into_iter().flatten().any(|c| c["type"] == "Established" && c["status"] == "True")
            };
            let all = list["items"].as_array().is_some_and(|items| items.iter().all(established));
            if all { Ok(()) } else { Err(eyre!("some are not established")) }
        })
        .await
    }

    async fn certify(&self) -> Result<()> {
        for object in objects::gateway_namespace() {
            self.rest.post(&objects::collection(&object)?, &object).await?.ok()?;
        }
        let output = tokio::process::Command::new(self.bin.join("envoy-gateway"))
            .args(["certgen", "--disable-topology-injector"])
            .env("KUBECONFIG", self.run.join("admin.conf"))
            .output()
            .await?;
        if !output.status.success() {
            bail!("envoy-gateway certgen: {}", String::from_utf8_lossy(&output.stderr));
        }
        let home = self.run.join("eg");
        fs::create_dir_all(home.join("sds"))?;
        envoy::secret_files(&self.rest, objects::GATEWAY_NAMESPACE, "envoy-gateway", &home.join("certs")).await
    }

    async fn apply_objects(&self) -> Result<()> {
        let namespace = self.write("namespace.json", &objects::namespace())?;
        let rbac = self.run.join("manifests.yaml");
        fs::write(&rbac, objects::manifests()?)?;
        let rest = self.write("objects.json", &list(objects::all()?))?;
        let paths = [namespace, rbac, rest].map(|path| path.display().to_string());
        self.kubectl(&["apply", "--server-side", "-f", &paths[0], "-f", &paths[1], "-f", &paths[2]]).await?;
        Ok(())
    }

    fn prometheus(&self) -> Result<Command> {
        let config = self.write("prometheus.yaml", &objects::prometheus(&self.run.join("targets.json")))?;
        let mut command = Command::new(self.bin.join("prometheus"));
        command.arg(flag("config.file", &config)).arg(flag("storage.tsdb.path", &self.run.join("tsdb")));
        command.arg(format!("--web.listen-address={PROMETHEUS}"));
        Ok(command)
    }

    /// Asks the application through the gateway once.
    pub async fn answered(&self) -> Result<()> {
        let stream = TcpStream::connect(GATEWAY).await?;
        let (status, body) = exchange(stream, "/", objects::HOST).await?;
        if status == 200 { Ok(()) } else { Err(eyre!("the gateway answered {status}: {}", body.trim())) }
    }

    fn write(&self, name: &str, value: &Value) -> Result<PathBuf> {
        let path = self.run.join(name);
        // JSON is YAML.
        fs::write(&path, serde_json::to_vec_pretty(value)?)?;
        Ok(path)
    }
}

/// Asks again until it works; a step that never does ends with its last reason.
pub async fn wait<T, F>(what: &str, mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let begun = Instant::now();
    loop {
        match ask().await {
            Ok(value) => return Ok(value),
            Err(why) if begun.elapsed() > STEP => return Err(why.wrap_err(format!("{what} was not ready in {STEP:?}"))),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Reads a path over plain HTTP: the status and the body.
pub async fn ask(address: &str, path: &str) -> Result<(u16, String)> {
    exchange(TcpStream::connect(address).await?, path, address).await
}

/// Reads a path over plain HTTP; only 200 is a success.
pub async fn get(address: &str, path: &str) -> Result<String> {
    let (status, body) = ask(address, path).await?;
    if status == 200 { Ok(body) } else { Err(eyre!("{address}{path} answered {status}: {}", body.trim())) }
}

/// A program with its own view of `/certs` and `/sds`, taken from a folder.
pub fn with_mounts(folder: &Path, program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c"]);
    command.arg(r#"mount --bind "$1/certs" /certs && mount --bind "$1/sds" /sds && shift && exec "$@""#);
    command.arg("sh").arg(folder).arg(program);
    command
}

async fn exchange(stream: TcpStream, path: &str, host: &str) -> Result<(u16, String)> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = http::Request::get(path).header("host", host).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    connection.abort();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

async fn connect(kubeconfig: &Path) -> Result<Rest> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(Rest::new(kube::Client::try_from(config)?))
}

fn credentials(run: &Path) -> Result<()> {
    let key = run.join("sa.key");
    let made = Command::new("openssl").args(["genrsa", "-out"]).arg(&key).arg("2048").output();
    let made = made.wrap_err("openssl, which makes the service account key, cannot be started")?;
    if !made.status.success() {
        bail!("openssl: {}", String::from_utf8_lossy(&made.stderr));
    }
    let mut tokens = String::new();
    for (user, token, groups) in USERS {
        let name = if user == "kcm" { "system:kube-controller-manager" } else { user };
        tokens.push_str(&format!("{token},{name},{name},\"{groups}\"\n"));
        fs::write(run.join(format!("{user}.conf")), serde_json::to_vec_pretty(&kubeconfig(run, user, token))?)?;
    }
    fs::write(run.join("tokens.csv"), tokens)?;
    Ok(())
}

fn kubeconfig(run: &Path, user: &str, token: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "rig",
        "clusters": [{ "name": "rig", "cluster": {
            "server": API, "certificate-authority": run.join("certs/apiserver.crt"),
        }}],
        "users": [{ "name": user, "user": { "token": token } }],
        "contexts": [{ "name": "rig", "context": { "cluster": "rig", "user": user, "namespace": objects::NAMESPACE } }],
    })
}

fn etcd(run: &Path, bin: &Path) -> Command {
    let mut command = Command::new(bin.join("etcd"));
    command.arg("--data-dir").arg(run.join("etcd"));
    command.args(["--listen-client-urls", "http://127.0.0.1:2379", "--advertise-client-urls", "http://127.0.0.1:2379"]);
    command.args(["--listen-peer-urls", "http://127.0.0.1:2380", "--unsafe-no-fsync", "--log-level", "error"]);
    command
}

fn api_server(run: &Path, bin: &Path) -> Command {
    let mut command = Command::new(bin.join("kube-apiserver"));
    command.args([
        "--etcd-servers=http://127.0.0.1:2379",
        "--secure-port=6443",
        "--bind-address=127.0.0.1",
        "--advertise-address=10.96.0.1",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
        "--endpoint-reconciler-type=none",
    ]);
    for (name, file) in [
        ("cert-dir", "certs"),
        ("service-account-key-file", "sa.key"),
        ("service-account-signing-key-file", "sa.key"),
        ("token-auth-file", "tokens.csv"),
    ] {
        command.arg(flag(name, &run.join(file)));
    }
    command
}

fn controller_manager(run: &Path, bin: &Path) -> Command {
    let mut command = Command::new(bin.join("kube-controller-manager"));
    command.args([
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--authentication-skip-lookup",
        "--controllers=*,bootstrapsigner,tokencleaner",
    ]);
    for (name, file) in [
        ("kubeconfig", "kcm.conf"),
        ("service-account-private-key-file", "sa.key"),
        ("root-ca-file", "certs/apiserver.crt"),
    ] {
        command.arg(flag(name, &run.join(file)));
    }
    command
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

fn list(items: Vec<Value>) -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}
