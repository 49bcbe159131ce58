//! Touches: a write of ours that bumps an object's fence, so that no earlier write on its way to it can land any more.

use super::{ask, send};
use crate::api::Unresolved;
use crate::core::{Effect, Found, OpId, Read, ReadFailure, State, Verb};
use crate::model::{Direction, Outcome, ResourceKind, ResourceRef, Timestamp};
use crate::routing::{Edit, Fence, fence_of, patch};
use serde_json::Value;

/// How long to wait before an object that cannot be reached is tried again.
const PAUSE: jiff::SignedDuration = jiff::SignedDuration::from_millis(1000);

/// Touches a set of objects until every one has answered.
#[derive(Clone, Debug)]
pub struct Toucher {
    items: Vec<Item>,
}

/// One object that is touched.
#[derive(Clone, Debug)]
pub struct Item {
    /// The object.
    pub target: Unresolved,
    /// As it was when the touch that landed was made; `None` = there is no such object.
    pub before: Option<Value>,
    /// As the touch left it.
    pub after: Option<Value>,
    /// Edits made along with the touch.
    pub edits: Vec<TouchEdit>,
    stage: Stage,
    trouble: String,
}

/// What may be written along with a touch of a route: backward edits only.
#[derive(Clone, Debug)]
pub enum TouchEdit {
    /// The undo mark.
    Undo(crate::routing::Undo),
}

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    Ready,
    Reading(OpId),
    Writing(OpId),
    Pausing(Timestamp),
    Done,
}

impl Toucher {
    /// Makes the set; nothing is sent before [`Toucher::go`].
    pub fn new(targets: impl IntoIterator<Item = Unresolved>) -> Self {
        let items = targets
            .into_iter()
            .map(|target| Item {
                target,
                before: None,
                after: None,
                edits: Vec::new(),
                stage: Stage::Ready,
                trouble: String::new(),
            })
            .collect();
        Self { items }
    }

    /// Returns the objects.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Sets what is written along with the touch of an object that has not been read yet.
    pub fn with_edit(mut self, name: &str, edit: &TouchEdit) -> Self {
        for item in self.items.iter_mut().filter(|item| item.target.name == name) {
            item.edits.push(edit.clone());
        }
        self
    }

    /// Tells whether every object has answered.
    pub fn is_done(&self) -> bool {
        self.items.iter().all(|item| item.stage == Stage::Done)
    }

    /// Tells whether a request belongs to this set.
    pub fn waits_for(&self, id: OpId) -> bool {
        self.items.iter().any(|item| item.stage == Stage::Reading(id) || item.stage == Stage::Writing(id))
    }

    /// Says what is still waited for.
    pub fn waiting(&self) -> String {
        let open: Vec<String> = self
            .items
            .iter()
            .filter(|item| item.stage != Stage::Done)
            .map(|item| format!("{} {}", item.target.name, item.trouble).trim_end().to_owned())
            .collect();
        open.join(", ")
    }

    /// Reads what is not being read yet, and what has paused long enough.
    pub fn go(&mut self, state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) {
        for item in &mut self.items {
            let due = match item.stage {
                Stage::Ready => true,
                Stage::Pausing(until) => now >= until,
                _ => false,
            };
            if due {
                item.stage = Stage::Reading(ask(state, effects, Read::Get(reference(&item.target))));
            }
        }
    }

    /// Takes in an object as it is now and touches it.
    pub fn on_read(
        &mut self,
        state: &mut State,
        now: Timestamp,
        id: OpId,
        result: Result<Found, ReadFailure>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(item) = self.items.iter_mut().find(|item| item.stage == Stage::Reading(id)) else { return };
        match result {
            Ok(Found::One(object)) => {
                let ops = touch_ops(&item.target, &object, &item.edits);
                match ops {
                    Ok(ops) => {
                        let target = reference(&item.target);
                        let op = send(state, effects, Direction::Backward, &target, Verb::Patch(ops), false);
                        item.before = Some(object);
                        item.stage = Stage::Writing(op);
                    }
                    Err(why) => item.pause(now, &why),
                }
            }
            Ok(_) => {
                // A POST may still be on its way; it creates only what serves nobody.
                item.before = None;
                item.stage = Stage::Done;
                state.world.forget(&reference(&item.target));
            }
            Err(failure) => item.pause(now, &failure.why),
        }
    }

    /// Takes in the outcome of a touch.
    pub fn on_wrote(
        &mut self,
        state: &mut State,
        now: Timestamp,
        id: OpId,
        outcome: Outcome,
        effects: &mut Vec<Effect>,
    ) {
        let Some(item) = self.items.iter_mut().find(|item| item.stage == Stage::Writing(id)) else { return };
        match outcome {
            Outcome::Applied(object) => {
                state.world.learn(item.target.kind, &object);
                item.after = Some(object);
                item.stage = Stage::Done;
            }
            // Somebody wrote it between our read and our touch, perhaps the write we want to fence off: look again at once.
            Outcome::NotApplied(rejection) if rejection.is_precondition() => {
                item.stage = Stage::Reading(ask(state, effects, Read::Get(reference(&item.target))));
            }
            Outcome::NotApplied(rejection) if rejection.code == 404 => {
                item.before = None;
                item.stage = Stage::Done;
            }
            Outcome::NotApplied(rejection) => item.pause(now, &rejection.to_string()),
            Outcome::Unknown(why) => item.pause(now, &why),
        }
    }
}

impl Item {
    fn pause(&mut self, now: Timestamp, why: &str) {
        self.trouble = format!("({why})");
        self.stage = Stage::Pausing(now + PAUSE);
    }
}

/// Names the object of an unresolved write.
pub fn reference(target: &Unresolved) -> ResourceRef {
    ResourceRef::new(target.kind, &target.name)
}

fn touch_ops(target: &Unresolved, object: &Value, edits: &[TouchEdit]) -> Result<Vec<Value>, String> {
    if target.kind == ResourceKind::Deployment {
        return crate::core::deploy::deployment_patch(
            object,
            fence_of(object),
            &crate::core::deploy::DeploymentEdit::default(),
        );
    }
    let fence = fence_of(object).map_or(Fence::First, Fence::At);
    let mut edits: Vec<Edit<'_>> = edits.iter().map(|TouchEdit::Undo(undo)| Edit::Undo(undo)).collect();
    if edits.is_empty() {
        edits.push(Edit::Touch);
    }
    patch(object, fence, &edits).map_err(|e| e.to_string())
}
