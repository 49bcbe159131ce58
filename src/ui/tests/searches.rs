//! Looking for a text in lists, going from match to match, and taking lists away as files.

use super::journeys::{Desk, key_of};
use super::snapshots::with_findings;
use super::{look, views};
use crate::core::{Mode, NoticeRow, View};
use crate::ui::{Ask, Export, Look, Theme, Ui};

const SIZE: (u16, u16) = (80, 24);

fn desk(view: View) -> Desk {
    Desk::of(Ui::new(look("dark16", false)), view, SIZE)
}

fn shows(desk: &mut Desk, text: &str) {
    let screen = desk.draw();
    assert!(screen.contains(text), "{text:?} is not on the screen:\n{screen}");
}

/// Returns the row with the marker of the selection, which is reversed: what copying would take.
fn selected(desk: &mut Desk) -> String {
    match desk.press("y").as_slice() {
        [Ask::Copy(text)] => text.clone(),
        other => panic!("{other:?}"),
    }
}

fn export(desk: &mut Desk, keys: &str) -> Export {
    match desk.press(keys).pop() {
        Some(Ask::Export(export)) => export,
        other => panic!("{keys}: {other:?}"),
    }
}

#[test]
fn every_list_can_be_searched_and_says_how() {
    for (keys, view) in
        [("a", views::held()), ("D", views::held()), ("p", with_findings()), ("?", views::held()), ("6", views::held())]
    {
        let mut desk = desk(view);
        desk.press(keys);
        desk.press("/");
        shows(&mut desk, "Search (any text): ");
        desk.text("zzz");
        shows(&mut desk, "Search (0 rows): zzz");
        desk.press("enter n");
        shows(&mut desk, "nothing here says \"zzz\"");
        assert_eq!(desk.press("/ H").len(), 1, "{keys}: hold works while a text is typed");
        desk.press("esc n");
        shows(&mut desk, "nothing is looked for yet");
    }
    let mut desk = desk(views::held());
    desk.press("c /");
    shows(&mut desk, "Filter: ");
}

#[test]
fn a_search_in_the_journal_goes_from_record_to_record_and_round() {
    let mut desk = desk(views::held());
    desk.press("a /");
    desk.text("shift");
    let first = selected_after(&mut desk, "enter");
    assert!(first.contains("move wave 3"), "{first}");
    let mut seen = vec![first.clone()];
    loop {
        let next = selected_after(&mut desk, "n");
        assert!(next.contains("move wave"), "{next}");
        if next == first {
            break;
        }
        seen.push(next);
        assert!(seen.len() < 50);
    }
    assert!(seen.len() > 1, "{seen:?}");
    desk.press("N");
    assert_eq!(selected(&mut desk), seen[seen.len() - 1]);
    desk.press("n");
    shows(&mut desk, "from the top again");
}

fn selected_after(desk: &mut Desk, keys: &str) -> String {
    desk.press(keys);
    selected(desk)
}

#[test]
fn a_search_in_a_text_brings_the_row_into_sight() {
    let mut desk = desk(views::held());
    desk.press("?");
    assert!(!desk.draw().contains("No Ctrl, Alt or F key"));
    desk.press("/");
    desk.text("no ctrl, alt");
    shows(&mut desk, "Search (1 row): no ctrl, alt");
    shows(&mut desk, "No Ctrl, Alt or F key");
    desk.press("enter g n");
    shows(&mut desk, "match 1 of 1 for \"no ctrl, alt\"");
    shows(&mut desk, "No Ctrl, Alt or F key");
    desk.press("esc ? n");
    shows(&mut desk, "nothing is looked for yet");
}

