//! A window that is dragged while keys are typed, and a terminal that nobody reads.

use super::{SMALL, SOON, demo};
use crate::robot::Robot;
use crate::terminal::Next;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long nobody reads.
const UNREAD: Duration = Duration::from_secs(60);

#[test]
fn no_key_is_lost_in_a_storm_of_sizes_and_the_picture_is_right_afterwards() {
    let mut terminal = demo(SMALL);
    terminal.wait_for("STANDBY", SOON);
    let sizes = [(1, 1), (300, 100), (40, 8), (39, 7), (60, 16), (200, 60), (2, 50), (100, 2), (120, 40)];
    for round in 0..40_usize {
        terminal.resize(sizes[round % sizes.len()]);
        // Each leads to another screen and back, so that a lost key would leave the wrong one.
        terminal.type_text(if round % 2 == 0 { "c" } else { "\x1b[B?" });
        sleep(Duration::from_millis((round % 5) as u64 * 7));
        terminal.resize(sizes[(round * 7 + 3) % sizes.len()]);
        terminal.type_text("m");
    }
    terminal.type_text("a");
    terminal.resize(SMALL);
    terminal.wait_for("no release has been started yet", SOON);
    settle(&mut terminal);
    terminal.type_text("q");
    assert_eq!(terminal.exit_code(), 0);
    terminal.assert_restored();
}

/// Waits until drawing every cell again changes nothing: what stands there is what the program thinks stands there.
fn settle(terminal: &mut crate::terminal::Terminal) {
    let words = |text: String| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let end = Instant::now() + SOON;
    loop {
        sleep(Duration::from_millis(400));
        let before = words(terminal.screen());
        terminal.type_text("\x0c");
        sleep(Duration::from_millis(400));
        if before == words(terminal.screen()) {
            return;
        }
        assert!(Instant::now() < end, "the picture was wrong until it was drawn anew:\n{before}");
    }
}

#[test]
fn a_terminal_nobody_reads_for_a_minute_stops_neither_the_release_nor_a_hold() {
    let mut terminal = demo((160, 45));
    let mut robot = Robot::new("4.12.0", None);
    terminal.play(Duration::from_secs(120), |screen| {
        if screen.contains("SHIFTING") || screen.contains("VERIFYING") {
            return Next::Done;
        }
        robot.step(screen).map_or(Next::Look, |keys| Next::Type(keys.iter().map(ToString::to_string).collect()))
    });
    terminal.read(false);
    let unread = Instant::now();
    // Whole pictures, until what the kernel keeps for a reader is full.
    for round in 0..200_u16 {
        terminal.resize((150 + round % 20, 45));
        sleep(Duration::from_millis(30));
    }
    let before = terminal.log();
    let writes = |log: &str| log.matches("write applied").count();
    terminal.type_text("H");
    terminal.wait_for_log("order action=\"release.hold\"", SOON);
    let end = Instant::now() + SOON;
    while writes(&terminal.log()) == writes(&before) {
        assert!(Instant::now() < end, "the hold was not written:\n{}", terminal.log());
        sleep(Duration::from_millis(100));
    }
    sleep(UNREAD.saturating_sub(unread.elapsed()));
    assert!(!terminal.screen().contains("HOLD"), "somebody has read:\n{}", terminal.screen());
    terminal.resize((160, 45));
    terminal.read(true);
    terminal.wait_for("HOLD", SOON);
    terminal.signal("TERM");
    assert_eq!(terminal.exit_code(), 17);
    terminal.wait_for("is HOLD", SOON);
    terminal.assert_restored();
}

#[test]
fn a_terminal_nobody_reads_does_not_keep_the_program_alive() {
    let mut terminal = demo((160, 45));
    terminal.wait_for("STANDBY", SOON);
    terminal.read(false);
    for round in 0..200_u16 {
        terminal.resize((150 + round % 20, 45));
        sleep(Duration::from_millis(20));
    }
    terminal.signal("TERM");
    assert_eq!(terminal.exit_code(), 17);
}
