//! The console's own state: which screen, what is selected, which dialog; and what each key does to it.

use super::chord::Chord;
use super::clock::Clock;
use super::dialog::{Confirming, Dialog, GUARD_MS, Leaving, Menu, Palette, Press, Reply, Starting, edit};
use super::keymap::{self, Keymap, Lookup, Place};
use super::paint::Ink;
use super::panel::customers::Worst;
use super::panel::events::{Entry, entries};
use super::pick::Pick;
use super::round_trip::RoundTrip;
use super::scene::Scene;
use super::screen::{Screen, customers, events, help, main};
use super::text;
use super::theme::Theme;
use crate::core::{Action, Command, Mode, Preview, Role, RunningState, View};
use crossterm::event::{Event, KeyCode, KeyEventKind};
use ratatui::Frame;
use tui_input::Input;

/// How the console looks and which keys it has.
#[derive(Clone, Debug)]
pub struct Look {
    /// Colours and signs.
    pub theme: Theme,
    /// Keys.
    pub keymap: Keymap,
    /// Whether only ASCII may be drawn.
    pub ascii: bool,
    /// Whether times are UTC, not local.
    pub utc: bool,
}

/// What the console asks of the runtime.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Carry out a command.
    Run {
        /// The command.
        command: Command,
        /// Identifies what was shown when it was confirmed; `None` for what needs no preview.
        mark: Option<String>,
    },
    /// Leave.
    Quit,
    /// Draw every cell again.
    Redraw,
}

/// The console at the keyboard.
pub struct Ui {
    look: Look,
    clock: Clock,
    screen: Screen,
    pending: Vec<Chord>,
    dialog: Option<Dialog>,
    ring: Pick,
    customers: Pick,
    filter: Input,
    filtering: bool,
    events: Pick,
    help_top: usize,
    page: usize,
    said: Option<(String, u64)>,
    order: Order,
    worst: Worst,
    round_trip: RoundTrip,
}

/// What the person knows of the last order.
#[derive(Default)]
struct Order {
    number: u64,
    done_ms: Option<u64>,
    dismissed: bool,
}

/// How long a short message stays.
const SAID_MS: u64 = 4000;
/// How long a finished order stays.
const DONE_MS: u64 = 10_000;

impl Ui {
    /// Opens the console on its main screen.
    pub fn new(look: Look) -> Self {
        let clock = Clock::new(look.utc);
        Self {
            look,
            clock,
            screen: Screen::default(),
            pending: Vec::new(),
            dialog: None,
            ring: Pick::default(),
            customers: Pick::default(),
            filter: Input::default(),
            filtering: false,
            events: Pick::default(),
            help_top: 0,
            page: 10,
            said: None,
            order: Order::default(),
            worst: Worst::default(),
            round_trip: RoundTrip::default(),
        }
    }

    /// Lets dialogs wait for twice this time, where that is longer than their own guard.
    pub fn over(mut self, round_trip: RoundTrip) -> Self {
        self.round_trip = round_trip;
        self
    }

