//! Every finding of the survey, with its exact sentence.

use super::*;
use crate::core::survey::{ObjectName, ParametersSurvey, PolicySurvey};
use crate::core::{Change, Event, KubeEvent, Setup};
use crate::model::Level;
use serde_json::json;

const PER_RULE: &str = "gateway.envoyproxy.io/gatewayclass-controller";
const PER_SERVICE: &str = "projectcontour.io/gateway-controller";
const MEASURED_BY_NOBODY: &str = "alb.networking.azure.io/alb-controller";

/// What a case looks at; each test changes what it is about.
struct Case {
    base: Value,
    others: Vec<Value>,
    survey: Survey,
}

fn is(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({ "type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 2 })
}

fn accepted(controller: &str, gateway: &str) -> Value {
    json!({ "parents": [{ "parentRef": { "name": gateway }, "controllerName": controller,
        "conditions": [is("Accepted", "True", "Accepted", ""), is("ResolvedRefs", "True", "ResolvedRefs", "")] }] })
}

fn rule() -> Value {
    json!({
        "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }],
        "timeouts": { "request": "60s" },
        "backendRefs": [{ "name": "trackx", "port": 8080, "weight": 100 }, { "name": "trackx-b", "port": 8080, "weight": 0 }],
    })
}

/// A route and a Gateway of this controller with which nothing is wrong.
fn good(controller: &str) -> Case {
    let base = json!({
        "metadata": { "name": "trackx", "namespace": "shop", "generation": 2, "labels": { "team": "web" } },
        "spec": { "parentRefs": [{ "name": "web" }], "hostnames": ["trackx.example"], "rules": [rule()] },
        "status": accepted(controller, "web"),
    });
    let gateway = json!({
        "metadata": { "name": "web", "namespace": "shop", "generation": 2 },
        "spec": { "gatewayClassName": "c" },
        "status": { "conditions": [is("Accepted", "True", "Accepted", ""), is("Programmed", "True", "Programmed", "")] },
    });
    let class = json!({
        "metadata": { "name": "c", "generation": 2 }, "spec": { "controllerName": controller },
        "status": { "conditions": [is("Accepted", "True", "Accepted", "")] },
    });
    let survey = Survey {
        gateways: vec![GatewaySurvey {
            name: ObjectName { namespace: "shop".into(), name: "web".into() },
            gateway: Answer::Value(gateway),
            class: Answer::Value(class),
            parameters: Vec::new(),
        }],
        definitions: Answer::Value(()),
        ..Survey::default()
    };
    Case { base, others: Vec::new(), survey }
}

impl Case {
    /// Lists the findings, each with its level and check.
    fn found(&self) -> Vec<String> {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut state = State::new(Setup { namespace: "shop".into(), ..Setup::default() });
        let service = |name: &str| json!({ "metadata": { "name": name, "labels": { "app": name } } });
        let routes = [vec![self.base.clone()], self.others.clone()].concat();
        for (kind, objects) in [
            (ResourceKind::RolloutPlan, vec![plan()]),
            (ResourceKind::HTTPRoute, routes),
            (ResourceKind::Service, vec![service("trackx"), service("trackx-b")]),
        ] {
            let change = Change::Reset(objects);
            crate::core::update(&mut state, now, Event::Kube(KubeEvent { kind, change }));
        }
        crate::core::update(&mut state, now, Event::Survey(Box::new(self.survey.clone())));
        let plan = state.plan.clone().expect("a plan");
        findings(&state, &plan)
            .into_iter()
            .map(|f| {
                let level = match f.level {
                    Level::Refuse => "refuse",
                    Level::Warn => "warn",
                    Level::Note => "note",
                };
                format!("{level} {}: {}", f.check, f.text)
            })
            .collect()
    }

    fn gateway(&mut self) -> &mut Value {
        let Answer::Value(gateway) = &mut self.survey.gateways[0].gateway else { panic!("no gateway") };
        gateway
    }

    fn class(&mut self) -> &mut Value {
        let Answer::Value(class) = &mut self.survey.gateways[0].class else { panic!("no class") };
        class
    }

    fn parameters(&mut self, object: Answer<Value>) {
        let name = ObjectName { namespace: "infra".into(), name: "proxies".into() };
        let kind = "EnvoyProxy".to_owned();
        self.survey.gateways[0].parameters = vec![ParametersSurvey { kind, name, object }];
    }

    fn policies(&mut self, namespace: &str, group: &str, kind: &str, objects: Answer<Vec<Value>>) {
        self.survey.policies.push(PolicySurvey {
            group: group.into(),
            kind: kind.into(),
            plural: format!("{}s", kind.to_lowercase()),
            namespace: namespace.into(),
            objects,
        });
    }

    fn policy(&mut self, spec: Value) {
        let policy = json!({ "metadata": { "name": "trackx-jwt", "namespace": "shop" }, "spec": spec });
        self.policies("shop", "gateway.envoyproxy.io", "SecurityPolicy", Answer::Value(vec![policy]));
    }
}

fn plan() -> Value {
    json!({ "metadata": { "name": "trackx", "namespace": "shop" }, "spec": {
        "components": [{ "name": "web", "route": "trackx", "a": { "deployment": "trackx", "service": "trackx" },
            "b": { "deployment": "trackx-b", "service": "trackx-b" } }],
        "deploy": { "by": "pilothouse", "container": "app" },
        "customers": { "identifiedBy": { "header": "x-customer-id" }, "from": { "inline": [{ "id": "acme" }] } },
        "rings": [{ "name": "all", "rest": true }],
    } })
}

#[test]
fn nothing_is_found_where_nothing_is_wrong_in_any_known_shape() {
    assert_eq!(good(PER_RULE).found(), [""; 0]);
    assert_eq!(good("istio.io/gateway-controller").found(), [""; 0]);
    assert_eq!(good("pilothouse.dev/embedded-gateway").found(), [""; 0]);
}

#[test]
fn without_a_survey_of_these_gateways_a_start_is_refused() {
    let mut case = good(PER_RULE);
    case.survey.gateways.clear();
    assert_eq!(
        case.found(),
        [
            "refuse survey.stale: the Gateways of HTTPRoute trackx and the policies on it have not been looked at yet: it takes a moment, then try again"
        ]
    );
}

#[test]
fn filters_on_backends_are_refused_where_they_split_clusters_and_go_where_they_do_not() {
    let filtered = |controller: &str| {
        let mut case = good(controller);
        case.base["spec"]["rules"][0]["backendRefs"][1]["filters"] = json!([{ "type": "RequestHeaderModifier" }]);
        case.found()
    };
    assert_eq!(
        filtered(PER_RULE),
        [
            "refuse route.backend-filters: rule 1 of HTTPRoute trackx has filters on its backends trackx-b: Envoy Gateway then answers 500 for a moment at each shift of weights; move them to the rule's own filters"
        ]
    );
    assert_eq!(filtered("istio.io/gateway-controller"), [""; 0]);
    assert_eq!(
        filtered("example.com/c")[0],
        "refuse route.backend-filters: rule 1 of HTTPRoute trackx has filters on its backends trackx-b: some gateways then answer 500 at each shift of weights, and this one's controller is not known; move them to the rule's own filters"
    );
}

#[test]
fn merged_backends_need_a_keeper_route_in_force() {
    let mut case = good(PER_RULE);
    case.parameters(Answer::Value(json!({ "spec": { "provider": {} } })));
    assert_eq!(case.found(), [""; 0], "parameters that do not merge");
    case.parameters(Answer::Value(json!({ "spec": { "mergeBackends": {} } })));
    let refused = |why: &str| {
        format!(
            "refuse gateway.merged: Gateway web merges backends (spec.mergeBackends of Envoy Gateway): a cluster then exists only while its Service has weight, each shift fails some requests, and {why}; create one: kubectl apply -f - <<< '{}'",
            crate::api::keeper_route(&good(PER_RULE).base, ["trackx", "trackx-b"])
        )
    };
    assert_eq!(case.found(), [refused("no keeper route keeps both alive")]);
    let mut keeper = crate::api::keeper_route(&case.base, ["trackx", "trackx-b"]);
    keeper["metadata"]["generation"] = json!(2);
    case.others = vec![keeper.clone()];
    assert_eq!(
        case.found(),
        [refused("its keeper route trackx-keeper is not in force: gateway web has not answered for generation 2")]
    );
    keeper["status"] = accepted(PER_RULE, "web");
    case.others = vec![keeper.clone()];
    assert_eq!(case.found(), [""; 0], "with its keeper it goes");
    keeper["spec"]["rules"][0]["backendRefs"][1]["weight"] = json!(0);
    case.others = vec![keeper.clone()];
    assert_eq!(
        case.found(),
        [refused("its keeper route trackx-keeper does not give both Services weight at every port")]
    );
    keeper["spec"]["parentRefs"] = json!([{ "name": "other" }]);
    case.others = vec![keeper];
    assert_eq!(
        case.found(),
        [refused("no keeper route keeps both alive")],
        "another Gateway's keeper keeps nothing here"
    );
}

#[test]
fn merging_that_is_limited_to_other_services_is_plain() {
    let mut case = good(PER_RULE);
    let selector =
        |app: &str| json!({ "spec": { "mergeBackends": { "selector": { "matchLabels": { "app": app } } } } });
    case.parameters(Answer::Value(selector("billing")));
    assert_eq!(case.found(), [""; 0]);
    case.parameters(Answer::Value(selector("trackx-b")));
    assert!(case.found()[0].starts_with("refuse gateway.merged: "), "{:?}", case.found());
}

#[test]
fn a_shape_that_cannot_be_read_is_a_warning() {
    let mut case = good(PER_RULE);
    case.parameters(Answer::Forbidden("dana may not".into()));
    assert_eq!(
        case.found(),
        [
            "warn gateway.shape: whether Gateway web merges backends is not known: your role may not read EnvoyProxy proxies; if it does, each shift fails some requests unless a keeper route exists"
        ]
    );
    case.parameters(Answer::Missing);
    assert!(case.found()[0].contains("EnvoyProxy proxies does not exist"), "{:?}", case.found());
    let mut case = good(PER_RULE);
    case.survey.gateways[0].class = Answer::Forbidden("dana may not".into());
    assert_eq!(
        case.found(),
        [
            "note gateway.class: GatewayClass c is not checked: your role may not read it; the optional ClusterRole of pilothouse manifests allows it",
            "warn gateway.shape: whether Gateway web merges backends is not known: your role may not read GatewayClass c; if it does, each shift fails some requests unless a keeper route exists",
        ],
        "who serves it is known from the route's own status"
    );
}

#[test]
fn a_stranger_is_a_warning_and_an_unmeasured_provider_a_note() {
    assert_eq!(
        good("example.com/c").found(),
        [
            "warn gateway.unknown: the controller of Gateway web (example.com/c) is not known here, nor what a shift costs there: look at the errors of its first seconds; without spec.settle it settles for 30s"
        ]
    );
    assert_eq!(
        good(MEASURED_BY_NOBODY).found(),
        [
            "note gateway.shape: what a shift costs on Application Gateway for Containers has not been measured: look at the errors of its first seconds; it settles for 30s",
            "note gateway.idle-limit: Application Gateway for Containers ends requests and sockets on which nothing moves for 5m, whatever timeouts say: such a cut is the gateway's, not the release's",
        ]
    );
}

#[test]
fn a_class_that_is_never_accepted_is_only_a_note() {
    let mut case = good(PER_SERVICE);
    case.class()["status"]["conditions"] = json!([is("Accepted", "Unknown", "Pending", "Waiting for controller")]);
    assert_eq!(
        case.found()[0],
        "note gateway.class: GatewayClass c is not Accepted: Unknown (Pending: Waiting for controller); some controllers never say so, the Gateway's own conditions count"
    );
    case.survey.gateways[0].class = Answer::Missing;
    assert_eq!(
        case.found()[0],
        "warn gateway.class: GatewayClass c, which Gateway web names, does not exist: nobody may be responsible for it; look at its controller"
    );
}

#[test]
fn a_gateway_that_is_not_there_or_not_programmed_is_refused() {
    let mut case = good(PER_RULE);
    case.gateway()["status"]["conditions"][1] = is("Programmed", "False", "NoResources", "no proxy replicas");
    assert_eq!(
        case.found(),
        [
            "refuse gateway.not-programmed: Gateway web is not programmed: False (NoResources: no proxy replicas); what a release writes would not reach its proxies: mend it first"
        ]
    );
    case.gateway()["status"]["conditions"][1] = is("Programmed", "False", "AddressNotAssigned", "no address");
    assert_eq!(
        case.found(),
        [
            "warn gateway.not-programmed: whether Gateway web is programmed is not known: False (AddressNotAssigned: no address); a shift is verified by requests"
        ]
    );
    case.gateway()["metadata"]["generation"] = json!(3);
    assert_eq!(
        case.found(),
        [
            "warn gateway.not-programmed: whether Gateway web is programmed is not known: its controller has not said; a shift is verified by requests"
        ]
    );
    let mut case = good(PER_RULE);
    case.gateway()["status"]["conditions"][0] = is("Accepted", "False", "Invalid", "no such listener");
    assert_eq!(
        case.found(),
        [
            "refuse gateway.not-accepted: Gateway web is not accepted by its controller: False (Invalid: no such listener); mend it first"
        ]
    );
    case.survey.gateways[0] = GatewaySurvey {
        name: case.survey.gateways[0].name.clone(),
        gateway: Answer::Missing,
        ..GatewaySurvey::default()
    };
    assert_eq!(
        case.found(),
        [
            "refuse gateway.missing: Gateway web, which HTTPRoute trackx names as its parent, does not exist: create it, or remove it from spec.parentRefs"
        ]
    );
}

#[test]
fn a_gateway_that_may_not_be_read_is_not_checked_and_one_that_cannot_is_tried_again() {
    let mut case = good(PER_SERVICE);
    case.base["spec"]["parentRefs"] = json!([{ "name": "web", "namespace": "infra" }]);
    case.base["status"]["parents"][0]["parentRef"] = json!({ "name": "web", "namespace": "infra" });
    let name = ObjectName { namespace: "infra".into(), name: "web".into() };
    let with = |gateway| GatewaySurvey { name: name.clone(), gateway, ..GatewaySurvey::default() };
    case.survey.gateways[0] = with(Answer::Forbidden("dana may not".into()));
    assert_eq!(
        case.found()[0],
        "note gateway.not-checked: Gateway infra/web is not checked: your role may not read it; the optional ClusterRole of pilothouse manifests allows it"
    );
    case.survey.gateways[0] = with(Answer::Failed("no answer within 8s".into()));
    assert_eq!(
        case.found()[0],
        "refuse gateway.unread: Gateway infra/web cannot be read now (no answer within 8s): try again"
    );
}

#[test]
fn every_gateway_of_the_route_is_judged() {
    let mut case = good(PER_RULE);
    case.base["spec"]["parentRefs"] = json!([{ "name": "web" }, { "name": "edge" }]);
    let mut other = accepted(PER_SERVICE, "edge")["parents"][0].clone();
    other["controllerName"] = json!(PER_SERVICE);
    case.base["status"]["parents"].as_array_mut().unwrap().push(other);
    let mut edge = good(PER_SERVICE).survey.gateways.remove(0);
    edge.name.name = "edge".into();
    case.survey.gateways.insert(0, edge);
    case.base["spec"]["rules"][0]["timeouts"] = Value::Null;
    assert_eq!(
        case.found(),
        [
            "warn route.no-timeouts: HTTPRoute trackx sets no timeouts.request in rule 1: Contour cuts such requests after 15s, Envoy Gateway cuts such requests after 15s; set it, 0s for no limit",
            "note gateway.idle-limit: Contour ends requests and sockets on which nothing moves for 5m, whatever timeouts say: such a cut is the gateway's, not the release's",
        ]
    );
    case.base["spec"]["parentRefs"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "name": "trackx", "kind": "Service", "group": "" }));
    assert!(case.found().iter().any(|f| f == "warn route.other-parent: HTTPRoute trackx is attached to Service trackx as well: how requests that come in there follow a shift cannot be checked"), "{:?}", case.found());
}

