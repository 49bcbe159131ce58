//! The real console on a real pseudo terminal against a served cluster.

use crate::cluster::{Application, Cluster, OLD};
use crate::report::{Report, quantile};
use crate::terminal::{Console, Traffic};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

const SMALL: (u16, u16) = (80, 24);
/// How often the console is started for the figures of its start.
const STARTS: usize = 5;
/// How many changes, and how many keys.
const SAMPLES: usize = 10;
/// How long use and output are counted.
const WINDOW: Duration = Duration::from_secs(20);
/// How long a console that has just started needs to come to rest.
const REST: Duration = Duration::from_secs(5);
/// The variable that names another build of the program to be measured.
const PROGRAM: &str = "PILOTHOUSE_FIGURES_PROGRAM";

/// Returns the program that is measured: the one built with this benchmark, if no other is named.
pub fn program() -> PathBuf {
    std::env::var_os(PROGRAM).map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_pilothouse")), PathBuf::from)
}

/// Measures the size of the program; the profile strips it.
pub fn size(report: &mut Report) {
    let size = std::fs::metadata(program()).expect("the program is built").len();
    report.figure("perf.binary_size", size as f64 / 1e6, "MB");
}

/// Measures starts without plain pods, then what a console uses while nothing changes.
pub fn rest(report: &mut Report) {
    let quiet = Application { customers: 60, rps: 0.0, scrape: 1 };
    let cluster = Cluster::start(&program(), quiet, 0);
    let (mut first, mut bytes): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let console = Console::start(&program(), cluster.kubeconfig(), SMALL);
        let seen = console.until("anything", |screen| !screen.trim().is_empty());
        first.push(seen.ms);
        bytes.push(seen.bytes as f64);
    }
    report.figure("perf.first_frame", quantile(&mut first, 0.5), "ms");
    report.figure("perf.first_frame_max", quantile(&mut first, 1.0), "ms");
    report.figure("perf.first_frame_bytes", quantile(&mut bytes, 0.5), "bytes");
    let console = opened(cluster.kubeconfig());
    let used = Used::over(&console);
    report.figure("perf.rest_bytes", used.bytes_per_second, "bytes/s");
    report.figure("perf.rest_frames", used.frames_per_second, "frames/s");
    report.figure("perf.rest_cpu", used.cpu_percent, "%");
    drop(console);
    let cluster = Cluster::start(&program(), Application { scrape: 15, ..quiet }, 0);
    let console = opened(cluster.kubeconfig());
    let used = Used::over(&console);
    report.figure("perf.rest_bytes_scrape_15s", used.bytes_per_second, "bytes/s");
    report.figure("perf.rest_cpu_scrape_15s", used.cpu_percent, "%");
}

/// Measures starts among plain pods, and, with few of them, changes and a cluster that does not answer.
pub fn pods(report: &mut Report) {
    let busy = Application { customers: 60, rps: 200.0, scrape: 1 };
    let cluster = Cluster::start(&program(), busy, 1_000);
    report.figure("perf.first_data_1k_pods", first_data(&cluster), "ms");
    {
        let console = opened(cluster.kubeconfig());
        live(report, &cluster, &console);
        changes(report, &cluster, &console);
        stalled(report, &cluster, console);
    }
    drop(cluster);
    let cluster = Cluster::start(&program(), busy, 5_000);
    report.figure("perf.first_data_5k_pods", first_data(&cluster), "ms");
    let console = opened(cluster.kubeconfig());
    report.figure("perf.rss_5k_pods", console.mib("VmRSS"), "MiB");
}

/// Measures the memory of a console that knows 10 000 customers and 10 000 pods.
pub fn memory(report: &mut Report) {
    let many = Application { customers: 10_000, rps: 20.0, scrape: 1 };
    let cluster = Cluster::start(&program(), many, 10_000);
    let console = opened(cluster.kubeconfig());
    console.until("every customer", |screen| screen.contains("of 10000 customers"));
    sleep(REST);
    report.figure("perf.rss_10k_customers_10k_pods", console.mib("VmRSS"), "MiB");
    report.figure("perf.peak_rss_10k_customers_10k_pods", console.mib("VmHWM"), "MiB");
}

/// The kubeconfig of a cluster that stands, for [`given`].
const KUBECONFIG: &str = "PILOTHOUSE_FIGURES_KUBECONFIG";
/// A k9s to be measured beside the console there.
const K9S: &str = "PILOTHOUSE_FIGURES_K9S";

