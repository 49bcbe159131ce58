//! One ring: its waves, who is in them, its approval, and how its customers fare on both versions.

use super::frame::{self, Said, Shown, labelled, split};
use super::graphs;
use crate::core::{Action, CustomerRow, RingCloseup, RingRow, WaveRow};
use crate::model::counted;
use crate::ui::num;
use crate::ui::paint::{Piece, Row};
use crate::ui::panel::customers::{Columns, heading, line};
use crate::ui::panel::footer;
use crate::ui::panel::rings::{seen_on_new, want_and_now};
use crate::ui::scene::{Scene, verdict_role};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

const KEYS: &[Action] = &[
    Action::Hold,
    Action::Menu,
    Action::Rollback,
    Action::NextPanel,
    Action::Open,
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
    name: &str,
    closeup: Option<&RingCloseup>,
    top: usize,
) -> Shown {
    let keys = footer::keys_with(scene, area.width, KEYS, Some((Action::NextPanel, "next ring")), said.text);
    let body = frame::around_with(scene, buf, area, said, keys, Vec::new());
    let row = scene.view.rings.iter().find(|ring| ring.name == name);
    let (Some(row), Some(closeup)) = (row, closeup) else {
        let text = format!(" there is no ring {name} in this plan");
        let text = scene.ink.fit(&text, usize::from(body.width.saturating_sub(2)));
        let rows = [Row::from(scene.ink.role(Role::Warn, &text))];
        return frame::scroll(scene, buf, body, vec![scene.ink.text("ring")], &rows, 0);
    };
    // Where there is little room, who is in the ring says more than its curves.
    let charts = if body.height >= 26 { (body.height / 3).max(8) } else { 0 };
    let rows_of_wave = if charts > 0 { 2 } else { 1 };
    let text = text(scene, row, closeup, body.width.saturating_sub(2), rows_of_wave);
    let (head, rest) = split(body, (text.len() as u16 + 2).min(body.height - charts));
    let (middle, last) = split(rest, charts.min(rest.height));
    frame::scroll(scene, buf, head, title(scene, row), &text, 0);
    if middle.height >= 4 {
        graphs::pair(scene, buf, middle, &closeup.errors, &closeup.rates);
    }
    if last.height < 3 {
        return Shown::default();
    }
    let title = vec![scene.ink.text(&format!("customers of {name}   ({}: as a list)", scene.key(Action::Open)))];
    customers(scene, buf, last, title, name, top)
}

fn title(scene: &Scene, row: &RingRow) -> Vec<Piece> {
    let mut pieces = vec![scene.ink.text("ring "), scene.ink.bold(&row.name)];
    if row.is_current {
        pieces.push(scene.ink.role(Role::Dim, "  moves now or moved last"));
    }
    pieces
}

fn text(scene: &Scene, row: &RingRow, closeup: &RingCloseup, width: u16, rows_of_wave: usize) -> Vec<Row> {
    let (want, now) = want_and_now(row);
    let differs = want != now;
    let count = match (row.unlisted, row.now) {
        (true, _) => "everybody who is in no customer list".to_owned(),
        (false, None) => format!("{} of {} on the new version", num::UNKNOWN, counted(row.of, "customer")),
        (false, Some(on_new)) => format!("{on_new} of {} on the new version", counted(row.of, "customer")),
    };
    let mut rows =
        labelled(scene, "want / now", &format!("{want} / {now} · {count}"), differs.then_some(Role::Warn), width);
    let traffic = format!(
        "{} req/s, {} ({}) seen on new · errors new {} old {} · {} open on the version that is left",
        num::rate(row.rps),
        num::rate(row.rps_new),
        seen_on_new(row),
        num::percent(row.errors_new, num::NOTHING),
        num::percent(row.errors_old, num::NOTHING),
        if scene.view.drain.side.is_some() { num::count(row.inflight_left) } else { num::NOTHING.to_owned() },
    );
    rows.extend(labelled(scene, "traffic", &traffic, None, width));
    let approval = match (closeup.needs_approval, &closeup.approved) {
        (false, _) => "no approval needed".to_owned(),
        (true, None) => "needs an approval before it moves".to_owned(),
        (true, Some((by, at))) => format!("approved by {by} at {}", scene.clock.time(Some(*at))),
    };
    let waits = closeup.needs_approval && closeup.approved.is_none() && row.waves.0 < row.waves.1;
    let state = format!("{} · bakes {} · {approval}", row.state, num::span(closeup.bake));
    rows.extend(labelled(scene, "state", &state, waits.then_some(Role::Warn), width));
    if row.is_current {
        rows.extend(labelled(scene, "gates", row.verdict.word(), verdict_role(&row.verdict), width));
    }
    for wave in &closeup.waves {
        let (text, role) = in_words(scene, wave, row.unlisted, (rows_of_wave, frame::room_beside_label(width)));
        rows.extend(
            labelled(scene, &format!("wave {}", wave.number), &text, role, width).into_iter().take(rows_of_wave),
        );
    }
    rows
}

