//! Dialogs. None takes a key before a person can have seen it, and Enter runs nothing but a typed word that matches.

mod confirm;
mod edit;
mod leave;
mod menu;
mod palette;
mod start;

pub(super) use confirm::Confirming;
pub(super) use edit::edit;
pub(super) use leave::Leaving;
pub(super) use menu::Menu;
pub(super) use palette::Palette;
pub(super) use start::Starting;

use super::chord::Chord;
use super::keymap::{Keymap, Lookup, Place};
use super::paint::{Row, put};
use super::scene::Scene;
use super::theme::Role;
use crate::core::{Action, Command, Preview, View};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::ops::Range;

/// How long keys are dropped after a dialog's first frame has reached the terminal: what was typed before it was seen.
pub(super) const GUARD_MS: u64 = 400;

/// What a dialog wants after a key.
pub(super) enum Reply {
    /// Nothing.
    Stay,
    /// To be closed.
    Close,
    /// That an action begins, as by its own key.
    Begin(Action),
    /// That a command is shown and confirmed.
    Confirm(Command),
    /// That a command runs, as it was shown.
    Run { command: Command, mark: String },
    /// To leave the console.
    Quit,
}

/// A key on its way to a dialog.
pub(super) struct Press<'a> {
    pub chord: Chord,
    /// Whether the key is held down and repeats.
    pub repeat: bool,
    pub now_ms: u64,
    pub keymap: &'a Keymap,
    pub view: &'a View,
}

impl Press<'_> {
    /// Returns the action of a key in a dialog without text: every key of the keymap counts.
    pub fn action(&self) -> Option<Action> {
        match self.keymap.look_up(Place::Dialog, &[self.chord]) {
            Lookup::Runs(action) => Some(action),
            _ => None,
        }
    }

    /// Returns the action of a key in a dialog with text: characters are text.
    pub fn action_beside_text(&self) -> Option<Action> {
        if self.chord.typed().is_some() { None } else { self.action() }
    }
}

/// The open dialog.
pub(super) enum Dialog {
    Menu(Menu),
    Palette(Palette),
    Start(Starting),
    Confirm(Box<Confirming>),
    Leave(Leaving),
}

impl Dialog {
    /// Takes in a key.
    pub fn press(&mut self, press: &Press) -> Reply {
        match self {
            Self::Menu(menu) => menu.press(press),
            Self::Palette(palette) => palette.press(press),
            Self::Start(start) => start.press(press),
            Self::Confirm(confirm) => confirm.press(press),
            Self::Leave(leave) => leave.press(press),
        }
    }

    /// Returns the command whose preview is wanted.
    pub fn wanted_preview(&self) -> Option<Command> {
        match self {
            Self::Confirm(confirm) => Some(confirm.wanted()),
            _ => None,
        }
    }

    /// Takes in the preview of the wanted command.
    pub fn show_preview(&mut self, preview: Preview) {
        if let Self::Confirm(confirm) = self {
            confirm.show(preview);
        }
    }

    /// Draws the dialog over the screen.
    pub fn draw(&mut self, scene: &Scene, buf: &mut Buffer, area: Rect) {
        match self {
            Self::Menu(menu) => menu.draw(scene, buf, area),
            Self::Palette(palette) => palette.draw(scene, buf, area),
            Self::Start(start) => start.draw(scene, buf, area),
            Self::Confirm(confirm) => confirm.draw(scene, buf, area),
            Self::Leave(leave) => leave.draw(scene, buf, area),
        }
    }

    /// Learns that its last picture has reached the terminal.
    pub fn drawn(&mut self, now_ms: u64) {
        match self {
            Self::Start(start) => start.guard.drawn(now_ms),
            Self::Confirm(confirm) => confirm.drawn(now_ms),
            Self::Leave(leave) => leave.guard.drawn(now_ms),
            Self::Menu(_) | Self::Palette(_) => {}
        }
    }

    /// Returns when it will begin to take keys, if it does not yet.
    pub fn armed_at(&self) -> Option<u64> {
        match self {
            Self::Start(start) => start.guard.armed_at(),
            Self::Confirm(confirm) => confirm.guard.armed_at(),
            Self::Leave(leave) => leave.guard.armed_at(),
            Self::Menu(_) | Self::Palette(_) => None,
        }
    }
}

/// Drops keys until a picture has been on the terminal for a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Guard {
    in_frame: bool,
    since: Option<u64>,
}

impl Guard {
    /// Learns that the picture is part of the frame that is being drawn.
    fn in_frame(&mut self) {
        self.in_frame = true;
    }

    /// Learns that the frame has reached the terminal.
    fn drawn(&mut self, now_ms: u64) {
        if self.in_frame {
            self.since.get_or_insert(now_ms);
        }
    }

