//! Whole releases by command-line verbs, each a console of its own, on the embedded cluster and paused time.

use crate::stage::shipped;
use pilothouse::api::{Release, RolloutPlan};
use pilothouse::cli::{Answers, Code, Demo, ExportArgs, Failure, Form, ListName, carry_out, export, json, text};
use pilothouse::core::{Command, View};
use pilothouse::runtime::{Engine, await_picture};
use pilothouse::sim::{NAMESPACE, Scenario};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// A person who types one verb after the other.
pub struct Shell {
    pub demo: Demo,
    consoles: u64,
    said: Vec<u8>,
}

impl Shell {
    pub fn open(scenario: &Scenario) -> Self {
        let demo = Demo::start(scenario, "2026-05-04T03:00:00Z".parse().unwrap()).unwrap();
        Self { demo, consoles: 0, said: Vec::new() }
    }

    pub fn console(&mut self, watch: bool) -> Engine {
        self.consoles += 1;
        let (setup, links) = self.demo.console("shell@test".into(), format!("{:016x}", self.consoles), watch);
        Engine::open(setup, self.demo.clock(), links)
    }

    pub async fn run(&mut self, command: Command, yes: &str) -> Result<String, Failure> {
        let answers = Answers { yes: (!yes.is_empty()).then(|| yes.to_owned()), take: None };
        self.run_with(command, answers).await
    }

