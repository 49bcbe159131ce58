//! Rings and waves: who moves when. Membership is resolved once, when a release starts.

use super::{Approval, Customer, CustomerId, Finding, RingName, Share, Span};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The name of the pseudo-ring of everybody who is in no customer list.
pub const UNLISTED: &str = "unlisted";

/// An ordered cohort of customers.
#[derive(Clone, Debug, PartialEq)]
pub struct Ring {
    /// The ring's name.
    pub name: RingName,
    /// Who belongs to it.
    pub select: RingSelect,
    /// Cumulative shares of the ring's customers.
    pub waves: Vec<Share>,
    /// How long each wave bakes.
    pub bake: Span,
    /// Whether somebody must approve before the ring moves.
    pub approval: Approval,
}

/// Who belongs to a ring; a customer belongs to the first ring that takes it.
#[derive(Clone, Debug, PartialEq)]
pub enum RingSelect {
    /// Customers whose attributes all have these values.
    Attributes(BTreeMap<String, String>),
    /// These customers.
    Names(Vec<CustomerId>),
    /// A share of all listed customers, chosen by hash.
    Share(Share),
    /// Everybody listed that no other ring has taken.
    Rest,
}

/// Customers that move in one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Wave {
    /// The ring the wave belongs to.
    pub ring: RingName,
    /// Who moves; empty for the unlisted wave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub customers: Vec<CustomerId>,
}

impl Wave {
    /// Tells whether this is the last wave, which moves everybody who is in no list.
    pub fn is_unlisted(&self) -> bool {
        self.ring.as_str() == UNLISTED
    }
}

/// Resolved membership: the waves in order, the last one unlisted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The waves.
    pub waves: Vec<Wave>,
}

/// Resolves who is in which ring and cuts the rings into waves.
///
/// `seed` is the plan's name; shares are chosen by ascending sha256 of `seed/ring/customer id`.
///
/// # Errors
/// Returns all findings at once: unknown customers, customers named in two rings, rings nobody is in.
pub fn resolve(seed: &str, rings: &[Ring], customers: &[Customer]) -> Result<Membership, Vec<Finding>> {
    let mut findings = named_findings(rings, customers);
    let mut taken: BTreeSet<&CustomerId> = BTreeSet::new();
    let mut waves = Vec::new();
    for ring in rings {
        let members = members(seed, ring, customers, &taken);
        taken.extend(members.iter().copied());
        if members.is_empty() {
            findings.push(Finding::refuse(
                "ring.empty",
                format!("ring {} takes no customer: nobody matches it, or earlier rings took them all; change or remove the ring", ring.name),
            ));
            continue;
        }
        waves.extend(cut(ring, &members));
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    waves.push(Wave { ring: RingName::new(UNLISTED), customers: Vec::new() });
    Ok(Membership { waves })
}

/// Checks customers that are named: each exists and stands in one ring only.
fn named_findings(rings: &[Ring], customers: &[Customer]) -> Vec<Finding> {
    let listed: BTreeSet<&CustomerId> = customers.iter().map(|c| &c.id).collect();
    let mut owner: BTreeMap<&CustomerId, &RingName> = BTreeMap::new();
    let mut findings = Vec::new();
    for ring in rings {
        let RingSelect::Names(names) = &ring.select else { continue };
        for id in names {
            if !listed.contains(id) {
                findings.push(Finding::refuse(
                    "ring.unknown-customer",
                    format!("ring {} names customer {id}, who is not in the customer list: add the customer or remove the name", ring.name),
                ));
            }
            if let Some(first) = owner.insert(id, &ring.name) {
                findings.push(Finding::refuse(
                    "ring.named-twice",
                    format!("customer {id} is named in ring {first} and in ring {}: keep one", ring.name),
                ));
            }
        }
    }
    findings
}

fn members<'a>(
    seed: &str,
    ring: &Ring,
    customers: &'a [Customer],
    taken: &BTreeSet<&CustomerId>,
) -> Vec<&'a CustomerId> {
    let free = customers.iter().filter(|c| !taken.contains(&c.id));
    match &ring.select {
        RingSelect::Attributes(wanted) => free
            .filter(|c| wanted.iter().all(|(key, value)| c.attribute(key) == Some(value.as_str())))
            .map(|c| &c.id)
            .collect(),
        RingSelect::Names(names) => free.filter(|c| names.contains(&c.id)).map(|c| &c.id).collect(),
        RingSelect::Share(share) => {
            let mut ranked: Vec<(Vec<u8>, &CustomerId)> =
                free.map(|c| (rank(seed, &ring.name, &c.id), &c.id)).collect();
            ranked.sort();
            ranked.into_iter().take(share.of(customers.len())).map(|(_, id)| id).collect()
        }
        RingSelect::Rest => free.map(|c| &c.id).collect(),
    }
}

