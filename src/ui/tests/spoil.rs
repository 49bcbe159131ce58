//! Foreign text in every field that comes from outside.

use crate::core::{Closeup, Confirm, EventRow, Fact, Preview, Tone, View};
use crate::model::Refusal;

/// Text that has broken terminals, or could: each drives, hides, reorders, floods or is not there.
pub const HOSTILE: &[&str] = &[
    "",
    "\x1b[2J\x1b]0;owned\x07\x1b[?1049l\x1b[?25h",
    "\x1b]52;c;aGk=\x1b\\\x1b]52;c;?\x07",
    "\x1bP+q544e\x1b\\\x1b[6n\x1b[c\x1b[?2026h\x1b[?2004h\x1b[?1000h",
    "\u{9b}2J\u{9d}0;x\u{9c}\u{90}q\u{9c}\u{84}\u{8d}",
    "a\u{202e}b\u{200b}c\u{2066}d\u{2069}",
    "tag\u{e0041}\u{e0042}\u{e007f}soft\u{ad}hangul\u{3164}bom\u{feff}",
    "東京都東京都東京都",
    "x\r\ny\tz\x08\x7f\x0e\x0f\0",
    "\u{e000}\u{fe0f}e\u{301}\u{302}\u{303}\u{304}",
    "👩\u{200d}👩\u{200d}👧\u{1f3fd}🇩🇪",
];

/// Returns what no one may put on a screen whole: a flood of each kind.
pub fn floods() -> Vec<String> {
    vec![
        "x".repeat(1_000_000),
        format!("e{}", "\u{301}".repeat(100_000)),
        "\u{200b}".repeat(100_000),
        "東".repeat(100_000),
        "\x1b[2J".repeat(50_000),
    ]
}

/// Puts a text into every field of a view that comes from outside.
pub fn view(view: &mut View, text: &str) {
    let text = text.to_owned();
    let header = &mut view.header;
    for field in [
        &mut header.environment,
        &mut header.cluster,
        &mut header.namespace,
        &mut header.plan,
        &mut header.release,
        &mut header.why,
        &mut header.ring,
        &mut header.phase,
        &mut header.old_version,
        &mut header.new_version,
    ] {
        field.clone_from(&text);
    }
    header.driver = Some((text.clone(), 3));
    header.stale = vec![text.clone()];
    header.fresh.iter_mut().for_each(|row| row.source.clone_from(&text));
    for ring in &mut view.rings {
        ring.name.clone_from(&text);
        ring.state.clone_from(&text);
    }
    for (i, customer) in view.customers.iter_mut().enumerate() {
        customer.name.clone_from(&text);
        customer.ring.clone_from(&text);
        customer.id = format!("{text}{i}");
    }
    view.events.iter_mut().for_each(|row| event(row, &text));
    for gate in &mut view.gates {
        (gate.name, gate.value, gate.limit, gate.window) = (text.clone(), text.clone(), text.clone(), text.clone());
    }
    view.advice.text.clone_from(&text);
    view.way_out.clone_from(&text);
    view.drain.headline.clone_from(&text);
    view.drain.version.clone_from(&text);
    view.drain.missing = vec![text.clone(); 3];
    view.drain.survivors.iter_mut().for_each(|(id, _)| id.clone_from(&text));
    for plan in &mut view.plans {
        (plan.name, plan.route, plan.release) = (format!("{text}1"), text.clone(), text.clone());
    }
    for release in &mut view.proposed {
        (release.name, release.version, release.by) = (text.clone(), text.clone(), text.clone());
    }
    view.notices.iter_mut().for_each(|notice| notice.text.clone_from(&text));
    for finding in view.findings.iter_mut().flatten().chain(&mut view.preflight.findings) {
        (finding.text, finding.check) = (text.clone(), text.clone());
    }
    for (_, why) in &mut view.blocked {
        why.iter_mut().for_each(|refusal| refusal.text.clone_from(&text));
    }
    if let Some(order) = &mut view.running {
        order.text.clone_from(&text);
    }
}

/// Puts a text into every field of a close look that comes from outside.
pub fn closeup(closeup: &mut Closeup, text: &str) {
    let text = text.to_owned();
    match closeup {
        Closeup::Customer(customer) => {
            for field in [&mut customer.tier, &mut customer.region, &mut customer.matched_by, &mut customer.id] {
                field.clone_from(&text);
            }
            for route in &mut customer.routes {
                (route.name, route.accepted, route.version) = (text.clone(), text.clone(), text.clone());
            }
            customer.events.iter_mut().for_each(|row| event(row, &text));
        }
        Closeup::Ring(ring) => {
            ring.approved = Some((text.clone(), crate::model::Timestamp::UNIX_EPOCH));
            ring.waves.iter_mut().flat_map(|wave| &mut wave.customers).for_each(|id| id.clone_from(&text));
        }
        Closeup::Drain(drain) => {
            for pod in &mut drain.pods {
                (pod.name, pod.state) = (text.clone(), text.clone());
            }
        }
        Closeup::Audit(audit) => {
            (audit.release, audit.version) = (text.clone(), text.clone());
            for record in &mut audit.records {
                for field in [
                    &mut record.by,
                    &mut record.act,
                    &mut record.what,
                    &mut record.why,
                    &mut record.evidence,
                    &mut record.result,
                    &mut record.intent,
                    &mut record.prev,
                ] {
                    field.clone_from(&text);
                }
            }
        }
        Closeup::Releases(releases) => {
            for row in &mut releases.rows {
                for field in [&mut row.name, &mut row.version, &mut row.state, &mut row.by, &mut row.commit] {
                    field.clone_from(&text);
                }
            }
        }
    }
}

/// Makes a preview of nothing but a text.
pub fn preview(text: &str, refused: bool) -> Preview {
    let long: String = text.chars().take(500).collect();
    Preview {
        action: crate::core::Action::Next,
        title: text.to_owned(),
        facts: vec![Fact { label: text.to_owned(), text: long.repeat(30), tone: Tone::Warn }; 9],
        movers: vec![text.to_owned(); 40],
        confirm: Confirm::TypeWithReason(text.to_owned()),
        refusals: if refused { vec![Refusal::new("x", text)] } else { Vec::new() },
        mark: text.to_owned(),
    }
}

fn event(row: &mut EventRow, text: &str) {
    for field in [&mut row.what, &mut row.why, &mut row.by, &mut row.result] {
        text.clone_into(field);
    }
}
