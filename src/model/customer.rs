//! The customers of the service, as the team lists them.

use super::{CustomerId, Finding};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The longest header value the Gateway API accepts.
const MAX_ID: usize = 4096;

/// One tenant of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Customer {
    /// The value of the customer header.
    pub id: CustomerId,
    /// A name for people; foreign text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The tier rings may select by.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tier: String,
    /// The region rings may select by.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// Further labels rings may select by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Customer {
    /// Returns the value a ring's `select` compares for this key.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        match key {
            "id" => Some(self.id.as_str()),
            "name" => Some(&self.name),
            "tier" => Some(&self.tier),
            "region" => Some(&self.region),
            other => self.labels.get(other).map(String::as_str),
        }
    }
}

/// Reads `customers.yaml` and checks every entry.
///
/// # Errors
/// Returns all findings at once: unreadable text, ids that no header can carry, ids listed twice.
pub fn parse_customers(text: &str) -> Result<Vec<Customer>, Vec<Finding>> {
    let customers: Vec<Customer> = serde_saphyr::from_str(text).map_err(|e| {
        vec![Finding::refuse(
            "customers.unreadable",
            format!("customers.yaml cannot be read: {e}; it must be a list of {{id, name, tier, region, labels}}"),
        )]
    })?;
    let findings = check_customers(&customers);
    if findings.is_empty() { Ok(customers) } else { Err(findings) }
}

/// Reads whoever stands in `customers.yaml`, also where the list has mistakes; nobody when it is no list.
pub fn customers_in(text: &str) -> Vec<Customer> {
    serde_saphyr::from_str(text).unwrap_or_default()
}

/// Checks a list of customers: every id fits in a header and stands once.
pub fn check_customers(customers: &[Customer]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for (i, customer) in customers.iter().enumerate() {
        let id = customer.id.as_str();
        let fits = !id.is_empty() && id.len() <= MAX_ID && id.bytes().all(|b| (0x21..=0x7e).contains(&b));
        if !fits {
            findings.push(Finding::refuse(
                "customers.bad-id",
                format!("customer {} in the list has the id {id:?}, which no request header can carry: use 1 to {MAX_ID} visible ASCII characters", i + 1),
            ));
        }
        if !seen.insert(id) {
            findings.push(Finding::refuse(
                "customers.twice",
                format!("customer {id:?} is listed twice: remove one of the entries"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_with_its_labels() {
        let list = parse_customers("- {id: acme, name: Acme Ltd, tier: gold, labels: {pilot: 'yes'}}\n- id: globex\n")
            .unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].attribute("pilot"), Some("yes"));
        assert_eq!(list[1].attribute("tier"), Some(""));
    }

    #[test]
    fn every_bad_entry_is_named() {
        let findings = parse_customers("- {id: a b}\n- {id: x}\n- {id: x}\n- {id: ''}\n").unwrap_err();
        let checks: Vec<&str> = findings.iter().map(|f| f.check.as_str()).collect();
        assert_eq!(checks, ["customers.bad-id", "customers.twice", "customers.bad-id"]);
    }
}
