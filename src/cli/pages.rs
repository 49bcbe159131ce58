//! Completions and manual pages, made of the same command line, actions and keys as everything else.

use super::code::{Code, EXIT_CODES, Failure};
use super::{keymap, values};
use crate::core::ActionSpec;
use crate::ui::{Binding, Keymap};
use clap::{Arg, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
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

/// A list without rows.
const NOTHING: &[(&str, &str)] = &[];

/// Writes a shell's completions.
pub(super) fn completions(shell: Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut values::command(), "pilothouse", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes the manual page of the program, or of one verb.
///
/// # Errors
/// Fails only if there is no verb of that name, which the command line has refused already.
pub(super) fn man(verb: Option<&str>) -> Result<String, Failure> {
    let fault = |error: io::Error| Failure::new(Code::Fault, format!("write the manual page: {error}"));
    let mut program = values::command();
    program.build();
    let mut page = Vec::new();
    match verb {
        None => program_page(program, &mut page).map_err(fault)?,
        Some(name) => {
            let verb = program.find_subcommand(name);
            let verb = verb.ok_or_else(|| fault(io::Error::other(format!("there is no verb {name:?}"))))?;
            verb_page(name, verb.clone(), &mut page).map_err(fault)?;
        }
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn program_page(program: Command, page: &mut Vec<u8>) -> io::Result<()> {
    let twins: Vec<(String, String)> = program.get_arguments().filter_map(twin).collect();
    let others = VARIABLES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let variables: Vec<(String, String)> = twins.into_iter().chain(others).collect();
    begin(program.clone(), page)?;
    commands_section("pilothouse", &program, page)?;
    let man = Man::new(program);
    man.render_options_section(page)?;
    list_section("KEYS", "The default keymap. `pilothouse keymap show` prints the one that holds.", &keys(), page)?;
    list_section("FILES", "", FILES, page)?;
    list_section("ENVIRONMENT", "A flag wins over its variable.", &variables, page)?;
    codes_section(page)?;
    man.render_version_section(page)
}

fn verb_page(name: &str, verb: Command, page: &mut Vec<u8>) -> io::Result<()> {
    begin(verb.clone(), page)?;
    commands_section(&format!("pilothouse {name}"), &verb, page)?;
    Man::new(verb).render_options_section(page)?;
    codes_section(page)?;
    list_section("SEE ALSO", "`pilothouse man` has keys, files and environment variables.", NOTHING, page)
}

fn begin(command: Command, page: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command);
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)
}

/// Lists what can follow a command; nobody installs a page for each, so it is said how to see one.
fn commands_section(before: &str, command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let rows: Vec<(String, String)> = command
        .get_subcommands()
        .filter(|verb| verb.get_name() != "help")
        .map(|verb| {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            (format!("{before} {}", verb.get_name()), about)
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    list_section("COMMANDS", "`pilothouse man VERB` prints the page of a verb.", &rows, page)
}

/// Returns the variable that stands in for a flag.
fn twin(arg: &Arg) -> Option<(String, String)> {
    let variable = arg.get_env()?.to_string_lossy().into_owned();
    Some((variable, format!("stands in for --{}", arg.get_long()?)))
}

fn keys() -> Vec<(String, String)> {
    let row = |binding: &Binding| {
        let ActionSpec { id, doc, .. } = binding.action.spec();
        (binding.label(), format!("{id} ({}): {doc}", keymap::place(binding.place)))
    };
    Keymap::default().bindings().iter().map(row).collect()
}

fn codes_section(page: &mut Vec<u8>) -> io::Result<()> {
    let rows: Vec<(&str, &str)> = EXIT_CODES.lines().filter_map(|line| line.trim().split_once("  ")).collect();
    list_section("EXIT STATUS", "", &rows, page)
}

fn list_section<T: AsRef<str>>(title: &str, head: &str, rows: &[(T, T)], page: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    if !head.is_empty() {
        roff.text([roman(head)]);
    }
    for (name, text) in rows {
        roff.control("TP", []);
        roff.text([bold(name.as_ref())]);
        roff.text([roman(text.as_ref())]);
    }
    roff.to_writer(page)
}
