//! One request to the API server and what its answer says, before anybody interprets it.

use super::prune;
use crate::model::{Rejection, ResourceKind, Timestamp};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::{AuthError, Body};
use serde_json::Value;
use std::error::Error;
use std::time::Duration;

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The server's time, from the `Date` header.
    pub date: Option<Timestamp>,
}

/// Why a read has no answer.
#[derive(Debug)]
pub(super) struct Fault {
    /// The HTTP status code, when there was an answer at all.
    pub status: Option<u16>,
    /// What happened and what to do.
    pub why: String,
}

/// Sends one request and collects its answer; both together take at most `deadline`.
///
/// # Errors
/// Says why no complete answer came: the request may have been carried out all the same.
pub(super) async fn call(client: &Client, request: Request<Vec<u8>>, deadline: Duration) -> Result<Answer, String> {
    let exchange = async {
        let response = client.send(request.map(Body::from)).await.map_err(|e| reason(&e))?;
        collect(response).await
    };
    match tokio::time::timeout(deadline, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {}", crate::model::Span(deadline))),
    }
}

/// Collects the body of a response.
pub(super) async fn collect(response: Response<Body>) -> Result<Answer, String> {
    let (status, date) = (response.status().as_u16(), date(&response));
    match response.into_body().collect().await {
        Ok(body) => Ok(Answer { status, body: body.to_bytes().into(), date }),
        Err(e) => Err(format!("the answer ({status}) broke off: {}", reason(&e))),
    }
}

/// Builds a request; the parts of it are ours, so it is always well-formed.
pub(super) fn request(
    method: Method,
    path: &str,
    content_type: &str,
    body: Vec<u8>,
) -> Result<Request<Vec<u8>>, String> {
    let mut builder = Request::builder().method(method).uri(path).header(http::header::ACCEPT, "application/json");
    if !body.is_empty() {
        builder = builder.header(http::header::CONTENT_TYPE, content_type);
    }
    builder.body(body).map_err(|e| format!("no request can be made of {path:?}: {e}"))
}

