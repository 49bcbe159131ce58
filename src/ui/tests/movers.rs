//! Everybody who moves, page by page, in the dialog of a step.

use super::journeys::{Desk, key_of};
use super::views;
use crate::core::{Command, Confirm};
use crate::ui::Ask;

/// Returns the customers of a wave.
pub fn wave() -> Vec<String> {
    let named = ["hooli", "wayne-ent", "cyberdyne"].into_iter().map(str::to_owned);
    named.chain((23..31).map(|i| format!("cust-{i:03}"))).collect()
}

fn shows(desk: &mut Desk, texts: &[&str]) {
    let screen = desk.draw();
    for text in texts {
        assert!(screen.contains(text), "{text:?} is not on the screen:\n{screen}");
    }
}

#[test]
fn where_no_word_is_typed_a_letter_lists_everybody_who_moves_and_leads_back() {
    let mut desk = Desk::new(views::held());
    desk.confirm = Confirm::Yes;
    desk.press("R");
    desk.wait();
    shows(&mut desk, &["v  all 11 who move", "revision 884213, 1 s old"]);
    desk.press("v");
    shows(&mut desk, &["all 11 who move", "cust-030", "v  back to what it does", "y  roll back"]);
    assert!(!desk.draw().contains("way back"));
    desk.press("v");
    shows(&mut desk, &["way back"]);
    desk.press("v");
    assert!(matches!(desk.press("y").as_slice(), [Ask::Run { command: Command::Rollback { .. }, .. }]));
}

#[test]
fn where_a_word_is_typed_letters_are_text_and_the_page_keys_list_everybody_who_moves() {
    let mut desk = Desk::new(views::baking());
    desk.movers = (0..400).map(|i| format!("customer-{i:03}")).collect();
    desk.press("space n");
    desk.wait();
    let down = key_of("pagedown");
    shows(&mut desk, &["PgDn  all 400 who move"]);
    desk.text("v");
    shows(&mut desk, &["Type early to go: v", "way back"]);
    desk.press("backspace");
    desk.send(&down);
    shows(
        &mut desk,
        &[
            "all 400 who move, page 1 of ",
            "customer-000  customer-001",
            "PgUp  back to what it does",
            "Type early to go: ",
        ],
    );
    let mut seen = 0;
    for _ in 0..20 {
        let screen = desk.draw();
        seen = seen.max((0..400).rev().find(|i| screen.contains(&format!("customer-{i:03}"))).unwrap());
        desk.send(&down);
    }
    assert_eq!(seen, 399);
    desk.text("early");
    assert_eq!(desk.press("enter").len(), 1);
}

#[test]
fn a_world_that_changes_leads_back_from_the_list_to_what_would_happen_now() {
    let mut desk = Desk::new(views::baking());
    desk.press("space n");
    desk.wait();
    desk.send(&key_of("pagedown"));
    assert!(!desk.draw().contains("way back"));
    desk.mark = "m2".to_owned();
    shows(&mut desk, &["way back"]);
}

#[test]
fn where_the_facts_name_everybody_there_is_no_list() {
    let mut desk = Desk::new(views::held());
    (desk.confirm, desk.movers) = (Confirm::Yes, Vec::new());
    desk.press("R");
    desk.wait();
    assert!(!desk.draw().contains("who move"));
    desk.press("v");
    shows(&mut desk, &["way back"]);
}
