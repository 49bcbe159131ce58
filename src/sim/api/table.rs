//! `as=Table` output: what `kubectl get` prints.

use super::forms::{Include, partial};
use super::resources::Resource;
use super::schemas;
use crate::model::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// One column of a resource.
struct Column {
    name: String,
    wide: bool,
    /// Whether its cells are numbers: some clients read them as such.
    integer: bool,
    cell: Cell,
}

enum Cell {
    /// A path into the object, such as `.spec.rings[0].name`.
    Path(String),
    /// The time since the instant at a path.
    Age(String),
    /// Anything else.
    Text(fn(&Value) -> String),
    /// A number that is always there.
    Number(fn(&Value) -> u64),
}

/// Returns objects as a Table; `metadata` is that of the list.
pub fn table(resource: &Resource, objects: &[&Value], metadata: &Value, include: Include, now: Timestamp) -> Value {
    let columns = columns(resource);
    let definitions: Vec<Value> = columns
        .iter()
        .map(|c| {
            let kind = if c.integer { "integer" } else { "string" };
            json!({ "name": c.name, "type": kind, "format": if c.name == "Name" { "name" } else { "" },
                "description": "", "priority": i32::from(c.wide) })
        })
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<Value> = columns.iter().map(|c| cell(c, object, now)).collect();
            let with = match include {
                Include::Metadata => partial(object),
                Include::Object => (*object).clone(),
                Include::None => Value::Null,
            };
            json!({ "cells": cells, "object": with })
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    })
}

