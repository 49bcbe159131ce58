//! One key as keymap files write it and as help shows it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers; Shift is part of the character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    /// The key.
    pub code: KeyCode,
    /// Whether Ctrl is held.
    pub ctrl: bool,
    /// Whether Alt is held.
    pub alt: bool,
}

/// Keys with a name: as files write them, as help shows them.
const NAMED: &[(KeyCode, &str, &str)] = &[
    (KeyCode::Char(' '), "space", "Space"),
    (KeyCode::Enter, "enter", "Enter"),
    (KeyCode::Esc, "esc", "Esc"),
    (KeyCode::Tab, "tab", "Tab"),
    (KeyCode::BackTab, "backtab", "S-Tab"),
    (KeyCode::Backspace, "backspace", "Bksp"),
    (KeyCode::Delete, "delete", "Del"),
    (KeyCode::Insert, "insert", "Ins"),
    (KeyCode::Up, "up", "Up"),
    (KeyCode::Down, "down", "Down"),
    (KeyCode::Left, "left", "Left"),
    (KeyCode::Right, "right", "Right"),
    (KeyCode::Home, "home", "Home"),
    (KeyCode::End, "end", "End"),
    (KeyCode::PageUp, "pageup", "PgUp"),
    (KeyCode::PageDown, "pagedown", "PgDn"),
];

impl Chord {
    /// Reads a key event.
    pub fn of(event: &KeyEvent) -> Self {
        let code = match event.code {
            KeyCode::Char(c) if event.modifiers.contains(KeyModifiers::SHIFT) => {
                KeyCode::Char(c.to_uppercase().next().unwrap_or(c))
            }
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            code => code,
        };
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        // With Ctrl the case of a letter says nothing: terminals send the same byte.
        let code = match code {
            KeyCode::Char(c) if ctrl => KeyCode::Char(c.to_ascii_lowercase()),
            code => code,
        };
        Self { code, ctrl, alt: event.modifiers.contains(KeyModifiers::ALT) }
    }

    /// Reads the form of keymap files.
    ///
    /// # Errors
    /// Says which forms there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text;
        let (mut ctrl, mut alt) = (false, false);
        loop {
            if let Some(tail) = rest.strip_prefix("ctrl-").filter(|tail| !tail.is_empty()) {
                (ctrl, rest) = (true, tail);
            } else if let Some(tail) = rest.strip_prefix("alt-").filter(|tail| !tail.is_empty()) {
                (alt, rest) = (true, tail);
            } else {
                break;
            }
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() => KeyCode::Char(if ctrl { c.to_ascii_lowercase() } else { c }),
            _ => named(rest).ok_or_else(|| {
                format!("{text:?} is no key: write one character, ctrl-x, alt-x, f1 to f12, or space, enter, esc, tab, up, pagedown, ...")
            })?,
        };
        Ok(Self { code, ctrl, alt })
    }

    /// Returns the form that help, footer and advice show.
    pub fn label(&self) -> String {
        let name = match (self.code, NAMED.iter().find(|(code, ..)| *code == self.code)) {
            (_, Some((.., shown))) => (*shown).to_owned(),
            (KeyCode::Char(c), None) if self.ctrl => c.to_ascii_uppercase().to_string(),
            (KeyCode::Char(c), None) => c.to_string(),
            (KeyCode::F(n), None) => format!("F{n}"),
            (code, None) => format!("{code:?}"),
        };
        format!("{}{}{name}", if self.ctrl { "Ctrl-" } else { "" }, if self.alt { "Alt-" } else { "" })
    }

    /// Returns the character it types into a text field.
    pub fn typed(&self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }

    /// Tells whether it is a function key or uses Ctrl or Alt.
    pub fn is_special(&self) -> bool {
        self.ctrl || self.alt || matches!(self.code, KeyCode::F(_))
    }
}

fn named(text: &str) -> Option<KeyCode> {
    if let Some((code, ..)) = NAMED.iter().find(|(_, name, _)| *name == text) {
        return Some(*code);
    }
    let number: u8 = text.strip_prefix('f')?.parse().ok()?;
    (1..=12).contains(&number).then_some(KeyCode::F(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_files_write_them_and_shown_as_people_say_them() {
        for (text, label) in [
            ("H", "H"),
            ("space", "Space"),
            ("ctrl-l", "Ctrl-L"),
            ("alt-x", "Alt-x"),
            ("f5", "F5"),
            ("-", "-"),
            ("pagedown", "PgDn"),
        ] {
            assert_eq!(Chord::parse(text).map(|c| c.label()), Ok(label.to_owned()), "{text}");
        }
        for bad in ["", "spacebar", "f13", "ctrl-", "hh", "\u{1b}"] {
            assert!(Chord::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn shift_is_part_of_the_character_whatever_the_terminal_reports() {
        for event in [
            KeyEvent::new(KeyCode::Char('H'), KeyModifiers::NONE),
            KeyEvent::new(KeyCode::Char('H'), KeyModifiers::SHIFT),
            KeyEvent::new(KeyCode::Char('h'), KeyModifiers::SHIFT),
        ] {
            assert_eq!(Ok(Chord::of(&event)), Chord::parse("H"));
        }
        let ctrl = KeyEvent::new(KeyCode::Char('C'), KeyModifiers::CONTROL | KeyModifiers::SHIFT);
        assert_eq!(Ok(Chord::of(&ctrl)), Chord::parse("ctrl-c"));
    }
}
