//! The main screen: everything that decides the next step, at once, without scrolling.
//!
//! When there is little room, charts become rows of bars, then events go; header, rings, way out and advice stay.

use super::PANELS;
use super::frame::{Said, halves, split, split_across};
use super::{card, choose};
use crate::core::Action;
use crate::ui::chart::Unit;
use crate::ui::paint::{Row, put};
use crate::ui::panel::customers::Worst;
use crate::ui::panel::{drain, errors, events, footer, header, order, plan, rings};
use crate::ui::scene::Scene;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// From this height on, customers and plan are shown too.
const TALL: u16 = 36;
/// From this width on, three charts stand side by side.
const WIDE: u16 = 160;
/// From this width on, the requests stand beside them.
const WIDEST: u16 = 200;

const KEYS: &[Action] = &[
    Action::Hold,
    Action::Menu,
    Action::Rollback,
    Action::Help,
    Action::Customers,
    Action::Events,
    Action::Quit,
    Action::Drain,
    Action::Graphs,
    Action::Preflight,
    Action::Releases,
    Action::Palette,
    Action::Ring,
    Action::Filter,
    Action::Freeze,
    Action::TimeZone,
    Action::Theme,
];

/// What of the console's own state the screen shows.
pub(in crate::ui) struct Shown<'a> {
    /// The ring the keyboard points at.
    pub ring: Option<&'a str>,
    /// The marked plan, while there are several to choose from.
    pub plan: Option<String>,
    pub said: Said<'a>,
    pub worst: &'a Worst,
}

/// Returns the panels that a screen of this size has, in the order of Tab.
pub(in crate::ui) fn panels((width, height): (u16, u16)) -> Vec<Action> {
    let is_there = |panel: &Action| match panel {
        Action::Latency => width >= WIDE,
        Action::Customers | Action::Plan => height >= TALL,
        _ => true,
    };
    PANELS.into_iter().filter(is_there).collect()
}

/// Draws the screen.
pub(in crate::ui) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect, shown: &Shown) {
    if !scene.view.plans.is_empty() {
        return choose::draw(scene, buf, area, shown.said.text, shown.plan.as_deref());
    }
    if card::is_first_run(scene) {
        return card::draw_first_run(scene, buf, area, shown.said.text, shown.said.order);
    }
    let header_rows = header::height(scene, area.height);
    header::draw(scene, buf, Rect { height: header_rows, ..area });

    // Two rows are kept for the advice even when it takes one, so that the panels above do not jump.
    let advice_rows = if area.height >= 24 { 2 } else { 1 };
    let mut advice = footer::advice(scene, area.width, advice_rows);
    advice.resize(advice_rows, Row::default());
    // What went well is said in the edge of the rings, so that nothing jumps when it comes and goes.
    let done = order::done(scene).filter(|_| shown.said.order);
    let mut bottom: Vec<Row> = match (&done, shown.said.order) {
        (None, true) => order::rows(scene, area.width, area.height / 6),
        _ => Vec::new(),
    };
    bottom.push(footer::way_out(scene, area.width));
    bottom.push(footer::keys(scene, area.width, KEYS, shown.said.text));
    bottom.extend(advice);
    footer::draw_up(buf, area, &bottom);

    let used = header_rows + bottom.len() as u16;
    let body = Rect { y: area.y + header_rows, height: area.height.saturating_sub(used), ..area };
    draw_body(scene, buf, body, area.height >= TALL, shown, done);
}

fn draw_body(scene: &Scene, buf: &mut Buffer, body: Rect, tall: bool, shown: &Shown, done: Option<Row>) {
    let wanted = if tall { rings::full_height(scene, body.width) } else { rings::height(scene) };
    let rings_rows =
        wanted.min(body.height.saturating_sub(if body.height >= 12 { 4 } else { 2 })).max(4.min(body.height));
    let (top, rest) = split(body, rings_rows);
    rings::draw(scene, buf, top, shown.ring, done);
    if tall && rest.height >= 22 {
        let events_rows = (rest.height / 6).clamp(4, 9);
        // Charts need a height to be read, not more: the rest is for customers and plan.
        let spare = rest.height - events_rows;
        let most = spare.saturating_sub(12).max(8);
        let lists = plan::height(scene).max(spare.saturating_sub(16)).clamp(8, most);
        let (charts, below) = split(rest, rest.height - lists - events_rows);
        draw_charts(scene, buf, charts);
        let (middle, last) = split(below, lists);
        let (left, right) = halves(middle);
        shown.worst.draw(scene, buf, left);
        plan::draw(scene, buf, right);
        return events::draw(scene, buf, last);
    }
    match rest.height {
        0 => {}
        1..=3 => {
            put(buf, rest, 0, &drain::strip(scene, rest.width));
            put(buf, rest, 1, &errors::strip(scene, rest.width));
            events::rows(scene, buf, split(rest, 2).1);
        }
        4..=7 => {
            put(buf, rest, 0, &drain::strip(scene, rest.width));
            put(buf, rest, 1, &errors::strip(scene, rest.width));
            let last = split(rest, 2).1;
            if last.height >= 4 { events::draw(scene, buf, last) } else { events::rows(scene, buf, last) }
        }
        8..=10 => {
            let (charts, last) = split(rest, rest.height - 2);
            draw_charts(scene, buf, charts);
            events::rows(scene, buf, last);
        }
        _ => {
            let events_rows = (rest.height / 4).clamp(4, 8);
            let (charts, last) = split(rest, rest.height - events_rows);
            draw_charts(scene, buf, charts);
            events::draw(scene, buf, last);
        }
    }
}

fn draw_charts(scene: &Scene, buf: &mut Buffer, area: Rect) {
    if area.width < WIDE {
        let (left, right) = halves(area);
        drain::draw(scene, buf, left);
        return errors::draw(scene, buf, right);
    }
    let columns = if area.width >= WIDEST { 4 } else { 3 };
    let (left, rest) = split_across(area, area.width / columns);
    let (middle, rest) = split_across(rest, area.width / columns);
    drain::draw(scene, buf, left);
    errors::draw(scene, buf, middle);
    if columns == 3 {
        return errors::draw_latency(scene, buf, rest);
    }
    let (right, last) = split_across(rest, area.width / columns);
    errors::draw_latency(scene, buf, right);
    errors::draw_plain(scene, buf, last, "req/s", &scene.view.requests, Unit::Rate);
}
