//! The console's own state: which screen, what is selected, which dialog; and what each key does to it.

mod look;
mod order;
mod said;
mod take;

use super::ask::Ask;
use super::chord::Chord;
use super::clock::Clock;
use super::dialog::{Confirming, Dialog, GUARD_MS, Leaving, Menu, Palette, Press, Reply, Starting};
use super::keymap::{self, Lookup, Place};
use super::kiosk;
use super::paint::Ink;
use super::places::Places;
use super::privacy::{Mask, reveal};
use super::scene::Scene;
use super::screen::frame::Said;
use super::text;
use super::told::Told;
use crate::core::{Action, Closeup, Command, Danger, Mode, Preview, Role, RunningState, Subject, View};
use crossterm::event::{Event, KeyCode, KeyEventKind};
pub use look::{Look, Origin};
use order::Order;
use ratatui::Frame;
use said::Spoken;
use std::borrow::Cow;
use std::sync::Arc;

/// The console at the keyboard.
pub struct Ui {
    look: Look,
    clock: Clock,
    places: Places,
    pending: Vec<Chord>,
    dialog: Option<Dialog>,
    frozen: Option<Frozen>,
    said: Option<Spoken>,
    order: Order,
    /// How often a person has turned the page of a wall screen.
    turns: u64,
    told: Told,
    /// Hides customers' names; `None` when they are shown.
    mask: Option<Mask>,
}

/// A picture that does not move, and since when.
struct Frozen {
    view: Arc<View>,
    since_ms: u64,
}

/// Between two pictures that no key asked for.
const FRAME_MS: u64 = 100;
/// The same on a wall screen.
const KIOSK_MS: u64 = 1000;

impl Ui {
    /// Opens the console on its main screen.
    pub fn new(look: Look) -> Self {
        let clock = Clock::new(look.utc);
        Self {
            mask: look.privacy.then(Mask::default),
            look,
            clock,
            places: Places::default(),
            pending: Vec::new(),
            dialog: None,
            frozen: None,
            said: None,
            order: Order::default(),
            turns: 0,
            told: Told::default(),
        }
    }

    /// Lets dialogs wait for two round trips to this terminal, where that is longer than their own guard, and the theme
    /// `auto` follow its background.
    pub fn on(mut self, told: Told) -> Self {
        self.told = told;
        self
    }

    /// Returns the name of the theme in use.
    pub fn theme(&self) -> &str {
        self.look.theme.name()
    }

    /// Returns what hides customers' names, which learns them; `None` when they are shown.
    pub fn mask(&mut self) -> Option<&mut Mask> {
        self.mask.as_mut()
    }

