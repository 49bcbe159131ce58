//! What keys do, and what they never do.

use super::{console, frame, rows, views};
use crate::core::{
    ACTIONS, Action, Command, Confirm, Fact, LEAVE, Mode, Preview, Role, RunningRow, RunningState, Tone, Verdict, View,
};
use crate::model::Refusal;
use crate::ui::{Ask, Ui, text};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

pub(super) const SIZE: (u16, u16) = (80, 24);

/// A person at a console whose runtime draws before and after every key.
pub(super) struct Desk {
    pub ui: Ui,
    pub view: View,
    pub now_ms: u64,
    pub confirm: Confirm,
    pub refusals: Vec<Refusal>,
    pub movers: Vec<String>,
    pub mark: String,
    pub size: (u16, u16),
}

impl Desk {
    pub fn new(view: View) -> Self {
        Self::of(console(false), view, SIZE)
    }

    /// Sits down at a console of a size.
    pub fn of(ui: Ui, view: View, size: (u16, u16)) -> Self {
        let confirm = Confirm::Type("early".to_owned());
        let (mark, movers) = ("m1".to_owned(), super::movers::wave());
        let mut desk = Self { ui, view, now_ms: 1000, confirm, refusals: Vec::new(), movers, mark, size };
        desk.draw();
        desk
    }

    pub fn draw(&mut self) -> String {
        if let Some(command) = self.ui.wanted_preview() {
            self.ui.show_preview(Preview {
                action: command.action(),
                title: format!("{}: from 4.11.8 to 4.12.0.", command.action().spec().title),
                facts: vec![
                    Fact {
                        label: "cluster".to_owned(),
                        text: "aks-weu-prod, namespace trackx".to_owned(),
                        tone: Tone::Plain,
                    },
                    Fact {
                        label: "customers".to_owned(),
                        text: "11 -> 22 of 44: hooli, wayne-ent, cyberdyne and 8 more".to_owned(),
                        tone: Tone::Warn,
                    },
                    Fact {
                        label: "gates".to_owned(),
                        text: "errors 0.3 % of 1 %, p99 96 ms of 250 ms, for 15 min".to_owned(),
                        tone: Tone::Good,
                    },
                    Fact {
                        label: "way back".to_owned(),
                        text: "R, then y: about 20 s; open work on 4.12.0 finishes there".to_owned(),
                        tone: Tone::Plain,
                    },
                    Fact {
                        label: "seen".to_owned(),
                        text: "Release trackx-4-12-0, revision 884213, 1 s old".to_owned(),
                        tone: Tone::Plain,
                    },
                ],
                movers: self.movers.clone(),
                confirm: self.confirm.clone(),
                refusals: self.refusals.clone(),
                mark: self.mark.clone(),
            });
        }
        rows(&frame(&mut self.ui, &self.view, self.size, self.now_ms)).join("\n")
    }

    pub fn send(&mut self, event: &Event) -> Vec<Ask> {
        let asks = self.ui.on_event(self.now_ms, event, &self.view);
        self.draw();
        asks
    }

    /// Waits until a dialog takes keys.
    pub fn wait(&mut self) {
        self.now_ms += 401;
        self.draw();
    }

    /// Presses keys, written as in keymap files and separated by blanks.
    pub fn press(&mut self, keys: &str) -> Vec<Ask> {
        keys.split(' ').flat_map(|key| self.send(&key_of(key))).collect()
    }

    /// Types a text.
    pub fn text(&mut self, text: &str) -> Vec<Ask> {
        text.chars().flat_map(|c| self.send(&Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)))).collect()
    }
}

pub(super) fn key_of(text: &str) -> Event {
    let chord = crate::ui::Chord::parse(text).unwrap();
    let mut mods = KeyModifiers::NONE;
    mods.set(KeyModifiers::CONTROL, chord.ctrl);
    mods.set(KeyModifiers::ALT, chord.alt);
    Event::Key(KeyEvent::new(chord.code, mods))
}

fn run(command: Command, mark: &str) -> Vec<Ask> {
    vec![Ask::Run { command, mark: Some(mark.to_owned()) }]
}

