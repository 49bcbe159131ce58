//! A wall screen: large words, a few pages in turn, no input needed; old data takes over the whole of it.

use super::big;
use super::chart::Unit;
use super::keymap::Keymap;
use super::no_data;
use super::num;
use super::paint::{Piece, Row, put, put_both};
use super::panel::customers::Worst;
use super::panel::{drain, errors, events, header, rings};
use super::scene::Scene;
use super::screen::frame::{halves, split, split_across};
use super::theme::Role;
use crate::core::RingRow;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// How a wall screen behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kiosk {
    /// How long a page stays, in milliseconds; 0 = for ever.
    pub cycle_ms: u64,
    /// Whether no key leaves.
    pub no_quit: bool,
}

/// How many pages there are.
pub(super) const PAGES: u64 = 4;

impl Kiosk {
    /// Returns the page that is shown, from 0, and the seconds until the next; `turns` = how often a person turned it.
    fn page(self, now_ms: u64, turns: u64) -> (u64, Option<u64>) {
        let Some(cycles) = now_ms.checked_div(self.cycle_ms) else { return (turns % PAGES, None) };
        let left = self.cycle_ms - now_ms % self.cycle_ms;
        ((cycles + turns) % PAGES, Some(left.div_ceil(1000)))
    }
}

/// Draws the screen.
pub(super) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect, kiosk: Kiosk, turns: u64, worst: &Worst) {
    // A wall has no keyboard: no panel names a key.
    let no_keys = Keymap::none();
    let scene = &Scene { keymap: &no_keys, ..*scene };
    let area = shifted(scene, area);
    if no_data::is_stale(scene) {
        return no_data::draw(scene, buf, area);
    }
    let (page, next) = kiosk.page(scene.now_ms, turns);
    let (first, rest) = split(area, 1);
    title(scene, buf, first, page, next);
    let (body, last) = split(rest, rest.height.saturating_sub(1));
    foot(scene, buf, last);
    match page {
        0 => overview(scene, buf, body),
        1 => graphs(scene, buf, body),
        2 if body.height >= 16 => {
            let (above, below) = split(body, rings::height(scene).min(body.height / 2));
            rings::draw(scene, buf, above, None, None);
            worst.draw(scene, buf, below);
        }
        2 => worst.draw(scene, buf, body),
        _ => events::draw(scene, buf, body),
    }
}

/// Moves the picture by a cell every hour, against burn-in.
fn shifted(scene: &Scene, area: Rect) -> Rect {
    const STEPS: [(u16, u16); 4] = [(0, 0), (1, 0), (1, 1), (0, 1)];
    let hour = scene.live.now.map_or(0, |now| now.as_second().div_euclid(3600));
    let (right, down) = STEPS[hour.rem_euclid(4) as usize];
    if area.width < 2 || area.height < 2 {
        return area;
    }
    Rect { x: area.x + right, y: area.y + down, width: area.width - 1, height: area.height - 1 }
}

/// Writes the first row of every page: the state word before the place, so that it is never what has no room.
fn title(scene: &Scene, buf: &mut Buffer, area: Rect, page: u64, next: Option<u64>) {
    let ink = &scene.ink;
    let header = &scene.live.header;
    let driver = match &header.driver {
        Some((name, _)) if area.width >= 100 => format!("  driver {name}"),
        _ => String::new(),
    };
    let turn = next.map(|seconds| format!(" next {seconds}s")).unwrap_or_default();
    let clock = ink.bold(&scene.clock.time(scene.live.now));
    let pages = ink.role(Role::Dim, &format!("  kiosk {}/{PAGES}{turn} ", page + 1));
    let driver = if area.width >= 100 { driver } else { String::new() };
    let right = Row::from(vec![ink.text(&driver), ink.text("  "), clock, pages]);
    let state = header.state.as_str();
    let mut left = vec![
        header::environment(scene),
        ink.role(header::state_role(scene, state), &format!(" {state} ")),
        ink.text(" "),
    ];
    let versions = header::versions(scene);
    let used = left.iter().chain(&versions).map(Piece::width).sum::<usize>() + right.width() + 3;
    let place = header::place(scene, usize::from(area.width).saturating_sub(used));
    left.push(ink.bold(&place));
    left.push(ink.text(if place.is_empty() { "" } else { "  " }));
    left.extend(versions);
    put_both(buf, area, 0, &Row::from(left), &right);
}

