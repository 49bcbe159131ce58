//! Plain requests to an API server: an answer is a status code and a JSON value, never a typed error.

use color_eyre::eyre::{Result, WrapErr, eyre};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};
use std::time::Duration;

/// What the server answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub code: u16,
    /// The body; `null` when it is not JSON.
    pub body: Value,
    /// Whether it says when it was made; the product takes server time from it.
    pub dated: bool,
}

impl Answer {
    /// Returns the body of a success.
    ///
    /// # Errors
    /// Anything but 2xx, with the server's message.
    pub fn ok(self) -> Result<Value> {
        if (200..300).contains(&self.code) {
            return Ok(self.body);
        }
        Err(eyre!("the server answered {}: {}", self.code, self.body["message"].as_str().unwrap_or("no message")))
    }
}

/// How a patch is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' own: lists are merged by key.
    Strategic,
}

impl Patch {
    fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
        }
    }
}

/// An API server.
#[derive(Clone)]
pub struct Rest {
    /// Its connection and credentials.
    pub client: kube::Client,
}

impl Rest {
    /// Uses a client's connection and credentials.
    pub fn new(client: kube::Client) -> Self {
        Self { client }
    }

    /// Reads a path, query included.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send("GET", path, "", None).await
    }

    /// Reads a path as the table that `kubectl get` prints.
    pub async fn table(&self, path: &str) -> Result<Answer> {
        let request = http::Request::get(path).header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
        self.ask(request.body(Body::empty())?).await
    }

    /// Creates an object.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send("POST", path, "application/json", Some(body)).await
    }

    /// Replaces an object.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send("PUT", path, "application/json", Some(body)).await
    }

    /// Patches an object.
    pub async fn patch(&self, path: &str, how: Patch, body: &Value) -> Result<Answer> {
        self.send("PATCH", path, how.content_type(), Some(body)).await
    }

    /// Deletes an object; `options` are DeleteOptions, `null` for none.
    pub async fn delete(&self, path: &str, options: &Value) -> Result<Answer> {
        let options = (!options.is_null()).then(|| {
            let mut options = options.clone();
            options["kind"] = json!("DeleteOptions");
            options["apiVersion"] = json!("v1");
            options
        });
        self.send("DELETE", path, "application/json", options.as_ref()).await
    }

    /// Reads watch events until `enough` says so, the server ends the watch, or `limit` passes.
    pub async fn watch(&self, path: &str, limit: Duration, mut enough: impl FnMut(&Value) -> bool) -> Result<Watched> {
        let request = http::Request::get(path).body(Body::empty())?;
        let response = self.client.send(request).await.wrap_err_with(|| format!("watching {path}"))?;
        let mut watched = Watched { code: response.status().as_u16(), events: Vec::new(), ended: false };
        let mut body = response.into_body();
        let mut text = Vec::new();
        let reading = async {
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame?.into_data() else { continue };
                text.extend_from_slice(&data);
                while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = text.drain(..=end).collect();
                    let event: Value = serde_json::from_slice(&line)?;
                    let last = enough(&event);
                    watched.events.push(event);
                    if last {
                        return Ok(());
                    }
                }
            }
            if let Ok(rest) = serde_json::from_slice::<Value>(&text) {
                watched.events.push(rest);
            }
            watched.ended = true;
            Ok::<(), color_eyre::Report>(())
        };
        match tokio::time::timeout(limit, reading).await {
            Ok(done) => done?,
            Err(_) => return Ok(watched),
        }
        Ok(watched)
    }

    /// Sends any JSON request; `content_type` may be empty.
    pub async fn send(&self, method: &str, path: &str, content_type: &str, body: Option<&Value>) -> Result<Answer> {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        self.send_bytes(method, path, content_type, body).await
    }

    /// Sends any request at all.
    pub async fn send_bytes(&self, method: &str, path: &str, content_type: &str, body: Vec<u8>) -> Result<Answer> {
        let mut request = http::Request::builder().method(method).uri(path).header("accept", "application/json");
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let body = if body.is_empty() { Body::empty() } else { Body::from(body) };
        self.ask(request.body(body)?).await
    }

    async fn ask(&self, request: http::Request<Body>) -> Result<Answer> {
        let what = format!("{} {}", request.method(), request.uri());
        let response = self.client.send(request).await.wrap_err_with(|| format!("{what} got no answer"))?;
        let code = response.status().as_u16();
        let dated = response.headers().contains_key(http::header::DATE);
        let bytes = response.into_body().collect().await.wrap_err(what)?.to_bytes();
        Ok(Answer { code, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), dated })
    }
}

/// What a watch brought.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The HTTP status.
    pub code: u16,
    /// The events.
    pub events: Vec<Value>,
    /// Whether the server ended it.
    pub ended: bool,
}
