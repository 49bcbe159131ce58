//! A drain is never called proven while a transaction is open, however the metrics fail.
//!
//! The open work is five sockets, so that all other kinds are seen at 0. Each fault lasts longer than the window of
//! samples that the console asks for: first the last samples are old, then there are none.

use super::figure;
use super::judge;
use super::stage::{Shortened, Stage};
use crate::cluster::{Cluster, Fault, wait};
use crate::load::Profile;
use color_eyre::eyre::{Result, ensure};
use std::time::Duration;

/// How many sockets stay open.
pub const SOCKETS: u32 = 5;

/// Longer than the quiet time, the age at which a sample is stale, and the window of samples, one after the other.
const FAULT: Duration = Duration::from_secs(19);

/// The metrics source itself is away: that is known at once.
const AWAY: Duration = Duration::from_secs(9);

/// Nothing is open and all gauges say so, but starts are not counted.
const UNCOUNTED: Duration = Duration::from_secs(9);

/// A mended fault is seen by the next scrapes.
const MENDED: Duration = Duration::from_secs(4);

/// A little load, and sockets that their clients keep open until they are told to hang up.
pub fn endless() -> Profile {
    let hour = Duration::from_secs(3600);
    Profile {
        rate: 30,
        durations: (Duration::from_millis(10), Duration::from_secs(2)),
        sockets: SOCKETS,
        socket_lives: (hour, hour),
        seed: 23,
        ..Profile::steady()
    }
}

/// Breaks the metrics of a draining version in every way, then lets it drain.
pub async fn run(cluster: &Cluster) -> Result<()> {
    let plan = Shortened::apply(cluster, "wait").await?;
    let done = faults(cluster).await;
    plan.undo(cluster).await?;
    done
}

async fn faults(cluster: &Cluster) -> Result<()> {
    let mut stage = Stage::set(cluster, "4.40.0", endless(), |_| {}).await?;
    stage.only(SOCKETS as usize).await?;
    let old = stage.old.clone();
    let broken = broken(cluster, &mut stage, &old).await;
    // Whatever was found, the release goes on to its end under whole metrics, so that the next part can begin.
    cluster.kubelet.mend_metrics(&old);
    cluster.kubelet.hide(&old, false);
    if !cluster.supervisor.alive("prometheus")? {
        cluster.start_metrics().await?;
    }
    stage.load.hang_up();
    stage.finish(|_| {}).await?;
    let ended = stage.end().await?;
    let false_drains = judge::false_drains(&ended.records, &ended.claims);
    let cuts = judge::cuts(&ended.records, &ended.seen);
    figure("rig.proof.faults", broken.as_ref().map_or(0, |faults| *faults), "faults");
    figure("rig.proof.false_drains", false_drains.len(), "drains");
    super::count_false_drains(false_drains.len());
    figure("rig.proof.transactions_cut", cuts.len(), "transactions");
    broken?;
    ensure!(false_drains.is_empty(), "{}", false_drains.join("\n"));
    ensure!(ended.claims.len() >= 2, "Release and screen claim a drain at last, but only {:?} was seen", ended.claims);
    ensure!(cuts.is_empty(), "transactions were cut:\n{}", cuts.join("\n"));
    Ok(())
}

/// Breaks one thing after the other; returns how many faults the drain has withstood.
async fn broken(cluster: &Cluster, stage: &mut Stage<'_>, old: &str) -> Result<usize> {
    let kubelet = &cluster.kubelet;
    let mut faults = 0;
    for (what, kinds) in [
        ("the metrics of the pods are answered by 404 and 500", &[Fault::Status(404), Fault::Status(500)][..]),
        ("the gauge of the sockets is gone", &[Fault::Without("app_inflight{kind=\"ws\"}")]),
        ("all gauges of open work are gone", &[Fault::Without("app_inflight{")]),
    ] {
        ensure!(kubelet.break_metrics(old, kinds) > 0, "no pod of {old} has work open");
        told(what, &stage.stays_undrained(what, FAULT, |_| Ok(())).await?);
        kubelet.mend_metrics(old);
        stage.stays_undrained("the metrics are back", MENDED, |_| Ok(())).await?;
        faults += 1;
    }

    kubelet.hide(old, true);
    let what = "the pods are not scraped any more";
    told(what, &stage.stays_undrained(what, FAULT, |_| Ok(())).await?);
    kubelet.hide(old, false);
    faults += 1;

    cluster.stop_metrics()?;
    let what = "the metrics source is away";
    told(what, &stage.stays_undrained(what, AWAY, |_| Ok(())).await?);
    cluster.start_metrics().await?;
    stage.stays_undrained("the metrics source is back", MENDED, |_| Ok(())).await?;
    ensure!(kubelet.open(old) == SOCKETS as usize, "a socket has not stayed open to the end");
    faults += 1;

    kubelet.break_metrics(old, &[Fault::Without("app_requests_started_total{")]);
    stage.stays_undrained("the counter of started requests is gone", MENDED, |_| Ok(())).await?;
    stage.load.hang_up();
    wait("old version with nothing open", || async {
        ensure!(kubelet.open(old) == 0, "{} are open", kubelet.open(old));
        Ok(())
    })
    .await?;
    let what = "nothing is open, but nobody counts what starts";
    told(what, &stage.stays_undrained(what, UNCOUNTED, |_| Ok(())).await?);
    Ok(faults + 1)
}

/// Prints what the screen gave as the reason.
fn told(what: &str, screen: &str) {
    let rows = screen.lines().filter(|row| row.contains(" drain: ") || row.contains("finish:"));
    let reasons: Vec<&str> =
        rows.map(|row| row.trim_matches(|c: char| c.is_whitespace() || "│|·".contains(c))).collect();
    println!("rig: {what}: {}", reasons.last().copied().unwrap_or("(the screen gives no reason)"));
}
