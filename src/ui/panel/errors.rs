//! Errors and latency of both versions, with the gate that judges them.

use crate::core::{Action, GateRow, Graph, Verdict};
use crate::model::Timestamp;
use crate::ui::chart::{Chart, Curve, Unit, mark, spark};
use crate::ui::num;
use crate::ui::paint::{Piece, Row, put};
use crate::ui::scene::{Scene, verdict_role};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Fewer cells say nothing of a reason.
const WHY_MIN: usize = 12;

/// From this width on, a graph says what its mark divides.
const EXPLAINED: u16 = 56;

/// What is said of a gate that has no verdict: only a bake asks.
const UNASKED: &str = "asked in a bake";

/// Draws the error ratios.
pub(in crate::ui) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect) {
    let gate = telling(&scene.view.gates, "err");
    let graph = &scene.view.errors;
    panel(
        scene,
        buf,
        area,
        &Content { action: Action::Errors, word: "errors", graph, unit: Unit::Fraction, gate, shift: None },
    );
}

/// Draws the 99th percentiles.
pub(in crate::ui) fn draw_latency(scene: &Scene, buf: &mut Buffer, area: Rect) {
    let gate = scene.view.gates.iter().find(|gate| gate.name.contains("p9") || gate.name.contains("latency"));
    let graph = &scene.view.latency;
    panel(
        scene,
        buf,
        area,
        &Content { action: Action::Latency, word: "p99", graph, unit: Unit::Seconds, gate, shift: None },
    );
}

/// Draws a graph of both versions that no gate judges.
pub(in crate::ui) fn draw_plain(scene: &Scene, buf: &mut Buffer, area: Rect, word: &str, graph: &Graph, unit: Unit) {
    panel(scene, buf, area, &Content { action: Action::Graphs, word, graph, unit, gate: None, shift: None });
}

/// Draws such a graph of somebody who was moved at this time.
pub(in crate::ui) fn draw_moved(
    scene: &Scene,
    buf: &mut Buffer,
    area: Rect,
    (word, graph, unit): (&str, &Graph, Unit),
    shift: Option<Timestamp>,
) {
    panel(scene, buf, area, &Content { action: Action::Graphs, word, graph, unit, gate: None, shift });
}

/// Writes the errors as one row, where there is no room for a chart.
pub(in crate::ui) fn strip(scene: &Scene, width: u16) -> Row {
    let graph = &scene.view.errors;
    let mut pieces = vec![scene.ink.text(" errors  ")];
    pieces.extend(last(scene, graph, Unit::Fraction));
    if let Some(gate) = telling(&scene.view.gates, "err") {
        pieces.push(scene.ink.text("  "));
        let used: usize = pieces.iter().map(Piece::width).sum();
        pieces.extend(gate_pieces(scene, gate, usize::from(width).saturating_sub(used)));
    }
    let used: usize = pieces.iter().map(Piece::width).sum();
    let room = usize::from(width).saturating_sub(used + 2).min(24);
    pieces.push(scene.ink.role(Role::New, &format!("  {}", spark(&scene.ink, &graph.new, room))));
    Row::from(pieces)
}

/// Writes a gate: its name, limit, value and verdict with its age; why it is unknown where there is room for it.
pub(in crate::ui) fn gate_pieces(scene: &Scene, gate: &GateRow, room: usize) -> Vec<Piece> {
    let ink = &scene.ink;
    let limit = if ink.ascii { "<=" } else { "≤" };
    let window = if gate.window.is_empty() { String::new() } else { format!("/{}", gate.window) };
    let mut pieces = vec![ink.text(&format!("{} {limit}{}{window}  ", gate.name, gate.limit))];
    if gate.verdict == Verdict::Waiting {
        pieces.push(ink.role(Role::Dim, UNASKED));
        return pieces;
    }
    let value = if gate.value.is_empty() { num::UNKNOWN } else { &gate.value };
    pieces.push(ink.text(&format!("{value} ")));
    let role = verdict_role(&gate.verdict).unwrap_or(Role::Dim);
    let since = gate.since.map(|s| format!(" {}", num::age(s))).unwrap_or_default();
    pieces.push(ink.role(role, &format!("{} {}{since}", ink.glyph(role), gate.verdict.word())));
    if let Verdict::Unknown(why) | Verdict::NoTraffic(why) = &gate.verdict
        && !why.is_empty()
    {
        let left = room.saturating_sub(pieces.iter().map(Piece::width).sum());
        if left > WHY_MIN {
            pieces.push(ink.text(&ink.fit(&format!(": {why}"), left)));
        }
    }
    pieces
}

