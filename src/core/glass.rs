//! Break-glass: the way back with nothing but the right to read and patch HTTPRoutes (CONTRACTS 4).
//!
//! No Release, no Lease, no metrics, no plan: the routes themselves say how they are brought back.

use crate::model::{Side, name_of};
use crate::routing::{Edit, Fence, Rules, Undo, base_of, fence_of, patch, some_of};
use serde_json::Value;

/// Why a route is not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its old version is scaled down, or about to be: sending requests there would fail them.
    Retired {
        /// The version that has to be started again first.
        version: String,
        /// What a person may do all the same; `None` where the route does not say which backend is which.
        way: Option<Way>,
    },
    /// It cannot be brought back; why, and what to do.
    Impossible(String),
}

/// Which backend gets everybody, and which one nobody any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The Service of the old version.
    pub old: String,
    /// The Service that serves now.
    pub new: String,
}

/// What a person has to know before he sends anybody to a version that was retired.
pub const WARNING: &str = "a console may be scaling the old version down now; if so customers get errors. Who can patch deployments should take over and roll back instead";

/// Returns what must be typed to send everybody to a retired version all the same.
pub fn phrase(version: &str) -> String {
    format!("override {version}")
}

/// Finds the base route: the named one, or the only one that carries an undo and belongs to no other.
///
/// # Errors
/// Says that there is none, and which ones there are.
pub fn base<'a>(routes: &'a [Value], named: Option<&str>) -> Result<&'a Value, String> {
    let own: Vec<&Value> = routes.iter().filter(|route| base_of(route).is_none()).collect();
    let marked: Vec<&Value> = own.iter().copied().filter(|route| Undo::parse(route).is_some()).collect();
    let Some(name) = named else {
        return match marked.as_slice() {
            [one] => Ok(one),
            [] => Err(format!(
                "no HTTPRoute of this namespace says how it is brought back: no release has marked one ({}); look at the namespace",
                there_is(&own)
            )),
            several => Err(format!(
                "several HTTPRoutes can be brought back: name one with --route ({})",
                names(several).join(", ")
            )),
        };
    };
    match routes.iter().find(|route| name_of(route) == name) {
        Some(route) => Ok(route),
        None if marked.is_empty() => {
            Err(format!("this namespace has no HTTPRoute {name} ({}), and no release has marked one", there_is(&own)))
        }
        None => Err(format!(
            "this namespace has no HTTPRoute {name}; what says how it is brought back is {}: name it with --route",
            names(&marked).join(", ")
        )),
    }
}

fn there_is(routes: &[&Value]) -> String {
    if routes.is_empty() {
        return "there is none".to_owned();
    }
    format!("there is: {}", some_of(&names(routes)))
}

fn names(routes: &[&Value]) -> Vec<String> {
    routes.iter().map(|route| name_of(route).to_owned()).collect()
}

/// Returns the managed routes of a base route.
pub fn managed<'a>(routes: &'a [Value], base: &str) -> Vec<&'a Value> {
    routes.iter().filter(|route| base_of(route) == Some(base)).collect()
}

/// Makes the fenced patch that sends every rule with both backends to the old one; a route that is there already gets
/// its fence bumped all the same, so that no shift on its way can land afterwards.
///
/// # Errors
/// Says why the route must not be written.
pub fn way_back(route: &Value) -> Result<Vec<Value>, Stop> {
    match Undo::parse(route) {
        Some(Ok(Undo::Live { old, new, .. })) => send_back(route, &old.name, &new.name),
        Some(Ok(Undo::Retired { version, backends })) => {
            let way = backends.map(|(old, new)| Way { old: old.name, new: new.name });
            Err(Stop::Retired { version, way })
        }
        Some(Err(why)) => Err(Stop::Impossible(why)),
        None => Err(Stop::Impossible(format!("HTTPRoute {} does not say how it is brought back", name_of(route)))),
    }
}

/// Makes the same patch for a route whose old version is retired, after a person has typed the [`phrase`].
///
/// The mark stays: the next one who comes is warned again, and a console that drives finds a fence that is not its own.
///
/// # Errors
/// Says why the route cannot be written.
pub fn way_back_all_the_same(route: &Value, way: &Way) -> Result<Vec<Value>, Stop> {
    match way_back(route) {
        Err(Stop::Retired { .. }) => send_back(route, &way.old, &way.new),
        other => other,
    }
}

