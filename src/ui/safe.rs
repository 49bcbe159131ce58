//! The one door through which text reaches a terminal, a title or a log line that people read.
//!
//! Names, labels and messages are foreign: a customer's name may hold an escape sequence that rewrites the screen, or a
//! bidi control that makes one name look like another.

use crate::model::shown;
use std::fmt;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The most characters one piece of text may show.
const MAX_CHARS: usize = 1000;
/// The most combining marks that may follow one another.
const MAX_MARKS: usize = 2;

/// Text that cannot move the cursor, change a colour, reorder or hide its neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Safe(String);

impl Safe {
    /// Cleans a text: line breaks and tabs become blanks, other control characters `?`; bidi controls, zero width and
    /// private use characters go; what is too long is cut and ends in `…`.
    pub fn new(text: &str) -> Self {
        Self::cleaned(text, MAX_CHARS)
    }

    /// Cleans a text of any length and cuts nothing, for lines of a log.
    pub fn whole(text: &str) -> Self {
        Self::cleaned(text, usize::MAX)
    }

    fn cleaned(text: &str, most: usize) -> Self {
        if text.len() <= most && text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Self(text.to_owned());
        }
        let mut out = String::with_capacity(text.len().min(most.saturating_mul(4)));
        let (mut count, mut marks) = (0, 0);
        for c in text.chars() {
            let Some(c) = shown(c) else { continue };
            let is_mark = c.width() == Some(0);
            marks = if is_mark { marks + 1 } else { 0 };
            if marks > MAX_MARKS || (is_mark && out.is_empty()) {
                continue;
            }
            if count == most {
                out.pop();
                out.push('…');
                break;
            }
            count += 1;
            out.push(c);
        }
        Self(out)
    }

    /// Cleans a text and writes it with ASCII only: typographic signs by their twins, everything else as `?`.
    pub fn ascii(text: &str) -> Self {
        let clean = Self::new(text).0;
        if clean.is_ascii() {
            return Self(clean);
        }
        let mut out = String::with_capacity(clean.len());
        for c in clean.chars() {
            match twin(c) {
                Some(twin) => out.push_str(twin),
                None if c.is_ascii() => out.push(c),
                None if c.width() == Some(0) => {}
                None => out.push('?'),
            }
        }
        Self(out)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the cells it takes.
    pub fn width(&self) -> usize {
        self.0.width()
    }

    /// Cuts the text to `cells`; a cut text ends in `end` where that fits.
    pub fn cut(self, cells: usize, end: &str) -> Self {
        if self.width() <= cells {
            return self;
        }
        let end = if end.width() <= cells { end } else { "" };
        let room = cells - end.width();
        let mut out = String::new();
        let mut used = 0;
        for c in self.0.chars() {
            let next = used + c.width().unwrap_or(0);
            if next > room {
                break;
            }
            used = next;
            out.push(c);
        }
        out.push_str(end);
        Self(out)
    }
}

impl fmt::Display for Safe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for Safe {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Returns the ASCII twin of a typographic sign.
fn twin(c: char) -> Option<&'static str> {
    Some(match c {
        '→' => "->",
        '←' => "<-",
        '↑' => "^",
        '↓' => "v",
        '≤' => "<=",
        '≥' => ">=",
        '…' => "...",
        '×' => "x",
        '·' | '•' => "-",
        '–' | '—' | '‑' | '−' => "-",
        '‘' | '’' => "'",
        '“' | '”' | '„' => "\"",
        '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' => " ",
        'µ' | 'μ' => "u",
        '▏' => "_",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Strings that have broken terminals, and what is left of them.
    const HOSTILE: &[(&str, &str)] = &[
        ("\x1b[2J\x1b[31mowned", "?[2J?[31mowned"),
        ("\x1b]0;title\x07", "?]0;title?"),
        ("\x1b]52;c;aGk=\x1b\\", "?]52;c;aGk=?\\"),
        ("\u{9b}2Jx", "?2Jx"),
        ("a\rb\nc\td", "a b c d"),
        ("back\x08space\x7f", "back?space?"),
        ("abc\u{202e}fed", "abcfed"),
        ("a\u{2066}b\u{2069}c", "abc"),
        ("ze\u{200b}ro\u{200d}w\u{feff}idth", "zerowidth"),
        ("soft\u{ad}hyphen", "softhyphen"),
        ("tag\u{e0041}\u{e007f}", "tag"),
        ("logo\u{f8ff}\u{e0b0}", "logo"),
        ("hangul\u{3164}filler", "hangulfiller"),
        ("line\u{2028}sep", "line sep"),
        ("nonchar\u{fffe}\u{1ffff}", "nonchar"),
        ("Zalgo e\u{301}\u{302}\u{303}\u{304}\u{305}", "Zalgo e\u{301}\u{302}"),
        ("\u{301}first", "first"),
        ("Łódź 東京", "Łódź 東京"),
    ];

    #[test]
    fn hostile_text_loses_what_makes_it_hostile() {
        for (given, left) in HOSTILE {
            assert_eq!(Safe::new(given).as_str(), *left, "{given:?}");
        }
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        let cut = Safe::new(&"x".repeat(5000));
        assert_eq!(cut.as_str().chars().count(), MAX_CHARS);
        assert!(cut.as_str().ends_with('…'));
        let exact = "x".repeat(MAX_CHARS);
        assert_eq!(Safe::new(&exact).as_str(), exact);
        assert_eq!(Safe::whole(&"ż".repeat(5000)).as_str(), "ż".repeat(5000));
    }

    #[test]
    fn cutting_counts_cells_not_characters() {
        assert_eq!(Safe::new("東京都").cut(5, "…").as_str(), "東京…");
        assert_eq!(Safe::new("東京都").cut(4, "…").as_str(), "東…");
        assert_eq!(Safe::new("abc").cut(3, "…").as_str(), "abc");
        assert_eq!(Safe::new("abcd").cut(3, "...").as_str(), "...");
        assert_eq!(Safe::new("abcd").cut(2, "...").as_str(), "ab");
        assert_eq!(Safe::new("abcd").cut(0, "…").as_str(), "");
    }

    #[test]
    fn ascii_mode_has_a_twin_for_every_sign_and_a_question_mark_for_the_rest() {
        assert_eq!(Safe::ascii("4.11 → 4.12 ≤1% …").as_str(), "4.11 -> 4.12 <=1% ...");
        assert_eq!(Safe::ascii("Łódź e\u{301}").as_str(), "??d? e");
    }

    proptest! {
        #[test]
        fn nothing_that_drives_a_terminal_survives(text in "\\PC*|.*|[\\x00-\\x{9f}]*") {
            for safe in [Safe::new(&text), Safe::ascii(&text), Safe::whole(&text)] {
                prop_assert!(!safe.as_str().chars().any(|c| c.is_control() || shown(c) != Some(c)));
                prop_assert_eq!(Safe::new(safe.as_str()), safe.clone());
                prop_assert!(safe.clone().cut(7, "…").width() <= 7);
            }
            prop_assert!(Safe::ascii(&text).as_str().is_ascii());
        }
    }
}
