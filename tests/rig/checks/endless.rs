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
const OPEN: &str = "not proven: 5 sockets, oldest ";

/// What the screen has to say of sockets that nobody waits for.
const ASKED: &str = "5 sockets asked to reconnect";

/// Why the drain is forced.
const REASON: &str = "these clients never close";

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
    let mut stage = Stage::set(cluster, "4.50.0", endless(), |_| {}).await?;
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
    let mut stage = Stage::set(cluster, "4.50.1", endless(), |_| {}).await?;
    stage.only(SOCKETS as usize).await?;
    stage.answer("Space actions", &[Key::Char(' '), Key::Char('x')]).await?;
    // Nothing happens before the phrase and a reason stand there, and Enter is pressed on both.
    let dialog = stage.answer("Enter does nothing until it matches.", &[]).await?;
    let said = announced(&dialog).ok_or_else(|| eyre!("the dialog does not say how many it cuts:\n{dialog}"))?;
    stage.answer("Reason: ", &typed(&format!("cut {said} on old"))).await?;
    stage.answer("Enter goes to the reason.", &[Key::Enter]).await?;
    stage.answer("Enter does nothing until a reason stands here.", &typed(REASON)).await?;
    stage.answer("Enter runs it.", &[Key::Enter]).await?;
    stage.finish(|_| {}).await?;
    let release = stage.release().await?;
    let old = stage.old.clone();
    let ended = stage.end().await?;

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
        ensure!(dialog.contains(customer), "the dialog does not name {customer}:\n{dialog}");
    }
    ensure!(evidence.contains(REASON), "the journal does not give the reason: {evidence}");
    Ok(())
}

/// Sockets of an application that asks its clients to come back block nothing, and nothing is cut.
async fn reconnected(cluster: &Cluster) -> Result<()> {
    let old = super::history::slots(cluster).await?.old;
    cluster.kubelet.reconnect(&old);
    let profile = Profile { comes_back: true, ..endless() };
    let new = "4.50.2";
    let asked = std::cell::Cell::new(false);
    let look = |screen: &str| asked.set(asked.get() || screen.contains(ASKED));
    let mut stage = Stage::set(cluster, new, profile, look).await?;
    stage.finish(look).await?;
    let ended = stage.end().await?;
    let sockets =
        |version: &str| ended.records.iter().filter(|record| is_socket(record) && record.version == version).count();
    let (left, back) = (sockets(&old), sockets(new));
    figure("rig.reconnect.asked", left, "sockets");
    ensure!(asked.get(), "the screen never said {ASKED:?}");
    ensure!(left == SOCKETS as usize, "{left} sockets were asked to reconnect, not {SOCKETS}");
    ensure!(back == left, "{back} sockets came back, not {left}");
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

fn typed(text: &str) -> Vec<Key> {
    text.chars().map(Key::Char).collect()
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
