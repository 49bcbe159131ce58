//! JSON Patches with `test` operations: every write is a compare-and-swap on what the object means.
//!
//! A plain resourceVersion would conflict with every status update of the gateway. The tests are the object's uid, the
//! fence, and the old values as they stand in the live object, server defaults included.

use super::backend::{backend_refs, indexes_of, rules_of};
use super::marks::{FENCE, UNDO, Undo};
use crate::model::{Side, Weight, annotation, name_of, resource_version, uid_of};
use serde_json::{Value, json};

/// What the write expects of the object's fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// The object never had one: the resourceVersion of the live object is tested instead.
    First,
    /// It is exactly this, by the intent; never what the live object says.
    At(u64),
}

/// Which rules an edit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules<'a> {
    /// Every rule that holds both backends; also tests that no rule came or went.
    All,
    /// These indexes; each must hold both backends.
    These(&'a [u32]),
}

/// One change; effects are absolute, never relative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edit<'a> {
    /// Nothing but the fence.
    Touch,
    /// All requests of these rules go to one side.
    Weights {
        /// The rules.
        rules: Rules<'a>,
        /// The Service of the old side.
        old: &'a str,
        /// The Service of the new side.
        new: &'a str,
        /// The side that gets weight 100; the other gets 0.
        to: Side,
    },
    /// The rules' matches: one array per rule of the route, `null` where a rule keeps its own.
    Matches(&'a [Value]),
    /// The undo annotation.
    Undo(&'a Undo),
    /// One field, by JSON pointer; its parent must exist. For what is no route.
    Set {
        /// Where.
        pointer: &'a str,
        /// The value it gets.
        value: &'a Value,
    },
}

/// Why no patch can be made of what the live object says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The object carries no uid or no resourceVersion, so it was not read from a server.
    #[error("{name} has no uid or no resourceVersion: read it again")]
    NotRead {
        /// The object.
        name: String,
    },
    /// The object was taken for one without a fence and has one.
    #[error("{name} already has the fence {found:?}, so somebody has written it since: read it again and decide anew")]
    HasFence {
        /// The object.
        name: String,
        /// The fence's text.
        found: String,
    },
    /// The fence cannot grow any more.
    #[error(
        "the fence of {name} is at its end: set annotation pilothouse.dev/fence back by hand while no release is under way"
    )]
    FenceFull {
        /// The object.
        name: String,
    },
    /// No rule holds both backends.
    #[error("no rule of {name} holds both {old} and {new} as backends: somebody has changed the route")]
    NoSlotRules {
        /// The route.
        name: String,
        /// The old side's Service.
        old: String,
        /// The new side's Service.
        new: String,
    },
    /// A rule is missing, or does not hold both backends exactly once.
    #[error(
        "rule {rule} of {name} does not hold {old} and {new} as backends, each once: somebody has changed the route"
    )]
    NoSlotRule {
        /// The route.
        name: String,
        /// The rule, counted from 1.
        rule: usize,
        /// The old side's Service.
        old: String,
        /// The new side's Service.
        new: String,
    },
    /// The route has another number of rules.
    #[error("{name} has {found} rules where {expected} were written: somebody has changed the route")]
    RuleCount {
        /// The route.
        name: String,
        /// Rules in the live object.
        found: usize,
        /// Rules that were written.
        expected: usize,
    },
    /// A field's parent is missing.
    #[error("{name} has no place for {pointer}: somebody has changed the object")]
    NoParent {
        /// The object.
        name: String,
        /// The field.
        pointer: String,
    },
}

/// Makes the patch that carries out the edits on the live object: tests first, then the changes, then fence + 1.
///
/// # Errors
/// Says why the live object cannot be written this way; nothing may be sent then.
pub fn patch(live: &Value, fence: Fence, edits: &[Edit]) -> Result<Vec<Value>, PatchError> {
    let mut draft = Draft { live, tests: Vec::new(), changes: Vec::new() };
    draft.fence(fence)?;
    for edit in edits {
        match edit {
            Edit::Touch => {}
            Edit::Weights { rules: Rules::All, old, new, to } => draft.all_weights(old, new, *to)?,
            Edit::Weights { rules: Rules::These(rules), old, new, to } => {
                for rule in *rules {
                    draft.test(&format!("/spec/rules/{rule}/backendRefs"));
                    draft.weights(*rule as usize, old, new, *to)?;
                }
            }
            Edit::Matches(matches) => draft.matches(matches)?,
            Edit::Undo(undo) => draft.set(&annotation_pointer(UNDO), Value::from(undo.text())),
            Edit::Set { pointer, value } => draft.field(pointer, value)?,
        }
    }
    Ok(draft.tests.into_iter().chain(draft.changes).collect())
}

/// Predicts what a patch makes of an object, as the API server applies it.
///
/// A `test` for null passes where the field is missing and its parent is there, which is how the server answers and
/// RFC 6902 does not say.
///
/// # Errors
/// Says which operation fails; the object is then not changed at all.
pub fn apply(object: &Value, ops: &[Value]) -> Result<Value, String> {
    let mut result = object.clone();
    for op in ops {
        if tests_for_absence(&result, op) {
            continue;
        }
        let operation: json_patch::PatchOperation = serde_json::from_value(op.clone())
            .map_err(|e| format!("operation {op} is no JSON Patch operation: {e}"))?;
        json_patch::patch(&mut result, std::slice::from_ref(&operation))
            .map_err(|e| format!("operation {op} cannot be applied to {}: {e}", name_of(object)))?;
    }
    Ok(result)
}

struct Draft<'a> {
    live: &'a Value,
    tests: Vec<Value>,
    changes: Vec<Value>,
}