fn in_words(scene: &Scene, wave: &WaveRow, unlisted: bool, (rows, columns): (usize, usize)) -> (String, Option<Role>) {
    let at = wave.at.map(|at| format!(" since {}", scene.clock.short(Some(at)))).unwrap_or_default();
    let silent = wave.silent.map(|silent| format!(", {silent} silent")).unwrap_or_default();
    let head = format!("{}{at}{silent} · ", wave.state);
    let who = match (unlisted, wave.customers.len()) {
        (true, _) => "everybody else".to_owned(),
        (false, 1) => format!("1 customer: {}", wave.customers[0]),
        (false, n) => {
            let head = head.width() + format!("{n} customers: ").len();
            // Where a row breaks, as much of it may stay empty as a name takes.
            let longest = wave.customers.iter().take(rows * columns).map(|name| name.width() + 2).max().unwrap_or(0);
            let room = (rows * columns).saturating_sub(head + rows.saturating_sub(1) * longest);
            format!("{n} customers{}", that_fit(&wave.customers, room))
        }
    };
    let role = match wave.state.as_str() {
        "new" => Some(Role::New),
        "moving" => Some(Role::Drain),
        "back" => Some(Role::Old),
        _ => None,
    };
    (format!("{head}{who}"), role)
}

/// Writes the names that have room behind a colon, and counts those that have none; nothing where not even one has.
fn that_fit(names: &[String], room: usize) -> String {
    let more = |left: usize| if left == 0 { String::new() } else { format!(" and {left} more") };
    let mut text = String::new();
    for (i, name) in names.iter().enumerate() {
        let comma = if i == 0 { ": " } else { ", " };
        let rest = more(names.len() - i - 1);
        // The colon was counted with what stands before it.
        if text.width() + comma.len() + name.width() + rest.len() > room + 2 {
            return if i == 0 { text } else { text + &more(names.len() - i) };
        }
        text.push_str(comma);
        text.push_str(name);
    }
    text
}

fn customers(scene: &Scene, buf: &mut Buffer, area: Rect, title: Vec<Piece>, ring: &str, top: usize) -> Shown {
    let members: Vec<&CustomerRow> = scene.view.customers.iter().filter(|row| row.ring == ring).collect();
    if members.is_empty() {
        let nobody = Row::from(scene.ink.role(Role::Dim, " nobody is named here: they are in no list"));
        return frame::scroll(scene, buf, area, title, &[nobody], top);
    }
    let columns = Columns::of(area.width.saturating_sub(2), true);
    let row = |i: usize| line(scene, members[i], &columns);
    frame::scroll_made(scene, buf, area, title, Some(heading(scene, &columns)), (members.len(), &row), top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_have_no_room_are_counted() {
        let names: Vec<String> = (0..10_000).map(|n| format!("cust-{n:05}")).collect();
        assert_eq!(that_fit(&names[..3], 60), ": cust-00000, cust-00001, cust-00002");
        assert_eq!(that_fit(&names[..3], 33), ": cust-00000, cust-00001 and 1 more");
        assert_eq!(that_fit(&names[..1], 3), "");
        let text = that_fit(&names, 120);
        assert!(text.ends_with(" and 9991 more") && text.len() <= 122, "{text}");
    }
}
