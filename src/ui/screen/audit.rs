//! The whole journal of the release with the notices of this console: what was done, by whom, why, on what evidence.

use super::frame::{self, Said, Shown, labelled};
use crate::core::{Action, Audit, AuditRow, NoticeRow};
use crate::model::Timestamp;
use crate::ui::num;
use crate::ui::paint::{Piece, Row, put, role_of, tint};
use crate::ui::panel::footer;
use crate::ui::pick::Pick;
use crate::ui::scene::Scene;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const KEYS: &[Action] = &[
    Action::Hold,
    Action::Menu,
    Action::Rollback,
    Action::Back,
    Action::Filter,
    Action::Help,
    Action::Export,
    Action::Copy,
    Action::Follow,
    Action::TimeZone,
    Action::Quit,
];

/// One line of the list.
#[derive(Clone, Copy)]
pub(in crate::ui) enum Line<'a> {
    /// From the journal.
    Record(&'a AuditRow),
    /// From this console.
    Notice(&'a NoticeRow),
}

impl Line<'_> {
    /// Returns what tells it from every other line, so that a selection stays on it when new ones arrive.
    pub fn key(&self) -> String {
        match self {
            Self::Record(record) => format!("r{}", record.seq),
            Self::Notice(notice) => format!("n{}{}", notice.at.unwrap_or_default(), notice.text),
        }
    }

    /// Returns what it says, for the clipboard.
    pub fn text(&self) -> String {
        match self {
            Self::Notice(notice) => notice.text.clone(),
            Self::Record(record) => {
                let at = record.at.map(|at| at.to_string()).unwrap_or_default();
                let rest = [&record.why, &record.evidence, &record.result];
                let rest =
                    rest.iter().filter(|text| !text.is_empty()).map(|text| format!("; {text}")).collect::<String>();
                format!("{} {at} {} {}{rest}", record.seq, record.by, record.what)
            }
        }
    }

    /// Returns what it can be found by.
    pub fn words(&self) -> String {
        match self {
            Self::Notice(_) => self.text(),
            Self::Record(record) => format!("{} {} {}", record.act, self.text(), record.intent),
        }
    }

    fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Record(record) => record.at,
            Self::Notice(notice) => notice.at,
        }
    }
}

/// Merges records and notices, newest first.
pub(in crate::ui) fn lines<'a>(audit: &'a Audit, notices: &'a [NoticeRow]) -> Vec<Line<'a>> {
    let mut lines: Vec<Line> = audit.records.iter().map(Line::Record).collect();
    lines.extend(notices.iter().map(Line::Notice));
    // Stable: within one second the order of the journal stays.
    lines.sort_by_key(|line| std::cmp::Reverse(line.at().map(|at| at.as_second())));
    lines
}

/// Draws the screen.
pub(in crate::ui) fn draw(
    scene: &Scene,
    buf: &mut Buffer,
    area: Rect,
    said: Said<'_>,
    audit: &Audit,
    pick: &mut Pick,
) -> Shown {
    let body = frame::around(scene, buf, area, said, KEYS, Vec::new());
    let lines = lines(audit, &scene.view.notices);
    let keys: Vec<String> = lines.iter().map(Line::key).collect();
    let at = pick.index(&keys);
    let detail = match (lines.get(at), body.height) {
        (Some(line), 14..) => detail(scene, *line, body.width.saturating_sub(2)),
        _ => Vec::new(),
    };
    let detail_rows = match detail.len() {
        0 => 0,
        rows => (rows as u16 + 2).min(body.height / 2),
    };
    let (list, below) = frame::split(body, body.height - detail_rows);
    let inner = scene.ink.frame(
        buf,
        list,
        title(scene, audit),
        vec![note(scene, audit, &footer::position(at, lines.len()), pick, list.width)],
    );
    put(buf, inner, 0, &Row::from(scene.ink.role(Role::Dim, &heading(scene, inner.width))));
    let room = usize::from(inner.height.saturating_sub(1));
    let top = pick.window(at, lines.len(), room);
    if lines.is_empty() {
        put(buf, inner, 1, &Row::from(scene.ink.role(Role::Dim, " nothing has happened yet")));
    }
    for (y, line) in lines.iter().skip(top).take(room).enumerate() {
        put(buf, inner, y as u16 + 1, &row(scene, *line, inner.width));
        if scene.finds(&line.words()) {
            frame::mark_found(buf, inner, y as u16 + 1);
        }
        if top + y == at {
            tint(buf, inner, y as u16 + 1, scene.ink.theme.style(Role::Focus));
        }
    }
    if detail_rows > 0 {
        let title = match lines.get(at) {
            Some(Line::Record(record)) => format!("record {}", record.seq),
            _ => "note of this console".to_owned(),
        };
        frame::scroll(scene, buf, below, vec![scene.ink.text(&title)], &detail, 0);
    }
    let found = lines.iter().enumerate().filter(|(_, line)| scene.finds(&line.words())).map(|(i, _)| i).collect();
    Shown { page: room, rows: 0, found }
}

