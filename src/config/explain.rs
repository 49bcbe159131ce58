//! What holds, and where each value comes from.

use super::file::FileConfig;
use super::{DEFAULT_KEYMAP, Settings, Settled, Surroundings, Wanted, config_file, settle};
use crate::model::{Authentication, Finding};
use crate::ui::Safe;
use std::fmt::Write as _;

/// Prints the configuration that holds as a `config.toml`, each value with where it comes from in a comment.
///
/// A password in the metrics URL is left out: what is printed is often pasted.
///
/// # Errors
/// Returns every mistake in the file, the theme and the keymap.
pub fn explain(wanted: &Wanted, around: &Surroundings) -> Result<String, Vec<Finding>> {
    let Settled { settings, file, mistakes } = settle(wanted, around);
    if !mistakes.is_empty() {
        return Err(mistakes.into_iter().map(|mistake| mistake.finding).collect());
    }
    let place = config_file(around).map(|path| path.display().to_string());
    let state = match &place {
        None => "this machine has no place for a config.toml".to_owned(),
        Some(path) if file.lines.is_empty() => format!("{path}: not there, or empty"),
        Some(path) => path.clone(),
    };
    let source = Source { wanted, file: &file, path: place.unwrap_or_default() };
    let mut text = format!("# {}\n", Safe::new(&state));
    let mut section = "";
    for line in rows(&settings, &source, around) {
        if line.section != section {
            section = line.section;
            // Writing to a String cannot fail.
            let _ = writeln!(text, "[{section}]");
        }
        let set = format!("{} = {}", line.key, line.value);
        let _ = writeln!(text, "{set:<34} # {}", Safe::new(&line.from));
    }
    Ok(text)
}

struct Row {
    section: &'static str,
    key: &'static str,
    value: String,
    from: String,
}

fn rows(settings: &Settings, source: &Source, around: &Surroundings) -> Vec<Row> {
    let text = |section, key, flag, value: Option<&str>, wanted: bool, without: &str| Row {
        section,
        key,
        value: quoted(value.unwrap_or_default()),
        from: source.of(section, key, flag, wanted, value.is_some(), without),
    };
    let wanted = source.wanted;
    let kubeconfig = settings.kubeconfig.as_ref().map(|path| path.display().to_string());
    let url = settings.metrics.as_ref().map(|(url, _)| without_password(url));
    let auth = match &settings.metrics {
        Some((_, auth)) => written(auth),
        None => written(&Authentication::None),
    };
    let has_auth = source.file.metrics_auth.is_some();
    let auth_from = match (has_auth, &settings.metrics) {
        (true, None) => format!("{}, unused without a url", source.of("metrics", "auth", "", false, true, "")),
        _ => source.of("metrics", "auth", "", false, has_auth, "default"),
    };
    let theme = settings.look.theme.name();
    let named = wanted.theme.as_deref().or(source.file.theme.as_deref());
    let mut theme_from = source.of("ui", "theme", "theme", wanted.theme.is_some(), named.is_some(), "default");
    if named.is_none_or(|name| name == "auto") {
        let why =
            if around.no_color { "NO_COLOR is set" } else { "sixteen colours, dark or light as the terminal says" };
        let _ = write!(theme_from, ": auto, {why}");
    }
    let exports = settings.exports.as_ref().map(|path| path.display().to_string());
    let keymap = wanted.keymap.as_deref().or(source.file.keymap.as_deref());
    let time = wanted.time.as_deref().or(source.file.time.as_deref());
    vec![
        text(
            "cluster",
            "context",
            "context",
            settings.context.as_deref(),
            wanted.context.is_some(),
            "default: the kubeconfig's current one",
        ),
        text(
            "cluster",
            "namespace",
            "namespace",
            settings.namespace.as_deref(),
            wanted.namespace.is_some(),
            "default: the context's",
        ),
        text(
            "cluster",
            "plan",
            "plan",
            settings.plan.as_deref(),
            wanted.plan.is_some(),
            "default: the only one there is",
        ),
        text(
            "cluster",
            "kubeconfig",
            "kubeconfig",
            kubeconfig.as_deref(),
            wanted.kubeconfig.is_some(),
            "default: where kubectl looks",
        ),
        text(
            "metrics",
            "url",
            "metrics-url",
            url.as_deref(),
            wanted.metrics_url.is_some(),
            "default: the plan's source",
        ),
        Row { section: "metrics", key: "auth", value: auth, from: auth_from },
        Row { section: "ui", key: "theme", value: quoted(theme), from: theme_from },
        Row {
            section: "ui",
            key: "keymap",
            value: quoted(keymap.unwrap_or(DEFAULT_KEYMAP)),
            from: source.of("ui", "keymap", "keymap", wanted.keymap.is_some(), keymap.is_some(), "default"),
        },
        Row {
            section: "ui",
            key: "time",
            value: quoted(if settings.look.utc { "utc" } else { "local" }),
            from: source.of("ui", "time", "time", wanted.time.is_some(), time.is_some(), "default"),
        },
        Row {
            section: "ui",
            key: "title",
            value: settings.title.to_string(),
            from: source.of("ui", "title", "", false, source.file.title.is_some(), "default"),
        },
        Row {
            section: "ui",
            key: "bell",
            value: settings.bell.to_string(),
            from: source.of("ui", "bell", "", false, source.file.bell.is_some(), "default"),
        },
        text(
            "ui",
            "exports",
            "export-dir",
            exports.as_deref(),
            wanted.exports.is_some(),
            "default: exports in the state folder",
        ),
    ]
}

