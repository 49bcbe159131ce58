//! Whether metrics would carry a release: every pod that serves shows every family, fresh, under the right slot.
//!
//! What a shift is verified by and a drain proven by refuses the start when it is missing; what people only look at is
//! a warning.

use super::Looked;
use crate::core::evidence::Counted;
use crate::core::world::PodView;
use crate::model::{
    CustomerId, Family, Finding, GateKind, MetricNames, MetricsEndpoint, Reading, Slot, StreamKind, StreamPolicy,
};
use crate::routing::some_of;
use std::collections::{BTreeMap, BTreeSet};

/// Checks the metrics source and what it shows of the serving slot; `listed` are the customers of the plan.
pub fn findings(looked: &Looked<'_>, listed: &BTreeSet<CustomerId>) -> Vec<Finding> {
    let plan = looked.plan;
    if plan.metrics.endpoint == MetricsEndpoint::None {
        return vec![Finding::refuse(
            "metrics.none",
            "the plan names no metrics source: without one no shift can be verified and no drain proven; set spec.metrics.source",
        )];
    }
    if looked.evidence.coverage().rounds() == 0 {
        return vec![Finding::refuse(
            "metrics.waiting",
            format!(
                "the metrics source has not answered yet: wait a moment; if this stays, look at spec.metrics.source of RolloutPlan {}",
                plan.name
            ),
        )];
    }
    let broken = unanswered(looked);
    let mut findings = broken.clone();
    if broken.is_empty() {
        findings.extend(pods(looked));
        findings.extend(customers(looked, listed));
        findings.extend(figures(looked));
    }
    findings
}

/// Returns the configured name of a family's metric.
pub fn metric_of(family: Family, names: &MetricNames) -> String {
    match family {
        Family::Started => names.started.clone(),
        Family::Finished => names.finished.clone(),
        Family::InFlight => names.inflight.clone(),
        Family::InFlightByCustomer => names.inflight_by_customer.clone(),
        Family::OldestAge => names.oldest.clone(),
        Family::Up => "up".to_owned(),
        Family::LatencyP99 => format!("{}_bucket", names.duration),
    }
}

/// Says which queries have no complete answer, one sentence per reason.
fn unanswered(looked: &Looked<'_>) -> Vec<Finding> {
    let names = &looked.plan.metrics.names;
    let mut reasons: BTreeMap<(bool, &str), Vec<String>> = BTreeMap::new();
    let mut asked = 0;
    for (family, seen) in looked.evidence.coverage().families() {
        asked += 1;
        let reason = match &seen.reading {
            Reading::Error(why) => (false, why.as_str()),
            Reading::Partial(why) => (true, why.as_str()),
            _ => continue,
        };
        reasons.entry(reason).or_default().push(metric_of(family, names));
    }
    reasons
        .into_iter()
        .map(|((is_partial, why), metrics)| {
            let what = if metrics.len() == asked { "every query".to_owned() } else { some_of(&metrics) };
            if is_partial {
                return Finding::refuse(
                    "metrics.partial",
                    format!(
                        "the metrics source says that its answer is incomplete ({why}) for {what}: what is missing would look like silence; mend the source before a release"
                    ),
                );
            }
            Finding::refuse(
                "metrics.unavailable",
                format!(
                    "the metrics source does not answer {what} ({why}): no shift could be verified and no drain proven; look at spec.metrics of RolloutPlan {}",
                    looked.plan.name
                ),
            )
        })
        .collect()
}

/// Checks every pod of the serving slot.
fn pods(looked: &Looked<'_>) -> Vec<Finding> {
    let Some(active) = looked.active else { return Vec::new() };
    let all = looked.world.pods(&looked.plan.component, active);
    let pods: Vec<&PodView> = all.filter(|pod| pod.running && !pod.terminated && !pod.deleting).collect();
    let mut all = Sorted { of: pods.len(), slot: active, found: BTreeMap::new() };
    for pod in &pods {
        for (complaint, said) in complaints(looked, active, pod) {
            all.found.entry((complaint, said)).or_default().push(pod.name.clone());
        }
    }
    let mut findings = all.into_findings(looked);
    if !pods.is_empty() && pods.iter().all(|pod| looked.evidence.counted(active, &pod.name) == Counted::Untouched) {
        findings.push(Finding::warn(
            "metrics.no-request-yet",
            format!(
                "no pod of slot {active} has served a request yet: whether {} is exported and names the customer cannot be seen before the first one",
                looked.plan.metrics.names.started
            ),
        ));
    }
    findings
}

