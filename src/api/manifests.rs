//! The CRDs and the RBAC rules, as values and as YAML.

use super::{Release, RolloutPlan, known_parameters, known_policies};
use kube::CustomResourceExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Names that the printed RBAC rules are limited to.
#[derive(Clone, Debug, Default)]
pub struct RbacNames {
    /// The namespace of the plan.
    pub namespace: String,
    /// The ConfigMap with the customers.
    pub customers: Option<String>,
    /// The Deployments of both slots.
    pub deployments: Vec<String>,
    /// The metrics Service as `scheme:name:port` and its namespace.
    pub metrics: Option<(String, String)>,
}

/// Returns the CRDs of both resources as JSON values.
pub fn crds() -> Vec<Value> {
    [RolloutPlan::crd(), Release::crd()].into_iter().filter_map(|crd| serde_json::to_value(crd).ok()).collect()
}

/// Prints CRDs and RBAC as a YAML stream.
///
/// # Errors
/// Fails only if a manifest cannot be written as YAML.
pub fn manifests(names: &RbacNames) -> Result<String, String> {
    let mut out = String::new();
    for object in crds().into_iter().chain(rbac(names)) {
        out.push_str("---\n");
        out.push_str(&serde_saphyr::to_string(&object).map_err(|e| e.to_string())?);
        if !out.ends_with('\n') {
            out.push('\n');
        }
    }
    Ok(out)
}

fn rbac(names: &RbacNames) -> Vec<Value> {
    let mut viewer = vec![
        rule("pilothouse.dev", &["rolloutplans", "releases"], &["get", "list", "watch"], &[]),
        rule("gateway.networking.k8s.io", &["httproutes", "gateways"], &["get", "list", "watch"], &[]),
        rule("", &["services", "pods", "events"], &["get", "list", "watch"], &[]),
        rule("apps", &["deployments", "replicasets"], &["get", "list", "watch"], &[]),
        rule("discovery.k8s.io", &["endpointslices"], &["get", "list", "watch"], &[]),
        rule("autoscaling", &["horizontalpodautoscalers"], &["get", "list", "watch"], &[]),
        rule("policy", &["poddisruptionbudgets"], &["get", "list", "watch"], &[]),
        rule("keda.sh", &["scaledobjects"], &["get", "list"], &[]),
        rule("coordination.k8s.io", &["leases"], &["get", "list", "watch"], &[]),
    ];
    let customers: Vec<&str> = names.customers.as_deref().into_iter().collect();
    viewer.push(rule("", &["configmaps"], &["get", "list", "watch"], &customers));
    let deployments: Vec<&str> = names.deployments.iter().map(String::as_str).collect();
    let mut operator = viewer.clone();
    operator.extend([
        // Kubernetes cannot limit create by name, so the create verb stands in a rule of its own.
        rule("gateway.networking.k8s.io", &["httproutes"], &["create", "patch", "delete"], &[]),
        rule("apps", &["deployments"], &["patch"], &deployments),
        rule(
            "pilothouse.dev",
            &["rolloutplans/status", "releases", "releases/status"],
            &["create", "patch", "update"],
            &[],
        ),
        rule("coordination.k8s.io", &["leases"], &["create", "patch", "update", "delete"], &[]),
        rule("", &["configmaps"], &["create"], &[]),
    ]);
    let break_glass = vec![rule("gateway.networking.k8s.io", &["httproutes"], &["get", "list", "patch"], &[])];
    let mut objects = vec![
        role("pilothouse-viewer", &names.namespace, viewer),
        role("pilothouse-operator", &names.namespace, operator),
        role("pilothouse-break-glass", &names.namespace, break_glass),
        cluster_role(),
    ];
    if let Some((service, namespace)) = &names.metrics {
        // The proxy is asked for the full name, and a right is given for exactly the name that is asked for.
        let full = if service.split(':').count() == 2 { format!("http:{service}") } else { service.clone() };
        objects.push(role("pilothouse-metrics", namespace, vec![rule("", &["services/proxy"], &["get"], &[&full])]));
    }
    objects
}

fn rule(group: &str, resources: &[&str], verbs: &[&str], names: &[&str]) -> Value {
    let mut rule = json!({ "apiGroups": [group], "resources": resources, "verbs": verbs });
    if !names.is_empty() {
        rule["resourceNames"] = json!(names);
    }
    rule
}

