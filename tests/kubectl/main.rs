//! The real kubectl against `pilothouse demo --serve`, verb by verb, and a second console that drives it.

mod served;

use served::served;
use std::os::unix::fs::PermissionsExt;

/// The columns of a line of output.
fn columns(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn the_first_line_is_a_private_kubeconfig_that_is_gone_after_the_end() {
    let Some(mut cluster) = served() else { return };
    let mode = std::fs::metadata(&cluster.kubeconfig).unwrap().permissions().mode();
    let folder = std::fs::metadata(cluster.kubeconfig.parent().unwrap()).unwrap().permissions().mode();
    assert_eq!((mode & 0o777, folder & 0o777), (0o600, 0o700));
    assert!(cluster.ok(&["version"]).contains("Server Version: v1.37"));
    assert!(cluster.interrupt(), "an interrupt is the normal end");
    assert!(!cluster.kubeconfig.parent().unwrap().exists());
}

#[test]
fn get_prints_our_columns_and_every_form_of_output() {
    let Some(cluster) = served() else { return };
    let plans = cluster.ok(&["get", "rolloutplans"]);
    let lines: Vec<&str> = plans.lines().collect();
    assert_eq!(columns(lines[0]), ["NAME", "ENVIRONMENT", "ROUTE", "RELEASE", "AGE"]);
    assert_eq!(columns(lines[1])[..3], ["trackx", "prod", "trackx"]);
    let releases = cluster.ok(&["get", "releases"]);
    let heads = columns(releases.lines().next().unwrap());
    assert_eq!(heads, ["NAME", "VERSION", "PHASE", "WAVE", "HELD", "BY", "BLOCKED", "DRIVER", "AGE"]);
    assert!(releases.contains("trackx-4-12-0") && releases.contains("4.12.0"));
    let wide = cluster.ok(&["get", "pods", "-o", "wide", "-l", "pilothouse.dev/slot=a"]);
    assert_eq!(
        columns(wide.lines().next().unwrap()),
        ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED", "NODE", "READINESS", "GATES"]
    );
    assert_eq!(wide.lines().count(), 5, "four pods of slot a:\n{wide}");
    assert_eq!(cluster.ok(&["get", "deploy", "trackx", "-o", "name"]), "deployment.apps/trackx\n");
    assert_eq!(cluster.ok(&["get", "deploy", "trackx", "-o", "jsonpath={.spec.replicas}"]), "4");
    assert!(cluster.ok(&["get", "httproute", "trackx", "-o", "yaml"]).contains("hostnames:\n  - trackx.example"));
    assert!(cluster.ok(&["get", "pods", "-A"]).lines().next().unwrap().starts_with("NAMESPACE"));
    assert!(cluster.ok(&["get", "all"]).contains("service/trackx-b"));
    assert!(cluster.ok(&["get", "nodes"]).contains("Ready"));
    assert!(cluster.refused(&["get", "release", "none"]).contains(r#"releases.pilothouse.dev "none" not found"#));
}

#[test]
fn get_w_follows_what_happens() {
    let Some(cluster) = served() else { return };
    let mut pods = cluster.follow(&["get", "pods", "-w", "-l", "pilothouse.dev/slot=b"]);
    let mut slot = cluster.follow(&["get", "deploy", "trackx-b", "-w"]);
    slot.until(&["trackx-b", "0/0"]);
    cluster.ok(&["scale", "deploy", "trackx-b", "--replicas=1"]);
    pods.until(&["trackx-b-", "1/1", "Running"]);
    slot.until(&["trackx-b", "1/1"]);
    cluster.ok(&["scale", "deploy", "trackx-b", "--replicas=0"]);
    pods.until(&["trackx-b-", "Terminating"]);
    slot.until(&["trackx-b", "0/0"]);
}

#[test]
fn describe_shows_every_kind_of_object() {
    let Some(cluster) = served() else { return };
    let deployment = cluster.ok(&["describe", "deploy", "trackx"]);
    assert!(deployment.contains("4 desired | 4 updated | 4 total | 4 available"), "{deployment}");
    assert!(cluster.ok(&["describe", "pods", "-l", "pilothouse.dev/slot=a"]).contains("Status:       Running"));
    let route = cluster.ok(&["describe", "httproute", "trackx"]);
    assert!(route.contains("Type:                  Accepted") || route.contains("Accepted"), "{route}");
    assert!(cluster.ok(&["describe", "release"]).contains("Version:       4.12.0"));
    assert!(cluster.ok(&["describe", "service", "trackx"]).contains("Endpoints"));
    assert!(cluster.ok(&["describe", "node", "embedded-0"]).contains("Non-terminated Pods"));
}

#[test]
fn patch_knows_all_three_forms_and_refuses_what_does_not_hold() {
    let Some(cluster) = served() else { return };
    let note = |cluster: &served::Served| {
        cluster.ok(&["get", "httproute", "trackx", "-o", "jsonpath={.metadata.annotations.note}"])
    };
    let merge = ["patch", "httproute", "trackx", "--type=merge", "-p", r#"{"metadata":{"annotations":{"note":"1"}}}"#];
    cluster.ok(&merge);
    assert_eq!(note(&cluster), "1");
    assert!(cluster.ok(&merge).contains("patched (no change)"));
    let json = |test: &str| {
        format!(
            r#"[{{"op":"test","path":"/metadata/annotations/note","value":"{test}"}},{{"op":"replace","path":"/metadata/annotations/note","value":"2"}}]"#
        )
    };
    cluster.ok(&["patch", "httproute", "trackx", "--type=json", "-p", &json("1")]);
    assert_eq!(note(&cluster), "2");
    let stale = cluster.refused(&["patch", "httproute", "trackx", "--type=json", "-p", &json("1")]);
    assert!(stale.contains("the server rejected our request due to an error in our request"), "{stale}");
    let strategic =
        r#"{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"registry.example/app:9"}]}}}}"#;
    cluster.ok(&["patch", "deploy", "trackx-b", "-p", strategic]);
    let template = "jsonpath={.spec.template.spec.containers[*].image} {.spec.template.spec.containers[*].name}";
    assert_eq!(cluster.ok(&["get", "deploy", "trackx-b", "-o", template]), "registry.example/app:9 app");
    let weight = r#"[{"op":"replace","path":"/spec/rules/0/backendRefs/0/weight","value":-1}]"#;
    let bad = cluster.refused(&["patch", "httproute", "trackx", "--type=json", "-p", weight]);
    assert!(bad.contains("spec.rules[0].backendRefs[0].weight"), "{bad}");
}

#[test]
fn annotate_and_label_change_only_what_they_are_told_to() {
    let Some(cluster) = served() else { return };
    cluster.ok(&["annotate", "httproute", "trackx", "team=web"]);
    let taken = cluster.refused(&["annotate", "httproute", "trackx", "team=api"]);
    assert!(taken.contains("--overwrite is false"), "{taken}");
    cluster.ok(&["annotate", "httproute", "trackx", "team=api", "--overwrite"]);
    cluster.ok(&["label", "deploy", "trackx", "tier=front"]);
    assert_eq!(cluster.ok(&["get", "deploy", "-l", "tier=front", "-o", "name"]), "deployment.apps/trackx\n");
    cluster.ok(&["annotate", "httproute", "trackx", "team-"]);
    assert_eq!(cluster.ok(&["get", "httproute", "trackx", "-o", "jsonpath={.metadata.annotations}"]), "");
}

const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hello}\ndata: {greeting: ONE}\n";

#[test]
fn apply_creates_configures_and_leaves_alone_from_either_side() {
    let Some(cluster) = served() else { return };
    let one = cluster.file("one.yaml", CONFIG);
    let two = cluster.file("two.yaml", &CONFIG.replace("ONE", "TWO"));
    let value = |cluster: &served::Served| cluster.ok(&["get", "cm", "hello", "-o", "jsonpath={.data.greeting}"]);
    assert_eq!(cluster.ok(&["apply", "-f", &one]), "configmap/hello created\n");
    assert_eq!(cluster.ok(&["apply", "-f", &one]), "configmap/hello unchanged\n");
    assert_eq!(cluster.ok(&["apply", "-f", &two]), "configmap/hello configured\n");
    assert_eq!(value(&cluster), "TWO");
    assert_eq!(cluster.ok(&["apply", "-f", &one, "--dry-run=server"]), "configmap/hello configured (server dry run)\n");
    assert_eq!(value(&cluster), "TWO");
    // Older ones do not say from where.
    assert!(cluster.ok(&["delete", "-f", &one]).starts_with("configmap \"hello\" deleted"));
    assert_eq!(cluster.ok(&["apply", "--server-side", "-f", &one]), "configmap/hello serverside-applied\n");
    assert_eq!(value(&cluster), "ONE");
}

/// Who owns fields of an object: manager and operation, in the order of the record.
fn managers(cluster: &served::Served, what: &[&str]) -> String {
    let path = "jsonpath={range .metadata.managedFields[*]}{.manager}/{.operation} {end}";
    cluster.ok(&[&["get"], what, &["--show-managed-fields", "-o", path]].concat())
}

#[test]
fn server_side_apply_refuses_what_others_own_until_it_is_forced() {
    let Some(cluster) = served() else { return };
    let one = cluster.file("one.yaml", CONFIG);
    let two = cluster.file("two.yaml", &CONFIG.replace("ONE", "TWO"));
    let more = cluster.file("more.yaml", &CONFIG.replace("greeting: ONE", "other: MORE"));
    let data = |cluster: &served::Served| cluster.ok(&["get", "cm", "hello", "-o", "jsonpath={.data}"]);
    cluster.ok(&["apply", "--server-side", "-f", &one]);
    let by_ci = ["apply", "--server-side", "--field-manager=ci", "-f", &two];
    let refused = cluster.refused(&by_ci);
    assert!(refused.contains(r#"Apply failed with 1 conflict: conflict with "kubectl": .data.greeting"#), "{refused}");
    assert!(refused.contains("--force-conflicts"), "kubectl knows what it is: {refused}");
    assert_eq!(data(&cluster), r#"{"greeting":"ONE"}"#);
    cluster.ok(&[&by_ci[..], &["--force-conflicts"]].concat());
    assert_eq!(data(&cluster), r#"{"greeting":"TWO"}"#);
    assert_eq!(managers(&cluster, &["cm", "hello"]), "ci/Apply ");
    cluster.ok(&["apply", "--server-side", "-f", &more]);
    assert_eq!(data(&cluster), r#"{"greeting":"TWO","other":"MORE"}"#);
    cluster.ok(&["apply", "--server-side", "--field-manager=ci", "-f", &more]);
    assert_eq!(data(&cluster), r#"{"other":"MORE"}"#);
    let edited = ["patch", "cm", "hello", "--type=merge", "-p", r#"{"data":{"other":"EDITED"}}"#];
    cluster.ok(&edited);
    let refused = cluster.refused(&["apply", "--server-side", "-f", &more]);
    assert!(refused.contains(r#"conflict with "kubectl-patch" using v1: .data.other"#), "{refused}");
    assert!(!cluster.ok(&["get", "cm", "hello", "-o", "yaml"]).contains("managedFields"));
}

#[test]
fn server_side_apply_takes_over_from_client_side_apply_without_a_conflict() {
    let Some(cluster) = served() else { return };
    let one = cluster.file("one.yaml", CONFIG);
    let two = cluster.file("two.yaml", &CONFIG.replace("greeting: ONE", "other: TWO"));
    cluster.ok(&["apply", "-f", &one]);
    assert_eq!(managers(&cluster, &["cm", "hello"]), "kubectl-client-side-apply/Update ");
    cluster.ok(&["apply", "--server-side", "-f", &two]);
    assert_eq!(cluster.ok(&["get", "cm", "hello", "-o", "jsonpath={.data}"]), r#"{"other":"TWO"}"#);
    let left = managers(&cluster, &["cm", "hello"]);
    assert!(left.contains("kubectl/Apply") && !left.contains("client-side"), "{left}");
    // The annotation has followed, so a client-side apply knows what to remove.
    cluster.ok(&["apply", "-f", &one]);
    assert_eq!(cluster.ok(&["get", "cm", "hello", "-o", "jsonpath={.data}"]), r#"{"greeting":"ONE"}"#);
}

#[test]
fn lists_are_owned_item_by_item_and_the_rules_of_a_route_as_one() {
    let Some(cluster) = served() else { return };
    let side = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: trackx-b}\nspec:\n  template:\n    spec:\n      \
                containers:\n      - {name: app, env: [{name: EXTRA, value: yes}]}\n";
    let side = side.replace("yes", "\"1\"");
    let file = cluster.file("env.yaml", &side);
    let apply = ["apply", "--server-side", "--field-manager=ci", "-f", &file];
    cluster.ok(&apply);
    let image = "jsonpath={.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env[?(@.name=='EXTRA')].value}";
    let before = cluster.ok(&["get", "deploy", "trackx-b", "-o", image]);
    assert!(before.contains(':') && before.ends_with(" 1"), "{before}");
    let own = cluster.file("image.yaml", &side.replace("name: app,", "name: app, image: registry.example/app:9,"));
    let refused = cluster.refused(&["apply", "--server-side", "--field-manager=ci", "-f", &own]);
    assert!(refused.contains(r#".spec.template.spec.containers[name="app"].image"#), "{refused}");
    let route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: trackx}\nspec:\n  rules:\n  \
                 - backendRefs: [{name: trackx-b, port: 80}]\n";
    let file = cluster.file("route.yaml", route);
    let refused = cluster.refused(&["apply", "--server-side", "-f", &file]);
    assert!(refused.contains(r#"conflict with "setup" using gateway.networking.k8s.io/v1: .spec.rules"#), "{refused}");
}

#[test]
fn apply_of_a_custom_resource_is_checked_by_its_schema() {
    let Some(cluster) = served() else { return };
    let release = "apiVersion: pilothouse.dev/v1alpha1\nkind: Release\nmetadata: {name: trackx-4-13-0}\n\
                   spec: {plan: trackx, version: 4.13.0, requestedBy: ci}\n";
    let good = cluster.file("release.yaml", release);
    assert_eq!(cluster.ok(&["apply", "-f", &good]), "release.pilothouse.dev/trackx-4-13-0 created\n");
    assert!(cluster.ok(&["get", "releases"]).contains("4.13.0"));
    let bad = cluster.file("bad.yaml", &release.replace("version: 4.13.0, ", ""));
    let why = cluster.refused(&["create", "-f", &bad]);
    assert!(why.contains("spec.version"), "{why}");
    assert!(cluster.ok(&["explain", "release.spec.hold"]).contains("FIELD: hold"));
}

#[test]
fn what_manifests_prints_can_be_applied() {
    let Some(cluster) = served() else { return };
    let printed = cluster.pilothouse(&["manifests"]);
    assert!(printed.ok, "{}", printed.err);
    let file = cluster.file("manifests.yaml", &printed.out);
    assert!(cluster.ok(&["apply", "--server-side", "--force-conflicts", "-f", &file]).contains("pilothouse-operator"));
    assert!(cluster.ok(&["get", "roles", "--namespace", "default"]).contains("pilothouse-viewer"));
}

#[test]
fn delete_waits_until_the_object_is_gone() {
    let Some(cluster) = served() else { return };
    cluster.ok(&["scale", "deploy", "trackx-b", "--replicas=1"]);
    cluster.ok(&["wait", "--for=condition=Available", "deploy/trackx-b", "--timeout=60s"]);
    let pod = cluster.ok(&["get", "pods", "-l", "pilothouse.dev/slot=b", "-o", "name"]);
    cluster.ok(&["delete", pod.trim()]);
    assert!(cluster.refused(&["get", pod.trim()]).contains("not found"));
    assert!(cluster.refused(&["delete", "release", "none"]).contains("not found"));
    assert!(cluster.ok(&["delete", "release", "none", "--ignore-not-found"]).is_empty());
}

#[test]
fn wait_sees_conditions_fields_and_ends_and_gives_up_in_time() {
    let Some(cluster) = served() else { return };
    cluster.ok(&["scale", "deploy", "trackx-b", "--replicas=2"]);
    cluster.ok(&["rollout", "status", "deploy/trackx-b", "--timeout=60s"]);
    cluster.ok(&["wait", "--for=jsonpath={.status.readyReplicas}=2", "deploy/trackx-b", "--timeout=60s"]);
    cluster.ok(&["scale", "deploy", "trackx-b", "--replicas=0"]);
    cluster.ok(&["wait", "--for=delete", "pod", "-l", "pilothouse.dev/slot=b", "--timeout=60s"]);
    let late = cluster.refused(&["wait", "--for=jsonpath={.status.readyReplicas}=9", "deploy/trackx", "--timeout=1s"]);
    assert!(late.contains("timed out waiting"), "{late}");
}

#[test]
fn scale_reads_and_writes_the_subresource() {
    let Some(cluster) = served() else { return };
    cluster.ok(&["scale", "deploy", "trackx-b", "--replicas=1"]);
    assert_eq!(cluster.ok(&["get", "deploy", "trackx-b", "-o", "jsonpath={.spec.replicas}"]), "1");
    let unmet = cluster.refused(&["scale", "deploy", "trackx-b", "--current-replicas=5", "--replicas=2"]);
    assert!(unmet.contains("Expected replicas to be 5, was 1"), "{unmet}");
    let scale =
        cluster.ok(&["get", "deploy", "trackx-b", "--subresource=scale", "-o", "jsonpath={.kind} {.spec.replicas}"]);
    assert_eq!(scale, "Scale 1");
}

#[test]
fn questions_about_oneself_and_about_the_server_are_answered() {
    let Some(cluster) = served() else { return };
    assert_eq!(cluster.ok(&["auth", "can-i", "patch", "httproutes"]), "yes\n");
    assert!(cluster.ok(&["auth", "whoami"]).contains("demo@embedded"));
    assert!(cluster.ok(&["auth", "can-i", "--list"]).contains("*.*"));
    let resources = cluster.ok(&["api-resources"]);
    for name in ["rolloutplans", "releases", "httproutes", "deployments", "nodes"] {
        assert!(resources.contains(name), "{resources}");
    }
    assert!(cluster.ok(&["logs", "deploy/trackx"]).contains("simulated"));
}

#[test]
fn a_second_console_drives_the_cluster_and_kubectl_sees_it() {
    let Some(cluster) = served() else { return };
    let mut releases = cluster.follow(&["get", "releases", "-w"]);
    releases.until(&["trackx-4-12-0"]);
    let started = cluster.pilothouse(&["start", "4.12.0", "--yes", "4.12.0"]);
    assert!(started.ok, "{}{}", started.out, started.err);
    releases.until(&["trackx-4-12-0", "Ready", "dana@"]);
    let routes = cluster.ok(&["get", "httproutes", "-l", "app.kubernetes.io/managed-by=pilothouse", "-o", "name"]);
    assert!(routes.lines().count() >= 1, "{routes}");
    let hold = r#"{"spec":{"hold":{"by":"kim","reason":"look","at":"2026-11-25T00:00:00Z"}}}"#;
    cluster.ok(&["patch", "release", "trackx-4-12-0", "--type=merge", "-p", hold]);
    releases.until(&["trackx-4-12-0", "kim"]);
    let next = cluster.pilothouse(&["next", "--yes", "internal"]);
    assert!(!next.ok && next.err.contains("held by kim"), "{}{}", next.out, next.err);
    let back = cluster.pilothouse(&["rollback", "enough seen"]);
    assert!(back.ok, "{}{}", back.out, back.err);
    releases.until(&["trackx-4-12-0", "RolledBack"]);
}
