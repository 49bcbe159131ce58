//! From answers to a verdict.

use super::counters::{increases, quantile};
use super::queries::step;
use crate::model::{Gate, GateKind, LabelledPoints, Reading, Timestamp};
use std::collections::BTreeMap;

/// When the containers of each pod started, by the pod's name.
pub type Starts = BTreeMap<String, Timestamp>;

/// What a gate says.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// The measured value, in the gate's unit; `None` = there is none.
    pub value: Option<f64>,
    /// Finished requests in the window; `None` = not counted or unknown.
    pub requests: Option<f64>,
}

/// A threshold gate's answer; only `Pass` lets anything go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The limit is kept.
    Pass,
    /// The limit is broken.
    Fail,
    /// No answer that could satisfy anything; why.
    Unknown(String),
    /// Unknown, and only because there was no traffic or too little of it; how much.
    NoTraffic(String),
}

/// Judges the answers to [`super::queries`], asked a moment before `now` over the last window.
///
/// The window is that of the question: it does not move on until there is a new answer, so the verdict is the same at
/// every moment between two answers. Nothing before `not_before` counts. All times are the servers'.
///
/// * Finished requests below the gate's minimum are [`Verdict::NoTraffic`], unless the few there were already break
///   the limit: that is not for lack of traffic only, so it is [`Verdict::Unknown`].
/// * A young window (not yet `for` long) is judged as it is: the window is a range, not a delay.
/// * An own expression passes when no value in the window is above the limit; one series, newest value included.
/// * Restarts are judged by [`judge_restarts`].
/// * `starts` says when the pods' containers started: one that started within the window has counted from zero, so what
///   it counted before its first scrape is part of the window, too. An own expression sees only what its query sees: the
///   first increment of a new counter is invisible to `rate` and `increase`.
pub fn judge(
    gate: &Gate,
    answers: &[Reading<Vec<LabelledPoints>>],
    starts: &Starts,
    not_before: Timestamp,
    now: Timestamp,
) -> Judged {
    let window = i64::try_from(gate.window.0.as_millis()).unwrap_or(i64::MAX);
    let asked_before = now.as_millisecond().saturating_sub(LATER_MS);
    let range = Range { begin: asked_before.saturating_sub(window).max(not_before.as_millisecond()), asked_before };
    let is_young = |pod: &str| starts.get(pod).is_some_and(|at| at.as_millisecond() >= range.begin);
    match (&gate.kind, answers) {
        (GateKind::Restarts, _) => unknown("restarts are counted from the pods"),
        (GateKind::Promql { .. }, [answer]) => own(gate, answer, &range),
        (GateKind::ErrorRatio, [finished, seen]) => match counted(finished, seen, &range) {
            Ok((finished, seen)) => errors(gate, &increases(&finished, &seen, &is_young)),
            Err(judged) => judged,
        },
        (GateKind::Latency { quantile }, [buckets, seen]) => match counted(buckets, seen, &range) {
            Ok((buckets, seen)) => latency(gate, *quantile, &increases(&buckets, &seen, &is_young)),
            Err(judged) => judged,
        },
        _ => unknown("the metrics source has not answered every question"),
    }
}

/// Judges the restarts of the new slot's containers since the wave was verified; `None` = unknown.
pub fn judge_restarts(gate: &Gate, restarts: Option<u64>) -> Judged {
    let Some(restarts) = restarts else { return unknown("the pods' restarts are not known") };
    // Far below 2^53.
    let value = restarts as f64;
    Judged { verdict: compare(value, gate.max), value: Some(value), requests: None }
}

/// `now` may be later than the question by this much: the longest poll period, a slow answer, and the second to which
/// the server's time is known.
const LATER_MS: i64 = 10_000;

/// The times that count, in milliseconds since the epoch.
struct Range {
    /// What was before does not count.
    begin: i64,
    /// The earliest time at which the question may have been asked.
    asked_before: i64,
}

