//! Release: one attempt to bring one version to all rings, and everything that is needed to resume, hold or roll it back.

use super::plan::anything;
use crate::model::{CustomerId, Direction, Phase, ResourceKind, Slot, Timestamp, Version, Wave};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is asked for: a version, and what people have said about it since.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "pilothouse.dev",
    version = "v1alpha1",
    kind = "Release",
    plural = "releases",
    shortname = "rel",
    namespaced,
    status = "ReleaseStatus",
    doc = "One attempt to bring one version to all customers.",
    validation = Rule::new("self.spec.plan == oldSelf.spec.plan").message("spec.plan cannot change"),
    validation = Rule::new("self.spec.version == oldSelf.spec.version").message("spec.version cannot change"),
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".spec.version"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Wave","type":"integer","jsonPath":".status.wave"}"#,
    printcolumn = r#"{"name":"Held by","type":"string","jsonPath":".spec.hold.by"}"#,
    printcolumn = r#"{"name":"Blocked","type":"string","jsonPath":".status.blocked.kind"}"#,
    printcolumn = r#"{"name":"Driver","type":"string","jsonPath":".status.driver.who"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseSpec {
    /// The RolloutPlan.
    pub plan: String,
    /// The version.
    pub version: Version,
    /// The image, when pilothouse deploys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The commit the version was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requested_by: String,
    /// Stops every forward act while it is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Who has approved which ring.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalRecord>,
}

/// The commit a version was built from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Commit {
    /// The commit's hash.
    pub sha: String,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub time: Option<Timestamp>,
}

/// A hold: nothing moves forward until a person resumes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    /// Who holds; `gate NAME` for an automatic hold.
    pub by: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Since when.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

/// An approval of one ring of one frozen plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRecord {
    /// The ring.
    pub ring: String,
    /// Who approved.
    pub by: String,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// `frozen.hash` of the plan that was approved.
    pub plan_hash: String,
}

/// Progress and the write-ahead record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseStatus {
    /// Where the release stands.
    #[serde(default)]
    pub phase: Phase,
    /// Why forward acts are refused, beside the phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
    /// When the release was started; the journal's first record may have moved out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub started: Option<Timestamp>,
    /// Since when the phase has lasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// The wave that moved last, counted from 1; 0 before the first.
    #[serde(default)]
    pub wave: u32,
    /// The plan, membership and versions as they were at start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// The managed routes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteRecord>,
    /// Progress of each wave of `frozen.waves`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<WaveRecord>,
    /// The one console that may act forward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<Driver>,
    /// What the driver is about to write, recorded before it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Each object's fence after our last definitive write, by `Kind/name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fences: BTreeMap<String, u64>,
    /// Objects to which a write may still be on its way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unresolved: Vec<Unresolved>,
    /// What happened, the last 200 records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub journal: Vec<JournalRecord>,
    /// How it ended, or will end once the direction is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeRecord>,
}

/// Why forward acts are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Blocked {
    /// The kind of trouble.
    pub kind: BlockedKind,
    /// What was seen.
    pub what: String,
    /// Who found it.
    #[serde(default)]
    pub by: String,
    /// Since when.
    #[schemars(with = "String")]
    pub since: Timestamp,
}

/// The kinds of trouble that need a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BlockedKind {
    /// Somebody else wrote an object of the release.
    Drifted,
    /// A shift is written, but requests still go the old way.
    NotLive,
    /// The gateway reports a bad condition.
    BadStatus,
}

/// The plan, membership and versions as they were at start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Frozen {
    /// sha256 over plan, membership and image.
    pub hash: String,
    /// The RolloutPlan's spec.
    #[schemars(schema_with = "anything")]
    pub plan: Value,
    /// The version that served.
    pub old: SlotVersion,
    /// The version being released.
    pub new: SlotVersion,
    /// The 16 hexadecimal digits in this release's placeholder values.
    pub placeholder: String,
    /// The waves, the last one unlisted.
    pub waves: Vec<Wave>,
    /// What has to be restored.
    pub before: Before,
}