/// What can be wrong with the metrics of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Complaint {
    Unsampled,
    Unslotted,
    OtherSlot,
    Old,
    Kinds,
    Uncounted,
    Up,
    Oldest,
}

/// The pods of a slot by what is wrong with them: one sentence for all that have the same.
struct Sorted {
    of: usize,
    slot: Slot,
    found: BTreeMap<(Complaint, String), Vec<String>>,
}

fn complaints(looked: &Looked<'_>, slot: Slot, pod: &PodView) -> Vec<(Complaint, String)> {
    let (evidence, name) = (looked.evidence, pod.name.as_str());
    let seen = evidence.coverage().family(Family::InFlight).and_then(|family| family.pods.get(name));
    let Some(seen) = seen else { return vec![(Complaint::Unsampled, String::new())] };
    if seen.unslotted {
        return vec![(Complaint::Unslotted, String::new())];
    }
    let others: Vec<String> = seen.slots.iter().filter(|other| **other != slot).map(Slot::to_string).collect();
    if let Some(other) = others.first() {
        return vec![(Complaint::OtherSlot, other.clone())];
    }
    let mut found = Vec::new();
    let limit = looked.stale_after();
    let age = evidence.scraped_at(slot, name).map(|at| (looked.at.as_millisecond() - at).max(0));
    if age.is_none_or(|age| age > limit) {
        // Ages differ from pod to pod; the oldest one is said.
        found.push((Complaint::Old, String::new()));
    }
    let missing: Vec<&str> = StreamKind::ALL
        .into_iter()
        .filter(|kind| looked.plan.drain.policy(*kind) == StreamPolicy::Wait)
        .filter(|kind| evidence.peak(slot, name, *kind, i64::MIN).is_none())
        .map(StreamKind::as_str)
        .collect();
    if !missing.is_empty() {
        found.push((Complaint::Kinds, missing.join(", ")));
    }
    if let Counted::Missing(why) = evidence.counted(slot, name) {
        found.push((Complaint::Uncounted, why.to_owned()));
    }
    if evidence.was_up(slot, name, i64::MIN).is_none() {
        found.push((Complaint::Up, String::new()));
    }
    let oldest = evidence.coverage().family(Family::OldestAge);
    if oldest.is_none_or(|family| !family.pods.contains_key(name)) {
        found.push((Complaint::Oldest, String::new()));
    }
    found
}

impl Sorted {
    fn into_findings(self, looked: &Looked<'_>) -> Vec<Finding> {
        let names = &looked.plan.metrics.names;
        let (slot, of) = (self.slot, self.of);
        let sentence = |((complaint, said), pods): ((Complaint, String), Vec<String>)| {
            let first = pods.first().map_or("", String::as_str);
            let who = match pods.len() {
                1 => format!("pod {first} of slot {slot}"),
                count => format!("{count} of {of} pods of slot {slot} (first {first})"),
            };
            let (s, is, their) = if pods.len() == 1 { ("s", "is", "its") } else { ("", "are", "their") };
            let inflight = &names.inflight;
            match complaint {
                Complaint::Unsampled => Finding::refuse(
                    "metrics.pod",
                    format!(
                        "{who} ha{} no sample of {inflight}: nothing is known of {their} open work, and no drain could be proven; let the metrics source scrape every pod of the slot and keep the labels {} and {}",
                        if pods.len() == 1 { "s" } else { "ve" },
                        names.label_namespace,
                        names.label_pod
                    ),
                ),
                Complaint::Unslotted => Finding::refuse(
                    "metrics.slot-label",
                    format!(
                        "samples of {who} name no slot: label {} of {inflight} is missing or is neither {:?} nor {:?}; map the pod label pilothouse.dev/slot to it in the scrape configuration, or set metrics.labels.slot of the plan",
                        names.label_slot, looked.plan.metrics.slot_values[0], looked.plan.metrics.slot_values[1]
                    ),
                ),
                Complaint::OtherSlot => Finding::refuse(
                    "metrics.slot-ambiguous",
                    format!(
                        "{who} {is} counted for slot {said} by label {} of {inflight}: evidence would be of the wrong version; correct that label in the scrape configuration",
                        names.label_slot
                    ),
                ),
                Complaint::Old => Finding::refuse(
                    "metrics.old",
                    format!(
                        "the newest sample of {inflight} of {who} is {}, and more than {} is too old to act on: look at the targets of the metrics source",
                        self.oldest_age(looked, &pods),
                        crate::model::Span::millis(u64::try_from(looked.stale_after()).unwrap_or(0))
                    ),
                ),
                Complaint::Kinds => Finding::refuse(
                    "metrics.kinds",
                    format!(
                        "{who} export{s} no {inflight} of {} {said}: such work would stay unknown and no drain could be proven; export every kind, 0 explicitly",
                        names.label_kind
                    ),
                ),
                Complaint::Uncounted => Finding::refuse(
                    "metrics.started",
                    format!(
                        "{who} export{s} no {}, although {said}: no shift could be verified; count each request at its start, or set metrics.names.started of the plan",
                        names.started
                    ),
                ),
                Complaint::Up => Finding::refuse(
                    "metrics.up",
                    format!(
                        "the metrics source has no up of {who}: whether {their} scrapes work is not known, and no drain could be proven; keep the labels {} and {} on up",
                        names.label_pod, names.label_slot
                    ),
                ),
                Complaint::Oldest => Finding::warn(
                    "metrics.oldest",
                    format!(
                        "{who} export{s} no {}: how long the oldest open transaction lasts cannot be shown; export it, 0 when nothing is open",
                        names.oldest
                    ),
                ),
            }
        };
        self.found.clone().into_iter().map(sentence).collect()
    }

