//! `pilothouse demo --serve` as a process, and programs that talk to it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long anything may take; far more than it does.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A served cluster; it is interrupted when this is dropped.
pub struct Served {
    child: Child,
    /// The kubeconfig it has printed.
    pub kubeconfig: PathBuf,
    kubectl: PathBuf,
    home: tempfile::TempDir,
}

/// What a program said.
pub struct Said {
    /// Whether it ended with 0.
    pub ok: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Starts a cluster, if there is a kubectl; else says why the test is skipped.
///
/// # Panics
/// Without a kubectl where `PILOTHOUSE_KUBECTL` says that one is required.
pub fn served() -> Option<Served> {
    let Some(kubectl) = kubectl() else {
        let required = std::env::var("PILOTHOUSE_KUBECTL").is_ok_and(|word| word == "required");
        assert!(!required, "there is no kubectl: tests/rig/build makes one");
        eprintln!("skipped: there is no kubectl; tests/rig/build makes one");
        return None;
    };
    let home = tempfile::tempdir().unwrap();
    let mut child = pilothouse(home.path()).args(["demo", "--serve"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut first).unwrap();
    // The pipe is read to its end, so that a later line finds somebody.
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    Some(Served { child, kubeconfig: PathBuf::from(first.trim()), kubectl, home })
}

/// The kubectl of the rig, or of the machine.
fn kubectl() -> Option<PathBuf> {
    let rig = std::env::var_os("PILOTHOUSE_RIG_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig"), PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).map(|folder| folder.join("kubectl"));
    [rig.join("bin/kubectl")].into_iter().chain(places).find(|place| place.is_file())
}

fn pilothouse(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pilothouse"));
    command.env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("TMPDIR", home).env("USER", "dana").current_dir(home).stdin(Stdio::null());
    command
}

impl Served {
    /// Runs kubectl to its end.
    pub fn kubectl(&self, args: &[&str]) -> Said {
        said(self.command(args).output().unwrap())
    }

    /// Runs kubectl and returns what it prints; it must succeed.
    pub fn ok(&self, args: &[&str]) -> String {
        let said = self.kubectl(args);
        assert!(said.ok, "kubectl {}: {}{}", args.join(" "), said.out, said.err);
        said.out
    }

    /// Runs kubectl and returns what it complains about; it must fail.
    pub fn refused(&self, args: &[&str]) -> String {
        let said = self.kubectl(args);
        assert!(!said.ok, "kubectl {} succeeded: {}", args.join(" "), said.out);
        said.err
    }

    /// Starts kubectl and passes its lines on; it ends with [`Follow`].
    pub fn follow(&self, args: &[&str]) -> Follow {
        let mut child = self.command(args).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (tx, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| tx.send(line)));
        Follow { child, lines, seen: Vec::new() }
    }

    /// Runs the console's own verbs against the cluster.
    pub fn pilothouse(&self, args: &[&str]) -> Said {
        let mut command = pilothouse(self.home.path());
        said(command.env("KUBECONFIG", &self.kubeconfig).args(args).output().unwrap())
    }

    /// Writes a file and returns its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Interrupts the cluster as Ctrl-C does, and returns whether it ended with 0.
    pub fn interrupt(&mut self) -> bool {
        let pid = i32::try_from(self.child.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.child.wait().unwrap().success()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.env_clear().env("HOME", self.home.path()).env("KUBECONFIG", &self.kubeconfig);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A kubectl that goes on printing.
pub struct Follow {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Follow {
    /// Waits for a line with all of these words.
    pub fn until(&mut self, words: &[&str]) {
        let end = Instant::now() + LIMIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no line with {words:?} in:\n{}", self.seen.join("\n"));
            };
            let found = words.iter().all(|word| line.contains(word));
            self.seen.push(line);
            if found {
                return;
            }
        }
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn said(output: Output) -> Said {
    Said {
        ok: output.status.success(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
