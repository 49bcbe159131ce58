//! The cluster on loopback, in real time.

use super::super::{Sim, SimOptions};
use super::{api_of, rig, scenario};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::net::TcpListener;

async fn client(kubeconfig: &str) -> kube::Client {
    let config = Kubeconfig::from_yaml(kubeconfig).unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    kube::Client::try_from(config).unwrap()
}

#[tokio::test]
async fn only_the_token_opens_the_door_and_the_kubeconfig_has_it() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let rig = rig();
    let served = rig.sim.serve(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
    assert_eq!(served.token.len(), 64);
    let known = client(&served.kubeconfig_yaml).await;
    assert_eq!(api_of(&known, "HTTPRoute").get("trackx").await.unwrap().metadata.name.unwrap(), "trackx");
    assert_eq!(known.apiserver_version().await.unwrap().major, "1");
    let stranger = client(&served.kubeconfig_yaml.replace(&served.token, "wrong")).await;
    let status = super::refusal(api_of(&stranger, "HTTPRoute").get("trackx").await);
    assert_eq!((status.code, status.reason.as_str()), (401, "Unauthorized"));
    drop(rig);
    // A request that is already under way may still be answered.
    let closed = async {
        while api_of(&known, "HTTPRoute").get("trackx").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), closed).await.expect("the door closes");
}

#[tokio::test]
async fn the_token_is_taken_from_the_header_or_from_the_path_and_never_reaches_the_record() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let rig = rig();
    let served = rig.sim.serve(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
    let ask = async |base: String, token: Option<&str>| {
        let request = reqwest::Client::new().delete(format!("{base}/api/v1/namespaces/trackx/configmaps/x"));
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(served.url.clone(), None).await, 401);
    assert_eq!(ask(served.url.clone(), Some(&served.token)).await, 404);
    assert_eq!(ask(format!("{}/{}", served.url, served.token), None).await, 404);
    assert_eq!(ask(format!("{}/{}", served.url, "0".repeat(64)), None).await, 401);
    assert!(rig.sim.faults().writes().iter().all(|w| w.path == "/api/v1/namespaces/trackx/configmaps/x"));
}

#[tokio::test]
async fn the_cluster_is_served_on_loopback_only_and_never_with_a_token_anybody_could_guess() {
    let rig = rig();
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    assert!(rig.sim.serve(listener).unwrap_err().to_string().contains("loopback"));
    let unseeded = SimOptions::at("2026-11-23T10:00:00Z".parse().unwrap());
    let sim = Sim::start(&scenario(), rig.traffic.clone(), unseeded).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert!(sim.serve(listener).unwrap_err().to_string().contains("token seed"));
}

#[tokio::test]
async fn every_answer_carries_the_clusters_time() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let rig = rig();
    let served = rig.sim.serve(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
    let client = client(&served.kubeconfig_yaml).await;
    let request = http::Request::get("/version").body(kube::client::Body::empty()).unwrap();
    let response = client.send(request).await.unwrap();
    let date = response.headers()["date"].to_str().unwrap();
    assert!(date.starts_with("Mon, 23 Nov 2026 10:0"), "{date}");
}
