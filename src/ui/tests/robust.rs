//! No size, no text and no number may break the picture.

use super::hostile::JOURNEYS;
use super::journeys::key_of;
use super::spoil::{self, HOSTILE};
use super::{console, console_with, frame, rows, views};
use crate::core::{CustomerRow, RunningRow, RunningState, View};
use crate::ui::Kiosk;
use proptest::prelude::*;
use ratatui::style::Modifier;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn no_size_state_or_screen_panics(
        state in 0usize..6, width in 1u16..=300, height in 1u16..=100, keys in 0usize..JOURNEYS.len(),
        text in 0usize..HOSTILE.len(), ascii: bool, kiosk: bool, privacy: bool, theme in 0usize..4,
        number in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-1.0), Just(0.0), Just(1e300)],
    ) {
        let mut view = views::states().remove(state).1;
        view.findings = Some(super::snapshots::with_findings().preflight.findings);
        spoil::view(&mut view, HOSTILE[text]);
        view.errors.new.push(Some(number));
        view.requests.new.push(Some(number));
        view.latency.limit = Some(number);
        view.drain_graph.values.push(Some(number));
        view.drain_graph.step = number;
        view.rings[0].rps = Some(number);
        view.exposed.share = Some(number);
        view.drain.oldest = Some(number);
        if state == 3 {
            view.rings.truncate(text % 2);
            view.customers.clear();
            view.header.state = "NO PLAN".to_owned();
        }
        if state == 4 {
            view.header.stale.clear();
        }
        let theme = crate::ui::Theme::names().nth(theme).unwrap_or("mono");
        let kiosk = kiosk.then_some(Kiosk { cycle_ms: 700, no_quit: true });
        let mut ui = crate::ui::Ui::new(crate::ui::Look { kiosk, privacy, ..super::look(theme, ascii) });
        for key in JOURNEYS[keys].split(' ') {
            ui.on_event(0, &key_of(key), &view);
        }
        for now_ms in [1000, 2000] {
            if ui.wanted_preview().is_some() {
                ui.show_preview(spoil::preview(HOSTILE[text], state % 2 == 0));
            }
            if let Some(subject) = ui.wanted_closeup(now_ms, &view) {
                let mut closeup = super::closeups::closeup(&view, &subject).filter(|_| state != 2);
                closeup.iter_mut().for_each(|closeup| spoil::closeup(closeup, HOSTILE[text]));
                ui.show_closeup(subject, closeup, now_ms);
            }
            let picture = rows(&frame(&mut ui, &view, (width, height), now_ms)).concat();
            prop_assert!(!picture.chars().any(char::is_control), "{picture:?}");
            if ascii {
                prop_assert!(picture.is_ascii());
            }
        }
    }
}

#[test]
fn an_empty_view_is_drawn_at_every_size() {
    for width in [1, 2, 3, 7, 20, 39, 40, 59, 60, 79, 80, 119, 120, 159, 160, 220] {
        for height in (1..=60).step_by(if width < 60 { 1 } else { 5 }) {
            frame(&mut console(false), &View::default(), (width, height), 0);
        }
    }
}

#[test]
fn the_state_word_and_hold_stay_at_every_size_that_can_hold_them() {
    let view = views::held();
    for (width, height) in [(40, 8), (59, 15), (60, 16), (60, 40), (80, 16), (80, 24), (120, 20), (160, 45), (240, 70)]
    {
        let picture = rows(&frame(&mut console(false), &view, (width, height), 0)).join("\n");
        for word in [" HOLD ", "H hold", "on new: 23 of 60", " R  ", " R: roll back"] {
            assert!(picture.contains(word), "{width}x{height} lost {word:?}:\n{picture}");
        }
    }
    assert!(rows(&frame(&mut console(false), &view, (12, 2), 0))[0].contains("HOLD"));
}

#[test]
fn unknown_is_drawn_as_a_question_mark_and_never_as_zero() {
    let mut view = views::rolling_back();
    for ring in &mut view.rings {
        (ring.now, ring.rps, ring.rps_new, ring.share, ring.inflight_left) = (None, None, None, None, None);
    }
    (view.exposed.rps, view.exposed.share, view.drain.inflight, view.drain.oldest, view.drain.eta) =
        (None, None, None, None, None);
    view.errors.last = (None, None);
    let picture = rows(&frame(&mut console(false), &view, (160, 45), 0)).join("\n");
    assert!(
        picture.contains("? req/s (?)") && picture.contains("? open  oldest ?") && picture.contains("new ? old ?"),
        "{picture}"
    );
    let early = picture.lines().find(|line| line.contains("▶ early  ")).unwrap();
    let fields: Vec<&str> = early.split_whitespace().collect();
    assert_eq!(fields[2..9], ["0%", "?", "?", "?/22", "1/3", "?", "?"], "{early}");
}

#[test]
fn without_colour_the_focus_is_still_reversed() {
    let mut ui = console_with("mono", false);
    let view = views::baking();
    ui.on_event(0, &key_of("c"), &view);
    let buffer = frame(&mut ui, &view, (80, 24), 0);
    assert!(buffer.content.iter().any(|cell| cell.modifier.contains(Modifier::REVERSED) && cell.symbol() == "c"));
    assert!(buffer.content.iter().all(|cell| cell.fg == ratatui::style::Color::Reset));
}

#[test]
fn an_unchanged_view_draws_the_same_picture() {
    for (name, view) in views::states() {
        let mut ui = console(false);
        let first = frame(&mut ui, &view, (160, 45), 1000);
        assert_eq!(first, frame(&mut ui, &view, (160, 45), 1250), "{name}");
    }
}

#[test]
fn a_stopped_order_says_what_happened() {
    let mut view = views::baking();
    view.running = Some(RunningRow {
        number: 1,
        action: crate::core::Action::Finish,
        since: view.now.unwrap(),
        outcome: RunningState::Stopped { why: "the lease was taken by anna@jump02".to_owned() },
        text: String::new(),
    });
    let picture = rows(&frame(&mut console(false), &view, (80, 24), 0)).join("\n");
    assert!(picture.contains("finish STOPPED") && picture.contains("the lease was taken by"), "{picture}");
}

#[test]
fn only_one_file_makes_text_for_the_terminal() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui");
    let mut folders = vec![folder];
    let mut checked = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.is_file() && !path.ends_with("paint.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                checked += 1;
                for door in
                    ["Span::raw", "Span::styled", "Paragraph", "set_string", "Line::raw", "Line::styled", "Text::"]
                {
                    assert!(!text.contains(door), "{} makes text with {door}: use Ink", path.display());
                }
            }
        }
    }
    assert!(checked > 20);
}

#[test]
fn of_ten_thousand_customers_in_a_ring_a_wave_names_some_and_counts_the_rest() {
    let mut view = views::baking();
    let one = view.customers[0].clone();
    let many = (0..10_000).map(|n| CustomerRow { id: format!("cust-{n:05}"), ring: "early".to_owned(), ..one.clone() });
    view.customers = many.collect();
    let mut desk = super::journeys::Desk::of(console(false), view, (120, 40));
    desk.press("i");
    let screen = desk.draw();
    let wave = screen.lines().find(|line| line.contains("customers: cust-")).expect("a wave names customers");
    assert!(screen.contains(" more") && screen.contains("of 10000"), "{wave}\n{screen}");
}
