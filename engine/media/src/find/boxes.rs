//! Sums over small boxes, at every place of the image and on a grid of what is looked for.

use super::Blocks;
use crate::Picture;
use crate::lanes::wide;

/// A box of what is looked for: where it is, and the sum of its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Block {
    sum: u16,
    y: u32,
    x: u32,
}

/// Box sums of the image, and of what is looked for.
pub(super) struct Boxes {
    /// At every place, in rows of `stride`; the last ones of each row and column are of no use.
    image: Vec<u16>,
    stride: usize,
    /// Boxes that the mask lets through completely.
    blocks: Blocks,
    shift: u32,
}

impl Boxes {
    pub(super) fn new(image: &Picture, what: &Picture, mask: Option<&Picture>) -> Self {
        let mut boxes = Self { image: Vec::new(), stride: image.width() as usize, blocks: Vec::new(), shift: 0 };
        // The largest boxes that fit: their sums are told apart from each other best, and there are fewest of them.
        for side in [8, 4, 2, 1] {
            boxes.blocks = blocks(what, mask, side);
            if !boxes.blocks.is_empty() {
                boxes.image = channel_sums(image);
                sum_boxes(&mut boxes.image, boxes.stride, side);
                boxes.shift = [0, 1, 3, 6][side.ilog2() as usize];
                break;
            }
        }
        boxes
    }

    /// Bounds are counted in units of two to the power of this, rounded down: 16 bits hold them, and a saturated one is still a bound.
    pub(super) const fn shift(&self) -> u32 {
        self.shift
    }

    /// So many blocks that differ from each other as much as they can.
    pub(super) fn telling(&self, most: usize) -> Blocks {
        let mut sorted = self.blocks.clone();
        sorted.sort_unstable();
        let count = sorted.len();
        if count <= most {
            return sorted;
        }
        (0..most).map(|n| sorted[n * (count - 1) / (most - 1)]).collect()
    }

    /// Lower bounds of the differences at all places of a row.
    pub(super) fn bounds_of_row(&self, y: u32, blocks: &Blocks, bounds: &mut [u16]) {
        bounds.fill(0);
        for block in blocks {
            let start = (y + block.y) as usize * self.stride + block.x as usize;
            let row = &self.image[start..start + bounds.len()];
            wide(|| add_bounds(row, block.sum, self.shift, bounds));
        }
    }

    /// Whether the boxes alone differ by more than the limit.
    pub(super) fn rules_out(&self, x: u32, y: u32, limit: u64) -> bool {
        let mut sum = 0;
        for block in &self.blocks {
            let at = (y + block.y) as usize * self.stride + (x + block.x) as usize;
            sum += u64::from(self.image[at].abs_diff(block.sum));
            if sum > limit {
                return true;
            }
        }
        false
    }
}

#[inline(always)]
fn add_bounds(row: &[u16], sum: u16, shift: u32, bounds: &mut [u16]) {
    for (bound, value) in bounds.iter_mut().zip(row) {
        *bound = bound.saturating_add(value.abs_diff(sum) >> shift);
    }
}

/// Red, green and blue together, or grey.
fn channel_sums(picture: &Picture) -> Vec<u16> {
    let mut sums = Vec::with_capacity(picture.bounds().pixels() as usize);
    for row in picture.rows() {
        if picture.is_grey() {
            sums.extend(row.iter().map(|value| u16::from(*value)));
        } else {
            let start = sums.len();
            sums.resize(start + picture.width() as usize, 0);
            wide(|| sum_pixels(row, &mut sums[start..]));
        }
    }
    sums
}

#[inline(always)]
fn sum_pixels(row: &[u8], sums: &mut [u16]) {
    for (sum, pixel) in sums.iter_mut().zip(row.chunks_exact(3)) {
        *sum = u16::from(pixel[0]) + u16::from(pixel[1]) + u16::from(pixel[2]);
    }
}

/// Makes each value the sum of the box to its right and below, in place, by doubling. 16 bits hold 8 * 8 * 3 * 255.
fn sum_boxes(values: &mut [u16], stride: usize, side: u32) {
    let steps = || (0..side.ilog2()).map(|step| 1_usize << step);
    for row in values.chunks_exact_mut(stride) {
        for step in steps() {
            wide(|| add_to_the_left(row, step));
        }
    }
    for step in steps() {
        let rows = values.len() / stride;
        for y in 0..rows.saturating_sub(step) {
            let (above, below) = values.split_at_mut((y + step) * stride);
            let (above, below) = (&mut above[y * stride..(y + 1) * stride], &below[..stride]);
            wide(|| add_row(above, below));
        }
    }
}

/// Reads ahead of where it writes, so that in place is as good as with a copy. Wraps at places that are of no use.
#[inline(always)]
fn add_to_the_left(row: &mut [u16], step: usize) {
    for at in 0..row.len().saturating_sub(step) {
        row[at] = row[at].wrapping_add(row[at + step]);
    }
}

#[inline(always)]
fn add_row(above: &mut [u16], below: &[u16]) {
    for (above, below) in above.iter_mut().zip(below) {
        *above = above.wrapping_add(*below);
    }
}

/// The boxes of a grid that the mask lets through completely.
fn blocks(what: &Picture, mask: Option<&Picture>, side: u32) -> Blocks {
    let sums = channel_sums(what);
    let (width, height) = (what.width(), what.height());
    let counts = |x: u32, y: u32| {
        mask.is_none_or(|mask| {
            (y..y + side).all(|y| mask.row(y)[x as usize..(x + side) as usize].iter().all(|value| *value != 0))
        })
    };
    let sum = |x: u32, y: u32| -> u16 {
        let row = |y: u32| &sums[(y * width + x) as usize..(y * width + x + side) as usize];
        (y..y + side).flat_map(row).sum()
    };
    let grid = (0..height / side).flat_map(|row| (0..width / side).map(move |column| (column * side, row * side)));
    grid.filter(|(x, y)| counts(*x, *y)).map(|(x, y)| Block { sum: sum(x, y), y, x }).collect()
}
