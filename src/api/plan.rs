//! RolloutPlan: what is released, who goes when, what must hold. The wire form; `check_plan` makes the checked one.

use crate::model::{Approval, Customer, Environment, SlotPair, StreamKind, StreamPolicy};
use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The long-lived description of how versions reach customers.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "pilothouse.dev",
    version = "v1alpha1",
    kind = "RolloutPlan",
    plural = "rolloutplans",
    shortname = "rplan",
    namespaced,
    status = "RolloutPlanStatus",
    doc = "What is released, who goes when, and what must hold.",
    printcolumn = r#"{"name":"Environment","type":"string","jsonPath":".spec.environment"}"#,
    printcolumn = r#"{"name":"Route","type":"string","jsonPath":".spec.components[0].route"}"#,
    printcolumn = r#"{"name":"Release","type":"string","jsonPath":".status.activeRelease"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct RolloutPlanSpec {
    /// How much a person must type before customers are exposed.
    #[serde(default)]
    pub environment: Environment,
    /// What is released; this version accepts exactly one.
    #[schemars(length(min = 1, max = 1))]
    pub components: Vec<ComponentSpec>,
    /// Who puts the new version into the idle slot.
    #[serde(default)]
    pub deploy: DeploySpec,
    /// Who the customers are and how a request names one.
    pub customers: CustomersSpec,
    /// Ordered cohorts; a customer belongs to the first ring that takes it.
    #[schemars(length(min = 1))]
    pub rings: Vec<RingSpec>,
    /// How the unlisted traffic moves.
    #[serde(default)]
    pub promote: PromoteSpec,
    /// How long after acceptance a shift settles, such as `30s`; the provider's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<String>,
    /// Threshold gates.
    #[serde(default)]
    pub gates: Vec<GateSpec>,
    /// When a slot counts as drained.
    #[serde(default)]
    pub drain: DrainSpec,
    /// Where metrics come from.
    #[serde(default)]
    pub metrics: MetricsSpec,
}

/// The plan's lock: which release is under way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutPlanStatus {
    /// The Release that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_release: Option<String>,
}

/// A deployable unit with two slots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentSpec {
    /// The component's name.
    pub name: String,
    /// The team's own HTTPRoute; both slots are its backends.
    pub route: String,
    /// Slot a.
    pub a: SlotPair,
    /// Slot b.
    pub b: SlotPair,
}

/// Who puts the new version into the idle slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploySpec {
    /// `pilothouse` (default) or `pipeline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The container whose image is the version; the first one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

/// Who the customers are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomersSpec {
    /// How a request names its customer.
    pub identified_by: IdentifiedBy,
    /// Where the list comes from.
    pub from: CustomersFrom,
}

/// How a request names its customer; exactly one is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentifiedBy {
    /// The exact request header that carries the customer id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// A header that carries the ring (not available in this version).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring_header: Option<String>,
    /// The hostname (not available in this version).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "anything")]
    pub hostname: Option<Value>,
}

/// Where the list of customers comes from; exactly one is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomersFrom {
    /// A ConfigMap with the key `customers.yaml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<String>,
    /// The list itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<Vec<Customer>>,
}

/// A ring; exactly one of `select`, `names`, `share` and `rest` is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RingSpec {
    /// The ring's name.
    pub name: String,
    /// Customers whose attributes have these values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select: Option<BTreeMap<String, String>>,
    /// These customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
    /// A share of all listed customers, such as `10%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// Everybody listed that no other ring has taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<bool>,
    /// Cumulative shares of the ring, such as `[25%, 100%]`; all at once when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<String>,
    /// How long each wave bakes, such as `15m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake: Option<String>,
    /// Whether somebody must approve before the ring moves.
    #[serde(default)]
    pub approval: Approval,
}

/// How the unlisted traffic moves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromoteSpec {
    /// How long the promoted traffic bakes, such as `15m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake: Option<String>,
}

/// A threshold gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateSpec {
    /// The gate's name, unique in the plan.
    pub name: String,
    /// `errorRatio`, `latency`, `restarts` or `promql`.
    pub kind: String,
    /// The largest value that passes: a number, a percentage for `errorRatio`, a duration for `latency`.
    #[schemars(schema_with = "anything")]
    pub max: Value,
    /// The window that is looked at, such as `1m`.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// Fewer finished requests than this is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_requests: Option<u64>,
    /// The quantile of a latency gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    /// The expression of a promql gate; `$new` and `$old` stand for the slots, `$newPods` and `$oldPods` for what the names
    /// of their pods match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// When a slot counts as drained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DrainSpec {
    /// How long everything must be quiet, such as `30s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<String>,
    /// After this the screen says what is left and offers force, such as `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<String>,
    /// What is done per kind of open work.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<StreamKind, StreamPolicy>,
}

/// Where metrics come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsSpec {
    /// The source; without one nothing can be proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<MetricsSourceSpec>,
    /// The named set of metrics: `app`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Metric names that differ from the profile's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// Label names that differ from the profile's, and `slot.a`, `slot.b` for other slot values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The scrape interval; measured when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
}

/// How the metrics source is reached: a URL, or a Service through the API server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsSourceSpec {
    /// The base URL of the Prometheus HTTP API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How requests to the URL are authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthSpec>,
    /// A Service as `name:port`, reached through the API server's proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The Service's namespace; the plan's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// How requests are authenticated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthSpec {
    /// `none`, `bearer-file` or `exec`.
    pub kind: String,
    /// The file of `bearer-file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The command of `exec` and its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// The schema of a field that may hold any JSON value.
pub(super) fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}