fn foot(scene: &Scene, buf: &mut Buffer, area: Rect) {
    let mut left = vec![scene.ink.text(" data: ")];
    left.extend(header::ages(scene, true));
    let right = scene.ink.role(Role::Dim, "watch mode: this screen cannot change anything ");
    put_both(buf, area, 0, &Row::from(left), &Row::from(right));
}

fn overview(scene: &Scene, buf: &mut Buffer, area: Rect) {
    let boxes = if area.width >= 150 { 4 } else { 2 };
    let rows = if boxes == 4 { 9 } else { 14 };
    let bars = scene.view.rings.len() as u16 + 2;
    let is_tall = area.height >= rows + bars + 18;
    let (top, rest) = split(area, rows.min(area.height));
    let (first, second) = split(top, if boxes == 4 { top.height } else { top.height.div_ceil(2) });
    let cards = cards(scene);
    let places: Vec<Rect> = match boxes {
        4 => (0..4).map(|i| Rect { x: top.x + top.width / 4 * i, width: top.width / 4, ..top }).collect(),
        _ => {
            let ((one, two), (three, four)) = (halves(first), halves(second));
            vec![one, two, three, four]
        }
    };
    for (card, place) in cards.iter().zip(places) {
        draw_card(scene, buf, place, card);
    }
    if !is_tall {
        return bars_of(scene, buf, rest);
    }
    let spread = (bars * 2).min(rest.height / 2).max(bars);
    let (middle, rest) = split(rest, spread);
    bars_of(scene, buf, middle);
    let (charts, last) = split(rest, rest.height.saturating_sub((rest.height / 4).clamp(4, 8)));
    let (left, right) = halves(charts);
    errors::draw(scene, buf, left);
    drain::draw(scene, buf, right);
    events::draw(scene, buf, last);
}

/// A box with one large word or number.
struct Card {
    title: String,
    large: String,
    role: Role,
    below: Vec<String>,
}

fn cards(scene: &Scene) -> [Card; 4] {
    let (header, exposed, left) = (&scene.live.header, &scene.view.exposed, &scene.view.drain);
    let state = header.state.as_str();
    let (wave, waves) = header.wave;
    let step = if waves > 0 { format!("step {wave}/{waves} {}   ", header.ring) } else { String::new() };
    let since = header.in_phase.map(|seconds| format!("for {}", num::timer(Some(seconds)))).unwrap_or_default();
    let share = exposed.customers.zip(exposed.of.filter(|of| *of > 0)).map(|(new, of)| new as f64 / of as f64);
    let errors = &scene.view.errors;
    let limit = errors.limit.map(|limit| format!("   limit {}", num::percent(Some(limit), num::UNKNOWN)));
    let proof = match left.side {
        None => "no version is being left".to_owned(),
        Some(_) if left.in_use => left.headline.clone(),
        Some(_) if left.proven => "drain proven".to_owned(),
        Some(_) => "drain not proven".to_owned(),
    };
    let new = if header.new_version.is_empty() { "the new version" } else { &header.new_version };
    [
        Card {
            title: "state".to_owned(),
            role: header::state_role(scene, state),
            large: state.to_owned(),
            below: vec![header.why.clone(), format!("{step}{since}")],
        },
        Card {
            title: format!("customers on {new}"),
            large: num::percent(share, num::UNKNOWN),
            role: Role::New,
            below: vec![
                format!("{} of {}", num::number(exposed.customers), num::number(exposed.of)),
                format!("{} req/s ({})", num::rate(exposed.rps), num::percent(exposed.share, num::UNKNOWN)),
            ],
        },
        Card {
            title: match left.side {
                Some(side) => format!("open on the {side} version"),
                None => "open work".to_owned(),
            },
            large: num::count(left.inflight),
            role: Role::Drain,
            below: vec![format!("oldest {}", num::oldest(left.oldest)), proof],
        },
        Card {
            title: "errors on the new version".to_owned(),
            large: num::percent(errors.last.0, num::NOTHING),
            role: match errors.last.0 {
                None => Role::Dim,
                Some(last) if errors.limit.is_some_and(|limit| last > limit) => Role::Bad,
                Some(_) => Role::Ok,
            },
            below: vec![
                format!("old {}{}", num::percent(errors.last.1, num::NOTHING), limit.unwrap_or_default()),
                scene
                    .live
                    .gates
                    .iter()
                    .map(|gate| format!("{} {}", gate.name, gate.verdict.word()))
                    .collect::<Vec<_>>()
                    .join("  "),
            ],
        },
    ]
}

