//! What every screen but the main one has around its middle: header above; order, way out, keys and advice below.

use crate::core::Action;
use crate::ui::paint::{Piece, Row, put, tint};
use crate::ui::panel::{footer, header, order};
use crate::ui::scene::Scene;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// From this height on, the way out has its own row and the advice two.
const ROOMY: u16 = 30;
/// From this height on, which is that of the smallest common terminal, every screen says what a rollback would do now.
const WAY_OUT: u16 = 24;

/// What was just said to the person, and how: that something was done, or that it was not.
pub(in crate::ui) type Message<'a> = (&'a str, Role);

/// What the console has to say below the middle.
#[derive(Clone, Copy, Default)]
pub(in crate::ui) struct Said<'a> {
    /// What was just said to the person.
    pub text: Option<Message<'a>>,
    /// Whether the last order is still worth its rows.
    pub order: bool,
    /// What is being typed to be looked for, and in how many rows it is; `None` while nothing is.
    pub typing: Option<(&'a str, usize)>,
}

/// What a screen has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::ui) struct Shown {
    /// The rows in sight.
    pub page: usize,
    /// The rows there are; 0 where a selection moves instead of the text.
    pub rows: usize,
    /// Which of them have what is looked for.
    pub found: Vec<usize>,
}

/// Draws header and bottom, with `rows` of the screen's own above the keys; returns the area between.
pub(in crate::ui) fn around(
    scene: &Scene,
    buf: &mut Buffer,
    area: Rect,
    said: Said<'_>,
    keys: &[Action],
    rows: Vec<Row>,
) -> Rect {
    let last = match said.typing {
        Some((text, count)) => {
            let hint = match (text.trim().is_empty(), count) {
                (true, _) => "any text".to_owned(),
                (false, 1) => "1 row".to_owned(),
                (false, count) => format!("{count} rows"),
            };
            typing(scene, &format!("Search ({hint})"), text, "")
        }
        None => footer::keys(scene, area.width, keys, said.text),
    };
    around_with(scene, buf, area, said, last, rows)
}

/// Draws header and bottom with a last row of the screen's own instead of the keys.
pub(in crate::ui) fn around_with(
    scene: &Scene,
    buf: &mut Buffer,
    area: Rect,
    said: Said<'_>,
    last: Row,
    rows: Vec<Row>,
) -> Rect {
    let top = header::height(scene, area.height);
    header::draw(scene, buf, Rect { height: top, ..area });
    let mut bottom = if said.order { order::rows(scene, area.width, area.height / 6) } else { Vec::new() };
    bottom.extend(rows);
    if area.height >= WAY_OUT {
        bottom.push(footer::way_out(scene, area.width));
    }
    bottom.push(last);
    // On a roomy screen two rows are kept for the advice, so that the list above does not jump.
    let advice_rows = if area.height >= ROOMY { 2 } else { 1 };
    let mut advice = footer::advice(scene, area.width, advice_rows);
    advice.resize(advice_rows, Row::default());
    bottom.extend(advice);
    let room = usize::from(area.height - top);
    // On the smallest screens the keys and the advice count most.
    let bottom = bottom.split_off(bottom.len().saturating_sub(room));
    footer::draw_up(buf, area, &bottom);
    Rect { y: area.y + top, height: area.height.saturating_sub(top + bottom.len() as u16), ..area }
}

/// Writes the row in which a text is typed that narrows a list or is looked for in it.
pub(in crate::ui) fn typing(scene: &Scene, label: &str, text: &str, hint: &str) -> Row {
    let hold = scene.key(Action::Hold);
    let holds = if hold.is_empty() { String::new() } else { format!(", {hold} still holds") };
    let text = format!(" {label}: {text}▏  Enter keeps it, Esc clears it{holds}   {hint}");
    Row::from(scene.ink.role(Role::Focus, &text))
}

