//! Requests keep their order, and a console that leaves does not wait for ever.

use super::*;
use crate::core::{Allowed, Found, Identity, MetricsRequest, ReadFailure, Right, Survey, SurveyRequest, Verb, Write};
use crate::model::{Authentication, Direction, MetricsEndpoint, MetricsSource, Outcome, ResourceRef};
use serde_json::{Value, json};
use std::sync::Mutex;

/// A world that writes down what is asked of it; a write of an object named `slow` takes three seconds.
#[derive(Default)]
struct Notebook {
    lines: Mutex<Vec<String>>,
}

impl Notebook {
    fn note(&self, line: impl Into<String>) {
        self.lines.lock().unwrap().push(line.into());
    }

    fn read(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

#[derive(Clone, Default)]
struct World(Arc<Notebook>);

struct Ends(Arc<Notebook>, String);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.note(format!("{} ends", self.1));
    }
}

impl Links for World {
    fn identity(&self) -> BoxFuture<'static, Identity> {
        self.0.note("identity");
        async { Identity::default() }.boxed()
    }

    fn watch(&self, _: mpsc::Sender<Event>) -> Guard {
        Box::new(())
    }

    fn watch_customers(&self, name: &str, _: mpsc::Sender<Event>) -> Guard {
        self.0.note(format!("{name} begins"));
        Box::new(Ends(self.0.clone(), name.to_owned()))
    }

    fn poll(&self, request: MetricsRequest, _: mpsc::Sender<Event>) -> Guard {
        self.0.note(format!("poll {} begins", request.namespace));
        Box::new(Ends(self.0.clone(), format!("poll {}", request.namespace)))
    }

    fn hurry(&self) {
        self.0.note("hurry");
    }

    fn write(&self, write: Write) -> BoxFuture<'static, Outcome> {
        let notebook = self.0.clone();
        async move {
            let name = format!("{} {}", write.target.name, write.id.0);
            notebook.note(format!("{name} sent"));
            if write.target.name == "slow" {
                sleep(Duration::from_secs(3)).await;
            }
            notebook.note(format!("{name} answered"));
            Outcome::Applied(json!({}))
        }
        .boxed()
    }

    fn read(&self, read: Read, _: Span) -> BoxFuture<'static, Result<Found, ReadFailure>> {
        let notebook = self.0.clone();
        async move {
            notebook.note(format!("read {read:?}").chars().take(8).collect::<String>());
            Ok(Found::Missing)
        }
        .boxed()
    }

    fn rights(&self, rights: Vec<Right>) -> BoxFuture<'static, Vec<Allowed>> {
        async move { rights.into_iter().map(|right| (right, Some(true))).collect() }.boxed()
    }

    fn survey(&self, request: SurveyRequest) -> BoxFuture<'static, Survey> {
        let notebook = self.0.clone();
        async move {
            notebook.note(format!("survey of {} gateways", request.gateways.len()));
            Survey::default()
        }
        .boxed()
    }
}

fn engine(world: &World, watch: bool) -> Engine {
    let setup = Setup { watch, ..Setup::default() };
    Engine::open(setup, Arc::new(|| Timestamp::UNIX_EPOCH), Arc::new(world.clone()))
}

fn write(name: &str, id: u64) -> Effect {
    Effect::Write(Write {
        id: OpId(id),
        direction: Direction::Backward,
        target: ResourceRef::new(ResourceKind::HTTPRoute, name),
        verb: Verb::Create(Value::Null),
        dry_run: false,
        deadline: Span::seconds(5),
    })
}

async fn settle(engine: &mut Engine) {
    while engine.open > 0 {
        engine.step().await;
    }
}