#[test]
fn matches_of_a_filter_are_gone_through_in_the_list_of_customers() {
    let mut desk = desk(views::held());
    desk.press("c n");
    shows(&mut desk, "there is no filter");
    desk.press("/");
    desk.text("ring:early");
    desk.press("enter");
    let first = selected(&mut desk);
    desk.press("n");
    shows(&mut desk, "match 2 of 22");
    desk.press("N N");
    shows(&mut desk, "match 22 of 22");
    desk.press("n");
    assert_eq!(selected(&mut desk), first);
    let mut main = self::desk(views::held());
    main.press("n");
    shows(&mut main, "there is nothing to look for here");
}

#[test]
fn lists_are_exported_as_they_are_shown_and_other_screens_have_none() {
    let mut desk = desk(views::held());
    let all = export(&mut desk, "c e");
    assert_eq!((all.what.as_str(), all.files[0].0), ("60 customers", "csv"));
    shows(&mut desk, "saving 60 customers");
    desk.press("/");
    desk.text("ring:early");
    desk.press("enter");
    let some = export(&mut desk, "e");
    assert_eq!((some.what.as_str(), some.files[0].1.lines().count()), ("22 of 60 customers", 23));
    let audit = export(&mut desk, "a e");
    assert_eq!(audit.files.iter().map(|(ending, _)| *ending).collect::<Vec<_>>(), ["md", "json"]);
    let releases = export(&mut desk, "D e");
    assert_eq!(releases.files.iter().map(|(ending, _)| *ending).collect::<Vec<_>>(), ["csv", "json"]);
    for keys in ["? e", "p e", "6 e", "d e", "g e"] {
        let mut desk = self::desk(views::held());
        assert_eq!(desk.press(keys), [], "{keys}");
        shows(&mut desk, "there is nothing to export here");
    }
    let mut unknown = self::desk(View::default());
    assert_eq!(unknown.press("c e"), []);
    shows(&mut unknown, "no customers are known here yet");
    desk.ui.exported(desk.now_ms, Ok("~/exports/customers.csv".to_owned()));
    shows(&mut desk, "✓ saved ~/exports/customers.csv");
    desk.ui.exported(desk.now_ms, Err("write to /x: no space".to_owned()));
    shows(&mut desk, "! nothing was saved: write to /x: no space");
}

#[test]
fn watching_exports_too_and_privacy_exports_signs_that_stay() {
    let mut view = views::held();
    view.header.mode = Mode::Watch;
    let private = || Ui::new(Look { privacy: true, ..look("dark16", false) });
    let mut desk = Desk::of(private(), view.clone(), SIZE);
    let first = export(&mut desk, "c e");
    assert_eq!(export(&mut Desk::of(private(), view, SIZE), "c e").files, first.files);
    assert!(first.files[0].1.lines().skip(1).all(|line| line.starts_with("c-")), "{:?}", first.files);
    let all = [first, export(&mut desk, "a e"), export(&mut desk, "D e")];
    for (ending, text) in all.iter().flat_map(|export| &export.files) {
        assert!(!text.contains("cust-0") && !text.to_lowercase().contains("globex"), "{ending}:\n{text}");
    }
}

#[test]
fn every_key_that_looks_answers_on_every_screen() {
    let screens = ["m", "c", "c enter", "i", "d", "g", "3", "4", "6", "a", "p", "D", "?"];
    for screen in screens {
        let mut wide = desk(views::held());
        wide.press(screen);
        wide.press("w");
        shows(&mut wide, "customers 60 of 60");
        for (key, text) in [("z", "VIEW FROZEN"), ("t", "theme light16"), ("5", "customers 60 of 60"), ("2", "proof")] {
            let mut desk = desk(views::held());
            desk.press(screen);
            desk.press(key);
            shows(&mut desk, text);
        }
        let has_one = !["m", "i", "g", "3", "4"].contains(&screen);
        let mut turned = desk(views::held());
        turned.press(screen);
        turned.press("tab");
        assert_eq!(turned.draw().contains("there is one panel here"), has_one, "{screen}");
        let mut moved = desk(views::held());
        moved.press(screen);
        for key in ["ctrl-f", "pageup", "end", "home", "tab", "backtab", "u", "y", "n", "N", "e", "s", "G", "j", "k"] {
            let asks = moved.press(key);
            let is_harmless = asks.iter().all(|ask| matches!(ask, Ask::Copy(_) | Ask::Export(_)));
            assert!(is_harmless, "{screen} {key}: {asks:?}");
            let picture = moved.draw();
            assert!(!picture.contains("does nothing here"), "{screen}: {key}\n{picture}");
        }
    }
}