/// Returns the path of a kind in a namespace, of one object when it is named, of its subresource when that is.
pub(super) fn path(namespace: &str, kind: ResourceKind, name: Option<&str>, subresource: Option<&str>) -> String {
    let (group, version, plural) = kind.path();
    let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    let mut path = format!("{root}/namespaces/{}/{plural}", encode(namespace));
    for part in [name, subresource].into_iter().flatten() {
        path.push('/');
        path.push_str(&encode(part));
    }
    path
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Reads the `Date` header.
pub(super) fn date<B>(response: &Response<B>) -> Option<Timestamp> {
    let text = response.headers().get(http::header::DATE)?.to_str().ok()?;
    // An HTTP date is an RFC 2822 date whose zone is written GMT.
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

impl Answer {
    /// Reads the body as JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Reads the body as JSON without these parts.
    pub fn json_without(&self, parts: &[prune::Path]) -> Option<Value> {
        prune::parse(&self.body, parts).ok()
    }

    /// Tells whether the server carried the request out.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Reads a refusal; an answer that is no Status object (a proxy's page) is quoted in its beginning.
    pub fn rejection(&self) -> Rejection {
        let body = self.json().unwrap_or_default();
        if body["kind"] != "Status" {
            let quoted: String = String::from_utf8_lossy(&self.body).trim().chars().take(200).collect();
            return Rejection { code: self.status, reason: self.phrase(), message: quoted, causes: Vec::new() };
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let causes = body["details"]["causes"].as_array().into_iter().flatten();
        Rejection {
            code: self.status,
            reason: body["reason"].as_str().filter(|r| !r.is_empty()).map_or_else(|| self.phrase(), str::to_owned),
            message: text(&body["message"]),
            causes: causes
                .map(|c| {
                    let message = c["message"].as_str().or(c["reason"].as_str()).unwrap_or_default();
                    match c["field"].as_str() {
                        Some(field) if !field.is_empty() => format!("{field}: {message}"),
                        _ => message.to_owned(),
                    }
                })
                .collect(),
        }
    }

    /// Returns the standard phrase of the status code; some Status objects give no reason of their own.
    fn phrase(&self) -> String {
        let status = http::StatusCode::from_u16(self.status).ok();
        status.and_then(|s| s.canonical_reason()).unwrap_or("Unknown").to_owned()
    }

    /// Tells whether the answer is a Status object that says "no such object", as opposed to "no such path".
    pub fn is_missing_object(&self) -> bool {
        self.status == 404 && self.json().is_some_and(|body| body["kind"] == "Status")
    }

    /// Says why a read of a kind was refused, and what to do.
    pub fn fault(&self, namespace: &str, kind: ResourceKind) -> Fault {
        let (_, _, plural) = kind.path();
        let told = self.rejection();
        let why = match self.status {
            401 => format!("the API server does not accept our credentials ({told}): {}", crate::core::LOG_IN),
            403 => format!(
                "may not read {plural} in namespace {namespace} ({}): ask for the viewer role that `pilothouse manifests` prints",
                told.message
            ),
            404 => format!(
                "the API server does not serve {} ({}): install its CRD, see `pilothouse manifests`",
                kind.name(),
                kind.api_version()
            ),
            _ => format!("the API server refused to list {plural}: {told}"),
        };
        Fault { status: Some(self.status), why }
    }
}

/// Says why a call failed, through all causes, without repeating one and without anything a login command printed to
/// its standard output.
pub(super) fn reason(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(current) = next {
        let text = match current.downcast_ref::<AuthError>() {
            Some(AuthError::AuthExecRun { out, .. }) => {
                let said = String::from_utf8_lossy(&out.stderr);
                let line = said.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("it printed nothing");
                let line: String = line.chars().take(200).collect();
                texts.push(format!("the kubeconfig's login command ended with {}: {line}: log in again", out.status));
                break;
            }
            _ => current.to_string(),
        };
        // From here on there is only the HTTP library, in its own words.
        if text.starts_with("client error (") {
            texts.push(innermost(current));
            break;
        }
        // Most errors print their cause as well; then the cause says it all.
        let source = current.source();
        let repeats = source.is_some_and(|cause| text.ends_with(&cause.to_string()));
        let wrapped = source.is_some_and(|cause| cause.is::<AuthError>());
        if !repeats && !wrapped && texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
        next = source;
    }
    texts.join(": ")
}

/// Writes the cause that all the others only wrap, without the number that the system has for it.
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    let text = last.to_string();
    match text.rsplit_once(" (os error ") {
        Some((said, _)) => said.to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_is_not_there_is_said_in_two_words() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = kube::Config::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
        drop(listener);
        let client = kube::Client::try_from(config).unwrap();
        let asked = request(Method::GET, "/version", "", Vec::new()).unwrap();
        let why = call(&client, asked, Duration::from_secs(5)).await.err().unwrap();
        assert_eq!(why, "connection refused");
    }

    #[test]
    fn paths_name_the_group_the_namespace_and_the_subresource() {
        let of = |kind, name, sub| path("shop", kind, name, sub);
        assert_eq!(of(ResourceKind::Pod, None, None), "/api/v1/namespaces/shop/pods");
        assert_eq!(
            of(ResourceKind::Release, Some("r"), Some("status")),
            "/apis/pilothouse.dev/v1alpha1/namespaces/shop/releases/r/status"
        );
        assert_eq!(of(ResourceKind::Pod, Some("../a b"), None), "/api/v1/namespaces/shop/pods/..%2Fa%20b");
    }

    #[test]
    fn the_date_header_is_read_as_the_servers_time() {
        let response = Response::builder().header("date", "Tue, 24 Nov 2026 23:35:21 GMT").body(()).unwrap();
        assert_eq!(date(&response), Some("2026-11-24T23:35:21Z".parse().unwrap()));
        assert_eq!(date(&Response::builder().header("date", "yesterday").body(()).unwrap()), None);
    }

    #[test]
    fn a_failed_login_command_is_explained_without_its_output() {
        use std::os::unix::process::ExitStatusExt;
        let out = std::process::Output {
            status: std::process::ExitStatus::from_raw(256),
            stdout: b"token=SECRET".to_vec(),
            stderr: b"\nAADSTS70043: expired\nmore".to_vec(),
        };
        let error = kube::Error::Auth(AuthError::AuthExecRun { cmd: "kubelogin SECRET".into(), out: Box::new(out) });
        assert_eq!(
            reason(&error),
            "the kubeconfig's login command ended with exit status: 1: AADSTS70043: expired: log in again"
        );
    }
}
