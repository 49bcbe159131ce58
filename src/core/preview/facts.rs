//! What a preview says beside the act itself: gates, the way back, and which state all of it was read from.

use super::Draft;
use crate::core::scope::Scope;
use crate::core::{Fact, Tone, Verdict, guard};
use crate::model::{Phase, ResourceKind, Timestamp, resource_version};

impl Draft<'_> {
    pub(super) fn gate_facts(&mut self, scope: &Scope<'_>) {
        if scope.status().phase != Phase::Baking {
            return;
        }
        for row in self.state.gates.rows(self.state, scope, self.now) {
            let tone = match row.verdict {
                Verdict::Pass => Tone::Good,
                Verdict::Fail => Tone::Bad,
                _ => Tone::Warn,
            };
            let text = format!("{} {} (limit {}, last {})", row.verdict.word(), row.value, row.limit, row.window);
            self.fact(&format!("gate {}", row.name), text, tone);
        }
    }

    pub(super) fn way_back(&mut self, scope: &Scope<'_>) {
        self.fact(
            "way back",
            format!("R: everybody to {} at once, nothing is cut", scope.frozen.old.version),
            Tone::Plain,
        );
    }

    /// Says which object the picture comes from, in which revision, and how old it is.
    pub(super) fn seen(&mut self) {
        let world = &self.state.world;
        let (kind, name, version) = match self.state.scope() {
            Some(scope) => (ResourceKind::Release, scope.release.name.clone(), scope.release.version.clone()),
            None => {
                let Some(name) = self.state.plan_name() else { return };
                let Some(plan) = world.get(ResourceKind::RolloutPlan, &name) else { return };
                (ResourceKind::RolloutPlan, name, resource_version(plan).to_owned())
            }
        };
        let age = |at: Timestamp| (self.now.as_second() - at.as_second()).max(0);
        let age = world.source(kind).alive.map_or("of unknown age".to_owned(), |at| format!("{} s old", age(at)));
        let tone = if guard::kube_fresh(self.state, self.now).is_some() { Tone::Warn } else { Tone::Plain };
        self.fact("seen", format!("{} {name}, revision {version}, {age}", kind.name()), tone);
    }

    pub(super) fn fact(&mut self, label: &str, text: String, tone: Tone) {
        self.facts.push(Fact { label: label.to_owned(), text, tone });
    }
}
