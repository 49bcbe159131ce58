//! `init`: the files that adopt what runs today. Reads and prints; nothing in the cluster is changed.

use super::args::InitArgs;
use super::code::{Code, Failure};
use crate::api::{
    ADOPT_KINDS, Adopt, AdoptFile, Adoption, Clusters, Found, adopt, is_keeper, keeper_route, keeps, metrics_services,
    provider,
};
use crate::cluster::{Browsed, ReadClient, Wanted, browse, survey};
use crate::core::{GatewaySurvey, request_of};
use crate::model::{Customer, Finding, Level, Span, name_of, parse_customers};
use crate::routing::check;
use crate::ui::Safe;
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How long reading everything may take.
const DEADLINE: Span = Span::seconds(20);

/// Says what is to be adopted; reads the list of customers where one is named.
///
/// # Errors
/// Names everything that is wrong with the list.
pub(super) fn wanted(
    args: &InitArgs,
    namespace: &str,
    plan: Option<String>,
    metrics_url: Option<String>,
) -> Result<Adopt, Failure> {
    Ok(Adopt {
        namespace: namespace.to_owned(),
        plan: plan.unwrap_or_else(|| args.deployment.clone()),
        deployment: args.deployment.clone(),
        service: args.service.clone(),
        route: args.route.clone(),
        header: args.header.clone(),
        customers: args.customers.as_deref().map(customers).transpose()?,
        metrics_url,
        metrics_service: None,
    })
}

/// Reads the cluster and makes the files.
///
/// # Errors
/// Names everything that makes an adoption impossible, at once, each with what to do.
pub async fn init(client: &ReadClient, ask: &Adopt) -> Result<Adoption, Failure> {
    let Looked { found, routes, metrics } = look(client).await?;
    let ask = &Adopt { metrics_service: metrics, ..ask.clone() };
    let mut adoption = adopt(ask, &found).map_err(|findings| refused(&findings))?;
    let patched = patched(ask, &adoption, &routes)?;
    // The route is judged as it will be, by the same rules as before a release.
    let others: Vec<&Value> = routes.iter().filter(|route| name_of(route) != ask.route).collect();
    let (refusals, warnings): (Vec<Finding>, Vec<Finding>) =
        check(Some(&patched), &others, &adoption.component, &ask.header)
            .into_iter()
            .partition(|finding| finding.level == Level::Refuse);
    if !refusals.is_empty() {
        return Err(refused(&refusals));
    }
    adoption.open.splice(0..0, warnings);
    keep(client, &mut adoption, &patched, &others).await?;
    Ok(adoption)
}

/// Writes the files into a folder and says what to do with them; no file is overwritten.
///
/// # Errors
/// Names every file that exists already, or the one that cannot be written.
pub(super) fn write(adoption: &Adoption, folder: &Path) -> Result<String, Failure> {
    let path = |file: &AdoptFile| folder.join(file.name);
    let taken: Vec<&str> = adoption.files.iter().filter(|file| path(file).exists()).map(|file| file.name).collect();
    if !taken.is_empty() {
        return Err(Failure::new(
            Code::Refused,
            format!(
                "{} holds {} already; nothing was written: name another folder with -o",
                folder.display(),
                taken.join(", ")
            ),
        ));
    }
    let wrong = |path: &Path, error: std::io::Error| {
        Failure::new(Code::Fault, format!("write {}: {error}; name another folder with -o", path.display()))
    };
    fs::create_dir_all(folder).map_err(|error| wrong(folder, error))?;
    for file in &adoption.files {
        let path = path(file);
        // A Deployment may hold values that are not for everybody.
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        opened.and_then(|mut out| out.write_all(file.text.as_bytes())).map_err(|error| wrong(&path, error))?;
    }
    let mut out = format!(
        "{} files are in {}; nothing in the cluster was changed. In this order:\n\n",
        adoption.files.len(),
        folder.display()
    );
    for file in &adoption.files {
        let at = path(file);
        match file.apply.as_str() {
            "" => out.push_str(&format!("  read {}\n", at.display())),
            apply => out.push_str(&format!("  {}\n", apply.replace(file.name, &at.display().to_string()))),
        }
    }
    out.push_str(&open(adoption, ""));
    Ok(out)
}

/// Puts all files into one YAML stream: what is no YAML stands in comments, so that the stream stays one.
pub fn stream(adoption: &Adoption) -> String {
    let mut out = String::from(
        "# Printed by pilothouse init; nothing in the cluster was changed. With -o DIR each file is one of its own.\n",
    );
    for file in &adoption.files {
        let what = if file.apply.is_empty() { "to be read" } else { file.apply.as_str() };
        out.push_str(&format!("#\n{}", commented(&format!("======== {}: {what}", file.name))));
        if file.name.ends_with(".yaml") {
            out.push_str(if file.text.starts_with("---") { "" } else { "---\n" });
            out.push_str(&file.text);
        } else {
            out.push_str(&commented(&file.text));
        }
    }
    out.push_str(&open(adoption, "# "));
    out
}

