//! The rule of the HTTP layer that a console which only looks cannot change anything.

use futures::future::BoxFuture;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, Method, Request, Uri};
use std::task::{Context, Poll};
use tower::{BoxError, Layer, Service};

/// A tower service and layer that lets reads through and refuses everything else before it leaves the process.
///
/// A GET is not enough to be a read: `exec`, `attach`, `portforward` and `proxy` act through GET as well. Of the proxy
/// paths exactly the query endpoints of a metrics Service pass.
#[derive(Clone, Copy, Debug)]
pub struct ReadOnly<S> {
    inner: S,
}

/// A request that a console which only looks may not send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("send {method} {path}: this client only reads ({why})")]
pub struct Refused {
    /// The method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// Which part of the rule it breaks.
    pub why: &'static str,
}

impl<S> ReadOnly<S> {
    /// Guards a service.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl ReadOnly<()> {
    /// Makes the layer.
    pub fn layer() -> Self {
        Self { inner: () }
    }
}

impl<S> Layer<S> for ReadOnly<()> {
    type Service = ReadOnly<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ReadOnly { inner }
    }
}

impl<S, B> Service<Request<B>> for ReadOnly<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if let Some(why) = refusal(request.method(), request.uri(), request.headers()) {
            let refused = Refused { method: request.method().to_string(), path: request.uri().path().to_owned(), why };
            return Box::pin(async move { Err(BoxError::from(refused)) });
        }
        let answer = self.inner.call(request);
        Box::pin(async move { answer.await.map_err(Into::into) })
    }
}

/// Says which part of the rule a request breaks; `None` lets it through.
fn refusal(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
    if method != Method::GET {
        return Some("only GET is a read");
    }
    if headers.contains_key(UPGRADE) || headers.get(CONNECTION).is_some_and(is_upgrade) {
        return Some("an upgraded connection is not a read");
    }
    let segments: Vec<&str> = uri.path().trim_start_matches('/').split('/').collect();
    let odd = |s: &&str| s.is_empty() || *s == "." || *s == ".." || s.contains('%') || s.contains('\\');
    if segments.iter().any(odd) {
        // No name of an object needs an escape, and an escaped slash would hide a subresource from this check.
        return Some("the path is not in its plain form");
    }
    let resource = match segments.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
        _ => return None,
    };
    if let ["namespaces", _, "services", service, "proxy", "api", "v1", "query" | "query_range"] = resource
        && segments.starts_with(&["api", "v1"])
        && service.split(':').count() == 3
    {
        return None;
    }
    // The API server's old forms put the verb in front of the resource.
    let resource = match resource {
        ["watch", rest @ ..] => rest,
        other => other,
    };
    let within = match resource {
        ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
        other => other,
    };
    let acts = |s: &str| matches!(s, "exec" | "attach" | "portforward" | "proxy");
    match within {
        ["proxy", ..] => Some("a proxied path is not a read"),
        [_, _, subresource, ..] if acts(subresource) => Some("this subresource acts through GET"),
        _ => None,
    }
}

fn is_upgrade(value: &http::HeaderValue) -> bool {
    value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("upgrade"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(method: &str, path: &str) -> bool {
        let uri: Uri = path.parse().unwrap();
        refusal(&method.parse().unwrap(), &uri, &HeaderMap::new()).is_none()
    }

    #[test]
    fn only_get_gets_through() {
        let path = "/apis/gateway.networking.k8s.io/v1/namespaces/x/httproutes/r";
        assert!(verdict("GET", path));
        for method in ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE", "QUERY"] {
            assert!(!verdict(method, path), "{method}");
        }
        assert!(!verdict("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"));
    }

    #[test]
    fn of_the_paths_that_act_through_get_exactly_the_metrics_query_passes() {
        let ns = "/api/v1/namespaces/monitoring";
        let passes = [
            "/version",
            "/api/v1/namespaces/x/pods?watch=true&resourceVersion=7",
            "/api/v1/namespaces/proxy/pods",
            "/api/v1/namespaces/x/services/proxy",
            "/apis/apps/v1/namespaces/x/deployments/exec",
            "/api/v1/namespaces/x/pods/p/log",
            "/apis/pilothouse.dev/v1alpha1/namespaces/x/releases/proxy/status",
            &format!("{ns}/services/http:prometheus:9090/proxy/api/v1/query?query=up"),
            &format!("{ns}/services/https:prometheus:web/proxy/api/v1/query_range?query=up"),
        ];
        for path in passes {
            assert!(verdict("GET", path), "{path}");
        }
        let refused = [
            "/api/v1/namespaces/x/pods/p/exec?command=sh",
            "/api/v1/namespaces/x/pods/p/attach",
            "/api/v1/namespaces/x/pods/p/portforward",
            "/api/v1/namespaces/x/pods/p/proxy",
            "/api/v1/namespaces/x/pods/p/proxy/api/v1/query",
            "/api/v1/nodes/n/proxy/metrics",
            "/api/v1/proxy/namespaces/x/services/s",
            "/api/v1/watch/namespaces/x/pods/p/exec",
            "/api/v1/namespaces/x/pods/p%2Fexec",
            "/api/v1/namespaces/x/pods/p/%65xec",
            "/api/v1/namespaces/x/pods/y/../p/exec",
            "/api/v1/namespaces/x//pods/p/exec",
            "/apis/apps/v1/namespaces/x/services/http:s:1/proxy/api/v1/query",
            &format!("{ns}/services/prometheus:9090/proxy/api/v1/query"),
            &format!("{ns}/services/http:prometheus:9090/proxy/api/v1/query/x"),
            &format!("{ns}/services/http:prometheus:9090/proxy/api/v1/series"),
            &format!("{ns}/services/http:prometheus:9090/proxy/api/v1/query_ranges"),
            &format!("{ns}/services/http:prometheus:9090/proxy/-/quit"),
            &format!("{ns}/services/http:prometheus:9090/proxy"),
            &format!("{ns}/services/http:prometheus:9090/proxy/api/v1/query/../admin/tsdb/delete_series"),
        ];
        for path in refused {
            assert!(!verdict("GET", path), "{path}");
        }
    }

    #[test]
    fn an_upgraded_get_is_no_read() {
        let uri: Uri = "/api/v1/namespaces/x/pods/p".parse().unwrap();
        for (name, value) in [("upgrade", "websocket"), ("connection", "keep-alive, Upgrade")] {
            let headers: HeaderMap = [(name.parse().unwrap(), value.parse().unwrap())].into_iter().collect();
            assert!(refusal(&Method::GET, &uri, &headers).is_some(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_refused_request_never_reaches_the_server() {
        let reached = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let seen = reached.clone();
        let inner = tower::service_fn(move |_: Request<kube::client::Body>| {
            seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            async { Ok::<_, BoxError>(http::Response::new(kube::client::Body::empty())) }
        });
        let client = super::super::ReadClient::from_client(kube::Client::new(inner, "x"), "x").client();
        let request = |method: &str| {
            Request::builder().method(method).uri("/api/v1/namespaces/x/pods/p").body(kube::client::Body::empty())
        };
        assert!(client.send(request("GET").unwrap()).await.is_ok());
        let refused = client.send(request("DELETE").unwrap()).await.unwrap_err();
        assert!(refused.to_string().contains("this client only reads"), "{refused}");
        assert_eq!(reached.load(std::sync::atomic::Ordering::SeqCst), 1);
    }
}
