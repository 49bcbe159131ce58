//! The first step that is missing between a cluster as it is and a release, in the order of the files of `init`.

use super::{Area, Line, State};
use crate::core::{Answer, View};
use crate::model::{label_of, name_of};
use crate::routing::{SLOT_LABEL, backends};
use serde_json::Value;

/// What tells how far the adoption is.
#[derive(Default)]
pub struct Facts<'a> {
    /// The kinds of our group that are served; `None` = that is not known.
    pub ours: Option<&'a Answer<Vec<String>>>,
    /// What the console shows; `None` = it was not opened.
    pub view: Option<&'a View>,
    /// The RolloutPlans of the namespace; empty when they cannot be read.
    pub plans: &'a [Value],
    /// The Deployments of the namespace; empty when they cannot be read.
    pub deployments: &'a [Value],
    /// The HTTPRoutes of the namespace; empty when they cannot be read.
    pub routes: &'a [Value],
    /// Everything that was found, in the order of the report.
    pub lines: &'a [Line],
}

/// How the files are made, for whoever has none yet.
const FILES: &str =
    "pilothouse init --deployment D --service S --route R --header H -o DIR writes the files for what runs today";

/// Names the first missing step; it begins with what to type.
pub fn next(facts: &Facts<'_>) -> String {
    let Some(ours) = facts.ours else {
        if refused(facts, "cluster.wrong") {
            return "name a context and a kubeconfig that are there, as said above, then run pilothouse doctor again; pilothouse demo needs no cluster"
                .to_owned();
        }
        if facts.lines.iter().any(|line| line.check == "cluster.forbidden") {
            return "ask for the role pilothouse-viewer (pilothouse manifests prints it), then run pilothouse doctor again"
                .to_owned();
        }
        return "log in to the cluster, then run pilothouse doctor again; pilothouse demo needs no cluster".to_owned();
    };
    let is_served =
        ours.value().is_some_and(|kinds| ["rolloutplans", "releases"].iter().all(|k| kinds.iter().any(|x| x == k)));
    if !is_served {
        return match ours.unknown() {
            Some(_) => "mend what is unknown above, then run pilothouse doctor again".to_owned(),
            None => format!("kubectl apply -f 10-crds-rbac.yaml ({FILES}; pilothouse manifests prints this one alone)"),
        };
    }
    let Some(view) = facts.view else { return String::new() };
    if !view.plans.is_empty() {
        let names: Vec<&str> = view.plans.iter().map(|plan| plan.name.as_str()).collect();
        return format!("pilothouse doctor --plan NAME looks at one of the plans here ({})", names.join(", "));
    }
    if refused(facts, "plan.none") || refused(facts, "plan.missing") {
        let names: Vec<&str> = facts.plans.iter().map(name_of).collect();
        if !names.is_empty() {
            return format!("pilothouse doctor --plan NAME looks at a plan that is here ({})", names.join(", "));
        }
        return without_plan(facts);
    }
    let has = |checks: &[&str]| checks.iter().any(|check| refused(facts, check));
    if has(&["slot.no-deployment", "slot.no-service"]) {
        return format!("kubectl apply -f 20-slot-b.yaml ({FILES})");
    }
    if has(&["route.half-slot", "route.no-slot-rule"]) {
        return format!("kubectl patch httproute ROUTE --type=json --patch-file 30-route.patch.json ({FILES})");
    }
    if has(&["customers.missing"]) {
        return format!("kubectl apply -f 40-customers.yaml ({FILES})");
    }
    // Metrics are the last area, so that this is the first refusal of the report.
    match facts.lines.iter().find(|line| line.state == State::Refused) {
        Some(line) if line.area == Area::Metrics => {
            return "do what 60-metrics.md says and what is refused above under metrics".to_owned();
        }
        Some(line) => {
            return format!("mend what is refused above under {}, then run pilothouse doctor again", line.area.word());
        }
        None => {}
    }
    if facts.lines.iter().any(|line| line.state == State::Unknown) {
        return "mend what is unknown above, then run pilothouse doctor again".to_owned();
    }
    if view.preflight.age.is_none() {
        return "pilothouse status says where the release under way stands".to_owned();
    }
    match view.proposed.first() {
        Some(row) => format!("pilothouse start {} starts the proposed release", row.version),
        None => "pilothouse start VERSION starts a release; nothing speaks against it".to_owned(),
    }
}

/// Without a plan nothing names the objects, so their marks have to tell how far it is.
fn without_plan(facts: &Facts<'_>) -> String {
    let of_b: Vec<&str> = facts
        .deployments
        .iter()
        .filter(|object| label_of(&object["spec"]["template"], SLOT_LABEL) == Some("b"))
        .map(name_of)
        .collect();
    if of_b.is_empty() {
        return format!("kubectl apply -f 20-slot-b.yaml ({FILES})");
    }
    let is_prepared = |route: &Value| {
        let rules = route["spec"]["rules"].as_array().into_iter().flatten();
        rules
            .map(backends)
            .any(|backends| backends.len() > 1 && backends.iter().any(|(to, _)| of_b.contains(&to.as_str())))
    };
    if !facts.routes.iter().any(is_prepared) {
        return format!("kubectl patch httproute ROUTE --type=json --patch-file 30-route.patch.json ({FILES})");
    }
    format!("kubectl apply -f 40-customers.yaml -f 50-plan.yaml ({FILES})")
}

