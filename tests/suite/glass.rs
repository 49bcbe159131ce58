//! Break-glass: the way back when the record, the driver and the plan are gone.

use pilothouse::api::{Release, RolloutPlan};
use pilothouse::cli::{Answers, Code, Demo, break_glass, carry_out};
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
    let said = break_glass(&read, &drive, None, &mut Vec::new()).await.unwrap();
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
    let refused = break_glass(&read, &drive, None, &mut Vec::new()).await.unwrap_err();
    assert_eq!(refused.code, Code::Refused);
    assert!(demo.sim().faults().writes().is_empty());
}