#[tokio::test(start_paused = true)]
async fn requests_about_one_object_keep_their_order_and_hold_up_no_other() {
    let world = World::default();
    let mut engine = engine(&world, true);
    for effect in [write("slow", 1), write("slow", 2), write("quick", 3)] {
        engine.carry_out(effect);
    }
    settle(&mut engine).await;
    let lines: Vec<String> = world.0.read().into_iter().filter(|line| line != "identity").collect();
    let place = |line: &str| lines.iter().position(|l| l == line).unwrap();
    assert!(place("slow 1 answered") < place("slow 2 sent"), "{lines:?}");
    assert!(place("quick 3 answered") < place("slow 1 answered"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_read_waits_for_the_write_before_it() {
    let world = World::default();
    let mut engine = engine(&world, true);
    engine.carry_out(write("slow", 1));
    let target = ResourceRef::new(ResourceKind::HTTPRoute, "slow");
    engine.carry_out(Effect::Read { id: OpId(2), read: Read::Get(target), deadline: Span::seconds(5) });
    settle(&mut engine).await;
    assert_eq!(world.0.read().last().map(String::as_str), Some("read Get"));
}

#[tokio::test(start_paused = true)]
async fn at_rest_time_passes_when_the_clock_shows_another_second_and_else_four_times_a_second() {
    let began = Instant::now();
    let clock: Clock = Arc::new(move || {
        Timestamp::from_millisecond(10_300 + i64::try_from(began.elapsed().as_millis()).unwrap()).unwrap()
    });
    let mut engine = Engine::open(Setup { watch: true, ..Setup::default() }, clock, Arc::new(World::default()));
    // The first comes at once.
    while engine.second == began {
        engine.step().await;
    }
    assert_eq!(ticks(&mut engine, began, 3).await, [700, 1700, 2700]);
    engine.give(Event::Leaving);
    assert_eq!(ticks(&mut engine, began, 5).await, [2950, 3200, 3450, 3700, 3950]);
}

/// When the core was told that time passes, in milliseconds.
async fn ticks(engine: &mut Engine, began: Instant, count: usize) -> Vec<u128> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let before = engine.ticked;
        engine.step().await;
        if engine.ticked != before {
            seen.push(engine.ticked.duration_since(began).as_millis());
        }
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_is_not_kept() {
    let mut engine = engine(&World::default(), true);
    for _ in 0..50 {
        engine.carry_out(Effect::Rights(Vec::new()));
        sleep(Duration::from_secs(30)).await;
    }
    assert!(engine.tasks.len() < 5, "{} tasks", engine.tasks.len());
}

#[tokio::test(start_paused = true)]
async fn leaving_waits_only_a_moment_for_what_is_under_way() {
    let world = World::default();
    let mut engine = engine(&world, true);
    engine.carry_out(write("slow", 1));
    let began = Instant::now();
    engine.leave().await;
    assert_eq!(began.elapsed(), core::LEAVE.0);
    drop(engine);
    sleep(Duration::from_secs(10)).await;
    assert!(!world.0.read().contains(&"slow 1 answered".to_owned()), "what was given up goes on after the end");
}

#[tokio::test(start_paused = true)]
async fn a_new_source_is_begun_only_after_the_old_one_has_ended() {
    let world = World::default();
    let mut engine = engine(&world, true);
    for namespace in ["one", "two"] {
        engine.carry_out(Effect::Poll(Box::new(request(namespace))));
        engine.carry_out(Effect::WatchCustomers(namespace.to_owned()));
    }
    let expected = ["poll one begins", "one begins", "poll one ends", "poll two begins", "one ends", "two begins"];
    assert_eq!(world.0.read(), expected);
}

#[tokio::test(start_paused = true)]
async fn who_we_are_is_asked_until_it_is_answered_but_once_in_watch_mode() {
    for (watch, times) in [(true, 1), (false, 5)] {
        let world = World::default();
        let mut engine = engine(&world, watch);
        let end = Instant::now() + ASK_AGAIN * 4 + Duration::from_secs(1);
        while timeout_at(end, engine.step()).await.is_ok() {}
        assert_eq!(world.0.read().len(), times, "watch: {watch}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_want_to_wait_has_the_sources_asked_again_once() {
    let world = World::default();
    let mut engine = engine(&world, true);
    engine.give(Event::RetryWanted);
    engine.give(Event::Tick);
    assert_eq!(world.0.read(), ["hurry"]);
}

fn request(namespace: &str) -> MetricsRequest {
    MetricsRequest {
        source: MetricsSource {
            endpoint: MetricsEndpoint::None,
            auth: Authentication::None,
            names: crate::api::profile_names("app").unwrap(),
            slot_values: ["a".into(), "b".into()],
            interval: None,
        },
        namespace: namespace.to_owned(),
        strangers: Vec::new(),
        gates: Vec::new(),
    }
}

#[test]
fn samples_and_signs_of_life_are_no_reason_for_a_picture_and_changes_are() {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let kube = |change| Event::Kube(core::KubeEvent { kind: ResourceKind::Pod, change });
    assert!(!is_news(&Event::Metrics(crate::model::Batch { at: now, families: std::collections::BTreeMap::new() })));
    assert!(!is_news(&Event::Gates { at: now, answers: Vec::new() }));
    assert!(!is_news(&kube(core::Change::Alive)));
    assert!(is_news(&kube(core::Change::Reset(Vec::new()))));
    assert!(is_news(&kube(core::Change::Failed { why: "gone".to_owned(), answered: false })));
    assert!(is_news(&Event::Wrote { id: OpId(1), outcome: Outcome::Unknown("lost".to_owned()) }));
}
