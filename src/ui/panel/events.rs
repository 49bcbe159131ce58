//! Events of the release and notices of the console, newest first.

use crate::core::{EventRow, NoticeRow, Tone, View};
use crate::model::Timestamp;
use crate::ui::paint::{Piece, Row, put, role_of};
use crate::ui::scene::Scene;
use crate::ui::text::BY_KEY;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// One line of the list.
#[derive(Clone, Copy)]
pub(in crate::ui) enum Entry<'a> {
    /// From the journal.
    Event(&'a EventRow),
    /// From this console.
    Notice(&'a NoticeRow),
}

impl Entry<'_> {
    /// Returns when it was; `None` when nobody said.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Event(event) => event.at,
            Self::Notice(notice) => notice.at,
        }
    }

    /// Returns everything it says, as one text.
    pub fn text(&self) -> String {
        match self {
            Self::Notice(notice) => notice.text.clone(),
            Self::Event(EventRow { what, why, result, .. }) => {
                // The result before the reason: where the row is too short, the reason is cut.
                let mut text = what.clone();
                if !result.is_empty() {
                    text.push_str(&format!(": {result}"));
                }
                if !why.is_empty() && why != BY_KEY {
                    text.push_str(&format!(" ({why})"));
                }
                text
            }
        }
    }
}

/// Merges events and notices, newest first.
pub(in crate::ui) fn entries(view: &View) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry> = view.events.iter().map(Entry::Event).collect();
    entries.extend(view.notices.iter().map(Entry::Notice));
    // Stable: within one second the order of the view stays.
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at()));
    entries
}

/// Draws the panel of the main screen.
pub(in crate::ui) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect) {
    let action = crate::core::Action::Events;
    let title = vec![scene.mark(action), scene.ink.text(&format!("last events{}", scene.hint(action, "all")))];
    let inner = scene.ink.frame(buf, area, title, vec![scene.ink.role(Role::Dim, scene.clock.zone())]);
    rows(scene, buf, inner);
}

/// Draws the newest entries without a box.
pub(in crate::ui) fn rows(scene: &Scene, buf: &mut Buffer, area: Rect) {
    let entries = entries(scene.view);
    if entries.is_empty() {
        put(buf, area, 0, &Row::from(scene.ink.role(Role::Dim, " nothing has happened yet")));
    }
    let shown = &entries[..entries.len().min(usize::from(area.height))];
    let who = who_width(shown, usize::from(area.width));
    for (y, entry) in shown.iter().enumerate() {
        put(buf, area, y as u16, &line(scene, entry, usize::from(area.width), who));
    }
}

/// Returns how wide the names are: as the longest of them, up to a point; what happened is more than who did it.
pub(in crate::ui) fn who_width(entries: &[Entry], width: usize) -> usize {
    let most = if width >= 120 { 24 } else { 12 };
    entries.iter().map(|entry| short(who(entry), most).chars().count()).max().unwrap_or(0).min(most)
}

/// Writes one entry as a row.
pub(in crate::ui) fn line(scene: &Scene, entry: &Entry, width: usize, who_width: usize) -> Row {
    let ink = &scene.ink;
    let who = who(entry);
    let role = match entry {
        Entry::Event(_) => None,
        Entry::Notice(notice) => role_of(notice.tone),
    };
    let sign = role.map_or(" ", |role| ink.glyph(role));
    let head: Vec<Piece> = vec![
        ink.role(Role::Dim, &format!(" {:8} ", scene.clock.short(entry.at()))),
        ink.maybe(role, &format!("{sign} ")),
        ink.text(&format!("{} ", ink.left(short(who, who_width), who_width))),
    ];
    let used: usize = head.iter().map(Piece::width).sum();
    let text = ink.fit(&entry.text(), width.saturating_sub(used));
    let bad = matches!(entry, Entry::Notice(NoticeRow { tone: Some(Tone::Bad), .. }));
    let mut pieces = head;
    pieces.push(ink.maybe(bad.then_some(Role::Bad), &text));
    Row::from(pieces)
}

fn who<'a>(entry: &Entry<'a>) -> &'a str {
    match entry {
        Entry::Event(event) => event.by.as_str(),
        Entry::Notice(_) => "note",
    }
}

/// Shortens `user@host` to the user where both do not fit.
fn short(who: &str, width: usize) -> &str {
    if who.chars().count() <= width { who } else { who.split('@').next().unwrap_or(who) }
}
