//! Rights, customers and the plan itself.

use super::copies::{comment, yaml};
use super::metrics::Slots;
use super::{Adopt, Ground};
use crate::api::{RbacNames, RingSpec, RolloutPlanSpec, check_plan};
use crate::model::{Customer, Finding, resolve};
use serde_json::{Value, json};

/// The rings a plan begins with, each as it stands in the file.
const RINGS: [&str; 3] = [
    "{name: internal, select: {tier: internal}, bake: 10m}",
    "{name: early, share: 10%, waves: [50%, 100%], bake: 15m}",
    "{name: main, rest: true, waves: [10%, 50%, 100%], bake: 30m}   # approval: required asks somebody else",
];

/// Which of [`RINGS`] are tried, in this order, with customers that are known: no ring may be empty.
const CHOICES: [&[usize]; 4] = [&[0, 1, 2], &[1, 2], &[0, 2], &[2]];

/// An example list: nobody is in it.
const EXAMPLE: &str = r#"data:
  customers.yaml: |
    # One line per customer. id is what the request header carries; rings select by tier, region and labels.
    # - {id: acme,   name: Acme Ltd,   tier: internal, region: weu}
    # - {id: globex, name: Globex AG,  tier: gold,     region: neu, labels: {contract: early-access}}
    []
"#;

/// Writes the custom resources and the rights, limited to the names of this adoption.
pub(super) fn manifests(ground: &Ground<'_>) -> Result<String, String> {
    let component = ground.component();
    crate::api::manifests(&RbacNames {
        namespace: ground.ask.namespace.clone(),
        customers: Some(customers_name(ground.ask)),
        deployments: vec![component.a.deployment, component.b.deployment],
        metrics: ground.ask.metrics_service.clone().filter(|_| ground.ask.metrics_url.is_none()),
    })
}

/// Writes the ConfigMap with the customers, or with an example.
pub(super) fn customers(ask: &Adopt) -> Result<String, String> {
    let metadata = json!({ "name": customers_name(ask), "namespace": ask.namespace });
    let head = comment(&format!("Who the customers are: the values of request header {}.", ask.header));
    let Some(list) = &ask.customers else {
        let object = yaml(&json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata }))?;
        return Ok(format!("{head}{object}{EXAMPLE}"));
    };
    let lines: Result<String, serde_json::Error> =
        list.iter().map(|customer| serde_json::to_string(customer).map(|line| format!("- {line}\n"))).collect();
    let data = json!({ "customers.yaml": lines.map_err(|error| error.to_string())? });
    let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data });
    Ok(format!("{head}{}", yaml(&object)?))
}

/// Writes the plan.
///
/// # Errors
/// Fails when the plan would be refused, with the findings; then a name is one that no plan can hold.
pub(super) fn plan(ground: &Ground<'_>, slots: &Slots) -> Result<String, String> {
    let (ask, component) = (ground.ask, ground.component());
    let rings: Vec<String> = rings(ask).iter().map(|ring| format!("    - {ring}\n")).collect();
    let text = format!(
        r#"# Who goes when, what must hold, and where metrics come from. The figures are a beginning: read each of them.
apiVersion: pilothouse.dev/v1alpha1
kind: RolloutPlan
metadata: {{name: {plan}, namespace: {namespace}}}
spec:
  environment: prod   # prod asks for a typed word before each step; stage and dev ask for y
  components:
    - name: web
      route: {route}
      a: {{deployment: {a}, service: {sa}}}
      b: {{deployment: {b}, service: {sb}}}
  deploy: {{by: pilothouse, container: {container}}}   # or {{by: pipeline}}: your pipeline puts the version into the idle slot
  customers:
    identifiedBy: {{header: {header}}}
    from: {{configMap: {customers}}}
  rings:   # in order; a customer belongs to the first ring that takes it
{rings}  promote: {{bake: 15m}}
  gates:
    - {{name: errors, kind: errorRatio, max: 1%, for: 5m, minRequests: 100}}
    - {{name: p99, kind: latency, quantile: 0.99, max: 500ms, for: 5m}}   # today's p99 with some room
    - {{name: restarts, kind: restarts, max: 0}}
  drain:   # reconnect instead of wait: the application closes these cleanly on SIGTERM and clients come back
    quiet: 30s
    patience: 10m
    kinds: {{http: wait, stream: wait, job: wait, ws: wait}}
  metrics:
    profile: app   # what the application has to export is in 60-metrics.md
{source}{labels}"#,
        plan = quoted(&ask.plan),
        namespace = quoted(&ask.namespace),
        route = quoted(&component.route),
        a = quoted(&component.a.deployment),
        sa = quoted(&component.a.service),
        b = quoted(&component.b.deployment),
        sb = quoted(&component.b.service),
        container = quoted(container(ground)),
        header = quoted(&ask.header),
        customers = quoted(&customers_name(ask)),
        rings = rings.concat(),
        source = source(ask),
        labels = labels(slots),
    );
    accepted(ask, &text)?;
    Ok(text)
}

