//! Means, deviations, extremes, histograms of a part of a picture.

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

/// One accumulator per byte of a strip.
struct Columns {
    sum: [u16; STRIP],
    squares: [u32; STRIP],
    least: [u8; STRIP],
    most: [u8; STRIP],
}

/// Rows after which the sums are emptied: 16 bits hold 257 of the largest value.
const FULL: usize = 256;

impl Columns {
    fn new() -> Box<Self> {
        Box::new(Self { sum: [0; STRIP], squares: [0; STRIP], least: [u8::MAX; STRIP], most: [0; STRIP] })
    }

    #[inline(always)]
    fn add(&mut self, row: &[u8]) {
        let Self { sum, squares, least, most } = self;
        for ((sum, squares), value) in sum.iter_mut().zip(squares.iter_mut()).zip(row) {
            *sum += u16::from(*value);
            // Below 65,536: the product of two bytes needs no more than 16 bits.
            *squares += u32::from(u16::from(*value) * u16::from(*value));
        }
        for ((least, most), value) in least.iter_mut().zip(most.iter_mut()).zip(row) {
            *least = (*least).min(*value);
            *most = (*most).max(*value);
        }
    }
}

#[derive(Default)]
struct Totals {
    sum: [u64; 3],
    squares: [u64; 3],
}

impl Totals {
    fn take(&mut self, columns: &mut Columns, bytes: usize, channels: usize) {
        for (at, (sum, squares)) in columns.sum.iter_mut().zip(&mut columns.squares).take(bytes).enumerate() {
            self.sum[at % channels] += u64::from(std::mem::take(sum));
            self.squares[at % channels] += u64::from(std::mem::take(squares));
        }
    }
}

impl Picture {
    /// Of a part.
    ///
    /// # Errors
    /// [`Fault::Empty`] when nothing of it lies in the picture.
    pub fn statistics(&self, area: Rect) -> Result<Statistics, Fault> {
        let part = self.crop(area)?;
        let channels = part.channels();
        let (mut totals, mut least, mut most) = (Totals::default(), [u8::MAX; 3], [0; 3]);
        for strip in strips(part.width() as usize * channels) {
            let mut columns = Columns::new();
            for (number, row) in part.rows().enumerate() {
                wide(
                    #[inline(always)]
                    || columns.add(&row[strip.clone()]),
                );
                if number % FULL == FULL - 1 {
                    totals.take(&mut columns, strip.len(), channels);
                }
            }
            totals.take(&mut columns, strip.len(), channels);
            for at in 0..strip.len() {
                least[at % channels] = least[at % channels].min(columns.least[at]);
                most[at % channels] = most[at % channels].max(columns.most[at]);
            }
        }
        let of = |channel: usize| if channels == 1 { 0 } else { channel };
        let pixels = part.bounds().pixels();
        let mean = |channel: usize| totals.sum[of(channel)] as f64 / pixels as f64;
        // In whole numbers up to the last step: no digits are lost between large squares.
        let deviation = |channel: usize| {
            let (sum, squares) = (u128::from(totals.sum[of(channel)]), u128::from(totals.squares[of(channel)]));
            let spread = u128::from(pixels) * squares - sum * sum;
            (spread as f64).sqrt() / pixels as f64
        };
        Ok(Statistics {
            pixels: pixels as u32,
            mean: [0, 1, 2].map(mean),
            deviation: [0, 1, 2].map(deviation),
            least: [0, 1, 2].map(|channel| least[of(channel)]).into(),
            most: [0, 1, 2].map(|channel| most[of(channel)]).into(),
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
