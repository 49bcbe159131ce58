//! Where the person is: which screen, what is selected on each, and how one leads to another.

use super::kiosk::{self, Kiosk};
use super::list::CustomerList;
use super::panel::customers::Worst;
use super::pick::Pick;
use super::scene::Scene;
use super::screen::frame::Said;
use super::screen::{
    Screen, Zoom, audit, customer, customers, drain, graphs, help, main, plan, preflight, releases, ring,
};
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
    scroll: usize,
    /// The rows of the list in sight.
    page: usize,
    size: (u16, u16),
    closeup: Option<Kept>,
    worst: Worst,
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

    /// Tells whether the preflight is shown.
    pub fn is_preflight(&self) -> bool {
        self.screen == Screen::Preflight
    }

    /// Returns the plan that is marked, while there are several to choose from.
    pub fn chosen_plan(&self, view: &View) -> Option<String> {
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
        self.open(screen);
        Ok(())
    }

    /// Opens what is selected; tells what is missing for it.
    pub fn open_selected(&mut self, view: &View) -> Result<(), &'static str> {
        match &self.screen {
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
                self.customers.narrow(format!("ring:{name}"));
                self.open(Screen::Customers);
                Ok(())
            }
            Screen::Releases => Err("the journal of the release under way is the audit"),
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
        if self.screen == Screen::Customers && self.customers.pick.key().is_some() {
            // The rows move again.
            self.customers.pick.clear();
        }
        self.screen = self.trail.pop().unwrap_or_default();
        self.scroll = 0;
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
                let none = Audit::default();
                let lines = audit::lines(self.audit_closeup().unwrap_or(&none), &view.notices);
                let keys: Vec<String> = lines.iter().map(audit::Line::key).collect();
                self.audit.step_from_shown(&keys, action, self.page);
            }
            Screen::Releases => {
                let rows = self.releases_closeup().map(|releases| releases.rows.clone()).unwrap_or_default();
                let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
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

    /// Points at the next panel or the one before, or shows the next graph or ring.
    pub fn turn(&mut self, forward: bool, view: &View) {
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
            _ => {}
        }
    }

    /// Returns what would be copied here: what it is, and the text.
    pub fn copyable(&self, view: &View) -> Option<(&'static str, String)> {
        match &self.screen {
            Screen::Main => Some(("the advice", view.advice.text.clone())),
            Screen::Customers => Some(("the customer's id", self.customers.selected(view)?.id.clone())),
            Screen::Customer(id) => Some(("the customer's id", id.clone())),
            Screen::Ring(name) => Some(("the ring's name", name.clone())),
            Screen::Preflight => Some(("the findings", preflight::as_text(view))),
            Screen::Audit => {
                let lines = audit::lines(self.audit_closeup()?, &view.notices);
                let keys: Vec<String> = lines.iter().map(audit::Line::key).collect();
                Some(("the record", lines.get(self.audit.index(&keys))?.text()))
            }
            Screen::Releases => {
                let rows = &self.releases_closeup()?.rows;
                let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
                Some(("the release's name", rows.get(self.releases.index(&names))?.name.clone()))
            }
            Screen::Drain => Some(("what is missing for the proof", view.drain.missing.join("\n"))),
            Screen::Graphs(_) | Screen::Plan | Screen::Help => None,
        }
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
        let top = self.scroll;
        let closeup = self.closeup.take();
        let known = closeup.as_ref().filter(|kept| Some(&kept.subject) == self.subject().as_ref());
        let known = known.and_then(|kept| kept.closeup.as_ref());
        let shown = match (&self.screen, known) {
            (Screen::Main, _) => {
                let plan = self.chosen_plan(scene.view);
                let shown = main::Shown { ring: self.ring.key(), plan, said, worst: &self.worst };
                main::draw(scene, buf, area, &shown);
                (0, 0)
            }
            (Screen::Customers, _) => {
                self.page = customers::draw(scene, buf, area, said, &mut self.customers);
                (self.page, 0)
            }
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
                (0, 0)
            }
            (Screen::Plan, _) => plan::draw(scene, buf, area, said, top),
            (Screen::Audit, Some(Closeup::Audit(audit))) => {
                (audit::draw(scene, buf, area, said, audit, &mut self.audit), 0)
            }
            (Screen::Audit, _) => (audit::draw(scene, buf, area, said, &Audit::default(), &mut self.audit), 0),
            (Screen::Preflight, _) => preflight::draw(scene, buf, area, said, top),
            (Screen::Releases, Some(Closeup::Releases(releases))) => {
                (releases::draw(scene, buf, area, said, releases, &mut self.releases), 0)
            }
            (Screen::Releases, _) => {
                (releases::draw(scene, buf, area, said, &Releases::default(), &mut self.releases), 0)
            }
            (Screen::Help, _) => help::draw(scene, buf, area, said, top),
        };
        self.closeup = closeup;
        self.page = shown.0;
        self.scroll = self.scroll.min(shown.1.saturating_sub(shown.0));
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
        if self.is_main() {
            self.trail.clear();
            return;
        }
        if self.trail.len() == TRAIL {
            self.trail.remove(0);
        }
        self.trail.push(from);
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
