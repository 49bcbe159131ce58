//! The only file that makes coloured text: whatever is drawn has passed the sanitiser here.

use super::safe::Safe;
use super::theme::{Role, Theme};
use crate::core::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A piece of clean, styled text.
pub(super) type Piece = Span<'static>;
/// One row of pieces.
pub(super) type Row = Line<'static>;

/// Colours, glyphs and characters of one look.
#[derive(Clone, Copy)]
pub(super) struct Ink<'a> {
    pub theme: &'a Theme,
    pub ascii: bool,
}

impl Ink<'_> {
    /// Cleans a text for this look.
    pub fn clean(&self, text: &str) -> Safe {
        if self.ascii { Safe::ascii(text) } else { Safe::new(text) }
    }

    /// Makes plain text.
    pub fn text(&self, text: &str) -> Piece {
        Span::raw(self.clean(text).to_string())
    }

    /// Makes text in a role's colour.
    pub fn role(&self, role: Role, text: &str) -> Piece {
        Span::styled(self.clean(text).to_string(), self.theme.style(role))
    }

    /// Makes bold text.
    pub fn bold(&self, text: &str) -> Piece {
        Span::styled(self.clean(text).to_string(), Style::new().add_modifier(Modifier::BOLD))
    }

    /// Makes text in the colour of an optional role.
    pub fn maybe(&self, role: Option<Role>, text: &str) -> Piece {
        match role {
            Some(role) => self.role(role, text),
            None => self.text(text),
        }
    }

    /// Returns a role's glyph.
    pub fn glyph(&self, role: Role) -> &str {
        self.theme.glyph(role, self.ascii)
    }

    /// Cuts a text to `width` cells and pads it on the right.
    pub fn left(&self, text: &str, width: usize) -> String {
        let cut = self.clean(text).cut(width, self.dots());
        let pad = width.saturating_sub(cut.width());
        format!("{cut}{}", " ".repeat(pad))
    }

    /// Cuts a text to its last `width` cells and pads it on the right: of a pod's name the end tells it apart.
    pub fn end(&self, text: &str, width: usize) -> String {
        let clean = self.clean(text).to_string();
        let over = clean.width().saturating_sub(width);
        if over == 0 || width == 0 {
            return self.left(&clean, width);
        }
        let mut skipped = 0;
        let tail: String = clean
            .chars()
            .skip_while(|c| {
                let skip = skipped < over + self.dots().width();
                skipped += usize::from(skip) * c.width().unwrap_or(0);
                skip
            })
            .collect();
        self.left(&format!("{}{tail}", self.dots()), width)
    }

    /// Cuts a text to `width` cells and pads it on the left, so that digits change in place.
    pub fn right(&self, text: &str, width: usize) -> String {
        let cut = self.clean(text).cut(width, self.dots());
        let pad = width.saturating_sub(cut.width());
        format!("{}{cut}", " ".repeat(pad))
    }

    /// Cuts a text to `width` cells.
    pub fn fit(&self, text: &str, width: usize) -> String {
        self.clean(text).cut(width, self.dots()).to_string()
    }

    /// Returns the sign for "cut here".
    pub fn dots(&self) -> &'static str {
        if self.ascii { "~" } else { "…" }
    }

    /// Returns the sign for "becomes".
    pub fn arrow(&self) -> &'static str {
        if self.ascii { "->" } else { "→" }
    }

    /// Breaks a text into rows of at most `width` cells, at blanks where possible.
    pub fn wrap(&self, text: &str, width: usize) -> Vec<String> {
        let clean = self.clean(text).to_string();
        let mut rows: Vec<String> = Vec::new();
        let mut row = String::new();
        for word in clean.split_whitespace() {
            let word = self.clean(word).cut(width, self.dots()).to_string();
            if !row.is_empty() && row.width() + 1 + word.width() > width {
                rows.push(std::mem::take(&mut row));
            }
            if !row.is_empty() {
                row.push(' ');
            }
            row.push_str(&word);
        }
        if !row.is_empty() {
            rows.push(row);
        }
        rows
    }

    /// Draws a box and returns the area inside; both titles are cut rather than overlapping.
    pub fn frame(&self, buf: &mut Buffer, area: Rect, title: Vec<Piece>, note: Vec<Piece>) -> Rect {
        self.edges(buf, area, self.theme.style(Role::Dim));
        self.titles(buf, area, title, note);
        inside(area)
    }

    /// Draws a box that asks for attention, over whatever was there.
    pub fn window(&self, buf: &mut Buffer, area: Rect, role: Role, title: Vec<Piece>, note: Vec<Piece>) -> Rect {
        let area = area.intersection(buf.area);
        put_fresh(buf, area, &Row::default());
        self.edges(buf, area, self.theme.edge(role));
        self.titles(buf, area, title, note);
        inside(area)
    }

    fn titles(&self, buf: &mut Buffer, area: Rect, title: Vec<Piece>, note: Vec<Piece>) {
        let room = usize::from(area.width).saturating_sub(4);
        if room == 0 || area.height == 0 {
            return;
        }
        let title = padded(title);
        let used = title.width().min(room);
        let row = Rect { x: area.x + 1, y: area.y, width: used as u16, height: 1 };
        put_fresh(buf, row, &title);
        let note = padded(note);
        if note.width() == 0 || used + note.width() + 1 > room {
            return;
        }
        let width = note.width() as u16;
        put_fresh(buf, Rect { x: area.right() - 2 - width, y: area.y, width, height: 1 }, &note);
    }

    fn edges(&self, buf: &mut Buffer, area: Rect, style: Style) {
        let area = area.intersection(buf.area);
        if area.width < 2 || area.height < 2 {
            return;
        }
        let [h, v, tl, tr, bl, br] =
            if self.ascii { ["-", "|", "+", "+", "+", "+"] } else { ["─", "│", "┌", "┐", "└", "┘"] };
        let (right, bottom) = (area.right() - 1, area.bottom() - 1);
        for x in area.left()..=right {
            buf[(x, area.y)].set_symbol(h).set_style(style);
            buf[(x, bottom)].set_symbol(h).set_style(style);
        }
        for y in area.top()..=bottom {
            buf[(area.x, y)].set_symbol(v).set_style(style);
            buf[(right, y)].set_symbol(v).set_style(style);
        }
        for (x, y, corner) in [(area.x, area.y, tl), (right, area.y, tr), (area.x, bottom, bl), (right, bottom, br)] {
            buf[(x, y)].set_symbol(corner).set_style(style);
        }
    }
}

