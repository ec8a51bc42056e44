//! Pixels, shared and cropped without copies.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::Fault;

/// Longest side of a picture in pixels.
pub const MAX_SIDE: u32 = 4096;

/// Part of a picture, in pixels from its top left corner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rect {
    /// From the left.
    pub x: u32,
    /// From the top.
    pub y: u32,
    /// To the right.
    pub width: u32,
    /// Downwards.
    pub height: u32,
}

impl Rect {
    /// A rectangle at the top left corner.
    pub const fn of_size(width: u32, height: u32) -> Self {
        Self { x: 0, y: 0, width, height }
    }

    /// What of it lies within a picture of this size. Empty ones have neither width nor height.
    #[must_use]
    pub fn within(self, width: u32, height: u32) -> Self {
        let left = |from: u32, length: u32, most: u32| length.min(most.saturating_sub(from));
        let (w, h) = (left(self.x, self.width, width), left(self.y, self.height, height));
        if w == 0 || h == 0 {
            return Self::default();
        }
        Self { width: w, height: h, ..self }
    }

    /// Whether it has no pixel.
    pub const fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// Its pixels.
    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }
}

/// 8 bits a channel, full range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Colour {
    /// Red.
    pub red: u8,
    /// Green.
    pub green: u8,
    /// Blue.
    pub blue: u8,
}

impl Colour {
    /// From its channels.
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// One channel after the other.
    pub const fn channels(self) -> [u8; 3] {
        [self.red, self.green, self.blue]
    }

    /// Its luma.
    pub const fn luma(self) -> u8 {
        ((77 * self.red as u32 + 150 * self.green as u32 + 29 * self.blue as u32 + 128) >> 8) as u8
    }
}

impl From<[u8; 3]> for Colour {
    fn from([red, green, blue]: [u8; 3]) -> Self {
        Self { red, green, blue }
    }
}

/// A picture, or a part of one: 8 bits a channel, three channels (red, green, blue) or one (grey), rows from the top. Does not change; a clone shares the pixels.
#[derive(Clone)]
pub struct Picture {
    store: Arc<Store>,
    /// Never empty, always within the store.
    area: Rect,
}

struct Store {
    width: u32,
    height: u32,
    channels: usize,
    data: Vec<u8>,
    /// Made when it is first asked for.
    grey: OnceLock<Arc<Store>>,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}x{}x{})", self.area.width, self.area.height, self.store.channels)
    }
}

/// Pictures are equal when their pixels are.
impl PartialEq for Picture {
    fn eq(&self, other: &Self) -> bool {
        self.same_form(other) && self.rows().eq(other.rows())
    }
}

impl Eq for Picture {}

impl Picture {
    /// From rows of red, green, blue: `width * height * 3` bytes.
    ///
    /// # Errors
    /// [`Fault::Empty`], [`Fault::TooLarge`], and [`Fault::Misfit`] when that is not the number of bytes.
    pub fn colour(width: u32, height: u32, data: Vec<u8>) -> Result<Self, Fault> {
        Self::new(width, height, 3, data)
    }

    /// From rows of grey values: `width * height` bytes.
    ///
    /// # Errors
    /// As [`Picture::colour`].
    pub fn of_grey(width: u32, height: u32, data: Vec<u8>) -> Result<Self, Fault> {
        Self::new(width, height, 1, data)
    }

    pub(crate) fn new(width: u32, height: u32, channels: usize, data: Vec<u8>) -> Result<Self, Fault> {
        if width == 0 || height == 0 {
            return Err(Fault::Empty);
        }
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(Fault::TooLarge);
        }
        if data.len() != width as usize * height as usize * channels {
            return Err(Fault::Misfit);
        }
        let store = Arc::new(Store { width, height, channels, data, grey: OnceLock::new() });
        Ok(Self { store, area: Rect::of_size(width, height) })
    }

    /// In pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.area.width
    }

    /// In pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.area.height
    }

    /// All of it.
    pub fn bounds(&self) -> Rect {
        Rect::of_size(self.area.width, self.area.height)
    }

    /// One channel, not three.
    pub fn is_grey(&self) -> bool {
        self.store.channels == 1
    }

    /// Bytes per pixel.
    pub(crate) fn channels(&self) -> usize {
        self.store.channels
    }

    /// Bytes that it keeps alive: those of the whole that it is a part of, shared or not.
    pub fn kept_bytes(&self) -> usize {
        self.store.data.len()
    }

    /// Of one size and kind.
    pub(crate) fn same_form(&self, other: &Self) -> bool {
        self.bounds() == other.bounds() && self.channels() == other.channels()
    }

    /// A part. No pixels are copied.
    ///
    /// # Errors
    /// [`Fault::Empty`] when nothing of it lies in the picture.
    pub fn crop(&self, area: Rect) -> Result<Self, Fault> {
        let area = area.within(self.area.width, self.area.height);
        if area.is_empty() {
            return Err(Fault::Empty);
        }
        let area = Rect { x: self.area.x + area.x, y: self.area.y + area.y, ..area };
        Ok(Self { store: Arc::clone(&self.store), area })
    }

    /// A row, from the left.
    pub fn row(&self, y: u32) -> &[u8] {
        let Store { width, channels, data, .. } = &*self.store;
        let start = ((self.area.y + y) as usize * *width as usize + self.area.x as usize) * channels;
        &data[start..start + self.area.width as usize * channels]
    }

    /// All rows, from the top.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.area.height).map(|y| self.row(y))
    }

    /// The pixels of a part, row by row; empty when nothing of it lies in the picture.
    pub fn read(&self, area: Rect) -> Vec<u8> {
        self.crop(area).map(|part| part.rows().flatten().copied().collect()).unwrap_or_default()
    }

    /// Its luma. Made once for the whole that this is a part of, then shared.
    #[must_use]
    pub fn grey(&self) -> Self {
        if self.is_grey() {
            return self.clone();
        }
        let grey = self.store.grey.get_or_init(|| {
            let Store { width, height, data, .. } = &*self.store;
            let data = crate::derive::luma(data);
            Arc::new(Store { width: *width, height: *height, channels: 1, data, grey: OnceLock::new() })
        });
        Self { store: Arc::clone(grey), area: self.area }
    }
}
