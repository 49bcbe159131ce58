//! Which release to start: one that is proposed, or a version that is typed.

use super::{Body, Guard, Press, Reply, draw_moving, edit, text_width};
use crate::core::{Action, Command};
use crate::model::Version;
use crate::ui::paint::Row;
use crate::ui::pick::Pick;
use crate::ui::scene::Scene;
use crate::ui::text;
use crate::ui::theme::Role;
use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui_input::Input;

/// The choice of a release.
#[derive(Default)]
pub(in crate::ui) struct Starting {
    version: Input,
    pick: Pick,
    /// The first row in sight.
    top: usize,
    pub(super) guard: Guard,
}

/// The most proposed releases in sight.
const ROWS: usize = 8;

impl Starting {
    /// Takes in a key. Enter runs nothing: it leads to the preview, which asks for the word.
    pub fn press(&mut self, press: &Press) -> Reply {
        let action = press.action_beside_text();
        if action == Some(Action::Back) {
            return Reply::Close;
        }
        if !self.guard.is_armed(press.now_ms) {
            return Reply::Stay;
        }
        let names: Vec<&str> = press.view.proposed.iter().map(|r| r.name.as_str()).collect();
        if press.chord.code == KeyCode::Enter {
            return self.choose(&names);
        }
        match action {
            Some(action @ (Action::Up | Action::Down)) if !names.is_empty() => {
                self.pick.step_from_shown(&names, action, ROWS);
            }
            _ => {
                edit(&mut self.version, press.chord);
            }
        }
        Reply::Stay
    }

    /// Draws the dialog.
    pub fn draw(&mut self, scene: &Scene, buf: &mut Buffer, area: Rect) {
        self.guard.in_frame();
        let ink = &scene.ink;
        let room = text_width(area);
        let proposed = &scene.view.proposed;
        let names: Vec<&str> = proposed.iter().map(|r| r.name.as_str()).collect();
        let at = self.pick.index(&names);
        let mut body = vec![
            Row::from(ink.bold(" Which release? Nobody moves yet: this puts it beside the one that serves.")),
            Row::default(),
        ];
        if proposed.is_empty() {
            body.push(Row::from(ink.role(Role::Dim, "  no release is proposed; type a version")));
        }
        let top = self.pick.window(at, names.len(), ROWS);
        let kept = body.len() + at - top..body.len() + at - top + usize::from(!names.is_empty());
        for (i, release) in proposed.iter().enumerate().skip(top).take(ROWS) {
            let chosen = i == at && self.version.value().is_empty();
            let sign = if chosen { ink.glyph(Role::Focus) } else { " " };
            let by = if release.by.is_empty() { String::new() } else { format!(" by {}", release.by) };
            let text = ink.fit(
                &format!(
                    " {sign} {}  {}{by}, {}",
                    ink.left(&release.version, 14),
                    release.name,
                    scene.clock.time(release.at)
                ),
                room,
            );
            body.push(Row::from(if chosen { ink.role(Role::Focus, &text) } else { ink.text(&text) }));
        }
        body.push(Row::default());
        let hold = scene.key(Action::Hold);
        let mut tail = Vec::new();
        if self.guard.is_armed(scene.now_ms) {
            tail.push(Row::from(vec![
                ink.text(" "),
                ink.bold(text::VERSION),
                ink.text(&format!("{}▏", self.version.value())),
                ink.role(Role::Dim, &format!("   ({hold} holds, here too)")),
            ]));
            if !names.is_empty() || !self.version.value().trim().is_empty() {
                tail.push(Row::from(ink.text(&format!(" {}", text::ENTER_SHOWS))));
            }
        } else {
            tail.push(Row::from(ink.role(Role::Dim, &format!(" {}", text::NOT_ARMED))));
        }
        tail.push(Row::from(ink.text(&format!(" {}", text::escape(&scene.key(Action::Back), "cancel")))));
        let body = Body { rows: &body, top: &mut self.top, kept, moves: [Action::Up, Action::Down] };
        draw_moving(scene, buf, area, Role::Focus, "start a release", body, &tail);
    }

    fn choose(&self, names: &[&str]) -> Reply {
        let typed = self.version.value().trim();
        if !typed.is_empty() {
            let version = Some(Version::new(typed));
            return Reply::Confirm(Command::Start { release: None, version, image: None, commit: None });
        }
        match names.get(self.pick.index(names)) {
            Some(name) => Reply::Confirm(Command::Start {
                release: Some((*name).to_owned()),
                version: None,
                image: None,
                commit: None,
            }),
            None => Reply::Stay,
        }
    }
}
