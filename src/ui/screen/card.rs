//! Cards of text: where the terminal is too small for panels, and where there is nothing to show yet.

use super::frame::{Message, Said};
use crate::core::{Action, Header};
use crate::model::Level;
use crate::ui::num;
use crate::ui::paint::{Piece, Row, put, role_of};
use crate::ui::panel::{footer, header, order, rings};
use crate::ui::scene::Scene;
use crate::ui::text;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const TO_USE_IT: &str = "To use it here: `pilothouse manifests` prints the resource definitions and the rights; then \
    create a RolloutPlan. This screen goes on by itself when it finds one.";
/// Below this there is only a card of text, whatever screen is open.
const MIN: (u16, u16) = (60, 16);
/// Below this even the card does not fit.
const LEAST: (u16, u16) = (40, 8);

/// Tells whether a terminal of this size is too small for panels and lists.
pub(in crate::ui) fn is_all_there_is_room_for((width, height): (u16, u16)) -> bool {
    width < MIN.0 || height < MIN.1
}

/// What a person does who cannot choose a plan on so small a screen.
pub(in crate::ui) const TO_CHOOSE: &str = "60x16 or --plan NAME to choose";

/// Tells whether there is no release console to show: no plan, no cluster, or one that does not let itself be read.
pub(in crate::ui) fn is_first_run(scene: &Scene) -> bool {
    let header = &scene.view.header;
    let is_refused = header.state == Header::CONNECTING && !header.why.is_empty();
    (is_refused || matches!(header.state.as_str(), "NO PLAN" | Header::NO_CLUSTER)) && scene.view.rings.is_empty()
}

/// Draws what must never be hidden, as text; `is_list` where a list is open that has no room.
///
/// It has no room to say that the picture is frozen, so it never is.
pub(in crate::ui) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect, said: Said<'_>, is_list: bool) {
    let scene = &Scene { view: scene.live, ..*scene };
    let width = usize::from(area.width);
    let stale = header::stale_row(scene, width);
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let too_small = Row::from(scene.ink.text("too small: 60x16 or more"));
        let rows = [Some(Row::from(header::state(scene, width))), stale, Some(too_small)];
        for (y, row) in rows.iter().flatten().enumerate() {
            put(buf, area, y as u16, row);
        }
        return;
    }
    let view = scene.view;
    let mut first = vec![header::environment(scene), scene.ink.text(" ")];
    first.extend(header::mode(scene, width.saturating_sub(first.iter().map(Piece::width).sum())));
    let versions = header::versions(scene);
    let place = header::place(scene, width.saturating_sub(versions.iter().map(Piece::width).sum::<usize>() + 2).max(8));
    let mut second = vec![scene.ink.text(&format!(" {place} "))];
    second.extend(versions);
    let (wave, waves) = view.header.wave;
    let mut third = header::state(scene, width.saturating_sub(7));
    if view.header.in_phase.is_some() {
        third.push(scene.ink.text(&format!(" {}", num::timer(view.header.in_phase))));
    }
    let step = if waves > 0 { format!(" step {wave}/{waves} {}  ", view.header.ring) } else { " ".to_owned() };
    let mut fourth = vec![scene.ink.text(&step)];
    fourth.extend(header::ages(scene, true));
    let mut rows = vec![Row::from(first), Row::from(third)];
    rows.extend(stale);
    rows.extend([Row::from(second), Row::from(fourth)]);
    rows.push(Row::from(scene.ink.bold(&format!(" {}", rings::exposed(scene)))));
    let advice_rows = if area.height < 12 { 1 } else { 2 };
    // The plans are not listed here, and nothing is chosen unseen.
    let advice = match view.plans.len() {
        0 => footer::advice(scene, area.width, advice_rows),
        count => {
            let text = scene.ink.fit(&format!(" {count} plans: {TO_CHOOSE}"), width);
            vec![Row::from(scene.ink.bold(&text))]
        }
    };
    let out = footer::way_out(scene, area.width);
    let room = usize::from(area.height).saturating_sub(rows.len() + advice.len() + 2 + usize::from(is_list));
    let shown = view.rings.iter().filter(|ring| ring.is_current || ring.is_next || ring.unlisted);
    rows.extend(shown.take(room).map(|ring| {
        let (want, now) = rings::want_and_now(ring);
        Row::from(scene.ink.text(&format!("  {}  want {want}  now {now}", scene.ink.left(&ring.name, 10))))
    }));
    let order = if said.order { order::rows(scene, area.width, area.height / 6) } else { Vec::new() };
    let room = usize::from(area.height).saturating_sub(rows.len() + advice.len() + 2 + usize::from(is_list));
    rows.extend(order.into_iter().take(room));
    // Of an old picture its numbers are what has no room.
    rows.truncate(usize::from(area.height).saturating_sub(advice.len() + 2 + usize::from(is_list)));
    for (y, row) in rows.iter().enumerate() {
        put(buf, area, y as u16, row);
    }
    let keys = [Action::Hold, Action::Menu, Action::Rollback, Action::Quit];
    let mut bottom = vec![out, footer::keys(scene, area.width, &keys, said.text)];
    if is_list {
        let text = format!(" this screen needs 60x16 or more; {} goes back", scene.key(Action::Back));
        bottom.insert(0, Row::from(scene.ink.role(Role::Warn, &text)));
    }
    bottom.extend(advice);
    footer::draw_up(buf, area, &bottom);
}

