//! Which keys run which action, read from a file and refused when it could be dangerous.

use super::chord::Chord;
use crate::core::{ACTIONS, Action, Danger, Role};
use crate::model::Finding;
use crossterm::event::KeyCode;

/// Where a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Everywhere; in text fields only hold and keys that are no characters.
    Any,
    /// The main screen.
    Main,
    /// Screens that are one list.
    List,
    /// Dialogs.
    Dialog,
}

/// One sequence of keys and what it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The keys, in order.
    pub keys: Vec<Chord>,
    /// What they run.
    pub action: Action,
    /// Where.
    pub place: Place,
}

impl Binding {
    /// Returns the keys as people say them, such as `Space n`.
    pub fn label(&self) -> String {
        label(&self.keys)
    }
}

/// Which keys run which action.
#[derive(Clone, Debug, PartialEq)]
pub struct Keymap {
    bindings: Vec<Binding>,
    warnings: Vec<Finding>,
}

/// What a sequence means so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It runs this; for the menu, further keys may follow.
    Runs(Action),
    /// Further keys must follow.
    Begins,
    /// Nothing.
    Nothing,
}

/// Keys that terminals, multiplexers or ssh take for themselves.
const EATEN: &[(&str, &str)] = &[
    ("ctrl-b", "tmux takes it"),
    ("ctrl-a", "screen takes it"),
    ("ctrl-s", "terminals stop the output on it"),
    ("ctrl-q", "terminals take it"),
    ("ctrl-z", "shells take it"),
    ("~", "ssh takes it after Enter"),
];

/// The keymaps inside the program.
const EMBEDDED: &[(&str, &str)] = &[
    ("default", Keymap::DEFAULT),
    ("emacs", include_str!("../../keymaps/emacs.toml")),
    ("plain", include_str!("../../keymaps/plain.toml")),
];

impl Keymap {
    /// The text of the keymap that holds when none is named; a template for one's own.
    pub const DEFAULT: &str = include_str!("../../keymaps/default.toml");

    /// Returns the names of the keymaps inside the program.
    pub fn names() -> impl Iterator<Item = &'static str> {
        EMBEDDED.iter().map(|(name, _)| *name)
    }

    /// Returns the text of a keymap inside the program.
    pub fn embedded(name: &str) -> Option<&'static str> {
        EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// Reads a keymap file, with what it inherits from a keymap inside the program.
    ///
    /// # Errors
    /// Returns all findings at once: what cannot be read, and every binding that could be dangerous.
    pub fn parse(text: &str) -> Result<Self, Vec<Finding>> {
        let table = text.parse::<toml::Table>().map_err(|e| {
            vec![Finding::refuse("keymap.unreadable", format!("the keymap cannot be read: {}", e.message()))]
        })?;
        let mut findings = Vec::new();
        if table.get("version").and_then(toml::Value::as_integer) != Some(1) {
            findings.push(Finding::refuse("keymap.version", "the keymap needs the line version = 1"));
        }
        for key in table.keys().filter(|key| !["version", "inherits", "unbind", "key"].contains(&key.as_str())) {
            let text = format!("the keymap has {key:?}; it knows version, inherits, unbind and [[key]]");
            findings.push(Finding::refuse("keymap.key", text));
        }
        let mut bindings = inherited(&table, &mut findings);
        let parents = bindings.len();
        let none = Vec::new();
        for (i, entry) in table.get("key").and_then(toml::Value::as_array).unwrap_or(&none).iter().enumerate() {
            match read(entry) {
                Ok(binding) => bindings.push(binding),
                Err(why) => findings.extend(
                    why.into_iter().map(|why| Finding::refuse("keymap.entry", format!("key entry {}: {why}", i + 1))),
                ),
            }
        }
        // Its own keys win over inherited ones.
        let own = bindings.split_off(parents);
        bindings.retain(|old| !own.iter().any(|new| new.keys == old.keys && overlap(new.place, old.place)));
        bindings.extend(own);
        check(&bindings, &mut findings);
        if !findings.is_empty() {
            return Err(findings);
        }
        let warnings = warn(&bindings);
        Ok(Self { bindings, warnings })
    }

    /// Returns what is allowed but may not work on every terminal.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// Returns all bindings, in the order of the file.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// Says what a sequence means in a place.
    pub fn look_up(&self, place: Place, keys: &[Chord]) -> Lookup {
        let here = |b: &&Binding| b.place == Place::Any || b.place == place;
        if let Some(binding) = self.bindings.iter().filter(here).find(|b| b.keys == keys) {
            return Lookup::Runs(binding.action);
        }
        if self.bindings.iter().filter(here).any(|b| b.keys.starts_with(keys)) {
            Lookup::Begins
        } else {
            Lookup::Nothing
        }
    }

    /// Tells whether a key holds, wherever it is pressed.
    ///
    /// On a line that stalls, Esc and the key arrive as one, and read as the key with Alt: that holds, too, unless the
    /// keymap gives the two together another sense.
    pub fn is_hold(&self, chord: Chord) -> bool {
        let holds = |chord| self.bindings.iter().any(|b| b.action == Action::Hold && b.keys == [chord]);
        let is_free = || !self.bindings.iter().any(|b| b.keys.first() == Some(&chord));
        holds(chord) || (chord.alt && is_free() && holds(Chord { alt: false, ..chord }))
    }

    /// Returns the keys of an action as people say them; the first binding counts.
    pub fn label(&self, action: Action) -> Option<String> {
        self.bindings.iter().find(|b| b.action == action).map(Binding::label)
    }

    /// Returns the keymap of a screen on which nobody presses a key: none is named there.
    pub fn none() -> Self {
        Self { bindings: Vec::new(), warnings: Vec::new() }
    }

    /// Returns the first key of an action that types no text, as people say it.
    pub fn label_beside_text(&self, action: Action) -> Option<String> {
        let is_no_text = |b: &&Binding| b.keys.iter().all(|chord| !matches!(chord.code, KeyCode::Char(_)));
        self.bindings.iter().filter(|b| b.action == action).find(is_no_text).map(Binding::label)
    }

    /// Returns the digit that runs an action, where one does.
    pub fn digit(&self, action: Action) -> Option<char> {
        let digit = |b: &Binding| match b.keys.as_slice() {
            [one] => one.typed().filter(char::is_ascii_digit),
            _ => None,
        };
        self.bindings.iter().filter(|b| b.action == action).find_map(digit)
    }

    /// Returns the sequence that opens the menu.
    pub fn menu_keys(&self) -> Option<&[Chord]> {
        self.bindings.iter().find(|b| b.action == Action::Menu).map(|b| b.keys.as_slice())
    }
}

