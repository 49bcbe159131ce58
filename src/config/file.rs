//! `config.toml`, read leniently enough to find every mistake at once.

use super::nearest;
use crate::model::{Authentication, Finding};
use std::path::PathBuf;
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
}

/// Sections and their keys.
const KNOWN: &[(&str, &[&str])] = &[
    ("cluster", &["context", "namespace", "plan", "kubeconfig"]),
    ("metrics", &["url", "auth"]),
    ("ui", &["theme", "keymap", "time"]),
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
        let mut reader = Reader { path, table: &table, findings };
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
        }
    }
}

struct Reader<'a> {
    path: &'a str,
    table: &'a Table,
    findings: &'a mut Vec<Finding>,
}

impl Reader<'_> {
    fn check_names(&mut self) {
        let sections: Vec<&str> = KNOWN.iter().map(|(section, _)| *section).collect();
        for (section, value) in self.table {
            let Some((_, keys)) = KNOWN.iter().find(|(known, _)| known == section) else {
                self.unknown(section, &format!("[{section}]"), &sections);
                continue;
            };
            let Value::Table(entries) = value else {
                self.refuse(format!("{section} must be a section: write [{section}] and its keys below it"));
                continue;
            };
            for key in entries.keys().filter(|key| !keys.contains(&key.as_str())) {
                self.unknown(key, &format!("{section}.{key}"), keys);
            }
        }
    }

    /// Reads a text; an empty one is as if it were not there.
    fn text(&mut self, section: &str, key: &str) -> Option<String> {
        match self.table.get(section)?.get(key)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.clone()),
            other => {
                self.refuse(format!("{section}.{key} is {}, and must be a text in quotes", other.type_str()));
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
                self.refuse(format!(
                    "metrics.auth with kind {kind:?} is not usable: it must be none, bearer-file with a path, or exec with a command"
                ));
                None
            }
        }
    }

    fn unknown(&mut self, name: &str, place: &str, known: &[&str]) {
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}", known.join(", ")),
        };
        self.findings.push(Finding::refuse("config.unknown", format!("{}: {place} is not known: {hint}", self.path)));
    }

    fn refuse(&mut self, text: String) {
        self.findings.push(Finding::refuse("config.value", format!("{}: {text}", self.path)));
    }
}
