//! The menu of everything that changes the cluster: its keys, and why some of it cannot be done now.

use super::{Body, Press, Reply, draw_moving, text_width};
use crate::core::{ACTIONS, Action, Role as Who, View};
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
    /// The first row in sight.
    top: usize,
    /// Says that a key is not in the menu.
    wrong: Option<String>,
}

impl Menu {
    /// Takes in a key.
    pub fn press(&mut self, press: &Press) -> Reply {
        self.wrong = None;
        let entries = entries(press.view);
        let ids: Vec<&str> = entries.iter().map(|action| action.spec().id).collect();
        match press.action_beside_text() {
            Some(Action::Back) => return Reply::Close,
            Some(action) if self.pick.step(&ids, action, ids.len()) => return Reply::Stay,
            _ => {}
        }
        if press.chord.code == KeyCode::Enter {
            let chosen = entries.get(self.pick.index(&ids));
            // Enter opens the preview of what is selected; only a list that was moved in has a selection.
            return match chosen {
                Some(action) if self.pick.key().is_some() && !press.repeat => Reply::Begin(*action),
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
        let entries = entries(scene.live);
        let ids: Vec<&str> = entries.iter().map(|action| action.spec().id).collect();
        let at = self.pick.key().map(|_| self.pick.index(&ids));
        let mut body = Vec::new();
        let mut kept = 0..0;
        for (i, action) in entries.iter().enumerate() {
            let is_selected = at == Some(i);
            let rows = entry(scene, *action, is_selected, room);
            if is_selected {
                kept = body.len()..body.len() + rows.len();
            }
            body.extend(rows);
        }
        let mut tail = vec![Row::default()];
        if let Some(action) = at.and_then(|at| entries.get(at)) {
            tail.extend(ink.wrap(action.spec().doc, room).iter().map(|line| Row::from(ink.text(&format!(" {line}")))));
        }
        if let Some(wrong) = &self.wrong {
            tail.push(Row::from(
                ink.role(Role::Warn, &format!(" {} {wrong} is not in this menu", ink.glyph(Role::Warn))),
            ));
        }
        let (hold, back) = (scene.key(Action::Hold), scene.key(Action::Back));
        let foot = format!(" {hold} holds at once; the others show first what they would do.   {back}  close");
        tail.push(Row::from(ink.text(&foot)));
        let body = Body { rows: &body, top: &mut self.top, kept, moves: [Action::Up, Action::Down] };
        draw_moving(scene, buf, area, Role::Focus, "actions", body, &tail);
    }
}

/// Writes an entry: what it does, or the first reason why not now; all reasons where it is selected.
fn entry(scene: &Scene, action: Action, is_selected: bool, room: usize) -> Vec<Row> {
    let ink = &scene.ink;
    let spec = action.spec();
    let why = scene.blocked(action);
    let is_next = scene.live.advice.action == Some(action);
    let sign = if is_selected { ink.glyph(Role::Focus) } else { " " };
    let head = format!(" {sign} {} {} ", ink.left(&scene.key(action), 8), ink.left(spec.title, 15));
    let width = room.saturating_sub(head.chars().count());
    let lines = match why.as_slice() {
        [] if is_next => ink.wrap(spec.doc, width),
        [] => vec![ink.fit(spec.doc, width)],
        [first, others @ ..] => {
            let more = if others.is_empty() { String::new() } else { format!(" (+{})", others.len()) };
            let first = format!("{} {first}", ink.glyph(Role::Bad));
            vec![format!("{}{more}", ink.fit(&first, width.saturating_sub(more.len())))]
        }
    };
    let lead_role = match (is_selected, why.is_empty()) {
        (true, _) => Some(Role::Focus),
        (false, false) => Some(Role::Dim),
        (false, true) => None,
    };
    let row = |(i, line): (usize, &String)| {
        let lead = match (i, lead_role) {
            (0, None) if is_next => ink.bold(&head),
            (0, role) => ink.maybe(role, &head),
            (_, _) => ink.text(&" ".repeat(head.chars().count())),
        };
        Row::from(vec![lead, ink.text(line)])
    };
    let mut rows: Vec<Row> = lines.iter().enumerate().map(row).collect();
    if is_selected && !why.is_empty() {
        // Below it, over the whole width: of what is looked at everything can be read.
        rows.truncate(1);
        rows[0] = Row::from(vec![ink.role(Role::Focus, &head), ink.text("not now:")]);
        let all =
            why.iter().flat_map(|text| ink.wrap(&format!("{} {text}", ink.glyph(Role::Bad)), room.saturating_sub(4)));
        rows.extend(all.map(|line| Row::from(ink.text(&format!("    {line}")))));
    }
    rows
}

/// Returns everything that changes the cluster: first what can be done now.
fn entries(view: &View) -> Vec<Action> {
    let operating = ACTIONS.iter().filter(|spec| spec.role == Who::Operate && spec.action != Action::Menu);
    let is_refused = |action: &Action| view.blocked.iter().any(|(a, why)| a == action && !why.is_empty());
    let (refused, possible): (Vec<Action>, Vec<Action>) = operating.map(|spec| spec.action).partition(is_refused);
    possible.into_iter().chain(refused).collect()
}