fn role(name: &str, namespace: &str, rules: Vec<Value>) -> Value {
    let mut metadata = json!({ "name": name });
    if !namespace.is_empty() {
        metadata["namespace"] = json!(namespace);
    }
    json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules })
}

/// What can only be granted cluster-wide, and what may live in other namespaces; optional, without it the checks say "not
/// checked". Nothing in it can be written.
fn cluster_role() -> Value {
    let mut rules = vec![
        rule("gateway.networking.k8s.io", &["gatewayclasses", "gateways"], &["get", "list", "watch"], &[]),
        rule("apiextensions.k8s.io", &["customresourcedefinitions"], &["get", "list"], &[]),
    ];
    let mut by_group: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for kind in known_policies().map(|policy| policy.of).chain(known_parameters()) {
        by_group.entry(kind.group).or_default().push(kind.plural);
    }
    rules.extend(by_group.into_iter().map(|(group, kinds)| rule(group, &kinds, &["get", "list"], &[])));
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": "pilothouse-cluster-viewer" },
        "rules": rules,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crds_have_a_status_subresource_and_useful_columns() {
        for crd in crds() {
            let version = &crd["spec"]["versions"][0];
            assert!(version["subresources"]["status"].is_object(), "{crd}");
            assert!(version["additionalPrinterColumns"].as_array().is_some_and(|c| c.len() >= 4));
            assert_eq!(version["schema"]["openAPIV3Schema"]["type"], "object");
        }
    }

    #[test]
    fn only_the_operator_may_write_and_a_viewer_never() {
        let objects =
            rbac(&RbacNames { namespace: "shop".into(), deployments: vec!["x".into()], ..RbacNames::default() });
        let verbs = |name: &str| -> Vec<String> {
            let role = objects.iter().find(|o| o["metadata"]["name"] == name).expect("role");
            role["rules"]
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(|r| r["verbs"].as_array().cloned().unwrap_or_default())
                .filter_map(|v| v.as_str().map(str::to_owned))
                .collect()
        };
        assert!(verbs("pilothouse-viewer").iter().all(|v| ["get", "list", "watch"].contains(&v.as_str())));
        assert!(verbs("pilothouse-operator").contains(&"patch".to_owned()));
        assert!(!verbs("pilothouse-break-glass").contains(&"delete".to_owned()));
    }

    #[test]
    fn everything_a_survey_asks_for_can_be_granted() {
        let objects = rbac(&RbacNames::default());
        let granted = |group: &str, plural: &str| {
            let rules = objects.iter().flat_map(|o| o["rules"].as_array().into_iter().flatten());
            rules.into_iter().any(|rule| {
                let holds = |key: &str, item: &str| rule[key].as_array().is_some_and(|all| all.contains(&json!(item)));
                holds("apiGroups", group)
                    && holds("resources", plural)
                    && holds("verbs", "get")
                    && holds("verbs", "list")
            })
        };
        for kind in known_policies().map(|policy| policy.of).chain(known_parameters()) {
            assert!(granted(kind.group, kind.plural), "{}", kind.plural);
        }
        for (group, plural) in [
            ("gateway.networking.k8s.io", "gatewayclasses"),
            ("gateway.networking.k8s.io", "gateways"),
            ("apiextensions.k8s.io", "customresourcedefinitions"),
            ("policy", "poddisruptionbudgets"),
            ("keda.sh", "scaledobjects"),
        ] {
            assert!(granted(group, plural), "{plural}");
        }
    }

    #[test]
    fn the_right_to_the_metrics_service_is_for_the_name_that_is_asked_for() {
        for (given, full) in [("prometheus:9090", "http:prometheus:9090"), ("https:p:web", "https:p:web")] {
            let names = RbacNames { metrics: Some((given.into(), "monitoring".into())), ..RbacNames::default() };
            let objects = rbac(&names);
            let role = objects.iter().find(|o| o["metadata"]["name"] == "pilothouse-metrics").expect("role");
            assert_eq!(role["rules"][0]["resourceNames"], json!([full]));
        }
    }

    #[test]
    fn the_printed_stream_reads_back() {
        let text = manifests(&RbacNames::default()).expect("yaml");
        assert_eq!(text.matches("\n---\n").count() + 1, 6);
    }
}
