//! A picture to draw on. Places are given on a screen of 1280 by 720, whatever the picture's size; what lies outside is cut off.

use super::text::{Letters, Sheet};
use crate::options::Size;

/// Red, green, blue.
pub(crate) type Colour = [u8; 3];

/// Width of the screen that places are given on.
pub(crate) const WIDTH: i32 = 1_280;
/// Height of it.
pub(crate) const HEIGHT: i32 = 720;

/// Pixels that are painted at a time: so many bytes fit into vectors.
const RUN: usize = 16;

pub(crate) struct Canvas {
    rgb: Vec<u8>,
    size: Size,
}

impl Canvas {
    /// All black. Memory that comes from the system as zeroes costs nothing until it is painted.
    pub(crate) fn new(size: Size) -> Self {
        Self { rgb: vec![0; size.width() as usize * size.height() as usize * 3], size }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.rgb
    }

    /// From the screen's places to pixels.
    pub(crate) const fn pixels(&self, place: i32) -> i32 {
        match self.size {
            Size::Hd720 => place,
            Size::Hd1080 => (place * 3).div_euclid(2),
        }
    }

    /// Bytes of a row of pixels.
    pub(crate) const fn stride(&self) -> usize {
        self.size.width() as usize * 3
    }

    /// All rows of pixels, from the top.
    pub(crate) fn rows(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let stride = self.stride();
        self.rgb.chunks_exact_mut(stride)
    }

    /// Rows of a rectangle in pixels: where the first begins, its bytes, and how many rows there are.
    fn area(&self, [left, top, right, bottom]: [i32; 4]) -> Option<(usize, usize, usize)> {
        let (width, height) = (self.size.width() as i32, self.size.height() as i32);
        let (left, right) = (left.clamp(0, width) as usize, right.clamp(0, width) as usize);
        let (top, bottom) = (top.clamp(0, height) as usize, bottom.clamp(0, height) as usize);
        (left < right && top < bottom).then(|| (top * self.stride() + left * 3, (right - left) * 3, bottom - top))
    }

    fn edges(&self, x: i32, y: i32, width: i32, height: i32) -> [i32; 4] {
        [self.pixels(x), self.pixels(y), self.pixels(x + width), self.pixels(y + height)]
    }

    fn paint(&mut self, edges: [i32; 4], colour: Colour) {
        let Some((start, bytes, rows)) = self.area(edges) else { return };
        fill(&mut self.rgb[start..start + bytes], colour);
        for row in 1..rows {
            self.rgb.copy_within(start..start + bytes, start + row * self.size.width() as usize * 3);
        }
    }

    /// A filled rectangle.
    pub(crate) fn rect(&mut self, x: i32, y: i32, width: i32, height: i32, colour: Colour) {
        self.paint(self.edges(x, y, width, height), colour);
    }

    /// The border of a rectangle, within it.
    pub(crate) fn frame(&mut self, x: i32, y: i32, width: i32, height: i32, colour: Colour) {
        const THICK: i32 = 6;
        self.rect(x, y, width, THICK, colour);
        self.rect(x, y + height - THICK, width, THICK, colour);
        self.rect(x, y, THICK, height, colour);
        self.rect(x + width - THICK, y, THICK, height, colour);
    }

    /// A filled circle.
    pub(crate) fn disc(&mut self, x: i32, y: i32, radius: i32, colour: Colour) {
        let (x, y, radius) = (self.pixels(x), self.pixels(y), self.pixels(radius));
        for line in -radius..=radius {
            let half = f64::from(radius * radius - line * line).sqrt() as i32;
            self.paint([x - half, y + line, x + half + 1, y + line + 1], colour);
        }
    }

    /// Copies a block to another place, as far as both lie in the picture.
    pub(crate) fn copy(&mut self, from: (i32, i32), to: (i32, i32), width: i32, height: i32) {
        let source = self.area(self.edges(from.0, from.1, width, height));
        let target = self.area(self.edges(to.0, to.1, width, height));
        let Some(((source, bytes, rows), (target, fits, lines))) = source.zip(target) else { return };
        let stride = self.stride();
        for row in 0..rows.min(lines) {
            let start = source + row * stride;
            self.rgb.copy_within(start..start + bytes.min(fits), target + row * stride);
        }
    }

    /// A line of text.
    pub(crate) fn text(&mut self, x: i32, y: i32, letters: Letters, colour: Colour, text: &str) {
        let sheet = letters.sheet(self.size);
        let (mut left, top) = (self.pixels(x), self.pixels(y));
        for letter in text.chars() {
            self.letter(left, top, sheet, colour, letter);
            left += sheet.width() as i32;
        }
    }

    /// Text that ends at a place.
    pub(crate) fn text_before(&mut self, right: i32, y: i32, letters: Letters, colour: Colour, text: &str) {
        self.text(right - text.chars().count() as i32 * letters.width(), y, letters, colour, text);
    }

    /// Text with its middle at a place.
    pub(crate) fn text_around(&mut self, x: i32, y: i32, letters: Letters, colour: Colour, text: &str) {
        self.text(x - text.chars().count() as i32 * letters.width() / 2, y, letters, colour, text);
    }

    /// Text, cut to what fits.
    pub(crate) fn text_within(&mut self, x: i32, y: i32, width: i32, style: (Letters, Colour), text: &str) {
        let fits = (width / style.0.width()).max(0) as usize;
        let end = text.char_indices().nth(fits).map_or(text.len(), |(end, _)| end);
        self.text(x, y, style.0, style.1, &text[..end]);
    }

    fn letter(&mut self, left: i32, top: i32, sheet: &Sheet, colour: Colour, letter: char) {
        let Some(rows) = sheet.letter(letter) else { return };
        let (width, height) = (self.size.width() as i32, self.size.height() as i32);
        if left < 0 || left + sheet.width() as i32 > width {
            return;
        }
        let stride = self.stride();
        for (line, (first, alphas)) in rows.enumerate() {
            let y = top + line as i32;
            if !(0..height).contains(&y) {
                continue;
            }
            let start = y as usize * stride + (left as usize + first) * 3;
            blend(&mut self.rgb[start..start + alphas.len() * 3], alphas, colour);
        }
    }
}

/// Paints a row.
pub(crate) fn fill(row: &mut [u8], colour: Colour) {
    let mut run = [0; RUN * 3];
    run.as_chunks_mut::<3>().0.fill(colour);
    let (runs, rest) = row.as_chunks_mut::<{ RUN * 3 }>();
    runs.fill(run);
    rest.copy_from_slice(&run[..rest.len()]);
}

fn blend(row: &mut [u8], alphas: &[u8], colour: Colour) {
    for (pixel, alpha) in row.as_chunks_mut::<3>().0.iter_mut().zip(alphas) {
        let alpha = u16::from(*alpha);
        for (value, ink) in pixel.iter_mut().zip(colour) {
            *value = ((u16::from(*value) * (255 - alpha) + u16::from(ink) * alpha + 127) / 255) as u8;
        }
    }
}
