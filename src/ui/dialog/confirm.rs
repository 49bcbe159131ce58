//! The preview of a command and its confirmation.

use super::{Body, Guard, Press, Reply, body_room, draw_moving, draw_window, edit, text_width};
use crate::core::{Action, Command, Confirm, Fact, Preview, Verdict, View};
use crate::ui::paint::{Row, role_of};
use crate::ui::safe::Safe;
use crate::ui::scene::Scene;
use crate::ui::text;
use crate::ui::theme::Role;
use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui_input::Input;
use unicode_width::UnicodeWidthStr;

/// Stands for the reason while none has been typed; such a command is only previewed, never run.
const REASON_FOLLOWS: &str = "(being typed)";
/// How many rows a page key moves what is shown.
const PAGE: usize = 5;
/// The key that accepts gates without an answer for lack of traffic.
const ACCEPT: char = 'a';

/// The key that lists everybody who moves, and leads back, where no text is typed.
const LIST: char = 'v';

/// A command that waits to be confirmed.
pub(in crate::ui) struct Confirming {
    command: Command,
    preview: Option<Preview>,
    word: Input,
    reason: Input,
    /// Whether the keyboard is in the reason.
    in_reason: bool,
    /// What is shown: the facts, then one page after the other of everybody who moves.
    page: usize,
    /// The first row in sight of what is shown.
    top: usize,
    pub(super) guard: Guard,
}

impl Confirming {
    /// Opens the dialog of a command.
    pub fn new(command: Command) -> Self {
        Self {
            command,
            preview: None,
            word: Input::default(),
            reason: Input::default(),
            in_reason: false,
            page: 0,
            top: 0,
            guard: Guard::default(),
        }
    }

    /// Returns the command as it would run now.
    pub fn wanted(&self) -> Command {
        let typed = self.reason.value().trim();
        let reason = if typed.is_empty() { REASON_FOLLOWS.to_owned() } else { typed.to_owned() };
        match &self.command {
            Command::Next { accept_no_traffic: Some(_) } => Command::Next { accept_no_traffic: Some(reason) },
            Command::Promote { accept_no_traffic: Some(_) } => Command::Promote { accept_no_traffic: Some(reason) },
            Command::Take { .. } => Command::Take { reason },
            Command::Force { .. } => Command::Force { reason },
            Command::Rollback { .. } if self.asks_reason() => Command::Rollback { reason },
            other => other.clone(),
        }
    }

    /// Takes in the preview; one of a changed world has to be seen again before it can be confirmed.
    pub fn show(&mut self, preview: Preview) {
        let may_run = |p: &Preview| p.refusals.is_empty();
        let same = self.preview.as_ref().is_some_and(|old| {
            old.mark == preview.mark && old.confirm == preview.confirm && may_run(old) == may_run(&preview)
        });
        if !same {
            self.guard.again();
            self.page = 0;
        }
        self.preview = Some(preview);
    }

    /// Learns that its picture has reached the terminal.
    pub fn drawn(&mut self, now_ms: u64) {
        self.guard.drawn(now_ms);
    }

    /// Takes in a key.
    pub fn press(&mut self, press: &Press) -> Reply {
        let types = self.types();
        let action = if types { press.action_beside_text() } else { press.action() };
        if action == Some(Action::Back) {
            return Reply::Close;
        }
        if !matches!(press.chord.code, KeyCode::Char(_)) {
            // To read is possible before the keys count.
            match action {
                Some(Action::PageDown) => self.top += PAGE,
                Some(Action::PageUp) => self.top = self.top.saturating_sub(PAGE),
                _ => {}
            }
        }
        if !self.guard.is_armed(press.now_ms) {
            return Reply::Stay;
        }
        if let Some(page) = self.turned(press, action) {
            self.page = page;
            return Reply::Stay;
        }
        if self.offers_acceptance(press.view) && press.chord.typed() == Some(ACCEPT) {
            return self.accept();
        }
        if !self.may_run() {
            return Reply::Stay;
        }
        if !types {
            let yes = press.chord.typed() == Some('y') && !press.repeat;
            return if yes { self.run() } else { Reply::Stay };
        }
        match press.chord.code {
            KeyCode::Enter if press.repeat || !self.word_matches() => Reply::Stay,
            KeyCode::Enter if self.asks_reason() && !self.in_reason => self.turn_to_reason(true),
            KeyCode::Enter if self.asks_reason() && self.reason.value().trim().is_empty() => Reply::Stay,
            KeyCode::Enter => self.run(),
            KeyCode::Tab | KeyCode::BackTab | KeyCode::Up | KeyCode::Down if self.asks_reason() => {
                self.turn_to_reason(!self.in_reason)
            }
            _ => {
                edit(if self.in_reason { &mut self.reason } else { &mut self.word }, press.chord);
                Reply::Stay
            }
        }
    }

