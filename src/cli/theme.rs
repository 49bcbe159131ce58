//! `theme check`, `theme show` and `theme list`: what colours mean, and whether they can be read.

use super::code::{Code, Failure};
use crate::config::{self, Surroundings, Wanted};
use crate::model::{Finding, Level};
use crate::ui::{Role, Safe, Theme};
use ratatui::style::{Color, Style};
use std::fmt::Write as _;

/// Reads a theme and says that it can be read, with what some eyes may mistake.
///
/// # Errors
/// Returns everything that is wrong with it, contrast included.
pub(super) fn check(file: Option<&str>, wanted: &Wanted, around: &Surroundings) -> Result<String, Failure> {
    let (name, theme) = read(file, wanted, around)?;
    let findings = theme.check();
    if findings.iter().any(|finding| finding.level == Level::Refuse) {
        return Err(wrong(&findings));
    }
    let mut text = format!("{}: {} roles on {}, can be read", Safe::new(&name), Role::ALL.len(), theme.background());
    // Writing to a String cannot fail.
    let _ = match findings.len() {
        0 => writeln!(text, "."),
        count => writeln!(text, ", {count} to think about:"),
    };
    for finding in findings {
        let _ = writeln!(text, "  {}", Safe::new(&finding.to_string()));
    }
    Ok(text)
}

/// Lists every role with its colour, weight, signs and contrast.
///
/// # Errors
/// Returns everything that is wrong with the theme, except for what makes it hard to read.
pub(super) fn show(file: Option<&str>, wanted: &Wanted, around: &Surroundings) -> Result<String, Failure> {
    let (name, theme) = read(file, wanted, around)?;
    let mut text = format!("{} on {}\n", Safe::new(&name), theme.background());
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{:<8} {:<14} {:<20} {:<5} {:<5} contrast", "role", "fg", "mods", "glyph", "ascii");
    for role in Role::ALL {
        let style = theme.style(role);
        let line = format!(
            "{:<8} {:<14} {:<20} {:<5} {:<5} {:.1}",
            role.name(),
            color(style),
            mods(style),
            theme.glyph(role, false),
            theme.glyph(role, true),
            theme.contrast(role)
        );
        let _ = writeln!(text, "{}", Safe::new(&line));
    }
    Ok(text)
}

/// Lists the themes there are, with what each is for.
pub(super) fn list(around: &Surroundings) -> String {
    let mut text = String::new();
    for name in Theme::names() {
        let about = Theme::embedded(name).and_then(|theme| theme.lines().next()).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<16} {}", about.trim_start_matches("# "));
    }
    for name in config::own("theme", around) {
        let _ = writeln!(text, "{:<16} yours", Safe::new(&name));
    }
    text
}

fn color(style: Style) -> String {
    match style.fg {
        None | Some(Color::Reset) => "default".to_owned(),
        Some(color) => color.to_string().to_lowercase(),
    }
}

fn mods(style: Style) -> String {
    let names: Vec<String> = style.add_modifier.iter_names().map(|(name, _)| name.to_lowercase()).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(",") }
}

/// Reads the named theme, or the one that holds on this machine.
fn read(file: Option<&str>, wanted: &Wanted, around: &Surroundings) -> Result<(String, Theme), Failure> {
    let name = match file {
        Some(file) => file.to_owned(),
        None => config::theme_name(wanted, around).map_err(|found| wrong(&found))?,
    };
    let theme = config::theme(Some(&super::keymap::path_of(&name, file.is_some())), around);
    theme.map(|theme| (name, theme)).map_err(|found| wrong(&found))
}

fn wrong(findings: &[Finding]) -> Failure {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    Failure::new(Code::Configuration, lines.join("\n"))
}
