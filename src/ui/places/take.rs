//! What a person can take away from the screen he is on.

use super::Places;
use crate::core::View;
use crate::ui::export::{self, Export};
use crate::ui::screen::{Screen, audit, preflight};

impl Places {
    /// Returns the list on this screen as files; tells why there is none.
    pub fn export(&self, view: &View) -> Result<Export, &'static str> {
        let unread = "the list is being read: try again in a moment";
        match &self.screen {
            // A list that is not known is no list of nobody.
            Screen::Main | Screen::Customers if view.customers.is_empty() => Err("no customers are known here yet"),
            Screen::Main | Screen::Customers => Ok(export::customers(view, &self.customers.rows(view))),
            Screen::Audit => Ok(export::audit(view, self.audit_closeup().ok_or(unread)?)),
            Screen::Releases => Ok(export::releases(view, self.releases_closeup().ok_or(unread)?)),
            _ => Err("there is nothing to export here: customers, the journal and releases can be"),
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
                Some(("the record", lines.get(self.audit.index(&self.audit_keys(view)))?.text()))
            }
            Screen::Releases => {
                let names = self.release_names();
                Some(("the release's name", names.get(self.releases.index(&names))?.clone()))
            }
            Screen::Drain => Some(("what is missing for the proof", view.drain.missing.join("\n"))),
            Screen::Graphs(_) | Screen::Plan | Screen::Help => None,
        }
    }
}
