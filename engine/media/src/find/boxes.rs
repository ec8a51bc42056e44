//! Sums over small boxes, at every place of the image and on a grid of what is looked for: one level of the pyramid.

use std::cell::{Cell, OnceCell};

use super::Blocks;
use crate::Picture;
use crate::lanes::wide;

/// Places that are looked at together.
pub(super) const CHUNK: usize = 64;
/// Groups of places that are looked at together.
pub(super) const GROUPS: usize = 32;
/// Side of a group of places, at most. Blocks lie on multiples of it, so that a group meets as many groups of the image as it has blocks.
const GROUP: u32 = 4;
/// Chunks that do without the fine level.
const WITHOUT: u32 = 24;
/// Blocks between two looks at whether any place is left.
const BETWEEN: usize = 8;

/// A box of what is looked for: where it is, and the sum of its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Block {
    sum: u16,
    y: u32,
    x: u32,
}

/// Box sums of the image, and of what is looked for.
pub(super) struct Boxes {
    /// At every place, in rows of `stride`, and room for one chunk; the last ones of each row and column are of no use.
    image: Vec<u16>,
    stride: usize,
    /// The smallest and the largest of each group of them, in rows of `group_stride`, and room for one chunk.
    low: Vec<u16>,
    high: Vec<u16>,
    group_stride: usize,
    /// Power of two that is the side of a group.
    group: u32,
    /// Boxes that the mask lets through completely; those that differ most from the image as a whole come first.
    blocks: Blocks,
}

/// From coarse to fine. The fine level is made when it is asked for: what is there is found without.
pub(super) struct Levels<'a> {
    sums: Vec<u16>,
    stride: usize,
    what: &'a Picture,
    mask: Option<&'a Picture>,
    pub(super) coarse: Boxes,
    /// The side of the fine one; 0: there is none.
    side: u32,
    fine: OnceCell<Option<Boxes>>,
    asked: Cell<u32>,
}

impl<'a> Levels<'a> {
    /// With the largest boxes that fit. `None`: the mask lets nothing through.
    pub(super) fn new(image: &Picture, what: &'a Picture, mask: Option<&'a Picture>) -> Option<Self> {
        let (sums, stride) = (channel_sums(image), image.width() as usize);
        let found =
            [8, 4, 2, 1].into_iter().find_map(|side| Some((side, Boxes::new(&sums, stride, what, mask, side)?)));
        let (side, coarse) = found?;
        let side = if side == 8 { 4 } else { 0 };
        Some(Self { sums, stride, what, mask, coarse, side, fine: OnceCell::new(), asked: Cell::new(0) })
    }

    /// `None`, too, for the first few that ask: to look at some chunks exactly takes less time than to make it.
    pub(super) fn fine(&self) -> Option<&Boxes> {
        let asked = self.asked.replace(self.asked.get().saturating_add(1));
        if asked < WITHOUT {
            return None;
        }
        let make = || (self.side > 0).then(|| Boxes::new(&self.sums, self.stride, self.what, self.mask, self.side))?;
        self.fine.get_or_init(make).as_ref()
    }
}

impl Boxes {
    /// `sums`: of the channels of the image. `None`: the mask lets no box of this side through, or none fits.
    fn new(sums: &[u16], stride: usize, what: &Picture, mask: Option<&Picture>, side: u32) -> Option<Self> {
        let mut blocks = blocks(what, mask, side);
        if blocks.is_empty() {
            return None;
        }
        let mut image = Vec::with_capacity(sums.len() + CHUNK);
        image.extend_from_slice(sums);
        sum_boxes(&mut image, stride, side);
        let usual = mean(sums) * u64::from(side * side);
        blocks.sort_unstable_by_key(|block| std::cmp::Reverse((u64::from(block.sum).abs_diff(usual), *block)));
        let group = side.min(GROUP).ilog2();
        let [low, high] = [grouped(&image, stride, group, u16::min), grouped(&image, stride, group, u16::max)];
        image.resize(sums.len() + CHUNK, 0);
        Some(Self { image, stride, low, high, group_stride: stride.div_ceil(1 << group), group, blocks })
    }

