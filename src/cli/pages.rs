//! Completions and manual pages, made of the same command line, actions and keys as everything else.

use super::args::Cli;
use super::code::{Code, Failure};
use super::keymap;
use crate::config::nearest;
use crate::ui::Keymap;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::io;

/// The files a person may want to know of, and what they hold.
const FILES: &[(&str, &str)] = &[
    (
        "$XDG_CONFIG_HOME/pilothouse/config.toml",
        "what differs on this machine; `pilothouse config print` says what holds and why",
    ),
    ("$XDG_CONFIG_HOME/pilothouse/keymaps/NAME.toml", "keymaps of your own; `pilothouse keymap check FILE` reads one"),
    ("$XDG_CONFIG_HOME/pilothouse/themes/NAME.toml", "themes of your own"),
    ("$XDG_STATE_HOME/pilothouse/", "logs of seven days and reports of failures, readable for you alone"),
];

/// Variables that are not the twin of a flag.
const VARIABLES: &[(&str, &str)] = &[
    ("PILOTHOUSE_CONFIG_DIR", "the folder of config.toml, keymaps and themes, instead of the usual one"),
    ("PILOTHOUSE_STATE_DIR", "the folder of logs and reports, instead of the usual one"),
    ("PILOTHOUSE_LOG", "what is logged, such as pilothouse=debug"),
    ("NO_COLOR", "draw without colours, unless a theme is chosen"),
];

/// Writes a shell's completions.
pub(super) fn completions(shell: Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pilothouse", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes the manual page of the program, or of one verb.
///
/// # Errors
/// Names the nearest verb when there is none of that name.
pub(super) fn man(verb: Option<&str>) -> Result<String, Failure> {
    let mut program = Cli::command();
    program.build();
    let page = match verb {
        None => program_page(program),
        Some(verb) => verb_page(verb_of(program, verb)?),
    };
    page.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|error| Failure::new(Code::Fault, format!("write the manual page: {error}")))
}

fn verb_of(program: Command, name: &str) -> Result<Command, Failure> {
    if let Some(verb) = program.get_subcommands().find(|verb| verb.get_name() == name) {
        return Ok(verb.clone());
    }
    let known: Vec<&str> = program.get_subcommands().map(Command::get_name).collect();
    let hint = match nearest(name, &known) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known are {}", known.join(", ")),
    };
    Err(Failure::new(Code::Configuration, format!("there is no verb {name:?}: {hint}")))
}

fn program_page(program: Command) -> io::Result<Vec<u8>> {
    let man = Man::new(program);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    man.render_options_section(&mut page)?;
    keys_section(&mut page)?;
    list_section("FILES", FILES, &mut page)?;
    list_section("ENVIRONMENT", VARIABLES, &mut page)?;
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

fn verb_page(verb: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(verb).render(&mut page)?;
    Ok(page)
}

fn keys_section(page: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", ["KEYS"]);
    roff.text([roman("The default keymap. `pilothouse keymap show` prints the one that holds.")]);
    roff.control("nf", []);
    roff.text(keymap::table(&Keymap::default()).lines().map(|line| roman(format!("{line}\n"))).collect::<Vec<_>>());
    roff.control("fi", []);
    roff.to_writer(page)
}

fn list_section(title: &str, rows: &[(&str, &str)], page: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (name, text) in rows {
        roff.control("TP", []);
        roff.text([clap_mangen::roff::bold(*name)]);
        roff.text([roman(*text)]);
    }
    roff.to_writer(page)
}
