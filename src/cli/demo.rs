//! `demo`: a whole cluster in this process, and a console on it.

use super::clock;
use super::code::{Code, Failure};
use crate::cluster::{DriveClient, ReadClient};
use crate::config::nearest;
use crate::core::Setup;
use crate::model::Timestamp;
use crate::runtime::{Clock, Links, Wired};
use crate::sim::{NAMESPACE, Scenario, Sim, SimOptions, SimTraffic, customer_ids};
use std::sync::Arc;

/// The name of the embedded cluster.
const CLUSTER: &str = "embedded";

/// A running embedded cluster with its traffic; it ends when this is dropped.
pub struct Demo {
    sim: Sim,
    traffic: Arc<SimTraffic>,
    clock: Clock,
}

/// Finds a scenario: one that comes with the program, or a file.
///
/// # Errors
/// Names everything that is wrong with the file, or the nearest name.
pub fn scenario(name: &str) -> Result<Scenario, Failure> {
    let wrong = |text: String| Failure::new(Code::Configuration, text);
    let shipped = Scenario::shipped().iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
    let text = match shipped {
        Some(text) => text,
        None if name.contains('/') || name.ends_with(".toml") => {
            std::fs::read_to_string(name).map_err(|error| wrong(format!("scenario {name} cannot be read: {error}")))?
        }
        None => {
            let known: Vec<&str> = Scenario::shipped().iter().map(|(known, _)| *known).collect();
            let hint = match nearest(name, &known) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("known are {}", known.join(", ")),
            };
            return Err(wrong(format!("there is no scenario {name:?}: {hint}")));
        }
    };
    Scenario::parse(&text).map_err(|findings| {
        let lines: Vec<String> = findings.iter().map(|finding| format!("scenario {name}: {finding}")).collect();
        wrong(lines.join("\n"))
    })
}

impl Demo {
    /// Starts the cluster and its traffic on the current tokio runtime; `start` is the wall time of this instant.
    ///
    /// # Errors
    /// Says which value of the scenario the cluster refuses.
    pub fn start(scenario: &Scenario, start: Timestamp) -> Result<Self, Failure> {
        Self::with(scenario, SimOptions { cluster: CLUSTER.to_owned(), ..SimOptions::at(start) })
    }

    /// Starts the same for other programs on this machine: [`Sim::serve`] works; `seed` are bytes nobody can guess.
    ///
    /// # Errors
    /// Says which value of the scenario the cluster refuses.
    pub fn for_others(scenario: &Scenario, start: Timestamp, seed: [u8; 32]) -> Result<Self, Failure> {
        let options = SimOptions { cluster: CLUSTER.to_owned(), token_seed: Some(seed), ..SimOptions::at(start) };
        Self::with(scenario, options)
    }

    fn with(scenario: &Scenario, options: SimOptions) -> Result<Self, Failure> {
        let start = options.start;
        let clock = clock::running(start);
        let traffic = Arc::new(SimTraffic::new(scenario, customer_ids(scenario), start));
        let sim =
            Sim::start(scenario, traffic.clone(), options).map_err(|why| Failure::new(Code::Configuration, why))?;
        Ok(Self { sim, traffic, clock })
    }

    /// Returns the clock of the cluster, which is the console's, too.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Returns the cluster, for tests that look behind the console.
    pub fn sim(&self) -> &Sim {
        &self.sim
    }

    /// Returns the traffic, for tests that judge what happened to customers.
    pub fn traffic(&self) -> &SimTraffic {
        &self.traffic
    }

    /// Returns what a console on this cluster is opened with; metrics go through the API server's service proxy.
    pub fn console(&self, person: String, session: String, watch: bool) -> (Setup, Arc<dyn Links>) {
        let read = ReadClient::from_client(self.sim.client(NAMESPACE), NAMESPACE);
        let drive = (!watch).then(|| DriveClient::from_client(self.sim.client(NAMESPACE), NAMESPACE));
        let setup = Setup {
            namespace: NAMESPACE.to_owned(),
            cluster: CLUSTER.to_owned(),
            plan: None,
            person,
            session,
            watch,
            ..Setup::default()
        };
        (setup, Arc::new(Wired::new(read, drive, None, self.clock.clone())))
    }
}
