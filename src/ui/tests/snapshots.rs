//! The pictures a person works with, compared with the ones that were looked at.
//!
//! `PILOTHOUSE_BLESS=1 cargo test --lib ui::` rewrites them; look at the difference before you keep it.
//! `PILOTHOUSE_ANSI=DIR` also writes them with colours, for a terminal or a converter to PNG.

use super::journeys::Desk;
use super::{console, frame, rows, views};
use crate::core::{Confirm, View};
use crate::model::Refusal;
use crate::ui::Ui;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use std::fmt::Write;
use std::path::{Path, PathBuf};

const SIZES: [(u16, u16); 2] = [(80, 24), (160, 45)];

fn compare(name: &str, ui: &mut Ui, view: &View, size: (u16, u16), now_ms: u64) {
    let buffer = frame(ui, view, size, now_ms);
    let name = format!("{name}-{}x{}", size.0, size.1);
    if let Ok(folder) = std::env::var("PILOTHOUSE_ANSI") {
        std::fs::write(Path::new(&folder).join(format!("{name}.ansi")), ansi(&buffer)).unwrap();
    }
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(format!("{name}.txt"));
    let now = rows(&buffer).join("\n") + "\n";
    if std::env::var_os("PILOTHOUSE_BLESS").is_some() {
        std::fs::write(&file, &now).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        golden == now,
        "{name} has changed; if it should, run with PILOTHOUSE_BLESS=1\n--- was\n{golden}\n--- is\n{now}"
    );
}

#[test]
fn the_main_screen_shows_each_state_as_it_was_looked_at() {
    for (name, view) in views::states() {
        for size in SIZES {
            compare(&format!("main-{name}"), &mut console(false), &view, size, 1000);
        }
    }
}

#[test]
fn the_main_screen_has_an_ascii_twin_and_a_small_one() {
    let view = views::held();
    compare("main-held-ascii", &mut console(true), &view, (80, 24), 1000);
    compare("main-held", &mut console(false), &view, (60, 16), 1000);
    compare("card-held", &mut console(false), &view, (50, 12), 1000);
    compare("tiny-held", &mut console(false), &view, (30, 5), 1000);
}

#[test]
fn dialogs_and_lists_look_as_they_were_looked_at() {
    let refused = vec![
        Refusal::new("guard.hold", "held by gate errors since 03:06:32: resume first with Space r"),
        Refusal::new("guard.gate", "gate errors fails: 1.3% over 1% since 03:06:31"),
    ];
    let journeys: Vec<(&str, View, &str, Confirm, Vec<Refusal>)> = vec![
        ("menu", views::held(), "space", Confirm::Yes, Vec::new()),
        ("confirm-next", views::baking(), "space n", Confirm::Type("early".to_owned()), Vec::new()),
        ("confirm-refused", views::held(), "space n", Confirm::Type("early".to_owned()), refused),
        ("confirm-rollback", views::held(), "R", Confirm::Yes, Vec::new()),
        ("confirm-take", views::baking(), "space k", Confirm::TypeWithReason("anna@jump02".to_owned()), Vec::new()),
        ("start", views::idle(), "space s", Confirm::Yes, Vec::new()),
        ("leave", views::baking(), "q", Confirm::Yes, Vec::new()),
        ("palette", views::held(), ":", Confirm::Yes, Vec::new()),
        ("customers", views::held(), "c j j", Confirm::Yes, Vec::new()),
        ("events", views::held(), "a j", Confirm::Yes, Vec::new()),
        ("help", views::held(), "?", Confirm::Yes, Vec::new()),
        ("first-run", first_run(), "m", Confirm::Yes, Vec::new()),
    ];
    for (name, view, keys, confirm, refusals) in journeys {
        let mut desk = Desk::new(view);
        (desk.confirm, desk.refusals) = (confirm, refusals);
        desk.press(keys);
        desk.wait();
        compare(name, &mut desk.ui, &desk.view, (80, 24), desk.now_ms);
    }
}

fn first_run() -> View {
    let mut view = View::default();
    view.header.state = "NO PLAN".to_owned();
    view.header.cluster = "aks-weu-prod".to_owned();
    view.header.namespace = "trackx".to_owned();
    view.header.why = "there is no RolloutPlan in namespace trackx".to_owned();
    view.advice.text = "waiting for a RolloutPlan in namespace trackx, since 03:07:12".to_owned();
    view
}

#[test]
fn ascii_mode_draws_ascii_only() {
    for (name, view) in views::states() {
        for size in SIZES {
            let text = rows(&frame(&mut console(true), &view, size, 1000)).concat();
            assert!(
                text.is_ascii(),
                "{name} {size:?}: {:?}",
                text.chars().filter(|c| !c.is_ascii()).collect::<String>()
            );
        }
    }
}

/// Writes a picture with its colours.
fn ansi(buffer: &Buffer) -> String {
    let mut out = String::new();
    for cells in buffer.content.chunks(usize::from(buffer.area.width)) {
        for cell in cells {
            out.push_str("\x1b[0");
            let mods = [(Modifier::BOLD, 1), (Modifier::DIM, 2), (Modifier::UNDERLINED, 4), (Modifier::REVERSED, 7)];
            for (modifier, code) in mods {
                if cell.modifier.contains(modifier) {
                    let _ = write!(out, ";{code}");
                }
            }
            if let Some(code) = color(cell.fg) {
                let _ = write!(out, ";{code}");
            }
            let _ = write!(out, "m{}", cell.symbol());
        }
        out.push_str("\x1b[0m\n");
    }
    out
}

fn color(color: Color) -> Option<u8> {
    let order = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    let index = order.iter().position(|c| *c == color)? as u8;
    Some(if index < 8 { 30 + index } else { 82 + index })
}
