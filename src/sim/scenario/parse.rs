//! Reads scenario files and says everything that is wrong with one.

use super::{App, Fault, FaultKind, RingShape, Scenario, Timing};
use crate::model::{Share, dns_label};
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// The format this program reads.
const VERSION: u32 = 1;

/// The keys of each part of the file, for messages that name the nearest one.
const KEYS: [&str; 7] = ["version", "title", "seed", "app", "neighbour", "timing", "fault"];
const APP_KEYS: [&str; 11] =
    ["name", "customers", "rps", "unlisted", "replicas", "old", "new", "longest", "websockets", "rings", "environment"];
const RING_KEYS: [&str; 3] = ["name", "customers", "waves"];
const TIMING_KEYS: [&str; 8] = ["bake", "quiet", "patience", "settle", "gate", "scrape", "pod_start", "gateway_lag"];
const FAULT_KEYS: [&str; 7] = ["at", "kind", "app", "slot", "customer", "value", "for"];

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// Returns every finding, each with the key it is about.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let mut table: Table = text.parse().map_err(|e| vec![format!("the scenario is not TOML: {e}")])?;
        let mut findings = Vec::new();
        drop_unknown(&mut table, &KEYS, "", &mut findings);
        let app = part(table.remove("app"), "app", &APP_KEYS, &mut findings);
        let neighbour = part(table.remove("neighbour"), "neighbour", &APP_KEYS, &mut findings);
        let timing = part(table.remove("timing"), "timing", &TIMING_KEYS, &mut findings);
        let fault = faults(table.remove("fault"), &mut findings);
        let head: Option<Self> = read(Value::Table(table), "the scenario", &mut findings);
        let Some(head) = head else { return Err(findings) };
        let (app, timing) = (app.unwrap_or_default(), timing.unwrap_or_default());
        let scenario = Self { app, neighbour, timing, fault, ..head };
        scenario.check(&mut findings);
        if findings.is_empty() { Ok(scenario) } else { Err(findings) }
    }

    /// Returns the scenarios that come with the program, as name and text; the first is the default of `demo`.
    pub fn shipped() -> &'static [(&'static str, &'static str)] {
        &[
            ("good", include_str!("../../../assets/scenarios/good.toml")),
            ("bad-canary", include_str!("../../../assets/scenarios/bad-canary.toml")),
            ("bad-customer", include_str!("../../../assets/scenarios/bad-customer.toml")),
            ("endless-drain", include_str!("../../../assets/scenarios/endless-drain.toml")),
            ("two-plans", include_str!("../../../assets/scenarios/two-plans.toml")),
            ("metrics-outage", include_str!("../../../assets/scenarios/metrics-outage.toml")),
        ]
    }

    fn check(&self, findings: &mut Vec<String>) {
        if self.version != VERSION {
            findings.push(format!("version {} is not known; this program reads version {VERSION}", self.version));
        }
        self.app.check("app", findings);
        if let Some(neighbour) = &self.neighbour {
            neighbour.check("neighbour", findings);
            if self.app.slot_of(&neighbour.name).is_some() || neighbour.slot_of(&self.app.name).is_some() {
                findings.push("neighbour.name must differ from app.name, also with -b behind one of them".into());
            }
        }
        self.timing.check(findings);
        let names = [Some(&self.app), self.neighbour.as_ref()].map(|app| app.map(|app| app.name.as_str()));
        for (i, fault) in self.fault.iter().enumerate() {
            fault.check(i + 1, findings);
            if fault.app.as_ref().is_some_and(|app| !names.contains(&Some(app.as_str()))) {
                findings.push(format!("fault {} names an application that is not there", i + 1));
            }
        }
    }
}

