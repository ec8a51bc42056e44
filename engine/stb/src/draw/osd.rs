//! What lies over live television: banner, digits, volume, the bar of a recording.

use super::canvas::{Canvas, Colour, HEIGHT};
use super::text::Letters;
use crate::SECOND_US;
use crate::lineup::channel;
use crate::programme::{Programme, clock, programme};
use crate::recordings::Playing;
use crate::state::State;

pub(super) const BLACK: Colour = [0, 0, 0];
pub(super) const WHITE: Colour = [240, 240, 240];
pub(super) const GREY: Colour = [165, 170, 180];
pub(super) const PANEL: Colour = [16, 20, 40];
pub(super) const GROOVE: Colour = [50, 56, 90];
pub(super) const SELECTED: Colour = [245, 175, 50];
const RED: Colour = [220, 30, 30];

/// Everything over live television or a recording.
pub(super) fn live(canvas: &mut Canvas, lineup: u64, state: &State, at_us: u64) {
    if state.zap.is_some() {
        return;
    }
    let shown = at_us < state.banner_until_us;
    match state.playing {
        Some(playing) if shown => playback(canvas, lineup, playing, at_us),
        None if shown => banner(canvas, lineup, state, at_us),
        _ => {}
    }
    if state.playing.map_or(state.shift.paused_us.is_some(), |playing| playing.speed == 0) {
        canvas.rect(500, 300, 280, 90, PANEL);
        canvas.text_around(640, 324, Letters::Title, WHITE, "Paused");
    }
    if state.recordings.0.iter().any(|recording| recording.running && recording.channel == state.channel) {
        canvas.disc(1_010, 62, 12, RED);
    }
    if let Some(digits) = state.digits {
        canvas.rect(1_040, 110, 192, 84, PANEL);
        canvas.text(1_060, 120, Letters::Large, WHITE, &format!("{}-", digits.number));
    }
}

fn banner(canvas: &mut Canvas, lineup: u64, state: &State, at_us: u64) {
    let tuned = channel(lineup, state.channel);
    let time_us = state.shift.content(at_us);
    let now = programme(lineup, state.channel, time_us);
    let next = programme(lineup, state.channel, now.end_us);
    canvas.rect(60, 500, 1_160, 180, PANEL);
    canvas.rect(60, 500, 1_160, 6, tuned.fore);
    canvas.text(84, 516, Letters::Title, WHITE, &format!("{} {}", tuned.number, tuned.name));
    canvas.text_before(1_196, 520, Letters::Body, WHITE, &clock(at_us));
    canvas.text(84, 566, Letters::Body, WHITE, &times(now));
    canvas.text_before(1_196, 566, Letters::Body, GREY, &behind(at_us - time_us));
    canvas.text(84, 604, Letters::Body, GREY, now.about);
    canvas.text(84, 644, Letters::Small, GREY, &format!("Next {} {}", clock(next.start_us), next.title));
    bar(canvas, 720, 652, 476, now.progress(time_us));
}

fn times(shown: Programme) -> String {
    format!("{}-{} {}", clock(shown.start_us), clock(shown.end_us), shown.title)
}

fn behind(us: u64) -> String {
    if us == 0 { String::new() } else { format!("-{}", minutes(us)) }
}

/// `2:05`.
pub(super) fn minutes(us: u64) -> String {
    let seconds = us / SECOND_US;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// A bar that is filled by so many thousandths.
pub(super) fn bar(canvas: &mut Canvas, x: i32, y: i32, width: i32, part: u64) {
    canvas.rect(x, y, width, 12, GROOVE);
    canvas.rect(x, y, width * part.min(1_000) as i32 / 1_000, 12, SELECTED);
}

fn playback(canvas: &mut Canvas, lineup: u64, playing: Playing, at_us: u64) {
    let (position_us, length_us) = (playing.position(at_us), playing.recording.length_us(at_us));
    let mode = match playing.speed {
        0 => "Pause".to_owned(),
        1 => "Play".to_owned(),
        speed => format!("{speed} x"),
    };
    canvas.rect(60, 560, 1_160, 120, PANEL);
    canvas.text(84, 576, Letters::Title, WHITE, playing.recording.title(lineup));
    canvas.text_before(1_196, 580, Letters::Body, WHITE, &mode);
    canvas.text(84, 630, Letters::Small, GREY, &format!("{} of {}", minutes(position_us), minutes(length_us)));
    bar(canvas, 360, 638, 836, position_us * 1_000 / length_us.max(1));
}

/// Volume bar, over everything.
pub(super) fn volume(canvas: &mut Canvas, state: &State, at_us: u64) {
    if at_us >= state.volume_until_us {
        return;
    }
    canvas.rect(60, 40, 460, 64, PANEL);
    let label = if state.muted { "Mute".to_owned() } else { format!("Volume {}", state.volume) };
    canvas.text(76, 56, Letters::Body, WHITE, &label);
    let part = if state.muted { 0 } else { u64::from(state.volume) * 10 };
    bar(canvas, 280, 66, 224, part);
}

/// What is said, for four seconds in each eight.
pub(super) fn subtitles(canvas: &mut Canvas, shown: Programme, at_us: u64) {
    if at_us / SECOND_US % 8 >= 4 {
        return;
    }
    let width = shown.about.chars().count() as i32 * Letters::Body.width() + 32;
    canvas.rect(640 - width / 2, HEIGHT - 284, width, 48, BLACK);
    canvas.text_around(640, HEIGHT - 278, Letters::Body, WHITE, shown.about);
}
