//! The terminal's modes: one way in, one way out, whoever comes first: an exit, a panic, a signal, a stop.

use super::app::Screen;
use super::manners::Manners;
use crossterm::{Command, cursor, event, terminal};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError, mpsc};
use std::time::Duration;
use tokio::time::Instant;

/// How long a terminal may take to read what brings it back; one that does not read must not keep the program alive.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often the round trip to the terminal is measured.
const MEASURE: Duration = Duration::from_secs(60);
/// How long an answer may be under way; one that comes after the end would be typed into the person's shell.
const ANSWER: Duration = Duration::from_secs(2);
/// "Who are you?": every terminal since the VT100 answers it.
const QUESTION: &[u8] = b"\x1b[c";

/// "What colour is your background?" and "do you know synchronized updates?"
const WHAT: &[u8] = b"\x1b]11;?\x1b\\\x1b[?2026$p";
/// Lays the title aside, and takes it back; the second empties it first, for terminals that cannot lay one aside.
const LAY_TITLE_ASIDE: &str = "\x1b[22;0t";
const TAKE_TITLE_BACK: &str = "\x1b]0;\x1b\\\x1b[23;0t";
/// "Say when your colours change between dark and light", and "say nothing more of it" (mode 2031).
const FOLLOW_COLOURS: &str = "\x1b[?2031h";
const LEAVE_COLOURS: &str = "\x1b[?2031l";

static ENTERED: AtomicBool = AtomicBool::new(false);

/// Whether the title is ours while the screen is open.
static TITLED: AtomicBool = AtomicBool::new(false);

/// Whether the terminal says when its colours change while the screen is open.
static FOLLOWED: AtomicBool = AtomicBool::new(false);

/// Held while a frame is written, so that none is written between [`restore`] and the next [`enter`].
static WRITING: Mutex<()> = Mutex::new(());

/// Held while the terminal is brought back.
static RESTORING: Mutex<()> = Mutex::new(());

/// When the terminal was asked who it is, until it answers.
static ASKED: Mutex<Option<Instant>> = Mutex::new(None);

/// Where standard error goes while the screen is open, and where it went before.
static STDERR: Mutex<Option<Diverted>> = Mutex::new(None);

struct Diverted {
    errors: File,
    before: Option<OwnedFd>,
}

/// Brings the terminal back when it is dropped.
#[derive(Debug)]
pub struct TerminalGuard(());

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        restore();
    }
}

/// Enters the alternate screen in raw mode, with bracketed paste and without a cursor.
///
/// Until [`restore`], standard error goes to `errors`: a login command of the kubeconfig that complains must not write
/// into the picture.
///
/// # Errors
/// Says so when standard input or output is no terminal (of kind `Unsupported`), or when it cannot be set.
pub fn enter(errors: Option<File>, manners: Manners) -> io::Result<(TerminalGuard, Screen)> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the console needs a terminal for input and output: in scripts use `pilothouse status` and the other verbs",
        ));
    }
    let size = size()?;
    let out = Frames { out: stdout()?, measured: None, asks_what: manners.asks_background };
    TITLED.store(manners.title, Ordering::SeqCst);
    FOLLOWED.store(manners.asks_background, Ordering::SeqCst);
    *locked(&STDERR) = errors.map(|errors| Diverted { errors, before: None });
    let guard = TerminalGuard(());
    enter_modes(true)?;
    Ok((guard, Screen { out: Box::new(out), size, manners }))
}

/// Enters every mode again after the program was stopped, whoever has set what in between.
///
/// # Errors
/// Fails when the terminal cannot be set.
pub(super) fn enter_again() -> io::Result<()> {
    let is_left = !ENTERED.swap(false, Ordering::SeqCst);
    if !is_left {
        // Stopped without a chance to leave: raw mode is only remembered, and the shell has ended it.
        terminal::disable_raw_mode()?;
    }
    enter_modes(is_left)
}

/// Leaves every mode that [`enter`] entered; does nothing when that has been done, or was never needed.
///
/// Whoever comes second waits for the first: the program must not end in the middle of it.
pub fn restore() {
    let _turn = lock_within(&RESTORING, 4 * PATIENCE);
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    await_answer();
    let modes = sequences(&[
        &terminal::EndSynchronizedUpdate,
        &event::DisableBracketedPaste,
        &terminal::LeaveAlternateScreen,
        &cursor::Show,
    ]);
    let colours = if FOLLOWED.load(Ordering::SeqCst) { LEAVE_COLOURS } else { "" };
    let title = if TITLED.load(Ordering::SeqCst) { TAKE_TITLE_BACK } else { "" };
    let modes = format!("{colours}{modes}{title}");
    let is_written = within(PATIENCE, move || {
        // A frame that is being written ends first; a writer that is stuck, or has panicked, is not waited for.
        let _lock = lock_within(&WRITING, PATIENCE / 2);
        stdout().and_then(|mut out| out.write_all(modes.as_bytes())).is_ok()
    });
    let is_cooked = terminal::disable_raw_mode().is_ok();
    let is_back = match locked(&STDERR).as_mut().and_then(|diverted| diverted.before.take()) {
        Some(before) => rustix::stdio::dup2_stderr(before).is_ok(),
        None => true,
    };
    if is_written != Some(true) || !is_cooked || !is_back {
        tracing::warn!(?is_written, is_cooked, is_back, "the terminal could not be brought back");
    }
}