fn send_back(route: &Value, old: &str, new: &str) -> Result<Vec<Value>, Stop> {
    let edit = Edit::Weights { rules: Rules::All, old, new, to: Side::Old };
    let fence = fence_of(route).map_or(Fence::First, Fence::At);
    patch(route, fence, &[edit]).map_err(|why| Stop::Impossible(why.to_string()))
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Retired { version, .. } => {
                write!(f, "the old version is scaled down: start {version} again, then move customers to it")
            }
            Self::Impossible(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{Backend, UNDO, apply};
    use serde_json::json;

    fn route(name: &str, undo: Option<&Undo>, weights: (u32, u32)) -> Value {
        let mut route = json!({
            "metadata": { "name": name, "uid": "u", "resourceVersion": "5", "annotations": { "pilothouse.dev/fence": "3" } },
            "spec": { "rules": [{ "backendRefs": [
                { "name": "shop-a", "port": 80, "weight": weights.0 }, { "name": "shop-b", "port": 80, "weight": weights.1 },
            ] }] },
        });
        if let Some(undo) = undo {
            route["metadata"]["annotations"][UNDO] = json!(undo.text());
        }
        route
    }

    fn live() -> Undo {
        let backend = |name: &str| Backend { name: name.into(), port: 80 };
        Undo::Live { release: "r".into(), uid: "x".into(), old: backend("shop-a"), new: backend("shop-b") }
    }

    #[test]
    fn a_route_goes_back_by_what_it_says_itself_and_its_fence_grows() {
        for weights in [(0, 100), (100, 0)] {
            let route = route("shop", Some(&live()), weights);
            let after = apply(&route, &way_back(&route).unwrap()).unwrap();
            assert_eq!(after["spec"]["rules"][0]["backendRefs"][0]["weight"], 100);
            assert_eq!(after["spec"]["rules"][0]["backendRefs"][1]["weight"], 0);
            assert_eq!(fence_of(&after), Some(4));
        }
    }

    #[test]
    fn a_retired_version_gets_no_requests() {
        let retired = route("shop", Some(&Undo::retired("1", None)), (0, 100));
        assert_eq!(way_back(&retired), Err(Stop::Retired { version: "1".into(), way: None }));
        assert!(matches!(way_back(&route("shop", None, (0, 100))), Err(Stop::Impossible(_))));
    }

    #[test]
    fn a_retired_version_gets_everybody_when_a_person_overrides_it_however_often() {
        let mut retired = route("shop", Some(&Undo::retired("1", Some(&live()))), (0, 100));
        let Err(Stop::Retired { way: Some(way), .. }) = way_back(&retired) else { panic!() };
        for fence in [4, 5] {
            retired = apply(&retired, &way_back_all_the_same(&retired, &way).unwrap()).unwrap();
            assert_eq!(retired["spec"]["rules"][0]["backendRefs"][0]["weight"], 100);
            assert_eq!(retired["spec"]["rules"][0]["backendRefs"][1]["weight"], 0);
            assert_eq!(fence_of(&retired), Some(fence));
            assert!(matches!(way_back(&retired), Err(Stop::Retired { .. })), "the next one is warned again");
        }
        // A route that is not retired says itself where it goes.
        let swapped = Way { old: "shop-b".into(), new: "shop-a".into() };
        let live = route("shop", Some(&live()), (0, 100));
        assert_eq!(way_back_all_the_same(&live, &swapped), way_back(&live));
    }

    #[test]
    fn the_base_is_the_one_marked_route_that_belongs_to_no_other() {
        let mut managed_route = route("shop-ph-1", Some(&live()), (0, 100));
        managed_route["metadata"]["labels"] =
            json!({ "app.kubernetes.io/managed-by": "pilothouse", "pilothouse.dev/base": "shop" });
        let routes = vec![route("other", None, (100, 0)), route("shop", Some(&live()), (0, 100)), managed_route];
        assert_eq!(name_of(base(&routes, None).unwrap()), "shop");
        assert_eq!(managed(&routes, "shop").len(), 1);
    }

    #[test]
    fn who_names_a_wrong_route_is_told_which_ones_there_are() {
        let mut managed_route = route("shop-ph-1", Some(&live()), (0, 100));
        managed_route["metadata"]["labels"] =
            json!({ "app.kubernetes.io/managed-by": "pilothouse", "pilothouse.dev/base": "shop" });
        let routes = [managed_route, route("other", None, (100, 0)), route("shop", Some(&live()), (0, 100))];
        let why = |routes: &[Value], named: Option<&str>| base(routes, named).unwrap_err();
        assert_eq!(
            why(&routes, Some("nope")),
            "this namespace has no HTTPRoute nope; what says how it is brought back is shop: name it with --route"
        );
        assert_eq!(
            why(&routes[..2], Some("nope")),
            "this namespace has no HTTPRoute nope (there is: other), and no release has marked one"
        );
        assert_eq!(
            why(&routes[..2], None),
            "no HTTPRoute of this namespace says how it is brought back: no release has marked one (there is: other); look at the namespace"
        );
        assert!(why(&[], None).contains("(there is none)"));
        for named in ["other", "shop-ph-1"] {
            assert_eq!(name_of(base(&routes, Some(named)).unwrap()), named, "whoever names it decides");
        }
    }
}
