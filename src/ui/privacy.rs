//! Names of customers replaced by short signs that stay the same, for screens that strangers can see.

use crate::core::{Closeup, EventRow, Subject, View};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// What may be shown instead of a customer's id: the same on every screen and every day.
pub(super) fn sign(id: &str) -> String {
    let hash = Sha256::digest(id);
    format!("c-{}", hash.iter().take(3).map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Replaces every customer's id and name in a view, also inside sentences.
pub fn view(view: &View) -> View {
    let mask = Mask::of(view);
    let mut view = view.clone();
    for row in &mut view.customers {
        row.id = sign(&row.id);
        row.name.clear();
    }
    for (id, _) in &mut view.drain.survivors {
        *id = sign(id);
    }
    mask.texts(&mut view.drain.missing);
    mask.texts(&mut view.header.stale);
    for text in [&mut view.drain.headline, &mut view.header.why, &mut view.advice.text, &mut view.way_out] {
        mask.text(text);
    }
    mask.events(&mut view.events);
    view.notices.iter_mut().for_each(|notice| mask.text(&mut notice.text));
    let findings = view.findings.iter_mut().chain(&mut view.preflight.findings);
    findings.for_each(|finding| mask.text(&mut finding.text));
    view.blocked.iter_mut().flat_map(|(_, why)| why).for_each(|refusal| mask.text(&mut refusal.text));
    if let Some(running) = &mut view.running {
        mask.text(&mut running.text);
    }
    view
}

/// Replaces the same in a close look at a subject of the view.
pub fn closeup(view: &View, mut closeup: Closeup) -> Closeup {
    let mask = Mask::of(view);
    match &mut closeup {
        Closeup::Customer(customer) => {
            mask.text(&mut customer.matched_by);
            customer.id = sign(&customer.id);
            mask.events(&mut customer.events);
        }
        Closeup::Ring(ring) => {
            ring.waves.iter_mut().flat_map(|wave| &mut wave.customers).for_each(|id| *id = sign(id));
        }
        Closeup::Audit(audit) => {
            for record in &mut audit.records {
                for text in [&mut record.what, &mut record.why, &mut record.evidence, &mut record.result] {
                    mask.text(text);
                }
            }
        }
        Closeup::Drain(_) | Closeup::Releases(_) => {}
    }
    closeup
}

/// Returns what a subject is called behind its sign.
pub(super) fn reveal(view: &View, subject: Subject) -> Subject {
    match subject {
        Subject::Customer(shown) => {
            let found = view.customers.iter().find(|row| sign(&row.id) == shown);
            Subject::Customer(found.map_or(shown, |row| row.id.clone()))
        }
        other => other,
    }
}

/// The ids and names that must not be seen.
struct Mask<'a>(HashSet<&'a str>);

impl<'a> Mask<'a> {
    fn of(view: &'a View) -> Self {
        let names = view.customers.iter().flat_map(|row| [row.id.as_str(), row.name.as_str()]);
        Self(names.filter(|name| !name.is_empty()).collect())
    }

    /// Replaces whole words, whatever stands around them.
    fn text(&self, text: &mut String) {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let bare = word.trim_end_matches('.');
            match self.0.contains(bare) {
                true => out.push_str(&format!("{}{}", sign(bare), &word[bare.len()..])),
                false => out.push_str(word),
            }
            let gap = after.find(is_word).unwrap_or(after.len());
            out.push_str(&after[..gap]);
            rest = &after[gap..];
        }
        *text = out;
    }

    fn texts(&self, texts: &mut [String]) {
        texts.iter_mut().for_each(|text| self.text(text));
    }

    fn events(&self, events: &mut [EventRow]) {
        for event in events {
            for text in [&mut event.what, &mut event.why, &mut event.result] {
                self.text(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::CustomerRow;

    #[test]
    fn ids_and_names_go_from_rows_and_sentences_and_keep_their_sign() {
        let row = CustomerRow { id: "acme-nordic".into(), name: "Acme".into(), ..CustomerRow::default() };
        let mut known = View { customers: vec![row], ..View::default() };
        known.advice.text = "requests of acme-nordic still start; Acme, too: acme-nordic. acme stays".to_owned();
        let seen = view(&known);
        let sign = sign("acme-nordic");
        assert_eq!(seen.customers[0].id, sign);
        assert!(
            !seen.advice.text.contains("acme-nordic") && !seen.advice.text.contains("Acme"),
            "{}",
            seen.advice.text
        );
        assert!(seen.advice.text.contains(&format!("{sign}. acme stays")), "{}", seen.advice.text);
        assert_eq!(reveal(&known, Subject::Customer(sign)), Subject::Customer("acme-nordic".to_owned()));
    }
}
