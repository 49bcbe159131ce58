//! The two top lines: where, who, what, how fresh; and the banner of a stale picture.

use crate::core::{Action, FreshRow, Header, Mode, Tone};
use crate::ui::num;
use crate::ui::paint::{Piece, Row, put, put_both, tint};
use crate::ui::scene::Scene;
use crate::ui::text;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// From this height of the screen on, the banner has a second row.
const ROOMY: u16 = 30;

/// Returns the rows the header takes on a screen of `rows` rows.
pub(in crate::ui) fn height(scene: &Scene, rows: u16) -> u16 {
    let banner = match scene.live.header.stale.is_empty() {
        true => 0,
        false if rows >= ROOMY => 2,
        false => 1,
    };
    (2 + banner).min(rows)
}

/// Draws the header.
pub(in crate::ui) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect) {
    first(scene, buf, area);
    second(scene, buf, area);
    let (first, second) = banner(scene, usize::from(area.width), area.height > 3);
    for (y, text) in [(2, first), (3, second)] {
        if !scene.live.header.stale.is_empty() && y < area.height && !text.is_empty() {
            put(buf, area, y, &Line::from(scene.ink.role(Role::Danger, &text)));
            tint(buf, area, y, scene.ink.theme.style(Role::Danger));
        }
    }
}

/// Returns the environment's word, in the weight it deserves.
pub(in crate::ui) fn environment(scene: &Scene) -> Piece {
    let word = &scene.live.header.environment;
    match word.as_str() {
        "PROD" => scene.ink.role(Role::Danger, &format!(" {word} ")),
        "" => scene.ink.role(Role::Dim, " ? "),
        _ => scene.ink.role(Role::Warn, &format!(" {word} ")),
    }
}

/// Names the place in at most so many cells: cluster, namespace, and the plan where it has a name of its own.
///
/// Several plans may share a namespace: then the plan is what says which one this is, and the cluster is cut first.
pub(in crate::ui) fn place(scene: &Scene, room: usize) -> String {
    let Header { cluster, namespace, plan, .. } = &scene.live.header;
    let ink = &scene.ink;
    if cluster.is_empty() && namespace.is_empty() {
        return ink.fit(num::UNKNOWN, room);
    }
    if plan.is_empty() || plan == namespace {
        return ink.fit(&format!("{cluster}/{namespace}"), room);
    }
    let inside = format!("{namespace}/{plan}");
    let left = room.saturating_sub(ink.clean(&inside).width());
    match left {
        0 if ink.clean(&inside).width() > room => ink.fit(plan, room),
        0..3 => inside,
        _ => format!("{}/{inside}", ink.fit(cluster, left - 1)),
    }
}

/// Returns the state word with its reason.
pub(in crate::ui) fn state(scene: &Scene, width: usize) -> Vec<Piece> {
    let header = &scene.live.header;
    let word = header.state.as_str();
    let phase = &header.phase;
    let beside = if phase.is_empty() || phase == word { String::new() } else { format!(" ({phase})") };
    let badge = format!(" {word} ");
    let why = match header.why.as_str() {
        _ if !scene.live.plans.is_empty() => format!(" {}", text::CHOOSE),
        "" => beside,
        why => format!("{beside} {why}"),
    };
    let room = width.saturating_sub(scene.ink.clean(&badge).width());
    let mut pieces = vec![scene.ink.role(state_role(scene, word), &scene.ink.fit(&badge, width))];
    if room > 1 && !why.is_empty() {
        pieces.push(scene.ink.text(&scene.ink.fit(&why, room)));
    }
    pieces
}

/// Returns how a state word reads: an emergency, a way back, an end, or work.
pub(in crate::ui) fn state_role(scene: &Scene, word: &str) -> Role {
    match scene.live.header.alarm {
        Some(Tone::Bad) => return Role::Danger,
        Some(Tone::Warn) => return Role::Warn,
        _ => {}
    }
    match word {
        "HOLD" | "BLOCKED" | "STALE" | Header::NO_CLUSTER | "NO PLAN" => Role::Danger,
        word if goes_back(word) => Role::Warn,
        "DONE" | "ROLLED BACK" | "PROMOTED" | "READY" => Role::Ok,
        "IDLE" | "PROPOSED" | Header::CONNECTING => Role::Focus,
        _ => Role::New,
    }
}

