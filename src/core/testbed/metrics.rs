//! What the metrics of the small cluster say.

use super::{Bed, EVERYBODY};
use crate::model::{Batch, CustomerId, Family, RawSeries, Reading, ResourceKind, Slot, StreamKind};
use std::collections::BTreeMap;

impl Bed {
    /// Counts two requests a second of each customer where the live routes send them, and makes a round of metrics.
    pub(super) fn batch(&mut self) -> Batch {
        let at = self.now.as_millisecond();
        for (customer, slot) in EVERYBODY.iter().zip(self.slots(&EVERYBODY)) {
            if let Some(slot) = self.ill.stray.or(slot) {
                *self.counters.entry((slot, (*customer).to_owned())).or_default() += 2.0;
            }
        }
        let mut families: BTreeMap<Family, Reading<Vec<RawSeries>>> = BTreeMap::new();
        let (mut started, mut inflight, mut up) = (Vec::new(), Vec::new(), Vec::new());
        for (target, _) in self.objects.iter().filter(|(r, _)| r.kind == ResourceKind::Pod) {
            let slot = if target.name.starts_with("shop-a") { Slot::A } else { Slot::B };
            let base = RawSeries {
                slot: Some(slot),
                pod: target.name.clone(),
                points: vec![(at, if self.ill.down == Some(slot) { 0.0 } else { 1.0 })],
                ..RawSeries::default()
            };
            up.push(base.clone());
            let is_first = target.name.ends_with("-0");
            for kind in StreamKind::ALL.into_iter().filter(|kind| self.gauge || *kind != StreamKind::Http) {
                let open = if is_first && kind == StreamKind::Http {
                    self.open.get(&slot).copied().unwrap_or(0.0)
                } else {
                    0.0
                };
                inflight.push(RawSeries { kind: Some(kind), points: vec![(at, open)], ..base.clone() });
            }
            for ((of, customer), count) in self.counters.iter().filter(|((of, _), _)| *of == slot && is_first) {
                let _ = of;
                started.push(RawSeries {
                    customer: Some(CustomerId::new(customer.clone())),
                    points: vec![(at, *count)],
                    ..base.clone()
                });
            }
        }
        let named = self.open.iter().zip(self.open_of).filter(|((_, open), _)| **open > 0.0);
        let by_customer = named.map(|((slot, open), customer)| RawSeries {
            slot: Some(*slot),
            pod: format!("shop-{slot}-0"),
            customer: Some(CustomerId::new(customer)),
            points: vec![(at, *open)],
            ..RawSeries::default()
        });
        families.insert(Family::InFlightByCustomer, Reading::Value(by_customer.collect()));
        families.insert(Family::Started, Reading::Value(started));
        families.insert(Family::InFlight, Reading::Value(inflight));
        families.insert(Family::Up, Reading::Value(up));
        Batch { at: self.now, families }
    }
}
