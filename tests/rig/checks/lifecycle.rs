//! Three lifecycles on the real cluster, played by keys through a terminal, under one load that judges them: a release,
//! a rollback at half way, and a rollback after promote.

use super::figure;
use super::history::{History, PILOTHOUSE, Slots, find, routes, slots};
use super::judge::{self, Claim, Seen};
use super::left::{self, Before};
use super::order::{self, Change, Writes};
use crate::cluster::Cluster;
use crate::console::Console;
use crate::load::{Load, Profile, SOCKET};
use crate::objects::{APP, ASSETS_VERSION, HALF, SILENT, WAVES};
use crate::outside::Options;
use crate::record::Record;
use crate::robot::Robot;
use color_eyre::eyre::{Result, ensure, eyre};
use std::time::Duration;
use tokio::time::Instant;

/// A run takes about two minutes; a busy machine needs several.
const LIMIT: Duration = Duration::from_secs(420);

/// Load before the first run and after the last: rates need some samples of every customer.
const AROUND: Duration = Duration::from_secs(5);

/// How many looks a drain may last before the third run turns back in it: about five seconds.
const DRAINING: u32 = 80;

/// How many findings of one kind are told.
const TOLD: usize = 5;

/// One run, by the name `--only` knows.
pub struct Run {
    /// The name.
    pub name: &'static str,
    /// The version it brings.
    pub version: &'static str,
    turn: Turn,
}

/// Where a run is turned back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nowhere.
    Never,
    /// When half of the customers have moved, while their wave bakes.
    Half,
    /// When everybody has moved and the old version drains.
    Draining,
}

/// The runs, in their order.
pub const RUNS: [Run; 3] = [
    Run { name: "release", version: "4.12.0", turn: Turn::Never },
    Run { name: "rollback", version: "4.13.0", turn: Turn::Half },
    Run { name: "rollback_promoted", version: "4.14.0", turn: Turn::Draining },
];

impl Run {
    /// The phase it ends in.
    pub fn end(&self) -> &'static str {
        if self.is_forward() { "Done" } else { "RolledBack" }
    }

    /// Tells whether it is never turned back.
    pub fn is_forward(&self) -> bool {
        self.turn == Turn::Never
    }

    /// Tells whether it comes as far as Promote.
    pub fn promotes(&self) -> bool {
        self.turn != Turn::Half
    }

    /// How many waves move, the unlisted included.
    pub fn waves(&self) -> usize {
        if self.promotes() { WAVES.len() } else { HALF }
    }
}

/// A run that was played, and what is known of it without the load.
struct Played {
    run: &'static Run,
    slots: Slots,
    begun: Duration,
    /// The first and last revision of the run.
    revisions: (u64, u64),
    killed: usize,
    claims: Vec<Claim>,
    wrong: Vec<String>,
}

/// What the judge found in one run or in all of them.
#[derive(Default)]
struct Sum {
    transactions: usize,
    cut: usize,
    server_errors: usize,
    killed: usize,
    two_versions: usize,
    false_drains: usize,
    windows: Vec<Duration>,
    gaps: Vec<Duration>,
}

/// Plays the wanted runs under one load, judges each by what was begun in it, and lists all that was wrong.
pub async fn run(cluster: &Cluster, options: &Options) -> Result<()> {
    let load = Load::start(Profile::judge());
    let history = History::watch(&cluster.rest, &load);
    tokio::time::sleep(AROUND).await;
    let mut played = Vec::new();
    let mut stopped = None;
    for run in RUNS.iter().filter(|run| options.wants(run.name)) {
        let begun = load.now();
        match play(cluster, &load, run).await {
            Ok(run) => played.push(run),
            // Its release is under way, so no other can begin.
            Err(why) => {
                stopped = Some((run, begun, format!("{}: {why:#}", run.name)));
                break;
            }
        }
    }
    tokio::time::sleep(AROUND).await;
    load.hang_up();
    let records = load.end().await?;
    let of_runs: Vec<Vec<Seen>> = played.iter().map(|run| history.of(run.run.version)).collect();
    let mut wrong: Vec<String> = weight(&records).into_iter().collect();
    let mut end = Duration::MAX;
    if let Some((run, begun, why)) = stopped {
        // What was cut in it is told all the same.
        let rest: Vec<Record> = records.iter().filter(|record| record.start >= begun).cloned().collect();
        wrong
            .extend([vec![why], told("transactions were cut", &judge::cuts(&rest, &history.of(run.version)))].concat());
        end = begun;
    }
    let changes = history.end();
    let mut all = Sum::default();
    for (at, (run, seen)) in played.iter().zip(&of_runs).enumerate() {
        let until = played.get(at + 1).map_or(end, |next| next.begun);
        let from = if at == 0 { Duration::ZERO } else { run.begun };
        let (sum, mut findings) = judged(run, &records, seen, from, until);
        sum.print(&format!("rig.{}", run.run.name));
        all.add(sum);
        findings.extend(written(run, &changes));
        wrong.extend(findings.into_iter().map(|finding| format!("{}: {finding}", run.run.name)));
    }
    super::count_false_drains(all.false_drains);
    all.print("rig");
    ensure!(wrong.is_empty(), "{} findings:\n- {}", wrong.len(), wrong.join("\n- "));
    Ok(())
}

