//! What a plan is refused for.

use super::*;

const GOOD: &str = "
components: [{name: web, route: trackx, a: {deployment: trackx, service: trackx}, b: {deployment: trackx-b, service: trackx-b}}]
deploy: {by: pilothouse, container: app}
customers: {identifiedBy: {header: x-customer-id}, from: {configMap: trackx-customers}}
rings:
  - {name: internal, select: {tier: internal}}
  - {name: early, share: 10%, waves: [25%, 50%, 100%], bake: 15m}
  - {name: main, rest: true, approval: required}
gates:
  - {name: errors, kind: errorRatio, max: 1%, for: 1m, minRequests: 100}
  - {name: p99, kind: latency, quantile: 0.99, max: 250ms, for: 1m}
  - {name: restarts, kind: restarts, max: 0}
  - {name: own, kind: promql, query: 'sum(rate(x{slot=\"$new\"}[1m]))', max: 0.2, for: 1m}
drain: {quiet: 30s, patience: 10m, kinds: {ws: reconnect}}
metrics: {source: {service: 'prometheus:9090', namespace: monitoring}, labels: {slot: version}}
";

const BAD: &str = "
components: [{name: web, route: '', a: {deployment: x, service: x}, b: {deployment: x, service: ''}}]
deploy: {by: magic}
customers: {identifiedBy: {hostname: {}}, from: {}}
rings:
  - {name: Internal, select: {tier: internal}, rest: true}
  - {name: early, share: 110%, waves: [50%, 25%], bake: soon}
  - {name: early, rest: true}
gates:
  - {name: errors, kind: errorRatio, max: 250ms}
  - {name: own, kind: promql, query: 'sum(', max: 1}
metrics: {source: {url: 'ftp://x'}, names: {foo: bar}, profile: istio}
";

#[test]
fn a_good_plan_is_read_in_full() {
    let spec: RolloutPlanSpec = serde_saphyr::from_str(GOOD).unwrap();
    let plan = check_plan("trackx", "trackx", &spec).unwrap();
    assert_eq!(plan.gates.iter().map(Gate::limit).collect::<Vec<_>>(), ["1.00%", "250ms", "0", "0.200"]);
    assert_eq!(plan.metrics.names.label_slot, "version");
    assert_eq!(plan.rings.len(), 3);
    assert_eq!(plan.rings[0].bake, Span::seconds(900));
}

#[test]
fn a_bad_plan_gets_all_its_findings_at_once() {
    let spec: RolloutPlanSpec = serde_saphyr::from_str(BAD).unwrap();
    let findings = check_plan("trackx", "trackx", &spec).unwrap_err();
    let checks: BTreeSet<&str> = findings.iter().map(|f| f.check.as_str()).collect();
    for check in [
        "plan.missing-slot",
        "plan.missing-route",
        "plan.same-slot",
        "plan.deploy",
        "plan.unbuilt-strategy",
        "plan.customers",
        "ring.name",
        "ring.who",
        "ring.share",
        "ring.waves",
        "ring.twice",
        "plan.duration",
        "gate.max",
        "gate.query",
        "metrics.source",
        "metrics.names",
        "metrics.profile",
    ] {
        assert!(checks.contains(check), "{check} is missing in {findings:#?}");
    }
}
