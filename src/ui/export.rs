//! What a person takes away as files: customers, the journal, the releases. Only texts; whoever asks writes them.
//!
//! What is not known is an empty cell or `null`, never 0. Foreign text can neither drive a terminal nor be a formula of a
//! spreadsheet.

use super::safe::Safe;
use crate::core::{Audit, CustomerRow, NoticeRow, PastRow, Releases, View};
use crate::model::{Side, Timestamp, counted};
use serde::Serialize;
use serde_json::json;

/// One list, in every form it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// What is in it, for the message, such as `12 of 60 customers`.
    pub what: String,
    /// The name of the files without ending: what, of whom, and when.
    pub stem: String,
    /// Each form by its ending.
    pub files: Vec<(&'static str, String)>,
}

/// Takes the given customers out of the view, in their order.
pub fn customers(view: &View, rows: &[&CustomerRow]) -> Export {
    let what = match rows.len() == view.customers.len() {
        true => counted(rows.len(), "customer"),
        false => format!("{} of {}", rows.len(), counted(view.customers.len(), "customer")),
    };
    let version = |side: Option<Side>| match side {
        Some(Side::Old) => view.header.old_version.clone(),
        Some(Side::New) => view.header.new_version.clone(),
        None => String::new(),
    };
    let mut table = Table::new(&[
        "customer",
        "name",
        "ring",
        "wave",
        "wanted_version",
        "observed_version",
        "since",
        "requests_per_second",
        "error_ratio",
        "open_on_version_being_left",
        "seen_since_shift",
    ]);
    for row in rows {
        table.row(vec![
            text(&row.id),
            text(&row.name),
            text(&row.ring),
            row.wave.to_string(),
            text(&version(row.want)),
            text(&version(row.now)),
            time(row.since),
            number(row.rps),
            number(row.errors),
            number(row.inflight_left),
            number(row.seen),
        ]);
    }
    Export { what, stem: stem("customers", &view.header.plan, view.now), files: vec![("csv", table.text)] }
}

/// Takes the whole journal and the notices of this console.
pub fn audit(view: &View, audit: &Audit) -> Export {
    let json = with_place(view, json!({ "audit": audit, "notices": view.notices }));
    Export {
        what: counted(audit.records.len(), "record"),
        stem: stem("audit", &audit.release, view.now),
        files: vec![("md", markdown(view, audit)), ("json", json)],
    }
}

/// Takes every release with the figures of delivery.
pub fn releases(view: &View, releases: &Releases) -> Export {
    let mut table = Table::new(&[
        "release",
        "version",
        "state",
        "requested_by",
        "started",
        "ended",
        "customers_moved",
        "customers",
        "cut",
        "customers_cut_by_force",
        "commit",
    ]);
    for row in &releases.rows {
        table.row(past(row));
    }
    let json = with_place(view, json!({ "releases": releases.rows, "delivery": releases.delivery }));
    Export {
        what: format!("{} and the figures of delivery", counted(releases.rows.len(), "release")),
        stem: stem("releases", &view.header.plan, view.now),
        files: vec![("csv", table.text), ("json", json)],
    }
}

/// Writes a report as one JSON value in plain ASCII: whatever a name holds can neither reorder nor hide anything on the
/// terminal of whoever prints it.
///
/// # Errors
/// Fails only if it cannot be written as JSON.
pub fn json<T: Serialize>(report: &T) -> Result<String, serde_json::Error> {
    Ok(escaped(&serde_json::to_string_pretty(report)?))
}

/// Writes JSON after where and when it was taken.
fn with_place(view: &View, mut value: serde_json::Value) -> String {
    let head = &view.header;
    value["cluster"] = json!(head.cluster);
    value["namespace"] = json!(head.namespace);
    value["plan"] = json!(head.plan);
    value["exportedAt"] = json!(view.now);
    escaped(&format!("{value:#}"))
}

