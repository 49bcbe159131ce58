//! The embedded API server answers as the real one does, by the committed answers in `real.json`.

#[path = "mod.rs"]
mod behaviours;

use behaviours::{ask, committed, count, differences, embedded};

#[test]
fn the_golden_file_holds_every_behaviour() {
    let committed = committed().expect("real.json is readable");
    assert_eq!(committed.len(), count(), "run tests/rig/run --only behaviours --bless");
}

#[tokio::test(start_paused = true)]
async fn the_embedded_server_answers_as_the_real_one() {
    let (_sim, rest) = embedded::start().await.expect("the embedded server starts");
    let answers = ask(&rest, embedded::NAMESPACE).await.expect("the embedded server can be asked");
    let differences = differences(&committed().expect("real.json is readable"), &answers);
    assert!(differences.is_empty(), "{} of {} differ:\n{}", differences.len(), count(), differences.join("\n"));
}
