//! How requests to the metrics source are authenticated; a token is never in a text that may be shown or logged.

use crate::model::{Authentication, Timestamp};
use http::HeaderValue;
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;

/// How long a token command may take: a cloud's login needs seconds.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(20);

/// A token is renewed this long before it expires.
const EARLY_SECONDS: i64 = 60;

/// A token command that failed is not run again before this has passed.
const AFTER_FAILURE_SECONDS: i64 = 15;

/// The longest token that is taken for one; a page that a command prints by mistake is longer.
const LONGEST: usize = 64 * 1024;

/// Gives each round its `Authorization` header.
pub(super) struct Credentials {
    kind: Authentication,
    cached: Option<Token>,
    failed: Option<(Timestamp, String)>,
}

struct Token {
    header: HeaderValue,
    expires: Option<Timestamp>,
}

impl Credentials {
    /// Prepares credentials; nothing is read or run yet.
    pub fn new(kind: Authentication) -> Self {
        Self { kind, cached: None, failed: None }
    }

    /// Returns the header for requests that are sent now; `None` = without any.
    ///
    /// A file is read anew each time. A command is run when there is no token, or less than a minute before it
    /// expires; a token without expiry is kept until it is refused.
    ///
    /// # Errors
    /// Says why there is no token, without a word of what a command printed to its standard output.
    pub async fn header(&mut self, now: Timestamp) -> Result<Option<HeaderValue>, String> {
        match &self.kind {
            Authentication::None => Ok(None),
            Authentication::BearerFile { path } => {
                let text = tokio::fs::read_to_string(path).await;
                let text = text.map_err(|e| format!("the token file {path} cannot be read: {e}"))?;
                bearer(text.trim()).map(Some).map_err(|why| format!("the token file {path} {why}"))
            }
            Authentication::Exec { command } => {
                let fresh =
                    |token: &&Token| token.expires.is_none_or(|at| at.as_second() - EARLY_SECONDS > now.as_second());
                if let Some(token) = self.cached.as_ref().filter(fresh) {
                    return Ok(Some(token.header.clone()));
                }
                if let Some((at, why)) = &self.failed
                    && now.as_second() < at.as_second() + AFTER_FAILURE_SECONDS
                {
                    return Err(why.clone());
                }
                let result = run(command).await;
                self.failed = result.as_ref().err().map(|why| (now, why.clone()));
                let token = result?;
                let header = token.header.clone();
                self.cached = Some(token);
                Ok(Some(header))
            }
        }
    }

    /// Forgets a token that was refused. Returns whether another try can go better.
    pub fn refused(&mut self) -> bool {
        self.cached = None;
        !matches!(self.kind, Authentication::None)
    }
}

async fn run(command: &[String]) -> Result<Token, String> {
    let [program, arguments @ ..] = command else { return Err("the token command is empty".into()) };
    let mut child = tokio::process::Command::new(program);
    // A prompt would hang the round, or write over the screen.
    child.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = match tokio::time::timeout(COMMAND_TIMEOUT, child.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(e)) => return Err(format!("the token command {program} cannot be run: {e}")),
        Err(_) => return Err(format!("the token command {program} has not ended within 20s: log in again")),
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let line: String = said
            .lines()
            .map(str::trim)
            .find(|l| !l.is_empty())
            .unwrap_or("it says nothing")
            .chars()
            .take(160)
            .collect();
        return Err(format!("the token command {program} failed ({}): {line}: log in again", output.status));
    }
    token(&output.stdout).map_err(|why| format!("the output of the token command {program} {why}"))
}

/// Reads a token: the bare one, an ExecCredential, or what `az account get-access-token` prints.
fn token(output: &[u8]) -> Result<Token, String> {
    let text = std::str::from_utf8(output).map_err(|_| "is no text")?.trim();
    if !text.starts_with('{') {
        return Ok(Token { header: bearer(text)?, expires: None });
    }
    // The parser's message would quote what it read.
    let json: Value = serde_json::from_str(text).map_err(|_| "looks like JSON and is none")?;
    let status = &json["status"];
    let token = status["token"].as_str().or(json["accessToken"].as_str()).ok_or("is JSON without a token")?;
    let expires = match (status["expirationTimestamp"].as_str(), json["expires_on"].as_i64()) {
        (Some(text), _) => Some(text.parse().map_err(|_| "has an expirationTimestamp that is no time")?),
        (None, Some(second)) => Some(Timestamp::from_second(second).map_err(|_| "has an expires_on that is no time")?),
        (None, None) => None,
    };
    Ok(Token { header: bearer(token)?, expires })
}

