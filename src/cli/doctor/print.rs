//! The report as text: aligned, in words, 80 columns.

use super::{Area, Report, State};
use crate::ui::Safe;

/// How wide the text is.
const WIDTH: usize = 80;
/// Where sentences begin.
const INDENT: usize = 11;

impl State {
    /// Returns the word of the text.
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warn => "WARN",
            Self::Unknown => "UNKNOWN",
            Self::Refused => "REFUSED",
        }
    }
}

impl Area {
    /// Returns the heading of the text.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Files => "files",
            Self::Cluster => "cluster",
            Self::Crds => "custom resources",
            Self::Plan => "plan and customers",
            Self::Rights => "rights",
            Self::Slots => "slots",
            Self::Routes => "routes",
            Self::Gateway => "gateway and policies",
            Self::Metrics => "metrics",
        }
    }
}

impl Report {
    /// Writes the report for people; no line can do anything to a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut area = None;
        for line in &self.lines {
            if area != Some(line.area) {
                area = Some(line.area);
                out.push_str(&format!("{}\n", line.area.word()));
            }
            out.push_str(&block(&format!("  {:<INDENT$}", line.state.word()), &line.text));
        }
        out.push_str(&format!("\n{}\n", self.sum()));
        if !self.next.is_empty() {
            out.push_str(&block("next: ", &self.next));
        }
        out
    }

    fn sum(&self) -> String {
        let said = [
            (State::Refused, "refused"),
            (State::Unknown, "unknown"),
            (State::Warn, "to look at"),
            (State::Note, "to know"),
        ];
        let parts: Vec<String> = said
            .into_iter()
            .map(|(state, word)| (self.count(state), word))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        if parts.is_empty() { "all is well".to_owned() } else { parts.join(", ") }
    }
}

/// Writes a text behind a label, later lines indented as the first; a word longer than a line is not broken.
fn block(label: &str, text: &str) -> String {
    let safe = Safe::new(text).to_string();
    let indent = " ".repeat(label.chars().count());
    let mut out = label.to_owned();
    let mut used = label.chars().count();
    let mut is_first = true;
    for word in safe.split_whitespace() {
        let length = word.chars().count();
        if !is_first && used + 1 + length > WIDTH {
            out.push_str(&format!("\n{indent}"));
            used = indent.len();
        } else if !is_first {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
        is_first = false;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::super::Line;
    use super::super::walk::sorted;
    use super::*;

    #[test]
    fn the_text_is_aligned_in_words_and_no_line_is_wider_than_eighty_columns() {
        let line = |area, state, text: &str| Line::new(area, "x", state, text);
        let lines = sorted(vec![
            line(Area::Routes, State::Ok, "nothing"),
            line(Area::Terminal, State::Ok, "xterm"),
            line(Area::Routes, State::Refused, &"a word and another one ".repeat(6)),
        ]);
        let report = Report { lines, next: "kubectl apply -f 10-crds-rbac.yaml".into() };
        let text = report.text();
        assert_eq!(
            text,
            "terminal\n  ok         xterm\nroutes\n  REFUSED    a word and another one a word and another one a word and another\n             one a word and another one a word and another one a word and\n             another one\n  ok         nothing\n\n1 refused\nnext: kubectl apply -f 10-crds-rbac.yaml\n"
        );
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }

    #[test]
    fn foreign_text_cannot_act_on_a_terminal() {
        let lines = vec![Line::new(Area::Plan, "x", State::Warn, "a\x1b]0;owned\x07b\u{202e}c\nd")];
        let report = Report { lines, next: "x\x1b[2J".into() };
        let bad: Vec<char> =
            report.text().chars().filter(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}').collect();
        assert!(bad.is_empty(), "{bad:?}");
    }
}