    /// Draws the dialog.
    pub fn draw(&mut self, scene: &Scene, buf: &mut Buffer, area: Rect) {
        let room = text_width(area);
        let title = format!("confirm: {}", self.command.action().spec().title);
        let escape = Row::from(scene.ink.text(&format!(" {}", text::escape(&scene.key(Action::Back), "cancel"))));
        let Some(preview) = &self.preview else {
            let body = [Row::from(scene.ink.text(&format!(" {}", text::LOOKING)))];
            return draw_window(scene, buf, area, Role::Warn, &title, &body, &[escape]);
        };
        self.guard.in_frame();
        let mut tail = self.prompts(scene, preview, room);
        tail.push(escape);
        tail.extend(self.list_hint(scene, preview));
        let headline = scene.ink.wrap(&preview.title, room);
        let mut body: Vec<Row> =
            headline.iter().map(|row| Row::from(scene.ink.bold(&format!(" {row}")))).chain([Row::default()]).collect();
        let role = if preview.refusals.is_empty() { Role::Warn } else { Role::Bad };
        if self.page > 0 {
            let rows = body_room(area, tail.len()).saturating_sub(body.len() + 1).max(1);
            let (list, pages) = movers(scene, preview, room, rows, self.page);
            body.extend(list);
            self.page = self.page.min(pages);
            return draw_window(scene, buf, area, role, &title, &body, &tail);
        }
        body.extend(preview.facts.iter().flat_map(|fact| fact_rows(scene, fact, room)));
        body.push(Row::default());
        if !preview.refusals.is_empty() {
            body.push(Row::from(scene.ink.role(Role::Bad, &format!(" {}", text::REFUSED))));
            for refusal in &preview.refusals {
                body.extend(refusal_rows(scene, &refusal.text, room));
            }
        }
        if !preview.movers.is_empty() && preview.refusals.is_empty() {
            return draw_window(scene, buf, area, role, &title, &body, &tail);
        }
        let body = Body { rows: &body, top: &mut self.top, kept: 0..0, moves: [Action::PageUp, Action::PageDown] };
        draw_moving(scene, buf, area, role, &title, body, &tail);
    }

    /// Returns the page that a key leads to; the next frame brings it back to the last one there is.
    fn turned(&self, press: &Press, action: Option<Action>) -> Option<usize> {
        if self.preview.as_ref().is_none_or(|preview| preview.movers.is_empty()) {
            return None;
        }
        match action {
            // Where an act is refused, these keys show the rest of the reasons.
            Some(Action::PageDown) if self.may_run() => Some(self.page + 1),
            Some(Action::PageUp) if self.may_run() => Some(self.page.saturating_sub(1)),
            _ if !self.types() && press.chord.typed() == Some(LIST) => Some(usize::from(self.page == 0)),
            _ => None,
        }
    }

    /// Writes which key lists everybody who moves, or leads back; where a word is typed letters are text.
    fn list_hint(&self, scene: &Scene, preview: &Preview) -> Option<Row> {
        let count = preview.movers.len();
        let (action, what) = match self.page {
            0 => (Action::PageDown, format!("all {count} who move")),
            _ => (Action::PageUp, "back to what it does".to_owned()),
        };
        let key = if self.types() { scene.key(action) } else { LIST.to_string() };
        let is_shown = count > 0 && !key.is_empty();
        is_shown.then(|| Row::from(scene.ink.role(Role::Dim, &format!(" {}", text::escape(&key, &what)))))
    }

