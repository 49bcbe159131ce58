//! Verbs in a hurry: what a hold and a rollback do not wait for, and what Ctrl-C keeps from being sent.

use crate::verbs::{Shell, next, short, start};
use pilothouse::cli::{Answers, Code, carry_out};
use pilothouse::core::Command;
use pilothouse::runtime::{VerbEnd, await_picture, drive};
use pilothouse::sim::Disturbance;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// An answer of the metrics source is waited for longer than this.
const SOON: Duration = Duration::from_secs(3);

fn hold() -> Command {
    Command::Hold { reason: "stop".into() }
}

fn rollback() -> Command {
    Command::Rollback { reason: "enough".into() }
}

/// Starts a release, moves a wave, and lets no request to the metrics source be answered any more.
async fn baking_without_metrics() -> Shell {
    let mut shell = Shell::open(&short());
    shell.run(start("4.12.0"), "4.12.0").await.unwrap();
    shell.run(next(), "early").await.unwrap();
    shell.demo.sim().faults().disturb("", "/proxy/", Disturbance::RequestLost, u32::MAX);
    shell
}

/// Returns the writes to the Release so far.
fn to_release(shell: &Shell) -> usize {
    let writes = shell.demo.sim().faults().writes();
    writes.iter().filter(|write| write.path.contains("/releases/")).count()
}

#[tokio::test(start_paused = true)]
async fn a_hold_and_a_rollback_wait_for_no_metrics() {
    let mut shell = baking_without_metrics().await;
    timeout(SOON, shell.run(hold(), "")).await.expect("the hold waits").unwrap();
    assert_eq!(shell.release().await.spec.hold.unwrap().reason, "stop");
    // Its end needs the drain proof, and that needs metrics.
    assert!(timeout(SOON, shell.run(rollback(), "")).await.is_err());
    assert!(shell.phase().await.ends_with("BACK"), "{}", shell.phase().await);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_interrupted_while_it_waits_is_not_given() {
    let mut shell = baking_without_metrics().await;
    shell.run(hold(), "").await.unwrap();
    let before = to_release(&shell);
    let (mut engine, stop, mut said) = (shell.console(false), CancellationToken::new(), Vec::new());
    let yes = Answers { yes: Some("trackx".into()), take: None };
    let resume = carry_out(&mut engine, Command::Resume, &yes, &stop, &mut said);
    let (resumed, ()) = tokio::join!(resume, async {
        sleep(SOON).await;
        stop.cancel();
    });
    let interrupted = resumed.unwrap_err();
    assert_eq!(interrupted.code, Code::Stopped, "{interrupted}");
    assert_eq!(interrupted.text, "interrupted before \"resume\" was ordered: nothing of it was done");
    engine.leave().await;
    assert_eq!(to_release(&shell), before);
    assert!(shell.release().await.spec.hold.is_some());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_given_after_a_signal() {
    let mut shell = baking_without_metrics().await;
    let before = to_release(&shell);
    for command in [hold(), rollback()] {
        let (mut engine, stop) = (shell.console(false), CancellationToken::new());
        assert!(!await_picture(&mut engine, SOON, &stop).await, "there are metrics");
        assert!(engine.preview(&command).refusals.is_empty());
        stop.cancel();
        let end = drive(&mut engine, command, None, &stop, &mut Vec::new()).await;
        assert_eq!(end, VerbEnd::NotGiven);
        engine.leave().await;
    }
    assert_eq!(to_release(&shell), before);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_hangs_holds_an_interrupted_verb_up_for_less_than_two_seconds() {
    let mut shell = baking_without_metrics().await;
    shell.demo.sim().faults().disturb("PATCH", "/releases/", Disturbance::RequestLost, u32::MAX);
    let (mut engine, stop, mut said) = (shell.console(false), CancellationToken::new(), Vec::new());
    let answers = Answers::default();
    let order = carry_out(&mut engine, hold(), &answers, &stop, &mut said);
    let (held, interrupted) = tokio::join!(order, async {
        sleep(Duration::from_secs(1)).await;
        stop.cancel();
        Instant::now()
    });
    engine.leave().await;
    assert!(interrupted.elapsed() < Duration::from_secs(2), "{:?}", interrupted.elapsed());
    assert!(held.unwrap_err().text.starts_with("interrupted: what was begun is left"));
}
