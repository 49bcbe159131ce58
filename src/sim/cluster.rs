//! The embedded cluster as one thing: started from a scenario, reached by HTTP in the process or on loopback.

use super::api::{Account, Faults, Rights, Server, Store, router};
use super::clock::{Clock, Entropy};
use super::controllers::Workloads;
use super::gateway::Gateway;
use super::scenario::Scenario;
use super::seed;
use super::wire::Traffic;
use crate::model::{Slot, Timestamp};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{self, Next};
use http::header::AUTHORIZATION;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// What the caller decides about an embedded cluster.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// The wall time of the instant at which it starts.
    pub start: Timestamp,
    /// Its name in kubeconfigs.
    pub cluster: String,
    /// The user that in-process clients and the loopback token act as.
    pub user: String,
    /// Where the loopback token comes from, unguessable bytes of the caller's; without them the cluster is not served.
    pub token_seed: Option<[u8; 32]>,
}

/// A running embedded cluster; it ends when this is dropped.
pub struct Sim {
    server: Arc<Server>,
    clock: Arc<Clock>,
    options: SimOptions,
    stop: CancellationToken,
}

/// Where an embedded cluster is served on loopback.
#[derive(Clone, Debug)]
pub struct Served {
    /// The address, such as `http://127.0.0.1:40123`; requests to it need the token.
    pub url: String,
    /// The bearer token.
    pub token: String,
    /// A kubeconfig with both; it is a secret, as the token is.
    pub kubeconfig_yaml: String,
}

/// Lets in who knows the token.
///
/// kubectl never sends a token without TLS, so the token is accepted as the first part of the path as well: the address
/// in the kubeconfig carries it.
struct Guard {
    header: String,
    prefix: String,
    account: Account,
}

impl SimOptions {
    /// Options for a cluster that starts at this wall time and is not served.
    pub fn at(start: Timestamp) -> Self {
        Self { start, cluster: "embedded".into(), user: "demo@embedded".into(), token_seed: None }
    }
}

impl Sim {
    /// Seeds the cluster and starts its controllers on the current tokio runtime; everything in it is Ready at once.
    ///
    /// # Errors
    /// Says which value of the scenario the API server refuses.
    pub fn start(scenario: &Scenario, traffic: Arc<dyn Traffic>, options: SimOptions) -> Result<Self, String> {
        let clock = Arc::new(Clock::new(options.start));
        let store = Arc::new(Store::new(clock.clone(), scenario.seed));
        seed::seed(&store, scenario)
            .map_err(|refused| format!("the embedded cluster refuses the scenario: {}", refused.message))?;
        let mut chance = Entropy::new(scenario.seed ^ 0x6761_7465);
        let timing = &scenario.timing;
        let lag = span(timing.gateway_lag);
        let slots = scenario.apart().into_iter().flat_map(|of| Slot::ALL.map(|slot| (of.app.of_slot(slot), slot)));
        let slots = slots.collect();
        let mut gateway = Gateway::new(store.clone(), traffic.clone(), lag, chance.next());
        let mut workloads = Workloads::new(store.clone(), traffic.clone(), span(timing.pod_start), slots);
        seed::old(&store);
        workloads.settle();
        gateway.settle();
        seed::young(&store);
        let stop = CancellationToken::new();
        tokio::spawn(workloads.run(stop.clone()));
        tokio::spawn(gateway.run(stop.clone()));
        let server = Server { store, traffic, faults: Arc::new(Faults::new()), stop: stop.clone() };
        Ok(Self { server: Arc::new(server), clock, options, stop })
    }

    /// Returns the API server without any authentication: every request acts as the user of the options.
    pub fn router(&self) -> Router {
        self.router_as(Account { user: self.options.user.clone(), rights: Rights::All })
    }

    /// Returns a client in the process, for a default namespace; it works on paused time.
    pub fn client(&self, namespace: &str) -> kube::Client {
        self.client_as(Account { user: self.options.user.clone(), rights: Rights::All }, namespace)
    }

    /// Returns a client in the process that acts as somebody else.
    pub fn client_as(&self, account: Account, namespace: &str) -> kube::Client {
        let service = self.router_as(account).into_service::<Body>();
        let service = service.map_request(|request: http::Request<kube::client::Body>| request.map(Body::new));
        kube::Client::new(service, namespace)
    }

    /// Serves the cluster on a loopback listener, for kubectl and other processes; every request needs the token.
    ///
    /// # Errors
    /// Fails when the listener is not on loopback or the options hold no seed for the token.
    pub fn serve(&self, listener: TcpListener) -> io::Result<Served> {
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the embedded cluster is only served on loopback, not on {address}"),
            ));
        }
        let seed = self.options.token_seed.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "the embedded cluster is not served without a token seed")
        })?;
        let token = token(&seed);
        let account = Account { user: self.options.user.clone(), rights: Rights::All };
        let guard = Arc::new(Guard { header: format!("Bearer {token}"), prefix: format!("/{token}/"), account });
        let guarded =
            router(self.server.clone()).layer(middleware::from_fn(move |mut request: Request, next: Next| {
                guard.admit(&mut request);
                next.run(request)
            }));
        let stop = self.stop.clone();
        tokio::spawn(async move {
            // Watches and requests that wait for ever end with the cluster, so every connection does.
            let served = axum::serve(listener, guarded).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(why) = served.await {
                tracing::error!(%why, "the embedded cluster is no longer served");
            }
        });
        let url = format!("http://{address}");
        let kubeconfig_yaml = self.kubeconfig(&format!("{url}/{token}"), &token)?;
        Ok(Served { url, token, kubeconfig_yaml })
    }

    /// Returns the means to make trouble, and the record of writes.
    pub fn faults(&self) -> &Faults {
        &self.server.faults
    }

    /// Forgets all changes so far: watches that start earlier are answered with 410, as after a compaction.
    pub fn compact(&self) {
        self.server.store.forget();
    }

    /// Returns the cluster's wall time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Ends controllers, watches and servers.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    fn router_as(&self, account: Account) -> Router {
        router(self.server.clone()).layer(middleware::from_fn(move |mut request: Request, next: Next| {
            request.extensions_mut().insert(account.clone());
            next.run(request)
        }))
    }

    fn kubeconfig(&self, url: &str, token: &str) -> io::Result<String> {
        let name = &self.options.cluster;
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{ "name": name, "cluster": { "server": url } }],
            "users": [{ "name": name, "user": { "token": token } }],
            "contexts": [{
                "name": name,
                "context": { "cluster": name, "user": name, "namespace": seed::NAMESPACE },
            }],
        });
        serde_saphyr::to_string(&config).map_err(io::Error::other)
    }
}

impl Guard {
    /// Marks the request with its account if it carries the token, and takes the token out of its path.
    fn admit(&self, request: &mut Request) {
        let by_header = request.headers().get(AUTHORIZATION).is_some_and(|v| v.as_bytes() == self.header.as_bytes());
        let text = request.uri().path_and_query().map(http::uri::PathAndQuery::as_str).unwrap_or_default();
        let rest = text.strip_prefix(&self.prefix).and_then(|rest| format!("/{rest}").parse().ok());
        if by_header || rest.is_some() {
            request.extensions_mut().insert(self.account.clone());
        }
        if let Some(uri) = rest {
            *request.uri_mut() = uri;
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn token(seed: &[u8; 32]) -> String {
    Sha256::digest(seed).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn span(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}