/// Where a value may have come from.
struct Source<'a> {
    wanted: &'a Wanted,
    file: &'a FileConfig,
    path: String,
}

impl Source<'_> {
    /// Says where a value comes from: `wanted` tells that a flag or variable gave it, `is_set` that anything did.
    fn of(&self, section: &str, key: &str, flag: &str, wanted: bool, is_set: bool, without: &str) -> String {
        if wanted && self.wanted.from_environment.contains(flag) {
            return format!("environment PILOTHOUSE_{}", flag.to_uppercase().replace('-', "_"));
        }
        if wanted {
            return format!("flag --{flag}");
        }
        match self.file.lines.get(&format!("{section}.{key}")) {
            Some(line) if is_set => format!("{}:{line}", self.path),
            _ => without.to_owned(),
        }
    }
}

/// Quotes a text; what JSON escapes TOML reads the same way.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn written(auth: &Authentication) -> String {
    match auth {
        Authentication::None => "{ kind = \"none\" }".to_owned(),
        Authentication::BearerFile { path } => format!("{{ kind = \"bearer-file\", path = {} }}", quoted(path)),
        Authentication::Exec { command } => {
            let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
            format!("{{ kind = \"exec\", command = [{}] }}", words.join(", "))
        }
    }
}

fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://(left out)@{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn explained(file: Option<&str>, wanted: &Wanted, no_color: bool) -> (String, String) {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            fs::write(folder.path().join("config.toml"), text).unwrap();
        }
        let around = Surroundings { folder: Some(folder.path().to_owned()), no_color, is_utf8: true };
        (explain(wanted, &around).unwrap(), folder.path().join("config.toml").display().to_string())
    }

    fn line<'a>(text: &'a str, key: &str) -> &'a str {
        text.lines().find(|line| line.starts_with(&format!("{key} ="))).unwrap()
    }

    #[test]
    fn each_value_names_its_flag_its_variable_its_line_or_its_default() {
        let file = "[cluster]\nnamespace = 'trackx'\nplan = 'trackx'\n\n[ui]\n# the wall\ntime = 'local'\n";
        let wanted = Wanted {
            context: Some("weu".into()),
            plan: Some("other".into()),
            from_environment: ["plan".to_owned()].into(),
            ..Wanted::default()
        };
        let (text, path) = explained(Some(file), &wanted, false);
        assert!(text.starts_with(&format!("# {path}\n[cluster]\n")), "{text}");
        assert!(line(&text, "context").ends_with("\"weu\"                    # flag --context"), "{text}");
        assert!(line(&text, "namespace").ends_with(&format!("# {path}:2")), "{text}");
        assert!(line(&text, "plan").contains("\"other\"") && text.contains("# environment PILOTHOUSE_PLAN"), "{text}");
        assert!(
            line(&text, "kubeconfig").ends_with("\"\"                    # default: where kubectl looks"),
            "{text}"
        );
        assert!(line(&text, "time").ends_with(&format!("# {path}:7")), "{text}");
        assert!(line(&text, "theme").contains("\"dark16\"") && text.contains("# default: auto, sixteen colours"));
    }

    #[test]
    fn what_is_printed_is_a_configuration_that_holds_the_same() {
        let file =
            "[metrics]\nurl = 'https://prom.example'\nauth = { kind = 'exec', command = ['az', \"to\\\"ken\"] }\n";
        let (text, _) = explained(Some(file), &Wanted::default(), true);
        assert!(text.contains("# default: auto, NO_COLOR is set"), "{text}");
        let mut findings = Vec::new();
        let again = FileConfig::parse(&text, "again", &mut findings);
        assert_eq!(findings, []);
        assert_eq!(again.metrics_url.as_deref(), Some("https://prom.example"));
        let command = vec!["az".to_owned(), "to\"ken".to_owned()];
        assert_eq!(again.metrics_auth, Some(Authentication::Exec { command }));
        assert_eq!((again.theme.as_deref(), again.context), (Some("mono"), None));
    }

    #[test]
    fn a_password_in_the_metrics_url_is_not_printed() {
        let wanted = Wanted { metrics_url: Some("https://me:secret@prom.example/a@b".into()), ..Wanted::default() };
        let (text, _) = explained(None, &wanted, false);
        assert!(!text.contains("secret") && text.contains("https://(left out)@prom.example/a@b"), "{text}");
        assert!(text.contains("config.toml: not there, or empty"), "{text}");
    }
}
