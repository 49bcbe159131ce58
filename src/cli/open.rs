//! From settings to a console's links: which cluster, with which rights.

use super::code::{Code, Failure};
use super::edge::say;
use super::machine;
use crate::cluster::{ConnectError, Connected, DriveClient, ReadClient, Target, connect};
use crate::config::Settings;
use crate::core::Setup;
use crate::runtime::{Clock, Links, Wired};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long a login command may be silent before it is named.
const SILENCE: Duration = Duration::from_secs(3);

/// Reads the kubeconfig and builds the clients; in watch mode none that could write. Sends nothing.
pub(super) async fn open(settings: &Settings, watch: bool, clock: &Clock) -> Result<(Setup, Arc<dyn Links>), Failure> {
    let connected = reach(settings).await?;
    let read = patiently(&connected, Connected::read_client)?;
    let drive = match watch {
        true => None,
        false => Some(patiently(&connected, Connected::drive_client)?),
    };
    let setup = Setup {
        namespace: connected.namespace,
        cluster: connected.context,
        plan: settings.plan.clone(),
        person: machine::person(),
        session: machine::session()?,
        watch,
        advises: false,
    };
    Ok((setup, Arc::new(Wired::new(read, drive, settings.metrics.clone(), clock.clone()))))
}

/// Builds the client that cannot change anything, alone.
pub(super) async fn looking(settings: &Settings) -> Result<ReadClient, Failure> {
    patiently(&reach(settings).await?, Connected::read_client)
}

/// Builds the two clients alone.
pub(super) async fn clients(settings: &Settings) -> Result<(ReadClient, DriveClient), Failure> {
    let connected = reach(settings).await?;
    let read = patiently(&connected, Connected::read_client)?;
    let drive = patiently(&connected, Connected::drive_client)?;
    Ok((read, drive))
}

/// Reads the kubeconfig and picks the cluster; sends nothing.
pub(super) async fn reach(settings: &Settings) -> Result<Connected, Failure> {
    connect(&target(settings)).await.map_err(|error| failure(&error))
}

/// Says which cluster the settings name.
pub(super) fn target(settings: &Settings) -> Target {
    Target {
        context: settings.context.clone(),
        namespace: settings.namespace.clone(),
        kubeconfig: settings.kubeconfig.clone(),
    }
}

/// Builds a client, and says whom it waits for when the login command takes its time.
fn patiently<T>(
    connected: &Connected,
    build: impl FnOnce(&Connected) -> Result<T, ConnectError>,
) -> Result<T, Failure> {
    let (done, waiting) = mpsc::channel::<()>();
    if let Some(command) = connected.login_command() {
        let text = format!("waiting for {command}, the kubeconfig's login command");
        thread::spawn(move || {
            if waiting.recv_timeout(SILENCE) == Err(RecvTimeoutError::Timeout) {
                say(&text);
            }
        });
    }
    let built = build(connected);
    drop(done);
    built.map_err(|error| failure(&error))
}

fn failure(error: &ConnectError) -> Failure {
    let code = if error.is_configuration() { Code::Configuration } else { Code::Unreachable };
    Failure::new(code, format!("failed to {error}"))
}
