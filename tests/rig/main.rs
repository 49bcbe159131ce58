//! A real cluster in one unprivileged namespace, and the tests that need it.
//!
//! etcd, kube-apiserver, kube-controller-manager, Envoy Gateway, Envoy and Prometheus are the real programs
//! (`tests/rig/build`); the kubelet is the one stand-in. The program starts itself again inside the namespace, so the
//! tests reach pods and servers by their addresses. Nothing is touched outside the run folder.

#[path = "../behaviours/mod.rs"]
mod behaviours;
mod checks;
mod cluster;
mod console;
mod load;
mod objects;
mod outside;
mod record;
#[path = "../robot/mod.rs"]
mod robot;

use outside::{Mode, Options};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("rig: {why}");
            return ExitCode::from(2);
        }
    };
    let done = match options.inside.clone() {
        None => outside::start(&options),
        Some(run) => inside(&options, run),
    };
    match done {
        Ok(code) => code,
        Err(why) => {
            eprintln!("rig: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn inside(options: &Options, run: std::path::PathBuf) -> color_eyre::Result<ExitCode> {
    if options.mode == Mode::Test {
        outside::end_with_the_starter();
    }
    // The providers of TLS compete; the product uses ring and so do its tests.
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match options.mode {
            Mode::Test => checks::run(options, run).await,
            Mode::Up => checks::stand(run).await,
        }
    })
}
