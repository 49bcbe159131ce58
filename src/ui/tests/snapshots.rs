//! The pictures a person works with, compared with the ones that were looked at.
//!
//! One file holds one screen at one size: the picture, its ASCII twin and its colours, cell by cell, with sixteen colours
//! and without. `PILOTHOUSE_BLESS=1 cargo test --lib ui::` rewrites them; look at the difference before you keep it.
//! `PILOTHOUSE_ANSI=DIR` also writes them with colours, for a terminal or a converter to PNG.

use super::journeys::Desk;
use super::{frame, look, rows, views};
use crate::core::{Confirm, FreshRow, Mode, View};
use crate::model::{Finding, Refusal};
use crate::ui::{Kiosk, Look, Ui};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write;
use std::path::{Path, PathBuf};

const SIZES: [(u16, u16); 4] = [(80, 24), (120, 40), (160, 45), (200, 60)];

/// A picture to take: how to get there.
struct Shot {
    name: &'static str,
    kiosk: Option<Kiosk>,
    privacy: bool,
    view: View,
    keys: &'static str,
    confirm: Confirm,
    refusals: Vec<Refusal>,
}

#[test]
fn every_screen_looks_as_it_was_looked_at() {
    let mut wrong = Vec::new();
    for (name, view) in views::states() {
        wrong.extend(
            SIZES.into_iter().filter_map(|size| compare(&shot(&format!("main-{name}"), view.clone(), "m"), size)),
        );
    }
    for shot in screens() {
        wrong.extend(SIZES.into_iter().filter_map(|size| compare(&shot, size)));
    }
    let held = shot("card-held", views::held(), "m");
    wrong.extend([(60, 16), (50, 12), (30, 5)].into_iter().filter_map(|size| compare(&held, size)));
    assert_none(&wrong);
}

#[test]
fn every_dialog_looks_as_it_was_looked_at() {
    let wrong: Vec<String> =
        dialogs().iter().flat_map(|shot| SIZES.into_iter().filter_map(|size| compare(shot, size))).collect();
    assert_none(&wrong);
}

#[test]
fn ascii_mode_draws_ascii_only() {
    let main = views::states().into_iter().map(|(name, view)| shot(name, view, "m"));
    for shot in main.chain(screens()).chain(dialogs()) {
        for size in SIZES {
            let text = rows(&take(&shot, size, "dark16", true)).concat();
            let foreign: String = text.chars().filter(|c| !c.is_ascii()).collect();
            assert!(foreign.is_empty(), "{} {size:?}: {foreign:?}", shot.name);
        }
    }
}

fn screens() -> Vec<Shot> {
    let mut watching = views::baking();
    watching.header.mode = Mode::Watch;
    vec![
        shot("first-run", first_run(), "m"),
        shot("main-watch", watching, "m"),
        shot("main-frozen", views::baking(), "z"),
        shot("main-panel", views::baking(), "tab tab"),
        shot("customers", views::held(), "c j j"),
        shot("customers-wide", views::held(), "c w s"),
        shot("customers-filter", views::held(), "/ r i n g : e a r l y space e r r > x"),
        shot("customer", views::held(), "/ g l o b enter enter"),
        shot("ring", views::held(), "i"),
        shot("drain", views::draining(), "d"),
        shot("drain-in-use", views::baking(), "d"),
        shot("graphs", views::held(), "g"),
        shot("graphs-errors", views::held(), "3"),
        shot("plan", views::held(), "6"),
        shot("audit", views::held(), "a j j"),
        shot("preflight", with_findings(), "p"),
        shot("releases", views::baking(), "D j"),
        shot("help", views::held(), "?"),
        Shot { privacy: true, ..shot("customers-private", watching_held(), "c j j") },
        wall("kiosk-overview", views::held(), "m"),
        wall("kiosk-graphs", views::held(), "tab"),
        Shot { privacy: true, ..wall("kiosk-customers", views::held(), "tab tab") },
        wall("kiosk-events", views::held(), "backtab"),
        wall("kiosk-no-data", logged_out(), "m"),
    ]
}

fn dialogs() -> Vec<Shot> {
    let refused = vec![
        Refusal::new("guard.hold", "held by gate errors since 03:06:32: resume first with Space r"),
        Refusal::new("guard.gate", "gate errors fails: 1.3% over 1% since 03:06:31"),
    ];
    let early = || Confirm::Type("early".to_owned());
    vec![
        shot("menu", views::held(), "space"),
        Shot { confirm: early(), ..shot("confirm-next", views::baking(), "space n") },
        Shot { confirm: early(), refusals: refused, ..shot("confirm-refused", views::held(), "space n") },
        shot("confirm-rollback", views::held(), "R"),
        Shot {
            confirm: Confirm::TypeWithReason("anna@jump02".to_owned()),
            ..shot("confirm-take", views::baking(), "space k")
        },
        shot("start", views::idle(), "space s"),
        shot("leave", views::baking(), "q"),
        shot("palette", views::held(), ":"),
    ]
}

fn shot(name: &str, view: View, keys: &'static str) -> Shot {
    // Names live as long as the test.
    let name = name.to_owned().leak();
    Shot { name, kiosk: None, privacy: false, view, keys, confirm: Confirm::Yes, refusals: Vec::new() }
}

/// A wall screen after so many turns of its page.
fn wall(name: &str, mut view: View, keys: &'static str) -> Shot {
    view.header.mode = Mode::Watch;
    view.header.driver = Some(("anna@jump02".to_owned(), 2));
    Shot { kiosk: Some(Kiosk { cycle_ms: 20_000, no_quit: false }), ..shot(name, view, keys) }
}

