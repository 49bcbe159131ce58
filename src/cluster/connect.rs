//! From a kubeconfig to clients: read once, pinned to one context, without the library's dangerous defaults.

use super::client::{DriveClient, ReadClient};
use super::kubeconfig;
use super::login::{Login, login};
use super::read_only::ReadOnly;
use super::rights::ReviewClient;
use super::wire::reason;
use kube::Config;
use kube::client::{AuthError, ClientBuilder};
use kube::config::{ExecInteractiveMode, KubeConfigOptions, Kubeconfig};
use std::fmt;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may be silent. Longer than any watch, which says something when it ends.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a login command may take that asks nobody.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a login command may take that asks a person, who may have to find a telephone first.
const ASKING_TIMEOUT: Duration = Duration::from_secs(300);

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
    /// The kubeconfig is there and names no cluster at all.
    #[error(
        "find a cluster: the kubeconfig has no contexts: log in to the cluster first, name another file with --kubeconfig, or try `pilothouse demo`, which needs none"
    )]
    NoContexts,
    /// The kubeconfig cannot be used.
    #[error("read the kubeconfig: {why}")]
    Unusable {
        /// Why.
        why: String,
    },
    /// The kubeconfig's login command cannot be run at all.
    #[error("log in: {command}, the kubeconfig's login command, cannot be run: {why}: {hint}")]
    NoCommand {
        /// The command.
        command: String,
        /// Why.
        why: String,
        /// What to do.
        hint: String,
    },
    /// The kubeconfig's login command does not come to an end.
    #[error(
        "log in: {command}, the kubeconfig's login command, did not end within {} s and may still run: end it, then run it by hand to see what it waits for",
        patience.as_secs()
    )]
    Endless {
        /// The command.
        command: String,
        /// How long it had.
        patience: Duration,
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
    let kubeconfig = match kubeconfig::read(target) {
        Ok(kubeconfig) => kubeconfig,
        Err(error @ ConnectError::NoKubeconfig { .. }) if target.kubeconfig.is_none() && target.context.is_none() => {
            return in_cluster(target).ok_or(error);
        }
        Err(error) => return Err(error),
    };
    let context = pick_context(&kubeconfig, target)?;
    if let Some(why) = kubeconfig::unreadable_file(&kubeconfig, &context) {
        return Err(ConnectError::Unusable { why: format!("context {context}: {why}") });
    }
    let options = KubeConfigOptions { context: Some(context.clone()), cluster: None, user: None };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|e| ConnectError::Unusable { why: format!("context {context}: {}", reason(&e)) })?;
    Ok(connected(context, config, target))
}

impl ConnectError {
    /// Tells whether this looks like a first run: there is no cluster to open.
    pub fn is_first_run(&self) -> bool {
        matches!(self, Self::NoKubeconfig { .. } | Self::NoContext { .. } | Self::NoContexts)
    }

    /// Tells whether something on this machine has to be mended, whatever the cluster does.
    pub fn is_configuration(&self) -> bool {
        self.is_first_run() || matches!(self, Self::Unusable { .. } | Self::NoCommand { .. })
    }

    /// Tells whether what was named is wrong, so that a login would not help.
    pub fn is_wrong_name(&self, target: &Target) -> bool {
        match self {
            Self::NoKubeconfig { .. } => target.kubeconfig.is_some(),
            Self::NoContext { known, .. } => !known.is_empty(),
            Self::Unusable { .. } | Self::NoCommand { .. } => true,
            Self::NoContexts | Self::Endless { .. } | Self::Client { .. } => false,
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
        let builder: ClientBuilder<_> = self.build(self.sign_in()?)?;
        Ok(ReadClient::guarded(builder.with_layer(&ReadOnly::layer()).build(), &self.namespace))
    }

    /// Builds the client that may write; never called in watch mode. The rest is as for [`Connected::read_client`].
    ///
    /// # Errors
    /// Says why no client can be made.
    pub fn drive_client(&self) -> Result<DriveClient, ConnectError> {
        let builder: ClientBuilder<_> = self.build(self.sign_in()?)?;
        Ok(DriveClient::from_client(builder.build(), &self.namespace))
    }

    /// Builds the client that can only ask what we may do. The rest is as for [`Connected::read_client`].
    ///
    /// # Errors
    /// Says why no client can be made.
    pub fn review_client(&self) -> Result<ReviewClient, ConnectError> {
        let builder: ClientBuilder<_> = self.build(self.sign_in()?)?;
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
            let _: ClientBuilder<_> = self.build(self.config.clone())?;
        }
        Ok(config)
    }