/// Underlines the words of a row that has what is looked for.
pub(in crate::ui) fn mark_found(buf: &mut Buffer, area: Rect, y: u16) {
    let row = Rect { y: area.y + y, height: u16::from(y < area.height), ..area }.intersection(buf.area);
    for position in row.positions() {
        let cell = &mut buf[position];
        if cell.symbol() != " " {
            cell.set_style(Style::new().add_modifier(Modifier::UNDERLINED));
        }
    }
}

/// Draws rows in a box from row `top` on.
pub(in crate::ui) fn scroll(
    scene: &Scene,
    buf: &mut Buffer,
    area: Rect,
    title: Vec<Piece>,
    rows: &[Row],
    top: usize,
) -> Shown {
    scroll_made(scene, buf, area, title, None, (rows.len(), &|i| rows[i].clone()), top)
}

/// Draws so many rows in a box from row `top` on, below a heading that stays; only those in sight are made, and all of
/// them while one is looked for.
pub(in crate::ui) fn scroll_made(
    scene: &Scene,
    buf: &mut Buffer,
    area: Rect,
    title: Vec<Piece>,
    heading: Option<Row>,
    (count, make): (usize, &dyn Fn(usize) -> Row),
    top: usize,
) -> Shown {
    let inside = usize::from(area.height.saturating_sub(2)).saturating_sub(usize::from(heading.is_some()));
    let top = top.min(count.saturating_sub(inside));
    let note = match count {
        0 => String::new(),
        all if all <= inside => String::new(),
        all => format!("{}-{} of {all}", top + 1, (top + inside).min(all)),
    };
    let inner = scene.ink.frame(buf, area, title, vec![scene.ink.role(Role::Dim, &note)]);
    let inner = match &heading {
        Some(heading) => {
            put(buf, inner, 0, heading);
            split(inner, 1).1
        }
        None => inner,
    };
    let words = |row: &Row| row.spans.iter().map(|piece| piece.content.as_ref()).collect::<String>();
    let found = (0..count).filter(|i| scene.finds(&words(&make(*i))));
    let found: Vec<usize> = if scene.needle.is_some() { found.collect() } else { Vec::new() };
    for (y, i) in (top..count).take(inside).enumerate() {
        put(buf, inner, y as u16, &make(i));
        if found.contains(&(top + y)) {
            mark_found(buf, inner, y as u16);
        }
        if scene.needle.is_some_and(|needle| needle.at == Some(top + y)) {
            tint(buf, inner, y as u16, scene.ink.theme.style(Role::Focus));
        }
    }
    Shown { page: inside, rows: count, found }
}

/// Splits an area into upper rows and the rest.
pub(in crate::ui) fn split(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    (Rect { height: rows, ..area }, Rect { y: area.y + rows, height: area.height - rows, ..area })
}

/// Splits an area into left columns and the rest.
pub(in crate::ui) fn split_across(area: Rect, columns: u16) -> (Rect, Rect) {
    let columns = columns.min(area.width);
    (Rect { width: columns, ..area }, Rect { x: area.x + columns, width: area.width - columns, ..area })
}

/// Splits an area into two halves side by side.
pub(in crate::ui) fn halves(area: Rect) -> (Rect, Rect) {
    split_across(area, area.width / 2)
}

/// The width of a label beside a text.
const LABEL: usize = 12;

/// Returns the columns of a text beside its label.
pub(in crate::ui) fn room_beside_label(width: u16) -> usize {
    usize::from(width).saturating_sub(LABEL + 2).max(8)
}

/// Writes a label and a text, broken into as many rows as it needs.
pub(in crate::ui) fn labelled(scene: &Scene, label: &str, text: &str, role: Option<Role>, width: u16) -> Vec<Row> {
    let lines = scene.ink.wrap(text, room_beside_label(width));
    let row = |(i, line): (usize, &String)| {
        let label = if i == 0 { label } else { "" };
        Row::from(vec![
            scene.ink.role(Role::Dim, &format!(" {} ", scene.ink.left(label, LABEL))),
            scene.ink.maybe(role, line),
        ])
    };
    lines.iter().enumerate().map(row).collect()
}
