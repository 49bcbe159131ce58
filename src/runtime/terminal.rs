//! The terminal's modes: entered once, left exactly once, whoever comes first.

use super::app::Screen;
use crossterm::{Command, cursor, event, terminal};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

/// How long a terminal may take to read what brings it back; one that does not read must not keep the program alive.
const PATIENCE: Duration = Duration::from_millis(500);

static ENTERED: AtomicBool = AtomicBool::new(false);

/// Where standard error went before the screen was entered.
static STDERR: Mutex<Option<OwnedFd>> = Mutex::new(None);

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
/// Says so when standard input or output is no terminal, or when it cannot be set.
pub fn enter(errors: Option<File>) -> io::Result<(TerminalGuard, Screen)> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(io::Error::other(
            "the console needs a terminal for input and output: in scripts use `pilothouse status` and the other verbs",
        ));
    }
    let size = terminal::size()?;
    // A descriptor of its own: whoever is stuck in a write must not hold the lock of standard output.
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    terminal::enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    let guard = TerminalGuard(());
    let modes = sequences(&[&terminal::EnterAlternateScreen, &event::EnableBracketedPaste, &cursor::Hide]);
    out.write_all(modes.as_bytes())?;
    if let Some(errors) = errors {
        let before = io::stderr().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stderr(errors)?;
        *STDERR.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
    }
    Ok((guard, Screen { out: Box::new(out), size }))
}

/// Leaves every mode that [`enter`] entered; does nothing when that has been done, or was never needed.
pub fn restore() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let stderr = STDERR.lock().unwrap_or_else(PoisonError::into_inner).take();
    let is_back = stderr.is_none_or(|before| rustix::stdio::dup2_stderr(before).is_ok());
    let modes = sequences(&[
        &terminal::EndSynchronizedUpdate,
        &event::DisableBracketedPaste,
        &terminal::LeaveAlternateScreen,
        &cursor::Show,
    ]);
    let (done, written) = mpsc::channel();
    std::thread::spawn(move || {
        let result = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let result = result.and_then(|mut out| out.write_all(modes.as_bytes()));
        // Nobody listens any more when the terminal was too slow.
        let _ = done.send(result);
    });
    let is_written = written.recv_timeout(PATIENCE).is_ok_and(|result| result.is_ok());
    let is_cooked = terminal::disable_raw_mode().is_ok();
    if !is_written || !is_cooked || !is_back {
        tracing::warn!(is_written, is_cooked, is_back, "the terminal could not be brought back");
    }
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
