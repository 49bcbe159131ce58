//! Whose series they are: a metrics source is asked by namespace, and several plans may share one.

use super::Evidence;
use crate::core::world::Kin;
use crate::core::{State, World};
use crate::model::{Batch, Component, Reading};
use std::collections::BTreeMap;

/// Takes in a round of metrics, as far as it may be about the plan in force.
pub fn on_metrics(state: &mut State, mut batch: Batch) {
    let Some(plan) = &state.plan else { return state.evidence.take(&batch, None) };
    sift(&mut batch, &state.world, &plan.component);
    state.evidence.take(&batch, plan.metrics.interval);
    state.evidence.note_pods(&state.world, &plan.component);
}

/// Takes the series out of a round that belong to pods of somebody else.
///
/// A series of a pod that nothing is known of stays: open work that is not ours delays a drain, and ours that is not
/// counted would be cut.
fn sift(batch: &mut Batch, world: &World, component: &Component) {
    let mut known: BTreeMap<String, bool> = BTreeMap::new();
    for reading in batch.families.values_mut() {
        let Reading::Value(series) = reading else { continue };
        let before = series.len();
        series.retain(|one| {
            if let Some(stays) = known.get(&one.pod) {
                return *stays;
            }
            let stays = world.kin(component, &one.pod) != Kin::Foreign;
            known.insert(one.pod.clone(), stays);
            stays
        });
        if series.is_empty() && before > 0 {
            *reading = Reading::NoData;
        }
    }
}

impl Evidence {
    /// Takes in what the API server says about the pods: whose they are, and when their containers started.
    ///
    /// A pod that has gone keeps what was known of it; one that turns out to be somebody else's is forgotten.
    pub fn note_pods(&mut self, world: &World, component: &Component) {
        self.pods.retain(|(_, name), pod| {
            if let Some(started) = world.pod(name).and_then(|pod| pod.started) {
                pod.born = Some(started.as_millisecond());
            }
            let kin = world.kin(component, name);
            pod.is_ours = kin == Kin::Ours || pod.is_ours && kin == Kin::Unknown;
            kin != Kin::Foreign
        });
    }
}
