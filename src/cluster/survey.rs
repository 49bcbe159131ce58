//! The survey: what no watch brings, each part asked once, with an outcome of its own.

use super::client::ReadClient;
use super::prune;
use super::wire;
use crate::core::{Answer, GatewaySurvey, LOG_IN, ObjectName, ParametersSurvey, PolicySurvey, Survey, SurveyRequest};
use futures::future::join_all;
use http::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// How many objects a page of a list holds, as kubectl asks for.
const PAGE: usize = 500;
/// The label by which the Gateway API marks definitions of policies.
const POLICY_LABEL: &str = "gateway.networking.k8s.io/policy";
const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// Looks at everything the request names; what does not answer within its deadline has failed.
pub async fn survey(client: &ReadClient, request: &SurveyRequest) -> Survey {
    let end = Instant::now() + request.deadline.0;
    let reader = Reader { client, end };
    let groups = match reader.groups().await {
        Ok(groups) => groups,
        Err(why) => {
            let gateways = request.gateways.iter().map(|name| unread(name, &why)).collect();
            return Survey {
                gateways,
                definitions: Answer::Failed(why.clone()),
                policies: Vec::new(),
                budgets: Answer::Failed(why.clone()),
                scaled_objects: Answer::Failed(why),
            };
        }
    };
    let gateways = join_all(request.gateways.iter().map(|name| reader.gateway(&groups, request, name)));
    let namespace = client.namespace();
    let (gateways, (definitions, policies), budgets, scaled_objects) = tokio::join!(
        gateways,
        reader.policies(&groups, request),
        reader.list(&groups, "policy", "poddisruptionbudgets", namespace, ""),
        reader.list(&groups, "keda.sh", "scaledobjects", namespace, ""),
    );
    Survey { gateways, definitions, policies, budgets, scaled_objects }
}

/// The versions that are served of each group, the preferred one first.
type Groups = BTreeMap<String, Vec<String>>;

/// A kind of policy to look for: group, plural and kind.
type Kind = (String, String, String);

/// Asks one thing after the other until its time is over.
pub(super) struct Reader<'a> {
    /// Asks.
    pub client: &'a ReadClient,
    /// When its time is over.
    pub end: Instant,
}

