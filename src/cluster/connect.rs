//! From a kubeconfig to clients: read once, pinned to one context, without the library's dangerous defaults.

use super::client::{DriveClient, ReadClient};
use super::login::{Login, login};
use super::read_only::ReadOnly;
use super::rights::ReviewClient;
use super::wire::reason;
use kube::Config;
use kube::client::ClientBuilder;
use kube::config::{ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may be silent. Longer than any watch, which says something when it ends.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(20);

/// Which cluster is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The kubeconfig context; `None` = its current one.
    pub context: Option<String>,
    /// The namespace; `None` = the context's.
    pub namespace: Option<String>,
    /// The kubeconfig file; `None` = `$KUBECONFIG`, else `~/.kube/config`, else the pod's service account.
    pub kubeconfig: Option<PathBuf>,
}

/// A cluster that was found, before anything was sent to it.
///
/// The kubeconfig has been read and is never read again: who switches its current context elsewhere does not move
/// this console to another cluster.
#[derive(Clone)]
pub struct Connected {
    /// The name of the context.
    pub context: String,
    /// The namespace.
    pub namespace: String,
    /// The API server's address.
    pub server: String,
    config: Config,
}

/// Why no cluster could be found.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no kubeconfig.
    #[error(
        "find a cluster: there is no kubeconfig (looked at {looked_at}): log in to the cluster first, name a file with --kubeconfig, or try `pilothouse demo`, which needs none"
    )]
    NoKubeconfig {
        /// Where it was looked for.
        looked_at: String,
    },
    /// The kubeconfig has no such context, or none is current.
    #[error(
        "find a cluster: the kubeconfig has {what}: name one of [{known}] with --context, or try `pilothouse demo`"
    )]
    NoContext {
        /// What is missing.
        what: String,
        /// The contexts that exist.
        known: String,
    },
    /// The kubeconfig cannot be used.
    #[error("read the kubeconfig: {why}")]
    Unusable {
        /// Why.
        why: String,
    },
    /// No client can be made of it.
    #[error("prepare a client for {server}: {why}")]
    Client {
        /// The API server's address.
        server: String,
        /// Why.
        why: String,
    },
}

/// Reads the kubeconfig and picks the context; sends nothing.
///
/// # Errors
/// Says what is missing and what to do; [`ConnectError::is_first_run`] tells whether `demo` is worth suggesting.
pub async fn connect(target: &Target) -> Result<Connected, ConnectError> {
    let kubeconfig = match read_kubeconfig(target) {
        Ok(kubeconfig) => kubeconfig,
        Err(error @ ConnectError::NoKubeconfig { .. }) if target.kubeconfig.is_none() && target.context.is_none() => {
            return in_cluster(target).ok_or(error);
        }
        Err(error) => return Err(error),
    };
    let context = pick_context(&kubeconfig, target)?;
    let options = KubeConfigOptions { context: Some(context.clone()), cluster: None, user: None };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|e| ConnectError::Unusable { why: format!("context {context}: {}", reason(&e)) })?;
    Ok(connected(context, config, target))
}

impl ConnectError {
    /// Tells whether this looks like a first run: there is no cluster to open.
    pub fn is_first_run(&self) -> bool {
        matches!(self, Self::NoKubeconfig { .. } | Self::NoContext { .. })
    }

    /// Tells whether what was named is wrong, so that a login would not help.
    pub fn is_wrong_name(&self, target: &Target) -> bool {
        match self {
            Self::NoKubeconfig { .. } => target.kubeconfig.is_some(),
            Self::NoContext { known, .. } => !known.is_empty(),
            Self::Unusable { .. } => true,
            Self::Client { .. } => false,
        }
    }
}

impl Connected {
    /// Builds the client that cannot change anything.
    ///
    /// May run the kubeconfig's login command on the terminal: call it before the screen is opened, inside a tokio
    /// runtime and after the TLS provider is installed.
    ///
    /// # Errors
    /// Says why no client can be made, such as a login that failed.
    pub fn read_client(&self) -> Result<ReadClient, ConnectError> {
        let builder = ClientBuilder::try_from(self.sign_in()?).map_err(|e| self.unbuilt(&e))?;
        Ok(ReadClient::guarded(builder.with_layer(&ReadOnly::layer()).build(), &self.namespace))
    }

    /// Builds the client that may write; never called in watch mode. The rest is as for [`Connected::read_client`].
    ///
    /// # Errors
    /// Says why no client can be made.
    pub fn drive_client(&self) -> Result<DriveClient, ConnectError> {
        let builder = ClientBuilder::try_from(self.sign_in()?).map_err(|e| self.unbuilt(&e))?;
        Ok(DriveClient::from_client(builder.build(), &self.namespace))
    }

    /// Builds the client that can only ask what we may do. The rest is as for [`Connected::read_client`].
    ///
    /// # Errors
    /// Says why no client can be made.
    pub fn review_client(&self) -> Result<ReviewClient, ConnectError> {
        let builder = ClientBuilder::try_from(self.sign_in()?).map_err(|e| self.unbuilt(&e))?;
        Ok(ReviewClient::from_client(builder.build(), &self.namespace))
    }

    /// Says how the kubeconfig logs in and until when; a login command gets `patience`.
    pub async fn login(&self, patience: Duration) -> Login {
        login(&self.config.auth_info, patience).await
    }

    /// Logs in once with the terminal at hand: a later refresh must not prompt into the screen, and finds what this
    /// login left in the command's own cache.
    fn sign_in(&self) -> Result<Config, ConnectError> {
        let mut config = self.config.clone();
        if let Some(exec) = &mut config.auth_info.exec
            && exec.interactive_mode != Some(ExecInteractiveMode::Never)
        {
            exec.interactive_mode = Some(ExecInteractiveMode::Never);
            ClientBuilder::try_from(self.config.clone()).map_err(|e| self.unbuilt(&e))?;
        }
        Ok(config)
    }

