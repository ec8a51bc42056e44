//! Sums over rectangles, each from four numbers.

use crate::{Picture, Rect};

/// Sums and sums of squares of the grey values of all rectangles at the top left corner.
#[derive(Clone, Debug)]
pub struct Sums {
    width: u32,
    height: u32,
    /// `(width + 1) * (height + 1)`. 32 bits hold the sum of the largest picture that there may be.
    greys: Vec<u32>,
    squares: Vec<u64>,
}

impl Picture {
    /// For many questions about sums. Takes 12 bytes per pixel.
    pub fn sums(&self) -> Sums {
        let grey = self.grey();
        let length = self.width() as usize + 1;
        let (mut sums, mut squares) = (vec![0_u32; length], vec![0_u64; length]);
        sums.reserve(length * self.height() as usize);
        squares.reserve(length * self.height() as usize);
        for (number, row) in grey.rows().enumerate() {
            let above = number * length;
            let (mut sum, mut square) = (0_u32, 0_u64);
            sums.push(0);
            squares.push(0);
            for (at, value) in row.iter().enumerate() {
                sum += u32::from(*value);
                square += u64::from(*value) * u64::from(*value);
                sums.push(sums[above + at + 1] + sum);
                squares.push(squares[above + at + 1] + square);
            }
        }
        Sums { width: self.width(), height: self.height(), greys: sums, squares }
    }
}

impl Sums {
    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        Self::bytes_for(self.width, self.height)
    }

    /// Bytes that the sums of a picture of this size hold.
    pub const fn bytes_for(width: u32, height: u32) -> usize {
        (width as usize + 1) * (height as usize + 1) * 12
    }

    /// Sum of the grey values of a part.
    pub fn sum(&self, area: Rect) -> u64 {
        let [a, b, c, d] = self.corners(area).map(|at| u64::from(self.greys[at]));
        a + d - b - c
    }

    /// Sum of their squares.
    pub fn square_sum(&self, area: Rect) -> u64 {
        let [a, b, c, d] = self.corners(area).map(|at| self.squares[at]);
        a + d - b - c
    }

    fn corners(&self, area: Rect) -> [usize; 4] {
        let area = area.within(self.width, self.height);
        let at = |x: u32, y: u32| y as usize * (self.width as usize + 1) + x as usize;
        let (right, bottom) = (area.x + area.width, area.y + area.height);
        [at(area.x, area.y), at(right, area.y), at(area.x, bottom), at(right, bottom)]
    }
}
