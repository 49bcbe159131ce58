//! The customers of the service, as the team lists them.

use super::{CustomerId, Finding};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The longest header value the Gateway API accepts.
const MAX_ID: usize = 4096;
/// What is said where a limit of the reader is reached.
const DEEP: &str = "it is nested or repeated far deeper than a list of customers";
/// What a list of customers looks like.
const LIST: &str = "a list of {id, name, tier, region, labels}";

/// One tenant of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Customer {
    /// The value of the customer header.
    pub id: CustomerId,
    /// A name for people; foreign text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The tier rings may select by.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tier: String,
    /// The region rings may select by.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// Further labels rings may select by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Customer {
    /// Returns the value a ring's `select` compares for this key.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        match key {
            "id" => Some(self.id.as_str()),
            "name" => Some(&self.name),
            "tier" => Some(&self.tier),
            "region" => Some(&self.region),
            other => self.labels.get(other).map(String::as_str),
        }
    }
}

/// Reads a list of customers in YAML and checks every entry; `from` says in every finding where the list stands.
///
/// # Errors
/// Returns all findings at once: unreadable text, entries of another shape, ids that no header can carry, ids listed twice.
pub fn parse_customers(from: &str, text: &str) -> Result<Vec<Customer>, Vec<Finding>> {
    let customers: Vec<Customer> = serde_saphyr::from_str(text).map_err(|error| {
        // The reader stops at the first entry of another shape; a person wants to know them all.
        let shapes = shapes(from, text);
        if shapes.is_empty() { vec![unreadable(from, &error)] } else { shapes }
    })?;
    let findings = check_customers(from, &customers);
    if findings.is_empty() { Ok(customers) } else { Err(findings) }
}

/// Reads whoever stands in `customers.yaml`, also where the list has mistakes; nobody when it is no list.
pub fn customers_in(text: &str) -> Vec<Customer> {
    serde_saphyr::from_str(text).unwrap_or_default()
}

/// Names every entry that is no customer by its shape; nothing where the text is no YAML.
fn shapes(from: &str, text: &str) -> Vec<Finding> {
    let Ok(list) = serde_saphyr::from_str::<Value>(text) else { return Vec::new() };
    let Some(list) = list.as_array() else {
        let text = format!("{from} holds {} and no list: it must be {LIST}", kind(&list));
        return vec![Finding::refuse("customers.shape", text)];
    };
    let mut findings = Vec::new();
    for (i, entry) in list.iter().enumerate() {
        let faults = faults(entry);
        if !faults.is_empty() {
            let who = entry["id"].as_str().map(|id| format!(" ({id:?})")).unwrap_or_default();
            findings.push(Finding::refuse(
                "customers.shape",
                format!("{from}: customer {}{who} {}", i + 1, faults.join(", and ")),
            ));
        }
    }
    findings
}

fn faults(entry: &Value) -> Vec<String> {
    let Some(fields) = entry.as_object() else {
        return vec![format!("is {}: write {{id: ...}}", kind(entry))];
    };
    let is_text = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    let mut faults = Vec::new();
    if !fields.contains_key("id") {
        faults.push("has no id".to_owned());
    }
    for name in ["id", "name", "tier", "region"] {
        if let Some(value) = fields.get(name).filter(|value| !is_text(value)) {
            faults.push(format!("has {} as {name}, which must be a text", kind(value)));
        }
    }
    match fields.get("labels") {
        None => {}
        Some(Value::Object(labels)) => {
            for (name, value) in labels.iter().filter(|(_, value)| !is_text(value)) {
                faults.push(format!("has {} as label {name:?}, which must be a text", kind(value)));
            }
        }
        Some(other) => faults.push(format!("has {} as labels, which must be names with texts", kind(other))),
    }
    faults
}

/// Says in words what stands where something else should.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "yes or no",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a set of fields",
    }
}

/// Says where a text is no list and why, without the reader's drawing of it and without its inner words.
fn unreadable(from: &str, error: &serde_saphyr::Error) -> Finding {
    use serde_saphyr::Error;
    let place =
        error.location().map_or_else(String::new, |at| format!(" at line {}, column {}", at.line(), at.column()));
    let why = match error.without_snippet() {
        Error::Eof { .. } => "it is empty, or ends too early".to_owned(),
        Error::MultipleDocuments { .. } => "it holds more than one document (---)".to_owned(),
        Error::DuplicateMappingKey { key, .. } => {
            format!("{} stands twice in one entry", key.as_deref().unwrap_or("a field"))
        }
        Error::UnknownAnchor { .. } => "an alias (*) names no anchor (&)".to_owned(),
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an alias (*) stands inside its own anchor (&)".to_owned(),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => DEEP.to_owned(),
        other => {
            let options = serde_saphyr::render_options! { snippets: serde_saphyr::SnippetMode::Off };
            let said = other.render_with_options(options);
            // The parser has a limit of its own, which comes as a text.
            if said.starts_with("recursion limit") {
                DEEP.to_owned()
            } else {
                // The place is said once.
                said.split(" at line ").next().unwrap_or_default().to_owned()
            }
        }
    };
    Finding::refuse("customers.unreadable", format!("{from} cannot be read{place}: {why}; it must be {LIST}"))
}

