//! Themes: each meaning has a colour, a weight, a glyph and the glyph's ASCII twin, so that none is told by colour alone.

mod check;

use crate::model::Finding;
use ratatui::style::{Color, Modifier, Style};
use std::str::FromStr;
use unicode_width::UnicodeWidthStr;

/// What a text means; themes say how that looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
    /// The version that served when the release started.
    Old,
    /// The version being released.
    New,
    /// Open work that is being waited for.
    Drain,
    /// In the background.
    Dim,
    /// What the keyboard points at.
    Focus,
    /// Words that must not be overlooked: production, stale, hold.
    Danger,
}

impl Role {
    /// Every role, in the order of theme files.
    pub const ALL: [Self; 9] =
        [Self::Ok, Self::Warn, Self::Bad, Self::Old, Self::New, Self::Drain, Self::Dim, Self::Focus, Self::Danger];

    /// Returns the name theme files use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Old => "old",
            Self::New => "new",
            Self::Drain => "drain",
            Self::Dim => "dim",
            Self::Focus => "focus",
            Self::Danger => "danger",
        }
    }
}

/// How every role looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    name: String,
    /// What it is made for; nothing paints it.
    background: u32,
    looks: [Appearance; Role::ALL.len()],
}

#[derive(Clone, Debug, PartialEq)]
struct Appearance {
    fg: Option<Color>,
    mods: Modifier,
    glyph: String,
    ascii: String,
}

/// Which colours a theme uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Palette {
    /// None.
    None,
    /// The sixteen that every terminal knows.
    Sixteen,
    /// Those of the table of 256.
    Indexed,
    /// Any, by red, green and blue.
    True,
}

impl Palette {
    /// Says it in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "no colour",
            Self::Sixteen => "16 colours",
            Self::Indexed => "256 colours",
            Self::True => "true colour",
        }
    }
}

/// The deepest chain of `inherits`.
const MAX_DEPTH: usize = 8;

