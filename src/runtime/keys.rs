//! What a terminal sends, as keys: a parser that loses nothing and cannot be jammed.
//!
//! Of our own because a library's keeps the terminal's answers to itself, so that a slow line cannot be measured; waits
//! for ever inside an answer it does not know, with the keys behind it; and spins on a terminal that is gone.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use std::time::Duration;

/// How long the rest of a sequence may take: longer, and Esc is slow; shorter, and a slow line cuts arrows in pieces.
const KEY_GAP: Duration = Duration::from_millis(50);
/// How long a paste may pause.
const PASTE_GAP: Duration = Duration::from_secs(1);
/// How much of a paste is kept; it is only ever refused.
const PASTE: usize = 4096;
/// No sequence that means something is longer; what is longer is dropped.
const LONGEST: usize = 4096;
const PASTE_END: &[u8] = b"\x1b[201~";

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A key or a paste.
    Event(Event),
    /// The answer to "who are you?", which is how a round trip is measured.
    Answer,
    /// What colour the background is, asked or because it has changed: whether it is light.
    Background(bool),
    /// The answer to "do you know synchronized updates?".
    Synchronized(bool),
}

/// Cuts bytes into keys; keeps what is not complete yet.
#[derive(Debug, Default)]
pub(super) struct Parser {
    bytes: Vec<u8>,
    paste: Option<Vec<u8>>,
}

/// What the beginning of the bytes is.
enum Step {
    /// So many bytes, and what they mean.
    Take(usize, Option<Heard>),
    /// Not complete.
    More,
}

impl Parser {
    /// Takes in bytes and returns what they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Heard> {
        self.bytes.extend_from_slice(bytes);
        let mut heard = Vec::new();
        while !self.bytes.is_empty() {
            if self.paste.is_some() {
                let Some(text) = self.end_of_paste() else { break };
                heard.push(Heard::Event(Event::Paste(text)));
                continue;
            }
            match step(&self.bytes) {
                Step::Take(count, meaning) => {
                    self.bytes.drain(..count);
                    heard.extend(meaning);
                }
                Step::More if self.bytes.len() > LONGEST => self.bytes.clear(),
                Step::More => break,
            }
            if self.bytes.starts_with(b"\x1b[200~") {
                self.bytes.drain(..PASTE_END.len());
                self.paste = Some(Vec::new());
            }
        }
        heard
    }

    /// Returns how long to wait for the rest of what has begun.
    pub fn patience(&self) -> Option<Duration> {
        match (&self.paste, self.bytes.is_empty()) {
            (Some(_), _) => Some(PASTE_GAP),
            (None, false) => Some(KEY_GAP),
            (None, true) => None,
        }
    }

    /// Returns what stands there when nothing has followed in time: a lone Esc is a key, and a paste without an end is
    /// over, for it must not keep hold from working.
    pub fn give_up(&mut self) -> Vec<Heard> {
        let bytes = std::mem::take(&mut self.bytes);
        if let Some(text) = self.paste.take() {
            return vec![Heard::Event(Event::Paste(String::from_utf8_lossy(&text).into_owned()))];
        }
        match bytes.as_slice() {
            [0x1b] => vec![key(KeyCode::Esc, KeyModifiers::NONE)],
            [0x1b, byte @ b' '..=b'~'] => vec![key(KeyCode::Char(char::from(*byte)), KeyModifiers::ALT)],
            _ => Vec::new(),
        }
    }

    fn end_of_paste(&mut self) -> Option<String> {
        let text = self.paste.as_mut()?;
        let end = self.bytes.windows(PASTE_END.len()).position(|window| window == PASTE_END);
        // The end may have come in halves: as many bytes as could be its beginning stay.
        let count = end.unwrap_or(self.bytes.len().saturating_sub(PASTE_END.len() - 1));
        let kept = count.min(PASTE.saturating_sub(text.len()));
        text.extend_from_slice(&self.bytes[..kept]);
        self.bytes.drain(..count);
        end?;
        self.bytes.drain(..PASTE_END.len());
        self.paste.take().map(|text| String::from_utf8_lossy(&text).into_owned())
    }
}

