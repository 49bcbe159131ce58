//! A small cluster for the core's own tests: objects, a gateway that accepts at once, pods that are ready at once, and
//! consoles whose writes can be lost, delayed or applied without an answer.

mod plays;
mod seed;

use super::{Change, Command, Effect, Event, Found, Identity, KubeEvent, Read, Right, Setup, State, Verb, View, Write};
use crate::model::{
    Batch, Component, CustomerId, Outcome, Rejection, ResourceKind, ResourceRef, Slot, Span, StreamKind, Timestamp,
    name_of, resource_version, uid_of,
};
use crate::routing;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is applied and answered.
    Normal,
    /// It never arrives; the console hears of a time-out.
    Lost,
    /// It is applied; the console hears of a time-out.
    Mute,
    /// The console hears of a time-out; it arrives when the test says so.
    Late,
    /// It is applied; the console hears of it two seconds later.
    Slow,
    /// The server refuses it: the console may not write this.
    Forbidden,
}

/// Whoever sends requests; the last one is in no list.
pub const EVERYBODY: [&str; 4] = ["acme", "globex", "initech", "nobody"];

type Rule = Box<dyn Fn(&Write) -> Fate>;

/// Which writes are meant.
type Which = fn(&Write) -> bool;

/// What somebody does.
type Act = Box<dyn FnOnce(&mut Bed)>;

/// One console of the test.
pub struct Desk {
    /// Its state.
    pub state: State,
    effects: VecDeque<Effect>,
    /// Decides over its writes.
    pub fate: Rule,
    /// Whether it runs; a dead one gets nothing any more.
    pub alive: bool,
    /// Whether its process is stopped: it gets everything later.
    pub paused: bool,
    /// Whether its watches are dead without its knowing.
    pub blind: bool,
}

