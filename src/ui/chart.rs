//! Charts of braille dots, with a twin of ASCII signs.
//!
//! Samples are appended from left to right, and the picture moves only when it is full, by a quarter of its width: a chart
//! that scrolls with every sample rewrites all its cells, which a slow link feels.

use super::num;
use super::paint::{Ink, put};
use super::theme::Role;
use crate::model::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// What a chart's numbers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Fractions of one.
    Fraction,
    /// Counts.
    Count,
    /// Counts per second.
    Rate,
    /// Seconds.
    Seconds,
}

/// One line of a chart, oldest sample first; a gap is a gap.
pub(super) struct Curve<'a> {
    pub values: &'a [Option<f64>],
    pub role: Role,
    /// Every other dot only, so that two lines differ without colour.
    pub dotted: bool,
}

/// Lines over one time axis.
pub(super) struct Chart<'a> {
    pub curves: Vec<Curve<'a>>,
    pub limit: Option<f64>,
    pub unit: Unit,
    /// Seconds from one sample to the next.
    pub step: f64,
    pub now: Option<Timestamp>,
    /// When something happened that divides the picture.
    pub mark: Option<Timestamp>,
}

/// Cells of the axis labels, with the axis itself.
const AXIS: u16 = 6;

impl Chart<'_> {
    /// Draws the chart into the whole area.
    pub fn draw(&self, ink: &Ink, buf: &mut Buffer, area: Rect) {
        let area = area.intersection(buf.area);
        if area.height == 0 || area.width <= AXIS {
            return;
        }
        let plot = Rect { x: area.x + AXIS, width: area.width - AXIS, ..area };
        let top = self.top();
        self.axis(ink, buf, area, top);
        if self.curves.iter().all(|c| c.values.iter().all(Option::is_none)) {
            put(buf, plot, plot.height / 2, &Line::from(ink.role(Role::Dim, " no samples yet")));
            return;
        }
        self.draw_limit(ink, buf, plot, top);
        self.draw_mark(ink, buf, plot);
        let mut dots = Dots::new(plot.width, plot.height);
        for curve in &self.curves {
            self.plot(curve, &mut dots, top);
        }
        dots.draw(ink, buf, plot, &self.curves);
    }

    /// Returns the seconds that `width` cells hold without moving the picture, for the title.
    pub fn span(&self, width: u16) -> u64 {
        let samples = usize::from(width.saturating_sub(AXIS)) * 2 * 3 / 4;
        (samples as f64 * self.step.max(0.0)) as u64
    }

    /// Returns the value at the upper edge: round, and above every sample and the limit.
    fn top(&self) -> f64 {
        let highest = self.highest().max(self.limit_in_sight().unwrap_or(0.0));
        round_up(if highest > 0.0 { highest * 1.1 } else { self.smallest() }).max(self.smallest())
    }

    fn highest(&self) -> f64 {
        let samples = self.curves.iter().flat_map(|c| c.values.iter().flatten().copied());
        samples.filter(|v| v.is_finite()).fold(0.0, f64::max)
    }

    /// Returns the limit, unless it is so far above every latency that these would lie on the floor.
    fn limit_in_sight(&self) -> Option<f64> {
        let limit = self.limit.filter(|limit| limit.is_finite() && *limit >= 0.0)?;
        let far = self.unit == Unit::Seconds && limit > self.highest() * 8.0;
        (!far).then_some(limit)
    }

    fn smallest(&self) -> f64 {
        match self.unit {
            Unit::Fraction => 0.01,
            Unit::Count | Unit::Rate => 4.0,
            Unit::Seconds => 0.01,
        }
    }

    fn axis(&self, ink: &Ink, buf: &mut Buffer, area: Rect, top: f64) {
        let rail = if ink.ascii { "|" } else { "┤" };
        let limit_row = self.limit_in_sight().map(|limit| row_of(limit, top, area.height));
        for y in 0..area.height {
            let label = match y {
                0 => self.label(top),
                _ if y == area.height - 1 => "0".to_owned(),
                _ if Some(y) == limit_row => self.limit_in_sight().map(|limit| self.label(limit)).unwrap_or_default(),
                _ => String::new(),
            };
            put(
                buf,
                area,
                y,
                &Line::from(ink.role(Role::Dim, &format!("{}{rail}", ink.right(&label, usize::from(AXIS) - 1)))),
            );
        }
    }

    fn label(&self, value: f64) -> String {
        match self.unit {
            Unit::Fraction => num::percent(Some(value), num::UNKNOWN),
            Unit::Count | Unit::Rate => num::count(Some(value.round() as u64)),
            Unit::Seconds => num::latency(Some(value)),
        }
    }

    fn draw_limit(&self, ink: &Ink, buf: &mut Buffer, plot: Rect, top: f64) {
        let Some(limit) = self.limit_in_sight() else { return };
        let dash = if ink.ascii { "-" } else { "╌" };
        let row = dash.repeat(usize::from(plot.width));
        put(buf, plot, row_of(limit, top, plot.height), &Line::from(ink.role(Role::Warn, &row)));
    }

    fn draw_mark(&self, ink: &Ink, buf: &mut Buffer, plot: Rect) {
        let Some(column) = self.column_of_mark(usize::from(plot.width) * 2) else { return };
        let place = Rect { x: plot.x + (column / 2) as u16, width: 1, ..plot };
        for y in 0..plot.height {
            put(buf, place, y, &Line::from(ink.role(Role::Dim, mark(ink))));
        }
    }

    /// Tells whether the mark is in a picture of so many cells.
    pub fn shows_mark(&self, width: u16) -> bool {
        self.column_of_mark(usize::from(width.saturating_sub(AXIS)) * 2).is_some()
    }

    /// Returns the column of the mark: as many before the newest one as samples have come since.
    fn column_of_mark(&self, columns: usize) -> Option<usize> {
        let (now, mark) = self.now.zip(self.mark).filter(|_| self.step > 0.0)?;
        let sample = |at: Timestamp| (at.as_second() as f64 / self.step).floor();
        let back = sample(now) - sample(mark);
        (back >= 0.0).then(|| self.newest(columns).checked_sub(back as usize)).flatten()
    }

    fn plot(&self, curve: &Curve, dots: &mut Dots, top: f64) {
        let columns = dots.columns();
        let newest = self.newest(columns);
        let mut before: Option<usize> = None;
        for column in 0..=newest {
            let value = (curve.values.len() + column).checked_sub(newest + 1).and_then(|i| curve.values[i]);
            let Some(value) = value.filter(|v| v.is_finite()) else {
                before = None;
                continue;
            };
            let level =
                (value / top * (dots.levels() - 1) as f64).round().clamp(0.0, (dots.levels() - 1) as f64) as usize;
            if !curve.dotted {
                let from = before.unwrap_or(level);
                for y in from.min(level)..=from.max(level) {
                    dots.set(column, y, curve.role);
                }
            } else if column % 2 == 0 {
                dots.set(column, level, curve.role);
            }
            before = Some(level);
        }
    }

    /// Returns the column of the newest sample: it walks through the last quarter, then the picture moves.
    fn newest(&self, columns: usize) -> usize {
        let quarter = (columns / 4).max(1);
        let last = columns.saturating_sub(1);
        match self.now {
            Some(now) if self.step > 0.0 => {
                let sample = (now.as_second() as f64 / self.step).floor().max(0.0) as usize;
                last.saturating_sub(quarter - 1 - sample % quarter)
            }
            _ => last,
        }
    }
}

