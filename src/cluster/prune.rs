//! JSON to a value without the parts that nobody reads.
//!
//! They are passed over while the text is read: thousands of pods with specifications of some kilobytes each are never
//! held as values, not even for a moment.

use crate::model::ResourceKind;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Where a part is: keys from the outside in; elements of lists have no key of their own.
pub(super) type Path = &'static [&'static str];

/// What is left out of an answer of this kind, an object or a list: `managedFields`, often the larger half of an object,
/// and of pods all that decides nothing.
pub(super) fn of_answer(kind: ResourceKind) -> &'static [Path] {
    if kind == ResourceKind::Pod { PODS } else { OBJECTS }
}

/// What is left out of an event of a watch: the same.
pub(super) fn of_event(kind: ResourceKind) -> &'static [Path] {
    if kind == ResourceKind::Pod { POD_EVENT } else { EVENT }
}

/// What is left out of objects and lists of any other kind.
pub(super) const OBJECTS: &[Path] = &[&["metadata", "managedFields"], &["items", "metadata", "managedFields"]];

const PODS: &[Path] = &[
    &["metadata", "managedFields"],
    &["items", "metadata", "managedFields"],
    &["items", "metadata", "annotations"],
    &["items", "spec"],
];
const EVENT: &[Path] = &[&["object", "metadata", "managedFields"]];
const POD_EVENT: &[Path] =
    &[&["object", "metadata", "managedFields"], &["object", "metadata", "annotations"], &["object", "spec"]];

/// Reads JSON without these parts.
///
/// # Errors
/// Says what is no JSON.
pub(super) fn parse(text: &[u8], without: &[Path]) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Pruned { depth: 0, without: without.to_vec() }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// A value at some depth, and the parts below it that are left out.
struct Pruned {
    depth: usize,
    without: Vec<Path>,
}

impl<'de> DeserializeSeed<'de> for Pruned {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        if self.without.is_empty() {
            return serde::Deserialize::deserialize(reader);
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pruned {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let below = |path: &&Path| path.get(self.depth).is_some_and(|step| *step == key);
            let without: Vec<Path> = self.without.iter().copied().filter(|path| below(&path)).collect();
            let depth = self.depth + 1;
            if without.iter().any(|path| path.len() == depth) {
                map.next_value::<IgnoredAny>()?;
            } else {
                let value = map.next_value_seed(Self { depth, without })?;
                read.insert(key, value);
            }
        }
        Ok(Value::Object(read))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(element) =
            elements.next_element_seed(Self { depth: self.depth, without: self.without.clone() })?
        {
            read.push(element);
        }
        Ok(Value::Array(read))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_named_parts_are_left_out_at_their_places_and_in_every_element() {
        let object = json!({
            "metadata": { "name": "p", "managedFields": [1], "annotations": { "spec": "x" },
                          "labels": { "managedFields": "kept" } },
            "spec": { "n": -1, "big": 18_446_744_073_709_551_615u64, "f": 1.5, "on": true, "none": null },
            "status": { "spec": { "managedFields": [] } },
        });
        let list = json!({ "kind": "List", "metadata": { "continue": "t" }, "items": [object, 7, "x"] });
        let text = list.to_string();
        let mut expected = list.clone();
        expected["items"][0]["metadata"].as_object_mut().unwrap().remove("managedFields");
        assert_eq!(parse(text.as_bytes(), OBJECTS).unwrap(), expected);
        expected["items"][0]["metadata"].as_object_mut().unwrap().remove("annotations");
        expected["items"][0].as_object_mut().unwrap().remove("spec");
        assert_eq!(parse(text.as_bytes(), PODS).unwrap(), expected);
        assert_eq!(parse(text.as_bytes(), &[]).unwrap(), list);
    }

    #[test]
    fn what_is_read_is_what_the_library_reads_and_what_is_no_json_is_refused() {
        for text in ["null", "true", "-3", "1e3", "0.25", r#""a\u00e9\n""#, "[]", "{}", r#"[{"items":1},[2]]"#] {
            let known: Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text.as_bytes(), PODS).unwrap(), known, "{text}");
        }
        for text in ["", "{", r#"{"items":[}"#, "{} x", r#"{"items":[{"spec":{]}}"#] {
            assert!(parse(text.as_bytes(), PODS).is_err(), "{text}");
        }
    }
}