fn take(shot: &Shot, size: (u16, u16), theme: &str, ascii: bool) -> Buffer {
    let look = Look { kiosk: shot.kiosk, privacy: shot.privacy, ..look(theme, ascii) };
    let mut desk = Desk::of(Ui::new(look), shot.view.clone(), size);
    (desk.confirm, desk.refusals) = (shot.confirm.clone(), shot.refusals.clone());
    desk.press(shot.keys);
    desk.wait();
    let Desk { ui, view, now_ms, .. } = &mut desk;
    frame(ui, view, size, *now_ms)
}

/// Compares one picture in all its forms; says what has changed.
fn compare(shot: &Shot, size: (u16, u16)) -> Option<String> {
    let name = format!("{}-{}x{}", shot.name, size.0, size.1);
    let seen = take(shot, size, "dark16", false);
    let forms = [
        ("ascii", rows(&take(shot, size, "dark16", true))),
        ("16 colours", colours(&seen)),
        ("no colour", colours(&take(shot, size, "mono", false))),
    ];
    if let Ok(folder) = std::env::var("PILOTHOUSE_ANSI") {
        std::fs::write(Path::new(&folder).join(format!("{name}.ansi")), ansi(&seen)).unwrap();
    }
    let mut now = rows(&seen).join("\n") + "\n";
    for (form, lines) in forms {
        let _ = write!(now, "--- {form}\n{}\n", lines.join("\n"));
    }
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(format!("{name}.txt"));
    if std::env::var_os("PILOTHOUSE_BLESS").is_some() {
        std::fs::write(&file, &now).unwrap();
        return None;
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    let first = golden.lines().zip(now.lines()).position(|(was, is)| was != is).unwrap_or(0);
    let line = |text: &str| text.lines().nth(first).unwrap_or_default().to_owned();
    (golden != now)
        .then(|| format!("{name}, line {}:\n  was {}\n  is  {}\n{now}", first + 1, line(&golden), line(&now)))
}

fn assert_none(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} pictures have changed; if they should, run with PILOTHOUSE_BLESS=1\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Writes the colours of a picture, a sign per cell: the colour's letter, a capital where it is bold, `#` where it is
/// reversed, `_` where it is underlined.
fn colours(buffer: &Buffer) -> Vec<String> {
    let sign = |cell: &Cell| {
        let letter = match cell.fg {
            Color::Reset => '.',
            Color::Red | Color::LightRed => 'r',
            Color::Green | Color::LightGreen => 'g',
            Color::Yellow | Color::LightYellow => 'y',
            Color::Blue | Color::LightBlue => 'b',
            Color::Magenta | Color::LightMagenta => 'm',
            Color::Cyan | Color::LightCyan => 'c',
            _ => 'd',
        };
        match cell.modifier {
            mods if mods.contains(Modifier::REVERSED) => '#',
            mods if mods.contains(Modifier::UNDERLINED) => '_',
            mods if mods.contains(Modifier::BOLD) && letter == '.' => 'B',
            mods if mods.contains(Modifier::BOLD) => letter.to_ascii_uppercase(),
            _ if cell.symbol() == " " => ' ',
            _ => letter,
        }
    };
    let width = usize::from(buffer.area.width.max(1));
    buffer.content.chunks(width).map(|cells| cells.iter().map(sign).collect::<String>().trim_end().to_owned()).collect()
}

fn watching_held() -> View {
    let mut view = views::held();
    view.header.mode = Mode::Watch;
    view
}

/// The login has expired a while ago.
fn logged_out() -> View {
    let mut view = views::rolling_back();
    view.header.stale = vec!["HTTPRoute has not been heard of for 192 s (the API server does not accept our credentials (401 Unauthorized): log in again)".to_owned()];
    view.header.fresh[0] = FreshRow { source: "kube".to_owned(), age: Some(192), stale: true };
    view.header.logged_out = Some(views::at("03:04:00"));
    view
}

/// Nothing is known yet but that there is no plan.
fn first_run() -> View {
    let mut view = View::default();
    view.header.state = "NO PLAN".to_owned();
    view.header.cluster = "aks-weu-prod".to_owned();
    view.header.namespace = "trackx".to_owned();
    view.header.why = "there is no RolloutPlan in namespace trackx".to_owned();
    view.advice.text = "waiting for a RolloutPlan in namespace trackx, since 03:07:12".to_owned();
    view
}

/// A preflight found something of every weight.
pub(super) fn with_findings() -> View {
    let mut view = views::idle();
    (view.preflight.age, view.preflight.survey_age, view.preflight.metrics_age) = (Some(1), Some(42), None);
    view.preflight.findings = vec![
        Finding::warn(
            "route.no-timeouts",
            "rule 1 of HTTPRoute trackx has no timeouts: Envoy-based gateways cut its requests after 15 s; set timeouts.request",
        ),
        Finding::refuse(
            "policy.by-name",
            "SecurityPolicy trackx-jwt protects route trackx only; managed routes would be unprotected. Target it by label pilothouse.dev/base: trackx, or attach it to the Gateway.",
        ),
        Finding::refuse(
            "hpa.shrinks",
            "HorizontalPodAutoscaler trackx-b would shrink slot b to 2 of 8 pods: kubectl patch hpa trackx-b -p '{\"spec\":{\"minReplicas\":8}}'",
        ),
        Finding {
            level: crate::model::Level::Note,
            check: "policy.not-checked".to_owned(),
            text: "BackendTrafficPolicy may not be listed: not checked".to_owned(),
        },
    ];
    view
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
