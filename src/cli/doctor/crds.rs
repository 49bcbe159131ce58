//! Whether the kinds that are installed know every field that this program writes.

use serde_json::Value;

/// How many fields a sentence names.
const NAMED: usize = 3;

/// Lists fields of our definition that the installed one does not know: the API server would drop them without a word.
pub fn unknown_fields(ours: &Value, installed: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    compare(schema(ours), schema(installed), "", &mut missing);
    missing
}

/// Writes fields for a sentence.
pub fn in_words(fields: &[String]) -> String {
    let shown = fields.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match fields.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn schema(definition: &Value) -> &Value {
    let versions = definition["spec"]["versions"].as_array().map_or(&[][..], Vec::as_slice);
    let ours = versions.iter().find(|version| version["name"] == "v1alpha1");
    ours.map_or(&Value::Null, |version| &version["schema"]["openAPIV3Schema"])
}

fn compare(ours: &Value, installed: &Value, path: &str, missing: &mut Vec<String>) {
    if installed["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    let items = &ours["items"];
    if items.is_object() {
        compare(items, &installed["items"], path, missing);
    }
    let values = &ours["additionalProperties"];
    if values.is_object() {
        compare(values, &installed["additionalProperties"], path, missing);
    }
    for (name, field) in ours["properties"].as_object().into_iter().flatten() {
        let place = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let theirs = &installed["properties"][name];
        if theirs.is_null() {
            missing.push(place);
        } else {
            compare(field, theirs, &place, missing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_an_older_definition_does_not_know_is_named_with_its_place() {
        for ours in crate::api::crds() {
            assert_eq!(unknown_fields(&ours, &ours), [""; 0]);
        }
        let ours = crate::api::crds().remove(0);
        let mut older = ours.clone();
        let spec = &mut older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        spec.as_object_mut().unwrap().remove("promote");
        spec["rings"]["items"]["properties"].as_object_mut().unwrap().remove("bake");
        assert_eq!(unknown_fields(&ours, &older), ["spec.promote", "spec.rings.bake"]);
        assert_eq!(unknown_fields(&ours, &Value::Null).len(), 2, "spec and status at least");
    }
}
