//! Sums over small boxes at every place of a picture, one row after the other: rows that are not needed any more make room for new ones, so that all the work
//! stays in the nearest cache.

use crate::Picture;

/// How the channels of a pixel are put together: each counts once, plus (0) or minus (255: what is left of it is counted). However they are, two such sums
/// differ by no more than the channels do together. Signs make up for what cancels out when all are added: red and grey may have the same sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plane([u8; 3]);

impl Plane {
    /// All channels, or the only one.
    pub(super) const SUM: Self = Self([0; 3]);
    /// One channel against the two others: with the sum all that there are, but for the sign of the whole.
    pub(super) const AGAINST: [Self; 3] = [Self([0, 255, 255]), Self([0, 255, 0]), Self([0, 0, 255])];

    /// For so many pixels, from the sum of each channel.
    pub(super) fn of_sums(self, sums: [u32; 3], pixels: u32) -> u32 {
        let one = |(sum, sign): (u32, u8)| if sign == 0 { sum } else { 255 * pixels - sum };
        sums.into_iter().zip(self.0).map(one).sum()
    }
}

/// Zeros after each row, so that a box may begin at its last place.
const ROOM: usize = 8;

/// The last rows of sums over boxes of one side.
struct Last {
    rows: Vec<u16>,
    length: usize,
    count: usize,
}

impl Last {
    fn new(width: usize, count: usize) -> Self {
        let length = width + ROOM;
        Self { rows: vec![0; length * count], length, count }
    }

    #[inline(always)]
    fn row(&self, number: usize) -> &[u16] {
        &self.rows[number % self.count * self.length..][..self.length]
    }

    #[inline(always)]
    fn room_for(&mut self, number: usize) -> &mut [u16] {
        &mut self.rows[number % self.count * self.length..][..self.length - ROOM]
    }
}

/// Calls `each` with the side, the number and the sums of each row that has whole boxes, from the top: of all sides that are powers of two up to this one, at most
/// 8. The last sums of a row are of no use. 16 bits hold 8 * 8 * 3 * 255.
#[inline(always)]
pub(super) fn box_rows(picture: &Picture, plane: Plane, side: usize, mut each: impl FnMut(usize, usize, &[u16])) {
    let (width, levels) = (picture.width() as usize, side.ilog2() as usize);
    // Of sums over boxes of a side those are needed that lie this side further up.
    let mut last: Vec<Last> = (0..=levels).map(|level| Last::new(width, (1 << level) + 1)).collect();
    for (number, row) in picture.rows().enumerate() {
        put_together(row, picture.channels(), plane, last[0].room_for(number));
        for level in 0..=levels {
            let side = 1 << level;
            // The box that ends with this row begins here.
            let Some(top) = (number + 1).checked_sub(side) else { break };
            if level > 0 {
                let (small, large) = last.split_at_mut(level);
                let (small, step) = (&small[level - 1], side / 2);
                four_to_one(small.row(top), small.row(top + step), step, large[0].room_for(top));
            }
            each(side, top, &last[level].row(top)[..width]);
        }
    }
}

#[inline(always)]
fn put_together(row: &[u8], channels: usize, Plane([red, green, blue]): Plane, sums: &mut [u16]) {
    if channels == 1 {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum = u16::from(*value);
        }
        return;
    }
    for (sum, pixel) in sums.iter_mut().zip(row.chunks_exact(3)) {
        *sum = u16::from(pixel[0] ^ red) + u16::from(pixel[1] ^ green) + u16::from(pixel[2] ^ blue);
    }
}

/// Boxes of twice the side. Wraps at places that are of no use.
#[inline(always)]
fn four_to_one(above: &[u16], below: &[u16], step: usize, sums: &mut [u16]) {
    let length = sums.len();
    let above = above[..length].iter().zip(&above[step..step + length]);
    let below = below[..length].iter().zip(&below[step..step + length]);
    for (sum, ((a, b), (c, d))) in sums.iter_mut().zip(above.zip(below)) {
        *sum = a.wrapping_add(*b).wrapping_add(c.wrapping_add(*d));
    }
}
