//! From settings to a console's links: which cluster, with which rights.

use super::code::{Code, Failure};
use super::machine;
use crate::cluster::{ConnectError, Connected, DriveClient, ReadClient, Target, connect};
use crate::config::Settings;
use crate::core::Setup;
use crate::runtime::{Clock, Links, Wired};
use std::sync::Arc;

/// Reads the kubeconfig and builds the clients; in watch mode none that could write. Sends nothing.
pub(super) async fn open(settings: &Settings, watch: bool, clock: &Clock) -> Result<(Setup, Arc<dyn Links>), Failure> {
    let connected = reach(settings).await?;
    let read = connected.read_client().map_err(|error| failure(&error))?;
    let drive = match watch {
        true => None,
        false => Some(connected.drive_client().map_err(|error| failure(&error))?),
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
    reach(settings).await?.read_client().map_err(|error| failure(&error))
}

/// Builds the two clients alone.
pub(super) async fn clients(settings: &Settings) -> Result<(ReadClient, DriveClient), Failure> {
    let connected = reach(settings).await?;
    let read = connected.read_client().map_err(|error| failure(&error))?;
    let drive = connected.drive_client().map_err(|error| failure(&error))?;
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

fn failure(error: &ConnectError) -> Failure {
    let code = if error.is_first_run() { Code::Configuration } else { Code::Unreachable };
    Failure::new(code, format!("failed to {error}"))
}
