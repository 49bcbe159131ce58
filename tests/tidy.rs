//! The rules of the project that a compiler does not know: layers, purity, size, and what is never in a tracked file.

use pilothouse::api::Pattern;
use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first. A module imports lower layers only; modules of one inner list are one family and may
/// import each other.
const LAYERS: &[&[&[&str]]] = &[
    &[&["model"]],
    &[&["api"]],
    &[&["routing"], &["gate"]],
    &[&["core"]],
    &[&["ui"], &["cluster", "metrics"], &["sim"]],
    &[&["runtime"], &["telemetry"], &["config"]],
    &[&["cli"]],
];

/// Layers that only compute: the same input gives the same output, anywhere.
const PURE: &[&str] = &["model", "routing", "gate", "core", "api"];

/// What a pure layer never names. `api` alone derives its custom resources with kube.
const IMPURE: &[&str] = &[
    "kube::",
    "ratatui",
    "crossterm",
    "tokio",
    "reqwest",
    "rand::",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
];

/// Everything at the top of the repository; whoever adds an entry says here that it is wanted.
const TOP: &[&str] = &[
    ".ci",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "assets",
    "benches",
    "clippy.toml",
    "deny.toml",
    "docs",
    "justfile",
    "keymaps",
    "rustfmt.toml",
    "src",
    "tests",
    "themes",
];

const LONGEST_FILE: usize = 500;

#[test]
fn imports_go_down_only() {
    let mut found = Vec::new();
    for file in sources("src") {
        let Some(own) = module_of(&file.path) else { continue };
        for name in imported_modules(&file) {
            if !may_import(own, &name) {
                found.push(format!("{}: {own} imports {name}", file.path.display()));
            }
        }
    }
    assert_none(&found, "imports that do not go down");
}

#[test]
fn every_module_of_the_library_has_a_layer() {
    let known: Vec<&str> =
        LAYERS.iter().flat_map(|layer| layer.iter()).flat_map(|family| family.iter().copied()).collect();
    let mut found = Vec::new();
    for file in sources("src") {
        if let Some(own) = module_of(&file.path)
            && !known.contains(&own)
        {
            found.push(format!("{}: {own} is in no layer", file.path.display()));
        }
    }
    assert_none(&found, "modules without a layer");
}

#[test]
fn pure_layers_do_not_touch_the_world() {
    let mut found = Vec::new();
    for file in sources("src") {
        let Some(own) = module_of(&file.path).filter(|own| PURE.contains(own)) else { continue };
        for (number, line) in code_lines(&file.text) {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                let derives = own == "api" && *word == "kube::" && !line.contains("kube::Client");
                let k8s_time = *word == "kube::" && line.contains("k8s_openapi");
                if !derives && !k8s_time {
                    found.push(format!("{}:{number}: {word}", file.path.display()));
                }
            }
        }
    }
    assert_none(&found, "impure words in pure layers");
}

#[test]
fn decisions_know_no_controller_by_name() {
    let mut words = vec!["envoy", "contour", "istio", "azure", "nginx", "traefik", "cilium", "haproxy"];
    for provider in &pilothouse::api::PROVIDERS {
        words.extend(provider.controllers.iter().map(|pattern| match pattern {
            Pattern::Is(text) | Pattern::Holds(text) => *text,
        }));
        words.push(provider.name);
    }
    let mut found = Vec::new();
    for file in sources("src") {
        let is_decision = module_of(&file.path).is_some_and(|own| ["core", "routing"].contains(&own));
        // The sentences that people read name them, from the table; these tests say the sentences.
        if !is_decision || file.path.ends_with("core/gateway/tests.rs") {
            continue;
        }
        for (number, line) in file.text.lines().enumerate() {
            let line = line.to_lowercase();
            for word in words.iter().filter(|word| line.contains(&word.to_lowercase())) {
                found.push(format!("{}:{}: {word}", file.path.display(), number + 1));
            }
        }
    }
    assert_none(
        &found,
        "controllers known by name; what differs between them belongs into the table of api::providers",
    );
}

#[test]
fn the_clock_is_an_argument_below_the_command_line() {
    let mut found = Vec::new();
    for file in sources("src") {
        if module_of(&file.path).is_none_or(|own| own == "cli") {
            continue;
        }
        for (number, line) in code_lines(&file.text) {
            for word in ["Timestamp::now(", "Zoned::now(", "SystemTime::now(", "std::time::Instant"] {
                if line.contains(word) {
                    found.push(format!("{}:{number}: {word}", file.path.display()));
                }
            }
        }
    }
    assert_none(&found, "clocks below the command line");
}

#[test]
fn only_the_command_line_prints() {
    let mut found = Vec::new();
    for file in sources("src") {
        if module_of(&file.path).is_none_or(|own| own == "cli") {
            continue;
        }
        for (number, line) in code_lines(&file.text) {
            if ["println!(", "print!(", "dbg!("].iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{number}: {}", file.path.display(), line.trim()));
            }
        }
    }
    assert_none(&found, "prints");
}

