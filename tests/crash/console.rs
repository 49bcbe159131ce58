//! The real binary as a process.

use crate::cluster::Cluster;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// A console that runs a verb.
pub struct Console(Child);

/// How a verb ended.
pub struct Ended {
    /// Everything it said.
    pub text: String,
    code: Option<i32>,
    args: String,
}

impl Console {
    /// Starts a verb.
    pub fn spawn(cluster: &Cluster, args: &[&str]) -> Self {
        Self(command(cluster, args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Ends it as the kernel would: nothing of it runs any more.
    pub fn kill(mut self) {
        self.0.start_kill().unwrap();
    }
}

/// Runs a verb to its end.
pub async fn verb(cluster: &Cluster, args: &[&str]) -> Ended {
    let output = tokio::time::timeout(Duration::from_secs(120), command(cluster, args).output()).await;
    let output = output.unwrap_or_else(|_| panic!("{args:?} did not end")).unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Ended { text, code: output.status.code(), args: args.join(" ") }
}

impl Ended {
    /// Requires success.
    pub fn expect_done(self) {
        assert_eq!(self.code, Some(0), "pilothouse {} said:\n{}", self.args, self.text);
    }
}

fn command(cluster: &Cluster, args: &[&str]) -> Command {
    let (kubeconfig, folder) = cluster.paths();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pilothouse"));
    command
        .args(args)
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .env("HOME", &folder)
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}
