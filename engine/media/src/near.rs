//! How many pixels have a colour, or nearly.

use crate::lanes::{ROWS, STRIP, strips, wide};
use crate::{Colour, Picture, Rect};

/// A colour and its tolerance, repeated over a strip.
struct Wanted {
    low: [u8; STRIP],
    high: [u8; STRIP],
}

impl Wanted {
    fn new(colour: Colour, tolerance: Colour, channels: usize) -> Box<Self> {
        let (to, by) = (colour.channels(), tolerance.channels());
        let low = std::array::from_fn(|at| to[at % channels].saturating_sub(by[at % channels]));
        let high = std::array::from_fn(|at| to[at % channels].saturating_add(by[at % channels]));
        Box::new(Self { low, high })
    }
}

/// Adds 1 at the first byte of each pixel that fits.
#[allow(clippy::needless_bitwise_bool, reason = "without a branch it becomes vector instructions")]
#[inline(always)]
fn count_row(row: &[u8], wanted: &Wanted, fits: &mut [u8; STRIP + 2], counts: &mut [u8; STRIP], channels: usize) {
    for ((fits, value), (low, high)) in fits.iter_mut().zip(row).zip(wanted.low.iter().zip(&wanted.high)) {
        *fits = u8::from((*low <= *value) & (*value <= *high));
    }
    if channels == 1 {
        for (count, fits) in counts.iter_mut().zip(&fits[..row.len()]) {
            *count += *fits;
        }
        return;
    }
    // All three of a pixel; what is counted at its other bytes is thrown away later.
    for at in 0..row.len() {
        counts[at] += fits[at] & fits[at + 1] & fits[at + 2];
    }
}

impl Picture {
    /// Pixels of a part that differ from a colour by no more than `tolerance` in each channel. Of grey pictures only the first channel counts.
    pub fn near(&self, area: Rect, colour: Colour, tolerance: Colour) -> u32 {
        let Ok(part) = self.crop(area) else { return 0 };
        let channels = part.channels();
        let wanted = Wanted::new(colour, tolerance, channels);
        let mut total = 0;
        for strip in strips(part.width() as usize * channels) {
            let (mut fits, mut counts) = ([0; STRIP + 2], [0; STRIP]);
            for (number, row) in part.rows().enumerate() {
                wide(
                    #[inline(always)]
                    || count_row(&row[strip.clone()], &wanted, &mut fits, &mut counts, channels),
                );
                if number % ROWS == ROWS - 1 {
                    total += taken(&mut counts, strip.len(), channels);
                }
            }
            total += taken(&mut counts, strip.len(), channels);
        }
        total
    }
}

/// Counts at the first bytes of pixels; all are set back.
pub(crate) fn taken(counts: &mut [u8; STRIP], bytes: usize, channels: usize) -> u32 {
    let sum = counts[..bytes].iter().step_by(channels).map(|count| u32::from(*count)).sum();
    counts.fill(0);
    sum
}