#[test]
fn a_base_route_that_is_not_in_force_is_refused() {
    let mut case = good(PER_RULE);
    case.base["metadata"]["generation"] = json!(3);
    assert_eq!(
        case.found(),
        [
            "refuse route.not-accepted: HTTPRoute trackx is not in force: gateway web has not answered for generation 3; start when it is, or look at the gateway's controller"
        ]
    );
    let mut case = good(PER_RULE);
    case.base["status"]["parents"][0]["conditions"][0] = is("Accepted", "False", "NotAllowedByListeners", "no");
    assert_eq!(
        case.found(),
        [
            "refuse route.not-accepted: HTTPRoute trackx is not in force as it stands: gateway web: Accepted is False, NotAllowedByListeners: no; mend it first"
        ]
    );
}

const BY_NAME: &str = "refuse policy.by-name: SecurityPolicy trackx-jwt protects route trackx only; managed routes would be unprotected. Target it by label pilothouse.dev/base: trackx, or attach it to the Gateway.";

#[test]
fn a_policy_on_the_base_route_alone_is_refused_in_every_form_of_its_target() {
    let route = json!({ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "trackx" });
    let own = json!([{ "kind": "HTTPRoute", "matchLabels": { "team": "web" } }]);
    for spec in [
        json!({ "targetRefs": [route] }),
        json!({ "targetRef": route }),
        json!({ "targetSelectors": own }),
        json!({ "targetRefs": [route], "targetSelectors": [{ "kind": "HTTPRoute", "matchLabels": { "team": "other" } }] }),
        json!({ "targetRefs": [route], "targetSelectors": [{ "kind": "Gateway", "matchLabels": { "pilothouse.dev/base": "trackx" } }] }),
        json!({ "targetRefs": [route, { "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "other" }] }),
        json!({ "targetRefs": [route, { "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "web", "sectionName": "https" }] }),
    ] {
        let mut case = good(PER_RULE);
        case.policy(spec.clone());
        assert_eq!(case.found(), [BY_NAME], "{spec}");
    }
    let mut case = good(PER_RULE);
    let mut part = route;
    part["sectionName"] = json!("api");
    case.policy(json!({ "targetRefs": [part] }));
    assert_eq!(case.found(), [BY_NAME.replace("protects route", "protects rule api of route")]);
}

#[test]
fn a_policy_that_holds_for_the_managed_routes_too_goes() {
    let route = json!({ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "trackx" });
    let gateway = json!({ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "web" });
    let managed = json!({ "kind": "HTTPRoute", "matchLabels": { "pilothouse.dev/base": "trackx" } });
    let tool = json!({ "kind": "HTTPRoute", "matchExpressions":
        [{ "key": "app.kubernetes.io/managed-by", "operator": "In", "values": ["pilothouse"] }] });
    for spec in [
        json!({ "targetRefs": [route], "targetSelectors": [managed] }),
        json!({ "targetRefs": [route], "targetSelectors": [tool] }),
        json!({ "targetSelectors": [{ "kind": "HTTPRoute" }] }),
        json!({ "targetRefs": [gateway] }),
        json!({ "targetRefs": [route, gateway] }),
        json!({ "targetRefs": [{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "billing" }] }),
        json!({ "targetRef": { "group": "gateway.networking.k8s.io", "kind": "GRPCRoute", "name": "trackx" } }),
    ] {
        let mut case = good(PER_RULE);
        case.policy(spec.clone());
        assert_eq!(case.found(), [""; 0], "{spec}");
    }
    let mut case = good(PER_RULE);
    case.policy(json!({ "targetRefs": [route] }));
    let Answer::Value(policies) = &mut case.survey.policies[0].objects else { panic!() };
    policies.push(json!({ "metadata": { "name": "managed-jwt" }, "spec": { "targetSelectors": [managed] } }));
    assert_eq!(
        case.found(),
        [
            "warn policy.by-name: SecurityPolicy trackx-jwt protects route trackx only; managed routes are protected by managed-jwt instead: see that both say the same"
        ]
    );
}

#[test]
fn a_policy_of_another_namespace_counts_where_it_names_ours() {
    let policy =
        |target: Value| Answer::Value(vec![json!({ "metadata": { "name": "waf" }, "spec": { "targetRef": target } })]);
    let mut target = json!({ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "trackx" });
    let mut case = good(PER_RULE);
    case.policies("infra", "alb.networking.azure.io", "WebApplicationFirewallPolicy", policy(target.clone()));
    assert_eq!(case.found(), [""; 0], "a route of the same name there");
    target["namespace"] = json!("shop");
    case.survey.policies.clear();
    case.policies("infra", "alb.networking.azure.io", "WebApplicationFirewallPolicy", policy(target));
    assert_eq!(
        case.found(),
        [
            "refuse policy.by-name: WebApplicationFirewallPolicy waf protects route trackx only; managed routes would be unprotected. Attach it to the Gateway."
        ],
        "a kind that cannot select by label"
    );
}

#[test]
fn policies_that_may_not_be_listed_are_not_checked_and_those_that_cannot_are_tried_again() {
    let mut case = good(PER_RULE);
    for kind in ["SecurityPolicy", "BackendTrafficPolicy"] {
        case.policies("shop", "gateway.envoyproxy.io", kind, Answer::Forbidden("dana may not".into()));
    }
    case.survey.definitions = Answer::Forbidden("dana may not".into());
    assert_eq!(
        case.found(),
        [
            "note policy.not-checked: policies of kind SecurityPolicy, BackendTrafficPolicy in namespace shop are not checked: your role may not list them; customers lose on managed routes what protects HTTPRoute trackx by name",
            "note policy.not-checked: other kinds of policies are not checked: your role may not list CustomResourceDefinitions",
        ]
    );
    let mut case = good(PER_RULE);
    case.policies("shop", "gateway.envoyproxy.io", "SecurityPolicy", Answer::Failed("500".into()));
    case.survey.definitions = Answer::Failed("500".into());
    assert_eq!(
        case.found(),
        [
            "refuse policy.unread: policies of kind SecurityPolicy in namespace shop cannot be listed now (500): try again",
            "refuse policy.unread: CustomResourceDefinitions cannot be searched for policies now (500): try again",
        ]
    );
}
