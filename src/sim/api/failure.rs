//! Refusals as the real API server words them: `kind: Status`.

use super::resources::Resource;
use serde_json::{Map, Value, json};

/// A request that is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The HTTP status code.
    pub code: u16,
    /// `reason`.
    pub reason: &'static str,
    /// `message`.
    pub message: String,
    /// `details`.
    pub details: Value,
}

/// One reason why an object is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Such as `FieldValueInvalid`.
    pub reason: &'static str,
    /// Such as `spec.rules[0].matches`.
    pub field: String,
    /// What is wrong, without the field.
    pub message: String,
}

impl Cause {
    /// A value that is not allowed.
    pub fn invalid(field: impl Into<String>, value: &Value, why: &str) -> Self {
        Self { reason: "FieldValueInvalid", field: field.into(), message: format!("Invalid value: {value}: {why}") }
    }

    /// A value that is missing.
    pub fn required(field: impl Into<String>, why: &str) -> Self {
        let message = if why.is_empty() { "Required value".into() } else { format!("Required value: {why}") };
        Self { reason: "FieldValueRequired", field: field.into(), message }
    }

    /// A list with too many items.
    pub fn too_many(field: impl Into<String>, count: usize, max: u64) -> Self {
        let message = format!("Too many: {count}: must have at most {max} items");
        Self { reason: "FieldValueTooMany", field: field.into(), message }
    }
}

impl Failure {
    /// Builds any refusal.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: json!({}) }
    }

    fn about(mut self, resource: &Resource, name: &str) -> Self {
        let mut details = Map::new();
        details.insert("name".into(), json!(name));
        if !resource.group.is_empty() {
            details.insert("group".into(), json!(resource.group));
        }
        details.insert("kind".into(), json!(resource.plural));
        self.details = Value::Object(details);
        self
    }

    /// 404: no such object.
    pub fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} {name:?} not found", resource.qualified())).about(resource, name)
    }

    /// 404: no such path.
    pub fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
    }

    /// 409: the name is taken.
    pub fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} {name:?} already exists", resource.qualified()))
            .about(resource, name)
    }

    /// 409: somebody else was faster, or a precondition does not hold.
    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", resource.qualified());
        Self::new(409, "Conflict", message).about(resource, name)
    }

    /// 422 with causes: the object breaks its schema.
    pub fn invalid(resource: &Resource, name: &str, causes: &[Cause]) -> Self {
        let texts: Vec<String> = causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
        let list = if texts.len() == 1 { texts.concat() } else { format!("[{}]", texts.join(", ")) };
        let mut failure =
            Self::new(422, "Invalid", format!("{} {name:?} is invalid: {list}", resource.qualified_kind()))
                .about(resource, name);
        failure.details["kind"] = json!(resource.kind);
        failure.details["causes"] = written(causes);
        failure
    }

    /// 409 with causes: an apply would change what others own.
    pub fn apply_conflict(message: String, causes: &[Cause]) -> Self {
        Self { details: json!({ "causes": written(causes) }), ..Self::new(409, "Conflict", message) }
    }

    /// 422: an apply that does not say who applies.
    pub fn no_manager() -> Self {
        Self::bad_options(&Cause::required("fieldManager", "is required for apply patch"))
    }

    /// 422 with causes: the options of a patch, not its object.
    pub fn bad_options(cause: &Cause) -> Self {
        let message = format!("PatchOptions.meta.k8s.io \"\" is invalid: {}: {}", cause.field, cause.message);
        let details = json!({
            "group": "meta.k8s.io", "kind": "PatchOptions", "causes": written(std::slice::from_ref(cause)),
        });
        Self { details, ..Self::new(422, "Invalid", message) }
    }

    /// 422 without causes: a JSON Patch that does not apply, a failed `test` among them.
    pub fn patch_rejected() -> Self {
        Self::new(422, "Invalid", "the server rejected our request due to an error in our request")
    }

    /// 400: the request cannot be read.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 401: no valid token.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    }

    /// 410: the watch starts before what is remembered.
    pub fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    /// Returns the refusal as a Status object.
    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        });
        if self.reason.is_empty() {
            status.as_object_mut().map(|fields| fields.remove("reason"));
        }
        status
    }
}

fn written(causes: &[Cause]) -> Value {
    causes.iter().map(|c| json!({ "reason": c.reason, "message": c.message, "field": c.field })).collect()
}

#[cfg(test)]
mod tests {
    use super::super::resources::{PODS, ROUTES};
    use super::*;

    #[test]
    fn refusals_are_worded_as_by_the_real_server() {
        assert_eq!(Failure::not_found(&PODS, "x").message, "pods \"x\" not found");
        let causes = [Cause::invalid("spec.rules[0].backendRefs[0].weight", &json!(-1), "too small")];
        let status = Failure::invalid(&ROUTES, "trackx", &causes).to_status();
        assert_eq!(
            status["message"],
            "HTTPRoute.gateway.networking.k8s.io \"trackx\" is invalid: spec.rules[0].backendRefs[0].weight: Invalid value: -1: too small"
        );
        assert_eq!(status["details"]["causes"][0]["reason"], "FieldValueInvalid");
        assert!(Failure::patch_rejected().to_status()["details"]["causes"].is_null());
    }
}