impl Default for Keymap {
    /// Returns the keymap inside the program.
    fn default() -> Self {
        // A test reads the embedded file, so an empty keymap is never what a person gets.
        Self::parse(Self::DEFAULT).unwrap_or_else(|_| Self::none())
    }
}

/// Returns keys as people say them.
pub(super) fn label(keys: &[Chord]) -> String {
    keys.iter().map(Chord::label).collect::<Vec<_>>().join(" ")
}

/// Returns what a keymap takes over from the one it names, without what it takes away.
fn inherited(table: &toml::Table, findings: &mut Vec<Finding>) -> Vec<Binding> {
    let mut refuse = |text: String| findings.push(Finding::refuse("keymap.inherits", text));
    let mut bindings = Vec::new();
    if let Some(parent) = table.get("inherits") {
        let name = parent.as_str().unwrap_or_default();
        match Keymap::embedded(name).and_then(|text| Keymap::parse(text).ok()) {
            Some(keymap) => bindings = keymap.bindings,
            None => {
                let known: Vec<&str> = Keymap::names().collect();
                refuse(format!("the keymap inherits from {name:?}: it can be one of {}", known.join(", ")));
            }
        }
    }
    let none = Vec::new();
    for words in table.get("unbind").map_or(&none, |list| list.as_array().unwrap_or(&none)) {
        let text = words.as_str().unwrap_or_default();
        let keys: Result<Vec<Chord>, String> = text.split_whitespace().map(Chord::parse).collect();
        let before = bindings.len();
        match keys {
            Ok(keys) => bindings.retain(|binding| binding.keys != keys),
            Err(why) => refuse(format!("unbind: {why}")),
        }
        if bindings.len() == before {
            refuse(format!("unbind names {text:?}, which is not inherited"));
        }
    }
    bindings
}

fn read(entry: &toml::Value) -> Result<Binding, Vec<String>> {
    let mut why = Vec::new();
    let Some(table) = entry.as_table() else { return Err(vec!["must be a table with on, run, when".to_owned()]) };
    for key in table.keys().filter(|key| !["on", "run", "when"].contains(&key.as_str())) {
        why.push(format!("{key:?} is not known; it has on, run, when"));
    }
    let field = |name: &str| table.get(name).and_then(toml::Value::as_str).unwrap_or_default();
    let mut keys = Vec::new();
    for word in field("on").split_whitespace() {
        match Chord::parse(word) {
            Ok(chord) => keys.push(chord),
            Err(wrong) => why.push(wrong),
        }
    }
    if keys.is_empty() && why.is_empty() {
        why.push("on must name at least one key".to_owned());
    }
    let action = Action::by_id(field("run"));
    if action.is_none() {
        let ids: Vec<&str> = ACTIONS.iter().map(|spec| spec.id).collect();
        why.push(format!("there is no action {:?}; actions are {}", field("run"), ids.join(", ")));
    }
    let place = match table.get("when").map(|when| when.as_str().unwrap_or_default()) {
        None | Some("any") => Some(Place::Any),
        Some("main") => Some(Place::Main),
        Some("list") => Some(Place::List),
        Some("dialog") => Some(Place::Dialog),
        Some(other) => {
            why.push(format!("when is {other:?}; it can be any, main, list, dialog"));
            None
        }
    };
    match (action, place) {
        (Some(action), Some(place)) if why.is_empty() => Ok(Binding { keys, action, place }),
        _ => Err(why),
    }
}