fn bearer(token: &str) -> Result<HeaderValue, String> {
    if token.is_empty() {
        return Err("is empty".into());
    }
    let one_word = !token.contains(|c: char| c.is_whitespace() || c.is_control());
    let header = HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| one_word && token.len() <= LONGEST);
    let mut header = header.ok_or("is no token: it must be one word")?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A command that counts its runs in a file and prints `text` with `N` replaced by the count.
    fn counting(folder: &tempfile::TempDir, text: &str) -> Authentication {
        let script = format!(
            "cd '{}' && echo x >> runs && n=$(wc -l < runs) && echo '{text}' | sed \"s/N/$n/\"",
            folder.path().display()
        );
        Authentication::Exec { command: ["sh", "-c", &script].map(str::to_owned).to_vec() }
    }

    async fn shown(credentials: &mut Credentials, second: i64) -> String {
        let header = credentials.header(at(second)).await.unwrap().unwrap();
        header.to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_commands_token_is_kept_until_a_minute_before_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"kind":"ExecCredential","status":{"token":"tN","expirationTimestamp":"2026-11-24T01:00:00Z"}}"#;
        let mut credentials = Credentials::new(counting(&folder, text));
        let expires: Timestamp = "2026-11-24T01:00:00Z".parse().unwrap();
        let second = expires.as_second();
        assert_eq!(shown(&mut credentials, second - 3600).await, "Bearer t1");
        assert_eq!(shown(&mut credentials, second - 61).await, "Bearer t1");
        assert_eq!(shown(&mut credentials, second - 60).await, "Bearer t2");
    }

    #[tokio::test]
    async fn a_refused_token_is_not_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut credentials = Credentials::new(counting(&folder, "tN"));
        assert_eq!(shown(&mut credentials, 0).await, "Bearer t1");
        assert_eq!(shown(&mut credentials, 9_000_000).await, "Bearer t1", "without an expiry it is kept");
        assert!(credentials.refused());
        assert_eq!(shown(&mut credentials, 9_000_001).await, "Bearer t2");
        assert!(!Credentials::new(Authentication::None).refused());
    }

    #[tokio::test]
    async fn a_token_file_is_read_before_each_round() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let mut credentials = Credentials::new(Authentication::BearerFile { path: path.to_str().unwrap().to_owned() });
        assert!(credentials.header(at(0)).await.unwrap_err().contains("cannot be read"));
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(shown(&mut credentials, 0).await, "Bearer one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(shown(&mut credentials, 0).await, "Bearer two");
        std::fs::write(&path, "").unwrap();
        assert!(credentials.header(at(0)).await.unwrap_err().contains("is empty"));
    }

    #[tokio::test]
    async fn a_failing_command_is_explained_without_its_output_and_not_run_at_every_round() {
        let folder = tempfile::tempdir().unwrap();
        let script =
            format!("cd '{}'; echo x >> runs; echo SECRET; echo 'please log in' >&2; exit 3", folder.path().display());
        let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
        let mut credentials = Credentials::new(Authentication::Exec { command });
        for second in [0, 5, 14, 15, 16] {
            let why = credentials.header(at(second)).await.unwrap_err();
            assert!(why.contains("please log in") && !why.contains("SECRET"), "{why}");
        }
        let runs = std::fs::read_to_string(folder.path().join("runs")).unwrap();
        assert_eq!(runs.lines().count(), 2);
    }

    #[test]
    fn every_form_of_token_output_is_read_and_nothing_of_a_wrong_one_is_quoted() {
        let azure = token(br#"{"accessToken":"az","expires_on":1790000000,"tokenType":"Bearer"}"#).ok().unwrap();
        assert_eq!(azure.header, "Bearer az");
        assert_eq!(azure.expires, Some(at(1_790_000_000)));
        for wrong in ["", "two words", "{\"status\":{}}", "{SECRET", "<html>SECRET page</html>"] {
            let why = token(wrong.as_bytes()).err().unwrap();
            assert!(!why.contains("SECRET"), "{why}");
        }
    }

    #[tokio::test]
    async fn a_token_never_shows_in_debug_output() {
        let folder = tempfile::tempdir().unwrap();
        let mut credentials = Credentials::new(counting(&folder, "SECRET"));
        let header = credentials.header(at(0)).await.unwrap();
        assert!(!format!("{header:?}").contains("SECRET"));
    }
}