fn step(bytes: &[u8]) -> Step {
    match bytes {
        [0x1b] => Step::More,
        [0x1b, 0x1b, ..] => Step::Take(1, Some(key(KeyCode::Esc, KeyModifiers::NONE))),
        [0x1b, b'[', ..] => csi(bytes),
        [0x1b, b'O'] => Step::More,
        [0x1b, b'O', last, ..] => Step::Take(3, keypad(*last).map(|code| key(code, KeyModifiers::NONE))),
        // Answers of the terminal, to us or to a program before us: no keys, whatever is in them.
        [0x1b, b']' | b'P' | b'_' | b'^' | b'X', rest @ ..] => match end_of_string(rest) {
            Some(count) => Step::Take(2 + count, background(&bytes[1..]).filter(|_| bytes[1] == b']')),
            None => Step::More,
        },
        [0x1b, rest @ ..] => match plain(rest, KeyModifiers::ALT) {
            Step::Take(count, meaning) => Step::Take(count + 1, meaning),
            Step::More => Step::More,
        },
        _ => plain(bytes, KeyModifiers::NONE),
    }
}

fn end_of_string(bytes: &[u8]) -> Option<usize> {
    bytes.iter().enumerate().find_map(|(at, byte)| match byte {
        0x07 => Some(at + 1),
        0x1b if bytes.get(at + 1) == Some(&b'\\') => Some(at + 2),
        _ => None,
    })
}

/// Reads one sequence that begins with `ESC [`.
fn csi(bytes: &[u8]) -> Step {
    // The Linux console's F1 to F5 have a second bracket.
    if let [_, _, b'[', rest @ ..] = bytes {
        return match rest.first() {
            Some(last @ b'A'..=b'E') => Step::Take(4, Some(key(KeyCode::F(last - b'A' + 1), KeyModifiers::NONE))),
            Some(_) => Step::Take(4, None),
            None => Step::More,
        };
    }
    let Some(at) = bytes.iter().skip(2).position(|byte| !matches!(byte, b' '..=b'?')).map(|at| at + 2) else {
        return Step::More;
    };
    let (parameters, last) = (&bytes[2..at], bytes[at]);
    if !matches!(last, b'@'..=b'~') {
        // Broken off: what follows is something new.
        return Step::Take(at, None);
    }
    if last == b'M' && parameters.is_empty() {
        // A mouse report in its oldest form; nobody asked for it.
        return if bytes.len() < at + 4 { Step::More } else { Step::Take(at + 4, None) };
    }
    if last == b'~' && parameters == b"200" {
        // The caller sees the beginning of a paste once everything before it is taken.
        return Step::Take(0, None);
    }
    let meaning = match (parameters.first(), last) {
        (Some(b'?'), b'c') => Some(Heard::Answer),
        (Some(b'?'), b'y') => synchronized(parameters),
        (Some(b'?'), b'n') => scheme(parameters),
        (Some(b'<'..=b'?'), _) => None,
        _ => csi_key(parameters, last),
    };
    Step::Take(at + 1, meaning)
}

/// Reads the mode report of synchronized updates: 1 and 2 say that the terminal knows them.
fn synchronized(parameters: &[u8]) -> Option<Heard> {
    let state = parameters.strip_prefix(b"?2026;")?.strip_suffix(b"$")?;
    Some(Heard::Synchronized(matches!(state, b"1" | b"2")))
}

/// Reads the report of a change between dark (1) and light (2), which mode 2031 asks for.
fn scheme(parameters: &[u8]) -> Option<Heard> {
    match parameters.strip_prefix(b"?997;")? {
        b"1" => Some(Heard::Background(false)),
        b"2" => Some(Heard::Background(true)),
        _ => None,
    }
}

/// Reads the report of a background colour, such as `]11;rgb:ffff/ffff/ffff`; any number of digits counts.
fn background(bytes: &[u8]) -> Option<Heard> {
    let text = std::str::from_utf8(bytes.strip_prefix(b"]11;")?.get(..32.min(bytes.len() - 4))?).ok()?;
    let color = text.strip_prefix("rgb:").or_else(|| text.strip_prefix("rgba:"))?;
    let digits = |part: &str| part.chars().take_while(char::is_ascii_hexdigit).take(4).collect::<String>();
    let part = |text: String| {
        let most = 16_u32.checked_pow(u32::try_from(text.len()).ok()?)?.checked_sub(1).filter(|most| *most > 0)?;
        Some(f64::from(u32::from_str_radix(&text, 16).ok()?) / f64::from(most))
    };
    let mut parts = color.split('/').map(|text| part(digits(text)));
    let (red, green, blue) = (parts.next()??, parts.next()??, parts.next()??);
    Some(Heard::Background(0.299 * red + 0.587 * green + 0.114 * blue > 0.5))
}