/// Tells whether a state word is of a way back.
pub(in crate::ui) fn goes_back(word: &str) -> bool {
    matches!(word, "ROLLING BACK" | "VERIFYING BACK" | "DRAINING NEW" | "RETIRING NEW")
}

/// Returns the version that serves, and the one that comes.
pub(in crate::ui) fn versions(scene: &Scene) -> Vec<Piece> {
    let header = &scene.live.header;
    if header.old_version.is_empty() && header.new_version.is_empty() {
        return Vec::new();
    }
    let old = if header.old_version.is_empty() { num::UNKNOWN } else { &header.old_version };
    if header.new_version.is_empty() {
        return vec![scene.ink.role(Role::Old, old), scene.ink.text(" serves")];
    }
    vec![
        scene.ink.role(Role::Old, old),
        scene.ink.text(&format!(" {} ", scene.ink.arrow())),
        scene.ink.role(Role::New, &header.new_version),
    ]
}

/// Returns mode, driver and lease.
pub(in crate::ui) fn mode(scene: &Scene, width: usize) -> Vec<Piece> {
    let header = &scene.live.header;
    let word = header.mode.word();
    let beside = match (header.mode, &header.driver) {
        (Mode::Driving, _) => format!(" you {}", header.lease.map_or(num::UNKNOWN.to_owned(), num::age)),
        (_, Some((name, seen))) => format!(" driver {name} {}", num::age(*seen)),
        (_, None) if !header.is_read() => format!(" driver {}", num::UNKNOWN),
        (_, None) => " nobody drives".to_owned(),
    };
    let word = match header.mode {
        Mode::Driving => scene.ink.role(Role::Ok, word),
        Mode::Standby | Mode::Unknown => scene.ink.role(Role::Warn, word),
        Mode::Watch => scene.ink.role(Role::Dim, word),
    };
    let room = width.saturating_sub(word.width());
    vec![word, scene.ink.text(&scene.ink.fit(&beside, room))]
}

/// Returns the ages of the sources; with `few`, the lease is left out while it is fresh: line one shows it too.
pub(in crate::ui) fn ages(scene: &Scene, few: bool) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let shown = scene.live.header.fresh.iter().filter(|row| !few || row.stale || row.source != "lease");
    for FreshRow { source, age, stale } in shown {
        let age = age.map_or(num::UNKNOWN.to_owned(), num::age);
        let text = format!("{source} {age}{}", if *stale { "!" } else { "" });
        if !pieces.is_empty() {
            pieces.push(scene.ink.text(" "));
        }
        pieces.push(scene.ink.maybe(stale.then_some(Role::Bad), &text));
    }
    pieces
}

/// Returns the banner of a stale picture as one row of a card, where there is little room only its first words; `None`
/// while it is fresh.
pub(in crate::ui) fn stale_row(scene: &Scene, width: usize) -> Option<Row> {
    let why = &scene.live.header.stale;
    let text = match (why.is_empty(), width < 40) {
        (true, _) => return None,
        (false, true) => scene.ink.left(&format!(" STALE: {}", why.join("; ")), width),
        (false, false) => banner(scene, width, false).0,
    };
    Some(Row::from(scene.ink.role(Role::Danger, &text)))
}

fn first(scene: &Scene, buf: &mut Buffer, area: Rect) {
    let header = &scene.live.header;
    let width = usize::from(area.width);
    let wide = width >= 120;
    let versions = Line::from(versions(scene));
    let clock = scene.ink.bold(&scene.clock.time(scene.live.now));
    let fixed = environment(scene).width() + versions.width() + clock.width() + 7;
    let room = width.saturating_sub(fixed);
    // Who drives comes before the full name of the place, of which some cells always stay.
    let mode_width = Line::from(mode(scene, usize::MAX)).width();
    let place_room = room.saturating_sub(mode_width).max(8);
    let place = if wide && !header.plan.is_empty() {
        scene.ink.fit(&format!("{}/{}  plan {}", header.cluster, header.namespace, header.plan), place_room)
    } else {
        place(scene, place_room)
    };
    let mode = mode(scene, room.saturating_sub(scene.ink.clean(&place).width()));

    let mut left = vec![environment(scene), scene.ink.text(" "), scene.ink.bold(&place), scene.ink.text("  ")];
    left.extend(versions);
    if wide && !header.release.is_empty() {
        left.push(scene.ink.role(Role::Dim, &format!("   release {}", header.release)));
    }
    let mut right = mode;
    right.push(scene.ink.text("  "));
    right.push(clock);
    right.push(scene.ink.text(" "));
    put_both(buf, area, 0, &Row::from(left), &Row::from(right));
}

