//! Adoption on the real cluster: one Deployment, Service and HTTPRoute as one finds them, `pilothouse init`, each of its
//! files applied by kubectl under the judge's load, and then a release by keys.

use super::figure;
use super::history::{History, PILOTHOUSE, find};
use super::judge::{self, Claim};
use crate::behaviours::rest::Patch;
use crate::cluster::{Cluster, wait};
use crate::console::Console;
use crate::load::{Load, Profile};
use crate::objects::{APP, APP_B, CUSTOMERS, INTERNAL, NAMESPACE, OLD, REPLICAS};
use crate::robot::Robot;
use color_eyre::eyre::{Result, ensure, eyre};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The version that is released once the application is adopted.
const VERSION: &str = "4.20.0";

/// The release waits for transactions of up to 30 s and sockets of up to a minute; a busy machine needs several.
const LIMIT: Duration = Duration::from_secs(480);

/// What lies between two files: a gateway has taken the one before in.
const BETWEEN: Duration = Duration::from_secs(3);

/// A plan's figures for a release of minutes: what `init` writes, and what stands there for this run.
const HURRIED: [(&str, &str); 8] = [
    ("bake: 10m", "bake: 2s"),
    ("bake: 15m", "bake: 2s"),
    ("bake: 30m", "bake: 2s"),
    ("for: 5m, minRequests: 100", "for: 5s, minRequests: 5"),
    ("max: 500ms, for: 5m", "max: 50s, for: 5s"),
    ("quiet: 30s", "quiet: 2s"),
    ("promote:", "settle: 1s\n  promote:"),
    ("profile: app", "interval: 1s\n    profile: app"),
];

/// Makes the application a plain one, adopts it under load, releases a version, and puts everything back.
pub async fn run(cluster: &Cluster) -> Result<()> {
    let before = Before::read(cluster).await?;
    let done = adopt_and_release(cluster).await;
    let back = before.restore(cluster).await;
    done.and(back)
}

async fn adopt_and_release(cluster: &Cluster) -> Result<()> {
    plain(cluster).await?;
    let load = Load::start(Profile::judge());
    let history = History::watch(&cluster.rest, &load);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let pods = running(cluster).await?;
    ensure!(pods.len() == REPLICAS as usize, "{} pods run before the adoption", pods.len());

    let begun = load.now();
    let adopted = adopt(cluster).await;
    tokio::time::sleep(BETWEEN).await;
    let ended = load.now();
    let still = running(cluster).await?;
    let killed = cluster.killed_with_work();
    let released = match adopted {
        Ok(()) => release(cluster, &load).await,
        Err(why) => Err(why),
    };
    tokio::time::sleep(Duration::from_secs(2)).await;
    load.hang_up();
    let records = load.end().await?;
    let seen = history.of(VERSION);
    history.end();

    let during: Vec<_> = records.iter().filter(|one| one.start >= begun && one.start < ended).cloned().collect();
    let cut = judge::cuts(&during, &seen);
    let all = judge::cuts(&records, &seen);
    let legs = judge::legs(&seen, ended, Duration::MAX, OLD, VERSION);
    let mut claims = judge::claims(&seen);
    claims.extend(released.as_ref().ok().into_iter().flatten().cloned());
    let false_drains = judge::false_drains(&records, &claims);
    let mixed = judge::on_two_versions(&records, &legs, &judge::moved(&seen), &seen);
    figure("rig.adoption_transactions", during.len(), "transactions");
    figure("rig.adoption_cut", cut.len(), "transactions");
    figure("rig.adoption_release_cut", all.len() - cut.len(), "transactions");
    figure("rig.adoption_customers_on_two_versions", mixed.len(), "customers");
    super::count_false_drains(false_drains.len());
    released?;
    ensure!(claims.len() >= 2 && false_drains.is_empty(), "claims of drains: {claims:?}; false: {false_drains:?}");
    ensure!(still == pods, "pods were restarted by the adoption: {pods:?} became {still:?}");
    ensure!(during.len() > 1000, "only {} transactions began while files were applied", during.len());
    ensure!(
        all.is_empty(),
        "{} transactions were cut, such as\n    {}",
        all.len(),
        all[..all.len().min(5)].join("\n    ")
    );
    ensure!(mixed.is_empty(), "customers were on two versions: {mixed:?}");
    ensure!(cluster.killed_with_work() == killed, "a pod was killed with work in flight");
    Ok(())
}

