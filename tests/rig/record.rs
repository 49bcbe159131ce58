//! What the load generator writes down about one transaction.

use std::time::Duration;

/// The path that is not on the slots.
pub const ASSET: &str = "/static/logo";

/// The name of everybody who is in no list.
pub const UNLISTED: &str = "unlisted";

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should.
    Whole,
    /// The gateway or the application answered with 5xx; what it said.
    ServerError(u16, String),
    /// No answer, another answer, half an answer, or a socket the client did not end.
    Broken(String),
}

/// One transaction.
#[derive(Clone, Debug)]
pub struct Record {
    /// The listed customer; `None` for the unlisted.
    pub customer: Option<&'static str>,
    /// The path, without its query.
    pub path: &'static str,
    /// Start, since the load began.
    pub start: Duration,
    /// End, since the load began.
    pub end: Duration,
    /// The version that answered; empty when nobody did.
    pub version: String,
    /// How it ended.
    pub verdict: Verdict,
}

impl Record {
    /// The customer's name; the unlisted count as one.
    pub fn who(&self) -> &'static str {
        self.customer.unwrap_or(UNLISTED)
    }

    /// Tells whether a release can move it: assets have a backend of their own.
    pub fn on_slots(&self) -> bool {
        self.path != ASSET
    }

    /// Tells whether it did not end as it should.
    pub fn is_cut(&self) -> bool {
        self.verdict != Verdict::Whole
    }
}
