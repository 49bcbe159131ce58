//! The behaviours of the real API server, against the committed ones and against the embedded server's.

use super::figure;
use crate::behaviours::{Answers, ask, committed, differences, golden};
use crate::cluster::Cluster;
use color_eyre::eyre::{Result, ensure};
use serde_json::json;

/// The namespace in which the server is asked.
const NAMESPACE: &str = "behaviours";

/// Asks the real server everything; `bless` keeps its answers as the golden ones.
pub async fn run(cluster: &Cluster, bless: bool) -> Result<()> {
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
    cluster.rest.post("/api/v1/namespaces", &namespace).await?.ok()?;
    let real = ask(&cluster.rest, NAMESPACE).await?;
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
    Ok(())
}

/// Writes the golden file, one behaviour a line so that a change is easy to read.
fn commit(answers: &Answers) -> Result<()> {
    let lines: Vec<String> = answers.iter().map(|(name, answer)| format!("  \"{name}\": {answer}")).collect();
    std::fs::write(golden(), format!("{{\n{}\n}}\n", lines.join(",\n")))?;
    Ok(())
}
