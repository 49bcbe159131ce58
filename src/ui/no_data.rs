//! What a screen that only looks shows instead of old data: that there is none of now, over the whole of it.

use super::big;
use super::num;
use super::paint::{Row, put, tint};
use super::panel::{footer, header};
use super::scene::Scene;
use super::screen::card;
use super::screen::frame::{Message, split};
use super::theme::Role;
use crate::core::Action;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// How long a console that has just been opened may still be reading.
const OPENING_MS: u64 = 10_000;

/// Whether the screens of a console that only looks are hidden; a wall screen hides them at once.
#[derive(Default)]
pub(super) struct Cover {
    is_on: bool,
    was_fresh: bool,
    opened_ms: Option<u64>,
}

impl Cover {
    /// Tells whether the last picture was hidden.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Tells whether this picture is to be hidden.
    pub fn covers(&mut self, scene: &Scene) -> bool {
        let is_stale = is_stale(scene);
        self.was_fresh |= !is_stale;
        let opened = *self.opened_ms.get_or_insert(scene.now_ms);
        let is_opening = !self.was_fresh && scene.now_ms < opened + OPENING_MS;
        self.is_on = is_stale && !is_opening && !scene.operates() && !card::is_first_run(scene);
        self.is_on
    }

    /// Lifts the cover from a screen that shows nothing of the cluster.
    pub fn lift(&mut self) {
        self.is_on = false;
    }
}

/// Tells whether any number on the screen could be old.
pub(super) fn is_stale(scene: &Scene) -> bool {
    let header = &scene.live.header;
    !header.stale.is_empty() || header.fresh.iter().any(|row| row.stale && row.age.is_some())
}

/// Fills the area with the fact that nothing on it would be of now.
pub(super) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect) {
    let header = &scene.live.header;
    let ink = &scene.ink;
    let oldest = header.fresh.iter().filter(|row| row.stale).filter_map(|row| row.age).max();
    let known = match header.is_read() {
        true => {
            format!("last known state {}, {} {} {}", header.state, header.old_version, ink.arrow(), header.new_version)
        }
        false => format!("{}: nothing has been read yet", header.state),
    };
    let (room, margin) = (area.width.saturating_sub(4), area.height / 4);
    let inner = Rect { x: area.x + 2.min(area.width), y: area.y + margin, width: room, height: area.height - margin };
    let age = oldest.map(|age| format!(" {}", num::timer(Some(age)))).unwrap_or_default();
    let used = big::write(ink, buf, inner, Role::Bad, &format!("NO DATA{age}"));
    let mut rows = vec![
        ink.bold(&known),
        ink.text(&format!("{}: these numbers would be old, so none are shown", header::place(scene, usize::MAX))),
    ];
    if header.logged_out.is_some() {
        rows.push(ink.bold(&format!("AUTH EXPIRED since {}", scene.clock.time(header.logged_out))));
    }
    let why = header.stale.iter().flat_map(|why| ink.wrap(why, usize::from(room)));
    rows.extend(why.map(|line| ink.text(&line)));
    rows.push(ink.text("it goes on trying, for ever"));
    let (_, below) = split(inner, used + 1);
    for (y, row) in rows.into_iter().enumerate() {
        put(buf, below, y as u16, &Row::from(row));
    }
    put(buf, area, 0, &Row::from(ink.text(&format!(" {}", scene.clock.time(scene.live.now)))));
    // The style without its words' own: the whole screen is one band.
    for y in 0..area.height {
        tint(buf, area, y, scene.ink.theme.style(Role::Danger));
    }
}

/// Does the same on a console, where keys still work.
pub(super) fn draw_with_keys(scene: &Scene, buf: &mut Buffer, area: Rect, said: Option<Message<'_>>) {
    let (above, last) = split(area, area.height.saturating_sub(1));
    draw(scene, buf, above);
    put(buf, last, 0, &footer::keys(scene, area.width, &[Action::Palette, Action::Quit, Action::Help], said));
}
