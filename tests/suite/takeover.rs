//! A verb beside a console that drives, and beside an API server that does not answer for a while.

use crate::verbs::{Shell, next, short, start};
use pilothouse::cli::{Answers, Code, carry_out};
use pilothouse::core::Command;
use pilothouse::sim::Disturbance;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

fn answers(yes: &str, take: Option<&str>) -> Answers {
    Answers { yes: Some(yes.into()), take: take.map(str::to_owned) }
}

/// Starts a release by a console that lives on, as one at a terminal does.
async fn driven() -> (Shell, JoinHandle<()>) {
    let mut shell = Shell::open(&short());
    let mut engine = shell.console(false);
    let (stop, yes) = (CancellationToken::new(), answers("4.12.0", None));
    carry_out(&mut engine, start("4.12.0"), &yes, &stop, &mut Vec::new()).await.unwrap();
    let driver = tokio::spawn(async move {
        loop {
            engine.step().await;
        }
    });
    (shell, driver)
}

async fn driver_of(shell: &Shell) -> String {
    shell.release().await.status.unwrap().driver.unwrap().session
}

#[tokio::test(start_paused = true)]
async fn nobody_is_stopped_for_an_order_that_is_refused_or_not_confirmed() {
    let (mut shell, driver) = driven().await;
    let before = driver_of(&shell).await;
    let take = Some("dana is away");
    let typo = shell.run_with(next(), answers("erly", take)).await.unwrap_err();
    assert!(typo.text.contains("it would have been"), "{typo}");
    let nothing = shell.run_with(Command::Resume, answers("trackx", take)).await.unwrap_err();
    assert!(nothing.text.contains("nothing to resume"), "{nothing}");
    assert_eq!(driver_of(&shell).await, before);
    let without = shell.run_with(next(), answers("early", None)).await.unwrap_err();
    assert_eq!(without.code, Code::NotDriver, "{without}");
    shell.run_with(next(), answers("early", take)).await.unwrap();
    assert_ne!(driver_of(&shell).await, before);
    assert_eq!(shell.phase().await, "BAKING");
    driver.abort();
}

#[tokio::test(start_paused = true)]
async fn what_was_not_read_is_waited_for_and_never_called_absent() {
    let mut shell = Shell::open(&short());
    shell.run(start("4.12.0"), "4.12.0").await.unwrap();
    shell.demo.sim().faults().disturb("GET", "/rolloutplans", Disturbance::Refused(503), u32::MAX);
    for command in [Command::Hold { reason: "stop".into() }, Command::Rollback { reason: "back".into() }, next()] {
        let failed = shell.run(command, "early").await.unwrap_err();
        assert!(failed.text.contains("RolloutPlan has not been read yet ("), "{failed}");
        assert!(!failed.text.contains("there is no") && !failed.text.contains("no release"), "{failed}");
        assert_eq!(failed.code, Code::Unknown);
    }
    let (mut engine, stop, mut said) = (shell.console(false), CancellationToken::new(), Vec::new());
    let nothing = Answers::default();
    let order = carry_out(&mut engine, Command::Hold { reason: "stop".into() }, &nothing, &stop, &mut said);
    let (held, ()) = tokio::join!(order, async {
        sleep(Duration::from_secs(3)).await;
        shell.demo.sim().faults().clear();
    });
    held.unwrap();
    assert_eq!(shell.release().await.spec.hold.unwrap().reason, "stop");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_never_answers_is_said_to_be_away_and_its_code_is_of_its_own() {
    let mut shell = Shell::open(&short());
    shell.demo.sim().faults().disturb("", "", Disturbance::RequestLost, u32::MAX);
    for command in [Command::Hold { reason: "stop".into() }, next()] {
        let failed = shell.run(command, "early").await.unwrap_err();
        assert_eq!(failed.code, Code::Unreachable, "{failed}");
        assert!(failed.text.contains("has not been read yet") && !failed.text.contains("no release"), "{failed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_not_there_is_named_where_a_release_is_looked_for() {
    let mut shell = Shell::open(&crate::stage::shipped("two-plans"));
    let failed = shell.run(Command::Hold { reason: "stop".into() }, "").await.unwrap_err();
    assert!(failed.text.contains("there are several RolloutPlans: name one with --plan"), "{failed}");
}
