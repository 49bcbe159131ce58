//! Reads that go to the store and not to a cache: a GET or LIST without resourceVersion is a quorum read.

use super::client::ReadClient;
use super::prune;
use super::wire::{self, Fault};
use crate::core::{Found, Read, ReadFailure};
use crate::model::{ResourceKind, ResourceRef, Span, Timestamp};
use http::Method;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// How many objects a page of a list holds, as kubectl asks for.
const PAGE: usize = 500;

/// A complete list.
#[derive(Debug)]
pub(super) struct Listed<T = Value> {
    /// The objects.
    pub items: Vec<T>,
    /// Where a watch may go on from.
    pub version: String,
    /// The server's time.
    pub date: Option<Timestamp>,
}

/// Reads objects with quorum; the whole read takes at most `deadline`.
///
/// # Errors
/// Says why there is no answer, and whether we were refused. An object that does not exist is an answer.
pub async fn read(client: &ReadClient, read: &Read, deadline: Span) -> Result<Found, ReadFailure> {
    let found = match read {
        Read::Get(target) => get(client, target, deadline.0).await.map(|(object, _)| match object {
            Some(object) => Found::One(object),
            None => Found::Missing,
        }),
        Read::List { kind, selector } => {
            let filter =
                if selector.is_empty() { String::new() } else { format!("&labelSelector={}", wire::encode(selector)) };
            list(client, *kind, &filter, (deadline.0, deadline.0)).await.map(|listed| Found::Many(listed.items))
        }
    };
    found.map_err(|fault| ReadFailure { forbidden: matches!(fault.status, Some(401 | 403)), why: fault.why })
}

/// Reads one object; `None` = it does not exist.
pub(super) async fn get(
    client: &ReadClient,
    target: &ResourceRef,
    deadline: Duration,
) -> Result<(Option<Value>, Option<Timestamp>), Fault> {
    let namespace = client.namespace();
    let path = wire::path(namespace, target.kind, Some(&target.name), None);
    let answer = ask(client, &path, deadline).await?;
    if answer.is_missing_object() {
        return Ok((None, answer.date));
    }
    if !answer.is_success() {
        return Err(answer.fault(namespace, target.kind));
    }
    let object = answer.json_without(prune::of_answer(target.kind)).ok_or_else(|| no_json(&answer))?;
    Ok((Some(object), answer.date))
}

/// Lists a kind, page by page; `filter` is appended to the query and starts with `&`. A page may take `deadlines.0`, all
/// of them `deadlines.1`.
pub(super) async fn list(
    client: &ReadClient,
    kind: ResourceKind,
    filter: &str,
    deadlines: (Duration, Duration),
) -> Result<Listed, Fault> {
    list_as(client, kind, filter, deadlines, |object| object).await
}

/// Lists a kind and keeps of each object what `keep` makes of it; a page of objects at a time is held as a whole.
pub(super) async fn list_as<T>(
    client: &ReadClient,
    kind: ResourceKind,
    filter: &str,
    deadlines: (Duration, Duration),
    keep: fn(Value) -> T,
) -> Result<Listed<T>, Fault> {
    let namespace = client.namespace();
    let path = wire::path(namespace, kind, None, None);
    let end = Instant::now() + deadlines.1;
    let mut listed = Listed { items: Vec::new(), version: String::new(), date: None };
    let mut token = String::new();
    loop {
        let page = format!("{path}?limit={PAGE}{filter}{token}");
        let answer = ask(client, &page, deadlines.0.min(end.saturating_duration_since(Instant::now()))).await?;
        if !answer.is_success() {
            return Err(answer.fault(namespace, kind));
        }
        let mut body = answer.json_without(prune::of_answer(kind)).ok_or_else(|| no_json(&answer))?;
        let Value::Array(items) = body["items"].take() else { return Err(no_json(&answer)) };
        listed.items.extend(items.into_iter().map(keep));
        listed.date = answer.date;
        listed.version = body["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        match body["metadata"]["continue"].as_str() {
            Some(next) if !next.is_empty() => token = format!("&continue={}", wire::encode(next)),
            _ => return Ok(listed),
        }
    }
}

async fn ask(client: &ReadClient, path: &str, deadline: Duration) -> Result<wire::Answer, Fault> {
    let unanswered = |why| Fault { status: None, why };
    let request = wire::request(Method::GET, path, "", Vec::new()).map_err(unanswered)?;
    wire::call(&client.client(), request, deadline)
        .await
        .map_err(|why| unanswered(format!("the API server cannot be read: {why}")))
}

