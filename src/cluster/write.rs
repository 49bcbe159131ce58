//! One write: one attempt, one deadline, three outcomes.

use super::client::DriveClient;
use super::wire::{self, Answer};
use crate::core::{Verb, Write};
use crate::model::{Outcome, Rejection, ResourceRef};
use http::{Method, Request};
use serde_json::json;

/// The name the API server keeps our changes under, in `managedFields`.
const FIELD_MANAGER: &str = "pilothouse";

/// Carries out one write, exactly once, and says what became of it.
///
/// A write is never repeated here: after anything but a definitive answer the object has to be touched and read first.
pub async fn write(client: &DriveClient, write: &Write) -> Outcome {
    let request = match build(client.namespace(), write) {
        Ok(request) => request,
        // Nothing was sent, which is definitive.
        Err(why) => {
            return Outcome::NotApplied(Rejection { code: 0, reason: "NotSent".into(), message: why, causes: vec![] });
        }
    };
    match wire::call(client.client(), request, write.deadline.0).await {
        Ok(answer) => outcome(&answer),
        Err(why) => Outcome::Unknown(why),
    }
}

/// Reads an answer as one of the three outcomes.
fn outcome(answer: &Answer) -> Outcome {
    if answer.is_success() {
        return match answer.json() {
            Some(object) => Outcome::Applied(object),
            // Success is judged by the returned object, so without one it has to be read first.
            None => Outcome::Unknown(format!("the answer ({}) holds no object", answer.status)),
        };
    }
    // A 4xx comes before anything is stored: the server (or a proxy before it) has refused the request as it stands.
    // That includes 429, which priority and fairness answers instead of executing the request. 408 is the exception: a
    // proxy answers it when it has stopped waiting for a server that may be at work. A 5xx says nothing about what was
    // stored: 504 is the server's own "I stopped waiting for the store".
    if (400..500).contains(&answer.status) && answer.status != 408 {
        return Outcome::NotApplied(answer.rejection());
    }
    Outcome::Unknown(answer.rejection().to_string())
}

fn build(namespace: &str, write: &Write) -> Result<Request<Vec<u8>>, String> {
    let ResourceRef { kind, name } = &write.target;
    let path = |name, subresource| {
        let dry_run = if write.dry_run { "&dryRun=All" } else { "" };
        format!("{}?fieldManager={FIELD_MANAGER}{dry_run}", wire::path(namespace, *kind, name, subresource))
    };
    match &write.verb {
        Verb::Create(object) => wire::request(Method::POST, &path(None, None), "application/json", bytes(object)?),
        Verb::Patch(operations) => {
            wire::request(Method::PATCH, &path(Some(name), None), "application/json-patch+json", bytes(operations)?)
        }
        Verb::PatchStatus(operations) => wire::request(
            Method::PATCH,
            &path(Some(name), Some("status")),
            "application/json-patch+json",
            bytes(operations)?,
        ),
        Verb::Delete { uid, resource_version } => {
            let mut options = json!({
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "preconditions": { "uid": uid, "resourceVersion": resource_version },
            });
            let mut path = wire::path(namespace, *kind, Some(name), None);
            if write.dry_run {
                // The server reads the options from the body; the query is for those that look only there.
                options["dryRun"] = json!(["All"]);
                path.push_str("?dryRun=All");
            }
            wire::request(Method::DELETE, &path, "application/json", bytes(&options)?)
        }
    }
}

