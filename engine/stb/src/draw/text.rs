//! Letters: Noto Sans Mono, smoothed, in five sizes for each size of the picture.

use std::sync::OnceLock;

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::options::Size;

/// Sizes of letters, by the height of their line on a screen of 720 rows. A capital has six tenths of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Letters {
    /// 24 rows, bold.
    Small,
    /// 32 rows.
    Body,
    /// 40 rows, bold.
    Title,
    /// 64 rows, bold.
    Large,
    /// 112 rows, bold.
    Huge,
}

/// First and last letter that there are: printable ASCII.
const FIRST: char = ' ';
const LAST: char = '~';
const COUNT: usize = LAST as usize - FIRST as usize + 1;

/// All letters of one size in pixels, drawn once and shared by all boxes.
pub(crate) struct Sheet {
    width: usize,
    height: usize,
    alphas: Vec<u8>,
}

impl Letters {
    const fn rows(self) -> usize {
        match self {
            Self::Small => 24,
            Self::Body => 32,
            Self::Title => 40,
            Self::Large => 64,
            Self::Huge => 112,
        }
    }

    /// From letter to letter, on a screen of 1280 columns.
    pub(crate) fn width(self) -> i32 {
        self.sheet(Size::Hd720).width as i32
    }

    pub(crate) fn sheet(self, size: Size) -> &'static Sheet {
        static SHEETS: [[OnceLock<Sheet>; 5]; 2] = [const { [const { OnceLock::new() }; 5] }; 2];
        let place = match size {
            Size::Hd720 => 0,
            Size::Hd1080 => 1,
        };
        SHEETS[place][self as usize].get_or_init(|| {
            let weight = if self == Self::Body { FontWeight::Regular } else { FontWeight::Bold };
            Sheet::draw(weight, self.rows(), size)
        })
    }
}

impl Sheet {
    fn draw(weight: FontWeight, rows: usize, size: Size) -> Self {
        let small = if rows == 24 { RasterHeight::Size24 } else { RasterHeight::Size32 };
        // Widths of both picture sizes go together, so that text ends at the same place.
        let across = get_raster_width(weight, small) * rows / small.val();
        let (raster, width, height) = match size {
            Size::Hd720 => (small, across, rows),
            Size::Hd1080 => (RasterHeight::Size32, across * 3 / 2, rows * 3 / 2),
        };
        let mut alphas = Vec::with_capacity(COUNT * width * height);
        for letter in FIRST..=LAST {
            let drawn = get_raster(letter, weight, raster);
            let mut ink: Vec<Vec<u8>> =
                drawn.iter().flat_map(|drawn| drawn.raster().iter().copied()).map(<[u8]>::to_vec).collect();
            if letter == '0' {
                hollow(&mut ink);
            }
            alphas.extend(stretch(&ink, get_raster_width(weight, raster), raster.val(), width, height));
        }
        Self { width, height, alphas }
    }

    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    /// Rows of a letter: where the ink of each begins, and how much ink there is. What is not known is a question mark; nothing for a space.
    pub(crate) fn letter(&self, letter: char) -> Option<impl Iterator<Item = (usize, &[u8])>> {
        let known = if (FIRST..=LAST).contains(&letter) { letter } else { '?' };
        if known == ' ' {
            return None;
        }
        let area = self.width * self.height;
        let start = (known as usize - FIRST as usize) * area;
        let rows = self.alphas.get(start..start + area)?.chunks_exact(self.width);
        Some(rows.map(|row| {
            let first = row.iter().position(|alpha| *alpha > 0).unwrap_or(row.len());
            let end = row.iter().rposition(|alpha| *alpha > 0).map_or(first, |last| last + 1);
            (first, &row[first..end])
        }))
    }
}

/// Takes the stroke out of a zero: readers of screens take it for an 8 or an @.
fn hollow(rows: &mut [Vec<u8>]) {
    const INK: u8 = 64;
    let ink: Vec<usize> = (0..rows.len()).filter(|y| rows[*y].iter().any(|alpha| *alpha >= INK)).collect();
    let (Some(top), Some(bottom)) = (ink.first().copied(), ink.last().copied()) else { return };
    let middle = &rows[usize::midpoint(top, bottom)];
    let thick = middle.iter().skip_while(|alpha| **alpha < INK).take_while(|alpha| **alpha >= INK).count();
    for row in rows.iter_mut().take(bottom.saturating_sub(thick)).skip(top + thick + 1) {
        let (Some(left), Some(right)) =
            (row.iter().position(|alpha| *alpha >= INK), row.iter().rposition(|alpha| *alpha >= INK))
        else {
            continue;
        };
        if let Some(inside) = row.get_mut(left + thick + 1..right.saturating_sub(thick)) {
            inside.fill(0);
        }
    }
}

/// In another size: between four neighbours, with edges made steeper again when it grows.
fn stretch(rows: &[Vec<u8>], from_width: usize, from_height: usize, width: usize, height: usize) -> Vec<u8> {
    let at = |x: i64, y: i64| -> i64 {
        let row = usize::try_from(y).ok().and_then(|y| rows.get(y));
        i64::from(row.and_then(|row| usize::try_from(x).ok().and_then(|x| row.get(x))).copied().unwrap_or(0))
    };
    let growth = (height as i64 * 4 / from_height as i64).max(4);
    let mut out = Vec::with_capacity(width * height);
    for y in 0..height {
        let (row, below) = between(y, height, from_height);
        for x in 0..width {
            let (column, beside) = between(x, width, from_width);
            let top = at(column, row) * (256 - beside) + at(column + 1, row) * beside;
            let bottom = at(column, row + 1) * (256 - beside) + at(column + 1, row + 1) * beside;
            let value = (top * (256 - below) + bottom * below) >> 16;
            out.push((128 + (value - 128) * growth / 4).clamp(0, 255) as u8);
        }
    }
    out
}

/// Which old pixel lies before the middle of a new one, and how far it is from there to the next, in 256 parts.
const fn between(at: usize, new: usize, old: usize) -> (i64, i64) {
    let middle = ((2 * at as i64 + 1) * old as i64 * 256) / (2 * new as i64) - 128;
    (middle.div_euclid(256), middle.rem_euclid(256))
}