/// How much the second line says; what is not said there stands elsewhere on the screen.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Detail {
    Least,
    Less,
    Normal,
    Full,
}

fn second(scene: &Scene, buf: &mut Buffer, area: Rect) {
    let width = usize::from(area.width);
    let wanted: usize = state(scene, usize::MAX).iter().map(Piece::width).sum();
    let mut rows = (Row::default(), Row::default());
    for detail in [Detail::Full, Detail::Normal, Detail::Less, Detail::Least] {
        let (left, right) = (step(scene, detail), times(scene, detail));
        let used = left.iter().chain(&right).map(Piece::width).sum::<usize>() + 1;
        let room = width.saturating_sub(used);
        let mut left = left;
        left.extend(state(scene, room));
        rows = (Row::from(left), Row::from(right));
        if room >= wanted {
            break;
        }
    }
    put_both(buf, area, 1, &rows.0, &rows.1);
}

fn step(scene: &Scene, detail: Detail) -> Vec<Piece> {
    let header = &scene.live.header;
    let (wave, waves) = header.wave;
    let ring = if detail == Detail::Least { String::new() } else { format!(" {}", header.ring) };
    let mut pieces = vec![scene.ink.text(" ")];
    if let Some(seconds) = scene.frozen {
        pieces.push(scene.ink.role(Role::Focus, &format!(" VIEW FROZEN {} ", num::timer(Some(seconds)))));
        pieces.push(scene.ink.text(" "));
    }
    if waves > 0 {
        pieces.push(scene.ink.bold(&format!("step {wave}/{waves}{ring}")));
        pieces.push(scene.ink.text(" "));
    }
    pieces
}

fn times(scene: &Scene, detail: Detail) -> Vec<Piece> {
    let header = &scene.live.header;
    let mut pieces = Vec::new();
    if let Some(seconds) = header.in_phase {
        let word = if detail == Detail::Least { "" } else { "for " };
        pieces.push(scene.ink.bold(&format!("{word}{} ", num::timer(Some(seconds)))));
    }
    if let Some(total) = header.total.filter(|_| detail == Detail::Full) {
        pieces.push(scene.ink.text(&format!(" in all {}  ", num::timer(Some(total)))));
    }
    pieces.extend(ages(scene, detail <= Detail::Less));
    pieces.push(scene.ink.text(" "));
    pieces
}

/// Writes the banner in one row or two: as many of its sentences as fit beside the reason.
fn banner(scene: &Scene, width: usize, is_roomy: bool) -> (String, String) {
    let header = &scene.live.header;
    let said = scene.clock.short(header.logged_out);
    let login = header.logged_out.map(|_| format!("AUTH EXPIRED since {said}; ")).unwrap_or_default();
    let why = format!(" STALE: {login}{}.", header.stale.join("; "));
    let (hold, back, retry) = (scene.key(Action::Hold), scene.key(Action::Rollback), scene.key(Action::Retry));
    let again = if retry.is_empty() { String::new() } else { format!(" {retry} asks again.") };
    let rests = if scene.operates() {
        [
            format!(
                " Numbers are OLD.{again} No forward acts; {hold} and {back} still work: they read the cluster first."
            ),
            format!(" Numbers are OLD.{again} No forward acts; {hold} and {back} still work."),
            format!("{again} No forward acts; {hold} and {back} still work."),
            format!("{again} {hold} and {back} work."),
            format!(" {hold} and {back} work."),
        ]
    } else {
        [
            format!(" The numbers below are OLD and say nothing about now. This console goes on trying.{again}"),
            format!(" These numbers are OLD and say nothing about now.{again}"),
            format!(" Numbers are OLD.{again}"),
            format!(" OLD.{again}"),
            " OLD.".to_owned(),
        ]
    };
    if is_roomy {
        let rest = rests.iter().find(|rest| rest.len() <= width).unwrap_or(&rests[4]);
        return (scene.ink.left(&why, width), scene.ink.left(rest, width));
    }
    let room = width.saturating_sub(scene.ink.clean(&why).width());
    let rest = rests.iter().find(|rest| rest.len() <= room).unwrap_or(&rests[4]);
    (scene.ink.left(&format!("{}{rest}", scene.ink.fit(&why, width.saturating_sub(rest.len()))), width), String::new())
}
