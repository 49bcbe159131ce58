//! The heart of adoption: labels for slot b that nothing of slot a selects, and selectors of its own.
//!
//! A copy of a Deployment with the same labels is selected by the Service that serves slot a: from the moment its first
//! pod is ready, every customer is on both versions. So each label that anything selects slot a by gets a new value.

use crate::model::{MAX_LABEL, SLOT_LABEL, selects};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Labels, as an object holds them.
pub(super) type Labels = Map<String, Value>;

/// A selector and who selects by it.
#[derive(Clone, Debug)]
pub(super) struct Selector {
    /// Who selects, for a sentence, such as `Service shop`.
    pub by: String,
    /// What is selected, in the form of a LabelSelector.
    pub selector: Value,
}

/// Labels of slot a, those of slot b, and how the two are told apart.
#[derive(Clone, Debug)]
pub(super) struct Relabelling {
    old: Value,
    new: Value,
    /// Each label with a new value, and who selects slot a by it.
    pub reasons: BTreeMap<String, Vec<String>>,
    /// Who selects both slots because the selector names no value; for all but Services that is what is wanted.
    pub shared: Vec<String>,
    /// Who selects slot b although slot a is not selected: a selector that excludes slot a by value.
    pub strangers: Vec<String>,
}

impl Relabelling {
    /// Finds new values for every label that one of `selectors` selects `old` by.
    ///
    /// `others` are the labels of everything else there is: a new value is none that is in use or is selected.
    pub fn new(old: &Labels, selectors: &[Selector], others: &[&Labels]) -> Self {
        let old = Value::Object(old.clone());
        let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for one in selectors.iter().filter(|one| selects(&one.selector, &old)) {
            for key in named_keys(&one.selector) {
                reasons.entry(key).or_default().push(one.by.clone());
            }
        }
        let mut new = old.clone();
        for key in reasons.keys() {
            let mut taken: BTreeSet<&str> = others.iter().filter_map(|labels| labels.get(key)?.as_str()).collect();
            taken.extend(selectors.iter().flat_map(|one| values_of(&one.selector, key)));
            let value = old[key].as_str().unwrap_or_default();
            new[key] = json!(fresh(value, &taken));
        }
        new[SLOT_LABEL] = json!("b");
        let who = |holds: &dyn Fn(&Value) -> bool| -> Vec<String> {
            selectors.iter().filter(|one| holds(&one.selector)).map(|one| one.by.clone()).collect()
        };
        let shared = who(&|selector| selects(selector, &old) && selects(selector, &new));
        let strangers = who(&|selector| !selects(selector, &old) && selects(selector, &new));
        Self { old, new, reasons, shared, strangers }
    }

    /// Returns the labels of slot b.
    pub fn labels(&self) -> &Value {
        &self.new
    }

    /// Tells whether a selector takes slot a.
    pub fn takes_old(&self, selector: &Value) -> bool {
        selects(selector, &self.old)
    }

    /// Tells whether a selector takes slot b.
    pub fn takes_new(&self, selector: &Value) -> bool {
        selects(selector, &self.new)
    }

    /// Tells whether a selector takes slot a and does not take slot b, so that slot b needs one of its own.
    pub fn needs_copy(&self, selector: &Value) -> bool {
        self.takes_old(selector) && !self.takes_new(selector)
    }

    /// Returns slot b's form of a selector that takes slot a: it takes slot b, and not slot a.
    pub fn copy(&self, selector: &Value) -> Value {
        let mut copy = selector.clone();
        if let Some(named) = copy.get_mut("matchLabels").and_then(Value::as_object_mut) {
            *named = self.relabelled(named);
        }
        if let Some(expressions) = copy.get_mut("matchExpressions").and_then(Value::as_array_mut) {
            // What asks about the slot label cannot ask the same of slot b.
            expressions.retain(|one| one["key"] != SLOT_LABEL);
            for one in expressions.iter_mut().filter(|one| one["operator"] == "In") {
                if let Some(key) = one["key"].as_str().filter(|key| self.reasons.contains_key(*key)) {
                    one["values"] = json!([self.new[key]]);
                }
            }
        }
        copy
    }

