//! A release and a rollback on the real cluster, played by keys through a terminal, under load.

use super::figure;
use super::judge::{self, Seen};
use crate::cluster::Cluster;
use crate::console::Console;
use crate::load::{Load, Profile};
use crate::objects::{APP, APP_B, CUSTOMERS, HALF, NAMESPACE, REPLICAS, WAVES};
use crate::record::Record;
use crate::robot::Robot;
use color_eyre::eyre::{Result, bail, ensure, eyre};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A release by this plan takes about a minute; a busy machine needs several.
const LIMIT: Duration = Duration::from_secs(420);

/// A customer may be answered by both versions for this long while a change reaches the proxy.
const SWITCH: Duration = Duration::from_secs(2);

/// One run.
struct Run {
    name: &'static str,
    version: &'static str,
    roll_back_after: Option<u32>,
    end: &'static str,
}

/// The slot that serves and the one that does not: Deployment and Service name, and version.
struct Slots {
    active: &'static str,
    idle: &'static str,
    old: String,
}

/// Takes a version to Done.
pub async fn release(cluster: &Cluster) -> Result<()> {
    run(cluster, &Run { name: "release", version: "4.12.0", roll_back_after: None, end: "Done" }).await
}

/// Moves two waves of a version and rolls it back.
pub async fn rollback(cluster: &Cluster) -> Result<()> {
    run(cluster, &Run { name: "rollback", version: "4.13.0", roll_back_after: Some(5), end: "RolledBack" }).await
}

async fn run(cluster: &Cluster, run: &Run) -> Result<()> {
    let name = run.name;
    let slots = slots(cluster).await?;
    let plan = cluster.rest.get(&format!("{PILOTHOUSE}/rolloutplans/{APP}")).await?.ok()?;
    let under_way = &plan["status"]["activeRelease"];
    ensure!(under_way.is_null(), "release {under_way} is still under way");
    let base = cluster.rest.get(&route(APP)).await?.ok()?;
    let (exits, killed) = (cluster.kubelet.exits().len(), cluster.killed_with_work());
    let load = Load::start(Profile::judge());
    let history = watch_releases(cluster, &load, run.version);
    // Rates need some samples of every customer.
    tokio::time::sleep(Duration::from_secs(5)).await;

    let begun = Instant::now();
    let mut console = Console::start(&cluster.kubeconfig("operator"), &cluster.run)?;
    let mut robot = Robot::new(run.version, run.roll_back_after);
    let played = console
        .play(name, &mut robot, LIMIT, || async {
            let release = find(cluster, run.version).await?;
            Ok(release.is_some_and(|release| release["status"]["phase"] == run.end))
        })
        .await;
    if played.is_err() {
        let found = find(cluster, run.version).await?;
        std::fs::write(cluster.run.join("release.json"), serde_json::to_vec_pretty(&found)?)?;
    }
    played?;
    if !robot.refusals.is_empty() {
        println!("rig: dialogs refused: {:?}", robot.refusals);
    }
    figure(&format!("rig.{name}_seconds"), format!("{:.0}", begun.elapsed().as_secs_f64()), "s");
    // What was begun on the way is lived to its end before anything is judged.
    tokio::time::sleep(Duration::from_secs(1)).await;
    console.quit().await?;
    load.hang_up();
    let records = load.end().await?;
    let history = history.end();

    let mut wrong = objects(cluster, run, &slots, &base).await?;
    let release = find(cluster, run.version).await?.ok_or_else(|| eyre!("the Release is gone"))?;
    std::fs::write(cluster.run.join(format!("release-{}.json", run.version)), serde_json::to_vec_pretty(&release)?)?;
    wrong.extend(record(run, &release, &robot));
    if let Some(exit) = cluster.kubelet.exits()[exits..].iter().find(|exit| exit.open > 0) {
        wrong.push(format!("a pod ended with work in flight: {exit:?}"));
    }
    figure(&format!("rig.{name}_pods_killed_with_work"), cluster.killed_with_work() - killed, "pods");
    match judge::versions(&records, &history, &slots.old, run.version) {
        Ok(judged) => figure(&format!("rig.{name}_judged"), judged, "transactions"),
        Err(why) => wrong.push(format!("{why:#}")),
    }
    let (cut, first) = judge::cut(&records);
    figure(&format!("rig.{name}_transactions"), records.len(), "transactions");
    figure(&format!("rig.{name}_cut"), cut, "transactions");
    let longest = records.iter().map(|record| record.end.saturating_sub(record.start)).max().unwrap_or_default();
    figure(&format!("rig.{name}_longest_ms"), longest.as_millis(), "ms");
    if let Some(first) = first {
        wrong.push(format!("{cut} of {} transactions were cut, the first: {first:?}", records.len()));
    }
    let turn = judge::turn(&history).unwrap_or(Duration::MAX);
    let (there, back): (Vec<Record>, Vec<Record>) = records.into_iter().partition(|record| record.start < turn);
    let mut windows = judge::windows(&there, &slots.old, run.version);
    // Everybody who was moved has to have been seen there: a judge that sees nothing finds nothing.
    let moved = if run.end == "Done" { CUSTOMERS.len() + 1 } else { CUSTOMERS.len() / 2 };
    if windows.len() != moved {
        wrong.push(format!("{} of {moved} moved customers were seen on {}", windows.len(), run.version));
    }
    windows.extend(judge::windows(&back, run.version, &slots.old).into_iter().filter(|(_, window)| !window.is_zero()));
    let longest = windows.values().max().copied().unwrap_or_default();
    figure(&format!("rig.{name}_switch_window_ms"), longest.as_millis(), "ms");
    for (customer, window) in windows.into_iter().filter(|(_, window)| *window > SWITCH) {
        wrong.push(format!("{customer} was on two versions for {window:?}"));
    }
    ensure!(wrong.is_empty(), "{} findings:\n- {}", wrong.len(), wrong.join("\n- "));
    Ok(())
}

