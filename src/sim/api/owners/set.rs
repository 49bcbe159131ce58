//! Sets of fields, as `managedFields` writes them (`FieldsV1`).

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A set of the fields below one place of an object.
///
/// A step is written as in `FieldsV1`: `f:NAME` for a member of a map, `k:{KEYS}` for an item of a list with keys,
/// `v:VALUE` for an item of a set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Set {
    /// Whether the place itself belongs to the set.
    here: bool,
    below: BTreeMap<String, Set>,
}

impl Set {
    /// Reads `fieldsV1`.
    pub fn read(fields: &Value) -> Self {
        let members = fields.as_object().into_iter().flatten();
        let below = members.filter(|(step, _)| *step != ".").map(|(step, value)| {
            let mut child = Self::read(value);
            child.here |= child.below.is_empty();
            (step.clone(), child)
        });
        Self { here: fields.get(".").is_some(), below: below.collect() }
    }

    /// Writes `fieldsV1`.
    pub fn write(&self) -> Value {
        let mut out = Map::new();
        if self.here && !self.below.is_empty() {
            out.insert(".".into(), Value::Object(Map::new()));
        }
        out.extend(self.below.iter().map(|(step, child)| (step.clone(), child.write())));
        Value::Object(out)
    }

    /// Tells whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        !self.here && self.below.is_empty()
    }

    /// Tells whether the place itself is in it.
    pub fn is_here(&self) -> bool {
        self.here
    }

    /// Adds the place itself.
    pub fn add_here(&mut self) {
        self.here = true;
    }

    /// Takes the place itself out; what lies below it stays.
    pub fn remove_here(&mut self) {
        self.here = false;
    }

    /// Returns what is in it below one step.
    pub fn below(&self, step: &str) -> Option<&Self> {
        self.below.get(step)
    }

    /// Says what is in it below a step; an empty set is not kept.
    pub fn put(&mut self, step: &str, child: Self) {
        if child.is_empty() {
            self.below.remove(step);
        } else {
            self.below.insert(step.to_owned(), child);
        }
    }

    /// Returns what is in it or in the other.
    pub fn union(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.here |= other.here;
        for (step, theirs) in &other.below {
            let child = out.below.get(step).map_or_else(|| theirs.clone(), |own| own.union(theirs));
            out.put(step, child);
        }
        out
    }

    /// Returns what is in it and not in the other; what lies below a field of the other stays.
    pub fn without(&self, other: &Self) -> Self {
        self.both(other, |own, theirs| own && !theirs)
    }

    /// Returns what is in it and in the other.
    pub fn shared(&self, other: &Self) -> Self {
        self.both(other, |own, theirs| own && theirs)
    }

    /// Returns it with every map on the way to one of its fields as a field of its own.
    pub fn named(&self) -> Self {
        let children = self.below.iter().map(|(step, child)| {
            let mut child = child.named();
            child.here |= step.starts_with("f:");
            (step.clone(), child)
        });
        Self { here: self.here, below: children.collect() }
    }

    /// Lists its fields as a refusal names them: `.spec.template.spec.containers[name="app"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.collect("", &mut out);
        out
    }

    fn collect(&self, path: &str, out: &mut Vec<String>) {
        let own = self.below.iter().filter(|(_, child)| child.here);
        out.extend(own.map(|(step, _)| format!("{path}{}", spoken(step))));
        for (step, child) in &self.below {
            child.collect(&format!("{path}{}", spoken(step)), out);
        }
    }

    fn both(&self, other: &Self, keep: impl Fn(bool, bool) -> bool + Copy) -> Self {
        let nothing = Self::default();
        let mut out = Self { here: keep(self.here, other.here), below: BTreeMap::new() };
        for (step, own) in &self.below {
            out.put(step, own.both(other.below.get(step).unwrap_or(&nothing), keep));
        }
        out
    }
}

/// A step as it stands in a path.
pub fn spoken(step: &str) -> String {
    match step.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let pairs: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", pairs.join(","))
        }
        Some((_, value)) => format!("[={value}]"),
        None => step.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(fields: Value) -> Set {
        Set::read(&fields)
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let fields = json!({"f:spec": {".": {}, "f:list": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}}}}, "f:x": {}});
        assert_eq!(read(fields.clone()).write(), fields);
        assert!(read(json!({})).is_empty());
    }

    #[test]
    fn a_field_and_what_lies_below_it_are_told_apart() {
        let all = read(json!({"f:a": {".": {}, "f:b": {}, "f:c": {}}}));
        let some = read(json!({"f:a": {".": {}, "f:c": {}}}));
        assert_eq!(all.without(&some).write(), json!({"f:a": {"f:b": {}}}));
        assert_eq!(all.without(&read(json!({"f:a": {}}))).write(), json!({"f:a": {"f:b": {}, "f:c": {}}}));
        assert_eq!(all.shared(&read(json!({"f:a": {"f:b": {}}, "f:d": {}}))).write(), json!({"f:a": {"f:b": {}}}));
        assert_eq!(all.without(&some).union(&some), all);
        assert_eq!(
            read(json!({"f:a": {"f:b": {"k:{}": {}}}})).named().write(),
            json!({"f:a": {".": {}, "f:b": {".": {}, "k:{}": {}}}})
        );
    }

    #[test]
    fn paths_are_spoken_as_the_real_server_speaks_them() {
        let set = read(
            json!({"f:spec": {"f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}},
            "f:replicas": {}}, "f:metadata": {"f:finalizers": {"v:\"x\"": {}}}}),
        );
        assert_eq!(
            set.paths(),
            [
                ".metadata.finalizers[=\"x\"]",
                ".spec.replicas",
                ".spec.ports[containerPort=80,protocol=\"TCP\"]",
                ".spec.ports[containerPort=80,protocol=\"TCP\"].name",
            ]
        );
    }
}
