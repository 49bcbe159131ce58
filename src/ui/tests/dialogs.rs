//! What dialogs show where there is more than has room.

use super::journeys::{Desk, SIZE};
use super::{console, views};
use crate::core::{ACTIONS, Action, Role, RunningRow, RunningState, View};
use crate::model::Refusal;

/// A picture in which only these actions are possible; of the others there is much to say.
fn only(possible: &[Action]) -> View {
    let reasons = |action: Action| {
        let reason = |i: usize| {
            Refusal::new("x", format!("{} reason {i}: Deployment has not been heard of for 33 s", action.spec().id))
        };
        (action, (1..=4).map(reason).collect())
    };
    let operating = ACTIONS.iter().filter(|spec| spec.role == Role::Operate).map(|spec| spec.action);
    View {
        blocked: operating
            .map(|action| if possible.contains(&action) { (action, Vec::new()) } else { reasons(action) })
            .collect(),
        ..views::held()
    }
}

fn row_of(screen: &str, text: &str) -> usize {
    screen.lines().position(|row| row.contains(text)).unwrap_or_else(|| panic!("{text:?} is not in\n{screen}"))
}

#[test]
fn the_menu_shows_first_what_can_be_done_and_one_reason_of_what_cannot() {
    let mut desk = Desk::new(only(&[Action::Resume, Action::Rollback]));
    desk.press("space");
    let screen = desk.draw();
    assert!(row_of(&screen, "resume ") < row_of(&screen, "start a release"), "{screen}");
    assert!(row_of(&screen, "roll back ") < row_of(&screen, "start a release"), "{screen}");
    assert!(screen.contains("✗ wave.next reason 1") && !screen.contains("wave.next reason 2"), "{screen}");
    assert_eq!(screen.matches("(+3)").count(), 9, "{screen}");
    assert!(screen.contains("clean up") && !screen.contains("more rows"), "{screen}");
    assert!(screen.contains("H holds at once; the others show first what they would do."), "{screen}");
}

#[test]
fn the_selected_entry_says_every_reason_and_the_menu_follows_it() {
    let mut desk = Desk::of(console(false), only(&[Action::Resume, Action::Rollback]), (80, 16));
    desk.press("space");
    let screen = desk.draw();
    assert!(!screen.contains("clean up") && screen.contains("more rows: ") && screen.contains("below (Down)"));
    desk.press("down down down");
    let screen = desk.draw();
    for i in 1..=4 {
        assert!(screen.contains(&format!("release.start reason {i}")), "{screen}");
    }
    desk.press("end");
    let screen = desk.draw();
    assert!(screen.contains("route.cleanup reason 4") && screen.contains("above (Up)"), "{screen}");
    assert!(!screen.contains("below"), "{screen}");
}

#[test]
fn what_speaks_against_an_act_can_be_read_to_its_end() {
    let mut desk = Desk::of(console(false), views::held(), SIZE);
    desk.refusals = (1..=30).map(|i| Refusal::new("x", format!("reason number {i}."))).collect();
    desk.press("space n");
    let screen = desk.draw();
    assert!(!screen.contains("reason number 30.") && screen.contains("below (PgDn)"), "{screen}");
    desk.press("pagedown pagedown pagedown pagedown pagedown pagedown pagedown pagedown pagedown pagedown");
    let screen = desk.draw();
    assert!(screen.contains("reason number 30.") && screen.contains("above (PgUp)"), "{screen}");
    desk.press("pageup");
    assert!(!desk.draw().contains("reason number 30."));
}

#[test]
fn a_hold_says_nothing_before_the_row_of_the_order_does() {
    let mut desk = Desk::new(views::baking());
    assert_eq!(desk.press("H").len(), 1);
    assert!(!desk.draw().contains("ordered"));
}

#[test]
fn leaving_says_that_a_way_back_or_a_hold_is_not_written_yet() {
    for (action, written) in [(Action::Rollback, "ROLLING BACK"), (Action::Hold, "HOLD")] {
        let mut desk = Desk::new(views::baking());
        desk.view.running = Some(RunningRow {
            number: 9,
            action,
            since: views::at("03:07:00"),
            outcome: RunningState::Running,
            text: String::new(),
        });
        desk.press("q");
        let screen = desk.draw();
        let title = action.spec().title;
        assert!(screen.contains(&format!("{title} was ordered 12s ago and, as far as is known, is not")), "{screen}");
        desk.view.header.phase = written.to_owned();
        desk.view.header.state = written.to_owned();
        assert!(!desk.draw().contains("was ordered"));
    }
    let mut desk = Desk::new(views::baking());
    desk.press("q");
    assert!(!desk.draw().contains("was ordered"));
}