/// Returns the sign that divides a picture.
pub(super) fn mark(ink: &Ink) -> &'static str {
    if ink.ascii { ":" } else { "┊" }
}

/// Returns the row of a value, counted from the top.
fn row_of(value: f64, top: f64, height: u16) -> u16 {
    let levels = f64::from(height) * 4.0 - 1.0;
    let level = (value / top * levels).round().clamp(0.0, levels) as u16;
    height - 1 - level / 4
}

/// Rounds up to 1, 1.2, 1.6, 2, 2.5, 3, 4, 5, 6 or 8 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 1.2, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let step = steps.into_iter().find(|step| step * power >= value * (1.0 - 1e-9)).unwrap_or(10.0);
    step * power
}

/// A field of dots, two by four in each cell.
struct Dots {
    width: usize,
    height: usize,
    cells: Vec<(u8, Option<Role>)>,
}

/// The braille bits of the left and the right column, from the lowest dot up.
const BITS: [[u8; 4]; 2] = [[0x40, 0x04, 0x02, 0x01], [0x80, 0x20, 0x10, 0x08]];

impl Dots {
    fn new(width: u16, height: u16) -> Self {
        let (width, height) = (usize::from(width), usize::from(height));
        Self { width, height, cells: vec![(0, None); width * height] }
    }

    fn columns(&self) -> usize {
        self.width * 2
    }

    fn levels(&self) -> usize {
        self.height * 4
    }

    fn set(&mut self, column: usize, level: usize, role: Role) {
        let row = self.height - 1 - level / 4;
        let cell = &mut self.cells[row * self.width + column / 2];
        cell.0 |= BITS[column % 2][level % 4];
        // The first curve is the one that matters; where lines cross, its colour stays.
        cell.1.get_or_insert(role);
    }

    fn draw(&self, ink: &Ink, buf: &mut Buffer, plot: Rect, curves: &[Curve]) {
        for (i, (bits, role)) in self.cells.iter().enumerate() {
            let Some(role) = role else { continue };
            let dotted = curves.iter().any(|c| c.role == *role && c.dotted);
            let sign = match (ink.ascii, dotted) {
                (true, true) => 'o',
                (true, false) => '*',
                (false, _) => char::from_u32(0x2800 + u32::from(*bits)).unwrap_or(' '),
            };
            let position = (plot.x + (i % self.width) as u16, plot.y + (i / self.width) as u16);
            buf[position].set_char(sign).set_style(Style::reset()).set_style(ink.theme.style(*role));
        }
    }
}

