//! Composing: from what an act means to the exact writes, in the order in which they may be sent.

use crate::api::{Act, RouteRecord, Target};
use crate::core::Verb;
use crate::core::deploy::{DeploymentEdit, deployment_patch};
use crate::core::record::fence_key;
use crate::core::scope::Scope;
use crate::model::{DeployedBy, Direction, ResourceKind, ResourceRef, Side, name_of, resource_version, uid_of};
use crate::routing::{
    Edit, Fence, Install, Layout, Rules, Undo, apply, backends, compile, fence_of, is_all_placeholder, owned_hash,
    patch, weights_of,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// One write of an intent.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The object.
    pub target: ResourceRef,
    /// What the intent records of it.
    pub record: Target,
    /// The write.
    pub verb: Verb,
}

/// The writes of an intent, in groups; a group is sent only after every write of the one before was applied.
#[derive(Clone, Debug, Default)]
pub struct Compose {
    /// The groups.
    pub groups: Vec<Vec<Planned>>,
    /// Routes that the intent creates, for the record.
    pub routes: Vec<RouteRecord>,
}

/// Why an intent cannot be composed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Somebody else wrote an object since our last write to it.
    Drifted(String),
    /// Something is missing or refuses; what, and what to do.
    Impossible(String),
}

/// The quorum reads an intent is composed from.
pub type Fresh = BTreeMap<ResourceRef, Option<Value>>;

/// Composes the writes of `act`; `fresh` holds every object it may write, read just now.
///
/// # Errors
/// Says what drifted or what is impossible.
pub fn compose(scope: &Scope<'_>, fresh: &Fresh, act: Act, wave: u32) -> Result<Compose, Trouble> {
    let c = Composer { scope, fresh };
    if act != Act::Rollback {
        c.nobody_else_wrote(matches!(act, Act::Disarm | Act::Clean) || scope.status().phase.is_backward())?;
    }
    let groups = match act {
        Act::Prepare => c.prepare()?,
        Act::Install => return c.install(),
        Act::Arm => c.arm(true)?,
        Act::Disarm => c.arm(false)?,
        Act::Shift => c.shift(wave)?,
        Act::Promote => vec![vec![c.base(&[c.weights(Rules::All, Side::New)])?]],
        Act::Retire => c.retire()?,
        Act::Clean => c.clean()?,
        Act::Rollback => c.rollback()?,
    };
    Ok(Compose { groups: groups.into_iter().filter(|g| !g.is_empty()).collect(), routes: Vec::new() })
}

/// Returns the undo mark of the release in scope: the same value everywhere.
pub fn live_undo(scope: &Scope<'_>) -> Option<Undo> {
    Undo::live(scope.base()?, scope.component(), scope.slot(Side::Old), &scope.release.name, &scope.release.uid).ok()
}

/// Compiles the managed routes of the release in scope; the same input gives the same bytes for every console.
///
/// # Errors
/// Returns every finding that refuses the layout.
pub fn layout(scope: &Scope<'_>) -> Result<Layout, Trouble> {
    let base = scope.base().ok_or_else(|| missing_base(scope))?;
    compile(&Install {
        base,
        // Neighbours may refuse a start; they do not shape what it made.
        others: Vec::new(),
        component: scope.component(),
        header: &scope.plan.header,
        old: scope.slot(Side::Old),
        waves: &scope.frozen.waves,
        release: &scope.release.name,
        uid: &scope.release.uid,
        placeholder: &scope.frozen.placeholder,
    })
    .map_err(|findings| Trouble::Impossible(findings.into_iter().map(|f| f.text).collect::<Vec<_>>().join("; ")))
}

struct Composer<'a> {
    scope: &'a Scope<'a>,
    fresh: &'a Fresh,
}

