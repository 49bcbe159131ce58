//! The rings: what the plan wants beside what the routes say, with the unlisted as the last row.

use crate::core::{Action, RingRow, Verdict};
use crate::model::Side;
use crate::ui::num;
use crate::ui::paint::{Piece, Row, put, put_fresh, tint};
use crate::ui::scene::{Scene, side_role, verdict_role};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// From this width on, a bar shows how all customers are shared between the versions.
const WIDE: u16 = 150;

/// Returns the rows the panel would like to have on a large screen: with the bar below the rows.
pub(in crate::ui) fn full_height(scene: &Scene, width: u16) -> u16 {
    height(scene) + u16::from(width >= WIDE && scene.view.exposed.of.is_some_and(|of| of > 0))
}

/// Returns the rows the panel would like to have.
pub(in crate::ui) fn height(scene: &Scene) -> u16 {
    u16::try_from(scene.view.rings.len()).unwrap_or(u16::MAX - 3).max(1) + 3
}

/// Draws the panel; `picked` is the ring the keyboard points at, `done` what has just been done.
pub(in crate::ui) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect, picked: Option<&str>, done: Option<Row>) {
    let columns = Column::chosen(area.width.saturating_sub(2));
    let note = match area.width {
        width if width >= 100 && columns.contains(&Column::Seen) => "want=plan now=routes seen=requests",
        width if width >= 78 => "want=plan now=routes",
        _ => "",
    };
    let title = vec![scene.mark(Action::Ring), scene.ink.text("rings  "), scene.ink.bold(&exposed(scene))];
    let inner = scene.ink.frame(buf, area, title, vec![scene.ink.role(Role::Dim, note)]);
    if let Some(row) = done {
        let width = (row.width() as u16).min(area.width.saturating_sub(4));
        put_fresh(buf, Rect { x: area.x + 2, y: area.bottom().saturating_sub(1), width, height: 1 }, &row);
    }
    seen(scene, buf, area);
    put(buf, inner, 0, &heading(scene, &columns, inner.width));
    if scene.view.rings.is_empty() {
        put(buf, inner, 1, &Row::from(scene.ink.role(Role::Dim, "  no ring is known yet")));
        return;
    }
    if inner.height + 2 > height(scene) && inner.width >= WIDE - 2 {
        put(buf, inner, inner.height - 1, &distribution(scene, usize::from(inner.width)));
    }
    for (y, row) in visible(&scene.view.rings, usize::from(inner.height.saturating_sub(1))).into_iter().enumerate() {
        let y = y as u16 + 1;
        let is_picked = picked == Some(row.name.as_str());
        put(buf, inner, y, &line(scene, row, &columns, inner.width, is_picked));
        if is_picked {
            tint(buf, inner, y, scene.ink.theme.style(Role::Focus));
        }
    }
}

/// Draws how all customers are shared between the versions, by the routes.
fn distribution(scene: &Scene, width: usize) -> Row {
    let ink = &scene.ink;
    let exposed = &scene.view.exposed;
    let (Some(of), Some(new)) = (exposed.of, exposed.customers) else {
        return Row::from(ink.role(Role::Dim, "  customers   where some of them are is not known"));
    };
    let old = of.saturating_sub(new);
    let ends = [format!("  customers   old {old:>4} "), format!(" {new} new")];
    let room = width.saturating_sub(ends.iter().map(String::len).sum::<usize>() + 3);
    // Nobody who is there may look as if he were not.
    let most = room.saturating_sub(usize::from(old > 0));
    let cells = (room * new / of.max(1)).max(usize::from(new > 0)).min(most);
    let (full, half) = if ink.ascii { ("#", "=") } else { ("█", "█") };
    Row::from(vec![
        ink.role(Role::Dim, &ends[0]),
        ink.role(Role::Old, &half.repeat(room - cells)),
        ink.role(Role::New, &full.repeat(cells)),
        ink.role(Role::Dim, &ends[1]),
    ])
}

/// Says how much is on the new version; never hidden.
pub(in crate::ui) fn exposed(scene: &Scene) -> String {
    let e = &scene.view.exposed;
    format!(
        "on new: {} of {} customers, {} req/s ({})",
        num::number(e.customers),
        num::number(e.of),
        num::rate(e.rps),
        num::percent(e.share, num::UNKNOWN)
    )
}

/// Writes wanted and observed of a ring; of the unlisted, on which version they are.
pub(in crate::ui) fn want_and_now(row: &RingRow) -> (String, String) {
    if !row.unlisted {
        return (num::part(Some(row.want), row.of), num::part(row.now, row.of));
    }
    let side = |on_new: usize| if on_new > 0 { "new" } else { "old" }.to_owned();
    (side(row.want), row.now.map_or(num::UNKNOWN.to_owned(), side))
}