const NEXT: Command = Command::Next { accept_no_traffic: None };

#[test]
fn a_forward_act_needs_menu_letter_preview_and_the_typed_word() {
    let mut desk = Desk::new(views::baking());
    assert_eq!(desk.press("space"), []);
    assert!(desk.draw().contains("actions"));
    assert_eq!(desk.press("n"), []);
    assert_eq!(desk.ui.wanted_preview(), Some(NEXT));
    desk.wait();
    assert!(desk.draw().contains("Type early to go: "));
    assert_eq!(desk.press("enter"), []);
    assert_eq!(desk.text("earl"), []);
    assert_eq!(desk.press("enter"), []);
    assert!(desk.draw().contains(text::ENTER_WAITS));
    assert_eq!(desk.text("y"), []);
    assert!(desk.draw().contains(text::ENTER_RUNS));
    assert_eq!(desk.press("enter"), run(NEXT, "m1"));
    assert_eq!(desk.ui.wanted_preview(), None);
}

#[test]
fn rollback_is_one_key_a_preview_and_y() {
    let mut desk = Desk::new(views::held());
    desk.confirm = Confirm::Yes;
    assert_eq!(desk.press("R"), []);
    desk.wait();
    let screen = desk.draw();
    assert!(screen.contains("y  roll back") && screen.contains("Esc  cancel"), "{screen}");
    assert_eq!(desk.press("enter space R"), []);
    assert_eq!(desk.press("y"), run(Command::Rollback { reason: text::BY_KEY.to_owned() }, "m1"));
}

#[test]
fn hold_works_at_once_in_every_screen_and_dialog() {
    let openings = ["", "c", "c /", "a", "?", ":", "space", "space s", "space n", "space k", "R", "q", "d", "space x"];
    for keys in openings {
        let mut desk = Desk::new(views::baking());
        if !keys.is_empty() {
            desk.press(keys);
        }
        let hold = Ask::Run { command: Command::Hold { reason: text::BY_KEY.to_owned() }, mark: None };
        assert_eq!(desk.press("H"), [hold], "after {keys:?}");
    }
}

#[test]
fn while_rights_are_not_known_a_hold_is_ordered_all_the_same() {
    let mut desk = Desk::new(views::baking());
    desk.view.header.mode = Mode::Unknown;
    assert!(desk.draw().contains("RIGHTS ?"));
    assert_eq!(desk.press("H").len(), 1);
    desk.view.header.mode = Mode::Watch;
    assert_eq!(desk.press("H"), []);
}

#[test]
fn a_paste_confirms_nothing_and_types_nothing() {
    let mut desk = Desk::new(views::baking());
    desk.press("space n");
    desk.wait();
    assert_eq!(desk.send(&Event::Paste("early\r\n".to_owned())), []);
    assert_eq!(desk.press("enter"), []);
    desk.press("esc");
    desk.confirm = Confirm::Yes;
    desk.press("R");
    desk.wait();
    assert_eq!(desk.send(&Event::Paste("y".to_owned())), []);
    assert!(desk.ui.wanted_preview().is_some());
}

#[test]
fn keys_typed_before_a_dialog_was_seen_are_dropped() {
    let mut desk = Desk::new(views::baking());
    desk.confirm = Confirm::Yes;
    // The whole burst arrives before any frame is drawn.
    for key in ["R", "y", "y"] {
        assert_eq!(desk.ui.on_event(desk.now_ms, &key_of(key), &desk.view), []);
    }
    desk.draw();
    desk.now_ms += 399;
    assert!(desk.draw().contains(text::NOT_ARMED));
    assert_eq!(desk.press("y"), []);
    desk.now_ms += 1;
    assert!(desk.draw().contains("y  roll back"));
    assert_eq!(desk.press("y").len(), 1);
}

#[test]
fn a_dialog_that_was_never_drawn_takes_no_key() {
    let mut desk = Desk::new(views::baking());
    desk.confirm = Confirm::Yes;
    desk.ui.on_event(1000, &key_of("R"), &desk.view);
    assert_eq!(desk.ui.on_event(60_000, &key_of("y"), &desk.view), []);
}

