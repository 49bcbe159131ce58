//! The embedded server, with nothing running in it that could touch the objects of the behaviours.

use super::rest::Rest;
use color_eyre::eyre::{Result, eyre};
use pilothouse::sim::{LivePod, Scenario, Sim, SimOptions, Traffic};
use serde_json::{Value, json};
use std::sync::Arc;

/// The namespace in which either server is asked.
pub const NAMESPACE: &str = "behaviours";

/// Starts an embedded server that has forgotten how it came to be, as a real one has after a while.
pub async fn start() -> Result<(Sim, Rest)> {
    let scenario: Scenario = toml::from_str("version = 1\ntitle = \"behaviours\"\nseed = 7\n")?;
    let sim = Sim::start(&scenario, Arc::new(Still), SimOptions::at("2026-01-01T00:00:00Z".parse()?))
        .map_err(|why| eyre!("the embedded cluster does not start: {why}"))?;
    sim.compact();
    let rest = Rest::new(sim.client(NAMESPACE));
    make_namespace(&rest).await?;
    Ok((sim, rest))
}

/// Makes the namespace in which a server is asked.
pub async fn make_namespace(rest: &Rest) -> Result<()> {
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
    rest.post("/api/v1/namespaces", &namespace).await?.ok()?;
    Ok(())
}

/// No traffic at all.
struct Still;

impl Traffic for Still {
    fn routes(&self, _: Vec<Value>) {}

    fn pods(&self, _: Vec<LivePod>) {}

    fn open_work(&self, _: &str) -> u64 {
        0
    }

    fn kill(&self, _: &str) -> u64 {
        0
    }

    fn prometheus(&self, _: &str, _: &str) -> (u16, Value) {
        (503, json!({ "status": "error", "errorType": "unavailable", "error": "nothing is measured here" }))
    }
}
