//! Drawings in SVG. Widths are parts of the whole span, so that zooming is a matter of the view box alone.

use super::facts::{KINDS, Rate};
use super::html::{Html, put};
use super::latency::Latency;
use super::page::{Clock, Grouped, Lasted};
use super::series::Series;
use super::spans::Spans;
use std::fmt::Write;

/// From nanoseconds to the page's width.
pub struct Scale {
    end: u64,
}

/// The width of a track, in units of its own.
const WIDTH: f64 = 10_000.0;
/// Heights of tracks.
pub const LANE: u32 = 16;
pub const RATE: u32 = 110;

impl Scale {
    /// Of a capture that lasts so many nanoseconds.
    pub fn new(end: u64) -> Self {
        Self { end: end.max(1) }
    }

    fn x(&self, at: u64) -> f64 {
        at.min(self.end) as f64 / self.end as f64 * WIDTH
    }
}

/// The lines of time behind all tracks.
pub fn axis(html: &mut Html, scale: &Scale) {
    put!(html, "<div class=\"axis\" aria-hidden=\"true\">");
    let step = round_step(scale.end / 8);
    // A label at the very end would have no room.
    let last = scale.end - scale.end / 25;
    for at in (0..).map(|n: u64| n.saturating_mul(step)).take_while(|at| *at <= last).take(20) {
        put!(html, "<span style=\"left:{}%\">{}</span>", Short(scale.x(at) / 100.0), Tick { at, step });
    }
    put!(html, "</div>\n");
}

const SECOND: u64 = 1_000_000_000;
/// Steps that people count time in, in seconds.
const STEPS: [u64; 15] =
    [10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400];

/// The next round step: 1, 2 or 5 times a power of ten, and from 10 s on what clocks have.
fn round_step(nanos: u64) -> u64 {
    if let Some(step) =
        STEPS.iter().map(|step| step * SECOND).find(|step| nanos > 5 * SECOND && *step >= nanos)
    {
        return step;
    }
    let power = 10_u64.pow(nanos.max(1).ilog10());
    [1, 2, 5, 10].iter().map(|n| power.saturating_mul(*n)).find(|step| *step >= nanos).unwrap_or(u64::MAX)
}

/// A moment on the axis, as exact as the steps are.
struct Tick {
    at: u64,
    step: u64,
}

impl std::fmt::Display for Tick {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.at / SECOND;
        match self.step / SECOND {
            0..15 => write!(f, "{} s", Short(self.at as f64 / 1e9)),
            15..1_800 => write!(f, "{}:{:02} min", seconds / 60, seconds % 60),
            1_800..86_400 => write!(f, "{}:{:02} h", seconds / 3_600, seconds / 60 % 60),
            _ => write!(f, "{} d", seconds / 86_400),
        }
    }
}

/// A number with at most three digits behind the point, and no more than are needed.
struct Short(f64);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.3}", self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A drawing of the whole span; ended by [`close_track`].
pub fn open_track(html: &mut Html, height: u32, label: &str) {
    put!(html, "<svg class=\"track\" role=\"img\" aria-label=\"{}\" height=\"{}\" ", label, height);
    put!(html, "viewBox=\"0 0 {} {}\" preserveAspectRatio=\"none\">", WIDTH, height);
}

pub fn close_track(html: &mut Html) {
    put!(html, "</svg></div>\n");
}

/// Something that lasted. However short, its outline is seen.
pub fn bar(html: &mut Html, scale: &Scale, (from, to): (u64, u64), class: &str, title: &str) {
    let (x, end) = (scale.x(from), scale.x(to));
    put!(
        html,
        "<rect class=\"{}\" x=\"{}\" width=\"{}\" y=\"3\" height=\"10\">",
        class,
        Tenth(x),
        Tenth((end - x).max(0.1))
    );
    put!(html, "<title>{}</title></rect>", title);
}

/// All of a lane.
pub fn bars(html: &mut Html, scale: &Scale, spans: &Spans, class: &str, name: &str) {
    for span in spans.iter() {
        let mut title = format!("{name}: {}", Clock(span.start));
        if span.end > span.start {
            let _ = write!(title, " to {} ({})", Clock(span.end), Lasted(span.end - span.start));
        }
        if span.count > 1 {
            let _ = write!(title, ", {} in all", Grouped(u64::from(span.count)));
        }
        if span.failed > 0 {
            let _ = write!(title, ", {} failed", span.failed);
        }
        if span.number > 0 {
            let _ = write!(title, ", from packet {}", span.number);
        }
        bar(html, scale, (span.start, span.end), class, &title);
    }
    // Above the bar and below it, so that it is not told by its colour alone.
    for at in spans.failures() {
        put!(
            html,
            "<rect class=\"failed\" x=\"{}\" width=\"0.1\" y=\"0\" height=\"{}\">",
            Tenth(scale.x(at)),
            LANE
        );
        put!(html, "<title>{}: failed at {}</title></rect>", name, Clock(at));
    }
}

