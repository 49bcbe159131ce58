//! The second gateway: Contour with its Envoy, both programs of the supervisor. It makes no pods.

use super::{Cluster, get, wait};
use crate::objects;
use color_eyre::eyre::{Result, bail};
use std::process::Command;

/// Where Contour says that it is healthy.
const HEALTH: &str = "127.0.0.1:8010";
/// Where its Envoy says that it is ready, and what it counts.
pub const ENVOY: &str = "127.0.0.1:8002";
/// Kinds of routes that are not in the standard channel; Contour ends when it cannot watch them.
const ABSENT: [&str; 3] = ["tlsroutes", "tcproutes", "backendtlspolicies"];

impl Cluster {
    /// Starts Contour once its kinds are served: it ends by itself when they are not.
    pub(super) async fn start_contour(&self) -> Result<()> {
        wait("the kinds of Contour", || async { self.rest.get("/apis/projectcontour.io/v1").await?.ok() }).await?;
        let mut contour = Command::new(self.bin.join("contour"));
        contour.arg("serve").arg(super::flag("kubeconfig", &self.run.join("admin.conf")));
        contour.arg(super::flag("config-path", &self.write("contour.yaml", &objects::contour())?));
        contour.args([
            "--insecure",
            "--xds-address=127.0.0.1",
            "--xds-port=8001",
            "--http-address=127.0.0.1",
            "--http-port=8010",
            "--health-address=127.0.0.1",
            "--health-port=8010",
            "--debug-http-address=127.0.0.1",
            "--stats-address=127.0.0.1",
            "--ingress-status-address=127.0.0.1",
            "--disable-leader-election",
        ]);
        contour.args(ABSENT.map(|kind| format!("--disable-feature={kind}")));
        self.supervisor.spawn("contour", contour)
    }

    /// Starts its Envoy and waits until both are ready.
    pub(super) async fn start_contours_envoy(&self) -> Result<()> {
        wait("contour", || get(HEALTH, "/healthz")).await?;
        let config = self.run.join("envoy.json");
        let output = tokio::process::Command::new(self.bin.join("contour"))
            .arg("bootstrap")
            .arg(&config)
            .args(["--xds-address=127.0.0.1", "--xds-port=8001", "--xds-resource-version=v3", "--dns-lookup-family=v4"])
            .arg(super::flag("admin-address", &self.run.join("admin.sock")))
            .output()
            .await?;
        if !output.status.success() {
            bail!("contour bootstrap: {}", String::from_utf8_lossy(&output.stderr));
        }
        let mut envoy = Command::new(self.bin.join("envoy"));
        envoy.arg("-c").arg(config);
        // Hot restart would share memory with the Envoys of other runs on this machine.
        envoy.args(["--service-cluster", "projectcontour", "--service-node", "rig", "--concurrency", "2"]);
        envoy.arg("--disable-hot-restart");
        self.supervisor.spawn("envoy", envoy)?;
        wait("envoy", || get(ENVOY, "/ready")).await.map(drop)
    }
}
