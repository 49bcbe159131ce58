//! The protobuf that clients written in Go send where they could send JSON: typed clients do so for every built-in kind.
//!
//! The envelope is the bytes `k8s\0`, then a message with the type in field 1 and the object in field 2. Field numbers are
//! those of the `generated.proto` files of `k8s.io/api` and `k8s.io/apimachinery`. Read are the kinds with few fields which
//! tools write: reviews, Scales, Secrets, ConfigMaps, Events, Leases and the options of a deletion.

use crate::model::Timestamp;
use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};

/// What a field of a message holds.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    Texts,
    Number,
    Flag,
    Time,
    TextMap,
    BytesMap,
    One(Message),
    Many(Message),
}

/// The fields of a message: number, name, what it holds.
type Message = &'static [(u64, &'static str, Holds)];

use Holds::{BytesMap, Flag, Many, Number, One, Text, TextMap, Texts, Time};

const OWNER: Message = &[
    (1, "kind", Text),
    (3, "name", Text),
    (4, "uid", Text),
    (5, "apiVersion", Text),
    (6, "controller", Flag),
    (7, "blockOwnerDeletion", Flag),
];
const METADATA: Holds = One(&[
    (1, "name", Text),
    (2, "generateName", Text),
    (3, "namespace", Text),
    (5, "uid", Text),
    (6, "resourceVersion", Text),
    (8, "creationTimestamp", Time),
    (11, "labels", TextMap),
    (12, "annotations", TextMap),
    (13, "ownerReferences", Many(OWNER)),
    (14, "finalizers", Texts),
]);
const REFERENCE: Message = &[
    (1, "kind", Text),
    (2, "namespace", Text),
    (3, "name", Text),
    (4, "uid", Text),
    (5, "apiVersion", Text),
    (6, "resourceVersion", Text),
    (7, "fieldPath", Text),
];
const ASKED: Message = &[
    (1, "namespace", Text),
    (2, "verb", Text),
    (3, "group", Text),
    (4, "version", Text),
    (5, "resource", Text),
    (6, "subresource", Text),
    (7, "name", Text),
];

/// The message of a kind.
fn message(kind: &str) -> Option<Message> {
    Some(match kind {
        "SelfSubjectReview" => &[(1, "metadata", METADATA)],
        "SelfSubjectRulesReview" => &[(1, "metadata", METADATA), (2, "spec", One(&[(1, "namespace", Text)]))],
        "SelfSubjectAccessReview" => &[
            (1, "metadata", METADATA),
            (
                2,
                "spec",
                One(&[
                    (1, "resourceAttributes", One(ASKED)),
                    (2, "nonResourceAttributes", One(&[(1, "path", Text), (2, "verb", Text)])),
                ]),
            ),
        ],
        "Scale" => &[(1, "metadata", METADATA), (2, "spec", One(&[(1, "replicas", Number)]))],
        "Secret" => &[
            (1, "metadata", METADATA),
            (2, "data", BytesMap),
            (3, "type", Text),
            (4, "stringData", TextMap),
            (5, "immutable", Flag),
        ],
        "ConfigMap" => {
            &[(1, "metadata", METADATA), (2, "data", TextMap), (3, "binaryData", BytesMap), (4, "immutable", Flag)]
        }
        "Event" => &[
            (1, "metadata", METADATA),
            (2, "involvedObject", One(REFERENCE)),
            (3, "reason", Text),
            (4, "message", Text),
            (5, "source", One(&[(1, "component", Text), (2, "host", Text)])),
            (6, "firstTimestamp", Time),
            (7, "lastTimestamp", Time),
            (8, "count", Number),
            (9, "type", Text),
            (10, "eventTime", Time),
            (12, "action", Text),
            (14, "reportingComponent", Text),
            (15, "reportingInstance", Text),
        ],
        "Lease" => &[
            (1, "metadata", METADATA),
            (
                2,
                "spec",
                One(&[
                    (1, "holderIdentity", Text),
                    (2, "leaseDurationSeconds", Number),
                    (3, "acquireTime", Time),
                    (4, "renewTime", Time),
                    (5, "leaseTransitions", Number),
                ]),
            ),
        ],
        "DeleteOptions" => &[
            (1, "gracePeriodSeconds", Number),
            (2, "preconditions", One(&[(1, "uid", Text), (2, "resourceVersion", Text)])),
            (4, "propagationPolicy", Text),
            (5, "dryRun", Texts),
        ],
        _ => return None,
    })
}

