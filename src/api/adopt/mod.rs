//! Adoption: from one Deployment, Service and HTTPRoute to the files that make them slot `a` of a plan, with a slot `b`.
//!
//! Nothing here writes to a cluster, and nothing of the existing pair is changed: objects go in, files come out, in the
//! order in which they are applied. What cannot be decided from objects is listed for a person.

mod clean;
mod copies;
mod kinds;
mod metrics;
mod open;
mod peers;
mod plan;
mod relabel;
mod route;
mod texts;

use super::check::is_token;
use crate::model::{Component, Customer, Finding, SlotPair, VERSION_LABEL, dns_label, is_object_name, name_of};
use clean::twin;
pub use kinds::{ADOPT_KINDS, AdoptKind, Found};
use kinds::{Role, called};
pub use metrics::metrics_services;
use relabel::{Labels, Relabelling, Selector, named_keys, of_service};
use serde_json::Value;

/// What is to be adopted.
#[derive(Clone, Debug, Default)]
pub struct Adopt {
    /// The namespace.
    pub namespace: String,
    /// The name of the plan.
    pub plan: String,
    /// The Deployment that serves today.
    pub deployment: String,
    /// Its Service.
    pub service: String,
    /// The team's HTTPRoute.
    pub route: String,
    /// The request header that names the customer.
    pub header: String,
    /// The customers, where a list exists already; checked.
    pub customers: Option<Vec<Customer>>,
    /// The metrics source's URL, where it is known.
    pub metrics_url: Option<String>,
    /// The metrics source's Service as `name:port` and its namespace, where one was found.
    pub metrics_service: Option<(String, String)>,
}

/// The files of an adoption.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// The files, in the order in which they are applied.
    pub files: Vec<AdoptFile>,
    /// What could not be decided and has to be looked at by a person, one sentence each.
    pub open: Vec<Finding>,
    /// The component as the plan will have it.
    pub component: Component,
    /// The patch of the route, as in its file.
    pub route_patch: Vec<Value>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptFile {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: String,
    /// The command that applies it; empty for one that is read.
    pub apply: String,
}

/// Makes the files.
///
/// # Errors
/// Returns every finding that makes an adoption impossible, each with what to do.
pub fn adopt(ask: &Adopt, found: &Found) -> Result<Adoption, Vec<Finding>> {
    let mut findings = named(ask);
    let ground = match Ground::of(ask, found) {
        Ok(ground) => ground,
        Err(missing) => {
            findings.extend(missing);
            return Err(findings);
        }
    };
    let (patch, more) = route::patch(&ground);
    findings.extend(more);
    findings.extend(ground.findings());
    if !findings.is_empty() {
        return Err(findings);
    }
    let broken = |why: String| vec![Finding::refuse("adopt.unwritable", format!("a file cannot be written: {why}"))];
    let copies = copies::copies(&ground);
    let slots = metrics::slots(&ground);
    let files = vec![
        file("10-crds-rbac.yaml", ask, plan::manifests(&ground).map_err(broken)?),
        file("20-slot-b.yaml", ask, copies::text(&ground, &copies).map_err(broken)?),
        file("30-route.patch.json", ask, route::text(&patch)),
        file("40-customers.yaml", ask, plan::customers(ask).map_err(broken)?),
        file("50-plan.yaml", ask, plan::plan(&ground, &slots).map_err(broken)?),
        file("60-metrics.md", ask, texts::metrics(&ground, &slots)),
        file("70-gitops.md", ask, texts::gitops(&ground, &patch)),
    ];
    let open = open::open(&ground, &copies, &slots, &patch);
    Ok(Adoption { files, open, component: ground.component(), route_patch: patch })
}

