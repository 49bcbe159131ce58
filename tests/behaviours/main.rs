//! The embedded API server answers as the real one does, by the committed answers in `real.json`.

#[path = "mod.rs"]
mod behaviours;

#[test]
fn the_golden_file_holds_every_behaviour() {
    let committed = behaviours::committed().expect("real.json is readable");
    assert_eq!(committed.len(), behaviours::count(), "run tests/rig/run --only behaviours --bless");
}
