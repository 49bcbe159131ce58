//! Every action by name.

use super::{Press, Reply, draw_window, edit, text_width};
use crate::core::{ACTIONS, Action, ActionSpec, Mode, Role as Who};
use crate::ui::paint::Row;
use crate::ui::pick::Pick;
use crate::ui::scene::Scene;
use crate::ui::theme::Role;
use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui_input::Input;

/// The open palette.
#[derive(Default)]
pub(in crate::ui) struct Palette {
    text: Input,
    pick: Pick,
}

/// The most rows in sight.
const ROWS: usize = 12;

impl Palette {
    /// Takes in a key. Enter begins the action as its own key would: what needs confirming still does.
    pub fn press(&mut self, press: &Press) -> Reply {
        let operates = press.view.header.mode != Mode::Watch;
        let found = self.found(operates);
        let ids: Vec<&str> = found.iter().map(|spec| spec.id).collect();
        let action = press.action_beside_text();
        if action == Some(Action::Back) {
            return Reply::Close;
        }
        if press.chord.code == KeyCode::Enter {
            return match found.get(self.pick.index(&ids)) {
                Some(spec) if !press.repeat => Reply::Begin(spec.action),
                _ => Reply::Stay,
            };
        }
        match action {
            Some(action @ (Action::Up | Action::Down)) => {
                self.pick.step_from_shown(&ids, action, ROWS);
            }
            _ if edit(&mut self.text, press.chord) => self.pick.clear(),
            _ => {}
        }
        Reply::Stay
    }

    /// Draws the palette.
    pub fn draw(&mut self, scene: &Scene, buf: &mut Buffer, area: Rect) {
        let ink = &scene.ink;
        let room = text_width(area);
        let found = self.found(scene.operates());
        let ids: Vec<&str> = found.iter().map(|spec| spec.id).collect();
        let at = self.pick.index(&ids);
        let mut body =
            vec![Row::from(vec![ink.bold(" : "), ink.text(&format!("{}▏", self.text.value()))]), Row::default()];
        if found.is_empty() {
            body.push(Row::from(ink.role(Role::Dim, "   no action has this in its name")));
        }
        let top = self.pick.window(at, found.len(), ROWS);
        for (i, spec) in found.iter().enumerate().skip(top).take(ROWS) {
            let why = scene.blocked(spec.action);
            let sign = if i == at { ink.glyph(Role::Focus) } else { " " };
            let note = match why.first() {
                Some(why) => format!("{} {why}", ink.glyph(Role::Bad)),
                None => spec.doc.to_owned(),
            };
            let text = format!(" {sign} {} {} {note}", ink.left(spec.id, 17), ink.left(&scene.key(spec.action), 8));
            let role = match (i == at, why.is_empty()) {
                (true, _) => Some(Role::Focus),
                (false, false) => Some(Role::Dim),
                (false, true) => None,
            };
            body.push(Row::from(ink.maybe(role, &ink.fit(&text, room))));
        }
        let tail =
            [Row::default(), Row::from(ink.text(&format!(" Enter begins it.   {}  close", scene.key(Action::Back))))];
        draw_window(scene, buf, area, Role::Focus, "command", &body, &tail);
    }

    fn found(&self, operates: bool) -> Vec<&'static ActionSpec> {
        let words: Vec<String> = self.text.value().to_lowercase().split_whitespace().map(str::to_owned).collect();
        let visible = |spec: &&ActionSpec| operates || spec.role == Who::Look;
        let matches = |spec: &&ActionSpec| {
            words.iter().all(|word| spec.id.contains(word.as_str()) || spec.title.contains(word.as_str()))
        };
        ACTIONS.iter().filter(visible).filter(matches).collect()
    }
}
