//! Freezing: what a release is about is decided once, when it starts.

use super::world::{DeploymentView, World};
use super::{Command, State};
use crate::api::{Before, Commit, Frozen, SlotVersion};
use crate::model::{
    DeployedBy, Finding, MAX_LABEL, Membership, Plan, ResourceKind, Slot, VERSION_LABEL, Version, dns_label,
    image_faults, is_label, nearest_label, resolve,
};
use crate::routing::active_slot;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What is to be started.
#[derive(Clone, Debug, PartialEq)]
pub struct StartRequest {
    /// A Release that exists already.
    pub release: Option<String>,
    /// The version.
    pub version: Version,
    /// The image that was asked for; `None` = the active slot's repository with the version as tag.
    pub image: Option<String>,
    /// The commit.
    pub commit: Option<Commit>,
}

/// The check that the pipeline has deployed the version that is asked for.
const PIPELINE_VERSION: &str = "slot.pipeline-version";
/// The check that the version does not serve already.
const SAME_VERSION: &str = "slot.same-version";
/// The rule that a start names what is to be started.
pub const NO_VERSION: &str = "start.what";
/// How much of a name that cannot be used is repeated, in characters.
const QUOTED: usize = 40;

impl StartRequest {
    /// Reads a start command; a proposed release brings its own version and image.
    ///
    /// A version alone, or a name in its place, means the proposed release of it where there is one.
    pub fn of(state: &State, command: &Command) -> Option<Self> {
        let Command::Start { release, version, image, commit } = command else { return None };
        let proposed = match version {
            Some(wanted) if image.is_none() && commit.is_none() => state.plan_name().and_then(|plan| {
                let mut proposed = state.world.proposed(&plan).into_iter();
                proposed.find(|read| read.spec.version == *wanted || read.name == wanted.as_str())
            }),
            _ => None,
        };
        if let Some(name) = release.as_ref().or(proposed.map(|read| &read.name)) {
            let read = state.world.release(name)?;
            return Some(Self {
                release: Some(name.clone()),
                version: read.spec.version.clone(),
                image: read.spec.image.clone(),
                commit: read.spec.commit.clone(),
            });
        }
        Some(Self { release: None, version: version.clone()?, image: image.clone(), commit: commit.clone() })
    }
}

/// Makes the frozen part of a release.
///
/// # Errors
/// Returns every finding that makes it impossible.
pub fn freeze(world: &World, plan: &Plan, request: &StartRequest, placeholder: String) -> Result<Frozen, Vec<Finding>> {
    let mut findings = Vec::new();
    let membership = membership(world, plan).unwrap_or_else(|found| {
        findings.extend(found);
        Membership { waves: Vec::new() }
    });
    let base = world.get(ResourceKind::HTTPRoute, &plan.component.route);
    let active = match base.map(|base| active_slot(base, &plan.component)) {
        Some(Ok(slot)) => Some(slot),
        Some(Err(finding)) => {
            findings.push(finding);
            None
        }
        // That the base is missing is a finding of the routing check.
        None => None,
    };
    let versions = active.and_then(|slot| slot_versions(world, plan, request, slot, &mut findings));
    let Some((old, new, replicas)) = versions else { return Err(findings) };
    if !findings.is_empty() {
        return Err(findings);
    }
    let spec = world.get(ResourceKind::RolloutPlan, &plan.name).map_or(Value::Null, |object| object["spec"].clone());
    let hash = frozen_hash(&spec, &membership, &new.image);
    Ok(Frozen {
        hash,
        plan: spec,
        old,
        new,
        placeholder,
        waves: membership.waves,
        before: Before { replicas: replicas.into_iter().map(|(slot, n)| (slot.to_string(), n)).collect() },
    })
}

/// Says what speaks against this version in particular, and what the slots say against any: without a request, that alone.
pub fn version_findings(world: &World, plan: &Plan, request: Option<&StartRequest>) -> Vec<Finding> {
    let mut findings = request.map(name_findings).unwrap_or_default();
    let base = world.get(ResourceKind::HTTPRoute, &plan.component.route);
    // Without a serving slot the routes have a finding.
    let Some(active) = base.and_then(|base| active_slot(base, &plan.component).ok()) else { return findings };
    let any = StartRequest { release: None, version: "".into(), image: None, commit: None };
    slot_versions(world, plan, request.unwrap_or(&any), active, &mut findings);
    if request.is_none() {
        findings.retain(|finding| ![PIPELINE_VERSION, SAME_VERSION].contains(&finding.check.as_str()));
    }
    findings
}

/// Says for which names the API server or the kubelet would stop the start half-way, with the plan locked.
///
/// A version becomes a label of the Deployment and its pods. What can be a label has a letter or a digit, so
/// [`free_name`] can make a Release's name of it, and it is a tag, too.
fn name_findings(request: &StartRequest) -> Vec<Finding> {
    let quoted = |text: &str| {
        let more = if text.chars().count() > QUOTED { "..." } else { "" };
        format!("{:?}{more}", text.chars().take(QUOTED).collect::<String>())
    };
    let mut findings = Vec::new();
    let version = request.version.as_str();
    if version.is_empty() || !is_label(version) {
        let near = nearest_label(version);
        let such = if near.is_empty() { String::new() } else { format!(", such as {near}") };
        findings.push(Finding::refuse(
            "start.version",
            format!(
                "version {} cannot be the label {VERSION_LABEL}: name it with 1 to {MAX_LABEL} letters, digits, '-', '_' and '.', a letter or a digit at both ends{such}",
                quoted(version)
            ),
        ));
    }
    let faults = request.image.as_deref().map(image_faults).unwrap_or_default();
    if !faults.is_empty() {
        findings.push(Finding::refuse(
            "start.image",
            format!(
                "image {} cannot be pulled: {}; name it as repository[:tag][@digest]",
                quoted(request.image.as_deref().unwrap_or_default()),
                faults.join("; ")
            ),
        ));
    }
    findings
}