impl App {
    fn check(&self, part: &str, findings: &mut Vec<String>) {
        let mut demand = |holds: bool, text: &str| {
            if !holds {
                findings.push(format!("{part}.{text}"));
            }
        };
        demand(dns_label(&self.name, 40) == self.name, "name must be a DNS label of at most 40 characters");
        demand(self.customers >= 1, "customers must be at least 1");
        demand(self.replicas >= 1, "replicas must be at least 1");
        demand(!self.old.is_empty(), "old must name a version");
        demand(self.old != self.new, "new must differ from app.old");
        demand((0.0..=1e5).contains(&self.rps), "rps must be a number from 0 to 100000");
        demand((0.0..=1.0).contains(&self.unlisted), "unlisted must be a fraction from 0 to 1");
        demand((0.01..=86_400.0).contains(&self.longest), "longest must be seconds from 0.01 to 86400");
        let known = ["prod", "stage", "dev"].contains(&self.environment.as_str());
        demand(known, "environment must be prod, stage or dev");
        let named: usize = self.rings.iter().filter_map(|ring| ring.customers).sum();
        demand(named <= self.customers, "rings take more customers than there are");
        let earlier = self.rings.split_last().map_or(&[][..], |(_, earlier)| earlier);
        let rest_is_last = earlier.iter().all(|ring| ring.customers.is_some());
        demand(rest_is_last, "rings: only the last one may leave out customers");
        for ring in &self.rings {
            ring.check(findings);
        }
    }
}

impl RingShape {
    fn check(&self, findings: &mut Vec<String>) {
        let name = &self.name;
        if name.is_empty() || self.customers == Some(0) {
            findings.push(format!("ring {name:?} must have a name and at least one customer"));
        }
        let shares: Vec<Share> = self.waves.iter().filter_map(|wave| Share::parse(wave).ok()).collect();
        let grows = shares.iter().zip(shares.iter().skip(1)).all(|(a, b)| a < b);
        if shares.len() != self.waves.len() || !grows || shares.last().is_some_and(|last| *last != Share::ALL) {
            findings.push(format!("the waves of ring {name:?} must be growing percentages that end with 100%"));
        }
    }
}

impl Timing {
    fn check(&self, findings: &mut Vec<String>) {
        let all = [
            ("bake", self.bake),
            ("quiet", self.quiet),
            ("patience", self.patience),
            ("settle", self.settle),
            ("gate", self.gate),
            ("scrape", self.scrape),
            ("pod_start", self.pod_start),
            ("gateway_lag", self.gateway_lag),
        ];
        for (key, seconds) in all {
            if !(0.0..=86_400.0).contains(&seconds) {
                findings.push(format!("timing.{key} must be seconds from 0 to 86400"));
            }
        }
        if self.scrape < 0.1 {
            findings.push("timing.scrape must be at least 0.1".into());
        }
    }
}

impl Fault {
    fn check(&self, number: usize, findings: &mut Vec<String>) {
        let needed = match self.kind {
            FaultKind::Errors if !(0.0..=1.0).contains(&self.value) => "a value from 0 to 1, the share that fails",
            FaultKind::Latency | FaultKind::GatewayLag if !(0.0..=3600.0).contains(&self.value) => {
                "a value from 0 to 3600, the seconds added"
            }
            _ => return,
        };
        findings.push(format!("fault {number} needs {needed}"));
    }
}

fn part<T: DeserializeOwned>(value: Option<Value>, name: &str, keys: &[&str], findings: &mut Vec<String>) -> Option<T> {
    let mut value = value?;
    if let Some(table) = value.as_table_mut() {
        drop_unknown(table, keys, name, findings);
        for ring in table.get_mut("rings").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(ring) = ring.as_table_mut() {
                drop_unknown(ring, &RING_KEYS, "app.rings", findings);
            }
        }
    }
    read(value, name, findings)
}

fn faults(value: Option<Value>, findings: &mut Vec<String>) -> Vec<Fault> {
    let listed = match value {
        None => Vec::new(),
        Some(Value::Array(listed)) => listed,
        Some(_) => {
            findings.push("fault must be a list: write [[fault]]".into());
            Vec::new()
        }
    };
    let mut read_one =
        |(i, value): (usize, Value)| part(Some(value), &format!("fault {}", i + 1), &FAULT_KEYS, findings);
    listed.into_iter().enumerate().filter_map(&mut read_one).collect()
}

fn read<T: DeserializeOwned>(value: Value, name: &str, findings: &mut Vec<String>) -> Option<T> {
    value.try_into().map_err(|e| findings.push(format!("{name}: {}", e.to_string().trim()))).ok()
}

fn drop_unknown(table: &mut Table, known: &[&str], place: &str, findings: &mut Vec<String>) {
    let unknown: Vec<String> = table.keys().filter(|key| !known.contains(&key.as_str())).cloned().collect();
    for key in unknown {
        table.remove(&key);
        let nearest = known.iter().min_by_key(|other| distance(&key, other)).copied().unwrap_or_default();
        let place = if place.is_empty() { String::new() } else { format!(" in {place}") };
        findings.push(format!("unknown key {key:?}{place}; did you mean {nearest:?}?"));
    }
}