/// Runs `init` and applies what it wrote, each file as it says.
async fn adopt(cluster: &Cluster) -> Result<()> {
    let folder = cluster.run.join("adoption");
    let list: Vec<Value> = (0..)
        .zip(CUSTOMERS)
        .map(|(at, id)| json!({ "id": id, "tier": if at < INTERNAL { "internal" } else { "silver" } }))
        .collect();
    let customers = cluster.run.join("customers.yaml");
    fs::write(&customers, serde_json::to_vec(&list)?)?;
    let (out, said) = (folder.display().to_string(), customers.display().to_string());
    let names = ["--deployment", APP, "--service", APP, "--route", APP, "--header", "x-customer-id"];
    let rest = ["--customers", &said, "--metrics-url", "http://127.0.0.1:9090", "-n", NAMESPACE, "-o", &out];
    let text = pilothouse(cluster, "admin", &[&["init"], &names[..], &rest[..]].concat()).await?;
    fs::write(cluster.run.join("adoption.txt"), &text)?;
    for part in ["30-route.patch.json", "leader election", "kubectl patch httproute trackx"] {
        ensure!(text.contains(part), "init does not say {part:?}:\n{text}");
    }
    let path = |name: &str| folder.join(name).display().to_string();
    ensure!(next(cluster).await?.contains("20-slot-b.yaml"), "doctor does not see what is missing first");
    hurry(&folder.join("50-plan.yaml"))?;
    for name in ["10-crds-rbac.yaml", "20-slot-b.yaml"] {
        cluster.kubectl(&["apply", "-f", &path(name)]).await?;
        tokio::time::sleep(BETWEEN).await;
    }
    let route = path("30-route.patch.json");
    let patch = ["patch", "httproute", APP, "-n", NAMESPACE, "--type=json", "--patch-file", &route];
    cluster.kubectl(&patch).await?;
    tokio::time::sleep(BETWEEN).await;
    let again = cluster.kubectl(&patch).await;
    ensure!(again.is_err(), "the patch applies a second time: {again:?}");
    for name in ["40-customers.yaml", "50-plan.yaml"] {
        cluster.kubectl(&["apply", "-f", &path(name)]).await?;
    }
    let backends = cluster.rest.get(&route_path()).await?.ok()?["spec"]["rules"][0]["backendRefs"].clone();
    let weights: Vec<(&Value, &Value)> =
        backends.as_array().into_iter().flatten().map(|one| (&one["name"], &one["weight"])).collect();
    ensure!(json!(weights) == json!([[APP, 100], [APP_B, 0]]), "the route's backends are {backends}");
    // The console's own look: nothing may speak against a release now.
    let text = pilothouse(cluster, "operator", &["doctor", "-n", NAMESPACE]).await?;
    fs::write(cluster.run.join("doctor.txt"), &text)?;
    ensure!(text.contains("next: pilothouse start"), "doctor does not say that a release can start:\n{text}");
    Ok(())
}

/// What doctor calls the first missing step; it ends with a code of its own while one is missing.
async fn next(cluster: &Cluster) -> Result<String> {
    let output = started(cluster, "operator", &["doctor", "-n", NAMESPACE]).await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(!output.status.success(), "doctor is content with a cluster that is not adopted:\n{text}");
    Ok(text.rsplit_once("next: ").map_or_else(String::new, |(_, next)| next.to_owned()))
}

/// Releases a version by keys; returns when the screen called a drain proven.
async fn release(cluster: &Cluster, load: &Load) -> Result<Vec<Claim>> {
    let mut console = Console::start(&cluster.kubeconfig("operator"), &cluster.run)?;
    let mut robot = Robot::new(VERSION, None);
    let ended = || async {
        let release = find(cluster, VERSION).await?;
        Ok(release.is_some_and(|release| release["status"]["phase"] == "Done"))
    };
    console.play("adoption", &mut robot, LIMIT, |_| false, ended).await?;
    let proven = console.proven.iter().map(|(at, version)| Claim {
        at: at.saturating_duration_since(load.clock()),
        version: version.clone(),
        by: "the screen, which said proven".into(),
    });
    let proven = proven.collect();
    console.quit().await?;
    let slot_a = cluster.rest.get(&deployment(APP)).await?.ok()?;
    ensure!(slot_a["spec"]["replicas"] == 0, "slot a still has {} replicas", slot_a["spec"]["replicas"]);
    Ok(proven)
}