fn check(bindings: &[Binding], findings: &mut Vec<Finding>) {
    let mut refuse = |check: &str, text: String| findings.push(Finding::refuse(check, text));
    for (i, a) in bindings.iter().enumerate() {
        let spec = a.action.spec();
        let special = a.keys.iter().any(Chord::is_special);
        let chorded = a.keys.iter().any(|key| key.ctrl || key.alt);
        match spec.danger {
            Danger::Forward | Danger::Risk if a.keys.len() < 2 => refuse(
                "keymap.single-key",
                format!(
                    "{} is on the single key {:?}: it moves customers, so it needs a sequence such as \"space n\"",
                    spec.id,
                    a.label()
                ),
            ),
            Danger::Forward | Danger::Risk if special => refuse(
                "keymap.special-key",
                format!("{} is on {:?}: what moves customers may not use Ctrl, Alt or F keys", spec.id, a.label()),
            ),
            _ if chorded && spec.role == Role::Operate => refuse(
                "keymap.special-key",
                format!("{} is on {:?}: no action that changes the cluster may use Ctrl or Alt", spec.id, a.label()),
            ),
            _ => {}
        }
        for b in &bindings[i + 1..] {
            if !overlap(a.place, b.place) {
                continue;
            }
            if a.keys == b.keys && a.action != b.action {
                refuse(
                    "keymap.two-meanings",
                    format!(
                        "{:?} runs both {} and {}: give one of them other keys",
                        a.label(),
                        spec.id,
                        b.action.spec().id
                    ),
                );
            }
            for (short, long) in [(a, b), (b, a)] {
                let begins = short.keys.len() < long.keys.len() && long.keys.starts_with(&short.keys);
                if begins && short.action != Action::Menu {
                    refuse(
                        "keymap.two-meanings",
                        format!(
                            "{:?} runs {} and also begins {:?}: only the menu's keys may begin others",
                            short.label(),
                            short.action.spec().id,
                            long.label()
                        ),
                    );
                }
            }
        }
    }
    let holds: Vec<&Binding> =
        bindings.iter().filter(|b| b.action == Action::Hold && b.place == Place::Any && b.keys.len() == 1).collect();
    if holds.is_empty() {
        refuse(
            "keymap.hold",
            "release.hold has no single key that works everywhere: bind one, such as on = \"H\", when = \"any\""
                .to_owned(),
        );
    }
    for hold in holds {
        if bindings.iter().any(|b| b.keys.len() > 1 && b.keys.contains(&hold.keys[0])) {
            refuse(
                "keymap.hold",
                format!("{:?} holds at once and so cannot be part of a longer sequence", hold.label()),
            );
        }
    }
    for action in [Action::Back, Action::Quit] {
        if !bindings.iter().any(|b| b.action == action && b.place == Place::Any) {
            refuse("keymap.no-way-out", format!("{} has no key that works everywhere: bind one", action.spec().id));
        }
    }
}

fn warn(bindings: &[Binding]) -> Vec<Finding> {
    let mut warnings = Vec::new();
    for (text, why) in EATEN {
        let Ok(chord) = Chord::parse(text) else { continue };
        for binding in bindings.iter().filter(|b| b.keys.contains(&chord)) {
            warnings.push(Finding::warn(
                "keymap.eaten",
                format!("{} is on {:?}: {why}", binding.action.spec().id, binding.label()),
            ));
        }
    }
    warnings
}

