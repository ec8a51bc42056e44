//! A picture to draw on.

use super::font;
use crate::driver::Frame;

/// Width of a box's picture, in pixels.
pub const WIDTH: u32 = 1280;
/// Height of a box's picture, in pixels.
pub const HEIGHT: u32 = 720;

/// RGB, 8 bit.
pub type Colour = [u8; 3];

/// A picture under way. Coordinates outside of it are cut off.
#[derive(Debug)]
pub struct Canvas {
    rgb: Vec<u8>,
}

impl Canvas {
    /// All of one colour.
    pub fn new(colour: Colour) -> Self {
        Self { rgb: colour.repeat((WIDTH * HEIGHT) as usize) }
    }

    /// The finished picture.
    pub fn finish(self) -> Frame {
        Frame { width: WIDTH, height: HEIGHT, rgb: self.rgb }
    }

    fn row(&mut self, x: i32, y: i32, width: i32) -> Option<&mut [u8]> {
        let (left, right) = (x.clamp(0, WIDTH as i32), x.saturating_add(width).clamp(0, WIDTH as i32));
        if y < 0 || y >= HEIGHT as i32 || left >= right {
            return None;
        }
        let start = (y as usize * WIDTH as usize + left as usize) * 3;
        self.rgb.get_mut(start..start + (right - left) as usize * 3)
    }

    /// A filled rectangle.
    pub fn rect(&mut self, x: i32, y: i32, width: i32, height: i32, colour: Colour) {
        for line in y.max(0)..y.saturating_add(height).min(HEIGHT as i32) {
            if let Some(row) = self.row(x, line, width) {
                row.chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&colour));
            }
        }
    }

    /// Darkens a rectangle so that text over it can be read.
    pub fn shade(&mut self, x: i32, y: i32, width: i32, height: i32) {
        for line in y.max(0)..y.saturating_add(height).min(HEIGHT as i32) {
            if let Some(row) = self.row(x, line, width) {
                for value in row {
                    *value /= 4;
                }
            }
        }
    }

    /// A filled circle.
    pub fn disc(&mut self, x: i32, y: i32, radius: i32, colour: Colour) {
        for line in -radius..=radius {
            let half = f64::from(radius * radius - line * line).sqrt() as i32;
            self.rect(x - half, y + line, 2 * half + 1, 1, colour);
        }
    }

    /// A line of text; a character takes `6 × scale` by `8 × scale` pixels.
    pub fn text(&mut self, x: i32, y: i32, scale: i32, colour: Colour, text: &str) {
        for (column, letter) in text.chars().enumerate() {
            self.letter(x + column as i32 * 6 * scale, y, scale, colour, letter);
        }
    }

    fn letter(&mut self, x: i32, y: i32, scale: i32, colour: Colour, letter: char) {
        for (line, bits) in font::glyph(letter).into_iter().enumerate() {
            for column in 0..5 {
                if bits & (0b1_0000 >> column) != 0 {
                    self.rect(x + column * scale, y + line as i32 * scale, scale, scale, colour);
                }
            }
        }
    }

    /// Text in the middle of the picture's width.
    pub fn centred(&mut self, y: i32, scale: i32, colour: Colour, text: &str) {
        let width = text.chars().count() as i32 * 6 * scale;
        self.text((WIDTH as i32 - width) / 2, y, scale, colour, text);
    }
}
