//! How the console looks, which keys it has, and how that changes while one looks.

use crate::ui::keymap::Keymap;
use crate::ui::kiosk::Kiosk;
use crate::ui::theme::Theme;
use crate::ui::told::Told;
use std::path::PathBuf;

/// How the console looks and which keys it has.
#[derive(Clone, Debug)]
pub struct Look {
    /// Colours and signs.
    pub theme: Theme,
    /// Keys.
    pub keymap: Keymap,
    /// Where they come from.
    pub keys_from: Origin,
    /// Whether only ASCII may be drawn.
    pub ascii: bool,
    /// Whether times are UTC, not local.
    pub utc: bool,
    /// How a wall screen behaves; `None` at a console.
    pub kiosk: Option<Kiosk>,
    /// Whether customers' names are replaced by signs.
    pub privacy: bool,
    /// Whether the theme follows the terminal's background, until a person changes it.
    pub auto: bool,
}

/// Where something comes from that is chosen by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The name, or the path, that it was asked for by.
    pub name: String,
    /// The file; `None` = it is in the program.
    pub file: Option<PathBuf>,
}

impl Look {
    /// Lets the theme `auto` follow the terminal's background.
    pub(super) fn follow(&mut self, told: &Told) {
        let Some(is_light) = told.is_light().filter(|_| self.auto) else { return };
        let name = if is_light { Theme::LIGHT } else { Theme::DARK };
        if self.theme.name() != name
            && let Ok(theme) = Theme::builtin(name)
        {
            self.theme = theme;
        }
    }

    /// Takes the next theme of the program, which from then on follows nothing.
    pub(super) fn next_theme(&mut self) -> &str {
        let names: Vec<&str> = Theme::names().collect();
        let at = names.iter().position(|name| *name == self.theme.name()).map_or(0, |at| at + 1);
        if let Ok(theme) = Theme::builtin(names[at % names.len()]) {
            self.theme = theme;
            self.auto = false;
        }
        self.theme.name()
    }
}