/// Writes a gate's verdict with its limit, where there is no room for more.
fn gate_in_short(scene: &Scene, gate: &GateRow) -> Piece {
    let role = verdict_role(&gate.verdict).unwrap_or(Role::Dim);
    if gate.verdict == Verdict::Waiting {
        return scene.ink.role(role, &format!("≤{}", gate.limit));
    }
    let since = gate.since.map(|s| format!(" {}", num::age(s))).unwrap_or_default();
    scene.ink.role(role, &format!("{} {} ≤{}{since}", scene.ink.glyph(role), gate.verdict.word(), gate.limit))
}

struct Content<'a> {
    /// What opens it.
    action: Action,
    word: &'a str,
    graph: &'a Graph,
    unit: Unit,
    gate: Option<&'a GateRow>,
    /// When the shift was that divides the picture in before and after.
    shift: Option<Timestamp>,
}

fn panel(scene: &Scene, buf: &mut Buffer, area: Rect, content: &Content) {
    let ink = &scene.ink;
    let graph = content.graph;
    let curves = vec![
        Curve { values: &graph.new, role: Role::New, dotted: false },
        Curve { values: &graph.old, role: Role::Old, dotted: true },
    ];
    let (now, shift) = (scene.view.now, content.shift);
    let chart = Chart { curves, limit: graph.limit, unit: content.unit, step: graph.step, now, mark: shift };
    let span = chart.span(area.width.saturating_sub(2));
    let note = if span > 0 { format!("-{}..now", num::span(span)) } else { String::new() };
    let (line, dots) = if ink.ascii { ("*", "o") } else { ("⠉⠒", "⠄⠄") };
    let mut title = vec![
        scene.mark(content.action),
        ink.text(&format!("{} ", content.word)),
        ink.role(Role::New, &format!("new {line}")),
        ink.text(" "),
        ink.role(Role::Old, &format!("old {dots}")),
    ];
    if area.width >= EXPLAINED && chart.shows_mark(area.width.saturating_sub(2)) {
        title.push(ink.role(Role::Dim, &format!("  before {} after", mark(ink))));
    }
    let inner = ink.frame(buf, area, title, vec![ink.role(Role::Dim, &note)]);
    let mut feet = Vec::new();
    let mut figures = vec![ink.text(" ")];
    figures.extend(last(scene, graph, content.unit));
    match content.gate {
        Some(gate) if inner.height >= 5 => {
            feet.push(Row::from(figures));
            let mut row = vec![ink.text(" ")];
            row.extend(gate_pieces(scene, gate, usize::from(inner.width).saturating_sub(1)));
            feet.push(Row::from(row));
        }
        Some(gate) => {
            figures.push(ink.text(" "));
            figures.push(gate_in_short(scene, gate));
            feet.push(Row::from(figures));
        }
        None => feet.push(Row::from(figures)),
    }
    let plot = inner.height.saturating_sub(feet.len() as u16);
    chart.draw(ink, buf, Rect { height: plot, ..inner });
    for (i, foot) in feet.iter().enumerate() {
        put(buf, inner, plot + i as u16, foot);
    }
}

fn last(scene: &Scene, graph: &Graph, unit: Unit) -> Vec<Piece> {
    let write = |value: Option<f64>| match (value, unit) {
        (None, _) => num::UNKNOWN.to_owned(),
        (_, Unit::Fraction) => num::percent(value, num::UNKNOWN),
        (Some(count), Unit::Count) => num::count(Some(count.round() as u64)),
        (_, Unit::Rate) => num::rate(value),
        (_, Unit::Seconds) => num::latency(value),
    };
    // Where nobody sends requests there is nothing to measure: that is known. What is open there is another matter.
    let exposed = &scene.view.exposed;
    let is_traffic = unit != Unit::Count;
    let old = match (graph.last.1, exposed.share) {
        (None, Some(share)) if is_traffic && share >= 1.0 => num::NOTHING.to_owned(),
        (value, _) => write(value),
    };
    let old = scene.ink.role(Role::Old, &format!("old {old}"));
    if scene.view.header.new_version.is_empty() {
        return vec![old];
    }
    let new = match (graph.last.0, exposed.rps) {
        (None, Some(rps)) if is_traffic && rps <= 0.0 => num::NOTHING.to_owned(),
        (value, _) => write(value),
    };
    let over = matches!((graph.last.0, graph.limit), (Some(value), Some(limit)) if value > limit);
    let over = if over { Role::Bad } else { Role::New };
    vec![scene.ink.role(over, &format!("new {new}")), scene.ink.text(" "), old]
}

/// Chooses the gate that says most: one that fails, then one that cannot answer, then the one of this graph.
fn telling<'a>(gates: &'a [GateRow], word: &str) -> Option<&'a GateRow> {
    let rank = |gate: &&GateRow| match gate.verdict {
        Verdict::Fail => 0,
        Verdict::Unknown(_) | Verdict::NoTraffic(_) => 1,
        _ if gate.name.contains(word) => 2,
        _ => 3,
    };
    gates.iter().min_by_key(rank)
}
