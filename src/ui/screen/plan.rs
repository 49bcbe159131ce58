//! The plan: every ring with its waves, and what every gate says, in full.

use super::frame::{self, Said, Shown, labelled};
use crate::core::{Action, Verdict};
use crate::ui::paint::Row;
use crate::ui::panel::errors::gate_pieces;
use crate::ui::panel::plan::step;
use crate::ui::scene::Scene;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const KEYS: &[Action] = &[
    Action::Hold,
    Action::Menu,
    Action::Rollback,
    Action::Preflight,
    Action::Ring,
    Action::Back,
    Action::Filter,
    Action::Help,
    Action::Quit,
];

/// Draws the screen.
pub(in crate::ui) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect, said: Said<'_>, top: usize) -> Shown {
    let body = frame::around(scene, buf, area, said, KEYS, Vec::new());
    let rows = rows(scene, body.width.saturating_sub(2));
    let plan = &scene.view.header.plan;
    frame::scroll(scene, buf, body, vec![scene.ink.text(&format!("plan {plan} and gates"))], &rows, top)
}

fn rows(scene: &Scene, width: u16) -> Vec<Row> {
    let heading = |text: &str| Row::from(scene.ink.bold(&format!(" {text}")));
    let mut rows = vec![heading("waves")];
    rows.extend(scene.view.rings.iter().map(|ring| step(scene, ring, width)));
    rows.push(Row::default());
    rows.push(heading("gates"));
    if scene.view.gates.is_empty() {
        let text = if scene.has_two_versions() {
            "  the plan has none: a wave bakes by time alone"
        } else {
            "  they are asked while a wave of a release bakes: no release is under way"
        };
        rows.push(Row::from(scene.ink.role(Role::Dim, &scene.ink.fit(text, usize::from(width)))));
    }
    for gate in &scene.view.gates {
        let mut pieces = vec![scene.ink.text("  ")];
        pieces.extend(gate_pieces(scene, gate, 0));
        rows.push(Row::from(pieces));
        if let Verdict::Unknown(why) | Verdict::NoTraffic(why) = &gate.verdict {
            rows.extend(labelled(scene, "", why, Some(Role::Warn), width));
        }
    }
    rows.push(Row::default());
    rows.push(heading("drain of the version that is left"));
    let drain = &scene.view.drain;
    let says = match drain.side {
        None => "no version is being left".to_owned(),
        Some(side) => format!("{side} {}: {}", drain.version, drain.headline),
    };
    rows.extend(labelled(scene, "now", &says, None, width));
    if !drain.in_use {
        rows.extend(drain.missing.iter().flat_map(|text| labelled(scene, "missing", text, Some(Role::Drain), width)));
    }
    rows.push(Row::default());
    rows.push(heading("way back"));
    let out = if scene.live.way_out.is_empty() { "nothing to roll back" } else { &scene.live.way_out };
    rows.extend(labelled(scene, &scene.key(Action::Rollback), out, None, width));
    rows
}
