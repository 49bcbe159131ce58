//! Customers in rows: wanted beside observed, and who has it worst.

use crate::core::{CustomerRow, Moved, View};
use crate::model::Side;
use crate::ui::num;
use crate::ui::paint::{Piece, Row, put};
use crate::ui::scene::{Scene, side_role};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// How long an order of customers stays, so that rows do not dance.
const STEADY_MS: u64 = 5000;

/// The customers who have it worst, in an order that changes at most every five seconds.
#[derive(Default)]
pub(in crate::ui) struct Worst {
    ids: Vec<String>,
    sorted_ms: Option<u64>,
}

impl Worst {
    /// Sorts again when it is time.
    pub fn refresh(&mut self, now_ms: u64, view: &View) {
        let steady = self.sorted_ms.is_some_and(|at| now_ms < at + STEADY_MS);
        if steady && !self.ids.is_empty() {
            return;
        }
        let current = view.rings.iter().find(|ring| ring.is_current).map(|ring| ring.name.as_str());
        let mut rows: Vec<&CustomerRow> = view.customers.iter().collect();
        rows.sort_by(|a, b| {
            let errors = |c: &CustomerRow| c.errors.unwrap_or(0.0);
            let here = |c: &CustomerRow| Some(c.ring.as_str()) == current;
            (errors(b).total_cmp(&errors(a)))
                .then(b.inflight_left.unwrap_or(0).cmp(&a.inflight_left.unwrap_or(0)))
                .then(here(b).cmp(&here(a)))
        });
        self.ids = rows.into_iter().take(50).map(|c| c.id.clone()).collect();
        self.sorted_ms = Some(now_ms);
    }

    /// Draws the panel.
    pub fn draw(&self, scene: &Scene, buf: &mut Buffer, area: Rect) {
        let action = crate::core::Action::Customers;
        let title = vec![scene.mark(action), scene.ink.text(&format!("worst customers{}", scene.hint(action, "all")))];
        let inner = scene.ink.frame(buf, area, title, vec![scene.ink.role(Role::Dim, "by errors, then open work")]);
        let columns = Columns::of(inner.width, false);
        put(buf, inner, 0, &heading(scene, &columns));
        let rows = self.ids.iter().filter_map(|id| scene.view.customers.iter().find(|c| c.id == *id));
        for (y, row) in rows.take(usize::from(inner.height.saturating_sub(1))).enumerate() {
            put(buf, inner, y as u16 + 1, &line(scene, row, &columns));
        }
    }
}

/// Writes the heading of the columns.
pub(in crate::ui) fn heading(scene: &Scene, columns: &Columns) -> Row {
    let w = columns;
    let left = match scene.view.drain.side {
        Some(Side::New) => "new open",
        _ => "old open",
    };
    let wave = if w.is_wide { format!("{} ", scene.ink.right("wave", 4)) } else { String::new() };
    let since = if w.is_wide { "   since" } else { "" };
    let text = format!(
        "  {} {} {wave}{} {} {} {} {} {}{since}",
        scene.ink.left("customer", w.name),
        scene.ink.left("ring", w.ring),
        scene.ink.left("want", w.version),
        scene.ink.left("now", w.version),
        scene.ink.right("req/s", 6),
        scene.ink.right("errors", 6),
        scene.ink.right(left, 8),
        scene.ink.left("seen", 6)
    );
    Row::from(scene.ink.role(Role::Dim, &text))
}