/// Lists what could not be decided.
fn open(adoption: &Adoption, prefix: &str) -> String {
    let mut out =
        format!("{prefix}\n{prefix}What objects do not say; look at each before the first release:\n{prefix}\n");
    for finding in &adoption.open {
        let sign = if finding.level == Level::Note { '-' } else { '!' };
        out.push_str(&format!("{prefix}{sign} {}\n", Safe::whole(&finding.text)));
    }
    out
}

struct Looked {
    found: Found,
    routes: Vec<Value>,
    /// The one Service that looks like a metrics source.
    metrics: Option<(String, String)>,
}

async fn look(client: &ReadClient) -> Result<Looked, Failure> {
    let mut wanted: Vec<Wanted<'_>> = ADOPT_KINDS
        .iter()
        .map(|kind| Wanted { group: kind.group, plural: kind.plural, everywhere: kind.everywhere })
        .collect();
    wanted.push(Wanted { group: "", plural: "services", everywhere: true });
    let mut answers = browse(client, &wanted, DEADLINE)
        .await
        .map_err(|why| Failure::new(Code::Unreachable, format!("the API server cannot be read: {why}")))?;
    let metrics = match answers.pop() {
        Some(Browsed::Objects { objects, .. }) => metrics_services(&objects),
        _ => Vec::new(),
    };
    let metrics = <[(String, String); 1]>::try_from(metrics).ok().map(|[one]| one);
    let (mut found, mut routes, mut missing) = (Found::default(), Vec::new(), Vec::new());
    for (kind, answer) in ADOPT_KINDS.iter().zip(answers) {
        match answer {
            Browsed::Objects { version, objects } => {
                if kind.kind == "HTTPRoute" {
                    routes.clone_from(&objects);
                }
                found.add(kind, &version, objects);
            }
            Browsed::NotServed if kind.kind == "HTTPRoute" => {}
            Browsed::NotServed if kind.is_needed() => {
                missing.push(format!("the cluster serves no {}", kind.qualified()))
            }
            Browsed::NotServed => {}
            Browsed::Unread(why) if kind.is_needed() => {
                missing.push(format!(
                    "{} cannot be read: {why}; ask for the rights to get and list them",
                    kind.qualified()
                ));
            }
            Browsed::Unread(why) => found.unread.push((kind, why)),
        }
    }
    if missing.is_empty() {
        Ok(Looked { found, routes, metrics })
    } else {
        Err(Failure::new(Code::Unreachable, missing.join("\n")))
    }
}

/// Returns the base route as the patch makes it.
fn patched(ask: &Adopt, adoption: &Adoption, routes: &[Value]) -> Result<Value, Failure> {
    let broken =
        |why: String| Failure::new(Code::Fault, format!("the patch of HTTPRoute {} does not apply: {why}", ask.route));
    let base = routes.iter().find(|route| name_of(route) == ask.route);
    let mut route = base.cloned().ok_or_else(|| broken("it is not there any more".to_owned()))?;
    let patch: json_patch::Patch = serde_json::from_value(Value::Array(adoption.route_patch.clone()))
        .map_err(|error| broken(error.to_string()))?;
    json_patch::patch(&mut route, &patch).map_err(|error| broken(error.to_string()))?;
    Ok(route)
}

/// Adds a keeper route to slot b's objects where a Gateway of the route merges backends: without one a cluster exists only
/// while its Service has weight, and each shift fails some requests.
async fn keep(client: &ReadClient, adoption: &mut Adoption, base: &Value, others: &[&Value]) -> Result<(), Failure> {
    let services = [adoption.component.a.service.as_str(), adoption.component.b.service.as_str()];
    if others.iter().any(|route| is_keeper(route) && keeps(route, base, services)) {
        return Ok(());
    }
    let seen = survey(client, &request_of(base, client.namespace())).await;
    if !seen.gateways.iter().any(merges) {
        return Ok(());
    }
    let keeper = serde_saphyr::to_string(&keeper_route(base, services))
        .map_err(|error| Failure::new(Code::Fault, format!("write the keeper route: {error}")))?;
    let why =
        "# The Gateway merges backends: this route, on a hostname that nobody can use, keeps a cluster for each slot.";
    if let Some(file) = adoption.files.iter_mut().find(|file| file.name.starts_with("20-")) {
        file.text.push_str(&format!("---\n{why}\n{}\n", keeper.trim_end()));
    }
    Ok(())
}

fn merges(gateway: &GatewaySurvey) -> bool {
    let controller = gateway.class.value().and_then(|class| class["spec"]["controllerName"].as_str());
    let Clusters::PerRule { merged_by } = provider(controller.unwrap_or_default()).clusters else { return false };
    let objects = gateway.parameters.iter().filter(|one| one.kind == merged_by.of.kind);
    objects
        .filter_map(|one| one.object.value())
        .any(|object| object.pointer(merged_by.field).is_some_and(|setting| !setting.is_null()))
}