/// Compares every object with what the run had to leave behind; lists all differences.
async fn objects(cluster: &Cluster, run: &Run, slots: &Slots, base: &Value) -> Result<Vec<String>> {
    let done = run.end == "Done";
    let (serving, retired) = if done { (slots.idle, slots.active) } else { (slots.active, slots.idle) };
    let mut wrong = Vec::new();
    let mut check = |what: &str, is: &Value, should: Value| {
        if *is != should {
            wrong.push(format!("{what} is {is}, not {should}"));
        }
    };

    let now = cluster.rest.get(&route(APP)).await?.ok()?;
    let mut rules = base["spec"]["rules"].clone();
    for rule in rules.as_array_mut().into_iter().flatten() {
        for backend in rule["backendRefs"].as_array_mut().into_iter().flatten() {
            match backend["name"].as_str() {
                Some(name) if name == serving => backend["weight"] = json!(100),
                Some(name) if name == retired => backend["weight"] = json!(0),
                _ => {}
            }
        }
    }
    check("the base route's rules", &now["spec"]["rules"], rules);
    check("the base route's hostnames", &now["spec"]["hostnames"], base["spec"]["hostnames"].clone());
    check("the base route's parents", &now["spec"]["parentRefs"], base["spec"]["parentRefs"].clone());
    let annotations = &now["metadata"]["annotations"];
    let fence = annotations["pilothouse.dev/fence"].as_str().and_then(|fence| fence.parse::<u64>().ok());
    check("the base route's fence is a number", &json!(fence.is_some_and(|fence| fence > 0)), json!(true));
    let undo: Value = serde_json::from_str(annotations["pilothouse.dev/undo"].as_str().unwrap_or("null"))?;
    if done {
        check("the base route's undo", &undo, json!({ "v": 1, "retired": slots.old }));
    } else {
        check("the base route's undo, old", &undo["old"]["name"], json!(slots.active));
        check("the base route's undo, new", &undo["new"]["name"], json!(slots.idle));
    }

    let routes = cluster.rest.get(&format!("{}?labelSelector={MANAGED}", collection())).await?.ok()?;
    let left: Vec<&Value> = routes["items"].as_array().into_iter().flatten().map(|r| &r["metadata"]["name"]).collect();
    check("managed routes", &json!(left), json!([]));

    for (name, replicas) in [(serving, REPLICAS), (retired, 0)] {
        let deployment = cluster.rest.get(&deployment(name)).await?.ok()?;
        check(&format!("replicas of {name}"), &deployment["spec"]["replicas"], json!(replicas));
        let ready = deployment["status"]["readyReplicas"].as_u64().unwrap_or(0);
        check(&format!("ready pods of {name}"), &json!(ready), json!(replicas));
        let version = if name == slots.idle { run.version } else { &slots.old };
        for place in [&deployment["metadata"], &deployment["spec"]["template"]["metadata"]] {
            check(&format!("version of {name}"), &place["labels"]["app.kubernetes.io/version"], json!(version));
        }
        let image = deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
        let tag = image.rsplit(':').next().unwrap_or_default();
        check(&format!("image tag of {name}"), &json!(tag), json!(version));
    }

    let plan = cluster.rest.get(&format!("{PILOTHOUSE}/rolloutplans/{APP}")).await?.ok()?;
    check("the plan's active release", &plan["status"]["activeRelease"], Value::Null);
    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/pilothouse-{APP}");
    let lease = cluster.rest.get(&leases).await?;
    let holder = lease.body["spec"]["holderIdentity"].as_str().unwrap_or_default();
    check("the Lease's holder after leaving", &json!(holder), json!(""));
    Ok(wrong)
}