/// Says which names that were asked for no object and no route could hold.
fn named(ask: &Adopt) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !is_token(&ask.header) {
        findings.push(Finding::refuse(
            "adopt.header",
            format!(
                "--header {:?} is no name of an HTTP header, such as x-customer-id: it has letters, digits and '-', and no blank",
                ask.header
            ),
        ));
    }
    // The longest name that is made of it.
    if !is_object_name(&plan::customers_name(ask)) {
        let near = dns_label(&ask.plan, 40);
        let such = if near.is_empty() { String::new() } else { format!(", such as {near}") };
        findings.push(Finding::refuse(
            "adopt.plan",
            format!(
                "--plan {:?} can name no RolloutPlan: use lower case letters, digits, '-' and '.', a letter or a digit at both ends{such}",
                ask.plan
            ),
        ));
    }
    findings
}

fn file(name: &'static str, ask: &Adopt, text: String) -> AdoptFile {
    let apply = match name {
        _ if name.ends_with(".yaml") => format!("kubectl apply -f {name}"),
        _ if name.ends_with(".json") => {
            format!("kubectl patch httproute {} -n {} --type=json --patch-file {name}", ask.route, ask.namespace)
        }
        _ => String::new(),
    };
    AdoptFile { name, text, apply }
}

/// What an adoption stands on: the three objects, and how slot b's labels differ.
struct Ground<'a> {
    ask: &'a Adopt,
    found: &'a Found,
    deployment: &'a Value,
    service: &'a Value,
    route: &'a Value,
    /// The labels of slot b's pods.
    pods: Relabelling,
}

impl<'a> Ground<'a> {
    fn of(ask: &'a Adopt, found: &'a Found) -> Result<Self, Vec<Finding>> {
        let mut findings = Vec::new();
        let mut one = |kind: &str, name: &str| {
            let object = found.one(kind, name);
            if object.is_none() {
                findings.push(missing(ask, found, kind, name));
            }
            object
        };
        let named = (one("Deployment", &ask.deployment), one("Service", &ask.service), one("HTTPRoute", &ask.route));
        let (Some(deployment), Some(service), Some(route)) = named else { return Err(findings) };
        let pods = Relabelling::new(&template_labels(deployment), &pod_selectors(ask, found), &others(ask, found));
        Ok(Self { ask, found, deployment, service, route, pods })
    }

    /// Returns the component of the plan.
    fn component(&self) -> Component {
        let pair =
            |deployment: &str, service: &str| SlotPair { deployment: deployment.into(), service: service.into() };
        let (deployment, service) = (&self.ask.deployment, &self.ask.service);
        Component {
            name: "web".into(),
            route: self.ask.route.clone(),
            a: pair(deployment, service),
            b: pair(&twin(deployment), &twin(service)),
        }
    }

    /// Returns every Service that sends to slot a's pods, the adopted one among them.
    fn services(&self) -> impl Iterator<Item = &'a Value> {
        let found = self.found;
        found.of("Service").filter(|service| self.pods.takes_old(&of_service(&service["spec"]["selector"])))
    }

    /// Returns the pod template of slot a.
    fn template(&self) -> &'a Value {
        &self.deployment["spec"]["template"]
    }

    /// Returns the containers of slot a.
    fn containers(&self) -> &'a [Value] {
        self.template()["spec"]["containers"].as_array().map_or(&[], Vec::as_slice)
    }

    /// Says what speaks against adopting this pair; the route has findings of its own.
    fn findings(&self) -> Vec<Finding> {
        let (deployment, service) = (&self.ask.deployment, &self.ask.service);
        let mut findings = Vec::new();
        let selector = of_service(&self.service["spec"]["selector"]);
        if !self.pods.takes_old(&selector) {
            findings.push(Finding::refuse(
                "adopt.service-selects",
                format!("Service {service} does not select the pods of Deployment {deployment}: name the Service that does, or mend its selector"),
            ));
        }
        if named_keys(&self.deployment["spec"]["selector"]).is_empty() {
            findings.push(Finding::refuse(
                "adopt.deployment-selector",
                format!("the selector of Deployment {deployment} names no label value, so it would select slot b's pods, too; a selector cannot be changed: create the Deployment anew with matchLabels"),
            ));
        }
        for other in self.found.of("Deployment").filter(|other| name_of(other) != deployment) {
            let labels = Value::Object(template_labels(other));
            if crate::model::selects(&selector, &labels) {
                findings.push(Finding::refuse(
                    "adopt.service-mixes",
                    format!("Service {service} also selects the pods of Deployment {}: a slot is one Deployment behind one Service; give them different labels first", name_of(other)),
                ));
            }
        }
        if let Some(by) = self.pods.reasons.get(VERSION_LABEL) {
            findings.push(Finding::refuse(
                "adopt.version-selected",
                format!("{} selects by {VERSION_LABEL}, which changes with every release: the next version's pods would not be selected any more; select by another label first", by.join(", ")),
            ));
        }
        for (kind, name) in [("Deployment", twin(deployment)), ("Service", twin(service))] {
            if self.found.one(kind, &name).is_some() {
                findings.push(Finding::refuse(
                    "adopt.name-taken",
                    format!("{kind} {name} exists and does not carry the label pilothouse.dev/slot: b: slot b needs this name; rename it first"),
                ));
            }
        }
        findings
    }
}