/// Checks a list of customers: every id fits in a header and stands once; `from` says where the list stands.
pub fn check_customers(from: &str, customers: &[Customer]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for (i, customer) in customers.iter().enumerate() {
        let id = customer.id.as_str();
        let fits = !id.is_empty() && id.len() <= MAX_ID && id.bytes().all(|b| (0x21..=0x7e).contains(&b));
        if !fits {
            findings.push(Finding::refuse(
                "customers.bad-id",
                format!("{from}: customer {} has the id {id:?}, which no request header can carry: use 1 to {MAX_ID} visible ASCII characters", i + 1),
            ));
        }
        if !seen.insert(id) {
            findings.push(Finding::refuse(
                "customers.twice",
                format!("{from}: customer {id:?} is listed twice: remove one of the entries"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_with_its_labels() {
        let list =
            parse_customers("here", "- {id: acme, name: Acme Ltd, tier: gold, labels: {pilot: 'yes'}}\n- id: globex\n")
                .unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].attribute("pilot"), Some("yes"));
        assert_eq!(list[1].attribute("tier"), Some(""));
    }

    #[test]
    fn every_bad_entry_is_named() {
        let findings = parse_customers("here", "- {id: a b}\n- {id: x}\n- {id: x}\n- {id: ''}\n").unwrap_err();
        let checks: Vec<&str> = findings.iter().map(|f| f.check.as_str()).collect();
        assert_eq!(checks, ["customers.bad-id", "customers.twice", "customers.bad-id"]);
    }

    fn said(text: &str) -> Vec<String> {
        parse_customers("list.yaml", text).unwrap_err().into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn every_entry_of_another_shape_is_named_and_where_the_list_stands() {
        assert_eq!(
            said(
                "- {name: Acme}\n- acme\n- {id: fine}\n- {id: [a], tier: {x: 1}}\n- {id: x, labels: {a: [b]}, region: }\n- {id: hooli, labels: z}\n"
            ),
            [
                "list.yaml: customer 1 has no id",
                "list.yaml: customer 2 is a text: write {id: ...}",
                "list.yaml: customer 4 has a list as id, which must be a text, and has a set of fields as tier, which must be a text",
                "list.yaml: customer 5 (\"x\") has nothing as region, which must be a text, and has a list as label \"a\", which must be a text",
                "list.yaml: customer 6 (\"hooli\") has a text as labels, which must be names with texts",
            ]
        );
        assert_eq!(
            said("customers: [{id: a}]\n"),
            ["list.yaml holds a set of fields and no list: it must be a list of {id, name, tier, region, labels}"]
        );
    }

    #[test]
    fn what_cannot_be_read_is_said_in_one_sentence_with_one_place_and_no_inner_word() {
        let deep = format!("- {}", "[".repeat(5000));
        for (text, place, words) in [
            ("- {id: a}\n- {id: b\n- {id: c}\n", "line ", "list.yaml cannot be read at line"),
            ("- &a {id: x, labels: *a}\n", "line 1, ", "stands inside its own anchor"),
            ("- {id: x, labels: *b}\n", "line 1, ", "names no anchor"),
            (deep.as_str(), "line 1, ", "far deeper than a list of customers"),
            ("- {id: a, id: b}\n", "line 1, ", "id stands twice in one entry"),
            ("- {id: a}\n---\n- {id: b}\n", "line ", "more than one document"),
        ] {
            let said = said(text);
            let [one] = said.as_slice() else { panic!("{said:?}") };
            assert!(one.contains(words), "{one}");
            assert!(one.matches("line ").count() == 1 && one.contains(place), "{one}");
            for inner in ["-->", "<input>", "\n", " | ", "budget", "Depth", "weak"] {
                assert!(!one.contains(inner), "{inner:?} in {one}");
            }
        }
    }

    #[test]
    fn a_number_or_a_word_of_yaml_is_read_as_it_is_written() {
        let list = parse_customers("here", "- {id: 007, name: yes, labels: {since: 1e3}}\n").unwrap();
        assert_eq!(
            (list[0].id.as_str(), list[0].name.as_str(), list[0].labels["since"].as_str()),
            ("007", "yes", "1e3")
        );
    }
}