fn customers(path: &Path) -> Result<Vec<Customer>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::new(Code::Configuration, format!("the customers in {} cannot be read: {error}", path.display()))
    })?;
    parse_customers(&path.display().to_string(), &text)
        .map_err(|findings| Failure::new(Code::Configuration, lines(&findings)))
}

fn refused(findings: &[Finding]) -> Failure {
    Failure::new(Code::Refused, lines(findings))
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(|finding| finding.text.clone()).collect::<Vec<_>>().join("\n")
}

/// Puts every line into a comment, which nothing in it can end: YAML knows more line breaks than this program writes.
fn commented(text: &str) -> String {
    text.lines().map(|line| format!("# {}\n", Safe::whole(line))).collect()
}

/// Cleans a text of many lines for a terminal.
pub(super) fn for_terminal(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", Safe::whole(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Answer, ObjectName, ParametersSurvey};
    use crate::model::Component;
    use serde_json::json;

    fn adoption() -> Adoption {
        let file = |name, text: &str, apply: &str| AdoptFile { name, text: text.into(), apply: apply.into() };
        Adoption {
            files: vec![
                file("20-slot-b.yaml", "# slot b\n---\nkind: Service\n", "kubectl apply -f 20-slot-b.yaml"),
                file("30-route.patch.json", "[\n]\n", "kubectl patch --patch-file 30-route.patch.json"),
                file("60-metrics.md", "# Metrics\n\n---\n", ""),
            ],
            open: vec![Finding::warn("w", "look here"), Finding::note("n", "and here")],
            component: Component {
                name: String::new(),
                route: String::new(),
                a: crate::model::SlotPair { deployment: String::new(), service: String::new() },
                b: crate::model::SlotPair { deployment: String::new(), service: String::new() },
            },
            route_patch: Vec::new(),
        }
    }

    #[test]
    fn a_gateway_that_merges_backends_is_told_by_its_parameters() {
        let envoy = crate::api::PROVIDERS.iter().find_map(|line| match line.clusters {
            Clusters::PerRule { merged_by } => Some((line, merged_by)),
            _ => None,
        });
        let (line, setting) = envoy.unwrap();
        let crate::api::Pattern::Is(controller) = line.controllers[0] else { panic!("{:?}", line.controllers) };
        let mut object = json!({ "spec": {} });
        let gateway = |object: &Value| GatewaySurvey {
            class: Answer::Value(json!({ "spec": { "controllerName": controller } })),
            parameters: vec![ParametersSurvey {
                kind: setting.of.kind.into(),
                name: ObjectName::default(),
                object: Answer::Value(object.clone()),
            }],
            ..GatewaySurvey::default()
        };
        assert!(!merges(&gateway(&object)) && !merges(&GatewaySurvey::default()));
        object["spec"][setting.field.rsplit('/').next().unwrap()] = json!({});
        assert!(merges(&gateway(&object)));
    }

    #[test]
    fn the_stream_holds_everything_and_is_yaml_alone() {
        let text = stream(&adoption());
        let documents: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(documents, ["---", "---", "kind: Service"]);
        for part in ["# [", "# # Metrics", "# ---", "# ! look here", "# - and here", "kubectl patch --patch-file"] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
    }

    #[test]
    fn no_foreign_text_leaves_its_comment() {
        let mut adoption = adoption();
        let breaks = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
        for end in breaks {
            let text = format!("could not be read (denied{end}kind: ClusterRole)");
            adoption.open.push(Finding::warn("w", text));
            adoption.files[1].text.push_str(&format!("\"x{end}kind: ClusterRole\"\n"));
            adoption.files[2].apply.push_str(&format!("read{end}kind: ClusterRole"));
        }
        let text = stream(&adoption);
        let outside: Vec<&str> = text.split(breaks).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(outside, ["---", "---", "kind: Service"]);
        let listed = open(&adoption, "");
        assert_eq!(listed.lines().filter(|line| line.contains("kind: ClusterRole")).count(), breaks.len());
        assert!(listed.lines().all(|line| !line.starts_with("kind")), "{listed}");
    }

    #[test]
    fn files_are_written_for_their_owner_alone_and_never_over_others() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("adoption");
        let said = write(&adoption(), &target).unwrap();
        let route = target.join("30-route.patch.json");
        assert!(said.contains(&format!("kubectl patch --patch-file {}", route.display())), "{said}");
        assert_eq!(fs::read_to_string(&route).unwrap(), "[\n]\n");
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&route).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);

        fs::remove_file(&route).unwrap();
        let refused = write(&adoption(), &target).unwrap_err();
        assert!(refused.text.contains("20-slot-b.yaml, 60-metrics.md"), "{refused}");
        assert!(!route.exists(), "nothing is written beside what is there");
    }

    #[test]
    fn what_a_cluster_holds_cannot_act_on_the_terminal() {
        assert_eq!(for_terminal("a: b\u{1b}]52;c;x\u{7}\n  c\n"), "a: b?]52;c;x?\n  c\n");
        let long = "x".repeat(3000);
        assert_eq!(for_terminal(&long).trim_end(), long, "a long line stays whole");
    }
}