    /// Takes in what the terminal sent; `now_ms` is a monotonic time.
    pub fn on_event(&mut self, now_ms: u64, event: &Event, view: &View) -> Vec<Ask> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                self.on_key(now_ms, Chord::of(key), key.kind == KeyEventKind::Repeat, view)
            }
            Event::Paste(_) => {
                self.say(now_ms, text::NO_PASTE);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Returns the command whose preview an open dialog shows; to be asked for before every frame.
    pub fn wanted_preview(&self) -> Option<Command> {
        self.dialog.as_ref()?.wanted_preview()
    }

    /// Takes in the preview of the wanted command.
    pub fn show_preview(&mut self, preview: Preview) {
        if let Some(dialog) = &mut self.dialog {
            dialog.show_preview(preview);
        }
    }

    /// Draws the whole picture.
    pub fn draw(&mut self, frame: &mut Frame, view: &View, now_ms: u64) {
        let order = self.order_is_worth_showing(now_ms, view);
        let area = frame.area();
        let buf = frame.buffer_mut();
        self.worst.refresh(now_ms, view);
        let ink = Ink { theme: &self.look.theme, ascii: self.look.ascii };
        let scene = Scene { ink, view, keymap: &self.look.keymap, clock: &self.clock, now_ms };
        let pending = (!self.pending.is_empty()).then(|| format!("{} ... (Esc: no)", keymap::label(&self.pending)));
        let said = self.said.as_ref().filter(|(_, until)| now_ms < *until).map(|(text, _)| text.clone()).or(pending);
        let said = said.as_deref();
        match self.screen {
            Screen::Main => {
                let shown = main::Shown { ring: self.ring.key(), said, order, worst: &self.worst };
                main::draw(&scene, buf, area, &shown);
            }
            Screen::Customers => {
                let shown = customers::Shown { filter: self.filter.value(), typing: self.filtering, said, order };
                self.page = customers::draw(&scene, buf, area, &shown, &mut self.customers);
            }
            Screen::Events => self.page = events::draw(&scene, buf, area, said, order, &mut self.events),
            Screen::Help => {
                let (page, rows) = help::draw(&scene, buf, area, said, order, self.help_top);
                self.help_top = self.help_top.min(rows.saturating_sub(page));
                self.page = page;
            }
        }
        if let Some(dialog) = &mut self.dialog {
            dialog.draw(&scene, buf, area);
        }
    }

    /// Learns that the last picture has reached the terminal: from here on a dialog counts as seen.
    pub fn drawn(&mut self, now_ms: u64) {
        // A key that was pressed at the old picture arrives up to one round trip after the new one was sent.
        let later = (2 * self.round_trip.ms().unwrap_or(0)).saturating_sub(GUARD_MS);
        if let Some(dialog) = &mut self.dialog {
            dialog.drawn(now_ms + later);
        }
    }

    /// Returns when the picture changes although nothing arrives: a dialog begins to take keys, or a message goes.
    pub fn wake_at(&self, now_ms: u64) -> Option<u64> {
        let armed = self.dialog.as_ref().and_then(Dialog::armed_at);
        let silent = self.said.as_ref().map(|(_, until)| *until);
        armed.into_iter().chain(silent).filter(|at| *at > now_ms).min()
    }

    fn on_key(&mut self, now_ms: u64, chord: Chord, repeat: bool, view: &View) -> Vec<Ask> {
        if self.look.keymap.is_hold(chord) {
            self.pending.clear();
            return if repeat { Vec::new() } else { self.hold(now_ms, view) };
        }
        self.said = None;
        if let Some(mut dialog) = self.dialog.take() {
            let press = Press { chord, repeat, now_ms, keymap: &self.look.keymap, view };
            let interrupt = chord.ctrl && press.action() == Some(Action::Quit);
            if interrupt && !matches!(dialog, Dialog::Leave(_)) {
                return self.quit(now_ms, true, view);
            }
            let reply = dialog.press(&press);
            self.dialog = Some(dialog);
            return self.on_reply(now_ms, reply, view);
        }
        if self.filtering {
            return self.on_filter_key(now_ms, chord, view);
        }
        let place = if self.screen == Screen::Main { Place::Main } else { Place::List };
        self.pending.push(chord);
        match self.look.keymap.look_up(place, &self.pending) {
            Lookup::Runs(action) => {
                self.pending.clear();
                let interrupt = chord.ctrl && action == Action::Quit;
                if interrupt { self.quit(now_ms, true, view) } else { self.begin(now_ms, action, view) }
            }
            Lookup::Begins => Vec::new(),
            Lookup::Nothing => {
                let keys = keymap::label(&self.pending);
                self.pending.clear();
                if chord.code != KeyCode::Esc {
                    self.say(now_ms, &format!("{keys} does nothing here"));
                }
                Vec::new()
            }
        }
    }

    fn on_reply(&mut self, now_ms: u64, reply: Reply, view: &View) -> Vec<Ask> {
        match reply {
            Reply::Stay => Vec::new(),
            Reply::Close => self.close(),
            Reply::Begin(action) => {
                self.close();
                self.begin(now_ms, action, view)
            }
            Reply::Confirm(command) => self.confirm(command),
            Reply::Run { command, mark } => {
                self.close();
                self.screen = Screen::Main;
                vec![Ask::Run { command, mark: Some(mark) }]
            }
            Reply::Quit => vec![Ask::Quit],
        }
    }

    /// Begins an action: looks at once, acts through its dialog.
    fn begin(&mut self, now_ms: u64, action: Action, view: &View) -> Vec<Ask> {
        if action.spec().role == Role::Operate && view.header.mode == Mode::Watch {
            self.say(now_ms, text::WATCH_ONLY);
            return Vec::new();
        }
        match action {
            Action::Hold => return self.hold(now_ms, view),
            Action::Start => self.dialog = Some(Dialog::Start(Starting::default())),
            Action::Next => return self.confirm(Command::Next { accept_no_traffic: None }),
            Action::Promote => return self.confirm(Command::Promote { accept_no_traffic: None }),
            Action::Finish => return self.confirm(Command::Finish),
            Action::Force => return self.confirm(Command::Force { reason: String::new() }),
            Action::Cleanup => return self.confirm(Command::Cleanup),
            Action::Resume => return self.confirm(Command::Resume),
            Action::Rollback => return self.confirm(Command::Rollback { reason: text::BY_KEY.to_owned() }),
            Action::Take => return self.confirm(Command::Take { reason: String::new() }),
            Action::Approve => return self.approve(now_ms, view),
            Action::Menu => self.dialog = Some(Dialog::Menu(Menu::default())),
            Action::Palette => self.dialog = Some(Dialog::Palette(Palette::default())),
            Action::Help => self.open(Screen::Help),
            Action::Main => self.open(Screen::Main),
            Action::Customers => self.open(Screen::Customers),
            Action::Events => self.open(Screen::Events),
            Action::Filter => {
                self.open(Screen::Customers);
                self.filtering = true;
            }
            Action::Open => self.open_selected(now_ms, view),
            Action::Back => self.back(),
            Action::Redraw => return vec![Ask::Redraw],
            Action::TimeZone => {
                if !self.clock.toggle() {
                    self.say(now_ms, "this machine does not say its time zone: times stay UTC");
                }
            }
            Action::Quit => return self.quit(now_ms, false, view),
            Action::Up | Action::Down | Action::First | Action::Last | Action::PageUp | Action::PageDown => {
                self.step(action, view);
            }
        }
        Vec::new()
    }

    fn hold(&mut self, now_ms: u64, view: &View) -> Vec<Ask> {
        if view.header.mode == Mode::Watch {
            self.say(now_ms, text::WATCH_ONLY);
            return Vec::new();
        }
        self.say(now_ms, "hold is ordered");
        vec![Ask::Run { command: Command::Hold { reason: text::BY_KEY.to_owned() }, mark: None }]
    }

    fn approve(&mut self, now_ms: u64, view: &View) -> Vec<Ask> {
        match view.rings.iter().find(|ring| ring.needs_approval) {
            Some(ring) => self.confirm(Command::Approve { ring: ring.name.clone() }),
            None => {
                self.say(now_ms, "no ring waits for an approval");
                Vec::new()
            }
        }
    }

    fn confirm(&mut self, command: Command) -> Vec<Ask> {
        self.dialog = Some(Dialog::Confirm(Box::new(Confirming::new(command))));
        Vec::new()
    }

    fn quit(&mut self, now_ms: u64, interrupt: bool, view: &View) -> Vec<Ask> {
        let header = &view.header;
        let drives = header.mode == Mode::Driving && !header.release.is_empty();
        let works = view.running.as_ref().is_some_and(|order| order.outcome == RunningState::Running);
        if !drives && !works {
            return vec![Ask::Quit];
        }
        self.dialog = Some(Dialog::Leave(Leaving::new(interrupt.then_some(now_ms))));
        Vec::new()
    }

    fn close(&mut self) -> Vec<Ask> {
        self.dialog = None;
        Vec::new()
    }

    fn open(&mut self, screen: Screen) {
        self.screen = screen;
        self.help_top = 0;
    }

    fn open_selected(&mut self, now_ms: u64, view: &View) {
        let ring = view.rings.iter().find(|ring| Some(ring.name.as_str()) == self.ring.key());
        match (self.screen, ring) {
            (Screen::Main, Some(ring)) if !ring.unlisted => {
                self.filter = Input::new(ring.name.clone());
                self.customers.clear();
                self.open(Screen::Customers);
            }
            (Screen::Main, Some(_)) => self.say(now_ms, "the unlisted are everybody who is in no customer list"),
            (Screen::Main, None) => self.say(now_ms, "select a ring first"),
            _ => {}
        }
    }

    fn back(&mut self) {
        if self.screen != Screen::Main {
            return self.open(Screen::Main);
        }
        self.ring.clear();
        self.order.dismissed = true;
    }

    fn step(&mut self, action: Action, view: &View) {
        match self.screen {
            Screen::Main => {
                let names: Vec<&str> = view.rings.iter().map(|ring| ring.name.as_str()).collect();
                self.ring.step(&names, action, names.len());
            }
            Screen::Customers => {
                let rows = customers::filtered(view, self.filter.value());
                let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
                self.customers.step_from_shown(&ids, action, self.page);
            }
            Screen::Events => {
                let keys: Vec<String> = entries(view).iter().map(Entry::key).collect();
                self.events.step_from_shown(&keys, action, self.page);
            }
            Screen::Help => {
                let page = self.page.max(1);
                self.help_top = match action {
                    Action::Up => self.help_top.saturating_sub(1),
                    Action::Down => self.help_top + 1,
                    Action::First => 0,
                    Action::PageUp => self.help_top.saturating_sub(page),
                    Action::PageDown => self.help_top + page,
                    // The next frame brings it back to the last page.
                    _ => usize::MAX / 2,
                };
            }
        }
    }

    fn on_filter_key(&mut self, now_ms: u64, chord: Chord, view: &View) -> Vec<Ask> {
        let action = match self.look.keymap.look_up(Place::List, &[chord]) {
            Lookup::Runs(action) if chord.typed().is_none() => Some(action),
            _ => None,
        };
        match (chord.code, action) {
            (KeyCode::Enter, _) => self.filtering = false,
            (_, Some(Action::Back)) => {
                self.filtering = false;
                self.filter.reset();
            }
            (_, Some(Action::Quit)) => return self.quit(now_ms, chord.ctrl, view),
            (_, Some(action @ (Action::Up | Action::Down | Action::PageUp | Action::PageDown))) => {
                self.step(action, view)
            }
            _ => {
                edit(&mut self.filter, chord);
            }
        }
        Vec::new()
    }

    fn say(&mut self, now_ms: u64, text: &str) {
        self.said = Some((text.to_owned(), now_ms + SAID_MS));
    }

    /// A refusal stays until the person has put it away or ordered something else; what went well goes by itself.
    fn order_is_worth_showing(&mut self, now_ms: u64, view: &View) -> bool {
        let Some(running) = &view.running else { return false };
        if running.number != self.order.number {
            self.order = Order { number: running.number, ..Order::default() };
        }
        match running.outcome {
            RunningState::Running => {
                self.order.done_ms = None;
                true
            }
            RunningState::Done => {
                let since = *self.order.done_ms.get_or_insert(now_ms);
                !self.order.dismissed && now_ms < since + DONE_MS
            }
            RunningState::Refused { .. } | RunningState::Stopped { .. } => !self.order.dismissed,
        }
    }
}
