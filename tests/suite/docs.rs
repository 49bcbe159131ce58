//! What is written about the program is true: every command, flag, key, variable and file that a text names is there.

use clap::error::ErrorKind;
use clap::{Command, CommandFactory, Parser};
use pilothouse::cli::Cli;
use pilothouse::core::ACTIONS;
use pilothouse::ui::{Keymap, Theme};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Texts for people.
const TEXTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "keymaps/default.toml",
    "keymaps/emacs.toml",
    "keymaps/plain.toml",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs the real program in an empty home and returns what it printed and its exit code.
pub(super) fn run(arguments: &[&str], env: &[(&str, &str)], config: Option<&str>) -> (String, String, i32) {
    let home = tempfile::tempdir().unwrap();
    if let Some(config) = config {
        fs::write(home.path().join("config.toml"), config).unwrap();
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pilothouse"));
    command.args(arguments).env_clear().env("LANG", "C.UTF-8").envs(env.iter().copied());
    command.env("PILOTHOUSE_CONFIG_DIR", home.path()).env("PILOTHOUSE_STATE_DIR", home.path().join("state"));
    let output = command.current_dir(root()).output().unwrap();
    let words = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (words(output.stdout), words(output.stderr), output.status.code().unwrap())
}

fn verbs() -> Vec<String> {
    Cli::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect()
}

/// Returns the pieces between single backticks, and the lines of code blocks.
fn code(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if let Some(begun) = pieces.last_mut().filter(|piece| piece.ends_with(" \\")) {
            // A command that goes on in the next line.
            begun.truncate(begun.len() - 1);
            begun.push_str(line.trim());
        } else if in_block || line.starts_with("    ") {
            pieces.push(line.trim().to_owned());
        } else {
            pieces.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    pieces
}

/// Returns the words of a command of ours that a piece of code shows, without its comment and what it is piped into.
fn ours(piece: &str) -> Option<Vec<String>> {
    let piece = piece.split(" #").next().unwrap_or_default();
    let command = piece
        .split('|')
        .find(|command| command.trim_start().starts_with("pilothouse"))
        .or_else(|| piece.strip_prefix("cargo run --release -- ").map(|_| piece))?;
    let command = command.replace("cargo run --release -- ", "pilothouse ").replace(['[', ']', '\\'], " ");
    let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    (words.first().map(String::as_str) == Some("pilothouse")).then_some(words)
}

#[test]
fn every_command_in_the_readme_is_accepted() {
    let mut seen = 0;
    for piece in code(&text("README.md")) {
        let Some(words) = ours(&piece) else { continue };
        seen += 1;
        if words.get(1).map(String::as_str) == Some("help") {
            continue;
        }
        match Cli::try_parse_from(&words) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {}
            Err(error) => panic!("README.md shows {piece:?}, which is refused: {error}"),
        }
    }
    assert!(seen > 10, "{seen} commands found");
}

#[test]
fn every_flag_in_the_readme_exists() {
    let mut known: BTreeSet<String> = BTreeSet::new();
    collect_flags(&Cli::command(), &mut known);
    for line in text("README.md").lines() {
        let is_of_others = ["cargo", "kubectl", "helm", "tmux", "tests/"].iter().any(|other| line.contains(other));
        for piece in code(line).iter().filter(|_| !is_of_others) {
            for flag in piece.split(|c: char| !c.is_ascii_lowercase() && c != '-').filter(|word| word.starts_with("--"))
            {
                assert!(known.contains(flag), "README.md names {flag}, which no verb has:\n{line}");
            }
        }
    }
}

fn collect_flags(command: &Command, flags: &mut BTreeSet<String>) {
    flags.extend(command.get_arguments().filter_map(|argument| argument.get_long()).map(|long| format!("--{long}")));
    for verb in command.get_subcommands() {
        collect_flags(verb, flags);
    }
}

#[test]
fn every_file_that_a_text_names_is_there() {
    let folders = ["docs/", "tests/", "keymaps/", "themes/", "src/", "assets/", "benches/", ".ci/"];
    let mut seen = 0;
    for path in TEXTS {
        let text = text(path);
        let links = text.match_indices("](").map(|(at, _)| text[at + 2..].split(')').next().unwrap_or_default());
        let pieces = code(&text).into_iter().chain(links.map(str::to_owned));
        for name in pieces.filter_map(|piece| piece.split([' ', '#', ':']).next().map(str::to_owned)) {
            let is_a_text = name.ends_with(".md") && name.starts_with(|c: char| c.is_ascii_uppercase());
            let is_ours = folders.iter().any(|folder| name.starts_with(folder)) || is_a_text;
            let is_a_pattern = name.contains(['*', '<', '{', '$']) || name.contains("NAME") || name.contains("://");
            if is_ours && !is_a_pattern {
                seen += 1;
                assert!(root().join(&name).exists(), "{path} names {name}, which is not there");
            }
        }
    }
    assert!(seen > 10, "{seen} files found");
}

#[test]
fn every_key_in_the_readme_does_something() {
    let readme = text("README.md");
    let table = readme.split("## Keys").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a section of keys");
    let keymap = Keymap::default();
    let known: BTreeSet<String> =
        keymap.bindings().iter().flat_map(|binding| binding.keys.iter().map(|key| key.label())).collect();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let keys: Vec<String> = rows.flat_map(|row| code(row.split('|').nth(1).unwrap_or_default())).collect();
    assert!(keys.len() > 10, "{keys:?}");
    for key in keys {
        // The one key that dialogs alone have.
        assert!(key == "y" || known.contains(&key), "README.md names the key {key:?}");
    }
}

#[test]
fn every_variable_that_a_text_names_is_read() {
    let source: String = sources(&root().join("src")).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let (man, ..) = run(&["man"], &[], None);
    for text in [text("README.md"), man.replace("\\-", "-")] {
        for (at, _) in text.match_indices("PILOTHOUSE_") {
            let name: String = text[at..].chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            let is_a_family = name == "PILOTHOUSE_";
            assert!(is_a_family || source.contains(&format!("\"{name}\"")), "{name} is named and never read");
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn the_manual_page_names_every_verb_and_every_action_and_no_other_verb() {
    let (page, errors, code) = run(&["man"], &[], None);
    assert_eq!((errors.as_str(), code), ("", 0));
    let page = page.replace("\\-", "-").replace("\\*(Aq", "'");
    for verb in verbs() {
        assert!(page.contains(&format!("\n\\fBpilothouse {verb}\\fR\n")), "{verb} is missing");
        let (verb_page, errors, code) = run(&["man", &verb], &[], None);
        assert_eq!((errors.as_str(), code), ("", 0), "{verb}");
        assert!(verb_page.contains(".SH SYNOPSIS"), "{verb}:\n{verb_page}");
        assert!(verb_page.contains(".SH \"EXIT STATUS\"") && verb_page.contains("\\fB18\\fR"), "{verb}:\n{verb_page}");
        assert!(!verb_page.contains("(1)"), "{verb} refers to a page that nobody has installed:\n{verb_page}");
    }
    for action in ACTIONS {
        assert!(page.contains(action.id) && page.contains(action.doc), "{} is missing", action.id);
    }
    for (at, found) in page.match_indices("`pilothouse ") {
        let verb: String = page[at + found.len()..].chars().take_while(char::is_ascii_lowercase).collect();
        assert!(verbs().contains(&verb), "the page names the verb {verb:?}");
    }
    for part in ["\\fB101\\fR", "\\fBPILOTHOUSE_CONTEXT\\fR\nstands in for --context", "\\fBPILOTHOUSE_LOG\\fR"] {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(!page.contains("(1)"), "the page refers to one that nobody has installed");
    let (_, errors, code) = run(&["man", "nxt"], &[], None);
    assert!(code == 2 && errors.contains("a similar value exists: 'next'"), "{errors}");
}

#[test]
fn five_shells_complete_every_verb() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (script, errors, code) = run(&["completions", shell], &[], None);
        assert_eq!((errors.as_str(), code), ("", 0), "{shell}");
        for verb in verbs() {
            assert!(script.contains(&verb), "{shell} does not know {verb}");
        }
    }
    assert_eq!(run(&["completions", "tcsh"], &[], None).2, 2);
}

/// Returns what the real bash offers after these words, `None` where there is no bash.
fn offered(words: &[&str]) -> Option<Vec<String>> {
    const ASK: &str = r#"source <("$P" completions bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _pilothouse pilothouse "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}" 2>/dev/null
        printf '%s\n' "${COMPREPLY[@]}""#;
    let mut bash = std::process::Command::new("bash");
    bash.args(["-c", ASK, "bash"]).args(words).env("P", env!("CARGO_BIN_EXE_pilothouse"));
    let output = bash.current_dir(root()).output().ok()?;
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn bash_offers_what_a_value_can_be() {
    for (line, expected, other) in [
        ("man st", "status", ""),
        ("theme check d", "dark16", "docs"),
        ("keymap show e", "emacs", ""),
        ("demo --scenario ", "bad-canary", "Cargo.toml"),
        ("--theme ", "auto", "Cargo.toml"),
        ("status --keymap ", "plain", "Cargo.toml"),
        ("status --time ", "local", "Cargo.toml"),
        ("status --context ", "", "Cargo.toml"),
        ("export customers -o ", "csv", "md"),
        ("export audit -o ", "md", "csv"),
    ] {
        let words: Vec<&str> = ["pilothouse"].into_iter().chain(line.split(' ')).collect();
        let Some(offered) = offered(&words) else { return };
        let has = |word: &str| offered.iter().any(|offer| offer == word);
        assert!(has(expected) && (other.is_empty() || !has(other)), "{line}: {offered:?}");
    }
}

#[test]
fn the_configuration_that_holds_says_where_it_comes_from() {
    let file = "[cluster]\nnamespace = 'trackx'\n[ui]\nkeymap = 'emacs'\n";
    let env = [("PILOTHOUSE_PLAN", "trackx"), ("NO_COLOR", "1")];
    let (text, errors, code) = run(&["config", "print", "--context", "weu"], &env, Some(file));
    assert_eq!((errors.as_str(), code), ("", 0));
    let ends = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key}:\n{text}"));
        line.split(" # ").nth(1).unwrap().to_owned()
    };
    assert_eq!(ends("context = \"weu\""), "flag --context");
    assert!(ends("namespace = \"trackx\"").ends_with("config.toml:2"));
    assert_eq!(ends("plan = \"trackx\""), "environment PILOTHOUSE_PLAN");
    assert_eq!(ends("theme = \"mono\""), "default: auto, NO_COLOR is set");
    assert!(ends("keymap = \"emacs\"").ends_with("config.toml:4"));
    assert_eq!(ends("time = \"utc\""), "default");
}

#[test]
fn every_mistake_of_the_configuration_is_said_at_once_with_its_line() {
    let file = "[cluster]\nnamspace = 'x'\n[ui]\ntheme = 'dork16'\ntime = 7\n";
    let (_, errors, code) = run(&["config", "print"], &[], Some(file));
    assert_eq!(code, 3);
    for part in
        ["config.toml:2: cluster.namspace is not known: did you mean namespace?", "config.toml:5: ui.time", "dork16"]
    {
        assert!(errors.contains(part), "{part} is missing in:\n{errors}");
    }
}

#[test]
fn a_keymap_is_checked_before_it_is_used() {
    let (said, errors, code) = run(&["keymap", "check"], &[], None);
    assert!(said.starts_with("default: ") && said.contains("can be used."), "{said}");
    assert_eq!((errors.as_str(), code), ("", 0));
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("mine.toml");
    let name = file.to_str().unwrap();
    fs::write(&file, "version = 1\ninherits = 'plain'\n[[key]]\non = 'ctrl-b'\nrun = 'view.page-up'\n").unwrap();
    let (said, _, code) = run(&["keymap", "check", name], &[], None);
    assert!(said.contains("1 to think about") && said.contains("tmux takes it"), "{said}");
    assert_eq!(code, 0);
    let wrong = "version = 1\ninherits = 'default'\nunbind = ['H']\n[[key]]\non = 'N'\nrun = 'wave.next'\n[[key]]\non = 'f9 n'\nrun = 'release.promote'\n";
    fs::write(&file, wrong).unwrap();
    let (_, errors, code) = run(&["keymap", "check", name], &[], None);
    assert_eq!(code, 3);
    for part in ["single key \"N\"", "\"F9 n\"", "release.hold has no single key"] {
        assert!(errors.contains(part), "{part} is missing in:\n{errors}");
    }
}

#[test]
fn every_keymap_of_the_program_can_be_shown() {
    for name in Keymap::names() {
        let (said, errors, code) = run(&["keymap", "show", name], &[], None);
        assert_eq!((errors.as_str(), code), ("", 0), "{name}");
        for action in ACTIONS {
            assert!(said.contains(action.id), "{} is missing in {name}", action.id);
        }
    }
    let (_, errors, code) = run(&["keymap", "show", "emcas"], &[], None);
    assert!(code == 3 && errors.contains("did you mean emacs?"), "{errors}");
}

#[test]
fn a_theme_is_checked_before_it_is_used_and_every_one_of_the_program_passes() {
    for name in Theme::names() {
        let (said, errors, code) = run(&["theme", "check", name], &[], None);
        assert!(said.starts_with(&format!("{name}: 9 roles on #")), "{said}");
        assert_eq!((errors.as_str(), code), ("", 0), "{name}");
        let (said, errors, code) = run(&["theme", "show", name], &[], None);
        assert_eq!((errors.as_str(), code, said.lines().count()), ("", 0, 11), "{name}");
    }
    let (said, errors, code) = run(&["theme", "list"], &[], None);
    assert_eq!((errors.as_str(), code, said.lines().count()), ("", 0, Theme::names().count()));
    let (said, ..) = run(&["theme", "check"], &[("NO_COLOR", "1")], Some("[ui]\ntheme = 'tritan'\n"));
    assert!(said.starts_with("tritan: "), "{said}");
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("mine.toml");
    let name = file.to_str().unwrap();
    fs::write(&file, "version = 1\ninherits = 'light16'\n[role.ok]\nfg = 'green'\n[role.new]\nfg = 'cyan'\n").unwrap();
    let (_, errors, code) = run(&["theme", "check", name], &[], None);
    assert_eq!(code, 3);
    for part in ["role.ok has a contrast of 2.2", "role.new has a contrast of 2.0"] {
        assert!(errors.contains(part), "{part} is missing in:\n{errors}");
    }
    fs::write(&file, "version = 1\nbackground = 'white'\n[role.ok]\nfg = 'grene'\n").unwrap();
    let (_, errors, code) = run(&["theme", "check", name], &[], None);
    assert!(code == 3 && errors.contains("use #rrggbb") && errors.contains("grene"), "{errors}");
    let (_, errors, code) = run(&["theme", "show", "tritn"], &[], None);
    assert!(code == 3 && errors.contains("did you mean tritan?"), "{errors}");
}

#[test]
fn status_of_an_api_server_that_does_not_answer_says_so_with_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("config");
    // Nobody listens on a port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let written = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: away\n\
         clusters: [{{ name: away, cluster: {{ server: 'http://127.0.0.1:{port}' }} }}]\n\
         contexts: [{{ name: away, context: {{ cluster: away, user: nobody }} }}]\n\
         users: [{{ name: nobody, user: {{}} }}]\n"
    );
    fs::write(&kubeconfig, written).unwrap();
    let (said, why, code) = run(&["status", "-n", "shop", "--kubeconfig", kubeconfig.to_str().unwrap()], &[], None);
    assert_eq!(code, 15, "{said}{why}");
    assert!(said.contains("state NO CLUSTER") && said.contains("who drives is not known"), "{said}");
    assert!(!said.contains("nobody drives") && !said.contains("customers"), "{said}");
}

#[test]
fn a_mistake_in_the_look_stops_no_verb() {
    let place = tempfile::tempdir().unwrap();
    let nowhere = place.path().join("kubeconfig");
    let nowhere = nowhere.to_str().unwrap();
    let file = Some("[ui]\ntheme = 'drak16'\n");
    let verbs: [&[&str]; 4] = [&["rollback"], &["rollback", "--break-glass"], &["hold"], &["status"]];
    for verb in verbs {
        let (_, errors, _) = run(&[verb, &["--kubeconfig", nowhere]].concat(), &[], file);
        assert!(errors.contains("warning: theme \"drak16\""), "{verb:?}: {errors}");
        assert!(errors.contains("there is no kubeconfig"), "{verb:?} went on: {errors}");
    }
    let (_, errors, code) = run(&["watch", "--kubeconfig", nowhere], &[], file);
    assert!(code == 3 && errors.contains("refused: theme") && !errors.contains("kubeconfig"), "{errors}");
}
