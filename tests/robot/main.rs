//! The robot that plays releases reads the screens it was made for.

#[path = "mod.rs"]
mod robot;

use robot::{Key, Keys, Robot};

fn typed(text: &str) -> Keys {
    text.chars().map(Key::Char).collect()
}

fn on_an_errand() -> Robot {
    Robot::new("4.12.0", Some(1))
}

fn with_advice(advice: &str) -> String {
    format!(" PROD  x/trackx\n┌─ rings ─┐\n│ early   │\n└─────────┘\n{advice}")
}

fn dialog(row: &str) -> String {
    format!(" PROD  x/trackx\n│ early ┌────┐\n│ pilot │ {row}   │ 12%\n\n ▶ Space n: move wave 2 of early")
}

#[test]
fn it_follows_the_key_the_advice_names() {
    let keys = on_an_errand().step(&with_advice(" ▶ Space n: move wave 1 of pilot"));
    assert_eq!(keys, Some(vec![Key::Char(' '), Key::Char('n')]));
}

#[test]
fn it_follows_an_advice_that_takes_two_rows() {
    let keys = on_an_errand().step(&with_advice(" > Space s: start a release; the idle slot\n   gets the new version"));
    assert_eq!(keys, Some(vec![Key::Char(' '), Key::Char('s')]));
}

#[test]
fn it_waits_when_the_advice_names_no_key() {
    let waiting = " · waiting for the bake of early: 12 s of 20 s, since 03:02:58";
    assert_eq!(on_an_errand().step(&with_advice(waiting)), None);
}

#[test]
fn it_does_not_repeat_an_answer_at_once_but_in_time() {
    let mut robot = on_an_errand();
    let screen = with_advice(" ▶ Space n: move wave 1 of pilot");
    assert!(robot.step(&screen).is_some());
    for _ in 0..12 {
        assert_eq!(robot.step(&screen), None);
    }
    assert!(robot.step(&screen).is_some());
}

#[test]
fn it_types_the_rest_of_the_word_and_then_enter() {
    let mut robot = on_an_errand();
    assert_eq!(robot.step(&dialog("Type early to go: ▏")), Some(typed("early")));
    // A slow screen shows the word letter by letter; keys that were dropped show up as a word that stays short.
    for _ in 0..12 {
        assert_eq!(robot.step(&dialog("Type early to go: ea▏")), None);
    }
    assert_eq!(robot.step(&dialog("Type early to go: ea▏")), Some(typed("rly")));
    assert_eq!(robot.step(&dialog("Type early to go: early▏\n│ Enter runs it.  │")), Some(vec![Key::Enter]));
}

#[test]
fn it_leaves_a_field_that_holds_something_else() {
    assert_eq!(on_an_errand().step(&dialog("Type early to go: pilot▏")), Some(vec![Key::Esc]));
}

#[test]
fn it_types_nothing_before_a_dialog_takes_keys() {
    let row = "Type early to go: ▏ │\n│ Keys are dropped for a moment: this has just appeared or changed.";
    assert_eq!(on_an_errand().step(&dialog(row)), None);
}

#[test]
fn it_presses_y_only_to_roll_back() {
    assert_eq!(on_an_errand().step(&dialog("y  roll back")), Some(vec![Key::Char('y')]));
    assert_eq!(on_an_errand().step(&dialog("y  quit")), Some(vec![Key::Esc]));
}

#[test]
fn it_rolls_back_after_the_wave_it_was_told() {
    let mut robot = on_an_errand();
    robot.step(&with_advice(" ▶ Space n: move wave 1 of pilot"));
    robot.step(&dialog("Type pilot to go: pilot▏\n│ Enter runs it.  │"));
    assert_eq!(robot.waves, 1);
    assert_eq!(robot.step(&with_advice(" · waiting for the settle time")), None);
    assert_eq!(robot.step(&with_advice(" ▶ Space n: move wave 2 of early")), Some(vec![Key::Char('R')]));
}

#[test]
fn it_rolls_back_in_the_middle_of_a_wait_when_it_is_told() {
    let mut robot = on_an_errand();
    let waiting = with_advice(" · waiting for the bake of early: 12 s of 20 s");
    assert_eq!(robot.step(&waiting), None);
    robot.turn = true;
    assert_eq!(robot.step(&waiting), Some(vec![Key::Char('R')]));
    assert_eq!(robot.step(&dialog("y  roll back\n│ Looking at the cluster...")), None);
    assert_eq!(robot.step(&dialog("y  roll back")), Some(vec![Key::Char('y')]));
    assert_eq!(robot.step(&waiting), None);
}

#[test]
fn it_starts_one_release_only() {
    let mut robot = on_an_errand();
    robot.step(&with_advice(" ▶ Space s: start a release"));
    assert_eq!(robot.step(&dialog("Version: ▏")), Some(typed("4.12.0")));
    // A slow screen shows a part of it: the rest is on its way.
    assert_eq!(robot.step(&dialog("Version: 4▏")), None);
    assert_eq!(robot.step(&dialog("Version: 4.12.0▏")), Some(vec![Key::Enter]));
    robot.step(&dialog("Type 4.12.0 to go: 4.12.0▏\n│ Enter runs it.  │"));
    assert_eq!(robot.step(&with_advice(" ▶ Space s: start another release")), None);
    assert!(robot.finished);
}

#[test]
fn it_goes_on_when_the_picture_from_before_the_start_stood_for_a_moment() {
    let mut robot = on_an_errand();
    robot.step(&with_advice(" ▶ Space s: start a release"));
    robot.step(&dialog("Type 4.12.0 to go: 4.12.0▏\n│ Enter runs it.  │"));
    assert_eq!(robot.step(&with_advice(" ▶ Space s: start a release")), None);
    let keys = robot.step(&with_advice(" ✓ Space n: next wave internal: 2 customers"));
    assert_eq!(keys, Some(typed(" n")));
    assert!(!robot.finished);
}

#[test]
fn it_leaves_to_a_person_what_stops_again_and_again() {
    let mut robot = on_an_errand();
    for _ in 0..3 {
        assert!(robot.step(&with_advice(" ✗ Space r: blocked for 1s: look, then resume")).is_some());
        assert!(robot.step(&dialog("Type trackx to go: trackx▏\n│ Enter runs it.  │")).is_some());
    }
    assert_eq!(robot.step(&with_advice(" ✗ Space r: blocked for 1s: look, then resume")), None);
}

#[test]
fn it_remembers_what_was_refused() {
    let mut robot = on_an_errand();
    let screen = "│ early │ NOT NOW:             │\n│ pilot │ metrics are 12 s old │\n│ main  │                      │";
    assert_eq!(robot.step(screen), Some(vec![Key::Esc]));
    assert_eq!(robot.refusals, ["metrics are 12 s old"]);
}

#[test]
fn keys_become_the_bytes_of_a_terminal() {
    let keys = [Key::Char(' '), Key::Char('n'), Key::Enter, Key::Esc];
    assert_eq!(keys.map(|key| key.to_string()).concat(), " n\r\u{1b}");
}
