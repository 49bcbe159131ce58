//! What holds when flags, file and machine disagree, and what is found wrong.

use super::*;
use std::fs;

fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn around(folder: &tempfile::TempDir) -> Surroundings {
    Surroundings { folder: Some(folder.path().to_owned()), no_color: false, is_utf8: true }
}

#[test]
fn without_a_file_everything_is_built_in() {
    let settings = load(&Wanted::default(), &around(&folder_with(&[]))).unwrap();
    assert_eq!((settings.context, settings.namespace, settings.plan), (None, None, None));
    assert_eq!(settings.look.theme.name(), "dark16");
    assert!(settings.look.utc && !settings.look.ascii);
}

#[test]
fn the_keymap_says_where_it_comes_from() {
    let mine = "version = 1\ninherits = 'default'\n";
    let folder = folder_with(&[("keymaps/mine.toml", mine), ("config.toml", "[ui]\nkeymap = 'mine'\n")]);
    let file = folder.path().join("keymaps/mine.toml");
    let path = file.display().to_string();
    for (keymap, name, file) in [
        (Some("emacs"), "emacs", None),
        (None, "mine", Some(file.clone())),
        (Some(path.as_str()), path.as_str(), Some(file)),
    ] {
        let wanted = Wanted { keymap: keymap.map(str::to_owned), ..Wanted::default() };
        let look = load(&wanted, &around(&folder)).unwrap().look;
        assert_eq!(look.keys_from, Origin { name: name.to_owned(), file });
    }
}

#[test]
fn a_flag_wins_over_the_file_and_an_empty_text_says_nothing() {
    let file = "[cluster]\ncontext = 'weu'\nnamespace = 'trackx'\nplan = ''\n[ui]\ntime = 'local'\n";
    let folder = folder_with(&[("config.toml", file)]);
    let wanted = Wanted { context: Some("neu".into()), ..Wanted::default() };
    let settings = load(&wanted, &around(&folder)).unwrap();
    assert_eq!(settings.context.as_deref(), Some("neu"));
    assert_eq!(settings.namespace.as_deref(), Some("trackx"));
    assert_eq!(settings.plan, None);
    assert!(!settings.look.utc);
}

