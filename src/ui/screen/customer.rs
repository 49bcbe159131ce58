//! One customer: where it is, how it got there, how it fares on both versions, and the routes that carry it.

use super::frame::{self, Said, Shown, labelled, split};
use super::graphs;
use crate::core::{Action, CustomerCloseup, CustomerRow, EventRow};
use crate::model::Side;
use crate::ui::num;
use crate::ui::paint::{Piece, Row, put};
use crate::ui::panel::customers::{seen, version};
use crate::ui::panel::events::{Entry, line, who_width};
use crate::ui::scene::Scene;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const KEYS: &[Action] = &[
    Action::Hold,
    Action::Menu,
    Action::Rollback,
    Action::Ring,
    Action::Copy,
    Action::Back,
    Action::Help,
    Action::Quit,
];

/// Draws the screen.
pub(in crate::ui) fn draw(
    scene: &Scene,
    buf: &mut Buffer,
    area: Rect,
    said: Said<'_>,
    id: &str,
    closeup: Option<&CustomerCloseup>,
    top: usize,
) -> Shown {
    let body = frame::around(scene, buf, area, said, KEYS, Vec::new());
    let row = scene.view.customers.iter().find(|row| row.id == id);
    let (Some(row), Some(closeup)) = (row, closeup) else {
        let text = format!(" {id} is not in the list of customers any more");
        return frame::scroll(
            scene,
            buf,
            body,
            vec![scene.ink.text("customer")],
            &[Row::from(scene.ink.role(Role::Warn, &scene.ink.fit(&text, usize::from(body.width.saturating_sub(2)))))],
            0,
        );
    };
    let events = if closeup.events.is_empty() { 0 } else { (closeup.events.len() as u16 + 2).min(body.height / 4) };
    let events = if body.height >= 24 { events } else { 0 };
    let text = text(scene, row, closeup, body.width.saturating_sub(2), events == 0);
    let wanted = text.len() as u16 + 2;
    let charts = if body.height >= 14 { body.height.saturating_sub(wanted + events).max(body.height / 3) } else { 0 };
    let (head, rest) = split(body, body.height - charts - events);
    let (middle, last) = split(rest, charts);
    let shown = frame::scroll(scene, buf, head, title(scene, row), &text, top);
    if charts > 0 {
        graphs::of_customer(scene, buf, middle, closeup);
    }
    if events > 0 {
        let inner = scene.ink.frame(buf, last, vec![scene.ink.text("what was done to it")], Vec::new());
        for (y, row) in event_rows(scene, &closeup.events, inner.width).iter().enumerate() {
            put(buf, inner, y as u16, row);
        }
    }
    shown
}

fn title(scene: &Scene, row: &CustomerRow) -> Vec<Piece> {
    let name = if row.name.is_empty() || row.name == row.id { String::new() } else { format!(" {}", row.name) };
    vec![scene.ink.text("customer "), scene.ink.bold(&row.id), scene.ink.text(&scene.ink.fit(&name, 30))]
}

fn text(scene: &Scene, row: &CustomerRow, closeup: &CustomerCloseup, width: u16, with_events: bool) -> Vec<Row> {
    let ink = &scene.ink;
    let moved = row.want.is_some() && row.want != row.now;
    let mut first = vec![ink.role(Role::Dim, &format!(" {} ", ink.left("version", 12)))];
    first.push(version(scene, row.now, scene.version(row.now.unwrap_or(Side::Old)).len().max(3)));
    if let Some(at) = row.since {
        let seconds = scene.view.now.map(|now| (now.as_second() - at.as_second()).max(0) as u64);
        let age = seconds.map(num::age).unwrap_or_default();
        first.push(ink.text(&format!(" since {} ({age})", scene.clock.short(Some(at)))));
    }
    first.push(ink.text("   want "));
    first.push(match row.want {
        Some(_) => version(scene, row.want, scene.version(row.want.unwrap_or(Side::Old)).len().max(3)),
        None => ink.role(Role::Dim, num::NOTHING),
    });
    if moved {
        first.push(ink.role(Role::Warn, "  not where the plan wants it"));
    }
    let mut rows = vec![Row::from(first)];
    rows.extend(labelled(scene, "ring", &format!("{} wave {} · {}", row.ring, row.wave, seen(row)), None, width));
    let limit = scene.view.errors.limit;
    let bad = row.errors.zip(limit).is_some_and(|(errors, limit)| errors > limit);
    let limit = limit.map(|limit| format!(" · limit {}", num::percent(Some(limit), num::UNKNOWN))).unwrap_or_default();
    let now = format!("{} req/s · errors {}{limit}", num::rate(row.rps), num::percent(row.errors, num::NOTHING));
    rows.extend(labelled(scene, "now", &now, bad.then_some(Role::Bad), width));
    let open = format!("{} on the old version · {} on the new", num::count(closeup.open.0), num::count(closeup.open.1));
    rows.extend(labelled(scene, "open work", &open, None, width));
    let kind = [("tier", &closeup.tier), ("region", &closeup.region)];
    let kind = kind.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| format!(" · {key} {value}"));
    rows.extend(labelled(
        scene,
        "request",
        &format!("{}{}", closeup.matched_by, kind.collect::<String>()),
        None,
        width,
    ));
    if closeup.routes.is_empty() {
        rows.extend(labelled(scene, "route", "on the base route: no managed route names it", None, width));
    }
    for route in &closeup.routes {
        let rules: Vec<String> = route.rules.iter().map(ToString::to_string).collect();
        let to = route.to.map_or(num::UNKNOWN.to_owned(), |side| scene.version(side).to_owned());
        let text = format!(
            "{} · rules {} send to {to} · {} · resourceVersion {}",
            route.name,
            rules.join(","),
            route.accepted,
            route.version
        );
        rows.extend(labelled(scene, "route", &text, (!route.is_accepted).then_some(Role::Warn), width));
    }
    if with_events {
        rows.extend(event_rows(scene, &closeup.events, width));
    }
    rows
}

fn event_rows(scene: &Scene, events: &[EventRow], width: u16) -> Vec<Row> {
    let entries: Vec<Entry> = events.iter().map(Entry::Event).collect();
    let who = who_width(&entries, usize::from(width));
    entries.iter().map(|entry| line(scene, entry, usize::from(width), who)).collect()
}
