//! Label selectors, as Kubernetes objects hold them.

use serde_json::Value;

/// Tells whether a label selector (`matchLabels`, `matchExpressions`) takes an object with these labels.
///
/// An empty selector takes everything, as Kubernetes has it; an operator it does not know takes nothing.
pub fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object();
    let by_label = wanted.into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    let expressions = selector["matchExpressions"].as_array();
    by_label && expressions.into_iter().flatten().all(|expression| holds(expression, labels))
}

fn holds(expression: &Value, labels: &Value) -> bool {
    let found = expression["key"].as_str().and_then(|key| labels.get(key));
    let named = || found.is_some_and(|value| expression["values"].as_array().is_some_and(|all| all.contains(value)));
    match expression["operator"].as_str() {
        Some("In") => named(),
        Some("NotIn") => !named(),
        Some("Exists") => found.is_some(),
        Some("DoesNotExist") => found.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_part_of_a_selector_has_to_hold() {
        let labels = json!({"app": "shop", "tier": "web"});
        let expression = |key: &str, operator: &str, values: &[&str]| json!({"matchLabels": {"app": "shop"}, "matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        for (selector, taken) in [
            (json!({}), true),
            (json!({"matchLabels": {"app": "shop", "tier": "web"}}), true),
            (json!({"matchLabels": {"app": "shop", "slot": "a"}}), false),
            (expression("tier", "In", &["db", "web"]), true),
            (expression("tier", "In", &["db"]), false),
            (expression("tier", "NotIn", &["db"]), true),
            (expression("slot", "NotIn", &["a"]), true),
            (expression("tier", "Exists", &[]), true),
            (expression("tier", "DoesNotExist", &[]), false),
            (expression("tier", "Unheard", &[]), false),
        ] {
            assert_eq!(selects(&selector, &labels), taken, "{selector}");
        }
        assert!(!selects(&json!({"matchLabels": {"app": "shop"}}), &Value::Null), "no labels at all");
    }
}
