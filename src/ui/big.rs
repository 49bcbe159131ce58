//! Words and numbers large enough to be read across a room, from half blocks, with an ASCII twin.

use super::paint::{Ink, Row, put};
use super::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Rows of a large line.
pub(super) const ROWS: u16 = 3;
/// Cells of a letter with the gap after it.
const CELLS: u16 = 4;

/// Letters as five rows of three dots, the left one the highest bit.
const FONT: &[(char, [u8; 5])] = &[
    ('0', [7, 5, 5, 5, 7]),
    ('1', [2, 6, 2, 2, 7]),
    ('2', [7, 1, 7, 4, 7]),
    ('3', [7, 1, 3, 1, 7]),
    ('4', [5, 5, 7, 1, 1]),
    ('5', [7, 4, 7, 1, 7]),
    ('6', [7, 4, 7, 5, 7]),
    ('7', [7, 1, 2, 2, 2]),
    ('8', [7, 5, 7, 5, 7]),
    ('9', [7, 5, 7, 1, 7]),
    ('A', [2, 5, 7, 5, 5]),
    ('B', [6, 5, 6, 5, 6]),
    ('C', [7, 4, 4, 4, 7]),
    ('D', [6, 5, 5, 5, 6]),
    ('E', [7, 4, 6, 4, 7]),
    ('F', [7, 4, 6, 4, 4]),
    ('G', [7, 4, 5, 5, 7]),
    ('H', [5, 5, 7, 5, 5]),
    ('I', [7, 2, 2, 2, 7]),
    ('J', [1, 1, 1, 5, 7]),
    ('K', [5, 5, 6, 5, 5]),
    ('L', [4, 4, 4, 4, 7]),
    ('M', [5, 7, 7, 5, 5]),
    ('N', [6, 5, 5, 5, 5]),
    ('O', [7, 5, 5, 5, 7]),
    ('P', [7, 5, 7, 4, 4]),
    ('Q', [7, 5, 5, 7, 1]),
    ('R', [6, 5, 6, 5, 5]),
    ('S', [7, 4, 7, 1, 7]),
    ('T', [7, 2, 2, 2, 2]),
    ('U', [5, 5, 5, 5, 7]),
    ('V', [5, 5, 5, 5, 2]),
    ('W', [5, 5, 7, 7, 5]),
    ('X', [5, 5, 2, 5, 5]),
    ('Y', [5, 5, 2, 2, 2]),
    ('Z', [7, 1, 2, 4, 7]),
    ('.', [0, 0, 0, 0, 2]),
    (':', [0, 2, 0, 2, 0]),
    ('%', [5, 1, 2, 4, 5]),
    ('/', [1, 1, 2, 4, 4]),
    ('-', [0, 0, 7, 0, 0]),
    ('<', [1, 2, 4, 2, 1]),
    ('?', [7, 1, 2, 0, 2]),
    (' ', [0, 0, 0, 0, 0]),
];

/// Writes a text large, broken at blanks where one line is too short; returns the rows it took.
///
/// Where even a single word is too wide, or there is no height, the text stands there in its usual size.
pub(super) fn write(ink: &Ink, buf: &mut Buffer, area: Rect, role: Role, text: &str) -> u16 {
    let text = ink.clean(text).to_string().to_uppercase();
    let lines = break_up(&text, usize::from(area.width / CELLS));
    let rows = (lines.len() as u16 * (ROWS + 1)).saturating_sub(1);
    let is_known = text.chars().all(|c| FONT.iter().any(|(known, _)| *known == c));
    if lines.is_empty() || rows > area.height || !is_known {
        put(buf, area, 0, &Row::from(ink.role(role, &ink.fit(&text, usize::from(area.width)))));
        return 1.min(area.height);
    }
    for (i, line) in lines.iter().enumerate() {
        for row in 0..ROWS {
            let cells: String = line.chars().map(|c| cells_of(c, row, ink.ascii)).collect();
            put(buf, area, i as u16 * (ROWS + 1) + row, &Row::from(ink.role(plain(role), &cells)));
        }
    }
    rows
}

/// Strips what would reverse the dots.
fn plain(role: Role) -> Role {
    match role {
        Role::Danger => Role::Bad,
        Role::Focus => Role::Dim,
        role => role,
    }
}

fn break_up(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        if word.chars().count() > room {
            return Vec::new();
        }
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn cells_of(c: char, row: u16, ascii: bool) -> String {
    let dots = FONT.iter().find(|(known, _)| *known == c).map_or([0; 5], |(_, dots)| *dots);
    let upper = dots[usize::from(row) * 2];
    let lower = dots.get(usize::from(row) * 2 + 1).copied().unwrap_or(0);
    let mut cells: String = (0..3)
        .rev()
        .map(|bit| match (upper >> bit & 1, lower >> bit & 1, ascii) {
            (1, 1, false) => '█',
            (1, 0, false) => '▀',
            (0, 1, false) => '▄',
            (1, 1, true) => '#',
            (1, 0, true) => '"',
            (0, 1, true) => '_',
            _ => ' ',
        })
        .collect();
    cells.push(' ');
    cells
}

#[cfg(test)]
mod tests {
    use super::super::theme::Theme;
    use super::*;

    fn picture(text: &str, width: u16, height: u16, ascii: bool) -> Vec<String> {
        let theme = Theme::builtin("mono").unwrap();
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        write(&Ink { theme: &theme, ascii }, &mut buf, area, Role::Ok, text);
        (0..height)
            .map(|y| (0..width).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned())
            .collect()
    }

    #[test]
    fn a_word_is_drawn_with_half_blocks_and_has_an_ascii_twin() {
        assert_eq!(picture("hold", 16, 3, false), ["█ █ █▀█ █   █▀▄", "█▀█ █ █ █   █ █", "▀ ▀ ▀▀▀ ▀▀▀ ▀▀"]);
        assert_eq!(picture("7%", 8, 3, true), ["\"\"# \" #", " #  _\"", " \"  \" \""]);
    }

    #[test]
    fn what_does_not_fit_breaks_at_a_blank_or_stays_small() {
        let rows = picture("rolling back", 30, 7, false);
        assert!(rows[0].starts_with("█▀▄") && rows[4].starts_with("█▀▄"), "{rows:?}");
        assert_eq!(picture("rolling back", 12, 7, false)[0], "ROLLING BACK");
        assert_eq!(picture("rolling back", 30, 5, false)[0], "ROLLING BACK");
        assert!(picture("東京", 30, 5, false)[0].starts_with('東'));
    }
}
