//! `keymap check` and `keymap show`: what keys do, and what is wrong with a file before it is used.

use super::code::{Code, Failure};
use crate::config::{self, Surroundings, Wanted};
use crate::model::Finding;
use crate::ui::{Keymap, Place, Safe};
use std::fmt::Write as _;

/// Reads a keymap and says that it can be used, with what may not work on every terminal.
///
/// # Errors
/// Returns everything that is wrong with it.
pub(super) fn check(file: Option<&str>, wanted: &Wanted, around: &Surroundings) -> Result<String, Failure> {
    let (name, keymap) = read(file, wanted, around)?;
    let (bindings, warnings) = (keymap.bindings().len(), keymap.warnings());
    let mut text = format!("{}: {bindings} bindings, can be used", Safe::new(&name));
    // Writing to a String cannot fail.
    let _ = match warnings.len() {
        0 => writeln!(text, "."),
        count => writeln!(text, ", {count} to think about:"),
    };
    for warning in warnings {
        let _ = writeln!(text, "  {}", Safe::new(&warning.to_string()));
    }
    Ok(text)
}

/// Lists every binding with what it does.
///
/// # Errors
/// Returns everything that is wrong with the keymap.
pub(super) fn show(file: Option<&str>, wanted: &Wanted, around: &Surroundings) -> Result<String, Failure> {
    let (_, keymap) = read(file, wanted, around)?;
    Ok(table(&keymap))
}

/// Writes a keymap as a table of keys, actions, places and what the actions do.
fn table(keymap: &Keymap) -> String {
    let mut text = format!("{:<10} {:<20} {:<7} {}\n", "keys", "action", "where", "does");
    for binding in keymap.bindings() {
        let spec = binding.action.spec();
        let place = place(binding.place);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<10} {:<20} {place:<7} {}", binding.label(), spec.id, spec.doc);
    }
    text
}

/// Returns the word for where a key works, as a keymap has it.
pub(super) fn place(place: Place) -> &'static str {
    match place {
        Place::Any => "any",
        Place::Main => "main",
        Place::List => "list",
        Place::Dialog => "dialog",
    }
}

/// Reads the named keymap, or the one that holds on this machine.
fn read(file: Option<&str>, wanted: &Wanted, around: &Surroundings) -> Result<(String, Keymap), Failure> {
    let name = match file {
        Some(file) => file.to_owned(),
        None => config::keymap_name(wanted, around).map_err(wrong)?,
    };
    config::keymap(Some(&path_of(&name, file.is_some())), around).map(|keymap| (name, keymap)).map_err(wrong)
}

/// Returns what a person means by a name: a bare name of a file that is there means that file, as a shell completes it.
pub(super) fn path_of(name: &str, is_typed: bool) -> String {
    let is_file = is_typed && !name.contains('/') && std::path::Path::new(name).is_file();
    if is_file { format!("./{name}") } else { name.to_owned() }
}

fn wrong(findings: Vec<Finding>) -> Failure {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    Failure::new(Code::Configuration, lines.join("\n"))
}
