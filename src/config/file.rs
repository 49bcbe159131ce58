//! `config.toml`, read leniently enough to find every mistake at once.

use super::mistake::{Mistake, Part};
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
    /// Reads the file's text; what is wrong goes to `mistakes`.
    pub fn parse(text: &str, path: &str, mistakes: &mut Vec<Mistake>) -> Self {
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let finding = Finding::refuse("config.toml", format!("{path} is not TOML: {error}"));
                mistakes.push(Mistake { finding, part: Part::File });
                return Self::default();
            }
        };
        let lines = lines(text);
        let mut reader = Reader { path, table: &table, lines: &lines, mistakes };
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
    mistakes: &'a mut Vec<Mistake>,
}

impl Reader<'_> {
    fn check_names(&mut self) {
        let sections: Vec<&str> = KNOWN.iter().map(|(section, _)| *section).collect();
        for (section, value) in self.table {
            let Some((_, keys)) = KNOWN.iter().find(|(known, _)| known == section) else {
                self.unknown(section, section, &format!("[{section}]"), &sections, meant(section, value));
                continue;
            };
            let Value::Table(entries) = value else {
                let text = format!("{section} must be a section: write [{section}] and its keys below it");
                self.refuse(section, text, Part::of(section, None));
                continue;
            };
            for key in entries.keys().filter(|key| !keys.contains(&key.as_str())) {
                let place = format!("{section}.{key}");
                let part = part_of_word(key).unwrap_or(Part::of(section, None));
                self.unknown(key, &place, &place, keys, part);
            }
        }
    }

    /// Reads a text; an empty one is as if it were not there.
    fn text(&mut self, section: &str, key: &'static str) -> Option<String> {
        match self.table.get(section)?.get(key)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.clone()),
            other => {
                let text = format!("{section}.{key} is {}, and must be a text in quotes", other.type_str());
                self.refuse(&format!("{section}.{key}"), text, Part::of(section, Some(key)));
                None
            }
        }
    }

    fn switch(&mut self, section: &str, key: &'static str) -> Option<bool> {
        match self.table.get(section)?.get(key)? {
            Value::Boolean(value) => Some(*value),
            other => {
                let text = format!("{section}.{key} is {}, and must be true or false", other.type_str());
                self.refuse(&format!("{section}.{key}"), text, Part::of(section, Some(key)));
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
                self.refuse("metrics.auth", text, Part::Metrics);
                None
            }
        }
    }

    fn unknown(&mut self, name: &str, at: &str, place: &str, known: &[&str], part: Part) {
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}", known.join(", ")),
        };
        let text = format!("{}: {place} is not known: {hint}", self.place(at));
        self.mistakes.push(Mistake { finding: Finding::refuse("config.unknown", text), part });
    }

    fn refuse(&mut self, at: &str, text: String, part: Part) {
        let finding = Finding::refuse("config.value", format!("{}: {text}", self.place(at)));
        self.mistakes.push(Mistake { finding, part });
    }

    fn place(&self, at: &str) -> String {
        match self.lines.get(at) {
            Some(line) => format!("{}:{line}", self.path),
            None => self.path.to_owned(),
        }
    }
}

/// Returns the part that a section of an unknown name may be, by its name and its keys.
fn meant(section: &str, value: &Value) -> Part {
    let keys = value.as_table().into_iter().flat_map(Table::keys);
    if keys.filter_map(|key| part_of_word(key)).any(|part| matches!(part, Part::Cluster(_))) {
        return Part::Cluster(None);
    }
    part_of_word(section).unwrap_or(Part::Metrics)
}

/// Returns the part of the known name that a word is a slip of; a slip may stand for another key of its section as well.
fn part_of_word(word: &str) -> Option<Part> {
    let keys = KNOWN.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (*key, *section)));
    let names: Vec<(&str, &str)> = KNOWN.iter().map(|(section, _)| (*section, *section)).chain(keys).collect();
    let words: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    let near = nearest(word, &words)?;
    names.iter().find(|(name, _)| *name == near).map(|(_, section)| Part::of(section, None))
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