/// The cluster and its consoles.
pub struct Bed {
    /// Every object.
    pub objects: BTreeMap<ResourceRef, Value>,
    version: u64,
    component: Component,
    /// The time.
    pub now: Timestamp,
    /// The consoles.
    pub desks: Vec<Desk>,
    /// Writes that are on their way.
    pub late: Vec<Write>,
    /// Outcomes that consoles will hear of: when, which console, which write.
    answers: Vec<(Timestamp, usize, super::OpId, Outcome)>,
    /// Requests started and finished, by slot and customer.
    counters: BTreeMap<(Slot, String), f64>,
    /// Open work on a slot.
    pub open: BTreeMap<Slot, f64>,
    /// The age of the oldest, where the pods tell it.
    pub oldest: Option<f64>,
    /// Its kind.
    pub open_kind: StreamKind,
    /// Whose it is; nobody's who is listed when absent.
    pub open_of: Option<&'static str>,
    /// What is wrong with a slot.
    pub ill: seed::Ill,
    /// Whether metrics are answered.
    pub metrics: bool,
    /// Every write that was applied, in order.
    pub applied: Vec<Write>,
    /// Every write that a console asked for, in order.
    pub sent: Vec<(usize, Write)>,
    /// Whether the in-flight gauges of HTTP are exported.
    pub gauge: bool,
    /// The hold that a console has reported as done.
    pub held: Value,
    /// What must hold after every applied write; what did not.
    pub rule: Option<fn(&Bed) -> Option<String>>,
    /// What the rule said.
    pub broken: Vec<String>,
    /// Somebody acts just before the next read of an object whose name holds this.
    before: Option<(&'static str, Act)>,
    /// Somebody deletes all objects of a kind as soon as such a write has been applied.
    deletes: Option<(ResourceKind, Which)>,
    /// The policies of the namespace.
    pub policies: Vec<Value>,
    /// PodDisruptionBudgets and ScaledObjects.
    pub scalers: (Vec<Value>, Vec<Value>),
    /// What nobody may do, as `kubectl auth can-i` takes it.
    pub denied: Vec<String>,
    surveyed: Vec<usize>,
    /// Open work on pods that are not the shop's: the pod, its slot label, and how much.
    pub strangers: Vec<(&'static str, Slot, f64)>,
}

impl Bed {
    /// Makes a cluster with version 1 in slot a and a plan of two one-wave rings.
    pub fn new() -> Self {
        let mut bed = Self {
            objects: BTreeMap::new(),
            version: 100,
            component: seed::component(),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            desks: Vec::new(),
            late: Vec::new(),
            answers: Vec::new(),
            counters: BTreeMap::new(),
            open: BTreeMap::new(),
            oldest: None,
            open_kind: StreamKind::Http,
            open_of: None,
            ill: seed::Ill::default(),
            metrics: true,
            applied: Vec::new(),
            sent: Vec::new(),
            gauge: true,
            held: Value::Null,
            rule: None,
            broken: Vec::new(),
            before: None,
            deletes: None,
            policies: Vec::new(),
            scalers: (Vec::new(), Vec::new()),
            denied: Vec::new(),
            surveyed: Vec::new(),
            strangers: Vec::new(),
        };
        for (kind, object) in seed::objects() {
            bed.put(kind, object);
        }
        bed.control();
        bed
    }

    /// Opens a console.
    pub fn open_desk(&mut self, person: &str) -> usize {
        let setup = Setup {
            namespace: "shop".into(),
            cluster: "test".into(),
            plan: None,
            person: format!("{person}@host"),
            session: format!("{:016x}", self.desks.len() + 1),
            watch: matches!(person, "watcher" | "adviser"),
            advises: person == "adviser",
        };
        let desk = Desk {
            state: State::new(setup),
            effects: VecDeque::new(),
            fate: Box::new(|_| Fate::Normal),
            alive: true,
            paused: false,
            blind: false,
        };
        self.desks.push(desk);
        let at = self.desks.len() - 1;
        self.tell(at, Event::Identity(Identity { user: person.into(), may_write: Some(true) }));
        let batch = self.batch();
        self.tick(at, batch);
        at
    }

    /// Gives an order, confirmed on what is shown now; to look at a start takes a fresh survey.
    pub fn order(&mut self, desk: usize, command: Command) {
        if matches!(command, Command::Start { .. }) {
            self.tell(desk, Event::SurveyWanted(Span::seconds(30)));
            self.run();
        }
        let mark = super::preview(&self.desks[desk].state, self.now, &command).mark;
        self.tell(desk, Event::Command { command, mark: Some(mark) });
        self.run();
    }

    /// Lets `seconds` pass, one tick a second.
    pub fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += jiff::SignedDuration::from_secs(1);
            self.control();
            let now = self.now;
            let due: Vec<_> =
                self.answers.extract_if(.., |(at, desk, ..)| *at <= now && !self.desks[*desk].paused).collect();
            for (_, desk, id, outcome) in due {
                self.tell(desk, Event::Wrote { id, outcome });
            }
            let batch = self.batch();
            for desk in (0..self.desks.len()).filter(|i| !self.desks[*i].paused).collect::<Vec<_>>() {
                self.tick(desk, batch.clone());
            }
            self.run();
        }
    }

    /// Lets time pass until the release is in this phase; fails with what the console says after a minute.
    pub fn until(&mut self, desk: usize, phase: &str) {
        for _ in 0..90 {
            if self.phase() == phase && self.desks[desk].state.task.is_none() {
                return;
            }
            self.pass(1);
        }
        let view = self.view(desk);
        panic!("not {phase} but {}: {:?} {:?} {:?}", self.phase(), view.running, view.advice, view.notices);
    }

    /// Lets time pass until the release is in this phase, whatever its consoles do.
    pub fn until_phase(&mut self, phase: &str) {
        for _ in 0..90 {
            if self.phase() == phase {
                return;
            }
            self.pass(1);
        }
        panic!("not {phase} but {}", self.phase());
    }

    /// A console's terminal goes away.
    pub fn leave(&mut self, desk: usize) {
        self.tell(desk, Event::Leaving);
        self.run();
    }

    /// Returns how many surveys a console has asked for.
    pub fn surveys(&mut self, desk: usize) -> usize {
        self.run();
        self.surveyed.iter().filter(|of| **of == desk).count()
    }

    /// Computes what a console shows.
    pub fn view(&self, desk: usize) -> View {
        super::view(&self.desks[desk].state, self.now)
    }

    /// Returns the phase of the release.
    pub fn phase(&self) -> String {
        self.release()["status"]["phase"].as_str().unwrap_or("Proposed").to_owned()
    }

