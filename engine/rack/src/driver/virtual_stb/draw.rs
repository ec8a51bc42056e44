//! The picture of a box: a pure function of its state and its time.

use super::canvas::{Canvas, Colour, HEIGHT, WIDTH};
use super::lineup::{self, CHANNELS, Channel, Shape};
use super::state::{BoxState, GUIDE_ROWS, MENU, Power, Screen, ZAP_MS};
use crate::driver::Frame;

const BLACK: Colour = [0, 0, 0];
const WHITE: Colour = [240, 240, 240];
const GREY: Colour = [150, 150, 160];
const PANEL: Colour = [16, 20, 40];
const SELECTED: Colour = [230, 150, 30];

/// Draws what the box shows at `now`.
pub fn frame(state: &BoxState, now: u64) -> Frame {
    let mut state = state.clone();
    state.settle(now);
    let state = &state;
    match state.power {
        Power::Off => return Canvas::new(BLACK).finish(),
        Power::Standby => return standby(),
        Power::On { since: Some(since) } if state.booting(now) => return splash(now.saturating_sub(since)),
        Power::On { .. } => {}
    }
    let mut canvas = live(state, now);
    match state.screen {
        Screen::Live => {}
        Screen::Menu { selected } => menu(&mut canvas, selected),
        Screen::Guide { selected } => guide(&mut canvas, state, now, selected),
        Screen::Page { item } => page(&mut canvas, state, item),
    }
    if state.screen == Screen::Live && now < state.banner_until {
        banner(&mut canvas, state, now);
    }
    if let Some((number, _)) = state.digits {
        canvas.shade(1040, 40, 200, 80);
        canvas.text(1060, 56, 7, WHITE, &format!("{number}-"));
    }
    if now < state.volume_until {
        volume(&mut canvas, state);
    }
    canvas.finish()
}

fn standby() -> Frame {
    let mut canvas = Canvas::new(BLACK);
    canvas.disc(WIDTH as i32 - 40, HEIGHT as i32 - 40, 8, [120, 0, 0]);
    canvas.finish()
}

fn splash(since: u64) -> Frame {
    let mut canvas = Canvas::new([10, 16, 48]);
    canvas.centred(250, 12, WHITE, "HEADEND");
    canvas.centred(380, 4, GREY, "STARTING");
    let done = (since * 400 / super::state::BOOT_MS) as i32;
    canvas.rect(440, 460, 400, 12, [40, 48, 90]);
    canvas.rect(440, 460, done, 12, SELECTED);
    canvas.finish()
}

/// The channel itself: black for a moment after a change, then its colour with its shape in motion.
fn live(state: &BoxState, now: u64) -> Canvas {
    if state.zapped > 0 && now < state.zapped + ZAP_MS {
        return Canvas::new(BLACK);
    }
    let channel = lineup::channel(state.seed, state.channel);
    let mut canvas = Canvas::new(channel.back);
    for stripe in 0..8 {
        canvas.rect(stripe * 160, 0, 160, 24, tint(channel.back, stripe));
    }
    moving(&mut canvas, channel, state.paused.unwrap_or(now));
    if state.screen == Screen::Live {
        canvas.text(1080, 40, 3, WHITE, &format!("CH {}", channel.number));
    }
    if state.paused.is_some() {
        canvas.centred(300, 8, WHITE, "PAUSED");
    }
    canvas
}

fn tint(colour: Colour, step: i32) -> Colour {
    colour.map(|value| (i32::from(value) * (12 - step) / 12) as u8)
}

/// Runs to and fro: about four seconds from side to side, three from top to bottom.
fn moving(canvas: &mut Canvas, channel: Channel, now: u64) {
    let bounce = |period: u64, range: i32| {
        let phase = (now % (2 * period)) as i64;
        let period = period as i64;
        (i64::from(range) * (period - (phase - period).abs()) / period) as i32
    };
    let (x, y) = (140 + bounce(4_000, 1_000), 160 + bounce(3_000, 360));
    match channel.shape {
        Shape::Ball => canvas.disc(x, y, 70, channel.fore),
        Shape::Square => canvas.rect(x - 60, y - 60, 120, 120, channel.fore),
        Shape::Bar => canvas.rect(x - 20, y - 110, 40, 220, channel.fore),
    }
}

fn banner(canvas: &mut Canvas, state: &BoxState, now: u64) {
    let channel = lineup::channel(state.seed, state.channel);
    canvas.rect(60, 540, 1160, 140, PANEL);
    canvas.rect(60, 540, 1160, 4, channel.fore);
    canvas.text(84, 560, 6, WHITE, &format!("{} {}", channel.number, channel.name));
    canvas.text(84, 622, 4, WHITE, &format!("NOW {}", lineup::programme(state.seed, state.channel, now, 0)));
    canvas.text(720, 622, 4, GREY, &format!("NEXT {}", lineup::programme(state.seed, state.channel, now, 1)));
    canvas.rect(84, 662, 600, 8, [50, 56, 90]);
    canvas.rect(84, 662, (lineup::progress(now) * 6) as i32, 8, SELECTED);
}

