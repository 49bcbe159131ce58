//! The words that narrow the list of customers, such as `ring:early ver:4.12 err>1`.
//!
//! What cannot be read is said and never lost: it stays in the text, and it narrows nothing.

use crate::core::{CustomerRow, View};
use crate::model::Side;

/// A filter as it was typed, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Filter {
    terms: Vec<Term>,
    problems: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    is_not: bool,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Text(String),
    Is(Field, String),
    Compares(Figure, Comparison, f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Field {
    Id,
    Name,
    Ring,
    Version,
    Want,
    Seen,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Figure {
    /// In percent, as it is shown.
    Errors,
    Open,
    Requests,
    Wave,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
}

const FIELDS: &[(&str, Field)] = &[
    ("id", Field::Id),
    ("name", Field::Name),
    ("ring", Field::Ring),
    ("ver", Field::Version),
    ("want", Field::Want),
    ("seen", Field::Seen),
];

const FIGURES: &[(&str, Figure)] =
    &[("err", Figure::Errors), ("open", Figure::Open), ("rps", Figure::Requests), ("wave", Figure::Wave)];

/// The longer ones first: each is looked for in this order.
const COMPARISONS: &[(&str, Comparison)] = &[
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    (">", Comparison::Above),
    ("<", Comparison::Below),
    ("=", Comparison::Equal),
];

impl Filter {
    /// Reads a filter; every word narrows the list further.
    pub fn parse(text: &str) -> Self {
        let mut filter = Self::default();
        for word in text.split_whitespace() {
            let (is_not, rest) = match word.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, word),
            };
            match test(rest) {
                Ok(Some(test)) => filter.terms.push(Term { is_not, test }),
                Ok(None) => {}
                Err(problem) => filter.problems.push(problem),
            }
        }
        filter
    }

    /// Returns why parts of the text narrow nothing.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Tells whether a customer passes every word that could be read.
    pub fn matches(&self, view: &View, row: &CustomerRow) -> bool {
        self.terms.iter().all(|term| holds(&term.test, view, row) != term.is_not)
    }
}

fn test(word: &str) -> Result<Option<Test>, String> {
    if word.is_empty() {
        return Ok(None);
    }
    if let Some((at, sign, comparison)) =
        COMPARISONS.iter().find_map(|(sign, comparison)| Some((word.find(sign)?, *sign, *comparison)))
    {
        let (key, value) = (&word[..at], &word[at + sign.len()..]);
        let Some((_, figure)) = FIGURES.iter().find(|(name, _)| *name == key.to_lowercase()) else {
            return Err(format!("{word}: there is no figure {key:?}; figures are err, open, rps, wave"));
        };
        return match value.trim_end_matches('%').parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(Test::Compares(*figure, comparison, number))),
            _ if value.is_empty() => Err(format!("{word}: a number is missing, such as {key}{sign}1")),
            _ => Err(format!("{word}: {value:?} is no number, such as {key}{sign}1")),
        };
    }
    let Some((key, value)) = word.split_once(':') else { return Ok(Some(Test::Text(word.to_lowercase()))) };
    let Some((_, field)) = FIELDS.iter().find(|(name, _)| *name == key.to_lowercase()) else {
        return Err(format!("{word}: there is no field {key:?}; fields are id, name, ring, ver, want, seen"));
    };
    if value.is_empty() {
        return Err(format!("{word}: what should {key} be?"));
    }
    if *field == Field::Seen && !matches!(value, "yes" | "no" | "silent") {
        return Err(format!("{word}: seen is yes or silent"));
    }
    Ok(Some(Test::Is(*field, value.to_lowercase())))
}