/// Resolves who is in which wave now.
///
/// # Errors
/// Returns every finding about customers and rings.
pub fn membership(world: &World, plan: &Plan) -> Result<Membership, Vec<Finding>> {
    resolve(&plan.name, &plan.rings, world.customers(plan)?)
}

/// Returns a free name for a release of this version: `<plan>-<version>`, with a number where that is taken.
pub fn free_name(world: &World, plan: &str, version: &Version) -> String {
    let base = format!("{}-{}", dns_label(plan, 40), dns_label(version.as_str(), 15));
    if world.release(&base).is_none() {
        return base;
    }
    (2u32..).map(|n| format!("{base}-{n}")).find(|name| world.release(name).is_none()).unwrap_or(base)
}

/// Returns an image's repository with another tag; a digest goes.
pub fn with_tag(image: &str, tag: &str) -> String {
    let plain = image.split('@').next().unwrap_or(image);
    let after_slash = plain.rfind('/').map_or(0, |i| i + 1);
    let repository = match plain.get(after_slash..).and_then(|name| name.find(':')) {
        Some(colon) => plain.get(..after_slash + colon).unwrap_or(plain),
        None => plain,
    };
    format!("{repository}:{tag}")
}

type Versions = (SlotVersion, SlotVersion, Vec<(Slot, u32)>);

fn slot_versions(
    world: &World,
    plan: &Plan,
    request: &StartRequest,
    active: Slot,
    findings: &mut Vec<Finding>,
) -> Option<Versions> {
    let idle = active.other();
    let pair = |slot: Slot| &plan.component.pair(slot).deployment;
    let (Some(serving), Some(resting)) =
        (world.deployment(&plan.component, active), world.deployment(&plan.component, idle))
    else {
        // Missing Deployments are findings of the preflight.
        return None;
    };
    let Some(version) = serving.running().map(str::to_owned) else {
        findings.push(Finding::refuse(
            "slot.no-version",
            format!(
                "neither Deployment {0} nor its pod template has the label app.kubernetes.io/version, so the old version has no name: kubectl label deployment {0} app.kubernetes.io/version=VERSION, which restarts nothing",
                pair(active)
            ),
        ));
        return None;
    };
    if version == request.version.as_str() {
        findings.push(Finding::refuse(
            SAME_VERSION,
            format!("version {} serves already in slot {active}: there is nothing to release", request.version),
        ));
    }
    let image = new_image(plan, request, &serving, &resting, findings)?;
    let container = match &plan.deploy {
        DeployedBy::Pilothouse { container } => container.as_str(),
        DeployedBy::Pipeline => "",
    };
    let old_image = image_of(&serving, container).unwrap_or_default();
    let old = SlotVersion { slot: active, version: Version::new(version), image: old_image };
    let new = SlotVersion { slot: idle, version: request.version.clone(), image };
    Some((old, new, vec![(active, serving.replicas), (idle, resting.replicas)]))
}

fn new_image(
    plan: &Plan,
    request: &StartRequest,
    serving: &DeploymentView,
    resting: &DeploymentView,
    findings: &mut Vec<Finding>,
) -> Option<String> {
    let DeployedBy::Pilothouse { container } = &plan.deploy else {
        if resting.version.as_deref() != Some(request.version.as_str()) {
            findings.push(Finding::refuse(
                PIPELINE_VERSION,
                format!(
                    "the pipeline has put version {} into Deployment {}, not {}: let it deploy there first",
                    resting.version.as_deref().unwrap_or("without a label"),
                    resting.name,
                    request.version
                ),
            ));
        }
        return Some(String::new());
    };
    if let Some(image) = &request.image {
        return Some(image.clone());
    }
    let Some(image) = image_of(serving, container) else {
        findings.push(Finding::refuse(
            "slot.container",
            format!(
                "Deployment {} has no container {container:?}: set spec.deploy.container of the plan to one of {}",
                serving.name,
                serving.images.keys().cloned().collect::<Vec<_>>().join(", ")
            ),
        ));
        return None;
    };
    Some(with_tag(&image, request.version.as_str()))
}

fn image_of(deployment: &DeploymentView, container: &str) -> Option<String> {
    if container.is_empty() && deployment.images.len() == 1 {
        return deployment.images.values().next().cloned();
    }
    deployment.images.get(container).cloned()
}

/// Hashes what must not change under a running release: plan, membership, image.
fn frozen_hash(spec: &Value, membership: &Membership, image: &str) -> String {
    let text = json!({ "plan": spec, "waves": membership.waves, "image": image }).to_string();
    super::record::hex(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_replaces_tag_and_digest_but_not_a_port() {
        assert_eq!(with_tag("reg:5000/team/app:1.0", "2.0"), "reg:5000/team/app:2.0");
        assert_eq!(with_tag("reg:5000/team/app", "2.0"), "reg:5000/team/app:2.0");
        assert_eq!(with_tag("app@sha256:abc", "2.0"), "app:2.0");
        assert_eq!(with_tag("app:1@sha256:abc", "2.0"), "app:2.0");
    }
}