    fn unbuilt(&self, error: &kube::Error) -> ConnectError {
        ConnectError::Client { server: self.server.clone(), why: reason(error) }
    }
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected")
            .field("context", &self.context)
            .field("namespace", &self.namespace)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

fn read_kubeconfig(target: &Target) -> Result<Kubeconfig, ConnectError> {
    let read = match &target.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    read.map_err(|error| match error {
        KubeconfigError::ReadConfig(cause, path) if cause.kind() == std::io::ErrorKind::NotFound => {
            ConnectError::NoKubeconfig { looked_at: path.display().to_string() }
        }
        KubeconfigError::FindPath => ConnectError::NoKubeconfig { looked_at: "$KUBECONFIG and ~/.kube/config".into() },
        other => ConnectError::Unusable { why: reason(&other) },
    })
}

fn pick_context(kubeconfig: &Kubeconfig, target: &Target) -> Result<String, ConnectError> {
    let known: Vec<&str> = kubeconfig.contexts.iter().map(|c| c.name.as_str()).collect();
    let wanted = target.context.as_ref().or(kubeconfig.current_context.as_ref()).filter(|name| !name.is_empty());
    let what = match wanted {
        Some(name) if known.contains(&name.as_str()) => return Ok(name.clone()),
        Some(name) => format!("no context {name:?}"),
        None => "no current context".to_owned(),
    };
    Err(ConnectError::NoContext { what, known: known.join(", ") })
}

fn in_cluster(target: &Target) -> Option<Connected> {
    Config::incluster().ok().map(|config| connected("in-cluster".to_owned(), config, target))
}

fn connected(context: String, mut config: Config, target: &Target) -> Connected {
    // The library would repeat every method, a PATCH too, up to 15 times, and would wait for an answer for ever.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(SILENCE_TIMEOUT);
    config.write_timeout = Some(SILENCE_TIMEOUT);
    let namespace = target.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    config.default_namespace.clone_from(&namespace);
    Connected { context, namespace, server: config.cluster_url.to_string(), config }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = r"
apiVersion: v1
kind: Config
current-context: prod
contexts:
- {name: prod, context: {cluster: c, user: u, namespace: shop}}
- {name: stage, context: {cluster: c, user: u}}
clusters:
- {name: c, cluster: {server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true}}
users:
- {name: u, user: {token: SECRET}}
";

    fn target(text: &str, context: Option<&str>, namespace: Option<&str>) -> (tempfile::TempDir, Target) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, text).unwrap();
        let target =
            Target { context: context.map(Into::into), namespace: namespace.map(Into::into), kubeconfig: Some(path) };
        (folder, target)
    }

    #[tokio::test]
    async fn a_client_of_an_https_cluster_is_built_with_one_tls_provider() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (_folder, target) = target(KUBECONFIG, None, None);
        let connected = connect(&target).await.unwrap();
        assert_eq!(connected.server, "https://127.0.0.1:1/");
        assert!(connected.read_client().is_ok());
        assert!(connected.drive_client().is_ok());
    }

    #[tokio::test]
    async fn the_librarys_retries_are_off_and_no_wait_is_for_ever() {
        let (_folder, target) = target(KUBECONFIG, None, None);
        let config = connect(&target).await.unwrap().config;
        assert!(!config.default_retry);
        assert!(config.connect_timeout.is_some() && config.read_timeout.is_some() && config.write_timeout.is_some());
    }

    #[tokio::test]
    async fn context_and_namespace_are_the_named_ones_or_the_kubeconfigs() {
        for (context, namespace, expected) in [
            (None, None, ("prod", "shop")),
            (Some("stage"), None, ("stage", "default")),
            (Some("stage"), Some("x"), ("stage", "x")),
        ] {
            let (_folder, target) = target(KUBECONFIG, context, namespace);
            let found = connect(&target).await.unwrap();
            assert_eq!((found.context.as_str(), found.namespace.as_str()), expected);
        }
    }

    #[tokio::test]
    async fn what_is_missing_is_said_with_what_to_do() {
        let nowhere = Target { kubeconfig: Some("no/such/kubeconfig".into()), ..Target::default() };
        let error = connect(&nowhere).await.unwrap_err();
        assert!(error.is_first_run() && error.to_string().contains("pilothouse demo"), "{error}");
        assert!(error.is_wrong_name(&nowhere) && !error.is_wrong_name(&Target::default()));

        let (_folder, unknown) = target(KUBECONFIG, Some("qa"), None);
        let error = connect(&unknown).await.unwrap_err();
        assert!(error.is_first_run() && error.to_string().contains("[prod, stage]"), "{error}");
        assert!(error.is_wrong_name(&unknown));

        let (_folder, empty) = target("apiVersion: v1\nkind: Config\n", None, None);
        let error = connect(&empty).await.unwrap_err();
        assert!(!error.is_wrong_name(&empty), "there is nothing to name: {error}");

        let (_folder, broken) = target("contexts: [", None, None);
        let error = connect(&broken).await.unwrap_err();
        assert!(!error.is_first_run(), "{error}");
    }

    #[tokio::test]
    async fn a_secret_is_not_in_what_may_be_logged() {
        let (_folder, target) = target(KUBECONFIG, None, None);
        let connected = connect(&target).await.unwrap();
        assert!(!format!("{connected:?}").contains("SECRET"));
    }
}
