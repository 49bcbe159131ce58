//! What this machine says: time, person, environment, a number that no other console has.

use super::clock;
use super::code::{Code, Failure};
use crate::config::{self, Settings, Surroundings};
use crate::model::Timestamp;
use crate::runtime::{Between, Clock, Manners};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Returns the machine's clock, which never goes back while this program runs.
pub(super) fn clock() -> Clock {
    clock::steady(Timestamp::now)
}

/// Reads an environment variable; one that is empty, or no text, counts as not set.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Tells whether a variable is set to nothing, as a script sets it that has no value.
pub(super) fn is_empty(name: &OsStr) -> bool {
    std::env::var_os(name).is_some_and(|value| value.is_empty())
}

/// Returns `user@host` of the person at the keyboard.
pub(super) fn person() -> String {
    let user = variable("USER").or_else(|| variable("LOGNAME"));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| variable("HOSTNAME"));
    let host = host.map(|host| host.trim().to_owned()).filter(|host| !host.is_empty());
    format!("{}@{}", user.as_deref().unwrap_or("someone"), host.as_deref().unwrap_or("somewhere"))
}

/// Draws sixteen hexadecimal digits that no other console has.
pub(super) fn session() -> Result<String, Failure> {
    Ok(random::<8>()?.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Draws bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0_u8; N];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| Failure::new(Code::Fault, format!("draw random bytes from /dev/urandom: {error}")))?;
    Ok(bytes)
}

/// Returns the program that stands between this one and the terminal.
pub(super) fn between() -> Between {
    match (variable("TMUX"), variable("STY")) {
        (Some(_), _) => Between::Tmux,
        (None, Some(_)) => Between::Screen,
        (None, None) => Between::Nothing,
    }
}

/// Tells whether the terminal takes operating system commands: consoles that do not would print them.
pub(super) fn takes_commands() -> bool {
    let term = variable("TERM").unwrap_or_default();
    !matches!(term.as_str(), "" | "dumb" | "linux") && !term.starts_with("vt")
}

/// Returns what goes out beside pictures on this machine.
pub(super) fn manners(settings: &Settings, state: Option<&Path>) -> Manners {
    Manners {
        between: between(),
        title: settings.title && takes_commands(),
        clipboard: takes_commands(),
        bell: settings.bell,
        asks_background: settings.look.auto && takes_commands(),
        exports: settings.exports.clone().or_else(|| state.map(|folder| folder.join("exports"))),
        home: variable("HOME").map(PathBuf::from),
    }
}

/// Returns what configuration needs to know of the machine.
pub(super) fn surroundings() -> Surroundings {
    Surroundings {
        folder: config::folder(variable("PILOTHOUSE_CONFIG_DIR").as_deref()),
        no_color: variable("NO_COLOR").is_some(),
        is_utf8: config::is_utf8_locale(variable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_sessions_are_the_same() {
        let (one, two) = (session().unwrap(), session().unwrap());
        assert_eq!(one.len(), 16);
        assert!(one != two && one.chars().all(|c| c.is_ascii_hexdigit()));
    }
}
