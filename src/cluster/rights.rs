//! Which of a list of things we may do, and a client that can ask nothing else.

use super::client::DriveClient;
use super::identity::{ACCESS_REVIEWS, SELF_REVIEWS, is_allowed, user};
use crate::core::{Allowed, Right};
use http::Method;
use kube::Client;
use std::fmt;

/// Asks whether we may do these things; without a client nothing is asked and nothing known.
pub async fn rights(client: Option<&DriveClient>, rights: Vec<Right>) -> Vec<Allowed> {
    let Some(client) = client else { return rights.into_iter().map(|right| (right, None)).collect() };
    ask(client.client(), client.namespace(), rights).await
}

/// A client that can only ask who we are and what we may do; it stores nothing in the cluster.
///
/// Both questions are POSTs, so the client that only reads cannot ask them; for somebody who only looks the client that
/// may write must not exist.
#[derive(Clone)]
pub struct ReviewClient {
    client: Client,
    namespace: String,
}

/// A request that is no review of oneself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("send {method} {path}: this client only asks what we may do")]
pub struct NoReview {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
}

impl ReviewClient {
    /// Wraps any client, so that only reviews of oneself get through to it; has to be called inside a tokio runtime.
    pub fn from_client(client: Client, namespace: impl Into<String>) -> Self {
        let namespace = namespace.into();
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let client = client.clone();
            async move {
                let (method, path) = (request.method(), request.uri().path());
                if method != Method::POST || ![SELF_REVIEWS, ACCESS_REVIEWS].contains(&path) {
                    let refused = NoReview { method: method.to_string(), path: path.to_owned() };
                    return Err(tower::BoxError::from(refused));
                }
                client.send(request).await.map_err(Into::into)
            }
        });
        Self { client: Client::new(service, namespace.clone()), namespace }
    }

    /// Asks for the name by which the API server knows us; `None` = it did not say.
    pub async fn user(&self) -> Option<String> {
        user(&self.client).await
    }

    /// Asks whether we may do these things.
    pub async fn rights(&self, rights: Vec<Right>) -> Vec<Allowed> {
        ask(&self.client, &self.namespace, rights).await
    }
}

impl fmt::Debug for ReviewClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReviewClient").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

async fn ask(client: &Client, namespace: &str, rights: Vec<Right>) -> Vec<Allowed> {
    let answers = futures::future::join_all(rights.iter().map(|right| is_allowed(client, namespace, right))).await;
    rights.into_iter().zip(answers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::route;
    use crate::model::ResourceKind;
    use serde_json::{Value, json};

    fn right(kind: ResourceKind, name: &str) -> Right {
        Right { verb: "patch", kind, subresource: "", name: name.into() }
    }

    #[tokio::test]
    async fn each_right_is_asked_for_by_its_name_and_what_is_not_answered_stays_unknown() {
        let client = route(|request| {
            let review: Value = serde_json::from_str(&request.body).unwrap();
            let asked = &review["spec"]["resourceAttributes"];
            match asked["name"].as_str() {
                Some("silent") => (503, String::new()),
                name => (201, json!({"status": {"allowed": name == Some("shop-b")}}).to_string()),
            }
        });
        let client = DriveClient::from_client(client, "shop");
        let asked = vec![
            right(ResourceKind::Deployment, "shop-b"),
            right(ResourceKind::HTTPRoute, ""),
            right(ResourceKind::Pod, "silent"),
        ];
        let answers: Vec<Option<bool>> =
            rights(Some(&client), asked.clone()).await.into_iter().map(|(_, yes)| yes).collect();
        assert_eq!(answers, [Some(true), Some(false), None]);
        assert_eq!(rights(None, asked).await[0].1, None);
    }

    #[tokio::test]
    async fn a_client_for_reviews_sends_nothing_else() {
        let client =
            ReviewClient::from_client(route(|_| (201, json!({"status": {"allowed": true}}).to_string())), "shop");
        assert_eq!(client.rights(vec![right(ResourceKind::Pod, "p")]).await[0].1, Some(true));
        for (method, path) in
            [("GET", ACCESS_REVIEWS), ("POST", "/api/v1/namespaces/shop/pods"), ("DELETE", SELF_REVIEWS)]
        {
            let request = http::Request::builder().method(method).uri(path).body(kube::client::Body::empty()).unwrap();
            let refused = client.client.send(request).await.unwrap_err();
            assert!(refused.to_string().contains("only asks what we may do"), "{refused}");
        }
    }
}
