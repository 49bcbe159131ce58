//! Who asks, and what he may: the accounts of the embedded cluster.

use super::failure::Failure;
use super::resources::{self, Resource};
use serde_json::{Value, json};

/// A user of the embedded cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user name.
    pub user: String,
    /// What it may do.
    pub rights: Rights,
}

/// What a user may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Everything.
    All,
    /// Get, list and watch.
    Read,
    /// Exactly this.
    Only(Vec<Grant>),
}

/// Verbs on resources, as in an RBAC rule; `*` stands for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Such as `get` and `patch`.
    pub verbs: Vec<String>,
    /// Such as `httproutes` and `releases/status`.
    pub resources: Vec<String>,
}

impl Rights {
    /// Tells whether the verb is allowed; `resource` may have a subresource: `releases/status`.
    pub fn allow(&self, verb: &str, resource: &str) -> bool {
        match self {
            Self::All => true,
            Self::Read => matches!(verb, "get" | "list" | "watch"),
            Self::Only(grants) => {
                let holds = |list: &[String], item: &str| list.iter().any(|x| x == "*" || x == item);
                grants.iter().any(|g| holds(&g.verbs, verb) && holds(&g.resources, resource))
            }
        }
    }
}

impl Rights {
    /// Returns them as RBAC rules over all groups.
    fn rules(&self) -> Vec<Value> {
        let rule =
            |verbs: &Value, resources: &Value| json!({ "verbs": verbs, "apiGroups": ["*"], "resources": resources });
        match self {
            Self::All => vec![rule(&json!(["*"]), &json!(["*"]))],
            Self::Read => vec![rule(&json!(["get", "list", "watch"]), &json!(["*"]))],
            Self::Only(grants) => grants.iter().map(|g| rule(&json!(g.verbs), &json!(g.resources))).collect(),
        }
    }
}

impl Account {
    /// Refuses what the account may not do.
    ///
    /// # Errors
    /// 403, worded as by the real server.
    pub fn require(
        &self,
        verb: &str,
        resource: &Resource,
        sub: &str,
        namespace: &str,
        name: &str,
    ) -> Result<(), Failure> {
        let plural = if sub.is_empty() { resource.plural.to_owned() } else { format!("{}/{sub}", resource.plural) };
        if self.rights.allow(verb, &plural) {
            return Ok(());
        }
        let object = if name.is_empty() { String::new() } else { format!(" {name:?}") };
        let place = if namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace {namespace:?}")
        };
        Err(Failure::new(
            403,
            "Forbidden",
            format!(
                "{}{object} is forbidden: User {:?} cannot {verb} resource {plural:?} in API group {:?} {place}",
                resource.qualified(),
                self.user,
                resource.group
            ),
        ))
    }

    /// Answers a review of oneself: `selfsubjectreviews` or `selfsubjectaccessreviews`; `None` for any other.
    pub fn review(&self, plural: &str, mut body: Value) -> Option<Value> {
        match plural {
            "selfsubjectreviews" => {
                body["apiVersion"] = json!("authentication.k8s.io/v1");
                body["kind"] = json!("SelfSubjectReview");
                body["status"] = json!({ "userInfo": { "username": self.user, "groups": ["system:authenticated"] } });
            }
            "selfsubjectaccessreviews" => {
                let asked = &body["spec"]["resourceAttributes"];
                let text = |field: &str| asked[field].as_str().unwrap_or_default();
                let mut resource = text("resource").to_owned();
                if !text("subresource").is_empty() {
                    resource = format!("{resource}/{}", text("subresource"));
                }
                let allowed = self.rights.allow(text("verb"), &resource);
                body["apiVersion"] = json!("authorization.k8s.io/v1");
                body["kind"] = json!("SelfSubjectAccessReview");
                body["status"] = json!({ "allowed": allowed });
            }
            "selfsubjectrulesreviews" => {
                body["apiVersion"] = json!("authorization.k8s.io/v1");
                body["kind"] = json!("SelfSubjectRulesReview");
                body["status"] =
                    json!({ "resourceRules": self.rights.rules(), "nonResourceRules": [], "incomplete": false });
            }
            _ => return None,
        }
        Some(body)
    }
}

/// Tells whether a path's group and resource are a review of oneself.
pub fn is_review(group: &str, plural: &str) -> bool {
    matches!(
        (group, plural),
        ("authentication.k8s.io", "selfsubjectreviews")
            | ("authorization.k8s.io", "selfsubjectaccessreviews" | "selfsubjectrulesreviews")
    ) && resources::find(group, "v1", plural).is_none()
}

#[cfg(test)]
mod tests {
    use super::super::resources::ROUTES;
    use super::*;

    #[test]
    fn a_right_is_refused_with_everything_an_admin_needs_to_grant_it() {
        let viewer = Account { user: "eve".into(), rights: Rights::Read };
        assert!(viewer.require("get", &ROUTES, "", "trackx", "r").is_ok());
        let refused = viewer.require("patch", &ROUTES, "", "trackx", "r").unwrap_err();
        assert_eq!(
            (refused.code, refused.message.as_str()),
            (
                403,
                "httproutes.gateway.networking.k8s.io \"r\" is forbidden: User \"eve\" cannot patch resource \"httproutes\" in API group \"gateway.networking.k8s.io\" in the namespace \"trackx\""
            )
        );
    }

    #[test]
    fn a_review_tells_exactly_what_would_be_allowed() {
        let grant = Grant { verbs: vec!["patch".into()], resources: vec!["httproutes".into()] };
        let account = Account { user: "op".into(), rights: Rights::Only(vec![grant]) };
        let ask = |verb: &str, resource: &str| {
            let body = json!({"spec": {"resourceAttributes": {"verb": verb, "resource": resource, "namespace": "n"}}});
            account.review("selfsubjectaccessreviews", body).unwrap()["status"]["allowed"].clone()
        };
        assert_eq!(
            (ask("patch", "httproutes"), ask("delete", "httproutes"), ask("patch", "pods")),
            (json!(true), json!(false), json!(false))
        );
        assert_eq!(account.review("selfsubjectreviews", json!({})).unwrap()["status"]["userInfo"]["username"], "op");
    }
}
