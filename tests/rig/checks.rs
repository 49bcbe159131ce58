//! What the rig proves.

mod adoption;
mod answers;
mod baseline;
mod endless;
mod history;
pub mod judge;
mod left;
mod lifecycle;
mod naive;
mod order;
mod promql;
mod proof;
mod smoke;
mod stage;

use crate::cluster::Cluster;
use crate::load::{Load, Profile};
use crate::objects::APP;
use crate::outside::{Gateway, Options};
use color_eyre::eyre::{Result, WrapErr, ensure};
use history::PILOTHOUSE;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::process::Command;

/// How long a rollback may take whose drain is waited for.
const TAKE_BACK: Duration = Duration::from_secs(240);

static FALSE_DRAINS: AtomicUsize = AtomicUsize::new(0);

/// Starts a cluster and runs the wanted parts; every part runs, also after one has failed.
pub async fn run(options: &Options, run: PathBuf) -> Result<ExitCode> {
    let cluster = Cluster::start(&run).await?;
    figure("rig.start_seconds", format!("{:.1}", cluster.started.as_secs_f64()), "s");
    let mut failed = Vec::new();
    if options.wants("smoke") {
        note(&cluster, &mut failed, "smoke", smoke::run(&cluster).await).await;
    }
    if options.wants("behaviours") {
        note(&cluster, &mut failed, "behaviours", answers::run(&cluster, options.bless).await).await;
    }
    if options.wants("promql") {
        note(&cluster, &mut failed, "promql", promql::run(&cluster).await).await;
    }
    if lifecycle::RUNS.iter().any(|run| options.wants(run.name)) {
        note(&cluster, &mut failed, "lifecycle", lifecycle::run(&cluster, options).await).await;
    }
    if options.wants("baseline") {
        note(&cluster, &mut failed, "baseline", baseline::run(&cluster).await).await;
    }
    if options.wants("naive") {
        note(&cluster, &mut failed, "naive", naive::run(&cluster).await).await;
    }
    if options.wants("proof") {
        note(&cluster, &mut failed, "proof", proof::run(&cluster).await).await;
    }
    if options.wants("endless") {
        note(&cluster, &mut failed, "endless", endless::run(&cluster).await).await;
    }
    if options.wants("adoption") {
        note(&cluster, &mut failed, "adoption", adoption::run(&cluster).await).await;
    }
    figure("rig.false_drains", FALSE_DRAINS.load(Ordering::SeqCst), "drains");
    if failed.is_empty() {
        println!("rig: all passed");
        return Ok(ExitCode::SUCCESS);
    }
    println!("rig: failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

/// Starts a cluster with its load, says how to reach it, and stays until the namespace is ended.
pub async fn stand(run: PathBuf) -> Result<ExitCode> {
    let cluster = Cluster::start(&run).await?;
    let _load = Load::start(Profile::steady());
    let text = format!(
        "The cluster stands ({:.1} s). Its addresses are reachable inside its namespace only:\n\
         \x20 tests/rig/enter target/debug/pilothouse                the console, as operator\n\
         \x20 tests/rig/enter kubectl get releases,httproutes,pods   (KUBECONFIG={})\n\
         \x20 other users: {}, {}\n\
         \x20 logs: {}\n\
         Stop it with tests/rig/down\n",
        cluster.started.as_secs_f64(),
        cluster.kubeconfig("operator").display(),
        cluster.kubeconfig("viewer").display(),
        cluster.kubeconfig("admin").display(),
        run.display(),
    );
    write_whole(&run.join("ready"), &text)?;
    std::future::pending::<()>().await;
    Ok(ExitCode::SUCCESS)
}

/// Books drains that were called proven while a transaction was open; the sum over all parts is printed at the end.
pub fn count_false_drains(drains: usize) {
    FALSE_DRAINS.fetch_add(drains, Ordering::SeqCst);
}

/// Prints one measured value in the form the build collects; those of the second gateway have its name in theirs.
pub fn figure(name: &str, value: impl std::fmt::Display, unit: &str) {
    match (Gateway::of_run(), name.strip_prefix("rig.")) {
        (Gateway::Contour, Some(rest)) => println!("figure rig.contour.{rest} {value} {unit}"),
        _ => println!("figure {name} {value} {unit}"),
    }
}

async fn note(cluster: &Cluster, failed: &mut Vec<&'static str>, part: &'static str, done: Result<()>) {
    match done {
        Ok(()) => println!("rig: {part} passed"),
        Err(why) => {
            println!("rig: {part} FAILED: {why:#}");
            failed.push(part);
            if let Err(why) = take_back(cluster).await {
                println!("rig: what {part} had begun could not be taken back: {why:#}");
            }
        }
    }
}

/// Rolls back the release that a part has left under way: it would be the next part's failure, too.
async fn take_back(cluster: &Cluster) -> Result<()> {
    let plan = cluster.rest.get(&format!("{PILOTHOUSE}/rolloutplans/{APP}")).await?.ok()?;
    if plan["status"]["activeRelease"].is_null() {
        return Ok(());
    }
    // The console of the part has ended without leaving: its lease runs out first.
    let mut rollback = Command::new(env!("CARGO_BIN_EXE_pilothouse"));
    rollback.arg("rollback").arg("a part of the rig has failed").env("KUBECONFIG", cluster.kubeconfig("operator"));
    rollback.env("HOME", cluster.run.join("home")).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(TAKE_BACK, rollback.output()).await.wrap_err("it takes too long")??;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// Nobody may read half a file.
fn write_whole(path: &Path, text: &str) -> Result<()> {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text)?;
    fs::rename(fresh, path)?;
    Ok(())
}