fn bytes<T: serde::Serialize>(body: &T) -> Result<Vec<u8>, String> {
    serde_json::to_vec(body).map_err(|e| format!("the body cannot be written as JSON: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::{Recorded, respond};
    use crate::core::OpId;
    use crate::model::{Direction, ResourceKind, Span};
    use serde_json::Value;

    fn patch(dry_run: bool) -> Write {
        Write {
            id: OpId(1),
            direction: Direction::Forward,
            target: ResourceRef::new(ResourceKind::HTTPRoute, "shop"),
            verb: Verb::Patch(vec![json!({"op": "test", "path": "/metadata/uid", "value": "u"})]),
            dry_run,
            deadline: Span::seconds(3),
        }
    }

    async fn answered(status: u16, body: &str) -> Outcome {
        let (client, _) = respond(status, body);
        write(&DriveClient::from_client(client, "ns"), &patch(false)).await
    }

    #[tokio::test]
    async fn each_answer_is_applied_not_applied_or_unknown() {
        let applied = answered(200, r#"{"kind":"HTTPRoute","metadata":{"name":"shop"}}"#).await;
        assert!(matches!(&applied, Outcome::Applied(object) if object["metadata"]["name"] == "shop"), "{applied:?}");
        let status = |code: u16, reason: &str| {
            format!(r#"{{"kind":"Status","status":"Failure","reason":"{reason}","message":"m","code":{code}}}"#)
        };
        for (code, reason, precondition) in [
            (409, "Conflict", true),
            (422, "Invalid", true),
            (404, "NotFound", false),
            (403, "Forbidden", false),
            (429, "TooManyRequests", false),
            (413, "RequestEntityTooLarge", false),
        ] {
            let outcome = answered(code, &status(code, reason)).await;
            let Outcome::NotApplied(told) = &outcome else { panic!("{code}: {outcome:?}") };
            assert_eq!((told.code, told.reason.as_str(), told.is_precondition()), (code, reason, precondition));
        }
        for code in [408, 500, 502, 503, 504] {
            let outcome = answered(code, &status(code, "X")).await;
            assert!(matches!(outcome, Outcome::Unknown(_)), "{code}: {outcome:?}");
        }
        assert!(matches!(answered(200, "<html>").await, Outcome::Unknown(_)));
        assert!(matches!(answered(302, "").await, Outcome::Unknown(_)));
    }

    #[tokio::test]
    async fn a_failed_test_and_a_broken_schema_are_told_apart_by_their_causes() {
        let body = r#"{"kind":"Status","reason":"Invalid","message":"HTTPRoute shop is invalid","details":{"causes":[
            {"reason":"FieldValueInvalid","message":"Invalid value: -1","field":"spec.rules[0].backendRefs[0].weight"}]}}"#;
        let Outcome::NotApplied(told) = answered(422, body).await else { panic!() };
        assert!(!told.is_precondition());
        assert_eq!(told.causes, ["spec.rules[0].backendRefs[0].weight: Invalid value: -1"]);
        let Outcome::NotApplied(page) = answered(403, "<html>login</html>").await else { panic!() };
        assert_eq!(page.message, "<html>login</html>");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_leaves_the_outcome_unknown_at_the_deadline() {
        let hang = tower::service_fn(|_: Request<kube::client::Body>| async {
            std::future::pending::<Result<http::Response<kube::client::Body>, tower::BoxError>>().await
        });
        let client = DriveClient::from_client(kube::Client::new(hang, "ns"), "ns");
        let begun = tokio::time::Instant::now();
        assert_eq!(write(&client, &patch(false)).await, Outcome::Unknown("no answer within 3s".into()));
        assert_eq!(begun.elapsed(), std::time::Duration::from_secs(3));
    }

    #[tokio::test]
    async fn a_broken_connection_is_unknown_and_is_not_tried_again() {
        let tries = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = tries.clone();
        let reset = tower::service_fn(move |_: Request<kube::client::Body>| {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            async { Err::<http::Response<kube::client::Body>, _>(std::io::Error::other("connection reset")) }
        });
        let client = DriveClient::from_client(kube::Client::new(reset, "ns"), "ns");
        let outcome = write(&client, &patch(false)).await;
        assert!(matches!(&outcome, Outcome::Unknown(why) if why.contains("connection reset")), "{outcome:?}");
        assert_eq!(tries.load(std::sync::atomic::Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn each_verb_becomes_the_request_the_server_expects() {
        let (client, seen) = respond(200, "{}");
        let client = DriveClient::from_client(client, "ns");
        let base = patch(true);
        write(&client, &base).await;
        write(&client, &Write { dry_run: false, verb: Verb::PatchStatus(vec![]), ..base.clone() }).await;
        write(&client, &Write { dry_run: false, verb: Verb::Create(json!({"a": 1})), ..base.clone() }).await;
        let delete = Verb::Delete { uid: "u".into(), resource_version: "7".into() };
        write(&client, &Write { verb: delete, ..base }).await;
        let routes = "/apis/gateway.networking.k8s.io/v1/namespaces/ns/httproutes";
        let seen: Vec<Recorded> = seen.lock().unwrap().clone();
        let lines: Vec<String> = seen.iter().map(|r| format!("{} {}", r.method, r.path)).collect();
        assert_eq!(
            lines,
            [
                format!("PATCH {routes}/shop?fieldManager=pilothouse&dryRun=All"),
                format!("PATCH {routes}/shop/status?fieldManager=pilothouse"),
                format!("POST {routes}?fieldManager=pilothouse"),
                format!("DELETE {routes}/shop?dryRun=All"),
            ]
        );
        let types: Vec<&str> = seen.iter().map(|r| r.content_type.as_str()).collect();
        let patch = "application/json-patch+json";
        assert_eq!(types, [patch, patch, "application/json", "application/json"]);
        let options: Value = serde_json::from_str(&seen[3].body).unwrap();
        assert_eq!(options["preconditions"], json!({"uid": "u", "resourceVersion": "7"}));
        assert_eq!(options["dryRun"], json!(["All"]));
    }
}