#[test]
fn a_changed_world_is_seen_again_before_it_can_be_confirmed() {
    let mut desk = Desk::new(views::baking());
    desk.press("space n");
    desk.wait();
    desk.text("early");
    desk.mark = "m2".to_owned();
    desk.draw();
    assert_eq!(desk.press("enter"), []);
    desk.wait();
    assert_eq!(desk.press("enter"), run(NEXT, "m2"));
}

#[test]
fn a_held_down_key_confirms_nothing() {
    let mut desk = Desk::new(views::baking());
    desk.confirm = Confirm::Yes;
    desk.press("R");
    desk.wait();
    let mut key = KeyEvent::new(KeyCode::Char('y'), KeyModifiers::NONE);
    key.kind = KeyEventKind::Repeat;
    assert_eq!(desk.send(&Event::Key(key)), []);
    key.kind = KeyEventKind::Release;
    assert_eq!(desk.send(&Event::Key(key)), []);
}

#[test]
fn a_refused_command_shows_every_reason_and_cannot_be_confirmed() {
    let mut desk = Desk::new(views::held());
    desk.refusals = vec![Refusal::new("a", "held by dana for 12 min"), Refusal::new("b", "gate errors fails")];
    desk.press("space n");
    desk.wait();
    let screen = desk.draw();
    assert!(screen.contains(text::REFUSED) && screen.contains("held by dana") && screen.contains("gate errors fails"));
    assert!(!screen.contains(text::TYPE), "{screen}");
    assert_eq!(desk.text("early"), []);
    assert_eq!(desk.press("enter y"), []);
    desk.press("esc");
    assert_eq!(desk.ui.wanted_preview(), None);
}

#[test]
fn takeover_asks_for_the_name_and_a_reason() {
    let mut desk = Desk::new(views::baking());
    desk.confirm = Confirm::TypeWithReason("anna@jump02".to_owned());
    desk.press("space k");
    desk.wait();
    desk.text("anna@jump02");
    assert!(desk.draw().contains(text::ENTER_TO_REASON));
    assert_eq!(desk.press("enter"), []);
    assert_eq!(desk.press("enter"), []);
    desk.text("she is off duty");
    assert!(desk.draw().contains(text::ENTER_RUNS));
    assert_eq!(desk.press("enter"), run(Command::Take { reason: "she is off duty".to_owned() }, "m1"));
}

#[test]
fn the_start_dialog_offers_what_is_proposed_and_takes_a_version() {
    let mut desk = Desk::new(views::idle());
    desk.press("space s");
    desk.wait();
    let screen = desk.draw();
    assert!(screen.contains("4.12.0") && screen.contains("4.11.9") && screen.contains(text::ENTER_SHOWS));
    desk.press("down enter");
    let by_name =
        Command::Start { release: Some("trackx-4-11-9".to_owned()), version: None, image: None, commit: None };
    assert_eq!(desk.ui.wanted_preview(), Some(by_name));
    desk.press("esc space s");
    desk.wait();
    desk.text("4.13.0");
    desk.confirm = Confirm::Type("4.13.0".to_owned());
    desk.press("enter");
    let typed = Command::Start { release: None, version: Some("4.13.0".into()), image: None, commit: None };
    assert_eq!(desk.ui.wanted_preview(), Some(typed.clone()));
    desk.wait();
    desk.text("4.13.0");
    assert_eq!(desk.press("enter"), run(typed, "m1"));
}

#[test]
fn gates_without_traffic_are_passed_only_with_a_reason() {
    let mut view = views::baking();
    view.gates[0].verdict = Verdict::NoTraffic("no requests for 1m".to_owned());
    let mut desk = Desk::new(view);
    desk.refusals = vec![Refusal::new("guard.gate", "gate errors has no traffic")];
    desk.press("space n");
    desk.wait();
    assert!(desk.draw().contains("a  accept gates without traffic"));
    desk.press("a");
    desk.refusals.clear();
    desk.draw();
    desk.wait();
    desk.text("early");
    desk.press("enter enter");
    desk.text("night, nobody works");
    let command = Command::Next { accept_no_traffic: Some("night, nobody works".to_owned()) };
    assert_eq!(desk.press("enter"), run(command, "m1"));
}

