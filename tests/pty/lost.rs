//! A terminal that is gone, or was never there.

use super::{SCENARIO, SMALL, SOON, demo};
use crate::terminal::Terminal;

#[test]
fn a_terminal_that_is_gone_ends_the_program() {
    let mut terminal = demo(SMALL);
    terminal.wait_for("STANDBY", SOON);
    terminal.take_away();
    assert_eq!(terminal.exit_code(), 17);
    terminal.wait_for_log("SIGHUP", SOON);
}

#[test]
fn a_parent_that_had_hangups_ignored_does_not_keep_the_program_alive() {
    let script = format!("trap '' HUP; exec $P demo --scenario {SCENARIO}");
    let mut terminal = Terminal::start_script(&script, SMALL);
    terminal.wait_for("STANDBY", SOON);
    terminal.take_away();
    assert_eq!(terminal.exit_code(), 17);
}

/// The shell gets the hangup and ignores it; the program gets no signal at all, only the end of its input.
#[test]
fn the_end_of_the_input_ends_the_program_without_any_signal() {
    let script = format!("trap '' HUP; $P demo --scenario {SCENARIO}; exit $?");
    let mut terminal = Terminal::start_script(&script, SMALL);
    terminal.wait_for("STANDBY", SOON);
    terminal.take_away();
    assert_eq!(terminal.exit_code(), 17);
    assert!(!terminal.log().contains("SIGHUP"), "{}", terminal.log());
    terminal.wait_for_log("TerminalLost", SOON);
}

#[test]
fn without_a_terminal_to_draw_on_the_verbs_are_named() {
    for closed in [">&-", ">/dev/null", "<&-", "</dev/null"] {
        let script = format!("$P demo --scenario {SCENARIO} {closed}");
        let mut terminal = Terminal::start_script(&script, SMALL);
        assert_eq!(terminal.exit_code(), 2, "{closed}");
        terminal.wait_for("pilothouse status", SOON);
        terminal.assert_restored();
    }
}

#[test]
fn a_closed_output_and_a_reader_that_left_are_no_fault_of_a_verb() {
    for (script, code) in [("$P manifests >&-", 0), ("$P manifests | head -n 1; exit $?", 0)] {
        let mut terminal = Terminal::start_script(script, SMALL);
        assert_eq!(terminal.exit_code(), code, "{script}:\n{}", terminal.screen());
    }
}
