//! The questions of a gate.

use crate::model::{Component, Gate, GateKind, MetricsSource, Slot, Span};
use std::time::Duration;

/// How many points a window is cut into.
const POINTS: u32 = 20;
/// How many Deployments a question names at most: a URL has an end.
const EXCLUDED: usize = 40;

/// Returns the PromQL expressions of a gate for the slot that carries the new version, to be asked as range queries.
///
/// * error ratio: finished requests by pod and code; open work by pod, as the proof that the pods are seen at all
/// * latency: the duration histogram by pod and bucket; open work by pod
/// * promql: the expression with `$new` and `$old` replaced by the slots' label values, and `$newPods` and `$oldPods` by
///   expressions that the names of their pods match
/// * restarts: none; they are counted from the pods
///
/// `strangers` are the Deployments of other plans in the namespace, whose pods have the same slots: they are not asked for.
pub fn queries(
    gate: &Gate,
    source: &MetricsSource,
    namespace: &str,
    component: &Component,
    strangers: &[String],
    new: Slot,
) -> Vec<String> {
    let names = &source.names;
    let (pod, code) = (&names.label_pod, &names.label_code);
    let of_slot = |metric: &str| {
        format!(
            "{metric}{{{}={},{}={}{}}}",
            names.label_namespace,
            quoted(namespace),
            names.label_slot,
            quoted(value(source, new)),
            without_pods_of(strangers, pod)
        )
    };
    // A pod exports every kind of open work with an explicit 0, so this series exists while the pod is scraped, also
    // when no request has ever finished on it.
    let seen = || format!("count by ({pod}) ({})", of_slot(&names.inflight));
    match &gate.kind {
        GateKind::ErrorRatio => vec![format!("sum by ({pod},{code}) ({})", of_slot(&names.finished)), seen()],
        GateKind::Latency { .. } => {
            vec![format!("sum by ({pod},le) ({})", of_slot(&format!("{}_bucket", names.duration))), seen()]
        }
        GateKind::Restarts => Vec::new(),
        GateKind::Promql { query } => {
            let pods = |slot| escaped(&pods_of(&component.pair(slot).deployment));
            // The longer names first: each begins with a shorter one.
            let filled = query
                .replace("$newPods", &pods(new))
                .replace("$oldPods", &pods(new.other()))
                .replace("$new", &escaped(value(source, new)))
                .replace("$old", &escaped(value(source, new.other())));
            vec![filled]
        }
    }
}

/// Returns a matcher, with a comma before it, that leaves out the pods of these Deployments; empty without any.
///
/// It saves the source work and keeps strangers out of what is computed there. It need not be complete: whose a series
/// is, is decided by its pod.
pub fn without_pods_of(deployments: &[String], label: &str) -> String {
    if deployments.is_empty() {
        return String::new();
    }
    let names: Vec<String> = deployments.iter().take(EXCLUDED).map(|name| pods_of(name)).collect();
    format!(",{label}!~{}", quoted(&names.join("|")))
}

/// Writes an expression that the names of a Deployment's pods match, and no other Deployment's: a hash has no dash.
fn pods_of(deployment: &str) -> String {
    format!("{}-[a-z0-9]+-[a-z0-9]{{5}}", deployment.replace('.', "[.]"))
}

/// Returns the step of the range queries over a window: a twentieth of it, at least a second, in whole seconds.
pub fn step(window: Span) -> Span {
    let step = (window.0 / POINTS).max(Duration::from_secs(1));
    Span(Duration::from_secs(step.as_secs()))
}

fn value(source: &MetricsSource, slot: Slot) -> &str {
    let [a, b] = &source.slot_values;
    match slot {
        Slot::A => a,
        Slot::B => b,
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::judge::tests::{gate, source};
    use crate::model::SlotPair;

    fn component() -> Component {
        let pair = |name: &str| SlotPair { deployment: name.into(), service: name.into() };
        Component { name: "web".into(), route: "shop".into(), a: pair("shop"), b: pair("shop.b") }
    }

    #[test]
    fn every_kind_asks_for_the_new_slot_only() {
        let ask = |kind| queries(&gate(kind), &source(), "shop", &component(), &[], Slot::B);
        assert_eq!(
            ask(GateKind::ErrorRatio),
            [
                r#"sum by (pod,code) (app_requests_total{namespace="shop",slot="green"})"#,
                r#"count by (pod) (app_inflight{namespace="shop",slot="green"})"#,
            ]
        );
        assert_eq!(
            ask(GateKind::Latency { quantile: 0.99 })[0],
            r#"sum by (pod,le) (app_request_duration_seconds_bucket{namespace="shop",slot="green"})"#
        );
        let query = r#"sum(x{slot="$new"}) / sum(x{slot="$old"})"#.to_owned();
        assert_eq!(ask(GateKind::Promql { query }), [r#"sum(x{slot="green"}) / sum(x{slot="blue"})"#]);
        let query = r#"sum(x{pod=~"$newPods"}) / sum(x{pod=~"$oldPods"})"#.to_owned();
        let expected = r#"sum(x{pod=~"shop[.]b-[a-z0-9]+-[a-z0-9]{5}"}) / sum(x{pod=~"shop-[a-z0-9]+-[a-z0-9]{5}"})"#;
        assert_eq!(ask(GateKind::Promql { query }), [expected]);
        assert!(ask(GateKind::Restarts).is_empty());
    }

    #[test]
    fn the_pods_of_other_plans_with_the_same_slots_are_not_asked_for() {
        let strangers = ["bill".to_owned(), "bill-b".to_owned()];
        let asked = queries(&gate(GateKind::ErrorRatio), &source(), "shop", &component(), &strangers, Slot::B);
        let matcher = r#"pod!~"bill-[a-z0-9]+-[a-z0-9]{5}|bill-b-[a-z0-9]+-[a-z0-9]{5}""#;
        assert!(asked.iter().all(|query| query.contains(matcher)), "{asked:?}");
        let many: Vec<String> = (0..100).map(|n| format!("d{n}")).collect();
        assert_eq!(without_pods_of(&many, "pod").matches('|').count(), EXCLUDED - 1);
    }

    #[test]
    fn a_label_value_cannot_leave_its_quotes() {
        let source = MetricsSource { slot_values: ["a".into(), r#"b"} or vector(0) #\"#.into()], ..source() };
        let asked = queries(&gate(GateKind::ErrorRatio), &source, "shop", &component(), &[], Slot::B);
        assert!(asked[0].contains(r#"slot="b\"} or vector(0) #\\""#), "{asked:?}");
    }

    #[test]
    fn a_window_is_cut_into_whole_seconds() {
        let steps = [1, 10, 60, 90, 300].map(|s| step(Span::seconds(s)).0.as_secs());
        assert_eq!(steps, [1, 1, 3, 4, 15]);
    }
}
