//! The programme guide.

use super::canvas::{Canvas, WIDTH};
use super::osd::{BLACK, GREY, GROOVE, PANEL, SELECTED, WHITE, bar};
use super::text::Letters;
use crate::guide::{GuidePlace, ROWS, SPAN_US};
use crate::lineup::channel;
use crate::programme::{HALF_HOUR_US, Programme, clock, programme};

const TOP: i32 = 136;
const ROW: i32 = 58;
const LEFT: i32 = 330;
const ACROSS: i32 = 890;

pub(super) fn draw(canvas: &mut Canvas, lineup: u64, place: GuidePlace, at_us: u64) {
    canvas.rect(40, 30, WIDTH - 80, 660, PANEL);
    canvas.text(64, 42, Letters::Title, WHITE, "TV Guide");
    canvas.text_before(WIDTH - 64, 46, Letters::Body, GREY, &clock(at_us));
    for column in 0..4 {
        let time_us = place.left_us + column as u64 * HALF_HOUR_US;
        canvas.text(LEFT + 8 + column * ACROSS / 4, 100, Letters::Small, GREY, &clock(time_us));
    }
    let first = place.first();
    for row in 0..ROWS {
        channel_row(canvas, lineup, place, first + row, TOP + row as i32 * ROW);
    }
    now_line(canvas, place, at_us);
    let shown = programme(lineup, place.channel, place.at_us);
    details(canvas, shown, at_us);
}

fn channel_row(canvas: &mut Canvas, lineup: u64, place: GuidePlace, index: usize, y: i32) {
    let tuned = channel(lineup, index);
    canvas.rect(56, y, LEFT - 64, ROW - 6, tuned.back);
    canvas.rect(56, y, 8, ROW - 6, tuned.fore);
    canvas.text(72, y + 14, Letters::Small, WHITE, &format!("{:>2} {}", tuned.number, tuned.name));
    let mut time_us = place.left_us;
    while time_us < place.left_us + SPAN_US {
        let shown = programme(lineup, index, time_us);
        let selected = index == place.channel && place.at_us >= shown.start_us && place.at_us < shown.end_us;
        cell(canvas, place, shown, y, selected);
        time_us = shown.end_us;
    }
}

fn cell(canvas: &mut Canvas, place: GuidePlace, shown: Programme, y: i32, selected: bool) {
    let (x, right) = (across(place, shown.start_us), across(place, shown.end_us));
    canvas.rect(x, y, right - x - 4, ROW - 6, if selected { SELECTED } else { GROOVE });
    let ink = if selected { BLACK } else { WHITE };
    canvas.text_within(x + 10, y + 14, right - x - 18, (Letters::Small, ink), shown.title);
}

/// Where a time lies, cut to what is seen.
fn across(place: GuidePlace, time_us: u64) -> i32 {
    let part = time_us.saturating_sub(place.left_us).min(SPAN_US);
    LEFT + (part * ACROSS as u64 / SPAN_US) as i32
}

fn now_line(canvas: &mut Canvas, place: GuidePlace, at_us: u64) {
    if at_us >= place.left_us && at_us < place.left_us + SPAN_US {
        canvas.rect(across(place, at_us) - 1, TOP, 3, ROWS as i32 * ROW - 6, [220, 40, 40]);
    }
}

fn details(canvas: &mut Canvas, shown: Programme, at_us: u64) {
    let times = format!("{}-{} {}", clock(shown.start_us), clock(shown.end_us), shown.title);
    canvas.text(64, 560, Letters::Body, WHITE, &times);
    canvas.text(64, 602, Letters::Body, GREY, shown.about);
    if shown.start_us <= at_us && at_us < shown.end_us {
        bar(canvas, 64, 656, 600, shown.progress(at_us));
    }
}
