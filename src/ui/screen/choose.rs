//! Which of several plans: the first screen of a namespace that has more than one.

use super::card;
use super::frame::Message;
use crate::core::Action;
use crate::ui::paint::{Row, put};
use crate::ui::panel::footer;
use crate::ui::scene::Scene;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the plans; the chosen one is marked.
pub(in crate::ui) fn draw(
    scene: &Scene,
    buf: &mut Buffer,
    area: Rect,
    said: Option<Message<'_>>,
    chosen: Option<&str>,
) {
    let (ink, view) = (&scene.ink, scene.view);
    let keys = [Action::Open, Action::Down, Action::Help, Action::Palette, Action::Quit];
    let card = card::place(scene, buf, area, vec![footer::keys(scene, area.width, &keys, said)]);
    let title =
        vec![ink.bold(&format!(" {} plans in namespace {}: which one? ", view.plans.len(), view.header.namespace))];
    let inner = ink.frame(buf, card, title, Vec::new());
    let room = usize::from(inner.width).saturating_sub(1);
    let head =
        format!("   {} {} {} under way", ink.left("plan", 22), ink.left("environment", 11), ink.left("route", 18));
    put(buf, inner, 1, &Row::from(ink.role(Role::Dim, &ink.fit(&head, room))));
    let at = view.plans.iter().position(|plan| Some(plan.name.as_str()) == chosen).unwrap_or(0);
    let in_sight = usize::from(inner.height.saturating_sub(5)).max(1);
    let top = (at + 1).saturating_sub(in_sight);
    for (y, (i, plan)) in view.plans.iter().enumerate().skip(top).take(in_sight).enumerate() {
        let sign = if i == at { ink.glyph(Role::Focus) } else { " " };
        let release = if plan.release.is_empty() { "nothing" } else { &plan.release };
        let text = format!(
            " {sign} {} {} {} {release}",
            ink.left(&plan.name, 22),
            ink.left(&plan.environment, 11),
            ink.left(&plan.route, 18)
        );
        let text = ink.fit(&text, room);
        put(buf, inner, 2 + y as u16, &Row::from(if i == at { ink.role(Role::Focus, &text) } else { ink.text(&text) }));
    }
    let told = " A console shows one plan at a time; --plan NAME opens one at once.";
    put(buf, inner, inner.height.saturating_sub(1), &Row::from(ink.role(Role::Dim, &ink.fit(told, room))));
}