fn title(scene: &Scene, audit: &Audit) -> Vec<Piece> {
    if audit.release.is_empty() {
        return vec![scene.ink.text("audit   no release has been started yet")];
    }
    let mut pieces = vec![scene.ink.text(&format!("audit {}   ", audit.release))];
    pieces.push(match audit.is_chained {
        true => scene.ink.role(Role::Ok, "chain ok"),
        false => scene.ink.role(Role::Bad, "CHAIN BROKEN"),
    });
    pieces
}

fn note(scene: &Scene, audit: &Audit, position: &str, pick: &Pick, width: u16) -> Piece {
    let older = if audit.older > 0 { format!("{} older in ConfigMaps  ", audit.older) } else { String::new() };
    let follows = if pick.key().is_none() { "follows  " } else { "" };
    // The clock in the header has the zone, too.
    let has_room = width >= 100 || older.is_empty();
    let zone = if has_room { format!("times {}  ", scene.clock.zone()) } else { String::new() };
    scene.ink.role(Role::Dim, &format!("{older}{follows}{zone}{position}"))
}

/// How wide the names, the results and the numbers are.
fn widths(width: u16) -> (usize, usize, usize) {
    match width {
        0..70 => (8, 0, 0),
        70..120 => (12, 16, 4),
        _ => (26, 34, 5),
    }
}

fn heading(scene: &Scene, width: u16) -> String {
    let (who, result, number) = widths(width);
    let what = what_width(width);
    let seq = if number > 0 { scene.ink.right("no", number) } else { String::new() };
    format!(
        " {:8}   {} {} {} {seq}",
        "time",
        scene.ink.left("who", who),
        scene.ink.left("what", what),
        scene.ink.left(if result > 0 { "result" } else { "" }, result)
    )
}

fn what_width(width: u16) -> usize {
    let (who, result, number) = widths(width);
    usize::from(width).saturating_sub(who + result + number + 15)
}

fn row(scene: &Scene, line: Line, width: u16) -> Row {
    let ink = &scene.ink;
    let (who_width, result_width, number_width) = widths(width);
    let (who, what, result, seq, role) = match line {
        Line::Record(record) => {
            let bad = ["failed", "unknown", "stopped", "drift"].iter().any(|word| record.result.contains(word));
            let role = if record.act == "block" || bad { Some(Role::Bad) } else { None };
            (record.by.as_str(), record.what.as_str(), record.result.as_str(), record.seq.to_string(), role)
        }
        Line::Notice(notice) => ("note", notice.text.as_str(), "", String::new(), role_of(notice.tone)),
    };
    let who = if who.chars().count() > who_width { who.split('@').next().unwrap_or(who) } else { who };
    let result = if result_width == 0 { String::new() } else { ink.left(result, result_width) };
    Row::from(vec![
        ink.role(Role::Dim, &format!(" {:8} ", scene.clock.short(line.at()))),
        ink.maybe(role, &format!("{} ", role.map_or(" ", |role| ink.glyph(role)))),
        ink.text(&ink.left(who, who_width)),
        ink.maybe(role, &format!(" {} ", ink.left(what, what_width(width)))),
        ink.text(&result),
        ink.role(Role::Dim, &format!(" {}", ink.right(&seq, number_width))),
    ])
}

fn detail(scene: &Scene, line: Line, width: u16) -> Vec<Row> {
    let record = match line {
        Line::Record(record) => record,
        Line::Notice(notice) => {
            let role = role_of(notice.tone);
            return labelled(scene, "note", &notice.text, role, width);
        }
    };
    let when = format!("{} by {}", scene.clock.time(record.at), record.by);
    let mut rows = labelled(scene, "what", &record.what, None, width);
    let intent = if record.intent.is_empty() { String::new() } else { format!(" · intent {}", record.intent) };
    let chain = match (record.seq, record.prev.as_str()) {
        (_, "") => "first record".to_owned(),
        (seq, prev) => format!("after {} ({})", seq - 1, prev.chars().take(12).collect::<String>()),
    };
    for (label, text) in [
        ("when", when.as_str()),
        ("why", &record.why),
        ("evidence", &record.evidence),
        ("result", &record.result),
        ("record", &format!("{} {chain}{intent}", record.act)),
    ] {
        let text = if text.is_empty() { num::NOTHING } else { text };
        rows.extend(labelled(scene, label, text, None, width));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_notices_are_one_list_newest_first() {
        let at = |text: &str| format!("2026-05-04T03:00:{text}Z").parse().ok();
        let record = |seq: u64, time: &str| AuditRow { seq, at: at(time), ..AuditRow::default() };
        let audit = Audit { records: vec![record(3, "09"), record(2, "05"), record(1, "05")], ..Audit::default() };
        let notices = [NoticeRow { at: at("07"), tone: None, text: "x".to_owned() }];
        let keys: Vec<String> =
            lines(&audit, &notices).iter().map(|line| line.key().chars().take(2).collect()).collect();
        assert_eq!(keys, ["r3", "n2", "r2", "r1"]);
    }
}
