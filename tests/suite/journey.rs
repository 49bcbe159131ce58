//! Whole releases, played by keys from nothing but the advice line and the dialogs.

use crate::robot::{Key, Robot};
use crate::stage::{Gate, Stage, shipped};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use pilothouse::api::Release;
use pilothouse::core::Command;
use pilothouse::runtime::{Why, last_state, state_in_words};
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
    let journal = released(&stage, "DONE").await;
    assert!(journal.contains("4.12.0"), "{journal}");
}

#[tokio::test(start_paused = true)]
async fn rolling_back_at_the_second_wave_brings_everybody_back() {
    let stage = Stage::open(&shipped("good"), (80, 24), false);
    let mut robot = Robot::new("4.12.0", Some(2));
    stage.play(&mut robot, RELEASE).await;
    assert_eq!(robot.waves, 2);
    judge(&stage);
    released(&stage, "ROLLED BACK").await;
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
async fn a_message_goes_when_its_time_is_over_and_not_with_the_next_second_of_the_clock() {
    let stage = Stage::open(&shipped("good"), (80, 24), false);
    stage.wait_for("4.11.8", Duration::from_secs(60)).await;
    // A moment after a second has begun: the next one would be late.
    let clock = stage.demo.clock();
    let into_second = u64::try_from(clock().as_millisecond().rem_euclid(1_000)).unwrap();
    tokio::time::sleep(Duration::from_millis(1_100 - into_second)).await;
    stage.press(&vec![Key::Char('x')]);
    stage.wait_for("does nothing here", Duration::from_millis(300)).await;
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert!(stage.screen().contains("does nothing here"), "{}", stage.screen());
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(!stage.screen().contains("does nothing here"), "{}", stage.screen());
}

#[tokio::test(start_paused = true)]
async fn a_signal_ends_the_console() {
    let stage = Stage::open(&shipped("good"), (80, 24), false);
    stage.wait_for("4.11.8", Duration::from_secs(20)).await;
    stage.stop.cancel();
    assert_eq!(stage.ended().await.0.why, Why::Signal);
}

#[tokio::test(start_paused = true)]
async fn a_console_that_hides_names_hides_them_also_in_its_last_line() {
    let stage = Stage::private(&shipped("good"), (120, 40));
    let start = Command::Start { release: None, version: Some("4.12.0".into()), image: None, commit: None };
    stage.order(start, "4.12.0").await;
    stage.order(Command::Hold { reason: "acme and trackx call".into() }, "").await;
    stage.wait_for("HOLD", Duration::from_secs(10)).await;
    assert!(!stage.screen().contains("acme"), "{}", stage.screen());
    stage.stop.cancel();
    let words = state_in_words(&stage.ended().await.0.view);
    assert!(words.contains(" and trackx call") && !words.contains("acme"), "{words}");
    assert!(!last_state().contains("acme"), "{}", last_state());
}

/// In real time: while a thread is stuck in a write, a paused clock stands still.
#[tokio::test]
async fn a_terminal_that_reads_nothing_does_not_keep_a_hold_or_the_end_from_happening() {
    let (permit, gate) = std::sync::mpsc::channel();
    for _ in 0..40 {
        permit.send(()).unwrap();
    }
    let mut scenario = shipped("good");
    scenario.timing.pod_start = 0.1;
    let stage = Stage::open_behind(&scenario, (80, 24), false, Box::new(Permits(gate)));
    let mut robot = Robot::new("4.12.0", None);
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while phase(&stage).await.is_empty() {
        assert!(std::time::Instant::now() < end, "the release does not begin:\n{}", stage.screen());
        tokio::time::sleep(Duration::from_millis(50)).await;
        permit.send(()).unwrap();
        if let Some(keys) = robot.step(&stage.screen()) {
            stage.press(&keys);
        }
    }
    // From here on the terminal reads nothing any more.
    stage.press(&vec![Key::Char('H')]);
    let held = async {
        while !is_held(&stage).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), held).await.expect("a hold works on a stuck terminal");
    stage.stop.cancel();
    let (exit, _demo) = stage.ended().await;
    assert_eq!(exit.why, Why::Signal);
    drop(permit);
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

#[tokio::test(start_paused = true)]
async fn ten_thousand_random_keys_in_watch_mode_write_nothing() {
    let stage = Stage::open(&shipped("good"), (80, 24), true);
    stage.wait_for("WATCH", Duration::from_secs(20)).await;
    let named = [
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Backspace,
        KeyCode::Down,
        KeyCode::F(5),
    ];
    let mut seed: u64 = 7;
    for round in 0..100 {
        for _ in 0..100 {
            // Numbers as good as any, the same in every run.
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (kind, value) = (seed >> 60, (seed >> 33) as u32);
            let letter = char::from_u32(0x20 + value % 0x5f).unwrap();
            let (code, held) = match kind {
                0 => (named[value as usize % named.len()], KeyModifiers::NONE),
                1 => (KeyCode::Char(letter.to_ascii_lowercase()), KeyModifiers::CONTROL),
                _ => (KeyCode::Char(letter), KeyModifiers::NONE),
            };
            // What leaves ends the run, and is tested elsewhere.
            if !matches!(code, KeyCode::Char('q' | 'c')) || (held.is_empty() && code == KeyCode::Char('c')) {
                stage.send(Event::Key(KeyEvent::new(code, held)));
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!stage.has_ended(), "round {round}:\n{}", stage.screen());
    }
    let writes: Vec<_> = stage.demo.sim().faults().writes();
    assert!(writes.is_empty(), "{writes:?}");
}

/// Permissions to write, one each; without a giver everything passes.
struct Permits(std::sync::mpsc::Receiver<()>);

impl Gate for Permits {
    fn pass(&self) {
        // A giver that went away lets everything through.
        let _ = self.0.recv();
    }
}

async fn releases(stage: &Stage) -> Vec<Release> {
    let client = stage.demo.sim().client(pilothouse::sim::NAMESPACE);
    kube::Api::default_namespaced(client).list(&kube::api::ListParams::default()).await.unwrap().items
}

async fn phase(stage: &Stage) -> String {
    let phases = releases(stage).await;
    phases.iter().filter_map(|release| Some(release.status.as_ref()?.phase.word())).collect::<Vec<_>>().join(", ")
}

async fn is_held(stage: &Stage) -> bool {
    releases(stage).await.iter().any(|release| release.spec.hold.is_some())
}

/// Returns the finished release's object as text, whose phase must be as given.
async fn released(stage: &Stage, expected: &str) -> String {
    assert_eq!(phase(stage).await, expected);
    serde_json::to_string(&releases(stage).await).unwrap()
}
