//! Sockets that do not end by themselves: waited for, cut by force, or asked to reconnect.

use super::figure;
use super::judge;
use super::proof::{SOCKETS, endless};
use super::stage::{Ended, QUIET, Shortened, Stage};
use crate::cluster::Cluster;
use crate::load::Profile;
use crate::record::{Record, UNLISTED};
use crate::robot::Key;
use color_eyre::eyre::{Result, ensure, eyre};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// Several quiet times.
const WAITED: Duration = Duration::from_secs(8 * QUIET);

/// What the screen has to say while the sockets are open.
const OPEN: &str = "5 sockets, oldest ";

/// What the screen has to say of sockets that nobody waits for.
const ASKED: &str = "5 sockets asked to reconnect";

/// Waits for endless sockets, cuts some by force, and asks some to reconnect.
pub async fn run(cluster: &Cluster) -> Result<()> {
    for (name, sockets) in [("waited", "wait"), ("forced", "wait"), ("reconnected", "reconnect")] {
        let plan = Shortened::apply(cluster, sockets).await?;
        let done = match name {
            "waited" => waited(cluster).await,
            "forced" => forced(cluster).await,
            _ => reconnected(cluster).await,
        };
        plan.undo(cluster).await?;
        done.map_err(|why| why.wrap_err(name))?;
    }
    Ok(())
}

/// Nothing is scaled while the clients keep their sockets; once they close them the drain is proven.
async fn waited(cluster: &Cluster) -> Result<()> {
    let mut stage = Stage::set(cluster, "4.50.0", endless()).await?;
    stage.only(SOCKETS as usize).await?;
    let begun = Instant::now();
    let says_so = |screen: &str| {
        ensure!(screen.contains(" not proven ") && screen.contains(OPEN), "the screen does not say {OPEN:?}");
        Ok(())
    };
    stage.stays_undrained("endless sockets", WAITED, says_so).await?;
    figure("rig.endless.not_proven_seconds", begun.elapsed().as_secs(), "s");
    ensure!(cluster.kubelet.open(&stage.old) == SOCKETS as usize, "a socket has not stayed open");
    stage.load.hang_up();
    stage.finish(|_| {}).await?;
    let ended = stage.end().await?;
    let false_drains = judge::false_drains(&ended.records, &ended.claims);
    figure("rig.endless.false_drains", false_drains.len(), "drains");
    super::count_false_drains(false_drains.len());
    ensure!(false_drains.is_empty(), "{}", false_drains.join("\n"));
    ensure!(ended.claims.len() >= 2, "Release and screen claim a drain at last, but only {:?} was seen", ended.claims);
    uncut("rig.endless.transactions_cut", &ended)
}

/// The console names whom it cuts and counts them; the judge and the kubelet count the same.
async fn forced(cluster: &Cluster) -> Result<()> {
    let mut stage = Stage::set(cluster, "4.50.1", endless()).await?;
    stage.only(SOCKETS as usize).await?;
    stage.send(&[Key::Char(' '), Key::Char('x')])?;
    let (mut said, mut named) = (None, String::new());
    stage
        .finish(|screen| {
            if let Some(count) = announced(screen) {
                said = Some(count);
                named = screen.to_owned();
            }
        })
        .await?;
    let release = stage.release().await?;
    let old = stage.old.clone();
    let ended = stage.end().await?;

    let said: usize = said.ok_or_else(|| eyre!("no dialog said how many it cuts"))?;
    let cut: Vec<&Record> = ended.records.iter().filter(|record| record.is_cut()).collect();
    figure("rig.force.said", said, "transactions");
    figure("rig.force.cut", cut.len(), "transactions");
    let found = judge::cuts(&ended.records, &ended.seen).join("\n");
    ensure!(cut.len() == said && said == SOCKETS as usize, "the console said {said}; the judge saw:\n{found}");
    ensure!(cut.iter().all(|record| record.version == old && is_socket(record)), "others were cut:\n{found}");
    let open: usize = ended.exits.iter().filter(|exit| exit.killed).map(|exit| exit.open).sum();
    ensure!(open == said, "the kubelet saw {open} cut");

    let customers: BTreeSet<&str> = cut.iter().map(|record| record.who()).collect();
    ensure!(!customers.contains(UNLISTED), "the load is meant to open sockets for listed customers: {customers:?}");
    let list = release["status"]["outcome"]["forcedOn"].as_array().cloned().unwrap_or_default();
    let forced_on: BTreeSet<&str> = list.iter().filter_map(Value::as_str).collect();
    ensure!(forced_on == customers, "the record names {forced_on:?}, but {customers:?} were cut");
    let evidence = journaled(&release).ok_or_else(|| eyre!("the journal does not say that the drain was forced"))?;
    for customer in &customers {
        ensure!(evidence.contains(customer), "the journal does not name {customer}: {evidence}");
        ensure!(named.contains(customer), "the dialog does not name {customer}:\n{named}");
    }
    Ok(())
}

/// Sockets of an application that asks its clients to come back block nothing, and nothing is cut.
async fn reconnected(cluster: &Cluster) -> Result<()> {
    let old = super::history::slots(cluster).await?.old;
    cluster.kubelet.reconnect(&old);
    let profile = Profile { comes_back: true, ..endless() };
    let mut stage = Stage::set(cluster, "4.50.2", profile).await?;
    let mut asked = false;
    stage.finish(|screen| asked |= screen.contains(ASKED)).await?;
    // The clients come back within a beat.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let back = cluster.kubelet.open("4.50.2");
    let ended = stage.end().await?;
    let left = ended.records.iter().filter(|record| is_socket(record) && record.version == old).count();
    figure("rig.reconnect.asked", left, "sockets");
    ensure!(asked, "the screen never said {ASKED:?}");
    ensure!(left == SOCKETS as usize, "{left} sockets were asked to reconnect, not {SOCKETS}");
    ensure!(back >= left, "only {back} transactions are open on the new version: not every socket came back");
    // The sockets are not waited for; everything else is.
    let others: Vec<Record> = ended.records.iter().filter(|record| !is_socket(record)).cloned().collect();
    let false_drains = judge::false_drains(&others, &ended.claims);
    figure("rig.reconnect.false_drains", false_drains.len(), "drains");
    super::count_false_drains(false_drains.len());
    ensure!(false_drains.is_empty(), "{}", false_drains.join("\n"));
    uncut("rig.reconnect.transactions_cut", &ended)
}

fn uncut(name: &str, ended: &Ended) -> Result<()> {
    let cuts = judge::cuts(&ended.records, &ended.seen);
    figure(name, cuts.len(), "transactions");
    ensure!(cuts.is_empty(), "transactions were cut:\n{}", cuts.join("\n"));
    let by_version: BTreeMap<&str, usize> =
        ended.exits.iter().filter(|exit| exit.open > 0).map(|exit| (exit.version.as_str(), exit.open)).collect();
    ensure!(by_version.is_empty(), "pods ended with work in flight: {by_version:?}");
    Ok(())
}

/// Reads from the dialog how many transactions it is about to cut: `Type cut 5 on old to go: `.
fn announced(screen: &str) -> Option<usize> {
    let (_, phrase) = screen.split_once("Type cut ")?;
    phrase.split_once(" on old")?.0.parse().ok()
}

fn journaled(release: &Value) -> Option<String> {
    let lines = release["status"]["journal"].as_array()?;
    lines.iter().map(Value::to_string).find(|line| line.contains("forced without a drain proof"))
}

fn is_socket(record: &Record) -> bool {
    record.path == "/socket"
}
