//! The console as a process on a pseudo terminal, with the time of every read, every byte counted, and what it uses.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What a picture begins with.
const FRAME: &[u8] = b"\x1b[?2026h";

/// A console on a terminal; it ends when this is dropped.
pub struct Console {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    began: Instant,
    _master: Box<dyn MasterPty + Send>,
    _home: tempfile::TempDir,
}

/// What has reached the terminal.
struct Shown {
    emulator: vt100::Parser,
    traffic: Traffic,
    at: Instant,
}

/// How much has reached the terminal.
#[derive(Clone, Copy, Default)]
pub struct Traffic {
    /// Bytes.
    pub bytes: u64,
    /// Pictures.
    pub frames: u64,
}

/// The moment at which a screen was as wanted.
#[derive(Clone, Copy)]
pub struct Seen {
    /// When the bytes that made it so were read.
    pub at: Instant,
    /// Milliseconds since just before the program was started.
    pub ms: f64,
    /// Bytes up to and with the read that made it so.
    pub bytes: u64,
}

impl Console {
    /// Starts a program with a kubeconfig on a terminal of this size.
    pub fn start(program: &Path, kubeconfig: &Path, size: (u16, u16)) -> Self {
        Self::start_with(program, &[], kubeconfig, size)
    }

    /// Starts a program with arguments.
    pub fn start_with(program: &Path, arguments: &[&str], kubeconfig: &Path, (columns, rows): (u16, u16)) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo terminal");
        let home = tempfile::tempdir().expect("a folder");
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        for (name, value) in
            [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("USER", "bench"), ("PATH", "/usr/bin:/bin")]
        {
            command.env(name, value);
        }
        command.env("HOME", home.path());
        command.env("KUBECONFIG", kubeconfig);
        command.cwd(home.path());
        let mut output = pair.master.try_clone_reader().expect("a screen");
        let keys = pair.master.take_writer().expect("a keyboard");
        let cells = |n| NonZeroU16::new(n).expect("a size above zero");
        let began = Instant::now();
        let emulator = vt100::Parser::new(cells(rows), cells(columns), 0);
        let shown = Shown { emulator, traffic: Traffic::default(), at: began };
        let shown = Arc::new((Mutex::new(shown), Condvar::new()));
        let sink = shown.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = output.read(&mut buffer) {
                let at = Instant::now();
                let mut shown = sink.0.lock().expect("the emulator lives");
                shown.emulator.process(&buffer[..n]);
                shown.traffic.bytes += n as u64;
                shown.traffic.frames += buffer[..n].windows(FRAME.len()).filter(|bytes| *bytes == FRAME).count() as u64;
                shown.at = at;
                sink.1.notify_all();
            }
        });
        let began = Instant::now();
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        Self { child, keys, shown, began, _master: pair.master, _home: home }
    }

    /// Types what a keyboard sends.
    pub fn press(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).and_then(|()| self.keys.flush()).expect("the terminal takes keys");
    }

    /// Waits until the screen is as wanted.
    ///
    /// # Panics
    /// With the screen, when it is not so within a minute.
    pub fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> Seen {
        let end = Instant::now() + Duration::from_secs(60);
        let mut shown = self.lock();
        loop {
            let text = shown.emulator.screen().contents();
            if is_so(&text) {
                let ms = shown.at.saturating_duration_since(self.began).as_secs_f64() * 1_000.0;
                return Seen { at: shown.at, ms, bytes: shown.traffic.bytes };
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} did not appear:\n{text}");
            shown = self.shown.1.wait_timeout(shown, left).expect("the emulator lives").0;
        }
    }

    /// Returns how much has reached the terminal so far.
    pub fn traffic(&self) -> Traffic {
        self.lock().traffic
    }

    /// Returns the time all threads of the program have run, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let tasks = std::fs::read_dir(self.proc("task")).expect("the program runs");
        let run = |task: std::fs::DirEntry| {
            // A thread may end while it is asked.
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<f64>().ok()
        };
        tasks.flatten().filter_map(run).sum::<f64>() / 1e9
    }

    /// Returns a size from the program's status, such as `VmRSS`, in MiB.
    pub fn mib(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(self.proc("status")).expect("the program runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib: f64 = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok()).expect("a size");
        kib / 1_024.0
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.process_id().expect("the program runs"))
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.0.lock().expect("the emulator lives")
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // It ends with its measurement; one that has just ended by itself is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
