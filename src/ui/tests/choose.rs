//! Several plans in the namespace: which one is shown is a person's choice.

use super::journeys::Desk;
use super::{console, views};
use crate::core::{Header, PlanRow, View};
use crate::ui::Ask;

pub(super) fn several() -> View {
    let plan = |name: &str, release: &str| PlanRow {
        name: name.to_owned(),
        environment: "PROD".to_owned(),
        route: format!("{name}-route"),
        release: release.to_owned(),
    };
    let base = views::idle();
    View {
        header: Header { state: "NO PLAN".to_owned(), ..base.header.clone() },
        plans: vec![plan("billing", ""), plan("trackx", "4.12.0 Baking")],
        rings: Vec::new(),
        ..base
    }
}

#[test]
fn several_plans_are_listed_with_what_is_under_way_and_enter_opens_the_marked_one() {
    let mut desk = Desk::new(several());
    let shown = desk.draw();
    for part in ["2 plans in namespace", "billing-route", "nothing", "4.12.0 Baking"] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    assert_eq!(desk.press("enter"), [Ask::Plan("billing".to_owned())]);
    assert_eq!(desk.press("down"), []);
    assert_eq!(desk.press("enter"), [Ask::Plan("trackx".to_owned())]);
    // The mark is on the plan, whatever arrives above it.
    desk.view.plans.insert(0, PlanRow { name: "accounts".to_owned(), ..PlanRow::default() });
    assert_eq!(desk.press("enter"), [Ask::Plan("trackx".to_owned())]);
}

#[test]
fn enter_opens_no_plan_on_another_screen_and_none_once_one_is_open() {
    let mut desk = Desk::new(several());
    desk.press("?");
    assert!(!desk.press("enter").iter().any(|ask| matches!(ask, Ask::Plan(_))));
    desk.press("esc");
    desk.view = views::idle();
    assert!(!desk.press("enter").iter().any(|ask| matches!(ask, Ask::Plan(_))));
}

#[test]
fn no_plan_is_chosen_that_nobody_sees() {
    for size in [(50, 12), (40, 8), (59, 40)] {
        let mut desk = Desk::of(console(false), several(), size);
        let shown = desk.draw();
        assert!(shown.contains("2 plans: 60x16 or --plan NAME to choose"), "{size:?}:\n{shown}");
        assert_eq!(desk.press("enter"), [], "{size:?}");
        let shown = desk.draw();
        assert!(shown.contains("! 60x16 or --plan NAME to choose"), "{size:?}:\n{shown}");
        assert!(!shown.contains("Enter: "), "{size:?}:\n{shown}");
        desk.size = (60, 16);
        desk.draw();
        assert_eq!(desk.press("enter"), [Ask::Plan("billing".to_owned())]);
    }
}

#[test]
fn nothing_is_held_before_a_plan_is_chosen_and_that_is_said() {
    let mut desk = Desk::new(several());
    assert_eq!(desk.press("H"), []);
    let shown = desk.draw();
    assert!(shown.contains("choose a plan first: nothing can be held yet"), "{shown}");
}
