//! Plays a release by keys, reading nothing but the advice line and the dialogs of the screen.
//!
//! It is a pure function of the screens it was shown: no clock, no terminal. Whoever drives it shows it the screen
//! every 50 to 100 ms and sends the keys it returns. The forms it reads are those of `src/ui/text.rs`.

use std::fmt::{self, Write};

/// How many looks at an unchanged question pass before the robot answers again: keys typed while a dialog appears are
/// dropped, so an answer may be lost.
const PATIENCE: u32 = 12;

/// What stops a release again after so many resumes needs a person.
const RESUMES: u32 = 3;

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character, space included.
    Char(char),
    /// Enter.
    Enter,
    /// Escape.
    Esc,
}

/// Keys to send, in order.
pub type Keys = Vec<Key>;

impl fmt::Display for Key {
    /// Writes what a terminal sends for the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char(match self {
            Self::Char(c) => *c,
            Self::Enter => '\r',
            Self::Esc => '\u{1b}',
        })
    }
}

/// The robot.
#[derive(Debug)]
pub struct Robot {
    /// Waves it has confirmed.
    pub waves: u32,
    /// What dialogs refused, oldest first; a release that goes well has none.
    pub refusals: Vec<String>,
    /// How often it has resumed; a release that goes well never needs it.
    pub resumes: u32,
    /// Whether the release it started is over: the screen offers to start another.
    pub finished: bool,
    /// Set by whoever drives it: it rolls back at the next look, whatever the advice waits for.
    pub turn: bool,
    version: String,
    roll_back_after: Option<u32>,
    /// The question answered last, and how many looks ago.
    answered: Option<(String, u32)>,
    /// The key sequence of the step under way, as the advice names it.
    step: String,
    started: bool,
    back: bool,
}

impl Robot {
    /// Makes a robot that takes a version to the end of its release, or rolls it back when so many waves have moved and
    /// the next step is offered.
    pub fn new(version: &str, roll_back_after: Option<u32>) -> Self {
        Self {
            waves: 0,
            refusals: Vec::new(),
            resumes: 0,
            finished: false,
            turn: false,
            version: version.into(),
            roll_back_after,
            answered: None,
            step: String::new(),
            started: false,
            back: false,
        }
    }

    /// Looks at a screen, one line per row, and returns the keys to send now.
    pub fn step(&mut self, screen: &str) -> Option<Keys> {
        let rows: Vec<&str> = screen.lines().map(str::trim_end).collect();
        let question = self.question(&rows)?;
        let text = question.asked(&self.version);
        if let Some((last, looks)) = &mut self.answered
            && *last == text
            && *looks < PATIENCE
        {
            *looks += 1;
            return None;
        }
        let keys = self.answer(&question)?;
        self.answered = Some((text, 0));
        Some(keys)
    }

    fn question(&self, rows: &[&str]) -> Option<Question> {
        match Question::of(rows) {
            None | Some(Question::Advice { .. }) if self.turn && !self.back && !is_deaf(rows) => Some(Question::Turn),
            question => question,
        }
    }

    fn answer(&mut self, question: &Question) -> Option<Keys> {
        match question {
            Question::Refused(why) => {
                if self.refusals.last() != Some(why) {
                    self.refusals.push(why.clone());
                }
                // A refused rollback has not happened.
                self.back &= self.step != "R";
                Some(vec![Key::Esc])
            }
            Question::Run => {
                self.confirmed();
                Some(vec![Key::Enter])
            }
            Question::Onward => Some(vec![Key::Enter]),
            Question::Word { word, typed } => typing(word, typed),
            Question::Version { typed } => typing(&self.version, typed).or_else(|| Some(vec![Key::Enter])),
            Question::Reason { typed } => typed.is_empty().then(|| text("the robot was told to")),
            Question::Yes(title) if title == "roll back" => {
                self.back = true;
                Some(vec![Key::Char('y')])
            }
            // Leaving was never its errand.
            Question::Yes(_) => Some(vec![Key::Esc]),
            Question::Advice { key, keys } => self.follow(key, keys),
            Question::Turn => Some(self.turn_back()),
        }
    }

    fn follow(&mut self, key: &str, keys: &[Key]) -> Option<Keys> {
        let start = key == "Space s";
        // The picture from before the start may still stand for a moment: what comes after it is no end.
        self.finished = start && self.started;
        if self.finished {
            return None;
        }
        if key == "Space r" && self.resumes >= RESUMES {
            return None;
        }
        if !self.back && self.roll_back_after.is_some_and(|waves| self.waves >= waves) {
            return Some(self.turn_back());
        }
        self.step = key.into();
        Some(keys.to_vec())
    }

    fn turn_back(&mut self) -> Keys {
        self.step = "R".into();
        vec![Key::Char('R')]
    }

    fn confirmed(&mut self) {
        match self.step.as_str() {
            "Space s" => self.started = true,
            "Space n" => self.waves += 1,
            "Space r" => self.resumes += 1,
            _ => {}
        }
        // One step is confirmed once.
        self.step.clear();
    }
}