#[test]
fn every_mistake_is_found_at_once_with_the_nearest_name() {
    let file = "
[clutser]
context = 'x'
[cluster]
namspace = 'trackx'
plan = 7
[metrics]
auth = { kind = 'password' }
[ui]
theme = 'dork16'
time = 'moon'
";
    let folder = folder_with(&[("config.toml", file)]);
    let findings = load(&Wanted::default(), &around(&folder)).unwrap_err();
    let text: String = findings.iter().map(|finding| format!("{finding}\n")).collect();
    for part in [
        "[clutser] is not known: did you mean cluster?",
        "cluster.namspace is not known: did you mean namespace?",
        "cluster.plan is integer",
        "metrics.auth with kind \"password\" is not usable",
        "theme \"dork16\" is neither built in",
        "did you mean dark16?",
        "time \"moon\" is not known",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[test]
fn a_file_that_is_not_toml_says_where() {
    let folder = folder_with(&[("config.toml", "[cluster\n")]);
    let findings = load(&Wanted::default(), &around(&folder)).unwrap_err();
    assert!(findings[0].text.contains("config.toml is not TOML"), "{findings:?}");
}

#[test]
fn no_color_means_mono_unless_a_person_chose_a_theme() {
    let folder = folder_with(&[]);
    let around = Surroundings { no_color: true, ..around(&folder) };
    assert_eq!(load(&Wanted::default(), &around).unwrap().look.theme.name(), "mono");
    let wanted = Wanted { theme: Some("light16".into()), ..Wanted::default() };
    assert_eq!(load(&wanted, &around).unwrap().look.theme.name(), "light16");
}

#[test]
fn a_locale_without_utf8_means_ascii() {
    let says = |name: &'static str, value: &'static str| move |asked: &str| (asked == name).then(|| value.to_owned());
    assert!(is_utf8_locale(says("LANG", "de_DE.UTF-8")) && is_utf8_locale(says("LC_ALL", "C.utf8")));
    assert!(!is_utf8_locale(says("LANG", "C")) && !is_utf8_locale(|_| None));
    let overridden = |asked: &str| match asked {
        "LC_ALL" => Some("C".to_owned()),
        "LANG" => Some("en_US.UTF-8".to_owned()),
        _ => None,
    };
    assert!(!is_utf8_locale(overridden), "LC_ALL wins");
    let around = Surroundings { is_utf8: false, ..around(&folder_with(&[])) };
    assert!(load(&Wanted::default(), &around).unwrap().look.ascii);
}

#[test]
fn a_theme_of_ones_own_may_inherit_a_built_in_one() {
    let folder = folder_with(&[("themes/night.toml", "version = 1\ninherits = 'dark16'\n")]);
    let wanted = Wanted { theme: Some("night".into()), ..Wanted::default() };
    assert_eq!(load(&wanted, &around(&folder)).unwrap().look.theme.name(), "night");
}

#[test]
fn the_metrics_source_of_this_machine_has_its_own_authentication() {
    let file = "[metrics]\nurl = 'https://prometheus.example'\nauth = { kind = 'bearer-file', path = '/run/token' }\n";
    let settings = load(&Wanted::default(), &around(&folder_with(&[("config.toml", file)]))).unwrap();
    let auth = Authentication::BearerFile { path: "/run/token".into() };
    assert_eq!(settings.metrics, Some(("https://prometheus.example".into(), auth)));
}

/// Returns what a verb with this need gets: the warnings, or the mistakes that stop it.
fn needed(need: Need, file: &str, wanted: &Wanted) -> Result<Vec<String>, Vec<String>> {
    let text = |findings: Vec<Finding>| findings.iter().map(ToString::to_string).collect();
    let folder = folder_with(&[("config.toml", file)]);
    load_for(need, wanted, &around(&folder)).map(|(_, warnings)| text(warnings)).map_err(text)
}

#[test]
fn a_mistake_in_the_look_is_a_warning_for_every_verb_and_stops_a_screen() {
    let file = "[ui]\ntheme = 'drak16'\nkeymap = 'emcas'\ntime = 'moon'\ntitle = 1\nbel = true\n[colours]\nx = 1\n";
    for need in [Need::Aim, Need::AimWithoutPlan] {
        let warnings = needed(need, file, &Wanted::default()).unwrap();
        assert_eq!(warnings.len(), 6, "{warnings:?}");
        assert!(warnings.iter().all(|warning| warning.starts_with("warning: ")), "{warnings:?}");
        assert!(warnings.iter().any(|warning| warning.contains("did you mean dark16?")), "{warnings:?}");
    }
    assert!(needed(Need::Evidence, &file.replace("[colours]\nx = 1\n", ""), &Wanted::default()).is_ok());
    let stopped = needed(Need::Everything, file, &Wanted::default()).unwrap_err();
    assert!(stopped.len() == 6 && stopped[0].starts_with("refused: "), "{stopped:?}");
}

#[test]
fn a_metrics_source_that_is_not_known_stops_a_step_forward_and_no_way_back() {
    let file = "[metrics]\nurl = 'https://prom.example'\nauth = { kind = 'password' }\n";
    assert!(needed(Need::Evidence, file, &Wanted::default()).is_err());
    let folder = folder_with(&[("config.toml", file)]);
    let (settings, warnings) = load_for(Need::Aim, &Wanted::default(), &around(&folder)).unwrap();
    assert_eq!((settings.metrics, warnings.len()), (None, 1), "the plan's source holds");
}

#[test]
fn what_may_name_another_cluster_stops_a_way_back_unless_flags_say_it() {
    let aimed = Wanted {
        kubeconfig: Some("k".into()),
        context: Some("weu".into()),
        namespace: Some("shop".into()),
        ..Wanted::default()
    };
    let all = Wanted { plan: Some("trackx".into()), ..aimed.clone() };
    for file in [
        "[cluster\n",
        "[cluster]\nnamspace = 'shop'\n",
        "[clutser]\nx = 1\n",
        "[kubernetes]\ncontext = 'weu'\n",
        "context = 'weu'\n",
        "[ui]\nnamespace = 'shop'\n",
        "cluster = 7\n",
    ] {
        let stopped = needed(Need::Aim, file, &Wanted::default()).unwrap_err().concat();
        assert!(stopped.contains("give --kubeconfig, --context, --namespace, --plan"), "{file}: {stopped}");
        let stopped = needed(Need::Aim, file, &aimed).unwrap_err().concat();
        assert!(stopped.contains("or give --plan [config.aim]"), "{file}: {stopped}");
        assert!(needed(Need::Aim, file, &all).is_ok(), "{file}");
        assert!(needed(Need::AimWithoutPlan, file, &aimed).is_ok(), "{file}");
    }
    let file = "[cluster]\nnamespace = 7\n";
    assert!(needed(Need::Aim, file, &Wanted::default()).unwrap_err().concat().contains("or give --namespace [config"));
    assert!(needed(Need::Aim, file, &Wanted { namespace: Some("shop".into()), ..Wanted::default() }).is_ok());
    assert!(needed(Need::AimWithoutPlan, "[cluster]\nplan = 7\n", &Wanted::default()).is_ok());
}
