//! Tests of the face as a whole.

mod choose;
mod closeups;
mod dialogs;
mod hostile;
mod journeys;
mod movers;
mod places;
mod robust;
mod searches;
mod slow_lines;
mod snapshots;
mod spoil;
pub(super) mod views;
mod walls;
mod wording;

use super::{Keymap, Look, Origin, Theme, Ui};
use crate::core::View;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

/// Opens a console with the default theme and keys, in UTC.
pub(super) fn console(ascii: bool) -> Ui {
    console_with("dark16", ascii)
}

/// Opens a console with a theme and the default keys, in UTC.
pub(super) fn console_with(theme: &str, ascii: bool) -> Ui {
    Ui::new(look(theme, ascii))
}

/// Returns how such a console looks.
pub(super) fn look(theme: &str, ascii: bool) -> Look {
    let theme = Theme::builtin(theme).unwrap();
    let (keymap, keys_from) = (Keymap::default(), Origin { name: "default".to_owned(), file: None });
    Look { theme, keymap, keys_from, ascii, utc: true, kiosk: None, privacy: false, auto: false }
}

/// Draws one frame and tells the console that it has been seen.
pub(super) fn frame(ui: &mut Ui, view: &View, size: (u16, u16), now_ms: u64) -> Buffer {
    if let Some(subject) = ui.wanted_closeup(now_ms, view) {
        ui.show_closeup(subject.clone(), closeups::closeup(view, &subject), now_ms);
    }
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| ui.draw(frame, view, now_ms)).unwrap();
    ui.drawn(now_ms);
    terminal.backend().buffer().clone()
}

/// Returns the rows of a picture as text.
pub(super) fn rows(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width.max(1));
    let row = |cells: &[ratatui::buffer::Cell]| {
        let mut text = String::new();
        let mut skip = 0;
        for cell in cells {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = unicode_width::UnicodeWidthStr::width(cell.symbol()).saturating_sub(1);
            text.push_str(cell.symbol());
        }
        text.trim_end().to_owned()
    };
    buffer.content.chunks(width).map(row).collect()
}
