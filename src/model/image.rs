//! References to container images: `repository[:tag][@digest]`.

/// The longest repository that registries and container runtimes take, its host included.
const MAX_REPOSITORY: usize = 255;
/// The longest tag.
const MAX_TAG: usize = 128;
/// The fewest hexadecimal digits of a digest.
const MIN_DIGEST: usize = 32;

/// Says everything for which no container runtime would pull an image of this name; nothing for a good one.
///
/// An API server takes any text without blanks at its ends as an image; that it is none would show in a pod that never
/// runs (`InvalidImageName`). The grammar is the one of <https://pkg.go.dev/github.com/distribution/reference>.
pub fn image_faults(image: &str) -> Vec<String> {
    if image.is_empty() {
        return vec!["it is empty".into()];
    }
    if image.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return vec!["it holds a blank or a control character".into()];
    }
    let (named, digest) = match image.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (image, None),
    };
    let last = named.rfind('/').map_or(0, |slash| slash + 1);
    let (repository, tag) = match named[last..].split_once(':') {
        Some((name, tag)) => (&named[..last + name.len()], Some(tag)),
        None => (named, None),
    };
    let mut faults = repository_faults(repository);
    if tag.is_some_and(|tag| !is_tag(tag)) {
        faults.push(format!(
            "a tag has 1 to {MAX_TAG} letters, digits, '_', '.' and '-', and begins with none of the last two"
        ));
    }
    if digest.is_some_and(|digest| !is_digest(digest)) {
        faults.push(format!("a digest is algorithm:hex, with {MIN_DIGEST} hexadecimal digits or more"));
    }
    faults
}

fn repository_faults(repository: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let (host, path) = match repository.split_once('/') {
        // What else stands before a slash is a part of the path on the default registry.
        Some((first, rest))
            if first.contains(['.', ':']) || first == "localhost" || first.chars().any(|c| c.is_ascii_uppercase()) =>
        {
            (Some(first), rest)
        }
        _ => (None, repository),
    };
    if host.is_some_and(|host| !is_host(host)) {
        faults.push("its registry is no host name with or without a port".into());
    }
    if !path.split('/').all(is_component) {
        faults.push(
            "a repository has lower case letters and digits, with '.', '_', '__' or '-' inside and '/' between its parts"
                .into(),
        );
    }
    if repository.len() > MAX_REPOSITORY {
        faults.push(format!("a repository has {MAX_REPOSITORY} characters at most"));
    }
    faults
}

fn is_host(host: &str) -> bool {
    // An IPv6 address stands in brackets, which is what tells its colons from the port's.
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !host.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_name = match name.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(address) => !address.is_empty() && address.chars().all(|c| c.is_ascii_hexdigit() || c == ':'),
        None => name.split('.').all(|label| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        }),
    };
    is_name && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// Tells whether a text may stand between two slashes of a repository.
fn is_component(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_separator = |between: &str| matches!(between, "." | "_" | "__") || between.chars().all(|c| c == '-');
    text.starts_with(is_word) && text.ends_with(is_word) && text.split(is_word).all(is_separator)
}

fn is_tag(tag: &str) -> bool {
    !tag.starts_with(['.', '-'])
        && (1..=MAX_TAG).contains(&tag.len())
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    algorithm.split(['-', '_', '+', '.']).all(is_part)
        && hex.len() >= MIN_DIGEST
        && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_registries_take_is_an_image() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for image in [
            "app",
            "app:4.12.0",
            "team/app__x/a-b--c.d:_1",
            "Registry/app",
            "localhost/app",
            "registry.example:5000/team/app:4.12.0-rc.1_7",
            "[::1]:5000/app",
            "[::1]/app",
            &format!("app@{digest}"),
            &format!("reg.example/app:1@{digest}"),
        ] {
            assert_eq!(image_faults(image), [""; 0], "{image}");
        }
    }

    #[test]
    fn what_no_runtime_would_pull_is_none() {
        let long = format!("{}/app", "a".repeat(252));
        for (image, word) in [
            ("", "empty"),
            ("bad image", "blank"),
            ("app\u{1b}[31m:1", "control"),
            ("app:", "tag"),
            ("app:.1", "tag"),
            ("app:4.12.1+7", "tag"),
            ("App:1", "repository"),
            ("reg.example/Team/app", "repository"),
            ("a___b", "repository"),
            ("a//b", "repository"),
            ("/app", "repository"),
            ("-reg.example/app", "host"),
            ("reg.example:x/app", "host"),
            ("app@sha256:abc", "digest"),
            ("app@", "digest"),
            (long.as_str(), "255"),
        ] {
            let faults = image_faults(image);
            assert!(faults.len() == 1 && faults[0].contains(word), "{image:?}: {faults:?}");
        }
        assert_eq!(image_faults("App:+@x").len(), 3, "everything is said at once");
        assert_eq!(image_faults(&format!("app:{}", "1".repeat(129))).len(), 1);
    }
}
