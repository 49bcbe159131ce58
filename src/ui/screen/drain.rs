//! The drain: what each pod still holds, what is missing for the proof, and who would be cut.

use super::frame::{self, Said, Shown, labelled, split, split_across};
use crate::core::{Action, DrainCloseup, PodRow};
use crate::model::StreamKind;
use crate::ui::num;
use crate::ui::paint::{Row, put};
use crate::ui::panel::drain as panel;
use crate::ui::scene::{Scene, side_role};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const KEYS: &[Action] =
    &[Action::Hold, Action::Menu, Action::Rollback, Action::Finish, Action::Back, Action::Help, Action::Quit];

/// What the drain does about most kinds of open work, and so is not said of each.
const WAITED_FOR: &str = "waited for";

/// The rows of the smallest curve that says something.
const CHART: u16 = 7;

/// Draws the screen.
pub(in crate::ui) fn draw(
    scene: &Scene,
    buf: &mut Buffer,
    area: Rect,
    said: Said<'_>,
    closeup: Option<&DrainCloseup>,
    top: usize,
) -> Shown {
    let body = frame::around(scene, buf, area, said, KEYS, Vec::new());
    let none = DrainCloseup::default();
    let closeup = closeup.unwrap_or(&none);
    let pods = pods(scene, closeup, body.width.saturating_sub(2));
    let text_width = if body.width >= 120 { body.width / 2 } else { body.width };
    let text = text(scene, closeup, text_width.saturating_sub(2));
    // Borders and a heading.
    let pods_wanted = pods.len() as u16 + 3;
    let mut pod_rows = pods_wanted.min((body.height / 3).max(5)).min(body.height);
    let spare = body.height.saturating_sub(text.len() as u16 + 2 + pod_rows);
    if body.width < 120 && spare < CHART {
        // Too little for a curve: more pods are in sight instead of nothing.
        pod_rows = pods_wanted.min(pod_rows + spare);
    }
    let (upper, below) = split(body, body.height - pod_rows);
    if body.width >= 120 {
        let (left, right) = split_across(upper, text_width);
        frame::scroll(scene, buf, left, vec![scene.ink.text("proof")], &text, 0);
        panel::draw(scene, buf, right);
    } else {
        let wanted = (text.len() as u16 + 2).min(upper.height);
        let chart = upper.height - wanted;
        if chart >= CHART {
            let (first, rest) = split(upper, chart);
            panel::draw(scene, buf, first);
            frame::scroll(scene, buf, rest, vec![scene.ink.text("proof")], &text, 0);
        } else {
            frame::scroll(scene, buf, upper, vec![scene.ink.text("proof")], &text, 0);
        }
    }
    if below.height < 3 {
        return Shown::default();
    }
    let inner = scene.ink.frame(buf, below, vec![scene.ink.text("pods")], vec![note(scene, closeup)]);
    put(buf, inner, 0, &heading(scene, inner.width));
    let room = usize::from(inner.height.saturating_sub(1));
    let top = top.min(pods.len().saturating_sub(room));
    for (y, row) in pods.iter().skip(top).take(room).enumerate() {
        put(buf, inner, y as u16 + 1, row);
    }
    Shown { page: room, rows: pods.len(), found: Vec::new() }
}

fn note(scene: &Scene, closeup: &DrainCloseup) -> crate::ui::paint::Piece {
    scene.ink.role(Role::Dim, &format!("quiet needed: {}", num::span(closeup.quiet)))
}

