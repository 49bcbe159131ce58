//! The objects, one resourceVersion counter for all of them, and a bounded memory of what changed.

use super::failure::Failure;
use super::resources::Resource;
use crate::model::{Timestamp, name_of};
use crate::sim::clock::{Clock, Entropy};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How many changes are remembered for watches; older positions are answered with 410.
const HISTORY: usize = 4096;

/// The objects of the embedded cluster.
#[derive(Debug)]
pub struct Store {
    clock: Arc<Clock>,
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    version: u64,
    objects: BTreeMap<&'static str, BTreeMap<(String, String), Arc<Value>>>,
    history: VecDeque<Change>,
    /// Changes up to this version are forgotten.
    forgotten: u64,
    entropy: Entropy,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// The resourceVersion it made.
    pub version: u64,
    /// The plural of its resource.
    pub plural: &'static str,
    /// The object before; `None` when it was created.
    pub old: Option<Arc<Value>>,
    /// The object after, or its last form when it was deleted.
    pub new: Arc<Value>,
    /// Whether it was deleted.
    pub deleted: bool,
}

/// What a transaction does to its object.
#[derive(Debug)]
pub enum Step {
    /// Nothing; the answer is this object.
    Keep(Value),
    /// Store it.
    Put(Value),
    /// Remove it; this is its last form.
    Remove(Value),
}

/// What a transaction may use.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time.
    pub now: Timestamp,
    /// For uids and generated names.
    pub entropy: &'a mut Entropy,
}

impl Store {
    /// An empty store; everything random in it follows from the seed.
    pub fn new(clock: Arc<Clock>, seed: u64) -> Self {
        let inner = Inner {
            version: 1000,
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            forgotten: 1000,
            entropy: Entropy::new(seed),
        };
        Self { clock, inner: Mutex::new(inner), changed: watch::Sender::new(1000) }
    }

    /// Returns the clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns an object.
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.lock().objects.get(resource.plural)?.get(&key(namespace, name)).cloned()
    }

    /// Returns every object of a resource in order of namespace and name, and the version they are of.
    pub fn list(&self, resource: &Resource) -> (u64, Vec<Arc<Value>>) {
        let inner = self.lock();
        let objects = inner.objects.get(resource.plural).into_iter().flat_map(BTreeMap::values).cloned().collect();
        (inner.version, objects)
    }

    /// Returns every object of a resource as it was at a version, in the same order.
    ///
    /// # Errors
    /// 410 when that is no longer remembered.
    pub fn list_at(&self, resource: &Resource, version: u64) -> Result<Vec<Arc<Value>>, Failure> {
        let inner = self.lock();
        if version < inner.forgotten {
            return Err(Failure::expired(version, inner.forgotten));
        }
        let mut objects = inner.objects.get(resource.plural).cloned().unwrap_or_default();
        let later = inner.history.iter().rev().take_while(|change| change.version > version);
        for Change { old, new, .. } in later.filter(|change| change.plural == resource.plural) {
            let place = key(new["metadata"]["namespace"].as_str().unwrap_or_default(), name_of(new));
            match old {
                Some(old) => objects.insert(place, old.clone()),
                None => objects.remove(&place),
            };
        }
        Ok(objects.into_values().collect())
    }

    /// Returns five characters for a generated name.
    pub fn suffix(&self) -> String {
        self.lock().entropy.suffix()
    }

    /// Returns the newest version.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// Tells when something changed: the value is the newest version.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Returns what changed after a version, and the version that covers.
    ///
    /// # Errors
    /// 410 when that is no longer remembered.
    pub fn since(&self, version: u64) -> Result<(u64, Vec<Change>), Failure> {
        let inner = self.lock();
        if version < inner.forgotten {
            return Err(Failure::expired(version, inner.forgotten));
        }
        let start = inner.history.partition_point(|c| c.version <= version);
        Ok((inner.version.max(version), inner.history.range(start..).cloned().collect()))
    }

    /// Forgets every change so far, as compaction does: watches that start earlier get 410.
    pub fn forget(&self) {
        let mut inner = self.lock();
        inner.forgotten = inner.version;
        inner.history.clear();
    }

    /// Changes one object atomically: `act` sees it as it is and says what becomes of it.
    ///
    /// # Errors
    /// Returns the refusal of `act`; nothing was changed.
    pub fn transact(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        act: impl FnOnce(Option<&Value>, &mut Context<'_>) -> Result<Step, Failure>,
    ) -> Result<Arc<Value>, Failure> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let old = inner.objects.get(resource.plural).and_then(|all| all.get(&key(namespace, name))).cloned();
        let mut context = Context { now: self.clock.now(), entropy: &mut inner.entropy };
        let (mut object, deleted) = match act(old.as_deref(), &mut context)? {
            Step::Keep(object) => return Ok(Arc::new(object)),
            Step::Put(object) => (object, false),
            Step::Remove(object) => (object, true),
        };
        inner.version += 1;
        let version = inner.version;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let object = Arc::new(object);
        // The name may have been generated, so it is read from the object.
        let place = key(namespace, name_of(&object));
        let all = inner.objects.entry(plural_of(resource)).or_default();
        if deleted {
            all.remove(&place);
        } else {
            all.insert(place, object.clone());
        }
        inner.history.push_back(Change { version, plural: plural_of(resource), old, new: object.clone(), deleted });
        if inner.history.len() > HISTORY
            && let Some(dropped) = inner.history.pop_front()
        {
            inner.forgotten = dropped.version;
        }
        drop(guard);
        self.changed.send_replace(version);
        Ok(object)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic inside a transaction leaves the objects as they were before it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(namespace: &str, name: &str) -> (String, String) {
    (namespace.to_owned(), name.to_owned())
}

fn plural_of(resource: &Resource) -> &'static str {
    resource.plural
}

#[cfg(test)]
mod tests {
    use super::super::resources::PODS;
    use super::*;

    fn put(store: &Store, name: &str) -> u64 {
        let object = store
            .transact(&PODS, "n", name, |_, _| Ok(Step::Put(json!({"metadata": {"name": name, "namespace": "n"}}))))
            .unwrap();
        object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn versions_grow_and_a_forgotten_position_is_expired() {
        let store = Store::new(Arc::new(Clock::new(Timestamp::UNIX_EPOCH)), 1);
        let first = put(&store, "a");
        let second = put(&store, "b");
        assert!(second > first);
        assert_eq!(store.since(first).unwrap().1.len(), 1);
        for i in 0..HISTORY {
            put(&store, &format!("p{i}"));
        }
        assert_eq!(store.since(first).unwrap_err().code, 410);
        store.forget();
        assert_eq!(store.since(store.version()).unwrap().1.len(), 0);
        assert_eq!(store.since(store.version() - 1).unwrap_err().code, 410);
    }

    #[tokio::test]
    async fn a_refused_transaction_changes_nothing() {
        let store = Store::new(Arc::new(Clock::new(Timestamp::UNIX_EPOCH)), 1);
        let before = store.version();
        let refused = store.transact(&PODS, "n", "x", |_, _| Err(Failure::not_found(&PODS, "x")));
        assert_eq!(refused.unwrap_err().code, 404);
        assert_eq!(store.version(), before);
        assert!(store.get(&PODS, "n", "x").is_none());
    }
}