    /// Builds a client, for which the library runs the login command and would wait for it for ever.
    fn build<B>(&self, config: Config) -> Result<B, ConnectError>
    where
        B: TryFrom<Config, Error = kube::Error> + Send + 'static,
    {
        let Some(exec) = &config.auth_info.exec else { return B::try_from(config).map_err(|e| self.unbuilt(&e)) };
        let asks = exec.interactive_mode != Some(ExecInteractiveMode::Never) && std::io::stdin().is_terminal();
        let patience = if asks { ASKING_TIMEOUT } else { LOGIN_TIMEOUT };
        match within(patience, || B::try_from(config)) {
            Some(built) => built.map_err(|e| self.unbuilt(&e)),
            None => Err(ConnectError::Endless { command: self.command(), patience }),
        }
    }

    /// Returns the command that logs in, where one does.
    pub fn login_command(&self) -> Option<&str> {
        self.config.auth_info.exec.as_ref()?.command.as_deref()
    }

    fn command(&self) -> String {
        self.login_command().unwrap_or_default().to_owned()
    }

    fn unbuilt(&self, error: &kube::Error) -> ConnectError {
        if let kube::Error::Auth(AuthError::AuthExecStart(cause)) = error {
            let own = self.config.auth_info.exec.as_ref().and_then(|exec| exec.install_hint.as_deref());
            let own = own.map(|hint| format!(" ({})", hint.trim())).unwrap_or_default();
            let hint = format!("install it{own}, or name another under users, exec, command in the kubeconfig");
            return ConnectError::NoCommand { command: self.command(), why: cause.to_string(), hint };
        }
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

/// Does something on a thread of its own and returns its outcome; `None` if it takes longer than that.
fn within<T: Send + 'static>(patience: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, hear) = mpsc::channel();
    let runtime = tokio::runtime::Handle::try_current().ok();
    std::thread::spawn(move || {
        let _entered = runtime.as_ref().map(tokio::runtime::Handle::enter);
        // Nobody listens any more when it took too long.
        let _ = tell.send(work());
    });
    hear.recv_timeout(patience).ok()
}

fn pick_context(kubeconfig: &Kubeconfig, target: &Target) -> Result<String, ConnectError> {
    let known: Vec<&str> = kubeconfig.contexts.iter().map(|c| c.name.as_str()).collect();
    if known.is_empty() {
        return Err(ConnectError::NoContexts);
    }
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

        let (_folder, empty) = target("", None, None);
        let error = connect(&empty).await.unwrap_err();
        assert!(error.is_first_run() && error.to_string().contains("has no contexts: log in"), "{error}");

        let (_folder, broken) = target("contexts: [", None, None);
        let error = connect(&broken).await.unwrap_err();
        assert!(!error.is_first_run() && error.is_configuration(), "{error}");
    }

    #[tokio::test]
    async fn a_login_command_that_is_not_there_is_named_with_what_to_do() {
        let exec = "exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-login, interactiveMode: Never, installHint: 'get it'}";
        let (_folder, target) = target(&KUBECONFIG.replace("token: SECRET", exec), None, None);
        let error = connect(&target).await.unwrap().read_client().err().unwrap();
        let said = "log in: no-such-login, the kubeconfig's login command, cannot be run: No such file or directory (os error 2): install it (get it), or name another under users, exec, command in the kubeconfig";
        assert_eq!(error.to_string(), said);
        assert!(error.is_configuration());
    }

    #[test]
    fn work_that_does_not_end_is_given_up() {
        let (end, ended) = mpsc::channel::<()>();
        assert_eq!(within(Duration::from_millis(1), move || ended.recv()), None);
        drop(end);
        assert_eq!(within(LOGIN_TIMEOUT, || 7), Some(7));
    }

    #[tokio::test]
    async fn a_secret_is_not_in_what_may_be_logged() {
        let (_folder, target) = target(KUBECONFIG, None, None);
        let connected = connect(&target).await.unwrap();
        assert!(!format!("{connected:?}").contains("SECRET"));
    }
}
