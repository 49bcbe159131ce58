//! A server for the tests of this layer: a function from request to answer, in the process.

use http::{Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use std::sync::{Arc, Mutex};

/// A request, as the server saw it.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorded {
    pub method: String,
    pub path: String,
    pub content_type: String,
    pub body: String,
}

/// A client of a server that answers by a function.
pub(super) fn route(answer: impl Fn(Recorded) -> (u16, String) + Send + Sync + 'static) -> Client {
    let answer = Arc::new(answer);
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let header = parts.headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
            let (status, text) = answer(Recorded {
                method: parts.method.to_string(),
                path: parts.uri.to_string(),
                content_type: header.to_owned(),
                body: String::from_utf8_lossy(&body).into_owned(),
            });
            let mut response = Response::new(Body::from(text.into_bytes()));
            *response.status_mut() = status.try_into().unwrap();
            Ok::<_, kube::Error>(response)
        }
    });
    Client::new(service, "ns")
}

/// A client of a server that gives each answer once, in order, and repeats the last; and what the server saw.
pub(super) fn respond_each<const N: usize>(answers: [(u16, String); N]) -> (Client, Arc<Mutex<Vec<Recorded>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let client = route(move |request| {
        let mut log = log.lock().unwrap();
        log.push(request);
        answers[(log.len() - 1).min(N - 1)].clone()
    });
    (client, seen)
}

/// A client of a server that always gives the same answer.
pub(super) fn respond(status: u16, body: &str) -> (Client, Arc<Mutex<Vec<Recorded>>>) {
    respond_each([(status, body.to_owned())])
}
