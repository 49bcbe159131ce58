//! The part outside the namespace: arguments, the run folder, starting and ending the namespace.

use color_eyre::eyre::{Context, Result, bail, eyre};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long `up` waits for a cluster that takes about 10 seconds.
const START: Duration = Duration::from_secs(120);

/// What the rig is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Run the tests and end.
    Test,
    /// Leave the cluster standing.
    Up,
}

/// Which gateway serves the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gateway {
    /// Envoy Gateway: one cluster for each rule.
    #[default]
    EnvoyGateway,
    /// Contour: one cluster for each Service.
    Contour,
}

static GATEWAY: OnceLock<Gateway> = OnceLock::new();

impl Gateway {
    /// Returns the gateway of this run.
    pub fn of_run() -> Self {
        GATEWAY.get().copied().unwrap_or_default()
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::EnvoyGateway, Self::Contour].into_iter().find(|gateway| gateway.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::EnvoyGateway => "envoy-gateway",
            Self::Contour => "contour",
        }
    }
}

/// The command line.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the rig is started for.
    pub mode: Mode,
    /// Only these parts of the tests; empty = all.
    pub only: Vec<String>,
    /// Whether the golden file of the behaviours is written instead of compared.
    pub bless: bool,
    /// The run folder, when this process is already inside the namespace.
    pub inside: Option<PathBuf>,
}

/// The names `--only` knows.
pub const PARTS: [&str; 11] = [
    "smoke",
    "behaviours",
    "promql",
    "release",
    "rollback",
    "rollback_promoted",
    "baseline",
    "naive",
    "proof",
    "endless",
    "adoption",
];

impl Options {
    /// Reads the command line.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { mode: Mode::Test, only: Vec::new(), bless: false, inside: None };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "test" => options.mode = Mode::Test,
                "up" => options.mode = Mode::Up,
                "--bless" => options.bless = true,
                "--only" => match args.next().filter(|part| PARTS.contains(&part.as_str())) {
                    Some(part) => options.only.push(part),
                    None => return Err(format!("--only takes one of {}", PARTS.join(", "))),
                },
                "--gateway" => match args.next().and_then(|name| Gateway::parse(&name)) {
                    // It is said once, before anything asks.
                    Some(gateway) => drop(GATEWAY.set(gateway)),
                    None => return Err("--gateway takes envoy-gateway or contour".to_owned()),
                },
                "--inside" => options.inside = args.next().map(PathBuf::from),
                other => {
                    return Err(format!(
                        "unknown argument {other:?}: use test or up, --only PART, --gateway NAME, --bless"
                    ));
                }
            }
        }
        Ok(options)
    }

    /// Whether a part of the tests is wanted.
    pub fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }

    fn name(&self) -> &'static str {
        match self.mode {
            Mode::Test => "test",
            Mode::Up => "up",
        }
    }
}

/// The cache folder that `tests/rig/build` fills.
pub fn cache() -> PathBuf {
    std::env::var_os("PILOTHOUSE_RIG_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig"), PathBuf::from)
}

/// Starts this program again inside a namespace of its own; the test mode waits for it.
pub fn start(options: &Options) -> Result<ExitCode> {
    let cache = cache();
    for program in super::cluster::PROGRAMS {
        if !cache.join("bin").join(program).is_file() {
            bail!("{program} is not built: run tests/rig/build first");
        }
    }
    fs::create_dir_all(cache.join("run"))?;
    let cache = fs::canonicalize(cache)?;
    let run = cache.join("run").join(options.name());
    // The lock is inherited by nobody: it ends with this process, and for `up` the pid file takes over.
    let lock = File::create(cache.join("run").join(format!("{}.lock", options.name())))?;
    lock.try_lock().map_err(|_| eyre!("another rig {} runs in {}: wait for it", options.name(), run.display()))?;
    if let Some(pid) = standing(&run) {
        bail!("a cluster stands already (process {pid}): end it with tests/rig/down");
    }
    if run.exists() {
        fs::remove_dir_all(&run).wrap_err("the last run's folder cannot be removed")?;
    }
    fs::create_dir_all(&run)?;

    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut unshare = match options.mode {
        Mode::Test => Command::new("unshare"),
        Mode::Up => {
            let mut command = Command::new("setsid");
            command.arg("unshare");
            command
        }
    };
    unshare.args(["-Urnm", "--kill-child=KILL", "--fork", "--pid", "--mount-proc", "--"]);
    unshare.arg(here.join("tests/rig/inside")).arg(&run).arg(std::env::current_exe()?);
    unshare.arg(options.name()).arg("--inside").arg(&run).current_dir(here);
    unshare.args(options.only.iter().flat_map(|part| ["--only", part.as_str()]));
    unshare.args(["--gateway", Gateway::of_run().name()]);
    if options.bless {
        unshare.arg("--bless");
    }
    match options.mode {
        Mode::Test => {
            // Inside, the end of this pipe is the sign that nobody waits any more.
            let mut child = unshare.stdin(Stdio::piped()).spawn().wrap_err("unshare cannot be started")?;
            // It is taken out because waiting would close it.
            let open = child.stdin.take();
            let status = child.wait()?;
            drop(open);
            println!("logs are in {}", run.display());
            Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
        }
        Mode::Up => {
            let log = File::create(run.join("rig.log"))?;
            let mut child = unshare.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
            File::create(run.join("pid"))?.write_all(child.id().to_string().as_bytes())?;
            let clock = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
            clock.block_on(ready(&run, &mut child))?;
            print!("{}", fs::read_to_string(run.join("ready"))?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Waits until the cluster in a run folder says that it stands.
async fn ready(run: &Path, namespace: &mut Child) -> Result<()> {
    let begun = Instant::now();
    while !run.join("ready").exists() {
        if let Some(status) = namespace.try_wait()? {
            bail!("the cluster ended at its start ({status}); see {}", run.join("rig.log").display());
        }
        if begun.elapsed() > START {
            namespace.kill()?;
            bail!("the cluster was not ready in {START:?}; see {}", run.join("rig.log").display());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Ends this process, and with it the namespace, when the process that started it is gone.
pub fn end_with_the_starter() {
    std::thread::spawn(|| {
        let mut rest = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut rest);
        std::process::exit(130);
    });
}

fn standing(run: &Path) -> Option<u32> {
    let pid: u32 = fs::read_to_string(run.join("pid")).ok()?.trim().parse().ok()?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    command.starts_with(b"unshare\0").then_some(pid)
}
