//! Following one kind of objects: list, watch, and what to do when either fails.

use super::Clock;
use super::client::ReadClient;
use super::hurry::Hurry;
use super::prune;
use super::read::{get, list, list_as};
use super::stream::{Frame, Frames};
use super::watch::WatchSpec;
use super::wire::{self, Fault};
use crate::core::{Change, Event, KubeEvent, PodSeen, Skew};
use crate::model::{Phase, ResourceKind, ResourceRef, Timestamp, name_of, resource_version};
use http::Method;
use http_body_util::BodyExt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// How long a watch lasts. Its end is a sign of life that also a quiet kind gives; with the time of a request it stays
/// below the 5 s that every source owes.
const WATCH_SECONDS: u64 = 4;

/// A watch that is this much overdue hangs on a dead connection.
const OVERDUE: Duration = Duration::from_secs(3);

/// How long an answer may take to begin, or to be read as a whole where it is small.
const ANSWER: Duration = Duration::from_secs(5);

/// How long a page of a first list may take, and the whole: ten thousand pods are 100 MB, which takes its time over a bad
/// link; pages that keep coming are progress, and the server forgets where a list goes on after five minutes.
const LIST: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(240));

/// How often what must be fresh is read.
const BEAT: Duration = Duration::from_secs(2);

/// A server that ends watches at once is not asked more often than this.
const SHORTEST: Duration = Duration::from_millis(500);

/// The first and the longest pause after a failure.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// How often the server's time is told.
const TELL_TIME_MS: i64 = 10_000;

/// Where events go, when the server's time was told last, and who hurries.
#[derive(Clone)]
pub(super) struct Out {
    tx: mpsc::Sender<Event>,
    clock: Clock,
    told: Arc<Mutex<Option<Timestamp>>>,
    hurry: Hurry,
}

/// Follows a kind until the receiver of the events is gone.
pub(super) async fn follow(client: ReadClient, spec: WatchSpec, out: Out) {
    let mut follower = Follower { client, spec, out, version: None, under_way: BTreeMap::new() };
    // Nobody listens any more is the only end.
    let Err(Gone) = match follower.spec.kind {
        ResourceKind::RolloutPlan | ResourceKind::Lease => follower.list_always().await,
        _ => follower.list_and_watch().await,
    };
}

impl Out {
    /// Sends events to `tx`, with the console's time from `clock`; `hurry` ends pauses after failures.
    pub fn new(tx: mpsc::Sender<Event>, clock: Clock, hurry: Hurry) -> Self {
        Self { tx, clock, told: Arc::new(Mutex::new(None)), hurry }
    }

    /// Waits after so many failures in a row.
    async fn pause(&self, failures: u32) {
        self.hurry.wait_until(Instant::now() + pause(failures)).await;
    }

    async fn send(&self, event: Event) -> Result<(), Gone> {
        self.tx.send(event).await.map_err(|_| Gone)
    }

    async fn time(&self, server: Option<Timestamp>) -> Result<(), Gone> {
        let Some(server) = server else { return Ok(()) };
        let local = (self.clock)();
        {
            let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if told.is_some_and(|last| (local.as_millisecond() - last.as_millisecond()).abs() < TELL_TIME_MS) {
                return Ok(());
            }
            *told = Some(local);
        }
        self.send(Event::ServerTime(Skew { server, local })).await
    }
}

impl fmt::Debug for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out").finish_non_exhaustive()
    }
}

/// The receiver is gone.
struct Gone;

enum Never {}

