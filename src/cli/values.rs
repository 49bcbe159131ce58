//! The command line with what its values can be: for completions, for clap's own answers, and for text that is none.

use super::args::Cli;
use super::machine;
use crate::config;
use crate::sim::Scenario;
use crate::ui::{Keymap, Theme};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command, CommandFactory, Error, ValueHint};
use std::ffi::OsStr;

/// Returns the command line as it is read and completed.
pub(super) fn command() -> Command {
    let around = machine::surroundings();
    let of = |names: Vec<String>, kind: &str| -> Vec<String> {
        names.into_iter().chain(config::own(kind, &around)).collect()
    };
    let themes = of(Theme::names().map(str::to_owned).collect(), "theme");
    let keymaps = of(Keymap::names().map(str::to_owned).collect(), "keymap");
    let scenarios: Vec<String> = Scenario::shipped().iter().map(|(name, _)| (*name).to_owned()).collect();
    let auto = [vec!["auto".to_owned()], themes.clone()].concat();
    let zones = vec!["utc".to_owned(), "local".to_owned()];
    let command = Cli::command();
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    // One by one they would change places in the help.
    command
        .mut_args(|arg| match arg.get_id().as_str() {
            "theme" => named(arg, &auto),
            "keymap" => named(arg, &keymaps),
            "time" => named(arg, &zones).value_hint(ValueHint::Other),
            "context" | "namespace" => arg.value_parser(Text).value_hint(ValueHint::Other),
            "plan" => arg.value_parser(Text),
            "metrics_url" => arg.value_parser(Text).value_hint(ValueHint::Url),
            _ => arg,
        })
        .mut_subcommands(|verb| match verb.get_name() {
            "demo" => with_names(verb, "scenario", &scenarios),
            "theme" => verb.mut_subcommands(|verb| with_names(verb, "file", &themes)),
            "keymap" => verb.mut_subcommands(|verb| with_names(verb, "file", &keymaps)),
            "man" => verb.mut_args(|arg| one_of(arg, &verbs)),
            _ => verb,
        })
}

fn with_names(command: Command, id: &str, names: &[String]) -> Command {
    command.mut_args(|arg| if arg.get_id() == id { named(arg, names) } else { arg })
}

fn named(arg: Arg, names: &[String]) -> Arg {
    // With the hint for files alone, bash would take all names for one.
    arg.value_parser(Suggested(names.to_vec())).value_hint(ValueHint::AnyPath).hide_possible_values(true)
}

fn one_of(arg: Arg, words: &[String]) -> Arg {
    arg.value_parser(PossibleValuesParser::new(words)).hide_possible_values(true)
}

/// A name of which some are known; a file, or a name that is not known here, is for the verb to judge.
///
/// What is no text becomes a name that nothing has: how a console looks must never stop a rollback.
#[derive(Clone)]
struct Suggested(Vec<String>);

impl TypedValueParser for Suggested {
    type Value = String;

    fn parse_ref(&self, _: &Command, _: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        Ok(value.to_string_lossy().into_owned())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}

/// A text; what is none is refused by the name of its flag and of its variable.
#[derive(Clone)]
struct Text;

impl TypedValueParser for Text {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        if let Some(text) = value.to_str() {
            return Ok(text.to_owned());
        }
        let flag = arg.and_then(Arg::get_long).map(|flag| format!("--{flag}"));
        let variable = arg.and_then(Arg::get_env).map(|name| name.to_string_lossy().into_owned());
        let names: Vec<String> = flag.into_iter().chain(variable).collect();
        let text = format!("{} is {:?}, which is not UTF-8\n", names.join(" or "), value.to_string_lossy());
        Err(Error::raw(ErrorKind::InvalidUtf8, text).with_cmd(command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
        let help = |mut command: Command| command.render_long_help().to_string();
        assert_eq!(help(command()), help(Cli::command()), "nothing changes its place");
    }

    #[test]
    fn names_are_suggestions_and_a_file_is_taken_as_well() {
        for line in ["theme check ./mine.toml", "keymap show mine", "demo --scenario ./x.toml", "--theme mine status"] {
            let words = ["pilothouse"].into_iter().chain(line.split(' '));
            assert!(command().try_get_matches_from(words).is_ok(), "{line}");
        }
        let error = command().try_get_matches_from(["pilothouse", "man", "nxt"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("a similar value exists: 'next'"), "{error}");
    }

    #[test]
    fn what_is_no_text_names_its_flag_and_variable_and_is_no_hindrance_in_the_look() {
        let bad = OsStr::from_bytes(b"a\xff");
        let read = |flag: &str| command().try_get_matches_from([OsStr::new("pilothouse"), OsStr::new(flag), bad]);
        let error = read("--namespace").unwrap_err();
        assert!(error.to_string().contains("--namespace or PILOTHOUSE_NAMESPACE is \"a\u{fffd}\""), "{error}");
        assert_eq!(error.exit_code(), 2);
        assert!(read("--theme").is_ok() && read("--time").is_ok());
    }
}
