//! Words on a picture, in the letters of the virtual box.

use headend_media::Picture;
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster};

/// Left and right of the words, in pixels.
const MARGIN: usize = 4;
/// How much of the picture is seen behind the words.
const BEHIND: u16 = 4;

/// The picture with a line of text at its top left, on a dark ground. What does not fit, or is no letter of ASCII, is left out. A grey one stays as it is.
pub(super) fn labelled(picture: &Picture, text: &str) -> Picture {
    if picture.is_grey() {
        return picture.clone();
    }
    let width = picture.width() as usize;
    let mut data = picture.read(picture.bounds());
    let letters = text.chars().filter_map(|letter| get_raster(letter, FontWeight::Bold, RasterHeight::Size24));
    let mut left = 0;
    for (place, letter) in letters.enumerate() {
        let from = left + if place == 0 { MARGIN } else { 0 };
        for (row, ink) in data.chunks_exact_mut(width * 3).zip(letter.raster()) {
            // The ground begins at the edge, before the first letter.
            let ground = row.chunks_exact_mut(3).take(from + ink.len()).skip(left);
            let ink = std::iter::repeat_n(&0, from - left).chain(ink.iter());
            ground.zip(ink).for_each(|(pixel, ink)| mix(pixel, *ink));
        }
        left = from + letter.width();
    }
    Picture::colour(picture.width(), picture.height(), data).unwrap_or_else(|_| picture.clone())
}

/// White ink over the darkened pixel.
fn mix(pixel: &mut [u8], ink: u8) {
    for channel in pixel {
        let ground = u16::from(*channel) / BEHIND;
        let mixed = ground + (255 - ground) * u16::from(ink) / 255;
        *channel = u8::try_from(mixed).unwrap_or(u8::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_and_the_rest_stays() {
        let plain = Picture::colour(120, 60, vec![200; 120 * 60 * 3]).unwrap();
        let marked = labelled(&plain, "-1.5 s");
        let (before, after) = (plain.read(plain.bounds()), marked.read(marked.bounds()));
        assert!(after.contains(&255) && after.contains(&50), "white on dark");
        let below = 24 * 120 * 3;
        assert_eq!(before[below..], after[below..]);
        assert_ne!(labelled(&plain, "-2.5 s"), marked);
        let tiny = Picture::colour(3, 2, vec![7; 18]).unwrap();
        assert_eq!(labelled(&tiny, "-1.5 s").width(), 3, "what does not fit is left out");
    }
}
