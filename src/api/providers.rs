//! What differs between the controllers that serve routes: one line of data each, with where it is known from.
//!
//! The one place that knows a controller by name. Everything else asks [`provider`] for a line and reads its fields; a
//! controller without a line is treated as [`UNKNOWN`]. *Run* = measured under load with this product's own writes,
//! *source* = read in the controller's code or its CRDs, *documented* = its makers say so.

use crate::model::Span;

/// What is known about one controller of Gateways.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name for people.
    pub name: &'static str,
    /// Which `controllerName`s are its.
    pub controllers: &'static [Pattern],
    /// How long a shift settles after it is accepted, where the plan does not say it.
    pub settle: Span,
    /// The pause between two patches that build on each other, after the first is accepted at every parent.
    ///
    /// Patches inside one hold-off window of a controller become one change and lose their order.
    pub gap: Span,
    /// Conditions of a route that mean trouble, beyond Accepted, ResolvedRefs and PartiallyInvalid: type and bad status.
    pub bad: &'static [(&'static str, &'static str)],
    /// How it builds clusters, and so what a shift of weights costs.
    pub clusters: Clusters,
    /// When it cuts a request of a rule without `timeouts.request`; `None` = never, or not known.
    pub request_limit: Option<Span>,
    /// When it ends a request or socket on which nothing moves, whatever `timeouts` says; `None` = never, or not known.
    pub idle_limit: Option<Span>,
    /// Its kinds of policies that can attach to an HTTPRoute.
    pub policies: &'static [PolicyKind],
    /// What its metrics can say about a version.
    pub metrics: &'static str,
}

/// How `controllerName`s of one controller are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// This name and no other.
    Is(&'static str),
    /// A name that holds this text: renamed builds of the same controller.
    Holds(&'static str),
}

/// How a controller builds the clusters behind a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clusters {
    /// One for each rule, the versions are localities in it: a shift costs nothing, unless backends have filters of their
    /// own, or are merged into one cluster for each Service which only exists while something is sent there.
    PerRule {
        /// The setting that merges them.
        merged_by: Setting,
    },
    /// One for each Service, weighted; it exists at weight 0, too: a shift costs nothing, filters or not.
    PerService,
    /// Not known.
    Unknown,
}

/// A setting in the object that a GatewayClass or a Gateway names as its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The kind of object.
    pub of: KnownKind,
    /// The JSON pointer of the field; its presence switches the setting on.
    pub field: &'static str,
    /// The JSON pointer of a label selector that limits it to some Services.
    pub selector: &'static str,
}

/// A kind of object by its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownKind {
    /// The API group.
    pub group: &'static str,
    /// The name in paths.
    pub plural: &'static str,
    /// The name in objects.
    pub kind: &'static str,
}

/// A kind of policy that can attach to an HTTPRoute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyKind {
    /// The kind.
    pub of: KnownKind,
    /// Whether it can select its targets by label, so that one policy covers the managed routes as well.
    pub selects: bool,
}

/// The condition by which some controllers say that a weighted backend has no endpoints.
pub const NO_ENDPOINTS: &str = "BackendsAvailable";

const ENVOY_GATEWAY: &str = "gateway.envoyproxy.io";
const AGC: &str = "alb.networking.azure.io";

const fn kind(group: &'static str, plural: &'static str, kind: &'static str) -> KnownKind {
    KnownKind { group, plural, kind }
}

