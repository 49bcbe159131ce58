//! The protobuf that kubectl sends where it could send JSON: reviews of oneself, which have few fields.
//!
//! The envelope is the bytes `k8s\0`, then a message with the object in field 2; field numbers are those of
//! `k8s.io/api/authorization/v1/generated.proto` and `authentication/v1/generated.proto`.

use serde_json::{Map, Value, json};

/// Reads a review by the name of its resource; `None` when it is not protobuf.
pub fn review(plural: &str, body: &[u8]) -> Option<Value> {
    let envelope = fields(body.strip_prefix(b"k8s\0")?)?;
    let raw = fields(member(&envelope, 2).unwrap_or_default())?;
    // Field 1 is the metadata; a SelfSubjectReview has no spec.
    let spec = fields(member(&raw, 2).unwrap_or_default())?;
    let mut review = json!({ "spec": {} });
    if plural == "selfsubjectrulesreviews" {
        review["spec"] = Value::Object(texts(&spec, &["namespace"]));
        return Some(review);
    }
    if let Some(resource) = member(&spec, 1) {
        let names = ["namespace", "verb", "group", "version", "resource", "subresource", "name"];
        review["spec"]["resourceAttributes"] = Value::Object(texts(&fields(resource)?, &names));
    }
    if let Some(path) = member(&spec, 2) {
        review["spec"]["nonResourceAttributes"] = Value::Object(texts(&fields(path)?, &["path", "verb"]));
    }
    Some(review)
}

/// A field of a message that has a length: its number and bytes.
type Field<'a> = (u64, &'a [u8]);

/// Splits a message into the fields that have a length; numbers are skipped.
fn fields(mut bytes: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        match key & 7 {
            0 => drop(varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                found.push((key >> 3, bytes.get(..length)?));
                bytes = &bytes[length..];
            }
            _ => return None,
        }
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

fn member<'a>(fields: &[Field<'a>], number: u64) -> Option<&'a [u8]> {
    fields.iter().rev().find(|(n, _)| *n == number).map(|(_, bytes)| *bytes)
}

fn texts(fields: &[Field<'_>], names: &[&str]) -> Map<String, Value> {
    (1..)
        .zip(names)
        .filter_map(|(number, name)| {
            Some(((*name).to_owned(), json!(String::from_utf8_lossy(member(fields, number)?))))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field with a length.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    fn envelope(spec: &[u8]) -> Vec<u8> {
        let raw = [field(1, &[]), field(2, spec)].concat();
        [b"k8s\0".to_vec(), field(1, &field(2, b"Kind")), field(2, &raw), field(3, b"")].concat()
    }

    #[test]
    fn a_question_is_read_with_every_part_of_it() {
        let resource = [field(1, b"trackx"), field(2, b"patch"), field(3, b"apps"), field(5, b"deployments")].concat();
        assert_eq!(
            review("selfsubjectaccessreviews", &envelope(&field(1, &resource))),
            Some(json!({ "spec": { "resourceAttributes":
                { "namespace": "trackx", "verb": "patch", "group": "apps", "resource": "deployments" } } }))
        );
        assert_eq!(
            review("selfsubjectrulesreviews", &envelope(&field(1, b"trackx"))),
            Some(json!({ "spec": { "namespace": "trackx" } }))
        );
        let path = [field(1, b"/metrics"), field(2, b"get")].concat();
        let asked = review("selfsubjectaccessreviews", &envelope(&field(2, &path))).unwrap();
        assert_eq!(asked["spec"]["nonResourceAttributes"], json!({ "path": "/metrics", "verb": "get" }));
    }

    #[test]
    fn what_is_no_protobuf_is_refused_and_never_panics() {
        assert_eq!(review("selfsubjectreviews", b"{}"), None);
        let whole = envelope(&field(1, &field(2, b"patch")));
        assert!(review("selfsubjectaccessreviews", &whole).is_some());
        for end in 0..whole.len() {
            drop(review("selfsubjectaccessreviews", &whole[..end]));
        }
        assert_eq!(review("selfsubjectaccessreviews", b"k8s\0\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), None);
    }
}
