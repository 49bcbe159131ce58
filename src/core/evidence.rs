//! What the metrics source has shown so far, keyed by slot and pod.

mod counted;
mod coverage;
mod curves;
mod kin;
mod silence;
#[cfg(test)]
mod tests;
mod work;

pub use counted::Counted;
pub use coverage::{Coverage, FamilySeen};
pub use curves::Grid;
pub use kin::on_metrics;

use super::track::Track;
use crate::model::{Batch, CustomerId, Family, RawSeries, Reading, Series, Slot, Span, StreamKind, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How far back raw samples are kept, in milliseconds.
const HORIZON: i64 = 300_000;
/// The window over which rates and ratios on the screen are computed, in milliseconds.
const RATE_WINDOW: i64 = 15_000;
/// How many cells the graphs keep.
const CELLS: usize = 600;

/// Everything known from metrics.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pods: BTreeMap<(Slot, String), PodEvidence>,
    p99: BTreeMap<Slot, f64>,
    /// The oldest sample of the first round: what was first seen later was born later.
    since: Option<i64>,
    /// The newest sample of all, in milliseconds of the source's time, and when it came, on the console's clock.
    heard: Option<(i64, Timestamp)>,
    /// The last sample of the pods that were forgotten: what those have counted is not known any more.
    gone: BTreeMap<Slot, i64>,
    /// Why the last round has no complete answer.
    trouble: Option<String>,
    interval: Option<Span>,
    graphs: BTreeMap<(Slot, Shown), Series>,
    coverage: Coverage,
    work: work::Work,
}

/// Slot, pod, customer, and whether the requests failed.
type FinishedKey<'a> = (Slot, &'a str, Option<CustomerId>, bool);

/// A counter of finished requests: of whom, whether they failed, and the series.
type FinishedTrack<'a> = (&'a (Option<CustomerId>, bool), &'a Track);

/// What the graphs show of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// Open work.
    InFlight,
    /// Failed requests over all, a fraction.
    Errors,
    /// 99th percentile latency in seconds.
    Latency,
    /// Requests per second that start.
    Requests,
}

/// What is known of one pod.
#[derive(Clone, Debug, Default)]
struct PodEvidence {
    scrapes: VecDeque<i64>,
    started: BTreeMap<Option<CustomerId>, Track>,
    finished: BTreeMap<(Option<CustomerId>, bool), Track>,
    inflight: BTreeMap<StreamKind, Track>,
    by_customer: BTreeMap<CustomerId, (i64, f64)>,
    oldest: Option<(i64, f64)>,
    up: Option<Track>,
    /// When its youngest container started, as the API server says; its counters were zero then.
    born: Option<i64>,
    /// Whether it is known to be a pod of this plan.
    is_ours: bool,
}