    /// Returns the release under way, else the last one by name.
    pub fn release(&self) -> &Value {
        let active = &self.get(ResourceKind::RolloutPlan, "shop")["status"]["activeRelease"];
        let last = || self.objects.iter().rfind(|(r, _)| r.kind == ResourceKind::Release);
        match active.as_str() {
            Some(name) => self.get(ResourceKind::Release, name),
            None => last().map_or(&Value::Null, |(_, o)| o),
        }
    }

    /// Returns an object.
    pub fn get(&self, kind: ResourceKind, name: &str) -> &Value {
        self.objects.get(&ResourceRef::new(kind, name)).unwrap_or(&Value::Null)
    }

    /// Returns where a customer's requests go.
    pub fn slot_of(&self, customer: &str) -> Option<Slot> {
        self.slots(&[customer])[0]
    }

    /// Returns where the requests of each of these customers go.
    pub fn slots(&self, customers: &[&str]) -> Vec<Option<Slot>> {
        let routes = self.routes();
        let ids: Vec<CustomerId> = customers.iter().map(|c| CustomerId::new(*c)).collect();
        let placed = routing::placements(&routes, "shop", &self.component, "x-customer", &ids);
        ids.iter().map(|id| placed[id]).collect()
    }

    /// Lets a late write arrive now; tells whether it was applied.
    pub fn arrive(&mut self, index: usize) -> bool {
        let write = self.late.remove(index);
        matches!(self.apply(&write), Outcome::Applied(_))
    }

    /// Somebody deletes all objects of a kind right after the next such write.
    pub fn remove_after(&mut self, kind: ResourceKind, which: Which) {
        self.deletes = Some((kind, which));
    }

    /// Somebody acts just before the next read of an object whose name holds this.
    pub fn before_read(&mut self, name: &'static str, act: impl FnOnce(&mut Self) + 'static) {
        self.before = Some((name, Box::new(act)));
    }

    /// Somebody else changes an object.
    pub fn meddle(&mut self, kind: ResourceKind, name: &str, ops: Value) {
        let target = ResourceRef::new(kind, name);
        let ops: Vec<Value> = ops.as_array().unwrap().clone();
        let after = routing::apply(&self.objects[&target], &ops).unwrap();
        self.put(kind, after);
    }

    /// Replicas a slot should have.
    pub fn replicas(&self, deployment: &str) -> u64 {
        self.get(ResourceKind::Deployment, deployment)["spec"]["replicas"].as_u64().unwrap()
    }

    fn routes(&self) -> Vec<&Value> {
        self.objects.iter().filter(|(r, _)| r.kind == ResourceKind::HTTPRoute).map(|(_, o)| o).collect()
    }

    pub fn tell(&mut self, desk: usize, event: Event) {
        let now = self.now;
        let desk = &mut self.desks[desk];
        if desk.alive {
            desk.effects.extend(super::update(&mut desk.state, now, event));
        }
    }

    fn tick(&mut self, desk: usize, batch: Batch) {
        let seen = if self.desks[desk].blind { &[][..] } else { &ResourceKind::ALL[..] };
        for kind in seen.iter().copied() {
            let objects = self.objects.iter().filter(|(r, _)| r.kind == kind).map(|(_, o)| o.clone()).collect();
            self.tell(desk, Event::Kube(KubeEvent { kind, change: Change::Reset(objects) }));
        }
        if self.metrics {
            self.tell(desk, Event::Metrics(batch));
        }
        self.tell(desk, Event::Tick);
    }

