//! A short release, played by keys as far as its drain, for the parts that look at how a drain ends.

use super::history::{History, PILOTHOUSE, Slots, deployment, find, slots};
use super::judge::{self, Claim, Seen};
use crate::behaviours::rest::Patch;
use crate::cluster::{Cluster, Exit, wait};
use crate::console::Console;
use crate::load::{Load, Profile};
use crate::objects::{APP, REPLICAS};
use crate::record::Record;
use crate::robot::{Key, Robot};
use color_eyre::eyre::{Result, ensure, eyre};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The quiet time of the short plan, in seconds.
pub const QUIET: u64 = 2;

/// A short release takes half a minute to its drain; a busy machine needs several times that.
const LIMIT: Duration = Duration::from_secs(240);

/// Load before a release: rates need some samples.
const BEFORE: Duration = Duration::from_secs(5);

/// How long the screen may take to say something.
const ANSWER: Duration = Duration::from_secs(20);

/// How often the screen is looked at while nothing may happen.
const LOOK: Duration = Duration::from_millis(100);

/// The plan as it was before it was shortened.
pub struct Shortened(Value);

/// A release under load.
pub struct Stage<'a> {
    /// The load; its sockets are the open work.
    pub load: Load,
    /// The version that is left.
    pub old: String,
    cluster: &'a Cluster,
    version: &'static str,
    slots: Slots,
    history: History,
    console: Console,
    robot: Robot,
    exits: usize,
}

/// How a release ended, and what was seen of it.
pub struct Ended {
    /// Every transaction.
    pub records: Vec<Record>,
    /// The Release's history.
    pub seen: Vec<Seen>,
    /// What was said to be drained, by the Release and by the screen.
    pub claims: Vec<Claim>,
    /// The pods that ended.
    pub exits: Vec<Exit>,
}

impl Shortened {
    /// Puts everybody into one wave, with short times; `sockets` is the policy for them.
    pub async fn apply(cluster: &Cluster, sockets: &str) -> Result<Self> {
        let path = plan();
        let before = cluster.rest.get(&path).await?.ok()?["spec"].clone();
        let mut spec = before.clone();
        spec["rings"] = json!([{ "name": "main", "rest": true, "bake": "1s" }]);
        spec["promote"] = json!({ "bake": "1s" });
        spec["gates"] = json!([{ "name": "restarts", "kind": "restarts", "max": 0, "for": "3s" }]);
        spec["drain"]["quiet"] = json!(format!("{QUIET}s"));
        spec["drain"]["kinds"]["ws"] = json!(sockets);
        replace(cluster, &path, &spec).await?;
        Ok(Self(before))
    }

    /// Puts the plan back.
    pub async fn undo(self, cluster: &Cluster) -> Result<()> {
        replace(cluster, &plan(), &self.0).await
    }
}

impl<'a> Stage<'a> {
    /// Begins the load, and plays a release until its old version drains; `look` sees every screen.
    pub async fn set(
        cluster: &'a Cluster,
        version: &'static str,
        profile: Profile,
        look: impl FnMut(&str),
    ) -> Result<Self> {
        let slots = slots(cluster).await?;
        let under_way = cluster.rest.get(&plan()).await?.ok()?["status"]["activeRelease"].clone();
        ensure!(under_way.is_null(), "release {under_way} is still under way");
        let sockets = profile.sockets as usize;
        let load = Load::start(profile);
        let history = History::watch(&cluster.rest, &load);
        tokio::time::sleep(BEFORE).await;
        let open = cluster.kubelet.open(&slots.old);
        ensure!(open >= sockets, "only {open} transactions are open on {}, not {sockets} sockets", slots.old);
        let console = Console::start(&cluster.kubeconfig("operator"), &cluster.run)?;
        let (robot, old, exits) = (Robot::new(version, None), slots.old.clone(), cluster.kubelet.exits().len());
        let mut stage = Self { load, old, cluster, version, slots, history, console, robot, exits };
        // A drain that nothing stands in the way of may be over before it is seen.
        let drains = |phase: &str| ["DrainingOld", "RetiringOld", "Cleaning", "Done"].contains(&phase);
        stage.play("to-drain", look, drains).await?;
        Ok(stage)
    }

    /// Waits until the sockets alone are open on the old version, and the metrics have shown it for the quiet time.
    pub async fn only(&self, sockets: usize) -> Result<()> {
        wait("old version with nothing but sockets", || async {
            let open = self.cluster.kubelet.open(&self.old);
            ensure!(open == sockets, "{open} are open");
            Ok(())
        })
        .await?;
        tokio::time::sleep(Duration::from_secs(QUIET + 3)).await;
        Ok(())
    }

