//! Whether the counter of started requests speaks for a pod: a series that is not there is no zero.
//!
//! A labelled counter has no series before its first use (Prometheus client libraries), so a pod that has served nobody
//! has none. A counter that is not exported, or is named otherwise, looks the same; only other traces tell the two apart.

use super::{Evidence, PodEvidence};
use crate::model::{Slot, StreamKind};

/// What the counter of started requests says of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It is there: what it does not show did not start.
    Yes,
    /// It has no series, and the pod shows no trace of a request since it started.
    Untouched,
    /// It has no series, although requests left a trace; which, as a part of a sentence.
    Missing(&'static str),
}

impl Evidence {
    /// Says whether a pod's counter of started requests is there.
    pub fn counted(&self, slot: Slot, pod: &str) -> Counted {
        self.pod(slot, pod).map_or(Counted::Untouched, counted)
    }

    /// Tells whether any pod of a slot shows the counter now: then its name is right and the version exports it.
    ///
    /// A pod that may be somebody else's says nothing about our version.
    pub fn counts(&self, slot: Slot) -> bool {
        self.of(slot).any(|(_, pod)| pod.is_ours && counted(pod) == Counted::Yes)
    }

    /// Tells whether no pod of a slot, also none that has ended, shows any trace of a request.
    pub fn is_untouched(&self, slot: Slot) -> bool {
        self.of(slot).all(|(_, pod)| counted(pod) == Counted::Untouched)
    }
}

fn counted(pod: &PodEvidence) -> Counted {
    // The families are asked for one after the other: a scrape in between shows in the later answers only.
    let recent = pod.scrapes.iter().rev().nth(1).or(pod.scrapes.back()).copied().unwrap_or(i64::MIN);
    if pod.started.values().any(|track| track.last() >= recent) {
        return Counted::Yes;
    }
    if pod.finished.values().any(|track| track.last() >= recent && track.value().is_some_and(|n| n > 0.0)) {
        return Counted::Missing("requests have finished on it");
    }
    let born = pod.born.unwrap_or(i64::MIN);
    // A container that starts again loses its series; without a start nothing explains that they are gone.
    if pod.started.values().any(|track| track.last() > born) {
        return Counted::Missing("it had such series before");
    }
    // Jobs need no request.
    let by_request = [StreamKind::Http, StreamKind::Stream, StreamKind::Ws];
    let peaks = by_request.iter().filter_map(|kind| pod.inflight.get(kind)?.peak_since(born));
    if peaks.fold(0.0, f64::max) > 0.0 {
        return Counted::Missing("requests have been open on it");
    }
    Counted::Untouched
}
