//! The walks over objects that server-side apply needs: what differs, which fields there are, merging, and removing.

use super::set::{Set, spoken};
use super::shape::{Form, Shape, items};
use serde_json::{Map, Value};

/// Which fields a change has added, modified and removed.
#[derive(Debug, Default)]
pub struct Diff {
    /// Fields that were not there.
    pub added: Set,
    /// Fields with another value than before.
    pub modified: Set,
    /// Fields that are gone.
    pub removed: Set,
}

impl Diff {
    /// Fields that have a value which they did not have before.
    pub fn taken(&self) -> Set {
        self.added.union(&self.modified)
    }

    fn put(&mut self, step: &str, child: Self) {
        self.added.put(step, child.added);
        self.modified.put(step, child.modified);
        self.removed.put(step, child.removed);
    }
}

/// Compares two objects.
pub fn compare(shape: &Shape, old: Option<&Value>, new: Option<&Value>) -> Diff {
    let mut diff = Diff::default();
    let form = shape.form(old, new);
    let one = form == Form::One || (is_void(old) && is_void(new));
    match form {
        _ if one => {}
        Form::Map => {
            for (name, old, new) in members(old, new) {
                if !shape.hides(name) {
                    diff.put(&format!("f:{name}"), compare(&shape.member(name), old, new));
                }
            }
        }
        _ => {
            let (before, after) = (items(form, old), items(form, new));
            for (step, item) in &before {
                diff.put(step, compare(shape, Some(*item), find(&after, step)));
            }
            for (step, item) in after.iter().filter(|(step, _)| find(&before, step).is_none()) {
                diff.put(step, compare(shape, None, Some(*item)));
            }
        }
    }
    match (old, new) {
        (None, Some(_)) => diff.added.add_here(),
        (Some(_), None) => diff.removed.add_here(),
        (Some(old), Some(new)) if one && old != new => diff.modified.add_here(),
        _ => {}
    }
    diff
}

/// Returns the fields of an object: those a configuration applies when it is this object.
pub fn fields(shape: &Shape, value: &Value) -> Set {
    let mut out = Set::default();
    let form = shape.form(Some(value), None);
    match form {
        Form::One => out.add_here(),
        Form::Map => {
            for (name, member) in value.as_object().into_iter().flatten().filter(|(name, _)| !shape.hides(name)) {
                let mut child = fields(&shape.member(name), member);
                if member.as_object().is_some_and(Map::is_empty) {
                    child.add_here();
                }
                out.put(&format!("f:{name}"), child);
            }
        }
        _ => {
            for (step, item) in items(form, Some(value)) {
                let mut child = fields(shape, item);
                child.add_here();
                out.put(&step, child);
            }
        }
    }
    out
}

/// Returns the place and the key of a list's item that is there twice, which no configuration may have.
pub fn twice(shape: &Shape, value: &Value) -> Option<String> {
    let form = shape.form(Some(value), None);
    match form {
        Form::One => None,
        Form::Map => value.as_object()?.iter().find_map(|(name, member)| {
            twice(&shape.member(name), member).map(|found| format!("{}{found}", spoken(&format!("f:{name}"))))
        }),
        _ => {
            let all = items(form, Some(value));
            let seen = |place: usize| all[..place].iter().any(|(step, _)| *step == all[place].0);
            let place = (0..all.len()).find(|place| seen(*place));
            let below = || all.iter().find_map(|(step, item)| Some(format!("{}{}", spoken(step), twice(shape, item)?)));
            place.map(|place| format!(": duplicate entries for key {}", spoken(&all[place].0))).or_else(below)
        }
    }
}

/// Merges a configuration into an object; `None` when nothing is left of either.
pub fn merge(shape: &Shape, live: Option<&Value>, config: Option<&Value>) -> Option<Value> {
    let form = shape.form(live, config);
    if form == Form::One || (is_void(live) && is_void(config)) {
        return config.or(live).cloned();
    }
    if form == Form::Map {
        let merged = members(live, config)
            .into_iter()
            .filter_map(|(name, live, config)| Some((name.clone(), merge(&shape.member(name), live, config)?)));
        return Some(merged.collect::<Map<_, _>>()).filter(|map| !map.is_empty()).map(Value::Object);
    }
    let list = merge_items(shape, &items(form, live), &items(form, config));
    Some(list).filter(|list| !list.is_empty()).map(Value::Array)
}

/// Removes the fields of a set from an object; a map or list that becomes empty by it goes as well.
pub fn remove(shape: &Shape, value: &Value, gone: &Set) -> Option<Value> {
    let form = shape.form(Some(value), None);
    match form {
        Form::One => Some(value.clone()),
        Form::Map => {
            let left: Map<String, Value> = value
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(name, member)| {
                    Some((name.clone(), kept(&shape.member(name), member, gone.below(&format!("f:{name}")))?))
                })
                .collect();
            Some(left).filter(|left| !left.is_empty()).map(Value::Object)
        }
        _ => {
            let all = items(form, Some(value)).into_iter();
            let left: Vec<Value> = all.filter_map(|(step, item)| kept(shape, item, gone.below(&step))).collect();
            Some(left).filter(|left| !left.is_empty()).map(Value::Array)
        }
    }
}

fn kept(shape: &Shape, value: &Value, gone: Option<&Set>) -> Option<Value> {
    match gone {
        None => Some(value.clone()),
        Some(gone) if gone.is_here() => None,
        Some(gone) => remove(shape, value, gone),
    }
}