/// Which requests are meant.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// All.
    Everybody,
    /// Those of one listed customer.
    Customer(&'a CustomerId),
    /// Those of the customers in this list.
    Among(&'a BTreeSet<CustomerId>),
    /// Those of nobody in this list.
    Unlisted(&'a BTreeSet<CustomerId>),
}

impl Who<'_> {
    fn holds(self, customer: Option<&CustomerId>) -> bool {
        match self {
            Self::Everybody => true,
            Self::Customer(wanted) => customer == Some(wanted),
            Self::Among(listed) => customer.is_some_and(|c| listed.contains(c)),
            Self::Unlisted(listed) => customer.is_none_or(|c| !listed.contains(c)),
        }
    }
}

impl Evidence {
    /// Takes in a round of metrics; `interval` is the plan's scrape interval, where it says one.
    pub fn take(&mut self, batch: &Batch, interval: Option<Span>) {
        self.coverage.take(batch);
        self.trouble = trouble(batch);
        if self.since.is_none() {
            self.since = batch
                .families
                .values()
                .filter_map(Reading::value)
                .flatten()
                .filter_map(|s| s.points.first().map(|(at, _)| *at))
                .min();
        }
        for (family, reading) in &batch.families {
            if let Reading::Value(series) = reading {
                self.take_family(*family, series);
            }
        }
        self.interval = interval.or_else(|| self.median_spacing());
        self.forget(batch.at);
        self.plot();
        self.note_work();
    }

    /// Forgets what is too old, by the source's own time: its newest sample, and what has passed here since that came.
    ///
    /// The console's clock alone would forget everything at once where it is minutes ahead of the source's.
    fn forget(&mut self, now: Timestamp) {
        let newest = self.pods.values().filter_map(|pod| pod.scrapes.back().copied()).max();
        if let Some(newest) = newest.filter(|newest| self.heard.is_none_or(|(last, _)| *newest > last)) {
            self.heard = Some((newest, now));
        }
        let passed = |since: Timestamp| (now.as_millisecond() - since.as_millisecond()).max(0);
        let horizon = self.heard.map_or(i64::MIN, |(newest, since)| newest + passed(since) - HORIZON);
        for pod in self.pods.values_mut() {
            pod.forget(horizon);
        }
        self.pods.retain(|(slot, _), pod| {
            let Some(last) = pod.scrapes.back().copied() else { return false };
            if last <= horizon {
                let gone = self.gone.entry(*slot).or_insert(last);
                *gone = last.max(*gone);
            }
            last > horizon
        });
    }

    fn take_family(&mut self, family: Family, series: &[RawSeries]) {
        if family == Family::LatencyP99 {
            self.p99.clear();
            for one in series {
                if let (Some(slot), Some((_, value))) = (one.slot, one.points.last())
                    && value.is_finite()
                {
                    self.p99.insert(slot, *value);
                }
            }
            return;
        }
        let mut sums: BTreeMap<FinishedKey<'_>, BTreeMap<i64, f64>> = BTreeMap::new();
        for one in series {
            let Some(slot) = one.slot else { continue };
            let pod = self.pods.entry((slot, one.pod.clone())).or_default();
            match family {
                Family::Started => {
                    let track = pod.started.entry(one.customer.clone()).or_default();
                    one.points.iter().for_each(|(at, value)| track.push(*at, *value));
                }
                Family::Finished => {
                    let cells = sums.entry((slot, &one.pod, one.customer.clone(), is_failure(one))).or_default();
                    one.points.iter().for_each(|(at, value)| *cells.entry(*at).or_default() += value);
                }
                Family::InFlight => {
                    let Some(kind) = one.kind else { continue };
                    let track = pod.inflight.entry(kind).or_default();
                    one.points.iter().for_each(|(at, value)| track.push(*at, *value));
                    pod.scraped(&one.points);
                }
                Family::InFlightByCustomer => {
                    if let (Some(customer), Some(point)) = (&one.customer, one.points.last()) {
                        pod.by_customer.insert(customer.clone(), *point);
                    }
                }
                Family::OldestAge => pod.oldest = one.points.last().copied(),
                Family::Up => {
                    let track = pod.up.get_or_insert_default();
                    one.points.iter().for_each(|(at, value)| track.push(*at, *value));
                }
                Family::LatencyP99 => {}
            }
        }
        for ((slot, pod, customer, failed), cells) in sums {
            let pod = self.pods.entry((slot, pod.to_owned())).or_default();
            let track = pod.finished.entry((customer, failed)).or_default();
            cells.into_iter().for_each(|(at, value)| track.push(at, value));
        }
    }

    /// Puts the newest figures into the graphs, once per scrape.
    fn plot(&mut self) {
        let step = self.interval.map_or(1000, |i| i.0.as_millis().try_into().unwrap_or(1000)).max(1000);
        for slot in Slot::ALL {
            let Some(at) = self.newest(slot) else { continue };
            let inflight = self.inflight(slot).map(|n| n as f64);
            let cells = [
                (Shown::InFlight, inflight),
                (Shown::Errors, self.error_ratio(slot, Who::Everybody)),
                (Shown::Latency, self.p99.get(&slot).copied()),
                (Shown::Requests, self.rate(slot, Who::Everybody)),
            ];
            for (shown, value) in cells {
                let graph = self.graphs.entry((slot, shown)).or_insert_with(|| Series::new(step, CELLS));
                if graph.step_ms() != step {
                    *graph = Series::new(step, CELLS);
                }
                graph.put(at, value);
            }
        }
    }

    /// Returns the age beyond which a sample is too old to act on: two intervals and 2 s.
    pub fn stale_after(&self) -> Option<Span> {
        self.interval.map(|i| Span(i.0 * 2 + std::time::Duration::from_secs(2)))
    }

    /// Returns what the last round brought.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Returns the customers whose requests a slot's counters name, pod by pod.
    pub fn customers(&self, slot: Slot) -> impl Iterator<Item = &CustomerId> {
        self.of(slot).flat_map(|(_, pod)| pod.started.keys().flatten())
    }

    /// Says why the last round has no complete answer.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Returns the time of a slot's newest sample, in milliseconds.
    pub fn newest(&self, slot: Slot) -> Option<i64> {
        self.of(slot).filter_map(|(_, pod)| pod.scrapes.back().copied()).max()
    }

    /// Returns the time of a pod's newest sample, in milliseconds.
    pub fn scraped_at(&self, slot: Slot, pod: &str) -> Option<i64> {
        self.pod(slot, pod)?.scrapes.back().copied()
    }

    /// Returns the times of a pod's samples after `from`, oldest first.
    pub fn scrapes_after(&self, slot: Slot, pod: &str, from: i64) -> Vec<i64> {
        self.pod(slot, pod).map_or_else(Vec::new, |p| p.scrapes.iter().copied().filter(|at| *at > from).collect())
    }

    /// Tells whether every scrape of a pod in `[from, now]` worked; `None` when the source does not say.
    pub fn was_up(&self, slot: Slot, pod: &str, from: i64) -> Option<bool> {
        let up = self.pod(slot, pod)?.up.as_ref()?;
        let low = up.increase(from, i64::MAX, false) > 0.0;
        Some(up.value() == Some(1.0) && !low)
    }

    /// Returns the largest open work of a kind on a pod in `[from, now]`; `None` when the series is not there.
    pub fn peak(&self, slot: Slot, pod: &str, kind: StreamKind, from: i64) -> Option<f64> {
        let pod = self.pod(slot, pod)?;
        let track = pod.inflight.get(&kind)?;
        // A gauge that was not in the last scrape says nothing any more; its last value is no zero.
        if pod.scrapes.back().is_some_and(|last| track.last() < *last) {
            return None;
        }
        track.peak(from, i64::MAX)
    }

    /// Returns the kinds a pod exports.
    pub fn kinds(&self, slot: Slot, pod: &str) -> Vec<StreamKind> {
        self.pod(slot, pod).map_or_else(Vec::new, |p| p.inflight.keys().copied().collect())
    }

    /// Returns how many requests started on a pod in `(from, now]`.
    pub fn started_on(&self, slot: Slot, pod: &str, who: Who<'_>, from: i64) -> f64 {
        self.pod(slot, pod).map_or(0.0, |p| self.started_in(p, who, from))
    }

    /// Returns how many requests started on a slot in `(from, now]`, also on pods that have ended since.
    pub fn started(&self, slot: Slot, who: Who<'_>, from: i64) -> f64 {
        // Of nothing the sum is -0.0, which people and programs would read as less than none.
        self.of(slot).map(|(_, pod)| self.started_in(pod, who, from)).sum::<f64>() + 0.0
    }

    /// Returns requests per second that start on a slot; `None` while nothing is known.
    pub fn rate(&self, slot: Slot, who: Who<'_>) -> Option<f64> {
        let newest = self.newest(slot)?;
        let oldest = self.of(slot).filter_map(|(_, pod)| pod.scrapes.front().copied()).min()?;
        let from = (newest - RATE_WINDOW).max(oldest);
        let span = newest - from;
        (span > 0).then(|| self.started(slot, who, from) / (span as f64 / 1000.0))
    }

    /// Returns failed over all finished requests of the last seconds; `None` = no requests, or nothing known.
    pub fn error_ratio(&self, slot: Slot, who: Who<'_>) -> Option<f64> {
        let from = self.newest(slot)? - RATE_WINDOW;
        let (mut failed, mut all) = (0.0, 0.0);
        for (_, pod) in self.of(slot) {
            for ((_, is_failed), track) in pod.finished_by(who) {
                let grown = self.grown(pod, track, from);
                all += grown;
                failed += if *is_failed { grown } else { 0.0 };
            }
        }
        (all > 0.0).then(|| failed / all)
    }

    /// Returns the open work of a slot; `None` while a pod that was sampled lately has no such series.
    pub fn inflight(&self, slot: Slot) -> Option<u64> {
        let newest = self.newest(slot)?;
        let pods: Vec<&PodEvidence> = self.fresh(slot, newest).collect();
        if pods.is_empty() || pods.iter().any(|pod| pod.inflight.is_empty()) {
            return None;
        }
        Some(to_count(pods.iter().flat_map(|pod| pod.inflight.values()).filter_map(Track::value).sum()))
    }

    /// Returns the open work of one kind on a slot; `None` = the kind is not exported.
    pub fn inflight_of(&self, slot: Slot, kind: StreamKind) -> Option<u64> {
        let newest = self.newest(slot)?;
        let found: Vec<f64> =
            self.fresh(slot, newest).filter_map(|pod| pod.inflight.get(&kind).and_then(Track::value)).collect();
        (!found.is_empty()).then(|| to_count(found.iter().sum()))
    }

    /// Returns the open work on a slot by customer, only those that have some; `None` while it is not known whose it is.
    pub fn survivors(&self, slot: Slot) -> Option<BTreeMap<CustomerId, u64>> {
        let mut sums: BTreeMap<CustomerId, f64> = BTreeMap::new();
        // The gauge exists only while above zero: that nothing came is no zero where the question was not answered.
        let newest = self.newest(slot).filter(|_| self.coverage.is_whole(Family::InFlightByCustomer))?;
        for pod in self.fresh(slot, newest) {
            let Some(at) = pod.scrapes.back() else { continue };
            for (customer, (seen, value)) in &pod.by_customer {
                // One that was not in the last scrape is over.
                if seen >= at && *value > 0.0 {
                    *sums.entry(customer.clone()).or_default() += value;
                }
            }
        }
        Some(sums.into_iter().map(|(customer, sum)| (customer, to_count(sum))).collect())
    }

    /// Returns the age of a slot's oldest open transaction in seconds, as of its last sample.
    pub fn oldest(&self, slot: Slot) -> Option<f64> {
        let newest = self.newest(slot)?;
        self.fresh(slot, newest).filter_map(|pod| pod.oldest).map(|(_, age)| age).reduce(f64::max)
    }

    /// Returns a graph's step in milliseconds and its cells up to `until`, oldest first.
    pub fn graph(&self, slot: Slot, shown: Shown, until: Timestamp, cells: usize) -> (i64, Vec<Option<f64>>) {
        match self.graphs.get(&(slot, shown)) {
            Some(graph) => (graph.step_ms(), graph.window(until.as_millisecond(), cells)),
            None => (1000, Vec::new()),
        }
    }

    fn started_in(&self, pod: &PodEvidence, who: Who<'_>, from: i64) -> f64 {
        if let Who::Customer(customer) = who {
            let track = pod.started.get(&Some(customer.clone()));
            return track.map_or(0.0, |track| self.grown(pod, track, from));
        }
        pod.started
            .iter()
            .filter(|(customer, _)| who.holds(customer.as_ref()))
            .map(|(_, track)| self.grown(pod, track, from))
            .sum()
    }

    /// Returns how much a counter of a pod grew after `from`.
    fn grown(&self, pod: &PodEvidence, track: &Track, from: i64) -> f64 {
        let sum = track.increase(from, i64::MAX, self.is_born(pod, track));
        match pod.born {
            // All that a container has counted, it has counted since it started; a value that is reached again after
            // a new start looks as if nothing had happened.
            Some(born) if born > from && track.last() >= born => sum.max(track.value().unwrap_or(0.0)),
            _ => sum,
        }
    }

    /// Tells whether a series was born before our eyes: later than its pod's first sample, or with a pod that came later.
    fn is_born(&self, pod: &PodEvidence, track: &Track) -> bool {
        let Some(first) = pod.scrapes.front() else { return false };
        let spacing = self.interval.map_or(1000, |i| i.0.as_millis().try_into().unwrap_or(1000));
        track.first() > *first || self.since.is_some_and(|since| *first > since + spacing * 3 / 2)
    }

    fn median_spacing(&self) -> Option<Span> {
        let mut gaps: Vec<i64> = self
            .pods
            .values()
            .flat_map(|pod| pod.scrapes.iter().zip(pod.scrapes.iter().skip(1)).map(|(a, b)| b - a))
            .collect();
        gaps.sort_unstable();
        let median = *gaps.get(gaps.len() / 2)?;
        Some(Span(std::time::Duration::from_millis(u64::try_from(median).ok()?)))
    }

    fn fresh(&self, slot: Slot, newest: i64) -> impl Iterator<Item = &PodEvidence> {
        let limit = self.stale_after().map_or(5000, |s| s.0.as_millis().try_into().unwrap_or(5000));
        self.of(slot).map(|(_, pod)| pod).filter(move |pod| pod.scrapes.back().is_some_and(|at| newest - at <= limit))
    }

    fn of(&self, slot: Slot) -> impl Iterator<Item = (&str, &PodEvidence)> {
        self.pods.iter().filter(move |((s, _), _)| *s == slot).map(|((_, name), pod)| (name.as_str(), pod))
    }

    fn pod(&self, slot: Slot, pod: &str) -> Option<&PodEvidence> {
        self.pods.get(&(slot, pod.to_owned()))
    }
}

/// Says in one sentence why a round has no complete answer: the first reason, and of what where the rest was answered.
fn trouble(batch: &Batch) -> Option<String> {
    let mut reasons = batch.families.iter().filter_map(|(family, reading)| match reading {
        Reading::Error(why) => Some((*family, "does not answer", why)),
        Reading::Partial(why) => Some((*family, "answers in part", why)),
        _ => None,
    });
    let (family, how, why) = reasons.next()?;
    let all = reasons.count() + 1 == batch.families.len();
    let what = if all { String::new() } else { format!(" for {}", family.words()) };
    Some(format!("the metrics source {how}{what} ({why})"))
}

impl PodEvidence {
    /// Returns the counters of finished requests of these customers; one customer's are found, not searched.
    fn finished_by<'a>(&'a self, who: Who<'a>) -> Box<dyn Iterator<Item = FinishedTrack<'a>> + 'a> {
        match who {
            Who::Customer(customer) => {
                let range = (Some(customer.clone()), false)..=(Some(customer.clone()), true);
                Box::new(self.finished.range(range))
            }
            who => Box::new(self.finished.iter().filter(move |((customer, _), _)| who.holds(customer.as_ref()))),
        }
    }

    fn scraped(&mut self, points: &[(i64, f64)]) {
        for (at, _) in points {
            if self.scrapes.back().is_none_or(|last| at > last) {
                self.scrapes.push_back(*at);
            }
        }
    }

    fn forget(&mut self, horizon: i64) {
        // The first sample's time stays: it tells which series were born later.
        while self.scrapes.get(1).is_some_and(|at| *at <= horizon) && self.scrapes.len() > 2 {
            self.scrapes.remove(1);
        }
        self.started.values_mut().chain(self.finished.values_mut()).for_each(|t| t.forget(horizon));
        self.inflight.values_mut().for_each(|t| t.forget(horizon));
        self.by_customer.retain(|_, (at, _)| *at > horizon);
    }
}

/// Tells whether a finished request failed: a server error, or cut.
fn is_failure(series: &RawSeries) -> bool {
    series.code.as_deref().is_some_and(|code| code == "cut" || code.starts_with('5'))
}

/// Turns a gauge into a count; a scrape may show fractions only by mistake.
fn to_count(value: f64) -> u64 {
    if value.is_finite() && value > 0.0 { value.round() as u64 } else { 0 }
}
