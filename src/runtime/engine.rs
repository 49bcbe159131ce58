//! The core with its inbox and its hands: one event in, its effects out, in order.

use super::{Clock, Guard, Links};
use crate::cluster::WatchSpec;
use crate::core::{self, Command, Effect, Event, OpId, Preview, Read, Setup, State, View};
use crate::model::{Finding, Outcome, Plan, ResourceKind, Span, Timestamp};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// How often the core is told that time has passed while anything is under way; at rest it is when the clock's second changes.
const TICK: Duration = Duration::from_millis(250);
/// How many events may wait for the core before their senders wait.
const INBOX: usize = 1024;
/// How long to wait before asking again who we are.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The core of one console and everything it has set going; dropping it ends that.
pub struct Engine {
    state: State,
    clock: Clock,
    links: Arc<dyn Links>,
    inbox: mpsc::Receiver<Event>,
    post: mpsc::Sender<Event>,
    /// When the core was last told that time passes, and when the clock shows its next second.
    ticked: Instant,
    second: Instant,
    lanes: HashMap<Lane, mpsc::UnboundedSender<Job>>,
    tasks: JoinSet<()>,
    open: usize,
    unheard: BTreeSet<Source>,
    customers: Option<Guard>,
    metrics: Option<Guard>,
    _watches: Guard,
}

/// Requests about one object go one after the other, in the order in which the core asked for them.
type Lane = (ResourceKind, String);
type Job = BoxFuture<'static, Event>;

/// What a console that has just opened waits to hear from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Kind(ResourceKind),
    Identity,
    Metrics,
    Gates,
}

impl Engine {
    /// Opens a console: starts the watches and asks who we are.
    pub fn open(setup: Setup, clock: Clock, links: Arc<dyn Links>) -> Self {
        let (post, inbox) = mpsc::channel(INBOX);
        let now = Instant::now();
        let mut tasks = JoinSet::new();
        tasks.spawn(ask_identity(links.clone(), post.clone(), setup.watch));
        let kinds = WatchSpec::console().into_iter().map(|spec| Source::Kind(spec.kind));
        Self {
            state: State::new(setup),
            clock,
            _watches: links.watch(post.clone()),
            links,
            inbox,
            post,
            ticked: now,
            second: now,
            lanes: HashMap::new(),
            tasks,
            open: 0,
            unheard: kinds.chain([Source::Identity]).collect(),
            customers: None,
            metrics: None,
        }
    }

    /// Waits for one event and gives it to the core; tells whether a picture should be made of it at once.
    ///
    /// Can be cancelled without losing an event.
    pub async fn step(&mut self) -> bool {
        let due = if core::is_at_rest(&self.state) { self.second } else { self.second.min(self.ticked + TICK) };
        tokio::select! {
            biased;
            Some(event) = self.inbox.recv() => {
                let is_news = is_news(&event);
                self.give(event);
                is_news
            }
            () = sleep_until(due) => {
                self.ticked = Instant::now();
                self.second = self.ticked + to_next_second(self.now());
                self.give(Event::Tick);
                false
            }
        }
    }

    /// Gives the core an event and carries out what it asks for.
    pub fn give(&mut self, event: Event) {
        if matches!(event, Event::Wrote { .. } | Event::ReadDone { .. }) {
            self.open = self.open.saturating_sub(1);
        }
        if let Some(source) = source_of(&event) {
            self.unheard.remove(&source);
        }
        let now = self.now();
        for effect in core::update(&mut self.state, now, event) {
            self.carry_out(effect);
        }
    }

    /// Tells whether every source that is followed has said something, if only that it cannot be read.
    pub fn has_heard_all(&self) -> bool {
        self.unheard.is_empty()
    }

    /// Tells whether the objects of a kind have been read once, or were found unreadable.
    pub fn has_heard(&self, kind: ResourceKind) -> bool {
        !self.unheard.contains(&Source::Kind(kind))
    }

    /// Returns the console's time.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Computes what the screens show now.
    pub fn view(&self) -> View {
        core::view(&self.state, self.now())
    }

    /// Looks closely at one thing; `None` when it is not there.
    pub fn closeup(&self, subject: &core::Subject) -> Option<core::Closeup> {
        core::closeup(&self.state, self.now(), subject)
    }

    /// Names every customer whom a text may name: the name, and the id of whose it is.
    pub fn names(&self, say: impl FnMut(&str, &str)) {
        core::names(&self.state, say);
    }

    /// Returns the plan in force; `None` while none can be read.
    pub fn plan(&self) -> Option<&Plan> {
        core::plan(&self.state)
    }

    /// Says everything that the preflight finds about a start; nothing for any other order.
    pub fn findings(&self, command: &Command) -> Vec<Finding> {
        core::findings(&self.state, self.now(), command)
    }

    /// Says what a command would do now.
    pub fn preview(&self, command: &Command) -> Preview {
        core::preview(&self.state, self.now(), command)
    }

    /// Says that somebody looks at what speaks against a start: what no watch brings is read if it is older than `within`.
    pub fn survey(&mut self, within: Span) {
        self.give(Event::SurveyWanted(within));
    }