/// Merges two lists item by item. What only the object has stands where it stood, before the configuration's next item that
/// both have; shared items have the order of the configuration.
fn merge_items(shape: &Shape, live: &[(String, &Value)], config: &[(String, &Value)]) -> Vec<Value> {
    let mut shared = config.iter().map(|(step, _)| step).filter(|step| find(live, step).is_some());
    let mut next = shared.next();
    let (mut out, mut l, mut r) = (Vec::new(), 0, 0);
    while l < live.len() || r < config.len() {
        if let Some((step, item)) = live.get(l) {
            match config.iter().position(|(other, _)| other == step) {
                None => {
                    out.push((*item).clone());
                    l += 1;
                    continue;
                }
                // Merged already, or to be merged when the configuration comes to it.
                Some(place) if place < r || (r < config.len() && place != r && next.is_some_and(|n| n != step)) => {
                    l += 1;
                    continue;
                }
                Some(_) => {}
            }
        }
        let Some((step, item)) = config.get(r) else { continue };
        out.extend(merge(shape, find(live, step), Some(*item)));
        r += 1;
        if next == Some(step) {
            next = shared.next();
        }
    }
    out
}

/// Tells whether a value has nothing in it: such a list or map is compared and merged as one.
fn is_void(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        Some(_) => false,
    }
}

/// The members of two maps, each name once.
fn members<'a>(
    old: Option<&'a Value>,
    new: Option<&'a Value>,
) -> Vec<(&'a String, Option<&'a Value>, Option<&'a Value>)> {
    let (old, new) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
    let before = old.into_iter().flatten().map(|(name, value)| (name, Some(value), new.and_then(|new| new.get(name))));
    let after = new.into_iter().flatten().filter(|(name, _)| old.is_none_or(|old| !old.contains_key(*name)));
    before.chain(after.map(|(name, value)| (name, None, Some(value)))).collect()
}

fn find<'a>(list: &[(String, &'a Value)], step: &str) -> Option<&'a Value> {
    list.iter().find(|(other, _)| other == step).map(|(_, item)| *item)
}

#[cfg(test)]
mod tests {
    use super::super::super::resources::DEPLOYMENTS;
    use super::*;
    use serde_json::json;

    fn pod(containers: Value) -> Value {
        json!({"spec": {"template": {"spec": {"containers": containers}}}})
    }

    fn names(object: &Value) -> Vec<&str> {
        let list = object["spec"]["template"]["spec"]["containers"].as_array().unwrap();
        list.iter().map(|c| c["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_merged_list_keeps_what_the_configuration_does_not_name_where_it_stood() {
        let list = |names: &str| pod(names.chars().map(|name| json!({"name": name.to_string()})).collect());
        for (live, config, merged) in [
            ("abc", "b", "abc"),
            ("abc", "ca", "bca"),
            ("ab", "xb", "axb"),
            ("ab", "bx", "abx"),
            ("", "ab", "ab"),
            ("ab", "ba", "ba"),
        ] {
            let out = merge(&Shape::of(&DEPLOYMENTS), Some(&list(live)), Some(&list(config))).unwrap();
            assert_eq!(names(&out).concat(), merged, "{live} with {config}");
        }
    }

    #[test]
    fn a_new_map_is_added_with_all_its_members_and_a_present_one_member_by_member() {
        let shape = Shape::of(&DEPLOYMENTS);
        let (old, new) =
            (json!({"metadata": {}}), json!({"metadata": {"labels": {"a": "1"}}, "spec": {"replicas": 1}}));
        let added = compare(&shape, Some(&old), Some(&new)).added.write();
        assert_eq!(
            added,
            json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}, "f:spec": {".": {}, "f:replicas": {}}})
        );
        let more = json!({"metadata": {"labels": {"a": "2", "b": "1"}}});
        let diff = compare(&shape, Some(&new), Some(&more));
        assert_eq!(diff.added.write(), json!({"f:metadata": {"f:labels": {"f:b": {}}}}));
        assert_eq!(diff.modified.write(), json!({"f:metadata": {"f:labels": {"f:a": {}}}}));
        assert_eq!(diff.removed.write(), json!({"f:spec": {".": {}, "f:replicas": {}}}));
    }

    #[test]
    fn a_configuration_has_the_fields_it_names_and_each_item_of_its_lists() {
        let config =
            pod(json!([{"name": "app", "args": ["a"], "env": [{"name": "X", "value": "1"}], "resources": {}}]));
        let app = json!({".": {}, "f:name": {}, "f:args": {}, "f:resources": {},
            "f:env": {"k:{\"name\":\"X\"}": {".": {}, "f:name": {}, "f:value": {}}}});
        let containers = json!({"k:{\"name\":\"app\"}": app});
        assert_eq!(
            fields(&Shape::of(&DEPLOYMENTS), &config).write(),
            json!({"f:spec": {"f:template": {"f:spec": {"f:containers": containers}}}})
        );
    }

    #[test]
    fn removing_takes_members_and_items_and_what_becomes_empty() {
        let shape = Shape::of(&DEPLOYMENTS);
        let object = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"replicas": 1, "paused": true}});
        let gone = Set::read(&json!({"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:replicas": {}}}));
        assert_eq!(remove(&shape, &object, &gone), Some(json!({"spec": {"paused": true}})));
        let two = pod(json!([{"name": "a"}, {"name": "b"}]));
        let gone =
            Set::read(&json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {}}}}}}));
        assert_eq!(names(&remove(&shape, &two, &gone).unwrap()), ["b"]);
    }
}
