//! How the kubeconfig logs in, and until when: read from the credentials, which never leave this file.

use crate::model::Timestamp;
use kube::config::{AuthInfo, ExecConfig};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// How a kubeconfig logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// What it shows to the API server, such as `a token` or `a token of kubelogin`.
    pub by: String,
    /// Until when that holds.
    pub until: Until,
    /// Whether a command gives a new one when this one is over.
    pub is_renewed: bool,
}

/// Until when a credential holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until then.
    At(Timestamp),
    /// It does not say, and why; without a word of the credential itself.
    Unknown(String),
}

/// Looks at a user of a kubeconfig; a login command gets `patience`, and no way to ask a person.
pub(super) async fn login(auth: &AuthInfo, patience: Duration) -> Login {
    if let Some(exec) = &auth.exec {
        let name = exec.command.as_deref().unwrap_or("its command");
        let name = name.rsplit('/').next().unwrap_or(name);
        let (what, until) = match run(exec, patience).await {
            Ok(status) => of_status(&status),
            Err(why) => ("credentials", Until::Unknown(why)),
        };
        return Login { by: format!("{what} of {name}"), until, is_renewed: true };
    }
    let of = |by: &str, until, is_renewed| Login { by: by.to_owned(), until, is_renewed };
    // The one way to a secret's text that the library leaves open.
    let token = serde_json::to_value(auth).ok().and_then(|value| value["token"].as_str().map(str::to_owned));
    if let Some(token) = token {
        return of("a token", of_token(&token), false);
    }
    if let Some(path) = &auth.token_file {
        let until = match tokio::fs::read_to_string(path).await {
            Ok(token) => of_token(token.trim()),
            Err(error) => Until::Unknown(format!("{path} cannot be read: {error}")),
        };
        return of("a token from a file", until, true);
    }
    let certificate = match (&auth.client_certificate_data, &auth.client_certificate) {
        (Some(data), _) => Some(decoded(data).ok_or_else(|| "it is not base64".to_owned())),
        (None, Some(path)) => Some(tokio::fs::read(path).await.map_err(|error| format!("{path}: {error}"))),
        (None, None) => None,
    };
    match certificate {
        Some(pem) => {
            let until = match pem.map(|pem| not_after(&String::from_utf8_lossy(&pem))) {
                Ok(Some(at)) => Until::At(at),
                Ok(None) => Until::Unknown("its certificate cannot be read".to_owned()),
                Err(why) => Until::Unknown(why),
            };
            of("a client certificate", until, false)
        }
        None => of("nothing, or a password", Until::Unknown("it has no end".to_owned()), false),
    }
}

/// Runs a login command once more, as the client's library does, for the end that it keeps to itself.
async fn run(exec: &ExecConfig, patience: Duration) -> Result<Value, String> {
    let command = exec.command.as_deref().ok_or("the kubeconfig names no command")?;
    if exec.provide_cluster_info {
        return Err("it is asked with the cluster's data, which is not done here".to_owned());
    }
    let info = json!({
        "apiVersion": exec.api_version,
        "kind": "ExecCredential",
        "spec": { "interactive": false },
    });
    let mut process = Command::new(command);
    process.args(exec.args.iter().flatten()).env("KUBERNETES_EXEC_INFO", info.to_string()).kill_on_drop(true);
    for variable in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            process.env(name, value);
        }
    }
    process.stdin(Stdio::null()).stderr(Stdio::null());
    let output = match timeout(patience, process.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(format!("it cannot be run: {error}")),
        Err(_) => return Err(format!("it did not answer within {} s", patience.as_secs())),
    };
    if !output.status.success() {
        return Err(format!("it ended with {}", output.status));
    }
    // What it printed is a secret: a message about it says nothing of it.
    let answer: Value =
        serde_saphyr::from_slice(&output.stdout).map_err(|_| "its answer is not understood".to_owned())?;
    Ok(answer["status"].clone())
}

