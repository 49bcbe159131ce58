//! What a terminal says of itself when it is asked, outside of the console.

use super::keys::{Heard, Parser};
use crossterm::terminal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{QueueSelector, tcflush, tcgetpgrp};
use std::io::{self, IsTerminal, Write};
use std::time::Duration;
use tokio::time::Instant;

/// "Do you know synchronized updates?"
const SYNCHRONIZED: &[u8] = b"\x1b[?2026$p";
/// "What colour is your background?"
const BACKGROUND: &[u8] = b"\x1b]11;?\x1b\\";
/// "Who are you?": every terminal answers it, and its answer comes last.
const WHO: &[u8] = b"\x1b[c";

/// What a terminal has said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inquiry {
    /// How long the last answer took; `None` when none came.
    pub took: Option<Duration>,
    /// Whether it knows synchronized updates (mode 2026); `None` = it did not say.
    pub synchronized: Option<bool>,
    /// Whether its background is light; `None` = it did not say.
    pub is_light: Option<bool>,
}

/// Asks the terminal, and leaves it as it was; `None` where there is none, or where it is another program's now.
///
/// `patience` is the most it waits; keys that are pressed meanwhile are lost. With `asks_color` off, the question is left
/// out that old consoles would print.
pub fn inquire(patience: Duration, asks_color: bool) -> Option<Inquiry> {
    let stdin = io::stdin();
    let is_ours = stdin.is_terminal()
        && io::stdout().is_terminal()
        // In the background, changing the terminal's mode would stop this process.
        && tcgetpgrp(&stdin).is_ok_and(|group| group == getpgrp());
    if !is_ours || terminal::enable_raw_mode().is_err() {
        return None;
    }
    let color = if asks_color { BACKGROUND } else { b"" };
    let question = [SYNCHRONIZED, color, WHO].concat();
    let began = Instant::now();
    let mut out = io::stdout();
    let result = out.write_all(&question).and_then(|()| out.flush());
    let said = if result.is_ok() { listen(began, patience) } else { Inquiry::default() };
    // What comes late would be typed into the person's shell.
    let _ = tcflush(&stdin, QueueSelector::IFlush);
    drop(terminal::disable_raw_mode());
    Some(said)
}

fn listen(began: Instant, patience: Duration) -> Inquiry {
    let stdin = io::stdin();
    let (mut said, mut parser, mut bytes) = (Inquiry::default(), Parser::default(), [0; 512]);
    loop {
        let Some(left) = patience.checked_sub(began.elapsed()) else { return said };
        let Ok(left) = Timespec::try_from(left) else { return said };
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&left)) {
            Ok(1..) => {}
            _ => return said,
        }
        let Ok(count @ 1..) = rustix::io::read(&stdin, &mut bytes) else { return said };
        for heard in parser.feed(&bytes[..count]) {
            match heard {
                Heard::Synchronized(is_known) => said.synchronized = Some(is_known),
                Heard::Background(is_light) => said.is_light = Some(is_light),
                Heard::Answer => {
                    said.took = Some(began.elapsed());
                    return said;
                }
                Heard::Event(_) => {}
            }
        }
    }
}
