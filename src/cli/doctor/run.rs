//! `doctor` on this machine: what it is asked to look at, and what this machine says of itself.

use super::super::{Failure, machine, open};
use super::{Around, NoCluster, Patient, Report, examine};
use crate::cluster::{ConnectError, connect};
use crate::config::{self, Settings, Surroundings, Wanted};
use crate::core::Setup;
use crate::model::Finding;
use crate::runtime::{Between, Wired, inquire};
use crate::telemetry;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a login command may take that has just answered.
const LOGIN: Duration = Duration::from_secs(10);
/// How long the terminal may take to answer.
const TERMINAL: Duration = Duration::from_secs(1);

/// Returns the settings that hold while the files have mistakes: flags and environment alone.
///
/// # Errors
/// Fails only if a flag itself is wrong, which the mistakes say already.
pub(in crate::cli) fn without_files(wanted: &Wanted) -> Result<Settings, Vec<Finding>> {
    let wanted = Wanted { theme: None, keymap: None, time: None, ..wanted.clone() };
    config::load(&wanted, &Surroundings { folder: None, ..machine::surroundings() })
}

/// Looks at this machine and the cluster that the settings name.
///
/// # Errors
/// Fails only if no session number can be drawn.
pub(in crate::cli) async fn run(
    settings: &Settings,
    mistakes: Vec<Finding>,
    stop: &CancellationToken,
) -> Result<Report, Failure> {
    let session = machine::session()?;
    let patient = patient(settings, session).await;
    let around = Around { theme: Some(settings.look.theme.clone()), ..around(mistakes) };
    Ok(examine(&around, patient, stop).await)
}

async fn patient(settings: &Settings, session: String) -> Result<Patient, NoCluster> {
    let target = open::target(settings);
    let failed = |error: ConnectError| {
        let why = format!("failed to {error}");
        if error.is_wrong_name(&target) { NoCluster::Wrong(why) } else { NoCluster::Unknown(why) }
    };
    let connected = connect(&target).await.map_err(failed)?;
    let read = connected.read_client().map_err(failed)?;
    let reviews = connected.review_client().map_err(failed)?;
    let login = connected.login(LOGIN).await;
    let clock = machine::clock();
    let links = Arc::new(Wired::new(read.clone(), None, settings.metrics.clone(), clock.clone()));
    let setup = Setup {
        namespace: connected.namespace,
        cluster: connected.context,
        plan: settings.plan.clone(),
        person: machine::person(),
        session,
        watch: true,
        advises: false,
    };
    Ok(Patient { server: connected.server, setup, links, read, reviews, login: Some(login), clock })
}

fn around(mistakes: Vec<Finding>) -> Around {
    let inside = match machine::between() {
        Between::Tmux => Some("tmux"),
        Between::Screen => Some("screen"),
        Between::Nothing => None,
    };
    let surroundings = machine::surroundings();
    let has_config = surroundings.folder.as_ref().is_some_and(|folder| folder.join("config.toml").is_file());
    Around {
        term: machine::variable("TERM"),
        colors: machine::variable("COLORTERM"),
        inside,
        remote: machine::variable("SSH_CONNECTION").is_some(),
        size: std::io::stdout().is_terminal().then(|| crossterm::terminal::size().ok()).flatten(),
        is_utf8: surroundings.is_utf8,
        no_color: surroundings.no_color,
        theme: None,
        config: surroundings.folder,
        has_config,
        mistakes,
        said: inquire(TERMINAL, machine::takes_commands()),
        logs: telemetry::folder(machine::variable("PILOTHOUSE_STATE_DIR").as_deref()),
    }
}
