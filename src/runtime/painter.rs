//! Frames to bytes, and bytes to the terminal by a thread of their own.

use super::app::Screen;
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::{Frame, Terminal};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;

const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// Draws frames; each one reaches the terminal as one write, and only if something changed.
///
/// While a frame is being written no other is drawn: a terminal that does not read delays pictures, never keys, and
/// the next picture is of the newest state.
pub(super) struct Painter {
    terminal: Terminal<FrameBackend>,
    /// What goes to the terminal with the next frame and is no picture.
    beside: Vec<u8>,
    out: Option<Box<dyn Write + Send>>,
    is_whole: bool,
    flight: Option<JoinHandle<Written>>,
}

/// A terminal given back by the thread that wrote to it, and how that went.
type Written = (Box<dyn Write + Send>, io::Result<()>);

impl Painter {
    /// Makes a painter for a screen.
    ///
    /// # Errors
    /// Fails only if the terminal's buffers cannot be made.
    pub fn new(screen: Screen) -> io::Result<Self> {
        // With NO_COLOR crossterm writes an empty colour after reverse video, which ends that: nothing would show what is
        // selected. Our theme without colours needs no help.
        crossterm::style::force_color_output(true);
        let (width, height) = screen.size;
        let backend = FrameBackend::new(Size { width, height });
        Ok(Self {
            terminal: Terminal::new(backend)?,
            beside: Vec::new(),
            out: Some(screen.out),
            is_whole: false,
            flight: None,
        })
    }

    /// Tells whether the last frame has been written.
    pub fn is_idle(&self) -> bool {
        self.flight.is_none()
    }

    /// Takes note of the terminal's size; the next frame is drawn whole, also when the size is the old one: the terminal
    /// may have been another program's in between.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().size = Size { width, height };
        self.is_whole = true;
    }

    /// Makes the next frame be drawn whole.
    pub fn redraw(&mut self) {
        self.is_whole = true;
    }

    /// Sends bytes to the terminal with the next frame.
    pub fn send(&mut self, bytes: Vec<u8>) {
        self.beside.extend(bytes);
    }

    /// Draws a frame and sends it on its way; tells whether there was anything to send.
    ///
    /// # Errors
    /// Fails if the frame cannot be encoded.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<bool> {
        if std::mem::take(&mut self.is_whole) {
            // Answered by our own backend, so the terminal is not asked where its cursor is.
            self.terminal.clear()?;
        }
        self.terminal.draw(render)?;
        let body = self.terminal.backend_mut().take();
        let is_nothing = body.is_empty() && self.beside.is_empty();
        let Some(mut out) = self.out.take_if(|_| !is_nothing) else { return Ok(false) };
        let mut bytes = std::mem::take(&mut self.beside);
        bytes.reserve(BEGIN.len() + body.len() + END.len());
        bytes.extend_from_slice(BEGIN);
        bytes.extend_from_slice(&body);
        bytes.extend_from_slice(END);
        // A blocking task is a thread of its own; on a paused clock time stands still until it is done.
        self.flight = Some(tokio::task::spawn_blocking(move || {
            let result = out.write_all(&bytes).and_then(|()| out.flush());
            (out, result)
        }));
        Ok(true)
    }

    /// Waits until the frame that is on its way has been written; never returns when there is none.
    ///
    /// # Errors
    /// Fails if the terminal cannot be written any more.
    pub async fn written(&mut self) -> io::Result<()> {
        let Some(flight) = &mut self.flight else { return std::future::pending().await };
        let (out, result) = flight.await.map_err(io::Error::other)?;
        self.flight = None;
        self.out = Some(out);
        result
    }
}

/// A crossterm backend that collects one frame's bytes, knows its size by being told, and writes nothing when no cell
/// and no cursor changed.
struct FrameBackend {
    inner: CrosstermBackend<Bytes>,
    bytes: Bytes,
    size: Size,
    cursor: Cursor,
}

/// What the terminal's cursor is known to be.
#[derive(Clone, Copy, PartialEq)]
enum Cursor {
    Hidden,
    Shown,
    At(Position),
}

