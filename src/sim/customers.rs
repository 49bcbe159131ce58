//! The customers of the embedded application: who they are, and which ring takes them.

use super::scenario::{RingShape, Scenario};
use serde_json::{Value, json};

/// Names that customers get, in order; later ones get a number.
const NAMES: [&str; 76] = [
    "acme",
    "globex",
    "initech",
    "umbrella",
    "hooli",
    "stark",
    "wayne",
    "wonka",
    "tyrell",
    "cyberdyne",
    "soylent",
    "vandelay",
    "oscorp",
    "aperture",
    "blackmesa",
    "duff",
    "gringotts",
    "monarch",
    "nakatomi",
    "oceanic",
    "octan",
    "omnicorp",
    "paperstreet",
    "pendant",
    "piedpiper",
    "primatech",
    "prestige",
    "rekall",
    "sirius",
    "sterling",
    "strickland",
    "tessier",
    "trask",
    "vehement",
    "veridian",
    "virtucon",
    "weyland",
    "yoyodyne",
    "zorin",
    "allied",
    "bluth",
    "bubba",
    "callister",
    "chotchkies",
    "clampett",
    "contoso",
    "dunder",
    "fabrikam",
    "fezziwig",
    "gekko",
    "gizmonic",
    "grandtrunk",
    "hudsucker",
    "ingen",
    "kruger",
    "lacuna",
    "langley",
    "leviathan",
    "lunar",
    "macmillan",
    "mammoth",
    "megadodo",
    "mooby",
    "northwind",
    "parallax",
    "planetexpress",
    "roxxon",
    "sebben",
    "spacely",
    "tailspin",
    "thatherton",
    "tricell",
    "venture",
    "volkov",
    "wernham",
    "xanatos",
];
/// The customers of a ring called internal: the team itself.
const INTERNAL: [&str; 4] = ["trackx-staff", "trackx-qa", "trackx-demo", "trackx-partners"];
/// Rings up to this size name their customers; larger ones select them by a label.
const NAMED: usize = 8;

/// A ring with the customers it takes.
#[derive(Clone, Debug, PartialEq)]
struct Taken<'a> {
    shape: &'a RingShape,
    customers: Vec<String>,
    rest: bool,
}

/// Returns the ids of all listed customers, in the order of the rings.
pub fn ids(scenario: &Scenario) -> Vec<String> {
    let shapes = shapes(scenario);
    taken(scenario, &shapes).into_iter().flat_map(|ring| ring.customers).collect()
}

/// Returns `customers.yaml`.
pub fn list(scenario: &Scenario) -> String {
    const TIERS: [&str; 3] = ["gold", "silver", "bronze"];
    const REGIONS: [&str; 3] = ["westeurope", "northeurope", "eastus"];
    let mut text =
        String::from("# the customers of the service: id is the value of the request header x-customer-id\n");
    let shapes = shapes(scenario);
    let mut number = 0;
    for ring in taken(scenario, &shapes) {
        for id in &ring.customers {
            let tier = if is_internal(ring.shape) { "internal" } else { TIERS[number % TIERS.len()] };
            let labels =
                if by_label(&ring) { format!(", labels: {{cohort: {}}}", ring.shape.name) } else { String::new() };
            text.push_str(&format!(
                "- {{id: {id}, name: {}, tier: {tier}, region: {}{labels}}}\n",
                title(id),
                REGIONS[number % REGIONS.len()]
            ));
            number += 1;
        }
    }
    text
}

/// Returns `spec.rings` of the plan; `bake` is written as a duration.
pub fn rings(scenario: &Scenario, bake: &str) -> Value {
    let shapes = shapes(scenario);
    taken(scenario, &shapes)
        .iter()
        .map(|ring| {
            let mut spec = json!({ "name": ring.shape.name, "bake": bake });
            if ring.rest {
                spec["rest"] = json!(true);
            } else if is_internal(ring.shape) {
                spec["select"] = json!({ "tier": "internal" });
            } else if by_label(ring) {
                spec["select"] = json!({ "cohort": ring.shape.name });
            } else {
                spec["names"] = json!(ring.customers);
            }
            if !ring.shape.waves.is_empty() {
                spec["waves"] = json!(ring.shape.waves);
            }
            spec
        })
        .collect()
}