/// The number of single-character edits between two words.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (above, y) in row.iter().skip(1).zip(b.chars()) {
            left = (left + 1).min(above + 1).min(diagonal + usize::from(x != y));
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::{Lasts, When};
    use super::*;
    use crate::model::Side;
    use std::time::Duration;

    #[test]
    fn every_shipped_scenario_reads() {
        for (name, text) in Scenario::shipped() {
            let read = Scenario::parse(text);
            assert!(read.is_ok(), "{name}: {read:?}");
        }
    }

    #[test]
    fn the_default_scenario_is_short_enough_to_be_played_by_hand() {
        let (_, text) = Scenario::shipped()[0];
        let good = Scenario::parse(text).unwrap();
        let waves: usize = good.app.rings.iter().map(|ring| ring.waves.len().max(1)).sum();
        assert!(waves <= 6, "{waves} waves");
        assert!(good.fault.is_empty());
        assert_eq!((good.timing.bake, good.timing.gate, good.timing.quiet, good.timing.settle), (20.0, 10.0, 5.0, 1.0));
        assert!(good.app.longest <= 60.0);
    }

    #[test]
    fn a_fault_is_read_with_its_moment() {
        let text = "version = 1\ntitle = 't'\n[[fault]]\nat = 'wave 2 + 20s'\nkind = 'errors'\nslot = 'new'\nvalue = 0.02\n[[fault]]\nat = 't 90s'\nkind = 'metrics_outage'\nfor = '30s'\n";
        let faults = Scenario::parse(text).unwrap().fault;
        assert_eq!(faults[0].at, When::Wave(2, Duration::from_secs(20)));
        assert_eq!(
            (faults[0].slot, faults[0].lasts, faults[0].customer.as_str()),
            (Some(Side::New), Lasts::Forever, "*")
        );
        assert_eq!(
            (faults[1].at, faults[1].lasts),
            (When::Start(Duration::from_secs(90)), Lasts::For(Duration::from_secs(30)))
        );
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let text = "version = 2\ntitle = 't'\n[app]\ncustmers = 5\nrps = -1\nrings = [{name = 'x', wave = []}, {name = 'y', waves = ['50%', '20%']}]\n[timing]\nscrape = 0\n[[fault]]\nat = 'wave x'\nkind = 'errors'\n[[fault]]\nat = 't 1s'\nkind = 'errors'\nvalue = 2\nfor = 'ever'\n[[fault]]\nat = 't 1s'\nkind = 'errors'\nvalue = 2\n";
        let findings = Scenario::parse(text).unwrap_err().join("\n");
        for part in [
            "\"custmers\" in app; did you mean \"customers\"",
            "\"wave\" in app.rings; did you mean \"waves\"",
            "version 2",
            "app.rps",
            "app.rings: only the last one",
            "ring \"y\"",
            "timing.scrape",
            "\"wave x\" is no moment",
            "\"ever\" is no length",
            "from 0 to 1",
        ] {
            assert!(findings.contains(part), "{part} is missing in:\n{findings}");
        }
    }

    #[test]
    fn every_listed_key_is_a_key_of_its_part() {
        let ring = "rings = [{name = 'r', customers = 1, waves = ['100%']}]";
        let app = format!(
            "name = 'x'\ncustomers = 2\nrps = 1.0\nunlisted = 0.1\nreplicas = 1\nold = '1'\nnew = '2'\nlongest = 1.0\nwebsockets = 0\n{ring}\nenvironment = 'dev'\n"
        );
        let timing: String = TIMING_KEYS.iter().map(|key| format!("{key} = 1.0\n")).collect();
        let fault =
            "at = 't 1s'\nkind = 'latency'\napp = 'x'\nslot = 'old'\ncustomer = 'acme'\nvalue = 0.1\nfor = '1s'\n";
        let text = format!("version = 1\ntitle = 't'\nseed = 1\n[app]\n{app}[timing]\n{timing}[[fault]]\n{fault}");
        assert!(Scenario::parse(&text).is_ok(), "{:?}", Scenario::parse(&text));
        for key in APP_KEYS.iter().chain(&RING_KEYS).chain(&FAULT_KEYS).chain(&KEYS[..3]) {
            assert!(text.contains(&format!("{key} = ")), "{key} is not tried here");
        }
    }
}