fn columns(resource: &Resource) -> Vec<Column> {
    let column = |name: &str, cell: Cell| Column { name: name.into(), wide: false, integer: false, cell };
    let path = |name: &str, path: &str| column(name, Cell::Path(path.into()));
    let text = |name: &str, text: fn(&Value) -> String| column(name, Cell::Text(text));
    let number = |name: &str, number: fn(&Value) -> u64| Column { integer: true, ..column(name, Cell::Number(number)) };
    let wide = |column: Column| Column { wide: true, ..column };
    let mut columns = vec![path("Name", ".metadata.name")];
    if let Some(crd) = schemas::definition(resource) {
        let printed = crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array().into_iter().flatten();
        columns.extend(printed.map(|c| {
            let place = c["jsonPath"].as_str().unwrap_or_default().to_owned();
            let cell = if c["type"] == "date" { Cell::Age(place) } else { Cell::Path(place) };
            let name = c["name"].as_str().unwrap_or_default().into();
            Column { name, wide: false, integer: c["type"] == "integer", cell }
        }));
        return columns;
    }
    columns.extend(match resource.plural {
        "pods" => vec![
            text("Ready", ready_containers),
            text("Status", pod_status),
            text("Restarts", restarts),
            wide(path("IP", ".status.podIP")),
            wide(path("Node", ".spec.nodeName")),
            wide(text("Nominated Node", |_| "<none>".into())),
            wide(text("Readiness Gates", |_| "<none>".into())),
        ],
        "nodes" => vec![
            text("Status", |n| if condition(n, "Ready") == "True" { "Ready" } else { "NotReady" }.into()),
            text("Roles", |_| "<none>".into()),
            path("Version", ".status.nodeInfo.kubeletVersion"),
            wide(path("Internal-IP", ".status.addresses[0].address")),
            wide(path("OS-Image", ".status.nodeInfo.osImage")),
            wide(path("Kernel-Version", ".status.nodeInfo.kernelVersion")),
            wide(path("Container-Runtime", ".status.nodeInfo.containerRuntimeVersion")),
        ],
        "deployments" => vec![
            text("Ready", |d| format!("{}/{}", count(&d["status"]["readyReplicas"]), count(&d["spec"]["replicas"]))),
            number("Up-to-date", |d| count(&d["status"]["updatedReplicas"])),
            number("Available", |d| count(&d["status"]["availableReplicas"])),
            wide(text("Containers", |d| joined(&d["spec"]["template"]["spec"]["containers"], |c| plain(&c["name"])))),
            wide(text("Images", images)),
            wide(text("Selector", |d| labels(&d["spec"]["selector"]["matchLabels"]))),
        ],
        "replicasets" => vec![
            number("Desired", |r| count(&r["spec"]["replicas"])),
            number("Current", |r| count(&r["status"]["replicas"])),
            number("Ready", |r| count(&r["status"]["readyReplicas"])),
        ],
        "services" => vec![
            path("Type", ".spec.type"),
            path("Cluster-IP", ".spec.clusterIP"),
            text("External-IP", |_| "<none>".into()),
            text("Port(s)", |s| joined(&s["spec"]["ports"], |p| format!("{}/TCP", p["port"]))),
            wide(text("Selector", |s| labels(&s["spec"]["selector"]))),
        ],
        "configmaps" => vec![number("Data", |c| entries(&c["data"]))],
        "namespaces" => vec![path("Status", ".status.phase")],
        "httproutes" => vec![text("Hostnames", |r| r["spec"]["hostnames"].to_string())],
        "gateways" => vec![
            path("Class", ".spec.gatewayClassName"),
            path("Address", ".status.addresses[0].value"),
            text("Programmed", |g| condition(g, "Programmed")),
        ],
        "gatewayclasses" => {
            vec![path("Controller", ".spec.controllerName"), text("Accepted", |c| condition(c, "Accepted"))]
        }
        "leases" => vec![path("Holder", ".spec.holderIdentity")],
        "endpointslices" => vec![
            path("AddressType", ".addressType"),
            text("Ports", |s| joined(&s["ports"], |p| p["port"].to_string())),
            text("Endpoints", |s| joined(&s["endpoints"], |e| plain(&e["addresses"][0]))),
        ],
        "horizontalpodautoscalers" => {
            vec![
                text("Reference", |h| {
                    let target = &h["spec"]["scaleTargetRef"];
                    format!("{}/{}", plain(&target["kind"]), plain(&target["name"]))
                }),
                path("MinPods", ".spec.minReplicas"),
                number("MaxPods", |h| count(&h["spec"]["maxReplicas"])),
                number("Replicas", |h| count(&h["status"]["currentReplicas"])),
            ]
        }
        "poddisruptionbudgets" => {
            vec![path("Min available", ".spec.minAvailable"), path("Max unavailable", ".spec.maxUnavailable")]
        }
        "events" => vec![
            column("Last Seen", Cell::Age(".lastTimestamp".into())),
            path("Type", ".type"),
            path("Reason", ".reason"),
            text("Object", |e| {
                let object = &e["involvedObject"];
                format!("{}/{}", plain(&object["kind"]).to_lowercase(), plain(&object["name"]))
            }),
            path("Message", ".message"),
        ],
        "secrets" => vec![path("Type", ".type"), number("Data", |s| entries(&s["data"]))],
        _ => Vec::new(),
    });
    let last = columns.iter().position(|column| column.wide).unwrap_or(columns.len());
    let age = Cell::Age(".metadata.creationTimestamp".into());
    columns.insert(last, column("Age", age));
    columns
}

fn cell(column: &Column, object: &Value, now: Timestamp) -> Value {
    match &column.cell {
        Cell::Path(path) if column.integer => at(object, path).clone(),
        Cell::Number(number) => json!(number(object)),
        Cell::Path(path) => json!(plain(at(object, path))),
        Cell::Text(text) => json!(text(object)),
        Cell::Age(path) => {
            let since = at(object, path).as_str().and_then(|t| t.parse::<Timestamp>().ok());
            json!(since.map_or_else(|| "<unknown>".into(), |t| age(t, now)))
        }
    }
}

/// A time as kubectl prints it: two units at most, the second one only while the first is small.
fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |first: i64, unit: &str, second: i64, small: &str| match second {
        0 => format!("{first}{unit}"),
        _ => format!("{first}{unit}{second}{small}"),
    };
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        _ if days < 730 => format!("{days}d"),
        _ if days < 2920 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

fn labels(map: &Value) -> String {
    let pairs = map.as_object().into_iter().flatten().map(|(k, v)| format!("{k}={}", plain(v)));
    let text = pairs.collect::<Vec<_>>().join(",");
    if text.is_empty() { "<none>".into() } else { text }
}