/// Says how much load there was; too little judges nothing.
fn weight(records: &[Record]) -> Option<String> {
    let seconds = records.iter().map(|record| record.start).max()?.as_secs_f64();
    let per_second = records.iter().filter(|record| record.path != SOCKET).count() as f64 / seconds;
    let open: Duration = records.iter().map(|record| record.end.saturating_sub(record.start)).sum();
    let longest = records.iter().map(|record| record.end.saturating_sub(record.start)).max()?;
    figure("rig.load_per_second", format!("{per_second:.0}"), "transactions");
    figure("rig.load_open", format!("{:.0}", open.as_secs_f64() / seconds), "transactions");
    figure("rig.load_longest_seconds", format!("{:.0}", longest.as_secs_f64()), "s");
    let Profile { rate, probes, .. } = Profile::judge();
    let rate = f64::from(rate + probes);
    (per_second < 0.95 * rate).then(|| format!("the load began {per_second:.0} transactions/s instead of {rate}"))
}

/// Plays one run by keys and compares what it leaves behind.
async fn play(cluster: &Cluster, load: &Load, run: &'static Run) -> Result<Played> {
    let slots = slots(cluster).await?;
    let plan = cluster.rest.get(&format!("{PILOTHOUSE}/rolloutplans/{APP}")).await?.ok()?;
    let under_way = &plan["status"]["activeRelease"];
    ensure!(under_way.is_null(), "release {under_way} is still under way");
    let before = Before::read(cluster).await?;
    let (exits, killed) = (cluster.kubelet.exits().len(), cluster.killed_with_work());
    let after = revision(cluster).await?;
    let (begun, clock) = (load.now(), Instant::now());

    let mut console = Console::start(&cluster.kubeconfig("operator"), &cluster.run)?;
    let mut robot = Robot::new(run.version, None);
    let mut draining = 0;
    let turns = |screen: &str| {
        draining += u32::from(screen.contains(" DRAINING OLD "));
        match run.turn {
            Turn::Never => false,
            // The screen shows the wave before for a moment after the robot's word.
            Turn::Half => screen.contains(&format!(" step {HALF}/")) && screen.contains(" BAKING "),
            Turn::Draining => draining > DRAINING,
        }
    };
    let ended = || async {
        let release = find(cluster, run.version).await?;
        Ok(release.is_some_and(|release| release["status"]["phase"] == run.end()))
    };
    let done = console.play(run.name, &mut robot, LIMIT, turns, ended).await;
    let release = find(cluster, run.version).await?;
    std::fs::write(cluster.run.join(format!("release-{}.json", run.version)), serde_json::to_vec_pretty(&release)?)?;
    done?;
    figure(&format!("rig.{}.seconds", run.name), format!("{:.0}", clock.elapsed().as_secs_f64()), "s");
    if !robot.refusals.is_empty() {
        println!("rig: dialogs refused: {:?}", robot.refusals);
    }
    let claims = console.proven.iter().map(|(at, version)| Claim {
        at: at.saturating_duration_since(load.clock()),
        version: version.clone(),
        by: "the screen, which said proven".into(),
    });
    let claims = claims.collect();
    // The last status of the pods comes a moment after the phase.
    tokio::time::sleep(Duration::from_secs(1)).await;
    console.quit().await?;

    let mut wrong = left::objects(cluster, run, &slots, &before).await?;
    let release = release.ok_or_else(|| eyre!("the Release is gone"))?;
    wrong.extend(left::record(run, &release, &robot));
    wrong.extend(left::exits(run, &slots, &cluster.kubelet.exits()[exits..]));
    let revisions = (after, revision(cluster).await?);
    Ok(Played { run, slots, begun, revisions, killed: cluster.killed_with_work() - killed, claims, wrong })
}

/// The store's revision now.
async fn revision(cluster: &Cluster) -> Result<u64> {
    Ok(order::revision(&cluster.rest.get(&routes()).await?.ok()?))
}