/// Compares the Release's own record.
fn record(run: &Run, release: &Value, robot: &Robot) -> Vec<String> {
    let done = run.end == "Done";
    let status = &release["status"];
    let mut wrong = Vec::new();
    let mut check = |what: &str, is: &Value, should: Value| {
        if *is != should {
            wrong.push(format!("the Release's {what} is {is}, not {should}"));
        }
    };
    check("phase", &status["phase"], json!(run.end));
    check("result", &status["outcome"]["result"], json!(run.end));
    check("cut transactions", &json!(status["outcome"]["cut"].as_u64().unwrap_or(0)), json!(0));
    check("intent", &status["intent"], Value::Null);
    check("unresolved writes", &json!(status["unresolved"].as_array().map_or(0, Vec::len)), json!(0));
    check("blocked", &status["blocked"], Value::Null);
    let waves: Vec<Value> = status["frozen"]["waves"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|wave| json!([wave["ring"], wave["customers"].as_array().map_or(0, Vec::len)]))
        .collect();
    check("waves", &json!(waves), json!(WAVES));
    let moved = if done { CUSTOMERS.len() } else { CUSTOMERS.len() / 2 };
    check("customers moved", &status["outcome"]["customersMoved"], json!(moved));
    let numbers: Vec<u64> =
        status["journal"].as_array().into_iter().flatten().filter_map(|line| line["seq"].as_u64()).collect();
    let gapless = !numbers.is_empty() && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1);
    check("journal without gaps", &json!(gapless), json!(true));
    let moves = if done { WAVES.len() - 1 } else { HALF };
    check("waves the robot confirmed", &json!(robot.waves), json!(moves));
    check("resumes", &json!(robot.resumes), json!(0));
    // A gate may lose its traffic between the advice and the dialog; one that does so again and again is a fault.
    check("refusals the robot met are few", &json!(robot.refusals.len() <= 2), json!(true));
    wrong
}

/// Which slot serves now.
async fn slots(cluster: &Cluster) -> Result<Slots> {
    let base = cluster.rest.get(&route(APP)).await?.ok()?;
    let weight = |name: &str| {
        let backends = base["spec"]["rules"][0]["backendRefs"].as_array().cloned().unwrap_or_default();
        backends.iter().find(|backend| backend["name"] == name).and_then(|backend| backend["weight"].as_u64())
    };
    let (active, idle) = match (weight(APP), weight(APP_B)) {
        (Some(100), Some(0)) => (APP, APP_B),
        (Some(0), Some(100)) => (APP_B, APP),
        weights => bail!("no slot serves alone: {weights:?}"),
    };
    let deployment = cluster.rest.get(&deployment(active)).await?.ok()?;
    let old = deployment["metadata"]["labels"]["app.kubernetes.io/version"].as_str().unwrap_or_default().to_owned();
    Ok(Slots { active, idle, old })
}

async fn find(cluster: &Cluster, version: &str) -> Result<Option<Value>> {
    let list = cluster.rest.get(&format!("{PILOTHOUSE}/releases")).await?.ok()?;
    let mut found = list["items"].as_array().into_iter().flatten();
    Ok(found.find(|release| release["spec"]["version"] == version).cloned())
}

/// Every change of a version's Release, while it is watched.
struct History {
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl History {
    fn end(self) -> Vec<Seen> {
        self.task.abort();
        std::mem::take(&mut *crate::cluster::lock(&self.seen))
    }
}

fn watch_releases(cluster: &Cluster, load: &Load, version: &'static str) -> History {
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let (rest, kept, clock) = (cluster.rest.clone(), seen.clone(), load.clock());
    let task = tokio::spawn(async move {
        loop {
            let path = format!("{PILOTHOUSE}/releases?watch=true");
            let _ = rest
                .watch(&path, Duration::from_secs(3600), |event| {
                    if event["object"]["spec"]["version"] == version {
                        let seen = Seen { at: clock.elapsed(), release: event["object"].clone() };
                        crate::cluster::lock(&kept).push(seen);
                    }
                    false
                })
                .await;
        }
    });
    History { seen, task }
}

const PILOTHOUSE: &str = "/apis/pilothouse.dev/v1alpha1/namespaces/trackx";

const MANAGED: &str = "app.kubernetes.io%2Fmanaged-by%3Dpilothouse";

fn collection() -> String {
    format!("/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes")
}

fn route(name: &str) -> String {
    format!("{}/{name}", collection())
}

fn deployment(name: &str) -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}")
}
