//! How screens lead to one another, and what the keys of the wall screen, the frozen picture and the clipboard do.

use super::journeys::{Desk, key_of};
use super::{console, look, views};
use crate::core::{Action, FreshRow, Header, Mode, Moved, RunningRow, RunningState, View};
use crate::model::Side;
use crate::ui::{Ask, Kiosk, Look, Origin, Role, Told, Ui};

const SIZE: (u16, u16) = (120, 40);

fn desk() -> Desk {
    Desk::of(Ui::new(look("dark16", false)), views::held(), SIZE)
}

fn shows(desk: &mut Desk, text: &str) {
    let screen = desk.draw();
    assert!(screen.contains(text), "{text:?} is not on the screen:\n{screen}");
}

#[test]
fn the_main_screen_says_how_much_the_preflight_found_even_where_it_has_no_room_for_it() {
    let mut view = super::snapshots::with_findings();
    view.gates.clear();
    let mut desk = Desk::of(Ui::new(look("dark16", false)), view.clone(), (160, 45));
    shows(&mut desk, "preflight: 2 against it, 1 to look at, 1 to know (p: in full)");
    let mut desk = Desk::of(Ui::new(look("dark16", false)), view, (200, 60));
    shows(&mut desk, "HorizontalPodAutoscaler trackx-b would shrink");
}

#[test]
fn every_look_key_opens_its_screen_and_escape_leads_back_the_way_one_came() {
    for (keys, text) in [
        ("i", "ring early"),
        ("d", "proof"),
        ("g", "req/s new"),
        ("3", "errors new"),
        ("6", "plan trackx and gates"),
        ("a", "chain ok"),
        ("p", "preflight"),
        ("D", "deployment frequency"),
        ("c", "customers 60 of 60"),
        ("?", "why is a key grey?"),
    ] {
        let mut desk = desk();
        desk.press(keys);
        shows(&mut desk, text);
        desk.press("esc");
        shows(&mut desk, "1 rings");
    }
    let mut desk = desk();
    desk.press("c enter i");
    shows(&mut desk, "ring internal");
    desk.press("esc");
    shows(&mut desk, "customer cust-000");
    desk.press("esc");
    shows(&mut desk, "customers 60 of 60");
    desk.press("esc");
    shows(&mut desk, "1 rings");
}

#[test]
fn enter_on_a_ring_shows_it_and_enter_again_its_customers() {
    let mut desk = desk();
    desk.press("j j j enter");
    shows(&mut desk, "ring early");
    desk.press("enter");
    shows(&mut desk, "customers 22 of 60   on new 23   filter: \"ring:early\"");
}

#[test]
fn tab_points_at_panels_and_enter_opens_the_one_pointed_at() {
    let mut desk = desk();
    desk.press("tab tab");
    shows(&mut desk, "▶2 drain");
    desk.press("enter");
    shows(&mut desk, "pods");
    desk.press("esc backtab enter");
    shows(&mut desk, "1 rings");
    desk.press("esc g tab tab");
    shows(&mut desk, "gate");
}

#[test]
fn a_filter_that_cannot_be_read_is_said_and_stays() {
    let mut desk = desk();
    desk.press("/");
    desk.text("rinh:early err>2");
    shows(&mut desk, "not used: rinh:early: there is no field \"rinh\"");
    desk.press("enter");
    shows(&mut desk, "customers 1 of 60   on new 23   filter: \"rinh:early err>2\"");
    shows(&mut desk, "not used: rinh:early");
}

#[test]
fn a_frozen_view_says_so_refuses_forward_acts_and_keeps_the_way_back() {
    let mut desk = desk();
    desk.press("z");
    desk.now_ms += 12_000;
    desk.view.exposed.customers = Some(1);
    desk.view.header.state = "ROLLING BACK".to_owned();
    shows(&mut desk, "VIEW FROZEN 00:12");
    shows(&mut desk, "on new: 23 of 60");
    shows(&mut desk, "ROLLING BACK");
    assert_eq!(desk.press("space n"), []);
    assert_eq!(desk.ui.wanted_preview(), None);
    shows(&mut desk, "the view is frozen: z lets it move");
    desk.press("R");
    assert!(desk.ui.wanted_preview().is_some());
    assert_eq!(desk.press("esc H").len(), 1);
    desk.press("z");
    shows(&mut desk, "on new: 1 of 60");
}