#[test]
fn approval_names_the_ring_that_waits() {
    let mut desk = Desk::new(views::baking());
    desk.press("space a");
    assert_eq!(desk.ui.wanted_preview(), Some(Command::Approve { ring: "main".to_owned() }));
}

#[test]
fn leaving_while_driving_is_asked_and_ctrl_c_twice_leaves() {
    let mut desk = Desk::new(views::baking());
    assert_eq!(desk.press("q"), []);
    desk.wait();
    assert!(desk.draw().contains("y  leave"));
    assert_eq!(desk.press("q enter esc"), []);
    assert_eq!(desk.press("q"), []);
    desk.wait();
    assert_eq!(desk.press("y"), [Ask::Quit]);

    let mut desk = Desk::new(views::baking());
    assert_eq!(desk.press("ctrl-c ctrl-c"), [Ask::Quit]);
    let mut desk = Desk::new(views::baking());
    assert_eq!(desk.press("space n ctrl-c"), []);
    desk.now_ms += 2000;
    assert_eq!(desk.press("ctrl-c"), []);
    assert_eq!(desk.press("ctrl-c"), [Ask::Quit]);
    assert_eq!(Desk::new(views::idle()).press("q"), [Ask::Quit]);
}

#[test]
fn leaving_says_how_long_a_write_is_given_and_whether_one_drives() {
    let mut desk = Desk::new(views::baking());
    desk.press("q");
    let given = format!("{} s, the lease is given back", LEAVE.0.as_secs_f64());
    // The sentence is broken over two rows of a window.
    let shown = desk.draw().replace(['│', '╌'], "").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("you drive it") && shown.contains(&given), "{shown}");
    let mut standby = views::rolling_back();
    standby.header.mode = Mode::Standby;
    let mut desk = Desk::new(standby);
    desk.press("q");
    let shown = desk.draw();
    assert!(shown.contains("Your order \"roll back\" is still under way"), "{shown}");
    assert!(!shown.contains("you drive it") && !shown.contains("lease is given back"), "{shown}");
}

#[test]
fn watch_mode_emits_no_order_for_any_key() {
    for (_, mut view) in views::states() {
        view.header.mode = Mode::Watch;
        let mut desk = Desk::new(view);
        desk.confirm = Confirm::Yes;
        let chars = (' '..='~').map(KeyCode::Char);
        let codes: Vec<KeyCode> =
            chars.chain([KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::F(1), KeyCode::Up]).collect();
        for first in &codes {
            for second in &codes {
                for code in [first, second] {
                    for asked in
                        desk.ui.on_event(desk.now_ms, &Event::Key(KeyEvent::new(*code, KeyModifiers::NONE)), &desk.view)
                    {
                        assert!(!matches!(asked, Ask::Run { .. }), "{first:?} {second:?} asked {asked:?}");
                    }
                    desk.now_ms += 500;
                    assert_eq!(desk.ui.wanted_preview(), None, "{first:?} {second:?}");
                }
            }
        }
    }
}

#[test]
fn watch_mode_does_not_draw_what_it_cannot_do() {
    let mut view = views::baking();
    view.header.mode = Mode::Watch;
    let mut desk = Desk::new(view);
    for keys in ["m", "?", "c", "a", ":"] {
        desk.press(keys);
        let screen = desk.draw();
        for spec in ACTIONS.iter().filter(|spec| spec.role == Role::Operate) {
            assert!(!screen.contains(spec.doc) && !screen.contains(spec.id), "{keys}: {}", spec.id);
        }
        assert!(!screen.contains("H hold") && !screen.contains("Space n"), "{keys}:\n{screen}");
    }
}

