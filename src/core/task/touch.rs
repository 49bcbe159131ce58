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
    /// An edit made along with the touch, and under whose authority.
    edit: Option<(TouchEdit, Authority)>,
    stage: Stage,
    trouble: String,
}

/// What may be written along with a touch of a route: backward edits only.
#[derive(Clone, Debug)]
pub enum TouchEdit {
    /// The undo mark.
    Undo(crate::routing::Undo),
}

/// Who may write an edit: the console that drives this release under this epoch.
///
/// A touch alone may come from anybody. An edit of a console that was taken over meanwhile would undo its successor's
/// mark, so the Release is read between the object and the write: a takeover before that is seen, one after it changes
/// the object's fence before the write lands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The Release's name.
    pub release: String,
    /// The driver's epoch.
    pub epoch: u64,
}

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    Ready,
    Reading(OpId),
    /// Reads whether the authority still holds; the object was read before.
    Asking(OpId),
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
                edit: None,
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
    pub fn with_edit(mut self, name: &str, edit: &TouchEdit, authority: &Authority) -> Self {
        for item in self.items.iter_mut().filter(|item| item.target.name == name) {
            item.edit = Some((edit.clone(), authority.clone()));
        }
        self
    }

    /// Tells whether every object has answered.
    pub fn is_done(&self) -> bool {
        self.items.iter().all(|item| item.stage == Stage::Done)
    }

    /// Tells whether a request belongs to this set.
    pub fn waits_for(&self, id: OpId) -> bool {
        let stages = [Stage::Reading(id), Stage::Asking(id), Stage::Writing(id)];
        self.items.iter().any(|item| stages.contains(&item.stage))
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

    /// Gives up every object that has not answered yet, and returns these with what kept them.
    pub fn give_up(&mut self) -> Vec<(Unresolved, String)> {
        let open = self.items.extract_if(.., |item| item.stage != Stage::Done);
        open.map(|item| (item.target, item.trouble)).collect()
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
        let asked = |item: &&mut Item| item.stage == Stage::Reading(id) || item.stage == Stage::Asking(id);
        let Some(item) = self.items.iter_mut().find(asked) else { return };
        let answered_authority = item.stage == Stage::Asking(id);
        match (result, &item.edit) {
            (Ok(Found::One(release)), Some((_, authority))) if answered_authority => {
                if release["status"]["driver"]["epoch"].as_u64() == Some(authority.epoch) {
                    item.write(state, now, effects);
                } else {
                    item.stage = Stage::Done;
                }
            }
            // Without the Release nobody has the authority any more.
            (Ok(_), _) if answered_authority => item.stage = Stage::Done,
            (Ok(Found::One(object)), edit) => {
                item.before = Some(object);
                match edit {
                    Some((_, authority)) => {
                        let release = ResourceRef::new(ResourceKind::Release, &authority.release);
                        item.stage = Stage::Asking(ask(state, effects, Read::Get(release)));
                    }
                    None => item.write(state, now, effects),
                }
            }
            (Ok(_), _) => {
                // A POST may still be on its way; it creates only what serves nobody.
                item.before = None;
                item.stage = Stage::Done;
                state.world.forget(&reference(&item.target));
            }
            (Err(failure), _) => item.pause(now, &failure.why),
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
    /// Sends the touch of the object as it was read.
    fn write(&mut self, state: &mut State, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(object) = &self.before else { return };
        match touch_ops(&self.target, object, self.edit.as_ref().map(|(edit, _)| edit)) {
            Ok(ops) => {
                let target = reference(&self.target);
                self.stage =
                    Stage::Writing(send(state, effects, Direction::Backward, &target, Verb::Patch(ops), false));
            }
            Err(why) => self.pause(now, &why),
        }
    }

    fn pause(&mut self, now: Timestamp, why: &str) {
        self.trouble = format!("({why})");
        self.stage = Stage::Pausing(now + PAUSE);
    }
}

/// Names the object of an unresolved write.
pub fn reference(target: &Unresolved) -> ResourceRef {
    ResourceRef::new(target.kind, &target.name)
}

fn touch_ops(target: &Unresolved, object: &Value, edit: Option<&TouchEdit>) -> Result<Vec<Value>, String> {
    if target.kind == ResourceKind::Deployment {
        return crate::core::deploy::deployment_patch(
            object,
            fence_of(object),
            &crate::core::deploy::DeploymentEdit::default(),
        );
    }
    let fence = fence_of(object).map_or(Fence::First, Fence::At);
    let edit = match edit {
        Some(TouchEdit::Undo(undo)) => Edit::Undo(undo),
        None => Edit::Touch,
    };
    patch(object, fence, &[edit]).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    /// Reads a marked route for an edit under epoch 3, then finds the Release under `epoch`; returns what is sent then.
    fn edit_under(epoch: u64) -> (Toucher, Vec<Effect>) {
        let target = Unresolved { kind: ResourceKind::HTTPRoute, name: "shop".into(), uid: "u".into() };
        let undo = crate::routing::Undo::retired("1", None);
        let authority = Authority { release: "shop-2".into(), epoch: 3 };
        let mut toucher = Toucher::new([target]).with_edit("shop", &TouchEdit::Undo(undo), &authority);
        let (mut state, mut effects) = (State::default(), Vec::new());
        let route = json!({ "metadata": { "name": "shop", "uid": "u", "resourceVersion": "1",
            "annotations": { "pilothouse.dev/fence": "7" } }, "spec": { "rules": [] } });
        let release = json!({ "metadata": { "name": "shop-2" }, "status": { "driver": { "epoch": epoch } } });
        toucher.go(&mut state, at(), &mut effects);
        for answer in [route, release] {
            let Some(Effect::Read { id, .. }) = effects.pop() else { panic!("it reads before it writes") };
            toucher.on_read(&mut state, at(), id, Ok(Found::One(answer)), &mut effects);
        }
        (toucher, effects)
    }

    #[test]
    fn a_console_that_was_taken_over_meanwhile_edits_nothing() {
        let (toucher, effects) = edit_under(4);
        assert!(effects.is_empty() && toucher.is_done(), "{effects:?}");
        let (toucher, effects) = edit_under(3);
        assert!(matches!(effects.as_slice(), [Effect::Write(_)]) && !toucher.is_done(), "{effects:?}");
    }
}