/// Reads an object; `None` when it is not protobuf or of a kind that is not read.
pub fn object(body: &[u8]) -> Option<Value> {
    let envelope =
        decode(&[(1, "type", One(&[(1, "apiVersion", Text), (2, "kind", Text)]))], body.strip_prefix(b"k8s\0")?)?;
    let raw = fields(body.strip_prefix(b"k8s\0")?)?;
    let raw = raw.iter().find_map(|(number, field)| field.bytes().filter(|_| *number == 2)).unwrap_or_default();
    let mut object = decode(message(envelope["type"]["kind"].as_str()?)?, raw)?;
    object["kind"] = envelope["type"]["kind"].clone();
    object["apiVersion"] = envelope["type"]["apiVersion"].clone();
    Some(object)
}

fn decode(message: Message, bytes: &[u8]) -> Option<Value> {
    let mut out = Map::new();
    for (number, field) in fields(bytes)? {
        let Some((_, name, holds)) = message.iter().find(|(known, ..)| *known == number) else { continue };
        let value = match (holds, field) {
            // What is empty is not set: these messages have no other way to say so.
            (Text, Raw::Bytes([])) | (Time, Raw::Bytes([])) => continue,
            (Text | Texts, Raw::Bytes(text)) => json!(String::from_utf8_lossy(text)),
            (Number, Raw::Number(number)) => json!(number.cast_signed()),
            (Flag, Raw::Number(number)) => json!(number != 0),
            (Time, Raw::Bytes(bytes)) => time(bytes)?,
            (TextMap | BytesMap, Raw::Bytes(entry)) => {
                let entry = fields(entry)?;
                let part = |wanted: u64| entry.iter().find_map(|(n, field)| field.bytes().filter(|_| *n == wanted));
                let key = String::from_utf8_lossy(part(1).unwrap_or_default()).into_owned();
                let value = part(2).unwrap_or_default();
                let value = match holds {
                    BytesMap => json!(ByteString(value.to_vec())),
                    _ => json!(String::from_utf8_lossy(value)),
                };
                let map = out.entry(*name).or_insert_with(|| json!({}));
                map[key] = value;
                continue;
            }
            (One(message) | Many(message), Raw::Bytes(bytes)) => decode(message, bytes)?,
            _ => return None,
        };
        if let (Texts | Many(_), list) = (holds, out.entry(*name).or_insert_with(|| json!([]))) {
            list.as_array_mut()?.push(value);
        } else {
            out.insert((*name).to_owned(), value);
        }
    }
    Some(Value::Object(out))
}

/// Seconds and nanoseconds since the epoch.
fn time(bytes: &[u8]) -> Option<Value> {
    let parts = fields(bytes)?;
    let part = |wanted: u64| parts.iter().find_map(|(n, field)| field.number().filter(|_| *n == wanted)).unwrap_or(0);
    let nanos = i32::try_from(part(2)).ok()?;
    Some(json!(Timestamp::new(part(1).cast_signed(), nanos).ok()?.to_string()))
}

/// The value of a field as it stands in a message.
#[derive(Clone, Copy)]
enum Raw<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Raw<'a> {
    fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Number(_) => None,
        }
    }

    fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Bytes(_) => None,
        }
    }
}