#[test]
fn the_advice_names_the_key_or_what_is_waited_for() {
    let screen = Desk::new(views::baking()).draw();
    assert!(screen.contains(" Space n: move wave 3 of early"), "{screen}");
    assert!(Desk::new(views::held()).draw().contains(" R: roll back"));
    assert!(Desk::new(views::idle()).draw().contains(" Space s: start 4.12.0"));
    assert!(Desk::new(views::shifting()).draw().contains(" · moving wave 2 of early: 2 of 3 routes written, since"));
}

#[test]
fn a_refused_order_stays_until_it_is_put_away_and_a_done_one_goes_by_itself() {
    let mut desk = Desk::new(views::held());
    desk.now_ms += 60_000;
    assert!(desk.draw().contains("REFUSED"));
    desk.press("esc");
    assert!(!desk.draw().contains("REFUSED"));
    let order = RunningRow { number: 7, outcome: RunningState::Done, ..desk.view.running.clone().unwrap() };
    desk.view.running = Some(order);
    assert!(desk.draw().contains("next wave: done"));
    desk.now_ms += 10_000;
    assert!(!desk.draw().contains("next wave: done"));
}

#[test]
fn work_under_way_is_said_once() {
    let mut desk = Desk::new(views::shifting());
    let text = desk.view.running.clone().unwrap().text;
    assert!(desk.draw().contains(&format!("next wave, for 4s: {text}")));
    desk.view.advice.text = format!("next wave: {text} (4s)");
    assert_eq!(desk.draw().matches(&text).count(), 1);
}

#[test]
fn customers_are_narrowed_by_a_text_and_the_selection_stays_on_its_customer() {
    let mut desk = Desk::new(views::held());
    desk.press("c j j j");
    assert!(desk.draw().contains(" cust-003"), "{}", desk.draw());
    desk.press("/");
    desk.text("glob");
    desk.press("enter");
    let screen = desk.draw();
    assert!(screen.contains("customers 1 of 60") && screen.contains("globex"), "{screen}");
    desk.press("/");
    assert_eq!(desk.press("esc"), []);
    assert!(desk.draw().contains("customers 60 of 60"));
}

#[test]
fn the_menu_shows_every_operating_action_with_its_reasons() {
    let mut desk = Desk::new(views::held());
    desk.press("space");
    let screen = desk.draw();
    for spec in ACTIONS.iter().filter(|spec| spec.role == Role::Operate && spec.action != Action::Menu) {
        assert!(screen.contains(spec.title), "{}\n{screen}", spec.title);
    }
    assert!(screen.contains("held by gate errors since 03:06:32: ") && screen.contains("(+1)"), "{screen}");
    assert_eq!(desk.press("enter"), []);
    // What cannot be done now stands last, and says all its reasons once it is selected.
    desk.press("end");
    assert!(desk.draw().contains("gate errors fails"));
    desk.press("enter");
    assert_eq!(desk.ui.wanted_preview(), Some(NEXT));
}

#[test]
fn the_palette_finds_actions_by_name_and_leaves_confirming_to_their_dialogs() {
    let mut desk = Desk::new(views::baking());
    desk.press(":");
    desk.text("wave");
    assert!(desk.draw().contains("wave.next"));
    assert_eq!(desk.press("enter"), []);
    assert_eq!(desk.ui.wanted_preview(), Some(NEXT));
}

#[test]
fn control_keys_only_look_and_leave() {
    let mut desk = Desk::new(views::baking());
    for c in 'a'..='z' {
        for asked in desk.press(&format!("ctrl-{c}")) {
            assert!(matches!(asked, Ask::Redraw | Ask::Quit), "ctrl-{c}: {asked:?}");
        }
        desk.press("esc");
    }
}

#[test]
fn a_word_with_the_hold_key_in_it_can_still_be_typed() {
    let mut desk = Desk::new(views::baking());
    desk.confirm = Confirm::Type("Hamburg".to_owned());
    desk.press("space n");
    desk.wait();
    assert!(desk.draw().contains("type the word in small letters"));
    desk.text("hamburg");
    assert_eq!(desk.press("enter"), run(NEXT, "m1"));
}