#[test]
fn a_frozen_close_look_stays_as_it_was() {
    let mut desk = desk();
    desk.press("d z");
    assert_eq!(desk.ui.wanted_closeup(desk.now_ms + 60_000, &desk.view), None);
    desk.press("z");
    assert!(desk.ui.wanted_closeup(desk.now_ms + 60_000, &desk.view).is_some());
}

#[test]
fn copy_gives_what_is_selected_and_says_so() {
    let mut desk = desk();
    desk.press("c j");
    assert_eq!(desk.press("y"), [Ask::Copy("cust-001".to_owned())]);
    shows(&mut desk, "the customer's id was sent to the terminal's clipboard (8 characters)");
    desk.press("g");
    assert_eq!(desk.press("esc 6 y"), []);
    shows(&mut desk, "there is nothing to copy here");
}

#[test]
fn themes_follow_each_other_and_are_named() {
    let mut desk = desk();
    for name in crate::ui::Theme::names().skip(1).chain([crate::ui::Theme::DARK]) {
        desk.press("t");
        shows(&mut desk, &format!("theme {name}"));
    }
}

#[test]
fn a_customer_that_is_gone_is_said_and_not_shown_as_another() {
    let mut desk = desk();
    desk.press("c enter");
    desk.view.customers.remove(0);
    shows(&mut desk, "cust-000 is not in the list of customers any more");
}

#[test]
fn a_moved_customer_shows_since_when_and_a_wanted_one_that_it_is_not_there() {
    let mut desk = desk();
    desk.view.customers[12].now = Some(Side::Old);
    desk.press("/");
    desk.text("globex");
    desk.press("enter enter");
    shows(&mut desk, "since 03:03:04 (4m08s)");
    shows(&mut desk, "not where the plan wants it");
}

fn wall(kiosk: Kiosk) -> Desk {
    let mut view = views::held();
    view.header.mode = Mode::Watch;
    let look = Look { kiosk: Some(kiosk), ..look("dark16", false) };
    Desk::of(Ui::new(look), view, SIZE)
}

#[test]
fn where_there_is_room_for_a_card_alone_every_screen_is_the_card_and_never_a_frozen_one() {
    let mut desk = Desk::of(console(false), views::held(), (50, 12));
    for key in ["m", "c", "a", "i", "p", "?"] {
        desk.press(key);
        let screen = desk.draw();
        assert!(screen.contains("on new: 23 of 60") && screen.contains("R: roll back"), "{key}:\n{screen}");
        assert_eq!(screen.contains("this screen needs 60x16 or more; Esc goes back"), key != "m", "{key}:\n{screen}");
    }
    desk.press("m z");
    desk.view.exposed.customers = Some(31);
    shows(&mut desk, "on new: 31 of 60");
}

#[test]
fn an_order_that_is_done_goes_from_the_card_too() {
    let mut desk = Desk::of(console(false), views::held(), (56, 14));
    desk.view.running = Some(RunningRow {
        number: 7,
        action: Action::Cleanup,
        since: desk.view.now.unwrap(),
        text: String::new(),
        outcome: RunningState::Stopped { why: "the API server is gone".to_owned() },
    });
    shows(&mut desk, "STOPPED before its end");
    desk.press("esc");
    let screen = desk.draw();
    assert!(!screen.contains("STOPPED"), "{screen}");
}

#[test]
fn a_wall_screen_takes_no_key_but_those_that_leave_or_turn_the_page() {
    let all: Vec<String> =
        ('!'..='~').map(String::from).chain(["enter", "esc", "up", "f1"].map(String::from)).collect();
    let mut desk = wall(Kiosk { cycle_ms: 0, no_quit: true });
    for key in &all {
        assert_eq!(desk.press(key), [], "{key}");
        assert_eq!(desk.ui.wanted_preview(), None, "{key}");
    }
    assert_eq!(desk.press("ctrl-c q"), []);
    assert_eq!(wall(Kiosk { cycle_ms: 0, no_quit: false }).press("q"), [Ask::Quit]);
    desk.press("tab");
    shows(&mut desk, "kiosk 2/4");
}