fn of_status(status: &Value) -> (&'static str, Until) {
    let (what, until) = match (status["token"].as_str(), status["clientCertificateData"].as_str()) {
        (Some(token), _) => ("a token", of_token(token)),
        (None, Some(pem)) => (
            "a client certificate",
            not_after(pem).map_or_else(|| Until::Unknown("its certificate cannot be read".to_owned()), Until::At),
        ),
        (None, None) => return ("credentials", Until::Unknown("its answer holds none".to_owned())),
    };
    let said = status["expirationTimestamp"].as_str().and_then(|at| at.parse().ok());
    (what, said.map_or(until, Until::At))
}

/// Reads the end of a token (a JWT's `exp`), which nobody checks here.
fn of_token(token: &str) -> Until {
    let unknown = |why: &str| Until::Unknown(why.to_owned());
    let [_, claims, _] = token.split('.').collect::<Vec<_>>()[..] else { return unknown("it says no end") };
    let claims = decoded(claims).and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    let Some(claims) = claims else { return unknown("it says no end") };
    let end = claims["exp"].as_f64().and_then(|seconds| Timestamp::from_second(seconds as i64).ok());
    end.map_or_else(|| unknown("it has no end"), Until::At)
}

/// Decodes base64 of either alphabet, with or without padding; blanks and line ends count as nothing.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut word, mut bits) = (Vec::with_capacity(text.len() * 3 / 4), 0_u32, 0);
    for c in text.bytes().filter(|c| !c.is_ascii_whitespace() && *c != b'=') {
        let digit = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        word = word << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits & 0xff) as u8);
        }
    }
    Some(bytes)
}

/// Returns the end of the first certificate of a PEM text.
fn not_after(pem: &str) -> Option<Timestamp> {
    let body = pem.split("-----BEGIN CERTIFICATE-----").nth(1)?.split("-----END").next()?;
    let der = decoded(body)?;
    let (_, certificate, _) = element(&der)?;
    let (_, mut rest, _) = element(certificate)?;
    // The version, which is optional, the number, the algorithm and the issuer come before the validity.
    let (tag, _, after) = element(rest)?;
    rest = if tag == 0xa0 { element(after)?.2 } else { after };
    let (_, _, after) = element(rest)?;
    let (_, _, after) = element(after)?;
    let (_, validity, _) = element(after)?;
    let (_, _, after) = element(validity)?;
    let (tag, end, _) = element(after)?;
    let digits = std::str::from_utf8(end).ok()?.strip_suffix('Z')?;
    let full = match tag {
        0x17 if digits.get(..2)? < "50" => format!("20{digits}"),
        0x17 => format!("19{digits}"),
        0x18 => digits.to_owned(),
        _ => return None,
    };
    let at = |from: usize, to: usize| full.get(from..to);
    let text = format!("{}-{}-{}T{}:{}:{}Z", at(0, 4)?, at(4, 6)?, at(6, 8)?, at(8, 10)?, at(10, 12)?, at(12, 14)?);
    text.parse().ok()
}

