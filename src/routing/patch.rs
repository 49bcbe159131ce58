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
    /// All requests of these rules go to one side. Where they already do, this only tests that they still do: the first
    /// write of a release marks the base and makes sure of its weights in one patch.
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

#[cfg(test)]
mod tests {
    use super::super::fixture::{base, foreign, rule, weighted};
    use super::super::{Backend, backends, fence_of};
    use super::*;

    fn fenced(rules: &[Value], fence: u64) -> Value {
        let mut route = base(rules);
        route["metadata"]["annotations"] = json!({FENCE: fence.to_string()});
        route
    }

    fn to(rules: Rules<'_>, side: Side) -> Edit<'_> {
        Edit::Weights { rules, old: "trackx", new: "trackx-b", to: side }
    }

    fn weights(route: &Value) -> Vec<(u32, u32)> {
        rules_of(route).iter().map(|rule| (backends(rule)[0].1, backends(rule)[1].1)).collect()
    }

    fn undo() -> Undo {
        let backend = |name: &str| Backend { name: name.into(), port: 8080 };
        Undo::Live { release: "r".into(), uid: "u".into(), old: backend("trackx"), new: backend("trackx-b") }
    }

    #[test]
    fn a_touch_raises_the_fence_and_changes_nothing_else() {
        let live = fenced(&[rule(&["/"])], 7);
        let ops = patch(&live, Fence::At(7), &[Edit::Touch]).unwrap();
        let after = apply(&live, &ops).unwrap();
        assert_eq!(fence_of(&after), Some(8));
        assert_eq!(after["spec"], live["spec"]);
        assert_eq!(ops[0], json!({"op": "test", "path": "/metadata/uid", "value": "uid-trackx"}));
        assert_eq!(ops[1], json!({"op": "test", "path": "/metadata/annotations/pilothouse.dev~1fence", "value": "7"}));
    }

    #[test]
    fn the_fence_comes_from_the_intent_and_a_wrong_one_fails() {
        let live = fenced(&[rule(&["/"])], 8);
        let ops = patch(&live, Fence::At(7), &[to(Rules::All, Side::New)]).unwrap();
        assert!(apply(&live, &ops).is_err());
        let mut recreated = fenced(&[rule(&["/"])], 7);
        recreated["metadata"]["uid"] = json!("another");
        let ops = patch(&fenced(&[rule(&["/"])], 7), Fence::At(7), &[Edit::Touch]).unwrap();
        assert!(apply(&recreated, &ops).is_err());
    }

    #[test]
    fn the_first_fence_rests_on_the_resource_version_and_creates_the_map_only_where_there_is_none() {
        let live = base(&[rule(&["/"])]);
        let ops = patch(&live, Fence::First, &[Edit::Undo(&undo())]).unwrap();
        let after = apply(&live, &ops).unwrap();
        assert_eq!(fence_of(&after), Some(1));
        assert_eq!(Undo::parse(&after), Some(Ok(undo())));
        let mut annotated = live;
        annotated["metadata"]["annotations"] = json!({"team": "x"});
        assert!(apply(&annotated, &ops).is_err(), "the map was made by somebody else meanwhile");
        let ops = patch(&annotated, Fence::First, &[Edit::Undo(&undo())]).unwrap();
        let after = apply(&annotated, &ops).unwrap();
        assert_eq!(after["metadata"]["annotations"]["team"], "x");
        annotated["metadata"]["resourceVersion"] = json!("8");
        assert!(apply(&annotated, &ops).is_err());
        assert!(matches!(patch(&after, Fence::First, &[]), Err(PatchError::HasFence { .. })));
    }

    #[test]
    fn weights_of_named_rules_move_and_no_other() {
        let live = fenced(&[rule(&["/"]), rule(&["/a"]), rule(&["/b"])], 1);
        let ops = patch(&live, Fence::At(1), &[to(Rules::These(&[1, 2]), Side::New)]).unwrap();
        assert_eq!(weights(&apply(&live, &ops).unwrap()), [(100, 0), (0, 100), (0, 100)]);
        let mut changed = live;
        changed["spec"]["rules"][1]["backendRefs"][0]["weight"] = json!(99);
        assert!(apply(&changed, &ops).is_err(), "the old weights are tested");
    }

    #[test]
    fn all_weights_leave_other_rules_alone_and_miss_no_rule_that_came_meanwhile() {
        let live = fenced(&[weighted(&["/"], 3, 7), foreign(json!({"method": "GET"}), "other")], 1);
        let ops = patch(&live, Fence::At(1), &[to(Rules::All, Side::Old)]).unwrap();
        let after = apply(&live, &ops).unwrap();
        assert_eq!(backends(&after["spec"]["rules"][0]), [("trackx".to_owned(), 100), ("trackx-b".to_owned(), 0)]);
        assert_eq!(after["spec"]["rules"][1], live["spec"]["rules"][1]);
        let mut grown = live;
        grown["spec"]["rules"].as_array_mut().unwrap().push(rule(&["/new"]));
        assert!(apply(&grown, &ops).is_err());
    }

    #[test]
    fn a_missing_weight_is_added() {
        let mut live = fenced(&[rule(&["/"])], 1);
        live["spec"]["rules"][0]["backendRefs"] = json!([{"name": "trackx-b"}, {"name": "trackx"}]);
        let ops = patch(&live, Fence::At(1), &[to(Rules::All, Side::Old)]).unwrap();
        assert_eq!(weights(&apply(&live, &ops).unwrap()), [(0, 100)]);
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_never_a_partial_patch() {
        let live = fenced(&[rule(&["/"]), foreign(json!({}), "other")], 1);
        let error = |edits: &[Edit]| patch(&live, Fence::At(1), edits).unwrap_err();
        assert!(matches!(error(&[to(Rules::These(&[0, 1]), Side::New)]), PatchError::NoSlotRule { rule: 2, .. }));
        assert!(matches!(error(&[to(Rules::These(&[5]), Side::New)]), PatchError::NoSlotRule { rule: 6, .. }));
        let stranger = Edit::Weights { rules: Rules::All, old: "trackx", new: "nobody", to: Side::New };
        assert!(matches!(error(&[stranger]), PatchError::NoSlotRules { .. }));
        assert!(matches!(error(&[Edit::Matches(&[json!([])])]), PatchError::RuleCount { found: 2, expected: 1, .. }));
        let field = Edit::Set { pointer: "/spec/none/x", value: &json!(1) };
        assert!(matches!(error(&[field]), PatchError::NoParent { .. }));
        assert!(matches!(patch(&live, Fence::At(u64::MAX), &[]), Err(PatchError::FenceFull { .. })));
        assert!(matches!(patch(&json!({}), Fence::At(1), &[]), Err(PatchError::NotRead { .. })));
    }

    #[test]
    fn matches_are_exchanged_only_while_backends_are_as_they_were_read() {
        let live = fenced(&[rule(&["/"]), rule(&["/a"])], 1);
        let matches = [Value::Null, json!([{"path": {"type": "PathPrefix", "value": "/z"}}])];
        let ops = patch(&live, Fence::At(1), &[Edit::Matches(&matches)]).unwrap();
        let after = apply(&live, &ops).unwrap();
        assert_eq!(after["spec"]["rules"][0], live["spec"]["rules"][0]);
        assert_eq!(after["spec"]["rules"][1]["matches"], matches[1]);
        let mut shifted = live;
        shifted["spec"]["rules"][1]["backendRefs"][1]["weight"] = json!(5);
        assert!(apply(&shifted, &ops).is_err());
    }

    #[test]
    fn several_edits_are_one_patch() {
        let mut live = fenced(&[weighted(&["/"], 0, 100)], 4);
        live["metadata"]["annotations"][UNDO] = json!(Undo::retired("1", None).text());
        let ops = patch(&live, Fence::At(4), &[Edit::Undo(&undo()), to(Rules::All, Side::Old)]).unwrap();
        let after = apply(&live, &ops).unwrap();
        assert_eq!((fence_of(&after), Undo::parse(&after)), (Some(5), Some(Ok(undo()))));
        assert_eq!(weights(&after), [(100, 0)]);
        live["metadata"]["annotations"][UNDO] = json!("changed");
        assert!(apply(&live, &ops).is_err());
    }

    #[test]
    fn a_field_is_set_with_a_test_of_what_was_there() {
        let live = json!({"metadata": {"uid": "u", "resourceVersion": "1", "annotations": {FENCE: "1"}},
                          "spec": {"replicas": 2}});
        let edits = [
            Edit::Set { pointer: "/spec/replicas", value: &json!(0) },
            Edit::Set { pointer: "/spec/paused", value: &json!(true) },
        ];
        let ops = patch(&live, Fence::At(1), &edits).unwrap();
        assert_eq!(apply(&live, &ops).unwrap()["spec"], json!({"replicas": 0, "paused": true}));
        let mut other = live;
        other["spec"]["replicas"] = json!(3);
        assert!(apply(&other, &ops).is_err());
        other["spec"] = json!({"replicas": 2, "paused": false});
        assert!(apply(&other, &ops).is_err(), "the field was not there when the object was read");
    }

    #[test]
    fn a_test_for_null_passes_only_where_the_parent_exists() {
        let object = json!({"metadata": {"name": "x"}, "list": [1]});
        let null = |path: &str| json!({"op": "test", "path": path, "value": null});
        assert!(apply(&object, &[null("/metadata/annotations")]).is_ok());
        assert!(apply(&object, &[null("/status/phase")]).is_err());
        assert!(apply(&object, &[null("/metadata/name")]).is_err());
        assert!(apply(&object, &[null("/list/5")]).is_err());
        assert!(apply(&object, &[json!({"op": "test", "path": "/nothing"})]).is_err());
        assert!(apply(&object, &[json!({"op": "replace", "path": "/nothing", "value": 1})]).is_err());
    }
}
