//! Trouble on request: lost answers, late writes, refusals, broken watches; and a record of every write.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// What tests may do to the embedded API server; shared by everybody who holds the cluster.
#[derive(Debug)]
pub struct Faults {
    inner: Mutex<Inner>,
    broken: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    rules: Vec<Rule>,
    writes: Vec<Recorded>,
}

#[derive(Debug)]
struct Rule {
    method: String,
    path: String,
    what: Disturbance,
    times: u32,
}

/// A request that was not a GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// It is carried out, but no answer ever comes.
    AnswerLost,
    /// It is not carried out, and no answer ever comes.
    RequestLost,
    /// It is carried out after this time; no answer ever comes.
    LandsLate(Duration),
    /// It is carried out and answered after this time.
    Slow(Duration),
    /// It is not carried out, and answered with this code.
    Refused(u16),
    /// It is carried out, but answered with this code.
    AnswerSpoiled(u16),
}

impl Faults {
    /// No trouble at all.
    pub fn new() -> Self {
        Self { inner: Mutex::default(), broken: watch::Sender::new(0) }
    }

    /// Disturbs the next `times` requests with this method (empty = any) whose path and query contain `path`.
    pub fn disturb(&self, method: &str, path: &str, what: Disturbance, times: u32) {
        self.lock().rules.push(Rule { method: method.to_owned(), path: path.to_owned(), what, times });
    }

    /// Ends all trouble that was asked for.
    pub fn clear(&self) {
        self.lock().rules.clear();
    }

    /// Ends every watch that is open now, without a word, as a lost connection does.
    pub fn break_watches(&self) {
        self.broken.send_modify(|n| *n += 1);
    }

    /// Returns every request so far that was not a GET, in order.
    pub fn writes(&self) -> Vec<Recorded> {
        self.lock().writes.clone()
    }

    /// Takes note of a request and returns what shall happen to it.
    pub(super) fn meet(&self, method: &str, path: &str) -> Option<Disturbance> {
        let mut inner = self.lock();
        if method != "GET" {
            inner.writes.push(Recorded { method: method.to_owned(), path: path.to_owned() });
        }
        let rule = inner
            .rules
            .iter_mut()
            .find(|r| r.times > 0 && (r.method.is_empty() || r.method == method) && path.contains(&r.path))?;
        rule.times -= 1;
        Some(rule.what)
    }

    /// Tells when watches must end.
    pub(super) fn breaks(&self) -> watch::Receiver<u64> {
        self.broken.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disturbance_hits_as_often_as_asked_and_only_what_matches() {
        let faults = Faults::new();
        faults.disturb("PATCH", "/httproutes/x", Disturbance::Refused(503), 1);
        assert_eq!(faults.meet("GET", "/httproutes/x"), None);
        assert_eq!(faults.meet("PATCH", "/httproutes/y"), None);
        assert_eq!(faults.meet("PATCH", "/a/httproutes/x?dryRun=All"), Some(Disturbance::Refused(503)));
        assert_eq!(faults.meet("PATCH", "/httproutes/x"), None);
        let methods: Vec<String> = faults.writes().into_iter().map(|w| w.method).collect();
        assert_eq!(methods, ["PATCH"; 3]);
    }
}
