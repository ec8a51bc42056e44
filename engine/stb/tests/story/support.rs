//! What stories have in common.

use std::time::Duration;

use headend_media::{Colour, Picture, Rect};
use headend_stb::{FRAME_US, Film, Options, Size};

/// Where the banner is, on 720 rows.
pub(crate) const BANNER: Rect = Rect { x: 60, y: 500, width: 1160, height: 180 };

/// A box that is watched from the beginning.
pub(crate) fn film() -> Film {
    Film::new(Options::default())
}

pub(crate) fn large() -> Film {
    Film::new(Options { picture: Size::Hd1080, ..Options::default() })
}

pub(crate) fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many pictures.
pub(crate) fn frames(count: u64) -> Duration {
    Duration::from_micros(count * FRAME_US)
}

pub(crate) fn is_black(picture: &Picture) -> bool {
    picture.rows().flatten().all(|value| *value == 0)
}

pub(crate) fn pixel(picture: &Picture, x: u32, y: u32) -> Colour {
    let pixel = picture.read(Rect { x, y, width: 1, height: 1 });
    Colour::new(pixel[0], pixel[1], pixel[2])
}

/// Whether the last lines say this somewhere.
pub(crate) fn said(film: &mut Film, words: &str) -> bool {
    film.serial().iter().any(|line| line.contains(words))
}

pub(crate) fn last(film: &mut Film) -> String {
    film.serial().pop().unwrap_or_default()
}

/// Pixels that differ by more than so much.
pub(crate) fn apart(one: &Picture, other: &Picture, tolerance: u8) -> u32 {
    let comparison = one.compare(other, tolerance, None).unwrap();
    comparison.pixels - comparison.within
}
