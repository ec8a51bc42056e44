//! Means, deviations, extremes, histograms of a part of a picture.

use std::ops::Range;

use crate::lanes::{STRIP, strips, wide};
use crate::{Colour, Fault, Picture, Rect};

/// Of a part of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Statistics {
    /// How many there were, at least 1.
    pub pixels: u32,
    /// Of each channel, 0.0 to 255.0. Grey pictures have three alike.
    pub mean: [f64; 3],
    /// Standard deviation of each channel.
    pub deviation: [f64; 3],
    /// Smallest value of each channel.
    pub least: Colour,
    /// Largest value of each channel.
    pub most: Colour,
}

/// One accumulator per byte of a strip. Sums and squares are of distances from the middle: small numbers, of which more fit into a vector.
struct Columns {
    /// Of rows since the last `empty`.
    few: [i16; STRIP],
    /// Squares of the rows that are added together.
    together: [u16; STRIP],
    sum: [i32; STRIP],
    squares: [u32; STRIP],
    least: [u8; STRIP],
    most: [u8; STRIP],
}

/// Rows that are added together: 16 bits hold 3 squares, and only their sum needs 32.
const TOGETHER: u32 = 3;
const MIDDLE: u8 = 128;
/// A row that adds nothing.
const NOTHING: [u8; STRIP] = [MIDDLE; STRIP];
/// Rows after which `few` is emptied: 16 bits hold 255 of the largest distance.
const FULL: u32 = 85 * TOGETHER;

impl Columns {
    fn new() -> Box<Self> {
        let (sum, squares) = ([0; STRIP], [0; STRIP]);
        let (least, most) = ([u8::MAX; STRIP], [0; STRIP]);
        Box::new(Self { few: [0; STRIP], together: [0; STRIP], sum, squares, least, most })
    }

    /// Each loop works on numbers of one or two sizes: the widest decides how many fit into a vector.
    #[inline(always)]
    fn add(&mut self, [one, two, three]: [&[u8]; TOGETHER as usize]) {
        let rows = one.iter().zip(two.iter().zip(three));
        for ((few, together), (one, (two, three))) in self.few.iter_mut().zip(&mut self.together).zip(rows) {
            let [one, two, three] = [one, two, three].map(|value| i16::from(*value) - i16::from(MIDDLE));
            *few = few.wrapping_add(one + two + three);
            *together = ((one * one) as u16).wrapping_add((two * two) as u16).wrapping_add((three * three) as u16);
        }
        for (squares, together) in self.squares.iter_mut().zip(&self.together) {
            *squares = squares.wrapping_add(u32::from(*together));
        }
    }

    #[inline(always)]
    fn widen(&mut self, [one, two, three]: [&[u8]; TOGETHER as usize]) {
        let rows = one.iter().zip(two.iter().zip(three));
        for ((least, most), (one, (two, three))) in self.least.iter_mut().zip(&mut self.most).zip(rows) {
            *least = (*least).min(*one).min((*two).min(*three));
            *most = (*most).max(*one).max((*two).max(*three));
        }
    }

    #[inline(always)]
    fn empty(&mut self) {
        for (sum, few) in self.sum.iter_mut().zip(&mut self.few) {
            *sum += i32::from(std::mem::take(few));
        }
    }

    /// All rows of a part's strip.
    #[inline(always)]
    fn read(&mut self, part: &Picture, strip: &Range<usize>) {
        let nothing = &NOTHING[..strip.len()];
        for first in (0..part.height()).step_by(TOGETHER as usize) {
            let row = |number: u32| (number < part.height()).then(|| &part.row(number)[strip.clone()]);
            let (one, two, three) = (row(first).unwrap_or(nothing), row(first + 1), row(first + 2));
            self.add([one, two.unwrap_or(nothing), three.unwrap_or(nothing)]);
            self.widen([one, two.unwrap_or(one), three.unwrap_or(one)]);
            if (first + TOGETHER).is_multiple_of(FULL) {
                self.empty();
            }
        }
        self.empty();
    }
}

struct Totals {
    sum: [i64; 3],
    squares: [u64; 3],
    least: [u8; 3],
    most: [u8; 3],
}

impl Totals {
    const fn new() -> Self {
        Self { sum: [0; 3], squares: [0; 3], least: [u8::MAX; 3], most: [0; 3] }
    }

    fn take(&mut self, columns: &Columns, bytes: usize, channels: usize) {
        for first in (0..bytes).step_by(channels) {
            for channel in 0..channels {
                self.sum[channel] += i64::from(columns.sum[first + channel]);
                self.squares[channel] += u64::from(columns.squares[first + channel]);
                self.least[channel] = self.least[channel].min(columns.least[first + channel]);
                self.most[channel] = self.most[channel].max(columns.most[first + channel]);
            }
        }
    }

    fn mean(&self, channel: usize, pixels: u64) -> f64 {
        (self.sum[channel] + i64::from(MIDDLE) * pixels as i64) as f64 / pixels as f64
    }

    /// In whole numbers up to the last step: no digits are lost between large squares. It is the same from wherever distances are counted.
    fn deviation(&self, channel: usize, pixels: u64) -> f64 {
        let sum = i128::from(self.sum[channel]);
        let spread = i128::from(pixels) * i128::from(self.squares[channel]) - sum * sum;
        (spread as f64).sqrt() / pixels as f64
    }
}

impl Picture {
    /// Of a part.
    ///
    /// # Errors
    /// [`Fault::Empty`] when nothing of it lies in the picture.
    pub fn statistics(&self, area: Rect) -> Result<Statistics, Fault> {
        let part = self.crop(area)?;
        let (channels, pixels) = (part.channels(), part.bounds().pixels());
        let mut totals = Totals::new();
        for strip in strips(part.width() as usize * channels) {
            let mut columns = Columns::new();
            wide(
                #[inline(always)]
                || columns.read(&part, &strip),
            );
            totals.take(&columns, strip.len(), channels);
        }
        let of = |channel: usize| if channels == 1 { 0 } else { channel };
        Ok(Statistics {
            pixels: pixels as u32,
            mean: [0, 1, 2].map(|channel| totals.mean(of(channel), pixels)),
            deviation: [0, 1, 2].map(|channel| totals.deviation(of(channel), pixels)),
            least: [0, 1, 2].map(|channel| totals.least[of(channel)]).into(),
            most: [0, 1, 2].map(|channel| totals.most[of(channel)]).into(),
        })
    }

    /// How many pixels of a part have each grey value. All zero when nothing of it lies in the picture.
    pub fn histogram(&self, area: Rect) -> [u32; 256] {
        // Four tables: neighbours are often alike, and would wait for each other.
        let mut tables = [[0_u32; 256]; 4];
        if let Ok(part) = self.grey().crop(area) {
            for row in part.rows() {
                for four in row.chunks(4) {
                    for (table, value) in tables.iter_mut().zip(four) {
                        table[usize::from(*value)] += 1;
                    }
                }
            }
        }
        std::array::from_fn(|value| tables.iter().map(|table| table[value]).sum())
    }
}
