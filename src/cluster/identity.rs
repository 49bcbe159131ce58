//! Who we are and what we may do, as the API server sees it.

use super::client::DriveClient;
use super::wire;
use crate::core::{Identity, Right};
use crate::model::ResourceKind;
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Where one asks who one is.
pub(super) const SELF_REVIEWS: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
/// Where one asks what one may do.
pub(super) const ACCESS_REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
/// How long each of the questions may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// The writes a driving console cannot do without.
const NEEDED: [(ResourceKind, &str); 3] =
    [(ResourceKind::HTTPRoute, ""), (ResourceKind::Release, ""), (ResourceKind::Release, "status")];

/// Asks who we are and whether we may patch routes and releases.
///
/// Both questions are POSTs. In watch mode there is no client to ask with (`None`): the user is empty and the rights
/// are "not asked". What the server does not answer stays unknown, too.
pub async fn identity(client: Option<&DriveClient>) -> Identity {
    let Some(client) = client else { return Identity::default() };
    let (user, may_write) = tokio::join!(user(client.client()), may_write(client));
    Identity { user: user.unwrap_or_default(), may_write }
}

/// Asks for the name by which the API server knows us.
pub(super) async fn user(client: &kube::Client) -> Option<String> {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let answer = review_of(client, SELF_REVIEWS, &review).await?;
    Some(answer["status"]["userInfo"]["username"].as_str()?.to_owned())
}

async fn may_write(client: &DriveClient) -> Option<bool> {
    let answers =
        futures::future::join_all(NEEDED.map(|(kind, subresource)| may_patch(client, kind, subresource))).await;
    if answers.contains(&Some(false)) {
        return Some(false);
    }
    answers.iter().all(|answer| *answer == Some(true)).then_some(true)
}

async fn may_patch(client: &DriveClient, kind: ResourceKind, subresource: &'static str) -> Option<bool> {
    let right = Right { verb: "patch", kind, subresource, name: String::new() };
    is_allowed(client.client(), client.namespace(), &right).await
}

/// Asks whether we may do one thing; `None` = the server did not say.
pub(super) async fn is_allowed(client: &kube::Client, namespace: &str, right: &Right) -> Option<bool> {
    let (group, version, plural) = right.kind.path();
    let mut asked = json!({
        "namespace": namespace, "verb": right.verb,
        "group": group, "version": version, "resource": plural, "subresource": right.subresource,
    });
    if !right.name.is_empty() {
        asked["name"] = json!(right.name);
    }
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": asked },
    });
    let answer = review_of(client, ACCESS_REVIEWS, &review).await?;
    answer["status"]["allowed"].as_bool()
}

async fn review_of(client: &kube::Client, path: &str, review: &Value) -> Option<Value> {
    let body = serde_json::to_vec(review).ok()?;
    let request = wire::request(Method::POST, path, "application/json", body).ok()?;
    match wire::call(client, request, DEADLINE).await {
        Ok(answer) if answer.is_success() => answer.json(),
        Ok(answer) => {
            tracing::warn!(path, refused = %answer.rejection(), "the API server does not say who we are");
            None
        }
        Err(why) => {
            tracing::warn!(path, why, "the API server does not say who we are");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::route;

    async fn asked(denied: &'static str, status: u16) -> Identity {
        let client = route(move |request| {
            let review: Value = serde_json::from_str(&request.body).unwrap();
            let body = if review["kind"] == "SelfSubjectReview" {
                json!({"status": {"userInfo": {"username": "dana"}}})
            } else {
                let spec = &review["spec"]["resourceAttributes"];
                let resource =
                    format!("{}/{}", spec["resource"].as_str().unwrap(), spec["subresource"].as_str().unwrap());
                json!({"status": {"allowed": spec["verb"] == "patch" && resource != denied}})
            };
            (status, body.to_string())
        });
        identity(Some(&DriveClient::from_client(client, "ns"))).await
    }

    #[tokio::test]
    async fn we_may_write_only_when_every_needed_patch_is_allowed() {
        assert_eq!(asked("", 201).await, Identity { user: "dana".into(), may_write: Some(true) });
        assert_eq!(asked("httproutes/", 201).await.may_write, Some(false));
        assert_eq!(asked("releases/status", 201).await.may_write, Some(false));
    }

    #[tokio::test]
    async fn what_was_not_asked_or_not_answered_stays_unknown() {
        assert_eq!(identity(None).await, Identity { user: String::new(), may_write: None });
        assert_eq!(asked("", 503).await, Identity { user: String::new(), may_write: None });
    }
}
