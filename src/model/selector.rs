//! Label selectors, as every object of Kubernetes writes them.

use serde_json::Value;

/// Tells whether a LabelSelector (`matchLabels` and `matchExpressions`) selects something with these labels.
///
/// As in Kubernetes an empty selector selects everything and a missing one nothing. An operator that is not known
/// selects nothing: the API server admits none.
pub fn selects(selector: &Value, labels: &Value) -> bool {
    let Some(parts) = selector.as_object() else { return false };
    let named = parts.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let mut expressions = parts.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
    named.into_iter().all(|(key, value)| labels.get(key) == Some(value)) && expressions.all(|one| holds(one, labels))
}

/// Tells whether the selector of a Service, a plain map, selects something with these labels; an empty one selects nothing.
pub fn service_selects(selector: &Value, labels: &Value) -> bool {
    let Some(wanted) = selector.as_object().filter(|wanted| !wanted.is_empty()) else { return false };
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

fn holds(expression: &Value, labels: &Value) -> bool {
    let Some(key) = expression["key"].as_str() else { return false };
    let value = labels.get(key);
    let is_listed = || expression["values"].as_array().into_iter().flatten().any(|one| Some(one) == value);
    match expression["operator"].as_str() {
        Some("In") => is_listed(),
        Some("NotIn") => !is_listed(),
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_selector_selects_as_the_api_server_does() {
        let labels = json!({ "app": "shop", "tier": "web" });
        let expression = |key: &str, operator: &str, values: &[&str]| json!({ "matchExpressions": [{ "key": key, "operator": operator, "values": values }] });
        for (selector, expected) in [
            (Value::Null, false),
            (json!({}), true),
            (json!({ "matchLabels": {} }), true),
            (json!({ "matchLabels": { "app": "shop", "tier": "web" } }), true),
            (json!({ "matchLabels": { "app": "shop", "zone": "1" } }), false),
            (expression("app", "In", &["x", "shop"]), true),
            (expression("zone", "In", &["1"]), false),
            (expression("app", "NotIn", &["shop"]), false),
            (expression("zone", "NotIn", &["1"]), true),
            (expression("app", "Exists", &[]), true),
            (expression("zone", "Exists", &[]), false),
            (expression("app", "DoesNotExist", &[]), false),
            (expression("zone", "DoesNotExist", &[]), true),
            (expression("app", "Near", &["shop"]), false),
        ] {
            assert_eq!(selects(&selector, &labels), expected, "{selector}");
        }
    }

    #[test]
    fn a_service_without_a_selector_selects_nothing() {
        let labels = json!({ "app": "shop" });
        assert!(!service_selects(&Value::Null, &labels) && !service_selects(&json!({}), &labels));
        assert!(service_selects(&json!({ "app": "shop" }), &labels));
        assert!(!service_selects(&json!({ "app": "shop", "x": "y" }), &labels));
    }
}
