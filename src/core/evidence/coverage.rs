//! What the last round of metrics brought, family by family and pod by pod: whether a release could rely on it.

use crate::model::{Batch, Family, RawSeries, Reading, Slot, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The last round, and the longest open transaction of all rounds.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    rounds: u64,
    at: Option<Timestamp>,
    families: BTreeMap<Family, FamilySeen>,
    longest: BTreeMap<Slot, f64>,
}

/// What a family's query brought.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilySeen {
    /// The answer without its series.
    pub reading: Reading<()>,
    /// How many series it holds.
    pub series: usize,
    /// How many of them name a customer.
    pub named: usize,
    /// The newest sample, in milliseconds; a computed value has the time of its evaluation.
    pub newest: Option<i64>,
    /// By pod; a computed series has none.
    pub pods: BTreeMap<String, PodSeen>,
}

/// What a family shows of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSeen {
    /// The slots that its series name.
    pub slots: BTreeSet<Slot>,
    /// Whether a series names no slot.
    pub unslotted: bool,
}

impl Coverage {
    /// Takes in a round.
    pub fn take(&mut self, batch: &Batch) {
        self.rounds += 1;
        self.at = Some(batch.at);
        self.families = batch.families.iter().map(|(family, reading)| (*family, seen(reading))).collect();
        let oldest = batch.families.get(&Family::OldestAge).and_then(Reading::value);
        for series in oldest.into_iter().flatten() {
            let Some(slot) = series.slot else { continue };
            let peak = series.points.iter().map(|(_, age)| *age).filter(|age| age.is_finite()).fold(0.0, f64::max);
            let longest = self.longest.entry(slot).or_default();
            *longest = longest.max(peak);
        }
    }

    /// Counts the rounds that came.
    pub fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Returns when the last round was asked, on the console's clock.
    pub fn at(&self) -> Option<Timestamp> {
        self.at
    }

    /// Returns what a family brought; `None` when it was not asked yet.
    pub fn family(&self, family: Family) -> Option<&FamilySeen> {
        self.families.get(&family)
    }

    /// Tells whether the last round has a complete answer about a family; that there is no such series is one.
    pub fn is_whole(&self, family: Family) -> bool {
        let reading = self.families.get(&family).map(|seen| &seen.reading);
        matches!(reading, Some(Reading::Value(()) | Reading::NoTraffic | Reading::NoData))
    }

    /// Returns every family that was asked.
    pub fn families(&self) -> impl Iterator<Item = (Family, &FamilySeen)> {
        self.families.iter().map(|(family, seen)| (*family, seen))
    }

    /// Returns the age of the oldest transaction that was ever open while this console looked, in seconds.
    pub fn longest(&self, slot: Slot) -> Option<f64> {
        self.longest.get(&slot).copied()
    }
}

fn seen(reading: &Reading<Vec<RawSeries>>) -> FamilySeen {
    let series = reading.value().map_or(&[][..], Vec::as_slice);
    let mut pods: BTreeMap<String, PodSeen> = BTreeMap::new();
    for one in series.iter().filter(|one| !one.pod.is_empty()) {
        if !pods.contains_key(&one.pod) {
            pods.insert(one.pod.clone(), PodSeen::default());
        }
        let Some(pod) = pods.get_mut(&one.pod) else { continue };
        match one.slot {
            Some(slot) => {
                pod.slots.insert(slot);
            }
            None => pod.unslotted = true,
        }
    }
    FamilySeen {
        reading: match reading {
            Reading::Value(_) => Reading::Value(()),
            Reading::NoTraffic => Reading::NoTraffic,
            Reading::NoData => Reading::NoData,
            Reading::Partial(why) => Reading::Partial(why.clone()),
            Reading::Error(why) => Reading::Error(why.clone()),
        },
        series: series.len(),
        named: series.iter().filter(|one| one.customer.is_some()).count(),
        newest: series.iter().filter_map(|one| one.points.last()).map(|(at, _)| *at).max(),
        pods,
    }
}
