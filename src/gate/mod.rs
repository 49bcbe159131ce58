//! Threshold gates: which questions are put to the metrics source, and what its answers say. Pure.
//!
//! A verdict is a function of one range query over the gate's window and of nothing else: any console computes the
//! same one from the same range. Only a complete answer can pass.
//!
//! Counters are asked for as they stand, summed per pod, and the increases are computed here. `rate` and `increase`
//! look further back than the window when it is young, and they do not see a counter's first increment, because a
//! client library creates a series together with it: one failed request would stay invisible. See [`judge`].

mod counters;
mod judge;
mod pods;
mod queries;

pub use judge::{Judged, Starts, Verdict, judge, judge_restarts};
pub use pods::{doubted, of_pods};
pub use queries::{queries, step, without_pods_of};
