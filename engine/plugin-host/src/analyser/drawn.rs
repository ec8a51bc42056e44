//! Frames drawn by code: the same everywhere, for self-checks and contract tests.

use headend_media::{Colour, Picture};

use super::Frame;

/// Microseconds from frame to frame at 25 frames a second.
pub const STEP_US: i64 = 40_000;

/// A picture whose pixels are a function of their place. Sides of 0 are taken as 1, long ones as the longest that there may be.
pub fn picture(width: u32, height: u32, pixel: impl Fn(u32, u32) -> Colour) -> Picture {
    let side = |length: u32| length.clamp(1, headend_media::MAX_SIDE);
    let (width, height) = (side(width), side(height));
    let mut data = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height {
        for x in 0..width {
            data.extend(pixel(x, y).channels());
        }
    }
    Picture::colour(width, height, data).unwrap_or_else(|_| unreachable!("the sides were just made to fit"))
}

/// One colour.
pub fn plain(width: u32, height: u32, colour: Colour) -> Picture {
    picture(width, height, |_, _| colour)
}

/// A test card: eight bars, with a bright square that has moved on with `step`.
pub fn card(width: u32, height: u32, step: u32) -> Picture {
    let side = (height / 6).max(1);
    let left = (step * side / 2) % width.max(1);
    picture(width, height, |x, y| {
        if x.wrapping_sub(left) < side && y.wrapping_sub(height / 3) < side {
            return Colour::new(250, 250, 250);
        }
        let bar = 7 - (x * 8 / width.max(1)).min(7);
        let on = |bit: u32| if bar & bit == 0 { 16 } else { 191 };
        Colour::new(on(2), on(4), on(1))
    })
}

/// What looks like noise, from a seed.
pub fn noise(width: u32, height: u32, seed: u32) -> Picture {
    picture(width, height, |x, y| {
        let mut value = u64::from(x) << 40 | u64::from(y) << 16 | u64::from(seed);
        value = (value ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value ^= value >> 29;
        value = value.wrapping_mul(0x94d0_49bb_1331_11eb);
        Colour::new((value >> 40) as u8, (value >> 48) as u8, (value >> 56) as u8)
    })
}

/// A stream at 25 frames a second.
pub fn stream(pictures: impl IntoIterator<Item = Picture>) -> Vec<Frame> {
    let frame =
        |(number, picture): (usize, Picture)| Frame { number: number as u64, at_us: number as i64 * STEP_US, picture };
    pictures.into_iter().enumerate().map(frame).collect()
}
