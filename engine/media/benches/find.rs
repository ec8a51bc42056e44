//! The search beside a search of every place and every pixel, in one run: a logo of 100x60 pixels on screens of 720p and 1080p. The last word of a case is
//! what is asked of it: `there` to the pixel, `noisy` as a capture card shows it, `absent` with something like it on the screen.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may stop at the first surprise")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use headend_media::Picture;

const SIZES: [(&str, u32, u32); 2] = [("720p", 1280, 720), ("1080p", 1920, 1080)];
/// A score that image matches ask for: 95 % of the pixels within 32.
const LEAST: f64 = 0.83;

fn random(x: u32, y: u32, seed: u32) -> u32 {
    let mut value = (u64::from(x) << 40 | u64::from(y) << 16 | u64::from(seed)) ^ 0x9e37_79b9_7f4a_7c15;
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 40) as u32
}

fn drawn(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Picture {
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    Picture::colour(width, height, places.flat_map(|(x, y)| pixel(x, y)).collect()).unwrap()
}

/// Hills of colour with a little noise, as a camera sees them, and tiles of a menu in the lower half.
fn scene(width: u32, height: u32) -> Picture {
    drawn(width, height, |x, y| {
        let wave = |v: u32, length: f64| (f64::from(v) / length).sin();
        let noise = f64::from(random(x, y, 1) % 9) - 4.0;
        let hill = 120.0 + 50.0 * wave(x, 37.0) * wave(y, 29.0) + 30.0 * wave(x + 2 * y, 53.0) + noise;
        let tile = y > height / 2 && (x / 160 + y / 90) % 2 == 0;
        if tile { [30, (40 + x / 64) as u8, 90] } else { [hill as u8, (hill * 0.9) as u8, (hill * 0.6 + 40.0) as u8] }
    })
}

/// White letters on a gradient.
fn logo(text: u32) -> Picture {
    drawn(100, 60, |x, y| {
        let letter = (x / 12, y / 20);
        let dot = random(x % 12 / 3 + letter.0 * 7, y % 20 / 4 + letter.1 * 5, text) % 5 < 2;
        if dot { [235, 235, 235] } else { [(180 - y) as u8, 30, (20 + x) as u8] }
    })
}

fn with(below: &Picture, above: &Picture, left: u32, top: u32, noise: u32) -> Picture {
    let mut data = below.read(below.bounds());
    for y in 0..above.height() {
        for (at, value) in above.row(y).iter().enumerate() {
            let off = random(at as u32, y, 9) % (2 * noise + 1);
            let place = ((top + y) * below.width() + left) as usize * 3 + at;
            data[place] = (u32::from(*value) + off).saturating_sub(noise).min(255) as u8;
        }
    }
    Picture::colour(below.width(), below.height(), data).unwrap()
}

/// Every place, every pixel, in rows that the compiler makes vector instructions of.
fn exhaustive(image: &Picture, what: &Picture) -> (u64, u32, u32) {
    let mut best = (u64::MAX, 0, 0);
    for y in 0..=image.height() - what.height() {
        for x in 0..=image.width() - what.width() {
            let rows = (0..what.height()).zip(what.rows()).map(|(row, wanted)| {
                let here = &image.row(y + row)[x as usize * 3..][..wanted.len()];
                u64::from(here.iter().zip(wanted).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>())
            });
            best = best.min((rows.sum(), y, x));
        }
    }
    best
}

fn find(c: &mut Criterion) {
    for (name, width, height) in SIZES {
        let below = scene(width, height);
        let place = (width - 240, height / 2 + 31);
        let known = logo(1);
        let mut group = c.benchmark_group(format!("find 100x60/{name}"));
        group.sample_size(20).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
        for (case, screen) in [
            ("there", with(&below, &known, place.0, place.1, 0)),
            ("noisy", with(&below, &known, place.0, place.1, 12)),
            ("absent", with(&below, &logo(2), place.0, place.1, 0)),
        ] {
            let seen = screen.find(&known, None, screen.bounds(), LEAST, &|| false).unwrap();
            assert_eq!(seen.is_some(), case != "absent", "{case}: {seen:?}");
            group.bench_function(case, |b| {
                b.iter(|| black_box(&screen).find(&known, None, screen.bounds(), LEAST, &|| false));
            });
        }
        if name == "720p" {
            let screen = with(&below, &known, place.0, place.1, 12);
            group.sample_size(10);
            group.bench_function("every place and pixel", |b| b.iter(|| exhaustive(black_box(&screen), &known)));
        }
        group.finish();
    }
}

criterion_group!(benches, find);
criterion_main!(benches);
