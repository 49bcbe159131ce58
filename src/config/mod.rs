//! What differs per machine: `config.toml`, themes and keymaps. What a team shares is in the plan.
//!
//! Flags win over the environment, the environment over the file. Every mistake is found at once.

mod explain;
mod file;
mod nearest;

use crate::model::{Authentication, Finding};
use crate::ui::{Keymap, Look, Origin, Theme};
pub use explain::explain;
use file::FileConfig;
pub use nearest::nearest;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The keymap when none is named.
const DEFAULT_KEYMAP: &str = "default";

/// What flags and environment variables ask for; `None` leaves it to the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The kubeconfig context.
    pub context: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The plan.
    pub plan: Option<String>,
    /// The kubeconfig file.
    pub kubeconfig: Option<PathBuf>,
    /// A URL of a Prometheus HTTP API instead of the plan's source.
    pub metrics_url: Option<String>,
    /// A theme by name or path.
    pub theme: Option<String>,
    /// A keymap by name or path.
    pub keymap: Option<String>,
    /// `utc` or `local`.
    pub time: Option<String>,
    /// Draw with ASCII alone.
    pub ascii: bool,
    /// The folder of exports.
    pub exports: Option<PathBuf>,
    /// Which of these came from the environment, by the names of their flags.
    pub from_environment: BTreeSet<String>,
}

/// What the machine says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The folder with `config.toml`, `themes` and `keymaps`; `None` when the machine has no place for one.
    pub folder: Option<PathBuf>,
    /// Whether `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// Whether the locale's characters are UTF-8.
    pub is_utf8: bool,
}

/// Everything settled.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The kubeconfig context; `None` = the current one.
    pub context: Option<String>,
    /// The namespace; `None` = the context's.
    pub namespace: Option<String>,
    /// The plan; `None` = the only one there is.
    pub plan: Option<String>,
    /// The kubeconfig file; `None` = where kubectl looks.
    pub kubeconfig: Option<PathBuf>,
    /// The metrics source of this machine, instead of the plan's.
    pub metrics: Option<(String, Authentication)>,
    /// How the console looks and which keys it has.
    pub look: Look,
    /// Whether the terminal's title says where the release stands.
    pub title: bool,
    /// Whether the terminal rings when it is held, fails or is not known any more.
    pub bell: bool,
    /// The folder of exports; `None` = the state folder's `exports`.
    pub exports: Option<PathBuf>,
}

/// Returns the folder with the configuration: `PILOTHOUSE_CONFIG_DIR`, else the place of this operating system.
pub fn folder(variable: Option<&str>) -> Option<PathBuf> {
    match variable {
        Some(path) => Some(PathBuf::from(path)),
        None => directories::ProjectDirs::from("", "", "pilothouse").map(|dirs| dirs.config_dir().to_owned()),
    }
}

/// Tells whether the first variable that is set among `LC_ALL`, `LC_CTYPE`, `LANG` names UTF-8.
pub fn is_utf8_locale(variable: impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable);
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// Settles what holds: flags and environment, then the file, then what is built in.
///
/// # Errors
/// Returns every mistake in the file, the theme and the keymap.
pub fn load(wanted: &Wanted, around: &Surroundings) -> Result<Settings, Vec<Finding>> {
    settle(wanted, around).map(|(settings, _)| settings)
}

/// Reads a keymap that is named or lies in a file; `None` is the one in the program.
///
/// # Errors
/// Returns everything that is wrong with it.
pub fn keymap(name: Option<&str>, around: &Surroundings) -> Result<Keymap, Vec<Finding>> {
    let mut findings = Vec::new();
    choose_keymap(name, around, &mut findings).map(|(keymap, _)| keymap).ok_or(findings)
}

/// Reads a theme that is named or lies in a file; `None` and `auto` are the one in the program.
///
/// # Errors
/// Returns everything that is wrong with it.
pub fn theme(name: Option<&str>, around: &Surroundings) -> Result<Theme, Vec<Finding>> {
    let mut findings = Vec::new();
    choose_theme(name, around, &mut findings).ok_or(findings)
}

/// Returns the name of the theme that holds, without reading it.
///
/// # Errors
/// Returns every mistake in the configuration file.
pub fn theme_name(wanted: &Wanted, around: &Surroundings) -> Result<String, Vec<Finding>> {
    let mut findings = Vec::new();
    let file = read_file(around, &mut findings);
    let name = wanted.theme.clone().or(file.theme).unwrap_or_else(|| "auto".to_owned());
    if findings.is_empty() { Ok(name) } else { Err(findings) }
}

