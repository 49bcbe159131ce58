//! The release under way, seen as a whole: its record, its frozen plan and the live objects it is about.

use super::world::{DeploymentView, ReleaseRead, World};
use crate::api::{Frozen, Provider, ReleaseStatus, RouteRecord, UNKNOWN, provider};
use crate::model::{Component, CustomerId, Plan, ResourceKind, Ring, Side, Slot, Span, Wave, annotation};
use crate::routing::{Controllers, controllers_of};
use serde_json::Value;
use std::collections::BTreeSet;

/// A release that has been started, with everything decisions about it need.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// What is observed.
    pub world: &'a World,
    /// The Release.
    pub release: &'a ReleaseRead,
    /// What was frozen at its start.
    pub frozen: &'a Frozen,
    /// The frozen plan, checked.
    pub plan: &'a Plan,
    /// Which controller is responsible for which Gateway, as far as a survey could tell.
    pub controllers: &'a Controllers,
}

impl<'a> Scope<'a> {
    /// Returns the status.
    pub fn status(&self) -> &'a ReleaseStatus {
        &self.release.status
    }

    /// Returns the component.
    pub fn component(&self) -> &'a Component {
        &self.plan.component
    }

    /// Returns the slot that plays a side.
    pub fn slot(&self, side: Side) -> Slot {
        match side {
            Side::Old => self.frozen.old.slot,
            Side::New => self.frozen.new.slot,
        }
    }

    /// Returns the Service of a side.
    pub fn service(&self, side: Side) -> &'a str {
        &self.plan.component.pair(self.slot(side)).service
    }

    /// Returns the live base route.
    pub fn base(&self) -> Option<&'a Value> {
        self.world.get(ResourceKind::HTTPRoute, &self.component().route)
    }

    /// Returns every live HTTPRoute that carries this release's uid.
    pub fn managed(&self) -> impl Iterator<Item = &'a Value> {
        let uid = self.release.uid.as_str();
        self.world
            .all(ResourceKind::HTTPRoute)
            .filter(move |route| annotation(route, crate::routing::RELEASE) == Some(uid))
    }

    /// Returns the live object of a recorded route.
    pub fn route(&self, record: &RouteRecord) -> Option<&'a Value> {
        self.world.get(ResourceKind::HTTPRoute, &record.name)
    }

    /// Returns a side's Deployment.
    pub fn deployment(&self, side: Side) -> Option<DeploymentView> {
        self.world.deployment(self.component(), self.slot(side))
    }

    /// Returns the replicas both slots should have while the release runs.
    pub fn wanted_replicas(&self) -> u32 {
        self.frozen.before.replicas.get(self.frozen.old.slot.as_str()).copied().unwrap_or(1).max(1)
    }

    /// Returns wave `number`, counted from 1.
    pub fn wave(&self, number: u32) -> Option<&'a Wave> {
        self.frozen.waves.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Returns the number of the last wave, which moves the unlisted.
    pub fn last_wave(&self) -> u32 {
        u32::try_from(self.frozen.waves.len()).unwrap_or(u32::MAX)
    }

    /// Returns the ring of a wave; the unlisted have none.
    pub fn ring_of(&self, wave: &Wave) -> Option<&'a Ring> {
        self.plan.ring(wave.ring.as_str())
    }

    /// Returns how long a wave bakes.
    pub fn bake_of(&self, wave: &Wave) -> Span {
        self.ring_of(wave).map_or(self.plan.promote_bake, |ring| ring.bake)
    }

    /// Returns how long a shift settles after it is accepted: as the plan says, else as the slowest of its gateways needs.
    pub fn settle(&self) -> Span {
        self.plan.settle.unwrap_or_else(|| self.slowest(|provider| provider.settle))
    }

    /// Returns the pause between two patches that build on each other, after the first is accepted.
    pub fn gap(&self) -> Span {
        self.slowest(|provider| provider.gap)
    }

    fn slowest(&self, of: impl Fn(&Provider) -> Span) -> Span {
        let controllers = self.base().map(|base| controllers_of(base, self.controllers)).unwrap_or_default();
        controllers.iter().map(|controller| of(provider(controller))).max().unwrap_or_else(|| of(&UNKNOWN))
    }

    /// Returns every listed customer of the frozen waves.
    pub fn listed(&self) -> BTreeSet<CustomerId> {
        self.frozen.waves.iter().flat_map(|wave| wave.customers.iter().cloned()).collect()
    }

    /// Tells whether no rule of this release ever sent anybody to the new slot, by the record and by the live routes.
    pub fn never_routed_new(&self) -> bool {
        use crate::api::WaveProgress;
        let by_record = self.status().waves.iter().all(|w| w.state == WaveProgress::Old);
        let new = self.service(Side::New);
        let live_weight = |route: &Value| -> u32 {
            let rules = route["spec"]["rules"].as_array().map_or(&[][..], Vec::as_slice);
            rules
                .iter()
                .flat_map(crate::routing::backends)
                .filter(|(service, _)| service == new)
                .map(|(_, weight)| weight)
                .sum()
        };
        by_record && self.base().is_some_and(|b| live_weight(b) == 0) && self.managed().all(|r| live_weight(r) == 0)
    }
}
