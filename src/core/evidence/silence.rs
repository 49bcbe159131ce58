//! Whether a customer has sent requests since its shift: that none was seen is silence only where somebody looked.

use super::{Evidence, PodEvidence};
use crate::core::track::Track;
use crate::model::{CustomerId, Slot};

impl Evidence {
    /// Tells whether requests of a customer started on the slot to which it was shifted; `None` = not known.
    ///
    /// What started there after `began` counts, also where its samples are kept no more. That there was none is known
    /// if samples reach back to the shift, no pod has been forgotten since, and no counter has begun before them.
    pub fn seen_since(&self, slot: Slot, customer: &CustomerId, began: i64, shifted: i64) -> Option<bool> {
        let mut was_counted = false;
        for (_, pod) in self.of(slot) {
            let track = pod.started.get(&Some(customer.clone())).filter(|track| track.last() > began);
            let Some(track) = track else { continue };
            if self.has_grown(pod, track, began) {
                return Some(true);
            }
            was_counted |= track.value().is_some_and(|count| count > 0.0);
        }
        let reaches_back = self.since.is_some_and(|since| since <= shifted);
        let is_whole = self.gone.get(&slot).is_none_or(|last| *last <= began);
        (reaches_back && is_whole && !was_counted).then_some(false)
    }

    fn has_grown(&self, pod: &PodEvidence, track: &Track, from: i64) -> bool {
        track.has_changed(from) || self.grown(pod, track, from) > 0.0
    }
}
