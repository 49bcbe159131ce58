//! Lines that stall: what arrives late or all at once, and what a person cannot have seen yet.

use super::journeys::{Desk, SIZE};
use super::{console, look, views};
use crate::core::{Command, Confirm};
use crate::ui::{Ask, Keymap, Look, Told, Ui, text};

#[test]
fn hold_that_arrives_together_with_esc_before_it_holds() {
    // `ESC H` in one packet of a line that had stalled reads as Alt-H.
    let hold = Ask::Run { command: Command::Hold { reason: text::BY_KEY.to_owned() }, mark: None };
    for keys in ["", "space n", "c /"] {
        let mut desk = Desk::new(views::baking());
        if !keys.is_empty() {
            desk.press(keys);
        }
        assert_eq!(desk.press("alt-H"), std::slice::from_ref(&hold), "after {keys:?}");
    }
    let own = Keymap::parse("version = 1\ninherits = \"default\"\n[[key]]\non = \"alt-H\"\nrun = \"view.help\"\n");
    let look = Look { keymap: own.unwrap(), ..look("dark16", false) };
    let mut desk = Desk::of(Ui::new(look), views::baking(), SIZE);
    assert_eq!(desk.press("alt-H"), [], "a sense of its own wins");
}

#[test]
fn over_a_slow_line_a_dialog_waits_for_two_round_trips() {
    let mut desk = Desk::new(views::baking());
    desk.confirm = Confirm::Yes;
    let told = Told::default();
    told.round_trip(700);
    desk.ui = console(false).on(told.clone());
    desk.press("R");
    desk.draw();
    desk.now_ms += 1399;
    assert!(desk.draw().contains(text::NOT_ARMED));
    assert_eq!(desk.press("y"), []);
    desk.now_ms += 1;
    assert_eq!(desk.press("y").len(), 1);
    // A quick line changes nothing.
    told.round_trip(20);
    desk.press("R");
    desk.draw();
    desk.now_ms += 399;
    assert_eq!(desk.press("y"), []);
    desk.now_ms += 1;
    assert_eq!(desk.press("y").len(), 1);
}

#[test]
fn a_line_that_froze_once_keeps_no_dialog_from_its_keys_for_long() {
    let mut desk = Desk::new(views::baking());
    desk.confirm = Confirm::Yes;
    let told = Told::default();
    told.round_trip(40_000);
    desk.ui = console(false).on(told);
    desk.press("R");
    desk.draw();
    desk.now_ms += 2000;
    assert_eq!(desk.press("y").len(), 1);
}