/// How many there were, over time, up to the height of a lane, in at most so many columns.
pub fn density(html: &mut Html, scale: &Scale, series: &Series<u32>, most: usize, name: &str) {
    let mut series = series.clone();
    series.shrink(most);
    let height = LANE;
    let peak = series.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    for (from, count) in series.iter().filter(|(_, count)| **count > 0) {
        let tall = (f64::from(*count) / f64::from(peak) * f64::from(height - 2)).max(1.5);
        let (x, end) = (scale.x(from), scale.x(from.saturating_add(series.width())));
        put!(
            html,
            "<rect class=\"density\" x=\"{}\" width=\"{}\" y=\"{}\" height=\"{}\">",
            Tenth(x),
            Tenth((end - x).max(0.1)),
            Tenth(f64::from(height) - tall),
            Tenth(tall)
        );
        put!(
            html,
            "<title>{} {} in the {} from {}</title></rect>",
            Grouped(u64::from(*count)),
            name,
            Lasted(series.width()),
            Clock(from)
        );
    }
}

/// The highest sum of a cell, and how many nanoseconds that is.
pub fn peak(rate: &Series<Rate>) -> (u32, u64) {
    let sum = |cell: &Rate| cell.0.iter().fold(0_u32, |sum, n| sum.saturating_add(*n));
    (rate.iter().map(|(_, cell)| sum(cell)).max().unwrap_or(0), rate.width())
}

/// Packets of each kind, one area upon the other.
pub fn stacked(html: &mut Html, scale: &Scale, rate: &Series<Rate>, peak: u32) {
    let height = f64::from(RATE);
    let y = |sum: u32| Tenth(height - f64::from(sum) / f64::from(peak.max(1)) * (height - 4.0)).to_string();
    for (kind, name) in KINDS.iter().enumerate() {
        if rate.iter().all(|(_, cell)| cell.0[kind] == 0) {
            continue;
        }
        // Along the top from left to right, and back along the bottom.
        let (mut top, mut bottom) = (String::new(), Vec::new());
        for (from, cell) in rate.iter() {
            let below: u32 = cell.0[..kind].iter().fold(0, |sum, n| sum.saturating_add(*n));
            let above = below.saturating_add(cell.0[kind]);
            let (x, end) = (Tenth(scale.x(from)), Tenth(scale.x(from.saturating_add(rate.width()))));
            let _ = write!(top, "{}{x} {}H{end}", if top.is_empty() { 'M' } else { 'L' }, y(above));
            bottom.push(format!("L{end} {}H{x}", y(below)));
        }
        bottom.reverse();
        put!(
            html,
            "<path class=\"k{}\" d=\"{}{}Z\"><title>{}</title></path>",
            kind,
            top,
            bottom.concat(),
            name
        );
    }
    // What the script shows of the moment under the pointer.
    for (from, cell) in rate.iter().filter(|(_, cell)| cell.0.iter().any(|n| *n > 0)) {
        let mut title = format!("{} for {}", Clock(from), Lasted(rate.width()));
        for (kind, n) in KINDS.iter().zip(cell.0).filter(|(_, n)| *n > 0) {
            let _ = write!(title, "\n{} {kind}", Grouped(u64::from(n)));
        }
        let (x, end) = (scale.x(from), scale.x(from.saturating_add(rate.width())));
        put!(
            html,
            "<rect class=\"hover\" x=\"{}\" width=\"{}\" y=\"0\" height=\"{}\"><title>{}</title></rect>",
            Tenth(x),
            Tenth(end - x),
            RATE,
            title
        );
    }
}

/// A line through averages, between `low` and `high`.
pub fn sparkline(html: &mut Html, points: &[(f64, f64)], low: f64, high: f64) {
    const TALL: f64 = 26.0;
    let y = |value: f64| Tenth(TALL - 2.0 - (value - low) / (high - low).max(1.0) * (TALL - 4.0));
    put!(
        html,
        "<svg class=\"spark\" viewBox=\"0 0 120 26\" width=\"120\" height=\"26\" aria-hidden=\"true\">"
    );
    put!(html, "<polyline points=\"");
    for (x, value) in points {
        put!(html, "{},{} ", Tenth(x * 116.0 + 2.0), y(*value));
    }
    put!(html, "\"/>");
    if let Some((x, value)) = points.last() {
        put!(html, "<circle cx=\"{}\" cy=\"{}\" r=\"2\"/>", Tenth(x * 116.0 + 2.0), y(*value));
    }
    put!(html, "</svg>");
}

/// How many answers took how long, in cells that grow with the time.
pub fn histogram(html: &mut Html, latency: &Latency) {
    let cells = latency.cells();
    let peak = cells.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    put!(
        html,
        "<svg class=\"histogram\" viewBox=\"0 0 400 90\" role=\"img\" aria-label=\"how long answers took\">"
    );
    let wide = (400.0 / cells.len().max(1) as f64).min(24.0);
    let mut last_label = -100.0;
    for (n, (end, count)) in cells.iter().enumerate() {
        let x = n as f64 * wide;
        let tall = if *count == 0 { 0.0 } else { (f64::from(*count) / f64::from(peak) * 66.0).max(1.5) };
        put!(
            html,
            "<rect x=\"{}\" width=\"{}\" y=\"{}\" height=\"{}\">",
            Tenth(x + 0.5),
            Tenth(wide - 1.0),
            Tenth(70.0 - tall),
            Tenth(tall)
        );
        put!(html, "<title>{} took less than {}</title></rect>", Grouped(u64::from(*count)), Lasted(*end));
        if x - last_label >= 56.0 {
            put!(html, "<text x=\"{}\" y=\"84\">{}</text>", Tenth(x), Lasted(*end));
            last_label = x;
        }
    }
    put!(html, "</svg>");
}

/// A number with one digit behind the point: what a drawing needs.
struct Tenth(f64);

impl std::fmt::Display for Tenth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.1}", self.0);
        f.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}
