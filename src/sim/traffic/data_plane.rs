//! Where the gateway sends a request, for every customer and path of the traffic.

use super::super::scenario::App;
use super::random::Random;
use crate::model::Slot;
use crate::routing::{Request, Table, backends};
use serde_json::Value;

/// The header that names the customer.
const CUSTOMER_HEADER: &str = "x-customer-id";

/// The paths of the traffic with their share of all requests; the last one belongs to no slot in the seeded routes.
pub const PATHS: [(&str, f64); 3] = [("/api/orders", 0.7), ("/", 0.2), ("/static/app.css", 0.1)];

/// Who answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A pod of this slot.
    Slot(Slot),
    /// A Service that is no slot; it has no metrics here.
    Elsewhere,
    /// Nobody: no rule takes the request, or its backends have no weight.
    Nobody,
}

/// What the routes in force say, computed once per change.
#[derive(Debug, Default)]
pub struct DataPlane {
    /// Per customer and path: destinations with their weights.
    targets: Vec<[Vec<(Destination, u32)>; PATHS.len()]>,
}

impl DataPlane {
    /// Reads the routes for these customers; the empty name stands for requests without a customer header.
    pub fn new(app: &App, routes: &[Value], customers: &[String]) -> Self {
        let listed: Vec<&Value> = routes.iter().collect();
        let table = Table::build(&listed);
        let targets = |customer: &String| PATHS.map(|(path, _)| answering(app, &table, routes, path, customer));
        Self { targets: customers.iter().map(targets).collect() }
    }

    /// Decides one request.
    pub fn decide(&self, customer: usize, path: usize, random: &mut Random) -> Destination {
        let targets = self.targets.get(customer).and_then(|paths| paths.get(path)).map_or(&[][..], Vec::as_slice);
        if let [(only, weight)] = targets {
            return if *weight > 0 { *only } else { Destination::Nobody };
        }
        let total: u32 = targets.iter().map(|(_, weight)| weight).sum();
        let mut left = random.unit() * f64::from(total);
        for (destination, weight) in targets {
            if left < f64::from(*weight) {
                return *destination;
            }
            left -= f64::from(*weight);
        }
        Destination::Nobody
    }

    /// Returns the slot that takes all of a customer's requests for the first path; `None` when they are split.
    pub fn home(&self, customer: usize) -> Option<Slot> {
        let targets = self.targets.get(customer)?.first()?;
        let mut live = targets.iter().filter(|(_, weight)| *weight > 0);
        match (live.next(), live.next()) {
            (Some((Destination::Slot(slot), _)), None) => Some(*slot),
            _ => None,
        }
    }
}

fn answering(app: &App, table: &Table, routes: &[Value], path: &str, customer: &str) -> Vec<(Destination, u32)> {
    let named = [(CUSTOMER_HEADER, customer)];
    let headers = if customer.is_empty() { &[][..] } else { &named[..] };
    let host = app.host();
    let Some(hit) = table.winner(&Request { host: &host, path, method: "GET", headers, query: &[] }) else {
        return Vec::new();
    };
    let rule = routes.get(hit.route).map(|route| &route["spec"]["rules"][hit.rule]);
    let destination = |service: &str| app.slot_of(service).map_or(Destination::Elsewhere, Destination::Slot);
    let backends = rule.map_or_else(Vec::new, backends);
    backends.into_iter().map(|(service, weight)| (destination(&service), weight)).collect()
}
