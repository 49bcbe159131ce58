//! Which version had to answer whom, and when: the load's records against the Release's own history.

use crate::record::{Record, UNLISTED, Verdict};
use color_eyre::eyre::{Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the history is read from arrives a moment after it happened.
const LATE: Duration = Duration::from_millis(300);

/// A change of the Release, as it was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When, since the load began.
    pub at: Duration,
    /// The Release.
    pub release: Value,
}

impl Seen {
    fn phase(&self) -> &str {
        self.release["status"]["phase"].as_str().unwrap_or("Proposed")
    }

    fn wave(&self) -> u64 {
        self.release["status"]["wave"].as_u64().unwrap_or(0)
    }
}

/// Between which times a customer must have been answered by which version.
#[derive(Debug)]
struct Course {
    /// The first sign of its shift: before, only the old version answers.
    leaves: Option<Duration>,
    /// Its wave is verified: from then on only the new version answers.
    arrived: Option<Duration>,
    /// The rollback was begun.
    returns: Option<Duration>,
    /// The rollback is verified: from then on only the old version answers.
    back: Option<Duration>,
}

/// Checks every transaction that reached the application's slots; returns how many were judged by version.
///
/// # Errors
/// Lists the first answers by a wrong version.
pub fn versions(records: &[Record], history: &[Seen], old: &str, new: &str) -> Result<usize> {
    let courses = courses(history);
    let mut judged = 0;
    let mut wrong = Vec::new();
    for record in records.iter().filter(|record| record.on_slots() && record.verdict == Verdict::Whole) {
        let customer = record.who();
        let expected = match courses.get(customer) {
            None => Some(old),
            Some(course) => expected(course, record.start, old, new),
        };
        let Some(expected) = expected else { continue };
        judged += 1;
        if record.version != expected {
            wrong.push(format!(
                "{customer} {} begun at {:.3} s was answered by {:?}, not {expected}; {:?}",
                record.path,
                record.start.as_secs_f64(),
                record.version,
                courses.get(customer)
            ));
        }
    }
    wrong.truncate(5);
    ensure!(wrong.is_empty(), "answered by a wrong version:\n{}", wrong.join("\n"));
    Ok(judged)
}

/// Counts the transactions that were cut; names the first.
pub fn cut(records: &[Record]) -> (usize, Option<&Record>) {
    let mut cut = records.iter().filter(|record| record.is_cut());
    let first = cut.next();
    (first.map_or(0, |_| 1 + cut.count()), first)
}

/// Per customer that was moved, how long after the first answer by the target the source still answered what was begun
/// then; zero when the change was clean.
pub fn windows(records: &[Record], source: &str, target: &str) -> BTreeMap<&'static str, Duration> {
    let starts = |version: &str| {
        let mut starts: BTreeMap<&'static str, (Duration, Duration)> = BTreeMap::new();
        for record in records.iter().filter(|record| record.version == version) {
            let (first, last) = starts.entry(record.who()).or_insert((record.start, record.start));
            *first = record.start.min(*first);
            *last = record.start.max(*last);
        }
        starts
    };
    let left = starts(source);
    let window = |customer: &str, first: Duration| {
        left.get(customer).map_or(Duration::ZERO, |(_, last)| last.saturating_sub(first))
    };
    starts(target).into_iter().map(|(customer, (first, _))| (customer, window(customer, first))).collect()
}

/// When the rollback was begun; `None` in a run without one.
pub fn turn(history: &[Seen]) -> Option<Duration> {
    history.iter().find(|seen| seen.phase() == "RollingBack").map(|seen| seen.at)
}

fn expected<'a>(course: &Course, start: Duration, old: &'a str, new: &'a str) -> Option<&'a str> {
    let before = |time: Option<Duration>| time.is_none_or(|time| start + LATE < time);
    let after = |time: Option<Duration>| time.is_some_and(|time| start > time);
    if before(course.leaves) || after(course.back) {
        return Some(old);
    }
    (after(course.arrived) && before(course.returns)).then_some(new)
}

fn courses(history: &[Seen]) -> BTreeMap<String, Course> {
    let first = |test: &dyn Fn(&Seen) -> bool| history.iter().find(|seen| test(seen)).map(|seen| seen.at);
    let returns = turn(history);
    let back = first(&|seen| matches!(seen.phase(), "DrainingNew" | "RetiringNew" | "RolledBack"));
    let Some(last) = history.last() else { return BTreeMap::new() };
    let mut courses = BTreeMap::new();
    for (wave, ring) in (1..).zip(last.release["status"]["frozen"]["waves"].as_array().into_iter().flatten()) {
        let moving = |seen: &Seen| matches!(seen.phase(), "Shifting" | "Promoting") && seen.wave() >= wave;
        let settled = |seen: &Seen| {
            seen.wave() > wave
                || seen.wave() == wave && matches!(seen.phase(), "Baking" | "Promoted" | "DrainingOld" | "Done")
        };
        let (leaves, arrived) = (first(&moving), first(&settled));
        let customers = ring["customers"].as_array().filter(|customers| !customers.is_empty());
        let names: Vec<String> = match customers {
            Some(customers) => customers.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect(),
            None => vec![UNLISTED.to_owned()],
        };
        for name in names {
            courses.insert(name, Course { leaves, arrived, returns: returns.filter(|_| leaves.is_some()), back });
        }
    }
    courses
}
