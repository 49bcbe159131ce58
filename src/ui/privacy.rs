//! Names of customers replaced by short signs that stay the same, for screens that strangers can see.

use crate::core::{Closeup, EventRow, GateRow, RunningState, Subject, Verdict, View};
use crate::model::Finding;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};

/// What is said instead of a finding that quotes a list which nobody can read: whose names are in it is not known.
const UNREADABLE: &str = "customers.yaml cannot be read: `pilothouse doctor` quotes it";

/// What may be shown instead of a customer's id: the same on every screen and every day.
fn sign(id: &str) -> String {
    let hash = Sha256::digest(id);
    format!("c-{}", hash.iter().take(3).map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Everything by which a customer has ever been called at this console, and what is shown instead.
///
/// It only grows: a notice or a record may name a customer who has left every list since.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    signs: HashMap<String, String>,
    /// How long the names are, in bytes.
    lengths: BTreeSet<usize>,
}

impl Mask {
    /// Learns a name of a customer: the id itself, or what people say.
    pub fn learn(&mut self, name: &str, id: &str) {
        let name = name.trim();
        if self.signs.contains_key(name) || !name.contains(char::is_alphanumeric) {
            return;
        }
        self.signs.insert(name.to_owned(), sign(id));
        self.lengths.insert(name.len());
    }

    /// Replaces every customer's id and name in a view, also inside sentences.
    pub fn view(&mut self, view: &View) -> View {
        for row in &view.customers {
            self.learn(&row.id, &row.id);
            self.learn(&row.name, &row.id);
        }
        view.drain.survivors.iter().for_each(|(id, _)| self.learn(id, id));
        self.masked(view.clone())
    }

    fn masked(&self, mut view: View) -> View {
        for row in &mut view.customers {
            row.id = self.sign(&row.id);
            row.name.clear();
        }
        view.drain.survivors.iter_mut().for_each(|(id, _)| *id = self.sign(id));
        self.texts(&mut view.drain.missing);
        self.texts(&mut view.header.stale);
        for text in [&mut view.drain.headline, &mut view.header.why, &mut view.advice.text, &mut view.way_out] {
            self.text(text);
        }
        self.events(&mut view.events);
        self.gates(&mut view.gates);
        view.rings.iter_mut().for_each(|ring| self.verdict(&mut ring.verdict));
        view.notices.iter_mut().for_each(|notice| self.text(&mut notice.text));
        view.findings.iter_mut().for_each(|found| self.findings(found));
        self.findings(&mut view.preflight.findings);
        let missing = view.preflight.queries.iter_mut().filter_map(|query| query.missing.as_mut());
        missing.for_each(|missing| self.text(missing));
        let blocked = view.blocked.iter_mut().flat_map(|(_, why)| why);
        blocked.for_each(|refusal| self.found(&refusal.rule, &mut refusal.text));
        if let Some(running) = &mut view.running {
            self.text(&mut running.text);
            match &mut running.outcome {
                RunningState::Refused { why } => {
                    why.iter_mut().for_each(|refusal| self.found(&refusal.rule, &mut refusal.text));
                }
                RunningState::Stopped { why } => self.text(why),
                RunningState::Running | RunningState::Done => {}
            }
        }
        view
    }

    /// Replaces the same in a close look.
    pub fn closeup(&self, mut closeup: Closeup) -> Closeup {
        match &mut closeup {
            Closeup::Customer(customer) => {
                self.text(&mut customer.matched_by);
                customer.id = self.sign(&customer.id);
                customer.routes.iter_mut().for_each(|route| self.text(&mut route.accepted));
                self.events(&mut customer.events);
            }
            Closeup::Ring(ring) => {
                ring.waves.iter_mut().flat_map(|wave| &mut wave.customers).for_each(|id| *id = self.sign(id));
            }
            Closeup::Audit(audit) => {
                for record in &mut audit.records {
                    for text in [&mut record.what, &mut record.why, &mut record.evidence, &mut record.result] {
                        self.text(text);
                    }
                }
            }
            Closeup::Drain(_) | Closeup::Releases(_) => {}
        }
        closeup
    }

    /// Returns how a subject is called on the screen.
    pub(super) fn hide(&self, subject: Subject) -> Subject {
        match subject {
            Subject::Customer(id) => Subject::Customer(self.sign(&id)),
            other => other,
        }
    }

    fn sign(&self, id: &str) -> String {
        self.signs.get(id).cloned().unwrap_or_else(|| sign(id))
    }

    /// Replaces names wherever they stand by themselves, the longest first.
    fn text(&self, text: &mut String) {
        let mut out = String::with_capacity(text.len());
        let mut before = None;
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let found = self.name_at(before, rest);
            let (length, shown) = found.unwrap_or((first.len_utf8(), &rest[..first.len_utf8()]));
            out.push_str(shown);
            before = rest[..length].chars().next_back();
            rest = &rest[length..];
        }
        *text = out;
    }

    /// Returns the length of the name that a text begins with, and its sign.
    fn name_at(&self, before: Option<char>, rest: &str) -> Option<(usize, &str)> {
        let is_inside = before.is_some_and(char::is_alphanumeric) && rest.starts_with(char::is_alphanumeric);
        let lengths = self.lengths.range(..=rest.len()).rev().filter(|_| !is_inside);
        lengths.into_iter().find_map(|length| {
            let (name, after) = rest.split_at_checked(*length)?;
            let sign = self.signs.get(name)?;
            is_apart(before, name, after).then_some((*length, sign.as_str()))
        })
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

    fn gates(&self, gates: &mut [GateRow]) {
        gates.iter_mut().for_each(|gate| self.verdict(&mut gate.verdict));
    }

    fn verdict(&self, verdict: &mut Verdict) {
        match verdict {
            Verdict::Unknown(why) | Verdict::NoTraffic(why) => self.text(why),
            Verdict::Waiting | Verdict::Pass | Verdict::Fail => {}
        }
    }

    fn findings(&self, findings: &mut [Finding]) {
        findings.iter_mut().for_each(|finding| self.found(&finding.check, &mut finding.text));
    }

    fn found(&self, check: &str, text: &mut String) {
        match check {
            "customers.unreadable" => UNREADABLE.clone_into(text),
            _ => self.text(text),
        }
    }
}

/// Tells whether a name stands by itself. A number does not where dashes and dots make it part of something longer, such as
/// a version.
fn is_apart(before: Option<char>, name: &str, after: &str) -> bool {
    let joins = |c: char| matches!(c, '-' | '_' | '.');
    let next = after.chars().next();
    let is_inside = name.ends_with(char::is_alphanumeric) && next.is_some_and(char::is_alphanumeric);
    let is_number = !name.contains(char::is_alphabetic);
    let goes_on = after.trim_start_matches(joins).len() < after.len()
        && after.trim_start_matches(joins).starts_with(char::is_alphanumeric);
    !is_inside && !(is_number && (before.is_some_and(joins) || goes_on))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Action;
    use crate::core::{Audit, AuditRow, CustomerCloseup, CustomerRow, NoticeRow};
    use crate::model::Refusal;

    fn row(id: &str, name: &str) -> CustomerRow {
        CustomerRow { id: id.into(), name: name.into(), ..CustomerRow::default() }
    }

    fn masked(mask: &Mask, text: &str) -> String {
        let mut text = text.to_owned();
        mask.text(&mut text);
        text
    }

    #[test]
    fn ids_and_names_go_from_rows_and_sentences_and_keep_their_sign() {
        let mut known = View { customers: vec![row("acme-nordic", "Acme")], ..View::default() };
        known.advice.text = "requests of acme-nordic still start; Acme, too: acme-nordic. acme stays".to_owned();
        let seen = Mask::default().view(&known);
        let sign = sign("acme-nordic");
        assert_eq!(seen.customers[0].id, sign);
        assert_eq!(seen.advice.text, format!("requests of {sign} still start; {sign}, too: {sign}. acme stays"));
        assert_eq!(reveal(&known, Subject::Customer(sign)), Subject::Customer("acme-nordic".to_owned()));
    }

    #[test]
    fn an_id_of_any_characters_goes_wherever_it_stands_by_itself_and_no_other_word_does() {
        let mut mask = Mask::default();
        for id in ["acme/eu", "a@b", "urn:1", "acme", "=x", "4", "Łódź Ltd", "-"] {
            mask.learn(id, id);
        }
        for id in ["acme/eu", "a@b", "urn:1", "acme", "=x", "4", "Łódź Ltd"] {
            let sign = sign(id);
            assert_eq!(
                masked(&mask, &format!("x-id: {id}, ({id}) \"{id}\"; {id}: {id}.")),
                format!("x-id: {sign}, ({sign}) \"{sign}\"; {sign}: {sign}.")
            );
        }
        assert_eq!(masked(&mask, "why: acme-problem, acme's"), format!("why: {0}-problem, {0}'s", sign("acme")));
        for kept in ["acmeist and macme", "4.12.0 after 1.4, 3-4 of 40", "a@bc", "urn:12", "-"] {
            assert_eq!(masked(&mask, kept), kept);
        }
    }

    #[test]
    fn what_is_learned_beside_the_list_goes_from_every_sentence_and_stays_known() {
        let text = || "customers added since the start: NEWCORP".to_owned();
        let mut view = View::default();
        view.drain.survivors = vec![("zeta".into(), 1)];
        view.notices = vec![NoticeRow { text: text(), ..NoticeRow::default() }];
        view.rings = vec![crate::core::RingRow { verdict: Verdict::NoTraffic(text()), ..Default::default() }];
        view.gates = vec![GateRow { verdict: Verdict::Unknown(text()), ..GateRow::default() }];
        view.preflight.queries = vec![crate::core::QueryRow { missing: Some(text()), ..Default::default() }];
        view.preflight.findings = vec![Finding::warn("metrics.unknown-customers", text())];
        view.findings = Some(vec![Finding::refuse("customers.unreadable", "line 3: hooli: mapping expected")]);
        view.blocked = vec![(Action::Next, vec![Refusal::new("guard.verify", "requests of zeta still start")])];
        let mut mask = Mask::default();
        mask.learn("NEWCORP", "NEWCORP");
        let seen = serde_json::to_string(&mask.view(&view)).unwrap();
        for name in ["NEWCORP", "zeta", "hooli"] {
            assert!(!seen.contains(name), "{name}: {seen}");
        }
        let journal = Audit {
            records: vec![AuditRow { evidence: "open: zeta 3".into(), ..AuditRow::default() }],
            ..Audit::default()
        };
        let customer =
            CustomerCloseup { id: "NEWCORP".into(), matched_by: "x-id: NEWCORP".into(), ..CustomerCloseup::default() };
        for closeup in [Closeup::Audit(journal), Closeup::Customer(customer)] {
            let seen = serde_json::to_string(&mask.closeup(closeup)).unwrap();
            assert!(!seen.contains("zeta") && !seen.contains("NEWCORP"), "{seen}");
        }
    }
}
