//! `demo --serve`: the embedded cluster alone, for kubectl and other programs on this machine.

use super::code::{Code, Failure};
use super::{Demo, machine};
use crate::runtime::stop_on_signals;
use crate::sim::Scenario;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use tokio::net::TcpListener;

/// A kubeconfig in a folder of its own that only this user can open; both are gone when this is dropped.
struct Secret {
    folder: PathBuf,
}

/// Starts the cluster, says first of all where its kubeconfig is, and serves until SIGINT, SIGTERM or SIGHUP.
pub(super) async fn until_interrupted(
    scenario: &Scenario,
    print: impl Fn(&str) -> Result<(), Failure>,
) -> Result<Code, Failure> {
    let fault = |what: &str, error: &io::Error| Failure::new(Code::Fault, format!("{what}: {error}"));
    let stop = stop_on_signals().map_err(|error| fault("listen for signals", &error))?;
    let demo = Demo::for_others(scenario, (machine::clock())(), machine::random()?)?;
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| fault("open a port on loopback", &error))?;
    let served = demo.sim().serve(listener).map_err(|error| fault("serve the cluster", &error))?;
    let secret = Secret::write(&served.kubeconfig_yaml).map_err(|error| fault("write the kubeconfig", &error))?;
    let path = secret.path();
    print(&format!(
        "{0}\n\
         The cluster serves on loopback until this is interrupted. With that file:\n\
         \x20 export KUBECONFIG={0}\n\
         \x20 kubectl get rolloutplans,releases,httproutes,pods\n\
         \x20 pilothouse\n",
        path.display()
    ))?;
    stop.cancelled().await;
    Ok(Code::Ok)
}

impl Secret {
    fn write(text: &str) -> io::Result<Self> {
        let name = format!("pilothouse-{}", machine::session().map_err(|failure| io::Error::other(failure.text))?);
        let folder = std::env::temp_dir().join(name);
        // Fails if anything is there already, so nobody else can have prepared it.
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let secret = Self { folder };
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(secret.path())?;
        file.write_all(text.as_bytes())?;
        Ok(secret)
    }

    fn path(&self) -> PathBuf {
        self.folder.join("kubeconfig.yaml")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        if let Err(why) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(%why, folder = %self.folder.display(), "the kubeconfig is left behind");
        }
    }
}
