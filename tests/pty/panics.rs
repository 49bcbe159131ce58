//! A part that fails: the terminal comes back, and the last words say where the release stands.

use super::{SCENARIO, SMALL, SOON};
use crate::robot::Robot;
use crate::terminal::Terminal;
use std::os::unix::fs::PermissionsExt;

/// Opens the demo, orders a part to fail, lets `act` do what makes the part work, and looks at what is left.
fn fails_in(part: &str, act: impl FnOnce(&mut Terminal)) {
    let place = tempfile::tempdir().expect("a folder");
    let order = place.path().join("now");
    let env = [("PILOTHOUSE_TEST_PANIC", format!("{part}:{}", order.display()))];
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let program = env!("CARGO_BIN_EXE_pilothouse");
    let mut terminal = Terminal::start_with(program, &["demo", "--scenario", SCENARIO], &env, SMALL);
    terminal.wait_for("STANDBY", SOON);
    // The picture has an age once every kind was listed: only then is it known that no release is under way.
    terminal.wait_for("kube 1s", SOON);
    // Whole at once, so that the part does not fail before it can say what it was told.
    let part_file = place.path().join("part");
    std::fs::write(&part_file, "\x1b]0;owned\x07\x1b[2J\u{202e}\nforged").expect("the order can be written");
    std::fs::rename(&part_file, &order).expect("the order can be given");
    act(&mut terminal);
    assert_eq!(terminal.exit_code(), 101, "{part}");
    // The report may be longer than the screen; its end is what stays in sight.
    terminal.wait_for("This report is also in", SOON);
    terminal.assert_restored();
    let folder = terminal.home().join(".local/state/pilothouse");
    let report = std::fs::read_dir(folder)
        .expect("the log's folder")
        .map(|entry| entry.expect("an entry"))
        .find(|entry| entry.file_name().to_string_lossy().starts_with("panic-"))
        .expect("a report");
    assert_eq!(report.metadata().expect("the report").permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(report.path()).expect("the report is text");
    // What a part says as it fails can quote foreign text.
    assert!(text.contains(&format!("the {part} was told to fail by a test: ?]0;owned??[2J forged\n")), "{text}");
    assert!(!text.contains('\x1b'), "{text:?}");
    assert!(text.contains("No release is under way."), "{text}");
    assert!(!text.contains('\u{1b}'), "a report has no colours: {text:?}");
}

#[test]
fn a_panic_of_the_loop_brings_the_terminal_back_and_names_the_release() {
    fails_in("loop", |_| {});
}

#[test]
fn a_panic_of_the_reader_of_keys_brings_the_terminal_back_and_names_the_release() {
    fails_in("keys", |terminal| terminal.type_text("j"));
}

#[test]
fn a_panic_of_the_writer_of_frames_brings_the_terminal_back_and_names_the_release() {
    fails_in("writer", |terminal| terminal.type_text("c"));
}

#[test]
fn a_panic_of_a_request_brings_the_terminal_back_and_names_the_release() {
    fails_in("worker", |terminal| {
        let mut robot = Robot::new("4.12.0", None);
        while terminal.is_running() {
            if let Some(keys) = robot.step(&terminal.screen()) {
                terminal.type_text(&keys.iter().map(ToString::to_string).collect::<String>());
            }
            std::thread::sleep(std::time::Duration::from_millis(60));
        }
    });
}