/// What the screen asks for.
#[derive(Debug, PartialEq, Eq)]
enum Question {
    Refused(String),
    Run,
    Onward,
    Word { word: String, typed: String },
    Version { typed: String },
    Reason { typed: String },
    Yes(String),
    Advice { key: String, keys: Keys },
    Turn,
}

impl Question {
    /// What is asked, whatever has been typed: a slow screen shows a word letter by letter.
    fn asked(&self, version: &str) -> String {
        match self {
            Self::Word { word, typed } if word.starts_with(typed) && word != typed => format!("word {word}"),
            Self::Version { typed } if version.starts_with(typed) && version != typed => format!("version {version}"),
            question => format!("{question:?}"),
        }
    }

    /// A dialog goes before the advice below it; within a dialog the last thing to do goes first.
    fn of(rows: &[&str]) -> Option<Self> {
        let find = |text: &str| rows.iter().position(|row| row.contains(text));
        let field = |label: &str| rows.iter().find_map(|row| Some(input(row.split_once(label)?.1)));
        if is_deaf(rows) {
            return None;
        }
        if let Some(at) = find("NOT NOW:") {
            // The dialog lies over the screen: its text begins in the column of its heading.
            let column = rows[at].split_once("NOT NOW:").map_or(0, |(before, _)| before.chars().count());
            let why: Vec<String> =
                rows[at + 1..].iter().take(3).map(|row| input(&row.chars().skip(column).collect::<String>())).collect();
            return Some(Self::Refused(why.join(" ").trim().to_owned()));
        }
        if find("Enter runs it.").is_some() {
            return Some(Self::Run);
        }
        if let Some(typed) = field("Reason: ") {
            return Some(Self::Reason { typed });
        }
        if find("Enter goes to the reason.").is_some() {
            return Some(Self::Onward);
        }
        if let Some((before, after)) = rows.iter().find_map(|row| row.split_once(" to go: "))
            && let Some((_, word)) = before.rsplit_once("Type ")
        {
            return Some(Self::Word { word: word.to_owned(), typed: input(after) });
        }
        if let Some(typed) = field("Version: ") {
            return Some(Self::Version { typed });
        }
        if find("Enter shows what it would do.").is_some() {
            return Some(Self::Onward);
        }
        if let Some(title) = rows.iter().find_map(|row| yes(row)) {
            return Some(Self::Yes(title));
        }
        advice(rows)
    }
}

/// Whether a dialog has just appeared or is still being filled: it takes no keys.
fn is_deaf(rows: &[&str]) -> bool {
    rows.iter().any(|row| row.contains("Keys are dropped for a moment") || row.contains("Looking at the cluster..."))
}

/// The row of a dialog's `y`, without the frame around it.
fn yes(row: &str) -> Option<String> {
    let (before, title) = row.split_once("y  ")?;
    let alone = before.chars().all(|c| c.is_whitespace() || is_frame(c)) || before.ends_with([' ', '│', '|']);
    let title = input(title);
    (alone && title.starts_with(char::is_alphabetic)).then_some(title)
}

/// The last row, or the one before when the text takes two: blank, sign, blank, then `KEY: text`.
fn advice(rows: &[&str]) -> Option<Question> {
    let text = rows.iter().rev().take(2).find_map(|row| {
        let mut cells = row.chars();
        let (blank, sign, gap) = (cells.next()?, cells.next()?, cells.next()?);
        (blank == ' ' && sign != ' ' && gap == ' ').then(|| cells.collect::<String>())
    })?;
    let (key, _) = text.split_once(": ")?;
    let keys: Option<Keys> = key.split(' ').map(named).collect();
    Some(Question::Advice { key: key.to_owned(), keys: keys? })
}

fn named(name: &str) -> Option<Key> {
    let mut chars = name.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Some(Key::Char(c)),
        _ if name.eq_ignore_ascii_case("space") => Some(Key::Char(' ')),
        _ if name.eq_ignore_ascii_case("enter") => Some(Key::Enter),
        _ if name.eq_ignore_ascii_case("esc") => Some(Key::Esc),
        _ => None,
    }
}

/// What a field holds: without the cursor, the frame, and what lies beside the dialog.
fn input(after: &str) -> String {
    let end = after.find(|c| is_frame(c) || c == '▏').unwrap_or(after.len());
    after[..end].trim_matches(|c: char| c.is_whitespace() || c == '_').to_owned()
}

fn is_frame(c: char) -> bool {
    c == '|' || ('\u{2500}'..='\u{257f}').contains(&c)
}

/// Types the rest of a word; something else in the field is left by Esc; `None` when it is complete.
fn typing(word: &str, typed: &str) -> Option<Keys> {
    match word.strip_prefix(typed) {
        Some("") => None,
        Some(rest) => Some(text(rest)),
        None => Some(vec![Key::Esc]),
    }
}

fn text(text: &str) -> Keys {
    text.chars().map(Key::Char).collect()
}
