//! The schemas of the custom resources: our own CRDs', and the part of the Gateway API's that matters for writes.

use super::failure::Cause;
use super::resources::Resource;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The Gateway API limit on matches of all rules of one route.
const MAX_MATCHES: usize = 128;

static OWN: LazyLock<Vec<Value>> = LazyLock::new(crate::api::crds);
static ROUTE: LazyLock<Value> = LazyLock::new(http_route);

/// Returns the CRD of one of our own resources.
pub fn definition(resource: &Resource) -> Option<&'static Value> {
    OWN.iter().find(|crd| crd["spec"]["names"]["plural"] == resource.plural)
}

/// Returns the structural schema of a resource; `None` where nothing is checked by schema.
pub fn schema(resource: &Resource) -> Option<&'static Value> {
    if resource.plural == "httproutes" {
        return Some(&ROUTE);
    }
    Some(&definition(resource)?["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
}

/// Checks the rules of an HTTPRoute that reach over several fields (CEL in the real CRD).
pub fn check_route(route: &Value, causes: &mut Vec<Cause>) {
    let rules = route["spec"]["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
    let matches: usize = rules.iter().map(|r| r["matches"].as_array().map_or(0, Vec::len)).sum();
    if matches > MAX_MATCHES {
        causes.push(Cause::invalid(
            "spec.rules",
            &json!("array"),
            "While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a route must be less than 128",
        ));
    }
    let mut names = Vec::new();
    for (i, rule) in rules.iter().enumerate() {
        if let Some(name) = rule["name"].as_str() {
            if names.contains(&name) {
                causes.push(Cause::invalid("spec.rules", &json!("array"), "Rule name must be unique within the route"));
            }
            names.push(name);
        }
        for (k, backend) in rule["backendRefs"].as_array().into_iter().flatten().enumerate() {
            if backend["kind"] == "Service" && backend["group"] == "" && backend["port"].is_null() {
                let field = format!("spec.rules[{i}].backendRefs[{k}]");
                causes.push(Cause::invalid(field, &json!("object"), "Must have port for Service reference"));
            }
        }
        for (k, found) in rule["matches"].as_array().into_iter().flatten().enumerate() {
            check_headers(found, &format!("spec.rules[{i}].matches[{k}].headers"), causes);
        }
    }
}

/// `headers` is a map by name: the same name twice is refused (as written, not without case).
fn check_headers(found: &Value, field: &str, causes: &mut Vec<Cause>) {
    let headers = found["headers"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (i, header) in headers.iter().enumerate() {
        if headers[..i].iter().any(|h| h["name"] == header["name"]) {
            causes.push(Cause {
                reason: "FieldValueDuplicate",
                field: format!("{field}[{i}]"),
                message: format!("Duplicate value: {{\"name\":{}}}", header["name"]),
            });
        }
    }
}

/// The schema of HTTPRoute: the limits are the same in Gateway API 1.2 to 1.6. Parts that only gateways read (filters,
/// timeouts, status) are kept as they come.
fn http_route() -> Value {
    let any = json!({ "x-kubernetes-preserve-unknown-fields": true });
    let text = |least: u64, most: u64| json!({ "type": "string", "minLength": least, "maxLength": most });
    let choice = |values: &[&str], default: &str| json!({ "type": "string", "enum": values, "default": default });
    let prefix = json!({ "type": "PathPrefix", "value": "/" });
    let pair = |value: u64| {
        json!({
            "type": "object",
            "required": ["name", "value"],
            "properties": {
                "type": choice(&["Exact", "RegularExpression"], "Exact"),
                "name": text(1, 256),
                "value": text(1, value),
            },
        })
    };
    let found = json!({
        "type": "object",
        "properties": {
            "path": {
                "type": "object",
                "default": prefix,
                "properties": {
                    "type": choice(&["Exact", "PathPrefix", "RegularExpression"], "PathPrefix"),
                    "value": { "type": "string", "maxLength": 1024, "default": "/" },
                },
            },
            "headers": { "type": "array", "maxItems": 16, "items": pair(4096) },
            "queryParams": { "type": "array", "maxItems": 16, "items": pair(1024) },
            "method": {
                "type": "string",
                "enum": ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"],
            },
        },
    });
    let backend = json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "group": { "type": "string", "maxLength": 253, "default": "" },
            "kind": { "type": "string", "minLength": 1, "maxLength": 63, "default": "Service" },
            "name": text(1, 253),
            "namespace": text(1, 63),
            "port": { "type": "integer", "minimum": 1, "maximum": 65535 },
            "weight": { "type": "integer", "minimum": 0, "maximum": 1_000_000, "default": 1 },
            "filters": { "type": "array", "maxItems": 16, "items": any },
        },
    });
    let rule = json!({
        "type": "object",
        "properties": {
            "name": text(1, 253),
            "matches": { "type": "array", "maxItems": 64, "default": [{ "path": prefix }], "items": found },
            "backendRefs": { "type": "array", "maxItems": 16, "items": backend },
            "filters": { "type": "array", "maxItems": 16, "items": any },
            "timeouts": any,
            "retry": any,
            "sessionPersistence": any,
        },
    });
    let parent = json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "group": { "type": "string", "maxLength": 253, "default": "gateway.networking.k8s.io" },
            "kind": { "type": "string", "minLength": 1, "maxLength": 63, "default": "Gateway" },
            "name": text(1, 253),
            "namespace": text(1, 63),
            "sectionName": text(1, 253),
            "port": { "type": "integer", "minimum": 1, "maximum": 65535 },
        },
    });
    json!({
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": { "type": "string" },
            "kind": { "type": "string" },
            "metadata": any,
            "spec": {
                "type": "object",
                "properties": {
                    "parentRefs": { "type": "array", "maxItems": 32, "items": parent },
                    "hostnames": { "type": "array", "maxItems": 16, "items": text(1, 253) },
                    "rules": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 16,
                        "default": [{ "matches": [{ "path": prefix }] }],
                        "items": rule,
                    },
                },
            },
            "status": any,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::resources::{PLANS, ROUTES};
    use super::super::schema::{check, complete};
    use super::*;

    fn causes(route: &Value) -> Vec<(String, &'static str)> {
        let mut route = route.clone();
        complete(schema(&ROUTES).unwrap(), &mut route);
        let mut causes = Vec::new();
        check(schema(&ROUTES).unwrap(), &route, "", &mut causes);
        check_route(&route, &mut causes);
        causes.into_iter().map(|c| (c.field, c.reason)).collect()
    }

    fn route(rules: usize, matches: usize) -> Value {
        let found: Vec<Value> =
            (0..matches).map(|i| json!({"headers": [{"name": "x", "value": format!("c{i}")}]})).collect();
        let rule = json!({"matches": found, "backendRefs": [{"name": "s", "port": 80}]});
        json!({"spec": {"rules": vec![rule; rules]}})
    }

    #[test]
    fn the_limits_of_the_gateway_api_hold() {
        assert_eq!(causes(&route(16, 8)), []);
        assert_eq!(causes(&route(2, 64)), []);
        assert_eq!(causes(&route(17, 1)), [("spec.rules".to_owned(), "FieldValueTooMany")]);
        assert_eq!(causes(&route(1, 65)), [("spec.rules[0].matches".to_owned(), "FieldValueTooMany")]);
        assert_eq!(causes(&route(3, 43)), [("spec.rules".to_owned(), "FieldValueInvalid")]);
        let heavy = json!({"spec": {"rules": [{"backendRefs": [{"name": "s", "port": 1, "weight": 1_000_001}]}]}});
        assert_eq!(causes(&heavy), [("spec.rules[0].backendRefs[0].weight".to_owned(), "FieldValueInvalid")]);
        let portless = json!({"spec": {"rules": [{"backendRefs": [{"name": "s"}]}]}});
        assert_eq!(causes(&portless), [("spec.rules[0].backendRefs[0]".to_owned(), "FieldValueInvalid")]);
    }

    #[test]
    fn the_defaults_of_the_gateway_api_are_filled_in_and_other_parts_kept() {
        let mut route = json!({"spec": {"parentRefs": [{"name": "web"}], "rules": [{
            "matches": [{"headers": [{"name": "h", "value": "v"}]}], "timeouts": {"request": "0s"},
            "backendRefs": [{"name": "s", "port": 80}]}]}});
        complete(schema(&ROUTES).unwrap(), &mut route);
        let rule = &route["spec"]["rules"][0];
        assert_eq!(
            rule["backendRefs"][0],
            json!({"group": "", "kind": "Service", "name": "s", "port": 80, "weight": 1})
        );
        assert_eq!(rule["matches"][0]["path"], json!({"type": "PathPrefix", "value": "/"}));
        assert_eq!(rule["matches"][0]["headers"][0]["type"], "Exact");
        assert_eq!(rule["timeouts"]["request"], "0s");
        assert_eq!(route["spec"]["parentRefs"][0]["kind"], "Gateway");
    }

    #[test]
    fn our_own_schemas_are_those_of_the_crds() {
        assert_eq!(schema(&PLANS).unwrap()["properties"]["spec"]["properties"]["rings"]["minItems"], 1);
    }
}