    fn prompts(&self, scene: &Scene, preview: &Preview, room: usize) -> Vec<Row> {
        let plain = |text: &str| Row::from(scene.ink.text(&format!(" {text}")));
        let accept = format!(" {ACCEPT}  accept gates without traffic, with a reason");
        if !self.guard.is_armed(scene.now_ms) {
            return vec![Row::from(scene.ink.role(Role::Dim, &format!(" {}", text::NOT_ARMED)))];
        }
        if !preview.refusals.is_empty() {
            return if self.offers_acceptance(scene.view) {
                vec![Row::from(scene.ink.bold(&accept))]
            } else {
                Vec::new()
            };
        }
        let Some(word) = self.expected() else {
            return vec![Row::from(scene.ink.bold(&format!(" {}", text::yes(preview.action))))];
        };
        let cursor = |here: bool| if here { "▏" } else { "" };
        let prompt = text::type_word(word.as_str());
        let typed = format!("{}{}", self.word.value(), cursor(!self.in_reason));
        let mut rows = if prompt.len() + typed.len() <= room {
            vec![Row::from(vec![scene.ink.text(" "), scene.ink.bold(&prompt), scene.ink.text(&typed)])]
        } else {
            vec![Row::from(vec![scene.ink.text(" "), scene.ink.bold(&prompt)]), plain(&format!("  {typed}"))]
        };
        let matches = self.word_matches();
        if self.asks_reason() {
            let shown = tail_of(self.reason.value(), room.saturating_sub(text::REASON.len() + 2));
            let typed = format!("{shown}{}", cursor(self.in_reason));
            rows.push(Row::from(vec![scene.ink.text(" "), scene.ink.bold(text::REASON), scene.ink.text(&typed)]));
        }
        let ready = matches && (!self.asks_reason() || (self.in_reason && !self.reason.value().trim().is_empty()));
        rows.push(match (ready, matches) {
            (true, _) => Row::from(scene.ink.role(Role::Ok, &format!(" {}", text::ENTER_RUNS))),
            (false, true) if !self.in_reason => plain(text::ENTER_TO_REASON),
            (false, true) => plain("Enter does nothing until a reason stands here."),
            (false, false) => Row::from(scene.ink.role(Role::Dim, &format!(" {}", text::ENTER_WAITS))),
        });
        let hold = scene.key(Action::Hold);
        if word.as_str().contains(hold.as_str()) {
            rows.push(plain(&format!("{hold} holds, here too; type the word in small letters.")));
        }
        rows
    }

    fn run(&self) -> Reply {
        match &self.preview {
            Some(preview) => Reply::Run { command: self.wanted(), mark: preview.mark.clone() },
            None => Reply::Stay,
        }
    }

    fn turn_to_reason(&mut self, there: bool) -> Reply {
        self.in_reason = there;
        Reply::Stay
    }

    /// Begins again with gates that have no traffic accepted.
    fn accept(&mut self) -> Reply {
        let command = match &self.command {
            Command::Promote { .. } => Command::Promote { accept_no_traffic: Some(String::new()) },
            _ => Command::Next { accept_no_traffic: Some(String::new()) },
        };
        *self = Self::new(command);
        Reply::Stay
    }

    fn may_run(&self) -> bool {
        self.preview.as_ref().is_some_and(|preview| preview.refusals.is_empty())
    }

    fn types(&self) -> bool {
        self.may_run() && self.expected().is_some()
    }

    /// Returns the word to type, as it is shown.
    fn expected(&self) -> Option<Safe> {
        match &self.preview.as_ref()?.confirm {
            Confirm::Type(word) | Confirm::TypeWithReason(word) => Some(Safe::new(word)),
            Confirm::Yes | Confirm::AtOnce => None,
        }
    }