/// Every line; the first one whose pattern fits is taken.
pub static PROVIDERS: [Provider; 5] = [
    // Run with 1.9.1: a shift is live after at most 145 ms with 1024 customers; 0 of 120 shifts failed in the plain shape, 17 to
    // 25 requests at each with filters on backends, 3 at each with merged backends and 0 of 70 with a keeper route.
    // Source (1.9.1, internal/gatewayapi): the two conditions, and a merge setting of the Gateway's parameters before the
    // class's. Policy kinds: its CRDs. Request limit: run (504 after 15.0 s); `0s` lifts the idle limit, too (run, 310 s).
    Provider {
        name: "Envoy Gateway",
        controllers: &[Pattern::Is("gateway.envoyproxy.io/gatewayclass-controller"), Pattern::Holds("envoyproxy.io/")],
        settle: Span::seconds(5),
        gap: Span::millis(600),
        bad: &[("RouteRulesOverlap", "True"), (NO_ENDPOINTS, "False")],
        clusters: Clusters::PerRule {
            merged_by: Setting {
                of: kind(ENVOY_GATEWAY, "envoyproxies", "EnvoyProxy"),
                field: "/spec/mergeBackends",
                selector: "/spec/mergeBackends/selector",
            },
        },
        request_limit: Some(Span::seconds(15)),
        idle_limit: None,
        policies: &[
            PolicyKind { of: kind(ENVOY_GATEWAY, "securitypolicies", "SecurityPolicy"), selects: true },
            PolicyKind { of: kind(ENVOY_GATEWAY, "backendtrafficpolicies", "BackendTrafficPolicy"), selects: true },
            PolicyKind { of: kind(ENVOY_GATEWAY, "envoyextensionpolicies", "EnvoyExtensionPolicy"), selects: true },
        ],
        metrics: "by version only with merged backends (service/<namespace>/<service>/<port>)",
    },
    // Documented: it alone writes Programmed on routes; 60 s for a request, also a streamed one, 5 min idle; the policies with
    // their targetRef and its namespace. How fast a change is live is not documented ("near real-time"): the bound of
    // the Gateway API's own conformance tests is taken, and a gap on the safe side. No report of its clusters exists.
    Provider {
        name: "Application Gateway for Containers",
        controllers: &[Pattern::Is("alb.networking.azure.io/alb-controller")],
        settle: Span::seconds(30),
        gap: Span::seconds(5),
        bad: &[("Programmed", "False")],
        clusters: Clusters::Unknown,
        request_limit: Some(Span::seconds(60)),
        idle_limit: Some(Span::seconds(300)),
        policies: &[
            PolicyKind { of: kind(AGC, "routepolicies", "RoutePolicy"), selects: false },
            PolicyKind {
                of: kind(AGC, "webapplicationfirewallpolicies", "WebApplicationFirewallPolicy"),
                selects: false,
            },
        ],
        metrics: "response classes and healthy targets by backend; neither latency nor open requests",
    },
    // Source (pilot): changes are collected for 100 ms, under churn for up to 10 s, before they are pushed; a cluster for every
    // Service, routed or not, so that a change taken together with the one before it costs nothing. The managed
    // add-ons may register a name of their own. Its policies attach to Gateways, GatewayClasses and Services only.
    Provider {
        name: "Istio",
        controllers: &[Pattern::Is("istio.io/gateway-controller"), Pattern::Holds("istio")],
        settle: Span::seconds(15),
        gap: Span::seconds(1),
        bad: &[],
        clusters: Clusters::PerService,
        request_limit: None,
        idle_limit: None,
        policies: &[],
        metrics: "by version and route (istio_requests_total)",
    },
    // Run with 1.33.8: 0 of 140 shifts failed, filters or not; a rebuild waits up to 568 ms under churn, so that two patches
    // within that time become one change (18 requests failed in 8 such pairs, none with the gap). It drops a whole rule
    // for one match that an older route holds, and says so as PartiallyInvalid. 504 after 15.0 s without timeouts; silent
    // requests and sockets end after 300 s, which `timeouts` cannot lift. It has no policy that attaches to an HTTPRoute.
    Provider {
        name: "Contour",
        controllers: &[Pattern::Holds("projectcontour.io/")],
        settle: Span::seconds(5),
        gap: Span::millis(600),
        bad: &[],
        clusters: Clusters::PerService,
        request_limit: Some(Span::seconds(15)),
        idle_limit: Some(Span::seconds(300)),
        policies: &[],
        metrics: "by version (<namespace>_<service>_<port>)",
    },
    // Source: `sim`. It exists in the demo only.
    Provider {
        name: "the embedded gateway",
        controllers: &[Pattern::Is("pilothouse.dev/embedded-gateway")],
        settle: Span::seconds(5),
        gap: Span::millis(600),
        bad: &[(NO_ENDPOINTS, "False")],
        clusters: Clusters::PerService,
        request_limit: None,
        idle_limit: None,
        policies: &[],
        metrics: "none",
    },
];

