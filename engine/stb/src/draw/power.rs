//! What is seen without a channel: standby, the way to live pictures, no signal.

use super::canvas::{Canvas, HEIGHT, WIDTH};
use super::osd::{GREY, WHITE, bar};
use super::text::Letters;
use crate::state::State;

pub(super) fn standby(canvas: &mut Canvas, state: &State) {
    if state.settings.standby_light {
        canvas.disc(WIDTH - 40, HEIGHT - 40, 8, [130, 0, 0]);
    }
}

/// Black for a moment, then the splash, or a word of welcome.
pub(super) fn starting(canvas: &mut Canvas, passed_us: u64, of_us: u64, cold: bool) {
    let part = passed_us * 1_000 / of_us.max(1);
    if !cold {
        if part >= 400 {
            canvas.text_around(WIDTH / 2, 330, Letters::Title, GREY, "Welcome");
        }
        return;
    }
    if part < 40 {
        return;
    }
    canvas.rect(0, 0, WIDTH, HEIGHT, [10, 16, 48]);
    canvas.text_around(WIDTH / 2, 220, Letters::Huge, WHITE, "Headend");
    canvas.text_around(WIDTH / 2, 390, Letters::Body, WHITE, &format!("Starting, {} percent", part / 10));
    bar(canvas, 440, 460, 400, part);
}

pub(super) fn no_signal(canvas: &mut Canvas) {
    canvas.rect(0, 0, WIDTH, HEIGHT, [16, 24, 110]);
    canvas.text_around(WIDTH / 2, 260, Letters::Large, WHITE, "No signal");
    canvas.text_around(WIDTH / 2, 360, Letters::Body, WHITE, "Check the aerial cable");
    canvas.text_around(WIDTH / 2, 410, Letters::Body, GREY, "Error 1302");
}
