//! Two pictures side by side.

use crate::lanes::{Differences, ROWS, STRIP, strips, wide_differences};
use crate::near::taken;
use crate::{Fault, Picture, Rect};

/// What differs between two pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Comparison {
    /// Pixels that count: those that the mask lets through.
    pub pixels: u32,
    /// Those of them that differ by no more than the tolerance, in every channel.
    pub within: u32,
    /// Mean of all differences, 0.0 to 255.0.
    pub mean: f64,
    /// Largest difference.
    pub most: u8,
    /// Around all pixels that differ by more than the tolerance.
    pub changed: Option<Rect>,
}

/// The bytes of a strip, and what is counted of them.
struct Columns {
    /// Of the row that is worked on.
    difference: [u8; STRIP],
    /// 1: differs by more than the tolerance, in the row that is worked on.
    over: [u8; STRIP + 2],
    /// Of pixels, at their first bytes.
    counts: [u8; STRIP],
    /// Not 0: ever over.
    ever: [u8; STRIP],
    sum: u64,
    most: u8,
}

impl Columns {
    fn new() -> Box<Self> {
        Box::new(Self {
            difference: [0; STRIP],
            over: [0; STRIP + 2],
            counts: [0; STRIP],
            ever: [0; STRIP],
            sum: 0,
            most: 0,
        })
    }

    /// A row's part. `mask`: 255 for bytes that count, 0 for the others. Answers whether any pixel is over.
    #[inline(always)]
    fn add(
        &mut self,
        sums: Differences,
        (one, other): (&[u8], &[u8]),
        mask: Option<&[u8]>,
        tolerance: u8,
        channels: usize,
    ) -> bool {
        let differences = one.iter().zip(other).map(|(one, other)| one.abs_diff(*other));
        match mask {
            None => self.take_over(differences, tolerance),
            Some(mask) => self.take_over(differences.zip(mask).map(|(difference, mask)| difference & *mask), tolerance),
        }
        self.sum += u64::from(sums.of(&self.difference[..one.len()], &NONE[..one.len()]));
        self.count(one.len(), channels)
    }

    #[inline(always)]
    fn take_over(&mut self, differences: impl Iterator<Item = u8>, tolerance: u8) {
        let mut most = self.most;
        for (difference, (kept, over)) in differences.zip(self.difference.iter_mut().zip(&mut self.over)) {
            *kept = difference;
            *over = u8::from(difference > tolerance);
            most = most.max(difference);
        }
        self.most = most;
    }

    #[inline(always)]
    fn count(&mut self, bytes: usize, channels: usize) -> bool {
        let Self { over, counts, .. } = self;
        let mut any = 0;
        if channels == 1 {
            for (count, over) in counts.iter_mut().zip(&over[..bytes]) {
                *count += *over;
                any |= *over;
            }
        } else {
            for at in 0..bytes {
                counts[at] += over[at] | over[at + 1] | over[at + 2];
                any |= over[at];
            }
        }
        any != 0
    }
}

/// Differences of nothing.
const NONE: [u8; STRIP] = [0; STRIP];

#[derive(Default)]
struct Totals {
    sum: u64,
    over: u32,
    most: u8,
    /// First and last column, first and last row of what is over.
    columns: Option<(u32, u32)>,
    rows: Option<(u32, u32)>,
}

impl Totals {
    fn take(&mut self, columns: &mut Columns, bytes: usize, channels: usize) {
        for (ever, count) in columns.ever.iter_mut().zip(&columns.counts) {
            *ever |= *count;
        }
        self.over += taken(&mut columns.counts, bytes, channels);
    }

    fn finish_strip(&mut self, columns: &Columns, first_byte: usize, bytes: usize, channels: usize) {
        self.sum += columns.sum;
        self.most = self.most.max(columns.most);
        let ever = columns.ever[..bytes].iter().step_by(channels).enumerate();
        for (at, _) in ever.filter(|(_, ever)| **ever != 0) {
            widen(&mut self.columns, (first_byte / channels + at) as u32);
        }
    }

    fn changed(&self) -> Option<Rect> {
        let ((left, right), (top, bottom)) = (self.columns?, self.rows?);
        Some(Rect { x: left, y: top, width: right - left + 1, height: bottom - top + 1 })
    }
}

fn widen(range: &mut Option<(u32, u32)>, at: u32) {
    let (first, last) = range.unwrap_or((at, at));
    *range = Some((first.min(at), last.max(at)));
}

impl Picture {
    /// Compares with a picture of the same size and kind. `mask`: grey, of the same size; pixels where it is 0 do not count.
    ///
    /// # Errors
    /// [`Fault::Misfit`], and [`Fault::Empty`] when the mask lets nothing through.
    pub fn compare(&self, other: &Self, tolerance: u8, mask: Option<&Self>) -> Result<Comparison, Fault> {
        if !self.same_form(other) || mask.is_some_and(|mask| !mask.masks(self)) {
            return Err(Fault::Misfit);
        }
        let channels = self.channels();
        let pixels = mask.map_or(self.bounds().pixels() as u32, Self::let_through);
        if pixels == 0 {
            return Err(Fault::Empty);
        }
        let bytes = mask.map(|mask| mask.mask_bytes(channels));
        let length = self.width() as usize * channels;
        let mut totals = Totals::default();
        for strip in strips(length) {
            let mut columns = Columns::new();
            for (number, (one, other)) in self.rows().zip(other.rows()).enumerate() {
                let mask = bytes.as_ref().map(|bytes| &bytes[number * length..][..length][strip.clone()]);
                let pair = (&one[strip.clone()], &other[strip.clone()]);
                if wide_differences(
                    #[inline(always)]
                    |sums| columns.add(sums, pair, mask, tolerance, channels),
                ) {
                    widen(&mut totals.rows, number as u32);
                }
                if number % ROWS == ROWS - 1 {
                    totals.take(&mut columns, strip.len(), channels);
                }
            }
            totals.take(&mut columns, strip.len(), channels);
            totals.finish_strip(&columns, strip.start, strip.len(), channels);
        }
        Ok(Comparison {
            pixels,
            within: pixels - totals.over,
            mean: totals.sum as f64 / (f64::from(pixels) * channels as f64),
            most: totals.most,
            changed: totals.changed(),
        })
    }

    /// It is a mask for that picture.
    pub(crate) fn masks(&self, picture: &Self) -> bool {
        self.is_grey() && self.bounds() == picture.bounds()
    }

    /// Pixels that a mask lets through.
    pub(crate) fn let_through(&self) -> u32 {
        self.rows().map(|row| row.iter().filter(|value| **value != 0).count() as u32).sum()
    }

    /// 255 for each byte that counts, of a picture of so many channels.
    pub(crate) fn mask_bytes(&self, channels: usize) -> Vec<u8> {
        let byte = |value: &u8| std::iter::repeat_n(if *value == 0 { 0 } else { u8::MAX }, channels);
        self.rows().flatten().flat_map(byte).collect()
    }
}