fn refused(facts: &Facts<'_>, check: &str) -> bool {
    facts.lines.iter().any(|line| line.state == State::Refused && line.check == check)
}

#[cfg(test)]
mod tests {
    use super::super::{area_of, walk::sorted};
    use super::*;
    use serde_json::json;

    /// The beginning of the sentence.
    fn begins(ours: &[&str], refused: &[&str], deployments: &[Value], routes: &[Value]) -> String {
        let ours = Answer::Value(ours.iter().map(|kind| (*kind).to_owned()).collect());
        let lines: Vec<Line> =
            refused.iter().map(|check| Line::new(area_of(check), check, State::Refused, String::new())).collect();
        let (view, lines) = (View::default(), sorted(lines));
        let facts = Facts { ours: Some(&ours), view: Some(&view), deployments, routes, lines: &lines, plans: &[] };
        let said = next(&facts);
        said.split(" (").next().unwrap().to_owned()
    }

    #[test]
    fn of_several_plans_one_has_to_be_named_first() {
        let plan = |name: &str| crate::core::PlanRow { name: name.to_owned(), ..crate::core::PlanRow::default() };
        let view = View { plans: vec![plan("billing"), plan("trackx")], ..View::default() };
        let ours = Answer::Value(vec!["rolloutplans".to_owned(), "releases".to_owned()]);
        let lines = [Line::new(Area::Plan, "plan.none", State::Refused, String::new())];
        let facts = Facts { ours: Some(&ours), view: Some(&view), lines: &lines, ..Facts::default() };
        assert_eq!(next(&facts), "pilothouse doctor --plan NAME looks at one of the plans here (billing, trackx)");
    }

    #[test]
    fn who_names_a_plan_that_is_not_there_is_told_which_ones_are() {
        let ours = Answer::Value(vec!["rolloutplans".to_owned(), "releases".to_owned()]);
        let lines = [Line::new(Area::Plan, "plan.missing", State::Refused, String::new())];
        let plans = [json!({ "metadata": { "name": "trackx" } })];
        let view = View::default();
        let facts = Facts { ours: Some(&ours), view: Some(&view), plans: &plans, lines: &lines, ..Facts::default() };
        assert_eq!(next(&facts), "pilothouse doctor --plan NAME looks at a plan that is here (trackx)");
    }

    #[test]
    fn each_missing_step_is_named_in_the_order_of_the_files() {
        let both = ["rolloutplans", "releases"];
        let slot_b = json!({ "metadata": { "name": "shop-b" }, "spec": { "template": { "metadata": { "labels": { "pilothouse.dev/slot": "b" } } } } });
        let route = |names: &[&str]| {
            let backends: Vec<Value> = names.iter().map(|name| json!({ "name": name, "port": 80 })).collect();
            json!({ "spec": { "rules": [{ "backendRefs": backends }] } })
        };
        let patch = "kubectl patch httproute ROUTE --type=json --patch-file 30-route.patch.json";
        let crds = "kubectl apply -f 10-crds-rbac.yaml";
        assert_eq!(begins(&[], &[], &[], &[]), crds);
        assert_eq!(begins(&["releases"], &[], &[], &[]), crds);
        assert_eq!(begins(&both, &["plan.none"], &[], &[]), "kubectl apply -f 20-slot-b.yaml");
        let slots = [slot_b];
        assert_eq!(begins(&both, &["plan.none"], &slots, &[route(&["shop"])]), patch);
        assert_eq!(
            begins(&both, &["plan.none"], &slots, &[route(&["shop", "shop-b"])]),
            "kubectl apply -f 40-customers.yaml -f 50-plan.yaml"
        );
        assert_eq!(
            begins(&both, &["slot.no-deployment", "route.half-slot"], &[], &[]),
            "kubectl apply -f 20-slot-b.yaml"
        );
        assert_eq!(begins(&both, &["route.half-slot", "customers.missing"], &[], &[]), patch);
        assert_eq!(
            begins(&both, &["customers.missing", "metrics.none"], &[], &[]),
            "kubectl apply -f 40-customers.yaml"
        );
        assert_eq!(
            begins(&both, &["metrics.none"], &[], &[]),
            "do what 60-metrics.md says and what is refused above under metrics"
        );
        for (first, area) in [("ring.nobody", "plan and customers"), ("slot.no-version", "slots")] {
            assert_eq!(
                begins(&both, &["metrics.none", first], &[], &[]),
                format!("mend what is refused above under {area}, then run pilothouse doctor again")
            );
        }
    }
}
