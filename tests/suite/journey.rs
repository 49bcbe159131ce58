//! Whole releases, played by keys from nothing but the advice line and the dialogs.

use crate::robot::{Key, Robot};
use crate::stage::{Stage, shipped};
use pilothouse::runtime::Why;
use std::time::Duration;

const RELEASE: Duration = Duration::from_secs(1200);

fn judge(stage: &Stage) {
    let totals = stage.demo.traffic().totals();
    assert!(totals.started > 0, "there was no traffic to judge");
    assert_eq!(totals.cut, 0, "transactions were cut: {:?}", totals.cut_by_customer);
    assert_eq!(totals.on_two_versions, 0, "a customer was on two versions at once");
    assert!(totals.unserved.is_empty() && totals.unrouted == 0, "requests found no pod: {totals:?}");
}

#[tokio::test(start_paused = true)]
async fn following_the_advice_line_takes_a_release_to_done() {
    let stage = Stage::open(&shipped("good"), (80, 24), false);
    let mut robot = Robot::new("4.12.0", None);
    stage.play(&mut robot, RELEASE).await;
    assert!(robot.refusals.is_empty(), "{:?}", robot.refusals);
    assert_eq!(robot.waves, 6);
    judge(&stage);
    let journal = released(&stage, "Done").await;
    assert!(journal.contains("4.12.0"), "{journal}");
}

#[tokio::test(start_paused = true)]
async fn rolling_back_at_the_second_wave_brings_everybody_back() {
    let stage = Stage::open(&shipped("good"), (80, 24), false);
    let mut robot = Robot::new("4.12.0", Some(2));
    stage.play(&mut robot, RELEASE).await;
    assert_eq!(robot.waves, 2);
    judge(&stage);
    released(&stage, "RolledBack").await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_session_ends_the_console_within_two_seconds() {
    let mut stage = Stage::open(&shipped("good"), (80, 24), false);
    stage.wait_for("4.11.8", Duration::from_secs(20)).await;
    stage.hang_up();
    let (exit, _demo) = stage.ended().await;
    assert!(matches!(exit.why, Why::TerminalLost(_)), "{:?}", exit.why);
}

#[tokio::test(start_paused = true)]
async fn a_signal_ends_the_console() {
    let stage = Stage::open(&shipped("good"), (80, 24), false);
    stage.wait_for("4.11.8", Duration::from_secs(20)).await;
    stage.stop.cancel();
    assert_eq!(stage.ended().await.0.why, Why::Signal);
}

#[tokio::test(start_paused = true)]
async fn no_key_of_a_watch_console_writes_anything() {
    let stage = Stage::open(&shipped("good"), (80, 24), true);
    stage.wait_for("WATCH", Duration::from_secs(20)).await;
    for c in (' '..='~').chain(" snpfrat".chars()) {
        stage.press(&vec![Key::Char(c), Key::Enter, Key::Esc]);
        tokio::time::sleep(Duration::from_millis(600)).await;
        if stage.has_ended() {
            break;
        }
    }
    let writes: Vec<_> = stage.demo.sim().faults().writes();
    assert!(writes.is_empty(), "{writes:?}");
}

/// Returns the finished release's object as text, whose phase must be as given.
async fn released(stage: &Stage, phase: &str) -> String {
    let client = stage.demo.sim().client(pilothouse::sim::NAMESPACE);
    let releases: kube::Api<pilothouse::api::Release> = kube::Api::default_namespaced(client);
    let found = releases.list(&Default::default()).await.unwrap();
    let phases: Vec<String> = found.items.iter().map(|r| format!("{:?}", r.status.as_ref().map(|s| s.phase))).collect();
    assert!(phases.iter().any(|found| found.contains(phase)), "no release is {phase}: {phases:?}");
    serde_json::to_string(&found.items).unwrap()
}
