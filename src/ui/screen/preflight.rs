//! Preflight: everything that speaks against a start, may hurt, or is worth knowing, by weight.

use super::frame::{self, Said, Shown};
use crate::core::{Action, View};
use crate::model::{Finding, Level};
use crate::ui::num;
use crate::ui::paint::{Piece, Row, put};
use crate::ui::scene::Scene;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const KEYS: &[Action] = &[
    Action::Hold,
    Action::Menu,
    Action::Rollback,
    Action::Start,
    Action::Filter,
    Action::Back,
    Action::Plan,
    Action::Copy,
    Action::Help,
    Action::Quit,
];

/// Draws the screen.
pub(in crate::ui) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect, said: Said<'_>, top: usize) -> Shown {
    let body = frame::around(scene, buf, area, said, KEYS, Vec::new());
    let rows = rows(scene, usize::from(body.width.saturating_sub(2)));
    let (ages, list) = frame::split(body, u16::from(body.height >= 6));
    put(buf, ages, 0, &Row::from(scene.ink.role(Role::Dim, &scene.ink.fit(&age(scene), usize::from(ages.width)))));
    frame::scroll(scene, buf, list, title(scene), &rows, top)
}

/// Says of when the findings are, and how old what they rest on is.
fn age(scene: &Scene) -> String {
    let preflight = &scene.view.preflight;
    let Some(age) = preflight.age else {
        let release = &scene.view.header.release;
        return match (release.is_empty(), &scene.view.findings) {
            (true, _) => " nothing has been looked for yet".to_owned(),
            (false, Some(_)) => format!(" as it was when {release} was started; a start looks again"),
            (false, None) => format!(" {release} was not started from this console, which has not looked"),
        };
    };
    let ago = |age: Option<u64>| age.map_or("not yet".to_owned(), |age| format!("{} ago", num::age(age)));
    format!(
        " looked for {} ago   gateways, policies, budgets {}   metrics {}",
        num::age(age),
        ago(preflight.survey_age),
        ago(preflight.metrics_age)
    )
}

/// Returns what is found now, or what was found when the release under way was started; `None` = not known here.
fn known(view: &View) -> Option<&[Finding]> {
    match view.preflight.age {
        Some(_) => Some(&view.preflight.findings),
        None => view.findings.as_deref(),
    }
}

/// Returns the findings that are known here.
pub(in crate::ui) fn findings(view: &View) -> &[Finding] {
    known(view).unwrap_or_default()
}

/// Writes every finding as one text, for the clipboard.
pub(in crate::ui) fn as_text(view: &View) -> String {
    findings(view)
        .iter()
        .map(|finding| format!("{}: {} ({})", word(finding.level), finding.text, finding.check))
        .collect::<Vec<_>>()
        .join("\n")
}

fn title(scene: &Scene) -> Vec<Piece> {
    let Some(found) = known(scene.view) else {
        let unknown = scene.ink.role(Role::Dim, "what speaks against a start is not known here");
        return vec![scene.ink.text("preflight   "), unknown];
    };
    let count = |level: Level| found.iter().filter(|f| f.level == level).count();
    let (against, look, know) = (count(Level::Refuse), count(Level::Warn), count(Level::Note));
    let mut pieces = vec![scene.ink.text("preflight   ")];
    pieces.push(match against {
        0 => scene.ink.role(Role::Ok, "nothing against a start"),
        n => scene.ink.role(Role::Bad, &format!("{n} against a start")),
    });
    if look > 0 {
        pieces.push(scene.ink.role(Role::Warn, &format!("   {look} to look at")));
    }
    if know > 0 {
        pieces.push(scene.ink.role(Role::Dim, &format!("   {know} to know")));
    }
    pieces
}

fn rows(scene: &Scene, width: usize) -> Vec<Row> {
    let mut findings: Vec<&Finding> = self::findings(scene.view).iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    if findings.is_empty() {
        let (role, first) = match known(scene.view) {
            Some(_) => (None, "No check has found anything."),
            None => (Some(Role::Dim), "No check has looked."),
        };
        let text = format!("{first} A start looks again, at everything, before it writes.");
        let lines = scene.ink.wrap(&text, width.saturating_sub(2));
        return lines.iter().map(|row| Row::from(scene.ink.maybe(role, &format!(" {row}")))).collect();
    }
    let mut rows = Vec::new();
    let mut last = None;
    for finding in findings {
        if last != Some(finding.level) {
            if last.is_some() {
                rows.push(Row::default());
            }
            rows.push(Row::from(scene.ink.bold(&format!(" {}", word(finding.level)))));
            last = Some(finding.level);
        }
        let role = match finding.level {
            Level::Refuse => Role::Bad,
            Level::Warn => Role::Warn,
            Level::Note => Role::Dim,
        };
        for (i, text) in scene.ink.wrap(&finding.text, width.saturating_sub(5)).iter().enumerate() {
            let sign = if i == 0 { scene.ink.glyph(role) } else { " " };
            rows.push(Row::from(vec![scene.ink.role(role, &format!("  {sign} ")), scene.ink.text(text)]));
        }
        let check = scene.ink.fit(&finding.check, width.saturating_sub(4));
        rows.push(Row::from(scene.ink.role(Role::Dim, &format!("    {check}"))));
    }
    rows
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Refuse => "against a start",
        Level::Warn => "to look at",
        Level::Note => "to know",
    }
}