/// Splits a message into its fields.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Raw<'_>)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let field = match key & 7 {
            0 => Raw::Number(varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let value = Raw::Bytes(bytes.get(..length)?);
                bytes = &bytes[length..];
                value
            }
            _ => return None,
        };
        found.push((key >> 3, field));
    }
    Some(found)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field with a length.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    fn envelope(version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let of = [field(1, version.as_bytes()), field(2, kind.as_bytes())].concat();
        [b"k8s\0".to_vec(), field(1, &of), field(2, raw), field(3, b""), field(4, b"")].concat()
    }

    fn review(kind: &str, spec: &[u8]) -> Value {
        object(&envelope("authorization.k8s.io/v1", kind, &[field(1, &[]), field(2, spec)].concat())).unwrap()
    }

    #[test]
    fn a_question_is_read_with_every_part_of_it() {
        let resource =
            [field(1, b"trackx"), field(2, b"patch"), field(3, b"apps"), field(5, b"deployments"), field(7, b"")];
        assert_eq!(
            review("SelfSubjectAccessReview", &field(1, &resource.concat()))["spec"],
            json!({ "resourceAttributes":
                { "namespace": "trackx", "verb": "patch", "group": "apps", "resource": "deployments" } })
        );
        let rules = review("SelfSubjectRulesReview", &field(1, b"trackx"));
        assert_eq!(
            (&rules["spec"], &rules["apiVersion"]),
            (&json!({ "namespace": "trackx" }), &json!("authorization.k8s.io/v1"))
        );
        let path = [field(1, b"/metrics"), field(2, b"get")].concat();
        let asked = review("SelfSubjectAccessReview", &field(2, &path));
        assert_eq!(asked["spec"]["nonResourceAttributes"], json!({ "path": "/metrics", "verb": "get" }));
    }

    #[test]
    fn objects_that_tools_write_are_read() {
        let owner = [field(1, b"Pod"), field(3, b"p"), vec![6 << 3, 1]].concat();
        let entry = |key: &[u8], value: &[u8]| [field(1, key), field(2, value)].concat();
        let metadata = [
            field(1, b"s"),
            field(5, b""),
            field(8, &[8, 60]),
            field(11, &entry(b"owner", b"helm")),
            field(13, &owner),
            field(14, b"keep"),
        ];
        let raw = [field(1, &metadata.concat()), field(2, &entry(b"release", b"abc")), field(3, b"Opaque")].concat();
        assert_eq!(
            object(&envelope("v1", "Secret", &raw)),
            Some(
                json!({ "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": { "release": "YWJj" }, "metadata": {
                "name": "s", "creationTimestamp": "1970-01-01T00:01:00Z", "labels": { "owner": "helm" }, "finalizers": ["keep"],
                "ownerReferences": [{ "kind": "Pod", "name": "p", "controller": true }] } })
            )
        );
        let scale = object(&envelope("autoscaling/v1", "Scale", &field(2, &[8, 3]))).unwrap();
        assert_eq!(scale["spec"], json!({ "replicas": 3 }));
        let options = [vec![8, 0], field(2, &field(1, b"u")), field(5, b"All")].concat();
        let options = object(&envelope("v1", "DeleteOptions", &options)).unwrap();
        assert_eq!(options["gracePeriodSeconds"], 0);
        assert_eq!((&options["preconditions"], &options["dryRun"]), (&json!({ "uid": "u" }), &json!(["All"])));
    }

    #[test]
    fn what_is_not_read_is_refused_and_never_panics() {
        assert_eq!(object(b"{}"), None);
        assert_eq!(object(&envelope("apps/v1", "Deployment", &[])), None);
        let raw = [field(1, &[field(8, &[8, 60]), field(11, b"")].concat()), field(2, &field(1, b"k"))].concat();
        let whole = envelope("v1", "Secret", &raw);
        assert!(object(&whole).is_some());
        for end in 0..whole.len() {
            drop(object(&whole[..end]));
        }
        assert_eq!(object(b"k8s\0\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), None);
    }
}
