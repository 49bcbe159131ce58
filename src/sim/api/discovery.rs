//! What clients ask before anything else: version, groups, resources, and enough OpenAPI for `kubectl apply`.

use super::resources::{ALL, Resource};
use super::schemas;
use serde_json::{Value, json};

/// The content type of aggregated discovery.
pub const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Group, version and kind.
type Gvk = (&'static str, &'static str, &'static str);

/// The reviews of oneself: group, plural, kind.
const REVIEWS: [(&str, &str, &str); 3] = [
    ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
    ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
];

/// Answers a discovery path; `aggregated` when the client accepts the aggregated form, and whether it is that form.
pub fn discover(path: &str, aggregated: bool) -> Option<(Value, bool)> {
    let plain = |value: Value| Some((value, false));
    match path.trim_end_matches('/') {
        "/version" => plain(json!({
            "major": "1", "minor": "37", "gitVersion": "v1.37.2+embedded", "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "2026-11-01T00:00:00Z", "goVersion": "none", "compiler": "none", "platform": "embedded",
        })),
        "/api" if aggregated => Some((aggregate(true), true)),
        "/apis" if aggregated => Some((aggregate(false), true)),
        "/api" => plain(json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })),
        "/apis" => {
            let groups: Vec<Value> = names().iter().filter(|name| !name.is_empty()).map(|name| group(name)).collect();
            plain(json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups }))
        }
        "/openapi/v3" => {
            let paths: serde_json::Map<String, Value> = groups()
                .iter()
                .map(|(g, v)| prefix(g, v))
                .map(|p| {
                    (p.trim_start_matches('/').to_owned(), json!({ "serverRelativeURL": format!("/openapi/v3{p}") }))
                })
                .collect();
            plain(json!({ "paths": paths }))
        }
        other => {
            if let Some(rest) = other.strip_prefix("/openapi/v3") {
                let (g, v) = groups().into_iter().find(|(g, v)| prefix(g, v) == rest)?;
                return plain(openapi(g, v));
            }
            if let Some(name) = other.strip_prefix("/apis/").filter(|name| !name.contains('/')) {
                return plain(group(names().into_iter().find(|known| *known == name)?));
            }
            let (g, v) = groups().into_iter().find(|(g, v)| prefix(g, v) == other)?;
            plain(resources(g, v))
        }
    }
}

/// Every group with its version, each once.
fn groups() -> Vec<(&'static str, &'static str)> {
    let mut groups: Vec<(&str, &str)> = ALL.iter().map(|r| (r.group, r.version)).collect();
    groups.extend([("authentication.k8s.io", "v1"), ("authorization.k8s.io", "v1")]);
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// The name of every group.
fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = groups().into_iter().map(|(name, _)| name).collect();
    names.dedup();
    names
}

/// The versions of a group, the preferred one first: the newest.
fn versions(name: &str) -> Vec<&'static str> {
    groups().into_iter().rev().filter(|(group, _)| *group == name).map(|(_, version)| version).collect()
}

fn members(group: &str, version: &str) -> impl Iterator<Item = &'static Resource> {
    ALL.into_iter().filter(move |r| r.group == group && r.version == version)
}

fn prefix(group: &str, version: &str) -> String {
    if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") }
}

fn group(name: &str) -> Value {
    let version = |version: &&str| json!({ "groupVersion": format!("{name}/{version}"), "version": version });
    let versions: Vec<Value> = versions(name).iter().map(version).collect();
    json!({
        "kind": "APIGroup", "apiVersion": "v1", "name": name, "preferredVersion": versions.first(), "versions": versions,
    })
}

fn resources(group: &str, version: &str) -> Value {
    let mut list = Vec::new();
    for r in members(group, version) {
        list.push(json!({
            "name": r.plural, "singularName": r.singular, "namespaced": r.namespaced, "kind": r.kind,
            "verbs": r.verbs(), "shortNames": r.short, "categories": categories(r),
        }));
        for (sub, kind, verbs) in subresources(r) {
            list.push(json!({
                "name": format!("{}/{sub}", r.plural), "singularName": "", "namespaced": r.namespaced,
                "group": kind.0, "version": kind.1, "kind": kind.2, "verbs": verbs,
            }));
        }
    }
    list.extend(REVIEWS.iter().filter(|(of, ..)| *of == group).map(|(_, name, kind)| {
        json!({ "name": name, "singularName": "", "namespaced": false, "kind": kind, "verbs": ["create"] })
    }));
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list })
}

fn categories(resource: &Resource) -> &'static [&'static str] {
    if resource.is_in_all() { &["all"] } else { &[] }
}

