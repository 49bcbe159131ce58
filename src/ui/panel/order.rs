//! The last order given here: what is being done, for how long, and why it was refused or stopped.

use crate::core::{Action, RunningRow, RunningState};
use crate::ui::num;
use crate::ui::paint::Row;
use crate::ui::scene::Scene;
use crate::ui::theme::Role;

/// Writes the order as at most `most` rows, at least one; none when there is nothing to say.
pub(in crate::ui) fn rows(scene: &Scene, width: u16, most: u16) -> Vec<Row> {
    let most = usize::from(most.max(1));
    let Some(order) = scene.live.running.as_ref().filter(|order| !is_in_advice(scene, order)) else {
        return Vec::new();
    };
    let (role, texts) = sentences(scene, order, most);
    let width = usize::from(width).saturating_sub(4);
    let wrapped: Vec<String> = texts.iter().flat_map(|text| scene.ink.wrap(text, width)).collect();
    let hidden = wrapped.len().saturating_sub(most);
    let mut rows = Vec::new();
    for (i, text) in wrapped.iter().take(most).enumerate() {
        let sign = if i == 0 { scene.ink.glyph(role) } else { " " };
        let more = if hidden > 0 && i + 1 == most { scene.ink.dots() } else { "" };
        rows.push(Row::from(scene.ink.role(role, &format!(" {sign} {text}{more}"))));
    }
    rows
}

/// Writes that the order has been carried out, where it was; `None` while it is anything else.
pub(in crate::ui) fn done(scene: &Scene) -> Option<Row> {
    let order = scene.live.running.as_ref().filter(|order| order.outcome == RunningState::Done)?;
    let (role, texts) = sentences(scene, order, 1);
    Some(Row::from(scene.ink.role(role, &format!(" {} {} ", scene.ink.glyph(role), texts.concat()))))
}

fn sentences(scene: &Scene, order: &RunningRow, most: usize) -> (Role, Vec<String>) {
    let what = order.action.spec().title;
    let esc = scene.key(Action::Back);
    let elapsed = scene.live.now.map(|now| now.as_second().saturating_sub(order.since.as_second()).max(0) as u64);
    match &order.outcome {
        RunningState::Running => {
            let elapsed = elapsed.map_or(num::UNKNOWN.to_owned(), num::age);
            (Role::Drain, vec![format!("{what}, for {elapsed}: {}", order.text)])
        }
        RunningState::Done => (Role::Ok, vec![format!("{what}: done")]),
        RunningState::Refused { why } if most <= 2 => {
            let why: Vec<&str> = why.iter().map(|refusal| refusal.text.as_str()).collect();
            (Role::Bad, vec![format!("{what} REFUSED: {}", why.join("; "))])
        }
        RunningState::Refused { why } => {
            let mut texts =
                vec![format!("{what} REFUSED, nothing was written ({}; {esc} puts this away):", reasons(why.len()))];
            texts.extend(why.iter().map(|refusal| format!("- {}", refusal.text)));
            (Role::Bad, texts)
        }
        RunningState::Stopped { why } => {
            (Role::Bad, vec![format!("{what} STOPPED before its end ({esc} puts this away): {why}")])
        }
    }
}

/// Tells whether the advice says the same: while work is under way, what is waited for is the advice.
fn is_in_advice(scene: &Scene, order: &RunningRow) -> bool {
    order.outcome == RunningState::Running && !order.text.is_empty() && scene.live.advice.text.contains(&order.text)
}

fn reasons(count: usize) -> String {
    if count == 1 { "1 reason".to_owned() } else { format!("{count} reasons") }
}
