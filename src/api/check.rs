//! Turns a RolloutPlan into a checked [`Plan`]; a bad one gets all its findings at once.

use super::plan::{AuthSpec, ComponentSpec, GateSpec, MetricsSpec, RingSpec, RolloutPlanSpec};
use crate::model::{
    Authentication, Component, CustomerId, CustomerSource, DeployedBy, DrainPolicy, Finding, Gate, GateKind,
    MetricNames, MetricsEndpoint, MetricsSource, Plan, Ring, RingName, RingSelect, Share, Span, UNLISTED,
    check_customers,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// Checks a plan's spec; `name` and `namespace` are those of the RolloutPlan.
///
/// # Errors
/// Returns every finding that refuses the plan, one sentence each.
pub fn check_plan(name: &str, namespace: &str, spec: &RolloutPlanSpec) -> Result<Plan, Vec<Finding>> {
    let mut c = Checker { findings: Vec::new() };
    let component = c.component(&spec.components);
    let deploy = c.deploy(spec);
    let header = c.header(spec);
    let customers = c.customers(spec);
    let rings = c.rings(&spec.rings);
    let gates = c.gates(&spec.gates);
    let drain = DrainPolicy {
        quiet: c.span("drain.quiet", spec.drain.quiet.as_deref(), Span::seconds(30)),
        patience: c.span("drain.patience", spec.drain.patience.as_deref(), Span::seconds(600)),
        kinds: spec.drain.kinds.clone(),
    };
    let metrics = c.metrics(namespace, &spec.metrics);
    let promote_bake = c.span("promote.bake", spec.promote.bake.as_deref(), Span::seconds(900));
    let settle = spec.settle.as_deref().map(|text| c.span("settle", Some(text), Span::seconds(30)));
    match (component, header, customers) {
        (Some(component), Some(header), Some(customers)) if c.findings.is_empty() => Ok(Plan {
            name: name.to_owned(),
            environment: spec.environment,
            component,
            deploy,
            header,
            customers,
            rings,
            promote_bake,
            settle,
            gates,
            drain,
            metrics,
        }),
        _ => Err(c.findings),
    }
}

/// The metric and label names of a profile.
pub fn profile_names(profile: &str) -> Option<MetricNames> {
    (profile == "app").then(|| MetricNames {
        started: "app_requests_started_total".into(),
        finished: "app_requests_total".into(),
        duration: "app_request_duration_seconds".into(),
        inflight: "app_inflight".into(),
        inflight_by_customer: "app_inflight_by_customer".into(),
        oldest: "app_oldest_transaction_age_seconds".into(),
        label_namespace: "namespace".into(),
        label_pod: "pod".into(),
        label_slot: "slot".into(),
        label_customer: "customer".into(),
        label_code: "code".into(),
        label_kind: "kind".into(),
    })
}

struct Checker {
    findings: Vec<Finding>,
}

impl Checker {
    fn refuse(&mut self, check: &str, text: String) {
        self.findings.push(Finding::refuse(check, text));
    }

    fn span(&mut self, field: &str, text: Option<&str>, default: Span) -> Span {
        match text.map(Span::parse) {
            None => default,
            Some(Ok(span)) => span,
            Some(Err(why)) => {
                self.refuse("plan.duration", format!("spec.{field}: {why}"));
                default
            }
        }
    }

    fn component(&mut self, components: &[ComponentSpec]) -> Option<Component> {
        let [one] = components else {
            self.refuse(
                "plan.components",
                format!(
                    "spec.components holds {} components; this version accepts exactly one: split the plan",
                    components.len()
                ),
            );
            return None;
        };
        for (slot, pair) in [("a", &one.a), ("b", &one.b)] {
            if pair.deployment.is_empty() || pair.service.is_empty() {
                self.refuse(
                    "plan.missing-slot",
                    format!("slot {slot} of component {} has no deployment or no service: name both", one.name),
                );
            }
        }
        if one.route.is_empty() {
            self.refuse(
                "plan.missing-route",
                format!("component {} names no HTTPRoute: set spec.components[0].route", one.name),
            );
        }
        if !one.a.service.is_empty() && one.a.service == one.b.service {
            self.refuse(
                "plan.same-slot",
                format!("both slots of component {} use Service {}: each slot needs its own", one.name, one.a.service),
            );
        }
        if !one.a.deployment.is_empty() && one.a.deployment == one.b.deployment {
            self.refuse(
                "plan.same-slot",
                format!(
                    "both slots of component {} use Deployment {}: each slot needs its own",
                    one.name, one.a.deployment
                ),
            );
        }
        Some(Component { name: one.name.clone(), route: one.route.clone(), a: one.a.clone(), b: one.b.clone() })
    }

    fn deploy(&mut self, spec: &RolloutPlanSpec) -> DeployedBy {
        match spec.deploy.by.as_deref() {
            None | Some("pilothouse") => {
                DeployedBy::Pilothouse { container: spec.deploy.container.clone().unwrap_or_default() }
            }
            Some("pipeline") => DeployedBy::Pipeline,
            Some(other) => {
                self.refuse("plan.deploy", format!("spec.deploy.by is {other:?}; it must be pilothouse or pipeline"));
                DeployedBy::Pipeline
            }
        }
    }

    fn header(&mut self, spec: &RolloutPlanSpec) -> Option<String> {
        let by = &spec.customers.identified_by;
        if by.ring_header.is_some() {
            self.refuse(
                "plan.unbuilt-strategy",
                "spec.customers.identifiedBy.ringHeader is not available in this version: use header".into(),
            );
        }
        if by.hostname.is_some() {
            self.refuse(
                "plan.unbuilt-strategy",
                "spec.customers.identifiedBy.hostname is not available in this version: use header".into(),
            );
        }
        match by.header.as_deref() {
            Some(name) if is_token(name) => Some(name.to_owned()),
            Some(name) => {
                self.refuse(
                    "plan.header",
                    format!("spec.customers.identifiedBy.header {name:?} is no HTTP header name"),
                );
                None
            }
            None => {
                if by.ring_header.is_none() && by.hostname.is_none() {
                    self.refuse(
                        "plan.header",
                        "spec.customers.identifiedBy names no header: say which request header carries the customer id"
                            .into(),
                    );
                }
                None
            }
        }
    }

    fn customers(&mut self, spec: &RolloutPlanSpec) -> Option<CustomerSource> {
        match (&spec.customers.from.config_map, &spec.customers.from.inline) {
            (Some(name), None) if !name.is_empty() => Some(CustomerSource::ConfigMap(name.clone())),
            (None, Some(list)) => {
                self.findings.extend(check_customers("spec.customers.from.inline", list));
                Some(CustomerSource::Inline(list.clone()))
            }
            _ => {
                self.refuse(
                    "plan.customers",
                    "spec.customers.from must hold exactly one of configMap and inline".into(),
                );
                None
            }
        }
    }

    fn rings(&mut self, specs: &[RingSpec]) -> Vec<Ring> {
        if specs.is_empty() {
            self.refuse("plan.rings", "spec.rings is empty: name at least one ring".into());
        }
        let mut names = BTreeSet::new();
        specs
            .iter()
            .map(|spec| {
                if !names.insert(&spec.name) {
                    self.refuse("ring.twice", format!("ring {:?} stands twice: ring names must be unique", spec.name));
                }
                self.ring(spec)
            })
            .collect()
    }

    fn ring(&mut self, spec: &RingSpec) -> Ring {
        let name = &spec.name;
        let plain = !name.is_empty()
            && name.len() <= 63
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !plain || name == UNLISTED {
            self.refuse(
                "ring.name",
                format!(
                    "ring name {name:?} is not usable: use lower case letters, digits and dashes, and not {UNLISTED:?}"
                ),
            );
        }
        let given = [spec.select.is_some(), spec.names.is_some(), spec.share.is_some(), spec.rest == Some(true)];
        if given.into_iter().filter(|g| *g).count() != 1 {
            self.refuse(
                "ring.who",
                format!("ring {name} must hold exactly one of select, names, share and rest: true"),
            );
        }
        let select = match (&spec.select, &spec.names, &spec.share) {
            (Some(attributes), _, _) => RingSelect::Attributes(attributes.clone()),
            (_, Some(names), _) => RingSelect::Names(names.iter().map(CustomerId::new).collect()),
            (_, _, Some(share)) => RingSelect::Share(self.share(name, share)),
            _ => RingSelect::Rest,
        };
        let waves: Vec<Share> = spec.waves.iter().map(|w| self.share(name, w)).collect();
        if waves.windows(2).any(|pair| pair[0] >= pair[1]) || waves.first().is_some_and(|w| w.as_fraction() == 0.0) {
            self.refuse(
                "ring.waves",
                format!("waves of ring {name} must grow and start above 0%: they are cumulative shares of the ring"),
            );
        }
        let bake = self.span(&format!("rings[{name}].bake"), spec.bake.as_deref(), Span::seconds(900));
        Ring { name: RingName::new(name), select, waves, bake, approval: spec.approval }
    }

    fn share(&mut self, ring: &str, text: &str) -> Share {
        Share::parse(text).unwrap_or_else(|why| {
            self.refuse("ring.share", format!("ring {ring}: {why}"));
            Share::ALL
        })
    }

    fn gates(&mut self, specs: &[GateSpec]) -> Vec<Gate> {
        let mut names = BTreeSet::new();
        specs
            .iter()
            .filter_map(|spec| {
                if !names.insert(&spec.name) {
                    self.refuse("gate.twice", format!("gate {:?} stands twice: gate names must be unique", spec.name));
                }
                self.gate(spec)
            })
            .collect()
    }

    fn gate(&mut self, spec: &GateSpec) -> Option<Gate> {
        let name = &spec.name;
        let window = self.span(&format!("gates[{name}].for"), spec.window.as_deref(), Span::seconds(60));
        let kind = match spec.kind.as_str() {
            "errorRatio" => GateKind::ErrorRatio,
            "latency" => {
                let quantile = spec.quantile.unwrap_or(0.99);
                if !(quantile > 0.0 && quantile < 1.0) {
                    self.refuse("gate.quantile", format!("gate {name}: quantile {quantile} is not between 0 and 1"));
                }
                GateKind::Latency { quantile }
            }
            "restarts" => GateKind::Restarts,
            "promql" => match &spec.query {
                Some(query) => match promql_parser::parser::parse(&query.replace("$new", "new").replace("$old", "old"))
                {
                    Ok(_) => GateKind::Promql { query: query.clone() },
                    Err(why) => {
                        self.refuse("gate.query", format!("gate {name}: the query cannot be parsed: {why}"));
                        return None;
                    }
                },
                None => {
                    self.refuse("gate.query", format!("gate {name} is of kind promql and has no query"));
                    return None;
                }
            },
            other => {
                self.refuse(
                    "gate.kind",
                    format!(
                        "gate {name}: kind {other:?} is unknown; it must be errorRatio, latency, restarts or promql"
                    ),
                );
                return None;
            }
        };
        let max = match limit(&kind, &spec.max) {
            Ok(max) => max,
            Err(why) => {
                self.refuse("gate.max", format!("gate {name}: {why}"));
                return None;
            }
        };
        Some(Gate { name: name.clone(), kind, max, window, min_requests: spec.min_requests.unwrap_or(1) })
    }

    fn metrics(&mut self, namespace: &str, spec: &MetricsSpec) -> MetricsSource {
        let profile = spec.profile.as_deref().unwrap_or("app");
        let mut names = profile_names(profile).unwrap_or_else(|| {
            self.refuse(
                "metrics.profile",
                format!("spec.metrics.profile {profile:?} is unknown; this version knows app"),
            );
            profile_names("app").unwrap_or_else(|| unreachable!("the app profile exists"))
        });
        for (key, value) in &spec.names {
            match metric_name(&mut names, key) {
                Some(field) => value.clone_into(field),
                None => self.refuse("metrics.names", format!("spec.metrics.names.{key} is unknown; it must be one of started, finished, duration, inflight, inflightByCustomer, oldest")),
            }
        }
        let mut slot_values = ["a".to_owned(), "b".to_owned()];
        for (key, value) in &spec.labels {
            match key.as_str() {
                "slot.a" => value.clone_into(&mut slot_values[0]),
                "slot.b" => value.clone_into(&mut slot_values[1]),
                other => match label_name(&mut names, other) {
                    Some(field) => value.clone_into(field),
                    None => self.refuse("metrics.labels", format!("spec.metrics.labels.{other} is unknown; it must be one of namespace, pod, slot, customer, code, kind, slot.a, slot.b")),
                },
            }
        }
        if slot_values[0] == slot_values[1] {
            self.refuse(
                "metrics.labels",
                format!(
                    "both slots have the label value {:?} in spec.metrics.labels: they cannot be told apart",
                    slot_values[0]
                ),
            );
        }
        let (endpoint, auth) = self.endpoint(namespace, spec);
        let interval =
            spec.interval.as_deref().map(|text| self.span("metrics.interval", Some(text), Span::seconds(15)));
        MetricsSource { endpoint, auth, names, slot_values, interval }
    }

    fn endpoint(&mut self, namespace: &str, spec: &MetricsSpec) -> (MetricsEndpoint, Authentication) {
        let Some(source) = &spec.source else { return (MetricsEndpoint::None, Authentication::None) };
        let auth = self.auth(source.auth.as_ref());
        match (&source.url, &source.service) {
            (Some(url), None) if url.starts_with("http://") || url.starts_with("https://") => {
                (MetricsEndpoint::Url(url.clone()), auth)
            }
            (None, Some(service)) if service.contains(':') => (
                MetricsEndpoint::ServiceProxy {
                    service: service.clone(),
                    namespace: source.namespace.clone().unwrap_or_else(|| namespace.to_owned()),
                },
                auth,
            ),
            _ => {
                self.refuse(
                    "metrics.source",
                    "spec.metrics.source must hold exactly one of url (http:// or https://) and service (name:port)"
                        .into(),
                );
                (MetricsEndpoint::None, auth)
            }
        }
    }

    fn auth(&mut self, spec: Option<&AuthSpec>) -> Authentication {
        let Some(spec) = spec else { return Authentication::None };
        match (spec.kind.as_str(), &spec.path, spec.command.is_empty()) {
            ("none", _, _) => Authentication::None,
            ("bearer-file", Some(path), _) => Authentication::BearerFile { path: path.clone() },
            ("exec", _, false) => Authentication::Exec { command: spec.command.clone() },
            (kind, _, _) => {
                self.refuse("metrics.auth", format!("spec.metrics.source.auth kind {kind:?} is not usable: it must be none, bearer-file with a path, or exec with a command"));
                Authentication::None
            }
        }
    }
}

/// Tells whether a text may be the name of an HTTP header.
pub(in crate::api) fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 256
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Reads the limit in the gate's own unit: a ratio, seconds, or a plain number.
fn limit(kind: &GateKind, max: &Value) -> Result<f64, String> {
    if let Some(number) = max.as_f64() {
        return if number >= 0.0 { Ok(number) } else { Err(format!("max {number} is negative")) };
    }
    let text = max.as_str().ok_or_else(|| format!("max {max} is neither a number nor a text"))?;
    match kind {
        GateKind::ErrorRatio => Share::parse(text).map(Share::as_fraction),
        GateKind::Latency { .. } => Span::parse(text).map(Span::as_secs_f64),
        GateKind::Restarts | GateKind::Promql { .. } => text
            .parse::<f64>()
            .ok()
            .filter(|n| n.is_finite() && *n >= 0.0)
            .ok_or_else(|| format!("max {text:?} is not a number")),
    }
}

fn metric_name<'a>(names: &'a mut MetricNames, key: &str) -> Option<&'a mut String> {
    Some(match key {
        "started" => &mut names.started,
        "finished" => &mut names.finished,
        "duration" => &mut names.duration,
        "inflight" => &mut names.inflight,
        "inflightByCustomer" => &mut names.inflight_by_customer,
        "oldest" => &mut names.oldest,
        _ => return None,
    })
}

fn label_name<'a>(names: &'a mut MetricNames, key: &str) -> Option<&'a mut String> {
    Some(match key {
        "namespace" => &mut names.label_namespace,
        "pod" => &mut names.label_pod,
        "slot" => &mut names.label_slot,
        "customer" => &mut names.label_customer,
        "code" => &mut names.label_code,
        "kind" => &mut names.label_kind,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