fn text(scene: &Scene, closeup: &DrainCloseup, width: u16) -> Vec<Row> {
    let drain = &scene.view.drain;
    let Some(side) = drain.side else {
        return labelled(scene, "drain", "no version is being left: there is nothing to prove", Some(Role::Dim), width);
    };
    let (role, word) = match (drain.in_use, drain.proven) {
        (true, _) => (Role::Dim, "in use, nothing to prove yet"),
        (false, true) => (Role::Ok, "PROVEN: nothing is open"),
        (false, false) => (Role::Drain, "NOT PROVEN"),
    };
    let mut rows = labelled(scene, "proof", &format!("{side} {}: {word}", drain.version), Some(role), width);
    rows.extend(labelled(scene, "", &drain.headline, None, width));
    let open = format!("{} open · oldest {}", num::count(drain.inflight), num::oldest(drain.oldest));
    let eta = match drain.eta {
        Some(seconds) => format!(" · about {} left", num::age(seconds)),
        None => String::new(),
    };
    rows.extend(labelled(scene, "open", &format!("{open}{eta}"), None, width));
    if let Some((limit, used)) = drain.patience {
        let text = format!(
            "{} of {}; after that the screen offers force, nothing is cut by itself",
            num::age(used),
            num::span(limit)
        );
        rows.extend(labelled(scene, "patience", &text, (used > limit).then_some(Role::Bad), width));
    }
    if !drain.by_kind.is_empty() {
        let in_words = |(kind, count): &(StreamKind, Option<u64>)| {
            let asked = closeup.policies.iter().find(|(known, word)| known == kind && word != WAITED_FOR);
            let asked = asked.map(|(_, word)| format!(" ({word})")).unwrap_or_default();
            let count = count.map_or("not exported".to_owned(), |n| n.to_string());
            format!("{} {count}{asked}", kind.many())
        };
        let kinds: Vec<String> = drain.by_kind.iter().map(in_words).collect();
        rows.extend(labelled(scene, "kinds", &kinds.join(" · "), None, width));
    }
    if !drain.in_use {
        for (i, missing) in drain.missing.iter().enumerate() {
            rows.extend(labelled(scene, if i == 0 { "missing" } else { "" }, missing, Some(Role::Warn), width));
        }
    }
    if !drain.survivors.is_empty() {
        let names: Vec<String> = drain.survivors.iter().map(|(id, n)| format!("{id} {n}")).collect();
        rows.extend(labelled(scene, "open for", &names.join("  "), None, width));
    }
    rows
}

/// Returns the columns of a kind: its word, or a number of four digits, behind a blank.
fn cell(kind: StreamKind) -> usize {
    kind.one().len().max(4) + 1
}

fn heading(scene: &Scene, width: u16) -> Row {
    let kinds: String = StreamKind::ALL.iter().map(|kind| scene.ink.right(kind.one(), cell(*kind))).collect();
    let text = format!(
        "  {} {} {}{kinds} {} {}",
        scene.ink.left("pod", name_width(width)),
        scene.ink.left("side", 4),
        scene.ink.left("state", 12),
        scene.ink.right("oldest", 7),
        scene.ink.right("sample", 8)
    );
    Row::from(scene.ink.role(Role::Dim, &text))
}

fn name_width(width: u16) -> usize {
    let kinds: usize = StreamKind::ALL.into_iter().map(cell).sum();
    usize::from(width).saturating_sub(2 + 5 + 13 + kinds + 8 + 9).clamp(8, 50)
}

fn pods(scene: &Scene, closeup: &DrainCloseup, width: u16) -> Vec<Row> {
    if closeup.pods.is_empty() {
        return vec![Row::from(scene.ink.role(Role::Dim, "  no pod of either slot is known"))];
    }
    closeup.pods.iter().map(|pod| pod_row(scene, pod, width)).collect()
}

fn pod_row(scene: &Scene, pod: &PodRow, width: u16) -> Row {
    let ink = &scene.ink;
    let side = pod.side.map_or(String::new(), |side| side.to_string());
    let mut pieces = vec![
        ink.text(&format!("  {} ", ink.end(&pod.name, name_width(width)))),
        ink.maybe(pod.side.map(side_role), &ink.left(&side, 5)),
        ink.maybe(state_role(&pod.state), &ink.left(&pod.state, 12)),
    ];
    let ended = pod.state == "ended";
    for (kind, count) in &pod.by_kind {
        let text = match count {
            Some(n) => n.to_string(),
            None if ended => num::NOTHING.to_owned(),
            None => num::UNKNOWN.to_owned(),
        };
        pieces.push(ink.maybe(count.is_some_and(|n| n > 0).then_some(Role::Drain), &ink.right(&text, cell(*kind))));
    }
    let oldest = if ended { num::NOTHING.to_owned() } else { num::oldest(pod.oldest) };
    let sample = pod.sample_age.map_or("never".to_owned(), |age| format!("{} ago", num::age(age)));
    pieces.push(ink.text(&format!(" {} ", ink.right(&oldest, 7))));
    pieces.push(ink.maybe((pod.is_stale && !ended).then_some(Role::Bad), &ink.right(&sample, 8)));
    Row::from(pieces)
}

fn state_role(state: &str) -> Option<Role> {
    match state {
        "ready" => Some(Role::Ok),
        "ending" => Some(Role::Drain),
        "ended" => Some(Role::Dim),
        "not ready" => Some(Role::Warn),
        _ => Some(Role::Bad),
    }
}