/// Draws the header, and these rows and the advice at the bottom; returns where a card in the middle has its place.
pub(super) fn place(scene: &Scene, buf: &mut Buffer, area: Rect, mut bottom: Vec<Row>) -> Rect {
    let rows = header::height(scene, area.height);
    header::draw(scene, buf, Rect { height: rows, ..area });
    bottom.extend(footer::advice(scene, area.width, 1));
    footer::draw_up(buf, area, &bottom);
    let width = area.width.min(84);
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + rows,
        width,
        height: area.height.saturating_sub(rows + bottom.len() as u16),
    }
}

/// Draws what is missing, and what can be done about it.
pub(in crate::ui) fn draw_first_run(
    scene: &Scene,
    buf: &mut Buffer,
    area: Rect,
    said: Option<Message<'_>>,
    order: bool,
) {
    let view = scene.view;
    let mut bottom = if order { order::rows(scene, area.width, area.height / 6) } else { Vec::new() };
    bottom.push(footer::keys(scene, area.width, &[Action::Help, Action::Events, Action::Palette, Action::Quit], said));
    let card = place(scene, buf, area, bottom);
    let title = vec![scene.ink.role(Role::Danger, &format!(" {} ", view.header.state))];
    let inner = scene.ink.frame(buf, card, title, Vec::new());
    let why = if view.header.why.is_empty() { "nothing more is known" } else { &view.header.why };
    let mut says: Vec<(Option<Role>, String)> = vec![(Some(Role::Bad), why.to_owned())];
    says.extend(view.findings.iter().flatten().map(|finding| {
        let role = if finding.level == Level::Refuse { Role::Bad } else { Role::Warn };
        (Some(role), finding.text.clone())
    }));
    says.extend(view.notices.iter().take(4).map(|n| (role_of(n.tone).or(Some(Role::Dim)), n.text.clone())));
    let quit = scene.key(Action::Quit);
    says.push((Some(Role::Focus), format!("To see it work without a cluster, leave ({quit}) and run")));
    says.push((None, text::DEMO.to_owned()));
    says.push((Some(Role::Focus), TO_USE_IT.to_owned()));
    let room = usize::from(inner.width).saturating_sub(4);
    let lines = says.iter().flat_map(|(role, text)| {
        let rows = scene.ink.wrap(text, room);
        let sign = |i: usize| role.filter(|_| i == 0).map_or(" ", |role| scene.ink.glyph(role)).to_owned();
        let rows = rows.into_iter().enumerate().map(move |(i, line)| {
            Row::from(vec![scene.ink.maybe(*role, &format!(" {} ", sign(i))), scene.ink.text(&line)])
        });
        std::iter::once(Row::default()).chain(rows).collect::<Vec<_>>()
    });
    for (y, row) in lines.enumerate() {
        put(buf, inner, y as u16, &row);
    }
}
