//! The graphs: all of them side by side, or one of them alone.

use super::Zoom;
use super::frame::{self, Said, halves, split};
use crate::core::{Action, Graph};
use crate::ui::chart::Unit;
use crate::ui::panel::{drain, errors};
use crate::ui::scene::Scene;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const KEYS: &[Action] = &[
    Action::Hold,
    Action::Menu,
    Action::Rollback,
    Action::NextPanel,
    Action::Graphs,
    Action::Back,
    Action::Help,
    Action::Quit,
];

/// Draws the screen.
pub(in crate::ui) fn draw(scene: &Scene, buf: &mut Buffer, area: Rect, said: Said<'_>, zoom: Zoom) {
    let body = frame::around(scene, buf, area, said, KEYS, Vec::new());
    let requests = |buf: &mut Buffer, area: Rect| {
        errors::draw_plain(scene, buf, area, "req/s", &scene.view.requests, Unit::Count);
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

/// Draws errors and requests of some customers side by side.
pub(super) fn pair(scene: &Scene, buf: &mut Buffer, area: Rect, errors: &Graph, rates: &Graph) {
    let (left, right) = halves(area);
    self::errors::draw_plain(scene, buf, left, "errors", errors, Unit::Fraction);
    self::errors::draw_plain(scene, buf, right, "req/s", rates, Unit::Count);
}