/// Draws the newest samples as one row of bars; a gap is a blank.
pub(super) fn spark(ink: &Ink, values: &[Option<f64>], width: usize) -> String {
    let bars: &[char] =
        if ink.ascii { &['_', '.', '-', '=', '#'] } else { &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] };
    let tail = &values[values.len().saturating_sub(width)..];
    let top = tail.iter().flatten().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
    let bar = |value: &Option<f64>| match value.filter(|v| v.is_finite()) {
        None => ' ',
        Some(_) if top <= 0.0 => bars[0],
        Some(v) => bars[((v.max(0.0) / top * (bars.len() - 1) as f64).round() as usize).min(bars.len() - 1)],
    };
    tail.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::super::theme::Theme;
    use super::*;

    fn picture(values: &[Option<f64>], limit: Option<f64>, ascii: bool) -> Vec<String> {
        let theme = Theme::builtin("mono").unwrap();
        let ink = Ink { theme: &theme, ascii };
        let area = Rect::new(0, 0, 14, 3);
        let mut buf = Buffer::empty(area);
        let curves = vec![Curve { values, role: Role::New, dotted: false }];
        Chart { curves, limit, unit: Unit::Fraction, step: 0.0, now: None, mark: None }.draw(&ink, &mut buf, area);
        (0..3).map(|y| (0..14).map(|x| buf[(x, y)].symbol()).collect()).collect()
    }

    #[test]
    fn a_gap_stays_a_gap_and_the_limit_stands_behind_the_line() {
        let values: Vec<Option<f64>> =
            (0..16).map(|i| (!(6..10).contains(&i)).then_some(f64::from(i) / 1000.0)).collect();
        assert_eq!(picture(&values, Some(0.012), true), [" 2.0%|       *", " 1.2%|-----***", "    0|***     "]);
        assert_eq!(picture(&values, None, false), [" 2.0%┤       ⣀", "     ┤     ⠒⠋⠁", "    0┤⣠⠴⠚     "]);
    }

    #[test]
    fn round_steps_keep_the_scale_still() {
        assert_eq!([0.011, 0.0131, 0.9, 137.0, 420.0].map(round_up), [0.012, 0.016, 1.0, 160.0, 500.0]);
    }

    #[test]
    fn a_latency_limit_far_away_does_not_flatten_the_line() {
        let values = [Some(0.098); 8];
        let curves = vec![Curve { values: &values, role: Role::New, dotted: false }];
        let mut chart = Chart { curves, limit: Some(75.0), unit: Unit::Seconds, step: 1.0, now: None, mark: None };
        assert_eq!(chart.limit_in_sight(), None);
        assert!(chart.top() < 0.2);
        chart.limit = Some(0.25);
        assert!(chart.limit_in_sight().is_some() && chart.top() > 0.25);
    }

    #[test]
    fn no_sample_is_said_and_not_drawn_as_zero() {
        assert!(picture(&[None, None], None, false).concat().contains("no samp"));
    }

    #[test]
    fn samples_are_appended_until_the_picture_is_full() {
        let chart = |second: i64| Chart {
            curves: Vec::new(),
            limit: None,
            unit: Unit::Count,
            step: 5.0,
            now: Timestamp::from_second(second).ok(),
            mark: None,
        };
        let columns: Vec<usize> = (0..8).map(|i| chart(i * 5).newest(16)).collect();
        assert_eq!(columns, [12, 13, 14, 15, 12, 13, 14, 15]);
    }

    #[test]
    fn a_mark_stands_where_its_sample_is_and_moves_out_of_sight_with_it() {
        let at = |second: i64| Timestamp::from_second(second).ok();
        let chart = |mark, now| Chart { curves: Vec::new(), limit: None, unit: Unit::Count, step: 5.0, now, mark };
        let column = |mark: i64, now: i64| chart(at(mark), at(now)).column_of_mark(16);
        assert_eq!([column(0, 0), column(0, 15), column(0, 20), column(3, 20)], [12, 12, 8, 8].map(Some));
        assert_eq!([column(0, 80), column(30, 20)], [None, None]);
        let values = [Some(1.0); 16];
        let theme = Theme::builtin("mono").unwrap();
        for (ascii, sign) in [(true, ":"), (false, "┊")] {
            let area = Rect::new(0, 0, 14, 3);
            let mut buf = Buffer::empty(area);
            let curves = vec![Curve { values: &values, role: Role::New, dotted: false }];
            Chart { curves, ..chart(at(0), at(20)) }.draw(&Ink { theme: &theme, ascii }, &mut buf, area);
            let marked: Vec<u16> = (0..14).filter(|x| (0..3).any(|y| buf[(*x, y)].symbol() == sign)).collect();
            assert_eq!(marked, [AXIS + 4]);
        }
    }

    #[test]
    fn bars_show_a_gap_as_a_blank() {
        let theme = Theme::builtin("mono").unwrap();
        assert_eq!(spark(&Ink { theme: &theme, ascii: false }, &[Some(0.0), None, Some(4.0), Some(8.0)], 3), " ▅█");
        assert_eq!(spark(&Ink { theme: &theme, ascii: true }, &[Some(0.0), Some(0.0)], 9), "__");
    }
}
