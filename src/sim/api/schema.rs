//! Structural schemas as CRDs hold them: pruning, defaults, and checks.

use super::failure::Cause;
use serde_json::{Map, Value};

/// Drops fields that the schema does not know and fills in defaults.
pub fn complete(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => complete_object(schema, fields),
        Value::Array(items) => {
            for item in items {
                complete(&schema["items"], item);
            }
        }
        _ => {}
    }
}

fn complete_object(schema: &Value, fields: &mut Map<String, Value>) {
    let known = schema["properties"].as_object();
    let keep = schema["x-kubernetes-preserve-unknown-fields"] == true || schema.is_null();
    let others = schema.get("additionalProperties");
    if !keep && others.is_none() {
        fields.retain(|name, _| known.is_some_and(|k| k.contains_key(name)));
    }
    for (name, child) in known.into_iter().flatten() {
        let empty = fields.get(name).is_none_or(|v| v.is_null() && child["nullable"] != true);
        match child.get("default") {
            Some(default) if empty => drop(fields.insert(name.clone(), default.clone())),
            _ => {}
        }
    }
    for (name, field) in fields.iter_mut() {
        match known.and_then(|k| k.get(name)).or(others) {
            Some(child) if child.is_object() => complete(child, field),
            _ => {}
        }
    }
}

/// Checks a value against its schema; every finding is one cause.
pub fn check(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    if let Some(wanted) = schema["type"].as_str()
        && !has_type(value, wanted)
    {
        let found = type_name(value);
        causes.push(Cause {
            reason: "FieldValueTypeInvalid",
            field: path.to_owned(),
            message: format!("Invalid value: {found:?}: {path} in body must be of type {wanted}: {found:?}"),
        });
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let list: Vec<String> = allowed.iter().filter(|a| !a.is_null()).map(Value::to_string).collect();
        causes.push(Cause {
            reason: "FieldValueNotSupported",
            field: path.to_owned(),
            message: format!("Unsupported value: {value}: supported values: {}", list.join(", ")),
        });
    }
    match value {
        Value::Number(number) => check_number(schema, value, number.as_f64().unwrap_or_default(), path, causes),
        Value::String(text) => check_text(schema, value, text, path, causes),
        Value::Array(items) => {
            check_length(schema, value, items.len(), path, causes);
            for (i, item) in items.iter().enumerate() {
                check(&schema["items"], item, &format!("{path}[{i}]"), causes);
            }
        }
        Value::Object(fields) => check_object(schema, fields, path, causes),
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_number(schema: &Value, value: &Value, number: f64, path: &str, causes: &mut Vec<Cause>) {
    if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
        causes.push(Cause::invalid(path, value, &format!("{path} in body should be greater than or equal to {least}")));
    }
    if let Some(most) = schema["maximum"].as_f64().filter(|most| number > *most) {
        causes.push(Cause::invalid(path, value, &format!("{path} in body should be less than or equal to {most}")));
    }
}

fn check_text(schema: &Value, value: &Value, text: &str, path: &str, causes: &mut Vec<Cause>) {
    if let Some(least) = schema["minLength"].as_u64().filter(|least| (text.len() as u64) < *least) {
        causes.push(Cause::invalid(path, value, &format!("{path} in body should be at least {least} chars long")));
    }
    if let Some(most) = schema["maxLength"].as_u64().filter(|most| text.len() as u64 > *most) {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            field: path.to_owned(),
            message: format!("Too long: may not be more than {most} bytes"),
        });
    }
}

fn check_length(schema: &Value, value: &Value, length: usize, path: &str, causes: &mut Vec<Cause>) {
    if let Some(least) = schema["minItems"].as_u64().filter(|least| (length as u64) < *least) {
        causes.push(Cause::invalid(path, value, &format!("{path} in body should have at least {least} items")));
    }
    if let Some(most) = schema["maxItems"].as_u64().filter(|most| length as u64 > *most) {
        causes.push(Cause::too_many(path, length, most));
    }
}

fn check_object(schema: &Value, fields: &Map<String, Value>, path: &str, causes: &mut Vec<Cause>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            causes.push(Cause::required(below(name), ""));
        }
    }
    let known = schema["properties"].as_object();
    for (name, field) in fields {
        match known.and_then(|k| k.get(name)).or(schema.get("additionalProperties")) {
            Some(child) if child.is_object() => check(child, field, &below(name), causes),
            _ => {}
        }
    }
}

/// Checks the transition rules of a schema's root.
///
/// Only the form `self.PATH == oldSelf.PATH` is evaluated, which is the one our CRDs use; there is no CEL engine here.
pub fn check_transition(schema: &Value, old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let Some((left, right)) = rule["rule"].as_str().and_then(|text| text.split_once(" == ")) else { continue };
        let (Some(path), Some(twin)) = (left.strip_prefix("self."), right.strip_prefix("oldSelf.")) else { continue };
        if path == twin && at(new, path) != at(old, path) {
            let why = rule["message"].as_str().unwrap_or("a rule of the schema failed");
            causes.push(Cause::invalid("<nil>", &Value::from("object"), why));
        }
    }
}

fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |v, part| &v[part])
}

fn has_type(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => true,
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Value {
        json!({"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 4},
            "size": {"type": "integer", "minimum": 0, "maximum": 10, "default": 3},
            "mode": {"type": "string", "enum": ["a", "b"]},
            "note": {"type": "string", "nullable": true},
            "tags": {"type": "object", "additionalProperties": {"type": "string"}},
            "list": {"type": "array", "maxItems": 1, "items": {"type": "object", "properties": {"w": {"type": "integer", "default": 1}}}},
            "free": {"x-kubernetes-preserve-unknown-fields": true}}})
    }

    #[test]
    fn unknown_fields_are_dropped_and_defaults_filled_in() {
        let mut value =
            json!({"name": "x", "odd": 1, "tags": {"k": "v"}, "list": [{"q": 1}], "free": {"any": {"thing": 1}}});
        complete(&sample(), &mut value);
        assert_eq!(
            value,
            json!({"name": "x", "size": 3, "tags": {"k": "v"}, "list": [{"w": 1}], "free": {"any": {"thing": 1}}})
        );
    }

    #[test]
    fn every_broken_rule_is_one_cause_with_its_field() {
        let value = json!({"size": 11, "mode": "c", "note": null, "tags": {"k": 1}, "list": [{}, {"w": "x"}]});
        let mut causes = Vec::new();
        check(&sample(), &value, "", &mut causes);
        let found: Vec<(&str, &str)> = causes.iter().map(|c| (c.field.as_str(), c.reason)).collect();
        assert_eq!(
            found,
            [
                ("name", "FieldValueRequired"),
                ("list", "FieldValueTooMany"),
                ("list[1].w", "FieldValueTypeInvalid"),
                ("mode", "FieldValueNotSupported"),
                ("size", "FieldValueInvalid"),
                ("tags.k", "FieldValueTypeInvalid"),
            ]
        );
    }

    #[test]
    fn a_field_that_cannot_change_is_guarded() {
        let schema =
            json!({"x-kubernetes-validations": [{"rule": "self.spec.plan == oldSelf.spec.plan", "message": "no"}]});
        let (old, new) = (json!({"spec": {"plan": "a"}}), json!({"spec": {"plan": "b"}}));
        let mut causes = Vec::new();
        check_transition(&schema, &old, &old, &mut causes);
        assert!(causes.is_empty());
        check_transition(&schema, &old, &new, &mut causes);
        assert_eq!(causes.len(), 1);
    }
}
