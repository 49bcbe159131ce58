//! The menu of everything that changes the cluster: its keys, and why some of it cannot be done now.

use super::{Press, Reply, draw_window, text_width};
use crate::core::{ACTIONS, Action, Role as Who};
use crate::ui::chord::Chord;
use crate::ui::keymap::{Lookup, Place};
use crate::ui::paint::Row;
use crate::ui::pick::Pick;
use crate::ui::scene::Scene;
use crate::ui::theme::Role;
use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The open menu.
#[derive(Default)]
pub(in crate::ui) struct Menu {
    /// The keys typed after the menu's own.
    typed: Vec<Chord>,
    pick: Pick,
    /// Says that a key is not in the menu.
    wrong: Option<String>,
}

impl Menu {
    /// Takes in a key.
    pub fn press(&mut self, press: &Press) -> Reply {
        self.wrong = None;
        let ids: Vec<&str> = entries().map(|action| action.spec().id).collect();
        match press.action_beside_text() {
            Some(Action::Back) => return Reply::Close,
            Some(action) if self.pick.step(&ids, action, ids.len()) => return Reply::Stay,
            _ => {}
        }
        if press.chord.code == KeyCode::Enter {
            let chosen = entries().nth(self.pick.index(&ids));
            // Enter opens the preview of what is selected; only a list that was moved in has a selection.
            return match chosen {
                Some(action) if self.pick.key().is_some() && !press.repeat => Reply::Begin(action),
                _ => Reply::Stay,
            };
        }
        self.typed.push(press.chord);
        let mut keys = press.keymap.menu_keys().unwrap_or_default().to_vec();
        keys.extend(&self.typed);
        match press.keymap.look_up(Place::Dialog, &keys) {
            Lookup::Runs(action) => return Reply::Begin(action),
            Lookup::Begins => return Reply::Stay,
            Lookup::Nothing => self.typed.clear(),
        }
        match press.action() {
            Some(Action::Menu) => Reply::Close,
            Some(action) if action.spec().role == Who::Operate || action == Action::Quit => Reply::Begin(action),
            _ => {
                self.wrong = Some(press.chord.label());
                Reply::Stay
            }
        }
    }

    /// Draws the menu.
    pub fn draw(&mut self, scene: &Scene, buf: &mut Buffer, area: Rect) {
        let ink = &scene.ink;
        let room = text_width(area);
        let ids: Vec<&str> = entries().map(|action| action.spec().id).collect();
        let at = self.pick.key().map(|_| self.pick.index(&ids));
        let next = scene.view.advice.action;
        let mut body = Vec::new();
        for (i, action) in entries().enumerate() {
            let spec = action.spec();
            let why = scene.blocked(action);
            let sign = if at == Some(i) { ink.glyph(Role::Focus) } else { " " };
            let head = format!(" {sign} {} {} ", ink.left(&scene.key(action), 8), ink.left(spec.title, 15));
            let width = room.saturating_sub(head.chars().count());
            let lines = match why.len() {
                0 if next == Some(action) => ink.wrap(spec.doc, width),
                0 => vec![ink.fit(spec.doc, width)],
                _ => why
                    .iter()
                    .flat_map(|text| ink.wrap(&format!("{} {text}", ink.glyph(Role::Bad)), width))
                    .collect::<Vec<_>>(),
            };
            for (j, line) in lines.iter().enumerate() {
                let lead = if j == 0 { head.clone() } else { " ".repeat(head.chars().count()) };
                let role = match (at == Some(i) && j == 0, why.is_empty()) {
                    (true, _) => Some(Role::Focus),
                    (false, false) => Some(Role::Dim),
                    (false, true) => None,
                };
                let lead =
                    if role.is_none() && next == Some(action) { ink.bold(&lead) } else { ink.maybe(role, &lead) };
                body.push(Row::from(vec![lead, ink.text(line)]));
            }
        }
        let mut tail = vec![Row::default()];
        if let Some(action) = at.and_then(|at| entries().nth(at)) {
            tail.extend(ink.wrap(action.spec().doc, room).iter().map(|line| Row::from(ink.text(&format!(" {line}")))));
        }
        if let Some(wrong) = &self.wrong {
            tail.push(Row::from(
                ink.role(Role::Warn, &format!(" {} {wrong} is not in this menu", ink.glyph(Role::Warn))),
            ));
        }
        tail.push(Row::from(
            ink.text(&format!(" Every entry shows first what it would do.   {}  close", scene.key(Action::Back))),
        ));
        draw_window(scene, buf, area, Role::Focus, "actions", &body, &tail);
    }
}

fn entries() -> impl Iterator<Item = Action> {
    ACTIONS.iter().filter(|spec| spec.role == Who::Operate && spec.action != Action::Menu).map(|spec| spec.action)
}