/// Names the themes or keymaps in a person's folder, `kind` being `theme` or `keymap`.
pub fn own(kind: &str, around: &Surroundings) -> Vec<String> {
    let folder = around.folder.as_ref().map(|folder| folder.join(format!("{kind}s")));
    let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let name = |path: PathBuf| {
        let is_toml = path.extension().is_some_and(|ending| ending == "toml");
        path.file_stem().filter(|_| is_toml).and_then(|name| name.to_str()).map(str::to_owned)
    };
    let mut names: Vec<String> = entries.filter_map(|entry| name(entry.path())).collect();
    names.sort();
    names
}

/// Returns the name of the keymap that holds, without reading it.
///
/// # Errors
/// Returns every mistake in the configuration file.
pub fn keymap_name(wanted: &Wanted, around: &Surroundings) -> Result<String, Vec<Finding>> {
    let mut findings = Vec::new();
    let file = read_file(around, &mut findings);
    let name = wanted.keymap.clone().or(file.keymap).unwrap_or_else(|| DEFAULT_KEYMAP.to_owned());
    if findings.is_empty() { Ok(name) } else { Err(findings) }
}

fn settle(wanted: &Wanted, around: &Surroundings) -> Result<(Settings, FileConfig), Vec<Finding>> {
    let mut findings = Vec::new();
    let file = read_file(around, &mut findings);
    let theme = choose_theme(wanted.theme.as_deref().or(file.theme.as_deref()), around, &mut findings);
    let keymap = choose_keymap(wanted.keymap.as_deref().or(file.keymap.as_deref()), around, &mut findings);
    let time = wanted.time.as_deref().or(file.time.as_deref()).unwrap_or("utc");
    if !matches!(time, "utc" | "local") {
        findings.push(Finding::refuse("config.value", format!("time {time:?} is not known: it is utc or local")));
    }
    let (Some(theme), Some((keymap, keys_from)), true) = (theme, keymap, findings.is_empty()) else {
        return Err(findings);
    };
    for warning in keymap.warnings() {
        tracing::warn!("keymap: {warning}");
    }
    let is_auto = wanted.theme.as_deref().or(file.theme.as_deref()).is_none_or(|name| name == "auto");
    let look = Look {
        theme,
        keymap,
        keys_from,
        ascii: wanted.ascii || !around.is_utf8,
        utc: time == "utc",
        kiosk: None,
        privacy: false,
        auto: is_auto && !around.no_color,
    };
    let metrics_url = wanted.metrics_url.clone().or_else(|| file.metrics_url.clone());
    let auth = file.metrics_auth.clone().unwrap_or(Authentication::None);
    let settings = Settings {
        context: wanted.context.clone().or_else(|| file.context.clone()),
        namespace: wanted.namespace.clone().or_else(|| file.namespace.clone()),
        plan: wanted.plan.clone().or_else(|| file.plan.clone()),
        kubeconfig: wanted.kubeconfig.clone().or_else(|| file.kubeconfig.clone()),
        metrics: metrics_url.map(|url| (url, auth)),
        look,
        title: file.title.unwrap_or(true),
        bell: file.bell.unwrap_or(true),
        exports: wanted.exports.clone().or_else(|| file.exports.clone()),
    };
    Ok((settings, file))
}

fn read_file(around: &Surroundings, findings: &mut Vec<Finding>) -> FileConfig {
    let Some(path) = config_file(around) else { return FileConfig::default() };
    match std::fs::read_to_string(&path) {
        Ok(text) => FileConfig::parse(&text, &path.display().to_string(), findings),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => FileConfig::default(),
        Err(error) => {
            findings.push(Finding::refuse("config.file", format!("{} cannot be read: {error}", path.display())));
            FileConfig::default()
        }
    }
}

fn config_file(around: &Surroundings) -> Option<PathBuf> {
    around.folder.as_ref().map(|folder| folder.join("config.toml"))
}

fn choose_theme(name: Option<&str>, around: &Surroundings, findings: &mut Vec<Finding>) -> Option<Theme> {
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

fn choose_keymap(name: Option<&str>, around: &Surroundings, findings: &mut Vec<Finding>) -> Option<(Keymap, Origin)> {
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

#[cfg(test)]
mod tests;
