//! `manifests`: custom resources and rights as YAML.

use super::code::{Code, Failure};
use crate::api::{self, RbacNames, RolloutPlanSpec, check_plan};
use crate::model::MetricsEndpoint;

/// Prints the manifests; with a plan's file, the rights name what it names.
pub(super) fn print(plan_file: Option<&str>, namespace: Option<&str>) -> Result<String, Failure> {
    let names = match plan_file {
        Some(path) => names_of(path)?,
        None => RbacNames { namespace: namespace.unwrap_or("default").to_owned(), ..RbacNames::default() },
    };
    api::manifests(&names).map_err(|why| Failure::new(Code::Fault, format!("write the manifests: {why}")))
}

fn names_of(path: &str) -> Result<RbacNames, Failure> {
    let wrong = |why: String| Failure::new(Code::Configuration, format!("read the plan in {path}: {why}"));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let object: serde_json::Value = serde_saphyr::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let spec: RolloutPlanSpec = serde_json::from_value(object["spec"].clone()).map_err(|e| wrong(e.to_string()))?;
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let plan = check_plan(name, namespace, &spec).map_err(|findings| {
        let lines: Vec<String> = findings.iter().map(|finding| format!("  {finding}")).collect();
        wrong(format!("it would be refused:\n{}", lines.join("\n")))
    })?;
    Ok(RbacNames {
        namespace: namespace.to_owned(),
        customers: match &plan.customers {
            crate::model::CustomerSource::ConfigMap(name) => Some(name.clone()),
            crate::model::CustomerSource::Inline(_) => None,
        },
        deployments: vec![plan.component.a.deployment.clone(), plan.component.b.deployment.clone()],
        metrics: match plan.metrics.endpoint {
            MetricsEndpoint::ServiceProxy { service, namespace } => Some((service, namespace)),
            MetricsEndpoint::Url(_) | MetricsEndpoint::None => None,
        },
    })
}