fn no_json(answer: &wire::Answer) -> Fault {
    Fault {
        status: Some(answer.status),
        why: format!("the API server's answer ({}) is not what was asked for", answer.status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::respond;
    use serde_json::json;

    fn route() -> Read {
        Read::Get(ResourceRef::new(ResourceKind::HTTPRoute, "shop"))
    }

    async fn answered(status: u16, body: &str) -> Result<Found, ReadFailure> {
        let (client, _) = respond(status, body);
        read(&ReadClient::from_client(client, "ns"), &route(), Span::seconds(3)).await
    }

    #[tokio::test]
    async fn an_object_that_does_not_exist_is_an_answer_and_an_unknown_kind_is_not() {
        let missing = r#"{"kind":"Status","reason":"NotFound","code":404}"#;
        assert_eq!(answered(404, missing).await, Ok(Found::Missing));
        let failed = answered(404, "404 page not found").await.unwrap_err();
        assert!(!failed.forbidden && failed.why.contains("does not serve HTTPRoute"), "{failed:?}");
    }

    #[tokio::test]
    async fn a_read_keeps_unknown_fields_and_drops_only_managed_fields() {
        let found = answered(200, r#"{"metadata":{"name":"shop","managedFields":[1]},"spec":{"new":{"x":1}}}"#).await;
        assert_eq!(found, Ok(Found::One(json!({"metadata": {"name": "shop"}, "spec": {"new": {"x": 1}}}))));
    }

    #[tokio::test]
    async fn a_refusal_is_told_from_a_failure() {
        let denied =
            answered(403, r#"{"kind":"Status","message":"no httproutes for you","code":403}"#).await.unwrap_err();
        assert!(denied.forbidden && denied.why.contains("no httproutes for you"), "{denied:?}");
        let failed = answered(500, "").await.unwrap_err();
        assert!(!failed.forbidden, "{failed:?}");
        assert!(answered(200, "<html>").await.is_err());
    }

    #[tokio::test]
    async fn a_list_reads_every_page_with_its_selector_and_without_a_version() {
        let page = |items: Value, next: &str| {
            json!({"items": items, "metadata": {"resourceVersion": "9", "continue": next}}).to_string()
        };
        let pages = [page(json!([{"metadata": {"name": "a"}}]), "t&1"), page(json!([{"metadata": {"name": "b"}}]), "")];
        let (client, seen) = crate::cluster::tests::respond_each(pages.map(|body| (200, body)));
        let client = ReadClient::from_client(client, "ns");
        let selector = "pilothouse.dev/base=shop".to_owned();
        let found = read(&client, &Read::List { kind: ResourceKind::HTTPRoute, selector }, Span::seconds(3)).await;
        let Ok(Found::Many(items)) = found else { panic!("{found:?}") };
        assert_eq!(items.len(), 2);
        let paths: Vec<String> = seen.lock().unwrap().iter().map(|r| r.path.clone()).collect();
        let base = "/apis/gateway.networking.k8s.io/v1/namespaces/ns/httproutes?limit=500";
        assert_eq!(
            paths,
            [
                format!("{base}&labelSelector=pilothouse.dev%2Fbase%3Dshop"),
                format!("{base}&labelSelector=pilothouse.dev%2Fbase%3Dshop&continue=t%261"),
            ]
        );
    }

    #[tokio::test]
    async fn a_listed_pod_keeps_what_decides_and_another_kind_keeps_all_of_it() {
        let object = json!({ "metadata": { "name": "p", "labels": { "x": "y" }, "annotations": { "a": "b" } },
                             "spec": { "containers": [] }, "status": { "phase": "Running" } });
        let body = json!({ "items": [object], "metadata": { "resourceVersion": "9" } }).to_string();
        let listed = async |kind| {
            let (client, _) = respond(200, &body);
            let listed = list(
                &ReadClient::from_client(client, "ns"),
                kind,
                "",
                (Duration::from_secs(3), Duration::from_secs(3)),
            )
            .await;
            let Ok(listed) = listed else { panic!("not listed") };
            listed.items
        };
        let lean = json!({ "metadata": { "name": "p", "labels": { "x": "y" } }, "status": { "phase": "Running" } });
        assert_eq!(listed(ResourceKind::Pod).await, [lean]);
        assert_eq!(listed(ResourceKind::Deployment).await, [object]);
    }
}
