//! Exit codes: what a script learns without reading a word.

use crate::core::{Header, Verdict, View};
use crate::model::Level;
use std::fmt;

/// Stands below the help.
pub const EXIT_CODES: &str = "\
Exit codes:
   0  it is done; for `status`: nothing is wrong
   1  a fault of this program
   2  the command line is wrong, or asks for a screen where there is no terminal
   3  configuration or plan is missing or wrong
  10  refused by a rule, or not confirmed
  11  a gate does not pass
  12  held or blocked
  13  another console drives
  15  the cluster cannot be reached
  17  begun and stopped before its resting phase, or interrupted
  18  not everything is known: sources are silent or too old
 101  a fault of this program that ended it at once; its report is in the state folder";

/// Why the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// It is done.
    Ok = 0,
    /// A fault of this program.
    Fault = 1,
    /// The command line asks for what cannot be done here.
    Usage = 2,
    /// Configuration or plan is missing or wrong.
    Configuration = 3,
    /// A rule said no, or a person did not confirm.
    Refused = 10,
    /// A gate does not pass.
    GateFailed = 11,
    /// Held or blocked.
    Held = 12,
    /// Another console drives.
    NotDriver = 13,
    /// The cluster cannot be reached.
    Unreachable = 15,
    /// Begun and stopped, or interrupted.
    Stopped = 17,
    /// Not everything is known.
    Unknown = 18,
}

/// A failure with its exit code, for the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: Code,
    /// What is wrong and what to do, one line each.
    pub text: String,
}

impl Failure {
    /// Makes a failure.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns the code of a state that was looked at; the gravest that applies.
pub fn of_state(view: &View, is_complete: bool) -> Code {
    // A cluster that never answered leaves nothing complete and nothing fresh: that it is away says more.
    if view.header.state == Header::NO_CLUSTER {
        return Code::Unreachable;
    }
    if !is_complete || !view.header.stale.is_empty() {
        return Code::Unknown;
    }
    if view.header.state == "NO PLAN" {
        return Code::Configuration;
    }
    let is_wrong = |check: &str| check.starts_with("plan.") || check.starts_with("customers.");
    let mut refused = view.preflight.findings.iter().filter(|finding| finding.level == Level::Refuse);
    if view.header.release.is_empty() && refused.any(|finding| is_wrong(&finding.check)) {
        return Code::Configuration;
    }
    if view.gates.iter().any(|gate| gate.verdict == Verdict::Fail) {
        return Code::GateFailed;
    }
    match view.header.state.as_str() {
        "HOLD" | "BLOCKED" => Code::Held,
        _ => Code::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::GateRow;

    fn view(state: &str, gates: &[Verdict]) -> View {
        View {
            header: Header { state: state.into(), ..Header::default() },
            gates: gates.iter().map(|verdict| GateRow { verdict: verdict.clone(), ..GateRow::default() }).collect(),
            ..View::default()
        }
    }

    #[test]
    fn a_script_learns_the_state_from_the_code() {
        assert_eq!(of_state(&view("BAKING", &[Verdict::Pass]), true), Code::Ok);
        assert_eq!(of_state(&view("HOLD", &[Verdict::Fail]), true), Code::GateFailed);
        assert_eq!(of_state(&view("HOLD", &[Verdict::Pass]), true), Code::Held);
        assert_eq!(of_state(&view("NO PLAN", &[]), true), Code::Configuration);
    }

    #[test]
    fn a_plan_or_a_list_that_would_refuse_a_start_is_a_mistake_of_the_configuration() {
        let idle = |check: &str| {
            let mut view = view("IDLE", &[]);
            view.preflight.findings = vec![crate::model::Finding::refuse(check, "it is wrong")];
            of_state(&view, true)
        };
        assert_eq!([idle("customers.missing"), idle("plan.rings")], [Code::Configuration; 2]);
        assert_eq!(idle("slot.busy"), Code::Ok);
    }

    #[test]
    fn what_is_not_known_is_never_ok() {
        assert_eq!(of_state(&view("IDLE", &[]), false), Code::Unknown);
        let mut stale = view("BAKING", &[Verdict::Pass]);
        stale.header.stale.push("kube 31 s".into());
        assert_eq!(of_state(&stale, true), Code::Unknown);
        stale.header.state = Header::CONNECTING.into();
        assert_eq!(of_state(&stale, false), Code::Unknown, "it answers, and does not let itself be read");
    }

    #[test]
    fn a_cluster_that_does_not_answer_is_told_from_one_that_cannot_be_read_as_a_whole() {
        let mut away = view(Header::NO_CLUSTER, &[]);
        away.header.stale.push("Release has not been read yet".into());
        assert_eq!(of_state(&away, false), Code::Unreachable);
    }

    #[test]
    fn every_code_is_in_the_help() {
        for code in [
            Code::Ok,
            Code::Fault,
            Code::Usage,
            Code::Configuration,
            Code::Refused,
            Code::GateFailed,
            Code::Held,
            Code::NotDriver,
            Code::Unreachable,
            Code::Stopped,
            Code::Unknown,
        ] {
            let number = format!("\n  {:>2}  ", code as u8);
            assert!(EXIT_CODES.contains(&number), "{code:?} is missing");
        }
    }
}
