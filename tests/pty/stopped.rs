//! A program that is stopped and goes on.

use super::{SMALL, SOON, demo};
use crate::terminal::Terminal;
use std::thread::sleep;
use std::time::{Duration, Instant};

fn wait_until(terminal: &Terminal, taken: bool) {
    let end = Instant::now() + SOON;
    while terminal.is_taken() != taken {
        assert!(Instant::now() < end, "the terminal is not taken = {taken}:\n{}", terminal.screen());
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_stop_gives_the_terminal_back_and_going_on_draws_the_picture_again() {
    let mut terminal = demo(SMALL);
    terminal.wait_for("STANDBY", SOON);
    for _ in 0..2 {
        terminal.signal("TSTP");
        terminal.wait_for("pilothouse is stopped, fg brings it back.", SOON);
        terminal.assert_restored();
        terminal.signal("CONT");
        wait_until(&terminal, true);
        terminal.wait_for("STANDBY", SOON);
    }
    terminal.type_text("?");
    terminal.wait_for("Start a release: put the new version", SOON);
    terminal.type_text("q");
    assert_eq!(terminal.exit_code(), 0);
    terminal.assert_restored();
}

/// Stops the program without a chance to leave, as its parent shell may, and lets it go on.
fn stopped_without_warning() -> Terminal {
    let mut terminal = demo(SMALL);
    terminal.wait_for("STANDBY", SOON);
    terminal.signal("STOP");
    terminal.cook();
    wait_until(&terminal, false);
    terminal.signal("CONT");
    wait_until(&terminal, true);
    terminal
}

#[test]
fn after_a_stop_without_warning_the_line_is_raw_again() {
    let mut terminal = stopped_without_warning();
    // On a cooked line this key would wait for Enter.
    terminal.type_text("q");
    assert_eq!(terminal.exit_code(), 0);
    terminal.assert_restored();
}

#[test]
fn the_terminals_answer_is_measured_and_is_no_key() {
    let program = env!("CARGO_BIN_EXE_pilothouse");
    let env = [("PILOTHOUSE_LOG", "pilothouse=debug")];
    let mut terminal = Terminal::start_with(program, &["demo", "--scenario", super::SCENARIO], &env, SMALL);
    terminal.wait_for("STANDBY", SOON);
    assert_eq!(terminal.questions(), 1, "one picture asks, not every one");
    terminal.type_text("\x1b[?62;22c");
    terminal.wait_for_log("round trip to the terminal", SOON);
    assert!(!terminal.screen().contains("does nothing here"), "{}", terminal.screen());
    terminal.type_text("q");
    assert_eq!(terminal.exit_code(), 0);
}

/// What the program found is not what it set itself: a stop without warning must not lose where last words go.
#[test]
fn after_a_stop_without_warning_the_last_words_still_reach_the_terminal() {
    let mut terminal = stopped_without_warning();
    terminal.signal("TERM");
    assert_eq!(terminal.exit_code(), 17);
    terminal.wait_for("ended by a signal", SOON);
    terminal.assert_restored();
}