/// A frame's bytes, shared with the backend that writes them.
#[derive(Clone, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FrameBackend {
    fn new(size: Size) -> Self {
        let bytes = Bytes::default();
        Self { inner: CrosstermBackend::new(bytes.clone()), bytes, size, cursor: Cursor::Hidden }
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Backend for FrameBackend {
    type Error = io::Error;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> io::Result<()> {
        let mut content = content.peekable();
        if content.peek().is_none() {
            return Ok(());
        }
        self.inner.draw(content)?;
        if let Cursor::At(position) = self.cursor {
            // Cells were written, so a visible cursor has moved along with them.
            self.inner.set_cursor_position(position)?;
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor == Cursor::Hidden {
            return Ok(());
        }
        self.cursor = Cursor::Hidden;
        self.inner.hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.cursor != Cursor::Hidden {
            return Ok(());
        }
        self.cursor = Cursor::Shown;
        self.inner.show_cursor()
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        match self.cursor {
            Cursor::At(position) => Ok(position),
            Cursor::Hidden | Cursor::Shown => Ok(Position::ORIGIN),
        }
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let position = position.into();
        if self.cursor == Cursor::Hidden || self.cursor == Cursor::At(position) {
            return Ok(());
        }
        self.cursor = Cursor::At(position);
        self.inner.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.inner.clear()
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.inner.clear_region(clear_type)
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size { width: 0, height: 0 } })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::manners::Manners;
    use super::*;
    use ratatui::widgets::Paragraph;
    use std::sync::mpsc;

    /// A terminal that keeps every write apart, and waits for permission before each.
    struct Tty {
        writes: mpsc::Sender<Vec<u8>>,
        may_read: mpsc::Receiver<()>,
    }

    impl Write for Tty {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.may_read.recv().map_err(io::Error::other)?;
            self.writes.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn tty() -> (Painter, mpsc::Sender<()>, mpsc::Receiver<Vec<u8>>) {
        let (writes, written) = mpsc::channel();
        let (permit, may_read) = mpsc::channel();
        let out = Box::new(Tty { writes, may_read });
        (Painter::new(Screen { out, size: (20, 2), manners: Manners::default() }).unwrap(), permit, written)
    }

    fn say(painter: &mut Painter, text: &str) -> bool {
        painter.draw(|frame| frame.render_widget(Paragraph::new(text), frame.area())).unwrap()
    }

    #[tokio::test]
    async fn a_frame_is_one_write_inside_a_synchronized_update() {
        let (mut painter, permit, written) = tty();
        permit.send(()).unwrap();
        assert!(say(&mut painter, "hold"));
        painter.written().await.unwrap();
        let frames: Vec<Vec<u8>> = written.try_iter().collect();
        assert_eq!(frames.len(), 1);
        assert!(frames[0].starts_with(BEGIN) && frames[0].ends_with(END));
        assert!(String::from_utf8_lossy(&frames[0]).contains("hold"));
    }

    #[tokio::test]
    async fn a_picture_that_did_not_change_sends_no_byte() {
        let (mut painter, permit, written) = tty();
        permit.send(()).unwrap();
        assert!(say(&mut painter, "hold"));
        painter.written().await.unwrap();
        assert!(!say(&mut painter, "hold"));
        assert!(painter.is_idle());
        assert_eq!(written.try_iter().count(), 1);
    }

    #[tokio::test]
    async fn a_terminal_that_does_not_read_delays_pictures_and_nothing_else() {
        let (mut painter, permit, written) = tty();
        assert!(say(&mut painter, "one"));
        assert!(!painter.is_idle(), "the loop goes on while the frame is on its way");
        permit.send(()).unwrap();
        painter.written().await.unwrap();
        assert!(painter.is_idle());
        permit.send(()).unwrap();
        assert!(say(&mut painter, "three"));
        painter.written().await.unwrap();
        let last = written.try_iter().last().unwrap();
        assert!(String::from_utf8_lossy(&last).contains("three"));
    }

    #[tokio::test]
    async fn a_terminal_that_is_gone_is_an_error() {
        let (mut painter, permit, written) = tty();
        drop((permit, written));
        assert!(say(&mut painter, "hold"));
        assert!(painter.written().await.is_err());
    }

    #[tokio::test]
    async fn after_a_resize_the_picture_is_drawn_whole() {
        let (mut painter, permit, written) = tty();
        permit.send(()).unwrap();
        say(&mut painter, "hold");
        painter.written().await.unwrap();
        painter.resize(30, 3);
        permit.send(()).unwrap();
        assert!(say(&mut painter, "hold"));
        painter.written().await.unwrap();
        let last = written.try_iter().last().unwrap();
        assert!(String::from_utf8_lossy(&last).contains("hold"));
        let mut emulator =
            vt100::Parser::new(std::num::NonZeroU16::new(3).unwrap(), std::num::NonZeroU16::new(30).unwrap(), 0);
        emulator.process(&last);
        assert_eq!(emulator.screen().contents(), "hold");
    }
}