/// Returns the container whose image is the version: the one the Service sends to, else the first.
pub(super) fn container<'a>(ground: &Ground<'a>) -> &'a str {
    let ports: Vec<&Value> =
        ground.service["spec"]["ports"].as_array().into_iter().flatten().map(|port| &port["targetPort"]).collect();
    let listens = |container: &&Value| {
        let own = container["ports"].as_array().into_iter().flatten();
        own.into_iter()
            .any(|port| ports.iter().any(|target| **target == port["name"] || **target == port["containerPort"]))
    };
    let containers = ground.containers();
    let found = containers.iter().find(listens).or(containers.first());
    found.and_then(|container| container["name"].as_str()).unwrap_or_default()
}

/// Returns the name of the ConfigMap with the customers.
pub(super) fn customers_name(ask: &Adopt) -> String {
    format!("{}-customers", ask.plan)
}

fn rings(ask: &Adopt) -> Vec<&'static str> {
    let of = |choice: &[usize]| -> Vec<&'static str> { choice.iter().filter_map(|i| RINGS.get(*i).copied()).collect() };
    let all = || of(CHOICES[0]);
    let Some(list) = ask.customers.as_ref().filter(|list| !list.is_empty()) else { return all() };
    CHOICES.iter().map(|choice| of(choice)).find(|rings| takes_all(ask, rings, list)).unwrap_or_else(all)
}

/// Tells whether no ring is empty with these customers.
fn takes_all(ask: &Adopt, rings: &[&str], customers: &[Customer]) -> bool {
    let read: Result<Vec<RingSpec>, _> = rings.iter().map(|ring| serde_saphyr::from_str(ring)).collect();
    let Ok(specs) = read else { return false };
    let spec = json!({
        "components": [{ "name": "web", "route": "r", "a": { "deployment": "a", "service": "a" },
                         "b": { "deployment": "b", "service": "b" } }],
        "customers": { "identifiedBy": { "header": "h" }, "from": { "configMap": "c" } },
        "rings": specs,
    });
    let checked = serde_json::from_value::<RolloutPlanSpec>(spec).ok();
    let plan = checked.and_then(|spec| check_plan(&ask.plan, &ask.namespace, &spec).ok());
    plan.is_some_and(|plan| resolve(&ask.plan, &plan.rings, customers).is_ok())
}

fn source(ask: &Adopt) -> String {
    match (&ask.metrics_url, &ask.metrics_service) {
        (Some(url), _) => format!("    source: {{url: {}}}\n", quoted(url)),
        (None, Some((service, namespace))) => format!(
            "    source: {{service: {}, namespace: {}}}   # through the API server's proxy\n",
            quoted(service),
            quoted(namespace)
        ),
        (None, None) => {
            let hints = [
                "source is missing: without one nothing can be verified and no drain proven. One of:",
                "source: {service: \"prometheus-operated:9090\", namespace: monitoring}   # through the API server",
                "source: {url: \"https://prometheus.example\", auth: {kind: bearer-file, path: /run/secrets/token}}",
                "source:   # Azure Monitor managed Prometheus: the workspace's query endpoint",
                "  url: \"https://WORKSPACE.REGION.prometheus.monitor.azure.com\"",
                "  auth: {kind: exec, command: [az, account, get-access-token, --resource, \"https://prometheus.monitor.azure.com\", --query, accessToken, -o, tsv]}",
            ];
            hints.iter().map(|hint| format!("    {}", comment(hint))).collect()
        }
    }
}

fn labels(slots: &Slots) -> String {
    match slots {
        Slots::Relabelled => "    # slot a's pods carry no label pilothouse.dev/slot yet: 60-metrics.md says what writes the target label slot\n".to_owned(),
        Slots::Mapped { label, values: [a, b], by } => format!(
            "    {}    labels: {{slot: {label}, slot.a: {}, slot.b: {}}}\n",
            comment(&format!("{by} tells the slots apart, so slot a needs no new label and no restart")),
            quoted(a),
            quoted(b)
        ),
    }
}

fn accepted(ask: &Adopt, text: &str) -> Result<(), String> {
    let object: Value = serde_saphyr::from_str(text).map_err(|error| format!("50-plan.yaml: {error}"))?;
    let spec: RolloutPlanSpec =
        serde_json::from_value(object["spec"].clone()).map_err(|error| format!("50-plan.yaml: {error}"))?;
    check_plan(&ask.plan, &ask.namespace, &spec).map(drop).map_err(|findings: Vec<Finding>| {
        findings.iter().map(|finding| finding.text.clone()).collect::<Vec<_>>().join("; ")
    })
}

/// Quotes a name for YAML, of which JSON is a part: a name of digits is a name.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
