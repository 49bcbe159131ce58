//! Foreign text through every screen and dialog into a terminal: it may be ugly, it may not drive anything.

use super::journeys::key_of;
use super::snapshots::with_findings;
use super::{closeups, look, spoil, views};
use crate::core::View;
use crate::ui::{Ask, Kiosk, Ui};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use std::cell::RefCell;
use std::io::{self, Write};
use std::num::NonZeroU16;
use std::rc::Rc;

const SIZE: (u16, u16) = (100, 32);

/// Everything a person can open, by the keys that lead there.
pub(super) const JOURNEYS: &[&str] = &[
    "m",
    "tab",
    "c",
    "c w s j",
    "c enter",
    "/ a : > !",
    "i",
    "i j",
    "d",
    "d j",
    "g",
    "g tab",
    "3",
    "4",
    "6",
    "6 G",
    "a",
    "a j",
    "p",
    "p j",
    "D",
    "D j",
    "?",
    "? G",
    ":",
    "space",
    "space s",
    "space n",
    "space k",
    "R",
    "q",
    "z",
    "t",
];

/// What the terminal was asked to do beside drawing.
#[derive(Default)]
struct Asked(Vec<String>);

impl vt100::Callbacks for Asked {
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.0.push("bell".to_owned());
    }
    fn visual_bell(&mut self, _: &mut vt100::Screen) {
        self.0.push("visual bell".to_owned());
    }
    fn resize(&mut self, _: &mut vt100::Screen, _: (u16, u16)) {
        self.0.push("resize".to_owned());
    }
    fn set_window_icon_name(&mut self, _: &mut vt100::Screen, name: &[u8]) {
        self.0.push(format!("icon {name:?}"));
    }
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.0.push(format!("title {title:?}"));
    }
    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], data: &[u8]) {
        self.0.push(format!("copy {data:?}"));
    }
    fn paste_from_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8]) {
        self.0.push("paste".to_owned());
    }
    fn unhandled_control(&mut self, _: &mut vt100::Screen, byte: u8) {
        self.0.push(format!("control {byte}"));
    }
    fn unhandled_escape(&mut self, _: &mut vt100::Screen, _: Option<u8>, _: Option<u8>, byte: u8) {
        self.0.push(format!("escape {byte}"));
    }
    fn unhandled_osc(&mut self, _: &mut vt100::Screen, params: &[&[u8]]) {
        self.0.push(format!("osc {params:?}"));
    }
    fn unhandled_csi(&mut self, _: &mut vt100::Screen, _: Option<u8>, _: Option<u8>, params: &[&[u16]], c: char) {
        // The backend ends a frame with the underline's own colour, which this emulator does not know.
        if (params, c) != (&[&[59]], 'm') {
            self.0.push(format!("csi {params:?} {c}"));
        }
    }
}

/// What the backend writes, readable while the terminal lives: its end shows the cursor again.
#[derive(Clone, Default)]
struct Bytes(Rc<RefCell<Vec<u8>>>);

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal whose modes differ from the usual ones, so that a change shows.
struct Emulator(vt100::Parser<Asked>);

impl Emulator {
    fn new() -> Self {
        let (columns, rows) = (NonZeroU16::new(SIZE.0).unwrap(), NonZeroU16::new(SIZE.1).unwrap());
        let mut parser = vt100::Parser::new_with_callbacks(rows, columns, 0, Asked::default());
        parser.process(b"\x1b[?1049h\x1b[?25l\x1b[?2004h");
        Self(parser)
    }