/// Judges the part of the load that was begun in a run; drains by the whole load, because work may be older than a run.
fn judged(played: &Played, records: &[Record], seen: &[Seen], from: Duration, to: Duration) -> (Sum, Vec<String>) {
    let Played { run, killed, .. } = played;
    let old = &*played.slots.old;
    let by_release = judge::claims(seen);
    let both_claimed = !by_release.is_empty() && !played.claims.is_empty();
    let claims = [by_release, played.claims.clone()].concat();
    let false_drains = judge::false_drains(records, &claims);
    let records: Vec<Record> =
        records.iter().filter(|record| record.start >= from && record.start < to).cloned().collect();

    let mut wrong = played.wrong.clone();
    if !both_claimed {
        wrong.push(format!("the Release and the screen both claim a drain, but only {claims:?} was seen"));
    }
    let cuts = judge::cuts(&records, seen);
    let legs = judge::legs(seen, from, to, old, run.version);
    let moved = judge::moved(seen);
    let two_versions = judge::on_two_versions(&records, &legs, &moved, seen);
    let switches: Vec<Vec<judge::Switch>> = legs.iter().map(|leg| judge::switches(&records, leg)).collect();
    // Everybody who was moved has to have been seen there: a judge that sees nothing finds nothing.
    let expected: usize = WAVES[..run.waves()].iter().map(|(_, customers)| customers).sum();
    let expected = expected + usize::from(run.promotes());
    if moved.len() != expected {
        wrong.push(format!("{} customers moved, not {expected}", moved.len()));
    }
    let heard = expected - usize::from(moved.contains(SILENT));
    for (leg, switches) in legs.iter().zip(&switches).filter(|(_, switches)| switches.len() != heard) {
        wrong.push(format!("{} customers were seen to move to {}, not {heard}", switches.len(), leg.target));
    }
    if legs.len() != 1 + usize::from(!run.is_forward()) {
        wrong.push(format!("the run turned {} times", legs.len() - 1));
    }
    let (judged, versions) = judge::versions(&records, seen, old, run.version, ASSETS_VERSION);
    figure(&format!("rig.{}.judged", run.name), judged, "transactions");
    let sum = Sum {
        transactions: records.len(),
        cut: cuts.len(),
        server_errors: judge::server_errors(&records),
        killed: *killed,
        two_versions: two_versions.len(),
        false_drains: false_drains.len(),
        windows: switches.iter().flatten().map(judge::Switch::window).collect(),
        gaps: switches.iter().flatten().map(judge::Switch::gap).collect(),
    };
    for (what, findings) in [
        ("transactions were cut", cuts),
        ("customers were on two versions", two_versions.into_values().collect()),
        ("answers came by a wrong version", versions),
        ("drains were false", false_drains),
    ] {
        wrong.extend(told(what, &findings));
    }
    (sum, wrong)
}

/// Counts findings of one kind and tells the first.
fn told(what: &str, findings: &[String]) -> Vec<String> {
    let first = findings.iter().take(TOLD).cloned().collect::<Vec<_>>().join("\n    ");
    (!findings.is_empty()).then(|| format!("{} {what}:\n    {first}", findings.len())).into_iter().collect()
}

/// Judges the order of a run's writes.
fn written(played: &Played, changes: &[Change]) -> Vec<String> {
    let Played { run, slots, revisions: (after, upto), .. } = played;
    let writes =
        Writes { old: slots.active, new: slots.idle, is_forward: run.is_forward(), after: *after, upto: *upto };
    let (made, mut wrong) = order::order(changes, &writes);
    if made == 0 {
        wrong.push("no managed route was seen to be made".into());
    }
    wrong
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.transactions += other.transactions;
        self.cut += other.cut;
        self.server_errors += other.server_errors;
        self.killed += other.killed;
        self.two_versions += other.two_versions;
        self.false_drains += other.false_drains;
        self.windows.extend(other.windows);
        self.gaps.extend(other.gaps);
    }

    fn print(&self, under: &str) {
        for (name, value, unit) in [
            ("transactions_total", self.transactions, "transactions"),
            ("transactions_cut", self.cut, "transactions"),
            ("http_5xx", self.server_errors, "transactions"),
            ("pods_killed_with_work", self.killed, "pods"),
            ("customers_on_two_versions", self.two_versions, "customers"),
        ] {
            figure(&format!("{under}.{name}"), value, unit);
        }
        // That of all runs is printed with those of the other parts.
        if under != "rig" {
            figure(&format!("{under}.false_drains"), self.false_drains, "drains");
        }
        // The gap says how finely the judge looks: a shorter window may have fallen between two starts.
        for (of, values) in [("switch_window_ms", &self.windows), ("switch_gap_ms", &self.gaps)] {
            for (name, percent) in [("p50", 50), ("p99", 99), ("max", 100)] {
                let value = judge::percentile(values, percent);
                figure(&format!("{under}.{of}.{name}"), value.as_millis(), "ms");
            }
        }
    }
}
