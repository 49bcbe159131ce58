//! What an API server serves, before anything of ours is known to be there.

use super::client::ReadClient;
use super::survey::Reader;
use crate::core::Answer;
use futures::future::join;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// Where the product's own kinds are served.
const OURS: &str = "/apis/pilothouse.dev/v1alpha1";
/// Where HTTPRoutes are served.
const GATEWAY_API: &str = "/apis/gateway.networking.k8s.io/v1";
/// Where definitions of kinds are.
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/// The annotation by which the Gateway API's definitions say their release.
const BUNDLE: &str = "gateway.networking.k8s.io/bundle-version";

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The server's version, such as `v1.37.2`.
    pub version: Answer<String>,
    /// How long the first answer took, the connection and the login included.
    pub first: Duration,
    /// How long an answer takes: the median of three.
    pub took: Duration,
    /// The kinds of our group that are served.
    pub ours: Answer<Vec<String>>,
    /// The kinds of the Gateway API that are served.
    pub gateway: Answer<Vec<String>>,
    /// The definitions of our kinds as they are installed.
    pub definitions: Vec<(String, Answer<Value>)>,
    /// The release of the Gateway API that is installed.
    pub bundle: Answer<String>,
}

/// Asks, GET only; all of it takes at most `patience`.
pub async fn probe(client: &ReadClient, patience: Duration) -> Probe {
    let began = Instant::now();
    let reader = Reader { client, end: began + patience };
    let version = reader.get("/version").await.map(|body| body["gitVersion"].as_str().unwrap_or("?").to_owned());
    let first = began.elapsed();
    let mut times = Vec::new();
    if version.value().is_some() {
        for _ in 0..3 {
            let asked = Instant::now();
            let _ = reader.get("/version").await;
            times.push(asked.elapsed());
        }
    }
    times.sort_unstable();
    let took = times.get(1).copied().unwrap_or(first);
    let definition = |name: &'static str| {
        let reader = &reader;
        async move { reader.get(&format!("{DEFINITIONS}/{name}")).await }
    };
    let (ours, gateway) = join(reader.get(OURS), reader.get(GATEWAY_API)).await;
    let (plans, releases) =
        join(definition("rolloutplans.pilothouse.dev"), definition("releases.pilothouse.dev")).await;
    let routes = definition("httproutes.gateway.networking.k8s.io").await;
    Probe {
        version,
        first,
        took,
        ours: ours.map(|body| kinds(&body)),
        gateway: gateway.map(|body| kinds(&body)),
        definitions: vec![("rolloutplans".to_owned(), plans), ("releases".to_owned(), releases)],
        bundle: routes.map(|body| body["metadata"]["annotations"][BUNDLE].as_str().unwrap_or("?").to_owned()),
    }
}

/// Lists the kinds of a discovery document, without subresources.
fn kinds(body: &Value) -> Vec<String> {
    let names = body["resources"].as_array().into_iter().flatten().filter_map(|resource| resource["name"].as_str());
    names.filter(|name| !name.contains('/')).map(str::to_owned).collect()
}