const EMBEDDED: &[(&str, &str)] = &[
    ("base", include_str!("../../themes/base.toml")),
    ("dark16", include_str!("../../themes/dark16.toml")),
    ("light16", include_str!("../../themes/light16.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("deutan", include_str!("../../themes/deutan.toml")),
    ("tritan", include_str!("../../themes/tritan.toml")),
    ("truecolor-dark", include_str!("../../themes/truecolor-dark.toml")),
    ("truecolor-light", include_str!("../../themes/truecolor-light.toml")),
];

impl Theme {
    /// The theme of `auto` on a dark background, or on one that is not known.
    pub const DARK: &str = "dark16";
    /// The theme of `auto` on a light background.
    pub const LIGHT: &str = "light16";

    /// Names the themes inside the program that a person can choose.
    pub fn names() -> impl Iterator<Item = &'static str> {
        EMBEDDED.iter().map(|(name, _)| *name).filter(|name| *name != "base")
    }

    /// Returns the text of a theme inside the program; a template for one's own.
    pub fn embedded(name: &str) -> Option<&'static str> {
        EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// Reads a theme inside the program.
    ///
    /// # Errors
    /// Names the themes there are when `name` is none of them.
    pub fn builtin(name: &str) -> Result<Self, Vec<Finding>> {
        let Some(text) = Self::embedded(name) else {
            let known: Vec<&str> = Self::names().collect();
            let text = format!("there is no theme {name:?}; built in are {}", known.join(", "));
            return Err(vec![Finding::refuse("theme.unknown", text)]);
        };
        Self::parse(name, text, |_| None)
    }

    /// Reads a theme file; `lookup` finds the text of the theme it inherits from, before the built-in ones are asked.
    ///
    /// # Errors
    /// Returns all findings at once.
    pub fn parse(name: &str, text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<Finding>> {
        let mut findings = Vec::new();
        let mut theme = Self::bare(name);
        let mut chain = vec![(name.to_owned(), text.to_owned())];
        let mut tables = Vec::new();
        while let Some((name, text)) = chain.pop() {
            let table = match text.parse::<toml::Table>() {
                Ok(table) => table,
                Err(e) => {
                    let text = format!("theme {name:?} cannot be read: {}", e.message());
                    findings.push(Finding::refuse("theme.unreadable", text));
                    break;
                }
            };
            if let Some(parent) = table.get("inherits").and_then(toml::Value::as_str) {
                match lookup(parent).or_else(|| Self::embedded(parent).map(str::to_owned)) {
                    _ if tables.len() == MAX_DEPTH => findings.push(Finding::refuse(
                        "theme.inherits",
                        format!("theme {name:?} inherits from {parent:?} in a circle or more than {MAX_DEPTH} deep: break the chain"),
                    )),
                    Some(text) => chain.push((parent.to_owned(), text)),
                    None => findings.push(Finding::refuse(
                        "theme.inherits",
                        format!("theme {name:?} inherits from {parent:?}, which does not exist: use \"base\" or a file beside it"),
                    )),
                }
            }
            tables.push((name, table));
        }
        for (name, table) in tables.iter().rev() {
            theme.apply(name, table, &mut findings);
        }
        if findings.is_empty() { Ok(theme) } else { Err(findings) }
    }

    /// Returns the theme's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the background the theme is made for, as `#rrggbb`.
    pub fn background(&self) -> String {
        check::written(self.background)
    }

    /// Returns the style of a role.
    pub fn style(&self, role: Role) -> Style {
        let look = &self.looks[role as usize];
        let style = Style::new().add_modifier(look.mods);
        look.fg.map_or(style, |fg| style.fg(fg))
    }

    /// Returns what a terminal has to know for this theme.
    pub fn palette(&self) -> Palette {
        let of = |look: &Appearance| match look.fg {
            None | Some(Color::Reset) => Palette::None,
            Some(Color::Rgb(..)) => Palette::True,
            Some(Color::Indexed(16..)) => Palette::Indexed,
            Some(_) => Palette::Sixteen,
        };
        self.looks.iter().map(of).max().unwrap_or(Palette::None)
    }

    /// Returns the style of a box in a role's colour: the colour and weight without reversing the line.
    pub fn edge(&self, role: Role) -> Style {
        self.style(role).remove_modifier(Modifier::REVERSED)
    }

    /// Returns the one-cell sign of a role.
    pub fn glyph(&self, role: Role, ascii: bool) -> &str {
        let look = &self.looks[role as usize];
        if ascii { &look.ascii } else { &look.glyph }
    }

    fn bare(name: &str) -> Self {
        let plain = Appearance { fg: None, mods: Modifier::empty(), glyph: " ".to_owned(), ascii: " ".to_owned() };
        Self { name: name.to_owned(), background: 0, looks: std::array::from_fn(|_| plain.clone()) }
    }

    fn apply(&mut self, name: &str, table: &toml::Table, findings: &mut Vec<Finding>) {
        let mut refuse =
            |check: &str, text: String| findings.push(Finding::refuse(check, format!("theme {name:?}: {text}")));
        if table.get("version").and_then(toml::Value::as_integer) != Some(1) {
            refuse("theme.version", "needs the line version = 1".to_owned());
        }
        for key in table.keys().filter(|key| !["version", "inherits", "background", "role"].contains(&key.as_str())) {
            refuse("theme.key", format!("does not know {key:?}; it has version, inherits, background and [role.NAME]"));
        }
        if let Some(value) = table.get("background") {
            let color = value.as_str().and_then(|text| Color::from_str(text).ok());
            match color.filter(|color| matches!(color, Color::Rgb(..))).and_then(check::rgb) {
                Some(rgb) => self.background = rgb,
                None => refuse("theme.value", format!("background is {value:?}: use #rrggbb")),
            }
        }
        let Some(roles) = table.get("role").and_then(toml::Value::as_table) else { return };
        for (key, value) in roles {
            let Some(role) = Role::ALL.into_iter().find(|role| role.name() == key) else {
                let known: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
                refuse("theme.role", format!("does not know the role {key:?}; roles are {}", known.join(", ")));
                continue;
            };
            let Some(fields) = value.as_table() else {
                refuse("theme.role", format!("role.{key} must be a table with fg, mods, glyph, ascii"));
                continue;
            };
            for (field, value) in fields {
                if let Err(why) = self.looks[role as usize].set(field, value) {
                    refuse("theme.value", format!("role.{key}.{field} {why}"));
                }
            }
        }
    }
}

impl Default for Theme {
    /// Returns the theme that holds when none is named.
    fn default() -> Self {
        // A test reads the embedded file, so a theme without signs is never what a person gets.
        Self::builtin(Self::DARK).unwrap_or_else(|_| Self::bare(Self::DARK))
    }
}

impl Appearance {
    fn set(&mut self, field: &str, value: &toml::Value) -> Result<(), String> {
        match (field, value) {
            ("fg", toml::Value::String(color)) if color == "default" => self.fg = None,
            ("fg", toml::Value::String(color)) => {
                let wrong = |_| {
                    format!(
                        "is {color:?}: use \"default\", a colour such as red, light-red or gray, 0 to 255, or #rrggbb"
                    )
                };
                self.fg = Some(Color::from_str(color).map_err(wrong)?);
            }
            ("mods", toml::Value::Array(mods)) => {
                self.mods = Modifier::empty();
                for value in mods {
                    self.mods |= modifier(value.as_str().unwrap_or_default())?;
                }
            }
            ("glyph", toml::Value::String(glyph)) if one_cell(glyph) => self.glyph.clone_from(glyph),
            ("ascii", toml::Value::String(glyph)) if one_cell(glyph) && glyph.is_ascii() => {
                self.ascii.clone_from(glyph)
            }
            ("glyph" | "ascii", _) => return Err("must be one sign, one cell wide; ascii also plain ASCII".to_owned()),
            ("fg", _) => return Err("must be a text".to_owned()),
            ("mods", _) => return Err("must be a list of words".to_owned()),
            _ => return Err("is not known; a role has fg, mods, glyph, ascii".to_owned()),
        }
        Ok(())
    }
}

fn modifier(word: &str) -> Result<Modifier, String> {
    Ok(match word {
        "bold" => Modifier::BOLD,
        "dim" => Modifier::DIM,
        "italic" => Modifier::ITALIC,
        "underlined" => Modifier::UNDERLINED,
        "reversed" => Modifier::REVERSED,
        _ => return Err(format!("has {word:?}; the words are bold, dim, italic, underlined, reversed")),
    })
}

fn one_cell(glyph: &str) -> bool {
    glyph.width() == 1 && super::Safe::new(glyph).as_str() == glyph
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_in_the_program_reads_and_gives_each_role_its_own_glyph() {
        for name in Theme::names() {
            let theme = Theme::builtin(name).unwrap();
            for role in Role::ALL {
                assert_eq!(theme.glyph(role, false).width(), 1, "{name} {role:?}");
                assert!(theme.glyph(role, true).is_ascii(), "{name} {role:?}");
            }
            for (a, b) in [(Role::Ok, Role::Bad), (Role::Ok, Role::Warn), (Role::Old, Role::New)] {
                assert_ne!(theme.glyph(a, true), theme.glyph(b, true), "{name}");
            }
        }
    }

    #[test]
    fn mono_has_no_colour_and_still_shows_what_is_focused() {
        let mono = Theme::builtin("mono").unwrap();
        assert!(Role::ALL.iter().all(|role| mono.style(*role).fg.is_none()));
        assert!(mono.style(Role::Focus).add_modifier.contains(Modifier::REVERSED));
        assert!(mono.style(Role::Danger).add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn a_file_changes_only_what_it_names() {
        let text = "version = 1\ninherits = \"dark16\"\n[role.bad]\nfg = \"#ff0000\"\n";
        let mine = Theme::parse("mine", text, |_| None).unwrap();
        let dark = Theme::builtin("dark16").unwrap();
        assert_eq!(mine.style(Role::Bad).fg, Some(Color::Rgb(255, 0, 0)));
        assert_eq!(mine.glyph(Role::Bad, false), dark.glyph(Role::Bad, false));
        assert_eq!(mine.style(Role::Ok), dark.style(Role::Ok));
    }

    #[test]
    fn a_file_beside_it_comes_before_the_built_in_one() {
        let lookup = |name: &str| {
            (name == "ours").then(|| "version = 1\ninherits = \"base\"\n[role.ok]\nglyph = \"=\"\n".to_owned())
        };
        let theme = Theme::parse("mine", "version = 1\ninherits = \"ours\"\n", lookup).unwrap();
        assert_eq!(theme.glyph(Role::Ok, false), "=");
    }

    #[test]
    fn every_mistake_of_a_file_is_named_at_once() {
        let text = "inherits = \"nowhere\"\ncolour = 1\n[role.bad]\nfg = \"reddish\"\nmods = [\"blink\"]\nglyph = \"ab\"\nsize = 1\n[role.good]\nfg = \"red\"\n";
        let findings = Theme::parse("mine", text, |_| None).unwrap_err();
        let checks: Vec<&str> = findings.iter().map(|f| f.check.as_str()).collect();
        assert_eq!(
            checks,
            [
                "theme.inherits",
                "theme.version",
                "theme.key",
                "theme.value",
                "theme.value",
                "theme.value",
                "theme.value",
                "theme.role"
            ]
        );
    }

    #[test]
    fn a_circle_of_themes_ends_in_a_finding() {
        let lookup = |_: &str| Some("version = 1\ninherits = \"b\"\n".to_owned());
        let findings = Theme::parse("a", "version = 1\ninherits = \"b\"\n", lookup).unwrap_err();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].text.contains("circle"));
    }
}
