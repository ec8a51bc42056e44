//! Channels: each has its colour, its logo and something that moves.

use super::canvas::{Canvas, Colour, HEIGHT, WIDTH, fill};
use super::osd::{BLACK, WHITE};
use super::text::Letters;
use crate::SECOND_US;
use crate::chance::{Stream, throw};
use crate::lineup::{Channel, Style};
use crate::sound::BEEP_US;

/// Draws a channel at a time of its own.
pub(super) fn draw(canvas: &mut Canvas, channel: Channel, at_us: u64) {
    match channel.style {
        Style::Ball => ball(canvas, channel, at_us),
        Style::Stripes => stripes(canvas, channel, at_us),
        Style::Bands => bands(canvas, channel, at_us),
        Style::Chequers => chequers(canvas, channel, at_us),
        Style::Stars => stars(canvas, channel, at_us),
        Style::Rings => rings(canvas, channel, at_us),
        Style::TestCard => return test_card(canvas, channel, at_us),
    }
    logo(canvas, channel);
}

fn logo(canvas: &mut Canvas, channel: Channel) {
    canvas.rect(1_040, 40, 192, 44, channel.fore);
    canvas.text_around(1_136, 50, Letters::Small, BLACK, channel.name);
}

/// A colour, so many hundredths as bright.
pub(super) fn tint(colour: Colour, percent: u32) -> Colour {
    colour.map(|value| (u32::from(value) * percent / 100).min(255) as u8)
}

/// To and fro between 0 and `range`, once in two periods.
fn bounce(at_us: u64, period_us: u64, range: i32) -> i32 {
    let phase = (at_us % (2 * period_us)) as i64;
    let period = period_us as i64;
    (i64::from(range) * (period - (phase - period).abs()) / period) as i32
}

/// From 0 to `range` and again from 0.
fn run(at_us: u64, period_us: u64, range: i32) -> i32 {
    ((at_us % period_us) as i64 * i64::from(range) / period_us as i64) as i32
}

/// Bright above, darker below.
fn backdrop(canvas: &mut Canvas, colour: Colour) {
    const STEP: i32 = 12;
    for band in 0..HEIGHT / STEP {
        canvas.rect(0, band * STEP, WIDTH, STEP, tint(colour, 110 - band as u32));
    }
}

fn ball(canvas: &mut Canvas, channel: Channel, at_us: u64) {
    backdrop(canvas, channel.back);
    let (x, y) = (140 + bounce(at_us, 4_000_000, 1_000), 160 + bounce(at_us, 3_000_000, 360));
    canvas.disc(x + 12, y + 14, 90, tint(channel.back, 30));
    canvas.disc(x, y, 90, channel.fore);
    canvas.disc(x - 28, y - 28, 22, WHITE);
}

/// One row, copied from further and further right.
fn stripes(canvas: &mut Canvas, channel: Channel, at_us: u64) {
    let wide = canvas.pixels(160) as usize * 3;
    let mut row = vec![0; canvas.stride() + 2 * wide];
    for (place, stripe) in row.chunks_mut(wide).enumerate() {
        fill(stripe, tint(channel.back, if place % 2 == 0 { 105 } else { 75 }));
    }
    let from = canvas.pixels(run(at_us, 3_000_000, 320)) as usize * 3;
    let shown = &row[from..from + canvas.stride()];
    canvas.rows().for_each(|out| out.copy_from_slice(shown));
    let y = 220 + bounce(at_us, 2_400_000, 280);
    canvas.rect(540, y - 60, 200, 120, channel.fore);
    canvas.rect(560, y - 40, 160, 80, tint(channel.back, 40));
}

fn bands(canvas: &mut Canvas, channel: Channel, at_us: u64) {
    let down = run(at_us, 4_000_000, 240);
    for band in -2..6 {
        let percent = if band & 1 == 0 { 105 } else { 80 };
        canvas.rect(0, band * 120 + down, WIDTH, 120, tint(channel.back, percent));
    }
    let x = 100 + bounce(at_us, 5_000_000, 1_000);
    canvas.rect(x - 20, 180, 80, 360, channel.fore);
}

fn chequers(canvas: &mut Canvas, channel: Channel, at_us: u64) {
    let wide = canvas.pixels(80) as usize;
    let (light, dark) = (tint(channel.back, 105), tint(channel.back, 75));
    let mut row = vec![0; canvas.stride() + 4 * wide * 3];
    for (place, square) in row.chunks_mut(wide * 3).enumerate() {
        fill(square, if place % 2 == 0 { light } else { dark });
    }
    let aslant = canvas.pixels(run(at_us, 4_000_000, 160)) as usize;
    let stride = canvas.stride();
    for (y, out) in canvas.rows().enumerate() {
        let shift = aslant + (y + aslant) / wide % 2 * wide;
        out.copy_from_slice(&row[shift * 3..shift * 3 + stride]);
    }
    let (x, y) = (240 + bounce(at_us, 3_200_000, 700), 180 + bounce(at_us, 2_200_000, 300));
    canvas.rect(x, y, 140, 140, channel.fore);
    canvas.rect(x + 35, y + 35, 70, 70, tint(channel.back, 40));
}

fn stars(canvas: &mut Canvas, channel: Channel, at_us: u64) {
    canvas.rect(0, 0, WIDTH, HEIGHT, channel.back);
    for star in 0..80 {
        let place = throw(u64::from(channel.number), Stream::Stars, star);
        let (size, period_us) = [(6, 9_000_000), (10, 6_000_000), (16, 4_000_000)][(place % 3) as usize];
        let from = (place >> 8) % period_us;
        let x = WIDTH - run(at_us + from, period_us, WIDTH + 40);
        canvas.rect(x, ((place >> 40) % 700) as i32, size, size, channel.fore);
    }
    let y = 200 + bounce(at_us, 2_800_000, 260);
    canvas.disc(400, y, 70, tint(channel.back, 45));
    canvas.disc(400, y, 48, channel.fore);
}

fn rings(canvas: &mut Canvas, channel: Channel, at_us: u64) {
    canvas.rect(0, 0, WIDTH, HEIGHT, tint(channel.back, 90));
    let grown = run(at_us, 2_000_000, 100);
    for ring in (0..5).rev() {
        let percent = if ring % 2 == 0 { 110 } else { 70 };
        // When it has grown by two rings it is where another of its colour was, so nothing jumps.
        canvas.disc(640, 360, (ring * 50 + grown).min(200), tint(channel.back, percent));
    }
    let x = 120 + bounce(at_us, 3_600_000, 1_040);
    canvas.disc(x, 600, 50, channel.fore);
}

/// Flashes while it beeps.
fn test_card(canvas: &mut Canvas, channel: Channel, at_us: u64) {
    const BARS: [Colour; 8] = [
        [235, 235, 235],
        [235, 235, 16],
        [16, 235, 235],
        [16, 235, 16],
        [235, 16, 235],
        [235, 16, 16],
        [16, 16, 235],
        [16, 16, 16],
    ];
    for (bar, colour) in BARS.into_iter().enumerate() {
        canvas.rect(bar as i32 * 160, 0, 160, 520, colour);
    }
    canvas.rect(0, 520, WIDTH, 200, channel.back);
    let flash = at_us % SECOND_US < BEEP_US;
    canvas.rect(480, 160, 320, 240, if flash { [255, 255, 255] } else { [0, 0, 0] });
    canvas.rect(run(at_us, 4_000_000, WIDTH) - 30, 540, 60, 40, channel.fore);
    logo(canvas, channel);
}
