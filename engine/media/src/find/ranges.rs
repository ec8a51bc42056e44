//! Between what the box sums lie of places that are neighbours: much alike, so that little is lost when they are looked at together.

use super::rows::{Plane, box_rows};
use crate::Picture;
use crate::lanes::wide;

/// Side of a group of places, at most. Blocks lie on multiples of it, so that a group meets as many groups of the image as it has blocks.
const GROUP: u32 = 4;

/// The smallest and the largest sum of each group of places, of boxes of one side in one plane.
pub(super) struct Ranges {
    /// Side of the boxes.
    boxes: usize,
    /// Side of the groups.
    pub(super) side: usize,
    /// In rows of so many groups. Those that are not whole have no place with a whole box.
    pub(super) stride: usize,
    pub(super) low: Vec<u16>,
    pub(super) high: Vec<u16>,
    /// The last row of places.
    end: usize,
    /// Of the rows of the group so far, at each place.
    rows_low: Vec<u16>,
    rows_high: Vec<u16>,
}

impl Ranges {
    fn new(image: &Picture, boxes: u32) -> Self {
        let (side, width, end) = (boxes.min(GROUP), image.width() as usize, image.height() - boxes);
        let stride = width / side as usize;
        let [low, high] = [(); 2].map(|()| vec![0; (end + 1).div_ceil(side) as usize * stride]);
        let [rows_low, rows_high] = [(); 2].map(|()| vec![0; width]);
        Self { boxes: boxes as usize, side: side as usize, stride, low, high, end: end as usize, rows_low, rows_high }
    }

    #[inline(always)]
    fn add(&mut self, number: usize, row: &[u16]) {
        let Self { side, stride, low, high, end, rows_low, rows_high, .. } = self;
        if number.is_multiple_of(*side) {
            rows_low.copy_from_slice(row);
            rows_high.copy_from_slice(row);
        } else {
            widen(row, rows_low, rows_high);
        }
        if (number + 1).is_multiple_of(*side) || number == *end {
            let here = number / *side * *stride..(number / *side + 1) * *stride;
            pick(rows_low, *side, &mut low[here.clone()], u16::min);
            pick(rows_high, *side, &mut high[here], u16::max);
        }
    }
}

/// Of boxes of these sides, the largest last.
pub(super) fn ranges<const SIDES: usize>(image: &Picture, plane: Plane, sides: [u32; SIDES]) -> [Ranges; SIDES] {
    let mut all = sides.map(|side| Ranges::new(image, side));
    wide(
        #[inline(always)]
        || {
            box_rows(
                image,
                plane,
                sides[SIDES - 1] as usize,
                #[inline(always)]
                |boxes, number, row| {
                    if let Some(ranges) = all.iter_mut().find(|ranges| ranges.boxes == boxes) {
                        ranges.add(number, row);
                    }
                },
            );
        },
    );
    all
}

#[inline(always)]
fn widen(row: &[u16], low: &mut [u16], high: &mut [u16]) {
    for (value, (low, high)) in row.iter().zip(low.iter_mut().zip(high)) {
        *low = (*low).min(*value);
        *high = (*high).max(*value);
    }
}

/// Of each so many values one. Four is what there nearly always is.
#[inline(always)]
fn pick(row: &[u16], side: usize, picked: &mut [u16], of: impl Fn(u16, u16) -> u16 + Copy) {
    if side == 4 {
        for (picked, four) in picked.iter_mut().zip(row.chunks_exact(4)) {
            *picked = of(of(four[0], four[1]), of(four[2], four[3]));
        }
        return;
    }
    for (picked, some) in picked.iter_mut().zip(row.chunks_exact(side)) {
        *picked = some.iter().copied().reduce(of).unwrap_or_default();
    }
}