/// Runs the product's own program and returns what it printed.
async fn pilothouse(cluster: &Cluster, user: &str, args: &[&str]) -> Result<String> {
    let output = started(cluster, user, args).await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let why = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "pilothouse {} ended with {}: {said}{why}", args.join(" "), output.status);
    Ok(said)
}

async fn started(cluster: &Cluster, user: &str, args: &[&str]) -> Result<std::process::Output> {
    let home = cluster.run.join("home");
    fs::create_dir_all(&home)?;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_pilothouse"));
    command.env_clear().env("KUBECONFIG", cluster.kubeconfig(user)).env("HOME", &home).args(args);
    // As on a terminal: without these doctor has something to say about the terminal.
    command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
    Ok(command.output().await?)
}

/// Sets the figures of a plan as a person would for a short release.
fn hurry(plan: &Path) -> Result<()> {
    let mut text = fs::read_to_string(plan)?;
    for (from, to) in HURRIED {
        ensure!(text.contains(from), "{from:?} is not in the plan:\n{text}");
        text = text.replace(from, to);
    }
    fs::write(plan, text)?;
    Ok(())
}

/// Makes the application one that has never heard of the product: one Deployment without any slot, one Service, one
/// backend per rule, and the objects that a namespace has around them.
async fn plain(cluster: &Cluster) -> Result<()> {
    for path in [
        format!("{PILOTHOUSE}/rolloutplans/{APP}"),
        format!("/api/v1/namespaces/{NAMESPACE}/configmaps/trackx-customers"),
    ] {
        cluster.rest.delete(&path, &json!({})).await?.ok()?;
    }
    let alone = |rule: u32| json!({ "op": "replace", "path": format!("/spec/rules/{rule}/backendRefs"), "value": [{ "name": APP, "port": 8080 }] });
    cluster.rest.patch(&route_path(), Patch::Json, &json!([alone(0), alone(1)])).await?.ok()?;
    end_slots(cluster).await?;
    let (labels, selector) = (json!({ "app": APP, "app.kubernetes.io/version": OLD }), json!({ "app": APP }));
    let container = json!({
        "name": "app", "image": format!("registry.example/app:{OLD}"), "ports": [{ "name": "http", "containerPort": 3000 }],
        "lifecycle": { "preStop": { "sleep": { "seconds": 1 } } },
    });
    let meta = |name: &str| json!({ "name": name, "namespace": NAMESPACE });
    let template = json!({ "metadata": { "labels": labels }, "spec": {
        "terminationGracePeriodSeconds": 10, "automountServiceAccountToken": false, "containers": [container] } });
    let group = |group: &str, plural: &str| format!("/{group}/namespaces/{NAMESPACE}/{plural}");
    for (path, object) in [
        (
            deployments(),
            json!({ "metadata": meta(APP), "spec": {
            "replicas": REPLICAS, "selector": { "matchLabels": selector }, "template": template } }),
        ),
        (
            services(),
            json!({ "metadata": meta(APP), "spec": {
            "selector": selector, "ports": [{ "name": "http", "port": 8080, "targetPort": "http" }] } }),
        ),
        (
            group("apis/policy/v1", "poddisruptionbudgets"),
            json!({ "metadata": meta(APP), "spec": {
            "maxUnavailable": 1, "selector": { "matchLabels": selector } } }),
        ),
        (
            group("apis/networking.k8s.io/v1", "networkpolicies"),
            json!({ "metadata": meta(APP), "spec": {
            "podSelector": { "matchLabels": selector }, "policyTypes": ["Ingress"], "ingress": [{}] } }),
        ),
        (
            group("apis/autoscaling/v2", "horizontalpodautoscalers"),
            json!({ "metadata": meta(APP), "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": APP },
            "minReplicas": REPLICAS, "maxReplicas": 6 } }),
        ),
    ] {
        cluster.rest.post(&path, &object).await?.ok()?;
    }
    wait("the plain application behind its route", || async {
        let live = cluster.rest.get(&deployment(APP)).await?.ok()?;
        ensure!(live["status"]["readyReplicas"] == REPLICAS, "{} pods are ready", live["status"]["readyReplicas"]);
        cluster.answered().await
    })
    .await
}