fn escaped(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        if matches!(c, ' '..='~' | '\n') {
            ascii.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            ascii.push_str(&format!("\\u{unit:04x}"));
        }
    }
    ascii.push('\n');
    ascii
}

fn past(row: &PastRow) -> Vec<String> {
    vec![
        text(&row.name),
        text(&row.version),
        text(&row.state),
        text(&row.by),
        time(row.started),
        time(row.ended),
        row.moved.to_string(),
        number(row.of),
        row.cut.to_string(),
        number(row.forced_on),
        text(&row.commit),
    ]
}

fn markdown(view: &View, audit: &Audit) -> String {
    let head = &view.header;
    let of = if audit.release.is_empty() { "no release" } else { &audit.release };
    let mut out = format!("# Audit of {}\n\n", inline(of));
    let chain = match (audit.release.is_empty(), audit.is_chained) {
        (true, _) => "",
        (false, true) => "unbroken",
        (false, false) => "BROKEN",
    };
    let facts = [
        ("version", audit.version.clone()),
        ("cluster", format!("{}/{}", head.cluster, head.namespace)),
        ("plan", head.plan.clone()),
        ("exported", time(view.now)),
        ("chain of hashes", chain.to_owned()),
        ("older records in ConfigMaps", audit.older.to_string()),
    ];
    for (label, fact) in facts.iter().filter(|(_, fact)| !fact.is_empty()) {
        out.push_str(&format!("- {label}: {}\n", inline(fact)));
    }
    out.push_str("\n| no | time | who | act | what | why | evidence | result |\n|---|---|---|---|---|---|---|---|\n");
    for record in &audit.records {
        let cells = [
            record.seq.to_string(),
            time(record.at),
            inline(&record.by),
            inline(&record.act),
            inline(&record.what),
            inline(&record.why),
            inline(&record.evidence),
            inline(&record.result),
        ];
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    if !view.notices.is_empty() {
        out.push_str("\nNotices of this console:\n\n");
        let line = |notice: &NoticeRow| format!("- {} {}\n", time(notice.at), inline(&notice.text));
        out.extend(view.notices.iter().map(line));
    }
    out
}

/// Makes foreign text mean nothing in Markdown, HTML or a table's cell.
fn inline(foreign: &str) -> String {
    let mut out = String::new();
    for c in Safe::new(foreign).as_str().chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

/// Makes foreign text a cell that no spreadsheet takes for a formula.
fn text(foreign: &str) -> String {
    let safe = Safe::new(foreign).to_string();
    let is_formula = safe.trim_start().starts_with(['=', '+', '-', '@']);
    if is_formula { format!("'{safe}") } else { safe }
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
}

fn number<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Names the files of an export; what a name of the cluster holds beside letters, digits and dashes is left out.
fn stem(what: &str, of: &str, now: Option<Timestamp>) -> String {
    let plain: String = of.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    let of = if plain.is_empty() { String::new() } else { format!("-{plain}") };
    let at = now.map(|now| now.strftime("-%Y%m%dT%H%M%SZ").to_string()).unwrap_or_default();
    format!("{what}{of}{at}")
}

/// Comma-separated values as RFC 4180 describes them, with plain line ends.
struct Table {
    text: String,
}

impl Table {
    fn new(heading: &[&str]) -> Self {
        Self { text: format!("{}\n", heading.join(",")) }
    }

    fn row(&mut self, cells: Vec<String>) {
        let quoted = |cell: String| match cell.contains([',', '"', '\n', '\r']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell,
        };
        let cells: Vec<String> = cells.into_iter().map(quoted).collect();
        self.text.push_str(&format!("{}\n", cells.join(",")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{AuditRow, Header};

    fn view() -> View {
        let header = Header {
            plan: "trackx".into(),
            old_version: "4.11.8".into(),
            new_version: "4.12.0".into(),
            cluster: "weu".into(),
            namespace: "shop".into(),
            ..Header::default()
        };
        View { header, now: "2026-05-04T03:07:12.9Z".parse().ok(), ..View::default() }
    }

    #[test]
    fn what_is_not_known_is_an_empty_cell_and_no_name_is_a_formula() {
        let mut view = view();
        view.customers = vec![
            CustomerRow {
                id: "acme".into(),
                name: "Acme, \"the\" firm".into(),
                ring: "early".into(),
                wave: 2,
                want: Some(Side::New),
                now: Some(Side::Old),
                rps: Some(1.5),
                seen: Some(false),
                ..CustomerRow::default()
            },
            CustomerRow {
                id: "=cmd|' /C calc'!A0".into(),
                name: "\x1b]0;x\x07\u{202e}".into(),
                ..CustomerRow::default()
            },
        ];
        let rows: Vec<&CustomerRow> = view.customers.iter().collect();
        let export = customers(&view, &rows);
        assert_eq!((export.what.as_str(), export.stem.as_str()), ("2 customers", "customers-trackx-20260504T030712Z"));
        let lines: Vec<&str> = export.files[0].1.lines().skip(1).collect();
        assert_eq!(lines[0], "acme,\"Acme, \"\"the\"\" firm\",early,2,4.12.0,4.11.8,,1.5,,,false");
        assert_eq!(lines[1], "'=cmd|' /C calc'!A0,?]0;x?,,0,,,,,,,");
        assert_eq!(customers(&view, &rows[..1]).what, "1 of 2 customers");
    }

    #[test]
    fn a_journal_is_a_table_that_its_texts_cannot_leave_and_json_that_reads_back() {
        let record = AuditRow {
            seq: 7,
            at: "2026-05-04T03:00:00Z".parse().ok(),
            by: "kim".into(),
            act: "hold".into(),
            what: "a | b\n<script>`x`".into(),
            why: "\u{202e}*now*".into(),
            ..AuditRow::default()
        };
        let journal =
            Audit { release: "trackx-4-12-0".into(), records: vec![record], is_chained: true, ..Audit::default() };
        let export = audit(&view(), &journal);
        let (ending, page) = &export.files[0];
        assert_eq!((*ending, export.stem.as_str()), ("md", "audit-trackx-4-12-0-20260504T030712Z"));
        let row = page.lines().find(|line| line.starts_with("| 7 ")).unwrap();
        assert_eq!(row, "| 7 | 2026-05-04T03:00:00Z | kim | hold | a \\| b &lt;script>\\`x\\` | \\*now\\* |  |  |");
        assert!(page.contains("- chain of hashes: unbroken") && page.contains("- cluster: weu/shop"), "{page}");
        let (ending, text) = &export.files[1];
        assert!(*ending == "json" && text.is_ascii());
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(value["audit"]["records"][0]["why"], "\u{202e}*now*");
        assert_eq!(value["plan"], "trackx");
        let none = &audit(&view(), &Audit::default()).files[0].1;
        assert!(none.starts_with("# Audit of no release") && !none.contains("BROKEN"), "{none}");
    }

    #[test]
    fn releases_are_a_table_and_json_with_the_figures() {
        let rows = vec![PastRow {
            name: "r".into(),
            version: "4.12.0".into(),
            of: Some(60),
            moved: 3,
            forced_on: Some(0),
            ..PastRow::default()
        }];
        let export = releases(&view(), &Releases { rows, ..Releases::default() });
        assert_eq!(export.files[0].1.lines().nth(1), Some("r,4.12.0,,,,,3,60,0,0,"));
        let value: serde_json::Value = serde_json::from_str(&export.files[1].1).unwrap();
        assert_eq!((&value["releases"][0]["of"], &value["delivery"]["lead"]), (&json!(60), &json!(null)));
    }

    #[test]
    fn a_name_of_the_cluster_cannot_lead_out_of_the_folder() {
        assert_eq!(stem("audit", "../../etc/passwd\0", None), "audit-etcpasswd");
        assert_eq!(stem("audit", "", None), "audit");
    }
}
