//! The last rows: the way out, the keys, the advice.

use crate::core::Action;
use crate::ui::num;
use crate::ui::paint::{Row, put, role_of};
use crate::ui::scene::Scene;
use crate::ui::text;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Writes what a rollback would do now.
pub(in crate::ui) fn way_out(scene: &Scene, width: u16) -> Row {
    let key = scene.key(Action::Rollback);
    let head = if key.is_empty() { " way out: ".to_owned() } else { format!(" {key}  ") };
    let room = usize::from(width).saturating_sub(head.len());
    if scene.live.way_out.is_empty() {
        return Row::from(scene.ink.role(Role::Dim, &format!("{head}nothing to roll back")));
    }
    Row::from(vec![scene.ink.bold(&head), scene.ink.text(&scene.ink.fit(&scene.live.way_out, room))])
}

/// Writes the keys that matter, as many as fit; what was just said to the person stands in their place.
///
/// The way back and help come last where they are among them, and are never what has no room.
pub(in crate::ui) fn keys(scene: &Scene, width: u16, actions: &[Action], said: Option<(&str, Role)>) -> Row {
    keys_with(scene, width, actions, None, said)
}

/// Writes the same with another word for what one of the actions does on this screen.
pub(in crate::ui) fn keys_with(
    scene: &Scene,
    width: u16,
    actions: &[Action],
    here: Option<(Action, &'static str)>,
    said: Option<(&str, Role)>,
) -> Row {
    if let Some((said, role)) = said {
        let sign = scene.ink.glyph(role);
        return Row::from(scene.ink.role(role, &format!(" {sign} {said}")));
    }
    let title = |action: Action| match here {
        Some((other, title)) if other == action => title,
        _ => action.spec().title,
    };
    let cells = |action: Action| scene.key(action).len() + 1 + title(action).len() + 2;
    let kept = [Action::Back, Action::Help].into_iter().filter(|action| actions.contains(action));
    let others = actions.iter().copied().filter(|action| !matches!(action, Action::Back | Action::Help));
    // A row begins with a blank, and of the two at its end one may be cut off.
    let mut room = usize::from(width).saturating_sub(kept.clone().map(cells).sum());
    let mut pieces = vec![scene.ink.text(" ")];
    for action in others.chain(kept) {
        let key = scene.key(action);
        let is_kept = matches!(action, Action::Back | Action::Help);
        if key.is_empty() || (!is_kept && cells(action) > room) {
            continue;
        }
        room = room.saturating_sub(if is_kept { 0 } else { cells(action) });
        pieces.push(scene.ink.bold(&key));
        pieces.push(scene.ink.role(Role::Dim, &format!(" {}  ", title(action))));
    }
    Row::from(pieces)
}

/// Writes the advice, in the form that [`text`] describes; two rows where one is too short and `rows` allows it.
pub(in crate::ui) fn advice(scene: &Scene, width: u16, rows: usize) -> Vec<Row> {
    let advice = &scene.live.advice;
    let key = advice.action.map(|action| scene.key(action)).filter(|key| !key.is_empty());
    let role = role_of(advice.tone);
    let sign = match (role, &key) {
        (Some(role), _) => scene.ink.glyph(role),
        (None, Some(_)) => scene.ink.glyph(Role::Focus),
        (None, None) => scene.ink.glyph(Role::Dim),
    };
    let sentence = match (&key, advice.text.is_empty()) {
        (_, true) => text::LOOKING.to_owned(),
        (Some(key), false) => text::advised(key, &advice.text),
        (None, false) => advice.text.clone(),
    };
    let room = usize::from(width).saturating_sub(4);
    let mut lines = scene.ink.wrap(&sentence, room);
    if lines.len() > rows {
        let rest = lines.split_off(rows.saturating_sub(1)).join(" ");
        lines.push(scene.ink.fit(&rest, room));
    }
    let style_of = |i: usize, line: &str| {
        let sign = if i == 0 { sign } else { " " };
        let text = format!(" {sign} {line}");
        match role {
            Some(role) => scene.ink.role(role, &text),
            None => scene.ink.bold(&text),
        }
    };
    lines.iter().enumerate().map(|(i, line)| Row::from(style_of(i, line))).collect()
}

/// Draws rows from the bottom of an area upwards.
pub(in crate::ui) fn draw_up(buf: &mut Buffer, area: Rect, rows: &[Row]) {
    let first = area.height.saturating_sub(rows.len() as u16);
    for (i, row) in rows.iter().enumerate() {
        put(buf, area, first + i as u16, row);
    }
}

/// Writes the position in a long list.
pub(in crate::ui) fn position(at: usize, of: usize) -> String {
    if of == 0 { num::NOTHING.to_owned() } else { format!("{}/{of}", at + 1) }
}
