//! Who is listed, in which ring and wave; kept, because every picture and every guard asks for it.

use super::State;
use crate::model::{Customer, CustomerId, ResourceKind, Wave};
use std::collections::{BTreeMap, BTreeSet};

/// The listed customers of the release under way, or, without one, as a release that started now would freeze them.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// Their rings in order; the unlisted have none.
    pub rings: Vec<RosterRing>,
    /// All of them.
    pub listed: BTreeSet<CustomerId>,
    /// Their names for people, as the live list has them.
    pub names: BTreeMap<CustomerId, String>,
    from: Option<Origin>,
}

/// A ring's customers.
#[derive(Clone, Debug, Default)]
pub struct RosterRing {
    /// Its name.
    pub name: String,
    /// Its waves by number, counted from 1.
    pub waves: Vec<(u32, Vec<CustomerId>)>,
    /// All of its customers.
    pub members: BTreeSet<CustomerId>,
}

/// What a roster is computed from: the state of plans and lists, and the freeze of the release under way.
#[derive(Clone, Debug, PartialEq)]
struct Origin {
    plans: u64,
    lists: u64,
    frozen: Option<String>,
    has_plan: bool,
}

impl Roster {
    /// Returns the roster anew if what it is computed from has changed.
    pub fn refreshed(&self, state: &State) -> Option<Self> {
        let from = Origin {
            plans: state.world.revision(ResourceKind::RolloutPlan),
            lists: state.world.revision(ResourceKind::ConfigMap),
            frozen: state.scope().map(|scope| scope.frozen.hash.clone()),
            has_plan: state.plan.is_some(),
        };
        if self.from.as_ref() == Some(&from) {
            return None;
        }
        let mut roster = Self { from: Some(from), ..Self::default() };
        let waves = match (state.scope(), state.waves()) {
            (Some(scope), _) => scope.frozen.waves.as_slice(),
            (None, Some(Ok(membership))) => membership.waves.as_slice(),
            (None, _) => &[],
        };
        waves.iter().zip(1..).filter(|(wave, _)| !wave.is_unlisted()).for_each(|(wave, n)| roster.add(wave, n));
        let live = state.plan.as_ref().and_then(|plan| state.world.customers(plan).ok()).unwrap_or_default();
        roster.names = live.iter().map(|Customer { id, name, .. }| (id.clone(), name.clone())).collect();
        Some(roster)
    }

    /// Returns the wave of a customer, counted from 1; `None` for the unlisted.
    pub fn wave_of(&self, id: &CustomerId) -> Option<u32> {
        let ring = self.rings.iter().find(|ring| ring.members.contains(id))?;
        ring.waves.iter().find(|(_, customers)| customers.contains(id)).map(|(number, _)| *number)
    }

    /// Returns a ring by name.
    pub fn ring(&self, name: &str) -> Option<&RosterRing> {
        self.rings.iter().find(|ring| ring.name == name)
    }

    fn add(&mut self, wave: &Wave, number: u32) {
        let name = wave.ring.to_string();
        if self.rings.last().is_none_or(|ring| ring.name != name) {
            self.rings.push(RosterRing { name, ..RosterRing::default() });
        }
        self.listed.extend(wave.customers.iter().cloned());
        if let Some(ring) = self.rings.last_mut() {
            ring.members.extend(wave.customers.iter().cloned());
            ring.waves.push((number, wave.customers.clone()));
        }
    }
}
