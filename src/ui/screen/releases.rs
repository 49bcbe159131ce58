//! Every release of the plan, and the four figures of delivery that they make.

use super::frame::{self, Said, Shown, halves, split};
use crate::core::{Action, Delivery, PastRow, Releases};
use crate::model::counted;
use crate::ui::num;
use crate::ui::paint::{Piece, Row, put, tint};
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
    Action::Filter,
    Action::Export,
    Action::Back,
    Action::Help,
    Action::Start,
    Action::Events,
    Action::Copy,
    Action::Quit,
];

/// Draws the screen.
pub(in crate::ui) fn draw(
    scene: &Scene,
    buf: &mut Buffer,
    area: Rect,
    said: Said<'_>,
    releases: &Releases,
    pick: &mut Pick,
) -> Shown {
    let body = frame::around(scene, buf, area, said, KEYS, Vec::new());
    let figures = if body.height >= 16 { 12 } else { 0 };
    let (above, below) = split(body, figures);
    if figures > 0 {
        draw_delivery(scene, buf, above, &releases.delivery);
    }
    let names: Vec<&str> = releases.rows.iter().map(|row| row.name.as_str()).collect();
    let at = pick.index(&names);
    let note =
        scene.ink.role(Role::Dim, &format!("times {}  {}", scene.clock.zone(), footer::position(at, names.len())));
    let inner = scene.ink.frame(buf, below, vec![scene.ink.text("releases, newest first")], vec![note]);
    put(buf, inner, 0, &heading(scene, inner.width));
    let room = usize::from(inner.height.saturating_sub(1));
    let top = pick.window(at, names.len(), room);
    if names.is_empty() {
        put(buf, inner, 1, &Row::from(scene.ink.role(Role::Dim, "  no release has been made yet")));
    }
    for (y, row) in releases.rows.iter().skip(top).take(room).enumerate() {
        put(buf, inner, y as u16 + 1, &line(scene, row, inner.width));
        if scene.finds(&words(row)) {
            frame::mark_found(buf, inner, y as u16 + 1);
        }
        if top + y == at {
            tint(buf, inner, y as u16 + 1, scene.ink.theme.style(Role::Focus));
        }
    }
    let found = releases.rows.iter().enumerate().filter(|(_, row)| scene.finds(&words(row))).map(|(i, _)| i).collect();
    Shown { page: room, rows: 0, found }
}

/// Returns what a release can be found by.
fn words(row: &PastRow) -> String {
    [row.name.as_str(), &row.version, &row.state, &row.by, &row.commit].join(" ")
}

fn draw_delivery(scene: &Scene, buf: &mut Buffer, area: Rect, delivery: &Delivery) {
    let (top, bottom) = split(area, area.height / 2);
    let ((one, two), (three, four)) = (halves(top), halves(bottom));
    let cards = [
        (one, "deployment frequency", frequency(scene, delivery, one.width)),
        (two, "lead time for changes", lead(delivery)),
        (three, "change failure rate", failures(scene, delivery, three.width)),
        (four, "time to restore", restore(delivery)),
    ];
    for (area, title, rows) in cards {
        let note = if area == one { format!("last {} days", delivery.days) } else { String::new() };
        let inner = scene.ink.frame(buf, area, vec![scene.ink.text(title)], vec![scene.ink.role(Role::Dim, &note)]);
        for (y, (text, role)) in rows.iter().take(usize::from(inner.height)).enumerate() {
            let text = scene.ink.fit(&format!(" {text}"), usize::from(inner.width));
            let piece = if y == 0 { scene.ink.bold(&text) } else { scene.ink.maybe(*role, &text) };
            put(buf, inner, y as u16, &Row::from(piece));
        }
    }
}

type Lines = Vec<(String, Option<Role>)>;

fn frequency(scene: &Scene, delivery: &Delivery, width: u16) -> Lines {
    let done = delivery.ended - delivery.rolled_back;
    let days = f64::from(delivery.days.max(1));
    let before = delivery.ended_before.zip(delivery.rolled_back_before);
    let before = before.map(|(ended, back)| ended.saturating_sub(back));
    // So few that a rate would round to none are said as they are.
    let is_rate = [Some(done), before].into_iter().flatten().all(|n| n == 0 || n as f64 / days >= 0.05) && done > 0;
    let said = |n: usize| if is_rate { format!("{:.1}", n as f64 / days) } else { n.to_string() };
    let before = before.map(|n| format!("   {} before", said(n))).unwrap_or_default();
    let now =
        if is_rate { format!("{} a day   {done} done", said(done)) } else { format!("{done} done in {days} days") };
    let values: Vec<Option<f64>> = delivery.daily.iter().map(|n| Some(f64::from(*n))).collect();
    let bars = crate::ui::chart::spark(&scene.ink, &values, usize::from(width).saturating_sub(4));
    let since = delivery.since.map(|since| format!("record since {}", since.strftime("%Y-%m-%d"))).unwrap_or_default();
    vec![
        (format!("{now}{before}"), None),
        (bars, Some(Role::New)),
        (format!("counted at the end; {since}"), Some(Role::Dim)),
    ]
}

