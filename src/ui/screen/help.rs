//! Help: every key, from the keymap and the action table, and why some are grey.

use super::frame::{self, Said, Shown};
use crate::core::{ACTIONS, Action, Danger, Role as Who};
use crate::ui::keymap::Binding;
use crate::ui::paint::Row;
use crate::ui::scene::Scene;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const KEYS: &[Action] = &[
    Action::Hold,
    Action::Menu,
    Action::Rollback,
    Action::Back,
    Action::Down,
    Action::Palette,
    Action::Filter,
    Action::Up,
    Action::Quit,
];

/// Draws the screen from row `top` of its text.
pub(in crate::ui) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect, said: Said<'_>, top: usize) -> Shown {
    let body = frame::around(scene, buf, area, said, KEYS, Vec::new());
    let rows = rows(scene, usize::from(body.width.saturating_sub(2)));
    frame::scroll(scene, buf, body, vec![scene.ink.text("help")], &rows, top)
}

fn rows(scene: &Scene, width: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let heading = |text: &str| Row::from(scene.ink.bold(&format!(" {text}")));
    if scene.operates() {
        rows.push(heading("act"));
        rows.extend(of(scene, width, |action| action.spec().role == Who::Operate));
        rows.extend(grey(scene, width));
        rows.push(Row::default());
    }
    rows.push(heading("look"));
    rows.extend(of(scene, width, |action| action.spec().role == Who::Look && !is_move(action)));
    rows.push(Row::default());
    rows.push(heading("move"));
    rows.extend(of(scene, width, is_move));
    rows.push(Row::default());
    rows.push(heading("how acts are confirmed"));
    let rules: &[&str] = if scene.operates() {
        &[
            "Hold is one key, at once, from every screen and dialog, also with old numbers: it is safe.",
            "Back to old is a preview, then y. What moves customers forward is a preview, then a word to type.",
            "Enter runs a command only where the typed word matches. Pasted text is ignored.",
            "No Ctrl, Alt or F key changes anything in the cluster.",
        ]
    } else {
        &["This screen only looks: no client that can write exists in this process."]
    };
    for rule in rules {
        rows.extend(
            scene.ink.wrap(rule, width.saturating_sub(4)).iter().map(|r| Row::from(scene.ink.text(&format!("   {r}")))),
        );
    }
    rows.push(Row::default());
    rows.push(heading("this console"));
    for (label, text) in this_console(scene) {
        rows.extend(frame::labelled(scene, &format!("  {label}"), &text, None, width as u16));
    }
    rows
}

/// Says what the console is like here, which is what one asks when it is slow, flickers or has other keys.
fn this_console(scene: &Scene) -> [(&'static str, String); 4] {
    let answers = match scene.told.round_trip_ms() {
        Some(ms) => format!("answers in {ms} ms"),
        None => "has not answered".to_owned(),
    };
    let updates = match scene.told.is_synchronized() {
        Some(true) => "takes a picture as a whole (mode 2026)",
        Some(false) => "does not know synchronized updates (mode 2026): pictures may flicker",
        None => "has not said whether it knows synchronized updates (mode 2026)",
    };
    let origin = &scene.look.keys_from;
    let keys = match &origin.file {
        Some(file) if file.as_os_str() == origin.name.as_str() => origin.name.clone(),
        Some(file) => format!("{}, from {}", origin.name, file.display()),
        None => format!("{}, in the program", origin.name),
    };
    let follows = if scene.look.auto { ", follows the terminal's background" } else { "" };
    let letters = if scene.ink.ascii { "ASCII alone" } else { "UTF-8" };
    [
        ("terminal", format!("{answers}; {updates}")),
        ("keys", keys),
        ("theme", format!("{}{follows}", scene.look.theme.name())),
        ("letters", letters.to_owned()),
    ]
}

fn of(scene: &Scene, width: usize, wanted: impl Fn(Action) -> bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for spec in ACTIONS.iter().filter(|spec| wanted(spec.action)) {
        let keys: Vec<String> =
            scene.keymap.bindings().iter().filter(|b| b.action == spec.action).map(Binding::label).collect();
        let level = match spec.danger {
            Danger::Look => "",
            Danger::Safe => "  (at once)",
            Danger::Back => "  (preview, y)",
            Danger::Forward => "  (preview, word)",
            Danger::Risk if spec.action == Action::Force => "  (preview, the words of the cut, and a reason)",
            Danger::Risk => "  (preview, name and reason)",
        };
        for (i, text) in scene.ink.wrap(&format!("{}{level}", spec.doc), width.saturating_sub(18)).iter().enumerate() {
            let keys = if i == 0 { keys.join(", ") } else { String::new() };
            rows.push(Row::from(vec![
                scene.ink.bold(&format!("   {} ", scene.ink.left(&keys, 13))),
                scene.ink.text(text),
            ]));
        }
    }
    rows
}

fn grey(scene: &Scene, width: usize) -> Vec<Row> {
    let blocked = ACTIONS.iter().map(|spec| (spec, scene.blocked(spec.action))).filter(|(_, why)| !why.is_empty());
    let mut rows = Vec::new();
    for (spec, why) in blocked {
        for (i, why) in why.iter().enumerate() {
            let title = if i == 0 { spec.title } else { "" };
            for (j, text) in scene.ink.wrap(why, width.saturating_sub(22)).iter().enumerate() {
                let title = if j == 0 { title } else { "" };
                rows.push(Row::from(vec![
                    scene.ink.role(Role::Dim, &format!("   {} ", scene.ink.left(title, 15))),
                    scene.ink.text(text),
                ]));
            }
        }
    }
    if !rows.is_empty() {
        rows.insert(0, Row::default());
        rows.insert(1, Row::from(scene.ink.bold(" why is a key grey?")));
    }
    rows
}

fn is_move(action: Action) -> bool {
    matches!(
        action,
        Action::Up
            | Action::Down
            | Action::First
            | Action::Last
            | Action::PageUp
            | Action::PageDown
            | Action::NextPanel
            | Action::PreviousPanel
            | Action::Open
            | Action::Back
    )
}
