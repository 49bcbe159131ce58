//! The console in the test's own process, on paused time: keys by a channel, the screen by a terminal emulator, the
//! embedded cluster behind it.

use crate::robot::{Key, Keys, Robot};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use futures::StreamExt;
use pilothouse::cli::{Answers, Demo, carry_out, scenario};
use pilothouse::config::{Surroundings, Wanted, load};
use pilothouse::core::Command;
use pilothouse::runtime::{self, Engine, Exit, Manners, Screen};
use pilothouse::sim::Scenario;
use pilothouse::ui::{Look, Ui};
use std::io::{self, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How often a person looks at the screen.
const LOOK: Duration = Duration::from_millis(100);

/// A running console and everything around it.
pub struct Stage {
    pub demo: Demo,
    pub stop: CancellationToken,
    keys: Option<mpsc::UnboundedSender<io::Result<Event>>>,
    emulator: Arc<Mutex<vt100::Parser>>,
    console: JoinHandle<Exit>,
}

struct Emulated(Arc<Mutex<vt100::Parser>>, Box<dyn Gate>);

/// Lets writes to a terminal through.
pub trait Gate: Send {
    /// Waits until a write may go on.
    fn pass(&self);
}

impl Gate for () {
    fn pass(&self) {}
}

impl Write for Emulated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.pass();
        self.0.lock().unwrap().process(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns a scenario that comes with the program.
pub fn shipped(name: &str) -> Scenario {
    scenario(name).unwrap()
}

impl Stage {
    /// Opens a console of this size on a scenario.
    pub fn open(scenario: &Scenario, size: (u16, u16), watch: bool) -> Self {
        Self::open_behind(scenario, size, watch, Box::new(()))
    }

    /// Opens a console for looking that shows signs instead of customers' names.
    pub fn private(scenario: &Scenario, size: (u16, u16)) -> Self {
        Self::begin(scenario, size, true, true, Box::new(()))
    }

    /// Opens a console whose terminal reads nothing for as long as `gate` lets nothing through.
    pub fn open_behind(scenario: &Scenario, size: (u16, u16), watch: bool, gate: Box<dyn Gate>) -> Self {
        Self::begin(scenario, size, watch, false, gate)
    }

    fn begin(scenario: &Scenario, size: (u16, u16), watch: bool, privacy: bool, gate: Box<dyn Gate>) -> Self {
        let demo = Demo::start(scenario, "2026-05-04T03:00:00Z".parse().unwrap()).unwrap();
        let (setup, links) = demo.console("robot@test".into(), "00000000000000aa".into(), watch);
        let (rows, columns) = (NonZeroU16::new(size.1).unwrap(), NonZeroU16::new(size.0).unwrap());
        let emulator = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let screen = Screen { out: Box::new(Emulated(emulator.clone(), gate)), size, manners: Manners::default() };
        let (keys, pressed) = mpsc::unbounded_channel();
        let pressed = futures::stream::unfold(pressed, |mut pressed| async move {
            pressed.recv().await.map(|event| (event, pressed))
        });
        let around = Surroundings { folder: None, no_color: false, is_utf8: true };
        let look = Look { privacy, ..load(&Wanted::default(), &around).unwrap().look };
        let stop = CancellationToken::new();
        let clock = demo.clock();
        let console =
            tokio::spawn(runtime::run(setup, screen, pressed.boxed(), clock, links, Ui::new(look), stop.clone()));
        Self { demo, stop, keys: Some(keys), emulator, console }
    }

    /// Carries out an order at another console.
    pub async fn order(&self, command: Command, yes: &str) {
        let (setup, links) = self.demo.console("other@test".into(), "00000000000000bb".into(), false);
        let mut engine = Engine::open(setup, self.demo.clock(), links);
        let answers = Answers { yes: Some(yes.to_owned()), take: None };
        let stop = CancellationToken::new();
        carry_out(&mut engine, command, &answers, &stop, &mut io::sink()).await.unwrap();
        engine.leave().await;
    }

    /// Returns the screen, one line per row.
    pub fn screen(&self) -> String {
        self.emulator.lock().unwrap().screen().contents()
    }

    /// Types keys.
    pub fn press(&self, keys: &Keys) {
        for key in keys {
            let code = match key {
                Key::Char(c) => KeyCode::Char(*c),
                Key::Enter => KeyCode::Enter,
                Key::Esc => KeyCode::Esc,
            };
            self.send(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        }
    }

    /// Sends any terminal event.
    pub fn send(&self, event: Event) {
        if let Some(keys) = &self.keys {
            keys.send(Ok(event)).unwrap();
        }
    }

    /// Ends the terminal's input, as a lost session does.
    pub fn hang_up(&mut self) {
        self.keys = None;
    }

    /// Waits until the screen holds a text.
    pub async fn wait_for(&self, text: &str, at_most: Duration) {
        let end = Instant::now() + at_most;
        while !self.screen().contains(text) {
            assert!(Instant::now() < end, "{text:?} did not appear within {at_most:?}:\n{}", self.screen());
            assert!(!self.console.is_finished(), "the console has ended:\n{}", self.screen());
            sleep(LOOK).await;
        }
    }

    /// Lets a robot play until it says that the release is over.
    pub async fn play(&self, robot: &mut Robot, at_most: Duration) {
        let end = Instant::now() + at_most;
        while !robot.finished {
            assert!(Instant::now() < end, "not finished within {at_most:?}: {robot:?}\n{}", self.screen());
            assert!(!self.console.is_finished(), "the console has ended:\n{}", self.screen());
            sleep(LOOK).await;
            if let Some(keys) = robot.step(&self.screen()) {
                self.press(&keys);
            }
        }
    }

    /// Tells whether the console has ended.
    pub fn has_ended(&self) -> bool {
        self.console.is_finished()
    }

    /// Waits for the console's end.
    pub async fn ended(self) -> (Exit, Demo) {
        let exit = tokio::time::timeout(Duration::from_secs(5), self.console).await;
        (exit.expect("the console ends within five seconds").unwrap(), self.demo)
    }
}