/// Draws one row of pieces at row `y` of an area; what does not fit is clipped.
pub(super) fn put(buf: &mut Buffer, area: Rect, y: u16, row: &Row) {
    let area = area.intersection(buf.area);
    if y >= area.height || area.width == 0 {
        return;
    }
    buf.set_line(area.x, area.y + y, row, area.width);
}

/// Draws a row over cells that forget what they looked like.
pub(super) fn put_fresh(buf: &mut Buffer, row: Rect, text: &Row) {
    let row = row.intersection(buf.area);
    for y in row.top()..row.bottom() {
        for x in row.left()..row.right() {
            buf[(x, y)].reset();
        }
    }
    put(buf, row, 0, text);
}

/// Draws `left`, and `right` at the right edge; the left one is cut where they would meet.
pub(super) fn put_both(buf: &mut Buffer, area: Rect, y: u16, left: &Row, right: &Row) {
    let width = (right.width() as u16).min(area.width);
    let room = area.width.saturating_sub(width + u16::from(width > 0));
    put(buf, Rect { width: room, ..area }, y, left);
    put(buf, Rect { x: area.right() - width, width, ..area }, y, right);
}

/// Gives every cell of a row a style on top of what is there.
pub(super) fn tint(buf: &mut Buffer, area: Rect, y: u16, style: Style) {
    if y < area.height {
        buf.set_style(Rect { y: area.y + y, height: 1, ..area }.intersection(buf.area), style);
    }
}

/// Returns the area inside a border.
pub(super) fn inside(area: Rect) -> Rect {
    if area.width < 2 || area.height < 2 {
        return Rect { width: 0, height: 0, ..area };
    }
    Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 }
}

/// Returns the role that shows a tone.
pub(super) fn role_of(tone: Option<Tone>) -> Option<Role> {
    match tone {
        Some(Tone::Good) => Some(Role::Ok),
        Some(Tone::Warn) => Some(Role::Warn),
        Some(Tone::Bad) => Some(Role::Bad),
        Some(Tone::Plain) | None => None,
    }
}

fn padded(pieces: Vec<Piece>) -> Row {
    if pieces.iter().all(|p| p.content.is_empty()) {
        return Line::default();
    }
    let mut row = vec![Span::raw(" ")];
    row.extend(pieces);
    row.push(Span::raw(" "));
    Line::from(row)
}