/// The subresources of a resource: name, `(group, version, kind)` of what they answer, verbs.
fn subresources(r: &Resource) -> Vec<(&'static str, Gvk, &'static [&'static str])> {
    let write: &[&str] = &["get", "patch", "update"];
    let mut list = Vec::new();
    if r.status {
        list.push(("status", (r.group, r.version, r.kind), write));
    }
    if r.scales() {
        list.push(("scale", ("autoscaling", "v1", "Scale"), write));
    }
    if r.has("log") {
        list.push(("log", (r.group, r.version, r.kind), &["get"]));
    }
    list
}

fn aggregate(core: bool) -> Value {
    let items: Vec<Value> = names()
        .into_iter()
        .filter(|name| name.is_empty() == core)
        .map(|name| (name, versions(name)))
        .filter(|(name, versions)| versions.iter().any(|version| members(name, version).next().is_some()))
        .map(|(name, versions)| {
            let versions = versions.into_iter().map(|version| aggregate_version(name, version));
            json!({ "metadata": { "name": name }, "versions": versions.collect::<Vec<Value>>() })
        })
        .collect();
    json!({ "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items })
}

fn aggregate_version(group: &str, version: &str) -> Value {
    let resources: Vec<Value> = members(group, version)
        .map(|r| {
            let kind = json!({ "group": r.group, "version": r.version, "kind": r.kind });
            let below: Vec<Value> = subresources(r)
                .into_iter()
                .map(|(sub, (group, version, kind), verbs)| {
                    let kind = json!({ "group": group, "version": version, "kind": kind });
                    json!({ "subresource": sub, "responseKind": kind, "verbs": verbs })
                })
                .collect();
            json!({
                "resource": r.plural, "responseKind": kind, "singularResource": r.singular, "verbs": r.verbs(),
                "scope": if r.namespaced { "Namespaced" } else { "Cluster" }, "shortNames": r.short,
                "categories": categories(r), "subresources": below,
            })
        })
        .collect();
    json!({ "version": version, "resources": resources, "freshness": "Current" })
}

/// kubectl looks whether a PATCH knows `fieldValidation` and `dryRun`, and `explain` reads the schemas; those of built-in
/// kinds are not described.
fn openapi(group: &str, version: &str) -> Value {
    let parameter = |name: &str| json!({ "name": name, "in": "query", "schema": { "type": "string" } });
    let paths: serde_json::Map<String, Value> = members(group, version)
        .map(|r| {
            let scope = if r.namespaced { "/namespaces/{namespace}" } else { "" };
            let patch = json!({
                "parameters": [parameter("dryRun"), parameter("fieldValidation"), parameter("fieldManager")],
                "x-kubernetes-group-version-kind": { "group": r.group, "version": r.version, "kind": r.kind },
                "responses": { "200": { "description": "OK" } },
            });
            (format!("{}{scope}/{}/{{name}}", r.prefix(), r.plural), json!({ "patch": patch }))
        })
        .collect();
    let schemas: serde_json::Map<String, Value> = members(group, version)
        .map(|r| {
            let mut schema = schemas::schema(r).cloned().unwrap_or_else(|| {
                json!({ "type": "object", "description": format!("{} is not described by the embedded cluster.", r.kind) })
            });
            schema["x-kubernetes-group-version-kind"] =
                json!([{ "group": r.group, "version": r.version, "kind": r.kind }]);
            let group = if r.group.is_empty() { "core" } else { r.group };
            (format!("{group}.{}.{}", r.version, r.kind), schema)
        })
        .collect();
    json!({
        "openapi": "3.0.0", "info": { "title": "Kubernetes", "version": "v1.37.2" }, "paths": paths,
        "components": { "schemas": schemas },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_can_be_discovered_in_both_forms() {
        let (list, form) = discover("/apis", false).unwrap();
        assert!(!form);
        for group in list["groups"].as_array().unwrap() {
            let (resources, _) =
                discover(&format!("/apis/{}", group["preferredVersion"]["groupVersion"].as_str().unwrap()), false)
                    .unwrap();
            assert!(!resources["resources"].as_array().unwrap().is_empty());
        }
        let (scaling, _) = discover("/apis/autoscaling", false).unwrap();
        assert_eq!(
            (&scaling["preferredVersion"]["version"], scaling["versions"].as_array().unwrap().len()),
            (&json!("v2"), 2)
        );
        let (all, form) = discover("/apis", true).unwrap();
        assert!(form && all["items"].as_array().unwrap().len() >= 7);
        assert!(discover("/apis/nothing.example/v1", false).is_none());
        assert!(discover("/openapi/v3/apis/apps/v1", false).unwrap().0["paths"].as_object().unwrap().len() == 4);
    }
}
