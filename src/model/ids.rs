//! Names of things: customers, rings, slots, sides, versions, weights.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Makes the name from its text.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// Returns the text as it was given; it is foreign text and not safe to print.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

name_type! {
    /// Identifies a tenant of the service; the value requests carry in the customer header.
    CustomerId
}
name_type! {
    /// Names an ordered cohort of customers.
    RingName
}
name_type! {
    /// Names what is released, as in the label `app.kubernetes.io/version`.
    Version
}

/// One of the two permanent Deployment and Service pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// The pair `a`.
    A,
    /// The pair `b`.
    B,
}

impl Slot {
    /// Both slots, in order.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// Returns the other slot of the pair.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Returns the label value, `a` or `b`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// Reads a label value; anything but `a` and `b` is no slot.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "a" => Some(Self::A),
            "b" => Some(Self::B),
            _ => None,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The part a slot plays in one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The version that served when the release started.
    Old,
    /// The version being released.
    New,
}

impl Side {
    /// Returns the opposite side.
    pub fn other(self) -> Self {
        match self {
            Self::Old => Self::New,
            Self::New => Self::Old,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Old => "old",
            Self::New => "new",
        })
    }
}

/// A backend weight of an HTTPRoute rule; at rest the weights of a rule sum to [`Weight::FULL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(pub u32);

impl Weight {
    /// All requests of the rule.
    pub const FULL: Self = Self(100);
    /// No request of the rule.
    pub const NONE: Self = Self(0);
}

/// Turns a text into a DNS label (RFC 1123): lower case, digits and dashes, at most `max` characters.
pub fn dns_label(text: &str, max: usize) -> String {
    let mapped: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let cut: String = mapped.trim_matches('-').chars().take(max).collect();
    cut.trim_matches('-').to_owned()
}

/// Tells whether Kubernetes takes a text as the name of an object: a DNS subdomain (RFC 1123).
pub fn is_object_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-');
    text.len() <= 253 && text.split('.').all(is_part)
}

/// The longest value of a label, in bytes.
pub const MAX_LABEL: usize = 63;

/// Tells whether Kubernetes takes a text as the value of a label; the empty one, too.
pub fn is_label(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= MAX_LABEL && text.chars().all(in_label) && edge(bytes.first()) && edge(bytes.last())
}

/// Returns the value of a label that is nearest to a text; empty where nothing of it may stand there.
pub fn nearest_label(text: &str) -> String {
    // The `+` of a semantic version becomes `_` in labels and tags, as Helm does it.
    let mapped = text.chars().map(|c| {
        if in_label(c) {
            c
        } else if c == '+' {
            '_'
        } else {
            '-'
        }
    });
    let edge = |c: char| !c.is_ascii_alphanumeric();
    let cut: String = mapped.skip_while(|c| edge(*c)).take(MAX_LABEL).collect();
    cut.trim_end_matches(edge).to_owned()
}

fn in_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_object_is_a_dns_subdomain() {
        for text in ["shop", "a.b-c.d1", "1", &"a".repeat(253)] {
            assert!(is_object_name(text), "{text}");
        }
        for text in ["", "Bad Plan/x", "Shop", "a..b", "a.-b", "-a", "a-", "a_b", "a\n", &"a".repeat(254)] {
            assert!(!is_object_name(text), "{text}");
        }
    }

    #[test]
    fn a_label_has_letters_and_digits_at_both_ends() {
        for text in ["", "4.12.0", "v1_a-b.c", "x", &"1".repeat(63)] {
            assert!(is_label(text), "{text}");
        }
        for (text, near) in [
            ("4.12.1+7", "4.12.1_7"),
            ("a b", "a-b"),
            ("../x", "x"),
            ("x\u{1b}[31m", "x--31m"),
            ("-", ""),
            ("1.", "1"),
            ("ä1", "1"),
            (&"1".repeat(64), &"1".repeat(63)),
        ] {
            assert!(!is_label(text), "{text}");
            assert_eq!(nearest_label(text), near);
        }
    }

    #[test]
    fn dns_label_keeps_only_what_an_object_name_may_hold() {
        assert_eq!(dns_label("4.12.0", 63), "4-12-0");
        assert_eq!(dns_label("v1.2+Build_7", 63), "v1-2-build-7");
        assert_eq!(dns_label("--x--", 63), "x");
        assert_eq!(dns_label("abc-def", 4), "abc");
    }
}
