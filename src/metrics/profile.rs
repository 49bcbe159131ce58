//! The queries of the metric families and what their series mean.

use crate::gate::without_pods_of;
use crate::model::{CustomerId, Family, LabelledPoints, MetricsSource, RawSeries, Slot, StreamKind};
use std::time::Duration;

/// The pods that are asked for.
#[derive(Clone, Copy)]
pub(super) struct Whose<'a> {
    /// Their namespace.
    pub namespace: &'a str,
    /// Deployments in it whose pods are not meant.
    pub strangers: &'a [String],
}

/// Returns the query of a family.
///
/// A range selector in an instant query returns the samples as they were scraped, with the times of the scrapes;
/// evaluated values would carry the time of the evaluation, and a dead target would look alive for five minutes.
pub(super) fn query(family: Family, source: &MetricsSource, whose: Whose<'_>, window: Duration) -> String {
    let names = &source.names;
    let namespace = whose.namespace.replace('\\', "\\\\").replace('"', "\\\"");
    let strangers = without_pods_of(whose.strangers, &names.label_pod);
    let selected = |metric: &str| {
        format!("{metric}{{{}=\"{namespace}\"{strangers}}}[{}s]", names.label_namespace, window.as_secs())
    };
    match family {
        Family::Started => selected(&names.started),
        Family::Finished => selected(&names.finished),
        Family::InFlight => selected(&names.inflight),
        Family::InFlightByCustomer => selected(&names.inflight_by_customer),
        Family::OldestAge => selected(&names.oldest),
        Family::Up => selected("up"),
        Family::LatencyP99 => format!(
            "histogram_quantile(0.99, sum by ({},le) (rate({})))",
            names.label_slot,
            selected(&format!("{}_bucket", names.duration))
        ),
    }
}

/// Reads a family's series by the profile's labels; `None` = the series are of no family.
///
/// A label value that is no slot, no kind or an empty customer is not guessed at. Series of `up` without a pod belong
/// to other targets of the namespace.
pub(super) fn read(family: Option<Family>, source: &MetricsSource, series: Vec<LabelledPoints>) -> Vec<RawSeries> {
    let names = &source.names;
    let read = series.into_iter().map(|(labels, points)| {
        let label = |name: &str| labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        RawSeries {
            slot: label(&names.label_slot).and_then(|value| slot(source, value)),
            pod: label(&names.label_pod).unwrap_or_default().to_owned(),
            customer: label(&names.label_customer).filter(|id| !id.is_empty()).map(CustomerId::from),
            code: label(&names.label_code).filter(|_| family == Some(Family::Finished)).map(str::to_owned),
            kind: label(&names.label_kind).and_then(StreamKind::parse),
            points,
        }
    });
    read.filter(|series| family != Some(Family::Up) || !series.pod.is_empty()).collect()
}

fn slot(source: &MetricsSource, value: &str) -> Option<Slot> {
    let [a, b] = &source.slot_values;
    match value {
        _ if value == a => Some(Slot::A),
        _ if value == b => Some(Slot::B),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::source;
    use crate::model::MetricsEndpoint;

    #[test]
    fn each_family_asks_for_raw_samples_of_the_namespace() {
        let source = source(MetricsEndpoint::None);
        let ask = |family| query(family, &source, Whose { namespace: "shop", strangers: &[] }, Duration::from_secs(15));
        assert_eq!(ask(Family::Started), r#"app_requests_started_total{namespace="shop"}[15s]"#);
        assert_eq!(ask(Family::Up), r#"up{namespace="shop"}[15s]"#);
        let p99 = r#"histogram_quantile(0.99, sum by (slot,le) (rate(app_request_duration_seconds_bucket{namespace="shop"}[15s])))"#;
        assert_eq!(ask(Family::LatencyP99), p99);
        let whose = Whose { namespace: "shop", strangers: &["bill".to_owned()] };
        let without = r#"up{namespace="shop",pod!~"bill-[a-z0-9]+-[a-z0-9]{5}"}[15s]"#;
        assert_eq!(query(Family::Up, &source, whose, Duration::from_secs(15)), without);
    }

    #[test]
    fn labels_become_evidence_and_what_is_not_known_stays_unknown() {
        let mut source = source(MetricsEndpoint::None);
        source.slot_values = ["blue".into(), "green".into()];
        let labels = |pairs: &[(&str, &str)]| -> LabelledPoints {
            (pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), vec![(1, 2.0)])
        };
        let all = [("slot", "green"), ("pod", "p"), ("customer", "acme"), ("code", "500"), ("kind", "ws")];
        let full = &read(Some(Family::Finished), &source, vec![labels(&all)])[0];
        let expected = RawSeries {
            slot: Some(Slot::B),
            pod: "p".into(),
            customer: Some("acme".into()),
            code: Some("500".into()),
            kind: Some(StreamKind::Ws),
            points: vec![(1, 2.0)],
        };
        assert_eq!(full, &expected);
        let odd =
            &read(Some(Family::Started), &source, vec![labels(&[("slot", "b"), ("customer", ""), ("kind", "x")])])[0];
        assert_eq!((odd.slot, &odd.customer, odd.kind), (None, &None, None));
        let up = read(Some(Family::Up), &source, vec![labels(&[("instance", "x")]), labels(&[("pod", "p")])]);
        assert_eq!(up.len(), 1);
    }
}
