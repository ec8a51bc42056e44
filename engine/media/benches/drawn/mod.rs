//! Pictures that benches look at, drawn by code: the same ones each time.
#![allow(dead_code, reason = "each bench draws what it needs")]

use headend_media::Picture;

/// Width and height by the name that people give them.
pub(crate) const SIZES: [(&str, u32, u32); 2] = [("720p", 1280, 720), ("1080p", 1920, 1080)];

/// 24 bits that are the same for the same place and seed.
pub(crate) fn random(x: u32, y: u32, seed: u32) -> u32 {
    let mut value = (u64::from(x) << 40 | u64::from(y) << 16 | u64::from(seed)) ^ 0x9e37_79b9_7f4a_7c15;
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 40) as u32
}

pub(crate) fn drawn(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Picture {
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    Picture::colour(width, height, places.flat_map(|(x, y)| pixel(x, y)).collect()).unwrap()
}

fn hill(x: u32, y: u32) -> f64 {
    let wave = |v: u32, length: f64| (f64::from(v) / length).sin();
    120.0 + 50.0 * wave(x, 37.0) * wave(y, 29.0) + 30.0 * wave(x + 2 * y, 53.0)
}

fn earth(hill: f64) -> [u8; 3] {
    [hill as u8, (hill * 0.9) as u8, (hill * 0.6 + 40.0) as u8]
}

/// Hills of colour with a little noise, as a camera sees them, and tiles of a menu in the lower half.
pub(crate) fn scene(width: u32, height: u32) -> Picture {
    drawn(width, height, |x, y| {
        let noise = f64::from(random(x, y, 1) % 9) - 4.0;
        let tile = y > height / 2 && (x / 160 + y / 90) % 2 == 0;
        if tile { [30, (40 + x / 64) as u8, 90] } else { earth(hill(x, y) + noise) }
    })
}

/// Hills without anything fine.
pub(crate) fn blurred(width: u32, height: u32) -> Picture {
    drawn(width, height, |x, y| earth(hill(x, y)))
}

/// One colour, within so much of noise.
pub(crate) fn even(width: u32, height: u32, [red, green, blue]: [u8; 3], noise: u32) -> Picture {
    drawn(width, height, |x, y| {
        let off = (random(x, y, 2) % (2 * noise + 1)) as u8;
        [red, green, blue].map(|value| value.saturating_add(off).saturating_sub(noise as u8))
    })
}

/// What a tuner shows that hears nothing.
pub(crate) fn snow(width: u32, height: u32, seed: u32) -> Picture {
    drawn(width, height, |x, y| [random(x, y, seed) as u8; 3])
}

/// The same, each channel off by at most `noise`.
pub(crate) fn noisy(picture: &Picture, noise: u32) -> Picture {
    with(picture, picture, 0, 0, noise)
}

/// The scene with every thirtieth square of 16x16 gone: one colour, from elsewhere.
pub(crate) fn broken(width: u32, height: u32) -> Picture {
    let (mut data, below) = (Vec::new(), scene(width, height));
    for y in 0..height {
        for (x, pixel) in (0..width).zip(below.row(y).chunks(3)) {
            let square = random(x / 16, y / 16, 3);
            // Bright, so that it differs from whatever is around it.
            let gone = [230, 250 - (square % 20) as u8, 240];
            data.extend_from_slice(if square.is_multiple_of(30) { &gone } else { pixel });
        }
    }
    Picture::colour(width, height, data).unwrap()
}

/// White letters on a gradient.
pub(crate) fn logo(text: u32) -> Picture {
    drawn(100, 60, |x, y| {
        let letter = (x / 12, y / 20);
        let dot = random(x % 12 / 3 + letter.0 * 7, y % 20 / 4 + letter.1 * 5, text) % 5 < 2;
        if dot { [235, 235, 235] } else { [(180 - y) as u8, 30, (20 + x) as u8] }
    })
}

/// One picture over another one, off by at most `noise`.
pub(crate) fn with(below: &Picture, above: &Picture, left: u32, top: u32, noise: u32) -> Picture {
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
