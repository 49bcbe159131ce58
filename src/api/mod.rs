//! The custom resources as they stand in the cluster, and their checked form.

mod adopt;
mod check;
mod keeper;
mod manifests;
mod plan;
mod providers;
mod release;

pub use adopt::{ADOPT_KINDS, Adopt, AdoptFile, AdoptKind, Adoption, Found, adopt, metrics_services};
pub use check::{check_plan, profile_names};
pub use keeper::{KEEPER_LABEL, is_keeper, keeper_route, keeps};
pub use manifests::{RbacNames, crds, manifests};
pub use plan::{
    AuthSpec, ComponentSpec, CustomersFrom, CustomersSpec, DeploySpec, DrainSpec, GateSpec, IdentifiedBy,
    MetricsSourceSpec, MetricsSpec, PromoteSpec, RingSpec, RolloutPlan, RolloutPlanSpec, RolloutPlanStatus,
};
pub use providers::{
    Clusters, KnownKind, NO_ENDPOINTS, PROVIDERS, Pattern, PolicyKind, Provider, Setting, UNKNOWN, known_parameters,
    known_policies, provider,
};
pub use release::{
    Act, ApprovalRecord, Before, Blocked, BlockedKind, Cells, Commit, Driver, Frozen, Hold, Intent, JournalRecord,
    OutcomeRecord, Release, ReleaseSpec, ReleaseStatus, RouteRecord, SlotVersion, Target, Unresolved, WaveProgress,
    WaveRecord,
};

/// The API group of both resources.
pub const GROUP: &str = "pilothouse.dev";
