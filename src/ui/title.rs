//! What the terminal's title says, and when the terminal rings: for whoever looks at a list of windows.

use super::safe::Safe;
use crate::core::{Verdict, View};

/// The most characters of a title.
const MOST: usize = 80;

/// What makes a terminal ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alarm {
    Hold,
    Fail,
    Stale,
}

/// Rings when the release comes to be held or blocked, when a gate begins to fail, and when the picture gets old.
///
/// What is so already when the console opens does not ring, and what was so before the picture was old neither.
#[derive(Clone, Debug, Default)]
pub struct Bell {
    /// The alarm of the last fresh picture; `None` before the first.
    known: Option<Option<Alarm>>,
    is_stale: bool,
}

impl Bell {
    /// Takes in a picture; tells whether the terminal rings now.
    pub fn rings(&mut self, view: &View) -> bool {
        let alarm = alarm(view);
        let was_stale = std::mem::replace(&mut self.is_stale, alarm == Some(Alarm::Stale));
        if self.is_stale {
            return !was_stale && self.known.is_some();
        }
        let before = self.known.replace(alarm);
        alarm.is_some() && before.is_some_and(|before| before != alarm)
    }
}

/// Says where the release stands, such as `[HOLD!] trackx early 25%`; a customer is never named.
pub fn title(view: &View) -> Safe {
    let header = &view.header;
    let word = match alarm(view).filter(|_| header.is_read()) {
        Some(Alarm::Stale) => "STALE!".to_owned(),
        Some(Alarm::Hold) => format!("{}!", header.state),
        Some(Alarm::Fail) => "FAIL!".to_owned(),
        None => header.state.clone(),
    };
    let of = if header.plan.is_empty() { "pilothouse" } else { &header.plan };
    let ring = view.rings.iter().find(|ring| ring.name == header.ring && ring.of > 0);
    let share = ring.and_then(|ring| Some(format!(" {}%", ring.now? * 100 / ring.of))).unwrap_or_default();
    let place = if header.ring.is_empty() { String::new() } else { format!(" {}{share}", header.ring) };
    Safe::new(&format!("[{word}] {of}{place}")).cut(MOST, "…")
}

fn alarm(view: &View) -> Option<Alarm> {
    if !view.header.stale.is_empty() {
        return Some(Alarm::Stale);
    }
    if matches!(view.header.state.as_str(), "HOLD" | "BLOCKED") {
        return Some(Alarm::Hold);
    }
    view.gates.iter().any(|gate| gate.verdict == Verdict::Fail).then_some(Alarm::Fail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Header;
    use crate::ui::tests::views;

    #[test]
    fn the_title_says_state_plan_ring_and_share() {
        let mut view = views::held();
        assert_eq!(title(&view).as_str(), "[HOLD!] trackx early 50%");
        view.header.stale = vec!["silent".into()];
        assert!(title(&view).as_str().starts_with("[STALE!] trackx early"));
        view.header.state = Header::CONNECTING.into();
        assert_eq!(title(&view).as_str(), "[CONNECTING] trackx early 50%", "nothing that was read has become old");
        view.header.plan = "\x1b]0;x\x07\u{202e}".into();
        assert!(!title(&view).as_str().chars().any(|c| c.is_control() || c == '\u{202e}'));
    }

    #[test]
    fn it_rings_when_things_get_worse_and_not_for_what_was_so_before() {
        let (held, baking) = (views::held(), views::baking());
        let mut old = views::held();
        old.header.stale = vec!["silent".into()];
        let mut bell = Bell::default();
        let mut rings = |view: &View| bell.rings(view);
        assert!(!rings(&old), "nothing was ever fresh");
        assert!(!rings(&held), "it was held when the console opened");
        assert!(!rings(&baking));
        assert!(rings(&held));
        assert!(!rings(&held), "once");
        assert!(rings(&old));
        assert!(!rings(&old) && !rings(&held), "held as before");
        let mut failing = views::baking();
        failing.gates[0].verdict = Verdict::Fail;
        assert!(!rings(&baking) && rings(&failing));
    }
}
