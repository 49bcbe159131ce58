//! What is broken on this machine: named with its file, its variable or its flag, and with an exit code that says so.

use super::docs::run;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const CLUSTER: &str = "apiVersion: v1
kind: Config
current-context: x
contexts: [{name: x, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: u, user: {token: t}}]
";

#[test]
fn a_kubeconfig_that_cannot_be_used_is_named_and_is_configuration() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("kubeconfig");
    let name = path.to_str().unwrap();
    let login = "exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-login, interactiveMode: Never}";
    let authority = "server: 'https://127.0.0.1:1', certificate-authority: ca.pem";
    for (bytes, part) in [
        (b"\xff\xfe\n".to_vec(), "kubeconfig: it begins as UTF-16"),
        (b"contexts: [".to_vec(), "kubeconfig: "),
        (CLUSTER.replace("token: t", login).into_bytes(), "no-such-login, the kubeconfig's login command, cannot be"),
        (CLUSTER.replace("server: 'http://127.0.0.1:1'", authority).into_bytes(), "/ca.pem cannot be read"),
        (Vec::new(), "has no contexts"),
    ] {
        fs::write(&path, bytes).unwrap();
        let (_, errors, code) = run(&["status"], &[("KUBECONFIG", name)], None);
        assert!(code == 3 && errors.contains(part) && errors.lines().count() == 1, "{code}: {errors}");
    }
}

#[test]
fn the_variable_with_a_missing_file_reads_the_other_one() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("kubeconfig");
    fs::write(&path, CLUSTER).unwrap();
    let both = format!("/no/such/file:{}", path.display());
    let (_, errors, code) = run(&["rollback", "--break-glass"], &[("KUBECONFIG", both.as_str())], None);
    assert!(code == 15 && !errors.contains("kubeconfig"), "{code}: {errors}");
}

#[test]
fn a_login_command_that_fails_is_no_configuration() {
    let place = tempfile::tempdir().unwrap();
    let command = place.path().join("login");
    fs::write(&command, "#!/bin/sh\necho AADSTS70043 >&2\nexit 1\n").unwrap();
    fs::set_permissions(&command, fs::Permissions::from_mode(0o700)).unwrap();
    let path = place.path().join("kubeconfig");
    let login = "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./login, interactiveMode: Never}";
    fs::write(&path, CLUSTER.replace("token: t", login)).unwrap();
    let (_, errors, code) = run(&["status", "--kubeconfig", path.to_str().unwrap()], &[], None);
    assert!(code == 15 && errors.contains("AADSTS70043"), "{code}: {errors}");
}

#[test]
fn a_command_line_that_cannot_work_here_is_no_fault() {
    let lines: [&[&str]; 4] =
        [&["export", "customers", "-o", "json"], &["export", "audit", "-o", "csv"], &["man", "foo"], &["demo"]];
    for line in lines {
        let (_, errors, code) = run(line, &[], None);
        assert_eq!(code, 2, "{line:?}: {errors}");
    }
}

#[test]
fn the_variable_that_names_a_plan_is_no_file_of_manifests() {
    let (said, errors, code) = run(&["manifests"], &[("PILOTHOUSE_PLAN", "trackx")], None);
    assert!(code == 0 && said.contains("kind: CustomResourceDefinition"), "{errors}");
    let (_, errors, code) = run(&["manifests", "--plan", "trackx"], &[("PILOTHOUSE_PLAN", "other")], None);
    assert!(code == 3 && errors.contains("read the plan in trackx"), "{errors}");
}

#[test]
fn help_that_cannot_be_written_is_a_failure() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_pilothouse"));
    let output = program.arg("--help").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}
