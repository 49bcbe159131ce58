//! The real console on a pseudo terminal: its screen as a person sees it, and keys.

use crate::checks::judge;
use crate::robot::{Key, Robot};
use color_eyre::eyre::{Result, WrapErr, bail, eyre};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The screen: the size at which the advice needs one row.
const ROWS: NonZero<u16> = NonZero::new(45).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(160).unwrap();

/// How often the robot looks.
const LOOK: Duration = Duration::from_millis(60);

/// A console that runs.
pub struct Console {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    run: PathBuf,
    /// When the screen began to call a version's drain proven, and which.
    pub proven: Vec<(tokio::time::Instant, String)>,
    /// Kept open: its end would be a hangup.
    _terminal: Box<dyn MasterPty + Send>,
}

impl Console {
    /// Starts the console as the user of a kubeconfig; its files go to a folder of the run.
    pub fn start(kubeconfig: &Path, run: &Path) -> Result<Self> {
        let size = PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).map_err(|why| eyre!("no pseudo terminal: {why}"))?;
        let home = run.join("home");
        std::fs::create_dir_all(&home)?;
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pilothouse"));
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("KUBECONFIG", kubeconfig);
        command.env("HOME", &home);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("USER", "rig");
        command.cwd(&home);
        let child = pair.slave.spawn_command(command).map_err(|why| eyre!("the console cannot be started: {why}"))?;
        drop(pair.slave);
        let keys = pair.master.take_writer().map_err(|why| eyre!("no keyboard: {why}"))?;
        let mut output = pair.master.try_clone_reader().map_err(|why| eyre!("no screen: {why}"))?;
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
        let seen = screen.clone();
        std::thread::Builder::new().name("screen".into()).spawn(move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(n @ 1..) = output.read(&mut buffer) {
                crate::cluster::lock(&seen).process(&buffer[..n]);
            }
        })?;
        Ok(Self { child, keys, screen, run: run.to_owned(), proven: Vec::new(), _terminal: pair.master })
    }

    /// The screen as text, one line per row.
    pub fn text(&self) -> String {
        crate::cluster::lock(&self.screen).screen().contents()
    }

    /// Types keys.
    pub fn send(&mut self, keys: &[Key]) -> Result<()> {
        for key in keys {
            write!(self.keys, "{key}")?;
        }
        self.keys.flush().wrap_err("the console takes no keys any more")
    }

    /// Lets the robot play until `done` says so, and turn back when `turns` says so; a failure shows the screen.
    /// What it saw whenever it pressed a key or the advice changed is kept in `<name>.log`.
    pub async fn play<F>(
        &mut self,
        name: &str,
        robot: &mut Robot,
        limit: Duration,
        mut turns: impl FnMut(&str) -> bool,
        mut done: impl FnMut() -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<bool>>,
    {
        let begun = Instant::now();
        let mut log = std::fs::File::create(self.run.join(format!("{name}.log")))?;
        let mut looks = 0_u32;
        let mut advice = String::new();
        let mut said: Option<String> = None;
        loop {
            let screen = self.text();
            let proven = judge::proven_on(&screen);
            if let Some(version) = proven.filter(|_| proven != said.as_deref()) {
                self.proven.push((tokio::time::Instant::now(), version.to_owned()));
            }
            said = proven.map(str::to_owned);
            robot.turn |= turns(&screen);
            let keys = robot.step(&screen).unwrap_or_default();
            // Numbers in it count time.
            let words: String = last_rows(&screen).chars().filter(|c| !c.is_ascii_digit()).collect();
            if !keys.is_empty() || words != advice {
                writeln!(log, "{:8.3} {keys:?}\n{screen}\n", begun.elapsed().as_secs_f64())?;
                advice = words;
            }
            self.send(&keys)?;
            // The question to the cluster costs more than a look at the screen.
            if looks.is_multiple_of(8) && done().await? {
                return Ok(());
            }
            looks += 1;
            if let Some(status) = self.child.try_wait()? {
                bail!("the console ended by itself ({status:?}); its screen was:\n{screen}");
            }
            if robot.resumes > 2 {
                bail!("the release stops again after it was resumed; the screen is:\n{screen}");
            }
            if begun.elapsed() > limit {
                bail!("the release was not over in {limit:?}; refused: {:?}; the screen is:\n{screen}", robot.refusals);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Leaves by the key for it and waits for the end; the terminal must be left as it was found.
    pub async fn quit(mut self) -> Result<()> {
        let begun = Instant::now();
        self.send(&[Key::Char('q')])?;
        loop {
            if let Some(status) = self.child.try_wait()? {
                if !status.success() {
                    bail!("the console ended with {status:?}; its screen was:\n{}", self.text());
                }
                break;
            }
            if begun.elapsed() > Duration::from_secs(10) {
                bail!("the console does not leave; its screen is:\n{}", self.text());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            // A driving console asks whether it is meant.
            if self.text().contains("y  ") {
                self.send(&[Key::Char('y')])?;
            }
        }
        let parser = crate::cluster::lock(&self.screen);
        let screen = parser.screen();
        if screen.alternate_screen() || screen.hide_cursor() || screen.bracketed_paste() {
            bail!("the console left the terminal changed");
        }
        Ok(())
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // Ended already, usually.
        let _ = self.child.kill();
    }
}

/// The advice, which takes two rows at most.
fn last_rows(screen: &str) -> String {
    let rows: Vec<&str> = screen.lines().collect();
    rows[rows.len().saturating_sub(2)..].join("\n")
}
