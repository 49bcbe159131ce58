//! What happened, counted outside of the metrics: the judge of the tests.

use crate::model::{Slot, Timestamp};
use std::collections::BTreeMap;

/// Everything that happened since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Requests, transactions and sockets that began on a pod.
    pub started: u64,
    /// Those that ended by themselves.
    pub finished: u64,
    /// Those of them that ended with a 5xx of the application.
    pub failed: u64,
    /// Those that a pod's sudden end cut.
    pub cut: u64,
    /// The same by customer; the empty name stands for requests without one.
    pub cut_by_customer: BTreeMap<String, u64>,
    /// Requests that the gateway answered with 503 because the slot had no ready pod, by customer.
    pub unserved: BTreeMap<String, u64>,
    /// Requests that no rule took.
    pub unrouted: u64,
    /// How often requests of one customer began on both slots within a tenth of a second.
    pub on_two_versions: u64,
    /// When the last work of a customer began on each slot.
    pub last_start: BTreeMap<String, BTreeMap<Slot, Timestamp>>,
}

/// The same with customers as numbers.
#[derive(Debug)]
pub struct Ledger {
    started: u64,
    finished: u64,
    failed: u64,
    unrouted: u64,
    on_two_versions: u64,
    customers: Vec<Entry>,
    touched: Vec<usize>,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    cut: u64,
    unserved: u64,
    last_ms: [Option<i64>; 2],
    this_step: [bool; 2],
}

impl Ledger {
    /// Makes an empty ledger.
    pub fn new(customers: usize) -> Self {
        let customers = vec![Entry::default(); customers];
        Self { started: 0, finished: 0, failed: 0, unrouted: 0, on_two_versions: 0, customers, touched: Vec::new() }
    }

    /// Work began.
    pub fn started(&mut self, customer: usize, slot: Option<Slot>, at_ms: i64) {
        self.started += 1;
        let (Some(slot), Some(entry)) = (slot, self.customers.get_mut(customer)) else { return };
        let index = usize::from(slot == Slot::B);
        entry.last_ms[index] = entry.last_ms[index].max(Some(at_ms));
        entry.this_step[index] = true;
        self.touched.push(customer);
    }

    /// Work ended by itself.
    pub fn finished(&mut self, code: u16) {
        self.finished += 1;
        self.failed += u64::from(code >= 500);
    }

    /// Work was cut.
    pub fn cut(&mut self, customer: usize) {
        if let Some(entry) = self.customers.get_mut(customer) {
            entry.cut += 1;
        }
    }

    /// The gateway had no pod for a request.
    pub fn unserved(&mut self, customer: usize) {
        if let Some(entry) = self.customers.get_mut(customer) {
            entry.unserved += 1;
        }
    }

    /// No rule took a request.
    pub fn unrouted(&mut self) {
        self.unrouted += 1;
    }

    /// A step is over: the routes did not change within it, so nobody may have begun on both slots.
    pub fn close_step(&mut self) {
        for customer in self.touched.drain(..) {
            if let Some(entry) = self.customers.get_mut(customer) {
                self.on_two_versions += u64::from(entry.this_step == [true, true]);
                entry.this_step = [false, false];
            }
        }
    }

    /// Returns the totals by name.
    pub fn totals(&self, names: &[String]) -> Totals {
        let named = || names.iter().zip(&self.customers);
        let counts = |count: fn(&Entry) -> u64| {
            let nonzero = named().map(|(name, entry)| (name.clone(), count(entry))).filter(|(_, count)| *count > 0);
            nonzero.collect::<BTreeMap<String, u64>>()
        };
        let last = |entry: &Entry| {
            let known = Slot::ALL.into_iter().zip(entry.last_ms);
            let read = known.filter_map(|(slot, ms)| Some((slot, Timestamp::from_millisecond(ms?).ok()?)));
            read.collect::<BTreeMap<Slot, Timestamp>>()
        };
        Totals {
            started: self.started,
            finished: self.finished,
            failed: self.failed,
            cut: self.customers.iter().map(|entry| entry.cut).sum(),
            cut_by_customer: counts(|entry| entry.cut),
            unserved: counts(|entry| entry.unserved),
            unrouted: self.unrouted,
            on_two_versions: self.on_two_versions,
            last_start: named()
                .map(|(name, entry)| (name.clone(), last(entry)))
                .filter(|(_, m)| !m.is_empty())
                .collect(),
        }
    }
}
