//! POST, GET and LIST.

use super::rest::Answer;
use super::stage::{Stage, said, uid, version};
use color_eyre::eyre::Result;
use serde_json::{Value, json};

pub async fn create_fills_the_metadata(stage: &Stage) -> Result<Value> {
    let mut out = Vec::new();
    for (resource, object) in [("httproutes", stage.route()), ("configmaps", stage.config(stage.name(), "one"))] {
        let answer = stage.rest.post(&stage.all(resource), &object).await?;
        let made = &answer.body;
        out.push(json!({
            "code": answer.code, "generation": made["metadata"]["generation"],
            "uid": !uid(made).is_empty(), "version": !version(made).is_empty(),
            "created": made["metadata"]["creationTimestamp"].is_string(),
            "kind": made["kind"], "apiVersion": made["apiVersion"],
        }));
    }
    Ok(json!(out))
}

pub async fn create_of_an_existing_name_is_a_conflict(stage: &Stage) -> Result<Value> {
    stage.create("httproutes", &stage.route()).await?;
    Ok(said(&stage.rest.post(&stage.all("httproutes"), &stage.route()).await?))
}

pub async fn create_sets_the_defaults_of_a_route(stage: &Stage) -> Result<Value> {
    let mut route = stage.route();
    route["spec"]["rules"] = json!([
        { "backendRefs": [{ "name": "one", "port": 80 }] },
        { "matches": [{ "headers": [{ "name": "x-customer-id", "value": "acme" }] }],
          "backendRefs": [{ "name": "one", "port": 80 }] },
        { "matches": [{ "path": { "value": "/api" } }] },
    ]);
    Ok(stage.create("httproutes", &route).await?["spec"].clone())
}

pub async fn create_drops_a_status(stage: &Stage) -> Result<Value> {
    let mut release = stage.release();
    release["status"] = json!({ "phase": "Ready", "wave": 3 });
    let answer = stage.rest.post(&stage.all("releases"), &release).await?;
    Ok(json!({ "said": said(&answer), "status": stage.read("releases").await?.get("status") }))
}

pub async fn create_dry_run_stores_nothing(stage: &Stage) -> Result<Value> {
    let path = format!("{}?dryRun=All", stage.all("httproutes"));
    let answer = stage.rest.post(&path, &stage.route()).await?;
    Ok(json!({
        "said": said(&answer), "name": answer.body["metadata"]["name"],
        "after": said(&stage.rest.get(&stage.one("httproutes")).await?),
    }))
}

pub async fn create_with_another_namespace_is_refused(stage: &Stage) -> Result<Value> {
    let mut route = stage.route();
    route["metadata"]["namespace"] = json!("elsewhere");
    Ok(said(&stage.rest.post(&stage.all("httproutes"), &route).await?))
}

pub async fn create_with_a_bad_name_names_the_cause(stage: &Stage) -> Result<Value> {
    let mut out = Vec::new();
    for (resource, mut object) in [("httproutes", stage.route()), ("configmaps", stage.config("x", "one"))] {
        object["metadata"]["name"] = json!("Not_A_Name");
        out.push(said(&stage.rest.post(&stage.all(resource), &object).await?));
    }
    Ok(json!(out))
}

pub async fn create_with_unreadable_text_is_refused(stage: &Stage) -> Result<Value> {
    Ok(said(&stage.rest.post(&stage.all("configmaps"), &json!("not an object")).await?))
}

pub async fn create_generates_a_name(stage: &Stage) -> Result<Value> {
    let mut config = stage.config("", "one");
    config["metadata"] = json!({ "generateName": "made-", "namespace": stage.namespace() });
    let answer = stage.rest.post(&stage.all("configmaps"), &config).await?;
    let name = answer.body["metadata"]["name"].as_str().unwrap_or_default();
    Ok(json!({ "said": said(&answer), "made": name.starts_with("made-") && name.len() > 5 }))
}

pub async fn a_gated_pod_waits_and_says_so(stage: &Stage) -> Result<Value> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": stage.name(), "namespace": stage.namespace() },
        "spec": {
            "schedulingGates": [{ "name": "pilothouse.dev/later" }],
            "containers": [{ "name": "app", "image": "registry.example/app:1" }],
        },
    });
    let made = stage.create("pods", &pod).await?;
    let one = stage.one("pods");
    let table = stage.rest.table(&one).await?;
    let column = |name: &str| table.body["columnDefinitions"].as_array()?.iter().position(|c| c["name"] == name);
    let cell = |name: &str| column(name).map(|at| table.body["rows"][0]["cells"][at].clone());
    let mut conditions = made["status"]["conditions"].clone();
    // The server's time is no behaviour, that there is one is.
    conditions[0]["lastTransitionTime"] = json!(conditions[0]["lastTransitionTime"].is_string());
    let gone = stage.rest.delete(&one, &json!({})).await?;
    Ok(json!({
        "phase": made["status"]["phase"], "conditions": conditions, "node": made["spec"].get("nodeName"),
        "ready": cell("Ready"), "status": cell("Status"),
        "deleted": gone.code, "after": said(&stage.rest.get(&one).await?),
    }))
}

