//! The judge: what the load's own records say about cuts, versions and drains.
//!
//! Cuts and switches are judged by the records alone. The Release's history only says which customers were to move, when
//! the run turned back, when a drain was claimed, and which phase a finding fell into.

use crate::record::{ASSET, Record, UNLISTED, Verdict};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A customer may be answered by both versions for this long while a change reaches the proxy.
pub const SWITCH: Duration = Duration::from_secs(2);

/// What the history is read from arrives a moment after it happened; on a busy machine, a long one.
const LATE: Duration = Duration::from_secs(1);

/// A drain that is claimed was over for the quiet time; so long before the claim was seen nothing may be open either.
const CLAIM: Duration = Duration::from_millis(300);

/// A change of the Release, as it was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When, since the load began.
    pub at: Duration,
    /// The Release.
    pub release: Value,
}

/// A change of version that a run makes, and the part of the load in which it does.
#[derive(Clone, Copy, Debug)]
pub struct Leg<'a> {
    /// The beginning of that part.
    pub from: Duration,
    /// Its end.
    pub to: Duration,
    /// The version that is left.
    pub source: &'a str,
    /// The version that is reached.
    pub target: &'a str,
}

/// One customer's change of version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The customer, or the unlisted.
    pub who: &'static str,
    /// The first start that the target answered.
    pub first: Duration,
    /// The last start that the source answered.
    pub last: Duration,
}

/// Somebody said that nothing of a version is open any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// When it was seen, since the load began.
    pub at: Duration,
    /// The version.
    pub version: String,
    /// Who said so.
    pub by: String,
}

impl Seen {
    /// The version the Release brings.
    pub fn version(&self) -> &str {
        self.release["spec"]["version"].as_str().unwrap_or_default()
    }

    /// The phase.
    pub fn phase(&self) -> &str {
        self.release["status"]["phase"].as_str().unwrap_or("Proposed")
    }

    fn wave(&self) -> u64 {
        self.release["status"]["wave"].as_u64().unwrap_or(0)
    }
}

impl Switch {
    /// How long after the first answer by the target the source still answered what was begun then; zero when the change
    /// was clean.
    pub fn window(&self) -> Duration {
        self.last.saturating_sub(self.first)
    }

    /// How long before the first answer by the target the source last answered; zero when both answered at the same time.
    pub fn gap(&self) -> Duration {
        self.first.saturating_sub(self.last)
    }
}

/// Describes every transaction that was cut, with the phases it began and ended in.
pub fn cuts(records: &[Record], history: &[Seen]) -> Vec<String> {
    let cut = records.iter().filter(|record| record.is_cut());
    cut.map(|record| {
        let version = if record.version.is_empty() { "no version" } else { &record.version };
        format!(
            "{} {} from {} to {} on {version}: {:?}",
            record.who(),
            record.path,
            moment(history, record.start),
            moment(history, record.end),
            record.verdict
        )
    })
    .collect()
}

/// Counts the answers that were 5xx.
pub fn server_errors(records: &[Record]) -> usize {
    records.iter().filter(|record| matches!(record.verdict, Verdict::ServerError(..))).count()
}

/// Finds when each customer changed the version in a leg; who was never on the source or not yet on the target has not.
pub fn switches(records: &[Record], leg: &Leg<'_>) -> Vec<Switch> {
    let mut last: BTreeMap<&'static str, Duration> = BTreeMap::new();
    for record in answered(records, leg.source).filter(|record| record.start < leg.to) {
        let start = last.entry(record.who()).or_insert(record.start);
        *start = record.start.max(*start);
    }
    let mut first: BTreeMap<&'static str, Duration> = BTreeMap::new();
    for record in answered(records, leg.target).filter(|record| record.start >= leg.from && record.start < leg.to) {
        let start = first.entry(record.who()).or_insert(record.start);
        *start = record.start.min(*start);
    }
    first.into_iter().filter_map(|(who, first)| Some(Switch { who, first, last: *last.get(who)? })).collect()
}

/// Finds the customers that were on two versions: for longer than a switch may take, or in more switches than the run
/// makes of them, which is one per leg for those that `moved` and none for the others.
pub fn on_two_versions(
    records: &[Record],
    legs: &[Leg<'_>],
    moved: &BTreeSet<String>,
    history: &[Seen],
) -> BTreeMap<&'static str, String> {
    let mut found = BTreeMap::new();
    for leg in legs {
        for switch in switches(records, leg).into_iter().filter(|switch| switch.window() > SWITCH) {
            found.insert(
                switch.who,
                format!(
                    "{} was on two versions for {:?}: first on {} at {}, last on {} at {}",
                    switch.who,
                    switch.window(),
                    leg.target,
                    moment(history, switch.first),
                    leg.source,
                    moment(history, switch.last)
                ),
            );
        }
    }
    for (who, changes) in changes(records) {
        let allowed = if moved.contains(who) { legs.len() } else { 0 };
        if changes.len() > allowed {
            let list: Vec<String> =
                changes.iter().map(|(at, to)| format!("to {to} at {}", moment(history, *at))).collect();
            let count = changes.len();
            found.entry(who).or_insert(format!("{who} changed {count} times, not {allowed}: {}", list.join(", ")));
        }
    }
    found
}

/// Reads from the history when a drain was claimed: the phase went on from draining, and not back.
pub fn claims(history: &[Seen]) -> Vec<Claim> {
    let mut claims = Vec::new();
    for pair in history.windows(2).filter(|pair| pair[0].version() == pair[1].version()) {
        let side = match pair[0].phase() {
            "DrainingOld" => "old",
            "DrainingNew" => "new",
            _ => continue,
        };
        if matches!(pair[1].phase(), "DrainingOld" | "DrainingNew" | "RollingBack") {
            continue;
        }
        let version = pair[1].release["status"]["frozen"][side]["version"].as_str().unwrap_or_default().to_owned();
        let by = format!("the Release, which went from {} to {}", pair[0].phase(), pair[1].phase());
        claims.push(Claim { at: pair[1].at, version, by });
    }
    claims
}

