//! Presence: the Lease shows who drives and that he lives. It is no fence; authority is the epoch in the Release.

use super::{Effect, OpId, State, Verb, Write};
use crate::model::{Direction, Outcome, ResourceKind, ResourceRef, Span, Timestamp, resource_version};
use serde_json::{Value, json};

/// How often a driver renews, in milliseconds.
const RENEW: i64 = 5_000;
/// How long a Lease lives without renewal, in seconds.
const DURATION: i64 = 15;

/// Returns the name of the Lease of a plan's driver.
pub fn lease_name(plan: &str) -> String {
    format!("pilothouse-{plan}")
}

/// Keeps this console's Lease.
#[derive(Clone, Debug, Default)]
pub struct LeaseKeeper {
    op: Option<OpId>,
    next: Option<Timestamp>,
    released: bool,
}

impl LeaseKeeper {
    /// Returns another console that holds a live Lease, and the seconds since its last sign of life.
    pub fn foreign_holder(&self, state: &State, now: Timestamp) -> Option<(String, u64)> {
        let (holder, renewed) = holder(state)?;
        if holder == state.session_name() {
            return None;
        }
        let age = state.server_now(now).as_second() - renewed.as_second();
        (age <= DURATION).then(|| (holder, u64::try_from(age).unwrap_or(0)))
    }

    /// Returns the seconds our own Lease still lives.
    pub fn own_left(&self, state: &State, now: Timestamp) -> Option<u64> {
        let (holder, renewed) = holder(state)?;
        let left = DURATION - (state.server_now(now).as_second() - renewed.as_second());
        (holder == state.session_name()).then(|| u64::try_from(left).unwrap_or(0))
    }
}

/// Renews the Lease while this console drives, and lets it go afterwards.
pub fn keep(state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) {
    if state.lease.op.is_some() || state.setup.watch {
        return;
    }
    let Some(plan) = state.plan_name() else { return };
    let target = ResourceRef::new(ResourceKind::Lease, lease_name(&plan));
    let drives = state.drives() && !state.leaving;
    let live = state.world.get(ResourceKind::Lease, &target.name).cloned();
    let ours = holder(state).is_some_and(|(holder, _)| holder == state.session_name());
    if !drives {
        if ours && !state.lease.released {
            state.lease.released = true;
            if let Some(live) = live {
                write(state, effects, target, Verb::Patch(release_ops(&live)));
            }
        }
        return;
    }
    state.lease.released = false;
    if state.lease.next.is_some_and(|at| now < at) {
        return;
    }
    state.lease.next = Some(now + jiff::SignedDuration::from_millis(RENEW));
    let spec = spec(state, now, live.as_ref());
    match live {
        Some(live) => {
            let ops = vec![
                json!({ "op": "test", "path": "/metadata/resourceVersion", "value": resource_version(&live) }),
                json!({ "op": "add", "path": "/spec", "value": spec }),
            ];
            write(state, effects, target, Verb::Patch(ops));
        }
        None => {
            let object = json!({
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": { "name": target.name, "namespace": state.setup.namespace },
                "spec": spec,
            });
            write(state, effects, target, Verb::Create(object));
        }
    }
}

/// Takes in the outcome of a Lease write; tells whether it was one.
pub fn on_wrote(state: &mut State, now: Timestamp, id: OpId, outcome: &Outcome) -> bool {
    if state.lease.op != Some(id) {
        return false;
    }
    state.lease.op = None;
    match outcome {
        Outcome::Applied(object) => {
            state.world.learn(ResourceKind::Lease, object);
        }
        // The watch brings the newer form; then it is tried again.
        Outcome::NotApplied(_) | Outcome::Unknown(_) => {
            state.lease.next = Some(now + jiff::SignedDuration::from_millis(1000));
        }
    }
    true
}

fn write(state: &mut State, effects: &mut Vec<Effect>, target: ResourceRef, verb: Verb) {
    let id = state.next_op();
    state.lease.op = Some(id);
    let write = Write { id, direction: Direction::Backward, target, verb, dry_run: false, deadline: Span::seconds(3) };
    effects.push(Effect::Write(write));
}

/// Returns who holds the plan's Lease, and when it was renewed last; a released one has no holder.
fn holder(state: &State) -> Option<(String, Timestamp)> {
    let lease = state.world.get(ResourceKind::Lease, &lease_name(&state.plan_name()?))?;
    let holder = lease["spec"]["holderIdentity"].as_str().filter(|h| !h.is_empty())?;
    Some((holder.to_owned(), lease["spec"]["renewTime"].as_str()?.parse().ok()?))
}

fn spec(state: &State, now: Timestamp, live: Option<&Value>) -> Value {
    let at = micro(state.server_now(now));
    let me = state.session_name();
    let old = live.map(|l| &l["spec"]);
    let same = old.is_some_and(|s| s["holderIdentity"] == me.as_str());
    let transitions = old.and_then(|s| s["leaseTransitions"].as_i64()).unwrap_or(0);
    let acquired = old.filter(|_| same).map_or_else(|| json!(at), |s| s["acquireTime"].clone());
    json!({
        "holderIdentity": me,
        "leaseDurationSeconds": DURATION,
        "acquireTime": acquired,
        "renewTime": at,
        "leaseTransitions": if same { transitions } else { transitions + 1 },
    })
}

/// Lets the Lease go as client-go does: no holder, one second.
fn release_ops(live: &Value) -> Vec<Value> {
    vec![
        json!({ "op": "test", "path": "/metadata/resourceVersion", "value": resource_version(live) }),
        json!({ "op": "replace", "path": "/spec/holderIdentity", "value": "" }),
        json!({ "op": "replace", "path": "/spec/leaseDurationSeconds", "value": 1 }),
    ]
}

/// Writes a MicroTime: RFC 3339 with six decimals.
fn micro(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