pub async fn get_of_a_missing_object_says_not_found(stage: &Stage) -> Result<Value> {
    let mut out = Vec::new();
    for resource in ["httproutes", "releases", "deployments", "leases"] {
        out.push(said(&stage.rest.get(&stage.one(resource)).await?));
    }
    Ok(json!(out))
}

pub async fn get_of_an_unknown_resource_says_not_found(stage: &Stage) -> Result<Value> {
    Ok(json!({ "code": stage.rest.get(&stage.one("nonsense")).await?.code }))
}

pub async fn answers_carry_a_date(stage: &Stage) -> Result<Value> {
    let found = stage.rest.get(&stage.all("releases")).await?.dated;
    let missing = stage.rest.get(&stage.one("releases")).await?.dated;
    Ok(json!({ "found": found, "missing": missing }))
}

pub async fn who_am_i_and_what_may_i(stage: &Stage) -> Result<Value> {
    let who = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let who = stage.rest.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &who).await?;
    let may = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": {
            "namespace": stage.namespace(), "verb": "patch", "group": "pilothouse.dev", "resource": "releases",
        } },
    });
    let may = stage.rest.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &may).await?;
    Ok(json!({
        "who": said(&who), "named": who.body["status"]["userInfo"]["username"].is_string(),
        "may": said(&may), "allowed": may.body["status"]["allowed"],
    }))
}

pub async fn list_of_nothing_is_an_empty_list_with_a_version(stage: &Stage) -> Result<Value> {
    let path = format!("{}?labelSelector=of%3Dnobody", stage.all("httproutes"));
    let answer = stage.rest.get(&path).await?;
    Ok(json!({
        "said": said(&answer), "kind": answer.body["kind"], "items": answer.body["items"],
        "version": !version(&answer.body).is_empty(),
    }))
}

pub async fn list_selects_by_label(stage: &Stage) -> Result<Value> {
    for (name, label) in [("first", "one"), ("second", "two")] {
        stage.create("configmaps", &stage.config(&format!("{}-{name}", stage.name()), label)).await?;
    }
    let mut out = Vec::new();
    for selector in ["part%3Done", "part!%3Done", "part", "part%3Dthree", "part%20in%20(one,two)"] {
        let path = format!("{}?labelSelector=of%3D{},{selector}", stage.all("configmaps"), stage.name());
        out.push(names(&stage.rest.get(&path).await?.ok()?));
    }
    Ok(json!(out))
}

pub async fn list_selects_by_name(stage: &Stage) -> Result<Value> {
    for name in ["first", "second"] {
        stage.create("configmaps", &stage.config(&format!("{}-{name}", stage.name()), "one")).await?;
    }
    let path = format!("{}?fieldSelector=metadata.name%3D{}-second", stage.all("configmaps"), stage.name());
    Ok(names(&stage.rest.get(&path).await?.ok()?))
}

pub async fn labels_must_be_short_and_plain(stage: &Stage) -> Result<Value> {
    let mut out = Vec::new();
    for labels in [
        json!({ "part": "1".repeat(64) }),
        json!({ "part": "4.12.0+7" }),
        json!({ "part": "4.12.0-" }),
        json!({ "": "one" }),
        json!({ "example.com/": "one" }),
        json!({ "a b": "one", "part": "-" }),
    ] {
        let mut config = stage.config(stage.name(), "one");
        config["metadata"]["labels"] = labels.clone();
        out.push(causes(&stage.rest.post(&stage.all("configmaps"), &config).await?));
        config["metadata"]["labels"] = json!({});
        config["metadata"]["annotations"] = labels;
        out.push(causes(&stage.rest.post(&format!("{}?dryRun=All", stage.all("configmaps")), &config).await?));
    }
    Ok(json!(out))
}

/// The code and the fields of the causes.
fn causes(answer: &Answer) -> Value {
    let causes = answer.body["details"]["causes"].as_array().into_iter().flatten();
    json!([answer.code, causes.map(|cause| cause["field"].clone()).collect::<Vec<_>>()])
}

pub async fn a_selection_comes_in_pages_of_one_version(stage: &Stage) -> Result<Value> {
    for name in ["a", "b", "c"] {
        stage.create("configmaps", &stage.config(&format!("{}-{name}", stage.name()), "one")).await?;
    }
    let path = format!("{}?labelSelector=of%3D{}&limit=2", stage.all("configmaps"), stage.name());
    let first = stage.rest.get(&path).await?.ok()?;
    let token = first["metadata"]["continue"].as_str().unwrap_or_default();
    stage.create("configmaps", &stage.config(&format!("{}-d", stage.name()), "one")).await?;
    let second = stage.rest.get(&format!("{path}&continue={}", encode(token))).await?.ok()?;
    let same = first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"];
    let metadata = [&first, &second].map(|page| {
        let fields = page["metadata"].as_object().into_iter().flatten();
        fields.filter(|(_, value)| **value != "").map(|(name, _)| name.clone()).collect::<Vec<_>>()
    });
    Ok(json!([names(&first), names(&second), same, metadata]))
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn names(list: &Value) -> Value {
    list["items"].as_array().into_iter().flatten().map(|item| item["metadata"]["name"].clone()).collect()
}
