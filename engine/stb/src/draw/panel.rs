//! Lists: main menu, recordings, settings.

use super::canvas::{Canvas, Colour};
use super::osd::{BLACK, GREY, PANEL, SELECTED, WHITE, minutes};
use super::text::Letters;
use crate::lineup::channel;
use crate::programme::clock;
use crate::state::State;
use crate::{menu, settings};

/// Recordings seen at once.
const LINES: usize = 7;

/// A page over the picture, with its title and the time of day.
pub(super) fn open(canvas: &mut Canvas, width: i32, title: &str, at_us: u64) {
    canvas.rect(60, 50, width, 620, PANEL);
    canvas.text(92, 70, Letters::Title, WHITE, title);
    canvas.text_before(60 + width - 32, 74, Letters::Body, GREY, &clock(at_us));
}

/// Marks what is selected; gives the colour of text on it.
pub(super) fn mark(canvas: &mut Canvas, [x, y, width, height]: [i32; 4], selected: bool) -> Colour {
    if selected {
        canvas.rect(x, y, width, height, SELECTED);
        return BLACK;
    }
    WHITE
}

pub(super) fn menu(canvas: &mut Canvas, selected: usize, at_us: u64) {
    open(canvas, 560, "Main Menu", at_us);
    for (place, label) in menu::ITEMS.into_iter().enumerate() {
        let y = 140 + place as i32 * 72;
        let ink = mark(canvas, [80, y, 520, 60], place == selected);
        canvas.text(104, y + 12, Letters::Body, ink, label);
    }
}

pub(super) fn settings(canvas: &mut Canvas, state: &State, selected: usize, at_us: u64) {
    open(canvas, 1_000, "Settings", at_us);
    for (place, label) in settings::NAMES.into_iter().enumerate() {
        let y = 150 + place as i32 * 72;
        let ink = mark(canvas, [80, y, 960, 60], place == selected);
        canvas.text(104, y + 12, Letters::Body, ink, label);
        canvas.text(560, y + 12, Letters::Body, ink, state.settings.value(place));
    }
}

pub(super) fn recordings(canvas: &mut Canvas, lineup: u64, state: &State, selected: usize, at_us: u64) {
    open(canvas, 1_160, "Recordings", at_us);
    let all = &state.recordings.0;
    if all.is_empty() {
        canvas.text(104, 160, Letters::Body, GREY, "No recordings. Press Record on a channel.");
        return;
    }
    let first = selected.saturating_sub(LINES - 1);
    for (line, (place, recording)) in all.iter().enumerate().skip(first).take(LINES).enumerate() {
        let y = 140 + line as i32 * 66;
        let ink = mark(canvas, [80, y, 1_120, 58], place == selected);
        canvas.text(104, y + 12, Letters::Body, ink, recording.title(lineup));
        canvas.text(430, y + 12, Letters::Body, ink, channel(lineup, recording.channel).name);
        canvas.text(720, y + 12, Letters::Body, ink, &clock(recording.start_us));
        canvas.text(850, y + 12, Letters::Body, ink, &minutes(recording.length_us(at_us)));
        if recording.running {
            canvas.text(1_000, y + 12, Letters::Body, ink, "Recording");
        }
    }
    canvas.text(104, 622, Letters::Small, GREY, "OK plays, Red deletes, Stop ends");
}
