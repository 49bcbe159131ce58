//! One long-lived thread that spawns every program of the cluster.
//!
//! Envoy asks to die with the THREAD that spawned it, so nothing is spawned from a worker of the async runtime.

use color_eyre::eyre::{Result, WrapErr, eyre};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How often the thread looks for programs that ended by themselves.
const LOOK: Duration = Duration::from_millis(50);

/// Starts and kills programs; all of them end when it is dropped.
#[derive(Clone)]
pub struct Supervisor {
    orders: Sender<Order>,
}

enum Order {
    Spawn { name: String, command: Box<Command>, reply: Sender<Result<()>> },
    Kill { name: String, reply: Sender<bool> },
    Alive { name: String, reply: Sender<bool> },
    Note { text: String },
}

impl Supervisor {
    /// Starts the thread; logs and the timeline are written into `run`.
    pub fn start(run: &Path, begun: Instant) -> Result<Self> {
        let (orders, inbox) = channel();
        let timeline = OpenOptions::new().create(true).append(true).open(run.join("timeline.log"))?;
        let work = Work { run: run.to_owned(), begun, timeline, children: BTreeMap::new() };
        std::thread::Builder::new().name("supervisor".into()).spawn(move || work.serve(&inbox))?;
        Ok(Self { orders })
    }

    /// Starts a program under a name; its output goes to `<name>.log`.
    pub fn spawn(&self, name: &str, command: Command) -> Result<()> {
        let (reply, answer) = channel();
        self.order(Order::Spawn { name: name.into(), command: Box::new(command), reply })?;
        answer.recv().wrap_err("the supervisor has ended")?
    }

    /// Kills a program and waits for its end; says whether it ran.
    pub fn kill(&self, name: &str) -> Result<bool> {
        let (reply, answer) = channel();
        self.order(Order::Kill { name: name.into(), reply })?;
        answer.recv().wrap_err("the supervisor has ended")
    }

    /// Says whether a program runs.
    pub fn alive(&self, name: &str) -> Result<bool> {
        let (reply, answer) = channel();
        self.order(Order::Alive { name: name.into(), reply })?;
        answer.recv().wrap_err("the supervisor has ended")
    }

    /// Writes a line into the timeline.
    pub fn note(&self, text: &str) {
        // A timeline that cannot be written is no reason to end a test.
        let _ = self.order(Order::Note { text: text.into() });
    }

    fn order(&self, order: Order) -> Result<()> {
        self.orders.send(order).map_err(|_| eyre!("the supervisor has ended"))
    }
}

struct Work {
    run: PathBuf,
    begun: Instant,
    timeline: File,
    children: BTreeMap<String, Child>,
}

impl Work {
    fn serve(mut self, inbox: &Receiver<Order>) {
        loop {
            match inbox.recv_timeout(LOOK) {
                Ok(Order::Spawn { name, command, reply }) => {
                    let _ = reply.send(self.spawn(&name, *command));
                }
                Ok(Order::Kill { name, reply }) => {
                    let _ = reply.send(self.kill(&name));
                }
                Ok(Order::Alive { name, reply }) => {
                    let _ = reply.send(self.children.contains_key(&name));
                }
                Ok(Order::Note { text }) => self.note(&text),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.look();
        }
        let names: Vec<String> = self.children.keys().cloned().collect();
        for name in names {
            self.kill(&name);
        }
    }

    fn spawn(&mut self, name: &str, mut command: Command) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.run.join(format!("{name}.log")))?;
        let child = command
            .current_dir(&self.run)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .wrap_err_with(|| format!("{name} cannot be started"))?;
        self.note(&format!("{name} started"));
        self.children.insert(name.into(), child);
        Ok(())
    }

    fn kill(&mut self, name: &str) -> bool {
        let Some(mut child) = self.children.remove(name) else { return false };
        let killed = child.kill().and_then(|()| child.wait()).is_ok();
        self.note(&format!("{name} killed"));
        killed
    }

    fn look(&mut self) {
        let mut ended = Vec::new();
        for (name, child) in &mut self.children {
            if let Ok(Some(status)) = child.try_wait() {
                ended.push((name.clone(), status));
            }
        }
        for (name, status) in ended {
            self.children.remove(&name);
            self.note(&format!("{name} ended by itself: {status}"));
        }
    }

    fn note(&mut self, text: &str) {
        let _ = writeln!(self.timeline, "{:8.3} {text}", self.begun.elapsed().as_secs_f64());
    }
}
