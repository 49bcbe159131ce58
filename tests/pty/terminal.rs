//! The real program on a real pseudo terminal, read by a terminal emulator.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
    reads: Arc<AtomicBool>,
    questions: Arc<AtomicUsize>,
    asked_for_updates: Arc<AtomicBool>,
    follows_colours: Arc<AtomicBool>,
    line_before: String,
    modes_before: Modes,
    home: tempfile::TempDir,
}

/// Everything a program may leave behind in a terminal.
#[derive(Debug, PartialEq)]
struct Modes {
    alternate_screen: bool,
    hidden_cursor: bool,
    bracketed_paste: bool,
    application_keys: (bool, bool),
    mouse: (vt100::MouseProtocolMode, vt100::MouseProtocolEncoding),
    colours: (vt100::Color, vt100::Color),
    attributes: [bool; 4],
}

impl Modes {
    fn of(screen: &vt100::Screen) -> Self {
        Self {
            alternate_screen: screen.alternate_screen(),
            hidden_cursor: screen.hide_cursor(),
            bracketed_paste: screen.bracketed_paste(),
            application_keys: (screen.application_cursor(), screen.application_keypad()),
            mouse: (screen.mouse_protocol_mode(), screen.mouse_protocol_encoding()),
            colours: (screen.fgcolor(), screen.bgcolor()),
            attributes: [screen.bold(), screen.italic(), screen.underline(), screen.inverse()],
        }
    }
}

impl Terminal {
    /// Starts the program with these arguments at this size.
    pub fn start(arguments: &[&str], size: (u16, u16)) -> Self {
        Self::start_with(env!("CARGO_BIN_EXE_pilothouse"), arguments, &[], size)
    }

    /// Starts a shell that runs a script, in which `$P` is the program.
    pub fn start_script(script: &str, size: (u16, u16)) -> Self {
        Self::start_with("/bin/sh", &["-c", script], &[("P", env!("CARGO_BIN_EXE_pilothouse"))], size)
    }

    /// Starts any program with these arguments and variables at this size.
    pub fn start_with(program: &str, arguments: &[&str], env: &[(&str, &str)], (columns, rows): (u16, u16)) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo terminal");
        let home = tempfile::tempdir().expect("a folder");
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        let usual = [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("USER", "robot"), ("PATH", "/usr/bin:/bin")];
        for (name, value) in usual.iter().chain(env) {
            command.env(name, value);
        }
        command.env("HOME", home.path());
        command.cwd(home.path());
        let master = pair.master;
        let line_before = format!("{:?}", master.get_termios());
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let keys = master.take_writer().expect("a keyboard");
        let output = master.try_clone_reader().expect("a screen");
        let emulator = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let modes_before = Modes::of(emulator.lock().expect("the emulator lives").screen());
        let (gone, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
        let (questions, follows_colours) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let asked_for_updates = Arc::new(AtomicBool::new(false));
        let reader = Reader {
            output,
            emulator: emulator.clone(),
            gone: gone.clone(),
            reads: reads.clone(),
            questions: questions.clone(),
            asked_for_updates: asked_for_updates.clone(),
            follows_colours: follows_colours.clone(),
        };
        std::thread::spawn(move || reader.run());
        let master = Some(master);
        Self {
            child,
            keys,
            emulator,
            master,
            gone,
            reads,
            questions,
            asked_for_updates,
            follows_colours,
            line_before,
            modes_before,
            home,
        }
    }

    /// Returns the screen, one line per row.
    pub fn screen(&self) -> String {
        self.emulator.lock().expect("the emulator lives").screen().contents()
    }

