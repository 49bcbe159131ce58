//! What is read and not applied: the metrics the application owes, and what GitOps tools must leave alone.

use super::Ground;
use super::kinds::kept_by;
use super::metrics::Slots;
use super::plan::container;
use crate::api::profile_names;
use serde_json::Value;

/// Writes the metrics contract, and how the slots are told apart.
pub(super) fn metrics(ground: &Ground<'_>, slots: &Slots) -> String {
    let Some(names) = profile_names("app") else { return String::new() };
    let how = match slots {
        Slots::Mapped { label, values: [a, b], by } => format!(
            "{by} gives every target the label `{label}`: `{a}` for slot a and, by its twin in 20-slot-b.yaml, `{b}` for slot b.\n\
             The plan maps `slot` to it, so nothing has to change and nothing restarts.\n"
        ),
        Slots::Relabelled => format!(
            "No ServiceMonitor or PodMonitor was found that tells the slots apart, so a relabelling has to write the target\n\
             label `slot`. Slot a's pods carry no label `pilothouse.dev/slot` yet (it would restart them; they get it with their\n\
             next version), so the rule falls back to slot a:\n\n\
             ```yaml\n\
             relabel_configs:\n\
             \x20 - {{target_label: slot, replacement: a}}   # in the job that scrapes Deployment {}\n\
             \x20 - source_labels: [__meta_kubernetes_pod_label_pilothouse_dev_slot]\n\
             \x20   regex: (a|b)\n\
             \x20   target_label: slot\n\
             \x20 - {{source_labels: [__meta_kubernetes_namespace], target_label: namespace}}\n\
             \x20 - {{source_labels: [__meta_kubernetes_pod_name], target_label: pod}}\n\
             ```\n\n\
             In a PodMonitor the same two rules are `relabelings` with `targetLabel` and `sourceLabels`.\n",
            ground.ask.deployment
        ),
    };
    format!(
        "# Metrics\n\n\
         What the application exports, per pod. Other names can be mapped in the plan (`metrics.names`, `metrics.labels`).\n\n\
         | metric | is |\n|---|---|\n\
         | `{started}{{{customer}}}` | counter, at the start of a request |\n\
         | `{finished}{{{customer},{code}}}` | counter, at its end; {code} = HTTP status, or `cut` |\n\
         | `{duration}_bucket{{le}}` | histogram, without a customer label |\n\
         | `{inflight}{{{kind}}}` | gauge of open work: `http`, `stream`, `ws`, `job`; every kind is exported, 0 as well |\n\
         | `{by_customer}{{{customer}}}` | gauge of a customer's open work, only while above 0 |\n\
         | `{oldest}` | gauge, seconds; 0 when nothing is open |\n\n\
         `{started}` and `{inflight}` decide about drain: a counter that is missing is not a zero, and a slot whose pods do not\n\
         export them is never proven to be drained.\n\n\
         Each target carries the labels `{namespace}` and `{pod}`, and one that names the slot.\n\n\
         ## How the slots are told apart\n\n{how}\n\
         ## To see whether it is there\n\n\
         ```\n\
         count by ({pod}) ({inflight}{{{namespace}=\"{own}\"}})      # one line per pod\n\
         sum by ({customer}) (increase({started}{{{namespace}=\"{own}\"}}[5m]))\n\
         ```\n\n\
         `pilothouse doctor` asks the same and names what is missing.\n",
        started = names.started,
        finished = names.finished,
        duration = names.duration,
        inflight = names.inflight,
        by_customer = names.inflight_by_customer,
        oldest = names.oldest,
        namespace = names.label_namespace,
        pod = names.label_pod,
        customer = names.label_customer,
        code = names.label_code,
        kind = names.label_kind,
        own = ground.ask.namespace,
    )
}