/// Reads from a screen which version's drain it calls proven.
pub fn proven_on(screen: &str) -> Option<&str> {
    screen.lines().find_map(|row| {
        let (_, title) = row.split_once(" drain ")?;
        let mut words = title.split_whitespace();
        let (side, version, proof) = (words.next()?, words.next()?, words.next()?);
        (matches!(side, "old" | "new") && proof == "proven").then_some(version)
    })
}

/// Compares every claim with the records: it is false while a transaction of the version is open.
///
/// The claim was made a moment before it was seen. A cut transaction without a version may be of any, so it counts.
pub fn false_drains(records: &[Record], claims: &[Claim]) -> Vec<String> {
    let mut found = Vec::new();
    for claim in claims {
        let of_version =
            |record: &&Record| record.version == claim.version || record.version.is_empty() && record.is_cut();
        let is_open = |record: &&Record| record.start < claim.at && record.end + CLAIM > claim.at;
        let mut open = records.iter().filter(|record| record.on_slots()).filter(of_version).filter(is_open);
        if let Some(first) = open.next() {
            found.push(format!(
                "{} was claimed drained at {:.3} s by {} while {} transactions were open there, one of them {first:?}",
                claim.version,
                claim.at.as_secs_f64(),
                claim.by,
                1 + open.count()
            ));
        }
    }
    found
}

/// When the rollback was begun; `None` in a run without one.
pub fn turn(history: &[Seen]) -> Option<Duration> {
    history.iter().find(|seen| seen.phase() == "RollingBack").map(|seen| seen.at)
}

/// Splits a run at its turn: one leg there, and one back if it turned.
pub fn legs<'a>(history: &[Seen], from: Duration, to: Duration, old: &'a str, new: &'a str) -> Vec<Leg<'a>> {
    match turn(history).map(|turn| turn.saturating_sub(LATE)) {
        None => vec![Leg { from, to, source: old, target: new }],
        Some(turn) => {
            vec![Leg { from, to: turn, source: old, target: new }, Leg { from: turn, to, source: new, target: old }]
        }
    }
}

/// Names who was moved to the new version.
pub fn moved(history: &[Seen]) -> BTreeSet<String> {
    courses(history).into_iter().filter(|(_, course)| course.leaves.is_some()).map(|(who, _)| who).collect()
}

/// Finds answers by a version that the history rules out, and answers on the assets by anything but the assets.
///
/// Before a customer's wave only the old version answers, from verified on only the new one, after a verified rollback
/// only the old one. In between either may. Returns how many were judged, and the findings.
pub fn versions(records: &[Record], history: &[Seen], old: &str, new: &str, assets: &str) -> (usize, Vec<String>) {
    let courses = courses(history);
    let mut judged = 0;
    let mut wrong = Vec::new();
    for record in records.iter().filter(|record| !record.is_cut()) {
        let expected = match courses.get(record.who()) {
            _ if record.path == ASSET => Some(assets),
            None => Some(old),
            Some(course) => expected(course, record.start, old, new),
        };
        let Some(expected) = expected else { continue };
        judged += 1;
        if record.version != expected {
            wrong.push(format!(
                "{} {} begun at {} was answered by {:?}, not {expected}; {:?}",
                record.who(),
                record.path,
                moment(history, record.start),
                record.version,
                courses.get(record.who())
            ));
        }
    }
    (judged, wrong)
}

/// The value that so many percent do not exceed.
pub fn percentile(values: &[Duration], percent: usize) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
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

/// What a version answered on the slots; a cut transaction counts as well once it has a version.
fn answered<'a>(records: &'a [Record], version: &'a str) -> impl Iterator<Item = &'a Record> {
    records.iter().filter(move |record| record.on_slots() && record.version == version)
}

/// Per customer, each change of version by start; changes within the time of one switch that lead to another version are
/// one, and such that lead back are two.
fn changes(records: &[Record]) -> BTreeMap<&'static str, Vec<(Duration, &str)>> {
    let mut starts: BTreeMap<&'static str, Vec<(Duration, &str)>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.on_slots() && !record.version.is_empty()) {
        starts.entry(record.who()).or_default().push((record.start, &record.version));
    }
    starts.into_iter().map(|(who, starts)| (who, collapse(starts))).collect()
}

fn collapse(mut starts: Vec<(Duration, &str)>) -> Vec<(Duration, &str)> {
    starts.sort_unstable();
    let mut changes = Vec::new();
    let Some((_, mut version)) = starts.first().copied() else { return changes };
    let mut rest = &starts[..];
    while let Some(next) = rest.iter().position(|(_, to)| *to != version) {
        let (at, to) = rest[next];
        let switch = &rest[next..];
        let len = switch.partition_point(|(start, _)| *start <= at + SWITCH);
        let (_, end) = switch[len - 1];
        if end == version {
            changes.push((at, to));
        }
        changes.push((at, end));
        version = end;
        rest = &switch[len..];
    }
    changes
}

/// A time with the phase the Release was in then.
fn moment(history: &[Seen], at: Duration) -> String {
    let seconds = at.as_secs_f64();
    match history.iter().rfind(|seen| seen.at <= at) {
        None => format!("{seconds:.3} s"),
        Some(seen) => format!("{seconds:.3} s ({} of {}, wave {})", seen.phase(), seen.version(), seen.wave()),
    }
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