    /// Returns what may be shown of a view.
    pub fn shown<'a>(&mut self, view: &'a View) -> Cow<'a, View> {
        self.mask.as_mut().map_or(Cow::Borrowed(view), |mask| Cow::Owned(mask.view(view)))
    }

    /// Takes in what the terminal sent; `now_ms` is a monotonic time.
    pub fn on_event(&mut self, now_ms: u64, event: &Event, view: &View) -> Vec<Ask> {
        let view = &*self.shown(view);
        match event {
            Event::Key(key) if self.look.kiosk.is_some() => {
                let is_press = key.kind == KeyEventKind::Press;
                if is_press { self.on_kiosk_key(Chord::of(key)) } else { Vec::new() }
            }
            Event::Paste(_) if self.look.kiosk.is_some() => Vec::new(),
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

    /// Tells whether the preflight is on the screen, which wants a survey of the last minute.
    pub fn shows_preflight(&self) -> bool {
        self.places.is_preflight()
    }

    /// Takes in the preview of the wanted command.
    pub fn show_preview(&mut self, preview: Preview) {
        if let Some(dialog) = &mut self.dialog {
            dialog.show_preview(preview);
        }
    }

    /// Returns what is to be looked at closely before the next frame; `None` when nothing is, or what is known is new.
    pub fn wanted_closeup(&self, now_ms: u64, view: &View) -> Option<Subject> {
        let wanted = self.places.wanted_closeup(now_ms, self.frozen.is_some())?;
        Some(if self.mask.is_some() { reveal(view, wanted) } else { wanted })
    }

    /// Takes in a close look; `None` when what was wanted is not there.
    pub fn show_closeup(&mut self, subject: Subject, closeup: Option<Closeup>, now_ms: u64) {
        match &self.mask {
            Some(mask) => {
                self.places.show_closeup(mask.hide(subject), closeup.map(|closeup| mask.closeup(closeup)), now_ms);
            }
            None => self.places.show_closeup(subject, closeup, now_ms),
        }
    }

    /// Returns the shortest time between two pictures that no key asked for, in milliseconds.
    pub fn pace_ms(&self) -> u64 {
        if self.look.kiosk.is_some() { KIOSK_MS } else { FRAME_MS }
    }

    /// Draws the whole picture.
    pub fn draw(&mut self, frame: &mut Frame, view: &View, now_ms: u64) {
        let view = &*self.shown(view);
        let order = self.order.is_worth_showing(now_ms, view);
        self.look.follow(&self.told);
        let area = frame.area();
        let buf = frame.buffer_mut();
        let ink = Ink { theme: &self.look.theme, ascii: self.look.ascii };
        let frozen = self.frozen.as_ref().map(|frozen| now_ms.saturating_sub(frozen.since_ms) / 1000);
        let still = self.frozen.as_ref().map(|frozen| frozen.view.clone());
        let scene = Scene {
            ink,
            view: still.as_deref().unwrap_or(view),
            live: view,
            frozen,
            focus: self.places.focus(),
            keymap: &self.look.keymap,
            look: &self.look,
            told: &self.told,
            clock: &self.clock,
            needle: None,
            now_ms,
        };
        if let Some(kiosk) = self.look.kiosk {
            return self.places.draw_kiosk(&scene, buf, area, kiosk, self.turns);
        }
        let pending = (!self.pending.is_empty()).then(|| format!("{} ... (Esc: no)", keymap::label(&self.pending)));
        let text = self.said.as_ref().and_then(|said| said.at(now_ms)).or(pending.as_deref().map(said::warned));
        self.places.draw(&scene, buf, area, Said { text, order, typing: None });
        if let Some(dialog) = &mut self.dialog {
            dialog.draw(&scene, buf, area);
        }
    }

    /// Learns that the last picture has reached the terminal: from here on a dialog counts as seen.
    pub fn drawn(&mut self, now_ms: u64) {
        // A key that was pressed at the old picture arrives up to one round trip after the new one was sent.
        let later = (2 * self.told.round_trip_ms().unwrap_or(0)).saturating_sub(GUARD_MS);
        if let Some(dialog) = &mut self.dialog {
            dialog.drawn(now_ms + later);
        }
    }

    /// Returns when the picture changes although nothing arrives: a dialog begins to take keys, or a message goes.
    pub fn wake_at(&self, now_ms: u64) -> Option<u64> {
        let armed = self.dialog.as_ref().and_then(Dialog::armed_at);
        let silent = self.said.as_ref().map(Spoken::until);
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
        if self.places.is_typing() {
            return self.on_filter_key(now_ms, chord, view);
        }
        let place = if self.places.is_main() { Place::Main } else { Place::List };
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

    /// A wall screen needs no keys; it takes those that leave, turn the page or draw again.
    fn on_kiosk_key(&mut self, chord: Chord) -> Vec<Ask> {
        let leaves = self.look.kiosk.is_some_and(|kiosk| !kiosk.no_quit);
        match self.look.keymap.look_up(Place::Main, &[chord]) {
            Lookup::Runs(Action::Quit) if leaves => return vec![Ask::Quit],
            Lookup::Runs(Action::Redraw) => return vec![Ask::Redraw],
            Lookup::Runs(Action::NextPanel) => self.turns += 1,
            Lookup::Runs(Action::PreviousPanel) => self.turns += kiosk::PAGES - 1,
            _ => {}
        }
        Vec::new()
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
                self.places.home();
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
        let is_act = action.spec().role == Role::Operate && action.spec().danger != Danger::Look;
        if is_act && action != Action::Hold && !view.plans.is_empty() {
            let key = self.look.keymap.label(Action::Open).unwrap_or_default();
            self.say(now_ms, &format!("{}: {key} opens the marked one", text::CHOOSE));
            return Vec::new();
        }
        if self.frozen.is_some() && matches!(action.spec().danger, Danger::Forward | Danger::Risk) {
            let key = self.look.keymap.label(Action::Freeze).unwrap_or_default();
            self.say(now_ms, &format!("the view is frozen: {key} lets it move; then look again"));
            return Vec::new();
        }
        let still = self.frozen.as_ref().map(|frozen| frozen.view.clone());
        let shown = still.as_deref().unwrap_or(view);
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
            Action::Retry => return self.retry(now_ms, view),
            Action::Redraw => return vec![Ask::Redraw],
            Action::TimeZone => {
                if !self.clock.toggle() {
                    self.say(now_ms, "this machine does not say its time zone: times stay UTC");
                }
            }
            Action::Quit => return self.quit(now_ms, false, view),
            Action::Back => {
                if !self.places.back() {
                    self.order.dismiss();
                }
            }
            Action::Up | Action::Down | Action::First | Action::Last | Action::PageUp | Action::PageDown => {
                self.places.step(action, shown);
            }
            Action::NextPanel | Action::PreviousPanel => {
                if !self.places.turn(action == Action::NextPanel, shown) {
                    self.say(now_ms, "there is one panel here");
                }
            }
            Action::Filter => {
                let begun = self.places.begin_typing(shown);
                self.say_missing(now_ms, begun);
            }
            Action::Sort => self.sort(now_ms, shown),
            Action::Follow => {
                let said = self.places.follow(shown);
                self.say_done(now_ms, said);
            }
            Action::Wide => self.widen(now_ms, shown),
            Action::NextMatch | Action::PreviousMatch => {
                let said = self.places.seek(action == Action::NextMatch, shown);
                self.say(now_ms, &said);
            }
            Action::Freeze => self.freeze(now_ms, view),
            Action::Theme => {
                let said = format!("theme {}", self.look.next_theme());
                self.say_done(now_ms, &said);
            }
            Action::Copy => return self.copy(now_ms, shown),
            Action::Export => return self.export(now_ms, shown),
            Action::Open => {
                if let Some(plan) = self.places.chosen_plan(shown) {
                    return vec![Ask::Plan(plan)];
                }
                let opened = self.places.open_selected(shown);
                self.say_missing(now_ms, opened);
            }
            Action::Main
            | Action::Customers
            | Action::Ring
            | Action::Drain
            | Action::Graphs
            | Action::Errors
            | Action::Latency
            | Action::Plan
            | Action::Events
            | Action::Preflight
            | Action::Releases
            | Action::Help => {
                let opened = self.places.look(action, shown);
                self.say_missing(now_ms, opened);
            }
        }
        Vec::new()
    }

    fn say_missing(&mut self, now_ms: u64, result: Result<(), &'static str>) {
        if let Err(missing) = result {
            self.say(now_ms, missing);
        }
    }

    /// Sorts the customers another way; where they are not in sight, shows them as they are.
    fn sort(&mut self, now_ms: u64, view: &View) {
        if self.places.is_customers() {
            return self.places.customers.sort_next();
        }
        let opened = self.places.look(Action::Customers, view);
        self.say_missing(now_ms, opened);
    }

    fn widen(&mut self, now_ms: u64, view: &View) {
        let opened = self.places.look(Action::Customers, view);
        self.say_missing(now_ms, opened);
        self.places.customers.widen();
    }

    fn freeze(&mut self, now_ms: u64, view: &View) {
        self.frozen = match self.frozen {
            Some(_) => None,
            None => Some(Frozen { view: Arc::new(view.clone()), since_ms: now_ms }),
        };
    }

    fn hold(&mut self, now_ms: u64, view: &View) -> Vec<Ask> {
        if view.header.mode == Mode::Watch {
            self.say(now_ms, text::WATCH_ONLY);
            return Vec::new();
        }
        if !view.plans.is_empty() {
            self.say(now_ms, &format!("{}: nothing can be held yet", text::CHOOSE));
            return Vec::new();
        }
        // What becomes of it stands in the order's own row.
        self.said = None;
        vec![Ask::Run { command: Command::Hold { reason: text::BY_KEY.to_owned() }, mark: None }]
    }

    /// Has old sources asked again; while all are fresh there is nothing to hurry.
    fn retry(&mut self, now_ms: u64, view: &View) -> Vec<Ask> {
        let header = &view.header;
        if header.stale.is_empty() && header.fresh.iter().all(|row| !row.stale) {
            self.say(now_ms, "the numbers are fresh: there is nothing to ask again");
            return Vec::new();
        }
        self.say_done(now_ms, "the cluster and the metrics source are asked again");
        vec![Ask::Retry]
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

    fn on_filter_key(&mut self, now_ms: u64, chord: Chord, view: &View) -> Vec<Ask> {
        let action = match self.look.keymap.look_up(Place::List, &[chord]) {
            Lookup::Runs(action) if chord.typed().is_none() => Some(action),
            _ => None,
        };
        match action {
            Some(Action::Quit) => return self.quit(now_ms, true, view),
            Some(action @ (Action::Up | Action::Down | Action::PageUp | Action::PageDown)) => {
                self.places.step(action, view);
            }
            _ => self.places.press(chord, action),
        }
        Vec::new()
    }
}
