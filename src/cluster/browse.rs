//! Reading kinds that no watch follows, in whatever version the cluster serves; only GET, each kind with its own answer.

use super::client::ReadClient;
use super::prune;
use super::wire::{self, Answer};
use crate::model::Span;
use futures::future::join_all;
use http::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// How many objects a page of a list holds, as kubectl asks for.
const PAGE: usize = 500;

/// A kind to list.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its API group; empty for the core group.
    pub group: &'a str,
    /// Its name in paths.
    pub plural: &'a str,
    /// Whether all namespaces are meant; who may not list them all gets the client's own.
    pub everywhere: bool,
}

/// What became of listing a kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Browsed {
    /// All objects, and the version of the group they were read in.
    Objects {
        /// The version, such as `v1`.
        version: String,
        /// The objects.
        objects: Vec<Value>,
    },
    /// The cluster serves no such kind.
    NotServed,
    /// There are some, perhaps: why they cannot be read.
    Unread(String),
}

/// Lists kinds, all at once; what has not been answered by the deadline is unread.
///
/// # Errors
/// Says why the cluster does not even say which groups it serves: then nothing is known.
pub async fn browse(client: &ReadClient, wanted: &[Wanted<'_>], deadline: Span) -> Result<Vec<Browsed>, String> {
    let end = Instant::now() + deadline.0;
    let groups = groups(client, end).await?;
    Ok(join_all(wanted.iter().map(|kind| list(client, &groups, kind, end))).await)
}

/// Asks which groups are served, each with its versions, the preferred one first.
async fn groups(client: &ReadClient, end: Instant) -> Result<BTreeMap<String, Vec<String>>, String> {
    let answer = ask(client, "/apis", end).await?;
    let body = answer.json().filter(|_| answer.is_success()).ok_or_else(|| answer.rejection().to_string())?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut groups = BTreeMap::from([(String::new(), vec!["v1".to_owned()])]);
    for group in body["groups"].as_array().into_iter().flatten() {
        let preferred = text(&group["preferredVersion"]["version"]);
        let versions = group["versions"].as_array().into_iter().flatten();
        let mut versions: Vec<String> = versions.map(|version| text(&version["version"])).collect();
        versions.sort_by_key(|version| *version != preferred);
        groups.insert(text(&group["name"]), versions);
    }
    Ok(groups)
}

async fn list(client: &ReadClient, groups: &BTreeMap<String, Vec<String>>, kind: &Wanted<'_>, end: Instant) -> Browsed {
    for version in groups.get(kind.group).into_iter().flatten() {
        let root =
            if kind.group.is_empty() { format!("/api/{version}") } else { format!("/apis/{}/{version}", kind.group) };
        let here = format!("{root}/namespaces/{}/{}", wire::encode(client.namespace()), kind.plural);
        let first = if kind.everywhere { format!("{root}/{}", kind.plural) } else { here.clone() };
        let mut answer = pages(client, &first, end).await;
        if kind.everywhere && matches!(answer, Pages::Forbidden(_)) {
            answer = pages(client, &here, end).await;
        }
        match answer {
            Pages::Items(objects) => return Browsed::Objects { version: version.clone(), objects },
            Pages::NotServed => {}
            Pages::Forbidden(why) | Pages::Failed(why) => return Browsed::Unread(why),
        }
    }
    Browsed::NotServed
}

enum Pages {
    Items(Vec<Value>),
    NotServed,
    Forbidden(String),
    Failed(String),
}

async fn pages(client: &ReadClient, path: &str, end: Instant) -> Pages {
    let (mut items, mut token) = (Vec::new(), String::new());
    loop {
        let answer = match ask(client, &format!("{path}?limit={PAGE}{token}"), end).await {
            Ok(answer) => answer,
            Err(why) => return Pages::Failed(why),
        };
        match answer.status {
            404 => return Pages::NotServed,
            401 | 403 => return Pages::Forbidden(answer.rejection().message),
            _ if !answer.is_success() => return Pages::Failed(answer.rejection().to_string()),
            _ => {}
        }
        let Some(mut body) = answer.json_without(prune::OBJECTS) else {
            return Pages::Failed("the answer is no JSON".to_owned());
        };
        let Value::Array(page) = body["items"].take() else { return Pages::Failed("the answer is no list".to_owned()) };
        items.extend(page);
        match body["metadata"]["continue"].as_str() {
            Some(next) if !next.is_empty() => token = format!("&continue={}", wire::encode(next)),
            _ => return Pages::Items(items),
        }
    }
}

async fn ask(client: &ReadClient, path: &str, end: Instant) -> Result<Answer, String> {
    let request = wire::request(Method::GET, path, "", Vec::new())?;
    wire::call(&client.client(), request, end.saturating_duration_since(Instant::now())).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::route;
    use serde_json::json;

    fn wanted<'a>(group: &'a str, plural: &'a str, everywhere: bool) -> Wanted<'a> {
        Wanted { group, plural, everywhere }
    }

    async fn browsed(kinds: &[Wanted<'_>]) -> Result<Vec<Browsed>, String> {
        let client = route(|request| {
            let items = |items: Value| (200, json!({ "items": items, "metadata": {} }).to_string());
            let denied = (403, json!({ "kind": "Status", "message": "not for you" }).to_string());
            match request.path.as_str() {
                "/apis" => {
                    let monitoring = json!({ "name": "m.example", "preferredVersion": { "version": "v1" },
                        "versions": [{ "version": "v1beta1" }, { "version": "v1" }] });
                    (200, json!({ "groups": [monitoring] }).to_string())
                }
                "/api/v1/namespaces/ns/services?limit=500" => {
                    let more = json!({ "items": [{ "metadata": { "name": "a", "managedFields": [] } }],
                                       "metadata": { "continue": "x y" } });
                    (200, more.to_string())
                }
                "/api/v1/namespaces/ns/services?limit=500&continue=x%20y" => {
                    items(json!([{ "metadata": { "name": "b" } }]))
                }
                "/apis/m.example/v1beta1/namespaces/ns/old?limit=500" => items(json!([])),
                "/apis/m.example/v1/monitors?limit=500" => denied,
                "/apis/m.example/v1/namespaces/ns/monitors?limit=500" => items(json!([{}])),
                "/apis/m.example/v1/namespaces/ns/secrets?limit=500" => denied,
                "/apis/m.example/v1/broken?limit=500" => (500, String::new()),
                _ => (404, "404 page not found".to_owned()),
            }
        });
        browse(&ReadClient::from_client(client, "ns"), kinds, Span::seconds(3)).await
    }

    #[tokio::test]
    async fn each_kind_is_read_in_a_version_that_serves_it_and_has_an_answer_of_its_own() {
        let found = browsed(&[
            wanted("", "services", false),
            wanted("m.example", "old", false),
            wanted("m.example", "monitors", true),
            wanted("m.example", "secrets", false),
            wanted("m.example", "broken", true),
            wanted("m.example", "nothing", false),
            wanted("else.example", "things", false),
        ])
        .await
        .unwrap();
        let objects = |version: &str, objects: Value| Browsed::Objects {
            version: version.into(),
            objects: objects.as_array().unwrap().clone(),
        };
        let both = json!([{ "metadata": { "name": "a" } }, { "metadata": { "name": "b" } }]);
        assert_eq!(found[0], objects("v1", both));
        assert_eq!(found[1], objects("v1beta1", json!([])));
        assert_eq!(found[2], objects("v1", json!([{}])), "who may not list everywhere gets the namespace's own");
        assert_eq!(found[3], Browsed::Unread("not for you".into()));
        assert!(matches!(&found[4], Browsed::Unread(why) if why.contains("500")), "{:?}", found[4]);
        assert_eq!((&found[5], &found[6]), (&Browsed::NotServed, &Browsed::NotServed));
    }

    #[tokio::test]
    async fn a_cluster_that_says_nothing_is_not_an_empty_one() {
        let client = route(|_| (503, "gone".to_owned()));
        let found = browse(&ReadClient::from_client(client, "ns"), &[], Span::seconds(3)).await;
        assert!(found.unwrap_err().contains("503"));
    }
}