/// Writes one customer as a row.
pub(in crate::ui) fn line(scene: &Scene, row: &CustomerRow, columns: &Columns) -> Row {
    let ink = &scene.ink;
    let w = columns;
    let moved = row.want.is_some() && row.want != row.now;
    let bad = row.errors.is_some_and(|e| scene.view.errors.limit.is_some_and(|limit| e > limit));
    let mark = match (bad, moved) {
        (true, _) => Some(Role::Bad),
        (false, true) => Some(Role::Warn),
        (false, false) => None,
    };
    let name =
        if row.name.is_empty() || row.name == row.id { row.id.clone() } else { format!("{} {}", row.id, row.name) };
    let open = match scene.view.drain.side {
        None => num::NOTHING.to_owned(),
        Some(_) => num::count(row.inflight_left),
    };
    let seen = match (row.seen, row.moved) {
        (Some(true), _) => "yes",
        (Some(false), _) => "silent",
        (None, Moved::Yes) => num::UNKNOWN,
        (None, _) => num::NOTHING,
    };
    let wave = if w.is_wide { format!("{} ", ink.right(&row.wave.to_string(), 4)) } else { String::new() };
    let since = match (w.is_wide, row.since) {
        (false, _) => String::new(),
        (true, None) => format!("  {:>8}", num::NOTHING),
        (true, at) => format!("  {:>8}", scene.clock.short(at)),
    };
    Row::from(vec![
        ink.maybe(mark, mark.map_or(" ", |role| ink.glyph(role))),
        ink.text(&format!(" {} {} {wave}", ink.left(&name, w.name), ink.left(&row.ring, w.ring))),
        match row.want {
            Some(_) => version(scene, row.want, w.version),
            None => ink.role(Role::Dim, &ink.left(num::NOTHING, w.version)),
        },
        ink.text(" "),
        version(scene, row.now, w.version),
        ink.text(&format!(" {} ", ink.right(&num::rate(row.rps), 6))),
        ink.maybe(bad.then_some(Role::Bad), &ink.right(&num::percent(row.errors, num::NOTHING), 6)),
        ink.text(&format!(" {} {}{since}", ink.right(&open, 8), ink.left(seen, 6))),
    ])
}

/// Says whether a customer was seen since its shift, or what became of its wave.
pub(in crate::ui) fn seen(row: &CustomerRow) -> &'static str {
    match (row.moved, row.seen) {
        (Moved::No, _) => "has not moved",
        (Moved::Moving, _) => "is being moved",
        (Moved::Back, _) => "was moved back",
        (Moved::Yes, Some(true)) => "seen since its shift",
        (Moved::Yes, Some(false)) => "silent: no request since its shift",
        (Moved::Yes, None) => "seen since its shift: not known",
    }
}

/// Writes a side as its version; `?` when it is unknown or mixed.
pub(in crate::ui) fn version(scene: &Scene, side: Option<Side>, width: usize) -> Piece {
    let Some(side) = side else { return scene.ink.role(Role::Warn, &scene.ink.left(num::UNKNOWN, width)) };
    let version = scene.version(side);
    let word = if version.is_empty() || width < version.len() { side.to_string() } else { version.to_owned() };
    scene.ink.role(side_role(side), &scene.ink.left(&word, width))
}

/// The columns of the customers and how wide they are.
pub(in crate::ui) struct Columns {
    name: usize,
    ring: usize,
    version: usize,
    is_wide: bool,
}

impl Columns {
    /// Chooses them; the wide ones need their room.
    pub fn of(width: u16, is_wide: bool) -> Self {
        let is_wide = is_wide && width >= 76;
        let fixed = 2 + 6 + 6 + 8 + 6 + 7 + if is_wide { 15 } else { 0 };
        let spare = usize::from(width).saturating_sub(fixed);
        let version = if spare >= 44 { 8 } else { 4 };
        let ring = (spare / 5).clamp(6, 14);
        Self { name: spare.saturating_sub(2 * version + ring).clamp(6, 40), ring, version, is_wide }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_come_first_and_stay_in_place_for_five_seconds() {
        let row = |id: &str, errors: f64| CustomerRow { id: id.to_owned(), errors: Some(errors), ..Default::default() };
        let mut view = View { customers: vec![row("a", 0.1), row("b", 0.2)], ..View::default() };
        let mut worst = Worst::default();
        worst.refresh(0, &view);
        assert_eq!(worst.ids, ["b", "a"]);
        view.customers[0].errors = Some(0.9);
        worst.refresh(4999, &view);
        assert_eq!(worst.ids, ["b", "a"]);
        worst.refresh(5000, &view);
        assert_eq!(worst.ids, ["a", "b"]);
    }
}