/// The rings the scenario asks for, or a usual set: a few colleagues, a few friends, some, and all others.
fn shapes(scenario: &Scenario) -> Vec<RingShape> {
    if !scenario.app.rings.is_empty() {
        return scenario.app.rings.clone();
    }
    let all = scenario.app.customers;
    let ring = |name: &str, customers: Option<usize>, waves: &[&str]| RingShape {
        name: name.into(),
        customers,
        waves: waves.iter().map(|w| (*w).to_owned()).collect(),
    };
    vec![
        ring("internal", Some((all / 20).max(1)), &[]),
        ring("pilot", Some((all / 10).max(1)), &[]),
        ring("early", Some((all / 5).max(1)), &["50%", "100%"]),
        ring("main", None, &["50%", "100%"]),
    ]
}

/// Shares the customers out; a ring that would get nobody is left out, because an empty ring refuses the plan.
fn taken<'a>(scenario: &Scenario, shapes: &'a [RingShape]) -> Vec<Taken<'a>> {
    let mut left = scenario.app.customers;
    let mut names = (0..).map(|i| match (NAMES[i % NAMES.len()], i / NAMES.len()) {
        (name, 0) => name.to_owned(),
        (name, round) => format!("{name}-{}", round + 1),
    });
    let mut rings = Vec::new();
    for (i, shape) in shapes.iter().enumerate() {
        let last = i + 1 == shapes.len();
        let size = match shape.customers {
            Some(size) => size.min(left),
            None if last => left,
            // Rings without a number before the last one share what is left evenly.
            None => left / (shapes.len() - i),
        };
        left -= size;
        if size == 0 {
            continue;
        }
        let customers = (0..size)
            .filter_map(|k| match INTERNAL.get(k).filter(|_| is_internal(shape)) {
                Some(name) => Some((*name).to_owned()),
                None => names.next(),
            })
            .collect();
        rings.push(Taken { shape, customers, rest: last && shape.customers.is_none() });
    }
    rings
}

fn is_internal(shape: &RingShape) -> bool {
    shape.name == "internal"
}

fn by_label(ring: &Taken<'_>) -> bool {
    !ring.rest && !is_internal(ring.shape) && ring.customers.len() > NAMED
}

/// A name for people: `trackx-qa` becomes `Trackx Qa`.
fn title(id: &str) -> String {
    let words = id.split('-').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::parse_customers;

    fn scenario(customers: usize) -> Scenario {
        let mut scenario: Scenario = toml::from_str("version = 1\ntitle = \"t\"").unwrap();
        scenario.app.customers = customers;
        scenario
    }

    #[test]
    fn everybody_is_listed_once_and_the_list_can_be_read() {
        for count in [1, 2, 3, 60, 500] {
            let scenario = scenario(count);
            let listed = parse_customers("list", &list(&scenario)).expect("readable");
            let known: Vec<&str> = listed.iter().map(|c| c.id.as_str()).collect();
            assert_eq!(known, ids(&scenario));
            assert_eq!(known.len(), count);
        }
    }

    #[test]
    fn a_scenario_of_two_rings_gets_exactly_these() {
        let mut scenario = scenario(5);
        scenario.app.rings = vec![
            RingShape { name: "first".into(), customers: Some(2), waves: Vec::new() },
            RingShape { name: "rest".into(), customers: None, waves: vec!["50%".into(), "100%".into()] },
        ];
        assert_eq!(
            rings(&scenario, "1s"),
            json!([{"name": "first", "bake": "1s", "names": ["acme", "globex"]},
                {"name": "rest", "bake": "1s", "rest": true, "waves": ["50%", "100%"]}])
        );
    }
}
