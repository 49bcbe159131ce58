//! Whether the record of a release fits into the cluster's store.

use crate::model::{Finding, Membership, Plan};
use serde_json::Value;

/// The largest request that etcd takes by default (`--max-request-bytes`); the API server allows more.
const STORE_LIMIT: usize = 1_572_864;
/// What a Release needs beside the frozen plan: 200 journal records of up to 600 bytes, an intent with its targets and
/// two hashes each, marks of routes and waves, metadata.
const RESERVE: usize = 256 * 1024;

/// Refuses a plan that, frozen with its customers, does not fit into one Release.
pub fn findings(plan: &Plan, spec: &Value, membership: &Membership) -> Option<Finding> {
    let customers: usize = membership.waves.iter().map(|wave| wave.customers.len()).sum();
    let bytes = frozen_bytes(spec, membership);
    (bytes + RESERVE > STORE_LIMIT).then(|| {
        Finding::refuse(
            "size.frozen",
            format!(
                "the record of a release of RolloutPlan {} with its {customers} customers has {}, and the cluster stores at most {} in one object, of which {} are kept for the journal: list customers in a ConfigMap instead of the plan, or shorten their ids",
                plan.name,
                kibibytes(bytes),
                kibibytes(STORE_LIMIT),
                kibibytes(RESERVE)
            ),
        )
    })
}

/// Counts the bytes of the frozen plan and its waves as JSON.
fn frozen_bytes(spec: &Value, membership: &Membership) -> usize {
    let waves = serde_json::to_string(&membership.waves).map_or(0, |text| text.len());
    spec.to_string().len() + waves
}

fn kibibytes(bytes: usize) -> String {
    format!("{} KiB", bytes.div_ceil(1024))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CustomerId, Wave};

    fn membership(customers: usize) -> Membership {
        let id = |i: usize| CustomerId::new(format!("customer-{i:06}"));
        Membership { waves: vec![Wave { ring: "main".into(), customers: (0..customers).map(id).collect() }] }
    }

    #[test]
    fn ten_thousand_customers_fit_by_far() {
        let membership = membership(10_000);
        let bytes = frozen_bytes(&Value::Null, &membership);
        assert!((150_000..400_000).contains(&bytes), "{bytes}");
    }
}
