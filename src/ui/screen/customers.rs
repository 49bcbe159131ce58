//! Every customer: where the plan wants it, where its requests go, and how it fares there.

use crate::core::{Action, CustomerRow, View};
use crate::ui::num;
use crate::ui::paint::{Row, put, tint};
use crate::ui::panel::customers::{heading, line, version};
use crate::ui::panel::{footer, header, order};
use crate::ui::pick::Pick;
use crate::ui::scene::Scene;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const KEYS: &[Action] =
    &[Action::Hold, Action::Menu, Action::Rollback, Action::Filter, Action::Back, Action::Help, Action::Quit];

/// What of the console's own state the screen shows.
pub(in crate::ui) struct Shown<'a> {
    pub filter: &'a str,
    /// Whether the filter is being typed.
    pub typing: bool,
    pub said: Option<&'a str>,
    pub order: bool,
}

/// Returns the customers whose id, name or ring contains the filter; letters are compared without their case.
pub(in crate::ui) fn filtered<'a>(view: &'a View, filter: &str) -> Vec<&'a CustomerRow> {
    if filter.is_empty() {
        return view.customers.iter().collect();
    }
    let filter = filter.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&filter);
    view.customers.iter().filter(|c| has(&c.id) || has(&c.name) || has(&c.ring)).collect()
}

/// Draws the screen; returns the rows of its list.
pub(in crate::ui) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect, shown: &Shown, pick: &mut Pick) -> usize {
    let top_rows = header::height(scene).min(area.height);
    header::draw(scene, buf, Rect { height: top_rows, ..area });
    let rows = filtered(scene.view, shown.filter);
    let ids: Vec<&str> = rows.iter().map(|c| c.id.as_str()).collect();
    let at = pick.index(&ids);

    let mut bottom = if shown.order { order::rows(scene, area.width, area.height / 6) } else { Vec::new() };
    if area.height >= 16 {
        bottom.extend(detail(scene, rows.get(at).copied(), area.width));
    }
    if shown.typing {
        let text = format!(
            " Filter: {}▏   Enter keeps it, Esc clears it, {} still holds",
            shown.filter,
            scene.key(Action::Hold)
        );
        bottom.push(Row::from(scene.ink.role(Role::Focus, &text)));
    } else {
        bottom.push(footer::keys(scene, area.width, KEYS, shown.said));
    }
    bottom.extend(footer::advice(scene, area.width, 1));
    footer::draw_up(buf, area, &bottom);

    let list =
        Rect { y: area.y + top_rows, height: area.height.saturating_sub(top_rows + bottom.len() as u16), ..area };
    let filter = if shown.filter.is_empty() { "none".to_owned() } else { format!("\"{}\"", shown.filter) };
    let title = vec![scene.ink.text(&format!(
        "customers {} of {}   on new {}   filter: {filter}",
        rows.len(),
        scene.view.customers.len(),
        scene.view.exposed.customers
    ))];
    let note = scene.ink.role(Role::Dim, &footer::position(at, rows.len()));
    let inner = scene.ink.frame(buf, list, title, vec![note]);
    put(buf, inner, 0, &heading(scene, inner.width));
    let room = usize::from(inner.height.saturating_sub(1));
    let top = pick.window(at, rows.len(), room);
    if rows.is_empty() {
        let text =
            if shown.filter.is_empty() { "  no customer is known yet" } else { "  no customer matches the filter" };
        put(buf, inner, 1, &Row::from(scene.ink.role(Role::Dim, text)));
    }
    for (y, row) in rows.iter().skip(top).take(room).enumerate() {
        let y = y as u16 + 1;
        put(buf, inner, y, &line(scene, row, inner.width));
        if top + usize::from(y) - 1 == at {
            tint(buf, inner, y, scene.ink.theme.style(Role::Focus));
        }
    }
    room
}

fn detail(scene: &Scene, row: Option<&CustomerRow>, width: u16) -> Vec<Row> {
    let Some(row) = row else { return Vec::new() };
    let ink = &scene.ink;
    let name = if row.name.is_empty() { String::new() } else { format!(" ({})", row.name) };
    let seen = match row.seen {
        Some(true) => "seen since its shift",
        Some(false) => "silent since its shift",
        None => "has not moved",
    };
    let mut first = vec![ink.bold(&ink.fit(&format!(" {}{name}", row.id), usize::from(width) / 2))];
    first.push(ink.text(&format!("  ring {} wave {}  want ", row.ring, row.wave)));
    first.push(version(scene, row.want, 12));
    first.push(ink.text(" now "));
    first.push(version(scene, row.now, 12));
    let open = match scene.view.drain.side {
        Some(side) => format!("{} open on the {side} version", num::count(row.inflight_left)),
        None => "no version is being left".to_owned(),
    };
    let second =
        format!(" {} req/s, errors {}, {open}; {seen}", num::rate(row.rps), num::percent(row.errors, num::NOTHING));
    vec![Row::from(first), Row::from(ink.text(&second))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_looks_at_id_name_and_ring_without_case() {
        let row = |id: &str, name: &str, ring: &str| CustomerRow {
            id: id.to_owned(),
            name: name.to_owned(),
            ring: ring.to_owned(),
            ..Default::default()
        };
        let view =
            View { customers: vec![row("acme", "Acme Ltd", "pilot"), row("globex", "", "early")], ..View::default() };
        let found = |filter: &str| filtered(&view, filter).iter().map(|c| c.id.clone()).collect::<Vec<_>>();
        assert_eq!(found("LTD"), ["acme"]);
        assert_eq!(found("ear"), ["globex"]);
        assert_eq!(found("").len(), 2);
        assert!(found("zzz").is_empty());
    }
}
