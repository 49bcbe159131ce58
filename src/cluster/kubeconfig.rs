//! The kubeconfig's files: found as kubectl finds them, read once, and each mistake in them with its file.

use super::connect::{ConnectError, Target};
use super::wire::reason;
use kube::config::{AuthInfo, Cluster, Kubeconfig, KubeconfigError};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Reads and merges the files that are meant.
pub(super) fn read(target: &Target) -> Result<Kubeconfig, ConnectError> {
    let Some(path) = &target.kubeconfig else {
        let home = std::env::home_dir();
        return read_first(&files(std::env::var_os("KUBECONFIG").as_deref(), home.as_deref()));
    };
    read_first(std::slice::from_ref(path))
}

/// Returns where kubectl looks: the files of `$KUBECONFIG`, else the one in the home folder.
fn files(variable: Option<&OsStr>, home: Option<&Path>) -> Vec<PathBuf> {
    let named = variable.into_iter().flat_map(std::env::split_paths).filter(|path| !path.as_os_str().is_empty());
    let named: Vec<PathBuf> = named.collect();
    if named.is_empty() { home.map(|home| home.join(".kube/config")).into_iter().collect() } else { named }
}

/// Merges the files that are there; the first to say a thing wins.
fn read_first(files: &[PathBuf]) -> Result<Kubeconfig, ConnectError> {
    let mut merged: Option<Kubeconfig> = None;
    for path in files {
        let unusable = |why: String| ConnectError::Unusable { why: format!("{}: {why}", path.display()) };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unusable(error.to_string())),
        };
        let text = decoded(&bytes).map_err(|why| unusable(why.to_owned()))?;
        let mut config = Kubeconfig::from_yaml(&text).map_err(|error| unusable(in_words(&error)))?;
        if let Some(folder) = path.parent() {
            make_absolute(&mut config, folder);
        }
        merged = Some(match merged {
            Some(before) => before.merge(config).map_err(|error| unusable(in_words(&error)))?,
            None => config,
        });
    }
    merged.ok_or_else(|| {
        let looked_at: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
        let looked_at =
            if looked_at.is_empty() { "$KUBECONFIG and ~/.kube/config".to_owned() } else { looked_at.join(", ") };
        ConnectError::NoKubeconfig { looked_at }
    })
}

/// Decodes what editors and PowerShell write; the library's own reader panics on half a character of UTF-16.
fn decoded(bytes: &[u8]) -> Result<String, &'static str> {
    let utf16 = |of: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes[2..].as_chunks::<2>();
        let units: Vec<u16> = units.iter().copied().map(of).collect();
        let text = String::from_utf16(&units).ok().filter(|_| rest.is_empty());
        text.ok_or("it begins as UTF-16 and is not: save it as UTF-8")
    };
    match bytes {
        [0xff, 0xfe, ..] => utf16(u16::from_le_bytes),
        [0xfe, 0xff, ..] => utf16(u16::from_be_bytes),
        _ => {
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            String::from_utf8(text.to_vec()).map_err(|_| "it is not text: save it as UTF-8")
        }
    }
}

/// Says what is wrong on one line; a picture of the lines around it might show a secret.
fn in_words(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => error.without_snippet().to_string().lines().collect::<Vec<_>>().join(" "),
        other => reason(other),
    }
}

/// Resolves what a file names beside itself; a command without a slash is looked for in `PATH`.
fn make_absolute(config: &mut Kubeconfig, folder: &Path) {
    let beside = |path: &mut Option<String>| {
        let absolute = path.as_ref().map(|path| folder.join(path)).and_then(|path| path.to_str().map(str::to_owned));
        *path = absolute.or_else(|| path.take());
    };
    for cluster in config.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        beside(&mut cluster.certificate_authority);
    }
    for user in config.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        beside(&mut user.client_certificate);
        beside(&mut user.client_key);
        beside(&mut user.token_file);
        if let Some(exec) = user.exec.as_mut().filter(|exec| exec.command.as_ref().is_some_and(|c| c.contains('/'))) {
            beside(&mut exec.command);
        }
    }
}

/// Returns the first file that a context names and that cannot be read, with why.
pub(super) fn unreadable_file(config: &Kubeconfig, context: &str) -> Option<String> {
    let context = config.contexts.iter().find(|named| named.name == context)?.context.as_ref()?;
    let cluster = config.clusters.iter().find(|named| named.name == context.cluster);
    let user = config.auth_infos.iter().find(|named| Some(&named.name) == context.user.as_ref());
    let of_cluster = cluster.and_then(|named| named.cluster.as_ref()).and_then(authority);
    let of_user = user.and_then(|named| named.auth_info.as_ref()).into_iter().flat_map(credentials);
    of_cluster.into_iter().chain(of_user).find_map(|(field, path)| {
        let error = File::open(path).err()?;
        Some(format!("{field} {path} cannot be read: {error}"))
    })
}

fn authority(cluster: &Cluster) -> Option<(&'static str, &str)> {
    let path = cluster.certificate_authority.as_deref().filter(|_| cluster.certificate_authority_data.is_none())?;
    Some(("certificate-authority", path))
}