#[test]
fn old_data_takes_over_the_whole_wall_screen() {
    let mut desk = wall(Kiosk { cycle_ms: 20_000, no_quit: false });
    shows(&mut desk, "errors on the new version");
    desk.view.header.fresh[1].stale = true;
    desk.view.header.fresh[1].age = Some(47);
    let screen = desk.draw();
    assert!(screen.contains("last known state HOLD"), "{screen}");
    assert!(!screen.contains("customers on 4.12.0") && !screen.contains("23 of 60"), "{screen}");
    desk.view.header.logged_out = desk.view.now;
    shows(&mut desk, "AUTH EXPIRED since 03:07:12Z");
}

#[test]
fn a_wall_screen_moves_by_a_cell_each_hour_and_is_the_same_picture_within_a_second() {
    let mut desk = wall(Kiosk { cycle_ms: 0, no_quit: false });
    let first = desk.draw();
    desk.now_ms += 999;
    assert_eq!(desk.draw(), first);
    desk.view.now = desk.view.now.map(|now| now + std::time::Duration::from_secs(3600));
    assert_ne!(desk.draw(), first);
}

fn old(desk: &mut Desk) {
    desk.view.header.stale = vec!["HTTPRoute has not been heard of for 47 s".to_owned()];
    desk.view.header.fresh[0] = FreshRow { source: "kube".to_owned(), age: Some(47), stale: true };
}

#[test]
fn old_data_takes_over_every_screen_of_a_console_that_only_looks_and_keys_still_work() {
    for screen in ["m", "c", "c enter", "i", "d", "g", "6", "a", "p", "D", "z"] {
        let mut view = views::held();
        view.header.mode = Mode::Watch;
        let mut desk = Desk::of(Ui::new(look("dark16", false)), view, SIZE);
        desk.press(screen);
        desk.press("/");
        old(&mut desk);
        let picture = desk.draw();
        assert!(picture.contains("last known state HOLD") && picture.contains("HTTPRoute has not been"), "{picture}");
        assert!(!picture.contains("1.3%") && !picture.contains("globex") && !picture.contains("early"), "{picture}");
        assert_eq!(desk.press("enter"), []);
        shows(&mut desk, "nothing is opened while there is no data of now");
        desk.press(":");
        shows(&mut desk, "help");
        desk.press("esc ?");
        shows(&mut desk, "Show every key and why some are grey.");
        desk.press("esc");
        shows(&mut desk, "last known state HOLD");
        assert_eq!(desk.press("q"), [Ask::Quit]);
        desk.view = views::held();
        assert!(!desk.draw().contains("last known state"), "{screen}");
    }
}

#[test]
fn a_console_that_operates_keeps_its_screens_below_the_banner_and_one_that_is_still_reading_too() {
    let mut desk = desk();
    old(&mut desk);
    shows(&mut desk, "Numbers are OLD");
    let mut view = View::default();
    view.header.stale = vec!["Lease has not been read yet".to_owned()];
    let mut opening = Desk::of(Ui::new(look("dark16", false)), view, SIZE);
    assert!(!opening.draw().contains("last known state"));
    opening.now_ms += 10_000;
    shows(&mut opening, "nothing has been read yet");
    shows(&mut opening, "Lease has not been read yet");
}

#[test]
fn every_size_says_which_plan_of_a_namespace_it_shows() {
    let mut view = views::held();
    view.header.mode = Mode::Watch;
    (view.header.namespace, view.header.plan) = ("shop".to_owned(), "billing".to_owned());
    for size in [(60, 16), (80, 24), (100, 30), (50, 12), (40, 8)] {
        let mut desk = Desk::of(Ui::new(look("dark16", false)), view.clone(), size);
        shows(&mut desk, "billing");
    }
    for width in [80, 120, 160] {
        let kiosk = Some(Kiosk { cycle_ms: 20_000, no_quit: false });
        let mut desk = Desk::of(Ui::new(Look { kiosk, ..look("dark16", false) }), view.clone(), (width, 40));
        shows(&mut desk, "shop/billing");
        old(&mut desk);
        shows(&mut desk, "shop/billing");
    }
    view.header.cluster = "a-cluster-with-a-name-of-very-many-letters".to_owned();
    let mut desk = Desk::of(Ui::new(look("dark16", false)), view, (80, 24));
    shows(&mut desk, "shop/billing");
}

