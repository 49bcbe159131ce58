//! Themes and keymaps by name or path.

use super::{DEFAULT_KEYMAP, Surroundings, nearest};
use crate::model::Finding;
use crate::ui::{Keymap, Origin, Theme};
use std::path::{Path, PathBuf};

/// Reads the theme of this name; `None` and `auto` are the one in the program.
pub(super) fn theme(name: Option<&str>, around: &Surroundings, findings: &mut Vec<Finding>) -> Option<Theme> {
    let name = match name.unwrap_or("auto") {
        "auto" if around.no_color => "mono",
        "auto" => Theme::DARK,
        name => name,
    };
    let embedded = |name: &str| Theme::embedded(name).map(str::to_owned);
    let known: Vec<&str> = Theme::names().collect();
    let (text, _) = find_text("theme", name, around, embedded, &known, findings)?;
    let look_up = |parent: &str| read_named("theme", parent, around).or_else(|| embedded(parent));
    Theme::parse(name, &text, look_up).map_err(|found| findings.extend(found)).ok()
}

/// Reads the keymap of this name, and says where it is from; `None` is the one in the program.
pub(super) fn keymap(
    name: Option<&str>,
    around: &Surroundings,
    findings: &mut Vec<Finding>,
) -> Option<(Keymap, Origin)> {
    let name = name.unwrap_or(DEFAULT_KEYMAP);
    let embedded = |name: &str| Keymap::embedded(name).map(str::to_owned);
    let known: Vec<&str> = Keymap::names().collect();
    let (text, file) = find_text("keymap", name, around, embedded, &known, findings)?;
    let keymap = Keymap::parse(&text).map_err(|found| findings.extend(found)).ok()?;
    Some((keymap, Origin { name: name.to_owned(), file }))
}

/// Finds a theme's or keymap's text and its file: a path, a file in the person's folder, or what is built in.
fn find_text(
    kind: &str,
    name: &str,
    around: &Surroundings,
    embedded: impl Fn(&str) -> Option<String>,
    known: &[&str],
    findings: &mut Vec<Finding>,
) -> Option<(String, Option<PathBuf>)> {
    if name.contains('/') || name.ends_with(".toml") {
        return std::fs::read_to_string(name)
            .map(|text| (text, Some(PathBuf::from(name))))
            .map_err(|error| {
                findings
                    .push(Finding::refuse(&format!("{kind}.file"), format!("{kind} {name} cannot be read: {error}")));
            })
            .ok();
    }
    let own = || Some((read_named(kind, name, around)?, named(kind, name, around)));
    let found = own().or_else(|| Some((embedded(name)?, None)));
    if found.is_none() {
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("built in are {}", known.join(", ")),
        };
        let place = around.folder.as_deref().unwrap_or(Path::new("")).join(format!("{kind}s"));
        let text = format!("{kind} {name:?} is neither built in nor a file in {}: {hint}", place.display());
        findings.push(Finding::refuse(&format!("{kind}.unknown"), text));
    }
    found
}

fn read_named(kind: &str, name: &str, around: &Surroundings) -> Option<String> {
    std::fs::read_to_string(named(kind, name, around)?).ok()
}

/// Returns the file of a name in the person's folder, whether it is there or not.
fn named(kind: &str, name: &str, around: &Surroundings) -> Option<PathBuf> {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let folder = around.folder.as_ref().filter(|_| is_plain)?;
    Some(folder.join(format!("{kind}s")).join(format!("{name}.toml")))
}
