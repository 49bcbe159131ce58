//! Figures of the finished program, printed as `figure <name> <value> <unit>`, then one line per budget.
//!
//! `cargo bench --bench figures` runs all of them in about four minutes; `-- pure frame` runs only these parts. Nothing
//! is asserted about time: machines are noisy. `docs/figures.md` has the table.

#![allow(clippy::disallowed_methods)] // Real processes in real time.

mod cluster;
mod console;
mod frame;
mod pure;
mod report;
mod terminal;

use report::Report;

/// Measures one part.
type Part = fn(&mut Report);

/// The parts, in the order in which they run: the quiet ones first.
const PARTS: &[(&str, Part)] = &[
    ("size", console::size),
    ("pure", pure::measure),
    ("frame", frame::measure),
    ("rest", console::rest),
    ("pods", console::pods),
    ("memory", console::memory),
    ("given", console::given),
];

fn main() {
    // Fails only where one is installed already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // What cargo adds begins with a dash.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    println!("load {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    let mut report = Report::default();
    for (name, measure) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            measure(&mut report);
        }
    }
    println!("load {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    report.budgets();
}