/// Takes both slots away and waits until no pod of them is left.
async fn end_slots(cluster: &Cluster) -> Result<()> {
    for name in [APP, APP_B] {
        for path in [deployment(name), format!("{}/{name}", services())] {
            let options = json!({ "propagationPolicy": "Background" });
            let answer = cluster.rest.delete(&path, &options).await?;
            ensure!(answer.code == 404 || answer.ok().is_ok(), "{path} cannot be deleted");
        }
    }
    wait("the slots without pods", || async {
        let left = running_of(cluster, "app%20in%20(trackx,trackx-b)").await?;
        ensure!(left.is_empty(), "{} pods are left", left.len());
        Ok(())
    })
    .await
}

/// The uids of slot a's pods.
async fn running(cluster: &Cluster) -> Result<Vec<String>> {
    running_of(cluster, "app%3Dtrackx").await
}

async fn running_of(cluster: &Cluster, selector: &str) -> Result<Vec<String>> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector={selector}");
    let list = cluster.rest.get(&path).await?.ok()?;
    let mut uids: Vec<String> =
        list["items"].as_array().into_iter().flatten().map(|pod| pod["metadata"]["uid"].to_string()).collect();
    uids.sort();
    Ok(uids)
}

/// What this part takes away, as it was.
struct Before {
    objects: Vec<(String, Value)>,
    rules: Value,
}

impl Before {
    async fn read(cluster: &Cluster) -> Result<Self> {
        let mut objects = Vec::new();
        for (collection, name) in [
            (services(), APP),
            (services(), APP_B),
            (deployments(), APP),
            (deployments(), APP_B),
            (format!("/api/v1/namespaces/{NAMESPACE}/configmaps"), "trackx-customers"),
            (format!("{PILOTHOUSE}/rolloutplans"), APP),
        ] {
            let live = cluster.rest.get(&format!("{collection}/{name}")).await?.ok()?;
            let mut spec = live["spec"].clone();
            if let Some(fields) = spec.as_object_mut() {
                fields.remove("clusterIP");
                fields.remove("clusterIPs");
            }
            let metadata = json!({ "name": name, "namespace": NAMESPACE, "labels": live["metadata"]["labels"] });
            let mut object = json!({ "apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata });
            for (key, value) in [("spec", spec), ("data", live["data"].clone())] {
                if !value.is_null() {
                    object[key] = value;
                }
            }
            objects.push((collection, object));
        }
        let rules = cluster.rest.get(&route_path()).await?.ok()?["spec"]["rules"].clone();
        Ok(Self { objects, rules })
    }

    async fn restore(&self, cluster: &Cluster) -> Result<()> {
        for (group, plural) in [
            ("apis/policy/v1", "poddisruptionbudgets"),
            ("apis/networking.k8s.io/v1", "networkpolicies"),
            ("apis/autoscaling/v2", "horizontalpodautoscalers"),
        ] {
            let path = format!("/{group}/namespaces/{NAMESPACE}/{plural}");
            cluster.rest.delete(&path, &json!({})).await?.ok()?;
        }
        end_slots(cluster).await?;
        for (collection, object) in &self.objects {
            let name = object["metadata"]["name"].as_str().ok_or_else(|| eyre!("an object without a name"))?;
            // Whatever stands there is this part's own.
            let _ = cluster.rest.delete(&format!("{collection}/{name}"), &json!({})).await?;
            cluster.rest.post(collection, object).await?.ok()?;
        }
        let rules = json!([{ "op": "replace", "path": "/spec/rules", "value": self.rules }]);
        cluster.rest.patch(&route_path(), Patch::Json, &rules).await?.ok()?;
        wait("the application as it was", || cluster.answered()).await
    }
}

fn route_path() -> String {
    format!("/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes/{APP}")
}

fn deployments() -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments")
}

fn deployment(name: &str) -> String {
    format!("{}/{name}", deployments())
}

fn services() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/services")
}