impl Reader<'_> {
    /// Asks which groups are served; everybody who is logged in may ask that.
    async fn groups(&self) -> Result<Groups, String> {
        let body = match self.get("/apis").await {
            Answer::Value(body) => body,
            other => return Err(other.unknown().unwrap_or("the API server serves no groups").to_owned()),
        };
        let mut groups = Groups::new();
        for group in list(&body["groups"]) {
            let preferred = text(&group["preferredVersion"]["version"]);
            let mut versions: Vec<String> = list(&group["versions"]).iter().map(|v| text(&v["version"])).collect();
            versions.sort_by_key(|version| *version != preferred);
            groups.insert(text(&group["name"]), versions);
        }
        Ok(groups)
    }

    async fn gateway(&self, groups: &Groups, request: &SurveyRequest, name: &ObjectName) -> GatewaySurvey {
        let gateway = self.one(groups, GATEWAY_API, "gateways", name).await;
        let Some(object) = gateway.value() else {
            return GatewaySurvey { name: name.clone(), gateway, ..GatewaySurvey::default() };
        };
        let class = ObjectName { namespace: String::new(), name: text(&object["spec"]["gatewayClassName"]) };
        let class = self.one(groups, GATEWAY_API, "gatewayclasses", &class).await;
        let of_gateway = &object["spec"]["infrastructure"]["parametersRef"];
        let of_class = class.value().map(|class| &class["spec"]["parametersRef"]);
        let mut parameters = Vec::new();
        for wanted in [Some(of_gateway), of_class].into_iter().flatten() {
            let known = |k: &&crate::api::KnownKind| wanted["group"] == k.group && wanted["kind"] == k.kind;
            let Some(kind) = request.parameters.iter().find(known) else { continue };
            let namespace = wanted["namespace"].as_str().unwrap_or(&name.namespace).to_owned();
            let of = ObjectName { namespace, name: text(&wanted["name"]) };
            let object = self.one(groups, kind.group, kind.plural, &of).await;
            parameters.push(ParametersSurvey { kind: kind.kind.to_owned(), name: of, object });
        }
        GatewaySurvey { name: name.clone(), gateway, class, parameters }
    }

    /// Lists every kind of policy that is served, in our namespace and in those of the Gateways.
    async fn policies(&self, groups: &Groups, request: &SurveyRequest) -> (Answer<()>, Vec<PolicySurvey>) {
        let label = format!("&labelSelector={}", wire::encode(POLICY_LABEL));
        let defined = self.list(groups, "apiextensions.k8s.io", "customresourcedefinitions", "", &label).await;
        let mut kinds: Vec<Kind> =
            request.policies.iter().map(|k| (k.group.to_owned(), k.plural.to_owned(), k.kind.to_owned())).collect();
        for definition in defined.value().into_iter().flatten() {
            let (spec, names) = (&definition["spec"], &definition["spec"]["names"]);
            kinds.push((text(&spec["group"]), text(&names["plural"]), text(&names["kind"])));
        }
        kinds.sort();
        kinds.dedup();
        let mut namespaces: Vec<&str> = request.gateways.iter().map(|gateway| gateway.namespace.as_str()).collect();
        namespaces.push(self.client.namespace());
        namespaces.sort_unstable();
        namespaces.dedup();
        let places = kinds.iter().flat_map(|kind| namespaces.iter().map(move |namespace| (kind, *namespace)));
        let found = join_all(places.map(|((group, plural, kind), namespace)| async move {
            let objects = self.list(groups, group, plural, namespace, "").await;
            PolicySurvey {
                group: group.clone(),
                kind: kind.clone(),
                plural: plural.clone(),
                namespace: namespace.to_owned(),
                objects,
            }
        }));
        let policies = found.await.into_iter().filter(|found| found.objects != Answer::NotServed).collect();
        (defined.map(drop), policies)
    }

    /// Reads one object, in the first version of its group that serves the kind.
    async fn one(&self, groups: &Groups, group: &str, plural: &str, of: &ObjectName) -> Answer<Value> {
        for version in versions(groups, group) {
            let path = format!("{}/{}", path(group, version, &of.namespace, plural), wire::encode(&of.name));
            match self.get(&path).await {
                Answer::NotServed => {}
                Answer::Value(object) => return Answer::Value(object),
                other => return other,
            }
        }
        Answer::NotServed
    }

    /// Lists a kind, page by page, in the first version of its group that serves it.
    async fn list(
        &self,
        groups: &Groups,
        group: &str,
        plural: &str,
        namespace: &str,
        filter: &str,
    ) -> Answer<Vec<Value>> {
        for version in versions(groups, group) {
            match self.pages(&path(group, version, namespace, plural), filter).await {
                Answer::NotServed => {}
                other => return other,
            }
        }
        Answer::NotServed
    }

    async fn pages(&self, path: &str, filter: &str) -> Answer<Vec<Value>> {
        let mut items = Vec::new();
        let mut token = String::new();
        loop {
            let mut body = match self.get(&format!("{path}?limit={PAGE}{filter}{token}")).await {
                Answer::Value(body) => body,
                other => return other.map(|_| Vec::new()),
            };
            let Value::Array(page) = body["items"].take() else {
                return Answer::Failed("the API server's answer is no list".into());
            };
            items.extend(page);
            match body["metadata"]["continue"].as_str() {
                Some(next) if !next.is_empty() => token = format!("&continue={}", wire::encode(next)),
                _ => return Answer::Value(items),
            }
        }
    }

    /// Reads any path.
    pub async fn get(&self, path: &str) -> Answer<Value> {
        let request = match wire::request(Method::GET, path, "", Vec::new()) {
            Ok(request) => request,
            Err(why) => return Answer::Failed(why),
        };
        let left = self.end.saturating_duration_since(Instant::now());
        let answer = match wire::call(&self.client.client(), request, left).await {
            Ok(answer) => answer,
            Err(why) => return Answer::Failed(why),
        };
        match answer.status {
            404 if answer.is_missing_object() => Answer::Missing,
            404 => Answer::NotServed,
            401 => Answer::Forbidden(format!("it does not accept our credentials: {LOG_IN}")),
            403 => Answer::Forbidden(answer.rejection().message),
            _ if answer.is_success() => match answer.json_without(prune::OBJECTS) {
                Some(body) => Answer::Value(body),
                None => Answer::Failed(format!("the API server's answer ({}) is no JSON", answer.status)),
            },
            _ => Answer::Failed(answer.rejection().to_string()),
        }
    }
}

