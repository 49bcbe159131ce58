//! Label and field selectors.

use super::failure::Failure;
use super::resources::Resource;
use serde_json::Value;

/// What a list or a watch is limited to.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The namespace; `None` means all of them.
    pub namespace: Option<String>,
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
}

impl Selection {
    /// Reads the selectors of a request.
    ///
    /// # Errors
    /// 400 when a selector cannot be read or names a field this resource does not offer.
    pub fn parse(
        resource: &Resource,
        namespace: Option<&str>,
        labels: Option<&str>,
        fields: Option<&str>,
    ) -> Result<Self, Failure> {
        let unreadable = |what: &str| Failure::bad_request(format!("unable to parse requirement: {what}"));
        let labels = parse(labels.unwrap_or_default()).map_err(|what| unreadable(&what))?;
        let fields = parse(fields.unwrap_or_default()).map_err(|what| unreadable(&what))?;
        for Requirement { key, .. } in &fields {
            let always = key == "metadata.name" || (resource.namespaced && key == "metadata.namespace");
            let own = match resource.plural {
                "pods" => key.starts_with("spec.") || key.starts_with("status."),
                "events" => key.starts_with("involvedObject.") || ["reason", "type"].contains(&key.as_str()),
                _ => false,
            };
            if !always && !own {
                return Err(Failure::bad_request(format!("field label not supported: {key}")));
            }
        }
        Ok(Self { namespace: namespace.map(str::to_owned), labels, fields })
    }

    /// Selects everything with these labels in a namespace.
    pub fn labelled(namespace: &str, labels: &Value) -> Self {
        let labels = labels.as_object().into_iter().flatten().filter_map(|(key, value)| {
            Some(Requirement { key: key.clone(), test: Test::In(vec![value.as_str()?.to_owned()]) })
        });
        Self { namespace: Some(namespace.to_owned()), labels: labels.collect(), fields: Vec::new() }
    }

    /// Tells whether no selector leaves anything out.
    pub fn is_whole(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Tells whether the object is selected.
    pub fn takes(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        if self.namespace.as_deref().is_some_and(|ns| metadata["namespace"] != ns) {
            return false;
        }
        let label = |key: &str| metadata["labels"].get(key).and_then(Value::as_str);
        // A field that is not set compares as the empty string.
        let field = |key: &str| Some(key.split('.').fold(object, |v, part| &v[part]).as_str().unwrap_or_default());
        self.labels.iter().all(|r| r.test.holds(label(&r.key)))
            && self.fields.iter().all(|r| r.test.holds(field(&r.key)))
    }
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        match (self, value) {
            (Self::In(allowed), Some(value)) => allowed.iter().any(|a| a == value),
            (Self::In(_), None) | (Self::Missing, Some(_)) | (Self::Exists, None) => false,
            (Self::NotIn(denied), Some(value)) => denied.iter().all(|d| d != value),
            (Self::NotIn(_) | Self::Missing, None) | (Self::Exists, Some(_)) => true,
        }
    }
}

fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    pieces(text).into_iter().map(requirement).collect()
}

/// Splits at the commas that are not inside parentheses.
fn pieces(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut out) = (0usize, 0, Vec::new());
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                out.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    out.push(&text[start..]);
    out.into_iter().map(str::trim).filter(|p| !p.is_empty()).collect()
}

fn requirement(piece: &str) -> Result<Requirement, String> {
    let one = |key: &str, test: Test| Ok(Requirement { key: key.trim().to_owned(), test });
    if let Some((key, value)) = piece.split_once("!=") {
        return one(key, Test::NotIn(vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = piece.split_once("==").or_else(|| piece.split_once('=')) {
        return one(key, Test::In(vec![value.trim().to_owned()]));
    }
    if let Some((head, tail)) = piece.split_once('(') {
        let values: Vec<String> =
            tail.trim_end().trim_end_matches(')').split(',').map(|v| v.trim().to_owned()).collect();
        let words: Vec<&str> = head.split_whitespace().collect();
        return match words.as_slice() {
            [key, "in"] => one(key, Test::In(values)),
            [key, "notin"] => one(key, Test::NotIn(values)),
            _ => Err(piece.to_owned()),
        };
    }
    if piece.contains(char::is_whitespace) {
        return Err(piece.to_owned());
    }
    match piece.strip_prefix('!') {
        Some(key) => one(key, Test::Missing),
        None => one(piece, Test::Exists),
    }
}

#[cfg(test)]
mod tests {
    use super::super::resources::{PODS, ROUTES};
    use super::*;
    use serde_json::json;

    fn takes(labels: &str, fields: &str) -> bool {
        let pod = json!({"metadata": {"name": "p", "namespace": "n", "labels": {"a": "1", "b": "2"}},
            "spec": {"nodeName": "x"}});
        Selection::parse(&PODS, None, Some(labels), Some(fields)).unwrap().takes(&pod)
    }

    #[test]
    fn every_form_of_a_label_selector_is_understood() {
        for (selector, expected) in [
            ("", true),
            ("a=1", true),
            ("a==1,b=2", true),
            ("a=1,b=3", false),
            ("a!=2,c!=9", true),
            ("a in (0, 1),b", true),
            ("a notin (1)", false),
            ("c notin (1),!c", true),
            ("!a", false),
        ] {
            assert_eq!(takes(selector, ""), expected, "{selector}");
        }
    }

    #[test]
    fn fields_select_by_name_and_unknown_fields_are_refused() {
        assert!(takes("", "metadata.name=p,spec.nodeName=x"));
        assert!(!takes("", "metadata.name=q"));
        let refused = Selection::parse(&ROUTES, None, None, Some("spec.x=1")).unwrap_err();
        assert_eq!((refused.code, refused.message.as_str()), (400, "field label not supported: spec.x"));
        assert!(Selection::parse(&ROUTES, None, Some("a b"), None).is_err());
    }
}
