//! Break-glass: the way back when the record, the driver and the plan are gone.

use pilothouse::api::{Release, RolloutPlan};
use pilothouse::cli::{Answers, Code, Demo, Glass, break_glass, carry_out};
use pilothouse::cluster::{DriveClient, ReadClient};
use pilothouse::core::Command;
use pilothouse::model::Slot;
use pilothouse::runtime::Engine;
use pilothouse::sim::{Account, Grant, NAMESPACE, Rights, Scenario};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Brings the demo to a baking first wave.
async fn baking() -> Demo {
    let scenario = Scenario::parse(include_str!("../pty/short.toml")).unwrap();
    let demo = Demo::start(&scenario, "2026-05-04T03:00:00Z".parse().unwrap()).unwrap();
    let (setup, links) = demo.console("shell@test".into(), "00000000000000aa".into(), false);
    let mut engine = Engine::open(setup, demo.clock(), links);
    let start = Command::Start { release: None, version: Some("4.12.0".into()), image: None, commit: None };
    for (command, word) in [(start, "4.12.0"), (Command::Next { accept_no_traffic: None }, "early")] {
        let answers = Answers { yes: Some(word.into()), take: None };
        let stop = CancellationToken::new();
        carry_out(&mut engine, command, &answers, &stop, &mut Vec::new()).await.unwrap();
    }
    engine.leave().await;
    demo
}

/// Nothing was said on the command line, and nobody can be asked.
const NOBODY: Glass<'static> = Glass { route: None, phrase: None, ask: &|_| None };

/// Clients of somebody who may read and patch HTTPRoutes, and nothing else.
fn clients(demo: &Demo) -> (ReadClient, DriveClient) {
    let grant = |verbs: &[&str]| Grant {
        verbs: verbs.iter().map(|v| (*v).to_owned()).collect(),
        resources: vec!["httproutes".to_owned()],
    };
    let account = Account { user: "breaker".into(), rights: Rights::Only(vec![grant(&["get", "list", "patch"])]) };
    let client = demo.sim().client_as(account, NAMESPACE);
    (ReadClient::from_client(client.clone(), NAMESPACE), DriveClient::from_client(client, NAMESPACE))
}

#[tokio::test(start_paused = true)]
async fn it_needs_neither_release_nor_plan_and_cuts_nobody() {
    let demo = baking().await;
    let client = demo.sim().client(NAMESPACE);
    let gone = kube::api::DeleteParams::default();
    kube::Api::<Release>::default_namespaced(client.clone()).delete("trackx-4-12-0", &gone).await.unwrap();
    kube::Api::<RolloutPlan>::default_namespaced(client).delete("trackx", &gone).await.unwrap();

    let (read, drive) = clients(&demo);
    let said = break_glass(&read, &drive, NOBODY, &mut Vec::new()).await.unwrap();
    assert!(said.contains("HTTPRoute trackx"), "{said}");
    sleep(Duration::from_secs(5)).await;
    let back = demo.clock()() - Duration::from_secs(2);
    let totals = demo.traffic().totals();
    for (customer, last) in &totals.last_start {
        assert!(last.get(&Slot::B).is_none_or(|at| *at < back), "{customer} still goes to the new version");
    }
    assert_eq!((totals.cut, totals.on_two_versions), (0, 0));
    assert!(totals.last_start.values().any(|last| last.contains_key(&Slot::B)), "nobody had moved");
}

#[tokio::test(start_paused = true)]
async fn without_a_marked_route_it_says_so_and_writes_nothing() {
    let scenario = Scenario::parse(include_str!("../pty/short.toml")).unwrap();
    let demo = Demo::start(&scenario, "2026-05-04T03:00:00Z".parse().unwrap()).unwrap();
    let (read, drive) = clients(&demo);
    let refused = break_glass(&read, &drive, NOBODY, &mut Vec::new()).await.unwrap_err();
    assert_eq!(refused.code, Code::Refused);
    assert!(demo.sim().faults().writes().is_empty());
}