fn unread(name: &ObjectName, why: &str) -> GatewaySurvey {
    GatewaySurvey { name: name.clone(), gateway: Answer::Failed(why.to_owned()), ..GatewaySurvey::default() }
}

fn versions<'a>(groups: &'a Groups, group: &str) -> &'a [String] {
    groups.get(group).map_or(&[], Vec::as_slice)
}

fn path(group: &str, version: &str, namespace: &str, plural: &str) -> String {
    let root = format!("/apis/{group}/{version}");
    if namespace.is_empty() {
        format!("{root}/{plural}")
    } else {
        format!("{root}/namespaces/{}/{plural}", wire::encode(namespace))
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::KnownKind;
    use crate::cluster::tests::{Recorded, route};
    use crate::model::Span;
    use serde_json::json;
    use std::sync::{Arc, Mutex};

    const PARAMETERS: KnownKind = KnownKind { group: "c.example", plural: "setups", kind: "Setup" };
    const POLICY: KnownKind = KnownKind { group: "c.example", plural: "guards", kind: "Guard" };

    fn request() -> SurveyRequest {
        SurveyRequest {
            gateways: vec![ObjectName { namespace: "infra".into(), name: "web".into() }],
            parameters: vec![PARAMETERS],
            policies: vec![POLICY, KnownKind { group: "else.example", plural: "elses", kind: "Else" }],
            deadline: Span::seconds(8),
        }
    }

    fn groups() -> Value {
        let group = |name: &str, versions: &[&str], preferred: &str| {
            let versions: Vec<Value> = versions.iter().map(|v| json!({ "version": v })).collect();
            json!({ "name": name, "versions": versions, "preferredVersion": { "version": preferred } })
        };
        json!({ "groups": [
            group(GATEWAY_API, &["v1", "v1beta1"], "v1"),
            group("c.example", &["v1alpha1", "v1"], "v1"),
            group("d.example", &["v2"], "v2"),
            group("policy", &["v1"], "v1"),
            group("apiextensions.k8s.io", &["v1"], "v1"),
        ] })
    }

    /// The API server of the tests: what a path answers; any other path is no object's.
    fn answer(path: &str) -> (u16, Value) {
        let ok = |value: Value| (200, value);
        let items = |items: Value| ok(json!({ "items": items, "metadata": {} }));
        let parameters = json!({ "group": "c.example", "kind": "Setup", "name": "of-class", "namespace": "infra" });
        match path {
            "/apis" => ok(groups()),
            "/apis/gateway.networking.k8s.io/v1/namespaces/infra/gateways/web" => ok(json!({ "spec": {
                "gatewayClassName": "c",
                "infrastructure": { "parametersRef": { "group": "", "kind": "Secret", "name": "tls" } },
            } })),
            "/apis/gateway.networking.k8s.io/v1/gatewayclasses/c" => {
                ok(json!({ "spec": { "parametersRef": parameters } }))
            }
            "/apis/c.example/v1/namespaces/infra/setups/of-class" => ok(json!({ "spec": { "merge": {} } })),
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?limit=500&labelSelector=gateway.networking.k8s.io%2Fpolicy" => {
                items(json!([{ "spec": { "group": "d.example", "names": { "plural": "quotas", "kind": "Quota" } } }]))
            }
            "/apis/c.example/v1alpha1/namespaces/ns/guards?limit=500" => {
                ok(json!({ "items": [{ "metadata": { "name": "one" } }], "metadata": { "continue": "a b" } }))
            }
            "/apis/c.example/v1alpha1/namespaces/ns/guards?limit=500&continue=a%20b" => {
                items(json!([{ "metadata": { "name": "two", "managedFields": [1] } }]))
            }
            "/apis/c.example/v1alpha1/namespaces/infra/guards?limit=500" => {
                (403, json!({ "kind": "Status", "code": 403, "message": "dana may not list guards" }))
            }
            "/apis/d.example/v2/namespaces/ns/quotas?limit=500" => items(json!([])),
            "/apis/d.example/v2/namespaces/infra/quotas?limit=500" => (500, json!({})),
            "/apis/policy/v1/namespaces/ns/poddisruptionbudgets?limit=500" => {
                items(json!([{ "metadata": { "name": "budget" } }]))
            }
            _ => (404, json!("404 page not found")),
        }
    }

    async fn surveyed(
        change: impl Fn(&str) -> Option<(u16, Value)> + Send + Sync + 'static,
    ) -> (Survey, Vec<Recorded>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let client = route(move |request| {
            let (status, body) = change(&request.path).unwrap_or_else(|| answer(&request.path));
            log.lock().unwrap().push(request);
            (status, body.to_string())
        });
        let survey = survey(&ReadClient::from_client(client, "ns"), &request()).await;
        let seen = seen.lock().unwrap().clone();
        (survey, seen)
    }

    #[tokio::test]
    async fn a_survey_follows_gateways_to_their_parameters_and_finds_policies_of_every_served_kind() {
        let (found, seen) = surveyed(|_| None).await;
        assert!(found.answers(&request()));
        let gateway = &found.gateways[0];
        assert_eq!(gateway.parameters.len(), 1);
        assert_eq!(gateway.parameters[0].object, Answer::Value(json!({ "spec": { "merge": {} } })));
        let policies: Vec<(&str, &str, usize)> = found
            .policies
            .iter()
            .map(|p| (p.kind.as_str(), p.namespace.as_str(), p.objects.value().map_or(99, Vec::len)))
            .collect();
        assert_eq!(policies, [("Guard", "infra", 99), ("Guard", "ns", 2), ("Quota", "infra", 99), ("Quota", "ns", 0)]);
        assert_eq!(found.policies[0].objects, Answer::Forbidden("dana may not list guards".into()));
        assert!(matches!(found.policies[2].objects, Answer::Failed(_)), "{:?}", found.policies[2]);
        let names = found.policies[1].objects.value().unwrap();
        assert_eq!(names[1], json!({ "metadata": { "name": "two" } }));
        assert_eq!(found.definitions, Answer::Value(()));
        assert_eq!(found.budgets.value().map(Vec::len), Some(1));
        assert_eq!(found.scaled_objects, Answer::NotServed);
        assert!(seen.iter().all(|request| request.method == "GET"));
        assert!(!seen.iter().any(|request| request.path.contains("secrets")), "a Secret is never read");
    }

    #[tokio::test]
    async fn what_is_not_there_is_told_from_what_may_not_be_seen() {
        let status = |code: u16| json!({ "kind": "Status", "code": code, "message": "no" });
        let missing = move |path: &str| path.ends_with("gateways/web").then(|| (404, status(404)));
        let (found, _) = surveyed(missing).await;
        assert_eq!((&found.gateways[0].gateway, &found.gateways[0].class), (&Answer::Missing, &Answer::NotAsked));
        let forbidden = move |path: &str| path.contains("gatewayclasses").then(|| (403, status(403)));
        let (found, _) = surveyed(forbidden).await;
        assert_eq!(found.gateways[0].class, Answer::Forbidden("no".into()));
        assert!(found.gateways[0].parameters.is_empty());
        let (found, _) = surveyed(move |path| path.contains("customresource").then(|| (403, status(403)))).await;
        assert_eq!((found.definitions, found.policies.len()), (Answer::Forbidden("no".into()), 2));
    }

    #[tokio::test]
    async fn a_server_that_does_not_say_what_it_serves_makes_everything_unknown() {
        let (found, _) = surveyed(|path| (path == "/apis").then(|| (503, json!({})))).await;
        assert!(found.answers(&request()));
        for unknown in [found.gateways[0].gateway.unknown(), found.budgets.unknown(), found.definitions.unknown()] {
            assert!(unknown.is_some_and(|why| why.contains("503")), "{unknown:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_survey_ends_by_its_deadline() {
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| {
            std::future::pending::<Result<http::Response<kube::client::Body>, tower::BoxError>>()
        });
        let client = ReadClient::from_client(kube::Client::new(service, "ns"), "ns");
        let begun = Instant::now();
        let found = survey(&client, &request()).await;
        assert!(matches!(found.budgets, Answer::Failed(_)));
        assert_eq!(begun.elapsed(), request().deadline.0);
    }
}