    /// Compares without case: the key that holds is a letter, and holds here too.
    fn word_matches(&self) -> bool {
        let typed = self.word.value().trim().to_lowercase();
        self.expected().is_some_and(|word| !typed.is_empty() && word.as_str().trim().to_lowercase() == typed)
    }

    fn asks_reason(&self) -> bool {
        let accepts = matches!(
            self.command,
            Command::Next { accept_no_traffic: Some(_) }
                | Command::Promote { accept_no_traffic: Some(_) }
                | Command::Take { .. }
                | Command::Force { .. }
        );
        accepts || matches!(self.preview.as_ref().map(|p| &p.confirm), Some(Confirm::TypeWithReason(_)))
    }

    /// Tells whether the only thing against the step is that gates have seen no traffic.
    fn offers_acceptance(&self, view: &View) -> bool {
        let fresh = matches!(
            self.command,
            Command::Next { accept_no_traffic: None } | Command::Promote { accept_no_traffic: None }
        );
        let quiet = |v: &Verdict| matches!(v, Verdict::NoTraffic(_));
        fresh
            && self.preview.as_ref().is_some_and(|p| !p.refusals.is_empty())
            && view.gates.iter().any(|gate| quiet(&gate.verdict))
            && view.gates.iter().all(|gate| quiet(&gate.verdict) || gate.verdict == Verdict::Pass)
    }
}

/// Writes one page of everybody who moves, with a heading; also tells how many pages there are.
fn movers(scene: &Scene, preview: &Preview, room: usize, rows: usize, page: usize) -> (Vec<Row>, usize) {
    let mut lines: Vec<String> = Vec::new();
    for name in &preview.movers {
        // One by one: a text as long as all of them would be cut.
        let name = scene.ink.fit(name, room.saturating_sub(2));
        match lines.last_mut() {
            Some(line) if line.width() + 2 + name.width() <= room.saturating_sub(2) => {
                line.push_str("  ");
                line.push_str(&name);
            }
            _ => lines.push(name),
        }
    }
    let pages = lines.len().div_ceil(rows).max(1);
    let page = page.min(pages);
    let of = if pages > 1 { format!(", page {page} of {pages}") } else { String::new() };
    let heading = scene.ink.role(Role::Warn, &format!(" all {} who move{of}", preview.movers.len()));
    let shown = lines.iter().skip((page - 1) * rows).take(rows);
    let shown = shown.map(|line| Row::from(scene.ink.text(&format!("   {line}"))));
    (std::iter::once(Row::from(heading)).chain(shown).collect(), pages)
}

fn fact_rows(scene: &Scene, fact: &Fact, room: usize) -> Vec<Row> {
    const LABEL: usize = 13;
    let role = role_of(Some(fact.tone));
    let lines = scene.ink.wrap(&fact.text, room.saturating_sub(LABEL + 4));
    let row = |(i, line): (usize, &String)| {
        let label = if i == 0 { fact.label.as_str() } else { "" };
        let sign = match role {
            Some(role) if i == 0 => scene.ink.glyph(role),
            _ => " ",
        };
        Row::from(vec![
            scene.ink.role(Role::Dim, &format!("  {} ", scene.ink.left(label, LABEL))),
            scene.ink.maybe(role, &format!("{sign} {line}")),
        ])
    };
    lines.iter().enumerate().map(row).collect()
}

fn refusal_rows(scene: &Scene, text: &str, room: usize) -> Vec<Row> {
    let lines = scene.ink.wrap(text, room.saturating_sub(4));
    let row = |(i, line): (usize, &String)| {
        let sign = if i == 0 { scene.ink.glyph(Role::Bad) } else { " " };
        Row::from(vec![scene.ink.role(Role::Bad, &format!("  {sign} ")), scene.ink.text(line)])
    };
    lines.iter().enumerate().map(row).collect()
}

/// Returns the end of a long line, where the cursor is.
fn tail_of(text: &str, cells: usize) -> String {
    let count = text.chars().count();
    text.chars().skip(count.saturating_sub(cells)).collect()
}
