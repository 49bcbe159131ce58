//! The console: keys in, pictures out, the engine between them.

use super::beside::Beside;
use super::engine::Engine;
use super::manners::Manners;
use super::painter::Painter;
use super::{Clock, Links};
use crate::core::{Command, Event, Setup, View};
use crate::model::Span;
use crate::ui::{Ask, Ui};
use crossterm::event::Event as TerminalEvent;
use futures::{Stream, StreamExt};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Between two pictures while keys arrive.
const KEY_FRAME: Duration = Duration::from_millis(15);

/// How old the survey of Gateways and policies may be while a start is looked at.
const SURVEY: Span = Span::seconds(30);
/// How old it may be while the preflight is on the screen.
const SURVEY_SHOWN: Span = Span::seconds(60);

/// Where pictures go.
pub struct Screen {
    /// Takes whole frames.
    pub out: Box<dyn io::Write + Send>,
    /// Columns and rows at the start; resize events say the rest.
    pub size: (u16, u16),
    /// What goes out beside pictures.
    pub manners: Manners,
}

/// Where keys come from.
pub type Keys = Pin<Box<dyn Stream<Item = io::Result<TerminalEvent>> + Send>>;

/// Why the console ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// A person left.
    Quit,
    /// A signal asked for it.
    Signal,
    /// The terminal is gone; why.
    TerminalLost(String),
}

/// How the console ended.
#[derive(Debug)]
pub struct Exit {
    /// Why.
    pub why: Why,
    /// The last thing that was known, as far as it may be shown.
    pub view: View,
}

/// Runs a console until a person, a signal or the loss of its terminal ends it.
///
/// Whatever ends it: forward work stops, the lease is released, and requests that are under way get a moment: a console whose
/// terminal is gone is gone within two seconds.
pub async fn run(
    setup: Setup,
    screen: Screen,
    keys: Keys,
    clock: Clock,
    links: Arc<dyn Links>,
    mut ui: Ui,
    stop: CancellationToken,
) -> Exit {
    let engine = Engine::open(setup, clock, links);
    let view = engine.view();
    let began = Instant::now();
    let beside = Beside::new(screen.manners.clone());
    let mut app = match Painter::new(screen) {
        Ok(painter) => {
            App { engine, painter, beside, keys, ui, view, began, is_dirty: true, due: began, drawn_second: 0 }
        }
        Err(error) => return Exit { why: Why::TerminalLost(error.to_string()), view: ui.shown(&view).into_owned() },
    };
    let why = app.turn(stop).await;
    tracing::info!(?why, "leaving");
    app.engine.leave().await;
    app.look();
    Exit { why, view: app.ui.shown(&app.view).into_owned() }
}

struct App {
    engine: Engine,
    painter: Painter,
    beside: Beside,
    keys: Keys,
    ui: Ui,
    /// What the last picture showed; keys are read against it.
    view: View,
    began: Instant,
    is_dirty: bool,
    due: Instant,
    drawn_second: i64,
}

impl App {
    async fn turn(&mut self, stop: CancellationToken) -> Why {
        loop {
            super::fault::here("loop");
            if self.is_dirty
                && self.painter.is_idle()
                && Instant::now() >= self.due
                && let Err(error) = self.paint()
            {
                return Why::TerminalLost(error.to_string());
            }
            let can_paint_later = self.is_dirty && self.painter.is_idle();
            let wake = self.ui.wake_at(self.elapsed_ms()).map(|ms| self.began + Duration::from_millis(ms));
            tokio::select! {
                biased;
                () = stop.cancelled() => return Why::Signal,
                key = self.keys.next() => match key {
                    Some(Ok(event)) => {
                        if let Some(why) = self.on_key(&event) {
                            return why;
                        }
                    }
                    Some(Err(error)) => return Why::TerminalLost(error.to_string()),
                    None => return Why::TerminalLost("its input has ended".to_owned()),
                },
                written = self.painter.written() => match written {
                    Ok(()) => self.ui.drawn(self.elapsed_ms()),
                    Err(error) => return Why::TerminalLost(error.to_string()),
                },
                result = self.beside.saved() => {
                    if let Ok(place) = &result {
                        self.engine.give(Event::Noted(format!("saved {place}")));
                    }
                    self.ui.exported(self.elapsed_ms(), result);
                    self.is_dirty = true;
                }
                is_news = self.engine.step() => {
                    let second = self.engine.now().as_second();
                    self.is_dirty |= is_news
                        || second != self.drawn_second
                        || self.ui.wanted_preview().is_some();
                }
                () = sleep_until(wake.unwrap_or(self.began)), if wake.is_some() => self.is_dirty = true,
                () = sleep_until(self.due), if can_paint_later => {}
            }
        }
    }

    fn on_key(&mut self, event: &TerminalEvent) -> Option<Why> {
        if let TerminalEvent::Resize(width, height) = event {
            self.painter.resize(*width, *height);
            self.beside.forget();
        }
        self.is_dirty = true;
        self.due = self.due.min(Instant::now() + KEY_FRAME);
        for ask in self.ui.on_event(self.elapsed_ms(), event, &self.view) {
            match ask {
                Ask::Run { command, mark } => {
                    tracing::info!(action = command.action().spec().id, "order");
                    self.engine.give(Event::Command { command, mark });
                }
                Ask::Retry => self.engine.give(Event::RetryWanted),
                Ask::Plan(name) => self.engine.give(Event::Plan(name)),
                Ask::Copy(text) => match self.beside.copy(&text) {
                    Some(bytes) => self.painter.send(bytes),
                    None => self.ui.not_copied(self.elapsed_ms()),
                },
                Ask::Export(export) => self.beside.save(export),
                Ask::Redraw => self.painter.redraw(),
                Ask::Quit => return Some(Why::Quit),
            }
        }
        None
    }

    fn paint(&mut self) -> io::Result<()> {
        let wanted = self.ui.wanted_preview();
        if matches!(wanted, Some(Command::Start { .. })) {
            self.engine.survey(SURVEY);
        } else if self.ui.shows_preflight() {
            self.engine.survey(SURVEY_SHOWN);
        }
        self.look();
        super::words::note(&self.ui.shown(&self.view));
        self.painter.send(self.beside.look(&self.view));
        if let Some(command) = wanted {
            self.ui.show_preview(self.engine.preview(&command));
        }
        let now_ms = elapsed_ms(self.began);
        if let Some(subject) = self.ui.wanted_closeup(now_ms, &self.view) {
            let closeup = self.engine.closeup(&subject);
            self.ui.show_closeup(subject, closeup, now_ms);
        }
        let (ui, view) = (&mut self.ui, &self.view);
        let is_sent = self.painter.draw(|frame| ui.draw(frame, view, now_ms))?;
        if !is_sent {
            self.ui.drawn(now_ms);
        }
        self.is_dirty = false;
        self.drawn_second = self.engine.now().as_second();
        self.due = Instant::now() + Duration::from_millis(self.ui.pace_ms());
        Ok(())
    }

    /// Takes the newest picture, and learns whom it may name.
    fn look(&mut self) {
        self.view = self.engine.view();
        if let Some(mask) = self.ui.mask() {
            self.engine.names(|name, id| mask.learn(name, id));
        }
    }

    fn elapsed_ms(&self) -> u64 {
        elapsed_ms(self.began)
    }
}

fn elapsed_ms(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
