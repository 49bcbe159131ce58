//! `status`: the screen's facts as lines.

use crate::core::{NoticeRow, RingRow, Tone, View};
use crate::model::{Finding, Level, counted};
use crate::ui::Safe;

/// How many of the reasons why a drain is not proven are written: they must not hide what comes after them.
const MISSING: usize = 5;

/// Writes where the release stands, for people; no line can do anything to a terminal.
pub fn text(view: &View) -> String {
    let lines = head(view).into_iter().chain(rings(view)).chain(tail(view));
    lines.map(|line| format!("{}\n", Safe::new(&line))).collect()
}

fn head(view: &View) -> Vec<String> {
    let header = &view.header;
    let mut lines = vec![join(&[
        &header.environment,
        &format!("{}/{}", or_unknown(&header.cluster), or_unknown(&header.namespace)),
        &labelled("plan", &header.plan),
        &labelled("release", &header.release),
    ])];
    let versions = match (header.old_version.as_str(), header.new_version.as_str()) {
        ("", _) => String::new(),
        (old, "") => format!("serving {old}"),
        (old, new) => format!("{old} -> {new}"),
    };
    let (wave, waves) = header.wave;
    let step = if waves > 0 { format!("wave {wave}/{waves} {}", header.ring) } else { String::new() };
    let since = header.in_phase.map(|seconds| format!("for {}", duration(seconds))).unwrap_or_default();
    lines.push(join(&[&labelled("state", &header.state), &header.why, &step, &since, &versions]));
    let driver = match &header.driver {
        Some((name, age)) => format!("driven by {name}, {age}s ago"),
        None if !header.is_read() => "who drives is not known".to_owned(),
        None => "nobody drives".to_owned(),
    };
    let ages: Vec<String> = header
        .fresh
        .iter()
        .map(|row| format!("{} {}", row.source, row.age.map_or("?".into(), |s| format!("{s}s"))))
        .collect();
    lines.push(join(&[&driver, &labelled("data", &ages.join(" "))]));
    lines.extend(header.stale.iter().map(|why| format!("OLD: {why}")));
    let exposed = &view.exposed;
    if let Some(of) = exposed.of.filter(|of| *of > 0) {
        let rate = exposed.rps.map_or("? req/s".to_owned(), |rps| format!("{rps:.0} req/s"));
        let who = counted(of, "customer");
        lines.push(format!("on the new version: {} of {who}, {rate}", or_mark(exposed.customers)));
    }
    lines
}

fn rings(view: &View) -> Vec<String> {
    if view.rings.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("{:<16}{:>6}{:>6}{:>6}  {:<8}{}", "ring", "want", "now", "of", "state", "gates")];
    lines.extend(view.rings.iter().map(ring));
    lines
}

fn ring(row: &RingRow) -> String {
    let now = or_mark(row.now);
    let (want, of) =
        if row.unlisted { (String::new(), String::new()) } else { (row.want.to_string(), row.of.to_string()) };
    format!("{:<16}{want:>6}{now:>6}{of:>6}  {:<8}{}", row.name, row.state, row.verdict.word())
}

fn tail(view: &View) -> Vec<String> {
    let mut lines = Vec::new();
    for gate in &view.gates {
        let value = if gate.value.is_empty() { "?" } else { &gate.value };
        lines.push(format!(
            "gate {}: {} ({value}, limit {} over {})",
            gate.name,
            gate.verdict.word(),
            gate.limit,
            gate.window
        ));
    }
    if view.drain.side.is_some() {
        lines.push(format!("drain of {}: {}", view.drain.version, view.drain.headline));
        lines.extend(view.drain.missing.iter().take(MISSING).map(|what| format!("  missing: {what}")));
        let more = view.drain.missing.len().saturating_sub(MISSING);
        lines.extend((more > 0).then(|| format!("  missing: and {more} more (-o json has them all)")));
    }
    lines.extend(view.findings.iter().flatten().map(ToString::to_string));
    lines.extend(against_a_start(view).map(ToString::to_string));
    let is_grave = |notice: &&NoticeRow| matches!(notice.tone, Some(Tone::Warn | Tone::Bad));
    lines.extend(view.notices.iter().filter(is_grave).map(|notice| format!("notice: {}", notice.text)));
    if !view.way_out.is_empty() {
        lines.push(format!("way out: {}", view.way_out));
    }
    if !view.advice.text.is_empty() {
        lines.push(match view.advice.action.and_then(|action| action.spec().verb) {
            Some(verb) => format!("next: `pilothouse {verb}`: {}", view.advice.text),
            None => format!("now: {}", view.advice.text),
        });
    }
    lines
}

