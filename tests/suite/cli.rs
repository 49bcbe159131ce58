//! The command line: what it accepts, what its help says, and that nothing is documented which does not exist.

use clap::{CommandFactory, Parser};
use pilothouse::cli::{Cli, EXIT_CODES, Verb};
use pilothouse::core::{ACTIONS, Role};
use std::fs;
use std::path::{Path, PathBuf};

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn verbs() -> Vec<String> {
    Cli::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect()
}

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_help_of_every_verb_is_as_it_was_read_and_agreed() {
    let mut help = Cli::command().term_width(100).render_long_help().to_string();
    for verb in verbs() {
        let mut command = Cli::command().term_width(100);
        command.build();
        let command = command.find_subcommand_mut(&verb).unwrap();
        help.push_str(&format!("\n\n======== {verb}\n{}", command.render_long_help()));
    }
    let help: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let golden = file("tests/suite/help.txt");
    if std::env::var_os("PILOTHOUSE_BLESS").is_some() {
        fs::write(&golden, &help).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert!(help == expected, "the help has changed: read it, then bless it with PILOTHOUSE_BLESS=1\n{help}");
}

#[test]
fn every_operating_action_has_a_verb_and_every_named_verb_exists() {
    for row in ACTIONS {
        match row.verb {
            // Taking over alone is for a screen; on the command line it comes with the step it is for.
            Some("take") => assert!(parse("pilothouse next --take reason").is_ok()),
            Some(verb) => assert!(verbs().contains(&verb.to_owned()), "{verb} of {} is missing", row.id),
            None => assert!(row.role == Role::Look || row.id == "view.menu", "{} has no verb", row.id),
        }
    }
}

#[test]
fn a_verb_says_what_its_action_says() {
    for verb in Cli::command().get_subcommands() {
        if let Some(row) = ACTIONS.iter().find(|row| row.verb == Some(verb.get_name())) {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            let doc = row.doc.trim_end_matches('.');
            assert!(doc.starts_with(about.as_str()), "{}: {about:?} is not {doc:?}", verb.get_name());
        }
    }
}

#[test]
fn the_readme_names_every_verb_and_no_other() {
    let readme = fs::read_to_string(file("README.md")).unwrap();
    for verb in verbs() {
        let is_named = readme.contains(&format!("`pilothouse {verb}")) || readme.contains(&format!("`{verb}`"));
        assert!(is_named, "README.md does not name {verb}");
    }
    for (_, rest) in readme.match_indices("`pilothouse ").map(|(at, m)| (at, &readme[at + m.len()..])) {
        let word: String = rest.chars().take_while(|c| c.is_ascii_lowercase()).collect();
        let is_known = word.is_empty() || word == "help" || verbs().contains(&word);
        assert!(is_known, "README.md names the verb {word:?}");
    }
}

#[test]
fn flags_of_the_cluster_are_taken_before_and_after_the_verb() {
    for line in ["pilothouse --context weu -n shop status", "pilothouse status --context weu -n shop"] {
        let wanted = parse(line).unwrap().wanted();
        assert_eq!((wanted.context.as_deref(), wanted.namespace.as_deref()), (Some("weu"), Some("shop")));
    }
}

#[test]
fn a_commit_needs_its_time_and_a_phrase_its_reason() {
    assert!(parse("pilothouse start 4.12.0 --commit abc").is_err());
    assert!(parse("pilothouse start 4.12.0 --commit abc --commit-time 2026-05-04T03:02:01Z").is_ok());
    assert!(parse("pilothouse start 4.12.0 --commit abc --commit-time yesterday").is_err());
    assert!(parse("pilothouse finish --phrase x").is_err());
    assert!(parse("pilothouse start").is_err(), "a start needs its version");
}

#[test]
fn hold_and_rollback_need_no_reason_and_no_confirmation() {
    for line in ["pilothouse hold", "pilothouse rollback"] {
        assert!(matches!(parse(line).unwrap().verb, Some(Verb::Hold(_) | Verb::Rollback(_))));
        assert!(parse(&format!("{line} --yes y")).is_err(), "there is nothing to confirm");
    }
}

#[test]
fn the_help_names_the_exit_codes() {
    assert!(Cli::command().render_long_help().to_string().contains(EXIT_CODES.lines().last().unwrap()));
}

#[test]
fn a_variable_that_is_empty_counts_as_not_set() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("config.toml"), "[ui]\ntime = \"local\"\n").unwrap();
    let command = Cli::command();
    let flags: Vec<_> = command.get_arguments().filter_map(|flag| flag.get_env()).collect();
    assert!(flags.len() > 7, "{flags:?}");
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_pilothouse"));
    program.args(["config", "print"]).env("HOME", place.path()).env("PILOTHOUSE_CONFIG_DIR", place.path());
    let output = program.envs(flags.iter().map(|name| (name, ""))).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("time = \"local\"") && !text.contains("environment"), "{text}");
}
