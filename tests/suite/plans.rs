//! Two plans in one namespace: what a release of one makes of the other's pods, series, errors and open streams.

use pilothouse::cli::{Answers, Code, Demo, Failure, carry_out};
use pilothouse::core::{Command, Event, Verdict, View};
use pilothouse::runtime::{Engine, await_picture};
use pilothouse::sim::Scenario;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

fn two_plans() -> Scenario {
    Scenario::parse(include_str!("../../assets/scenarios/two-plans.toml")).unwrap()
}

/// The same with less to compute.
fn calm() -> Scenario {
    let mut scenario = two_plans();
    scenario.app.rps = 60.0;
    scenario.neighbour.iter_mut().for_each(|app| app.rps = 50.0);
    scenario
}

fn open(scenario: &Scenario) -> Demo {
    Demo::start(scenario, "2026-05-04T03:00:00Z".parse().unwrap()).unwrap()
}

/// A console on a plan, or on none in particular.
fn console(demo: &Demo, plan: Option<&str>, number: u64, watch: bool) -> Engine {
    let (mut setup, links) = demo.console("shell@test".into(), format!("{number:016x}"), watch);
    setup.plan = plan.map(str::to_owned);
    Engine::open(setup, demo.clock(), links)
}

async fn carry(engine: &mut Engine, command: Command, word: &str) -> Result<String, Failure> {
    let answers = Answers { yes: Some(word.to_owned()), take: None };
    let (mut said, stop) = (Vec::new(), CancellationToken::new());
    let order = carry_out(engine, command.clone(), &answers, &stop, &mut said);
    let end = timeout(Duration::from_secs(400), order).await;
    end.unwrap_or_else(|_| panic!("{command:?} does not end; it said:\n{}", String::from_utf8_lossy(&said)))
}

/// Lets time pass at a console, and looks at every picture of it.
async fn pass(engine: &mut Engine, seconds: u64, mut look: impl FnMut(&View)) {
    for _ in 0..seconds {
        let _ = timeout(Duration::from_secs(1), async {
            loop {
                engine.step().await;
            }
        })
        .await;
        look(&engine.view());
    }
}

/// Takes the release of a plan to its end, one ring after the other.
async fn release(demo: &Demo, plan: &str, version: &str, rings: &[&str], number: u64) {
    let mut engine = console(demo, Some(plan), number, false);
    let start = Command::Start { release: None, version: Some(version.into()), image: None, commit: None };
    carry(&mut engine, start, version).await.unwrap();
    let next = || Command::Next { accept_no_traffic: None };
    for ring in rings {
        carry(&mut engine, next(), ring).await.unwrap();
        // The wave bakes; the neighbour's errors fail no gate of this plan.
        let mut failed = Vec::new();
        pass(&mut engine, 25, |view| {
            failed.extend(view.gates.iter().filter(|gate| gate.verdict == Verdict::Fail).cloned());
        })
        .await;
        assert!(failed.is_empty(), "{plan} {ring}: {failed:?}");
    }
    carry(&mut engine, Command::Promote { accept_no_traffic: None }, "unlisted").await.unwrap();
    pass(&mut engine, 25, |_| {}).await;
    carry(&mut engine, Command::Finish, plan).await.unwrap();
    assert_eq!(engine.view().header.plan, plan);
    engine.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_release_beside_a_neighbour_with_errors_and_open_streams_is_neither_stopped_nor_held_up_by_him() {
    let demo = open(&calm());
    sleep(Duration::from_secs(10)).await;
    release(&demo, "trackx", "4.12.0", &["pilot", "main", "main"], 1).await;
    let (ours, theirs) = (demo.traffic().totals(), demo.traffic().totals_of(1).unwrap());
    assert_eq!((ours.cut, ours.on_two_versions, ours.unserved.len()), (0, 0, 0), "{ours:?}");
    assert_eq!((theirs.cut, theirs.on_two_versions, theirs.unserved.len()), (0, 0, 0), "{theirs:?}");
    // The neighbour serves as before, with his errors and streams.
    let mut engine = console(&demo, Some("billing"), 2, true);
    assert!(await_picture(&mut engine, Duration::from_secs(8), &CancellationToken::new()).await);
    pass(&mut engine, 5, |_| {}).await;
    let view = engine.view();
    assert_eq!((view.header.plan.as_str(), view.header.old_version.as_str()), ("billing", "2.3.0"));
    assert!(view.errors.last.1.is_some_and(|ratio| ratio > 0.01), "{:?}", view.errors.last);
}

#[tokio::test(start_paused = true)]
async fn two_plans_are_released_at_the_same_time_by_two_consoles() {
    let mut scenario = calm();
    // His own release would not get past his own errors.
    scenario.fault.clear();
    let demo = open(&scenario);
    sleep(Duration::from_secs(10)).await;
    tokio::join!(
        release(&demo, "trackx", "4.12.0", &["pilot", "main", "main"], 1),
        release(&demo, "billing", "2.4.0", &["early", "rest"], 2),
    );
    for app in 0..2 {
        let totals = demo.traffic().totals_of(app).unwrap();
        assert_eq!((totals.cut, totals.on_two_versions, totals.unserved.len()), (0, 0, 0), "{app} {totals:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_console_counts_is_its_own_plans() {
    let demo = open(&two_plans());
    let mut seen = Vec::new();
    for (number, plan) in [(1, "trackx"), (2, "billing")] {
        let mut engine = console(&demo, Some(plan), number, true);
        assert!(await_picture(&mut engine, Duration::from_secs(8), &CancellationToken::new()).await);
        pass(&mut engine, 20, |_| {}).await;
        let view = engine.view();
        seen.push((view.requests.last.1.unwrap(), view.errors.last.1.unwrap(), view.drain.inflight.unwrap()));
    }
    let [(trackx, clean, _), (billing, failing, _)] = seen[..] else { panic!("{seen:?}") };
    // 120 and 80 requests a second, one in ten for what is not released, and the neighbour's 5 % of errors.
    assert!((80.0..130.0).contains(&trackx) && (50.0..90.0).contains(&billing), "{seen:?}");
    assert!(clean == 0.0 && failing > 0.02, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_name_nothing_is_started_and_a_console_lists_both_plans() {
    let demo = open(&two_plans());
    let mut engine = console(&demo, None, 1, false);
    let start = Command::Start { release: None, version: Some("4.12.0".into()), image: None, commit: None };
    let refused = carry(&mut engine, start, "4.12.0").await.unwrap_err();
    assert_eq!(refused.code, Code::Refused);
    assert!(refused.text.contains("name one with --plan (billing, trackx)"), "{}", refused.text);
    let plans: Vec<String> = engine.view().plans.into_iter().map(|plan| plan.name).collect();
    assert_eq!(plans, ["billing", "trackx"]);
    engine.give(Event::Plan("trackx".into()));
    pass(&mut engine, 10, |_| {}).await;
    let view = engine.view();
    assert_eq!((view.header.plan.as_str(), view.proposed.len(), view.plans.len()), ("trackx", 1, 0));
}