fn overlap(a: Place, b: Place) -> bool {
    a == b || a == Place::Any || b == Place::Any
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(extra: &str) -> Result<Keymap, Vec<Finding>> {
        Keymap::parse(&format!("{}\n{extra}", Keymap::DEFAULT))
    }

    fn checks(result: Result<Keymap, Vec<Finding>>) -> Vec<String> {
        result.unwrap_err().into_iter().map(|f| f.check).collect()
    }

    #[test]
    fn every_action_has_a_key_in_every_keymap_of_the_program_and_none_has_a_warning() {
        for name in Keymap::names() {
            let keymap = Keymap::parse(Keymap::embedded(name).unwrap()).unwrap();
            assert_eq!(keymap.warnings(), [], "{name}");
            for spec in ACTIONS {
                assert!(keymap.label(spec.action).is_some(), "{} has no key in {name}", spec.id);
            }
            assert_eq!(keymap.label(Action::Next).as_deref(), Some("Space n"), "{name}");
            assert_eq!(keymap.label(Action::Hold).as_deref(), Some("H"), "{name}");
        }
    }

    #[test]
    fn a_keymap_takes_over_what_it_does_not_change_or_take_away() {
        let head = "version = 1\ninherits = \"default\"\n";
        let mine =
            Keymap::parse(&format!("{head}unbind = [\"j\", \"space k\"]\n[[key]]\non = \"c\"\nrun = \"view.help\"\n"));
        let mine = mine.unwrap();
        let runs = |keys: &str| {
            let keys: Vec<Chord> = keys.split(' ').map(|key| Chord::parse(key).unwrap()).collect();
            mine.look_up(Place::Main, &keys)
        };
        assert_eq!(runs("c"), Lookup::Runs(Action::Help));
        assert_eq!(
            (runs("j"), runs("space k"), runs("k")),
            (Lookup::Nothing, Lookup::Nothing, Lookup::Runs(Action::Up))
        );
        assert_eq!(checks(Keymap::parse(&format!("{head}unbind = [\"H\"]\n"))), ["keymap.hold"]);
        assert_eq!(checks(Keymap::parse(&format!("{head}unbind = [\"Z\", \"zz\"]\n"))).len(), 3);
        assert_eq!(checks(Keymap::parse("version = 1\ninherits = \"vim\"\n"))[0], "keymap.inherits");
    }

    #[test]
    fn forward_acts_are_refused_on_one_key_and_on_ctrl_alt_and_f_keys() {
        let extra = "[[key]]\non = \"X\"\nrun = \"wave.next\"\n[[key]]\non = \"space ctrl-n\"\nrun = \"wave.next\"\n[[key]]\non = \"f2 n\"\nrun = \"driver.take\"\n[[key]]\non = \"alt-r\"\nrun = \"release.rollback\"\n";
        assert_eq!(
            checks(with(extra)),
            ["keymap.single-key", "keymap.special-key", "keymap.special-key", "keymap.special-key"]
        );
    }

    #[test]
    fn one_sequence_has_one_meaning() {
        assert_eq!(
            checks(with("[[key]]\non = \"c\"\nrun = \"view.help\"\nwhen = \"main\"\n")),
            ["keymap.two-meanings"]
        );
        assert_eq!(checks(with("[[key]]\non = \"c x\"\nrun = \"view.help\"\n")), ["keymap.two-meanings"]);
        assert!(with("[[key]]\non = \"x\"\nrun = \"view.help\"\nwhen = \"main\"\n[[key]]\non = \"x\"\nrun = \"view.main\"\nwhen = \"list\"\n").is_ok());
    }

    #[test]
    fn hold_cannot_be_unbound_or_hidden_in_a_sequence() {
        let unbound = Keymap::DEFAULT.replace("on = \"H\"", "on = \"space h\"");
        assert_eq!(checks(Keymap::parse(&unbound)), ["keymap.hold"]);
        let moved = Keymap::DEFAULT.replace("on = \"H\"", "on = \"f4\"");
        assert!(Keymap::parse(&moved).is_ok());
        assert_eq!(checks(with("[[key]]\non = \"space H\"\nrun = \"view.help\"\n")), ["keymap.hold"]);
    }

    #[test]
    fn a_way_out_stays_bound() {
        let none = Keymap::DEFAULT.replace("view.back", "view.help").replace("view.quit", "view.help");
        assert_eq!(checks(Keymap::parse(&none)), ["keymap.no-way-out", "keymap.no-way-out"]);
    }

    #[test]
    fn every_mistake_of_a_file_is_named_at_once() {
        let text = "colour = 1\n[[key]]\non = \"hh\"\nrun = \"nothing\"\nwhen = \"never\"\nsize = 2\n";
        assert_eq!(
            checks(Keymap::parse(text)),
            [
                "keymap.version",
                "keymap.key",
                "keymap.entry",
                "keymap.entry",
                "keymap.entry",
                "keymap.entry",
                "keymap.hold",
                "keymap.no-way-out",
                "keymap.no-way-out"
            ]
        );
    }

    #[test]
    fn keys_that_others_eat_are_warned_about() {
        let keymap = with("[[key]]\non = \"ctrl-b\"\nrun = \"view.page-up\"\n").unwrap();
        assert_eq!(keymap.warnings().len(), 1);
        assert!(keymap.warnings()[0].text.contains("tmux"));
    }
}