    /// Returns labels with new values where they are slot a's.
    pub fn relabelled(&self, labels: &Labels) -> Labels {
        let value = |key: &String, value: &Value| {
            let is_old = self.reasons.contains_key(key) && self.old.get(key) == Some(value);
            if is_old || key == SLOT_LABEL { self.new[key].clone() } else { value.clone() }
        };
        labels.iter().map(|(key, old)| (key.clone(), value(key, old))).collect()
    }

    /// Lists the labels that differ, as key, old value, new value, and who selects by it.
    pub fn changes(&self) -> impl Iterator<Item = (&str, &str, &str, &[String])> {
        self.reasons.iter().map(|(key, by)| {
            let (old, new) = (self.old[key].as_str(), self.new[key].as_str());
            (key.as_str(), old.unwrap_or_default(), new.unwrap_or_default(), by.as_slice())
        })
    }
}

/// Writes the selector of a Service as a LabelSelector; an empty one selects nothing.
pub(super) fn of_service(selector: &Value) -> Value {
    match selector.as_object() {
        Some(labels) if !labels.is_empty() => json!({ "matchLabels": labels }),
        _ => Value::Null,
    }
}

/// Returns the labels whose value a selector names.
pub(super) fn named_keys(selector: &Value) -> BTreeSet<String> {
    let named = selector["matchLabels"].as_object().into_iter().flatten().map(|(key, _)| key.clone());
    let listed = selector["matchExpressions"].as_array().into_iter().flatten().filter(|one| one["operator"] == "In");
    named.chain(listed.filter_map(|one| one["key"].as_str().map(str::to_owned))).collect()
}

fn values_of<'a>(selector: &'a Value, key: &str) -> Vec<&'a str> {
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    let listed = expressions.filter(|one| one["key"] == key).flat_map(|one| one["values"].as_array()).flatten();
    listed.chain(selector["matchLabels"].get(key)).filter_map(Value::as_str).collect()
}