/// What is assumed of a controller without a line.
///
/// Settle is the bound of the Gateway API's conformance tests (30 s to consistency); the gap is the largest hold-off that was
/// measured anywhere. Conditions that are bad for one controller are held against any.
pub static UNKNOWN: Provider = Provider {
    name: "unknown",
    controllers: &[],
    settle: Span::seconds(30),
    gap: Span::millis(600),
    bad: &[("RouteRulesOverlap", "True"), (NO_ENDPOINTS, "False"), ("Programmed", "False")],
    clusters: Clusters::Unknown,
    request_limit: None,
    idle_limit: None,
    policies: &[],
    metrics: "not known",
};

/// Returns the line of a controller by its `controllerName`; [`UNKNOWN`] when there is none.
pub fn provider(controller: &str) -> &'static Provider {
    PROVIDERS.iter().find(|line| line.controllers.iter().any(|p| p.fits(controller))).unwrap_or(&UNKNOWN)
}

/// Returns every known kind of policy, of all controllers.
pub fn known_policies() -> impl Iterator<Item = &'static PolicyKind> {
    PROVIDERS.iter().flat_map(|line| line.policies)
}

/// Returns every kind of parameters object that some line can read.
pub fn known_parameters() -> impl Iterator<Item = KnownKind> {
    PROVIDERS.iter().filter_map(|line| match line.clusters {
        Clusters::PerRule { merged_by } => Some(merged_by.of),
        Clusters::PerService | Clusters::Unknown => None,
    })
}

impl Provider {
    /// Tells whether this stands for a controller that has no line of its own.
    pub fn is_unknown(&self) -> bool {
        self.controllers.is_empty()
    }

    /// Tells whether a condition of a route is one of its own bad signs.
    pub fn is_bad(&self, condition: &str, status: &str) -> bool {
        self.bad.contains(&(condition, status))
    }
}

impl Pattern {
    fn fits(self, controller: &str) -> bool {
        match self {
            Self::Is(name) => controller == name,
            Self::Holds(text) => controller.contains(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_is_found_by_its_name_and_a_stranger_is_unknown() {
        for (controller, name) in [
            ("gateway.envoyproxy.io/gatewayclass-controller", "Envoy Gateway"),
            ("alb.networking.azure.io/alb-controller", "Application Gateway for Containers"),
            ("istio.io/gateway-controller", "Istio"),
            ("approuting-istio.aks.example/gateway-controller", "Istio"),
            ("projectcontour.io/gateway-controller", "Contour"),
            ("example.com/gateway", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(provider(controller).name, name, "{controller}");
        }
        assert!(provider("example.com/gateway").is_unknown());
    }

    #[test]
    fn nobody_is_trusted_with_less_than_the_largest_hold_off_that_was_measured() {
        for line in PROVIDERS.iter().chain([&UNKNOWN]) {
            assert!(line.gap >= Span::millis(600) && line.settle >= line.gap, "{}", line.name);
        }
    }

    #[test]
    fn every_bad_sign_of_a_controller_is_held_against_a_stranger() {
        for (condition, status) in PROVIDERS.iter().flat_map(|line| line.bad) {
            assert!(UNKNOWN.is_bad(condition, status), "{condition}");
        }
    }

    #[test]
    fn no_kind_is_named_twice() {
        let mut names: Vec<&str> = known_policies().map(|policy| policy.of.plural).collect();
        names.extend(known_parameters().map(|kind| kind.plural));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