fn draw_card(scene: &Scene, buf: &mut Buffer, area: Rect, card: &Card) {
    let inner = scene.ink.frame(buf, area, vec![scene.ink.text(&card.title)], Vec::new());
    let below = card.below.iter().filter(|text| !text.trim().is_empty());
    let (upper, lower) = split(inner, inner.height.saturating_sub(below.clone().count() as u16));
    let pad = u16::from(upper.height > big::ROWS);
    let place =
        Rect { x: upper.x + 2, y: upper.y + pad, width: upper.width.saturating_sub(2), height: upper.height - pad };
    big::write(&scene.ink, buf, place, card.role, &card.large);
    for (y, text) in below.enumerate() {
        let text = scene.ink.fit(&format!("  {text}"), usize::from(lower.width));
        put(buf, lower, y as u16, &Row::from(scene.ink.text(&text)));
    }
}

/// Draws a bar for each ring: the share of its customers that the routes send to the new version.
fn bars_of(scene: &Scene, buf: &mut Buffer, area: Rect) {
    let title = format!("rings: customers on the new version, by the routes   {}", rings::exposed(scene));
    let inner = scene.ink.frame(buf, area, vec![scene.ink.text(&title)], Vec::new());
    let count = scene.view.rings.len().max(1) as u16;
    let gap = if inner.height >= count * 2 { 2 } else { 1 };
    for (i, ring) in scene.view.rings.iter().enumerate() {
        put(buf, inner, i as u16 * gap + (gap - 1), &bar(scene, ring, usize::from(inner.width)));
    }
}

fn bar(scene: &Scene, ring: &RingRow, width: usize) -> Row {
    let ink = &scene.ink;
    let (_, now) = rings::want_and_now(ring);
    let of = if ring.unlisted { 1 } else { ring.of };
    let count = match (ring.unlisted, ring.now) {
        (true, _) => String::new(),
        (false, now) => format!("{}/{}", num::number(now), ring.of),
    };
    let room = width.saturating_sub(2 + 13 + 6 + 9 + 12);
    let full = ring.now.map_or(0, |now| room * now.min(of) / of.max(1));
    let (block, rest) = if ink.ascii { ("#", ".") } else { ("█", "·") };
    let mark = if ring.is_current { ink.glyph(Role::Focus) } else { " " };
    let word = if ring.is_current { ring.verdict.word() } else { ring.state.as_str() };
    let role = if ring.is_current { super::scene::verdict_role(&ring.verdict) } else { None };
    Row::from(vec![
        ink.text(&format!("{mark} {} ", ink.left(&ring.name, 12))),
        ink.role(Role::New, &block.repeat(full)),
        ink.role(Role::Dim, &rest.repeat(room - full)),
        ink.bold(&ink.right(&now, 6)),
        ink.text(&format!("{}  ", ink.right(&count, 9))),
        ink.maybe(role, &ink.left(word, 10)),
    ])
}

fn graphs(scene: &Scene, buf: &mut Buffer, area: Rect) {
    let (top, below) = split(area, area.height.div_ceil(2));
    let (left, right) = halves(top);
    errors::draw(scene, buf, left);
    drain::draw(scene, buf, right);
    let (left, right) = split_across(below, below.width / 2);
    errors::draw_latency(scene, buf, left);
    errors::draw_plain(scene, buf, right, "req/s", &scene.view.requests, Unit::Rate);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_and_a_person_can_turn_them() {
        let kiosk = Kiosk { cycle_ms: 20_000, no_quit: false };
        assert_eq!(kiosk.page(0, 0), (0, Some(20)));
        assert_eq!(kiosk.page(19_001, 0), (0, Some(1)));
        assert_eq!(kiosk.page(20_000, 0), (1, Some(20)));
        assert_eq!(kiosk.page(80_000, 1), (1, Some(20)));
        assert_eq!(Kiosk { cycle_ms: 0, ..kiosk }.page(99_999, 6), (2, None));
    }
}