    /// Starts again: what is shown has changed.
    fn again(&mut self) {
        *self = Self::default();
    }

    fn is_armed(&self, now_ms: u64) -> bool {
        self.armed_at().is_some_and(|at| now_ms >= at)
    }

    fn armed_at(&self) -> Option<u64> {
        self.since.map(|since| since.saturating_add(GUARD_MS))
    }
}

/// The rows of a dialog above its prompts, of which there may be more than have room.
struct Body<'a> {
    rows: &'a [Row],
    /// The first row in sight, as the last picture left it.
    top: &'a mut usize,
    /// What has to be in sight: the selected rows; empty where nothing is selected.
    kept: Range<usize>,
    /// What the keys do that show the rest, up and down.
    moves: [Action; 2],
}

/// Draws a dialog whose body cannot be moved: it may be cut, the tail with its prompts is always in sight.
fn draw_window(scene: &Scene, buf: &mut Buffer, area: Rect, role: Role, title: &str, rows: &[Row], tail: &[Row]) {
    let body = Body { rows, top: &mut 0, kept: 0..0, moves: [Action::Back; 2] };
    draw_moving(scene, buf, area, role, title, body, tail);
}

/// Draws a dialog whose body follows what is selected in it, or the keys; the tail is always in sight.
fn draw_moving(scene: &Scene, buf: &mut Buffer, area: Rect, role: Role, title: &str, body: Body, tail: &[Row]) {
    let width = width(area);
    let wanted = body.rows.len() + tail.len() + 2;
    let room = room(area);
    let height = wanted.min(room) as u16;
    // Below the two top lines where there is room: which cluster it is stays in sight.
    let top = area.bottom() - room as u16 + (room as u16 - height) / 2;
    let window = Rect { x: area.x + (area.width - width) / 2, y: top, width, height };
    let note = vec![super::panel::header::environment(scene)];
    let inner = scene.ink.window(buf, window, role, vec![scene.ink.bold(title)], note);
    let tail_rows = tail.len().min(usize::from(inner.height));
    let body_rows = usize::from(inner.height) - tail_rows;
    draw_body(scene, buf, Rect { height: body_rows as u16, ..inner }, body);
    // On the smallest screens the first rows of the tail, the prompts, count most.
    for (y, row) in tail.iter().take(tail_rows).enumerate() {
        put(buf, inner, (body_rows + y) as u16, row);
    }
}

/// Returns the rows a dialog may take, its edges included.
fn room(area: Rect) -> usize {
    usize::from(area.height.saturating_sub(if area.height >= 16 { 2 } else { 0 }))
}

/// Returns the rows there are for a body above a tail of so many rows.
fn body_room(area: Rect, tail: usize) -> usize {
    room(area).saturating_sub(2 + tail)
}

/// Draws the rows of a body that have room; where that is not all of them, the last one says how many there are and how
/// one comes to them.
fn draw_body(scene: &Scene, buf: &mut Buffer, area: Rect, body: Body) {
    let Body { rows, top, kept, moves } = body;
    let room = usize::from(area.height);
    let in_sight = if rows.len() > room { room.saturating_sub(1) } else { rows.len() };
    if kept.end > *top + in_sight {
        *top = kept.end - in_sight;
    }
    if !kept.is_empty() {
        *top = (*top).min(kept.start);
    }
    *top = (*top).min(rows.len() - in_sight);
    for (y, row) in rows.iter().skip(*top).take(in_sight).enumerate() {
        put(buf, area, y as u16, row);
    }
    let hidden = [*top, rows.len() - *top - in_sight];
    if hidden == [0, 0] || room == 0 {
        return;
    }
    let parts = hidden.iter().zip(["above", "below"]).zip(moves).filter(|((count, _), _)| **count > 0);
    let parts: Vec<String> = parts
        .map(|((count, place), action)| {
            let key = if action == Action::Back { None } else { scene.keymap.label_beside_text(action) };
            format!("{count} {place}{}", key.map(|key| format!(" ({key})")).unwrap_or_default())
        })
        .collect();
    let text = format!("   {} more rows: {}", scene.ink.dots(), parts.join(", "));
    let text = scene.ink.left(&text, usize::from(area.width));
    put(buf, area, room as u16 - 1, &Row::from(scene.ink.role(Role::Warn, &text)));
}

/// Returns the width of dialogs in an area.
fn width(area: Rect) -> u16 {
    if area.width > 100 { 92 } else { area.width.saturating_sub(4).max(area.width.min(40)) }
}

/// Returns the cells for text in dialogs.
fn text_width(area: Rect) -> usize {
    usize::from(width(area).saturating_sub(4))
}