fn csi_key(parameters: &[u8], last: u8) -> Option<Heard> {
    let mut numbers = parameters.split(|byte| *byte == b';').map(|text| {
        // What follows a colon says more than is asked here.
        let digits = text.split(|byte| *byte == b':').next().unwrap_or_default();
        std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u32>().ok())
    });
    let first = numbers.next().flatten();
    let mods = modifiers(numbers.next().flatten());
    let code = match (last, first) {
        (b'A', _) => KeyCode::Up,
        (b'B', _) => KeyCode::Down,
        (b'C', _) => KeyCode::Right,
        (b'D', _) => KeyCode::Left,
        (b'H', _) => KeyCode::Home,
        (b'F', _) => KeyCode::End,
        (b'Z', _) => return Some(key(KeyCode::BackTab, KeyModifiers::SHIFT)),
        (b'P', _) => KeyCode::F(1),
        (b'Q', _) => KeyCode::F(2),
        (b'S', _) => KeyCode::F(4),
        (b'~', Some(1 | 7)) => KeyCode::Home,
        (b'~', Some(2)) => KeyCode::Insert,
        (b'~', Some(3)) => KeyCode::Delete,
        (b'~', Some(4 | 8)) => KeyCode::End,
        (b'~', Some(5)) => KeyCode::PageUp,
        (b'~', Some(6)) => KeyCode::PageDown,
        (b'~', Some(n @ 11..=15)) => KeyCode::F((n - 10) as u8),
        (b'~', Some(n @ 17..=21)) => KeyCode::F((n - 11) as u8),
        (b'~', Some(n @ 23..=24)) => KeyCode::F((n - 12) as u8),
        (b'u', Some(code)) => return unicode_key(code, mods),
        _ => return None,
    };
    Some(key(code, mods))
}

/// Reads a key that a terminal with extended keys names by its character.
fn unicode_key(code: u32, mods: KeyModifiers) -> Option<Heard> {
    let code = match char::from_u32(code)? {
        '\r' => KeyCode::Enter,
        '\t' if mods.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        '\t' => KeyCode::Tab,
        '\u{1b}' => KeyCode::Esc,
        '\u{7f}' | '\u{8}' => KeyCode::Backspace,
        // The private use area holds keys that have no meaning here.
        c if c.is_control() || ('\u{e000}'..='\u{f8ff}').contains(&c) => return None,
        c => KeyCode::Char(c),
    };
    Some(key(code, mods))
}

fn modifiers(number: Option<u32>) -> KeyModifiers {
    let bits = number.unwrap_or(1).saturating_sub(1);
    let mut mods = KeyModifiers::NONE;
    for (bit, modifier) in [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)] {
        if bits & bit != 0 {
            mods |= modifier;
        }
    }
    mods
}

fn keypad(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'H' => KeyCode::Home,
        b'F' => KeyCode::End,
        b'M' => KeyCode::Enter,
        b'P'..=b'S' => KeyCode::F(last - b'P' + 1),
        _ => return None,
    })
}

/// Reads one character or control byte.
fn plain(bytes: &[u8], mods: KeyModifiers) -> Step {
    let Some(first) = bytes.first() else { return Step::More };
    let control = mods | KeyModifiers::CONTROL;
    let meaning = match first {
        b'\r' => key(KeyCode::Enter, mods),
        b'\t' => key(KeyCode::Tab, mods),
        0x7f | 0x08 => key(KeyCode::Backspace, mods),
        0x00 => key(KeyCode::Char(' '), control),
        letter @ 0x01..=0x1a => key(KeyCode::Char(char::from(letter + b'a' - 1)), control),
        other @ 0x1c..=0x1f => key(KeyCode::Char(char::from(other - 0x1c + b'4')), control),
        _ => return character(bytes, mods),
    };
    Step::Take(1, Some(meaning))
}

fn character(bytes: &[u8], mods: KeyModifiers) -> Step {
    let length = match bytes[0] {
        0x00..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Step::Take(1, None),
    };
    let there = &bytes[..length.min(bytes.len())];
    match std::str::from_utf8(there) {
        Ok(text) => {
            let c = text.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
            let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
            Step::Take(length, Some(key(KeyCode::Char(c), mods | shift)))
        }
        Err(error) if error.error_len().is_none() => Step::More,
        Err(_) => Step::Take(1, None),
    }
}

fn key(code: KeyCode, mods: KeyModifiers) -> Heard {
    Heard::Event(Event::Key(KeyEvent::new(code, mods)))
}

#[cfg(test)]
mod tests;