/// A slot and what runs in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SlotVersion {
    /// The slot.
    pub slot: Slot,
    /// The version.
    pub version: Version,
    /// The image; empty when a pipeline deploys.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image: String,
}

/// What has to be restored at the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Before {
    /// Replicas of each slot at start, by slot.
    pub replicas: BTreeMap<String, u32>,
}

/// A managed route of this release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RouteRecord {
    /// Its name.
    pub name: String,
    /// Its uid, known after the POST.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Whether its customers' matches have been set.
    #[serde(default)]
    pub armed: bool,
    /// Which rules belong to which wave.
    pub cells: Vec<Cells>,
}

/// The rules of one route that move with one wave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cells {
    /// The wave, counted from 1.
    pub wave: u32,
    /// The rules' indexes.
    pub rules: Vec<u32>,
}

/// Progress of one wave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WaveRecord {
    /// Where its customers are.
    pub state: WaveProgress,
    /// Moved customers that sent no request while the shift was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent: Option<u32>,
    /// When the state was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
}

/// Where a wave's customers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WaveProgress {
    /// On the old version, not moved yet.
    #[default]
    Old,
    /// Being moved.
    Moving,
    /// On the new version, verified.
    New,
    /// Moved back to the old version.
    Back,
}

/// The one console that may act forward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Driver {
    /// Its user, as the API server knows it.
    pub who: String,
    /// Its session, user@host/random.
    pub session: String,
    /// Grows with each takeover.
    pub epoch: u64,
}

/// What the driver is about to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Unique, sortable by time (ULID).
    pub id: String,
    /// The epoch under which it was recorded.
    pub epoch: u64,
    /// Whether a hold stops it.
    pub direction: Direction,
    /// What it does.
    pub act: Act,
    /// The wave it moves, counted from 1; 0 for none.
    #[serde(default)]
    pub wave: u32,
    /// The objects it writes.
    pub targets: Vec<Target>,
    /// After this server time nothing of it is sent any more; forward only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub not_after: Option<Timestamp>,
    /// Who confirmed it.
    pub by: String,
    /// Why, where a reason was asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The hold a rollback found when it was confirmed: its retire and clean go on under exactly this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_found: Option<Hold>,
}

/// What an intent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Undo on the base route, image and scale of the idle slot.
    Prepare,
    /// Create the managed routes with placeholder matches.
    Install,
    /// Set the customers' matches.
    Arm,
    /// Move one wave.
    Shift,
    /// Move the base route.
    Promote,
    /// Scale a slot down.
    Retire,
    /// Set matches back to placeholders.
    Disarm,
    /// Delete managed routes.
    Clean,
    /// Write every route back to old.
    Rollback,
}

/// One object an intent writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// Its kind.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its uid; empty for an object that is created.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// The fence the first write tests; `None` when the object never had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
    /// sha256 of the owned part before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub before: String,
    /// sha256 of the owned part after.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
}

/// An object to which a write may still be on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Unresolved {
    /// Its kind.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its uid; empty for an object that is created.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

/// One line of the record; `prev` chains it to the one before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JournalRecord {
    /// Counted from 1 without gaps.
    pub seq: u64,
    /// When, in server time.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// The intent it belongs to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub intent: String,
    /// The act or event.
    pub act: String,
    /// What was done.
    pub what: String,
    /// Why, where a reason was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What was known when it was decided.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
    /// How it went.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub result: String,
    /// sha256 of the record before; empty for the first.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prev: String,
}

/// How a release ended, or will end once the direction is chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeRecord {
    /// `Done` or `RolledBack`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Phase>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<Timestamp>,
    /// How many listed customers were on the new version at most.
    #[serde(default)]
    pub customers_moved: u32,
    /// Transactions cut by an exit with work in flight.
    #[serde(default)]
    pub cut: u32,
    /// When the rollback was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub rolled_back_at: Option<Timestamp>,
    /// The customers that are known to have had open work when their drain was forced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced_on: Vec<CustomerId>,
    /// Whether a forced drain may have cut others, because it was not known whose all of the open work was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forced_unknown: bool,
}
