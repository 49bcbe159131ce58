//! Where the person is: which screen, what is selected on each, and how one leads to another.

mod take;

use super::chord::Chord;
use super::kiosk::{self, Kiosk};
use super::list::CustomerList;
use super::no_data::{self, Cover};
use super::panel::customers::Worst;
use super::pick::Pick;
use super::scene::Scene;
use super::screen::frame::{Said, Shown};
use super::screen::{
    Screen, Zoom, audit, card, customer, customers, drain, graphs, help, main, plan, preflight, releases, ring,
};
use super::search::Search;
use crate::core::{Action, Audit, Closeup, Releases, Subject, View};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// How many screens back Esc leads.
const TRAIL: usize = 8;
/// How old a close look may be.
const CLOSEUP_MS: u64 = 1000;

/// The screens with everything that is remembered of them.
#[derive(Default)]
pub(super) struct Places {
    screen: Screen,
    trail: Vec<Screen>,
    /// The panel of the main screen the keyboard points at.
    focus: Option<Action>,
    ring: Pick,
    plan: Pick,
    pub customers: CustomerList,
    audit: Pick,
    releases: Pick,
    search: Search,
    scroll: usize,
    /// The rows of the list in sight.
    page: usize,
    size: (u16, u16),
    closeup: Option<Kept>,
    worst: Worst,
    cover: Cover,
}

/// A close look and when it was taken.
struct Kept {
    subject: Subject,
    closeup: Option<Closeup>,
    at_ms: u64,
}

impl Places {
    /// Tells whether the main screen is shown.
    pub fn is_main(&self) -> bool {
        self.screen == Screen::Main
    }

    /// Tells whether the list of customers is shown.
    pub fn is_customers(&self) -> bool {
        self.screen == Screen::Customers
    }

    /// Tells whether the preflight is shown.
    pub fn is_preflight(&self) -> bool {
        self.screen == Screen::Preflight
    }

    /// Returns the plan that is marked, while there are several to choose from and a person sees them.
    pub fn chosen_plan(&self, view: &View) -> Option<String> {
        if self.cover.is_on() || card::is_all_there_is_room_for(self.size) {
            return None;
        }
        let names: Vec<&str> = view.plans.iter().map(|plan| plan.name.as_str()).collect();
        let name = names.get(self.plan.index(&names))?;
        self.is_main().then(|| (*name).to_owned())
    }

    /// Goes to the main screen.
    pub fn home(&mut self) {
        self.open(Screen::Main);
    }

    /// Returns what is to be looked at closely now; `None` when what is known is new enough, or is to stay as it is.
    pub fn wanted_closeup(&self, now_ms: u64, is_frozen: bool) -> Option<Subject> {
        let subject = self.subject()?;
        let known = self.closeup.as_ref().filter(|kept| kept.subject == subject);
        known.is_none_or(|kept| !is_frozen && now_ms >= kept.at_ms + CLOSEUP_MS).then_some(subject)
    }

    /// Takes in a close look.
    pub fn show_closeup(&mut self, subject: Subject, closeup: Option<Closeup>, now_ms: u64) {
        self.closeup = Some(Kept { subject, closeup, at_ms: now_ms });
    }