/// Takes the counters and the proof that their pods are seen; a source that holds no counter of a pod that it sees
/// says that nothing has finished there.
fn counted(
    counters: &Reading<Vec<LabelledPoints>>,
    seen: &Reading<Vec<LabelledPoints>>,
    range: &Range,
) -> Result<(Vec<LabelledPoints>, Vec<LabelledPoints>), Judged> {
    let seen = match seen {
        Reading::Value(series) => within(series, range),
        other => return Err(unknown(&missing(other))),
    };
    if seen.is_empty() {
        return Err(unknown("no pod of the slot has been seen in the window"));
    }
    match counters {
        Reading::Value(series) => Ok((within(series, range), seen)),
        Reading::NoData => Ok((Vec::new(), seen)),
        other => Err(unknown(&missing(other))),
    }
}

fn errors(gate: &Gate, by_code: &BTreeMap<&str, f64>) -> Judged {
    if by_code.contains_key("") {
        return unknown("finished requests carry no code: name the label in spec.metrics.labels.code");
    }
    // The sum of nothing is -0.0, which a person would read as "-0 requests".
    let total = by_code.values().sum::<f64>() + 0.0;
    let failed = by_code.iter().filter(|(code, _)| is_failure(code)).map(|(_, count)| count).sum::<f64>() + 0.0;
    let value = (total > 0.0).then(|| failed / total);
    with_traffic(gate, value, total, &format!("{failed:.0} of them failed"))
}

fn latency(gate: &Gate, wanted: f64, by_bound: &BTreeMap<&str, f64>) -> Judged {
    let total = by_bound.get("+Inf").copied().unwrap_or(0.0);
    match quantile(wanted, by_bound) {
        Some(Err(last)) if gate.max >= last => Judged {
            verdict: Verdict::Unknown(format!("slower than the last bucket of {last} s, which is below the limit")),
            value: Some(last),
            requests: Some(total),
        },
        // Above the last bound, so above the limit whatever it is exactly.
        Some(Err(last)) => with_traffic(gate, Some(last), total, &format!("above {}", gate.amount(last))),
        Some(Ok(value)) => with_traffic(gate, Some(value), total, &format!("at {}", gate.amount(value))),
        None => with_traffic(gate, None, total, ""),
    }
}

fn with_traffic(gate: &Gate, value: Option<f64>, total: f64, found: &str) -> Judged {
    let requests = Some(total);
    // Far below 2^53.
    let minimum = gate.min_requests.max(1) as f64;
    let verdict = match value {
        Some(value) if total >= minimum => compare(value, gate.max),
        Some(value) if value > gate.max => {
            Verdict::Unknown(format!("only {total:.0} of {minimum:.0} requests in the last {}, {found}", gate.window))
        }
        Some(_) | None => {
            Verdict::NoTraffic(format!("{total:.0} of {minimum:.0} requests in the last {}", gate.window))
        }
    };
    Judged { verdict, value, requests }
}

fn own(gate: &Gate, answer: &Reading<Vec<LabelledPoints>>, range: &Range) -> Judged {
    let series = match answer {
        Reading::Value(series) => within(series, range),
        Reading::NoTraffic => {
            let verdict = Verdict::NoTraffic(format!("the query divides by no requests in the last {}", gate.window));
            return Judged { verdict, value: None, requests: None };
        }
        other => return unknown(&missing(other)),
    };
    let points = match series.as_slice() {
        [] => return unknown("no data in the window"),
        [(_, points)] => points,
        many => return unknown(&format!("the query gives {} series: it must give one, aggregate it", many.len())),
    };
    if points.iter().any(|(_, value)| !value.is_finite()) {
        return unknown("the query gives a value that is no number, such as a division by zero");
    }
    let worst = points.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
    let judged = |verdict| Judged { verdict, value: Some(worst), requests: None };
    if worst > gate.max {
        return judged(Verdict::Fail);
    }
    let newest = points.last().map_or(i64::MIN, |(at, _)| *at);
    let step = i64::try_from(step(gate.window).0.as_millis()).unwrap_or(i64::MAX);
    if newest < range.asked_before.saturating_sub(step.saturating_mul(2)) {
        let age = (range.asked_before.saturating_add(LATER_MS) - newest) / 1000;
        return judged(Verdict::Unknown(format!("the last value is {age} s old")));
    }
    judged(Verdict::Pass)
}

