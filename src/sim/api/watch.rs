//! Watches: what changed, line by line, until the time is up.

use super::failure::Failure;
use super::forms::Form;
use super::resources::Resource;
use super::select::Selection;
use super::store::{Change, Store};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How often a watch that allows it gets a bookmark, as on the real server.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// How long a watch lasts when the client names no time.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1800);

/// What a client watches, and how.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The resource.
    pub resource: &'static Resource,
    /// Which objects.
    pub selection: Selection,
    /// `resourceVersion`: changes after it; `None` or 0 = the present state first.
    pub from: Option<u64>,
    /// `timeoutSeconds`.
    pub timeout: Option<u64>,
    /// `allowWatchBookmarks`.
    pub bookmarks: bool,
    /// `sendInitialEvents`: the present state first, then a marked bookmark.
    pub initial: bool,
    /// The form in which objects come.
    pub form: Form,
}

/// A watch that is open.
struct Open {
    ask: Ask,
    store: Arc<Store>,
    position: u64,
    lines: VecDeque<Vec<u8>>,
    changed: watch::Receiver<u64>,
    broken: watch::Receiver<u64>,
    stop: CancellationToken,
    deadline: Instant,
    next_bookmark: Option<Instant>,
    over: bool,
}

/// Opens a watch: a stream of JSON lines.
pub fn open(
    store: Arc<Store>,
    ask: Ask,
    broken: watch::Receiver<u64>,
    stop: CancellationToken,
) -> impl futures::Stream<Item = Result<Vec<u8>, Infallible>> + Send + 'static {
    let now = Instant::now();
    let mut open = Open {
        changed: store.changes(),
        position: 0,
        lines: VecDeque::new(),
        broken,
        stop,
        deadline: now + ask.timeout.map_or(DEFAULT_TIMEOUT, Duration::from_secs),
        next_bookmark: ask.bookmarks.then(|| now + BOOKMARK_EVERY),
        over: false,
        store,
        ask,
    };
    open.start();
    futures::stream::unfold(open, |mut open| async move { open.next().await.map(|line| (Ok(line), open)) })
}

impl Open {
    fn start(&mut self) {
        let from = self.ask.from.filter(|v| *v > 0);
        match from {
            Some(version) if !self.ask.initial => self.position = version,
            _ => self.present(),
        }
    }

    /// The present state as ADDED events.
    fn present(&mut self) {
        let (version, objects) = self.store.list(self.ask.resource);
        self.position = version;
        for object in objects {
            if self.ask.selection.takes(&object) {
                self.push("ADDED", &object);
            }
        }
        if self.ask.initial {
            self.bookmark(true);
        }
    }

    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.over {
                return None;
            }
            self.changed.mark_unchanged();
            match self.store.since(self.position) {
                Err(failure) => {
                    self.expire(&failure);
                    continue;
                }
                Ok((version, changes)) => {
                    self.position = version;
                    changes.iter().for_each(|change| self.report(change));
                }
            }
            if self.lines.is_empty() {
                self.wait().await;
            }
        }
    }

    async fn wait(&mut self) {
        let bookmark = self.next_bookmark;
        let due = async {
            match bookmark {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => self.over = true,
            _ = self.broken.changed() => self.over = true,
            result = self.changed.changed() => self.over = result.is_err(),
            () = sleep_until(self.deadline) => self.over = true,
            () = due => {
                self.next_bookmark = bookmark.map(|at| at + BOOKMARK_EVERY);
                self.bookmark(false);
            }
        }
    }

    /// A change that makes an object enter or leave the selection is an addition or a deletion.
    fn report(&mut self, change: &Change) {
        if change.plural != self.ask.resource.plural {
            return;
        }
        let was = change.old.as_ref().is_some_and(|old| self.ask.selection.takes(old));
        let is = !change.deleted && self.ask.selection.takes(&change.new);
        match (was, is) {
            (false, true) => self.push("ADDED", &change.new),
            (true, true) => self.push("MODIFIED", &change.new),
            (true, false) => self.push("DELETED", &departed(change)),
            (false, false) => {}
        }
    }

    fn bookmark(&mut self, marked: bool) {
        let resource = self.ask.resource;
        let mut object = json!({
            "kind": resource.kind,
            "apiVersion": resource.api_version(),
            "metadata": { "resourceVersion": self.position.to_string(), "creationTimestamp": null },
        });
        if marked {
            object["metadata"]["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        self.line("BOOKMARK", &object);
    }

    fn expire(&mut self, failure: &Failure) {
        self.line("ERROR", &failure.to_status());
        self.over = true;
    }

    fn push(&mut self, kind: &str, object: &Value) {
        let shown = self.ask.form.one(self.ask.resource, object, self.store.clock().now());
        self.line(kind, &shown);
    }

    fn line(&mut self, kind: &str, object: &Value) {
        // An object is written where it stands; the kinds are words of our own.
        self.lines.push_back(format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n").into_bytes());
    }
}

/// What a watcher is told of an object that left: its last selected form, at the version of the change.
fn departed(change: &Change) -> Value {
    let mut object = change.old.as_ref().unwrap_or(&change.new).as_ref().clone();
    object["metadata"]["resourceVersion"] = change.new["metadata"]["resourceVersion"].clone();
    object
}