    pub async fn run_with(&mut self, command: Command, answers: Answers) -> Result<String, Failure> {
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

    async fn export(&mut self, list: ListName, output: Option<Form>, privacy: bool) -> Result<String, Failure> {
        let mut engine = self.console(true);
        assert!(await_picture(&mut engine, Duration::from_secs(8), &CancellationToken::new()).await);
        export(&engine, &ExportArgs { list, output, privacy })
    }

    /// Lets time pass until the bake of the demo's waves is over.
    async fn bake(&self) {
        sleep(Duration::from_secs(25)).await;
    }

    pub async fn phase(&self) -> String {
        self.release().await.status.as_ref().map_or("Proposed", |status| status.phase.word()).to_owned()
    }

    pub async fn release(&self) -> Release {
        let releases: kube::Api<Release> = kube::Api::default_namespaced(self.demo.sim().client(NAMESPACE));
        releases.list(&kube::api::ListParams::default()).await.unwrap().items.remove(0)
    }
}

pub fn start(version: &str) -> Command {
    Command::Start { release: None, version: Some(version.into()), image: None, commit: None }
}

pub fn next() -> Command {
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
async fn lists_are_printed_in_the_forms_they_have_and_with_signs_instead_of_names() {
    let mut shell = Shell::open(&short());
    shell.run(start("4.12.0"), "4.12.0").await.unwrap();
    let customers = shell.export(ListName::Customers, None, false).await.unwrap();
    let names: Vec<String> =
        customers.lines().skip(1).map(|line| line.split(',').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(names.len(), shell.status().await.customers.len());
    let private = shell.export(ListName::Customers, Some(Form::Csv), true).await.unwrap();
    assert_eq!(private.lines().count(), names.len() + 1);
    let audit = shell.export(ListName::Audit, None, false).await.unwrap();
    assert!(audit.starts_with("# Audit of trackx") && audit.contains("chain of hashes: unbroken"), "{audit}");
    let audit = shell.export(ListName::Audit, Some(Form::Json), true).await.unwrap();
    for name in &names {
        assert!(!private.contains(name) && !audit.contains(&format!("\"{name}\"")), "{name}");
    }
    let releases = shell.export(ListName::Releases, Some(Form::Json), false).await.unwrap();
    let value: serde_json::Value = serde_json::from_str(&releases).unwrap();
    assert_eq!((&value["releases"][0]["version"], &value["delivery"]["days"]), (&"4.12.0".into(), &30.into()));
    let refused = shell.export(ListName::Releases, Some(Form::Md), false).await.unwrap_err();
    assert_eq!((refused.code, refused.text.as_str()), (Code::Usage, "this list has no form md: take csv or json"));
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

#[tokio::test(start_paused = true)]
async fn without_its_plan_a_release_is_shown_held_and_rolled_back() {
    let mut shell = Shell::open(&short());
    shell.run(start("4.12.0"), "4.12.0").await.unwrap();
    shell.run(next(), "early").await.unwrap();
    let plans: kube::Api<RolloutPlan> = kube::Api::default_namespaced(shell.demo.sim().client(NAMESPACE));
    plans.delete("trackx", &kube::api::DeleteParams::default()).await.unwrap();
    let view = shell.status().await;
    assert_eq!((view.header.state.as_str(), view.header.new_version.as_str()), ("BAKING", "4.12.0"));
    assert!(view.notices.iter().any(|n| n.text.starts_with("RolloutPlan trackx is gone")), "{:?}", view.notices);
    shell.run(Command::Hold { reason: "who deleted the plan".into() }, "").await.unwrap();
    assert_eq!(shell.status().await.header.state, "HOLD");
    shell.run(Command::Rollback { reason: "back first".into() }, "").await.unwrap();
    assert_eq!(shell.phase().await, "ROLLED BACK");
    assert_eq!((shell.demo.traffic().totals().cut, shell.demo.traffic().totals().on_two_versions), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_never_ends_is_said_and_forced_with_its_phrase_and_its_customer_is_named() {
    let hung = "[[fault]]\nat = \"t 1s\"\nkind = \"hung\"\nslot = \"old\"\ncustomer = \"acme\"\nfor = \"forever\"\n";
    let scenario = format!("{}\n{hung}", include_str!("../pty/short.toml").replace("patience = 60", "patience = 5"));
    let mut shell = Shell::open(&Scenario::parse(&scenario).unwrap());
    shell.run(start("4.12.0"), "4.12.0").await.unwrap();
    for ring in ["early", "main"] {
        shell.run(next(), ring).await.unwrap();
        shell.bake().await;
    }
    shell.run(Command::Promote { accept_no_traffic: None }, "unlisted").await.unwrap();
    shell.bake().await;
    let stop = CancellationToken::new();
    let mut engine = shell.console(false);
    let yes = Answers { yes: Some("trackx".into()), take: None };
    let mut said = Vec::new();
    let finish = carry_out(&mut engine, Command::Finish, &yes, &stop, &mut said);
    let interrupted = tokio::join!(finish, async {
        sleep(Duration::from_secs(30)).await;
        stop.cancel();
    });
    assert_eq!(interrupted.0.unwrap_err().code, Code::Stopped);
    engine.leave().await;
    assert_eq!(shell.phase().await, "DRAINING OLD");
    let status = text(&shell.status().await);
    assert!(status.contains("drain of 4.11.8: not proven: 1 request, oldest"), "{status}");

    let force = || Command::Force { reason: "acme has agreed".into() };
    let wrong = shell.run(force(), "cut 2 on old").await.unwrap_err();
    assert_eq!((wrong.code, shell.phase().await.as_str()), (Code::Refused, "DRAINING OLD"));
    shell.run(force(), "cut 1 on old").await.unwrap();
    assert_eq!(shell.phase().await, "DONE");
    let totals = shell.demo.traffic().totals();
    assert_eq!((totals.cut, totals.cut_by_customer.keys().map(String::as_str).collect::<Vec<_>>()), (1, vec!["acme"]));
    let outcome = shell.release().await.status.unwrap().outcome.unwrap();
    assert_eq!((outcome.cut, outcome.forced_on), (1, vec!["acme".into()]));
}

/// Returns the scenario of the real-time tests: two waves.
pub fn short() -> Scenario {
    Scenario::parse(include_str!("../pty/short.toml")).unwrap()
}