/// Returns what would refuse a start, while no release is under way; Gateways and policies are not looked at for a status.
fn against_a_start(view: &View) -> impl Iterator<Item = &Finding> {
    let is_asked = view.header.release.is_empty() || view.header.state == "NO PLAN";
    let findings = view.preflight.findings.iter().filter(move |_| is_asked);
    findings.filter(|finding| finding.level == Level::Refuse && !finding.check.starts_with("survey."))
}

fn labelled(label: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{label} {text}") }
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "?" } else { text }
}

fn or_mark(number: Option<usize>) -> String {
    number.map_or("?".to_owned(), |n| n.to_string())
}

fn join(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("   ")
}

fn duration(seconds: u64) -> String {
    match seconds {
        0 => "0s".to_owned(),
        seconds => crate::model::Span::seconds(seconds).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Advice, Exposure, Header};
    use crate::ui::json;

    fn hostile() -> View {
        View {
            header: Header {
                environment: "PROD".into(),
                cluster: "weu\x1b]0;owned\x07".into(),
                namespace: "trackx".into(),
                state: "BAKING".into(),
                old_version: "4.11.8".into(),
                new_version: "4.12.0\u{202e}".into(),
                wave: (2, 7),
                ring: "early".into(),
                in_phase: Some(72),
                ..Header::default()
            },
            exposed: Exposure { customers: Some(9), of: Some(60), ..Exposure::default() },
            rings: vec![RingRow { name: "early".into(), want: 6, of: 12, ..RingRow::default() }],
            advice: Advice { text: "move wave 3".into(), action: Some(crate::core::Action::Next), tone: None },
            ..View::default()
        }
    }

    #[test]
    fn unknown_is_a_question_mark_and_the_next_verb_is_named() {
        let text = text(&hostile());
        assert!(text.contains("state BAKING   wave 2/7 early   for 1m12s"), "{text}");
        assert!(text.contains("on the new version: 9 of 60 customers, ? req/s"), "{text}");
        assert!(text.contains("early                6     ?    12"), "{text}");
        assert!(text.contains("next: `pilothouse next`: move wave 3"), "{text}");
        assert!(text.contains("nobody drives"), "{text}");
    }

    #[test]
    fn what_refuses_a_start_and_what_is_grave_is_said_and_nothing_floods() {
        let mut view = View::default();
        view.preflight.findings = vec![
            Finding::refuse("plan.rings", "ring early takes nobody"),
            Finding::refuse("customers.missing", "there is no list"),
            Finding::refuse("survey.none", "not looked at"),
        ];
        let notice = |tone, text: &str| NoticeRow { at: None, tone: Some(tone), text: text.into() };
        view.notices = vec![notice(Tone::Warn, "newone is unlisted"), notice(Tone::Good, "all is well")];
        view.drain.side = Some(crate::model::Side::Old);
        view.drain.missing = (0..40).map(|n| format!("pod {n} is not scraped")).collect();
        let idle = text(&view);
        assert!(idle.contains("takes nobody") && idle.contains("there is no list") && !idle.contains("not looked at"));
        assert!(idle.contains("notice: newone is unlisted") && !idle.contains("all is well"), "{idle}");
        assert!(
            idle.contains("pod 4 is not") && !idle.contains("pod 5 is not") && idle.contains("and 35 more"),
            "{idle}"
        );
        view.header.release = "trackx-4-12-0".into();
        assert!(!text(&view).contains("there is no list"), "a release has its own list");
    }

    #[test]
    fn foreign_text_cannot_act_on_a_terminal() {
        let view = hostile();
        for output in [text(&view), json(&view).unwrap()] {
            let bad: Vec<char> =
                output.chars().filter(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}').collect();
            assert!(bad.is_empty(), "{bad:?} in {output}");
        }
    }

    #[test]
    fn json_reads_back_as_it_was() {
        let view = hostile();
        let value: serde_json::Value = serde_json::from_str(&json(&view).unwrap()).unwrap();
        assert_eq!(value, serde_json::to_value(&view).unwrap());
    }
}