    /// Side of the groups, as a power of two.
    pub(super) const fn group(&self) -> u32 {
        self.group
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

    /// Lower bounds of the differences at all places of each group of a row, in units of two to the power of `shift`, rounded down: 16 bits hold them, and a
    /// saturated one is still a bound.
    pub(super) fn bounds_of_groups(&self, row: u32, blocks: &Blocks, shift: u32, bounds: &mut [u16]) {
        bounds.fill(0);
        wide(
            #[inline(always)]
            || {
                for block in blocks {
                    let start = self.group_of(0, row, *block);
                    let (low, high) = (&self.low[start..start + bounds.len()], &self.high[start..start + bounds.len()]);
                    add_ranges(low, high, block.sum, shift, bounds);
                }
            },
        );
    }

    /// Where the block lies for a group, in the rows of groups.
    #[inline(always)]
    fn group_of(&self, column: u32, row: u32, block: Block) -> usize {
        (row + (block.y >> self.group)) as usize * self.group_stride + (column + (block.x >> self.group)) as usize
    }

    /// As [`Self::rule_out`], for groups.
    pub(super) fn rule_out_groups(
        &self,
        (column, row): (u32, u32),
        shift: u32,
        limit: u16,
        out: &mut [u16; GROUPS],
    ) -> bool {
        let mut bounds = *out;
        let any = wide(
            #[inline(always)]
            || {
                for some in self.blocks.chunks(BETWEEN) {
                    for block in some {
                        let start = self.group_of(column, row, *block);
                        let (low, high) = (&self.low[start..start + GROUPS], &self.high[start..start + GROUPS]);
                        add_ranges(low, high, block.sum, shift, &mut bounds);
                    }
                    if least(&bounds) > limit {
                        return false;
                    }
                }
                true
            },
        );
        out.iter_mut().zip(&bounds).filter(|(_, bound)| **bound > limit).for_each(|(out, _)| *out = u16::MAX);
        any
    }

    /// Fills up those places of a chunk that all blocks together rule out, beside those that are full already. Answers whether any is left.
    pub(super) fn rule_out(&self, x: u32, y: u32, shift: u32, limit: u16, out: &mut [u16; CHUNK]) -> bool {
        let mut bounds = *out;
        if !wide(
            #[inline(always)]
            || self.add_blocks(x, y, shift, limit, &mut bounds),
        ) {
            return false;
        }
        out.iter_mut().zip(&bounds).filter(|(_, bound)| **bound > limit).for_each(|(out, _)| *out = u16::MAX);
        true
    }

    /// Bounds by one block after the other; stops when all are more than the limit.
    #[inline(always)]
    fn add_blocks(&self, x: u32, y: u32, shift: u32, limit: u16, bounds: &mut [u16; CHUNK]) -> bool {
        for some in self.blocks.chunks(BETWEEN) {
            for block in some {
                let start = (y + block.y) as usize * self.stride + (x + block.x) as usize;
                add_bounds(&self.image[start..start + CHUNK], block.sum, shift, bounds);
            }
            if least(bounds) > limit {
                return false;
            }
        }
        true
    }
}

#[inline(always)]
fn add_bounds(row: &[u16], sum: u16, shift: u32, bounds: &mut [u16]) {
    for (bound, value) in bounds.iter_mut().zip(row) {
        *bound = bound.saturating_add(value.abs_diff(sum) >> shift);
    }
}

/// A value in a range differs from the sum at least by what the range lies away from it.
#[inline(always)]
fn add_ranges(low: &[u16], high: &[u16], sum: u16, shift: u32, bounds: &mut [u16]) {
    for ((bound, low), high) in bounds.iter_mut().zip(low).zip(high) {
        *bound = bound.saturating_add((low.saturating_sub(sum) | sum.saturating_sub(*high)) >> shift);
    }
}

/// The smallest or the largest of each group of places, and room for a chunk. Groups at the right and at the bottom may be smaller.
fn grouped(image: &[u16], stride: usize, group: u32, pick: impl Fn(u16, u16) -> u16 + Copy) -> Vec<u16> {
    let (side, columns) = (1_usize << group, stride.div_ceil(1 << group));
    let mut all = Vec::with_capacity(image.len().div_ceil(side * side) + columns + GROUPS);
    let mut picked = vec![0_u16; stride];
    for rows in image.chunks(stride * side) {
        let (first, others) = rows.split_at(stride);
        picked.copy_from_slice(first);
        for row in others.chunks_exact(stride) {
            wide(
                #[inline(always)]
                || pick_rows(&mut picked, row, pick),
            );
        }
        wide(
            #[inline(always)]
            || pick_columns(&picked, side, &mut all, pick),
        );
    }
    all.resize(all.len() + GROUPS, 0);
    all
}

#[inline(always)]
fn pick_rows(picked: &mut [u16], row: &[u16], pick: impl Fn(u16, u16) -> u16) {
    for (picked, value) in picked.iter_mut().zip(row) {
        *picked = pick(*picked, *value);
    }
}

/// Groups of four are what there nearly always is.
#[inline(always)]
fn pick_columns(row: &[u16], side: usize, all: &mut Vec<u16>, pick: impl Fn(u16, u16) -> u16 + Copy) {
    if side != 4 {
        all.extend(row.chunks(side).map(|some| some.iter().copied().reduce(pick).unwrap_or_default()));
        return;
    }
    let whole = row.chunks_exact(4);
    let rest = whole.remainder().iter().copied().reduce(pick);
    all.extend(whole.map(|four| pick(pick(four[0], four[1]), pick(four[2], four[3]))));
    all.extend(rest);
}

#[inline(always)]
pub(super) fn least(bounds: &[u16]) -> u16 {
    bounds.iter().copied().fold(u16::MAX, u16::min)
}

fn mean(sums: &[u16]) -> u64 {
    sums.iter().map(|sum| u64::from(*sum)).sum::<u64>() / sums.len().max(1) as u64
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
            wide(
                #[inline(always)]
                || sum_pixels(row, &mut sums[start..]),
            );
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
            wide(
                #[inline(always)]
                || add_to_the_left(row, step),
            );
        }
    }
    for step in steps() {
        let rows = values.len() / stride;
        for y in 0..rows.saturating_sub(step) {
            let (above, below) = values.split_at_mut((y + step) * stride);
            let (above, below) = (&mut above[y * stride..(y + 1) * stride], &below[..stride]);
            wide(
                #[inline(always)]
                || add_row(above, below),
            );
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
