//! Whose pods a verdict is about: a source is asked by namespace and slot, and several plans may share both.

use super::{Judged, Verdict};
use crate::model::{LabelledPoints, Reading};

/// Keeps the series of an answer whose pod is meant; a series without the label names the pod `""`.
pub fn of_pods(
    answer: &Reading<Vec<LabelledPoints>>,
    label: &str,
    is_meant: &dyn Fn(&str) -> bool,
) -> Reading<Vec<LabelledPoints>> {
    let Reading::Value(series) = answer else { return answer.clone() };
    let pod = |labels: &[(String, String)]| {
        let found = labels.iter().find(|(name, _)| name == label);
        found.map_or(String::new(), |(_, pod)| pod.clone())
    };
    let kept: Vec<LabelledPoints> = series.iter().filter(|(labels, _)| is_meant(&pod(labels))).cloned().collect();
    if kept.is_empty() { Reading::NoData } else { Reading::Value(kept) }
}

/// Decides between what our own pods say and what they say together with pods of which nobody knows whose they are.
///
/// Good requests of a stranger must not make a bad version pass, nor his errors stop a good one: a pass needs both, a
/// failure our own pods. What only the two together break is not known.
pub fn doubted(ours: Judged, with_unknown: Judged) -> Judged {
    match (&ours.verdict, &with_unknown.verdict) {
        (Verdict::Pass | Verdict::NoTraffic(_), Verdict::Fail) => Judged {
            verdict: Verdict::Unknown(
                "only pods that the API server does not list break the limit: whose they are is not known".to_owned(),
            ),
            ..with_unknown
        },
        (Verdict::Pass, _) | (Verdict::NoTraffic(_), Verdict::Unknown(_)) => with_unknown,
        _ => ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(verdict: Verdict) -> Judged {
        Judged { verdict, value: None, requests: None }
    }

    #[test]
    fn a_pass_needs_both_and_a_failure_our_own_pods() {
        let unknown = || Verdict::Unknown("x".into());
        let none = || Verdict::NoTraffic("x".into());
        for (ours, wide, word) in [
            (Verdict::Pass, Verdict::Pass, "pass"),
            (Verdict::Fail, Verdict::Pass, "fail"),
            (Verdict::Fail, Verdict::Fail, "fail"),
            (Verdict::Pass, Verdict::Fail, "unknown"),
            (Verdict::Pass, unknown(), "unknown"),
            (unknown(), Verdict::Pass, "unknown"),
            (unknown(), Verdict::Fail, "unknown"),
            (none(), Verdict::Pass, "no traffic"),
            (none(), Verdict::Fail, "unknown"),
            (none(), unknown(), "unknown"),
            (none(), none(), "no traffic"),
            (Verdict::Pass, none(), "no traffic"),
        ] {
            let said = match doubted(judged(ours.clone()), judged(wide.clone())).verdict {
                Verdict::Pass => "pass",
                Verdict::Fail => "fail",
                Verdict::Unknown(_) => "unknown",
                Verdict::NoTraffic(_) => "no traffic",
            };
            assert_eq!(said, word, "{ours:?} {wide:?}");
        }
    }

    #[test]
    fn an_answer_without_a_series_that_is_meant_is_no_data() {
        let one = |pod: &str| -> LabelledPoints { (vec![("pod".into(), pod.into())], vec![(1, 1.0)]) };
        let answer = Reading::Value(vec![one("ours"), one("theirs")]);
        let kept = |name: &'static str| of_pods(&answer, "pod", &move |pod: &str| pod == name);
        assert_eq!(kept("ours"), Reading::Value(vec![one("ours")]));
        assert_eq!(kept("nobody's"), Reading::NoData);
        assert_eq!(of_pods(&Reading::NoTraffic, "pod", &|_| true), Reading::NoTraffic);
    }
}
