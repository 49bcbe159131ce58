//! The journal of the release with the notices of this console, and the findings of the last preflight.

use crate::core::Action;
use crate::model::Level;
use crate::ui::paint::{Row, put, tint};
use crate::ui::panel::events::{Entry, entries, line, who_width};
use crate::ui::panel::{footer, header, order};
use crate::ui::pick::Pick;
use crate::ui::scene::Scene;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const KEYS: &[Action] =
    &[Action::Hold, Action::Menu, Action::Rollback, Action::Back, Action::TimeZone, Action::Help, Action::Quit];

/// Draws the screen; returns the rows of its list.
pub(in crate::ui) fn draw(
    scene: &Scene,
    buf: &mut Buffer,
    area: Rect,
    said: Option<&str>,
    order: bool,
    pick: &mut Pick,
) -> usize {
    let top_rows = header::height(scene).min(area.height);
    header::draw(scene, buf, Rect { height: top_rows, ..area });
    let entries = entries(scene.view);
    let keys: Vec<String> = entries.iter().map(Entry::key).collect();
    let at = pick.index(&keys);

    let mut bottom = if order { order::rows(scene, area.width, area.height / 6) } else { Vec::new() };
    if area.height >= 16 {
        bottom.extend(detail(scene, entries.get(at), area.width));
        bottom.extend(findings(scene, area.width, usize::from(area.height) / 4));
    }
    bottom.push(footer::keys(scene, area.width, KEYS, said));
    bottom.extend(footer::advice(scene, area.width, 1));
    footer::draw_up(buf, area, &bottom);

    let list =
        Rect { y: area.y + top_rows, height: area.height.saturating_sub(top_rows + bottom.len() as u16), ..area };
    let title = vec![scene.ink.text(&format!("events, newest first   times {}", scene.clock.zone()))];
    let note = scene.ink.role(Role::Dim, &footer::position(at, entries.len()));
    let inner = scene.ink.frame(buf, list, title, vec![note]);
    let room = usize::from(inner.height);
    let top = pick.window(at, entries.len(), room);
    if entries.is_empty() {
        put(buf, inner, 0, &Row::from(scene.ink.role(Role::Dim, " nothing has happened yet")));
    }
    let who = who_width(&entries, usize::from(inner.width));
    for (y, entry) in entries.iter().skip(top).take(room).enumerate() {
        put(buf, inner, y as u16, &line(scene, entry, usize::from(inner.width), who));
        if top + y == at {
            tint(buf, inner, y as u16, scene.ink.theme.style(Role::Focus));
        }
    }
    room
}

fn detail(scene: &Scene, entry: Option<&Entry>, width: u16) -> Vec<Row> {
    let Some(entry) = entry else { return Vec::new() };
    let rows = scene.ink.wrap(&entry.text(), usize::from(width).saturating_sub(2));
    rows.iter().take(3).map(|row| Row::from(scene.ink.text(&format!(" {row}")))).collect()
}

fn findings(scene: &Scene, width: u16, most: usize) -> Vec<Row> {
    let found = &scene.view.findings;
    if found.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![Row::from(scene.ink.bold(" last preflight:"))];
    for finding in found {
        let role = match finding.level {
            Level::Refuse => Role::Bad,
            Level::Warn => Role::Warn,
            Level::Note => Role::Dim,
        };
        for (i, text) in scene.ink.wrap(&finding.text, usize::from(width).saturating_sub(4)).iter().enumerate() {
            let sign = if i == 0 { scene.ink.glyph(role) } else { " " };
            rows.push(Row::from(scene.ink.role(role, &format!(" {sign} {text}"))));
        }
    }
    let hidden = rows.len().saturating_sub(most.max(2));
    if hidden > 0 {
        rows.truncate(most.max(2) - 1);
        rows.push(Row::from(scene.ink.text(&format!("   and {} more rows", hidden + 1))));
    }
    rows
}
