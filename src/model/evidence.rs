//! What is known, and how well: readings, findings, refusals.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An answer of the metrics source; only [`Reading::Value`] can satisfy anything.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading<T> {
    /// A complete answer.
    Value(T),
    /// The answer is not a number because nothing happened (0/0).
    NoTraffic,
    /// The source answered, but holds no such series.
    NoData,
    /// The source says that its answer is incomplete.
    Partial(String),
    /// The source could not be asked, or refused.
    Error(String),
}

impl<T> Reading<T> {
    /// Returns the value of a complete answer.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }

    /// Applies `f` to the value of a complete answer and keeps every other answer as it is.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Self::Value(value) => Reading::Value(f(value)),
            Self::NoTraffic => Reading::NoTraffic,
            Self::NoData => Reading::NoData,
            Self::Partial(why) => Reading::Partial(why),
            Self::Error(why) => Reading::Error(why),
        }
    }

    /// Says why there is no value; `None` for a complete answer.
    pub fn missing(&self) -> Option<String> {
        match self {
            Self::Value(_) => None,
            Self::NoTraffic => Some("no traffic".to_owned()),
            Self::NoData => Some("no data".to_owned()),
            Self::Partial(why) => Some(format!("partial data: {why}")),
            Self::Error(why) => Some(format!("metrics unavailable: {why}")),
        }
    }
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing.
    Note,
    /// May hurt; a person should look.
    Warn,
    /// The release must not start.
    Refuse,
}

/// One thing a check found, in a sentence that says what, where, why and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// How much it weighs.
    pub level: Level,
    /// The stable name of the check, such as `ring.unknown-customer`.
    pub check: String,
    /// The sentence.
    pub text: String,
}

impl Finding {
    /// Makes a finding that refuses the release.
    pub fn refuse(check: &str, text: impl Into<String>) -> Self {
        Self { level: Level::Refuse, check: check.to_owned(), text: text.into() }
    }

    /// Makes a warning.
    pub fn warn(check: &str, text: impl Into<String>) -> Self {
        Self { level: Level::Warn, check: check.to_owned(), text: text.into() }
    }

    /// Makes a note.
    pub fn note(check: &str, text: impl Into<String>) -> Self {
        Self { level: Level::Note, check: check.to_owned(), text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.level {
            Level::Note => "note",
            Level::Warn => "warning",
            Level::Refuse => "refused",
        };
        write!(f, "{word}: {} [{}]", self.text, self.check)
    }
}

/// Why an act may not happen now; all of them are shown, not the first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Refusal {
    /// The stable name of the rule, such as `guard.hold`.
    pub rule: String,
    /// What is, since when, and what can be done next.
    pub text: String,
}

impl Refusal {
    /// Makes a refusal of the named rule.
    pub fn new(rule: &str, text: impl Into<String>) -> Self {
        Self { rule: rule.to_owned(), text: text.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
