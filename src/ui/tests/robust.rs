//! No size, no text and no number may break the picture.

use super::journeys::key_of;
use super::{console, frame, rows, views};
use crate::core::{Confirm, Fact, Preview, RunningRow, RunningState, Tone, View};
use crate::model::Refusal;
use crate::ui::Theme;
use proptest::prelude::*;
use ratatui::style::Modifier;

const HOSTILE: &[&str] = &[
    "",
    "\x1b[2J\x1b]0;x\x07",
    "a\u{202e}b\u{200b}c",
    "東京都東京都東京都",
    "x\r\ny\tz",
    "\u{e000}\u{fe0f}e\u{301}\u{302}\u{303}",
];

/// Puts a text into every field that comes from outside.
fn spoil(view: &mut View, text: &str) {
    let text = text.to_owned();
    let header = &mut view.header;
    for field in [
        &mut header.cluster,
        &mut header.namespace,
        &mut header.plan,
        &mut header.release,
        &mut header.why,
        &mut header.ring,
    ] {
        field.clone_from(&text);
    }
    header.old_version.clone_from(&text);
    header.new_version.clone_from(&text);
    header.driver = Some((text.clone(), 3));
    header.stale = vec![text.clone()];
    for ring in &mut view.rings {
        ring.name.clone_from(&text);
        ring.state.clone_from(&text);
    }
    for customer in &mut view.customers {
        customer.name.clone_from(&text);
        customer.ring.clone_from(&text);
    }
    for event in &mut view.events {
        (event.what, event.why, event.by, event.result) = (text.clone(), text.clone(), text.clone(), text.clone());
    }
    for gate in &mut view.gates {
        (gate.name, gate.value, gate.limit) = (text.clone(), text.clone(), text.clone());
    }
    view.advice.text.clone_from(&text);
    view.way_out.clone_from(&text);
    view.drain.headline.clone_from(&text);
    view.drain.missing = vec![text.clone(); 3];
    for release in &mut view.proposed {
        (release.name, release.version, release.by) = (text.clone(), text.clone(), text.clone());
    }
    if let Some(order) = &mut view.running {
        order.text.clone_from(&text);
    }
}

fn preview(text: &str, refused: bool) -> Preview {
    Preview {
        action: crate::core::Action::Next,
        title: text.to_owned(),
        facts: vec![Fact { label: text.to_owned(), text: text.repeat(30), tone: Tone::Warn }; 9],
        confirm: Confirm::TypeWithReason(text.to_owned()),
        refusals: if refused { vec![Refusal::new("x", text)] } else { Vec::new() },
        mark: text.to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn no_size_state_or_screen_panics(
        state in 0usize..6, width in 1u16..230, height in 1u16..70, keys in 0usize..12, text in 0usize..HOSTILE.len(),
        ascii: bool, number in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-1.0), Just(0.0), Just(1e300)],
    ) {
        let mut view = views::states().remove(state).1;
        spoil(&mut view, HOSTILE[text]);
        view.errors.new.push(Some(number));
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
        let mut ui = console(ascii);
        let journeys = ["m", "c", "a", "?", ":", "space", "space s", "space n", "R", "q", "c /", "c G"];
        for key in journeys[keys].split(' ') {
            ui.on_event(0, &key_of(key), &view);
        }
        for now_ms in [1000, 2000] {
            if ui.wanted_preview().is_some() {
                ui.show_preview(preview(HOSTILE[text], state % 2 == 0));
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
        (ring.now, ring.rps, ring.inflight_left) = (None, None, None);
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
    assert_eq!(fields[2..7], ["0%", "?", "?/22", "1/3", "?"], "{early}");
}

#[test]
fn without_colour_the_focus_is_still_reversed() {
    let look = crate::ui::Look {
        theme: Theme::builtin("mono").unwrap(),
        keymap: crate::ui::Keymap::default(),
        ascii: false,
        utc: true,
    };
    let mut ui = crate::ui::Ui::new(look);
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
