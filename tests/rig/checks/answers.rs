//! The behaviours of the real API server, against the committed ones and against the embedded server's.

use super::figure;
use crate::behaviours::{Answers, ask, committed, count, differences, embedded, golden};
use crate::cluster::Cluster;
use color_eyre::eyre::{Result, ensure};

/// Asks the real server everything; `bless` keeps its answers as the golden ones.
pub async fn run(cluster: &Cluster, bless: bool) -> Result<()> {
    embedded::make_namespace(&cluster.rest).await?;
    let real = ask(&cluster.rest, embedded::NAMESPACE).await?;
    let stopped: Vec<String> = real
        .iter()
        .filter(|(_, answer)| answer.as_str().is_some_and(|text| text.starts_with("stopped:")))
        .map(|(name, answer)| format!("{name}: {answer}"))
        .collect();
    ensure!(stopped.is_empty(), "the real server did not let these be asked:\n{}", stopped.join("\n"));
    if bless {
        commit(&real)?;
        println!("rig: wrote tests/behaviours/real.json");
    }
    let stale = differences(&real, &committed()?);
    ensure!(
        stale.is_empty(),
        "the real server answers otherwise than tests/behaviours/real.json says (--bless rewrites it):\n{}",
        stale.join("\n")
    );
    let (_sim, rest) = embedded::start().await?;
    let other = differences(&real, &ask(&rest, embedded::NAMESPACE).await?);
    figure("rig.behaviours_equal", count() - other.len(), &format!("of_{}", count()));
    ensure!(other.is_empty(), "the embedded server answers otherwise:\n{}", other.join("\n"));
    Ok(())
}

/// Writes the golden file, one behaviour a line so that a change is easy to read.
fn commit(answers: &Answers) -> Result<()> {
    let lines: Vec<String> = answers.iter().map(|(name, answer)| format!("  \"{name}\": {answer}")).collect();
    std::fs::write(golden(), format!("{{\n{}\n}}\n", lines.join(",\n")))?;
    Ok(())
}
