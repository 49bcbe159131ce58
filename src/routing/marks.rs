//! The marks pilothouse leaves on other objects: fence, undo, release, labels.

use super::backend::{SlotRefs, rules_of, slot_refs};
pub use crate::model::{BASE_LABEL, SLOT_LABEL, VERSION_LABEL};
use crate::model::{Component, Finding, Slot, annotation, label_of, name_of};
use serde_json::{Value, json};

/// The annotation with the fence, a decimal number that grows with every write of ours.
pub const FENCE: &str = "pilothouse.dev/fence";
/// The annotation that says how a route is brought back to the old version.
pub const UNDO: &str = "pilothouse.dev/undo";
/// The annotation of a managed route with the uid of its release.
pub const RELEASE: &str = "pilothouse.dev/release";
/// The label that names the tool an object belongs to.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY_LABEL`] on managed routes.
pub const MANAGED_BY: &str = "pilothouse";

/// How a route is brought back: the value of the annotation [`UNDO`], the same on the base and on every managed route.
///
/// It holds no rule index and no hash, so that it survives other people's edits, and it is all that a rollback needs
/// when everything else is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    /// In every rule that holds both backends the old one gets all requests, the new one none.
    Live {
        /// The release's name.
        release: String,
        /// The release's uid.
        uid: String,
        /// The backend that served when the release started.
        old: Backend,
        /// The backend of the version being released.
        new: Backend,
    },
    /// The old version is scaled down, or about to be: nothing may be routed there.
    Retired {
        /// The version that would have to be started again.
        version: String,
        /// The backend of that version and the one that serves instead, for who overrides the mark; `None` in marks
        /// without them.
        backends: Option<(Backend, Backend)>,
    },
}

/// A Service and its port, as a backend of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The Service's name.
    pub name: String,
    /// The port; where rules use several, that of the first rule. Rules are recognised by name alone.
    pub port: u16,
}

impl Undo {
    /// Makes the undo of a release from the first slot rule of its base route.
    ///
    /// # Errors
    /// Refuses a base in which no rule holds both backends with their ports.
    pub fn live(base: &Value, component: &Component, old: Slot, release: &str, uid: &str) -> Result<Self, Finding> {
        let missing = || {
            Finding::refuse(
                "route.no-slot-rule",
                format!(
                    "no rule of HTTPRoute {} holds both {} and {} as backends with a port: add the missing backendRef with weight 0",
                    name_of(base),
                    component.a.service,
                    component.b.service
                ),
            )
        };
        let (rule, refs) = rules_of(base)
            .iter()
            .find_map(|rule| match slot_refs(base, rule, component) {
                SlotRefs::Both { a, b } => Some((rule, if old == Slot::A { (a, b) } else { (b, a) })),
                _ => None,
            })
            .ok_or_else(missing)?;
        let backend = |index: usize, slot: Slot| {
            let port = rule["backendRefs"][index]["port"].as_u64().and_then(|p| u16::try_from(p).ok());
            Some(Backend { name: component.pair(slot).service.clone(), port: port? })
        };
        match (backend(refs.0, old), backend(refs.1, old.other())) {
            (Some(old), Some(new)) => Ok(Self::Live { release: release.to_owned(), uid: uid.to_owned(), old, new }),
            _ => Err(missing()),
        }
    }

    /// Makes the mark of a route whose old version is about to be scaled down; `live` is the route's mark before.
    pub fn retired(version: &str, live: Option<&Self>) -> Self {
        let backends = match live {
            Some(Self::Live { old, new, .. }) => Some((old.clone(), new.clone())),
            Some(Self::Retired { backends, .. }) => backends.clone(),
            None => None,
        };
        Self::Retired { version: version.to_owned(), backends }
    }

    /// Reads the undo of a route; `None` when it carries none.
    ///
    /// The inner error says why a value that is there cannot be understood: such a route must not be written.
    pub fn parse(route: &Value) -> Option<Result<Self, String>> {
        annotation(route, UNDO).map(|text| {
            read(text).ok_or_else(|| {
                format!("annotation {UNDO} of HTTPRoute {} has a form this version does not know", name_of(route))
            })
        })
    }

