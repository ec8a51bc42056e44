//! The difference at one place, to the pixel.

use crate::Picture;
use crate::lanes::{Differences, wide_differences};

/// Rows between two looks at whether it is too much already.
const TOGETHER: usize = 4;

/// What is looked for, as bytes.
pub(super) struct Exact {
    /// One row after the other; what does not count is 0.
    wanted: Vec<u8>,
    /// 255 for each byte that counts; `None`: all do.
    mask: Option<Vec<u8>>,
    /// Bytes of a row.
    length: usize,
    channels: usize,
}

impl Exact {
    pub(super) fn new(what: &Picture, mask: Option<&Picture>) -> Self {
        let mask = mask.map(|mask| mask.mask_bytes(what.channels()));
        let mut wanted = what.read(what.bounds());
        for (wanted, mask) in wanted.iter_mut().zip(mask.iter().flatten()) {
            *wanted &= mask;
        }
        Self { wanted, mask, length: what.width() as usize * what.channels(), channels: what.channels() }
    }

    /// The sum of all differences at this place of the image; `None`: more than the limit.
    pub(super) fn difference(&self, image: &Picture, x: u32, y: u32, limit: u64) -> Option<u64> {
        wide_differences(
            #[inline(always)]
            |differences| self.sum_rows(differences, image, (x, y), limit),
        )
    }

    /// A few rows after the other, until it is too much.
    #[inline(always)]
    fn sum_rows(&self, differences: Differences, image: &Picture, (x, y): (u32, u32), limit: u64) -> Option<u64> {
        let start = x as usize * self.channels;
        let (mut sum, mut hidden) = (0, Vec::new());
        for (number, rows) in self.wanted.chunks(self.length * TOGETHER).enumerate() {
            for (row, wanted) in rows.chunks_exact(self.length).enumerate() {
                let row = number * TOGETHER + row;
                let seen = &image.row(y + row as u32)[start..start + self.length];
                let seen = match &self.mask {
                    None => seen,
                    Some(mask) => hide(seen, &mask[row * self.length..][..self.length], &mut hidden),
                };
                sum += u64::from(differences.of(seen, wanted));
            }
            if sum > limit {
                return None;
            }
        }
        Some(sum)
    }
}

/// What the mask lets through of a row.
#[inline(always)]
fn hide<'a>(row: &[u8], mask: &[u8], into: &'a mut Vec<u8>) -> &'a [u8] {
    into.resize(row.len(), 0);
    for (into, (value, mask)) in into.iter_mut().zip(row.iter().zip(mask)) {
        *into = value & mask;
    }
    into
}
