//! What the world around the consoles does: controllers, gateway, kubelet, traffic, metrics.

use super::{Bed, EVERYBODY, seed};
use crate::model::{Batch, CustomerId, Family, RawSeries, Reading, ResourceKind, ResourceRef, Slot, StreamKind};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Bed {
    /// Plays controllers and gateway: everything is ready and accepted at once.
    pub(super) fn control(&mut self) {
        let targets: Vec<ResourceRef> = self.objects.keys().cloned().collect();
        for target in targets {
            let object = &self.objects[&target];
            let generation = object["metadata"]["generation"].clone();
            let status = match target.kind {
                ResourceKind::HTTPRoute if self.ill.pending => continue,
                ResourceKind::HTTPRoute => {
                    let dropped = self.ill.dropped && target.name.contains("-ph-");
                    seed::accepted(&generation, self.lacks_endpoints(object), dropped)
                }
                ResourceKind::Deployment => {
                    let n = &object["spec"]["replicas"];
                    json!({ "observedGeneration": generation, "replicas": n, "updatedReplicas": n, "readyReplicas": n, "availableReplicas": n })
                }
                _ => continue,
            };
            if object["status"] != status {
                let mut object = object.clone();
                object["status"] = status;
                self.put(target.kind, object);
            }
        }
        for (slot, deployment, service) in [("a", "shop-a", "shop-a"), ("b", "shop-b", "shop-b")] {
            let wanted = self.replicas(deployment);
            for i in 0..3u64 {
                let target = ResourceRef::new(ResourceKind::Pod, format!("{deployment}-{i}"));
                match (i < wanted, self.objects.contains_key(&target)) {
                    (true, false) => self.put(ResourceKind::Pod, seed::pod(&target.name, slot, self.now)),
                    (false, true) if self.ill.lingers != Slot::parse(slot) => {
                        self.objects.remove(&target);
                    }
                    _ => {}
                }
            }
            let endpoints: Vec<Value> = (0..wanted)
                .map(|_| json!({ "conditions": { "ready": self.ill.unready != Slot::parse(slot) } }))
                .collect();
            let slice = json!({ "metadata": { "name": format!("{service}-1"), "labels": { "kubernetes.io/service-name": service } }, "endpoints": endpoints });
            let target = ResourceRef::new(ResourceKind::EndpointSlice, format!("{service}-1"));
            if self.objects.get(&target).is_none_or(|o| o["endpoints"] != slice["endpoints"]) {
                self.put(ResourceKind::EndpointSlice, slice);
            }
        }
    }

    /// Whether a rule gives weight to a slot without pods; some gateways say so in the status.
    fn lacks_endpoints(&self, route: &Value) -> bool {
        let rules = route["spec"]["rules"].as_array().into_iter().flatten();
        rules.flat_map(|rule| rule["backendRefs"].as_array().into_iter().flatten()).any(|backend| {
            let name = backend["name"].as_str().unwrap_or_default();
            backend["weight"].as_u64() != Some(0) && name.starts_with("shop-") && self.replicas(name) == 0
        })
    }

    /// Counts two requests a second of each customer where the live routes send them, and makes a round of metrics.
    pub(super) fn batch(&mut self) -> Batch {
        let at = self.now.as_millisecond();
        for (customer, slot) in EVERYBODY.iter().zip(self.slots(&EVERYBODY)) {
            if let Some(slot) = self.ill.stray.or(slot).filter(|_| !self.ill.silent) {
                *self.counters.entry((slot, (*customer).to_owned())).or_default() += 2.0;
            }
        }
        let mut families: BTreeMap<Family, Reading<Vec<RawSeries>>> = BTreeMap::new();
        let (mut started, mut finished, mut inflight, mut up) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (target, _) in
            self.objects.iter().filter(|(r, _)| r.kind == ResourceKind::Pod && r.name.starts_with("shop-"))
        {
            if self.ill.unscraped == Some(target.name.as_str()) || self.strangers.iter().any(|s| s.0 == target.name) {
                continue;
            }
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
                let open =
                    if is_first && kind == self.open_kind { self.open.get(&slot).copied().unwrap_or(0.0) } else { 0.0 };
                inflight.push(RawSeries { kind: Some(kind), points: vec![(at, open)], ..base.clone() });
            }
            for ((_, customer), count) in self.counters.iter().filter(|((of, _), _)| *of == slot && is_first) {
                let series = RawSeries {
                    customer: Some(CustomerId::new(customer.clone())),
                    points: vec![(at, *count)],
                    ..base.clone()
                };
                if !self.ill.unfinished.contains(&slot) {
                    finished.push(RawSeries { code: Some("200".into()), ..series.clone() });
                }
                if !self.ill.uncounted.contains(&slot) {
                    started.push(series);
                }
            }
        }
        for (pod, slot, open) in &self.strangers {
            let base = RawSeries {
                slot: Some(*slot),
                pod: (*pod).to_owned(),
                points: vec![(at, 1.0)],
                ..RawSeries::default()
            };
            up.push(base.clone());
            inflight.extend(StreamKind::ALL.map(|kind| {
                let open = if kind == StreamKind::Ws { *open } else { 0.0 };
                RawSeries { kind: Some(kind), points: vec![(at, open)], ..base.clone() }
            }));
        }
        let named = self.open.iter().zip(self.open_of).filter(|((_, open), _)| **open > 0.0);
        let by_customer = named.map(|((slot, open), customer)| RawSeries {
            slot: Some(*slot),
            pod: format!("shop-{slot}-0"),
            customer: Some(CustomerId::new(customer)),
            points: vec![(at, *open)],
            ..RawSeries::default()
        });
        let oldest = self.oldest.map(|age| RawSeries {
            slot: Some(Slot::A),
            pod: "shop-a-0".into(),
            points: vec![(at, age)],
            ..RawSeries::default()
        });
        families.insert(Family::OldestAge, Reading::Value(oldest.into_iter().collect()));
        families.insert(Family::InFlightByCustomer, Reading::Value(by_customer.collect()));
        families.insert(Family::Started, Reading::Value(started));
        families.insert(Family::Finished, Reading::Value(finished));
        families.insert(Family::InFlight, Reading::Value(inflight));
        if !self.ill.no_up {
            families.insert(Family::Up, Reading::Value(up));
        }
        if self.ill.partial {
            families.insert(Family::Finished, Reading::Partial("a store is down".into()));
        }
        for family in &self.ill.unanswered {
            families.insert(*family, Reading::Error("timed out".into()));
        }
        Batch { at: self.now, families }
    }

    /// The containers of a pod start again: what they counted and what was open there is gone.
    pub fn restart(&mut self, pod: &str) {
        let slot = if pod.starts_with("shop-a") { Slot::A } else { Slot::B };
        if pod.ends_with("-0") {
            self.counters.retain(|(of, _), _| *of != slot);
            self.open.remove(&slot);
        }
        let state = json!({ "running": { "startedAt": self.now.to_string() } });
        let count = self.get(ResourceKind::Pod, pod)["status"]["containerStatuses"][0]["restartCount"].as_u64();
        self.meddle(
            ResourceKind::Pod,
            pod,
            json!([
                { "op": "replace", "path": "/status/containerStatuses/0/state", "value": state },
                { "op": "replace", "path": "/status/containerStatuses/0/restartCount", "value": count.unwrap_or(0) + 1 },
            ]),
        );
    }
}
