//! Prints figures as they are measured, and at the end how each stands to its budget.

/// The largest value a figure may have; the numbers are the design's.
const BUDGETS: &[(&str, f64)] = &[
    ("perf.first_frame", 50.0),
    ("perf.first_frame_bytes", 8_000.0),
    ("perf.key_to_screen_stalled_max", 50.0),
    ("perf.frame_200x60_p95", 1.5),
    ("perf.rest_bytes", 0.0),
    ("perf.rest_cpu", 0.2),
    ("perf.live_bytes", 1_200.0),
    ("perf.rss_10k_customers_10k_pods", 120.0),
    ("perf.route_compile_10k_customers", 50.0),
    ("perf.gate_per_stream", 1.0),
    ("perf.binary_size", 14.0),
];

/// Everything measured so far.
#[derive(Default)]
pub struct Report {
    figures: Vec<(&'static str, f64)>,
}

impl Report {
    /// Prints a figure and keeps it.
    pub fn figure(&mut self, name: &'static str, value: f64, unit: &str) {
        println!("figure {name} {} {unit}", rounded(value));
        self.figures.push((name, value));
    }

    /// Prints one line per budget; what was not measured in this run says so.
    pub fn budgets(&self) {
        for (name, limit) in BUDGETS {
            match self.figures.iter().find(|(figure, _)| figure == name) {
                Some((_, value)) => {
                    let word = if value <= limit { "ok" } else { "MISSED" };
                    println!("budget {name} {word} {} {limit}", rounded(*value));
                }
                None => println!("budget {name} not-measured - {limit}"),
            }
        }
    }
}

/// Returns the value below which this share of the sorted values lies.
///
/// # Panics
/// Without any value.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1).expect("at least one value was measured");
    // Far below 2^53, and never negative.
    values[(last as f64 * share).round() as usize]
}

/// Three digits that count: 0.043, 4.31, 1204.
fn rounded(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 1.0 => format!("{value:.3}"),
        size if size < 100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}
