//! What differs per machine: `config.toml`, themes and keymaps. What a team shares is in the plan.
//!
//! Flags win over the environment, the environment over the file. Every mistake is found at once.

mod choose;
mod explain;
mod file;
mod mistake;
mod nearest;

use crate::model::{Authentication, Finding};
use crate::ui::{Keymap, Look, Origin, Theme};
pub use explain::explain;
use file::FileConfig;
pub use mistake::Need;
use mistake::{Mistake, Part};
pub use nearest::nearest;
use std::collections::BTreeSet;
use std::path::PathBuf;

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
    load_for(Need::Everything, wanted, around).map(|(settings, _)| settings)
}

/// Settles what holds for somebody who does not need all of it: what is built in stands in for the rest, with a warning.
///
/// # Errors
/// Returns every mistake, if one of them leaves something unknown that is needed.
pub fn load_for(need: Need, wanted: &Wanted, around: &Surroundings) -> Result<(Settings, Vec<Finding>), Vec<Finding>> {
    let Settled { settings, mistakes, .. } = settle(wanted, around);
    need.judge(mistakes, wanted).map(|warnings| (settings, warnings))
}

/// Reads a keymap that is named or lies in a file; `None` is the one in the program.
///
/// # Errors
/// Returns everything that is wrong with it.
pub fn keymap(name: Option<&str>, around: &Surroundings) -> Result<Keymap, Vec<Finding>> {
    let mut findings = Vec::new();
    choose::keymap(name, around, &mut findings).map(|(keymap, _)| keymap).ok_or(findings)
}

/// Reads a theme that is named or lies in a file; `None` and `auto` are the one in the program.
///
/// # Errors
/// Returns everything that is wrong with it.
pub fn theme(name: Option<&str>, around: &Surroundings) -> Result<Theme, Vec<Finding>> {
    let mut findings = Vec::new();
    choose::theme(name, around, &mut findings).ok_or(findings)
}

/// Returns the name of the theme that holds, without reading it.
///
/// # Errors
/// Returns every mistake in the configuration file.
pub fn theme_name(wanted: &Wanted, around: &Surroundings) -> Result<String, Vec<Finding>> {
    let file = read_rightly(around)?;
    Ok(wanted.theme.clone().or(file.theme).unwrap_or_else(|| "auto".to_owned()))
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
    let file = read_rightly(around)?;
    Ok(wanted.keymap.clone().or(file.keymap).unwrap_or_else(|| DEFAULT_KEYMAP.to_owned()))
}

/// What holds, the file's share of it, and what is wrong; what is built in stands in for what is wrong.
struct Settled {
    settings: Settings,
    file: FileConfig,
    mistakes: Vec<Mistake>,
}

fn settle(wanted: &Wanted, around: &Surroundings) -> Settled {
    let mut mistakes = Vec::new();
    let file = read_file(around, &mut mistakes);
    let mut findings = Vec::new();
    let theme = choose::theme(wanted.theme.as_deref().or(file.theme.as_deref()), around, &mut findings);
    let keymap = choose::keymap(wanted.keymap.as_deref().or(file.keymap.as_deref()), around, &mut findings);
    let time = wanted.time.as_deref().or(file.time.as_deref()).unwrap_or("utc");
    if !matches!(time, "utc" | "local") {
        findings.push(Finding::refuse("config.value", format!("time {time:?} is not known: it is utc or local")));
    }
    mistakes.extend(findings.into_iter().map(|finding| Mistake { finding, part: Part::Look }));
    let built_in = || (Keymap::default(), Origin { name: DEFAULT_KEYMAP.to_owned(), file: None });
    let (keymap, keys_from) = keymap.unwrap_or_else(built_in);
    for warning in keymap.warnings() {
        tracing::warn!("keymap: {warning}");
    }
    let is_auto = wanted.theme.as_deref().or(file.theme.as_deref()).is_none_or(|name| name == "auto");
    let look = Look {
        theme: theme.unwrap_or_default(),
        keymap,
        keys_from,
        ascii: wanted.ascii || !around.is_utf8,
        utc: time != "local",
        kiosk: None,
        privacy: false,
        auto: is_auto && !around.no_color,
    };
    let metrics_url = wanted.metrics_url.clone().or_else(|| file.metrics_url.clone());
    let auth = file.metrics_auth.clone().unwrap_or(Authentication::None);
    // Half of a source is none: a secret may belong to the other half.
    let is_metrics_known = !mistakes.iter().any(|mistake| matches!(mistake.part, Part::File | Part::Metrics));
    let settings = Settings {
        context: wanted.context.clone().or_else(|| file.context.clone()),
        namespace: wanted.namespace.clone().or_else(|| file.namespace.clone()),
        plan: wanted.plan.clone().or_else(|| file.plan.clone()),
        kubeconfig: wanted.kubeconfig.clone().or_else(|| file.kubeconfig.clone()),
        metrics: metrics_url.filter(|_| is_metrics_known).map(|url| (url, auth)),
        look,
        title: file.title.unwrap_or(true),
        bell: file.bell.unwrap_or(true),
        exports: wanted.exports.clone().or_else(|| file.exports.clone()),
    };
    Settled { settings, file, mistakes }
}

/// Reads the file without a verb's need in mind: a mistake anywhere in it is an error.
fn read_rightly(around: &Surroundings) -> Result<FileConfig, Vec<Finding>> {
    let mut mistakes = Vec::new();
    let file = read_file(around, &mut mistakes);
    let findings: Vec<Finding> = mistakes.into_iter().map(|mistake| mistake.finding).collect();
    if findings.is_empty() { Ok(file) } else { Err(findings) }
}

fn read_file(around: &Surroundings, mistakes: &mut Vec<Mistake>) -> FileConfig {
    let Some(path) = config_file(around) else { return FileConfig::default() };
    match std::fs::read_to_string(&path) {
        Ok(text) => FileConfig::parse(&text, &path.display().to_string(), mistakes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => FileConfig::default(),
        Err(error) => {
            let finding = Finding::refuse("config.file", format!("{} cannot be read: {error}", path.display()));
            mistakes.push(Mistake { finding, part: Part::File });
            FileConfig::default()
        }
    }
}

fn config_file(around: &Surroundings) -> Option<PathBuf> {
    around.folder.as_ref().map(|folder| folder.join("config.toml"))
}

#[cfg(test)]
mod tests;