    /// Looks for a while at screen, Release and Deployment, and returns the last screen.
    ///
    /// # Errors
    /// The drain is called proven, the release goes on, a slot is scaled, or a screen fails the test.
    pub async fn stays_undrained(
        &mut self,
        what: &str,
        lasts: Duration,
        mut test: impl FnMut(&str) -> Result<()>,
    ) -> Result<String> {
        let begun = Instant::now();
        let mut looks = 0_u32;
        loop {
            let screen = self.console.text();
            if let Some(version) = judge::proven_on(&screen) {
                self.console.proven.push((Instant::now(), version.to_owned()));
                return Err(eyre!("{what}: the screen says that {version} is drained:\n{screen}"));
            }
            test(&screen).map_err(|why| why.wrap_err(format!("{what}; the screen is:\n{screen}")))?;
            if looks.is_multiple_of(5) {
                let phase = self.phase().await?;
                ensure!(phase == "DrainingOld", "{what}: the release went on to {phase}; the screen is:\n{screen}");
                for slot in [self.slots.active, self.slots.idle] {
                    let deployment = self.cluster.rest.get(&deployment(slot)).await?.ok()?;
                    let replicas = &deployment["spec"]["replicas"];
                    ensure!(*replicas == REPLICAS, "{what}: {slot} was scaled to {replicas}");
                }
            }
            if begun.elapsed() > lasts {
                return Ok(screen);
            }
            looks += 1;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits for words on the screen, types keys, and returns the screen that had the words.
    pub async fn answer(&mut self, words: &str, keys: &[Key]) -> Result<String> {
        let begun = Instant::now();
        loop {
            let screen = self.console.text();
            if screen.contains(words) {
                self.console.send(keys)?;
                return Ok(screen);
            }
            ensure!(begun.elapsed() < ANSWER, "the screen never said {words:?}; it is:\n{screen}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Lets the robot play until the release is done; `look` sees every screen.
    pub async fn finish(&mut self, look: impl FnMut(&str)) -> Result<()> {
        self.play("to-done", look, |phase| phase == "Done").await
    }

    /// The Release as it is.
    pub async fn release(&self) -> Result<Value> {
        find(self.cluster, self.version).await?.ok_or_else(|| eyre!("the Release of {} is gone", self.version))
    }

    /// Leaves the console, lets the clients close their sockets, and returns what was seen.
    pub async fn end(self) -> Result<Ended> {
        // The last status of the pods comes a moment after the phase.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let seen = self.history.of(self.version);
        let by = |at: &Instant| at.saturating_duration_since(self.load.clock());
        let on_screen = self.console.proven.iter().map(|(at, version)| Claim {
            at: by(at),
            version: version.clone(),
            by: "the screen, which said proven".into(),
        });
        let claims = judge::claims(&seen).into_iter().chain(on_screen).collect();
        let exits = self.cluster.kubelet.exits()[self.exits..].to_vec();
        self.console.quit().await?;
        ensure!(self.robot.resumes == 0, "the release had to be resumed {} times", self.robot.resumes);
        self.load.hang_up();
        Ok(Ended { records: self.load.end().await?, seen, claims, exits })
    }

    async fn phase(&self) -> Result<String> {
        Ok(self.release().await?["status"]["phase"].as_str().unwrap_or("Proposed").to_owned())
    }

    async fn play(&mut self, step: &str, mut look: impl FnMut(&str), is_there: impl Fn(&str) -> bool) -> Result<()> {
        let name = format!("{}-{step}", self.version);
        let (cluster, version) = (self.cluster, self.version);
        let turns = |screen: &str| {
            look(screen);
            false
        };
        let done = || async {
            let release = find(cluster, version).await?;
            let phase = release.as_ref().and_then(|release| release["status"]["phase"].as_str());
            Ok(phase.is_some_and(&is_there))
        };
        self.console.play(&name, &mut self.robot, LIMIT, turns, done).await
    }
}

fn plan() -> String {
    format!("{PILOTHOUSE}/rolloutplans/{APP}")
}

async fn replace(cluster: &Cluster, path: &str, spec: &Value) -> Result<()> {
    let patch = json!([{ "op": "replace", "path": "/spec", "value": spec }]);
    cluster.rest.patch(path, Patch::Json, &patch).await?.ok().map(drop)
}