/// Returns the files of a user, without those that something in the kubeconfig itself overrides.
fn credentials(user: &AuthInfo) -> impl Iterator<Item = (&'static str, &str)> {
    let certificate = user.client_certificate.as_deref().filter(|_| user.client_certificate_data.is_none());
    let key = user.client_key.as_deref().filter(|_| user.client_key_data.is_none());
    let token = user.token_file.as_deref().filter(|_| user.token.is_none());
    [("client-certificate", certificate), ("client-key", key), ("tokenFile", token)]
        .into_iter()
        .filter_map(|(field, path)| Some((field, path?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_files_of_the_variable_are_passed_over_as_kubectl_does() {
        let folder = tempfile::tempdir().unwrap();
        let (missing, good, second) = (folder.path().join("no"), folder.path().join("a"), folder.path().join("b"));
        fs::write(&good, "current-context: one\n").unwrap();
        fs::write(&second, "current-context: two\ncontexts: [{name: two}]\n").unwrap();
        let variable = std::env::join_paths([Path::new(""), &missing, &good, &second]).unwrap();
        let merged = read_first(&files(Some(&variable), None)).unwrap();
        assert_eq!((merged.current_context.as_deref(), merged.contexts.len()), (Some("one"), 1));
        let error = read_first(&files(Some(missing.as_os_str()), None)).unwrap_err();
        assert!(error.to_string().contains(missing.to_str().unwrap()), "{error}");
        assert_eq!(files(None, Some(Path::new("/home/kim"))), [PathBuf::from("/home/kim/.kube/config")]);
        assert_eq!(files(Some(OsStr::new("")), Some(Path::new("/h"))), [PathBuf::from("/h/.kube/config")]);
    }

    #[test]
    fn a_file_that_is_no_text_or_no_yaml_is_named_on_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        for (bytes, why) in [
            (&b"\xff\xfe\n"[..], "it begins as UTF-16 and is not"),
            (b"\xfe\xffa", "it begins as UTF-16 and is not"),
            (b"\xff\xfe\x00\xd8", "it begins as UTF-16 and is not"),
            (b"\xfa\xfb", "it is not text"),
            (b"users:\n- {name: u, user: {token: SECRET}}\ncontexts: {", "line 3"),
            (b"contexts: 7\nusers: [{name: u, user: {token: SECRET}}]", "line 1"),
        ] {
            fs::write(&path, bytes).unwrap();
            let said = read_first(std::slice::from_ref(&path)).unwrap_err().to_string();
            assert!(said.contains(path.to_str().unwrap()) && said.contains(why), "{said}");
            assert!(!said.contains("SECRET") && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn text_of_every_encoding_is_read_and_paths_are_beside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let text = "clusters: [{name: c, cluster: {certificate-authority: ca.pem}}]
users: [{name: u, user: {client-certificate: /etc/u.pem, tokenFile: t, exec: {command: ./login}}}, {name: v, user: {exec: {command: kubelogin}}}]\n";
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let utf16_big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let encoded = [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            [&b"\xff\xfe"[..], &utf16].concat(),
            [&b"\xfe\xff"[..], &utf16_big].concat(),
        ];
        for bytes in encoded {
            fs::write(&path, bytes).unwrap();
            let config = read_first(std::slice::from_ref(&path)).unwrap();
            let beside = |name: &str| Some(folder.path().join(name).to_str().unwrap().to_owned());
            assert_eq!(config.clusters[0].cluster.as_ref().unwrap().certificate_authority, beside("ca.pem"));
            let users: Vec<&AuthInfo> = config.auth_infos.iter().filter_map(|user| user.auth_info.as_ref()).collect();
            assert_eq!(users[0].client_certificate.as_deref(), Some("/etc/u.pem"));
            assert_eq!(users[0].token_file, beside("t"));
            assert_eq!(users[0].exec.as_ref().unwrap().command, beside("./login"));
            assert_eq!(users[1].exec.as_ref().unwrap().command.as_deref(), Some("kubelogin"));
        }
    }

    #[test]
    fn a_file_that_the_context_names_and_that_is_missing_is_named() {
        let of = |cluster: &str, user: &str| {
            let text = format!(
                "contexts: [{{name: x, context: {{cluster: c, user: u}}}}]\nclusters: [{{name: c, cluster: {cluster}}}]\nusers: [{{name: u, user: {user}}}]\n"
            );
            unreadable_file(&Kubeconfig::from_yaml(&text).unwrap(), "x")
        };
        let said = of("{certificate-authority: /no/ca.pem}", "{}").unwrap();
        assert!(said.starts_with("certificate-authority /no/ca.pem cannot be read: No such file"), "{said}");
        assert!(of("{}", "{client-key: /no/key}").unwrap().starts_with("client-key /no/key"));
        assert!(of("{}", "{tokenFile: /no/t}").unwrap().starts_with("tokenFile /no/t"));
        assert_eq!(of("{certificate-authority: /no/ca.pem, certificate-authority-data: eA==}", "{}"), None);
        assert_eq!(of("{}", "{tokenFile: /no/t, token: x}"), None);
    }
}
