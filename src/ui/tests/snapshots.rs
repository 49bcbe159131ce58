//! The pictures a person works with, compared with the ones that were looked at.
//!
//! `PILOTHOUSE_BLESS=1 cargo test --lib ui::` rewrites them; look at the difference before you keep it.
//! `PILOTHOUSE_ANSI=DIR` also writes them with colours, for a terminal or a converter to PNG.

use super::{console, frame, rows, views};
use crate::core::View;
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