/// Writes which fields GitOps tools must leave alone, for exactly the objects of this adoption.
pub(super) fn gitops(ground: &Ground<'_>, patch: &[Value]) -> String {
    let component = ground.component();
    let (route, name) = (&component.route, container(ground));
    let keepers: Vec<String> = [ground.deployment, ground.service, ground.route]
        .into_iter()
        .filter_map(|object| {
            kept_by(object).map(|tool| format!("- {} is kept by {tool}.", super::called(object, &ground.ask.namespace)))
        })
        .collect();
    let keepers = if keepers.is_empty() {
        "No mark of Argo CD, Flux or Helm was found on the Deployment, the Service and the route. If a pipeline applies them,\n\
         it must keep the fields below as they are in the cluster.\n"
            .to_owned()
    } else {
        format!(
            "{}\n\nPut what 20-slot-b.yaml and 30-route.patch.json add into that source as well: the next sync would remove a second\n\
             backend that only the cluster has, in the middle of a release.\n",
            keepers.join("\n")
        )
    };
    let index = ground.containers().iter().position(|one| one["name"] == name).unwrap_or(0);
    let paths: String = deployment_paths(index).iter().map(|path| format!("        - {path}\n")).collect();
    let weights: String = weight_paths(ground, patch).iter().map(|path| format!("        - {path}\n")).collect();
    let argo: String = [&component.a.deployment, &component.b.deployment]
        .into_iter()
        .map(|deployment| {
            format!(
                "    - group: apps\n      kind: Deployment\n      name: {deployment}\n      jsonPointers:\n{}",
                deployment_paths(index).iter().map(|path| format!("        - {path}\n")).collect::<String>()
            )
        })
        .collect();
    format!(
        "# GitOps\n\n\
         A release changes these fields, and a tool that puts them back in the middle of one moves customers behind its back\n\
         (it is then stopped as drifted):\n\n\
         - HTTPRoute {route}: the weights of its two slots, and the annotations `pilothouse.dev/fence` and `pilothouse.dev/undo`\n\
         - Deployments {a} and {b}: replicas, the image of container {name}, the label `app.kubernetes.io/version`, in the pod\n\
         \x20 template also `pilothouse.dev/slot`, and the annotation `pilothouse.dev/fence`\n\n\
         Managed routes (`{route}-ph-...`), Releases and the Lease are made and removed by a release; they carry no tracking\n\
         label, so no tool prunes them.\n\n\
         {keepers}\n\
         ## Argo CD\n\n\
         ```yaml\n\
         spec:\n\
         \x20 ignoreDifferences:\n\
         \x20   - group: gateway.networking.k8s.io\n\
         \x20     kind: HTTPRoute\n\
         \x20     name: {route}\n\
         \x20     jqPathExpressions:\n\
         \x20       - .spec.rules[].backendRefs[]?.weight\n\
         \x20       - .metadata.annotations.\"pilothouse.dev/fence\"\n\
         \x20       - .metadata.annotations.\"pilothouse.dev/undo\"\n\
         {argo}\
         \x20 syncPolicy:\n\
         \x20   syncOptions:\n\
         \x20     - RespectIgnoreDifferences=true   # without it a sync writes the fields all the same\n\
         ```\n\n\
         ## Flux\n\n\
         In the Kustomization (`spec.ignore`), or in a HelmRelease under `spec.driftDetection.ignore`:\n\n\
         ```yaml\n\
         \x20 ignore:\n\
         \x20   - target: {{kind: HTTPRoute, name: {route}}}\n\
         \x20     paths:\n\
         {weights}\
         \x20       - /metadata/annotations/pilothouse.dev~1fence\n\
         \x20       - /metadata/annotations/pilothouse.dev~1undo\n\
         \x20   - target: {{kind: Deployment, name: \"{a}|{b}\"}}\n\
         \x20     paths:\n\
         {paths}\
         ```\n\n\
         A Flux without `spec.ignore` can be kept off an object by its annotation\n\
         `kustomize.toolkit.fluxcd.io/ssa: IfNotPresent`; then nothing of it comes from Git any more.\n",
        a = component.a.deployment,
        b = component.b.deployment,
    )
}

fn deployment_paths(container: usize) -> [String; 6] {
    [
        "/spec/replicas".to_owned(),
        format!("/spec/template/spec/containers/{container}/image"),
        "/metadata/labels/app.kubernetes.io~1version".to_owned(),
        "/spec/template/metadata/labels/app.kubernetes.io~1version".to_owned(),
        "/spec/template/metadata/labels/pilothouse.dev~1slot".to_owned(),
        "/metadata/annotations/pilothouse.dev~1fence".to_owned(),
    ]
}

/// Lists the weights of the slots as they stand in the route once it is patched.
fn weight_paths(ground: &Ground<'_>, patch: &[Value]) -> Vec<String> {
    let component = ground.component();
    let mut route = ground.route.clone();
    let read: Result<json_patch::Patch, _> = serde_json::from_value(Value::Array(patch.to_vec()));
    if !read.is_ok_and(|patch| json_patch::patch(&mut route, &patch).is_ok()) {
        return Vec::new();
    }
    let mut paths = Vec::new();
    for (rule, value) in route["spec"]["rules"].as_array().into_iter().flatten().enumerate() {
        for (index, backend) in value["backendRefs"].as_array().into_iter().flatten().enumerate() {
            if backend["name"].as_str().is_some_and(|service| component.slot_of_service(service).is_some()) {
                paths.push(format!("/spec/rules/{rule}/backendRefs/{index}/weight"));
            }
        }
    }
    paths
}
