//! What a person has seen, as one value: an order that was confirmed on something else is not carried out.

use super::Draft;
use crate::core::{Command, leftover, record};
use sha2::{Digest, Sha256};

impl Draft<'_> {
    /// Identifies what was shown: the release, where it stands, who drives, what is held, and who would move.
    pub(super) fn mark(&self, command: &Command) -> String {
        let mut text = format!("{:?}/{:?}", command.action(), self.state.active_name());
        if let Some(scope) = self.state.scope() {
            let status = scope.status();
            text.push_str(&format!(
                "/{}/{:?}/{}/{:?}/{:?}/{}",
                scope.release.uid,
                status.phase,
                status.wave,
                status.driver.as_ref().map(|d| d.epoch),
                scope.release.spec.hold,
                scope.frozen.hash,
            ));
        } else if let Some(plan) = &self.state.plan {
            text.push_str(&format!("/{}/{:?}", plan.name, self.state.waves()));
        }
        if matches!(command, Command::Cleanup) {
            text.push_str(&format!("/{:?}", leftover::left_over(self.state)));
        }
        record::hex(&Sha256::digest(text))
    }
}
