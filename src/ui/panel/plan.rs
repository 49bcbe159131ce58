//! The plan beside the gates: which wave was, is and comes, and what every gate says.

use crate::core::{Action, RingRow};
use crate::model::{Finding, Level, counted};
use crate::ui::paint::{Row, put};
use crate::ui::panel::errors::gate_pieces;
use crate::ui::scene::Scene;
use crate::ui::screen::preflight::findings as found;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The most sentences about the drain.
const MISSING: usize = 3;

/// Returns the rows the panel would like to have.
pub(in crate::ui) fn height(scene: &Scene) -> u16 {
    u16::try_from(rows(scene, u16::MAX).len()).unwrap_or(u16::MAX - 2) + 2
}

/// Draws the panel.
pub(in crate::ui) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect) {
    let title = vec![scene.mark(Action::Plan), scene.ink.text("plan and gates")];
    let inner = scene.ink.frame(buf, area, title, preflight(scene));
    let shown = rows(scene, inner.width).into_iter().chain(findings(scene, inner.width));
    for (y, row) in shown.take(usize::from(inner.height)).enumerate() {
        put(buf, inner, y as u16, &row);
    }
}

fn rows(scene: &Scene, width: u16) -> Vec<Row> {
    let mut rows: Vec<Row> = scene.view.rings.iter().map(|ring| step(scene, ring, width)).collect();
    if !scene.view.gates.is_empty() {
        rows.push(Row::default());
    }
    for gate in &scene.view.gates {
        let mut pieces = vec![scene.ink.text("  gate ")];
        pieces.extend(gate_pieces(scene, gate, usize::from(width).saturating_sub(7)));
        rows.push(Row::from(pieces));
    }
    // While a version is in use there is nothing to prove.
    let missing: &[String] = if scene.view.drain.in_use { &[] } else { &scene.view.drain.missing };
    let more = missing.len().saturating_sub(MISSING);
    if !missing.is_empty() {
        rows.push(Row::default());
    }
    rows.extend(
        missing.iter().take(MISSING).map(|text| Row::from(scene.ink.role(Role::Drain, &format!("  drain: {text}")))),
    );
    if more > 0 {
        rows.push(Row::from(scene.ink.role(Role::Drain, &format!("  drain: and {more} more"))));
    }
    rows
}

/// Writes what the last preflight found, for a panel with room to spare.
fn findings(scene: &Scene, width: u16) -> Vec<Row> {
    let mut findings: Vec<&Finding> = found(scene.view).iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    let row = |finding: &Finding| {
        let role = match finding.level {
            Level::Refuse => Role::Bad,
            Level::Warn => Role::Warn,
            Level::Note => Role::Dim,
        };
        let text = scene.ink.fit(&finding.text, usize::from(width).saturating_sub(5));
        Row::from(vec![scene.ink.role(role, &format!("  {} ", scene.ink.glyph(role))), scene.ink.text(&text)])
    };
    let key = scene.key(Action::Preflight);
    // It stands alone where there is no room for what was found, so it says how much that is.
    let counts = [(Level::Refuse, "against it"), (Level::Warn, "to look at"), (Level::Note, "to know")]
        .map(|(level, word)| (findings.iter().filter(|finding| finding.level == level).count(), word));
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let heading = format!("  preflight: {} ({key}: in full)", counts.join(", "));
    let heading = Row::from(scene.ink.role(Role::Dim, &heading));
    let rows = findings.into_iter().map(row);
    if rows.len() == 0 { Vec::new() } else { [Row::default(), heading].into_iter().chain(rows).collect() }
}

/// Writes a ring as a step of the plan.
pub(in crate::ui) fn step(scene: &Scene, ring: &RingRow, width: u16) -> Row {
    let ink = &scene.ink;
    let (done, of) = ring.waves;
    let finished = of > 0 && done >= of && !ring.is_current;
    let (role, sign) = match (ring.is_current, finished) {
        (true, _) => (None, ink.glyph(Role::Focus)),
        (false, true) => (Some(Role::Ok), ink.glyph(Role::Ok)),
        (false, false) => (Some(Role::Dim), " "),
    };
    let what = match (ring.needs_approval, ring.is_next) {
        (true, _) => "needs an approval",
        (false, true) => "is next",
        _ => ring.state.as_str(),
    };
    let is_narrow = width < 66;
    let who = match (ring.unlisted, is_narrow) {
        (true, true) => "others".to_owned(),
        (true, false) => "everybody else".to_owned(),
        (false, true) => format!("{} cust", ring.of),
        (false, false) => counted(ring.of, "customer"),
    };
    let (name, room) = if is_narrow { (10, 9) } else { (14, 16) };
    Row::from(vec![
        ink.maybe(role, &format!("{sign} {}", ink.left(&ring.name, name))),
        ink.text(&format!("{} waves  {}", ink.right(&format!("{done} of {of}"), 7), ink.left(&who, room))),
        ink.maybe(ring.needs_approval.then_some(Role::Warn), what),
    ])
}

fn preflight(scene: &Scene) -> Vec<crate::ui::paint::Piece> {
    let count = |level: Level| found(scene.view).iter().filter(|f| f.level == level).count();
    match (count(Level::Refuse), count(Level::Warn)) {
        (0, 0) => Vec::new(),
        (0, warnings) => vec![scene.ink.role(Role::Warn, &format!("preflight: {warnings} to look at"))],
        (refusals, _) => vec![scene.ink.role(Role::Bad, &format!("preflight: {refusals} against it"))],
    }
}
