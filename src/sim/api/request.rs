//! Reads what a request addresses: `/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME/SUB`.

use super::resources::{self, Resource};
use std::collections::BTreeMap;

/// What a path addresses.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// Objects of a resource.
    Objects(Address),
    /// A review of oneself: its group and plural.
    Review(String, String),
    /// The proxy of a Service.
    Proxy {
        /// The Service's namespace.
        namespace: String,
        /// The Service as `scheme:name:port`; scheme and port may be missing.
        service: String,
        /// The path behind it, with a leading slash.
        path: String,
    },
}

/// Objects of a resource, or one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    /// The resource.
    pub resource: &'static Resource,
    /// The namespace; empty for all of them or for cluster-wide resources.
    pub namespace: String,
    /// The name; empty for the collection.
    pub name: String,
    /// The subresource; empty for the object itself.
    pub sub: String,
}

/// Query parameters.
#[derive(Clone, Debug, Default)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads the query of a URI; the last of several equal names counts.
    pub fn parse(uri: &http::Uri) -> Self {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        Self(pairs.map(|pairs| pairs.0.into_iter().collect()).unwrap_or_default())
    }

    /// Returns a parameter that is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// Tells whether a parameter is set to true.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some("true" | "1"))
    }
}

/// Finds out what a path addresses.
pub fn locate(path: &str) -> Option<Place> {
    let parts: Vec<String> = path.split('/').filter(|p| !p.is_empty()).map(decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    match rest {
        [plural] if version == "v1" && super::access::is_review(group, plural) => {
            Some(Place::Review(group.to_owned(), (*plural).to_owned()))
        }
        ["namespaces", namespace, "services", service, "proxy", behind @ ..] if group.is_empty() => {
            Some(Place::Proxy {
                namespace: (*namespace).to_owned(),
                service: (*service).to_owned(),
                path: format!("/{}", behind.join("/")),
            })
        }
        ["namespaces", name, "status"] if group.is_empty() => {
            address(group, version, "", &["namespaces", name, "status"])
        }
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => address(group, version, namespace, rest),
        rest => address(group, version, "", rest),
    }
}

fn address(group: &str, version: &str, namespace: &str, rest: &[&str]) -> Option<Place> {
    let (plural, name, sub) = match rest {
        [plural] => (*plural, "", ""),
        [plural, name] => (*plural, *name, ""),
        [plural, name, sub] => (*plural, *name, *sub),
        _ => return None,
    };
    let resource = resources::find(group, version, plural)?;
    let fits = match (resource.namespaced, namespace.is_empty()) {
        (true, true) => name.is_empty(),
        (true, false) | (false, true) => true,
        (false, false) => false,
    };
    let known = sub.is_empty() || resource.has(sub);
    (fits && known).then(|| {
        Place::Objects(Address {
            resource,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            sub: sub.to_owned(),
        })
    })
}

/// Undoes percent-encoding; what is not valid stays as it is.
fn decode(part: &str) -> String {
    let bytes = part.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let code = part.get(i + 1..i + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[i], code) {
            (b'%', Some(code)) => {
                out.push(code);
                i += 3;
            }
            (byte, _) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Option<(&'static str, String, String, String)> {
        match locate(path)? {
            Place::Objects(a) => Some((a.resource.plural, a.namespace, a.name, a.sub)),
            _ => None,
        }
    }

    #[test]
    fn every_form_of_a_path_is_understood() {
        let case = |path: &str, plural, namespace: &str, name: &str, sub: &str| {
            assert_eq!(found(path), Some((plural, namespace.into(), name.into(), sub.into())), "{path}");
        };
        case("/api/v1/pods", "pods", "", "", "");
        case("/api/v1/namespaces/n/pods/p/status", "pods", "n", "p", "status");
        case("/api/v1/namespaces", "namespaces", "", "", "");
        case("/api/v1/namespaces/n", "namespaces", "", "n", "");
        case("/api/v1/namespaces/n/status", "namespaces", "", "n", "status");
        case("/apis/pilothouse.dev/v1alpha1/namespaces/n/releases/r/status", "releases", "n", "r", "status");
        case("/apis/gateway.networking.k8s.io/v1/gatewayclasses/c", "gatewayclasses", "", "c", "");
        assert_eq!(found("/api/v1/namespaces/n/pods/p/exec"), None);
        assert_eq!(found("/api/v1/pods/p"), None);
        assert_eq!(found("/apis/apps/v2/deployments"), None);
    }

    #[test]
    fn the_proxy_of_a_service_is_found_with_its_encoded_name() {
        let path = "/api/v1/namespaces/monitoring/services/http%3Aprometheus:9090/proxy/api/v1/query";
        let Some(Place::Proxy { service, path, .. }) = locate(path) else { panic!("no proxy") };
        assert_eq!((service.as_str(), path.as_str()), ("http:prometheus:9090", "/api/v1/query"));
    }
}
