//! The drain: what is still open on the slot that is being left, and what is missing for the proof.

use crate::core::{Action, DrainRow};
use crate::model::Side;
use crate::ui::chart::{Chart, Curve, Unit, spark};
use crate::ui::num;
use crate::ui::paint::{Piece, Row, put};
use crate::ui::scene::{Scene, side_role};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the panel.
pub(in crate::ui) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect) {
    let drain = &scene.view.drain;
    let graph = &scene.view.drain_graph;
    let curves = vec![Curve { values: &graph.values, role: Role::Drain, dotted: false }];
    let chart = Chart { curves, limit: None, unit: Unit::Count, step: graph.step, now: scene.view.now, mark: None };
    let span = chart.span(area.width.saturating_sub(2));
    let note = if span > 0 { format!("-{}..now", num::span(span)) } else { String::new() };
    let title = match drain.side {
        Some(side) => vec![
            scene.mark(Action::Drain),
            scene.ink.text("drain "),
            scene.ink.role(side_role(side), &format!("{side} {}", drain.version)),
            proof(scene),
        ],
        None => vec![
            scene.mark(Action::Drain),
            scene.ink.text("open work "),
            scene.ink.role(Role::Old, scene.version(Side::Old)),
        ],
    };
    let inner = scene.ink.frame(buf, area, title, vec![scene.ink.role(Role::Dim, &note)]);
    let feet = feet(scene, inner.width, inner.height);
    let plot = inner.height.saturating_sub(feet.len() as u16);
    chart.draw(&scene.ink, buf, Rect { height: plot, ..inner });
    for (i, foot) in feet.iter().enumerate() {
        put(buf, inner, plot + i as u16, foot);
    }
}

/// Writes the drain as one row, where there is no room for a chart.
pub(in crate::ui) fn strip(scene: &Scene, width: u16) -> Row {
    let drain = &scene.view.drain;
    let mut pieces = match drain.side {
        Some(side) => vec![scene.ink.text(&format!(" drain {side}")), proof(scene)],
        None => vec![scene.ink.text(" open work")],
    };
    pieces.push(scene.ink.text(" "));
    pieces.extend(figures(scene, width));
    pieces.push(scene.ink.text("  "));
    pieces.push(headline(scene));
    let used: usize = pieces.iter().map(Piece::width).sum();
    let room = usize::from(width).saturating_sub(used + 2).min(24);
    pieces.push(scene.ink.role(Role::Drain, &format!("  {}", spark(&scene.ink, &scene.view.drain_graph.values, room))));
    Row::from(pieces)
}

fn feet(scene: &Scene, width: u16, height: u16) -> Vec<Row> {
    let drain = &scene.view.drain;
    let mut feet = vec![Row::from(figures(scene, width))];
    if height >= 5 {
        feet.push(Row::from(headline(scene)));
    }
    if height >= 9 && !drain.by_kind.is_empty() {
        let kinds = drain.by_kind.iter().map(|(kind, n)| format!("{} {}", kind.many(), num::count(*n)));
        let pods = drain.pods.map(|(ready, of)| format!("   pods {ready}/{of}")).unwrap_or_default();
        feet.push(Row::from(scene.ink.text(&format!(" {}{pods}", kinds.collect::<Vec<_>>().join("  ")))));
    }
    if height >= 12 && !drain.survivors.is_empty() {
        let names = drain.survivors.iter().map(|(id, n)| format!("{id} {n}")).collect::<Vec<_>>().join("  ");
        feet.push(Row::from(scene.ink.text(&scene.ink.fit(&format!(" most: {names}"), usize::from(width)))));
    }
    feet
}

/// Writes the numbers; where they would be cut, closer together and without the time used, which line two shows.
fn figures(scene: &Scene, width: u16) -> Vec<Piece> {
    let roomy = numbers(scene, true);
    if roomy.iter().map(Piece::width).sum::<usize>() <= usize::from(width) { roomy } else { numbers(scene, false) }
}

fn numbers(scene: &Scene, is_roomy: bool) -> Vec<Piece> {
    let ink = &scene.ink;
    let DrainRow { side, inflight, oldest, eta, patience, .. } = &scene.view.drain;
    let gap = if is_roomy { "  " } else { " " };
    let open = inflight.is_none_or(|n| n > 0);
    let role = (open && side.is_some()).then_some(Role::Drain);
    let mut pieces = vec![ink.maybe(role, &format!(" {} open", num::count(*inflight)))];
    if open {
        pieces.push(ink.text(&format!("{gap}oldest {}", num::oldest(*oldest))));
    }
    if open && (eta.is_some() || patience.is_some()) {
        let eta = eta.map_or(num::UNKNOWN.to_owned(), |s| format!("~{}", num::age(s)));
        pieces.push(ink.text(&format!("{gap}ETA {eta}")));
    }
    if let Some((limit, used)) = patience {
        let role = (used > limit).then_some(Role::Bad);
        let limit = num::span(*limit);
        let text = if is_roomy { format!("{gap}{} of {limit}", num::age(*used)) } else { format!(" ≤{limit}") };
        pieces.push(ink.maybe(role, &text));
    }
    pieces
}

fn headline(scene: &Scene) -> Piece {
    let DrainRow { side, in_use, proven, headline, .. } = &scene.view.drain;
    if side.is_none() {
        let known = scene.view.header.is_read();
        let text = if known { " no version is being left" } else { " whether a version is being left is not known" };
        return scene.ink.role(Role::Dim, text);
    }
    if *in_use {
        return scene.ink.role(Role::Dim, &format!(" {headline}"));
    }
    let role = if *proven { Role::Ok } else { Role::Drain };
    // The title says whether it is proven.
    let text = headline.trim_start_matches("not proven: ").trim_start_matches("proven: ");
    let text = if text.is_empty() { num::UNKNOWN } else { text };
    scene.ink.role(role, &format!(" {} {text}", scene.ink.glyph(role)))
}

/// Says whether the proof holds; nothing that is not proven may look like zero.
fn proof(scene: &Scene) -> Piece {
    if scene.view.drain.in_use {
        scene.ink.role(Role::Dim, " in use")
    } else if scene.view.drain.proven {
        scene.ink.role(Role::Ok, " proven")
    } else {
        scene.ink.role(Role::Drain, " not proven")
    }
}