/// Follows the simple JSONPaths of printer columns: names and indexes.
fn at<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split(['.', '[', ']']).filter(|part| !part.is_empty()).fold(object, |value, part| {
        match part.parse::<usize>() {
            Ok(index) if value.is_array() => &value[index],
            _ => &value[part],
        }
    })
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn entries(map: &Value) -> u64 {
    map.as_object().map_or(0, |map| map.len() as u64)
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn joined(list: &Value, item: fn(&Value) -> String) -> String {
    let mut out = String::new();
    for (i, value) in list.as_array().into_iter().flatten().enumerate() {
        let _ = write!(out, "{}{}", if i > 0 { "," } else { "" }, item(value));
    }
    out
}

fn condition(object: &Value, kind: &str) -> String {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions.into_iter().flatten().find(|c| c["type"] == kind);
    found.map_or_else(|| "Unknown".into(), |c| plain(&c["status"]))
}

fn images(deployment: &Value) -> String {
    joined(&deployment["spec"]["template"]["spec"]["containers"], |c| plain(&c["image"]))
}

fn containers(pod: &Value) -> &[Value] {
    pod["status"]["containerStatuses"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn ready_containers(pod: &Value) -> String {
    let ready = containers(pod).iter().filter(|c| c["ready"] == true).count();
    format!("{ready}/{}", pod["spec"]["containers"].as_array().map_or(0, Vec::len))
}

fn restarts(pod: &Value) -> String {
    containers(pod).iter().filter_map(|c| c["restartCount"].as_u64()).sum::<u64>().to_string()
}

fn pod_status(pod: &Value) -> String {
    if pod["metadata"]["deletionTimestamp"].is_string() {
        return "Terminating".into();
    }
    let reasons = |state: &str| containers(pod).iter().find_map(|c| c["state"][state]["reason"].as_str());
    let gated = || {
        let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        conditions.find_map(|c| c["reason"].as_str().filter(|reason| *reason == "SchedulingGated"))
    };
    let waiting = reasons("waiting").or_else(|| reasons("terminated")).or_else(gated);
    waiting.map_or_else(|| plain(&pod["status"]["phase"]), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::resources::{ALL, PODS, RELEASES};
    use super::*;

    #[test]
    fn a_release_is_printed_with_the_columns_of_its_crd() {
        let now: Timestamp = "2026-11-23T10:05:07Z".parse().unwrap();
        let release = json!({"metadata": {"name": "r", "creationTimestamp": "2026-11-23T10:00:00Z"},
            "spec": {"version": "4.12.0", "hold": {"by": "dana"}}, "status": {"phase": "Baking", "wave": 2}});
        let table = table(&RELEASES, &[&release], &json!({"resourceVersion": "7"}), Include::Metadata, now);
        assert_eq!(table["rows"][0]["cells"], json!(["r", "4.12.0", "Baking", 2, "dana", "", "", "5m7s"]));
        assert_eq!(table["metadata"]["resourceVersion"], "7");
    }

    #[test]
    fn a_waiting_pod_says_why() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{}]}, "status": {"phase": "Pending",
            "containerStatuses": [{"ready": false, "restartCount": 2, "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}});
        let table = table(&PODS, &[&pod], &Value::Null, Include::None, Timestamp::UNIX_EPOCH);
        assert_eq!(
            table["rows"][0]["cells"],
            json!(["p", "0/1", "ImagePullBackOff", "2", "<unknown>", "", "", "<none>", "<none>"])
        );
    }

    #[test]
    fn ages_are_written_as_kubectl_writes_them() {
        let told = |seconds: i64| age(Timestamp::UNIX_EPOCH, Timestamp::from_second(seconds).unwrap());
        let day = 86_400;
        let times =
            [0, 119, 120, 307, 600, 10_799, 10_800, 11_100, 28_800, 2 * day, 9 * day + 1, 800 * day, 3000 * day];
        let words = ["0s", "119s", "2m", "5m7s", "10m", "179m", "3h", "3h5m", "8h", "2d", "9d", "2y70d", "8y"];
        assert_eq!(times.map(told), words);
    }

    #[test]
    fn every_resource_can_be_printed_even_when_its_object_is_empty() {
        for resource in ALL {
            let object = json!({"metadata": {"name": "x"}});
            let table = table(resource, &[&object], &Value::Null, Include::None, Timestamp::UNIX_EPOCH);
            let cells = table["rows"][0]["cells"].as_array().unwrap().len();
            assert_eq!(cells, table["columnDefinitions"].as_array().unwrap().len(), "{}", resource.plural);
        }
    }
}