/// Returns a value for slot b that nobody has, and that a label may have.
fn fresh(old: &str, taken: &BTreeSet<&str>) -> String {
    let mut suffix = String::from("-b");
    let mut number = 2;
    loop {
        let room = MAX_LABEL.saturating_sub(suffix.len());
        let cut: String = old.chars().take(room).collect();
        let stem = cut.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let value = if stem.is_empty() { suffix.trim_start_matches('-').to_owned() } else { format!("{stem}{suffix}") };
        if value != old && !taken.contains(value.as_str()) {
            return value;
        }
        suffix = format!("-b{number}");
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEYS: [&str; 4] = ["app", "tier", "app.kubernetes.io/name", "zone"];
    const VALUES: [&str; 5] = ["shop", "shop-b", "web", "web-b", ""];

    fn labels() -> impl Strategy<Value = Labels> {
        let pair = (prop::sample::select(KEYS.to_vec()), prop::sample::select(VALUES.to_vec()));
        prop::collection::vec(pair, 1..4)
            .prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect())
    }

    fn selector() -> impl Strategy<Value = Value> {
        let expression = (
            prop::sample::select(KEYS.to_vec()),
            prop::sample::select(vec!["In", "NotIn", "Exists", "DoesNotExist"]),
            prop::collection::vec(prop::sample::select(VALUES.to_vec()), 1..3),
        );
        let expressions = prop::collection::vec(expression, 0..3).prop_map(|list| {
            list.into_iter()
                .map(|(key, operator, values)| json!({ "key": key, "operator": operator, "values": values }))
                .collect::<Vec<Value>>()
        });
        (prop::option::of(labels()), expressions).prop_map(
            |(named, expressions)| json!({ "matchLabels": named.unwrap_or_default(), "matchExpressions": expressions }),
        )
    }

    fn named(selectors: Vec<Value>) -> Vec<Selector> {
        let by = |(number, selector)| Selector { by: format!("S{number}"), selector };
        selectors.into_iter().enumerate().map(by).collect()
    }

    proptest! {
        #[test]
        fn nothing_that_names_slot_a_takes_slot_b_and_each_copy_takes_slot_b_alone(
            old in labels(),
            selectors in prop::collection::vec(selector(), 0..6),
            others in prop::collection::vec(labels(), 0..4),
        ) {
            let all: Vec<&Labels> = others.iter().collect();
            let relabelling = Relabelling::new(&old, &named(selectors.clone()), &all);
            let before = Value::Object(old);
            for (number, selector) in selectors.iter().enumerate() {
                let by = format!("S{number}");
                if named_keys(selector).is_empty() {
                    // It names no value: no relabelling tells the slots apart, so it has to be said.
                    let both = relabelling.takes_old(selector) && relabelling.takes_new(selector);
                    prop_assert_eq!(relabelling.shared.contains(&by), both);
                    let only_new = !relabelling.takes_old(selector) && relabelling.takes_new(selector);
                    prop_assert_eq!(relabelling.strangers.contains(&by), only_new);
                    continue;
                }
                if !selects(selector, &before) {
                    // Only one that excludes slot a by value can take slot b, and that has to be said.
                    prop_assert_eq!(relabelling.strangers.contains(&by), relabelling.takes_new(selector));
                    continue;
                }
                prop_assert!(!relabelling.takes_new(selector), "{} takes both", selector);
                let copy = relabelling.copy(selector);
                prop_assert!(relabelling.takes_new(&copy), "{} does not take {}", copy, relabelling.labels());
                prop_assert!(!relabelling.takes_old(&copy), "{} takes slot a", copy);
                for other in &others {
                    prop_assert!(!selects(&copy, &Value::Object(other.clone())), "{} takes {:?}", copy, other);
                }
            }
        }

        #[test]
        fn a_new_value_is_one_that_a_label_may_have(old in "[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?") {
            let value = fresh(&old, &BTreeSet::new());
            prop_assert!(value != old && value.len() <= MAX_LABEL);
            prop_assert!(value.ends_with("-b") && value.starts_with(|c: char| c.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn a_naive_copy_would_be_taken_by_the_service_and_this_one_is_not() {
        let old: Labels = serde_json::from_value(json!({ "app": "shop", "tier": "web" })).unwrap();
        let service = of_service(&json!({ "app": "shop" }));
        assert!(selects(&service, &Value::Object(old.clone())), "as the naive copy's labels");
        let all = [Selector { by: "Service shop".into(), selector: service.clone() }];
        let relabelling = Relabelling::new(&old, &all, &[]);
        assert_eq!(relabelling.labels(), &json!({ "app": "shop-b", "tier": "web", "pilothouse.dev/slot": "b" }));
        assert!(relabelling.needs_copy(&service));
        assert_eq!(relabelling.copy(&service), json!({ "matchLabels": { "app": "shop-b" } }));
        let changes: Vec<_> = relabelling.changes().collect();
        assert_eq!(changes, [("app", "shop", "shop-b", &["Service shop".to_owned()][..])]);
    }

    #[test]
    fn a_value_that_is_taken_is_not_taken_again() {
        assert_eq!(fresh("shop", &BTreeSet::from(["shop-b", "shop-b2"])), "shop-b3");
        assert_eq!(fresh("", &BTreeSet::new()), "b");
        assert_eq!(fresh(&"x".repeat(63), &BTreeSet::new()), format!("{}-b", "x".repeat(61)));
    }

    #[test]
    fn who_takes_both_slots_or_only_the_wrong_one_is_named() {
        let old: Labels = serde_json::from_value(json!({ "app": "shop" })).unwrap();
        let but = json!({ "matchExpressions": [{ "key": "app", "operator": "NotIn", "values": ["shop"] }] });
        let all = [
            Selector { by: "Service shop".into(), selector: of_service(&json!({ "app": "shop" })) },
            Selector { by: "NetworkPolicy all".into(), selector: json!({}) },
            Selector { by: "NetworkPolicy but".into(), selector: but },
        ];
        let relabelling = Relabelling::new(&old, &all, &[]);
        assert_eq!(relabelling.shared, ["NetworkPolicy all"]);
        assert_eq!(relabelling.strangers, ["NetworkPolicy but"]);
    }
}
