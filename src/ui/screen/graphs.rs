//! The graphs: all of them side by side, or one of them alone.

use super::Zoom;
use super::frame::{self, Said, halves, split, split_across};
use crate::core::{Action, CustomerCloseup, Graph};
use crate::ui::chart::Unit;
use crate::ui::panel::{drain, errors};
use crate::ui::scene::Scene;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const KEYS: &[Action] =
    &[Action::Hold, Action::Menu, Action::Rollback, Action::NextPanel, Action::Back, Action::Help, Action::Quit];

/// From this width on, three graphs stand side by side.
const THREE: u16 = 120;

/// Draws the screen.
pub(in crate::ui) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect, said: Said<'_>, zoom: Zoom) {
    let body = frame::around(scene, buf, area, said, KEYS, Vec::new());
    let requests = |buf: &mut Buffer, area: Rect| {
        errors::draw_plain(scene, buf, area, "req/s", &scene.view.requests, Unit::Rate);
    };
    match zoom {
        Zoom::Drain => drain::draw(scene, buf, body),
        Zoom::Errors => errors::draw(scene, buf, body),
        Zoom::Latency => errors::draw_latency(scene, buf, body),
        Zoom::Requests => requests(buf, body),
        Zoom::All if body.height < 10 => errors::draw(scene, buf, body),
        Zoom::All => {
            let (top, bottom) = split(body, body.height.div_ceil(2));
            let ((one, two), (three, four)) = (halves(top), halves(bottom));
            drain::draw(scene, buf, one);
            errors::draw(scene, buf, two);
            errors::draw_latency(scene, buf, three);
            requests(buf, four);
        }
    }
}

/// Draws what happens to a customer, before and after it moved: errors and open work, where there is room requests, too.
pub(super) fn of_customer(scene: &Scene, buf: &mut Buffer, area: Rect, customer: &CustomerCloseup) {
    let all = [
        ("errors", &customer.errors, Unit::Fraction),
        ("open work", &customer.work, Unit::Count),
        ("req/s", &customer.rates, Unit::Rate),
    ];
    let count = if area.width >= THREE { all.len() } else { 2 };
    let mut rest = area;
    for (i, content) in all.into_iter().take(count).enumerate() {
        let (place, after) = split_across(rest, rest.width / (count - i) as u16);
        self::errors::draw_moved(scene, buf, place, content, customer.since);
        rest = after;
    }
}

/// Draws errors and requests of some customers side by side.
pub(super) fn pair(scene: &Scene, buf: &mut Buffer, area: Rect, errors: &Graph, rates: &Graph) {
    let (left, right) = halves(area);
    self::errors::draw_plain(scene, buf, left, "errors", errors, Unit::Fraction);
    self::errors::draw_plain(scene, buf, right, "req/s", rates, Unit::Rate);
}