fn holds(test: &Test, view: &View, row: &CustomerRow) -> bool {
    let has = |text: &str, part: &str| text.to_lowercase().contains(part);
    match test {
        Test::Text(part) => has(&row.id, part) || has(&row.name, part) || has(&row.ring, part),
        Test::Is(Field::Id, part) => has(&row.id, part),
        Test::Is(Field::Name, part) => has(&row.name, part),
        Test::Is(Field::Ring, part) => row.ring.to_lowercase().starts_with(part),
        Test::Is(Field::Version, part) => is_version(view, row.now, part),
        Test::Is(Field::Want, part) => is_version(view, row.want, part),
        Test::Is(Field::Seen, part) => row.seen == Some(part == "yes"),
        Test::Compares(figure, comparison, number) => {
            let value = match figure {
                Figure::Errors => row.errors.map(|errors| errors * 100.0),
                Figure::Open => row.inflight_left.map(|open| open as f64),
                Figure::Requests => row.rps,
                Figure::Wave => Some(f64::from(row.wave)),
            };
            // What is unknown is neither above nor below anything.
            value.is_some_and(|value| compares(value, *comparison, *number))
        }
    }
}

/// Tells whether a side's version begins with a text, or the side is called so; `?` asks for the unknown.
fn is_version(view: &View, side: Option<Side>, part: &str) -> bool {
    let Some(side) = side else { return part == "?" };
    let version = match side {
        Side::Old => &view.header.old_version,
        Side::New => &view.header.new_version,
    };
    side.to_string() == part || version.to_lowercase().starts_with(part)
}

fn compares(value: f64, comparison: Comparison, number: f64) -> bool {
    match comparison {
        Comparison::Above => value > number,
        Comparison::AtLeast => value >= number,
        Comparison::Below => value < number,
        Comparison::AtMost => value <= number,
        Comparison::Equal => (value - number).abs() < 1e-9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&'static str> {
        let mut view = View::default();
        (view.header.old_version, view.header.new_version) = ("4.11.8".to_owned(), "4.12.0".to_owned());
        let row = |id: &str, ring: &str, now: Option<Side>, errors: Option<f64>, open: u64| CustomerRow {
            id: id.to_owned(),
            name: id.to_uppercase(),
            ring: ring.to_owned(),
            now,
            errors,
            inflight_left: Some(open),
            seen: Some(open > 0),
            ..CustomerRow::default()
        };
        let rows = [
            ("acme", row("acme", "early", Some(Side::New), Some(0.041), 7)),
            ("globex", row("globex", "early", Some(Side::Old), Some(0.002), 0)),
            ("hooli", row("hooli", "main", None, None, 3)),
        ];
        let filter = Filter::parse(text);
        rows.iter().filter(|(_, row)| filter.matches(&view, row)).map(|(id, _)| *id).collect()
    }

    #[test]
    fn words_narrow_by_ring_version_errors_and_text() {
        assert_eq!(found("ring:early ver:4.12 err>1"), ["acme"]);
        assert_eq!(found("ver:old"), ["globex"]);
        assert_eq!(found("ver:?"), ["hooli"]);
        assert_eq!(found("err<=0.2%"), ["globex"]);
        assert_eq!(found("open>=3 !ring:early"), ["hooli"]);
        assert_eq!(found("GLOB"), ["globex"]);
        assert_eq!(found("seen:silent"), ["globex"]);
        assert_eq!(found("").len(), 3);
        assert_eq!(found("name:hoo"), ["hooli"]);
    }

    #[test]
    fn what_is_unknown_is_neither_above_nor_below() {
        assert!(!found("err>0").contains(&"hooli") && !found("err<100").contains(&"hooli"));
    }

    #[test]
    fn a_word_that_cannot_be_read_is_said_and_narrows_nothing() {
        for (text, says) in [
            ("rinh:early", "there is no field \"rinh\""),
            ("errr>1", "there is no figure \"errr\""),
            ("err>", "a number is missing"),
            ("err>x", "\"x\" is no number"),
            ("ring:", "what should ring be?"),
            ("seen:maybe", "seen is yes or silent"),
        ] {
            let filter = Filter::parse(text);
            assert!(filter.problems().concat().contains(says), "{text}: {:?}", filter.problems());
            assert_eq!(found(text).len(), 3, "{text}");
        }
        assert_eq!(found("nonsense>1 ring:main"), ["hooli"]);
    }
}