impl<'a> Composer<'a> {
    fn weights<'b>(&self, rules: Rules<'b>, to: Side) -> Edit<'b>
    where
        'a: 'b,
    {
        Edit::Weights { rules, old: self.scope.service(Side::Old), new: self.scope.service(Side::New), to }
    }

    /// Compares the fence of every object that was read with the recorded one, also of those that are not written now.
    ///
    /// `removes` = a managed route that is gone already is no obstacle.
    fn nobody_else_wrote(&self, removes: bool) -> Result<(), Trouble> {
        let is_managed = |target: &ResourceRef| self.scope.status().routes.iter().any(|r| r.name == target.name);
        for (target, live) in self.fresh {
            match live {
                Some(live) => {
                    self.fence(target, live, Direction::Forward)?;
                }
                None if removes && is_managed(target) => {}
                None if self.scope.status().fences.contains_key(&fence_key(target.kind, &target.name)) => {
                    return Err(gone(target));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Refuses while the base, or a customers' rule of a managed route, gives weight to a side's Service.
    fn nobody_goes_to(&self, side: Side) -> Result<(), Trouble> {
        let service = self.scope.service(side);
        let sends = |route: &Value, only: Option<&RouteRecord>| {
            let rules = route["spec"]["rules"].as_array().map_or(&[][..], Vec::as_slice);
            let counts = |index: usize| {
                // Pinned rules hold placeholders and name the old slot for ever.
                only.is_none_or(|r| r.cells.iter().flat_map(|c| &c.rules).any(|rule| *rule as usize == index))
            };
            let counted = rules.iter().enumerate().filter(|(index, _)| counts(*index));
            counted.flat_map(|(_, rule)| backends(rule)).any(|(name, weight)| name == service && weight > 0)
        };
        let base = self.scope.base().into_iter().filter(|base| sends(base, None));
        let records = &self.scope.status().routes;
        let managed = records.iter().filter_map(|r| self.scope.route(r).filter(|route| sends(route, Some(r))));
        match base.chain(managed).next() {
            None => Ok(()),
            Some(route) => Err(Trouble::Drifted(format!(
                "HTTPRoute {} sends requests to the {side} version: somebody else wrote it",
                name_of(route)
            ))),
        }
    }

    fn undo(&self) -> Result<Undo, Trouble> {
        live_undo(self.scope).ok_or_else(|| missing_base(self.scope))
    }

    fn prepare(&self) -> Result<Vec<Vec<Planned>>, Trouble> {
        let undo = self.undo()?;
        self.nobody_goes_to(Side::New)?;
        // The weights are written as they must be already: the patch tests them, so the check of the active slot and
        // the mark are one write.
        let edits = [self.weights(Rules::All, Side::Old), Edit::Undo(&undo)];
        let base = self.base(&edits)?;
        let frozen = self.scope.frozen;
        let mut edit = DeploymentEdit { replicas: Some(self.scope.wanted_replicas()), ..DeploymentEdit::default() };
        if let DeployedBy::Pilothouse { container } = &self.scope.plan.deploy {
            edit.image = Some((container.clone(), frozen.new.image.clone()));
            edit.version = Some(frozen.new.version.clone());
            edit.slot = Some(frozen.new.slot);
        }
        Ok(vec![vec![base], vec![self.deployment(Side::New, &edit, Direction::Forward)?]])
    }

    fn install(&self) -> Result<Compose, Trouble> {
        let layout = layout(self.scope)?;
        let mut group = Vec::new();
        for route in &layout.routes {
            let target = ResourceRef::new(ResourceKind::HTTPRoute, &route.name);
            let live = self.scope.world.get(target.kind, &target.name);
            let is_recorded = self.scope.status().routes.iter().any(|r| r.name == route.name && !r.uid.is_empty());
            if let Some(live) = live {
                // A POST without an answer has landed late.
                if owned_hash(target.kind, live) != owned_hash(target.kind, &route.object) {
                    return Err(Trouble::Drifted(format!("{target} exists and is not as this release makes it")));
                }
                if !is_recorded {
                    let fence = fence_of(live);
                    let ops = patch(live, fence.map_or(Fence::First, Fence::At), &[Edit::Touch])
                        .map_err(|e| Trouble::Impossible(format!("{target}: {e}")))?;
                    group.push(self.planned(target, live, fence, ops)?);
                }
            } else {
                let record = Target {
                    kind: ResourceKind::HTTPRoute,
                    name: route.name.clone(),
                    uid: String::new(),
                    fence: None,
                    before: String::new(),
                    after: owned_hash(ResourceKind::HTTPRoute, &route.object),
                };
                group.push(Planned { target, record, verb: Verb::Create(route.object.clone()) });
            }
        }
        let routes = layout
            .routes
            .into_iter()
            .map(|route| RouteRecord { name: route.name, uid: String::new(), armed: false, cells: route.cells })
            .collect();
        Ok(Compose { groups: [group].into_iter().filter(|g| !g.is_empty()).collect(), routes })
    }

    /// Sets the customers' matches, or the placeholders again.
    fn arm(&self, set: bool) -> Result<Vec<Vec<Planned>>, Trouble> {
        let layout = layout(self.scope)?;
        let mut group = Vec::new();
        for record in self.scope.status().routes.iter().filter(|record| record.armed != set) {
            if !set && self.read(ResourceKind::HTTPRoute, &record.name).is_none() {
                continue;
            }
            let Some(route) = layout.routes.iter().find(|route| route.name == record.name) else {
                return Err(Trouble::Drifted(format!(
                    "the base route {} was changed since the managed routes were made: {} is not among them any more",
                    self.scope.component().route,
                    record.name
                )));
            };
            let placeholders: Vec<Value> = route.object["spec"]["rules"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|rule| rule["matches"].clone())
                .collect();
            let matches = if set { &route.armed } else { &placeholders };
            group.push(self.route(&record.name, &[Edit::Matches(matches)], Direction::Forward)?);
        }
        Ok(vec![group])
    }

    fn shift(&self, wave: u32) -> Result<Vec<Vec<Planned>>, Trouble> {
        let new = self.scope.slot(Side::New);
        let mut group = Vec::new();
        for record in &self.scope.status().routes {
            let rules: Vec<u32> =
                record.cells.iter().filter(|c| c.wave == wave).flat_map(|c| c.rules.iter().copied()).collect();
            let done = self
                .read(ResourceKind::HTTPRoute, &record.name)
                .is_some_and(|route| weights_of(route, &rules, self.scope.component()) == Some(new));
            if rules.is_empty() || done {
                continue;
            }
            let edit = self.weights(Rules::These(&rules), Side::New);
            group.push(self.route(&record.name, &[edit], Direction::Forward)?);
        }
        Ok(vec![group])
    }

    fn retire(&self) -> Result<Vec<Vec<Planned>>, Trouble> {
        let down = DeploymentEdit { replicas: Some(0), ..DeploymentEdit::default() };
        self.nobody_goes_to(if self.scope.status().phase.is_backward() { Side::New } else { Side::Old })?;
        if self.scope.status().phase.is_backward() {
            // Old is healthy and undo stays: a bump of the base is enough.
            let base =
                self.read(ResourceKind::HTTPRoute, &self.scope.component().route).map(|_| self.base(&[Edit::Touch]));
            let first = base.transpose()?.into_iter().collect();
            return Ok(vec![first, vec![self.deployment(Side::New, &down, Direction::Forward)?]]);
        }
        // The same on every route, as the mark before it.
        let live = self.scope.base().and_then(Undo::parse).and_then(Result::ok);
        let retired = Undo::retired(self.scope.frozen.old.version.as_str(), live.as_ref());
        let marks: Result<Vec<Planned>, Trouble> = self
            .scope
            .status()
            .routes
            .iter()
            .map(|record| self.route(&record.name, &[Edit::Undo(&retired)], Direction::Forward))
            .collect();
        Ok(vec![
            vec![self.base(&[Edit::Undo(&retired)])?],
            marks?,
            vec![self.deployment(Side::Old, &down, Direction::Forward)?],
        ])
    }

    fn clean(&self) -> Result<Vec<Vec<Planned>>, Trouble> {
        let mut group = Vec::new();
        for record in &self.scope.status().routes {
            let Some(route) = self.read(ResourceKind::HTTPRoute, &record.name) else { continue };
            if !is_all_placeholder(route, &self.scope.plan.header, &self.scope.frozen.placeholder) {
                return Err(Trouble::Drifted(format!(
                    "HTTPRoute {} has matches again that serve customers; it is not deleted",
                    record.name
                )));
            }
            let target = ResourceRef::new(ResourceKind::HTTPRoute, &record.name);
            let verb =
                Verb::Delete { uid: uid_of(route).to_owned(), resource_version: resource_version(route).to_owned() };
            let before = owned_hash(ResourceKind::HTTPRoute, route);
            let fence = fence_of(route);
            group.push(Planned { record: recorded(&target, route, fence, before, String::new()), target, verb });
        }
        Ok(vec![group])
    }

    /// Routes everybody back: the old slot's pods first where some are missing, then the base, then the managed routes.
    fn rollback(&self) -> Result<Vec<Vec<Planned>>, Trouble> {
        let wanted = self.scope.wanted_replicas();
        if self.scope.deployment(Side::Old).is_some_and(|old| old.replicas < wanted) {
            let up = DeploymentEdit { replicas: Some(wanted), ..DeploymentEdit::default() };
            return Ok(vec![vec![self.deployment(Side::Old, &up, Direction::Backward)?]]);
        }
        let undo = self.undo().ok();
        let mut edits = vec![self.weights(Rules::All, Side::Old)];
        edits.extend(undo.as_ref().map(Edit::Undo));
        let mut names = vec![self.scope.component().route.as_str()];
        let mut managed: Vec<&RouteRecord> = self.scope.status().routes.iter().collect();
        managed.sort_by_key(|record| std::cmp::Reverse(population(record)));
        names.extend(managed.into_iter().map(|record| record.name.as_str()));
        names.retain(|name| self.read(ResourceKind::HTTPRoute, name).is_some());
        // A route that somebody has changed beyond our undo keeps none of the others from going back.
        let (mut planned, mut stuck, mut moves) = (Vec::new(), None, false);
        for name in names {
            match self.route(name, &edits, Direction::Backward) {
                Ok(write) => {
                    moves |= write.record.before != write.record.after;
                    planned.push(write);
                }
                Err(trouble) => stuck = Some(trouble),
            }
        }
        if let Some(trouble) = stuck.filter(|_| !moves) {
            return Err(trouble);
        }
        let is_base = |write: &Planned| write.target.name == self.scope.component().route;
        let (first, rest) = planned.into_iter().partition(is_base);
        Ok(vec![first, rest])
    }

    fn base(&self, edits: &[Edit<'_>]) -> Result<Planned, Trouble> {
        self.route(&self.scope.component().route, edits, Direction::Forward)
    }

    fn route(&self, name: &str, edits: &[Edit<'_>], direction: Direction) -> Result<Planned, Trouble> {
        let target = ResourceRef::new(ResourceKind::HTTPRoute, name);
        let live = self.read(target.kind, name).ok_or_else(|| gone(&target))?;
        let fence = self.fence(&target, live, direction)?;
        let ops = patch(live, fence.map_or(Fence::First, Fence::At), edits)
            .map_err(|e| Trouble::Impossible(format!("HTTPRoute {name}: {e}")))?;
        self.planned(target, live, fence, ops)
    }

    fn deployment(&self, side: Side, edit: &DeploymentEdit, direction: Direction) -> Result<Planned, Trouble> {
        let name = &self.scope.component().pair(self.scope.slot(side)).deployment;
        let target = ResourceRef::new(ResourceKind::Deployment, name);
        let live = self.read(target.kind, name).ok_or_else(|| gone(&target))?;
        let fence = self.fence(&target, live, direction)?;
        let ops = deployment_patch(live, fence, edit).map_err(Trouble::Impossible)?;
        self.planned(target, live, fence, ops)
    }

    fn planned(
        &self,
        target: ResourceRef,
        live: &Value,
        fence: Option<u64>,
        ops: Vec<Value>,
    ) -> Result<Planned, Trouble> {
        let after = apply(live, &ops).map_err(|e| Trouble::Impossible(format!("{target}: {e}")))?;
        let (before, after) = (owned_hash(target.kind, live), owned_hash(target.kind, &after));
        Ok(Planned { record: recorded(&target, live, fence, before, after), target, verb: Verb::Patch(ops) })
    }

    /// Returns the fence the write tests. A forward write needs the recorded one: somebody else's write is drift.
    fn fence(&self, target: &ResourceRef, live: &Value, direction: Direction) -> Result<Option<u64>, Trouble> {
        let found = fence_of(live);
        let recorded = self.scope.status().fences.get(&fence_key(target.kind, &target.name)).copied();
        if direction == Direction::Forward && recorded.is_some() && recorded != found {
            let show = |fence: Option<u64>| fence.map_or("none".to_owned(), |f| f.to_string());
            return Err(Trouble::Drifted(format!(
                "somebody wrote {target}: its fence is {}, after our last write it was {}",
                show(found),
                show(recorded)
            )));
        }
        Ok(found)
    }

    fn read(&self, kind: ResourceKind, name: &str) -> Option<&'a Value> {
        self.fresh.get(&ResourceRef::new(kind, name))?.as_ref()
    }
}

fn recorded(target: &ResourceRef, live: &Value, fence: Option<u64>, before: String, after: String) -> Target {
    Target { kind: target.kind, name: name_of(live).to_owned(), uid: uid_of(live).to_owned(), fence, before, after }
}

fn gone(target: &ResourceRef) -> Trouble {
    Trouble::Drifted(format!("{target} is gone"))
}

fn missing_base(scope: &Scope<'_>) -> Trouble {
    Trouble::Impossible(format!(
        "HTTPRoute {} is missing, or does not name both {} and {} with a port",
        scope.component().route,
        scope.service(Side::Old),
        scope.service(Side::New)
    ))
}

/// Returns how many rules of a route serve customers; the most populated route goes back first.
fn population(record: &RouteRecord) -> usize {
    record.cells.iter().map(|cell| cell.rules.len()).sum()
}