/// Where a last line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLine {
    /// To standard output.
    Output,
    /// To standard error.
    Error,
}

/// Says something on the terminal after [`restore`]; one that does not read is not waited for.
pub fn farewell(to: LastLine, text: String) {
    let is_said = within(PATIENCE, move || {
        let out = match to {
            LastLine::Output => stdout(),
            LastLine::Error => io::stderr().as_fd().try_clone_to_owned().map(File::from),
        };
        out.and_then(|mut out| out.write_all(text.as_bytes())).is_ok()
    });
    if is_said != Some(true) {
        tracing::warn!(?is_said, "the last line could not be written");
    }
}

/// Returns columns and rows.
///
/// # Errors
/// Fails when the terminal is gone.
pub(super) fn size() -> io::Result<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(io::stdout())?;
    // A terminal that does not know its size says zero.
    Ok(if size.ws_col == 0 || size.ws_row == 0 { (80, 24) } else { (size.ws_col, size.ws_row) })
}

/// Takes note of the terminal's answer; returns the milliseconds since it was asked.
pub(super) fn answered() -> Option<u64> {
    let asked = locked(&ASKED).take()?;
    Some(u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// Sets every mode; what the program found is laid aside only when it comes from outside: title and standard error are
/// still its own after a stop without a chance to leave.
fn enter_modes(from_outside: bool) -> io::Result<()> {
    let _lock = lock_within(&WRITING, PATIENCE);
    terminal::enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    let modes = sequences(&[&terminal::EnterAlternateScreen, &event::EnableBracketedPaste, &cursor::Hide]);
    let title = if from_outside && TITLED.load(Ordering::SeqCst) { LAY_TITLE_ASIDE } else { "" };
    let colours = if FOLLOWED.load(Ordering::SeqCst) { FOLLOW_COLOURS } else { "" };
    stdout()?.write_all(format!("{title}{modes}{colours}").as_bytes())?;
    if let Some(diverted) = locked(&STDERR).as_mut().filter(|diverted| diverted.before.is_none()) {
        let before = io::stderr().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stderr(&diverted.errors)?;
        diverted.before = Some(before);
    }
    Ok(())
}

/// Where frames go; now and then it asks the terminal who it is, to learn how long an answer takes.
struct Frames {
    out: File,
    measured: Option<Instant>,
    /// Whether it has still to be asked what it is like: once, for a terminal that can says when its background changes.
    asks_what: bool,
}

impl Write for Frames {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        let _lock = locked(&WRITING);
        super::fault::here("writer");
        if !ENTERED.load(Ordering::SeqCst) {
            // The screen has been left. Whoever enters it again draws it whole.
            return Ok(frame.len());
        }
        if self.measured.is_some_and(|at| at.elapsed() < MEASURE) {
            return self.out.write(frame);
        }
        // The question rides on a frame, so that a picture that does not change sends nothing, and one write stays one.
        // The answer to the last question comes last.
        let what = if std::mem::take(&mut self.asks_what) { WHAT } else { b"" };
        let bytes = [frame, what, QUESTION].concat();
        let now = Instant::now();
        self.measured = Some(now);
        *locked(&ASKED) = Some(now);
        self.out.write_all(&bytes)?;
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for an answer that is under way: the reader of keys still takes it, the shell would not.
fn await_answer() {
    let recent = || locked(&ASKED).is_some_and(|asked| asked.elapsed() < ANSWER);
    let end = Instant::now() + PATIENCE;
    while recent() && Instant::now() < end {
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Returns a descriptor of its own: whoever is stuck in a write must not hold the lock of standard output.
fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Runs `work` on a thread of its own; `None` when it takes too long.
fn within<T: Send + 'static>(patience: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody listens any more when it took too long.
        let _ = done.send(work());
    });
    result.recv_timeout(patience).ok()
}

fn lock_within<T>(mutex: &Mutex<T>, patience: Duration) -> Option<MutexGuard<'_, T>> {
    let end = Instant::now() + patience;
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() >= end => return None,
            Err(TryLockError::WouldBlock) => std::thread::park_timeout(Duration::from_millis(5)),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sequences(commands: &[&dyn AnsiSequence]) -> String {
    let mut text = String::new();
    for command in commands {
        command.append(&mut text);
    }
    text
}

/// A crossterm command behind a pointer: `Command` itself is not made for that.
trait AnsiSequence {
    fn append(&self, text: &mut String);
}

impl<C: Command> AnsiSequence for C {
    fn append(&self, text: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}", Ansi(self));
    }
}

struct Ansi<'a, C: Command>(&'a C);

impl<C: Command> std::fmt::Display for Ansi<'_, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.write_ansi(f)
    }
}