    /// Stops forward work, releases the lease, and gives what is under way a moment to be answered.
    pub async fn leave(&mut self) {
        self.give(Event::Leaving);
        let end = Instant::now() + core::LEAVE.0;
        while self.open > 0 {
            match timeout_at(end, self.inbox.recv()).await {
                Ok(Some(event)) => self.give(event),
                Ok(None) => return,
                Err(_) => {
                    tracing::warn!(open = self.open, "left with requests under way: their outcome is unknown");
                    return;
                }
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Write(write) => {
                tracing::info!(id = write.id.0, target = %write.target, direction = ?write.direction, dry_run = write.dry_run, "write");
                let lane = (write.target.kind, write.target.name.clone());
                let (id, answer) = (write.id, self.links.write(write));
                self.enqueue(lane, answer.map(move |outcome| wrote(id, outcome)).boxed());
            }
            Effect::Read { id, read, deadline } => {
                let lane = match &read {
                    Read::Get(target) => (target.kind, target.name.clone()),
                    Read::List { kind, .. } => (*kind, String::new()),
                };
                let answer = self.links.read(read, deadline);
                self.enqueue(lane, answer.map(move |result| Event::ReadDone { id, result }).boxed());
            }
            Effect::Hurry => self.links.hurry(),
            Effect::Poll(request) => {
                // The old poller ends first, so that its last round cannot arrive after the new one's first.
                self.metrics = None;
                self.unheard.insert(Source::Metrics);
                if !request.gates.is_empty() {
                    self.unheard.insert(Source::Gates);
                }
                self.metrics = Some(self.links.poll(*request, self.post.clone()));
            }
            Effect::Rights(rights) => {
                let (answers, post) = (self.links.rights(rights), self.post.clone());
                self.spawn(async move {
                    // The inbox is gone only when the console is.
                    let _ = post.send(Event::Rights(answers.await)).await;
                });
            }
            Effect::Survey(request) => {
                // It writes nothing and nobody waits for it at the end, so it goes beside the lanes.
                let (survey, post) = (self.links.survey(*request), self.post.clone());
                self.spawn(async move {
                    // The inbox is gone only when the console is.
                    let _ = post.send(Event::Survey(Box::new(survey.await))).await;
                });
            }
            Effect::WatchCustomers(name) => {
                self.customers = None;
                self.unheard.insert(Source::Kind(ResourceKind::ConfigMap));
                self.customers = Some(self.links.watch_customers(&name, self.post.clone()));
            }
        }
    }

    /// Begins something that ends by itself; what has ended is let go of, or a console would keep it for days.
    fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(work);
    }

    fn enqueue(&mut self, lane: Lane, job: Job) {
        self.open += 1;
        let (post, tasks) = (&self.post, &mut self.tasks);
        let queue = self.lanes.entry(lane).or_insert_with(|| {
            let (queue, jobs) = mpsc::unbounded_channel();
            tasks.spawn(run_lane(jobs, post.clone()));
            queue
        });
        if queue.send(job).is_err() {
            tracing::error!("a lane has ended before its console");
        }
    }
}

fn wrote(id: OpId, outcome: Outcome) -> Event {
    match &outcome {
        Outcome::Applied(_) => tracing::info!(id = id.0, "write applied"),
        Outcome::NotApplied(rejection) => tracing::warn!(id = id.0, %rejection, "write not applied"),
        Outcome::Unknown(why) => tracing::warn!(id = id.0, why, "write's outcome is unknown"),
    }
    Event::Wrote { id, outcome }
}

fn source_of(event: &Event) -> Option<Source> {
    match event {
        Event::Kube(kube) => Some(Source::Kind(kube.kind)),
        Event::Identity(_) => Some(Source::Identity),
        Event::Metrics(_) => Some(Source::Metrics),
        Event::Gates { .. } => Some(Source::Gates),
        _ => None,
    }
}

/// How long the clock still shows the same second.
fn to_next_second(now: Timestamp) -> Duration {
    // The remainder is below a second and never negative.
    Duration::from_millis(1_000 - now.as_millisecond().rem_euclid(1_000) as u64)
}

/// Tells whether an event is more than time passing. Samples are not: a round brings some every half second at most,
/// and the picture that each second brings shows them; what they decide comes as an event of its own.
fn is_news(event: &Event) -> bool {
    match event {
        Event::Kube(kube) => kube.change != core::Change::Alive,
        Event::ServerTime(_) | Event::Metrics(_) | Event::Gates { .. } => false,
        _ => true,
    }
}

async fn run_lane(mut jobs: mpsc::UnboundedReceiver<Job>, post: mpsc::Sender<Event>) {
    while let Some(job) = jobs.recv().await {
        super::fault::here("worker");
        if post.send(job.await).await.is_err() {
            return;
        }
    }
}

/// Asks until there is an answer; in watch mode nothing is asked, so the first answer is the last.
async fn ask_identity(links: Arc<dyn Links>, post: mpsc::Sender<Event>, watch: bool) {
    loop {
        let identity = links.identity().await;
        let is_known = watch || identity.may_write.is_some();
        if post.send(Event::Identity(identity)).await.is_err() || is_known {
            return;
        }
        sleep(ASK_AGAIN).await;
    }
}

#[cfg(test)]
mod tests;
