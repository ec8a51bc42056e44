//! Fine detail: how sharp a part of a picture is, and how it steps at the edges of a grid.

use crate::lanes::wide;
use crate::{Fault, Picture, Rect};

/// Longest side of a grid's squares.
const MAX_SQUARE: u32 = 64;
/// Most squares of a grid.
const MAX_CELLS: u64 = 65_536;

/// A square of a grid: means of steps of grey value from one pixel to the next, rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cell {
    /// Into it from the left; 0 at the left edge.
    pub left: u8,
    /// Into it from above; 0 at the top edge.
    pub top: u8,
    /// Between the pixels within.
    pub inside: u8,
}

/// A row of the Laplacian: at most 1020, so 16 bits hold it.
#[inline(always)]
fn laplacian_row([above, row, below]: [&[u8]; 3], values: &mut [i16]) {
    let inner = values.len();
    let (left, middle, right) = (&row[..inner], &row[1..=inner], &row[2..inner + 2]);
    let (above, below) = (&above[1..=inner], &below[1..=inner]);
    let around = left.iter().zip(right).zip(above.iter().zip(below));
    for ((value, middle), ((left, right), (above, below))) in values.iter_mut().zip(middle).zip(around) {
        let around = i16::from(*left) + i16::from(*right) + i16::from(*above) + i16::from(*below);
        *value = 4 * i16::from(*middle) - around;
    }
}

/// Sum and sum of squares. 4096 squares of 1020 fit into 32 bits.
#[inline(always)]
fn sums(values: &[i16]) -> (i32, u32) {
    let (mut sum, mut squares) = (0_i32, 0_i32);
    for value in values {
        sum += i32::from(*value);
        squares = squares.wrapping_add(i32::from(*value) * i32::from(*value));
    }
    (sum, squares as u32)
}

/// Adds the steps between two rows of bytes, one accumulator each. 64 rows of them fit into 16 bits.
#[inline(always)]
fn add_steps(one: &[u8], other: &[u8], sums: &mut [u16]) {
    for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
        *sum += u16::from(one.abs_diff(*other));
    }
}

/// Steps of one row of squares, summed over its rows.
struct Band {
    /// From the pixel to the left; the first has none.
    across: Vec<u16>,
    /// From the pixel above, within the band.
    down: Vec<u16>,
    /// From the row above the band.
    into: Vec<u16>,
}

impl Band {
    fn new(width: usize) -> Self {
        Self { across: vec![0; width], down: vec![0; width], into: vec![0; width] }
    }

    fn read(&mut self, grey: &Picture, first: u32, side: u32) {
        for sums in [&mut self.across, &mut self.down, &mut self.into] {
            sums.fill(0);
        }
        if first > 0 {
            wide(
                #[inline(always)]
                || add_steps(grey.row(first - 1), grey.row(first), &mut self.into),
            );
        }
        for y in first..first + side {
            let row = grey.row(y);
            wide(
                #[inline(always)]
                || add_steps(row, &row[1..], &mut self.across[1..]),
            );
            if y > first {
                wide(
                    #[inline(always)]
                    || add_steps(grey.row(y - 1), row, &mut self.down),
                );
            }
        }
    }

    fn cell(&self, first: usize, side: usize) -> Cell {
        let total = |sums: &[u16]| sums.iter().map(|sum| u32::from(*sum)).sum::<u32>();
        let mean = |sum: u32, count: usize| ((sum + count as u32 / 2) / count as u32) as u8;
        let columns = first..first + side;
        let inside = total(&self.across[first + 1..first + side]) + total(&self.down[columns.clone()]);
        Cell {
            left: mean(u32::from(self.across[first]), side),
            top: mean(total(&self.into[columns]), side),
            inside: mean(inside, 2 * side * (side - 1)),
        }
    }
}

impl Picture {
    /// The variance of the Laplacian (four times a pixel, less its four neighbours) of a part's grey values.
    ///
    /// # Errors
    /// [`Fault::Empty`] when less than 3x3 pixels of it lie in the picture.
    pub fn sharpness(&self, area: Rect) -> Result<f64, Fault> {
        let part = self.grey().crop(area)?;
        let (width, height) = (part.width(), part.height());
        if width < 3 || height < 3 {
            return Err(Fault::Empty);
        }
        let (mut sum, mut squares) = (0_i64, 0_u64);
        let mut values = vec![0; width as usize - 2];
        for y in 1..height - 1 {
            let (row_sum, row_squares) = wide(
                #[inline(always)]
                || {
                    laplacian_row([y - 1, y, y + 1].map(|y| part.row(y)), &mut values);
                    sums(&values)
                },
            );
            sum += i64::from(row_sum);
            squares += u64::from(row_squares);
        }
        let count = u128::from(width - 2) * u128::from(height - 2);
        // In whole numbers up to the last step, as deviations are.
        let spread = count * u128::from(squares) - u128::from(sum.unsigned_abs()).pow(2);
        Ok(spread as f64 / (count * count) as f64)
    }

    /// Squares of `side` pixels over a part, from its top left corner, row by row. What is left over at the right and at the bottom does not count.
    ///
    /// # Errors
    /// [`Fault::Empty`] when nothing of the part lies in the picture, or the side is less than 2; [`Fault::TooLarge`] when it is more than 64, or there are
    /// more than 65536 squares.
    pub fn grid(&self, area: Rect, side: u32) -> Result<Vec<Cell>, Fault> {
        if side < 2 {
            return Err(Fault::Empty);
        }
        let part = self.grey().crop(area)?;
        let (columns, rows) = (part.width() / side, part.height() / side);
        if side > MAX_SQUARE || u64::from(columns) * u64::from(rows) > MAX_CELLS {
            return Err(Fault::TooLarge);
        }
        let mut band = Band::new(part.width() as usize);
        let mut cells = Vec::with_capacity(columns as usize * rows as usize);
        for row in 0..rows {
            band.read(&part, row * side, side);
            cells.extend((0..columns).map(|column| band.cell((column * side) as usize, side as usize)));
        }
        Ok(cells)
    }
}