enum Stop {
    Gone,
    Fault(Fault),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

struct Follower {
    client: ReadClient,
    spec: WatchSpec,
    out: Out,
    /// Where the next watch goes on; `None` = a list is needed.
    version: Option<String>,
    /// Releases under way with their last known version: these are read on every beat.
    under_way: BTreeMap<String, String>,
}

impl Follower {
    async fn list_and_watch(&mut self) -> Result<Never, Gone> {
        let mut failures = 0;
        loop {
            let turn = match self.version.clone() {
                None => self.list().await,
                Some(version) => match self.watch(&version).await {
                    Ok(()) => {
                        failures = 0;
                        Ok(())
                    }
                    Err(stop) => Err(stop),
                },
            };
            match turn {
                Ok(()) => {}
                Err(Stop::Gone) => return Err(Gone),
                Err(Stop::Fault(Fault { status: Some(410), .. })) => {
                    // The version is compacted away, which is no failure of the source, unless a fresh list is, too.
                    self.version = None;
                    if failures > 0 {
                        self.out.pause(failures).await;
                    }
                    failures += 1;
                }
                Err(Stop::Fault(fault)) => {
                    self.failed(&fault).await?;
                    self.out.pause(failures).await;
                    failures += 1;
                }
            }
        }
    }

    async fn list(&mut self) -> Result<(), Stop> {
        if self.spec.kind == ResourceKind::Pod {
            let keep = |pod: Value| PodSeen::read(&pod);
            let listed = list_as(&self.client, self.spec.kind, &self.filter(), LIST, keep).await?;
            self.out.time(listed.date).await?;
            self.version = Some(listed.version);
            self.tell(Change::ResetPods(listed.items)).await?;
            return Ok(());
        }
        let listed = list(&self.client, self.spec.kind, &self.filter(), LIST).await?;
        self.out.time(listed.date).await?;
        self.under_way.clear();
        for object in &listed.items {
            self.note(object);
        }
        self.version = Some(listed.version);
        self.tell(Change::Reset(listed.items)).await?;
        Ok(())
    }

    async fn watch(&mut self, version: &str) -> Result<(), Stop> {
        let kind = self.spec.kind;
        let path = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={}{}",
            wire::path(self.client.namespace(), kind, None, None),
            wire::encode(version),
            self.filter(),
        );
        let broken = |why: String| Fault { status: None, why: format!("the API server cannot be watched: {why}") };
        let request = wire::request(Method::GET, &path, "", Vec::new()).map_err(broken)?;
        let begun = Instant::now();
        let client = self.client.client();
        let response = match timeout(ANSWER, client.send(request.map(kube::client::Body::from))).await {
            Ok(Ok(response)) => response,
            Ok(Err(e)) => return Err(broken(wire::reason(&e)).into()),
            Err(_) => return Err(broken("no answer within 5s".into()).into()),
        };
        if !response.status().is_success() {
            let answer = timeout(ANSWER, wire::collect(response)).await;
            let answer = answer.map_err(|_| broken("no answer within 5s".into()))?.map_err(broken)?;
            return Err(answer.fault(self.client.namespace(), kind).into());
        }
        self.out.time(wire::date(&response)).await?;
        self.tell(Change::Alive).await?;
        let overdue = begun + Duration::from_secs(WATCH_SECONDS) + OVERDUE;
        let mut frames = Frames::new(response.into_body().into_data_stream(), prune::of_event(kind));
        let mut beat = begun + BEAT;
        loop {
            let frame = tokio::select! {
                frame = timeout_at(overdue, frames.next()) => {
                    frame.map_err(|_| broken("it went silent".into()))?
                }
                () = sleep_until(beat), if kind == ResourceKind::Release => {
                    beat += BEAT;
                    self.beat().await?;
                    continue;
                }
            };
            match frame {
                None => break,
                Some(frame) => self.take(frame.map_err(broken)?).await?,
            }
        }
        self.tell(Change::Alive).await?;
        sleep_until(begun + SHORTEST).await;
        Ok(())
    }