fn lead(delivery: &Delivery) -> Lines {
    let left_out = match delivery.without_commit {
        0 => String::new(),
        n => format!("{n} without a commit time left out"),
    };
    let Some((half, most)) = delivery.lead else {
        return vec![
            ("not in the record".to_owned(), None),
            ("needs releases with a commit time".to_owned(), Some(Role::Dim)),
            (left_out, Some(Role::Dim)),
        ];
    };
    vec![
        (format!("{} for half   {} for 9 of 10", num::age(half), num::age(most)), None),
        (format!("commit to end, {}", counted(delivery.lead_of, "release")), Some(Role::Dim)),
        (left_out, Some(Role::Dim)),
    ]
}

fn failures(scene: &Scene, delivery: &Delivery, width: u16) -> Lines {
    if delivery.ended == 0 {
        return vec![("no release has ended".to_owned(), None)];
    }
    let rate = |back: usize, ended: usize| num::percent(Some(back as f64 / ended.max(1) as f64), num::UNKNOWN);
    let before = match (delivery.ended_before, delivery.rolled_back_before) {
        (Some(ended), Some(back)) if ended > 0 => format!("   {} before", rate(back, ended)),
        _ => String::new(),
    };
    let sign = |done: &bool| if *done { scene.ink.glyph(Role::Dim) } else { scene.ink.glyph(Role::Bad) };
    let room = usize::from(width).saturating_sub(4);
    let newest = &delivery.outcomes[delivery.outcomes.len().saturating_sub(room)..];
    vec![
        (
            format!(
                "{}   {} of {} rolled back{before}",
                rate(delivery.rolled_back, delivery.ended),
                delivery.rolled_back,
                delivery.ended
            ),
            None,
        ),
        (newest.iter().map(sign).collect::<String>(), Some(Role::Bad)),
        (format!("{} = rolled back, from any wave", scene.ink.glyph(Role::Bad)), Some(Role::Dim)),
    ]
}

fn restore(delivery: &Delivery) -> Lines {
    let Some((half, most)) = delivery.restore else {
        return vec![("no rollback in the record".to_owned(), None)];
    };
    vec![
        (format!("{} for half   {} for 9 of 10", num::age(half), num::age(most)), None),
        (format!("from the order, {} rollbacks", delivery.restore_of), Some(Role::Dim)),
        ("until everybody was seen back".to_owned(), Some(Role::Dim)),
    ]
}

fn heading(scene: &Scene, width: u16) -> Row {
    let w = Widths::of(width);
    let ink = &scene.ink;
    let text = format!(
        "  {} {} {} {} {} {} {} {}",
        ink.left("release", w.name),
        ink.left("version", w.version),
        ink.left("state", w.state),
        ink.left(if w.started < 7 { "day" } else { "started" }, w.started),
        ink.right("took", 7),
        ink.right("moved", 8),
        ink.right("cut", 4),
        ink.left("by", w.by)
    );
    Row::from(ink.role(Role::Dim, &text))
}

fn line(scene: &Scene, row: &PastRow, width: u16) -> Row {
    let w = Widths::of(width);
    let ink = &scene.ink;
    let role = match row.state.as_str() {
        "DONE" => Role::Ok,
        "ROLLED BACK" | "HOLD" => Role::Bad,
        "PROPOSED" => Role::Dim,
        _ => Role::New,
    };
    let took = match (row.started, row.ended, scene.view.now) {
        (Some(from), Some(to), _) => num::age((to.as_second() - from.as_second()).max(0) as u64),
        (Some(from), None, Some(now)) if row.is_active => num::age((now.as_second() - from.as_second()).max(0) as u64),
        _ => num::NOTHING.to_owned(),
    };
    let moved = match row.of {
        Some(of) => format!("{}/{of}", row.moved),
        None => num::NOTHING.to_owned(),
    };
    let day = scene.clock.day(row.started);
    // Where there is little room: the month and the day.
    let started = if w.started < day.len() { day.get(5..10).unwrap_or(num::NOTHING) } else { &day };
    let mark = if row.is_active { ink.glyph(Role::Focus) } else { " " };
    // How much was cut and of how many customers are two things: the count is of the first. Whom a forced drain has cut may
    // not be known.
    let was_forced = row.forced_on != Some(0);
    let state = if was_forced { format!("{}, forced", row.state) } else { row.state.clone() };
    let cut = if row.forced_on.is_none() { format!("{}+{}", row.cut, num::UNKNOWN) } else { row.cut.to_string() };
    let pieces: Vec<Piece> = vec![
        ink.text(&format!("{mark} {} {} ", ink.left(&row.name, w.name), ink.left(&row.version, w.version))),
        ink.role(role, &ink.left(&state, w.state)),
        ink.text(&format!(" {} {} {} ", ink.left(started, w.started), ink.right(&took, 7), ink.right(&moved, 8))),
        ink.maybe((row.cut > 0 || was_forced).then_some(Role::Bad), &ink.right(&cut, 4)),
        ink.text(&format!(" {}", ink.left(&row.by, w.by))),
    ];
    Row::from(pieces)
}

struct Widths {
    name: usize,
    version: usize,
    state: usize,
    started: usize,
    by: usize,
}

impl Widths {
    fn of(width: u16) -> Self {
        let spare = usize::from(width).saturating_sub(2 + 15 + 8 + 9 + 5 + 4);
        let (state, started) = if spare >= 46 { (19, 16) } else { (14, 5) };
        let spare = spare.saturating_sub(state - 14);
        let rest = spare.saturating_sub(started);
        let name = (rest / 2).clamp(6, 32);
        let version = (rest / 4).clamp(4, 16);
        Self { name, version, state, started, by: rest.saturating_sub(name + version).clamp(2, 30) }
    }
}
