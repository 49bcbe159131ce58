//! The pod that Envoy Gateway asks for: the real Envoy with the arguments and certificates of its Deployment.

use super::kubelet::Inner;
use super::{get, with_mounts};
use crate::behaviours::rest::Rest;
use color_eyre::eyre::{Result, bail, eyre};
use k8s_openapi::api::core::v1::{ConfigMap, EnvVar, Pod, Secret};
use kube::{Api, ResourceExt};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The name Envoy looks its control plane up by, trailing dot included; there is no cluster DNS.
const CONTROL_PLANE: &str = "envoy-gateway.envoy-gateway-system.svc.cluster.local.";

/// Where Envoy says that it is ready.
const READY: &str = "127.0.0.1:19003";

/// Whether a pod is Envoy Gateway's proxy.
pub fn is_proxy(pod: &Pod) -> bool {
    pod.labels().get("app.kubernetes.io/name").is_some_and(|name| name == "envoy")
        && pod.labels().get("app.kubernetes.io/managed-by").is_some_and(|by| by == "envoy-gateway")
}

/// Starts Envoy and waits until it is ready; returns the name the supervisor knows it by.
pub async fn start(inner: &Inner, pod: &Pod) -> Result<String> {
    let name = pod.name_any();
    let home = inner.run.join(&name);
    let namespace = pod.namespace().unwrap_or_default();
    secret_files(&inner.rest, &namespace, "envoy", &home.join("certs")).await?;
    fs::create_dir_all(home.join("sds"))?;
    let config: ConfigMap =
        Api::namespaced(inner.rest.client.clone(), &namespace).get(&sds_config_map(pod).unwrap_or_default()).await?;
    for (file, text) in config.data.unwrap_or_default() {
        fs::write(home.join("sds").join(file), text)?;
    }
    let mut command = with_mounts(&home, &inner.bin.join("envoy"));
    // Hot restart would share memory with the Envoys of other runs on this machine.
    command.args(arguments(pod)?).args(["--concurrency", "2", "--disable-hot-restart"]);
    inner.supervisor.spawn(&name, command)?;
    let begun = Instant::now();
    while get(READY, "/ready").await.is_err() {
        if begun.elapsed() > Duration::from_secs(30) || !inner.supervisor.alive(&name)? {
            bail!("envoy did not become ready; see {name}.log");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(name)
}

/// Writes a Secret's values as files.
pub async fn secret_files(rest: &Rest, namespace: &str, name: &str, folder: &Path) -> Result<()> {
    let secret: Secret = Api::namespaced(rest.client.clone(), namespace).get(name).await?;
    fs::create_dir_all(folder)?;
    for (file, bytes) in secret.data.unwrap_or_default() {
        fs::write(folder.join(file), bytes.0)?;
    }
    Ok(())
}

fn sds_config_map(pod: &Pod) -> Option<String> {
    let volumes = pod.spec.as_ref()?.volumes.as_ref()?;
    volumes.iter().find(|volume| volume.name == "sds")?.config_map.as_ref().map(|map| map.name.clone())
}

fn arguments(pod: &Pod) -> Result<Vec<String>> {
    let containers = pod.spec.as_ref().map(|spec| &spec.containers).into_iter().flatten();
    let envoy = containers
        .into_iter()
        .find(|container| container.name == "envoy")
        .ok_or_else(|| eyre!("the proxy pod has no container envoy"))?;
    let variables: Vec<(String, String)> =
        envoy.env.iter().flatten().map(|variable| (format!("$({})", variable.name), value(pod, variable))).collect();
    let mut arguments = Vec::new();
    for argument in envoy.args.iter().flatten() {
        let mut argument = argument.replace(CONTROL_PLANE, "127.0.0.1");
        for (name, value) in &variables {
            argument = argument.replace(name, value);
        }
        if argument != "--cpuset-threads" {
            arguments.push(argument);
        }
    }
    Ok(arguments)
}

fn value(pod: &Pod, variable: &EnvVar) -> String {
    if let Some(value) = &variable.value {
        return value.clone();
    }
    let field = variable.value_from.as_ref().and_then(|from| from.field_ref.as_ref()).map(|field| &*field.field_path);
    match field {
        Some("metadata.name") => pod.name_any(),
        Some("metadata.namespace") => pod.namespace().unwrap_or_default(),
        // Addresses and zones are of no use here.
        _ => String::new(),
    }
}