/// Splits DER into the tag and content of its first element, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, first) = (*der.first()?, *der.get(1)?);
    let (length, head) = match first {
        0..=0x7f => (usize::from(first), 2),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let bytes = der.get(2..2 + count)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), 2 + count)
        }
        _ => return None,
    };
    let end = head.checked_add(length)?;
    Some((tag, der.get(head..end)?, der.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBcDCCARegAwIBAgIUGL1iJew5YTq9zKaSQAfTHoENIRkwCgYIKoZIzj0EAwIw
DjEMMAoGA1UEAwwDa2ltMB4XDTI2MTEzMDExNTgzNVoXDTI3MDMxMDExNTgzNVow
DjEMMAoGA1UEAwwDa2ltMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEleNKUevR
FLqTERkjU6hf6WTsi/CN/ZtgIvkRyKfgE1lTV25LpwDKtj3d0h9z8sgxXEA3KoTu
u0U6l4Wd/HwjDqNTMFEwHQYDVR0OBBYEFJKdyKSBbIQKyrlUDL57oVCVOZU6MB8G
A1UdIwQYMBaAFJKdyKSBbIQKyrlUDL57oVCVOZU6MA8GA1UdEwEB/wQFMAMBAf8w
CgYIKoZIzj0EAwIDRwAwRAIgKb8H/tN/KZUgsPRJ6qOzIpqVLEwoMY0ZZAnvTbEm
MwkCIAN0ujMGcZcnY63sOJ4bSYt9uaDiOlo6i6FtEIdnPdpJ
-----END CERTIFICATE-----
";
    /// `{"alg":"none"}`, `{"sub":"kim","exp":1793345678}` and a signature.
    const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJraW0iLCJleHAiOjE3OTMzNDU2Nzh9.U0VDUkVU";
    const PATIENCE: Duration = Duration::from_secs(20);

    fn at(text: &str) -> Until {
        Until::At(text.parse().unwrap())
    }

    async fn of(user: Value) -> Login {
        login(&serde_json::from_value(user).unwrap(), PATIENCE).await
    }

    #[tokio::test]
    async fn the_end_of_a_token_is_read_and_nothing_else_of_it() {
        let found = of(json!({ "token": TOKEN })).await;
        assert_eq!(found, Login { by: "a token".into(), until: at("2026-10-30T07:34:38Z"), is_renewed: false });
        assert!(!format!("{found:?}").contains("U0VDUkVU") && !format!("{found:?}").contains("kim"));
        for opaque in ["SECRET", "a.SECRET.c", "SECRET.SECRET", "eyJhbGciOiJub25lIn0.e30.x"] {
            let found = of(json!({ "token": opaque })).await;
            assert!(matches!(&found.until, Until::Unknown(why) if !why.contains("SECRET")), "{found:?}");
        }
    }

    #[tokio::test]
    async fn the_end_of_a_certificate_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kim.pem");
        std::fs::write(&path, CERTIFICATE).unwrap();
        let found = of(json!({ "client-certificate": path })).await;
        assert_eq!((found.by.as_str(), found.until), ("a client certificate", at("2027-03-10T11:58:35Z")));
        for cut in 0..CERTIFICATE.len() {
            // Whatever is broken off is an unknown end, and no fault.
            let _ = not_after(&CERTIFICATE[..cut]);
        }
        assert_eq!(not_after("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"), None);
    }

    fn script(folder: &tempfile::TempDir, text: &str) -> Value {
        let path = folder.path().join("kubelogin");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        json!({ "exec": { "apiVersion": "client.authentication.k8s.io/v1", "command": path, "interactiveMode": "Never" } })
    }

    #[tokio::test]
    async fn a_login_command_says_its_end_itself_or_by_its_token() {
        let folder = tempfile::tempdir().unwrap();
        let says = |end: &str| {
            let status = format!("{{\"token\": \"{TOKEN}\"{end}}}");
            format!("echo '{{\"kind\": \"ExecCredential\", \"status\": {status}}}'")
        };
        let found = of(script(&folder, &says(", \"expirationTimestamp\": \"2026-12-01T10:00:00Z\""))).await;
        let expected = Login { by: "a token of kubelogin".into(), until: at("2026-12-01T10:00:00Z"), is_renewed: true };
        assert_eq!(found, expected);
        assert_eq!(of(script(&folder, &says(""))).await.until, at("2026-10-30T07:34:38Z"));
        for (broken, why) in
            [("echo SECRET; exit 3", "it ended with exit status: 3"), ("echo '{'", "its answer is not understood")]
        {
            assert_eq!(of(script(&folder, broken)).await.until, Until::Unknown(why.into()));
        }
        let nowhere = json!({ "exec": { "command": "/no/such/command" } });
        assert!(matches!(of(nowhere).await.until, Until::Unknown(why) if why.starts_with("it cannot be run")));
    }
}
