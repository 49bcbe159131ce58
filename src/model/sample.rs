//! Raw metric samples as they come from the metrics source.

use super::{CustomerId, Reading, Slot, StreamKind, Timestamp};
use std::collections::BTreeMap;

/// What a series counts; the metric behind it is named by the plan's profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Counter of requests, at their start, by customer.
    Started,
    /// Counter of requests, at their end, by customer and code.
    Finished,
    /// Gauge of open work by kind.
    InFlight,
    /// Gauge of open work by customer, only while above zero.
    InFlightByCustomer,
    /// Gauge of the age of the oldest open transaction, in seconds.
    OldestAge,
    /// Whether the last scrape of a pod worked: 1 or 0.
    Up,
    /// Computed 99th percentile latency of a slot, in seconds; one series per slot, no pod.
    LatencyP99,
}

impl Family {
    /// Every family, in the order they are asked for.
    pub const ALL: [Self; 7] = [
        Self::Started,
        Self::Finished,
        Self::InFlight,
        Self::InFlightByCustomer,
        Self::OldestAge,
        Self::Up,
        Self::LatencyP99,
    ];

    /// Says what it measures, for a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Started => "started requests",
            Self::Finished => "finished requests",
            Self::InFlight => "open work",
            Self::InFlightByCustomer => "open work by customer",
            Self::OldestAge => "the oldest transaction",
            Self::Up => "whether pods are scraped",
            Self::LatencyP99 => "the latency",
        }
    }
}

/// One series with its raw samples: true scrape times, never evaluation times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawSeries {
    /// The slot, from the target label; `None` when it is missing or no slot.
    pub slot: Option<Slot>,
    /// The pod; empty for computed series.
    pub pod: String,
    /// The customer label, where the family has one and it is not empty.
    pub customer: Option<CustomerId>,
    /// The code label of finished requests.
    pub code: Option<String>,
    /// The kind label of open work.
    pub kind: Option<StreamKind>,
    /// Samples as (milliseconds since the epoch, value), oldest first.
    pub points: Vec<(i64, f64)>,
}

/// A series of a query's answer: its labels and its points (milliseconds since the epoch, value), oldest first.
pub type LabelledPoints = (Vec<(String, String)>, Vec<(i64, f64)>);

/// One round of questions to the metrics source.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// When the round was asked, on the console's clock.
    pub at: Timestamp,
    /// The answers; a family that was not asked is absent.
    pub families: BTreeMap<Family, Reading<Vec<RawSeries>>>,
}