#[test]
fn files_fit_in_a_readers_head() {
    let mut found = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for file in sources(folder) {
            let lines = file.text.lines().count();
            if lines > LONGEST_FILE {
                found.push(format!("{}: {lines} lines", file.path.display()));
            }
        }
    }
    assert_none(&found, "files that are too long");
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("unimple", "mented!"),
        concat!("to", "do!("),
        concat!("allow(dead", "_code)"),
        concat!("allow(un", "used"),
    ];
    let mut found = Vec::new();
    for file in sources("src").into_iter().chain(sources("tests")).chain(sources("benches")) {
        for (number, line) in file.text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                found.push(format!("{}:{}: {word}", file.path.display(), number + 1));
            }
        }
    }
    assert_none(&found, "things left for later");
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let words = [
        concat!("/wo", "rk/"),
        concat!("/tmp", "/wt"),
        concat!("/tmp", "/brief"),
        concat!("/ro", "ot/"),
        concat!("index.crates", ".io"),
        concat!("static.crates", ".io"),
        concat!("proxy.golang", ".org"),
        concat!("pypi", ".org"),
        concat!("deb.debian", ".org"),
    ];
    let mut found = Vec::new();
    for path in tracked_files(&root()) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                found.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    assert_none(&found, "machine paths and registry hosts");
}

#[test]
fn the_top_level_holds_what_is_known() {
    let mut found = Vec::new();
    for entry in fs::read_dir(root()).expect("the repository can be read") {
        let name = entry.expect("an entry can be read").file_name().to_string_lossy().into_owned();
        let is_of_a_tool = name == "target" || (name.starts_with('.') && !TOP.contains(&name.as_str()));
        if !is_of_a_tool && !TOP.contains(&name.as_str()) {
            found.push(name);
        }
    }
    assert_none(&found, "unknown top-level entries");
}

#[test]
fn the_layer_rule_itself_can_fail() {
    assert!(may_import("core", "model") && may_import("metrics", "cluster") && may_import("cli", "sim"));
    assert!(!may_import("model", "core") && !may_import("sim", "cluster") && !may_import("gate", "routing"));
    let file = |path: &str, text: &str| Source { path: PathBuf::from(path), text: text.into() };
    let names = |path: &str, text: &str| imported_modules(&file(path, text));
    assert_eq!(names("src/ui/main.rs", "use crate::{core::{View}, model::Side};\n"), ["core", "model"]);
    assert_eq!(names("src/ui/main.rs", "let x = crate::sim::Sim::start();"), ["sim"]);
    assert_eq!(names("src/ui/main.rs", "// crate::sim is below\nuse super::panel;"), Vec::<String>::new());
    assert_eq!(names("src/ui/mod.rs", "use super::sim::Sim;"), ["sim"]);
}

struct Source {
    path: PathBuf,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<Source> {
    tracked_files(&root().join(folder))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source file is text");
            Source { path: path.strip_prefix(root()).map(Path::to_path_buf).unwrap_or(path), text }
        })
        .collect()
}

/// Lists files below a folder, without what tools leave there.
fn tracked_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return files };
    for entry in entries {
        let path = entry.expect("an entry can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match path.is_dir() {
            true if name == "target" || name == ".git" => {}
            true => files.extend(tracked_files(&path)),
            false if name == ".git" => {}
            false => files.push(path),
        }
    }
    files.sort();
    files
}

/// Returns the top module a file belongs to; `None` for the crate's own roots.
fn module_of(path: &Path) -> Option<&str> {
    let first = path.strip_prefix("src").ok()?.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then_some(name)
}

fn may_import(own: &str, other: &str) -> bool {
    let place = |name: &str| {
        LAYERS.iter().enumerate().find_map(|(level, families)| {
            families.iter().position(|family| family.contains(&name)).map(|family| (level, family))
        })
    };
    match (place(own), place(other)) {
        (Some(own), Some(other)) => other.0 < own.0 || other == own,
        _ => false,
    }
}

/// Returns the top modules that a file names, its own left out.
fn imported_modules(file: &Source) -> Vec<String> {
    let code: String = code_lines(&file.text).into_iter().map(|(_, line)| format!("{line}\n")).collect();
    let own = module_of(&file.path).unwrap_or_default();
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let is_a_word = code[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
        if is_a_word {
            names.extend(first_segments(&code[at + "crate::".len()..]));
        }
    }
    let is_module_root = file.path.components().count() == 2 || file.path.ends_with(Path::new(own).join("mod.rs"));
    if is_module_root {
        let outside_tests = code.split("#[cfg(test)]").next().unwrap_or_default();
        for (at, _) in outside_tests.match_indices("super::") {
            names.extend(first_segments(&outside_tests[at + "super::".len()..]));
        }
    }
    names.retain(|name| name != own);
    names
}

/// Returns the first path segments of what follows `crate::`: one, or each of a `{..}` group.
fn first_segments(rest: &str) -> Vec<String> {
    let word =
        |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = rest.trim_start().strip_prefix('{') else { return vec![word(rest)] };
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(word(&group[start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(word(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Returns the numbered lines of a file without comments.
fn code_lines(text: &str) -> Vec<(usize, &str)> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line.split(" // ").next().unwrap_or(line)))
        .collect()
}

fn assert_none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}