#[test]
fn an_error_ratio_that_is_not_known_is_not_drawn_as_a_good_one() {
    let look = Look { kiosk: Some(Kiosk { cycle_ms: 0, no_quit: false }), ..look("dark16", false) };
    let ok = look.theme.style(Role::Ok).fg;
    let greens = |known: Option<f64>| {
        let mut view = views::held();
        (view.header.mode, view.header.alarm) = (Mode::Watch, None);
        view.errors.last.0 = known;
        let buffer = super::frame(&mut Ui::new(look.clone()), &view, (160, 45), 0);
        let card = (1..10).flat_map(|y| (120..160).map(move |x| (x, y)));
        card.filter(|place| buffer[*place].fg == ok.unwrap() && buffer[*place].symbol() != " ").count()
    };
    assert!(greens(Some(0.001)) > 10);
    assert_eq!(greens(None), 0);
}

#[test]
fn privacy_hides_every_name_on_every_screen() {
    let mut view = views::held();
    view.header.mode = Mode::Watch;
    view.header.why = "requests of globex still start on the old version".to_owned();
    let mut desk = Desk::of(Ui::new(Look { privacy: true, ..look("dark16", false) }), view, SIZE);
    for keys in ["m", "c", "c j enter", "i", "d", "a", "p", "esc"] {
        for key in keys.split(' ') {
            desk.send(&key_of(key));
        }
        let screen = desk.draw();
        assert!(
            !screen.contains("globex") && !screen.contains("Globex") && !screen.contains("cust-0"),
            "{keys}:\n{screen}"
        );
    }
}

#[test]
fn a_preflight_that_is_not_known_here_is_not_a_good_one() {
    let mut desk = desk();
    desk.view.preflight.age = None;
    desk.view.findings = None;
    desk.press("p");
    shows(&mut desk, "what speaks against a start is not known here");
    shows(&mut desk, "was not started from this console");
    shows(&mut desk, "No check has looked.");
    desk.view.findings = Some(Vec::new());
    shows(&mut desk, "nothing against a start");
    shows(&mut desk, "as it was when");
    shows(&mut desk, "No check has found anything.");
}

#[test]
fn a_customer_says_whether_silence_is_known_and_what_became_of_its_wave() {
    let mut desk = desk();
    let id = desk.view.customers[0].id.clone();
    desk.press("c");
    for (moved, seen, words) in [
        (Moved::Yes, Some(false), "silent: no request since its shift"),
        (Moved::Yes, None, "seen since its shift: not known"),
        (Moved::Moving, None, "is being moved"),
        (Moved::Back, None, "was moved back"),
        (Moved::No, None, "has not moved"),
    ] {
        let row = desk.view.customers.iter_mut().find(|row| row.id == id).unwrap();
        (row.moved, row.seen) = (moved, seen);
        shows(&mut desk, words);
    }
    desk.view.rings.iter_mut().find(|ring| ring.is_current).unwrap().seen = Some((9, 1, 1));
    desk.press("esc");
    shows(&mut desk, "9 seen, 1 silent, 1 not known");
}

#[test]
fn nothing_that_was_not_read_is_shown_as_none() {
    let mut desk = desk();
    desk.view = View::default();
    desk.view.header.state = Header::CONNECTING.to_owned();
    shows(&mut desk, "CONNECTING");
    shows(&mut desk, "on new: ? of ? customers, ? req/s (?)");
    shows(&mut desk, "driver ?");
    shows(&mut desk, "no ring is known yet");
    shows(&mut desk, "whether a version is being left is not known");
    desk.view.header.state = Header::NO_CLUSTER.to_owned();
    desk.view.header.why = "the API server cannot be reached: connection refused".to_owned();
    shows(&mut desk, "the API server cannot be reached: connection refused");
    shows(&mut desk, "To see it work without a cluster");
    let kiosk = Some(Kiosk { cycle_ms: 0, no_quit: false });
    let mut view = View::default();
    view.header.state = Header::CONNECTING.to_owned();
    view.header.stale = vec!["Release has not been read yet".to_owned()];
    let mut wall = Desk::of(Ui::new(Look { kiosk, ..look("dark16", false) }), view, SIZE);
    shows(&mut wall, "CONNECTING: nothing has been read yet");
}