    /// Leads to the screen of an action that looks; tells what is missing for it.
    pub fn look(&mut self, action: Action, view: &View) -> Result<(), &'static str> {
        let screen = match action {
            Action::Main => Screen::Main,
            Action::Customers | Action::Filter => Screen::Customers,
            Action::Ring => Screen::Ring(self.ring_here(view).ok_or("no ring is known yet")?),
            Action::Drain => Screen::Drain,
            Action::Graphs => Screen::Graphs(Zoom::All),
            Action::Errors => Screen::Graphs(Zoom::Errors),
            Action::Latency => Screen::Graphs(Zoom::Latency),
            Action::Plan => Screen::Plan,
            Action::Events => Screen::Audit,
            Action::Preflight => Screen::Preflight,
            Action::Releases => Screen::Releases,
            Action::Help => Screen::Help,
            _ => return Ok(()),
        };
        if screen == Screen::Customers && self.screen != screen {
            self.customers.forget_ring();
        }
        self.open(screen);
        Ok(())
    }

    /// Opens what is selected; tells what is missing for it.
    pub fn open_selected(&mut self, view: &View) -> Result<(), &'static str> {
        match &self.screen {
            _ if self.cover.is_on() => Err("nothing is opened while there is no data of now"),
            Screen::Main if !view.plans.is_empty() => Err(card::TO_CHOOSE),
            Screen::Main => match self.focus {
                Some(panel) if panel != Action::Ring => self.look(panel, view),
                _ => {
                    let key = self.ring.key().ok_or("select a ring first")?;
                    self.open(Screen::Ring(key.to_owned()));
                    Ok(())
                }
            },
            Screen::Customers => {
                let id = self.customers.selected(view).ok_or("no customer is selected")?.id.clone();
                self.open(Screen::Customer(id));
                Ok(())
            }
            Screen::Ring(name) => {
                let name = name.clone();
                if view.rings.iter().any(|ring| ring.name == name && ring.unlisted) {
                    return Err("the unlisted are everybody who is in no customer list");
                }
                self.customers.narrow_to_ring(&name);
                self.open(Screen::Customers);
                Ok(())
            }
            Screen::Releases => {
                let names = self.release_names();
                let name = names.get(self.releases.index(&names)).ok_or("no release has been made yet")?;
                if *name != view.header.release {
                    return Err("its journal is in its object: kubectl get release NAME -o yaml");
                }
                self.open(Screen::Audit);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Goes back; tells whether there was anything to go back from.
    pub fn back(&mut self) -> bool {
        if self.is_main() {
            self.ring.clear();
            self.focus = None;
            return false;
        }
        if self.screen == Screen::Customers {
            if self.customers.has_typed_filter() {
                self.customers.narrow(String::new());
                return true;
            }
            // What a ring has set goes with its screen, and the rows move again.
            self.customers.forget_ring();
            self.customers.pick.clear();
        }
        self.screen = self.trail.pop().unwrap_or_default();
        self.scroll = 0;
        self.search = Search::default();
        true
    }

    /// Moves the selection, or the text.
    pub fn step(&mut self, action: Action, view: &View) {
        match &self.screen {
            Screen::Main if !view.plans.is_empty() => {
                let names: Vec<&str> = view.plans.iter().map(|plan| plan.name.as_str()).collect();
                self.plan.step_from_shown(&names, action, names.len());
            }
            Screen::Main => {
                self.focus = None;
                let names: Vec<&str> = view.rings.iter().map(|ring| ring.name.as_str()).collect();
                self.ring.step(&names, action, names.len());
            }
            Screen::Customers => self.customers.step(action, self.page, view),
            Screen::Audit => {
                let keys = self.audit_keys(view);
                self.audit.step_following(&keys, action, self.page);
            }
            Screen::Releases => {
                let names = self.release_names();
                self.releases.step_from_shown(&names, action, self.page);
            }
            _ => {
                let page = self.page.max(1);
                self.scroll = match action {
                    Action::Up => self.scroll.saturating_sub(1),
                    Action::Down => self.scroll + 1,
                    Action::First => 0,
                    Action::PageUp => self.scroll.saturating_sub(page),
                    Action::PageDown => self.scroll + page,
                    // The next frame brings it back to the last page.
                    _ => usize::MAX / 2,
                };
            }
        }
    }

    /// Follows the newest entry of the journal, which is opened first, or stays on the marked one; says which.
    pub fn follow(&mut self, view: &View) -> &'static str {
        if self.screen == Screen::Audit && self.audit.key().is_none() {
            let keys = self.audit_keys(view);
            self.audit.select(&keys, self.audit.index(&keys));
            return "stays on this entry";
        }
        self.open(Screen::Audit);
        self.audit.clear();
        "follows the newest entry"
    }

    /// Points at the next panel or the one before, or shows the next graph or ring; tells whether there is more than one.
    pub fn turn(&mut self, forward: bool, view: &View) -> bool {
        let next = |at: Option<usize>, count: usize| match (at, forward) {
            (None, true) => 0,
            (None, false) => count.saturating_sub(1),
            (Some(at), true) => (at + 1) % count.max(1),
            (Some(at), false) => (at + count.max(1) - 1) % count.max(1),
        };
        match &self.screen {
            Screen::Main => {
                let panels = main::panels(self.size);
                let at = self.focus.and_then(|focus| panels.iter().position(|panel| *panel == focus));
                self.focus = panels.get(next(at, panels.len())).copied();
            }
            Screen::Graphs(zoom) => self.screen = Screen::Graphs(zoom.turn(forward)),
            Screen::Ring(name) => {
                let at = view.rings.iter().position(|ring| ring.name == *name);
                if let Some(ring) = view.rings.get(next(at, view.rings.len())) {
                    self.screen = Screen::Ring(ring.name.clone());
                    self.scroll = 0;
                }
            }
            _ => return false,
        }
        true
    }

    /// Begins to type what narrows the customers, or what is looked for on a screen that is searched.
    pub fn begin_typing(&mut self, view: &View) -> Result<(), &'static str> {
        if self.is_searched() {
            self.search.begin();
            return Ok(());
        }
        self.look(Action::Filter, view)?;
        self.customers.begin_typing();
        Ok(())
    }

    /// Tells whether a filter or a search is being typed.
    pub fn is_typing(&self) -> bool {
        !self.cover.is_on() && (self.customers.is_typing() || self.search.is_typing())
    }

    /// Takes in a key while one of them is typed.
    pub fn press(&mut self, chord: Chord, action: Option<Action>) {
        if self.search.is_typing() { self.search.press(chord, action) } else { self.customers.press(chord, action) }
    }

    /// Goes to the next row that matches, or the one before; says where that is, or why there is none.
    pub fn seek(&mut self, forward: bool, view: &View) -> String {
        if self.screen == Screen::Customers {
            return self.customers.seek(forward, view);
        }
        if !self.is_searched() {
            return "there is nothing to look for here: / finds customers".to_owned();
        }
        if self.search.text().trim().is_empty() {
            return "nothing is looked for yet: / begins".to_owned();
        }
        let from = match &self.screen {
            Screen::Audit => Some(self.audit.index(&self.audit_keys(view))),
            Screen::Releases => Some(self.releases.index(&self.release_names())),
            _ => None,
        };
        let Some(hit) = self.search.go(forward, from) else {
            return format!("nothing here says \"{}\"", self.search.text());
        };
        self.show_row(hit.row, view);
        let around = match (hit.wrapped, forward) {
            (false, _) => "",
            (true, true) => ", from the top again",
            (true, false) => ", from the end again",
        };
        format!("match {} of {} for \"{}\"{around}", hit.number, self.search.count(), self.search.text())
    }

    /// Returns the panel the keyboard points at.
    pub fn focus(&self) -> Option<Action> {
        self.focus.filter(|_| self.is_main())
    }

    /// Draws the screen.
    pub fn draw(&mut self, scene: &Scene, buf: &mut Buffer, area: Rect, said: Said<'_>) {
        self.size = (area.width, area.height);
        self.worst.refresh(scene.now_ms, scene.view);
        self.customers.refresh(scene.now_ms, scene.view);
        if self.cover.covers(scene) {
            if self.screen != Screen::Help {
                // Nobody types what cannot be seen.
                self.customers.end_typing();
                self.search.end_typing();
                return no_data::draw_with_keys(scene, buf, area, said.text);
            }
            self.cover.lift();
        }
        let closeup = self.closeup.take();
        let shown = self.paint(scene, buf, area, said, closeup.as_ref());
        let from = match &self.screen {
            Screen::Audit => self.audit.shown(),
            Screen::Releases => self.releases.shown(),
            _ => self.scroll,
        };
        self.page = shown.page;
        self.closeup = closeup;
        if self.search.is_new() {
            // Only the picture knows its rows: what has just been typed is looked for in it, and shown in a second one.
            if let Some(row) = self.search.take(shown.found, from) {
                self.show_row(row, scene.view);
            }
            buf.reset();
            let closeup = self.closeup.take();
            self.paint(scene, buf, area, said, closeup.as_ref());
            self.closeup = closeup;
        } else {
            self.search.take(shown.found, from);
        }
        self.scroll = self.scroll.min(shown.rows.saturating_sub(shown.page));
    }

    fn paint(&mut self, scene: &Scene, buf: &mut Buffer, area: Rect, said: Said<'_>, closeup: Option<&Kept>) -> Shown {
        let needle = self.search.needle();
        let typed = self.search.text().to_owned();
        let scene = &Scene { needle: self.is_searched().then_some(&needle), ..*scene };
        let typing = self.search.is_typing().then_some((typed.as_str(), self.search.count()));
        let said = Said { typing, ..said };
        let top = self.scroll;
        if card::is_all_there_is_room_for((area.width, area.height)) {
            card::draw(scene, buf, area, said, !self.is_main());
            return Shown::default();
        }
        let known = closeup.filter(|kept| Some(&kept.subject) == self.subject().as_ref());
        let known = known.and_then(|kept| kept.closeup.as_ref());
        match (&self.screen, known) {
            (Screen::Main, _) => {
                let plan = self.chosen_plan(scene.view);
                let shown = main::Shown { ring: self.ring.key(), plan, said, worst: &self.worst };
                main::draw(scene, buf, area, &shown);
                Shown::default()
            }
            (Screen::Customers, _) => customers::draw(scene, buf, area, said, &mut self.customers),
            (Screen::Customer(id), Some(Closeup::Customer(closeup))) => {
                customer::draw(scene, buf, area, said, id, Some(closeup), top)
            }
            (Screen::Customer(id), _) => customer::draw(scene, buf, area, said, id, None, top),
            (Screen::Ring(name), Some(Closeup::Ring(closeup))) => {
                ring::draw(scene, buf, area, said, name, Some(closeup), top)
            }
            (Screen::Ring(name), _) => ring::draw(scene, buf, area, said, name, None, top),
            (Screen::Drain, Some(Closeup::Drain(closeup))) => drain::draw(scene, buf, area, said, Some(closeup), top),
            (Screen::Drain, _) => drain::draw(scene, buf, area, said, None, top),
            (Screen::Graphs(zoom), _) => {
                graphs::draw(scene, buf, area, said, *zoom);
                Shown::default()
            }
            (Screen::Plan, _) => plan::draw(scene, buf, area, said, top),
            (Screen::Audit, Some(Closeup::Audit(audit))) => audit::draw(scene, buf, area, said, audit, &mut self.audit),
            (Screen::Audit, _) => audit::draw(scene, buf, area, said, &Audit::default(), &mut self.audit),
            (Screen::Preflight, _) => preflight::draw(scene, buf, area, said, top),
            (Screen::Releases, Some(Closeup::Releases(releases))) => {
                releases::draw(scene, buf, area, said, releases, &mut self.releases)
            }
            (Screen::Releases, _) => releases::draw(scene, buf, area, said, &Releases::default(), &mut self.releases),
            (Screen::Help, _) => help::draw(scene, buf, area, said, top),
        }
    }

    /// Draws a wall screen.
    pub fn draw_kiosk(&mut self, scene: &Scene, buf: &mut Buffer, area: Rect, kiosk: Kiosk, turns: u64) {
        self.worst.refresh(scene.now_ms, scene.view);
        kiosk::draw(scene, buf, area, kiosk, turns, &self.worst);
    }

    fn open(&mut self, screen: Screen) {
        if screen == self.screen {
            return;
        }
        let from = std::mem::replace(&mut self.screen, screen);
        self.scroll = 0;
        self.search = Search::default();
        if self.is_main() {
            self.trail.clear();
            return;
        }
        if self.trail.len() == TRAIL {
            self.trail.remove(0);
        }
        self.trail.push(from);
    }

    /// Tells whether the rows of this screen are searched; the others lead to the customers.
    fn is_searched(&self) -> bool {
        matches!(self.screen, Screen::Audit | Screen::Releases | Screen::Preflight | Screen::Help | Screen::Plan)
    }

    /// Brings a row into sight, and selects it where the screen has a selection.
    fn show_row(&mut self, row: usize, view: &View) {
        match &self.screen {
            Screen::Audit => {
                let keys = self.audit_keys(view);
                self.audit.select(&keys, row);
            }
            Screen::Releases => {
                let names = self.release_names();
                self.releases.select(&names, row);
            }
            _ if row >= self.scroll && row < self.scroll + self.page => {}
            // Some rows before it say what it belongs to.
            _ => self.scroll = row.saturating_sub(self.page / 3),
        }
    }

    fn audit_keys(&self, view: &View) -> Vec<String> {
        let none = Audit::default();
        let lines = audit::lines(self.audit_closeup().unwrap_or(&none), &view.notices);
        lines.iter().map(audit::Line::key).collect()
    }

    fn release_names(&self) -> Vec<String> {
        self.releases_closeup().into_iter().flat_map(|releases| &releases.rows).map(|row| row.name.clone()).collect()
    }

    fn subject(&self) -> Option<Subject> {
        Some(match &self.screen {
            Screen::Customer(id) => Subject::Customer(id.clone()),
            Screen::Ring(name) => Subject::Ring(name.clone()),
            Screen::Drain => Subject::Drain,
            Screen::Audit => Subject::Audit,
            Screen::Releases => Subject::Releases,
            _ => return None,
        })
    }

    fn audit_closeup(&self) -> Option<&Audit> {
        match self.closeup.as_ref()?.closeup.as_ref()? {
            Closeup::Audit(audit) => Some(audit),
            _ => None,
        }
    }

    fn releases_closeup(&self) -> Option<&Releases> {
        match self.closeup.as_ref()?.closeup.as_ref()? {
            Closeup::Releases(releases) => Some(releases),
            _ => None,
        }
    }

    /// Returns the ring that is meant here: of the customer in sight, the selected one, the current one, the first.
    fn ring_here(&self, view: &View) -> Option<String> {
        let of_customer = match &self.screen {
            Screen::Customer(id) => view.customers.iter().find(|row| row.id == *id),
            Screen::Customers => self.customers.selected(view),
            _ => None,
        };
        let selected = self.ring.key().filter(|_| self.is_main()).map(str::to_owned);
        let current = view.rings.iter().find(|ring| ring.is_current).or_else(|| view.rings.first());
        of_customer.map(|row| row.ring.clone()).or(selected).or_else(|| Some(current?.name.clone()))
    }
}
