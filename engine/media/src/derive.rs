//! Pictures from pictures: luma, differences, other sizes.

use crate::lanes::{STRIP, wide};
use crate::picture::MAX_SIDE;
use crate::{Fault, Picture, Rect};

/// Of rows of red, green, blue. In parts, since room that is made is written twice when it has to be zero first.
pub(crate) fn luma(data: &[u8]) -> Vec<u8> {
    let (mut all, mut some) = (Vec::with_capacity(data.len() / 3), [0; STRIP]);
    for pixels in data.chunks(3 * STRIP) {
        let some = &mut some[..pixels.len() / 3];
        wide(
            #[inline(always)]
            || luma_into(pixels, some),
        );
        all.extend_from_slice(some);
    }
    all
}

#[inline(always)]
fn luma_into(data: &[u8], out: &mut [u8]) {
    for (out, pixel) in out.iter_mut().zip(data.chunks_exact(3)) {
        let sum = 77 * u16::from(pixel[0]) + 150 * u16::from(pixel[1]) + 29 * u16::from(pixel[2]) + 128;
        *out = (sum >> 8) as u8;
    }
}

#[inline(always)]
fn difference_into(one: &[u8], other: &[u8], out: &mut [u8]) {
    for ((out, one), other) in out.iter_mut().zip(one).zip(other) {
        *out = one.abs_diff(*other);
    }
}

impl Picture {
    /// Absolute differences, channel by channel.
    ///
    /// # Errors
    /// [`Fault::Misfit`] when the two differ in size or kind.
    pub fn difference(&self, other: &Self) -> Result<Self, Fault> {
        if !self.same_form(other) {
            return Err(Fault::Misfit);
        }
        let mut data = vec![0; self.bounds().pixels() as usize * self.channels()];
        let length = self.width() as usize * self.channels();
        for ((out, one), other) in data.chunks_exact_mut(length).zip(self.rows()).zip(other.rows()) {
            wide(
                #[inline(always)]
                || difference_into(one, other, out),
            );
        }
        Self::new(self.width(), self.height(), self.channels(), data)
    }

    /// The same with these parts set to 0.
    #[must_use]
    pub fn covered(&self, parts: &[Rect]) -> Self {
        let mut data = self.read(self.bounds());
        let (length, channels) = (self.width() as usize * self.channels(), self.channels());
        for part in parts.iter().map(|part| part.within(self.width(), self.height())) {
            let columns = part.x as usize * channels..(part.x + part.width) as usize * channels;
            let rows = data.chunks_exact_mut(length).skip(part.y as usize).take(part.height as usize);
            rows.for_each(|row| row[columns.clone()].fill(0));
        }
        // Of the same size, so it is one; were it not, what is not covered is the safer answer.
        Self::new(self.width(), self.height(), channels, data).unwrap_or_else(|_| self.clone())
    }

    /// In another size: each pixel is the mean of the area that it covers, in whole numbers, rounded half up.
    ///
    /// # Errors
    /// [`Fault::Empty`] and [`Fault::TooLarge`].
    pub fn scale(&self, width: u32, height: u32) -> Result<Self, Fault> {
        if width == 0 || height == 0 {
            return Err(Fault::Empty);
        }
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(Fault::TooLarge);
        }
        if (width, height) == (self.width(), self.height()) {
            return Ok(self.clone());
        }
        let columns: Vec<(u32, u32)> = (0..width).map(|x| covered(x, self.width(), width)).collect();
        let mut column = vec![0_u32; self.width() as usize * self.channels()];
        let mut data = Vec::with_capacity(width as usize * height as usize * self.channels());
        for y in 0..height {
            column.fill(0);
            let (first, last) = covered(y, self.height(), height);
            for from in first..=last {
                let weight = overlap(y, from, self.height(), height);
                wide(
                    #[inline(always)]
                    || add_weighted(&mut column, self.row(from), weight),
                );
            }
            for (x, (first, last)) in columns.iter().enumerate() {
                self.one_pixel(&column, x as u32, (*first, *last), (width, self.height()), &mut data);
            }
        }
        Self::new(width, height, self.channels(), data)
    }

    /// Weights are in parts of the new size, so they add up to the old size exactly.
    fn one_pixel(
        &self,
        column: &[u32],
        x: u32,
        (first, last): (u32, u32),
        (width, height): (u32, u32),
        out: &mut Vec<u8>,
    ) {
        let total = u64::from(self.width()) * u64::from(height);
        for channel in 0..self.channels() {
            let weighted = |from: u32| {
                let value = column[from as usize * self.channels() + channel];
                u64::from(value) * u64::from(overlap(x, from, self.width(), width))
            };
            let sum: u64 = (first..=last).map(weighted).sum();
            out.push(((sum + total / 2) / total) as u8);
        }
    }
}

/// First and last of the `old` pixels that pixel `at` of `new` covers.
fn covered(at: u32, old: u32, new: u32) -> (u32, u32) {
    let first = u64::from(at) * u64::from(old) / u64::from(new);
    let last = (u64::from(at + 1) * u64::from(old)).div_ceil(u64::from(new)) - 1;
    (first as u32, last as u32)
}

/// How much of the `old` pixel `from` lies in the `new` pixel `at`, in parts of `new`: both counted on a scale of `old * new`.
fn overlap(at: u32, from: u32, old: u32, new: u32) -> u32 {
    let begin = (at * old).max(from * new);
    let end = ((at + 1) * old).min((from + 1) * new);
    end.saturating_sub(begin)
}

#[inline(always)]
fn add_weighted(column: &mut [u32], row: &[u8], weight: u32) {
    for (sum, value) in column.iter_mut().zip(row) {
        *sum += u32::from(*value) * weight;
    }
}