#[test]
fn help_ends_with_what_this_console_is_like() {
    let mut desk = desk();
    desk.press("? G");
    shows(&mut desk, "has not answered; has not said whether it knows synchronized updates");
    shows(&mut desk, "default, in the program");
    let told = Told::default();
    told.round_trip(140);
    told.synchronized(false);
    let file = "/home/kim/.config/pilothouse/keymaps/mine.toml";
    for (name, keys) in [("mine", format!("mine, from {file}")), (file, file.to_owned())] {
        let keys_from = Origin { name: name.to_owned(), file: Some(file.into()) };
        let look = Look { keys_from, auto: true, ..look("dark16", true) };
        let mut desk = Desk::of(Ui::new(look).on(told.clone()), views::held(), (160, 45));
        desk.press("? G");
        shows(&mut desk, "answers in 140 ms; does not know synchronized updates (mode 2026): pictures may flicker");
        shows(&mut desk, &format!("keys       {keys} "));
        shows(&mut desk, "dark16, follows the terminal's background");
        shows(&mut desk, "ASCII alone");
    }
    told.synchronized(true);
    let mut desk = Desk::of(Ui::new(look("mono", false)).on(told), views::held(), (160, 45));
    desk.press("? G");
    shows(&mut desk, "takes a picture as a whole");
}

#[test]
fn old_sources_are_asked_again_and_fresh_ones_are_left_alone() {
    let mut desk = desk();
    assert_eq!(desk.press("r"), []);
    shows(&mut desk, "the numbers are fresh");
    for view in [views::rolling_back(), watching_rolling_back()] {
        for size in [(120, 40), (80, 24)] {
            let mut desk = Desk::of(Ui::new(look("dark16", false)), view.clone(), size);
            shows(&mut desk, " r asks again.");
            assert_eq!(desk.press("r"), [Ask::Retry]);
            shows(&mut desk, "asked again");
        }
    }
    // Without a key the banner promises none.
    let keymap = crate::ui::Keymap::parse("version = 1\ninherits = \"default\"\nunbind = [\"r\"]\n").unwrap();
    let mut desk = Desk::of(Ui::new(Look { keymap, ..look("dark16", false) }), views::rolling_back(), SIZE);
    assert!(!desk.draw().contains("asks again"));
}

fn watching_rolling_back() -> crate::core::View {
    let mut view = views::rolling_back();
    view.header.mode = Mode::Watch;
    view
}

#[test]
fn a_customers_graphs_show_when_it_moved_where_that_is_in_sight() {
    for (size, graphs, says) in [((80, 40), 2, false), ((120, 40), 3, false), ((200, 60), 3, true)] {
        let mut desk = Desk::of(Ui::new(look("dark16", false)), views::held(), size);
        desk.press("/ g l o b enter enter");
        let screen = desk.draw();
        let found =
            ["errors new", "open work new", "req/s new"].into_iter().filter(|word| screen.contains(word)).count();
        assert_eq!((found, screen.contains("before ┊ after")), (graphs, says), "{screen}");
        assert!(screen.lines().filter(|line| line.matches('┊').count() == graphs).count() > 2, "{screen}");
    }
}

#[test]
fn open_work_that_is_not_known_is_not_taken_for_none_when_everybody_has_moved() {
    let mut desk = Desk::of(Ui::new(look("dark16", false)), views::draining(), SIZE);
    desk.press("/ g l o b enter enter");
    let work = |last| {
        crate::core::Closeup::Customer(crate::core::CustomerCloseup {
            work: crate::core::Graph { last, ..crate::core::Graph::default() },
            ..crate::core::CustomerCloseup::default()
        })
    };
    for (last, says) in [((None, None), "new ? old ?"), ((Some(4.0), Some(31.0)), "new 4 old 31")] {
        let subject = crate::core::Subject::Customer("globex".to_owned());
        desk.ui.show_closeup(subject, Some(work(last)), desk.now_ms);
        shows(&mut desk, says);
    }
}
