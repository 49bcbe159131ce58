//! Keys, sizes and stops of a real terminal, as one stream.

use super::app::Keys;
use super::keys::{Heard, Parser};
use super::terminal::{self, LastLine};
use super::words;
use crate::ui::Told;
use crossterm::event::Event;
use futures::stream::unfold;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};
use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

type Sender = UnboundedSender<io::Result<Event>>;

/// Reads the terminal until it is gone; what it says of itself goes to `told`.
///
/// A stop (SIGTSTP) leaves the screen first; when the program goes on (SIGCONT), it is entered and drawn again. An end of
/// the input and an error end the stream: the terminal is gone then, whether a hangup was signalled or not.
///
/// # Errors
/// Fails when a signal handler cannot be installed.
pub fn keys(told: Told) -> io::Result<Keys> {
    let (sender, events) = unbounded_channel();
    follow_signals(sender.clone())?;
    std::thread::Builder::new().name("keys".to_owned()).spawn(move || read(&sender, &told))?;
    Ok(Box::pin(unfold(events, |mut events| async move { events.recv().await.map(|event| (event, events)) })))
}

/// Reads until the terminal is gone; the last thing it sends is why.
fn read(sender: &Sender, told: &Told) {
    let stdin = io::stdin();
    let (mut parser, mut bytes) = (Parser::default(), [0; 4096]);
    loop {
        super::fault::here("keys");
        let patience = parser.patience().and_then(|patience| Timespec::try_from(patience).ok());
        let heard = match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], patience.as_ref()) {
            Ok(0) => parser.give_up(),
            Ok(_) => match rustix::io::read(&stdin, &mut bytes) {
                Ok(0) => return end(sender, io::Error::new(io::ErrorKind::UnexpectedEof, "its input has ended")),
                Ok(count) => parser.feed(&bytes[..count]),
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(error) => return end(sender, error.into()),
            },
            Err(Errno::INTR) => continue,
            Err(error) => return end(sender, error.into()),
        };
        for heard in heard {
            match heard {
                Heard::Event(event) => {
                    if sender.send(Ok(event)).is_err() {
                        return;
                    }
                }
                Heard::Answer => {
                    if let Some(ms) = terminal::answered() {
                        tracing::debug!(ms, "round trip to the terminal");
                        told.round_trip(ms);
                    }
                }
                Heard::Background(is_light) => told.background(is_light),
                Heard::Synchronized(is_known) => told.synchronized(is_known),
            }
        }
    }
}

fn end(sender: &Sender, why: io::Error) {
    // Nobody listens when the console has ended for another reason.
    let _ = sender.send(Err(why));
}

fn follow_signals(sender: Sender) -> io::Result<()> {
    let mut sizes = signal(SignalKind::window_change())?;
    let mut stops = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
    let mut starts = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
    tokio::spawn(async move {
        loop {
            let result = tokio::select! {
                _ = sizes.recv() => Ok(()),
                _ = stops.recv() => {
                    stop();
                    continue;
                }
                _ = starts.recv() => {
                    tracing::info!("goes on after a stop");
                    terminal::enter_again()
                }
            };
            // A size makes the next frame whole, also when it is the old one.
            let event = result.and_then(|()| terminal::size()).map(|(width, height)| Event::Resize(width, height));
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// Leaves the screen and stops this process, as Ctrl-Z does elsewhere.
///
/// Nothing moves meanwhile: a stopped console is a dead one to every other, until it goes on.
fn stop() {
    tracing::warn!("SIGTSTP: stopped");
    terminal::restore();
    terminal::farewell(
        LastLine::Output,
        format!("pilothouse is stopped, fg brings it back. {}\n", words::last_state()),
    );
    // Not SIGTSTP again: that one is ours, and in an orphaned process group it would do nothing.
    if let Err(error) = kill_process(getpid(), Signal::STOP) {
        tracing::error!(%error, "cannot stop");
    }
}
