//! Every customer: where the plan wants it, where its requests go, and how it fares there.

use super::frame::{self, Said, Shown};
use crate::core::{Action, CustomerRow};
use crate::ui::list::CustomerList;
use crate::ui::num;
use crate::ui::paint::{Row, put, tint};
use crate::ui::panel::customers::{Columns, heading, line, seen, version};
use crate::ui::panel::footer;
use crate::ui::scene::Scene;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const KEYS: &[Action] = &[
    Action::Hold,
    Action::Menu,
    Action::Rollback,
    Action::Filter,
    Action::Sort,
    Action::Open,
    Action::Back,
    Action::Wide,
    Action::Copy,
    Action::Export,
    Action::Help,
    Action::Quit,
];

/// Draws the screen.
pub(in crate::ui) fn draw(
    scene: &Scene,
    buf: &mut Buffer,
    area: Rect,
    said: Said<'_>,
    list: &mut CustomerList,
) -> Shown {
    let columns = Columns::of(area.width.saturating_sub(2), list.is_wide());
    // The list is not touched while it is drawn, except for what is in sight.
    let rows: Vec<CustomerRow> = list.rows(scene.view).into_iter().cloned().collect();
    let ids: Vec<&str> = rows.iter().map(|c| c.id.as_str()).collect();
    let at = list.pick.index(&ids);

    let mut bottom = problems(scene, list, area.width);
    if area.height >= 16 {
        bottom.extend(detail(scene, rows.get(at), area.width));
    }
    let last = match list.is_typing() {
        true => frame::typing(scene, "Filter", list.text(), "(ring:early ver:4.12 err>1)"),
        false => footer::keys(scene, area.width, KEYS, said.text),
    };
    let body = frame::around_with(scene, buf, area, said, last, bottom);
    let filter = if list.text().is_empty() { "none".to_owned() } else { format!("\"{}\"", list.text()) };
    let title = vec![scene.ink.text(&format!(
        "customers {} of {}   on new {}   filter: {filter}",
        rows.len(),
        num::number(scene.view.exposed.of.map(|_| scene.view.customers.len())),
        num::number(scene.view.exposed.customers)
    ))];
    let note = format!("sort {}  {}", list.sort().label(scene.ink.ascii), footer::position(at, rows.len()));
    let inner = scene.ink.frame(buf, body, title, vec![scene.ink.role(Role::Dim, &note)]);
    put(buf, inner, 0, &heading(scene, &columns));
    let room = usize::from(inner.height.saturating_sub(1));
    let top = list.pick.window(at, rows.len(), room);
    if rows.is_empty() {
        let text =
            if list.text().is_empty() { "  no customer is known yet" } else { "  no customer matches the filter" };
        put(buf, inner, 1, &Row::from(scene.ink.role(Role::Dim, text)));
    }
    for (y, row) in rows.iter().skip(top).take(room).enumerate() {
        let y = y as u16 + 1;
        put(buf, inner, y, &line(scene, row, &columns));
        if top + usize::from(y) - 1 == at {
            tint(buf, inner, y, scene.ink.theme.style(Role::Focus));
        }
    }
    Shown { page: room, ..Shown::default() }
}

/// Says what of the filter could not be read; it narrows nothing and is not lost.
fn problems(scene: &Scene, list: &CustomerList, width: u16) -> Vec<Row> {
    let problems = list.filter().problems();
    let Some(first) = problems.first() else { return Vec::new() };
    let more = if problems.len() > 1 { format!("   (+{} more)", problems.len() - 1) } else { String::new() };
    let text = format!(" {} not used: {first}{more}", scene.ink.glyph(Role::Bad));
    vec![Row::from(scene.ink.role(Role::Bad, &scene.ink.fit(&text, usize::from(width))))]
}

fn detail(scene: &Scene, row: Option<&CustomerRow>, width: u16) -> Vec<Row> {
    let Some(row) = row else { return Vec::new() };
    let ink = &scene.ink;
    let name = if row.name.is_empty() { String::new() } else { format!(" ({})", row.name) };
    let seen = seen(row);
    let mut first = vec![ink.bold(&ink.fit(&format!(" {}{name}", row.id), usize::from(width) / 2))];
    first.push(ink.text(&format!("  ring {} wave {}  want ", row.ring, row.wave)));
    first.push(version(scene, row.want, 12));
    first.push(ink.text(" now "));
    first.push(version(scene, row.now, 12));
    if row.since.is_some() {
        first.push(ink.text(&format!(" since {}", scene.clock.short(row.since))));
    }
    let open = match scene.view.drain.side {
        Some(side) => format!("{} open on the {side} version", num::count(row.inflight_left)),
        None => "no version is being left".to_owned(),
    };
    let second =
        format!(" {} req/s, errors {}, {open}; {seen}", num::rate(row.rps), num::percent(row.errors, num::NOTHING));
    vec![Row::from(first), Row::from(ink.text(&second))]
}
