#![allow(clippy::disallowed_methods)] // A real program on a real terminal: time is real, too.

//! The real program in real time on a real pseudo terminal. Run by name: `cargo test --test pty`.

mod lost;
mod panics;
#[path = "../robot/mod.rs"]
mod robot;
mod stopped;
mod storm;
mod terminal;

use robot::Robot;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use terminal::{Next, Terminal};

const SOON: Duration = Duration::from_secs(30);
const SMALL: (u16, u16) = (80, 24);

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pty/short.toml");

fn demo(size: (u16, u16)) -> Terminal {
    Terminal::start(&["demo", "--scenario", SCENARIO], size)
}

#[test]
fn the_demo_opens_and_leaving_brings_the_terminal_back() {
    let mut terminal = demo(SMALL);
    terminal.wait_for("STANDBY", SOON);
    terminal.wait_for("4.11.8", SOON);
    terminal.type_text("q");
    assert_eq!(terminal.exit_code(), 0);
    terminal.wait_for("No release is under way.", SOON);
    terminal.assert_restored();
}

#[test]
fn a_signal_brings_the_terminal_back_and_says_so_in_the_exit_code() {
    for signal in ["TERM", "HUP", "INT", "QUIT"] {
        let mut terminal = demo(SMALL);
        terminal.wait_for("STANDBY", SOON);
        terminal.signal(signal);
        assert_eq!(terminal.exit_code(), 17, "{signal}");
        terminal.wait_for("ended by a signal", SOON);
        terminal.assert_restored();
    }
}

#[test]
fn an_export_is_a_new_file_for_its_owner_alone() {
    let mut terminal = demo(SMALL);
    terminal.wait_for("STANDBY", SOON);
    terminal.type_text("c");
    // The list is there.
    terminal.wait_for("12 of 12", SOON);
    terminal.type_text("e");
    terminal.wait_for("saved ~/.local/state/pilothouse/exports/customers-", SOON);
    terminal.type_text("q");
    terminal.exit_code();
    let folder = terminal.home().join(".local/state/pilothouse/exports");
    let files: Vec<_> =
        std::fs::read_dir(&folder).expect("the folder of exports").map(|entry| entry.unwrap()).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(files[0].path()).unwrap();
    assert!(text.starts_with("customer,name,ring,") && text.lines().count() > 1, "{text}");
}

#[test]
fn the_log_is_readable_for_its_owner_alone() {
    let mut terminal = demo(SMALL);
    terminal.wait_for("STANDBY", SOON);
    terminal.type_text("q");
    terminal.exit_code();
    let folder = terminal.home().join(".local/state/pilothouse");
    let logs: Vec<_> = std::fs::read_dir(&folder).expect("the log's folder").map(|entry| entry.unwrap()).collect();
    assert!(!logs.is_empty());
    for log in logs {
        assert_eq!(log.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", log.path());
    }
}

#[test]
fn without_colours_what_is_selected_is_still_seen() {
    let program = env!("CARGO_BIN_EXE_pilothouse");
    let mut terminal = Terminal::start_with(program, &["demo", "--scenario", SCENARIO], &[("NO_COLOR", "1")], SMALL);
    terminal.wait_for("early", SOON);
    let before = terminal.count_cells(vt100::Cell::inverse);
    terminal.type_text("j");
    let end = std::time::Instant::now() + SOON;
    while terminal.count_cells(vt100::Cell::inverse) < before + 40 {
        assert!(std::time::Instant::now() < end, "no row is highlighted:\n{}", terminal.screen());
        std::thread::sleep(Duration::from_millis(60));
    }
    let is_coloured =
        |cell: &vt100::Cell| cell.fgcolor() != vt100::Color::Default || cell.bgcolor() != vt100::Color::Default;
    assert_eq!(terminal.count_cells(is_coloured), 0, "there is colour");
    terminal.type_text("q");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn the_theme_follows_a_terminal_that_turns_light_and_dark_again() {
    let mut terminal = demo(SMALL);
    terminal.wait_for("4.11.8", SOON);
    assert!(terminal.follows_colours(), "the terminal was not asked");
    // The old version is light cyan on dark, and blue on light.
    let [dark, light] = [14, 4].map(vt100::Color::Idx);
    for (report, colour, other) in [("", dark, light), ("\x1b[?997;2n", light, dark), ("\x1b[?997;1n", dark, light)] {
        terminal.type_text(report);
        let end = std::time::Instant::now() + SOON;
        let count = |terminal: &Terminal, colour| terminal.count_cells(|cell| cell.fgcolor() == colour);
        while count(&terminal, colour) == 0 || count(&terminal, other) > 0 {
            assert!(std::time::Instant::now() < end, "no {colour:?} after {report:?}:\n{}", terminal.screen());
            std::thread::sleep(Duration::from_millis(60));
        }
    }
    terminal.type_text("q");
    assert_eq!(terminal.exit_code(), 0);
    terminal.assert_restored();
}

#[test]
fn help_says_what_the_terminal_has_answered() {
    let mut terminal = demo((120, 40));
    terminal.wait_for("4.11.8", SOON);
    assert!(terminal.was_asked_for_updates());
    // The answers to what the first picture has asked.
    terminal.type_text("\x1b[?2026;2$y\x1b[?62;c");
    terminal.type_text("?G");
    terminal.wait_for("takes a picture as a whole (mode 2026)", SOON);
    terminal.wait_for("answers in ", SOON);
    terminal.wait_for("default, in the program", SOON);
    terminal.type_text("q");
    assert_eq!(terminal.exit_code(), 0);
    terminal.assert_restored();
}

#[test]
fn a_robot_takes_a_release_to_done_in_real_time() {
    play(None, "DONE");
}

#[test]
fn a_robot_rolls_a_release_back_in_real_time() {
    play(Some(1), "ROLLED BACK");
}

#[test]
fn without_a_cluster_the_demo_is_suggested() {
    let mut terminal = Terminal::start(&[], SMALL);
    assert_eq!(terminal.exit_code(), 3);
    terminal.wait_for("pilothouse demo", SOON);
    terminal.assert_restored();
}

fn play(roll_back_after: Option<u32>, state: &str) {
    let mut terminal = demo((160, 45));
    let mut robot = Robot::new("4.12.0", roll_back_after);
    let mut seen_end = false;
    terminal.play(Duration::from_secs(300), |screen| {
        seen_end |= screen.contains(state);
        match robot.step(screen) {
            Some(keys) => Next::Type(keys.iter().map(ToString::to_string).collect()),
            None if robot.finished => Next::Done,
            None => Next::Look,
        }
    });
    assert!(robot.refusals.is_empty(), "{:?}", robot.refusals);
    assert!(seen_end, "the screen never said {state}:\n{}", terminal.screen());
}
