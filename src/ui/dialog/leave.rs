//! Leaving while this console drives, or while an order of it is under way.

use super::{Guard, Press, Reply, draw_window, text_width};
use crate::core::{Action, LEAVE, Mode, RunningState, View};
use crate::ui::num;
use crate::ui::paint::Row;
use crate::ui::panel::header;
use crate::ui::scene::Scene;
use crate::ui::text;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// How soon a second Ctrl-C leaves without `y`.
const TWICE_MS: u64 = 2000;

/// The question whether to leave.
pub(in crate::ui) struct Leaving {
    /// When Ctrl-C opened it; `None` when another key did.
    by_interrupt: Option<u64>,
    pub(super) guard: Guard,
}

impl Leaving {
    /// Opens the question; `by_interrupt` is now when Ctrl-C asked for it.
    pub fn new(by_interrupt: Option<u64>) -> Self {
        Self { by_interrupt, guard: Guard::default() }
    }

    /// Takes in a key.
    pub fn press(&mut self, press: &Press) -> Reply {
        let interrupt = press.chord.ctrl && press.action() == Some(Action::Quit);
        if interrupt && !press.repeat {
            let twice = self.by_interrupt.is_some_and(|first| press.now_ms < first.saturating_add(TWICE_MS));
            self.by_interrupt = Some(press.now_ms);
            return if twice { Reply::Quit } else { Reply::Stay };
        }
        if press.action() == Some(Action::Back) {
            return Reply::Close;
        }
        let yes = press.chord.typed() == Some('y') && !press.repeat && self.guard.is_armed(press.now_ms);
        if yes { Reply::Quit } else { Reply::Stay }
    }

    /// Draws the question.
    pub fn draw(&mut self, scene: &Scene, buf: &mut Buffer, area: Rect) {
        self.guard.in_frame();
        let room = text_width(area);
        let given = LEAVE.0.as_secs_f64();
        let lease = if drives(scene.live) { ", the lease is given back" } else { "" };
        let says = [
            format!("Leave? {}", why(scene.live)),
            format!(
                "Nobody moves without a console: no further step is begun, a write that is under way is given {given} s{lease}."
            ),
            "It goes on from there in any console; hold and rollback work from the command line too.".to_owned(),
        ];
        let mut body = Vec::new();
        if let Some(lost) = unwritten(scene) {
            let lines = scene.ink.wrap(&lost, room.saturating_sub(2));
            body.extend(lines.iter().enumerate().map(|(i, line)| {
                let sign = if i == 0 { scene.ink.glyph(Role::Bad) } else { " " };
                Row::from(scene.ink.role(Role::Bad, &format!(" {sign} {line}")))
            }));
            body.push(Row::default());
        }
        for (i, sentence) in says.iter().enumerate() {
            for line in scene.ink.wrap(sentence, room) {
                let line = format!(" {line}");
                body.push(Row::from(if i == 0 { scene.ink.bold(&line) } else { scene.ink.text(&line) }));
            }
            body.push(Row::default());
        }
        let tail = [
            Row::from(if self.guard.is_armed(scene.now_ms) {
                scene.ink.bold(" y  leave")
            } else {
                scene.ink.role(Role::Dim, &format!(" {}", text::NOT_ARMED))
            }),
            Row::from(scene.ink.text(&format!(" {}", text::escape(&scene.key(Action::Back), "stay")))),
        ];
        draw_window(scene, buf, area, Role::Warn, "leave", &body, &tail);
    }
}

fn drives(view: &View) -> bool {
    view.header.mode == Mode::Driving && !view.header.release.is_empty()
}

/// Says what is asked about: the release that is driven here, else the order that this console has given.
fn why(view: &View) -> String {
    let header = &view.header;
    let phase = if header.phase.is_empty() { header.state.as_str() } else { header.phase.as_str() };
    if drives(view) {
        return format!("{} is in {phase}, and you drive it.", header.release);
    }
    match &view.running {
        Some(order) => format!("Your order \"{}\" is still under way: {}.", order.action.spec().title, order.text),
        None => format!("{} is in {phase}.", if header.release.is_empty() { "The release" } else { &header.release }),
    }
}

/// Says that a hold or a way back was ordered and has not been seen in the cluster: it would be lost without a word.
fn unwritten(scene: &Scene) -> Option<String> {
    let header = &scene.live.header;
    let order = scene.live.running.as_ref().filter(|order| order.outcome == RunningState::Running)?;
    let is_written = match order.action {
        Action::Hold => header.state == "HOLD",
        Action::Rollback => header::goes_back(&header.phase),
        _ => return None,
    };
    let ago = scene.live.now.map(|now| now.as_second().saturating_sub(order.since.as_second()).max(0) as u64);
    let ago = ago.map_or(num::UNKNOWN.to_owned(), num::age);
    let what = order.action.spec().title;
    let text = format!(
        "{what} was ordered {ago} ago and, as far as is known, is not written yet: it will not be when you leave."
    );
    (!is_written).then_some(text)
}