    /// Draws one frame as the console does and returns what else it did.
    fn show(&mut self, ui: &mut Ui, view: &View, text: &str, now_ms: u64) -> Vec<String> {
        if let Some(subject) = ui.wanted_closeup(now_ms, view) {
            let mut closeup = closeups::closeup(view, &subject);
            closeup.iter_mut().for_each(|closeup| spoil::closeup(closeup, text));
            ui.show_closeup(subject, closeup, now_ms);
        }
        if ui.wanted_preview().is_some() {
            ui.show_preview(spoil::preview(text, now_ms.is_multiple_of(2000)));
        }
        let bytes = Bytes::default();
        let area = Rect::new(0, 0, SIZE.0, SIZE.1);
        let options = TerminalOptions { viewport: Viewport::Fixed(area) };
        let mut terminal = Terminal::with_options(CrosstermBackend::new(bytes.clone()), options).unwrap();
        terminal.draw(|frame| ui.draw(frame, view, now_ms)).unwrap();
        ui.drawn(now_ms);
        let before = self.modes();
        let drawn = std::mem::take(&mut *bytes.0.borrow_mut());
        self.0.process(&drawn);
        let after = self.modes();
        let mut wrong = std::mem::take(&mut self.0.callbacks_mut().0);
        if before != after {
            wrong.push(format!("modes {before:?} -> {after:?}"));
        }
        wrong
    }

    fn modes(&self) -> (bool, bool, bool, bool, bool, String) {
        let screen = self.0.screen();
        (
            screen.alternate_screen(),
            screen.hide_cursor(),
            screen.bracketed_paste(),
            screen.application_cursor(),
            screen.application_keypad(),
            format!("{:?} {:?}", screen.mouse_protocol_mode(), screen.mouse_protocol_encoding()),
        )
    }
}

fn check(ui: &mut Ui, text: &str, base: &View, keys: &str) {
    let mut view = base.clone();
    spoil::view(&mut view, text);
    let mut emulator = Emulator::new();
    for key in keys.split(' ') {
        for asked in ui.on_event(0, &key_of(key), &view) {
            assert!(!matches!(asked, Ask::Run { .. }), "{keys}");
        }
    }
    for now_ms in [1000, 2000] {
        let wrong = emulator.show(ui, &view, text, now_ms);
        let shown: String = text.chars().take(40).collect();
        assert!(wrong.is_empty(), "{keys} with {shown:?}: {wrong:?}");
    }
}

#[test]
fn no_foreign_text_drives_the_terminal_on_any_screen() {
    let bases = [with_findings(), views::held(), views::draining()];
    for (text, base) in spoil::HOSTILE.iter().zip(bases.iter().cycle()) {
        for keys in JOURNEYS {
            check(&mut Ui::new(look("dark16", false)), text, base, keys);
        }
    }
}

#[test]
fn no_flood_of_foreign_text_drives_the_terminal() {
    let mut base = views::held();
    base.customers.truncate(3);
    for text in spoil::floods() {
        for keys in ["m", "c", "c enter", "i", "d", "a", "p", "D", "space n"] {
            check(&mut Ui::new(look("dark16", false)), &text, &base, keys);
        }
    }
}

#[test]
fn no_foreign_text_drives_a_wall_screen() {
    for text in spoil::HOSTILE {
        for (page, privacy) in [(0, false), (1, true), (2, false), (3, true)] {
            let kiosk = Some(Kiosk { cycle_ms: 0, no_quit: false });
            let mut ui = Ui::new(crate::ui::Look { kiosk, privacy, ..look("dark16", false) });
            let mut base = views::held();
            for is_stale in [true, false] {
                base.header.fresh[0].stale = is_stale;
                let keys = vec!["tab"; page + 1].join(" ");
                check(&mut ui, text, &base, &keys);
            }
        }
    }
}

#[test]
fn what_is_copied_is_clean() {
    for text in spoil::HOSTILE.iter().filter(|text| !text.is_empty()) {
        for keys in ["m", "c j", "c enter", "i", "d", "a", "p", "D"] {
            let mut view = with_findings();
            spoil::view(&mut view, text);
            let mut ui = Ui::new(look("dark16", false));
            let mut emulator = Emulator::new();
            for key in keys.split(' ') {
                ui.on_event(0, &key_of(key), &view);
            }
            emulator.show(&mut ui, &view, text, 1000);
            for asked in ui.on_event(1000, &key_of("y"), &view) {
                let Ask::Copy(copied) = asked else { panic!("{keys}: {asked:?}") };
                let is_clean = |line: &str| crate::ui::Safe::new(line).as_str() == line;
                assert!(copied.lines().all(is_clean), "{keys}: {copied:?}");
            }
        }
    }
}