fn volume(canvas: &mut Canvas, state: &BoxState) {
    canvas.rect(60, 60, 460, 70, PANEL);
    let label = if state.muted { "MUTE".to_owned() } else { format!("VOL {}", state.volume) };
    canvas.text(76, 80, 4, WHITE, &label);
    canvas.rect(260, 84, 240, 20, [50, 56, 90]);
    if !state.muted {
        canvas.rect(260, 84, i32::from(state.volume) * 240 / 100, 20, SELECTED);
    }
}

fn menu(canvas: &mut Canvas, selected: usize) {
    canvas.rect(80, 100, 560, 520, PANEL);
    canvas.text(112, 128, 6, WHITE, "MAIN MENU");
    for (item, label) in MENU.into_iter().enumerate() {
        row(canvas, 210 + item as i32 * 76, 500, label, item == selected);
    }
}

fn row(canvas: &mut Canvas, y: i32, width: i32, label: &str, selected: bool) {
    if selected {
        canvas.rect(100, y - 14, width, 60, SELECTED);
    }
    canvas.text(120, y, 4, if selected { BLACK } else { WHITE }, label);
}

fn guide(canvas: &mut Canvas, state: &BoxState, now: u64, selected: usize) {
    canvas.rect(60, 60, 1160, 600, PANEL);
    canvas.text(92, 84, 6, WHITE, "TV GUIDE");
    let first = selected.min(CHANNELS - GUIDE_ROWS);
    for (line, index) in (first..first + GUIDE_ROWS).enumerate() {
        let channel = lineup::channel(state.seed, index);
        let label =
            format!("{:>2} {:<13}{}", channel.number, channel.name, lineup::programme(state.seed, index, now, 0));
        row(canvas, 180 + line as i32 * 76, 1080, &label, index == selected);
    }
}

fn page(canvas: &mut Canvas, state: &BoxState, item: usize) {
    canvas.rect(80, 100, 1120, 520, PANEL);
    canvas.text(112, 128, 6, WHITE, MENU.get(item).copied().unwrap_or("PAGE"));
    let lines: &[String] = &match item {
        2 => ["NO RECORDINGS".to_owned(), String::new()],
        3 => [format!("VOLUME {}", state.volume), "OUTPUT 1280 X 720".to_owned()],
        _ => [format!("BOX {}", state.seed), format!("KEYS PRESSED {}", state.keys)],
    };
    for (line, text) in lines.iter().enumerate() {
        canvas.text(112, 230 + line as i32 * 60, 4, WHITE, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::virtual_stb::keys::press;
    use crate::driver::virtual_stb::state::BOOT_MS;

    const BANNER: [u32; 4] = [60, 540, 1160, 80];

    #[test]
    fn the_same_state_and_time_give_the_same_picture() {
        let state = BoxState::new(5);
        assert_eq!(frame(&state, 123_456), frame(&state.clone(), 123_456));
        assert_ne!(frame(&state, 123_456).rgb, frame(&state, 123_956).rgb, "the shape moves");
        assert_ne!(frame(&state, 0).rgb, frame(&BoxState::new(6), 0).rgb, "boxes look different");
    }

    #[test]
    fn the_banner_differs_by_channel_and_goes_away() {
        let mut state = BoxState::new(1);
        let mut seen = std::collections::BTreeSet::new();
        for zap in 0..CHANNELS as u64 {
            let now = 10_000 * (zap + 1);
            press(&mut state, "Channel+", now);
            let shown = frame(&state, now + 1_000).crop(BANNER).unwrap();
            assert!(seen.insert(shown.rgb.clone()), "channel {} has another's banner", state.channel);
            assert_ne!(frame(&state, now + 9_000).crop(BANNER).unwrap(), shown);
        }
    }

    #[test]
    fn a_zap_is_black_before_the_new_channel() {
        let mut state = BoxState::new(1);
        press(&mut state, "Channel+", 5_000);
        press(&mut state, "Back", 5_000);
        assert!(frame(&state, 5_000 + ZAP_MS - 1).rgb.iter().all(|value| *value == 0));
        let back = lineup::channel(1, 1).back;
        assert_eq!(frame(&state, 5_000 + ZAP_MS).rgb[(200 * 1280 + 4) * 3..][..3], back);
    }

    #[test]
    fn each_screen_is_its_own() {
        let mut pictures = std::collections::BTreeSet::new();
        let mut state = BoxState::new(1);
        let mut look = |state: &BoxState, now| assert!(pictures.insert(frame(state, now).rgb), "{state:?}");
        look(&state, 50_000);
        for key in ["Menu", "Down", "Ok", "Down", "Back", "Vol+", "Mute", "5"] {
            press(&mut state, key, 50_000);
            if key == "Back" {
                continue;
            }
            look(&state, 50_000);
        }
        press(&mut state, "Power", 60_000);
        look(&state, 60_000);
        press(&mut state, "Power", 61_000);
        look(&state, 62_000);
        look(&state, 61_000 + BOOT_MS);
        state.mains(false, 70_000);
        look(&state, 70_000);
    }
}