/// A failed request: answered with 5xx, or cut.
fn is_failure(code: &str) -> bool {
    code == "cut" || (code.len() == 3 && code.starts_with('5'))
}

fn within(series: &[LabelledPoints], range: &Range) -> Vec<LabelledPoints> {
    series
        .iter()
        .map(|(labels, points)| (labels.clone(), points.iter().filter(|(at, _)| *at >= range.begin).copied().collect()))
        .filter(|(_, points): &LabelledPoints| !points.is_empty())
        .collect()
}

fn compare(value: f64, max: f64) -> Verdict {
    if value <= max { Verdict::Pass } else { Verdict::Fail }
}

fn missing<T>(reading: &Reading<T>) -> String {
    reading.missing().unwrap_or_default()
}

fn unknown(why: &str) -> Judged {
    Judged { verdict: Verdict::Unknown(why.to_owned()), value: None, requests: None }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::{Authentication, MetricNames, MetricsEndpoint, MetricsSource, Span};

    pub fn source() -> MetricsSource {
        MetricsSource {
            endpoint: MetricsEndpoint::None,
            auth: Authentication::None,
            names: MetricNames {
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
            },
            slot_values: ["blue".into(), "green".into()],
            interval: None,
        }
    }

    /// A gate of 1 % or 0.01 over a minute, with at least 100 requests.
    pub fn gate(kind: GateKind) -> Gate {
        Gate { name: "g".into(), kind, max: 0.01, window: Span::seconds(60), min_requests: 100 }
    }

    type Answer = Reading<Vec<LabelledPoints>>;

    const NOW: i64 = 1_800_000_060_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    /// A series of pod `p`; times are seconds before now.
    fn one(label: &str, value: &str, points: &[(i64, f64)]) -> LabelledPoints {
        let mut labels = vec![("pod".to_owned(), "p".to_owned())];
        if !label.is_empty() {
            labels.push((label.to_owned(), value.to_owned()));
        }
        (labels, points.iter().map(|(ago, v)| (NOW - ago * 1000, *v)).collect())
    }

    fn codes(codes: &[(&str, &[(i64, f64)])]) -> Answer {
        Reading::Value(codes.iter().map(|(code, points)| one("code", code, points)).collect())
    }

    fn seen() -> Answer {
        Reading::Value(vec![one("", "", &[(60, 4.0), (30, 4.0), (0, 4.0)])])
    }

    fn judged(kind: GateKind, answers: &[Answer]) -> Judged {
        judge(&gate(kind), answers, &Starts::new(), at(NOW - 3_600_000), at(NOW))
    }

    fn ratio(finished: Answer) -> Judged {
        judged(GateKind::ErrorRatio, &[finished, seen()])
    }

    #[test]
    fn errors_up_to_the_limit_pass_and_above_it_fail() {
        let with = |failed: f64| {
            ratio(codes(&[("200", &[(60, 1000.0), (0, 1990.0)]), ("503", &[(60, 5.0), (0, 5.0 + failed)])]))
        };
        assert_eq!(with(10.0), Judged { verdict: Verdict::Pass, value: Some(0.01), requests: Some(1000.0) });
        assert_eq!(with(11.0).verdict, Verdict::Fail);
        assert_eq!(with(0.0).verdict, Verdict::Pass);
    }

    #[test]
    fn the_first_failed_request_ever_counts() {
        let finished = codes(&[("200", &[(60, 0.0), (0, 100.0)]), ("500", &[(3, 2.0), (0, 2.0)])]);
        let judged = ratio(finished);
        assert_eq!((judged.verdict, judged.requests), (Verdict::Fail, Some(102.0)));
    }

    #[test]
    fn cut_requests_are_failures_and_4xx_are_not() {
        assert_eq!(
            ratio(codes(&[("200", &[(60, 0.0), (0, 200.0)]), ("cut", &[(60, 0.0), (0, 9.0)])])).verdict,
            Verdict::Fail
        );
        assert_eq!(
            ratio(codes(&[("200", &[(60, 0.0), (0, 200.0)]), ("404", &[(60, 0.0), (0, 90.0)])])).verdict,
            Verdict::Pass
        );
    }

    #[test]
    fn too_few_requests_are_no_traffic_unless_they_already_break_the_limit() {
        let few = ratio(codes(&[("200", &[(60, 0.0), (0, 99.0)])]));
        assert_eq!(few.verdict, Verdict::NoTraffic("99 of 100 requests in the last 1m".into()));
        let none = ratio(Reading::NoData);
        assert_eq!(none.verdict, Verdict::NoTraffic("0 of 100 requests in the last 1m".into()));
        assert_eq!(none.value, None);
        let bad = ratio(codes(&[("200", &[(60, 0.0), (0, 40.0)]), ("500", &[(60, 0.0), (0, 10.0)])]));
        let why = "only 50 of 100 requests in the last 1m, 10 of them failed";
        assert_eq!(bad.verdict, Verdict::Unknown(why.into()));
    }

    #[test]
    fn only_complete_answers_can_pass() {
        let good = || codes(&[("200", &[(60, 0.0), (0, 500.0)])]);
        assert_eq!(ratio(good()).verdict, Verdict::Pass);
        let broken: [[Answer; 2]; 6] = [
            [Reading::Partial("one store is down".into()), seen()],
            [Reading::Error("HTTP 503".into()), seen()],
            [Reading::NoTraffic, seen()],
            [good(), Reading::NoData],
            [good(), Reading::Partial("one store is down".into())],
            [good(), Reading::Value(vec![])],
        ];
        for answers in broken {
            let verdict = judged(GateKind::ErrorRatio, &answers).verdict;
            assert!(matches!(verdict, Verdict::Unknown(_)), "{answers:?}: {verdict:?}");
        }
        assert!(matches!(judged(GateKind::ErrorRatio, &[good()]).verdict, Verdict::Unknown(_)));
    }

    #[test]
    fn requests_without_a_code_prove_nothing() {
        let answer = Reading::Value(vec![one("", "", &[(60, 0.0), (0, 500.0)])]);
        assert!(matches!(ratio(answer).verdict, Verdict::Unknown(why) if why.contains("no code")));
    }

    #[test]
    fn what_lies_before_the_window_or_before_verified_does_not_count() {
        let finished = codes(&[
            ("200", &[(90, 0.0), (60, 900.0), (20, 1000.0), (0, 1150.0)]),
            ("500", &[(90, 0.0), (60, 50.0), (20, 90.0), (0, 90.0)]),
        ]);
        assert_eq!(ratio(finished.clone()).verdict, Verdict::Fail);
        let answers = [finished, seen()];
        let young = judge(&gate(GateKind::ErrorRatio), &answers, &Starts::new(), at(NOW - 20_000), at(NOW));
        assert_eq!(young, Judged { verdict: Verdict::Pass, value: Some(0.0), requests: Some(150.0) });
    }

    fn buckets(counts: [(&str, f64); 3]) -> Answer {
        Reading::Value(counts.iter().map(|(le, count)| one("le", le, &[(60, 0.0), (0, *count)])).collect())
    }

    #[test]
    fn latency_is_a_quantile_of_the_windows_own_requests() {
        let gate = Gate { max: 0.25, ..gate(GateKind::Latency { quantile: 0.99 }) };
        let of = |counts| judge(&gate, &[buckets(counts), seen()], &Starts::new(), at(0), at(NOW));
        let fast = of([("0.25", 995.0), ("1", 1000.0), ("+Inf", 1000.0)]);
        assert_eq!((fast.verdict, fast.requests), (Verdict::Pass, Some(1000.0)));
        let slow = of([("0.25", 900.0), ("1", 1000.0), ("+Inf", 1000.0)]);
        assert_eq!((slow.verdict, slow.value), (Verdict::Fail, Some(0.925)));
        let off = of([("0.25", 900.0), ("1", 900.0), ("+Inf", 1000.0)]);
        assert_eq!((off.verdict, off.value), (Verdict::Fail, Some(1.0)));
        assert!(matches!(of([("0.25", 9.0), ("1", 9.0), ("+Inf", 9.0)]).verdict, Verdict::NoTraffic(_)));
        assert!(matches!(of([("0.25", 0.0), ("1", 9.0), ("+Inf", 9.0)]).verdict, Verdict::Unknown(_)));
        assert!(matches!(of([("0.25", 0.0), ("1", 0.0), ("+Inf", 0.0)]).verdict, Verdict::NoTraffic(_)));
    }

    #[test]
    fn a_limit_above_the_last_bucket_cannot_be_checked() {
        let gate = Gate { max: 2.0, ..gate(GateKind::Latency { quantile: 0.99 }) };
        let answers = [buckets([("0.25", 900.0), ("1", 900.0), ("+Inf", 1000.0)]), seen()];
        assert!(matches!(judge(&gate, &answers, &Starts::new(), at(0), at(NOW)).verdict, Verdict::Unknown(_)));
    }

    #[test]
    fn an_own_expression_passes_when_every_value_of_the_window_is_within_the_limit() {
        let of = |points: &[(i64, f64)]| {
            judged(GateKind::Promql { query: "q".into() }, &[Reading::Value(vec![one("", "", points)])])
        };
        assert_eq!(of(&[(60, 0.01), (30, 0.0), (3, 0.005)]).verdict, Verdict::Pass);
        assert_eq!(of(&[(90, 0.7), (3, 0.005)]).verdict, Verdict::Pass);
        assert_eq!(of(&[(60, 0.0), (15, 0.0)]).verdict, Verdict::Pass, "an answer may be some seconds old");
        let spike = of(&[(60, 0.0), (30, 0.02), (0, 0.0)]);
        assert_eq!((spike.verdict, spike.value), (Verdict::Fail, Some(0.02)));
        assert_eq!(of(&[(60, 0.0), (20, 0.0)]).verdict, Verdict::Unknown("the last value is 20 s old".into()));
        assert!(matches!(of(&[(0, f64::INFINITY)]).verdict, Verdict::Unknown(_)));
        assert!(matches!(of(&[(90, 0.0)]).verdict, Verdict::Unknown(_)));
    }

    #[test]
    fn a_verdict_does_not_change_between_two_answers() {
        let answers = [codes(&[("200", &[(60, 0.0), (59, 60.0), (0, 105.0)])]), seen()];
        for later in [0, 500, 9_000] {
            let judged = judge(&gate(GateKind::ErrorRatio), &answers, &Starts::new(), at(0), at(NOW + later));
            assert_eq!((judged.verdict, judged.requests), (Verdict::Pass, Some(105.0)));
        }
    }

    #[test]
    fn an_own_expression_that_is_not_one_number_is_unknown() {
        let of = |answer: Answer| judged(GateKind::Promql { query: "q".into() }, &[answer]).verdict;
        let two = vec![one("", "", &[(0, 0.0)]), one("a", "b", &[(0, 0.0)])];
        assert!(matches!(of(Reading::Value(two)), Verdict::Unknown(why) if why.contains("2 series")));
        assert!(matches!(of(Reading::NoTraffic), Verdict::NoTraffic(_)));
        for answer in [Reading::NoData, Reading::Partial("x".into()), Reading::Error("x".into())] {
            assert!(matches!(of(answer), Verdict::Unknown(_)));
        }
    }

    #[test]
    fn restarts_are_compared_and_unknown_ones_do_not_pass() {
        let gate = Gate { max: 0.0, ..gate(GateKind::Restarts) };
        assert_eq!(judge_restarts(&gate, Some(0)).verdict, Verdict::Pass);
        assert_eq!(judge_restarts(&gate, Some(1)).verdict, Verdict::Fail);
        assert!(matches!(judge_restarts(&gate, None).verdict, Verdict::Unknown(_)));
        assert!(matches!(judge(&gate, &[], &Starts::new(), at(0), at(NOW)).verdict, Verdict::Unknown(_)));
    }
}
