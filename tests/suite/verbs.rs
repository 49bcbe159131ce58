//! Whole releases by command-line verbs, each a console of its own, on the embedded cluster and paused time.

use crate::stage::shipped;
use pilothouse::api::Release;
use pilothouse::cli::{Answers, Code, Demo, Failure, carry_out, json, text};
use pilothouse::core::{Command, View};
use pilothouse::runtime::{Engine, await_picture};
use pilothouse::sim::{NAMESPACE, Scenario};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// A person who types one verb after the other.
struct Shell {
    demo: Demo,
    consoles: u64,
    said: Vec<u8>,
}

impl Shell {
    fn open(scenario: &Scenario) -> Self {
        let demo = Demo::start(scenario, "2026-05-04T03:00:00Z".parse().unwrap()).unwrap();
        Self { demo, consoles: 0, said: Vec::new() }
    }

    fn console(&mut self, watch: bool) -> Engine {
        self.consoles += 1;
        let (setup, links) = self.demo.console("shell@test".into(), format!("{:016x}", self.consoles), watch);
        Engine::open(setup, self.demo.clock(), links)
    }

    async fn run(&mut self, command: Command, yes: &str) -> Result<String, Failure> {
        let answers = Answers { yes: (!yes.is_empty()).then(|| yes.to_owned()), take: None };
        self.run_with(command, answers).await
    }

    async fn run_with(&mut self, command: Command, answers: Answers) -> Result<String, Failure> {
        let mut engine = self.console(false);
        let stop = CancellationToken::new();
        let order = carry_out(&mut engine, command.clone(), &answers, &stop, &mut self.said);
        let end = timeout(Duration::from_secs(300), order).await;
        let Ok(end) = end else {
            let said = String::from_utf8_lossy(&self.said);
            panic!("{command:?} does not end; it said:\n{said}\n{}", text(&engine.view()));
        };
        engine.leave().await;
        end
    }

    async fn status(&mut self) -> View {
        let mut engine = self.console(true);
        assert!(await_picture(&mut engine, Duration::from_secs(8), &CancellationToken::new()).await);
        engine.view()
    }

    /// Lets time pass until the bake of the demo's waves is over.
    async fn bake(&self) {
        sleep(Duration::from_secs(25)).await;
    }

    async fn phase(&self) -> String {
        let releases: kube::Api<Release> = kube::Api::default_namespaced(self.demo.sim().client(NAMESPACE));
        let found = releases.list(&kube::api::ListParams::default()).await.unwrap().items;
        found[0].status.as_ref().map_or("Proposed", |status| status.phase.word()).to_owned()
    }
}

fn start(version: &str) -> Command {
    Command::Start { release: None, version: Some(version.into()), image: None, commit: None }
}

fn next() -> Command {
    Command::Next { accept_no_traffic: None }
}

#[tokio::test(start_paused = true)]
async fn verbs_take_a_release_to_its_end_one_console_each() {
    let mut shell = Shell::open(&short());
    assert_eq!(shell.run(start("4.12.0"), "4.11.0").await.unwrap_err().code, Code::Refused, "the word is not that");
    shell.run(start("4.12.0"), "4.12.0").await.unwrap();
    for ring in ["early", "main"] {
        shell.run(next(), ring).await.unwrap();
        shell.bake().await;
    }
    shell.run(Command::Promote { accept_no_traffic: None }, "unlisted").await.unwrap();
    shell.bake().await;
    shell.run(Command::Finish, "trackx").await.unwrap();
    assert_eq!(shell.phase().await, "DONE");
    let totals = shell.demo.traffic().totals();
    assert_eq!((totals.cut, totals.on_two_versions), (0, 0));
    let said = String::from_utf8(shell.said).unwrap();
    assert!(said.lines().count() > 5, "progress is said: {said}");
}

#[tokio::test(start_paused = true)]
async fn a_hold_stops_the_next_wave_until_somebody_resumes_and_rollback_needs_no_word() {
    let mut shell = Shell::open(&short());
    shell.run(start("4.12.0"), "4.12.0").await.unwrap();
    shell.run(Command::Hold { reason: "a look first".into() }, "").await.unwrap();
    let refused = shell.run(next(), "early").await.unwrap_err();
    assert_eq!(refused.code, Code::Held, "{refused}");
    assert!(refused.text.contains("a look first"), "{refused}");
    let view = shell.status().await;
    assert_eq!(view.header.state, "HOLD");
    shell.run(Command::Resume, "trackx").await.unwrap();
    shell.run(next(), "early").await.unwrap();
    shell.run(Command::Rollback { reason: "enough".into() }, "").await.unwrap();
    assert_eq!(shell.phase().await, "ROLLED BACK");
}

#[tokio::test(start_paused = true)]
async fn a_wave_that_still_bakes_is_not_followed_by_the_next() {
    let mut shell = Shell::open(&shipped("good"));
    shell.run(start("4.12.0"), "4.12.0").await.unwrap();
    shell.run(next(), "internal").await.unwrap();
    let refused = shell.run(next(), "pilot").await.unwrap_err();
    assert_eq!(refused.code, Code::Refused, "{refused}");
    assert!(refused.text.contains("bake"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn while_another_console_drives_a_step_needs_a_reason_to_take_over() {
    let mut shell = Shell::open(&short());
    let mut driver = shell.console(false);
    let stop = CancellationToken::new();
    let mut said = Vec::new();
    let yes = Answers { yes: Some("4.12.0".into()), take: None };
    carry_out(&mut driver, start("4.12.0"), &yes, &stop, &mut said).await.unwrap();
    let lives = tokio::spawn(async move {
        loop {
            driver.step().await;
        }
    });
    let refused = shell.run(next(), "early").await.unwrap_err();
    assert_eq!(refused.code, Code::NotDriver, "{refused}");
    let answers = Answers { yes: Some("early".into()), take: Some("dana's laptop is closed".into()) };
    shell.run_with(next(), answers).await.unwrap();
    lives.abort();
}

#[tokio::test(start_paused = true)]
async fn nothing_to_hold_is_a_refusal_and_nobody_is_asked() {
    let mut shell = Shell::open(&short());
    let refused = shell.run(Command::Hold { reason: "?".into() }, "").await.unwrap_err();
    assert_eq!(refused.code, Code::Refused);
    assert!(refused.text.contains("no release is under way"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn status_says_the_same_to_people_and_programs() {
    let mut shell = Shell::open(&short());
    let view = shell.status().await;
    let lines = text(&view);
    assert!(lines.contains("embedded/trackx") && lines.contains("serving 4.11.8"), "{lines}");
    assert!(lines.contains("now: no release is under way"), "{lines}");
    let value: serde_json::Value = serde_json::from_str(&json(&view).unwrap()).unwrap();
    assert_eq!(value["header"]["oldVersion"], "4.11.8");
    assert!(shell.demo.sim().faults().writes().is_empty(), "looking writes nothing");
}

/// Returns the scenario of the real-time tests: two waves.
fn short() -> Scenario {
    Scenario::parse(include_str!("../pty/short.toml")).unwrap()
}