    async fn take(&mut self, frame: Frame) -> Result<(), Stop> {
        match frame {
            Frame::Upsert(object) => {
                self.version = Some(resource_version(&object).to_owned());
                self.note(&object);
                self.tell(Change::Upsert(object)).await?;
            }
            Frame::Deleted(object) => {
                self.version = Some(resource_version(&object).to_owned());
                self.under_way.remove(name_of(&object));
                self.tell(Change::Deleted(object)).await?;
            }
            Frame::Bookmark(version) => {
                self.version = Some(version);
                self.tell(Change::Alive).await?;
            }
            Frame::Error(code, message) => {
                return Err(
                    Fault { status: Some(code), why: format!("the API server ended a watch: {message}") }.into()
                );
            }
        }
        Ok(())
    }

    /// Reads every Release under way. Between the frames of the same task, so that a late answer never brings back an
    /// object whose deletion was already told.
    async fn beat(&mut self) -> Result<(), Stop> {
        for (name, known) in self.under_way.clone() {
            let target = ResourceRef::new(self.spec.kind, name);
            let (object, date) = get(&self.client, &target, ANSWER).await?;
            self.out.time(date).await?;
            match object {
                Some(object) if resource_version(&object) != known => {
                    self.note(&object);
                    self.tell(Change::Upsert(object)).await?;
                }
                // That it is gone is told by the watch, with its last form.
                Some(_) | None => self.tell(Change::Alive).await?,
            }
        }
        Ok(())
    }

    fn note(&mut self, object: &Value) {
        if self.spec.kind != ResourceKind::Release {
            return;
        }
        let name = name_of(object).to_owned();
        let phase: Option<Phase> = serde_json::from_value(object["status"]["phase"].clone()).ok();
        if phase.is_some_and(Phase::is_active) {
            self.under_way.insert(name, resource_version(object).to_owned());
        } else {
            self.under_way.remove(&name);
        }
    }

    async fn list_always(&mut self) -> Result<Never, Gone> {
        let mut known: Option<BTreeMap<String, Value>> = None;
        let mut failures = 0;
        loop {
            let begun = Instant::now();
            match list(&self.client, self.spec.kind, &self.filter(), (ANSWER, ANSWER)).await {
                Ok(listed) => {
                    failures = 0;
                    self.out.time(listed.date).await?;
                    known = Some(self.compare(known, listed.items).await?);
                    sleep_until(begun + BEAT).await;
                }
                Err(fault) => {
                    self.failed(&fault).await?;
                    self.out.pause(failures).await;
                    failures += 1;
                }
            }
        }
    }

    /// Tells what differs from the list before.
    async fn compare(
        &self,
        known: Option<BTreeMap<String, Value>>,
        items: Vec<Value>,
    ) -> Result<BTreeMap<String, Value>, Gone> {
        let now: BTreeMap<String, Value> = items.into_iter().map(|o| (name_of(&o).to_owned(), o)).collect();
        let Some(mut known) = known else {
            self.tell(Change::Reset(now.values().cloned().collect())).await?;
            return Ok(now);
        };
        let mut changed = false;
        for (name, object) in &now {
            if known.remove(name).as_ref() != Some(object) {
                changed = true;
                self.tell(Change::Upsert(object.clone())).await?;
            }
        }
        for object in known.into_values() {
            changed = true;
            self.tell(Change::Deleted(object)).await?;
        }
        if !changed {
            self.tell(Change::Alive).await?;
        }
        Ok(now)
    }

    fn filter(&self) -> String {
        match &self.spec.name {
            Some(name) => format!("&fieldSelector={}", wire::encode(&format!("metadata.name={name}"))),
            None => String::new(),
        }
    }

    async fn failed(&self, fault: &Fault) -> Result<(), Gone> {
        tracing::warn!(kind = self.spec.kind.name(), why = fault.why, "a source cannot be read");
        self.tell(Change::Failed { why: fault.why.clone(), answered: fault.status.is_some() }).await
    }

    async fn tell(&self, change: Change) -> Result<(), Gone> {
        self.out.send(Event::Kube(KubeEvent { kind: self.spec.kind, change })).await
    }
}

fn pause(failures: u32) -> Duration {
    PAUSE.0.saturating_mul(1 << failures.min(4)).min(PAUSE.1)
}