#[test]
fn pages_move_on_every_list_and_home_and_end_reach_its_ends() {
    for keys in ["c", "a", "?"] {
        let mut desk = desk(views::held());
        desk.press(keys);
        let first = desk.draw();
        desk.press("end");
        let last = desk.draw();
        assert_ne!(first, last, "{keys}");
        desk.press("home");
        assert_eq!(desk.draw(), first, "{keys}");
        if keys != "a" {
            desk.press("ctrl-f");
            assert_ne!(desk.draw(), first, "{keys}");
            desk.press("pageup");
            assert_eq!(desk.draw(), first, "{keys}");
        }
    }
}

#[test]
fn a_copy_that_is_too_long_is_cut_and_says_so() {
    let mut view = views::held();
    view.advice.text = "ö".repeat(40_000);
    let mut desk = desk(view);
    let copied = selected(&mut desk);
    // One line is at most as long as the sanitiser lets it be.
    assert_eq!(copied.chars().count(), 1000);
    let mut view = with_findings();
    let finding = view.preflight.findings[0].clone();
    view.preflight.findings = vec![finding; 600];
    let mut desk = self::desk(view);
    desk.send(&key_of("p"));
    let copied = selected(&mut desk);
    assert!(copied.len() <= 56_245 && copied.len() > 56_000, "{}", copied.len());
    shows(&mut desk, "the findings was sent to the terminal's clipboard (the first");
}

#[test]
fn the_theme_auto_follows_the_background_until_a_person_chooses() {
    let told = crate::ui::Told::default();
    let ui = Ui::new(Look { auto: true, ..look(Theme::DARK, false) }).on(told.clone());
    let mut desk = Desk::of(ui, views::held(), SIZE);
    let dark = desk.ui.theme().to_owned();
    told.background(true);
    desk.draw();
    assert_eq!((dark.as_str(), desk.ui.theme()), (Theme::DARK, Theme::LIGHT));
    told.background(false);
    desk.draw();
    assert_eq!(desk.ui.theme(), Theme::DARK);
    desk.press("t t");
    told.background(true);
    desk.draw();
    assert_eq!(desk.ui.theme(), "mono");
}

#[test]
fn the_journal_follows_its_newest_entry_while_the_mark_is_on_it() {
    let arrives = |desk: &mut Desk, second: &str| {
        let text = format!("news of {second}");
        let at = Some(views::at(&format!("04:00:{second}")));
        desk.view.notices.insert(0, NoticeRow { at, tone: None, text: text.clone() });
        text
    };
    let mut desk = desk(views::held());
    desk.press("a");
    shows(&mut desk, "follows  1/6");
    let newest = arrives(&mut desk, "01");
    assert_eq!(selected(&mut desk), newest);
    desk.press("j");
    assert!(!desk.draw().contains("follows"));
    let here = selected(&mut desk);
    let newest = arrives(&mut desk, "02");
    assert_eq!((selected(&mut desk) == here, here == newest), (true, false));
    desk.press("g");
    let newest = arrives(&mut desk, "03");
    assert_eq!(selected(&mut desk), newest);
    desk.press("f");
    shows(&mut desk, "stays on this entry");
    arrives(&mut desk, "04");
    assert_eq!(selected(&mut desk), newest);
    desk.press("f");
    shows(&mut desk, "follows the newest entry");
    assert_eq!(selected(&mut desk), "news of 04");
    desk.press("j m f");
    shows(&mut desk, "chain ok");
    assert_eq!(selected(&mut desk), "news of 04");
}