    fn oldest_age(&self, looked: &Looked<'_>, pods: &[String]) -> String {
        let ages = pods.iter().filter_map(|pod| looked.evidence.scraped_at(self.slot, pod));
        match ages.min() {
            Some(at) => format!("{} s old", (looked.at.as_millisecond() - at) / 1000),
            None => "not known".to_owned(),
        }
    }
}

/// Checks that the counter of started requests names customers, and that they are the plan's.
fn customers(looked: &Looked<'_>, listed: &BTreeSet<CustomerId>) -> Vec<Finding> {
    let names = &looked.plan.metrics.names;
    let Some(started) = looked.evidence.coverage().family(Family::Started).filter(|seen| seen.series > 0) else {
        return Vec::new();
    };
    if started.named == 0 {
        return vec![Finding::refuse(
            "metrics.customer-label",
            format!(
                "no series of {} names a customer (label {}): nobody would be seen on the new version, and every customer would count as silent; add the label, or set metrics.labels.customer of the plan",
                names.started, names.label_customer
            ),
        )];
    }
    let Some(active) = looked.active else { return Vec::new() };
    if listed.is_empty() || looked.evidence.customers(active).any(|customer| listed.contains(customer)) {
        return Vec::new();
    }
    let seen: BTreeSet<&CustomerId> = looked.evidence.customers(active).collect();
    let some: Vec<String> = seen.into_iter().map(ToString::to_string).collect();
    if some.is_empty() {
        return Vec::new();
    }
    vec![Finding::warn(
        "metrics.unknown-customers",
        format!(
            "{} names customers, and none of them is in the plan's list ({}): all of them would count as unlisted; ids must be the same in the header, the list and label {}",
            names.started,
            some_of(&some),
            names.label_customer
        ),
    )]
}

/// Checks what gates and people look at.
fn figures(looked: &Looked<'_>) -> Vec<Finding> {
    let (coverage, names) = (looked.evidence.coverage(), &looked.plan.metrics.names);
    let is_absent = |family| coverage.family(family).is_none_or(|seen| seen.reading == Reading::NoData);
    let gates = |is: fn(&GateKind) -> bool| -> String {
        let of: Vec<String> =
            looked.plan.gates.iter().filter(|gate| is(&gate.kind)).map(|gate| gate.name.clone()).collect();
        if of.is_empty() { String::new() } else { format!(" and gate {} has no verdict", some_of(&of)) }
    };
    let mut findings = Vec::new();
    if is_absent(Family::Finished) && !is_absent(Family::Started) {
        findings.push(Finding::warn(
            "metrics.finished",
            format!(
                "{} has no series: errors cannot be counted{}; count each request at its end with the labels {} and {}",
                names.finished,
                gates(|kind| matches!(kind, GateKind::ErrorRatio)),
                names.label_customer,
                names.label_code
            ),
        ));
    }
    if is_absent(Family::LatencyP99) {
        findings.push(Finding::warn(
            "metrics.duration",
            format!(
                "{}_bucket has no series: latency stays unknown{}; export the histogram with the label {}",
                names.duration,
                gates(|kind| matches!(kind, GateKind::Latency { .. })),
                names.label_slot
            ),
        ));
    }
    if looked.evidence.stale_after().is_none() {
        findings.push(Finding::warn(
            "metrics.interval",
            format!(
                "the scrape interval is not known (fewer than 2 samples of any pod, and RolloutPlan {} names none): forward acts wait until it is; set spec.metrics.interval",
                looked.plan.name
            ),
        ));
    }
    findings
}