/// Brings the demo to its end: the old version is retired.
async fn done() -> Demo {
    let demo = baking().await;
    let (setup, links) = demo.console("shell@test".into(), "00000000000000ab".into(), false);
    let mut engine = Engine::open(setup, demo.clock(), links);
    let next = Command::Next { accept_no_traffic: None };
    let orders = [
        (next, Some("main")),
        (Command::Promote { accept_no_traffic: None }, Some("unlisted")),
        (Command::Finish, Some("trackx")),
    ];
    for (command, word) in orders {
        sleep(Duration::from_secs(10)).await;
        let answers = Answers { yes: word.map(str::to_owned), take: Some("test".into()) };
        carry_out(&mut engine, command, &answers, &CancellationToken::new(), &mut Vec::new()).await.unwrap();
    }
    engine.leave().await;
    demo
}

/// Somebody scales the old version up again and waits for it.
async fn scale_up(demo: &Demo) {
    let deployments: kube::Api<k8s_openapi::api::apps::v1::Deployment> =
        kube::Api::default_namespaced(demo.sim().client(NAMESPACE));
    let patch = serde_json::json!({ "spec": { "replicas": 2 } });
    let how = kube::api::PatchParams::default();
    deployments.patch("trackx", &how, &kube::api::Patch::Merge(patch)).await.unwrap();
    sleep(Duration::from_secs(10)).await;
}

/// Clients of somebody who may do everything.
fn everything(demo: &Demo) -> (ReadClient, DriveClient) {
    let client = demo.sim().client(NAMESPACE);
    (ReadClient::from_client(client.clone(), NAMESPACE), DriveClient::from_client(client, NAMESPACE))
}

#[tokio::test(start_paused = true)]
async fn a_retired_version_gets_nobody_without_the_phrase_that_overrides_it() {
    let demo = done().await;
    let (read, drive) = clients(&demo);
    let writes = demo.sim().faults().writes().len();
    let refused = break_glass(&read, &drive, NOBODY, &mut Vec::new()).await.unwrap_err();
    assert_eq!(refused.code, Code::Refused);
    for said in
        ["start 4.11.8 again", "--phrase \"override 4.11.8\"", "a console may be scaling the old version down now"]
    {
        assert!(refused.text.contains(said), "{}", refused.text);
    }
    let asked = std::sync::Mutex::new(String::new());
    let wrong = |question: &str| {
        question.clone_into(&mut asked.lock().unwrap());
        Some("override".to_owned())
    };
    let refused = break_glass(&read, &drive, Glass { ask: &wrong, ..NOBODY }, &mut Vec::new()).await.unwrap_err();
    assert_eq!(refused.code, Code::Refused);
    let question = asked.into_inner().unwrap();
    assert!(question.contains("Who can patch deployments should take over and roll back instead"), "{question}");
    assert!(question.contains("is not known: its endpoints cannot be read"), "{question}");
    // Who may look at the endpoints is not let into an outage that is certain.
    let (read, drive) = everything(&demo);
    let phrase = Some("override 4.11.8");
    let refused = break_glass(&read, &drive, Glass { phrase, ..NOBODY }, &mut Vec::new()).await.unwrap_err();
    assert_eq!(refused.code, Code::Refused);
    assert!(refused.text.contains("Service trackx has no ready endpoint"), "{}", refused.text);
    assert_eq!(demo.sim().faults().writes().len(), writes, "nothing was written");
}

#[tokio::test(start_paused = true)]
async fn a_retired_version_that_runs_again_gets_everybody_by_the_typed_phrase() {
    let demo = done().await;
    scale_up(&demo).await;
    for (read, drive) in [clients(&demo), everything(&demo)] {
        let mut out = Vec::new();
        let typed = |_: &str| Some("override 4.11.8".to_owned());
        let said = break_glass(&read, &drive, Glass { ask: &typed, ..NOBODY }, &mut out).await.unwrap();
        assert!(said.contains("the old version 4.11.8, although it was retired"), "{said}");
        assert_eq!(String::from_utf8(out).unwrap(), "  HTTPRoute/trackx is back\n");
    }
    sleep(Duration::from_secs(5)).await;
    let back = demo.clock()() - Duration::from_secs(2);
    let totals = demo.traffic().totals();
    for (customer, last) in &totals.last_start {
        assert!(last.get(&Slot::B).is_none_or(|at| *at < back), "{customer} still goes to the new version");
    }
    assert!(totals.last_start.values().any(|last| last.get(&Slot::A).is_some_and(|at| *at > back)));
    assert_eq!((totals.cut, totals.on_two_versions), (0, 0));
}
