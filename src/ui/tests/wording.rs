//! That the screens say what is, where two of them, or a key and what it does, could differ.

use super::closeups;
use super::journeys::{Desk, SIZE};
use super::{console, views};
use crate::core::{Closeup, Subject};
use crate::ui::Ask;

fn shows(desk: &mut Desk, text: &str) {
    let screen = desk.draw();
    assert!(screen.contains(text), "{text:?} is not on the screen:\n{screen}");
}

fn hides(desk: &mut Desk, text: &str) {
    let screen = desk.draw();
    assert!(!screen.contains(text), "{text:?} is on the screen:\n{screen}");
}

/// Opens the releases of a console, changed by `change`.
fn releases(change: impl Fn(&mut crate::core::Releases)) -> Desk {
    let mut desk = Desk::of(console(false), views::held(), (120, 40));
    desk.press("D");
    let Some(Closeup::Releases(mut releases)) = closeups::closeup(&desk.view, &Subject::Releases) else { panic!() };
    change(&mut releases);
    desk.ui.show_closeup(Subject::Releases, Some(Closeup::Releases(releases)), desk.now_ms);
    desk
}

#[test]
fn transactions_that_were_cut_are_not_added_to_customers() {
    let mut desk = releases(|releases| {
        (releases.rows[2].cut, releases.rows[2].forced_on) = (1, Some(1));
    });
    let screen = desk.draw();
    let row = screen.lines().find(|row| row.contains("DONE, forced")).unwrap_or_else(|| panic!("{screen}"));
    assert!(row.split_whitespace().any(|word| word == "1") && !row.split_whitespace().any(|word| word == "2"), "{row}");
}

#[test]
fn so_few_releases_that_their_rate_is_none_are_counted() {
    let few = |releases: &mut crate::core::Releases| {
        let delivery = &mut releases.delivery;
        (delivery.days, delivery.ended, delivery.rolled_back) = (30, 1, 0);
        (delivery.ended_before, delivery.rolled_back_before) = (Some(30), Some(0));
    };
    let mut desk = releases(few);
    shows(&mut desk, "1 done in 30 days   30 before");
    hides(&mut desk, "0.0");
}

#[test]
fn a_plan_whose_gates_are_not_asked_now_is_not_said_to_have_none() {
    let mut desk = Desk::new(views::idle());
    desk.view.gates.clear();
    desk.press("6");
    shows(&mut desk, "they are asked while a wave of a release bakes: no release is under way");
    desk.view = views::baking();
    desk.view.gates.clear();
    shows(&mut desk, "the plan has none: a wave bakes by time alone");
}

#[test]
fn a_kind_of_open_work_has_one_word() {
    let mut desk = Desk::of(console(false), views::draining(), (160, 45));
    shows(&mut desk, "2 streams, 13 sockets");
    shows(&mut desk, "requests 0  streams 2  sockets 13  jobs ?");
    desk.press("d");
    shows(&mut desk, "requests 0 · streams 2 · sockets 13");
    shows(&mut desk, "request stream socket  job");
}

#[test]
fn the_heading_of_a_rings_customers_stays_and_is_not_counted() {
    let mut desk = Desk::of(console(false), views::held(), SIZE);
    desk.press("i");
    shows(&mut desk, " of 22 ");
    desk.press("end");
    shows(&mut desk, "-22 of 22 ");
    shows(&mut desk, "customer ");
    shows(&mut desk, "cust-033");
}

#[test]
fn the_footer_names_no_key_that_does_nothing_and_the_way_to_the_next_ring() {
    for keys in ["d", "g"] {
        let mut desk = Desk::new(views::held());
        desk.press(keys);
        hides(&mut desk, "g graphs");
    }
    let mut desk = Desk::new(views::held());
    desk.press("i");
    shows(&mut desk, "Tab next ring");
    desk.press("tab");
    shows(&mut desk, "ring main");
}

#[test]
fn enter_on_the_release_under_way_opens_its_journal_and_says_where_that_of_another_is() {
    let mut desk = Desk::of(console(false), views::held(), (120, 40));
    desk.press("D");
    let Some(Closeup::Releases(releases)) = closeups::closeup(&desk.view, &Subject::Releases) else { panic!() };
    let at = |name: &str| releases.rows.iter().position(|row| row.name == name);
    let under_way = at(&desk.view.header.release).unwrap();
    let other = releases.rows.iter().position(|row| row.name != desk.view.header.release).unwrap();
    let go = |desk: &mut Desk, to: usize| {
        desk.press("home");
        (0..to).for_each(|_| drop(desk.press("down")));
    };
    go(&mut desk, other);
    desk.press("enter");
    shows(&mut desk, "its journal is in its object: kubectl get release NAME -o yaml");
    go(&mut desk, under_way);
    desk.press("enter");
    shows(&mut desk, "chain ok");
}

#[test]
fn escape_clears_a_filter_before_it_goes_back_and_one_that_a_ring_set_with_it() {
    let mut desk = Desk::of(console(false), views::held(), (120, 40));
    desk.press("i enter");
    shows(&mut desk, "filter: \"ring:early\"");
    desk.press("esc");
    shows(&mut desk, "ring early");
    desk.press("c");
    shows(&mut desk, "customers 60 of 60");
    desk.press("m i enter m c");
    shows(&mut desk, "customers 60 of 60");

    desk.press("/");
    desk.text("globex");
    desk.press("enter");
    shows(&mut desk, "customers 1 of 60");
    desk.press("/");
    desk.text("ring:pilot");
    desk.press("enter");
    shows(&mut desk, "filter: \"ring:pilot\"");
    desk.press("esc");
    shows(&mut desk, "customers 60 of 60");
    desk.press("esc");
    shows(&mut desk, "1 rings");
}

#[test]
fn the_sort_key_sorts_only_what_is_in_sight() {
    for keys in ["d", "g", "p"] {
        let mut desk = Desk::of(console(false), views::held(), (120, 40));
        desk.press(keys);
        desk.press("s");
        shows(&mut desk, "customers 60 of 60");
        shows(&mut desk, "sort ring");
        desk.press("s");
        shows(&mut desk, "sort err");
    }
}

#[test]
fn help_names_what_the_dialog_of_a_forced_drain_wants() {
    let mut desk = Desk::of(console(false), views::held(), (160, 60));
    desk.press("?");
    let screen = desk.draw();
    let forced = screen.split("Scale a slot down").nth(1).unwrap_or_else(|| panic!("{screen}"));
    assert!(forced[..400].contains("the words of the cut, and a reason"), "{screen}");
}

#[test]
fn where_a_plan_is_to_be_chosen_no_text_speaks_of_the_command_line() {
    let mut desk = Desk::new(super::choose::several());
    let said = "there are several RolloutPlans: name one with --plan (billing, trackx)";
    desk.view.header.why = said.to_owned();
    for (_, why) in &mut desk.view.blocked {
        *why = vec![crate::model::Refusal::new("plan.none", said)];
    }
    for keys in ["m", "space", "esc ?"] {
        desk.press(keys);
        hides(&mut desk, "name one");
        shows(&mut desk, "choose a plan first");
    }
    desk.press("esc");
    for action in ["R", "space n"] {
        assert_eq!(desk.press(action), Vec::<Ask>::new());
        shows(&mut desk, "choose a plan first: Enter opens the marked one");
        assert_eq!(desk.ui.wanted_preview(), None, "{action}");
    }
}