/// Says that an object is not there, with what there is; an Ingress in its place is a case of its own.
fn missing(ask: &Adopt, found: &Found, kind: &str, name: &str) -> Finding {
    let namespace = &ask.namespace;
    let ingresses: Vec<&str> =
        found.of("Ingress").filter(|ingress| sends_to(ingress, &ask.service)).map(name_of).collect();
    if kind == "HTTPRoute" && !ingresses.is_empty() {
        return Finding::refuse(
            "adopt.ingress",
            format!(
                "Service {} is reached by Ingress {} and there is no HTTPRoute {name}: customers are moved by HTTPRoutes of the Gateway API, and an Ingress has no such rules. Migrate first (ingress2gateway print -n {namespace}; https://gateway-api.sigs.k8s.io/guides/getting-started/migrating-from-ingress/), then run init again",
                ask.service,
                ingresses.join(", ")
            ),
        );
    }
    Finding::refuse(
        "adopt.missing",
        format!(
            "there is no {kind} {name} in namespace {namespace} (there is: {}): name another one",
            found.names(kind)
        ),
    )
}

fn sends_to(ingress: &Value, service: &str) -> bool {
    let rules = ingress["spec"]["rules"].as_array().into_iter().flatten();
    let backends = rules.flat_map(|rule| rule["http"]["paths"].as_array()).flatten().map(|path| &path["backend"]);
    backends.chain([&ingress["spec"]["defaultBackend"]]).any(|backend| backend["service"]["name"] == service)
}

/// Lists everything that selects pods of the namespace by label.
fn pod_selectors(ask: &Adopt, found: &Found) -> Vec<Selector> {
    let mut all = Vec::new();
    for listed in found.listed() {
        for object in &listed.objects {
            let selector = match (listed.kind.kind, listed.kind.role) {
                ("Deployment", _) => object["spec"]["selector"].clone(),
                ("Service", _) => of_service(&object["spec"]["selector"]),
                (_, Role::SelectsPods(at)) if metrics::reaches(object, &ask.namespace) => {
                    object.pointer(at).cloned().unwrap_or_default()
                }
                _ => continue,
            };
            all.push(Selector { by: called(object, &ask.namespace), selector });
        }
    }
    all
}

/// Returns the labels of all other pod templates.
fn others<'a>(ask: &Adopt, found: &'a Found) -> Vec<&'a Labels> {
    let others = found.of("Deployment").filter(|other| name_of(other) != ask.deployment);
    others.filter_map(|other| other["spec"]["template"]["metadata"]["labels"].as_object()).collect()
}

fn template_labels(deployment: &Value) -> Labels {
    deployment["spec"]["template"]["metadata"]["labels"].as_object().cloned().unwrap_or_default()
}
