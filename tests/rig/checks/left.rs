//! What a run has to leave behind: every object, and the Release's own record.

use super::history::{PILOTHOUSE, Slots, deployment, route, routes};
use super::lifecycle::Run;
use crate::cluster::{Cluster, Exit};
use crate::objects::{APP, ASSETS, NAMESPACE, REPLICAS, WAVES};
use crate::robot::Robot;
use color_eyre::eyre::Result;
use serde_json::{Value, json};

/// The label of the routes the console makes, as a query takes it.
pub const MANAGED: &str = "app.kubernetes.io%2Fmanaged-by%3Dpilothouse";

/// What no run may change, as it was before.
pub struct Before {
    base: Value,
    assets: Value,
}

impl Before {
    /// Reads it.
    pub async fn read(cluster: &Cluster) -> Result<Self> {
        let base = cluster.rest.get(&route(APP)).await?.ok()?;
        let assets = cluster.rest.get(&deployment(ASSETS)).await?.ok()?;
        Ok(Self { base, assets })
    }
}

/// Compares every object with what the run had to leave behind; lists all differences.
pub async fn objects(cluster: &Cluster, run: &Run, slots: &Slots, before: &Before) -> Result<Vec<String>> {
    let done = run.is_forward();
    let base = &before.base;
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
        let said = json!([undo["v"], undo["retired"], undo["old"]["name"], undo["new"]["name"]]);
        check("the base route's undo", &said, json!([1, slots.old, slots.active, slots.idle]));
    } else {
        check("the base route's undo, old", &undo["old"]["name"], json!(slots.active));
        check("the base route's undo, new", &undo["new"]["name"], json!(slots.idle));
    }

    let routes = cluster.rest.get(&format!("{}?labelSelector={MANAGED}", routes())).await?.ok()?;
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

    let assets = cluster.rest.get(&deployment(ASSETS)).await?.ok()?;
    check("the Deployment of the assets", &assets["spec"], before.assets["spec"].clone());

    let plan = cluster.rest.get(&format!("{PILOTHOUSE}/rolloutplans/{APP}")).await?.ok()?;
    check("the plan's active release", &plan["status"]["activeRelease"], Value::Null);
    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/pilothouse-{APP}");
    let lease = cluster.rest.get(&leases).await?;
    let holder = lease.body["spec"]["holderIdentity"].as_str().unwrap_or_default();
    check("the Lease's holder after leaving", &json!(holder), json!(""));
    Ok(wrong)
}

/// Compares which pods ended: a release ends the old ones, a rollback the new ones, and nobody else's.
pub fn exits(run: &Run, slots: &Slots, exits: &[Exit]) -> Vec<String> {
    let (leaving, staying) = if run.is_forward() { (&*slots.old, run.version) } else { (run.version, &*slots.old) };
    let of = |version: &str| exits.iter().filter(|exit| exit.version == version).count();
    let mut wrong: Vec<String> =
        exits.iter().filter(|exit| exit.open > 0).map(|exit| format!("ended with work in flight: {exit:?}")).collect();
    if (of(leaving), of(staying)) != (REPLICAS as usize, 0) {
        let ended = (of(leaving), of(staying));
        wrong.push(format!("pods of {leaving} and {staying} ended: {ended:?}, not ({REPLICAS}, 0)"));
    }
    wrong
}

/// Compares the Release's own record.
pub fn record(run: &Run, release: &Value, robot: &Robot) -> Vec<String> {
    let done = run.is_forward();
    let status = &release["status"];
    let mut wrong = Vec::new();
    let mut check = |what: &str, is: &Value, should: Value| {
        if *is != should {
            wrong.push(format!("the Release's {what} is {is}, not {should}"));
        }
    };
    check("phase", &status["phase"], json!(run.end()));
    check("result", &status["outcome"]["result"], json!(run.end()));
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
    let moved: usize = WAVES[..run.waves()].iter().map(|(_, customers)| customers).sum();
    check("customers moved", &status["outcome"]["customersMoved"], json!(moved));
    check("time of the rollback is there", &json!(status["outcome"]["rolledBackAt"].is_string()), json!(!done));
    let journal = status["journal"].as_array();
    let acts: Vec<&str> = journal.into_iter().flatten().filter_map(|line| line["act"].as_str()).collect();
    let place = |act: &str| acts.iter().position(|is| *is == act);
    check("journal holds a promote", &json!(place("promote").is_some()), json!(run.promotes()));
    check("journal holds a rollback", &json!(place("rollback").is_some()), json!(!done));
    check("retire is the last act on the pods", &json!(place("retire") > place("rollback")), json!(true));
    let numbers: Vec<u64> =
        status["journal"].as_array().into_iter().flatten().filter_map(|line| line["seq"].as_u64()).collect();
    let gapless = !numbers.is_empty() && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1);
    check("journal without gaps", &json!(gapless), json!(true));
    let verified = status["journal"].as_array().into_iter().flatten().filter_map(|line| line["evidence"].as_str());
    let silent = verified.filter(|evidence| evidence.ends_with("seen, 1 silent")).count();
    check("verified wave with the silent customer", &json!(silent), json!(usize::from(run.promotes())));
    let begun = |act: &str| {
        let lines = status["journal"].as_array().into_iter().flatten();
        lines.filter(|line| line["act"] == act && line["result"] == "begun").count()
    };
    check("waves moved", &json!(begun("shift")), json!(run.waves().min(WAVES.len() - 1)));
    check("resumes", &json!(robot.resumes), json!(0));
    // A gate may lose its traffic between the advice and the dialog; one that does so again and again is a fault.
    check("refusals the robot met are few", &json!(robot.refusals.len() <= 2), json!(true));
    wrong
}