/// Measures a console among 5 000 plain pods of a cluster that stands, and k9s beside it.
pub fn given(report: &mut Report) {
    let Some(kubeconfig) = std::env::var_os(KUBECONFIG) else {
        return println!("skipped given: {KUBECONFIG} names no cluster");
    };
    let cluster = Cluster::given(Path::new(&kubeconfig), 5_000);
    // The server has just been busy.
    sleep(4 * REST);
    let k9s = std::env::var_os(K9S).map(PathBuf::from);
    let peer = || {
        let program = k9s.as_deref()?;
        Some(Console::start_with(program, &["--splashless", "-c", "pods"], cluster.kubeconfig(), SMALL))
    };
    let (mut ours, mut theirs): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        ours.push(Console::start(&program(), cluster.kubeconfig(), SMALL).until("the application", has_data).ms);
        theirs.extend(peer().map(|k9s| k9s.until("the plain pods", has_pods).ms));
    }
    report.figure("perf.given_first_data_5k_pods", quantile(&mut ours, 0.5), "ms");
    if k9s.is_some() {
        report.figure("perf.given_k9s_first_data_5k_pods", quantile(&mut theirs, 0.5), "ms");
    }
    let console = opened(cluster.kubeconfig());
    report.figure("perf.given_rss_5k_pods", console.mib("VmRSS"), "MiB");
    let used = Used::over(&console);
    report.figure("perf.given_rest_cpu_5k_pods", used.cpu_percent, "%");
    report.figure("perf.given_rest_bytes_5k_pods", used.bytes_per_second, "bytes/s");
    drop(console);
    let Some(console) = peer() else { return };
    console.until("the plain pods", has_pods);
    sleep(REST);
    report.figure("perf.given_k9s_rss_5k_pods", console.mib("VmRSS"), "MiB");
    let used = Used::over(&console);
    report.figure("perf.given_k9s_rest_cpu_5k_pods", used.cpu_percent, "%");
    report.figure("perf.given_k9s_rest_bytes_5k_pods", used.bytes_per_second, "bytes/s");
}

/// The list of pods is there: those of the application come first, these after them.
fn has_pods(screen: &str) -> bool {
    screen.contains("plain-00000")
}

/// Ten pods a second change while requests are answered.
fn live(report: &mut Report, cluster: &Cluster, console: &Console) {
    let changes = cluster.change_pods(10);
    let used = Used::over(console);
    let rate = changes.stop() as f64 / (WINDOW.as_secs_f64());
    report.figure("perf.live_pod_changes", rate, "changes/s");
    report.figure("perf.live_bytes", used.bytes_per_second, "bytes/s");
    report.figure("perf.live_bytes_per_frame", used.bytes_per_frame, "bytes");
    report.figure("perf.live_frames", used.frames_per_second, "frames/s");
    report.figure("perf.live_cpu", used.cpu_percent, "%");
}

/// From the acknowledgement of a change to the screen that shows it; 0 where the screen was first.
fn changes(report: &mut Report, cluster: &Cluster, console: &Console) {
    let mut times: Vec<f64> = Vec::new();
    for i in 0..SAMPLES {
        let version = format!("4.13.{i}");
        let acknowledged = cluster.propose(&version);
        let seen = console.until("the release", |screen| screen.contains(&version));
        times.push(seen.at.saturating_duration_since(acknowledged).as_secs_f64() * 1_000.0);
        // Above a second, as the newest is shown; not a multiple of anything the console does by the clock.
        sleep(Duration::from_millis(1_170 + 61 * i as u64));
    }
    report.figure("perf.change_to_screen_p50", quantile(&mut times, 0.5), "ms");
    report.figure("perf.change_to_screen_max", quantile(&mut times, 1.0), "ms");
}

/// From a key to the screen it asks for, while no request gets an answer.
fn stalled(report: &mut Report, cluster: &Cluster, mut console: Console) {
    cluster.stall();
    sleep(REST);
    let mut times: Vec<f64> = Vec::new();
    for i in 0..SAMPLES {
        let pressed = Instant::now();
        console.press("c");
        let seen = console.until("the list of customers", has_list);
        times.push(seen.at.saturating_duration_since(pressed).as_secs_f64() * 1_000.0);
        console.press("\x1b");
        console.until("the main screen", |screen| !has_list(screen));
        sleep(Duration::from_millis(170 + 31 * i as u64));
    }
    report.figure("perf.key_to_screen_stalled_p50", quantile(&mut times, 0.5), "ms");
    report.figure("perf.key_to_screen_stalled_max", quantile(&mut times, 1.0), "ms");
}

/// The median start to the first picture with the application in it.
fn first_data(cluster: &Cluster) -> f64 {
    let start = || Console::start(&program(), cluster.kubeconfig(), SMALL);
    let mut times: Vec<f64> = (0..STARTS).map(|_| start().until("the application", has_data).ms).collect();
    quantile(&mut times, 0.5)
}

/// Starts a console and lets it come to rest.
fn opened(kubeconfig: &Path) -> Console {
    let console = Console::start(&program(), kubeconfig, SMALL);
    console.until("the application", has_data);
    sleep(REST);
    console
}

/// The version that serves is known, and the header has an age: it has one once every kind was listed, pods included.
fn has_data(screen: &str) -> bool {
    let age = screen.split_once("kube ").and_then(|(_, rest)| rest.chars().next());
    screen.contains(&format!("{OLD} serves")) && age.is_some_and(|first| first.is_ascii_digit())
}

fn has_list(screen: &str) -> bool {
    screen.contains("customers 60 of 60")
}

/// What a console used over a window.
struct Used {
    bytes_per_second: f64,
    bytes_per_frame: f64,
    frames_per_second: f64,
    cpu_percent: f64,
}

impl Used {
    fn over(console: &Console) -> Self {
        let (before, cpu, began) = (console.traffic(), console.cpu_seconds(), Instant::now());
        sleep(WINDOW);
        let (after, cpu, seconds) = (console.traffic(), console.cpu_seconds() - cpu, began.elapsed().as_secs_f64());
        let traffic = Traffic { bytes: after.bytes - before.bytes, frames: after.frames - before.frames };
        Self {
            bytes_per_second: traffic.bytes as f64 / seconds,
            bytes_per_frame: traffic.bytes as f64 / (traffic.frames.max(1)) as f64,
            frames_per_second: traffic.frames as f64 / seconds,
            cpu_percent: cpu / seconds * 100.0,
        }
    }
}