impl Draft<'_> {
    fn name(&self) -> String {
        name_of(self.live).to_owned()
    }

    /// Tests uid and fence, and raises the fence.
    fn fence(&mut self, fence: Fence) -> Result<(), PatchError> {
        if uid_of(self.live).is_empty() || resource_version(self.live).is_empty() {
            return Err(PatchError::NotRead { name: self.name() });
        }
        let pointer = annotation_pointer(FENCE);
        self.test("/metadata/uid");
        match fence {
            Fence::At(at) => {
                let next = at.checked_add(1).ok_or_else(|| PatchError::FenceFull { name: self.name() })?;
                self.tests.push(json!({"op": "test", "path": pointer, "value": at.to_string()}));
                self.changes.push(json!({"op": "replace", "path": pointer, "value": next.to_string()}));
            }
            Fence::First => {
                if let Some(found) = annotation(self.live, FENCE) {
                    return Err(PatchError::HasFence { name: self.name(), found: found.to_owned() });
                }
                self.test("/metadata/resourceVersion");
                if !self.live["metadata"]["annotations"].is_object() {
                    self.test("/metadata/annotations");
                    self.changes.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
                }
                self.changes.push(json!({"op": "add", "path": pointer, "value": "1"}));
            }
        }
        Ok(())
    }

    /// Tests that a field is as it stands in the live object; null where it is missing.
    fn test(&mut self, pointer: &str) {
        let value = self.live.pointer(pointer).cloned().unwrap_or(Value::Null);
        let test = json!({"op": "test", "path": pointer, "value": value});
        if !self.tests.contains(&test) {
            self.tests.push(test);
        }
    }

    /// Sets a field whose parent exists, if it differs, and tests its old value where its parent existed.
    fn set(&mut self, pointer: &str, value: Value) {
        let old = self.live.pointer(pointer);
        let has_parent = pointer.rsplit_once('/').is_some_and(|(parent, _)| self.live.pointer(parent).is_some());
        if has_parent {
            self.test(pointer);
        }
        if old == Some(&value) {
            return;
        }
        let op = if old.is_some() { "replace" } else { "add" };
        self.changes.push(json!({"op": op, "path": pointer, "value": value}));
    }

    fn field(&mut self, pointer: &str, value: &Value) -> Result<(), PatchError> {
        let parent = pointer.rsplit_once('/').and_then(|(parent, _)| self.live.pointer(parent));
        if parent.is_none() {
            return Err(PatchError::NoParent { name: self.name(), pointer: pointer.to_owned() });
        }
        self.set(pointer, value.clone());
        Ok(())
    }

    fn all_weights(&mut self, old: &str, new: &str, to: Side) -> Result<(), PatchError> {
        let rules = rules_of(self.live);
        let holds = |rule: &Value, service| !indexes_of(self.live, rule, service).is_empty();
        let slot_rules: Vec<usize> = rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| holds(rule, old) && holds(rule, new))
            .map(|(index, _)| index)
            .collect();
        if slot_rules.is_empty() {
            return Err(PatchError::NoSlotRules { name: self.name(), old: old.to_owned(), new: new.to_owned() });
        }
        self.test("/spec/rules");
        slot_rules.into_iter().try_for_each(|rule| self.weights(rule, old, new, to))
    }

    fn weights(&mut self, rule: usize, old: &str, new: &str, to: Side) -> Result<(), PatchError> {
        let body = rules_of(self.live).get(rule).ok_or_else(|| self.no_slot_rule(rule, old, new))?;
        let refs = (indexes_of(self.live, body, old), indexes_of(self.live, body, new));
        let ([old_index], [new_index]) = (refs.0.as_slice(), refs.1.as_slice()) else {
            return Err(self.no_slot_rule(rule, old, new));
        };
        let (old_weight, new_weight) = match to {
            Side::Old => (Weight::FULL, Weight::NONE),
            Side::New => (Weight::NONE, Weight::FULL),
        };
        for (index, weight) in [(*old_index, old_weight), (*new_index, new_weight)] {
            let now = backend_refs(body).get(index).and_then(|b| b.get("weight"));
            if now.and_then(Value::as_u64) == Some(u64::from(weight.0)) {
                continue;
            }
            let op = if now.is_some() { "replace" } else { "add" };
            let path = format!("/spec/rules/{rule}/backendRefs/{index}/weight");
            self.changes.push(json!({"op": op, "path": path, "value": weight.0}));
        }
        Ok(())
    }

    /// Sets matches; the rule's backends are tested too, because whoever is taken on or let go goes where they say.
    fn matches(&mut self, matches: &[Value]) -> Result<(), PatchError> {
        let found = rules_of(self.live).len();
        if found != matches.len() {
            return Err(PatchError::RuleCount { name: self.name(), found, expected: matches.len() });
        }
        for (rule, value) in matches.iter().enumerate().filter(|(_, value)| !value.is_null()) {
            self.test(&format!("/spec/rules/{rule}/backendRefs"));
            self.set(&format!("/spec/rules/{rule}/matches"), value.clone());
        }
        Ok(())
    }

    fn no_slot_rule(&self, rule: usize, old: &str, new: &str) -> PatchError {
        PatchError::NoSlotRule { name: self.name(), rule: rule + 1, old: old.to_owned(), new: new.to_owned() }
    }
}

/// Returns the JSON pointer of an annotation.
fn annotation_pointer(key: &str) -> String {
    format!("/metadata/annotations/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn tests_for_absence(object: &Value, op: &Value) -> bool {
    let Some(path) = op["path"].as_str() else { return false };
    let Some((parent, _)) = path.rsplit_once('/') else { return false };
    op["op"] == "test"
        && op.get("value") == Some(&Value::Null)
        && object.pointer(path).is_none()
        && object.pointer(parent).is_some_and(Value::is_object)
}