    /// Counts the cells of the screen that are such.
    pub fn count_cells(&self, is_such: impl Fn(&vt100::Cell) -> bool) -> usize {
        let emulator = self.emulator.lock().expect("the emulator lives");
        let (rows, columns) = emulator.screen().size();
        let (rows, columns) = (rows.get(), columns.get());
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        places
            .into_iter()
            .filter_map(|(row, column)| emulator.screen().cell(row, column))
            .filter(|cell| is_such(cell))
            .count()
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

    /// Asserts that the terminal is as it was before the program started: the line, and every mode.
    pub fn assert_restored(&self) {
        let emulator = self.emulator.lock().expect("the emulator lives");
        assert_eq!(Modes::of(emulator.screen()), self.modes_before);
        assert_eq!(self.line(), self.line_before, "the line is cooked again");
        assert!(!self.follows_colours(), "the terminal would go on to say when its colours change");
    }

    /// Tells whether the program has the screen: the alternate one, on a raw line.
    pub fn is_taken(&self) -> bool {
        let emulator = self.emulator.lock().expect("the emulator lives");
        emulator.screen().alternate_screen() && !self.line().contains("ICANON")
    }

    /// Changes the terminal's size, as a person who drags a window does.
    pub fn resize(&self, (columns, rows): (u16, u16)) {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.emulator.lock().expect("the emulator lives").screen_mut().set_size(cells(rows), cells(columns));
        self.master.as_ref().expect("the terminal is there").resize(size).expect("the size can be set");
    }

    /// Reads nothing any more, or reads again.
    pub fn read(&self, reads: bool) {
        self.reads.store(reads, Ordering::SeqCst);
    }

    /// Returns how often the program has asked the terminal who it is.
    pub fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }

    /// Tells whether the terminal was asked whether it knows synchronized updates.
    pub fn was_asked_for_updates(&self) -> bool {
        self.asked_for_updates.load(Ordering::SeqCst)
    }

    /// Tells whether the terminal was asked to say when its colours change (mode 2031).
    pub fn follows_colours(&self) -> bool {
        self.follows_colours.load(Ordering::SeqCst)
    }

    /// Brings the line back to what shells use, as a shell does when a program was stopped.
    pub fn cook(&self) {
        let name = self.master.as_ref().and_then(|master| master.tty_name()).expect("the terminal has a name");
        assert!(Command::new("stty").arg("-F").arg(name).arg("sane").status().expect("stty exists").success());
    }

    /// Returns everything the program has logged.
    pub fn log(&self) -> String {
        let folder = self.home().join(".local/state/pilothouse");
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let logs = files.filter(|file| file.file_name().to_string_lossy().ends_with(".log"));
        logs.map(|file| std::fs::read_to_string(file.path()).unwrap_or_default()).collect()
    }

    /// Waits until the log says something.
    pub fn wait_for_log(&self, text: &str, at_most: Duration) {
        let end = Instant::now() + at_most;
        while !self.log().contains(text) {
            assert!(Instant::now() < end, "{text:?} is not in the log:\n{}", self.log());
            sleep(LOOK);
        }
    }

    fn line(&self) -> String {
        format!("{:?}", self.master.as_ref().expect("the terminal is there").get_termios())
    }

    /// Returns the folder that is the program's home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Tells whether the program has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the program can be asked").is_none()
    }
}

/// What the emulator's side does with what the program writes.
struct Reader {
    output: Box<dyn Read + Send>,
    emulator: Arc<Mutex<vt100::Parser>>,
    gone: Arc<AtomicBool>,
    reads: Arc<AtomicBool>,
    questions: Arc<AtomicUsize>,
    asked_for_updates: Arc<AtomicBool>,
    follows_colours: Arc<AtomicBool>,
}

impl Reader {
    fn run(mut self) {
        let mut buffer = [0; 16 * 1024];
        loop {
            while !self.reads.load(Ordering::SeqCst) {
                sleep(LOOK);
            }
            let Ok(n @ 1..) = self.output.read(&mut buffer) else { return };
            self.emulator.lock().expect("the emulator lives").process(&buffer[..n]);
            let questions = buffer[..n].windows(3).filter(|bytes| bytes == b"\x1b[c").count();
            self.questions.fetch_add(questions, Ordering::SeqCst);
            if buffer[..n].windows(9).any(|bytes| bytes == b"\x1b[?2026$p") {
                self.asked_for_updates.store(true, Ordering::SeqCst);
            }
            let modes = buffer[..n].windows(8).filter_map(|bytes| bytes.strip_prefix(b"\x1b[?2031"));
            for mode in modes {
                self.follows_colours.store(mode == b"h", Ordering::SeqCst);
            }
            if self.gone.load(Ordering::SeqCst) {
                return;
            }
        }
    }
}

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a size above zero")
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