fn rank(seed: &str, ring: &RingName, id: &CustomerId) -> Vec<u8> {
    Sha256::digest(format!("{seed}/{ring}/{id}")).to_vec()
}

/// Cuts a ring into waves: cumulative shares rounded up, at least one customer each, strictly growing, empty ones dropped.
fn cut(ring: &Ring, members: &[&CustomerId]) -> Vec<Wave> {
    let mut done = 0;
    let mut waves = Vec::new();
    for share in ring.waves.iter().chain([&Share::ALL]) {
        let upto = share.of(members.len()).max(1).min(members.len());
        if let Some(slice) = members.get(done..upto)
            && !slice.is_empty()
        {
            waves.push(Wave { ring: ring.name.clone(), customers: slice.iter().map(|id| (*id).clone()).collect() });
            done = upto;
        }
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customers(n: usize) -> Vec<Customer> {
        (0..n)
            .map(|i| Customer {
                id: CustomerId::new(format!("c{i:03}")),
                name: String::new(),
                tier: if i < 3 { "internal".into() } else { String::new() },
                region: String::new(),
                labels: BTreeMap::new(),
            })
            .collect()
    }

    fn ring(name: &str, select: RingSelect, waves: &[&str]) -> Ring {
        Ring {
            name: name.into(),
            select,
            waves: waves.iter().map(|w| Share::parse(w).unwrap()).collect(),
            bake: Span::seconds(1),
            approval: Approval::None,
        }
    }

    fn plan() -> Vec<Ring> {
        vec![
            ring("internal", RingSelect::Attributes([("tier".to_owned(), "internal".to_owned())].into()), &[]),
            ring("pilot", RingSelect::Names(vec!["c001".into(), "c010".into(), "c011".into()]), &[]),
            ring("early", RingSelect::Share(Share::parse("10%").unwrap()), &["25%", "50%", "100%"]),
            ring("main", RingSelect::Rest, &["10%", "50%"]),
        ]
    }

    #[test]
    fn everybody_is_in_exactly_one_wave_and_waves_grow() {
        let all = customers(100);
        let waves = resolve("shop", &plan(), &all).unwrap().waves;
        let shape: Vec<(String, usize)> = waves.iter().map(|w| (w.ring.to_string(), w.customers.len())).collect();
        let expected = [
            ("internal", 3),
            ("pilot", 2),
            ("early", 3),
            ("early", 2),
            ("early", 5),
            ("main", 9),
            ("main", 34),
            ("main", 42),
            ("unlisted", 0),
        ];
        assert_eq!(shape, expected.map(|(n, c)| (n.to_owned(), c)));
        let mut seen: Vec<&CustomerId> = waves.iter().flat_map(|w| &w.customers).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 100);
    }

    #[test]
    fn shares_depend_on_the_seed_and_not_on_the_order_of_the_list() {
        let mut all = customers(50);
        let one = resolve("shop", &plan()[2..], &all).unwrap();
        all.reverse();
        let two = resolve("shop", &plan()[2..], &all).unwrap();
        assert_eq!(one.waves[0], two.waves[0]);
        let other = resolve("mall", &plan()[2..], &all).unwrap();
        assert_ne!(one.waves[0], other.waves[0]);
    }

    #[test]
    fn a_ring_of_one_keeps_one_wave() {
        let waves = resolve("s", &[ring("one", RingSelect::Rest, &["10%", "50%"])], &customers(1)).unwrap().waves;
        assert_eq!(waves.len(), 2);
    }

    #[test]
    fn all_findings_come_at_once() {
        let rings = [
            ring("x", RingSelect::Names(vec!["nobody".into(), "c001".into()]), &[]),
            ring("y", RingSelect::Names(vec!["c001".into()]), &[]),
        ];
        let checks: Vec<String> =
            resolve("s", &rings, &customers(2)).unwrap_err().into_iter().map(|f| f.check).collect();
        assert_eq!(checks, ["ring.unknown-customer", "ring.named-twice", "ring.empty"]);
    }
}
