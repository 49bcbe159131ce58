//! The two clients: one that can only look, one that may change.

use super::read_only::ReadOnly;
use kube::Client;
use std::fmt;

/// A client that cannot change anything: every request passes [`ReadOnly`].
///
/// In watch mode it is the only one that exists.
#[derive(Clone)]
pub struct ReadClient {
    client: Client,
    namespace: String,
}

/// A client that may write; it is never built in watch mode.
#[derive(Clone)]
pub struct DriveClient {
    client: Client,
    namespace: String,
}

impl ReadClient {
    /// Wraps any client, such as the embedded cluster's, so that only reads get through to it.
    ///
    /// Has to be called inside a tokio runtime, as every constructor of a kube client.
    pub fn from_client(client: Client, namespace: impl Into<String>) -> Self {
        let namespace = namespace.into();
        let service = tower::service_fn(move |request| {
            let client = client.clone();
            async move { client.send(request).await }
        });
        Self { client: Client::new(ReadOnly::new(service), namespace.clone()), namespace }
    }

    /// Takes a client whose stack already holds [`ReadOnly`].
    pub(super) fn guarded(client: Client, namespace: &str) -> Self {
        Self { client, namespace: namespace.to_owned() }
    }

    /// Returns the guarded client, for the metrics source behind the API server's proxy.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Returns the namespace the console works in.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

impl DriveClient {
    /// Takes any client, such as the embedded cluster's.
    pub fn from_client(client: Client, namespace: impl Into<String>) -> Self {
        Self { client, namespace: namespace.into() }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the namespace the console works in.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

impl fmt::Debug for ReadClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadClient").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl fmt::Debug for DriveClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriveClient").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
