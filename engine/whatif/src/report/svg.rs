//! The picture: coverage over time, and waits side by side.

use std::fmt::Write;

use headend_model::Span;

use super::html::escape;
use super::long;
use crate::figures::Figures;

const WIDTH: i64 = 860;
const LEFT: i64 = 60;
const RIGHT: i64 = 840;
const TOP: i64 = 40;
const BOTTOM: i64 = 300;
/// Height of one case below the chart.
const BAR: i64 = 40;
/// Told apart by those who see few colours, too.
const COLOURS: [&str; 8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#999999"];
const DASHES: [&str; 4] = ["none", "8 4", "2 4", "8 4 2 4"];

/// A picture that stands alone.
pub fn svg(all: &[Figures]) -> String {
    let height = BOTTOM + 90 + BAR * all.len() as i64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<title>Coverage over time, and waits</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    let longest = all.iter().map(|figures| figures.makespan).max().unwrap_or_default().max(Span::micros(1));
    axes(&mut out, longest);
    all.iter().enumerate().for_each(|(at, figures)| curve(&mut out, at, figures, longest));
    bars(&mut out, all);
    out.push_str("</svg>\n");
    out
}

// Writing to a string cannot fail, here and below.
fn label(out: &mut String, (x, y): (i64, i64), anchor: &str, text: &str) {
    writeln!(out, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>", escape(text)).ok();
}

fn line(out: &mut String, (x1, y1): (i64, i64), (x2, y2): (i64, i64), colour: &str) {
    writeln!(out, "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"{colour}\"/>").ok();
}

fn axes(out: &mut String, longest: Span) {
    label(out, (LEFT, TOP - 16), "start", "tests that have been started once, over time");
    for quarter in 0..=4 {
        let y = BOTTOM - (BOTTOM - TOP) * quarter / 4;
        line(out, (LEFT, y), (RIGHT, y), "#dddddd");
        label(out, (LEFT - 6, y + 4), "end", &format!("{} %", quarter * 25));
        let x = LEFT + (RIGHT - LEFT) * quarter / 4;
        let at = Span::micros(longest.as_micros() / 4 * quarter);
        label(out, (x, BOTTOM + 18), if quarter == 4 { "end" } else { "middle" }, &long(at));
    }
}

fn x_of(at: Span, longest: Span) -> i64 {
    LEFT + (i128::from(at.as_micros()) * i128::from(RIGHT - LEFT) / i128::from(longest.as_micros())) as i64
}

fn curve(out: &mut String, at: usize, figures: &Figures, longest: Span) {
    let points = figures.coverage.iter().enumerate().filter_map(|(percent, when)| Some((percent as i64, (*when)?)));
    let mut shown = String::new();
    for (percent, when) in points {
        write!(shown, "{},{} ", x_of(when, longest), BOTTOM - (BOTTOM - TOP) * percent / 100).ok();
    }
    writeln!(
        out,
        "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\" stroke-dasharray=\"{}\" points=\"{}\"/>",
        COLOURS[at % COLOURS.len()],
        DASHES[at % DASHES.len()],
        shown.trim_end()
    )
    .ok();
}

/// Per case a bar to the median wait and a line to the 95th percentile, and its colour in the chart.
fn bars(out: &mut String, all: &[Figures]) {
    let top = BOTTOM + 56;
    label(out, (LEFT, top - 10), "start", "wait of runs: bar to p50, line to p95");
    let longest = all.iter().map(|figures| figures.wait.p95).max().unwrap_or_default().max(Span::micros(1));
    for (at, figures) in all.iter().enumerate() {
        let y = top + BAR * at as i64;
        let colour = COLOURS[at % COLOURS.len()];
        let (p50, p95) = (x_of(figures.wait.p50, longest), x_of(figures.wait.p95, longest));
        let width = p50 - LEFT;
        writeln!(out, "<rect x=\"{LEFT}\" y=\"{}\" width=\"{width}\" height=\"10\" fill=\"{colour}\"/>", y + 16).ok();
        line(out, (LEFT, y + 21), (p95, y + 21), colour);
        line(out, (p95, y + 16), (p95, y + 26), colour);
        let text = format!("{}: p50 {}, p95 {}", figures.case, long(figures.wait.p50), long(figures.wait.p95));
        label(out, (LEFT, y + 12), "start", &text);
        let dash = DASHES[at % DASHES.len()];
        writeln!(out, "<line x1=\"8\" y1=\"{0}\" x2=\"50\" y2=\"{0}\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"/>", y + 8).ok();
    }
}
