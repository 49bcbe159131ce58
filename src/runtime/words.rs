//! Where the release stands, in one sentence: for whoever reads the last line after the screen is gone.

use crate::core::View;
use crate::ui::Safe;
use std::sync::{Mutex, PoisonError};

/// What a panic's report says about the release; a panic has no other way to it.
static LAST: Mutex<String> = Mutex::new(String::new());

/// What is said when the cluster was never seen.
const UNKNOWN: &str = "The state of the release is not known here: `pilothouse status` says it.";

/// Returns the last known state of the release in words; does not wait for anything.
pub fn last_state() -> String {
    match LAST.try_lock() {
        Ok(text) if !text.is_empty() => text.clone(),
        _ => UNKNOWN.to_owned(),
    }
}

/// Says where a release stands, and that nothing moves by itself; what has not been seen for a while is said to be old.
pub fn state_in_words(view: &View) -> String {
    let header = &view.header;
    let cluster = header.fresh.iter().find(|row| row.source == "kube");
    let is_seen = cluster.is_some_and(|row| !row.stale);
    match (header.release.is_empty(), is_seen) {
        (true, true) => return "No release is under way.".to_owned(),
        (true, false) => return UNKNOWN.to_owned(),
        (false, _) => {}
    }
    let why = if header.why.is_empty() { String::new() } else { format!(" ({})", header.why) };
    let wave = match header.wave {
        (_, 0) => String::new(),
        (wave, waves) => format!(", wave {wave} of {waves}"),
    };
    let age = cluster.and_then(|row| row.age).map_or_else(|| "some time".to_owned(), |age| format!("{age} s"));
    let is = if is_seen { "is".to_owned() } else { format!("was, {age} ago,") };
    let text = format!("Release {} {is} {}{why}{wave}; nothing moves without a console.", header.release, header.state);
    Safe::new(&text).to_string()
}

/// Keeps the state for [`last_state`].
pub(super) fn note(view: &View) {
    let text = state_in_words(view);
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = text;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{FreshRow, Header};

    fn seen(age: Option<u64>, stale: bool) -> Vec<FreshRow> {
        vec![FreshRow { source: "kube".into(), age, stale }]
    }

    #[test]
    fn the_last_line_names_release_state_and_wave() {
        let mut header = Header {
            release: "trackx-4-12-0".into(),
            state: "HOLD".into(),
            why: "gate errors FAIL".into(),
            wave: (3, 7),
            fresh: seen(Some(1), false),
            ..Header::default()
        };
        let text = |header: &Header| state_in_words(&View { header: header.clone(), ..View::default() });
        assert_eq!(
            text(&header),
            "Release trackx-4-12-0 is HOLD (gate errors FAIL), wave 3 of 7; nothing moves without a console."
        );
        header.fresh = seen(Some(42), true);
        assert_eq!(
            text(&header),
            "Release trackx-4-12-0 was, 42 s ago, HOLD (gate errors FAIL), wave 3 of 7; nothing moves without a console."
        );
    }

    #[test]
    fn a_cluster_that_was_never_seen_is_not_one_without_a_release() {
        let words = |fresh| state_in_words(&View { header: Header { fresh, ..Header::default() }, ..View::default() });
        assert_eq!(words(seen(Some(1), false)), "No release is under way.");
        assert_eq!(words(seen(None, true)), UNKNOWN);
        assert_eq!(words(Vec::new()), UNKNOWN);
    }
}
