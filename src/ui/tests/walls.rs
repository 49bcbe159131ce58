//! Screens without room, and screens without a keyboard: what must never be missing there.

use super::journeys::Desk;
use super::{console, frame, look, rows, views};
use crate::core::{Mode, View};
use crate::ui::theme::Role;
use crate::ui::{Kiosk, Look, Theme, Ui};

fn wall(view: View, size: (u16, u16)) -> Desk {
    let mut view = view;
    view.header.mode = Mode::Watch;
    Desk::of(Ui::new(Look { kiosk: Some(Kiosk { cycle_ms: 0, no_quit: false }), ..look("dark16", false) }), view, size)
}

#[test]
fn every_page_of_a_wall_screen_shows_the_state_in_its_colour_and_no_key() {
    for size in [(80, 24), (160, 45), (200, 60)] {
        let mut desk = wall(views::held(), size);
        let danger = Theme::builtin("dark16").unwrap().style(Role::Danger);
        for page in 1..=4 {
            let buffer = frame(&mut desk.ui, &desk.view, size, desk.now_ms);
            let picture = rows(&buffer);
            let number = format!("kiosk {page}/4");
            let y = picture.iter().position(|row| row.contains(&number)).unwrap_or_else(|| panic!("{picture:#?}"));
            let at = picture[y].find(" HOLD ").unwrap_or_else(|| panic!("{page}: {picture:#?}"));
            assert_eq!(buffer[(at as u16 + 1, y as u16)].fg, danger.fg.unwrap(), "page {page} {size:?}");
            assert!(picture[y].contains("4.11.8 → 4.12.0"), "{picture:#?}");
            let all = picture.join("\n");
            for key in [": all)", "┌ 1 ", "┌ 2 ", "┌ 3 ", "┌ 5 ", "┌ 7 "] {
                assert!(!all.contains(key), "{key:?} page {page}:\n{all}");
            }
            desk.press("tab");
        }
    }
}

#[test]
fn a_wall_screen_counts_no_time_where_there_is_none() {
    let screen = wall(views::idle(), (160, 45)).draw();
    assert!(screen.contains("IDLE") && !screen.contains("for ?"), "{screen}");
}

#[test]
fn however_small_the_terminal_is_it_says_the_state_and_that_the_picture_is_old() {
    for size in [(59, 15), (56, 10), (40, 8), (39, 7), (20, 5), (18, 3)] {
        let mut desk = Desk::of(console(false), views::held(), size);
        for keys in ["m", "c"] {
            desk.press(keys);
            let screen = desk.draw();
            assert!(screen.contains("HOLD") && !screen.contains("STALE"), "{size:?} {keys}:\n{screen}");
        }
        desk.view.header.stale = vec!["kube has not been heard of for 47 s".to_owned()];
        for keys in ["m", "c"] {
            desk.press(keys);
            let screen = desk.draw();
            assert!(screen.contains("HOLD") && screen.contains("STALE"), "{size:?} {keys}:\n{screen}");
        }
    }
    let mut desk = Desk::of(console(false), views::held(), (59, 15));
    desk.view.header.stale = vec!["kube silent".to_owned()];
    assert!(desk.draw().contains("STALE: kube silent. r asks again. H and R work."));
}
