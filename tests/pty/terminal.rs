//! The real program on a real pseudo terminal, read by a terminal emulator.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(60);

/// A program on a terminal.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    emulator: Arc<Mutex<vt100::Parser>>,
    master: Option<Box<dyn MasterPty + Send>>,
    gone: Arc<AtomicBool>,
    modes_before: String,
    home: tempfile::TempDir,
}

impl Terminal {
    /// Starts the program with these arguments at this size.
    pub fn start(arguments: &[&str], (columns, rows): (u16, u16)) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo terminal");
        let home = tempfile::tempdir().expect("a folder");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pilothouse"));
        command.args(arguments);
        command.env_clear();
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("USER", "robot")] {
            command.env(name, value);
        }
        command.env("HOME", home.path());
        command.cwd(home.path());
        let master = pair.master;
        let modes_before = format!("{:?}", master.get_termios());
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let keys = master.take_writer().expect("a keyboard");
        let mut output = master.try_clone_reader().expect("a screen");
        let lines = |n| NonZeroU16::new(n).expect("a size above zero");
        let emulator = Arc::new(Mutex::new(vt100::Parser::new(lines(rows), lines(columns), 0)));
        let seen = emulator.clone();
        let gone = Arc::new(AtomicBool::new(false));
        let is_gone = gone.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(n @ 1..) = output.read(&mut buffer) {
                seen.lock().expect("the emulator lives").process(&buffer[..n]);
                if is_gone.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        Self { child, keys, emulator, master: Some(master), gone, modes_before, home }
    }

    /// Returns the screen, one line per row.
    pub fn screen(&self) -> String {
        self.emulator.lock().expect("the emulator lives").screen().contents()
    }

    /// Types what a terminal sends.
    pub fn type_text(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).and_then(|()| self.keys.flush()).expect("the terminal takes keys");
    }

    /// Waits until the screen holds a text.
    pub fn wait_for(&mut self, text: &str, at_most: Duration) {
        let end = Instant::now() + at_most;
        while !self.screen().contains(text) {
            assert!(Instant::now() < end, "{text:?} did not appear:\n{}", self.screen());
            sleep(LOOK);
        }
    }

    /// Calls `look` with the screen again and again and types what it answers, until it says that it is done.
    pub fn play(&mut self, at_most: Duration, mut look: impl FnMut(&str) -> Next) {
        let end = Instant::now() + at_most;
        loop {
            assert!(Instant::now() < end, "not done in time:\n{}", self.screen());
            assert!(self.is_running(), "the program has ended:\n{}", self.screen());
            match look(&self.screen()) {
                Next::Type(text) => self.type_text(&text),
                Next::Look => {}
                Next::Done => return,
            }
            sleep(LOOK);
        }
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.process_id().expect("the program runs").to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().expect("kill exists");
        assert!(status.success());
    }

    /// Takes the terminal away, as a lost session does; the last reader goes with the next picture.
    pub fn take_away(&mut self) {
        self.gone.store(true, Ordering::SeqCst);
        self.master = None;
        self.keys = Box::new(std::io::sink());
    }

    /// Waits for the program's end and returns its exit code.
    pub fn exit_code(&mut self) -> u32 {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().expect("the program can be asked") {
                return status.exit_code();
            }
            assert!(Instant::now() < end, "the program does not end:\n{}", self.screen());
            sleep(LOOK);
        }
    }

    /// Asserts that the terminal is as it was before the program started.
    pub fn assert_restored(&self) {
        let emulator = self.emulator.lock().expect("the emulator lives");
        let screen = emulator.screen();
        assert!(!screen.alternate_screen(), "the alternate screen was left");
        assert!(!screen.hide_cursor(), "the cursor is visible again");
        assert!(!screen.bracketed_paste(), "pasting is as it was");
        let master = self.master.as_ref().expect("the terminal is there");
        assert_eq!(format!("{:?}", master.get_termios()), self.modes_before, "the line is cooked again");
    }

    /// Returns the folder that is the program's home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the program can be asked").is_none()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.is_running() {
            // It ends with its test; one that has just ended by itself is as good.
            let _ = self.child.kill();
        }
    }
}

/// What a player does after a look.
pub enum Next {
    /// Types this.
    Type(String),
    /// Looks again.
    Look,
    /// Is done.
    Done,
}
