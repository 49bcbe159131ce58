//! `config.toml`, read leniently enough to find every mistake at once.

use super::nearest;
use crate::model::{Authentication, Finding};
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FileConfig {
    pub context: Option<String>,
    pub namespace: Option<String>,
    pub plan: Option<String>,
    pub kubeconfig: Option<PathBuf>,
    pub metrics_url: Option<String>,
    pub metrics_auth: Option<Authentication>,
    pub theme: Option<String>,
    pub keymap: Option<String>,
    pub time: Option<String>,
    pub title: Option<bool>,
    pub bell: Option<bool>,
    pub exports: Option<PathBuf>,
    /// The line of each key, such as `cluster.context`, and of each section.
    pub lines: Lines,
}

/// Where in the file a section or a key stands, from one.
pub(super) type Lines = BTreeMap<String, usize>;

/// Sections and their keys.
const KNOWN: &[(&str, &[&str])] = &[
    ("cluster", &["context", "namespace", "plan", "kubeconfig"]),
    ("metrics", &["url", "auth"]),
    ("ui", &["theme", "keymap", "time", "title", "bell", "exports"]),
];

impl FileConfig {
    /// Reads the file's text; what is wrong goes to `findings`.
    pub fn parse(text: &str, path: &str, findings: &mut Vec<Finding>) -> Self {
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                findings.push(Finding::refuse("config.toml", format!("{path} is not TOML: {error}")));
                return Self::default();
            }
        };
        let lines = lines(text);
        let mut reader = Reader { path, table: &table, lines: &lines, findings };
        reader.check_names();
        Self {
            context: reader.text("cluster", "context"),
            namespace: reader.text("cluster", "namespace"),
            plan: reader.text("cluster", "plan"),
            kubeconfig: reader.text("cluster", "kubeconfig").map(PathBuf::from),
            metrics_url: reader.text("metrics", "url"),
            metrics_auth: reader.auth(),
            theme: reader.text("ui", "theme"),
            keymap: reader.text("ui", "keymap"),
            time: reader.text("ui", "time"),
            title: reader.switch("ui", "title"),
            bell: reader.switch("ui", "bell"),
            exports: reader.text("ui", "exports").map(PathBuf::from),
            lines,
        }
    }
}

struct Reader<'a> {
    path: &'a str,
    table: &'a Table,
    lines: &'a Lines,
    findings: &'a mut Vec<Finding>,
}

impl Reader<'_> {
    fn check_names(&mut self) {
        let sections: Vec<&str> = KNOWN.iter().map(|(section, _)| *section).collect();
        for (section, value) in self.table {
            let Some((_, keys)) = KNOWN.iter().find(|(known, _)| known == section) else {
                self.unknown(section, section, &format!("[{section}]"), &sections);
                continue;
            };
            let Value::Table(entries) = value else {
                self.refuse(section, format!("{section} must be a section: write [{section}] and its keys below it"));
                continue;
            };
            for key in entries.keys().filter(|key| !keys.contains(&key.as_str())) {
                let place = format!("{section}.{key}");
                self.unknown(key, &place, &place, keys);
            }
        }
    }

    /// Reads a text; an empty one is as if it were not there.
    fn text(&mut self, section: &str, key: &str) -> Option<String> {
        match self.table.get(section)?.get(key)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.clone()),
            other => {
                let text = format!("{section}.{key} is {}, and must be a text in quotes", other.type_str());
                self.refuse(&format!("{section}.{key}"), text);
                None
            }
        }
    }

    fn switch(&mut self, section: &str, key: &str) -> Option<bool> {
        match self.table.get(section)?.get(key)? {
            Value::Boolean(value) => Some(*value),
            other => {
                let text = format!("{section}.{key} is {}, and must be true or false", other.type_str());
                self.refuse(&format!("{section}.{key}"), text);
                None
            }
        }
    }

    fn auth(&mut self) -> Option<Authentication> {
        let auth = self.table.get("metrics")?.get("auth")?;
        let kind = auth.get("kind").and_then(Value::as_str).unwrap_or_default();
        let path = auth.get("path").and_then(Value::as_str).unwrap_or_default();
        let command: Option<Vec<String>> = auth.get("command").and_then(Value::as_array).and_then(|words| {
            words
                .iter()
                .map(|word| word.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .filter(|w| !w.is_empty())
        });
        match (kind, command) {
            ("none", _) => Some(Authentication::None),
            ("bearer-file", _) if !path.is_empty() => Some(Authentication::BearerFile { path: path.to_owned() }),
            ("exec", Some(command)) => Some(Authentication::Exec { command }),
            _ => {
                let text = format!(
                    "metrics.auth with kind {kind:?} is not usable: it must be none, bearer-file with a path, or exec with a command"
                );
                self.refuse("metrics.auth", text);
                None
            }
        }
    }

    fn unknown(&mut self, name: &str, at: &str, place: &str, known: &[&str]) {
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}", known.join(", ")),
        };
        let text = format!("{}: {place} is not known: {hint}", self.place(at));
        self.findings.push(Finding::refuse("config.unknown", text));
    }

    fn refuse(&mut self, at: &str, text: String) {
        self.findings.push(Finding::refuse("config.value", format!("{}: {text}", self.place(at))));
    }

    fn place(&self, at: &str) -> String {
        match self.lines.get(at) {
            Some(line) => format!("{}:{line}", self.path),
            None => self.path.to_owned(),
        }
    }
}

fn lines(text: &str) -> Lines {
    let mut lines = Lines::new();
    let Ok(table) = DeTable::parse(text) else { return lines };
    let line_of = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    for (section, value) in table.get_ref() {
        lines.insert(section.get_ref().to_string(), line_of(section.span().start));
        let DeValue::Table(entries) = value.get_ref() else { continue };
        for key in entries.keys() {
            lines.insert(format!("{}.{}", section.get_ref(), key.get_ref()), line_of(key.span().start));
        }
    }
    lines
}