/// Writes the share of a ring's requests that was seen on the new version; of no requests there is none.
pub(in crate::ui) fn seen_on_new(row: &RingRow) -> String {
    let has_none = row.rps.is_some_and(|rps| rps <= 0.0);
    num::percent(row.share, if has_none { num::NOTHING } else { num::UNKNOWN })
}

/// Chooses the rows that fit: the current ring in sight, the unlisted always last.
fn visible(rings: &[RingRow], room: usize) -> Vec<&RingRow> {
    if rings.len() <= room || room < 2 {
        return rings.iter().take(room).collect();
    }
    let body = rings.len() - 1;
    let current = rings.iter().position(|row| row.is_current || row.is_next).unwrap_or(0).min(body - 1);
    let first = current.saturating_sub((room - 1) / 2).min(body - (room - 1));
    rings[first..first + room - 1].iter().chain(rings.last()).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Column {
    Name,
    Want,
    Now,
    Seen,
    Customers,
    Waves,
    Rate,
    RateNew,
    Left,
    ErrNew,
    ErrOld,
    State,
    Gate,
}

impl Column {
    const ORDER: [Self; 13] = [
        Self::Name,
        Self::Want,
        Self::Now,
        Self::Seen,
        Self::Customers,
        Self::Waves,
        Self::Rate,
        Self::RateNew,
        Self::Left,
        Self::ErrNew,
        Self::ErrOld,
        Self::State,
        Self::Gate,
    ];
    /// What goes first when there is no room.
    const SACRIFICE: [Self; 9] = [
        Self::RateNew,
        Self::Waves,
        Self::ErrOld,
        Self::Seen,
        Self::ErrNew,
        Self::Gate,
        Self::Left,
        Self::Rate,
        Self::State,
    ];
    /// The narrowest name column.
    const NAME: u16 = 8;

    fn width(self) -> u16 {
        match self {
            Self::Name => Self::NAME + 2,
            Self::Want | Self::Now => 5,
            Self::Customers | Self::State | Self::Gate => 8,
            Self::Waves | Self::RateNew => 7,
            Self::Seen | Self::Rate | Self::ErrOld | Self::Left => 6,
            Self::ErrNew => 8,
        }
    }

    /// Returns the columns that fit, in their order.
    fn chosen(width: u16) -> Vec<Self> {
        let mut columns = Self::ORDER.to_vec();
        for victim in Self::SACRIFICE {
            if columns.iter().map(|c| c.width()).sum::<u16>() <= width {
                break;
            }
            columns.retain(|c| *c != victim);
        }
        columns
    }
}

/// Returns each column's width: what is over goes to the name, up to a point, then between the columns.
fn widths(columns: &[Column], width: u16) -> Vec<usize> {
    let spare = width.saturating_sub(columns.iter().map(|c| c.width()).sum());
    let to_name = spare.min(14);
    let each = (spare - to_name) / (columns.len().max(2) as u16 - 1);
    columns.iter().map(|c| usize::from(c.width() + if *c == Column::Name { to_name } else { each.min(5) })).collect()
}

fn heading(scene: &Scene, columns: &[Column], width: u16) -> Row {
    let left = match scene.view.drain.side {
        Some(Side::Old) => "open old",
        Some(Side::New) => "open new",
        None => "open",
    };
    let cells = columns.iter().zip(widths(columns, width)).map(|(column, width)| {
        let (word, is_text) = match column {
            Column::Name => ("  ring", true),
            Column::Want => ("want", false),
            Column::Now => ("now", false),
            Column::Seen => ("seen", false),
            Column::Customers => ("cust", false),
            Column::Waves => ("waves", false),
            Column::Rate => ("req/s", false),
            Column::RateNew => ("on new", false),
            Column::Left if width > left.len() => (left, false),
            Column::Left => ("open", false),
            Column::ErrNew => ("err new", false),
            Column::ErrOld if width > 7 => ("err old", false),
            Column::ErrOld => ("old", false),
            Column::State => (" state", true),
            Column::Gate => (" gates", true),
        };
        let text = if is_text { scene.ink.left(word, width) } else { scene.ink.right(word, width) };
        scene.ink.role(Role::Dim, &text)
    });
    Row::from(cells.collect::<Vec<Piece>>())
}

fn line(scene: &Scene, row: &RingRow, columns: &[Column], width: u16, is_picked: bool) -> Row {
    let ink = &scene.ink;
    let (want, now) = want_and_now(row);
    let differs = want != now;
    let mut pieces = Vec::new();
    for (column, width) in columns.iter().zip(widths(columns, width)) {
        let right = |text: &str| ink.right(text, width);
        let piece = match column {
            Column::Name => {
                let mark = if row.is_current {
                    ink.glyph(Role::Focus)
                } else if is_picked {
                    ">"
                } else {
                    " "
                };
                let name = ink.left(&format!("{mark} {}", row.name), width);
                if row.is_current { ink.bold(&name) } else { ink.text(&name) }
            }
            Column::Want => ink.text(&right(&want)),
            Column::Now => ink.maybe(differs.then_some(Role::Warn), &right(&now)),
            Column::Seen => ink.text(&right(&seen_on_new(row))),
            Column::Customers if row.unlisted => ink.text(&right(num::NOTHING)),
            Column::Customers => ink.text(&right(&format!("{}/{}", num::number(row.now), row.of))),
            Column::Waves => ink.text(&right(&format!("{}/{}", row.waves.0, row.waves.1))),
            Column::Rate => ink.text(&right(&num::rate(row.rps))),
            Column::RateNew => ink.text(&right(&num::rate(row.rps_new))),
            Column::Left => left_open(scene, row, width),
            Column::ErrNew => ink.maybe(
                (row.verdict == Verdict::Fail).then_some(Role::Bad),
                &right(&num::percent(row.errors_new, num::NOTHING)),
            ),
            Column::ErrOld => ink.text(&right(&num::percent(row.errors_old, num::NOTHING))),
            Column::State => state(scene, row, width),
            Column::Gate => gate(scene, row, width),
        };
        pieces.push(piece);
    }
    Row::from(pieces)
}

fn left_open(scene: &Scene, row: &RingRow, width: usize) -> Piece {
    if scene.view.drain.side.is_none() {
        return scene.ink.role(Role::Dim, &scene.ink.right(num::NOTHING, width));
    }
    let role = row.inflight_left.is_some_and(|n| n > 0).then_some(Role::Drain);
    scene.ink.maybe(role, &scene.ink.right(&num::count(row.inflight_left), width))
}

fn state(scene: &Scene, row: &RingRow, width: usize) -> Piece {
    let word = if row.needs_approval { "approve" } else { &row.state };
    let role = match row.state.as_str() {
        _ if row.needs_approval => Some(Role::Warn),
        "new" => Some(side_role(Side::New)),
        "moving" | "verify" | "baking" => Some(Role::Drain),
        "back" => Some(side_role(Side::Old)),
        "-" => Some(Role::Dim),
        _ => None,
    };
    scene.ink.maybe(role, &scene.ink.left(&format!(" {word}"), width))
}

fn gate(scene: &Scene, row: &RingRow, width: usize) -> Piece {
    let asked = row.is_current && matches!(row.state.as_str(), "moving" | "verify" | "baking");
    if row.verdict == Verdict::Waiting && !asked {
        return scene.ink.role(Role::Dim, &scene.ink.left(" -", width));
    }
    let word = match &row.verdict {
        // The column is narrow; the gates themselves say it in full.
        Verdict::Unknown(_) => "?",
        other => other.word(),
    };
    let role = verdict_role(&row.verdict).unwrap_or(Role::Dim);
    scene.ink.role(role, &scene.ink.left(&format!(" {word}"), width))
}

/// Writes who of the current wave was seen with requests into the lower edge.
fn seen(scene: &Scene, buf: &mut Buffer, area: Rect) {
    let Some(row) = scene.view.rings.iter().find(|row| row.is_current) else { return };
    let Some((seen, silent, unknown)) = row.seen else { return };
    let unknown = if unknown > 0 { format!(", {unknown} not known") } else { String::new() };
    let text = format!(" {}: {seen} seen, {silent} silent{unknown} ", row.name);
    let width = (scene.ink.clean(&text).width() as u16).min(area.width.saturating_sub(4));
    let edge = Rect { x: area.right().saturating_sub(2 + width), y: area.bottom().saturating_sub(1), width, height: 1 };
    put_fresh(buf, edge, &Row::from(scene.ink.text(&text)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_ring_and_the_unlisted_stay_in_sight() {
        let rings: Vec<RingRow> = (0..9)
            .map(|i| RingRow { name: format!("r{i}"), is_current: i == 6, unlisted: i == 8, ..Default::default() })
            .collect();
        let names = |room| visible(&rings, room).iter().map(|r| r.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(4), ["r5", "r6", "r7", "r8"]);
        assert_eq!(names(2), ["r6", "r8"]);
        assert_eq!(names(9).len(), 9);
        assert_eq!(names(0).len(), 0);
    }

    #[test]
    fn wanted_and_observed_stay_when_there_is_no_room_for_the_rest() {
        let columns = Column::chosen(40);
        assert!(columns.contains(&Column::Want) && columns.contains(&Column::Now) && !columns.contains(&Column::Seen));
        assert!(Column::chosen(78).contains(&Column::Seen), "what is seen is on the smallest full screen");
        assert_eq!(Column::chosen(200).len(), Column::ORDER.len());
    }

    #[test]
    fn the_share_of_no_requests_is_not_the_share_that_is_not_known() {
        let row = |rps, share| seen_on_new(&RingRow { rps, share, ..RingRow::default() });
        assert_eq!([row(None, None), row(Some(4.0), None), row(Some(0.0), None)], ["?", "?", "-"]);
        assert_eq!(row(Some(4.0), Some(0.253)), "25%");
    }
}