    /// Returns the annotation's value; equal undos give equal bytes.
    pub fn text(&self) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        let backend = |b: &Backend| format!(r#"{{"name":{},"port":{}}}"#, quoted(&b.name), b.port);
        match self {
            Self::Live { release, uid, old, new } => format!(
                r#"{{"v":1,"release":{},"uid":{},"old":{},"new":{}}}"#,
                quoted(release),
                quoted(uid),
                backend(old),
                backend(new)
            ),
            Self::Retired { version, backends: Some((old, new)) } => {
                format!(r#"{{"v":1,"retired":{},"old":{},"new":{}}}"#, quoted(version), backend(old), backend(new))
            }
            Self::Retired { version, backends: None } => format!(r#"{{"v":1,"retired":{}}}"#, quoted(version)),
        }
    }
}

/// Reads an object's fence; `None` when it has none, or one that is no number.
pub fn fence_of(object: &Value) -> Option<u64> {
    annotation(object, FENCE)?.parse().ok()
}

/// Returns the base route a managed route belongs to; `None` when the route is not managed by pilothouse.
pub fn base_of(route: &Value) -> Option<&str> {
    if label_of(route, MANAGED_BY_LABEL) != Some(MANAGED_BY) {
        return None;
    }
    label_of(route, BASE_LABEL)
}

/// Returns the labels of the managed routes of a base route.
pub fn managed_labels(base: &str) -> Value {
    json!({MANAGED_BY_LABEL: MANAGED_BY, BASE_LABEL: base})
}

/// Returns the label selector that finds the managed routes of a base route.
pub fn managed_selector(base: &str) -> String {
    format!("{MANAGED_BY_LABEL}={MANAGED_BY},{BASE_LABEL}={base}")
}

fn read(text: &str) -> Option<Undo> {
    let value: Value = serde_json::from_str(text).ok()?;
    if value["v"].as_u64() != Some(1) {
        return None;
    }
    let backend = |key: &str| {
        Some(Backend {
            name: value[key]["name"].as_str().filter(|name| !name.is_empty())?.to_owned(),
            port: u16::try_from(value[key]["port"].as_u64()?).ok()?,
        })
    };
    if let Some(version) = value["retired"].as_str() {
        return Some(Undo::Retired { version: version.to_owned(), backends: backend("old").zip(backend("new")) });
    }
    Some(Undo::Live {
        release: value["release"].as_str()?.to_owned(),
        uid: value["uid"].as_str()?.to_owned(),
        old: backend("old")?,
        new: backend("new")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{base, component, rule};
    use super::*;

    fn carrying(text: &str) -> Value {
        json!({"metadata": {"name": "trackx", "annotations": {UNDO: text}}})
    }

    #[test]
    fn an_undo_is_written_in_one_form_and_read_back() {
        let route = base(&[rule(&["/"])]);
        let live = Undo::live(&route, &component(), Slot::B, "trackx-4-12-0", "u-1").unwrap();
        let text = r#"{"v":1,"release":"trackx-4-12-0","uid":"u-1","old":{"name":"trackx-b","port":8080},"new":{"name":"trackx","port":8080}}"#;
        assert_eq!(live.text(), text);
        assert_eq!(Undo::parse(&carrying(text)), Some(Ok(live.clone())));
        let retired = Undo::retired("4.\"11", None);
        assert_eq!(retired.text(), r#"{"v":1,"retired":"4.\"11"}"#);
        assert_eq!(Undo::parse(&carrying(&retired.text())), Some(Ok(retired)));
        let retired = Undo::retired("4", Some(&live));
        let text = r#"{"v":1,"retired":"4","old":{"name":"trackx-b","port":8080},"new":{"name":"trackx","port":8080}}"#;
        assert_eq!(retired.text(), text);
        assert_eq!(Undo::parse(&carrying(text)), Some(Ok(retired.clone())));
        assert_eq!(Undo::retired("4", Some(&retired)), retired);
    }

    #[test]
    fn an_undo_of_an_unknown_form_is_an_error_and_not_an_absence() {
        for bad in ["", "{}", r#"{"v":2,"retired":"1"}"#, r#"{"v":1,"release":"r","uid":"u","old":{"name":"a"}}"#] {
            assert!(matches!(Undo::parse(&carrying(bad)), Some(Err(_))), "{bad}");
        }
        assert_eq!(Undo::parse(&json!({"metadata": {"name": "x"}})), None);
    }

    #[test]
    fn a_fence_is_a_decimal_number_and_nothing_else() {
        let fenced = |text: &str| fence_of(&json!({"metadata": {"annotations": {FENCE: text}}}));
        assert_eq!(fenced("7"), Some(7));
        assert_eq!(fenced("7a"), None);
        assert_eq!(fence_of(&json!({"metadata": {}})), None);
    }

    #[test]
    fn a_route_is_managed_only_with_both_labels() {
        let route = json!({"metadata": {"labels": {MANAGED_BY_LABEL: "pilothouse", BASE_LABEL: "trackx"}}});
        assert_eq!(base_of(&route), Some("trackx"));
        assert_eq!(base_of(&json!({"metadata": {"labels": {BASE_LABEL: "trackx"}}})), None);
        assert_eq!(managed_selector("trackx"), "app.kubernetes.io/managed-by=pilothouse,pilothouse.dev/base=trackx");
    }
}
