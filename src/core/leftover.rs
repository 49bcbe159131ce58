//! Routes that an ended release has left behind: found, and offered for cleanup (CONTRACTS 3 and 4).

use super::State;
use crate::model::{ResourceKind, annotation, name_of, uid_of};
use crate::routing::{RELEASE, base_of, serves_nobody};

/// A managed route whose release is over or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOver {
    /// Its name.
    pub name: String,
    /// The name of its release, while that exists.
    pub release: Option<String>,
    /// Whether all its matches are placeholders, so that deleting it moves nobody.
    pub serves_nobody: bool,
}

impl LeftOver {
    /// Says why it is not deleted and what to do; `None` for one that may be.
    pub fn obstacle(&self, namespace: &str, base: &str) -> Option<String> {
        if self.serves_nobody {
            return None;
        }
        let whose = self.release.as_ref().map_or("a release that is gone".to_owned(), |name| format!("release {name}"));
        let name = &self.name;
        Some(format!(
            "HTTPRoute {name} of {whose} still has matches that may serve customers: it is not deleted; look where it sends them, and when they may go where {base} sends everybody: kubectl -n {namespace} delete httproute {name}"
        ))
    }
}

/// Finds what ended releases have left behind of the plan in force; empty while it cannot be known.
pub fn left_over(state: &State) -> Vec<LeftOver> {
    let Some(plan) = &state.plan else { return Vec::new() };
    let read = |kind| state.world.source(kind).listed;
    if !read(ResourceKind::Release) || !read(ResourceKind::HTTPRoute) || !read(ResourceKind::RolloutPlan) {
        return Vec::new();
    }
    let base = plan.component.route.as_str();
    let routes = state.world.all(ResourceKind::HTTPRoute).filter(|route| base_of(route) == Some(base));
    routes
        .filter_map(|route| {
            let uid = annotation(route, RELEASE)?;
            let release = state.world.all(ResourceKind::Release).find(|release| uid_of(release) == uid).map(name_of);
            let ended = release.and_then(|name| state.world.release(name)).is_none_or(|read| read.phase().is_final());
            ended.then(|| LeftOver {
                name: name_of(route).to_owned(),
                release: release.map(str::to_owned),
                serves_nobody: serves_nobody(route, &plan.header),
            })
        })
        .collect()
}