    /// Executes what the consoles ask for until nobody asks for more.
    pub fn run(&mut self) {
        for _ in 0..500 {
            let Some(desk) =
                (0..self.desks.len()).find(|i| !self.desks[*i].effects.is_empty() && !self.desks[*i].paused)
            else {
                return;
            };
            let Some(effect) = self.desks[desk].effects.pop_front() else { return };
            match effect {
                Effect::Read { id, read, .. } => {
                    let is_it = |name: &str| matches!(&read, Read::Get(target) if target.name.contains(name));
                    if let Some((_, act)) = self.before.take_if(|(name, _)| is_it(name)) {
                        act(self);
                    }
                    let result = Ok(self.read(&read));
                    self.tell(desk, Event::ReadDone { id, result });
                }
                Effect::Write(write) => {
                    let fate = (self.desks[desk].fate)(&write);
                    self.sent.push((desk, write.clone()));
                    let (id, mut after, mut answer) = (write.id, 5, Outcome::Unknown("timed out".into()));
                    match fate {
                        Fate::Normal => {
                            let outcome = self.apply(&write);
                            self.tell(desk, Event::Wrote { id: write.id, outcome });
                            continue;
                        }
                        Fate::Forbidden => {
                            let outcome = refuse(403, "Forbidden");
                            self.tell(desk, Event::Wrote { id: write.id, outcome });
                            continue;
                        }
                        Fate::Mute => {
                            self.apply(&write);
                        }
                        Fate::Lost => {}
                        Fate::Late => self.late.push(write),
                        Fate::Slow => (after, answer) = (2, self.apply(&write)),
                    }
                    self.answers.push((self.now + jiff::SignedDuration::from_secs(after), desk, id, answer));
                }
                Effect::Rights(rights) => {
                    let denied = self.denied.clone();
                    let answer = |right: Right| (right.clone(), Some(!denied.contains(&right.to_string())));
                    self.tell(desk, Event::Rights(rights.into_iter().map(answer).collect()));
                }
                Effect::Survey(request) => {
                    self.surveyed.push(desk);
                    let survey = seed::survey(&request, &self.policies, &self.scalers);
                    self.tell(desk, Event::Survey(Box::new(survey)));
                }
                Effect::Poll(_) | Effect::WatchCustomers(_) | Effect::Hurry => {}
            }
        }
        panic!("the consoles never come to rest");
    }

    fn read(&self, read: &Read) -> Found {
        match read {
            Read::Get(target) => self.objects.get(target).map_or(Found::Missing, |o| Found::One(o.clone())),
            Read::List { kind, .. } => {
                Found::Many(self.objects.iter().filter(|(r, _)| r.kind == *kind).map(|(_, o)| o.clone()).collect())
            }
        }
    }

    fn apply(&mut self, write: &Write) -> Outcome {
        let live = self.objects.get(&write.target).cloned();
        let after = match (&write.verb, live) {
            (Verb::Create(_), Some(_)) => return refuse(409, "AlreadyExists"),
            (Verb::Create(object), None) => Some(object.clone()),
            (_, None) => return refuse(404, "NotFound"),
            (Verb::Patch(ops), Some(live)) => match routing::apply(&live, ops) {
                Ok(mut after) => {
                    after["status"] = live["status"].clone();
                    Some(after)
                }
                Err(_) => return refuse(422, "Invalid"),
            },
            (Verb::PatchStatus(ops), Some(live)) => match routing::apply(&live, ops) {
                Ok(after) => Some(
                    json!({ "metadata": live["metadata"], "spec": live["spec"], "data": live["data"], "status": after["status"] }),
                ),
                Err(_) => return refuse(422, "Invalid"),
            },
            (Verb::Delete { uid, resource_version: version }, Some(live)) => {
                if uid != uid_of(&live) || version != resource_version(&live) {
                    return refuse(409, "Conflict");
                }
                None
            }
        };
        if write.dry_run {
            return Outcome::Applied(after.unwrap_or_default());
        }
        self.applied.push(write.clone());
        match after {
            Some(object) => {
                self.put(write.target.kind, object);
                self.control();
                self.judge();
                let answer = Outcome::Applied(self.objects[&write.target].clone());
                if let Some((kind, _)) = self.deletes.take_if(|(_, which)| which(write)) {
                    self.objects.retain(|target, _| target.kind != kind);
                }
                answer
            }
            None => {
                self.objects.remove(&write.target);
                Outcome::Applied(json!({}))
            }
        }
    }

    fn judge(&mut self) {
        if let Some(said) = self.rule.and_then(|rule| rule(self)) {
            self.broken.push(said);
        }
    }

    pub fn put(&mut self, kind: ResourceKind, mut object: Value) {
        self.version += 1;
        let target = ResourceRef::new(kind, name_of(&object));
        let before = self.objects.get(&target);
        let generation = before.map_or(0, |b| b["metadata"]["generation"].as_u64().unwrap_or(0));
        let changed = before.is_none_or(|b| b["spec"] != object["spec"]);
        object["metadata"]["generation"] = json!(generation + u64::from(changed));
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
            object["metadata"]["creationTimestamp"] = json!(self.now.to_string());
        }
        self.objects.insert(target, object);
    }
}

fn refuse(code: u16, reason: &str) -> Outcome {
    Outcome::NotApplied(Rejection { code, reason: reason.into(), message: "test".into(), causes: Vec::new() })
}
